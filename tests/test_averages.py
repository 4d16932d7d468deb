"""Moving averages: set to those of given images, and kept."""

import numpy as np
import pytest

from resnet_lesson.diagnostics import kept_averages, set_averages
from resnet_lesson.models import network, reset_weights


@pytest.fixture(scope="module")
def model():
    return network(blocks_per_stage=(1, 1), block="basic", widths=(4, 8), input_shape=(8, 8, 1))


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(16, 8, 8, 1)).astype("float32")


def test_set_averages_makes_evaluation_equal_training(model, images):
    reset_weights(model, 0)
    assert not np.allclose(model(images, training=False), model(images, training=True), atol=0.1)
    reset_weights(model, 0)
    set_averages(model, images)
    averages = [variable.numpy() for variable in model.non_trainable_variables]
    in_evaluation = model(images, training=False)
    np.testing.assert_allclose(in_evaluation, model(images, training=True), atol=1e-4)
    for norm in (layer for layer in model.layers if hasattr(layer, "momentum")):
        assert norm.momentum == 0.9
    assert len(averages) == 2 * 5  # a mean and a variance in the stem and in each of four others


def test_set_averages_by_hand(images):
    model = network(4, block="dense", widths=(3,), input_shape=(8, 8, 1))
    reset_weights(model, 0)
    set_averages(model, images)
    first = images.reshape(16, -1) @ model.get_layer("stem_dense").kernel.numpy()
    norm = model.get_layer("stem_norm")
    np.testing.assert_allclose(norm.moving_mean, first.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, first.var(axis=0), rtol=1e-4)


def test_kept_averages(model, images):
    reset_weights(model, 0)
    before = model.get_weights()
    with pytest.raises(RuntimeError), kept_averages(model):
        model(images, training=True)
        assert not np.array_equal(before[2], model.get_weights()[2]) or any(
            not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)
        )
        raise RuntimeError
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
