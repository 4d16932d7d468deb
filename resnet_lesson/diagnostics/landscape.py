"""The loss around a trained network, along random directions.

References
    Li, Xu, Taylor, Studer, Goldstein 2018: Visualizing the Loss Landscape of Neural Nets, NeurIPS
        (arXiv:1712.09913). One and two directions: Section 3; filter normalisation: Section 4.
"""

import numpy as np
import tensorflow as tf

from resnet_lesson.arguments import (
    array,
    built_model,
    images_for,
    labels_for,
    sequence,
    whole_number,
)
from resnet_lesson.diagnostics.compiled import compiled
from resnet_lesson.training import evaluate


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

    Raises:
        TypeError, ValueError: it is no model, or the seed is not a whole number of 0 or more.
    """
    built_model("model", model)
    generator = np.random.default_rng(whole_number("seed", seed))
    direction = []
    for variable in model.trainable_variables:
        if variable.name != "kernel":
            direction.append(np.zeros(variable.shape, "float32"))
            continue
        drawn = generator.normal(size=variable.shape)
        inner = tuple(range(drawn.ndim - 1))  # all axes but that of the output channels
        own = np.linalg.norm(variable.numpy().reshape(-1, drawn.shape[-1]), axis=0)
        drawn *= own / np.sqrt(np.sum(drawn**2, axis=inner))
        direction.append(drawn.astype("float32"))
    return direction


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
        TypeError, ValueError: there are not one or two directions, one does not fit the model, or
            another argument is unusable.
    """
    images = images_for("images", images, model)
    labels = labels_for("labels", labels, len(images), model.output_shape[-1])
    distances = array("distances", distances, (None,))
    if len(sequence("directions", directions)) > 2:
        raise ValueError(f"directions must be one or two. Received: {len(directions)}")
    start = [variable.numpy() for variable in model.trainable_variables]
    for direction in directions:
        for step in sequence("directions", direction):
            array("directions", step)
        if [np.shape(step) for step in direction] != [value.shape for value in start]:
            raise ValueError(
                "directions must hold an array for each trainable variable, of its shape. "
                f"Received: {len(direction)} arrays for {len(start)} variables"
            )
    losses = np.zeros((len(distances),) * len(directions))
    images = tf.constant(images)
    logits = compiled(model)
    try:
        for at in np.ndindex(losses.shape):
            steps = [float(distances[i]) for i in at]
            _move(model, start, directions, steps)
            losses[at] = evaluate(logits(images).numpy(), labels)[0]
    finally:
        _move(model, start, [], [])
    return losses


def _move(model, start, directions, steps):
    for i, variable in enumerate(model.trainable_variables):
        if steps and not any(np.any(along[i]) for along in directions):
            continue  # a bias or a normalisation
        moves = (step * along[i] for step, along in zip(steps, directions, strict=True))
        variable.assign(start[i] + sum(moves))
