"""The slides: each deck opens in a browser, fits its screen, and says something to the speaker."""

import re
from pathlib import Path

import browser
import nbformat
import pytest
import slide_cells
import slides
from build_notebooks import ROOT, pairs

LESSONS = {pair.source.stem: pair for pair in pairs() if not pair.edition}
each_lesson = pytest.mark.parametrize("lesson", LESSONS)
# What of a slide lies outside of the screen, or is cut off.
OUTSIDE = """() => [...Reveal.getCurrentSlide().querySelectorAll(
    "p, li, pre, img, h1, h2, h3, table, mjx-container")]
  .filter((e) => !e.closest("aside.notes"))
  .filter((e) => { const r = e.getBoundingClientRect();
    return r.width && (r.left < 0 || r.right > 1280 || r.top < 0 || r.bottom > 720 ||
      (e.tagName === "PRE" && e.scrollWidth > e.clientWidth + 1)); })
  .map((e) => e.tagName + " " + e.textContent.slice(0, 60))"""


def of(lesson):
    pair = LESSONS[lesson]
    nb = nbformat.read(pair.target, as_version=4)
    return slide_cells.slides(pair.source.read_text(encoding="utf-8"), nb)


@each_lesson
def test_a_deck_has_one_idea_a_slide_and_notes_on_each(lesson):
    deck = of(lesson)
    assert 12 <= len(deck) <= 20
    headings = [slide.text.splitlines()[0] for slide in deck]
    assert headings[0].startswith(f"# {lesson[:2]} · ")
    assert all(heading.startswith("## ") for heading in headings[1:])
    assert len(set(headings)) == len(headings)
    for slide in deck:
        assert "?" in slide.notes or ":" in slide.notes, slide.text
        assert len(slide.notes.split()) >= 12, slide.text
        assert "!" not in re.sub(r"<!--.*?-->|!\[|!=|\\!", "", slide.text + slide.notes)


def test_a_deck_is_the_same_each_time():
    assert slides.deck(LESSONS["00_start_here"]) == slides.deck(LESSONS["00_start_here"])


def test_a_slide_shows_code_and_output_of_the_cell_above_it():
    source = """# %% [markdown]
# # A lesson

# %%
a = 1
b = 2
print(a + b)

# %% [markdown] tags=["slide"]
# ## Sum
#
# <!-- code: 1-2 -->
#
# <!-- output -->
#
# after
#
# <!-- notes -->
# Ask: what?
"""
    nb = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# A lesson"),
            nbformat.v4.new_code_cell(
                "a = 1\nb = 2\nprint(a + b)",
                outputs=[nbformat.v4.new_output("stream", name="stdout", text="3")],
            ),
        ]
    )
    (slide,) = slide_cells.slides(source, nb)
    assert "```python\na = 1\nb = 2\n```" in slide.text and slide.notes == "Ask: what?"
    text, output, after, notes = slides._cells(slide)
    assert text.source.startswith("## Sum") and output.outputs[0].text == "3"
    assert after.source == "after" and notes.source == "Ask: what?"
    kinds = [cell.metadata.slideshow.slide_type for cell in (text, output, after, notes)]
    assert kinds == ["slide", "-", "-", "notes"]


def test_an_unknown_lesson_gets_a_sentence(capsys):
    assert slides.main(["99"]) == 1
    assert capsys.readouterr().err == "There is no lesson. Received: 99\n"


@pytest.mark.slow
@each_lesson
def test_a_deck_opens_alone_and_no_slide_overflows(chromium, lesson, tmp_path):
    folder = slides.write(LESSONS[lesson], tmp_path)
    assert folder.parent == Path(tmp_path) and ROOT not in folder.parents
    with browser.served(folder) as address:
        watched = browser.Watched(chromium, address, width=1280, height=720)
        page = watched.go("index.html")
        page.wait_for_function("Reveal.isReady()")
        total = page.evaluate("Reveal.getTotalSlides()")
        assert total == len(of(lesson))
        found = {}
        for number in range(total):
            page.evaluate(f"Reveal.slide({number})")
            found[number + 1] = page.evaluate(OUTSIDE)
        assert {number: what for number, what in found.items() if what} == {}
        assert page.locator("img:not([alt])").count() == 0
        assert page.locator("mjx-merror").count() == 0
        assert page.locator("aside.notes").count() == total
        assert (watched.errors, watched.outside) == ([], [])
