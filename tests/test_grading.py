"""The grader: whatever is handed in, the table has a row that says so, and nothing else stops."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import colab
import psutil
import pytest

from resnet_lesson import grading
from resnet_lesson.grading import __main__ as command
from resnet_lesson.grading.feedback import page
from resnet_lesson.grading.kernel import Ended, environment

START = "import resnet_lesson\nfrom resnet_lesson import checks"
RIGHT = """import numpy as np
def f(n):
    half = np.eye(n)
    return np.hstack([half, -half]), np.zeros(2 * n), np.vstack([half, -half]), np.zeros(n)"""
CHECK = "checks.identity_pair(f)"
FOUND = "('lower', [1.0, 1.1], [2.0, 2.1])"
SUMMARY = 'checks.summary("01")'
REST = f"checks.where_depth_hurts()\nchecks.start_prediction()\nchecks.deepened()\n{SUMMARY}"


def as_json(*sources):
    text = {"cell_type": "markdown", "source": ["# A title\n", "and a text"], "metadata": {}}
    code = [{"cell_type": "code", "source": one, "metadata": {}, "outputs": []} for one in sources]
    return json.dumps({"cells": [text, *code], "nbformat": 4, "nbformat_minor": 5}).encode()


def notebook(folder, name, *sources):
    path = folder / f"{name}.ipynb"
    path.write_bytes(as_json(*sources))
    return path


def with_(*strange):
    """A hand-in that has passed one exercise before and one after the strange cells."""
    power = f"checks.start_prediction({FOUND})\nchecks.deepened()\nchecks.where_depth_hurts()"
    return as_json(START, RIGHT, CHECK, *strange, power, SUMMARY)


NOT_JSON = "is no notebook: the file is not JSON"
NO_CELLS = "is no notebook: the file has no cells"
NO_LESSON = "belongs to no lesson"
SHEET = {"cells": [{"cell_type": "code", "input": [SUMMARY]}]}
OLD = {"nbformat": 3, "worksheets": [SHEET]}
# What is read and not run: name → content, score and remark.
FILES = {
    "empty.ipynb": (b"", "0", NOT_JSON),
    "picture.ipynb": (b"\x89PNG\r\n", "0", NOT_JSON),
    "list.ipynb": (b"[]", "0", NO_CELLS),
    "nothing.ipynb": (b"null", "0", NO_CELLS),
    "no cells.ipynb": (b"{}", "0", NO_CELLS),
    "null.ipynb": (b'{"cells": null}', "0", NO_CELLS),
    "bare cell.ipynb": (b'{"cells": [{}]}', "0", NO_CELLS),
    "number.ipynb": (as_json(5), "0", NO_CELLS),
    "no code.ipynb": (b'{"cells": []}', "0", NO_LESSON),
    "no lesson 99.ipynb": (as_json('checks.summary("99")'), "0", NO_LESSON),
    "deep.ipynb": (b'{"cells":' + b"[" * 10**5 + b"]" * 10**5 + b"}", "0", NOT_JSON),
    "long number.ipynb": (b'{"cells":' + b"1" * 5000 + b"}", "0", NOT_JSON),
    "half.ipynb": (as_json(SUMMARY)[:-20], "0", NOT_JSON),
    "latin.ipynb": ('{"cells": "é"}'.encode("latin-1"), "0", NOT_JSON),
    "large.ipynb": (grading.MOST_BYTES + 1, "0", "is no notebook: the file has more than 256 MiB"),
}


def write(path, content):
    """Write a hand-in; an integer stands for a file of that length with nothing in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(content) if isinstance(content, int) else file.write(content)


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["hand-in"]: row for row in csv.DictReader(file)}


def run_nothing(monkeypatch, status="passed"):
    """Let the grader read hand-ins without running them."""
    found = {"results": {"identity_pair": [status, "a message"]}, "forged": [], "replaced": []}
    monkeypatch.setattr(grading, "_run", lambda *_: found)


def test_whatever_the_file_it_has_a_row(tmp_path, monkeypatch):
    run_nothing(monkeypatch)
    for name, (content, *_) in FILES.items():
        write(tmp_path / "in" / name, content)
    write(tmp_path / "in/zz good.ipynb", as_json(SUMMARY))
    assert command.main([str(tmp_path / "in"), "--csv", str(tmp_path / "grades.csv")]) == 0
    rows = rows_of(tmp_path / "grades.csv")
    for name, (_, score, remark) in FILES.items():
        assert rows[name]["passed"] == score, name
        assert remark in rows[name]["remark"], name
    assert len(rows) == len(FILES) + 1
    assert rows["zz good.ipynb"]["passed"] == "1 of 4"


READ = {
    "null source": as_json(None, SUMMARY),
    "lines": as_json(["import os\n", "os"], SUMMARY.splitlines()),
    "half a surrogate pair": as_json("'\ud800'", SUMMARY),
    "format 3": json.dumps(OLD).encode(),
    "BOM": b"\xef\xbb\xbf" + as_json(SUMMARY),
    "UTF-16": as_json(SUMMARY).decode().encode("utf-16"),
    "other quotes": as_json("checks . summary( '01')"),
    "no summary": as_json(CHECK),
}


@pytest.mark.parametrize("content", READ.values(), ids=READ)
def test_every_way_to_write_a_notebook_is_read(tmp_path, content):
    write(tmp_path / "hand-in.ipynb", content)
    assert grading.lesson_of(tmp_path / "hand-in.ipynb") == "01"
    "".join(grading._code_cells(tmp_path / "hand-in.ipynb")).encode()  # can be sent to a kernel


def test_the_lesson_is_known_by_the_checks_the_summary_or_the_name(tmp_path):
    checks = "checks.changing_block(f)\nchecks.repaired_block(f)\nchecks.identity_pair(f)"
    assert grading.lesson_of(notebook(tmp_path, "02_x", checks, SUMMARY)) == "03"
    assert grading.lesson_of(notebook(tmp_path, "02_x", SUMMARY)) == "01"
    assert grading.lesson_of(notebook(tmp_path, "Ann 02_residual_learning (1)", "x")) == "02"
    assert grading.lesson_of(notebook(tmp_path, "2002_x", "checks.nothing()")) == ""
    assert grading.lesson_of(tmp_path / "nowhere.ipynb") == ""
    package = colab.HEAD.format(version="1") + 'checks.changing_block(f)\nchecks.summary("03")'
    assert grading.lesson_of(notebook(tmp_path, "colab", package, SUMMARY)) == "01"


def test_what_is_no_file(tmp_path):
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "loop.ipynb").symlink_to("loop.ipynb")
    (tmp_path / "gone.ipynb").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.ipynb")
    remarks = {path.stem: grading.grade(path).remark for path in tmp_path.iterdir()}
    assert remarks == {
        "folder": "is no notebook: it is not a file",
        "loop": "cannot be read: Too many levels of symbolic links",
        "gone": "cannot be read: No such file or directory",
        "pipe": "is no notebook: it is not a file",
    }


def test_folders_as_a_platform_unpacks_them(tmp_path, capsys, monkeypatch):
    run_nothing(monkeypatch)
    for name in ("Ann/02.ipynb", "Bob/02.ipynb", "Eve/attempt 2/02.IPYNB"):
        write(tmp_path / "in" / name, as_json(SUMMARY))
    for name in ("Bob/.ipynb_checkpoints/02.ipynb", "__MACOSX/Bob/._02.ipynb"):
        write(tmp_path / "in" / name, as_json(SUMMARY))
    for name in ("Bob/._02.ipynb", "Dan/02.zip", "Dan/notes.txt"):
        write(tmp_path / "in" / name, b"")
    (tmp_path / "in/again").symlink_to(tmp_path / "in")
    feedback = tmp_path / "feedback"
    options = ["--csv", str(tmp_path / "grades.csv"), "--feedback", str(feedback)]
    assert command.main([str(tmp_path / "in"), *options]) == 0
    names = ["Ann/02.ipynb", "Bob/02.ipynb", "Eve/attempt 2/02.IPYNB"]
    assert list(rows_of(tmp_path / "grades.csv")) == names
    pages = [path.relative_to(feedback).as_posix() for path in sorted(feedback.rglob("*.html"))]
    assert pages == [f"{name}.html" for name in names]
    others = capsys.readouterr().err.replace(str(tmp_path), "").splitlines()[:4]
    assert others == [
        "/in/again is not a notebook, left out.",
        "/in/Bob/._02.ipynb is not a notebook, left out.",
        "/in/Dan/02.zip is packed: unpack it first.",
        "/in/Dan/notes.txt is not a notebook, left out.",
    ]


def test_files_of_equal_names_keep_their_folders(tmp_path, monkeypatch):
    run_nothing(monkeypatch)
    paths = [tmp_path / "in" / name for name in ("Ann/02.ipynb", "Bob/02.ipynb")]
    for path in paths:
        write(path, as_json(SUMMARY))
    assert command.main([*map(str, paths), "--csv", str(tmp_path / "grades.csv")]) == 0
    assert list(rows_of(tmp_path / "grades.csv")) == ["Ann/02.ipynb", "Bob/02.ipynb"]


NAMES = {
    b"caf\xe9": r"caf\udce9",
    b"two\nlines": r"two\nlines",
    b"=HYPERLINK(1)": "'=HYPERLINK(1)",
    b"@sum": "'@sum",
    b"-1": "'-1",
    "汉字 ✔".encode(): "汉字 ✔",
    b"<b>&": "<b>&",
}


def test_names_of_any_kind(tmp_path, monkeypatch):
    """On a console that knows few letters, in a spreadsheet that computes, and as a page's name."""
    for name in NAMES:
        path = os.fsencode(tmp_path / "in") + b"/" + name + b".ipynb"
        write(type(tmp_path)(os.fsdecode(path)), b"")
    line = [sys.executable, "-m", "resnet_lesson.grading", "in", "--csv", "grades.csv"]
    variables = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [*line, "--feedback", "pages"], cwd=tmp_path, env=variables, capture_output=True
    )
    assert (done.returncode, done.stderr.count(b" of 7: ")) == (0, 7), done.stderr
    assert set(rows_of(tmp_path / "grades.csv")) == {f"{name}.ipynb" for name in NAMES.values()}
    assert {name + b".ipynb.html" for name in NAMES} == {
        *os.listdir(os.fsencode(tmp_path / "pages"))
    }


def test_the_paths_are_tried_before_the_first_run(tmp_path, capsys, monkeypatch):
    notebook(tmp_path, "a", SUMMARY)
    target = tmp_path / "grades.csv"
    monkeypatch.setattr(grading, "grade", lambda *_: pytest.fail("it was run"))
    assert command.main([str(tmp_path), "--csv", str(tmp_path / "nowhere/grades.csv")]) == 2
    assert "cannot be written: No such file" in capsys.readouterr().err
    target.write_text("old")
    assert command.main([str(tmp_path), "--csv", str(target)]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert target.read_text() == "old"
    new = tmp_path / "new.csv"
    assert command.main([str(tmp_path), "--csv", str(new), "--feedback", str(target)]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert not new.exists()
    (tmp_path / "bare").mkdir()
    assert command.main([str(tmp_path / "bare")]) == 2
    assert "no notebook" in capsys.readouterr().err


def test_rows_are_written_as_they_come(tmp_path, capsys, monkeypatch):
    """An error in the grader itself costs one row its grade; Ctrl-C keeps the rows."""
    target = tmp_path / "grades.csv"
    for name in "abcd":
        notebook(tmp_path, name, SUMMARY)
    seen = []

    def graded(path, *_):
        seen.append(len(rows_of(target)))
        if path.stem == "b":
            raise MemoryError("the grader's own")
        if path.stem == "d":
            raise KeyboardInterrupt
        return grading.Grade(path, statuses={"identity_pair": "passed"}, remarks=["a remark"])

    monkeypatch.setattr(grading, "grade", graded)
    assert command.main([str(tmp_path), "--csv", str(target)]) == 130
    assert seen == [0, 1, 2, 3]
    rows = rows_of(target)
    assert list(rows) == ["a.ipynb", "b.ipynb", "c.ipynb"]
    assert rows["b.ipynb"]["remark"] == 'could not be graded: MemoryError("the grader\'s own")'
    shown = capsys.readouterr()
    assert "Stopped: 3 of 4 are graded." in shown.err
    heading, a, _, c = shown.out.splitlines()
    assert heading.split()[:3] == ["hand-in", "passed", "identity_pair"]
    assert a.split() == ["a.ipynb", "1", "of", "1", "passed", "a", "remark"]
    assert c.startswith("c.ipynb")


def test_a_page_of_feedback(tmp_path):
    evil = "<script>alert(1)</script>"
    grade = grading.Grade(
        tmp_path / f"{evil[:8]}.ipynb",
        lesson="01",
        statuses={
            "identity_pair": "passed",
            "deepened": "not yet",
            "start_prediction": "not attempted",
        },
        messages={"identity_pair": evil, "deepened": "two layers & more"},
        failures=[f"code cell {number} raises {evil}" for number in range(1, 6)],
        remarks=["the summary is missing"],
    )
    text = page(grade)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert re.findall(r"<h(\d)>", text) == ["1", "2", "2", "2"]
    for part in (
        'lang="en"',
        "1 of 3",
        "✘</span> not yet",
        "two layers &amp; more",
        "the summary is",
    ):
        assert part in text
    assert text.count("<li>") == 6
    assert "4 raises" not in grade.remark and "; 2 more; the summary is missing" in grade.remark
    assert "could not be graded" in page(grading.Grade(tmp_path, remarks=["cannot be read"]))


WINDOWS = ("SYSTEMROOT", "COMSPEC", "PATHEXT", "TEMP", "TMP")


def test_the_variables_of_a_kernel(tmp_path, monkeypatch):
    """On Windows too, where Matplotlib wants a home and sockets want the system's folder."""
    for name in WINDOWS:
        monkeypatch.setenv(name, f"the {name}")
    monkeypatch.setenv("GRADES_KEY", "secret")
    home = tmp_path / "work"
    given = environment(home)
    assert {name: given[name] for name in WINDOWS} == {name: f"the {name}" for name in WINDOWS}
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"):
        assert given[name] == str(home)
    assert given["HOMEDRIVE"] + given["HOMEPATH"] == str(home)
    assert "GRADES_KEY" not in given


def test_the_old_command_says_what_it_is_called_now(tmp_path):
    line = [sys.executable, "-m", "resnet_lesson.checks", str(tmp_path / "nowhere.ipynb")]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.stderr.startswith("This command is called python -m resnet_lesson.grading now.\n")
    assert "cannot be read: No such file" in done.stdout


class Scripted:
    """Stands in for a kernel: a cell is one word, and each takes ten seconds."""

    ran, clock = [], 0

    def __init__(self, *_):
        Scripted.ran.append("start")

    def run(self, cell, seconds):
        Scripted.ran.append(cell)
        Scripted.clock += 10
        if cell == "dies" or (cell == "flaky" and Scripted.ran.count(cell) > 1):
            raise Ended("ended the kernel")
        ename = "NameError" if cell == "raises" else ""
        status = "error" if ename else "ok"
        return {"status": status, "ename": ename, "evalue": "", "late": cell == "late"}

    def report(self):
        return {"results": {Scripted.ran[-1]: ["passed", ""]}, "forged": [], "replaced": []}

    def end(self):
        Scripted.ran.append("end")


@pytest.fixture
def scripted(monkeypatch):
    Scripted.ran, Scripted.clock = [], 0
    monkeypatch.setattr(grading, "Kernel", Scripted)
    monkeypatch.setattr(grading.time, "monotonic", lambda: Scripted.clock)

    def run(cells, seconds=1000):
        failures = []
        found = grading._run(cells.split(), failures, seconds, 4, 60)
        return " ".join(Scripted.ran), list(found["results"]), failures

    return run


def test_a_new_kernel_runs_again_what_came_before_the_cell_that_ended_the_old_one(scripted):
    ran, results, failures = scripted("a raises late dies b")
    assert ran == "start a raises late dies end start a raises b end"
    assert results == ["a", "raises", "late", "b"]
    assert failures == [
        "code cell 2 raises NameError",
        "code cell 3 was interrupted after 60 seconds",
        "code cell 4 ended the kernel",
    ]


def test_what_was_earned_stays_where_the_cells_cannot_be_run_again(scripted):
    ran, results, failures = scripted("a flaky dies b c")
    assert ran == "start a flaky dies end start a flaky end start a b c end"
    assert results == ["a", "flaky", "b", "c"]
    assert failures == ["code cell 2 ended the kernel", "code cell 3 ended the kernel"]


def test_the_time_of_a_whole_hand_in_is_limited(scripted):
    ran, results, failures = scripted("a b c d e", seconds=30)
    assert ran == "start a b c end"
    assert results == ["a", "b", "c"]
    assert failures == ["was ended after 30 seconds, at code cell 4"]


MAGICS = (
    "%load_ext autoreload\n%autoreload 2\n%matplotlib inline",
    "%%time\n" + RIGHT.replace("def f", "def timed"),
    "%time f = timed",
    "!ls\n%pip install resnet-lesson\n%env HOME",
    "%%bash\nexit 0",
    "%%javascript\nalert(1)",
    "%%html\n<b>",
    "%%capture\n" + CHECK,
)
SHOWS = (
    "from IPython.display import HTML, clear_output\ndisplay(HTML('<b>'), {1: 2})\nclear_output()",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "import ipywidgets\nipywidgets.interact(lambda x: x, x=3)",
    "import asyncio\nawait asyncio.sleep(0.01)",
    "import builtins, sys\nprint = 5\nsys.stderr.write('x' * 10**8)\nsys.stdout.close",
    "π = 3\r\nif π:\r\n\tname = 'naïve'\r\nname",
    "import resnet_lesson, pathlib\nassert pathlib.Path.home() == pathlib.Path.cwd()",
)
BEHIND = (
    "import warnings\nwarnings.simplefilter('error')\n%reset -f",
    START,
    "import subprocess, threading, time\nsubprocess.Popen(['sleep', '3141'])",
    "threading.Thread(target=time.sleep, args=(3141,)).start()",
    "%%bash --bg\nsleep 3141",
    "import os, shutil\nshutil.rmtree(os.getcwd())",
)
RAISING = (
    "raise KeyboardInterrupt",
    "raise ValueError('\\ud800')",
    "class Bad(Exception):\n    def __str__(self):\n        return 1 / 0\nraise Bad",
    "def deep():\n    deep()\ndeep()",
    "f(",
    "%matplotlib nonsense\nimport no_such_module",
    "1 / 0",
)
FORGED = (
    "from resnet_lesson.checks import core",
    "one = core.Result('where_depth_hurts', 'passed', '')\n"
    "core.results.update(where_depth_hurts=one)",
    "core.results['deepened'] = core.Result('deepened', 'passed', '')",
)
UNDEAF = (
    "import time, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(1)"
)
DIED = "code cell 4 ended the kernel"
# What is run: cells, how many exercises are passed, and the whole remark, as a pattern.
STRANGE = {
    "magics": (with_(*MAGICS), 2, ""),
    "shows": (with_(*SHOWS), 2, ""),
    "leaves things behind": (with_(*BEHIND), 2, ""),
    "raises": (
        with_(*RAISING),
        2,
        r"code cell 4 raises KeyboardInterrupt; code cell 5 raises ValueError: \\ud800; "
        "code cell 6 raises .*; 4 more",
    ),
    "asks": (
        with_(
            "name = input('Name?')", "import getpass\ngetpass.getpass()", "import sys\nsys.exit(3)"
        ),
        2,
        "code cell 4 asks for input, and nobody is there.*; code cell 5 asks for .*; "
        "code cell 6 raises SystemExit: 3",
    ),
    "quit": (with_("quit()"), 2, DIED),
    "shutdown": (with_("get_ipython().kernel.do_shutdown(False)"), 2, DIED),
    "dies": (with_("import os\nos._exit(7)"), 2, rf"{DIED} \(exit code 7\)"),
    "crashes": (with_("import ctypes\nctypes.string_at(0)"), 2, rf"{DIED} \(exit code -11\)"),
    "endless": (with_("while True:\n    pass"), 2, "code cell 4 was interrupted after 15 seconds"),
    "deaf": (with_(UNDEAF), 2, "code cell 4 was ended after 15 seconds"),
    "greedy": (
        with_("x = []\nwhile True:\n    x.append(bytearray(2**26))"),
        2,
        "code cell 4 was ended: it used more than 2 GiB",
    ),
    "forged": (
        with_(*FORGED, "checks.where_depth_hurts()").replace(
            b"\\nchecks.deepened()\\nchecks.where_depth_hurts()", b""
        ),
        2,
        "checks that are missing: deepened; results that no check has given, which do not count: "
        "deepened",
    ),
    "replaced": (
        as_json(START, "checks.identity_pair = print", RIGHT, CHECK, REST),
        0,
        "checks without a result: identity_pair; parts of the checks that are replaced: "
        "identity_pair",
    ),
    "endless answer": (
        as_json(
            START,
            RIGHT,
            CHECK,
            "def g(losses):\n    while True: pass\nchecks.where_depth_hurts(g)",
            SUMMARY,
        ),
        1,
        "code cell 4 was interrupted after 15 seconds; checks that are missing: deepened, "
        "start_prediction; checks without a result: where_depth_hurts",
    ),
    "cells deleted": (
        as_json(START, RIGHT, CHECK),
        1,
        "checks that are missing: deepened, where_depth_hurts, start_prediction; "
        "the summary is missing",
    ),
    "a check renamed": (
        as_json(START, RIGHT, "checks.identity_layr(f)", REST),
        0,
        "code cell 3 raises AttributeError: .*; checks that are missing: identity_pair",
    ),
    "del checks": (
        as_json(START, RIGHT, CHECK, "del checks", REST),
        1,
        "code cell 5 raises NameError: name 'checks' is not defined; "
        "checks without a result: deepened, where_depth_hurts, start_prediction",
    ),
    "output closed": (
        with_("import sys\nsys.stdout.close()\nsys.stdout = None"),
        2,
        "code cell 4 was ended.*",
    ),
}


@pytest.mark.slow
def test_strange_hand_ins(tmp_path):
    """Each of them has its row, with what it has earned before and after the strange cell."""
    for name, (content, *_) in STRANGE.items():
        write(tmp_path / "in" / f"{name}.ipynb", content)
    options = ["--csv", str(tmp_path / "grades.csv"), "--cell-seconds", "15", "--memory", "2"]
    assert command.main([str(tmp_path / "in"), *options]) == 0
    rows = rows_of(tmp_path / "grades.csv")
    found = {
        name: (rows[f"{name}.ipynb"]["passed"], rows[f"{name}.ipynb"]["remark"]) for name in STRANGE
    }
    wrong = {
        name: found[name]
        for name, (_, passed, remark) in STRANGE.items()
        if found[name][0] != f"{passed} of 4" or not re.fullmatch(remark, found[name][1])
    }
    assert wrong == {}
    assert {path.name for path in tmp_path.iterdir()} == {"in", "grades.csv"}, "nothing is left"
    running = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
    assert ["sleep", "3141"] not in running


@pytest.mark.slow
def test_an_exercise_as_it_is_handed_out(tmp_path):
    exercises = grading.Path(__file__).parents[1] / "notebooks/exercises"
    grade = grading.grade(exercises / "01_degradation.ipynb")
    assert set(grade.statuses.values()) == {"not attempted"}
    assert grade.remark == ""


@pytest.mark.slow
def test_ctrl_c_keeps_the_rows_and_ends_the_kernel(tmp_path):
    write(tmp_path / "in/a.ipynb", b"")
    write(tmp_path / "in/b.ipynb", as_json(START, "while True: pass", REST))
    line = [sys.executable, "-m", "resnet_lesson.grading", "in", "--csv", "grades.csv"]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(line, cwd=tmp_path, text=True, **streams) as process:
        while "2 of 2" not in process.stderr.readline():
            pass
        while not (kernels := psutil.Process(process.pid).children(recursive=True)):
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert "Stopped: 1 of 2 are graded." in process.stderr.read()
    assert process.returncode == 130
    assert list(rows_of(tmp_path / "grades.csv")) == ["a.ipynb"]
    assert not [kernel for kernel in kernels if kernel.is_running()]
