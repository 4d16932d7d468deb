"""Study of lesson 06: the article's network as written, with each repair alone, and with all.

Question: what does each of its defects cost? The setting is the article's: its learning rate and
batch, but five epochs in place of 100,000 updates, and 5,000 training images kept for validation.
"stride on both paths" is left out, for it changes nothing at the article's stride of 1. Two
networks without shortcuts tell what the shortcuts do for a network of this depth.
"""

from resnet_lesson.article import FIXES, article_network
from resnet_lesson.data import load_mnist
from resnet_lesson.studies import complete, result_of, write_study
from resnet_lesson.sweep import sweep

SINGLE = [fix for fix in FIXES if fix != "stride on both paths"]
SETTINGS = {
    "train": 55000,
    "val": 5000,
    "batch_size": 128,
    "updates": 5 * (55000 // 128),
    "learning_rate": 3e-3,
    "seeds": [0, 1, 2, 3, 4],
    "networks": {
        "as written": {},
        **{fix: {"fixes": [fix]} for fix in SINGLE},
        "all repairs": {"fixes": SINGLE},
        "as written, no shortcuts": {"shortcut": False},
        "all repairs, no shortcuts": {"fixes": SINGLE, "shortcut": False},
    },
}


def main():
    networks, seeds = SETTINGS["networks"], SETTINGS["seeds"]
    records = sweep(
        networks,
        seeds,
        load_mnist(train=SETTINGS["train"], val=SETTINGS["val"]),
        updates=SETTINGS["updates"],
        batch_size=SETTINGS["batch_size"],
        learning_rate=SETTINGS["learning_rate"],
        build=article_network,
    )
    results = [result_of(record) for record in complete(records, networks, seeds)]
    print(f"Written: {write_study(__file__, SETTINGS, results).name}")


if __name__ == "__main__":
    main()
