"""Part of the benchmarks: seconds of training to 99.0 % of the test images."""

import json

import contestants
import peer_tuning

NAME = "time_to_accuracy"
REPEATS = 10
CONTESTANTS = ("ours", "keras_example", "keras_tuned", "torch", "torch_one_thread")
PROTOCOL = (
    "Training seconds only: tracing and evaluation are outside of the clock. The Keras example as "
    "published ends at the first epoch after which 99.0 % of the test images are right, 20 epochs "
    "at most. Ours, its twin and the tuned Keras example have schedules fixed beforehand and are "
    "judged at their end. The Keras example trains on 54,000 images, as published, the others on "
    "60,000."
)


def command(contestant, task, seed, quick):
    """Return the command that runs one contestant once, the tuned one with the best setting."""
    setting = None
    if contestant == "keras_tuned":
        setting = peer_tuning.SETTINGS[0] if quick else _best_setting()
    return contestants.command(contestant, task, seed, quick, setting)


def _best_setting():
    parts = json.loads(contestants.RESULTS.read_text())["parts"]
    setting = peer_tuning.fastest(parts.get(peer_tuning.NAME, {"runs": []}))
    if setting is None:
        raise RuntimeError(f"no setting reached the aim: run the part {peer_tuning.NAME} first")
    return setting
