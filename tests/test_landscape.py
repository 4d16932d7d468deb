"""Directions and losses around a network, by hand and in closed form."""

import keras
import numpy as np
import pytest
from small import IMAGES, LABELS, assert_weights, small

from resnet_lesson.diagnostics import filter_normalised_direction, landscape, losses_around
from resnet_lesson.training import evaluate


@pytest.fixture(scope="module")
def model():
    return small()


def test_each_filter_is_as_long_as_the_models_own(model):
    direction = filter_normalised_direction(model, 0)
    for step, variable in zip(direction, model.trainable_variables, strict=True):
        assert step.shape == variable.shape
        if variable.name != "kernel":
            assert not step.any()  # biases, γ and β stay
            continue
        filters = [kernel.reshape(-1, kernel.shape[-1]) for kernel in (step, variable.numpy())]
        lengths = [np.linalg.norm(each, axis=0) for each in filters]
        np.testing.assert_allclose(*lengths, rtol=1e-5)


def test_directions_are_seeded_and_at_right_angles_to_the_weights(model):
    one, again, other = (filter_normalised_direction(model, seed) for seed in (0, 0, 1))
    own = [v.numpy() * (v.name == "kernel") for v in model.trainable_variables]
    flat = [np.concatenate([step.ravel() for step in d]) for d in (one, again, other, own)]
    np.testing.assert_array_equal(flat[0], flat[1])
    for a, b in ((flat[0], flat[2]), (flat[0], flat[3])):
        assert abs(a @ b) < 0.2 * np.linalg.norm(a) * np.linalg.norm(b)


def test_a_filter_of_zeros_does_not_move():
    model = small(normalisation=False, zero_init=True)
    names = [variable.path for variable in model.trainable_variables]
    direction = filter_normalised_direction(model, 0)
    assert not direction[names.index("stage1_block1_conv2/kernel")].any()
    assert all(np.isfinite(step).all() for step in direction)


def test_losses_against_weights_set_by_hand(model):
    first, second = (filter_normalised_direction(model, seed) for seed in (0, 1))
    before = model.get_weights()
    distances = [-0.5, 0, 0.25]
    line = losses_around(model, [first], distances, IMAGES, LABELS)
    grid = losses_around(model, [first, second], distances, IMAGES, LABELS)
    assert_weights(model, before)
    assert (line.shape, grid.shape) == ((3,), (3, 3))
    np.testing.assert_allclose(grid[:, 1], line, rtol=1e-6)
    variables = model.trainable_variables
    own = [variable.numpy() for variable in variables]
    for i, j in ((1, 1), (0, 2), (2, 0)):
        for variable, start, a, b in zip(variables, own, first, second, strict=True):
            variable.assign(start + distances[i] * a + distances[j] * b)
        expected = evaluate(np.asarray(model(IMAGES, training=False)), LABELS)[0]
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


def test_the_weights_come_back_after_an_error(model, monkeypatch):
    before = model.get_weights()
    monkeypatch.setattr(landscape, "evaluate", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        losses_around(model, [filter_normalised_direction(model, 0)], [1], IMAGES, LABELS)
    assert_weights(model, before)


def test_directions_that_do_not_fit_the_model(model):
    direction = filter_normalised_direction(model, 0)
    before = model.get_weights()
    for wrong in (direction[1:], direction[::-1]):
        with pytest.raises(ValueError, match="broadcast|must match"):
            losses_around(model, [wrong], [1], IMAGES, LABELS)
        assert_weights(model, before)


@pytest.mark.parametrize("setting", ["floatx", "dtype_policy"])
def test_losses_of_a_network_in_double_precision(setting):
    set_precision = getattr(keras.config, f"set_{setting}")
    set_precision("float64")
    try:
        model = small()
    finally:
        set_precision("float32")
    direction = filter_normalised_direction(model, 0)
    losses = losses_around(model, [direction], np.array([0.0]), IMAGES, LABELS)
    np.testing.assert_allclose(losses, evaluate(model(IMAGES).numpy(), LABELS)[0], rtol=1e-5)
