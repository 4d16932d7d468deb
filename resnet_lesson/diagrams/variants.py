"""Diagram of the orders in which a residual block can have its parts.

References
    He, Zhang, Ren, Sun 2016b: Identity Mappings in Deep Residual Networks, ECCV
        (arXiv:1603.05027), Figure 4.
"""

import re

from resnet_lesson.diagrams.canvas import BOLD, RADIUS, Canvas
from resnet_lesson.plumbing.constraints import checked
from resnet_lesson.variants import ORDERS

SHOWN = (
    "baseline",
    "norm after addition",
    "relu before addition",
    "relu-only pre-activation",
    "pre-activation",
)
WIDTH, APART = 0.9, 2.3  # inches
ADD = -4.52  # where the additions are: at one height in all blocks


@checked
def block_orders(ax=None):
    """Draw a bottleneck block in five orders of convolution, normalisation, ReLU and addition.

    Args:
        ax: matplotlib Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).
    """
    canvas, sentences = Canvas(ax), []
    for i, variant in enumerate(SHOWN):
        # As in "conv1 norm1 relu1 add out": the last ReLU is called "out".
        order = re.sub("relu|out", "ReLU", re.sub(r"\d", "", ORDERS[variant]))
        before, after = (side.split() for side in order.split("add"))
        _draw(canvas, i * APART, variant, before, after)
        ending = ", ".join(after) or "nothing"
        sentences.append(f"{variant}: {', '.join(before)}; after the addition {ending}")
    return canvas.finish(), (
        "Five residual blocks side by side, each with three convolutions on its branch and the "
        f"input x on its shortcut. {'. '.join(sentences)}."
    )


def _draw(canvas, x, title, before, after):
    """Draw one block around the vertical line at x, its input at y = 0."""
    canvas.text(x + 0.2, 0.5, title.replace(" ", "\n", 1), fontsize=13, **BOLD)
    canvas.text(x, 0, "$x$")
    # The lines run on behind the boxes.
    canvas.stack(x, -0.24, before, WIDTH, gap=0.1)
    canvas.join(x, -0.14, ADD, (x + 0.14, 0), x + WIDTH / 2 + 0.3)
    canvas.stack(x, ADD - RADIUS - 0.1, after, WIDTH, gap=0.1)
    canvas.line((x, ADD - RADIUS), (x, ADD - RADIUS - 1.2))
