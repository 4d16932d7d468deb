"""Study of lesson 04: how often do the course's verdicts cry wolf?

Question: if there is no difference, how far apart do two runs of one seed end, and how often does
the paired comparison call that a difference? One network is compared with itself: both runs of a
pair have the same first weights, but for a millionth of each, and the same order of images. That
millionth grows, as any difference does in training, until the two runs share no more than runs of
two variants do that differ in nothing that matters.
"""

import functools
from pathlib import Path

import numpy as np
from keras.optimizers.schedules import CosineDecay

from resnet_lesson.data import load_mnist
from resnet_lesson.models import network, reset_weights
from resnet_lesson.studies import Study, known, without_test
from resnet_lesson.training import Trainer

SETTINGS = {
    "train": 12800,
    "batch_size": 64,
    "updates": 300,
    "rate": 0.01,
    "schedule": "CosineDecay",  # from the rate to zero
    "perturbation": 1e-6,  # of each first weight, relative, standard deviation
    "networks": {"residual 20": {"depth": 20}, "residual 56": {"depth": 56}},
    "seeds": list(range(100, 140)),
    # False alarms of the paired comparison are counted over all groups of so many seeds that do
    # not overlap, in many random orders.
    "group_sizes": [5, 8, 10],
}


@functools.cache
def images():
    return load_mnist(train=SETTINGS["train"], val=0)


def one_run(task):
    """Train a network as it is and once more with its first weights perturbed."""
    data, updates = images(), SETTINGS["updates"]
    model = network(**SETTINGS["networks"][task["name"]])
    trainer = Trainer(model, SETTINGS["batch_size"], CosineDecay(SETTINGS["rate"], updates))
    found = []
    for perturbed in (False, True):
        reset_weights(model, task["seed"])
        if perturbed:
            random = np.random.default_rng(task["seed"])
            for variable in model.trainable_variables:
                noise = SETTINGS["perturbation"] * random.normal(size=variable.shape)
                variable.assign(variable.numpy() * (1 + noise))
        trainer.run(without_test(data), task["seed"], updates, reset=False)
        found.append(known(trainer.logits, data))
    return {"as it is": found[0], "perturbed": found[1]}


def main():
    study = Study(Path(__file__), SETTINGS)
    tasks = [{"name": n, "seed": s} for n in SETTINGS["networks"] for s in SETTINGS["seeds"]]
    study.run(one_run, tasks)


if __name__ == "__main__":
    main()
