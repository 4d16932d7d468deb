"""Part of the benchmarks: where our update of the article's network spends its time.

As a script it measures once: TensorFlow's own profiler times each operation of twenty updates on
both threads, and one large matrix product tells what the machine can do.
"""

import argparse
import collections
import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from contestants import ROOT

NAME = "step_profile"
REPEATS = 3
CONTESTANTS = ["ours"]
PROTOCOL = (
    "Twenty updates of the article's network, batches of 128 in two pieces, one thread a piece. "
    "Milliseconds of each kind of operation in an update, the sum over both threads; what is left "
    "of the two threads' time is idle or between operations. Multiply-adds are those of forward "
    "and backward pass, three times the forward ones. The peak is that of a product of two square "
    "matrices of 1,536 rows on one thread, times the threads."
)
UPDATES, BATCH, ROWS = 20, 128, 1536


def command(contestant, task, seed, quick):
    """Return the command that measures once."""
    return [sys.executable, str(Path(__file__).resolve())]


def measure():
    """Profile the updates in this process; return milliseconds, and operations a second."""
    sys.path.insert(0, str(ROOT))
    from resnet_lesson.recipe.fast import FastTrainer, one_thread_an_operation

    one_thread_an_operation()
    import numpy as np
    import tensorflow as tf

    from resnet_lesson.article import article_network
    from resnet_lesson.data import load_mnist
    from resnet_lesson.diagnostics import layer_counts
    from resnet_lesson.plumbing.processes import cores

    model = article_network()
    trainer = FastTrainer(model, BATCH, 3e-3, pieces=2)
    data = load_mnist(train=UPDATES * BATCH, val=0, test=0)
    trainer.run(data, updates=3 * UPDATES)
    examples = tf.constant(data.train.images), tf.constant(data.train.labels)
    batches = np.arange(UPDATES * BATCH).reshape(UPDATES, BATCH)
    arguments = (*examples, batches, np.full(UPDATES, 1e-3, np.float32), 0)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        trainer._updates(*arguments).numpy()
        seconds.append(time.perf_counter() - start)
    update = statistics.median(seconds) / UPDATES
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        trainer._updates(*arguments).numpy()
        tf.profiler.experimental.stop()
        operations = _operations(Path(folder))
    work = 2 * 3 * BATCH * sum(count.multiply_adds for count in layer_counts(model))
    square = tf.random.normal((ROWS, ROWS))
    products = []
    for _ in range(5):
        start = time.perf_counter()
        tf.matmul(square, square).numpy()
        products.append(time.perf_counter() - start)
    return {
        "update": 1000 * update,
        "operations": {kind: ms / UPDATES for kind, ms in operations.items()},
        "reached": work / update,
        "peak": 2 * ROWS**3 / min(products) * min(2, cores()),
    }


def _operations(folder):
    """Return milliseconds for each kind of operation, from the profile in a folder."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (path,) = folder.rglob("*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    found = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            if not line.name.startswith("tf_Compute"):
                continue
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                kind = re.fullmatch(r"[^:]*:_?(?:MklNative|Mkl)?(\w+)", name)  # as name:_MklKind
                if kind:
                    found[kind[1]] += event.duration_ps / 1e9
    return found


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(json.dumps(measure()))
