"""Measurements on a model: arrays and plain data out, no plotting."""

from resnet_lesson.diagnostics.counts import LayerCount, layer_counts, weighted_layers
from resnet_lesson.diagnostics.gradients import gradient_norms

__all__ = ["LayerCount", "gradient_norms", "layer_counts", "weighted_layers"]
