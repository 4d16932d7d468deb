"""Grading of handed-in exercise notebooks: each runs in a Jupyter kernel of its own, with limits.

The cells of a hand-in run one after the other, in an empty folder that is thrown away. A cell that
fails is noted and the next one runs, so that one mistake does not cost the other exercises. Where a
cell ends the kernel or has to be ended, a new kernel runs the cells before it again, and then those
after it. What counts is the last result of each check.

This protects against accidents: endless loops, too much memory, crashes, files written into the
current folder. A hand-in does not get the grader's environment variables, which may hold keys. But
it can still read and delete the grader's files and use the network. A result that is plainly forged
does not count and gets a remark; whoever means to cheat can forge a better one. Grade strangers'
hand-ins in a container.
"""

import json
import re
import tempfile
import textwrap
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from resnet_lesson.checks.core import NOT_ATTEMPTED, PASSED, exercises
from resnet_lesson.grading.kernel import Ended, Kernel
from resnet_lesson.plumbing.constraints import POSITIVE, checked

SECONDS, CELL_SECONDS, GIBIBYTES = 600, 60, 4
MOST_BYTES = 2**28  # of a file: more is no notebook of this course
_CHECK = re.compile(r"\bchecks\s*\.\s*(\w+)\s*\(")
_SUMMARY = re.compile(r"""\bchecks\s*\.\s*summary\(\s*["'](\d\d)["']""")
_FILE_NAME = re.compile(r"(?<!\d)(\d\d)_[a-z]")
_LESSONS = {name: lesson for lesson, checks in exercises.items() for name in checks}


@dataclass
class Grade:
    """What one hand-in earned."""

    path: Path
    name: str = ""
    """What tables and pages call the hand-in: the file's name unless another one is given."""
    lesson: str = ""
    """Two digits, or nothing where the hand-in belongs to no lesson."""
    statuses: dict = field(default_factory=dict)
    """Exercise → ``"passed"``, ``"not yet"`` or ``"not attempted"``."""
    messages: dict = field(default_factory=dict)
    """Exercise → what its check said."""
    failures: list = field(default_factory=list)
    """Which cells failed and how, a line each."""
    remarks: list = field(default_factory=list)
    """What else is to be said, a line each."""

    def __post_init__(self):
        self.name = printable(self.name or self.path.name)

    @property
    def passed(self):
        return list(self.statuses.values()).count(PASSED)

    @property
    def score(self):
        return f"{self.passed} of {len(self.statuses)}" if self.statuses else "0"

    @property
    def remark(self):
        """All in one line, but not more than three cells that failed."""
        more = len(self.failures) - 3
        rest = [f"{more} more"] if more > 0 else []
        return "; ".join(self.failures[:3] + rest + self.remarks)


@checked(gibibytes=POSITIVE, cell_seconds=POSITIVE)
def grade(path, seconds=SECONDS, gibibytes=GIBIBYTES, cell_seconds=CELL_SECONDS, name=""):
    """Run one hand-in and return its Grade; nothing that it does ends the grading.

    Args:
        path: of the notebook.
        seconds: after so many no more cells are run; the checks that have run by then count.
        gibibytes: a cell is ended when it and those before it use more memory.
        cell_seconds: a cell that takes longer is interrupted, and ended if it takes no notice.
        name: what to call the hand-in, for example its path within a folder.

    Raises:
        TypeError, ValueError: an argument is unusable.
    """
    done = Grade(path, name)
    try:
        cells = _code_cells(path)
    except OSError as error:
        done.remarks.append(f"cannot be read: {error.strerror or error}")
    except ValueError as error:
        done.remarks.append(f"is no notebook: {error}")
    else:
        done.lesson = _lesson(cells, path)
        if done.lesson:
            done.statuses = dict.fromkeys(exercises[done.lesson], NOT_ATTEMPTED)
            found = _run(cells, done.failures, seconds, gibibytes, cell_seconds)
            _enter(found, done, _own(cells))
        else:
            done.remarks.append("belongs to no lesson: it calls no check and has no lesson's name")
    return done


@checked
def lesson_of(path):
    """Return the lesson that a hand-in belongs to, two digits, or ``""`` where there is none.

    Args:
        path: of the notebook, which need not be one.
    """
    try:
        return _lesson(_code_cells(path), path)
    except (OSError, ValueError):
        return ""


def printable(text):
    """Return a text on one line, with codes for all that cannot be shown or written."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _code_cells(path):
    """Read the code of a notebook, cell by cell, in any version of the format."""
    if path.exists() and not path.is_file():
        raise ValueError("it is not a file")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"the file has more than {MOST_BYTES >> 20} MiB")
    try:
        book = json.loads(path.read_bytes())  # in UTF-8, 16 or 32, with or without a mark
        sheets = book.get("worksheets", [book])  # format 3 had sheets, and called a source input
        cells = [one for sheet in sheets for one in sheet["cells"] if one["cell_type"] == "code"]
        sources = ["".join(cell.get("source", cell.get("input")) or "") for cell in cells]
    except (KeyError, TypeError, AttributeError):
        raise ValueError("the file has no cells") from None
    except (ValueError, RecursionError):
        raise ValueError("the file is not JSON") from None
    return [source.encode("utf-8", "replace").decode() for source in sources]


def _own(cells):
    """Return all code but the package's, which Colab's edition has in its first cell."""
    return "\n".join(cell for cell in cells if not cell.startswith("#@title The course's package"))


def _lesson(cells, path):
    """Tell the lesson by the checks that the cells call, by the summary, or by the file's name."""
    code = _own(cells)
    called = Counter(_LESSONS[name] for name in _CHECK.findall(code) if name in _LESSONS)
    named = [lesson for lesson, _ in called.most_common(1)]
    named += _SUMMARY.findall(code) + _FILE_NAME.findall(path.name.lower())
    return next((lesson for lesson in named if lesson in exercises), "")


def _run(cells, failures, seconds, gibibytes, cell_seconds):
    """Run the cells; return what the checks have found, and enter which cells failed."""
    found = {"results": {}, "forged": [], "replaced": []}
    ahead, behind, troubles, stop = list(enumerate(cells, start=1)), [], {}, ""
    kernel, end = None, time.monotonic() + seconds
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            while ahead:
                number, cell = ahead.pop(0)
                left = end - time.monotonic()
                if left <= 0:
                    stop = f"was ended after {seconds:g} seconds, at code cell {number}"
                    break
                try:
                    kernel = kernel or Kernel(Path(folder), gibibytes)
                    reply = kernel.run(cell, min(cell_seconds, left))
                    trouble = _trouble(reply, cell_seconds)
                    report = kernel.report()
                    found = report | {"results": found["results"] | report["results"]}
                    behind += [] if reply["late"] else [(number, cell)]
                except Ended as ended:
                    trouble = str(ended)
                    if kernel is None:
                        stop = f"could not be run: {trouble}"
                        break
                    kernel.end()
                    # All that is behind runs again in a new kernel, but not what ended this one.
                    kernel, ahead, behind = None, behind + ahead, []
                if trouble:
                    troubles[number] = trouble
        finally:
            if kernel:
                kernel.end()
    failures += [printable(f"code cell {number} {troubles[number]}") for number in sorted(troubles)]
    failures += [printable(stop)] if stop else []
    return found


def _trouble(reply, seconds):
    """Return what there is to say of a cell, by the kernel's reply."""
    if reply["late"]:
        return f"was interrupted after {seconds:g} seconds"
    if reply["status"] == "ok":
        return ""
    if reply["ename"] == "StdinNotImplementedError":
        return "asks for input, and nobody is there to type any"
    text = textwrap.shorten(f": {reply['evalue']}", 120, placeholder="...")
    return f"raises {reply['ename']}{text if reply['evalue'] else ''}"


def _enter(found, done, code):
    """Enter into a Grade what the checks have found, and what is missing or forged."""
    for exercise, (status, message) in found["results"].items():
        if exercise in done.statuses:
            done.statuses[exercise], done.messages[exercise] = status, printable(message)
    called = _CHECK.findall(code)
    silent = [exercise for exercise in done.statuses if exercise not in done.messages]
    told = {
        "checks that are missing": [name for name in silent if name not in called],
        "checks without a result": [name for name in silent if name in called],
        "results that no check has given, which do not count": found["forged"],
        "parts of the checks that are replaced": found["replaced"],
    }
    done.remarks += [
        f"{what}: {printable(', '.join(names))}" for what, names in told.items() if names
    ]
    if not _SUMMARY.search(code):
        done.remarks.append("the summary is missing")
