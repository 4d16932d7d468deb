"""Receptive fields: which pixels of the image a layer's output can depend on.

References
    Araujo, Norris, Sim 2019: Computing Receptive Fields of Convolutional Neural Networks, Distill
        (doi:10.23915/distill.00021): one path, and graphs with several.
"""

from typing import NamedTuple

import keras
from keras import layers

from resnet_lesson.blocks import PaddedShortcut
from resnet_lesson.plumbing.constraints import checked

POINTWISE = (
    layers.Activation,
    layers.Add,
    layers.BatchNormalization,
    layers.Identity,
    layers.InputLayer,
    layers.ReLU,
)
WINDOWS = (layers.Conv2D, layers.MaxPooling2D, layers.AveragePooling2D)
WHOLE_IMAGE = (layers.GlobalAveragePooling2D, layers.Flatten, layers.Dense)


class ReceptiveField(NamedTuple):
    """What one layer sees: its output at row i depends on no row but ``first + step · i`` to
    ``last + step · i`` of the image. Rows outside of the image are zeros; columns are like rows."""

    first: int
    last: int
    step: int
    """Rows of the image between one output row and the next: the product of the strides."""

    @property
    def size(self):
        """Height and width of the field, in pixels."""
        return self.last - self.first + 1


@checked
def receptive_fields(model):
    """Compute the receptive field of each layer that has one, by formula.

    A k × k window with stride s, whose input has the field r and the step t, has the field
    r + (k − 1) · t and the step s · t. An addition sees what any of its inputs sees. The field is
    the largest region that can matter; weights that are zero may leave less.

    Args:
        model: keras.Model from images of a fixed, square size, built of Keras's own layers with
            square windows and no dilation, such as ``models.network`` returns.

    Returns:
        dictionary in the model's order: layer's name → ReceptiveField. Layers that see the whole
        image (a global pool and all that follows) are missing.

    Raises:
        TypeError, ValueError: it is no model, or a layer has no formula here.
    """
    fields, seen = {}, {}
    for layer in model.layers:
        if isinstance(layer, WHOLE_IMAGE):
            break
        inputs = [seen[id(tensor)] for tensor in keras.tree.flatten(layer.input)]
        inputs = inputs or [ReceptiveField(0, 0, 1)]  # the image itself
        step = inputs[0].step
        size, stride, before = _window(layer)
        first = min(field.first for field in inputs) - before * step
        last = max(field.last for field in inputs) + (size - 1 - before) * step
        seen[id(layer.output)] = fields[layer.name] = ReceptiveField(first, last, stride * step)
    return fields


def _window(layer):
    """Return size and stride of a layer's window, and the rows of padding above the image."""
    if isinstance(layer, POINTWISE):
        return 1, 1, 0
    if isinstance(layer, PaddedShortcut):
        return 1, layer.stride, 0
    if isinstance(layer, layers.ZeroPadding2D):
        return 1, 1, layer.padding[0][0]
    if not isinstance(layer, WINDOWS):
        raise ValueError(
            "model must be built of convolutions, pools, normalisations, ReLUs and additions to "
            f"have receptive fields. Received: {layer.name}, a {type(layer).__name__}"
        )
    window = layer.kernel_size if isinstance(layer, layers.Conv2D) else layer.pool_size
    size, stride = window[0], layer.strides[0]
    # As TensorFlow places it: an odd row of padding goes to the bottom.
    missing = (layer.output.shape[1] - 1) * stride + size - layer.input.shape[1]
    return size, stride, max(missing, 0) // 2
