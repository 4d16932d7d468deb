"""Checks of lesson 07: right answers in several styles pass, each wrong one gets its message."""

import keras
import numpy as np
import tensorflow as tf
from answers import right_answers_pass, wrong_answers_get_their_message
from keras import layers

from resnet_lesson import checks


def survivals(blocks, last, first=1):
    return [1 - (1 - last) * n / blocks for n in range(first, blocks + first)]


def by_if(x, branch, survival, training, drawn):
    if not training:
        return x + survival * branch(x)
    return x + branch(x) if drawn < survival else x


def by_cond(x, branch, survival, training, drawn):
    if training:
        return tf.cond(drawn < survival, lambda: x + branch(x), lambda: x)
    return branch(x) * survival + x


def always_computed(x, branch, survival, training, drawn):
    f = branch(x)
    return x + f * (float(drawn < survival) if training else survival)


def random_block(train, evaluate):
    """A block that computes ``train(x, f, p, kept)`` in training, else ``evaluate`` of the same."""

    def run(x, branch, survival, training, drawn):
        return (train if training else evaluate)(x, branch(x), survival, float(drawn < survival))

    return run


def trained(x, f, p, kept):
    return x + kept * f


def evaluated(x, f, p, kept):
    return x + p * f


class Scale(layers.Layer):
    def __init__(self, start="zeros", size=1, trainable=True, add=False):
        super().__init__()
        self.options = {"shape": (size,), "initializer": start, "trainable": trainable}
        self.adds = add

    def build(self, shape):
        self.scale = self.add_weight(**self.options)

    def call(self, x):
        return (
            x * 0 + self.scale
            if self.adds == "only"
            else (x + self.scale if self.adds else x * self.scale)
        )


class ByModule(tf.Module):
    def __init__(self):
        super().__init__()
        self.alpha = tf.Variable(0.0)

    def __call__(self, x):
        return self.alpha * x


class PreActivation(keras.Model):
    def __init__(self, channels, training=None):
        super().__init__()
        self.norms = [layers.BatchNormalization() for _ in range(2)]
        self.convs = [layers.Conv2D(channels, 3, padding="same") for _ in range(2)]
        self.training = training

    def call(self, x, training=None):
        training = training if self.training is None else self.training
        y = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(tf.nn.relu(norm(y, training=training)))
        return x + y


def pre_activation(channels, defect=""):
    inputs = keras.Input((5, 5, channels))
    y, carried = inputs, inputs
    for i in range(2):
        if not (defect == "first bare" and i == 0):
            y = layers.ReLU()(y) if defect == "relu first" else y
            y = y if defect == "no norm" else layers.BatchNormalization()(y)
            y = y if defect in ("no relu", "relu first") else layers.ReLU()(y)
        carried = y if defect == "shortcut norm" and i == 0 else carried
        y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization()(y) if defect == "norm last" else y
    if defect != "no shortcut":
        y = y - carried if defect == "minus" else layers.Add()([y, carried])
    return keras.Model(inputs, layers.ReLU()(y) if defect == "relu after" else y)


def original(channels):
    inputs = keras.Input((5, 5, channels))
    y = layers.Conv2D(channels, 3, padding="same")(inputs)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(channels, 3, padding="same")(y))
    return keras.Model(inputs, layers.ReLU()(y + inputs))


def with_defect(defect):
    return lambda channels: pre_activation(channels, defect)


RIGHT = [
    (checks.expected_blocks, lambda n, last: sum(survivals(n, last))),
    (checks.expected_blocks, lambda n, last: np.float32(n - (1 - last) * (n + 1) / 2)),
    (checks.random_block, by_if),
    (checks.random_block, by_cond),
    (checks.learnt_scale, Scale),
    (checks.learnt_scale, ByModule),
    (checks.pre_activation_block, pre_activation),
    (checks.pre_activation_block, PreActivation),
    (checks.variant_prediction, ("lower", [0.1, 0.2], [0.3, 0.4])),
    (checks.variant_prediction, ("higher", (0.1, 0.3), np.array([0.2, 0.4]))),
]
WRONG = [
    (checks.expected_blocks, lambda n, last: n * last, "only the last block"),
    (checks.expected_blocks, lambda n, last: sum(survivals(n, last, 0)), "numbered from 1"),
    (checks.expected_blocks, lambda n, last: n - sum(survivals(n, last)), "that are left out"),
    (checks.expected_blocks, lambda n, last: n * (1 + last) / 2, "a little too high"),
    (checks.expected_blocks, lambda n, last: 3, "is not the mean number"),
    (checks.random_block, always_computed, "that saves no time"),
    (checks.random_block, random_block(lambda x, f, p, kept: x + (1 - kept) * f, evaluated),
     "where it should take part"),
    (checks.random_block, random_block(lambda x, f, p, kept: x + kept * p * f, evaluated),
     "counts whole in training"),
    (checks.random_block, random_block(lambda x, f, p, kept: x + kept * f / p, evaluated),
     "dividing by the probability"),
    (checks.random_block, random_block(lambda x, f, p, kept: kept * (x + f), evaluated),
     "the shortcut stays"),
    (checks.random_block, lambda x, branch, p, training, drawn: by_if(x, branch, 1.0, False, 0)
     if not training else by_if(x, branch, p, True, drawn), "counts by its probability"),
    (checks.random_block, lambda x, branch, p, training, drawn: by_if(x, branch, p, True, drawn),
     "counts by its probability"),
    (checks.random_block, lambda x, branch, p, training, drawn: by_if(x, branch, p, True, drawn)
     if training else x, "the branch still counts"),
    (checks.random_block, lambda x, branch, p, training, drawn: by_if(x, branch, p, True, drawn)
     if training else p * (x + branch(x)), "not the shortcut"),
    (checks.random_block, lambda x, *_: 7 * x, "this is not the output"),
    (checks.learnt_scale, lambda: Scale("ones"), "starts at 1"),
    (checks.learnt_scale, lambda: Scale(keras.initializers.Constant(0.5)), "should be 0"),
    (checks.learnt_scale, lambda: Scale(trainable=False), "nothing in it can be trained"),
    (checks.learnt_scale, lambda: layers.BatchNormalization(gamma_initializer="zeros"),
     "2 weights"),
    (checks.learnt_scale, lambda: layers.BatchNormalization(
        gamma_initializer="zeros", center=False), "one number for the whole branch"),
    (checks.learnt_scale, lambda: Scale(add="only"), "three times the input"),
    (checks.learnt_scale, lambda: lambda x: 0 * x, "return a Keras layer"),
    (checks.pre_activation_block, original, "this is the original order"),
    (checks.pre_activation_block, with_defect("relu after"), "ReLU after the addition"),
    (checks.pre_activation_block, with_defect("shortcut norm"), "should carry x itself"),
    (checks.pre_activation_block, with_defect("no relu"), "normalisation and convolution is"),
    (checks.pre_activation_block, with_defect("relu first"), "stands before the normalisation"),
    (checks.pre_activation_block, with_defect("first bare"), "the first normalisation and ReLU"),
    (checks.pre_activation_block, with_defect("norm last"), "after the last convolution"),
    (checks.pre_activation_block, with_defect("no norm"), "there is no normalisation"),
    (checks.pre_activation_block, with_defect("no shortcut"), "the shortcut is missing"),
    (checks.pre_activation_block, with_defect("minus"), "x is subtracted"),
    (checks.pre_activation_block, lambda channels: PreActivation(channels, training=True),
     "hand `training` on"),
    (checks.variant_prediction, ("perhaps", [1.0], [2.0]), "should be one of"),
    (checks.variant_prediction, 3, "hand over three things"),
]  # fmt: skip


test_right, test_wrong = right_answers_pass(RIGHT), wrong_answers_get_their_message(WRONG)


def test_a_prediction_that_is_missing_is_not_attempted():
    for answer in ((None, [1.0], [2.0]), ("lower", [], [])):
        assert checks.variant_prediction(answer).status == "not attempted"
