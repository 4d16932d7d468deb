"""The blocks once more, in plain NumPy loops: slow, and independent of Keras."""

import numpy as np


def conv2d(x, kernel, stride=1, bias=0):
    """Convolve with zero padding "same", as TensorFlow places it.

    x: (batch, height, width, c), kernel: (k, k, c, c'); returns (batch, ⌈h/s⌉, ⌈w/s⌉, c').
    """
    k, size = len(kernel), np.array(x.shape[1:3])
    out = -(-size // stride)
    padding = np.maximum((out - 1) * stride + k - size, 0)
    # An odd pixel of padding goes to the bottom and to the right.
    before, after = padding // 2, padding - padding // 2
    padded = np.pad(x, [(0, 0), *zip(before, after, strict=True), (0, 0)])
    y = np.zeros((len(x), *out, kernel.shape[3]), dtype=x.dtype)
    for row, column in np.ndindex(*out):
        top, left = row * stride, column * stride
        patch = padded[:, top : top + k, left : left + k]
        y[:, row, column] = np.einsum("bijc,ijcd->bd", patch, kernel)
    return y + bias


def batch_norm(x, gamma, beta, mean, variance, epsilon=1e-5):
    """Normalise each channel with given statistics, then scale and shift."""
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def relu(x):
    return np.where(x > 0, x, 0)


def pad_shortcut(x, filters, stride):
    x = x[:, ::stride, ::stride] if x.ndim == 4 else x
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, filters - x.shape[-1])])


class Layers:
    """The layers of a block or network, computed from the values of its weights.

    weights: path without the block's name, as in ``"conv1/kernel"`` → array.
    training: whether normalisation uses the batch's own mean and variance.
    """

    def __init__(self, weights, training=False):
        self.weights, self.training = weights, training

    def weigh(self, x, name, stride=1):
        kernel, bias = self.weights[f"{name}/kernel"], self.weights.get(f"{name}/bias", 0)
        return x @ kernel + bias if kernel.ndim == 2 else conv2d(x, kernel, stride, bias)

    def norm(self, x, name):
        """Normalise, where there is such a layer."""
        if f"{name}/gamma" not in self.weights:
            return x
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        gamma, beta, mean, variance = (self.weights[f"{name}/{part}"] for part in parts)
        if self.training:
            axes = tuple(range(x.ndim - 1))
            mean, variance = x.mean(axes), x.var(axes)
        return batch_norm(x, gamma, beta, mean, variance)


def block(layer, x, training):
    """Compute a block's output from its configuration and its weights' values."""
    start = f"{layer.name}/{layer.name}_"
    own = Layers({w.path.removeprefix(start): w.numpy() for w in layer.weights}, training)
    strided = getattr(layer, "stride_on", "conv1")
    names = sorted(path.split("/")[0] for path in own.weights if "kernel" in path)
    names = [name for name in names if name != "shortcut"]
    y = x
    for i, name in enumerate(names, start=1):
        y = own.norm(own.weigh(y, name, layer.stride if name == strided else 1), f"norm{i}")
        y = relu(y) if i < len(names) else y
    if layer.shortcut == "identity":
        y = y + x
    elif layer.shortcut == "padded":
        y = y + pad_shortcut(x, layer.filters[-1], layer.stride)
    elif layer.shortcut == "projection":
        y = y + own.norm(own.weigh(x, "shortcut", layer.stride), "shortcut_norm")
    return relu(y)
