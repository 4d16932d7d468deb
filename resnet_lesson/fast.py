"""Fast training on a processor: a batch in pieces side by side, normalisation as one operation.

``training.Trainer`` is made for comparing networks; this one for getting a good network soon. It
computes the same gradients. Two things make it fast.

* TensorFlow cuts each operation into parts for the cores, and small operations are hardly worth the
  cutting. Here the *batch* is cut, and each core works through its piece alone. For that, give
  TensorFlow one thread an operation and one operation a core: ``one_thread_an_operation``.
* Keras builds batch normalisation from a dozen operations, each of which reads and writes the whole
  tensor. TensorFlow has one operation for all of it.

References
    Ioffe, Szegedy 2015: Batch Normalization, ICML (arXiv:1502.03167), Algorithms 1 and 2.
    Polyak, Juditsky 1992: Acceleration of Stochastic Approximation by Averaging, SIAM Journal on
        Control and Optimization 30(4): averages of the weights.
    Smith, Topin 2019: Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
        Rates (arXiv:1708.07120): a rate that rises once and falls once.
    Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2016: Rethinking the Inception Architecture for
        Computer Vision, CVPR (arXiv:1512.00567), Section 7: label smoothing.
"""

import time

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from resnet_lesson.arguments import positive_number, whole_number
from resnet_lesson.models import reset_weights
from resnet_lesson.records import Record
from resnet_lesson.training import EVALUATION_BATCH, check_run, evaluate
from resnet_lesson.workers import cores


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


@keras.saving.register_keras_serializable(package="resnet_lesson")
class FusedBatchNorm(layers.BatchNormalization):
    """Keras's batch normalisation, computed by one operation of TensorFlow's in training.

    Arguments, weights and results are those of ``keras.layers.BatchNormalization``, for images:

    Input and output shape: (batch, height, width, channels), float32.
    """

    def call(self, inputs, training=None, mask=None):
        if not training or self.axis not in (3, -1) or len(inputs.shape) != 4:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        # The operation's variance has n − 1 in its denominator, Keras's has n.
        count = tf.cast(tf.size(inputs) / inputs.shape[-1], variance.dtype)
        for moving, new in (
            (self.moving_mean, mean),
            (self.moving_variance, variance * (count - 1) / count),
        ):
            moving.assign(moving * self.momentum + new * (1 - self.momentum))
        return outputs


def one_cycle(update, updates, peak, warm_up=0.25):
    """Return the learning rate of an update: up in a straight line, then down to zero.

    Args:
        update: number of the update, from 0.
        updates: number of all updates.
        peak: the highest rate.
        warm_up: share of the updates on the way up.

    Returns:
        float.
    """
    top = warm_up * updates
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
        self.model, self.change = model, change
        self.batch_size = whole_number("batch_size", batch_size, least=1)
        self.pieces = whole_number("pieces", pieces, least=1)
        if self.batch_size % self.pieces:
            raise ValueError(
                f"pieces must divide batch_size={self.batch_size}. Received: {self.pieces}"
            )
        for name, value in (("smoothing", smoothing), ("average", average)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be from 0 to below 1. Received: {value!r}")
        self.smoothing, self.average = smoothing, average
        tf.config.experimental.enable_op_determinism()
        tf.random.set_seed(0)
        self._optimizer = keras.optimizers.Adam()
        self._optimizer.build(model.trainable_variables)
        self._averages = [tf.Variable(v.value) for v in model.variables] if average else []
        options = {"jit_compile": False, "autograph": False}
        self._update = tf.function(self._one_update, **options)
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

    def _one_update(self, images, labels, rate, seed, keep):
        pieces = zip(tf.split(images, self.pieces), tf.split(labels, self.pieces), strict=True)
        results = [
            self._piece(*piece, seed + tf.constant([0, number]))
            for number, piece in enumerate(pieces)
        ]
        gradients = [tf.add_n(parts) for parts in zip(*(g for _, g in results), strict=True)]
        for gradient, variable in zip(gradients, self.model.trainable_variables, strict=True):
            self._optimizer.update_step(gradient, variable, rate)
        self._optimizer.iterations.assign_add(1)
        for mean, variable in zip(self._averages, self.model.variables, strict=False):
            mean.assign(mean * keep + variable.value * (1 - keep))
        return tf.add_n([loss for loss, _ in results])

    def run(self, data, seed=0, epochs=2, peak=1e-2, name="", on_update=None):
        """Train once, from the seed's initial weights.

        Args:
            data: ``Mnist(train, val, test)``; ``val`` and ``test`` may be empty.
            seed: integer, 0 or more.
            epochs: number of passes over the training images.
            peak: highest learning rate.
            name: what to call the network.
            on_update: function called after each update.

        Returns:
            Record, with an epoch for the whole run. ``accuracy`` is not measured on the way.
        """
        check_run(self.model, data, self.batch_size, positive_number("peak", peak), None)
        epochs = whole_number("epochs", epochs, least=1)
        per_epoch = len(data.train) // self.batch_size
        updates = epochs * per_epoch
        weights = sum(int(np.prod(v.shape)) for v in self.model.trainable_variables)
        record = Record(name, seed, weights, self.batch_size, peak, updates)
        tf.random.set_seed(seed)
        reset_weights(self.model, seed)
        for variable in self._optimizer.variables:
            variable.assign(tf.zeros_like(variable.value))
        for mean, variable in zip(self._averages, self.model.variables, strict=False):
            mean.assign(variable.value)
        shuffle, spent = np.random.default_rng([seed, 1]), 0.0
        self._update.get_concrete_function(*self._arguments(data, np.arange(self.batch_size), 0, 1))
        for update in range(updates):
            start = time.perf_counter()
            if update % per_epoch == 0:
                order = shuffle.permutation(len(data.train))
            place = (update % per_epoch) * self.batch_size
            at = order[place : place + self.batch_size]
            rate = one_cycle(update, updates, peak)
            record.loss.append(float(self._update(*self._arguments(data, at, update, rate, seed))))
            spent += time.perf_counter() - start
            record.seconds.append(spent)
            if on_update is not None:
                on_update()
        for mean, variable in zip(self._averages, self.model.variables, strict=False):
            variable.assign(mean)
        self._measure(record, data)
        return record

    def _arguments(self, data, at, update, rate, seed=0):
        # At the start the average follows the weights more closely, for it knows only few.
        keep = min(self.average, (1 + update) / (10 + update))
        return (
            tf.constant(data.train.images[at]),
            tf.constant(data.train.labels[at]),
            tf.constant(rate, tf.float32),
            tf.constant([seed, update * self.pieces]),
            tf.constant(keep, tf.float32),
        )

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
        parts = [
            self._logits(tf.constant(images[i : i + EVALUATION_BATCH])).numpy()
            for i in range(0, len(images), EVALUATION_BATCH)
        ]
        return np.concatenate(parts)
