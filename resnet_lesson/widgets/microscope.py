"""The microscope: trained networks that run in the page, for readers to take apart.

What the page needs, it gets as bytes: networks whose batch normalisations are folded into their
convolutions, a linear probe after each block, and digits. ``microscope.js`` does the rest.
"""

import json
from pathlib import Path

import keras
import numpy as np
from IPython.display import display

from resnet_lesson.data import PIXEL_MEAN, PIXEL_STD, stratified_indices
from resnet_lesson.mnist import raw_mnist
from resnet_lesson.models import network, with_outputs
from resnet_lesson.plumbing.constraints import TEXT, Images, checked
from resnet_lesson.plumbing.files import whole_file

SCRIPT = Path(__file__).with_name("microscope.js")
TRAINED = Path(__file__).parents[1] / "trained" / "04_microscope.bin"
KINDS = {"plain": "none", "residual": "padded", "faded": "none"}
LAST_STEP = 127  # a weight is a whole number from −127 to 127, times the step of its channel
EPSILON = 1e-5  # of the networks' batch normalisation
TEST_DIGITS, RACE_DIGITS = 200, 2000


# -- What a network becomes for the page -----------------------------------------------------------


@checked(images=Images())
def folded(model, images, labels):
    """Fold a network's normalisations into its convolutions, round its weights, fit its probes.

    A convolution and the normalisation after it give γ (w·x − μ) / √(σ² + ε) + β, which is
    scale · (w·x) + shift. Each kernel is rounded to whole numbers of one byte times a step of its
    output channel, and the step goes into the scale.

    Args:
        model: a plain or residual network of ``models.network``, built of bottlenecks.
        images, labels: training examples for the probes.

    Returns:
        dictionary: ``weights``, int8, all kernels one after the other; ``scales``, float16, for
        each layer its scales and then its shifts; ``probes``, float16, for each block the weights
        (channels, 10) and the ten biases of a classifier on the channels' means.
    """
    weights, scales = [], []
    for layer in _weight_layers(model):
        kernel = layer.kernel.numpy()
        step = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / LAST_STEP
        step = np.where(step > 0, step, 1)
        scale, shift = _scale_and_shift(model, layer)
        weights.append(np.round(kernel / step).astype(np.int8).ravel())
        scales += [(step * scale).astype(np.float16), shift.astype(np.float16)]
    arrays = {"weights": np.concatenate(weights), "scales": np.concatenate(scales)}
    rounded = unfolded(_config(model), arrays)
    return arrays | {"probes": np.concatenate(_probes(rounded, images, labels))}


def unfolded(config, arrays):
    """Build the network that the page runs, in Keras: with the rounded weights.

    Args:
        config: arguments of ``models.network``.
        arrays: as from ``folded``.

    Returns:
        keras.Model, float32 (batch, 28, 28, 1) → logits.
    """
    model = network(**config)
    weights, scales = arrays["weights"], arrays["scales"].astype(np.float32)
    for layer in _weight_layers(model):
        size, width = int(np.prod(layer.kernel.shape)), layer.kernel.shape[-1]
        kernel, weights = weights[:size].reshape(layer.kernel.shape), weights[size:]
        scale, shift, scales = scales[:width], scales[width : 2 * width], scales[2 * width :]
        if layer.use_bias:
            layer.set_weights([kernel * scale, shift])
        else:
            layer.set_weights([kernel.astype(np.float32)])
            still = np.zeros(width), np.full(width, 1 - EPSILON)  # no mean, a variance of one
            _norm_of(model, layer).set_weights([scale, shift, *still])
    return model


def _weight_layers(model):
    """Return convolutions and the last dense layer, in the order in which they are run."""
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def _norm_of(model, layer):
    return model.get_layer(layer.name.replace("conv", "norm"))


def _scale_and_shift(model, layer):
    if layer.use_bias:
        return np.ones(layer.kernel.shape[-1]), layer.bias.numpy()
    gamma, beta, mean, variance = _norm_of(model, layer).get_weights()
    scale = gamma / np.sqrt(variance.astype(np.float64) + EPSILON)
    return scale, beta - mean * scale


def _config(model):
    """Return the arguments of ``models.network`` that build a model like this one."""
    names = [layer.name for layer in model.layers]
    blocks = sum(name.endswith("_branch") for name in names)
    shortcut = "padded" if any(name.endswith("_add") for name in names) else "none"
    return {"depth": 3 * blocks + 2, "shortcut": shortcut}


@checked(images=Images())
def block_means(model, images):
    """Return what a network's blocks give out, averaged over the image.

    Args:
        model: a network of ``models.network``, in evaluation mode.
        images: float32, shape (n, 28, 28, 1).

    Returns:
        list of float32 arrays, one a block, shape (n, channels).
    """
    names = [layer.name for layer in model.layers if layer.name.startswith("stage")]
    reader = with_outputs(model, [name for name in names if name.endswith("_out")])
    outputs = reader.predict(images, batch_size=500, verbose=0)
    return [outputs[name].mean(axis=(1, 2)) for name in reader.output]


def _probes(model, images, labels, penalty=1e-3):
    """Return each block's probe: the ridge regression of ``diagnostics.probe_accuracy``."""
    found = []
    for means in block_means(model, images):
        x, targets = means.astype(np.float64), np.eye(10)[labels]
        centre, offset = x.mean(axis=0), targets.mean(axis=0)
        inner = (x - centre).T @ (x - centre)
        strength = penalty * np.trace(inner) / len(inner) or 1.0
        weights = np.linalg.solve(
            inner + strength * np.eye(len(inner)), (x - centre).T @ (targets - offset)
        )
        biases = offset - centre @ weights
        # Only which score is the largest counts, and 16 bits go no further than 65,504.
        size = max(1, np.abs(weights).max() / 1000, np.abs(biases).max() / 1000)
        found += [(part / size).astype(np.float16).ravel() for part in (weights, biases)]
    return found


# -- Bytes -----------------------------------------------------------------------------------------


def to_bytes(about, arrays):
    """Write named arrays as bytes that the page can read.

    Four bytes say how long the header is, JSON with ``about`` and each array's kind, length and
    place; then come the arrays.

    Args:
        about: plain data.
        arrays: name → array of int8, uint8 or float16. The page sees them as flat.
    """
    places, body = {}, b""
    for name, array in arrays.items():
        places[name] = [array.dtype.name, int(array.size), len(body)]
        body += array.tobytes()
    header = json.dumps(about | {"arrays": places}).encode()
    return len(header).to_bytes(4, "little") + header + body


def from_bytes(data):
    """Read what ``to_bytes`` wrote: (about, arrays)."""
    start = 4 + int.from_bytes(data[:4], "little")
    about = json.loads(data[4:start])
    arrays = {
        name: np.frombuffer(data, kind, size, start + place)
        for name, (kind, size, place) in about.pop("arrays").items()
    }
    return about, arrays


def write_networks(networks, about):
    """Write the networks of the microscope to the package's file, whole or not at all.

    Args:
        networks: (kind, depth) → (arrays as from ``folded``, plain data such as its accuracy).
        about: plain data: ``source``, a sentence that says where they come from; ``race_rates``,
            depth → kind of racer → rate that suits it best.
    """
    arrays, said = {}, []
    for (kind, depth), (folded_arrays, facts) in networks.items():
        name = f"{kind} {depth}"
        said.append({"name": name, "kind": kind, "depth": depth, "widths": [16, 32]} | facts)
        arrays |= {f"{name} {part}": array for part, array in folded_arrays.items()}
    with whole_file(TRAINED) as new:
        new.write_bytes(to_bytes(about | {"networks": said}, arrays))


def trained_networks():
    """Build the networks that the page runs, in Keras.

    Returns:
        dictionary: name, as in ``"plain 56"`` → keras.Model with the rounded weights.
    """
    about, arrays = from_bytes(TRAINED.read_bytes())
    models = {}
    for said in about["networks"]:
        own = {part: arrays[f"{said['name']} {part}"] for part in ("weights", "scales")}
        config = {"depth": said["depth"], "shortcut": KINDS[said["kind"]]}
        models[said["name"]] = unfolded(config, own)
    return models


def test_digits():
    """Return the 200 test digits that the page counts: uint8 (200, 28, 28), and their labels."""
    mnist = raw_mnist()
    at = stratified_indices(mnist["y_test"], TEST_DIGITS)
    return mnist["x_test"][at], mnist["y_test"][at]


def race_digits():
    """Return the 2,000 digits of the race, 14 × 14: each pixel the mean of four. And labels."""
    mnist = raw_mnist()
    at = stratified_indices(mnist["y_train"], RACE_DIGITS)
    fours = mnist["x_train"][at].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    return np.round(fours).astype(np.uint8), mnist["y_train"][at]


def page_data():
    """Return what the microscope is given, each as bytes.

    Returns:
        dictionary: ``networks``, with their probes; ``digits``, the test digits; ``race_digits``,
        which the page may ask for later.
    """
    pixels = {"mean": PIXEL_MEAN, "deviation": PIXEL_STD}
    made = {}
    for name, (images, labels) in {"digits": test_digits(), "race_digits": race_digits()}.items():
        about = pixels | {"count": len(labels), "side": images.shape[1]}
        made[name] = to_bytes(about, {"images": images, "labels": labels})
    return {"networks": TRAINED.read_bytes()} | made


# -- In a notebook ---------------------------------------------------------------------------------


@checked(state=TEXT)
def open_microscope(state=""):
    """Show the microscope: three trained networks that read a digit in the page itself.

    Nothing is computed in the kernel, so the microscope goes on where the kernel has ended. Only
    the digits of the race come from there, when the race is first opened.

    Args:
        state: what it shows, as in ``"depth=56&digit=3&fade=0.5"``: what stands behind # in the
            address of the site's page.

    Returns:
        the microscope, an ``anywidget.AnyWidget`` whose ``state`` follows what the reader does;
        None if that library is not installed.

    Raises:
        TypeError: the state is no text.
    """
    try:
        import anywidget
        import traitlets
    except ImportError:
        print("The package anywidget is not installed, so there is no microscope.")
        return None

    class Microscope(anywidget.AnyWidget):
        """Networks and digits go to the browser; the state goes both ways."""

        _esm = SCRIPT.read_text(encoding="utf-8")
        networks, digits, race_digits = (traitlets.Bytes().tag(sync=True) for _ in range(3))
        race_wanted = traitlets.Bool().tag(sync=True)
        state = traitlets.Unicode().tag(sync=True)

    data = page_data()
    race = data.pop("race_digits")
    shown = Microscope(state=state, **data)

    def send(_):
        shown.race_digits = race

    shown.observe(send, "race_wanted")
    display(shown)
    return shown
