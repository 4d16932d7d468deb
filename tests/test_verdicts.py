"""Verdicts say what was measured, and fail when their claim is false."""

import contextlib
import html
import math
import re

import numpy as np
import pytest
from scipy import stats

from resnet_lesson import verdicts
from resnet_lesson.verdicts import (
    Difference,
    paired,
    verdict,
    verdict_above,
    verdict_equal,
    verdict_paired,
)


def test_a_true_claim_is_said_with_its_figures(capsys):
    verdict("two is more than one", 2 > 1, "2 against 1")
    assert capsys.readouterr().out == "✔ Holds: two is more than one.\n  Measured: 2 against 1.\n"
    verdict("so says NumPy", np.float64(2) > 1, "")


def test_a_false_claim_fails():
    with pytest.raises(AssertionError, match=r"✘ Does not hold: one is more\.\n  Measured: 1\."):
        verdict("one is more", 1 > 2, "1")


def test_above(capsys):
    verdict_above("plain ends above", [2.0, 3.0, 4.0], [0.5, 1.0], ratio=2)
    assert capsys.readouterr().out == (
        "✔ Holds: plain ends above.\n"
        "  Measured: even the lowest of 3 runs (2) is 2 times the highest of the other 2 runs\n"
        "  (1); the claim was at least 2 times.\n"
    )
    verdict_above("one number each", [6], [4], unit="images")
    assert capsys.readouterr().out.endswith("Measured: 6 images is 1.5 times 4 images.\n")
    verdict_above("more than none", [3], [0])
    assert capsys.readouterr().out.endswith("Measured: 3 is above 0.\n")


def test_a_notebook_shows_the_same_as_a_box(monkeypatch):
    shown = []
    monkeypatch.setattr(verdicts, "display", shown.append)
    verdict("a < b & c", True, "1 < 2")
    (said,) = shown
    page = said._repr_html_()
    assert "<strong>✔ Holds:</strong> a &lt; b &amp; c.<br>Measured: 1 &lt; 2.</div>" in page
    words = re.sub("<br>", " ", page)
    words = html.unescape(re.sub("<.*?>", "", words))
    assert words == " ".join(repr(said).split()), "with colours or without, the words are the same"


def test_long_lines_are_wrapped(capsys):
    verdict("long " * 40, True, "figures " * 40)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 88


@pytest.mark.parametrize(
    ("above", "below"),
    [([2, 0.9], [1, 0.1]), ([1], [1]), ([math.nan, 2], [1]), ([2, math.nan], [1])],
)
def test_above_fails(above, below):
    with pytest.raises(AssertionError, match="✘ Does not hold: "):
        verdict_above("claim", above, below)
    with pytest.raises(AssertionError, match="✘ Does not hold: "):
        verdict_above("claim", np.negative(below), np.negative(above))


def test_a_ratio_that_is_not_reached_fails():
    verdict_above("claim", [2], [1], ratio=2)
    with pytest.raises(AssertionError, match="2 is 2 times 1; the claim was at least 2.1 times"):
        verdict_above("claim", [2], [1], ratio=2.1)
    with pytest.raises(AssertionError, match=r"Measured: the lowest of 2 runs \(2\) is 2 times 1;"):
        verdict_above("claim", [2, 3], [1], ratio=2.1)


def test_a_ratio_of_negative_numbers_is_refused():
    with pytest.raises(ValueError, match="must not be negative .* Received: -2"):
        verdict_above("claim", [-1], [-2], ratio=2)


# -- Paired by seed --------------------------------------------------------------------------------


def families(count, size, effect=0.0, pairs=8, seed=0):
    """Draw families of comparisons whose true difference is ``effect`` standard deviations."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        shared = random.normal(size=(size, pairs))  # what runs of one seed have in common
        first, second = (shared + random.normal(size=(size, pairs)) / math.sqrt(2) for _ in "12")
        yield {str(i): (first[i] + effect, second[i]) for i in range(size)}


def test_paired_is_the_paired_t_test_of_scipy():
    (family,) = families(1, 1, effect=1.0)
    found = stats.ttest_rel(*family["0"])
    ends = found.confidence_interval(0.95)
    difference = paired(family)["0"]
    assert difference.p == pytest.approx(found.pvalue, rel=1e-9)
    assert (difference.low, difference.high) == pytest.approx((ends.low, ends.high), rel=1e-9)
    assert difference.mean == pytest.approx(np.mean(family["0"][0] - family["0"][1]))
    assert difference.pairs == 8


def test_holm_by_hand():
    differences = {
        name: Difference(1, 0, 2, p, 1, 8) for name, p in zip("abc", (0.03, 0.01, 0.4), strict=True)
    }
    assert {name: one.p for name, one in verdicts._holm(differences).items()} == pytest.approx(
        {"a": 0.06, "b": 0.03, "c": 0.4}
    )


@pytest.mark.slow
def test_one_family_in_twenty_cries_wolf():
    alarms = [
        any(one.p < 0.05 for one in paired(family).values()) for family in families(1500, size=6)
    ]
    assert 0.035 < np.mean(alarms) < 0.065  # three standard errors are 0.017


def test_the_interval_covers_the_truth_nineteen_times_of_twenty():
    found = [paired(family)["0"] for family in families(1500, 1, effect=0.7)]
    assert 0.935 < np.mean([one.low <= 0.7 <= one.high for one in found]) < 0.965


def test_a_visible_effect_is_seen_four_times_of_five():
    scatter = [paired(family)["0"].visible for family in families(300, 1, seed=1)]
    found = [paired(family)["0"] for family in families(1500, 1, effect=np.mean(scatter))]
    assert 0.75 < np.mean([one.p < 0.05 for one in found]) < 0.88


def test_equal_within_a_margin_is_said_in_one_of_twenty_at_most_when_it_is_false(capsys):
    for family in families(400, 1, effect=1.0, seed=2):  # the margin itself
        with contextlib.suppress(AssertionError):
            verdict_equal("they are equal", paired(family)["0"], 1.0)
    assert capsys.readouterr().out.count("≈ Equal within 1:") < 0.05 * 400


def one(mean, half, p):
    return Difference(mean, mean - half, mean + half, p, 0.3, 8)


def test_words_of_a_paired_verdict(capsys):
    verdict_paired("first is above", one(0.5, 0.1, 0.01), "nats")
    verdict_paired("first is above", one(0.5, 0.6, 0.2), "nats", recorded=True)
    verdict_equal("they are equal", one(0.01, 0.01, 0.01), 0.05, "nats")
    verdict_equal("they are equal", one(0.04, 0.03, 0.2), 0.05, recorded=True)
    said = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert said == [
        "✔ Holds: first is above.",
        "? Undecided (recorded): first is above.",
        "≈ Equal within 0.05 nats: they are equal.",
        "? Undecided (recorded): they are equal.",
    ]
    with pytest.raises(AssertionError, match="✘ Does not hold: first is above"):
        verdict_paired("first is above", one(-0.5, 0.1, 0.01))
    with pytest.raises(AssertionError, match=r"✘ Does not hold \(recorded\): they are equal"):
        verdict_equal("they are equal", one(-0.5, 0.1, 0.01), 0.1, recorded=True)


def test_an_undecided_verdict_says_what_would_have_been_seen(capsys):
    verdict_paired("first is above", one(0.5, 0.6, 0.2), "nats")
    assert "a difference of 0.3 nats would probably" in " ".join(capsys.readouterr().out.split())


def test_differences_without_scatter():
    found = paired({"all": ([2.0] * 5, [1.0] * 5), "none": ([1.0] * 5, [1.0] * 5)})
    assert found["all"] == Difference(1.0, 1.0, 1.0, 0.0, 0.0, 5)
    assert found["none"].p == 1


@pytest.mark.parametrize("pair", [([1, 2, 3, 4], [1, 2, 3, 5]), ([1] * 6, [1] * 5)])
def test_too_few_pairs(pair):
    with pytest.raises(ValueError, match="family must hold lists of one length.*Received: a, "):
        paired({"a": pair})
