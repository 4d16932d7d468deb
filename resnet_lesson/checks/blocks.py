"""What the checks of blocks share: the reader's block built, run, and its kernels found."""

import numpy as np
import tensorflow as tf

from resnet_lesson.checks.core import NotYet, array, call, close

EPSILONS = (1e-3, 1e-5)  # of a normalisation: Keras's default, and that of others


def built(function, *args, **options):
    """Call; where shapes do not fit, say what to look for."""
    try:
        return function(*args, **options)
    except NotYet as wrong:
        if "shapes" not in str(wrong.__cause__):
            raise
        raise NotYet(
            f"{wrong}; the two paths must end in one shape: mind padding, strides and channels"
        ) from wrong


def outputs(block, x, training):
    """Call the reader's block, with ``training`` if it takes that."""
    try:
        y = built(call, block, tf.constant(x), training=training)
        return array(y, "the block's output")
    except NotYet as wrong:
        if "unexpected keyword argument 'training'" not in str(wrong):
            raise
        raise NotYet("the block should take `training`, as every layer does") from None


def variables(block):
    found = getattr(block, "trainable_variables", None)
    if not found:
        raise NotYet(
            "return a Keras layer or model, or a tf.Module, so that its weights can be found"
        )
    return [np.asarray(variable) for variable in found]


def kernels_of(block, shapes, projection):
    """Find the kernels by their shapes; a dense layer at each pixel counts as a 1×1."""
    found = [
        value.reshape(1, 1, *value.shape) if value.ndim == 2 else value
        for value in variables(block)
        if value.ndim in (2, 4)
    ]
    have = [value.shape for value in found]
    wanted = [*shapes, projection] if projection else shapes
    if sorted(have) == sorted(wanted):
        # Of two kernels of one shape, the one that was made first comes first.
        return [found.pop([value.shape for value in found].index(shape)) for shape in wanted]
    if projection and sorted(have) == sorted(shapes):
        raise NotYet("the shortcut has no kernel of its own: where the shape changes, it needs one")
    if not projection and sorted(have) == sorted([*shapes, (1, 1, shapes[0][2], shapes[-1][3])]):
        raise NotYet("one kernel too many: where the shape stays, the shortcut is x itself")
    if sorted(have) == sorted((1, 1, *shape[2:]) for shape in wanted):
        raise NotYet("all kernels are 1×1; the middle one should be 3×3")
    names = ", ".join(f"{shape}" for shape in have) or "none"
    raise NotYet(f"kernels of the shapes {names}; expected {', '.join(map(str, wanted))}")


def compare(fits, mistakes, evaluated, trained):
    """Raise NotYet unless the reader's block computes what it should, in training and evaluation.

    Args:
        fits: function of a mistake's name that tells whether the block computes what this mistake
            gives; without an argument, whether it computes the right thing.
        mistakes: dictionary: message → name.
        evaluated, trained: the block's outputs with ``training=False`` and ``True``.
    """
    if not fits():
        for message, change in mistakes.items():
            if fits(change):
                raise NotYet(message)
        raise NotYet("the kernels have the right shapes, but the output is another one")
    if close(evaluated, trained, 1e-3):
        raise NotYet(
            "training=True and training=False give the same output: hand `training` on to the "
            "normalisations"
        )


def convolved(x, kernel, stride):
    return tf.nn.conv2d(x, kernel, stride, "SAME").numpy()
