"""Figures: records and arrays in, (Axes, text alternative) out.

``show`` puts a figure into a notebook together with its text alternative. Colours are those of
Okabe and Ito, which colour-blind readers can tell apart, and never stand alone: line style and
marker follow them.
"""

import io
import re

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image, Markdown, display

from resnet_lesson.arguments import one_of
from resnet_lesson.records import by_name, running_mean

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00")
LINES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")
# measure: (text, whether it is one value an epoch, its key in Record or in an epoch)
MEASURES = {
    "loss": ("training loss", False, "loss"),
    "accuracy": ("training accuracy", False, "accuracy"),
    "epoch_loss": ("training loss, mean of an epoch", True, "loss"),
    "val_loss": ("validation loss", True, "val_loss"),
    "val_accuracy": ("validation accuracy", True, "val_accuracy"),
}
# Drawn finer than shown, so that a projector or a sharp screen shows no steps.
DPI, SHOWN_DPI = 160, 88


def show(ax, alt):
    """Show a figure in a notebook, with its text alternative under it, and close it.

    Args:
        ax: matplotlib Axes; the whole figure that it belongs to is shown.
        alt: text alternative: what the picture shows, for those who cannot see it.

    Raises:
        ValueError: the text alternative is empty.
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt must say what the figure shows. Received: {alt!r}")
    png = io.BytesIO()
    # Without matplotlib's version in it, the same figure gives the same bytes.
    ax.figure.savefig(
        png, dpi=DPI, bbox_inches="tight", facecolor="white", metadata={"Software": None}
    )
    plt.close(ax.figure)
    content = png.getvalue()
    pixels = int.from_bytes(content[16:20], "big")  # the width stands at the start of a PNG
    width = round(pixels * SHOWN_DPI / DPI)
    display(Image(content, format="png", width=width, metadata={"alt": alt}))
    display(Markdown(f"*Figure: {alt}*"))


def table(header, rows):
    """Show a table in a notebook.

    Args:
        header: column titles.
        rows: lists of cells. A column of numbers is aligned to the right, any other to the left.
    """
    rows = [[str(cell) for cell in row] for row in rows]
    numeric = [
        all(re.fullmatch(r"-?[\d.]+ ?%?|—", cell) for cell in column)
        for column in zip(*rows, strict=True)
    ]
    lines = [header, ["---:" if right else ":---" for right in numeric], *rows]
    display(Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines)))


def learning_curves(records, measure="loss", window=25, ax=None, title=None, log=False):
    """Draw loss or accuracy against updates: a line for each network, a band over its seeds.

    The line is the mean over the seeds, the band runs from the lowest to the highest seed.

    Args:
        records: list of Record; those of one name belong together.
        measure: ``"loss"`` or ``"accuracy"`` of the batches, smoothed by a mean over ``window``
            updates; or ``"epoch_loss"``, ``"val_loss"`` or ``"val_accuracy"``, one value an epoch.
        window: number of updates in the running mean.
        ax: Axes to draw on; a new figure by default.
        title: title of the Axes.
        log: logarithmic vertical axis.

    Returns:
        (Axes, text alternative).

    Raises:
        ValueError: there are no records, or no such measure.
    """
    one_of("measure", measure, MEASURES)
    if not records:
        raise ValueError("records must not be empty. Received: 0 records")
    text, by_epoch, key = MEASURES[measure]
    ax = ax or plt.subplots(figsize=(6.4, 4), layout="constrained")[1]
    sentences = []
    groups = by_name(records)
    for i, (name, group) in enumerate(groups.items()):
        updates, values = _by_epoch(group, key) if by_epoch else _by_update(group, key, window)
        colour, line = COLOURS[i % len(COLOURS)], LINES[i % len(LINES)]
        middle = values.mean(axis=0)
        ax.plot(updates, middle, label=name, linewidth=2, color=colour, linestyle=line)
        low, high = values.min(axis=0), values.max(axis=0)
        ax.fill_between(updates, low, high, color=colour, alpha=0.2, linewidth=0)
        start, half, end = middle[0], middle[len(middle) // 2], middle[-1]
        sentences.append(f"{name} goes from {start:.3g} over {half:.3g} halfway to {end:.3g}")
    ax.set(xlabel="updates", ylabel=text, title=title, yscale="log" if log else "linear")
    ax.grid(alpha=0.3)
    ax.legend()
    seeds = max(len(group) for group in groups.values())
    band = f", bands from the lowest to the highest of {seeds} seeds" if seeds > 1 else ""
    where = f"{title}: " if title else ""
    return ax, f"{where}{text} against updates{band}. {'; '.join(sentences)}."


def dots(series, xlabel, ylabel, ax=None, title=None, log=False):
    """Draw one dot for each run and a line through the means, for each series.

    Args:
        series: dictionary: name → dictionary: x → list of values, one a seed.
        xlabel, ylabel, title: texts.
        ax: Axes to draw on; a new figure by default.
        log: logarithmic vertical axis.

    Returns:
        (Axes, text alternative).
    """
    ax = ax or plt.subplots(figsize=(6.5, 4), layout="constrained")[1]
    sentences = []
    place_of = {x: i for i, x in enumerate(dict.fromkeys(x for v in series.values() for x in v))}
    ax.set_xticks(list(place_of.values()), [str(x) for x in place_of])
    for i, (name, values) in enumerate(series.items()):
        places = [place_of[x] for x in values]
        means = [float(np.mean(v)) for v in values.values()]
        colour, marker = COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]
        ax.plot(places, means, color=colour, linestyle=LINES[i % len(LINES)], linewidth=2)
        for place, runs in zip(places, values.values(), strict=True):
            ax.plot([place] * len(runs), runs, marker, color=colour, alpha=0.8, label=name)
            name = None  # one entry in the legend
        pairs = ", ".join(f"{mean:.2f} at {x}" for x, mean in zip(values, means, strict=True))
        sentences.append(f"{list(series)[i]}: {pairs}")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, yscale="log" if log else "linear")
    ax.grid(alpha=0.3)
    ax.legend()
    return ax, f"{ylabel} against {xlabel}, means over the seeds. {'; '.join(sentences)}."


def digit_grid(images, captions, columns=8, title=None):
    """Draw images in a grid, each with a caption.

    Args:
        images: numbers, shape (n, height, width) or (n, height, width, 1).
        captions: n texts.
        columns: images in a row.
        title: title of the figure, which also opens the text alternative.

    Returns:
        (Axes of the first image, text alternative).

    Raises:
        ValueError: the numbers of images and captions differ, or there are none.
    """
    if len(images) != len(captions) or not len(images):
        raise ValueError(
            f"images and captions must be of one length. Received: {len(images)}, {len(captions)}"
        )
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(1.15 * columns, 1.4 * rows), layout="constrained", squeeze=False
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, image, caption in zip(axes.flat, images, captions, strict=False):
        ax.imshow(np.squeeze(image), cmap="gray_r")
        ax.set_title(caption, fontsize=10)
    figure.suptitle(title)
    opening = f"{title}: " if title else ""
    listed = ", ".join(str(caption).replace("\n", " ") for caption in captions)
    return axes.flat[0], f"{opening}{len(images)} images in rows of {columns}: {listed}."


def confusion_matrix(labels, predictions, classes=10, title=None):
    """Draw how often each class was taken for each other.

    Args:
        labels: integers, shape (n,): what the images show.
        predictions: integers, shape (n,): what the network says.
        classes: number of classes.
        title: title of the Axes.

    Returns:
        (Axes, text alternative).
    """
    counts = np.zeros((classes, classes), dtype=int)
    np.add.at(counts, (labels, predictions), 1)
    ax = plt.subplots(figsize=(6.4, 6), layout="constrained")[1]
    mistakes = counts - np.diag(np.diag(counts))
    # The diagonal is a hundred times the rest: shading shows the mistakes alone.
    ax.imshow(mistakes, cmap="Oranges")
    dark = mistakes.max() / 2
    for row, column in np.ndindex(counts.shape):
        ax.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center",
            fontsize=9,
            color="white" if mistakes[row, column] > dark else "black",
            fontweight="bold" if row == column else "normal",
        )
    ax.set(xlabel="prediction", ylabel="digit", title=title)
    ax.set_xticks(range(classes))
    ax.set_yticks(range(classes))
    worst = sorted(zip(*np.nonzero(mistakes), strict=True), key=lambda at: -mistakes[at])[:3]
    pairs = ", ".join(
        f"{row} taken for {column} ({mistakes[row, column]})" for row, column in worst
    )
    right = np.trace(counts)
    return ax, (
        f"Confusion matrix of {counts.sum()} images, {right} of them right, on the diagonal. "
        f"The most frequent mistakes: {pairs or 'none'}."
    )


def _by_update(group, key, window):
    """Return (updates, values): shapes (points,) and (seeds, points), cut to the shortest run."""
    runs = [running_mean(getattr(record, key), window) for record in group]
    points = min(len(run) for run in runs)
    return np.arange(1, points + 1), np.array([run[:points] for run in runs])


def _by_epoch(group, key):
    """Return the same as ``_by_update``, with one point an epoch."""
    points = min(len(record.epochs) for record in group)
    updates = [epoch["update"] for epoch in group[0].epochs[:points]]
    return updates, np.array([[e[key] for e in record.epochs[:points]] for record in group])
