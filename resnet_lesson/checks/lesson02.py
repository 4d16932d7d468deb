"""Checks of the exercises for lesson 02, residual learning."""

import keras
import numpy as np

from resnet_lesson.checks.answers import NotYet, as_array, as_parts, call, require
from resnet_lesson.checks.blocks import (
    TWO_LAYERS,
    all_mistakes,
    block_of,
    called,
    computed,
    variables,
)
from resnet_lesson.checks.core import check, check_values, close, drawn, judge
from resnet_lesson.checks.predictions import judged


def _relu(x):
    return np.maximum(x, 0)


def _dense_block(answer, units, seed):
    """Return what the reader's block of dense layers gives out, with weights drawn for it."""
    block = block_of(answer, units)
    x, values = _drawn(units, seed)
    called(block, x)  # some blocks make their weights only now
    kernels = [v for v in variables(block) if v.shape == (units, units)]
    found = f"two kernels of {units} × {units} were expected, this block has {len(kernels)}"
    require(len(kernels) == 2, found)
    for kernel, value in zip(kernels, values, strict=True):
        kernel.assign(value)
    output = as_array(called(block, x))
    if isinstance(block, keras.layers.Layer):
        same = close(as_array(block(x, training=True)), output)
        require(
            same,
            "in training it gives something else: is there a dropout or a normalisation in it?",
        )
    return output


def _drawn(units, seed):
    """Draw inputs of a block of dense layers, some of them large, and two kernels."""
    x, *kernels = drawn(seed, (8, units), (units, units), (units, units))
    return 4 * x.astype("float32"), [kernel.astype("float32") for kernel in kernels]


@check_values("02", "the block's output", [(5, 0), (3, 2)], 1e-4, _dense_block)
def mended_block(units, seed):
    """``answer(units)`` → a block of dense layers, repaired: ReLU(W2 ReLU(W1 x) + x)."""
    x, kernels = _drawn(units, seed)
    hidden = _relu(x @ kernels[0])
    F, pixels = hidden @ kernels[1], [kernel[None, None] for kernel in kernels]

    def of(order):
        return computed(order, x[:, None, None], pixels)[:, 0, 0]

    yield "the shortcut spans both layers", of(TWO_LAYERS)
    still = _relu(F + hidden)
    yield "the shortcut still begins after the first layer", still
    yield "the shortcut is mended, and the old one is kept as well", _relu(still + x)
    yield "x is added, and what the first layer gives is added, too", _relu(F + x + hidden)
    yield "the shortcut goes around the first layer alone", _relu((hidden + x) @ kernels[1])
    for message, order in all_mistakes(TWO_LAYERS):
        yield message.replace("convolution", "layer"), of(order)
    yield "the output is not ReLU(F(x) + x) with the two layers in their order"


def _batch(count, n, inner, seed):
    """Draw x, W1, W2 and a gradient by the output."""
    return drawn(seed, (count, n), (n, inner), (inner, n), (count, n))


BATCHES = [_batch(6, 4, 5, 3), _batch(1, 3, 2, 4), _batch(5, 2, 7, 5), _batch(4, 3, 3, 6)]


@check("02")
def backward(answer):
    """``answer(x, W1, W2, flow)`` → gradients by x, W1 and W2 of ReLU(ReLU(x W1) W2 + x)."""
    for x, W1, W2, flow in BATCHES:
        given = [array.copy() for array in (x, W1, W2, flow)]
        parts = as_parts(called(answer, *given), 3, "return three arrays: dx, dW1 and dW2")
        whole = all(map(np.array_equal, given, (x, W1, W2, flow)))
        require(whole, "an array that was given is changed; leave them as they are")
        meanings = _gradients(x, W1, W2, flow)
        for value, (name, meaning) in zip(parts, meanings.items(), strict=True):
            judge(value, name, meaning, 1e-4)
    return "through the branch and through the shortcut, added up"


NO_LAST = "the last ReLU is missing: where it gave 0, nothing flows back"
NO_INNER = "the ReLU inside the branch is missing: units that are off pass nothing"


def _gradients(x, W1, W2, flow):
    """Return what each gradient is, and what known mistakes make of it."""
    inner, hidden = (x @ W1 > 0), _relu(x @ W1)
    at_sum = flow * (hidden @ W2 + x > 0)
    at_hidden, without_inner = at_sum @ W2.T * inner, at_sum @ W2.T
    means = "the gradient by a weight is the sum over the rows of the batch, this is the mean"
    return {
        "dx": _by_x(x, W1, W2, flow),
        "dW1": [
            ("what goes in, times what flows back", x.T @ at_hidden),
            (NO_LAST, x.T @ (flow @ W2.T * inner)),
            (NO_INNER, x.T @ without_inner),
            (means, x.T @ at_hidden / len(x)),
            ("what W1 gets is x as it is, without a ReLU", _relu(x).T @ at_hidden),
            ("this is the last row's part alone: add the rows up", x[-1:].T @ at_hidden[-1:]),
            "dW1 is not the gradient by W1: central differences give something else",
        ],
        "dW2": [
            ("what goes in, times what flows back", hidden.T @ at_sum),
            (NO_LAST, hidden.T @ flow),
            ("what W2 gets has passed a ReLU", (x @ W1).T @ at_sum),
            (means, hidden.T @ at_sum / len(x)),
            "dW2 is not the gradient by W2: central differences give something else",
        ],
    }


def _by_x(x, W1, W2, flow):
    """Yield what the gradient by x is, and what known mistakes make of it."""
    inner, hidden = (x @ W1 > 0), _relu(x @ W1)
    z = hidden @ W2 + x

    def both_ways(at_sum):
        return at_sum @ W2.T * inner @ W1.T + at_sum

    def with_slopes(of):
        at_sum = flow * of(z)
        return at_sum @ W2.T * of(x @ W1) @ W1.T + at_sum

    at_sum = flow * (z > 0)
    by_branch, late = at_sum @ W2.T * inner @ W1.T, flow @ W2.T * inner @ W1.T
    yield "both ways", both_ways(at_sum)
    mask = "the last ReLU is open where z is positive, and z has x in it"
    yield mask, both_ways(flow * (hidden @ W2 > 0))
    yield "not a negative flow is cut, but a negative z", both_ways(_relu(flow))
    yield "the shortcut's part is counted twice", by_branch + 2 * at_sum
    yield "dx lacks the shortcut's part: x reaches the sum as it is, too", by_branch
    yield "dx lacks the branch's part", at_sum
    yield "the last ReLU cuts what flows along the shortcut, too", by_branch + flow
    yield NO_LAST, late + flow
    yield NO_INNER, at_sum @ W2.T @ W1.T + at_sum
    yield f"{NO_LAST}; so is the one inside", flow @ W2.T @ W1.T + flow
    yield "the last ReLU cuts what flows into the branch, too", late + at_sum
    yield "the sign of dx is the other way round", -both_ways(at_sum)
    yield "the shortcut hands on what flows back, not x", by_branch + x
    yield "the shortcut hands on what flows back, not ones", by_branch + 1
    yield "the shortcut's part is subtracted; add it", by_branch - at_sum
    yield "dx is for each row; here it is divided by their number", both_ways(at_sum) / len(x)
    yield "`flow` is not used", both_ways(1.0 * (z > 0))
    yield "a mask is 0 or 1; this multiplies by z itself", both_ways(flow * _relu(z))
    yield "a mask is 0 or 1; this multiplies by the values themselves", with_slopes(_relu)
    yield "a ReLU that is off passes 0 on, not −1", both_ways(flow * np.sign(z))
    yield "the masks are the wrong way round", with_slopes(lambda y: y < 0)
    guided = _relu(_relu(flow) @ W2.T) @ W1.T + _relu(flow)
    yield "what flows back is not cut by its own sign, but by that of z", guided
    if W1.shape == W2.shape:
        turned = (at_sum @ W2 * inner) @ W1.T + at_sum
        yield "on the way back each matrix is transposed; W2 is not", turned
    yield "W1 stands where W2, transposed, belongs", (at_sum @ W1 * inner) @ W2 + at_sum
    through_x = both_ways(at_sum) * (x > 0)
    yield "x has no ReLU of its own, so nothing is cut where x is negative", through_x
    yield "dx is not the gradient by x: central differences give something else"


@check("02")
def harmless_start(answer):
    """``answer(n, seed)`` → (W1, W2), such that the block is the identity and can learn."""
    for n, seed in ((4, 0), (6, 1)):
        W1, W2 = as_parts(call(answer, n, seed), 2, "return two matrices, W1 and W2")
        W1, W2 = as_array(W1, "W1", (n, n)), as_array(W2, "W2", (n, n))
        x = np.vstack([np.random.default_rng(seed).random((512, n)), np.eye(n)])
        hidden = _relu(x @ W1)
        if not close(_relu(hidden @ W2 + x), x, 1e-6):
            raise NotYet(_why_it_changes(W1, W2, x, hidden @ W2))
        # dL/dW2 is a product with the hidden units, dL/dW1 passes W2.
        stuck = "with W2 = 0 and no hidden unit on, both gradients are 0, and it stays so for ever"
        require(hidden.any() or W2.any(), stuck)
        require(hidden.any(), "no hidden unit is ever on, so no weight gets a gradient")
    return "a branch of zero makes it the identity, and what is on inside lets it learn"


def _why_it_changes(W1, W2, x, branch):
    """Say what is wrong with a branch that does not give 0 for every x ≥ 0."""
    largest = np.abs(branch).max()
    if np.abs(W1 @ W2).max() < 1e-6:
        return "W1 W2 is zero, but a ReLU stands between the two, so that the branch is not"
    if close(branch, x):
        return "the branch gives x, so that the block gives 2x"
    if close(branch, -x):
        return "the branch gives −x, so that nothing is left of x"
    if largest < 0.3:
        return f"the branch gives up to {largest:.2g}: that is nearly zero, and should be zero"
    rows, columns = (np.flatnonzero(W2.any(axis=axis)).tolist() for axis in (1, 0))
    if min(len(rows), len(columns)) < len(W2):
        return f"in rows {rows} and columns {columns} W2 has other numbers than 0"
    unit = np.flatnonzero(np.abs(branch[-len(W2) :]).max(axis=1) > 1e-6)
    which, found = (unit[0], branch[unit[0] - len(W2)]) if len(unit) else (None, branch[0])
    example = f"where x is 1 at place {which} and 0 elsewhere" if len(unit) else "for one x"
    return f"the branch should give 0 for every x ≥ 0; {example}, it gives {np.round(found, 2)}"


@check("02")
def shortcut_prediction(answer):
    """``answer``: (prediction, losses with shortcuts, losses without)."""
    return judged(answer)
