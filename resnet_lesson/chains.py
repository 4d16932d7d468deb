"""Diagrams of networks as rows of layers: plain data in, (Axes, text alternative) out."""

from matplotlib.axes import Axes

from resnet_lesson.arguments import dictionary, one_of, row, sequence, text_value
from resnet_lesson.canvas import FONT, GREY, Canvas

# Each kind of layer differs by its outline too, for those who do not see its colour.
STYLES = {
    "learnt": {"facecolor": "#CFE8F8", "edgecolor": "#0072B2", "linewidth": 1.8},
    "identity": {"facecolor": "white", "edgecolor": "#D55E00", "linewidth": 1.8, "linestyle": "--"},
    "other": {"facecolor": "white", "edgecolor": GREY},
}
HEIGHT, GAP, ROW = 0.42, 0.3, 0.95  # inches


def chains(rows: dict[str, list[tuple[str, str]]], ax: Axes | None = None) -> tuple[Axes, str]:
    """Draw networks under each other, each as a row of layers from left to right.

    Args:
        rows: the network's name → its layers, each (text, kind) with a kind of ``"learnt"``,
            ``"identity"`` or ``"other"``.
        ax: Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: there is no row, a row is empty, or a kind is unknown.
    """
    for layers in dictionary("rows", rows).values():
        for layer in sequence("rows", layers):
            text, kind = row("rows", layer, "(text, kind)")
            text_value("rows", text)
            one_of("kind", kind, STYLES)
    canvas = Canvas(ax)
    for number, (name, layers) in enumerate(rows.items()):
        x, y = 0.0, -ROW * number
        canvas.text(x, y + HEIGHT / 2 + 0.16, name, ha="left", fontsize=FONT, fontweight="bold")
        for i, (label, kind) in enumerate(layers):
            width = canvas.size([label])[0] + 0.25
            if i:
                canvas.line([(x, y), (x + GAP, y)])
                x += GAP
            canvas.box(x + width / 2, y, width, HEIGHT, label, STYLES[kind])
            x += width
    sentences = [
        f"{name}: {', '.join(label for label, _ in layers)}" for name, layers in rows.items()
    ]
    return canvas.finish(), f"Layers from left to right. {'. '.join(sentences)}."
