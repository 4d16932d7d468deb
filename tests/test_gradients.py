"""Gradients against finite differences and closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import IMAGES, LABELS, small

from resnet_lesson.diagnostics import (
    autocorrelation,
    gradient_agreement,
    gradient_norms,
    input_gradients,
    realised_fall,
    set_averages,
)
from resnet_lesson.models import network, reset_weights
from resnet_lesson.training import cross_entropy
from resnet_lesson.variants import variant_network


def test_gradient_norms_against_finite_differences():
    model = network(6, block="dense", widths=(5,), input_shape=(2, 2, 1), classes=3)
    reset_weights(model, 0)
    generator = np.random.default_rng(0)
    images = generator.normal(size=(16, 2, 2, 1)).astype("float32")
    labels = generator.integers(0, 3, size=16)
    before = model.get_weights()
    norms = gradient_norms(model, images, labels)
    assert [*norms][:2] == ["stem_dense", "stage1_block1_dense1"]
    assert list(norms)[-1] == "logits"
    assert len(norms) == 6
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # moving averages too

    logits = tf.function(lambda: model(images, training=True), autograph=False)

    def loss(weights):
        kernel.assign(weights)
        return cross_entropy(logits().numpy(), labels).mean()

    for name in ("stem_dense", "stage1_block1_dense2", "logits"):
        kernel = model.get_layer(name).kernel
        start, step = kernel.numpy(), 1e-2
        slopes = []
        for at in np.ndindex(start.shape):
            move = np.zeros_like(start)
            move[at] = step
            slopes.append((loss(start + move) - loss(start - move)) / (2 * step))
        kernel.assign(start)
        assert norms[name] == pytest.approx(np.linalg.norm(slopes), rel=0.02)


def softmax_regression(seed):
    """Return a model of one dense layer, and a function: images, labels → (loss, gradients)."""
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(4)(inputs))
    reset_weights(model, seed)

    def by_hand(images, labels):
        kernel, bias = model.get_weights()
        logits = images @ kernel + bias
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        errors = (shares - np.eye(4)[labels]) / len(labels)
        return cross_entropy(logits, labels).mean(), (images.T @ errors, errors.sum(axis=0))

    return model, by_hand


def test_gradient_agreement_by_hand():
    generator = np.random.default_rng(1)
    images = generator.normal(size=(12, 3)).astype("float32")
    labels = generator.integers(0, 4, size=12)
    model, by_hand = softmax_regression(0)
    a, b, c = (
        np.concatenate([np.ravel(part) for part in by_hand(images[at], labels[at])[1]])
        for at in (slice(0, 4), slice(4, 8), slice(8, 12))
    )
    cosines = [x @ y / np.sqrt((x @ x) * (y @ y)) for x, y in ((a, b), (a, c), (b, c))]
    found = gradient_agreement(model, images, labels, batches=3)
    assert found == pytest.approx(np.mean(cosines), abs=1e-5)
    twice = np.concatenate([images, images]), np.concatenate([labels, labels])
    assert gradient_agreement(model, *twice, batches=2) == pytest.approx(1, abs=1e-5)


def test_realised_fall_by_hand():
    generator = np.random.default_rng(2)
    (x, y), (other_x, other_y) = (
        (generator.normal(size=(8, 3)).astype("float32"), generator.integers(0, 4, size=8))
        for _ in range(2)
    )
    model, by_hand = softmax_regression(0)
    start = model.get_weights()
    found = realised_fall(model, x, y, other_x, other_y, share=0.5)
    for before, after in zip(start, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)

    (loss, gradients), (other, _) = by_hand(x, y), by_hand(other_x, other_y)
    step = 0.5 * loss / sum(np.sum(gradient**2) for gradient in gradients)
    model.set_weights([w - step * gradient for w, gradient in zip(start, gradients, strict=True)])
    fell = loss - by_hand(x, y)[0], other - by_hand(other_x, other_y)[0]
    assert found == pytest.approx(np.divide(fell, 0.5 * loss), abs=1e-4)


def test_a_short_step_keeps_what_it_promises():
    model = small()
    averages = [variable.numpy() for variable in model.non_trainable_variables]
    own, same = realised_fall(model, IMAGES, LABELS, IMAGES, LABELS, share=1e-3)
    assert own == pytest.approx(1, abs=0.05)
    assert same == own
    for before, after in zip(averages, model.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_block_that_is_left_out_has_a_gradient_of_zero():
    model = variant_network(8, "stochastic depth")
    reset_weights(model, 1)  # with this seed, the first draw leaves the last block out
    batch = np.tile(IMAGES[:, :4, :4], (1, 7, 7, 1)), LABELS
    assert gradient_norms(model, *batch)["stage2_block1_conv1"] == 0
    assert np.isfinite(gradient_agreement(model, *batch))
    assert np.isfinite(realised_fall(model, *batch, *batch)).all()


def test_input_gradients_against_differences():
    model = network(8, block="dense", widths=(20,), input_shape=(1, 1, 1), classes=1)
    reset_weights(model, 0)
    grid = np.linspace(-2, 2, 50, dtype="float32").reshape(-1, 1, 1, 1)
    set_averages(model, grid)
    found = input_gradients(model, grid)
    assert found.shape == grid.shape
    step = 1e-3
    outputs = [np.asarray(model(grid + s * step, training=False))[:, 0] for s in (-1, 1)]
    by_differences = (outputs[1] - outputs[0]) / (2 * step)
    close = np.isclose(found.ravel(), by_differences, rtol=0.02, atol=0.02)
    assert close.mean() > 0.85  # the others have a kink within the step


def test_on_a_gpu_input_gradients_do_without_the_fused_operation(monkeypatch):
    """Its gradient in evaluation mode is refused there under op determinism."""
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: ["a GPU"])
    monkeypatch.delattr(tf.compat.v1.nn, "fused_batch_norm")
    assert np.any(input_gradients(small(), IMAGES))


def test_input_gradients_of_a_linear_model():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    kernel = np.arange(6.0).reshape(3, 2)
    model.set_weights([kernel, np.ones(2)])
    found = input_gradients(model, np.ones((4, 3), "float32"))
    np.testing.assert_allclose(found, np.tile(kernel[:, 0], (4, 1)))


def test_autocorrelation_of_alternating_signs():
    """+1, −1, +1, …: at lag k it is (−1)^k (n − k) / n."""
    n = 10
    found = autocorrelation(np.array([1.0, -1.0] * (n // 2)), 4)
    np.testing.assert_allclose(found, [(-1) ** k * (n - k) / n for k in range(5)])


def test_autocorrelation_by_brute_force():
    values = np.random.default_rng(0).normal(size=30) + 5
    mean = values.mean()
    for lag, found in enumerate(autocorrelation(values, 7)):
        top = sum((values[t] - mean) * (values[t + lag] - mean) for t in range(30 - lag))
        assert found == pytest.approx(top / sum((v - mean) ** 2 for v in values))
    np.testing.assert_allclose(autocorrelation(3 * values - 1, 7), autocorrelation(values, 7))


def test_autocorrelation_of_noise_with_and_without_memory():
    """For v_t = a v_{t−1} + noise, it is a^k: 0 for white noise, 1 for brown noise."""
    white = np.random.default_rng(0).normal(size=50_000)
    some = [0.0]
    for noise in white:
        some.append(0.8 * some[-1] + noise)
    for memory, values in ((0.0, white), (0.8, some), (1.0, np.cumsum(white))):
        np.testing.assert_allclose(autocorrelation(values, 5), memory ** np.arange(6), atol=0.03)
