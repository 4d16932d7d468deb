"""Gradients: how large they are in each layer, how alike at neighbouring inputs, and Jacobians.

References
    Glorot, Bengio 2010: Understanding the difficulty of training deep feedforward neural networks,
        AISTATS, Section 4.2.2: gradients by layer.
    Balduzzi, Frean, Leary, Lewis, Ma, McWilliams 2017: The Shattered Gradients Problem: If resnets
        are the answer, then what is the question?, ICML (arXiv:1702.08591), Section 2: gradients
        on a grid of inputs, and their autocorrelation, Figures 1 and 2.
    Griewank, Walther 2008: Evaluating Derivatives, second edition, SIAM: Jacobians.
"""

import numpy as np
import tensorflow as tf

from resnet_lesson.diagnostics.modes import kept_averages
from resnet_lesson.plumbing.constraints import Images, Labels, Numbers, Whole, checked
from resnet_lesson.training import batch_loss, watch

# What a measurement takes that needs a loss.
LABELLED = {"images": Images(), "labels": Labels(model="model")}
VECTOR = Numbers((None,))


@checked(**LABELLED)
def gradient_norms(model, images, labels):
    """Measure the gradient of the loss at each weight layer.

    The loss is the mean cross-entropy of the batch. Normalisation uses the batch's own mean and
    variance, as in training; the model's moving averages stay as they are.

    Args:
        model: keras.Model, float32 (batch, …) → logits, float32 (batch, classes).
        images: float32, shape (batch, …).
        labels: integers, shape (batch,).

    Returns:
        dictionary in the model's order: layer name → Euclidean norm of the gradient at that
        layer's kernel, in nats per unit of weight. Convolutions and dense layers alone are listed.

    Example::

        net, batch = network(8), load_mnist(train=64).train
        norms = gradient_norms(net, batch.images, batch.labels)
        list(norms)[:2]  # ['stem_conv', 'stage1_block1_conv1']
    """
    kernels = {layer.name: layer.kernel for layer in model.layers if hasattr(layer, "kernel")}
    with kept_averages(model), tf.GradientTape() as tape:
        watch(tape, kernels.values())
        loss = batch_loss(model(images, training=True), labels)
    gradients = tape.gradient(loss, [kernel.value for kernel in kernels.values()])
    return {
        name: float(np.linalg.norm(gradient))
        for name, gradient in zip(kernels, gradients, strict=True)
    }


@checked(inputs=Images())
def input_gradients(model, inputs):
    """Compute the derivative of a model's first output with respect to each input.

    In evaluation mode, so that one input's output does not depend on the others.

    Args:
        model: keras.Model, float32 (batch, …) → float32 (batch, outputs).
        inputs: float32, shape (batch, …).

    Returns:
        float32 array of the shape of ``inputs``.
    """
    inputs = tf.convert_to_tensor(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(model(inputs, training=False)[:, 0])
    return tape.gradient(total, inputs).numpy()


@checked(values=VECTOR, lags=Whole())
def autocorrelation(values, lags):
    """Compute how much a series resembles itself, shifted by 0, 1, … places.

    At lag k it is Σ_t (v_t − m)(v_{t+k} − m) / Σ_t (v_t − m)², with the mean m of all values. It is
    1 at lag 0, and near 0 at all others for white noise.

    Args:
        values: numbers, shape (points,), not all equal.
        lags: the largest lag, from 0 to points − 1.

    Returns:
        float64 array, shape (lags + 1,).
    """
    values = values.astype(np.float64)
    centred = values - values.mean()
    products = [centred[: len(centred) - lag] @ centred[lag:] for lag in range(lags + 1)]
    return np.array(products) / products[0]
