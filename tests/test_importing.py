"""Importing the package: what it sets, registers and holds back in other people's processes."""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from weights import normal

import resnet_lesson
from resnet_lesson.article import FIXES, article_block, article_network
from resnet_lesson.blocks import BasicBlock, BottleneckBlock, DenseBlock, PaddedShortcut
from resnet_lesson.models import network, reset_weights
from resnet_lesson.recipe import small_network
from resnet_lesson.variants import VARIANTS, variant_network, with_fading_shortcuts

ROOT = Path(__file__).resolve().parents[1]


def run(code, shell="", *arguments, **changes):
    """Run Python code in a process of its own; ``shell`` closes or moves its streams."""
    changes = {"PYTHONPATH": str(ROOT), "TQDM_DISABLE": "", **changes}
    command = ["sh", "-c", f'exec "$@" {shell}', "sh", sys.executable, "-c", code, *arguments]
    environment = {**os.environ, **changes}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


# -- Keras's settings ------------------------------------------------------------------------------

TRAINS = """
import resnet_lesson, keras
from resnet_lesson.article import article_network
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network
from resnet_lesson.recipe import train_recipe
from resnet_lesson.sweep import sweep
from resnet_lesson.training import train

if __name__ == "__main__":
    resnet_lesson.deterministic()
    mnist = load_mnist(train=256, val=0, test=64)
    nets = {shortcut: {"depth": 8, "shortcut": shortcut} for shortcut in ("none", "padded")}
    runs = sweep(nets, [0], mnist, updates=2, workers=2)
    runs.append(train(article_network(("one softmax",)), mnist, updates=2))
    runs.append(train_recipe(mnist, epochs=1)[1])
    print(*[(run.loss, run.test_loss) for run in runs])
    # What a lesson's visible lines get.
    print(keras.layers.Conv2D(1, 3).data_format, keras.layers.ReLU().dtype, keras.Input((1,)).dtype)
"""


def with_keras_json(folder, **settings):
    (folder / "keras.json").write_text(json.dumps({"backend": "tensorflow", **settings}))
    (folder / "code.py").write_text(TRAINS)  # worker processes import it
    code = f"import runpy; runpy.run_path({str(folder / 'code.py')!r}, run_name='__main__')"
    return run(code, KERAS_HOME=str(folder), TQDM_DISABLE="1")


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    done = with_keras_json(tmp_path_factory.mktemp("keras"))
    assert "UserWarning" not in done.stderr
    assert done.stdout.endswith("channels_last float32 float32\n"), done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_data_format", "channels_first"),
        ("floatx", "float64"),
        ("backend", "jax"),
    ],
)
def test_a_forgotten_keras_json_changes_no_number(name, value, usual, tmp_path):
    done = with_keras_json(tmp_path, **{name: value})
    assert done.stdout == usual, done.stderr
    assert done.stderr.count(f"Keras is set to {name}='{value}'") == (name != "backend")
    assert done.stderr.count(f"type keras.config.set_{name}('{value}')") == (name != "backend")


@pytest.mark.slow
def test_another_backend_that_is_asked_for_gets_a_sentence():
    done = run("import resnet_lesson", KERAS_BACKEND="jax")
    said = done.stderr.splitlines()[-1]
    assert said.startswith("ImportError: resnet_lesson needs Keras on TensorFlow: ")
    assert said.endswith("Received: backend='jax'")
    assert run("import resnet_lesson", KERAS_BACKEND="").returncode == 0


BUILDERS = {
    "network": lambda: network(8, "projection"),
    "dense network": lambda: network(6, block="dense"),
    "article": article_network,
    "repaired article": lambda: article_network(tuple(FIXES)),
    "recipe": small_network,
    **{name: lambda name=name: variant_network(8, name) for name in VARIANTS},
}


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    assert keras.config.image_data_format() == "channels_first"  # the reader's setting is left
    keras.config.set_image_data_format("channels_last")


def described(model):
    names = ("data_format", "name", "input_shape", "output_shape")
    return [
        [str(getattr(layer, name, getattr(layer.output, "shape", ""))) for name in names]
        for layer in model.layers
    ]


@pytest.mark.parametrize("name", BUILDERS)
def test_networks_are_the_same_where_the_reader_sets_channels_first(name, request):
    usual = described(BUILDERS[name]())
    request.getfixturevalue("channels_first")
    assert described(BUILDERS[name]()) == usual


def test_blocks_are_the_same_where_the_reader_sets_channels_first(channels_first):
    x = normal(2, 5, 5, 4)
    for block in (BasicBlock(8, "projection", stride=2), BottleneckBlock(8, "padded", stride=2)):
        assert block(x).shape == (2, 3, 3, 8)
    made = article_block(keras.Input((7, 7, 4)), (4, 4, 4), changing=True, fixes=tuple(FIXES))
    assert made.shape == (None, 7, 7, 4)


# -- Saved networks --------------------------------------------------------------------------------

LOADS = """
import sys, resnet_lesson, keras, numpy as np
for path in sys.argv[1:]:
    model = keras.models.load_model(path)
    given, wanted = np.load(path + ".npy", allow_pickle=True)
    np.testing.assert_allclose(model(given), wanted, rtol=1e-5, atol=1e-5)
print(*sorted(name for name in keras.saving.get_custom_objects() if "resnet_lesson" in name))
"""


def of_blocks():
    """Return a model that has blocks for layers."""
    inputs = keras.Input((8, 8, 3))
    x = BasicBlock(4, "projection")(inputs)
    x = PaddedShortcut(8, 2)(BottleneckBlock(4, stride_on="conv2")(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, DenseBlock(8)(x))


@pytest.mark.slow
def test_every_network_is_loaded_in_a_process_that_imports_the_package_alone(tmp_path):
    models = [build() for build in BUILDERS.values()]
    models += [with_fading_shortcuts(models[0]), of_blocks()]
    paths = [str(tmp_path / f"{number}.keras") for number in range(len(models))]
    for path, model in zip(paths, models, strict=True):
        if model is not models[-1]:
            reset_weights(model, 0)
        given = normal(2, *model.input_shape[1:])
        model.save(path)
        both = np.empty(2, dtype=object)
        both[:] = given, model(given).numpy()
        np.save(path + ".npy", both)
    done = run(LOADS, "", *paths)
    assert done.returncode == 0, done.stderr
    for module in pkgutil.walk_packages(resnet_lesson.__path__, "resnet_lesson."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    known = keras.saving.get_custom_objects()
    assert done.stdout.split() == sorted(name for name in known if "resnet_lesson" in name)


# -- A process without streams ---------------------------------------------------------------------

WRITES = """
import sys, resnet_lesson
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network
from resnet_lesson.training import train
with open(sys.argv[1], "w") as file:
    assert file.fileno() != 2  # where TensorFlow writes its log, whatever that is
    print("to be or not to be", sys.stderr.write(""))
    loss = train(network(8), load_mnist(train=64, val=0, test=0), updates=1).loss
    file.write(str(len(loss)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_process_may_have_no_place_for_what_it_says(closed, tmp_path):
    done = run(WRITES, closed, str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_text() == "1"


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-"])
def test_a_worker_ends_with_its_status_where_nobody_listens(closed):
    code = (
        "from resnet_lesson.distributed import cluster as c; c.silence_tensorflow(); c.leave('x')"
    )
    assert run(code, closed).returncode == 3
