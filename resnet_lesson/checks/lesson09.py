"""Checks of the exercises for lesson 09, scaling out."""

import os
import tempfile
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from resnet_lesson.checks.answers import as_array, as_parts, call, require
from resnet_lesson.checks.core import check, check_values, drawn
from resnet_lesson.checks.predictions import judged


def _small(seed, sizes, normalised=False):
    """Return the weights of a small network, and parts of a batch of these sizes."""
    x, first, bias, last = drawn(seed, (sum(sizes), 4), (4, 6), (6,), (6, 3))
    labels = np.random.default_rng(seed).integers(0, 3, sum(sizes))
    ends = np.cumsum(sizes)[:-1]
    parts = list(zip(np.split(x.astype("float32"), ends), np.split(labels, ends), strict=True))
    return [first, bias, last], parts, normalised


def _model(weights, normalised):
    zeros = {"kernel_initializer": "zeros"}  # for nothing is drawn from the reader's global seed
    layers = [keras.layers.Dense(6, **zeros), keras.layers.ReLU()]
    layers += [keras.layers.BatchNormalization(scale=False, center=False)] * normalised
    last = keras.layers.Dense(3, use_bias=False, **zeros)
    model = keras.Sequential([keras.Input((4,)), *layers, last])
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value.astype("float32"))
    return model


def _accumulated(answer, weights, parts, normalised):
    """Return the reader's gradients, one after the other, as one row of numbers."""
    model = _model(weights, normalised)
    given = [(x.copy(), y.copy()) for x, y in parts]
    call(answer, model, list(given))  # a second call must not remember the first
    found = call(answer, model, copies := list(given))
    untouched = [np.array_equal(x, y) for (x, _), (y, _) in zip(given, parts, strict=True)]
    kept = len(copies) == len(given) and all(untouched)
    require(kept, "the list of parts was changed; leave it as it is")
    now = [variable.numpy() for variable in model.trainable_variables]
    same = len(now) == 3 and all(map(np.allclose, now, weights))
    require(same, "the model's weights are changed; asked are the gradients alone")
    three = "return a list of three gradients, as many as the model has trainable variables"
    found = as_parts(found, 3, three)
    shapes = [weight.shape for weight in weights]
    arrays = [as_array(one, "a gradient", shape) for one, shape in zip(found, shapes, strict=True)]
    return np.concatenate([array.ravel() for array in arrays])


def _of_logits(labels, logits):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def _of_softmax(labels, logits):
    return _of_logits(labels, tf.nn.softmax(logits))


def _of_probabilities(labels, logits):
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=False)


def _gradients(model, parts, loss=_of_logits, training=True):
    """Return the gradient of each part's mean loss as one row of numbers."""
    rows = []
    for x, y in parts:
        with tf.GradientTape() as tape:
            mean = tf.reduce_mean(loss(y, model(x, training=training)))
        found = tape.gradient(mean, [weight.value for weight in model.trainable_variables])
        rows.append(np.concatenate([np.ravel(gradient) for gradient in found]))
    return rows


# The last has a normalisation, whose means and variances are those of a part.
ACCUMULATED = [_small(0, (8, 8, 8)), _small(1, (16, 5)), _small(2, (3, 9, 1, 7)), _small(3, (6,))]
ACCUMULATED += [_small(4, (6, 9), normalised=True)]


@check_values("09", "the gradients", ACCUMULATED, 1e-3, _accumulated)
def accumulated(weights, parts, normalised):
    """``answer(model, parts)`` → gradients of the mean loss of all parts together."""
    model, sizes = _model(weights, normalised), [len(y) for _, y in parts]

    def summed(**options):
        fresh = _model(weights, normalised)  # its moving averages have not moved yet
        return np.average(_gradients(fresh, parts, **options), axis=0, weights=sizes)

    each, whole = _gradients(model, parts), summed()
    inverse = np.average(each, axis=0, weights=1 / np.array(sizes))
    joined = [tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))]
    yield "each part by its number of images", whole
    yield "a part with more images counts more: this is the plain mean", np.mean(each, axis=0)
    too_large = "each part's loss is a mean already, so the sum of the gradients is too large"
    yield too_large, np.sum(each, axis=0)
    yield "divide by the number of all images", whole * sum(sizes)
    yield "divide by the number of all images, not of the parts", whole * sum(sizes) / len(sizes)
    yield "the larger a part, the more it counts; here it counts less", inverse
    square = np.average(each, axis=0, weights=np.square(sizes))
    yield "a part counts by the number of its images, not by the square of that", square
    lengths = np.array([np.linalg.norm(one) for one in each])
    even = np.average(each / lengths[:, None], axis=0, weights=sizes)
    yield "the gradients of the parts have been scaled to one length", even
    halves = each[0]
    for one in each[1:]:
        halves = (halves + one) / 2
    yield "the mean of the mean so far and a new part lets the last part count most", halves
    for which, size in (("first", sizes[0]), ("last", sizes[-1])):
        words = f"divide by the number of all images; not all parts are as large as the {which} one"
        yield words, whole * sum(sizes) / (size * len(sizes))
    yield "divide by the number of images that there are, not by 64", whole * sum(sizes) / 64
    if len(sizes) > 1:
        skipped = np.average(each[1:], axis=0, weights=sizes[1:])
        yield "the first part is left out", skipped
        words = "the first part is left out, though its images are counted"
        yield words, skipped * (1 - sizes[0] / sum(sizes))
    yield "this is the gradient of the last part alone", each[-1]
    yield "this is the gradient of the first part alone", each[0]
    yield "logits are taken for probabilities", summed(loss=_of_probabilities)
    yield "softmax is applied twice", summed(loss=_of_softmax)
    yield "the sign is the other way round", -whole
    if normalised:
        together = (
            "the parts are joined, and a normalisation sees all of them; one part fits at a time"
        )
        yield together, _gradients(model, joined)[0]
        yield (
            "call the model with training=True, its normalisations trainable",
            summed(training=False),
        )
    yield f"with parts of {sizes} images this is not the gradient of the batch"


@check("09")
def batch_prediction(answer):
    """``answer``: (prediction, losses with the batch in parts, losses with the whole batch)."""
    return judged(answer)


def _chunks(workers, step):
    """Draw chunks[worker][place] for a round."""
    return [list(drawn(worker, *[2] * workers)) for worker in range(workers)], step


CHUNKS = [_chunks(3, 0), _chunks(4, 0), _chunks(4, 2), _chunks(5, 1)]


@check_values("09", "the chunks", CHUNKS, tolerance=1e-4)
def ring_round(chunks, step):
    """``answer(chunks, step)`` → chunks[worker][place] after one round of the reduce-scatter."""
    replaced, plus = _round(chunks, step, lambda own, got: got), _round(chunks, -step)
    everything = chunks + np.roll(chunks, 1, axis=0)
    yield "one chunk from each worker, added by its right neighbour", _round(chunks, step)
    yield "the receiver should add what it gets to its own chunk, not replace it", replaced
    yield "the messages go to the right neighbour, worker + 1", _round(chunks, step, way=-1)
    yield "a worker sends chunk (worker − step) mod workers; here it is worker + step", plus
    yield "in each round another chunk moves: `step` is not used", _round(chunks, 0)
    reckoned = "the place is reckoned from the worker that sends, not from the one that receives"
    yield reckoned, _round(chunks, step - 1)
    yield "the receiver adds; here the sender does", _round(chunks, step + 1, way=-1)
    yield "this is all the rounds; asked is one", _all_rounds(chunks)
    yield from _other_rounds(chunks, step)
    yield "nothing has moved", chunks
    yield "only one chunk of each worker moves in a round, not all of them", everything
    yield f"{len(chunks)} workers, step {step}: these are not the chunks after the round"


def _other_rounds(chunks, step):
    """Yield what becomes of the chunks where the senders, the place or the sum is another one."""
    workers = np.arange(len(chunks))
    places = (workers - step) % len(chunks)
    closes = "the ring is not closed: the last worker sends to the first"
    yield closes, _moved(chunks, places, senders=workers[:-1])
    yield "only worker 0 has sent; all do", _moved(chunks, places, senders=[0])
    yield "only one worker has sent; all do", _moved(chunks, places, senders=[step])
    yield "all send the same place; it depends on the worker", _moved(chunks, 0 * workers + step)
    mod = "(worker − step) mod workers"
    yield f"a place is {mod}; here it is step − worker", _moved(chunks, -places % len(chunks))
    yield f"a place is {mod}, not a distance", _moved(chunks, abs(workers - step))
    zero = f"a place is {mod}; here 0 stands for what would be negative"
    yield zero, _moved(chunks, np.maximum(workers - step, 0))
    yield "the receiver adds; this takes the mean", _moved(chunks, places, lambda a, b: (a + b) / 2)
    yield "the receiver adds; this subtracts", _moved(chunks, places, lambda a, b: a - b)
    yield "the receiver adds; this takes the larger", _moved(chunks, places, np.maximum)
    yield "what arrives is added once, not twice", _moved(chunks, places, lambda a, b: a + 2 * b)
    emptied = _moved(chunks, places)
    emptied[workers, places] = 0
    yield "the sender keeps its chunk; here it is set to 0", emptied
    held, right = _moved(chunks, places), (workers + 1) % len(chunks)
    held[workers, places] = held[right, places]
    yield "only the receiver has the sum afterwards; here the sender has it, too", held
    yield "worker 0 sends nothing; all do", _moved(chunks, places, senders=workers[1:])
    own = np.array(chunks)
    for worker, place in enumerate(places):
        own[right[worker], places[right[worker]]] += chunks[worker][place]
    yield "what arrives is added at the sender's place, not at the receiver's own", own
    yield "a worker's chunks are in its row: chunks[worker][place]", _turned(chunks, step)
    later = (places - 1) % len(chunks)
    yield "the first round has step 0; here the steps are counted from 1", _moved(chunks, later)
    cut = _moved(chunks, places, lambda a, b: np.trunc(a + b))
    yield "the sums are cut to whole numbers", cut
    others = [_moved(chunks, places, way=way) - np.array(chunks) for way in workers[1:]]
    yield "a worker sends to its right neighbour alone, not to all", np.sum(others, axis=0) + chunks
    total = np.sum(chunks, axis=0, keepdims=True) + np.zeros_like(chunks)
    yield "this is the sum for everybody; in one round each worker adds one chunk", total


def _turned(chunks, step):
    """Return the round's outcome where rows and columns are taken for each other."""
    return np.swapaxes(_round(np.swapaxes(chunks, 0, 1), step), 0, 1)


def _moved(chunks, places, add=np.add, senders=None, way=1):
    """Return the chunks after each sender's, at its place, has reached its neighbour."""
    before = np.array(chunks)
    after = before.copy()
    for worker in range(len(before)) if senders is None else senders:
        to, place = (worker + way) % len(before), places[worker]
        after[to, place] = add(before[to, place], before[worker, place])
    return after


def _all_rounds(chunks):
    for step in range(len(chunks) - 1):
        chunks = _round(chunks, step)
    return chunks


def _round(chunks, step, add=np.add, way=1):
    return _moved(chunks, (np.arange(len(chunks)) - step) % len(chunks), add, way=way)


OLD, PIECES = b"the one before", (b"all ", b"of \xe9\x00", b"of \xe9\x00", b"it")


@check("09")
def save_whole(answer):
    """``answer(path, parts)`` → path: the file, written completely or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (Path(folder) / "epoch 1.ckpt", Path(folder) / "checkpoint"):
            named = call(answer, path, iter(PIECES))
            same = isinstance(named, (str, os.PathLike)) and Path(named) == path
            require(same, f"return the path of the file, not {str(named)[-40:]!r}")
            require(path.exists(), f"afterwards there is no file at the path, {path.name!r}")
            found, wanted = path.read_bytes(), b"".join(PIECES)
            begins = f"it has {len(found)} bytes and begins with {found[:8]!r}"
            right = f"the file should hold {len(wanted)} bytes, {wanted[:8]!r} and so on; {begins}"
            require(found == wanted, right)
        path.write_bytes(OLD)
        error = None
        try:
            answer(path, _failing())
        except Exception as raised:
            error = raised
        require(path.exists(), "writing failed in the middle, and the old file is gone")
        damaged = "a failure in the middle has damaged the old file; it should stay as it was"
        require(path.read_bytes() == OLD, damaged)
        require(error, "writing failed, and nobody is told: let the error through")
        other = f"let the error through; this made {type(error).__name__} of it"
        require(isinstance(error, OSError), other)
        _replace_and_watch(answer, path)
    return "the old file stays until the new one is whole"


def _failing():
    yield PIECES[0]
    raise OSError("the disk is full")


def _replace_and_watch(answer, path):
    """Raise NotYet unless the old file is there until the whole new one takes its name at once."""
    moved = []

    def watched(rename):
        def run(src, dst, **options):
            source = Path(src)
            if Path(dst) == path:
                require(path.exists(), "the old file is gone before the new one has its name")
                near = (
                    "the new file lies in another folder; from another disk it could not be renamed"
                )
                require(path.resolve().parent in source.resolve().parents, near)
                closed = (
                    "what gets the name is not the whole new file: is it closed, and was it empty?"
                )
                require(source.read_bytes() == b"".join(PIECES), closed)
                moved.append(source)
            return rename(src, dst, **options)

        return run

    def pieces():
        for piece in PIECES:
            intact = path.exists() and path.read_bytes() == OLD
            require(intact, "the old file is not left alone until all the parts are written")
            yield piece

    replace, rename = watched(os.replace), watched(os.rename)
    with mock.patch.multiple(os, replace=replace, rename=rename):
        call(answer, path, pieces())
    whole = path.exists() and path.read_bytes() == b"".join(PIECES)
    require(whole, "in place of an old file, the new one does not hold all the parts")
    copied = "the old file is written over in the end; give the finished one its name in one step"
    require(moved, copied)
