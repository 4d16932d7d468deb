"""Checks of lesson 01: right answers in several styles pass, each wrong one gets its message."""

import keras
import numpy as np
import tensorflow as tf
from answers import right_answers_pass, wrong_answers_get_their_message

from resnet_lesson import checks


def deeper(model, n, weights=(np.eye, np.zeros), activation="relu", at_end=False):
    """A deeper model; the defaults make the right one."""
    old = list(model.layers)
    width = old[-1].units if at_end else old[-2].units
    new = [keras.layers.Dense(width, activation=activation) for _ in range(n)]
    place = len(old) if at_end else len(old) - 1
    deep = keras.Sequential([keras.Input(model.input_shape[1:]), *old[:place], *new, *old[place:]])
    for layer in new:
        layer.set_weights([weights[0](width), weights[1](width)])
    return deep


def deeper_functional(model, n):
    x = model.inputs[0]
    for layer in model.layers[:-1]:
        x = layer(x)
    for _ in range(n):
        x = keras.layers.Dense(x.shape[-1], "relu", kernel_initializer="identity")(x)
    return keras.Model(model.inputs, model.layers[-1](x))


def spoilt(model, n):
    for weight in model.weights:
        weight.assign(weight * 0)
    return deeper(model, n)


def by_three_numbers(training, validation, shallower):
    if training > validation + 0.1:
        return "over-fitting"
    return "degradation" if shallower > training + 0.1 else "neither"


def by_table(training, validation, shallower):
    if shallower - training >= 0.2:
        return "Degradation "
    return "neither" if abs(training - validation) < 0.05 else "over-fitting"


RIGHT = [
    (checks.identity_layer, lambda n: (np.eye(n), np.zeros(n))),
    (checks.identity_layer, lambda n: [tf.eye(n), [0] * n]),
    (checks.gradient_left, lambda c, layers: c**layers),
    (checks.gradient_left, lambda c, layers: np.prod([c] * layers)),
    (checks.gradient_left, lambda c, layers: tf.constant(c, tf.float64) ** layers),
    (checks.diagnosis, by_three_numbers),
    (checks.diagnosis, by_table),
    (checks.deepened, deeper),
    (checks.deepened, deeper_functional),
]
WRONG = [
    (checks.identity_layer, lambda n: np.eye(n), "return two things"),
    (checks.identity_layer, lambda n: (np.zeros((n, n)), np.zeros(n)), "nothing of x comes"),
    (checks.identity_layer, lambda n: (np.ones((n, n)), np.zeros(n)), "adds up all units"),
    (checks.identity_layer, lambda n: (np.eye(n), np.ones(n)), "b moves the numbers"),
    (checks.identity_layer, lambda n: (-np.eye(n), np.zeros(n)), "the layer turns"),
    (checks.identity_layer, lambda n: (np.eye(n), np.zeros((n, 1))), "b should have the shape"),
    (checks.gradient_left, lambda c, layers: c * layers, "once for each layer"),
    (checks.gradient_left, lambda c, layers: c ** (layers - 1), "one layer too few"),
    (checks.gradient_left, lambda c, layers: c ** (layers + 1), "one layer too many"),
    (checks.gradient_left, lambda c, layers: 1 - c**layers, "what is lost"),
    (checks.gradient_left, lambda c, layers: c, "is not the share"),
    (checks.diagnosis, lambda a, b, c: a - b, "return one of the words"),
    (checks.diagnosis, lambda a, b, c: "over-fitting" if c > a or a > b + 0.1 else "neither",
     "over-fitting needs a high"),
    (checks.diagnosis,
     lambda a, b, c: "over-fitting" if a > b + 0.1 else "degradation" if a < 0.9 else "neither",
     "too weak or too little trained"),
    (checks.diagnosis, lambda a, b, c: "degradation", "does not describe"),
    (checks.deepened, lambda model, n: model, "this is the model itself"),
    (checks.deepened, lambda model, n: deeper(model, n, at_end=True), "the negative logits"),
    (checks.deepened, lambda model, n: deeper(model, n, (lambda k: np.ones((k, k)), np.zeros)),
     "the logits differ"),
    (checks.deepened, lambda model, n: deeper(model, n + 1), "where 4 were asked for"),
    (checks.deepened, spoilt, "the given model was changed"),
    (checks.deepened, lambda model, n: 3, "a function is wanted"),
]  # fmt: skip


test_right, test_wrong = right_answers_pass(RIGHT), wrong_answers_get_their_message(WRONG)
