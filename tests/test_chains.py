"""Rows of layers: what is drawn, and the text alternative that says it."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.patches import FancyBboxPatch

from resnet_lesson.chains import STYLES, chains

ROWS = {
    "shallow": [("image", "other"), ("layer 1", "learnt"), ("logits", "learnt")],
    "deep": [("image", "other"), ("layer 1", "learnt"), ("identity", "identity")],
}


def test_chains():
    ax, alt = chains(ROWS)
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    assert len(boxes) == 6
    assert len(ax.patches) - len(boxes) == 4  # arrows
    assert boxes[5].get_linestyle() == STYLES["identity"]["linestyle"]
    lefts = [box.get_x() for box in boxes[:3]]
    assert lefts == sorted(lefts)
    assert boxes[0].get_y() > boxes[3].get_y()
    assert alt == (
        "Layers from left to right. shallow: image, layer 1, logits. "
        "deep: image, layer 1, identity."
    )
    plt.close("all")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "rows must not be empty. Received: {}"),
        ({"a": []}, "rows must have 1 or more entries. Received: \\[\\]"),
        ({"a": [("x", "new")]}, "kind must be one of .* Received: 'new'"),
    ],
)
def test_bad_chains(rows, message):
    with pytest.raises(ValueError, match=message):
        chains(rows)
