"""Checks of the exercises to lesson 09, scaling out."""

import json
import tempfile
from pathlib import Path

import numpy as np

from resnet_lesson.checks.core import NotYet, array, call, check, close, differ, number


@check("09")
def batch_gradient(answer):
    """``answer(gradients, sizes)`` → gradient of the whole batch, from its shares' gradients."""
    for seed, sizes in enumerate(([32, 32], [16, 48], [10, 20, 30, 4])):
        gradients = np.random.default_rng(seed).normal(1, 1, size=(len(sizes), 5))
        given = [gradient.copy() for gradient in gradients]
        found = array(call(answer, given, list(sizes)), "the gradient", (5,))
        weighted = (gradients.T * sizes).sum(axis=1)
        right = weighted / sum(sizes)
        if close(found, right, 1e-6):
            continue
        differ(found, {
            "a share with more images counts more: this is the plain mean": gradients.mean(axis=0),
            "each gradient is a mean already: their sum is too large": gradients.sum(axis=0),
            "divide by the number of all images": weighted,
            "divide by the number of all images, not by the number of shares":
                weighted / len(sizes),
            "the larger a share, the more it counts; here it counts less":
                (gradients.T / sizes).sum(axis=1) / np.sum(1 / np.array(sizes)),
        }, lambda a, b: close(a, b, 1e-6))  # fmt: skip
        raise NotYet(f"with shares of {sizes} images this is not the gradient of the batch")
    return "each share by its number of images"


@check("09")
def numbers_sent(answer):
    """``answer(n, workers)`` → numbers that each worker sends in a ring all-reduce."""
    for n, k in ((240, 4), (240, 3), (1200, 16)):
        found = number(call(answer, n, k), "the amount")
        right = 2 * (k - 1) * n / k
        if np.isclose(found, right, rtol=1e-9):
            continue
        differ(found, {
            "this is one of the two phases: the sums must also go around": right / 2,
            "this is what the central worker of the simple way sends or receives": (k - 1) * n,
            "this is what all workers send together; in each round a worker sends one chunk":
                2 * (k - 1) * n,
            "a chunk has n / workers numbers, and each phase has workers − 1 rounds": 2 * n,
            "there are 2 (workers − 1) rounds; this is one of them": n / k,
        })  # fmt: skip
        raise NotYet(f"{n} numbers and {k} workers: {found:g} is not what each worker sends")
    return "less than twice the array"


@check("09")
def ring_round(answer):
    """``answer(chunks, step)`` → chunks[worker][place] after one round of the reduce-scatter."""
    for k, step in ((3, 0), (4, 0), (4, 2), (5, 1)):
        chunks = np.random.default_rng(10 * k + step).normal(size=(k, k, 2))
        given = [[chunk.copy() for chunk in worker] for worker in chunks]
        found = array(call(answer, given, step), "the chunks", (k, k, 2))
        if close(found, _round(chunks, step)):
            continue
        differ(found, {
            "the receiver should add what it gets to its own chunk, not replace it":
                _round(chunks, step, add=False),
            "the messages go to the right neighbour, worker + 1": _round(chunks, step, way=-1),
            "in round `step` a worker sends the chunk at place (worker − step) mod workers; here "
            "it is worker + step": _round(chunks, -step),
            "in each round another chunk moves: `step` is not used": _round(chunks, 0),
            "nothing has moved": chunks,
            "only one chunk of each worker moves in a round, not all of them":
                chunks + np.roll(chunks, 1, axis=0),
        }, close)  # fmt: skip
        raise NotYet(f"{k} workers, step {step}: these are not the chunks after the round")
    return "one chunk from each worker, added by its right neighbour"


@check("09")
def tf_config(answer):
    """``answer(hosts, port, index)`` → TF_CONFIG of one worker, as a dictionary or as JSON."""
    hosts, port = ["alpha", "beta", "gamma"], 12345
    seen = []
    for index in range(len(hosts)):
        value = call(answer, list(hosts), port, index)
        if isinstance(value, (str, bytes)):
            try:
                value = json.loads(value)
            except ValueError as error:
                raise NotYet(f"this text is no JSON: {error}") from None
        if not isinstance(value, dict):
            raise NotYet("return a dictionary, or its JSON")
        try:
            value = json.loads(json.dumps(value))
        except (TypeError, ValueError):
            raise NotYet("it must be made of lists, texts and whole numbers alone") from None
        seen.append(_check_config(value, hosts, port, index))
    if any(workers != seen[0] for workers in seen):
        raise NotYet("the list of workers must be the same, and in one order, on every machine")
    return "one list for all, and an index of one's own"


@check("09")
def save_whole(answer):
    """``answer(path, parts)`` → path: the file, written completely or not at all."""
    parts = [b"all ", b"of ", b"it"]

    def broken():
        yield parts[0]
        raise OSError("the disk is full")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        for old in (None, b"the one before"):
            if old is not None:
                path.write_bytes(old)
            call(answer, path, iter(parts))
            if not path.exists():
                raise NotYet("afterwards there is no file at the path")
            if path.read_bytes() != b"".join(parts):
                raise NotYet("the file should hold all the parts, one after the other")
        path.write_bytes(b"the one before")
        raised = False
        try:
            answer(path, broken())
        except OSError:
            raised = True
        except Exception as error:
            raise NotYet(f"let the error through; this made {type(error).__name__} of it") from None
        left = path.read_bytes() if path.exists() else None
        if left is None:
            raise NotYet("writing failed in the middle, and the old file is gone")
        if left != b"the one before":
            raise NotYet(
                "writing failed in the middle, and the old file is damaged: write under another "
                "name first"
            )
        if not raised:
            raise NotYet("writing failed, and nobody is told: let the error through")
    return "the old file stays until the new one is whole"


def _round(chunks, step, add=True, way=1):
    k = len(chunks)
    after = chunks.copy()
    for worker in range(k):
        place, receiver = (worker - step) % k, (worker + way) % k
        after[receiver, place] = chunks[worker, place] + (chunks[receiver, place] if add else 0)
    return after


def _check_config(config, hosts, port, index):
    """Return the list of workers of a TF_CONFIG, or raise NotYet."""
    cluster, task = config.get("cluster"), config.get("task")
    if not isinstance(cluster, dict) or not isinstance(cluster.get("worker"), list):
        raise NotYet('there should be a "cluster", a dictionary with a list "worker"')
    if not isinstance(task, dict):
        raise NotYet('there should be a "task", which says who this worker is')
    if task.get("type") != "worker":
        raise NotYet('the task needs the "type" "worker"')
    if isinstance(task.get("index"), str):
        raise NotYet("the index should be a number, this is text")
    workers = cluster["worker"]
    if any(":" not in str(worker) for worker in workers):
        raise NotYet('each address needs its port, as in "alpha:12345"')
    if len(workers) != len(hosts):
        raise NotYet(f"all {len(hosts)} workers belong in the list, this has {len(workers)}")
    if sorted(map(str, workers)) != [f"{host}:{port}" for host in hosts]:
        raise NotYet(f"the addresses should be the hosts with port {port}, not {workers}")
    own = f"{hosts[index]}:{port}"
    found = task.get("index")
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < len(workers):
        raise NotYet(f"the index should count from 0; for worker {index} this is {found!r}")
    if workers[found] != own and workers[index] == own:
        raise NotYet(f"the index of worker {index} should be {index}, this is {found}")
    if workers[found] != own or found != index:
        raise NotYet("the list of workers must be the same, and in one order, on every machine")
    return workers
