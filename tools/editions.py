"""Two notebooks from one exercise source: the exercise without its answers, and the solution.

In a code cell of the source, the lines between ``# ANSWER`` and ``# END`` are the answer. The
exercise has a stub in their place: ``...  # your answer``, or what follows ``# STUB:`` in lines
before them. A cell tagged ``solution`` is in the solution alone.

An exercise whose stub passes its check, or that shows a line of an answer, is refused; so is a
solution that does not pass.
"""

import copy
import re

import nbformat
from notebook_checks import cell_name, tags
from notebook_kinds import EXERCISE, Kind

STUB = "...  # your answer"
MIN_TELLING = 12  # characters; shorter lines of an answer may stand elsewhere by chance

_ANSWER = re.compile(r"^( *)# ANSWER\n(.*?)^ *# END(?:\n|$)", re.DOTALL | re.MULTILINE)
_STUB = re.compile(r"^( *)# STUB: (.*)\n", re.MULTILINE)
_CHECK = re.compile(r"\bchecks\.(\w+)\(")
# A heading, and below it what an exercise asks of its reader's time.
_EXERCISE = re.compile(r"^## Exercise (\d+)\b.*$", re.MULTILINE)
_EFFORT = re.compile(r"\*\*(easy|medium|hard), \d+ minutes\*\*")


def edition(nb: nbformat.NotebookNode, kind: Kind) -> nbformat.NotebookNode:
    """Return the exercise or the solution of a source, which stays as it is."""
    made = copy.deepcopy(nb)
    if kind is EXERCISE:
        made.cells = [cell for cell in made.cells if "solution" not in tags(cell)]
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.source = _with_stubs(cell.source) if kind is EXERCISE else _whole(cell.source)
    return made


def answer_lines(nb: nbformat.NotebookNode) -> list[str]:
    """Return the lines of a source's answers that would tell them."""
    parts = [part for cell in nb.cells for _, part in _ANSWER.findall(cell.source + "\n")]
    lines = [line.strip() for part in parts for line in part.splitlines()]
    return [line for line in lines if len(line) >= MIN_TELLING and not line.startswith("#")]


def edition_problems(nb: nbformat.NotebookNode, source: nbformat.NotebookNode) -> list[str]:
    """Return what is wrong with the text of a source's exercise, before it is executed."""
    shown = "\n".join(cell.source for cell in nb.cells)
    found = [
        f"gives a line of an answer away: {line}" for line in answer_lines(source) if line in shown
    ]
    places = [(match[1], match.end()) for match in _EXERCISE.finditer(shown)]
    if [int(number) for number, _ in places] != list(range(1, len(places) + 1)) or not places:
        found.append("the exercises are not headed '## Exercise 1', '## Exercise 2' and so on")
    for number, end in places:
        if not _EFFORT.search(shown, end, end + 200):
            found.append(
                f"exercise {number} does not begin with its effort, as in **easy, 5 minutes**"
            )
    if "# ANSWER" in shown or "# END" in shown:
        found.append("a mark of an answer is left over: # ANSWER and # END come in pairs")
    return found


def outcome_problems(nb: nbformat.NotebookNode, kind: Kind) -> list[str]:
    """Return the checks of an executed edition that did not end as they must."""
    found, checked = [], 0
    for number, cell in enumerate(nb.cells, 1):
        if cell.cell_type != "code":
            continue
        said = "".join(output.get("text", "") for output in cell.outputs)
        for name in _CHECK.findall(cell.source):
            if name == "summary":
                continue
            checked += 1
            if f"{name}: {kind.outcome}." not in said:
                found.append(
                    f"{cell_name(number, cell)}: {name} should be {kind.outcome}: {said.strip()}"
                )
    if not checked:
        found.append("no cell runs a check")
    return found


def _with_stubs(text):
    text = _ANSWER.sub(_stub_instead, text + "\n")
    return _STUB.sub(r"\1\2\n", text).rstrip("\n")


def _stub_instead(match):
    before = match.string[: match.start()].rstrip("\n").rsplit("\n", 1)[-1]
    return "" if before.lstrip().startswith("# STUB: ") else f"{match[1]}{STUB}\n"


def _whole(text):
    return _STUB.sub("", _ANSWER.sub(r"\2", text + "\n")).rstrip("\n")
