"""Checks of the exercises for lesson 01, degradation."""

import keras
import numpy as np

from resnet_lesson.checks.answers import NotYet, as_array, as_parts, call, require
from resnet_lesson.checks.blocks import called
from resnet_lesson.checks.core import check, check_values, close, drawn, judge, right_where
from resnet_lesson.checks.predictions import judged


def _pair(answer, x):
    """Return what the reader's two layers give out for x."""
    units = x.shape[1]
    parts = as_parts(call(answer, units), 4, "return four arrays: W1, b1, W2 and b2")
    W1, b1, W2, b2 = map(as_array, parts, ("W1", "b1", "W2", "b2"))
    for name, W in (("W1", W1), ("W2", W2)):
        require(W.ndim == 2, f"{name} should be a matrix, this has the shape {W.shape}")
    rows = f"W1 should have a row for each of {units} inputs, and W2 a column for each output"
    require(W1.shape[0] == W2.shape[1] == units, f"{rows}; these are {W1.shape} and {W2.shape}")
    inner = f"W1 gives {W1.shape[1]} numbers, and W2 takes {W2.shape[0]}"
    require(W1.shape[1] == W2.shape[0], inner)
    for name, b, W in (("b1", b1, W1), ("b2", b2, W2)):
        fits = b.shape in ((), W.shape[1:], (1, *W.shape[1:]))
        require(fits, f"{name} should have the shape {W.shape[1:]}, this has {b.shape}")
    return np.maximum(x @ W1 + b1, 0) @ W2 + b2


# The last case is far below zero, where a mere shift does not help.
ANY_SIGN = [(np.vstack([3 * np.eye(3), -np.eye(3) / 2]),)]
ANY_SIGN += [(drawn(n, (6, n))[0],) for n in (4, 1)] + [(1e6 * drawn(9, (6, 3))[0],)]


@check_values("01", "the layers' output", ANY_SIGN, 1e-6, _pair)
def identity_pair(x):
    """``answer(n)`` → W1, b1, W2, b2: two layers, ReLU after the first, that give back any x."""
    yield from _pair_meanings(x)


def _alike(y):
    return y.shape[1] > 1 and close(y, np.repeat(y[:, :1], y.shape[1], axis=1))


def _pair_meanings(x):
    yield "what is positive goes one way, what is negative the other", x
    yield "the ReLU cuts the negative numbers off, and nothing brings them back", np.maximum(x, 0)
    yield "these are the absolute values: the negative half comes back with the wrong sign", abs(x)
    yield "the positive half is missing", np.minimum(x, 0)
    yield "this is −x: the two halves come back with the wrong signs", -x
    yield "this is 2x: the halves are counted twice", 2 * x
    yield "this is x / 2: each half comes back whole", x / 2
    yield "nothing comes through: the output is zero", np.zeros_like(x)
    shift = "it fails far below zero: a shift moves the place where the ReLU cuts, and no more"
    yield shift, lambda _: np.abs(x).max() > 1e5
    yield "all outputs of an x are equal: does each number have units of its own?", _alike
    negative = "where x is positive it comes back, where it is negative it does not"
    yield negative, right_where(x > 0, x)
    positive = "where x is negative it comes back, where it is positive it does not"
    yield positive, right_where(x < 0, x)
    yield "the two layers do not give back what they get"


def _deeper(answer, units, inputs, n, seed):
    """Return the logits of the reader's deeper model, which must have the right layers."""
    model = _chain(units, inputs, seed)
    before, count = model.get_weights(), len(model.layers)
    deep = called(answer, model, n)
    same = all(map(np.array_equal, model.get_weights(), before)) and len(model.layers) == count
    same = same and len(model.trainable_weights) == len(before)
    require(same, "the given model was changed; it should stay as it is")
    require(deep is not model, "this is the model itself; build a new one")
    made = "return a keras.Model, such as a keras.Sequential"
    require(isinstance(deep, keras.Model), f"{made}; this is a {type(deep).__name__}")
    x = _images(inputs, seed)
    logits = call(deep, x)
    steps = _steps(deep)
    dense = [step for step in steps if isinstance(step, keras.layers.Dense)]
    wanted = len(before) // 2 + 2 * n
    asked = f"the new model has {len(dense)} dense layers where {wanted} were asked for"
    require(len(dense) == wanted, asked)
    made = str([step.get_config() for step in steps if isinstance(step, keras.layers.Layer)])
    relus = made.count("'relu'") + sum(type(step).__name__ in ("ReLU", "Relu") for step in steps)
    relu = f"{n} of the new layers should have a ReLU, as in exercise 1; this model has {relus}"
    require(relus >= n, relu)
    shared = {id(weight) for weight in model.weights} & {id(weight) for weight in deep.weights}
    own = "the new model has her layers themselves, so training it would change hers: copy them"
    if close(as_array(logits), model(x).numpy()):
        require(not shared, own)
    else:
        _say_what_differs(model, dense)
        tanh = "a tanh of her hidden layers is missing"
        require(made.count("'tanh'") >= len(model.layers) - 1, tanh)
    return logits


def _steps(model):
    """Return all operations of a model, those of models inside it instead of these."""
    operations = getattr(model, "operations", model.layers)
    inside = [_steps(one) if isinstance(one, keras.Model) else [one] for one in operations]
    return [step for steps in inside for step in steps]


def _say_what_differs(model, dense):
    """Raise NotYet if an old layer's weights are lost, or the first new pair loses something."""
    new = list(dense)
    for number, old in enumerate(model.layers, start=1):
        kernel, bias = old.get_weights()
        copies = [one for one in new if np.array_equal(one.get_weights()[0], kernel)]
        which = f"layer {number} of hers"
        require(copies, f"{which} has lost its kernel: copy the weights of each old layer")
        same = any(np.array_equal(one.get_weights()[-1], bias) for one in copies)
        require(same, f"{which} has lost its bias")
        alike = copies[0].activation == old.activation or copies[0].activation.__name__ == "linear"
        activation = f"the activation {copies[0].activation.__name__}, hers has"
        require(alike, f"{which} has {activation} {old.activation.__name__}")
        new.remove(copies[0])
    (W1, b1), (W2, b2) = (layer.get_weights() for layer in new[:2])
    if W1.shape == W2.shape[::-1]:
        x = drawn(0, (6, len(W1)))[0]
        bent = f"the second layer of a pair has the activation {new[1].activation.__name__}"
        require(new[1].activation.__name__ == "linear", f"{bent}; it should have none")
        try:
            judge(np.maximum(x @ W1 + b1, 0) @ W2 + b2, "its output", _pair_meanings(x))
        except NotYet as wrong:
            raise NotYet(f"the first new pair, tried alone: {wrong}") from wrong


DEEPER = [((5, 3), 4, 1, 0), ((9, 4, 8), 5, 3, 1), ((3,), 6, 2, 2)]


@check_values("01", "the new model's output", DEEPER, 1e-4, _deeper)
def deepened(units, inputs, n, seed):
    """``answer(model, n)`` → a model with n pairs of layers more that gives the same logits."""
    model, x = _chain(units, inputs, seed), _images(inputs, seed)
    logits, hidden = model(x).numpy(), keras.Sequential(model.layers[:-1])(x)
    yield "deeper, and the same", logits
    before = "the new layers come after the logits, and cut their negative numbers off"
    yield before, np.maximum(logits, 0)
    cut = model.layers[-1](np.maximum(hidden, 0)).numpy()
    yield "negative numbers are cut off in front of the last layer: a tanh gives them, too", cut
    yield "the logits differ: do the pairs pass all on, and do the old layers keep their weights?"


def _images(inputs, seed):
    """Draw a batch for the small networks."""
    return drawn(seed, (16, inputs))[0].astype("float32")


def _chain(units, inputs, seed):
    """Make a small network of tanh layers with random weights, biases included."""
    # Zeros at first, so that nothing is drawn from the reader's global seed; and drawn afterwards,
    # so that a model made from its configuration alone has other weights.
    zeros = {"kernel_initializer": "zeros"}
    layers = [keras.layers.Dense(n, activation="tanh", **zeros) for n in units]
    model = keras.Sequential([keras.Input((inputs,)), *layers, keras.layers.Dense(2, **zeros)])
    model.set_weights(drawn(seed, *[weight.shape for weight in model.weights]))
    return model


NAN = float("nan")
LOSSES = (  # what a wrong answer shows, losses by depth, the right depth
    ("each run of 50 layers is above each run of 10", {10: [0.1, 0.2], 50: [0.5, 0.4]}, 50),
    ("one run of 50 layers is below one of 10", {10: [0.1, 0.6], 50: [0.5, 0.7]}, 0),
    ("more depth helps here", {4: [0.5, 0.6], 8: [0.3, 0.4], 16: [0.1, 0.2]}, 0),
    ("asked is the smallest such depth", {5: [0.1], 10: [0.3], 20: [0.5], 40: [0.7]}, 10),
    (
        "it is enough to be above one shallower network, whichever it is",
        {10: [0.1, 0.2], 20: [0.15, 0.9], 40: [0.3, 0.4]},
        40,
    ),
    ("the best shallower depth counts, here 20", {10: [0.6], 20: [0.1], 40: [0.4]}, 40),
    ("the depths may come in any order", {40: [0.7, 0.8], 10: [0.1, 0.2], 20: [0.1, 0.3]}, 40),
    ("asked is the smallest such depth", {40: [0.7], 20: [0.5], 10: [0.1]}, 20),
    ("equal is not above", {10: [0.2, 0.2], 20: [0.3, 0.2]}, 0),
    ("the depths may have different numbers of seeds", {10: [0.1, 0.2, 0.3], 20: [0.4]}, 20),
    ("every seed counts", {10: [0.1, 0.1, 0.1, 0.4], 20: [0.3, 0.3, 0.3, 0.3]}, 0),
    ("a single depth cannot hurt", {10: [0.1, 0.2]}, 0),
    ("a run that diverged (NaN) is worse than any number", {10: [0.1], 20: [NAN]}, 20),
    ("a run that diverged (NaN) is worse than any number", {10: [1500.0], 20: [NAN]}, 20),
    ("one diverged run (NaN) is not above another", {10: [NAN], 20: [NAN]}, 0),
    ("a run that diverged (NaN) is worse than any number", {10: [0.1, 0.2], 20: [0.3, NAN]}, 20),
    ("a run that diverged (NaN) is worse than any number", {10: [0.1, 0.2], 20: [NAN, 0.3]}, 20),
    ("the other run of 20 layers is below one of 10", {10: [0.1, 0.2], 20: [NAN, 0.15]}, 0),
    ("nothing is above a run that diverged (NaN)", {10: [NAN, 0.2], 20: [0.3, 0.4]}, 0),
    ("nothing is above a run that diverged (NaN)", {10: [0.2, NAN], 20: [0.3, NAN]}, 0),
)


@check("01")
def where_depth_hurts(answer):
    """``answer(losses)`` → the smallest depth at which it hurts, 0 if there is none."""
    for message, losses, right in LOSSES:
        given = {depth: list(some) for depth, some in losses.items()}
        found = as_array(call(answer, given), "the depth", ())
        require(str(given) == str(losses), "the given losses were changed; leave them as they are")
        require(found == right, f"{message}: {losses} gives {found:g}, and not {right}")
    return "every run against every run of a shallower network"


@check("01")
def start_prediction(answer):
    """``answer``: (prediction, losses of noisy identities, losses of He's start)."""
    return judged(answer)
