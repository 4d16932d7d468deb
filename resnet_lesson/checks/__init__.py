"""Checks of the exercises: each takes an answer, prints one short message, returns a Result."""

from resnet_lesson.checks.core import Result, summary
from resnet_lesson.checks.lesson01 import deepened, diagnosis, gradient_left, identity_layer
from resnet_lesson.checks.lesson02 import (
    block_gradient,
    gain,
    harmless_start,
    residual_block,
    residual_of,
)
from resnet_lesson.checks.lesson03 import (
    bottleneck,
    bottleneck_parameters,
    changing_block,
    depth_of,
    repaired_block,
)

__all__ = [
    "Result",
    "block_gradient",
    "bottleneck",
    "bottleneck_parameters",
    "changing_block",
    "deepened",
    "depth_of",
    "diagnosis",
    "gain",
    "gradient_left",
    "harmless_start",
    "identity_layer",
    "repaired_block",
    "residual_block",
    "residual_of",
    "summary",
]
