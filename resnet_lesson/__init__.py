"""Helper package of the course on residual networks: the code that more than one lesson needs.

Dependencies point one way: notebooks → plots → training, diagnostics → models → blocks → Keras.
Importing the package imports TensorFlow, quietly, with two of its settings changed.
"""

import os
import sys
import tempfile
from contextlib import contextmanager

__version__ = "0.1.0"

# The course is written for Keras on TensorFlow; a reader's Keras settings may name another backend.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow leaves oneDNN's kernels off on x86 processors without AVX-512, where they are faster
# too: 1.3 times for the networks of lesson 04.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@contextmanager
def _native_stderr_held_back():
    """Hold back what native code writes to file descriptor 2; give it out if the block raises.

    TensorFlow 2.18 to 2.21 logs to the descriptor itself before any setting takes effect
    (tensorflow/tensorflow#100442), which would open every notebook with a page of noise.
    """
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


with _native_stderr_held_back():
    import keras
    import tensorflow

    tensorflow.config.list_physical_devices()  # looks for a GPU, and logs when there is none

# With oneDNN, TensorFlow 2.21 fuses a dense layer and its ReLU into a node without a name, and logs
# errors about it. Training here is no slower without fusing.
tensorflow.config.optimizer.set_experimental_options({"remapping": False})

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        "resnet_lesson needs Keras on TensorFlow: set the environment variable KERAS_BACKEND to "
        "'tensorflow' and restart the kernel. "
        f"Received: backend={keras.backend.backend()!r}"
    )


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
