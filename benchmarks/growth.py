"""Part of the benchmarks: how time and memory grow with depth, width, batch and images.

As a script it measures one case, ``growth.py "depth 56"``, in a process of its own: so its peak of
memory is that case's.
"""

import argparse
import itertools
import json
import math
import statistics
import sys
import time
from pathlib import Path

from contestants import ROOT

NAME = "growth"
REPEATS = 3
BASE = {"depth": 20, "width": 16, "batch": 64, "images": 5_000}
CASES = {
    "depth": (8, 14, 20, 32, 44, 56, 80, 110),
    "width": (8, 16, 32, 64),
    "batch": (16, 32, 64, 128, 256),
    "images": (2_500, 5_000, 20_000, 60_000),
}
CONTESTANTS = [f"{what} {size}" for what, sizes in CASES.items() for size in sizes]
QUICK = ["images 2500", "images 5000", "images 20000"]  # three, for a line and a power
PROTOCOL = (
    "The course's residual bottleneck network and its Trainer, one thread: 20 layers, widths 16 "
    "and 32, batches of 64, 5,000 images, one of them changed. Tracing: from the built model to "
    "the end of the first update. An update: the median of 20. An epoch: all images once. Memory: "
    "the process's peak, less what it had after its imports."
)
MEASURED = {
    "depth": ("update", "tracing", "memory"),
    "width": ("update", "tracing", "memory"),
    "batch": ("update", "memory"),
    "images": ("epoch", "memory"),
}
# Twice the width is four times the multiplications of a convolution; all else must be linear.
POWERS = {"depth": 1, "width": 2, "batch": 1, "images": 1}
TOLERANCE = 0.1


def command(contestant, task, seed, quick):
    """Return the command that measures one case once."""
    return [sys.executable, str(Path(__file__).resolve()), contestant, *(["--quick"] * quick)]


def fits(part):
    """Return what each quantity does as each size grows.

    Args:
        part: the part's results.

    Returns:
        list of dictionaries: ``what``, ``quantity``, ``sizes``, the medians as ``values``, the line
        of least squares ``start + slope · size``, and ``power``: the exponent p of size^p in the
        larger half of the sizes, where what is constant weighs least.
    """
    found = []
    for what, quantities in MEASURED.items():
        for quantity in quantities:
            points = []
            for size in CASES[what]:
                runs = [r for r in part["runs"] if r["contestant"] == f"{what} {size}"]
                values = [r[quantity] for r in runs if r.get(quantity) is not None]
                if values:
                    points.append((size, statistics.median(values)))
            if len(points) < 3:
                continue
            sizes, values = zip(*points, strict=True)
            slope, start = statistics.linear_regression(sizes, values)
            large = [(math.log(s), math.log(v)) for s, v in points[len(points) // 2 :]]
            power, _ = statistics.linear_regression(*zip(*large, strict=True))
            fit = {"what": what, "quantity": quantity, "sizes": sizes, "values": values}
            found.append(fit | {"slope": slope, "start": start, "power": power})
    return found


def steepest(part):
    """Return by how much the worst power exceeds the one that it should have."""
    return max((fit["power"] - POWERS[fit["what"]] for fit in fits(part)), default=None)


def measure(case, quick=False):
    """Measure one case in this process: a dictionary of seconds and bytes."""
    what, size = case.split()
    settings = BASE | {what: int(size)}
    sys.path.insert(0, str(ROOT))
    import tensorflow as tf

    from resnet_lesson.data import load_mnist
    from resnet_lesson.models import network
    from resnet_lesson.plumbing.processes import set_threads
    from resnet_lesson.training import Trainer

    set_threads(1)
    tf.constant(0.0) + 1.0
    before = _status("VmRSS")
    data = load_mnist(train=settings["images"], val=0, test=0)
    width = settings["width"]
    model = network(settings["depth"], widths=(width, 2 * width))
    trainer = Trainer(model, settings["batch"])
    start, seconds = time.perf_counter(), []
    trainer.run(
        data, updates=6 if quick else 25, on_update=lambda: seconds.append(time.perf_counter())
    )
    update = statistics.median(b - a for a, b in itertools.pairwise(seconds[4:]))
    found = {"tracing": seconds[0] - start, "update": update}
    if what == "images":
        updates = settings["images"] // settings["batch"]
        found["epoch"] = trainer.run(data, updates=updates).seconds[-1]
    peak = _status("VmHWM")
    return found | {"memory": peak - before if peak else None}


def _status(key):
    """Return a line of /proc/self/status in bytes; None where there is no such file."""
    file = Path("/proc/self/status")
    if not file.exists():
        return None
    (line,) = (line for line in file.read_text().splitlines() if line.startswith(f"{key}:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=CONTESTANTS)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    print(json.dumps(measure(options.case, options.quick)))
