"""A small network and a batch that fits it, for tests that look inside."""

import numpy as np

from resnet_lesson.models import network, reset_weights

SHAPES = {"widths": (4, 8), "input_shape": (8, 8, 1), "classes": 3}
_draw = np.random.default_rng(0)
IMAGES = _draw.normal(size=(16, 8, 8, 1)).astype("float32")
LABELS = _draw.integers(0, 3, size=16)


def small(shortcut="padded", blocks_per_stage=(2, 1), block="basic", **options):
    """Make a network with its first weights."""
    options = SHAPES | {"blocks_per_stage": blocks_per_stage, "block": block} | options
    model = network(shortcut=shortcut, **options)
    reset_weights(model, 0)
    return model


def assert_weights(model, before):
    """Assert that a model has these weights and averages, to the last bit."""
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
