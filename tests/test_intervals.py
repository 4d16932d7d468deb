"""Intervals: what is drawn, and the text alternative that says it."""

import matplotlib.pyplot as plt
import pytest

from resnet_lesson import plots

VALUES = {"baseline": [0.1, 0.2, 0.3], "changed": [0.4, 0.5, 0.9]}


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    yield
    plt.close("all")


def test_rows_from_top_to_bottom():
    ax, alt = plots.intervals(VALUES, "wrong", baseline="baseline", title="20 layers", log=True)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(VALUES)
    assert ax.get_ylim() == (1.5, -0.5)
    assert ax.get_xscale() == "log"
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_xdata().tolist() for line in dots] == list(VALUES.values())
    assert [set(line.get_ydata()) for line in dots] == [{0}, {1}]
    bars = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "|"]
    assert bars == pytest.approx([0.2, 0.6])
    (span,) = ax.patches
    corners = span.get_patch_transform().transform(span.get_path().vertices)  # in every Matplotlib
    assert (corners[:, 0].min(), corners[:, 0].max()) == pytest.approx((0.1, 0.3))
    assert alt == (
        "20 layers: wrong, a dot for each seed and a bar at the mean. Mean and range: baseline "
        "0.2 (0.1 to 0.3); changed 0.6 (0.4 to 0.9). The range of baseline is shaded over all rows."
    )


def test_without_a_baseline_nothing_is_shaded():
    ax, alt = plots.intervals(VALUES, "wrong")
    assert not ax.patches
    assert "shaded" not in alt


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ({}, {}, "values must not be empty. Received: {}"),
        ({"a": []}, {}, r"values must not be empty. Received: shape \(0,\)"),
        (VALUES, {"baseline": "other"}, "baseline must be one of .*Received: 'other'"),
    ],
)
def test_bad_arguments(values, options, message):
    with pytest.raises(ValueError, match=message):
        plots.intervals(values, "wrong", **options)
