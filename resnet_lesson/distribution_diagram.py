"""Diagram of data-parallel training: shares of a batch, copies of a model, one mean gradient."""

from matplotlib.axes import Axes

from resnet_lesson.arguments import whole_number
from resnet_lesson.canvas import Canvas
from resnet_lesson.diagrams import OTHER, RELU, WEIGHTS

WIDTH, HEIGHT, APART = 1.7, 0.42, 2.1  # inches
ROWS = (("share {}", OTHER), ("model, copy {}", WEIGHTS), ("gradient {}", OTHER))
STEP = 0.78


def data_parallel(workers: int = 2, ax: Axes | None = None) -> tuple[Axes, str]:
    """Draw one update of data-parallel training.

    Args:
        workers: number of workers, from 2 to 4.
        ax: Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: the number is unusable.
    """
    workers = whole_number("workers", workers, least=2, most=4)
    canvas = Canvas(ax)
    middle, wide = (workers - 1) * APART / 2, (workers - 1) * APART + WIDTH
    bottom = -(len(ROWS) + 1) * STEP
    canvas.box(middle, 0, wide, HEIGHT, "batch", OTHER)
    for i in range(workers):
        x = i * APART
        for row, (text, style) in enumerate(ROWS, start=1):
            canvas.line([(x, -(row - 1) * STEP - HEIGHT / 2), (x, -row * STEP + HEIGHT / 2)])
            canvas.box(x, -row * STEP, WIDTH, HEIGHT, text.format(i + 1), style)
        canvas.line([(x, bottom + STEP - HEIGHT / 2), (x, bottom + HEIGHT / 2)])
        canvas.line([(x, bottom - HEIGHT / 2), (x, bottom - STEP + HEIGHT / 2)])
        canvas.box(x, bottom - STEP, WIDTH, HEIGHT, "same update", WEIGHTS)
    canvas.box(middle, bottom, wide, HEIGHT, "all-reduce: mean of the gradients", RELU)
    return canvas.finish(), (
        f"One update with {workers} workers, from top to bottom. The batch is cut into {workers} "
        "equal shares. Each worker computes a gradient with its share and its own copy of the "
        "model. The all-reduce gives every worker the mean of the gradients. All make the same "
        "update, so that the copies stay equal."
    )
