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

import keras
import tensorflow as tf

from resnet_lesson.arguments import array as batch_of
from resnet_lesson.arguments import (
    built_model,
    function,
    positive_number,
    received,
    whole_number,
)
from resnet_lesson.distribution_cluster import meet, read_tf_config

MOST = 1024  # of devices or threads: a larger number is mistyped


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
    devices = whole_number("devices", devices, least=1, most=MOST)
    cpu = tf.config.list_physical_devices("CPU")[0]
    wanted = [tf.config.LogicalDeviceConfiguration()] * devices
    if len(tf.config.get_logical_device_configuration(cpu) or ()) != devices:
        try:
            tf.config.set_logical_device_configuration(cpu, wanted)
        except RuntimeError:
            raise RuntimeError(
                "logical devices must be set before TensorFlow's first operation: restart the "
                f"kernel and begin with mirrored(). Received: devices={devices}"
            ) from None
    _quiet()
    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(devices)])


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
    _check_nothing_has_run()
    meet(addresses, index, positive_number("seconds", seconds))
    _without_proxy(addresses)
    # While the strategy is made no Python runs: only this can end it if another worker dies now.
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        set_threads(threads)
        _quiet()
        ring = tf.distribute.experimental.CommunicationImplementation.RING
        options = tf.distribute.experimental.CommunicationOptions(implementation=ring)
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _without_proxy(addresses):
    """Let workers talk directly: through a proxy, which is for the web, none finds another."""
    hosts = {address.rpartition(":")[0] for address in addresses}
    kept = filter(None, [os.environ.get("no_grpc_proxy"), *sorted(hosts)])
    os.environ["no_grpc_proxy"] = ",".join(kept)


def _check_nothing_has_run():
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    try:
        for number in (threads + 1, threads):  # a change is refused once TensorFlow has begun
            tf.config.threading.set_intra_op_parallelism_threads(number)
    except RuntimeError as error:
        raise RuntimeError(
            "a strategy of several workers must exist before TensorFlow's first operation. "
            f"Received: {error}"
        ) from None


def _quiet():
    """Let TensorFlow log warnings, but not each reduction that a strategy makes."""
    logger = tf.get_logger()
    logger.setLevel(max(logger.level, logging.WARNING))


def set_threads(threads):
    """Set how many threads TensorFlow computes with; None leaves that to TensorFlow.

    Raises:
        TypeError, ValueError: the number is unusable.
    """
    if threads is not None:
        threads = whole_number("threads", threads, least=1, most=MOST)
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def check_strategy(strategy, model, batch_size):
    """Check that a model can be trained under a strategy.

    Raises:
        TypeError, ValueError: it cannot; the message ends with what was received.
    """
    _check_kind(strategy)
    built_model("model", model)
    if whole_number("batch_size", batch_size, least=1) % strategy.num_replicas_in_sync:
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


def _check_kind(strategy):
    if not isinstance(strategy, tf.distribute.Strategy):
        raise TypeError(
            f"strategy must be a tf.distribute.Strategy. Received: {received(strategy)}"
        )


def on_replicas(strategy, step):
    """Return a function that runs ``step`` on every replica and returns the first one's result.

    Raises:
        TypeError: there is no such strategy, or ``step`` is no function.
    """
    _check_kind(strategy)
    function("step", step)

    def run(*arguments):
        results = strategy.run(step, arguments)
        return tf.nest.map_structure(
            lambda one: strategy.experimental_local_results(one)[0], results
        )

    return run


def average(values):
    """Return the mean of tensors over all replicas; to be called inside ``strategy.run``.

    Replicas have equal shares of the batch, so the mean of their means is the mean of the batch.
    """
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)


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
    _check_kind(strategy)
    array = batch_of("array", array)
    if len(array) % strategy.num_replicas_in_sync:
        raise ValueError(
            "array must have a multiple of the number of replicas as rows. "
            f"Received: {len(array)} rows, {strategy.num_replicas_in_sync} replicas"
        )
    rows = len(array) // strategy.num_replicas_in_sync

    def share(context):
        place = context.replica_id_in_sync_group * rows
        return tf.constant(array[place : place + rows])

    return strategy.experimental_distribute_values_from_function(share)


def is_chief(strategy):
    """Tell whether this process is the one that writes files: the first worker, or the only one.

    Raises:
        TypeError: ``strategy`` is neither a strategy nor None.
    """
    if strategy is not None:
        _check_kind(strategy)
    resolver = getattr(strategy, "cluster_resolver", None)
    return resolver is None or not resolver.task_id


def synchronise_norms(model):
    """Let batch normalisation take mean and variance over all replicas, in place; return model.

    Raises:
        TypeError: it is no model.
    """
    for layer in built_model("model", model).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True
    return model
