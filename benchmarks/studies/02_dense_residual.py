"""Study of lesson 02: what becomes of lesson 01's dense networks, with shortcuts around each pair?

Plain networks, residual ones whose branches start as usual, and residual ones whose branches start
at zero, of 10 and of 100 layers: each at the best of its rates, found on seeds that have no part in
what is judged. Nothing is claimed beforehand, for some of these networks have been seen before: 07
has them of 100 layers, and plain ones.
"""

import functools
from pathlib import Path

from keras.optimizers.schedules import CosineDecay

from resnet_lesson.data import load_mnist
from resnet_lesson.models import network
from resnet_lesson.studies import Study, known, without_test
from resnet_lesson.training import Trainer

SETTINGS = {
    "train": 12800,
    "batch_size": 64,
    "updates": 600,
    "schedule": "CosineDecay",  # from the rate to zero
    "network": {"block": "dense", "widths": [71], "normalisation": False},
    "arms": {
        "plain": {"shortcut": "none"},
        "residual": {"shortcut": "padded"},
        "zero branches": {"shortcut": "padded", "zero_init": True},
    },
    "depths": [10, 100],
    "rates": [0.0003, 0.001, 0.003],
    "lower_rates": [0.0001, 0.00003, 0.00001],  # where the best rate is at an edge
    "higher_rates": [0.01, 0.03],
    "search_seeds": [0, 1],
    "seeds": [10, 11, 12],
}


@functools.cache
def images():
    return load_mnist(train=SETTINGS["train"], val=0)


def one_run(task):
    """Train one network; return what its final weights know."""
    updates, arm = SETTINGS["updates"], SETTINGS["arms"][task["arm"]]
    model = network(task["depth"], **SETTINGS["network"], **arm)
    trainer = Trainer(model, SETTINGS["batch_size"], CosineDecay(task["rate"], updates))
    trainer.run(without_test(images()), task["seed"], updates)
    return known(trainer.logits, images())


def main():
    study = Study(Path(__file__), SETTINGS)
    for arm in SETTINGS["arms"]:
        for depth in SETTINGS["depths"]:

            def tasks(rate, seeds=SETTINGS["search_seeds"], arm=arm, depth=depth):
                return [{"arm": arm, "depth": depth, "rate": rate, "seed": seed} for seed in seeds]

            rates, lower, higher = (SETTINGS[f"{w}rates"] for w in ("", "lower_", "higher_"))
            best = study.best_rate(one_run, tasks, rates, lower, higher)
            study.run(one_run, tasks(best, SETTINGS["seeds"]))
            print(f"{arm}, {depth} layers: best rate {best}", flush=True)


if __name__ == "__main__":
    main()
