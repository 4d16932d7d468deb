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
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
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


def raw_mnist():
    """Read MNIST as it was published: from the package or, if it is not in there, as Keras has it.

    What is verified are the arrays. So the package's own file serves in the folder of Keras, too.

    Returns:
        dict of four uint8 arrays: ``x_train`` (60000, 28, 28), ``y_train`` (60000,),
        ``x_test`` (10000, 28, 28) and ``y_test`` (10000,). Pixels run from 0 to 255.

    Raises:
        ValueError: the data file cannot be read or is not the published one, or there is none and
            ``keras.datasets`` cannot get it.
    """
    if MNIST_FILE.exists():
        return _verified(
            lambda: _read_arrays(MNIST_FILE),
            MNIST_SHA256,
            f"The MNIST file {MNIST_FILE.name} is damaged. Restore it with `git checkout -- "
            "resnet_lesson/mnist/mnist.npz`, or reinstall the package.",
        )
    folder = _keras_folder()
    with contextlib.suppress(ValueError):  # whatever is wrong with it, Keras gets another one
        return _verified(lambda: _read_arrays(folder / "mnist.npz"), MNIST_SHA256, "")
    return _verified(
        lambda: _of_keras(keras.datasets.mnist),
        MNIST_SHA256,
        "MNIST is not in this package, and keras.datasets cannot get it: connect to the network "
        "and run this again, or put the course's file resnet_lesson/mnist/mnist.npz in the folder "
        f"{folder}.",
    )


def raw_fashion_mnist():
    """Read Fashion-MNIST through ``keras.datasets``, which downloads it once.

    Returns:
        dict of four uint8 arrays, as from ``raw_mnist``; labels are positions in
        ``FASHION_CLASSES``.

    Raises:
        ValueError: it cannot be had, or is not the published one; the message says how to get it.
    """
    return _verified(
        lambda: _of_keras(keras.datasets.fashion_mnist),
        FASHION_SHA256,
        "Fashion-MNIST cannot be had: connect to the network and run this again, or put the four "
        f"published files into the folder {_keras_folder() / 'fashion-mnist'}. On Debian and "
        "Ubuntu, the package dataset-fashion-mnist has them in /usr/share/datasets/fashion-mnist.",
    )


def _verified(load, sha256, what_to_do):
    """Return the arrays that ``load()`` gives, verified; an error begins with ``what_to_do``."""
    try:
        arrays = load()
    except Exception as error:  # Keras raises just that when there is no network
        reason = str(error) or type(error).__name__
    else:
        digest = hashlib.sha256()
        for name in ARRAYS:
            digest.update(arrays[name])
        if digest.hexdigest() == sha256:
            return arrays
        reason = "other images than the published ones"
    raise ValueError(f"{what_to_do} Received: {reason}")


def _read_arrays(file):
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in ARRAYS}


def _of_keras(source):
    with contextlib.redirect_stdout(io.StringIO()):  # a progress bar
        train, test = source.load_data()
    return dict(zip(ARRAYS, (*train, *test), strict=True))


def _keras_folder():
    return Path(os.environ.get("KERAS_HOME", "~/.keras"), "datasets").expanduser()
