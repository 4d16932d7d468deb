"""Responses: how strongly the parts of a network react, and how much a branch adds to its input.

Normalisation uses the batch's own mean and variance, as in training, so that trained and untrained
networks can be compared; the model's moving averages stay as they are.

References
    He, Zhang, Ren, Sun 2016a: Deep Residual Learning for Image Recognition, CVPR
        (arXiv:1512.03385), Section 4.2, Figure 7: standard deviations of layer responses.
"""

import re

import numpy as np

from resnet_lesson.arguments import built_model, images_for
from resnet_lesson.diagnostics.averages import kept_averages
from resnet_lesson.models import with_outputs


def activations(model, images, names):
    """Read what named layers give out.

    Args:
        model: a network of ``resnet_lesson.models``.
        images: float32, shape (batch, …).
        names: list of layer names, as in ``["stage1_block1_out", "logits"]``.

    Returns:
        dictionary in the order of ``names``: layer name → float32 array, shape (batch, …).

    Raises:
        TypeError, ValueError: a name is not a layer's, or there are no such images.
    """
    images = images_for("images", images, model)
    reader = with_outputs(model, names)
    with kept_averages(model):
        outputs = reader(images, training=True)
    return {name: np.asarray(outputs[name]) for name in names}


def response_deviations(model, images):
    """Measure the standard deviation of each convolution's or dense layer's response in the blocks.

    The response is the layer's output after its normalisation and before ReLU or addition, as in
    He 2016a, Figure 7. The deviation is over the batch, all pixels and all channels.

    Args:
        model: a network of ``resnet_lesson.models`` with normalisation.
        images: float32, shape (batch, …).

    Returns:
        dictionary in the model's order: normalisation's name, as in ``"stage1_block1_norm2"`` →
        standard deviation. Normalisations of shortcuts are not listed.

    Raises:
        TypeError, ValueError: the model's blocks have no normalisation, or there are no such
            images.
    """
    pattern = r"stage\d+_block\d+_norm\d+"
    layers = built_model("model", model).layers
    names = [layer.name for layer in layers if re.fullmatch(pattern, layer.name)]
    if not names:
        raise ValueError(f"model must have blocks with normalisation. Received: {model.name}")
    outputs = activations(model, images, names)
    return {name: float(np.std(output)) for name, output in outputs.items()}


def branch_ratios(model, images):
    """Measure ‖F(x)‖ over the norm of what the shortcut carries, for each residual block.

    Args:
        model: a residual network of ``resnet_lesson.models``.
        images: float32, shape (batch, …).

    Returns:
        dictionary in the model's order: block's name, as in ``"stage1_block1"`` → ratio of the two
        Euclidean norms, mean over the images.

    Raises:
        TypeError, ValueError: the model has no residual blocks, or there are no such images.
    """
    layers = built_model("model", model).layers
    sums = [layer for layer in layers if re.fullmatch(r"stage\d+_block\d+_add", layer.name)]
    if not sums:
        raise ValueError(f"model must have residual blocks. Received: {model.name}")
    names = [layer.name.removesuffix("_add") for layer in sums]
    outputs = activations(
        model, images, [f"{name}_{part}" for name in names for part in ("branch", "add")]
    )
    ratios = {}
    for name in names:
        branch = outputs[f"{name}_branch"].reshape(len(images), -1)
        carried = outputs[f"{name}_add"].reshape(len(images), -1) - branch
        norms = np.linalg.norm(branch, axis=1), np.linalg.norm(carried, axis=1)
        ratios[name] = float(np.mean(norms[0] / norms[1]))
    return ratios
