"""Fast training computes what Keras computes, in pieces and many updates at once."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from resnet_lesson import deterministic
from resnet_lesson.blocks import batch_norm
from resnet_lesson.data import Dataset, Examples
from resnet_lesson.models import reset_weights
from resnet_lesson.recipe import fast
from resnet_lesson.recipe.fast import FastTrainer, one_cycle


def digits(n=64, seed=0):
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 10, n).astype("int32")
    images = draw.normal(size=(n, 8, 8, 1)).astype("float32")
    images[np.arange(n), labels % 8, labels // 8, 0] += 4
    return Examples(images, labels)


def data(n=64):
    return Dataset(digits(n), digits(32, seed=1), digits(32, seed=2))


def model(norm=False, dropout=0.0):
    x = inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, kernel_initializer="he_normal", name="conv")(x)
    x = batch_norm("norm")(x) if norm else x
    x = layers.Flatten(name="flat")(layers.ReLU(name="relu")(x))
    x = layers.Dropout(dropout, seed=0, name="dropout")(x) if dropout else x
    return keras.Model(inputs, layers.Dense(10, name="logits")(x))


def updates(trainer, examples, batches, rates):
    """Make updates from the seed 0 in one call of TensorFlow; return the losses."""
    rates = np.asarray(rates, "float32")
    return trainer._updates(examples.images, examples.labels, batches, rates, 0).numpy()


def assert_all_close(found, wanted, atol):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


def test_one_cycle_rises_once_and_falls_once_to_zero():
    rates = one_cycle(100, 2.0)
    top = int(np.argmax(rates))
    assert len(rates) == 100 and top == 25 and max(rates) == 2.0
    assert np.all(np.diff(rates[: top + 1]) > 0) and np.all(np.diff(rates[top:]) < 0)
    assert rates[0] == 0.08 and rates[-1] == pytest.approx(2 / 75)


def test_pieces_make_the_update_of_the_whole_batch():
    one, cut = (
        FastTrainer(model(), 32, pieces=pieces).run(data(), seed=3, updates=6) for pieces in (1, 4)
    )
    np.testing.assert_allclose(one.loss, cut.loss, rtol=1e-4)
    assert_all_close(one.weights, cut.weights, 1e-4)


def test_update_is_that_of_keras():
    net, examples = model(), digits(32)
    reset_weights(net, 0)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    net.compile(keras.optimizers.Adam(1e-2), loss, jit_compile=False)
    keras_loss = net.train_on_batch(examples.images, keras.utils.to_categorical(examples.labels))
    wanted = net.get_weights()
    reset_weights(net, 0)
    loss = updates(FastTrainer(net, 32, smoothing=0.1), examples, np.arange(32)[None], [1e-2])
    np.testing.assert_allclose(loss, [keras_loss], rtol=1e-5)
    assert_all_close(net.get_weights(), wanted, 1e-5)


def test_same_seed_same_run_and_another_seed_another_one():
    deterministic()
    trainer = FastTrainer(model(norm=True, dropout=0.2), 16, average=0.9)
    first, second, other = (trainer.run(data(), seed=seed, updates=8) for seed in (0, 0, 1))
    assert first.loss == second.loss and first.epochs == second.epochs
    assert first.test_loss == second.test_loss
    assert first.loss != other.loss
    assert len(first.loss) == len(first.seconds) == first.updates == 8


def test_it_learns():
    record = FastTrainer(model(norm=True), 16).run(data(512), updates=256)
    assert record.final_loss(10) < 0.3 * np.mean(record.loss[:10])
    assert record.test_accuracy > 0.6


def test_many_updates_in_one_call_are_those_of_many_calls():
    deterministic()
    batches, rates = np.arange(64).reshape(4, 16), np.linspace(1e-3, 1e-2, 4)
    found = []
    for calls in ([slice(0, 4)], [slice(0, 1), slice(1, 4)]):
        net = model()
        reset_weights(net, 0)
        trainer = FastTrainer(net, 16)
        losses = [updates(trainer, digits(), batches[part], rates[part]) for part in calls]
        found.append([np.concatenate(losses), *net.get_weights()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_averages_follow_the_weights():
    net = model()
    reset_weights(net, 0)
    trainer = FastTrainer(net, 16, average=0.5)
    mean = net.get_weights()
    for update in range(8):
        updates(trainer, digits(), np.arange(16)[None] + 8 * (update % 6), [1e-2])
        keep = min(0.5, (1 + update) / (10 + update))
        new = net.get_weights()
        mean = [keep * a + (1 - keep) * b for a, b in zip(mean, new, strict=True)]
    assert_all_close([average for average, _ in trainer._averages], mean, 1e-5)
    assert any(not np.allclose(a, b) for a, b in zip(mean, new, strict=True))


def test_a_run_ends_with_the_averages():
    trainer = FastTrainer(model(), 16, average=0.9)
    record = trainer.run(data(), updates=8)
    for (average, weight), own in zip(trainer._averages, record.weights, strict=True):
        np.testing.assert_array_equal(average, weight)
        np.testing.assert_array_equal(average, own)
    np.testing.assert_array_equal(record.test_logits, trainer.logits(data().test.images))


def test_every_update_is_told_and_timed(monkeypatch):
    monkeypatch.setattr(fast, "UPDATES_A_CALL", 3)
    told = []
    trainer = FastTrainer(model(), 16)
    record = trainer.run(data(), updates=8, on_update=lambda: told.append(1))
    assert len(told) == len(record.seconds) == 8 and np.all(np.diff(record.seconds) > 0)


def test_each_piece_of_each_update_is_changed_by_a_seed_of_its_own():
    seeds = []

    def change(images, seed):
        tf.py_function(lambda s: seeds.append(tuple(s.numpy().tolist())), [seed], [])
        return images

    FastTrainer(model(), 16, change=change).run(data(), seed=5, updates=8)
    assert sorted(seeds) == [(5, piece) for piece in range(8 * 2)]


def test_pieces_must_be_equal():
    with pytest.raises(ValueError, match="evenly divisible by 3 but is 16"):
        FastTrainer(model(), 16, pieces=3).run(data(), updates=1)


def test_threads_come_before_the_first_operation():
    tf.constant(1.0) + 1.0
    with pytest.raises(RuntimeError, match="after initialization"):
        fast.one_thread_an_operation()


@pytest.mark.slow
def test_threads_are_set():
    script = (
        "from resnet_lesson.recipe import fast; fast.one_thread_an_operation(); "
        "import tensorflow as tf; print(tf.config.threading.get_intra_op_parallelism_threads(), "
        "tf.config.threading.get_inter_op_parallelism_threads())"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout.split() == ["1", str(fast.cores())], found.stderr
