"""The article's changing block: what is drawn, and the text alternative that says it."""

import matplotlib.pyplot as plt
import pytest
from drawings import no_warnings, shapes_apart

from resnet_lesson.article_diagrams import article_blocks

pytestmark = no_warnings


@pytest.fixture
def drawn():
    plt.close("all")
    yield article_blocks()
    plt.close("all")


def test_both_blocks_and_what_differs_between_them(drawn):
    ax, alt = drawn
    middle = sum(ax.get_xlim()) / 2
    sides = [
        [text.get_text() for text in ax.texts if (text.get_position()[0] > middle) == right]
        for right in (False, True)
    ]
    left, right = sides
    assert (left[0], right[0]) == ("as written", "repaired")
    assert (left.count("ReLU"), right.count("ReLU")) == (4, 3)
    assert sum("kernel W" in text or "W again" in text for text in left) == 2
    assert [text for text in right if "kernel" in text] == [
        "1×1 conv, 32: kernel W",
        "1×1 conv, 32: kernel V",
    ]
    assert ("+ a second bias" in left, "+ a second bias" in right) == (True, False)
    for words in (
        "as written: a ReLU follows",
        "same kernel W",
        "a kernel V of the shortcut's own",
    ):
        assert words in alt


def test_nothing_covers_anything_else(drawn):
    ax, _ = drawn
    shapes_apart(ax, (8 + 1 + 1) + (6 + 1 + 1))
