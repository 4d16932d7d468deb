"""Checks of the exercises to lesson 08, your turn."""

import numpy as np

from resnet_lesson.checks.answers import as_array, as_parts, call, require
from resnet_lesson.checks.core import check, check_values, close
from resnet_lesson.checks.predictions import judged


def _groups(seed, sizes):
    """Draw names of groups with so many pictures each, in a random order."""
    names = np.repeat([f"person {i}" for i in range(len(sizes))], sizes)
    return np.random.default_rng(seed).permutation(names).tolist()


# Equal sizes; sizes between 1 and 9; a few large groups among many small ones.
ALBUMS = [(1, [4] * 25), (2, [1, 2, 3, 9] * 10), (3, [30, 20] + [2] * 75)]
SHARES = (0.6, 0.2, 0.2)


@check("08")
def split_by_group(answer):
    """``answer(groups, seed)`` → places for training, validation and test, no group divided."""
    for seed, sizes in ALBUMS:
        groups = _groups(seed, sizes)
        parts, again, other = (_parts(answer, groups, seed) for seed in (1, 1, 2))
        require(parts == again, "one seed should give one split, each time")
        named = [{groups[place] for place in part} for part in parts]
        both = sum(map(len, named)) - len(set().union(*named))
        require(not both, f"{both} of {len(sizes)} groups lie in more than one part")
        for name, part, share in zip(
            ("training", "validation", "test"), parts, SHARES, strict=True
        ):
            found = len(part) / len(groups)
            # As near as the largest group allows.
            near = abs(found - share) <= max(sizes) / len(groups) + 0.02
            counted = f"{name} has {found:.0%} of the pictures, {share:.0%} were asked for"
            unequal = "; groups differ in size, so count pictures" if len(set(sizes)) > 1 else ""
            require(near, counted + unequal)
        require(set(parts[2]) != set(other[2]), "two seeds lay the same test pictures aside")
    return "whoever is in the test has not been seen before"


def _parts(answer, groups, seed):
    """Return the reader's three parts as lists of places, each picture in one of them."""
    before = repr(np.random.get_state(legacy=False))  # noqa: NPY002
    given = list(groups)
    parts = as_parts(call(answer, given, seed), 3, "return three lists of places")
    untouched = repr(np.random.get_state(legacy=False)) == before  # noqa: NPY002
    own = "other cells use the global random numbers: draw from np.random.default_rng(seed)"
    require(untouched, own)
    require(given == groups, "the list of groups was changed; leave it as it is")
    parts = [as_array(part, "a part") for part in parts]
    require(all(part.ndim == 1 for part in parts), "a part should be a list of places")
    places = np.concatenate(parts)
    require(np.isin(places, range(len(groups))).all(), "a place is the number of a picture")
    require(len(np.unique(places)) == len(places), "a picture is in two parts, or twice in one")
    lost = len(groups) - len(places)
    require(not lost, f"{lost} of {len(groups)} pictures are in no part")
    return [sorted(part.astype(int).tolist()) for part in parts]


VAL = {
    "a": [0.990, 0.981],  # the best first seed
    "b": [0.987, 0.990],  # the best mean
    "c": [0.984, 0.985],  # best on the test images
    "d": [0.975, 0.995],  # the luckiest seed
    "e": [0.989, 0.986, 0.988, 0.988],  # the largest sum: more seeds
}
TEST = {
    "a": [0.990, 0.992],
    "b": [0.983, 0.985],
    "c": [0.995, 0.996],
    "d": [0.970, 0.972],
    "e": [0.981, 0.982, 0.980, 0.979],
}
LURES = {
    "a": "this one has the best first seed; compare the means over the seeds",
    "c": "this one is best on the test images, which have no part in the choice",
    "d": "this one has the luckiest seed; compare the means over the seeds",
    "e": "this one was run with more seeds, so its sum is larger; compare means",
}


def _accuracy(answer, val, test):
    """Return the accuracy that the reader reports, of the right candidate."""
    name, accuracy = as_parts(call(answer, val, test), 2, "return two things: name and accuracy")
    no_name = f"the first thing should be a name out of the dictionary, not {name!r:.30}"
    require(name == "b", LURES.get(str(name), no_name))
    return accuracy


CHOICES = [({name: VAL[name] for name in names}, TEST) for names in ("abcde", "edcab")]


@check_values("08", "the accuracy", CHOICES, 1e-5, _accuracy)
def honest_choice(val, test):
    """``answer(val, test)`` → (name of the chosen candidate, accuracy to report)."""
    yield "chosen by validation, reported by test", np.mean(test["b"])
    yield "report by test; the validation images have been used to choose", np.mean(val["b"])
    yield "report the mean over the seeds, not the best one", max(test["b"])
    yield "report the mean over the seeds, not the worst one", min(test["b"])
    yield "report the mean over the seeds, not their sum", sum(test["b"])
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


@check("08")
def into_field(answer):
    """``answer(boxed)`` → (28, 28): the digit with its centre of mass in the middle."""
    for seed, shape in enumerate(((20, 13), (9, 20), (20, 20), (20, 3)), start=1):
        boxed = _ink(seed, shape)
        field = as_array(call(answer, boxed.copy()), "the field", (28, 28))
        same_ink = close(np.sort(field[field > 0]), np.sort(boxed[boxed > 0]))
        require(same_ink, "the field should hold all the pixels of the digit, and no others")
        top, left = place = np.min(np.nonzero(field), axis=1)  # the box has ink in its corner
        moved = close(field[top : top + shape[0], left : left + shape[1]], boxed)
        require(moved, "the digit is turned, flipped or torn apart; it should only be moved")
        off = np.abs(_centre(field) - 13.5).max()
        box_off = np.abs(place + (np.array(shape) - 1) / 2 - 13.5).max()
        by_box = off > 0.51 >= box_off
        require(not by_box, "the middle of the box is in the middle; the centre of mass should be")
        nearest = "28 pixels from 0 to 27 have their middle at 13.5; take the nearest whole place"
        require(not 0.51 < off <= 1.01, f"nearly: {nearest}")
        require(off <= 0.51, f"the centre of mass is {off:.1f} pixels from the middle")
    return "the ink is in the middle"
