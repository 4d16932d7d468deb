"""The blocks once more, in plain NumPy loops: slow, and independent of Keras."""

import numpy as np


def conv2d(x, kernel, stride=1, bias=None):
    """Convolve with zero padding "same", as TensorFlow places it.

    x: (batch, height, width, c), kernel: (k, k, c, c'); returns (batch, ⌈h/s⌉, ⌈w/s⌉, c').
    """
    batch, height, width, _ = x.shape
    k = kernel.shape[0]
    out_h, out_w = -(-height // stride), -(-width // stride)
    pad_h = max((out_h - 1) * stride + k - height, 0)
    pad_w = max((out_w - 1) * stride + k - width, 0)
    # An odd pixel of padding goes to the bottom and to the right.
    before_h, before_w = pad_h // 2, pad_w // 2
    padded = np.zeros((batch, height + pad_h, width + pad_w, x.shape[3]), dtype=x.dtype)
    padded[:, before_h : before_h + height, before_w : before_w + width] = x
    y = np.zeros((batch, out_h, out_w, kernel.shape[3]), dtype=x.dtype)
    for row in range(out_h):
        for column in range(out_w):
            top, left = row * stride, column * stride
            patch = padded[:, top : top + k, left : left + k]
            y[:, row, column] = np.einsum("bijc,ijcd->bd", patch, kernel)
    return y if bias is None else y + bias


def batch_norm(x, gamma, beta, mean, variance, epsilon):
    """Normalise each channel with given statistics, then scale and shift."""
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def relu(x):
    return np.where(x > 0, x, 0)


def pad_shortcut(x, filters, stride):
    x = x[:, ::stride, ::stride] if x.ndim == 4 else x
    extra = [(0, 0)] * (x.ndim - 1) + [(0, filters - x.shape[-1])]
    return np.pad(x, extra)


def block(layer, x, training):
    """Compute a block's output from its configuration and its weights' values."""
    value = {w.path.removeprefix(f"{layer.name}/"): w.numpy() for w in layer.weights}

    def weigh(x, name, stride):
        kernel = value[f"{layer.name}_{name}/kernel"]
        bias = value.get(f"{layer.name}_{name}/bias")
        if kernel.ndim == 2:
            return x @ kernel + (0 if bias is None else bias)
        return conv2d(x, kernel, stride, bias)

    def normalise(x, name):
        if not layer.normalisation:
            return x
        parts = {
            p: value[f"{layer.name}_{name}/{p}"]
            for p in ("gamma", "beta", "moving_mean", "moving_variance")
        }
        axes = tuple(range(x.ndim - 1))
        mean = x.mean(axes) if training else parts["moving_mean"]
        variance = x.var(axes) if training else parts["moving_variance"]
        return batch_norm(x, parts["gamma"], parts["beta"], mean, variance, epsilon=1e-5)

    weights = {2: ["conv1", "conv2"], 3: ["conv1", "conv2", "conv3"]}[len(layer.filters)]
    if f"{layer.name}_dense1/kernel" in value:
        weights = ["dense1", "dense2"]
    strided = getattr(layer, "stride_on", "conv1")
    y = x
    for i, name in enumerate(weights, start=1):
        y = normalise(weigh(y, name, layer.stride if name == strided else 1), f"norm{i}")
        if i < len(weights):
            y = relu(y)
    if layer.shortcut == "identity":
        y = y + x
    elif layer.shortcut == "padded":
        y = y + pad_shortcut(x, layer.filters[-1], layer.stride)
    elif layer.shortcut == "projection":
        y = y + normalise(weigh(x, "shortcut", layer.stride), "shortcut_norm")
    return relu(y)
