"""Checks of the exercises to lesson 06, reading the article."""

import math

import numpy as np
import tensorflow as tf

from resnet_lesson.checks.core import NotYet, array, call, check, close, differ, number


@check("06")
def least_loss(answer):
    """``answer(classes)`` → least cross-entropy where probabilities are taken for logits."""
    for n in (10, 2, 1000):
        found, right = number(call(answer, n), "the loss"), math.log(math.e + n - 1) - 1
        if math.isclose(found, right, rel_tol=1e-6):
            continue
        differ(found, {
            "this is the loss of guessing; the best probabilities are 1 and 0": math.log(n),
            "0 is the least loss with one softmax; here 1 and 0 go through softmax once more": 0.0,
            "the other classes have the logit 0, and exp(0) is 1, not 0": math.log(math.e) - 1,
            "only the classes beside the right one have the logit 0: n − 1 of them":
                math.log(math.e + n) - 1,
            "the loss is −log of the probability; the minus is missing": -right,
            "this is the probability; the loss is minus its logarithm": math.exp(-right),
            "the right class has the logit 1, so its exponential is e, in numerator and sum":
                math.log(math.e + n - 1),
        })  # fmt: skip
        raise NotYet(f"with {n} classes, {found:.6g} is not the least loss")
    return "softmax of one 1 and the rest 0"


@check("06")
def block_parameters(answer):
    """``answer(c, widths, own)`` → numbers in a changing block of the article, biases included."""
    article = (16, 16, 32)
    for c, widths, own in ((16, article, False), (16, article, True), (6, (4, 6, 5), True)):
        f1, f2, f3 = widths
        found = number(call(answer, c, widths, own), "the count")
        kernels, biases = c * f1 + 9 * f1 * f2 + f2 * f3, f1 + f2 + f3 + f3
        projection = c * f3
        right = kernels + biases + own * projection
        if found == right:
            continue
        differ(found, {
            "a shared kernel counts once; one of its own counts as well": right
                + (-projection if own else projection),
            "the biases are missing: one number for each channel": kernels + own * projection,
            "the block has a fourth bias, after the addition": right - f3,
            "the 3×3 kernel has nine numbers for each pair of channels": right - 8 * f1 * f2,
            "the projection has no bias of its own": right + f3,
        })  # fmt: skip
        kind = "a projection of its own" if own else "the shared kernel"
        raise NotYet(f"{c} channels, widths {widths}, {kind}: {found:g} is not the count")
    return "three kernels, four biases, and the projection if it is the block's own"


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
            found = number(loss, "the loss")
        except NotYet as wrong:
            if scale < 100 or "should" in str(wrong):
                raise
            raise NotYet(
                f"with large logits {wrong}: the logarithm of a softmax that has become 0. Give "
                "the logits to a function of TensorFlow or Keras that takes both steps in one"
            ) from None
        right = _cross_entropy(logits)
        values, p = right(labels), tf.nn.softmax(logits)
        if close(array(found), array(tf.reduce_mean(values))):
            gradient = tape.gradient(loss, logits) if tf.is_tensor(loss) else None
            expected = (p - tf.one_hot(labels, 10)) / 6
            if gradient is None or not close(array(gradient), array(expected), 1e-3):
                raise NotYet(
                    "the value is right, but a tape finds no such gradient: stay with operations "
                    "of TensorFlow"
                )
            continue
        differ(array(found), {
            "softmax is still applied twice": tf.reduce_mean(_cross_entropy(p)(labels)),
            "this is the sum; the mean is wanted": tf.reduce_sum(values),
            "the sign is wrong": -tf.reduce_mean(values),
            "this is the mean probability, without a logarithm": tf.reduce_mean(
                tf.gather(p, labels, batch_dims=1)),
            "this is the mean over images and classes; each image has one loss":
                tf.reduce_mean(values) / 10,
        }, lambda a, b: close(a, array(b)))  # fmt: skip
        raise NotYet(f"{found:.4g} is not the mean cross-entropy")
    return "logits in, one softmax, inside the loss"


@check("06")
def identity_block(answer):
    """``answer(x, kernels, biases, last_bias)`` → the article's identity block, as written."""
    for width, inner, seed in ((6, (3, 4), 0), (4, (2, 5), 1)):
        random = np.random.default_rng(seed)
        filters = (*inner, width)
        shapes = zip((1, 3, 1), (width, *inner), filters, strict=True)
        kernels = [random.normal(0, 0.5, (k, k, a, b)).astype("float32") for k, a, b in shapes]
        biases = [random.normal(0, 0.5, n).astype("float32") for n in filters]
        last = random.normal(0, 0.5, width).astype("float32")
        x = np.maximum(random.normal(size=(2, 5, 5, width)), 0).astype("float32")
        given = [tf.constant(kernel) for kernel in kernels], [tf.constant(bias) for bias in biases]
        y = array(call(answer, tf.constant(x), *given, tf.constant(last)), "the output", x.shape)
        if close(y, _identity_block(x, kernels, biases, last)):
            continue
        mistakes = {
            "the third convolution has a ReLU too, before the addition; the article is like that":
                "add first",
            "the bias after the addition is missing": "no last bias",
            "the last ReLU is missing": "no last relu",
            "the shortcut is missing": "no shortcut",
            "the biases of the convolutions are missing": "no biases",
            "the ReLU stands before the bias; the bias comes first": "relu before bias",
        }  # fmt: skip
        mistakes = {
            text: _identity_block(x, kernels, biases, last, what) for text, what in mistakes.items()
        }
        differ(y, mistakes, close)
        raise NotYet("the shape is right, the numbers are not those of the article's block")
    return "as the article has it, ReLU before the addition included"


@check("06")
def epoch_batches(answer):
    """``answer(images, batch_size, seed)`` → the batches of one pass, arrays of places."""
    for images, size in ((20, 5), (23, 5), (9, 4)):
        passes = []
        for seed in (1, 1, 2):
            before = repr(np.random.get_state(legacy=False))  # noqa: NPY002
            found = call(answer, images, size, seed)
            if repr(np.random.get_state(legacy=False)) != before:  # noqa: NPY002
                raise NotYet(
                    "the global random numbers were used, which other cells use too; make a "
                    "generator with np.random.default_rng(seed)"
                )
            passes.append([array(batch, "a batch") for batch in _as_list(found)])
        _one_pass(passes[0], images, size)
        same = [np.array_equal(np.concatenate(passes[0]), np.concatenate(p)) for p in passes[1:]]
        if not same[0]:
            raise NotYet("one seed should give one order, each time")
        if same[1]:
            raise NotYet("two seeds give the same order")
    return "each image at most once, in an order that the seed decides"


def _one_pass(batches, images, size):
    """Raise NotYet unless these are full batches of different places, shuffled."""
    sizes, count = [batch.size for batch in batches], images // size
    places = np.concatenate([batch.ravel() for batch in batches]) if batches else np.zeros(0)
    if sizes == [size] * count + [images % size] and images % size:
        raise NotYet("the last batch is smaller than the others; leave out what fills no batch")
    if sizes != [size] * count:
        raise NotYet(f"{images} images make {count} full batches of {size}, this gives {sizes}")
    if places.min() < 0 or places.max() >= images or np.any(places != np.round(places)):
        raise NotYet(f"places should be whole numbers from 0 to {images - 1}")
    if len(np.unique(places)) < len(places):
        raise NotYet("an image comes twice in one pass; draw without putting back")
    if np.all(np.diff(places) > 0):
        raise NotYet("the images come in their old order; shuffle them")


def _as_list(found):
    try:
        return list(found)
    except TypeError:
        raise NotYet("return a list of batches") from None


def _cross_entropy(logits):
    return lambda labels: tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def _identity_block(x, kernels, biases, last, change=""):
    y = x
    for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        y = tf.nn.conv2d(y, kernel, 1, "SAME").numpy()
        shift = 0 if change == "no biases" else bias
        if change == "relu before bias":
            y = np.maximum(y, 0) + shift
        elif change == "add first" and i == 2:
            y = y + shift
        else:
            y = np.maximum(y + shift, 0)
    y = y if change == "no shortcut" else y + x
    y = y if change == "no last bias" else y + last
    return y if change == "no last relu" else np.maximum(y, 0)
