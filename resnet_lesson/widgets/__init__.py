"""What moves in a notebook: sliders below a figure, and a field to draw in."""

from resnet_lesson.widgets.pad import draw_digit
from resnet_lesson.widgets.sliders import explore

__all__ = ["draw_digit", "explore"]
