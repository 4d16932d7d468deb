"""Training: the loss falls, seeds decide, interrupts keep what was measured."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

from resnet_lesson import sweep as sweeping
from resnet_lesson import training
from resnet_lesson.data import Examples, load_mnist
from resnet_lesson.models import network, reset_weights
from resnet_lesson.sweep import sweep
from resnet_lesson.training import Trainer, cross_entropy, evaluate, train

CONFIGS = {
    "plain 8": {"depth": 8, "shortcut": "none"},
    "residual 8": {"depth": 8, "shortcut": "padded"},
}


@pytest.fixture(scope="module")
def mnist():
    return load_mnist(train=640, val=100, test=200)


@pytest.fixture(scope="module")
def model():
    return network(8)


def test_loss_falls_and_the_record_is_complete(model, mnist):
    record = train(model, mnist, seed=0, updates=45, name="residual 8", progress=False)
    assert len(record.loss) == len(record.accuracy) == len(record.seconds) == 45
    assert np.mean(record.loss[-5:]) < 0.8 * record.loss[0]
    assert [epoch["update"] for epoch in record.epochs] == [10, 20, 30, 40, 45]
    assert record.epochs[0]["loss"] == pytest.approx(np.mean(record.loss[:10]))
    assert record.epochs[-1]["accuracy"] == pytest.approx(np.mean(record.accuracy[40:]))
    assert np.all(np.diff(record.seconds) > 0)
    assert record.parameters == sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert not record.interrupted
    logits = model(mnist.test.images, training=False).numpy()
    np.testing.assert_allclose(record.test_logits, logits, rtol=1e-4, atol=1e-4)
    assert record.test_accuracy == np.mean(logits.argmax(axis=1) == mnist.test.labels)
    assert record.final_loss(5) == pytest.approx(np.mean(record.loss[-5:]))
    plain_data = record.to_dict()
    assert "test_logits" not in plain_data
    assert plain_data["loss"] == record.loss


def test_a_seed_gives_the_same_bits_and_two_seeds_differ(mnist):
    first, again, other = (
        train(network(8), mnist, seed=seed, updates=12, progress=False) for seed in (3, 3, 4)
    )
    assert first.loss == again.loss
    assert first.epochs == again.epochs
    np.testing.assert_array_equal(first.test_logits, again.test_logits)
    assert first.loss[0] != other.loss[0]


def test_a_trainer_forgets_its_last_run(model, mnist):
    trainer = Trainer(model)
    first = trainer.run(mnist, seed=1, updates=5)
    trainer.run(mnist, seed=2, updates=5)
    assert trainer.run(mnist, seed=1, updates=5).loss == first.loss


def test_training_can_go_on_from_the_models_own_weights(model, mnist):
    reset_weights(model, 5)
    start = model(mnist.train.images[:64], training=True)
    record = train(model, mnist, seed=9, updates=1, reset=False, progress=False)
    fresh = train(model, mnist, seed=9, updates=1, progress=False)
    assert np.isfinite(np.asarray(start)).all()
    assert record.loss != fresh.loss


def test_learning_rate_in_pieces(model, mnist):
    steady, pieces = (
        train(model, mnist, updates=6, learning_rate=rate, progress=False)
        for rate in (2e-3, [(0, 2e-3), (3, 1e-5)])
    )
    # An update shows in the loss of the next: updates 0 to 2 are the same, update 3 is not.
    assert pieces.loss[:4] == steady.loss[:4]
    assert pieces.loss[4] != steady.loss[4]
    same = train(model, mnist, updates=6, learning_rate=[(0, 2e-3)], progress=False)
    assert same.loss == steady.loss


def third_epoch_slower_then_end(record):
    return {1: 2e-3, 2: 2e-3, 3: 1e-3}.get(len(record.epochs))


def test_learning_rate_set_after_each_epoch(model, mnist):
    followed = train(
        model, mnist, updates=60, after_epoch=third_epoch_slower_then_end, progress=False
    )
    assert followed.learning_rate == [(0, 2e-3), (30, 1e-3)]
    assert not followed.interrupted
    assert followed.test_accuracy is not None
    in_pieces = train(
        model, mnist, updates=40, learning_rate=followed.learning_rate, progress=False
    )
    assert followed.loss == in_pieces.loss
    # The next run starts with the first rate again.
    assert train(model, mnist, updates=12, progress=False).loss == in_pieces.loss[:12]
    there = sweep(
        {"residual 8": {"depth": 8}}, [0, 1], mnist, updates=60,
        after_epoch=third_epoch_slower_then_end, workers=2, progress=False,
    )  # fmt: skip
    assert [len(record.loss) for record in there] == [40, 40]
    with pytest.raises(ValueError, match=r"learning_rate must be a number .*Received: \[\(0"):
        train(
            model, mnist, updates=20, learning_rate=[(0, 1e-3)],
            after_epoch=third_epoch_slower_then_end, progress=False,
        )  # fmt: skip
    with pytest.raises(ValueError, match="learning_rate must be a number above 0. Received: -1"):
        train(model, mnist, updates=20, after_epoch=lambda record: -1, progress=False)


def test_first_update_against_keras_itself(model, mnist):
    """One step of Keras's own ``train_on_batch`` from the same weights gives the same weights."""
    record = train(model, mnist, seed=0, updates=1, progress=False)
    ours = [w.numpy() for w in model.weights]
    reset_weights(model, 0)
    model.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    at = np.random.default_rng([0, 1]).permutation(640)[:64]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras 3.15 under NumPy 2
        loss = model.train_on_batch(mnist.train.images[at], mnist.train.labels[at])
    assert record.loss[0] == pytest.approx(float(np.ravel(loss)[0]), rel=1e-5)
    for mine, theirs in zip(ours, model.weights, strict=True):
        np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-3, atol=2e-4)


def test_empty_validation_and_test_sets(model):
    record = train(
        model, load_mnist(train=128, val=0, test=0), updates=2, batch_size=128, progress=False
    )
    assert "val_loss" not in record.epochs[0]
    assert record.test_accuracy is None


def test_cross_entropy_against_keras():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 30, (50, 10)).astype("float32")
    labels = generator.integers(0, 10, 50)
    theirs = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    np.testing.assert_allclose(cross_entropy(logits, labels), theirs, rtol=1e-4, atol=1e-4)
    loss, accuracy = evaluate(logits, labels)
    assert loss == pytest.approx(float(np.mean(theirs)), rel=1e-5)
    assert accuracy == np.mean(np.argmax(logits, axis=1) == labels)


class InterruptingBar:
    """A progress bar that presses Ctrl-C, or worse, as soon as there is some progress."""

    def __init__(self, signal_number=signal.SIGINT):
        self.n = 0
        self.signal = signal_number

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def update(self, n=1):
        self.n += n
        if self.n > 0 and self.signal:
            number, self.signal = self.signal, None
            os.kill(os.getpid(), number)


@pytest.fixture
def interrupted(monkeypatch):
    for module in (training, sweeping):
        monkeypatch.setattr(module, "progress_bar", lambda *args: InterruptingBar())


def test_interrupt_keeps_what_was_measured(model, mnist, interrupted, capsys):
    record = train(model, mnist, updates=100_000, name="long")
    assert record.interrupted
    assert 0 < len(record.loss) < 100_000
    assert "Interrupted after" in capsys.readouterr().out
    with pytest.raises(ValueError, match="interrupted before its last update.*Received: long"):
        record.final_loss()


@pytest.mark.parametrize("workers", [1, 2])
def test_interrupted_sweep_returns_what_was_measured(mnist, workers, interrupted, capsys):
    records = sweep(CONFIGS, [0, 1], mnist, updates=100_000, workers=workers)
    assert records
    assert all(record.interrupted for record in records)
    assert any(0 < len(record.loss) < 100_000 for record in records)
    assert "runs are missing or cut short" in capsys.readouterr().out


def test_sweep_in_workers_equals_single_runs(mnist):
    records, again = (
        sweep(CONFIGS, [0, 1], mnist, updates=6, workers=2, progress=False) for _ in range(2)
    )
    pairs = [("plain 8", 0), ("plain 8", 1), ("residual 8", 0), ("residual 8", 1)]
    assert [(record.name, record.seed) for record in records] == pairs
    assert [record.loss for record in records] == [record.loss for record in again]
    in_process = sweep(CONFIGS, [0, 1], mnist, updates=6, workers=1, progress=False)
    for there, here in zip(records, in_process, strict=True):
        # The number of threads may change the order of additions, and with it the last digits.
        np.testing.assert_allclose(there.loss, here.loss, rtol=1e-3)
        assert there.test_logits.shape == (200, 10)
    single = train(network(8, "none"), mnist, seed=1, updates=6, progress=False)
    assert in_process[1].loss == single.loss


def test_data_that_does_not_fit_the_model(model, mnist):
    train_set = mnist.train
    flat = mnist._replace(train=Examples(train_set.images[..., 0], train_set.labels))
    with pytest.raises(ValueError, match=r"data.train.images must .*Received: \(640, 28, 28\)"):
        train(model, flat, progress=False)
    shifted = mnist._replace(val=Examples(mnist.val.images, mnist.val.labels + 1))
    with pytest.raises(ValueError, match=r"data.val.labels must be from 0 to 9.*Received: 1 to 10"):
        train(model, shifted, progress=False)


def test_a_worker_that_dies_is_told(mnist, monkeypatch):
    monkeypatch.setattr(sweeping, "_start_worker", os._exit)  # gets an argument that it dislikes
    with pytest.raises(RuntimeError, match="a worker process died.*Received: workers=2"):
        sweep(CONFIGS, [0], mnist, updates=5, workers=2, progress=False)


EARLY = """
from test_training import CONFIGS
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
    return subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
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
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert out.endswith("True\n")


def test_a_script_without_a_main_guard_is_told(tmp_path):
    process = start(tmp_path / "unguarded.py", EARLY.replace("GUARD", "True"))
    _, errors = process.communicate(timeout=90)
    assert process.returncode == 1
    assert 'outside of `if __name__ == "__main__":`' in errors


KILLED = """
import signal
from test_training import CONFIGS, InterruptingBar
from resnet_lesson import sweep
from resnet_lesson.data import load_mnist
if __name__ == "__main__":
    sweep.progress_bar = lambda *args: InterruptingBar(signal.SIGKILL)
    sweep.sweep(CONFIGS, [0], load_mnist(train=640, val=0, test=0), updates=10**6, workers=2)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    here = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen([sys.executable, str(script)], env=here, start_new_session=True)
    assert process.wait(60) == -signal.SIGKILL
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            os.killpg(process.pid, 0)  # does a process of that group still live?
        except ProcessLookupError:
            return
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    pytest.fail("a worker outlived its parent")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 641}, ValueError, "batch_size .*Received: batch_size=641, 640 images"),
        ({"batch_size": 0}, ValueError, "batch_size must be 1 or more. Received: 0"),
        ({"updates": 0}, ValueError, "updates must be 1 or more. Received: 0"),
        ({"updates": 1.5}, TypeError, "updates must be a whole number. Received: 1.5"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be .* Received: 0"),
        ({"learning_rate": [(5, 0.1)]}, ValueError, "must start at update 0.*Received: "),
        ({"seed": -1}, ValueError, "seed must be 0 or more. Received: -1"),
    ],
)
def test_bad_arguments(model, mnist, arguments, error, message):
    with pytest.raises(error, match=message):
        train(model, mnist, progress=False, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"configs": {}}, "must not be empty. Received: 0 and 1"),
        ({"seeds": [1, 0, 1]}, r"seeds must differ from each other. Received: \[1, 0, 1\]"),
        ({"seeds": [-1]}, "seeds must be 0 or more. Received: -1"),
        ({"seeds": []}, "must not be empty. Received: 2 and 0"),
        ({"workers": 0}, "workers must be .*Received: 0"),
        ({"configs": {"a": {"depth": 9}}}, "depth must be .*Received: 9"),
    ],
)
def test_bad_sweeps(mnist, arguments, message):
    with pytest.raises(ValueError, match=message):
        sweep(**({"configs": CONFIGS, "seeds": [0], "data": mnist} | arguments))
