"""Starts worker processes on this machine, and tells what became of them."""

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

import resnet_lesson
from resnet_lesson.arguments import received, truth_value, whole_number
from resnet_lesson.records import load_records
from resnet_lesson.workers import cores

MOST_WORKERS = 256
GRACE = 10  # seconds in which the other workers may tell what they saw, after one has died


class WorkerError(RuntimeError):
    """A worker process died, or none of them got ahead."""


class Workers:
    """Worker processes on this machine, which train together. Leaving the context ends them all.

    Args:
        workers: number of processes; one trains alone, without a strategy.
        options: what follows the command, as a dictionary: ``{"updates": 100}``.
        show: print what the workers print, each line with its worker's number.

    Example::

        with Workers(2, {"updates": 100}) as started:
            records = started.records()
    """

    def __init__(self, workers=2, options=None, show=False):
        self.workers = whole_number("workers", workers, least=1, most=MOST_WORKERS)
        if options is not None and not isinstance(options, dict):
            raise TypeError(f"options must be a dictionary or None. Received: {received(options)}")
        truth_value("show", show)
        options = {"threads": max(1, cores() // self.workers)} | (options or {})
        self.lines = [[] for _ in range(self.workers)]
        self._show, self._folder = show, tempfile.TemporaryDirectory()
        options = {"result": Path(self._folder.name) / "records.npz"} | options
        self.result = Path(options["result"])
        command = [sys.executable, "-m", "resnet_lesson.distributed", "--started"]
        command += as_arguments(options)
        addresses = [f"127.0.0.1:{port}" for port in free_ports(self.workers)]
        self.processes = [self._start(command, addresses, i) for i in range(self.workers)]
        self._readers = [
            threading.Thread(target=self._read, args=(i,), daemon=True) for i in range(workers)
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.end()
        self._folder.cleanup()

    def records(self):
        """Wait for the end and return the first worker's list of Record.

        Raises:
            WorkerError: a worker died. The message says which one, how, and what it wrote last.
        """
        while any(process.poll() is None for process in self.processes):
            if any(process.poll() for process in self.processes):
                break
            time.sleep(0.05)
        dead = [i for i, process in enumerate(self.processes) if process.poll()]
        if dead:
            until = time.monotonic() + GRACE
            while any(p.poll() is None for p in self.processes) and time.monotonic() < until:
                time.sleep(0.05)
            self.end()
            raise WorkerError("\n".join(self._describe(i) for i in range(self.workers)))
        self.end()
        return load_records(self.result)

    def end(self):
        """Kill the workers that still run, and take what they wrote."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdin.close()
        for reader in self._readers:
            reader.join()

    def _start(self, command, addresses, index):
        environment = dict(os.environ)
        environment.pop("TF_CONFIG", None)
        if len(addresses) > 1:
            task = {"type": "worker", "index": index}
            environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
        # The package may be in a folder that only this process knows.
        places = [str(Path(resnet_lesson.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, places))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(
            command, env=environment, text=True, errors="replace", start_new_session=True, **pipes
        )

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


def as_arguments(options):
    """Return options as words of a command line: ``{"batch_size": 5}`` → ``--batch-size 5``.

    Raises:
        TypeError: they are no dictionary of texts, numbers and lists of them.
    """
    if not isinstance(options, dict):
        raise TypeError(f"options must be a dictionary. Received: {received(options)}")
    words = []
    for name, value in options.items():
        parts = value if isinstance(value, (list, tuple)) else [value]
        plain = all(isinstance(one, (str, int, float, Path)) for one in parts)
        if not isinstance(name, str) or not plain or isinstance(value, bool):
            raise TypeError(
                "options must hold texts, numbers and lists of them. "
                f"Received: {received(value)} as {received(name)}"
            )
        words.append(f"--{name.replace('_', '-')}")
        words += map(str, value) if isinstance(value, (list, tuple)) else [str(value)]
    return words


def free_ports(count):
    """Find ports of this machine that nobody listens at.

    They lie below the range from which systems draw ports for outgoing connections. So nobody is
    given one by chance before the worker takes it.

    Raises:
        TypeError, ValueError: the number is unusable.
    """
    whole_number("count", count, least=1, most=MOST_WORKERS)
    held, draw = [], random.SystemRandom()
    try:
        while len(held) < count:
            one = socket.socket()
            try:
                one.bind(("127.0.0.1", draw.randrange(20000, 32000)))
                held.append(one)
            except OSError:
                one.close()
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
