"""Networks: depth, names, equal parameters, equal first weights, intermediate outputs."""

import functools

import keras
import numpy as np
import pytest
from weights import normal, parameters, values

from resnet_lesson.diagnostics import weighted_layers
from resnet_lesson.models import blocks_for_depth, network, reset_weights, segments, with_outputs

IMAGES = normal(4, 28, 28, 1, seed=0)
# Models are kept, for building them takes time; each test sets the weights that it needs.
built = functools.cache(network)


def test_depth_counts_weighted_layers_on_the_longest_path():
    for shortcut in ("none", "padded", "projection"):
        for depth, block in ((8, "bottleneck"), (14, "bottleneck"), (6, "basic"), (14, "basic")):
            assert weighted_layers(built(depth, shortcut, block=block)) == depth
    assert [blocks_for_depth(depth) for depth in (8, 20, 56)] == [1, 3, 9]
    assert [blocks_for_depth(depth, "dense", 1) for depth in (4, 10)] == [1, 4]


@pytest.mark.parametrize("shortcut", ["none", "padded"])
def test_dense_networks(shortcut):
    model = network(10, shortcut, block="dense", widths=(71,), normalisation=False)
    assert weighted_layers(model) == 10
    # 784 → 71, then eight times 71 → 71, then 71 → 10, with biases.
    assert model.count_params() == 785 * 71 + 8 * 72 * 71 + 72 * 10
    two = network(10, shortcut, block="dense", widths=(16, 32))
    assert weighted_layers(two) == 10
    assert two(IMAGES).shape == (4, 10)


@pytest.mark.parametrize("training", [False, True])
def test_segments_in_order_are_the_network(training):
    model = built(14)
    reset_weights(model, 0)
    parts = segments(model)
    blocks = [f"stage{stage}_block{number}" for stage in (1, 2) for number in (1, 2)]
    assert list(parts) == ["stem", *blocks, "head"]
    x = IMAGES
    for part in parts.values():
        x = part(x, training=training)
    np.testing.assert_allclose(x, model(IMAGES, training=training), rtol=1e-6)
    assert parts["stem"].get_layer("stem_conv").kernel is model.get_layer("stem_conv").kernel
    assert model.get_layer("stage1_block1_out").output.shape == (None, 14, 14, 16)


def test_plain_and_residual_have_the_same_layers_and_first_weights():
    ours, theirs = built(14, "none"), built(14, "padded")
    for model in (ours, theirs):
        reset_weights(model, 7)
    ours, theirs = values(ours), values(theirs)
    assert ours.keys() == theirs.keys()
    for path, value in ours.items():
        np.testing.assert_array_equal(value, theirs[path])


def test_projection_adds_parameters_only_where_the_shape_changes():
    # One 1×1 convolution with γ and β.
    added = parameters(built(14, "projection")) - parameters(built(14, "padded"))
    assert added == 16 * 32 + 2 * 32


def test_reset_weights():
    model = built(14)
    start = model.get_weights()
    reset_weights(model, 1)
    first = model.get_weights()
    for weight in model.weights:
        weight.assign(weight + 1)
    reset_weights(model, 1)
    assert all(np.array_equal(a, b) for a, b in zip(first, model.get_weights(), strict=True))
    reset_weights(model, 2)
    for i, weight in enumerate(model.weights):
        if weight.name == "kernel":
            assert not np.array_equal(first[i], weight.numpy())
            assert not np.array_equal(first[i], start[i])
    # Two layers of one shape do not share their random numbers.
    one, other = (model.get_layer(f"stage1_block{i}_conv1").kernel.numpy() for i in (1, 2))
    assert one.shape == other.shape
    assert not np.array_equal(one, other)


def test_reset_weights_decides_what_dropout_draws():
    inputs = keras.Input((1000,))
    model = keras.Model(inputs, keras.layers.Dropout(0.5, name="dropout")(inputs))
    drawn = []
    for seed in (1, 1, 2):
        reset_weights(model, seed)
        drawn.append(model(np.ones((1, 1000), "float32"), training=True).numpy())
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


def test_initial_kernels_have_the_variance_of_he_2015():
    model = network(8, widths=(64, 128))
    reset_weights(model, 0)
    for name, fan_in in (("stage1_block1_conv2", 9 * 32), ("stage2_block1_conv3", 64)):
        kernel = model.get_layer(name).kernel.numpy()
        assert kernel.var() == pytest.approx(2 / fan_in, rel=0.1)


def test_zero_init_starts_as_the_stem_and_the_head():
    """With every branch at zero, depth changes nothing: the blocks only carry x along."""
    shallow, deep = (network(depth, zero_init=True) for depth in (8, 20))
    for model in (shallow, deep):
        reset_weights(model, 0)
    np.testing.assert_array_equal(shallow(IMAGES), deep(IMAGES))


def test_blocks_per_stage_and_widths():
    model = network(blocks_per_stage=(2, 1, 3), widths=(8, 16, 32), block="basic")
    assert weighted_layers(model) == 1 + 2 * 6 + 1
    assert model.get_layer("stage1_block2_out").output.shape[1:] == (14, 14, 8)
    assert model.get_layer("stage3_block3_out").output.shape[1:] == (4, 4, 32)
    assert network(8, "none", widths=(32, 16))(IMAGES).shape == (4, 10)


def test_arguments_that_do_not_fit_each_other():
    for arguments, message in (
        ({"depth": 10}, r"depth must be 6n \+ 2 .*8, 14, 20.*Received: 10"),
        ({"depth": 7, "block": "basic"}, r"4n \+ 2.*Received: 7"),
        ({"depth": 8, "shortcut": "identity"}, "shortcut must be .*Received: 'identity'"),
        ({}, "either depth or blocks_per_stage. Received: depth=None"),
        ({"depth": 8, "blocks_per_stage": (1, 1)}, "either depth or blocks_per_stage"),
        ({"blocks_per_stage": (1,)}, r"of one length. Received: \[1\] and \(16, 32\)"),
        ({"depth": 8, "reduction": 3}, r"multiples of reduction=3. Received: \(16, 32\)"),
        (
            {"depth": 8, "widths": (32, 16)},
            "filters must be at least the 32 .*filters=16",
        ),
        ({"depth": 8, "input_shape": (28, 28)}, r"input_shape must be \(height, .*\[28, 28\]"),
        ({"depth": 8, "input_shape": (28, 28, None)}, "input_shape must be .* None]"),
        ({"depth": 6, "block": "dense", "input_shape": (28, None, 1)}, "input_shape must be"),
    ):
        with pytest.raises(ValueError, match=message):
            network(**arguments)


def test_models_that_have_no_such_parts():
    inputs = keras.Input((3,))
    other = keras.Model(inputs, keras.layers.GroupNormalization(3, name="x")(inputs), name="other")
    with pytest.raises(ValueError, match="must be a network with blocks. Received: other"):
        segments(other)
    with pytest.raises(ValueError, match=r"names must be .*Received: .*'stage9_add'\]"):
        with_outputs(other, ["x", "stage9_add"])
    other.get_layer("x").gamma_initializer = None
    with pytest.raises(ValueError, match="`gamma_initializer`. Received: x, a GroupNormalization"):
        reset_weights(other, 0)
