"""Train a residual network with several worker processes, on one machine or on many.

    python -m resnet_lesson.distributed --workers 2 --updates 100

starts two workers here. Where the environment variable TF_CONFIG is set, or with ``--slurm`` in a
step of Slurm's, the same command is one of the workers, and all of them must be started.
"""

import argparse
import contextlib
import os
import re
import sys
import threading
import traceback
from pathlib import Path

import tensorflow as tf

from resnet_lesson import distribution
from resnet_lesson.arguments import one_of
from resnet_lesson.data import load_mnist
from resnet_lesson.distribution_checkpoints import Checkpoints
from resnet_lesson.distribution_cluster import (
    Watchdog,
    leave,
    silence_tensorflow,
    slurm_tf_config,
)
from resnet_lesson.distribution_launch import WorkerError, Workers
from resnet_lesson.models import network
from resnet_lesson.records import save_records
from resnet_lesson.training import Trainer

NORMALISATIONS = ("none", "each", "all")


def build(depth, normalisation, strategy=None):
    """Build the network that the workers train.

    Args:
        depth: as in ``network``.
        normalisation: ``"none"``; batch normalisation with the statistics of ``"each"`` replica's
            share, or with those of ``"all"`` shares together.
        strategy: tf.distribute.Strategy or None.

    Returns:
        keras.Model.
    """
    one_of("normalisation", normalisation, NORMALISATIONS)
    distribution.is_chief(strategy)  # refuses what is no strategy
    with (strategy or tf.distribute.get_strategy()).scope():
        model = network(
            depth, normalisation=normalisation != "none", zero_init=normalisation == "none"
        )
    return distribution.synchronise_norms(model) if normalisation == "all" else model


def work(options):
    """Be one worker, or train alone where no TF_CONFIG is set; return the list of Record."""
    strategy = watchdog = None
    try:
        if os.environ.get("TF_CONFIG"):
            strategy = distribution.multi_worker(options.threads, options.timeout)
        else:
            distribution.set_threads(options.threads)
        watchdog = Watchdog(options.timeout)
        records = _train_all(options, strategy, watchdog)
    except TimeoutError as error:
        leave(str(error))
    except tf.errors.OpError as error:
        doing = watchdog.doing if watchdog else "starting"
        found = re.search(r"aborted by: (.*)", error.message) or [None, type(error).__name__]
        leave(
            f"Lost another worker while {doing}. Start all workers again: with --folder they go on "
            f"from the last checkpoint. TensorFlow says: {found[1]}"
        )
    if options.result and distribution.is_chief(strategy):
        save_records(options.result, records)
    _wait_for_all(strategy, watchdog)
    return records


def _train_all(options, strategy, watchdog):
    data = load_mnist(train=options.images, val=options.val, test=0)
    records = []
    for normalisation in options.normalisation:
        watchdog.beat("building the network")
        model = build(options.depth, normalisation, strategy)
        trainer = Trainer(model, options.batch_size, options.learning_rate, strategy)
        for seed in options.seeds:
            name, done = f"normalisation {normalisation}", []
            checkpoints = None
            if options.folder:
                place = Path(options.folder) / f"{normalisation}_{seed}"
                checkpoints = Checkpoints(place, options.checkpoint_every)
                if checkpoints.found():
                    print(f"Going on from update {checkpoints.found()[-1]}.", flush=True)

            def on_update(name=name, seed=seed, done=done):
                done.append(1)
                watchdog.beat(f"training ({name}, seed {seed}, {len(done)} updates in this run)")

            watchdog.beat(f"making ready to train ({name}, seed {seed})")
            records.append(
                trainer.run(
                    data, seed, options.updates, name, on_update=on_update, checkpoints=checkpoints
                )
            )
            if records[-1].interrupted:
                leave("Interrupted.", 130)
            loss = records[-1].final_loss(10)
            print(f"{name}, seed {seed}: loss {loss:.4f} over the last updates", flush=True)
    return records


def _wait_for_all(strategy, watchdog):
    """Stay until all workers are done: a worker that left early would leave the others alone."""
    watchdog.beat("waiting for the others to end")
    if strategy is not None:
        silence_tensorflow()
        with contextlib.suppress(tf.errors.OpError):  # others may be done and gone
            strategy.run(tf.function(lambda: distribution.average(tf.constant(0.0))))
    watchdog.stop()


def _end_with_parent():
    """End when the process that started this one ends: its end of the pipe closes."""
    os.read(0, 1)
    os._exit(1)


def _options(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m resnet_lesson.distributed", description=__doc__.split("\n")[0]
    )
    add = parser.add_argument
    add("--workers", type=int, help="start so many workers on this machine")
    add("--slurm", action="store_true", help="be the worker that Slurm's variables name")
    add("--port", type=int, default=12345, help="first port, with --slurm")
    add("--depth", type=int, default=8, help="weighted layers of the network")
    add("--normalisation", nargs="+", default=["none"], choices=NORMALISATIONS)
    add("--seeds", nargs="+", type=int, default=[0])
    add("--updates", type=int, default=100)
    add("--batch-size", type=int, default=64, help="images of an update, of all workers together")
    add("--learning-rate", type=float, default=2e-3)
    add("--images", type=int, default=6400, help="number of training images")
    add("--val", type=int, default=0, help="number of validation images")
    add("--threads", type=int, help="threads that a worker computes with")
    add("--timeout", type=float, default=45, help="end after so many seconds without progress")
    add("--folder", help="where the checkpoints are, for all workers")
    add("--checkpoint-every", type=int, default=100, help="updates from one to the next")
    add("--result", help="file for the records, as load_records reads it")
    add("--started", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments=None):
    """Run the command line; return the exit status."""
    options = _options(arguments)
    try:
        if options.started:
            threading.Thread(target=_end_with_parent, daemon=True).start()
        if options.slurm:
            os.environ["TF_CONFIG"] = slurm_tf_config(options.port)
        if options.workers is not None and os.environ.get("TF_CONFIG"):
            raise ValueError(
                "--workers must not be given to a worker: TF_CONFIG or --slurm says how many there "
                f"are. Received: --workers {options.workers}"
            )
        if options.workers is None:
            work(options)
            return 0
        given = {
            name: value
            for name, value in vars(options).items()
            if name not in ("workers", "slurm", "started", "port") and value is not None
        }
        with Workers(options.workers, given, show=True) as started:
            started.records()
    except (TypeError, ValueError, WorkerError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130
    except Exception:
        traceback.print_exc()
        status = 1
    leave(status=status)
