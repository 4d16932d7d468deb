"""Plant defects in the package, one at a time: the unit tests must catch each of them.

A defect is (file, text, what stands there instead). The tests of the file that is named like it run
first, and all other unit tests after them unless those have failed already. Tests that only say that
some file has changed do not count. Prints a table; fails if a defect survives.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Whatever is changed, they see it: three compare hashes, one looks for what a defect takes away.
NOT_COUNTED = [
    "tests/test_notebooks.py",
    "tests/test_repository.py",
    "tests/test_editions.py",
    "tests/test_mutations.py",
]
SECONDS = 900

DEFECTS = [
    # -- Blocks
    ("blocks", "y = self.add([y, self.carry(x, training)])", "y = self.add([y, y])"),
    ("blocks", "x = x[:, :: self.stride, :: self.stride, :]", "x = x[:, 1 :: self.stride, 1 :: self.stride, :]"),
    ("blocks", "+ [(0, missing)]", "+ [(missing, 0)]"),
    ("blocks", "if self.zero_init and self.normalisation:", "if not self.zero_init and self.normalisation:"),
    ("blocks", "elif self.zero_init:", "elif False:"),
    ("blocks", '"use_bias": not self.normalisation', '"use_bias": True'),
    ("blocks", "kernel_sizes = (1, 3, 1)", "kernel_sizes = (1, 3, 3)"),
    ("blocks", "stride = self.stride if part == self.stride_on else 1", "stride = self.stride if i == 1 else 1"),
    ("blocks", "x = layer(x, training=training) if is_norm else layer(x)", "x = layer(x, training=False) if is_norm else layer(x)"),
    ("blocks", "return self.output_relu(y)", "return y"),
    ("blocks", "changed = shape[-1] != self.filters[-1] or self.stride != 1", "changed = shape[-1] != self.filters[-1]"),
    # -- Models
    ("models", "stride = 2 if stage > 1 and number == 1", "stride = 2 if number == 1"),
    ("models", "return (depth - 2) // step", "return (depth - 2) // step + 1"),
    ("models", 'zlib.crc32(f"{layer.name}/{variable.name}".encode())', 'zlib.crc32(variable.name.encode())'),
    ("models", "np.random.SeedSequence([seed, place])", "np.random.SeedSequence([0, place])"),
    ("models", "variable.assign([drawn, 0])", "pass"),
    # -- Normalisation
    ("plumbing/fused", "shrink = tf.maximum(count - 1, 1) / count", "shrink = 1.0"),
    ("plumbing/fused", "shrink = tf.maximum(count - 1, 1) / count", "shrink = (count - 1) / count"),
    ("plumbing/fused", "exponential_avg_factor=1 - self.momentum", "exponential_avg_factor=self.momentum"),
    ("plumbing/fused", "mean.assign(new_mean)", "pass"),
    ("plumbing/fused", "mean, variance = self.moving_mean, self.moving_variance", "mean, variance = self.moving_variance, self.moving_mean"),
    # -- Training
    ("plumbing/adam", '"beta2_power": self.beta_2**updates', '"beta2_power": self.beta_1**updates'),
    ("plumbing/adam", "updates = tf.cast(self.iterations + 1, dtype)", "updates = tf.cast(self.iterations + 2, dtype)"),
    ("plumbing/adam", "        self.iterations.assign_add(1)\n", ""),
    ("training", "order[place * self.batch_size :]", "order[0:]"),
    ("training", "if place == 0:", "if update == 0:"),
    ("training", "for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):\n            variable.assign(value)", "pass"),
    ("training", "model(images, training=False)", "model(images, training=True)"),
    ("training", "shuffle = np.random.default_rng([seed, 1])", "shuffle = np.random.default_rng([0, 1])"),
    ("training", "np.mean(record.loss[first:])", "np.mean(record.loss)"),
    ("training", "- np.max(logits, axis=1, keepdims=True)", "- np.max(logits)"),
    ("recipe/fast", "peak * (updates - update) / (updates - top)", "peak * (updates - update) / updates"),
    ("recipe/fast", "tf.reduce_sum(losses) / self.batch_size", "tf.reduce_mean(losses)"),
    ("recipe/fast", "self.smoothing / classes", "self.smoothing"),
    ("recipe/fast", "keep = tf.minimum(self.average, updates / (updates + 9))", "keep = tf.minimum(self.average, updates / (updates + 8))"),
    ("recipe/fast", "mean * part + weight.value * (1 - part)", "mean * (1 - part) + weight.value * part"),
    # -- Data and records
    ("data", "scaled -= np.float32(mean / deviation)", "scaled -= np.float32(mean)"),
    ("data", 'quota[np.argsort(quota - shares, kind="stable")[:missing]] += 1', "quota[:missing] += 1"),
    ("runs", "np.mean(self.loss[-last:])", "np.mean(self.loss[:last])"),
    ("runs", "int(reached[0]) + window", "int(reached[0])"),
    ("plumbing/files", "new = Path(folder, path.name)", "new = path"),
    ("verdicts", "lowest, highest = min(above), max(below)", "lowest, highest = max(above), min(below)"),
    ("verdicts", "high > low if ratio == 1", "high >= low if ratio == 1"),
    ("verdicts", "raise AssertionError(repr(said))", "pass"),
    ("verdicts", "left * differences[name].p", "differences[name].p"),
    ("verdicts", "max(-difference.low, difference.high) <= margin", "difference.mean <= margin"),
    ("variants", "branch, scale(carried)", "branch, carried"),
    # -- Diagnostics
    ("diagnostics/gradients", "model(images, training=True)", "model(images, training=False)"),
    ("diagnostics/gradients", "promised = share * before[0]", "promised = before[0]"),
    ("diagnostics/gradients", "itertools.combinations(directions, 2)", "itertools.product(directions, directions)"),
    ("diagnostics/paths", "zip(by_shortcut[1:], by_branch[:-1], strict=True)", "zip(by_shortcut[1:], by_branch[1:], strict=True)"),
    ("diagnostics/lesions", "stride = before[1] // after[1]", "stride = after[1] // after[1]"),
    ("diagnostics/responses", "norms[0] / norms[1]", "norms[1] / norms[0]"),
    ("diagnostics/gradients", "centred = values - values.mean()", "centred = values"),
    ("diagnostics/landscape", "inner = tuple(range(drawn.ndim - 1))", "inner = tuple(range(drawn.ndim))"),
    ("diagnostics/landscape", "with kept(weights):", "with kept([]):"),
    ("diagnostics/responses", "np.linalg.solve(inner + strength * np.eye(n), targets)", "np.linalg.solve(inner + 100 * strength * np.eye(n), targets)"),
    # -- Variants, recipe, handwriting
    ("variants", "expected_blocks = blocks - (1 - LAST_SURVIVAL) * (blocks + 1) / 2", "expected_blocks = blocks - (1 - LAST_SURVIVAL) * blocks / 2"),
    ("variants", "return x if training else self.probability * x", "return x"),
    ("variants", "carried, branch = (1 - gate) * carried, gate * branch", "carried, branch = gate * carried, gate * branch"),
    ("recipe/__init__", "angle = chance[0] * turn * np.pi / 180", "angle = chance[0] * turn"),
    ("recipe/__init__", "c = middle - (a + b) * middle", "c = 0"),
    ("widgets/microscope", "return scale, beta - mean * scale", "return scale, beta - mean"),
    ("widgets/microscope", "np.round(kernel / step)", "np.floor(kernel / step)"),
    ("widgets/microscope", "(step * scale).astype", "scale.astype"),
    ("handwriting", "scale = BOX / max(cropped.shape)", "scale = BOX / min(cropped.shape)"),
    ("handwriting", "weight = boxed.sum(axis=1 - axis, dtype=float)", "weight = boxed.sum(axis=axis, dtype=float)"),
]  # fmt: skip
# Tests that stand in a file of another name.
TESTS = {
    "plumbing/adam": "training",
    "plumbing/files": "runs",
    "plumbing/fused": "normalisation",
    "recipe/__init__": "recipe",
}


def first_tests(module):
    """Return the tests that are named like a module."""
    name = TESTS.get(module, module.rpartition("/")[2])
    path = Path("tests") / f"test_{name}.py"
    return [str(path)] if (ROOT / path).exists() else []


def caught(folder, module):
    """Run the unit tests in the changed copy; return the name of the first that fails, or None."""
    ignored = [f"--ignore={path}" for path in NOT_COUNTED]
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for tests in (first_tests(module), ["-n2", "--dist=loadfile", "tests"]):
        if not tests:
            continue
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", *ignored, *tests]
        # -x ends a run at the first failure, so one that takes this long hangs.
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
        told = (line.split() for line in done.stdout.splitlines())
        failed = [words[1] for words in told if words[:1] in (["FAILED"], ["ERROR"])]
        if bool(failed) != bool(done.returncode):
            sys.exit(f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        if failed:
            return failed[0]
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("only", nargs="*", help="modules, such as blocks; all by default")
    only = set(parser.parse_args().only)
    known = dict.fromkeys(module for module, _, _ in DEFECTS)
    if unknown := only - known.keys():
        parser.error(f"only must be among {', '.join(known)}. Received: {', '.join(unknown)}")
    survivors = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        tracked = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
        for name in filter(None, tracked.split("\0")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        if by := caught(folder, "no module"):
            sys.exit(f"Without a defect, too, the tests fail: {by}")
        for module, old, new in DEFECTS:
            if only and module not in only:
                continue
            path = folder / "resnet_lesson" / f"{module}.py"
            text = path.read_text(encoding="utf-8")
            if text.count(old) < 1:
                sys.exit(f"{module} no longer holds what a defect changes: {old}")
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
            try:
                by = caught(folder, module)
                found = "caught" if by else "SURVIVED"
            except subprocess.TimeoutExpired as error:
                by, found = f"no end within {error.timeout:.0f} s", "UNDECIDED"
            path.write_text(text, encoding="utf-8")
            what = " ".join(f"{old} → {new}".split())
            print(f"{found}  {module}: {what}  {by or ''}", flush=True)
            survivors += [] if found == "caught" else [what]
    if survivors:
        sys.exit(f"{len(survivors)} defects were not caught.")


if __name__ == "__main__":
    main()
