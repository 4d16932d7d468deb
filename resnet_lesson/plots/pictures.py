"""Grids: images with captions, and which class was taken for which."""

import matplotlib.pyplot as plt
import numpy as np


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
