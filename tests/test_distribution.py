"""Data-parallel training: equal to one process, an end when a worker is lost, a restart."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import resnet_lesson
from resnet_lesson import distribution_cluster as cluster
from resnet_lesson.data import load_mnist
from resnet_lesson.distributed import build, main
from resnet_lesson.distribution_checkpoints import KEPT, Checkpoints
from resnet_lesson.distribution_cluster import LOST
from resnet_lesson.distribution_launch import WorkerError, Workers, free_ports
from resnet_lesson.records import Record, load_records
from resnet_lesson.training import train

SMALL = {"images": 640, "updates": 25, "checkpoint_every": 5}
ROOT = Path(resnet_lesson.__file__).parents[1]


@pytest.fixture(scope="module")
def mnist():
    return load_mnist(train=640, val=0, test=0)


def run_python(code, timeout=120, **variables):
    """Run lines of Python in a process of their own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


def wait_for(happened, seconds=60):
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.02)


# ----- equal to one process


@pytest.mark.slow
def test_two_workers_compute_what_one_process_computes(mnist):
    options = {"normalisation": ["none", "each"], "seeds": [0, 1, 2], **SMALL}
    with Workers(2, options) as started:
        records = started.records()
        assert started.lines[0][-1] == started.lines[1][-1]  # both have the same losses
    assert [record.name.split()[-1] for record in records] == ["none"] * 3 + ["each"] * 3
    apart = {"none": [], "each": []}
    for normalisation in apart:
        model = build(8, normalisation)
        for seed in (0, 1, 2):
            alone = train(model, mnist, seed=seed, updates=25, progress=False)
            (record,) = (
                r for r in records if (r.name.split()[-1], r.seed) == (normalisation, seed)
            )
            assert record.loss[0] != record.loss[1]
            assert record.accuracy == pytest.approx(alone.accuracy, abs=0.05)
            loss = np.abs(np.subtract(record.loss, alone.loss)).max()
            weights = zip(record.weights, alone.weights, strict=True)
            apart[normalisation].append((loss, max(np.abs(a - b).max() for a, b in weights)))
    assert np.max(apart["none"]) < 1e-4
    assert np.min(apart["each"]) > 1e-3  # each worker's own statistics are not those of the batch


MIRRORED = """
import resnet_lesson, numpy as np
from resnet_lesson.distribution import mirrored
strategy = mirrored(2)
import keras, tensorflow as tf
from resnet_lesson.data import load_mnist
from resnet_lesson.distributed import build
from resnet_lesson.training import train
mnist = load_mnist(train=640, val=100, test=100)
assert mirrored(2).num_replicas_in_sync == 2  # once more is no error
options = {"seed": 1, "updates": 20, "progress": False}
alone = train(build(8, "none"), mnist, **options)
both = train(build(8, "none", strategy), mnist, strategy=strategy, **options)
np.testing.assert_allclose(both.loss, alone.loss, atol=1e-4)
for one, other in zip(both.weights, alone.weights, strict=True):
    np.testing.assert_allclose(one, other, atol=1e-4)
assert both.epochs[0]["val_loss"] and abs(both.test_loss - alone.test_loss) < 1e-3

finals = []
for scope in (strategy, tf.distribute.get_strategy()):
    model = build(8, "none", scope)
    from resnet_lesson.models import reset_weights
    reset_weights(model, 0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with scope.scope():
        model.compile(keras.optimizers.Adam(2e-3), loss, jit_compile=False)
    fitted = model.fit(mnist.train.images, mnist.train.labels, 64, 2, shuffle=False, verbose=0)
    finals.append(fitted.history["loss"])
np.testing.assert_allclose(*finals, atol=1e-4)

for model, size, word in ((build(8, "none"), 64, "scope"), (build(8, "none", strategy), 63, "mul")):
    try:
        train(model, mnist, batch_size=size, strategy=strategy, **options)
    except ValueError as error:
        assert word in str(error) and "Received: " in str(error), error
    else:
        raise AssertionError(word)
print("good")
"""


@pytest.mark.slow
def test_two_logical_devices_compute_what_one_does_in_our_loop_and_in_fit():
    done = run_python(MIRRORED)
    assert done.stdout.endswith("good\n"), done.stdout + done.stderr


GRADIENTS = """
import resnet_lesson, numpy as np
from resnet_lesson.distribution import average, mirrored, on_replicas, shares
strategy = mirrored(2)
import keras, tensorflow as tf
keras.config.set_floatx("float64")  # in float32, rounding flips a ReLU now and then
from resnet_lesson.data import load_mnist
from resnet_lesson.distributed import build
from resnet_lesson.models import reset_weights
examples = load_mnist(train=64, val=0, test=0).train
images, labels = examples.images.astype("float64"), examples.labels

def gradients_of(model):
    def gradients(images, labels):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        found = tape.gradient(loss, model.trainable_variables)
        return average(found) if tf.distribute.get_strategy() is strategy else found
    return gradients

for normalisation in ("none", "each", "all"):
    here, there = build(8, normalisation), build(8, normalisation, strategy)
    reset_weights(here, 0), reset_weights(there, 0)
    whole = gradients_of(here)(images, labels)
    step = tf.function(on_replicas(strategy, gradients_of(there)), autograph=False)
    parts = step(shares(strategy, images), shares(strategy, labels))
    flat = [np.concatenate([np.ravel(one) for one in each]) for each in (whole, parts)]
    apart = np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[0])
    print(normalisation, apart)
    assert (apart < 1e-9) == (normalisation != "each"), (normalisation, apart)
"""


@pytest.mark.slow
def test_the_mean_of_the_gradients_is_the_gradient_but_for_normalisation_by_shares():
    done = run_python(GRADIENTS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_strategy_of_a_wrong_kind(mnist):
    with pytest.raises(TypeError, match="strategy must be a tf.distribute.*Received: 'two'"):
        train(build(8, "none"), mnist, progress=False, strategy="two")


@pytest.mark.slow
@pytest.mark.parametrize("call", ["mirrored(2)", "multi_worker()"])
def test_a_strategy_that_comes_too_late(call):
    config = {
        "cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]},
        "task": {"type": "worker", "index": 0},
    }
    code = (
        "import resnet_lesson, keras\nfrom resnet_lesson.distribution import *\n"
        f"keras.ops.ones(3)\n{call}"
    )
    done = run_python(code, TF_CONFIG=json.dumps(config))
    assert "before TensorFlow's first operation" in done.stderr
    assert "Received: " in done.stderr


# ----- checkpoints


def same_weights(one, other):
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.loss == other.loss
    assert len(one.seconds) == len(other.seconds)
    assert one.epochs == other.epochs


@pytest.mark.slow
def test_a_run_goes_on_from_its_checkpoint(mnist, tmp_path):
    """The checkpoint lies in the middle of an epoch, and the learning rate falls behind it."""
    model = build(8, "each")
    options = {"seed": 3, "learning_rate": [(0, 2e-3), (16, 5e-4)], "progress": False}
    whole = train(model, mnist, updates=25, **options)
    places = Checkpoints(tmp_path, every=7)
    train(model, mnist, updates=15, checkpoints=places, **options)
    assert places.found() == [7, 14]
    again = train(build(8, "each"), mnist, updates=25, checkpoints=places, **options)
    same_weights(again, whole)
    assert places.found() == [14, 21]
    assert len(places.found()) == KEPT
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz"}  # nothing partial is left


def test_a_checkpoint_that_does_not_fit(tmp_path):
    places = Checkpoints(tmp_path, every=2)
    variables = [tf.Variable([1.0, 2.0])]

    def record(**changes):
        values = {
            "name": "x", "seed": 1, "parameters": 2, "batch_size": 4, "learning_rate": 0.1,
            "updates": 9,
        }  # fmt: skip
        return Record(**values | changes)

    assert places.restore(record(), variables) == 0
    assert places.found() == []
    full = record(loss=[1.0, 2.0], accuracy=[0.5, 0.5], seconds=[0.1, 0.2])
    places.save(full, variables)
    places.save(record(loss=[1.0] * 3), variables)  # not due
    assert places.found() == [2]
    variables[0].assign([0.0, 0.0])
    found = record()
    assert places.restore(found, variables) == 2
    assert (variables[0].numpy().tolist(), found.loss) == ([1.0, 2.0], [1.0, 2.0])
    for change, word in (
        ({"seed": 2}, "the same seed"),
        ({"batch_size": 8}, "the same batch_size"),
        ({"updates": 1}, "not be of more updates"),
    ):
        with pytest.raises(ValueError, match=f"checkpoint must .*{word}.*Received: "):
            places.restore(record(**change), variables)
    with pytest.raises(ValueError, match="the same network.*Received: "):
        places.restore(record(), [tf.Variable([1.0])])
    whole = (tmp_path / "update_00000002.npz").read_bytes()
    (tmp_path / "update_00000002.npz").write_bytes(whole[:100])
    with pytest.raises(ValueError, match="must be a whole file.*Received: .*npz"):
        places.restore(record(), variables)
    with pytest.raises(ValueError, match="every must be 1 or more. Received: 0"):
        Checkpoints(tmp_path, 0)


# ----- a worker is lost


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_the_run_and_a_restart_goes_on(tmp_path, victim):
    options = {**SMALL, "updates": 600, "checkpoint_every": 20}
    killed = options | {"folder": tmp_path / "killed", "updates": 100_000}
    place = Checkpoints(tmp_path / "killed" / "none_0", 20)
    with Workers(2, killed) as started:
        wait_for(lambda: place.found() and place.found()[-1] >= 40)
        started.processes[victim].send_signal(signal.SIGKILL)
        since = time.monotonic()
        with pytest.raises(WorkerError) as error:
            started.records()
        assert time.monotonic() - since < 30
        assert started.processes[1 - victim].returncode == LOST
    told = str(error.value).splitlines()
    assert told[victim] == f"Worker {victim} was killed by SIGKILL."
    assert f"Worker {1 - victim} ended with exit status {LOST}: Lost another" in told[1 - victim]
    begun = place.found()[-1]
    assert 40 <= begun < 99_000
    to_the_end = {"updates": begun + 25}
    with Workers(2, killed | to_the_end) as started:
        (again,) = started.records()
        assert f"Going on from update {begun}." in started.lines[0]
    with Workers(2, options | to_the_end) as started:
        (whole,) = started.records()
    same_weights(again, whole)


def test_the_watchdog_ends_a_process_in_which_nothing_happens():
    code = (
        "import time; from resnet_lesson.distribution_cluster import Watchdog; "
        "Watchdog(0.4).beat('training'); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == LOST
    assert "Nothing happened for 0.4 seconds while training" in done.stderr


@pytest.mark.slow
def test_a_worker_that_falls_silent_ends_the_run(tmp_path):
    """It is stopped, not killed: its connections stay open, as when a machine loses power.

    Our watchdog notices, or TensorFlow, whose workers tell each other that they are alive.
    """
    options = {"updates": 100_000, "timeout": 15, "folder": tmp_path, "checkpoint_every": 10}
    with Workers(2, {**SMALL, **options}) as started:
        place = Checkpoints(tmp_path / "none_0")
        wait_for(place.found)  # they have begun to train
        started.processes[1].send_signal(signal.SIGSTOP)
        since = time.monotonic()
        noticed = "Nothing happened for 15 seconds|Lost another worker"
        with pytest.raises(WorkerError, match=f"({noticed}) while training"):
            started.records()
        assert time.monotonic() - since < 60
        assert started.processes[0].returncode == LOST


@pytest.fixture
def worker():
    """Start one worker by hand, as on a machine of its own; none outlives the test."""
    started = []

    def start(index, ports, *options):
        addresses = [f"127.0.0.1:{port}" for port in ports]
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CONFIG": json.dumps(task)}
        command = [sys.executable, "-m", "resnet_lesson.distributed", "--images", "640", *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1])
def test_a_worker_whose_peer_never_comes(index, worker):
    ports = free_ports(2)
    process = worker(index, ports, "--timeout", "3")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == LOST
    assert f"waited 3 seconds for worker {1 - index} (127.0.0.1:{ports[1 - index]})." in errors


@pytest.mark.slow
def test_a_peer_that_dies_before_the_strategy_is_made(worker):
    """No Python runs in a worker that waits there: not even a thread could end it."""
    ports = free_ports(2)
    process = worker(0, ports, "--timeout", "8")
    cluster.meet([f"127.0.0.1:{port}" for port in ports], 1, 40)
    _, errors = process.communicate(timeout=50)
    assert process.returncode == 1
    assert "Timeout" in errors
    assert "in multi_worker" in errors


@pytest.mark.slow
def test_without_a_launcher_the_survivor_ends_by_itself(worker):
    ports = free_ports(2)
    options = ("--updates", "100000", "--threads", "1", "--timeout", "20")
    first, second = (worker(i, ports, *options) for i in (0, 1))
    time.sleep(12)
    assert first.poll() is None
    second.kill()
    _, errors = first.communicate(timeout=60)
    second.wait()
    assert first.returncode == LOST
    assert "Lost another worker while training" in errors


@pytest.mark.slow
def test_workers_end_with_the_process_that_started_them():
    code = (
        "import os, resnet_lesson\nfrom resnet_lesson.distributed import Workers\n"
        "started = Workers(2, {'updates': 100000})\n"
        "print(*(process.pid for process in started.processes), flush=True)\nos._exit(0)"
    )
    pids = [int(pid) for pid in run_python(code).stdout.split()]
    assert len(pids) == 2

    def gone():
        return not any(alive(pid) for pid in pids)

    wait_for(gone)


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


# ----- what tells a worker who it is

GOOD = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}


def test_tf_config():
    assert cluster.read_tf_config(json.dumps(GOOD)) == (["a:1", "b:2"], 1)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", "must be JSON"),
        ("{'cluster'", "must be JSON"),
        ([1], "must be a JSON object"),
        ({"task": GOOD["task"]}, "must have an object 'cluster'"),
        ({"cluster": {"chief": ["a:1"]}, "task": GOOD["task"]}, "of one kind of task, 'worker'"),
        ({"cluster": GOOD["cluster"]}, "must have an object 'task'"),
        (GOOD | {"task": {"type": "ps", "index": 0}}, "a task of type 'worker'"),
        (GOOD | {"cluster": {"worker": []}}, "must list the workers' addresses"),
        (GOOD | {"cluster": {"worker": "a:1"}}, "must list the workers' addresses"),
        (GOOD | {"cluster": {"worker": ["a", "b:2"]}}, "as 'host:port', not 'a'"),
        (GOOD | {"cluster": {"worker": ["a:99999"]}}, "as 'host:port', not 'a:99999'"),
        (GOOD | {"cluster": {"worker": ["a:1", "a:1"]}}, "must not name an address twice"),
        (GOOD | {"task": {"type": "worker", "index": 2}}, "an index from 0 to 1, with 2 addresses"),
        (GOOD | {"task": {"type": "worker", "index": "1"}}, "a whole number as the task's index"),
        (GOOD | {"task": {"type": "worker"}}, "a whole number as the task's index"),
    ],
)
def test_malformed_tf_config(config, message, monkeypatch, capsys):
    text = config if isinstance(config, str) else json.dumps(config)
    with pytest.raises(ValueError, match=f"TF_CONFIG .*{message}.* Received: "):
        cluster.read_tf_config(text)
    if text:
        monkeypatch.setenv("TF_CONFIG", text)
        assert main([]) == 1
        assert message in capsys.readouterr().err


def test_workers_are_not_started_by_a_worker(monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", json.dumps(GOOD))
    assert main(["--workers", "2"]) == 1
    assert capsys.readouterr().err.endswith("Received: --workers 2\n")


def test_slurm(monkeypatch):
    variables = {
        "STEP_NODELIST": "n[01-02],big",
        "STEP_TASKS_PER_NODE": "1(x2),2",
        "PROCID": "3",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    addresses, index = cluster.read_tf_config(cluster.slurm_tf_config(7000))
    assert (addresses, index) == (["n01:7000", "n02:7000", "big:7000", "big:7001"], 3)


def test_slurm_without_slurm(monkeypatch, capsys):
    for name in [name for name in os.environ if name.startswith("SLURM")]:
        monkeypatch.delenv(name)
    assert main(["--slurm"]) == 1
    error = capsys.readouterr().err
    assert "start the command with srun" in error
    assert "Received: {'SLURM_STEP_NODELIST': None" in error


def test_ports_are_free_and_differ():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(20000 <= port < 32000 for port in ports)


@pytest.mark.slow
def test_at_the_end_tensorflow_is_silent_and_python_is_not():
    code = (
        "import os\nfrom resnet_lesson import distribution_cluster as cluster\n"
        "cluster.silence_tensorflow()\nos.write(2, b'noise')\ncluster.leave('goodbye', 7)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (7, "goodbye\n")


@pytest.mark.slow
def test_the_command_line_where_a_proxy_is_set(tmp_path):
    command = [sys.executable, "-m", "resnet_lesson.distributed"]
    options = ["--workers", "2", "--updates", "5", "--images", "640", "--depth"]
    environment = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    nowhere = "http://127.0.0.1:9"  # the port that discards everything
    environment |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY"), nowhere)
    run = {"capture_output": True, "text": True, "env": {**environment, "PYTHONPATH": str(ROOT)}}
    result = ["--result", str(tmp_path / "records.npz")]
    done = subprocess.run([*command, *options, "8", *result], **run, timeout=100)
    assert done.returncode == 0, done.stderr
    (record,) = load_records(tmp_path / "records.npz")
    assert len(record.loss) == 5
    lines = sorted(done.stdout.splitlines())
    assert [line.split("]")[0] for line in lines] == ["[worker 0", "[worker 1"]
    assert all("seed 0: loss " in line for line in lines)
    bad = subprocess.run([*command, *options, "9"], **run, timeout=100)
    assert bad.returncode == 1
    assert "depth must be 6n + 2" in bad.stderr
    assert "Received: 9" in bad.stderr
