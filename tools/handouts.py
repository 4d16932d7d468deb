"""Handouts, of each lesson one page to print, and a summary of all lessons on one page.

They are put together from the committed notebooks and exercises, so there is nothing to write and
nothing to keep up to date. A handout has what the lesson is for, its first figure, its summary, and
what to do at home; the summary has the figures and the summaries.
"""

import base64
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from notebook_kinds import EXERCISE, LESSON, Notebook, notebooks, prose, title

OBJECTIVES = re.compile(r"^\*\*Objectives\.\*\*(.*?)\n\n(.*?)\n\n\*\*", re.DOTALL | re.MULTILINE)
EXERCISES = re.compile(r"^## Exercise (\d+): (.*)\n\n\*\*(\w+), (\d+) minutes\*\*", re.MULTILINE)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
PAGE = """\
# {title} · one page

## After this lesson you can

{objectives}

```{{image}} {image}
:alt: {alt}
:class: handout-figure
```

## What it showed

{summary}

## At home

| | exercise | | minutes |
|---|---|---|---:|
{exercises}
"""


IN_SUMMARY = """\
## [{title}](notebooks/{stem}.ipynb)

```{{image}} handouts/{image}
:alt: {alt}
:class: summary-figure
```

{summary}
"""


def write(source: Path, root: Path) -> str:
    """Write the handouts to where Sphinx reads; return the summary of all lessons as Markdown."""
    folder = source / "handouts"
    folder.mkdir()
    sections = []
    for made in (made for made in notebooks(root) if made.kind is LESSON):
        found, picture = parts(made)
        page = LINK.sub(r"\1", PAGE.format(**found))  # paper has no links
        (folder / f"{made.stem}.md").write_text(page, encoding="utf-8")
        (folder / found["image"]).write_bytes(picture)
        found["summary"] = LINK.sub(r"\1", found["summary"])
        sections.append(IN_SUMMARY.format(stem=made.stem, **found))
    return "\n".join(sections)


def parts(made: Notebook) -> tuple[dict[str, str], bytes]:
    """Return the texts of a lesson's handout, by name, and its figure as a PNG."""
    nb = nbformat.read(made.path, as_version=4)
    text = prose(nb)
    picture, alt = _first_figure(nb)
    texts = {
        "title": title(nb),
        "objectives": OBJECTIVES.search(text)[2],
        "image": f"{made.stem}.png",
        "alt": alt.replace("\n", " "),
        "summary": _bullets(text.partition("## Summary\n\n")[2]),
        "exercises": _exercises(made),
    }
    return texts, picture


def _bullets(summary: str) -> str:
    """Return the list that a summary begins with."""
    return summary.partition("\n\n")[0]


def _first_figure(nb: NotebookNode) -> tuple[bytes, str]:
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                alt = output.metadata["image/png"]["alt"]
                return base64.b64decode(output.data["image/png"]), alt
    raise ValueError("a lesson should have a figure")


def _exercises(made: Notebook) -> str:
    """Return the rows of a table of the lesson's exercises; lesson 00 has none."""
    path = Notebook(made.root, EXERCISE, made.stem).path
    if not path.exists():
        return "| | read the primer, if a word was new | easy | 15 |"
    text = prose(nbformat.read(path, as_version=4))
    rows = (
        f"| {n} | {title} | {how} | {minutes} |"
        for n, title, how, minutes in EXERCISES.findall(text)
    )
    return "\n".join(rows)
