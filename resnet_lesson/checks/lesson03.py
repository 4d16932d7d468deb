"""Checks of the exercises to lesson 03, the bottleneck block."""

import numpy as np

from resnet_lesson.checks.answers import NotYet
from resnet_lesson.checks.blocks import built, compare, gammas, kernels_of, outputs
from resnet_lesson.checks.core import check, check_values


@check_values("03", "the count", [(64, 4), (256, 4), (16, 2)])
def bottleneck_parameters(c, r):
    """``answer(c, r)`` → weights of 1×1, 3×3 and 1×1 from c channels over c / r to c, no biases."""
    m = c // r
    right = c * m + 9 * m * m + m * c
    biases = m + m + c
    yield "down, across, and up again", right
    yield "a 3×3 kernel has nine weights for each pair of channels", 2 * c * m + m * m
    yield "only the middle convolution is 3×3", 9 * (2 * c * m + m * m)
    yield "the biases are counted; before a normalisation there are none", right + biases
    yield "the last 1×1, back to c channels, is missing", c * m + 9 * m * m
    yield "the inner width is c / r, not r", 2 * c * r + 9 * r * r
    yield "this counts two 3×3 convolutions, a basic block", 18 * c * c
    yield "for c = {c} and r = {r}, {found:g} is not the number of weights"


@check_values("03", "the depth", [((3, 4, 6, 3),), ((3, 4, 23, 3),), ((3, 8, 36, 3),), ((1, 1),)])
def depth_of(blocks):
    """``answer(blocks)`` → weighted layers of a ResNet with so many bottlenecks in each stage."""
    n = sum(blocks)
    right = 3 * n + 2
    yield "three layers a block, one before and one behind", right
    yield "the stem and the dense layer count as well", 3 * n
    yield "one of the two layers outside the blocks is missing", 3 * n + 1
    yield "a bottleneck has three convolutions", 2 * n + 2
    yield "projections lie beside the longest path and do not count", right + len(blocks)
    yield "with {blocks} bottlenecks a stage, {found:g} is not the depth"


@check("03")
def bottleneck(answer):
    """``answer(channels, filters)`` → a layer or model: a bottleneck with an identity shortcut."""
    for channels, inner, seed in ((6, (3, 4), 0), (8, (2, 5), 1)):
        filters = (*inner, channels)
        block = built(answer, channels, filters)
        _examine(block, channels, filters, seed)
    return "convolution and normalisation three times, addition, ReLU"


@check("03")
def changing_block(answer):
    """``answer(channels, filters, stride)`` → a layer or model: a bottleneck that projects x."""
    for channels, filters, stride, seed in ((4, (3, 5, 8), 2, 0), (6, (2, 4, 10), 1, 1)):
        block = built(answer, channels, filters, stride)
        _examine(block, channels, filters, seed, stride)
    return "both paths end in one shape, each with weights of its own"


@check("03")
def repaired_block(answer):
    """``answer(channels)`` → the basic block whose planted defect is mended."""
    for channels, seed in ((6, 2), (3, 3)):
        _examine(built(answer, channels), channels, (channels,) * 2, seed, sizes=(3, 3))
    return "each convolution has a normalisation of its own"


def _examine(block, channels, filters, seed, stride=1, sizes=(1, 3, 1)):
    """Raise NotYet unless this is the block of He 2016a with kernels of these sizes."""
    x = np.random.default_rng(seed).normal(size=(4, 6, 6, channels)).astype("float32")
    evaluated, trained = outputs(block, x)
    side = -(-6 // stride)
    shape = (side, side, filters[-1])
    for y in (evaluated, trained):
        if y.shape != (4, *shape):
            raise NotYet(
                f"from {x.shape[1:]} the block should give {shape}, this gives {y.shape[1:]}; mind "
                "padding and strides"
            )

    shapes = [
        (size, size, before, after)
        for size, before, after in zip(sizes, (channels, *filters), filters, strict=False)
    ]
    projects = stride > 1 or channels != filters[-1]
    kernels = kernels_of(block, shapes, (1, 1, channels, filters[-1]) if projects else None)
    right, mistakes = _orders(len(sizes), "shortcut conv norm" if projects else "shortcut")
    # The stride is on the first 1×1, or on the 3×3 as in v1.5; the shortcut has it, too.
    ways = [[stride, 1, 1, stride], [1, stride, 1, stride]]
    compare(evaluated, trained, x, kernels, right, mistakes, ways)

    found, norms = gammas(block), sum(filters) + filters[-1] * projects
    if found < norms:
        raise NotYet(
            f"the normalisations have {found} numbers γ where {norms} are expected: do two "
            "convolutions share one normalisation"
        )


def _orders(convolutions, shortcut):
    """Return the right order of a block's parts, and the orders that mistakes make."""
    inner = "conv norm relu " * (convolutions - 1)
    right = f"{inner} conv norm {shortcut} add relu"
    mistakes = {
        "the shortcut is missing": f"{inner} conv norm relu",
        "the last ReLU is missing": f"{inner} conv norm {shortcut} add",
        "the last ReLU comes before the addition; it belongs after it":
            f"{inner} conv norm relu {shortcut} add",
        "a ReLU before the addition and one after it: the first does not belong there":
            f"{inner} conv norm relu {shortcut} add relu",
        "there is no normalisation": right.replace("norm", ""),
        "the last normalisation comes after the addition; it belongs before":
            f"{inner} conv {shortcut} add norm relu",
        "the normalisation after the last convolution is missing":
            f"{inner} conv {shortcut} add relu",
        "a ReLU between the convolutions is missing":
            "conv norm " * convolutions + f"{shortcut} add relu",
        "x is subtracted": f"{inner} conv norm {shortcut} negate add relu",
        "with γ = 0 the branch starts at zero; here it should start at γ = 1":
            f"{inner} conv norm zero {shortcut} add relu",
        "the projected shortcut should be normalised, too":
            right.replace("shortcut conv norm", "shortcut conv"),
    }  # fmt: skip
    return right, mistakes
