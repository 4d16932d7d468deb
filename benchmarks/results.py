"""The results file: measurements in, goals out.

Goals are computed from the measurements, so no verdict can be written by hand. Contestants take
turns, so the runs of one turn are compared: a machine that slows down slows both. The mean ratio is
the geometric one, with its 95 % interval (Student's t, of the logarithms).
"""

import json
import os
import platform
from importlib import metadata
from pathlib import Path

import accuracy_for_size
import course
import growth
import images_per_second
import numpy as np
import time_to_accuracy
from contestants import RESULTS
from scipy import stats


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


def ratio(part, first, second, key):
    """Return the mean ratio of two contestants, turn by turn, and the ends of its interval.

    None if there are fewer than two turns, or if one of them has no value.
    """
    measured = values(part, first, key), values(part, second, key)
    if min(map(len, measured)) < 2 or None in measured[0] + measured[1]:
        return None
    logs = np.log(measured[0]) - np.log(measured[1])
    reach = stats.t.ppf(0.975, len(logs) - 1) * stats.sem(logs)
    return [float(np.exp(logs.mean() + at)) for at in (0, -reach, reach)]


def goals(parts):
    """Return the list of goals: name, goal, measured and met."""
    made = []
    if time_to_accuracy.NAME in parts:
        part = parts[time_to_accuracy.NAME]
        for peers, words, aim in (
            (["keras_example"], "the Keras example's as published", 1 / 8),
            (["torch", "torch_one_thread"], "the PyTorch twin's", 1 / 3),
        ):
            found = [ratio(part, "ours", peer, "seconds") for peer in peers]
            worst = None if None in found else max(found)
            made.append(at_most(f"time to 99.0 %, as a share of {words}", aim, worst))
    if images_per_second.NAME in parts:
        part = parts[images_per_second.NAME]
        peers = sorted({run["contestant"] for run in part["runs"]} - {"ours"})
        found = [ratio(part, "ours", n, "images_per_second") for n in peers if "+" not in n]
        worst = None if None in found else min(found, default=None)
        made.append(at_least("images per second, as a multiple of the best peer's", 1.3, worst))
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
    """Return one entry of the list of goals, met by ``aim`` or less: see ``_goal``."""
    return _goal(f"{name}, at most", aim, measured, -1)


def at_least(name, aim, measured):
    """Return one entry of the list of goals, met by ``aim`` or more: see ``_goal``."""
    return _goal(f"{name}, at least", aim, measured, 1)


def _goal(name, aim, measured, sign):
    """Return an entry of the list of goals.

    Args:
        measured: a number, or a mean and the ends of its interval, which may leave open whether the
            goal is met; None is not met.
        sign: 1 if more is better, −1 if less is.
    """
    mean, *interval = [measured] if np.ndim(measured) == 0 else measured
    ends = [sign * end for end in interval or [mean if mean is not None else -sign * np.inf]]
    met = "yes" if min(ends) >= sign * aim else "undecided" if max(ends) >= sign * aim else "no"
    return {"name": name, "goal": aim, "measured": mean, "interval": interval, "met": met}
