"""Measurements on a model: arrays and plain data out, no plotting."""

from resnet_lesson.diagnostics.averages import kept_averages, set_averages
from resnet_lesson.diagnostics.counts import LayerCount, layer_counts, weighted_layers
from resnet_lesson.diagnostics.gradients import gradient_norms
from resnet_lesson.diagnostics.jacobians import jacobian, jacobian_by_differences
from resnet_lesson.diagnostics.landscape import filter_normalised_direction, losses_around
from resnet_lesson.diagnostics.lesions import (
    exchangeable,
    reordered,
    run_parts,
    without_branch,
)
from resnet_lesson.diagnostics.paths import gradients_by_length, path_gradients
from resnet_lesson.diagnostics.probes import probe_accuracy
from resnet_lesson.diagnostics.receptive_fields import ReceptiveField, receptive_fields
from resnet_lesson.diagnostics.responses import (
    activations,
    branch_ratios,
    response_deviations,
)
from resnet_lesson.diagnostics.shattering import autocorrelation, input_gradients
from resnet_lesson.diagnostics.timing import median_seconds

__all__ = [
    "LayerCount",
    "ReceptiveField",
    "activations",
    "autocorrelation",
    "branch_ratios",
    "exchangeable",
    "filter_normalised_direction",
    "gradient_norms",
    "gradients_by_length",
    "input_gradients",
    "jacobian",
    "jacobian_by_differences",
    "kept_averages",
    "layer_counts",
    "losses_around",
    "median_seconds",
    "path_gradients",
    "probe_accuracy",
    "receptive_fields",
    "reordered",
    "response_deviations",
    "run_parts",
    "set_averages",
    "weighted_layers",
    "without_branch",
]
