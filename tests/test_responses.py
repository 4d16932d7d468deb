"""Responses of layers and branches, against closed forms and by hand."""

import numpy as np
import pytest

from resnet_lesson.diagnostics import activations, branch_ratios, response_deviations
from resnet_lesson.models import network, reset_weights


def small(shortcut="padded", **options):
    model = network(
        blocks_per_stage=(2, 1),
        shortcut=shortcut,
        block="basic",
        widths=(4, 8),
        input_shape=(8, 8, 1),
        **options,
    )
    reset_weights(model, 0)
    return model


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=(16, 8, 8, 1)).astype("float32")


def test_activations_are_those_of_training_mode(images):
    model = small()
    before = model.get_weights()
    outputs = activations(model, images, ["logits", "stage1_block1_out"])
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert list(outputs) == ["logits", "stage1_block1_out"]
    np.testing.assert_allclose(outputs["logits"], model(images, training=True), atol=1e-5)


@pytest.mark.parametrize("shortcut", ["none", "padded", "projection"])
def test_responses_have_deviation_one_at_the_start(shortcut, images):
    """Normalisation makes them so: γ = 1 and β = 0."""
    deviations = response_deviations(small(shortcut), images)
    assert list(deviations) == [
        f"stage{stage}_block{block}_norm{i}"
        for stage, block in ((1, 1), (1, 2), (2, 1))
        for i in (1, 2)
    ]
    assert list(deviations.values()) == pytest.approx([1] * 6, abs=1e-3)


def test_responses_follow_from_gamma_and_beta(images):
    """Over all numbers the variance is mean(γ²) + var(β)."""
    model = small()
    generator = np.random.default_rng(1)
    gamma, beta = generator.normal(size=(2, 4))
    norm = model.get_layer("stage1_block2_norm2")
    norm.gamma.assign(gamma)
    norm.beta.assign(beta)
    expected = np.sqrt(np.mean(gamma**2) + np.var(beta))
    found = response_deviations(model, images)["stage1_block2_norm2"]
    assert found == pytest.approx(expected, rel=1e-3)


def test_branch_ratios_by_hand(images):
    model = small()
    ratios = branch_ratios(model, images)
    assert list(ratios) == ["stage1_block1", "stage1_block2", "stage2_block1"]
    outputs = activations(
        model, images, ["stage1_block1_out", "stage1_block2_branch", "stage2_block1_branch",
                        "stage1_block2_out"]
    )  # fmt: skip
    x, branch = outputs["stage1_block1_out"], outputs["stage1_block2_branch"]
    by_hand = [np.linalg.norm(f) / np.linalg.norm(c) for f, c in zip(branch, x, strict=True)]
    assert ratios["stage1_block2"] == pytest.approx(np.mean(by_hand), rel=1e-4)
    # The padded shortcut carries every second pixel, and zeros.
    x, branch = outputs["stage1_block2_out"][:, ::2, ::2], outputs["stage2_block1_branch"]
    by_hand = [np.linalg.norm(f) / np.linalg.norm(c) for f, c in zip(branch, x, strict=True)]
    assert ratios["stage2_block1"] == pytest.approx(np.mean(by_hand), rel=1e-4)


def test_branch_ratios_scale_with_gamma(images):
    model = small()
    before = branch_ratios(model, images)["stage2_block1"]
    norm = model.get_layer("stage2_block1_norm2")
    norm.gamma.assign(3 * norm.gamma)
    assert branch_ratios(model, images)["stage2_block1"] == pytest.approx(3 * before, rel=1e-4)


def test_branches_that_start_at_zero(images):
    assert set(branch_ratios(small(zero_init=True), images).values()) == {0.0}


def test_models_without_the_parts_are_refused(images):
    with pytest.raises(ValueError, match="model must have blocks with normalisation. Received: f"):
        response_deviations(small(normalisation=False, name="f"), images)
    with pytest.raises(ValueError, match="model must have residual blocks. Received: plain"):
        branch_ratios(small("none", name="plain"), images)
