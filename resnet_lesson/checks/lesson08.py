"""Checks of the exercises to lesson 08, your turn."""

import numpy as np

from resnet_lesson.checks.core import NotYet, array, call, check, close, differ, number


@check("08")
def centre_of_mass(answer):
    """``answer(ink)`` → (row, column) of the centre of mass of a picture."""
    for seed, shape in enumerate(((9, 14), (20, 13), (5, 5))):
        ink = _ink(seed, shape)
        found = array(call(answer, ink.copy()), "the centre of mass", (2,))
        right = _centre(ink.astype(float))
        if close(found, right, 1e-6):
            continue
        rows, columns = np.nonzero(ink)
        differ(found, {
            "row and column are exchanged: the first axis is the rows": right[::-1],
            "each pixel counts by its ink; here all that have some count alike":
                np.array([rows.mean(), columns.mean()]),
            "this is the middle of the picture; ask where the ink is":
                (np.array(shape) - 1) / 2,
            "this is the middle of the rectangle around the ink":
                np.array([rows.min() + rows.max(), columns.min() + columns.max()]) / 2,
            "the first row and column are counted as 1; in Python they are 0": right + 1,
            "the sum has overflowed: change the ink to float before you add":
                _centre_of_bytes(ink),
            "the centre is rounded; it lies between pixels": np.round(right),
            "the place is divided by the number of pixels, not by the ink":
                right * ink.sum(dtype=float) / ink.size,
        }, lambda a, b: close(a, b, 1e-6))  # fmt: skip
        raise NotYet(f"{found} is not the centre of mass of a picture of shape {shape}")
    return "the mean place, weighted by the ink"


@check("08")
def into_field(answer):
    """``answer(boxed)`` → (28, 28): the digit with its centre of mass in the middle."""
    for seed, shape in enumerate(((20, 13), (9, 20), (20, 20), (20, 3))):
        boxed = _lopsided(seed, shape)
        field = array(call(answer, boxed.copy()), "the field", (28, 28))
        if not close(np.sort(field[field > 0]), np.sort(boxed[boxed > 0].astype(float))):
            raise NotYet("the field should hold all the pixels of the digit, and no others")
        rows, columns = np.nonzero(field)
        place = np.array([rows.min(), columns.min()]) - [
            line.argmax() for line in (boxed.any(axis=1), boxed.any(axis=0))
        ]
        top, left = place
        inside = field[max(top, 0) : top + shape[0], max(left, 0) : left + shape[1]]
        if inside.shape != shape or not close(inside, boxed.astype(float)):
            raise NotYet("the digit is turned, flipped or torn apart; it should only be moved")
        off = _centre(field) - 13.5
        if np.abs(off).max() <= 0.51:
            continue
        if np.abs(place + (np.array(shape) - 1) / 2 - 13.5).max() <= 0.51:
            raise NotYet("the middle of the box is in the middle; the centre of mass should be")
        if 0.51 < np.abs(off).max() <= 1.01:
            raise NotYet(
                "nearly: with 28 pixels from 0 to 27 the middle is at 13.5, and the nearest whole "
                "place is taken"
            )
        raise NotYet(f"the centre of mass is {np.abs(off).max():.1f} pixels from the middle")
    return "the ink is in the middle"


@check("08")
def cycle_rate(answer):
    """``answer(update, updates, peak)`` → learning rate of an update in one cycle."""
    for updates, peak in ((100, 1.0), (400, 0.01)):
        at = np.array([0, 1, updates // 8, updates // 4, updates // 2, updates - 1])
        found = np.array(
            [number(call(answer, int(i), updates, peak), "the learning rate") for i in at]
        )
        top = updates / 4
        right = peak * np.where(at < top, at / top, (updates - at) / (updates - top))
        if close(found, right, 1e-6):
            continue
        half = updates / 2
        differ(found, {
            "the top comes after a quarter of the updates, not after a half":
                peak * np.where(at < half, at / half, (updates - at) / (updates - half)),
            "it should also fall, in a straight line to zero": peak * np.minimum(at / top, 1),
            "it should rise first": peak * (updates - at) / updates,
            "on the way down it should reach zero after the last update; here it falls too slowly":
                peak * np.where(at < top, at / top, 1 - (at - top) / updates),
            "the peak is missing: the rate goes up to 1": right / peak,
        }, lambda a, b: close(a, b, 1e-6))  # fmt: skip
        wrong = int(np.argmax(np.abs(found - right)))
        raise NotYet(
            f"update {at[wrong]} of {updates}, peak {peak}: {found[wrong]:g} is not on the two "
            "straight lines"
        )
    return "up in a quarter, down in the rest"


@check("08")
def average_of(answer):
    """``answer(weights, keep)`` → the moving average after the last of some arrays of weights."""
    for seed, keep in ((0, 0.9), (1, 0.5)):
        weights = np.random.default_rng(seed).normal(1.0, 1.0, size=(6, 3))
        found = array(call(answer, [w.copy() for w in weights], keep), "the average", (3,))
        right = _average(weights, keep)
        if close(found, right, 1e-6):
            continue
        differ(found, {
            "old and new are exchanged: `keep` belongs to the old average":
                _average(weights, 1 - keep),
            "it starts at zero; it should start at the first weights":
                _average(np.concatenate([0 * weights[:1], weights]), keep),
            "this is the plain mean, in which the oldest weights count as much as the newest":
                weights.mean(axis=0),
            "these are the last weights, without an average": weights[-1],
            "both parts should add up to 1: multiply the new weights by 1 − keep":
                _average(weights, keep, new=1.0),
            "the arrays are taken in the wrong order": _average(weights[::-1], keep),
        }, lambda a, b: close(a, b, 1e-6))  # fmt: skip
        raise NotYet(f"with keep = {keep} this is not the moving average")
    return "the newest weights count most"


@check("08")
def resnext_parameters(answer):
    """``answer(width, branches, thin)`` → weights of a ResNeXt block without biases."""
    for width, branches, thin in ((256, 32, 4), (64, 8, 4), (128, 1, 32)):
        found = number(call(answer, width, branches, thin), "the number of parameters")
        inner = branches * thin
        right = 2 * width * inner + 9 * branches * thin * thin
        if np.isclose(found, right, rtol=1e-9):
            continue
        differ(found, {
            "the 3×3 convolution is grouped: each branch sees only its own channels":
                2 * width * inner + 9 * inner * inner,
            "these are the weights of one branch": 2 * width * thin + 9 * thin * thin,
            "a 3×3 kernel has nine places": 2 * width * inner + branches * thin * thin,
            "one of the two 1×1 convolutions is missing": right - width * inner,
            "the two 1×1 convolutions are missing": right - 2 * width * inner,
            "there are no biases and no normalisation here": right + 2 * inner + width,
        })  # fmt: skip
        raise NotYet(f"width {width}, {branches} branches of {thin}: {found:g} is not the count")
    return "branches times the weights of one"


@check("08")
def honest_choice(answer):
    """``answer(val, test)`` → (name of the chosen candidate, accuracy to report)."""
    val = {"a": [0.981, 0.993], "b": [0.988, 0.990], "c": [0.984, 0.985]}
    test = {"a": [0.990, 0.992], "b": [0.983, 0.985], "c": [0.995, 0.996]}
    for names in (("a", "b", "c"), ("c", "a", "b")):
        value = call(answer, {n: list(val[n]) for n in names}, {n: list(test[n]) for n in names})
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            raise NotYet("return two things: the name and the accuracy to report")
        name, accuracy = value
        if name == "c":
            raise NotYet("this one is best on the test images, which have no part in the choice")
        if name == "a":
            raise NotYet("this one has the luckiest seed; compare the means over the seeds")
        if name != "b":
            raise NotYet(f"the first thing should be a name out of the dictionary, not {name!r}")
        accuracy = number(accuracy, "the accuracy")
        if np.isclose(accuracy, np.mean(test["b"])):
            continue
        differ(accuracy, {
            "report what the test images say; the validation images have already been used to "
            "choose": np.mean(val["b"]),
            "report the mean over the seeds, not the best one": max(test["b"]),
            "report the mean over the seeds, not the worst one": min(test["b"]),
        })  # fmt: skip
        raise NotYet(f"{accuracy:g} is not the accuracy to report")
    return "chosen by validation, reported by test"


def _ink(seed, shape):
    """Make a picture whose ink is much, uneven, and does not touch all edges."""
    draw = np.random.default_rng(seed)
    ink = draw.integers(0, 256, shape).astype(np.uint8)
    ink[draw.random(shape) < 0.4] = 0
    ink[:, -1] = 0
    ink[0] = 0
    ink[1, 0] = 255
    return ink


def _lopsided(seed, shape):
    ink = _ink(seed, shape)
    # Much less ink in the lower half: the centre of mass is not the middle of the box.
    ink[shape[0] // 2 :] //= 8
    ink[:, shape[1] // 2 :] //= 2
    ink[-1, -1] = ink[0, 0] = 9
    return ink


def _centre(ink):
    places = np.indices(ink.shape)
    return (places * ink).sum(axis=(1, 2)) / ink.sum()


def _centre_of_bytes(ink):
    places = np.indices(ink.shape).astype(np.uint8)
    sums = [(place * ink).sum(dtype=float) for place in places]
    return np.array(sums) / ink.sum(dtype=float)


def _average(weights, keep, new=None):
    mean = weights[0]
    for one in weights[1:]:
        mean = keep * mean + (1 - keep if new is None else new) * one
    return mean
