"""Many runs of training, networks × seeds, in worker processes side by side.

On a small machine two processes with one thread each train faster than one process with two.
"""

import tempfile
import uuid
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from resnet_lesson.data import Dataset, Examples
from resnet_lesson.models import network
from resnet_lesson.plumbing.constraints import (
    CONFIG,
    FUNCTION,
    Dictionary,
    Whole,
    checked,
    received,
)
from resnet_lesson.plumbing.processes import MOST_WORKERS, check_workers_find, cores, run_in_workers
from resnet_lesson.runs import load_records, save_records
from resnet_lesson.training import Trainer, check_run, progress_bar

# To build and trace a network takes about as long as so many of its updates.
TRACING = 100


@checked(configs=Dictionary(CONFIG), workers=Whole(1, MOST_WORKERS) | None, build=FUNCTION)
def sweep(
    configs,
    seeds,
    data,
    updates=300,
    batch_size=64,
    learning_rate=2e-3,
    after_epoch=None,
    workers=None,
    progress=True,
    build=network,
):
    """Train every network with every seed.

    Interrupting the kernel (Ctrl-C) ends the sweep and returns what was measured so far.

    Args:
        configs: dictionary: name → arguments of ``build``, as in
            ``{"plain 8": {"depth": 8, "shortcut": "none"}}``.
        seeds: different integers of 0 or more; one run of each network for each.
        data, updates, batch_size: as in ``training.train``.
        learning_rate: as in ``training.train``, or a dictionary: name → that network's own.
        after_epoch: as in ``training.train``; for workers it must be a function of a module, not
            one defined in a notebook.
        workers: number of processes; 1 trains in this process. By default one a core, at most as
            many as there are networks times seeds, at most 2; 1 where there is a GPU.
        progress: show a progress bar.
        build: function that makes a model from one entry of ``configs``; ``models.network`` unless
            another one is given. For workers it must be a function of a module, as above.

    Returns:
        list of Record, in the order of ``configs`` and, within each, of ``seeds``; each knows its
        ``config``. Runs that an interrupt kept from starting are missing.

    Raises:
        TypeError, ValueError: an argument is unusable; the message ends with what was received.
        RuntimeError: a worker process died, as it does where memory runs out. The error's
            ``records`` are the runs that were finished; in a notebook, where the cell has failed,
            they are ``sys.last_value.records``.

    Example::

        nets = {f"plain {depth}": {"depth": depth, "shortcut": "none"} for depth in (8, 20)}
        records = sweep(nets, seeds=[0, 1, 2], data=load_mnist(train=12800), updates=400)
        deep = [run.final_loss() for run in records if run.config["depth"] == 20]
    """
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be all different. Received: {seeds}")
    if workers is None:
        workers = 1 if tf.config.list_physical_devices("GPU") else min(2, cores())
    if workers > 1:
        check_workers_find("after_epoch", after_epoch)
        check_workers_find("build", build)
    rates = _rates(learning_rate, configs)
    plan = _Plan(build, configs, rates, batch_size, updates, after_epoch)
    records, death = [], None
    try:
        tasks = _tasks(plan.check(data), seeds, workers, updates)
        with progress_bar(len(configs) * len(seeds) * updates, progress) as bar:
            run = _run_here if workers == 1 else _run_in_workers
            death = run(plan, tasks, data, min(workers, len(tasks)), bar, records)
    except KeyboardInterrupt:  # before the first run, or between two
        pass
    return _in_order(records, configs, seeds, death, workers)


class _Plan(NamedTuple):
    """What all runs of a sweep share; it can be sent to a worker."""

    build: Callable
    configs: dict
    rates: dict
    batch_size: int
    updates: int
    after_epoch: Callable | None

    def check(self, data):
        """Tell a mistake here, at once, and not from a worker; return each network's layers."""
        layers = {}
        for name, config in self.configs.items():
            model = self.build(**config)
            check_run(model, data, self.batch_size, self.rates[name], self.after_epoch)
            layers[name] = len(model.layers)
        return layers

    def runs(self, task, data, on_update):
        """Train one network with each of its seeds; yield each Record."""
        name, seeds = task
        config = self.configs[name]
        trainer = Trainer(self.build(**config), self.batch_size, self.rates[name])
        options = {"after_epoch": self.after_epoch, "on_update": on_update}
        for seed in seeds:
            record = trainer.run(data, seed, self.updates, name, config, **options)
            yield record
            if record.interrupted:
                break


def _run_here(plan, tasks, data, workers, bar, records):
    """Run the tasks in this process, and put their Records into ``records``."""
    for task in tasks:
        records.extend(plan.runs(task, data, bar.update))
        if records[-1].interrupted:
            break


def _run_in_workers(plan, tasks, data, workers, bar, records):
    """As ``_run_here``, in worker processes; return the error that tells of a worker's death."""
    with tempfile.TemporaryDirectory() as folder:
        for name, part in data._asdict().items():
            np.save(Path(folder, f"{name}_images.npy"), part.images)
            np.save(Path(folder, f"{name}_labels.npy"), part.labels)
        try:
            run_in_workers(partial(_work, plan, folder), tasks, workers, bar)
        except BrokenProcessPool as error:
            return error
        finally:
            for path in Path(folder).glob("*.record"):
                records.extend(load_records(path))


def _work(plan, folder, task, on_update):
    for record in plan.runs(task, _data_in(folder), on_update):
        save_records(Path(folder, f"{uuid.uuid4()}.record"), [record])


@cache
def _data_in(folder):
    def read(name):
        return np.load(Path(folder, f"{name}.npy"), allow_pickle=False)

    return Dataset(*(Examples(read(f"{n}_images"), read(f"{n}_labels")) for n in Dataset._fields))


def _in_order(records, configs, seeds, death, workers):
    """Return the records in the order that was asked for; tell what is missing."""
    wanted = [(name, seed) for name in configs for seed in seeds]
    records.sort(key=lambda record: wanted.index((record.name, record.seed)))
    missing = len(wanted) - sum(not record.interrupted for record in records)
    if death:
        error = RuntimeError(
            "a worker process died: memory may have run out (then workers=1 needs less), or a "
            'script calls sweep outside of `if __name__ == "__main__":`. This error\'s `records` '
            f"are the {len(wanted) - missing} of {len(wanted)} runs that were finished. "
            f"Received: workers={workers}"
        )
        error.records = records
        raise error from death
    if missing:
        print(f"Interrupted: {missing} of {len(wanted)} runs are missing or cut short.")
    return records


def _rates(learning_rate, configs):
    """Return each network's learning rate: name → what a Trainer takes."""
    if not isinstance(learning_rate, dict):
        return dict.fromkeys(configs, learning_rate)
    if learning_rate.keys() != configs.keys():
        raise ValueError(
            "learning_rate, given as a dictionary, must have the names of configs. "
            f"Received: {received(learning_rate)}"
        )
    return learning_rate


def _tasks(layers, seeds, workers, updates):
    """Return (name, seeds) for each task, the longest first.

    A task traces its network once, so it takes all seeds of one network. A network is shared among
    the workers if it takes longer than an even share of everything, or if it would be left over
    when the others are dealt out; but not where tracing it again takes longer than training.

    Args:
        layers: name → number of the network's layers, with which its time grows.
    """
    largest_first = sorted(layers, key=layers.get, reverse=True)
    left_over = largest_first[len(layers) - len(layers) % workers :]
    tasks = []
    for name in largest_first:
        large = layers[name] > sum(layers.values()) / workers
        split = (large or name in left_over) and len(seeds) * updates > TRACING
        parts = min(workers, len(seeds)) if split else 1
        tasks += [(name, seeds[part::parts]) for part in range(parts)]
    return sorted(tasks, key=lambda task: -layers[task[0]] * len(task[1]))
