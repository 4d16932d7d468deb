"""Jacobians against closed forms, and the two ways of computing them against each other."""

import numpy as np
import pytest
import tensorflow as tf

from resnet_lesson.blocks import DenseBlock
from resnet_lesson.diagnostics import jacobian, jacobian_by_differences

WAYS = [jacobian, jacobian_by_differences]
MATRIX = np.array([[1.0, -2.0], [0.5, 3.0], [0.0, 7.0]])


@pytest.mark.parametrize("way", WAYS)
def test_linear_map(way):
    """Rows are outputs and columns inputs, also where their numbers differ."""
    found = way(lambda x: tf.linalg.matvec(tf.constant(MATRIX), x), [0.3, -4.0])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, MATRIX, atol=1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_products_by_hand(way):
    x = [2.0, -3.0]
    found = way(lambda x: tf.stack([x[0] * x[1], x[0] ** 3]), x)
    np.testing.assert_allclose(found, [[-3.0, 2.0], [12.0, 0.0]], atol=1e-8)


@pytest.mark.parametrize("way", WAYS)
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


@pytest.mark.parametrize("way", WAYS)
def test_bad_arguments(way):
    with pytest.raises(ValueError, match=r"x must have the shape \(n\). Received: \(1, 2\)"):
        way(tf.identity, [[1.0, 2.0]])
    with pytest.raises(ValueError, match="x must be finite. Received: 1 of 1 numbers"):
        way(tf.identity, [np.nan])
    with pytest.raises(ValueError, match=r"value of f must have the shape \(n\). Received: \(\)"):
        way(tf.reduce_sum, [1.0, 2.0])
    with pytest.raises(TypeError, match="f must compute in float64: .* Received: float32"):
        way(lambda x: tf.cast(x, tf.float32), [1.0])


@pytest.mark.parametrize("step", [0, -1e-6, np.nan, np.inf])
def test_bad_step(step):
    with pytest.raises(ValueError, match="step must be a .*number.* Received"):
        jacobian_by_differences(tf.identity, [1.0], step=step)
