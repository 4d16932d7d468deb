"""Seeded training of classifiers: one run, or a sweep over networks and seeds.

References
    Kingma, Ba 2015: Adam: A Method for Stochastic Optimization, ICLR (arXiv:1412.6980).
"""

import os
import time
from contextlib import nullcontext

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from resnet_lesson.arguments import (
    array,
    built_model,
    function,
    images_for,
    labels_for,
    positive_number,
    received,
    text_value,
    truth_value,
    whole_number,
)
from resnet_lesson.data import check_data
from resnet_lesson.distribution import average, check_strategy, on_replicas, shares
from resnet_lesson.models import reset_weights
from resnet_lesson.records import Record
from resnet_lesson.schedules import schedule

EVALUATION_BATCH = 500


class _Adam(keras.optimizers.Adam):
    """Keras's Adam with one operation a weight array.

    Keras makes a dozen small ones of the same formula. In a deep net of small layers they take a
    third of the training step's time. Under a strategy each replica updates its own copy of the
    weights, with the same gradient.
    """

    def update(self, gradients, variables):
        updates = tf.cast(self.iterations + 1, tf.float32)
        shared = {
            "lr": self.learning_rate,
            "beta1": self.beta_1,
            "beta2": self.beta_2,
            "beta1_power": self.beta_1**updates,
            "beta2_power": self.beta_2**updates,
            "epsilon": self.epsilon,
        }
        shared = {name: tf.convert_to_tensor(value, tf.float32) for name, value in shared.items()}
        averages = zip(self._momentums, self._velocities, strict=True)
        for gradient, variable, (m, v) in zip(gradients, variables, averages, strict=True):
            handles = {"var": variable.value.handle, "m": m.value.handle, "v": v.value.handle}
            tf.raw_ops.ResourceApplyAdam(**handles, grad=gradient, **shared)
        self.iterations.assign_add(1)


class Trainer:
    """Trains one model as often as wanted, and traces its training step only once.

    It turns on TensorFlow's op determinism, for the whole process. Under it, operations that draw
    from TensorFlow's global random numbers (``tf.random.normal``, ``Dataset.shuffle``,
    ``model.fit``) refuse to work without a seed, so it sets one with ``tf.random.set_seed``. A run
    does not: TensorFlow would prepare its graphs again, which takes seconds in a deep net. Layers
    that draw must use Keras's seed generators, as Dropout does; ``reset_weights`` sets those.

    Args:
        model: keras.Model, float32 (batch, …) → logits, float32 (batch, classes).
        batch_size: number of images in each update.
        learning_rate: Adam's step size: a number, or pairs (first update, step size) as in
            ``[(0, 2e-3), (9000, 2e-4)]``.
        strategy: tf.distribute.Strategy, in whose scope the model was built; None for one device.
    """

    def __init__(self, model, batch_size=64, learning_rate=2e-3, strategy=None):
        self.model = built_model("model", model)
        self.batch_size = whole_number("batch_size", batch_size, least=1)
        self.learning_rate = learning_rate
        self.strategy = strategy
        if strategy is not None:
            check_strategy(strategy, model, self.batch_size)
        # Without it, some operations add up in an order that differs from run to run.
        tf.config.experimental.enable_op_determinism()
        tf.random.set_seed(0)
        with strategy.scope() if strategy else nullcontext():
            self._optimizer = _Adam(schedule(learning_rate))
            self._optimizer.build(model.trainable_variables)
        self._fresh = [variable.numpy() for variable in self._optimizer.variables]
        # XLA ("jit_compile") takes long to compile and gains little here on a CPU: see lesson 09.
        # Nothing here is for autograph.
        options = {"jit_compile": False, "autograph": False, "reduce_retracing": True}
        step = on_replicas(strategy, self._train_step) if strategy else self._train_step
        self._step = tf.function(step, **options)
        self._logits = tf.function(lambda images: model(images, training=False), **options)

    def _train_step(self, images, labels):
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
            )
        # Not apply_gradients: TensorFlow would keep the graph of every step that was ever traced,
        # in its table of custom gradients.
        gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
        if self.strategy is not None:
            gradients = average(gradients)
        self._optimizer.update(gradients, variables)
        correct = tf.equal(tf.argmax(logits, axis=1, output_type=labels.dtype), labels)
        measured = loss, tf.reduce_mean(tf.cast(correct, tf.float32))
        return measured if self.strategy is None else average(measured)

    def run(
        self,
        data,
        seed=0,
        updates=300,
        name="",
        reset=True,
        after_epoch=None,
        should_stop=None,
        on_update=None,
        checkpoints=None,
    ):
        """Train once. The arguments are those of ``train``; two are for sweeps.

        Args:
            should_stop: function called before each update; the run ends where it returns True.
            on_update: function called after each update.
        """
        seed = whole_number("seed", seed)
        updates = whole_number("updates", updates, least=1)
        text_value("name", name)
        truth_value("reset", reset)
        for argument, value in (("should_stop", should_stop), ("on_update", on_update)):
            if value is not None:
                function(argument, value)
        if checkpoints is not None and not hasattr(checkpoints, "restore"):
            raise TypeError(
                f"checkpoints must be Checkpoints or None. Received: {received(checkpoints)}"
            )
        check_run(self.model, data, self.batch_size, self.learning_rate, after_epoch)
        per_epoch = len(data.train) // self.batch_size
        record = Record(
            name=name,
            seed=seed,
            parameters=sum(int(np.prod(v.shape)) for v in self.model.trainable_variables),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            updates=updates,
        )
        if after_epoch is not None:
            record.learning_rate = [(0, self.learning_rate)]
        shuffle = np.random.default_rng([seed, 1])
        spent = 0.0
        try:
            if reset:
                reset_weights(self.model, seed)
            for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
                variable.assign(value)
            saved = [*self.model.variables, *self._optimizer.variables]
            done = 0
            if checkpoints is not None:
                done = checkpoints.restore(record, saved, self.strategy)
                spent = record.seconds[-1] if done else 0.0
            # The first call traces the step, which is no training: its seconds are not counted.
            self._step.get_concrete_function(*self._batch(data.train, np.arange(self.batch_size)))
            for update in range(updates):
                if should_stop is not None and should_stop():
                    raise KeyboardInterrupt
                if update % per_epoch == 0:
                    order = shuffle.permutation(len(data.train))
                if update < done:  # a checkpoint holds it
                    continue
                start = time.perf_counter()
                place = (update % per_epoch) * self.batch_size
                loss, accuracy = self._step(
                    *self._batch(data.train, order[place : place + self.batch_size])
                )
                record.loss.append(float(loss))
                record.accuracy.append(float(accuracy))
                spent += time.perf_counter() - start
                record.seconds.append(spent)
                if on_update is not None:
                    on_update()
                if (update + 1) % per_epoch == 0 or update + 1 == updates:
                    record.epochs.append(self._epoch(record, data.val, update % per_epoch + 1))
                    if after_epoch is not None and not self._go_on(record, after_epoch(record)):
                        break
                if checkpoints is not None:
                    checkpoints.save(record, saved, self.strategy)
            if len(data.test):
                record.test_logits = self.logits(data.test.images)
                record.test_loss, record.test_accuracy = evaluate(
                    record.test_logits, data.test.labels
                )
            record.weights = self.model.get_weights()
        except KeyboardInterrupt:
            record.interrupted = True
        return record

    def logits(self, images):
        """Compute the logits of many images, in evaluation mode.

        Args:
            images: float32, shape (n, …), n ≥ 1.

        Returns:
            float32 array, shape (n, classes).

        Raises:
            TypeError, ValueError: there are no such images.
        """
        images = images_for("images", images, self.model)
        parts = []
        for i in range(0, len(images), EVALUATION_BATCH):
            batch = tf.constant(images[i : i + EVALUATION_BATCH])
            # Called itself, the function would warn of retracing after a few short runs.
            parts.append(self._logits.get_concrete_function(batch)(batch).numpy())
        return np.concatenate(parts)

    def _batch(self, examples, at):
        if self.strategy is not None:
            return shares(self.strategy, examples.images[at]), shares(
                self.strategy, examples.labels[at]
            )
        return tf.constant(examples.images[at]), tf.constant(examples.labels[at])

    def _go_on(self, record, rate):
        """Set the learning rate that ``after_epoch`` returned; False if it ends the run."""
        if rate is None:
            return False
        if rate != record.learning_rate[-1][1]:
            self._optimizer.learning_rate = positive_number("learning_rate", rate)
            record.learning_rate.append((len(record.loss), rate))
        return True

    def _epoch(self, record, val, last):
        epoch = {
            "update": len(record.loss),
            "loss": float(np.mean(record.loss[-last:])),
            "accuracy": float(np.mean(record.accuracy[-last:])),
        }
        if len(val):
            loss, accuracy = evaluate(self.logits(val.images), val.labels)
            epoch |= {"val_loss": loss, "val_accuracy": accuracy}
        return epoch


def train(
    model,
    data,
    seed=0,
    updates=300,
    batch_size=64,
    learning_rate=2e-3,
    name="",
    reset=True,
    after_epoch=None,
    progress=True,
    strategy=None,
    checkpoints=None,
):
    """Train a classifier with Adam and record every update.

    The seed decides the initial weights, the order of the images and what layers such as Dropout
    draw. On one machine the same arguments give the same numbers, to the last bit: this turns on
    TensorFlow's op determinism and sets its global seed, for the whole process (see ``Trainer``).
    Interrupting the kernel (Ctrl-C) ends the run and returns what was measured so far.

    Args:
        model: keras.Model, float32 (batch, 28, 28, 1) → logits, float32 (batch, 10).
        data: ``Mnist(train, val, test)``; ``val`` and ``test`` may be empty.
        seed: integer, 0 or more.
        updates: number of updates of the weights, each on one batch.
        batch_size: number of images in each update.
        learning_rate: Adam's step size: a number, or pairs (first update, step size) as in
            ``[(0, 2e-3), (9000, 2e-4)]``.
        name: what to call the network in figures.
        reset: start from the seed's initial weights; False goes on from the model's own.
        after_epoch: function called with the Record after each epoch. It returns the learning rate
            of the next one, or None to end the run there.
        progress: show a progress bar.
        strategy: tf.distribute.Strategy, in whose scope the model was built: its replicas share
            each batch equally, and the result is that of one device, to rounding. Layers that
            compute with the whole batch see their share of it alone: see
            ``distribution.synchronise_norms``.
        checkpoints: ``distribution_checkpoints.Checkpoints``: the run goes on from the newest one.

    Returns:
        Record. After each epoch it holds the validation loss, at the end the test accuracy and the
        trained weights.

    Raises:
        TypeError, ValueError: an argument is unusable; the message ends with what was received.
    """
    trainer = Trainer(model, batch_size, learning_rate, strategy)
    with progress_bar(whole_number("updates", updates, least=1), progress, name) as bar:
        record = trainer.run(
            data,
            seed,
            updates,
            name,
            reset,
            after_epoch,
            on_update=bar.update,
            checkpoints=checkpoints,
        )
    if record.interrupted:
        print(f"Interrupted after {len(record.loss)} of {updates} updates: the record holds those.")
    return record


def check_run(model, data, batch_size, learning_rate, after_epoch):
    """Check that a model can be trained so. The arguments are those of ``train``.

    Raises:
        TypeError, ValueError: it cannot; the message ends with what was received.
    """
    built_model("model", model)
    check_data(data, model.input_shape, model.output_shape[-1])
    if batch_size > len(data.train):
        raise ValueError(
            "batch_size must be at most the number of training images. "
            f"Received: batch_size={batch_size}, {len(data.train)} images"
        )
    schedule(learning_rate)
    if after_epoch is None:
        return
    function("after_epoch", after_epoch)
    if isinstance(learning_rate, (list, tuple)):
        raise ValueError(
            "learning_rate must be a number where after_epoch sets the later ones. "
            f"Received: {learning_rate!r}"
        )


def progress_bar(updates, wanted=True, label=""):
    """Make a progress bar that leaves nothing behind; TQDM_DISABLE in the environment hides it."""
    hidden = not truth_value("progress", wanted) or bool(os.environ.get("TQDM_DISABLE"))
    label = text_value("name", label) or None
    return tqdm(total=updates, desc=label, unit="update", leave=False, disable=hidden)


def evaluate(logits, labels):
    """Compute the mean cross-entropy and the accuracy of logits.

    Args:
        logits: float, shape (n, classes), n ≥ 1.
        labels: integers, shape (n,).

    Returns:
        (loss in nats, accuracy from 0 to 1), two floats. Logits that are not finite, as after a
        training that diverged, give a loss that is not.

    Raises:
        TypeError, ValueError: shapes do not fit, or a label is out of range.
    """
    losses = cross_entropy(logits, labels)
    return float(np.mean(losses)), float(np.mean(np.argmax(logits, axis=1) == labels))


def cross_entropy(logits, labels):
    """Compute each example's cross-entropy, −log softmax(logits)[label].

    Args:
        logits: float, shape (n, classes).
        labels: integers, shape (n,).

    Returns:
        float64 array, shape (n,), in nats.

    Raises:
        TypeError, ValueError: as ``evaluate``.
    """
    logits = array("logits", logits, (None, None), kinds="f", finite=False)
    labels = labels_for("labels", labels, *logits.shape)
    shifted = logits.astype(np.float64) - np.max(logits, axis=1, keepdims=True)
    log_sum = np.log(np.sum(np.exp(shifted), axis=1))
    return log_sum - shifted[np.arange(len(labels)), labels]
