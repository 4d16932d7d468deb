"""Checks of lesson 06: right answers in several styles pass, each wrong one gets its message."""

import math

import keras
import numpy as np
import tensorflow as tf
from answers import right_answers_pass, wrong_answers_get_their_message

from resnet_lesson import checks


def by_softmax(classes):
    return -tf.nn.log_softmax([1.0] + [0.0] * (classes - 1))[0]


def counted(channels, widths, own):
    shapes = [(channels, widths[0]), (3, 3, widths[0], widths[1]), widths[1:]]
    shapes += [(width,) for width in (*widths, widths[2])] + [(channels, widths[2])] * own
    return sum(np.zeros(shape).size for shape in shapes)


def parameters(biases=True, last=True, nine=9, projection=None):
    def count(c, widths, own):
        a, b, d = widths
        own = own if projection is None else projection
        ends = biases * (a + b + d) + (biases and last) * d
        return c * a + nine * a * b + b * d + ends + own * c * d

    return count


def by_keras(logits, labels):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)


def by_logsumexp(logits, labels):
    chosen = tf.gather(logits, labels, batch_dims=1)
    return tf.reduce_mean(tf.reduce_logsumexp(logits, axis=1) - chosen)


def losses(logits, labels):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def in_two_steps(logits, labels):
    return -tf.reduce_mean(tf.math.log(tf.gather(tf.nn.softmax(logits), labels, batch_dims=1)))


def by_layers(x, kernels, biases, last):
    y = x
    for kernel, bias in zip(kernels, biases, strict=True):
        size, filters = kernel.shape[0], kernel.shape[-1]
        conv = keras.layers.Conv2D(filters, size, padding="same", activation="relu")
        conv.build(y.shape)
        conv.set_weights([kernel, bias])
        y = conv(y)
    return keras.activations.relu(y + x + last).numpy()


def conv(x, kernel):
    return tf.nn.conv2d(x, kernel, 1, "SAME")


def block(relu3=True, last_bias=True, last_relu=True, shortcut=True, bias=1.0, late=False):
    def run(x, kernels, biases, last):
        y = x
        for i, (kernel, b) in enumerate(zip(kernels, biases, strict=True)):
            y = tf.nn.relu(conv(y, kernel)) + b if late else conv(y, kernel) + bias * b
            y = tf.nn.relu(y) if not late and (relu3 or i < 2) else y
        y = y + x if shortcut else y
        y = y + last if last_bias else y
        return tf.nn.relu(y) if last_relu else y

    return run


def permuted(images, size, seed):
    order = np.random.RandomState(seed).permutation(images)
    return [order[i : i + size] for i in range(0, images - size + 1, size)]


def generated(images, size, seed):
    order = list(range(images))
    np.random.default_rng(seed).shuffle(order)
    for i in range(images // size):
        yield tf.constant(order[i * size : (i + 1) * size])


def with_rest(images, size, seed):
    order = np.random.default_rng(seed).permutation(images)
    return [order[i : i + size] for i in range(0, images, size)]


def globally(images, size, seed):
    np.random.seed(seed)  # noqa: NPY002
    order = np.random.permutation(images)  # noqa: NPY002
    return np.split(order[: images // size * size], images // size)


def put_back(images, size, seed):
    return np.random.default_rng(seed).integers(0, images, (images // size, size))


def in_order(images, size, seed):
    return np.arange(images // size * size).reshape(-1, size)


RIGHT = [
    (checks.least_loss, lambda n: math.log(math.e + n - 1) - 1),
    (checks.least_loss, by_softmax),
    (checks.block_parameters, parameters()),
    (checks.block_parameters, counted),
    (checks.mended_loss, lambda logits, labels: tf.reduce_mean(losses(logits, labels))),
    (checks.mended_loss, by_keras),
    (checks.mended_loss, by_logsumexp),
    (checks.identity_block, block()),
    (checks.identity_block, by_layers),
    (checks.epoch_batches, permuted),
    (checks.epoch_batches, generated),
]
WRONG = [
    (checks.least_loss, math.log, "the loss of guessing"),
    (checks.least_loss, lambda n: 0, "once more"),
    (checks.least_loss, lambda n: math.log(math.e + n) - 1, "n − 1 of them"),
    (checks.least_loss, lambda n: 1 - math.log(math.e + n - 1), "the minus is missing"),
    (checks.least_loss, lambda n: math.e / (math.e + n - 1), "this is the probability"),
    (checks.least_loss, lambda n: math.log(math.e + n - 1), "its exponential is e"),
    (checks.least_loss, lambda n: 1.5, "is not the least loss"),
    (checks.block_parameters, parameters(biases=False), "the biases are missing"),
    (checks.block_parameters, parameters(last=False), "a fourth bias"),
    (checks.block_parameters, parameters(nine=1), "nine numbers"),
    (checks.block_parameters, parameters(projection=True), "a shared kernel counts once"),
    (checks.block_parameters, parameters(projection=False), "a shared kernel counts once"),
    (checks.block_parameters, lambda c, w, own: parameters()(c, w, own) + own * w[2],
     "no bias of its own"),
    (checks.block_parameters, lambda c, w, own: 7, "is not the count"),
    (checks.mended_loss, lambda logits, labels: tf.reduce_mean(
        losses(tf.nn.softmax(logits), labels)), "applied twice"),
    (checks.mended_loss, lambda logits, labels: tf.reduce_sum(losses(logits, labels)),
     "the mean is wanted"),
    (checks.mended_loss, lambda logits, labels: -tf.reduce_mean(losses(logits, labels)),
     "the sign is wrong"),
    (checks.mended_loss, losses, "should be one number"),
    (checks.mended_loss, lambda logits, labels: tf.reduce_mean(losses(logits, labels)) / 10,
     "each image has one loss"),
    (checks.mended_loss, lambda logits, labels: tf.reduce_mean(
        tf.gather(tf.nn.softmax(logits), labels, batch_dims=1)), "without a logarithm"),
    (checks.mended_loss, lambda logits, labels: float(tf.reduce_mean(losses(logits, labels))),
     "no such gradient"),
    (checks.mended_loss, in_two_steps, "takes both steps in one"),
    (checks.mended_loss, lambda logits, labels: tf.constant(0.3), "is not the mean cross-entropy"),
    (checks.identity_block, block(relu3=False), "the article is like that"),
    (checks.identity_block, block(last_bias=False), "bias after the addition is missing"),
    (checks.identity_block, block(last_relu=False), "the last ReLU is missing"),
    (checks.identity_block, block(shortcut=False), "the shortcut is missing"),
    (checks.identity_block, block(bias=0.0), "biases of the convolutions are missing"),
    (checks.identity_block, block(late=True), "the bias comes first"),
    (checks.identity_block, lambda x, *_: 2 * x, "not those of the article's block"),
    (checks.identity_block, lambda x, *_: x[:, 1:], "should have the shape"),
    (checks.epoch_batches, with_rest, "leave out what fills no batch"),
    (checks.epoch_batches, globally, "global random numbers"),
    (checks.epoch_batches, put_back, "draw without putting back"),
    (checks.epoch_batches, in_order, "in their old order"),
    (checks.epoch_batches, lambda images, size, seed: permuted(images, size, 0), "two seeds"),
    (checks.epoch_batches, lambda images, size, seed: permuted(images, size, np.random.SeedSequence(
        ).entropy % 2**32), "one seed should give one order"),
    (checks.epoch_batches, lambda images, size, seed: permuted(images, size, seed)[:-1],
     "full batches"),
    (checks.epoch_batches, lambda images, size, seed: [b + 1 for b in permuted(images, size, seed)],
     "whole numbers from 0"),
    (checks.epoch_batches, lambda images, size, seed: 3, "return a list"),
]  # fmt: skip


test_right, test_wrong = right_answers_pass(RIGHT), wrong_answers_get_their_message(WRONG)
