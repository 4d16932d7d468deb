"""Checks of the exercises to lesson 05, inside the network."""

import math

import numpy as np

from resnet_lesson import diagnostics
from resnet_lesson.checks.core import NotYet, array, call, check, close, differ, number


@check("05")
def paths_of_length(answer):
    """``answer(blocks, length)`` → paths through so many blocks that take ``length`` branches."""
    for n, k in ((5, 2), (16, 8), (10, 0), (7, 6)):
        found = number(call(answer, n, k), "the number of paths")
        if found == math.comb(n, k):
            continue
        differ(found, {
            "these are all paths, of every length": 2**n,
            "the order does not count: a path goes through its blocks from front to back":
                math.perm(n, k),
            "at each block there are two ways, not as many as there are blocks": n**k,
            "a block has two ways; this gives each branch two": 2**k,
        })  # fmt: skip
        raise NotYet(f"{n} blocks, {k} branches: {found:g} is not the number of paths")
    return "choose which blocks give their branch"


@check("05")
def mean_square(answer):
    """``answer(blocks, normalised)`` → mean square behind so many residual blocks, 1 before."""
    for blocks, normalised in ((20, False), (9, True), (1, False), (1, True)):
        found = number(call(answer, blocks, normalised), "the mean square")
        right = 1 + blocks if normalised else 2**blocks
        if found == right:
            continue
        other = 2**blocks if normalised else 1 + blocks
        differ(found, {
            "with and without normalisation are the wrong way round": other,
            "a plain chain keeps its mean square; here each block adds": 1,
            "the line starts with a mean square of 1, before any block": right - 1,
            "each block doubles what is there, it does not add two": 2 * blocks,
            "this is the square of the asked number, or its root": right**0.5,
        })  # fmt: skip
        kind = "normalised" if normalised else "not normalised"
        raise NotYet(f"{blocks} blocks, {kind}: {found:g} is not the mean square")
    return "doubling without normalisation, one more a block with it"


@check("05")
def without_block(answer):
    """``answer(parts, name)`` → the parts in order, with the named one handing on its input."""
    parts = {"stem": _add(1), "a": _times(2), "b": _add(3), "c": _times(5), "head": _add(7)}
    for name in ("a", "c", "b"):
        given = dict(parts)
        left = call(answer, given, name)
        if given != parts or list(given) != list(parts):
            raise NotYet("the given dictionary was changed; the next experiment needs it whole")
        if not isinstance(left, dict):
            raise NotYet("return a dictionary of parts")
        if not all(callable(part) for part in left.values()):
            raise NotYet("each part should be a function")
        found = number(_run(call, left, 2.0), "what the parts compute")
        right = _run(_plainly, {key: part for key, part in parts.items() if key != name}, 2.0)
        if found == right:
            continue
        zero = _run(_plainly, parts | {name: lambda x: 0 * x}, 2.0)
        differ(found, {
            "the block is still there": _run(_plainly, parts, 2.0),
            "the block gives out zero; it should give out what it gets": zero,
        })  # fmt: skip
        raise NotYet(f"without {name!r} the other parts should run in their old order")
    return "its input goes on, and nothing else changes"


@check("05")
def autocorrelation(answer):
    """``answer(series, lag)`` → how much a series resembles itself, shifted by lag places."""
    random = np.random.default_rng(0)
    for length, lag, shift in ((50, 1, 3.0), (50, 4, 3.0), (30, 0, 1.0)):
        series = np.cumsum(random.normal(size=length)) + shift
        found = number(call(answer, series.copy(), lag), "the autocorrelation")
        x = series - series.mean()
        right = diagnostics.autocorrelation(series, lag)[-1]
        if np.isclose(found, right, rtol=1e-6, atol=1e-9):
            continue
        a, b = series[: length - lag], series[lag:]
        differ(found, {
            "the mean is not taken off": a @ b / (series @ series),
            "the end is compared with the beginning; leave out what has no partner":
                x @ np.roll(x, lag) / (x @ x),
            "it should be 1 at lag 0: divide by the sum of squares":
                x[: length - lag] @ x[lag:],
            "at lag 0 nothing is shifted": 0.0,
        })  # fmt: skip
        if lag and np.isclose(found, np.corrcoef(a, b)[0, 1], rtol=1e-6):
            raise NotYet(
                "this takes mean and size of both parts separately; the definition takes those of "
                "the whole series"
            )
        raise NotYet(f"at lag {lag}, {found:.4g} is not the autocorrelation")
    return "one at lag 0, and near zero for white noise elsewhere"


@check("05")
def filter_normalised(answer):
    """``answer(direction, kernel)`` → the direction, each filter as long as the kernel's."""
    for shape, seed in (((3, 3, 2, 4), 0), ((1, 1, 5, 3), 1), ((6, 4), 2)):
        random = np.random.default_rng(seed)
        d, theta = random.normal(size=shape), 3 * random.normal(size=shape)
        found = array(call(answer, d.copy(), theta.copy()), "the direction", shape)
        inner = tuple(range(d.ndim - 1))
        size, own = _length(d, inner), _length(theta, inner)
        if close(found, d / size * own):
            continue
        first = tuple(range(1, d.ndim))
        mistakes = {
            "the whole kernel is made as long as the other; each filter should be":
                d / np.linalg.norm(d) * np.linalg.norm(theta),
            "each filter has length 1; it should be as long as the kernel's": d / size,
            "the direction's own lengths are still in it": d * own,
            "a filter is one *output* channel, the last axis":
                d / _length(d, first) * _length(theta, first),
            "direction and kernel are the wrong way round": theta / own * size,
            "this is the kernel itself": theta,
        }  # fmt: skip
        differ(found, mistakes, close)
        raise NotYet("some filters do not have the length of the kernel's")
    return "each filter as long as the network's own"


def _length(values, axes):
    return np.sqrt(np.sum(values**2, axis=axes, keepdims=True))


def _add(number):
    return lambda x: x + number


def _times(number):
    return lambda x: x * number


def _plainly(part, x):
    return part(x)


def _run(way, parts, x):
    for part in parts.values():
        x = way(part, x)
    return x
