"""MNIST and Fashion-MNIST: standardised and split.

Where they come from is in ``mnist_source`` and ``fashion_source``.

References
    Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits
    (CC BY-SA 3.0; see ``mnist/LICENSE.txt``).
    H. Xiao, K. Rasul, R. Vollgraf 2017: Fashion-MNIST (arXiv:1708.07747; MIT licence).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from resnet_lesson.arguments import array, received, whole_number
from resnet_lesson.fashion_source import raw_fashion_mnist
from resnet_lesson.mnist_source import raw_mnist

# Mean and standard deviation of all training pixels, on the scale 0 to 1.
PIXEL_MEAN = 0.1306604762738429
PIXEL_STD = 0.30810780385646264
FASHION_MEAN = 0.2860405969887955
FASHION_STD = 0.35302424451492254


@dataclass(frozen=True)
class Examples:
    """Images and the digits that they show. Its length is their number."""

    images: np.ndarray
    """float32, shape (n, 28, 28, 1): standardised to mean 0 and standard deviation 1."""
    labels: np.ndarray
    """int32, shape (n,): digits from 0 to 9."""

    def __len__(self):
        return len(self.labels)


class Mnist(NamedTuple):
    """Three sets that share no image. Only ``test`` comes from MNIST's test set."""

    train: Examples
    val: Examples
    test: Examples


def load_mnist(train=None, val=5000, test=None, seed=0):
    """Load MNIST, standardised, with a validation set cut from the training images.

    The validation set does not depend on ``train``: it is drawn first. Every set is stratified,
    that is, each digit's share is the same as in the images that it is drawn from.

    Args:
        train: number of training images; all that remain (60000 − ``val``) by default.
        val: number of validation images, drawn from the 60,000 training images.
        test: number of test images; all 10,000 by default.
        seed: integer that decides which images are drawn, and their order.

    Returns:
        ``Mnist(train, val, test)``, each ``Examples(images, labels)``.

    Raises:
        TypeError: an argument is not an integer.
        ValueError: a number is negative or larger than what there is, or the file is damaged.
    """
    return _split(raw_mnist(), standardise, train, val, test, seed)


def load_fashion_mnist(train=None, val=5000, test=None, seed=0):
    """Load Fashion-MNIST as ``load_mnist`` loads MNIST: same sizes, its own mean and deviation.

    It is not part of the package: it comes from ``keras.datasets``, which downloads it once.
    The labels are positions in ``fashion_source.FASHION_CLASSES``. Arguments and what is returned
    are those of ``load_mnist``.

    Raises:
        TypeError, ValueError: as ``load_mnist``, or the data cannot be had; then the message says
            how to get it.
    """
    return _split(raw_fashion_mnist(), _standardise_fashion, train, val, test, seed)


def _split(raw, standardised, train, val, test, seed):
    """Draw the three sets; the last four arguments are those of ``load_mnist``."""
    n_train, n_test = len(raw["y_train"]), len(raw["y_test"])
    val = whole_number("val", val, most=n_train)
    train = whole_number("train", n_train - val if train is None else train, most=n_train - val)
    test = whole_number("test", n_test if test is None else test, most=n_test)
    val_at, rest = _stratified_split(raw["y_train"], val, _generator(seed, stream=0))
    train_at = rest[stratified_indices(raw["y_train"][rest], train, seed)]
    test_at = np.arange(n_test) if test == n_test else stratified_indices(raw["y_test"], test, seed)
    return Mnist(
        train=_examples(standardised, raw["x_train"], raw["y_train"], train_at),
        val=_examples(standardised, raw["x_train"], raw["y_train"], val_at),
        test=_examples(standardised, raw["x_test"], raw["y_test"], test_at),
    )


def check_data(data, input_shape, classes):
    """Check that a classifier can be trained on ``data``.

    Args:
        data: ``Mnist(train, val, test)``.
        input_shape: shape of the model's input, batch axis first; None stands for any length.
        classes: number of the model's logits.

    Raises:
        TypeError, ValueError: it cannot; the message names the part and ends with what was
            received.
    """
    if not isinstance(data, Mnist):
        raise TypeError(f"data must be Mnist(train, val, test). Received: {type(data).__name__}")
    wanted = tuple(input_shape[1:])
    for name, part in zip(data._fields, data, strict=True):
        if not isinstance(part, Examples):
            raise TypeError(
                f"data.{name} must be Examples(images, labels). Received: {received(part)}"
            )
        images, labels = part.images, part.labels
        for field, values in (("images", images), ("labels", labels)):
            if not isinstance(values, np.ndarray):
                raise TypeError(
                    f"data.{name}.{field} must be a NumPy array. Received: {received(values)}"
                )
        if len(images.shape[1:]) != len(wanted) or any(
            asked not in (None, size) for asked, size in zip(wanted, images.shape[1:], strict=True)
        ):
            raise ValueError(
                f"data.{name}.images must have the shape that the model takes, (n, "
                f"{', '.join(map(str, wanted))}). Received: {images.shape}"
            )
        if images.dtype != np.float32:
            raise TypeError(
                f"data.{name}.images must be float32, as `standardise` or "
                f'`.astype("float32")` give them. Received: {images.dtype}'
            )
        if not np.isfinite(images).all():
            raise ValueError(
                f"data.{name}.images must be finite. Received: "
                f"{np.count_nonzero(~np.isfinite(images))} numbers that are NaN or infinite"
            )
        if labels.dtype not in (np.int32, np.int64):
            raise TypeError(f"data.{name}.labels must be int32 or int64. Received: {labels.dtype}")
        if labels.shape != images.shape[:1]:
            raise ValueError(
                f"data.{name}.labels must be of shape (n,), one for each of the images. "
                f"Received: {labels.shape}, {len(images)} images"
            )
        if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
            raise ValueError(
                f"data.{name}.labels must be from 0 to {classes - 1}: the model has {classes} "
                f"logits. Received: {labels.min()} to {labels.max()}"
            )


def stratified_indices(labels, n, seed=0):
    """Draw ``n`` positions so that each class keeps its share.

    Args:
        labels: integers, shape (m,).
        n: how many positions to draw, at most m.
        seed: integer that decides the draw and its order.

    Returns:
        int64 array, shape (n,), of distinct positions in random order.

    Raises:
        TypeError: ``n`` or ``seed`` is not an integer.
        ValueError: ``labels`` has not one axis, or ``n`` is not between 0 and m.
    """
    labels = array("labels", labels, (None,), kinds="iu", empty=True)
    n = whole_number("n", n, most=len(labels))
    chosen, _ = _stratified_split(labels, n, _generator(seed, stream=1))
    return chosen


def standardise(pixels):
    """Scale MNIST pixels to mean 0 and standard deviation 1 over the training set.

    Args:
        pixels: uint8, shape (n, 28, 28).

    Returns:
        float32, shape (n, 28, 28, 1).

    Raises:
        TypeError: pixels are not uint8: on another scale they would be standardised wrongly.
        ValueError: they have another shape.
    """
    return _standardise(pixels, PIXEL_MEAN, PIXEL_STD)


def _standardise_fashion(pixels):
    return _standardise(pixels, FASHION_MEAN, FASHION_STD)


def _standardise(pixels, mean, deviation):
    pixels = array("pixels", pixels, (None, 28, 28), empty=True)
    if pixels.dtype != np.uint8:
        raise TypeError(f"pixels must be uint8, from 0 to 255. Received: {pixels.dtype}")
    scaled = pixels[..., np.newaxis].astype(np.float32)
    scaled *= np.float32(1 / (255 * deviation))
    scaled -= np.float32(mean / deviation)
    return scaled


def _examples(standardised, images, labels, at):
    return Examples(standardised(images[at]), labels[at].astype(np.int32))


def _stratified_split(labels, n, generator):
    """Return (chosen, rest): positions, ``n`` chosen with each class's share, in random order."""
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * (n / max(len(labels), 1))
    quota = np.floor(shares).astype(int)
    # Rounding down leaves a few places: they go to the classes that lost most by it.
    missing = n - quota.sum()
    quota[np.argsort(quota - shares, kind="stable")[:missing]] += 1
    chosen, rest = [], []
    for value, wanted in zip(classes, quota, strict=True):
        positions = generator.permutation(np.flatnonzero(labels == value))
        chosen.append(positions[:wanted])
        rest.append(positions[wanted:])
    none = np.empty(0, dtype=np.int64)
    return (
        generator.permutation(np.concatenate([none, *chosen])),
        generator.permutation(np.concatenate([none, *rest])),
    )


def _generator(seed, stream):
    return np.random.default_rng([whole_number("seed", seed), stream])
