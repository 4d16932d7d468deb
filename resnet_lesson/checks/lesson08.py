"""Checks of the exercises for lesson 08, your turn."""

import numpy as np

from resnet_lesson.checks.answers import NotYet, as_array, as_parts, call, own_draws, require
from resnet_lesson.checks.core import check, check_values, close
from resnet_lesson.checks.predictions import judged


def _groups(seed, sizes):
    """Draw names of groups with so many pictures each, in a random order."""
    names = np.repeat([f"person {i}" for i in range(len(sizes))], sizes)
    return np.random.default_rng(seed).permutation(names).tolist()


# Equal sizes; sizes between 1 and 9; a few large groups among many small ones.
ALBUMS = [(1, [4] * 25), (2, [1, 2, 3, 9] * 10), (3, [30, 20] + [2] * 75)]
FEW_LARGE = ALBUMS[-1]
SHARES = (0.6, 0.2, 0.2)


@check("08")
def split_by_group(answer):
    """``answer(groups, seed)`` → places for training, validation and test, no group divided."""
    for seed, sizes in ALBUMS:
        groups = _groups(seed, sizes)
        parts, again, other = (_parts(answer, groups, seed) for seed in (1, 1, 2))
        require(parts == again, "one seed should give one split, each time")
        torn = _divided(parts, groups)
        require(not torn, f"{len(torn)} of {len(sizes)} groups lie in more than one part")
        for name, part, share in zip(
            ("training", "validation", "test"), parts, SHARES, strict=True
        ):
            found = len(part) / len(groups)
            # As near as the largest group allows; the last part bears what both others are off.
            largest = max(sizes) / len(groups)
            allowed = (2 * largest if name == "test" else largest) + 0.02
            counted = f"{name} has {found:.0%} of the pictures, {share:.0%} were asked for"
            unequal = "; groups differ in size, so count pictures" if len(set(sizes)) > 1 else ""
            require(abs(found - share) <= allowed, counted + unequal)
        require(set(parts[2]) != set(other[2]), "two seeds lay the same test pictures aside")
    groups = _groups(*FEW_LARGE)
    splits = [_parts(answer, groups, seed) for seed in range(3, 11)]
    off = np.mean([abs(len(train) / len(groups) - SHARES[0]) for train, *_ in splits])
    counts = "where a few groups are large, count pictures and not groups"
    far = f"over eight seeds, training misses its 60% by {off:.0%} of the pictures: {counts}"
    require(off < 0.065, far)
    for parts in splits:
        require(not _divided(parts, groups), "with some seeds, groups are divided")
    return "whoever is in the test has not been seen before"


def _divided(parts, groups):
    """Return the groups that lie in more than one part."""
    named = [{groups[place] for place in part} for part in parts]
    return {group for group in groups if sum(group in part for part in named) > 1}


def _parts(answer, groups, seed):
    """Return the reader's three parts as lists of places, each picture in one of them."""
    given = list(groups)
    with own_draws():
        parts = call(answer, given, seed)
        three = np.iterable(parts) and not isinstance(parts, (str, dict))
        parts = as_parts(list(parts) if three else parts, 3, "return three lists of places")
    require(given == groups, "the list of groups was changed; leave it as it is")
    parts = [as_array(list(part), "the places of a part") for part in parts]
    require(all(part.ndim == 1 for part in parts), "a part should be a list of places")
    places = np.concatenate(parts)
    known = np.isin(places, range(len(groups)))
    strange = f"{places[~known][0]:g} is none" if not known.all() else ""
    number = f"a place is the number of a picture, from 0 to {len(groups) - 1}; {strange}"
    require(known.all(), number)
    require(len(np.unique(places)) == len(places), "a picture is in two parts, or twice in one")
    lost = len(groups) - len(places)
    require(not lost, f"{lost} of {len(groups)} pictures are in no part")
    return [sorted(part.astype(int).tolist()) for part in parts]


VAL = {
    "a": [0.990, 0.981],  # the best first seed
    "b": [0.988, 0.990, 0.987, 0.988],  # the best mean
    "c": [0.984, 0.985],  # best on the test images
    "d": [0.975, 0.995],  # the luckiest seed
    # More seeds, none of them bad, and as good on the test.
    "e": [0.988, 0.9875, 0.988, 0.9875, 0.9875],
}
TEST = {
    "a": [0.990, 0.992],
    "b": [0.983, 0.985, 0.990, 0.985],
    "c": [0.995, 0.996],
    "d": [0.970, 0.972],
    "e": [0.988, 0.987, 0.989, 0.987, 0.988],
}
LURES = {
    "a": "the best first seed",
    "c": "the best test accuracy",
    "d": "the luckiest seed",
    "e": "the most seeds, and the steadiest",
}


def _accuracy(answer, val, test):
    """Return the accuracy that the reader reports, of the right candidate."""
    before = repr((val, test))
    name, accuracy = as_parts(call(answer, val, test), 2, "return two things: name and accuracy")
    require(repr((val, test)) == before, "a dictionary was changed; leave both as they are")
    no_name = f"the first thing should be a name out of the dictionary, not {name!r:.30}"
    require(isinstance(name, str) and name in VAL, no_name)
    mean = f"on the validation images, another one has a higher mean than {np.mean(val[name]):.4f}"
    require(name == "b", f"{mean}, which is that of {name!r} (what it has is {LURES.get(name)})")
    return accuracy


def _half(table):
    return {name: [value / 2 for value in values] for name, values in table.items()}


CHOICES = [({name: VAL[name] for name in names}, TEST) for names in ("abcde", "edcab")]
CHOICES.append((_half(VAL), _half(TEST)))
CHOICES.append((VAL, TEST | {"b": [0.993, 0.991, 0.991]}))  # test above validation


@check_values("08", "the accuracy", CHOICES, 1e-5, _accuracy)
def honest_choice(val, test):
    """``answer(val, test)`` → (name of the chosen candidate, accuracy to report)."""
    yield "chosen by validation, reported by test", np.mean(test["b"])
    yield "report by test; the validation images have been used to choose", np.mean(val["b"])
    yield "report the mean over the seeds, not the best one", max(test["b"])
    yield "report the mean over the seeds, not the worst one", min(test["b"])
    yield "report the mean over the seeds, not their sum", sum(test["b"])
    yield "report an accuracy; this is the share of errors", 1 - np.mean(test["b"])
    both = val["b"] + test["b"]
    yield "report by test alone; here the validation images count, too", np.mean(both)
    halves = np.mean(val["b"]) + np.mean(test["b"])
    yield "report by test alone; this is the mean of validation and test", halves / 2
    yield "each seed counts; here equal accuracies count once", np.mean(list(set(test["b"])))
    trimmed = np.mean(sorted(test["b"])[1:])
    yield "each seed counts; here the worst one on the test is left out", trimmed
    means = [np.mean(some) for some in test.values()]
    yield "report the test accuracy of the chosen one, not the best of all candidates", max(means)
    yield (
        "report the test accuracy of the chosen one, not the mean of all candidates",
        np.mean(means),
    )
    every = np.mean([one for some in test.values() for one in some])
    yield "report the test accuracy of the chosen one, not the mean of all runs", every
    for name, some in test.items():
        yield f"this is the test accuracy of candidate {name}, which was not chosen", np.mean(some)
    yield "{found:g} is not the accuracy to report"


@check("08")
def mirror_prediction(answer):
    """``answer``: (prediction, mistakes with mirrored digits, mistakes without)."""
    return judged(answer)


def _ink(seed, shape):
    """Make a picture with more ink above and at the left, so that its middle is elsewhere."""
    draw = np.random.default_rng(seed)
    ink = draw.integers(0, 256, shape) * (draw.random(shape) > 0.4)
    ink[shape[0] // 2 :] //= 8
    ink[:, shape[1] // 2 :] //= 2
    ink[-1, -1] = ink[0, 0] = 9
    return ink.astype(np.uint8)


def _centre(ink):
    places = np.indices(ink.shape).astype(float)
    return (places * ink).sum(axis=(1, 2), dtype=float) / ink.sum(dtype=float)


def _extreme(shape, axis, end):
    """Make a picture with nearly all its ink at one end, and a trace in two of its corners."""
    ink = np.zeros(shape, np.uint8)
    places = [slice(None), slice(None)]
    places[axis] = slice(0, 2) if end == 0 else slice(-2, None)
    ink[tuple(places)] = 200
    ink[0, 0] = ink[-1, -1] = 9
    return ink


BOXES = [_ink(seed, shape) for seed, shape in enumerate(((9, 20), (20, 13), (20, 20)), start=1)]
# Here the nearest place would leave the field.
BOXES += [_extreme((20, 12), 0, end) for end in (0, 1)]
BOXES += [_extreme((12, 20), 1, end) for end in (0, 1)]


@check("08")
def into_field(answer):
    """``answer(boxed)`` → (28, 28): the digit with its centre of mass in the middle."""
    places = [_found(answer, boxed) for boxed in BOXES]
    if not all(np.all(np.abs(_off(*each)) < 0.51) for each in zip(places, BOXES, strict=True)):
        raise NotYet(_why_elsewhere(np.array(places)))
    return "the ink is in the middle, as far as the field allows"


def _found(answer, boxed):
    """Return where the digit begins in the reader's field, once all of it is there."""
    given = boxed.copy()
    field = as_array(call(answer, given), "the field", (28, 28))
    require(np.array_equal(given, boxed), "the digit that was given is changed")
    inked, wanted = field[field > 0], boxed[boxed > 0]
    lost = f"the digit has {wanted.size} pixels with ink, the field has {inked.size}"
    require(inked.size >= wanted.size, f"{lost}: an edge is lost, or faint ink")
    require(inked.size == wanted.size, f"{lost}: it should be moved by whole pixels, all else is 0")
    levels = close(np.sort(inked), np.sort(wanted))
    require(levels, "the grey levels of the digit have changed; it should only be moved")
    (top, left), (height, width) = np.min(np.nonzero(field), axis=1), boxed.shape
    moved = close(field[top : top + height, left : left + width], boxed)  # its corners have ink
    require(moved, "the digit is turned, flipped or torn apart; it should only be moved")
    return top, left


def _off(place, boxed):
    """Return by how much a place is off, before rounding, in rows and in columns."""
    limits = 28 - np.array(boxed.shape)
    return np.array(place) - np.clip(13.5 - _centre(boxed.astype(float)), 0, limits)


def _why_elsewhere(places):
    """Say by which rule the digits have come to these places, if it is a known one."""
    off = np.abs([_off(*each) for each in zip(places, BOXES, strict=True)]) > 0.51
    limits = 28 - np.array([boxed.shape for boxed in BOXES])
    centres = np.array([_centre(boxed.astype(float)) for boxed in BOXES])
    shapes = np.array([_centre(boxed > 0) for boxed in BOXES])
    nearly = "28 pixels from 0 to 27 have their middle at 13.5; take the nearest whole place"
    rules = {
        f"nearly: {nearly}": 14 - centres,
        f"nearly, at the other side: {nearly}": 13 - centres,
        "each pixel should count by its ink; here the middle of the box is taken": limits / 2,
        "each pixel should count by its ink; here all inked pixels count alike": 13.5 - shapes,
        "row and column are exchanged": 13.5 - centres[:, ::-1],
        "the sign is wrong: the further down the ink, the higher the digit goes": centres - 13.5,
        "the digit begins 4 pixels from the edge, wherever its ink is": 0 * centres + 4,
        "the digit is not moved: it begins at the edge": 0 * centres,
    }
    for words, rule in rules.items():
        if np.all(np.abs(places - np.clip(rule, 0, limits)) < 0.51):
            return words
    if not off[:3].any():
        return (
            "where the ink lies far to one side, the digit may lie right at the edge of the field"
        )
    for axis, words in enumerate(
        ("rows are right, and the columns", "columns are right, and the rows")
    ):
        if not off[:, axis].any():
            return f"the {words} are not: centre both"
    which = int(off.any(axis=1).argmax())
    ink, found = np.round(centres[which] + places[which], 1), BOXES[which].shape
    return (
        f"a digit of {found} has its centre of mass at {ink} in the field; (13.5, 13.5) was asked"
    )
