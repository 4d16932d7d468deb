"""Lines: a mean with a band over the seeds, or a dot for each run."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np

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
    points = _by_epoch if by_epoch else partial(_by_update, window=window)
    groups = by_name(records)
    series = {name: points(group, key) for name, group in groups.items()}
    return _draw(series, "updates", text, ax, title, log)


def curves(x, series, xlabel, ylabel, ax=None, title=None, log=False):
    """Draw one line for each series, with a band over its seeds.

    The line is the mean over the seeds, the band runs from the lowest to the highest seed.

    Args:
        x: numbers, shape (points,); or a dictionary: name → numbers, where the series differ.
        series: dictionary: name → numbers, shape (seeds, points), or (points,) for one run.
        xlabel, ylabel, title: texts.
        ax: Axes to draw on; a new figure by default.
        log: logarithmic vertical axis.

    Returns:
        (Axes, text alternative).

    Raises:
        ValueError: a series has not as many points as x, or there is none.
    """
    drawn = {}
    for name, values in series.items():
        at = np.asarray(x[name] if isinstance(x, dict) else x)
        values = np.atleast_2d(np.asarray(values, dtype=float))
        if values.ndim != 2 or not values.size or at.shape != values.shape[1:]:
            raise ValueError(
                "series must hold arrays of shape (seeds, points), with one x for each point. "
                f"Received: {name}, shape {values.shape}, and x of shape {at.shape}"
            )
        drawn[name] = (at, values)
    if not drawn:
        raise ValueError("series must not be empty. Received: 0 series")
    return _draw(drawn, xlabel, ylabel, ax, title, log)


def _draw(series, xlabel, ylabel, ax, title, log):
    """Draw name → (x, values of shape (seeds, points)); return (Axes, text alternative)."""
    ax = ax or plt.subplots(figsize=(6.4, 4), layout="constrained")[1]
    sentences = []
    for i, (name, (x, values)) in enumerate(series.items()):
        colour, line = COLOURS[i % len(COLOURS)], LINES[i % len(LINES)]
        middle = values.mean(axis=0)
        ax.plot(x, middle, label=name, linewidth=2, color=colour, linestyle=line)
        low, high = values.min(axis=0), values.max(axis=0)
        ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        start, half, end = middle[0], middle[len(middle) // 2], middle[-1]
        sentences.append(f"{name} goes from {start:.3g} over {half:.3g} halfway to {end:.3g}")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, yscale="log" if log else "linear")
    ax.grid(alpha=0.3)
    ax.legend()
    seeds = max(len(values) for _, values in series.values())
    band = f", bands from the lowest to the highest of {seeds} seeds" if seeds > 1 else ""
    where = f"{title}: " if title else ""
    return ax, f"{where}{ylabel} against {xlabel}{band}. {'; '.join(sentences)}."


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
