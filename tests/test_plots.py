"""Figures: what is drawn, and the text alternatives that say it."""

import io
import itertools
import math
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from resnet_lesson import plots
from resnet_lesson.plots import page
from resnet_lesson.runs import Record


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    plt.close("all")
    yield
    plt.close("all")


def record(name, seed, level, updates=60, epochs=None):
    loss = np.linspace(2.3, level, updates).tolist()
    if epochs is None:
        epochs = {u: {"loss": 1.0, "val_loss": level, "val_accuracy": 0.5} for u in (30, 60)}
    epochs = [{"update": update, **measured} for update, measured in epochs.items()]
    return Record(
        name, seed, 100, 64, 2e-3, updates, loss, [0.5] * updates, loss, epochs, test_accuracy=0.9
    )


RECORDS = [record(name, seed, level + seed / 10)
           for name, level in (("plain 8", 1.0), ("plain 56", 2.0))
           for seed in (0, 1, 2)]  # fmt: skip


def band_at(ax, number, x):
    """Return the lower and the upper end of a band."""
    corners = ax.collections[number].get_paths()[0].vertices
    ends = corners[corners[:, 0] == x, 1]
    return ends.min(), ends.max()


def named(ax):
    """Return the names at the lines' ends, as the lines are ordered."""
    return [text.get_text() for text in ax.texts]


def test_learning_curves_draw_means_and_bands():
    ax, alt = plots.learning_curves(RECORDS, window=1, title="Plain")
    assert [line.get_label() for line in ax.lines] == ["plain 8", "plain 56"]
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(1.1)
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    assert band_at(ax, 1, 60) == pytest.approx((2.0, 2.2))
    assert alt == (
        "Plain: training loss against updates, bands from the lowest to the highest of 3 seeds. "
        "plain 8 goes from 2.3 through 1.69 halfway to 1.1; "
        "plain 56 goes from 2.3 through 2.2 halfway to 2.1."
    )
    ax, _ = plots.learning_curves([*RECORDS, record("plain 8", 3, 1.0, updates=20)])
    assert len(ax.lines[0].get_xdata()) == 20  # as far as the interrupted run


@pytest.mark.parametrize(
    ("measure", "label", "values"),
    [("val_loss", "validation loss", [1.1, 1.1]),
     ("epoch_loss", "training loss, mean of an epoch", [1.0, 1.0])],
)  # fmt: skip
def test_learning_curves_by_epoch(measure, label, values):
    ax, alt = plots.learning_curves(RECORDS, measure, log=True)
    assert ax.lines[0].get_xdata().tolist() == [30, 60]
    assert ax.lines[0].get_ydata() == pytest.approx(values)
    assert (ax.get_yscale(), ax.get_ylabel()) == ("log", label)
    assert alt.startswith(f"{label} against updates")


def test_learning_curves_begin_where_the_window_is_full():
    """Earlier means are of fewer updates, and would bend the line as nothing in training does."""
    run = record("net", 0, 1.0)
    ax, _ = plots.learning_curves([run], window=25)
    assert ax.lines[0].get_xdata().tolist() == list(range(25, 61))
    assert ax.lines[0].get_ydata()[0] == pytest.approx(np.mean(run.loss[:25]))
    ax, _ = plots.learning_curves([run], window=60)
    assert len(ax.lines[0].get_xdata()) == 60


def test_learning_curves_of_runs_of_different_length():
    """A last epoch may be cut short: its mean stands at an update of its own."""
    ends = (30, 60, 75), (30, 60, 90, 120), (40, 80)
    runs = [record("net", seed, 1, epochs={u: {"loss": u / 10} for u in at})
            for seed, at in enumerate(ends)]  # fmt: skip
    ax, alt = plots.learning_curves(runs[:2], "epoch_loss")
    assert ax.lines[0].get_xdata().tolist() == [30, 60]
    assert ax.lines[0].get_ydata().tolist() == [3.0, 6.0]
    ax, alt = plots.learning_curves(runs[:2], "epoch_loss", title="T", each_seed=True)
    assert [line.get_xdata().tolist() for line in ax.lines] == [[30, 60, 75], [30, 60, 90, 120]]
    assert [line.get_ydata()[-1] for line in ax.lines] == [7.5, 12.0]
    assert alt == (
        "T: training loss, mean of an epoch against updates, one line for each seed. "
        "net ends: seed 0 at 7.5 after 75 updates, seed 1 at 12 after 120 updates."
    )
    with pytest.raises(ValueError, match="must not be empty"):
        plots.learning_curves(runs[1:], "epoch_loss")


def test_learning_curves_of_each_seed():
    ax, alt = plots.learning_curves(RECORDS, window=1, each_seed=True)
    assert named(ax) == ["plain 8", "plain 56"]
    plain_8, plain_56 = ax.lines[:3], ax.lines[3:]
    assert len({line.get_linestyle() for line in plain_8}) == 1
    assert plain_8[0].get_linestyle() != plain_56[0].get_linestyle()
    assert plain_8[0].get_marker() != plain_56[0].get_marker()
    assert plain_8[0].get_markevery() == [59]
    assert not ax.collections
    assert "plain 56 ends: seed 0 at 2 after 60 updates, seed 1 at 2.1 after 60 updates" in alt


@pytest.mark.parametrize("measure", ["loss", "accuracy", "epoch_loss", "val_loss", "val_accuracy"])
def test_learning_curves_of_what_was_not_measured(measure):
    empty = Record("plain 8", 7, 100, 64, 2e-3, 60, interrupted=True)
    for each_seed in (True, False):
        with pytest.raises(ValueError, match="records must each hold .*Received: plain 8, seed 7"):
            plots.learning_curves([*RECORDS, empty], measure, each_seed=each_seed)


def test_curves():
    series = {"plain": [[1.0, 2.0, 3.0], [3.0, 2.0, 5.0]], "residual": [0.0, 0.5, 1.0]}
    ax, alt = plots.curves([1, 2, 3], series, "block", "norm", title="T")
    assert ax.lines[0].get_ydata().tolist() == [2.0, 2.0, 4.0]
    assert ax.lines[1].get_xdata().tolist() == [1, 2, 3]
    assert band_at(ax, 0, 3) == (3.0, 5.0)
    assert alt == (
        "T: norm against block, bands from the lowest to the highest of 2 seeds. "
        "plain goes from 2 through 2 halfway to 4; residual goes from 0 through 0.5 halfway to 1."
    )


def test_curves_with_an_x_each():
    at, values = {"a": [1, 2], "b": [5, 6, 7]}, {"a": [0, 0], "b": [1, 2, 3]}
    ax, _ = plots.curves(at, values, "x", "y")
    assert [line.get_xdata().tolist() for line in ax.lines] == list(at.values())
    with pytest.raises(KeyError, match="b"):
        plots.curves({"a": [1, 2]}, values, "x", "y")
    for wrong in (at | {"b": [5, 6]}, [1, 2]):
        with pytest.raises(ValueError, match=r"same first dimension.* \(2,\) and \(3,"):
            plots.curves(wrong, values, "x", "y")


def test_whole_numbers_get_ticks_at_whole_numbers():
    ax, _ = plots.curves(range(1, 4), {"a": [1, 2, 3]}, "layer", "y")
    assert all(tick == round(tick) for tick in ax.get_xticks())
    ax, _ = plots.curves([0.1, 0.2, 0.3], {"a": [1, 2, 3]}, "x", "y")
    assert any(tick != round(tick) for tick in ax.get_xticks())


def test_dots():
    series = {"plain": {8: [1.0, 2.0], 20: [3.0], 56: [4.0]}, "residual": {8: [1.0], 56: [0.5]}}
    ax, alt = plots.dots(series, "depth", "final training loss", log=True)
    assert named(ax) == ["plain", "residual"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["8", "20", "56"]
    dotted = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert [line.get_xdata(orig=False).tolist() for line in dotted] == [[8, 8, 20, 56], [8, 56]]
    assert ax.get_xscale() == "log"
    assert dotted[0].get_ydata().tolist() == [1.0, 2.0, 3.0, 4.0]
    assert alt == (
        "final training loss against depth, means over the seeds. "
        "plain: 1.5 at 8, 3 at 20, 4 at 56; residual: 1 at 8, 0.5 at 56."
    )


def test_labels_of_depths_that_lie_close_together_do_not_overlap():
    ax, _ = plots.dots({"a": {8: [1.0], 18: [1.0], 54: [1.0], 56: [1.0]}}, "depth", "loss")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["8", "18", "54, 56"]


def test_dots_over_names_stand_in_a_row():
    ax, _ = plots.dots({"loss": {"plain": [1.0, 2.0], 3: [3.0]}}, "network", "loss")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["plain", "3"]
    assert ax.get_xscale() == "linear"


def colours(*names):
    """Return name → colour, as RGB, of the lines of one figure."""
    ax, _ = plots.curves([1, 2], {name: [1, 2] for name in names}, "x", "y")
    return {line.get_label(): to_rgb(line.get_color()) for line in ax.lines}


def test_a_kind_of_network_has_its_colour_in_every_figure_and_nothing_else_has_it():
    alone = colours("plain", "residual", "faded")
    names = ("faded 56", "56 layers, one addition", "no shortcuts")
    other = colours("loss", "accuracy", *names, "x", "z")
    assert len(set(alone.values())) == 3
    assert other["no shortcuts"] == alone["plain"]
    assert other["56 layers, one addition"] == alone["residual"]
    assert other["faded 56"] == alone["faded"]
    assert not {other[name] for name in ("loss", "accuracy", "x", "z")} & set(alone.values())
    ax, _ = plots.intervals({"residual": [1, 2], "explained": [1, 2]}, "x")
    assert [to_rgb(ax.lines[at].get_color()) == alone["residual"] for at in (0, 3)] == [True, False]


def test_several_depths_of_a_kind_grow_darker_in_its_colour():
    drawn = colours("plain 8", "residual 8", "plain 20", "plain 56")
    shades = [drawn[f"plain {depth}"] for depth in (8, 20, 56)]
    assert shades[0] == colours("plain")["plain"]
    assert sum(shades[0]) > sum(shades[1]) > sum(shades[2])


def test_names_at_the_ends_of_lines_do_not_cover_each_other():
    levels = {"a": 1.0, "b": 1.001, "c": 0.999, "diverged": math.nan}
    runs = [record(name, 0, level) for name, level in levels.items()]
    ax, _ = plots.learning_curves(runs, window=1, each_seed=True)
    ax.figure.draw_without_rendering()
    low, high = np.transpose([text.get_window_extent().intervaly for text in ax.texts])
    assert low[2] < low[0] < low[1] < low[3]
    assert high[2] <= low[0] and high[0] <= low[1] and high[1] <= low[3]
    ax, _ = plots.curves([1, 2], {name: [0, 1] for name in "abcde"}, "x", "y")
    assert not ax.texts
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list("abcde")


def test_names_stay_at_their_lines_when_the_axis_changes():
    ax, _ = plots.curves([1, 2], {"a": [0, 1], "b": [0, 0.2]}, "x", "y")
    ax.set_ylim(0, 3)
    ax.figure.draw_without_rendering()
    for text, line in zip(ax.texts, ax.lines, strict=True):
        end = ax.transData.transform((2, line.get_ydata()[-1]))[1]
        assert np.mean(text.get_window_extent().intervaly) == pytest.approx(end, abs=3)


def test_a_guess_is_drawn_and_said():
    for draw in (
        lambda guess: plots.learning_curves(RECORDS, guess=guess),
        lambda guess: plots.learning_curves(RECORDS, each_seed=True, guess=guess),
        lambda guess: plots.curves([1, 2], {"a": [1, 2]}, "x", "y", guess=guess),
        lambda guess: plots.dots({"a": {8: [1.0]}}, "x", "y", guess=guess),
    ):
        ax, alt = draw(0.5)
        assert ax.lines[-1].get_ydata() == [0.5, 0.5]
        assert named(ax)[-1] == "your guess"
        assert alt.endswith(" Your guess: 0.5.")
        ax, alt = draw(None)
        assert "your guess" not in named(ax)
        assert "guess" not in alt


VALUES = {"baseline": [0.1, 0.2, 0.3], "changed": [0.4, 0.5, 0.9]}


def test_intervals():
    ax, alt = plots.intervals(VALUES, "wrong", baseline="baseline", title="20 layers", log=True)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(VALUES)
    assert ax.get_ylim() == (1.5, -0.5)  # from top to bottom
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


def test_intervals_without_a_baseline_shade_nothing():
    ax, alt = plots.intervals(VALUES, "wrong")
    assert not ax.patches
    assert "shaded" not in alt
    with pytest.raises(KeyError, match="other"):
        plots.intervals(VALUES, "wrong", baseline="other")


def test_digit_grid():
    ax, alt = plots.digit_grid(np.zeros((3, 28, 28, 1)), ["7", "2 as 3", "1"], columns=2, title="T")
    assert [one.get_title() for one in ax.figure.axes] == ["7", "2 as 3", "1", ""]
    assert alt == "T: 3 images in rows of 2: 7, 2 as 3, 1."
    with pytest.raises(ValueError, match="argument 3 is longer"):
        plots.digit_grid(np.zeros((1, 28, 28)), ["a", "b"])


def test_number_grids():
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


def test_a_part_of_a_grid_is_outlined():
    ax, alt = plots.number_grids([np.eye(3), np.eye(2)], ["a", "b"], windows=[(1, 0, 2, 3), None])
    (outline,) = ax.patches
    assert outline.get_bbox().bounds == (-0.5, 0.5, 3, 2)
    assert "a: 3 × 3 cells from 0 to 1, 6 of them 0; a window of 2 × 3 is outlined" in alt
    assert not ax.figure.axes[1].patches


def test_one_shade_for_one_number_in_all_grids_and_white_for_none():
    ax, _ = plots.number_grids([[[0, 6]], [[6, 6]], [[0, 0]]], ["a", "b", "c"])
    images = [a.images[0] for a in ax.figure.axes]
    shades = [image.cmap(image.norm(image.get_array())) for image in images]
    np.testing.assert_array_equal(shades[0][0, 1], shades[1][0, 0])
    np.testing.assert_array_equal(shades[0][0, 0], shades[2][0, 0])
    assert shades[2][0, 0][:3].min() > 0.95
    assert 0.4 < shades[0][0, 1][:3].mean() < 0.8  # black text shows on it


def test_confusion_matrix():
    labels = np.array([0, 0, 0, 1, 1, 2])
    predictions = np.array([0, 1, 1, 1, 2, 2])
    ax, alt = plots.confusion_matrix(labels, predictions)
    numbers = np.reshape([text.get_text() for text in ax.texts], (10, 10))
    assert numbers[:3, :3].tolist() == [["1", "2", "0"], ["0", "1", "1"], ["0", "0", "1"]]
    assert "6 images, 3 of them right" in alt
    assert "0 taken for 1 (2), 1 taken for 2 (1)" in alt
    assert alt.count("taken for") == 2  # pairs that were never confused are no mistakes
    with pytest.raises(ValueError, match="predictions must be from 0 to 9. Received: 1 to 12"):
        plots.confusion_matrix(labels, predictions + 1 + 9 * (predictions == 2))


def test_contours():
    x, y = np.array([-1.0, 0.0, 1.0]), np.array([-2.0, -1.0, 0.0, 1.0])
    values = (x[None] - 1) ** 2 + y[:, None] ** 2  # lowest at (1, 0)
    ax, alt = plots.contours(x, y, values, "first", "second", [1, 2.5], title="T")
    assert alt == (
        "T: lines of equal value at 1, 2.5, over first from -1 to 1 and second from -2 to 1. "
        "The lowest value, 0, is at (1, 0), marked with a cross; the edge lies between 0 and 8."
    )
    assert {text.get_text() for text in ax.texts} == {"1", "2.5"}  # the lines say their value
    cross = next(line for line in ax.lines if line.get_marker() == "x")
    assert cross.get_xydata().tolist() == [[1, 0]]
    shades, lines = ax.collections
    # Each line runs where the function has its value; here it is known.
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        heights = (path.vertices[:, 0] - 1) ** 2 + path.vertices[:, 1] ** 2
        assert np.all(np.abs(heights - level) < 0.8)  # straight pieces in a coarse grid
    darkness = [1 - colour[:3].mean() for colour in shades.get_facecolor()]
    assert darkness == sorted(darkness)
    assert len(set(darkness)) == 3
    with pytest.raises(TypeError, match=r"Length of x \(3\) must match number of columns"):
        plots.contours(x, y, values.T, "x", "y", [1])
    with pytest.raises(ValueError, match="levels must be increasing"):
        plots.contours(x, y, values, "x", "y", [2, 1])


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, in order."""
    objects = []
    monkeypatch.setattr(page, "display", objects.append)
    return objects


def test_show_gives_the_picture_its_text_alternative(shown):
    ax, alt = plots.dots({"a": {1: [1.0]}}, "x", "y")
    plots.show(ax, alt)
    plots.show(*plots.dots({"a": {1: [1.0]}}, "x", "y"), "Look at *a*.")
    picture, text, again, with_caption = shown
    assert picture._repr_png_()[1]["alt"] == alt
    assert text._repr_markdown_() == page.IN_WORDS.format(alt)
    assert with_caption._repr_markdown_() == f"Look at *a*.\n\n{page.IN_WORDS.format(alt)}"
    assert picture.data == again.data  # the same bytes
    pixels = plt.imread(io.BytesIO(picture.data)).shape[1]
    assert picture._repr_png_()[1]["width"] == round(pixels * page.SHOWN_DPI / page.DPI)
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("header", "rows", "text"),
    [
        (
            ["network", "loss", "share"],
            [["plain 8", 1.5, "2.50%"], ["plain 9", 0.5, "—"]],
            "| network | loss | share |\n| :--- | ---: | ---: |\n"
            "| plain 8 | 1.5 | 2.50% |\n| plain 9 | 0.5 | — |",
        ),
        (["|x|"], [["a|b"]], "| \\|x\\| |\n| :--- |\n| a\\|b |"),
    ],
)
def test_table(shown, header, rows, text):
    plots.table(header, rows)
    assert shown[0]._repr_markdown_() == text
    with pytest.raises(ValueError, match="argument . is longer"):
        plots.table(header, [*rows, [1, 2, 3, 4]])


def test_labels_of_a_logarithmic_axis_are_read_as_numbers():
    def labels(values, ticks=None):
        ax, _ = plots.curves(range(len(values)), {"loss": values}, "x", "y", log=True)
        if ticks:  # where Matplotlib sets them depends on its version
            ax.set_yticks(ticks)
        ax.figure.draw_without_rendering()
        found = ax.yaxis.get_ticklabels() + ax.yaxis.get_ticklabels(minor=True)
        plt.close(ax.figure)
        return {label.get_text() for label in found}

    assert {"0.2", "1", "2"} <= labels([0.15, 3])
    assert {"0.001", "0.1", "10"} <= labels([5e-4, 30], ticks=[0.001, 0.1, 10])
    assert {"10⁻⁴", "10⁻²", "1", "10²"} <= labels([1e-6, 1e4], ticks=[1e-4, 0.01, 1, 100])
    assert {"4·10⁻⁷", "6·10⁻⁷"} <= labels([3e-7, 8e-7])


def test_labels_of_a_horizontal_logarithmic_axis_do_not_run_into_each_other():
    ax, _ = plots.intervals({"plain": [0.5, 1], "residual": [0.015, 0.017]}, "loss", log=True)
    ax.figure.draw_without_rendering()
    labels = ax.xaxis.get_ticklabels() + ax.xaxis.get_ticklabels(minor=True)
    low, high = ax.get_xlim()
    shown = [label for label in labels if label.get_text() and low < label.get_position()[0] < high]
    spans = sorted(label.get_window_extent().intervalx.tolist() for label in shown)
    assert len(spans) > 4
    assert all(left[1] < right[0] for left, right in itertools.pairwise(spans))


@pytest.mark.slow
def test_figures_need_no_latex_whatever_a_matplotlibrc_says(tmp_path, monkeypatch):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path))
    code = (
        "from resnet_lesson import plots; "
        "ax, alt = plots.curves([1, 2], {'100 % of a_b': [1, 2]}, 'x', 'y'); plots.page.png(ax)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
