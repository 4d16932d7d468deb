"""Study of lesson 04: the networks that the microscope runs in the page.

Question: can the networks of the lesson be made small enough for a page and still be themselves?
Their batch normalisations are folded into scales and shifts of 16 bits, and their weights rounded
to one byte, a whole number times a step of its output channel. Plain, residual and faded networks
of 20 and of 56 layers are trained as in the study of the fading shortcut, each at the best rate
that the studies of the lesson found; every one is judged before and after rounding, as Keras runs
it. What is shown in the page is the run of the first seed, whatever became of it.

The race in the page starts from rates that are searched here, too, for each depth and each kind of
start, on seeds that the page does not begin with.
"""

import functools
from pathlib import Path

import numpy as np
from keras.optimizers.schedules import CosineDecay

from resnet_lesson.data import Dataset, Examples, load_mnist
from resnet_lesson.diagnostics import exchangeable, run_parts, without_branch
from resnet_lesson.models import network, segments
from resnet_lesson.studies import Study, known, learning_curve, without_test
from resnet_lesson.training import Trainer
from resnet_lesson.variants import fade, with_fading_shortcuts, without_shortcuts
from resnet_lesson.widgets import microscope

SETTINGS = {
    "train": 12800,
    "batch_size": 64,
    "updates": 1200,
    "constant_until": 800,  # then CosineDecay to zero
    "fade": [200, 800],
    "seeds": [20, 21, 22],  # none of them has chosen a rate; the page shows the first
    # 56 layers: the best of 04_fading_shortcut, whose schedule this is. 20 layers: the best of
    # 04_rate_map; a faded network of 20 layers was not searched and takes the rate of 56.
    "rates": {
        "56": {"plain": 0.02, "residual": 0.005, "faded": 0.01},
        "20": {"plain": 0.02, "residual": 0.02, "faded": 0.01},
    },
    "probe_images": 6400,
    "race": {
        "depths": [12, 22, 42],
        "width": 32,
        "updates": 400,
        "rates": [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02],
        "lower_rates": [0.0001, 0.00005],  # where the best rate is at an edge, these are tried too
        "higher_rates": [0.05, 0.1],
        "seeds": [100, 101, 102],
    },
    # What is claimed before the first run, of all seeds at both depths.
    "claims": [
        # Rounding changes the number of mistakes on 10,000 test images by at most so many.
        {"kind": "rounding", "at_most": 40},
        # Cut off after training, the shortcuts leave at least so many times the mistakes of the
        # network that was trained while they faded.
        {"kind": "cut", "above": "residual", "below": "faded", "ratio": 5},
        # One block taken out, mean over the blocks that keep their shape: of 56 layers, the plain
        # network makes at least so many times the mistakes of the residual one.
        {"kind": "block off", "above": "plain", "below": "residual", "ratio": 3},
    ],
}
PARTS = Path(__file__).parents[2] / "build" / "04_microscope"


@functools.cache
def images():
    return load_mnist(train=SETTINGS["train"], val=0)


def one_run(task):
    """Train one network; return what it knows, rounded and not. The shown one is kept in a file."""
    if task["what"] == "race":
        return one_race(task)
    data, kind, depth = images(), task["kind"], task["depth"]
    rate = SETTINGS["rates"][str(depth)][kind]
    model, on_update = network(depth, "none" if kind == "plain" else "padded"), None
    if kind == "faded":
        model = with_fading_shortcuts(model)
        on_update = fade(model, *SETTINGS["fade"])

    constant, updates = SETTINGS["constant_until"], SETTINGS["updates"]
    schedule = CosineDecay(rate, updates - constant, warmup_target=rate, warmup_steps=constant)
    trainer = Trainer(model, SETTINGS["batch_size"], schedule)
    run = trainer.run(without_test(data), task["seed"], updates, on_update=on_update)
    found = learning_curve(run) | {"before": known(trainer.logits, data)}

    plain = without_shortcuts(model) if kind != "plain" else model
    model = plain if kind == "faded" else model
    if kind == "residual":
        found["cut"] = known(Trainer(plain).logits, data)
    some = slice(0, SETTINGS["probe_images"])
    arrays = microscope.folded(model, data.train.images[some], data.train.labels[some])
    config = {"depth": depth, "shortcut": microscope.KINDS[kind]}
    rounded = microscope.unfolded(config, arrays)
    found |= {"after": known(Trainer(rounded).logits, data)}
    found["block_off"] = mistakes_without_each_block(rounded)
    if task["seed"] == SETTINGS["seeds"][0]:
        PARTS.mkdir(parents=True, exist_ok=True)
        np.savez(part_of(kind, depth), **arrays)
    return found


def mistakes_without_each_block(model):
    """Count the mistakes on 2,000 test images with each block taken out that keeps its shape."""
    parts, test = segments(model), images().test
    found = {}
    for name, shape in exchangeable(parts).items():
        if not isinstance(shape[0], tuple):
            logits = run_parts(without_branch(parts, name), test.images[:2000])
            found[name] = int(np.sum(logits.argmax(axis=1) != test.labels[:2000]))
    return found


def one_race(task):
    """Train one network of the race; return the mean loss of its last 50 updates."""
    race = SETTINGS["race"]
    shortcut, zero_init = ("none" if task["kind"] == "plain" else "padded"), task["kind"] == "zero"
    options = {"block": "dense", "widths": (race["width"],), "normalisation": False}
    shape = {"input_shape": (14, 14, 1)}
    model = network(task["depth"], shortcut, zero_init=zero_init, **options, **shape)
    pixels, labels = microscope.race_digits()
    digits = (pixels[..., np.newaxis] / 255 - microscope.PIXEL_MEAN) / microscope.PIXEL_STD
    train = Examples(digits.astype(np.float32), labels.astype(np.int32))
    nothing = Examples(train.images[:0], train.labels[:0])
    trainer = Trainer(model, SETTINGS["batch_size"], task["rate"])
    run = trainer.run(Dataset(train, nothing, nothing), task["seed"], race["updates"])
    return {"train_loss": float(np.mean(run.loss[-50:])), "seconds": round(run.seconds[-1], 1)}


def part_of(kind, depth):
    return PARTS / f"{kind}_{depth}.npz"


def main():
    study, race = Study(Path(__file__), SETTINGS), SETTINGS["race"]
    networks = [
        {"what": "network", "kind": kind, "depth": depth, "seed": seed}
        for depth in (56, 20)
        for kind in microscope.KINDS
        for seed in SETTINGS["seeds"]
    ]
    study.run(one_run, networks)
    arms = [(depth, kind) for depth in race["depths"] for kind in ("plain", "residual", "zero")]

    def races(depth, kind, rate):
        task = {"what": "race", "kind": kind, "depth": depth, "rate": rate}
        return [task | {"seed": seed} for seed in race["seeds"]]

    # All at once, so that no core waits; the search below reads them.
    study.run(
        one_run, [task for arm in arms for rate in race["rates"] for task in races(*arm, rate)]
    )
    best = {str(depth): {} for depth in race["depths"]}
    edges = race["rates"], race["lower_rates"], race["higher_rates"]
    for depth, kind in arms:
        search = functools.partial(races, depth, kind)
        best[str(depth)][kind] = study.best_rate(one_run, search, *edges)
    for task in networks:
        if (
            task["seed"] == SETTINGS["seeds"][0]
            and not part_of(task["kind"], task["depth"]).exists()
        ):
            one_run(task)  # the record knows the run, but its network is not on this machine
    write(study, best)


def write(study, best):
    """Write the networks of the first seed, and the rates of the race, for the page to read."""
    networks = {}
    for result in study.results:
        task = result["task"]
        if task["what"] == "network" and task["seed"] == SETTINGS["seeds"][0]:
            kind, depth = task["kind"], task["depth"]
            with np.load(part_of(kind, depth)) as file:
                facts = {"test_mistakes": result["after"]["test_mistakes"]}
                networks[kind, depth] = dict(file), facts
    source = (
        f"These networks were trained by the study {Path(__file__).stem}: {SETTINGS['updates']:,} "
        f"updates, seed {SETTINGS['seeds'][0]}, the first of {len(SETTINGS['seeds'])}."
    )
    microscope.write_networks(networks, {"source": source, "race_rates": best})


if __name__ == "__main__":
    main()
