"""Diagram of a whole network, its shortcuts as arcs.

References
    He, Zhang, Ren, Sun 2016a: Deep Residual Learning for Image Recognition, CVPR
        (arXiv:1512.03385), Figure 3.
"""

from resnet_lesson.diagrams.blocks import COUNT, KERNELS, SHORTCUTS, check_shortcut
from resnet_lesson.diagrams.canvas import BLUE, BOLD, OTHER, SHORTCUT, WEIGHTS, Canvas
from resnet_lesson.plumbing.constraints import TEXT, ListOf, OneOf, Row, Whole, checked

STAGE = Row("(blocks, kind, channels, pixels)", Whole(1, 10_000), OneOf(*KERNELS), COUNT, COUNT)
LAYER = Row("(text, weighted layers)", TEXT, Whole())
MOST_DRAWN = 6  # blocks
BAR = {"facecolor": BLUE, "edgecolor": BLUE, "linewidth": 0}
LINES = {"identity": "-", "padded": (0, (2, 1)), "projection": (0, (2, 1))}


@checked(
    stages=ListOf(STAGE),
    stem=ListOf(LAYER, least=0),
    head=ListOf(LAYER, least=0),
    shortcut=OneOf(*SHORTCUTS),
    in_filters=COUNT | None,
)
def network(stages, stem, head, shortcut="none", in_filters=None, ax=None):
    """Draw a network from left to right, its shortcuts as arcs (He 2016a, Figure 3).

    Each bar in a block is a weighted layer. Of a long stage, a few blocks are drawn.

    Args:
        stages: list of (blocks, kind, channels, pixels): how many blocks, their kind, and the
            channels and the height or width of their output.
        stem, head: lists of (text, weighted layers): what comes before and after the stages, as
            in ``[("3×3 conv\\n16", 1)]`` and ``[("average\\npool", 0), ("dense\\n10", 1)]``.
        shortcut: ``"none"``, or the shortcut of blocks that change the shape: ``"padded"`` or
            ``"projection"`` (all others have the identity); ``"identity"`` if no block does.
        in_filters: integer, channels that the stem gives; those of the first stage by default.
        ax: matplotlib Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: there is no such network.
    """
    shortcuts = _shortcuts(stages, shortcut, in_filters)
    terms, depth = _depth(stages, stem, head)
    legend = _legend(shortcuts)
    canvas = Canvas(ax)
    x = _draw_parts(canvas, stages, stem, head, _shown(shortcuts))
    _draw_legend(canvas, x / 2, legend)
    canvas.text(x / 2, -1.78, f"depth: {terms} = {depth} weighted layers", **BOLD)
    canvas.text(x / 2, -2.02, "In a block, each bar is a weighted layer.")
    return canvas.finish(), (
        f"{'Plain' if shortcut == 'none' else 'Residual'} network of {depth} weighted layers "
        f"({terms}), from left to right: {_in_words(stages, stem, head, shortcuts)}. "
        f"Around the blocks: {', '.join(legend.values())}."
    )


def _shortcuts(stages, shortcut, in_filters):
    """Return for each stage the list of its blocks' shortcuts, if they fit."""
    rest = "none" if shortcut == "none" else "identity"
    _, _, channels, pixels = stages[0]
    before, found = (in_filters or channels, pixels), []
    for count, _, channels, pixels in stages:
        check_shortcut(shortcut, before[0], channels, before[1] != pixels)
        first = rest if before == (channels, pixels) else shortcut
        found.append([first] + [rest] * (count - 1))
        before = (channels, pixels)
    return found


def _shown(shortcuts):
    """Return the shortcuts of the blocks to draw, of each stage; None is an ellipsis."""
    if sum(map(len, shortcuts)) <= MOST_DRAWN:
        return shortcuts
    last = len(shortcuts) < 3  # then there is room for the last block, too
    return [
        [blocks[0], None, *blocks[-1:] * last] if len(blocks) > 2 + last else blocks
        for blocks in shortcuts
    ]


def _depth(stages, stem, head):
    """Return how many weighted layers there are, as a sum and as a number."""
    before, after = (sum(weighted for _, weighted in part) for part in (stem, head))
    counts = [(count, len(KERNELS[kind])) for count, kind, _, _ in stages]
    terms = [f"{before}", *(f"{count} × {layers}" for count, layers in counts), f"{after}"]
    return " + ".join(terms), before + sum(count * layers for count, layers in counts) + after


def _legend(shortcuts):
    """Return the kinds of shortcut, and in words where each of them is."""
    kinds = sorted({block for blocks in shortcuts for block in blocks}, reverse=True)
    legend = {kind: f"{kind} shortcut where the shape changes" for kind in kinds}
    if "none" in legend:
        return {"none": "plain: no shortcuts"}
    if "identity" in legend:
        legend["identity"] = "identity shortcut" + " elsewhere" * (len(kinds) > 1)
    return legend


def _in_words(stages, stem, head, shortcuts):
    """Return the network's parts, from the image on."""
    parts = ["image", *(text for text, _ in stem)]
    for i, (count, kind, channels, pixels) in enumerate(stages):
        blocks = f"{count} {kind} block{'s' * (count > 1)}"
        changes = ", the shape changes" * (shortcuts[i][0] in ("padded", "projection"))
        shape = f"{channels} channels, {pixels} × {pixels} pixels{changes}"
        parts.append(f"stage {i + 1} ({blocks}, {shape})")
    parts += [text for text, _ in head]
    return " → ".join(" ".join(part.split()) for part in parts)


def _draw_parts(canvas, stages, stem, head, shown):
    """Draw the parts of a network from left to right; return the right end."""
    x = canvas.text(0, 0, "image") / 2 + 0.06
    for layer in stem:
        x = _draw_layer(canvas, x, *layer)
    largest = max(pixels for *_, pixels in stages)
    for (count, kind, channels, pixels), blocks in zip(stages, shown, strict=True):
        label = f"{kind} × {count}\n{channels} channels\n{pixels} × {pixels} pixels"
        height = max(0.55, 1.25 * (pixels / largest) ** 0.5)
        x = _draw_stage(canvas, x, blocks, len(KERNELS[kind]), height, label)
    for layer in head:
        x = _draw_layer(canvas, x, *layer)
    return x


def _draw_layer(canvas, x, text, weighted):
    """Draw a layer outside the blocks, and the arrow from x to it; return its right end."""
    width, height = canvas.size([text])
    style = WEIGHTS if weighted else OTHER
    canvas.line((x, 0), (x + 0.24, 0), head=9)
    canvas.box(x + 0.34 + width / 2, 0, width + 0.2, max(0.9, height + 0.24), text, style)
    return x + 0.44 + width


def _draw_stage(canvas, x, blocks, layers, height, label):
    """Draw a stage's blocks from x on, as from ``_shown``, and its label; return the right end."""
    width = 0.12 * layers + 0.05
    before, after = 0.28, 0 if blocks[0] == "none" else 0.26  # room for the arrow, the addition
    need = sum(before + width + after if shortcut else 0.58 for shortcut in blocks)
    extra = max(0, canvas.size([label])[0] + 0.2 - need) / 2  # on both sides, for a long label
    canvas.line((x, 0), (x + extra, 0), head=0)
    x += extra
    first = x + before
    for shortcut in blocks:
        if shortcut is None:
            canvas.text(x + 0.25, 0, "⋯", fontsize=18)
            x += 0.5
            continue
        canvas.line((x, 0), (x + before, 0), head=9)
        x += before
        canvas.box(x + width / 2, 0, width, height, "", OTHER)
        for i in range(layers):
            canvas.box(x + 0.085 + 0.12 * i, 0, 0.07, height - 0.14, "", BAR, rounding=0.01)
        x += width
        if shortcut != "none":
            fork, add, peak = x - width - 0.2, x + 0.17, (height / 2 + 0.32) * 4 / 3
            canvas.line((x, 0), (add, 0), head=0)
            arc = (fork, 0), (fork, peak), (add, peak), (add, 0.09)
            canvas.line(*arc, curve=True, **SHORTCUT | {"linestyle": LINES[shortcut]})
            canvas.addition(add, 0, 0.09)
            x += after
    end = x - (after if blocks[-1] else 0)
    canvas.line((first, -0.72), (first, -0.8), (end, -0.8), (end, -0.72), head=0)
    canvas.text((first + end) / 2, -0.9, label, va="top")
    canvas.line((x, 0), (x + extra, 0), head=0)
    return x + extra


def _draw_legend(canvas, x, legend):
    """Draw the legend above a network, centred at x."""
    if "none" in legend:
        canvas.text(x, 0.9, legend["none"])
        return
    widths = [0.6 + canvas.size([text])[0] for text in legend.values()]
    x -= (sum(widths) + 0.4 * (len(widths) - 1)) / 2
    for (kind, text), width in zip(legend.items(), widths, strict=True):
        canvas.line((x, 1.2), (x + 0.5, 1.2), head=0, **SHORTCUT | {"linestyle": LINES[kind]})
        canvas.text(x + 0.6, 1.2, text, ha="left")
        x += width + 0.4
