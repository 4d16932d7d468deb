"""Values that a constraint must refuse: by hand, and drawn by Hypothesis.

What is bad is said here anew, from what the constraint promises, so that a constraint that lets
something through is found out.
"""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import SearchStrategy

from resnet_lesson.data import Dataset, Examples, TrainingData
from resnet_lesson.plumbing import constraints as c

NAN, INF = float("nan"), float("inf")
HUGE = 10**30


class Odd:
    """An object that is nothing that anybody wants, and does not even say what it is."""

    def __repr__(self):
        raise RuntimeError("no words")


class Exploding:
    """A pickle of this would run code when it is read."""

    def __reduce__(self):
        return (pytest.fail, ("the pickle was opened",))


class Subclassed(keras.Model):
    """A model that does not know its input's shape."""

    def call(self, x):
        return x


@dataclass
class Bad:
    """What an argument must not be."""

    by_hand: list
    drawn: SearchStrategy[Any]


# Something of each type; a kind of argument is bad for all but its own.
ZOO = [
    None,
    True,
    3,
    1.5,
    NAN,
    "x",
    b"x",
    1j,
    ...,
    [],
    [1],
    [None],
    (),
    (1, 2),
    {},
    {"a": 1},
    set(),
]
ZOO += [Odd(), np.zeros(2), np.array(["a", "b"]), np.float32(2), len, lambda x: x]
DRAWN = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.binary()),
    *(st.text(max_size=5), st.lists(st.integers()), st.lists(st.text()), st.just(Odd())),
)


def all_but(takes, *more):
    """Return everything for which ``takes(value)`` is false, and more."""
    return Bad([v for v in ZOO if not takes(v)] + list(more), DRAWN.filter(lambda v: not takes(v)))


def is_whole(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_number(value):
    return isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, complex))


def whole(it):
    def takes(value):
        return is_whole(value) and it.least <= value <= (math.inf if it.most is None else it.most)

    more = [it.least - 1, -(10**9)] + ([it.most + 1, HUGE] if it.most is not None else [])
    return all_but(takes, *more)


def real(it):
    def takes(value):
        inside = is_number(value) and it.least <= value <= it.most and it.above < value < it.below
        return inside and math.isfinite(value)

    ends = [it.least - 1, it.most + 1, it.above, it.above - 1, it.below, it.below + 1]
    return all_but(takes, INF, -INF, *filter(math.isfinite, ends))


def one_of(it):
    more = ["", "unknown", f"{it.known[0]} ", [it.known[0]], np.array(it.known[0])]
    return all_but(lambda value: isinstance(value, str) and value in it.known, *more)


def names_in(it):
    first = it.known[0]
    more = [first, [first] * 2, [first, ""], [[first]], {first}, ["unknown"]]
    return all_but(lambda value: isinstance(value, (list, tuple)) and not value, *more)


def kind(it):
    takes = {
        "a text": lambda value: isinstance(value, str),
        "True or False": lambda value: isinstance(value, (bool, np.bool_)),
        "a function": callable,
        "a dictionary": lambda value: isinstance(value, dict),
        "a list of names, or a dictionary": lambda value: isinstance(value, (list, tuple, dict)),
    }.get(it.wanted, lambda value: False)
    return all_but(takes, *([keras.Sequential(), Subclassed()] if it is c.MODEL else []))


def dictionary(it):
    more = [{"a": value} for value in of(it.values).by_hand] if it.values else []
    return all_but(lambda value: isinstance(value, dict) and value, *more)


def list_of(it):
    def takes(value):
        is_list = isinstance(value, (list, tuple, np.ndarray))
        return is_list and (it.item is not None or len(value) >= it.least)

    items = of(it.item).by_hand if it.item else []
    return all_but(takes, *([value] for value in items), *([[]] if it.least else []))


def row(it):
    def takes(value):
        return isinstance(value, (list, tuple)) and len(value) == len(it.items)

    return all_but(takes, [Odd()] * len(it.items), [None] * (len(it.items) + 1))


def file_path(it):
    return all_but(lambda value: isinstance(value, str) and value, "", "a\0b")


def numbers(it):
    def takes(value):
        if isinstance(value, np.ndarray) or is_number(value):
            return good(np.asarray(value))
        return isinstance(value, (list, tuple)) and (
            all(map(is_number, value)) and good(np.array(value)) if value else it.empty
        )

    def good(array):
        fits = it.shape is None or (
            array.ndim == len(it.shape)
            and all(w in (None, h) for w, h in zip(it.shape, array.shape, strict=True))
        )
        known = array.dtype.kind in it.kinds and (array.size or it.empty)
        finite = not it.finite or array.dtype.kind != "f" or np.isfinite(array).all()
        return bool(fits and known and finite)

    right = np.zeros([size or 2 for size in it.shape or (2,)], "f4" if "f" in it.kinds else "i8")
    spoilt = right.astype("f4")
    spoilt.flat[-1] = NAN
    more = [right.astype(d) for d in ("f4", "f8", "i8", "u1", "bool", "c8", "U3", object)]
    more += [right[None], right[:0], right[0], spoilt, [[1.0, 2.0], [3.0]], [Odd()]]
    more += [np.concatenate([right, right], axis) for axis in range(right.ndim)]
    dtypes = ["i1", "u1", "i8", "f2", "f4", "f8", "bool", "c8", "U3"]
    arrays = st.sampled_from(dtypes).flatmap(
        lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5))
    )
    bad = [value for value in [*ZOO, *more] if not takes(value)]
    return Bad(bad, arrays.filter(lambda array: not good(array)))


def labels(it, given):
    classes = it.classes
    if it.model:
        classes = getattr(given[it.model], "output_shape", np.shape(given[it.model]))[-1]
    count = len(given[it.images]) if it.images else 4
    right = np.zeros(count, np.int64)
    more = [right[:-1]] * bool(it.images) + [right + (classes or 0)] * bool(classes)
    more += [right[:, None], right * 1.0, right - 1]
    found = numbers(c.Numbers((count if it.images else None,), kinds="iu"))
    return Bad(found.by_hand + more, found.drawn)


def training_data(it, given):
    """What is not data for training, made from what is."""
    good = given["data"]
    images, digits = good.train.images, good.train.labels
    parts = [None, "train", (images, digits), Examples(images[..., 0], digits)]
    parts += [Examples(images[:, :14], digits), Examples(np.concatenate([images] * 3, -1), digits)]
    parts += [Examples(images, digits - 5), Examples(images, digits + 5)]
    bad = [good._replace(**{name: part}) for name in good._fields for part in parts]
    empty = Examples(images[:0], digits[:0])
    bad += [tuple(good), images, good.train, good._replace(train=empty), Dataset(*[empty] * 3)]
    return all_but(lambda value: False, *bad)


def learning_rate():
    pairs = [[3], [(0,)], [(1, 0.1)], [(0, 0.1), (0, 0.2)], [(0, -0.1)], [("a", 0.1)], []]
    pairs.append([(0, 0.1), (5, 0.1), (3, 0.1)])
    positive = real(c.POSITIVE)
    # With no or one dictionary for each network, a sweep takes more: see test_sweep.
    kept = [value for value in positive.by_hand if not isinstance(value, dict)]
    return Bad(kept + pairs, positive.drawn)


def widths():
    """Of a block: one number, or as many as it has weight layers."""

    def takes(value):
        return (is_whole(value) and value > 0) or isinstance(value, (list, tuple))

    return all_but(takes, 0, HUGE, (), (16,), (1, 2, 3, 4), (0, 0), (0, 0, 0), ("a", "b", "c"))


# Constraints that one module has made for itself.
OWN = {"LearningRate": learning_rate, "Widths": widths}
MAKERS = {
    c.Whole: whole,
    c.Real: real,
    c.OneOf: one_of,
    c.NamesIn: names_in,
    c.Kind: kind,
    c.Dictionary: dictionary,
    c.ListOf: list_of,
    c.Row: row,
    c.FilePath: file_path,
    c.Numbers: numbers,
}


def of(constraint, given=None):
    """Return the values that a constraint must refuse.

    Args:
        constraint: a Constraint.
        given: dictionary of the other arguments of the call, which work.
    """
    if isinstance(constraint, c.OrNone):
        found = of(constraint.constraint, given)
        kept = [value for value in found.by_hand if value is not None]
        return Bad(kept, found.drawn.filter(lambda value: value is not None))
    if isinstance(constraint, c.Images):
        shape = (None, *given[constraint.model].input_shape[1:])
        return numbers(c.Numbers(shape, kinds="f"))
    if isinstance(constraint, c.Labels):
        return labels(constraint, given)
    if isinstance(constraint, TrainingData):
        return training_data(constraint, given)
    if type(constraint) in MAKERS:
        return MAKERS[type(constraint)](constraint)
    return OWN[type(constraint).__name__]()
