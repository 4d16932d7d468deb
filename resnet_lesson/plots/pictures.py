"""Pictures: images and grids with captions, which class was taken for which, and contour lines."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from resnet_lesson.plots.style import VERMILION, axes_or_new, opened
from resnet_lesson.plumbing.constraints import TEXT, Labels, ListOf, Numbers, Whole, checked

ROW = Numbers((None,))


@checked(images=ListOf(Numbers()), captions=ListOf(), columns=Whole(1, 100))
def digit_grid(images, captions, columns=8, title=None):
    """Draw images in a grid, each with a caption.

    Args:
        images: n arrays of numbers, each of shape (height, width) or (height, width, 1).
        captions: n texts.
        columns: images in a row.
        title: title of the figure, which also opens the text alternative.

    Returns:
        (Axes of the first image, text alternative).

    Raises:
        TypeError, ValueError: there is not one caption for each image, or there are no images.
    """
    rows = -(-len(images) // columns)
    axes = _titled(title, rows, columns, (1.15 * columns, 1.4 * rows))
    for ax in axes:
        ax.set_axis_off()
    for ax, image, caption in zip(axes[: len(images)], images, captions, strict=True):
        ax.imshow(image, cmap="gray_r")
        ax.set_title(caption, fontsize=10)
    listed = ", ".join(_one_line(caption) for caption in captions)
    return axes[0], opened(title, f"{len(images)} images in rows of {columns}: {listed}.")


@checked(grids=ListOf(Numbers((None, None))), captions=ListOf(TEXT))
def number_grids(grids, captions, title=None, windows=None):
    """Draw grids of whole numbers side by side: the larger a number, the darker its cell.

    Args:
        grids: arrays of whole numbers of 0 or more, each of shape (rows, columns).
        captions: one text for each grid.
        title: title of the figure, which also opens the text alternative.
        windows: for each grid (first row, first column, rows, columns) of an outlined part, or
            None; by default there is none.

    Returns:
        (Axes of the first grid, text alternative).

    Raises:
        TypeError, ValueError: there are no grids, or not one caption and window for each.
    """
    windows = windows or [None] * len(grids)
    widths = [0.32 * grid.shape[1] for grid in grids]
    height = 0.32 * max(grid.shape[0] for grid in grids)
    size = (sum(widths) + 0.6 * len(grids), height + 1.0)
    axes = _titled(title, 1, len(grids), size, width_ratios=widths)
    top = max(1, *(grid.max() for grid in grids))
    sentences = []
    for ax, grid, caption, window in zip(axes, grids, captions, windows, strict=True):
        # The darkest cell is not the map's darkest, so that black text would show on any.
        ax.imshow(grid, cmap="Blues", vmin=0, vmax=1.5 * top)
        ax.set_title(caption, fontsize=10)
        for place in np.ndindex(grid.shape):
            _write(ax, place, grid, color="black")
        rows, columns = grid.shape
        ax.set_xticks(np.arange(columns + 1) - 0.5, labels=[])
        ax.set_yticks(np.arange(rows + 1) - 0.5, labels=[])
        ax.grid(color="#666666", linewidth=0.5)
        ax.tick_params(length=0)
        sentences.append(
            f"{_one_line(caption)}: {rows} × {columns} cells from {grid.min():.0f} to "
            f"{grid.max():.0f}, {np.sum(grid == 0)} of them 0"
        )
        if window:
            row, column, height, width = window
            edge = {"fill": False, "edgecolor": VERMILION, "linewidth": 3}
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), width, height, **edge))
            sentences[-1] += (
                f"; a window of {height} × {width} is outlined, its first cell in row {row + 1}, "
                f"column {column + 1}"
            )
    return axes[0], opened(title, f"{'; '.join(sentences)}.")


@checked(labels=Labels(None, classes=10), predictions=Labels("labels", classes=10))
def confusion_matrix(labels, predictions, title=None):
    """Draw how often each of ten classes was taken for each other.

    Args:
        labels: integers, shape (n,): what the images show.
        predictions: integers, shape (n,): what the network says.
        title: title of the Axes.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: there are no such labels or predictions.
    """
    counts = np.bincount(10 * labels + predictions, minlength=100).reshape(10, 10)
    ax = axes_or_new(None, 6.4, 6)
    mistakes = counts - np.diag(np.diag(counts))
    # The diagonal is a hundred times the rest: shading shows the mistakes alone.
    ax.imshow(mistakes, cmap="Oranges")
    for row, column in np.ndindex(counts.shape):
        dark = mistakes[row, column] > mistakes.max() / 2
        colour, weight = "white" if dark else "black", "bold" if row == column else "normal"
        _write(ax, (row, column), counts, color=colour, fontweight=weight)
    ax.set(xlabel="prediction", ylabel="digit", title=title, xticks=range(10), yticks=range(10))
    worst = sorted(zip(*np.nonzero(mistakes), strict=True), key=lambda at: -mistakes[at])[:3]
    pairs = ", ".join(f"{at[0]} taken for {at[1]} ({mistakes[at]})" for at in worst)
    return ax, (
        f"Confusion matrix of {counts.sum()} images, {np.trace(counts)} of them right, on the "
        f"diagonal. The most frequent mistakes: {pairs or 'none'}."
    )


@checked(x=ROW, y=ROW, values=Numbers(), levels=ROW)
def contours(x, y, values, xlabel, ylabel, levels, ax=None, title=None):
    """Draw a function of two numbers as labelled lines of equal value, as on a map of hills.

    Args:
        x: numbers, shape (columns,).
        y: numbers, shape (rows,).
        values: numbers, shape (rows, columns).
        xlabel, ylabel, title: texts.
        levels: increasing numbers: the values that get a line. Between them, the higher the darker.
        ax: Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: shapes do not fit, or levels do not increase.
    """
    ax = axes_or_new(ax, 5, 4.6)
    # One shade between two lines; the lightest below all of them, the darkest above.
    shades = plt.get_cmap("Blues")(np.linspace(0, 0.6, len(levels) + 1))
    ax.contourf(x, y, values, [-np.inf, *levels, np.inf], colors=shades)
    lines = ax.contour(x, y, values, levels, colors="black", linewidths=1)
    ax.clabel(lines, fmt="%g", fontsize=9)
    row, column = np.unravel_index(values.argmin(), values.shape)
    ax.plot(x[column], y[row], "x", color=VERMILION, markersize=9, markeredgewidth=2)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, aspect="equal")
    ax.locator_params(nbins=5)
    edge = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    words = (
        f"lines of equal value at {', '.join(f'{level:g}' for level in levels)}, over "
        f"{xlabel} from {x.min():g} to {x.max():g} and {ylabel} from {y.min():g} to {y.max():g}. "
        f"The lowest value, {values.min():.3g}, is at ({x[column]:.3g}, {y[row]:.3g}), marked with "
        f"a cross; the edge lies between {edge.min():.3g} and {edge.max():.3g}."
    )
    return ax, opened(title, words)


def _titled(title, rows, columns, size, **options):
    """Return the Axes of a new figure with a title, row by row."""
    options |= {"figsize": size, "layout": "constrained", "squeeze": False}
    figure, axes = plt.subplots(rows, columns, **options)
    figure.suptitle(title)
    return axes.ravel()


def _one_line(caption):
    return " ".join(str(caption).split())


def _write(ax, place, grid, **look):
    """Write a grid's number into its cell."""
    row, column = place
    number = f"{grid[place]:.0f}"
    ax.text(column, row, number, ha="center", va="center", fontsize=9, **look)
