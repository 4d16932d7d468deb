"""Diagram of the article's changing block, as it is written and repaired.

The article is described in ``article``; the repaired block is that of He et al. 2016a
(arXiv:1512.03385), Figure 5, right, with the projection of Section 3.3.
"""

from resnet_lesson.diagrams.canvas import BOLD, RADIUS, WEIGHTS, Canvas
from resnet_lesson.plumbing.constraints import checked

BRANCH = ["1×1 conv, 16", "ReLU", "3×3 conv, 16", "ReLU"]
LAST = "1×1 conv, 32"
TOP, STEP, HEIGHT = -0.46, 0.42, 0.34  # inches


@checked
def article_blocks(ax=None):
    """Draw the block that changes 16 channels to 32: left as written, right repaired.

    Args:
        ax: matplotlib Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).
    """
    canvas = Canvas(ax)
    bias = ["+ a second bias"]
    _draw(canvas, 0, "as written", [f"{LAST}: kernel W", "ReLU"], f"{LAST}: W again", bias)
    _draw(canvas, 5.8, "repaired", [f"{LAST}: kernel W"], f"{LAST}: kernel V", [])
    return canvas.finish(), (
        "Two blocks side by side, each from 16 channels to 32. In both, x passes a 1×1 convolution "
        "to 16 channels, ReLU, a 3×3 convolution, ReLU and a 1×1 convolution to 32 with the kernel "
        "W. Left, as written: a ReLU follows, then the shortcut is added: x convolved with the "
        "same kernel W; then come a second bias and ReLU. Right, repaired: no ReLU before the "
        "addition, a kernel V of the shortcut's own, no second bias."
    )


def _draw(canvas, x, title, last, carried, bias):
    """Draw one block around the vertical line at x, its input at y = 0."""
    layers = [*BRANCH, *last]
    width = canvas.size([*layers, carried])[0] + 0.3
    form = {"width": width, "heights": (HEIGHT, HEIGHT), "gap": STEP - HEIGHT}
    canvas.text(x, 0.4, title, fontsize=15, **BOLD)
    canvas.text(x, 0, "$x$: 16 channels")
    canvas.line((x, -0.14), (x, TOP))
    bottom = canvas.stack(x, TOP, layers, **form)
    add = -0.74 - (len(BRANCH) + 2) * STEP  # at one height in both blocks
    side = x + width + 0.6
    canvas.join(x, bottom, add, (x, -0.3), side)
    canvas.box(side, (add - 0.3) / 2, width, HEIGHT, carried, WEIGHTS)
    y = add - RADIUS
    canvas.line((x, y), (x, y - 0.32))
    y = canvas.stack(x, y - 0.32, [*bias, "ReLU"], **form)
    canvas.line((x, y), (x, y - 0.32))
    canvas.text(x, y - 0.46, "output: 32 channels")
