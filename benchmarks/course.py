"""Part of the benchmarks: seconds and peak memory of every notebook, of the checks and the tests.

As a script it runs one of them, ``course.py notebooks/00_start_here.ipynb`` or ``course.py "make
check"``, and watches the memory of all its processes.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from contestants import ROOT

sys.path.append(str(ROOT / "tools"))
from notebook_kinds import DEEPER, LESSON, SOLUTION, notebooks

NAME = "course"
REPEATS = 1
COURSE = {made.path.relative_to(ROOT).as_posix(): made.kind for made in notebooks()}
NOTEBOOKS = list(COURSE)
COMMANDS = ["make check", "make test"]
CONTESTANTS = [*NOTEBOOKS, *COMMANDS]
QUICK = NOTEBOOKS[:1]
PROTOCOL = (
    "Each notebook is run from top to bottom in a fresh kernel, its start included, as `make "
    "notebooks` runs it; nothing is written. Memory: the largest sum over its processes, in which "
    "shared pages count once, looked at twice a second."
)
FLAGSHIP = "notebooks/04_plain_vs_residual.ipynb"
SUMS = {"lessons": LESSON, "deeper notebooks": DEEPER, "solutions": SOLUTION}
# Seconds at most: the flagship, all of a kind one after the other, and the two commands.
BUDGETS = {
    "flagship": 150,
    "lessons": 600,
    "deeper notebooks": 360,
    "solutions": 180,
    "make check": 60,
    "make test": 1200,
}


def command(contestant, task, seed, quick):
    """Return the command that measures one notebook or command once."""
    return [sys.executable, str(Path(__file__).resolve()), contestant]


def seconds(part):
    """Return the seconds that each budget is compared with; None for what was not measured."""
    found = {run["contestant"]: run["seconds"] for run in part["runs"]}
    sums = {}
    for words, kind in SUMS.items():
        names = [name for name, its in COURSE.items() if its is kind]
        sums[words] = sum(map(found.get, names)) if found.keys() >= set(names) else None
    return {"flagship": found.get(FLAGSHIP)} | sums | {name: found.get(name) for name in COMMANDS}


def measure(what):
    """Run a notebook or a command; return its seconds and the peak of its memory in bytes."""
    import psutil

    line = what.split()
    if what not in COMMANDS:
        line = [sys.executable, str(Path(__file__).resolve()), "--execute", what]
    start, peak = time.perf_counter(), 0
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        root = psutil.Process(run.pid)
        while True:
            try:
                output, _ = run.communicate(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, _memory(root, psutil))
    if run.returncode:
        sys.exit(f"{what} ended with {run.returncode}:\n{output.decode()[-1500:]}")
    return {"seconds": time.perf_counter() - start, "memory": peak}


def execute(notebook):
    """Run all cells of a notebook in a fresh kernel."""
    import nbformat
    from notebook_kernel import execute as run

    nb = nbformat.read(ROOT / notebook, as_version=4)
    run(nb, folder=(ROOT / notebook).parent, root=ROOT, timeout=1800)


def _memory(root, psutil):
    """Return the bytes that a process and all below it hold together."""
    total = 0
    try:
        for process in [root, *root.children(recursive=True)]:
            memory = process.memory_full_info()
            total += getattr(memory, "pss", memory.uss)
    except psutil.Error:  # one has just ended: half a second later it is not there
        return 0
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=CONTESTANTS)
    parser.add_argument("--execute", action="store_true", help="run a notebook, measure nothing")
    options = parser.parse_args()
    if options.execute:
        execute(options.what)
    else:
        print(json.dumps(measure(options.what)))
