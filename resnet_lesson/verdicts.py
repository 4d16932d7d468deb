"""Verdicts: each states a claim, prints what was measured, and fails when the claim is false."""

import math
import textwrap

import numpy as np

from resnet_lesson.arguments import positive_number, received, text_value

WIDTH = 88  # characters, so that nothing wraps on a page or a projector


def verdict(claim, holds, measured):
    """State a claim, print the figures that decide it, and fail if it does not hold.

    Args:
        claim: a sentence without a measured number in it.
        holds: the comparison's result, True or False.
        measured: text with the figures that were compared.

    Raises:
        AssertionError: the claim does not hold.
        TypeError: ``holds`` is no truth value, so that nothing was compared.
    """
    text_value("claim", claim)
    text_value("measured", measured)
    if type(holds).__name__ not in ("bool", "bool_"):
        raise TypeError(f"holds must be True or False. Received: {received(holds)}")
    said = textwrap.fill(f"{'HOLDS' if holds else 'DOES NOT HOLD'}: {claim}", WIDTH)
    found = textwrap.fill(
        f"measured: {measured}", WIDTH, initial_indent="  ", subsequent_indent="    "
    )
    said = f"{said}\n{found}"
    if not holds:
        raise AssertionError(said)
    print(said)


def verdict_above(claim, above, below, ratio=1.0, unit=""):
    """Claim that every value of ``above`` is above every value of ``below``.

    With a ratio, claim that it is at least that many times as large.

    Args:
        claim: a sentence without a measured number in it.
        above: positive numbers, one a seed.
        below: positive numbers, one a seed.
        ratio: the margin asked for; 1 asks for the order alone, without a tie.
        unit: the values' unit, for the printed figures.

    Raises:
        AssertionError: the claim does not hold, or a value is not a number.
        TypeError, ValueError: there is nothing to compare, or an argument is unusable.
    """
    text_value("claim", claim)
    text_value("unit", unit)
    positive_number("ratio", ratio)
    above, below = _values("above", above), _values("below", below)
    if ratio != 1 and min(*above, *below) < 0:
        raise ValueError(
            "above and below must not be negative where a ratio is claimed. "
            f"Received: {min(*above, *below)}"
        )
    unit = f" {unit}" if unit else ""
    lowest, highest = min(above), max(below)
    ratio_found = lowest / highest if highest else math.inf
    asked = f", claimed at least {ratio:g}" if ratio != 1 else ""
    # A comparison with a value that is not a number is false, wherever in the list it stands.
    holds = all(
        high > low if ratio == 1 else high >= ratio * low for high in above for low in below
    )
    verdict(
        claim,
        holds,
        f"{lowest:.4g}{unit}{_among(above, 'lowest')}, over {highest:.4g}{unit}"
        f"{_among(below, 'highest')}: ratio {ratio_found:.3g}{asked}",
    )


def _values(name, values):
    """Return numbers as a list. NaN and infinity are let through: no claim holds for NaN."""
    try:
        found = np.asarray(values if isinstance(values, np.ndarray) else list(values))
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a list of numbers. Received: {received(values)}") from None
    if found.size and found.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be a list of numbers. Received: {received(values)}")
    if found.ndim != 1 or not found.size:
        raise ValueError(
            f"{name} must be one or more numbers in a row. Received: {received(values)}"
        )
    return found.tolist()


def _among(values, which):
    return f" (the {which} of {len(values)} runs)" if len(values) > 1 else ""
