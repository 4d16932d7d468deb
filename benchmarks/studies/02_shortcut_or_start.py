"""Study of lesson 02: is it the shortcut, or only the start that it gives?

A residual block starts near the identity, for its branch is small beside x. A plain block whose
kernels start near the identity does so, too. Question: how far does a good start alone carry a
plain network? Full-width plain networks of 54 layers start at (1 − t) · Dirac + t · He, for five t:
at t = 0 each convolution passes its input on, at t = 1 it starts as usual. Two more starts: one
that makes every ReLU layer linear (Balduzzi et al. 2017, Section 4), and a shortcut of 1×1
convolutions that are learnt and start at the identity. The residual network is the reference.

And the exact copy of lesson 01, 100 dense layers that compute what 10 have learnt: does it stay as
good as it is, when training goes on?

References
    Balduzzi et al. 2017: The Shattered Gradients Problem, ICML (arXiv:1702.08591).
    Zagoruyko, Komodakis 2017: DiracNets (arXiv:1706.00388): kernels parametrised around the Dirac
        kernel; here it is the start alone.
"""

import functools
from pathlib import Path

import keras
import numpy as np
from keras import layers
from keras.optimizers.schedules import CosineDecay

from resnet_lesson.data import load_mnist
from resnet_lesson.models import network, reset_weights
from resnet_lesson.studies import Study, known, learning_curve, without_test
from resnet_lesson.training import Trainer

SETTINGS = {
    "train": 12800,
    "batch_size": 64,
    "updates": 600,
    "schedule": "CosineDecay",  # from the rate to zero
    "network": {"depth": 54, "block": "basic"},
    "arms": [
        *("dirac 0", "dirac 0.25", "dirac 0.5", "dirac 0.75", "plain"),
        *("looks linear", "identity 1x1", "residual"),
    ],
    "rates": [0.001, 0.003, 0.01, 0.03],
    "lower_rates": [0.0003, 0.0001],  # where the best rate is at an edge, these are tried too
    "higher_rates": [0.1, 0.3],
    "search_seeds": [0],
    "seeds": [10, 11, 12],
    "copy": {
        "network": {"shortcut": "none", "block": "dense", "widths": [71], "normalisation": False},
        "depths": [10, 100],
        "rate": 0.001,
        "rates_after": [0.0001, 0.0003, 0.001, 0.003],
        "seeds": [10, 11, 12],
    },
    # What is claimed before the first run, of the final training loss: in every pair of runs,
    # `above` ends at this many times the loss of `below`.
    "claims": [
        {"above": "plain", "below": "dirac 0", "ratio": 1.5},
        {"above": "plain", "below": "looks linear", "ratio": 1.5},
        {"above": "dirac 0", "below": "residual", "ratio": 1.5},
    ],
}


@functools.cache
def images():
    return load_mnist(train=SETTINGS["train"], val=0)


def built(arm):
    """Build the network of an arm."""
    if arm in ("residual", "identity 1x1"):
        model = network(**SETTINGS["network"])
        return model if arm == "residual" else with_learnt_shortcuts(model)
    return network(shortcut="none", **SETTINGS["network"])


def with_learnt_shortcuts(model):
    """Return a residual network anew, with a 1×1 convolution on each shortcut."""

    def call(layer, *args, **options):
        if not isinstance(layer, layers.Add):
            return layer(*args, **options)
        branch, carried = args[0]
        name = layer.name.removesuffix("_add") + "_line"
        # "same": TensorFlow folds padded channels into a "valid" convolution, wrongly.
        line = layers.Conv2D(carried.shape[-1], 1, padding="same", use_bias=False, name=name)
        return layer([branch, line(carried)])

    return keras.models.clone_model(model, call_function=call)


def start(model, arm, seed):
    """Set the first weights: those of the seed, changed as the arm says."""
    reset_weights(model, seed)
    for layer in model.layers:
        if not isinstance(layer, layers.Conv2D):
            continue
        kernel = layer.kernel.numpy()
        if layer.name.endswith("_line"):
            layer.kernel.assign(dirac(kernel))
        elif arm.startswith("dirac") and layer.name != "stem_conv":
            t = float(arm.split()[1])
            layer.kernel.assign((1 - t) * dirac(kernel) + t * kernel)
        elif arm == "looks linear":
            layer.kernel.assign(mirrored(kernel))


def dirac(kernel):
    """Return the kernel of this shape that passes channel i on as channel i."""
    height, width, before, after = kernel.shape
    identity = np.zeros_like(kernel)
    identity[height // 2, width // 2] = np.eye(before, after)
    return identity


def mirrored(kernel):
    """Return a kernel for channels in pairs (h, −h), of which ReLU keeps all, as h⁺ and h⁻.

    Balduzzi 2017 uses concatenated ReLUs; this is the same, written for the usual one.
    """
    result = np.zeros_like(kernel)
    pairs = kernel[:, :, ::2, ::2] if kernel.shape[2] > 1 else kernel[..., ::2]
    result[:, :, ::2, ::2] = pairs
    result[:, :, ::2, 1::2] = -pairs
    if kernel.shape[2] > 1:
        result[:, :, 1::2, ::2] = -pairs
        result[:, :, 1::2, 1::2] = pairs
    return result


def one_run(task):
    """Train one network from its start; return what it knows in the end."""
    data, updates = images(), SETTINGS["updates"]
    model = built(task["arm"])
    start(model, task["arm"], task["seed"])
    trainer = Trainer(model, SETTINGS["batch_size"], CosineDecay(task["rate"], updates))
    run = trainer.run(without_test(data), task["seed"], updates, reset=False)
    return known(trainer.logits, data) | learning_curve(run)


def one_copy(task):
    """Train 10 dense layers, copy them into a network of some depth, train that on."""
    data, updates, chosen = images(), SETTINGS["updates"], SETTINGS["copy"]
    shallow = network(10, **chosen["network"])
    trainer = Trainer(shallow, 64, CosineDecay(chosen["rate"], updates))
    trainer.run(without_test(data), task["copy"], updates)
    deep = network(task["depth"], **chosen["network"])
    names = {layer.name for layer in shallow.layers}
    for layer in deep.layers:
        if layer.name in names:
            layer.set_weights(shallow.get_layer(layer.name).get_weights())
        elif layer.weights:  # an identity
            layer.set_weights([np.eye(71), np.zeros(71)])
    trainer = Trainer(deep, 64, CosineDecay(task["rate"], updates))
    before = known(trainer.logits, data)
    run = trainer.run(without_test(data), 100 + task["copy"], updates, reset=False)
    return {"before": before} | known(trainer.logits, data) | learning_curve(run)


def task(arm, rate, seed):
    return {"arm": arm, "rate": rate, "seed": seed}


def main():
    study, chosen = Study(Path(__file__), SETTINGS), SETTINGS["copy"]
    copies = [
        {"copy": seed, "depth": depth, "rate": rate}
        for depth in chosen["depths"]
        for rate in chosen["rates_after"]
        for seed in chosen["seeds"]
    ]
    study.run(one_copy, copies)
    for arm in SETTINGS["arms"]:

        def tasks_at(rate, arm=arm):
            return [task(arm, rate, seed) for seed in SETTINGS["search_seeds"]]

        rates, lower, higher = (SETTINGS[f"{w}rates"] for w in ("", "lower_", "higher_"))
        best = study.best_rate(one_run, tasks_at, rates, lower, higher)
        study.run(one_run, [task(arm, best, seed) for seed in SETTINGS["seeds"]])
        print(f"{arm}: best rate {best}")


if __name__ == "__main__":
    main()
