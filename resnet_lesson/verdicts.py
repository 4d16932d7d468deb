"""Verdicts: each states a claim, prints what was measured, and fails when the claim is false."""

import math
import textwrap

from resnet_lesson.plumbing.constraints import POSITIVE, TEXT, TRUTH, Numbers, checked

WIDTH = 88  # characters, so that nothing wraps on a page or a projector
# NaN and infinity are let through: no claim holds for NaN.
VALUES = Numbers((None,), finite=False)


@checked(holds=TRUTH, measured=TEXT)
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
    said = textwrap.fill(f"{'HOLDS' if holds else 'DOES NOT HOLD'}: {claim}", WIDTH)
    found = textwrap.fill(
        f"measured: {measured}", WIDTH, initial_indent="  ", subsequent_indent="    "
    )
    said = f"{said}\n{found}"
    if not holds:
        raise AssertionError(said)
    print(said)


@checked(above=VALUES, below=VALUES, ratio=POSITIVE, unit=TEXT)
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

    Example::

        verdict_above("plain ends above residual", [2.1, 2.2], [0.20, 0.21], ratio=5, unit="nats")
    """
    above, below = above.tolist(), below.tolist()
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


def _among(values, which):
    return f" (the {which} of {len(values)} runs)" if len(values) > 1 else ""
