"""Lesions: blocks taken out and put in another order, against the same done by hand."""

import functools

import keras
import numpy as np
import pytest
from small import IMAGES, small

from resnet_lesson.diagnostics import exchangeable, reordered, run_parts, without_branch
from resnet_lesson.models import segments, with_outputs


@functools.cache
def built(shortcut):
    """Make a network, and weights with which its normalisations are no identities."""
    model = small(shortcut, (3, 2))
    draw = np.random.default_rng(0)
    weights = [w + 0.1 * np.abs(draw.normal(size=w.shape)) for w in model.get_weights()]
    return model, weights, segments(model)


def trained(shortcut="padded"):
    model, weights, _ = built(shortcut)
    model.set_weights(weights)
    return model


def parts_of(shortcut="padded"):
    """Return the segments of a network, which share its weights."""
    trained(shortcut)
    return dict(built(shortcut)[2])


def assert_gives(parts, expected):
    np.testing.assert_allclose(run_parts(parts, IMAGES), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shortcut", ["none", "padded", "projection"])
def test_all_parts_in_order_are_the_model(shortcut):
    model = trained(shortcut)
    assert_gives(parts_of(shortcut), model(IMAGES, training=False))


@pytest.mark.parametrize("shortcut", ["padded", "projection"])
@pytest.mark.parametrize("name", ["stage1_block2", "stage2_block1"])
def test_without_branch_is_a_branch_of_zero(shortcut, name):
    """With γ = β = 0 in the last normalisation, F(x) = 0 and the shortcut alone is left."""
    model = trained(shortcut)
    cut = run_parts(without_branch(parts_of(shortcut), name), IMAGES)
    untouched = run_parts(parts_of(shortcut), IMAGES)
    norm = model.get_layer(f"{name}_norm2")
    norm.gamma.assign(0 * norm.gamma)
    norm.beta.assign(0 * norm.beta)
    np.testing.assert_allclose(cut, model(IMAGES, training=False), rtol=1e-4, atol=1e-4)
    assert not np.allclose(cut, untouched, rtol=1e-2)


@pytest.mark.parametrize("block", ["basic", "dense"])
def test_without_branch_of_a_plain_block_leaves_it_out(block):
    dense = small("none", (3,), "dense", widths=(5,))
    parts = parts_of("none") if block == "basic" else segments(dense)
    by_hand = {name: part for name, part in parts.items() if name != "stage1_block2"}
    assert_gives(without_branch(parts, "stage1_block2"), run_parts(by_hand, IMAGES))


def test_without_branch_of_a_plain_block_that_changes_the_shape():
    model = trained("none")
    parts = parts_of("none")
    x = with_outputs(model, ["stage1_block3_out"])(IMAGES, training=False)["stage1_block3_out"]
    by_hand = np.pad(np.asarray(x)[:, ::2, ::2], [(0, 0)] * 3 + [(0, 4)])
    for name in ("stage2_block2", "head"):
        by_hand = parts[name](by_hand, training=False)
    assert_gives(without_branch(parts, "stage2_block1"), by_hand)


def test_reordered():
    parts = parts_of()
    other = reordered(parts, ["stage1_block3", "stage1_block1"])
    stage1 = ["stage1_block3", "stage1_block2", "stage1_block1"]
    assert list(other) == ["stem", *stage1, "stage2_block1", "stage2_block2", "head"]
    assert all(other[name] is part for name, part in parts.items())
    x = IMAGES
    for name in other:
        x = parts[name](x, training=False)
    assert_gives(other, x)
    assert not np.allclose(run_parts(parts, IMAGES), x, rtol=1e-2)


def test_exchangeable():
    kinds = exchangeable(parts_of())
    assert kinds["stage1_block1"] == kinds["stage1_block3"] == (4, 4, 4)
    assert kinds["stage2_block1"] == ((4, 4, 4), (2, 2, 8))
    assert kinds["stage2_block2"] == (2, 2, 8)
    assert len(kinds) == 5


def test_blocks_that_are_not_there_or_cannot_change_places():
    parts = parts_of()
    for first, second in (("stage1_block1", "stage2_block2"), ("stage2_block1", "stage2_block2")):
        with pytest.raises(ValueError, match="order must hold blocks that keep one shape"):
            reordered(parts, [first, second])
    for order in (["stage1_block1"] * 2, ["stage1_block1", "head"]):
        with pytest.raises(ValueError, match=r"order must be names out of .*Received: \['stage"):
            reordered(parts, order)
    with pytest.raises(ValueError, match="name must be one of .*'stage1_block1'.*Received: 'stem'"):
        without_branch(parts, "stem")
    with pytest.raises(ValueError, match=r"images must have the shape \(n, 8, 8, 1\). Received"):
        run_parts(parts, IMAGES[:, :4])


def test_parts_run_in_double_precision():
    keras.config.set_dtype_policy("float64")
    try:
        net = small()
    finally:
        keras.config.set_dtype_policy("float32")
    logits = run_parts(segments(net), IMAGES)
    assert logits.dtype == np.float64
    np.testing.assert_allclose(logits, net(IMAGES, training=False), rtol=1e-9)
