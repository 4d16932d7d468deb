"""Receptive fields: which pixels of the image a layer's output can depend on.

References
    Araujo, Norris, Sim 2019: Computing Receptive Fields of Convolutional Neural Networks, Distill
        (doi:10.23915/distill.00021): one path, and graphs with several.
"""

from typing import NamedTuple

from keras import layers

from resnet_lesson.blocks import PaddedShortcut
from resnet_lesson.plumbing.constraints import checked

POINTWISE = (
    layers.Activation,
    layers.Add,
    layers.BatchNormalization,
    layers.Identity,
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
        model: keras.Model from images of a fixed, square size, built of Keras's own layers, such
            as ``models.network`` returns.

    Returns:
        dictionary in the model's order: layer's name → ReceptiveField. Layers that see the whole
        image (a global pool and all that follows) are missing.

    Raises:
        TypeError, ValueError: it is no model, a layer has no formula here, the branches of an
            addition have different steps, or the images have no fixed size.
    """
    fields, seen = {}, {}
    for layer in model.layers:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        if isinstance(layer, layers.InputLayer):
            field = ReceptiveField(0, 0, 1)
        elif isinstance(layer, WHOLE_IMAGE) or any(id(tensor) not in seen for tensor in inputs):
            continue
        else:
            field = _united(layer, [seen[id(tensor)] for tensor in inputs])
            size, stride, before = _window(layer, inputs[0].shape[1])
            first = field.first - before * field.step
            last = field.last + (size - 1 - before) * field.step
            field = ReceptiveField(first, last, stride * field.step)
        seen[id(layer.output)] = fields[layer.name] = field
    return fields


def _united(layer, fields):
    """Return the field that holds those of all inputs of a layer."""
    steps = {field.step for field in fields}
    if len(steps) > 1:
        raise ValueError(
            "model must add tensors of one step. "
            f"Received: {layer.name}, steps {' and '.join(map(str, sorted(steps)))}"
        )
    first, last = min(field.first for field in fields), max(field.last for field in fields)
    return ReceptiveField(first, last, steps.pop())


def _window(layer, height):
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
    gaps = getattr(layer, "dilation_rate", (1, 1))
    if len({*window}) > 1 or len({*layer.strides}) > 1 or {*gaps} != {1}:
        raise ValueError(
            "model must have square windows without gaps and equal strides. "
            f"Received: {layer.name}, {window}, strides {layer.strides}, dilation {gaps}"
        )
    size, stride = window[0], layer.strides[0]
    if layer.padding == "valid":
        return size, stride, 0
    if height is None:
        raise ValueError(f"model must take images of a fixed size. Received: {layer.name}, None")
    # As TensorFlow places it: an odd row of padding goes to the bottom.
    missing = max((-(-height // stride) - 1) * stride + size - height, 0)
    return size, stride, missing // 2
