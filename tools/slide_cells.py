"""The slides of a lesson: Markdown cells of its source that are tagged ``slide``.

They are for the deck alone: the notebook is built without them, and does not change with them. In
a slide, these lines stand for something of the code cell above it:

    <!-- output -->       its figure or text, as the committed notebook has it;
                          <!-- output: 400 --> is a figure 400 pixels high, instead of 520
    <!-- code -->         its code; <!-- code: 3-9 --> is lines 3 to 9 of it
    <!-- later -->        what follows comes at the next press of a key
    <!-- microscope: depth=56&open=r5 -->
                          the microscope, to be used in the slide, with this state at first

and what follows ``<!-- notes -->`` is for the speaker.
"""

import re
from dataclasses import dataclass
from textwrap import dedent

import jupytext
from nbformat import NotebookNode

# A text may show a script, whose first line `#!/bin/sh` is not one of IPython's commands.
SOURCE_FORMAT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
TAG = "slide"
NOTES = "<!-- notes -->"
OUTPUT = re.compile(r"^<!-- output(?:: (\d+))? -->$", re.MULTILINE)
LATER = "<!-- later -->"
MICROSCOPE = re.compile(r"^<!-- microscope: (\S+) -->$", re.MULTILINE)
CODE = re.compile(r"^<!-- code(?:: (\d+)-(\d+))? -->$", re.MULTILINE)
_SLIDE = re.compile(
    r'^# %% \[markdown\] tags=\["slide"\]\n(?:(?!# %%(?: |$)).*(?:\n|$))*', re.MULTILINE
)


@dataclass(frozen=True)
class Slide:
    """One slide: its text, what the speaker reads, and the code cell that it shows."""

    text: str
    notes: str
    cell: NotebookNode | None


def without_slides(text: str) -> str:
    """Return a source's text without its slides."""
    return _SLIDE.sub("", text)


def slides(text: str, nb: NotebookNode) -> list[Slide]:
    """Return the slides of a lesson's source, with the code cells of its executed notebook.

    Raises:
        ValueError: a slide shows something of a cell that the notebook does not have.
    """
    executed = {cell.source: cell for cell in nb.cells if cell.cell_type == "code"}
    found, above = [], None
    for cell in jupytext.reads(text, fmt=SOURCE_FORMAT).cells:
        if cell.cell_type == "code":
            above = executed.get(cell.source)
        elif TAG in cell.metadata.get("tags", []):
            shown, _, notes = cell.source.partition(NOTES)
            needed = OUTPUT.search(shown) or CODE.search(shown)
            if needed and above is None:
                raise ValueError(
                    "a slide shows a cell that is not in the notebook: build that first. "
                    f"Received: {shown.splitlines()[0]}"
                )
            found.append(Slide(_with_code(shown, above), notes.strip(), above if needed else None))
    return found


def _with_code(text: str, cell: NotebookNode | None) -> str:
    def lines(match: re.Match) -> str:
        shown = cell.source.split("\n")
        if match[1]:
            shown = shown[int(match[1]) - 1 : int(match[2])]
        return "\n".join(["```python", dedent("\n".join(shown)), "```"])

    return CODE.sub(lines, text).strip()
