"""A digit of one's own, made to look like those of MNIST.

A network knows only what it was trained on. MNIST's digits are light on black, as large as a box of
20 × 20 pixels, and stand with their centre of mass in the middle of 28 × 28. So must a photo.

References
    LeCun, Bottou, Bengio, Haffner 1998: Gradient-Based Learning Applied to Document Recognition,
        Proceedings of the IEEE 86(11), Section III.A: how MNIST was made.
    Otsu 1979: A Threshold Selection Method from Gray-Level Histograms, IEEE Transactions on
        Systems, Man, and Cybernetics 9(1).
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from resnet_lesson.plumbing.constraints import Numbers, checked

BOX, FIELD = 20, 28
MOST_PIXELS = 50_000_000
LEAST_CONTRAST = 16
PIXELS = Numbers((None, None))


@dataclass(frozen=True)
class Steps:
    """A digit after each step of ``like_mnist``; the last one is what a network takes."""

    grey: np.ndarray
    """uint8, shape (height, width): as it was given."""
    ink: np.ndarray
    """uint8, shape (height, width): ink light, paper black."""
    cropped: np.ndarray
    """uint8: the smallest rectangle with all the ink."""
    boxed: np.ndarray
    """uint8: scaled so that its longer side has 20 pixels."""
    centred: np.ndarray
    """uint8, shape (28, 28): its centre of mass in the middle."""


@checked
def read_photo(path):
    """Read a photo or a drawing as grey levels.

    Args:
        path: an image file that Pillow reads, of 50 million pixels at most. Transparent parts are
            taken for white paper, and the turn that a camera noted is made.

    Returns:
        uint8 array, shape (height, width): 0 is black, 255 is white.

    Raises:
        TypeError, ValueError: ``path`` is no path, or the image is too large.
        OSError: there is no such file, or it is no image.
    """
    with Image.open(path) as image:
        if image.width * image.height > MOST_PIXELS:  # known before anything is unpacked
            raise ValueError(
                f"path must be an image of {MOST_PIXELS:,} pixels at most. "
                f"Received: {path}, {image.width} × {image.height}"
            )
        turned = ImageOps.exif_transpose(image).convert("RGBA")
        paper = Image.new("RGBA", turned.size, "white")
        return np.asarray(Image.alpha_composite(paper, turned).convert("L"))


@checked(grey=PIXELS)
def like_mnist(grey):
    """Crop, scale and centre one digit as MNIST's were.

    Args:
        grey: uint8, shape (height, width), with one digit, dark on light or light on dark, and
            nothing else on the paper.

    Returns:
        ``Steps``.

    Raises:
        TypeError, ValueError: ``grey`` has another shape, or there is no ink on it.
    """
    ink = _ink(grey)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    cropped = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(cropped.shape)
    height, width = (max(1, round(side * scale)) for side in cropped.shape)
    boxed = np.asarray(Image.fromarray(cropped).resize((width, height), Image.Resampling.BOX))
    # As MNIST's: the darkest ink is nearly white. Thin strokes lose it when they are scaled down.
    boxed = np.rint(boxed * (255 / boxed.max())).astype(np.uint8)
    return Steps(grey, ink, cropped, boxed, centre_by_mass(boxed))


@checked(boxed=PIXELS)
def centre_by_mass(boxed):
    """Put a digit into the middle of an empty field, by its centre of mass.

    Args:
        boxed: uint8, shape (height, width), 28 pixels at most on each side, with some ink.

    Returns:
        uint8 array, shape (28, 28).

    Raises:
        TypeError, ValueError: there is no such digit.
        ZeroDivisionError: it has no ink.
    """
    field = np.zeros((FIELD, FIELD), boxed.dtype)
    place = []
    for axis, size in enumerate(boxed.shape):
        weight = boxed.sum(axis=1 - axis, dtype=float)
        centre = np.average(np.arange(size), weights=weight)
        # A pixel's middle counts. All the digit stays on the field.
        place.append(int(np.clip(round((FIELD - 1) / 2 - centre), 0, FIELD - size)))
    top, left = place
    field[top : top + boxed.shape[0], left : left + boxed.shape[1]] = boxed
    return field


def _ink(grey):
    """Return the ink, light on black: what lies on the rarer side of Otsu's threshold.

    Paper is not evenly lit, so first a plane is fitted to the levels and taken off.
    """
    flat = grey.astype(float)
    y, x = np.mgrid[: grey.shape[0], : grey.shape[1]]
    terms = np.stack([np.ones(grey.size), x.ravel(), y.ravel()], axis=1)
    # Twice, the second time without what differs most from the paper: the ink.
    keep = np.ones(grey.size, bool)
    for _ in range(2):
        plane = terms @ np.linalg.lstsq(terms[keep], flat.ravel()[keep], rcond=None)[0]
        off = np.abs(flat.ravel() - plane)
        keep = off <= np.quantile(off, 0.7)
    difference = flat - plane.reshape(grey.shape)
    if np.abs(difference).max() < LEAST_CONTRAST:
        raise ValueError(
            "grey must show ink: something darker or lighter than the paper. "
            f"Received: levels from {grey.min()} to {grey.max()}, evenly changing"
        )
    threshold = _otsu(np.abs(difference))
    beyond = np.abs(difference) > threshold
    sign = 1 if np.sum(difference[beyond]) > 0 else -1
    strength = np.clip(sign * difference, 0, None)
    strength[strength < threshold / 2] = 0
    scaled = strength * (255 / np.quantile(strength[beyond], 0.9))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def _otsu(values):
    """Return the threshold between two groups of numbers that lie as far apart as can be."""
    counts, edges = np.histogram(values, bins=256)
    middles = (edges[:-1] + edges[1:]) / 2
    below, mass = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return middles[np.nanargmax(apart[:-1])]
