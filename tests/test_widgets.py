"""What moves in a notebook: a figure with sliders, and a field to draw in."""

import base64
import gc
import io
import json
import re
import sys

import browser
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from resnet_lesson import plots, widgets
from resnet_lesson.handwriting import like_mnist
from resnet_lesson.widgets import pad, sliders

# -- A figure with sliders: all pictures are drawn beforehand --------------------------------------


@pytest.fixture
def shown(monkeypatch):
    """Collect what is displayed."""
    found = []
    monkeypatch.setattr(sliders, "display", lambda page, raw: found.append(page["text/html"]))
    monkeypatch.setattr(sliders.plots, "show", lambda ax, alt: found.append(alt))
    yield found
    plt.close("all")


def parabola(power, name="one"):
    x = np.linspace(-1, 1, 50)
    return plots.curves(x, {name: x**power}, "x", f"x to the {power}")


def frames(page):
    return json.loads(re.search(r"json\">(.*?)</script>", page)[1])


def test_the_picture_comes_first_and_then_one_for_each_combination(shown):
    start = {"power": 2, "name": "one"}
    widgets.explore(parabola, start, power=(1, 2, 3), name=("one", "two"))
    first, page = shown
    assert first == parabola(2)[1]
    texts = [parabola(power, name)[1] for power in (1, 2, 3) for name in ("one", "two")]
    assert [alt for _, alt in frames(page)] == texts
    pictures = [Image.open(io.BytesIO(base64.b64decode(image))) for image, _ in frames(page)]
    assert len({picture.tobytes() for picture in pictures}) == 6
    assert len({picture.size for picture in pictures}) == 1


def test_a_picture_is_small_and_looks_like_itself(shown):
    widgets.explore(parabola, {"power": 1}, power=[1])
    image = base64.b64decode(frames(shown[1])[0][0])
    assert len(image) < 10_000
    small = np.asarray(Image.open(io.BytesIO(image)).convert("RGB"), float)
    whole = Image.open(io.BytesIO(plots.page.png(parabola(1)[0], sliders.DPI))).convert("RGB")
    assert np.abs(small - np.asarray(whole, float)).mean() < 1


def test_no_figure_stays_open(shown):
    before = plt.get_fignums()
    widgets.explore(parabola, {"power": 1}, power=range(1, 9))
    gc.collect()
    open_now = plt.get_fignums()
    assert len(open_now) == len(before) + 1  # the one that `plots.show` would have closed


def test_odd_texts_do_not_break_the_page(shown):
    def odd(text):
        ax, _ = parabola(1)
        return ax, f'{text} " </script>'

    widgets.explore(odd, {"text": "<b>"}, text=["<b>", "λ"])
    widgets.explore(lambda power: parabola(power), {"power": 1}, power=[1])
    assert 'id="explore-lambda"' in shown.pop() and shown.pop()
    assert [alt for _, alt in frames(shown[1])] == ['<b> " </script>', 'λ " </script>']
    assert "&lt;b&gt;</output>" in shown[1] and shown[1].count("</script>") == 2


@pytest.mark.slow
@pytest.mark.parametrize("first_picture", [True, False])
def test_a_slider_moves_the_picture_without_a_kernel(shown, chromium, tmp_path, first_picture):
    widgets.explore(parabola, {"power": 2, "name": "one"}, power=(1, 2, 3), name=("one", "two"))
    above = '<img id="above" alt="first">' if first_picture else ""
    page = f'<html lang="en"><div class="cell_output">{above}{shown[1]}</div></html>'
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    at = browser.Watched(chromium, tmp_path.as_uri())
    at.go("page.html")
    picture = at.page.locator("#above" if first_picture else "img")
    power = at.page.get_by_label("power")
    power.focus()
    at.page.keyboard.press("ArrowRight")
    assert picture.get_attribute("alt") == parabola(3)[1]
    assert power.get_attribute("aria-valuetext") == "3"
    at.page.get_by_label("name").focus()
    at.page.keyboard.press("ArrowRight")
    assert picture.get_attribute("alt") == parabola(3, "two")[1]
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 600
    assert picture.is_visible() and at.page.locator("img:visible").count() == 1
    assert (at.errors, at.outside) == ([], [])


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
