"""Checks of the exercises to lesson 09, scaling out."""

import json
import tempfile
from pathlib import Path

import numpy as np

from resnet_lesson.checks.answers import NotYet, call, require
from resnet_lesson.checks.core import check, check_values, drawn


def _shares(*sizes):
    """Draw a gradient for each share of a batch."""
    return list(drawn(0, *[5] * len(sizes))), list(sizes)


SHARES = [_shares(32, 32), _shares(16, 48), _shares(10, 20, 30, 4)]


@check_values("09", "the gradient", SHARES, tolerance=1e-6)
def batch_gradient(gradients, sizes):
    """``answer(gradients, sizes)`` → gradient of the whole batch, from its shares' gradients."""
    weighted, plain = np.dot(sizes, gradients), np.mean(gradients, axis=0)
    inverse = np.average(gradients, axis=0, weights=1 / np.array(sizes))
    yield "each share by its number of images", weighted / sum(sizes)
    yield "a share with more images counts more: this is the plain mean", plain
    yield "each gradient is a mean already: their sum is too large", len(sizes) * plain
    yield "divide by the number of all images", weighted
    yield "divide by the number of all images, not by the number of shares", weighted / len(sizes)
    yield "the larger a share, the more it counts; here it counts less", inverse
    yield "with shares of {sizes} images this is not the gradient of the batch"


@check_values("09", "the amount", [(240, 4), (240, 3), (1200, 16)], tolerance=1e-9)
def numbers_sent(n, workers):
    """``answer(n, workers)`` → numbers that each worker sends in a ring all-reduce."""
    chunk, rounds = n / workers, workers - 1
    yield "less than twice the array", 2 * rounds * chunk
    yield "this is one of the two phases: the sums must also go around", rounds * chunk
    yield "this is what the central worker of the simple way sends or receives", rounds * n
    yield "this is what all workers send together; asked is what each sends", 2 * rounds * n
    yield "a chunk has n / workers numbers, and each phase has workers − 1 rounds", 2 * n
    yield "there are 2 (workers − 1) rounds; this is one of them", chunk
    yield "{n} numbers and {workers} workers: {found:g} is not what each worker sends"


def _chunks(workers, step):
    """Draw chunks[worker][place] for a round."""
    return [list(drawn(worker, *[2] * workers)) for worker in range(workers)], step


CHUNKS = [_chunks(3, 0), _chunks(4, 0), _chunks(4, 2), _chunks(5, 1)]


@check_values("09", "the chunks", CHUNKS, tolerance=1e-4)
def ring_round(chunks, step):
    """``answer(chunks, step)`` → chunks[worker][place] after one round of the reduce-scatter."""
    replaced, plus = _round(chunks, step, add=False), _round(chunks, -step)
    everything = chunks + np.roll(chunks, 1, axis=0)
    yield "one chunk from each worker, added by its right neighbour", _round(chunks, step)
    yield "the receiver should add what it gets to its own chunk, not replace it", replaced
    yield "the messages go to the right neighbour, worker + 1", _round(chunks, step, way=-1)
    yield "a worker sends chunk (worker − step) mod workers; here it is worker + step", plus
    yield "in each round another chunk moves: `step` is not used", _round(chunks, 0)
    yield "nothing has moved", chunks
    yield "only one chunk of each worker moves in a round, not all of them", everything
    yield f"{len(chunks)} workers, step {step}: these are not the chunks after the round"


def _round(chunks, step, add=True, way=1):
    after, workers = np.array(chunks), np.arange(len(chunks))
    places, receivers = (workers - step) % len(chunks), (workers + way) % len(chunks)
    after[receivers, places] = after[workers, places] + add * after[receivers, places]
    return after


@check("09")
def tf_config(answer):
    """``answer(hosts, port, index)`` → TF_CONFIG of one worker, as a dictionary or as JSON."""
    hosts, port = ["alpha", "beta", "gamma"], 12345
    addresses = [f"{host}:{port}" for host in hosts]
    for index in range(len(hosts)):
        workers, found = _workers_and_index(call(answer, list(hosts), port, index))
        wanted = f"every machine needs one list: all hosts in their order, each with port {port}"
        require(workers == addresses, f"{wanted}; this is {workers}")
        number = f"the index of worker {index} should be the number {index}, this is {found!r}"
        require(type(found) is int and found == index, number)
    return "one list for all, and an index of one's own"


def _workers_and_index(config):
    """Return what a TF_CONFIG says, or raise NotYet."""
    try:
        config = json.loads(config if isinstance(config, (str, bytes)) else json.dumps(config))
    except (TypeError, ValueError) as error:
        raise NotYet(f"no JSON, nor lists, texts and whole numbers alone: {error}") from None
    require(isinstance(config, dict), "return a dictionary, or its JSON")
    cluster, task = config.get("cluster"), config.get("task")
    listed = isinstance(cluster, dict) and isinstance(cluster.get("worker"), list)
    require(listed, 'there should be a "cluster", a dictionary with a list "worker"')
    require(isinstance(task, dict), 'there should be a "task", which says who this worker is')
    require(task.get("type") == "worker", 'the task needs the "type" "worker"')
    return cluster["worker"], task.get("index")


@check("09")
def save_whole(answer):
    """``answer(path, parts)`` → path: the file, written completely or not at all."""
    parts, old = [b"all ", b"of ", b"it"], b"the one before"

    def broken():
        yield parts[0]
        raise OSError("the disk is full")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        for _ in ("a new file", "one in place of an old one"):
            call(answer, path, iter(parts))
            require(path.exists(), "afterwards there is no file at the path")
            whole = path.read_bytes() == b"".join(parts)
            require(whole, "the file should hold all the parts, one after the other")
            path.write_bytes(old)
        error = None
        try:
            answer(path, broken())
        except Exception as raised:
            error = raised
        require(path.exists(), "writing failed in the middle, and the old file is gone")
        damaged = "a failure in the middle has damaged the old file: write under another name first"
        require(path.read_bytes() == old, damaged)
        require(error, "writing failed, and nobody is told: let the error through")
        other = f"let the error through; this made {type(error).__name__} of it"
        require(isinstance(error, OSError), other)
    return "the old file stays until the new one is whole"
