"""Grade handed-in exercise notebooks: python -m resnet_lesson.grading NOTEBOOK…"""

import argparse
import csv
import sys
from pathlib import Path

from resnet_lesson.grading import GIBIBYTES, SECONDS, grade, table


def main(arguments=None):
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m resnet_lesson.grading",
        description="Run handed-in exercise notebooks and list which checks they pass. Each runs "
        "in a process of its own. They can do whatever their authors wrote: grade those of "
        "strangers in a container.",
    )
    parser.add_argument("notebooks", nargs="+", type=Path, help="notebooks, or folders of them")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="limit for each notebook")
    parser.add_argument("--memory", type=float, default=GIBIBYTES, help="limit for each, in GiB")
    parser.add_argument("--csv", type=Path, help="write the table to this file, which must be new")
    options = parser.parse_args(arguments)
    paths = []
    for path in options.notebooks:
        paths += sorted(path.glob("*.ipynb")) if path.is_dir() else [path]
    if not paths:
        print("There is no notebook in that folder.", file=sys.stderr)
        return 2
    if options.csv and options.csv.exists():
        print(f"{options.csv} exists; name a new file, nothing is overwritten.", file=sys.stderr)
        return 2
    grades = []
    for number, path in enumerate(paths, start=1):
        print(f"{number} of {len(paths)}: {path.name}", file=sys.stderr, flush=True)
        grades.append(grade(path, options.seconds, options.memory))
    rows = table(grades)
    if options.csv:
        with options.csv.open("x", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
