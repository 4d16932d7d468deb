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
from resnet_lesson.checks.lesson04 import blocks_in_a_stage, claim_holds, prediction, updates_to
from resnet_lesson.checks.lesson05 import (
    autocorrelation,
    filter_normalised,
    mean_square,
    paths_of_length,
    without_block,
)
from resnet_lesson.checks.lesson06 import (
    block_parameters,
    epoch_batches,
    identity_block,
    least_loss,
    mended_loss,
)
from resnet_lesson.checks.lesson07 import (
    expected_blocks,
    learnt_scale,
    pre_activation_block,
    random_block,
    variant_prediction,
)
from resnet_lesson.checks.lesson08 import (
    average_of,
    centre_of_mass,
    cycle_rate,
    honest_choice,
    into_field,
    resnext_parameters,
)
from resnet_lesson.checks.lesson09 import (
    batch_gradient,
    numbers_sent,
    ring_round,
    save_whole,
    tf_config,
)

__all__ = [
    "Result",
    "autocorrelation",
    "average_of",
    "batch_gradient",
    "block_gradient",
    "block_parameters",
    "blocks_in_a_stage",
    "bottleneck",
    "bottleneck_parameters",
    "centre_of_mass",
    "changing_block",
    "claim_holds",
    "cycle_rate",
    "deepened",
    "depth_of",
    "diagnosis",
    "epoch_batches",
    "expected_blocks",
    "filter_normalised",
    "gain",
    "gradient_left",
    "harmless_start",
    "honest_choice",
    "identity_block",
    "identity_layer",
    "into_field",
    "learnt_scale",
    "least_loss",
    "mean_square",
    "mended_loss",
    "numbers_sent",
    "paths_of_length",
    "pre_activation_block",
    "prediction",
    "random_block",
    "repaired_block",
    "residual_block",
    "residual_of",
    "resnext_parameters",
    "ring_round",
    "save_whole",
    "summary",
    "tf_config",
    "updates_to",
    "variant_prediction",
    "without_block",
]
