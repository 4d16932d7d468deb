"""Part of the benchmarks: seconds of training to 99.0 % of the test images."""

from contestants import command  # noqa: F401  (how `run` starts them)

NAME = "time_to_accuracy"
REPEATS = 3
CONTESTANTS = (
    "ours",
    "keras_example",
    "keras_example+",
    "article",
    "article_one_softmax",
    "article_fixed",
    "torch",
    "torch_one_thread",
)
PROTOCOL = (
    "Training seconds only: tracing and evaluation are outside of the clock. Peers end at the "
    "first epoch after which 99.0 % of the test images are right, 12 epochs at most. Ours and its "
    "twin have a schedule of 3 epochs, fixed beforehand, and are judged at its end. The Keras "
    "example trains on 54,000 images, as published, the others on 60,000."
)
