"""Build the site: ``python tools/book.py``, what ``make site`` calls.

The committed notebooks and the folder docs/ are staged in build/site-source, and Sphinx makes
build/site from them. Nothing is executed, nothing is fetched. A warning is an error, and then the
old site stays. With ``--pdf`` lessons and deeper notebooks are printed into one file, too, which
takes a Chromium.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import chromium
import colab
import handouts
import microscope_page
import nbformat
import notices
import slides
from nbformat import NotebookNode
from notebook_kinds import (
    DEEPER,
    EXERCISE,
    LESSON,
    ROOT,
    SOLUTION,
    Notebook,
    notebooks,
    prose,
    short_name,
    title,
)

IN_WORDS = re.compile(r"<details><summary>The figure in words</summary>.*?</details>", re.DOTALL)
SOURCE, SITE = "build/site-source", "build/site"
TERMS_HERE, LESSONS_HERE, KIT_HERE = "<!-- terms -->", "<!-- lessons -->", "<!-- kit -->"
# How a reader gets the course, where it is known.
CLONE = "git clone https://github.com/{0}\ncd {1}\n"
# Lessons that end with the microscope: what to try there, and what it shows at first.
MICROSCOPES = {
    "04_plain_vs_residual": (
        "Here are three networks like those of sections 2 and 4, running in the page. The "
        "shortcuts of the residual one are turned down by a tenth: what can it still read? And "
        "the faded one beside it, which has none? Slide them up, and see where the count recovers.",
        "depth=56&digit=3&fade=0.9&open=r9",
    ),
    "05_inside_the_network": (
        "Here are three networks that run in the page. In the residual one and in the plain one, "
        "block 5 is taken out. Which of them misses it? Try others, and two at once.",
        "depth=56&digit=3&edits=r5_0_1,p5_0_1&open=p5",
    ),
}
# What the printed book holds, in this order.
PRINTED = """\
# Residual networks, tested

```{toctree}
:glob:

notebooks/*
notebooks/deeper/*
glossary
references
licences
```
"""
BOOK = "residual-networks.pdf"
# Code that draws is folded up: it holds the caption, which would be read twice.
PLOTTING = {
    "code_prompt_show": "Show the code of this figure",
    "code_prompt_hide": "Hide the code of this figure",
}
ONE_PANEL = 620  # a figure that is wider, in pixels, has several, and the style sheet knows it
# The theme gives the arrow that unfolds a part of the menu no name for a screen reader.
TOGGLE = (
    '<summary><span class="toctree-toggle"',
    '<summary aria-label="Pages of this part"><span class="toctree-toggle"',
)
MATHJAX = Path(__file__).resolve().parent / "third_party" / "mathjax"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools/book.py")
    parser.add_argument("--pdf", action="store_true", help="print the lessons as a book, too")
    parser.add_argument("--repository", default="", help="owner/name on GitHub, for links to it")
    parser.add_argument("--no-solutions", action="store_true", help="for a class that is graded")
    parser.add_argument("--root", type=Path, default=ROOT)
    options = parser.parse_args(arguments)
    if options.repository and not colab.REPOSITORY.fullmatch(options.repository):
        print(f"REPOSITORY must be owner/name. Received: {options.repository}", file=sys.stderr)
        return 1
    if options.pdf and chromium.found() is None:
        print(chromium.MISSING, file=sys.stderr)
        return 1
    stage(options.root, options.repository, solutions=not options.no_solutions)
    failed = build(options.root, options.repository)
    if options.pdf and not failed:
        with chromium.launched() as browser:
            print(f"The book is {print_book(browser, options.root).relative_to(options.root)}.")
    return failed


def build(root: Path = ROOT, repository: str = "") -> int:
    """Make the site from what is staged; the old one is replaced only by a whole new one."""
    source, site, new = root / SOURCE, root / SITE, root / f"{SITE}.new"
    shutil.rmtree(new, ignore_errors=True)
    known = []
    if repository:
        owner, name = repository.split("/")
        address = f"https://{owner}.github.io/{name}/"  # where GitHub Pages would have it
        known = [
            f"-Dhtml_theme_options.repository_url=https://github.com/{repository}",
            "-Dhtml_theme_options.use_repository_button=1",
            f"-Dhtml_baseurl={address}",
            f"-Dogp_site_url={address}",
        ]
    if sphinx("html", source, new, "-W", "--keep-going", *known):
        print("The site was not built; the old one, if there was one, stays.", file=sys.stderr)
        return 1
    for path in new.rglob("*.html"):
        path.write_text(path.read_text(encoding="utf-8").replace(*TOGGLE), encoding="utf-8")
    for made in slides.decks(root).values():
        slides.write(made, new / "slides")
    old = root / f"{SITE}.old"
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        os.replace(site, old)
    os.replace(new, site)
    shutil.rmtree(old, ignore_errors=True)
    print(f"The site is in {SITE}: open {SITE}/index.html.")
    return 0


def sphinx(builder: str, source: Path, target: Path, *options: str) -> int:
    """Run Sphinx; return its exit status."""
    command = [sys.executable, "-m", "sphinx", "-b", builder, "-q", *options]
    command += ["-d", str(source.with_name(f"{builder}-cache")), str(source), str(target)]
    return subprocess.run(command, check=False).returncode


def print_book(browser, root: Path = ROOT) -> Path:
    """Print what is staged as one book into the site that was built; return the PDF's path."""
    source, whole = root / SOURCE, root / "build" / "book"
    (source / "print.md").write_text(PRINTED, encoding="utf-8")
    # Pages that the book leaves out are not in its table of contents: Sphinx may warn.
    if sphinx("singlehtml", source, whole, "-D", "root_doc=print", "-Q"):
        raise RuntimeError("the book was not built")
    margins = dict.fromkeys(("top", "bottom", "left", "right"), "15mm")
    options = {"format": "A4", "outline": True, "tagged": True, "margin": margins}
    address = (whole / "print.html").as_uri()
    return chromium.print_page(browser, address, root / SITE / BOOK, **options)


def stage(root: Path = ROOT, repository: str = "", solutions: bool = True) -> None:
    """Copy docs/ and the notebooks to where Sphinx reads them; what is no longer there goes."""
    source = root / SOURCE
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "docs", source)
    shutil.copytree(MATHJAX, source / "_static" / "mathjax")
    notices.write(notices.SITE, source / "_static" / "licences")
    (source / "microscope.html").write_text(microscope_page.piece(), encoding="utf-8")
    (source / "microscope_study.html").write_text(microscope_page.study_figure(), encoding="utf-8")
    for name, (_, state) in MICROSCOPES.items():
        (source / f"{name}.html").write_text(microscope_page.piece(state), encoding="utf-8")
    summary = handouts.write(source, root)
    terms = chinese_terms((source / "glossary.md").read_text(encoding="utf-8"))
    pieces = {TERMS_HERE: terms, LESSONS_HERE: summary, KIT_HERE: kit(root, solutions)}
    pieces["notebooks/deeper/*"] = deeper_entries(root)
    if not solutions:
        pieces["notebooks/solutions/*\n"] = ""
    if repository:
        clone = CLONE.format(repository, repository.partition("/")[2])
        pieces["make lab     #"] = f"{clone}make lab     #"
    pieces["](../notebooks/"] = "](notebooks/"  # in the repository a folder lies between
    for path in source.glob("*.md"):
        text = path.read_text(encoding="utf-8")
        for here, made in pieces.items():
            text = text.replace(here, made)
        path.write_text(with_slide_links(text, root), encoding="utf-8")
    texts = {}
    for made in (made for made in notebooks(root) if solutions or made.kind is not SOLUTION):
        nb = nbformat.read(made.path, as_version=4)
        if "References" in made.kind.closing:
            texts[made.name] = _references(nb)
        target = source / made.path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(page(nb, made, solutions), target)
    with (source / "references.md").open("a", encoding="utf-8") as file:
        file.write("\n" + reference_list(texts) + "\n")


def with_slide_links(text: str, root: Path = ROOT) -> str:
    """Link the slides that a cell of a table names, such as ``04: 4, 7–9``."""
    stems = {made.number: made.stem for made in notebooks(root) if made.kind is LESSON}

    def linked(found: re.Match[str]) -> str:
        deck = f"slides/{stems[found[1]]}/index.html"
        return f"{found[1]}: " + re.sub(
            r"\d+", lambda n: f'<a href="{deck}#/{int(n[0]) - 1}">{n[0]}</a>', found[2]
        )

    return re.sub(r"(?<=\| )(\d\d): ([\d–, ]+)(?= \|)", linked, text)


def deeper_entries(root: Path) -> str:
    """Return the table of contents of the deeper notebooks, in which none need say that it is."""
    lines = []
    for made in (made for made in notebooks(root) if made.kind is DEEPER):
        number, _, words = title(nbformat.read(made.path, as_version=4)).partition(" · Deeper: ")
        lines.append(f"{number} · {words[0].upper()}{words[1:]} <notebooks/{made.name}>")
    return "\n".join(lines)


def kit(root: Path, solutions: bool = True) -> str:
    """Return what there is for each lesson as a table in Markdown: slides, handout, exercises."""
    rows = ["| lesson | slides | handout | at home |", "|---|---|---|---|"]
    for made in (made for made in notebooks(root) if made.kind is LESSON):
        stem = made.stem
        heading = title(nbformat.read(made.path, as_version=4))
        row = [f"[{heading}](notebooks/{stem}.ipynb)"]
        row.append(f'<a href="slides/{stem}/index.html">slides</a>')
        row.append(f"[one page](handouts/{stem}.md)")
        kinds = {"exercises": EXERCISE} | ({"solutions": SOLUTION} if solutions else {})
        row.append(
            ", ".join(
                f"[{words}](notebooks/{kind.folder}/{stem}.ipynb)"
                for words, kind in kinds.items()
                if Notebook(made.root, kind, stem).path.exists()
            )
        )
        rows.append(f"| {' | '.join(row)} |")
    return "\n".join(rows)


def chinese_terms(glossary: str) -> str:
    """Return the terms of the glossary as a table that is sorted by its Chinese words."""
    terms = re.findall(r'^\*\*(.+?)\*\* · <span lang="zh">(.+?)</span>', glossary, re.MULTILINE)
    # Of the characters that are in daily use, this encoding has the order of their sounds.
    terms.sort(key=lambda term: term[1].encode("gb18030"))
    rows = [f"| {chinese} | {english} |" for english, chinese in terms]
    return "\n".join(["| 中文 | English |", "|---|---|", *rows])


def reference_list(texts: dict[str, str]) -> str:
    """Return one list of all references, as Markdown, each with the lessons that cite it.

    Args:
        texts: notebook's name → its list of references. What an entry says after its link, or after
            its first sentence behind the title, is about sections and is left out.
    """
    entries: dict[str, tuple[str, list[str]]] = {}
    for lesson, text in texts.items():
        for item in re.findall(r"^- (.*(?:\n  .*)*)", text, re.MULTILINE):
            whole = " ".join(item.split())
            known = re.match(r".*?\]\(https?://[^)]*\)", whole)
            shown = (known[0] if known else whole).rstrip(".,;: ") + "."
            link = re.search(r"\((https?://[^)]*)\)", shown)
            key = link[1] if link else shown[:60]
            old, lessons = entries.get(key, ("", []))
            entries[key] = (max(old, shown, key=len), [*lessons, lesson])
    lines = []
    for shown, lessons in sorted(entries.values(), key=lambda entry: _by_name(entry[0])):
        links = ", ".join(f"[{short_name(name)}](notebooks/{name}.ipynb)" for name in lessons)
        lines.append(
            f"- {shown} *Lessons:* {links}." if len(lessons) > 1 else f"- {shown} *Lesson* {links}."
        )
    return "\n".join(lines)


def _by_name(reference: str) -> str:
    """Return what a reference is sorted by: the first author's family name, then all."""
    first = re.split(r",| et al| and others| \d{4}|:", reference)[0]
    return f"{first.split()[-1]} {reference}".casefold()


def _references(nb: NotebookNode) -> str:
    return prose(nb).rpartition("## References")[2]


def page(nb: NotebookNode, made: Notebook, solutions: bool = True) -> NotebookNode:
    """Return a notebook as the site shows it: text alternatives, folded answers, links."""
    for cell in (cell for cell in nb.cells if cell.cell_type == "code"):
        for output in cell.outputs:
            about = output.get("metadata", {}).get("image/png", {})
            if alt := about.get("alt"):
                cell.metadata["mystnb"] = {"image": {"alt": alt.replace("\n", " ")}}
                if about.get("width", 0) > ONE_PANEL:
                    cell.metadata["mystnb"]["image"]["classes"] = "panels"
                if made.kind not in (EXERCISE, SOLUTION) and "plots.show(" in cell.source:
                    cell.metadata["mystnb"] |= PLOTTING
                    cell.metadata.setdefault("tags", []).append("hide-input")
            elif text := output.get("data", {}).get("text/markdown"):  # the picture says it itself
                output["data"]["text/markdown"] = IN_WORDS.sub("", text).strip()
        # Nothing is left where a figure has no caption.
        cell.outputs = [o for o in cell.outputs if o.get("data", {}).get("text/markdown") != ""]
    name = made.path.name
    if made.name in MICROSCOPES:
        piece = f"```{{raw}} html\n:file: ../{made.name}.html\n```"
        heading = "## The microscope: take it apart"
        text = f"{heading}\n\n{MICROSCOPES[made.name][0]}\n\n{piece}\n\n## Summary"
        for cell in nb.cells:
            cell.source = re.sub(r"^## Summary$", lambda _: text, cell.source, flags=re.MULTILINE)
    if made.kind.outcome:
        _open_with_objectives(nb, name)
    if made.kind is SOLUTION:
        exercise = nbformat.read(Notebook(made.root, EXERCISE, made.stem).path, as_version=4)
        shown = {cell.source for cell in exercise.cells[1:]} | {nb.cells[0].source}
        _fold_answers(nb, shown)
        nb.cells[0].source = nb.cells[0].source.replace("Exercises for", "Solutions for", 1)
    elif made.kind is EXERCISE and solutions:
        after = f"**Done, or stuck?** Compare with the [solutions](../solutions/{name})."
        nb.cells.append(nbformat.v4.new_markdown_cell(after, id="solutions"))
    return nb


def _open_with_objectives(nb: NotebookNode, name: str) -> None:
    """Say at the top what exercises are for and how long they take, as a lesson does."""
    text = "\n".join(cell.source for cell in nb.cells)
    minutes = sum(int(found) for found in re.findall(r"\*\*\w+, (\d+) minutes\*\*", text))
    nb.cells[0].source += (
        f"\n\n**Objectives.** Those of [lesson {name[:2]}](../{name}), in code of your own."
        f"\n\n**Time:** {minutes} minutes in all."
    )


def _fold_answers(nb: NotebookNode, shown: set[str]) -> None:
    """Fold up what the exercise does not show: the answers."""
    for cell in nb.cells:
        if cell.source in shown:
            continue
        tag = "hide-input" if cell.cell_type == "code" else "hide-cell"
        cell.metadata.setdefault("tags", []).append(tag)


if __name__ == "__main__":
    sys.exit(main())
