"""Gradients: how large they are in each layer.

References
    Glorot, Bengio 2010: Understanding the difficulty of training deep feedforward neural networks,
        AISTATS, Section 4.2.2: gradients by layer.
"""

import numpy as np
import tensorflow as tf

from resnet_lesson.arguments import images_for, labels_for
from resnet_lesson.diagnostics.averages import kept_averages


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

    Raises:
        TypeError, ValueError: there is no such model, or images or labels do not fit it.
    """
    images = images_for("images", images, model)
    labels = labels_for("labels", labels, len(images), model.output_shape[-1])
    kernels = {layer.name: layer.kernel for layer in model.layers if hasattr(layer, "kernel")}
    with kept_averages(model), tf.GradientTape() as tape:
        logits = model(images, training=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, [kernel.value for kernel in kernels.values()])
    return {
        name: float(np.linalg.norm(gradient))
        for name, gradient in zip(kernels, gradients, strict=True)
    }
