"""Study of lesson 04: plain and residual networks of 20 and 56 layers, trained to the plateau.

Question: is the 56-layer plain network only slower, or does it end worse? Each run keeps its
learning rate until its own training loss stops falling. Then the rate is divided by ten, as He et
al. 2016a do (Section 3.4), and a fixed number of epochs follows. A slow network may take its time.
"""

import numpy as np

from resnet_lesson.data import load_mnist
from resnet_lesson.studies import complete, result_of, write_study
from resnet_lesson.sweep import sweep

SETTINGS = {
    "train": 12800,
    "val": 1000,
    "batch_size": 64,
    "updates": 40000,  # at most
    "learning_rate": 2e-3,
    "learning_rate_at_plateau": 2e-4,
    # The plateau: for `patience` epochs, the best mean loss of `window` epochs in a row has fallen
    # by less than `least_fall` of itself.
    "window": 5,
    "patience": 10,
    "least_fall": 0.1,
    "epochs_after_plateau": 10,
    "seeds": [0, 1, 2],
    "networks": {
        "plain 20": {"depth": 20, "shortcut": "none"},
        "plain 56": {"depth": 56, "shortcut": "none"},
        "residual 20": {"depth": 20, "shortcut": "padded"},
        "residual 56": {"depth": 56, "shortcut": "padded"},
    },
}


def next_rate(record):
    """Return the learning rate of the next epoch, or None to end the run."""
    if len(record.learning_rate) == 1:
        at_plateau = stopped_falling([epoch["loss"] for epoch in record.epochs])
        return SETTINGS["learning_rate_at_plateau" if at_plateau else "learning_rate"]
    plateau, rate = record.learning_rate[-1]
    since = sum(epoch["update"] > plateau for epoch in record.epochs)
    return rate if since < SETTINGS["epochs_after_plateau"] else None


def stopped_falling(losses):
    """Tell whether the losses, one an epoch, have reached the plateau that SETTINGS defines."""
    window, patience = SETTINGS["window"], SETTINGS["patience"]
    means = np.convolve(losses, np.ones(window) / window, mode="valid")
    if len(means) <= patience:
        return False
    return min(means) > (1 - SETTINGS["least_fall"]) * min(means[:-patience])


def main():
    records = sweep(
        SETTINGS["networks"],
        SETTINGS["seeds"],
        load_mnist(train=SETTINGS["train"], val=SETTINGS["val"]),
        updates=SETTINGS["updates"],
        batch_size=SETTINGS["batch_size"],
        learning_rate=SETTINGS["learning_rate"],
        after_epoch=next_rate,
    )
    results = [
        result_of(record) for record in complete(records, SETTINGS["networks"], SETTINGS["seeds"])
    ]
    print(f"Written: {write_study(__file__, SETTINGS, results).name}")


if __name__ == "__main__":
    main()
