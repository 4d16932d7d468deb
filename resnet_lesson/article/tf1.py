"""The article's network as a graph of TensorFlow 1, to prove that ``article`` rebuilds it.

Each function builds a graph of its own and closes its session, so that TensorFlow 2 goes on around
it as before. Weights are handed over by name: ``{w.path: w.numpy() for w in model.weights}`` of
``article.article_network()``, or of a model that is one ``article.article_block``. The graph
computes in their dtype: float32 as in the article, or float64, where rounding blurs no comparison.

References
    Kingma, Ba 2015: Adam: A Method for Stochastic Optimization, ICLR (arXiv:1412.6980), Section 2:
        TensorFlow 1 has the order of operations of that section's last paragraph, with ε = 1e-8.
"""

from contextlib import closing

import numpy as np
import tensorflow as tf

from resnet_lesson.plumbing.constraints import POSITIVE, Dictionary, checked, floats

v1 = tf.compat.v1

WEIGHTS = Dictionary(floats())


@checked(weights=WEIGHTS, images=floats(None, 28, 28, 1))
def network_outputs(weights, images):
    """Compute the network's probabilities.

    Args:
        weights: dictionary, weight's path as in ``"block1_conv1/kernel"`` → array, all of one
            dtype.
        images: float32, shape (batch, 28, 28, 1).

    Returns:
        array of the weights' dtype, shape (batch, 10).

    Raises:
        KeyError: a weight is missing.
        TypeError, ValueError: a weight does not fit, or there are no such images.
    """
    return _outputs(weights, images, _network)


@checked(weights=WEIGHTS, x=floats(None, None, None, None))
def block_outputs(weights, x, name="block", changing=False, stride=1):
    """Compute one block's output.

    Args:
        weights: dictionary, weight's path as in ``"block_conv1/kernel"`` → array, all of one
            dtype.
        x: float32, shape (batch, height, width, channels).
        name: the block's name, with which the paths begin.
        changing, stride: as in ``article.article_block``. An identity block ignores the stride.

    Returns:
        array of the weights' dtype, shape (batch, height, width, channels).

    Raises:
        KeyError: a weight is missing.
        TypeError, ValueError: a weight does not fit, or an argument is unusable.
    """
    return _outputs(weights, x, lambda x, own: _block(x, own, name, changing, stride))


@checked(weights=WEIGHTS, learning_rate=POSITIVE)
def trained(weights, batches, learning_rate=3e-3):
    """Train the network with TensorFlow 1's Adam, one update a batch.

    Args:
        weights: dictionary, weight's path as in ``"block1_conv1/kernel"`` → array, all of one
            dtype.
        batches: iterable of pairs, read once: images, float32, shape (batch, 28, 28, 1), and
            one-hot labels, shape (batch, 10).
        learning_rate: Adam's step size.

    Returns:
        (dictionary of the trained weights, list of the losses before each update in nats).

    Raises:
        KeyError: a weight is missing.
        TypeError, ValueError: a weight does not fit, or an argument is unusable.
    """
    with tf.Graph().as_default() as graph:
        variables = _variables(weights)
        images = _placeholder(variables, [28, 28, 1])
        labels = _placeholder(variables, [10])
        # The probabilities are taken for logits: the article's second softmax.
        outputs = _network(images, variables)
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, outputs))
        update = v1.train.AdamOptimizer(learning_rate).minimize(loss)
        start = v1.global_variables_initializer()
    losses = []
    # Outside of the graph, so that TensorFlow 2 may make the batches.
    with closing(v1.Session(graph=graph)) as session:
        session.run(start)
        for x, y in batches:
            feed = {images: np.asarray(x), labels: np.asarray(y)}
            value, _ = session.run([loss, update], feed)
            losses.append(float(value))
        return session.run(variables), losses


def _outputs(weights, x, forward):
    """Run ``forward(placeholder, variables)`` once in a graph of its own."""
    with tf.Graph().as_default():
        variables = _variables(weights)
        placeholder = _placeholder(variables, x.shape[1:])
        y = forward(placeholder, variables)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            return session.run(y, {placeholder: x})


def _variables(weights):
    return {path: v1.Variable(value) for path, value in weights.items()}


def _placeholder(variables, shape):
    return v1.placeholder(next(iter(variables.values())).dtype, [None, *shape])


def _network(images, weights):
    x = _conv(images, weights["stem_conv/kernel"]) + weights["stem_conv/bias"]
    x = _pool(tf.nn.relu(x))
    for number in range(1, 5):
        x = _block(x, weights, f"block{number}")
    x = _pool(_block(x, weights, "block5", changing=True))
    x = tf.reshape(x, [-1, 7 * 7 * 32])
    x = tf.nn.relu(x @ weights["dense1/kernel"] + weights["dense1/bias"])
    return tf.nn.softmax(x @ weights["logits/kernel"] + weights["logits/bias"])


def _block(x, weights, name, changing=False, stride=1):
    own = {path.removeprefix(f"{name}_"): value for path, value in weights.items()}
    y = _conv(x, own["conv1/kernel"], stride if changing else 1)
    y = tf.nn.relu(y + own["conv1/bias"])
    y = tf.nn.relu(_conv(y, own["conv2/kernel"]) + own["conv2/bias"])
    y = tf.nn.relu(_conv(y, own["conv3/kernel"]) + own["bias3/bias"])
    carried = _conv(x, own["conv3/kernel"]) if changing else x
    return tf.nn.relu(y + carried + own["bias_fin/bias"])


def _conv(x, kernel, stride=1):
    return tf.nn.conv2d(x, kernel, stride, "SAME")


def _pool(x):
    return tf.nn.max_pool2d(x, 2, 2, "SAME")
