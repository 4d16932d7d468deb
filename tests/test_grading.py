"""The grader: whatever is handed in, the table has a row that says so, and nothing else stops."""

import csv
import json

import pytest

from resnet_lesson.checks import grading
from resnet_lesson.checks.__main__ import main

RIGHT = "import numpy as np\ndef f(n):\n    return np.eye(n), np.zeros(n)"
SUMMARY = 'checks.summary("01")'
START = "import resnet_lesson\nfrom resnet_lesson import checks"


def notebook(folder, name, *cells):
    made = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    text = {"cell_type": "markdown", "source": ["# A title\n", "and a text"], "metadata": {}}
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": [text, *made], "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.mark.slow
def test_a_good_hand_in_and_one_with_a_failing_cell(tmp_path):
    good = notebook(
        tmp_path, "good", START, "%matplotlib inline\n!ls\n" + RIGHT, "checks.identity_layer(f)",
        "checks.gradient_left(lambda c, n: c * n)", "open('answer.txt', 'w').write('x')", SUMMARY,
    )  # fmt: skip
    grade = grading.grade(good)
    assert grade.remark == ""
    assert (grade.lesson, grade.passed) == ("01", 1)
    assert grade.statuses == {
        "identity_layer": "passed",
        "gradient_left": "not yet",
        "diagnosis": "not attempted",
        "deepened": "not attempted",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["good.ipynb"], "nothing is left behind"

    cells = (
        START,
        "unknown + 1",
        "raise SystemExit(1)",
        RIGHT,
        "checks.identity_layer(f)",
        SUMMARY,
    )
    failing = grading.grade(notebook(tmp_path, "failing", *cells))
    assert failing.passed == 1, "one failing cell does not cost the other exercises"
    assert failing.remark == "code cell 2 raises NameError: name 'unknown' is not defined"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cell", "remark"),
    [
        ("endless", "while True:\n    pass", "was ended after 40 seconds"),
        (
            "greedy",
            "x = []\nwhile True:\n    x.append(bytearray(2**26))",
            "it used more than 2 GiB",
        ),
        ("dead", "import os\nos._exit(7)", "died with exit code 7"),
    ],
)
def test_what_was_passed_before_the_end_counts(tmp_path, name, cell, remark):
    cells = (START, RIGHT, "checks.identity_layer(f)", cell, SUMMARY)
    grade = grading.grade(notebook(tmp_path, name, *cells), seconds=40, gibibytes=2)
    assert remark in grade.remark
    assert grade.statuses["identity_layer"] == "passed"


@pytest.mark.slow
def test_the_graders_variables_and_home_stay_with_the_grader(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADES_KEY", "secret")
    look = "import os\nfrom pathlib import Path\n"
    look += (
        "assert 'secret' not in os.environ.values(), 'found'\nassert 'GRADES_KEY' not in os.environ"
    )
    home = "assert Path.home() == Path.cwd(), 'not here'\n(Path.home() / 'left.txt').touch()"
    grade = grading.grade(notebook(tmp_path, "looking", START, look, home, SUMMARY))
    assert grade.remark == ""


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (b"\x89PNG\r\n", "is no notebook: the file is not JSON"),
        (b"", "is no notebook: the file is not JSON"),
        (b"[]", "is no notebook: the file has no cells"),
        (b'{"cells": [{}]}', "is no notebook: the file has no cells"),
        (b'{"cells": []}', "names no lesson"),
        (None, "cannot be read: No such file"),
    ],
)
def test_no_notebook(tmp_path, content, remark):
    path = tmp_path / "thing.ipynb"
    if content is not None:
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
