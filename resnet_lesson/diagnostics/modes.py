"""The two modes of a model: batch statistics in training, moving averages in evaluation.

References
    Ioffe, Szegedy 2015: Batch Normalization, ICML (arXiv:1502.03167), Section 3.1: batch statistics
        in training, averages over the population afterwards.
"""

import weakref
from contextlib import contextmanager

import tensorflow as tf
from keras import layers

from resnet_lesson.plumbing.constraints import Images, checked

_functions = weakref.WeakKeyDictionary()  # model → the function that `compiled` made of it


@contextmanager
def kept(variables):
    """Give variables their values back when the ``with`` block ends."""
    before = [variable.numpy() for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


@checked
def kept_averages(model):
    """Give a model its moving averages back when the ``with`` block ends.

    Args:
        model: keras.Model.
    """
    return kept(model.non_trainable_variables)


@checked(images=Images())
def set_averages(model, images):
    """Set all moving averages of a model to the means and variances over ``images``.

    Afterwards ``training=False`` normalises with the statistics of these images. An untrained model
    needs this: its moving averages still have their first values, 0 and 1. A frozen normalisation
    keeps its own.

    Args:
        model: keras.Model, float32 (batch, …) → anything. Changed in place.
        images: float32, shape (n, …): taken as one batch.
    """
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0  # the new average is the batch's value alone
        model(images, training=True)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def compiled(model):
    """Return a model as a compiled function in evaluation mode; each model is compiled only once.

    Where a model is called often, this is several times as fast as calling it.

    Args:
        model: keras.Model with one input.

    Returns:
        function: tensor (batch, …) of the input's dtype → what the model returns, with its weights
        of the moment, for as long as the model exists.
    """
    if model not in _functions:
        # A function that held its own model would keep both for ever.
        held = weakref.proxy(model)
        step = tf.function(lambda x: held(x, training=False), jit_compile=False, autograph=False)
        # Called as it is, TensorFlow would warn of many small functions that are traced.
        signature = tf.TensorSpec(model.input_shape, model.input.dtype)
        _functions[model] = step.get_concrete_function(signature)
    return _functions[model]
