"""Study of lesson 07: the baseline and its variants, at 20 and at 56 layers.

Question: which design choices matter at this size? Each variant differs from the baseline in one
thing (``variants.VARIANTS``). All have the rate that the course uses for the baseline, lowered for
the last quarter, which takes the noise out of the results. A network without normalisation may need
a smaller rate, so the baseline and the variants without it are trained once more with a quarter of
the rate.
"""

from resnet_lesson.data import load_mnist
from resnet_lesson.studies import complete, result_of, write_study
from resnet_lesson.sweep import sweep
from resnet_lesson.variants import VARIANTS, variant_network

DEPTHS = (20, 56)
LOW = ", low rate"
SETTINGS = {
    "train": 12800,
    "val": 1000,
    "batch_size": 64,
    "updates": 400,
    "learning_rate": [(0, 2e-3), (300, 2e-4)],
    "low_learning_rate": [(0, 5e-4), (300, 5e-5)],
    "seeds": [0, 1, 2, 3, 4],
    "networks": {
        f"{variant} {depth}": {"depth": depth, "variant": variant}
        for variant in VARIANTS
        for depth in DEPTHS
    },
    "networks_at_low_rate": {
        f"{variant} {depth}{LOW}": {"depth": depth, "variant": variant}
        for variant in ("baseline", "no normalisation", "branch scale")
        for depth in DEPTHS
    },
}


def main():
    seeds = SETTINGS["seeds"]
    data = load_mnist(train=SETTINGS["train"], val=SETTINGS["val"])
    results = []
    for networks, rate in (
        ("networks", "learning_rate"),
        ("networks_at_low_rate", "low_learning_rate"),
    ):
        records = sweep(
            SETTINGS[networks],
            seeds,
            data,
            updates=SETTINGS["updates"],
            batch_size=SETTINGS["batch_size"],
            learning_rate=SETTINGS[rate],
            build=variant_network,
        )
        for record in complete(records, SETTINGS[networks], seeds):
            results.append(result_of(record) | {"final_loss": record.final_loss(100)})
    print(f"Written: {write_study(__file__, SETTINGS, results).name}")


if __name__ == "__main__":
    main()
