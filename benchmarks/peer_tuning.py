"""Part of the benchmarks: settings for the Keras example, as many as were tried for our network.

The network stays as published, but for the share of its dropout. Each setting has a fixed number of
epochs and the learning rate's one cycle, as ours. As for ours, the fastest wins of which each run
reads 99.0 % of the validation images; they are the last 6,000 training images, those that the
example itself keeps back. ``time_to_accuracy`` races the winner, on fresh seeds.
"""

import statistics

import contestants

NAME = "peer_tuning"
REPEATS, FIRST_SEED = 3, 12
AT_A_TIME = 2  # what is judged is the accuracy; all are slowed down alike
SETTINGS = (
    [
        {"batch_size": 128, "epochs": epochs, "peak": peak, "dropout": dropout}
        for epochs in (3, 4, 5, 6)
        for peak in (3e-3, 6e-3)
        for dropout in (0.5, 0.25)
    ]
    + [{"batch_size": 64, "epochs": n, "peak": 3e-3, "dropout": 0.25} for n in (3, 4)]
    + [{"batch_size": 256, "epochs": n, "peak": 1e-2, "dropout": 0.25} for n in (4, 5)]
)
CANDIDATES = {
    "batches of {batch_size}, {epochs} epochs, peak {peak:g}, dropout {dropout:g}".format(**s): s
    for s in SETTINGS
}
CONTESTANTS = tuple(CANDIDATES)
QUICK = CONTESTANTS[:1]
AIM = 0.99
PROTOCOL = (
    "The Keras example's network with twenty settings, three runs each, two at a time, on the "
    "first 54,000 training images; the accuracy is that of the other 6,000. Of the settings whose "
    "every run reaches 99.0 %, the fastest is raced."
)


def command(contestant, task, seed, quick):
    """Return the command that trains with one setting once."""
    setting = CANDIDATES[contestant]
    return contestants.command("keras_tuned", task, FIRST_SEED + seed, quick, setting)


def fastest(part):
    """Return the setting that reads enough in every run in the least median time; None: none."""
    found = {}
    for run in part["runs"]:
        found.setdefault(run["contestant"], []).append((run["seconds"], run["accuracy"]))
    enough = {
        name: statistics.median(seconds for seconds, _ in runs)
        for name, runs in found.items()
        if all(accuracy >= AIM for _, accuracy in runs)
    }
    return CANDIDATES[min(enough, key=enough.get)] if enough else None
