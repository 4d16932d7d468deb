"""Checks of lesson 02: right answers in several styles pass, each wrong one gets its message."""

import numpy as np
import tensorflow as tf
from answers import right_answers_pass, wrong_answers_get_their_message

from resnet_lesson import checks


def relu(x):
    return np.maximum(x, 0)


def with_tensorflow(x, W1, W2):
    return tf.nn.relu(tf.linalg.matvec(W2, tf.nn.relu(tf.linalg.matvec(W1, x))) + x)


def with_loops(x, W1, W2):
    hidden = [max(sum(w * v for w, v in zip(row, x, strict=True)), 0) for row in W1]
    branch = [sum(w * h for w, h in zip(row, hidden, strict=True)) for row in W2]
    return [max(f + v, 0) for f, v in zip(branch, x, strict=True)]


def masks(x, W1, W2):
    inner = (W1 @ x > 0).astype(float)
    outer = (W2 @ relu(W1 @ x) + x > 0).astype(float)
    return inner, outer


def jacobian(x, W1, W2):
    inner, outer = masks(x, W1, W2)
    return np.diag(outer) @ (np.eye(len(x)) + W2 @ np.diag(inner) @ W1)


def by_tape(x, W1, W2):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = with_tensorflow(x, W1, W2)
    return tape.jacobian(y, x)


def random_start(n, seed):
    return np.random.default_rng(seed).normal(size=(n, n)), np.zeros((n, n))


RIGHT = [
    (checks.residual_of, lambda H: lambda x: H(x) - x),
    (checks.residual_of, lambda H: lambda x: tf.subtract(H(x), x)),
    (checks.residual_block, lambda x, W1, W2: relu(W2 @ relu(W1 @ x) + x)),
    (checks.residual_block, with_tensorflow),
    (checks.residual_block, with_loops),
    (checks.block_gradient, jacobian),
    (checks.block_gradient, by_tape),
    (checks.gain, lambda lam, g, blocks: (lam**2 + g**2) ** (blocks / 2)),
    (checks.gain, lambda lam, g, blocks: np.prod([np.hypot(lam, g)] * blocks)),
    (checks.harmless_start, random_start),
    (checks.harmless_start, lambda n, seed: (tf.eye(n), tf.zeros((n, n)))),
]
WRONG = [
    (checks.residual_of, lambda H: lambda x: x - H(x), "sign is the other way"),
    (checks.residual_of, lambda H: H, "this is H itself"),
    (checks.residual_of, lambda H: lambda x: H(x) + x, "x is added"),
    (checks.residual_of, lambda H: H(np.ones(3)) - 1, "return a function"),
    (checks.residual_block, lambda x, W1, W2: relu(W2 @ relu(W1 @ x)), "the shortcut is missing"),
    (checks.residual_block, lambda x, W1, W2: W2 @ relu(W1 @ x) + x, "last ReLU is missing"),
    (checks.residual_block, lambda x, W1, W2: relu(W2 @ relu(W1 @ x)) + x, "before the addition"),
    (checks.residual_block, lambda x, W1, W2: relu(relu(W2 @ relu(W1 @ x)) + x), "one after it"),
    (checks.residual_block, lambda x, W1, W2: relu(W2 @ W1 @ x + x), "between its two layers"),
    (checks.residual_block, lambda x, W1, W2: relu(W2 @ relu(W1 @ x) - x), "x is subtracted"),
    (checks.residual_block, lambda x, W1, W2: relu(x), "not ReLU(W2 ReLU(W1 x) + x)"),
    (checks.residual_block, lambda x, W1, W2: relu(x)[:, None], "should have the shape"),
    (checks.block_gradient, lambda x, W1, W2: masks(x, W1, W2)[1][:, None] * (
        (W2 * masks(x, W1, W2)[0]) @ W1), "the identity matrix is missing"),
    (checks.block_gradient, lambda x, W1, W2: np.eye(len(x)) + (W2 * masks(x, W1, W2)[0]) @ W1,
     "the last ReLU is missing"),
    (checks.block_gradient, lambda x, W1, W2: jacobian(x, W1, W2).T, "this is the transpose"),
    (checks.block_gradient, lambda x, W1, W2: masks(x, W1, W2)[1][:, None] * (
        np.eye(len(x)) + W2 @ W1), "the ReLU inside the branch"),
    (checks.block_gradient, lambda x, W1, W2: np.eye(len(x)) + masks(x, W1, W2)[1][:, None] * (
        (W2 * masks(x, W1, W2)[0]) @ W1), "cuts the shortcut as well"),
    (checks.block_gradient, lambda x, W1, W2: (
        np.eye(len(x)) + (W2 * masks(x, W1, W2)[0]) @ W1) * masks(x, W1, W2)[1],
     "these are columns"),
    (checks.block_gradient, lambda x, W1, W2: W2 @ W1, "by central differences"),
    (checks.gain, lambda lam, g, blocks: lam**blocks, "the line alone"),
    (checks.gain, lambda lam, g, blocks: (lam**2 + g**2) ** blocks, "the root is missing"),
    (checks.gain, lambda lam, g, blocks: (lam + g) ** blocks, "their squares do"),
    (checks.gain, lambda lam, g, blocks: (lam**2 + g**2) ** 0.5, "that is one block"),
    (checks.gain, lambda lam, g, blocks: 0.0, "is not the gain"),
    (checks.harmless_start, lambda n, seed: (np.zeros((n, n)),) * 2, "stays it for ever"),
    (checks.harmless_start, lambda n, seed: (np.zeros((n, n)), np.eye(n)), "no hidden unit"),
    (checks.harmless_start, lambda n, seed: (np.eye(n), np.eye(n)), "changes its input"),
    (checks.harmless_start, lambda n, seed: np.eye(n), "return two matrices"),
]  # fmt: skip


test_right, test_wrong = right_answers_pass(RIGHT), wrong_answers_get_their_message(WRONG)
