"""The tables of docs/benchmarks.md, made from the results."""

import collections
import statistics
from functools import partial

import course
import growth
import images_per_second
import peer_tuning
import step_profile
import time_to_accuracy
from contestants import ROOT
from results import values

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"

LABELS = {
    "ours": "ours",
    "keras_example": "Keras's convnet example",
    "keras_tuned": "the same, tuned",
    "article": "article's network as written, Keras `fit`",
    "tf1": "article's network, TensorFlow 1 graph",
    "torch": "PyTorch twin, channels last",
    "torch_one_thread": "the same on one thread",
}
SWITCHED = ", with our settings of TensorFlow"
QUANTITIES = {
    "update": ("an update", "ms", 1e3),
    "tracing": ("tracing", "s", 1),
    "epoch": ("an epoch", "s", 1),
    "memory": ("memory", "MiB", 2**-20),
}


def label(contestant):
    """Return a contestant's name in words; ``+`` marks one with our settings."""
    return LABELS[contestant.rstrip("+")] + (SWITCHED if contestant.endswith("+") else "")


def table(results):
    """Return the page's tables as Markdown, with a heading each."""
    if not results["parts"]:
        return "Nothing has been measured yet."
    parts = results["parts"]
    lines = ["## Goals", "", "| goal | aim | measured | met |", "| --- | ---: | ---: | --- |"]
    for entry in results["goals"]:
        measured = "none" if entry["measured"] is None else f"{entry['measured']:,.4g}"
        if entry["interval"]:
            measured += " ({:,.3g} … {:,.3g})".format(*entry["interval"])
        lines.append(f"| {entry['name']} | {entry['goal']:,.4g} | {measured} | {entry['met']} |")
    lines += ["", "In brackets: the 95 % interval of the mean ratio, runs of one turn compared."]
    for part, heading, rows in TABLES:
        if part.NAME in parts:
            measured = parts[part.NAME]
            lines += ["", f"## {heading}", "", *rows(measured), "", _where(measured)]
    return "\n".join(lines)


def _where(part):
    machine, version = part["machine"], part["versions"]["tensorflow"]
    where = f"{machine['cores']} cores, {machine['processor']}, {machine['system']}"
    return f"*Measured on {part['date']}: {where}, TensorFlow {version}.*"


def _contest(part, key, head):
    lines = [f"| {head} | median | from … to | runs |", "| --- | ---: | ---: | ---: |"]
    for contestant in dict.fromkeys(run["contestant"] for run in part["runs"]):
        found = values(part, contestant, key)
        reached = [value for value in found if value is not None]
        median = f"{statistics.median(reached):,.0f}" if reached else "not reached"
        span = f"{min(reached):,.0f} … {max(reached):,.0f}" if reached else ""
        missed = f", {len(found) - len(reached)} not there" if len(reached) < len(found) else ""
        lines.append(f"| {label(contestant)} | {median} | {span} | {len(found)}{missed} |")
    return lines + [f"\nLeft out: {reason}" for reason in part["skipped"]]


def _race(part):
    """Return the contest's rows, and of who did not get there, how far it got, and how soon."""
    lines = _contest(part, "seconds", "seconds to 99.0 %")
    for contestant in dict.fromkeys(run["contestant"] for run in part["runs"]):
        runs = [run for run in part["runs"] if run["contestant"] == contestant]
        missed = [run for run in runs if run["seconds"] is None]
        if missed:
            spent = statistics.median(run["spent"] for run in missed)
            ended = [run["accuracies"][-1] for run in missed]
            lines.append(
                f"\nNot there: {label(contestant)}, at {min(ended):.2%} … {max(ended):.2%} of the "
                f"test images after {spent:.0f} seconds."
            )
    return lines


def _tuning(part):
    best = peer_tuning.fastest(part)
    lines = ["| setting | validation accuracy of each run | seconds, median |"]
    lines += ["| --- | --- | ---: |"]
    for name in dict.fromkeys(run["contestant"] for run in part["runs"]):
        accuracies = ", ".join(f"{found:.2%}" for found in values(part, name, "accuracy"))
        seconds = statistics.median(values(part, name, "seconds"))
        chosen = " (raced)" if peer_tuning.CANDIDATES.get(name) == best else ""
        lines.append(f"| {name}{chosen} | {accuracies} | {seconds:.0f} |")
    return lines


def _profile(part):
    kinds = collections.Counter()
    for run in part["runs"]:
        kinds.update(run["operations"])
    middle = {
        kind: statistics.median(run["operations"].get(kind, 0.0) for run in part["runs"])
        for kind, _ in kinds.most_common(10)
    }
    update, reached, peak = (
        statistics.median(run[key] for run in part["runs"]) for key in ("update", "reached", "peak")
    )
    total = 2 * update
    lines = ["| an update of the article's network, ours | ms of two threads | share |"]
    lines += ["| --- | ---: | ---: |"]
    lines += [f"| {kind} | {ms:.1f} | {ms / total:.0%} |" for kind, ms in middle.items()]
    rest = total - sum(middle.values())
    lines.append(f"| all else, and idle | {rest:.1f} | {rest / total:.0%} |")
    lines.append(
        f"\nAn update takes {update:.1f} ms: {reached / 1e9:.0f} billion operations a second, "
        f"{reached / peak:.0%} of what large matrix products reach here ({peak / 1e9:.0f})."
    )
    return lines


def _growth(part):
    lines = [
        "| with | of | from … to | line through all | power of the larger half |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for fit in growth.fits(part):
        words, unit, scale = QUANTITIES[fit["quantity"]]
        first, last, start, slope = (
            scale * value
            for value in (fit["values"][0], fit["values"][-1], fit["start"], fit["slope"])
        )
        span = f"{fit['sizes'][0]:,} … {fit['sizes'][-1]:,}"
        lines.append(
            f"| {fit['what']} {span} | {words} | {first:,.3g} … {last:,.3g} {unit} "
            f"| {start:,.3g} + {slope:,.3g} · {fit['what']} | {fit['power']:.2f} |"
        )
    return lines


def _course(part):
    lines = ["| notebook or command | seconds | peak memory, MiB |", "| --- | ---: | ---: |"]
    rows = {}
    for run in part["runs"]:
        name = run["contestant"].removeprefix("notebooks/").removesuffix(".ipynb")
        folder, _, file = name.rpartition("/")
        rows.setdefault(f"all {folder} together" if folder else file, []).append(run)
    for name, runs in rows.items():
        seconds, memory = sum(r["seconds"] for r in runs), max(r["memory"] for r in runs)
        lines.append(f"| {name} | {seconds:,.0f} | {memory / 2**20:,.0f} |")
    return lines


TABLES = (
    (peer_tuning, "Settings for the Keras example", _tuning),
    (time_to_accuracy, "Time to 99 %", _race),
    (
        images_per_second,
        "Images a second",
        partial(_contest, key="images_per_second", head="images a second"),
    ),
    (step_profile, "Where an update's time goes", _profile),
    (growth, "Growth", _growth),
    (course, "Notebooks and commands", _course),
)


def with_table(text, results):
    """Return the page's text with the tables between the markers."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{rest.split(END)[1]}"
