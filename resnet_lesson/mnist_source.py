"""MNIST as it was published: shipped whole inside the package, and verified.

The Colab edition carries the package without the data: there MNIST comes from ``keras.datasets``.

References
    Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits
    (CC BY-SA 3.0; see ``mnist/LICENSE.txt``).
"""

import contextlib
import hashlib
import io
import os
from pathlib import Path

import keras
import numpy as np

MNIST_FILE = Path(__file__).parent / "mnist" / "mnist.npz"
MNIST_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
ARRAYS = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
}
ARRAYS_SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"

HOW_TO_RESTORE = (
    "Restore it with `git checkout -- resnet_lesson/mnist/mnist.npz`, or reinstall the package."
)


def raw_mnist():
    """Read MNIST as it was published: from the package or, if it is not in there, as Keras has it.

    Returns:
        dict of four uint8 arrays: ``x_train`` (60000, 28, 28), ``y_train`` (60000,),
        ``x_test`` (10000, 28, 28) and ``y_test`` (10000,). Pixels run from 0 to 255.

    Raises:
        ValueError: the data file cannot be read or is not the published one, or there is none and
            ``keras.datasets`` cannot get it.
    """
    try:
        content = MNIST_FILE.read_bytes()
    except FileNotFoundError:
        return _mnist_of_keras()
    except OSError as error:
        raise ValueError(
            f"The MNIST file cannot be read. {HOW_TO_RESTORE} "
            f"Received: {MNIST_FILE.name}, {error.strerror}"
        ) from error
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != MNIST_SHA256:
        raise ValueError(
            f"The MNIST file is damaged: its SHA-256 should be {MNIST_SHA256}. {HOW_TO_RESTORE} "
            f"Received: {MNIST_FILE.name}, {len(content)} bytes, SHA-256 {checksum}"
        )
    return _read_arrays(io.BytesIO(content))


def _mnist_of_keras():
    """Return MNIST from where Keras keeps its data sets, or else by a download.

    Its arrays are what is verified. So the package's own file serves there, too.
    """
    home = os.environ.get("KERAS_HOME", "~/.keras")
    cached = Path(home, "datasets", "mnist.npz").expanduser()
    with contextlib.suppress(Exception):  # whatever is wrong with it, Keras gets another one
        arrays = _read_arrays(cached)
        if _is_mnist(arrays):
            return arrays
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # a progress bar
            train, test = keras.datasets.mnist.load_data()
    except Exception as error:  # Keras raises just that when there is no network
        reason = str(error) or type(error).__name__
    else:
        arrays = dict(zip(ARRAYS, (*train, *test), strict=True))
        if _is_mnist(arrays):
            return arrays
        reason = "other images than the published ones"
    raise ValueError(
        "MNIST is not in this package, and keras.datasets cannot get it: connect to the network "
        "and run this again, or put the course's file resnet_lesson/mnist/mnist.npz in the folder "
        f"{cached.parent}. Received: {reason}"
    )


def _read_arrays(file):
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in ARRAYS}


def _is_mnist(arrays):
    """Whether the arrays are the published ones, bit by bit."""
    return arrays_sha256(arrays) == ARRAYS_SHA256


def arrays_sha256(arrays):
    """Return the SHA-256 of the four arrays one after the other; "" if they have other shapes."""
    if any((arrays[name].dtype, arrays[name].shape) != (np.uint8, ARRAYS[name]) for name in ARRAYS):
        return ""
    digest = hashlib.sha256()
    for name in ARRAYS:
        digest.update(np.ascontiguousarray(arrays[name]))
    return digest.hexdigest()
