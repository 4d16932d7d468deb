"""Weights of layers and models for tests: drawn at random, by path, counted."""

import keras
import numpy as np

from resnet_lesson.models import reset_weights


def randomised(made, seed=0, spread=0.1):
    """Give every weight of a built layer or model a random value, so that a forgotten one is seen.

    A model's kernels begin as ``reset_weights`` begins them.
    """
    kept = {"seed_generator_state"}
    if isinstance(made, keras.Model):
        reset_weights(made, seed)
        kept.add("kernel")
    generator = np.random.default_rng(seed)
    for variable in made.weights:
        if variable.name not in kept:
            value = generator.normal(0, spread, variable.shape)
            variable.assign(np.abs(value) + 0.5 if variable.name == "moving_variance" else value)
    return made


def values(model):
    """Return the weights of a model: path → array."""
    return {variable.path: variable.numpy() for variable in model.weights}


def give(model, weights):
    """Set the weights that both have; the others stay."""
    for variable in model.weights:
        if variable.path in weights and weights[variable.path].shape == variable.shape:
            variable.assign(weights[variable.path])
    return model


def parameters(made):
    """Count the trainable parameters of a layer or model."""
    return sum(int(np.prod(variable.shape)) for variable in made.trainable_variables)


def normal(*shape, seed=1, dtype="float32"):
    """Draw an array from the standard normal distribution."""
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)
