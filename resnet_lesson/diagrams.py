"""Diagrams of blocks, of networks and of the course: plain data in, (Axes, text alternative) out.

Weight layers are blue, ReLUs yellow, shortcuts thick and vermilion (Okabe–Ito colours); each is
told by its text or its line as well. One unit of the Axes is one inch: the figure is made as large
as its drawing, and on given Axes the drawing, texts included, is scaled to fit.

References
    He, Zhang, Ren, Sun 2016a: Deep Residual Learning for Image Recognition, CVPR
        (arXiv:1512.03385). Blocks: equations 1 and 2, Figures 2 and 5. Networks: Figure 3.
"""

import itertools
import textwrap
from typing import NamedTuple

from matplotlib.axes import Axes

from resnet_lesson.arguments import (
    MOST_WIDTH,
    one_of,
    row,
    sequence,
    text_value,
    truth_value,
    whole_number,
)
from resnet_lesson.canvas import GREY, Canvas

KERNELS = {"basic": (3, 3), "bottleneck": (1, 3, 1)}
FILTERS = {"basic": (16, 16), "bottleneck": (8, 8, 16)}
CARRIED = {"identity": "x", "padded": "padded x", "projection": "W_s x"}  # what is added to F(x)
DRAWN = {"identity": "$x$", "padded": "padded $x$", "projection": r"$W_s\,x$"}
SHORTCUTS = ("none", *CARRIED)

BLUE, VERMILION = "#0072B2", "#D55E00"
WEIGHTS = {"facecolor": "#CFE8F8", "edgecolor": BLUE, "linewidth": 1.8}
BAR = {"facecolor": BLUE, "edgecolor": BLUE, "linewidth": 0}
RELU = {"facecolor": "#FBF6B9", "edgecolor": "#8A7F00"}
OTHER = {"facecolor": "white", "edgecolor": GREY}
SHORTCUT = {"color": VERMILION, "linewidth": 3}
LINES = {"identity": "-", "padded": (0, (2, 1)), "projection": (0, (2, 1))}
BOLD = {"fontweight": "bold"}
RADIUS = 0.17  # of an addition, in inches


class _Block(NamedTuple):
    kind: str
    shortcut: str
    filters: tuple[int, ...]
    in_filters: int
    stride: int
    normalisation: bool

    def branch(self) -> list[list[str]]:
        """Return the branch's layers in order, a list for each convolution and what follows it."""
        sizes = zip(KERNELS[self.kind], self.filters, strict=True)
        convs = [f"{kernel}×{kernel} conv, {width}" for kernel, width in sizes]
        convs[0] += f", stride {self.stride}" * (self.stride > 1)
        norm = ["batch norm"] * self.normalisation
        # The last ReLU comes after the addition.
        return [[conv, *norm, "ReLU"] for conv in convs[:-1]] + [[convs[-1], *norm]]

    def carry(self) -> list[str]:
        """Return what x passes on the shortcut."""
        if self.shortcut == "projection":
            conv = f"1×1 conv, {self.filters[-1]}" + f", stride {self.stride}" * (self.stride > 1)
            return [conv] + ["batch norm"] * self.normalisation
        missing = self.filters[-1] - self.in_filters
        steps = [f"keep 1 pixel of {self.stride} × {self.stride}"] * (self.stride > 1)
        steps += [f"append {missing} channels of 0"] * (missing > 0)
        return steps if self.shortcut == "padded" else []

    def carried(self, words: dict[str, str]) -> str:
        """Return what is added to F(x), in the given notation."""
        return words[self.shortcut if self.carry() else "identity"]

    def layers(self) -> str:
        return "; ".join(layer for group in self.branch() for layer in group)

    def ending(self) -> str:
        """Say what becomes of the branch's output, in a sentence without a capital."""
        if self.shortcut == "none":
            return "the result, H(x), passes the last ReLU."
        how = f"({'; '.join(self.carry())})" if self.carry() else "unchanged"
        return (
            f"{_a(self.shortcut)} shortcut carries x {how} around these layers; the addition to "
            f"their result F(x) gives F(x) + {self.carried(CARRIED)}, which passes the last ReLU."
        )


def block(
    kind: str = "basic",
    shortcut: str = "identity",
    filters: tuple[int, ...] | None = None,
    in_filters: int = 16,
    stride: int = 1,
    normalisation: bool = True,
    ax: Axes | None = None,
) -> tuple[Axes, str]:
    """Draw a plain or a residual block, from top to bottom (He 2016a, Figures 2 and 5).

    Args:
        kind: ``"basic"`` (3×3, 3×3) or ``"bottleneck"`` (1×1, 3×3, 1×1).
        shortcut: ``"none"``, ``"identity"``, ``"padded"`` or ``"projection"``.
        filters: channels of each convolution; (16, 16) or (8, 8, 16) by default.
        in_filters: channels of the block's input.
        stride: step of the first convolution and of the shortcut, in pixels.
        normalisation: batch normalisation after each convolution.
        ax: Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: there is no such block.
    """
    made = _checked(kind, shortcut, filters, in_filters, stride, normalisation)
    canvas = Canvas(ax)
    _draw_block(canvas, 0, made)
    return canvas.finish(), (
        f"{'Plain' if shortcut == 'none' else 'Residual'} {kind} block, {in_filters} channels in, "
        f"{made.filters[-1]} out. From top to bottom, x passes {made.layers()}. "
        f"{_sentence(made.ending())}"
    )


def compare_blocks(
    kind: str = "bottleneck",
    filters: tuple[int, ...] | None = None,
    shortcut: str = "identity",
    in_filters: int = 16,
    stride: int = 1,
    normalisation: bool = True,
    ax: Axes | None = None,
) -> tuple[Axes, str]:
    """Draw a plain block and, to its right, the residual block of the same layers.

    Arguments, result and errors are those of ``block``; ``shortcut`` must not be ``"none"``.
    """
    one_of("shortcut", shortcut, CARRIED)
    made = _checked(kind, shortcut, filters, in_filters, stride, normalisation)
    plain = made._replace(shortcut="none")
    canvas = Canvas(ax)
    right = _draw_block(canvas, 0, plain, "plain")
    _draw_block(canvas, 2 * right + 1.6, made, "residual")
    return canvas.finish(), (
        f"Two {kind} blocks side by side; in both, x passes {made.layers()}. "
        f"Left, plain: {plain.ending()} Right, residual: {made.ending()}"
    )


def network(
    stages: list[tuple[int, str, int, int]],
    stem: list[tuple[str, int]],
    head: list[tuple[str, int]],
    shortcut: str = "none",
    in_filters: int | None = None,
    ax: Axes | None = None,
) -> tuple[Axes, str]:
    """Draw a network from left to right, its shortcuts as arcs (He 2016a, Figure 3).

    Each bar in a block is a weighted layer. Of a long stage, a few blocks are drawn.

    Args:
        stages: list of (blocks, kind, channels, pixels): how many blocks, their kind, and the
            channels and the height or width of their output.
        stem, head: lists of (text, weighted layers): what comes before and after the stages, as
            in ``[("3×3 conv\\n16", 1)]`` and ``[("average\\npool", 0), ("dense\\n10", 1)]``.
        shortcut: ``"none"``, or the shortcut of blocks that change the shape: ``"padded"`` or
            ``"projection"`` (all others have the identity); ``"identity"`` if no block does.
        in_filters: channels that the stem gives; those of the first stage by default.
        ax: Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: there is no such network.
    """
    kinds = _shortcut_kinds(stages, shortcut, in_filters)
    for name, part in (("stem", stem), ("head", head)):
        for entry in sequence(name, part, least=0):
            label, weighted = row(name, entry, "(text, weighted layers)")
            text_value(name, label)
            whole_number(f"weighted layers in {name}", weighted, most=MOST_WIDTH)
    canvas = Canvas(ax)
    x = canvas.text(0, 0, "image") / 2 + 0.06
    for label, weighted in stem:
        x = _draw_layer(canvas, x, label, WEIGHTS if weighted else OTHER)
    for stage, shown in zip(stages, _shown(kinds), strict=True):
        x = _draw_stage(canvas, x, stage, shown, max(pixels for *_, pixels in stages))
    for label, weighted in head:
        x = _draw_layer(canvas, x, label, WEIGHTS if weighted else OTHER)
    _draw_legend(canvas, x / 2, kinds)
    before, after = (sum(weighted for _, weighted in part) for part in (stem, head))
    inside = [(count, len(KERNELS[kind])) for count, kind, _, _ in stages]
    depth = before + sum(count * layers for count, layers in inside) + after
    terms = " + ".join([str(before), *(f"{n} × {layers}" for n, layers in inside), str(after)])
    canvas.text(x / 2, -1.78, f"depth: {terms} = {depth} weighted layers", **BOLD)
    canvas.text(x / 2, -2.02, "In a block, each bar is a weighted layer.")

    parts = [label for label, _ in stem]
    for i, (count, kind, channels, pixels) in enumerate(stages, start=1):
        blocks = f"{count} {kind} block{'s' * (count > 1)}"
        parts.append(f"stage {i} ({blocks}, {channels} channels, {pixels} × {pixels} pixels)")
    flow = " → ".join(" ".join(part.split()) for part in [*parts, *(label for label, _ in head)])
    return canvas.finish(), (
        f"{'Plain' if shortcut == 'none' else 'Residual'} network of {depth} weighted layers "
        f"({terms}), from left to right: image → {flow}. {_shortcuts_in_words(kinds)}"
    )


def course_map(
    lessons: list[tuple[int | str, str, str]],
    edges: list[tuple[int | str, int | str]] | None = None,
    ax: Axes | None = None,
) -> tuple[Axes, str]:
    """Draw the lessons from top to bottom, with arrows from each to those that build on it.

    Args:
        lessons: list of (number, title, question), in reading order.
        edges: pairs of numbers, (lesson, lesson that builds on it); each lesson on the one before
            it by default.
        ax: Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        ValueError: there are no lessons, a number comes twice, or an edge does not lead from a
            lesson to a later one.
    """
    for entry in sequence("lessons", lessons):
        _, title, question = row("lessons", entry, "(number, title, question)")
        text_value("lessons", title)
        text_value("lessons", question)
    names = [str(number).zfill(2) for number, _, _ in lessons]
    if len(set(names)) < len(names):
        raise ValueError(f"lessons must have numbers, each its own. Received: {lessons!r}")
    if edges is None:
        edges = list(itertools.pairwise(names))
    edges = [
        tuple(str(number).zfill(2) for number in row("edges", edge, "(lesson, later lesson)"))
        for edge in sequence("edges", edges, least=0)
    ]
    for edge in edges:
        if not {*edge} <= {*names} or names.index(edge[0]) >= names.index(edge[1]):
            raise ValueError(f"edges must lead from a lesson to a later one. Received: {edge!r}")
    canvas = Canvas(ax)
    questions = [textwrap.fill(question, 56) for _, _, question in lessons]
    second = 1.1 + canvas.size([title for _, title, _ in lessons], **BOLD)[0]
    right = second + canvas.size(questions)[0] + 0.2
    y, spans = 0.0, []  # spans: top and bottom of each lesson
    for name, (_, title, _), question in zip(names, lessons, questions, strict=True):
        height = canvas.size([question])[1] + 0.26
        canvas.box(right / 2, y - height / 2, right, height, "", OTHER)
        canvas.text(0.38, y - height / 2, name, fontsize=16, color=BLUE, **BOLD)
        canvas.text(0.75, y - height / 2, title, ha="left", **BOLD)
        canvas.text(second, y - height / 2, question, ha="left")
        spans.append((y, y - height))
        y -= height + 0.24
    arrow = {"color": BLUE, "linewidth": 2}
    for start, end in edges:
        i, j = names.index(start), names.index(end)
        if j == i + 1:
            canvas.line([(0.38, spans[i][1]), (0.38, spans[j][0])], **arrow)
        else:
            high, low = sum(spans[i]) / 2 - 0.07, sum(spans[j]) / 2 + 0.07
            out = -0.3 - 0.11 * (j - i)
            canvas.line([(0, high), (out, high), (out, low), (0, low)], curve=True, **arrow)
    listed = "; ".join(f"{n} {t}: {q}" for n, (_, t, q) in zip(names, lessons, strict=True))
    arrows = ", ".join(" → ".join(edge) for edge in edges)
    return canvas.finish(), (
        f"Map of the course, {len(lessons)} lessons from top to bottom. {listed} "
        f"Arrows, each to a lesson that builds on another: {arrows or 'none'}."
    )


def _draw_block(canvas, x, made, title=None):
    """Draw a block around the vertical line at x, its input at y = 0; return its right edge."""
    groups, residual = made.branch(), made.shortcut != "none"
    width = canvas.size([layer for group in groups for layer in group])[0] + 0.4
    right, top = x + width / 2, -0.74
    if title:
        canvas.text(x, 0.4, title, fontsize=15, **BOLD)
    canvas.text(x, 0, f"$x$: {made.in_filters} channels")
    canvas.line([(x, -0.14), (x, top)])
    bottom = _draw_stack(canvas, x, top, groups, width)
    left = x - width / 2 - 0.2
    bracket = [(left + 0.1, top), (left, top), (left, bottom), (left + 0.1, bottom)]
    canvas.line(bracket, head=0)
    canvas.text(left - 0.1, (top + bottom) / 2, "$F(x)$" if residual else "$H(x)$", ha="right")
    # Beside a residual block, the plain one keeps its boxes at the same height.
    relu = bottom - (1.2 if residual or title else 0.4)
    if residual:
        add = bottom - 0.5
        canvas.line([(x, bottom), (x, add + RADIUS)])
        right = _draw_shortcut(canvas, x, right, add, made)
        canvas.addition(x, add, RADIUS)
        canvas.text(x - RADIUS - 0.1, add, "addition", ha="right")
        canvas.text(x + 0.12, (add + relu) / 2 - 0.06, f"$F(x)$ + {made.carried(DRAWN)}", ha="left")
    canvas.line([(x, bottom if not residual else add - RADIUS), (x, relu)])
    bottom = _draw_stack(canvas, x, relu, [["ReLU"]], width)
    canvas.line([(x, bottom), (x, bottom - 0.32)])
    canvas.text(x, bottom - 0.45, f"output: {made.filters[-1]} channels")
    return right


def _draw_stack(canvas, x, y, groups, width):
    """Draw boxes downwards from y, an arrow before each further group; return the lower end."""
    for i, group in enumerate(groups):
        if i:
            canvas.line([(x, y), (x, y - 0.3)])
            y -= 0.3
        for layer in group:
            style = WEIGHTS if "conv" in layer else RELU if layer == "ReLU" else OTHER
            height = 0.4 if style is WEIGHTS else 0.32
            canvas.box(x, y - height / 2, width, height, layer, style)
            y -= height
    return y


def _draw_shortcut(canvas, x, side, add, made):
    """Draw the shortcut to the right of a branch that ends at ``side``; return its right edge."""
    steps, label, fork = made.carry(), f"{made.shortcut} shortcut", -0.44
    half = (canvas.size(steps)[0] + 0.36) / 2 if steps else 0.05
    line = max(side + 0.35 + half, x + canvas.size([label])[0] + 0.4)
    canvas.line([(x, fork), (line, fork), (line, add), (x + RADIUS, add)], **SHORTCUT)
    canvas.text(x + 0.15, fork + 0.06, label, ha="left", va="bottom")
    canvas.text((x + RADIUS + line) / 2, add + 0.07, made.carried(DRAWN), va="bottom")
    _draw_stack(canvas, line, (fork + add) / 2 + 0.2 * len(steps), [steps], 2 * half)
    return line + half


def _draw_layer(canvas, x, text, style):
    """Draw a layer outside the blocks, and the arrow from x to it; return its right end."""
    width, height = canvas.size([text])
    width += 0.2
    canvas.line([(x, 0), (x + 0.24, 0)], head=9)
    canvas.box(x + 0.24 + width / 2, 0, width, max(0.9, height + 0.24), text, style)
    return x + 0.24 + width


def _draw_stage(canvas, x, stage, shown, largest):
    """Draw a stage's blocks from x on and its label; ``shown`` as of ``_shown``; return its end."""
    count, kind, channels, pixels = stage
    layers = len(KERNELS[kind])
    block_width, height = 0.12 * layers + 0.05, max(0.55, 1.25 * (pixels / largest) ** 0.5)
    before, after = 0.28, 0 if shown[0] == "none" else 0.26  # room for the arrow, the addition
    label = f"{kind} × {count}\n{channels} channels\n{pixels} × {pixels} pixels"
    need = sum(before + (block_width + after if one else 0.3) for one in shown)
    extra = max(0, canvas.size([label])[0] + 0.2 - need) / 2
    first = x + extra + before
    for i, one in enumerate(shown):
        start, x = x, x + before + extra * (i == 0)
        if one is None:
            x = start + 0.5
            canvas.text(start + 0.25, 0, "⋯", fontsize=18)
            continue
        canvas.line([(start, 0), (x, 0)], head=9)
        canvas.box(x + block_width / 2, 0, block_width, height, "", OTHER)
        for k in range(layers):
            canvas.box(x + 0.085 + 0.12 * k, 0, 0.07, height - 0.14, "", BAR, rounding=0.01)
        x += block_width
        if one != "none":
            fork, add, peak = x - block_width - 0.2, x + 0.17, (height / 2 + 0.32) * 4 / 3
            canvas.line([(x, 0), (add, 0)], head=0)
            arc = [(fork, 0), (fork, peak), (add, peak), (add, 0.09)]
            canvas.line(arc, curve=True, **SHORTCUT | {"linestyle": LINES[one]})
            canvas.addition(add, 0, 0.09)
            x = add + 0.09
    end = x - (after if shown[-1] else 0)
    canvas.line([(first, -0.72), (first, -0.8), (end, -0.8), (end, -0.72)], head=0)
    canvas.text((first + end) / 2, -0.9, label, va="top")
    canvas.line([(x, 0), (x + extra, 0)], head=0)
    return x + extra


def _draw_legend(canvas, x, kinds):
    """Name the shortcuts of a network above it, centred at x."""
    every = sorted({kind for stage in kinds for kind in stage}, reverse=True)
    if every == ["none"]:
        canvas.text(x, 0.9, "plain: no shortcuts")
        return
    names = {kind: f"{kind} shortcut where the shape changes" for kind in every}
    if "identity" in names:
        names["identity"] = "identity shortcut" + " elsewhere" * (len(every) > 1)
    widths = [0.6 + canvas.size([name])[0] for name in names.values()]
    x -= (sum(widths) + 0.4 * (len(widths) - 1)) / 2
    for (kind, name), width in zip(names.items(), widths, strict=True):
        style = SHORTCUT | {"linestyle": LINES[kind]}
        canvas.line([(x, 1.2), (x + 0.5, 1.2)], head=0, **style)
        canvas.text(x + 0.6, 1.2, name, ha="left")
        x += width + 0.4


def _shortcut_kinds(stages, shortcut, in_filters):
    """Check a network's arguments; return for each stage a list of its blocks' shortcuts."""
    one_of("shortcut", shortcut, SHORTCUTS)
    for stage in sequence("stages", stages):
        count, kind, channels, pixels = row("stages", stage, "(blocks, kind, channels, pixels)")
        one_of("kind in stages", kind, KERNELS)
        for name, value in (("blocks", count), ("channels", channels), ("pixels", pixels)):
            whole_number(f"{name} in stages", value, least=1, most=MOST_WIDTH)
    if in_filters is not None:
        whole_number("in_filters", in_filters, least=1, most=MOST_WIDTH)
    before = tuple(stages[0][2:]) if in_filters is None else (in_filters, stages[0][3])
    kinds = []
    for count, _, channels, pixels in stages:
        _check_fit(shortcut, before[0], channels, before[1] != pixels)
        rest = "none" if shortcut == "none" else "identity"
        first = rest if before == (channels, pixels) else shortcut
        kinds.append([first] + [rest] * (count - 1))
        before = (channels, pixels)
    return kinds


def _shown(kinds):
    """Return which blocks of each stage to draw, by their shortcuts; None is an ellipsis."""
    if sum(map(len, kinds)) <= 6:
        return kinds
    room = max(2, 6 // len(kinds))
    shorter = [[*k[: max(1, room - 2)], None, *k[len(k) - (room > 2) :]] for k in kinds]
    return [k if len(k) <= room else few for k, few in zip(kinds, shorter, strict=True)]


def _shortcuts_in_words(kinds):
    every = {kind for stage in kinds for kind in stage}
    if "none" in every:
        return "No block has a shortcut."
    if every == {"identity"}:
        return "An identity shortcut goes around each block, to an addition right after it."
    changed = [str(i) for i, stage in enumerate(kinds, start=1) if stage[0] != "identity"]
    where = " and ".join([", ".join(changed[:-1]), changed[-1]] if changed[1:] else changed)
    others = " Around each other block goes an identity shortcut." * ("identity" in every)
    return (
        f"{_sentence(_a(*every - {'identity'}))} shortcut goes around the first block of "
        f"stage{'s' * (len(changed) > 1)} {where}, where the shape changes, to an addition right "
        f"after it.{others}"
    )


def _checked(kind, shortcut, filters, in_filters, stride, normalisation):
    one_of("kind", kind, KERNELS)
    one_of("shortcut", shortcut, SHORTCUTS)
    filters = FILTERS[kind] if filters is None else tuple(sequence("filters", filters))
    if len(filters) != len(KERNELS[kind]):
        raise ValueError(f"filters must be {len(KERNELS[kind])} numbers. Received: {filters!r}")
    for width in filters:
        whole_number("filters", width, least=1, most=MOST_WIDTH)
    whole_number("in_filters", in_filters, least=1, most=MOST_WIDTH)
    whole_number("stride", stride, least=1, most=MOST_WIDTH)
    truth_value("normalisation", normalisation)
    _check_fit(shortcut, in_filters, filters[-1], stride != 1)
    return _Block(kind, shortcut, filters, in_filters, stride, normalisation)


def _check_fit(shortcut, before, after, resized):
    change = f"{before} channels in, {after} out" + ", fewer pixels out" * resized
    if shortcut == "identity" and (before != after or resized):
        raise ValueError(f"shortcut='identity' needs equal shapes. Received: {change}")
    if shortcut == "padded" and before > after:
        raise ValueError(f"shortcut='padded' cannot drop channels. Received: {change}")


def _a(kind):
    return f"{'an' if kind == 'identity' else 'a'} {kind}"


def _sentence(text):
    return text[0].upper() + text[1:]
