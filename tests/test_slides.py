"""The slides: what they are in a source; each deck opens in a browser and fits its screen."""

import base64
import json
import re
import shutil
import subprocess

import browser
import build_notebooks as builder
import nbformat
import pytest
import slide_cells
import slides
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_kinds import LESSON, ROOT, notebooks
from tiny_course import tiny_course

DECKS = slides.decks()
each_deck = pytest.mark.parametrize("name", DECKS)
# What of a slide lies outside of the screen, or is cut off.
OUTSIDE = """() => [...Reveal.getCurrentSlide().querySelectorAll(
    "p, li, pre, img, iframe, h1, h2, h3, table, mjx-container")]
  .filter((e) => !e.closest("aside.notes"))
  .filter((e) => { const r = e.getBoundingClientRect();
    return r.width && (r.left < 0 || r.right > 1280 || r.top < 0 || r.bottom > 720 ||
      (e.tagName === "PRE" && e.scrollWidth > e.clientWidth + 1)); })
  .map((e) => e.tagName + " " + e.textContent.slice(0, 60))"""
SOURCE = """# %% [markdown]
# # 99 · Test

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
# %%-signs in a text are no cells.
#
# <!-- notes -->
# Ask: what?

# %%
c = 3

# %% [markdown] tags=["slide"]
# The last one
"""


def of(name):
    made = DECKS[name]
    nb = nbformat.read(made.path, as_version=4)
    return slide_cells.slides(made.source.read_text(encoding="utf-8"), nb)


def test_every_lesson_has_a_deck():
    assert [made.name for made in notebooks() if made.kind is LESSON] == [
        name for name, made in DECKS.items() if made.kind is LESSON
    ]


@each_deck
def test_a_deck_has_one_idea_a_slide_and_notes_on_each(name):
    deck = of(name)
    if DECKS[name].kind is LESSON:
        assert 12 <= len(deck) <= 20
    headings = [slide.text.splitlines()[0] for slide in deck]
    assert headings[0].startswith(f"# {DECKS[name].number} · ")
    assert all(heading.startswith("## ") for heading in headings[1:])
    assert len(set(headings)) == len(headings)
    for slide in deck:
        assert "?" in slide.notes or ":" in slide.notes, slide.text
        assert len(slide.notes.split()) >= 12, slide.text
        assert "!" not in re.sub(r"<!--.*?-->|!\[|!=|\\!", "", slide.text + slide.notes)


def test_a_deck_is_the_same_each_time():
    assert slides.deck(DECKS["00_start_here"]) == slides.deck(DECKS["00_start_here"])


def test_a_slide_shows_code_and_output_of_the_cell_above_it():
    output = new_output("stream", name="stdout", text="3")
    cell = new_code_cell("a = 1\nb = 2\nprint(a + b)", outputs=[output])
    nb = new_notebook(cells=[new_markdown_cell("# 99 · Test"), cell])
    slide, last = slide_cells.slides(SOURCE, nb)
    assert last.text == "The last one" and last.cell is None
    assert "```python\na = 1\nb = 2\n```" in slide.text and slide.notes == "Ask: what?"
    text, output, after, notes = slides._cells(slide)
    assert text.source.startswith("## Sum") and output.outputs[0].text == "3"
    assert after.source == "%%-signs in a text are no cells." and notes.source == "Ask: what?"
    kinds = [cell.metadata.slideshow.slide_type for cell in (text, output, after, notes)]
    assert kinds == ["slide", "-", "-", "notes"]


def png(width, height):
    """Return the start of a PNG, as far as its size."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8) + size).decode()


def shown(slide, data, **metadata):
    """Return the page that a slide makes of an output."""
    nb = new_notebook(
        cells=[
            new_markdown_cell("# 99 · Test"),
            new_code_cell(
                "a = 1\nb = 2\nprint(a + b)",
                outputs=[new_output("display_data", data, metadata=metadata)],
            ),
        ]
    )
    first, _ = slide_cells.slides(SOURCE.replace("<!-- output -->", slide), nb)
    return slides._cells(first)[1].outputs[0].data["text/html"]


def test_a_tall_picture_stands_beside_the_text():
    words = {"image/png": {"alt": "A picture."}}
    tall, wide = ({"image/png": png(*size)} for size in ((400, 700), (700, 400)))
    assert 'class="tall"' in shown("<!-- output -->", tall, **words)
    assert 'class="tall"' not in shown("<!-- output -->", wide, **words)
    assert 'style="height: 330px"' in shown("<!-- output: 330 -->", tall, **words)


def test_the_ratio_of_a_verdict_is_large():
    box = "<div>Measured: even the lowest of 3 runs (2 nats) is {} times the highest.</div>"
    page = shown("<!-- output -->", {"text/html": box.format("1,234")})
    assert page == '<p class="ratio">1,234 times</p>' + box.format("1,234")
    assert shown("<!-- output -->", {"text/html": "<div>equal</div>"}) == "<div>equal</div>"


def test_a_notebook_has_no_slide_and_does_not_change_with_one(tmp_path):
    def made_from(text):
        (made,) = notebooks(tiny_course(tmp_path, **{"99_test": text}))
        cells = [(cell.id, cell.source) for cell in builder.from_source(made).cells]
        return builder.notebook_hash(made), cells

    whole = made_from(SOURCE)
    assert [source for _, source in whole[1]] == [
        "# 99 · Test",
        "a = 1\nb = 2\nprint(a + b)",
        "c = 3",
    ]
    assert slides.decks(tmp_path).keys() == {"99_test"}
    assert made_from(SOURCE.replace("Sum", "Total")) == whole
    assert made_from(slide_cells.without_slides(SOURCE)) == whole
    assert slides.decks(tmp_path) == {}
    assert made_from(SOURCE.replace("c = 3", "c = 4"))[0] != whole[0]


def test_scripts_of_others_are_of_the_versions_that_are_named():
    locked = json.loads((slides.THIRD_PARTY / "package-lock.json").read_text())["packages"]
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    # reveal.js says 5.2.0 of itself where its package is 5.2.1.
    for name, file, says in (
        ("mathjax", "es5/tex-svg.js", r'VERSION="([\d.]+)"'),
        ("reveal.js", "dist/reveal.js", r" \* reveal\.js (\d+\.\d+)"),
    ):
        version = locked[f"node_modules/{name}"]["version"]
        text = (slides.THIRD_PARTY / name / file).read_text(encoding="utf-8")
        assert version.startswith(re.search(says, text)[1])
        assert re.search(rf"\[{name}\]\([^)]*\) {re.escape(version)} ", page, re.IGNORECASE)


@pytest.mark.slow
def test_scripts_of_others_are_those_of_their_packages(tmp_path):
    if not shutil.which("npm"):
        pytest.skip("`make third-party` needs npm")
    kept = tmp_path / "tools" / "third_party"
    shutil.copytree(slides.THIRD_PARTY, kept)
    shutil.copy(ROOT / "Makefile", tmp_path)
    script = kept / "mathjax" / "es5" / "tex-svg.js"
    script.write_text("changed")
    done = subprocess.run(["make", "third-party"], cwd=tmp_path, capture_output=True, text=True)
    if done.returncode and re.search("network|registry|ECONN|ENOTFOUND", done.stderr):
        pytest.skip("npm does not reach its packages")
    assert done.returncode == 0, done.stderr
    for path in (path for path in slides.THIRD_PARTY.rglob("*") if path.is_file()):
        assert path.read_bytes() == (kept / path.relative_to(slides.THIRD_PARTY)).read_bytes(), path


def test_an_unknown_name_gets_a_sentence(capsys):
    assert slides.main(["00", "99"]) == 1
    assert capsys.readouterr().err == "No notebook with slides starts so. Received: 99\n"


@pytest.mark.slow
@each_deck
def test_a_deck_opens_alone_and_no_slide_overflows(chromium, name, tmp_path):
    folder = slides.write(DECKS[name], tmp_path)
    assert tmp_path in folder.parents and ROOT not in folder.parents
    for licence in ("reveal.js/LICENSE", "mathjax/LICENSE", "licences/marked.txt"):
        assert "opyright" in (folder / licence).read_text(encoding="utf-8")
    with browser.served(folder) as address:
        watched = browser.Watched(chromium, address, width=1280, height=720)
        page = watched.go("index.html")
        page.wait_for_function("Reveal.isReady()")
        total = page.evaluate("Reveal.getTotalSlides()")
        assert total == len(of(name))
        found = {}
        for number in range(total):
            page.evaluate(f"Reveal.slide({number})")
            found[number + 1] = page.evaluate(OUTSIDE)
        assert {number: what for number, what in found.items() if what} == {}
        assert page.locator("img:not([alt])").count() == 0
        assert page.locator("mjx-merror").count() == 0
        assert page.locator("aside.notes").count() == total
        if page.locator("iframe").count():
            microscope = page.frame_locator("iframe").locator(".scope[data-ready]")
            microscope.wait_for(state="attached", timeout=60_000)
            # What the room is asked to try is in view, although the slide's frame is low.
            frame = page.locator("iframe")
            frame.evaluate("e => Reveal.slide(Reveal.getIndices(e.closest('section')).h)")
            height = frame.evaluate("e => e.contentWindow.innerHeight")
            for what in (".block .on", ".fader", ".tile"):
                control = microscope.locator(what).last
                control.wait_for()
                page.wait_for_timeout(500)
                assert 0 <= control.evaluate("e => e.getBoundingClientRect().y") < height, what
        assert (watched.errors, watched.outside) == ([], [])


@pytest.mark.slow
def test_a_deck_is_printed_with_a_page_for_each_slide(chromium, tmp_path):
    folder = slides.write(DECKS["00_start_here"], tmp_path)
    printed = slides.print_pdf(chromium, folder).read_bytes()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == len(of("00_start_here"))
