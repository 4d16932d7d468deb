"""Checkpoints: all that a run of training needs to go on as if it had never ended."""

import json
import os
import re
import zipfile

import numpy as np
import tensorflow as tf

from resnet_lesson.arguments import file_path, whole_number
from resnet_lesson.distribution import is_chief
from resnet_lesson.files import whole_file

KEPT = 2


class Checkpoints:
    """Files in a folder, each written whole or not at all: a process may be killed at any time.

    A checkpoint holds the model's variables, the optimiser's and what was measured. The number of
    updates made so far says where in the shuffled images the run stands: the order depends on the
    seed alone. Only the first worker writes; all of them read, so they must share the folder.

    Args:
        folder: where the files are; it is made if need be.
        every: number of updates from one checkpoint to the next.

    Example::

        train(model, data, checkpoints=Checkpoints("run1", every=100))
    """

    def __init__(self, folder, every=100):
        self.folder = file_path("folder", folder)
        self.every = whole_number("every", every, least=1)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"folder must be one that can be made. Received: {folder}, {error.strerror}"
            ) from None

    def found(self):
        """Return the update numbers of the checkpoints that there are, the oldest first."""
        names = (re.fullmatch(r"update_(\d+)\.npz", path.name) for path in self.folder.iterdir())
        return sorted(int(name[1]) for name in names if name)

    def save(self, record, variables, strategy=None):
        """Write a checkpoint if one is due.

        Args:
            record: Record of the run so far.
            variables: list of Keras variables.
            strategy: tf.distribute.Strategy or None.
        """
        done = len(record.loss)
        if done % self.every or not is_chief(strategy):
            return
        arrays = {f"variable{i}": np.asarray(v.numpy()) for i, v in enumerate(variables)}
        arrays["record"] = np.array(json.dumps(record.to_dict()))
        with whole_file(self._path(done)) as new, new.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        for old in self.found()[:-KEPT]:
            self._path(old).unlink(missing_ok=True)

    def restore(self, record, variables, strategy=None):
        """Go on from the newest checkpoint, if there is one.

        Args:
            record: Record of a run that has not begun; what the checkpoint holds is put into it.
            variables: list of Keras variables; they get the checkpoint's values.
            strategy: tf.distribute.Strategy or None.

        Returns:
            int, the number of updates that were made before.

        Raises:
            ValueError: the checkpoint is damaged or of another run, or the workers do not find
                the same one.
        """
        done = (self.found() or [0])[-1]
        self._check_all_find(done, strategy)
        if not done:
            return 0
        place = self._path(done)
        try:
            with np.load(place, allow_pickle=False) as file:
                saved = json.loads(str(file["record"]))
                values = [file[f"variable{i}"] for i in range(len(file.files) - 1)]
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"checkpoint must be a whole file: delete it to go on from the one before. "
                f"Received: {place}, {type(error).__name__}"
            ) from None
        self._check_fits(place, saved, record, values, variables)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        for name in ("loss", "accuracy", "seconds", "epochs"):
            setattr(record, name, saved[name])
        if isinstance(saved["learning_rate"], list):
            record.learning_rate = [tuple(pair) for pair in saved["learning_rate"]]
        return done

    def _path(self, done):
        return self.folder / f"update_{done:08d}.npz"

    def _check_fits(self, place, saved, record, values, variables):
        for name in ("seed", "batch_size", "parameters"):
            if saved[name] != getattr(record, name):
                raise ValueError(
                    f"checkpoint must be of a run with the same {name}: name another folder. "
                    f"Received: {place} with {saved[name]}, and {getattr(record, name)} now"
                )
        shapes = [value.shape for value in values]
        if shapes != [tuple(variable.shape) for variable in variables]:
            raise ValueError(
                "checkpoint must be of a run with the same network: name another folder. "
                f"Received: {place}"
            )
        if len(saved["loss"]) > record.updates:
            raise ValueError(
                "checkpoint must not be of more updates than are asked for. "
                f"Received: {place}, and updates={record.updates}"
            )

    def _check_all_find(self, done, strategy):
        """Check that all workers stand at one update: otherwise they would train different nets."""
        if strategy is None:
            return

        def gather():
            return tf.distribute.get_replica_context().all_gather(tf.constant([done]), axis=0)

        found = strategy.experimental_local_results(strategy.run(tf.function(gather)))[0].numpy()
        if len(set(found.tolist())) > 1:
            raise ValueError(
                f"the workers must share the folder of the checkpoints: they find different ones. "
                f"Received: {self.folder}, with updates {found.tolist()}"
            )
