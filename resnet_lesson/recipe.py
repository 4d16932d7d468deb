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

import argparse
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from resnet_lesson.arguments import (
    MOST_WIDTH,
    array,
    built_model,
    dictionary,
    file_path,
    floats,
    names_in,
    real_number,
    row,
    sequence,
    text_value,
    truth_value,
    whole_number,
)
from resnet_lesson.blocks import batch_norm
from resnet_lesson.data import PIXEL_MEAN, PIXEL_STD, check_data, load_mnist
from resnet_lesson.fast import FastTrainer, one_thread_an_operation
from resnet_lesson.files import whole_file
from resnet_lesson.training import progress_bar

TRAINED = Path(__file__).parent / "trained" / "08_small_network.keras"

# Of a pixel without ink, as `standardise` gives it.
BACKGROUND = -PIXEL_MEAN / PIXEL_STD

RECIPE = {"epochs": 40, "peak": 1e-2, "batch_size": 128, "smoothing": 0.05, "average": 0.999}
DISTORTION = {"turn": 15, "scale": 0.15, "shear": 0.2, "shift": 2}


def small_network(blocks=((16, 1), (32, 2), (32, 1)), stem=(16, 5), name="small"):
    """Build the recipe's residual network.

    A convolution and a 2×2 pool, then basic blocks, the maximum of each channel over the image, and
    one dense layer. The last γ of each block starts at zero, so each block starts as its shortcut.

    Args:
        blocks: pairs (width in channels, stride), one a block.
        stem: (channels, kernel size in pixels) of the first convolution.
        name: the model's name.

    Returns:
        keras.Model: float32 (batch, 28, 28, 1) → logits, float32 (batch, 10).

    Raises:
        TypeError, ValueError: there is no such network.
    """
    for pair in sequence("blocks", blocks):
        for size in row("blocks", pair, "(width, stride)"):
            whole_number("blocks", size, least=1, most=MOST_WIDTH)
    for size in row("stem", stem, "(channels, kernel size)"):
        whole_number("stem", size, least=1, most=MOST_WIDTH)
    text_value("name", name)
    inputs = keras.Input((28, 28, 1), name="image")
    x = layers.ReLU(name="stem_out")(_conv_norm(inputs, *stem, 1, "stem"))  # (B, 28, 28, C)
    x = layers.MaxPooling2D(2, name="stem_pool")(x)  # (B, 14, 14, C)
    for number, (width, stride) in enumerate(blocks, start=1):
        at = f"block{number}"
        y = layers.ReLU(name=f"{at}_relu1")(_conv_norm(x, width, 3, stride, f"{at}_conv1"))
        y = _conv_norm(y, width, 3, 1, f"{at}_conv2", gamma="zeros")
        if stride > 1:
            x = layers.AveragePooling2D(stride, padding="same", name=f"{at}_shortcut_pool")(x)
        if x.shape[-1] != width:
            x = _conv(width, 1, 1, f"{at}_shortcut")(x)
        x = layers.ReLU(name=f"{at}_out")(layers.Add(name=f"{at}_add")([x, y]))
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name=name)


def _conv(filters, kernel_size, stride, name):
    return layers.Conv2D(
        filters,
        kernel_size,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )


def _conv_norm(x, filters, kernel_size, stride, name, gamma="ones"):
    x = _conv(filters, kernel_size, stride, name)(x)
    return batch_norm(f"{name}_norm", gamma)(x)


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
    if tf.executing_eagerly():  # inside of a training step, FastTrainer has checked them
        images = floats("images", images, (None, 28, 28, 1))
        seed = array("seed", seed, (2,), kinds="iu")
    for name, size in (("turn", turn), ("scale", scale), ("shear", shear), ("shift", shift)):
        real_number(name, size, 0, 360)
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

    Args:
        data: ``Mnist(train, val, test)``; ``val`` and ``test`` may be empty.
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
    """
    check_data(data, (None, 28, 28, 1), 10)
    epochs = whole_number("epochs", epochs, least=1)
    truth_value("progress", progress)
    names_in("distortion", list(dictionary("distortion", distortion)), DISTORTION)
    if not len(data.train):
        raise ValueError("data.train must hold images. Received: 0 images")
    distort(data.train.images[:1], (0, 0), **distortion)
    model = small_network() if model is None else built_model("model", model)
    trainer = FastTrainer(
        model,
        RECIPE["batch_size"],
        pieces,
        RECIPE["smoothing"],
        lambda images, seed: distort(images, seed, **distortion),
        RECIPE["average"],
    )
    with progress_bar(epochs * (len(data.train) // RECIPE["batch_size"]), progress) as bar:
        record = trainer.run(data, seed, epochs, RECIPE["peak"], model.name, bar.update)
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


def main(arguments=None):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m resnet_lesson.recipe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=RECIPE["epochs"])
    parser.add_argument("--save", help="file for the trained model, which ends in .keras")
    options = parser.parse_args(arguments)
    try:
        if options.save and not (
            options.save.endswith(".keras") and Path(options.save).parent.is_dir()
        ):
            raise ValueError(
                f"--save must be a file .keras in a folder that there is. Received: {options.save}"
            )
        one_thread_an_operation()
        model, record = train_recipe(load_mnist(val=0), options.seed, options.epochs)
    except (TypeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"{record.parameters:,} parameters, {record.seconds[-1] / 60:.1f} minutes of training: "
        f"{record.test_accuracy:.2%} of the test images are right."
    )
    try:
        if options.save:
            save_model(model, options.save)
    except OSError as error:
        print(f"The model could not be saved: {error.strerror or error}.", file=sys.stderr)
        return 1
    return 0


def save_model(model, path):
    """Save a model, whole or not at all.

    Args:
        model: keras.Model.
        path: of the file, which ends in .keras; it is replaced if it is there.

    Raises:
        OSError: there is no room; the old file is as it was.
        TypeError, ValueError: an argument is unusable.
    """
    built_model("model", model)
    path = file_path("path", path)
    if path.suffix != ".keras":
        raise ValueError(f"path must end in .keras. Received: {path}")
    with whole_file(path) as new:
        model.save(new)


if __name__ == "__main__":
    sys.exit(main())
