"""Lines: a mean with a band over the seeds, or a dot for each run."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import Formatter, MaxNLocator

from resnet_lesson.arguments import (
    array,
    axes_or_none,
    dictionary,
    one_of,
    text_value,
    truth_value,
    whole_number,
)
from resnet_lesson.records import all_records, by_name, running_mean

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


def learning_curves(
    records, measure="loss", window=25, ax=None, title=None, log=False, each_seed=False
):
    """Draw loss or accuracy against updates: a line for each network, a band over its seeds.

    The line is the mean over the seeds, the band runs from the lowest to the highest seed. Both
    stop where the shortest run of the network stops.

    Args:
        records: list of Record; those of one name belong together. Each must hold the measure.
        measure: ``"loss"`` or ``"accuracy"`` of the batches, smoothed by a mean over ``window``
            updates; or ``"epoch_loss"``, ``"val_loss"`` or ``"val_accuracy"``, one value an epoch.
        window: number of updates in the running mean.
        ax: Axes to draw on; a new figure by default.
        title: title of the Axes.
        log: logarithmic vertical axis.
        each_seed: draw each run as a line of its own, with a mark at its end, instead of mean and
            band: for runs of different length.

    Returns:
        (Axes, text alternative).

    Raises:
        ValueError: there are no records, or no such measure; a record does not hold the measure, as
            after an early interrupt; or runs of one network were not measured at the same updates.
    """
    one_of("measure", measure, MEASURES)
    if not all_records("records", records):
        raise ValueError("records must not be empty. Received: 0 records")
    check_look("", "", ax, title, log)
    truth_value("each_seed", each_seed)
    whole_number("window", window, least=1)
    label = MEASURES[measure][0]
    groups = {
        name: [(record.seed, *_points(record, measure, window)) for record in group]
        for name, group in by_name(records).items()
    }
    if each_seed:
        return _draw_each(groups, "updates", label, ax, title, log)
    series = {name: _together(name, runs) for name, runs in groups.items()}
    return _draw(series, "updates", label, ax, title, log)


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
    check_look(xlabel, ylabel, ax, title, log)
    drawn = {}
    for name, values in dictionary("series", series).items():
        if isinstance(x, dict) and name not in x:
            raise ValueError(f"x must hold an entry for each series. Received: none for {name!r}")
        at = array("x", x[name] if isinstance(x, dict) else x)
        values = np.atleast_2d(array(f"series {name!r}", values).astype(float))
        if values.ndim != 2 or at.shape != values.shape[1:]:
            raise ValueError(
                "series must hold arrays of shape (seeds, points), with one x for each point. "
                f"Received: {name}, shape {values.shape}, and x of shape {at.shape}"
            )
        drawn[name] = (at, values)
    return _draw(drawn, xlabel, ylabel, ax, title, log)


def _draw(series, xlabel, ylabel, ax, title, log):
    """Draw name → (x, values of shape (seeds, points)); return (Axes, text alternative)."""
    ax = ax or _axes()
    sentences = []
    for i, (name, (x, values)) in enumerate(series.items()):
        colour, line = COLOURS[i % len(COLOURS)], LINES[i % len(LINES)]
        middle = values.mean(axis=0)
        ax.plot(x, middle, label=name, linewidth=2, color=colour, linestyle=line)
        if len(values) > 1:
            low, high = values.min(axis=0), values.max(axis=0)
            ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        start, half, end = middle[0], middle[len(middle) // 2], middle[-1]
        sentences.append(f"{name} goes from {start:.3g} over {half:.3g} halfway to {end:.3g}")
    if all(np.array_equal(x, np.round(x)) for x, _ in series.values()):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))  # there is no layer 2.5
    seeds = max(len(values) for _, values in series.values())
    band = f", bands from the lowest to the highest of {seeds} seeds" if seeds > 1 else ""
    return _finish(ax, xlabel, ylabel, title, log, band, sentences)


def _draw_each(groups, xlabel, ylabel, ax, title, log):
    """Draw name → [(seed, x, values), …]; return (Axes, text alternative)."""
    ax = ax or _axes()
    sentences = []
    for i, (name, runs) in enumerate(groups.items()):
        colour, line = COLOURS[i % len(COLOURS)], LINES[i % len(LINES)]
        look = {"color": colour, "linestyle": line, "marker": MARKERS[i % len(MARKERS)]}
        ends = []
        for seed, x, values in runs:
            label = None if ends else name  # one entry in the legend
            ax.plot(x, values, label=label, markevery=[len(x) - 1], **look)
            ends.append(f"seed {seed} at {values[-1]:.3g} after {x[-1]} {xlabel}")
        sentences.append(f"{name} ends: {', '.join(ends)}")
    return _finish(ax, xlabel, ylabel, title, log, ", one line for each seed", sentences)


def check_look(xlabel, ylabel, ax, title, log):
    """Check what all figures take: texts, Axes and whether an axis is logarithmic.

    Raises:
        TypeError: one of them is none.
    """
    text_value("xlabel", xlabel)
    text_value("ylabel", ylabel)
    axes_or_none("ax", ax)
    if title is not None:
        text_value("title", title)
    truth_value("log", log)


def _axes():
    return plt.subplots(figsize=(6.4, 4), layout="constrained")[1]


class _LogLabels(Formatter):
    """Labels as one reads them: 0.001 and 0.01, or, where an axis goes far, 10⁻⁷ and 10⁻⁶.

    Matplotlib sets formulas, which takes long.
    """

    def __call__(self, x, pos=None):
        power = math.floor(math.log10(x) + 1e-9)
        digit = round(x / 10**power)
        ends = sorted(self.axis.get_view_interval())
        # As Matplotlib 3.11 decides. 3.10 leaves an axis over one power of ten with a single label.
        low, high = (math.log10(end) for end in ends)
        if math.floor(high) > math.ceil(low):  # two powers of ten are in sight
            labelled = {1}
        else:
            labelled = {1, 2, 3, 4, 6} if high - low > 0.4 else range(10)
        if digit not in labelled:
            return ""
        if power in (0, 1) or (ends[0] > 1e-4 and ends[1] < 1e5):
            return f"{x:g}"
        power = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"10{power}" if digit == 1 else f"{digit}·10{power}"


def label_plainly(axis):
    """Label a logarithmic matplotlib Axis with numbers as one reads them."""
    axis.set_major_formatter(_LogLabels())
    axis.set_minor_formatter(_LogLabels())


def _finish(ax, xlabel, ylabel, title, log, lines, sentences):
    """Label the Axes; return them and the text alternative."""
    ax.set(xlabel=xlabel, ylabel=ylabel, yscale="log" if log else "linear")
    # Without y, Matplotlib looks for a free place, which takes half of the drawing's time.
    ax.set_title(title or "", y=1)
    if log:
        label_plainly(ax.yaxis)
        low, high = ax.get_ylim()
        if high > 1e4 * low:  # there is no room to see them
            ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend()
    where = f"{title}: " if title else ""
    return ax, f"{where}{ylabel} against {xlabel}{lines}. {'; '.join(sentences)}."


def dots(series, xlabel, ylabel, ax=None, title=None, log=False):
    """Draw one dot for each run and a line through the means, for each series.

    Args:
        series: dictionary: name → dictionary: x → list of values, one a seed.
        xlabel, ylabel, title: texts.
        ax: Axes to draw on; a new figure by default.
        log: logarithmic vertical axis.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: an argument is unusable.
    """
    check_look(xlabel, ylabel, ax, title, log)
    for values in dictionary("series", series).values():
        for runs in dictionary("series", values).values():
            array("series", runs, (None,))
    ax = ax or _axes()
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
    return _finish(ax, xlabel, ylabel, title, log, ", means over the seeds", sentences)


def _points(record, measure, window):
    """Return (updates, values) of a record, both of shape (points,)."""
    label, by_epoch, key = MEASURES[measure]
    if by_epoch:
        points = [(epoch["update"], epoch[key]) for epoch in record.epochs if key in epoch]
    else:
        points = list(enumerate(running_mean(getattr(record, key), window), start=1))
    if not points:
        raise ValueError(
            f"records must each hold a {label}; an early interrupt or the lack of validation "
            f"images leaves none. Received: {record.name}, seed {record.seed}"
        )
    updates, values = zip(*points, strict=True)
    return np.array(updates), np.array(values)


def _together(name, runs):
    """Return (updates, values) of a network's runs, shapes (points,) and (seeds, points).

    Runs may end at different updates, and the last epoch of one may be short: the points are the
    updates at which all were measured.
    """
    values_at = [dict(zip(x, values, strict=True)) for _, x, values in runs]
    shared = sorted(set.intersection(*map(set, values_at)))
    if not shared:
        raise ValueError(
            "records of one name must be measured at the same updates; each_seed=True draws those "
            f"that are not. Received: {name}, {len(runs)} runs"
        )
    return np.array(shared), np.array([[values[u] for u in shared] for values in values_at])
