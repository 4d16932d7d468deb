"""What tests of diagrams share."""

import itertools

import pytest
from matplotlib.patches import Circle, FancyBboxPatch

# Matplotlib 3.8 to 3.10 use names that the newest pyparsing has renamed: "'oneOf' deprecated …".
no_warnings = pytest.mark.filterwarnings(
    "error", r"ignore:'\w+' (argument is )?deprecated:DeprecationWarning"
)


def shapes_apart(ax, count):
    """Assert that so many boxes and circles are drawn, and that none covers another."""
    shapes = [patch for patch in ax.patches if isinstance(patch, (FancyBboxPatch, Circle))]
    assert len(shapes) == count
    for one, other in itertools.combinations([shape.get_window_extent() for shape in shapes], 2):
        apart = max(one.x0, other.x0) >= min(one.x1, other.x1)
        assert apart or max(one.y0, other.y0) >= min(one.y1, other.y1)
