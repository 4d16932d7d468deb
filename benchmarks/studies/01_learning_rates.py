"""Study of lesson 01: plain networks of several depths, each with several learning rates.

Question: is a deep plain network worse only because its learning rate suits a shallow one? Each
network is trained with each rate; the lesson takes the best for each depth, by training loss.
Dense networks follow Srivastava et al. 2015 (Section 3.1): 71 units in each layer, depths 10 to
100. Convolutional ones are those of lesson 04.
"""

from resnet_lesson.data import load_mnist
from resnet_lesson.studies import write_study
from resnet_lesson.sweep import sweep

DENSE = {"shortcut": "none", "block": "dense", "widths": (71,), "normalisation": False}
SETTINGS = {
    "train": 12800,
    "val": 1000,
    "batch_size": 64,
    "updates": 600,
    "learning_rates": [1e-2, 3e-3, 1e-3, 3e-4, 1e-4],
    "seeds": [0, 1, 2],
    "networks": {f"dense {depth}": {"depth": depth} | DENSE for depth in (10, 20, 50, 100)}
    | {f"convolutional {depth}": {"depth": depth, "shortcut": "none"} for depth in (8, 20, 56)},
}


def main():
    data = load_mnist(train=SETTINGS["train"], val=SETTINGS["val"], test=0)
    results = []
    for rate in SETTINGS["learning_rates"]:
        records = sweep(
            SETTINGS["networks"],
            SETTINGS["seeds"],
            data,
            updates=SETTINGS["updates"],
            batch_size=SETTINGS["batch_size"],
            learning_rate=rate,
        )
        if len(records) < len(SETTINGS["networks"]) * len(SETTINGS["seeds"]) or any(
            record.interrupted for record in records
        ):
            raise SystemExit("The study was interrupted: its old record stays as it was.")
        results += [
            {
                "name": record.name,
                "seed": record.seed,
                "learning_rate": rate,
                "final_loss": record.final_loss(),
                "epochs": record.epochs,
                "seconds": record.seconds[-1],
            }
            for record in records
        ]
    print(f"Written: {write_study(__file__, SETTINGS, results).name}")


if __name__ == "__main__":
    main()
