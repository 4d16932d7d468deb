"""Diagram of a whole residual network, its shortcuts as arcs.

References
    He, Zhang, Ren, Sun 2016a: Deep Residual Learning for Image Recognition, CVPR
        (arXiv:1512.03385), Figure 3.
"""

from itertools import pairwise

from resnet_lesson.diagrams.blocks import COUNT, KERNELS
from resnet_lesson.diagrams.canvas import BLUE, BOLD, OTHER, SHORTCUT, WEIGHTS, Canvas
from resnet_lesson.plumbing.constraints import OneOf, checked

MOST_DRAWN = 6  # blocks
BEFORE, AFTER = 0.28, 0.26  # inches: room for the arrow to a block, and for the addition after it
BAR = {"facecolor": BLUE, "edgecolor": BLUE, "linewidth": 0}
LINES = {"identity": "-", "padded": (0, (2, 1)), "projection": (0, (2, 1))}


@checked(shortcut=OneOf("padded", "projection"), in_filters=COUNT | None)
def network(stages, stem, head, shortcut, in_filters=None, ax=None):
    """Draw a residual network from left to right, its shortcuts as arcs (He 2016a, Figure 3).

    Each bar in a block is a weighted layer. Of a long stage, a few blocks are drawn.

    Args:
        stages: list of (blocks, kind, channels, pixels): how many blocks, their kind, and the
            channels and the height or width of their output.
        stem, head: lists of (text, weighted layers): what comes before and after the stages, as
            in ``[("3×3 conv\\n16", 1)]`` and ``[("average\\npool", 0), ("dense\\n10", 1)]``.
        shortcut: the shortcut of blocks that change the shape, ``"padded"`` or ``"projection"``;
            all others have the identity.
        in_filters: integer, channels that the stem gives; those of the first stage by default.
        ax: matplotlib Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).
    """
    _, _, channels, pixels = stages[0]
    shapes = [(in_filters or channels, pixels), *(stage[2:] for stage in stages)]
    firsts = [shortcut if before != after else "identity" for before, after in pairwise(shapes)]
    terms, depth = _depth(stages, stem, head)
    legend = {
        shortcut: f"{shortcut} shortcut where the shape changes",
        "identity": "identity shortcut elsewhere",
    }
    canvas = Canvas(ax)
    x = canvas.text(0, 0, "image") / 2 + 0.06
    for layer in stem:
        x = _draw_layer(canvas, x, *layer)
    for stage, blocks in zip(stages, _shown(stages, firsts), strict=True):
        height = max(0.55, 1.25 * (stage[-1] / pixels) ** 0.5)
        x = _draw_stage(canvas, x, stage, blocks, height)
    for layer in head:
        x = _draw_layer(canvas, x, *layer)
    at = x / 2 - 3.5  # the legend is about 7 inches wide
    for kind, text in legend.items():
        canvas.line((at, 1.2), (at + 0.5, 1.2), head=0, linestyle=LINES[kind], **SHORTCUT)
        at += 1 + canvas.text(at + 0.6, 1.2, text, ha="left")
    canvas.text(x / 2, -1.78, f"depth: {terms} = {depth} weighted layers", **BOLD)
    canvas.text(x / 2, -2.02, "In a block, each bar is a weighted layer.")
    return canvas.finish(), (
        f"Residual network of {depth} weighted layers ({terms}), from left to right: "
        f"{_in_words(stages, stem, head, firsts)}. Around the blocks: {', '.join(legend.values())}."
    )


def _depth(stages, stem, head):
    """Return how many weighted layers there are, as a sum and as a number."""
    before, after = (sum(weighted for _, weighted in part) for part in (stem, head))
    counts = [(count, len(KERNELS[kind])) for count, kind, _, _ in stages]
    terms = [f"{before}", *(f"{count} × {layers}" for count, layers in counts), f"{after}"]
    return " + ".join(terms), before + sum(count * layers for count, layers in counts) + after


def _shown(stages, firsts):
    """Yield the shortcuts of the blocks to draw, of each stage; None is an ellipsis."""
    all_fit = sum(count for count, *_ in stages) <= MOST_DRAWN
    room = 3 if len(stages) < 3 else 2
    for (count, *_), first in zip(stages, firsts, strict=True):
        if all_fit or count <= room:
            yield [first] + ["identity"] * (count - 1)
        else:
            yield [first, None, "identity"][:room]


def _in_words(stages, stem, head, firsts):
    """Return the network's parts, from the image on."""
    parts = ["image", *(text for text, _ in stem)]
    for i, (count, kind, channels, pixels) in enumerate(stages):
        blocks = f"{count} {kind} block{'s' * (count > 1)}"
        changes = ", the shape changes" * (firsts[i] != "identity")
        shape = f"{channels} channels, {pixels} × {pixels} pixels{changes}"
        parts.append(f"stage {i + 1} ({blocks}, {shape})")
    parts += [text for text, _ in head]
    return " → ".join(" ".join(part.split()) for part in parts)


def _draw_layer(canvas, x, text, weighted):
    """Draw a layer outside the blocks, and the arrow from x to it; return its right end."""
    width, height = canvas.size(text)
    style = WEIGHTS if weighted else OTHER
    canvas.line((x, 0), (x + 0.24, 0), head=9)
    canvas.box(x + 0.34 + width / 2, 0, width + 0.2, max(0.9, height + 0.24), text, style)
    return x + 0.44 + width


def _draw_stage(canvas, x, stage, blocks, height):
    """Draw a stage's blocks from x on, as from ``_shown``, and its label; return the right end."""
    count, kind, channels, pixels = stage
    layers = len(KERNELS[kind])
    width = 0.12 * layers + 0.05
    label = f"{kind} × {count}\n{channels} channels\n{pixels} × {pixels} pixels"
    need = sum(BEFORE + width + AFTER if shortcut else 0.58 for shortcut in blocks)
    extra = max(0, canvas.size(label)[0] + 0.2 - need) / 2  # on both sides, for a long label
    canvas.line((x, 0), (x + extra, 0), head=0)
    x += extra
    start = x + BEFORE
    for shortcut in blocks:
        if shortcut:
            _draw_block(canvas, x + BEFORE, width, height, layers, shortcut)
            x += BEFORE + width + AFTER
        else:
            canvas.text(x + 0.25, 0, "⋯", fontsize=18)
            x += 0.5
    end = x - AFTER if blocks[-1] else x
    canvas.line((start, -0.72), (start, -0.8), (end, -0.8), (end, -0.72), head=0)
    canvas.text((start + end) / 2, -0.9, label, va="top")
    canvas.line((x, 0), (x + extra, 0), head=0)
    return x + extra


def _draw_block(canvas, left, width, height, layers, shortcut):
    """Draw a block, the arrow to it, its shortcut and the addition."""
    right, add = left + width, left + width + 0.17
    canvas.line((left - BEFORE, 0), (left, 0), head=9)
    canvas.box(left + width / 2, 0, width, height, "", OTHER)
    for i in range(layers):
        canvas.box(left + 0.085 + 0.12 * i, 0, 0.07, height - 0.14, "", BAR, rounding=0.01)
    canvas.line((right, 0), (add, 0), head=0)
    fork, peak = left - 0.2, (height / 2 + 0.32) * 4 / 3
    arc = (fork, 0), (fork, peak), (add, peak), (add, 0.09)
    canvas.line(*arc, curve=True, linestyle=LINES[shortcut], **SHORTCUT)
    canvas.addition(add, 0, 0.09)
