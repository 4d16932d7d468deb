"""Lesions: blocks taken out and put in another order, against the same done by hand."""

import numpy as np
import pytest

from resnet_lesson.diagnostics import exchangeable, reordered, run_parts, without_branch
from resnet_lesson.models import network, reset_weights, segments, with_outputs


def trained(shortcut="padded", block="basic", **options):
    """Make a network whose normalisations are no identities."""
    model = network(
        blocks_per_stage=(3, 2), shortcut=shortcut, block=block, widths=(4, 8),
        input_shape=(8, 8, 1), **options,
    )  # fmt: skip
    reset_weights(model, 0)
    generator = np.random.default_rng(0)
    model.set_weights(
        [w + 0.1 * np.abs(generator.normal(size=w.shape)) for w in model.get_weights()]
    )
    return model


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).normal(size=(8, 8, 8, 1)).astype("float32")


@pytest.mark.parametrize("shortcut", ["none", "padded", "projection"])
def test_all_parts_in_order_are_the_model(shortcut, images):
    model = trained(shortcut)
    logits = run_parts(segments(model), images)
    np.testing.assert_allclose(logits, model(images, training=False), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shortcut", ["padded", "projection"])
@pytest.mark.parametrize("name", ["stage1_block2", "stage2_block1"])
def test_without_branch_is_a_branch_of_zero(shortcut, name, images):
    """With γ = β = 0 in the last normalisation, F(x) = 0 and the shortcut alone is left."""
    model = trained(shortcut)
    cut = run_parts(without_branch(segments(model), name), images)
    untouched = run_parts(segments(model), images)
    norm = model.get_layer(f"{name}_norm2")
    norm.gamma.assign(0 * norm.gamma)
    norm.beta.assign(0 * norm.beta)
    np.testing.assert_allclose(cut, model(images, training=False), rtol=1e-4, atol=1e-4)
    assert not np.allclose(cut, untouched, rtol=1e-2)


def test_without_branch_of_a_plain_block_leaves_it_out(images):
    model = trained("none")
    parts = segments(model)
    by_hand = {name: part for name, part in parts.items() if name != "stage1_block2"}
    cut = run_parts(without_branch(parts, "stage1_block2"), images)
    np.testing.assert_allclose(cut, run_parts(by_hand, images), rtol=1e-5)


def test_without_branch_of_a_plain_block_that_changes_the_shape(images):
    model = trained("none")
    parts = segments(model)
    x = with_outputs(model, ["stage1_block3_out"])(images, training=False)["stage1_block3_out"]
    by_hand = np.pad(np.asarray(x)[:, ::2, ::2], [(0, 0)] * 3 + [(0, 4)])
    for name in ("stage2_block2", "head"):
        by_hand = parts[name](by_hand, training=False)
    cut = run_parts(without_branch(parts, "stage2_block1"), images)
    np.testing.assert_allclose(cut, by_hand, rtol=1e-4, atol=1e-4)


def test_dense_blocks_can_be_taken_out(images):
    model = network(8, "none", block="dense", widths=(5,), input_shape=(8, 8, 1))
    parts = segments(model)
    by_hand = {name: part for name, part in parts.items() if name != "stage1_block3"}
    cut = run_parts(without_branch(parts, "stage1_block3"), images)
    np.testing.assert_allclose(cut, run_parts(by_hand, images), rtol=1e-5)


def test_reordered(images):
    model = trained()
    parts = segments(model)
    other = reordered(parts, ["stage1_block3", "stage1_block1"])
    assert list(other) == [
        "stem", "stage1_block3", "stage1_block2", "stage1_block1", "stage2_block1",
        "stage2_block2", "head",
    ]  # fmt: skip
    assert all(other[name] is part for name, part in parts.items())
    x = images
    for name in other:
        x = parts[name](x, training=False)
    np.testing.assert_allclose(run_parts(other, images), x, rtol=1e-4)
    assert not np.allclose(run_parts(parts, images), x, rtol=1e-2)


def test_exchangeable():
    kinds = exchangeable(segments(trained()))
    assert kinds["stage1_block1"] == kinds["stage1_block3"] == (4, 4, 4)
    assert kinds["stage2_block1"] == ((4, 4, 4), (2, 2, 8))
    assert kinds["stage2_block2"] == (2, 2, 8)
    assert len(kinds) == 5


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (
            ["stage1_block1", "stage1_block1"],
            "order must be names out of .*Received: \\['stage",
        ),
        (["stage1_block1", "head"], "order must be names out of .*Received: \\['stage"),
        (["stage1_block1", "stage2_block2"], "order must hold blocks that keep one shape"),
        (["stage2_block1", "stage2_block2"], "order must hold blocks that keep one shape"),
    ],
)
def test_blocks_that_cannot_change_places(order, message):
    with pytest.raises(ValueError, match=message):
        reordered(segments(trained()), order)


def test_no_such_block():
    with pytest.raises(
        ValueError, match="name must be one of .*'stage1_block1'.* Received: 'stem'"
    ):
        without_branch(segments(trained()), "stem")
