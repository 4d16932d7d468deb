"""Checks of lesson 04: right answers in several styles pass, each wrong one gets its message."""

import itertools

import numpy as np
from answers import right_answers_pass, wrong_answers_get_their_message

from resnet_lesson import checks
from resnet_lesson.models import blocks_for_depth
from resnet_lesson.records import Record


def with_loop(losses, target, window):
    for i in range(window, len(losses) + 1):
        if sum(losses[i - window : i]) / window <= target:
            return i
    return 0


def with_numpy(losses, target, window):
    sums = np.convolve(losses, np.ones(window) / window, mode="valid")
    reached = np.flatnonzero(sums <= target + 1e-12)
    return np.int64(reached[0] + window) if reached.size else 0


def first(losses, target, offset=1):
    return next((i + offset for i, loss in enumerate(losses) if loss <= target), 0)


def partial(losses, target, window):
    means = [np.mean(losses[max(0, i - window) : i]) for i in range(1, len(losses) + 1)]
    return first(means, target)


def every_pair(above, below, ratio):
    return all(a >= ratio * b for a, b in itertools.product(above, below))


RIGHT = [
    (checks.blocks_in_a_stage, lambda depth, layers: (depth - 2) // (2 * layers)),
    (checks.blocks_in_a_stage,
     lambda depth, layers: blocks_for_depth(depth, "bottleneck" if layers == 3 else "basic")),
    (checks.updates_to, with_loop),
    (checks.updates_to, with_numpy),
    (checks.updates_to, lambda losses, target, window: Record(
        "a", 0, None, 64, 0.1, 8, loss=losses).updates_to(target + 1e-12, window) or 0),
    (checks.claim_holds, every_pair),
    (checks.claim_holds, lambda above, below, ratio: bool(np.min(above) >= ratio * np.max(below))),
    (checks.claim_holds, lambda above, below, ratio: np.all(
        np.array(above)[:, None] >= ratio * np.array(below))),
    (checks.prediction, ("lower", [1.0, 1.1], [1.2, 1.3])),
    (checks.prediction, ("lower", np.array([2.0, 2.1]), np.array([1.2, 1.3]))),
    (checks.prediction, ["no clear difference", [1.0, 1.3], [1.2, 1.25]]),
]  # fmt: skip
WRONG = [
    (checks.blocks_in_a_stage, lambda depth, layers: (depth - 2) // layers, "both stages together"),
    (checks.blocks_in_a_stage, lambda depth, layers: depth / (2 * layers), "take two layers off"),
    (checks.blocks_in_a_stage, lambda depth, layers: (depth - 1) / (2 * layers), "not one"),
    (checks.blocks_in_a_stage, lambda depth, layers: (depth - 2) / 2, "are forgotten"),
    (checks.blocks_in_a_stage, lambda depth, layers: 77, "is not the number a stage"),
    (checks.updates_to, lambda *a: with_loop(*a) - 1, "one too few"),
    (checks.updates_to, lambda *a: with_loop(*a) + 1, "one too many"),
    (checks.updates_to, lambda losses, target, window: first(losses, target),
     "a single loss is compared"),
    (checks.updates_to, lambda losses, target, n: with_loop(losses, target, n) - n + 1,
     "the window's start"),
    (checks.updates_to, partial, "wait until the window is full"),
    (checks.updates_to, lambda *a: with_loop(*a) or 8, "should give 0"),
    (checks.updates_to, lambda losses, target, window: 40, "is not the number"),
    (checks.claim_holds, lambda a, b, r: np.mean(a) >= r * np.mean(b), "means and best runs hide"),
    (checks.claim_holds, lambda a, b, r: max(a) >= r * min(b), "means and best runs hide"),
    (checks.claim_holds, lambda a, b, r: all(x >= r * y for x, y in zip(a, b, strict=True)),
     "not only those of one seed"),
    (checks.claim_holds, lambda a, b, r: min(a) > max(b), "the ratio is not asked"),
    (checks.claim_holds, lambda a, b, r: all(x > r * y for x in a for y in b), "exactly the ratio"),
    (checks.claim_holds, lambda a, b, r: not any(x < r * y for x in a for y in b), "(NaN)"),
    (checks.claim_holds, lambda a, b, r: False, "a claim that holds is refused"),
    (checks.claim_holds, lambda a, b, r: 1, "return True or False"),
    (checks.prediction, ("better", [1.0], [2.0]), "the prediction should be one of"),
    (checks.prediction, ("lower", [1.0]), "hand over three things"),
    (checks.prediction, ("lower", [float("nan")], [1.0]), "is NaN"),
]  # fmt: skip


test_right, test_wrong = right_answers_pass(RIGHT), wrong_answers_get_their_message(WRONG)


def test_a_wrong_prediction_is_no_mistake():
    assert "you predicted 'lower'" in checks.prediction(("lower", [3.0], [2.0])).message
    assert "as predicted" in checks.prediction(("higher", [3.0], [2.0])).message
    for nothing in ((None, [1.0], [2.0]), ("lower", [], [])):
        assert checks.prediction(nothing).status == "not attempted"
