"""A digit of one's own, made to look like those of MNIST.

A network knows only what it was trained on. MNIST's digits are light on black, as large as a box of
20 × 20 pixels, and stand with their centre of mass in the middle of 28 × 28. So must a photo. But
first the ink must be told from everything else that a phone sees: light, lines, noise and dust.

References
    LeCun, Bottou, Bengio, Haffner 1998: Gradient-Based Learning Applied to Document Recognition,
        Proceedings of the IEEE 86(11), Section III.A: how MNIST was made.
    Serra 1982: Image Analysis and Mathematical Morphology, Academic Press: the closing of an image.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

from resnet_lesson.plumbing.constraints import Numbers, checked

BOX, FIELD = 20, 28
MOST_PIXELS = 50_000_000
LONGEST = 800  # what is larger is reduced, in pixels
LEAST_CONTRAST = 16  # between ink and paper, in levels
NOISE = 6  # how many standard deviations of it can be seen as ink
SMOOTH, SPECK = 400, 40  # noise is smoothed, and specks dropped, at this part of the longer side
NEAR, OTHER = 0.16, 0.4  # of a digit's size: gaps that it may have; marks that may be a digit
STEEPEST = 0.27  # slope of printed lines, in pixels a pixel: that of 15 degrees
FAINT = 0.03  # the least share of the light that printed lines take
HEIC = {b"ftyp" + brand for brand in (b"heic", b"heix", b"hevc", b"heif", b"mif1", b"msf1")}
PIXELS = Numbers((None, None))


@dataclass(frozen=True)
class Steps:
    """A digit after each step of ``like_mnist``; the last one is what a network takes."""

    grey: np.ndarray
    """uint8, shape (height, width): as it was given, with 800 pixels at most on its longer side."""
    ink: np.ndarray
    """uint8, shape (height, width): the digit's ink light, all else black."""
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
        path: an image file that Pillow reads. Transparent parts are taken for white paper, and the
            turn that a camera noted is made. A large image is reduced to 800 pixels on its longer
            side: a JPEG of up to 178 million pixels, others of up to 50 million.

    Returns:
        uint8 array, shape (height, width): 0 is black, 255 is white.

    Raises:
        TypeError, ValueError: ``path`` is no path, the image is too large, or it is a HEIC photo.
        OSError: there is no such file, or it is no image.
    """
    with _opened(path) as image:
        enough = [LONGEST * side // max(image.size) for side in image.size]
        image.draft(None, enough)  # a JPEG can be unpacked at a fraction of its size
        if image.width * image.height > MOST_PIXELS:  # known before anything is unpacked
            raise ValueError(
                f"path must be an image of {MOST_PIXELS:,} pixels at most. "
                f"Received: {path}, {image.width} × {image.height}"
            )
        small = image.convert("RGBA")
    small.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    turned = ImageOps.exif_transpose(small)
    paper = Image.new("RGBA", turned.size, "white")
    return np.asarray(Image.alpha_composite(paper, turned).convert("L"))


def _opened(path):
    """Open an image file, and say what to do where Pillow cannot or should not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # it is reduced
            return Image.open(path)
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"path must be a smaller image: a screenshot of it will do. Received: {path}, {error}"
        ) from None
    except UnidentifiedImageError:
        with path.open("rb") as file:
            start = file.read(12)
        if path.suffix.lower() in (".heic", ".heif") or start[4:] in HEIC:
            raise ValueError(
                "path must be a JPEG or PNG, not a HEIC photo, which Pillow cannot read. On the "
                'phone, share or export it as JPEG, set the camera to "Most Compatible" for the '
                f"next ones, or take a screenshot of the photo. Received: {path}"
            ) from None
        raise


@checked(grey=PIXELS)
def like_mnist(grey):
    """Crop, scale and centre one digit as MNIST's were.

    Args:
        grey: uint8, shape (height, width), with one digit, dark on light or light on dark. The
            paper may be unevenly lit, ruled or squared, and have specks.

    Returns:
        ``Steps``.

    Raises:
        TypeError, ValueError: ``grey`` has another shape, or there is no digit on it, or several.
    """
    grey = _reduced(grey)
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


def _reduced(grey):
    """Return the page with ``LONGEST`` pixels at most on its longer side."""
    if max(grey.shape) <= LONGEST:
        return grey
    small = Image.fromarray(grey.astype(np.float32))
    small.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    return np.rint(small).astype(np.uint8)


# -- What is ink, and what is paper, light, lines and dust -----------------------------------------


def _ink(grey):
    """Return the ink of the one digit on a page, light on black."""
    smooth = ndimage.gaussian_filter(grey.astype(np.float32), max(grey.shape) / SMOOTH)
    if _light_on_dark(smooth):
        smooth = 255 - smooth
    paper = _paper(smooth)
    if (paper - smooth).max() < LEAST_CONTRAST:
        raise _no_digit(grey)
    # What takes away light multiplies. As logarithms, ink and the lines of the paper add up.
    dark = np.log(np.maximum(paper, 1) / np.maximum(smooth, 1))
    dark -= _printed_lines(dark)
    dark -= _printed_lines(dark.T).T
    level, noise = _noise(dark)
    taken = 1 - np.exp(level - dark)
    least = max(NOISE * noise, LEAST_CONTRAST / 255)
    inked, _ = ndimage.label(taken > least, np.ones((3, 3)))
    large = _large(inked)
    if not large.any():
        raise _no_digit(grey)
    full = np.quantile(taken[large], 0.9)
    digit = _one_digit(large & (taken > 0.3 * full))
    return np.rint(255 * np.clip(taken / full, 0, 1) * digit).astype(np.uint8)


def _light_on_dark(smooth):
    """Tell whether the ink is lighter than the paper.

    Ink differs from what is usual around it, and is narrow: the first is not true of the hole of a
    0, and the second not of a lit corner.
    """
    step = max(1, max(smooth.shape) // 48)
    few = smooth[::step, ::step]
    usual = ndimage.median_filter(few, max(few.shape) // 3)
    darker = np.maximum(np.minimum(usual, _paper(few)) - few, 0)
    lighter = np.maximum(few - np.maximum(usual, 255 - _paper(255 - few)), 0)
    return np.sum(lighter**3) > np.sum(darker**3)


def _paper(smooth):
    """Return the page without its ink: all that is dark and narrower than a window is filled up.

    This is a morphological closing. It leaves slopes of the light, dark corners and the edge of a
    shadow as they are.
    """
    window = max(smooth.shape) // 3 | 1
    rims = [min(window, side - 1) for side in smooth.shape]
    # Beyond its rim, the page falls on as it did, so that no dark corner is filled up; nor does it
    # grow lighter there, as it would where ink is mirrored.
    around = [(rim, rim) for rim in rims]
    wide = np.pad(smooth, around, "reflect", reflect_type="odd")
    wide = np.minimum(wide, np.pad(smooth, around, "edge"))
    closed = ndimage.grey_closing(wide, (window, window), mode="nearest")
    return closed[rims[0] : closed.shape[0] - rims[0], rims[1] : closed.shape[1] - rims[1]]


def _printed_lines(dark):
    """Return what lines from left to right add to the darkness: 0 where there are fewer than three.

    Along the right slope, a line is dark nearly everywhere, and ink only here and there.
    """
    height, width = dark.shape
    narrow = max(dark.shape) // 60
    if narrow < 3:
        return np.zeros_like(dark)
    x = np.arange(width) - width // 2
    beyond = int(STEEPEST * width / 2) + 8
    rim, rows = ((2 * beyond, 2 * beyond), (0, 0)), np.arange(height + 2 * beyond)[:, None] + beyond
    level, noise = _noise(dark)
    pale = np.pad(np.minimum(dark, level + 4 * noise), rim, constant_values=level)

    def along(values, slope, step=1):
        return values[rows + np.rint(slope * x[::step]).astype(int), np.arange(0, width, step)]

    def peaks(profile):
        return profile - ndimage.grey_opening(profile, narrow)

    def sharpness(slope, step):
        return np.sum(np.diff(along(pale, slope, step).mean(axis=1)) ** 2)

    slope = max(np.arange(-STEEPEST, STEEPEST, 0.006), key=lambda one: sharpness(one, 32))
    slope = max(slope + np.arange(-0.004, 0.005, 0.001), key=lambda one: sharpness(one, 8))
    tall = np.pad(dark, rim, constant_values=np.nan)
    ordered = np.sort(along(tall, slope), axis=1)  # what lies beyond the page comes last
    there = np.isfinite(ordered).sum(axis=1)
    profile = peaks(np.where(there > width / 8, ordered[np.arange(len(there)), there // 2], 0))
    _, count = ndimage.label(profile > FAINT)
    if count < 3:
        return np.zeros_like(dark)
    back = np.arange(height)[:, None] + beyond - np.rint(slope * x).astype(int)
    return profile[back]


def _large(parts):
    """Return where the parts are that are no specks."""
    return np.array([False, *(_longer_sides(parts) >= max(parts.shape) / SPECK)])[parts]


def _longer_sides(parts):
    boxes = ndimage.find_objects(parts)
    return np.array([max(side.stop - side.start for side in box) for box in boxes])


def _one_digit(inked):
    """Return which of the ink is the digit's: the largest part, and what lies near to it.

    Raises:
        ValueError: another part is as good as a digit.
    """
    parts, _ = ndimage.label(inked, np.ones((3, 3)))
    size = _longer_sides(parts)[np.bincount(parts[inked])[1:].argmax()]
    # A hat may float above its 5. Side by side, digits stand closer than one above the other.
    near = ndimage.distance_transform_edt(~inked, sampling=(1 / 3, 1)) <= NEAR * size / 2
    groups, _ = ndimage.label(near, np.ones((3, 3)))
    groups[~inked] = 0
    ink, sides = np.bincount(groups[inked])[1:], _longer_sides(groups)
    digit = ink.argmax()
    if np.sum(sides > OTHER * sides[digit]) > 1:
        raise ValueError(
            "grey must show one digit: there are several, or other marks as large as a digit. "
            f"Crop the photo to one. Received: {np.sum(sides > OTHER * sides[digit])} of them"
        )
    return groups == digit + 1


def _noise(values):
    """Return the level and the standard deviation of the palest values, none of which is ink."""
    lower, upper = np.quantile(values.ravel()[::7], [0.05, 0.3])
    return upper, (upper - lower) / 1.12  # of a normal distribution, they lie 1.12 of them apart


def _no_digit(grey):
    return ValueError(
        "grey must show a digit: there is no digit, or its ink is too pale or too small. "
        f"Received: levels from {grey.min()} to {grey.max()}"
    )
