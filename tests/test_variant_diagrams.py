"""The orders of a block's parts: what is drawn, and the text alternative that says it."""

import itertools

import matplotlib.pyplot as plt
import pytest
from matplotlib.patches import Circle, FancyBboxPatch

from resnet_lesson.variant_diagrams import APART, SHOWN, block_orders
from resnet_lesson.variants import ORDERS

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def drawn():
    plt.close("all")
    yield block_orders()
    plt.close("all")


def test_each_block_has_its_parts_from_top_to_bottom(drawn):
    ax, alt = drawn
    for i, variant in enumerate(SHOWN):
        column = [t for t in ax.texts if abs(t.get_position()[0] - i * APART) < 0.1]
        column.sort(key=lambda text: -text.get_position()[1])
        parts = ORDERS[variant].replace(" add", "").replace("out", "relu").split()
        names = [part.rstrip("123").replace("relu", "ReLU") for part in parts]
        assert [text.get_text() for text in column] == ["$x$", *names]
    assert (
        "norm after addition: conv, norm, ReLU, conv, norm, ReLU, conv; after the addition" in alt
    )
    assert alt.endswith("norm, ReLU, conv; after the addition nothing.")


def test_nothing_covers_anything_else(drawn):
    ax, _ = drawn
    shapes = [patch for patch in ax.patches if isinstance(patch, (FancyBboxPatch, Circle))]
    assert len(shapes) == sum(len(ORDERS[variant].split()) for variant in SHOWN)
    for one, other in itertools.combinations([shape.get_window_extent() for shape in shapes], 2):
        apart = max(one.x0, other.x0) >= min(one.x1, other.x1)
        assert apart or max(one.y0, other.y0) >= min(one.y1, other.y1)
