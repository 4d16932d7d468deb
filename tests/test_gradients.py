"""Gradients against finite differences and closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet_lesson.blocks import DenseBlock
from resnet_lesson.diagnostics import (
    autocorrelation,
    gradient_norms,
    input_gradients,
    jacobian,
    jacobian_by_differences,
    set_averages,
)
from resnet_lesson.models import network, reset_weights
from resnet_lesson.training import cross_entropy

WAYS = pytest.mark.parametrize("way", [jacobian, jacobian_by_differences])
MATRIX = np.array([[1.0, -2.0], [0.5, 3.0], [0.0, 7.0]])


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

    def loss(weights):
        kernel.assign(weights)
        return cross_entropy(model(images, training=True).numpy(), labels).mean()

    for name in ("stem_dense", "stage1_block1_dense2", "logits"):
        kernel = model.get_layer(name).kernel
        start, step = kernel.numpy(), 1e-2
        slopes = []
        for at in np.ndindex(start.shape):
            move = np.zeros_like(start)
            move[at] = step
            slopes.append((loss(start + move) - loss(start - move)) / (2 * step))
        kernel.assign(start)
        assert norms[name] == pytest.approx(np.linalg.norm(slopes), rel=0.02)


def test_input_gradients_against_differences():
    model = network(8, block="dense", widths=(20,), input_shape=(1, 1, 1), classes=1)
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


def test_autocorrelation_of_noise_with_and_without_memory():
    """For v_t = a v_{t−1} + noise, it is a^k: 0 for white noise, 1 for brown noise."""
    white = np.random.default_rng(0).normal(size=50_000)
    some = [0.0]
    for noise in white:
        some.append(0.8 * some[-1] + noise)
    for memory, values in ((0.0, white), (0.8, some), (1.0, np.cumsum(white))):
        np.testing.assert_allclose(autocorrelation(values, 5), memory ** np.arange(6), atol=0.03)


@WAYS
def test_jacobian_of_a_linear_map(way):
    """Rows are outputs and columns inputs, also where their numbers differ."""
    found = way(lambda x: tf.linalg.matvec(tf.constant(MATRIX), x), [0.3, -4.0])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, MATRIX, atol=1e-9)


@WAYS
def test_jacobian_of_products_by_hand(way):
    x = [2, -3]
    found = way(lambda x: tf.stack([x[0] * x[1], x[0] ** 3]), x)
    np.testing.assert_allclose(found, [[-3.0, 2.0], [12.0, 0.0]], atol=1e-8)


@WAYS
def test_an_output_that_does_not_depend_on_x(way):
    found = way(lambda x: tf.constant([1.0, 2.0], tf.float64), [0.5, 0.5, 0.5])
    np.testing.assert_array_equal(found, np.zeros((2, 3)))


def test_at_a_kink_differences_give_the_mean_of_both_slopes():
    np.testing.assert_allclose(jacobian_by_differences(tf.nn.relu, [0.0]), [[0.5]])
    np.testing.assert_array_equal(jacobian(tf.nn.relu, [0.0]), [[0.0]])  # TensorFlow's choice


def test_error_of_the_differences_is_of_second_order():
    exact = np.exp(1.0)
    errors = [
        abs(jacobian_by_differences(tf.exp, [1.0], step=step)[0, 0] - exact)
        for step in (1e-2, 1e-3)
    ]
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("shortcut", ["identity", "none"])
def test_both_ways_agree_on_a_block(shortcut):
    block = DenseBlock(5, shortcut, normalisation=False, dtype="float64")
    block.build((None, 5))
    generator = np.random.default_rng(1)
    for layer in block.weight_layers:
        layer.set_weights([generator.normal(size=w.shape) for w in layer.get_weights()])
    x = np.abs(generator.normal(size=5))

    def f(a):
        return block(a[None])[0]

    found = jacobian(f, x)
    assert np.abs(found).max() > 0.1
    np.testing.assert_allclose(found, jacobian_by_differences(f, x), atol=1e-7)
