"""Seeded training of classifiers: one network, one seed, one run.

References
    Kingma, Ba 2015: Adam: A Method for Stochastic Optimization, ICLR (arXiv:1412.6980).
"""

import os
import time

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from resnet_lesson.data import TrainingData
from resnet_lesson.models import reset_weights
from resnet_lesson.plumbing.adam import Adam
from resnet_lesson.plumbing.constraints import (
    POSITIVE,
    Constraint,
    Images,
    Labels,
    Numbers,
    Whole,
    checked,
)
from resnet_lesson.runs import Record

Schedule = keras.optimizers.schedules.LearningRateSchedule
EVALUATION_BATCH = 500
# XLA ("jit_compile") takes long to compile and gains little here on a CPU: see lesson 09. Nothing
# here is for autograph.
COMPILED = {"jit_compile": False, "autograph": False, "reduce_retracing": True}


class LearningRate(Constraint):
    """A number above 0, pairs (first update, step size) as in ``[(0, 2e-3), (9000, 2e-4)]``, or a
    schedule of Keras."""

    def check(self, name, value, given=None):
        if isinstance(value, Schedule):
            return value
        if not isinstance(value, (list, tuple)):
            return POSITIVE.check(name, value)
        if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in value):
            raise ValueError(
                f"{name} must be a number, a schedule, or pairs (first update, step size), as "
                f"in [(0, 2e-3), (9000, 2e-4)]. Received: {value!r}"
            )
        starts = [Whole().check(f"{name}'s first updates", start) for start, _ in value]
        for _, rate in value:
            POSITIVE.check(name, rate)
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError(
                f"{name}, given as pairs, must start at update 0 and go up. Received: {value!r}"
            )
        return value


class Trainer:
    """Trains one model as often as wanted, and traces its training step only once.

    The same arguments give the same numbers, to the last bit, after ``resnet_lesson.deterministic``
    has been called. Layers that draw must use Keras's seed generators, as Dropout does;
    ``reset_weights`` sets those.

    A layer may be frozen before or after a trainer is made, and between two runs: while its
    ``trainable`` is False it stays as it is, and the others are trained. What changes in a run
    counts from the next one on.

    Args:
        model: keras.Model, float32 (batch, …) → logits, float32 (batch, classes).
        batch_size: number of images in each update.
        learning_rate: Adam's step size: a number, a schedule such as
            ``keras.optimizers.schedules.CosineDecay(1e-2, 600)``, or pairs (first update, step
            size) as in ``[(0, 2e-3), (9000, 2e-4)]``.

    Example::

        trainer = Trainer(network(8))
        runs = [trainer.run(mnist, seed) for seed in (0, 1, 2)]
    """

    @checked(learning_rate=LearningRate())
    def __init__(self, model, batch_size=64, learning_rate=2e-3):
        self.model = model
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self._logits = tf.function(
            lambda images: tf.cast(model(images, training=False), tf.float32), **COMPILED
        )
        self._trained = None
        self._prepare()

    def _prepare(self):
        """Make the optimiser and the training step, unless they fit what is trained now.

        A layer may be frozen at any time: its weights are no longer among the trainable ones, and
        a normalisation takes its moving averages, with or without weights of its own.
        """
        layers = [layer.trainable for layer in self.model._flatten_layers()]
        trained = layers, [id(weight) for weight in self.model.trainable_variables]
        if trained == self._trained:
            return
        self._trained = trained
        self._optimizer = self._new_optimizer()
        self._fresh = [variable.numpy() for variable in self._optimizer.variables]
        self._new_step()

    def _update(self, images, labels):
        """Change the weights by one step; return loss and accuracy of the batch before it."""
        gradients, loss, accuracy = self._gradients(images, labels)
        self._optimizer.update(gradients, self.model.trainable_variables)
        return loss, accuracy

    def _gradients(self, images, labels):
        weights = self.model.trainable_variables
        with tf.GradientTape() as tape:
            watch(tape, weights)
            logits = self.model(images, training=True)
            loss = batch_loss(logits, labels)
        gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
        correct = tf.equal(tf.argmax(logits, axis=1, output_type=labels.dtype), labels)
        return gradients, loss, tf.reduce_mean(tf.cast(correct, tf.float32))

    @checked
    def run(
        self,
        data,
        seed=0,
        updates=300,
        name="",
        config=None,
        reset=True,
        after_epoch=None,
        on_update=None,
    ):
        """Train once. The arguments are those of ``train``, and one more.

        Args:
            on_update: function called after each update, without arguments.
        """
        check_run(self.model, data, self.batch_size, self.learning_rate, after_epoch)
        self._prepare()
        record = self._new_record(seed, updates, name, config)
        if after_epoch is not None:
            record.learning_rate = [(0, self.learning_rate)]
        try:
            if reset:
                reset_weights(self.model, seed)
            done = self._start(record)
            # The first call traces the step, which is no training: its seconds are not counted.
            self._step.get_concrete_function(*self._batch(data.train, np.arange(self.batch_size)))
            spent = record.seconds[-1] if record.seconds else 0.0
            for at, ends_epoch in self._shuffled(len(data.train), seed, updates, done):
                start = time.perf_counter()
                loss, accuracy = self._step(*self._batch(data.train, at))
                record.loss.append(float(loss))
                record.accuracy.append(float(accuracy))
                spent += time.perf_counter() - start
                record.seconds.append(spent)
                if on_update is not None:
                    on_update()
                if ends_epoch and not self._next_epoch(record, data, after_epoch):
                    break
                self._after_update(record)
            self._finish(record, data)
        except KeyboardInterrupt:
            record.interrupted = True
        return record

    def _shuffled(self, images, seed, updates, done=0):
        """Yield where each update's images are, and whether it is the last one of its epoch.

        Every epoch has a new order, which the seed decides. The first ``done`` updates are left
        out.
        """
        shuffle = np.random.default_rng([seed, 1])
        per_epoch = images // self.batch_size
        for update in range(updates):
            place = update % per_epoch
            if place == 0:
                order = shuffle.permutation(images)
            if update >= done:
                ends_epoch = place == per_epoch - 1 or update == updates - 1
                yield order[place * self.batch_size :][: self.batch_size], ends_epoch

    # What several processes, checkpoints or another loop need: a subclass changes these.

    def _new_optimizer(self):
        optimizer = Adam(_schedule(self.learning_rate))
        optimizer.build(self.model.trainable_variables)
        return optimizer

    def _new_step(self):
        self._step = tf.function(self._update, **COMPILED)

    def _batch(self, examples, at):
        return tf.constant(examples.images[at]), tf.constant(examples.labels[at])

    def _start(self, record):
        """Forget the optimiser's last run; return how many updates have been made already."""
        for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        return 0

    def _after_update(self, record):
        pass

    # What is measured besides.

    def _new_record(self, seed, updates, name, config):
        return Record(
            name=name,
            seed=seed,
            parameters=sum(int(np.prod(v.shape)) for v in self.model.trainable_variables),
            batch_size=self.batch_size,
            learning_rate=_plain_rate(self.learning_rate),
            updates=updates,
            config=dict(config or {}),
        )

    def _next_epoch(self, record, data, after_epoch):
        """Measure what an epoch gave, and take the next one's learning rate; False ends the run."""
        first = record.epochs[-1]["update"] if record.epochs else 0
        record.epochs.append(
            {
                "update": len(record.loss),
                "loss": float(np.mean(record.loss[first:])),
                "accuracy": float(np.mean(record.accuracy[first:])),
            }
            | self._validation(data)
        )
        if after_epoch is None:
            return True
        rate = after_epoch(record)
        if rate is not None and rate != record.learning_rate[-1][1]:
            self._optimizer.learning_rate = POSITIVE.check("learning_rate", rate)
            record.learning_rate.append((len(record.loss), rate))
        return rate is not None

    def _validation(self, data):
        if not len(data.val):
            return {}
        loss, accuracy = evaluate(self.logits(data.val.images), data.val.labels)
        return {"val_loss": loss, "val_accuracy": accuracy}

    def _finish(self, record, data):
        if len(data.test):
            record.test_logits = self.logits(data.test.images)
            record.test_loss, record.test_accuracy = evaluate(record.test_logits, data.test.labels)
        record.weights = self.model.get_weights()

    def logits(self, images):
        """Compute the logits of many images, in evaluation mode.

        Args:
            images: float32, shape (n, …), n ≥ 1.

        Returns:
            float32 array, shape (n, classes).

        Raises:
            TypeError, ValueError: there are no such images.
        """
        images = Images().check("images", images, {"model": self.model})
        parts = []
        for i in range(0, len(images), EVALUATION_BATCH):
            batch = tf.constant(images[i : i + EVALUATION_BATCH])
            # Called itself, the function would warn of retracing after a few short runs.
            parts.append(self._logits.get_concrete_function(batch)(batch).numpy())
        return np.concatenate(parts)


@checked
def train(
    model,
    data,
    seed=0,
    updates=300,
    batch_size=64,
    learning_rate=2e-3,
    name="",
    config=None,
    reset=True,
    after_epoch=None,
    progress=True,
):
    """Train a classifier with Adam and record every update.

    The seed decides the initial weights, the order of the images and what layers such as Dropout
    draw. Interrupting the kernel (Ctrl-C) ends the run and returns what was measured so far.

    Args:
        model: keras.Model, float32 (batch, 28, 28, 1) → logits, float32 (batch, 10).
        data: ``Dataset(train, val, test)``; ``val`` and ``test`` may be empty.
        seed: integer, 0 or more.
        updates: number of updates of the weights, each on one batch.
        batch_size: number of images in each update.
        learning_rate: Adam's step size: a number, a schedule such as
            ``keras.optimizers.schedules.CosineDecay(1e-2, 600)``, or pairs (first update, step
            size) as in ``[(0, 2e-3), (9000, 2e-4)]``.
        name: what to call the network in figures.
        config: dictionary: what the network was built from, for the Record.
        reset: start from the seed's initial weights; False goes on from the model's own.
        after_epoch: function called with the Record after each epoch. It returns the learning rate
            of the next one, or None to end the run there.
        progress: show a progress bar.

    Returns:
        Record. After each epoch it holds the validation loss, at the end the test accuracy and the
        trained weights.

    Raises:
        TypeError, ValueError: an argument is unusable; the message ends with what was received.

    Example::

        record = train(network(20), load_mnist(train=12800), seed=0, updates=400)
        record.final_loss()  # mean training loss of the last 100 updates, in nats
    """
    trainer = Trainer(model, batch_size, learning_rate)
    with progress_bar(updates, progress, name) as bar:
        record = trainer.run(data, seed, updates, name, config, reset, after_epoch, bar.update)
    if record.interrupted:
        print(f"Interrupted after {len(record.loss)} of {updates} updates: the record holds those.")
    return record


@checked(data=TrainingData(), learning_rate=LearningRate())
def check_run(model, data, batch_size, learning_rate, after_epoch=None):
    """Check that a model can be trained so. The arguments are those of ``train``.

    Raises:
        TypeError, ValueError: it cannot; the message ends with what was received.
    """
    if batch_size > len(data.train):
        raise ValueError(
            "batch_size must be at most the number of training images. "
            f"Received: batch_size={batch_size}, {len(data.train)} images"
        )
    if after_epoch is not None and isinstance(learning_rate, (list, tuple, Schedule)):
        raise ValueError(
            "learning_rate must be a number where after_epoch sets the later ones. "
            f"Received: {learning_rate!r}"
        )


def progress_bar(updates, wanted=True, label=""):
    """Make a progress bar that leaves nothing behind; TQDM_DISABLE in the environment hides it."""
    hidden = not wanted or bool(os.environ.get("TQDM_DISABLE"))
    return tqdm(total=updates, desc=label or None, unit="update", leave=False, disable=hidden)


def watch(tape, weights):
    """Let a tape watch weights that began as frozen ones, too: by itself it passes over them."""
    for weight in weights:
        tape.watch(weight.value)


def batch_loss(logits, labels):
    """Return the mean cross-entropy of a batch in nats, as a tensor that has a gradient."""
    # A loss of 16 bits would have two digits.
    logits = tf.cast(logits, keras.backend.result_type(logits.dtype, "float32"))
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )


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

    Example::

        loss, accuracy = evaluate(trainer.logits(mnist.test.images), mnist.test.labels)
    """
    losses = cross_entropy(logits, labels)
    return float(np.mean(losses)), float(np.mean(np.argmax(logits, axis=1) == labels))


@checked(logits=Numbers((None, None), kinds="f", finite=False), labels=Labels("logits", "logits"))
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
    shifted = logits.astype(np.float64) - np.max(logits, axis=1, keepdims=True)
    with np.errstate(under="ignore"):  # where a reader lets NumPy raise: e⁻⁸⁰⁰ is rightly zero
        log_sum = np.log(np.sum(np.exp(shifted), axis=1))
    return log_sum - shifted[np.arange(len(labels)), labels]


def _plain_rate(learning_rate):
    """Return a learning rate as a record keeps it: a schedule as a dictionary."""
    is_schedule = isinstance(learning_rate, Schedule)
    return keras.optimizers.schedules.serialize(learning_rate) if is_schedule else learning_rate


def _schedule(learning_rate):
    """Return what a Keras optimiser takes for a learning rate of the course."""
    if not isinstance(learning_rate, (list, tuple)):
        return learning_rate
    starts, rates = zip(*learning_rate, strict=True)
    if len(rates) == 1:
        return float(rates[0])
    # Keras keeps a rate up to and including its boundary.
    boundaries = [start - 1 for start in starts[1:]]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, list(rates))
