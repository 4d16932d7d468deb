"""Intervals: for each name the values of its seeds in a row, beside those of a baseline."""

import matplotlib.pyplot as plt
import numpy as np

from resnet_lesson.arguments import array, dictionary, one_of
from resnet_lesson.plots.lines import COLOURS, check_look, label_plainly


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
        ValueError: there are no values, or the baseline is none of the names.
    """
    values = {
        name: array("values", runs, (None,)) for name, runs in dictionary("values", values).items()
    }
    if baseline is not None:
        one_of("baseline", baseline, values)
    check_look(xlabel, "", ax, title, log)
    if ax is None:
        ax = plt.subplots(figsize=(6.8, 0.9 + 0.3 * len(values)), layout="constrained")[1]
    if baseline is not None:
        low, high = min(values[baseline]), max(values[baseline])
        ax.axvspan(low, high, color=COLOURS[0], alpha=0.15, linewidth=0)
    sentences = []
    for row, (name, runs) in enumerate(values.items()):
        colour = COLOURS[0] if name == baseline else COLOURS[1]
        low, high, mean = min(runs), max(runs), np.mean(runs)
        ax.plot([low, high], [row, row], color=colour, linewidth=1.5)
        ax.plot(runs, [row] * len(runs), "o", color=colour, markersize=4, alpha=0.8)
        ax.plot(mean, row, "|", color="black", markersize=13, markeredgewidth=2)
        sentences.append(f"{name} {mean:.3g} ({low:.3g} to {high:.3g})")
    ax.set_yticks(range(len(values)), list(values))
    ax.set_ylim(len(values) - 0.5, -0.5)
    ax.set(xlabel=xlabel, title=title, xscale="log" if log else "linear")
    if log:
        label_plainly(ax.xaxis)
    ax.grid(alpha=0.3)
    where = f"{title}: " if title else ""
    shaded = f" The range of {baseline} is shaded over all rows." if baseline is not None else ""
    return ax, (
        f"{where}{xlabel}, a dot for each seed and a bar at the mean. Mean and range: "
        f"{'; '.join(sentences)}.{shaded}"
    )
