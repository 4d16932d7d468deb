"""The contestants of the first parts, ours and our peers': how each is started."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH = ROOT / "build" / "bench-env" / "bin" / "python"
DATA = ROOT / "build" / "bench-data.npz"
RESULTS = ROOT / "benchmarks" / "results.json"


def command(contestant, task, seed, quick, setting=None):
    """Return the command that runs one contestant once; ``+`` marks a peer with our settings."""
    name = contestant.rstrip("+")
    python, script = sys.executable, "peers/tensorflow_peers.py"
    if name == "ours":
        script = "ours.py"
    elif name.startswith("torch"):
        python, script = str(TORCH), "peers/pytorch_peers.py"
    made = [python, str(ROOT / "benchmarks" / script)]
    made += [name, "--task", task, "--data", str(DATA), "--seed", str(seed)]
    made += ["--setting", json.dumps(setting)] if setting else []
    return made + ["--our-settings"] * contestant.endswith("+") + ["--quick"] * quick
