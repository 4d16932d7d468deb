"""Measurements on a model: arrays and plain data out, no plotting."""
# ruff: noqa: F401 - the names that this room offers.

from .costs import LayerCount, layer_counts, median_seconds, weighted_layers
from .gradients import (
    autocorrelation,
    gradient_agreement,
    gradient_norms,
    input_gradients,
    realised_fall,
)
from .landscape import filter_normalised_direction, losses_around
from .lesions import exchangeable, reordered, run_parts, without_branch
from .modes import kept_averages, set_averages
from .paths import gradients_by_length, path_gradients
from .responses import activations, branch_ratios, probe_accuracy, response_deviations
