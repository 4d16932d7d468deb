"""Checks of lesson 09: right answers in several styles pass, each wrong one gets its message."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf
from answers import right_answers_pass, wrong_answers_get_their_message

from resnet_lesson import checks
from resnet_lesson.distribution_cluster import read_tf_config


def weighted(gradients, sizes):
    return sum(size * one for one, size in zip(gradients, sizes, strict=True)) / sum(sizes)


def ring(chunks, step, add=True, way=1, sign=-1):
    k = len(chunks)
    sent = [chunks[worker][(worker + sign * step) % k].copy() for worker in range(k)]
    for worker, message in enumerate(sent):
        place, receiver = (worker + sign * step) % k, (worker + way) % k
        chunks[receiver][place] = chunks[receiver][place] + message if add else message
    return chunks


def in_place(chunks, step):
    k = len(chunks)
    for worker in range(k):
        place = (worker - step) % k
        chunks[(worker + 1) % k][place] += chunks[worker][place]
    return np.array(chunks)


def config(hosts, port, index):
    workers = [f"{host}:{port}" for host in hosts]
    return {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}


def changed(change):
    def answer(hosts, port, index):
        made = config(hosts, port, index)
        change(made, index)
        return made

    return answer


def own_first(hosts, port, index):
    return config([hosts[index], *hosts[:index], *hosts[index + 1 :]], port, 0)


def rotated(hosts, port, index):
    """Each worker has another list, in which the index is right."""
    return config([hosts[(i - index) % len(hosts)] for i in range(len(hosts))], port, index)


def by_replace(path, parts):
    partial = path.with_name("partial")
    partial.write_bytes(b"".join(parts))
    partial.replace(path)
    return path


def by_parts(path, parts):
    with open(f"{path}.new", "wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)
    return str(path)


def straight(path, parts):
    with open(path, "wb") as file:
        for part in parts:
            file.write(part)
    return path


def removed_first(path, parts):
    Path(path).unlink(missing_ok=True)
    return by_replace(path, parts)


def silent(path, parts):
    try:
        return by_replace(path, parts)
    except OSError:
        return path


def other_error(path, parts):
    try:
        return by_replace(path, parts)
    except OSError as error:
        raise ValueError("not saved") from error


def appended(path, parts):
    with open(path, "ab") as file:
        file.writelines(parts)
    return path


def only_the_copy(path, parts):
    straight(f"{path}.new", parts)
    return path


def copied(path, parts):
    straight(f"{path}.new", parts)
    shutil.move(f"{path}.new", path)
    return path


RIGHT = [
    (checks.batch_gradient, weighted),
    (checks.batch_gradient, lambda g, n: np.average(g, axis=0, weights=n)),
    (checks.batch_gradient, lambda g, n: tf.constant(weighted(g, n))),
    (checks.numbers_sent, lambda n, k: 2 * (k - 1) * n / k),
    (checks.numbers_sent, lambda n, k: 2 * (k - 1) * (n // k)),
    (checks.ring_round, ring),
    (checks.ring_round, in_place),
    (checks.tf_config, config),
    (checks.tf_config, lambda hosts, port, index: json.dumps(config(hosts, port, index))),
    (checks.save_whole, by_replace),
    (checks.save_whole, by_parts),
    (checks.save_whole, copied),
]
WRONG = [
    (checks.batch_gradient, lambda g, n: np.mean(g, axis=0), "plain mean"),
    (checks.batch_gradient, lambda g, n: np.sum(g, axis=0), "too large"),
    (checks.batch_gradient, lambda g, n: weighted(g, n) * sum(n), "number of all images"),
    (checks.batch_gradient, lambda g, n: weighted(g, n) * sum(n) / len(n), "number of shares"),
    (checks.batch_gradient, lambda g, n: weighted(g, 1 / np.array(n)), "counts less"),
    (checks.batch_gradient, lambda g, n: g[0] * 7, "is not the gradient"),
    (checks.numbers_sent, lambda n, k: (k - 1) * n / k, "one of the two phases"),
    (checks.numbers_sent, lambda n, k: (k - 1) * n, "central worker"),
    (checks.numbers_sent, lambda n, k: 2 * (k - 1) * n, "together"),
    (checks.numbers_sent, lambda n, k: 2 * n, "rounds"),
    (checks.numbers_sent, lambda n, k: 1, "is not what each"),
    (checks.ring_round, lambda chunks, step: ring(chunks, step, add=False), "not replace it"),
    (checks.ring_round, lambda chunks, step: ring(chunks, step, way=-1), "right neighbour"),
    (checks.ring_round, lambda chunks, step: ring(chunks, step, sign=1), "worker + step"),
    (checks.ring_round, lambda chunks, step: ring(chunks, 0), "is not used"),
    (checks.ring_round, lambda chunks, step: chunks, "nothing has moved"),
    (checks.ring_round, lambda chunks, step: np.array(chunks) + np.roll(chunks, 1, axis=0),
     "not all of them"),
    (checks.ring_round, lambda chunks, step: np.zeros_like(chunks), "after the round"),
    (checks.tf_config, changed(lambda made, i: made.pop("task")), 'a "task"'),
    (checks.tf_config, changed(lambda made, i: made.pop("cluster")), 'a "cluster"'),
    (checks.tf_config, changed(lambda made, i: made["task"].pop("type")), 'the "type"'),
    (checks.tf_config, changed(lambda made, i: made["task"].update(index=str(i))), "this is text"),
    (checks.tf_config, changed(lambda made, i: made["task"].update(index=i + 1)), "should be 0"),
    (checks.tf_config, changed(lambda made, i: made["task"].update(index=0)), "should be 1"),
    (checks.tf_config, changed(lambda made, i: made["task"].pop("index")), "count from 0"),
    (checks.tf_config, lambda hosts, port, i: config(hosts, port, i) | {"cluster": {
        "worker": hosts}}, "needs its port"),
    (checks.tf_config, lambda hosts, port, i: config(hosts, port + i, i), "with port"),
    (checks.tf_config, lambda hosts, port, i: config(hosts[:1], port, i), "all 3 workers"),
    (checks.tf_config, own_first, "the same, and in one order"),
    (checks.tf_config, rotated, "the same, and in one order"),
    (checks.tf_config, lambda hosts, port, i: str(config(hosts, port, i)), "no JSON"),
    (checks.tf_config, lambda hosts, port, i: 5, "return a dictionary"),
    (checks.save_whole, straight, "is damaged"),
    (checks.save_whole, removed_first, "is gone"),
    (checks.save_whole, silent, "nobody is told"),
    (checks.save_whole, other_error, "let the error through"),
    (checks.save_whole, appended, "all the parts"),
    (checks.save_whole, only_the_copy, "no file at the path"),
]  # fmt: skip


test_right, test_wrong = right_answers_pass(RIGHT), wrong_answers_get_their_message(WRONG)


def test_the_right_config_is_what_the_course_reads():
    for index in range(3):
        text = json.dumps(config(["a", "b", "c"], 2222, index))
        assert read_tf_config(text) == (["a:2222", "b:2222", "c:2222"], index)
