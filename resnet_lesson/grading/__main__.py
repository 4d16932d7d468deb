"""Grade handed-in exercise notebooks: python -m resnet_lesson.grading FOLDER"""

import argparse
import csv
import os
import sys
from pathlib import Path

from resnet_lesson import grading
from resnet_lesson.checks.core import exercises
from resnet_lesson.grading import printable
from resnet_lesson.grading.feedback import page

FORMULA = tuple("=+-@\t\r")  # what a cell of a spreadsheet begins with that is computed


def main(arguments=None):
    """Run the command line; return the exit code."""
    options = _options(arguments)
    hand_ins, others = _hand_ins(options.notebooks)
    for line in others:
        print(line, file=sys.stderr)
    if not hand_ins:
        print("There is no notebook in that folder.", file=sys.stderr)
        return 2
    try:
        for new in filter(None, (options.csv, options.feedback)):
            if os.path.lexists(new):
                raise FileExistsError(0, "it exists, and nothing is overwritten", new)
        file = _table_file(options.csv)
        if options.feedback:
            options.feedback.mkdir(parents=True)
    except OSError as error:
        print(f"{error.filename} cannot be written: {error.strerror}.", file=sys.stderr)
        return 2
    with file:
        return _grade_all(hand_ins, file, options)


def _grade_all(hand_ins, file, options):
    """Grade one after the other; write each row at once, and in the end the table."""
    lessons = sorted({grading.lesson_of(path) for path in hand_ins.values()} & exercises.keys())
    names = [name for lesson in lessons for name in exercises[lesson]]
    rows, code = [["hand-in", "passed", *names, "remark"]], 0
    _write(file, rows[0])
    try:
        for number, (name, path) in enumerate(hand_ins.items(), start=1):
            print(f"{number} of {len(hand_ins)}: {printable(name)}", file=sys.stderr, flush=True)
            done = _graded(name, path, options)
            statuses = [done.statuses.get(name, "") for name in names]
            rows.append([done.name, done.score, *statuses, done.remark])
            _write(file, rows[-1])
    except KeyboardInterrupt:
        print(f"Stopped: {len(rows) - 1} of {len(hand_ins)} are graded.", file=sys.stderr)
        code = 130
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    return code


def _graded(name, path, options):
    """Grade one hand-in and write its page; whatever goes wrong becomes a remark."""
    limits = options.seconds, options.memory, options.cell_seconds
    try:
        done = grading.grade(path, *limits, name)
    except Exception as error:
        remark = printable(f"could not be graded: {error!r:.200}")
        done = grading.Grade(path, name, remarks=[remark])
    if options.feedback:
        try:
            target = options.feedback / f"{name}.html"
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8") as file:
                file.write(page(done))
        except OSError as error:
            done.remarks.append(f"there is no page of feedback: {error.strerror}")
    return done


def _hand_ins(arguments):
    """Return path by name of all notebooks, and a line on each other file that is there."""
    ours, others = [], []
    for argument in arguments:
        if not argument.is_dir():
            ours.append(argument)
            continue
        for folder, below, files in os.walk(argument):
            links = [name for name in below if os.path.islink(os.path.join(folder, name))]
            below[:] = sorted({*below} - {".ipynb_checkpoints", "__MACOSX"})
            for path in (Path(folder, name) for name in sorted(links + files)):
                if path.suffix.lower() == ".ipynb" and not path.name.startswith("."):
                    ours.append(path)
                else:
                    packed = path.suffix.lower() in (".zip", ".7z", ".rar", ".gz", ".tar")
                    why = "packed: unpack it first" if packed else "not a notebook, left out"
                    others.append(f"{printable(str(path))} is {why}.")
    alone = len(arguments) == 1 and arguments[0].is_dir()
    start = arguments[0] if alone else os.path.commonpath([p.absolute().parent for p in arguments])
    return {os.path.relpath(path, start).replace(os.sep, "/"): path for path in ours}, others


def _table_file(path):
    """Open the new file of the table, if any, for spreadsheets, which know UTF-8 by its mark."""
    return open(path or os.devnull, "x" if path else "w", newline="", encoding="utf-8-sig")


def _write(file, row):
    """Write a row to the disk; a name that begins like a formula must not become one."""
    csv.writer(file).writerow(f"'{cell}" if cell.startswith(FORMULA) else cell for cell in row)
    file.flush()


def _options(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m resnet_lesson.grading",
        description="Run handed-in exercise notebooks and list which checks they pass. Each runs "
        "in a Jupyter kernel of its own. They can do whatever their authors wrote: grade those of "
        "strangers in a container.",
    )
    add = parser.add_argument
    add("notebooks", nargs="+", type=Path, help="folders, searched with all below, or notebooks")
    add("--seconds", type=float, default=grading.SECONDS, help="limit for each notebook")
    add("--cell-seconds", type=float, default=grading.CELL_SECONDS, help="limit for each cell")
    add("--memory", type=float, default=grading.GIBIBYTES, help="limit for each, in GiB")
    add("--csv", type=Path, help="write the table to this file, which must be new")
    add("--feedback", type=Path, help="write a page for each hand-in to this folder, a new one")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a console may lack a letter of a name
    sys.exit(main())
