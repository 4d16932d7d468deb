"""Checks of the exercises to lesson 08, your turn."""

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
    require(np.isin(places, range(len(groups))).all(), "a place is the number of a picture")
    require(len(np.unique(places)) == len(places), "a picture is in two parts, or twice in one")
    lost = len(groups) - len(places)
    require(not lost, f"{lost} of {len(groups)} pictures are in no part")
    return [sorted(part.astype(int).tolist()) for part in parts]


VAL = {
    "a": [0.990, 0.981],  # the best first seed
    "b": [0.988, 0.990, 0.987, 0.988],  # the best mean
    "c": [0.984, 0.985],  # best on the test images
    "d": [0.975, 0.995],  # the luckiest seed
    "e": [
        0.988,
        0.9875,
        0.988,
        0.9875,
        0.9875,
    ],  # more seeds, none of them bad, and as good on the test
}
TEST = {
    "a": [0.990, 0.992],
    "b": [0.983, 0.985, 0.990, 0.985],
    "c": [0.995, 0.996],
    "d": [0.970, 0.972],
    "e": [0.988, 0.987, 0.989, 0.987, 0.988],
}
BY_MEAN = "compare the means over the seeds, on the validation images"
LURES = {
    "a": f"this one has the best first seed, but not the best mean; {BY_MEAN}",
    "c": f"this one is best on the test images, and nowhere else; {BY_MEAN}",
    "d": f"this one has the luckiest seed, but not the best mean; {BY_MEAN}",
    "e": f"this one has the steadiest seeds and more of them, but not the best mean; {BY_MEAN}",
}


def _accuracy(answer, val, test):
    """Return the accuracy that the reader reports, of the right candidate."""
    before = repr((val, test))
    name, accuracy = as_parts(call(answer, val, test), 2, "return two things: name and accuracy")
    require(repr((val, test)) == before, "a dictionary was changed; leave both as they are")
    no_name = f"the first thing should be a name out of the dictionary, not {name!r:.30}"
    require(name == "b", LURES.get(str(name), no_name))
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


def _centre(ink, dtype=float):
    places = np.indices(ink.shape).astype(dtype)
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
    for boxed in BOXES:
        given = boxed.copy()
        field = as_array(call(answer, given), "the field", (28, 28))
        require(np.array_equal(given, boxed), "the digit that was given is changed")
        height, width = boxed.shape
        cut = (
            "the field should hold all the pixels of the digit, and no others: may it lose an edge"
        )
        require(close(np.sort(field[field > 0]), np.sort(boxed[boxed > 0])), cut)
        top, left = place = np.min(np.nonzero(field), axis=1)  # the box has ink in its corners
        moved = close(field[top : top + height, left : left + width], boxed)
        require(moved, "the digit is turned, flipped or torn apart; it should only be moved")
        limits = np.array([28 - height, 28 - width])
        right = [_place(boxed, middle, limits) for middle in (13.5, 14, 13)]
        if np.abs(place - right[0]).max() < 0.51:
            continue
        for other in right[1:]:
            middle = (
                "28 pixels from 0 to 27 have their middle at 13.5; take the nearest whole place"
            )
            require(np.abs(place - other).max() >= 0.51, f"nearly: {middle}")
        by_box = place + (np.array(boxed.shape) - 1) / 2 - 13.5
        by_shape = place - _place(boxed > 0, 13.5, limits)
        alike = "here the middle of the box is taken, or all inked pixels count alike"
        by_ink = min(np.abs(by_box).max(), np.abs(by_shape).max()) >= 0.51
        require(by_ink, f"each pixel should count by its ink; {alike}")
        swapped = np.clip(13.5 - _centre(boxed)[::-1], 0, limits)
        apart = np.abs(right[0] - swapped).min() > 1  # else it would tell nothing
        exchanged = apart and np.abs(place - swapped).max() < 0.51
        require(not exchanged, "row and column are exchanged")
        off = np.abs(place - right[0]).max()
        raise NotYet(f"the digit lies {off:.0f} pixels from the nearest place that the field has")
    return "the ink is in the middle, as far as the field allows"


def _place(ink, middle, limits):
    """Return where the digit should begin, before rounding, for a middle of the field."""
    return np.clip(middle - _centre(np.asarray(ink, float)), 0, limits)
