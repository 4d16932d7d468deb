"""Kinds of arguments: for each, values that must be refused, by hand and drawn by Hypothesis."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.strategies import SearchStrategy

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


@dataclass
class Kind:
    """What an argument must not be."""

    bad: list
    drawn: SearchStrategy[Any] | None = None

    def without(self, *allowed):
        """Return the kind that takes values of these types, too."""
        kept = [value for value in self.bad if not isinstance(value, allowed)]
        if self.drawn is None:
            return Kind(kept)
        return Kind(kept, self.drawn.filter(lambda value: not isinstance(value, allowed)))


SIMPLE = st.one_of(
    st.none(), st.booleans(), st.text(max_size=5), st.binary(max_size=3), st.complex_numbers()
)
NoneType = type(None)


def whole(least=0, most=None):
    bad = [None, least - 1, -(10**9), 1.5, 2.0, NAN, INF, "3", "", b"3", True, [1], (1, 2), {}, 1j]
    bad += [Odd(), ..., np.array([1, 2]), np.float32(2), np.zeros(0, int)]
    wrong = [SIMPLE, st.floats(), st.integers(max_value=least - 1), st.lists(st.integers())]
    if most is not None:
        bad += [most + 1, HUGE]
        wrong.append(st.integers(min_value=most + 1))
    return Kind(bad, st.one_of(wrong))


def real(least=-INF, most=INF, above=None, below=None):
    bad = [None, NAN, INF, -INF, "0.1", b"1", True, [0.1], (), {}, 1j, Odd(), np.array([0.1, 0.2])]
    wrong = [SIMPLE, st.lists(st.floats()), st.sampled_from([NAN, INF, -INF])]
    if least > -INF:
        bad.append(least - 1)
        wrong.append(st.floats(max_value=least, exclude_max=True))
    if most < INF:
        bad += [most + 1, HUGE]
        wrong.append(st.floats(min_value=most, exclude_min=True))
    if above is not None:
        bad += [above, above - 1.0]
        wrong.append(st.floats(max_value=above))
    if below is not None:
        bad += [below, below + 1.0]
        wrong.append(st.floats(min_value=below))
    return Kind(bad, st.one_of(wrong))


def one_of(*known):
    bad = [None, "", "unknown", f"{known[0]} ", 3, b"x", [known[0]], (), {}, Odd(), True, NAN]
    bad += [np.array(["a", "b"]), np.array(known[0])]
    wrong = [st.text(max_size=8).filter(lambda text: text not in known), st.integers()]
    return Kind(bad, st.one_of(*wrong, st.none(), st.lists(st.text())))


def names(*known):
    """A list of known names, each at most once."""
    bad = [None, 3, known[0], {}, Odd(), ["unknown"], [None], [3], [known[0]] * 2, [[known[0]]]]
    bad += [[np.array(["a", "b"])], {known[0]}, [known[0], ""]]
    wrong = st.lists(st.text(max_size=4).filter(lambda text: text not in known), min_size=1)
    return Kind(bad, st.one_of(wrong, SIMPLE, st.integers()))


TRUTH = Kind(
    [None, 0, 1, 1.0, "yes", "", b"", [], {}, NAN, Odd(), np.array([True, False]), ...],
    st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.booleans())),
)
FUNCTION = Kind(
    [None, 3, "f", b"", [], {}, True, np.zeros(2), Odd(), NAN],
    st.one_of(SIMPLE, st.integers(), st.lists(st.integers())),
)
TEXT = Kind(
    [None, 3, 1.5, b"x", [], ["x"], {}, True, Odd(), np.array(["x"])],
    st.one_of(st.none(), st.integers(), st.floats(), st.binary(), st.lists(st.text())),
)
TITLE = TEXT.without(NoneType)
AXES = Kind(
    [3, "ax", b"", [], [None], {}, True, np.zeros(2), Odd()],
    st.one_of(st.integers(), st.text(), st.lists(st.none())),
)
MAPPING = Kind(
    [None, 3, "x", [], [("a", 1)], {}, set(), True, np.zeros(2), Odd()],
    st.one_of(SIMPLE, st.integers(), st.lists(st.integers())),
)
LIST = Kind(
    [None, 3, "ab", b"ab", {}, set(), True, Odd(), 1.5],
    st.one_of(SIMPLE, st.integers(), st.floats()),
)
PATH = Kind(
    [None, 3, 1.5, [], ["x"], {}, True, b"x", Odd(), "", "a\0b"],
    st.one_of(st.none(), st.integers(), st.floats(), st.binary(), st.lists(st.text())),
)


def model():
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    empty = keras.Sequential()
    return Kind([None, "model", 3, [], {}, np.zeros(3), Odd(), keras.layers.Dense(3), empty,
                 Subclassed(), lambda x: x])  # fmt: skip


def _arrays(wrong, dtypes):
    """Draw arrays of many dtypes and shapes for which ``wrong(array)`` is true."""
    shapes = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5)
    return st.sampled_from(dtypes).flatmap(lambda d: hnp.arrays(d, shapes)).filter(wrong)


DTYPES = ["int8", "uint8", "int64", "float16", "float32", "float64", "bool", "complex64", "U3"]
NO_NUMBERS = [None, "x", b"x", Odd(), {}, {"a": 1}, [[1.0, 2.0], [3.0]], [None, 1.0], [Odd()], ...]
NO_NUMBERS += [["a", "b"], lambda x: x, set()]


def floats(shape, example=None):
    """Finite floating-point numbers of a shape, in which None stands for any length."""
    full = tuple(size or 2 for size in shape) if example is None else example
    good = np.zeros(full, np.float32)
    bad = [*NO_NUMBERS, np.float32(0), good[..., None], good[:0], good[0], good.astype("uint8")]
    bad += [good.astype(d) for d in ("int64", "bool", "complex64", "U3", object)]
    bad += [np.full(full, NAN, "float32"), np.full(full, INF), np.broadcast_to(np.float32(0),
            (10**9, *full[1:]) if len(full) > 1 else (2 * 10**9,))]  # fmt: skip
    one = good.copy()
    one.flat[-1] = NAN
    bad.append(one)
    for axis, size in enumerate(shape):
        if size is not None:
            bad.append(np.concatenate([good, good], axis=axis))

    def wrong(array):
        fits = array.ndim == len(shape) and all(
            want in (None, have) for want, have in zip(shape, array.shape, strict=True)
        )
        return not (fits and array.size and array.dtype.kind == "f" and np.isfinite(array).all())

    return Kind(bad, _arrays(wrong, DTYPES))


def numbers(shape):
    """Finite numbers of a shape, whole ones too."""
    kind = floats(shape)

    def is_wrong(value):
        return not (isinstance(value, np.ndarray) and value.dtype.kind in "iu" and _fits(value))

    def _fits(value):
        return value.size and value.ndim == len(shape) and all(
            want in (None, have) for want, have in zip(shape, value.shape, strict=True)
        )  # fmt: skip

    kept = [value for value in kind.bad if is_wrong(value)]
    return Kind(kept, kind.drawn.filter(is_wrong))


def labels(count, classes=10):
    good = np.zeros(count, np.int64)
    bad = [*NO_NUMBERS, 3, good[:-1], good[:0], good[:, None], np.eye(classes)[good], good * 1.0]
    bad += [good.astype("bool"), good.astype("U3"), good - 1, good + classes, np.full(count, NAN)]
    bad += [good + 10**9, np.broadcast_to(0, 2 * 10**9)]

    def wrong(array):
        fits = array.shape == (count,) and array.dtype.kind in "iu"
        return not (fits and array.size and 0 <= array.min() and array.max() < classes)

    return Kind(bad, _arrays(wrong, DTYPES))


def data(good):
    """What is not data for training, made from what is."""
    from resnet_lesson.data import Examples, Mnist

    images, digits = good.train.images, good.train.labels
    spoilt = images.copy()
    spoilt[0, 3, 3] = NAN
    parts = [
        None, "train", (images, digits), Examples(None, digits), Examples(images, None),
        Examples(images.tolist(), digits), Examples(images, digits.tolist()),
        Examples(images.astype("float64"), digits), Examples((images * 255).astype("uint8"), digits),
        Examples(images[:-1], digits), Examples(images, digits[:-1]), Examples(images[..., 0], digits),
        Examples(images[:, :14], digits), Examples(np.concatenate([images] * 3, -1), digits),
        Examples(images, digits.astype("float32")), Examples(images, digits[:, None]),
        Examples(images, digits - 5), Examples(images, digits + 5), Examples(images, np.eye(10)[digits]),
        Examples(spoilt, digits), Examples(images + np.float32(INF), digits),
    ]  # fmt: skip
    bad = [None, 3, "mnist", [], {}, Odd(), tuple(good), images, good.train]
    for name in good._fields:
        bad += [good._replace(**{name: part}) for part in parts]
    empty = Examples(images[:0], digits[:0])
    bad += [good._replace(train=empty), Mnist(empty, empty, empty)]
    return Kind(bad)
