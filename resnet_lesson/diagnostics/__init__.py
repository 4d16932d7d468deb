"""Measurements on a model: arrays and plain data out, no plotting."""

from resnet_lesson.diagnostics.counts import LayerCount, layer_counts, weighted_layers
from resnet_lesson.diagnostics.gradients import gradient_norms
from resnet_lesson.diagnostics.jacobians import jacobian, jacobian_by_differences
from resnet_lesson.diagnostics.receptive_fields import ReceptiveField, receptive_fields
from resnet_lesson.diagnostics.timing import median_seconds

__all__ = [
    "LayerCount",
    "ReceptiveField",
    "gradient_norms",
    "jacobian",
    "jacobian_by_differences",
    "layer_counts",
    "median_seconds",
    "receptive_fields",
    "weighted_layers",
]
