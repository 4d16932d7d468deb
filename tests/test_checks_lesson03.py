"""Checks of lesson 03: right answers in several styles pass, each wrong one gets its message."""

import keras
import numpy as np
import tensorflow as tf
from answers import right_answers_pass, wrong_answers_get_their_message
from keras import layers

from resnet_lesson import checks
from resnet_lesson.blocks import BasicBlock, BottleneckBlock


def functional(channels, filters, stride=1, defect=""):
    """The bottleneck of plain layers, or one with a defect."""
    inputs = keras.Input((None, None, channels))
    x = inputs
    for i, (width, size) in enumerate(zip(filters, (1, 3, 1), strict=True)):
        size = 1 if defect == "no 3x3" else size
        padding = "valid" if defect == "valid" else "same"
        x = layers.Conv2D(
            width, size, stride if i == 0 else 1, padding=padding, use_bias=False
        )(x)  # fmt: skip
        if not (defect == "no norm" or (defect in ("no last norm", "norm last") and i == 2)):
            zero = defect == "zero branch" and i == 2
            x = layers.BatchNormalization(gamma_initializer="zeros" if zero else "ones")(x)
        if i < 2 and defect != "no inner relu":
            x = layers.ReLU()(x)
    carried = inputs
    if defect == "needless projection" or stride > 1 or channels != filters[-1]:
        carried = layers.Conv2D(filters[-1], 1, stride, padding="same", use_bias=False)(carried)
        if defect != "shortcut norm":
            carried = layers.BatchNormalization()(carried)
    if defect in ("relu first", "two relus"):
        x = layers.ReLU()(x)
    if defect != "no shortcut":
        x = x - carried if defect == "minus" else layers.Add()([x, carried])
    if defect == "norm last":
        x = layers.BatchNormalization()(x)
    if defect not in ("relu first", "no last relu"):
        x = layers.ReLU()(x)
    return keras.Model(inputs, x)


class Subclassed(keras.Model):
    """The same as a subclass, with biases, which do no harm."""

    def __init__(self, channels, filters, stride=1, training=None):
        super().__init__()
        self.training = training
        sizes = zip(filters, (1, 3, 1), (stride, 1, 1), strict=True)
        self.convs = [layers.Conv2D(f, k, s, padding="same") for f, k, s in sizes]
        self.norms = [layers.BatchNormalization() for _ in filters]
        self.projection = None
        if stride > 1 or channels != filters[-1]:
            self.projection = layers.Conv2D(filters[-1], 1, stride)
            self.last = layers.BatchNormalization()

    def call(self, inputs, training=None):
        training = training if self.training is None else self.training
        x = inputs
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = norm(conv(x), training=training)
            x = tf.nn.relu(x) if i < 2 else x
        if self.projection is not None:
            inputs = self.last(self.projection(inputs), training=training)
        return tf.nn.relu(x + inputs)


class Raw(tf.Module):
    """The identity block in plain TensorFlow; its 1×1 convolutions are matrix products."""

    def __init__(self, channels, filters):
        super().__init__()
        a, b, c = filters
        random = np.random.default_rng(0)
        shapes = ((channels, a), (3, 3, a, b), (b, c))
        self.kernels = [tf.Variable(random.normal(size=s), dtype=tf.float32) for s in shapes]
        self.scales = [tf.Variable(tf.ones([n])) for n in filters]
        self.shifts = [tf.Variable(tf.zeros([n])) for n in filters]

    def norm(self, x, i, training):
        mean, variance = tf.nn.moments(x, [0, 1, 2]) if training else (0.0, 1.0)
        return (x - mean) / tf.sqrt(variance + 1e-5) * self.scales[i] + self.shifts[i]

    def __call__(self, x, training=False):
        y = tf.nn.relu(self.norm(x @ self.kernels[0], 0, training))
        y = tf.nn.conv2d(y, self.kernels[1], 1, "SAME")
        y = tf.nn.relu(self.norm(y, 1, training))
        return tf.nn.relu(x + self.norm(y @ self.kernels[2], 2, training))


def basic(channels, shared=False, last_relu=True):
    """The basic block of plain layers, or one with a defect."""
    inputs = keras.Input((None, None, channels))
    norm = layers.BatchNormalization()
    x = layers.Conv2D(channels, 3, padding="same")(inputs)
    x = layers.Conv2D(channels, 3, padding="same")(layers.ReLU()(norm(x)))
    x = layers.Add()([norm(x) if shared else layers.BatchNormalization()(x), inputs])
    return keras.Model(inputs, layers.ReLU()(x) if last_relu else x)


def with_defect(defect):
    return lambda *arguments: functional(*arguments, defect=defect)


def shared_kernel(channels, filters, stride):
    """The article's changing block: conv3 for branch and shortcut."""
    convs = [layers.Conv2D(f, k, padding="same") for f, k in zip(filters, (1, 3, 1), strict=True)]
    inputs = keras.Input((None, None, channels))
    x = inputs
    for conv in convs:
        x = layers.ReLU()(layers.BatchNormalization()(conv(x)))
    return keras.Model(inputs, layers.ReLU()(x + convs[2](inputs)))


def one_path(channels, filters, stride):
    """The stride on the branch alone."""
    inputs = keras.Input((6, 6, channels))
    x = layers.Conv2D(filters[0], 1, stride)(inputs)
    x = layers.Conv2D(filters[1], 3, padding="same")(x)
    x = layers.Conv2D(filters[2], 1)(x)
    return keras.Model(inputs, layers.Add()([x, layers.Conv2D(filters[2], 1)(inputs)]))


def package(place):
    def make(channels, filters, stride=1):
        same = stride == 1 and channels == filters[-1]
        shortcut = "identity" if same else "projection"
        return BottleneckBlock(filters, shortcut, stride=stride, stride_on=place)

    return make


RIGHT = [
    (checks.bottleneck_parameters, lambda c, r: 2 * c * c // r + 9 * (c // r) ** 2),
    (checks.bottleneck_parameters, lambda c, r: c**2 * (2 / r + 9 / r**2)),
    (checks.depth_of, lambda blocks: 3 * sum(blocks) + 2),
    (checks.depth_of, lambda blocks: np.int64(1 + sum(3 for n in blocks for _ in range(n)) + 1)),
    (checks.bottleneck, functional),
    (checks.bottleneck, Subclassed),
    (checks.bottleneck, Raw),
    (checks.bottleneck, package("conv1")),
    (checks.changing_block, functional),
    (checks.changing_block, Subclassed),
    (checks.changing_block, package("conv2")),
    (checks.repaired_block, basic),
    (checks.repaired_block, lambda channels: BasicBlock(channels)),
]
WRONG = [
    (checks.bottleneck_parameters, lambda c, r: 2 * c * c // r + (c // r) ** 2, "nine weights"),
    (checks.bottleneck_parameters, lambda c, r: 9 * (2 * c * c // r + (c // r) ** 2),
     "only the middle"),
    (checks.bottleneck_parameters, lambda c, r: c * c // r + 9 * (c // r) ** 2, "the last 1×1"),
    (checks.bottleneck_parameters, lambda c, r: 2 * c * r + 9 * r * r, "not r"),
    (checks.bottleneck_parameters, lambda c, r: 18 * c * c, "a basic block"),
    (checks.bottleneck_parameters,
     lambda c, r: 2 * c * c // r + 9 * (c // r) ** 2 + 2 * c // r + c, "the biases are counted"),
    (checks.depth_of, lambda blocks: 3 * sum(blocks), "the stem and the dense layer"),
    (checks.depth_of, lambda blocks: 3 * sum(blocks) + 1, "outside the blocks"),
    (checks.depth_of, lambda blocks: 2 * sum(blocks) + 2, "three convolutions"),
    (checks.depth_of, lambda blocks: 3 * sum(blocks) + 2 + len(blocks), "projections lie beside"),
    (checks.bottleneck, with_defect("relu first"), "before the addition; it belongs after"),
    (checks.bottleneck, with_defect("two relus"), "one after it"),
    (checks.bottleneck, with_defect("no last relu"), "the last ReLU is missing"),
    (checks.bottleneck, with_defect("no shortcut"), "the shortcut is missing"),
    (checks.bottleneck, with_defect("minus"), "x is subtracted"),
    (checks.bottleneck, with_defect("no norm"), "there is no normalisation"),
    (checks.bottleneck, with_defect("no last norm"), "after the last convolution is missing"),
    (checks.bottleneck, with_defect("norm last"), "comes after the addition"),
    (checks.bottleneck, with_defect("no inner relu"), "between the convolutions"),
    (checks.bottleneck, with_defect("zero branch"), "the branch starts at zero"),
    (checks.bottleneck, lambda c, f: Subclassed(c, f, training=True), "hand `training` on"),
    (checks.bottleneck, with_defect("no 3x3"), "the middle one should be 3×3"),
    (checks.bottleneck, with_defect("needless projection"), "the shortcut is x itself"),
    (checks.bottleneck, with_defect("valid"), "must end in one shape: mind padding"),
    (checks.bottleneck, lambda c, f: tf.function(lambda x, training: x), "return a Keras layer"),
    (checks.bottleneck, lambda c, f: lambda x: x, "should take `training`"),
    (checks.changing_block, with_defect("shortcut norm"), "should be normalised"),
    (checks.changing_block, with_defect("relu first"), "before the addition; it belongs after"),
    (checks.changing_block, shared_kernel, "`shared_kernel` raises"),
    (checks.changing_block, one_path, "must end in one shape: mind padding, strides"),
    (checks.changing_block, lambda c, f, s: functional(c, f), "mind padding and strides"),
    (checks.repaired_block, lambda c: basic(c, shared=True), "share one normalisation"),
    (checks.repaired_block, lambda c: basic(c, last_relu=False), "the last ReLU is missing"),
    (checks.repaired_block, lambda c: functional(c, (2, 2, c)), "kernels of the shapes"),
]  # fmt: skip


test_right, test_wrong = right_answers_pass(RIGHT), wrong_answers_get_their_message(WRONG)
