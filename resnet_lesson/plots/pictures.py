"""Pictures: images with captions, which class was taken for which, and maps with contour lines."""

import matplotlib.pyplot as plt
import numpy as np

from resnet_lesson.arguments import array, labels_for, sequence, texts, whole_number
from resnet_lesson.plots.lines import check_look

MOST_COLUMNS = 100


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
        TypeError, ValueError: the numbers of images and captions differ, or there are none.
    """
    images = [array("images", image) for image in sequence("images", images)]
    for image in images:
        if image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,)):
            raise ValueError(
                "images must have the shape (height, width) or (height, width, 1) each. "
                f"Received: {image.shape}"
            )
    sequence("captions", captions)
    whole_number("columns", columns, least=1, most=MOST_COLUMNS)
    texts("title", title)
    if len(images) != len(captions):
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

    Raises:
        TypeError, ValueError: there are no such labels or predictions.
    """
    classes = whole_number("classes", classes, least=2, most=MOST_COLUMNS)
    labels = labels_for("labels", labels, None, classes)
    predictions = labels_for("predictions", predictions, len(labels), classes)
    texts("title", title)
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
    x, y = array("x", x, (None,)), array("y", y, (None,))
    values = array("values", values).astype(float)
    levels = array("levels", levels, (None,)).tolist()
    check_look(xlabel, ylabel, ax, title, False)
    if values.shape != (len(y), len(x)) or min(values.shape) < 2:
        raise ValueError(
            "values must have a row for each y and a column for each x, two of each at least. "
            f"Received: values of shape {values.shape}, y of {y.shape}, x of {x.shape}"
        )
    if np.any(np.diff(levels) <= 0):
        raise ValueError(f"levels must be increasing numbers. Received: {levels!r}")
    ax = ax or plt.subplots(figsize=(5, 4.6), layout="constrained")[1]
    # One shade between two lines; the lightest below all of them, the darkest above.
    shades = plt.get_cmap("Blues")(np.linspace(0, 0.6, len(levels) + 1))
    ax.contourf(x, y, values, [-np.inf, *levels, np.inf], colors=shades)
    lines = ax.contour(x, y, values, levels, colors="black", linewidths=1)
    ax.clabel(lines, fmt="%g", fontsize=9)
    row, column = np.unravel_index(values.argmin(), values.shape)
    ax.plot(x[column], y[row], "x", color="#D55E00", markersize=9, markeredgewidth=2)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title, aspect="equal")
    ax.locator_params(nbins=5)
    where = f"{title}: " if title else ""
    edge = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    return ax, (
        f"{where}lines of equal value at {', '.join(f'{level:g}' for level in levels)}, over "
        f"{xlabel} from {x.min():g} to {x.max():g} and {ylabel} from {y.min():g} to {y.max():g}. "
        f"The lowest value, {values.min():.3g}, is at ({x[column]:.3g}, {y[row]:.3g}), marked with "
        f"a cross; the edge lies between {edge.min():.3g} and {edge.max():.3g}."
    )
