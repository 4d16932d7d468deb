"""Study of lesson 04: shortcuts that fade while the network learns.

Question: is there a good plain network, and can training get there? Every shortcut is multiplied by
one number λ. It is 1 at the start, falls in a straight line, and from then on it is exactly 0: what
is left is a plain network, and is exported as one. Controls are the network that is plain from the
start, the one that stays residual, and that one with its shortcuts cut off when all is learnt.

All have the same schedule: a constant rate as long as any shortcut is left, then annealing to zero.
Each has its own best rate, found on seeds that have no part in what is judged; and all are run at
the course's old rate once more. Runs of one seed share first weights and order of images.
"""

import functools
from pathlib import Path

import numpy as np
import tensorflow as tf
from keras.optimizers.schedules import CosineDecay

from resnet_lesson.data import load_mnist
from resnet_lesson.models import network, segments
from resnet_lesson.studies import Study, known, learning_curve, without_test
from resnet_lesson.training import Trainer
from resnet_lesson.variants import with_fading_shortcuts, without_shortcuts

SETTINGS = {
    "train": 12800,
    "batch_size": 64,
    "updates": 1200,
    "constant_until": 800,  # then CosineDecay to zero
    "fade": [200, 800],  # λ is 1 before the first of these updates, and 0 from the second on
    "common_rate": 0.002,
    "narrow": {
        "network": {"depth": 56},
        "rates": [0.002, 0.005, 0.01, 0.02, 0.05],
        "search_seeds": [0, 1],
        "seeds": [10, 11, 12, 13, 14, 15, 16, 17],
    },
    "full_width": {
        "network": {"depth": 54, "block": "basic"},
        "rates": [0.001, 0.002, 0.005, 0.01],
        "search_seeds": [0],
        "seeds": [10, 11, 12, 13, 14],
    },
    "lower_rates": [0.0005, 0.0002],  # where the best rate is at an edge, these are tried too
    "higher_rates": [0.02, 0.05, 0.1, 0.2],
    # How late may the fade begin, and how fast may it be? In the narrow network, at its best rate.
    "other_fades": [[0, 1], [0, 200], [0, 800], [200, 400], [400, 600], [600, 800], [790, 800]],
    "other_fades_seeds": [10, 11, 12],
    # What is claimed before the first run, of the training loss of the final weights on the fresh
    # seeds, each arm at its best rate. `paired`: the mean difference, seed by seed, is above zero.
    "claims": [
        {"kind": "paired", "above": "narrow plain", "below": "narrow fading"},
        {"kind": "paired", "above": "full_width plain", "below": "full_width fading"},
        {"kind": "paired", "above": "narrow fading", "below": "narrow residual"},
        {"kind": "paired", "above": "full_width fading", "below": "full_width residual"},
        # In every pair of runs, at least so many times.
        {"kind": "all pairs", "above": "narrow cut", "below": "narrow fading", "ratio": 5},
        {"kind": "all pairs", "above": "full_width cut", "below": "full_width fading", "ratio": 5},
    ],
}
GROUPS = ("narrow", "full_width")
ARMS = ("plain", "fading", "residual")


@functools.cache
def images():
    return load_mnist(train=SETTINGS["train"], val=0)


def schedule(rate):
    """Return the rate's schedule: a warm-up from the rate to itself keeps it constant."""
    constant = SETTINGS["constant_until"]
    annealing = SETTINGS["updates"] - constant
    return CosineDecay(rate, annealing, warmup_target=rate, warmup_steps=constant)


def one_run(task):
    """Train one arm; return what its final weights know, as a plain network where they are one."""
    data = images()
    shortcut = "none" if task["arm"] == "plain" else "padded"
    model = network(shortcut=shortcut, **SETTINGS[task["group"]]["network"])
    on_update = None
    if task["arm"] == "fading":
        model = with_fading_shortcuts(model)
        on_update = fade(model.get_layer("shortcut_scale").scale, *task["fade"])
    trainer = Trainer(model, SETTINGS["batch_size"], schedule(task["rate"]))
    updates = SETTINGS["updates"]
    run = trainer.run(without_test(data), task["seed"], updates, on_update=on_update)
    found = known(trainer.logits, data) | learning_curve(run)
    if task["arm"] == "plain":
        return found | {"blocks": block_measurements(model)}
    plain = without_shortcuts(model)
    if task["arm"] == "residual":
        return found | {"cut": known(Trainer(plain).logits, data)}
    some = data.test.images[:500]
    assert np.array_equal(plain.predict(some, verbose=0), model.predict(some, verbose=0))
    return found | {"blocks": block_measurements(plain)}


def fade(scale, start, end):
    """Return a function that sets λ for the next update, to be called after each."""
    done = 0

    def after_update():
        nonlocal done
        done += 1
        scale.assign(np.clip((end - done) / (end - start), 0, 1))

    return after_update


def block_measurements(model):
    """Return for each block of a plain network what it does to 200 test images.

    ``size``: ‖F(x)‖ / ‖x‖, mean over images; ``cosine``: between F(x) and x, where shapes are
    equal; ``gain``: how much the block's Jacobian stretches a random gradient, root mean square.
    """
    parts = segments(model)
    x = parts.pop("stem")(images().test.images[:200], training=False)
    parts.pop("head")
    found = []
    for number, part in enumerate(parts.values()):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = part(x, training=False)
        v = tf.random.stateless_normal(y.shape, [number, 0])
        gradient = tape.gradient(y, x, v)
        gain = np.sqrt(np.sum(gradient**2) / np.sum(v**2))
        before, after = (np.reshape(values, (len(x), -1)) for values in (x, y))
        sizes = np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1)
        result = {"size": float(np.mean(sizes[1] / sizes[0])), "gain": float(gain)}
        if before.shape == after.shape:
            products = np.sum(before * after, axis=1)
            result["cosine"] = float(np.mean(products / np.maximum(sizes[0] * sizes[1], 1e-12)))
        found.append({name: round(value, 4) for name, value in result.items()})
        x = y
    return found


def best_rate(study, group, arm):
    """Return the best rate of an arm, on the seeds of the search."""
    chosen = SETTINGS[group]

    def tasks_at(rate):
        return [task(group, arm, rate, seed) for seed in chosen["search_seeds"]]

    higher = [rate for rate in SETTINGS["higher_rates"] if rate > max(chosen["rates"])]
    return study.best_rate(one_run, tasks_at, chosen["rates"], SETTINGS["lower_rates"], higher)


def task(group, arm, rate, seed, fade=None):
    chosen = {"fade": fade or SETTINGS["fade"]} if arm == "fading" else {}
    return {"group": group, "arm": arm, "rate": rate, "seed": seed} | chosen


def main():
    study = Study(Path(__file__), SETTINGS)
    best = {}
    for group in GROUPS:
        chosen = SETTINGS[group]
        study.run(
            one_run,
            [
                task(group, arm, rate, seed)
                for arm in ARMS
                for rate in chosen["rates"]
                for seed in chosen["search_seeds"]
            ],
        )
        best |= {(group, arm): best_rate(study, group, arm) for arm in ARMS}
        study.run(
            one_run,
            [
                task(group, arm, rate, seed)
                for arm in ARMS
                for rate in dict.fromkeys((best[group, arm], SETTINGS["common_rate"]))
                for seed in chosen["seeds"]
            ],
        )
        if group == "narrow":
            fades, seeds = SETTINGS["other_fades"], SETTINGS["other_fades_seeds"]
            rate = best["narrow", "fading"]
            study.run(one_run, [task(group, "fading", rate, s, f) for f in fades for s in seeds])
    print(f"best rates: {best}")


if __name__ == "__main__":
    main()
