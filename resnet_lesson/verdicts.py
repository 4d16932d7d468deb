"""Verdicts: each states a claim, says what was measured, and fails when the claim is false.

Two lists of runs are compared in one of two ways. ``verdict_above`` asks every run to beat every
other one: nothing is assumed, and three seeds do for a large effect. Runs of one seed share first
weights and order of images, so that their *difference* scatters less than they do: ``paired`` takes
the differences seed by seed, and ``verdict_paired`` and ``verdict_equal`` say what they decide,
which may be nothing.

References
    Holm 1979: A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of
        Statistics 6(2).
    Schuirmann 1987: A Comparison of the Two One-Sided Tests Procedure and the Power Approach for
        Assessing the Equivalence of Average Bioavailability, Journal of Pharmacokinetics and
        Biopharmaceutics 15(6).
"""

import html
import math
import textwrap
from dataclasses import dataclass, replace

import numpy as np
from IPython.display import display

from resnet_lesson.plumbing.constraints import (
    POSITIVE,
    TEXT,
    TRUTH,
    Dictionary,
    Numbers,
    Row,
    checked,
    instance,
)

WIDTH = 88  # characters, so that nothing wraps on a page or a projector
# NaN and infinity are let through: no claim holds for NaN.
VALUES = Numbers((None,), finite=False)
LEAST_PAIRS = 5  # fewer than that tell nothing of their own scatter
LEVEL, POWER = 0.05, 0.8


@checked(holds=TRUTH, measured=TEXT)
def verdict(claim, holds, measured, recorded=False):
    """State a claim, give the figures that decide it, and fail if it does not hold.

    Args:
        claim: a sentence without a measured number in it.
        holds: the comparison's result, True or False.
        measured: text with the figures that were compared.
        recorded: whether the figures come from a record, so that the verdict cannot fail here.

    Raises:
        AssertionError: the claim does not hold.
        TypeError: ``holds`` is no truth value, so that nothing was compared.
    """
    _say("Holds" if holds else "Does not hold", claim, measured, recorded)


@checked(above=VALUES, below=VALUES, ratio=POSITIVE)
def verdict_above(claim, above, below, ratio=1.0, unit="", recorded=False):
    """Claim that every value of ``above`` is above every value of ``below``.

    With a ratio, claim that it is at least that many times as large.

    Args:
        claim: a sentence without a measured number in it.
        above: positive numbers, one a seed.
        below: positive numbers, one a seed.
        ratio: the margin asked for; 1 asks for the order alone, without a tie.
        unit: the values' unit, of the figures.
        recorded: as in ``verdict``.

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
    # A comparison with a value that is not a number is false, wherever in the list it stands.
    holds = all(
        high > low if ratio == 1 else high >= ratio * low for high in above for low in below
    )
    lowest, highest = min(above), max(below)
    relation = "is above" if holds else "is not above"
    if highest > 0:
        relation = f"is {_short(lowest / highest)} times"
    left = _one_of(above, lowest, "even " * holds + "the lowest of", unit)
    right = _one_of(below, highest, "the highest of the other", unit)
    asked = f"; the claim was at least {_short(ratio)} times" if ratio != 1 else ""
    verdict(claim, holds, f"{left} {relation} {right}{asked}", recorded)


@dataclass(frozen=True)
class Difference:
    """First minus second, seed by seed."""

    mean: float
    low: float
    """Lower end of the mean's 95 % interval: Student's t, for this comparison alone."""
    high: float
    p: float
    """Two-sided p-value of "there is no difference", corrected for the family (Holm 1979)."""
    visible: float
    """The difference that as many pairs with this scatter would have shown four times of five."""
    pairs: int


PAIR = Row("(first, second)", Numbers((None,)), Numbers((None,)))
DIFFERENCE = instance("a Difference, as paired gives it", Difference)


@checked(family=Dictionary(PAIR))
def paired(family):
    """Compare pairs of lists, seed by seed, and correct for how many comparisons there are.

    Hand all comparisons of one lesson over at once: who looks at twenty differences finds one in
    twenty by luck.

    Args:
        family: name → (first, second), each with one finite number a seed, of the same seeds in
            the same order, five at least.

    Returns:
        dict, name → Difference.

    Raises:
        TypeError, ValueError: something is no number, or there are too few pairs.

    Example::

        differences = paired({"56 layers": ([2.1, 2.2, 1.9, 2.4, 2.0], [0.2, 0.3, 0.1, 0.2, 0.1])})
        verdict_paired("plain ends above residual", differences["56 layers"], "nats")
    """
    from scipy import stats

    found = {}
    for name, (first, second) in family.items():
        if len(first) != len(second) or len(first) < LEAST_PAIRS:
            raise ValueError(
                f"family must hold lists of one length, {LEAST_PAIRS} or more. "
                f"Received: {name}, {len(first)} and {len(second)} numbers"
            )
        differences = first - second
        n, mean = len(differences), np.mean(differences)
        error = np.std(differences, ddof=1) / math.sqrt(n)
        half = error * stats.t.ppf(1 - LEVEL / 2, n - 1)
        # Differences that are all equal leave no doubt, and no t.
        p = 2 * stats.t.sf(abs(mean) / error, n - 1) if error else float(mean == 0)
        quantiles = stats.t.ppf([1 - LEVEL / 2 / len(family), POWER], n - 1)
        found[name] = Difference(mean, mean - half, mean + half, p, error * sum(quantiles), n)
    return _holm(found)


def _holm(differences):
    """Multiply the smallest p-value by the number of comparisons, the next one by one less, …"""
    corrected, highest = {}, 0.0
    ordered = sorted(differences, key=lambda name: differences[name].p)
    for left, name in zip(range(len(ordered), 0, -1), ordered, strict=True):
        highest = max(highest, min(1.0, left * differences[name].p))
        corrected[name] = replace(differences[name], p=highest)
    return {name: corrected[name] for name in differences}


@checked(difference=DIFFERENCE)
def verdict_paired(claim, difference, unit="", recorded=False):
    """Claim that the first is above the second, on average over the seeds.

    The claim holds, or it does not and the opposite does, or that is undecided: then the verdict
    says how large a difference would have been seen, and the cell goes on. Of families without any
    difference, at most one in twenty gets a verdict other than undecided.

    Args:
        claim: a sentence without a measured number in it.
        difference: one of those that ``paired`` found.
        unit: the values' unit, of the figures.
        recorded: as in ``verdict``.

    Raises:
        AssertionError: the first is below the second.
    """
    word = "Holds" if difference.mean > 0 else "Does not hold"
    if difference.p >= LEVEL:
        word = "Undecided"
    _say(word, claim, _words(difference, unit, word, f", corrected p {difference.p:.2g}"), recorded)


@checked(difference=DIFFERENCE, margin=POSITIVE)
def verdict_equal(claim, difference, margin, unit="", recorded=False):
    """Claim that first and second are equal but for a margin (Schuirmann 1987).

    The whole interval must lie within the margin. If it lies outside, the claim does not hold; if
    it reaches over the margin's edge, the question is undecided, and the cell goes on. Noise can
    make this undecided; it cannot make it hold.

    Args:
        claim: a sentence without a measured number in it.
        difference: one of those that ``paired`` found.
        margin: the largest difference that does not matter, in the values' unit, chosen before
            anything was measured.
        unit: the values' unit, of the figures.
        recorded: as in ``verdict``.

    Raises:
        AssertionError: the two differ by more than the margin.
    """
    word = "Undecided"
    if max(-difference.low, difference.high) <= margin:
        word = f"Equal within {margin:g} {unit}".strip()
    elif difference.low > margin or difference.high < -margin:
        word = "Does not hold"
    # No p: it would ask whether there is a difference at all, which is another question.
    words = f"{_words(difference, unit, word, '')}; the margin is {margin:g}"
    _say(word, claim, words, recorded)


def _words(difference, unit, word, p):
    unit = f" {unit}" if unit else ""
    words = (
        f"the mean difference of {difference.pairs} pairs is {difference.mean:.3g}{unit}, "
        f"95 % interval {difference.low:.3g} to {difference.high:.3g}{p}"
    )
    if word == "Undecided":
        words += f"; a difference of {difference.visible:.2g}{unit} would probably have been seen"
    return words


def _short(number):
    return f"{number:,.0f}" if 1e3 <= abs(number) < 1e7 else f"{number:.3g}"


def _one_of(values, value, which, unit):
    number = f"{_short(value)} {unit}".rstrip()
    return f"{which} {len(values)} runs ({number})" if len(values) > 1 else number


LOOKS = {  # first word of a verdict → mark, and colour of the box's edge
    "Holds": ("✔", "#1a8a4f"),
    "Does": ("✘", "#d1383d"),
    "Equal": ("≈", "#1f7fc4"),
    "Undecided": ("?", "#a87400"),
}


@dataclass(frozen=True)
class Said:
    """What a verdict says: a box with a mark and a coloured edge, or the same as text."""

    word: str
    claim: str
    measured: str

    def __repr__(self):
        mark, _ = LOOKS[self.word.split()[0]]
        said = textwrap.fill(f"{mark} {self.word}: {self.claim}.", WIDTH, subsequent_indent="  ")
        measured = textwrap.indent(textwrap.fill(self.measured, WIDTH - 2), "  ")
        return f"{said}\n{measured}" if self.measured else said

    def _repr_html_(self):
        mark, colour = LOOKS[self.word.split()[0]]
        claim, measured = html.escape(self.claim), html.escape(self.measured)
        return (
            f'<div style="border-left: 5px solid {colour}; padding: 0.2em 0.8em; margin: 0.2em 0">'
            f"<strong>{mark} {self.word}:</strong> {claim}.<br>{measured}</div>"
        )


def _say(word, claim, measured, recorded):
    """Display a verdict; fail if its claim does not hold."""
    sentence = f"Measured: {measured.rstrip('.')}." if measured else ""
    said = Said(f"{word}{' (recorded)' * recorded}", claim.rstrip("."), sentence)
    if word == "Does not hold":
        raise AssertionError(repr(said))
    display(said)
