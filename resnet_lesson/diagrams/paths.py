"""Diagrams of residual blocks in a row: on one straight line, and taken apart into paths.

References
    He, Zhang, Ren, Sun 2016b: Identity Mappings in Deep Residual Networks, ECCV
        (arXiv:1603.05027). The straight way: equations 3 and 4, Figure 1. A scaled shortcut:
        equation 6.
    Veit, Wilber, Belongie 2016: Residual Networks Behave Like Ensembles of Relatively Shallow
        Networks, NIPS (arXiv:1605.06431), Section 3, Figure 1: paths.
"""

from itertools import product
from math import comb

from resnet_lesson.diagrams.canvas import OTHER, RADIUS, RELU, SHORTCUT, WEIGHTS, Canvas
from resnet_lesson.plumbing.constraints import OneOf, Whole, checked

ON_LINE = {
    "nothing": "Nothing else is on the line.",
    "ReLU": "After each addition, the line passes a ReLU.",
    "scale": "Before each addition, the line is multiplied by λ.",
}
WIDTH, HEIGHT, RISE, GAP = 0.62, 0.36, 0.72, 0.34  # inches


@checked(blocks=Whole(2, 9), on_line=OneOf(*ON_LINE))
def residual_line(blocks=3, on_line="nothing", ax=None):
    """Draw residual blocks from left to right, their shortcuts as one straight line.

    Args:
        blocks: integer, number of blocks, from 2 to 9.
        on_line: what is on the line besides the additions: ``"nothing"``, ``"ReLU"`` (after each
            addition, He 2016a's blocks) or ``"scale"`` (a factor λ before each addition).
        ax: matplotlib Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: there is no such row of blocks.
    """
    canvas = Canvas(ax)
    x = canvas.text(0, 0, "$x_0$") / 2 + 0.06
    for number in range(blocks):
        x = _draw_block(canvas, x, number, on_line)
    canvas.line((x, 0), (x + GAP, 0), **SHORTCUT)
    canvas.text(x + GAP + 0.06, 0, f"$x_{blocks}$", ha="left")
    return canvas.finish(), (
        f"{blocks} residual blocks in a row. From left to right, x_0 runs along a straight line to "
        f"x_{blocks}. In each block a branch F leaves the line, and its result is added to the "
        f"line. {ON_LINE[on_line]}"
    )


@checked(blocks=Whole(1, 4))
def unrolled_paths(blocks=3, ax=None):
    """Draw every path through a row of residual blocks, the shortest at the top.

    At each block a path takes the branch or the shortcut.

    Args:
        blocks: integer, number of blocks, from 1 to 4.
        ax: matplotlib Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: there is no such row of blocks.
    """
    canvas = Canvas(ax)
    start, step, apart = 0.25, 1.0, 0.5
    end = start + step * blocks
    paths = sorted(product((False, True), repeat=blocks), key=sum)
    for number, path in enumerate(paths):
        y = -apart * number
        canvas.text(0, y, "$x_0$")
        canvas.line((start, y), (end, y), **SHORTCUT)  # runs on behind the boxes
        for block, branch in enumerate(path):
            if branch:
                place = start + step * (block + 0.5)
                canvas.box(place, y, WIDTH, HEIGHT, f"$F_{block}$", WEIGHTS)
        canvas.text(end + 0.06, y, f"$x_{blocks}$", ha="left")
        canvas.text(end + 0.6, y, f"length {sum(path)}", ha="left")
    listed = ", ".join(f"{comb(blocks, n)} of length {n}" for n in range(blocks + 1))
    return canvas.finish(), (
        f"{len(paths)} paths from x_0 to x_{blocks}, one a row. At each of {blocks} blocks a path "
        f"passes the branch F or, on the shortcut, nothing. Its length counts branches: {listed}."
    )


def _draw_block(canvas, x, number, on_line):
    """Draw a block whose input arrives at x on the line; return where its output leaves."""
    fork, middle, add = x + 0.16, x + 0.91, x + 1.66
    canvas.line((x, 0), (add - RADIUS, 0), **SHORTCUT)
    if on_line == "scale":
        canvas.box(middle, 0, 0.5, HEIGHT, r"$\times\lambda$", OTHER)
    canvas.line((fork, 0), (fork, RISE), (middle - WIDTH / 2, RISE))
    canvas.box(middle, RISE, WIDTH, HEIGHT, rf"$F_{number}$", WEIGHTS)
    canvas.line((middle + WIDTH / 2, RISE), (add, RISE), (add, RADIUS))
    canvas.addition(add, 0)
    x = add + RADIUS
    if on_line == "ReLU":
        canvas.line((x, 0), (x + GAP, 0), **SHORTCUT)
        canvas.box(x + GAP + WIDTH / 2, 0, WIDTH, HEIGHT, "ReLU", RELU)
        x += GAP + WIDTH
    return x
