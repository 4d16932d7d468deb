"""Paths: the gradient of a residual network, taken apart by the blocks that it passes through.

Backwards, a residual block adds two gradients: one comes through the branch, one through the
shortcut. So the gradient behind n blocks is a sum over 2ⁿ paths, each of which takes either way at
each block. The length of a path is the number of branches on it.

References
    Veit, Wilber, Belongie 2016: Residual Networks Behave Like Ensembles of Relatively Shallow
        Networks, NIPS (arXiv:1605.06431), Sections 3 and 5.
"""

import re

import numpy as np
import tensorflow as tf

from resnet_lesson.diagnostics.gradients import LABELLED
from resnet_lesson.diagnostics.modes import kept_averages
from resnet_lesson.models import segments
from resnet_lesson.plumbing.constraints import TRUTH, ListOf, checked
from resnet_lesson.training import batch_loss


@checked(**LABELLED)
def gradients_by_length(model, images, labels):
    """Split the gradient at the stem's output by the lengths of the paths that it comes on.

    The loss is the mean cross-entropy of the batch; normalisation uses the batch's own mean and
    variance. Nothing is sampled: one pass backwards keeps a gradient for each length.

    Args:
        model: a residual network of ``resnet_lesson.models`` with n blocks.
        images: float32, shape (batch, …).
        labels: integers, shape (batch,).

    Returns:
        float32 array, shape (n + 1, batch, …): at k, the sum over all paths through k branches of
        the gradient in nats per unit of the stem's output. The sum over k is the whole gradient.

    Raises:
        TypeError, ValueError: a block of the model has no shortcut, or an argument is unusable.
    """
    last, blocks = _backwards(model, images, labels)
    flows = [last]
    for through_branch, through_shortcut in reversed(blocks):
        by_shortcut = [through_shortcut(flow) for flow in flows]
        by_branch = [through_branch(flow) for flow in flows]
        middle = [a + b for a, b in zip(by_shortcut[1:], by_branch[:-1], strict=True)]
        flows = [by_shortcut[0], *middle, by_branch[-1]]
    return np.array(flows)


@checked(**LABELLED, paths=ListOf(ListOf(TRUTH)))
def path_gradients(model, images, labels, paths):
    """Compute the gradient at the stem's output that comes on single paths.

    Forwards, the whole network runs. Backwards, the gradient passes the branch or the shortcut of
    each block, but not both (Veit 2016, Section 5).

    Args:
        model, images, labels: as in ``gradients_by_length``.
        paths: list of paths; each has n truth values in the order of the blocks: True for the
            branch, False for the shortcut.

    Returns:
        float32 array, shape (paths, batch, …), in nats per unit of the stem's output.

    Raises:
        TypeError, ValueError: a path has not one value for each block, a block has no shortcut, or
            an argument is unusable.
    """
    last, blocks = _backwards(model, images, labels)
    flows = []
    for path in paths:
        flow = last
        ways = zip(reversed(blocks), reversed(path), strict=True)
        for (through_branch, through_shortcut), branch in ways:
            flow = through_branch(flow) if branch else through_shortcut(flow)
        flows.append(flow)
    return np.array(flows)


def _backwards(model, images, labels):
    """Run forwards; return the gradient behind the last block, and two functions for each block.

    Each function takes the gradient at the block's output to that at its input, one through the
    branch, one through the shortcut; both include the ReLU after the addition.
    """
    parts = segments(model)
    blocks = []
    with kept_averages(model):
        x = parts.pop("stem")(images, training=True)
        head = parts.pop("head")
        for name, part in parts.items():
            x, ways = _block(name, part, x)
            blocks.append(ways)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = batch_loss(head(x, training=True), labels)
        return tape.gradient(loss, x), blocks


def _block(name, part, x):
    """Run one block; return its output and its two ways back."""
    layers = {layer.name.removeprefix(f"{name}_"): layer for layer in part.layers}
    if "add" not in layers:
        raise ValueError(f"model must have a shortcut in each block. Received: none in {name}")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        branch = carried = x
        for piece, layer in layers.items():
            if piece.startswith("shortcut"):
                carried = layer(carried, training=True)
            elif re.fullmatch(r"(conv|dense|norm|relu)\d+", piece):
                branch = layer(branch, training=True)
    total = branch + carried
    positive = tf.cast(total > 0, total.dtype)

    def way(through):
        # Where nothing is carried on, as in a branch whose last γ is zero, there is no gradient.
        return lambda flow: tape.gradient(
            through, x, flow * positive, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )

    return tf.nn.relu(total), (way(branch), way(carried))
