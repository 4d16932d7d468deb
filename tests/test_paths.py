"""Gradients by path: against the tape, against all paths one by one, and in closed form."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from resnet_lesson.diagnostics import gradients_by_length, path_gradients
from resnet_lesson.models import network, reset_weights, segments

MODELS = {
    "basic": {"blocks_per_stage": (2, 1), "block": "basic", "widths": (4, 8)},
    "bottleneck": {"blocks_per_stage": (1, 2), "widths": (4, 8)},
    "projections": {"blocks_per_stage": (1, 1), "shortcut": "projection", "widths": (4, 8)},
    "no normalisation": {"blocks_per_stage": (2, 1), "normalisation": False, "widths": (4, 8)},
    "dense": {"depth": 8, "block": "dense", "widths": (5,)},
}


@pytest.fixture(scope="module")
def batch():
    generator = np.random.default_rng(0)
    return generator.normal(size=(6, 8, 8, 1)).astype("float32"), generator.integers(0, 3, size=6)


def made(**options):
    model = network(**options, input_shape=(8, 8, 1), classes=3)
    reset_weights(model, 0)
    return model


def whole_gradient(model, images, labels):
    """Return the gradient at the stem's output by the tape alone, through the whole network."""
    stem, *rest = segments(model).values()
    x = tf.constant(np.asarray(stem(images, training=True)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x
        for part in rest:
            y = part(y, training=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=y)
        loss = tf.reduce_mean(losses)
    return tape.gradient(loss, x).numpy()


@pytest.mark.parametrize("name", MODELS)
def test_lengths_add_up_to_the_whole_gradient(name, batch):
    model = made(**MODELS[name])
    before = model.get_weights()
    flows = gradients_by_length(model, *batch)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    whole = whole_gradient(model, *batch)
    assert flows.shape == (len(segments(model)) - 1, *whole.shape)
    np.testing.assert_allclose(flows.sum(axis=0), whole, atol=1e-5 * np.abs(whole).max())
    assert np.all(np.abs(flows).max(axis=tuple(range(1, flows.ndim))) > 0)


@pytest.mark.parametrize("name", MODELS)
def test_each_length_is_the_sum_over_its_paths(name, batch):
    model = made(**MODELS[name])
    flows = gradients_by_length(model, *batch)
    blocks = len(flows) - 1
    paths = list(itertools.product((False, True), repeat=blocks))
    gradients = path_gradients(model, *batch, paths)
    for length, flow in enumerate(flows):
        chosen = [g for g, path in zip(gradients, paths, strict=True) if sum(path) == length]
        assert len(chosen) == math.comb(blocks, length)
        np.testing.assert_allclose(sum(chosen), flow, atol=1e-5 * np.abs(flow).max())


def test_branches_of_zero_leave_the_path_through_all_shortcuts(batch):
    model = made(**MODELS["basic"], zero_init=True)
    flows = gradients_by_length(model, *batch)
    np.testing.assert_allclose(flows[0], whole_gradient(model, *batch), atol=1e-7)
    assert not flows[1:].any()


def test_scaled_branches_scale_each_length_by_a_power(batch):
    """In a network that is linear, branches of half the size give length k a factor 2^−k."""
    model = made(depth=8, block="dense", widths=(5,), normalisation=False)
    # Nothing is negative, so no ReLU cuts; a tiny head leaves the logits, and softmax, near zero.
    model.set_weights([np.abs(w) for w in model.get_weights()])
    head = model.get_layer("logits")
    head.set_weights([1e-10 * np.random.default_rng(1).normal(size=(5, 3)), np.zeros(3)])
    images, labels = np.abs(batch[0]), batch[1]
    whole = gradients_by_length(model, images, labels)
    for name in ("stage1_block1", "stage1_block2", "stage1_block3"):
        kernel = model.get_layer(f"{name}_dense2").kernel
        kernel.assign(kernel / 2)
    halved = gradients_by_length(model, images, labels)
    for length in range(4):
        np.testing.assert_allclose(halved[length], whole[length] / 2**length, rtol=1e-3)
        assert np.abs(halved[length]).max() > 0


def test_bad_arguments(batch):
    with pytest.raises(ValueError, match="a shortcut in each block. Received: none in stage1_bl"):
        gradients_by_length(made(blocks_per_stage=(1,), shortcut="none", widths=(4,)), *batch)
    with pytest.raises(ValueError, match=r"each of 3 blocks. Received: \(True,\)"):
        path_gradients(made(**MODELS["basic"]), *batch, [(True,)])
