"""Diagram of data-parallel training: shares of a batch, copies of a model, one mean gradient."""

from resnet_lesson.diagrams.canvas import OTHER, RELU, WEIGHTS, Canvas
from resnet_lesson.plumbing.constraints import Whole, checked

WIDTH, HEIGHT, APART = 1.7, 0.42, 2.1  # inches
ROWS = (("share {}", OTHER), ("model, copy {}", WEIGHTS), ("gradient {}", OTHER))
STEP = 0.78


@checked(workers=Whole(2, 4))
def data_parallel(workers=2, ax=None):
    """Draw one update of data-parallel training.

    Args:
        workers: integer, number of workers, from 2 to 4.
        ax: matplotlib Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: the number is unusable.
    """
    canvas = Canvas(ax)
    middle, wide = (workers - 1) * APART / 2, (workers - 1) * APART + WIDTH
    rows = [*ROWS, ("", None), ("same update", WEIGHTS)]
    canvas.box(middle, 0, wide, HEIGHT, "batch", OTHER)
    for i in range(workers):
        x = i * APART
        for row, (text, style) in enumerate(rows, start=1):
            y = -row * STEP
            canvas.line((x, y + STEP - HEIGHT / 2), (x, y + HEIGHT / 2))
            if text:
                canvas.box(x, y, WIDTH, HEIGHT, text.format(i + 1), style)
    reduce = "all-reduce: mean of the gradients"
    canvas.box(middle, -(len(ROWS) + 1) * STEP, wide, HEIGHT, reduce, RELU)
    return canvas.finish(), (
        f"One update with {workers} workers, from top to bottom. The batch is cut into {workers} "
        "equal shares. Each worker computes a gradient with its share and its own copy of the "
        "model. The all-reduce gives every worker the mean of the gradients. All make the same "
        "update, so that the copies stay equal."
    )
