"""Build the slides: ``python tools/slides.py 02``, what ``make slides`` calls.

Each lesson becomes a deck of reveal.js in a folder of its own in build/slides, with all that it
needs. What the slides say is in the lesson's source: see slide_cells.py. What they show comes from
the committed notebook; nothing is executed, nothing is fetched.
"""

import argparse
import importlib.util
import shutil
import sys
from html import escape
from pathlib import Path

import nbformat
from build_notebooks import ROOT, Pair, pairs
from nbconvert import SlidesExporter
from nbformat import NotebookNode
from slide_cells import OUTPUT, Slide, slides

DECKS = "build/slides"
TEMPLATE = Path(__file__).resolve().parent / "slides_template"


def deck(pair: Pair) -> NotebookNode:
    """Return a lesson's deck as a notebook for nbconvert."""
    made = nbformat.v4.new_notebook()
    executed = nbformat.read(pair.target, as_version=4)
    for slide in slides(pair.source.read_text(encoding="utf-8"), executed):
        made.cells += _cells(slide)
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"  # nbformat draws them at random
    return made


def _cells(slide: Slide) -> list[NotebookNode]:
    """Return the cells of one slide: text, output, text, notes."""
    match = OUTPUT.search(slide.text)
    before, after = OUTPUT.split(slide.text, 1)[::2] if match else (slide.text, "")
    cells = [nbformat.v4.new_markdown_cell(before.strip())]
    if match:
        cells.append(nbformat.v4.new_code_cell("", outputs=[_shown(slide.cell, match[1])]))
    if after.strip():
        cells.append(nbformat.v4.new_markdown_cell(after.strip()))
    for cell in cells:
        cell.metadata["slideshow"] = {"slide_type": "-"}
    cells[0].metadata["slideshow"] = {"slide_type": "slide"}
    if slide.notes:
        notes = nbformat.v4.new_markdown_cell(slide.notes)
        notes.metadata["slideshow"] = {"slide_type": "notes"}
        cells.append(notes)
    return cells


def _shown(cell: NotebookNode, height: str | None) -> NotebookNode:
    """Return the output that a slide shows: the figure, or else the table, or else the first."""
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            picture, alt = output.data["image/png"], output.metadata["image/png"]["alt"]
            style = f' style="height: {height}px"' if height else ""
            text = f'<img src="data:image/png;base64,{picture}" alt="{escape(alt)}"{style}>'
            return nbformat.v4.new_output("display_data", {"text/html": text})
    tables = (o for o in cell.outputs if o.get("data", {}).get("text/markdown", "")[:1] == "|")
    return next(tables, cell.outputs[0])


def write(pair: Pair, folder: Path) -> Path:
    """Write one deck with everything that it needs; return its folder."""
    exporter = SlidesExporter(
        template_name=TEMPLATE.name,
        extra_template_basedirs=[str(TEMPLATE.parent)],
        reveal_url_prefix="reveal.js",
        reveal_theme="white",
        exclude_input=True,
        exclude_output_prompt=True,
    )
    made = deck(pair)
    title = made.cells[0].source.splitlines()[0].lstrip("# ")
    made.metadata["title"] = title
    html, _ = exporter.from_notebook_node(made)
    target = folder / pair.source.stem
    shutil.rmtree(target, ignore_errors=True)
    _supply(target)
    (target / "index.html").write_text(html, encoding="utf-8")
    return target


def _supply(target: Path) -> None:
    """Put into a deck's folder what its page asks for: reveal.js, MathJax, the look."""
    reveal = _package("sphinx_revealjs") / "_static" / "revealjs"
    mathjax = _package("sphinx-mathjax-offline") / "static" / "mathjax"
    for source, part in [
        *((reveal, name) for name in ("dist", "plugin/notes", "LICENSE")),
        *((mathjax, name) for name in ("tex-chtml.js", "output/chtml/fonts")),
    ]:
        place = target / ("reveal.js" if source == reveal else "mathjax") / part
        place.parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, place, ignore=shutil.ignore_patterns("*.map"))
        else:
            shutil.copy(source / part, place)
    shutil.copy(TEMPLATE / "deck.css", target)
    shutil.copy(ROOT / "docs" / "_static" / "favicon.svg", target)


def _package(name: str) -> Path:
    """Return where an installed package lies: two bring reveal.js and MathJax along."""
    return Path(importlib.util.find_spec(name).origin).parent


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools/slides.py")
    parser.add_argument("lessons", nargs="*", help="numbers, such as 02; all if none is given")
    parser.add_argument("--root", type=Path, default=ROOT)
    options = parser.parse_args(arguments)
    lessons = {pair.source.stem[:2]: pair for pair in pairs(options.root) if not pair.edition}
    for number in options.lessons:
        if number not in lessons:
            print(f"There is no lesson. Received: {number}", file=sys.stderr)
            return 1
    for number in options.lessons or lessons:
        folder = write(lessons[number], options.root / DECKS)
        print(f"{folder.relative_to(options.root)}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
