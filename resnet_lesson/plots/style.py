"""What all figures share: colours, Axes, and how they are labelled.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart, and never stand
alone: line style and marker follow them. Blue is plain, vermilion residual and green faded, in
every figure, in the diagrams and in the microscope; whatever else is drawn takes another colour.
"""

import itertools
import re

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.ticker import LogFormatter, LogLocator

BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
# The words of a name that tell which network it is: the first that is found decides.
KINDS = {
    GREEN: r"faded|fading",
    BLUE: r"plain|no shortcuts?",
    VERMILION: r"residual|baseline|one addition|shortcuts kept|with shortcuts",
}
OTHERS = ("#000000", "#CC79A7", "#E69F00", "#56B4E9")
LINES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")
# A reader's matplotlibrc may ask for LaTeX, which may be missing and takes % and _ for commands.
plt.rcParams["text.usetex"] = False
plt.rcParams["font.size"] = 12  # to be read on a phone, and from the last row

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def colour_of(name, other=GREY):
    """Return the colour of the kind of network that a name tells of, or else the other one."""
    found = (colour for colour, words in KINDS.items() if re.search(rf"\b({words})\b", name))
    return next(found, other)


def darker(colour, share):
    """Return a colour mixed with black: at a share of 0 itself, at 1 black."""
    return tuple(np.multiply(to_rgb(colour), 1 - share))


def styled(series):
    """Yield (name, values, colour, line style, marker) for each entry of a dictionary.

    Where one kind of network has several entries, such as several depths, they grow darker.
    """
    kinds = [colour_of(name, None) for name in series]
    others, looks = itertools.cycle(OTHERS), itertools.cycle(zip(LINES, MARKERS, strict=True))
    for at, ((name, values), look) in enumerate(zip(series.items(), looks, strict=False)):
        if kinds[at] is None:
            colour = next(others)
        else:
            before, all_of_kind = kinds[:at].count(kinds[at]), kinds.count(kinds[at])
            colour = darker(kinds[at], 0.35 * before / max(all_of_kind - 1, 1))
        yield name, values, colour, *look


def axes_or_new(ax, width, height):
    """Return the Axes that were given, or those of a new figure of this size in inches."""
    return ax or plt.subplots(figsize=(width, height), layout="constrained")[1]


def opened(title, words):
    """Return a text alternative, which a title opens."""
    return f"{title}: {words}" if title else words


def label_ends(ax, most):
    """Name each line at its right end; in a legend, where there are more lines than ``most``."""
    lines, names = ax.get_legend_handles_labels()
    if not lines:
        return
    if len(lines) > most:
        ax.legend()
        return
    ends = np.array([line.get_ydata()[-1] for line in lines], float)
    ends[np.isnan(ends)] = ax.get_ylim()[1]  # of a run that diverged
    across = ax.get_yaxis_transform()  # from 0 to 1 across, and as the lines upwards
    at = across.transform([(1, end) for end in ends])[:, 1] * 72 / ax.figure.dpi  # points
    order, heights = np.argsort(at), at.copy()
    for lower, upper in itertools.pairwise(order):
        heights[upper] = max(heights[upper], heights[lower] + 18)  # one line of text
    heights -= max(0, heights.max() - ax.bbox.y1 * 72 / ax.figure.dpi)
    look = {"xycoords": across, "textcoords": "offset points", "va": "center"}
    for line, name, end, up in zip(lines, names, ends, heights - at, strict=True):
        # As text, the light ones would be hard to read.
        colour = darker(line.get_color(), 0.15 if colour_of(name, None) else 0.3)
        ax.annotate(name, (1, end), (6, up), color=colour, **look)


def finish(ax, title, words, **settings):
    """Label the Axes as ``ax.set`` does, lay a grid; return them and the text alternative."""
    ax.set(**settings)
    # Without y, Matplotlib looks for a free place, which takes half of the drawing's time.
    ax.set_title(title or "", y=1)
    for axis in (ax.xaxis, ax.yaxis):
        if isinstance(axis.get_major_locator(), LogLocator):
            # An axis over two powers of ten has labels between them, too.
            axis.set_major_formatter(_LogLabels(minor_thresholds=(2.5, 0.4)))
            axis.set_minor_formatter(_LogLabels(minor_thresholds=(2.5, 0.4)))
    ax.grid(alpha=0.3)
    return ax, opened(title, words)


class _LogLabels(LogFormatter):
    """Labels as one reads them: 0.001 and 0.01, or, where an axis goes far, 10⁻⁷ and 10⁻⁶.

    Matplotlib decides which ticks get one. It would set formulas, which takes long.
    """

    def __call__(self, x, pos=None):
        if not super().__call__(x, pos):
            return ""
        low, high = sorted(self.axis.get_view_interval())
        if self.axis.axis_name == "x" and high > 10 * low and f"{x:.0e}"[0] == "4":
            return ""  # it would run into the 3
        if (low > 1e-4 and high < 1e5) or 1 <= x < 100:
            return f"{x:g}"
        digit, power = f"{x:.0e}".split("e")
        power = str(int(power)).translate(SUPERSCRIPTS)
        return f"10{power}" if digit == "1" else f"{digit}·10{power}"
