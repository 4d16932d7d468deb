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


def test_above(capsys):
    verdict_above("plain ends above", [2.0, 3.0, 4.0], [0.5, 1.0], ratio=2)
    assert capsys.readouterr().out == (
        "HOLDS: plain ends above\n"
        "  measured: 2 (the lowest of 3 runs), over 1 (the highest of 2 runs): ratio 2, claimed\n"
        "    at least 2\n"
    )
    verdict_above("one number each", [6], [4], unit="images")
    assert capsys.readouterr().out.endswith("measured: 6 images, over 4 images: ratio 1.5\n")
    verdict_above("more than none", [3], [0])
    assert capsys.readouterr().out.endswith("ratio inf\n")


def test_long_lines_are_wrapped(capsys):
    verdict("long " * 40, True, "figures " * 40)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 88


@pytest.mark.parametrize(
    ("above", "below"),
    [([2, 0.9], [1, 0.1]), ([1], [1]), ([math.nan, 2], [1]), ([2, math.nan], [1])],
)
def test_above_fails(above, below):
    with pytest.raises(AssertionError, match="DOES NOT HOLD"):
        verdict_above("claim", above, below)
    with pytest.raises(AssertionError, match="DOES NOT HOLD"):
        verdict_above("claim", np.negative(below), np.negative(above))


def test_a_ratio_that_is_not_reached_fails():
    verdict_above("claim", [2], [1], ratio=2)
    with pytest.raises(AssertionError, match="ratio 2, claimed at least 2.1"):
        verdict_above("claim", [2], [1], ratio=2.1)


def test_a_ratio_of_negative_numbers_is_refused():
    with pytest.raises(ValueError, match="must not be negative .* Received: -2"):
        verdict_above("claim", [-1], [-2], ratio=2)
