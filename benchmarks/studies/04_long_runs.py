"""Study of lesson 04: plain and residual networks of 20 and 56 layers, trained to the plateau.

Question: is the 56-layer plain network only slower, or does it end worse? After 9,000 updates the
learning rate is divided by ten, as He et al. 2016a do when the loss stops falling.
"""

from resnet_lesson.data import load_mnist
from resnet_lesson.studies import write_record
from resnet_lesson.sweep import sweep

SETTINGS = {
    "train": 12800,
    "val": 1000,
    "batch_size": 64,
    "updates": 12000,
    "learning_rate": [[0, 2e-3], [9000, 2e-4]],
    "seeds": [0, 1, 2],
    "networks": {
        "plain 20": {"depth": 20, "shortcut": "none"},
        "plain 56": {"depth": 56, "shortcut": "none"},
        "residual 20": {"depth": 20, "shortcut": "padded"},
        "residual 56": {"depth": 56, "shortcut": "padded"},
    },
}


def main():
    records = sweep(
        SETTINGS["networks"],
        SETTINGS["seeds"],
        load_mnist(train=SETTINGS["train"], val=SETTINGS["val"]),
        updates=SETTINGS["updates"],
        batch_size=SETTINGS["batch_size"],
        learning_rate=SETTINGS["learning_rate"],
    )
    if any(record.interrupted for record in records) or not records:
        raise SystemExit("The study was interrupted: its old record stays as it was.")
    results = [
        {
            "name": record.name,
            "seed": record.seed,
            "epochs": record.epochs,
            "test_loss": record.test_loss,
            "test_accuracy": record.test_accuracy,
            "seconds": record.seconds[-1],
        }
        for record in records
    ]
    print(f"Written: {write_record(__file__, SETTINGS, results).name}")


if __name__ == "__main__":
    main()
