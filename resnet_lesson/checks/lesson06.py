"""Checks of the exercises to lesson 06, reading the article."""

import math

import numpy as np
import tensorflow as tf

from resnet_lesson.checks.answers import NotYet, as_array, as_number, call, require
from resnet_lesson.checks.blocks import computed
from resnet_lesson.checks.core import check, check_values, close, judge


@check_values("06", "the loss", [(10,), (2,), (1000,)], tolerance=1e-6)
def least_loss(n):
    """``answer(classes)`` → least cross-entropy where probabilities are taken for logits."""
    log_sum, one_more = math.log(math.e + n - 1), math.log(math.e + n)
    right = log_sum - 1
    yield "softmax of one 1 and the rest 0", right
    yield "this is the loss of guessing; the best probabilities are 1 and 0", math.log(n)
    yield "0 is the least loss with one softmax; here 1 and 0 go through softmax once more", 0.0
    yield "the other classes have the logit 0, and exp(0) is 1, not 0", math.log(math.e) - 1
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
        try:
            found = as_number(loss, "the loss")
        except NotYet as wrong:
            if scale < 100 or "should" in str(wrong):
                raise
            raise NotYet(
                f"with large logits {wrong}: the logarithm of a softmax that has become 0. Give "
                "the logits to a function of TensorFlow or Keras that takes both steps in one"
            ) from None
        p = tf.nn.softmax(logits)
        mean, probability = _mean_loss(logits, labels), np.mean(p.numpy()[range(6), labels])
        known = {
            "logits in, one softmax, inside the loss": mean,
            "softmax is still applied twice": _mean_loss(p, labels),
            "this is the sum; the mean is wanted": 6 * mean,
            "the sign is wrong": -mean,
            "this is the mean probability, without a logarithm": probability,
            "this is the mean over images and classes; each image has one loss": mean / 10,
        }
        praise = judge(found, known, f"{found:.4g} is not the mean cross-entropy", 1e-4)
        gradient = tape.gradient(loss, logits) if tf.is_tensor(loss) else None
        expected = (p - tf.one_hot(labels, 10)).numpy() / 6
        if gradient is None or not close(as_array(gradient), expected, 1e-3):
            raise NotYet(
                "the value is right, but a tape finds no such gradient: stay with operations of "
                "TensorFlow"
            )
    return praise


def _mean_loss(logits, labels):
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return float(tf.reduce_mean(losses))


@check("06")
def identity_block(answer):
    """``answer(x, kernels, biases, last_bias)`` → the article's identity block, as written."""
    for width, inner, seed in ((6, (3, 4), 0), (4, (2, 5), 1)):
        random = np.random.default_rng(seed)
        filters = (*inner, width)
        shapes = zip((1, 3, 1), (width, *inner), filters, strict=True)
        kernels = [random.normal(0, 0.5, (k, k, a, b)).astype("float32") for k, a, b in shapes]
        biases = [random.normal(0, 0.5, n).astype("float32") for n in (*filters, width)]
        x = np.maximum(random.normal(size=(2, 5, 5, width)), 0).astype("float32")
        *given, last_bias = map(tf.constant, biases)
        y = call(answer, tf.constant(x), list(map(tf.constant, kernels)), given, last_bias)
        y = as_array(y, "the output", x.shape)
        known = {
            message: computed(order, x, kernels, biases=biases) for message, order in ORDERS.items()
        }
        otherwise = "the shape is right, the numbers are not those of the article's block"
        praise = judge(y, known, otherwise, 1e-4)
    return praise


ORDERS = {  # the article's, and those that mistakes make
    "as the article has it, ReLU before the addition included":
        "conv bias relu conv bias relu conv bias relu shortcut add last_bias relu",
    "the third convolution has a ReLU too, before the addition; the article is like that":
        "conv bias relu conv bias relu conv bias shortcut add last_bias relu",
    "the bias after the addition is missing":
        "conv bias relu conv bias relu conv bias relu shortcut add relu",
    "the last ReLU is missing":
        "conv bias relu conv bias relu conv bias relu shortcut add last_bias",
    "the shortcut is missing":
        "conv bias relu conv bias relu conv bias relu last_bias relu",
    "the biases of the convolutions are missing":
        "conv relu conv relu conv relu shortcut add last_bias relu",
    "the ReLU stands before the bias; the bias comes first":
        "conv relu bias conv relu bias conv relu bias shortcut add last_bias relu",
}  # fmt: skip


@check("06")
def epoch_batches(answer):
    """``answer(images, batch_size, seed)`` → the batches of one pass, arrays of places."""
    for images, size in ((20, 5), (23, 5), (9, 4)):
        passes = [_batches(answer, images, size, seed) for seed in (1, 1, 2)]
        _examine_pass(passes[0], images, size)
        first, again, other = map(np.concatenate, passes)
        require(np.array_equal(first, again), "one seed should give one order, each time")
        require(not np.array_equal(first, other), "two seeds give the same order")
    return "each image at most once, in an order that the seed decides"


def _batches(answer, *arguments):
    """Return the batches that an answer gives as arrays."""
    before = repr(np.random.get_state(legacy=False))  # noqa: NPY002
    batches = call(answer, *arguments)
    if repr(np.random.get_state(legacy=False)) != before:  # noqa: NPY002
        raise NotYet(
            "the global random numbers were used, which other cells use too; make a generator with "
            "np.random.default_rng(seed)"
        )
    try:
        batches = list(batches)
    except TypeError:
        raise NotYet("return a list of batches") from None
    return [as_array(batch, "a batch") for batch in batches]


def _examine_pass(batches, images, size):
    """Raise NotYet unless these are full batches of different places, shuffled."""
    full, rest = divmod(images, size)
    sizes = [batch.size for batch in batches]
    if rest and sizes == [size] * full + [rest]:
        raise NotYet("the last batch is smaller than the others; leave out what fills no batch")
    if sizes != [size] * full:
        raise NotYet(f"{images} images make {full} full batches of {size}, this gives {sizes}")
    places = np.concatenate([batch.ravel() for batch in batches])
    in_range = np.isin(places, range(images)).all()
    require(in_range, f"places should be whole numbers from 0 to {images - 1}")
    all_differ = len(np.unique(places)) == len(places)
    require(all_differ, "an image comes twice in one pass; draw without putting back")
    require(np.any(np.diff(places) < 0), "the images come in their old order; shuffle them")
