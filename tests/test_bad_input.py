"""Bad input: every public function names the argument and ends with what it received.

Attacks are made from the constraints that a function declares (``bad_values``). ``CALLS`` holds a
call that works for each function, as short as can be.
"""

import atexit
import contextlib
import functools
import importlib
import inspect
import pkgutil
import re
import shutil
import signal
import tempfile
from pathlib import Path

import bad_values
import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from PIL import Image

import resnet_lesson
from resnet_lesson import (
    article,
    diagnostics,
    models,
    plots,
    runs,
    studies,
    training,
    variants,
    verdicts,
)
from resnet_lesson.data import load_mnist
from resnet_lesson.recipe.fast import FastTrainer

SECONDS = 20  # for one bad value: a refusal that takes longer is a hang


@functools.cache
def mnist():
    return load_mnist(train=64, val=20, test=20)


@functools.cache
def model():
    made = models.network(8)
    models.reset_weights(made, 0)
    return made


@functools.cache
def fading():
    return variants.with_fading_shortcuts(model())


@functools.cache
def one_layer():
    """A model that costs hardly any time, for what builds or trains one before each refusal."""
    inputs = keras.Input((28, 28, 1))
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(inputs)))


@functools.cache
def trained():
    return training.train(one_layer(), mnist(), updates=2, batch_size=32, progress=False)


@functools.cache
def folder():
    made = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, made)
    return made


def images():
    return mnist().train.images[:4]


def labels():
    return mnist().train.labels[:4]


def batch():
    return {"model": model(), "images": images(), "labels": labels()}


def difference():
    return verdicts.paired({"a": ([2.0] * 5, [1.0] * 5)})["a"]


def parts():
    return {"parts": models.segments(model())}


# Name → a function that makes the arguments of a call that works. A method has its owner as self.
CALLS = {
    "data.load_fashion_mnist": lambda: {"train": 10, "val": 10, "test": 10},
    "article.article_block": lambda: {"x": keras.Input((28, 28, 16)), "widths": (8, 8, 16)},
    "article.article_network": dict,
    "article.tf1.block_outputs": lambda: (
        {"weights": tf1_weights("block1_", "block_")} | {"x": np.ones((2, 9, 9, 16), "float32")}
    ),
    "article.tf1.network_outputs": lambda: {"weights": tf1_weights(), "images": images()},
    "article.tf1.trained": lambda: (
        {"weights": tf1_weights()}
        | {"batches": [(images(), np.eye(10, dtype="float32")[labels()])]}
    ),
    "blocks.BasicBlock": lambda: {"filters": 16},
    "blocks.BottleneckBlock": lambda: {"filters": 16},
    "blocks.DenseBlock": lambda: {"filters": 16},
    "blocks.PaddedShortcut": lambda: {"filters": 16},
    "data.load_mnist": lambda: {"train": 10, "val": 10, "test": 10},
    "data.standardise": lambda: {"pixels": np.zeros((2, 28, 28), "uint8")},
    "data.stratified_indices": lambda: {"labels": labels(), "n": 2},
    "diagnostics.costs.layer_counts": lambda: {"model": model()},
    "diagnostics.costs.median_seconds": lambda: {"calls": {"a": list}, "repeats": 1},
    "diagnostics.costs.weighted_layers": lambda: {"model": model()},
    "diagnostics.gradients.autocorrelation": lambda: {"values": [1.0, 2.0, 0.0], "lags": 1},
    "diagnostics.gradients.gradient_agreement": lambda: batch() | {"batches": 2},
    "diagnostics.gradients.gradient_norms": lambda: batch(),
    "diagnostics.gradients.input_gradients": lambda: {"model": model(), "inputs": images()},
    "diagnostics.gradients.realised_fall": lambda: (
        batch() | {"other_images": images(), "other_labels": labels(), "share": 0.1}
    ),
    "diagnostics.landscape.filter_normalised_direction": lambda: {"model": model(), "seed": 0},
    "diagnostics.landscape.losses_around": lambda: (
        batch()
        | {"directions": [diagnostics.filter_normalised_direction(model(), 0)], "distances": [0.0]}
    ),
    "diagnostics.lesions.exchangeable": lambda: parts(),
    "diagnostics.lesions.reordered": lambda: parts() | {"order": ["stage1_block1"]},
    "diagnostics.lesions.run_parts": lambda: parts() | {"images": images()},
    "diagnostics.lesions.without_branch": lambda: parts() | {"name": "stage1_block1"},
    "diagnostics.modes.kept_averages": lambda: {"model": model()},
    "diagnostics.modes.set_averages": lambda: {"model": model(), "images": images()},
    "diagnostics.paths.gradients_by_length": lambda: batch(),
    "diagnostics.paths.path_gradients": lambda: batch() | {"paths": [[True, False]]},
    "diagnostics.responses.activations": lambda: (
        {"model": model(), "images": images()} | {"names": ["logits"]}
    ),
    "diagnostics.responses.branch_ratios": lambda: {"model": model(), "images": images()},
    "diagnostics.responses.probe_accuracy": lambda: (
        {"features": np.eye(4, 3), "labels": labels()}
        | {"test_features": np.eye(4, 3), "test_labels": labels()}
    ),
    "diagnostics.responses.response_deviations": lambda: {"model": model(), "images": images()},
    "diagrams.article.article_blocks": dict,
    "diagrams.blocks.block": lambda: (
        {"kind": "basic", "shortcut": "identity", "filters": (16, 16)} | {"in_filters": 16}
    ),
    "diagrams.blocks.compare_blocks": lambda: (
        {"kind": "basic", "filters": (16, 16)} | {"in_filters": 16}
    ),
    "diagrams.course.course_map": lambda: (
        {"lessons": [("1", "a", "b"), ("2", "c", "d")], "edges": [("1", "2")]}
    ),
    "diagrams.networks.network": lambda: (
        {"stages": [(1, "basic", 16, 7)], "stem": [("conv", 1)]}
        | {"head": [("dense", 1)], "shortcut": "padded", "in_filters": 16}
    ),
    "diagrams.paths.residual_line": dict,
    "diagrams.paths.unrolled_paths": dict,
    "diagrams.replicas.data_parallel": dict,
    "diagrams.rows.chains": lambda: {"rows": {"a": [("x", "learnt")]}},
    "diagrams.variants.block_orders": dict,
    "distributed.checkpoints.Checkpoints": lambda: {"folder": folder() / "checkpoints"},
    "distributed.cluster.Watchdog": lambda: {"seconds": 1e6},
    "distributed.launch.Workers": dict,
    "distributed.replicas.mirrored": dict,
    "distributed.replicas.multi_worker": dict,
    "distributed.replicas.on_replicas": lambda: (
        {"strategy": tf.distribute.get_strategy(), "step": len}
    ),
    "distributed.replicas.shares": lambda: (
        {"strategy": tf.distribute.get_strategy(), "array": np.zeros((4, 3))}
    ),
    "distributed.trainer.DistributedTrainer": lambda: {"model": one_layer()},
    "distributed.worker.build": lambda: {"depth": 8, "normalisation": "none"},
    "grading.grade": lambda: {"path": "nowhere.ipynb"},
    "grading.lesson_of": lambda: {"path": "nowhere.ipynb"},
    "handwriting.centre_by_mass": lambda: {"boxed": np.full((20, 9), 200, "uint8")},
    "handwriting.like_mnist": lambda: {"grey": grey()},
    "handwriting.read_photo": lambda: {"path": photo()},
    "models.blocks_for_depth": lambda: {"depth": 8},
    "models.network": lambda: {"depth": 8},
    "models.reset_weights": lambda: {"model": one_layer(), "seed": 0},
    "models.segments": lambda: {"model": model()},
    "models.with_outputs": lambda: {"model": model(), "names": ["logits"]},
    "plots.lines.curves": lambda: {"x": [1, 2], "series": {"a": [1.0, 2.0]}} | axis_labels(),
    "plots.lines.dots": lambda: {"series": {"a": {1: [1.0, 2.0]}}} | axis_labels(),
    "plots.lines.intervals": lambda: {"values": {"a": [1.0, 2.0]}, "xlabel": "x"},
    "plots.lines.learning_curves": lambda: {"records": [trained()]},
    "plots.page.show": lambda: {"ax": plt.figure().add_axes((0, 0, 1, 1)), "alt": "nothing"},
    "plots.page.table": lambda: {"header": ["a"], "rows": [[1]]},
    "plots.pictures.confusion_matrix": lambda: {"labels": labels(), "predictions": labels()},
    "plots.pictures.contours": lambda: (
        {"x": [0, 1], "y": [0, 1], "values": [[0, 1], [2, 3]]} | {"levels": [1, 2]} | axis_labels()
    ),
    "plots.pictures.digit_grid": lambda: {"images": images(), "captions": ["a"] * 4},
    "plots.pictures.number_grids": lambda: {"grids": [[[1, 2]]], "captions": ["a"]},
    "plumbing.processes.set_threads": lambda: {"threads": None},
    "quizzes.read": lambda: {"lesson": "01"},
    "quizzes.show": lambda: {"lesson": "01"},
    "recipe.distort": lambda: {"images": images(), "seed": (0, 1)},
    "recipe.fast.FastTrainer": lambda: {"model": one_layer(), "batch_size": 32},
    "recipe.fast.FastTrainer.run": lambda: (
        {"self": FastTrainer(one_layer(), 32), "data": mnist()} | {"updates": 1}
    ),
    "recipe.small_network": dict,
    "recipe.train_recipe": lambda: (
        {"data": load_mnist(train=128, val=0, test=0), "epochs": 1}
        | {"model": one_layer(), "progress": False}
    ),
    "runs.Record.final_loss": lambda: {"self": trained()},
    "runs.Record.updates_to": lambda: {"self": trained(), "loss": 1.0, "window": 1},
    "runs.by_name": lambda: {"records": [trained()]},
    "runs.load_records": lambda: {"path": saved()},
    "runs.running_mean": lambda: {"values": [1.0, 2.0], "window": 1},
    "runs.save_records": lambda: {"path": folder() / "saved.npz", "records": [trained()]},
    "studies.at_best_rate": lambda: {
        "results": [{"task": {"rate": 0.1, "seed": seed}, "train_loss": 0.5} for seed in (0, 1)],
        "search_seeds": [0],
        "seeds": [1],
    },
    "studies.Study": lambda: {"script": Path(__file__), "settings": {}},
    "studies.provenance": lambda: {"study": studies.read_study("01_learning_rates")},
    "studies.source_hash": lambda: {"script": __file__},
    "studies.write_study": lambda: {"script": __file__, "settings": {}, "results": []},
    "sweep.sweep": lambda: (
        {"configs": {"a": {"depth": 8}}, "seeds": [0], "data": mnist()}
        | {"updates": 1, "batch_size": 32, "workers": 1, "progress": False, "build": cheap_network}
    ),
    "training.Trainer": lambda: {"model": one_layer()},
    "training.Trainer.run": lambda: (
        {"self": training.Trainer(one_layer()), "data": mnist()} | {"updates": 1}
    ),
    "training.check_run": lambda: (
        {"model": one_layer(), "data": mnist()} | {"batch_size": 32, "learning_rate": 0.1}
    ),
    "training.cross_entropy": lambda: {"logits": np.zeros((4, 10)), "labels": labels()},
    "training.train": lambda: (
        {"model": one_layer(), "data": mnist(), "updates": 1} | {"progress": False}
    ),
    "variants.Survival": lambda: {"probability": 0.5},
    "variants.fade": lambda: {"model": fading(), "start": 1, "end": 3},
    "variants.variant_network": lambda: {"depth": 8},
    "variants.with_fading_shortcuts": lambda: {"model": model()},
    "variants.without_shortcuts": lambda: {"model": model()},
    "verdicts.verdict": lambda: {"claim": "a", "holds": True, "measured": "b"},
    "verdicts.paired": lambda: {"family": {"a": ([1.0] * 5, [2.0] * 5)}},
    "verdicts.verdict_paired": lambda: {"claim": "a", "difference": difference()},
    "verdicts.verdict_equal": lambda: {"claim": "a", "difference": difference(), "margin": 2},
    "verdicts.verdict_above": lambda: {"claim": "a", "above": [2], "below": [1]},
    "widgets.microscope.block_means": lambda: {"model": model(), "images": images()},
    "widgets.microscope.folded": lambda: batch(),
    "widgets.microscope.open_microscope": lambda: {"state": "depth=20"},
    "widgets.pad.draw_digit": lambda: {"read": len},
    "widgets.pad.rasterise": lambda: {"strokes": [[[1, 2], [3, 4]]]},
    "widgets.sliders.explore": lambda: {"draw": figure, "start": {"a": 1}, "a": [1, 2]},
}


# Calls that work, but not here, and where they are seen to.
ELSEWHERE = {
    "distributed.launch.Workers": "starts processes: see test_distributed",
    "distributed.replicas.mirrored": "must be the first in its process: see test_distributed",
    "distributed.replicas.multi_worker": "takes over the process: see test_distributed",
    "data.load_fashion_mnist": "needs the data: see test_data",
    "quizzes.show": "needs a notebook: see test_quizzes",
}


def axis_labels():
    return {"xlabel": "x", "ylabel": "y"}


def figure(a):
    return plots.curves([1, 2], {"a": [1.0, a]}, "x", "y")


def grey():
    image = np.full((40, 40), 250, "uint8")
    image[10:30, 18:22] = 20
    return image


def photo():
    path = folder() / "digit.png"
    Image.fromarray(grey()).save(path)
    return path


def cheap_network(depth):
    return one_layer() if depth == 8 else models.network(depth)


def saved():
    runs.save_records(folder() / "records.npz", [trained()])
    return folder() / "records.npz"


def tf1_weights(of="", under=""):
    """Return the article's weights by path, or those of one block under another name."""
    weights = {w.path: w.numpy() for w in article_model().weights if w.path.startswith(of)}
    return {path.replace(of, under, 1): value for path, value in weights.items()}


@functools.cache
def article_model():
    return article.article_network()


def declared():
    """Return all that declares constraints: name → function, class or method."""
    found = {}
    for module in pkgutil.walk_packages(resnet_lesson.__path__, "resnet_lesson."):
        if module.name.endswith("__main__"):
            continue
        for name, one in vars(importlib.import_module(module.name)).items():
            if name.startswith("_") or getattr(one, "__module__", None) != module.name:
                continue
            place = f"{module.name.removeprefix('resnet_lesson.')}.{name}"
            if hasattr(one, "constraints"):
                found[place] = one
            for method, function in vars(one).items() if inspect.isclass(one) else ():
                if hasattr(function, "constraints") and method != "__init__":
                    found[f"{place}.{method}"] = function
            if inspect.isclass(one) and constraints_of(one):
                found[place] = one
    return found


def constraints_of(one):
    """Return the constraints of a function, or those of a class and of what it is derived from."""
    if not inspect.isclass(one):
        return one.constraints
    makers = [vars(owner).get("__init__") for owner in reversed(one.__mro__)]
    return {
        name: kind for made in makers for name, kind in getattr(made, "constraints", {}).items()
    }


DECLARED = declared()
ATTACKS = [
    (name, argument) for name in sorted(DECLARED) for argument in constraints_of(DECLARED[name])
]


@contextlib.contextmanager
def at_most(seconds):
    """Fail where a call takes longer: it would have hung."""

    def late(*_):
        raise TimeoutError(f"more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def described(value):
    try:
        return f"{type(value).__name__} {value!r:.300}"
    except (RuntimeError, TypeError):
        return type(value).__name__


def attack(name, given, argument, value):
    """Call with one bad argument; fail unless the refusal is as it must be."""
    what = f"{name}({argument}={described(value)})"
    try:
        with at_most(SECONDS):
            DECLARED[name](**given | {argument: value})
    except (TypeError, ValueError) as error:
        # Data are named by their part; what is too large for them, by the batch.
        called = "batch_size|data" if argument == "data" else argument
        assert re.search(rf"(?<!\w)({called})(?!\w)", str(error)), f"{what} is not named: {error}"
        assert re.search(r"Received: \S", str(error)), f"{what} is not shown: {error}"
    except Exception as error:
        pytest.fail(f"{what} raises {type(error).__name__}: {str(error)[:300]}")
    else:
        pytest.fail(f"{what} is taken")
    finally:
        plt.close("all")


def state(given):
    """Return all that a refused call must leave as it was."""
    network = given.get("model")
    weights = network.get_weights() if isinstance(network, keras.Model) else []
    return [*weights, *(value.copy() for value in given.values() if isinstance(value, np.ndarray))]


@pytest.fixture(autouse=True)
def no_study_is_overwritten(monkeypatch):
    monkeypatch.setattr(studies, "FOLDER", folder() / "records")
    if not studies.FOLDER.exists():
        shutil.copytree(Path(studies.__file__).parent / "records", studies.FOLDER)


def test_there_is_a_call_for_each_function_that_declares_constraints():
    assert sorted(CALLS) == sorted(DECLARED)


@pytest.mark.slow
def test_the_calls_that_are_attacked_work():
    for name, make in CALLS.items():
        if name not in ELSEWHERE:
            DECLARED[name](**make())
            plt.close("all")


@pytest.mark.parametrize("name, argument", ATTACKS)
def test_bad_values_made_by_hand_are_refused(name, argument):
    given = CALLS[name]()
    before = state(given)
    for value in bad_values.of(constraints_of(DECLARED[name])[argument], given).by_hand:
        attack(name, given, argument, value)
    assert all(np.array_equal(a, b) for a, b in zip(before, state(given), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name, argument", ATTACKS)
def test_bad_values_drawn_at_random_are_refused(name, argument):
    ready = CALLS[name]()

    @settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(bad_values.of(constraints_of(DECLARED[name])[argument], ready).drawn)
    def run(value):
        attack(name, ready, argument, value)

    run()
