"""The grader: whatever is handed in, the table has a row that says so, and nothing else stops."""

import csv
import json

import pytest

from resnet_lesson import grading
from resnet_lesson.grading.__main__ import main

START = "import resnet_lesson\nfrom resnet_lesson import checks"
RIGHT = "import numpy as np\ndef f(n):\n    return np.eye(n), np.zeros(n)"
CHECK = "checks.identity_layer(f)"
SUMMARY = 'checks.summary("01")'


def notebook(folder, name, *cells):
    text = {"cell_type": "markdown", "source": ["# A title\n", "and a text"], "metadata": {}}
    code = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": [text, *code], "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.mark.slow
def test_a_good_hand_in(tmp_path):
    magics = "%matplotlib inline\n!ls\n"
    wrong = "checks.gradient_left(lambda c, n: c * n)"
    file = "open('answer.txt', 'w').write('x')"
    path = notebook(tmp_path, "good", START, magics + RIGHT, CHECK, wrong, file, SUMMARY)
    grade = grading.grade(path)
    assert (grade.lesson, grade.passed, grade.remark) == ("01", 1, "")
    assert grade.statuses == {
        "identity_layer": "passed",
        "gradient_left": "not yet",
        "diagnosis": "not attempted",
        "deepened": "not attempted",
    }
    assert list(tmp_path.iterdir()) == [path], "nothing is left behind"


@pytest.mark.slow
def test_one_failing_cell_does_not_cost_the_other_exercises(tmp_path):
    cells = (START, "unknown + 1", "raise SystemExit(1)", RIGHT, CHECK, SUMMARY)
    grade = grading.grade(notebook(tmp_path, "failing", *cells))
    assert grade.passed == 1
    assert grade.remark == "code cell 2 raises NameError: name 'unknown' is not defined"


ENDS = {
    "while True:\n    pass": "was ended after 40 seconds",
    "x = []\nwhile True:\n    x.append(bytearray(2**26))": "it used more than 2 GiB",
    "import os\nos._exit(7)": "died with exit code 7",
}


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "remark"), ENDS.items(), ids=["endless", "greedy", "dead"])
def test_what_was_passed_before_the_end_counts(tmp_path, cell, remark):
    path = notebook(tmp_path, "ending", START, RIGHT, CHECK, cell, SUMMARY)
    grade = grading.grade(path, seconds=40, gibibytes=2)
    assert remark in grade.remark
    assert grade.statuses["identity_layer"] == "passed"


@pytest.mark.slow
def test_the_graders_variables_and_home_stay_with_the_grader(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADES_KEY", "secret")
    look = "import os\nassert not {'GRADES_KEY', 'secret'} & {*os.environ, *os.environ.values()}"
    home = "from pathlib import Path\nassert Path.home() == Path.cwd()\nPath('left').touch()"
    grade = grading.grade(notebook(tmp_path, "looking", START, look, home, SUMMARY))
    assert grade.remark == ""


NO_HAND_INS = {
    b"\x89PNG\r\n": "is no notebook: the file is not JSON",
    b"": "is no notebook: the file is not JSON",
    b"[]": "is no notebook: the file has no cells",
    b'{"cells": [{}]}': "is no notebook: the file has no cells",
    b'{"cells": []}': "names no lesson",
}


def test_no_notebook(tmp_path):
    path = tmp_path / "thing.ipynb"
    assert "cannot be read: No such file" in grading.grade(path).remark
    for content, remark in NO_HAND_INS.items():
        path.write_bytes(content)
        grade = grading.grade(path)
        assert remark in grade.remark
        assert (grade.passed, grade.statuses) == (0, {})


def test_table_of_a_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(grading, "_run", lambda *_: ({"identity_layer": "passed"}, "a remark"))
    notebook(tmp_path, "b", SUMMARY)
    notebook(tmp_path, "a", 'checks.summary("99")')
    target = tmp_path / "grades.csv"
    assert main([str(tmp_path), "--csv", str(target)]) == 0
    shown = capsys.readouterr()
    assert shown.err == "1 of 2: a.ipynb\n2 of 2: b.ipynb\n"
    heading, a, b = shown.out.splitlines()
    assert heading.split()[:3] == ["hand-in", "passed", "identity_layer"]
    assert a.startswith("a.ipynb  0 ")
    assert b.startswith("b.ipynb  1 of 4  passed")
    assert b.endswith("a remark")
    rows = list(csv.reader(target.open(encoding="utf-8")))
    assert [len(row) for row in rows] == [7, 7, 7]
    assert rows[2][:3] == ["b.ipynb", "1 of 4", "passed"]

    before = target.read_bytes()
    assert main([str(tmp_path), "--csv", str(target)]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert target.read_bytes() == before
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main([str(empty)]) == 2
    assert "no notebook" in capsys.readouterr().err
