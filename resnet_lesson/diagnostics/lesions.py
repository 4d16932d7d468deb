"""Lesions: run a trained network with blocks taken out or in another order.

``models.segments`` cuts a network into a dictionary of parts. The functions here take such a
dictionary and give another one, whose order is the order in which the parts are run.

References
    Veit, Wilber, Belongie 2016: Residual Networks Behave Like Ensembles of Relatively Shallow
        Networks, NIPS (arXiv:1605.06431), Section 4.
    Greff, Srivastava, Schmidhuber 2017: Highway and Residual Networks Learn Unrolled Iterative
        Estimation, ICLR (arXiv:1612.07771), Section 5.
"""

import keras
import tensorflow as tf
from keras import ops

from resnet_lesson.blocks import PaddedShortcut
from resnet_lesson.diagnostics.modes import compiled
from resnet_lesson.plumbing.constraints import MODEL, Dictionary, Images, NamesIn, OneOf, checked

PARTS = Dictionary(MODEL)


@checked(parts=PARTS)
def run_parts(parts, images):
    """Pass images through all parts, in the order of the dictionary, in evaluation mode.

    Args:
        parts: dictionary: name → keras.Model, as ``models.segments`` returns it.
        images: float32, shape (batch, …).

    Returns:
        float32 array, shape (batch, classes): the logits.
    """
    first = next(iter(parts.values()))
    x = tf.constant(Images().check("images", images, {"model": first}))
    for part in parts.values():
        x = compiled(part)(tf.cast(x, part.input.dtype))
    return x.numpy()


@checked(parts=PARTS)
def without_branch(parts, name):
    """Take the branch out of one block, so that only its shortcut is left (Veit 2016, Section 4.1).

    A block that keeps the shape then gives out its input unchanged. A plain block has no shortcut:
    where it changes the shape, a padded one takes its place.

    Args:
        parts: dictionary of segments.
        name: a block's name, as in ``"stage1_block2"``.

    Returns:
        dictionary of segments, with another part of that name.

    Raises:
        ValueError: there is no such block.
    """
    OneOf(*exchangeable(parts)).check("name", name)
    block = parts[name]
    carried = block.input
    layers = {layer.name.removeprefix(f"{name}_"): layer for layer in block.layers}
    if "add" not in layers:
        before, after = block.input_shape, block.output_shape
        stride = before[1] // after[1] if len(before) == 4 else 1
        carried = PaddedShortcut(after[-1], stride)(carried)
    for piece in ("shortcut", "shortcut_norm"):
        if piece in layers:
            carried = layers[piece](carried)
    return parts | {name: keras.Model(block.input, ops.relu(carried), name=name)}


@checked(parts=PARTS)
def reordered(parts, order):
    """Give blocks another order among the places that they hold together.

    Args:
        parts: dictionary of segments.
        order: list of names of blocks; the first takes the place of whichever comes first now.

    Returns:
        dictionary of segments, with the same parts in another order.

    Raises:
        TypeError, ValueError: a name is unknown or comes twice, or two blocks cannot change
            places, since one of them changes the shape.
    """
    kinds = exchangeable(parts)
    NamesIn(*kinds).check("order", order)
    if len({kinds[name] for name in order}) > 1:
        raise ValueError(
            f"order must hold blocks that keep one shape, or a single block. Received: {order!r}"
        )
    following = iter(order)
    names = [next(following) if name in order else name for name in parts]
    return {name: parts[name] for name in names}


@checked(parts=PARTS)
def exchangeable(parts):
    """Tell which blocks can change places: those that take and give the same shape.

    Args:
        parts: dictionary of segments.

    Returns:
        dictionary: block's name → what it takes and gives, a pair of shapes of one image where the
        two differ, else the one shape. Blocks with the same entry can change places.
    """
    shapes = {
        name: (part.input_shape[1:], part.output_shape[1:])
        for name, part in parts.items()
        if name not in ("stem", "head")
    }
    return {name: pair[0] if pair[0] == pair[1] else pair for name, pair in shapes.items()}
