"""Counts by formula against counts by hand; times by a clock that the test moves."""

import time

import keras
import numpy as np
import pytest

from resnet_lesson.article import article_network
from resnet_lesson.diagnostics import layer_counts, median_seconds, weighted_layers
from resnet_lesson.models import network


def by_name(model):
    return {count.name: count for count in layer_counts(model)}


def test_counts_of_a_small_network_by_hand():
    counts = by_name(network(8))
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


@pytest.mark.parametrize(
    ("depth", "normalisation", "share"),
    [(8, 0.013, 0.0131), (20, 0.031, 0.0136), (56, 0.088, 0.0137)],
)
def test_normalisation_is_counted_whoever_computes_it(depth, normalisation, share):
    """In millions; the course's own normalisation is a subclass of Keras's."""
    counts = layer_counts(network(depth))
    work = {
        kind: sum(count.multiply_adds for count in counts if count.kind == kind)
        for kind in ("Conv2D", "BatchNormalization", "Add")
    }
    assert work["BatchNormalization"] / 1e6 == pytest.approx(normalisation, abs=5e-4)
    assert work["Add"] / sum(work.values()) == pytest.approx(share, abs=5e-5)


def test_a_subclass_counts_as_what_it_refines():
    class Wide(keras.layers.Conv2D):
        pass

    class Own(keras.layers.Layer):
        def call(self, x):
            return x

    inputs = keras.Input((8, 8, 3))
    counts = layer_counts(keras.Model(inputs, Own()(Wide(4, 1)(inputs))))
    assert [count.kind for count in counts] == ["InputLayer", "Conv2D", "Layer"]
    assert counts[1].multiply_adds == 8 * 8 * 3 * 4


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
    assert weighted_layers(model) == 20  # projections do not count as depth


def test_plain_and_residual_differ_by_the_additions_alone():
    plain, residual = by_name(network(20, "none")), by_name(network(20, "padded"))
    extra = residual.keys() - plain.keys()
    assert {name.rsplit("_", 1)[1] for name in extra} == {"add", "shortcut"}
    assert {name: residual[name] for name in plain} == plain


def test_multiply_adds_of_resnet50_are_those_of_the_paper():
    """He 2016a, Table 1 gives 3.8 billion for the 50-layer network on 224 × 224 images."""
    model = keras.applications.ResNet50(weights=None)
    counts = [c for c in layer_counts(model) if c.kind in ("Conv2D", "Dense")]
    assert sum(count.multiply_adds for count in counts) == pytest.approx(3.8e9, rel=0.02)


def test_a_shared_kernel_costs_twice_and_is_stored_once():
    written, repaired = by_name(article_network()), by_name(article_network(["own projection"]))
    assert written["block5_conv3"].multiply_adds == 2 * 14 * 14 * 16 * 32
    assert written["block5_conv3"].parameters == 16 * 32
    for count in (repaired["block5_conv3"], repaired["block5_shortcut"]):
        assert (count.multiply_adds, count.parameters) == (14 * 14 * 16 * 32, 16 * 32)
    totals = [sum(c.multiply_adds for c in counts.values()) for counts in (written, repaired)]
    assert totals[0] == totals[1]
    assert (written["block1_bias3"].multiply_adds, written["block1_bias3"].parameters) == (0, 16)
    assert weighted_layers(article_network()) == 18  # stem, 5 × 3, two dense


@pytest.mark.parametrize("kind", [keras.layers.DepthwiseConv2D, keras.layers.Conv2DTranspose])
def test_layers_without_a_formula_are_refused(kind):
    inputs = keras.Input((8, 8, 3))
    options = {"filters": 2} if kind is keras.layers.Conv2DTranspose else {}
    model = keras.Model(inputs, kind(kernel_size=3, name="one", **options)(inputs))
    with pytest.raises(ValueError, match=f"Received: one, a {kind.__name__}"):
        layer_counts(model)


def test_median_of_the_timed_rounds_alone(monkeypatch):
    """The clock stands still but for what the calls spend."""
    log = []
    monkeypatch.setattr(time, "perf_counter", lambda: sum(spent for _, spent in log))

    def call(name, *seconds):
        following = iter(seconds)
        return lambda: log.append((name, next(following)))

    calls = {"b": call("b", 70, 5, 6, 4), "a": call("a", 50, 3, 1, 20)}
    assert median_seconds(calls, repeats=3, warm_up=1) == {"b": 5.0, "a": 3.0}
    assert [name for name, _ in log] == ["b", "a"] * 4  # they take turns


def test_the_real_clock_gives_positive_seconds():
    assert median_seconds({"sum": lambda: sum(range(1000))}, repeats=3)["sum"] > 0
