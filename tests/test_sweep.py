"""Sweeps: worker processes equal single runs, interrupts and deaths keep what was measured."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from test_training import InterruptingBar, small_network, third_epoch_slower_then_end

from resnet_lesson import sweep as sweeping
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network
from resnet_lesson.plumbing import processes
from resnet_lesson.sweep import _tasks, sweep
from resnet_lesson.training import train

pytestmark = pytest.mark.slow  # each worker starts a TensorFlow of its own

CONFIGS = {
    "plain 8": {"depth": 8, "shortcut": "none"},
    "residual 8": {"depth": 8, "shortcut": "padded"},
}


@pytest.fixture(scope="module")
def mnist():
    return load_mnist(train=640, val=100, test=200)


def test_tasks_keep_all_workers_busy():
    assert _tasks({"a": 56}, [0, 1, 2], 1, 300) == [("a", [0, 1, 2])]
    assert _tasks({"a": 56}, [0, 1, 2], 2, 300) == [("a", [0, 2]), ("a", [1])]
    # As many networks as workers, and none is larger: nothing is traced twice.
    assert _tasks({"a": 56, "b": 56}, [0, 1], 2, 300) == [("a", [0, 1]), ("b", [0, 1])]
    # Three networks for two workers: one of them is shared.
    three = _tasks({"a": 8, "b": 8, "c": 8}, [0, 1, 2], 2, 300)
    assert three == [("a", [0, 1, 2]), ("b", [0, 1, 2]), ("c", [0, 2]), ("c", [1])]
    # One deep network would keep a worker while the other has nothing to do.
    two = _tasks({"shallow": 8, "deep": 56}, [0, 1, 2], 2, 300)
    assert two == [("deep", [0, 2]), ("deep", [1]), ("shallow", [0, 1, 2])]
    # Short runs are not worth a second tracing.
    assert len(_tasks({"shallow": 8, "deep": 56}, [0, 1, 2], 2, 5)) == 2
    for workers in (1, 2, 3, 7):
        tasks = _tasks({"a": 56, "b": 8, "c": 1}, [4, 5, 6, 7], workers, 300)
        assert sorted((name, seed) for name, seeds in tasks for seed in seeds) == sorted(
            (name, seed) for name in "abc" for seed in (4, 5, 6, 7)
        )


def test_sweep_in_workers_equals_single_runs(mnist):
    records, again = (
        sweep(CONFIGS, [0, 1], mnist, updates=6, workers=2, progress=False) for _ in range(2)
    )
    pairs = [("plain 8", 0), ("plain 8", 1), ("residual 8", 0), ("residual 8", 1)]
    assert [(record.name, record.seed) for record in records] == pairs
    assert [record.loss for record in records] == [record.loss for record in again]
    assert [record.config for record in records] == [CONFIGS[name] for name, _ in pairs]
    in_process = sweep(CONFIGS, [0, 1], mnist, updates=6, workers=1, progress=False)
    for there, here in zip(records, in_process, strict=True):
        # The number of threads may change the order of additions, and with it the last digits.
        np.testing.assert_allclose(there.loss, here.loss, rtol=1e-3)
        assert there.test_logits.shape == (200, 10)
        model = network(**CONFIGS[there.name])
        model.set_weights(there.weights)
        logits = model(mnist.test.images, training=False).numpy()
        np.testing.assert_allclose(there.test_logits, logits, rtol=1e-3, atol=1e-3)
    single = train(network(8, "none"), mnist, seed=1, updates=6, progress=False)
    assert in_process[1].loss == single.loss


def test_each_network_can_have_its_own_learning_rate(mnist):
    rates = {"residual 8": [(0, 1e-3), (3, 1e-4)], "plain 8": 4e-3}
    options = {"updates": 6, "workers": 1, "progress": False}
    together = sweep(CONFIGS, [0], mnist, learning_rate=rates, **options)
    for record in together:
        alone = {record.name: CONFIGS[record.name]}
        [single] = sweep(alone, [0], mnist, learning_rate=rates[record.name], **options)
        assert record.loss == single.loss
    assert together[0].loss != sweep(CONFIGS, [0], mnist, **options)[0].loss


def test_workers_take_functions_of_a_module(mnist):
    records = sweep(
        {"dense": {"dropout": 0}}, [0, 1], mnist, updates=60, build=small_network,
        after_epoch=third_epoch_slower_then_end, workers=2, progress=False,
    )  # fmt: skip
    assert [len(record.loss) for record in records] == [40, 40]
    assert [record.parameters for record in records] == [7850, 7850]


@pytest.fixture
def interrupted(monkeypatch):
    monkeypatch.setattr(sweeping, "progress_bar", lambda *args: InterruptingBar())


@pytest.mark.parametrize("processes", [1, 2])
def test_interrupted_sweep_returns_what_was_measured(mnist, processes, interrupted, capsys):
    records = sweep(CONFIGS, [0, 1], mnist, updates=100_000, workers=processes)
    assert records
    assert all(record.interrupted for record in records)
    assert any(0 < len(record.loss) < 100_000 for record in records)
    assert "runs are missing or cut short" in capsys.readouterr().out


def test_interrupt_between_two_runs(mnist, capsys):
    """Where no training runs, but the next network is being built."""
    builders = iter([network] * 3)  # two tries before the first run, and the first run

    def network_or_interrupt(**config):
        if (build := next(builders, None)) is None:
            raise KeyboardInterrupt
        return build(**config)

    records = sweep(
        CONFIGS, [0], mnist, updates=2, workers=1, progress=False, build=network_or_interrupt
    )
    assert [len(record.loss) for record in records] == [2]
    assert "1 of 2 runs are missing" in capsys.readouterr().out


def test_a_worker_that_dies_is_told(mnist, monkeypatch):
    monkeypatch.setattr(processes, "_start_worker", os._exit)  # gets an argument that it dislikes
    with pytest.raises(RuntimeError, match="a worker process died.*Received: workers=2"):
        sweep(CONFIGS, [0], mnist, updates=5, workers=2, progress=False)


class KillingBar(InterruptingBar):
    """A progress bar that kills a worker when enough updates were made."""

    def __init__(self, after):
        super().__init__(None)
        self.after = after

    def update(self, n=1):
        super().update(n)
        if self.n > self.after:
            self.after = np.inf
            multiprocessing.active_children()[0].kill()


def test_runs_that_were_finished_outlive_a_worker(mnist, monkeypatch):
    updates, seeds = 40, list(range(8))
    # One of the two workers has then made more updates than its first run has.
    monkeypatch.setattr(sweeping, "progress_bar", lambda *args: KillingBar(2 * updates))
    with pytest.raises(RuntimeError, match="`records` are the .* of 16 runs .*workers=2") as caught:
        sweep(CONFIGS, seeds, mnist, updates=updates, workers=2)
    records = caught.value.records
    assert f"are the {len(records)} of 16" in str(caught.value)
    assert 0 < len(records) < 16
    assert all(len(record.loss) == updates and not record.interrupted for record in records)
    order = [(name, seed) for name in CONFIGS for seed in seeds]
    places = [order.index((record.name, record.seed)) for record in records]
    assert places == sorted(places)


EARLY = """
from test_sweep import CONFIGS
from resnet_lesson.data import load_mnist
from resnet_lesson.sweep import sweep
if GUARD:
    data = load_mnist(train=6400, val=0, test=0)
    print("ready", flush=True)
    records = sweep(CONFIGS, [0], data, updates=10**6, workers=2, progress=False)
    print(all(record.interrupted for record in records))
"""


def start(script, text):
    """Start a script in a process group of its own, which does not ignore Ctrl-C."""
    script.write_text(text)
    tests = Path(__file__).parent
    return subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": f"{tests}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.parametrize("seconds", [1, 3])
def test_interrupt_while_the_workers_start(tmp_path, seconds):
    process = start(tmp_path / "early.py", EARLY.replace("GUARD", '__name__ == "__main__"'))
    assert process.stdout.readline() == "ready\n"
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal and Jupyter do: the whole group
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert out.endswith("True\n")


def test_a_script_without_a_main_guard_is_told(tmp_path):
    process = start(tmp_path / "unguarded.py", EARLY.replace("GUARD", "True"))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert 'outside of `if __name__ == "__main__":`' in errors


KILLED = """
import signal
from test_sweep import CONFIGS, InterruptingBar
from resnet_lesson import sweep
from resnet_lesson.data import load_mnist
if __name__ == "__main__":
    sweep.progress_bar = lambda *args: InterruptingBar(signal.SIGKILL)
    sweep.sweep(CONFIGS, [0], load_mnist(train=640, val=0, test=0), updates=10**6, workers=2)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path):
    process = start(tmp_path / "killed.py", KILLED)
    assert process.wait(120) == -signal.SIGKILL
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            os.killpg(process.pid, 0)  # does a process of that group still live?
        except ProcessLookupError:
            return
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    pytest.fail("a worker outlived its parent")


def test_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert processes.cores() == 1
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS and Windows
    assert processes.cores() == 64


def test_workers_share_a_gpu(monkeypatch):
    grown = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind}:0"])
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, wanted: grown.append((gpu, wanted))
    )
    processes._share_gpus()
    assert grown == [("GPU:0", True)]


def test_a_function_of_a_notebook_is_refused(monkeypatch):
    processes.check_workers_find("after_epoch", third_epoch_slower_then_end)
    processes.check_workers_find("after_epoch", None)
    with pytest.raises(ValueError, match="build must be a function of a module.*<lambda>"):
        processes.check_workers_find("build", lambda record: None)
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__file__", "script.py", raising=False)  # pytest-xdist's has none
    monkeypatch.setattr(main, "next_rate", third_epoch_slower_then_end, raising=False)
    monkeypatch.setattr(third_epoch_slower_then_end, "__module__", "__main__")
    monkeypatch.setattr(third_epoch_slower_then_end, "__qualname__", "next_rate")
    # A script's own function: workers read the script again.
    processes.check_workers_find("after_epoch", third_epoch_slower_then_end)
    monkeypatch.delattr(main, "__file__")
    with pytest.raises(ValueError, match="a worker process cannot find it. Received: <function"):
        processes.check_workers_find("after_epoch", third_epoch_slower_then_end)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seeds": [1, 0, 1]}, r"seeds must be all different. Received: \[1, 0, 1\]"),
        ({"configs": {"a": {"depth": 9}}}, "depth must be .*Received: 9"),
        ({"configs": {"a": {"deep": 8}}}, "unexpected keyword argument 'deep'"),
        ({"configs": {"a": {"depth": 8, "classes": 5}}}, "data.train.labels must be from 0 to 4"),
        ({"data": [1]}, "data must be Dataset.*Received: list"),
        ({"batch_size": 641}, "Received: batch_size=641, 640 images"),
        ({"learning_rate": [(0,)]}, r"learning_rate must be .*Received: \[\(0,\)\]"),
        ({"learning_rate": {"plain 8": 1e-3}}, r"must have the names of configs. .*\{'plain 8'"),
        ({"after_epoch": lambda record: 1.0}, "after_epoch must be a function of a module"),
        ({"build": lambda depth: None}, "build must be a function of a module"),
    ],
)
def test_bad_sweeps_start_no_worker(mnist, arguments, message, monkeypatch):
    monkeypatch.setattr(sweeping, "run_in_workers", lambda *args: pytest.fail("they were started"))
    with pytest.raises((TypeError, ValueError), match=message):
        sweep(**({"configs": CONFIGS, "seeds": [0], "data": mnist, "workers": 2} | arguments))
