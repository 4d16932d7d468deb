"""Figures: what is drawn, and the text alternatives that say it."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest

from resnet_lesson import plots
from resnet_lesson.plots import page
from resnet_lesson.records import Record


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    plt.close("all")
    yield
    plt.close("all")


def record(name, seed, level, updates=60):
    loss = np.linspace(2.3, level, updates).tolist()
    epochs = [{"update": u, "loss": 1.0, "val_loss": level, "val_accuracy": 0.5} for u in (30, 60)]
    return Record(
        name, seed, 100, 64, 2e-3, updates, loss, [0.5] * updates, loss, epochs, test_accuracy=0.9
    )


RECORDS = [record(name, seed, level + seed / 10)
           for name, level in (("plain 8", 1.0), ("plain 56", 2.0))
           for seed in (0, 1, 2)]  # fmt: skip


def test_learning_curves_draw_means_and_bands():
    ax, alt = plots.learning_curves(RECORDS, window=1, title="Plain")
    assert [line.get_label() for line in ax.lines] == ["plain 8", "plain 56"]
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(1.1)
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    band = ax.collections[1].get_paths()[0].vertices
    at_the_end = band[band[:, 0] == 60, 1]
    assert (at_the_end.min(), at_the_end.max()) == (pytest.approx(2.0), pytest.approx(2.2))
    assert alt == (
        "Plain: training loss against updates, bands from the lowest to the highest of 3 seeds. "
        "plain 8 goes from 2.3 over 1.69 halfway to 1.1; "
        "plain 56 goes from 2.3 over 2.2 halfway to 2.1."
    )


def test_learning_curves_of_validation():
    ax, alt = plots.learning_curves(RECORDS, "val_loss")
    assert ax.lines[0].get_xdata().tolist() == [30, 60]
    assert ax.get_ylabel() == "validation loss"
    assert "plain 56 goes from 2.1 over 2.1 halfway to 2.1" in alt


def test_learning_curves_by_epoch():
    ax, alt = plots.learning_curves(RECORDS, "epoch_loss", log=True)
    assert ax.lines[0].get_xdata().tolist() == [30, 60]
    assert ax.lines[0].get_ydata().tolist() == [1.0, 1.0]
    assert ax.get_yscale() == "log"
    assert alt.startswith("training loss, mean of an epoch against updates")


def test_learning_curves_of_an_interrupted_run():
    short = record("plain 8", 3, 1.0, updates=20)
    ax, _ = plots.learning_curves([*RECORDS, short])
    assert len(ax.lines[0].get_xdata()) == 20


def epochs_at(*updates):
    return [{"update": update, "loss": update / 10} for update in updates]


def test_learning_curves_of_runs_of_different_length():
    """A last epoch may be cut short: its mean stands at an update of its own."""
    runs = [record("net", seed, 1.0) for seed in (0, 1)]
    runs[0].epochs, runs[1].epochs = epochs_at(30, 60, 75), epochs_at(30, 60, 90, 120)
    ax, alt = plots.learning_curves(runs, "epoch_loss")
    assert ax.lines[0].get_xdata().tolist() == [30, 60]
    assert ax.lines[0].get_ydata().tolist() == [3.0, 6.0]
    ax, alt = plots.learning_curves(runs, "epoch_loss", title="T", each_seed=True)
    assert [line.get_xdata().tolist() for line in ax.lines] == [[30, 60, 75], [30, 60, 90, 120]]
    assert [line.get_ydata()[-1] for line in ax.lines] == [7.5, 12.0]
    assert alt == (
        "T: training loss, mean of an epoch against updates, one line for each seed. "
        "net ends: seed 0 at 7.5 after 75 updates, seed 1 at 12 after 120 updates."
    )
    runs[1].epochs = epochs_at(40, 80)
    with pytest.raises(ValueError, match="measured at the same updates.*Received: net, 2 runs"):
        plots.learning_curves(runs, "epoch_loss")


def test_learning_curves_of_each_seed():
    ax, alt = plots.learning_curves(RECORDS, window=1, each_seed=True)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["plain 8", "plain 56"]
    plain_8, plain_56 = ax.lines[:3], ax.lines[3:]
    assert len({line.get_linestyle() for line in plain_8}) == 1
    assert plain_8[0].get_linestyle() != plain_56[0].get_linestyle()
    assert plain_8[0].get_marker() != plain_56[0].get_marker()
    assert plain_8[0].get_markevery() == [59]
    assert not ax.collections
    assert "plain 56 ends: seed 0 at 2 after 60 updates, seed 1 at 2.1 after 60 updates" in alt


@pytest.mark.parametrize("each_seed", [True, False])
@pytest.mark.parametrize("measure", ["loss", "accuracy", "epoch_loss", "val_loss", "val_accuracy"])
def test_learning_curves_of_what_was_not_measured(measure, each_seed):
    empty = Record("plain 8", 7, 100, 64, 2e-3, 60, interrupted=True)
    with pytest.raises(ValueError, match="records must each hold .*Received: plain 8, seed 7"):
        plots.learning_curves([*RECORDS, empty], measure, each_seed=each_seed)


def test_learning_curves_without_validation_images():
    run = record("plain 8", 0, 1.0)
    run.epochs = epochs_at(30, 60)
    with pytest.raises(ValueError, match="hold a validation loss; .*Received: plain 8, seed 0"):
        plots.learning_curves([run], "val_loss")


def test_curves():
    series = {"plain": [[1.0, 2.0, 3.0], [3.0, 2.0, 5.0]], "residual": [0.0, 0.5, 1.0]}
    ax, alt = plots.curves([1, 2, 3], series, "block", "norm", title="T")
    assert ax.lines[0].get_ydata().tolist() == [2.0, 2.0, 4.0]
    assert ax.lines[1].get_xdata().tolist() == [1, 2, 3]
    band = ax.collections[0].get_paths()[0].vertices
    at_the_end = band[band[:, 0] == 3, 1]
    assert (at_the_end.min(), at_the_end.max()) == (3.0, 5.0)
    assert alt == (
        "T: norm against block, bands from the lowest to the highest of 2 seeds. "
        "plain goes from 2 over 2 halfway to 4; residual goes from 0 over 0.5 halfway to 1."
    )


def test_curves_with_an_x_each():
    ax, _ = plots.curves({"a": [1, 2], "b": [5, 6, 7]}, {"a": [0, 0], "b": [1, 2, 3]}, "x", "y")
    assert [line.get_xdata().tolist() for line in ax.lines] == [[1, 2], [5, 6, 7]]


def test_whole_numbers_get_ticks_at_whole_numbers():
    ax, _ = plots.curves(range(1, 4), {"a": [1, 2, 3]}, "layer", "y")
    assert all(tick == round(tick) for tick in ax.get_xticks())
    ax, _ = plots.curves([0.1, 0.2, 0.3], {"a": [1, 2, 3]}, "x", "y")
    assert any(tick != round(tick) for tick in ax.get_xticks())


@pytest.mark.parametrize(
    ("x", "series", "message"),
    [
        ([1, 2], {"a": [1, 2, 3]}, r"one x for each point. Received: a, shape \(1, 3\), and x"),
        ([], {"a": []}, r"x must not be empty. Received: shape \(0,\)"),
        ([1], {}, "series must not be empty. Received: {}"),
    ],
)
def test_bad_curves(x, series, message):
    with pytest.raises(ValueError, match=message):
        plots.curves(x, series, "x", "y")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(([],), "records must not be empty"), ((RECORDS, "error"), "measure must be .* 'error'")],
)
def test_bad_learning_curves(arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.learning_curves(*arguments)


def test_dots():
    series = {"plain": {8: [1.0, 2.0], 56: [3.0]}, "residual": {8: [1.0], 56: [0.5]}}
    ax, alt = plots.dots(series, "depth", "final training loss", log=True)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["plain", "residual"]
    assert alt == (
        "final training loss against depth, means over the seeds. "
        "plain: 1.50 at 8, 3.00 at 56; residual: 1.00 at 8, 0.50 at 56."
    )


def test_dots_of_series_that_lack_a_place():
    ax, _ = plots.dots({"a": {8: [1], 20: [1], 56: [1]}, "b": {8: [2], 56: [2]}}, "x", "y")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["8", "20", "56"]
    assert [line.get_xdata()[0] for line in ax.lines[-2:]] == [0, 2]


def test_digit_grid():
    ax, alt = plots.digit_grid(np.zeros((3, 28, 28, 1)), ["7", "2 as 3", "1"], columns=2, title="T")
    assert len(ax.figure.axes) == 4
    assert alt == "T: 3 images in rows of 2: 7, 2 as 3, 1."
    with pytest.raises(ValueError, match="of one length. Received: 1, 2"):
        plots.digit_grid(np.zeros((1, 28, 28)), ["a", "b"])


def test_confusion_matrix():
    labels = np.array([0, 0, 0, 1, 1, 2])
    predictions = np.array([0, 1, 1, 1, 2, 2])
    ax, alt = plots.confusion_matrix(labels, predictions, classes=3)
    numbers = [[ax.texts[3 * row + column].get_text() for column in range(3)] for row in range(3)]
    assert numbers == [["1", "2", "0"], ["0", "1", "1"], ["0", "0", "1"]]
    assert "6 images, 3 of them right" in alt
    assert "0 taken for 1 (2), 1 taken for 2 (1)" in alt
    assert alt.count("taken for") == 2  # pairs that were never confused are no mistakes


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


@pytest.mark.parametrize(
    ("values", "levels", "message"),
    [
        (np.zeros((2, 3)), [1], r"values of shape \(2, 3\), y of \(3,\), x of \(2,\)"),
        (np.zeros((3, 2)), [2, 1], r"levels must be increasing numbers. Received: \[2, 1\]"),
        (np.zeros((3, 2)), [], r"levels must not be empty. Received: shape \(0,\)"),
    ],
)
def test_bad_contours(values, levels, message):
    with pytest.raises(ValueError, match=message):
        plots.contours([0, 1], [0, 1, 2], values, "x", "y", levels)


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, in order."""
    objects = []
    monkeypatch.setattr(page, "display", objects.append)
    return objects


def test_show_gives_the_picture_its_text_alternative(shown):
    ax, alt = plots.dots({"a": {1: [1.0]}}, "x", "y")
    plots.show(ax, alt)
    plots.show(*plots.dots({"a": {1: [1.0]}}, "x", "y"))
    picture, text, again, _ = shown
    assert picture._repr_png_()[1]["alt"] == alt
    assert text._repr_markdown_() == f"*Figure: {alt}*"
    assert picture.data == again.data  # the same bytes
    pixels = plt.imread(io.BytesIO(picture.data)).shape[1]
    assert picture._repr_png_()[1]["width"] == round(pixels * page.SHOWN_DPI / page.DPI)
    assert not plt.get_fignums()
    with pytest.raises(ValueError, match="alt must say .* Received: ''"):
        plots.show(plots.dots({"a": {1: [1.0]}}, "x", "y")[0], "")


def test_table(shown):
    plots.table(["network", "loss", "share"], [["plain 8", 1.5, "2.50%"], ["plain 9", 0.5, "—"]])
    assert shown[0]._repr_markdown_() == (
        "| network | loss | share |\n| :--- | ---: | ---: |\n"
        "| plain 8 | 1.5 | 2.50% |\n| plain 9 | 0.5 | — |"
    )


def test_table_with_bars_in_its_texts(shown):
    plots.table(["|x|"], [["a|b"]])
    assert shown[0]._repr_markdown_() == "| \\|x\\| |\n| :--- |\n| a\\|b |"


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
