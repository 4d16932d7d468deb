"""Checks of the exercises to lesson 01, degradation."""

import keras
import numpy as np

from resnet_lesson.checks.answers import NotYet, as_array, as_parts, call, require
from resnet_lesson.checks.core import check, check_values, close, judge


@check("01")
def identity_layer(answer):
    """``answer(n)`` → (W, b): a layer ReLU(W x + b) of n units that gives out each x ≥ 0."""
    for n, seed in ((1, 0), (3, 1), (8, 2)):
        W, b = as_parts(call(answer, n), 2, "return two things: the matrix W and the vector b")
        W, b = as_array(W, "W", (n, n)), as_array(b, "b", (n,))
        x = np.random.default_rng(seed).random(n)
        y = np.maximum(W @ x + b, 0)
        if np.array_equal(y, x):
            continue
        require(W.any(), "with W = 0 nothing of x comes through")
        apart = n == 1 or not np.array_equal(W, np.ones((n, n)))
        require(apart, "a matrix full of ones adds up all units; each unit should see only itself")
        moved = b.any() and close(y, np.maximum(x + b, 0))
        require(not moved, "W is right, but b moves the numbers")
        raise NotYet(f"for n = {n} the layer turns {np.round(x, 2)} into {np.round(y, 2)}")
    return "the layer gives out what it gets, exactly"


@check_values("01", "the share", [(0.7, 1), (0.7, 50), (0.99, 100), (1.1, 20)], tolerance=1e-9)
def gradient_left(c, layers):
    """``answer(c, layers)`` → the share of a gradient that is left behind so many layers."""
    yield "one factor for each layer", c**layers
    yield "multiply by c once for each layer; this multiplies c by the number", c * layers
    yield "one layer too few: after one layer c is left", c ** (layers - 1)
    yield "one layer too many: after one layer c is left", c ** (layers + 1)
    yield "this is what is lost; asked is what is left", 1 - c**layers
    yield "with c = {c} and {layers} layers, {found:.4g} is not the share that is left"


CASES = {  # training, validation, training of a shallower network → what it is
    (0.99, 0.80, 0.98): "over-fitting",
    (1.00, 0.70, 0.97): "over-fitting",
    (0.62, 0.61, 0.95): "degradation",
    (0.30, 0.31, 0.90): "degradation",
    (0.97, 0.96, 0.93): "neither",
    (0.60, 0.59, 0.58): "neither",
}


@check("01")
def diagnosis(answer):
    """``answer(training, validation, shallower)`` → "over-fitting", "degradation" or "neither"."""
    wrong = {}
    for accuracies, right in CASES.items():
        found = call(answer, *accuracies)
        if not isinstance(found, str):
            raise NotYet("return one of the words over-fitting, degradation and neither")
        if found.strip().lower() != right:
            wrong[accuracies] = (right, found)
    if not wrong:
        return "training, validation and a shallower network: three numbers tell the three cases"
    if all(right == "neither" and case[0] < 0.8 for case, (right, _) in wrong.items()):
        raise NotYet(
            "a network whose shallower twin is no better is not degraded, it is too weak or too "
            "little trained; use the third number"
        )
    if all(pair == ("degradation", "over-fitting") for pair in wrong.values()):
        raise NotYet(
            "over-fitting needs a high training accuracy; where training is low as well, nothing "
            "was learnt by heart"
        )
    (training, validation, shallower), (_, found) = next(iter(wrong.items()))
    raise NotYet(
        f"{training:.0%} in training, {validation:.0%} in validation, {shallower:.0%} for the "
        f"shallower network: {found!r:.30} does not describe that"
    )


@check("01")
def deepened(answer):
    """``answer(model, n)`` → a model with n more ReLU layers that gives the same logits."""
    for units, n, seed in (((5, 5), 1, 0), ((7, 7, 7), 4, 1), ((3, 3), 0, 2)):
        model = _dense(units, seed)
        before = model.get_weights()
        x = np.random.default_rng(seed).normal(size=(16, 4)).astype("float32")
        logits = model(x).numpy()
        deep = call(answer, model, n)
        if deep is model and n:
            raise NotYet("this is the model itself; build a new one with more layers")
        found = as_array(call(deep, x), "the new model's output", logits.shape)
        unchanged = all(map(np.array_equal, model.get_weights(), before))
        require(unchanged, "the given model was changed; its weights should stay as they are")
        known = {
            "deeper, and the same to the last bit": logits,
            "the negative logits are cut off: the new layers come *before* the last layer, where "
            "no number is negative": np.maximum(logits, 0),
        }
        otherwise = (
            "the logits differ: is each new layer the identity, and do the old layers have their "
            "trained weights"
        )
        praise = judge(found, known, otherwise, 1e-6)
        dense = [layer for layer in getattr(deep, "layers", ()) if layer.weights]
        if len(dense) not in (0, len(units) + 1 + n):
            raise NotYet(
                f"the logits agree, but the new model has {len(dense)} layers with weights where "
                f"{len(units) + 1 + n} were asked for"
            )
    return praise


def _dense(units, seed):
    """Make a small network of ReLU layers with random weights, biases included."""
    # With a seed of its own, so that nothing is drawn from the reader's global one.
    random = keras.initializers.RandomNormal(stddev=1.0, seed=seed)
    weights = {"kernel_initializer": random, "bias_initializer": random}
    layers = [keras.layers.Dense(n, activation="relu", **weights) for n in units]
    return keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(2, **weights)])
