"""Run whatever has verdicts under several conditions and record by how much each of them holds.

The conditions change what may differ on another machine: one core or two, oneDNN on or off, little
memory, long cells that are interrupted and run again, and the Pythons of the matrix. The record is
benchmarks/verdicts.json, the table for readers docs/verdicts.md. A verdict that fails is noted, and
the run goes on.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from memory_limit import limited
from notebook_kinds import ROOT, notebooks, short_name

RECORD, TABLE = ROOT / "benchmarks" / "verdicts.json", ROOT / "docs" / "verdicts.md"
# Lessons, and what goes deeper: name → path of the notebook.
LESSONS = {made.name: made.path for made in notebooks() if made.kind.closing}
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
# The environment variable with the seconds after which a cell is interrupted, and run again.
INTERRUPT = "INTERRUPT_CELLS_AFTER"
# Name of the condition → environment variables, cores, and bytes of memory for all processes.
CONDITIONS = {
    "two cores": ({}, 2, None),
    "one core": (ONE_THREAD, 1, None),
    "oneDNN off": ({"TF_ENABLE_ONEDNN_OPTS": "0"}, 2, None),
    "2 GiB of memory": ({}, 2, 2 * 2**30),
    "interrupted cells": ({INTERRUPT: "8"}, 2, None),
}
THIN = 0.1
EDITION = "second"  # of the lessons; what was measured of another one is never mixed with it
HEAD = """# Every verdict and its margin

Each verdict of the lessons is a comparison of measured numbers. This table lists all of them, with
the smallest margin that was seen: the distance of the two sides, divided by the larger one. 0 % is
a tie. Verdicts without a margin do not compare sizes: they ask whether two things are equal, or for
one of the words of a rule that the lesson states. Where runs are compared seed by seed, the sides
are the corrected p-value and 0.05, or the far end of the interval and the margin of equality.

It describes the {edition} edition of the lessons.

The conditions were: {conditions}.

Next to the smallest margin stands the largest one. Where both are equal, the condition made no
difference, and a small margin is as good as a large one. A margin below {thin} that differs from
one condition to another is marked as thin.

This page is made by `make verdicts`, from `benchmarks/verdicts.json`.
"""


def run_lesson(
    lesson: str, python: str, variables: dict[str, str], cores: int, memory: int | None
) -> list[dict]:
    """Run one lesson under a condition; return its verdicts."""
    with tempfile.TemporaryDirectory() as folder:
        noted = Path(folder) / "verdicts.jsonl"
        noted.touch()
        command = [python, __file__, "--run", lesson, "--note", noted]
        if hasattr(os, "sched_getaffinity"):
            allowed = sorted(os.sched_getaffinity(0))[:cores]
            limit = {"preexec_fn": lambda: os.sched_setaffinity(0, allowed)}
        else:
            limit = {}
        environment = os.environ | {"TQDM_DISABLE": "1", "PYTHONPATH": str(ROOT)} | variables
        with limited(command, memory) if memory else nullcontext(command) as command:
            if command is None:
                sys.exit("The memory of processes cannot be limited here: see memory_limit.py.")
            subprocess.run(command, cwd=ROOT, env=environment, check=True, **limit)
        lines = noted.read_text(encoding="utf-8").splitlines()
    # Of a cell that has run twice, the second run counts.
    verdicts = [json.loads(line) for line in lines]
    return list({one["claim"]: one for one in verdicts}.values())


def execute(lesson: str, noted: str) -> None:
    """Run a lesson in this process's environment, with the probe in its kernel.

    Where cells are to be interrupted, each one runs twice: one that takes long is interrupted the
    first time, as by the stop button, and one that does not has then been run twice in a row.
    """
    import nbformat
    from nbclient import NotebookClient

    nb = nbformat.read(LESSONS[lesson], as_version=4)
    after = int(os.environ.get(INTERRUPT, 0))
    if after:
        doubled = [[copy.deepcopy(cell), cell] for cell in nb.cells if cell.cell_type == "code"]
        for first, _ in doubled:
            first.metadata["seconds"] = after
        nb.cells = [cell for both in doubled for cell in both]
    tools = str(Path(__file__).parent)
    probe = f"import sys; sys.path.append({tools!r})\nimport margin_probe\n"
    nb.cells.insert(0, nbformat.v4.new_code_cell(f"{probe}margin_probe.install({noted!r})"))
    nb.metadata.kernelspec.name = "python3"
    folder = {"metadata": {"path": str(LESSONS[lesson].parent)}}
    # A verdict that fails must not end the run.
    NotebookClient(
        nb,
        allow_errors=True,
        interrupt_on_timeout=bool(after),
        timeout_func=lambda cell: cell.metadata.get("seconds", 1800),
        resources=folder,
    ).execute()
    for cell in nb.cells:
        for error in (output.ename for output in cell.get("outputs", []) if "ename" in output):
            print("interrupted:" if "seconds" in cell.metadata else "FAILED:", error)


def margins(record: dict) -> dict[tuple[str, int], dict]:
    """Return (lesson, number) → the claim, whether it always holds, and all its margins."""
    found = {}
    for name, condition in record["conditions"].items():
        for lesson, verdicts in condition.items():
            for number, one in enumerate(verdicts):
                key = (lesson, number)
                entry = found.setdefault(key, {"claim": one["claim"], "all": [], "holds": True})
                entry["holds"] &= one["holds"]
                if one["margin"] is not None:
                    entry["all"].append((one["margin"], name, one["compared"]))
    return found


def table(record: dict) -> str:
    """Return the page for readers."""
    edition = record["edition"]
    if edition != EDITION:
        edition += f", and not yet the {EDITION},"
    conditions = ", ".join(record["conditions"])
    lines = [HEAD.format(edition=edition, conditions=conditions, thin=f"{THIN:.0%}")]
    rows = margins(record)
    for lesson in sorted({lesson for lesson, _ in rows}, key=short_name):
        lines += [
            f"## Lesson {short_name(lesson)}",
            "",
            "| verdict | smallest margin | comparison | where | largest margin |",
        ]
        lines.append("|---|---|---|---|---|")
        for (of, _), row in rows.items():
            if of != lesson:
                continue
            claim = row["claim"].replace("|", "\\|").replace("$", "\\$")
            if not row["holds"]:
                claim = f"**does not hold everywhere:** {claim}"
            margin, where, compared = min(row["all"], default=(None, "", ""))
            largest = max(row["all"], default=(None, "", ""))[0]
            shown, most = ("" if one is None else f"{one:.1%}" for one in (margin, largest))
            if shown != most:
                shown += " (thin)" if margin < THIN else ""
            else:
                where = "everywhere" if shown else ""
            lines.append(f"| {claim} | {shown} | {compared} | {where} | {most} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("conditions", nargs="*", help="names, such as 'one core'; all by default")
    parser.add_argument("--python", action="append", default=[], help="NAME=path of a python")
    parser.add_argument("--lesson", action="append", choices=LESSONS, help="that lesson alone")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--note", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        execute(options.run, options.note)
        return
    extra = dict(text.split("=", 1) for text in options.python)
    known = [*CONDITIONS, *extra]
    if unknown := set(options.conditions) - set(known):
        parser.error(f"conditions must be among {known}. Received: {', '.join(unknown)}")
    record = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    if record.get("edition") != EDITION:
        record = {"edition": EDITION, "conditions": {}}
    for name in options.conditions or known:
        condition = CONDITIONS.get(name, CONDITIONS["two cores"])
        of_condition = record["conditions"].setdefault(name, {})
        for lesson in options.lesson or LESSONS:
            print(f"{name}: {lesson}", flush=True)
            python = extra.get(name, sys.executable)
            of_condition[lesson] = run_lesson(lesson, python, *condition)
            # Not files.whole_file: with it comes TensorFlow, and this script runs beside a lesson
            # within the lesson's limit of memory.
            new = RECORD.with_suffix(".new")
            new.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            os.replace(new, RECORD)
    TABLE.write_text(table(record), encoding="utf-8")
    failed = [row["claim"] for row in margins(record).values() if not row["holds"]]
    if failed:
        sys.exit("These verdicts do not hold everywhere:\n" + "\n".join(failed))


if __name__ == "__main__":
    main()
