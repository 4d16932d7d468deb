"""What moves in a notebook: a figure with sliders, and a field to draw in."""

import gc
import sys
import time
import weakref

import matplotlib.pyplot as plt
import numpy as np
import pytest

from resnet_lesson import plots, widgets
from resnet_lesson.handwriting import like_mnist
from resnet_lesson.widgets import pad, sliders

# -- A figure with sliders: a picture for everybody, and one that moves where there is a kernel ----


@pytest.fixture
def shown(monkeypatch):
    """Collect what is displayed, and leave no figure open."""
    pytest.importorskip("ipywidgets")
    found = []
    monkeypatch.setattr(sliders, "display", found.append)
    monkeypatch.setattr(sliders.plots, "show", lambda ax, alt: found.append(alt))
    yield found
    plt.close("all")


def parabola(power, name="one"):
    x = np.linspace(-1, 1, 50)
    return plots.curves(x, {name: x**power}, "x", f"x to the {power}")


def test_the_picture_comes_first_and_a_slider_makes_another(shown):
    start = {"power": 2, "name": "one"}
    box = widgets.explore(parabola, start, power=(1, 2, 3), name=("one", "two"))
    assert shown == [parabola(2)[1], box]
    power, name, figure = box.children
    assert not figure.value and power.value == 2
    power.value = 3
    assert "x to the 3" in figure.value and "alt=" in figure.value
    before, name.value = figure.value, "two"
    assert "two" in figure.value and figure.value != before


@pytest.mark.slow
def test_drawing_is_most_of_a_slider_s_time(shown):
    box = widgets.explore(parabola, {"power": 1}, power=range(1, 9))
    box.children[0].value = 2
    began = time.perf_counter()
    for power in range(1, 9):
        plots.page.png(parabola(power)[0])
    alone, began = time.perf_counter() - began, time.perf_counter()
    for power in (3, 4, 5, 6, 7, 8, 1, 2):
        box.children[0].value = power
    assert time.perf_counter() - began < 1.5 * alone


def test_a_move_leaves_no_figure_behind(shown):
    drawn = []

    def watched(power):
        ax, alt = parabola(power)
        drawn.append(weakref.ref(ax.figure))
        return ax, alt

    box = widgets.explore(watched, {"power": 1}, power=range(1, 9))
    figures = plt.get_fignums()
    for power in (2, 3, 4, 5, 6, 7, 8):
        box.children[0].value = power
    gc.collect()
    assert plt.get_fignums() == figures
    assert len(drawn) == 8 and all(figure() is None for figure in drawn[1:])


def test_without_the_library_the_picture_is_there(shown, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    assert widgets.explore(parabola, {"power": 1}, power=[1]) is None
    assert len(shown) == 1


# -- The field to draw in: what it makes of strokes, and what it says ------------------------------

FOUR = [[[150, 60], [110, 160], [210, 160]], [[185, 110], [175, 230]]]


def test_strokes_become_dark_ink_on_white_paper():
    page = pad.rasterise(FOUR)
    assert page.shape == (280, 280) and page.dtype == np.uint8
    assert page[160, 150] == pad.INK and page[10, 10] == pad.PAPER
    assert page[160 + pad.PEN // 2 - 2, 150] == pad.INK
    assert page[160 + pad.PEN // 2 + 2, 150] == pad.PAPER
    steps = like_mnist(page)
    assert steps.centred.max() == 255 and steps.boxed.shape[0] == 20


def test_a_dot_is_drawn():
    page = pad.rasterise([[[100, 50]]])
    assert page[50, 100] == pad.INK
    assert abs((page == pad.INK).sum() - np.pi * (pad.PEN / 2) ** 2) < 60


def test_the_field_shows_what_the_network_sees_and_reads():
    pytest.importorskip("anywidget")
    seen = []

    def read(image):
        seen.append(image)
        return np.eye(10)[4] * 0.9 + 0.01

    field = widgets.draw_digit(read)
    assert field.answer == "Draw a digit." and not any(field.seen) and not seen
    field.strokes = FOUR
    assert field.answer.startswith("Read: 4 (91.0%), ")
    np.testing.assert_array_equal(seen[0], like_mnist(pad.rasterise(FOUR)).centred)
    assert field.seen == seen[0].ravel().tolist()
    field.strokes = [[[40, 60], [40, 200]], [[230, 60], [230, 200]]]
    assert "several digits" in field.answer and not any(field.seen) and len(seen) == 1
    field.strokes = []
    assert field.answer == "Draw a digit." and len(seen) == 1


def test_without_the_library_it_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    assert widgets.draw_digit(lambda image: None) is None
    assert "anywidget is not installed" in capsys.readouterr().out
