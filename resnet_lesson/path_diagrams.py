"""A diagram of residual blocks in a row, drawn so that the way through all shortcuts is straight.

References
    He, Zhang, Ren, Sun 2016b: Identity Mappings in Deep Residual Networks, ECCV
        (arXiv:1603.05027). The straight way: equations 3 and 4, Figure 1. A scaled shortcut:
        equation 6.
"""

from matplotlib.axes import Axes

from resnet_lesson.arguments import one_of, whole_number
from resnet_lesson.canvas import Canvas
from resnet_lesson.diagrams import OTHER, RADIUS, RELU, SHORTCUT, WEIGHTS

ON_LINE = {
    "nothing": "Nothing else is on the line.",
    "ReLU": "After each addition, the line passes a ReLU.",
    "scale": "Before each addition, the line is multiplied by λ.",
}
HEIGHT, RISE, GAP = 0.36, 0.72, 0.34  # inches


def residual_line(
    blocks: int = 3, on_line: str = "nothing", ax: Axes | None = None
) -> tuple[Axes, str]:
    """Draw residual blocks from left to right, their shortcuts as one straight line.

    Args:
        blocks: number of blocks.
        on_line: what is on the line besides the additions: ``"nothing"``, ``"ReLU"`` (after each
            addition, He 2016a's blocks) or ``"scale"`` (a factor λ before each addition).
        ax: Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: there is no such row of blocks.
    """
    whole_number("blocks", blocks, least=1, most=9)
    one_of("on_line", on_line, ON_LINE)
    canvas = Canvas(ax)
    x = canvas.text(0, 0, "$x_0$") / 2 + 0.06
    for number in range(blocks):
        x = _draw_block(canvas, x, number, on_line)
    canvas.line([(x, 0), (x + GAP, 0)], **SHORTCUT)
    canvas.text(x + GAP + 0.06, 0, f"$x_{blocks}$", ha="left")
    row = "1 residual block" if blocks == 1 else f"{blocks} residual blocks in a row"
    return canvas.finish(), (
        f"{row[0].upper()}{row[1:]}. From left to right, x_0 runs along a straight line to "
        f"x_{blocks}. In each block a branch F leaves the line, and its result is added to the "
        f"line. {ON_LINE[on_line]}"
    )


def _draw_block(canvas, x, number, on_line):
    """Draw a block whose input arrives at x on the line; return where its output leaves."""
    branch = rf"$F_{number}$"
    fork = x + 0.16
    add = fork + 1.5
    canvas.line([(x, 0), (add - RADIUS, 0)], **SHORTCUT)
    if on_line == "scale":
        canvas.box((fork + add) / 2, 0, 0.5, HEIGHT, r"$\times\lambda$", OTHER)
    middle, width = (fork + add) / 2, 0.62
    canvas.line([(fork, 0), (fork, RISE), (middle - width / 2, RISE)])
    canvas.box(middle, RISE, width, HEIGHT, branch, WEIGHTS)
    canvas.line([(middle + width / 2, RISE), (add, RISE), (add, RADIUS)])
    canvas.addition(add, 0, RADIUS)
    x = add + RADIUS
    if on_line == "ReLU":
        width = canvas.size(["ReLU"])[0] + 0.2
        canvas.line([(x, 0), (x + GAP, 0)], **SHORTCUT)
        canvas.box(x + GAP + width / 2, 0, width, HEIGHT, "ReLU", RELU)
        x += GAP + width
    return x
