"""Parameters and multiply-adds, by formula."""

import math
from typing import NamedTuple

from keras import layers

from resnet_lesson.arguments import built_model
from resnet_lesson.article import Bias


class LayerCount(NamedTuple):
    """What one layer holds and what one image costs in it."""

    name: str
    kind: str
    """The layer's class, as in ``"Conv2D"``."""
    output_shape: tuple
    """Shape of one image's output, without the batch axis."""
    parameters: int
    """Numbers that training changes; moving averages do not count."""
    multiply_adds: int
    """Multiplications with one addition each, for one image in evaluation mode."""


def layer_counts(model):
    """Count parameters and multiply-adds of each layer, by formula.

    A k × k convolution to h × w × c' costs h · w · k · k · c · c' multiply-adds, a dense layer one
    for each weight (at each position, where its input has several), and a normalisation one for
    each element (scale and shift). An element-wise addition is counted as one for each element too,
    although it multiplies nothing. Pooling, ReLU and padding count as none. So does a bias: a sum
    of products can begin with it. A layer that is used twice costs twice and has its parameters
    once.

    Args:
        model: keras.Model built of Keras's own layers, such as ``models.network`` returns, or
            ``article.article_network``.

    Returns:
        list of LayerCount, in the model's order.

    Raises:
        TypeError: it is no model.
        ValueError: a layer has weights but no formula here.
    """
    built_model("model", model)
    # A Sequential model does not record them: it uses each layer once.
    uses = {
        layer["config"]["name"]: len(layer.get("inbound_nodes", ()))
        for layer in model.get_config()["layers"]
    }
    counts = []
    for layer in model.layers:
        shape = tuple(layer.output.shape[1:])
        parameters = sum(math.prod(variable.shape) for variable in layer.trainable_variables)
        if isinstance(layer, (layers.Conv2D, layers.Dense)):
            cost = math.prod(shape[:-1]) * math.prod(layer.kernel.shape)
        elif isinstance(layer, (layers.BatchNormalization, layers.Add)):
            cost = math.prod(shape)
        elif parameters and not isinstance(layer, Bias):
            raise ValueError(
                "model must be built of convolutions, dense layers and normalisations to be "
                f"counted. Received: {layer.name}, a {type(layer).__name__}"
            )
        else:
            cost = 0
        cost *= max(1, uses[layer.name])
        counts.append(LayerCount(layer.name, type(layer).__name__, shape, parameters, cost))
    return counts


def weighted_layers(model):
    """Return the depth of a network: its convolutions and dense layers, shortcuts not counted."""
    return sum(
        count.kind in ("Conv2D", "Dense") and not count.name.endswith("_shortcut")
        for count in layer_counts(model)
    )
