"""The field to draw in: what it makes of strokes, and what it says."""

import numpy as np
import pytest

from resnet_lesson import drawing
from resnet_lesson.handwriting import like_mnist

FOUR = [[[150, 60], [110, 160], [210, 160]], [[185, 110], [175, 230]]]


def reader():
    """Return a network that is sure of a 4, and the list of what it was shown."""
    seen = []

    def read(image):
        seen.append(image)
        return np.eye(10)[4] * 0.9 + 0.01

    return read, seen


def test_strokes_become_dark_ink_on_white_paper():
    page = drawing.rasterise(FOUR)
    assert page.shape == (280, 280) and page.dtype == np.uint8
    assert page[160, 150] == drawing.INK and page[10, 10] == drawing.PAPER
    assert page[160 + drawing.PEN // 2 - 2, 150] == drawing.INK
    assert page[160 + drawing.PEN // 2 + 2, 150] == drawing.PAPER
    steps = like_mnist(page)
    assert steps.centred.max() == 255 and steps.boxed.shape[0] == 20


def test_a_dot_is_drawn():
    page = drawing.rasterise([[[100, 50]]])
    assert page[50, 100] == drawing.INK
    assert abs((page == drawing.INK).sum() - np.pi * (drawing.PEN / 2) ** 2) < 60


def test_the_field_shows_what_the_network_sees_and_reads():
    pytest.importorskip("anywidget")
    read, seen = reader()
    pad = drawing.DrawingPad(read)
    assert pad.answer == "Draw a digit." and not any(pad.seen) and not seen
    pad.strokes = FOUR
    assert pad.answer.startswith("Read: 4 (91.0%), ")
    np.testing.assert_array_equal(seen[0], like_mnist(pad.image()).centred)
    assert pad.seen == seen[0].ravel().tolist()
    pad.strokes = []
    assert pad.answer == "Draw a digit." and len(seen) == 1


def test_without_the_library_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(drawing, "anywidget", None)
    assert drawing.show(lambda image: None) is None
    assert "anywidget is not installed" in capsys.readouterr().out
