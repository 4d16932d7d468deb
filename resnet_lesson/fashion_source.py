"""Fashion-MNIST as it was published, from where Keras keeps its data sets, or by a download.

References
    H. Xiao, K. Rasul, R. Vollgraf 2017: Fashion-MNIST: a Novel Image Dataset for Benchmarking
        Machine Learning Algorithms (arXiv:1708.07747). The data: MIT licence, Zalando SE.
"""

import contextlib
import io
import os
from pathlib import Path

import keras

from resnet_lesson.mnist_source import ARRAYS, arrays_sha256

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


def raw_fashion_mnist():
    """Read Fashion-MNIST through ``keras.datasets``, and verify it.

    Returns:
        dict of four uint8 arrays, as ``mnist_source.raw_mnist`` gives them; labels are positions in
        ``FASHION_CLASSES``.

    Raises:
        ValueError: it cannot be had, or is not the published one.
    """
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    folder = home / "datasets" / "fashion-mnist"
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # a progress bar
            train, test = keras.datasets.fashion_mnist.load_data()
    except Exception as error:  # Keras raises just that when there is no network
        reason = str(error) or type(error).__name__
    else:
        arrays = dict(zip(ARRAYS, (*train, *test), strict=True))
        if arrays_sha256(arrays) == FASHION_SHA256:
            return arrays
        reason = "other images than the published ones"
    raise ValueError(
        "Fashion-MNIST cannot be had: connect to the network and run this again, or put the four "
        f"published files into the folder {folder}. On Debian and Ubuntu, the package "
        "dataset-fashion-mnist has them in /usr/share/datasets/fashion-mnist. "
        f"Received: {reason}"
    )
