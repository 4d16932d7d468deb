"""Checks: right answers pass, each wrong one gets its message, and no answer does harm.

The answers are in ``answers/``, a file for each lesson: first Python code that they share; then,
under the name of each exercise, what its check must say to which expression.
"""

import inspect
import random
import re
from pathlib import Path

import numpy as np
import pytest

from resnet_lesson import checks
from resnet_lesson.checks import core

CHECKS = {name: check for lesson in core.exercises.values() for name, check in lesson.items()}
STATUSES = {"passes": core.PASSED, "": core.NOT_YET, "is not attempted": core.NOT_ATTEMPTED}
CODE = re.compile(r"^```python\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
BULLET = re.compile(r"- (.*): `(.*)`")
VERDICT = re.compile(r'(passes|is not attempted)?(?:, )?(?:"(.*)")?')


def answers(name):
    """Yield (heading, verdict, expression, its value) for each bullet of a file of answers."""
    path = Path(__file__).with_name("answers") / f"{name}.md"
    text = path.read_text(encoding="utf-8")
    code, names = CODE.search(text), {}
    # With the line numbers of the file, for tracebacks and for AutoGraph, which reads sources.
    above = "\n" * text.count("\n", 0, code.start(1))
    exec(compile(above + code[1], path, "exec"), names)
    for line in text[code.end() :].splitlines():
        if line.startswith("#"):
            heading = line.strip("# ")
        elif line.startswith("-"):
            verdict, expression = BULLET.fullmatch(line).groups()
            yield heading, verdict, expression, eval(expression, names)


ANSWERS = {lesson: list(answers(lesson)) for lesson in core.exercises}
STRANGE = [answer for *_, answer in answers("strange")]


@pytest.mark.parametrize(
    ("exercise", "verdict", "answer"),
    [
        pytest.param(exercise, verdict, answer, id=f"{exercise} {verdict} {expression:.30}")
        for lesson in ANSWERS.values()
        for exercise, verdict, expression, answer in lesson
    ],
)
def test_answers_get_what_they_deserve(exercise, verdict, answer):
    status, words = VERDICT.fullmatch(verdict).groups(default="")
    result = CHECKS[exercise](answer)
    assert result.status == STATUSES[status], result.message
    assert words in result.message


def test_each_exercise_has_right_and_wrong_answers_in_the_file_of_its_lesson():
    for lesson, names in core.exercises.items():
        for start in ("passes", '"'):
            found = {name for name, verdict, *_ in ANSWERS[lesson] if verdict.startswith(start)}
            assert found == set(names)


@pytest.mark.parametrize("name", CHECKS)
def test_any_answer_gets_one_short_message(name, capsys):
    for answer in STRANGE:
        assert CHECKS[name](answer).status == core.NOT_YET
        shown = capsys.readouterr()
        assert shown.out.count("\n") == 1
        assert shown.out.startswith(f"{name}: not yet. ")
        assert len(shown.out) < 400
        assert not shown.err


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (lambda y: 2 * y, "each number is 2 times what it should be"),
        (lambda y: 1.001 * y, "each number is nearly right, 0.1% off"),
        (lambda y: y - 3, "each number is 3 too small"),
        (lambda y: 0 * y, "every number is 0"),
        (lambda y: y[::-1], "the numbers are the right ones, in another order"),
        (lambda y: y * [[1], [0], [1], [-1]], "wrong in row 1, 3 alone: row 1, say, is [0. 0. 0.]"),
        (lambda y: y * [1, 1, 3], "wrong in column 2 alone: row "),
        (lambda y: y**2, "row 0, say, is [1. 4. 9.] and not [1. 2. 3.]"),
    ],
)
def test_how_a_wrong_array_lies_to_the_right_one_is_said(found, words):
    right = np.array([[1.0, 2.0, 3.0], [2.0, 5.0, 1.0], [4.0, 1.0, 2.0], [3.0, 1.0, 7.0]])
    assert core.relation(found(right), right, 1e-6).startswith(words)


def test_no_answer_is_not_attempted(capsys):
    for name, check in CHECKS.items():
        for missing in ((), (None,), (...,)):
            assert check(*missing).status == core.NOT_ATTEMPTED
        if "prediction" in name:  # takes no function
            continue
        for stub in (lambda *a, **o: None, lambda *a, **o: ...):
            assert check(stub).status == core.NOT_ATTEMPTED
            assert "a `return` is missing" in capsys.readouterr().out


def test_no_global_generator_moves():
    def states():
        return random.getstate(), repr(np.random.get_state())  # noqa: NPY002

    before = states()
    for name, check in CHECKS.items():
        check(lambda *a, **o: 0.5)
        assert states() == before, name


def test_what_an_answer_prints_is_not_shown(capsys):
    def talks(losses):
        print("working")
        return max(losses)

    assert not checks.where_depth_hurts(talks).passed
    assert "working" not in capsys.readouterr().out


def test_an_interrupt_gets_through():
    def stopped(*arguments):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checks.where_depth_hurts(stopped)


def test_summary(capsys, monkeypatch):
    monkeypatch.setattr(core, "results", {})
    checks.start_prediction(("lower", [1.0, 1.1], [2.0, 2.1]))
    checks.identity_pair(lambda n: np.eye(n))
    capsys.readouterr()
    found = checks.summary("01")
    assert capsys.readouterr().out == (
        "passed: start_prediction\nnot yet: identity_pair\n"
        "not attempted: deepened, where_depth_hurts\n"
    )
    assert [result.passed for result in found] == [False, False, False, True]
    with pytest.raises(ValueError, match=r"lesson must be one of .* Received: 1$"):
        checks.summary(1)


def test_every_check_is_found_in_the_package_and_explains_itself():
    assert set(checks.__all__) == {"Result", "summary", *CHECKS} <= set(dir(checks))
    for name, check in CHECKS.items():
        assert getattr(checks, name) is check
        assert str(inspect.signature(check)) == "(answer=None)"
        assert "``answer" in check.__doc__


def test_a_check_that_breaks_says_so(capsys):
    @core.check("99")
    def broken(answer):
        raise IndexError("list index out of range")

    assert broken(1).status == core.NOT_YET
    assert "could not be examined (IndexError: list index" in capsys.readouterr().out
    del core.exercises["99"], core.results["broken"]
