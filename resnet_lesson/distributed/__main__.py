"""Train a residual network with several worker processes, on one machine or on many.

    python -m resnet_lesson.distributed --workers 2 --updates 100

starts two workers here. Without ``--workers``, where the environment variable TF_CONFIG is set, or
with ``--slurm`` in a step of Slurm's, the command is one of the workers, and all of them must be
started.
"""

import argparse
import os
import sys
import threading
import traceback

from resnet_lesson.distributed.cluster import leave, slurm_tf_config
from resnet_lesson.distributed.launch import WorkerError, Workers
from resnet_lesson.distributed.worker import NORMALISATIONS, work


def main(arguments=None):
    """Run the command line; return the exit status."""
    options = _options(arguments)
    try:
        if options.started:
            threading.Thread(target=_end_with_parent, daemon=True).start()
        if options.slurm:
            os.environ["TF_CONFIG"] = slurm_tf_config(options.port)
        if options.workers is None:
            work(options)
        else:
            ours = ("workers", "slurm", "started", "port")
            given = {name: value for name, value in vars(options).items() if name not in ours}
            with Workers(options.workers, given, show=True) as started:
                started.records()
    except KeyboardInterrupt:
        return 130
    except (OSError, TypeError, ValueError, WorkerError) as error:
        print(error, file=sys.stderr)
        return 1
    except Exception:  # Python's own end would wait for TensorFlow's, which waits for others
        traceback.print_exc()
        return 1
    return 0


def _options(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m resnet_lesson.distributed", description=__doc__.split("\n")[0]
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--workers", type=int, help="start so many workers on this machine")
    place.add_argument("--slurm", action="store_true", help="be the worker of Slurm's variables")
    add = parser.add_argument
    add("--port", type=int, default=12345, help="first port, with --slurm")
    add("--depth", type=int, default=8, help="weighted layers of the network")
    add("--normalisation", nargs="+", default=["none"], choices=NORMALISATIONS)
    add("--seeds", nargs="+", type=int, default=[0])
    add("--updates", type=int, default=100)
    add("--batch-size", type=int, default=64, help="images of an update, of all workers together")
    add("--learning-rate", type=float, default=2e-3)
    add("--images", type=int, default=6400, help="number of training images")
    add("--threads", type=int, help="threads that a worker computes with")
    add("--timeout", type=float, default=45, help="end after so many seconds without progress")
    add("--folder", help="where the checkpoints are, for all workers")
    add("--checkpoint-every", type=int, default=100, help="updates from one to the next")
    add("--result", help="file for the records, as load_records reads it")
    add("--started", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _end_with_parent():
    """End when the process that started this one ends: its end of the pipe closes."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    leave(status=main())
