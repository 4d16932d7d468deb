"""Build the slides: ``python tools/slides.py 02``, what ``make slides`` calls.

Each notebook that has slides becomes a deck of reveal.js in a folder of its own in build/slides,
with all that it needs. What the slides say is in the notebook's source: see slide_cells.py. What
they show comes from the committed notebook; nothing is executed, nothing is fetched. With
``--pdf`` each deck is printed too, a page a slide, which takes a Chromium.
"""

import argparse
import base64
import re
import shutil
import struct
import sys
from contextlib import nullcontext
from html import escape
from pathlib import Path

import chromium
import microscope_page
import nbformat
import notices
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from notebook_kinds import ROOT, Notebook, notebooks, title
from slide_cells import LATER, MICROSCOPE, OUTPUT, Slide, slides, without_slides

DECKS = "build/slides"
FRAME = '<iframe src="microscope.html#{}" title="A microscope for residual networks"></iframe>'
TEMPLATE = Path(__file__).resolve().parent / "slides_template"
THIRD_PARTY = Path(__file__).resolve().parent / "third_party"


def decks(root: Path = ROOT) -> dict[str, Notebook]:
    """Return name → notebook of those that have slides: each lesson, and whichever else does."""
    texts = {made: made.source.read_text(encoding="utf-8") for made in notebooks(root)}
    return {made.name: made for made, text in texts.items() if without_slides(text) != text}


def deck(made: Notebook) -> NotebookNode:
    """Return a deck as a notebook for nbconvert."""
    found = nbformat.v4.new_notebook()
    executed = nbformat.read(made.path, as_version=4)
    for slide in slides(made.source.read_text(encoding="utf-8"), executed):
        found.cells += _cells(slide)
    for number, cell in enumerate(found.cells):
        cell.id = f"cell-{number}"  # nbformat draws them at random
    return found


def _cells(slide: Slide) -> list[NotebookNode]:
    """Return the cells of one slide: text and output, what comes later, notes."""
    sooner, _, later = slide.text.partition(LATER)
    cells = []
    for text, kind in ((sooner, "slide"), (later, "fragment")):
        for cell in _text_and_output(text, slide.cell):
            cell.metadata["slideshow"] = {"slide_type": kind}
            cells.append(cell)
            kind = "-"
    if slide.notes:
        notes = nbformat.v4.new_markdown_cell(slide.notes)
        notes.metadata["slideshow"] = {"slide_type": "notes"}
        cells.append(notes)
    return cells


def _text_and_output(text: str, cell: NotebookNode | None) -> list[NotebookNode]:
    """Return cells of a part of a slide: text, output, text, where there are such."""
    text = MICROSCOPE.sub(lambda found: FRAME.format(escape(found[1])), text)
    match = OUTPUT.search(text)
    before, after = OUTPUT.split(text, 1)[::2] if match else (text, "")
    output = [nbformat.v4.new_code_cell("", outputs=[_shown(cell, match[1])])] if match else []
    texts = [
        [nbformat.v4.new_markdown_cell(t.strip())] if t.strip() else [] for t in (before, after)
    ]
    return [*texts[0], *output, *texts[1]]


def _shown(cell: NotebookNode, height: str | None) -> NotebookNode:
    """Return the output that a slide shows: the figure, or else the table, or else the first."""
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            picture, alt = output.data["image/png"], output.metadata["image/png"]["alt"]
            look = f' style="height: {height}px"' if height else ' class="tall"' * _is_tall(picture)
            text = f'<img src="data:image/png;base64,{picture}" alt="{escape(alt)}"{look}>'
            return nbformat.v4.new_output("display_data", {"text/html": text})
    tables = (o for o in cell.outputs if o.get("data", {}).get("text/markdown", "")[:1] == "|")
    return next(tables, _with_large_ratio(cell.outputs[0]))


def _is_tall(png: str) -> bool:
    """Tell whether a picture is higher than wide, so that the slide's text fits beside it."""
    width, height = struct.unpack(">II", base64.b64decode(png[:32])[16:24])
    return height > 1.2 * width


def _with_large_ratio(output: NotebookNode) -> NotebookNode:
    """Return a verdict with its ratio in large type before it; anything else as it is."""
    page = output.get("data", {}).get("text/html", "")
    ratio = re.search(r"(?<=is )[\d.,]+(?= times)", page)
    if not ratio:
        return output
    number = f'<p class="ratio">{ratio[0]} times</p>'
    return nbformat.v4.new_output("display_data", {"text/html": number + page})


def write(made: Notebook, folder: Path) -> Path:
    """Write one deck with everything that it needs; return its folder."""
    exporter = SlidesExporter(
        template_name=TEMPLATE.name,
        extra_template_basedirs=[str(TEMPLATE.parent)],
        reveal_url_prefix="reveal.js",
        reveal_theme="white",
        exclude_input=True,
        exclude_output_prompt=True,
    )
    nb = deck(made)
    nb.metadata["title"] = title(nb)
    html, _ = exporter.from_notebook_node(nb)
    target = folder / made.name
    shutil.rmtree(target, ignore_errors=True)
    _supply(target)
    (target / "index.html").write_text(html, encoding="utf-8")
    if "microscope.html#" in html:
        (target / "microscope.html").write_text(microscope_page.bare_page(), encoding="utf-8")
    return target


def print_pdf(browser, folder: Path) -> Path:
    """Print a deck that was written, a page a slide; return the PDF's path."""
    address = f"{(folder / 'index.html').as_uri()}?print-pdf"
    ready = "Reveal.isReady() && document.querySelector('.pdf-page')"
    options = {"prefer_css_page_size": True, "print_background": True}
    return chromium.print_page(browser, address, folder / "slides.pdf", ready, **options)


def _supply(target: Path) -> None:
    """Put into a deck's folder what its page asks for: reveal.js, MathJax, licences, the look."""
    shutil.copytree(THIRD_PARTY / "reveal.js", target / "reveal.js")
    shutil.copytree(THIRD_PARTY / "mathjax", target / "mathjax")
    notices.write(notices.SLIDES, target / "licences")
    shutil.copy(THIRD_PARTY / "marked" / "LICENSE.md", target / "licences" / "marked.txt")
    shutil.copy(TEMPLATE / "deck.css", target)
    shutil.copy(ROOT / "docs" / "_static" / "favicon.svg", target)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools/slides.py")
    parser.add_argument("names", nargs="*", help="such as 02; all decks if none is given")
    parser.add_argument("--pdf", action="store_true", help="print each deck, too")
    parser.add_argument("--root", type=Path, default=ROOT)
    options = parser.parse_args(arguments)
    if options.pdf and chromium.found() is None:
        print(chromium.MISSING, file=sys.stderr)
        return 1
    known = decks(options.root)
    for wanted in options.names:
        if not any(name.startswith(wanted) for name in known):
            print(f"No notebook with slides starts so. Received: {wanted}", file=sys.stderr)
            return 1
    with chromium.launched() if options.pdf else nullcontext() as browser:
        for name, made in known.items():
            if name.startswith(tuple(options.names) or ""):
                folder = write(made, options.root / DECKS)
                printed = [print_pdf(browser, folder)] if options.pdf else []
                for path in (folder / "index.html", *printed):
                    print(path.relative_to(options.root))
    return 0


if __name__ == "__main__":
    sys.exit(main())
