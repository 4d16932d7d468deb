"""Checks of arguments: each names the argument and ends with what was received."""

import collections.abc
import math
import numbers
import os
from pathlib import Path

import keras
import numpy as np
from matplotlib.axes import Axes

# More of these would fill any memory: whoever asks for them has mistyped a number.
MOST_NUMBERS = 10**9
MOST_WIDTH = 8192


def whole_number(name, value, least=0, most=None):
    """Return ``value`` as an int.

    Raises:
        TypeError: it is not a whole number.
        ValueError: it is below ``least`` or above ``most``.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number. Received: {received(value)}")
    if value < least or (most is not None and value > most):
        limit = f"{least} or more" if most is None else f"between {least} and {most}"
        raise ValueError(f"{name} must be {limit}. Received: {received(value)}")
    return int(value)


def real_number(name, value, least=-math.inf, most=math.inf):
    """Return ``value`` as a float.

    Raises:
        TypeError: it is not a number.
        ValueError: it is not finite, or below ``least`` or above ``most``.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number. Received: {received(value)}")
    if not (math.isfinite(value) and least <= value <= most):
        limits = "" if math.isinf(least) and math.isinf(most) else f" from {least:g} to {most:g}"
        raise ValueError(f"{name} must be a finite number{limits}. Received: {received(value)}")
    return float(value)


def positive_number(name, value):
    """Return ``value`` as a float.

    Raises:
        TypeError: it is not a number.
        ValueError: it is not above 0, or not finite.
    """
    if real_number(name, value) <= 0:
        raise ValueError(f"{name} must be a number above 0. Received: {received(value)}")
    return float(value)


def one_of(name, value, known):
    """Return ``value`` if it is among the ``known`` texts.

    Raises:
        ValueError: it is not.
    """
    known = tuple(known)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {known}. Received: {received(value)}")
    return value


def names_in(name, values, known):
    """Return a tuple or list of different names, each among the ``known`` ones, as a list.

    Raises:
        TypeError: it is neither tuple nor list.
        ValueError: a name is unknown or comes twice.
    """
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"{name} must be a list of names. Received: {received(values)}")
    known = list(known)
    unknown = [value for value in values if not isinstance(value, str) or value not in known]
    if unknown or len(set(values)) < len(values):
        few = known if len(known) < 7 else [*known[:5], "…", known[-1]]
        raise ValueError(
            f"{name} must be names out of {few}, each at most once. Received: {received(values)}"
        )
    return list(values)


def truth_value(name, value):
    """Return ``value`` if it is True or False.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False. Received: {received(value)}")
    return bool(value)


def text_value(name, value):
    """Return ``value`` if it is a text; it may be empty.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text. Received: {received(value)}")
    return value


def function(name, value):
    """Return ``value`` if it can be called.

    Raises:
        TypeError: it cannot.
    """
    if not callable(value):
        raise TypeError(f"{name} must be a function. Received: {received(value)}")
    return value


def dictionary(name, value):
    """Return ``value`` if it is a dictionary with an entry at least.

    Raises:
        TypeError: it is no dictionary.
        ValueError: it is empty.
    """
    if not isinstance(value, collections.abc.Mapping):
        raise TypeError(f"{name} must be a dictionary. Received: {received(value)}")
    if not value:
        raise ValueError(f"{name} must not be empty. Received: {received(value)}")
    return value


def sequence(name, value, least=1):
    """Return ``value`` if it is a list, or as good as one, of ``least`` entries or more.

    Raises:
        TypeError: it is neither list, tuple, range nor array.
        ValueError: it is too short.
    """
    is_array = isinstance(value, np.ndarray) and value.ndim > 0
    if not is_array and not isinstance(value, (list, tuple, range)):
        raise TypeError(f"{name} must be a list. Received: {received(value)}")
    if len(value) < least:
        raise ValueError(f"{name} must have {least} or more entries. Received: {received(value)}")
    return value


def row(name, value, wanted):
    """Return ``value`` if it is a tuple or list of as many entries as ``wanted`` names.

    Args:
        wanted: as in ``"(width, stride)"``.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, (list, tuple)) or len(value) != wanted.count(",") + 1:
        raise ValueError(f"{name} must be of the form {wanted}. Received: {received(value)}")
    return value


def built_model(name, value):
    """Return ``value`` if it is a Keras model whose input's shape is known.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, keras.Model) or not hasattr(value, "input_shape"):
        raise TypeError(
            f"{name} must be a keras.Model that knows the shape of its input. "
            f"Received: {received(value)}"
        )
    return value


def symbolic(name, value):
    """Return ``value`` if it is a symbolic tensor, from which a functional model is built.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, keras.KerasTensor):
        raise TypeError(
            f"{name} must be a symbolic tensor, as keras.Input gives it. "
            f"Received: {received(value)}"
        )
    return value


def axes_or_none(name, value):
    """Return ``value`` if it is matplotlib Axes, or None.

    Raises:
        TypeError: it is neither.
    """
    if value is not None and not isinstance(value, Axes):
        raise TypeError(f"{name} must be matplotlib Axes or None. Received: {received(value)}")
    return value


def texts(name, *values):
    """Check that each value is a text, or None.

    Raises:
        TypeError: one is neither.
    """
    for value in values:
        if value is not None:
            text_value(name, value)


def file_path(name, value):
    """Return ``value`` as a Path; it need not exist.

    Raises:
        TypeError: it is neither a text nor a path.
        ValueError: no file can have that name.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"{name} must be a path. Received: {received(value)}")
    if not str(value) or "\0" in str(value):
        raise ValueError(f"{name} must be a path that can be. Received: {received(value)}")
    return Path(value)


def floats(name, value, shape=None):
    """Return finite floating-point numbers as an array; for what goes into a network.

    Args:
        shape: as in ``array``.

    Raises:
        TypeError, ValueError: as ``array`` does.
    """
    return array(name, value, shape, kinds="f")


def images_for(name, value, model):
    """Return images that a model takes, as an array: float, shape (batch, …).

    Raises:
        TypeError, ValueError: as ``array`` does.
    """
    return floats(name, value, (None, *built_model("model", model).input_shape[1:]))


def labels_for(name, value, count, classes=None):
    """Return labels as an array: whole numbers from 0 to ``classes`` − 1, one an image.

    Args:
        count: number of images; None leaves it open.
        classes: number of classes; None leaves it open.

    Raises:
        TypeError, ValueError: as ``array`` does, or a label is out of range.
    """
    labels = array(name, value, kinds="iu")
    if labels.ndim != 1 or count not in (None, len(labels)):
        wanted = "n" if count is None else count
        raise ValueError(
            f"{name} must have the shape ({wanted},), one for each image. Received: {labels.shape}"
        )
    most = np.inf if classes is None else classes - 1
    if labels.min() < 0 or labels.max() > most:
        wanted = "0 or more" if classes is None else f"from 0 to {classes - 1}"
        raise ValueError(f"{name} must be {wanted}. Received: {labels.min()} to {labels.max()}")
    return labels


def array(name, value, shape=None, kinds="iuf", finite=True, empty=False):
    """Return finite numbers as a NumPy array of their own dtype.

    Args:
        shape: the length of each axis, None for any length; no shape leaves that open.
        kinds: NumPy's letters for the kinds of dtype that are taken: i and u whole, f floating.
        finite: whether NaN and infinity are refused.
        empty: whether no numbers at all are taken.

    Raises:
        TypeError: they are no numbers, or of another kind.
        ValueError: they have another shape, are none or too many, or one is not finite.
    """
    try:
        found = np.asarray(value)
    except (TypeError, ValueError, NotImplementedError, AttributeError, RuntimeError):
        raise TypeError(
            f"{name} must be an array of numbers. Received: {received(value)}"
        ) from None
    if isinstance(value, list) and not value:
        found = found.astype(np.dtype(f"{kinds[0]}8"))  # an empty list has no kind of its own
    if found.dtype.kind not in kinds:
        wanted = {"f": "floating-point numbers", "iu": "whole numbers"}.get(kinds, "numbers")
        raise TypeError(f"{name} must be {wanted}. Received: {received(value)}")
    if shape is not None and (
        found.ndim != len(shape)
        or any(want not in (None, have) for want, have in zip(shape, found.shape, strict=True))
    ):
        wanted = ", ".join("n" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} must have the shape ({wanted}). Received: {found.shape}")
    if not (found.size or empty):
        raise ValueError(f"{name} must not be empty. Received: shape {found.shape}")
    if found.size > MOST_NUMBERS:
        raise ValueError(
            f"{name} must hold at most {MOST_NUMBERS:,} numbers. Received: shape {found.shape}"
        )
    if finite and found.dtype.kind == "f" and not np.isfinite(found).all():
        bad = np.count_nonzero(~np.isfinite(found))
        raise ValueError(
            f"{name} must be finite. Received: {bad} of {found.size} numbers are NaN or infinite"
        )
    return found


def received(value):
    """Return how a message shows what was received: short, whatever it is."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}, shape {value.shape}"
    try:
        found = repr(value)
    except Exception:  # whatever the reader's class does
        found = f"a {type(value).__name__}"
    found = " ".join(found.split())
    return found if len(found) <= 200 else f"{found[:150]}… ({type(value).__name__})"
