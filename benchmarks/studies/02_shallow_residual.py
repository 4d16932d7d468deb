"""Study of lesson 02: what are ten dense layers with shortcuts good for?

Record 07_searched_variants has dense networks of 100 layers with shortcuts, with branches of the
usual size and with branches of zero, beside plain ones of 10 and 100. Whether depth still hurts
such a network is a question to ten layers of its own kind. They get the same images, updates,
schedule, grid of rates and seeds here. Nothing is claimed beforehand.
"""

import functools
from pathlib import Path

from keras.optimizers.schedules import CosineDecay

from resnet_lesson.data import load_mnist
from resnet_lesson.models import network
from resnet_lesson.studies import Study, known, learning_curve, without_test
from resnet_lesson.training import Trainer

SETTINGS = {
    "train": 12800,
    "batch_size": 64,
    "updates": 600,
    "schedule": "CosineDecay",  # from the rate to zero
    "network": {"depth": 10, "block": "dense", "widths": [71], "normalisation": False},
    "arms": {"residual": {}, "zero branches": {"zero_init": True}},
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
    updates = SETTINGS["updates"]
    model = network(**SETTINGS["network"], **SETTINGS["arms"][task["arm"]])
    trainer = Trainer(model, SETTINGS["batch_size"], CosineDecay(task["rate"], updates))
    run = trainer.run(without_test(images()), task["seed"], updates)
    return known(trainer.logits, images()) | learning_curve(run)


def main():
    study = Study(Path(__file__), SETTINGS)
    for arm in SETTINGS["arms"]:

        def tasks(rate, seeds=SETTINGS["search_seeds"], arm=arm):
            return [{"arm": arm, "rate": rate, "seed": seed} for seed in seeds]

        rates, lower, higher = (SETTINGS[f"{which}rates"] for which in ("", "lower_", "higher_"))
        best = study.best_rate(one_run, tasks, rates, lower, higher)
        study.run(one_run, tasks(best, SETTINGS["seeds"]))
        print(f"{arm}: best rate {best}")


if __name__ == "__main__":
    main()
