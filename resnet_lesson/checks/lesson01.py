"""Checks of the exercises to lesson 01, degradation."""

import keras
import numpy as np

from resnet_lesson.checks.core import NotYet, array, call, check, close, differ, number


@check("01")
def identity_layer(answer):
    """``answer(n)`` → (W, b): a layer ReLU(W x + b) of n units that gives out each x ≥ 0."""
    for n, seed in ((1, 0), (3, 1), (8, 2)):
        made = call(answer, n)
        if not isinstance(made, (tuple, list)) or len(made) != 2:
            raise NotYet("return two things: the matrix W and the vector b")
        W, b = array(made[0], "W", (n, n)), array(made[1], "b", (n,))
        x = np.random.default_rng(seed).random(n)
        y = np.maximum(W @ x + b, 0)
        if np.array_equal(y, x):
            continue
        if not W.any():
            raise NotYet("with W = 0 nothing of x comes through")
        if n > 1 and np.array_equal(W, np.ones((n, n))):
            raise NotYet(
                "a matrix full of ones adds up all units; each unit should see only itself"
            )
        if close(y, np.maximum(x + b, 0)) and b.any():
            raise NotYet("W is right, but b moves the numbers")
        raise NotYet(f"for n = {n} the layer turns {np.round(x, 2)} into {np.round(y, 2)}")
    return "the layer gives out what it gets, exactly"


@check("01")
def gradient_left(answer):
    """``answer(c, layers)`` → the share of a gradient that is left behind so many layers."""
    for c, layers in ((0.7, 1), (0.7, 50), (0.99, 100), (1.1, 20)):
        found = number(call(answer, c, layers), "the share")
        if np.isclose(found, c**layers, rtol=1e-9):
            continue
        differ(found, {
            "multiply by c once for each layer; this multiplies c by the number": c * layers,
            "one layer too few: after one layer c is left": c ** (layers - 1),
            "one layer too many: after one layer c is left": c ** (layers + 1),
            "this is what is lost; asked is what is left": 1 - c**layers,
        })  # fmt: skip
        raise NotYet(f"with c = {c} and {layers} layers, {found:.4g} is not the share that is left")
    return "one factor for each layer"


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
    if all((right, found) == ("degradation", "over-fitting") for right, found in wrong.values()):
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
        before = [w.numpy() for w in model.weights]
        x = np.random.default_rng(seed).normal(size=(16, 4)).astype("float32")
        logits = model(x).numpy()
        deep = call(answer, model, n)
        if deep is model and n:
            raise NotYet("this is the model itself; build a new one with more layers")
        found = array(call(deep, x), "the new model's output", logits.shape)
        for weight, value in zip(model.weights, before, strict=True):
            if not np.array_equal(weight.numpy(), value):
                raise NotYet("the given model was changed; its weights should stay as they are")
        if close(found, logits, 1e-6):
            dense = [layer for layer in getattr(deep, "layers", ()) if layer.weights]
            if dense and len(dense) != len(units) + 1 + n:
                raise NotYet(
                    f"the logits agree, but the new model has {len(dense)} layers with weights "
                    f"where {len(units) + 1 + n} were asked for"
                )
            continue
        if n and close(found, np.maximum(logits, 0), 1e-6):
            raise NotYet(
                "the negative logits are cut off: the new layers come *before* the last layer, "
                "where no number is negative"
            )
        raise NotYet(
            "the logits differ: is each new layer the identity, and do the old layers have their "
            "trained weights"
        )
    return "deeper, and the same to the last bit"


def _dense(units, seed):
    """Make a small network of ReLU layers with random weights, biases included."""
    random = np.random.default_rng(seed)
    # Zeros, so that nothing is drawn from the reader's global seed; they are replaced at once.
    zeros = {"kernel_initializer": "zeros"}
    layers = [keras.layers.Dense(n, activation="relu", **zeros) for n in units]
    layers.append(keras.layers.Dense(2, **zeros))
    model = keras.Sequential([keras.Input((4,)), *layers])
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    return model
