"""Checks of the exercises to lesson 02, residual learning."""

import numpy as np

from resnet_lesson.checks.answers import as_array, as_parts, call, require
from resnet_lesson.checks.core import check, check_values, drawn


def _residual(answer, name, H, x):
    """Return F(x) of the F that the reader makes for H."""
    F = call(answer, H)
    require(callable(F), "return a function of x; this returns numbers")
    return call(F, x)


FUNCTIONS = {"2x": lambda x: 2 * x, "x": lambda x: 1 * x, "x² + 1": lambda x: x**2 + 1}
CASES = [(name, H, *drawn(0, (2, 3))) for name, H in FUNCTIONS.items()]


@check_values("02", "F(x)", CASES, 1e-4, _residual)
def residual_of(name, H, x):
    """``answer(H)`` → the function F with F(x) = H(x) − x."""
    yield "F(x) + x is H(x), whatever H is", H(x) - x
    yield "the sign is the other way round: F(x) + x should give H(x)", x - H(x)
    yield "this is H itself; the shortcut adds x, so F must leave it out", H(x)
    yield "x is added; the shortcut adds it already, so F takes it away", H(x) + x
    yield "for H(x) = {name}, F(x) + x is not H(x)"


def _block(n, inner, seed):
    """Draw x, W1 and W2 of a block of n units, with so many inside."""
    return drawn(seed, (n,), (inner, n), (n, inner))


def _relu(x):
    return np.maximum(x, 0)


@check_values("02", "the output", [_block(12, 12, 0), _block(5, 3, 1), _block(2, 6, 2)], 1e-4)
def residual_block(x, W1, W2):
    """``answer(x, W1, W2)`` → ReLU(W2 ReLU(W1 x) + x), for a vector x."""
    F = W2 @ _relu(W1 @ x)
    both = _relu(_relu(F) + x)
    yield "branch, addition, ReLU, in that order", _relu(F + x)
    yield "the branch alone; the shortcut is missing", _relu(F)
    yield "the last ReLU is missing", F + x
    yield "the ReLU comes before the addition; it belongs after it", _relu(F) + x
    yield "a ReLU before the addition and one after it: the first one does not belong there", both
    yield "the branch needs a ReLU between its two layers", _relu(W2 @ W1 @ x + x)
    yield "x is subtracted", _relu(F - x)
    yield "the numbers are not ReLU(W2 ReLU(W1 x) + x)"


@check_values("02", "the gradient", [_block(4, 4, 3), _block(5, 3, 4), _block(3, 6, 6)], 1e-4)
def block_gradient(x, W1, W2):
    """``answer(x, W1, W2)`` → the Jacobian of the block above, shape (n, n)."""
    inner = (W1 @ x > 0).astype(float)
    outer = (W2 @ _relu(W1 @ x) + x > 0).astype(float)[:, None]
    J, eye = (W2 * inner) @ W1, np.eye(len(x))
    right, columns = outer * (eye + J), outer.T * (eye + J)
    linear = outer * (eye + W2 @ W1)
    yield "the mask of the last ReLU, times I plus the branch's gradient", right
    yield "the identity matrix is missing: the shortcut has a slope too", outer * J
    yield "the last ReLU is missing: rows whose sum is negative are zero", eye + J
    yield "this is the transpose: row i is the slope of output i", right.T
    yield "the ReLU inside the branch is missing: units that are off pass nothing", linear
    yield "the last ReLU cuts the branch only; it cuts the shortcut as well", eye + outer * J
    yield "the last ReLU cuts outputs, so it zeroes rows, and these are columns", columns
    yield "the numbers differ from the gradient by central differences"


GAINS = [(0.5, 0.1, 1), (1.0, 0.3, 30), (0.9, 0.0, 10), (1.1, 0.2, 3)]


@check_values("02", "the gain", GAINS, tolerance=1e-9)
def gain(lam, g, blocks):
    """``answer(lam, g, blocks)`` → what that many blocks multiply a gradient by, about."""
    squares = lam**2 + g**2
    yield "λ² and g² add up in each block", squares ** (blocks / 2)
    yield "that is the line alone; the branches add their share", lam**blocks
    yield "the root is missing: squares add up, lengths do not", squares**blocks
    yield "lengths do not add up here, their squares do", (lam + g) ** blocks
    yield "that is one block", squares**0.5
    yield "λ = {lam}, g = {g}, {blocks} blocks: {found:.4g} is not the gain"


@check("02")
def harmless_start(answer):
    """``answer(n, seed)`` → (W1, W2), such that the block is the identity and can learn."""
    for n, seed in ((4, 0), (6, 1)):
        W1, W2 = as_parts(call(answer, n, seed), 2, "return two matrices, W1 and W2")
        W1, W2 = as_array(W1, "W1", (n, n)), as_array(W2, "W2", (n, n))
        x = np.random.default_rng(seed).random((32, n))
        hidden = _relu(x @ W1.T)
        unchanged = np.array_equal(_relu(hidden @ W2.T + x), x)
        require(unchanged, "the block changes its input at the start")
        # dL/dW2 is an outer product with the hidden units, dL/dW1 passes W2.
        stuck = "with W2 = 0 and no hidden unit on, both gradients are 0, and it stays so for ever"
        require(hidden.any() or W2.any(), stuck)
        require(hidden.any(), "no hidden unit is ever on, so no weight gets a gradient")
    return "W2 = 0 makes it the identity, and a random W1 lets it learn"
