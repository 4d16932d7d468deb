"""What moves in a notebook: sliders below a figure, a field to draw in, and the microscope."""
# ruff: noqa: F401 - the names that this room offers.

from .microscope import open_microscope
from .pad import draw_digit
from .sliders import explore
