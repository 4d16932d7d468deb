"""Starts worker processes on this machine, and tells what became of them."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from resnet_lesson.plumbing.constraints import CONFIG, TRUTH, Whole, checked
from resnet_lesson.plumbing.processes import MOST_WORKERS, cores
from resnet_lesson.runs import load_records

GRACE = 10  # seconds in which the other workers may tell what they saw, after one has died


class WorkerError(RuntimeError):
    """A worker process died, or none of them got ahead."""


class Workers(contextlib.AbstractContextManager):
    """Worker processes on this machine, which train together. Leaving the context ends them all.

    Args:
        workers: number of processes; one trains alone, without a strategy.
        options: what follows the command, as a dictionary: ``{"updates": 100}``. None is as if it
            were not given; what the workers do not know they refuse.
        show: print what the workers print, each line with its worker's number.

    Example::

        with Workers(2, {"updates": 100}) as started:
            records = started.records()
    """

    @checked(workers=Whole(1, MOST_WORKERS), options=CONFIG | None, show=TRUTH)
    def __init__(self, workers=2, options=None, show=False):
        self._show, self._folder = show, tempfile.TemporaryDirectory()
        given = {
            "threads": max(1, cores() // workers),
            "result": Path(self._folder.name, "records.npz"),
        } | {name: value for name, value in (options or {}).items() if value is not None}
        self._result = given["result"]
        command = [sys.executable, "-m", "resnet_lesson.distributed", "--started"]
        command += as_arguments(given)
        addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
        self.processes = [_start(command, addresses, i) for i in range(workers)]
        self.lines = [[] for _ in range(workers)]
        self._readers = [
            threading.Thread(target=self._read, args=(i,), daemon=True) for i in range(workers)
        ]
        for reader in self._readers:
            reader.start()

    def __exit__(self, *error):
        self.end()
        self._folder.cleanup()

    def records(self):
        """Wait for the end and return the first worker's list of Record.

        Raises:
            WorkerError: a worker died. The message says which one, how, and what it wrote last.
        """
        while self._running() and not self._failed():
            time.sleep(0.05)
        failed, until = self._failed(), time.monotonic() + GRACE
        while failed and self._running() and time.monotonic() < until:
            time.sleep(0.05)
        self.end()
        if failed:
            raise WorkerError("\n".join(map(self._describe, range(len(self.processes)))))
        return load_records(self._result)

    def end(self):
        """Kill the workers that still run, and take what they wrote."""
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdin.close()
        for reader in self._readers:
            reader.join()

    def _running(self):
        return any(process.poll() is None for process in self.processes)

    def _failed(self):
        return any(process.poll() for process in self.processes)

    def _read(self, index):
        with self.processes[index].stdout as lines:
            for line in lines:
                self.lines[index].append(line.rstrip("\n"))
                if self._show:
                    print(f"[worker {index}] {line}", end="", flush=True)

    def _describe(self, index):
        status = self.processes[index].returncode
        last = next((line for line in reversed(self.lines[index]) if line.strip()), "")
        if status < 0:
            return f"Worker {index} was killed by {signal.Signals(-status).name}."
        return f"Worker {index} ended with exit status {status}: {last or 'it wrote nothing'}"


def _start(command, addresses, index):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    if len(addresses) > 1:
        task = {"type": "worker", "index": index}
        environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    # The package may be in a folder that only this process knows.
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(
        command, env=environment, text=True, errors="replace", start_new_session=True, **pipes
    )


def as_arguments(options):
    """Return options as words of a command line: ``{"batch_size": 5}`` → ``--batch-size 5``."""
    words = []
    for name, value in options.items():
        parts = value if isinstance(value, (list, tuple)) else [value]
        words += [f"--{name}".replace("_", "-"), *map(str, parts)]
    return words


def free_ports(count):
    """Find ports of this machine that nobody listens at.

    They lie below the range from which systems draw ports for outgoing connections. So nobody is
    given one by chance before the worker takes it.
    """
    draw, ports = random.SystemRandom(), []
    with contextlib.ExitStack() as held:
        while len(ports) < count:
            one, port = held.enter_context(socket.socket()), draw.randrange(20000, 32000)
            with contextlib.suppress(OSError):  # somebody listens there
                one.bind(("127.0.0.1", port))
                ports.append(port)
    return ports
