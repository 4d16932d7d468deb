"""The results file: measurements in, goals out.

Goals are computed from the measurements, so no verdict can be written by hand.
"""

import json
import os
import platform
import statistics
from importlib import metadata
from pathlib import Path

import accuracy_for_size
import course
import growth
import images_per_second
import time_to_accuracy
from contestants import ROOT

RESULTS = ROOT / "benchmarks" / "results.json"


def read(path=None):
    """Return the results as a dictionary; one with no parts if there is no file."""
    path = path or RESULTS
    return json.loads(path.read_text()) if path.exists() else {"parts": {}}


def write(results, path=None):
    """Write the results, goals included, in one step: a reader sees the old file or the new."""
    path = path or RESULTS
    results["goals"] = goals(results["parts"])
    new = path.with_suffix(".new")
    new.write_text(json.dumps(results, indent=1) + "\n")
    os.replace(new, path)


def machine():
    """Return a dictionary: the processor, the number of cores for this process, the system."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processor = names[0] if names else platform.processor()
    return {"processor": processor, "cores": count, "system": platform.system()}


def versions():
    """Return a dictionary: the versions of Python and of what computes."""
    packages = {name: metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    return {"python": platform.python_version()} | packages


def values(part, contestant, key):
    """Return what each run of a contestant measured, failures left out."""
    return [run[key] for run in part["runs"] if run["contestant"] == contestant and key in run]


def middle(part, contestant, key):
    """Return the median over the runs; None if there are none or one has no value."""
    measured = values(part, contestant, key)
    return statistics.median(measured) if measured and None not in measured else None


def goals(parts):
    """Return the list of goals: name, goal, measured and met."""
    made = []
    if time_to_accuracy.NAME in parts:
        ours, peer = (
            middle(parts[time_to_accuracy.NAME], name, "seconds")
            for name in ("ours", "keras_example")
        )
        ratio = ours / peer if ours and peer else None
        made.append(at_most("time to 99.0 %, as a share of the Keras example's", 0.125, ratio))
    if images_per_second.NAME in parts:
        part = parts[images_per_second.NAME]
        names = {run["contestant"] for run in part["runs"]} - {"ours"}
        peers = {n: middle(part, n, "images_per_second") for n in names if "+" not in n}
        ours = middle(part, "ours", "images_per_second")
        best = max((value for value in peers.values() if value), default=None)
        ratio = ours / best if ours and best else None
        made.append(at_least("images per second, as a multiple of the best peer's", 1.3, ratio))
    least, most = accuracy_for_size.AIM, accuracy_for_size.MOST_PARAMETERS
    name = f"test accuracy with at most {most:,} parameters, mean of five seeds"
    made.append(at_least(name, least, accuracy_for_size.accuracy()))
    if growth.NAME in parts:
        name = "growth of time and memory: the largest power above the expected one"
        made.append(at_most(name, growth.TOLERANCE, growth.steepest(parts[growth.NAME])))
    if course.NAME in parts:
        measured = course.seconds(parts[course.NAME])
        for what, budget in course.BUDGETS.items():
            made.append(at_most(f"seconds: {what}", budget, measured[what]))
    return made


def at_most(name, aim, measured):
    """Return one entry of the list of goals, met by ``aim`` or less; None is not met."""
    met = measured is not None and measured <= aim
    return {"name": f"{name}, at most", "goal": aim, "measured": measured, "met": met}


def at_least(name, aim, measured):
    """Return one entry of the list of goals, met by ``aim`` or more; None is not met."""
    met = measured is not None and measured >= aim
    return {"name": f"{name}, at least", "goal": aim, "measured": measured, "met": met}
