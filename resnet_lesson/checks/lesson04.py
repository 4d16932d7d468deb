"""Checks of the exercises to lesson 04, plain against residual."""

import numpy as np

from resnet_lesson.checks.core import NotAttempted, NotYet, array, call, check, differ, number
from resnet_lesson.records import running_mean

OUTCOMES = ("lower", "higher", "no clear difference")


@check("04")
def blocks_in_a_stage(answer):
    """``answer(depth, layers_per_block)`` → blocks in each of two stages."""
    for depth, layers in ((8, 3), (56, 3), (18, 2), (34, 2)):
        found = number(call(answer, depth, layers), "the number of blocks")
        if found == (depth - 2) // (2 * layers):
            continue
        differ(found, {
            "these are the blocks of both stages together": (depth - 2) / layers,
            "stem and dense layer are no blocks: take two layers off first": depth / (2 * layers),
            "there are two layers outside the blocks, not one": (depth - 1) / (2 * layers),
            "the block's own layers are forgotten": (depth - 2) / 2,
        })  # fmt: skip
        raise NotYet(f"{depth} layers in blocks of {layers}: {found:g} is not the number a stage")
    return "stem, two stages, dense layer"


@check("04")
def updates_to(answer):
    """``answer(losses, target, window)`` → updates until the running mean is at the target or 0."""
    high, low = ([*start, 2.5, 1.2, 0.9, 0.8, 0.1, 0.7] for start in ((3.0, 0.5), (0.5, 3.0)))
    for losses, target, window in ((high, 0.9, 3), (low, 0.9, 3), (high, 0.05, 2)):
        found = number(call(answer, list(losses), target, window), "the number of updates")
        low_enough = running_mean(losses, window) <= target + 1e-12
        right = _first(low_enough[window - 1 :], window)
        if found == right:
            continue
        ways = {
            "one too few: after the first update one update is done, not none": right - 1,
            "one too many": right + 1,
            "the first means are made of fewer losses; wait until the window is full": _first(
                low_enough, 1
            ),
            "a single loss is compared; take the mean of the last losses": _first(
                np.array(losses) <= target, 1
            ),
            "this is the place of the window's start; asked is its end": right - window + 1,
        }
        if right:
            differ(found, ways)
        elif found:
            raise NotYet("a run that never gets to the target should give 0")
        raise NotYet(
            f"losses {losses}, target {target}, window {window}: {found:g} is not the number"
        )
    return "the first full window whose mean is low enough"


@check("04")
def claim_holds(answer):
    """``answer(above, below, ratio)`` → whether each run above is ratio times each run below."""
    nan = float("nan")
    cases = {  # runs above, runs below, ratio → whether the claim holds, and what is wrong else
        ((3.0, 4.0), (1.0, 1.4), 2): (True, "a claim that holds is refused"),
        ((2.0, 9.0), (3.0, 1.0), 1): (
            False,
            "one run contradicts the claim; means and best runs hide that",
        ),
        ((2.0, 5.0), (1.0, 3.0), 1): (
            False,
            "every run must be compared with every run, not only those of one seed",
        ),
        ((3.0, 4.0), (1.0, 2.0), 2): (False, "the ratio is not asked of every pair"),
        ((2.0, 2.0), (1.0, 1.0), 2): (True, "exactly the ratio is enough"),
        ((nan, 4.0), (1.0, 1.0), 2): (False, "a run without a number (NaN) supports no claim"),
    }
    for (above, below, ratio), (right, message) in cases.items():
        found = call(answer, list(above), list(below), ratio)
        if not isinstance(found, (bool, np.bool_)):
            raise NotYet("return True or False")
        if found != right:
            raise NotYet(f"{message}: above {above}, below {below}, ratio {ratio}")
    return "every run against every run"


@check("04")
def prediction(answer):
    """``answer``: (prediction, losses with zero branches, losses without), lists of numbers."""
    return judged(answer)


def judged(answer):
    """Return praise for a prediction of how the first of two lists of losses lies to the second.

    Args:
        answer: (one of ``OUTCOMES``, losses, losses), as a cell hands it over.

    Raises:
        NotYet, NotAttempted: it cannot be judged.
    """
    if not isinstance(answer, (tuple, list)) or len(answer) != 3:
        raise NotYet("hand over three things: the prediction and two lists of losses")
    predicted, zero, usual = answer
    if predicted is None or predicted is ...:
        raise NotAttempted("predict before you run")
    if predicted not in OUTCOMES:
        raise NotYet(f"the prediction should be one of {', '.join(map(repr, OUTCOMES))}")
    if not len(zero) or not len(usual):
        raise NotAttempted("the experiment has not been run yet")
    zero, usual = array(zero, "the first losses"), array(usual, "the second losses")
    measured = OUTCOMES[2]
    if zero.max() < usual.min():
        measured = OUTCOMES[0]
    elif zero.min() > usual.max():
        measured = OUTCOMES[1]
    said = "as predicted" if predicted == measured else f"you predicted {predicted!r}"
    return f"measured: {measured}; {said}"


def _first(reached, offset):
    places = np.flatnonzero(reached)
    return int(places[0]) + offset if len(places) else 0
