"""Run the unit tests and two lessons with each supported Python and three sets of versions.

``oldest``: the lowest versions that pyproject.toml allows; ``colab``: those in colab-versions.txt;
``locked``: those in requirements.lock. Each in an environment made anew in build/matrix. An
environment takes 3 GB while it is in use, and is removed after it has passed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from setup import supported_minors

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / "build" / "matrix"
LESSONS = ("00_start_here", "03_bottleneck_block")
SETS = ("oldest", "colab", "locked")
# What runs the tests and the lessons, besides the versions that are tried.
TOOLS = ["jupyter", "psutil", "jupyterquiz", "nbclient", "nbval", "jupytext", "pytest", "pyyaml"]
TOOLS += ["pytest-xdist", "hypothesis", "ruff", "flit_core"]


def oldest(minor):
    """Return the lowest version of each run-time dependency for Python 3.``minor``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = []
    for line in project["dependencies"]:
        requirement, _, marker = line.partition(";")
        if not marker or _holds(marker, minor):
            pinned.append(re.sub(r">=([\d.]+)", r"==\1", requirement.strip()))
    return pinned


def _holds(marker, minor):
    """Decide a marker such as ``python_version < '3.13'``, the only kind there is here."""
    found = re.fullmatch(r"\s*python_version\s*(<|>=)\s*'3\.(\d+)'\s*", marker)
    if not found:
        raise ValueError(f"pyproject.toml has a marker that matrix.py does not know: {marker}")
    return minor < int(found[2]) if found[1] == "<" else minor >= int(found[2])


def requirements(which, minor):
    """Return what uv is told to install, as arguments."""
    if which == "locked":
        return ["--require-hashes", "-r", "requirements.lock"]
    if which == "colab":
        return ["-r", "tools/colab-versions.txt", *TOOLS]
    return [*oldest(minor), *TOOLS]


def environment(python):
    """Return the variables of a run: nothing of the reader's own Python set-up."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    path = f"{python.parent}{os.pathsep}{kept.get('PATH', '')}"
    return kept | {"PATH": path, "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"}


def run(log, *command, **options):
    """Run a command, its output into the log; return whether it went well."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(map(str, command))}\n")
        file.flush()
        done = subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, **options)
    return done.returncode == 0


def try_out(which, minor):
    """Make one environment and run everything in it; return a row of the table."""
    folder = ENVIRONMENTS / f"3.{minor}-{which}"
    log, uv = folder.with_name(f"{folder.name}.log"), Path(sys.executable).with_name("uv")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    row = [f"3.{minor}", which, "", "", *["not run"] * (1 + len(LESSONS))]
    if not run(log, uv, "venv", "--clear", "--no-managed-python", "--python", f"3.{minor}", folder):
        return [*row[:2], "no such Python here", *row[3:]]
    python = folder / "bin" / "python"
    wanted = ["--only-binary", ":all:", *requirements(which, minor)]
    if not run(log, uv, "pip", "install", "--python", python, *wanted):
        return [*row[:2], "not to be installed", *row[3:]]
    row[2:4] = versions(python)
    given = {"env": environment(python)}
    tests = ["-m", "pytest", "-q", "-m", "not slow", "-n", "2", "--dist=loadfile", "tests"]
    one_thread = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    row[4] = timed(log, python, *tests, env=given["env"] | one_thread)
    for i, lesson in enumerate(LESSONS, 5):
        command = ["-m", "jupyter", "execute", f"notebooks/{lesson}.ipynb"]
        row[i] = timed(log, python, *command, **given)
    if not any("FAILED" in cell for cell in row):
        shutil.rmtree(folder)
    return row


def timed(log, *command, **options):
    start = time.monotonic()
    passed = run(log, *command, **options)
    return f"{'passed' if passed else 'FAILED'}, {time.monotonic() - start:.0f} s"


def versions(python):
    """Return the versions of TensorFlow and Keras in an environment."""
    code = "from importlib.metadata import version as v; print(v('tensorflow'), v('keras'))"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return found.stdout.split()


def main():
    pairs = {f"3.{minor}-{which}": (which, minor) for minor in supported_minors() for which in SETS}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("only", nargs="*", help="such as 3.12 or 3.12-colab; everything by default")
    only = parser.parse_args().only
    chosen = [name for name in pairs if not only or {name, name.split("-")[0]} & set(only)]
    unknown = set(only) - set(pairs) - {name.split("-")[0] for name in pairs}
    if unknown:
        parser.error(f"only must be among {', '.join(pairs)}. Received: {', '.join(unknown)}")
    heading = ["Python", "versions", "TensorFlow", "Keras", "unit tests", *LESSONS]
    print("| " + " | ".join(heading) + " |\n" + "|---" * len(heading) + "|", flush=True)
    rows = []
    for name in chosen:
        rows.append(try_out(*pairs[name]))
        print("| " + " | ".join(rows[-1]) + " |", flush=True)
    if not all(cell.startswith("passed") for row in rows for cell in row[4:]):
        sys.exit(f"Not all passed: the output is in {ENVIRONMENTS.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
