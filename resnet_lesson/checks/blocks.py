"""What the checks of blocks share: the reader's block run, its kernels found, and a reference.

A reference is the order of a block's parts, as in ``"conv norm relu conv norm shortcut add relu"``,
and so is each mistake: the reader's block is compared with what these orders compute.
"""

import numpy as np
import tensorflow as tf

from resnet_lesson.checks.answers import NotYet, as_array, call, require
from resnet_lesson.checks.core import close

EPSILONS = (1e-3, 1e-5)  # of a normalisation: Keras's default, and that of others


def computed(order, x, kernels, strides=None, biases=(), epsilon=EPSILONS[0]):
    """Compute what a block gives out in training, with γ = 1 and β = 0.

    Args:
        order: names of parts. ``conv`` and ``bias`` take the next kernel and the next bias,
            ``last_bias`` the last one. With ``shortcut`` the branch ends: what follows is done to
            x, until ``add`` adds the two. ``zero`` multiplies by 0, ``negate`` by −1.
        x: float32 (batch, height, width, channels).
        kernels: arrays (height, width, channels, filters), in the order of their use.
        strides: of the convolutions, 1 if not given.
        biases: arrays (filters,).
        epsilon: of the normalisations.

    Returns:
        float32 (batch, height, width, filters).
    """
    strides = iter(strides or [1] * len(kernels))
    kernels, next_bias = iter(kernels), iter(biases)
    steps = {
        "conv": lambda y: tf.nn.conv2d(y, next(kernels), next(strides), "SAME").numpy(),
        "norm": lambda y: (y - y.mean(axis=(0, 1, 2))) / np.sqrt(y.var(axis=(0, 1, 2)) + epsilon),
        "bias": lambda y: y + next(next_bias),
        "last_bias": lambda y: y + biases[-1],
        "relu": lambda y: np.maximum(y, 0),
        "zero": lambda y: 0 * y,
        "negate": lambda y: -y,
        "add": lambda y: branch + y,
    }
    y = x
    for part in order.split():
        if part == "shortcut":
            branch, y = y, x
        else:
            y = steps[part](y)
    return y


def compare(evaluated, trained, x, kernels, right, mistakes, strides=(None,)):
    """Raise NotYet unless the reader's block computes what it should, in training and evaluation.

    Args:
        evaluated, trained: the block's outputs for x, with ``training=False`` and ``True``.
        x, kernels: as ``computed`` takes them.
        right: the right order of the parts.
        mistakes: dictionary: message → the order that this mistake makes.
        strides: the ways of striding that are right.
    """

    def fits(order):
        return any(
            close(trained, computed(order, x, kernels, way, epsilon=epsilon), 2e-3)
            for way in strides
            for epsilon in EPSILONS
        )

    if not fits(right):
        for message, order in mistakes.items():
            require(not fits(order), message)
        raise NotYet("the kernels have the right shapes, but the output is another one")
    if close(evaluated, trained, 1e-3):
        raise NotYet(
            "training=True and training=False give the same output: hand `training` on to the "
            "normalisations"
        )


def built(function, *args, **options):
    """Call; where shapes do not fit, say what to look for."""
    try:
        return call(function, *args, **options)
    except NotYet as wrong:
        if "shapes" not in str(wrong.__cause__):
            raise
        raise NotYet(
            f"{wrong}; the two paths must end in one shape: mind padding, strides and channels"
        ) from wrong


def outputs(block, x):
    """Return what the reader's block gives out in evaluation and in training."""
    try:
        return [
            as_array(built(block, tf.constant(x), training=training), "the block's output")
            for training in (False, True)
        ]
    except NotYet as wrong:
        if "unexpected keyword argument 'training'" not in str(wrong):
            raise
        raise NotYet("the block should take `training`, as every layer does") from None


def kernels_of(block, shapes, projection=None):
    """Find the kernels by their shapes; a dense layer at each pixel counts as a 1×1."""
    found = [
        value.reshape(1, 1, *value.shape) if value.ndim == 2 else value
        for value in _variables(block)
        if value.ndim in (2, 4)
    ]
    have = sorted(value.shape for value in found)
    wanted = [*shapes, projection] if projection else shapes
    if have == sorted(wanted):
        # Of two kernels of one shape, the one that was made first comes first.
        return [found.pop([value.shape for value in found].index(shape)) for shape in wanted]
    if projection and have == sorted(shapes):
        raise NotYet("the shortcut has no kernel of its own: where the shape changes, it needs one")
    if not projection and have == sorted([*shapes, (1, 1, shapes[0][2], shapes[-1][3])]):
        raise NotYet("one kernel too many: where the shape stays, the shortcut is x itself")
    if have == sorted((1, 1, *shape[2:]) for shape in wanted):
        raise NotYet("all kernels are 1×1; the middle one should be 3×3")
    names = ", ".join(f"{value.shape}" for value in found) or "none"
    raise NotYet(f"kernels of the shapes {names}; expected {', '.join(map(str, wanted))}")


def gammas(block):
    """Count the numbers γ of the normalisations: before training they are 1, all others are 0."""
    scales = [value for value in _variables(block) if value.ndim == 1 and np.all(value == 1)]
    return sum(value.size for value in scales)


def _variables(block):
    own = getattr(block, "trainable_variables", None)
    require(own, "return a Keras layer or model, or a tf.Module, so that its weights can be found")
    return [np.asarray(variable) for variable in own]
