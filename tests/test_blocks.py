"""Blocks against formulas, an independent implementation, finite differences and Keras's ResNet."""

import keras
import numpy as np
import pytest
import reference
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

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
few = settings(max_examples=25, deadline=None)


def randomised(layer, x, seed=0):
    """Build a block and give every weight a random value, variances positive."""
    layer.build(x.shape)
    generator = np.random.default_rng(seed)
    for variable in layer.weights:
        value = generator.normal(0, 0.5, variable.shape)
        variable.assign(np.abs(value) + 0.5 if "variance" in variable.name else value)
    return layer


def images(kind, channels, batch=3, dtype="float32", seed=1):
    shape = (batch, *SHAPES[kind], channels)
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


CASES = [
    (kind, shortcut, out, stride, normalisation)
    for kind in BLOCKS
    for shortcut in SHORTCUTS
    for out, stride in ((8, 1), (12, 1), (12, 2), (8, 2))
    for normalisation in (True, False)
    if not (shortcut == "identity" and (out != 8 or stride != 1))
    if not (kind is DenseBlock and stride != 1)
]


def make(kind, shortcut, out, stride, normalisation, **kwargs):
    return kind(
        out, shortcut=shortcut, stride=stride, normalisation=normalisation, name="b", **kwargs
    )


@pytest.mark.parametrize(("kind", "shortcut", "out", "stride", "normalisation"), CASES)
@pytest.mark.parametrize("training", [False, True])
def test_forward_equals_numpy(kind, shortcut, out, stride, normalisation, training):
    x = images(kind, 8, dtype="float64")
    layer = randomised(make(kind, shortcut, out, stride, normalisation, dtype="float64"), x)
    expected = reference.block(layer, x, training)
    np.testing.assert_allclose(layer(x, training=training), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("stride_on", ["conv1", "conv2"])
def test_stride_can_sit_on_either_convolution(stride_on):
    x = images(BottleneckBlock, 8, dtype="float64")
    layer = BottleneckBlock(12, "projection", stride=2, stride_on=stride_on, dtype="float64")
    layer = randomised(layer, x)
    assert [conv.strides[0] for conv in layer.weight_layers] == (
        [2, 1, 1] if stride_on == "conv1" else [1, 2, 1]
    )
    np.testing.assert_allclose(layer(x), reference.block(layer, x, False), rtol=1e-9, atol=1e-9)


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


@few
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
    layer = kind(widths, shortcut=shortcut, normalisation=normalisation)
    layer.build((None, *SHAPES[kind], in_width))
    counted = sum(int(np.prod(v.shape)) for v in layer.trainable_variables)
    assert counted == formula(kind, in_width, widths, shortcut, normalisation)


@pytest.mark.parametrize("kind", BLOCKS)
def test_plain_and_identity_blocks_have_the_same_parameters(kind):
    x = images(kind, 8)
    plain, residual = kind(8, "none", name="b"), kind(8, "identity", name="b")
    plain(x), residual(x)
    assert [(v.path, v.shape) for v in plain.weights] == [
        (v.path, v.shape) for v in residual.weights
    ]
    residual.set_weights(plain.get_weights())
    np.testing.assert_array_equal(residual.branch(x), plain.branch(x))
    np.testing.assert_array_equal(residual(x), tf.nn.relu(plain.branch(x) + x))
    np.testing.assert_array_equal(plain(x), tf.nn.relu(plain.branch(x)))


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("normalisation", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_zero_branch_is_exactly_the_identity(kind, normalisation, training):
    x = images(kind, 8)
    layer = kind(8, "identity", normalisation=normalisation, zero_init=True)
    np.testing.assert_array_equal(layer(x, training=training), np.maximum(x, 0))
    positive = np.abs(x)
    np.testing.assert_array_equal(layer(positive, training=training), positive)


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("shortcut", ["none", "identity", "padded", "projection"])
@pytest.mark.parametrize("normalisation", [True, False])
def test_gradients_equal_finite_differences(kind, shortcut, normalisation):
    x = tf.Variable(images(kind, 4, batch=2, dtype="float64"))
    layer = randomised(
        kind(4, shortcut, normalisation=normalisation, dtype="float64"), x.value(), seed=3
    )
    weight = tf.constant(np.random.default_rng(2).normal(size=layer(x).shape))

    def loss():
        return tf.reduce_sum(weight * layer(x, training=True))

    variables = [x, *(v.value for v in layer.trainable_variables)]
    moving = [v for v in layer.non_trainable_variables]
    kept = [v.numpy() for v in moving]
    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, variables)
    step = 1e-6
    generator = np.random.default_rng(5)
    for variable, gradient in zip(variables, gradients, strict=True):
        direction = generator.normal(size=variable.shape)
        start = variable.numpy()
        variable.assign(start + step * direction)
        above = loss()
        variable.assign(start - step * direction)
        below = loss()
        variable.assign(start)
        slope = (above - below) / (2 * step)
        np.testing.assert_allclose(
            np.sum(gradient * direction), slope, rtol=2e-5, atol=1e-6, err_msg=variable.name
        )
    for v, old in zip(moving, kept, strict=True):
        v.assign(old)


@pytest.mark.parametrize("kind", [BasicBlock, BottleneckBlock])
@pytest.mark.parametrize(("size", "stride", "out"), [(8, 1, 8), (8, 2, 4), (7, 2, 4), (5, 3, 2)])
def test_strides_and_shapes(kind, size, stride, out):
    x = np.zeros((2, size, size, 4), dtype="float32")
    layer = kind(8, "padded", stride=stride)
    assert layer(x).shape == (2, out, out, 8)
    assert layer.compute_output_shape(x.shape) == (2, out, out, 8)


def test_article_form_of_filters():
    layer = BottleneckBlock((8, 8, 16))
    layer.build((None, 14, 14, 16))
    assert [w.filters for w in layer.weight_layers] == [8, 8, 16]
    assert BottleneckBlock(16).filters == (4, 4, 16)  # the paper's ratio
    assert BasicBlock(16).filters == (16, 16)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "shortcut", "out", "stride", "normalisation"), CASES)
def test_save_and_reload(kind, shortcut, out, stride, normalisation, tmp_path):
    x = images(kind, 8)
    inputs = keras.Input(x.shape[1:])
    layer = randomised(make(kind, shortcut, out, stride, normalisation), x)
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "block.keras")
    reloaded = keras.saving.load_model(tmp_path / "block.keras", safe_mode=True)
    np.testing.assert_array_equal(reloaded(x), model(x))
    assert reloaded.layers[-1].get_config() == layer.get_config()


def test_flat_use_equals_use_as_one_layer():
    x = images(BottleneckBlock, 8)
    layer = randomised(BottleneckBlock(16, "projection", stride=2, name="b"), x)
    inputs = keras.Input(x.shape[1:])
    flat = keras.Model(inputs, layer.call(inputs))
    np.testing.assert_array_equal(flat(x), layer(x))
    assert flat.get_layer("b_conv2").output.shape == (None, 4, 4, 4)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: BasicBlock(8, "sum"), ValueError, "shortcut must be one of .* Received: 'sum'"),
        (lambda: BasicBlock(0), ValueError, "filters must be between 1 and 8192. Received: 0"),
        (lambda: BasicBlock(8.0), TypeError, "filters must be a whole number. Received: 8.0"),
        (lambda: BasicBlock((8, 8, 8)), ValueError, r"1 or 2 numbers. Received: \(8, 8, 8\)"),
        (lambda: BottleneckBlock((8, 8)), ValueError, r"1 or 3 numbers. Received: \(8, 8\)"),
        (lambda: BottleneckBlock(10), ValueError, "multiple of 4.*Received: 10"),
        (lambda: BottleneckBlock(8, stride_on="conv3"), ValueError, "Received: 'conv3'"),
        (
            lambda: BasicBlock(8, stride=0),
            ValueError,
            "stride must be between 1 and 8192. Received: 0",
        ),
        (lambda: DenseBlock(8, stride=2), ValueError, "stride must be 1 .*Received: 2"),
        (lambda: BasicBlock(8, normalisation="no"), TypeError, "normalisation .* Received: 'no'"),
        (lambda: BasicBlock(8, zero_init=1), TypeError, "zero_init must be .* Received: 1"),
        (lambda: PaddedShortcut("8"), TypeError, "filters must be a whole .* Received: '8'"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("kind", BLOCKS)
def test_identity_on_a_change_of_shape_is_an_error(kind):
    with pytest.raises(ValueError, match="shortcut='identity'.*Received: 8 channels in, 16 out"):
        kind(16)(images(kind, 8))
    with pytest.raises(ValueError, match="filters must be at least the 8 channels"):
        kind(4, "padded")(images(kind, 8))


def test_identity_with_a_stride_is_an_error():
    with pytest.raises(ValueError, match="Received: 8 channels in, 8 out, stride=2"):
        BasicBlock(8, "identity", stride=2)(images(BasicBlock, 8))


def test_batch_normalisation_keeps_nine_tenths_of_its_moving_averages():
    x = np.random.default_rng(0).normal(3, 2, (50, 4)).astype("float32")
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
    reference_net = keras.applications.ResNet50(
        weights=None, include_top=False, input_shape=(64, 64, 3)
    )
    generator = np.random.default_rng(0)
    for variable in reference_net.weights:
        if variable.name in ("bias", "beta", "moving_mean"):
            variable.assign(generator.normal(0, 0.3, variable.shape))
        elif variable.name in ("gamma", "moving_variance"):
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))

    for name, start, shape, block in (
        ("conv2_block2", "conv2_block1_out", (16, 16, 256), BottleneckBlock(256, "identity")),
        (
            "conv3_block1",
            "conv2_block3_out",
            (16, 16, 256),
            BottleneckBlock(512, "projection", stride=2),
        ),
        ("conv2_block1", "pool1_pool", (16, 16, 64), BottleneckBlock(256, "projection")),
    ):
        block.build((None, *shape))
        pairs = [
            (f"{name}_{i}", conv, norm)
            for i, conv, norm in zip((1, 2, 3), block.weight_layers, block.norms, strict=True)
        ]
        if block.shortcut == "projection":
            pairs.append((f"{name}_0", *block.shortcut_layers))
        for theirs, conv, norm in pairs:
            their_conv = reference_net.get_layer(f"{theirs}_conv")
            their_norm = reference_net.get_layer(f"{theirs}_bn")
            gamma, beta, mean, variance = their_norm.get_weights()
            conv.set_weights([their_conv.kernel.numpy()])
            variance = variance + their_norm.epsilon - norm.epsilon
            norm.set_weights([gamma, beta, mean - their_conv.bias.numpy(), variance])
            assert conv.strides == their_conv.strides

        theirs = keras.Model(
            reference_net.get_layer(start).output, reference_net.get_layer(f"{name}_out").output
        )
        x = generator.normal(size=(2, *shape)).astype("float32")
        np.testing.assert_allclose(block(x), theirs(x), rtol=1e-4, atol=1e-4)
