"""Counts by formula against counts by hand; gradients against finite differences."""

import keras
import numpy as np
import pytest

from resnet_lesson.article import article_network
from resnet_lesson.diagnostics import gradient_norms, layer_counts, weighted_layers
from resnet_lesson.models import network, reset_weights
from resnet_lesson.training import cross_entropy


def test_counts_of_a_small_network_by_hand():
    counts = {count.name: count for count in layer_counts(network(8))}
    # Stem: 3×3, 1 → 16 channels, on 14×14 pixels.
    assert counts["stem_conv"].multiply_adds == 14 * 14 * 9 * 1 * 16
    assert counts["stem_conv"].parameters == 9 * 16
    assert counts["stem_norm"].parameters == 2 * 16
    # Stage 1: 1×1 16 → 8, 3×3 8 → 8, 1×1 8 → 16.
    assert counts["stage1_block1_conv1"].multiply_adds == 14 * 14 * 16 * 8
    assert counts["stage1_block1_conv2"].multiply_adds == 14 * 14 * 9 * 8 * 8
    assert counts["stage1_block1_conv3"].multiply_adds == 14 * 14 * 8 * 16
    assert counts["stage1_block1_add"].multiply_adds == 14 * 14 * 16
    assert counts["stage1_block1_add"].parameters == 0
    # Stage 2 halves the image in its first convolution.
    assert counts["stage2_block1_conv1"].multiply_adds == 7 * 7 * 16 * 16
    assert counts["stage2_block1_conv2"].multiply_adds == 7 * 7 * 9 * 16 * 16
    assert counts["logits"].multiply_adds == 32 * 10
    assert counts["logits"].parameters == 33 * 10


def test_a_dense_layer_counts_at_each_position():
    inputs = keras.Input((7, 5, 3))
    (_, count) = layer_counts(keras.Model(inputs, keras.layers.Dense(4)(inputs)))
    assert count.multiply_adds == 7 * 5 * 3 * 4
    assert count.parameters == 4 * 4
    sequential = keras.Sequential([inputs, keras.layers.Dense(4)])
    assert [one.multiply_adds for one in layer_counts(sequential)] == [count.multiply_adds]


@pytest.mark.parametrize("shortcut", ["none", "padded", "projection"])
def test_totals_equal_those_of_keras(shortcut):
    model = network(20, shortcut)
    total = sum(count.parameters for count in layer_counts(model))
    assert total == sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_plain_and_residual_differ_by_the_additions_alone():
    plain, residual = (
        {c.name: c for c in layer_counts(network(20, s))} for s in ("none", "padded")
    )
    extra = residual.keys() - plain.keys()
    assert {name.rsplit("_", 1)[1] for name in extra} == {"add", "shortcut"}
    for name, count in plain.items():
        assert residual[name] == count


def test_multiply_adds_of_resnet50_are_those_of_the_paper():
    """He 2016a, Table 1 gives 3.8 billion for the 50-layer network on 224 × 224 images."""
    model = keras.applications.ResNet50(weights=None)
    counts = [c for c in layer_counts(model) if c.kind in ("Conv2D", "Dense")]
    assert sum(count.multiply_adds for count in counts) == pytest.approx(3.8e9, rel=0.02)


def test_a_shared_kernel_costs_twice_and_is_stored_once():
    written, repaired = (
        {c.name: c for c in layer_counts(article_network(fixes))}
        for fixes in ((), ("own projection",))
    )
    assert written["block5_conv3"].multiply_adds == 2 * 14 * 14 * 16 * 32
    assert written["block5_conv3"].parameters == 16 * 32
    for counts in (repaired["block5_conv3"], repaired["block5_shortcut"]):
        assert (counts.multiply_adds, counts.parameters) == (14 * 14 * 16 * 32, 16 * 32)
    totals = [sum(c.multiply_adds for c in counts.values()) for counts in (written, repaired)]
    assert totals[0] == totals[1]
    assert (written["block1_bias3"].multiply_adds, written["block1_bias3"].parameters) == (0, 16)
    assert weighted_layers(article_network()) == 18  # stem, 5 × 3, two dense


def test_projections_do_not_count_as_depth():
    assert weighted_layers(network(20, "projection")) == 20


def test_layers_without_a_formula_are_refused():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.DepthwiseConv2D(3)(inputs))
    with pytest.raises(ValueError, match="Received: depthwise_conv2d, a DepthwiseConv2D"):
        layer_counts(model)


def test_gradient_norms_against_finite_differences():
    model = network(6, block="dense", widths=(5,), input_shape=(2, 2, 1), classes=3)
    reset_weights(model, 0)
    generator = np.random.default_rng(0)
    images = generator.normal(size=(16, 2, 2, 1)).astype("float32")
    labels = generator.integers(0, 3, size=16)
    before = model.get_weights()
    norms = gradient_norms(model, images, labels)
    assert [*norms][:2] == ["stem_dense", "stage1_block1_dense1"]
    assert list(norms)[-1] == "logits"
    assert len(norms) == 6
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # moving averages too

    def loss():
        return cross_entropy(model(images, training=True).numpy(), labels).mean()

    for name in ("stem_dense", "stage1_block1_dense2", "logits"):
        kernel = model.get_layer(name).kernel
        start, step = kernel.numpy(), 1e-2
        slopes = []
        for at in np.ndindex(start.shape):
            sides = []
            for sign in (1, -1):
                moved = start.copy()
                moved[at] += sign * step
                kernel.assign(moved)
                sides.append(loss())
            slopes.append((sides[0] - sides[1]) / (2 * step))
        kernel.assign(start)
        assert norms[name] == pytest.approx(np.linalg.norm(slopes), rel=0.02)
