"""Diagram of the orders in which a residual block can have its parts.

References
    He, Zhang, Ren, Sun 2016b: Identity Mappings in Deep Residual Networks, ECCV
        (arXiv:1603.05027), Figure 4.
"""

from matplotlib.axes import Axes

from resnet_lesson.canvas import Canvas
from resnet_lesson.diagrams import BOLD, OTHER, RADIUS, RELU, SHORTCUT, WEIGHTS
from resnet_lesson.variants import ORDERS

SHOWN = (
    "baseline",
    "norm after addition",
    "relu before addition",
    "relu-only pre-activation",
    "pre-activation",
)
STYLES = {"conv": WEIGHTS, "norm": OTHER, "ReLU": RELU}
STEP, HEIGHT, WIDTH, APART = 0.42, 0.32, 0.9, 2.3  # inches


def block_orders(ax: Axes | None = None) -> tuple[Axes, str]:
    """Draw a bottleneck block in five orders of convolution, normalisation, ReLU and addition.

    Args:
        ax: Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).
    """
    canvas, sentences = Canvas(ax), []
    for i, variant in enumerate(SHOWN):
        before, after = (
            [_name(part) for part in side.split()] for side in ORDERS[variant].split("add")
        )
        _draw(canvas, i * APART, variant, before, after)
        ending = ", ".join(after) or "nothing"
        sentences.append(f"{variant}: {', '.join(before)}; after the addition {ending}")
    return canvas.finish(), (
        "Five residual blocks side by side, each with three convolutions on its branch and the "
        f"input x on its shortcut. {'. '.join(sentences)}."
    )


def _name(part):
    """Return what a part of an order is called, as in ``"relu2"`` → ``"ReLU"``."""
    kind = part.rstrip("123")
    return "ReLU" if kind in ("relu", "out") else kind


def _draw(canvas, x, title, before, after):
    """Draw one block around the vertical line at x, its input at y = 0."""
    canvas.text(x + 0.2, 0.5, title.replace(" ", "\n", 1), fontsize=13, **BOLD)
    canvas.text(x, 0, "$x$")
    add = -0.14 - 10 * STEP  # at one height in all blocks
    bottom = _stack(canvas, x, -0.14, before)
    canvas.line([(x, bottom), (x, add + RADIUS)])
    line = x + WIDTH / 2 + 0.3
    canvas.line([(x + 0.14, 0), (line, 0), (line, add), (x + RADIUS, add)], **SHORTCUT)
    canvas.addition(x, add, RADIUS)
    bottom = _stack(canvas, x, add - RADIUS, after)
    end = add - RADIUS - 3 * STEP
    canvas.line([(x, bottom), (x, end)])


def _stack(canvas, x, y, layers):
    """Draw boxes downwards from y, each reached by a line; return the lower end."""
    for layer in layers:
        canvas.line([(x, y), (x, y - STEP + HEIGHT)], head=0)
        canvas.box(x, y - STEP + HEIGHT / 2, WIDTH, HEIGHT, layer, STYLES[layer])
        y -= STEP
    return y
