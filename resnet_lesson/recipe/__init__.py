"""The course's recipe for MNIST: a small residual network, distorted images, averaged weights.

    python -m resnet_lesson.recipe --seed 0 --save my_network.keras

trains it as the study of lesson 08 did, and saves the model.

References
    Srivastava, Greff, Schmidhuber 2015: Training Very Deep Networks, NIPS (arXiv:1507.06228),
        Table 1: the accuracies on MNIST that the recipe is measured against.
    Simard, Steinkraus, Platt 2003: Best Practices for Convolutional Neural Networks Applied to
        Visual Document Analysis, ICDAR, Section 2: distorted images of digits.
    He, Zhang, Ren, Sun 2016a: Deep Residual Learning for Image Recognition, CVPR
        (arXiv:1512.03385): the basic block, Figure 5, left.
"""

from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from resnet_lesson.blocks import BasicBlock, batch_norm, channels_last
from resnet_lesson.data import PIXEL_MEAN, PIXEL_STD
from resnet_lesson.plumbing.constraints import (
    MODEL,
    WIDTH,
    Dictionary,
    ListOf,
    Numbers,
    Real,
    Row,
    checked,
    floats,
)
from resnet_lesson.recipe.fast import FastTrainer
from resnet_lesson.training import progress_bar

TRAINED = Path(__file__).parents[1] / "trained" / "08_small_network.keras"

# Of a pixel without ink, as `standardise` gives it.
BACKGROUND = -PIXEL_MEAN / PIXEL_STD

RECIPE = {"epochs": 40, "peak": 1e-2, "batch_size": 128, "smoothing": 0.05, "average": 0.999}
DISTORTION = {"turn": 15, "scale": 0.15, "shear": 0.2, "shift": 2}

_LARGEST = Real(0, 360)

_conv = partial(layers.Conv2D, padding="same", use_bias=False, kernel_initializer="he_normal")


@checked(
    blocks=ListOf(Row("(width, stride)", WIDTH, WIDTH)),
    stem=Row("(channels, kernel size)", WIDTH, WIDTH),
)
@channels_last()
def small_network(blocks=((16, 1), (32, 2), (32, 1)), stem=(16, 5)):
    """Build the recipe's residual network.

    A convolution and a 2×2 pool, then basic blocks, the maximum of each channel over the image, and
    one dense layer. The last γ of each block starts at zero, so each block starts as its shortcut.

    Args:
        blocks: pairs (width in channels, stride), one a block.
        stem: (channels, kernel size in pixels) of the first convolution.

    Returns:
        keras.Model: float32 (batch, 28, 28, 1) → logits, float32 (batch, 10).

    Raises:
        TypeError, ValueError: there is no such network.
    """
    inputs = keras.Input((28, 28, 1), name="image")
    x = batch_norm("stem_norm")(_conv(*stem, name="stem")(inputs))  # (B, 28, 28, C)
    x = layers.ReLU(name="stem_out")(x)
    x = layers.MaxPooling2D(2, name="stem_pool")(x)  # (B, 14, 14, C)
    for number, (width, stride) in enumerate(blocks, start=1):
        block = BasicBlock(width, zero_init=True, stride=stride, name=f"block{number}")
        shortcut = _pooled_shortcut(x, width, stride, f"block{number}_shortcut")
        x = block.output_relu(block.add([block.branch(x), shortcut]))
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name="small")


def _pooled_shortcut(x, width, stride, name):
    """Carry x to a block's addition: averaged over the stride, projected to a new width."""
    if stride > 1:
        x = layers.AveragePooling2D(stride, padding="same", name=f"{name}_pool")(x)
    return x if x.shape[-1] == width else _conv(width, 1, name=name)(x)


@checked(
    images=floats(None, 28, 28, 1),
    seed=Numbers((2,), kinds="iu"),
    **dict.fromkeys(DISTORTION, _LARGEST),
)
def distort(images, seed, turn=15, scale=0.15, shear=0.2, shift=2):
    """Turn, scale, shear and shift each image by chance, as if it were written once more.

    Args:
        images: float32, shape (n, 28, 28, 1), standardised.
        seed: integers, shape (2,): the same seed gives the same distortions.
        turn: largest angle in degrees.
        scale: largest logarithm of the factor, in each direction of its own.
        shear: largest shear, in pixels a pixel.
        shift: largest shift in pixels.

    Returns:
        float32 tensor, shape (n, 28, 28, 1).

    Raises:
        TypeError, ValueError: an argument is unusable.
    """
    n, middle = images.shape[0], (images.shape[1] - 1) / 2
    chance = tf.random.stateless_uniform([6, n], seed, -1, 1)
    angle = chance[0] * turn * np.pi / 180
    cos, sin = tf.cos(angle), tf.sin(angle)
    wide, high = tf.exp(chance[1] * scale), tf.exp(chance[2] * scale)
    slant = chance[3] * shear
    # Output pixel (x, y) shows input pixel (a x + b y + c, d x + e y + f), about the middle.
    a, b = wide * cos, wide * (slant * cos - sin)
    d, e = high * sin, high * (slant * sin + cos)
    c = middle - (a + b) * middle + chance[4] * shift
    f = middle - (d + e) * middle + chance[5] * shift
    transforms = tf.stack([a, b, c, d, e, f, tf.zeros(n), tf.zeros(n)], axis=1)
    return ops.image.affine_transform(
        images, transforms, fill_value=BACKGROUND, data_format="channels_last"
    )


@checked(model=MODEL | None, distortion=Dictionary(_LARGEST))
def train_recipe(
    data,
    seed=0,
    epochs=RECIPE["epochs"],
    *,
    model=None,
    distortion=DISTORTION,
    pieces=2,
    progress=True,
):
    """Train the small network by the recipe.

    The same arguments give the same numbers, to the last bit, after ``resnet_lesson.deterministic``
    has been called.

    Args:
        data: ``Dataset(train, val, test)``; ``val`` and ``test`` may be empty.
        seed: integer, 0 or more.
        epochs: number of passes over the training images.
        model: ``small_network()`` unless another one is given.
        distortion: arguments of ``distort``.
        pieces: as in ``FastTrainer``: the fastest is one a core.
        progress: show a progress bar.

    Returns:
        (keras.Model with the trained weights, Record).

    Raises:
        TypeError, ValueError: an argument is unusable.

    Example::

        model, record = train_recipe(load_mnist(val=0), seed=0, epochs=2)
        record.test_accuracy  # from 0 to 1
    """
    model = small_network() if model is None else model
    batch_size, peak = RECIPE["batch_size"], RECIPE["peak"]
    # Unchecked: inside of a training step tensors have no values yet.
    change = partial(distort.__wrapped__, **distortion)
    trainer = FastTrainer(
        model, batch_size, peak, pieces, RECIPE["smoothing"], change, RECIPE["average"]
    )
    updates = epochs * (len(data.train) // batch_size)
    with progress_bar(updates, progress) as bar:
        record = trainer.run(data, seed, updates, model.name, on_update=bar.update)
    return model, record


def trained_network():
    """Load the network that the study of lesson 08 trained with its first seed.

    Returns:
        keras.Model: float32 (batch, 28, 28, 1), standardised → logits, float32 (batch, 10).
    """
    model = small_network()
    # The weights alone: an older Keras does not know every setting that a newer one has saved.
    model.load_weights(TRAINED)
    return model
