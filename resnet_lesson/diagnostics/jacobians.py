"""Jacobians of vector functions: by automatic differentiation, and by differences to check it.

References
    Griewank, Walther 2008: Evaluating Derivatives, second edition, SIAM.
"""

import numpy as np
import tensorflow as tf

from resnet_lesson.arguments import array, function, positive_number


def jacobian(f, x):
    """Compute the Jacobian of ``f`` at ``x`` with a GradientTape.

    Args:
        f: function of a float64 tensor of shape (n,) that returns a float64 tensor of shape (m,).
        x: numbers, shape (n,): the point.

    Returns:
        float64 array, shape (m, n): row i, column j holds the derivative of output i by input j.

    Raises:
        TypeError: ``f`` is no function, or does not compute in float64.
        ValueError: ``x`` or what ``f`` returns is not a vector.
    """
    function("f", f)
    x = tf.constant(_vector("x", x))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = f(x)
    outputs = len(_value(y))
    y = tf.convert_to_tensor(y)
    # One pass backwards for each output. One that does not depend on x has the derivative 0.
    options = {"unconnected_gradients": tf.UnconnectedGradients.ZERO}
    rows = [
        tape.gradient(y, x, tf.one_hot(i, outputs, dtype=y.dtype), **options).numpy()
        for i in range(outputs)
    ]
    return np.stack(rows)


def jacobian_by_differences(f, x, step=1e-6):
    """Approximate the Jacobian of ``f`` at ``x`` by central differences.

    Column j is (f(x + step · e_j) − f(x − step · e_j)) / (2 · step). For a smooth function the
    error is of the order of step². Rounding adds about 1e-16 / step. Within ``step`` of a kink the
    result is a mean of the slopes on both sides.

    Args:
        f, x: as in ``jacobian``.
        step: how far x is moved to each side, above 0.

    Returns:
        float64 array, shape (m, n).

    Raises:
        TypeError: ``f`` does not compute in float64.
        ValueError: ``x`` or what ``f`` returns is not a vector, or the step is not above 0.
    """
    function("f", f)
    x = _vector("x", x)
    positive_number("step", step)
    moves = step * np.eye(len(x))
    columns = [
        (_value(f(tf.constant(x + move))) - _value(f(tf.constant(x - move)))) / (2 * step)
        for move in moves
    ]
    return np.stack(columns, axis=1)


def _vector(name, values):
    return array(name, values, (None,)).astype(np.float64)


def _value(y):
    """Return what a function gave as an array, if it is a float64 vector."""
    y = np.asarray(y)
    if y.dtype != np.float64:
        raise TypeError(
            "f must compute in float64: differences are lost in the rounding of shorter numbers. "
            f"Received: {y.dtype}"
        )
    return _vector("the value of f", y)
