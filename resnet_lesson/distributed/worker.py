"""One worker process: it joins the others, trains with them, and notices when one is lost."""

import contextlib
import os
import re
from pathlib import Path

import keras
import tensorflow as tf

from resnet_lesson import deterministic
from resnet_lesson.data import load_mnist
from resnet_lesson.distributed import replicas
from resnet_lesson.distributed.checkpoints import Checkpoints
from resnet_lesson.distributed.cluster import Watchdog, leave, silence_tensorflow
from resnet_lesson.distributed.trainer import DistributedTrainer
from resnet_lesson.models import network
from resnet_lesson.plumbing.constraints import OneOf, checked
from resnet_lesson.plumbing.processes import set_threads
from resnet_lesson.runs import save_records

NORMALISATIONS = ("none", "each", "all")


@checked(normalisation=OneOf(*NORMALISATIONS), strategy=replicas.STRATEGY | None)
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
    none = normalisation == "none"
    with (strategy or tf.distribute.get_strategy()).scope():
        model = network(depth, normalisation=not none, zero_init=none)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = normalisation == "all"
    return model


def work(options):
    """Be one worker, or train alone where no TF_CONFIG is set.

    Args:
        options: what the command line says, as an argparse.Namespace.
    """
    watchdog = None
    try:
        if os.environ.get("TF_CONFIG"):
            strategy = replicas.multi_worker(options.threads, options.timeout)
        else:
            set_threads(options.threads)
            strategy = tf.distribute.get_strategy()
        watchdog = Watchdog(options.timeout)
        deterministic()
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
    if options.result and replicas.is_chief(strategy):
        save_records(options.result, records)
    # A worker that left early would leave the others alone.
    watchdog.beat("waiting for the others to end")
    silence_tensorflow()
    with contextlib.suppress(tf.errors.OpError):  # others may be done and gone
        replicas.on_replicas(strategy, tf.function(lambda: replicas.average(tf.constant(0.0))))()


def _train_all(options, strategy, watchdog):
    data = load_mnist(train=options.images, val=0, test=0)
    records = []
    for normalisation in options.normalisation:
        watchdog.beat("building the network")
        model = build(options.depth, normalisation, strategy)
        trainer = DistributedTrainer(model, options.batch_size, options.learning_rate, strategy)
        config = {"depth": options.depth, "normalisation": normalisation}
        for seed in options.seeds:
            if options.folder:
                place = Path(options.folder, f"{normalisation}_{seed}")
                trainer.checkpoints = Checkpoints(place, options.checkpoint_every)
                if latest := trainer.checkpoints.latest():
                    print(f"Going on from update {latest}.", flush=True)
            name = f"normalisation {normalisation}"
            watchdog.beat(f"training ({name}, seed {seed})")
            record = trainer.run(data, seed, options.updates, name, config, on_update=watchdog.beat)
            if record.interrupted:
                leave("Interrupted.", 130)
            loss = record.final_loss(10)
            print(f"{name}, seed {seed}: loss {loss:.4f} over the last updates", flush=True)
            records.append(record)
    return records
