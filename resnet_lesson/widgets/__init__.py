"""What moves in a notebook: sliders below a figure, and a field to draw in."""
# ruff: noqa: F401 - the names that this room offers.

from .pad import draw_digit
from .sliders import explore
