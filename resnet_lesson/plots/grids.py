"""Grids of whole numbers, each written into its cell."""

import matplotlib.pyplot as plt
import numpy as np

from resnet_lesson.arguments import array, sequence, texts


def number_grids(grids, captions, title=None):
    """Draw grids of whole numbers side by side: the larger a number, the darker its cell.

    Args:
        grids: arrays of whole numbers of 0 or more, each of shape (rows, columns).
        captions: one text for each grid.
        title: title of the figure, which also opens the text alternative.

    Returns:
        (Axes of the first grid, text alternative).

    Raises:
        ValueError: there are no grids, not one caption for each, or other numbers in them.
    """
    texts("title", title)
    texts("captions", *sequence("captions", captions))
    grids = [array("grids", grid, (None, None)) for grid in sequence("grids", grids)]
    if len(grids) != len(captions):
        raise ValueError(
            "grids must have one caption each, and be one at least. "
            f"Received: {len(grids)} grids, {len(captions)} captions"
        )
    for grid in grids:
        if np.any(grid < 0) or np.any(grid != np.round(grid)):
            raise ValueError(
                "grids must hold whole numbers of 0 or more, in rows and columns. "
                f"Received: shape {grid.shape}, {np.min(grid, initial=0):g} the lowest"
            )
    widths = [0.32 * grid.shape[1] for grid in grids]
    height = 0.32 * max(grid.shape[0] for grid in grids)
    figure, axes = plt.subplots(
        1,
        len(grids),
        figsize=(sum(widths) + 0.6 * len(grids), height + 1.0),
        width_ratios=widths,
        layout="constrained",
        squeeze=False,
    )
    top = max(1, *(grid.max() for grid in grids))
    sentences = []
    for ax, grid, caption in zip(axes.flat, grids, captions, strict=True):
        # The darkest cell is not the map's darkest, so that black text would show on any.
        ax.imshow(grid, cmap="Blues", vmin=0, vmax=1.5 * top)
        for row, column in np.ndindex(grid.shape):
            number = f"{grid[row, column]:.0f}"
            ax.text(column, row, number, ha="center", va="center", fontsize=9, color="black")
        ax.set_xticks(np.arange(grid.shape[1] + 1) - 0.5, labels=[])
        ax.set_yticks(np.arange(grid.shape[0] + 1) - 0.5, labels=[])
        ax.grid(color="#666666", linewidth=0.5)
        ax.tick_params(length=0)
        ax.set_title(caption, fontsize=10)
        rows, columns = grid.shape
        sentences.append(
            f"{' '.join(str(caption).split())}: {rows} × {columns} cells from {grid.min():.0f} to "
            f"{grid.max():.0f}, {np.sum(grid == 0)} of them 0"
        )
    figure.suptitle(title)
    opening = f"{title}: " if title else ""
    return axes.flat[0], f"{opening}{'; '.join(sentences)}."
