"""The Makefile's commands, as tests start them: apart from the make that runs the tests."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
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


def wait_until_it_listens(address, seconds=60):
    """Wait for a server that has printed its address, and may not take connections yet."""
    host, port = re.fullmatch(r"http://(.+):(\d+)", address).groups()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nobody listens at {address}")


@contextlib.contextmanager
def jupyterlab(command, log, **where):
    """Start JupyterLab and end it again, its kernels included; give its address and its token.

    Args:
        command: words, of ``make lab``.
        log: pathlib.Path of the file for what it prints.
        where: folder and variables, as ``subprocess.Popen`` takes them.
    """
    nowhere = {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    with log.open("w") as file:
        server = subprocess.Popen(command, stdout=file, start_new_session=True, **nowhere, **where)
    try:
        for _ in range(600):
            found = re.search(r"(http://127\.0\.0\.1:\d+)/\S*\?token=(\w+)", log.read_text())
            if found:
                break
            assert server.poll() is None, log.read_text()[-2000:]
            time.sleep(0.1)
        wait_until_it_listens(found[1])
        yield found[1], found[2]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
            for _ in range(200):  # until the server has ended its kernels
                server.poll()
                os.killpg(server.pid, 0)
                time.sleep(0.1)
            os.killpg(server.pid, signal.SIGKILL)
