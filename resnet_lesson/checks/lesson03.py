"""Checks of the exercises to lesson 03, the bottleneck block."""

from resnet_lesson.checks.blocks import called, examine, kernel_shapes
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
    for channels, filters, seed in ((6, (3, 4, 6), 0), (8, (2, 5, 8), 1)):
        _examine(called(answer, channels, filters), channels, filters, seed)
    return "convolution and normalisation three times, addition, ReLU"


@check("03")
def changing_block(answer):
    """``answer(channels, filters, stride)`` → a layer or model: a bottleneck that projects x."""
    for channels, filters, stride, seed in ((4, (3, 5, 8), 2, 0), (6, (2, 4, 10), 1, 1)):
        block = called(answer, channels, filters, stride)
        _examine(block, channels, filters, seed, stride, shortcut="shortcut conv norm")
    return "both paths end in one shape, each with weights of its own"


@check("03")
def repaired_block(answer):
    """``answer(channels)`` → the basic block whose planted defect is mended."""
    for channels, seed in ((6, 2), (3, 3)):
        _examine(called(answer, channels), channels, (channels,) * 2, seed, sizes=(3, 3))
    return "each convolution has a normalisation of its own"


def _examine(block, channels, filters, seed, stride=1, sizes=(1, 3, 1), shortcut="shortcut"):
    """Raise NotYet unless this is the block of He 2016a with kernels of these sizes."""
    branch = "conv norm relu " * (len(sizes) - 1) + "conv norm"
    bare = branch.removesuffix("norm")
    right = f"{branch} {shortcut} add relu"
    mistakes = {
        "the shortcut is missing": f"{branch} relu",
        "the last ReLU is missing": f"{branch} {shortcut} add",
        "the last ReLU belongs after the addition, not before": f"{branch} relu {shortcut} add",
        "the ReLU before the addition does not belong there": f"{branch} relu {shortcut} add relu",
        "there is no normalisation": right.replace("norm", ""),
        "the last normalisation belongs before the addition": f"{bare} {shortcut} add norm relu",
        "the normalisation after the last convolution is missing": f"{bare} {shortcut} add relu",
        "a ReLU between the convolutions is missing": right.replace("relu conv", "conv"),
        "x is subtracted": right.replace("add", "negate add"),
        "the branch starts at zero; here γ should start at 1": f"{branch} zero {shortcut} add relu",
        "the projection should be normalised, too": right.replace("conv norm add", "conv add"),
    }
    shapes = kernel_shapes(sizes, channels, filters)
    examine(block, seed, shapes, right, mistakes, stride)
