"""Checks of the exercises for lesson 07, the variants."""

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
    first = called(layer, tf.constant(x, tf.float32))  # some layers make their weights only now
    unused = "these are the weights of the channels; multiply x by them"
    require(np.shape(first) not in ((3, channels), (3, 1, 1, channels)), unused)
    inner = channels // reduction
    # Where two dense layers are, and in which order they were made, is not asked.
    kernels = [v for v in variables(layer) if len(v.shape) in (2, 4)]
    kernels.sort(key=lambda kernel: kernel.shape[-1] != inner)
    shapes = [tuple(kernel.shape) for kernel in kernels]
    have = " and ".join(" → ".join(map(str, shape[-2:])) for shape in shapes)
    sizes = (
        f"two layers, {channels} → {inner} → {channels}, are expected, this has {have or 'none'}"
    )
    require([shape[-2:] for shape in shapes] == [(channels, inner), (inner, channels)], sizes)
    large = "a kernel that covers several pixels is no dense layer; a 1×1 convolution is one"
    require(all(set(shape[:-2]) <= {1} for shape in shapes), large)
    for kernel, value in zip(kernels, (down, up), strict=True):
        kernel.assign(value.reshape(kernel.shape).astype("float32"))
    return called(layer, tf.constant(x, tf.float32))


def _squeezed(channels, reduction, seed):
    inner = channels // reduction
    return drawn(seed, (3, 4, 5, channels), (channels, inner), (inner, channels))


def _relu(x):
    return np.maximum(x, 0)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


@check_values("07", "the layer's output", [(8, 4, 0), (10, 4, 1)], 1e-4, _scaled)
def squeeze_and_excite(channels, reduction, seed):
    """``answer(channels, reduction)`` → a layer that weighs its channels."""
    x, down, up = _squeezed(channels, reduction, seed)

    def out(values, inner=_relu, outer=_sigmoid):
        return x * outer(inner(values @ down) @ up)[:, None, None]

    mean = x.mean(axis=(1, 2))
    e = np.exp(_relu(mean @ down) @ up)
    yield "squeezed to a number for each channel, and each channel weighed by one", out(mean)
    yield "squeeze by the mean over all pixels; this takes the maximum", out(x.max(axis=(1, 2)))
    yield "squeeze by the mean over all pixels; this takes the sum", out(x.sum(axis=(1, 2)))
    yield "the ReLU between the two layers is missing", out(mean, lambda h: h)
    yield "the sigmoid at the end is missing", out(mean, outer=lambda v: v)
    yield (
        "there is a ReLU at the end; each weight should be a sigmoid",
        out(mean, outer=_relu),
    )
    yield (
        "a softmax lets the channels compete; each should have a sigmoid of its own",
        (x * (e / e.sum(axis=1, keepdims=True))[:, None, None]),
    )
    yield (
        "the ReLU belongs between the two layers, and the sigmoid at the end",
        out(mean, _sigmoid, _relu),
    )
    yield "a sigmoid stands between the two layers; a ReLU belongs there", out(mean, _sigmoid)
    yield "the ReLU and the sigmoid are both missing", out(mean, lambda h: h, lambda v: v)
    yield "a tanh stands at the end; a sigmoid belongs there", out(mean, outer=np.tanh)
    yield "this multiplies by 1 minus the weight", x - out(mean)
    yield "the weights count twice", 2 * out(mean)
    yield "x passes a ReLU; it should be weighed as it is", _relu(out(mean))
    whole = np.broadcast_to(mean.mean(axis=0), mean.shape)
    yield "squeeze each image by itself; this takes the mean over the batch, too", out(whole)
    each = _relu(x @ down)
    late = _sigmoid(each.mean(axis=(1, 2)) @ up)[:, None, None]
    yield "squeeze first; this squeezes between the two layers", x * late
    last = _sigmoid(each @ up).mean(axis=(1, 2), keepdims=True)
    yield "squeeze first; this squeezes the weights at the end", x * last
    for axis, words in ((1, "height"), (2, "width")):
        one = x.mean(axis=axis, keepdims=True)
        yield (
            f"squeeze over height and width; this takes the {words} alone",
            x * _sigmoid(_relu(one @ down) @ up),
        )
    yield "x is added once more; it should only be weighed", x + out(mean)
    yield "the weights are added; they should multiply", x + (out(mean) / x)
    yield (
        "each pixel is weighed by itself: squeeze first, over height and width",
        (x * _sigmoid(each @ up)),
    )
    yield "this is x: nothing is weighed", x
    yield from _other_weights(x, mean, out).items()
    yield "these are not the weights that the mean, two layers, a ReLU and a sigmoid give"


def _other_weights(x, mean, out):
    """Return what other weights than the right ones make of x, message → output."""
    weights = out(mean) / x
    return {
        "these are the weights, once for each pixel; multiply x by them": weights + 0 * x,
        "this divides by the weights; multiply": x / weights,
        "what is weighed is the mean; weigh each pixel": mean[:, None, None] * weights + 0 * x,
        "the sigmoid is taken twice": x * _sigmoid(weights),
        "x is multiplied by the weights twice": x * weights**2,
        "the weights are divided by their sum; each channel should have its own": (
            x * weights / weights.sum(axis=-1, keepdims=True)
        ),
        "squeeze by the mean over all pixels; this takes the standard deviation": (
            out(x.std(axis=(1, 2)))
        ),
        "squeeze by the mean over all pixels; this takes a single one": out(x[:, 0, 0]),
        "squeeze by the mean over all pixels; this takes the median": out(np.median(x, (1, 2))),
        "squeeze each channel by itself; this takes the mean over the channels, too": (
            out(mean.mean(axis=1, keepdims=True) + 0 * mean)
        ),
        "the sigmoid is a hard one, of straight lines": (
            out(mean, outer=lambda v: np.clip(v / 6 + 0.5, 0, 1))
        ),
    }


FAMILIES = (  # p-values, which differences are decided, and why
    ([0.04], [True], "0.04 is at most 0.05 / 1"),
    ([0.06], [False], "0.06 is above 0.05 / 1"),
    (
        [0.001, 0.02, 0.2],
        [True, True, False],
        "0.001 is at most 0.05 / 3, then 0.02 at most 0.05 / 2, and 0.2 is above 0.05 / 1",
    ),
    ([0.03, 0.04, 0.045], [False] * 3, "the smallest is above 0.05 / 3, so none is decided"),
    (
        [0.2, 0.001, 0.012],
        [False, True, True],
        "their order is 0.001, 0.012, 0.2, and the first two pass; the answers stay where the "
        "p-values stood",
    ),
    ([0.04, 0.01, 0.03], [False, True, False], "0.03 is above 0.05 / 2, and there it stops"),
    ([0.026, 0.001, 0.04], [False, True, False], "it stops at 0.026, so 0.04 comes too late"),
    ([0.05, 0.02], [True, True], "exactly the limit is enough: 0.02 ≤ 0.025, then 0.05 ≤ 0.05"),
    (
        [0.01, 0.01, 0.5, 0.01],
        [True, True, False, True],
        "0.01 is at most 0.05 / 4; equal p-values are decided alike",
    ),
    ([0.03, 0.03], [False] * 2, "two equal p-values are two tests: 0.03 is above 0.05 / 2"),
    ([0.0253, 0.04], [False] * 2, "0.0253 is above 0.05 / 2, if only just"),
    ([0.0126, 0.3, 0.4, 0.5], [False] * 4, "0.0126 is above 0.05 / 4, if only just"),
    ([0.03, 1e-05], [True, True], "1e-05 is the smaller one: 0.00001"),
)


@check("07")
def holm(answer):
    """``answer(p_values)`` → which of a family are decided, True or False for each."""
    for p_values, right, why in FAMILIES:
        given = list(p_values)
        found = call(answer, given)
        require(given == p_values, "the list of p-values was changed; leave it as it is")
        shape = "return a list with True or False for each p-value, in their order"
        require(np.iterable(found), shape)
        found = list(found)
        require(len(found) == len(right), f"{shape}; for {p_values} it has {len(found)}")
        for one in found:
            require(getattr(one, "dtype", type(one)) in (bool, tf.bool), f"{shape}, not {one!r}")
        found = [bool(one) for one in found]
        require(found == right, f"{p_values} gives {found}: {why}")
    return "from the smallest on, each against 0.05 over those that are left, until one fails"


def _branch(x):
    """Compute F(x) of the block; it, and x + F(x), are negative in places."""
    return 2.0 * x - 1.0


def _unwanted(x):
    """Stand for the branch where it should be left out."""
    raise NotYet("the branch is left out, and yet computed: that saves no time")


(X,) = drawn(0, (3, 4))
DRAWS = itertools.product((0.6, 0.3), (True, False), (0.1, 0.9, 0.5))
COMPUTED = [(X, _branch, *draw) for draw in [*DRAWS, (0.6, True, 0.6)]]
# Where the branch is left out, it should not be computed either.
SPARED = [(X, _unwanted, 0.6, True, 0.9), (X, _unwanted, 0.3, True, 0.5)]


def _with_tensor(answer, x, *others):
    """Call the answer as the exercise does, with a tensor."""
    return call(answer, tf.constant(x), *others)


@check_values("07", "the output", COMPUTED + SPARED, 1e-4, _with_tensor)
def random_block(x, branch, survival, training, drawn):
    """``answer(x, branch, survival, training, drawn)`` → a block's output with stochastic depth."""
    p, f = survival, _branch(x)
    kept = training and drawn < survival
    yield (
        "left out at random in training, weighted in evaluation",
        x + (kept if training else p) * f,
    )
    if kept:
        yield f"the branch takes part where {drawn} is below {p}; here it is left out", x
        yield "in training a branch that takes part counts whole", x + p * f
        yield "evaluation multiplies by `survival`; training does not divide by it", x + f / p
    elif training:
        limit = "not below" if drawn > p else "exactly, and so not below,"
        yield f"{drawn} is {limit} {p}: the branch is left out, and here it takes part", x + f
        yield "where the branch is left out, the shortcut stays", 0 * x
        yield "where the branch is left out, x goes on as it is, without a ReLU", np.maximum(x, 0)
        yield (
            "this is the sum of evaluation: in training, a branch left out adds nothing",
            x + p * f,
        )
    else:
        yield "in evaluation each branch counts by its probability", x + f
        yield "in evaluation nothing is drawn, and the branch still counts", x
        yield "only the branch counts by its probability, not the shortcut", p * (x + f)
        yield (
            "the branch counts by its probability of taking part, not of being left out",
            (x + (1 - p) * f),
        )
        yield "multiply the branch by `survival`; this divides by it", x + f / p
        yield "the branch counts by `survival`, not by its square", x + p * p * f
        yield "the branch counts by its probability; the shortcut counts whole", (1 - p) * x + p * f
        yield "the branch counts by its probability; the shortcut does not", p * x + f
        yield "multiply what the branch gives, not what it gets", x + branch(p * x)
    share = 1 if training else p
    yield "the branch is subtracted; add it", x - share * f
    yield "multiply by no drawn number: it only says whether the branch takes part", x + drawn * f
    yield "the branch counts twice", x + 2 * share * f
    yield "the shortcut is missing", share * f
    yield "a ReLU follows the addition; none belongs there", np.maximum(x + share * f, 0)
    yield "the branch gets a ReLU; none belongs there", x + share * np.maximum(f, 0)
    yield "survival {survival}, training={training}, drawn {drawn}: this is not the output"


@check("07")
def variant_prediction(answer):
    """``answer``: (prediction, losses of the variant, losses of the baseline)."""
    return judged(answer)
