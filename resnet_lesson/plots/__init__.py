"""Figures: records and arrays in, (Axes, text alternative) out.

``show`` puts a figure into a notebook together with its text alternative. Colours are those of
Okabe and Ito, which colour-blind readers can tell apart, and never stand alone: line style and
marker follow them.
"""

from resnet_lesson.plots.grids import number_grids
from resnet_lesson.plots.intervals import intervals
from resnet_lesson.plots.lines import curves, dots, learning_curves
from resnet_lesson.plots.page import show, table
from resnet_lesson.plots.pictures import confusion_matrix, contours, digit_grid

__all__ = [
    "confusion_matrix",
    "contours",
    "curves",
    "digit_grid",
    "dots",
    "intervals",
    "learning_curves",
    "number_grids",
    "show",
    "table",
]
