"""Study of lessons 05 and 07: variants of one network, each at its best rate, and early signals.

Question of lesson 07: which design choices matter at this size? Each variant differs from the
baseline in one thing (``variants.VARIANTS``). Three arms more tell apart what ``projected
shortcuts`` changes at once: only the normalisation on each shortcut; only the 1×1 convolution; and
that convolution started at the identity. Each arm has its own best rate at each depth, found on
seeds that have no part in what is judged. Runs of one seed share the order of images, and the first
weights of all layers that they have in common.

Question of lesson 05: what, measured at the start or after 50 updates, tells where a network will
end? Inside the judged runs are measured how far the gradients of disjoint batches agree; how much
of the promised fall of the loss a step along a batch's gradient brings, for that batch and for
another; what a linear probe reads after the middle block; and how much larger the gradient is at
the first layer than at the last. The loss after 50 updates is what each signal must be better than.
A third depth, and dense networks of lesson 01, take part in the signals alone.
"""

import functools
import re
from pathlib import Path

import keras
import numpy as np
from keras import layers
from keras.optimizers.schedules import CosineDecay

from resnet_lesson.blocks import batch_norm
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import (
    activations,
    gradient_agreement,
    gradient_norms,
    probe_accuracy,
    realised_fall,
)
from resnet_lesson.models import network, reset_weights
from resnet_lesson.studies import Study, known, learning_curve, without_test
from resnet_lesson.training import Trainer
from resnet_lesson.variants import VARIANTS, variant_network

DENSE = {"block": "dense", "widths": [71], "normalisation": False}
SETTINGS = {
    "train": 12800,
    "batch_size": 64,
    "schedule": "CosineDecay",  # from the rate to zero
    "updates": 300,
    "depths": [20, 56],
    "variants": [*VARIANTS, "norm on shortcuts", "1x1 shortcuts", "identity 1x1 shortcuts"],
    "rates": [0.002, 0.01, 0.03],
    "lower_rates": [0.0005, 0.0001, 0.00002],  # where the best rate is at an edge
    "higher_rates": [0.1, 0.3, 1.0],
    "search_seeds": [0, 1],
    "seeds": [10, 11, 12, 13, 14, 15, 16, 17],
    "signals_after": [0, 50, 300],
    "seeds_with_norms": [10],  # the gradient's norm in every layer: those of one seed fill a figure
    # A third depth, at each variant's best rate of 56 layers.
    "third_depth": 38,
    "third_seeds": [20, 21, 22],
    "dense": {
        "updates": 600,
        "signals_after": [0, 50, 600],
        "networks": {
            **{f"dense plain {depth}": {"depth": depth, "shortcut": "none"} for depth in (10, 100)},
            "dense residual 100": {"depth": 100, "shortcut": "padded"},
            "dense zero branches 100": {"depth": 100, "shortcut": "padded", "zero_init": True},
        },
        "rates": [0.0003, 0.001, 0.003],
        "lower_rates": [0.0001, 0.00003, 0.00001],
        "higher_rates": [0.01, 0.03],
        "seeds": [10, 11, 12],
    },
    # What is expected before the first run, of 56 layers against the baseline, seed by seed: He
    # 2016b, Tables 1 and 2, test error of 110 layers on CIFAR-10, in per cent; the baseline has
    # 6.61. In Table 1 "shortcut times 0.5" fails to converge, with more than 20.
    "he_2016b": {
        "shortcut times 0.5": None,
        "both times 0.5": 12.35,
        "exclusive gate": 8.70,
        "shortcut-only gate": 6.91,
        "1x1 shortcuts": 12.22,
        "norm after addition": 8.17,
        "relu before addition": 7.84,
        "relu-only pre-activation": 6.71,
        "pre-activation": 6.37,
    },
    # Each variant is compared with the baseline at each depth: paired, Holm over the variants of a
    # depth; training loss and test mistakes are a family each. No direction is claimed beforehand.
    #
    # Signals: Spearman's rank correlation over the variants, between a signal's mean over the first
    # of these seeds and the final training loss's mean over the others, of 56 layers after 50
    # updates. Claimed is this sign, and at least 0.5; then the same sign at the third depth.
    "signal_seeds": [[10, 11, 12, 13], [14, 15, 16, 17]],
    "signs": {"agreement": -1, "own_fall": -1, "other_fall": -1, "probe": -1},
}


@functools.cache
def images():
    return load_mnist(train=SETTINGS["train"], val=0)


def built(task):
    """Build the network of a task."""
    name = task["name"]
    if name in SETTINGS["dense"]["networks"]:
        return network(**SETTINGS["dense"]["networks"][name], **DENSE)
    if name in VARIANTS:
        return variant_network(task["depth"], name)
    return with_changed_shortcuts(variant_network(task["depth"]), name)


def with_changed_shortcuts(model, name):
    """Return the baseline anew, with a layer on each shortcut."""

    def call(layer, *args, **options):
        if not isinstance(layer, layers.Add):
            return layer(*args, **options)
        branch, carried = args[0]
        line = layer.name.removesuffix("_add") + "_line"
        if name == "norm on shortcuts":
            return layer([branch, batch_norm(line)(carried)])
        start = "he_normal" if name == "1x1 shortcuts" else Identity1x1()
        # "same": TensorFlow folds padded channels into a "valid" convolution, wrongly.
        options = {"padding": "same", "use_bias": False, "kernel_initializer": start, "name": line}
        return layer([branch, layers.Conv2D(carried.shape[-1], 1, **options)(carried)])

    return keras.models.clone_model(model, call_function=call)


@keras.saving.register_keras_serializable(package="resnet_lesson_study")
class Identity1x1(keras.initializers.Initializer):
    """The kernel of a 1×1 convolution that passes channel i on as channel i."""

    def __call__(self, shape, dtype=None):
        return np.eye(shape[-1], dtype="float32")[None, None]


def one_run(task):
    """Train one network; return what its final weights know."""
    trainer, run = trained(task)
    return known(trainer.logits, images()) | learning_curve(run)


def one_run_with_signals(task):
    """Train one network; return what its final weights know, and the signals on the way."""
    found, model = {}, built(task)
    done, wanted = 0, task["signals_after"]

    def after_update():
        nonlocal done
        done += 1
        if done in wanted:
            found[str(done)] = signals(model)

    reset_weights(model, task["seed"])
    found["0"] = signals(model)
    trainer, run = trained(task, model, after_update)
    if task["seed"] not in SETTINGS["seeds_with_norms"]:
        for signal in found.values():
            del signal["norms"]
    result = known(trainer.logits, images()) | learning_curve(run)
    return result | {"signals": found} | final_scales(model, task["name"])


def trained(task, model=None, on_update=None):
    updates = task.get("updates", SETTINGS["updates"])
    model = built(task) if model is None else model
    trainer = Trainer(model, SETTINGS["batch_size"], CosineDecay(task["rate"], updates))
    data = without_test(images())
    return trainer, trainer.run(data, task["seed"], updates, on_update=on_update)


def signals(model):
    """Measure a network as it is, in training mode, on images that are the same for all."""
    x, y = images().train.images, images().train.labels
    own, other = realised_fall(model, x[:256], y[:256], x[256:512], y[256:512])
    norms = list(gradient_norms(model, x[:256], y[:256]).values())
    blocks = [layer.name for layer in model.layers if re.fullmatch("stage.*_out", layer.name)]
    middle = blocks[len(blocks) // 2 - 1]
    features, test_features = (
        activations(model, x[at], [middle])[middle] for at in (slice(1000, 2000), slice(2000, 3000))
    )
    return {
        "agreement": digits(gradient_agreement(model, x[:512], y[:512])),
        "own_fall": digits(own),
        "other_fall": digits(other),
        "probe": probe_accuracy(features, y[1000:2000], test_features, y[2000:3000]),
        # Of the first layer to the last hidden one; zero branches give that one none at the start.
        "gradient_ratio": digits(norms[0] / norms[-2]) if norms[-2] else None,
        "norms": [digits(norm) for norm in norms],
    }


def final_scales(model, name):
    """Return what training made of the numbers that an arm adds, one a block, where it has any."""
    if name == "zero last gamma":
        norms = [layer for layer in model.layers if layer.name.endswith("_norm3")]
        return {"gammas": [digits(np.abs(norm.gamma.numpy()).mean()) for norm in norms]}
    if name == "branch scale":
        scales = [layer.scale for layer in model.layers if layer.name.endswith("_scale")]
        return {"scales": [digits(scale.numpy()) for scale in scales]}
    if name.endswith(" gate"):
        gates = [layer.name for layer in model.layers if layer.name.endswith("_gate")]
        values = activations(model, images().train.images[:200], gates)
        return {"gates": [digits(value.mean()) for value in values.values()]}
    return {}


def digits(value):
    """Return a number with four digits."""
    return float(f"{value:.4g}")


def task(name, depth, rate, seed, signals_after=None, updates=None):
    optional = {"signals_after": signals_after, "updates": updates}
    kept = {key: value for key, value in optional.items() if value}
    return {"name": name, "depth": depth, "rate": rate, "seed": seed} | kept


def run_variants(study):
    """Search, and run on fresh seeds; then the third depth."""
    after = SETTINGS["signals_after"]
    for name in SETTINGS["variants"]:
        for depth in SETTINGS["depths"]:

            def tasks_at(rate, name=name, depth=depth):
                return [task(name, depth, rate, seed) for seed in SETTINGS["search_seeds"]]

            rates, lower, higher = (SETTINGS[f"{w}rates"] for w in ("", "lower_", "higher_"))
            best = study.best_rate(one_run, tasks_at, rates, lower, higher)
            seeds = SETTINGS["seeds"]
            study.run(one_run_with_signals, [task(name, depth, best, s, after) for s in seeds])
            print(f"{name}, {depth} layers: best rate {best}", flush=True)
        third, seeds = SETTINGS["third_depth"], SETTINGS["third_seeds"]
        study.run(one_run_with_signals, [task(name, third, best, s, after) for s in seeds])


def run_dense(study):
    chosen = SETTINGS["dense"]
    updates, after = chosen["updates"], chosen["signals_after"]
    for name, config in chosen["networks"].items():

        def tasks_at(rate, name=name, depth=config["depth"]):
            seeds = SETTINGS["search_seeds"]
            return [task(name, depth, rate, seed, updates=updates) for seed in seeds]

        rates, lower, higher = (chosen[f"{w}rates"] for w in ("", "lower_", "higher_"))
        best = study.best_rate(one_run, tasks_at, rates, lower, higher)
        tasks = [task(name, config["depth"], best, s, after, updates) for s in chosen["seeds"]]
        study.run(one_run_with_signals, tasks)


def main():
    study = Study(Path(__file__), SETTINGS)
    run_dense(study)
    run_variants(study)


if __name__ == "__main__":
    main()
