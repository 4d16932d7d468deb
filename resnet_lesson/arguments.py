"""Checks of arguments: each names the argument and ends with what was received."""

import numpy as np


def whole_number(name, value, least=0, most=None):
    """Return ``value`` as an int.

    Raises:
        TypeError: it is not a whole number.
        ValueError: it is below ``least`` or above ``most``.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number. Received: {value!r}")
    if value < least or (most is not None and value > most):
        limit = f"{least} or more" if most is None else f"between {least} and {most}"
        raise ValueError(f"{name} must be {limit}. Received: {value}")
    return int(value)


def positive_number(name, value):
    """Return ``value`` as a float.

    Raises:
        ValueError: it is no number, not above 0, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < np.inf:
        raise ValueError(f"{name} must be a number above 0. Received: {value!r}")
    return float(value)


def one_of(name, value, known):
    """Return ``value`` if it is among the ``known`` ones.

    Raises:
        ValueError: it is not.
    """
    if value not in tuple(known):
        raise ValueError(f"{name} must be one of {tuple(known)}. Received: {value!r}")
    return value
