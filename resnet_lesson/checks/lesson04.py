"""Checks of the exercises for lesson 04, plain against residual."""

import keras
import numpy as np

from resnet_lesson.checks.answers import NotYet, call, require
from resnet_lesson.checks.core import check, judge
from resnet_lesson.checks.predictions import judged

VALIDATED = 2  # batches, after each epoch
FADES = ((2, 12, 4, 4), (0, 3, 2, 3), (1, 9, 5, 1))  # start, end, batches an epoch, epochs


@check("04")
def fading_callback(answer):
    """``answer(scale, start, end)`` → a callback for ``fit`` that lowers ``scale`` from 1 to 0."""
    before = 0
    for start, end, batches, epochs in FADES:
        begun, found, left = _scales(answer, start, end, batches, epochs)
        done = np.arange(1, batches * epochs + 1)
        held = "λ changes when a batch begins; it should hold from one update's end to the next's"
        inside = done[:-1] % batches > 0  # of an epoch, where no validation comes between
        require(np.allclose(np.subtract(begun[1:], found[:-1])[inside], 0), held)
        judge(found, "λ", _fades(done, batches, start, end, before), 1e-5)
        require(np.allclose(begun[1:], found[:-1]), held)
        require(begun[0] == 1, "λ should still be 1 when the first update begins")
        require(left == found[-1], "λ changes once more when training ends")
        before += len(done)
    return "a straight line from 1 to 0, and the count goes on from epoch to epoch"


def _scales(answer, start, end, batches, epochs):
    """Return λ before each batch, after each, and in the end, with the reader's callback."""
    scale, found, begun = keras.Variable(1.0, trainable=False), [], []
    callback = call(answer, scale, start, end)
    kind = isinstance(callback, keras.callbacks.Callback)
    require(kind, "return a keras.callbacks.Callback, an object and not its class")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    seen = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: begun.append(float(scale)),
        on_train_batch_end=lambda batch, logs: found.append(float(scale)),
    )
    x, y = np.ones((batches, 2)), np.ones((batches, 1))
    options = {"batch_size": 1, "epochs": epochs, "verbose": 0, "callbacks": [callback, seen]}
    options["validation_data"] = x[:VALIDATED], y[:VALIDATED]
    call(lambda: model.fit(x, y, **options) and 1)
    return begun, found, float(scale)


def _fades(done, batches, start, end, before):
    def line(count):
        return np.clip((end - count) / (end - start), 0, 1)

    anew = "the count begins anew with each epoch; `batch` does, so count for yourself"
    yield "1 up to the start, 0 from the end on", line(done)
    yield anew, line((done - 1) % batches + 1)
    yield f"{anew} (and it is late by one)", line((done - 1) % batches)
    validated = done + VALIDATED * ((done - 1) // batches)
    yield "the batches of the validation are counted, too; they are no updates", line(validated)
    yield "the count goes on from another callback: each has its own", line(done + before)
    yield "each update is counted twice", line(2 * done)
    yield "updates are counted in the first epoch alone", line(np.minimum(done, batches))
    yield "λ is late by one: after the first batch one update is done, not none", line(done - 1)
    yield "λ is early by one: after the first batch one update is done, not two", line(done + 1)
    yield "λ is not limited: it goes on below 0, or above 1", (end - done) / (end - start)
    yield "λ goes on below 0", np.minimum((end - done) / (end - start), 1)
    yield "λ is above 1 before the start", np.maximum((end - done) / (end - start), 0)
    yield "λ goes the other way, from 0 to 1", 1 - line(done)
    yield "after these batches λ has not changed", np.ones(len(done))
    yield "λ jumps from 1 to 0; it should fall in a straight line", 1.0 * (done < end)
    yield "λ jumps from 1 to 0; it should fall in a straight line", 1.0 * (done <= start)
    yield "λ jumps from 1 to 0; it should fall in a straight line", 1.0 * (2 * done < start + end)
    cosine = (1 - np.cos(np.pi * line(done))) / 2
    yield "λ falls along a cosine; it should fall in a straight line", cosine
    yield "λ is squared; it should fall in a straight line", line(done) ** 2
    for length, words in (
        (end, "end"),
        (end - start + 1, "one more"),
        (end - start - 1, "one less"),
    ):
        found = np.clip(1 - (done - start) / max(length, 1), 0, 1)
        yield f"the fade takes end − start updates; this divides by {words}", found
    yield (
        "at `end` λ should be 0; here it keeps what it had before",
        line(np.minimum(done, end - 1)),
    )
    early = "λ falls from the first update on; it should stay at 1 until the start"
    yield early, np.clip(1 - done / end, 0, 1)
    asked = f"λ should be 1 up to update {start}, then fall in a straight line to 0 at update {end}"
    yield asked


KINDS, RATES, NAN = ("plain", "residual", "faded"), (0.4, 0.1, 0.8, 0.2), float("nan")
SEARCHED, FRESH = (3, 0, 1), (9, 7, 8)
SEARCH = {  # kind → rate → the losses of the search
    # The luckiest run is at 0.1, the lowest median at 0.4, the lowest worst run at 0.8.
    "plain": {0.4: (2.4, 2.4, 9.0), 0.1: (0.5, 9.0, 6.0), 0.8: (2.9, 2.9, 2.9), 0.2: (3, 2, 2.5)},
    "residual": {0.4: (NAN, 1, 1), 0.1: (3.5, 3.5, 3.6), 0.8: (6, 7, 5), 0.2: (4, 4.2, 4.1)},
    "faded": {0.4: (8, 9, 7), 0.1: (9.5, 4.9, 5), 0.8: (5, 5, 5.1), 0.2: (0.1, NAN, 0.2)},
}
BEST = {"plain": 0.2, "residual": 0.1, "faded": 0.8}


@check("04")
def fair_race(answer):
    """``answer(train, kinds, rates, search_seeds, seeds)`` → kind → losses at its best rate."""
    runs = []

    def train(kind, rate, seed):
        require((kind in KINDS) and (rate in RATES), f"train was called with {kind!r} and {rate!r}")
        require(seed in SEARCHED + FRESH, f"train was called with the seed {seed!r}")
        runs.append((kind, rate, seed))
        if seed in SEARCHED:
            return SEARCH[kind][rate][SEARCHED.index(seed)]
        return _fresh(kind, rate, seed)

    found = call(answer, train, *map(list, (KINDS, RATES, SEARCHED, FRESH)))
    require(isinstance(found, dict), "return a dictionary: kind → its losses on the fresh seeds")
    require(set(found) == set(KINDS), f"the kinds {sorted(KINDS)} are expected as its keys")
    for kind in KINDS:
        tried = {(rate, seed) for who, rate, seed in runs if who == kind and seed in SEARCHED}
        missing = f"{kind}: every rate should be tried with every seed of the search"
        require(len(tried) == len(RATES) * len(SEARCHED), missing)
        _check_losses(kind, found[kind])
        others = {rate for who, rate, seed in runs if who == kind and seed in FRESH} - {BEST[kind]}
        require(
            not others, f"{kind}: fresh seeds ran at other rates, too; they only judge the best"
        )
    many = {run for run in runs if runs.count(run) > 1}
    require(not many, f"{len(many)} runs were made twice; one run costs minutes")
    return "the same search for all, and seeds that took no part in it"


def _fresh(kind, rate, seed):
    """Return a loss from which kind, rate and seed can be read; one run diverges."""
    if (kind, seed) == ("faded", 7):
        return NAN
    return 10 * (KINDS.index(kind) + 1) + rate + {9: 0.05, 7: 0.01, 8: 0.03}[seed]


def _check_losses(kind, losses):
    """Raise NotYet unless these are the losses of the fresh seeds at the best rate of a kind."""
    wanted = f"{kind}: a list of {len(FRESH)} losses is expected, one for each fresh seed"
    try:
        losses = np.asarray(losses, float)
    except (TypeError, ValueError):
        raise NotYet(wanted) from None
    searched = np.isin(losses, np.ravel(list(SEARCH[kind].values()))).any()
    include = f"{kind}: these include runs of the search; judge by the fresh seeds alone"
    require(not searched and losses.size != len(SEARCHED + FRESH), include)
    require(losses.shape == (len(FRESH),), f"{wanted}, a diverged one (NaN) included")
    for rate in RATES:
        expected = np.array([_fresh(kind, rate, seed) for seed in FRESH])
        if np.allclose(np.sort(losses), np.sort(expected), rtol=0, atol=1e-4, equal_nan=True):
            require(rate == BEST[kind], f"{kind}: {_why_not(kind, rate)}")
            in_order = np.allclose(losses, expected, rtol=0, atol=1e-4, equal_nan=True)
            require(in_order, f"{kind}: keep the losses in the order of the seeds")
            return
    raise NotYet(f"{kind}: these are not the losses of its runs on the fresh seeds")


def _why_not(kind, rate):
    """Say why a rate is not the best of a kind."""
    losses, best = SEARCH[kind][rate], BEST[kind]
    if np.isnan(losses).any():
        return (
            f"at {rate}, which was taken, a run diverged (NaN); whatever the others did, it is out"
        )
    lucky = min(losses) == np.nanmin(list(SEARCH[kind].values()))
    means = f"{rate} was taken, with a mean loss of {np.mean(losses):.1f}; at {best} it is lower"
    return means + (" (its best run is the best of all, its mean is not)" if lucky else "")


@check("04")
def zero_prediction(answer):
    """``answer``: (prediction, losses with zero branches, losses without), lists of numbers."""
    return judged(answer)
