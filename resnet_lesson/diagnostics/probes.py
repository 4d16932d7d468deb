"""Linear probes: what a linear classifier can read from a layer.

References
    Alain, Bengio 2016: Understanding intermediate layers using linear classifier probes
        (arXiv:1610.01644), Section 3. Their probes are trained by gradient descent on the
        cross-entropy; here the least-squares solution is computed at once.
    Hoerl, Kennard 1970: Ridge Regression, Technometrics 12: the penalty.
"""

import numpy as np

from resnet_lesson.arguments import MOST_WIDTH, array, labels_for, positive_number


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

    Raises:
        TypeError, ValueError: shapes do not fit, or the penalty is not above 0.
    """
    fit, test = _flat("features", features), _flat("test_features", test_features)
    labels = labels_for("labels", labels, len(fit), MOST_WIDTH)
    test_labels = labels_for("test_labels", test_labels, len(test), MOST_WIDTH)
    if fit.shape[1] != test.shape[1]:
        raise ValueError(
            "features must have as many numbers an image in training as in test. "
            f"Received: {fit.shape[1]} and {test.shape[1]}"
        )
    positive_number("penalty", penalty)
    classes = max(labels.max(), test_labels.max()) + 1
    targets = np.eye(classes)[labels]
    mean, offset = fit.mean(axis=0), targets.mean(axis=0)
    fit, targets = fit - mean, targets - offset
    # The solution is a sum over examples, so n × n equations are enough, however many features.
    inner = fit @ fit.T
    strength = penalty * np.trace(inner) / len(fit) or 1.0  # features that are all equal: W = 0
    weights = np.linalg.solve(inner + strength * np.eye(len(fit)), targets)
    scores = (test - mean) @ (fit.T @ weights) + offset
    return float(np.mean(scores.argmax(axis=1) == test_labels))


def _flat(name, features):
    features = array(name, features).astype(np.float64)
    if features.ndim < 2:
        raise ValueError(f"{name} must have the shape (n, …), n ≥ 1. Received: {features.shape}")
    return features.reshape(len(features), -1)
