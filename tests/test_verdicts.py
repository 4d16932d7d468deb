"""Verdicts print what was measured, and fail when their claim is false."""

import math

import numpy as np
import pytest

from resnet_lesson.verdicts import verdict, verdict_above


def test_a_true_claim_is_printed_with_its_figures(capsys):
    verdict("two is more than one", 2 > 1, "2 against 1")
    assert capsys.readouterr().out == "HOLDS: two is more than one\n  measured: 2 against 1\n"
    verdict("so says NumPy", np.float64(2) > 1, "")


def test_a_false_claim_fails():
    with pytest.raises(AssertionError, match=r"DOES NOT HOLD: one is more\n  measured: 1"):
        verdict("one is more", 1 > 2, "1")


@pytest.mark.parametrize("holds", [None, "yes", [1], 1])
def test_what_is_no_comparison_is_refused(holds):
    with pytest.raises(TypeError, match="holds must be True or False"):
        verdict("claim", holds, "")


def test_above(capsys):
    verdict_above("plain ends above", [2.0, 3.0, 4.0], [0.5, 1.0], ratio=2)
    assert capsys.readouterr().out == (
        "HOLDS: plain ends above\n"
        "  measured: 2 (the lowest of 3 runs), over 1 (the highest of 2 runs): ratio 2, claimed\n"
        "    at least 2\n"
    )
    verdict_above("one number each", [6], [4], unit="images")
    assert capsys.readouterr().out.endswith("measured: 6 images, over 4 images: ratio 1.5\n")


def test_nothing_below(capsys):
    verdict_above("more than none", [3], [0])
    assert capsys.readouterr().out.endswith("ratio inf\n")


def test_long_lines_are_wrapped(capsys):
    verdict("long " * 40, True, "figures " * 40)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 88


@pytest.mark.parametrize(
    ("above", "below", "ratio"),
    [
        ([2.0, 0.9], [1.0, 0.1], 1),
        ([2.0], [1.0], 2.1),
        ([1.0], [1.0], 1),
        ([math.nan, 2.0], [1.0], 1),
        ([2.0, math.nan], [1.0], 1),
        ([2.0], [1.0, math.nan], 1),
        ([2.0], [math.nan, 1.0], 1),
    ],
)
def test_above_fails(above, below, ratio):
    with pytest.raises(AssertionError, match="DOES NOT HOLD"):
        verdict_above("claim", above, below, ratio)


def test_a_ratio_of_negative_numbers_is_refused():
    with pytest.raises(ValueError, match="must not be negative .* Received: -2"):
        verdict_above("claim", [-1], [-2], ratio=2)


def test_nothing_to_compare():
    with pytest.raises(ValueError, match=r"above must be one or more numbers .*Received: \[\]"):
        verdict_above("claim", [], [1.0])
