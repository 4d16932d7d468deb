"""Constraints on arguments: declared beside a function, checked before it runs.

A constraint says what an argument may be. What it refuses gets an error that names the argument and
ends with what was received::

    @checked(depth=Whole(1), shortcut=OneOf("none", "padded"))
    def network(depth, shortcut="padded"):
        ...

    network(0)  # ValueError: depth must be 1 or more. Received: 0

Names have one meaning in this package: NAMED says once what a ``model`` or a ``seed`` is. A
function keeps its constraints as data, in ``network.constraints``: tests attack each argument with
values that its constraint must refuse. Rules between arguments stand in the function itself.
"""

import functools
import inspect
import math
import numbers
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

# More than that would fill any memory: whoever asks for it has mistyped a number.
MOST_WIDTH = 8192


def checked(function=None, **constraints):
    """Check a function's arguments before it runs, in the order of its signature.

    Args:
        function: the function, for a decorator without arguments, as in ``@checked``.
        constraints: argument's name → Constraint. An argument that is not given here has the
            constraint of its name in NAMED, if there is one. What a constraint returns, such as an
            int for NumPy's, takes the argument's place. Defaults are not checked.

    Returns:
        decorated function, which has all its constraints in its attribute ``constraints``.
    """
    if function is None:
        return functools.partial(checked, **constraints)
    signature = inspect.signature(function)
    if unknown := constraints.keys() - signature.parameters.keys():
        raise TypeError(f"{function.__qualname__} has no arguments {sorted(unknown)}")
    known = NAMED | constraints
    constraints = {name: known[name] for name in signature.parameters if name in known}

    @functools.wraps(function)
    def run(*args, **options):
        try:
            bound = signature.bind(*args, **options)
        except TypeError:
            return function(*args, **options)  # Python says what is missing or too much
        given = bound.arguments
        for name, constraint in constraints.items():
            if name in given:
                given[name] = constraint.check(name, given[name], given)
        return function(*bound.args, **bound.kwargs)

    run.constraints = constraints
    run.__signature__ = signature  # Keras reads a layer's constructor from outside
    return run


class Constraint:
    """What an argument may be. ``constraint | None`` lets None through, too."""

    def check(self, name, value, given=None):
        """Return the value, or what stands for it.

        Args:
            name: what the argument is called in an error.
            value: what was received.
            given: dictionary of all arguments that were given, for constraints that depend on
                another one.

        Raises:
            TypeError, ValueError: it is refused; the message ends with what was received.
        """
        raise NotImplementedError

    def __or__(self, none):
        return OrNone(self)


@dataclass(frozen=True)
class OrNone(Constraint):
    """None, or what another constraint takes."""

    constraint: Constraint

    def check(self, name, value, given=None):
        return None if value is None else self.constraint.check(name, value, given)


@dataclass(frozen=True)
class Whole(Constraint):
    """A whole number from ``least`` to ``most``; gives an int."""

    least: int = 0
    most: int | None = None

    def check(self, name, value, given=None):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise TypeError(f"{name} must be a whole number. Received: {received(value)}")
        if value < self.least or (self.most is not None and value > self.most):
            limit = f"{self.least} or more"
            if self.most is not None:
                limit = f"between {self.least} and {self.most}"
            raise ValueError(f"{name} must be {limit}. Received: {received(value)}")
        return int(value)


@dataclass(frozen=True)
class Real(Constraint):
    """A finite number from ``least`` to ``most``, above ``above`` and below ``below``; a float."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def check(self, name, value, given=None):
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
            raise TypeError(f"{name} must be a number. Received: {received(value)}")
        inside = self.least <= value <= self.most and self.above < value < self.below
        if not (math.isfinite(value) and inside):
            words = {"from": self.least, "to": self.most, "above": self.above, "below": self.below}
            limits = "".join(f" {w} {x:g}" for w, x in words.items() if math.isfinite(x))
            raise ValueError(f"{name} must be a finite number{limits}. Received: {received(value)}")
        return float(value)


POSITIVE = Real(above=0)
WIDTH = Whole(1, MOST_WIDTH)
"""Of a layer, in channels or units; or another size, in pixels."""


class OneOf(Constraint):
    """One of the known texts."""

    def __init__(self, *known):
        self.known = known

    def check(self, name, value, given=None):
        if not isinstance(value, str) or value not in self.known:
            raise ValueError(f"{name} must be one of {self.known}. Received: {received(value)}")
        return value


class NamesIn(Constraint):
    """A list of different names, each among the known ones; gives a list."""

    def __init__(self, *known):
        self.known = known

    def check(self, name, value, given=None):
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{name} must be a list of names. Received: {received(value)}")
        unknown = [one for one in value if not isinstance(one, str) or one not in self.known]
        if unknown or len(set(value)) < len(value):
            few = list(self.known)
            few = few if len(few) < 7 else [*few[:5], "…", few[-1]]
            raise ValueError(
                f"{name} must be names out of {few}, each at most once. Received: {received(value)}"
            )
        return list(value)


@dataclass(frozen=True)
class Kind(Constraint):
    """A value of one kind, told by a function."""

    wanted: str
    """What to call the kind, as in ``"a text"``."""
    holds: Callable
    """Function of a value: whether it is of the kind."""
    gives: Callable = lambda value: value
    """Function of a value: what stands for it."""

    def check(self, name, value, given=None):
        if not self.holds(value):
            raise TypeError(f"{name} must be {self.wanted}. Received: {received(value)}")
        return self.gives(value)


def instance(wanted, *types):
    """Return the constraint that a value is of one of the types."""
    return Kind(wanted, lambda value: isinstance(value, types))


TRUTH = Kind("True or False", lambda value: isinstance(value, (bool, np.bool_)), bool)
TEXT = instance("a text", str)
FUNCTION = Kind("a function", callable)
CONFIG = instance("a dictionary", dict)
# Known by what it does: Matplotlib stays away where nothing is drawn.
AXES = Kind("matplotlib Axes or None", lambda value: hasattr(value, "get_xlim")) | None
SYMBOLIC = instance("a symbolic tensor, as keras.Input gives it", keras.KerasTensor)
MODEL = Kind(
    "a keras.Model that knows the shape of its input",
    lambda value: isinstance(value, keras.Model) and hasattr(value, "input_shape"),
)


@dataclass(frozen=True)
class Dictionary(Constraint):
    """A dictionary with an entry at least, whose values another constraint takes."""

    values: Constraint | None = None

    def check(self, name, value, given=None):
        if not isinstance(value, Mapping):
            raise TypeError(f"{name} must be a dictionary. Received: {received(value)}")
        if not value:
            raise ValueError(f"{name} must not be empty. Received: {received(value)}")
        if self.values is None:
            return value
        return {key: self.values.check(name, item, given) for key, item in value.items()}


@dataclass(frozen=True)
class ListOf(Constraint):
    """A list, or as good as one, of ``least`` items or more; with a constraint on them, a list."""

    item: Constraint | None = None
    least: int = 1

    def check(self, name, value, given=None):
        is_array = isinstance(value, np.ndarray) and value.ndim > 0
        if not is_array and not isinstance(value, (list, tuple, range)):
            raise TypeError(f"{name} must be a list. Received: {received(value)}")
        if len(value) < self.least:
            raise ValueError(
                f"{name} must have {self.least} or more entries. Received: {received(value)}"
            )
        if self.item is None:
            return value
        return [self.item.check(name, item, given) for item in value]


class Row(Constraint):
    """A tuple or list of a fixed form, as in ``Row("(width, stride)", Whole(1), Whole(1))``."""

    def __init__(self, form, *items):
        self.form, self.items = form, items

    def check(self, name, value, given=None):
        if not isinstance(value, (list, tuple)) or len(value) != len(self.items):
            raise ValueError(f"{name} must be of the form {self.form}. Received: {received(value)}")
        pairs = zip(self.items, value, strict=True)
        return tuple(item.check(name, part, given) for item, part in pairs)


@dataclass(frozen=True)
class FilePath(Constraint):
    """A path, which need not exist; gives a pathlib.Path."""

    def check(self, name, value, given=None):
        if not isinstance(value, (str, os.PathLike)):
            raise TypeError(f"{name} must be a path. Received: {received(value)}")
        if not str(value) or "\0" in str(value):
            raise ValueError(f"{name} must be a path that can be. Received: {received(value)}")
        return Path(value)


@dataclass(frozen=True)
class Numbers(Constraint):
    """Numbers as a NumPy array of their own dtype."""

    shape: tuple | None = None
    """The length of each axis, None for any length; no shape leaves that open."""
    kinds: str = "iuf"
    """NumPy's letters for the kinds of dtype that are taken: i and u whole, f floating."""
    finite: bool = True
    """Whether NaN and infinity are refused."""
    empty: bool = False
    """Whether no numbers at all are taken."""

    def check(self, name, value, given=None):
        try:
            found = np.asarray(value)
        except (TypeError, ValueError, NotImplementedError, AttributeError, RuntimeError):
            raise TypeError(
                f"{name} must be an array of numbers. Received: {received(value)}"
            ) from None
        if isinstance(value, list) and not value:
            found = found.astype(np.dtype(f"{self.kinds[0]}8"))  # an empty list has no kind
        if found.dtype.kind not in self.kinds:
            wanted = {"f": "floating-point numbers", "iu": "whole numbers"}
            wanted = wanted.get(self.kinds, "numbers")
            raise TypeError(f"{name} must be {wanted}. Received: {received(value)}")
        if self.shape is not None and not _fits(found.shape, self.shape):
            wanted = ", ".join("n" if size is None else str(size) for size in self.shape)
            raise ValueError(f"{name} must have the shape ({wanted}). Received: {found.shape}")
        if not (found.size or self.empty):
            raise ValueError(f"{name} must not be empty. Received: shape {found.shape}")
        if self.finite and found.dtype.kind == "f" and not np.isfinite(found).all():
            bad = np.count_nonzero(~np.isfinite(found))
            raise ValueError(
                f"{name} must be finite. Received: {bad} of {found.size} numbers are NaN or "
                "infinite"
            )
        return found


def floats(*shape):
    """Return the constraint of finite floating-point numbers, for what goes into a network."""
    return Numbers(shape or None, kinds="f")


@dataclass(frozen=True)
class Images(Constraint):
    """Images that a model takes, as an array: float, shape (batch, …)."""

    model: str = "model"
    """The argument that the model is."""

    def check(self, name, value, given=None):
        model = MODEL.check(self.model, given[self.model])
        return floats(None, *model.input_shape[1:]).check(name, value)


@dataclass(frozen=True)
class Labels(Constraint):
    """Labels as an array: whole numbers from 0 to the number of classes − 1, one an image."""

    images: str | None = "images"
    """The argument with as many images, or features; None leaves the number open."""
    model: str | None = None
    """The argument with a column for each class: logits, or a model that gives them."""
    classes: int | None = None
    """The number of classes, where no model tells; None leaves it open."""

    def check(self, name, value, given=None):
        labels = Numbers(kinds="iu").check(name, value)
        count = len(given[self.images]) if self.images else None
        if labels.ndim != 1 or count not in (None, len(labels)):
            wanted = "n" if count is None else count
            raise ValueError(
                f"{name} must have the shape ({wanted},), one for each image. "
                f"Received: {labels.shape}"
            )
        classes = self.classes
        if self.model:
            logits = given[self.model]
            classes = getattr(logits, "output_shape", np.shape(logits))[-1]
        if labels.min() < 0 or (classes and labels.max() >= classes):
            wanted = f"from 0 to {classes - 1}" if classes else "0 or more"
            raise ValueError(f"{name} must be {wanted}. Received: {labels.min()} to {labels.max()}")
        return labels


# What an argument of this name is in every function that does not say otherwise.
NAMED = {
    "model": MODEL,
    "width": WIDTH,
    "stride": WIDTH,
    "name": TEXT,
    "claim": TEXT,
    "unit": TEXT,
    "xlabel": TEXT,
    "ylabel": TEXT,
    "seconds": POSITIVE,
    "ax": AXES,
    "seed": Whole(),
    "seeds": ListOf(Whole()),
    "title": TEXT | None,
    "config": CONFIG | None,
    **dict.fromkeys(("updates", "epochs", "batch_size", "window"), Whole(1)),
    **dict.fromkeys(
        ("normalisation", "zero_init", "changing", "reset", "progress", "log", "recorded"), TRUTH
    ),
    **dict.fromkeys(("path", "script", "folder"), FilePath()),
    **dict.fromkeys(("on_update", "after_epoch"), FUNCTION | None),
}


def _fits(shape, wanted):
    """Tell whether a shape is the wanted one, in which None stands for any length."""
    return len(shape) == len(wanted) and all(
        want in (None, have) for want, have in zip(wanted, shape, strict=True)
    )


def received(value):
    """Return how a message shows what was received: short, whatever it is."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}, shape {value.shape}"
    try:
        found = repr(value)
    except Exception:  # whatever the reader's class does
        found = f"a {type(value).__name__}"
    found = " ".join(found.split())
    return found if len(found) <= 200 else f"{found[:150]}… ({type(value).__name__})"
