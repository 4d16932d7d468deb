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

from resnet_lesson.checks.core import NOT_ATTEMPTED, PASSED, exercises
from resnet_lesson.plumbing.constraints import POSITIVE, ListOf, checked, instance

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
        return list(self.statuses.values()).count(PASSED)


@checked(gibibytes=POSITIVE)
def grade(path, seconds=SECONDS, gibibytes=GIBIBYTES):
    """Run one hand-in and return its Grade; nothing that it does ends the grading.

    Args:
        path: of the notebook.
        seconds: after so many the process is ended; the checks that it has run by then count.
        gibibytes: so much memory ends it, too.

    Raises:
        TypeError, ValueError: an argument is unusable.
    """
    try:
        cells = _code_cells(path)
    except OSError as error:
        return Grade(path, remark=f"cannot be read: {error.strerror or error}")
    except ValueError as error:
        return Grade(path, remark=f"is no notebook: {error}")
    summary = _SUMMARY.search("\n".join(cells))
    if not summary or summary[1] not in exercises:
        return Grade(path, remark='names no lesson: its last cell should be checks.summary("…")')
    statuses = dict.fromkeys(exercises[summary[1]], NOT_ATTEMPTED)
    results, remark = _run(cells, seconds, gibibytes)
    statuses.update((name, results[name]) for name in statuses if name in results)
    return Grade(path, summary[1], statuses, remark)


@checked(grades=ListOf(instance("a list of Grade", Grade), least=0))
def table(grades):
    """Return the grades as rows of text, a heading first.

    Args:
        grades: list of Grade.

    Returns:
        list of lists of text, all of one length: hand-in, passed, each exercise, remark.

    Raises:
        TypeError: ``grades`` is not a list of Grade.
    """
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
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("the file is not JSON") from None
    except (KeyError, TypeError):
        raise ValueError("the file has no cells") from None


def _run(cells, seconds, gibibytes):
    """Run the cells in a process; return (statuses by name, remark)."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        task, report, work = (Path(folder, name) for name in ("cells.json", "report.json", "work"))
        task.write_text(json.dumps(cells), encoding="utf-8")
        work.mkdir()
        nowhere = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        command = [sys.executable, "-m", "resnet_lesson.grading.hand_in", str(task), str(report)]
        process = subprocess.Popen(
            command, cwd=work, env=_environment(work), start_new_session=True, **nowhere
        )
        end = _watch(process, seconds, gibibytes)
        try:
            results, remark = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            results, remark = {}, ""
        return results, "; ".join(filter(None, (remark, end)))


def _watch(process, seconds, gibibytes):
    """Wait until a process ends, or end it at its limits; return what there is to say of it."""
    deadline = time.monotonic() + seconds
    try:
        while process.poll() is None:
            time.sleep(0.1)
            if time.monotonic() > deadline:
                return f"was ended after {seconds:g} seconds"
            if _memory(process.pid) > gibibytes * 2**30:
                return f"was ended: it used more than {gibibytes:g} GiB"
        return f"died with exit code {process.returncode}" if process.returncode else ""
    finally:
        _end(process)


def _environment(home):
    """Return the variables of a hand-in's process: the grader's own stay with the grader."""
    data = os.environ.get("KERAS_HOME", Path.home() / ".keras")  # where Fashion-MNIST is
    given = {"HOME": str(home), "KERAS_HOME": str(data), "TQDM_DISABLE": "1", "MPLBACKEND": "agg"}
    return {name: os.environ[name] for name in NEEDED if name in os.environ} | given


def _memory(pid):
    """Return the bytes that a process and its children hold, or 0 where one has just ended."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
        return sum(process.memory_info().rss for process in family)
    except psutil.Error:
        return 0


def _end(process):
    """End a process and all that it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
