"""Checks of the exercises to lesson 07, the variants."""

import itertools

import numpy as np
import tensorflow as tf

from resnet_lesson.checks.answers import NotYet, as_array, call, require
from resnet_lesson.checks.blocks import called, examine, variables
from resnet_lesson.checks.core import check, check_values, close, drawn
from resnet_lesson.checks.predictions import judged


@check_values("07", "the number of blocks", [(54, 0.5), (6, 0.5), (10, 0.8), (5, 1.0)], 1e-6)
def expected_blocks(blocks, last):
    """``answer(blocks, last)`` → mean number of blocks in an update with stochastic depth."""
    left_out, from_zero = ((1 - last) * (blocks + first) / 2 for first in (1, -1))
    middle = blocks * (1 + last) / 2
    yield "add up the probabilities", blocks - left_out
    yield "only the last block has the last probability; the others have more", blocks * last
    yield "the blocks are numbered from 1: the first one too can be left out", blocks - from_zero
    yield "these are the blocks that are left out", left_out
    yield "the mean of 1 and the last probability is a little too high: no block has 1", middle
    yield "{blocks} blocks, last probability {last}: {found:g} is not the mean number"


def _branch(x):
    """Compute F(x) of the block."""
    return 10.0 + 2.0 * x


def _unwanted(x):
    """Stand for the branch where it should be left out."""
    raise NotYet("the branch is left out, and yet computed: that saves no time")


(X,) = drawn(0, (3, 4))
DRAWS = itertools.product((0.6, 0.3), (True, False), (0.1, 0.9, 0.5))
COMPUTED = [(X, _branch, *draw) for draw in DRAWS]
# Where the branch is left out, it should not be computed either.
SPARED = [(X, _unwanted, 0.6, True, 0.9), (X, _unwanted, 0.3, True, 0.5)]


def _with_tensor(answer, x, *others):
    """Call the answer as the exercise does, with a tensor."""
    return call(answer, tf.constant(x), *others)


@check_values("07", "the output", COMPUTED + SPARED, 1e-4, _with_tensor)
def random_block(x, branch, survival, training, drawn):
    """``answer(x, branch, survival, training, drawn)`` → a block's output with stochastic depth."""
    p, f, kept = survival, _branch(x), drawn < survival
    right = x + (kept if training else p) * f
    opposite, divided = x + (not kept) * f, x + kept * f / p
    yield "left out at random in training, weighted in evaluation", right
    if training:
        yield "the branch is left out where it should take part, and the other way round", opposite
        yield "in training a branch that takes part counts whole", x + kept * p * f
        yield "evaluation multiplies by `survival`; training does not divide by it", divided
        yield "where the branch is left out, the shortcut stays", 0 * x
    else:
        yield "in evaluation each branch counts by its probability", x + f
        yield "in evaluation nothing is drawn", x + kept * f
        yield "in evaluation the branch still counts", x
        yield "only the branch counts by its probability, not the shortcut", p * (x + f)
    yield "survival {survival}, training={training}, drawn {drawn}: this is not the output"


@check("07")
def learnt_scale(answer):
    """``answer()`` → a layer that multiplies by one trainable number, zero at the start."""
    for shape in ((2, 3, 3, 4), (5, 2)):
        x = drawn(len(shape), shape)[0].astype("float32")
        layer = call(answer)
        start = as_array(called(layer, tf.constant(x)), "the layer's output", shape)
        learnt = variables(layer)
        size = sum(map(np.size, learnt))
        require(size == 1, f"one number for the whole branch is wanted, this has {size}")
        number = np.array(learnt[0]).item()
        learnt[0].assign(0 * learnt[0] + 3)
        end = as_array(call(layer, tf.constant(x)), "the layer's output", shape)
        require(not close(end, x + 3), "the number is added; it should multiply")
        require(close(end, 3 * x), "with the number 3 the output should be three times the input")
        zero = f"the number starts at {number:g}; it should start at 0, so that the branch does"
        require(close(start, 0 * x), zero)
    return "one number, zero at the start"


@check("07")
def pre_activation_block(answer):
    """``answer(channels)`` → a layer or model: two 3×3 convolutions in pre-activation order."""
    right = "norm relu conv norm relu conv shortcut add"
    original = "conv norm relu conv norm shortcut add relu"
    mistakes = {
        "this is the original order; normalisation and ReLU belong before a convolution": original,
        "no ReLU after the addition: it changes what the shortcut carries": f"{right} relu",
        "the shortcut should carry x itself": right.replace("shortcut", "shortcut norm relu"),
        "a ReLU between normalisation and convolution is missing": right.replace("relu", ""),
        "the ReLU belongs after the normalisation": right.replace("norm relu", "relu norm"),
        "the first normalisation and ReLU are missing": right.removeprefix("norm relu"),
        "the normalisation at the end is one too many": right.replace("shortcut", "norm shortcut"),
        "there is no normalisation": right.replace("norm", ""),
        "the shortcut is missing": right.removesuffix("shortcut add"),
        "x is subtracted": right.replace("add", "negate add"),
    }
    for channels, seed in ((6, 0), (4, 1)):
        shapes = [(3, 3, channels, channels)] * 2
        examine(called(answer, channels), seed, shapes, right, mistakes)
    return "normalisation and ReLU before each convolution, nothing after the addition"


@check("07")
def variant_prediction(answer):
    """``answer``: (prediction, losses of the variant, losses of the baseline)."""
    return judged(answer)
