"""Checks of the exercises to lesson 03, the bottleneck block."""

import itertools

import numpy as np

from resnet_lesson.checks.blocks import (
    EPSILONS,
    built,
    compare,
    convolved,
    kernels_of,
    outputs,
    variables,
)
from resnet_lesson.checks.core import NotYet, call, check, close, differ, number


@check("03")
def bottleneck_parameters(answer):
    """``answer(c, r)`` → weights of 1×1, 3×3 and 1×1 from c channels over c / r to c, no biases."""
    for c, r in ((64, 4), (256, 4), (16, 2)):
        found, m = number(call(answer, c, r), "the count"), c // r
        if found == 2 * c * m + 9 * m * m:
            continue
        differ(found, {
            "a 3×3 kernel has nine weights for each pair of channels": 2 * c * m + m * m,
            "only the middle convolution is 3×3": 9 * (2 * c * m + m * m),
            "the biases are counted; before a normalisation there are none":
                2 * c * m + 9 * m * m + 2 * m + c,
            "the last 1×1, back to c channels, is missing": c * m + 9 * m * m,
            "the inner width is c / r, not r": 2 * c * r + 9 * r * r,
            "this counts two 3×3 convolutions, a basic block": 18 * c * c,
        })  # fmt: skip
        raise NotYet(f"for c = {c} and r = {r}, {found:g} is not the number of weights")
    return "down, across, and up again"


@check("03")
def depth_of(answer):
    """``answer(blocks)`` → weighted layers of a ResNet with so many bottlenecks in each stage."""
    for blocks in ((3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3), (1, 1)):
        found, n = number(call(answer, blocks), "the depth"), sum(blocks)
        if found == 3 * n + 2:
            continue
        differ(found, {
            "the stem and the dense layer count as well": 3 * n,
            "one of the two layers outside the blocks is missing": 3 * n + 1,
            "a bottleneck has three convolutions": 2 * n + 2,
            "projections lie beside the longest path and do not count": 3 * n + 2 + len(blocks),
        })  # fmt: skip
        raise NotYet(f"with {blocks} bottlenecks a stage, {found:g} is not the depth")
    return "three layers a block, one before and one behind"


@check("03")
def bottleneck(answer):
    """``answer(channels, filters)`` → a layer or model: a bottleneck with an identity shortcut."""
    for channels, inner, seed in ((6, (3, 4), 0), (8, (2, 5), 1)):
        _examine(lambda c, f: call(answer, c, f), channels, (*inner, channels), 1, seed)
    return "convolution and normalisation three times, addition, ReLU"


@check("03")
def changing_block(answer):
    """``answer(channels, filters, stride)`` → a layer or model: a bottleneck that projects x."""
    for channels, filters, stride, seed in ((4, (3, 5, 8), 2, 0), (6, (2, 4, 10), 1, 1)):
        _examine(lambda c, f: call(answer, c, f, stride), channels, filters, stride, seed)  # noqa: B023
    return "both paths end in one shape, each with weights of its own"


@check("03")
def repaired_block(answer):
    """``answer(channels)`` → the basic block whose planted defect is mended."""
    for channels, seed in ((6, 2), (3, 3)):
        _examine(lambda c, f: call(answer, c), channels, (channels,) * 2, 1, seed, (3, 3))
    return "each convolution has a normalisation of its own"


def _examine(make, channels, filters, stride, seed, sizes=(1, 3, 1)):
    """Raise NotYet unless ``make`` gives the block of He 2016a with kernels of these sizes."""
    block = built(make, channels, filters)
    x = np.random.default_rng(seed).normal(size=(4, 6, 6, channels)).astype("float32")
    evaluated = outputs(block, x, training=False)
    trained = outputs(block, x, training=True)
    size = -(-6 // stride)
    for y in (evaluated, trained):
        if y.shape != (4, size, size, filters[-1]):
            raise NotYet(
                f"from {x.shape[1:]} the block should give {(size, size, filters[-1])}, this gives "
                f"{y.shape[1:]}; mind padding and strides"
            )
    changes = stride > 1 or channels != filters[-1]
    shapes = [
        (size, size, before, after)
        for size, before, after in zip(sizes, (channels, *filters), filters, strict=False)
    ]
    kernels = kernels_of(block, shapes, (1, 1, channels, filters[-1]) if changes else None)
    projection = kernels.pop() if changes else None
    wheres = (0, 1) if stride > 1 else (0,)  # on the first 1×1, or on the 3×3 as in v1.5

    def fits(change=""):
        return any(
            close(trained, _reference(x, kernels, projection, stride, *way, change), 2e-3)
            for way in itertools.product(wheres, EPSILONS)
        )

    compare(fits, _mistakes(changes), evaluated, trained)
    _count(block, filters, changes)


def _mistakes(changes):
    return {
        "the shortcut is missing": "no shortcut",
        "the last ReLU is missing": "no last relu",
        "the last ReLU comes before the addition; it belongs after it": "relu first",
        "a ReLU before the addition and one after it: the first does not belong there": "two relus",
        "there is no normalisation": "no norm",
        "the last normalisation comes after the addition; it belongs before": "norm last",
        "the normalisation after the last convolution is missing": "no last norm",
        "a ReLU between the convolutions is missing": "no inner relu",
        "x is subtracted": "minus",
        "with γ = 0 the branch starts at zero; here it should start at γ = 1": "zero branch",
    } | ({"the projected shortcut should be normalised, too": "shortcut norm"} if changes else {})


def _reference(x, kernels, projection, stride, where, epsilon, change):
    """Compute the block in training, γ = 1 and β = 0, or with one change."""

    def norm(y):
        if change == "no norm":
            return y
        return (y - y.mean(axis=(0, 1, 2))) / np.sqrt(y.var(axis=(0, 1, 2)) + epsilon)

    y = x
    for i, kernel in enumerate(kernels):
        last = i == len(kernels) - 1
        y = convolved(y, kernel, stride if i == where else 1)
        if not (last and change in ("no last norm", "norm last")):
            y = norm(y)
        if not last and change != "no inner relu":
            y = np.maximum(y, 0)
    carried = x
    if projection is not None:
        carried = convolved(x, projection, stride)
        carried = carried if change == "shortcut norm" else norm(carried)
    if change in ("relu first", "two relus"):
        y = np.maximum(y, 0)
    if change == "zero branch":
        y = 0 * y
    if change == "minus":
        carried = -carried
    y = y if change == "no shortcut" else y + carried
    if change == "norm last":
        y = norm(y)
    return y if change in ("no last relu", "relu first") else np.maximum(y, 0)


def _count(block, filters, changes):
    """Raise NotYet unless each convolution has a normalisation of its own."""
    # Before training each γ is 1. Biases, which do no harm, are 0, as each β is.
    gammas = sum(value.size for value in variables(block) if value.ndim == 1 and np.all(value == 1))
    norms = sum(filters) + filters[-1] * changes
    if gammas < norms:
        raise NotYet(
            f"the normalisations have {gammas} numbers γ where {norms} are expected: do two "
            "convolutions share one normalisation"
        )
