"""Figures with sliders: a picture for everybody, and one that moves where there is a kernel."""

import gc
import time
import weakref

import matplotlib.pyplot as plt
import numpy as np
import pytest

from resnet_lesson import explorers, plots

pytest.importorskip("ipywidgets")


def parabola(power, name):
    x = np.linspace(-1, 1, 50)
    return plots.curves(x, {name: x**power}, "x", f"x to the {power}")


def shown(monkeypatch):
    """Collect what is displayed."""
    found = []
    monkeypatch.setattr(explorers, "display", found.append)
    monkeypatch.setattr(explorers.plots, "show", lambda ax, alt: found.append(alt))
    return found


def test_the_picture_comes_first_and_a_slider_makes_another(monkeypatch):
    found = shown(monkeypatch)
    start = {"power": 2, "name": "one"}
    box = explorers.explore(parabola, start, power=(1, 2, 3), name=("one", "two"))
    assert found == [parabola(2, "one")[1], box]
    power, name, figure = box.children
    assert not figure.value and power.value == 2
    power.value = 3
    assert "x to the 3" in figure.value and "alt=" in figure.value
    before, name.value = figure.value, "two"
    assert "two" in figure.value and figure.value != before
    plt.close("all")


def test_a_figure_is_closed_each_time(monkeypatch):
    shown(monkeypatch)
    plt.close("all")
    box = explorers.explore(parabola, {"power": 2, "name": "one"}, power=(1, 2, 3), name=("one",))
    open_before = len(plt.get_fignums())
    for value in (1, 2, 3):
        box.children[0].value = value
    assert len(plt.get_fignums()) == open_before


def test_drawing_is_most_of_a_slider_s_time(monkeypatch):
    shown(monkeypatch)
    box = explorers.explore(parabola, {"power": 1, "name": "one"}, power=range(1, 9), name=["one"])
    box.children[0].value = 2
    began = time.perf_counter()
    for power in range(1, 9):
        plots.page.png(parabola(power, "one")[0])
    alone, began = time.perf_counter() - began, time.perf_counter()
    for power in (3, 4, 5, 6, 7, 8, 1, 2):
        box.children[0].value = power
    assert time.perf_counter() - began < 1.5 * alone


class Node:
    """What can refer to itself: only the collector finds it."""


def test_garbage_collection_is_quick(monkeypatch):
    """The collector looks at what is new alone, and lets go again what an older figure held."""
    shown(monkeypatch)
    kept = Node()
    kept.itself = kept
    gone = weakref.ref(kept)
    explorers.explore(parabola, {"power": 1, "name": "a"}, power=(1, 2), name=["a"])
    del kept
    assert len(gc.get_objects()) < gc.get_freeze_count() / 5
    gc.collect()
    assert gone() is not None
    explorers.explore(parabola, {"power": 1, "name": "a"}, power=(1, 2), name=["a"])
    assert gone() is None


def test_without_the_library_the_picture_is_there(monkeypatch):
    found = shown(monkeypatch)
    monkeypatch.setattr(explorers, "ipywidgets", None)
    assert explorers.explore(parabola, {"power": 1, "name": "a"}, power=[1], name=["a"]) is None
    assert len(found) == 1


@pytest.mark.parametrize("start", [{}, {"power": 4}, {"power": 1, "other": 2}])
def test_bad_starts_are_refused(start):
    with pytest.raises(ValueError, match=r"start .*Received: "):
        explorers.explore(parabola, start, power=(1, 2))
