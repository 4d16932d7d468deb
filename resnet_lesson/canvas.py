"""Axes to draw diagrams on: boxes, lines and texts, measured in inches."""

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.text import Text

from resnet_lesson.arguments import axes_or_none

FONT = 12  # points
GREY = "#555555"


class Canvas:
    """Axes measured in inches, y upwards, that are fitted around the drawing at last."""

    def __init__(self, ax):
        axes_or_none("ax", ax)
        self.new = ax is None
        self.ax = plt.figure().add_axes((0, 0, 1, 1)) if ax is None else ax
        self.ax.figure.set_facecolor("white")
        # Not set_axis_off: the Axes stay opaque, whatever colour a figure is saved with.
        self.ax.set(facecolor="white", xticks=[], yticks=[])
        self.ax.spines[:].set_visible(False)
        self.texts, self.patches, self.xs, self.ys = [], [], [], []

    def size(self, strings, **style):
        """Return the greatest width and the greatest height of texts, in inches."""
        extents = []
        for string in strings:
            text = self.ax.text(0, 0, string, fontsize=FONT, **style)
            extents.append(text.get_window_extent())
            text.remove()
        dpi = self.ax.figure.dpi
        return max(one.width for one in extents) / dpi, max(one.height for one in extents) / dpi

    def text(self, x, y, string, ha="center", va="center", **style):
        """Write a text and return its width."""
        style = {"fontsize": FONT, "color": "black", "zorder": 4} | style
        text = self.ax.text(x, y, string, ha=ha, va=va, **style)
        extent = text.get_window_extent()
        width, height = extent.width / self.ax.figure.dpi, extent.height / self.ax.figure.dpi
        left = x - width * {"left": 0, "center": 0.5, "right": 1}[ha]
        bottom = y - height * {"bottom": 0, "center": 0.5, "top": 1}[va]
        self._note(text, [left, left + width], [bottom, bottom + height])
        return width

    def box(self, x, y, width, height, text, style, rounding=0.06):
        """Draw a box around (x, y) with a text in it."""
        left, bottom = x - width / 2, y - height / 2
        shape = f"round,pad=0,rounding_size={rounding}"
        patch = FancyBboxPatch((left, bottom), width, height, boxstyle=shape, zorder=3, **style)
        self._note(patch, [left, left + width], [bottom, bottom + height])
        if text:
            self.text(x, y, text)

    def line(self, points, head=12, curve=False, **style):
        """Draw a line through the points, or a Bézier curve by four; head: its size in points."""
        codes = [Path.MOVETO, *[Path.CURVE4 if curve else Path.LINETO] * (len(points) - 1)]
        style = {"color": GREY, "linewidth": 1.6, "zorder": 2} | style
        arrow = {"arrowstyle": "-|>" if head else "-", "mutation_scale": head}
        ends = {"capstyle": "butt", "joinstyle": "round"}
        patch = FancyArrowPatch(path=Path(points, codes), **arrow, **ends, **style)
        self._note(patch, *zip(*points, strict=True))

    def addition(self, x, y, radius):
        """Draw ⊕ at (x, y)."""
        circle = Circle((x, y), radius, facecolor="white", edgecolor="black", linewidth=1.6)
        self._note(circle, [x - radius, x + radius], [y - radius, y + radius])
        for dx, dy in ((radius, 0), (0, radius)):
            ends = [(x - dx, y - dy), (x + dx, y + dy)]
            self.line(ends, head=0, color="black", zorder=5)

    def _note(self, artist, xs, ys):
        """Keep what the fitting needs."""
        self.xs += xs
        self.ys += ys
        if isinstance(artist, Text):
            self.texts.append(artist)
        else:
            self.patches.append(self.ax.add_patch(artist))

    def finish(self):
        """Fit the figure to the drawing, or the drawing to given Axes; return the Axes."""
        margin, ax = 0.12, self.ax
        left, right = min(self.xs) - margin, max(self.xs) + margin
        bottom, top = min(self.ys) - margin, max(self.ys) + margin
        if self.new:
            ax.figure.set_size_inches(right - left, top - bottom)
        ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
        room = ax.get_window_extent()
        scale = min(room.width / (right - left), room.height / (top - bottom)) / ax.figure.dpi
        for text in self.texts:
            text.set_fontsize(text.get_fontsize() * scale)
        for patch in self.patches:
            patch.set_linewidth(patch.get_linewidth() * scale)
            if isinstance(patch, FancyArrowPatch):
                patch.set_mutation_scale(patch.get_mutation_scale() * scale)
        return ax
