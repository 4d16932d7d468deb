"""What a run of training measured, as plain data."""

import json
import zipfile
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from resnet_lesson.plumbing.constraints import ListOf, Numbers, Real, Whole, checked, instance
from resnet_lesson.plumbing.files import whole_file


@dataclass
class Record:
    """What one run of training measured. Losses are mean cross-entropies in nats."""

    name: str
    """Which network this is, as in ``"plain 56"``."""
    seed: int
    parameters: int | None
    """Number of trainable numbers in the network; None where it was not recorded."""
    batch_size: int
    learning_rate: float | list | dict
    """A number, pairs (first update, step size), or a schedule as Keras serialises it."""
    updates: int
    """The most updates that were asked for; fewer were made if ``interrupted``, or if
    ``after_epoch`` ended the run."""
    loss: list = field(default_factory=list)
    """Training loss of each update's batch, before that update."""
    accuracy: list = field(default_factory=list)
    """Share of each update's batch that was classified correctly, 0 to 1."""
    seconds: list = field(default_factory=list)
    """Seconds of training up to each update; tracing and validation do not count."""
    epochs: list = field(default_factory=list)
    """One dictionary an epoch: ``update``, mean ``loss`` and ``accuracy`` of its batches,
    ``val_loss`` and ``val_accuracy`` after it."""
    test_loss: float | None = None
    test_accuracy: float | None = None
    interrupted: bool = False
    test_logits: np.ndarray | None = field(default=None, repr=False)
    """float32, shape (test images, classes)."""
    weights: list | None = field(default=None, repr=False)
    """The trained weights, for ``model.set_weights``; None if ``interrupted``, and in studies."""
    config: dict = field(default_factory=dict)
    """What the network was built from, as in ``{"depth": 56, "shortcut": "none"}``."""

    @checked(last=Whole(1))
    def final_loss(self, last=100):
        """Return the mean training loss of the last ``last`` updates, or of all if there are fewer.

        Raises:
            TypeError, ValueError: ``last`` is not a whole number of 1 or more, or the run was
                interrupted, or holds no loss of each update (a study keeps epochs alone).
        """
        self._need_every_update()
        return float(np.mean(self.loss[-last:]))

    @checked(loss=Real())
    def updates_to(self, loss, window=25):
        """Return how many updates it took until the running mean of the loss fell to ``loss``.

        Args:
            loss: training loss in nats.
            window: number of updates in the running mean, which must be full.

        Returns:
            int, or None if the run never got there.

        Raises:
            TypeError, ValueError: as ``final_loss`` does, with ``window`` for ``last``.
        """
        self._need_every_update()
        reached = np.flatnonzero(running_mean(self.loss, window)[window - 1 :] <= loss)
        return int(reached[0]) + window if len(reached) else None

    def _need_every_update(self):
        if self.interrupted:
            raise ValueError(
                "this run was interrupted before its last update: run the cell that trains again. "
                f"Received: {self.name}, seed {self.seed}, {len(self.loss)} of {self.updates}"
            )
        if not self.loss:
            raise ValueError(
                "this record holds no loss of each update, only what its epochs hold. "
                f"Received: {self.name}, seed {self.seed}"
            )

    def to_dict(self):
        """Return the record as plain Python data, without the logits and the weights."""
        arrays = ("test_logits", "weights")
        return {key: value for key, value in asdict(self).items() if key not in arrays}


RECORDS = ListOf(instance("a list of Record", Record), least=0)


@checked(records=RECORDS)
def by_name(records):
    """Group records by name, in the order in which the names first appear.

    Args:
        records: list of Record.

    Returns:
        dictionary: name → list of its Record.

    Example::

        loss = {name: [run.final_loss() for run in runs] for name, runs in by_name(records).items()}
    """
    groups = {}
    for record in records:
        groups.setdefault(record.name, []).append(record)
    return groups


@checked(records=RECORDS)
def save_records(path, records):
    """Write records to a file, whole or not at all.

    It holds text and numbers alone: nothing in it runs when it is read, as a pickle would.

    Args:
        path: of the file, which is replaced if it is there.
        records: list of Record.

    Raises:
        TypeError, ValueError: ``records`` is not a list of Record, or there is no such path.
    """
    arrays = {"records": np.array(json.dumps([record.to_dict() for record in records]))}
    for i, record in enumerate(records):
        if record.test_logits is not None:
            arrays[f"{i}_logits"] = record.test_logits
        if record.weights is not None:
            arrays |= {f"{i}_weight{j}": weight for j, weight in enumerate(record.weights)}
            arrays[f"{i}_weights"] = np.array(len(record.weights))
    try:
        with whole_file(path) as new, new.open("wb") as file:
            np.savez(file, **arrays)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise ValueError(
            f"path must lie in a folder that can be written to. Received: {path}, {error.strerror}"
        ) from None


@checked
def load_records(path):
    """Read what ``save_records`` wrote.

    Args:
        path: of the file.

    Returns:
        list of Record.

    Raises:
        TypeError, ValueError: there is no such file, or it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return [
                _loaded(file, i, plain) for i, plain in enumerate(json.loads(str(file["records"])))
            ]
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"path must be of a whole file of records. Received: {path}, {type(error).__name__}"
        ) from None


def _loaded(file, i, plain):
    record = Record(**plain)
    if isinstance(record.learning_rate, list):
        record.learning_rate = [tuple(pair) for pair in record.learning_rate]
    if f"{i}_logits" in file:
        record.test_logits = file[f"{i}_logits"]
    if f"{i}_weights" in file:
        record.weights = [file[f"{i}_weight{j}"] for j in range(int(file[f"{i}_weights"]))]
    return record


# A loss may be infinite, or none: see below.
@checked(values=Numbers((None,), finite=False, empty=True))
def running_mean(values, window):
    """Return the mean of each value and those before it, ``window`` at most.

    Args:
        values: numbers, shape (n,).
        window: whole number, 1 or more.

    Returns:
        float64 array, shape (n,).
    """
    values = values.astype(float)
    first = [values[:n].mean() for n in range(1, min(window, len(values) + 1))]
    if len(values) < window:
        return np.array(first)
    # Each window is summed by itself, so that a huge loss, or none, spoils no other window.
    return np.concatenate([first, sliding_window_view(values, window).mean(axis=1)])
