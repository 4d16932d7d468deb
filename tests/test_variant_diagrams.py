"""The orders of a block's parts: what is drawn, and the text alternative that says it."""

import matplotlib.pyplot as plt
import pytest
from drawings import no_warnings, shapes_apart

from resnet_lesson.variant_diagrams import APART, SHOWN, block_orders
from resnet_lesson.variants import ORDERS

pytestmark = no_warnings


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
    shapes_apart(ax, sum(len(ORDERS[variant].split()) for variant in SHOWN))
