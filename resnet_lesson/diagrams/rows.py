"""Diagram of networks as rows of layers."""

from resnet_lesson.diagrams.canvas import BOLD, OTHER, VERMILION, WEIGHTS, Canvas
from resnet_lesson.plumbing.constraints import TEXT, Dictionary, ListOf, OneOf, Row, checked

# Each kind of layer differs by its outline too, for those who do not see its colour.
IDENTITY = {"facecolor": "white", "edgecolor": VERMILION, "linewidth": 1.8, "linestyle": "--"}
STYLES = {"learnt": WEIGHTS, "identity": IDENTITY, "other": OTHER}
HEIGHT, GAP, ROW = 0.42, 0.3, 0.95  # inches


@checked(rows=Dictionary(ListOf(Row("(text, kind)", TEXT, OneOf(*STYLES)))))
def chains(rows, ax=None):
    """Draw networks under each other, each as a row of layers from left to right.

    Args:
        rows: the network's name → its layers, each (text, kind) with a kind of ``"learnt"``,
            ``"identity"`` or ``"other"``.
        ax: matplotlib Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: there is no row, a row is empty, or a kind is unknown.
    """
    canvas, sentences = Canvas(ax), []
    for number, (name, layers) in enumerate(rows.items()):
        x, y = 0.0, -ROW * number
        canvas.text(x, y + HEIGHT / 2 + 0.16, name, ha="left", **BOLD)
        for i, (label, kind) in enumerate(layers):
            width = canvas.size(label)[0] + 0.25
            if i:
                canvas.line((x, y), (x + GAP, y))
                x += GAP
            canvas.box(x + width / 2, y, width, HEIGHT, label, STYLES[kind])
            x += width
        sentences.append(f"{name}: {', '.join(label for label, _ in layers)}")
    return canvas.finish(), f"Layers from left to right. {'. '.join(sentences)}."
