"""Receptive fields by formula against brute force: which pixels have a gradient at all."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from resnet_lesson.blocks import BottleneckBlock
from resnet_lesson.diagnostics import ReceptiveField, receptive_fields
from resnet_lesson.models import network


def rows_seen(model, name, row):
    """Return the first and the last image row that one output row of a layer depends on.

    All weights and pixels are positive, so nothing cancels and no ReLU is closed.
    """
    for variable in model.trainable_variables:
        # Small, so that the products stay finite in a deep network.
        variable.assign(np.full(variable.shape, 0.1))
    part = keras.Model(model.input, model.get_layer(name).output)
    image = tf.ones((1, *model.input_shape[1:]))
    with tf.GradientTape() as tape:
        tape.watch(image)
        total = tf.reduce_sum(part(image)[:, row])
    rows = np.flatnonzero(np.any(tape.gradient(total, image).numpy() != 0, axis=(0, 2, 3)))
    assert len(rows) == rows[-1] - rows[0] + 1  # no gap
    return rows[0], rows[-1]


def assert_brute_force_agrees(model, name, row):
    field, height = receptive_fields(model)[name], model.input_shape[1]
    expected = field.first + field.step * row, field.last + field.step * row
    assert 0 <= expected[0] and expected[1] < height, "choose a row whose field is in the image"
    assert rows_seen(model, name, row) == expected


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("shortcut", ["none", "padded", "projection"])
@pytest.mark.parametrize("size", [28, 31])
def test_networks(block, shortcut, size):
    options = {"blocks_per_stage": (1, 1), "block": block, "normalisation": False}
    model = network(shortcut=shortcut, **options, input_shape=(2 * size, 2 * size, 1))
    for name in ("stem_out", "stage1_block1_out", "stage2_block1_branch", "stage2_block1_out"):
        rows = model.get_layer(name).output.shape[1]
        assert_brute_force_agrees(model, name, rows // 2)


def test_known_sizes():
    fields = receptive_fields(network(8))
    assert fields["image"] == ReceptiveField(0, 0, 1)
    sizes = {name: (field.size, field.step) for name, field in fields.items()}
    assert sizes["stem_conv"] == (3, 2)
    assert sizes["stage1_block1_out"] == (3 + 2 * 2, 2)
    assert sizes["stage2_block1_out"] == (7 + 2 * 4, 4)
    assert "pool" not in sizes and "logits" not in sizes


@pytest.mark.parametrize("stride_on", ["conv1", "conv2"])
def test_place_of_the_stride(stride_on):
    inputs = keras.Input((21, 21, 4))
    options = {"stride": 2, "stride_on": stride_on, "normalisation": False}
    made = BottleneckBlock(8, "projection", name="block", **options)
    model = keras.Model(inputs, made.call(inputs))
    assert receptive_fields(model)["block_out"].size == {"conv1": 5, "conv2": 3}[stride_on]
    if stride_on == "conv2":  # with the other, there are gaps
        assert_brute_force_agrees(model, "block_out", 5)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_pools_and_padding(padding):
    inputs = keras.Input((30, 30, 1))
    x = layers.ZeroPadding2D(3)(inputs)
    x = layers.Conv2D(2, 7, 2, padding="valid")(x)
    x = layers.AveragePooling2D(3, 2, padding=padding)(x)
    x = layers.Conv2D(2, 3, padding=padding, name="last")(x)
    model = keras.Model(inputs, layers.Flatten()(x))
    assert receptive_fields(model)["last"].size == 7 + 2 * 2 + 2 * 4
    assert_brute_force_agrees(model, "last", {"same": 3, "valid": 1}[padding])


@pytest.mark.slow
def test_resnet50_of_keras():
    """11 + 8·3 + 16·4 + 32·6 + 64·3 by hand: stem and pool, then a 3×3 in each of 16 blocks."""
    fields = receptive_fields(keras.applications.ResNet50(weights=None, classes=2))
    assert fields["conv5_block3_out"].size == 11 + 8 * 3 + 16 * 4 + 32 * 6 + 64 * 3
    assert fields["conv5_block3_out"].step == 32


def test_layers_without_a_formula_are_refused():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, layers.DepthwiseConv2D(3, name="d")(inputs))
    with pytest.raises(ValueError, match="Received: d, a DepthwiseConv2D"):
        receptive_fields(model)


def test_a_subclass_of_a_convolution_is_one():
    class Own(layers.Conv2D):
        pass

    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, Own(1, 3, name="c")(inputs))
    assert receptive_fields(model)["c"].size == 3
