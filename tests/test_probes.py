"""The linear probe, against the same least-squares problem solved in another way."""

import numpy as np
import pytest

from resnet_lesson.diagnostics import probe_accuracy


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
def test_against_brute_force(shape, penalty):
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
    """Exclusive or: each feature alone, and their sum, say nothing."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 10, dtype=float)
    labels = (x[:, 0] != x[:, 1]).astype(int)
    assert probe_accuracy(x, labels, x, labels) <= 0.5
    assert probe_accuracy(np.c_[x, x[:, :1] * x[:, 1:]], labels,
                          np.c_[x, x[:, :1] * x[:, 1:]], labels) == 1  # fmt: skip


def test_features_that_are_all_equal_give_the_most_frequent_class():
    labels = np.array([0, 1, 1, 2])
    assert probe_accuracy(np.zeros((4, 3)), labels, np.zeros((4, 3)), labels) == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros(3, int)}, r"labels must have the shape \(4,\).* Received: \(3,\)"),
        ({"test_features": np.zeros((5, 3))}, r"as many numbers an image .* Received: 2 and 3"),
        ({"features": np.zeros(4)}, r"features must have the shape \(n, …\), n ≥ 1. Received: \(4"),
        ({"penalty": 0}, "penalty must be a number above 0. Received: 0"),
    ],
)
def test_bad_arguments(change, message):
    good = {
        "features": np.zeros((4, 2)),
        "labels": np.zeros(4, int),
        "test_features": np.zeros((5, 2)),
        "test_labels": np.zeros(5, int),
    }
    with pytest.raises(ValueError, match=message):
        probe_accuracy(**(good | change))
