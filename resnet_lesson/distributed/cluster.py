"""The processes of a cluster: who they are, whether they are there, and how one of them ends."""

import contextlib
import json
import os
import socket
import sys
import threading
import time

import tensorflow as tf

from resnet_lesson.plumbing.constraints import Whole, checked, received
from resnet_lesson.plumbing.processes import MOST_WORKERS

LOST = 3  # exit status of a worker that lost another one
FORM = '{"cluster": {"worker": ["host:12345", …]}, "task": {"type": "worker", "index": 0}}'


def read_tf_config(text):
    """Read and check a TF_CONFIG.

    Args:
        text: JSON, as in ``{"cluster": {"worker": ["host1:12345", "host2:12345"]},
            "task": {"type": "worker", "index": 0}}``.

    A cluster may have a chief as well: the worker that comes before the others.

    Returns:
        (addresses of all workers, index of this one).

    Raises:
        ValueError: it has another form.
    """
    try:
        config = json.loads(text)
        jobs, task = config["cluster"], config["task"]
        Whole(0, len(jobs[task["type"]]) - 1).check("index", task["index"])
        chief, workers = jobs.get("chief", []), jobs.get("worker", [])
        addresses = [*chief, *workers]
        if jobs.keys() <= {"chief", "worker"} and len(chief) < 2 and all(map(_split, addresses)):
            return addresses, task["index"] + (len(chief) if task["type"] == "worker" else 0)
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise ValueError(
        f'TF_CONFIG must be of the form {FORM}, where one "chief" may stand before the workers. '
        f"Received: {received(text)}"
    )


def slurm_tf_config(port=12345):
    """Make the TF_CONFIG of this task of a Slurm job step, from the variables that Slurm sets.

    Args:
        port: the first task of each machine listens here, the others at the ports above.

    Returns:
        str, JSON.

    Raises:
        ValueError: Slurm's variables are not set, or do not agree.
    """
    # The resolver shares out GPUs, too. Told of one for each task, and not to touch them, it leaves
    # them to Slurm.
    gpus = {"gpus_per_node": MOST_WORKERS, "gpus_per_task": 1, "auto_set_gpu": False}
    try:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(port_base=port, **gpus)
        workers = resolver.cluster_spec().as_dict()["worker"]
        # The resolver sorts the machines by name, n10 before n9, and Slurm numbers its tasks
        # otherwise. So a task finds its place by the machine that it runs on, not by its number.
        host, task = os.environ["SLURMD_NODENAME"], int(os.environ["SLURM_LOCALID"])
        task = {"type": "worker", "index": workers.index(f"{host}:{port + task}")}
    except (KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"--slurm must be in a step that srun starts. Received: {error}") from None
    return json.dumps({"cluster": {"worker": workers}, "task": task})


def meet(addresses, index, seconds):
    """Wait until all workers are there. TensorFlow itself would wait for a missing one for ever.

    Every worker listens at its address, calls at each of the others' once, and says its index.

    Args:
        addresses: addresses of all workers, as "host:port".
        index: which of them is this one's.
        seconds: how long to wait.

    Raises:
        TimeoutError: somebody is missing; the message says who.
        OSError: this worker cannot listen at its address, which may be in use.
    """
    others = set(range(len(addresses))) - {index}
    called, came = set(), set()
    until = time.monotonic() + seconds
    with socket.create_server(("", _split(addresses[index])[1])) as door:
        door.settimeout(0.1)
        while not others <= called & came:
            if time.monotonic() > until:
                missing = ", ".join(f"worker {i} ({addresses[i]})" for i in sorted(others - came))
                raise TimeoutError(
                    f"Worker {index} waited {seconds:g} seconds for {missing or 'an answer'}. Are "
                    "all workers started, with one TF_CONFIG but for the index? Are the ports open?"
                )
            for other in others - called:
                with contextlib.suppress(OSError):  # nobody listens yet
                    line = socket.create_connection(_split(addresses[other]), timeout=1)
                    with line:
                        line.sendall(f"{index}\n".encode())
                    called.add(other)
            with contextlib.suppress(OSError, ValueError):  # nobody calls, or a stranger does
                line, _ = door.accept()
                with line:
                    line.settimeout(1)
                    came.add(int(line.recv(16)))


def _split(address):
    host, _, port = address.rpartition(":")
    return host, int(port)


class Watchdog:
    """Ends this process when nothing has happened for too long: no worker waits for ever.

    TensorFlow waits without a limit for a worker that no longer answers.

    Args:
        seconds: how long to wait.
    """

    @checked
    def __init__(self, seconds):
        self.seconds = seconds
        self.beat("starting")
        threading.Thread(target=self._watch, daemon=True).start()

    def beat(self, doing=None):
        """Tell that something has happened, and what comes next, if that is something new."""
        self.doing = doing or self.doing
        self._last = time.monotonic()

    def _watch(self):
        while time.monotonic() - self._last <= self.seconds:
            time.sleep(0.5)
        leave(
            f"Nothing happened for {self.seconds:g} seconds while {self.doing}: another worker "
            "does not answer, or --timeout is too short for so large a network."
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
    print(end="", flush=True)  # not sys.stdout.flush(): there may be none
    os._exit(status)
