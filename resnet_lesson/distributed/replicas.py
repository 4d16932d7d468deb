"""Data-parallel training: every replica takes an equal share of each batch.

A replica is one copy of the model on one device. A worker is a process that holds replicas. Their
gradients are averaged before each update, so all copies stay equal.

References
    Dean, Corrado, Monga et al. 2012: Large Scale Distributed Deep Networks, NIPS.
    Goyal, Dollár, Girshick et al. 2017: Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour
        (arXiv:1706.02677), Section 2.3: normalisation by the statistics of each worker's share.
"""

import faulthandler
import logging
import os

import numpy as np
import tensorflow as tf

from resnet_lesson.distributed.cluster import meet, read_tf_config
from resnet_lesson.plumbing.constraints import FUNCTION, Numbers, Whole, checked, instance
from resnet_lesson.plumbing.processes import MOST_THREADS, MOST_WORKERS, set_threads

STRATEGY = instance("a tf.distribute.Strategy", tf.distribute.Strategy)


@checked(devices=Whole(1, MOST_WORKERS))
def mirrored(devices=2):
    """Cut this machine's processor into logical devices, with one replica on each.

    This shows data-parallel training in one process. It makes nothing faster: the devices share
    the cores that were there before.

    Args:
        devices: number of logical devices.

    Returns:
        tf.distribute.MirroredStrategy.

    Raises:
        TypeError, ValueError: the number is unusable.
        RuntimeError: TensorFlow has computed something in this process already.
    """
    _begin(devices)
    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(devices)])


@checked(threads=Whole(1, MOST_THREADS) | None)
def multi_worker(threads=None, seconds=45):
    """Join the other workers that the environment variable TF_CONFIG names.

    It must come before TensorFlow's first operation, and it waits until all workers are there.

    Args:
        threads: number of threads that this worker computes with; TensorFlow's choice by default.
        seconds: how long to wait for the others.

    Returns:
        tf.distribute.MultiWorkerMirroredStrategy.

    Raises:
        TypeError, ValueError: TF_CONFIG or a number is unusable.
        TimeoutError: another worker did not come.
        RuntimeError: TensorFlow has computed something in this process already.
    """
    addresses, index = read_tf_config(os.environ.get("TF_CONFIG", ""))
    _begin(devices=1)
    meet(addresses, index, seconds)
    _without_proxy(addresses)
    # While the strategy is made no Python runs: only this can end it if another worker dies now.
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        set_threads(threads)
        ring = tf.distribute.experimental.CommunicationImplementation.RING
        options = tf.distribute.experimental.CommunicationOptions(implementation=ring)
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _begin(devices):
    """Let TensorFlow have so many logical devices: that is settled with its first operation."""
    # Warnings are welcome, but not a line for each reduction that a strategy makes.
    tf.get_logger().setLevel(max(tf.get_logger().level, logging.WARNING))
    processor = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(
            processor, [tf.config.LogicalDeviceConfiguration()] * devices
        )
    except RuntimeError as error:
        raise RuntimeError(
            "a strategy must be made before TensorFlow's first operation: restart the kernel and "
            f"begin with it. Received: {error}"
        ) from None


def _without_proxy(addresses):
    """Let workers talk directly: through a proxy, which is for the web, none finds another."""
    hosts = {address.rpartition(":")[0] for address in addresses}
    kept = filter(None, [os.environ.get("no_grpc_proxy"), *sorted(hosts)])
    os.environ["no_grpc_proxy"] = ",".join(kept)


def check_strategy(strategy, model, batch_size):
    """Check that a model can be trained under a strategy.

    Raises:
        TypeError, ValueError: it cannot; the message ends with what was received.
    """
    if batch_size % strategy.num_replicas_in_sync:
        raise ValueError(
            "batch_size must be a multiple of the number of replicas, so that their shares are "
            f"equal. Received: batch_size={batch_size}, {strategy.num_replicas_in_sync} replicas"
        )
    for variable in model.variables:
        if not strategy.extended.variable_created_in_scope(variable.value):
            raise ValueError(
                "model must be built inside `with strategy.scope():`. "
                f"Received: {model.name}, whose {variable.path} was not"
            )


@checked(strategy=STRATEGY, step=FUNCTION)
def on_replicas(strategy, step):
    """Return a function that runs ``step`` on every replica and returns the first one's result.

    Raises:
        TypeError: there is no such strategy, or ``step`` is no function.
    """

    def run(*arguments):
        return strategy.experimental_local_results(strategy.run(step, arguments))[0]

    return run


def average(values):
    """Return the mean of tensors over all replicas, an all-reduce; called in ``strategy.run``.

    Replicas have equal shares of the batch, so the mean of their means is the mean of the batch.
    """
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)


@checked(strategy=STRATEGY, array=Numbers(finite=False))
def shares(strategy, array):
    """Cut a batch into one equal share for each replica, and hand out those of this worker.

    Args:
        strategy: tf.distribute.Strategy.
        array: numpy array, the whole batch; the replicas take their rows in order.

    Returns:
        one tensor for each replica of this worker, as ``strategy.run`` takes them.

    Raises:
        TypeError, ValueError: there is no such strategy, or the batch cannot be cut so.
    """
    parts = np.split(array, strategy.num_replicas_in_sync)
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )


def is_chief(strategy):
    """Tell whether this process is the one that writes files: the first worker, or the only one.

    Where a cluster has a worker that is called its chief, that is the first.
    """
    resolver = strategy.cluster_resolver
    if resolver is None or resolver.task_id:
        return resolver is None
    return resolver.task_type == "chief" or "chief" not in resolver.cluster_spec().jobs
