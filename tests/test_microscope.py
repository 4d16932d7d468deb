"""The microscope: what the page computes equals Keras, and everybody can use it."""

import base64
import re
import sys

import browser
import keras
import microscope_page
import numpy as np
import pytest
import tensorflow as tf
from weights import randomised

from resnet_lesson.blocks import PaddedShortcut
from resnet_lesson.data import standardise
from resnet_lesson.models import network, segments
from resnet_lesson.training import batch_loss
from resnet_lesson.variants import with_fading_shortcuts
from resnet_lesson.widgets import microscope

KINDS = ("plain", "residual", "faded")

# -- What the page is given ------------------------------------------------------------------------


def images_and_labels(count=60):
    generator = np.random.default_rng(0)
    images = generator.normal(size=(count, 28, 28, 1)).astype("float32")
    return images, np.arange(count) % 10


@pytest.mark.parametrize("shortcut", ["none", "padded"])
def test_folding_changes_nothing_but_by_rounding(shortcut):
    model, (images, labels) = randomised(network(8, shortcut)), images_and_labels()
    arrays = microscope.folded(model, images, labels)
    config = {"depth": 8, "shortcut": shortcut}
    # With whole weights and scales that are not rounded, only the folding is left to be seen.
    exact, at = [], 0
    for layer in microscope._weight_layers(model):
        kernel = layer.kernel.numpy()
        whole = arrays["weights"][at : at + kernel.size].reshape(kernel.shape)
        at += kernel.size
        step = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / 127
        assert np.abs(whole * step - kernel).max() <= step.max() * 0.5001
        layer.kernel.assign(whole * step)
        scale, shift = microscope._scale_and_shift(model, layer)
        exact += [step * scale, shift]
    expected = model.predict(images, verbose=0)
    same = microscope.unfolded(config, arrays | {"scales": np.concatenate(exact)})
    np.testing.assert_allclose(same.predict(images, verbose=0), expected, rtol=1e-4, atol=1e-4)
    rounded = microscope.unfolded(config, arrays).predict(images, verbose=0)
    np.testing.assert_allclose(rounded, expected, atol=0.01 * np.abs(expected).max())


def test_a_probe_reads_what_can_be_read():
    _, labels = images_and_labels()
    images = (
        np.zeros((60, 28, 28, 1), "float32") + np.linspace(-1, 1, 10)[labels][:, None, None, None]
    )
    model = randomised(network(8, "padded"))
    arrays = microscope.folded(model, images.astype("float32"), labels)
    means = microscope.block_means(microscope.unfolded({"depth": 8}, arrays), images)
    at = 0
    for mean in means:
        size = 10 * mean.shape[1]
        weights = arrays["probes"][at : at + size].reshape(-1, 10).astype("float32")
        read = (mean @ weights + arrays["probes"][at + size : at + size + 10]).argmax(axis=1)
        assert np.mean(read == labels) > 0.15  # ten levels on one line: the ends can be read
        at += size + 10
    assert at == arrays["probes"].size


def test_bytes_come_back():
    arrays = {
        "a": np.arange(-3, 4, dtype="int8"),
        "b": np.array([0.5, -2], "float16"),
        "c": np.array([255], "uint8"),
    }
    about, back = microscope.from_bytes(microscope.to_bytes({"name": "≥ 1"}, arrays))
    assert about == {"name": "≥ 1"}
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def test_the_page_is_small():
    data = {name: len(base64.b64encode(part)) for name, part in microscope.page_data().items()}
    assert data["networks"] <= 300_000
    assert len(microscope_page.piece().encode()) <= 1_500_000


def test_digits_are_as_many_of_each_kind_as_there_are():
    images, labels = microscope.test_digits()
    assert images.shape == (200, 28, 28) and np.bincount(labels).min() >= 17
    images, labels = microscope.race_digits()
    assert images.shape == (2000, 14, 14) and images.max() == 255 and len(labels) == 2000


def test_without_the_library_it_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    assert microscope.microscope() is None
    assert "anywidget is not installed" in capsys.readouterr().out


def test_the_widget_sends_the_race_only_when_it_is_asked(monkeypatch):
    pytest.importorskip("anywidget")
    monkeypatch.setattr(microscope, "display", lambda widget: None)
    shown = microscope.microscope("depth=20&digit=4&open=r2")
    assert shown.state == "depth=20&digit=4&open=r2" and shown.networks and not shown.race_digits
    shown.race_wanted = True
    assert len(shown.race_digits) > 2000 * 14 * 14


# -- The same numbers as Keras's -------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the script, its data and an empty page."""
    made = tmp_path_factory.mktemp("microscope")
    for name, part in microscope.page_data().items():
        (made / name).write_bytes(part)
    (made / "microscope.js").write_bytes(microscope.SCRIPT.read_bytes())
    (made / "empty.html").write_text(
        "<!doctype html><html lang=en><title>empty</title><main></main>"
    )
    (made / "bare.html").write_text(microscope_page.bare_page(), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def engine(chromium, folder):
    """A page whose ``engine`` holds the script's functions, and ``bytes`` what they read."""
    with browser.served(folder) as address:
        page = browser.Watched(chromium, address).go("empty.html")
        page.evaluate(
            """async () => {
              window.engine = (await import("/microscope.js")).engine;
              window.bytes = async (name) =>
                new Uint8Array(await (await fetch("/" + name)).arrayBuffer());
              window.file = engine.unpack(await bytes("networks"));
              window.digits = engine.digitsOf(engine.unpack(await bytes("digits")));
              window.read = (name, factors, count) => {
                const network = engine.networkOf(file, name);
                return Array.from({length: count}, (_, i) =>
                  Array.from(engine.forward(network, digits.one(i), factors).logits));
              };
            }"""
        )
        yield page


@pytest.fixture(scope="module")
def trained():
    return microscope.trained_networks()


def test_images():
    return standardise(microscope.test_digits()[0])


test_images.__test__ = False


def factors(model, **changed):
    """Return what each block's branch and shortcut are multiplied by."""
    names = [name for name in segments(model) if name.startswith("stage")]
    residual = any(layer.name.endswith("_add") for layer in model.layers)
    return [changed.get(f"block{i}", [1, int(residual)]) for i in range(1, len(names) + 1)]


def run_in_keras(model, images, by):
    """Run a network whose branches and shortcuts are multiplied."""
    parts = segments(model)
    x, head = parts.pop("stem")(images, training=False), parts.pop("head")
    for (name, part), (branch_by, shortcut_by) in zip(parts.items(), by, strict=True):
        y = x
        for layer in part.layers:
            if re.fullmatch(rf"{name}_(conv|norm|relu)\d", layer.name):
                y = layer(y)
        carried = PaddedShortcut(y.shape[-1], x.shape[1] // y.shape[1])(x)
        x = tf.nn.relu(branch_by * y + shortcut_by * carried)
    return head(x, training=False).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("depth", [20, 56])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_keras(engine, trained, kind, depth):
    model = trained[f"{kind} {depth}"]
    expected = model.predict(test_images(), verbose=0)
    found = engine.evaluate("([...a]) => read(...a)", [f"{kind} {depth}", factors(model), 200])
    difference = np.abs(np.array(found) - expected).max()
    print(f"{kind} {depth}: largest difference {difference:.2e}")
    assert difference <= 1e-4


CHANGES = {
    "a block is off": {"block2": [0, 1]},
    "the block that changes the shape is off": {"block4": [0, 1]},
    "branches and shortcuts are scaled": {"block1": [0.5, 1.25], "block6": [2, 0.3]},
    "all shortcuts fade": {f"block{i}": [1, 0.4] for i in range(1, 19)},
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["plain 20", "residual 20", "residual 56", "faded 56"])
def test_interventions_are_those_of_keras(engine, trained, name, change):
    model = trained[name]
    by = factors(model, **CHANGES[change])
    expected = run_in_keras(model, test_images()[:20], by)
    found = np.array(engine.evaluate("([...a]) => read(...a)", [name, by, 20]))
    assert np.abs(found - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.slow
def test_probes_are_those_of_numpy(engine, trained):
    _, arrays = microscope.from_bytes(microscope.TRAINED.read_bytes())
    means = microscope.block_means(trained["residual 20"], test_images())
    row, expected = arrays["residual 20 probes"].astype("float32"), []
    for mean in means:
        size = 10 * mean.shape[1]
        scores = mean @ row[:size].reshape(-1, 10) + row[size : size + 10]
        expected.append(scores.argmax(axis=1))
        row = row[size + 10 :]
    found = engine.evaluate(
        """(by) => { const network = engine.networkOf(file, "residual 20");
        return Array.from({length: 200}, (_, i) =>
          engine.forward(network, digits.one(i), by, true).steps.map((step, block) =>
            engine.probe(step.out, network.blocks[block].probe))); }""",
        factors(trained["residual 20"]),
    )
    assert np.mean(np.array(found).T == np.array(expected)) > 0.998  # two scores may be equal


@pytest.mark.slow
@pytest.mark.parametrize("shortcut_by", [0, 1, 0.4])
@pytest.mark.parametrize("zero_init", [False, True])
def test_gradients_are_those_of_the_tape(engine, shortcut_by, zero_init):
    options = {"block": "dense", "widths": (32,), "normalisation": False, "zero_init": zero_init}
    model = network(12, "padded", input_shape=(14, 14, 1), **options)
    if shortcut_by == 0:
        model = network(12, "none", input_shape=(14, 14, 1), **options)
    elif shortcut_by < 1:
        model = with_fading_shortcuts(model)
    kept = [layer for layer in model.layers if zero_init and layer.name.endswith("_dense2")]
    randomised(model, seed=1)
    if 0 < shortcut_by < 1:
        model.get_layer("shortcut_scale").scale.assign(shortcut_by)
    for layer in kept:
        layer.set_weights([np.zeros_like(weights) for weights in layer.get_weights()])
    order = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    images, labels = microscope.race_digits()
    images, labels = standardise_small(images[:64]), labels[:64].astype("int32")
    weights = [weight for layer in order for weight in (layer.kernel, layer.bias)]
    with tf.GradientTape() as tape:
        loss = batch_loss(model(images, training=True), labels)
    expected = tape.gradient(loss, [weight.value for weight in weights])
    layers = [
        {
            "inputs": layer.kernel.shape[0],
            "outputs": layer.kernel.shape[1],
            "weights": layer.kernel.numpy().ravel().tolist(),
            "biases": layer.bias.numpy().tolist(),
        }
        for layer in order
    ]
    found = engine.evaluate(
        """([layers, images, labels, lambda]) => {
          for (const layer of layers) {
            layer.weights = Float32Array.from(layer.weights);
            layer.biases = Float32Array.from(layer.biases);
          }
          const found = engine.lossAndGradients(layers, Float32Array.from(images), labels, lambda);
          return [found.loss, found.gradients.map((g) => [[...g.weights], [...g.biases]])];
        }""",
        [layers, images.ravel().tolist(), labels.tolist(), shortcut_by],
    )
    assert found[0] == pytest.approx(float(loss), rel=1e-5)
    gradients = [np.array(part) for pair in found[1] for part in pair]
    largest = max(np.abs(part).max() for part in expected)
    difference = max(
        np.abs(ours - np.ravel(theirs)).max()
        for ours, theirs in zip(gradients, expected, strict=True)
    )
    print(f"largest difference {difference / largest:.2e} of the largest entry")
    assert difference <= 1e-4 * largest


def standardise_small(pixels):
    """Standardise digits of any size, as the page does."""
    return ((pixels / 255 - microscope.PIXEL_MEAN) / microscope.PIXEL_STD).astype("float32")[
        ..., None
    ]
