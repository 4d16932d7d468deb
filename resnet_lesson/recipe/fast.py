"""Fast training on a processor: a batch in pieces side by side, many updates in one call.

``training.Trainer`` is made for comparing networks; this one for getting a good network soon. It
computes the same gradients, by the same operations (``plumbing.fused``, ``plumbing.adam``). Two
things more make it fast.

* TensorFlow cuts each operation into parts for the cores, and small operations are hardly worth the
  cutting. Here the *batch* is cut, and each core works through its piece alone. For that, give
  TensorFlow one thread an operation and one operation a core: ``one_thread_an_operation``.
* Between two updates the cores wait for Python. Here one call of TensorFlow makes many updates.

References
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

from resnet_lesson.models import reset_weights
from resnet_lesson.plumbing.constraints import FUNCTION, POSITIVE, Real, Whole, checked
from resnet_lesson.plumbing.processes import cores
from resnet_lesson.training import COMPILED, Trainer, check_run, watch

UPDATES_A_CALL = 20
WARM_UP = 0.25
"""Share of the updates in which the learning rate rises."""


def one_thread_an_operation():
    """Let TensorFlow compute with one thread an operation, and as many operations as cores.

    Raises:
        RuntimeError: TensorFlow has computed something in this process already: restart Python.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(cores())


def one_cycle(updates, peak):
    """Compute the learning rate of each update: up in a straight line, then down to zero.

    Args:
        updates: number of all updates.
        peak: the highest rate.

    Returns:
        float64 array, shape (updates,).
    """
    update, top = np.arange(updates), WARM_UP * updates
    rising = peak * (0.04 + 0.96 * update / top)
    falling = peak * (updates - update) / (updates - top)
    return np.minimum(rising, falling)


class FastTrainer(Trainer):
    """Trains one model with one cycle of the learning rate, and each batch in pieces.

    Args:
        model: keras.Model, float32 (batch, …) → logits, float32 (batch, classes).
        batch_size: number of images in each update.
        learning_rate: Adam's highest step size, at the peak of the cycle.
        pieces: into how many equal pieces a batch is cut; one a core is fastest. Layers that
            compute with a batch, such as batch normalisation, see a piece.
        smoothing: label smoothing: this share of each label is spread over all classes.
        change: function (images, seed) → images of the same shape, applied to each piece; seed is
            an int32 tensor of shape (2,), as TensorFlow's stateless random functions take it.
        average: after each update the trained weights are ``average`` parts of what they were and
            1 − ``average`` parts of the model's own; 0 keeps the model's own.

    Example::

        model = small_network()
        record = FastTrainer(model, 128, learning_rate=1e-2).run(load_mnist(), updates=1000)
    """

    @checked(
        learning_rate=POSITIVE,
        pieces=Whole(1),
        smoothing=Real(0, below=1),
        change=FUNCTION | None,
        average=Real(0, below=1),
    )
    def __init__(
        self,
        model,
        batch_size=128,
        learning_rate=1e-2,
        pieces=2,
        smoothing=0.0,
        change=None,
        average=0.0,
    ):
        self.pieces, self.smoothing, self.change, self.average = pieces, smoothing, change, average
        super().__init__(model, batch_size, learning_rate)

    def _new_step(self):
        # Pairs: the moving average of a weight, and the weight. An average of equal numbers is not
        # quite that number, so frozen layers have none.
        weights = self.model.weights if self.average else []
        frozen = [layer for layer in self.model._flatten_layers() if not layer.trainable]
        still = {id(weight) for layer in frozen for weight in layer.weights}
        self._averages = [(tf.Variable(w.value), w) for w in weights if id(w) not in still]
        signature = [
            tf.TensorSpec((None, *self.model.input_shape[1:]), tf.float32),  # images
            tf.TensorSpec([None], tf.int32),  # labels
            tf.TensorSpec([None, self.batch_size], tf.int64),  # batches
            tf.TensorSpec([None], tf.float32),  # rates
            tf.TensorSpec([], tf.int32),  # seed
        ]
        self._updates = tf.function(self._many_updates, signature, **COMPILED)

    def _rates(self, updates):
        return one_cycle(updates, self.learning_rate)

    def _many_updates(self, images, labels, batches, rates, seed):
        """Make an update for each row of ``batches``, numbers of images; return the losses."""

        def update(row):
            at, rate = row
            return self._update(tf.gather(images, at), tf.gather(labels, at), rate, seed)

        return tf.map_fn(
            update, (batches, rates), parallel_iterations=1, fn_output_signature=tf.float32
        )

    def _update(self, images, labels, rate, seed):
        """Change the weights by one step; return the loss of the batch before it."""
        first = tf.cast(self._optimizer.iterations, tf.int32) * self.pieces
        pieces = zip(tf.split(images, self.pieces), tf.split(labels, self.pieces), strict=True)
        results = [
            self._piece(*piece, tf.stack([seed, first + i])) for i, piece in enumerate(pieces)
        ]
        losses, gradients = zip(*results, strict=True)
        gradients = [tf.add_n(parts) for parts in zip(*gradients, strict=True)]
        self._optimizer.update(gradients, self.model.trainable_variables, rate)
        self._move_averages()
        return tf.add_n(losses)

    def _piece(self, images, labels, seed):
        """Return the piece's part of the batch's mean loss, and of its gradient."""
        if self.change is not None:
            images = self.change(images, seed)
        weights = self.model.trainable_variables
        with tf.GradientTape() as tape:
            watch(tape, weights)
            logits = tf.cast(self.model(images, training=True), tf.float32)
            classes = logits.shape[-1]
            targets = tf.one_hot(labels, classes) * (1 - self.smoothing) + self.smoothing / classes
            losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
            loss = tf.reduce_sum(losses) / self.batch_size
        return loss, tape.gradient(loss, weights, unconnected_gradients="zero")

    def _move_averages(self):
        """Let each average follow its weight: more closely at the start, when it knows only few.

        So does ``tf.train.ExponentialMovingAverage`` where it is told the number of updates.
        """
        updates = tf.cast(self._optimizer.iterations, tf.float32)
        keep = tf.minimum(self.average, updates / (updates + 9))
        for mean, weight in self._averages:
            part = tf.cast(keep, mean.dtype)
            mean.assign(mean * part + weight.value * (1 - part))

    @checked(seed=Whole(most=2**31 - 1))
    def run(self, data, seed=0, updates=300, name="", on_update=None):
        """Train once, from the seed's initial weights. The arguments are those of ``Trainer.run``.

        Returns:
            Record, with an epoch for the whole run. ``accuracy`` is not measured on the way, and
            ``seconds`` once in ``UPDATES_A_CALL`` updates, which share it evenly.
        """
        check_run(self.model, data, self.batch_size, self.learning_rate)
        self._prepare()
        record = self._new_record(seed, updates, name, config=None)
        reset_weights(self.model, seed)
        self._start(record)
        for mean, weight in self._averages:
            mean.assign(weight.value)
        examples = tf.constant(data.train.images), tf.constant(data.train.labels, tf.int32)
        batches = np.array([at for at, _ in self._shuffled(len(data.train), seed, updates)])
        rates = self._rates(updates).astype(np.float32)
        # No update: TensorFlow traces and prepares the graph outside of the clock.
        self._updates(*examples, batches[:0], rates[:0], seed)
        start, spent = time.perf_counter(), 0.0
        for first in range(0, updates, UPDATES_A_CALL):
            part = slice(first, first + UPDATES_A_CALL)
            losses = self._updates(*examples, batches[part], rates[part], seed).numpy()
            record.loss += losses.tolist()
            before, spent = spent, time.perf_counter() - start
            record.seconds += np.linspace(before, spent, len(losses) + 1)[1:].tolist()
            if on_update is not None:
                for _ in losses:
                    on_update()
        for mean, weight in self._averages:
            weight.assign(mean)
        whole_run = {"update": updates, "loss": record.final_loss()}
        record.epochs.append(whole_run | self._validation(data))
        self._finish(record, data)
        return record
