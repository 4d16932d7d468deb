"""Study of lesson 04: training loss over learning rate, for plain and residual networks.

Question: how large is the advantage of the shortcut when each network has the learning rate that
suits it best? Every network gets the same search: the same rates, annealed to zero, three seeds.
Rates are chosen by the loss of the whole training set after the last update, and judged on seeds
that had no part in the choice. Runs of one seed share first weights and order of images, so that
differences are paired.

Narrow networks are built of bottlenecks, as in the other lessons. Full-width ones are built of two
3×3 convolutions a block, none of which is narrower than its input: there, a plain block could pass
its input on unchanged.
"""

import functools
from pathlib import Path

import numpy as np
from keras.optimizers.schedules import CosineDecay

from resnet_lesson.data import load_mnist
from resnet_lesson.models import network
from resnet_lesson.studies import Study
from resnet_lesson.training import Trainer, evaluate

SETTINGS = {
    "train": 12800,  # three passes in 600 updates
    "batch_size": 64,
    "updates": 600,
    "schedule": "CosineDecay",  # from the rate to zero
    "loss_to_reach": 0.1,
    "narrow": {
        "networks": {
            f"{kind} {depth}": {"depth": depth, "shortcut": shortcut}
            for depth in (8, 20, 56)
            for kind, shortcut in (("plain", "none"), ("residual", "padded"))
        },
        "rates": [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2],
        "search_seeds": [0, 1, 2],
        "seeds": [10, 11, 12, 13, 14, 15, 16, 17],
    },
    "full_width": {
        "networks": {
            f"full-width {kind} {depth}": {"depth": depth, "shortcut": shortcut, "block": "basic"}
            for depth in (18, 54)  # of the form 4n + 2
            for kind, shortcut in (("plain", "none"), ("residual", "padded"))
        },
        "rates": [0.001, 0.003, 0.01, 0.03, 0.1],
        "search_seeds": [0, 1],
        "seeds": [10, 11, 12, 13, 14],
    },
    # Where the best rate is the lowest or the highest, these are tried too, one after the other,
    # until it is not.
    "lower_rates": [0.0005, 0.0002],
    "higher_rates": [0.5, 1.0],
    # What is claimed before the first run, of the training loss on the fresh seeds, each network at
    # its best rate: in every pair of runs, `above` ends at this many times the loss of `below`.
    "claims": [
        {"above": "plain 56", "below": "plain 20", "ratio": 2},
        {"above": "plain 56", "below": "residual 56", "ratio": 2},
        {"above": "full-width plain 54", "below": "full-width plain 18", "ratio": 3},
        {"above": "full-width plain 54", "below": "full-width residual 54", "ratio": 3},
    ],
    # And of the paired difference of training losses: its 95 % interval lies within this margin.
    "equal": [{"first": "residual 56", "second": "residual 20", "margin": 0.02}],
}
NETWORKS = SETTINGS["narrow"]["networks"] | SETTINGS["full_width"]["networks"]


FRESH = {*SETTINGS["narrow"]["seeds"], *SETTINGS["full_width"]["seeds"]}


@functools.cache
def images(with_test):
    return load_mnist(train=SETTINGS["train"], val=0, test=None if with_test else 0)


def one_run(task):
    """Train one network; return what it learnt, of the test images, too, if the seed is fresh."""
    data, updates = images(task["seed"] in FRESH), SETTINGS["updates"]
    model = network(**NETWORKS[task["name"]])
    trainer = Trainer(model, SETTINGS["batch_size"], CosineDecay(task["rate"], updates))
    run = trainer.run(data, task["seed"], updates)
    loss, accuracy = evaluate(trainer.logits(data.train.images), data.train.labels)
    found = {
        "train_loss": loss,
        "train_mistakes": round((1 - accuracy) * len(data.train)),
        "updates_to_loss": run.updates_to(SETTINGS["loss_to_reach"]),
        "losses": np.reshape(run.loss, (-1, 25)).mean(axis=1).round(4).tolist(),  # of 25 updates
        "seconds": round(run.seconds[-1], 1),
    }
    if len(data.test):
        found["test_loss"] = run.test_loss
        found["test_mistakes"] = round((1 - run.test_accuracy) * len(data.test))
    return found


def mean_loss(results):
    """Return the mean training loss of some runs; a run that diverged counts as infinite."""
    losses = [result["train_loss"] for result in results]
    return np.inf if None in losses else np.mean(losses)


def search(study, name, rates, seeds):
    """Return a network's best rate, after rates were added at an edge that is best."""

    def at(rate):
        return mean_loss(study.run(one_run, [task(name, rate, seed) for seed in seeds]))

    losses = {rate: at(rate) for rate in rates}
    lower, higher = iter(SETTINGS["lower_rates"]), iter(SETTINGS["higher_rates"])
    while (best := min(losses, key=losses.get)) in (min(losses), max(losses)):
        rate = next(lower if best == min(losses) else higher)
        losses[rate] = at(rate)
    return best


def task(name, rate, seed):
    return {"name": name, "rate": rate, "seed": seed}


def main():
    study = Study(Path(__file__), SETTINGS)
    for group in (SETTINGS["narrow"], SETTINGS["full_width"]):
        names, rates, seeds = group["networks"], group["rates"], group["search_seeds"]
        study.run(one_run, [task(n, r, s) for n in names for r in rates for s in seeds])
        best = {name: search(study, name, rates, seeds) for name in names}
        study.run(one_run, [task(n, best[n], s) for n in names for s in group["seeds"]])
        print(f"best rates: {best}")


if __name__ == "__main__":
    main()
