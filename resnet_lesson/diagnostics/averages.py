"""The moving averages of batch normalisation: kept as they are, or set to those of given images.

References
    Ioffe, Szegedy 2015: Batch Normalization, ICML (arXiv:1502.03167), Section 3.1: batch statistics
        in training, averages over the population afterwards.
"""

from contextlib import contextmanager

from keras import layers

from resnet_lesson.arguments import built_model, images_for


def kept_averages(model):
    """Give a model its moving averages back when the ``with`` block ends.

    Args:
        model: keras.Model.

    Raises:
        TypeError: it is none.
    """
    return _kept(built_model("model", model))


@contextmanager
def _kept(model):
    before = [(variable, variable.numpy()) for variable in model.non_trainable_variables]
    try:
        yield
    finally:
        for variable, value in before:
            variable.assign(value)


def set_averages(model, images):
    """Set all moving averages of a model to the means and variances over ``images``.

    Afterwards ``training=False`` normalises with the statistics of these images. An untrained model
    needs this: its moving averages still have their first values, 0 and 1.

    Args:
        model: keras.Model, float32 (batch, …) → anything. Changed in place.
        images: float32, shape (n, …): taken as one batch.

    Raises:
        TypeError, ValueError: there is no such model, or there are no such images.
    """
    images = images_for("images", images, model)
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0  # the new average is the batch's value alone
        model(images, training=True)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
