"""The table of planted defects, as far as it can be tested without an hour of tests."""

import mutations
import pytest
from commands import ROOT, make, run

PACKAGE = ROOT / "resnet_lesson"


def test_each_defect_can_be_planted_and_none_is_there_twice():
    for module, old, new in mutations.DEFECTS:
        text = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
        assert text.count(old) == 1, (module, old)
        compile(text.replace(old, new), module, "exec")
    assert len(set(mutations.DEFECTS)) == len(mutations.DEFECTS) >= 30


def test_an_unknown_module_gets_a_sentence():
    done = run(*make("mutations", "ONLY=blokcs"))
    assert done.returncode and "Received: blokcs\n" in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_a_defect_is_caught_and_no_defect_is_not(tmp_path, monkeypatch):
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_two.py").write_text("def test_sum():\n    assert 1 + 1 == 2\n")
    monkeypatch.setattr(mutations, "first_tests", lambda module: ["tests"])
    assert mutations.caught(tmp_path, "two") is None
    (tests / "test_two.py").write_text("def test_sum():\n    assert 1 + 1 == 3\n")
    assert mutations.caught(tmp_path, "two") == "tests/test_two.py::test_sum"
