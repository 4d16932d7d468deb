"""Axes to draw diagrams on: boxes, lines and texts, measured in inches, in one style.

Weight layers are blue, ReLUs yellow, shortcuts thick and vermilion (Okabe–Ito colours); each is
told by its text or its line as well. The figure is made as large as its drawing, and on given Axes
the drawing, texts included, is scaled to fit.
"""

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from resnet_lesson.plots.style import BLUE, GREY, VERMILION

FONT = 12  # points
RADIUS, MARGIN = 0.17, 0.12  # inches: of an addition, and around the drawing
WEIGHTS = {"facecolor": "#CFE8F8", "edgecolor": BLUE, "linewidth": 1.8}
RELU = {"facecolor": "#FBF6B9", "edgecolor": "#8A7F00"}
OTHER = {"facecolor": "white", "edgecolor": GREY}
SHORTCUT = {"color": VERMILION, "linewidth": 3}
BOLD = {"fontweight": "bold"}


class Canvas:
    """Axes measured in inches, y upwards, that are fitted around the drawing at last."""

    def __init__(self, ax):
        """Draw on the given Axes, or on a new figure if they are None."""
        self.new = ax is None
        self.ax = ax = plt.figure().add_axes((0, 0, 1, 1)) if ax is None else ax
        ax.figure.set_facecolor("white")
        # Not set_axis_off: the Axes stay opaque, whatever colour a figure is saved with.
        ax.set(facecolor="white", xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        width, height = ax.get_window_extent().size / ax.figure.dpi
        ax.set(xlim=(0, width), ylim=(0, height))

    def size(self, *lines, **style):
        """Return the width and the height of lines of text, in inches."""
        text = self.ax.text(0, 0, "\n".join(lines), fontsize=FONT, **style)
        size = text.get_window_extent().size / self.ax.figure.dpi
        text.remove()
        return size

    def text(self, x, y, string, ha="center", va="center", **style):
        """Write a text and return its width."""
        style = {"fontsize": FONT, "color": "black", "zorder": 4} | style
        text = self.ax.text(x, y, string, ha=ha, va=va, **style)
        return text.get_window_extent().width / self.ax.figure.dpi

    def box(self, x, y, width, height, text, style, rounding=0.06):
        """Draw a box around (x, y) with a text in it."""
        corner, shape = (x - width / 2, y - height / 2), f"round,pad=0,rounding_size={rounding}"
        self.ax.add_patch(FancyBboxPatch(corner, width, height, boxstyle=shape, zorder=3, **style))
        if text:
            self.text(x, y, text)

    def line(self, *points, head=12, curve=False, **style):
        """Draw a line through the points, or a Bézier curve by four; head: its size in points."""
        codes = [Path.MOVETO, *[Path.CURVE4 if curve else Path.LINETO] * (len(points) - 1)]
        arrow = {"arrowstyle": "-|>" if head else "-", "mutation_scale": head}
        style = arrow | {"color": GREY, "linewidth": 1.6, "zorder": 2, "capstyle": "butt"} | style
        self.ax.add_patch(FancyArrowPatch(path=Path(points, codes), joinstyle="round", **style))

    def addition(self, x, y, radius=RADIUS):
        """Draw ⊕ at (x, y)."""
        style = {"facecolor": "white", "edgecolor": "black", "linewidth": 1.6}
        self.ax.add_patch(Circle((x, y), radius, **style))
        self.line((x - radius, y), (x + radius, y), head=0, color="black", zorder=5)
        self.line((x, y - radius), (x, y + radius), head=0, color="black", zorder=5)

    def stack(self, x, y, layers, width, gap=0):
        """Draw layers as boxes from y downwards; return the lower end.

        They stand apart by a gap, or else with an arrow to each convolution but the first.
        """
        for i, layer in enumerate(layers):
            is_conv = "conv" in layer
            if is_conv and i and not gap:
                self.line((x, y), (x, y - 0.3))
                y -= 0.3
            style = WEIGHTS if is_conv else RELU if layer == "ReLU" else OTHER
            height = 0.4 if is_conv else 0.32
            self.box(x, y - height / 2, width, height, layer, style)
            y -= height + gap
        return y

    def join(self, x, branch, add, fork, side):
        """Draw the addition at (x, add) of a branch and a shortcut, and the lines that lead there.

        The branch comes from (x, branch); the shortcut from ``fork``, a point, by way of x = side.
        """
        self.line((x, branch), (x, add + RADIUS))
        self.line(fork, (side, fork[1]), (side, add), (x + RADIUS, add), **SHORTCUT)
        self.addition(x, add)

    def finish(self):
        """Fit the figure to the drawing, or the drawing to given Axes; return the Axes."""
        ax, patches = self.ax, self.ax.patches
        extents = [artist.get_window_extent() for artist in (*ax.texts, *patches)]
        drawn = Bbox.union(extents).transformed(ax.transData.inverted()).padded(MARGIN)
        if self.new:
            ax.figure.set_size_inches(drawn.size)
        ax.set(xlim=drawn.intervalx, ylim=drawn.intervaly, aspect="equal")
        scale = min(ax.get_window_extent().size / drawn.size) / ax.figure.dpi
        for text in ax.texts:
            text.set_fontsize(text.get_fontsize() * scale)
        for patch in patches:
            patch.set_linewidth(patch.get_linewidth() * scale)
            if isinstance(patch, FancyArrowPatch):
                patch.set_mutation_scale(patch.get_mutation_scale() * scale)
        return ax
