"""Diagram of the article's changing block, as it is written and repaired.

The article is described in ``article``; the repaired block is that of He et al. 2016a
(arXiv:1512.03385), Figure 5, right, with the projection of Section 3.3.
"""

from matplotlib.axes import Axes

from resnet_lesson.canvas import Canvas
from resnet_lesson.diagrams import BOLD, OTHER, RADIUS, RELU, SHORTCUT, WEIGHTS

BRANCH = ["1×1 conv, 16", "ReLU", "3×3 conv, 16", "ReLU"]
LAST = "1×1 conv, 32"


def article_blocks(ax: Axes | None = None) -> tuple[Axes, str]:
    """Draw the block that changes 16 channels to 32: left as written, right repaired.

    Args:
        ax: Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).
    """
    canvas = Canvas(ax)
    _draw(canvas, 0, "as written", [f"{LAST}: kernel W", "ReLU"], f"{LAST}: W again", bias=True)
    _draw(canvas, 5.8, "repaired", [f"{LAST}: kernel W"], f"{LAST}: kernel V", bias=False)
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
    line, step = x + width + 0.6, 0.42
    canvas.text(x, 0.4, title, fontsize=15, **BOLD)
    canvas.text(x, 0, "$x$: 16 channels")
    y = _stack(canvas, x, -0.14, layers, width, step)
    add = -0.14 - (len(BRANCH) + 2) * step - 0.6  # at one height in both blocks
    canvas.line([(x, y), (x, add + RADIUS)])
    canvas.line([(x, -0.3), (line, -0.3), (line, add), (x + RADIUS, add)], **SHORTCUT)
    canvas.box(line, (add - 0.3) / 2, width, 0.34, carried, WEIGHTS)
    canvas.addition(x, add, RADIUS)
    ending = ["+ a second bias", "ReLU"] if bias else ["ReLU"]
    y = _stack(canvas, x, add - RADIUS, ending, width, step)
    canvas.line([(x, y), (x, y - 0.32)])
    canvas.text(x, y - 0.46, "output: 32 channels")


def _stack(canvas, x, y, layers, width, step):
    """Draw boxes downwards from y, an arrow to the first one; return the lower end."""
    canvas.line([(x, y), (x, y - 0.32)])
    y -= 0.32
    for layer in layers:
        style = WEIGHTS if "conv" in layer else RELU if layer == "ReLU" else OTHER
        canvas.box(x, y - 0.17, width, 0.34, layer, style)
        y -= step
    return y + step - 0.34
