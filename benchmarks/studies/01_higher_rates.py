"""Study of lesson 01: the convolutional networks again, with higher learning rates.

In the study 01_learning_rates their best rate is the highest that was tried, so that a better one
may lie beyond it. This study goes on from there; all else is equal.
"""

from resnet_lesson.data import load_mnist
from resnet_lesson.studies import write_study
from resnet_lesson.sweep import sweep

SETTINGS = {
    "train": 12800,
    "val": 1000,
    "batch_size": 64,
    "updates": 600,
    "learning_rates": [3e-2, 1e-1],
    "seeds": [0, 1, 2],
    "networks": {
        f"convolutional {depth}": {"depth": depth, "shortcut": "none"} for depth in (8, 20, 56)
    },
}


def main():
    networks, seeds = SETTINGS["networks"], SETTINGS["seeds"]
    data = load_mnist(train=SETTINGS["train"], val=SETTINGS["val"], test=0)
    results = []
    for rate in SETTINGS["learning_rates"]:
        records = sweep(networks, seeds, data, SETTINGS["updates"], learning_rate=rate)
        if len(records) < len(networks) * len(seeds) or any(r.interrupted for r in records):
            raise SystemExit("The study was interrupted: its old record stays as it was.")
        for record in records:
            run = {"name": record.name, "seed": record.seed, "learning_rate": rate}
            run |= {"final_loss": record.final_loss(), "epochs": record.epochs}
            results.append(run | {"seconds": record.seconds[-1]})
    print(f"Written: {write_study(__file__, SETTINGS, results).name}")


if __name__ == "__main__":
    main()
