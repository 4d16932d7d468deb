"""Checks of the exercises to lesson 01, degradation."""

import keras
import numpy as np

from resnet_lesson.checks.answers import as_array, as_parts, call, require
from resnet_lesson.checks.core import check, check_values, drawn


def _layer(answer, x):
    """Return what a layer with the reader's W and b gives out for x."""
    W, b = as_parts(call(answer, x.size), 2, "return two things: the matrix W and the vector b")
    W, b = as_array(W, "W", (x.size, x.size)), as_array(b, "b", x.shape)
    require(W.any(), "with W = 0 nothing of x comes through")
    require(not b.any(), "b moves the numbers; it should be 0")
    return np.maximum(W @ x + b, 0)


INPUTS = [(np.random.default_rng(n).random(n),) for n in (1, 3, 8)]


@check_values("01", "the layer's output", INPUTS, run=_layer)
def identity_layer(x):
    """``answer(n)`` → (W, b): a layer ReLU(W x + b) of n units that gives out each x ≥ 0."""
    every_unit = np.full(x.shape, x.sum())
    yield "the layer gives out what it gets, exactly", x
    yield "a matrix full of ones adds up all units; each unit should see only itself", every_unit
    yield "the layer turns {x} into {found}"


@check_values("01", "the share", [(0.7, 1), (0.7, 50), (0.99, 100), (1.1, 20)], tolerance=1e-9)
def gradient_left(c, layers):
    """``answer(c, layers)`` → the share of a gradient that is left behind so many layers."""
    yield "one factor for each layer", c**layers
    yield "multiply by c once for each layer; this multiplies c by the number", c * layers
    yield "one layer too few: after one layer c is left", c ** (layers - 1)
    yield "one layer too many: after one layer c is left", c ** (layers + 1)
    yield "this is what is lost; asked is what is left", 1 - c**layers
    yield "with c = {c} and {layers} layers, {found:.4g} is not the share that is left"


SHOWN = "{:.0%} in training, {:.0%} in validation, {:.0%} in the shallower network"
BY_HEART = "training goes far better than validation"
DEGRADED = "a shallower network learns more, and over-fitting needs a high training accuracy"
HEALTHY = "all three are high, and none is far from the others"
WEAK = "no shallower network is better, so this one is too weak or too little trained"
CASES = {  # training, validation, training of a shallower network → what it is, and why
    (0.99, 0.80, 0.98): ("over-fitting", BY_HEART),
    (1.00, 0.70, 0.97): ("over-fitting", BY_HEART),
    (0.62, 0.61, 0.95): ("degradation", DEGRADED),
    (0.30, 0.31, 0.90): ("degradation", DEGRADED),
    (0.97, 0.96, 0.93): ("neither", HEALTHY),
    (0.60, 0.59, 0.58): ("neither", WEAK),
}


@check("01")
def diagnosis(answer):
    """``answer(training, validation, shallower)`` → "over-fitting", "degradation" or "neither"."""
    for accuracies, (right, why) in CASES.items():
        found = call(answer, *accuracies)
        word = "return one of the words over-fitting, degradation and neither"
        require(isinstance(found, str), word)
        wrong = f"{SHOWN.format(*accuracies)} is not {found!r:.30}: {why}"
        require(found.strip().lower() == right, wrong)
    return "training, validation and a shallower network: three numbers tell the three cases"


def _deeper(answer, units, n, seed):
    """Return the logits of the reader's deeper model, which must have the right layers."""
    model = _dense(units, seed)
    before = model.get_weights()
    deep = call(answer, model, n)
    require(deep is not model or n == 0, "this is the model itself; build a new one")
    logits = call(deep, _images(seed))
    unchanged = all(map(np.array_equal, model.get_weights(), before))
    require(unchanged, "the given model was changed; its weights should stay as they are")
    layers = sum(bool(layer.weights) for layer in getattr(deep, "layers", ()))
    wanted = len(before) // 2 + n
    count = f"the new model has {layers} layers with weights where {wanted} were asked for"
    require(layers in (0, wanted), count)
    return logits


DEEPER = [((5, 5), 1, 0), ((7, 7, 7), 4, 1), ((3, 3), 0, 2)]


@check_values("01", "the new model's output", DEEPER, 1e-6, _deeper)
def deepened(units, n, seed):
    """``answer(model, n)`` → a model with n more ReLU layers that gives the same logits."""
    logits = _dense(units, seed)(_images(seed)).numpy()
    cut = np.maximum(logits, 0)
    yield "deeper, and the same to the last bit", logits
    yield "the negative logits are cut off: the new layers come *before* the last layer", cut
    yield "the logits differ: is each new layer the identity, do the old ones keep their weights"


def _images(seed):
    """Draw a batch for the small networks."""
    return drawn(seed, (16, 4))[0].astype("float32")


def _dense(units, seed):
    """Make a small network of ReLU layers with random weights, biases included."""
    # With a seed of its own, so that nothing is drawn from the reader's global one.
    random = keras.initializers.RandomNormal(stddev=1.0, seed=seed)
    weights = {"kernel_initializer": random, "bias_initializer": random}
    layers = [keras.layers.Dense(n, activation="relu", **weights) for n in units]
    return keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(2, **weights)])
