"""What all exercise checks share: results, kind messages, and calls of the reader's code.

A check never raises because of an answer. Whatever the reader hands in, the check prints one short
message and returns a Result.
"""

import contextlib
import functools
import io
import math
import re
import warnings
from dataclasses import dataclass

import numpy as np

from resnet_lesson.arguments import one_of

PASSED, NOT_YET, NOT_ATTEMPTED = "passed", "not yet", "not attempted"


@dataclass(frozen=True)
class Result:
    """What a check found."""

    exercise: str
    """The check's name, as in ``"bottleneck_parameters"``."""
    status: str
    """``"passed"``, ``"not yet"`` or ``"not attempted"``."""
    message: str

    @property
    def passed(self):
        return self.status == PASSED

    def _ipython_display_(self):
        """Show nothing: the check has printed the message already."""


class NotYet(Exception):
    """A wrong answer; its text is the message for the reader."""


class NotAttempted(Exception):
    """There is no answer yet."""


exercises = {}  # lesson → names of its checks, in order
results = {}  # name → the last Result


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
        exercises.setdefault(lesson, []).append(name)

        @functools.wraps(test)
        def run(answer=None):
            try:
                if answer is None or answer is ...:
                    raise NotAttempted("there is no answer yet")
                status, message = PASSED, test(answer)
            except NotYet as wrong:
                status, message = NOT_YET, str(wrong)
            except NotAttempted as missing:
                status, message = NOT_ATTEMPTED, str(missing)
            except Exception as error:  # a kind of answer that the check did not foresee
                status = NOT_YET
                message = f"this answer could not be examined ({_named(error)})"
            results[name] = Result(name, status, message)
            print(f"{name}: {status}. {message[:1].upper()}{message[1:].rstrip('.')}.")
            return results[name]

        return run

    return decorate


def summary(lesson):
    """Print which exercises of a lesson are passed, not yet right, and not attempted.

    Args:
        lesson: two digits, as in ``"03"``.

    Returns:
        list of Result, one for each exercise.

    Raises:
        ValueError: the lesson has no exercises.
    """
    one_of("lesson", lesson, sorted(exercises))
    missing = "its check has not been run"
    found = [results.get(name, Result(name, NOT_ATTEMPTED, missing)) for name in exercises[lesson]]
    for status in (PASSED, NOT_YET, NOT_ATTEMPTED):
        names = [result.exercise for result in found if result.status == status]
        if names:
            print(f"{status}: {', '.join(names)}")
    return Shown(found)


class Shown(list):
    """A list that a notebook does not display."""

    def _ipython_display_(self):
        """Show nothing."""


def call(function, *args, **options):
    """Call the reader's function; what it prints or warns of is not shown.

    Raises:
        NotAttempted: it returns None or ``...``.
        NotYet: it is no function, or it raises.
    """
    if not callable(function):
        raise NotYet(f"a function is wanted here, this is {_kind(function)}")
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            value = function(*args, **options)
    except (NotYet, NotAttempted):
        raise
    except (Exception, SystemExit) as error:
        raise NotYet(f"{_called(function)} raises {_named(error)}") from error
    if value is None or value is ...:
        raise NotAttempted(
            f"{_called(function)} returns nothing: either it is not written yet, or a `return` is "
            "missing"
        )
    return value


def number(value, what="the answer"):
    """Return a finite float.

    Args:
        value: the reader's number: Python's, NumPy's, or a tensor of one number.
        what: what to call it in a message.

    Raises:
        NotYet: it is none.
    """
    found = array(value, what)
    if found.size != 1:
        raise NotYet(f"{what} should be one number, this has the shape {found.shape}")
    return float(found.reshape(()))


def array(value, what="the answer", shape=None):
    """Return finite numbers as a float64 array.

    Args:
        value: the reader's array: NumPy's, a tensor, or nested lists.
        what: what to call it in a message.
        shape: the shape that it must have, if any.

    Raises:
        NotYet: it is no array of finite numbers, or has another shape.
    """
    if isinstance(value, (str, bytes, bool, dict, set)):
        raise NotYet(f"{what} should be numbers, this is {_kind(value)}")
    try:
        found = np.asarray(value)
        if found.dtype == bool or np.iscomplexobj(found):
            raise TypeError
        found = found.astype(np.float64)
    except (TypeError, ValueError, NotImplementedError, AttributeError, RuntimeError):
        raise NotYet(f"{what} should be numbers, this is {_kind(value)}") from None
    if shape is not None and found.shape != tuple(shape):
        raise NotYet(f"{what} should have the shape {tuple(shape)}, this has {found.shape}")
    if not np.all(np.isfinite(found)):
        bad = "NaN" if np.isnan(found).any() else "infinite"
        raise NotYet(f"{what} is {bad}" + (" in places" if found.size > 1 else ""))
    return found


def close(found, expected, tolerance=1e-4):
    """Tell whether arrays agree, relative to the largest expected number."""
    scale = max(float(np.abs(expected).max()), 1e-12)
    return found.shape == np.shape(expected) and bool(
        np.abs(found - expected).max() <= tolerance * scale
    )


def same_number(found, expected):
    """Tell whether two floats agree, but for rounding."""
    return math.isclose(found, expected, rel_tol=1e-6)


def differ(found, mistakes, same=same_number):
    """Raise NotYet with the message of the first mistake that gives what was found.

    Args:
        found: the answer's number or array.
        mistakes: dictionary: message → what this mistake gives.
        same: function that tells whether both agree; ``close`` for arrays.
    """
    for message, value in mistakes.items():
        if same(found, value):
            raise NotYet(message)


def _named(error):
    text = " ".join(re.sub(r"\x1b\[\d*m|\{\{.*?\}\}", "", str(error)).split())
    short = text if len(text) <= 120 else text[:117] + "..."
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def _called(function):
    return f"`{getattr(function, '__name__', type(function).__name__)}`"


def _kind(value):
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
