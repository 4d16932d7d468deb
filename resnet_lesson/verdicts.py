"""Verdicts: each states a claim, prints what was measured, and fails when the claim is false."""


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
    if type(holds).__name__ not in ("bool", "bool_"):
        raise TypeError(f"holds must be True or False. Received: {holds!r}")
    text = f"{claim}\n  measured: {measured}"
    if not holds:
        raise AssertionError(f"DOES NOT HOLD: {text}")
    print(f"HOLDS: {text}")


def verdict_above(claim, above, below, ratio=1.0, unit=""):
    """Claim that every value of ``above`` is at least ``ratio`` times every value of ``below``.

    Args:
        claim: a sentence without a measured number in it.
        above: positive numbers, one a seed.
        below: positive numbers, one a seed.
        ratio: the margin asked for; 1 asks for the order alone.
        unit: the values' unit, for the printed figures.

    Raises:
        AssertionError: the claim does not hold, or a value is not a number.
        ValueError: there is nothing to compare.
    """
    above, below = list(above), list(below)
    if not above or not below:
        raise ValueError(
            f"above and below must not be empty. Received: {len(above)} and {len(below)} values"
        )
    unit = f" {unit}" if unit else ""
    lowest, highest = min(above), max(below)
    asked = f" (claimed: at least {ratio:g})" if ratio != 1 else ""
    several = len(above) > 1 or len(below) > 1
    counted = f"; {len(above)} runs against {len(below)}" if several else ""
    # A comparison with a value that is not a number is false, wherever in the list it stands.
    holds = all(high >= ratio * low for high in above for low in below)
    verdict(
        claim,
        holds,
        f"lowest {lowest:.4g}{unit} against highest {highest:.4g}{unit}, "
        f"{lowest / highest:.3g} times as much{asked}{counted}",
    )
