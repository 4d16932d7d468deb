"""The third goal: how accurate 40,000 parameters can be. Measured by the study of lesson 08."""

import json
import statistics

from contestants import ROOT

RECORD = ROOT / "resnet_lesson" / "records" / "08_small_network.json"
MOST_PARAMETERS, LEAST_RUNS, AIM = 40_000, 5, 0.9955


def accuracy(path=RECORD):
    """Return the mean test accuracy of the last epochs; None if too large or too few runs."""
    runs = json.loads(path.read_text())["results"]["final"]
    fits = len(runs) >= LEAST_RUNS and all(r["parameters"] <= MOST_PARAMETERS for r in runs)
    return statistics.mean(r["test_accuracy"] for r in runs) if fits else None
