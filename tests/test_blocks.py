"""Blocks against formulas, an independent implementation, finite differences and Keras's ResNet."""

import keras
import numpy as np
import pytest
import reference
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from weights import normal, parameters, randomised

from resnet_lesson.blocks import (
    SHORTCUTS,
    BasicBlock,
    BottleneckBlock,
    DenseBlock,
    PaddedShortcut,
    batch_norm,
)

SHAPES = {BasicBlock: (8, 8), BottleneckBlock: (8, 8), DenseBlock: ()}
BLOCKS = list(SHAPES)


def inputs_of(kind, channels, dtype="float32"):
    return normal(3, *SHAPES[kind], channels, dtype=dtype)


def is_possible(kind, shortcut, out, stride):
    return (shortcut != "identity" or (out, stride) == (8, 1)) and (
        kind is not DenseBlock or stride == 1
    )


CASES = [
    (kind, shortcut, out, stride)
    for kind in BLOCKS
    for shortcut in SHORTCUTS
    for out, stride in ((8, 1), (12, 1), (12, 2), (8, 2))
    if is_possible(kind, shortcut, out, stride)
]


@pytest.mark.parametrize("normalisation", [True, False])
@pytest.mark.parametrize(("kind", "shortcut", "out", "stride"), CASES)
def test_forward_equals_numpy(kind, shortcut, out, stride, normalisation):
    x = inputs_of(kind, 8, "float64")
    layer = kind(out, shortcut, normalisation, stride=stride, dtype="float64")
    layer.build(x.shape)
    randomised(layer, spread=0.5)
    for training in (False, True):
        expected = reference.block(layer, x, training)
        np.testing.assert_allclose(layer(x, training=training), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("stride_on", "strides"), [("conv1", [2, 1, 1]), ("conv2", [1, 2, 1])])
def test_stride_can_sit_on_either_convolution(stride_on, strides):
    x = inputs_of(BottleneckBlock, 8, "float64")
    layer = BottleneckBlock(12, "projection", stride=2, stride_on=stride_on, dtype="float64")
    layer.build(x.shape)
    assert [conv.strides[0] for conv in layer.weight_layers] == strides
    expected = reference.block(randomised(layer), x, training=False)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-9, atol=1e-9)


def formula(kind, in_width, widths, shortcut, normalisation):
    """Trainable parameters of a block, written out as in a paper's appendix."""
    kernels = {BasicBlock: (9, 9), BottleneckBlock: (1, 9, 1), DenseBlock: (1, 1)}[kind]
    total, width = 0, in_width
    per_channel = 2 if normalisation else 1  # γ and β, or a bias
    for area, out in zip(kernels, widths, strict=True):
        total += area * width * out + per_channel * out
        width = out
    if shortcut == "projection":
        total += in_width * widths[-1] + per_channel * widths[-1]
    return total


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(BLOCKS),
    in_width=st.integers(1, 9),
    widths=st.tuples(*[st.integers(1, 9)] * 3),
    shortcut=st.sampled_from(["none", "padded", "projection"]),
    normalisation=st.booleans(),
)
def test_parameter_count_equals_the_formula(kind, in_width, widths, shortcut, normalisation):
    widths = widths if kind is BottleneckBlock else widths[:2]
    if shortcut == "padded":
        widths = (*widths[:-1], in_width + widths[-1])
    layer = kind(widths, shortcut, normalisation)
    layer.build((None, *SHAPES[kind], in_width))
    assert parameters(layer) == formula(kind, in_width, widths, shortcut, normalisation)


@pytest.mark.parametrize("kind", BLOCKS)
def test_plain_and_identity_blocks_have_the_same_parameters(kind):
    x = inputs_of(kind, 8)
    plain, residual = kind(8, "none", name="b"), kind(8, "identity", name="b")
    plain(x), residual(x)
    paths = [[(v.path, v.shape) for v in layer.weights] for layer in (plain, residual)]
    assert paths[0] == paths[1]
    residual.set_weights(plain.get_weights())
    np.testing.assert_array_equal(residual.branch(x), plain.branch(x))
    np.testing.assert_array_equal(residual(x), tf.nn.relu(plain.branch(x) + x))
    np.testing.assert_array_equal(plain(x), tf.nn.relu(plain.branch(x)))


@pytest.mark.parametrize("normalisation", [True, False])
@pytest.mark.parametrize("kind", BLOCKS)
def test_zero_branch_is_exactly_the_identity(kind, normalisation):
    layer = kind(8, normalisation=normalisation, zero_init=True)
    for x in (inputs_of(kind, 8), np.abs(inputs_of(kind, 8))):
        for training in (True, False):
            np.testing.assert_array_equal(layer(x, training=training), np.maximum(x, 0))
    other = kind(8, normalisation=normalisation)
    assert np.any(other(x) != np.maximum(x, 0))


@pytest.mark.parametrize("normalisation", [True, False])
@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("kind", BLOCKS)
def test_gradients_equal_finite_differences(kind, shortcut, normalisation):
    x = tf.Variable(normal(2, *SHAPES[kind], 4, dtype="float64"))
    layer = kind(4, shortcut, normalisation, dtype="float64")
    layer.build(x.shape)
    randomised(layer, seed=3, spread=0.5)
    weight = tf.constant(normal(*x.shape, seed=2, dtype="float64"))

    def loss():
        return tf.reduce_sum(weight * layer(x, training=True))

    variables = [x, *(v.value for v in layer.trainable_variables)]
    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, variables)
    # All variables move at once, in a random direction: an error in any of them shows.
    moves = [normal(*v.shape, seed=i, dtype="float64") for i, v in enumerate(variables, 5)]
    values = []
    for step in (1e-6, -2e-6):
        for variable, move in zip(variables, moves, strict=True):
            variable.assign_add(step * move)
        values.append(loss())
    along = sum(np.sum(g * move) for g, move in zip(gradients, moves, strict=True))
    np.testing.assert_allclose(along, (values[0] - values[1]) / 2e-6, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [BasicBlock, BottleneckBlock])
def test_strides_and_shapes(kind):
    for size, stride, out in ((8, 1, 8), (8, 2, 4), (7, 2, 4), (5, 3, 2)):
        layer = kind(8, "padded", stride=stride)
        assert layer(np.zeros((2, size, size, 4), "float32")).shape == (2, out, out, 8)
        assert layer.compute_output_shape((2, size, size, 4)) == (2, out, out, 8)


def test_filters_are_those_of_each_layer_or_the_last():
    assert [w.filters for w in BottleneckBlock((8, 8, 16)).weight_layers] == [8, 8, 16]
    assert BottleneckBlock(16).filters == (4, 4, 16)  # the paper's ratio
    assert BasicBlock(16).filters == DenseBlock(16).filters == (16, 16)


@pytest.mark.slow
@pytest.mark.parametrize("kind", BLOCKS)
def test_save_and_reload(kind, tmp_path):
    x = inputs_of(kind, 8)
    inputs = keras.Input(x.shape[1:])
    blocks = [
        kind(out, shortcut, normalisation, stride=stride)
        for of, shortcut, out, stride in CASES
        for normalisation in (True, False)
        if of is kind
    ]
    model = keras.Model(inputs, [block(inputs) for block in blocks])
    for block in blocks:
        randomised(block)
    model.save(tmp_path / "blocks.keras")
    reloaded = keras.saving.load_model(tmp_path / "blocks.keras", safe_mode=True)
    for ours, theirs in zip(reloaded(x), model(x), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for block in blocks:
        assert reloaded.get_layer(block.name).get_config() == block.get_config()


def test_flat_use_equals_use_as_one_layer():
    x = inputs_of(BottleneckBlock, 8)
    layer = BottleneckBlock(16, "projection", stride=2, name="b")
    layer.build(x.shape)
    inputs = keras.Input(x.shape[1:])
    flat = keras.Model(inputs, randomised(layer).call(inputs))
    np.testing.assert_array_equal(flat(x), layer(x))
    assert flat.get_layer("b_conv2").output.shape == (None, 4, 4, 4)


def test_what_no_block_can_be():
    x = inputs_of(BasicBlock, 8)
    for make, message in (
        (lambda: BasicBlock((8, 8, 8)), r"filters must be 1 or 2 numbers. Received: \(8, 8, 8\)"),
        (lambda: BottleneckBlock((8, 8)), r"filters must be 1 or 3 numbers. Received: \(8, 8\)"),
        (lambda: BottleneckBlock(10), "filters, .* a multiple of 4.*Received: 10"),
        (lambda: DenseBlock(8, stride=2), "stride must be 1 .*Received: 2"),
        (lambda: BasicBlock(16)(x), "shortcut='identity'.*Received: 8 channels in, 16 out"),
        (lambda: BasicBlock(8, stride=2)(x), "Received: 8 channels in, 8 out, stride=2"),
        (lambda: BottleneckBlock(4, "padded")(x), "filters must be at least the 8 channels"),
        (lambda: DenseBlock(8)(x), r"expected ndim=2, found ndim=4.* received: \(3, 8, 8, 8\)"),
        (lambda: PaddedShortcut(8, 2)(x[0]), "expected ndim=4, found ndim=3"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_batch_normalisation_keeps_nine_tenths_of_its_moving_averages():
    x = 3 + 2 * normal(50, 4)
    layer = batch_norm("norm")
    y = layer(x, training=True)
    mean, variance = x.mean(axis=0), x.var(axis=0)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-5), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance, rtol=1e-5)


@pytest.mark.slow
def test_bottlenecks_equal_those_of_keras_resnet50():
    """Same configuration, same weights, same outputs as a reference that we did not write.

    ``keras.applications`` differs from our blocks in three conventions: its convolutions have
    biases in front of the normalisation, its ε is 1.001e-5, and its projection comes first in the
    list of layers. The stride sits on the first 1×1 in both. A bias and an ε move into the moving
    mean and variance, where they change nothing.
    """
    resnet = keras.applications.ResNet50(weights=None, include_top=False, input_shape=(64, 64, 3))
    generator = np.random.default_rng(0)
    for variable in resnet.weights:
        if variable.name in ("bias", "beta", "moving_mean"):
            variable.assign(generator.normal(0, 0.3, variable.shape))
        elif variable.name in ("gamma", "moving_variance"):
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))

    for name, start, channels, block in (
        ("conv2_block2", "conv2_block1_out", 256, BottleneckBlock(256, "identity")),
        ("conv3_block1", "conv2_block3_out", 256, BottleneckBlock(512, "projection", stride=2)),
        ("conv2_block1", "pool1_pool", 64, BottleneckBlock(256, "projection")),
    ):
        block.build((None, 16, 16, channels))
        pairs = list(zip((1, 2, 3), block.weight_layers, block.norms, strict=True))
        if block.shortcut == "projection":
            pairs.append((0, *block.shortcut_layers))
        for i, conv, norm in pairs:
            their_conv = resnet.get_layer(f"{name}_{i}_conv")
            their_norm = resnet.get_layer(f"{name}_{i}_bn")
            gamma, beta, mean, variance = their_norm.get_weights()
            conv.set_weights([their_conv.kernel.numpy()])
            variance = variance + their_norm.epsilon - norm.epsilon
            norm.set_weights([gamma, beta, mean - their_conv.bias.numpy(), variance])
            assert conv.strides == their_conv.strides
        ends = (resnet.get_layer(layer).output for layer in (start, f"{name}_out"))
        x = normal(2, 16, 16, channels)
        np.testing.assert_allclose(block(x), keras.Model(*ends)(x), rtol=1e-4, atol=1e-4)
