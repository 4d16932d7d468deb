"""Many runs of training, networks × seeds, in worker processes side by side.

On a small machine two processes with one thread each train faster than one process with two.
"""

import multiprocessing
import os
import signal
import tempfile
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from resnet_lesson.arguments import whole_number
from resnet_lesson.data import Examples, Mnist
from resnet_lesson.models import network
from resnet_lesson.training import Trainer, progress_bar


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
):
    """Train every network with every seed.

    Interrupting the kernel (Ctrl-C) ends the sweep and returns what was measured so far.

    Args:
        configs: dictionary: name → arguments of ``models.network``, as in
            ``{"plain 8": {"depth": 8, "shortcut": "none"}}``.
        seeds: different integers of 0 or more; one run of each network for each.
        data, updates, batch_size, learning_rate: as in ``training.train``.
        after_epoch: as in ``training.train``; for workers it must be a function of a module.
        workers: number of processes; 1 trains in this process. By default one a core, at most as
            many as there are networks times seeds, at most 2; 1 where there is a GPU.
        progress: show a progress bar.

    Returns:
        list of Record, in the order of ``configs`` and, within each, of ``seeds``. Runs that an
        interrupt kept from starting are missing.

    Raises:
        TypeError, ValueError: an argument is unusable; the message ends with what was received.
        RuntimeError: a worker process died, as it does where memory runs out.
    """
    configs, seeds = dict(configs), [whole_number("seeds", seed) for seed in seeds]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must differ from each other. Received: {seeds}")
    if not configs or not seeds:
        raise ValueError(
            f"configs and seeds must not be empty. Received: {len(configs)} and {len(seeds)}"
        )
    if workers is None:
        workers = 1 if tf.config.list_physical_devices("GPU") else min(2, os.cpu_count() or 1)
    whole_number("workers", workers, least=1)
    for config in configs.values():
        network(**config)  # a mistake is told here, at once, and not from a worker
    settings = {
        "updates": updates,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "after_epoch": after_epoch,
    }
    tasks = _tasks(configs, seeds, workers)
    total = len(configs) * len(seeds) * updates
    with progress_bar(total, progress) as bar:
        run = _in_this_process if workers == 1 else _in_workers
        records = run(tasks, data, settings, min(workers, len(tasks)), bar)
    order = {(name, seed): i for i, (name, seed) in enumerate(_pairs(configs, seeds))}
    records.sort(key=lambda record: order[record.name, record.seed])
    unfinished = len(order) - sum(not record.interrupted for record in records)
    if unfinished:
        print(f"Interrupted: {unfinished} of {len(order)} runs are missing or cut short.")
    return records


def _pairs(configs, seeds):
    return [(name, seed) for name in configs for seed in seeds]


def _tasks(configs, seeds, workers):
    """Return (name, config, seeds) for each task, the longest first.

    A task traces its network once, so it takes all seeds of one network, unless there are fewer
    networks than workers.
    """
    parts = 1 if len(configs) >= workers else min(workers, len(seeds))
    deepest_first = sorted(configs.items(), key=lambda item: -(item[1].get("depth") or 0))
    return [
        (name, config, seeds[part::parts])
        for name, config in deepest_first
        for part in range(parts)
    ]


def _run_task(task, data, settings, should_stop, on_update):
    name, config, seeds = task
    trainer = Trainer(network(**config), settings["batch_size"], settings["learning_rate"])
    records = []
    for seed in seeds:
        record = trainer.run(
            data,
            seed,
            settings["updates"],
            name,
            after_epoch=settings["after_epoch"],
            should_stop=should_stop,
            on_update=on_update,
        )
        records.append(record)
        if record.interrupted:
            break
    return records


def _in_this_process(tasks, data, settings, workers, bar):
    records = []
    for task in tasks:
        records += _run_task(task, data, settings, should_stop=None, on_update=bar.update)
        if records[-1].interrupted:
            break
    return records


def _in_workers(tasks, data, settings, workers, bar):
    # A forked copy of a process that runs TensorFlow hangs: each worker starts afresh.
    context = multiprocessing.get_context("spawn")
    stop, done = context.Event(), context.Value("q", 0)
    threads = max(1, (os.cpu_count() or 1) // workers)
    with tempfile.TemporaryDirectory() as folder:
        # Through files: what a starting process is given goes through a pipe, and more than 64 KiB
        # would wait there for ever if that process dies first.
        _save(data, folder)
        initargs = (folder, settings, threads, stop, done)
        with ProcessPoolExecutor(workers, context, _start_worker, initargs) as pool:
            futures = []
            try:
                with _no_interrupt():
                    futures += [pool.submit(_work, task) for task in tasks]
                _follow(futures, stop, done, bar)
            except BrokenProcessPool as error:
                raise RuntimeError(
                    "a worker process died: memory may have run out (then workers=1 needs less), "
                    'or a script calls sweep outside of `if __name__ == "__main__":`. '
                    f"Received: workers={workers}"
                ) from error
            except BaseException:
                stop.set()
                _cancel(futures)
                raise
    return [record for future in futures if not future.cancelled() for record in future.result()]


def _follow(futures, stop, done, bar):
    """Wait until all is done; Ctrl-C asks the running tasks to stop and cancels the others."""
    pending = set(futures)
    while pending:
        try:
            finished, pending = wait(pending, 0.2, FIRST_COMPLETED)
            bar.update(done.value - bar.n)
            for future in finished:
                if not future.cancelled():
                    future.result()  # raises here what the worker raised
        except KeyboardInterrupt:
            stop.set()
            _cancel(pending)


@contextmanager
def _no_interrupt():
    """Let Ctrl-C wait; processes that start meanwhile never see it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _save(data, folder):
    for name, part in zip(data._fields, data, strict=True):
        np.save(os.path.join(folder, f"{name}_images.npy"), part.images)
        np.save(os.path.join(folder, f"{name}_labels.npy"), part.labels)


def _load(folder):
    def read(name):
        return np.load(os.path.join(folder, f"{name}.npy"), allow_pickle=False)

    return Mnist(*(Examples(read(f"{n}_images"), read(f"{n}_labels")) for n in Mnist._fields))


def _cancel(futures):
    for future in futures:
        future.cancel()


# What a worker process was given when it started.
_given = {}


def _start_worker(folder, settings, threads, stop, done):
    # The main process decides when to stop, and tells by the event.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _given.update(data=_load(folder), settings=settings, stop=stop, done=done)


def _end_with_parent():
    # A killed kernel can tell its workers nothing: without this they would train on, unseen.
    multiprocessing.parent_process().join()
    os._exit(1)


def _work(task):
    def on_update():
        with _given["done"].get_lock():
            _given["done"].value += 1

    return _run_task(task, _given["data"], _given["settings"], _given["stop"].is_set, on_update)
