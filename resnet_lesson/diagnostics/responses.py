"""Responses: what layers give out, how strong it is, and what a linear classifier reads from it.

Normalisation uses the batch's own mean and variance, as in training, so that trained and untrained
networks can be compared; the model's moving averages stay as they are.

References
    Alain, Bengio 2016: Understanding intermediate layers using linear classifier probes
        (arXiv:1610.01644), Section 3. Their probes are trained by gradient descent on the
        cross-entropy; here the least-squares solution is computed at once.
    He, Zhang, Ren, Sun 2016a: Deep Residual Learning for Image Recognition, CVPR
        (arXiv:1512.03385), Section 4.2, Figure 7: standard deviations of layer responses.
    Hoerl, Kennard 1970: Ridge Regression, Technometrics 12: the probe's penalty.
"""

import re

import numpy as np

from resnet_lesson.diagnostics.modes import kept_averages
from resnet_lesson.models import with_outputs
from resnet_lesson.plumbing.constraints import POSITIVE, Images, Labels, Numbers, checked


@checked(images=Images())
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
    reader = with_outputs(model, names)
    with kept_averages(model):
        outputs = reader(images, training=True)
    return {name: np.asarray(outputs[name]) for name in names}


@checked(images=Images())
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
        TypeError, ValueError: the model's blocks have no normalisation.
    """
    names = _named(model, r"stage\d+_block\d+_norm\d+")
    outputs = activations(model, images, names)
    return {name: float(np.std(output)) for name, output in outputs.items()}


@checked(images=Images())
def branch_ratios(model, images):
    """Measure ‖F(x)‖ over the norm of what the shortcut carries, for each residual block.

    Args:
        model: a residual network of ``resnet_lesson.models``.
        images: float32, shape (batch, …).

    Returns:
        dictionary in the model's order: block's name, as in ``"stage1_block1"`` → ratio of the two
        Euclidean norms, mean over the images.

    Raises:
        TypeError, ValueError: the model has no residual blocks.
    """
    sums = _named(model, r"stage\d+_block\d+_add")
    branches = [name.removesuffix("add") + "branch" for name in sums]
    outputs = activations(model, images, [*sums, *branches])
    ratios = {}
    for add, branch in zip(sums, branches, strict=True):
        added = outputs[branch].reshape(len(images), -1)
        carried = outputs[add].reshape(len(images), -1) - added
        norms = np.linalg.norm(added, axis=1), np.linalg.norm(carried, axis=1)
        ratios[add.removesuffix("_add")] = float(np.mean(norms[0] / norms[1]))
    return ratios


def _named(model, pattern):
    """Return the names of a model's layers that match a pattern."""
    return [layer.name for layer in model.layers if re.fullmatch(pattern, layer.name)]


@checked(
    features=Numbers(),
    labels=Labels("features"),
    test_features=Numbers(),
    test_labels=Labels("test_features"),
    penalty=POSITIVE,
)
def probe_accuracy(features, labels, test_features, test_labels, penalty=0.01):
    """Fit a linear classifier by ridge regression and return its accuracy on other examples.

    The classifier is the affine map to one number a class that minimises

        Σ ‖W f + b − y‖² + λ ‖W‖²

    over the training examples, where y is 1 at the example's class and 0 elsewhere; the largest
    number wins. λ is ``penalty`` times the sum of squares of the centred features, over n: so
    multiplying all features by a number changes nothing.

    Args:
        features: numbers, shape (n, …): what a layer gives for n training images.
        labels: integers, shape (n,).
        test_features, test_labels: the same for the images that the accuracy is measured on.
        penalty: number above 0.

    Returns:
        accuracy from 0 to 1.
    """
    features, test_features = (
        part.reshape(len(part), -1).astype(np.float64) for part in (features, test_features)
    )
    targets = np.eye(max(labels.max(), test_labels.max()) + 1)[labels]
    mean, offset = features.mean(axis=0), targets.mean(axis=0)
    centred, targets = features - mean, targets - offset
    # The solution is a sum over examples, so n × n equations are enough, however many features.
    inner = centred @ centred.T
    n = len(inner)
    strength = penalty * np.trace(inner) / n or 1.0  # features that are all equal: W = 0
    weights = centred.T @ np.linalg.solve(inner + strength * np.eye(n), targets)
    scores = (test_features - mean) @ weights + offset
    return float(np.mean(scores.argmax(axis=1) == test_labels))
