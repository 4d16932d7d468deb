"""Checks of the exercises to lesson 02, residual learning."""

import numpy as np

from resnet_lesson.checks.answers import as_array, as_parts, call, require
from resnet_lesson.checks.blocks import block_of, called, variables
from resnet_lesson.checks.core import check, check_values, close, drawn, judge
from resnet_lesson.checks.predictions import judged


def _relu(x):
    return np.maximum(x, 0)


def _dense_block(answer, units, seed):
    """Return what the reader's block of dense layers gives out, with weights drawn for it."""
    block = block_of(answer, units)
    x = drawn(seed, (8, units))[0].astype("float32")
    called(block, x)  # some blocks make their weights only now
    kernels = [v for v in variables(block) if v.shape == (units, units)]
    found = f"two kernels of {units} × {units} were expected, this block has {len(kernels)}"
    require(len(kernels) == 2, found)
    for kernel, value in zip(kernels, drawn(seed + 1, *2 * [(units, units)]), strict=True):
        kernel.assign(value.astype("float32"))
    return called(block, x)


@check_values("02", "the block's output", [(5, 0), (3, 2)], 1e-4, _dense_block)
def mended_block(units, seed):
    """``answer(units)`` → a block of dense layers, repaired: ReLU(W2 ReLU(W1 x) + x)."""
    x, (A, B) = drawn(seed, (8, units))[0], drawn(seed + 1, *2 * [(units, units)])
    hidden = _relu(x @ A)
    F = hidden @ B
    yield "the shortcut spans both layers", _relu(F + x)
    yield "the shortcut still begins after the first layer", _relu(F + hidden)
    yield "the shortcut begins after the first layer's product", _relu(F + x @ A)
    yield "there is no shortcut any more", _relu(F)
    yield "the last ReLU is missing", F + x
    yield "the last ReLU belongs after the addition, not before", _relu(F) + x
    yield "the ReLU before the addition does not belong there", _relu(_relu(F) + x)
    yield "the ReLU between the two layers is missing", _relu(x @ A @ B + x)
    yield "x is added, and what the first layer gives is added, too", _relu(F + x + hidden)
    yield "the shortcut goes around the first layer alone", _relu((hidden + x) @ B)
    yield "the shortcut has a ReLU of its own; x should go on as it is", _relu(F + _relu(x))
    yield "this is half of the sum: add, do not average", _relu((F + x) / 2)
    yield "F(x) and x are multiplied; add them", _relu(F * x)
    yield "x is subtracted", _relu(F - x)
    yield "the output is not ReLU(F(x) + x) with the two layers in their order"


def _batch(count, n, inner, seed):
    """Draw x, W1, W2 and a gradient by the output."""
    return drawn(seed, (count, n), (n, inner), (inner, n), (count, n))


BATCHES = [_batch(6, 4, 5, 3), _batch(1, 3, 2, 4), _batch(5, 2, 7, 5)]


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


def _gradients(x, W1, W2, flow):
    """Return what each gradient is, and what known mistakes make of it."""
    inner, hidden = (x @ W1 > 0), _relu(x @ W1)
    z = hidden @ W2 + x

    def both_ways(at_sum):
        return at_sum @ W2.T * inner @ W1.T + at_sum

    at_sum = flow * (z > 0)
    at_hidden, without_inner = at_sum @ W2.T * inner, at_sum @ W2.T
    without_outer = flow @ W2.T * inner
    last = "the last ReLU is missing: where it gave 0, nothing flows back"
    mask = "the last ReLU is open where z is positive, and z has x in it"
    branch = "the ReLU inside the branch is missing: units that are off pass nothing"
    means = "the gradient by a weight is the sum over the rows of the batch, this is the mean"
    return {
        "dx": [
            ("both ways", both_ways(at_sum)),
            (mask, both_ways(flow * (hidden @ W2 > 0))),
            ("not a negative flow is cut, but a negative z", both_ways(_relu(flow))),
            ("the shortcut's part is counted twice", at_hidden @ W1.T + 2 * at_sum),
            ("dx lacks the shortcut's part: x reaches the sum as it is, too", at_hidden @ W1.T),
            ("dx lacks the branch's part", at_sum),
            ("the last ReLU cuts what flows along the shortcut, too", at_hidden @ W1.T + flow),
            (last, without_outer @ W1.T + flow),
            (branch, without_inner @ W1.T + at_sum),
            (f"{last}; so is the one inside", flow @ W2.T @ W1.T + flow),
            ("the last ReLU cuts what flows into the branch, too", without_outer @ W1.T + at_sum),
            ("the sign of dx is the other way round", -both_ways(at_sum)),
            ("the shortcut hands on what flows back, not x", at_hidden @ W1.T + x),
            ("the shortcut hands on what flows back, not ones", at_hidden @ W1.T + 1),
            ("the shortcut's part is subtracted; add it", at_hidden @ W1.T - at_sum),
            (
                "dx is for each row; here it is divided by their number",
                both_ways(at_sum) / len(x),
            ),
            ("`flow` is not used", both_ways(1.0 * (z > 0))),
            ("a mask is 0 or 1; this multiplies by z itself", both_ways(flow * _relu(z))),
            "dx is not the gradient by x: central differences give something else",
        ],
        "dW1": [
            ("what goes in, times what flows back", x.T @ at_hidden),
            (last, x.T @ without_outer),
            (branch, x.T @ without_inner),
            (means, x.T @ at_hidden / len(x)),
            "dW1 is not the gradient by W1: central differences give something else",
        ],
        "dW2": [
            ("what goes in, times what flows back", hidden.T @ at_sum),
            (last, hidden.T @ flow),
            ("what W2 gets has passed a ReLU", (x @ W1).T @ at_sum),
            (means, hidden.T @ at_sum / len(x)),
            "dW2 is not the gradient by W2: central differences give something else",
        ],
    }


@check("02")
def harmless_start(answer):
    """``answer(n, seed)`` → (W1, W2), such that the block is the identity and can learn."""
    for n, seed in ((4, 0), (6, 1)):
        W1, W2 = as_parts(call(answer, n, seed), 2, "return two matrices, W1 and W2")
        W1, W2 = as_array(W1, "W1", (n, n)), as_array(W2, "W2", (n, n))
        x = np.vstack([np.random.default_rng(seed).random((512, n)), np.eye(n)])
        hidden = _relu(x @ W1)
        unchanged = close(_relu(hidden @ W2 + x), x, 1e-6)
        require(unchanged, "the block changes its input at the start")
        # dL/dW2 is a product with the hidden units, dL/dW1 passes W2.
        stuck = "with W2 = 0 and no hidden unit on, both gradients are 0, and it stays so for ever"
        require(hidden.any() or W2.any(), stuck)
        require(hidden.any(), "no hidden unit is ever on, so no weight gets a gradient")
    return "a branch of zero makes it the identity, and what is on inside lets it learn"


@check("02")
def shortcut_prediction(answer):
    """``answer``: (prediction, losses with shortcuts, losses without)."""
    return judged(answer)
