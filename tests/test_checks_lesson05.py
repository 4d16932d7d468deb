"""Checks of lesson 05: right answers in several styles pass, each wrong one gets its message."""

import itertools
import math

import numpy as np
import tensorflow as tf
from answers import right_answers_pass, wrong_answers_get_their_message

from resnet_lesson import checks, diagnostics


def counted(blocks, length):
    return sum(sum(path) == length for path in itertools.product((0, 1), repeat=blocks))


def left_out(parts, name):
    return {key: part for key, part in parts.items() if key != name}


def identity_instead(parts, name):
    return parts | {name: lambda x: x}


def taken_out(parts, name):
    del parts[name]
    return parts


def norm(values, axes):
    return np.sqrt((values**2).sum(axis=axes, keepdims=True))


def by_filter(direction, kernel):
    made = np.empty_like(direction)
    for i in range(kernel.shape[-1]):
        d, theta = direction[..., i], kernel[..., i]
        made[..., i] = d / np.linalg.norm(d) * np.linalg.norm(theta)
    return made


def at_once(direction, kernel):
    axes = list(range(kernel.ndim - 1))
    size, own = (
        tf.sqrt(tf.reduce_sum(values**2, axes, keepdims=True)) for values in (direction, kernel)
    )
    return direction / size * own


def shifted(series, lag):
    x = series - np.mean(series)
    return sum(a * b for a, b in zip(x, x[lag:], strict=False)) / sum(x * x)


def first_axes(values):
    return tuple(range(1, values.ndim))


RIGHT = [
    (checks.paths_of_length, math.comb),
    (checks.paths_of_length, counted),
    (checks.mean_square, lambda blocks, normalised: 1 + blocks if normalised else 2**blocks),
    (checks.mean_square, lambda blocks, normalised: np.float32(
        [2.0**blocks, blocks + 1.0][normalised])),
    (checks.without_block, left_out),
    (checks.without_block, identity_instead),
    (checks.autocorrelation, lambda series, lag: diagnostics.autocorrelation(series, lag)[-1]),
    (checks.autocorrelation, shifted),
    (checks.filter_normalised, by_filter),
    (checks.filter_normalised, at_once),
]  # fmt: skip
WRONG = [
    (checks.paths_of_length, lambda n, k: 2**n, "all paths"),
    (checks.paths_of_length, math.perm, "the order does not count"),
    (checks.paths_of_length, lambda n, k: n**k, "there are two ways"),
    (checks.paths_of_length, lambda n, k: 2**k, "gives each branch two"),
    (checks.paths_of_length, lambda n, k: 3, "is not the number of paths"),
    (checks.mean_square, lambda n, norm: 2**n if norm else 1 + n, "the wrong way round"),
    (checks.mean_square, lambda n, norm: 1, "a plain chain keeps"),
    (checks.mean_square, lambda n, norm: n if norm else 2**n, "starts with a mean square of 1"),
    (checks.mean_square, lambda n, norm: 1 + n if norm else 2 * n, "doubles what is there"),
    (checks.mean_square, lambda n, norm: (1 + n if norm else 2**n) ** 0.5, "or its root"),
    (checks.without_block, taken_out, "dictionary was changed"),
    (checks.without_block, lambda parts, name: dict(parts), "the block is still there"),
    (checks.without_block, lambda parts, name: parts | {name: lambda x: 0 * x}, "gives out zero"),
    (checks.without_block, lambda parts, name: dict(reversed(left_out(parts, name).items())),
     "in their old order"),
    (checks.without_block, lambda parts, name: list(left_out(parts, name)), "return a dictionary"),
    (checks.autocorrelation, lambda x, lag: x[: len(x) - lag] @ x[lag:] / (x @ x),
     "the mean is not taken off"),
    (checks.autocorrelation, lambda x, lag: (x - x.mean()) @ np.roll(x - x.mean(), lag) / (
        len(x) * x.var()), "has no partner"),
    (checks.autocorrelation, lambda x, lag: (x - x.mean())[: len(x) - lag] @ (x - x.mean())[lag:],
     "divide by the sum of squares"),
    (checks.autocorrelation, lambda x, lag: np.corrcoef(x[: len(x) - lag], x[lag:])[0, 1],
     "separately"),
    (checks.autocorrelation, lambda x, lag: 0.5, "is not the autocorrelation"),
    (checks.filter_normalised, lambda d, k: d / np.linalg.norm(d) * np.linalg.norm(k),
     "each filter should be"),
    (checks.filter_normalised, lambda d, k: by_filter(d, np.ones_like(k)) / np.sqrt(
        np.prod(k.shape[:-1])), "has length 1"),
    (checks.filter_normalised, lambda d, k: d * norm(k, tuple(range(k.ndim - 1))),
     "own lengths are still in it"),
    (checks.filter_normalised, lambda d, k: d / norm(d, first_axes(d)) * norm(k, first_axes(k)),
     "the last axis"),
    (checks.filter_normalised, lambda d, k: by_filter(k, d), "wrong way round"),
    (checks.filter_normalised, lambda d, k: k, "the kernel itself"),
    (checks.filter_normalised, lambda d, k: d, "do not have the length"),
]  # fmt: skip


test_right, test_wrong = right_answers_pass(RIGHT), wrong_answers_get_their_message(WRONG)
