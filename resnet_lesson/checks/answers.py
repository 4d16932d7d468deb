"""What the reader's code gives: called without harm, and turned into numbers and arrays."""

import contextlib
import io
import re
import warnings

import numpy as np


class NotYet(Exception):
    """A wrong answer; its text is the message for the reader."""


class NotAttempted(Exception):
    """There is no answer yet."""


def require(condition, message):
    """Raise NotYet with this message unless the condition holds."""
    if not condition:
        raise NotYet(message)


answered = set()  # functions that have returned something in this check, by their identity


def call(function, *args, **options):
    """Call the reader's function; what it prints or warns of is not shown.

    Raises:
        NotAttempted: it returns None or ``...``, and has never returned anything else.
        NotYet: it is no function, it raises, or it returns nothing this time.
    """
    require(callable(function), f"a function is wanted here, this is {_kind(function)}")
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            value = function(*args, **options)
    except (NotYet, NotAttempted):
        raise
    except (Exception, SystemExit) as error:
        raise NotYet(f"{_called(function)} raises {named(error)}") from error
    if value is None or value is ...:
        sometimes = "returns nothing here: is a `return` missing in one of its branches?"
        require(id(function) not in answered, f"{_called(function)} {sometimes}")
        nothing = "returns nothing: either it is not written yet, or a `return` is missing"
        raise NotAttempted(f"{_called(function)} {nothing}")
    answered.add(id(function))
    return value


@contextlib.contextmanager
def own_draws():
    """Raise NotYet if what runs inside draws from NumPy's global random numbers, or seeds them."""
    before = repr(np.random.get_state(legacy=False))  # noqa: NPY002
    yield
    untouched = repr(np.random.get_state(legacy=False)) == before  # noqa: NPY002
    own = "other cells use the global random numbers: draw from np.random.default_rng(seed)"
    require(untouched, own)


def as_parts(value, count, otherwise):
    """Return a tuple or list of so many things; raise NotYet with this message if it is none."""
    require(isinstance(value, (tuple, list)) and len(value) == count, otherwise)
    return value


def as_array(value, what="the answer", shape=None, finite=True):
    """Return numbers as a float64 array.

    Args:
        value: the reader's array: NumPy's, a tensor, or nested lists.
        what: what to call it in a message.
        shape: the shape that it must have, if any. With ``()`` any array of one number will do.
        finite: whether NaN and infinite numbers are refused.

    Raises:
        NotYet: it is no array of such numbers, or has another shape.
    """
    kind = "True or False" if getattr(value, "dtype", "") in (bool, "bool") else _kind(value)
    no_numbers = f"{what} should be numbers, this is {kind}"
    require(not isinstance(value, (str, bytes, bool, dict, set, type(None))), no_numbers)
    try:
        found = np.asarray(value)
        if found.dtype.kind in "bcSU":
            raise TypeError
        found = found.astype(np.float64)
    except (TypeError, ValueError, NotImplementedError, AttributeError, RuntimeError) as error:
        uneven = f"in {what}, what stands side by side should have one shape, and has not"
        raise NotYet(uneven if "inhomogeneous" in str(error) else no_numbers) from None
    if shape == () and found.size == 1:
        found = found.reshape(())
    wanted = f"have the shape {shape}" if shape else "be one number"
    fits = shape is None or found.shape == shape
    require(fits, f"{what} should {wanted}, this has the shape {found.shape}")
    bad = "NaN" if np.isnan(found).any() else "infinite"
    places = " in places" if found.size > 1 else ""
    require(not finite or np.isfinite(found).all(), f"{what} is {bad}{places}")
    return found


def named(error):
    """Return an error's kind and, on one short line, what it says."""
    text = " ".join(re.sub(r"\x1b\[\d*m|\{\{.*?\}\}", "", str(error)).split())
    short = text if len(text) <= 120 else text[:119] + "…"
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def _called(function):
    return f"`{getattr(function, '__name__', type(function).__name__)}`"


def _kind(value):
    if value is None:
        return "None"
    if isinstance(value, (list, tuple)) and len(value):
        return f"a {type(value).__name__} with {_kind(value[0])} in it"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
