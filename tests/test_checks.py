"""What all checks share: whatever is handed in, one short message, no exception, no side effect."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet_lesson import checks
from resnet_lesson.checks import core

CHECKS = [getattr(checks, name) for names in core.exercises.values() for name in names]


def raises(*arguments, **options):
    raise ZeroDivisionError("division by zero")


def leaves(*arguments, **options):
    raise SystemExit(3)


def recurses(*arguments, **options):
    return recurses(*arguments, **options)


class Strange:
    def __array__(self, *arguments, **options):
        raise RuntimeError("no array")

    def __call__(self, *arguments, **options):
        return self


ANSWERS = {
    "raises": raises,
    "leaves": leaves,
    "recurses": recurses,
    "takes nothing": lambda: 1,
    "NaN": lambda *a, **o: float("nan"),
    "infinite": lambda *a, **o: np.full((4, 6, 6, 6), np.inf),
    "a word": lambda *a, **o: "x" * 10_000,
    "a truth value": lambda *a, **o: True,
    "complex": lambda *a, **o: np.array([1j]),
    "ragged": lambda *a, **o: [[1], [1, 2]],
    "a dictionary": lambda *a, **o: {"x": 1},
    "a generator": lambda *a, **o: (i for i in range(3)),
    "an empty list": lambda *a, **o: [],
    "itself": Strange(),
    "a class": Strange,
    "symbolic": lambda *a, **o: keras.Input((3,)),
    "a ragged tensor": lambda *a, **o: tf.ragged.constant([[1.0], [1.0, 2.0]]),
    "a pair of words": lambda *a, **o: ("W", "b"),
    "a number, not a function": 5,
    "an array, not a function": np.ones(3),
    "a symbolic tensor, not a function": keras.Input((3,)),
    "a layer without weights": keras.layers.ReLU(),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_any_answer_gets_one_short_message(check, answer, capsys):
    result = check(answer)
    assert result.status == core.NOT_YET
    shown = capsys.readouterr()
    assert shown.out.count("\n") == 1
    assert shown.out.startswith(f"{check.__name__}: not yet. ")
    assert len(shown.out) < 400
    assert not shown.err


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_no_answer_is_not_attempted(check, capsys):
    for missing in (None, ...):
        assert check(missing).status == core.NOT_ATTEMPTED
    assert check().status == core.NOT_ATTEMPTED
    if check in (checks.prediction, checks.variant_prediction):  # takes no function
        return
    for stub in (lambda *a, **o: None, lambda *a, **o: ...):
        assert check(stub).status == core.NOT_ATTEMPTED
    assert "a `return` is missing" in capsys.readouterr().out


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_no_global_generator_moves(check):
    def states():
        return random.getstate(), repr(np.random.get_state())  # noqa: NPY002

    before = states()
    check(lambda *a, **o: 0.5)
    assert states() == before


def test_what_an_answer_prints_is_not_shown(capsys):
    def talks(c, layers):
        print("working")
        return c**layers

    assert checks.gradient_left(talks).passed
    assert capsys.readouterr().out == "gradient_left: passed. One factor for each layer.\n"


def test_an_interrupt_gets_through():
    def stopped(*arguments):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checks.gradient_left(stopped)


def test_summary(capsys, monkeypatch):
    monkeypatch.setattr(core, "results", {})
    checks.identity_layer(lambda n: (np.eye(n), np.zeros(n)))
    checks.diagnosis(lambda *a: "degradation")
    capsys.readouterr()
    found = checks.summary("01")
    assert capsys.readouterr().out == (
        "passed: identity_layer\nnot yet: diagnosis\nnot attempted: gradient_left, deepened\n"
    )
    assert [result.passed for result in found] == [True, False, False, False]
    with pytest.raises(ValueError, match=r"lesson must be one of .* Received: 1$"):
        checks.summary(1)


def test_every_check_is_named_once_and_found_in_the_package():
    names = [name for found in core.exercises.values() for name in found]
    assert sorted(names) == sorted(set(checks.__all__) - {"Result", "summary"})
    assert all(check.__doc__ for check in CHECKS)


def test_a_check_that_breaks_says_so(capsys):
    @core.check("99")
    def broken(answer):
        raise IndexError("list index out of range")

    assert broken(1).status == core.NOT_YET
    assert "could not be examined (IndexError: list index" in capsys.readouterr().out
    del core.exercises["99"], core.results["broken"]
