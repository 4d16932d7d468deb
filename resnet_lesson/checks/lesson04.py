"""Checks of the exercises to lesson 04, plain against residual."""

import keras
import numpy as np

from resnet_lesson.checks.answers import NotYet, as_array, call, require
from resnet_lesson.checks.core import check, judge
from resnet_lesson.checks.predictions import judged

FADES = ((2, 6, 4, 2), (0, 3, 2, 3), (1, 9, 5, 1))  # start, end, batches an epoch, epochs


@check("04")
def fading_callback(answer):
    """``answer(scale, start, end)`` → a callback for ``fit`` that lowers ``scale`` from 1 to 0."""
    for start, end, batches, epochs in FADES:
        found = _scales(answer, start, end, batches, epochs)
        done = np.arange(1, batches * epochs + 1)
        judge(found, "λ", _fades(done, batches, start, end), 1e-5)
    return "a straight line from 1 to 0, and the count goes on from epoch to epoch"


def _scales(answer, start, end, batches, epochs):
    """Return λ after each batch of a small model that is trained with the reader's callback."""
    scale, found = keras.Variable(1.0, trainable=False), []
    callback = call(answer, scale, start, end)
    kind = isinstance(callback, keras.callbacks.Callback)
    require(kind, "return a keras.callbacks.Callback, an object and not its class")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    seen = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: found.append(float(scale))
    )
    x, y = np.ones((batches, 2)), np.ones((batches, 1))
    options = {"batch_size": 1, "epochs": epochs, "verbose": 0, "callbacks": [callback, seen]}
    call(lambda: model.fit(x, y, **options))
    return found


def _fades(done, batches, start, end):
    def line(count):
        return np.clip((end - count) / (end - start), 0, 1)

    anew = "the count begins anew with each epoch; `batch` does, so count for yourself"
    yield "1 up to the start, 0 from the end on", line(done)
    yield anew, line((done - 1) % batches + 1)
    yield f"{anew} (and it is late by one)", line((done - 1) % batches)
    yield "λ is late by one: after the first batch one update is done, not none", line(done - 1)
    yield "λ is early by one: after the first batch one update is done, not two", line(done + 1)
    yield "λ is not limited: it goes on below 0, or above 1", (end - done) / (end - start)
    yield "λ goes on below 0", np.minimum((end - done) / (end - start), 1)
    yield "λ is above 1 before the start", np.maximum((end - done) / (end - start), 0)
    yield "λ goes the other way, from 0 to 1", 1 - line(done)
    yield "λ never changes", np.ones(len(done))
    yield "λ jumps from 1 to 0; it should fall in a straight line", 1.0 * (done < end)
    yield "λ jumps from 1 to 0; it should fall in a straight line", 1.0 * (done <= start)
    early = "λ falls from the first update on; it should stay at 1 until the start"
    yield early, np.clip(1 - done / end, 0, 1)
    yield f"from update {start} to {end}, λ does not fall in a straight line from 1 to 0"


KINDS, SEARCHED, FRESH = ("plain", "residual", "faded"), (0, 1), (7, 8, 9)
RATES, NAN = (0.1, 0.2, 0.4, 0.8), float("nan")
SEARCH = {  # the losses of the search: kind → rate → one a seed
    "plain": {0.1: (1.0, 9.0), 0.2: (3.0, 2.0), 0.4: (6.0, 7.0), 0.8: (8.0, 9.0)},
    "residual": {0.1: (4.0, 5.0), 0.2: (2.5, 2.4), 0.4: (1.0, 2.0), 0.8: (0.5, NAN)},
    "faded": {0.1: (0.5, 1.5), 0.2: (2.0, 2.2), 0.4: (NAN, 0.1), 0.8: (9.0, 9.0)},
}
BEST = {"plain": 0.2, "residual": 0.4, "faded": 0.1}
DIVERGED = "a rate at which a run diverged (NaN) is not the best, whatever the other run did"
SHARED = "one rate was taken for all kinds; each has its own best rate"
WHY = {  # what a wrong rate shows
    ("plain", 0.1): "the rate of the luckiest run was taken; take the best mean over the seeds",
    ("residual", 0.2): SHARED,
    ("residual", 0.8): DIVERGED,
    ("faded", 0.2): SHARED,
    ("faded", 0.4): DIVERGED,
}


@check("04")
def fair_race(answer):
    """``answer(train, kinds, rates, search_seeds, seeds)`` → kind → losses at its best rate."""
    runs = []

    def train(kind, rate, seed):
        require((kind in KINDS) and (rate in RATES), f"train was called with {kind!r} and {rate!r}")
        runs.append((kind, rate, seed))
        if seed in SEARCHED:
            return SEARCH[kind][rate][seed]
        return _fresh(kind, rate, seed)

    found = call(answer, train, KINDS, RATES, SEARCHED, FRESH)
    require(isinstance(found, dict), "return a dictionary: kind → its losses on the fresh seeds")
    require(set(found) == set(KINDS), f"the kinds {sorted(KINDS)} are expected as its keys")
    for kind in KINDS:
        tried = {(rate, seed) for who, rate, seed in runs if who == kind and seed in SEARCHED}
        missing = f"{kind}: every rate should be tried with every seed of the search"
        require(len(tried) == len(RATES) * len(SEARCHED), missing)
        _check_losses(kind, found[kind])
    many = {run for run in runs if runs.count(run) > 1}
    require(not many, f"{len(many)} runs were made twice; one run costs minutes")
    return "the same search for all, and seeds that took no part in it"


def _fresh(kind, rate, seed):
    """Return a loss from which kind, rate and seed can be read."""
    return 10 * (KINDS.index(kind) + 1) + rate + seed / 100


def _check_losses(kind, losses):
    """Raise NotYet unless these are the losses of the fresh seeds at the best rate of a kind."""
    given = f"{kind}: these include runs of the search; judge by the fresh seeds alone"
    require(np.size(losses) != len(SEARCHED) + len(FRESH), given)
    require(np.size(losses) == len(FRESH), f"{kind}: {len(FRESH)} losses are expected")
    losses = as_array(losses, f"{kind}: the losses", (len(FRESH),))
    require(not np.isin(losses, np.ravel(list(SEARCH[kind].values()))).any(), given)
    for rate in RATES:
        wanted = [_fresh(kind, rate, seed) for seed in FRESH]
        if np.allclose(np.sort(losses), wanted, rtol=0, atol=1e-4):
            why = WHY.get((kind, rate), f"{rate} is not its best rate")
            require(rate == BEST[kind], f"{kind}: {why}")
            in_order = np.allclose(losses, wanted, rtol=0, atol=1e-4)
            require(in_order, f"{kind}: keep the losses in the order of the seeds")
            return
    raise NotYet(f"{kind}: these are not the losses of its runs on the fresh seeds")


@check("04")
def zero_prediction(answer):
    """``answer``: (prediction, losses with zero branches, losses without), lists of numbers."""
    return judged(answer)
