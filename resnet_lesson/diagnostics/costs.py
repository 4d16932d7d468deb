"""What a network costs: parameters and multiply-adds by formula, seconds by the clock."""

import math
import time
from typing import NamedTuple

import numpy as np
from keras import layers

from resnet_lesson.plumbing.constraints import FUNCTION, Dictionary, Whole, checked


class LayerCount(NamedTuple):
    """What one layer holds and what one image costs in it."""

    name: str
    kind: str
    """Keras's own class that the layer is, as in ``"Conv2D"``. A subclass counts as what it
    refines, a layer that refines none of Keras's as ``"Layer"``."""
    output_shape: tuple
    """Shape of one image's output, without the batch axis."""
    parameters: int
    """Numbers that training changes; moving averages do not count."""
    multiply_adds: int
    """Multiplications with one addition each, for one image in evaluation mode."""


@checked
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
        TypeError, ValueError: it is no model, or a layer has weights but no formula here.

    Example::

        counts = layer_counts(network(20))
        sum(count.multiply_adds for count in counts if count.kind == "Conv2D")  # 994112
    """
    # A Sequential model does not record them: it uses each layer once.
    uses = {
        layer["config"]["name"]: len(layer.get("inbound_nodes", ()))
        for layer in model.get_config()["layers"]
    }
    counts = []
    for layer in model.layers:
        shape = tuple(layer.output.shape[1:])
        parameters = sum(math.prod(variable.shape) for variable in layer.trainable_variables)
        cost = _multiply_adds(layer, shape) * max(1, uses[layer.name])
        counts.append(LayerCount(layer.name, _kind(layer), shape, parameters, cost))
    return counts


def _multiply_adds(layer, shape):
    """Return what one use of a layer costs that gives ``shape``."""
    if isinstance(layer, (layers.Conv2D, layers.Dense)):
        return math.prod(shape[:-1]) * math.prod(layer.kernel.shape)
    if isinstance(layer, (layers.BatchNormalization, layers.Add)):
        return math.prod(shape)
    if any(variable.name != "bias" for variable in layer.trainable_variables):
        raise ValueError(
            "model must be built of convolutions, dense layers and normalisations to be "
            f"counted. Received: {layer.name}, a {type(layer).__name__}"
        )
    return 0


def _kind(layer):
    """Return the name of Keras's own class that a layer is, or is derived from."""
    names = [one.__name__ for one in type(layer).__mro__]
    return next(name for name in names if isinstance(layer, getattr(layers, name, ())))


@checked
def weighted_layers(model):
    """Return the depth of a network: its convolutions and dense layers, shortcuts not counted."""
    return sum(
        count.kind in ("Conv2D", "Dense") and not count.name.endswith("_shortcut")
        for count in layer_counts(model)
    )


@checked(calls=Dictionary(FUNCTION), repeats=Whole(1), warm_up=Whole())
def median_seconds(calls, repeats=9, warm_up=2):
    """Measure how long each call takes: the median of several times, taken in turns.

    In each round every call runs once. So a machine that slows down for a while slows all of them.
    The median leaves out the odd round that something else disturbed.

    Args:
        calls: dictionary: name → function without arguments, which returns when its work is done.
        repeats: number of rounds that are timed.
        warm_up: number of rounds before them, which are not timed: the first call of a
            ``tf.function`` traces it.

    Returns:
        dictionary in the order of ``calls``: name → median seconds of one call.
    """
    spent = {name: [] for name in calls}
    for _ in range(warm_up + repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            spent[name].append(time.perf_counter() - start)
    return {name: float(np.median(seconds[warm_up:])) for name, seconds in spent.items()}
