"""Directions and losses around a network, by hand and in closed form."""

import keras
import numpy as np
import pytest

from resnet_lesson.diagnostics import filter_normalised_direction, landscape, losses_around
from resnet_lesson.models import network, reset_weights
from resnet_lesson.training import evaluate


@pytest.fixture(scope="module")
def model():
    model = network(blocks_per_stage=(1, 1), block="basic", widths=(4, 8), input_shape=(8, 8, 1))
    reset_weights(model, 0)
    return model


@pytest.fixture(scope="module")
def batch():
    generator = np.random.default_rng(0)
    return generator.normal(size=(8, 8, 8, 1)).astype("float32"), generator.integers(0, 10, size=8)


def test_each_filter_is_as_long_as_the_models_own(model):
    direction = filter_normalised_direction(model, 0)
    for step, variable in zip(direction, model.trainable_variables, strict=True):
        assert step.shape == variable.shape
        if variable.name != "kernel":
            assert not step.any()  # biases, γ and β stay
            continue
        own = variable.numpy()
        for channel in range(own.shape[-1]):
            length = np.linalg.norm(own[..., channel])
            assert np.linalg.norm(step[..., channel]) == pytest.approx(length, rel=1e-5)


def test_directions_are_seeded_and_at_right_angles_to_the_weights(model):
    one, again, other = (filter_normalised_direction(model, seed) for seed in (0, 0, 1))
    flat = [np.concatenate([step.ravel() for step in d]) for d in (one, again, other)]
    np.testing.assert_array_equal(flat[0], flat[1])
    own = np.concatenate(
        [v.numpy().ravel() * (v.name == "kernel") for v in model.trainable_variables]
    )
    for a, b in ((flat[0], flat[2]), (flat[0], own)):
        assert abs(a @ b) < 0.2 * np.linalg.norm(a) * np.linalg.norm(b)


def test_a_filter_of_zeros_does_not_move():
    model = network(
        blocks_per_stage=(1,), block="basic", widths=(4,), input_shape=(8, 8, 1),
        normalisation=False, zero_init=True,
    )  # fmt: skip
    names = [variable.path for variable in model.trainable_variables]
    direction = filter_normalised_direction(model, 0)
    assert not direction[names.index("stage1_block1_conv2/kernel")].any()
    assert all(np.isfinite(step).all() for step in direction)


def test_losses_against_weights_set_by_hand(model, batch):
    first, second = (filter_normalised_direction(model, seed) for seed in (0, 1))
    before = model.get_weights()
    distances = [-0.5, 0, 0.25]
    line = losses_around(model, [first], distances, *batch)
    grid = losses_around(model, [first, second], distances, *batch)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert line.shape == (3,)
    assert grid.shape == (3, 3)
    np.testing.assert_allclose(grid[:, 1], line, rtol=1e-6)
    own = [variable.numpy() for variable in model.trainable_variables]
    for i, j in ((1, 1), (0, 2), (2, 0)):
        for variable, start, along, across in zip(
            model.trainable_variables, own, first, second, strict=True
        ):
            variable.assign(start + distances[i] * along + distances[j] * across)
        expected = evaluate(np.asarray(model(batch[0], training=False)), batch[1])[0]
        model.set_weights(before)
        assert grid[i, j] == pytest.approx(expected, rel=1e-5)


def test_loss_of_a_linear_model_in_closed_form():
    """With logits (w x, 0) the loss at step t is log(1 + exp(−(w + t d) x)) for class 0."""
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    model.set_weights([np.array([[1.5, 0.0]]), np.zeros(2)])
    direction = [np.array([[2.0, 0.0]], "float32"), np.zeros(2, "float32")]
    x, t = 0.7, np.linspace(-1, 1, 5)
    found = losses_around(model, [direction], t, np.array([[x]], "float32"), np.array([0]))
    np.testing.assert_allclose(found, np.log1p(np.exp(-(1.5 + 2 * t) * x)), rtol=1e-5)


def test_the_weights_come_back_after_an_error(model, batch, monkeypatch):
    before = model.get_weights()
    monkeypatch.setattr(landscape, "evaluate", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        losses_around(model, [filter_normalised_direction(model, 0)], [1], *batch)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_bad_arguments(model, batch):
    direction = filter_normalised_direction(model, 0)
    with pytest.raises(ValueError, match="directions must be one or two. Received: 3"):
        losses_around(model, [direction] * 3, [0], *batch)
    with pytest.raises(ValueError, match="an array for each trainable variable"):
        losses_around(model, [direction[1:]], [0], *batch)
    with pytest.raises(ValueError, match="seed must be 0 or more. Received: -1"):
        filter_normalised_direction(model, -1)
