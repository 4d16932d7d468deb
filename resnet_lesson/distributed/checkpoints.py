"""Checkpoints: all that a run of training needs to go on as if it had never ended."""

from dataclasses import replace

import numpy as np

from resnet_lesson.plumbing.constraints import Whole, checked
from resnet_lesson.runs import load_records, save_records

KEPT = 2


class Checkpoints:
    """Files in a folder, each written whole or not at all: a process may be killed at any time.

    A checkpoint holds the model's variables, the optimiser's and what was measured. The number of
    updates made so far says where in the shuffled images the run stands: the order depends on the
    seed alone.

    Args:
        folder: where the files are; it is made if need be. Workers must share it: the chief writes,
            and all of them read.
        every: number of updates from one checkpoint to the next.

    Example::

        trainer = DistributedTrainer(model, checkpoints=Checkpoints("run1", every=100))
        trainer.run(mnist, updates=1000)  # once more, after an accident: it goes on
    """

    @checked(every=Whole(1))
    def __init__(self, folder, every=100):
        self.folder, self.every = folder, every
        folder.mkdir(parents=True, exist_ok=True)

    def updates(self):
        """Return the update numbers of the checkpoints that there are, the oldest first."""
        files = self.folder.glob("update_*.npz")
        return sorted(int(path.stem.removeprefix("update_")) for path in files)

    def latest(self):
        """Return the update number of the newest checkpoint, 0 if there is none."""
        return max(self.updates(), default=0)

    def save(self, record, variables):
        """Write a checkpoint if one is due.

        Args:
            record: Record of the run so far.
            variables: list of Keras variables.
        """
        done = len(record.loss)
        if done % self.every:
            return
        values = [np.asarray(variable.numpy()) for variable in variables]
        save_records(self._path(done), [replace(record, weights=values)])
        for old in self.updates()[:-KEPT]:
            self._path(old).unlink(missing_ok=True)

    def restore(self, record, variables):
        """Go on from the newest checkpoint, if there is one.

        Args:
            record: Record of a run that has not begun; what the checkpoint holds is put into it.
            variables: list of Keras variables; they get the checkpoint's values.

        Returns:
            int, the number of updates that were made before.

        Raises:
            ValueError: the checkpoint is of another run, or damaged: without it, the run goes on
                from the one before.
        """
        done = self.latest()
        if not done:
            return 0
        path = self._path(done)
        (saved,) = load_records(path)
        names = ("seed", "batch_size", "parameters")
        here, there = ({name: getattr(run, name) for name in names} for run in (record, saved))
        if here != there or done > record.updates:
            raise ValueError(
                f"checkpoint must be of a run with {here} and {record.updates} updates at most: "
                f"name another folder. Received: {path}, with {there} and {done} updates"
            )
        for variable, value in zip(variables, saved.weights, strict=True):
            variable.assign(value)
        for name in ("loss", "accuracy", "seconds", "epochs", "learning_rate"):
            setattr(record, name, getattr(saved, name))
        return done

    def _path(self, done):
        return self.folder / f"update_{done:08d}.npz"
