"""What makes a check of a function: it prints one short message, and returns and keeps a Result.

A check never raises because of an answer, whatever the reader hands in.

Most checks compare what an answer gives with the right value, and tell known mistakes apart by the
values that these would give: ``check_values``. The others call the answer themselves (``check``)
and say one after the other what must hold.
"""

import copy
import functools
import inspect
from dataclasses import dataclass

import numpy as np

from resnet_lesson.checks.answers import (
    NotAttempted,
    NotYet,
    answered,
    as_array,
    call,
    named,
    require,
)
from resnet_lesson.plumbing.constraints import OneOf

PASSED, NOT_YET, NOT_ATTEMPTED = "passed", "not yet", "not attempted"

exercises = {}  # lesson → {name: check}, in the order of the lesson; each check enters itself
results = {}  # name → the last Result


class Silent:
    """Something that a notebook does not display: what it holds has been printed already."""

    def _ipython_display_(self):
        """Show nothing."""


@dataclass(frozen=True)
class Result(Silent):
    """What a check found."""

    exercise: str
    """The check's name, as in ``"changing_block"``."""
    status: str
    """``"passed"``, ``"not yet"`` or ``"not attempted"``."""
    message: str

    @property
    def passed(self):
        return self.status == PASSED


class Results(Silent, list):
    """The results of a lesson."""


def check(lesson):
    """Make a check of a function that raises NotYet or NotAttempted, or returns praise.

    Args:
        lesson: two digits, as in ``"03"``.

    Returns:
        decorator: the check takes the answer and returns a Result. Without an answer, or with None
        or ``...``, the exercise counts as not attempted.
    """

    def decorate(test):
        name = test.__name__

        @functools.wraps(test)
        def run(answer=None):
            answered.clear()
            try:
                if answer is None or answer is ...:
                    raise NotAttempted("there is no answer yet")
                status, message = PASSED, test(answer)
            except NotYet as wrong:
                status, message = NOT_YET, str(wrong)
            except NotAttempted as missing:
                status, message = NOT_ATTEMPTED, str(missing)
            except Exception as error:  # a kind of answer that the check did not foresee
                status, message = NOT_YET, f"this answer could not be examined ({named(error)})"
            results[name] = Result(name, status, message)
            end = "" if message.endswith("?") else "."
            print(f"{name}: {status}. {message[:1].upper()}{message[1:].rstrip('.')}{end}")
            return results[name]

        del run.__wrapped__  # `help` shows that a check takes an answer, whatever the test takes
        exercises.setdefault(lesson, {})[name] = run
        return run

    return decorate


def check_values(lesson, what, cases, tolerance=0, run=call):
    """Make a check of a function that says, for the arguments of a case, what each value means.

    It takes what the reader's function takes, or what ``run`` makes of it. It yields praise and the
    right value, then each known mistake and what it gives, and at last the message for any other
    value. In place of what a mistake gives there may be a function that tells whether a value is
    this mistake::

        @check_values("05", "the number of paths", [(5, 2), (16, 8)])
        def paths_of_length(n, k):
            yield "choose which blocks give their branch", math.comb(n, k)
            yield "these are all paths, of every length", 2**n
            yield "{n} blocks, {k} branches: {found:g} is not the number of paths"

    Args:
        lesson: two digits, as in ``"03"``.
        what: what to call the answer's value in a message.
        cases: list of tuples of arguments. The answer gets copies of them.
        tolerance: how far a value may be off, relative to the largest number in the right one.
        run: function of the answer and the arguments of a case: returns the value to judge, where
            that is not simply what the answer returns for them.

    Returns:
        decorator: as that of ``check``. In the last message, names of arguments and ``found`` in
        braces stand for their values.
    """

    def decorate(meanings):
        names = inspect.signature(meanings).parameters

        @check(lesson)
        @functools.wraps(meanings)
        def test(answer):
            for case in cases:
                value = run(answer, *copy.deepcopy(case))
                named_case = dict(zip(names, case, strict=True))
                praise = judge(value, what, meanings(*case), tolerance, **named_case)
            return praise

        return test

    return decorate


def judge(value, what, meanings, tolerance=0, **names):
    """Return the praise for the right value; raise NotYet with the message for any other.

    Args:
        value: what the reader's code gives.
        what: what to call it in a message.
        meanings: praise and the right value, then each known mistake and what it gives, or a
            function that tells whether a value is this mistake, and at last the message for any
            other value.
        tolerance: as ``close`` takes it. A mistake may differ by rounding at least.
        names: values for names in the braces of the last message, besides ``found``.
    """
    meanings = iter(meanings)
    praise, right = next(meanings)
    found = as_array(value, what, np.shape(right))
    if close(found, right, tolerance):
        return praise
    *mistakes, otherwise = meanings  # only a wrong answer has to wait for them
    tolerance = max(tolerance, 1e-6)
    for message, mistake in mistakes:
        made = mistake(found) if callable(mistake) else close(found, mistake, tolerance)
        require(not made, message)
    with np.printoptions(precision=3):
        otherwise = otherwise.format(found=found, **names)
        found_to_be = relation(found, right, tolerance)
    raise NotYet("; ".join(filter(None, (otherwise, found_to_be))))


def relation(found, right, tolerance):
    """Say how a wrong array lies to the right one; "" for single numbers, which tell too little."""
    right = np.asarray(right, np.float64)
    if right.size > 1 and not found.any():
        return "every number is 0"
    if right.size < 3:
        return ""
    factor = (found * right).sum() / max((right * right).sum(), 1e-30)
    shift = (found - right).mean()
    if factor and close(found, factor * right, tolerance):
        nearly = f"each number is nearly right, {abs(factor - 1):.1%} off"
        wide = abs(factor - 1) > 0.02
        return f"each number is {factor:.3g} times what it should be" if wide else nearly
    if close(found, right + shift, tolerance):
        return f"each number is {abs(shift):.3g} too {'large' if shift > 0 else 'small'}"
    if close(np.sort(found, axis=None), np.sort(right, axis=None), tolerance):
        return "the numbers are the right ones, in another order"
    off = np.abs(found - right) > tolerance * np.abs(right).max()
    at = np.unravel_index(off.argmax(), off.shape)
    example = f"at {list(map(int, at))}, say, stands {found[at]:.3g} and not {right[at]:.3g}"
    if right.ndim == 2 and right.shape[1] <= 5:
        example = f"row {at[0]}, say, is {found[at[0]]} and not {right[at[0]]}"
    if right.ndim == 2:
        for name, lines in (("row", off.any(axis=1)), ("column", off.any(axis=0))):
            if not lines.all() and 1 < len(lines) < 10:
                which = ", ".join(map(str, np.flatnonzero(lines)))
                return f"wrong in {name} {which} alone: {example}"
    return example


def right_where(places, right):
    """Return a function that tells whether a value is right in these places, and not in all."""
    return lambda found: close(found[places], right[places], 1e-6)


def close(found, expected, tolerance=1e-4):
    """Tell whether numbers or arrays agree, relative to the largest expected number."""
    if np.shape(found) != np.shape(expected):
        return False
    scale = max(float(np.abs(expected).max()), 1e-12)
    return bool(np.abs(found - expected).max() <= tolerance * scale)


def drawn(seed, *shapes):
    """Draw an array of normal numbers for each shape."""
    random = np.random.default_rng(seed)
    return tuple(random.normal(size=shape) for shape in shapes)


def summary(lesson):
    """Print which exercises of a lesson are passed, not yet right, and not attempted.

    Args:
        lesson: two digits, as in ``"03"``.

    Returns:
        list of Result, one for each exercise.

    Raises:
        ValueError: the lesson has no exercises.
    """
    OneOf(*sorted(exercises)).check("lesson", lesson)
    missing = "its check has not been run"
    found = [results.get(name, Result(name, NOT_ATTEMPTED, missing)) for name in exercises[lesson]]
    for status in (PASSED, NOT_YET, NOT_ATTEMPTED):
        names = [result.exercise for result in found if result.status == status]
        if names:
            print(f"{status}: {', '.join(names)}")
    return Results(found)
