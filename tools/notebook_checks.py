"""What a notebook must satisfy before it is written or committed.

The builder and the tests both use these functions, so that a notebook that was built passes the
tests. Each function returns one sentence per problem, and an empty list when all is well.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest

import nbformat
from notebook_kinds import Kind
from quiz_text import QUIZ_MARK

MAX_CELL_LINES = 25
MIN_ALT_LENGTH = 20
README_TAG = "readme-figure"
WIDGET = "application/vnd.jupyter.widget-view+json"

# What a notebook that teaches says before its first code cell, and how it is recognised.
# The two times stand with their unit on one line, in any order.
_MINUTES = r"(?=.*\b(?:minutes?|min|seconds?)\b)"
OPENING = {
    "Objectives": r"\bobjectives\b",
    "Prerequisites": r"\bprerequisites\b",
    "reading time": rf"^{_MINUTES}.*\bread(?:ing)?\b",
    "computing time": rf"^{_MINUTES}.*\bcomput(?:e|ing)\b",
}

# The lookbehind spares the paths of web addresses.
_PATHS = re.compile(
    r"(?<![\w.~])/(?:home|Users|root|tmp|private|var/folders|var/tmp)/[\w.-]*"
    r"|\b[A-Za-z]:\\+Users\b"
    r"|/\S*/site-packages\b"
    r"|\bipykernel_\d+\b"
    r"|\bFile [~/]\S+"
)
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1", re.DOTALL | re.MULTILINE)
# Statements at the left margin that always leave an output.
_SPEAKS = re.compile(r"^(?:print|display|(?:\w+\.)?show)\(", re.MULTILINE)


def problems(nb: nbformat.NotebookNode, private: Iterable[str] = ()) -> list[str]:
    """Return everything that is wrong with an executed notebook.

    Args:
        nb: The notebook.
        private: Paths and names of this machine that must not appear, beside the usual ones.
    """
    return source_problems(nb, private) + output_problems(nb, private)


def source_problems(nb: nbformat.NotebookNode, private: Iterable[str] = ()) -> list[str]:
    """Return what is wrong with the text and the code, executed or not."""
    found = heading_problems(nb)
    paths = [text for text in private if _is_path(text)]
    for number, cell in enumerate(nb.cells, 1):
        here = cell_name(number, cell)
        leak = _leak(cell.source, paths)
        if leak:
            found.append(f"{here}: names a machine path: {leak}")
        if cell.cell_type == "markdown" and re.search(r"!\[\s*\]\(", cell.source):
            found.append(f"{here}: an image without a text alternative")
        if cell.cell_type == "markdown" and (mark := QUIZ_MARK.search(cell.source)):
            found.append(f"{here}: there is no quiz {mark[1]}.toml in resnet_lesson/quizzes")
        if cell.cell_type != "code":
            continue
        lines = len(cell.source.splitlines())
        if lines > MAX_CELL_LINES:
            found.append(f"{here}: {lines} lines of code, at most {MAX_CELL_LINES}")
        if not cell.source.strip():
            found.append(f"{here}: an empty code cell")
    return found


def output_problems(nb: nbformat.NotebookNode, private: Iterable[str] = ()) -> list[str]:
    """Return what is wrong with the outputs, the execution counts and the format."""
    found = format_problems(nb)
    if found:
        return found  # the rest relies on the format
    # A user called Mark must not forbid the word to an author who writes about marks.
    prose = "\n".join(cell.source for cell in nb.cells)
    private = [text for text in private if _is_path(text) or not _finds(text, prose)]
    count = 0
    for number, cell in enumerate(nb.cells, 1):
        if cell.cell_type != "code":
            continue
        here = cell_name(number, cell)
        count += 1
        if cell.execution_count != count:
            received = cell.execution_count
            found.append(f"{here}: the execution count is {received} and should be {count}")
        if not cell.outputs and _SPEAKS.search(cell.source):
            found.append(f"{here}: has lost its output")
        for output in cell.outputs:
            if output.output_type == "error" and "raises-exception" not in tags(cell):
                found.append(f"{here}: raises {output.ename}: {output.evalue}")
            if output.output_type == "stream" and output.name == "stderr":
                found.append(f"{here}: writes to stderr: {_joined(output.text).strip()}")
            if WIDGET in output.get("data", {}):
                found.append(f"{here}: shows a widget, which is lost without its kernel")
            for text in _texts(output):
                leak = _leak(text, private)
                if leak:
                    found.append(f"{here}: prints a machine path or name: {leak}")
                if _ADDRESS.search(text):
                    found.append(f"{here}: prints a memory address, which differs in each run")
        found += [f"{here}: {problem}" for problem in image_problems(cell)]
    if count and not any(cell.get("outputs") for cell in nb.cells):
        found.append("no cell has an output")
    return found


def image_problems(cell: nbformat.NotebookNode) -> list[str]:
    """Return the image outputs of a code cell that lack a text alternative.

    The text stands twice: in the output's metadata, for pages made from the notebook, and in the
    output that follows, folded up, for everybody else.
    """
    found = []
    pictures = 0
    for output, follower in zip_longest(cell.outputs, cell.outputs[1:]):
        for kind in output.get("data", {}):
            if kind == "text/html" and re.search(
                r"<img\b(?![^>]*\balt=.\w)", _joined(output.data[kind])
            ):
                found.append("an HTML image without a text alternative")
            if not kind.startswith("image/"):
                continue
            pictures += kind == "image/png"
            alt = _joined(output.metadata.get(kind, {}).get("alt", "")).strip()
            shown = " ".join(_texts(follower)) if follower else ""
            if len(alt) < MIN_ALT_LENGTH:
                found.append(
                    f"an {kind} output without a text alternative of at least "
                    f"{MIN_ALT_LENGTH} characters (use resnet_lesson.plots.show)"
                )
            elif _squeezed(alt) not in _squeezed(shown):
                found.append(f"the text alternative of an {kind} output is not there under it")
    if README_TAG in tags(cell) and pictures != 1:
        found.append(f"tagged {README_TAG}, so it must show one PNG; it shows {pictures}")
    return found


def heading_problems(nb: nbformat.NotebookNode) -> list[str]:
    """Return what is wrong with the order of the headings: one h1, first, and no jumps."""
    found = []
    levels = [(level, text) for level, text in headings(nb)]
    ones = [text for level, text in levels if level == 1]
    if len(ones) != 1:
        found.append(f"one heading of level 1 is needed, found {len(ones)}")
    previous = 0
    for level, text in levels:
        if level > previous + 1:
            found.append(f"the heading {text!r} jumps from level {previous} to {level}")
        previous = level
    return found


def lesson_problems(nb: nbformat.NotebookNode, kind: Kind) -> list[str]:
    """Return which parts of its opening and closing a notebook that teaches lacks."""
    opening = ""
    for cell in nb.cells:
        if cell.cell_type == "code":
            break
        opening += cell.source + "\n"
    found = [
        f"the opening lacks: {part}"
        for part, pattern in OPENING.items()
        if not re.search(pattern, opening, re.IGNORECASE | re.MULTILINE)
    ]
    minutes = sum(int(number) for number in re.findall(r"\b(\d+) min", opening))
    if kind.minutes and minutes > kind.minutes:
        found.append(f"it takes {minutes} minutes, at most {kind.minutes}")
    titles = [text for _, text in headings(nb)]
    places = []
    for part in kind.closing:
        at = [i for i, title in enumerate(titles) if re.search(rf"\b{part}\b", title, re.I)]
        if not at:
            found.append(f"the closing lacks a heading: {part}")
        places += at[-1:]
    if places != sorted(places):
        found.append(f"the closing headings are not in the order {', '.join(kind.closing)}")
    return found


def format_problems(nb: nbformat.NotebookNode) -> list[str]:
    """Return why the notebook is not a valid notebook of format 4.5."""
    if (nb.nbformat, nb.nbformat_minor) != (4, 5):
        return [f"the notebook format is {nb.nbformat}.{nb.nbformat_minor} and should be 4.5"]
    ids = [cell.get("id") for cell in nb.cells]
    if len(set(ids)) != len(ids):
        return ["two cells have the same id"]
    try:
        nbformat.validate(nb)
    except nbformat.ValidationError as error:
        return [f"not a valid notebook: {str(error).splitlines()[0]}"]
    return []


def headings(nb: nbformat.NotebookNode) -> Iterator[tuple[int, str]]:
    """Yield level and text of each Markdown heading, code blocks left out."""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            for line in _FENCE.sub("", cell.source).splitlines():
                match = _HEADING.match(line)
                if match:
                    yield len(match[1]), match[2]


def tags(cell: nbformat.NotebookNode) -> list[str]:
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def cell_name(number: int, cell: nbformat.NotebookNode) -> str:
    """Name a cell for a message: its number from one and the start of its first line."""
    first = next((line for line in cell.source.splitlines() if line.strip()), "")
    return f"cell {number} ({first[:50]})"


def plain(text: str) -> str:
    """Return the text without the codes that colour a terminal."""
    return _ANSI.sub("", text)


def _leak(text: str, private: Iterable[str]) -> str | None:
    """Return the first machine path or private text in the given text."""
    match = _PATHS.search(plain(text))
    if match:
        return match[0]
    return next((name for name in private if _finds(name, plain(text))), None)


def _finds(name: str, text: str) -> bool:
    """Tell whether a name or path stands in a text, not as a part of a longer word."""
    return bool(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text))


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text


def _texts(output: nbformat.NotebookNode) -> Iterator[str]:
    """Yield every text in an output that a reader can see."""
    for key in ("text", "ename", "evalue", "traceback"):
        if key in output:
            yield _joined(output[key])
    for kind, value in output.get("data", {}).items():
        # Pixels are base64, where any short word may turn up by chance.
        if not kind.startswith("image/") or kind == "image/svg+xml":
            yield _joined(value) if isinstance(value, (str, list)) else str(value)


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _squeezed(text: str) -> str:
    """Drop what Markdown may change in a text: spaces, escapes and line ends."""
    return re.sub(r"[\s\\]+", "", text)
