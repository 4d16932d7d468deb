"""Run the benchmarks: ``python benchmarks/run.py``, what ``make bench`` calls.

``--only NAME`` runs one part and keeps the results of the others. ``--quick`` runs contestants for
moments, writes to build/bench-quick.json and prints the tables: it shows that all works, and
measures nothing.

A part is a module with its ``NAME``, ``PROTOCOL``, ``REPEATS`` and ``CONTESTANTS``, in ``QUICK``
those of a trial if not all, in ``AT_A_TIME`` how many run side by side if not one, and ``command``:
how a contestant is started, in its own process.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import course
import growth
import images_per_second
import numpy as np
import peer_tuning
import results
import step_profile
import tables
import time_to_accuracy
from contestants import DATA, ROOT, TORCH

PARTS = {
    part.NAME: part
    for part in (peer_tuning, time_to_accuracy, images_per_second, step_profile, growth, course)
}
QUICK = ROOT / "build" / "bench-quick.json"
# What a reader's shell sets must not change what is compared.
SETTINGS = (
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_XLA_FLAGS",
    "OMP_NUM_THREADS",
)


def write_data():
    """Write MNIST to one file, which contestants of any environment can read."""
    sys.path.insert(0, str(ROOT))
    from resnet_lesson.mnist import raw_mnist

    DATA.parent.mkdir(exist_ok=True)
    np.savez(DATA, **raw_mnist())


def call(contestant, task, seed, quick):
    """Run one contestant in a process of its own; return what it printed last, as a dictionary."""
    command = PARTS[task].command(contestant, task, seed, quick)
    environment = {k: v for k, v in os.environ.items() if k not in SETTINGS}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{contestant} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def installed(contestant):
    """Return whether a contestant can take part: PyTorch's have an environment of their own."""
    return TORCH.exists() or not contestant.startswith("torch")


def run_part(part, quick, run=call):
    """Run a part's contestants in turn, A B C A B C; return its results."""
    wanted = getattr(part, "QUICK", part.CONTESTANTS) if quick else part.CONTESTANTS
    contestants = [name for name in wanted if installed(name)]
    skipped = []
    if len(contestants) < len(wanted):
        skipped.append("PyTorch is not installed; `make bench-torch` installs it.")
    seeds = range(1 if quick else part.REPEATS)
    turns = [(contestant, seed) for seed in seeds for contestant in contestants]
    runs = []
    # A trial measures nothing, so two contestants may run at a time.
    at_a_time = 2 if quick else getattr(part, "AT_A_TIME", 1)
    with ThreadPoolExecutor(at_a_time) as pool:
        found = pool.map(lambda turn: run(turn[0], part.NAME, turn[1], quick), turns)
        for (contestant, seed), measured in zip(turns, found, strict=True):
            runs.append({"contestant": contestant, "seed": seed} | measured)
            print(part.NAME, runs[-1], flush=True)
    for line in skipped:
        print(line)
    return {
        "date": datetime.date.today().isoformat(),
        "repeats": 1 if quick else part.REPEATS,
        "protocol": part.PROTOCOL,
        "machine": results.machine(),
        "versions": results.versions(),
        "skipped": skipped,
        "runs": runs,
    }


def main(arguments=None, run=call):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.py")
    parser.add_argument("--only", default="", help=f"one of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.only and options.only not in PARTS:
        print(f"ONLY must be one of {', '.join(PARTS)}. Received: {options.only}", file=sys.stderr)
        return 1
    path, status = QUICK if options.quick else results.RESULTS, 0
    if options.quick:
        path.unlink(missing_ok=True)
    if run is call:
        write_data()
    for name in [options.only] if options.only else PARTS:
        try:
            measured = run_part(PARTS[name], options.quick, run)
        except RuntimeError as error:
            print(f"{name} failed, its old results stay: {error}", file=sys.stderr)
            status = 1
            continue
        found = results.read(path)
        found["parts"][name] = measured
        results.write(found, path)
    if options.quick:
        print(tables.table(results.read(path)))
    elif results.RESULTS.exists():
        text = tables.PAGE.read_text()
        tables.PAGE.write_text(tables.with_table(text, results.read()))
    return status


if __name__ == "__main__":
    sys.exit(main())
