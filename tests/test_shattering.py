"""Gradients along a line of inputs, and how much they resemble their neighbours."""

import keras
import numpy as np
import pytest

from resnet_lesson.diagnostics import autocorrelation, input_gradients, set_averages
from resnet_lesson.models import network, reset_weights


def test_autocorrelation_of_alternating_signs():
    """+1, −1, +1, …: at lag k it is (−1)^k (n − k) / n."""
    n = 10
    found = autocorrelation(np.array([1.0, -1.0] * (n // 2)), 4)
    np.testing.assert_allclose(found, [(-1) ** k * (n - k) / n for k in range(5)])


def test_autocorrelation_by_brute_force():
    values = np.random.default_rng(0).normal(size=30) + 5
    mean = values.mean()
    for lag, found in enumerate(autocorrelation(values, 7)):
        top = sum((values[t] - mean) * (values[t + lag] - mean) for t in range(30 - lag))
        assert found == pytest.approx(top / sum((v - mean) ** 2 for v in values))
    np.testing.assert_allclose(autocorrelation(3 * values - 1, 7), autocorrelation(values, 7))


def test_white_and_brown_noise():
    white = np.random.default_rng(0).normal(size=10_000)
    assert np.all(np.abs(autocorrelation(white, 10)[1:]) < 0.05)
    assert np.all(autocorrelation(np.cumsum(white), 10) > 0.95)


def test_autocorrelation_of_a_process_with_memory():
    """For v_t = a v_{t−1} + noise, it is a^k."""
    generator = np.random.default_rng(0)
    values = [0.0]
    for noise in generator.normal(size=50_000):
        values.append(0.8 * values[-1] + noise)
    np.testing.assert_allclose(autocorrelation(values, 5), 0.8 ** np.arange(6), atol=0.03)


def test_input_gradients_against_differences():
    model = network(
        8, block="dense", widths=(20,), input_shape=(1, 1, 1), classes=1
    )  # fmt: skip
    reset_weights(model, 0)
    grid = np.linspace(-2, 2, 50, dtype="float32").reshape(-1, 1, 1, 1)
    set_averages(model, grid)
    found = input_gradients(model, grid)
    assert found.shape == grid.shape
    step = 1e-3
    outputs = [np.asarray(model(grid + s * step, training=False))[:, 0] for s in (-1, 1)]
    by_differences = (outputs[1] - outputs[0]) / (2 * step)
    close = np.isclose(found.ravel(), by_differences, rtol=0.02, atol=0.02)
    assert close.mean() > 0.85  # the others have a kink within the step


def test_input_gradients_of_a_linear_model():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    kernel = np.arange(6.0).reshape(3, 2)
    model.set_weights([kernel, np.ones(2)])
    found = input_gradients(model, np.ones((4, 3), "float32"))
    np.testing.assert_allclose(found, np.tile(kernel[:, 0], (4, 1)))


@pytest.mark.parametrize(
    ("values", "lags", "message"),
    [
        ([1, 1, 1], 1, r"not all equal. Received: shape \(3,\)"),
        ([], 0, r"values must not be empty. Received: shape \(0,\)"),
        (np.ones((2, 2)), 1, r"shape \(n\). Received: \(2, 2\)"),
        ([1, 2, 3], 3, "lags must be between 0 and 2. Received: 3"),
    ],
)
def test_bad_values(values, lags, message):
    with pytest.raises(ValueError, match=message):
        autocorrelation(values, lags)
