"""Networks: depth, names, equal parameters, equal first weights, intermediate outputs."""

import keras
import numpy as np
import pytest

from resnet_lesson.diagnostics import layer_counts, weighted_layers
from resnet_lesson.models import (
    blocks_for_depth,
    network,
    reset_weights,
    segments,
    with_outputs,
)


def image_batch(n=4):
    return np.random.default_rng(0).normal(size=(n, 28, 28, 1)).astype("float32")


@pytest.mark.parametrize(
    ("depth", "block"), [(8, "bottleneck"), (20, "bottleneck"), (6, "basic"), (14, "basic")]
)
@pytest.mark.parametrize("shortcut", ["none", "padded", "projection"])
def test_depth_counts_weighted_layers_on_the_longest_path(depth, block, shortcut):
    assert weighted_layers(network(depth, shortcut, block=block)) == depth


def test_depth_of_the_deep_networks():
    assert [blocks_for_depth(depth) for depth in (8, 20, 56)] == [1, 3, 9]
    assert weighted_layers(network(56, "none")) == 56


@pytest.mark.parametrize("shortcut", ["none", "padded"])
def test_dense_networks(shortcut):
    model = network(10, shortcut, block="dense", widths=(71,), normalisation=False)
    assert weighted_layers(model) == 10
    # 784 → 71, then eight times 71 → 71, then 71 → 10, with biases.
    assert model.count_params() == 785 * 71 + 8 * 72 * 71 + 72 * 10
    two = network(10, shortcut, block="dense", widths=(16, 32))
    assert weighted_layers(two) == 10
    assert two(image_batch()).shape == (4, 10)


def test_every_part_is_found_by_name():
    model = network(14)
    names = {layer.name for layer in model.layers}
    for stage in (1, 2):
        for number in (1, 2):
            for part in ("conv1", "conv2", "conv3", "norm3", "branch", "add", "out"):
                assert f"stage{stage}_block{number}_{part}" in names
    assert {"stem_conv", "stem_out", "pool", "logits"} <= names


def test_intermediate_outputs_add_up():
    model = network(14, "padded")
    reset_weights(model, 0)
    outputs = with_outputs(
        model,
        ["stage1_block1_out", "stage1_block2_branch", "stage1_block2_add", "stage1_block2_out"],
    )(image_batch())
    x, branch, added, out = (outputs[name].numpy() for name in outputs)
    np.testing.assert_array_equal(added, branch + x)
    np.testing.assert_array_equal(out, np.maximum(added, 0))


@pytest.mark.parametrize("training", [False, True])
def test_segments_in_order_are_the_network(training):
    model = network(14)
    reset_weights(model, 0)
    parts = segments(model)
    blocks = [f"stage{stage}_block{number}" for stage in (1, 2) for number in (1, 2)]
    assert list(parts) == ["stem", *blocks, "head"]
    x = image_batch()
    for part in parts.values():
        x = part(x, training=training)
    np.testing.assert_allclose(x, model(image_batch(), training=training), rtol=1e-6)
    assert parts["stem"].get_layer("stem_conv").kernel is model.get_layer("stem_conv").kernel
    assert model.get_layer("stage1_block1_out").output.shape == (None, 14, 14, 16)


def test_segments_of_another_model():
    inputs = keras.Input((3,))
    with pytest.raises(ValueError, match="must be a network with blocks. Received: other"):
        segments(keras.Model(inputs, keras.layers.ReLU()(inputs), name="other"))


def test_unknown_names_are_told():
    with pytest.raises(ValueError, match=r"names must be .*'image'.*Received: .*'stage9_add'\]"):
        with_outputs(network(8), ["logits", "stage9_add"])


def test_plain_and_residual_have_the_same_layers_and_first_weights():
    plain, residual = network(20, "none"), network(20, "padded")
    for model in (plain, residual):
        reset_weights(model, 7)
    ours = {w.path: w.numpy() for w in plain.weights}
    theirs = {w.path: w.numpy() for w in residual.weights}
    assert ours.keys() == theirs.keys()
    for path, value in ours.items():
        np.testing.assert_array_equal(value, theirs[path])


def test_projection_adds_parameters_only_where_the_shape_changes():
    padded = sum(count.parameters for count in layer_counts(network(20, "padded")))
    projected = sum(count.parameters for count in layer_counts(network(20, "projection")))
    assert projected - padded == 16 * 32 + 2 * 32  # one 1×1 convolution with γ and β


def test_reset_weights():
    model = network(8)
    start = [w.numpy() for w in model.weights]
    reset_weights(model, 1)
    first = [w.numpy() for w in model.weights]
    for weight in model.weights:
        weight.assign(weight + 1)
    reset_weights(model, 1)
    assert all(np.array_equal(a, b) for a, b in zip(first, model.get_weights(), strict=True))
    reset_weights(model, 2)
    kernels = [i for i, w in enumerate(model.weights) if w.name == "kernel"]
    for i in kernels:
        assert not np.array_equal(first[i], model.weights[i].numpy())
        assert not np.array_equal(first[i], start[i])
    # Two layers of one shape do not share their random numbers.
    assert not np.array_equal(
        model.get_layer("stage1_block1_conv1").kernel, model.get_layer("stage2_block1_conv1").kernel
    )


def test_falling_widths_without_padding():
    assert network(8, "none", widths=(32, 16))(image_batch()).shape == (4, 10)


def test_reset_weights_decides_what_dropout_draws():
    inputs = keras.Input((1000,))
    model = keras.Model(inputs, keras.layers.Dropout(0.5, name="dropout")(inputs))
    ones, drawn = np.ones((1, 1000), "float32"), []
    for seed in (1, 1, 2):
        reset_weights(model, seed)
        drawn.append(model(ones, training=True).numpy())
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
    shallow = network(blocks_per_stage=(1, 1), zero_init=True)
    deep = network(blocks_per_stage=(4, 4), zero_init=True)
    for model in (shallow, deep):
        reset_weights(model, 0)
    np.testing.assert_array_equal(shallow(image_batch()), deep(image_batch()))


def test_blocks_per_stage_and_widths():
    model = network(blocks_per_stage=(2, 1, 3), widths=(8, 16, 32), block="basic")
    assert weighted_layers(model) == 1 + 2 * 6 + 1
    assert model.get_layer("stage1_block2_out").output.shape[1:] == (14, 14, 8)
    assert model.get_layer("stage3_block3_out").output.shape[1:] == (4, 4, 32)


def test_save_and_reload(tmp_path):
    model = network(8, "padded")
    reset_weights(model, 0)
    model.save(tmp_path / "net.keras")
    reloaded = keras.saving.load_model(tmp_path / "net.keras", safe_mode=True)
    np.testing.assert_array_equal(reloaded(image_batch()), model(image_batch()))
    assert reloaded.get_layer("stage2_block1_conv3").output.shape[1:] == (7, 7, 32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 10}, r"depth must be 6n \+ 2 .*8, 14, 20.*Received: 10"),
        ({"depth": 2}, "Received: 2"),
        ({"depth": 8.0}, "Received: 8.0"),
        ({"depth": 7, "block": "basic"}, r"4n \+ 2.*Received: 7"),
        ({"depth": 8, "shortcut": "identity"}, "shortcut must be .*Received: 'identity'"),
        ({"depth": 8, "block": "wide"}, "block must be one of .*Received: 'wide'"),
        ({}, "either depth or blocks_per_stage. Received: depth=None"),
        ({"depth": 8, "blocks_per_stage": (1, 1)}, "either depth or blocks_per_stage"),
        ({"blocks_per_stage": (1,)}, r"of one length. Received: \(1,\) and \(16, 32\)"),
        ({"depth": 8, "widths": 16}, "widths must be a tuple.*Received: 16"),
        ({"depth": 8, "widths": (16, 0)}, "widths must be between 1 and 8192. Received: 0"),
        ({"blocks_per_stage": (0, 1)}, "blocks_per_stage must be between 1 and 8192. Received: 0"),
        ({"depth": 8, "reduction": 0}, "reduction must be 1 or more. Received: 0"),
        ({"depth": 8, "classes": 0}, "classes must be between 1 and 8192. Received: 0"),
        ({"depth": 8, "reduction": 3}, "multiples of reduction=3. Received: a width of 16"),
        ({"depth": 8, "widths": (32, 16)}, r"widths must not fall.*Received: \(32, 16\)"),
        ({"depth": 8, "input_shape": 28}, r"input_shape must be \(height.*Received: 28"),
        ({"depth": 8, "input_shape": (28, 28)}, r"input_shape must be .*Received: \(28, 28\)"),
        (
            {"depth": 8, "input_shape": (28, 0, 1)},
            "input_shape must be between 1 and 8192. Received: 0",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        network(**arguments)


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (1.5, TypeError), (True, TypeError)])
def test_bad_seed(seed, error):
    with pytest.raises(error, match=f"seed must be .* Received: {seed}"):
        reset_weights(network(8), seed)
