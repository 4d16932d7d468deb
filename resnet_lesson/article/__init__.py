"""The article's network, rebuilt as it is written, and repairs that can be made one at a time.

The article is 残差神经网络Resnet(MNIST数据集tensorflow实现), a post on the Chinese blog platform
CSDN, whose author, date and address are not known here. Its code is a graph of
TensorFlow 1; ``article.tf1`` has that graph, and tests compare the two, weight by weight.

Layer names follow the place in the network: ``stem_conv``, ``stem_out``, ``pool1``,
``block1_conv1``, ``block1_bias3``, ``block1_branch`` (the branch's output), ``block1_add``,
``block1_bias_fin``, ``block1_out``, ``block5_shortcut``, ``pool2``, ``dense1``, ``logits``,
``outputs``.

References
    He, Zhang, Ren, Sun 2016a: Deep Residual Learning for Image Recognition, CVPR
        (arXiv:1512.03385). Addition before the ReLU: Section 3.2, Figure 2. Projections, and the
        stride on both paths: Section 3.3. Bottlenecks: Figure 5, right.
    Ioffe, Szegedy 2015: Batch Normalization, ICML (arXiv:1502.03167), Section 3.2: normalisation
        before the ReLU, where it subtracts any bias.
    Lin, Chen, Yan 2014: Network In Network, ICLR (arXiv:1312.4400), Section 3.2: global average
        pooling instead of dense layers.
"""

from functools import partial

import keras
from keras import layers, ops

from resnet_lesson.blocks import batch_norm, channels_last
from resnet_lesson.plumbing.constraints import SYMBOLIC, TRUTH, WIDTH, NamesIn, Row, checked

FIXES = {
    "one softmax": "The network gives logits; only the loss applies softmax.",
    "own projection": "The shortcut of block 5 is convolved with a 1×1 kernel of its own.",
    "add before relu": "The third convolution is added to the shortcut without a ReLU in between.",
    "stride on both paths": "The shortcut follows the stride; at stride 1 nothing changes.",
    "one bias": "No second bias after the addition; that of the third convolution remains.",
    "average pooling": "A global average and one dense layer replace all that follows block 5.",
    "normalisation": "Batch normalisation follows each convolution of the stem and the blocks.",
}
IDENTITY_WIDTHS, CHANGING_WIDTHS = (8, 8, 16), (16, 16, 32)


@keras.saving.register_keras_serializable(package="resnet_lesson")
class Bias(layers.Layer):
    """Add one learnt number to each channel, zero at the start.

    Input and output shape: (batch, …, channels), float.
    """

    bias_initializer = keras.initializers.Zeros()

    def build(self, shape):
        self.bias = self.add_weight(shape[-1:], initializer=self.bias_initializer, name="bias")

    def call(self, x):
        return ops.add(x, self.bias)


@checked(fixes=NamesIn(*FIXES), shortcut=TRUTH)
@channels_last()
def article_network(fixes=(), shortcut=True, name="article"):
    """Build the article's network, as written or repaired.

    As written: a 3×3 convolution to 16 channels, a pool, four blocks that keep 16 channels, one
    that changes to 32, a pool, a dense layer of 128 units, one of 10, and a softmax, although the
    loss applies softmax once more. Kernels start with a standard deviation of 0.1, truncated at
    0.2 in the blocks; biases start at zero.

    Args:
        fixes: tuple of names out of ``FIXES``; each repairs what its sentence says and leaves the
            rest as written.
        shortcut: whether the blocks have their shortcuts; without them it is a plain network.
        name: the model's name.

    Returns:
        keras.Model: float32 (batch, 28, 28, 1) → float32 (batch, 10): probabilities, or logits
        with ``"one softmax"``.

    Raises:
        TypeError, ValueError: a fix is unknown or named twice.

    Example::

        written = article_network()
        repaired = article_network(("own projection", "one softmax"))
    """
    norm = _norm(fixes)
    block = partial(article_block, fixes=fixes, shortcut=shortcut)
    inputs = keras.Input((28, 28, 1), name="image")  # (B, 28, 28, 1)

    x = layers.Conv2D(16, 3, padding="same", kernel_initializer=_normal(), name="stem_conv")(inputs)
    x = norm("stem_norm")(x)
    x = layers.ReLU(name="stem_out")(x)

    x = layers.MaxPooling2D(2, padding="same", name="pool1")(x)  # (B, 14, 14, 16)
    for number in range(1, 5):
        x = block(x, IDENTITY_WIDTHS, name=f"block{number}")
    x = block(x, CHANGING_WIDTHS, changing=True, name="block5")  # (B, 14, 14, 32)

    if "average pooling" in fixes:
        x = layers.GlobalAveragePooling2D(name="pool")(x)  # (B, 32)
    else:
        x = layers.MaxPooling2D(2, padding="same", name="pool2")(x)  # (B, 7, 7, 32)
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(128, kernel_initializer=_normal(), name="dense1")(x)
        x = layers.ReLU(name="dense1_out")(x)
    x = layers.Dense(10, kernel_initializer=_normal(), name="logits")(x)
    if "one softmax" not in fixes:
        x = layers.Softmax(name="outputs")(x)
    return keras.Model(inputs, x, name=name)


@checked(
    x=SYMBOLIC, widths=Row("(8, 8, 16)", WIDTH, WIDTH, WIDTH), fixes=NamesIn(*FIXES), shortcut=TRUTH
)
@channels_last()
def article_block(x, widths, *, changing=False, stride=1, fixes=(), shortcut=True, name="block"):
    """Lay one of the article's blocks into a functional model.

    The branch has a 1×1, a 3×3 and a 1×1 convolution, each with a bias and a ReLU. As written, the
    changing block convolves the shortcut with the kernel of the branch's third convolution, which
    therefore trains for both.

    After the addition comes one more bias. With ``"add before relu"`` it and the bias of the third
    convolution act as their sum, so that one of them is idle; as written, a ReLU is between them.

    With ``"normalisation"`` the biases of the convolutions remain, so that the fix changes one
    thing. They do nothing in training then: the batch's mean is subtracted, and they with it.

    Args:
        x: symbolic float tensor, shape (batch, height, width, channels).
        widths: the widths of the three convolutions, as in ``(8, 8, 16)``.
        changing: whether the shortcut is convolved; else it is x itself.
        stride: step of the first convolution in pixels, in a changing block. The article's network
            has 1.
        fixes: tuple of names out of ``FIXES``; those of the network's head change nothing here.
        shortcut: whether the block has one. Without it the branch alone goes on, to the bias after
            the addition that is not there.
        name: the block's name, with which the names of its layers begin.

    Returns:
        symbolic float tensor, shape (batch, ⌈height / stride⌉, ⌈width / stride⌉, widths[2]).

    Raises:
        TypeError, ValueError: an argument is unusable, the shared kernel does not fit x, or the
            two paths end in different shapes.
    """
    if shortcut and changing and "own projection" not in fixes:
        _check_shared_kernel(x.shape[-1], widths)
    norm = _norm(fixes)

    y = _conv(widths[0], 1, f"{name}_conv1", strides=stride)(x)
    y = norm(f"{name}_norm1")(y)
    y = layers.ReLU(name=f"{name}_relu1")(y)

    y = _conv(widths[1], 3, f"{name}_conv2")(y)
    y = norm(f"{name}_norm2")(y)
    y = layers.ReLU(name=f"{name}_relu2")(y)

    # The bias is a layer of its own because a shared kernel is used with it and without it.
    conv3 = _conv(widths[2], 1, f"{name}_conv3", use_bias=False)
    y = Bias(name=f"{name}_bias3")(conv3(y))
    y = norm(f"{name}_norm3")(y)
    if "add before relu" not in fixes:
        y = layers.ReLU(name=f"{name}_relu3")(y)
    y = layers.Identity(name=f"{name}_branch")(y)

    if shortcut:
        if changing:
            x = _projected(x, conv3, stride, fixes, name)
            x = norm(f"{name}_shortcut_norm")(x)
        _check_paths(y.shape[1:], x.shape[1:], widths, stride)
        y = layers.Add(name=f"{name}_add")([y, x])
    if "one bias" not in fixes:
        y = Bias(name=f"{name}_bias_fin")(y)
    return layers.ReLU(name=f"{name}_out")(y)


def _projected(x, conv3, stride, fixes, name):
    """Lay the shortcut of a changing block; ``conv3`` is the branch's third convolution."""
    if stride > 1 and "stride on both paths" in fixes:
        # A 1×1 convolution with a stride reads every stride-th pixel, as this pool does.
        x = layers.MaxPooling2D(1, stride, name=f"{name}_shortcut_stride")(x)
    if "own projection" in fixes:
        return _conv(conv3.filters, 1, f"{name}_shortcut", use_bias=False)(x)
    # The identity gives the second use of the kernel a name.
    return layers.Identity(name=f"{name}_shortcut")(conv3(x))


def _norm(fixes):
    """Return what makes a normalisation of that name; as written, one that does nothing."""
    return batch_norm if "normalisation" in fixes else lambda name: lambda x: x


def _normal():
    return keras.initializers.RandomNormal(stddev=0.1)


def _conv(filters, kernel_size, name, **options):
    start = keras.initializers.TruncatedNormal(stddev=0.1)
    options |= {"padding": "same", "kernel_initializer": start, "name": name}
    return layers.Conv2D(filters, kernel_size, **options)


def _check_shared_kernel(channels, widths):
    # TensorFlow may take a mismatch for groups: 16 channels and a kernel that reads 8 run as a
    # convolution in two groups, which is another block.
    if widths[1] != channels:
        raise ValueError(
            f"widths must have {channels} in second place, the channels of x: the shortcut is "
            f"convolved with the third convolution's kernel, of shape {(1, 1, *widths[1:])}, which "
            f"reads {widths[1]} channels. Received: {widths}"
        )


def _check_paths(branch, shortcut, widths, stride):
    if branch != shortcut:
        raise ValueError(
            "the two paths of a block must end in one shape; as written, an identity cannot "
            "change the width, and the stride is on the branch alone. Received: "
            f"widths={widths}, stride={stride}, branch {branch}, shortcut {shortcut}"
        )
