"""Checks of the exercises to lesson 07, the variants."""

import itertools

import numpy as np
import tensorflow as tf

from resnet_lesson.checks.answers import NotYet, call, require
from resnet_lesson.checks.blocks import block_of, called, variables
from resnet_lesson.checks.core import check, check_values, drawn
from resnet_lesson.checks.predictions import judged


def _scaled(answer, channels, reduction, seed):
    """Return what the reader's layer gives out, with weights drawn for it."""
    layer = block_of(answer, channels, reduction)
    x, down, up = _squeezed(channels, reduction, seed)
    called(layer, tf.constant(x, tf.float32))  # some layers make their weights only now
    kernels = [v for v in variables(layer) if len(v.shape) in (2, 4)]
    inner = channels // reduction
    shapes, wanted = [tuple(v.shape)[-2:] for v in kernels], [(channels, inner), (inner, channels)]
    require(
        shapes == wanted,
        f"two layers, {channels} → {inner} → {channels}, are expected, this has {shapes}",
    )
    for kernel, value in zip(kernels, (down, up), strict=True):
        kernel.assign(value.reshape(kernel.shape).astype("float32"))
    return called(layer, tf.constant(x, tf.float32))


def _squeezed(channels, reduction, seed):
    inner = channels // reduction
    return drawn(seed, (3, 4, 5, channels), (channels, inner), (inner, channels))


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


@check_values("07", "the layer's output", [(8, 4, 0), (6, 2, 1)], 1e-4, _scaled)
def squeeze_and_excite(channels, reduction, seed):
    """``answer(channels, reduction)`` → a layer that weighs its channels."""
    x, down, up = _squeezed(channels, reduction, seed)

    def out(values, inner=lambda h: np.maximum(h, 0), outer=_sigmoid):
        return x * outer(inner(values @ down) @ up)[:, None, None]

    mean = x.mean(axis=(1, 2))
    e = np.exp(np.maximum(mean @ down, 0) @ up)
    yield "squeezed to a number for each channel, and each channel weighed by one", out(mean)
    yield "squeeze by the mean over all pixels; this takes the maximum", out(x.max(axis=(1, 2)))
    yield "squeeze by the mean over all pixels; this takes the sum", out(x.sum(axis=(1, 2)))
    yield "the ReLU between the two layers is missing", out(mean, lambda h: h)
    yield "the sigmoid at the end is missing", out(mean, outer=lambda v: v)
    yield (
        "there is a ReLU at the end; each weight should be a sigmoid",
        out(mean, outer=lambda v: np.maximum(v, 0)),
    )
    yield (
        "a softmax lets the channels compete; each should have a sigmoid of its own",
        (x * (e / e.sum(axis=1, keepdims=True))[:, None, None]),
    )
    yield "x is added once more; it should only be weighed", x + out(mean)
    yield "the weights are added; they should multiply", x + (out(mean) / x)
    yield (
        "each pixel is weighed by itself: squeeze first, over height and width",
        (x * _sigmoid(np.maximum(x @ down, 0) @ up)),
    )
    yield "this is x: nothing is weighed", x
    yield "the output is not x, each channel times its weight"


FAMILIES = (  # p-values, which differences are decided, and what a wrong answer shows
    ([0.04], [True], "one comparison needs no correction"),
    ([0.06], [False], "0.05 is the limit"),
    (
        [0.001, 0.02, 0.2],
        [True, True, False],
        "once 0.001 is through, 0.02 has to be below 0.05 / 2",
    ),
    ([0.03, 0.04, 0.045], [False] * 3, "the smallest is above 0.05 / 3, so none is decided"),
    ([0.2, 0.001, 0.012], [False, True, True], "the answers stay in the order of the p-values"),
    ([0.04, 0.01, 0.03], [False, True, False], "0.03 is above 0.05 / 2, and there it stops"),
    ([0.026, 0.001, 0.04], [False, True, False], "it stops at 0.026, so 0.04 comes too late"),
    ([0.05, 0.02], [True, True], "exactly the limit is enough: 0.02 ≤ 0.025, then 0.05 ≤ 0.05"),
    ([0.01, 0.01, 0.5, 0.01], [True, True, False, True], "equal p-values are decided alike"),
)


@check("07")
def holm(answer):
    """``answer(p_values)`` → which of a family are decided, True or False for each."""
    for p_values, right, why in FAMILIES:
        given = list(p_values)
        found = call(answer, given)
        require(given == p_values, "the list of p-values was changed; leave it as it is")
        shape = "return a list with True or False for each p-value, in their order"
        require(np.iterable(found) and len(list(found)) == len(right), shape)
        found = [bool(one) for one in found]
        require(found == right, f"{p_values} gives {found}: {why}")
    return "from the smallest on, each against 0.05 over those that are left, until one fails"


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
def variant_prediction(answer):
    """``answer``: (prediction, losses of the variant, losses of the baseline)."""
    return judged(answer)
