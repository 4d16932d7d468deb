"""Study of lesson 04: networks trained until nothing moves any more.

Question: is a deep plain network slower, or does it end worse, or both? Every network is trained
ten times as long as in the rate map, and its rate annealed to zero, so that the last updates change
nothing: where the loss stands then is where it stays. Judged are the final weights in evaluation
mode, on all training images.

A network has the rate that suits it best in the rate map; dense ones, which are not in it, are
searched here in the same way.
"""

import functools
from pathlib import Path

from keras.optimizers.schedules import CosineDecay

from resnet_lesson.data import load_mnist
from resnet_lesson.models import network
from resnet_lesson.studies import (
    Study,
    known,
    learning_curve,
    mean_loss,
    read_study,
    without_test,
)
from resnet_lesson.training import Trainer

DENSE = {"shortcut": "none", "block": "dense", "widths": (71,), "normalisation": False}
SETTINGS = {
    "train": 12800,
    "batch_size": 64,
    "updates": 6000,
    "search_updates": 600,
    "schedule": "CosineDecay",  # from the rate to zero
    "losses_to_reach": [0.5, 0.1, 0.02],
    "networks": {
        **{f"dense plain {depth}": {"depth": depth, **DENSE} for depth in (10, 20, 100)},
        **{
            f"{kind} {depth}": {"depth": depth, "shortcut": shortcut}
            for depth in (20, 56)
            for kind, shortcut in (("plain", "none"), ("residual", "padded"))
        },
        **{
            f"full-width plain {depth}": {"depth": depth, "shortcut": "none", "block": "basic"}
            for depth in (18, 54)
        },
    },
    "dense_rates": [0.0001, 0.0003, 0.001, 0.003, 0.01],
    "lower_rates": [0.00003, 0.00001],  # where the best rate is at an edge, these are tried too
    "higher_rates": [0.03, 0.1],
    "search_seeds": [0, 1, 2],
    # Those of the rate map, by the search of 04_rate_map.
    "rates_of_the_map": [
        "plain 20",
        "plain 56",
        "residual 20",
        "residual 56",
        "full-width plain 18",
        "full-width plain 54",
    ],
    "seeds": [20, 21, 22],
    # What is claimed before the first run, of the final training loss, in every pair of runs.
    "claims": [
        {"above": "dense plain 100", "below": "dense plain 10", "ratio": 2},
        {"above": "plain 56", "below": "residual 56", "ratio": 2},
        {"above": "full-width plain 54", "below": "full-width plain 18", "ratio": 2},
    ],
    # And of the number of updates to a loss of 0.5.
    "slower": [
        {"above": "plain 56", "below": "plain 20", "ratio": 2},
        {"above": "full-width plain 54", "below": "full-width plain 18", "ratio": 2},
    ],
}


@functools.cache
def images():
    return load_mnist(train=SETTINGS["train"], val=0)


def one_run(task):
    """Train one network; return what it knows in the end, and when it came how far."""
    data = images()
    model = network(**SETTINGS["networks"][task["name"]])
    trainer = Trainer(model, SETTINGS["batch_size"], CosineDecay(task["rate"], task["updates"]))
    run = trainer.run(without_test(data), task["seed"], task["updates"])
    reached = {str(loss): run.updates_to(loss) for loss in SETTINGS["losses_to_reach"]}
    found = known(trainer.logits, data) | learning_curve(run, every=50)
    return found | {"updates_to_loss": reached}


def task(name, rate, seed, updates):
    return {"name": name, "rate": rate, "seed": seed, "updates": updates}


def map_rates():
    """Return the best rate of each network of the rate map: by the search seeds' training loss."""
    at_rate = {}
    for result in read_study("04_rate_map")["results"]:
        name, rate, seed = (result["task"][key] for key in ("name", "rate", "seed"))
        if seed in SETTINGS["search_seeds"]:
            at_rate.setdefault(name, {}).setdefault(rate, []).append(result)
    return {
        name: min(found, key=lambda rate: mean_loss(found[rate])) for name, found in at_rate.items()
    }


def main():
    study = Study(Path(__file__), SETTINGS)
    rates = {name: rate for name, rate in map_rates().items() if name in SETTINGS["networks"]}
    for name in SETTINGS["networks"]:
        if name not in SETTINGS["rates_of_the_map"]:

            def tasks_at(rate, name=name):
                updates = SETTINGS["search_updates"]
                return [task(name, rate, seed, updates) for seed in SETTINGS["search_seeds"]]

            lower, higher = SETTINGS["lower_rates"], SETTINGS["higher_rates"]
            dense_rates = SETTINGS["dense_rates"]
            rates[name] = study.best_rate(one_run, tasks_at, dense_rates, lower, higher)
    updates = SETTINGS["updates"]
    for name in SETTINGS["networks"]:
        study.run(one_run, [task(name, rates[name], s, updates) for s in SETTINGS["seeds"]])
    print(f"rates: {rates}")


if __name__ == "__main__":
    main()
