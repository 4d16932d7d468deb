"""Batch normalisation as one operation computes what Keras computes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from weights import normal

from resnet_lesson.blocks import BasicBlock
from resnet_lesson.plumbing.fused import FusedBatchNorm


def of_both(measure, **arguments):
    """Yield what is measured with Keras's layer beside what is with ours."""
    kinds = layers.BatchNormalization, FusedBatchNorm
    yield from zip(*(measure(kind(**arguments)) for kind in kinds), strict=True)


# The last shape has one value for each channel.
@pytest.mark.parametrize("shape", [(8, 5, 7, 3), (4, 3, 1, 4), (64, 14, 14, 16), (1, 1, 1, 3)])
def test_fused_normalisation_is_that_of_keras(shape):
    x = tf.constant(2 + 3 * normal(*shape))
    direction = tf.constant(normal(*shape, seed=2))

    def measure(layer):
        layer.build(shape)
        layer.gamma.assign(np.linspace(0.5, 2, shape[-1]))
        layer.beta.assign(np.linspace(-1, 1, shape[-1]))
        for training in (True, False):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=training)
                loss = tf.reduce_sum(y * direction)
            yield from (y, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value]))
        yield from (layer.moving_mean, layer.moving_variance)

    for keras_s, ours in of_both(measure, momentum=0.9, epsilon=1e-3):
        np.testing.assert_allclose(ours, keras_s, rtol=2e-4, atol=2e-4 * np.abs(keras_s).max())


@pytest.mark.parametrize(
    "arguments, x",
    [
        ({"dtype": "float64"}, normal(8, 4, 4, 3, dtype="float64")),
        ({"dtype": "mixed_float16"}, normal(8, 4, 4, 3)),
        ({}, normal(8, 3)),
        ({"center": False}, normal(8, 4, 4, 3)),
        ({"scale": False}, normal(8, 4, 4, 3)),
        ({"axis": 1}, normal(8, 4, 4, 3)),
    ],
)
def test_what_the_operation_cannot_do_keras_does(arguments, x):
    def measure(layer):
        return layer(x, training=True), layer.moving_mean, layer.moving_variance, layer(x)

    for keras_s, ours in of_both(measure, **arguments):
        assert keras_s.dtype == ours.dtype
        np.testing.assert_array_equal(ours, keras_s)


def test_what_is_frozen_normalises_by_its_averages_in_training_too():
    x = 2 + 3 * normal(8, 4, 4, 3)

    def measure(layer):
        layer.trainable = False
        return layer(x, training=True), layer(x), layer.moving_mean, layer.moving_variance

    for keras_s, ours in of_both(measure):
        assert keras_s.dtype == ours.dtype
        np.testing.assert_allclose(ours, keras_s, rtol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_blocks_normalise_by_the_operation(training):
    block = BasicBlock(4)
    run = tf.function(lambda x: block(x, training=training), autograph=False)
    graph = run.get_concrete_function(tf.zeros((2, 5, 5, 4))).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("FusedBatchNormV3") == 2
    assert "Rsqrt" not in kinds  # Keras's own


def test_averages_stay_numbers_where_the_operation_gives_none(monkeypatch):
    """From one value for each channel, a GPU computes a variance of 0 / 0."""
    fused = tf.compat.v1.nn.fused_batch_norm

    def on_gpu(x, *arguments, **options):
        y, mean, variance = fused(x, *arguments, **options)
        one_value = x.shape[0] * x.shape[1] * x.shape[2] == 1
        return y, mean, variance * np.nan if one_value else variance

    monkeypatch.setattr(tf.compat.v1.nn, "fused_batch_norm", on_gpu)

    def measure(layer):
        for shape in ((1, 1, 1, 3), (8, 2, 2, 3), (1, 1, 1, 3)):
            yield layer(2 + 3 * normal(*shape), training=True)
        yield from (layer.moving_mean, layer.moving_variance)

    for keras_s, ours in of_both(measure, momentum=0.9):
        np.testing.assert_allclose(ours, keras_s, rtol=1e-4, atol=1e-5)


def operations(function, *arguments):
    """Return the kinds of all operations that a function needs, in functions of its graph too."""
    traced = tf.function(function, autograph=False).get_concrete_function(*arguments)
    whole = traced.graph.as_graph_def()
    parts = [whole.node, *(part.node_def for part in whole.library.function)]
    return {node.op for part in parts for node in part}


@pytest.fixture
def gpu(monkeypatch):
    """Let this machine seem to have a GPU."""
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: ["a GPU"])


@pytest.mark.parametrize("case", ["evaluation", "frozen"])
def test_on_a_gpu_gradients_with_moving_averages_do_without_the_operation(case, gpu):
    """TensorFlow has none there that is the same in each run, and says so by an error."""
    block = BasicBlock(4, "projection")
    x = tf.constant(normal(2, 5, 5, 3))
    block(x)
    for norm in (*block.norms, block.shortcut_layers[1]):
        norm.trainable = case != "frozen"

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = block(x, training=case == "frozen")
        return tape.gradient(y, [x, block.weight_layers[0].kernel.value])

    assert not [kind for kind in operations(gradients, x) if "FusedBatchNorm" in kind]


def test_on_a_gpu_training_takes_the_operation(gpu):
    block = BasicBlock(4)
    x = tf.constant(normal(2, 5, 5, 4))
    assert "FusedBatchNormV3" in operations(lambda x: block(x, training=True), x)


def test_keras_s_own_layer_never_takes_the_operation():
    layer, x = layers.BatchNormalization(), tf.constant(normal(2, 5, 5, 4))
    for training in (True, False):
        kinds = operations(lambda x, training=training: layer(x, training=training), x)
        assert "FusedBatchNormV3" not in kinds


def test_without_the_operation_evaluation_is_the_same(request):
    layer, x = FusedBatchNorm(), 2 + 3 * normal(8, 5, 5, 4)
    layer(x, training=True)
    usual = layer(x)
    request.getfixturevalue("gpu")
    np.testing.assert_allclose(layer(x), usual, rtol=1e-5, atol=1e-5)


def test_fused_normalisation_is_saved_and_loaded(tmp_path):
    inputs = keras.Input((8, 8, 1))
    net = keras.Model(inputs, FusedBatchNorm(name="norm")(inputs))
    x = normal(16, 8, 8, 1)
    net(x, training=True)
    net.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    assert isinstance(again.get_layer("norm"), FusedBatchNorm)
    np.testing.assert_array_equal(net(x), again(x))
