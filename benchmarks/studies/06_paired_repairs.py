"""Study of lesson 06: what does each defect of the article's network cost, and each repair bring?

The setting is the article's: Adam at 0.003 with TensorFlow 1's ε of 1e-8, batches of 128, and the
images as the loader of TensorFlow's tutorials gave them, 55,000, scaled to [0, 1]. Two things
differ: five passes in place of 100,000 updates, and a rate that falls to zero, so that the last
batches do not decide which network is ahead. "stride on both paths" is left out, for it changes
nothing at the article's stride of 1. Runs of one seed share the order of images, and the first
weights of all layers that they have in common.

The article has two comments beside its second pool: average pooling, and normalisation. They can
be read as a note on that pool alone (``at pool2``), or as the advice that later became usual: a
global average in place of all that follows, and normalisation after every convolution. Both
readings are tried.

The global average costs much. Why? Four networks tell the possible reasons apart. Is it what the
average forgets, so that a global maximum, or a dense layer after it, is as bad? Is it the dense
layer that goes with it? Or is what the average gives merely too small for the learning to begin?
"""

import functools
from pathlib import Path

import keras
from keras import layers
from keras.optimizers.schedules import CosineDecay

from resnet_lesson.article import FIXES, article_network
from resnet_lesson.blocks import batch_norm
from resnet_lesson.data import PIXEL_MEAN, PIXEL_STD, Examples, load_mnist
from resnet_lesson.plumbing.adam import Adam
from resnet_lesson.studies import Study, known, learning_curve, without_test
from resnet_lesson.training import Trainer

SINGLE = [fix for fix in FIXES if fix != "stride on both paths"]
IN_THE_BLOCKS = ["one softmax", "own projection", "add before relu", "one bias"]
SETTINGS = {
    "train": 55000,
    "batch_size": 128,
    "updates": 5 * (55000 // 128),
    "learning_rate": 3e-3,
    "schedule": "CosineDecay",  # from the rate to zero
    "epsilon": 1e-8,
    "seeds": [10, 11, 12, 13, 14, 15],
    # What `article_network` takes; and a head of this study's own, where it is not the article's.
    "networks": {
        "as written": {},
        "as written, no shortcuts": {"shortcut": False},
        **{fix: {"fixes": [fix]} for fix in SINGLE},
        "average pooling at pool2": {"head": "average at pool2"},
        "normalisation at pool2": {"head": "norm at pool2"},
        "all repairs": {"fixes": SINGLE},
        "all repairs, no shortcuts": {"fixes": SINGLE, "shortcut": False},
        "all repairs, pool2 kept": {"fixes": [*IN_THE_BLOCKS, "normalisation"]},
        "all repairs, pool2 kept, no shortcuts": {
            "fixes": [*IN_THE_BLOCKS, "normalisation"],
            "shortcut": False,
        },
        # Why does the global average cost so much?
        "global maximum": {"head": "global maximum"},
        "global average and dense layer": {"head": "global average and dense layer"},
        "pool2 without dense layer": {"head": "pool2 without dense layer"},
        "global average, enlarged": {"head": "global average, enlarged"},
    },
    # What the enlarged average is multiplied by.
    "enlarged": 10.0,
    # What is claimed before the first run, of the final training loss, seed by seed.
    "paired": [
        {"above": "as written", "below": "all repairs, pool2 kept"},
        {"above": "average pooling", "below": "as written"},
        {"above": "all repairs, no shortcuts", "below": "all repairs"},
        {"above": "all repairs, pool2 kept, no shortcuts", "below": "all repairs, pool2 kept"},
    ],
    # Each other network is compared with "as written", in training loss and in test mistakes (each
    # a family, Holm); no direction is claimed beforehand.
}


@functools.cache
def images():
    """Return MNIST on the article's scale, from 0 to 1."""
    data = load_mnist(train=SETTINGS["train"], val=0)
    return data._replace(**{part: rescaled(getattr(data, part)) for part in ("train", "test")})


def rescaled(examples):
    return Examples(examples.images * PIXEL_STD + PIXEL_MEAN, examples.labels)


class ArticleTrainer(Trainer):
    """Trains with TensorFlow 1's ε."""

    def _new_optimizer(self):
        optimizer = Adam(self.learning_rate, epsilon=SETTINGS["epsilon"])
        optimizer.build(self.model.trainable_variables)
        return optimizer


def built(name):
    """Build a network of the study."""
    options = dict(SETTINGS["networks"][name])
    head = options.pop("head", None)
    model = article_network(**options)
    return model if head is None else with_head(model, head)


def with_head(model, head):
    """Return the network as written up to block 5, with another head."""
    x = model.get_layer("block5_out").output  # (B, 14, 14, 32)
    start = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.1)}

    match head:
        case "average at pool2":
            x = layers.AveragePooling2D(2, padding="same", name="pool2")(x)
        case "global maximum":
            x = layers.GlobalMaxPooling2D(name="pool")(x)
        case "global average and dense layer" | "global average, enlarged":
            x = layers.GlobalAveragePooling2D(name="pool")(x)
        case _:
            x = layers.MaxPooling2D(2, padding="same", name="pool2")(x)
    if head == "norm at pool2":
        x = batch_norm("pool2_norm")(x)
    if head == "global average, enlarged":
        x = layers.Rescaling(SETTINGS["enlarged"], name="enlarged")(x)
    if len(x.shape) == 4:
        x = layers.Flatten(name="flatten")(x)

    if head in ("average at pool2", "norm at pool2", "global average and dense layer"):
        x = layers.Dense(128, name="dense1", **start)(x)
        x = layers.ReLU(name="dense1_out")(x)
    x = layers.Dense(10, name="logits", **start)(x)
    return keras.Model(model.input, layers.Softmax(name="outputs")(x))


def one_run(task):
    """Train one network; return what its final weights know."""
    data, updates, model = images(), SETTINGS["updates"], built(task["name"])
    schedule = CosineDecay(SETTINGS["learning_rate"], updates)
    trainer = ArticleTrainer(model, SETTINGS["batch_size"], schedule)
    run = trainer.run(without_test(data), task["seed"], updates)
    return known(trainer.logits, data) | learning_curve(run, every=143)  # a third of a pass


def main():
    study = Study(Path(__file__), SETTINGS)
    for seed in SETTINGS["seeds"]:
        study.run(one_run, [{"name": name, "seed": seed} for name in SETTINGS["networks"]])


if __name__ == "__main__":
    main()
