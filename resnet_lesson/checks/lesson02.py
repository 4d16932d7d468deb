"""Checks of the exercises to lesson 02, residual learning."""

import numpy as np

from resnet_lesson.checks.core import NotYet, array, call, check, close, differ, number


@check("02")
def residual_of(answer):
    """``answer(H)`` → the function F with F(x) = H(x) − x."""
    functions = {"2x": lambda x: 2 * x, "x": lambda x: 1 * x, "x² + 1": lambda x: x**2 + 1}
    for name, H in functions.items():
        x = np.random.default_rng(0).normal(size=(2, 3))
        F = call(answer, H)
        if not callable(F):
            raise NotYet("return a function of x; this returns numbers")
        found = array(call(F, x), "F(x)", x.shape)
        if close(found, H(x) - x):
            continue
        if close(found, x - H(x)):
            raise NotYet("the sign is the other way round: F(x) + x should give H(x)")
        if close(found, H(x)):
            raise NotYet("this is H itself; the shortcut adds x, so F must leave it out")
        if close(found, H(x) + x):
            raise NotYet("x is added; the shortcut adds it already, so F takes it away")
        raise NotYet(f"for H(x) = {name}, F(x) + x is not H(x)")
    return "F(x) + x is H(x), whatever H is"


@check("02")
def residual_block(answer):
    """``answer(x, W1, W2)`` → ReLU(W2 ReLU(W1 x) + x), for a vector x."""
    for n, inner, seed in ((12, 12, 0), (5, 3, 1), (2, 6, 2)):
        random = np.random.default_rng(seed)
        x, W1, W2 = (random.normal(size=s) for s in ((n,), (inner, n), (n, inner)))
        found = array(call(answer, x.copy(), W1.copy(), W2.copy()), "the output", (n,))
        F = W2 @ _relu(W1 @ x)
        if close(found, _relu(F + x)):
            continue
        mistakes = {
            "the branch alone; the shortcut is missing": _relu(F),
            "the last ReLU is missing": F + x,
            "the ReLU comes before the addition; it belongs after it": _relu(F) + x,
            "a ReLU before the addition and one after it: the first one does not belong there":
                _relu(_relu(F) + x),
            "the branch needs a ReLU between its two layers": _relu(W2 @ W1 @ x + x),
            "x is subtracted": _relu(F - x),
        }  # fmt: skip
        differ(found, mistakes, close)
        raise NotYet("the numbers are not ReLU(W2 ReLU(W1 x) + x)")
    return "branch, addition, ReLU, in that order"


@check("02")
def block_gradient(answer):
    """``answer(x, W1, W2)`` → the Jacobian of the block above, shape (n, n)."""
    for n, inner, seed in ((4, 4, 3), (5, 3, 4), (3, 6, 6)):
        random = np.random.default_rng(seed)
        x, W1, W2 = (random.normal(size=s) for s in ((n,), (inner, n), (n, inner)))
        found = array(call(answer, x.copy(), W1.copy(), W2.copy()), "the gradient", (n, n))
        on = (W1 @ x > 0).astype(float)
        J, eye = (W2 * on) @ W1, np.eye(n)
        outer = (W2 @ _relu(W1 @ x) + x > 0).astype(float)[:, None]
        if close(found, outer * (eye + J)):
            continue
        mistakes = {
            "the identity matrix is missing: the shortcut has a slope too": outer * J,
            "the last ReLU is missing: rows whose sum is negative are zero": eye + J,
            "this is the transpose: row i is the slope of output i": (outer * (eye + J)).T,
            "the ReLU inside the branch is missing: units that are off pass nothing":
                outer * (eye + W2 @ W1),
            "the last ReLU cuts the branch only; it cuts the shortcut as well": eye + outer * J,
            "the last ReLU cuts outputs, so it zeroes rows, and these are columns":
                (eye + J) * outer.T,
        }  # fmt: skip
        differ(found, mistakes, close)
        raise NotYet("the numbers differ from the gradient by central differences")
    return "the mask of the last ReLU, times I plus the branch's gradient"


@check("02")
def gain(answer):
    """``answer(lam, g, blocks)`` → what that many blocks multiply a gradient by, about."""
    for lam, g, blocks in ((0.5, 0.1, 1), (1.0, 0.3, 30), (0.9, 0.0, 10), (1.1, 0.2, 3)):
        found = number(call(answer, lam, g, blocks), "the gain")
        right = (lam**2 + g**2) ** (blocks / 2)
        if np.isclose(found, right, rtol=1e-9):
            continue
        differ(found, {
            "that is the line alone; the branches add their share": lam**blocks,
            "the root is missing: squares add up, lengths do not": (lam**2 + g**2) ** blocks,
            "lengths do not add up here, their squares do": (lam + g) ** blocks,
            "that is one block": (lam**2 + g**2) ** 0.5,
        })  # fmt: skip
        raise NotYet(f"λ = {lam}, g = {g}, {blocks} blocks: {found:.4g} is not the gain")
    return "λ² and g² add up in each block"


@check("02")
def harmless_start(answer):
    """``answer(n, seed)`` → (W1, W2), such that the block is the identity and can learn."""
    for n, seed in ((4, 0), (6, 1)):
        made = call(answer, n, seed)
        if not isinstance(made, (tuple, list)) or len(made) != 2:
            raise NotYet("return two matrices, W1 and W2")
        W1, W2 = array(made[0], "W1", (n, n)), array(made[1], "W2", (n, n))
        x = np.random.default_rng(seed).random((32, n))
        hidden = _relu(x @ W1.T)
        if not np.array_equal(_relu(hidden @ W2.T + x), x):
            raise NotYet("the block changes its input at the start")
        # dL/dW2 is an outer product with the hidden units, dL/dW1 passes W2.
        if not hidden.any():
            raise NotYet(
                "the block starts as the identity and stays it for ever: with W1 = 0 and W2 = 0 "
                "both gradients are zero"
                if not W2.any()
                else "no hidden unit is ever on, so no weight gets a gradient"
            )
    return "W2 = 0 makes it the identity, and a random W1 lets it learn"


def _relu(x):
    return np.maximum(x, 0)
