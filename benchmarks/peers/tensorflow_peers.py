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
BATCH, CAP, AIM = 128, 20, 0.99
SPEED_IMAGES, SPEED_EPOCHS = 12_800, 4
EXAMPLE_IMAGES = 54_000  # the published example keeps the last tenth for validation


def package(our_settings):
    """Make ``resnet_lesson`` importable, with the settings of its ``__init__`` or without."""
    sys.path.insert(0, str(ROOT))
    if not our_settings:
        bare = types.ModuleType("resnet_lesson")
        bare.__path__ = [str(ROOT / "resnet_lesson")]
        sys.modules["resnet_lesson"] = bare


def keras_example(dropout=0.5):
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
            layers.Dropout(dropout),
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
        from resnet_lesson.article import article_network

        model = article_network()  # as written, its probabilities are taken for logits
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, metrics=["accuracy"])
    return model


def fit_epochs(model, x, y, epochs, after=None, batch_size=BATCH):
    """Train with ``fit``; return the seconds of each epoch.

    The first update, which traces, is made and taken back beforehand. ``after(seconds)`` runs
    outside of the clock and ends the training by returning True.
    """
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    before = [v.numpy() for v in variables]
    some = slice(batch_size * 3 // 2)
    model.fit(x[some], y[some], batch_size=batch_size, verbose=0)
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        model.fit(x, y, batch_size=batch_size, verbose=0)
        seconds.append(time.perf_counter() - start)
        if after is not None and after(seconds):
            break
    return seconds


def tuned(data, seed, setting, images):
    """Train the example with other settings and one cycle; return the model and its seconds."""
    import keras
    import tensorflow as tf

    epochs, batch = setting["epochs"], setting["batch_size"]
    updates = epochs * -(-images // batch)
    # As ``resnet_lesson.recipe.fast.one_cycle``.
    marks, rates = [0, 0.25 * updates, updates], [0.04 * setting["peak"], setting["peak"], 0.0]
    rates = tf.constant(np.interp(np.arange(updates), marks, rates), tf.float32)

    class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return tf.gather(rates, tf.minimum(tf.cast(step, tf.int32), updates - 1))

    keras.utils.set_random_seed(seed)
    x, y = pixels(data["x_train"][:images]), one_hot(data["y_train"][:images])
    model = keras_example(setting["dropout"])
    model.compile(keras.optimizers.Adam(OneCycle()), "categorical_crossentropy")
    return model, sum(fit_epochs(model, x, y, epochs, batch_size=batch))


def right(model, images, labels):
    """Return the share of the images that a model reads."""
    read = model.predict(pixels(images), batch_size=500, verbose=0).argmax(1)
    return float((read == labels).mean())


def peer_tuning(name, data, seed, setting, images=EXAMPLE_IMAGES):
    """Train with a setting; return the seconds and the accuracy on the validation images."""
    model, seconds = tuned(data, seed, setting, images)
    kept = slice(EXAMPLE_IMAGES, None)
    return {
        "seconds": seconds,
        "accuracy": right(model, data["x_train"][kept], data["y_train"][kept]),
    }


def time_to_accuracy(name, data, seed, setting=None, epochs=CAP, images=EXAMPLE_IMAGES):
    """Train until the aim is reached or the cap; with a setting, by its schedule.

    Returns:
        dictionary: the seconds (None: not reached), those that were spent, and the accuracies.
    """
    import keras

    test, accuracies = (data["x_test"], data["y_test"]), []
    if setting:
        model, spent = tuned(data, seed, setting, images)
        accuracies.append(right(model, *test))
    else:
        keras.utils.set_random_seed(seed)
        x, y = pixels(data["x_train"][:images]), one_hot(data["y_train"][:images])
        model = compiled(name)

        def after(_):
            accuracies.append(right(model, *test))
            return accuracies[-1] >= AIM

        spent = sum(fit_epochs(model, x, y, epochs, after))
    reached = accuracies[-1] >= AIM
    return {"seconds": spent if reached else None, "spent": spent, "accuracies": accuracies}


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
    parser.add_argument("--task", choices=("peer_tuning", "time_to_accuracy", "images_per_second"))
    parser.add_argument("--data")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--setting", type=json.loads, help="of the tuned example, as JSON")
    parser.add_argument("--our-settings", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    package(options.our_settings)
    import resnet_lesson  # noqa: F401  (its settings must come before TensorFlow)

    more = {"images": 1280} if options.quick else {}
    if options.setting:
        more["setting"] = options.setting
    elif options.quick:
        more["epochs"] = 2
    data = np.load(options.data)
    print(json.dumps(globals()[options.task](options.name, data, options.seed, **more)))


if __name__ == "__main__":
    main()
