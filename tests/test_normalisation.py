"""Batch normalisation as one operation computes what Keras computes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from resnet_lesson import blocks
from resnet_lesson.normalisation import FusedBatchNorm


@pytest.mark.parametrize("shape", [(8, 5, 7, 3), (4, 3, 1, 4), (64, 14, 14, 16)])
def test_fused_normalisation_is_that_of_keras(shape):
    draw = np.random.default_rng(0)
    x = tf.constant(draw.normal(2, 3, size=shape).astype("float32"))
    direction = tf.constant(draw.normal(size=shape).astype("float32"))
    found = []
    for kind in (layers.BatchNormalization, FusedBatchNorm):
        layer = kind(momentum=0.9, epsilon=1e-3)
        layer.build(shape)
        layer.gamma.assign(np.linspace(0.5, 2, shape[-1]))
        layer.beta.assign(np.linspace(-1, 1, shape[-1]))
        weights = layer.gamma.value, layer.beta.value
        measured = []
        for training in (True, False):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=training)
                loss = tf.reduce_sum(y * direction)
            measured += [y, *tape.gradient(loss, [x, *weights])]
        found.append([*measured, layer.moving_mean, layer.moving_variance])
    for keras_s, ours in zip(*found, strict=True):
        np.testing.assert_allclose(ours, keras_s, rtol=2e-4, atol=2e-4 * np.abs(keras_s).max())


@pytest.mark.parametrize(
    "arguments, x",
    [
        ({"dtype": "float64"}, np.ones((8, 4, 4, 3))),
        ({"dtype": "mixed_float16"}, np.ones((8, 4, 4, 3), "float32")),
        ({}, np.ones((8, 3), "float32")),
        ({"center": False}, np.ones((8, 4, 4, 3), "float32")),
        ({"scale": False}, np.ones((8, 4, 4, 3), "float32")),
        ({"axis": 1}, np.ones((8, 4, 4, 3), "float32")),
    ],
)
def test_what_the_operation_cannot_do_keras_does(arguments, x):
    x = x + np.random.default_rng(0).normal(size=x.shape).astype(x.dtype)
    found = []
    for kind in (layers.BatchNormalization, FusedBatchNorm):
        layer = kind(**arguments)
        y = layer(x, training=True)
        found.append([y, layer.moving_mean, layer.moving_variance, layer(x)])
    for keras_s, ours in zip(*found, strict=True):
        assert keras_s.dtype == ours.dtype
        np.testing.assert_array_equal(ours, keras_s)


def test_what_is_frozen_normalises_by_its_averages_in_training_too():
    x = np.random.default_rng(0).normal(2, 3, size=(8, 4, 4, 3)).astype("float32")
    found = []
    for kind in (layers.BatchNormalization, FusedBatchNorm):
        layer = kind()
        layer.trainable = False
        found.append([layer(x, training=True), layer(x)])
        np.testing.assert_array_equal(layer.moving_mean, np.zeros(3))
        np.testing.assert_array_equal(layer.moving_variance, np.ones(3))
    for keras_s, ours in zip(*found, strict=True):
        assert keras_s.dtype == ours.dtype
        np.testing.assert_allclose(ours, keras_s, rtol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_blocks_normalise_by_the_operation(training):
    block = blocks.BasicBlock(4, normalisation=True)
    run = tf.function(lambda x: block(x, training=training), autograph=False)
    graph = run.get_concrete_function(tf.zeros((2, 5, 5, 4))).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("FusedBatchNormV3") == 2
    assert "Rsqrt" not in kinds  # Keras's own


def test_fused_normalisation_is_saved_and_loaded(tmp_path):
    inputs = keras.Input((8, 8, 1))
    net = keras.Model(inputs, FusedBatchNorm(name="norm")(inputs))
    x = np.random.default_rng(0).normal(size=(16, 8, 8, 1)).astype("float32")
    net(x, training=True)
    net.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    assert isinstance(again.get_layer("norm"), FusedBatchNorm)
    np.testing.assert_array_equal(net(x), again(x))
