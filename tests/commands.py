"""The Makefile's commands, as tests start them: apart from the make that runs the tests."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What `make test ONLY=...` hands on to every process below it.
OUTER = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PYTHON", "N", "ONLY", "QUICK"}


def environment():
    """Return the environment variables for a command."""
    return {name: value for name, value in os.environ.items() if name not in OUTER}


def make(*arguments):
    """Return the words of ``make ARGUMENTS`` with the Python of the tests, whose set-up is done."""
    done = ["-o", "setup", "-o", "setup-lab"]
    return ["make", *done, f"VENV_PYTHON={sys.executable}", *arguments]


def run(*command):
    """Run a command in the course's folder; return the process, with its output as text."""
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
