"""MNIST and Fashion-MNIST as they were published, verified bit by bit.

MNIST is shipped whole beside this file. The Colab edition carries the package without the data:
there MNIST comes from ``keras.datasets``, as Fashion-MNIST always does.

References
    Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits
        (CC BY-SA 3.0; see ``LICENSE.txt``).
    H. Xiao, K. Rasul, R. Vollgraf 2017: Fashion-MNIST: a Novel Image Dataset for Benchmarking
        Machine Learning Algorithms (arXiv:1708.07747). The data: MIT licence, Zalando SE.
"""

import contextlib
import hashlib
import io
import os
from pathlib import Path

import keras
import numpy as np

MNIST_FILE = Path(__file__).parent / "mnist.npz"
MNIST_FILE_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
ARRAYS = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
}
# Of the four arrays, one after the other.
MNIST_SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
FASHION_SHA256 = "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f"
FASHION_CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)

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
    if checksum != MNIST_FILE_SHA256:
        raise ValueError(
            f"The MNIST file is damaged: its SHA-256 should be {MNIST_FILE_SHA256}. "
            f"{HOW_TO_RESTORE} "
            f"Received: {MNIST_FILE.name}, {len(content)} bytes, SHA-256 {checksum}"
        )
    return _read_arrays(io.BytesIO(content))


def raw_fashion_mnist():
    """Read Fashion-MNIST through ``keras.datasets``, which downloads it once.

    Returns:
        dict of four uint8 arrays, as from ``raw_mnist``; labels are positions in
        ``FASHION_CLASSES``.

    Raises:
        ValueError: it cannot be had, or is not the published one; the message says how to get it.
    """
    return _from_keras(
        keras.datasets.fashion_mnist,
        FASHION_SHA256,
        "Fashion-MNIST cannot be had: connect to the network and run this again, or put the four "
        f"published files into the folder {_keras_folder() / 'fashion-mnist'}. On Debian and "
        "Ubuntu, the package dataset-fashion-mnist has them in /usr/share/datasets/fashion-mnist.",
    )


def _mnist_of_keras():
    """Return MNIST from where Keras keeps its data sets, or else by a download.

    Its arrays are what is verified. So the package's own file serves there, too.
    """
    folder = _keras_folder()
    with contextlib.suppress(Exception):  # whatever is wrong with it, Keras gets another one
        arrays = _read_arrays(folder / "mnist.npz")
        if _sha256(arrays) == MNIST_SHA256:
            return arrays
    return _from_keras(
        keras.datasets.mnist,
        MNIST_SHA256,
        "MNIST is not in this package, and keras.datasets cannot get it: connect to the network "
        "and run this again, or put the course's file resnet_lesson/mnist/mnist.npz in the folder "
        f"{folder}.",
    )


def _from_keras(source, sha256, what_to_do):
    """Load a data set of ``keras.datasets`` and verify it; an error begins with ``what_to_do``."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # a progress bar
            train, test = source.load_data()
    except Exception as error:  # Keras raises just that when there is no network
        reason = str(error) or type(error).__name__
    else:
        arrays = dict(zip(ARRAYS, (*train, *test), strict=True))
        if _sha256(arrays) == sha256:
            return arrays
        reason = "other images than the published ones"
    raise ValueError(f"{what_to_do} Received: {reason}")


def _keras_folder():
    return Path(os.environ.get("KERAS_HOME", "~/.keras"), "datasets").expanduser()


def _read_arrays(file):
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in ARRAYS}


def _sha256(arrays):
    """Return the SHA-256 of the four arrays one after the other; "" if they have other shapes."""
    if any((arrays[name].dtype, arrays[name].shape) != (np.uint8, ARRAYS[name]) for name in ARRAYS):
        return ""
    digest = hashlib.sha256()
    for name in ARRAYS:
        digest.update(np.ascontiguousarray(arrays[name]))
    return digest.hexdigest()
