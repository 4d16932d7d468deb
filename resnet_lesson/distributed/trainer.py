"""The course's training loop for several replicas, and for runs that survive an accident."""

import tensorflow as tf

from resnet_lesson.distributed import replicas
from resnet_lesson.distributed.checkpoints import Checkpoints
from resnet_lesson.plumbing.constraints import checked, instance
from resnet_lesson.training import Trainer


class DistributedTrainer(Trainer):
    """A Trainer whose batches are shared by the replicas of a strategy.

    Each replica takes an equal share of the batch, and all of them make the same update, with the
    mean of their gradients. So the result is that of one device, to rounding. Layers that compute
    with the whole batch see their share of it alone: see ``worker.build``.

    Args:
        model: as in ``Trainer``, built in the strategy's scope.
        batch_size: number of images in each update, of all replicas together.
        learning_rate: as in ``Trainer``.
        strategy: tf.distribute.Strategy; one device by default.
        checkpoints: Checkpoints: a run goes on from the newest one. It does so with the learning
            rate that the checkpoint holds, unless this is given as pairs.

    Example::

        strategy = mirrored(2)
        with strategy.scope():
            model = network(8, normalisation=False, zero_init=True)
        record = DistributedTrainer(model, strategy=strategy).run(mnist, seed=0, updates=400)
    """

    @checked(
        **Trainer.__init__.constraints,
        strategy=replicas.STRATEGY | None,
        checkpoints=instance("Checkpoints", Checkpoints) | None,
    )
    def __init__(self, model, batch_size=64, learning_rate=2e-3, strategy=None, checkpoints=None):
        self.strategy = strategy or tf.distribute.get_strategy()
        self.checkpoints = checkpoints
        replicas.check_strategy(self.strategy, model, batch_size)
        super().__init__(model, batch_size, learning_rate)

    def _new_optimizer(self):
        with self.strategy.scope():
            return super()._new_optimizer()

    def _batch(self, examples, at):
        parts = examples.images[at], examples.labels[at]
        return tuple(replicas.shares(self.strategy, part) for part in parts)

    def _update(self, images, labels):
        return replicas.on_replicas(self.strategy, super()._update)(images, labels)

    def _gradients(self, images, labels):
        return replicas.average(super()._gradients(images, labels))

    def _start(self, record):
        done = super()._start(record)
        if self.checkpoints is None:
            return done
        self._check_all_find_the_same()
        return self.checkpoints.restore(record, self._saved())

    def _after_update(self, record):
        if self.checkpoints is not None and replicas.is_chief(self.strategy):
            self.checkpoints.save(record, self._saved())

    def _saved(self):
        return [*self.model.variables, *self._optimizer.variables]

    def _check_all_find_the_same(self):
        """Check that all workers stand at one update: otherwise they would train different nets."""
        latest = tf.constant([self.checkpoints.latest()])
        each = self.strategy.experimental_distribute_values_from_function(lambda context: latest)
        found = self.strategy.gather(each, axis=0).numpy().tolist()
        if len(set(found)) > 1:
            raise ValueError(
                "the workers must share the folder of the checkpoints: they find different ones. "
                f"Received: {self.checkpoints.folder}, with updates {found}"
            )
