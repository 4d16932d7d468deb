"""Data-parallel training: equal to one process, an end when a worker is lost, a restart."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import tensorflow as tf

import resnet_lesson
from resnet_lesson.data import load_mnist
from resnet_lesson.distributed import cluster, replicas
from resnet_lesson.distributed.__main__ import main
from resnet_lesson.distributed.checkpoints import KEPT, Checkpoints
from resnet_lesson.distributed.cluster import LOST
from resnet_lesson.distributed.launch import WorkerError, Workers, as_arguments, free_ports
from resnet_lesson.distributed.trainer import DistributedTrainer
from resnet_lesson.distributed.worker import build
from resnet_lesson.runs import Record, load_records
from resnet_lesson.training import Trainer

SMALL = {"images": 640, "updates": 25, "checkpoint_every": 5}
ENDLESS = 100_000
ROOT = Path(resnet_lesson.__file__).parents[1]
COMMAND = [sys.executable, "-m", "resnet_lesson.distributed"]
NOT_OURS = ("TF_CONFIG", "SLURM")


@pytest.fixture(scope="module")
def mnist():
    return load_mnist(train=640, val=0, test=0)


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    """Hide that the tests themselves may run in a cluster."""
    for name in [name for name in os.environ if name.startswith(NOT_OURS)]:
        monkeypatch.delenv(name)


def run(command, **variables):
    """Run a command in a process of its own, with changed environment variables."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def run_python(code, **variables):
    return run([sys.executable, "-c", code], **variables)


def wait_for(happened, seconds=60):
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.02)


# -- Equal to one process --------------------------------------------------------------------------


@pytest.mark.slow
def test_two_workers_compute_what_one_process_computes(mnist):
    seeds, apart = [0, 1, 2], {"none": [], "each": []}
    with Workers(2, {"normalisation": list(apart), "seeds": seeds, **SMALL}) as started:
        records = started.records()
        assert started.lines[0][-1] == started.lines[1][-1]  # both have the same losses
    assert [record.seed for record in records] == seeds * 2
    trainers = {normalisation: Trainer(build(8, normalisation)) for normalisation in apart}
    for record in records:
        normalisation = record.config["normalisation"]
        alone = trainers[normalisation].run(mnist, record.seed, updates=25)
        assert record.loss[0] != record.loss[1]
        assert record.accuracy == pytest.approx(alone.accuracy, abs=0.05)
        loss = np.abs(np.subtract(record.loss, alone.loss)).max()
        weights = zip(record.weights, alone.weights, strict=True)
        apart[normalisation].append((loss, max(np.abs(a - b).max() for a, b in weights)))
    assert np.max(apart["none"]) < 1e-4
    assert np.min(apart["each"]) > 1e-3  # each worker's own statistics are not those of the batch


TWO_DEVICES = """
import resnet_lesson, keras, numpy as np, tensorflow as tf
from resnet_lesson.distributed.replicas import average, mirrored, on_replicas, shares
strategy, one_device = mirrored(2), tf.distribute.get_strategy()
from resnet_lesson.data import load_mnist
from resnet_lesson.distributed.trainer import DistributedTrainer
from resnet_lesson.distributed.worker import build
from resnet_lesson.models import reset_weights
from resnet_lesson.training import Trainer
mnist = load_mnist(train=640, val=100, test=100)
assert mirrored(2).num_replicas_in_sync == 2  # once more is no error
"""

LOOP_AND_FIT = """
alone = Trainer(build(8, "none")).run(mnist, seed=1, updates=20)
both = DistributedTrainer(build(8, "none", strategy), strategy=strategy)
both = both.run(mnist, seed=1, updates=20)
np.testing.assert_allclose(both.loss, alone.loss, atol=1e-4)
for one, other in zip(both.weights, alone.weights, strict=True):
    np.testing.assert_allclose(one, other, atol=1e-4)
assert both.epochs[0]["val_loss"] and abs(both.test_loss - alone.test_loss) < 1e-3

finals = []
for scope in (strategy, one_device):
    model = build(8, "none", scope)
    reset_weights(model, 0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with scope.scope():
        model.compile(keras.optimizers.Adam(2e-3), loss, jit_compile=False)
    fitted = model.fit(mnist.train.images, mnist.train.labels, 64, 2, shuffle=False, verbose=0)
    finals.append(fitted.history["loss"])
np.testing.assert_allclose(*finals, atol=1e-4)

for scope, size, word in ((one_device, 64, "scope"), (strategy, 63, "multiple")):
    try:
        DistributedTrainer(build(8, "none", scope), size, strategy=strategy)
    except ValueError as error:
        assert word in str(error) and "Received: " in str(error), error
    else:
        raise AssertionError(word)
"""

GRADIENTS = """
keras.config.set_floatx("float64")  # in float32, rounding flips a ReLU now and then
images, labels = mnist.train.images[:64].astype("float64"), mnist.train.labels[:64]

def gradients_of(model):
    def gradients(images, labels):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        return average(tape.gradient(loss, model.trainable_variables))
    return gradients

for normalisation in ("none", "each", "all"):
    found = []
    for scope in (one_device, strategy):
        model = build(8, normalisation, scope)
        reset_weights(model, 0)
        step = tf.function(on_replicas(scope, gradients_of(model)), autograph=False)
        gradients = step(shares(scope, images), shares(scope, labels))
        found.append(np.concatenate([np.ravel(one) for one in gradients]))
    apart = np.linalg.norm(found[0] - found[1]) / np.linalg.norm(found[0])
    assert (apart < 1e-9) == (normalisation != "each"), (normalisation, apart)
"""


@pytest.mark.slow
@pytest.mark.parametrize("code", [LOOP_AND_FIT, GRADIENTS], ids=["loop and fit", "gradients"])
def test_two_logical_devices_compute_what_one_does(code):
    """But for normalisation by shares, whose gradient is another one."""
    done = run_python(TWO_DEVICES + code)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("call", ["mirrored(2)", "multi_worker()"])
def test_a_strategy_that_comes_too_late(call):
    code = "import resnet_lesson, keras\nfrom resnet_lesson.distributed.replicas import *\n"
    done = run_python(f"{code}keras.ops.ones(3)\n{call}", TF_CONFIG=json.dumps(GOOD))
    assert "before TensorFlow's first operation" in done.stderr
    assert "Received: " in done.stderr


# -- Checkpoints -----------------------------------------------------------------------------------


def same_run(one, other):
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.loss == other.loss
    assert len(one.seconds) == len(other.seconds)
    assert one.epochs == other.epochs


@pytest.mark.slow
def test_a_run_goes_on_from_its_checkpoint(mnist, tmp_path):
    """The checkpoint lies in the middle of an epoch, and the learning rate falls behind it."""
    rates = [(0, 2e-3), (16, 5e-4)]
    checkpoints = Checkpoints(tmp_path, every=7)
    trainer = DistributedTrainer(build(8, "each"), 64, rates, checkpoints=checkpoints)
    trainer.run(mnist, seed=3, updates=15)
    assert checkpoints.updates() == [7, 14]
    again = DistributedTrainer(build(8, "each"), 64, rates, checkpoints=checkpoints)
    same_run(
        again.run(mnist, seed=3, updates=25),
        Trainer(build(8, "each"), 64, rates).run(mnist, seed=3, updates=25),
    )
    assert checkpoints.updates() == [14, 21]
    assert len(checkpoints.updates()) == KEPT
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz"}  # nothing partial is left


def test_a_checkpoint_that_does_not_fit(tmp_path):
    checkpoints = Checkpoints(tmp_path, every=2)
    variables = [tf.Variable([1.0, 2.0])]

    def record(**changes):
        values = {"name": "x", "seed": 1, "parameters": 2, "batch_size": 4, "learning_rate": 0.1}
        return Record(**{**values, "updates": 9, **changes})

    assert checkpoints.restore(record(), variables) == 0
    assert checkpoints.updates() == []
    full = record(loss=[1.0, 2.0], accuracy=[0.5, 0.5], seconds=[0.1, 0.2])
    checkpoints.save(full, variables)
    checkpoints.save(record(loss=[1.0] * 3), variables)  # not due
    assert checkpoints.updates() == [2]
    variables[0].assign([0.0, 0.0])
    found = record()
    assert checkpoints.restore(found, variables) == 2
    assert (variables[0].numpy().tolist(), found.loss) == ([1.0, 2.0], [1.0, 2.0])
    for change, wanted, received in (
        ({"seed": 2}, "'seed': 2", "'seed': 1"),
        ({"batch_size": 8}, "'batch_size': 8", "'batch_size': 4"),
        ({"updates": 1}, "1 updates at most", "2 updates"),
    ):
        message = f"checkpoint must be of a run with .*{wanted}.*Received: .*{received}"
        with pytest.raises(ValueError, match=message):
            checkpoints.restore(record(**change), variables)
    with pytest.raises(ValueError, match="Shape mismatch"):
        checkpoints.restore(record(), [tf.Variable([1.0])])
    file = tmp_path / "update_00000002.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match="whole file of records. Received: .*update_00000002.npz"):
        checkpoints.restore(record(), variables)


# -- A worker is lost ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_the_run_and_a_restart_goes_on(tmp_path, victim):
    folder = {"folder": tmp_path}
    often = {**SMALL, "checkpoint_every": 20}
    checkpoints = Checkpoints(tmp_path / "none_0")
    with Workers(2, {**often, **folder, "updates": ENDLESS}) as started:
        wait_for(lambda: checkpoints.latest() >= 40)
        started.processes[victim].send_signal(signal.SIGKILL)
        since = time.monotonic()
        with pytest.raises(WorkerError) as error:
            started.records()
        assert time.monotonic() - since < 30
        assert started.processes[1 - victim].returncode == LOST
    told = str(error.value).splitlines()
    assert told[victim] == f"Worker {victim} was killed by SIGKILL."
    assert f"Worker {1 - victim} ended with exit status {LOST}: Lost another" in told[1 - victim]
    begun = checkpoints.latest()
    assert 40 <= begun < ENDLESS
    to_the_end = {**often, "updates": begun + 25}
    with Workers(2, to_the_end | folder) as started:
        (again,) = started.records()
        assert f"Going on from update {begun}." in started.lines[0]
    with Workers(2, to_the_end) as started:
        (whole,) = started.records()
    same_run(again, whole)


@pytest.mark.slow
def test_the_watchdog_ends_a_process_in_which_nothing_happens():
    done = run_python(
        "import time; from resnet_lesson.distributed.cluster import Watchdog; "
        "dog = Watchdog(0.4); dog.beat('training'); dog.beat(); time.sleep(60)"
    )
    assert done.returncode == LOST
    assert "Nothing happened for 0.4 seconds while training" in done.stderr


@pytest.mark.slow
def test_a_worker_that_falls_silent_ends_the_run(tmp_path):
    """It is stopped, not killed: its connections stay open, as when a machine loses power.

    Our watchdog notices, or TensorFlow, whose workers tell each other that they are alive.
    """
    options = {**SMALL, "updates": ENDLESS, "timeout": 15, "folder": tmp_path}
    with Workers(2, options) as started:
        wait_for(Checkpoints(tmp_path / "none_0").latest)  # they have begun to train
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
        command = [*COMMAND, "--images", "640", *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_chief_and_a_worker_train_together_and_the_chief_writes(tmp_path):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    jobs, started = {"chief": addresses[:1], "worker": addresses[1:]}, []
    for kind in jobs:
        config = json.dumps({"cluster": jobs, "task": {"type": kind, "index": 0}})
        command = [*COMMAND, "--images", "640", "--updates", "2", "--result", tmp_path / kind]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CONFIG": config}
        started.append(subprocess.Popen(command, env=environment))
    assert [process.wait(120) for process in started] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["chief"]


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
def test_workers_that_find_different_checkpoints_refuse_to_train(worker, tmp_path):
    record = Record("x", 0, 1, 64, 2e-3, 1, loss=[1.0])
    Checkpoints(tmp_path / "0" / "none_0", every=1).save(record, [tf.Variable(1.0)])
    ports = free_ports(2)
    started = [worker(i, ports, "--folder", str(tmp_path / str(i))) for i in (0, 1)]
    for process in started:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "must share the folder of the checkpoints" in errors


@pytest.mark.slow
def test_without_a_launcher_the_survivor_ends_by_itself(worker, tmp_path):
    ports = free_ports(2)
    options = ("--updates", str(ENDLESS), "--threads", "1", "--timeout", "20")
    options += ("--folder", str(tmp_path), "--checkpoint-every", "5")
    first, second = (worker(i, ports, *options) for i in (0, 1))
    wait_for(Checkpoints(tmp_path / "none_0").latest)
    second.kill()
    _, errors = first.communicate(timeout=60)
    assert first.returncode == LOST
    assert "Lost another worker while training" in errors


@pytest.mark.slow
def test_workers_end_with_the_process_that_started_them():
    code = (
        "import os, resnet_lesson\nfrom resnet_lesson.distributed.launch import Workers\n"
        f"started = Workers(2, {{'updates': {ENDLESS}}})\n"
        "print(*(process.pid for process in started.processes), flush=True)\nos._exit(0)"
    )
    pids = [int(pid) for pid in run_python(code).stdout.split()]
    assert len(pids) == 2
    wait_for(lambda: not any(alive(pid) for pid in pids))


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# -- What tells a worker who it is -----------------------------------------------------------------

GOOD = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}


def test_tf_config():
    assert cluster.read_tf_config(json.dumps(GOOD)) == (["a:1", "b:2"], 1)


@pytest.mark.parametrize(
    ("jobs", "kind", "index", "place"),
    [
        ({"chief": ["a:1"], "worker": ["b:2", "c:3"]}, "chief", 0, 0),
        ({"worker": ["b:2", "c:3"], "chief": ["a:1"]}, "worker", 0, 1),
        ({"chief": ["a:1"], "worker": ["b:2", "c:3"]}, "worker", 1, 2),
    ],
)
def test_tf_config_of_a_cluster_with_a_chief(jobs, kind, index, place):
    text = json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})
    assert cluster.read_tf_config(text) == (["a:1", "b:2", "c:3"], place)


@pytest.mark.parametrize(
    ("jobs", "kind", "index", "writes"),
    [
        ({"worker": ["a:1", "b:2"]}, "worker", 0, True),
        ({"worker": ["a:1", "b:2"]}, "worker", 1, False),
        ({"chief": ["a:1"], "worker": ["b:2"]}, "chief", 0, True),
        ({"chief": ["a:1"], "worker": ["b:2"]}, "worker", 0, False),
    ],
)
def test_one_process_of_a_cluster_writes(jobs, kind, index, writes):
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(jobs), task_type=kind, task_id=index
    )
    strategy = SimpleNamespace(cluster_resolver=resolver)
    assert replicas.is_chief(strategy) == writes


@pytest.mark.parametrize(
    "config",
    [
        "{'cluster'",
        [1],
        {"task": GOOD["task"]},
        {"cluster": GOOD["cluster"]},
        GOOD | {"cluster": {"chief": ["a:1"]}},
        {"cluster": {"chief": ["a:1", "b:2"]}, "task": {"type": "chief", "index": 1}},
        GOOD | {"cluster": GOOD["cluster"] | {"evaluator": ["c:3"]}},
        GOOD | {"cluster": GOOD["cluster"] | {"ps": ["c:3"]}},
        GOOD | {"task": {"type": "ps", "index": 0}},
        GOOD | {"task": {"type": "worker"}},
        GOOD | {"cluster": {"worker": []}},
        GOOD | {"cluster": {"worker": "a:1"}},
        GOOD | {"cluster": {"worker": ["a", "b:2"]}},
        GOOD | {"task": {"type": "worker", "index": 2}},
        GOOD | {"task": {"type": "worker", "index": "1"}},
    ],
)
def test_malformed_tf_config(config, monkeypatch, capsys):
    text = config if isinstance(config, str) else json.dumps(config)
    with pytest.raises(ValueError, match="TF_CONFIG must be of the form .* Received: "):
        cluster.read_tf_config(text)
    monkeypatch.setenv("TF_CONFIG", text)
    assert main([]) == 1
    assert "of the form" in capsys.readouterr().err


def test_workers_are_not_started_by_a_worker(capsys):
    with pytest.raises(SystemExit):
        main(["--slurm", "--workers", "2"])
    assert "not allowed with argument --slurm" in capsys.readouterr().err


def test_slurm(monkeypatch):
    """Every task finds its own address, though the list is in another order than Slurm's."""
    monkeypatch.setenv("SLURM_STEP_NODELIST", "n[09-10],n9,m[1,3]")
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", "1(x2),2,1,3")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "8")
    tasks = [("n09", 0), ("n10", 0), ("n9", 0), ("n9", 1), ("m1", 0)]
    tasks += [("m3", local) for local in range(3)]
    lists = []
    for rank, (host, local) in enumerate(tasks):
        monkeypatch.setenv("SLURM_PROCID", str(rank))
        monkeypatch.setenv("SLURM_LOCALID", str(local))
        monkeypatch.setenv("SLURMD_NODENAME", host)
        addresses, index = cluster.read_tf_config(cluster.slurm_tf_config(7000))
        assert addresses[index] == f"{host}:{7000 + local}"
        lists.append(addresses)
    assert all(addresses == lists[0] for addresses in lists)
    assert len(lists[0]) == len(tasks)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", "1(x2)")
    with pytest.raises(ValueError, match="--slurm must .*8 tasks"):
        cluster.slurm_tf_config()


def test_slurm_without_slurm(capsys):
    assert main(["--slurm"]) == 1
    assert "SLURM_PROCID not found" in capsys.readouterr().err


def test_ports_are_free_and_differ():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(20000 <= port < 32000 for port in ports)


def test_options_become_words_of_a_command_line():
    words = as_arguments({"batch_size": 5, "seeds": (0, 1), "folder": Path("a")})
    assert words == ["--batch-size", "5", "--seeds", "0", "1", "--folder", "a"]


@pytest.mark.slow
def test_at_the_end_tensorflow_is_silent_and_python_is_not():
    done = run_python(
        "import os\nfrom resnet_lesson.distributed import cluster\n"
        "cluster.silence_tensorflow()\nos.write(2, b'noise')\ncluster.leave('goodbye', 7)"
    )
    assert (done.returncode, done.stderr) == (7, "goodbye\n")


@pytest.mark.slow
def test_the_command_line_where_a_proxy_is_set(tmp_path):
    nowhere = "http://127.0.0.1:9"  # the port that discards everything
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY"), nowhere)
    command = [*COMMAND, "--workers", "2", "--updates", "5", "--images", "640", "--depth"]
    done = run([*command, "8", "--result", str(tmp_path / "records.npz")], **proxies)
    assert done.returncode == 0, done.stderr
    (record,) = load_records(tmp_path / "records.npz")
    assert len(record.loss) == 5
    lines = sorted(done.stdout.splitlines())
    assert [line.split("]")[0] for line in lines] == ["[worker 0", "[worker 1"]
    assert all("seed 0: loss " in line for line in lines)
    bad = run([*command, "9"], **proxies)
    assert bad.returncode == 1
    assert "depth must be 6n + 2" in bad.stderr
    assert "Received: 9" in bad.stderr
