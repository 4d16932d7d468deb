"""MNIST and Fashion-MNIST, standardised and split; where they come from is in ``mnist``."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from resnet_lesson.mnist import raw_fashion_mnist, raw_mnist
from resnet_lesson.plumbing.constraints import Constraint, Numbers, Whole, checked, received

# Mean and standard deviation of all training pixels, on the scale 0 to 1.
PIXEL_MEAN = 0.1306604762738429
PIXEL_STD = 0.30810780385646264
FASHION_MEAN = 0.2860405969887955
FASHION_STD = 0.35302424451492254


@dataclass(frozen=True)
class Examples:
    """Images and what they show. Its length is their number.

    Raises:
        TypeError, ValueError: these are no images or no labels that a network could learn from.
    """

    images: np.ndarray
    """float32, shape (n, 28, 28, 1): standardised to mean 0 and standard deviation 1."""
    labels: np.ndarray
    """int32 or int64, shape (n,): classes, such as the digits from 0 to 9."""

    def __len__(self):
        return len(self.labels)

    def __post_init__(self):
        for name, values in (("images", self.images), ("labels", self.labels)):
            if not isinstance(values, np.ndarray):
                raise TypeError(f"{name} must be a NumPy array. Received: {received(values)}")
        if self.images.dtype != np.float32:
            raise TypeError(
                'images must be float32, as `standardise` or `.astype("float32")` give them. '
                f"Received: {self.images.dtype}"
            )
        if self.labels.dtype not in (np.int32, np.int64):
            raise TypeError(f"labels must be int32 or int64. Received: {self.labels.dtype}")
        if self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                "labels must be of shape (n,), one for each of the images. "
                f"Received: {self.labels.shape}, images of shape {self.images.shape}"
            )
        if not np.isfinite(self.images).all():
            raise ValueError(
                "images must be finite. Received: "
                f"{np.count_nonzero(~np.isfinite(self.images))} numbers that are NaN or infinite"
            )


class Dataset(NamedTuple):
    """Three sets that share no image. Only ``test`` comes from the published test set."""

    train: Examples
    val: Examples
    test: Examples


SETS = {"train": Whole() | None, "val": Whole(), "test": Whole() | None, "seed": Whole()}


@checked(**SETS)
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
        ``Dataset(train, val, test)``, each ``Examples(images, labels)``.

    Raises:
        TypeError, ValueError: a number is negative or larger than what there is, or the file is
            damaged.

    Example::

        mnist = load_mnist(train=12800, val=1000)
        mnist.train.images.shape  # (12800, 28, 28, 1)
    """
    return _split(raw_mnist(), PIXEL_MEAN, PIXEL_STD, train, val, test, seed)


@checked(**SETS)
def load_fashion_mnist(train=None, val=5000, test=None, seed=0):
    """Load Fashion-MNIST as ``load_mnist`` loads MNIST: same sizes, its own mean and deviation.

    It is not part of the package: it comes from ``keras.datasets``, which downloads it once.
    The labels are positions in ``mnist.FASHION_CLASSES``. Arguments and what is returned are those
    of ``load_mnist``.

    Raises:
        TypeError, ValueError: as ``load_mnist``, or the data cannot be had; then the message says
            how to get it.
    """
    return _split(raw_fashion_mnist(), FASHION_MEAN, FASHION_STD, train, val, test, seed)


@checked(pixels=Numbers((None, 28, 28), empty=True))
def standardise(pixels, mean=PIXEL_MEAN, deviation=PIXEL_STD):
    """Scale pixels to mean 0 and standard deviation 1 over the training set, MNIST's by default.

    Args:
        pixels: uint8, shape (n, 28, 28).
        mean, deviation: of the training set's pixels, on the scale 0 to 1.

    Returns:
        float32, shape (n, 28, 28, 1).

    Raises:
        TypeError: pixels are not uint8: on another scale they would be standardised wrongly.
        ValueError: they have another shape.
    """
    if pixels.dtype != np.uint8:
        raise TypeError(f"pixels must be uint8, from 0 to 255. Received: {pixels.dtype}")
    scaled = pixels[..., np.newaxis].astype(np.float32)
    scaled *= np.float32(1 / (255 * deviation))
    scaled -= np.float32(mean / deviation)
    return scaled


@checked(labels=Numbers((None,), kinds="iu", empty=True), n=Whole())
def stratified_indices(labels, n, seed=0):
    """Draw ``n`` positions so that each class keeps its share.

    Args:
        labels: integers, shape (m,).
        n: how many positions to draw, at most m.
        seed: integer that decides the draw and its order.

    Returns:
        int64 array, shape (n,), of distinct positions in random order.

    Raises:
        TypeError, ValueError: ``labels`` has not one axis, or ``n`` is not between 0 and m.
    """
    Whole(most=len(labels)).check("n", n)
    chosen, _ = _stratified_split(labels, n, np.random.default_rng([seed, 1]))
    return chosen


class TrainingData(Constraint):
    """A Dataset on which the argument ``model``, a classifier, can be trained."""

    def check(self, name, value, given=None):
        if not isinstance(value, Dataset):
            raise TypeError(
                f"{name} must be Dataset(train, val, test). Received: {type(value).__name__}"
            )
        model = given["model"]
        for part, examples in value._asdict().items():
            if not isinstance(examples, Examples):
                raise TypeError(
                    f"{name}.{part} must be Examples(images, labels). "
                    f"Received: {received(examples)}"
                )
            images = (None, *model.input_shape[1:])
            Numbers(images, finite=False, empty=True).check(
                f"{name}.{part}.images", examples.images
            )
            classes, labels = model.output_shape[-1], examples.labels
            if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
                raise ValueError(
                    f"{name}.{part}.labels must be from 0 to {classes - 1}: the model has "
                    f"{classes} logits. Received: {labels.min()} to {labels.max()}"
                )
        return value


def _split(raw, mean, deviation, train, val, test, seed):
    """Draw the three sets; the last four arguments are those of ``load_mnist``."""
    n_train, n_test = len(raw["y_train"]), len(raw["y_test"])
    val = Whole(most=n_train).check("val", val)
    train = Whole(most=n_train - val).check("train", n_train - val if train is None else train)
    test = Whole(most=n_test).check("test", n_test if test is None else test)
    val_at, rest = _stratified_split(raw["y_train"], val, np.random.default_rng([seed, 0]))
    train_at = rest[stratified_indices(raw["y_train"][rest], train, seed)]
    test_at = np.arange(n_test) if test == n_test else stratified_indices(raw["y_test"], test, seed)

    def examples(part, at):
        images = standardise(raw[f"x_{part}"][at], mean, deviation)
        return Examples(images, raw[f"y_{part}"][at].astype(np.int32))

    return Dataset(
        examples("train", train_at), examples("train", val_at), examples("test", test_at)
    )


def _stratified_split(labels, n, generator):
    """Return (chosen, rest): positions, ``n`` chosen with each class's share, in random order."""
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * (n / max(len(labels), 1))
    quota = np.floor(shares).astype(int)
    # Rounding down leaves a few places: they go to the classes that lost most by it.
    missing = n - quota.sum()
    quota[np.argsort(quota - shares, kind="stable")[:missing]] += 1
    none = np.empty(0, dtype=np.int64)
    chosen, rest = [none], [none]
    for value, wanted in zip(classes, quota, strict=True):
        positions = generator.permutation(np.flatnonzero(labels == value))
        chosen.append(positions[:wanted])
        rest.append(positions[wanted:])
    return tuple(generator.permutation(np.concatenate(parts)) for parts in (chosen, rest))
