"""Figures: records and arrays in, (Axes, text alternative) out.

``show`` puts a figure into a notebook together with its text alternative.
"""
# ruff: noqa: F401 - the names that this room offers.

from .lines import curves, dots, intervals, learning_curves
from .page import show, table
from .pictures import confusion_matrix, contours, digit_grid, number_grids
