"""Helper package of the course on residual networks: the code that more than one lesson needs.

Dependencies point one way: notebooks → plots → training, diagnostics → models → blocks → Keras.
Importing the package imports TensorFlow, quietly, with two of its settings changed, and makes its
layers known to Keras, so that ``keras.models.load_model`` reads any network of the course.
"""

import multiprocessing
import os
import sys
import tempfile
import warnings
from contextlib import contextmanager

__version__ = "0.2.0"

# The course is written for Keras on TensorFlow; a reader's Keras settings may name another backend.
os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow leaves oneDNN's kernels off on x86 processors without AVX-512, where they are faster
# too: 1.3 times for the networks of lesson 04.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def _let_errors_go_somewhere():
    """Let whatever is written as an error have a place, in a process that was started without one.

    So start pythonw, some services, and ``2>&-``. A progress bar would fail there, and the next
    file that is opened would be taken for the place.
    """
    try:
        os.fstat(2)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != 2:
            os.dup2(nowhere, 2)
            os.close(nowhere)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


@contextmanager
def _native_stderr_held_back():
    """Hold back what native code writes to file descriptor 2; give it out if the block raises.

    TensorFlow 2.18 to 2.21 logs to the descriptor itself before any setting takes effect
    (tensorflow/tensorflow#100442), which would open every notebook with a page of noise.
    """
    _let_errors_go_somewhere()
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _check_backend(backend):
    if backend != "tensorflow":
        raise ImportError(
            "resnet_lesson needs Keras on TensorFlow: set the environment variable KERAS_BACKEND "
            f"to 'tensorflow' and restart the kernel. Received: backend={backend!r}"
        )


_check_backend(os.environ["KERAS_BACKEND"])  # before Keras looks for one that is not installed

with _native_stderr_held_back():
    import keras
    import tensorflow

    tensorflow.config.list_physical_devices()  # looks for a GPU, and logs when there is none

# With oneDNN, TensorFlow 2.21 fuses a dense layer and its ReLU into a node without a name, and logs
# errors about it. Training here is no slower without fusing.
tensorflow.config.optimizer.set_experimental_options({"remapping": False})

_check_backend(keras.backend.backend())


def _set_what_the_course_is_written_for():
    """Set two settings of Keras's that a file keras.json, long forgotten, may have changed.

    Networks of images whose channels come first would not fit together, or, worse, would learn
    something else. The file stays as it is.
    """
    for name, ours in {"image_data_format": "channels_last", "floatx": "float32"}.items():
        found, set_to = getattr(keras.config, name)(), getattr(keras.config, f"set_{name}")
        if found == ours:
            continue
        set_to(ours)
        # One sentence, not one from each worker as well.
        if multiprocessing.current_process().name == "MainProcess":
            warnings.warn(
                f"Keras is set to {name}={found!r}, probably by a file keras.json. The course is "
                f"written for {ours!r} and has set that in this process. If you do want yours, "
                f"type keras.config.set_{name}({found!r}) after the import.",
                stacklevel=3,
            )


_set_what_the_course_is_written_for()


def deterministic(seed=0):
    """Let TensorFlow give the same numbers each time, to the last bit, in this whole process.

    Without it some operations add up in an order that differs from run to run. With it, operations
    that draw from TensorFlow's global random numbers (``tf.random.normal``, ``Dataset.shuffle``,
    ``model.fit``) would refuse to work without a seed, so it sets one.

    Args:
        seed: integer, TensorFlow's global seed. Runs of this package have seeds of their own.
    """
    tensorflow.config.experimental.enable_op_determinism()
    tensorflow.random.set_seed(seed)


# At the end, since they import from here. Each layer is registered where its class is defined.
from resnet_lesson import article, variants  # noqa: E402, F401
