"""Checks of the exercises to lesson 05, inside the network."""

import functools
import math

import numpy as np

from resnet_lesson import diagnostics
from resnet_lesson.checks.answers import call, require
from resnet_lesson.checks.core import check_values, drawn


@check_values("05", "the number of paths", [(5, 2), (16, 8), (10, 0), (7, 6)])
def paths_of_length(n, k):
    """``answer(blocks, length)`` → paths through so many blocks that take ``length`` branches."""
    yield "choose which blocks give their branch", math.comb(n, k)
    yield "these are all paths, of every length", 2**n
    ordered = math.perm(n, k)
    yield "the order does not count: a path goes through its blocks from front to back", ordered
    yield "at each block there are two ways, not as many as there are blocks", n**k
    yield "a block has two ways; this gives each branch two", 2**k
    yield "{n} blocks, {k} branches: {found:g} is not the number of paths"


@check_values("05", "the mean square", [(20, False), (9, True), (1, False), (1, True)])
def mean_square(blocks, normalised):
    """``answer(blocks, normalised)`` → mean square behind so many residual blocks, 1 before."""
    right, other = (1 + blocks, 2**blocks) if normalised else (2**blocks, 1 + blocks)
    kind = "normalised" if normalised else "not normalised"
    yield "doubling without normalisation, one more a block with it", right
    yield "with and without normalisation are the wrong way round", other
    yield "a plain chain keeps its mean square; here each block adds", 1
    yield "the line starts with a mean square of 1, before any block", right - 1
    yield "each block doubles what is there, it does not add two", 2 * blocks
    yield "this is the root of the asked number", right**0.5
    yield "{blocks} blocks, " + kind + ": {found:g} is not the mean square"


PARTS = {
    "stem": lambda x: x + 1,
    "a": lambda x: x * 2,
    "b": lambda x: x + 3,
    "c": lambda x: x * 5,
    "head": lambda x: x + 7,
}


def _without(answer, name):
    """Return what the parts compute that the reader's function leaves."""
    given = dict(PARTS)
    left = call(answer, given, name)
    whole = list(given.items()) == list(PARTS.items())
    require(whole, "the given dictionary was changed; the next experiment needs it whole")
    require(isinstance(left, dict), "return a dictionary of parts")
    return _run(left)


@check_values("05", "what the parts compute", [("a",), ("c",), ("b",)], run=_without)
def without_block(name):
    """``answer(parts, name)`` → the parts in order, with the named one handing on its input."""
    silenced = _run(PARTS | {name: lambda x: 0 * x})
    yield "its input goes on, and nothing else changes", _run(PARTS | {name: lambda x: x})
    yield "the block is still there", _run(PARTS)
    yield "the block gives out zero; it should give out what it gets", silenced
    yield "without {name!r} the other parts should run in their old order"


def _run(parts):
    """Return what parts compute, one after the other, from a 2."""
    return functools.reduce(lambda x, part: call(part, x), parts.values(), 2.0)


def _walk(length, lag):
    """Draw a random walk around 3."""
    return np.cumsum(drawn(lag, length)[0]) + 3, lag


@check_values("05", "the autocorrelation", [_walk(50, 1), _walk(50, 4), _walk(30, 0)], 1e-6)
def autocorrelation(series, lag):
    """``answer(series, lag)`` → how much a series resembles itself, shifted by lag places."""
    right = diagnostics.autocorrelation(series, lag)[-1]
    start, end = series[: len(series) - lag], series[lag:]
    x = series - series.mean()
    around, apart = x @ np.roll(x, lag) / (x @ x), np.corrcoef(start, end)[0, 1]
    yield "one at lag 0, and near zero for white noise elsewhere", right
    yield "the mean is not taken off", start @ end / (series @ series)
    yield "the end is compared with the beginning; leave out what has no partner", around
    yield "it should be 1 at lag 0: divide by the sum of squares", right * (x @ x)
    yield "at lag 0 nothing is shifted", 0.0
    yield "take mean and size of the whole series, not of both parts separately", apart
    yield "at lag {lag}, {found:.4g} is not the autocorrelation"


SHAPES = ((3, 3, 2, 4), (1, 1, 5, 3), (6, 4))
KERNELS = [drawn(seed, shape, shape) for seed, shape in enumerate(SHAPES)]


@check_values("05", "the direction", KERNELS, tolerance=1e-4)
def filter_normalised(direction, kernel):
    """``answer(direction, kernel)`` → the direction, each filter as long as the kernel's."""
    d, theta = direction, kernel

    def rescaled(values, other, axes):
        return values / _length(values, axes) * _length(other, axes)

    of_filter, but_first = tuple(range(d.ndim - 1)), tuple(range(1, d.ndim))
    whole = rescaled(d, theta, None)
    unit = d / _length(d, of_filter)
    yield "each filter as long as the network's own", rescaled(d, theta, of_filter)
    yield "the whole kernel is made as long as the other; each filter should be", whole
    yield "each filter has length 1; it should be as long as the kernel's", unit
    yield "the direction's own lengths are still in it", d * _length(theta, of_filter)
    yield "a filter is one *output* channel, the last axis", rescaled(d, theta, but_first)
    yield "direction and kernel are the wrong way round", rescaled(theta, d, of_filter)
    yield "this is the kernel itself", theta
    yield "some filters do not have the length of the kernel's"


def _length(values, axes):
    return np.sqrt(np.sum(values**2, axis=axes, keepdims=True))
