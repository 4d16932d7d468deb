"""Training: the loss falls, seeds decide, interrupts keep what was measured."""

import gc
import os
import signal
import subprocess
import sys
import warnings
import weakref
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet_lesson import deterministic, training
from resnet_lesson.blocks import batch_norm
from resnet_lesson.data import Examples, load_mnist
from resnet_lesson.distributed.trainer import DistributedTrainer
from resnet_lesson.models import network, reset_weights
from resnet_lesson.recipe.fast import FastTrainer
from resnet_lesson.training import Trainer, cross_entropy, evaluate, train


@pytest.fixture(scope="module")
def mnist():
    return load_mnist(train=640, val=100, test=200)


@pytest.fixture(scope="module")
def model():
    return network(8)


@pytest.mark.slow
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
    for weights, own in zip(record.weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, own)
    assert record.final_loss(5) == pytest.approx(np.mean(record.loss[-5:]))
    plain_data = record.to_dict()
    assert not {"test_logits", "weights"} & plain_data.keys()
    assert plain_data["loss"] == record.loss


@pytest.mark.slow
def test_a_seed_gives_the_same_bits_and_two_seeds_differ(mnist):
    deterministic()
    first, again, other = (
        train(network(8), mnist, seed=seed, updates=12, progress=False) for seed in (3, 3, 4)
    )
    assert first.loss == again.loss
    assert first.epochs == again.epochs
    np.testing.assert_array_equal(first.test_logits, again.test_logits)
    assert first.loss[0] != other.loss[0]


@pytest.mark.slow
def test_a_trainer_forgets_its_last_run(model, mnist):
    trainer = Trainer(model)
    first = trainer.run(mnist, seed=1, updates=5)
    trainer.run(mnist, seed=2, updates=5)
    assert trainer.run(mnist, seed=1, updates=5).loss == first.loss


def small_network(dropout=0):
    """One layer, quickly traced, with or without Dropout in front."""
    inputs = keras.Input((28, 28, 1))
    x = keras.layers.Flatten(name="flatten")(inputs)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, keras.layers.Dense(10, name="logits")(x))


def test_going_on_starts_from_the_models_own_weights_and_from_no_others(mnist):
    model = small_network()
    reset_weights(model, 5)
    start = model(mnist.train.images, training=True).numpy()
    for seed in (5, 9):  # one batch holds all images: the seed's order does not matter
        record = train(
            model, mnist, seed=seed, updates=1, batch_size=640, learning_rate=1e-9, reset=False,
            progress=False,
        )  # fmt: skip
        expected = cross_entropy(start, mnist.train.labels).mean()
        assert record.loss[0] == pytest.approx(expected, rel=1e-5)


def test_an_epoch_takes_each_image_once_and_each_epoch_in_another_order(mnist):
    """With hardly any learning and no normalisation, each image has one loss all along."""
    model = small_network()
    record = train(model, mnist, seed=0, updates=20, learning_rate=1e-12, progress=False)
    reset_weights(model, 0)
    losses = cross_entropy(model(mnist.train.images).numpy(), mnist.train.labels)
    first, second = record.loss[:10], record.loss[10:]
    for epoch in (first, second):
        assert np.mean(epoch) == pytest.approx(losses.mean(), rel=1e-5)
        assert np.std(epoch) > 0.01 * losses.mean()  # not the images in an order of one loss
    assert sorted(first) != pytest.approx(sorted(second), rel=1e-4)


@pytest.mark.slow
def test_validation_is_measured_anew_after_each_epoch(model, mnist):
    record = train(model, mnist, updates=20, progress=False)
    loss, accuracy = evaluate(model(mnist.val.images).numpy(), mnist.val.labels)
    assert record.epochs[-1]["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert record.epochs[-1]["val_accuracy"] == accuracy
    assert record.epochs[0]["val_loss"] != record.epochs[1]["val_loss"]


@pytest.mark.slow
def test_dropout_starts_afresh_in_each_run(mnist):
    trainer = Trainer(small_network(dropout=0.5))
    first, _, again = (trainer.run(mnist, seed=seed, updates=5).loss for seed in (1, 2, 1))
    assert again == first
    assert Trainer(small_network(dropout=0.5)).run(mnist, seed=1, updates=5).loss == first
    steps = Trainer(small_network(dropout=0.5), learning_rate=1e-12)
    masks = [np.mean(steps.run(mnist, seed=seed, updates=10).loss) for seed in (1, 1, 2)]
    assert masks[0] == masks[1] != masks[2]


def test_randomness_of_tensorflow_works_beside_a_trainer(mnist):
    deterministic()
    trainer = Trainer(small_network())
    first = tf.random.normal((3,))
    list(tf.data.Dataset.range(5).shuffle(5))
    trainer.run(mnist, seed=1, updates=1)
    deterministic()
    np.testing.assert_array_equal(tf.random.normal((3,)), first)
    other = small_network(dropout=0.5)
    other.compile("sgd", "sparse_categorical_crossentropy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras 3.15 under NumPy 2
        other.fit(mnist.train.images, mnist.train.labels, verbose=0)


def alive(kind):
    gc.collect()
    return sum(type(thing).__name__ == kind for thing in gc.get_objects())


@pytest.mark.slow
def test_nothing_of_a_run_stays_in_memory(mnist, monkeypatch):
    made = []

    class Watched(Trainer):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(weakref.ref(self))

    monkeypatch.setattr(training, "Trainer", Watched)
    model = small_network()
    train(model, mnist, updates=1, progress=False)
    graphs = alive("FuncGraph")
    for _ in range(2):
        train(model, mnist, updates=1, progress=False)
    assert alive("FuncGraph") <= graphs
    assert [trainer() for trainer in made] == [None] * 3


@pytest.mark.slow
def test_many_short_runs_bring_no_warning_of_retracing(mnist, caplog):
    model = small_network()
    logger = tf.get_logger()
    logger.addHandler(caplog.handler)
    try:
        for _ in range(6):
            train(model, mnist, updates=1, progress=False)
    finally:
        logger.removeHandler(caplog.handler)
    assert "retracing" not in caplog.text


# -- Frozen layers ---------------------------------------------------------------------------------


def deep_network():
    """Two convolutions with normalisation, and the logits."""
    x = inputs = keras.Input((28, 28, 1))
    for number in (1, 2):
        options = {"kernel_initializer": "he_normal", "name": f"conv{number}"}
        x = batch_norm(f"norm{number}")(keras.layers.Conv2D(4, 3, 4, **options)(x))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(10, name="logits")(x))


def changed_by(trainer, data, **options):
    """Train; return the names of the layers whose weights or averages have changed."""
    net = trainer.model
    before = {layer.name: layer.get_weights() for layer in net.layers}
    trainer.run(data, updates=3, **options)
    after = {layer.name: layer.get_weights() for layer in net.layers}
    return {
        name
        for name, old in before.items()
        if any(not np.array_equal(a, b) for a, b in zip(old, after[name], strict=True))
    }


TRAINERS = {
    "Trainer": Trainer,
    "FastTrainer": lambda net: FastTrainer(net, 64, average=0.9),
    "DistributedTrainer": DistributedTrainer,
}
WEIGHTED = {"conv1", "norm1", "conv2", "norm2", "logits"}


@pytest.mark.parametrize("kind", TRAINERS)
def test_a_frozen_layer_stays_and_the_others_train(kind, mnist):
    """Frozen before the trainer is made, after it, and between two runs, in which others thaw."""
    net = deep_network()
    frozen = set()

    def freeze(*names):
        frozen.clear()
        frozen.update(names)
        for layer in net.layers:
            layer.trainable = layer.name not in frozen

    freeze("conv1", "norm1")
    trainer = TRAINERS[kind](net)
    assert changed_by(trainer, mnist) == WEIGHTED - frozen
    freeze("norm2")
    assert changed_by(trainer, mnist) == WEIGHTED - frozen
    freeze("conv1", "conv2", "logits")
    assert changed_by(trainer, mnist, seed=1) == WEIGHTED - frozen
    freeze(*WEIGHTED)
    assert changed_by(trainer, mnist, seed=2) == set()
    freeze()
    again = TRAINERS[kind](deep_network()).run(mnist, seed=3, updates=3)
    np.testing.assert_allclose(trainer.run(mnist, seed=3, updates=3).loss, again.loss, rtol=1e-4)


def test_going_on_leaves_what_was_frozen_meanwhile(mnist):
    trainer = Trainer(deep_network())
    trainer.run(mnist, updates=3)
    trainer.model.get_layer("conv1").trainable = False
    assert changed_by(trainer, mnist, reset=False) == WEIGHTED - {"conv1"}


def test_a_normalisation_without_weights_may_be_frozen(mnist):
    inputs = keras.Input((28, 28, 1))
    options = {"center": False, "scale": False, "name": "norm"}
    x = keras.layers.BatchNormalization(**options)(inputs)
    x = keras.layers.Dense(10, name="logits")(keras.layers.Flatten(name="flat")(x))
    trainer = Trainer(keras.Model(inputs, x))
    assert changed_by(trainer, mnist) == {"norm", "logits"}
    trainer.model.get_layer("norm").trainable = False
    assert changed_by(trainer, mnist, seed=1) == {"logits"}


@pytest.mark.parametrize("kind", ["Trainer", "FastTrainer"])
def test_a_layer_that_was_made_frozen_trains_when_it_is_thawed(kind, mnist):
    """TensorFlow's own variables were made as those that a tape passes over."""
    inputs = keras.Input((28, 28, 1))
    x = keras.layers.Flatten(name="flat")(inputs)
    x = keras.layers.Dense(4, trainable=False, name="first")(x)
    net = keras.Model(inputs, keras.layers.Dense(10, name="logits")(x))
    trainer = TRAINERS[kind](net)
    assert changed_by(trainer, mnist) == {"logits"}
    net.get_layer("first").trainable = True
    assert changed_by(trainer, mnist, seed=1) == {"first", "logits"}


# -- Other precisions ------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-12)])
def test_adam_computes_in_the_precision_of_the_weights(dtype, rtol):
    """Against its formula: Keras's own takes 0.9 for a number of 32 bits first."""
    draw = np.random.default_rng(0)
    weight, (w, m, v) = keras.Variable(np.zeros(5), dtype=dtype), np.zeros((3, 5))
    adam = training.Adam(0.5)  # a rate without rounding
    adam.build([weight])
    for update in (1, 2, 3):
        g = draw.normal(size=5)
        adam.update([tf.constant(g, dtype)], [weight])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        rate = 0.5 * np.sqrt(1 - 0.999**update) / (1 - 0.9**update)
        w = w - rate * m / (np.sqrt(v) + 1e-7)
    np.testing.assert_allclose(weight.numpy(), w, rtol=rtol)


@pytest.mark.parametrize("kind", TRAINERS)
@pytest.mark.parametrize("policy", ["float64", "mixed_bfloat16"])
def test_networks_of_other_precisions_train(policy, kind, mnist):
    usual = TRAINERS[kind](deep_network()).run(mnist, updates=2)
    keras.config.set_dtype_policy(policy)
    try:
        net = deep_network()
    finally:
        keras.config.set_dtype_policy("float32")
    record = TRAINERS[kind](net).run(mnist, updates=2)
    assert record.test_logits.dtype == np.float32
    # What the seed gives depends on the dtype: these are other first weights.
    np.testing.assert_allclose(record.loss, usual.loss, rtol=0.5)
    # A loss of 16 bits would be a multiple of 2 ** -7.
    assert all(loss * 2**7 % 1 for loss in record.loss)


def test_learning_rate_in_pieces(mnist):
    model = small_network()
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


def test_learning_rate_set_after_each_epoch(mnist):
    model = small_network()
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
    with pytest.raises(ValueError, match=r"learning_rate must be a number .*Received: \[\(0"):
        train(
            model, mnist, updates=20, learning_rate=[(0, 1e-3)],
            after_epoch=third_epoch_slower_then_end, progress=False,
        )  # fmt: skip
    with pytest.raises(
        ValueError, match="learning_rate must be a finite number above 0. Received: -1"
    ):
        train(model, mnist, updates=20, after_epoch=lambda record: -1, progress=False)


def test_a_run_is_that_of_keras_update_by_update(mnist):
    """Two and a half epochs of one layer: Keras's Adam, on the seed's batches."""
    model = small_network()
    trainer = Trainer(model, learning_rate=0.01)
    trainer.run(mnist, seed=1, updates=3)  # must leave no trace
    record = trainer.run(mnist, seed=3, updates=25)
    reset_weights(model, 3)
    adam, shuffle, losses = keras.optimizers.Adam(0.01), np.random.default_rng([3, 1]), []
    for update in range(25):
        if update % 10 == 0:
            order = shuffle.permutation(640)
        at = order[update % 10 * 64 :][:64]
        with tf.GradientTape() as tape:
            logits = model(mnist.train.images[at])
            loss = tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(
                    mnist.train.labels[at], logits, from_logits=True
                )
            )
        adam.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        losses.append(float(loss))
    np.testing.assert_allclose(record.loss, losses, rtol=1e-4)
    for mine, theirs in zip(record.weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-5)
    means = [np.mean(losses[:10]), np.mean(losses[10:20]), np.mean(losses[20:])]
    assert [epoch["loss"] for epoch in record.epochs] == pytest.approx(means, rel=1e-4)


def test_dropout_is_off_where_nothing_is_learnt(mnist):
    model = small_network(dropout=0.9)
    record = train(model, mnist, updates=1, progress=False)
    logits = model(mnist.test.images, training=False).numpy()
    np.testing.assert_allclose(record.test_logits, logits, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
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


@pytest.mark.slow
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
    # Rows that lie far apart: neither overflows, neither is rounded to nothing.
    far = np.array([[1000.0, 0, 0], [-1000, -1000, -2000]])
    with np.errstate(all="raise"):  # as some readers set it
        found = cross_entropy(far, np.array([0, 1]))
    np.testing.assert_allclose(found, [0, np.log(2)], atol=1e-12)


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
    monkeypatch.setattr(training, "progress_bar", lambda *args: InterruptingBar())


def test_interrupt_keeps_what_was_measured(model, mnist, interrupted, capsys):
    record = train(model, mnist, updates=100_000, name="long")
    assert record.interrupted
    assert 0 < len(record.loss) < 100_000
    assert "Interrupted after" in capsys.readouterr().out
    with pytest.raises(ValueError, match="interrupted before its last update.*Received: long"):
        record.final_loss()


def test_interrupt_before_the_first_update(model, mnist, monkeypatch, capsys):
    def interrupted_reset(model, seed):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "reset_weights", interrupted_reset)
    record = train(model, mnist, updates=7, progress=False)
    assert record.interrupted
    assert record.loss == record.epochs == []
    assert "Interrupted after 0 of 7 updates" in capsys.readouterr().out


def test_data_that_does_not_fit_the_model(model, mnist):
    train_set = mnist.train
    flat = mnist._replace(train=Examples(train_set.images[..., 0], train_set.labels))
    with pytest.raises(ValueError, match=r"data.train.images must .*Received: \(640, 28, 28\)"):
        train(model, flat, progress=False)
    shifted = mnist._replace(val=Examples(mnist.val.images, mnist.val.labels + 1))
    with pytest.raises(ValueError, match=r"data.val.labels must be from 0 to 9.*Received: 1 to 10"):
        train(model, shifted, progress=False)
    with pytest.raises(TypeError, match="data must be Dataset.*Received: Examples"):
        train(model, train_set, progress=False)


def test_a_record_knows_what_the_network_was_built_from(mnist):
    config = {"depth": 8}
    record = train(small_network(), mnist, updates=1, config=config, progress=False)
    assert record.config == config and record.config is not config
    assert train(small_network(), mnist, updates=1, progress=False).config == {}


@pytest.mark.slow
def test_no_constructor_throws_a_switch():
    """Op determinism is for the whole process: only `deterministic`, which readers see, sets it."""
    code = (
        "import resnet_lesson; from resnet_lesson.training import Trainer; "
        "from tensorflow.python.framework.config import is_op_determinism_enabled as on; "
        "from test_training import small_network; Trainer(small_network()); before = on(); "
        "resnet_lesson.deterministic(); print(before, on())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    assert done.stdout == "False True\n", done.stderr


@pytest.mark.slow
def test_images_of_any_size(mnist):
    model = network(8, input_shape=(None, None, 1))
    small = Examples(mnist.val.images[:, ::2, ::2], mnist.val.labels.astype("int64"))
    record = train(model, mnist._replace(val=small), updates=1, progress=False)
    assert np.isfinite(record.epochs[0]["val_loss"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 641}, ValueError, "batch_size .*Received: batch_size=641, 640 images"),
        ({"batch_size": 0}, ValueError, "batch_size must be 1 or more. Received: 0"),
        ({"updates": 0}, ValueError, "updates must be 1 or more. Received: 0"),
        ({"updates": 1.5}, TypeError, "updates must be a whole number. Received: 1.5"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be .* Received: 0"),
        ({"learning_rate": [(5, 0.1)]}, ValueError, "must start at update 0.*Received: "),
        ({"learning_rate": []}, ValueError, r"must start at update 0.*Received: \[\]"),
        ({"learning_rate": [(0,)]}, ValueError, r"or pairs .*Received: \[\(0,\)\]"),
        ({"learning_rate": [0, 1]}, ValueError, r"or pairs .*Received: \[0, 1\]"),
        ({"learning_rate": [(0, "a")]}, TypeError, "learning_rate must be .*Received: 'a'"),
        ({"learning_rate": [(0, 0.1), ("b", 1)]}, TypeError, "first updates must .*Received: 'b'"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be .*Received: 'fast'"),
        ({"after_epoch": 1}, TypeError, "after_epoch must be a function. Received: 1"),
        ({"seed": -1}, ValueError, "seed must be 0 or more. Received: -1"),
    ],
)
def test_bad_arguments(model, mnist, arguments, error, message):
    with pytest.raises(error, match=message):
        train(model, mnist, progress=False, **arguments)


@pytest.mark.slow
def test_training_dense_blocks_logs_nothing():
    """TensorFlow 2.21 with oneDNN logs errors here, unless its remapping is off."""
    lines = [
        "import resnet_lesson, keras, tensorflow as tf",
        "from resnet_lesson.blocks import DenseBlock",
        "def step_of(relu_first):",
        "    x = keras.Input((16,))",
        "    y = DenseBlock(16, normalisation=False).branch(x)",
        "    y = keras.layers.ReLU()(y) + x if relu_first else keras.layers.ReLU()(y + x)",
        "    model, adam = keras.Model(x, y), keras.optimizers.Adam()",
        "    adam.build(model.trainable_variables)",
        "    @tf.function(autograph=False)",
        "    def step(x):",
        "        with tf.GradientTape() as tape:",
        "            loss = tf.reduce_mean((model(x) - x) ** 2)",
        "        gradients = tape.gradient(loss, model.trainable_variables)",
        "        adam.apply_gradients(zip(gradients, model.trainable_variables))",
        "    return step",
        "for step in (step_of(False), step_of(True)):",
        "    step(tf.ones((512, 16)))",
    ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
