"""Grids of numbers: every number is on the page, and the text alternative counts them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from resnet_lesson import plots


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_numbers_captions_and_text_alternative():
    grids = [np.array([[1, 0, 3], [0, 12, 0]]), np.full((2, 2), 4.0)]
    ax, alt = plots.number_grids(grids, ["left", "right\nside"], title="Two grids")
    assert alt == (
        "Two grids: left: 2 × 3 cells from 0 to 12, 3 of them 0; "
        "right side: 2 × 2 cells from 4 to 4, 0 of them 0."
    )
    left, right = ax.figure.axes
    assert [text.get_text() for text in left.texts] == ["1", "0", "3", "0", "12", "0"]
    assert [text.get_text() for text in right.texts] == ["4"] * 4
    assert [a.get_title() for a in (left, right)] == ["left", "right\nside"]


def test_one_shade_for_one_number_in_all_grids_and_white_for_none():
    ax, _ = plots.number_grids([[[0, 6]], [[6, 6]], [[0, 0]]], ["a", "b", "c"])
    images = [a.images[0] for a in ax.figure.axes]
    shades = [image.cmap(image.norm(image.get_array())) for image in images]
    np.testing.assert_array_equal(shades[0][0, 1], shades[1][0, 0])
    np.testing.assert_array_equal(shades[0][0, 0], shades[2][0, 0])
    assert shades[2][0, 0][:3].min() > 0.95
    assert shades[0][0, 1][:3].mean() < 0.8


@pytest.mark.parametrize(
    ("grids", "captions", "message"),
    [
        ([], [], "must have 1 or more entries. Received:"),
        ([[[1]]], ["a", "b"], "Received: 1 grids, 2 captions"),
        ([[1, 2]], ["a"], r"shape \(n, n\). Received: \(2,\)"),
        ([[[1, -2]]], ["a"], "Received: .* -2 the lowest"),
        ([[[1.5]]], ["a"], "whole numbers"),
        ([[[np.nan]]], ["a"], "grids must be finite"),
    ],
)
def test_unusable_arguments(grids, captions, message):
    with pytest.raises(ValueError, match=message):
        plots.number_grids(grids, captions)
