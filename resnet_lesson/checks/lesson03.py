"""Checks of the exercises for lesson 03, the bottleneck block."""

import numpy as np

from resnet_lesson.checks.answers import require
from resnet_lesson.checks.blocks import block_of, called, examine, kernel_shapes, variables
from resnet_lesson.checks.core import check
from resnet_lesson.checks.predictions import judged


@check("03")
def repaired_block(answer):
    """``answer(channels)`` → the basic block whose planted defect is mended."""
    for channels, seed in ((6, 2), (3, 3)):
        _examine(block_of(answer, channels), channels, (channels,) * 2, seed, sizes=(3, 3))
    return "each convolution has a normalisation of its own"


@check("03")
def changing_block(answer):
    """``answer(channels, filters, stride)`` → a layer or model: a bottleneck that projects x."""
    for channels, filters, stride, seed in ((4, (3, 5, 8), 2, 0), (6, (2, 4, 10), 1, 1)):
        block = block_of(answer, channels, filters, stride)
        _examine(block, channels, filters, seed, stride, shortcut="shortcut conv norm")
    return "both paths end in one shape, each with weights of its own"


@check("03")
def expanding_block(answer):
    """``answer(channels, expansion)`` → MobileNetV2's block, with an identity shortcut."""
    right = "conv norm relu depthwise norm relu conv norm shortcut add"
    for channels, expansion, seed in ((4, 3, 0), (6, 2, 1), (5, 1, 2)):
        block, wide = block_of(answer, channels, expansion), channels * expansion
        called(block, np.zeros((1, 6, 6, channels), "float32"))  # some make their weights only now
        found = {tuple(kernel.shape) for kernel in variables(block)}
        full = f"the 3×3 mixes all {wide} channels; each should be convolved by itself"
        require((3, 3, wide, wide) not in found, full)
        narrow = f"the inner width should be {channels} × {expansion}, not {channels} / {expansion}"
        require(wide == channels or (1, 1, channels, channels // expansion) not in found, narrow)
        shapes = [(1, 1, channels, wide), (3, 3, wide, 1), (1, 1, wide, channels)]
        examine(block, seed, shapes, right)
    return "wide in the middle, and each channel by itself there"


@check("03")
def waist_prediction(answer):
    """``answer``: (prediction, losses of few wide blocks, losses of many narrow ones)."""
    return judged(answer)


def _examine(block, channels, filters, seed, stride=1, sizes=(1, 3, 1), shortcut="shortcut"):
    """Raise NotYet unless this is the block of He 2016a with kernels of these sizes."""
    branch = "conv norm relu " * (len(sizes) - 1) + "conv norm"
    shapes = kernel_shapes(sizes, channels, filters)
    examine(block, seed, shapes, f"{branch} {shortcut} add relu", stride=stride)
