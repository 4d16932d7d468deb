"""The loss around a trained network, along random directions.

References
    Li, Xu, Taylor, Studer, Goldstein 2018: Visualizing the Loss Landscape of Neural Nets, NeurIPS
        (arXiv:1712.09913). One and two directions: Section 3; filter normalisation: Section 4.
"""

import numpy as np
import tensorflow as tf

from resnet_lesson.diagnostics.gradients import LABELLED, VECTOR
from resnet_lesson.diagnostics.modes import compiled, kept
from resnet_lesson.plumbing.constraints import ListOf, Numbers, checked
from resnet_lesson.training import evaluate


@checked
def filter_normalised_direction(model, seed):
    """Draw a random direction, each filter as long as the model's own filter.

    Each number is drawn from a normal distribution; then each filter d is replaced by
    d / ‖d‖ · ‖θ‖, where θ is the filter of the model in the same place. The filter is the kernel of
    one output channel or of one unit. Biases and normalisations stay as they are: zeros.

    Args:
        model: keras.Model with weights.
        seed: integer, 0 or more.

    Returns:
        list of float32 arrays, one for each of ``model.trainable_variables``, of the same shape.
    """
    generator = np.random.default_rng(seed)
    direction = []
    for variable in model.trainable_variables:
        drawn = np.zeros(variable.shape)
        if variable.name == "kernel":
            drawn = generator.normal(size=variable.shape)
            inner = tuple(range(drawn.ndim - 1))  # all axes but that of the output channels
            own = np.linalg.norm(variable.numpy().reshape(-1, drawn.shape[-1]), axis=0)
            drawn *= own / np.sqrt(np.sum(drawn**2, axis=inner))
        direction.append(drawn.astype("float32"))
    return direction


@checked(**LABELLED, directions=ListOf(ListOf(Numbers())), distances=VECTOR)
def losses_around(model, directions, distances, images, labels):
    """Compute the loss at steps along one direction, or on a grid along two.

    The moving averages of normalisation stay those of the model; it is evaluated with them.

    Args:
        model: keras.Model, float32 (batch, …) → logits, float32 (batch, classes).
        directions: list of one or two directions; each a list of arrays, one for each of
            ``model.trainable_variables``.
        distances: numbers, shape (m,): how many directions' lengths to go; 0 is the model itself.
        images: float32, shape (batch, …).
        labels: integers, shape (batch,).

    Returns:
        float64 array in nats: shape (m,) with one direction; (m, m) with two, the first direction
        along the rows. The model has its own weights again.

    Raises:
        TypeError, ValueError: a direction does not fit the model, or another argument is unusable.
    """
    weights = model.trainable_variables
    start = [weight.numpy() for weight in weights]
    losses = np.zeros((len(distances),) * len(directions))
    images = tf.constant(images, model.input.dtype)
    logits = compiled(model)
    with kept(weights):
        for at in np.ndindex(losses.shape):
            steps = [float(distances[i]) for i in at]
            for weight, value, *along in zip(weights, start, *directions, strict=True):
                weight.assign(value + sum(s * d for s, d in zip(steps, along, strict=True)))
            losses[at] = evaluate(logits(images).numpy(), labels)[0]
    return losses
