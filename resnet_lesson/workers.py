"""Worker processes that train: what ``sweep`` runs them with.

A task is (name, arguments of ``build``, seeds). Settings are a dictionary: ``build``, the function
that makes a model, ``learning_rates``, a dictionary by name, and the arguments of ``train`` that
all runs share.
"""

import atexit
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import uuid
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tensorflow as tf

from resnet_lesson.data import Examples, Mnist
from resnet_lesson.records import load_records, save_records
from resnet_lesson.training import Trainer


def cores():
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_workers_find(name, function):
    """Check that a worker can import ``function``: it starts afresh and sees no notebook.

    Args:
        name: what the argument is called.
        function: the function, or None.
    """
    in_notebook = not hasattr(sys.modules["__main__"], "__file__")
    try:
        found = b"__main__" not in pickle.dumps(function) or not in_notebook
    except (pickle.PicklingError, AttributeError, TypeError):
        found = False
    if not found:
        raise ValueError(
            f"{name} must be a function of a module, or workers must be 1: a worker process cannot "
            f"find it. Received: {function!r}"
        )


def run_task(task, data, settings, should_stop, on_update):
    """Train one network with each of its seeds.

    Yields:
        Record of each run; one that was interrupted is the last.
    """
    name, config, seeds = task
    model = settings["build"](**config)
    trainer = Trainer(model, settings["batch_size"], settings["learning_rates"][name])
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
        yield record
        if record.interrupted:
            break


def in_workers(tasks, data, settings, workers, bar):
    """Run tasks in worker processes.

    Args:
        tasks, data, settings: as above, and as in ``training.train``.
        workers: number of processes.
        bar: progress bar.

    Returns:
        (list of Record in any order, the error that tells of a worker's death or None).
    """
    # A forked copy of a process that runs TensorFlow hangs: each worker starts afresh.
    context = multiprocessing.get_context("spawn")
    stop, done = context.Event(), context.Value("q", 0)
    threads = max(1, cores() // workers)
    death = None
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
                death = error
            except KeyboardInterrupt:  # before _follow could take it
                stop.set()
                _cancel(futures)
            except BaseException:
                stop.set()
                _cancel(futures)
                raise
        return _kept(folder), death


def _follow(futures, stop, done, bar):
    """Wait until all is done; Ctrl-C asks the running tasks to stop and cancels the others."""
    pending = set(futures)
    while pending:
        try:
            finished, pending = wait(pending, 0.2, FIRST_COMPLETED)
            # Without its lock, which a worker that is killed may leave locked.
            bar.update(done.get_obj().value - bar.n)
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


def _keep(record, folder):
    save_records(Path(folder, f"{uuid.uuid4()}.record"), [record])


def _kept(folder):
    return [record for path in Path(folder).glob("*.record") for record in load_records(path)]


def _cancel(futures):
    for future in futures:
        future.cancel()


# What a worker process was given when it started.
_given = {}


def _start_worker(folder, settings, threads, stop, done):
    # The main process decides when to stop, and tells by the event.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # TensorFlow takes a second to leave; there is nothing left to be done then.
    atexit.register(os._exit, 0)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _share_gpus()
    _given.update(folder=folder, data=_load(folder), settings=settings, stop=stop, done=done)


def _share_gpus():
    """Take a GPU's memory as it is needed: a process that took it all would leave none."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def _end_with_parent():
    # A killed kernel can tell its workers nothing: without this they would train on, unseen.
    multiprocessing.parent_process().join()
    os._exit(1)


def _work(task):
    def on_update():
        with _given["done"].get_lock():
            _given["done"].value += 1

    should_stop = _given["stop"].is_set
    for record in run_task(task, _given["data"], _given["settings"], should_stop, on_update):
        _keep(record, _given["folder"])
