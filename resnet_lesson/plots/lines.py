"""Lines and dots: a mean with a band over the seeds, or a dot for each run."""

from numbers import Number

import numpy as np
from matplotlib.ticker import MaxNLocator

from resnet_lesson.plots.style import axes_or_new, colour_of, finish, label_ends, styled
from resnet_lesson.plumbing.constraints import (
    TRUTH,
    Dictionary,
    ListOf,
    Numbers,
    OneOf,
    Real,
    checked,
)
from resnet_lesson.runs import RECORDS, by_name, running_mean

# measure: (text, whether it is one value an epoch, its key in Record or in an epoch)
MEASURES = {
    "loss": ("training loss", False, "loss"),
    "accuracy": ("training accuracy", False, "accuracy"),
    "epoch_loss": ("training loss, mean of an epoch", True, "loss"),
    "val_loss": ("validation loss", True, "val_loss"),
    "val_accuracy": ("validation accuracy", True, "val_accuracy"),
}
SEEDS = Numbers((None,))  # a number for each seed
GUESS = Real() | None
MOST_LABELS = 4  # lines that are named at their ends; more would need too much room


@checked(records=ListOf(RECORDS.item), measure=OneOf(*MEASURES), each_seed=TRUTH, guess=GUESS)
def learning_curves(
    records, measure="loss", window=25, ax=None, title=None, log=False, each_seed=False, guess=None
):
    """Draw loss or accuracy against updates: a line for each network, a band over its seeds.

    The line is the mean over the seeds, the band runs from the lowest to the highest seed. Both
    stop where the shortest run of the network stops.

    Args:
        records: list of Record; those of one name belong together. Each must hold the measure.
        measure: ``"loss"`` or ``"accuracy"`` of the batches, smoothed by a mean over ``window``
            updates; or ``"epoch_loss"``, ``"val_loss"`` or ``"val_accuracy"``, one value an epoch.
        window: number of updates in the running mean; the line begins where it is full.
        ax: Axes to draw on; a new figure by default.
        title: title of the Axes.
        log: logarithmic vertical axis.
        each_seed: draw each run as a line of its own, with a mark at its end, instead of mean and
            band: for runs of different length.
        guess: a number that the reader expected, drawn as a level; None for no guess.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: an argument is unusable; a record does not hold the measure, as after
            an early interrupt; or runs of one network, drawn as a band, share no update.

    Example::

        records = [train(network(8), mnist, seed, name="residual 8") for seed in (0, 1)]
        plots.show(*plots.learning_curves(records, log=True))
    """
    if each_seed:
        return _draw_each(records, measure, window, ax, title, log, guess)
    updates, values = {}, {}
    for name, group in by_name(records).items():
        runs = [_values(record, measure, window) for record in group]
        # Runs may end at different updates, and the last epoch of one may be short.
        updates[name] = _full(sorted(set.intersection(*map(set, runs))), measure, window)
        values[name] = [[run[update] for update in updates[name]] for run in runs]
    return curves(updates, values, "updates", MEASURES[measure][0], ax, title, log, guess)


@checked(series=Dictionary(Numbers()), guess=GUESS)
def curves(x, series, xlabel, ylabel, ax=None, title=None, log=False, guess=None):
    """Draw one line for each series, with a band over its seeds.

    The line is the mean over the seeds, the band runs from the lowest to the highest seed.

    Args:
        x: numbers, shape (points,); or a dictionary: name → numbers, where the series differ.
        series: dictionary: name → numbers, shape (seeds, points), or (points,) for one run.
        xlabel, ylabel, title: texts.
        ax: Axes to draw on; a new figure by default.
        log: logarithmic vertical axis.
        guess: as in ``learning_curves``.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: a series has not as many points as x, or an argument is unusable.
    """
    x = x if isinstance(x, dict) else dict.fromkeys(series, x)
    ax = axes_or_new(ax, 6.4, 4)
    seeds, sentences = 1, []
    for name, values, colour, line, _ in styled(series):
        values = np.atleast_2d(values)
        middle = values.mean(axis=0)
        ax.plot(x[name], middle, label=name, linewidth=2, color=colour, linestyle=line)
        if len(values) > 1:
            low, high = values.min(axis=0), values.max(axis=0)
            ax.fill_between(x[name], low, high, color=colour, alpha=0.2, linewidth=0)
        seeds = max(seeds, len(values))
        start, half, end = middle[0], middle[len(middle) // 2], middle[-1]
        sentences.append(f"{name} goes from {start:.3g} through {half:.3g} halfway to {end:.3g}")
    if all(np.array_equal(at, np.round(at)) for at in x.values()):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))  # there is no layer 2.5
    band = f", bands from the lowest to the highest of {seeds} seeds" if seeds > 1 else ""
    return _finish(ax, xlabel, ylabel, title, log, guess, band, sentences)


@checked(series=Dictionary(Dictionary(SEEDS)), guess=GUESS)
def dots(series, xlabel, ylabel, ax=None, title=None, log=False, guess=None):
    """Draw one dot for each run and a line through the means, for each series.

    Args:
        series: dictionary: name → dictionary: x → list of values, one a seed. If each x is a
            number above 0, such as a depth, the horizontal axis is logarithmic; otherwise names
            stand in a row.
        xlabel, ylabel, title: texts.
        ax: Axes to draw on; a new figure by default.
        log: logarithmic vertical axis.
        guess: as in ``learning_curves``.

    Returns:
        (Axes, text alternative).
    """
    ax = axes_or_new(ax, 6.4, 4)
    every, sentences = {x for values in series.values() for x in values}, []
    on_a_scale = all(isinstance(x, Number) and x > 0 for x in every)
    for name, values, colour, line, marker in styled(series):
        means = {x if on_a_scale else str(x): np.mean(runs) for x, runs in values.items()}
        ax.plot(means.keys(), means.values(), color=colour, linestyle=line, label=name)
        places = np.repeat(list(means), [len(runs) for runs in values.values()])
        runs = np.concatenate(list(values.values()))
        ax.plot(places, runs, marker, color=colour, alpha=0.8)
        sentences.append(f"{name}: " + ", ".join(f"{mean:.3g} at {x}" for x, mean in means.items()))
    if on_a_scale:
        ax.set_xscale("log")
        groups = _close_together(sorted(every))
        labels = [", ".join(f"{x:g}" for x in group) for group in groups]
        ax.set_xticks([np.exp(np.mean(np.log(group))) for group in groups], labels)
        ax.set_xticks([], minor=True)
    return _finish(ax, xlabel, ylabel, title, log, guess, ", means over the seeds", sentences)


@checked(values=Dictionary(SEEDS))
def intervals(values, xlabel, baseline=None, ax=None, title=None, log=False):
    """Draw each name's values as dots in a row, a line over their range and a bar at their mean.

    Args:
        values: dictionary: name → numbers, one a seed. The first name is drawn on top.
        xlabel, title: texts.
        baseline: a name whose range is shaded over all rows.
        ax: Axes to draw on; a new figure by default.
        log: logarithmic horizontal axis.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: an argument is unusable.
        KeyError: the baseline is none of the names.
    """
    ax = axes_or_new(ax, 6.8, 0.9 + 0.3 * len(values))
    shaded, sentences = "", []
    if baseline is not None:
        low, high = min(values[baseline]), max(values[baseline])
        ax.axvspan(low, high, color=colour_of(baseline), alpha=0.15, linewidth=0)
        shaded = f" The range of {baseline} is shaded over all rows."
    for row, (name, runs) in enumerate(values.items()):
        low, high, mean = min(runs), max(runs), np.mean(runs)
        colour = colour_of(name)
        ax.plot([low, high], [row, row], color=colour, linewidth=1.5)
        ax.plot(runs, [row] * len(runs), "o", color=colour, markersize=4, alpha=0.8)
        ax.plot(mean, row, "|", color="black", markersize=13, markeredgewidth=2)
        sentences.append(f"{name} {mean:.3g} ({low:.3g} to {high:.3g})")
    rows = len(values)
    ax.set(yticks=range(rows), yticklabels=list(values), ylim=(rows - 0.5, -0.5))
    words = (
        f"{xlabel}, a dot for each seed and a bar at the mean. Mean and range: "
        f"{'; '.join(sentences)}.{shaded}"
    )
    return finish(ax, title, words, xlabel=xlabel, xscale="log" if log else "linear")


def _draw_each(records, measure, window, ax, title, log, guess):
    """Draw each record as a line with a mark at its end; return (Axes, text alternative)."""
    ax = axes_or_new(ax, 6.4, 4)
    sentences = []
    for name, group, colour, line, marker in styled(by_name(records)):
        look = {"color": colour, "linestyle": line, "marker": marker}
        ends = []
        for record in group:
            run = _values(record, measure, window)
            at = _full(list(run), measure, window)
            (drawn,) = ax.plot(at, [run[u] for u in at], markevery=[len(at) - 1], **look)
            update, value = list(run.items())[-1]
            ends.append(f"seed {record.seed} at {value:.3g} after {update} updates")
        drawn.set_label(name)  # one entry in the legend
        sentences.append(f"{name} ends: {', '.join(ends)}")
    label, lines = MEASURES[measure][0], ", one line for each seed"
    return _finish(ax, "updates", label, title, log, guess, lines, sentences)


def _finish(ax, xlabel, ylabel, title, log, guess, lines, sentences):
    """Label the Axes and name the lines; return them and the text alternative."""
    words = f"{ylabel} against {xlabel}{lines}. {'; '.join(sentences)}."
    if guess is not None:
        ax.axhline(guess, color="black", linestyle=(0, (1, 3)), label="your guess")
        words += f" Your guess: {guess:g}."
    ax.set_yscale("log" if log else "linear")
    label_ends(ax, MOST_LABELS)
    return finish(ax, title, words, xlabel=xlabel, ylabel=ylabel)


def _close_together(places, least=0.065):
    """Return the sorted places on a logarithmic axis in groups whose labels would overlap."""
    groups, span = [places[:1]], np.log(places[-1] / places[0])
    for place in places[1:]:
        if np.log(place / groups[-1][-1]) > least * span:
            groups.append([])
        groups[-1].append(place)
    return groups


def _full(updates, measure, window):
    """Return those at which the running mean is full: the line would bend where it becomes so."""
    by_epoch = MEASURES[measure][1]
    if by_epoch or updates[-1:] <= [window]:
        return updates
    return [update for update in updates if update >= window]


def _values(record, measure, window):
    """Return what a record holds of a measure: dictionary update → value."""
    label, by_epoch, key = MEASURES[measure]
    if by_epoch:
        values = {epoch["update"]: epoch[key] for epoch in record.epochs if key in epoch}
    else:
        values = dict(enumerate(running_mean(getattr(record, key), window), start=1))
    if not values:
        raise ValueError(
            f"records must each hold a {label}. Received: {record.name}, seed {record.seed}"
        )
    return values
