"""The results file: measurements in, goals and the README's table out.

Goals are computed from the measurements, so no verdict can be written by hand.
"""

import json
import os
import platform
import statistics
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS, README = ROOT / "benchmarks" / "results.json", ROOT / "README.md"
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
TIME, SPEED = "time_to_accuracy", "images_per_second"

LABELS = {
    "ours": "ours",
    "keras_example": "Keras's convnet example",
    "article": "article's network as written, Keras `fit`",
    "article_one_softmax": "the same with one softmax",
    "article_fixed": "the same with all repairs",
    "tf1": "article's network, TensorFlow 1 graph",
    "torch": "PyTorch twin, channels last",
    "torch_one_thread": "the same on one thread",
}
SWITCHED = ", with our settings of TensorFlow"


def read(path=RESULTS):
    """Return the results as a dictionary; one with no parts if there is no file."""
    return json.loads(path.read_text()) if path.exists() else {"parts": {}}


def write(results, path=RESULTS):
    """Write the results, goals included, in one step: a reader sees the old file or the new."""
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
    if TIME in parts:
        ours, peer = (middle(parts[TIME], name, "seconds") for name in ("ours", "keras_example"))
        ratio = ours / peer if ours and peer else None
        name = "time to 99.0 %, as a share of the Keras example's, at most"
        made.append(goal(name, 0.125, ratio, ratio is not None and ratio <= 0.125))
    if SPEED in parts:
        part = parts[SPEED]
        names = {run["contestant"] for run in part["runs"]} - {"ours"}
        peers = {n: middle(part, n, "images_per_second") for n in names if "+" not in n}
        ours = middle(part, "ours", "images_per_second")
        best = max((value for value in peers.values() if value), default=None)
        ratio = ours / best if ours and best else None
        name = "images per second, as a multiple of the best peer's, at least"
        made.append(goal(name, 1.3, ratio, ratio is not None and ratio >= 1.3))
    return made


def goal(name, aim, measured, met):
    """Return one entry of the list of goals."""
    return {"name": name, "goal": aim, "measured": measured, "met": met}


def label(contestant):
    """Return a contestant's name in words; ``+`` marks one with our settings."""
    return LABELS[contestant.rstrip("+")] + (SWITCHED if contestant.endswith("+") else "")


def table(results):
    """Return the README's tables as Markdown."""
    if not results["parts"]:
        return "Nothing has been measured yet."
    lines = []
    columns = (
        (TIME, "seconds", "seconds of training to 99.0 %"),
        (SPEED, "images_per_second", "images a second"),
    )
    for name, key, head in columns:
        if name not in results["parts"]:
            continue
        part = results["parts"][name]
        lines += [f"| | {head} (median) | runs |", "| --- | ---: | ---: |"]
        for contestant in dict.fromkeys(run["contestant"] for run in part["runs"]):
            found = values(part, contestant, key)
            reached = [value for value in found if value is not None]
            median = f"{statistics.median(reached):,.0f}" if reached else "not reached"
            missed = f", {len(found) - len(reached)} not there" if len(reached) < len(found) else ""
            lines.append(f"| {label(contestant)} | {median} | {len(found)}{missed} |")
        lines += [f"\nLeft out: {reason}" for reason in part["skipped"]] + [""]
    lines += ["| goal | aim | measured | met |", "| --- | ---: | ---: | --- |"]
    for entry in results["goals"]:
        measured = "none" if entry["measured"] is None else f"{entry['measured']:.3f}"
        met = "yes" if entry["met"] else "no"
        lines.append(f"| {entry['name']} | {entry['goal']} | {measured} | {met} |")
    return "\n".join(lines)


def with_table(text, results):
    """Return the README's text with the tables between the markers."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{rest.split(END)[1]}"
