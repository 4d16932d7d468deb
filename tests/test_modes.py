"""Moving averages: set to those of given images, and kept; models as compiled functions."""

import gc
import weakref

import numpy as np
import pytest
from small import IMAGES, assert_weights, small

from resnet_lesson.diagnostics import kept_averages, set_averages
from resnet_lesson.diagnostics.modes import compiled
from resnet_lesson.models import reset_weights


def test_set_averages_makes_evaluation_equal_training():
    model = small()
    assert not np.allclose(model(IMAGES, training=False), model(IMAGES, training=True), atol=0.1)
    reset_weights(model, 0)
    set_averages(model, IMAGES)
    in_evaluation = model(IMAGES, training=False)
    np.testing.assert_allclose(in_evaluation, model(IMAGES, training=True), atol=1e-4)
    # In the stem and twice in each of three blocks.
    assert [layer.momentum for layer in model.layers if hasattr(layer, "momentum")] == [0.9] * 7


def test_set_averages_by_hand():
    model = small(blocks_per_stage=(1,), block="dense", widths=(3,))
    set_averages(model, IMAGES)
    first = IMAGES.reshape(16, -1) @ model.get_layer("stem_dense").kernel.numpy()
    norm = model.get_layer("stem_norm")
    np.testing.assert_allclose(norm.moving_mean, first.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, first.var(axis=0), rtol=1e-4)


def test_kept_averages():
    model = small()
    before = model.get_weights()
    with pytest.raises(RuntimeError), kept_averages(model):
        model(IMAGES, training=True)
        pairs = zip(before, model.get_weights(), strict=True)
        assert not all(np.array_equal(a, b) for a, b in pairs)
        raise RuntimeError
    assert_weights(model, before)


def test_a_compiled_model_has_the_weights_of_the_moment_and_keeps_nothing_alive():
    model = small()
    function = compiled(model)
    assert compiled(model) is function
    for seed in (0, 1):
        reset_weights(model, seed)
        np.testing.assert_allclose(function(IMAGES), model(IMAGES, training=False), atol=1e-4)
    watched = weakref.ref(model)
    del model, function
    gc.collect()
    assert watched() is None
