"""Gradients: how large in each layer, how alike in two batches, and what following them brings.

References
    Glorot, Bengio 2010: Understanding the difficulty of training deep feedforward neural networks,
        AISTATS, Section 4.2.2: gradients by layer.
    Balduzzi, Frean, Leary, Lewis, Ma, McWilliams 2017: The Shattered Gradients Problem: If resnets
        are the answer, then what is the question?, ICML (arXiv:1702.08591), Section 2: gradients
        on a grid of inputs, and their autocorrelation, Figures 1 and 2.
"""

import itertools

import numpy as np
import tensorflow as tf

from resnet_lesson.diagnostics.modes import kept, kept_averages
from resnet_lesson.plumbing.constraints import Images, Labels, Numbers, Real, Whole, checked
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
    with kept_averages(model):
        gradients = _gradients(model, images, labels, kernels.values())
    return {
        name: float(np.linalg.norm(gradient))
        for name, gradient in zip(kernels, gradients, strict=True)
    }


@checked(**LABELLED, batches=Whole(2))
def gradient_agreement(model, images, labels, batches=8):
    """Measure how far the gradients of disjoint batches point the same way.

    Each gradient is that of a batch's mean cross-entropy, with respect to all weights that are
    trained, in training mode. The model stays as it is.

    Args:
        model: keras.Model, float32 (batch, …) → logits, float32 (batch, classes).
        images: float32, shape (n, …).
        labels: integers, shape (n,).
        batches: into how many equal batches the images are cut, in their order.

    Returns:
        float: the cosine between two batches' gradients, mean over all pairs: 1 if all point the
        same way, near 0 if none tells of another.
    """
    parts = zip(np.array_split(images, batches), np.array_split(labels, batches), strict=True)
    directions = []
    with kept_averages(model):
        for part in parts:
            gradients = _gradients(model, *part, model.trainable_variables)
            whole = np.concatenate([np.ravel(gradient) for gradient in gradients])
            directions.append(whole / np.linalg.norm(whole))
    return float(np.mean([a @ b for a, b in itertools.combinations(directions, 2)]))


@checked(
    **LABELLED,
    other_images=Images(),
    other_labels=Labels("other_images", "model"),
    share=Real(above=0, most=1),
)
def realised_fall(model, images, labels, other_images, other_labels, share=0.1):
    """Follow a batch's gradient for one step, and measure how much of the promised fall comes true.

    The step is so long that the loss of the batch would fall by ``share`` of itself, if it went on
    along its tangent. Losses are mean cross-entropies in training mode. The model stays as it is.

    Args:
        model: keras.Model, float32 (batch, …) → logits, float32 (batch, classes).
        images, labels: the batch whose gradient is followed.
        other_images, other_labels: a second batch, which has no part in the step.
        share: how far to go, from 0 to 1.

    Returns:
        (float, float): the fall of the batch's own loss, and that of the second batch's, both over
        the promised fall. Below 0 the loss rises.
    """
    batches = (images, labels), (other_images, other_labels)

    def losses():
        return [float(batch_loss(model(x, training=True), y)) for x, y in batches]

    with kept(model.variables):
        before = losses()
        gradients = _gradients(model, images, labels, model.trainable_variables)
        promised = share * before[0]
        step = promised / sum(float(tf.reduce_sum(gradient**2)) for gradient in gradients)
        for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
            weight.assign_sub(step * gradient)
        own, others = ((b - a) / promised for b, a in zip(before, losses(), strict=True))
    return own, others


def _gradients(model, images, labels, weights):
    with tf.GradientTape() as tape:
        watch(tape, weights)
        loss = batch_loss(model(images, training=True), labels)
    values = [weight.value for weight in weights]
    # A block that stochastic depth leaves out has none.
    return tape.gradient(loss, values, unconnected_gradients="zero")


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
