"""Fast training on a processor: a batch in pieces side by side, normalisation as one operation.

``training.Trainer`` is made for comparing networks; this one for getting a good network soon. It
computes the same gradients. Three things make it fast.

* TensorFlow cuts each operation into parts for the cores, and small operations are hardly worth the
  cutting. Here the *batch* is cut, and each core works through its piece alone. For that, give
  TensorFlow one thread an operation and one operation a core: ``one_thread_an_operation``.
* Keras builds batch normalisation from a dozen operations, each of which reads and writes the whole
  tensor. TensorFlow has one operation for all of it: ``normalisation.FusedBatchNorm``.
* Between two updates the cores wait for Python. Here one call of TensorFlow makes many updates, and
  Adam's rule is one operation a weight array.

References
    Kingma, Ba 2015: Adam: A Method for Stochastic Optimization, ICLR (arXiv:1412.6980): the order
        of computation at the end of Section 2.
    Polyak, Juditsky 1992: Acceleration of Stochastic Approximation by Averaging, SIAM Journal on
        Control and Optimization 30(4): averages of the weights.
    Smith, Topin 2019: Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
        Rates (arXiv:1708.07120): a rate that rises once and falls once.
    Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2016: Rethinking the Inception Architecture for
        Computer Vision, CVPR (arXiv:1512.00567), Section 7: label smoothing.
"""

import time

import numpy as np
import tensorflow as tf

from resnet_lesson.arguments import (
    built_model,
    function,
    images_for,
    positive_number,
    real_number,
    text_value,
    whole_number,
)
from resnet_lesson.models import reset_weights
from resnet_lesson.records import Record
from resnet_lesson.training import EVALUATION_BATCH, check_run, evaluate
from resnet_lesson.workers import cores

UPDATES_A_CALL = 20


def one_thread_an_operation():
    """Let TensorFlow compute with one thread an operation, and as many operations as cores.

    Raises:
        RuntimeError: TensorFlow has computed something in this process already.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(cores())
    except RuntimeError as error:
        raise RuntimeError(
            "threads must be set before TensorFlow's first operation: restart Python. "
            f"Received: {error}"
        ) from None


def one_cycle(update, updates, peak, warm_up=0.25):
    """Return the learning rate of an update: up in a straight line, then down to zero.

    Args:
        update: number of the update, from 0.
        updates: number of all updates.
        peak: the highest rate.
        warm_up: share of the updates on the way up.

    Returns:
        float.

    Raises:
        TypeError, ValueError: an argument is unusable.
    """
    updates = whole_number("updates", updates, least=1)
    update = whole_number("update", update, most=updates)
    positive_number("peak", peak)
    top = real_number("warm_up", warm_up, 0, 0.99) * updates
    if update < top:
        return peak * (0.04 + 0.96 * update / top)
    return peak * (updates - update) / (updates - top)


class FastTrainer:
    """Trains one model with Adam, one cycle of the learning rate, and pieces of each batch.

    Args:
        model: keras.Model, float32 (batch, …) → logits, float32 (batch, classes).
        batch_size: number of images in each update.
        pieces: into how many equal pieces a batch is cut; one a core is fastest. Layers that
            compute with a batch, such as batch normalisation, see a piece.
        smoothing: label smoothing: this share of each label is spread over all classes.
        change: function (images, seed) → images of the same shape, applied to each piece; seed is
            an int32 tensor of shape (2,), as TensorFlow's stateless random functions take it.
        average: after each update the trained weights are ``average`` parts of what they were and
            1 − ``average`` parts of the model's own; 0 keeps the model's own.
    """

    def __init__(self, model, batch_size=128, pieces=2, smoothing=0.0, change=None, average=0.0):
        self.model = built_model("model", model)
        self.change = None if change is None else function("change", change)
        self.batch_size = whole_number("batch_size", batch_size, least=1)
        self.pieces = whole_number("pieces", pieces, least=1)
        if self.batch_size % self.pieces:
            raise ValueError(
                f"pieces must divide batch_size={self.batch_size}. Received: {self.pieces}"
            )
        for name, value in (("smoothing", smoothing), ("average", average)):
            if not 0 <= real_number(name, value) < 1:
                raise ValueError(f"{name} must be from 0 to below 1. Received: {value!r}")
        self.smoothing, self.average = smoothing, average
        tf.config.experimental.enable_op_determinism()
        tf.random.set_seed(0)
        weights = model.trainable_variables
        self._moments = [[tf.Variable(tf.zeros(w.shape)) for w in weights] for _ in range(2)]
        self._averages = [tf.Variable(v.value) for v in model.variables] if average else []
        options = {"jit_compile": False, "autograph": False}
        signature = [
            tf.TensorSpec((None, *model.input_shape[1:]), tf.float32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None, self.batch_size], tf.int64),
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.int32),
        ]
        self._updates = tf.function(self._many_updates, input_signature=signature, **options)
        self._logits = tf.function(lambda images: model(images, training=False), **options)

    def _piece(self, images, labels, seed):
        """Return the piece's part of the batch's mean loss, and of its gradient."""
        if self.change is not None:
            images = self.change(images, seed)
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            classes = logits.shape[-1]
            targets = tf.one_hot(labels, classes) * (1 - self.smoothing) + self.smoothing / classes
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
            loss = tf.reduce_sum(losses) / self.batch_size
        return loss, tape.gradient(loss, self.model.trainable_variables)

    def _one_update(self, images, labels, number, rate, seed):
        pieces = zip(tf.split(images, self.pieces), tf.split(labels, self.pieces), strict=True)
        results = [
            self._piece(*piece, tf.stack([seed, number * self.pieces + i]))
            for i, piece in enumerate(pieces)
        ]
        gradients = [tf.add_n(parts) for parts in zip(*(g for _, g in results), strict=True)]
        count = tf.cast(number, tf.float32) + 1
        adam = {"lr": rate, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}
        adam |= {"beta1_power": 0.9**count, "beta2_power": 0.999**count}
        weights = self.model.trainable_variables
        for weight, m, v, gradient in zip(weights, *self._moments, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=weight.value.handle, m=m.handle, v=v.handle, grad=gradient, **adam
            )
        # At the start the average follows the weights more closely, for it knows only few.
        keep = tf.minimum(self.average, count / (count + 9))
        for mean, variable in zip(self._averages, self.model.variables, strict=False):
            mean.assign(mean * keep + variable.value * (1 - keep))
        return tf.add_n([loss for loss, _ in results])

    def _many_updates(self, images, labels, batches, rates, first, seed):
        """Make an update for each row of ``batches``, numbers of images; return the losses."""

        def update(i, losses):
            at, number = batches[i], first + i
            batch = tf.gather(images, at), tf.gather(labels, at)
            return i + 1, losses.write(i, self._one_update(*batch, number, rates[i], seed))

        updates = tf.shape(rates)[0]
        losses = tf.TensorArray(tf.float32, updates)
        _, losses = tf.while_loop(lambda i, _: i < updates, update, (0, losses))
        return losses.stack()

    def run(self, data, seed=0, epochs=2, peak=1e-2, name="", on_updates=None):
        """Train once, from the seed's initial weights.

        Args:
            data: ``Mnist(train, val, test)``; ``val`` and ``test`` may be empty.
            seed: integer, 0 or more.
            epochs: number of passes over the training images.
            peak: highest learning rate.
            name: what to call the network.
            on_updates: function called with the number of updates made since it was called last.

        Returns:
            Record, with an epoch for the whole run. ``accuracy`` is not measured on the way, and
            ``seconds`` once in ``UPDATES_A_CALL`` updates, which share it evenly.
        """
        seed = whole_number("seed", seed, most=2**31 - 1)
        text_value("name", name)
        if on_updates is not None:
            function("on_updates", on_updates)
        check_run(self.model, data, self.batch_size, positive_number("peak", peak), None)
        epochs = whole_number("epochs", epochs, least=1)
        per_epoch = len(data.train) // self.batch_size
        updates = epochs * per_epoch
        weights = sum(int(np.prod(v.shape)) for v in self.model.trainable_variables)
        record = Record(name, seed, weights, self.batch_size, peak, updates)
        reset_weights(self.model, seed)
        for moment in (*self._moments[0], *self._moments[1]):
            moment.assign(tf.zeros_like(moment))
        for mean, variable in zip(self._averages, self.model.variables, strict=False):
            mean.assign(variable.value)
        shuffle = np.random.default_rng([seed, 1])
        rates = np.array([one_cycle(n, updates, peak) for n in range(updates)], np.float32)
        examples = tf.constant(data.train.images), tf.constant(data.train.labels)
        # No update: TensorFlow traces and prepares the graph outside of the clock.
        self._updates(*examples, np.empty((0, self.batch_size), np.int64), rates[:0], 0, seed)
        start = time.perf_counter()
        for epoch in range(epochs):
            order = shuffle.permutation(len(data.train))[: per_epoch * self.batch_size]
            batches = order.reshape(per_epoch, self.batch_size)
            for place in range(0, per_epoch, UPDATES_A_CALL):
                part = batches[place : place + UPDATES_A_CALL]
                first = epoch * per_epoch + place
                losses = self._updates(*examples, part, rates[first:][: len(part)], first, seed)
                record.loss += losses.numpy().tolist()
                before = record.seconds[-1] if record.seconds else 0.0
                spent = np.linspace(before, time.perf_counter() - start, len(part) + 1)
                record.seconds += spent[1:].tolist()
                if on_updates is not None:
                    on_updates(len(part))
        for mean, variable in zip(self._averages, self.model.variables, strict=False):
            variable.assign(mean)
        self._measure(record, data)
        return record

    def _measure(self, record, data):
        record.epochs.append({"update": len(record.loss), "loss": record.final_loss(100)})
        if len(data.val):
            loss, accuracy = evaluate(self.logits(data.val.images), data.val.labels)
            record.epochs[-1] |= {"val_loss": loss, "val_accuracy": accuracy}
        if len(data.test):
            record.test_logits = self.logits(data.test.images)
            record.test_loss, record.test_accuracy = evaluate(record.test_logits, data.test.labels)
        record.weights = self.model.get_weights()

    def logits(self, images):
        """Compute the logits of many images, in evaluation mode; arguments as in ``Trainer``."""
        images = images_for("images", images, self.model)
        parts = [
            self._logits(tf.constant(images[i : i + EVALUATION_BATCH])).numpy()
            for i in range(0, len(images), EVALUATION_BATCH)
        ]
        return np.concatenate(parts)
