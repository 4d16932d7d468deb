"""Bad input: every public function names the argument and ends with what it received.

``CASES`` holds a call that works for each public function, and for each of its arguments the kind
of value that it must refuse. ``bad_values`` makes such values: by hand, and by Hypothesis.
"""

import atexit
import contextlib
import functools
import hashlib
import importlib
import inspect
import pkgutil
import re
import shutil
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import bad_values as bad
import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from bad_values import AXES, FUNCTION, LIST, MAPPING, PATH, TEXT, TITLE, TRUTH, Kind, NoneType
from hypothesis import HealthCheck, given, settings
from PIL import Image

import resnet_lesson
from resnet_lesson import (
    article,
    article_diagrams,
    article_tf1,
    blocks,
    chains,
    diagnostics,
    diagrams,
    distribution,
    distribution_checkpoints,
    distribution_cluster,
    distribution_diagram,
    distribution_launch,
    drawing,
    explorers,
    fast,
    handwriting,
    models,
    path_diagrams,
    plots,
    quizzes,
    recipe,
    records,
    schedules,
    studies,
    training,
    variant_diagrams,
    variants,
    verdicts,
)
from resnet_lesson.checks import grading
from resnet_lesson.checks import summary as checks_summary
from resnet_lesson.data import load_mnist, standardise, stratified_indices
from resnet_lesson.distributed import build as build_distributed
from resnet_lesson.sweep import sweep

SECONDS = 20  # for one bad value: a refusal that takes longer is a hang

# Modules that serve the others, whose arguments come from these: the others check them.
INTERNAL = {"arguments", "canvas", "workers", "diagnostics.compiled", "files", "mnist_source",
            "fashion_source", "quizzes.library"}  # fmt: skip
# What has no check of its own, and why.
EXEMPT = {
    "data.check_data": "the check itself; `data` is attacked through training and sweep",
    "training.check_run": "the check itself, attacked through training and sweep",
    "training.progress_bar": "attacked through training",
    "plots.lines.check_look": "the check itself, attacked through the figures",
    "records.all_records": "the check itself, attacked through its callers",
    "plots.lines.label_plainly": "for the two functions that draw logarithmic axes",
    "plots.page.png": "for the two functions that show a figure",
    "quizzes.html": "takes what `read` returns", "quizzes.library_form": "takes what `read` returns",
    "blocks.batch_norm": "makes a layer of Keras's, which checks its arguments",
    "distribution.average": "runs inside of a replica", "distributed.main": "a command line",
    "distributed.work": "takes a parsed command line", "recipe.main": "a command line",
    "distribution_cluster.leave": "ends the process",
    "distribution_cluster.meet": "takes what `read_tf_config` has checked",
    "distribution.multi_worker": "takes over the process; see test_distribution",
    "distribution_cluster.Watchdog.beat": "takes any text",
    "data.load_fashion_mnist": "differs from load_mnist in where the data lies; see test_fashion",
    "distribution_checkpoints.Checkpoints.save": "called by Trainer with what Trainer made",
    "distribution_checkpoints.Checkpoints.restore": "called by Trainer with what Trainer made",
    "drawing.DrawingPad": "made by drawing.show",
    "normalisation.FusedBatchNorm": "Keras checks the arguments of its BatchNormalization",
}  # fmt: skip

# Calls that work, but not here, and where they are seen to.
ELSEWHERE = {
    "distribution.mirrored": "must be the first in its process: see test_distribution",
    "quizzes.show": "needs a notebook: see test_quizzes",
}


@dataclass
class Case:
    """A call that works, and what its arguments must refuse."""

    function: object
    given: object
    """Function without arguments → the call's arguments, as a dictionary."""
    kinds: dict
    """Argument → Kind, or a function that makes one."""
    called: dict = field(default_factory=dict)
    """Argument → what the message calls it, where that is something else."""


@functools.cache
def mnist():
    return load_mnist(train=64, val=20, test=20)


@functools.cache
def model(**options):
    made = models.network(8, **options)
    models.reset_weights(made, 0)
    return made


@functools.cache
def one_layer():
    """A model that costs hardly any time, for what builds or trains one before each refusal."""
    inputs = keras.Input((28, 28, 1))
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(inputs)))


def cheap_network(depth):
    return one_layer() if depth == 8 else models.network(depth)


@functools.cache
def trained():
    return training.train(model(), mnist(), updates=2, batch_size=32, name="a", progress=False)


def saved():
    records.save_records(folder() / "records.npz", [trained()])
    return folder() / "records.npz"


def images(n=4):
    return mnist().train.images[:n]


def digits(n=4):
    return mnist().train.labels[:n]


@pytest.fixture(autouse=True)
def copied_records(monkeypatch):
    """Let studies write where it does no harm."""
    monkeypatch.setattr(studies, "RECORDS", folder() / "records")


@functools.cache
def folder():
    made = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, made)
    shutil.copytree(Path(studies.__file__).parent / "records", made / "records")
    return made


def case(function, kinds, called=None, **given):
    """Make a case whose arguments are given, or made anew by functions named ``make_…``."""

    def make():
        return {
            name.removeprefix("make_"): value() if name.startswith("make_") else value
            for name, value in given.items()
        }

    return Case(function, make, kinds, called or {})


IMAGES, LABELS = bad.floats((None, 28, 28, 1), (4, 28, 28, 1)), bad.labels(4)
ANY_LABELS = bad.labels(4, 8192)
SEED, COUNT, ANY_MODEL = bad.whole(), bad.whole(1), bad.model()
RATE = bad.real(above=0).without(list, tuple)
LOOK = {"xlabel": TEXT, "ylabel": TEXT, "ax": AXES, "title": TITLE, "log": TRUTH}
DATA_CALLED = {"data": r"data(\.(train|val|test)(\.(images|labels))?)?|batch_size"}
NETWORK = ("none", "padded", "projection")
WIDTHS = Kind(
    [None, 3, "16", [], (), {}, (0,), (-1, 2), (1.5, 2), ("16", 32), (bad.HUGE, 2), [[16]]]
)
STRATEGY = Kind([3, "mirrored", [], {}, bad.Odd(), object(), True])
RECORDS = Kind([None, 3, "runs", {}, [3], [None], [{}], bad.Odd()])
BLOCK = dict(
    filters=Kind([None, 0, -4, 1.5, "16", (), (16,), (1, 2, 3, 4), (0, 0, 0), ("a", "b", "c"), {},
                  bad.HUGE, (bad.HUGE,) * 3, bad.Odd(), True, np.zeros(3)]),
    shortcut=bad.one_of("none", "identity", "padded", "projection"),
    normalisation=TRUTH, zero_init=TRUTH, stride=bad.whole(1, 8192),
)  # fmt: skip
DIAGRAM = dict(
    kind=bad.one_of("basic", "bottleneck"), shortcut=bad.one_of("identity", "padded", "projection"),
    filters=Kind([3, "16", (), (16,), (1, 2, 3, 4), (0, 0, 0), ("a", "b", "c"), {}, (bad.HUGE,) * 3]),
    in_filters=bad.whole(1, 8192), stride=bad.whole(1, 8192), normalisation=TRUTH, ax=AXES,
)  # fmt: skip


def batch():
    return {"make_model": model, "make_images": images, "make_labels": digits}


def parts():
    return models.segments(model())


@functools.cache
def article_model():
    return article.article_network()


def weights():
    return {w.path: w.numpy() for w in article_model().weights}


def symbolic():
    return keras.Input((28, 28, 16))


def direction():
    return [diagnostics.filter_normalised_direction(model(), 0)]


def method(owner, name, made):
    """Return a method of what ``made()`` returns, under its own name."""

    def call(**given):
        return getattr(made(), name)(**given)

    call.__module__, call.__qualname__ = owner.__module__, f"{owner.__qualname__}.{name}"
    return call


@functools.cache
def fast_trainer():
    return fast.FastTrainer(model(), 32)


@functools.cache
def trainer():
    return training.Trainer(model(), 32)


@functools.cache
def larger():
    return load_mnist(train=128, val=0, test=0)


def grey():
    image = np.full((40, 40), 250, "uint8")
    image[10:30, 18:22] = 20
    return image


def photo():
    path = folder() / "digit.png"
    Image.fromarray(grey()).save(path)
    return path


CASES = [
    case(article.article_network, {
        "fixes": bad.names("one softmax", "one bias"), "shortcut": TRUTH, "name": TEXT},
        fixes=(), shortcut=True, name="a"),
    case(article.article_block, {
        "x": Kind([None, 3, "x", np.zeros((2, 28, 28, 16), "float32"), [], bad.Odd()]),
        "widths": Kind([None, 3, (), (8, 8), (8, 8, 0), (8, 1.5, 16), ("a", 8, 16), (8, 8, 17),
                        (bad.HUGE, 8, 16), {}]),
        "changing": TRUTH, "stride": bad.whole(1, 8192), "fixes": bad.names("one softmax"),
        "shortcut": TRUTH, "name": TEXT},
        make_x=symbolic, widths=(8, 8, 16), changing=False, stride=1, fixes=(), shortcut=True,
        name="b"),
    case(article_diagrams.article_blocks, {"ax": AXES}, ax=None),
    case(article_tf1.network_outputs, {
        "weights": lambda: Kind([*MAPPING.bad, {"stem_conv/kernel": None},
                                 {**weights(), "stem_conv/bias": "x"},
                                 {**weights(), "stem_conv/bias": np.full(16, np.nan, "float32")},
                                 {**weights(), "stem_conv/bias": np.zeros(16)},
                                 {k: v for k, v in weights().items() if "block3_conv1" not in k},
                                 {**weights(), "logits/kernel": np.zeros((3, 10), "float32")}]),
        "images": IMAGES}, make_weights=weights, make_images=images),
    case(article_tf1.block_outputs, {
        "weights": lambda: Kind([*MAPPING.bad, weights()]),
        "x": bad.floats((None, None, None, None), (2, 9, 9, 16)), "name": TEXT, "changing": TRUTH,
        "stride": bad.whole(1, 9)}, called={"x": "x|weights"},
        make_weights=lambda: {k.replace("block1_", "b_"): v for k, v in weights().items()
                              if k.startswith("block1_")},
        x=np.ones((2, 9, 9, 16), "float32"), name="b", changing=False, stride=1),
    case(article_tf1.trained, {
        "weights": MAPPING, "batches": Kind([*LIST.bad, [], [3], [(1, 2, 3)], [(None, None)]]),
        "learning_rate": bad.real(above=0)},
        make_weights=weights,
        make_batches=lambda: [(images(), np.eye(10, dtype="float32")[digits()])],
        learning_rate=3e-3),
    case(blocks.PaddedShortcut, {"filters": bad.whole(1, 8192), "stride": bad.whole(1, 8192)},
         filters=16, stride=1),
    case(blocks.BasicBlock, BLOCK, filters=16, shortcut="identity", normalisation=True,
         zero_init=False, stride=1),
    case(blocks.BottleneckBlock, BLOCK | {"stride_on": bad.one_of("conv1", "conv2")}, filters=16,
         shortcut="identity", normalisation=True, zero_init=False, stride=1, stride_on="conv1"),
    case(blocks.DenseBlock, {k: v for k, v in BLOCK.items() if k != "stride"}, filters=16,
         shortcut="identity", normalisation=True, zero_init=False),
    case(chains.chains, {
        "rows": Kind([*MAPPING.bad, {"a": []}, {"a": None}, {"a": 3}, {"a": ["x"]}, {"a": [(1, 2)]},
                      {"a": [("x", "unknown")]}, {"a": [("x",)]}]), "ax": AXES},
        called={"rows": "rows|kind"}, rows={"a": [("x", "learnt")]}, ax=None),
    case(grading.grade, {"path": PATH, "seconds": bad.real(above=0), "gibibytes": bad.real(above=0)},
         path="nowhere.ipynb", seconds=5, gibibytes=1),
    case(grading.table, {"grades": Kind([*LIST.bad, [3], [None], [{}]])}, grades=[]),
    case(checks_summary, {"lesson": bad.one_of("03")}, lesson="03"),
    case(load_mnist, {"train": bad.whole(0, 60_000).without(NoneType), "val": bad.whole(0, 60_000),
                      "test": bad.whole(0, 10_000).without(NoneType), "seed": SEED},
         train=10, val=10, test=10, seed=0),
    case(stratified_indices, {
        "labels": Kind([None, 3, "x", [[1, 2], [3]], np.zeros((2, 2), int), np.zeros(3), ["a", "b"],
                        [None, 1], bad.Odd(), {}]),
        "n": bad.whole(0, 4), "seed": SEED}, make_labels=digits, n=2, seed=0),
    case(standardise, {
        "pixels": Kind([None, 3, "x", [[1, 2], [3]], np.zeros((2, 28, 28)), np.zeros((28, 28), "uint8"),
                        np.zeros((2, 28, 28, 1), "uint8"), np.zeros((2, 14, 14), "uint8"), {},
                        np.zeros((2, 28, 28), "float32"), np.zeros((2, 28, 28), "int64"),
                        np.zeros((2, 28, 28), bool), bad.Odd()])},
        pixels=np.zeros((2, 28, 28), "uint8")),
    case(diagnostics.kept_averages, {"model": ANY_MODEL}, make_model=model),
    case(diagnostics.set_averages, {"model": ANY_MODEL, "images": IMAGES}, make_model=model,
         make_images=images),
    case(diagnostics.layer_counts, {"model": ANY_MODEL}, make_model=model),
    case(diagnostics.weighted_layers, {"model": ANY_MODEL}, make_model=model),
    case(diagnostics.receptive_fields, {"model": ANY_MODEL}, make_model=model),
    case(diagnostics.gradient_norms, {"model": ANY_MODEL, "images": IMAGES, "labels": LABELS},
         **batch()),
    case(diagnostics.jacobian, {
        "f": Kind([*FUNCTION.bad, lambda x: "x", lambda x: None, lambda x: np.float32([1, 2])]),
        "x": bad.numbers((None,))}, f=lambda x: 2 * x, x=[1.0, 2.0]),
    case(diagnostics.jacobian_by_differences, {
        "f": Kind([*FUNCTION.bad, lambda x: "x", lambda x: None, lambda x: np.float32([1, 2])]),
        "x": bad.numbers((None,)), "step": bad.real(above=0)}, f=lambda x: 2 * x, x=[1.0, 2.0],
        step=1e-6),
    case(diagnostics.filter_normalised_direction, {"model": ANY_MODEL, "seed": SEED},
         make_model=model, seed=0),
    case(diagnostics.losses_around, {
        "model": ANY_MODEL, "directions": Kind([*LIST.bad, [], [[]], [3], [["x"]], [[1, 2]] * 3,
                                               [[np.zeros(3)]]]),
        "distances": bad.numbers((None,)), "images": IMAGES, "labels": LABELS},
        make_directions=direction, distances=[0.0, 0.1], **batch()),
    case(diagnostics.run_parts, {"parts": Kind([*MAPPING.bad, {"stem": 3}]), "images": IMAGES},
         make_parts=parts, make_images=images),
    case(diagnostics.without_branch, {"parts": Kind([*MAPPING.bad, {"stem": 3}]),
                                      "name": bad.one_of("stage1_block1", "stage2_block1")},
         make_parts=parts, name="stage1_block1"),
    case(diagnostics.reordered, {"parts": Kind([*MAPPING.bad, {"stem": 3}]),
                                 "order": bad.names("stage1_block1")},
         make_parts=parts, order=["stage1_block1"]),
    case(diagnostics.exchangeable, {"parts": Kind([*MAPPING.bad, {"stem": 3}])}, make_parts=parts),
    case(diagnostics.gradients_by_length, {"model": ANY_MODEL, "images": IMAGES, "labels": LABELS},
         **batch()),
    case(diagnostics.path_gradients, {
        "model": ANY_MODEL, "images": IMAGES, "labels": LABELS,
        "paths": Kind([*LIST.bad, [], [3], [[True]], [["x", "y"]], [[1, 0]]])},
        paths=[[True, False]], **batch()),
    case(diagnostics.probe_accuracy, {
        "features": Kind([*bad.NO_NUMBERS, 3, np.full((4, 3), np.nan), np.zeros((4, 0)),
                          np.zeros((4, 2)), np.zeros((3, 3)), np.zeros((4, 3), complex)]),
        "labels": ANY_LABELS, "test_features": Kind([None, "x", {}, np.zeros((4, 2)), np.zeros(4)]),
        "test_labels": ANY_LABELS, "penalty": bad.real(above=0)},
        called={"test_features": "test_features|features", "features": "features|labels"},
        features=np.eye(4, 3), make_labels=digits, test_features=np.eye(4, 3),
        make_test_labels=digits, penalty=0.01),
    case(diagnostics.activations, {"model": ANY_MODEL, "images": IMAGES,
                                   "names": Kind([*bad.names("logits").bad, []])},
         make_model=model, make_images=images, names=["logits"]),
    case(diagnostics.response_deviations, {"model": ANY_MODEL, "images": IMAGES}, make_model=model,
         make_images=images),
    case(diagnostics.branch_ratios, {"model": ANY_MODEL, "images": IMAGES}, make_model=model,
         make_images=images),
    case(diagnostics.input_gradients, {"model": ANY_MODEL, "inputs": IMAGES}, make_model=model,
         make_inputs=images),
    case(diagnostics.autocorrelation, {
        "values": Kind([*bad.numbers((None,)).bad, [1, 1, 1], [3.0]]), "lags": bad.whole(0, 3)},
        values=[1.0, 2.0, 0.0, 3.0], lags=1),
    case(diagnostics.median_seconds, {
        "calls": Kind([*MAPPING.bad, {"a": None}, {"a": 3}]), "repeats": COUNT, "warm_up": SEED},
        calls={"a": lambda: None}, repeats=1, warm_up=0),
    case(diagrams.block, DIAGRAM | {"shortcut": bad.one_of("none", "identity", "padded",
                                                           "projection")}, kind="basic",
         shortcut="none", filters=(16, 16), in_filters=16, stride=1, normalisation=True, ax=None),
    case(diagrams.compare_blocks, DIAGRAM, kind="basic", shortcut="identity", filters=(16, 16),
         in_filters=16, stride=1, normalisation=True, ax=None),
    case(diagrams.network, {
        "stages": Kind([*LIST.bad, [], [3], [(1, "basic", 16)], [(0, "basic", 16, 7)],
                        [(1, "x", 16, 7)], [(1, "basic", "16", 7)], [(bad.HUGE, "basic", 16, 7)]]),
        "stem": Kind([*LIST.bad, [3], ["ab"], [(3, 1)], [("a", "b")], [("a", -1)]]),
        "head": Kind([*LIST.bad, [3], ["ab"], [(3, 1)], [("a", "b")], [("a", -1)]]),
        "shortcut": bad.one_of("none", "identity", "padded", "projection"),
        "in_filters": bad.whole(1, 8192).without(NoneType), "ax": AXES},
        stages=[(1, "basic", 16, 7)], stem=[("conv", 1)], head=[("dense", 1)], shortcut="none",
        in_filters=16, ax=None),
    case(diagrams.course_map, {
        "lessons": Kind([*LIST.bad, [], [3], [("a", "b")], [(1, 2, 3)], [(1, "a", "b")] * 2]),
        "edges": Kind([3, "ab", {}, [3], [(1,)], [(2, 1)], [(1, 9)], [("a", "b")]]), "ax": AXES},
        lessons=[(1, "a", "b"), (2, "c", "d")], edges=None, ax=None),
    case(build_distributed, {
        "depth": bad.whole(3, 10_000), "normalisation": bad.one_of("none", "each", "all"),
        "strategy": STRATEGY}, depth=8, normalisation="none", strategy=None),
    case(distribution.mirrored, {"devices": bad.whole(1, 1024)}, devices=1),
    case(distribution.set_threads, {"threads": bad.whole(1, 1024).without(NoneType)}, threads=None),
    case(distribution.check_strategy, {
        "strategy": Kind([None, *STRATEGY.bad]), "model": ANY_MODEL, "batch_size": COUNT},
        make_strategy=tf.distribute.get_strategy, make_model=model, batch_size=4),
    case(distribution.on_replicas, {"strategy": Kind([None, *STRATEGY.bad]), "step": FUNCTION},
         make_strategy=tf.distribute.get_strategy, step=len),
    case(distribution.shares, {"strategy": Kind([None, *STRATEGY.bad]),
                               "array": Kind([*bad.NO_NUMBERS, np.zeros((0, 3))])},
         make_strategy=tf.distribute.get_strategy,
         array=np.zeros((4, 3))),
    case(distribution.is_chief, {"strategy": STRATEGY}, strategy=None),
    case(distribution.synchronise_norms, {"model": ANY_MODEL}, make_model=model),
    case(distribution_checkpoints.Checkpoints, {"folder": PATH, "every": COUNT},
         make_folder=lambda: folder() / "checkpoints", every=1),
    case(distribution_cluster.read_tf_config, {
        "text": Kind([None, 3, [], {}, "", "x", "[]", "{}", '{"cluster": {}}', '{"task": {}}',
                      '{"cluster": {"worker": []}, "task": {"type": "worker", "index": 0}}',
                      '{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}',
                      '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
                      '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}'])},
        called={"text": "TF_CONFIG"},
        text='{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}'),
    case(distribution_cluster.slurm_tf_config, {"port": bad.whole(1, 65535)},
         port=12345),
    case(distribution_cluster.Watchdog, {"seconds": bad.real(above=0)}, seconds=1e6),
    case(distribution_diagram.data_parallel, {"workers": bad.whole(2, 4), "ax": AXES}, workers=2,
         ax=None),
    case(distribution_launch.as_arguments, {
        "options": Kind([None, 3, "x", [], {1: 2}, {"a": None}, {"a": {}}, {"a": [None]},
                         {"a": True}, {"a": bad.Odd()}])}, options={"a": 1}),
    case(distribution_launch.free_ports, {"count": bad.whole(1, 256)}, count=1),
    case(distribution_launch.Workers, {
        "workers": bad.whole(1, 256), "options": Kind([3, "x", [], {1: 2}, {"a": None}, {"a": {}}]),
        "show": TRUTH}, workers=1, options={"updates": 1}, show=False),
    case(drawing.rasterise, {
        "strokes": Kind([*LIST.bad, [3], [[]], [[1, 2]], [[(1,)]], [[("a", "b")]], [[(1, 2, 3)]],
                         [[(np.nan, 1)]], [[None]]])}, strokes=[[(1, 2), (30, 40)]]),
    case(drawing.show, {"read": FUNCTION}, read=lambda image: np.full(10, 0.1)),
    case(explorers.explore, {
        "draw": FUNCTION, "start": Kind([None, 3, "x", [], {}, {"b": 1}, {"a": 7}, bad.Odd()]),
        "a": Kind([None, 3, "x", [], {}, bad.Odd()])}, called={"a": "a|start"},
        draw=lambda a: plots.curves([0, 1], {"x": [0, a]}, "x", "y"), start={"a": 1}, a=[1, 2]),
    case(fast.one_cycle, {"update": bad.whole(0, 10), "updates": COUNT, "peak": bad.real(above=0),
                          "warm_up": bad.real(0, 0.99)}, called={"updates": "updates?"},
         update=1, updates=10, peak=0.1, warm_up=0.25),
    case(fast.FastTrainer, {
        "model": ANY_MODEL, "batch_size": COUNT, "pieces": Kind([*COUNT.bad, 3]),
        "smoothing": bad.real(0, below=1), "change": FUNCTION.without(NoneType),
        "average": bad.real(0, below=1)}, make_model=model, batch_size=16, pieces=2, smoothing=0.0,
        change=None, average=0.0),
    case(method(fast.FastTrainer, "run", fast_trainer), {
        "data": lambda: bad.data(mnist()), "seed": bad.whole(0, 2**31 - 1), "epochs": COUNT,
        "peak": bad.real(above=0), "name": TEXT, "on_updates": FUNCTION.without(NoneType)},
        called=DATA_CALLED, make_data=mnist, seed=0, epochs=1, peak=0.01, name="", on_updates=None),
    case(method(fast.FastTrainer, "logits", fast_trainer), {"images": IMAGES}, make_images=images),
    case(handwriting.read_photo, {"path": Kind([*PATH.bad, "nowhere.png", __file__, "/"])},
         make_path=photo),
    case(handwriting.like_mnist, {
        "grey": Kind([*bad.NO_NUMBERS, 3, np.zeros((28, 28)), np.zeros((28, 28), "uint8"),
                      np.zeros((2, 28, 28), "uint8"), np.zeros((3, 3), "uint8"),
                      np.broadcast_to(np.uint8(0), (10**5, 10**5))])}, make_grey=grey),
    case(handwriting.centre_by_mass, {
        "boxed": Kind([*bad.NO_NUMBERS, 3, np.zeros((20, 20)), np.zeros((20, 20), "uint8"),
                       np.ones((21, 20), "uint8"), np.ones((2, 2, 2), "uint8")])},
        boxed=np.ones((20, 12), "uint8")),
    case(models.network, {
        "depth": bad.whole(3, 10_000), "shortcut": bad.one_of(*NETWORK),
        "block": bad.one_of("bottleneck", "basic", "dense"), "blocks_per_stage": WIDTHS.without(NoneType),
        "widths": WIDTHS, "reduction": Kind([*COUNT.bad, 3, bad.HUGE]), "normalisation": TRUTH,
        "zero_init": TRUTH, "input_shape": Kind([None, 3, "x", (), (28,), (28, 28), (28, 28, 0),
                                                 (28, 28, "1"), (28, 28, 1, 1), (bad.HUGE, 28, 1)]),
        "classes": bad.whole(1, 8192), "name": TITLE},
        depth=8, shortcut="none", block="bottleneck", blocks_per_stage=None, widths=(4, 8),
        reduction=2, normalisation=True, zero_init=False, input_shape=(28, 28, 1), classes=10,
        name=None),
    case(models.blocks_for_depth, {"depth": bad.whole(3, 10_000),
                                   "block": bad.one_of("bottleneck", "basic", "dense"),
                                   "stages": Kind([*COUNT.bad, 7, bad.HUGE])},
         called={"stages": "stages"}, depth=8, block="bottleneck", stages=2),
    case(models.reset_weights, {"model": ANY_MODEL, "seed": SEED}, make_model=model, seed=0),
    case(models.with_outputs, {"model": ANY_MODEL, "names": Kind([*bad.names("logits").bad, []])},
         make_model=model, names=["logits"]),
    case(models.segments, {"model": Kind([*ANY_MODEL.bad])}, make_model=model),
    case(models.stem, {
        "inputs": Kind([None, 3, "x", np.zeros((2, 28, 28, 1), "float32"), [], bad.Odd()]),
        "block": bad.one_of("basic", "dense"), "width": bad.whole(1, 8192), "normalisation": TRUTH},
        make_inputs=lambda: keras.Input((28, 28, 1)), block="basic", width=4, normalisation=True),
    case(path_diagrams.residual_line, {"blocks": bad.whole(1, 9),
                                       "on_line": bad.one_of("nothing", "ReLU", "scale"), "ax": AXES},
         blocks=2, on_line="nothing", ax=None),
    case(path_diagrams.unrolled_paths, {"blocks": bad.whole(1, 4), "ax": AXES}, blocks=2, ax=None),
    case(plots.number_grids, {
        "grids": Kind([*LIST.bad, [], [3], ["x"], [[[1, 2], [3]]], [[[-1]]], [[[0.5]]], [[[np.nan]]],
                       [np.zeros((2, 0))], [[[1]], [[2]]]]),
        "captions": Kind([*LIST.bad, [], [3], ["a", "b"]]), "title": TITLE},
        called={"captions": "captions?"}, grids=[[[1, 2]]], captions=["a"], title=None),
    case(plots.intervals, {
        "values": Kind([*MAPPING.bad, {"a": []}, {"a": None}, {"a": ["x"]}, {"a": [np.nan]}, {"a": 3}]),
        "xlabel": TEXT, "baseline": bad.one_of("a").without(NoneType), "ax": AXES, "title": TITLE,
        "log": TRUTH}, values={"a": [1, 2]}, xlabel="x", baseline=None, ax=None, title=None,
        log=False),
    case(plots.learning_curves, {
        "records": Kind([*RECORDS.bad, []]), "measure": bad.one_of("loss", "accuracy", "epoch_loss",
                                                                 "val_loss", "val_accuracy"),
        "window": COUNT, "ax": AXES, "title": TITLE, "log": TRUTH, "each_seed": TRUTH},
        make_records=lambda: [trained()], measure="loss", window=2, ax=None, title=None, log=False,
        each_seed=False),
    case(plots.curves, LOOK | {
        "x": Kind([*bad.NO_NUMBERS, 3, [1, 2, 3], [np.nan, 1], {"b": [1, 2]}]),
        "series": Kind([*MAPPING.bad, {"a": []}, {"a": None}, {"a": [1, 2, 3]}, {"a": ["x", "y"]},
                        {"a": [np.nan, 1]}, {"a": np.zeros((2, 2, 2))}])},
        called={"x": "x|series"}, x=[0, 1], series={"a": [1, 2]}, xlabel="x", ylabel="y", ax=None,
        title=None, log=False),
    case(plots.dots, LOOK | {
        "series": Kind([*MAPPING.bad, {"a": []}, {"a": {}}, {"a": {1: []}}, {"a": {1: ["x"]}},
                        {"a": {1: [np.nan]}}, {"a": {1: 3}}])},
        series={"a": {8: [1, 2]}}, xlabel="x", ylabel="y", ax=None, title=None, log=False),
    case(plots.show, {"ax": Kind([None, *AXES.bad]), "alt": Kind([*TEXT.bad, "", "  "])},
         make_ax=lambda: plt.subplots()[1], alt="a figure"),
    case(plots.table, {"header": Kind([*LIST.bad, []]), "rows": Kind([*LIST.bad, [3], [[]], [[1, 2]]])},
         header=["a"], rows=[[1]]),
    case(plots.digit_grid, {
        "images": Kind([*bad.NO_NUMBERS, 3, np.zeros((3, 28, 28)), np.zeros((4, 28)),
                        np.full((4, 28, 28), np.nan), np.zeros((4, 28, 28, 3)), np.zeros((0, 28, 28))]),
        "captions": Kind([*LIST.bad, [], ["a"]]), "columns": bad.whole(1, 100), "title": TITLE},
        called={"captions": "captions|images"}, make_images=images, captions=[1, 2, 3, 4], columns=2,
        title=None),
    case(plots.confusion_matrix, {"labels": LABELS, "predictions": LABELS,
                                  "classes": bad.whole(2, 100), "title": TITLE},
         called={"labels": "labels|predictions", "classes": "classes|labels"}, make_labels=digits,
         make_predictions=digits, classes=10, title=None),
    case(plots.contours, {
        "x": Kind([*bad.NO_NUMBERS, 3, [1], [np.nan, 1]]), "y": Kind([*bad.NO_NUMBERS, 3, [1]]),
        "values": Kind([*bad.NO_NUMBERS, 3, [1], [[1, np.nan], [2, 3]], np.zeros((3, 2))]),
        "levels": Kind([*bad.NO_NUMBERS, [], [2, 1], [1, 1], [np.nan]]),
        **{k: v for k, v in LOOK.items() if k != "log"}}, called={"x": "x|values", "y": "y|values"},
        x=[0, 1], y=[0, 1], values=[[0, 1], [2, 3]], levels=[1, 2], xlabel="x", ylabel="y", ax=None,
        title=None),
    case(quizzes.read, {"lesson": bad.one_of("01")}, lesson="01"),
    case(quizzes.show, {"lesson": bad.one_of("01")}, lesson="01"),
    case(recipe.small_network, {
        "blocks": Kind([*LIST.bad, [], [3], [(16,)], [(16, 0)], [("a", 1)], [(bad.HUGE, 1)]]),
        "stem": Kind([None, 3, (), (16,), (16, 0), ("a", 1), (bad.HUGE, 5), {}]), "name": TEXT},
        blocks=[(4, 1)], stem=(4, 3), name="s"),
    case(recipe.save_model, {"model": ANY_MODEL, "path": Kind([*PATH.bad, "model.h5", "model"])},
         make_model=model, make_path=lambda: folder() / "model.keras"),
    case(recipe.distort, {
        "images": IMAGES, "seed": bad.numbers((2,)), **{
            name: bad.real(0, 360) for name in ("turn", "scale", "shear", "shift")}},
        make_images=images, seed=(0, 1), turn=15, scale=0.1, shear=0.1, shift=1),
    case(recipe.train_recipe, {
        "data": lambda: bad.data(mnist()), "seed": bad.whole(0, 2**31 - 1), "epochs": COUNT,
        "model": ANY_MODEL.without(NoneType), "distortion": Kind([*MAPPING.bad, {"twist": 1},
                                                                 {"turn": "x"}, {"turn": -1}]),
        "pieces": Kind([*COUNT.bad, 3]), "progress": TRUTH},
        called=DATA_CALLED | {"distortion": "distortion|turn"}, make_data=larger, seed=0,
        epochs=1, make_model=one_layer, distortion={"turn": 15}, pieces=2, progress=False),
    case(method(records.Record, "final_loss", trained), {"last": COUNT}, last=1),
    case(method(records.Record, "updates_to", trained), {"loss": bad.real(), "window": COUNT}, loss=1.0,
         window=1),
    case(records.by_name, {"records": RECORDS}, make_records=lambda: [trained()]),
    case(records.save_records, {
        "path": Kind([*PATH.bad, "/nowhere/records.npz"]), "records": RECORDS},
        make_path=lambda: folder() / "saved.npz", make_records=lambda: [trained()]),
    case(records.load_records, {"path": Kind([*PATH.bad, "/nowhere/records.npz", "/", __file__])},
         make_path=saved),
    case(records.running_mean, {
        "values": Kind([*bad.NO_NUMBERS, 3, [[1, 2], [3, 4]]]), "window": COUNT}, values=[1.0, 2.0],
        window=1),
    case(schedules.schedule, {
        "learning_rate": Kind([*RATE.bad, [], [3], [(0,)], [(1, 0.1)], [(0, 0.1), (0, 0.2)],
                               [(0, -0.1)], [("a", 0.1)], [(0, 0.1), (5, 0.1), (3, 0.1)]])},
        learning_rate=0.1),
    case(studies.write_record, {
        "script": Kind([*PATH.bad, "nowhere.py", "/"]), "settings": Kind([{1, 2}, bad.Odd(), {"a": b""}]),
        "results": Kind([{1, 2}, bad.Odd(), [object()]])}, script=__file__, settings={}, results=[]),
    case(studies.complete, {
        "records": RECORDS, "networks": Kind([None, "x", [], [3], [None], {}, bad.Odd()]),
        "seeds": Kind([None, 3, "x", [], ["x"], [0.5], [-1], {}, bad.Odd()])}, make_records=lambda: [trained()], networks=["a"],
         seeds=[0]),
    case(studies.result_of, {"record": Kind([None, 3, "x", {}, [], records.Record("", 0, 1, 1, 1, 1)])},
         make_record=trained),
    case(studies.read_record, {"name": bad.one_of("04_long_runs")}, name="04_long_runs"),
    case(studies.runs_of, {
        "record": Kind([*MAPPING.bad, {"settings": {}}, {"results": [], "settings": 3, "x": 1},
                        {"settings": {}, "results": [{}]}, {"settings": {}, "results": 3}])},
        called={"record": "record|results"},
        make_record=lambda: studies.read_record("04_long_runs")),
    case(studies.source_hash, {"script": Kind([*PATH.bad, "nowhere.py", "/"])}, script=__file__),
    case(sweep, {
        "configs": Kind([*MAPPING.bad, {"a": None}, {"a": 3}, {"a": {"depht": 8}}, {"a": {"depth": 9}}]),
        "seeds": Kind([None, 3, "01", [], [1, 1], [-1], [0.5], ["0"], {}, bad.Odd()]),
        "data": lambda: bad.data(mnist()), "updates": COUNT, "batch_size": Kind([*COUNT.bad, 65]),
        "learning_rate": Kind([*RATE.bad, [], {}, {"b": 1e-3}, {"a": 1e-3, "b": 1e-3}, {"a": 0}]),
        "after_epoch": FUNCTION.without(NoneType),
        "workers": bad.whole(1, 256).without(NoneType), "progress": TRUTH, "build": FUNCTION},
        called=DATA_CALLED | {"configs": "configs|depth"}, configs={"a": {"depth": 8}}, seeds=[0],
        make_data=mnist, updates=1, batch_size=32, learning_rate=1e-3, after_epoch=None, workers=1,
        progress=False, build=cheap_network),
    case(training.train, {
        "model": ANY_MODEL, "data": lambda: bad.data(mnist()), "seed": SEED, "updates": COUNT,
        "batch_size": Kind([*COUNT.bad, 65]), "learning_rate": Kind([*RATE.bad, []]), "name": TEXT,
        "reset": TRUTH, "after_epoch": FUNCTION.without(NoneType), "progress": TRUTH,
        "strategy": STRATEGY, "checkpoints": Kind([3, "x", [], {}, bad.Odd(), True])},
        called=DATA_CALLED, make_model=one_layer, make_data=mnist, seed=0, updates=1, batch_size=32,
        learning_rate=1e-3, name="", reset=True, after_epoch=None, progress=False, strategy=None,
        checkpoints=None),
    case(training.Trainer, {
        "model": ANY_MODEL, "batch_size": COUNT, "learning_rate": Kind([*RATE.bad, []]),
        "strategy": STRATEGY}, make_model=one_layer, batch_size=32, learning_rate=1e-3, strategy=None),
    case(method(training.Trainer, "run", trainer), {
        "data": lambda: bad.data(mnist()), "seed": SEED, "updates": COUNT, "name": TEXT,
        "reset": TRUTH, "after_epoch": FUNCTION.without(NoneType),
        "should_stop": FUNCTION.without(NoneType), "on_update": FUNCTION.without(NoneType),
        "checkpoints": Kind([3, "x", [], {}, bad.Odd(), True])},
        called=DATA_CALLED, make_data=mnist, seed=0, updates=1, name="", reset=True,
        after_epoch=None, should_stop=None, on_update=None, checkpoints=None),
    case(method(training.Trainer, "logits", trainer), {"images": IMAGES}, make_images=images),
    case(training.evaluate, {
        "logits": Kind([*bad.NO_NUMBERS, 3, np.zeros(4), np.zeros((4, 0)), np.zeros((2, 10), int)]),
        "labels": LABELS}, called={"logits": "logits|labels"}, logits=np.zeros((4, 10)),
        make_labels=digits),
    case(training.cross_entropy, {
        "logits": Kind([*bad.NO_NUMBERS, 3, np.zeros(4), np.zeros((4, 0)), np.zeros((2, 10), int)]),
        "labels": LABELS}, called={"logits": "logits|labels"}, logits=np.zeros((4, 10)),
        make_labels=digits),
    case(variant_diagrams.block_orders, {"ax": AXES}, ax=None),
    case(variants.variant_network, {"depth": bad.whole(3, 10_000),
                                    "variant": bad.one_of(*variants.VARIANTS), "name": TITLE},
         depth=8, variant="baseline", name=None),
    case(variants.expected_depth, {"depth": bad.whole(3, 10_000)}, depth=8),
    case(variants.Survival, {"probability": bad.real(0, 1)}, probability=0.5),
    case(verdicts.verdict, {
        "claim": TEXT, "measured": TEXT, "holds": Kind([None, 0, 1, 1.0, "yes", [], np.array([True]),
                                                        np.array([True, False]), bad.Odd()])},
        claim="a", holds=True, measured="b"),
    case(verdicts.verdict_above, {
        "claim": TEXT, "above": Kind([None, 3, "x", [], ["x"], [[1]], [None], {}, bad.Odd()]),
        "below": Kind([None, 3, "x", [], ["x"], [[1]], [None], {}, bad.Odd()]),
        "ratio": bad.real(above=0), "unit": TEXT}, claim="a", above=[2], below=[1], ratio=1.0, unit=""),
]  # fmt: skip


def name_of(function):
    """Return where a function lies, as in ``"models.network"``."""
    return f"{function.__module__.removeprefix('resnet_lesson.')}.{function.__qualname__}"


ATTACKS = [
    pytest.param(case, argument, id=f"{name_of(case.function)}({argument})")
    for case in CASES
    for argument in case.kinds
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


def description(value):
    """Return what tells a bad value from another one, whatever it is."""
    if isinstance(value, np.ndarray):
        few = value.ravel()[:20].tolist() if value.size < 1e6 else ()
        return f"{value.dtype} {value.shape} {few}"
    try:
        return f"{type(value).__name__} {value!r}"
    except RuntimeError:
        return type(value).__name__


def digest(case, argument, value):
    """Return what tells a bad input from all others, for the count at the end of a test run."""
    whole = f"{name_of(case.function)} {argument} {description(value)}"
    return hashlib.sha256(whole.encode("utf-8", "replace")).hexdigest()[:16]


def attack(case, argument, value, given):
    """Call with one bad argument; fail unless the refusal is as it must be."""
    called = case.called.get(argument, argument)
    what = f"{name_of(case.function)}({argument}={description(value)[:300]})"
    try:
        with at_most(SECONDS):
            case.function(**given | {argument: value})
    except (TypeError, ValueError) as error:
        message = str(error)
        assert re.search(rf"(?<!\w)({called})(?!\w)", message), f"{what} is not named: {message}"
        assert re.search(r"Received: \S", message), f"{what} is not shown: {message}"
    except Exception as error:
        pytest.fail(f"{what} raises {type(error).__name__}: {str(error)[:300]}")
    else:
        pytest.fail(f"{what} is taken")
    finally:
        plt.close("all")


def state(given):
    """Return all that a refused call must leave as it was."""
    model = given.get("model")
    weights = model.get_weights() if isinstance(model, keras.Model) else []
    arrays = [value.copy() for value in given.values() if isinstance(value, np.ndarray)]
    return [*weights, *arrays]


def kind_of(case, argument):
    kind = case.kinds[argument]
    return kind() if callable(kind) else kind


@pytest.fixture(autouse=True, scope="module")
def mnist_is_read_once():
    """Reading and unpacking the file takes longer than all that is attacked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            resnet_lesson.data, "raw_mnist", functools.cache(resnet_lesson.data.raw_mnist)
        )
        yield


@pytest.mark.parametrize("case", CASES, ids=lambda case: name_of(case.function))
def test_the_call_that_is_attacked_works(case, monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NODELIST", "n1")
    monkeypatch.setenv("SLURM_STEP_TASKS_PER_NODE", "1")
    monkeypatch.setenv("SLURM_PROCID", "0")
    if name_of(case.function) in ELSEWHERE:
        pytest.skip(ELSEWHERE[name_of(case.function)])
    made = case.function(**case.given())
    if isinstance(made, distribution_launch.Workers):
        made.end()
    plt.close("all")


@pytest.mark.parametrize("case, argument", ATTACKS)
def test_bad_values_made_by_hand_are_refused(case, argument, record_property):
    given, kind = case.given(), kind_of(case, argument)
    before = state(given)
    for value in kind.bad:
        attack(case, argument, value, given)
    assert all(np.array_equal(a, b) for a, b in zip(before, state(given), strict=True))
    record_property("bad inputs", [digest(case, argument, value) for value in kind.bad])


@pytest.mark.slow
@pytest.mark.parametrize("case, argument", ATTACKS)
def test_bad_values_drawn_at_random_are_refused(case, argument, record_property):
    kind = kind_of(case, argument)
    if kind.drawn is None:
        pytest.skip("made by hand alone")
    ready, tried = case.given(), set()

    @settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(kind.drawn)
    def run(value):
        attack(case, argument, value, ready)
        tried.add(digest(case, argument, value))

    run()
    record_property("bad inputs", sorted(tried))


def public():
    """Yield the names of all public functions, classes and methods, with their parameters."""
    for found in pkgutil.walk_packages(resnet_lesson.__path__, "resnet_lesson."):
        short = found.name.removeprefix("resnet_lesson.")
        is_check = short.startswith("checks.") and short != "checks.grading"
        if short in INTERNAL or is_check or "__main__" in short:
            continue
        module = importlib.import_module(found.name)
        for name, one in vars(module).items():
            if name.startswith("_") or getattr(one, "__module__", None) != found.name:
                continue
            if inspect.isclass(one):
                yield from _of_class(short, one)
            elif callable(one):
                yield f"{short}.{name}", _arguments(one)


def _arguments(one):
    """Return the names of the arguments, without those that are handed on, as to Keras."""
    found = inspect.signature(one).parameters.values()
    return {one.name for one in found if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}


def _of_class(short, one):
    """Yield a class, unless it holds data or is a layer, which are made by functions."""
    data = hasattr(one, "__dataclass_fields__") or issubclass(one, (tuple, Exception))
    if not data:
        yield f"{short}.{one.__name__}", _arguments(one)
    for name, method in vars(one).items():
        keras_own = issubclass(one, keras.layers.Layer) and name in ("call", "build", "get_config")
        if inspect.isfunction(method) and not name.startswith("_") and not keras_own:
            parameters = _arguments(method) - {"self"}
            if parameters:
                yield f"{short}.{one.__name__}.{name}", parameters


def test_every_argument_of_every_public_function_is_attacked():
    covered = {name_of(case.function): case for case in CASES}
    missing = []
    for name, parameters in public():
        if name in EXEMPT:
            continue
        attacked = set(covered[name].kinds) if name in covered else set()
        missing += [f"{name}({one})" for one in sorted(parameters - attacked)]
    assert missing == []
