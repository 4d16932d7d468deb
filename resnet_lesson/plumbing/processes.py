"""Worker processes that TensorFlow can live in: each starts afresh, and ends with its parent."""

import atexit
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, as_completed, wait
from contextlib import contextmanager

import tensorflow as tf

from resnet_lesson import deterministic
from resnet_lesson.plumbing.constraints import Whole, checked

# A mistyped number must not fill the machine with processes.
MOST_WORKERS = 256
MOST_THREADS = 1024


def cores():
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@checked(threads=Whole(1, MOST_THREADS) | None)
def set_threads(threads):
    """Set how many threads TensorFlow computes with; None leaves that to TensorFlow.

    Raises:
        TypeError, ValueError: the number is unusable.
    """
    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)


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


def run_in_workers(work, tasks, workers, bar):
    """Run tasks in worker processes. Ctrl-C ends those that run, and starts no more.

    Args:
        work: function (task, on_update) of a module. It calls ``on_update()`` after each update,
            which raises KeyboardInterrupt where the work is to end.
        tasks: what ``work`` is called with, in this order; plain data.
        workers: number of processes.
        bar: progress bar, which counts updates.

    Raises:
        BrokenProcessPool: a worker died.
    """
    # A forked copy of a process that runs TensorFlow hangs: each worker starts afresh.
    context = multiprocessing.get_context("spawn")
    stop, done = context.Event(), context.Value("q", 0)
    # What a starting process is given goes through a pipe: more than 64 KiB would wait there for
    # ever if that process dies first.
    given = max(1, cores() // workers), stop, done
    with ProcessPoolExecutor(workers, context, _start_worker, given) as pool:
        futures = []
        try:
            with _no_interrupt():
                futures += [pool.submit(_work, work, task) for task in tasks]
            _follow(futures, stop, done, bar)
        except BaseException as error:
            stop.set()
            _cancel(futures)
            if not isinstance(error, KeyboardInterrupt):  # that came before _follow could take it
                raise


def each_in_a_process(work, tasks, workers):
    """Yield (task, ``work(task)``) for each task, as they end.

    Args:
        work: function of a module, called in worker processes of one thread each.
        tasks: list of what is handed to it.
        workers: number of processes.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_computing, (1,)) as pool:
        tasks_of = {pool.submit(work, task): task for task in tasks}
        try:
            for future in as_completed(tasks_of):
                yield tasks_of[future], future.result()
        finally:
            _cancel(tasks_of)


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


def _cancel(futures):
    for future in futures:
        future.cancel()


# -- In the worker ---------------------------------------------------------------------------------


def _start_worker(threads, stop, done):
    # The main process decides when to stop, and tells by the event.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # TensorFlow takes a second to leave; there is nothing left to be done then.
    atexit.register(os._exit, 0)
    _work.stop, _work.done = stop, done
    _start_computing(threads)


def _start_computing(threads):
    threading.Thread(target=_end_with_parent, daemon=True).start()
    set_threads(threads)
    _share_gpus()
    deterministic()


def _share_gpus():
    """Take a GPU's memory as it is needed: a process that took it all would leave none."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def _end_with_parent():
    # A killed kernel can tell its workers nothing: without this they would train on, unseen.
    multiprocessing.parent_process().join()
    os._exit(1)


def _work(work, task):
    def on_update():
        with _work.done.get_lock():
            _work.done.value += 1
        if _work.stop.is_set():
            raise KeyboardInterrupt

    work(task, on_update)
