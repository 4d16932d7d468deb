"""Shattered gradients: does the gradient at one input say anything about that at the next?

References
    Balduzzi, Frean, Leary, Lewis, Ma, McWilliams 2017: The Shattered Gradients Problem: If resnets
        are the answer, then what is the question?, ICML (arXiv:1702.08591), Section 2: gradients
        on a grid of inputs, and their autocorrelation, Figures 1 and 2.
"""

import numpy as np
import tensorflow as tf

from resnet_lesson.arguments import array, images_for, whole_number


def input_gradients(model, inputs):
    """Compute the derivative of a model's first output with respect to each input.

    In evaluation mode, so that one input's output does not depend on the others.

    Args:
        model: keras.Model, float32 (batch, …) → float32 (batch, outputs).
        inputs: float32, shape (batch, …).

    Returns:
        float32 array of the shape of ``inputs``.

    Raises:
        TypeError, ValueError: there is no such model, or the inputs do not fit it.
    """
    inputs = tf.convert_to_tensor(images_for("inputs", inputs, model))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(model(inputs, training=False)[:, 0])
    return tape.gradient(total, inputs).numpy()


def autocorrelation(values, lags):
    """Compute how much a series resembles itself, shifted by 0, 1, … places.

    At lag k it is Σ_t (v_t − m)(v_{t+k} − m) / Σ_t (v_t − m)², with the mean m of all values. It is
    1 at lag 0, and near 0 at all others for white noise.

    Args:
        values: numbers, shape (points,), not all equal.
        lags: the largest lag, from 0 to points − 1.

    Returns:
        float64 array, shape (lags + 1,).

    Raises:
        TypeError, ValueError: there are too few values, or all are equal.
    """
    values = array("values", values, (None,)).astype(np.float64)
    if np.all(values == values[0]):
        raise ValueError(
            "values must be a row of numbers that are not all equal. "
            f"Received: shape {values.shape}"
        )
    lags = whole_number("lags", lags, most=len(values) - 1)
    centred = values - values.mean()
    products = [centred[: len(centred) - lag] @ centred[lag:] for lag in range(lags + 1)]
    return np.array(products) / products[0]
