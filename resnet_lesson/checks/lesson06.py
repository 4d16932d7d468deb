"""Checks of the exercises to lesson 06, reading the article."""

import math

import numpy as np
import tensorflow as tf

from resnet_lesson.checks.answers import as_array, call, require
from resnet_lesson.checks.blocks import computed, kernel_shapes
from resnet_lesson.checks.core import check, check_values, close, drawn, judge


@check_values("06", "the loss", [(10,), (2,), (1000,)], tolerance=1e-6)
def least_loss(n):
    """``answer(classes)`` → least cross-entropy where probabilities are taken for logits."""
    log_sum, one_more = math.log(math.e + n - 1), math.log(math.e + n)
    right = log_sum - 1
    yield "softmax of one 1 and the rest 0", right
    yield "this is the loss of guessing; the best probabilities are 1 and 0", math.log(n)
    yield "not 0: here 1 and 0 go through softmax once more, and exp(0) is 1, not 0", 0.0
    yield "only the classes beside the right one have the logit 0: n − 1 of them", one_more - 1
    yield "the loss is −log of the probability; the minus is missing", -right
    yield "this is the probability; the loss is minus its logarithm", math.exp(-right)
    yield "the right class has the logit 1, so its exponential is e, in numerator and sum", log_sum
    yield "with {n} classes, {found:.6g} is not the least loss"


ARTICLE = (16, 16, 32)
BLOCKS = [(16, ARTICLE, False), (16, ARTICLE, True), (6, (4, 6, 5), True)]


@check_values("06", "the count", BLOCKS)
def block_parameters(c, widths, own):
    """``answer(c, widths, own)`` → numbers in a changing block of the article, biases included."""
    f1, f2, f3 = widths
    kernels, biases = c * f1 + 9 * f1 * f2 + f2 * f3, f1 + f2 + f3 + f3
    projection = c * f3
    right = kernels + biases + own * projection
    other = kernels + biases + (not own) * projection
    kind = "a projection of its own" if own else "the shared kernel"
    yield "three kernels, four biases, and the projection if it is the block's own", right
    yield "a shared kernel counts once; one of its own counts as well", other
    yield "the biases are missing: one number for each channel", right - biases
    yield "the block has a fourth bias, after the addition", right - f3
    yield "the 3×3 kernel has nine numbers for each pair of channels", right - 8 * f1 * f2
    yield "the projection has no bias of its own", right + f3
    yield "{c} channels, widths {widths}, " + kind + ": {found:g} is not the count"


@check("06")
def mended_loss(answer):
    """``answer(logits, labels)`` → mean cross-entropy, one scalar that a tape can follow."""
    for scale, seed in ((1.0, 0), (3.0, 1), (500.0, 2)):
        random = np.random.default_rng(seed)
        logits = tf.constant(scale * random.normal(size=(6, 10)), tf.float32)
        labels = tf.constant(random.integers(0, 10, 6), tf.int32)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            loss = call(answer, logits, labels)
        finite = scale < 100 or np.isfinite(loss).all()
        in_one = "let one function of TensorFlow or Keras take softmax and logarithm"
        require(finite, f"with large logits the loss is not finite: {in_one}")
        p = tf.nn.softmax(logits)
        mean, probability = _mean_loss(logits, labels), np.mean(p.numpy()[range(6), labels])
        meanings = [
            ("logits in, one softmax, inside the loss", mean),
            ("softmax is still applied twice", _mean_loss(p, labels)),
            ("this is the sum; the mean is wanted", 6 * mean),
            ("the sign is wrong", -mean),
            ("this is the mean probability, without a logarithm", probability),
            ("this is the mean over images and classes; each image has one loss", mean / 10),
            "{found:.4g} is not the mean cross-entropy",
        ]
        praise = judge(loss, "the loss", meanings, 1e-4)
        gradient = tape.gradient(loss, logits) if tf.is_tensor(loss) else None
        expected = (p - tf.one_hot(labels, 10)).numpy() / 6
        followed = gradient is not None and close(as_array(gradient), expected, 1e-3)
        use = "the value is right, but a tape finds no such gradient: use operations of TensorFlow"
        require(followed, use)
    return praise


def _mean_loss(logits, labels):
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return float(tf.reduce_mean(losses))


def _weighted(width, inner, seed):
    """Draw x, three kernels and four biases of the article's identity block."""
    filters = (*inner, width)
    kernels = kernel_shapes((1, 3, 1), width, filters)
    x, *weights = drawn(seed, (2, 5, 5, width), *kernels, *filters, width)
    return np.maximum(x, 0), weights[:3], weights[3:]


def _with_tensors(answer, x, kernels, biases):
    """Call the answer as the exercise does, with tensors."""
    x, *weights = (tf.constant(values, tf.float32) for values in (x, *kernels, *biases))
    return call(answer, x, weights[:3], weights[3:6], weights[6])


WEIGHTED = [_weighted(6, (3, 4), 0), _weighted(4, (2, 5), 1)]


@check_values("06", "the output", WEIGHTED, 1e-4, _with_tensors)
def identity_block(x, kernels, biases):
    """``answer(x, kernels, biases, last_bias)`` → the article's identity block, as written."""
    right = "conv bias relu conv bias relu conv bias relu shortcut add last_bias relu"
    orders = {
        "as the article has it, ReLU before the addition included": right,
        "the article has a ReLU before the addition": right.replace("relu shortcut", "shortcut"),
        "the bias after the addition is missing": right.replace("last_bias", ""),
        "the last ReLU is missing": right.removesuffix("relu"),
        "the shortcut is missing": right.replace("shortcut add", ""),
        "the biases of the convolutions are missing": right.replace(" bias", ""),
        "the bias comes first, then the ReLU": right.replace(" bias relu", " relu bias"),
    }
    for message, order in orders.items():
        yield message, computed(order, x, kernels, biases=biases)
    yield "the shape is right, the numbers are not those of the article's block"


@check("06")
def epoch_batches(answer):
    """``answer(images, batch_size, seed)`` → the batches of one pass, arrays of places."""
    for images, size in ((20, 5), (23, 5), (9, 4)):
        first, again, other = (_places(answer, images, size, seed) for seed in (1, 1, 2))
        require(np.array_equal(first, again), "one seed should give one order, each time")
        require(not np.array_equal(first, other), "two seeds give the same order")
    return "each image at most once, in an order that the seed decides"


def _places(answer, images, size, seed):
    """Return the places of a pass, which must be full batches of different places, shuffled."""
    before = repr(np.random.get_state(legacy=False))  # noqa: NPY002
    batches = call(answer, images, size, seed)
    require(np.iterable(batches), "return a list of batches")
    batches = [as_array(batch, "a batch").ravel() for batch in batches]
    untouched = repr(np.random.get_state(legacy=False)) == before  # noqa: NPY002
    own = "other cells use the global random numbers: draw from np.random.default_rng(seed)"
    require(untouched, own)
    full, rest = divmod(images, size)
    sizes = [batch.size for batch in batches]
    smaller = "the last batch is smaller than the others; leave out what fills no batch"
    require(sizes != [size] * full + [rest], smaller)
    require(sizes == [size] * full, f"{images} images make {full} batches of {size}, not {sizes}")
    places = np.concatenate(batches)
    in_range = np.isin(places, range(images)).all()
    require(in_range, f"places should be whole numbers from 0 to {images - 1}")
    all_differ = len(np.unique(places)) == len(places)
    require(all_differ, "an image comes twice in one pass; draw without putting back")
    require(np.any(np.diff(places) < 0), "the images come in their old order; shuffle them")
    return places
