"""Study of lesson 03: does a bottleneck keep the accuracy, and what is held fixed?

Question: four residual networks, two with basic blocks and two with bottlenecks, make two pairs of
equal cost in multiply-adds and one pair of equal width. Which is ahead when each has its own best
rate, annealed to zero, on fresh seeds? Judged are the final weights in evaluation mode.

Runs of one seed share the order of images; their first weights differ, since their layers do.
"""

import functools
from pathlib import Path

from keras.optimizers.schedules import CosineDecay

from resnet_lesson.data import load_mnist
from resnet_lesson.models import network
from resnet_lesson.studies import Study, known, without_test
from resnet_lesson.training import Trainer

SHARED = {"blocks_per_stage": [2, 2], "shortcut": "padded"}
SETTINGS = {
    "train": 12800,
    "batch_size": 64,
    "updates": 600,
    "schedule": "CosineDecay",  # from the rate to zero
    "networks": {
        "basic 4/8": {"block": "basic", "widths": [4, 8], **SHARED},
        "bottleneck 16/32": {"widths": [16, 32], "reduction": 4, **SHARED},
        "basic 16/32": {"block": "basic", "widths": [16, 32], **SHARED},
        "bottleneck 64/128": {"widths": [64, 128], "reduction": 4, **SHARED},
    },
    "rates": [0.003, 0.01, 0.03, 0.1],
    "lower_rates": [0.001, 0.0003],  # where the best rate is at an edge, these are tried too
    "higher_rates": [0.3, 1.0],
    "search_seeds": [0, 1],
    "seeds": [10, 11, 12, 13, 14, 15, 16, 17],
    # What is claimed before the first run, of the final training loss: at equal width, the network
    # that costs a tenth is behind, in every pair of runs.
    "claims": [{"above": "bottleneck 16/32", "below": "basic 16/32", "ratio": 1.5}],
    # At equal cost no order is claimed: these are compared seed by seed, in training loss and in
    # test mistakes.
    "compared": [["basic 4/8", "bottleneck 16/32"], ["basic 16/32", "bottleneck 64/128"]],
}


@functools.cache
def images():
    return load_mnist(train=SETTINGS["train"], val=0)


def one_run(task):
    """Train one network; return what its final weights know."""
    data, updates = images(), SETTINGS["updates"]
    model = network(**SETTINGS["networks"][task["name"]])
    trainer = Trainer(model, SETTINGS["batch_size"], CosineDecay(task["rate"], updates))
    run = trainer.run(without_test(data), task["seed"], updates)
    return known(trainer.logits, data) | {"seconds": round(run.seconds[-1], 1)}


def main():
    study = Study(Path(__file__), SETTINGS)
    for name in SETTINGS["networks"]:

        def tasks(rate, seeds, name=name):
            return [{"name": name, "rate": rate, "seed": seed} for seed in seeds]

        best = study.best_rate(
            one_run,
            lambda rate, tasks=tasks: tasks(rate, SETTINGS["search_seeds"]),
            SETTINGS["rates"],
            SETTINGS["lower_rates"],
            SETTINGS["higher_rates"],
        )
        study.run(one_run, tasks(best, SETTINGS["seeds"]))
        print(f"{name}: best rate {best}")


if __name__ == "__main__":
    main()
