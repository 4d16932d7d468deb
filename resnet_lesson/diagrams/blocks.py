"""Diagrams of one block, plain or residual, and of two side by side.

References
    He, Zhang, Ren, Sun 2016a: Deep Residual Learning for Image Recognition, CVPR
        (arXiv:1512.03385), equations 1 and 2, Figures 2 and 5.
"""

from typing import NamedTuple

from resnet_lesson.diagrams.canvas import BOLD, RADIUS, Canvas
from resnet_lesson.plumbing.constraints import ListOf, OneOf, Whole, checked

KERNELS = {"basic": (3, 3), "bottleneck": (1, 3, 1)}
# What is added to F(x), in words and drawn.
CARRIED = {
    "identity": ("x", "$x$"),
    "padded": ("padded x", "padded $x$"),
    "projection": ("W_s x", r"$W_s\,x$"),
}
COUNT = Whole(1)
PARTS = {"kind": OneOf(*KERNELS), "filters": ListOf(COUNT), "in_filters": COUNT}


@checked(**PARTS, shortcut=OneOf(*CARRIED), stride=COUNT)
def block(kind, shortcut, filters, in_filters, stride=1, normalisation=True, ax=None):
    """Draw a residual block, from top to bottom (He 2016a, Figures 2 and 5).

    Args:
        kind: ``"basic"`` (3×3, 3×3) or ``"bottleneck"`` (1×1, 3×3, 1×1).
        shortcut: ``"identity"``, ``"padded"`` or ``"projection"``.
        filters: integers, channels of each convolution.
        in_filters: integer, channels of the block's input.
        stride: integer, step of the first convolution and of the shortcut, in pixels.
        normalisation: truth value, batch normalisation after each convolution.
        ax: matplotlib Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: there is no such kind or shortcut, or not a number of channels for
            each convolution.
    """
    drawn = _block(kind, shortcut, filters, in_filters, stride, normalisation)
    canvas = Canvas(ax)
    draw_block(canvas, 0, drawn)
    return canvas.finish(), (
        f"Residual {kind} block, {in_filters} channels in, {filters[-1]} out. "
        f"From top to bottom, x passes {'; '.join(drawn.branch)}. The {drawn.ending()}"
    )


@checked(**PARTS)
def compare_blocks(kind, filters, in_filters, normalisation=True, ax=None):
    """Draw a plain block and, to its right, the block of the same layers with the identity.

    Arguments, result and errors are those of ``block``.
    """
    residual = _block(kind, "identity", filters, in_filters, 1, normalisation)
    plain = residual._replace(shortcut=None)
    canvas = Canvas(ax)
    right = draw_block(canvas, 0, plain, "plain")
    draw_block(canvas, 2 * right + 1.6, residual, "residual")
    return canvas.finish(), (
        f"Two {kind} blocks side by side; in both, x passes {'; '.join(plain.branch)}. "
        "Left, plain: the result, H(x), passes the last ReLU. "
        f"Right, residual: the {residual.ending()}"
    )


class Block(NamedTuple):
    """What a drawing shows of a block."""

    shortcut: str | None
    in_filters: int
    out_filters: int
    branch: list
    """The branch's layers, in order."""
    carry: list
    """The layers that x passes on the shortcut."""
    carried: tuple
    """What is added to F(x), in words and drawn."""
    after: tuple = ("ReLU",)
    """The layers after the addition."""

    def ending(self):
        """Say what the shortcut does, after the article."""
        how = f"({'; '.join(self.carry)})" if self.carry else "unchanged"
        return (
            f"{self.shortcut} shortcut carries x {how} around these layers; the addition to their "
            f"result F(x) gives F(x) + {self.carried[0]}, which passes the last ReLU."
        )


def _block(kind, shortcut, filters, in_filters, stride, normalisation):
    """Return the block of these parts."""

    def conv(kernel, width, stride=1):
        layer = f"{kernel}×{kernel} conv, {width}" + f", stride {stride}" * (stride > 1)
        return [layer] + ["batch norm"] * normalisation

    out_filters = filters[-1]
    first, *others = zip(KERNELS[kind], filters, strict=True)
    branch = conv(*first, stride)
    for kernel, width in others:
        branch += ["ReLU", *conv(kernel, width)]
    carry = []
    if shortcut == "projection":
        carry = conv(1, out_filters, stride)
    if shortcut == "padded" and stride > 1:
        carry.append(f"keep 1 pixel of {stride} × {stride}")
    if shortcut == "padded" and out_filters > in_filters:
        carry.append(f"append {out_filters - in_filters} channels of 0")
    carried = CARRIED[shortcut if carry else "identity"]
    return Block(shortcut, in_filters, out_filters, branch, carry, carried)


def draw_block(canvas, x, drawn, title=None):
    """Draw a block around the vertical line at x, its input at y = 0; return its right edge."""
    width = canvas.size(*drawn.branch)[0] + 0.4
    left, right, top = x - width / 2 - 0.2, x + width / 2, -0.74
    if title:
        canvas.text(x, 0.4, title, fontsize=15, **BOLD)
    canvas.text(x, 0, f"$x$: {drawn.in_filters} channels")
    canvas.line((x, -0.14), (x, top))
    bottom = canvas.stack(x, top, drawn.branch, width)
    canvas.line((left + 0.1, top), (left, top), (left, bottom), (left + 0.1, bottom), head=0)
    canvas.text(
        left - 0.1, (top + bottom) / 2, "$F(x)$" if drawn.shortcut else "$H(x)$", ha="right"
    )
    after = bottom - 1.2  # with and without a shortcut, so that two blocks are at one height
    if drawn.shortcut:
        right = _draw_shortcut(canvas, x, bottom, right, drawn)
        bottom -= 0.5 + RADIUS
    canvas.line((x, bottom), (x, after))
    bottom = canvas.stack(x, after, drawn.after, width)
    canvas.line((x, bottom), (x, bottom - 0.32))
    canvas.text(x, bottom - 0.45, f"output: {drawn.out_filters} channels")
    return right


def _draw_shortcut(canvas, x, bottom, right, drawn):
    """Draw the shortcut around a branch that ends at ``bottom`` and ``right``, and the addition.

    Returns the right edge.
    """
    label, carried = f"{drawn.shortcut} shortcut", drawn.carried[1]
    fork, add = -0.44, bottom - 0.5
    half = (canvas.size(*drawn.carry)[0] + 0.36) / 2 if drawn.carry else 0.05
    side = max(right + 0.35 + half, x + canvas.size(label)[0] + 0.4)
    canvas.join(x, bottom, add, (x, fork), side)
    canvas.text(x - RADIUS - 0.1, add, "addition", ha="right")
    canvas.text(x + 0.15, fork + 0.06, label, ha="left", va="bottom")
    canvas.text((x + RADIUS + side) / 2, add + 0.07, carried, va="bottom")
    canvas.text(x + 0.12, add - 0.41, f"$F(x)$ + {carried}", ha="left")
    canvas.stack(side, (fork + add) / 2 + 0.2 * len(drawn.carry), drawn.carry, 2 * half)
    return side + half
