"""Fast training computes what Keras computes: the same normalisation, the same gradients."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from resnet_lesson import fast
from resnet_lesson.data import Examples, Mnist
from resnet_lesson.fast import FastTrainer, one_cycle
from resnet_lesson.models import reset_weights
from resnet_lesson.normalisation import FusedBatchNorm


def digits(n=64, seed=0):
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 10, n).astype("int32")
    images = draw.normal(size=(n, 8, 8, 1)).astype("float32")
    images[np.arange(n), labels % 8, labels // 8, 0] += 4
    return Examples(images, labels)


def data(n=64, val=32):
    return Mnist(digits(n), digits(val, seed=1), digits(32, seed=2))


def model(norm=None, dropout=0.0):
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, use_bias=norm is None, kernel_initializer="he_normal", name="conv")(
        inputs
    )
    if norm is not None:
        x = norm(momentum=0.9, epsilon=1e-5, name="norm")(x)
    x = layers.Flatten(name="flat")(layers.ReLU(name="relu")(x))
    if dropout:
        x = layers.Dropout(dropout, seed=0, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(x))


def test_one_cycle_rises_once_and_falls_once_to_zero():
    rates = [one_cycle(update, 100, 2.0) for update in range(100)]
    top = int(np.argmax(rates))
    assert top == 25 and max(rates) == 2.0
    assert np.all(np.diff(rates[: top + 1]) > 0) and np.all(np.diff(rates[top:]) < 0)
    assert 0 < rates[-1] < 0.05 and rates[0] > 0


def test_pieces_make_the_update_of_the_whole_batch():
    one, cut = (
        FastTrainer(model(), 32, pieces).run(data(), seed=3, epochs=3, peak=1e-2)
        for pieces in (1, 4)
    )
    np.testing.assert_allclose(one.loss, cut.loss, rtol=1e-4)
    for a, b in zip(one.weights, cut.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_update_is_that_of_keras():
    net = model()
    reset_weights(net, 0)
    examples = digits(32)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    net.compile(keras.optimizers.Adam(1e-2), loss, jit_compile=False)
    keras_loss = net.train_on_batch(examples.images, keras.utils.to_categorical(examples.labels))
    wanted = net.get_weights()
    reset_weights(net, 0)
    trainer = FastTrainer(net, 32, 2, smoothing=0.1)
    loss = trainer._updates(examples.images, examples.labels, np.arange(32)[None], [1e-2], 0, 0)
    np.testing.assert_allclose(loss, [keras_loss], rtol=1e-5)
    for a, b in zip(net.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_same_seed_same_run_and_another_seed_another_one():
    trainer = FastTrainer(model(FusedBatchNorm, dropout=0.2), 16, 2)
    first, second, other = (trainer.run(data(), seed=seed, epochs=2) for seed in (0, 0, 1))
    assert first.loss == second.loss and first.test_accuracy == second.test_accuracy
    assert first.loss != other.loss
    assert len(first.loss) == len(first.seconds) == 2 * (64 // 16) == first.updates
    assert first.epochs[-1]["val_accuracy"] == second.epochs[-1]["val_accuracy"]


def test_it_learns():
    record = FastTrainer(model(FusedBatchNorm), 16, 2).run(data(512), epochs=8, peak=1e-2)
    assert record.final_loss(10) < 0.3 * np.mean(record.loss[:10])
    assert record.test_accuracy > 0.6


def test_many_updates_in_one_call_are_those_of_many_calls():
    examples, batches = (digits(64).images, digits(64).labels), np.arange(64).reshape(4, 16)
    rates = np.linspace(1e-3, 1e-2, 4).astype("float32")
    found = []
    for calls in ([slice(0, 4)], [slice(0, 1), slice(1, 4)]):
        net = model()
        reset_weights(net, 0)
        trainer = FastTrainer(net, 16, 2)
        losses = [
            trainer._updates(*examples, batches[part], rates[part], part.start, 0).numpy()
            for part in calls
        ]
        found.append([np.concatenate(losses), *net.get_weights()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_averages_follow_the_weights():
    net, examples = model(), (digits(64).images, digits(64).labels)
    reset_weights(net, 0)
    trainer = FastTrainer(net, 16, 2, average=0.5)
    mean = net.get_weights()
    for update in range(8):
        batch = np.arange(16)[None] + 8 * (update % 6)
        trainer._updates(*examples, batch, np.float32([1e-2]), update, 0)
        keep = min(0.5, (1 + update) / (10 + update))
        new = net.get_weights()
        mean = [keep * a + (1 - keep) * b for a, b in zip(mean, new, strict=True)]
    for a, b in zip(trainer._averages, mean, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert any(not np.allclose(a, b) for a, b in zip(mean, new, strict=True))


def test_a_run_ends_with_the_averages():
    trainer = FastTrainer(model(), 16, 2, average=0.9)
    record = trainer.run(data(), epochs=2)
    for a, b, own in zip(trainer._averages, trainer.model.weights, record.weights, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, own)


def test_progress_is_told(monkeypatch):
    monkeypatch.setattr(fast, "UPDATES_A_CALL", 3)
    told = []
    record = FastTrainer(model(), 16, 2).run(data(), epochs=2, on_updates=told.append)
    assert told == [3, 1, 3, 1] and np.all(np.diff(record.seconds) > 0)


def test_each_piece_of_each_update_is_changed_by_a_seed_of_its_own():
    seeds = []

    def change(images, seed):
        tf.py_function(lambda s: seeds.append(tuple(s.numpy().tolist())), [seed], [])
        return images

    FastTrainer(model(), 16, 2, change=change).run(data(), seed=5, epochs=2)
    assert len(seeds) == len(set(seeds)) == 2 * (64 // 16) * 2
    assert {seed for seed, _ in seeds} == {5}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"pieces": 3}, "pieces"),
        ({"pieces": 0}, "pieces"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"smoothing": 1.0}, "smoothing"),
        ({"average": -0.1}, "average"),
        ({"average": 1}, "average"),
    ],
)
def test_bad_trainers_are_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=rf"{message}.*Received: "):
        FastTrainer(model(), **({"batch_size": 16} | arguments))


@pytest.mark.parametrize(
    "arguments, message",
    [({"epochs": 0}, "epochs"), ({"peak": 0}, "peak"), ({"seed": -1}, "seed")],
)
def test_bad_runs_are_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=rf"{message}.*Received: "):
        FastTrainer(model(), 16).run(data(), **arguments)


def test_threads_come_before_the_first_operation():
    tf.constant(1.0) + 1.0
    with pytest.raises(RuntimeError, match="before TensorFlow's first operation.*Received: "):
        fast.one_thread_an_operation()


@pytest.mark.slow
def test_threads_are_set():
    script = (
        "from resnet_lesson import fast; fast.one_thread_an_operation(); import tensorflow as tf; "
        "print(tf.config.threading.get_intra_op_parallelism_threads(), "
        "tf.config.threading.get_inter_op_parallelism_threads())"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.split() == ["1", str(fast.cores())], found.stderr
