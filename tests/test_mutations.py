"""The table of planted defects, as far as it can be tested without an hour of tests."""

from pathlib import Path

import mutations
import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "resnet_lesson"


@pytest.mark.parametrize(("module", "old", "new"), mutations.DEFECTS)
def test_each_defect_can_be_planted(module, old, new):
    text = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
    assert text.count(old) == 1
    compile(text.replace(old, new), module, "exec")


def test_there_are_enough_and_none_is_there_twice():
    assert len(set(mutations.DEFECTS)) == len(mutations.DEFECTS) >= 30


@pytest.mark.slow
def test_a_defect_is_caught_and_no_defect_is_not(tmp_path, monkeypatch):
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_two.py").write_text("def test_sum():\n    assert 1 + 1 == 2\n")
    monkeypatch.setattr(mutations, "first_tests", lambda module: ["tests"])
    assert mutations.caught(tmp_path, "two") is None
    (tests / "test_two.py").write_text("def test_sum():\n    assert 1 + 1 == 3\n")
    assert mutations.caught(tmp_path, "two") == "tests/test_two.py::test_sum"
