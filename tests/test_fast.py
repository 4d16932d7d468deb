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
from resnet_lesson.fast import FastTrainer, FusedBatchNorm, one_cycle
from resnet_lesson.models import reset_weights


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


@pytest.mark.parametrize("shape", [(8, 5, 7, 3), (4, 3, 1, 4), (64, 14, 14, 16)])
def test_fused_normalisation_is_that_of_keras(shape):
    draw = np.random.default_rng(0)
    x = tf.constant(draw.normal(2, 3, size=shape).astype("float32"))
    direction = tf.constant(draw.normal(size=shape).astype("float32"))
    found = []
    for kind in (layers.BatchNormalization, FusedBatchNorm):
        layer = kind(momentum=0.9, epsilon=1e-3)
        layer.build(shape)
        layer.gamma.assign(np.linspace(0.5, 2, shape[-1]))
        layer.beta.assign(np.linspace(-1, 1, shape[-1]))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y * direction)
        gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
        found.append([y, *gradients, layer.moving_mean, layer.moving_variance, layer(x)])
    for keras_s, ours in zip(*found, strict=True):
        np.testing.assert_allclose(ours, keras_s, rtol=2e-4, atol=2e-4 * np.abs(keras_s).max())


def test_fused_normalisation_is_saved_and_loaded(tmp_path):
    net = model(FusedBatchNorm)
    x = digits().images
    net(x, training=True)
    net.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    assert isinstance(again.get_layer("norm"), FusedBatchNorm)
    np.testing.assert_array_equal(net(x), again(x))


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
    loss = trainer._update(
        tf.constant(examples.images), tf.constant(examples.labels), 1e-2, tf.constant([0, 0]), 0.0
    )
    np.testing.assert_allclose(loss, keras_loss, rtol=1e-5)
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


def test_averages_follow_the_weights():
    net = model()
    seen = []
    trainer = FastTrainer(net, 16, 2, average=0.5)
    record = trainer.run(
        data(), epochs=2, on_update=lambda: seen.append([w.copy() for w in net.get_weights()])
    )
    reset_weights(net, 0)
    mean = net.get_weights()
    for update, weights in enumerate(seen):
        keep = min(0.5, (1 + update) / (10 + update))
        mean = [keep * a + (1 - keep) * b for a, b in zip(mean, weights, strict=True)]
    for a, b in zip(record.weights, mean, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert any(not np.allclose(a, b) for a, b in zip(mean, seen[-1], strict=True))


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
