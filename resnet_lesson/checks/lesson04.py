"""Checks of the exercises to lesson 04, plain against residual."""

import numpy as np

from resnet_lesson.checks.answers import call, require
from resnet_lesson.checks.core import check, check_values
from resnet_lesson.checks.predictions import judged
from resnet_lesson.runs import running_mean


@check_values("04", "the number of blocks", [(8, 3), (56, 3), (18, 2), (34, 2)])
def blocks_in_a_stage(depth, layers_per_block):
    """``answer(depth, layers_per_block)`` → blocks in each of two stages."""
    layers = layers_per_block
    yield "stem, two stages, dense layer", (depth - 2) // (2 * layers)
    yield "these are the blocks of both stages together", (depth - 2) / layers
    yield "stem and dense layer are no blocks: take two layers off first", depth / (2 * layers)
    yield "there are two layers outside the blocks, not one", (depth - 1) / (2 * layers)
    yield "the block's own layers are forgotten", (depth - 2) / 2
    yield "{depth} layers in blocks of {layers_per_block}: {found:g} is not the number a stage"


LATE, EARLY = ([*start, 2.5, 1.2, 0.9, 0.8, 0.1, 0.7] for start in ((3.0, 0.5), (0.5, 3.0)))


@check_values("04", "the number of updates", [(LATE, 0.9, 3), (EARLY, 0.9, 3), (LATE, 0.05, 2)])
def updates_to(losses, target, window):
    """``answer(losses, target, window)`` → updates until the running mean is at the target or 0."""
    low_enough = running_mean(losses, window) <= target + 1e-12
    right = _first(low_enough[window - 1 :], window)
    partial, single = _first(low_enough, 1), _first(np.array(losses) <= target, 1)
    yield "the first full window whose mean is low enough", right
    if right == 0:
        yield "a run that never gets to the target should give 0"
        return
    yield "one too few: after the first update one update is done, not none", right - 1
    yield "one too many", right + 1
    yield "the first means are made of fewer losses; wait until the window is full", partial
    yield "a single loss is compared; take the mean of the last losses", single
    yield "this is the place of the window's start; asked is its end", right - window + 1
    yield "losses {losses}, target {target}, window {window}: {found:g} is not the number"


def _first(reached, offset):
    places = np.flatnonzero(reached)
    return int(places[0]) + offset if len(places) else 0


NAN = float("nan")
CLAIMS = {  # what a wrong answer shows → runs above, runs below, ratio, whether the claim holds
    "a claim that holds is refused": ((3.0, 4.0), (1.0, 1.4), 2, True),
    "one run contradicts it; means and best runs hide that": ((2.0, 9.0), (3.0, 1.0), 1, False),
    "compare all runs with all, not only those of one seed": ((2.0, 5.0), (1.0, 3.0), 1, False),
    "the ratio is not asked of every pair": ((3.0, 4.0), (1.0, 2.0), 2, False),
    "exactly the ratio is enough": ((2.0, 2.0), (1.0, 1.0), 2, True),
    "a run without a number (NaN) supports no claim": ((NAN, 4.0), (1.0, 1.0), 2, False),
}


@check("04")
def claim_holds(answer):
    """``answer(above, below, ratio)`` → whether each run above is ratio times each run below."""
    for message, (above, below, ratio, right) in CLAIMS.items():
        found = call(answer, list(above), list(below), ratio)
        require(isinstance(found, (bool, np.bool_)), "return True or False")
        require(found == right, f"{message}: above {above}, below {below}, ratio {ratio}")
    return "every run against every run"


@check("04")
def prediction(answer):
    """``answer``: (prediction, losses with zero branches, losses without), lists of numbers."""
    return judged(answer)
