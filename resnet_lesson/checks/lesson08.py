"""Checks of the exercises to lesson 08, your turn."""

import functools

import numpy as np

from resnet_lesson.checks.answers import as_array, as_parts, call, require
from resnet_lesson.checks.core import check, check_values, close, drawn


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


SHAPES = ((8, 13), (19, 12), (4, 4))
INKS = [(np.pad(_ink(*case), ((1, 0), (0, 1))),) for case in enumerate(SHAPES)]


@check_values("08", "the centre of mass", INKS, tolerance=1e-6)
def centre_of_mass(ink):
    """``answer(ink)`` → (row, column) of the centre of mass of a picture."""
    right = _centre(ink)
    inked = np.nonzero(ink)
    alike, box = np.mean(inked, axis=1), (np.min(inked, axis=1) + np.max(inked, axis=1)) / 2
    middle = (np.array(ink.shape) - 1) / 2
    overflowed = _centre(ink, np.uint8)
    by_pixels = right * ink.sum(dtype=float) / ink.size
    yield "the mean place, weighted by the ink", right
    yield "row and column are exchanged: the first axis is the rows", right[::-1]
    yield "each pixel counts by its ink; here all that have some count alike", alike
    yield "this is the middle of the picture; ask where the ink is", middle
    yield "this is the middle of the rectangle around the ink", box
    yield "the first row and column are counted as 1; in Python they are 0", right + 1
    yield "the sum has overflowed: change the ink to float before you add", overflowed
    yield "the centre is rounded; it lies between pixels", np.round(right)
    yield "the place is divided by the number of pixels, not by the ink", by_pixels
    yield "{found} is not the centre of mass of a picture of shape {ink.shape}"


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


def _cycle(updates, peak):
    """Choose updates at which the cycles of mistakes differ."""
    return np.array([0, 1, updates // 8, updates // 4, updates // 2, updates - 1]), updates, peak


def _rates(answer, at, updates, peak):
    """Return the reader's learning rates at these updates."""
    return [as_array(call(answer, int(i), updates, peak), "the learning rate", ()) for i in at]


@check_values("08", "the learning rate", [_cycle(100, 1.0), _cycle(400, 0.01)], 1e-6, _rates)
def cycle_rate(at, updates, peak):
    """``answer(update, updates, peak)`` → learning rate of an update in one cycle."""
    up, down = 4 * at / updates, 1 - at / updates
    right = peak * np.minimum(up, 4 / 3 * down)
    late, slow = peak * np.minimum(up / 2, 2 * down), peak * np.minimum(up, down + 1 / 4)
    yield "up in a quarter, down in the rest", right
    yield "the top comes after a quarter of the updates, not after a half", late
    yield "it should also fall, in a straight line to zero", peak * np.minimum(up, 1)
    yield "it should rise first", peak * down
    yield "it falls too slowly: it should reach zero after the last update", slow
    yield "the peak is missing: the rate goes up to 1", right / peak
    yield "updates {at} of {updates}, peak {peak}: {found} are not on the two straight lines"


OLD, NEW = map(list, drawn(0, (6, 3), (6, 3)))


@check_values("08", "the average", [(OLD, 0.9), (NEW, 0.5)], tolerance=1e-6)
def average_of(weights, keep):
    """``answer(weights, keep)`` → the moving average after the last of some arrays of weights."""

    def average(weights, old, new):
        return functools.reduce(lambda mean, w: old * mean + new * w, weights)

    right, exchanged = average(weights, keep, 1 - keep), average(weights, 1 - keep, keep)
    from_zero = average([np.zeros(3), *weights], keep, 1 - keep)
    backwards, too_much = average(weights[::-1], keep, 1 - keep), average(weights, keep, 1)
    yield "the newest weights count most", right
    yield "old and new are exchanged: `keep` belongs to the old average", exchanged
    yield "it starts at zero; it should start at the first weights", from_zero
    yield "this is the plain mean; the newest weights should count most", np.mean(weights, axis=0)
    yield "these are the last weights, without an average", weights[-1]
    yield "both parts should add up to 1: multiply the new weights by 1 − keep", too_much
    yield "the arrays are taken in the wrong order", backwards
    yield "with keep = {keep} this is not the moving average"


@check_values("08", "the number of parameters", [(256, 32, 4), (64, 8, 4), (128, 1, 32)], 1e-9)
def resnext_parameters(width, branches, thin):
    """``answer(width, branches, thin)`` → weights of a ResNeXt block without biases."""
    inner = branches * thin
    ends, grouped, whole = 2 * width * inner, 9 * branches * thin * thin, 9 * inner * inner
    biases = 2 * inner + width
    yield "branches times the weights of one", ends + grouped
    yield "the 3×3 convolution is grouped: each branch sees only its own channels", ends + whole
    yield "these are the weights of one branch", 2 * width * thin + 9 * thin * thin
    yield "a 3×3 kernel has nine places", ends + branches * thin * thin
    yield "one of the two 1×1 convolutions is missing", ends / 2 + grouped
    yield "the two 1×1 convolutions are missing", grouped
    yield "there are no biases and no normalisation here", ends + grouped + biases
    yield "width {width}, {branches} branches of {thin}: {found:g} is not the count"


VAL = {"a": [0.981, 0.993], "b": [0.988, 0.990], "c": [0.984, 0.985]}
TEST = {"a": [0.990, 0.992], "b": [0.983, 0.985], "c": [0.995, 0.996]}
LURES = {
    "a": "this one has the luckiest seed; compare the means over the seeds",
    "c": "this one is best on the test images, which have no part in the choice",
}


def _accuracy(answer, val, test):
    """Return the accuracy that the reader reports, of the right candidate."""
    name, accuracy = as_parts(call(answer, val, test), 2, "return two things: name and accuracy")
    no_name = f"the first thing should be a name out of the dictionary, not {name!r:.30}"
    require(name == "b", LURES.get(str(name), no_name))
    return accuracy


CHOICES = [({name: VAL[name] for name in names}, TEST) for names in ("abc", "cab")]


@check_values("08", "the accuracy", CHOICES, 1e-5, _accuracy)
def honest_choice(val, test):
    """``answer(val, test)`` → (name of the chosen candidate, accuracy to report)."""
    yield "chosen by validation, reported by test", np.mean(test["b"])
    yield "report by test; the validation images have been used to choose", np.mean(val["b"])
    yield "report the mean over the seeds, not the best one", max(test["b"])
    yield "report the mean over the seeds, not the worst one", min(test["b"])
    yield "{found:g} is not the accuracy to report"
