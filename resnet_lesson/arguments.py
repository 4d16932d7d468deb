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


def one_of(name, value, known):
    """Return ``value`` if it is among the ``known`` ones.

    Raises:
        ValueError: it is not.
    """
    if value not in tuple(known):
        raise ValueError(f"{name} must be one of {tuple(known)}. Received: {value!r}")
    return value
