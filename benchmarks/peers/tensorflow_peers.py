"""Peers on TensorFlow: Keras's convnet example, and the article's network in Keras and in a graph.

The example is written from its published configuration (keras.io, "Simple MNIST convnet").
Importing ``resnet_lesson`` changes settings of TensorFlow; a peer has TensorFlow as it comes, so
its modules are imported here without that, unless ``--our-settings`` asks for it.
"""

import argparse
import json
import sys
import time
import types
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BATCH, CAP, AIM = 128, 12, 0.99
SPEED_IMAGES, SPEED_EPOCHS = 12_800, 4


def package(our_settings):
    """Make ``resnet_lesson`` importable, with the settings of its ``__init__`` or without."""
    sys.path.insert(0, str(ROOT))
    if not our_settings:
        bare = types.ModuleType("resnet_lesson")
        bare.__path__ = [str(ROOT / "resnet_lesson")]
        sys.modules["resnet_lesson"] = bare


def keras_example():
    """Return the example's model: two convolutions, two pools, dropout, one dense layer."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def compiled(name):
    """Return a peer's model, compiled with its Adam and its loss."""
    import keras
    import tensorflow as tf

    # Keras's own loss finds a softmax layer and skips it, which would repair the article's network.
    rate, loss = 3e-3, tf.nn.softmax_cross_entropy_with_logits
    if name == "keras_example":
        model, rate, loss = keras_example(), 1e-3, "categorical_crossentropy"
    else:
        from resnet_lesson.article import FIXES, article_network

        fixes = {"article": (), "article_one_softmax": ("one softmax",)}.get(name, tuple(FIXES))
        model = article_network(fixes)  # as written, its probabilities are taken for logits
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, metrics=["accuracy"])
    return model


def fit_epochs(model, x, y, epochs, after=None):
    """Train with ``fit``; return the seconds of each epoch.

    The first update, which traces, is made and taken back beforehand. ``after(seconds)`` runs
    outside of the clock and ends the training by returning True.
    """
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    before = [v.numpy() for v in variables]
    model.fit(x[: BATCH * 3 // 2], y[: BATCH * 3 // 2], batch_size=BATCH, verbose=0)
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        model.fit(x, y, batch_size=BATCH, verbose=0)
        seconds.append(time.perf_counter() - start)
        if after is not None and after(seconds):
            break
    return seconds


def time_to_accuracy(name, data, seed, epochs=CAP, images=60_000):
    """Train until the aim is reached or the cap; return the seconds (None: not reached)."""
    import keras

    keras.utils.set_random_seed(seed)
    images = min(images, 54_000) if name == "keras_example" else images
    x, y = pixels(data["x_train"][:images]), one_hot(data["y_train"][:images])
    x_test, labels, accuracies = pixels(data["x_test"]), data["y_test"], []
    model = compiled(name)

    def after(_):
        right = model.predict(x_test, batch_size=500, verbose=0).argmax(1) == labels
        accuracies.append(float(right.mean()))
        return accuracies[-1] >= AIM

    seconds = fit_epochs(model, x, y, epochs, after)
    reached = accuracies[-1] >= AIM
    total = sum(seconds)
    return {"seconds": total if reached else None, "spent": total, "accuracies": accuracies}


def images_per_second(name, data, seed, epochs=SPEED_EPOCHS, images=SPEED_IMAGES):
    """Train the article's network for a few epochs; return the images a second."""
    import keras

    keras.utils.set_random_seed(seed)
    x, y = pixels(data["x_train"][:images]), one_hot(data["y_train"][:images])
    model = compiled("article")
    if name == "tf1":
        seconds = graph_epochs(model, x, y, epochs, seed)
    else:
        seconds = fit_epochs(model, x, y, epochs)
    return {"images_per_second": images / float(np.median(seconds[1:])), "epochs": seconds}


def graph_epochs(model, x, y, epochs, seed):
    """Train in the graph of TensorFlow 1; return the seconds of each epoch."""
    from resnet_lesson.article.tf1 import trained

    marks, generator = [], np.random.default_rng(seed)

    def batches():
        for _ in range(epochs):
            marks.append(time.perf_counter())
            order = generator.permutation(len(x))
            for i in range(0, len(x), BATCH):
                yield x[order[i : i + BATCH]], y[order[i : i + BATCH]]
        marks.append(time.perf_counter())

    trained({w.path: w.numpy() for w in model.weights}, batches())
    return np.diff(marks).tolist()


def pixels(images):
    """Return images as float32 from 0 to 1, shape (n, 28, 28, 1)."""
    return images.reshape(-1, 28, 28, 1).astype(np.float32) / 255


def one_hot(labels):
    """Return one-hot labels, float32, shape (n, 10)."""
    return np.eye(10, dtype=np.float32)[labels]


def main():
    """Run one peer once and print its result as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--task", choices=("time_to_accuracy", "images_per_second"))
    parser.add_argument("--data")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--our-settings", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    package(options.our_settings)
    import resnet_lesson  # noqa: F401  (its settings must come before TensorFlow)

    small = {"epochs": 2, "images": 1280} if options.quick else {}
    data = np.load(options.data)
    print(json.dumps(globals()[options.task](options.name, data, options.seed, **small)))


if __name__ == "__main__":
    main()
