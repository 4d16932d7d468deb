"""Grading of handed-in exercise notebooks: each runs in a process of its own, with limits.

The cells of a hand-in run one after the other, in an empty folder that is thrown away. A cell that
fails is noted and the next one runs, so that one mistake does not cost the other exercises. What
counts is the last result of each check.

This protects against accidents: endless loops, too much memory, crashes, files written into the
current folder. A hand-in does not get the grader's environment variables, which may hold keys. But
it can still read and delete the grader's files and use the network, and whoever means to cheat can
report results of his own. Grade strangers' hand-ins in a container.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from resnet_lesson.arguments import file_path, positive_number, received, sequence
from resnet_lesson.checks.core import NOT_ATTEMPTED, exercises

SECONDS, GIBIBYTES = 120, 4
# The variables without which Python or TensorFlow may not start.
NEEDED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT", "TMPDIR", "TEMP")
_SUMMARY = re.compile(r"""\bchecks\.summary\(\s*["'](\d\d)["']\s*\)""")


@dataclass
class Grade:
    """What one hand-in earned."""

    path: Path
    lesson: str = ""
    """Two digits, or nothing where the hand-in names no lesson."""
    statuses: dict = field(default_factory=dict)
    """Exercise → ``"passed"``, ``"not yet"`` or ``"not attempted"``."""
    remark: str = ""
    """What went wrong besides, in one line."""

    @property
    def passed(self):
        return sum(status == "passed" for status in self.statuses.values())


def grade(path, seconds=SECONDS, gibibytes=GIBIBYTES):
    """Run one hand-in and return its Grade; nothing that it does ends the grading.

    Args:
        path: of the notebook.
        seconds: after so many the process is ended; the checks that it has run by then count.
        gibibytes: so much memory ends it, too.

    Raises:
        TypeError, ValueError: an argument is unusable.
    """
    path = file_path("path", path)
    positive_number("seconds", seconds)
    positive_number("gibibytes", gibibytes)
    try:
        cells = _code_cells(path)
    except OSError as error:
        return Grade(path, remark=f"cannot be read: {error.strerror or error}")
    except ValueError as error:
        return Grade(path, remark=f"is no notebook: {error}")
    lesson = next(iter(_SUMMARY.findall("\n".join(cells))), "")
    if lesson not in exercises:
        return Grade(path, remark='names no lesson: its last cell should be checks.summary("…")')
    found, remark = _run(cells, seconds, gibibytes)
    statuses = {name: found.get(name, NOT_ATTEMPTED) for name in exercises[lesson]}
    return Grade(path, lesson, statuses, remark)


def table(grades):
    """Return the grades as rows of text, a heading first.

    Args:
        grades: list of Grade.

    Returns:
        list of lists of text, all of one length: hand-in, passed, each exercise, remark.

    Raises:
        TypeError: ``grades`` is not a list of Grade.
    """
    for one in sequence("grades", grades, least=0):
        if not isinstance(one, Grade):
            raise TypeError(f"grades must be a list of Grade. Received: {received(one)}")
    names = list(dict.fromkeys(name for one in grades for name in one.statuses))
    rows = [["hand-in", "passed", *names, "remark"]]
    for one in grades:
        score = f"{one.passed} of {len(one.statuses)}" if one.statuses else "0"
        statuses = [one.statuses.get(name, "") for name in names]
        rows.append([one.path.name, score, *statuses, one.remark])
    return rows


def _code_cells(path):
    """Read the code of a notebook, cell by cell."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells = content["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("the file is not JSON") from None
    except (KeyError, TypeError):
        raise ValueError("the file has no cells") from None
    return ["".join(source) for source in sources]


def _run(cells, seconds, gibibytes):
    """Run the cells in a process; return (results by name, remark)."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        task, told = Path(folder, "cells.json"), Path(folder, "results.json")
        task.write_text(json.dumps(cells), encoding="utf-8")
        work = Path(folder, "work")
        work.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "resnet_lesson.checks.hand_in", str(task), str(told)],
            cwd=work,
            env=_environment(work),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        ended, deadline = "", time.monotonic() + seconds
        while process.poll() is None and not ended:
            time.sleep(0.1)
            if time.monotonic() > deadline:
                ended = f"was ended after {seconds:g} seconds"
            elif _memory(process.pid) > gibibytes * 2**30:
                ended = f"was ended: it used more than {gibibytes:g} GiB"
        _end(process)
        try:
            found = json.loads(told.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {"results": {}, "remark": ""}
        if not ended and process.returncode:
            ended = f"died with exit code {process.returncode}"
    return found["results"], "; ".join(text for text in (found["remark"], ended) if text)


def _environment(home):
    """Return the variables of a hand-in's process: the grader's own stay with the grader."""
    data = os.environ.get("KERAS_HOME", Path.home() / ".keras")  # where Fashion-MNIST is
    given = {"HOME": str(home), "KERAS_HOME": str(data), "TQDM_DISABLE": "1", "MPLBACKEND": "agg"}
    return {name: os.environ[name] for name in NEEDED if name in os.environ} | given


def _memory(pid):
    """Return the bytes that a process and its children hold."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for one in (parent, *parent.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.Error:  # it has just ended
        pass
    return total


def _end(process):
    """End a process and all that it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
