"""Checks of the exercises to lesson 07, the variants."""

import itertools

import numpy as np
import tensorflow as tf

from resnet_lesson.checks.answers import NotYet, as_array, call, require
from resnet_lesson.checks.blocks import built, compare, gammas, kernels_of, outputs
from resnet_lesson.checks.core import check, check_values, close, judge
from resnet_lesson.checks.lesson04 import judged


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


@check("07")
def random_block(answer):
    """``answer(x, branch, survival, training, drawn)`` → a block's output with stochastic depth."""
    x = np.random.default_rng(0).normal(size=(3, 4))
    calls = []

    def branch(values):
        calls.append(len(calls))
        return 10.0 + 2.0 * values

    f = branch(x)
    praise = "left out at random in training, weighted in evaluation"
    for p, training, drawn in itertools.product((0.6, 0.3), (True, False), (0.1, 0.9, 0.5)):
        calls.clear()
        found = call(answer, tf.constant(x), branch, p, training, drawn)
        found = as_array(found, "the output", x.shape)
        kept = drawn < p
        if training:
            known = {
                praise: x + kept * f,
                "the branch is left out where it should take part, and takes part where not":
                    x + (not kept) * f,
                "a branch that takes part counts whole in training; its share belongs to "
                "evaluation": x + kept * p * f,
                "dividing by the probability is another way; here evaluation multiplies by it":
                    x + kept * f / p,
                "where the branch is left out, the shortcut stays": 0 * x,
            }  # fmt: skip
        else:
            known = {
                praise: x + p * f,
                "in evaluation each branch counts by its probability": x + f,
                "in evaluation nothing is drawn": x + kept * f,
                "in evaluation the branch still counts": x,
                "only the branch counts by its probability, not the shortcut": p * (x + f),
            }
        otherwise = f"survival {p}, training={training}, drawn {drawn}: this is not the output"
        judge(found, known, otherwise, 1e-4)
        if training and not kept and calls:
            raise NotYet("the branch is left out, and yet computed: that saves no time")
    return praise


@check("07")
def learnt_scale(answer):
    """``answer()`` → a layer that multiplies by one trainable number, zero at the start."""
    for shape in ((2, 3, 3, 4), (5, 2)):
        x = np.random.default_rng(len(shape)).normal(size=shape).astype("float32")
        layer = call(answer)
        start = as_array(built(layer, tf.constant(x)), "the layer's output", shape)
        learnt = getattr(layer, "trainable_variables", None)
        if learnt is None:
            raise NotYet("return a Keras layer, or a tf.Module, so that its number can be found")
        require(learnt, "nothing in it can be trained; make the number a trainable weight")
        require(len(learnt) == 1, f"one number is wanted, this has {len(learnt)} weights")
        size = np.size(learnt[0])
        require(size == 1, f"one number for the whole branch is wanted, this has {size}")
        at_one = close(start, x)
        require(not at_one, "the number starts at 1; it should start at 0, so that the branch does")
        require(close(start, 0 * x), "at the start the output should be 0")
        learnt[0].assign(0 * learnt[0] + 3)
        end = as_array(call(layer, tf.constant(x)), "the layer's output", shape)
        require(not close(end, x + 3), "the number is added; it should multiply")
        triples = close(end, 3 * x)
        require(triples, "with the number 3 the output should be three times the input")
    return "one number, zero at the start"


PRE_ACTIVATION = "norm relu conv norm relu conv shortcut add"
OTHER_ORDERS = {
    "this is the original order; normalisation and ReLU belong before each convolution":
        "conv norm relu conv norm shortcut add relu",
    "the ReLU after the addition does not belong there: what the shortcut carries stays as it is":
        "norm relu conv norm relu conv shortcut add relu",
    "the shortcut should carry x itself, not the normalised one":
        "norm relu conv norm relu conv shortcut norm relu add",
    "a ReLU between normalisation and convolution is missing": "norm conv norm conv shortcut add",
    "the ReLU stands before the normalisation; it belongs after it":
        "relu norm conv relu norm conv shortcut add",
    "the first normalisation and ReLU are missing": "conv norm relu conv shortcut add",
    "a normalisation after the last convolution does not belong there":
        "norm relu conv norm relu conv norm shortcut add",
    "there is no normalisation": "relu conv relu conv shortcut add",
    "the shortcut is missing": "norm relu conv norm relu conv",
    "x is subtracted": "norm relu conv norm relu conv shortcut negate add",
}  # fmt: skip


@check("07")
def pre_activation_block(answer):
    """``answer(channels)`` → a layer or model: two 3×3 convolutions in pre-activation order."""
    for channels, seed in ((6, 0), (4, 1)):
        block = built(answer, channels)
        x = np.random.default_rng(seed).normal(size=(4, 5, 5, channels)).astype("float32")
        evaluated, trained = outputs(block, x)
        if trained.shape != x.shape:
            raise NotYet(f"the output should have the shape of x, {x.shape}, not {trained.shape}")
        kernels = kernels_of(block, [(3, 3, channels, channels)] * 2)
        compare(evaluated, trained, x, kernels, PRE_ACTIVATION, OTHER_ORDERS)
        found, norms = gammas(block), 2 * channels
        require(found == norms, f"two normalisations have {norms} numbers γ, this has {found}")
    return "normalisation and ReLU before each convolution, nothing after the addition"


@check("07")
def variant_prediction(answer):
    """``answer``: (prediction, losses of the variant, losses of the baseline)."""
    return judged(answer)
