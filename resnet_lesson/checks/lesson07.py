"""Checks of the exercises to lesson 07, the variants."""

from functools import partial

import numpy as np
import tensorflow as tf

from resnet_lesson.checks.blocks import (
    EPSILONS,
    built,
    compare,
    convolved,
    kernels_of,
    outputs,
    variables,
)
from resnet_lesson.checks.core import NotYet, array, call, check, close, differ, number
from resnet_lesson.checks.lesson04 import judged


@check("07")
def expected_blocks(answer):
    """``answer(blocks, last)`` → mean number of blocks in an update with stochastic depth."""
    for blocks, last in ((54, 0.5), (6, 0.5), (10, 0.8), (5, 1.0)):
        found = number(call(answer, blocks, last), "the number of blocks")
        right = blocks - (1 - last) * (blocks + 1) / 2
        if np.isclose(found, right, rtol=1e-6):
            continue
        differ(found, {
            "only the last block has the last probability; the others have more": blocks * last,
            "the blocks are numbered from 1: the first one too can be left out":
                blocks - (1 - last) * (blocks - 1) / 2,
            "these are the blocks that are left out": blocks - right,
            "the mean of 1 and the last probability is a little too high: no block has 1":
                blocks * (1 + last) / 2,
        })  # fmt: skip
        raise NotYet(f"{blocks} blocks, last probability {last}: {found:g} is not the mean number")
    return "add up the probabilities"


@check("07")
def random_block(answer):
    """``answer(x, branch, survival, training, drawn)`` → a block's output with stochastic depth."""
    x = np.random.default_rng(0).normal(size=(3, 4))
    calls = []

    def branch(values):
        calls.append(len(calls))
        return 10.0 + 2.0 * values

    given = tf.constant(x)
    for survival, training, drawn in (
        (0.6, True, 0.1), (0.6, True, 0.9), (0.6, False, 0.1), (0.6, False, 0.9), (0.3, True, 0.5),
    ):  # fmt: skip
        calls.clear()
        found = array(call(answer, given, branch, survival, training, drawn), "the output", x.shape)
        kept, f = drawn < survival, 10.0 + 2.0 * x
        right = x + (f if kept else 0) if training else x + survival * f
        if close(found, right):
            if training and not kept and calls:
                raise NotYet("the branch is left out, and yet computed: that saves no time")
            continue
        if training:
            differ(found, {
                "the branch is left out where it should take part, and takes part where not":
                    x + (0 if kept else f),
                "a branch that takes part counts whole in training; its share belongs to "
                "evaluation": x + kept * survival * f,
                "dividing by the probability is another way; here evaluation multiplies by it":
                    x + kept * f / survival,
                "where the branch is left out, the shortcut stays": 0 * x,
            }, close)  # fmt: skip
        else:
            differ(found, {
                "in evaluation each branch counts by its probability": x + f,
                "in evaluation nothing is drawn": x + (f if kept else 0),
                "in evaluation the branch still counts": x,
                "only the branch counts by its probability, not the shortcut": survival * (x + f),
            }, close)  # fmt: skip
        raise NotYet(
            f"survival {survival}, training={training}, drawn {drawn}: this is not the output"
        )
    return "left out at random in training, weighted in evaluation"


@check("07")
def learnt_scale(answer):
    """``answer()`` → a layer that multiplies by one trainable number, zero at the start."""
    for shape in ((2, 3, 3, 4), (5, 2)):
        x = np.random.default_rng(len(shape)).normal(size=shape).astype("float32")
        layer = call(answer)
        start = array(built(call, layer, tf.constant(x)), "the layer's output", shape)
        learnt = getattr(layer, "trainable_variables", None)
        if learnt is None:
            raise NotYet("return a Keras layer, or a tf.Module, so that its number can be found")
        if not learnt:
            raise NotYet("nothing in it can be trained; make the number a trainable weight")
        if len(learnt) > 1:
            raise NotYet(f"one number is wanted, this has {len(learnt)} weights")
        if np.asarray(learnt[0]).size != 1:
            raise NotYet(
                f"one number for the whole branch is wanted, this has {np.asarray(learnt[0]).size}"
            )
        if close(start, x):
            raise NotYet("the number starts at 1; it should start at 0, so that the branch does")
        if not close(start, 0 * x):
            raise NotYet("at the start the output should be 0")
        learnt[0].assign(0 * learnt[0] + 3)
        end = array(call(layer, tf.constant(x)), "the layer's output", shape)
        if close(end, x + 3):
            raise NotYet("the number is added; it should multiply")
        if not close(end, 3 * x):
            raise NotYet("with the number 3 the output should be three times the input")
    return "one number, zero at the start"


@check("07")
def pre_activation_block(answer):
    """``answer(channels)`` → a layer or model: two 3×3 convolutions in pre-activation order."""
    for channels, seed in ((6, 0), (4, 1)):
        block = built(call, answer, channels)
        x = np.random.default_rng(seed).normal(size=(4, 5, 5, channels)).astype("float32")
        evaluated, trained = (outputs(block, x, training=training) for training in (False, True))
        if trained.shape != x.shape:
            raise NotYet(f"the output should have the shape of x, {x.shape}, not {trained.shape}")
        kernels = kernels_of(block, [(3, 3, channels, channels)] * 2, None)
        compare(partial(_fits, trained, x, kernels), _MISTAKES, evaluated, trained)
        # Before training each γ is 1.
        gammas = sum(v.size for v in variables(block) if v.ndim == 1 and np.all(v == 1))
        if gammas != 2 * channels:
            raise NotYet(f"two normalisations have {2 * channels} numbers γ, this has {gammas}")
    return "normalisation and ReLU before each convolution, nothing after the addition"


@check("07")
def variant_prediction(answer):
    """``answer``: (prediction, losses of the variant, losses of the baseline)."""
    return judged(answer)


_MISTAKES = {
    "this is the original order; normalisation and ReLU belong before each convolution": "original",
    "the ReLU after the addition does not belong there: what the shortcut carries stays as it is":
        "relu after",
    "the shortcut should carry x itself, not the normalised one": "shortcut norm",
    "a ReLU between normalisation and convolution is missing": "no relu",
    "the ReLU stands before the normalisation; it belongs after it": "relu first",
    "the first normalisation and ReLU are missing": "first bare",
    "a normalisation after the last convolution does not belong there": "norm last",
    "there is no normalisation": "no norm",
    "the shortcut is missing": "no shortcut",
    "x is subtracted": "minus",
}  # fmt: skip


def _fits(found, x, kernels, change=""):
    return any(close(found, _reference(x, kernels, eps, change), 2e-3) for eps in EPSILONS)


def _reference(x, kernels, epsilon, change):
    """Compute the block in training, γ = 1 and β = 0, or with one change."""

    def norm(y):
        if change == "no norm":
            return y
        return (y - y.mean(axis=(0, 1, 2))) / np.sqrt(y.var(axis=(0, 1, 2)) + epsilon)

    def relu(y):
        return np.maximum(y, 0)

    if change == "original":
        y = relu(norm(convolved(x, kernels[0], 1)))
        return relu(norm(convolved(y, kernels[1], 1)) + x)
    y = carried = x
    for i, kernel in enumerate(kernels):
        if not (change == "first bare" and i == 0):
            y = norm(relu(y)) if change == "relu first" else norm(y)
            y = y if change in ("no relu", "relu first") else relu(y)
        if change == "shortcut norm" and i == 0:
            carried = y
        y = convolved(y, kernel, 1)
    y = norm(y) if change == "norm last" else y
    if change == "no shortcut":
        return y
    y = y - x if change == "minus" else y + carried
    return relu(y) if change == "relu after" else y
