"""Study of lesson 05: the loss around the weights of trained networks, on a fine grid.

Question: Li and colleagues (2018, Figures 1 and 5) draw the loss of networks of 56 layers over a
plane of weights, and find it chaotic without shortcuts and smooth with them. What does such a
surface look like here, for a plain, a residual and a faded network of 56 narrow layers, each
trained at its own best rate? Each plane goes through the trained weights, along two random
directions with filters of the network's own lengths. Nothing is claimed but what a surface of one
seed shows; two more seeds tell whether it is typical.

References
    Li, Xu, Taylor, Studer, Goldstein 2018: Visualizing the Loss Landscape of Neural Nets, NeurIPS
        (arXiv:1712.09913), Section 4: filter normalisation.
"""

import functools
from pathlib import Path

import numpy as np
from keras.optimizers.schedules import CosineDecay

from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import filter_normalised_direction, losses_around
from resnet_lesson.models import network
from resnet_lesson.studies import Study, known, without_test
from resnet_lesson.training import Trainer
from resnet_lesson.variants import fade, with_fading_shortcuts, without_shortcuts

SETTINGS = {
    "train": 12800,
    "batch_size": 64,
    "updates": 1200,
    "constant_until": 800,  # then CosineDecay to zero, as in 04_fading_shortcut
    "fade": [200, 800],
    "depth": 56,
    # The best rates of 04_fading_shortcut.
    "rates": {"plain": 0.02, "faded": 0.01, "residual": 0.005},
    "seeds": [10, 11, 12],
    "directions": [0, 1],
    "images": 500,  # of the training images: the loss that training lowers
    "reach": 1.0,  # of each filter's length, to either side
    "points": 51,
    "rows_a_task": 17,
}


@functools.cache
def images():
    return load_mnist(train=SETTINGS["train"], val=0)


def trained(name, seed):
    """Train one of the networks; return it, plain where it is one in the end."""
    model = network(SETTINGS["depth"], "none" if name == "plain" else "padded")
    on_update = None
    if name == "faded":
        model = with_fading_shortcuts(model)
        on_update = fade(model, *SETTINGS["fade"])
    constant, rate = SETTINGS["constant_until"], SETTINGS["rates"][name]
    annealing = SETTINGS["updates"] - constant
    schedule = CosineDecay(rate, annealing, warmup_target=rate, warmup_steps=constant)
    trainer = Trainer(model, SETTINGS["batch_size"], schedule)
    trainer.run(without_test(images()), seed, SETTINGS["updates"], on_update=on_update)
    return without_shortcuts(model) if name == "faded" else model


def some_rows(task):
    """Train a network, and measure its loss on some rows of the grid."""
    model = trained(task["name"], task["seed"])
    result = known(Trainer(model).logits, images())
    directions = [filter_normalised_direction(model, seed) for seed in SETTINGS["directions"]]
    steps = np.linspace(-SETTINGS["reach"], SETTINGS["reach"], SETTINGS["points"])
    some = images().train.images[: SETTINGS["images"]], images().train.labels[: SETTINGS["images"]]
    rows, start = [], model.get_weights()
    for at in task["rows"]:
        for weight, step in zip(model.trainable_variables, directions[0], strict=True):
            weight.assign_add(steps[at] * np.asarray(step))
        losses = losses_around(model, [directions[1]], steps, *some)
        rows.append([float(f"{loss:.4g}") for loss in losses])
        model.set_weights(start)
    return result | {"losses": rows}


def main():
    study, points = Study(Path(__file__), SETTINGS), SETTINGS["points"]
    each = SETTINGS["rows_a_task"]
    parts = [list(range(first, min(first + each, points))) for first in range(0, points, each)]
    for seed in SETTINGS["seeds"]:
        study.run(
            some_rows,
            [
                {"name": name, "seed": seed, "rows": rows}
                for name in SETTINGS["rates"]
                for rows in parts
            ],
        )


if __name__ == "__main__":
    main()
