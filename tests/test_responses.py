"""Responses of layers and branches by hand; the probe against another way to least squares."""

import numpy as np
import pytest
from small import IMAGES, assert_weights, small

from resnet_lesson.diagnostics import (
    activations,
    branch_ratios,
    probe_accuracy,
    response_deviations,
)


def test_activations_are_those_of_training_mode():
    model = small()
    before = model.get_weights()
    outputs = activations(model, IMAGES, ["logits", "stage1_block1_out"])
    assert_weights(model, before)
    assert list(outputs) == ["logits", "stage1_block1_out"]
    np.testing.assert_allclose(outputs["logits"], model(IMAGES, training=True), atol=1e-5)


@pytest.mark.parametrize("shortcut", ["none", "padded", "projection"])
def test_responses_have_deviation_one_at_the_start(shortcut):
    """Normalisation makes them so: γ = 1 and β = 0."""
    deviations = response_deviations(small(shortcut), IMAGES)
    assert list(deviations) == [
        f"stage{stage}_block{block}_norm{i}"
        for stage, block in ((1, 1), (1, 2), (2, 1))
        for i in (1, 2)
    ]
    assert list(deviations.values()) == pytest.approx([1] * 6, abs=1e-3)


def test_responses_follow_from_gamma_and_beta():
    """Over all numbers the variance is mean(γ²) + var(β)."""
    model = small()
    generator = np.random.default_rng(1)
    gamma, beta = generator.normal(size=(2, 4))
    norm = model.get_layer("stage1_block2_norm2")
    norm.gamma.assign(gamma)
    norm.beta.assign(beta)
    expected = np.sqrt(np.mean(gamma**2) + np.var(beta))
    found = response_deviations(model, IMAGES)["stage1_block2_norm2"]
    assert found == pytest.approx(expected, rel=1e-3)


def test_branch_ratios_by_hand():
    model = small()
    ratios = branch_ratios(model, IMAGES)
    assert list(ratios) == ["stage1_block1", "stage1_block2", "stage2_block1"]
    # The padded shortcut carries every second pixel, and zeros.
    for block, before, step in (("stage1_block2", 1, 1), ("stage2_block1", 2, 2)):
        names = [f"{block}_branch", f"stage1_block{before}_out"]
        branch, x = activations(model, IMAGES, names).values()
        pairs = zip(branch, x[:, ::step, ::step], strict=True)
        by_hand = [np.linalg.norm(f) / np.linalg.norm(c) for f, c in pairs]
        assert ratios[block] == pytest.approx(np.mean(by_hand), rel=1e-4)


def test_branch_ratios_scale_with_gamma():
    model = small()
    before = branch_ratios(model, IMAGES)["stage2_block1"]
    norm = model.get_layer("stage2_block1_norm2")
    norm.gamma.assign(3 * norm.gamma)
    assert branch_ratios(model, IMAGES)["stage2_block1"] == pytest.approx(3 * before, rel=1e-4)


def test_branches_that_start_at_zero():
    assert set(branch_ratios(small(zero_init=True), IMAGES).values()) == {0.0}


def test_models_without_the_parts_are_refused():
    with pytest.raises(ValueError, match="names must have 1 or more entries"):
        response_deviations(small(normalisation=False), IMAGES)
    with pytest.raises(ValueError, match="names must have 1 or more entries"):
        branch_ratios(small("none"), IMAGES)


def brute_force(features, labels, test_features, test_labels, penalty):
    """Solve for W and b by ordinary least squares, the penalty written as more equations."""
    n, d = features.shape
    centred = features - features.mean(axis=0)
    strength = penalty * np.sum(centred**2) / n
    equations = np.block(
        [[features, np.ones((n, 1))], [np.sqrt(strength) * np.eye(d), np.zeros((d, 1))]]
    )
    targets = np.vstack([np.eye(labels.max() + 1)[labels], np.zeros((d, labels.max() + 1))])
    solution = np.linalg.lstsq(equations, targets, rcond=None)[0]
    scores = np.hstack([test_features, np.ones((len(test_features), 1))]) @ solution
    return np.mean(scores.argmax(axis=1) == test_labels)


@pytest.mark.parametrize("shape", [(60, 5), (20, 50)])
@pytest.mark.parametrize("penalty", [1e-3, 0.1, 10])
def test_probe_against_brute_force(shape, penalty):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, size=shape[0])
    labels[:4] = range(4)
    test_labels = generator.integers(0, 4, size=500)
    centres = generator.normal(size=(4, shape[1])) + 2
    features = centres[labels] + 3 * generator.normal(size=shape)
    test_features = centres[test_labels] + 3 * generator.normal(size=(500, shape[1]))
    found = probe_accuracy(features, labels, test_features, test_labels, penalty)
    expected = brute_force(features, labels, test_features, test_labels, penalty)
    assert 0.3 < found < 1
    assert found == pytest.approx(expected, abs=1e-12)
    moved = [7 * x.reshape(len(x), -1, 1) + 3 for x in (features, test_features)]
    again = probe_accuracy(moved[0], labels, moved[1], test_labels, penalty)
    assert again == pytest.approx(found, abs=0.005)


def test_what_a_line_separates_is_read_without_a_mistake():
    x = np.linspace(-1, 1, 40)[:, None]
    labels = (x[:, 0] > 0).astype(int)
    assert probe_accuracy(x, labels, x, labels, penalty=1e-6) == 1


def test_what_no_line_separates_is_not_read():
    """Exclusive or: each feature alone, and their sum, say nothing; their product says it."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10, dtype=float)
    labels = (x[:, 0] != x[:, 1]).astype(int)
    assert probe_accuracy(x, labels, x, labels) <= 0.5
    with_product = np.c_[x, x[:, :1] * x[:, 1:]]
    assert probe_accuracy(with_product, labels, with_product, labels) == 1


def test_features_that_are_all_equal_give_the_most_frequent_class():
    labels = np.array([0, 1, 1, 2])
    assert probe_accuracy(np.zeros((4, 3)), labels, np.zeros((4, 3)), labels) == 0.5


def test_features_that_do_not_fit_each_other():
    labels = np.zeros(4, int)
    with pytest.raises(ValueError, match=r"\(4,3\) \(2,\)"):
        probe_accuracy(np.zeros((4, 2)), labels, np.zeros((4, 3)), labels)
