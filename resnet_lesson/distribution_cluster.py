"""The processes of a cluster: who they are, whether they are there, and how one of them ends."""

import json
import os
import re
import socket
import sys
import threading
import time

from resnet_lesson.arguments import positive_number, whole_number

LOST = 3  # exit status of a worker that lost another one


def read_tf_config(text):
    """Read and check a TF_CONFIG.

    Args:
        text: as in ``{"cluster": {"worker": ["host1:12345", "host2:12345"]},
            "task": {"type": "worker", "index": 0}}``.

    Returns:
        (addresses of all workers, index of this one).

    Raises:
        TypeError, ValueError: it names what is wrong.
    """
    if not isinstance(text, str):
        raise TypeError(f"TF_CONFIG must be a text. Received: {text!r}")

    def check(holds, what):
        if not holds:
            raise ValueError(f"TF_CONFIG {what}. Received: {text!r}")

    try:
        config = json.loads(text)
    except ValueError as error:
        raise ValueError(f"TF_CONFIG must be JSON: {error}. Received: {text!r}") from None
    check(isinstance(config, dict), "must be a JSON object")
    cluster, task = config.get("cluster"), config.get("task")
    check(isinstance(cluster, dict), "must have an object 'cluster'")
    check(set(cluster) == {"worker"}, "must have a cluster of one kind of task, 'worker'")
    check(isinstance(task, dict), "must have an object 'task'")
    check(task.get("type") == "worker", "must have a task of type 'worker'")
    addresses, index = cluster["worker"], task.get("index")
    check(isinstance(addresses, list) and addresses, "must list the workers' addresses")
    for address in addresses:
        host, _, port = str(address).rpartition(":")
        good = host and port.isdecimal() and 0 < int(port) < 65536
        check(good, f"must give each address as 'host:port', not {address!r}")
    check(len(set(addresses)) == len(addresses), "must not name an address twice")
    whole = isinstance(index, int) and not isinstance(index, bool)
    check(whole, "must have a whole number as the task's index")
    last = len(addresses) - 1
    check(0 <= index <= last, f"must have an index from 0 to {last}, with {last + 1} addresses")
    return addresses, index


def slurm_tf_config(port=12345):
    """Make the TF_CONFIG of this task of a Slurm job step, from the variables that Slurm sets.

    The tasks must fill one machine after the other, as srun places them by default.

    Args:
        port: the first task of each machine listens here, the others at the ports above.

    Returns:
        str, JSON.

    Raises:
        TypeError, ValueError: the port is unusable, or this is no step of Slurm's.
    """
    port = whole_number("port", port, least=1, most=65535)
    names = ("SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE", "SLURM_PROCID")
    found = {name: os.environ.get(name) for name in names}
    if None in found.values():
        raise ValueError(
            f"Slurm's variables must be set: start the command with srun. Received: {found}"
        )
    nodes, tasks, index = found.values()
    counts = []
    for count, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", tasks):  # as in "1(x2),2"
        counts += [int(count)] * int(times or 1)
    try:
        hosts = _expand(nodes)
    except ValueError:
        hosts = []
    if not hosts or len(hosts) != len(counts) or not index.isdecimal():
        raise ValueError(
            f"Slurm's variables must name one number of tasks for each machine. Received: {found}"
        )
    workers = [
        f"{host}:{port + i}"
        for host, count in zip(hosts, counts, strict=True)
        for i in range(count)
    ]
    task = {"type": "worker", "index": int(index)}
    return json.dumps({"cluster": {"worker": workers}, "task": task})


def _expand(nodes):
    """Return the names in a list of Slurm's: "n[01-02,7],big" → n01, n02, n7, big."""
    names = []
    for name, ranges in re.findall(r"([^,\[\]]+)(?:\[([^\]]*)\])?", nodes):
        for part in ranges.split(","):
            first, _, last = part.partition("-")
            numbers = range(int(first), int(last or first) + 1) if part else ()
            names += [f"{name}{i:0{len(first)}}" for i in numbers] or [name]
    return names


def meet(addresses, index, seconds):
    """Wait until all workers are there. TensorFlow itself would wait for a missing one for ever.

    Every worker listens at its address, calls at each of the others' once, and says its index.

    Args:
        addresses: addresses of all workers, as "host:port".
        index: which of them is this one's.
        seconds: how long to wait.

    Raises:
        TimeoutError: somebody is missing; the message says who.
        ValueError: this worker cannot listen at its address.
    """
    others = set(range(len(addresses))) - {index}
    to_call, came = set(others), set()
    until = time.monotonic() + seconds
    try:
        door = socket.create_server(("", _split(addresses[index])[1]))
    except OSError as error:
        raise ValueError(
            "a worker must be able to listen at its address, which may be in use: choose another "
            f"port. Received: {addresses[index]}, {error}"
        ) from None
    with door:
        door.settimeout(0.1)
        while to_call or came != others:
            if time.monotonic() > until:
                missing = ", ".join(f"worker {i} ({addresses[i]})" for i in sorted(others - came))
                raise TimeoutError(
                    f"Worker {index} waited {seconds:g} seconds for {missing or 'an answer'}. Are "
                    "all workers started, with one TF_CONFIG but for the index? Are the ports open?"
                )
            to_call -= {other for other in to_call if _call(addresses[other], index)}
            try:
                came |= {_hear(door)} & others
            except (OSError, ValueError):
                continue


def _call(address, index):
    try:
        with socket.create_connection(_split(address), timeout=1) as line:
            line.sendall(f"{index}\n".encode())
    except OSError:
        return False
    return True


def _hear(door):
    line, _ = door.accept()
    with line:
        line.settimeout(1)
        return int(line.recv(16))


def _split(address):
    host, _, port = address.rpartition(":")
    return host, int(port)


class Watchdog:
    """Ends this process when nothing has happened for too long: no worker waits for ever.

    TensorFlow waits without a limit for a worker that no longer answers.

    Args:
        seconds: how long to wait.
    """

    def __init__(self, seconds):
        self.seconds = positive_number("seconds", seconds)
        self.doing = "starting"
        self._last = time.monotonic()
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def beat(self, doing):
        """Tell that something has happened, and what comes next."""
        self.doing, self._last = doing, time.monotonic()

    def stop(self):
        """Watch no longer."""
        self._stopped.set()

    def _watch(self):
        while not self._stopped.wait(0.5):
            if time.monotonic() - self._last > self.seconds:
                leave(
                    f"Nothing happened for {self.seconds:g} seconds while {self.doing}: another "
                    "worker does not answer, or --timeout is too short for so large a network."
                )


def silence_tensorflow():
    """Hide what TensorFlow logs from now on; what Python writes to ``sys.stderr`` stays.

    It is for the very end: one worker is gone a little before the others, whose last exchange with
    it TensorFlow then reports as broken.
    """
    sys.stderr = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)


def leave(message="", status=LOST):
    """Print a message and end this process at once: TensorFlow's own end would wait for others."""
    if message:
        print(message, file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(status)
