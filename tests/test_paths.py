"""Gradients by path: against the tape, against all paths one by one, and in closed form."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from small import IMAGES, LABELS, assert_weights, small

from resnet_lesson.diagnostics import gradients_by_length, path_gradients
from resnet_lesson.models import segments

MODELS = {
    "basic": {},
    "bottleneck": {"blocks_per_stage": (1, 2), "block": "bottleneck"},
    "projections": {"shortcut": "projection", "block": "bottleneck"},
    "no normalisation": {"normalisation": False, "block": "bottleneck"},
    "dense": {"blocks_per_stage": (3,), "block": "dense", "widths": (5,)},
}
BATCH = IMAGES[:6], LABELS[:6]


def whole_gradient(model):
    """Return the gradient at the stem's output by the tape alone, through the whole network."""
    images, labels = BATCH
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
def test_lengths_add_up_to_the_whole_gradient(name):
    model = small(**MODELS[name])
    before = model.get_weights()
    flows = gradients_by_length(model, *BATCH)
    assert_weights(model, before)
    whole = whole_gradient(model)
    assert flows.shape == (len(segments(model)) - 1, *whole.shape)
    np.testing.assert_allclose(flows.sum(axis=0), whole, atol=1e-5 * np.abs(whole).max())
    assert np.all(np.abs(flows).max(axis=tuple(range(1, flows.ndim))) > 0)


@pytest.mark.parametrize("name", MODELS)
def test_each_length_is_the_sum_over_its_paths(name):
    model = small(**MODELS[name])
    flows = gradients_by_length(model, *BATCH)
    blocks = len(flows) - 1
    paths = list(itertools.product((False, True), repeat=blocks))
    gradients = path_gradients(model, *BATCH, paths)
    for length, flow in enumerate(flows):
        chosen = [g for g, path in zip(gradients, paths, strict=True) if sum(path) == length]
        assert len(chosen) == math.comb(blocks, length)
        np.testing.assert_allclose(sum(chosen), flow, atol=1e-5 * np.abs(flow).max())


def test_branches_of_zero_leave_the_path_through_all_shortcuts():
    model = small(**MODELS["basic"], zero_init=True)
    flows = gradients_by_length(model, *BATCH)
    np.testing.assert_allclose(flows[0], whole_gradient(model), atol=1e-7)
    assert not flows[1:].any()


def test_scaled_branches_scale_each_length_by_a_power():
    """In a network that is linear, branches of half the size give length k a factor 2^−k."""
    model = small(**MODELS["dense"], normalisation=False)
    # Nothing is negative, so no ReLU cuts; a tiny head leaves the logits, and softmax, near zero.
    model.set_weights([np.abs(w) for w in model.get_weights()])
    head = model.get_layer("logits")
    head.set_weights([1e-10 * np.random.default_rng(1).normal(size=(5, 3)), np.zeros(3)])
    images, labels = np.abs(BATCH[0]), BATCH[1]
    whole = gradients_by_length(model, images, labels)
    for block in (1, 2, 3):
        kernel = model.get_layer(f"stage1_block{block}_dense2").kernel
        kernel.assign(kernel / 2)
    halved = gradients_by_length(model, images, labels)
    for length in range(4):
        np.testing.assert_allclose(halved[length], whole[length] / 2**length, rtol=1e-3)
        assert np.abs(halved[length]).max() > 0


def test_paths_and_models_that_do_not_fit():
    with pytest.raises(ValueError, match="a shortcut in each block. Received: none in stage1_bl"):
        gradients_by_length(small("none"), *BATCH)
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        path_gradients(small(**MODELS["basic"]), *BATCH, [(True,)])
