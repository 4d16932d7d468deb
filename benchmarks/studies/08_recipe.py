"""Study of lesson 08: what is each part of the recipe worth, its shortcuts included?

The recipe (``resnet_lesson.recipe``) has five ingredients beside a small residual network:
distorted images, a rate that rises and falls once, averaged weights, smoothed labels, and a global
maximum in front of the last layer. Each is left out in turn. So are the shortcuts. Since a plain
network cannot start with branches of zero, its fair twin is the residual one that does not, either.
The last arm leaves out what older work did not have or does not report, so that its figures can
stand beside published ones, like for like.

All have the recipe's rate and ten passes, a quarter of the recipe's. Runs of one seed share the
order of images, the first weights, and the draws that distort the images.
"""

import functools
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers

from resnet_lesson.data import load_mnist
from resnet_lesson.recipe import DISTORTION, RECIPE, distort, small_network
from resnet_lesson.recipe.fast import FastTrainer
from resnet_lesson.studies import Study, known, learning_curve, without_test
from resnet_lesson.variants import without_shortcuts

SETTINGS = {
    "recipe": RECIPE | {"distortion": DISTORTION, "pieces": 2},
    "updates": 10 * (60000 // 128),
    # What each arm leaves out.
    "arms": {
        "recipe": [],
        "no distortion": ["distortion"],
        "constant rate": ["one cycle"],
        "no averaging": ["averaging"],
        "no smoothing": ["smoothing"],
        "global average": ["global maximum"],
        "branches not zero": ["zero branches"],
        "no shortcuts": ["zero branches", "shortcuts"],
        "no distortion, no shortcuts": ["distortion", "zero branches", "shortcuts"],
        "like for like": ["distortion", "averaging", "smoothing"],
    },
    "constant_rate": 3e-3,
    "seeds": [10, 11, 12, 13, 14, 15],
    # Each arm is compared with the recipe, "no shortcuts" with "branches not zero" besides: seed by
    # seed, test mistakes and test loss, Holm over the arms. Claimed before the first run: without
    # distortion, and without shortcuts, there are more test mistakes.
    "paired": [
        {"above": "no distortion", "below": "recipe"},
        {"above": "no shortcuts", "below": "branches not zero"},
    ],
}


@functools.cache
def images():
    return load_mnist(val=0)


class ArmTrainer(FastTrainer):
    """Trains by the recipe, at a constant rate where an arm says so."""

    constant = False

    def _rates(self, updates):
        if self.constant:
            return np.full(updates, SETTINGS["constant_rate"])
        return super()._rates(updates)


def built(left_out):
    """Build the recipe's network without some of its parts."""
    model = small_network()
    if "shortcuts" in left_out:
        model = without_shortcuts(model)
    if "global maximum" in left_out:
        model = keras.models.clone_model(model, call_function=averaged)
    if "zero branches" in left_out:
        for layer in model.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.gamma_initializer = keras.initializers.Ones()
    return model


def averaged(layer, *args, **options):
    """Call a layer, or a global average in place of the global maximum."""
    if isinstance(layer, layers.GlobalMaxPooling2D):
        layer = layers.GlobalAveragePooling2D(name=layer.name)
    return layer(*args, **options)


def one_run(task):
    """Train one network; return what its final weights know."""
    left_out, recipe = SETTINGS["arms"][task["name"]], SETTINGS["recipe"]
    # Unchecked: inside of a training step tensors have no values yet.
    change = partial(distort.__wrapped__, **recipe["distortion"])
    trainer = ArmTrainer(
        built(left_out),
        recipe["batch_size"],
        recipe["peak"],
        recipe["pieces"],
        0.0 if "smoothing" in left_out else recipe["smoothing"],
        None if "distortion" in left_out else change,
        0.0 if "averaging" in left_out else recipe["average"],
    )
    trainer.constant = "one cycle" in left_out
    data, updates = images(), SETTINGS["updates"]
    run = trainer.run(without_test(data), task["seed"], updates)
    return known(trainer.logits, data) | learning_curve(run, every=117)  # a quarter of a pass


def main():
    study = Study(Path(__file__), SETTINGS)
    for seed in SETTINGS["seeds"]:
        study.run(one_run, [{"name": name, "seed": seed} for name in SETTINGS["arms"]])


if __name__ == "__main__":
    main()
