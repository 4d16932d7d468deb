"""Handouts: of each lesson one page to print, with what a lecturer gives to the audience.

A handout is put together from the committed notebook and its exercises, so there is nothing to
write and nothing to keep up to date: what the lesson is for, its first figure, its summary, and
what to do at home.
"""

import base64
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from notebook_kinds import EXERCISE, LESSON, Notebook, notebooks, prose

OBJECTIVES = re.compile(r"^\*\*Objectives\.\*\*(.*?)\n\n(.*?)\n\n\*\*", re.DOTALL | re.MULTILINE)
EXERCISES = re.compile(r"^## Exercise (\d+): (.*)\n\n\*\*(\w+), (\d+) minutes\*\*", re.MULTILINE)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
PAGE = """\
# {title}

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


def write(source: Path, root: Path) -> None:
    """Write the handouts of all lessons to where Sphinx reads."""
    folder = source / "handouts"
    folder.mkdir()
    for made in (made for made in notebooks(root) if made.kind is LESSON):
        text, picture = handout(made)
        (folder / f"{made.stem}.md").write_text(text, encoding="utf-8")
        (folder / f"{made.stem}.png").write_bytes(picture)


def handout(made: Notebook) -> tuple[str, bytes]:
    """Return a lesson's handout as Markdown, and its figure as a PNG."""
    nb = nbformat.read(made.path, as_version=4)
    text = prose(nb)
    picture, alt = _first_figure(nb)
    parts = {
        "title": re.search(r"^# (.*)", text)[1],
        "objectives": OBJECTIVES.search(text)[2],
        "image": f"{made.stem}.png",
        "alt": alt.replace("\n", " "),
        "summary": _bullets(text.partition("## Summary\n\n")[2]),
        "exercises": _exercises(made),
    }
    return LINK.sub(r"\1", PAGE.format(**parts)), picture


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
