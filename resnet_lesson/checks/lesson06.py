"""Checks of the exercises for lesson 06, reading the article."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from resnet_lesson.checks.answers import as_array, call, own_draws, require
from resnet_lesson.checks.blocks import (
    TWO_LAYERS,
    all_mistakes,
    computed,
    kernel_shapes,
    one_change,
    variables,
)
from resnet_lesson.checks.core import check, check_values, close, drawn, judge
from resnet_lesson.checks.predictions import judged


@check("06")
def reviewed_network(answer):
    """``answer()`` → the small residual network for ``fit``, without its three mistakes."""
    require(not isinstance(answer, keras.Model), "hand over the function, not what it returns")
    model = call(answer)
    require(isinstance(model, keras.Model), "return a compiled keras.Model")
    require(model.compiled, "the model should be compiled, ready for fit")
    images, labels = drawn(0, (16, 28, 28, 1))[0].astype("float32"), np.arange(16) % 10
    given_out = call(model, images, training=False)  # some make their weights only now
    own = variables(model)
    kernels = [v for v in own if v.shape == (3, 3, 16, 16)]
    four = "two blocks with two convolutions each need four kernels of 3 × 3 from 16 to 16 channels"
    require(len(kernels) == 4, f"{four}, this has {len(kernels)}")
    others = {shape: [v for v in own if v.shape == shape] for shape in ((3, 3, 1, 16), (16, 10))}
    whole = all(len(found) == 1 for found in others.values())
    require(whole, "the first convolution and the last layer should be those of the given network")
    stem, head = (found[0].numpy() for found in others.values())

    def logits(block, stride=2, start=np.maximum, end=np.mean):
        y = start(tf.nn.conv2d(images, stem, stride, "SAME").numpy(), 0)
        for pair in (kernels[:2], kernels[2:]):
            y = computed(block, y, [kernel.numpy() for kernel in pair])
        return end(y, axis=(1, 2)) @ head

    meanings = _reviewed(logits)
    if close(np.sum(given_out, axis=1), np.ones(16)) and np.min(given_out) >= 0:
        meanings = (
            (words[0], tf.nn.softmax(words[1]).numpy()) if isinstance(words, tuple) else words
            for words in meanings
        )
    praise = judge(given_out, "the model's output", meanings, 1e-3)
    count, wanted = sum(np.size(v) for v in own), 160 + 4 * (2304 + 16) + 170
    else_ = f"{count:,} numbers can be trained, in the given network {wanted:,} would be"
    require(count == wanted, f"{else_}: mend three mistakes and nothing else")
    adam = isinstance(model.optimizer, keras.optimizers.Adam)
    same = adam and abs(float(model.optimizer.learning_rate) - 0.003) < 1e-6
    require(same, "Adam with a rate of 0.003 is no mistake: leave it as it is")
    loss = float(model.compute_loss(images, labels, given_out))
    log_p = tf.nn.log_softmax(logits(TWO_LAYERS)).numpy()
    fits = abs(loss + log_p[range(16), labels].mean()) < 1e-3
    require(fits, "the loss is not the cross-entropy of this output: logits or probabilities?")
    return praise


def _reviewed(logits):
    """Yield the logits of the mended network, and what known mistakes make of them."""
    right, relu_before = logits(TWO_LAYERS), logits("conv relu conv relu shortcut add relu")
    yield "three mistakes, and none is left", right
    yield "the last layer's ReLU cuts off the negative logits", np.maximum(right, 0)
    before = "a ReLU still stands before the addition, so that a branch can only add"
    yield before, relu_before
    yield f"{before}; and logits are cut off", np.maximum(relu_before, 0)
    for message, changed in all_mistakes(TWO_LAYERS):
        yield message, logits(changed)
    yield "the first convolution of the network has lost its stride", logits(TWO_LAYERS, stride=1)
    yield "the ReLU of the first convolution is missing", logits(TWO_LAYERS, start=lambda y, _: y)
    yield "the mean over the pixels has become a maximum", logits(TWO_LAYERS, end=np.max)
    yield "the mean over the pixels has become a sum", logits(TWO_LAYERS, end=np.sum)
    yield "a sigmoid stands at the end", tf.sigmoid(right).numpy()
    yield "a tanh stands at the end", np.tanh(right)
    yield "the output is not that of the given network with its three mistakes mended"


def _weighted(width, inner, seed):
    """Draw x, three kernels and four biases of the article's identity block."""
    filters = (*inner, width)
    kernels = kernel_shapes((1, 3, 1), width, filters)
    x, *weights = drawn(seed, (2, 5, 5, width), *kernels, *filters, width)
    return x, weights[:3], weights[3:]


def _with_tensors(answer, x, kernels, biases):
    """Call the answer as the exercise does, with tensors."""
    x, *weights = (tf.constant(values, tf.float32) for values in (x, *kernels, *biases))
    return call(answer, x, weights[:3], weights[3:6], weights[6])


WEIGHTED = [_weighted(6, (3, 4), 0), _weighted(4, (2, 5), 1)]


@check_values("06", "the output", WEIGHTED, 1e-4, _with_tensors)
def identity_block(x, kernels, biases):
    """``answer(x, kernels, biases, last_bias)`` → the article's identity block, as written."""
    alone = "conv bias relu conv bias relu conv bias relu"
    right = f"{alone} shortcut add last_bias relu"
    orders = {
        "as the article has it, ReLU before the addition included": right,
        "the article has a ReLU before the addition": right.replace("relu shortcut", "shortcut"),
        "the shortcut is missing": right.replace("shortcut add", ""),
        "the biases of the convolutions are missing": right.replace(" bias", ""),
        "the branch has no ReLUs": right.replace("bias relu", "bias", 3),
        "this is the block of He and his colleagues; asked is the article's, defects included": (
            right.replace("relu shortcut add last_bias", "shortcut add")
        ),
        "the bias comes first, then the ReLU": right.replace(" bias relu", " relu bias"),
        "the last bias is added twice": right.replace("last_bias", "last_bias last_bias"),
        "this is the branch alone": alone,
        "the last bias belongs after the addition": (
            right.replace(" last_bias", "").replace("shortcut", "last_bias shortcut")
        ),
        "the last bias and the last ReLU belong after the addition": (
            f"{alone} last_bias relu shortcut add"
        ),
        "only the third convolution has a ReLU; the others have one, too": (
            right.replace("bias relu conv", "bias conv")
        ),
        "only the first convolution has a ReLU; the others have one, too": (
            "conv bias relu conv bias conv bias shortcut add last_bias relu"
        ),
        "x is added before the third ReLU": right.replace("relu shortcut add", "shortcut add relu"),
        "the last bias is added before the third ReLU": (
            right.replace(" last_bias", "").replace("relu shortcut", "last_bias relu shortcut")
        ),
    }
    for message, order in itertools.chain(orders.items(), one_change(right)):
        yield message, computed(order, x, kernels, biases=biases)
    third = [*biases[:-1], biases[-2]]
    yield (
        "the third bias is added again in place of the last one",
        computed(right, x, kernels, biases=third),
    )
    one = [*biases[:-1], np.mean(biases[-1])]
    yield (
        "the last bias has become one number for all channels",
        computed(right, x, kernels, biases=one),
    )
    for message, turned in (
        ("height and width of the kernels are exchanged", [np.swapaxes(k, 0, 1) for k in kernels]),
        (
            "the kernels are turned round; a layer does not do that",
            [k[::-1, ::-1] for k in kernels],
        ),
    ):
        yield message, computed(right, x, turned, biases=biases)
    yield "the shape is right, the numbers are not those of the article's block"


@check("06")
def wrapped_batches(answer):
    """``answer(images, batch_size, updates, seed)`` → batches that go on from pass to pass."""
    for images, size, updates in ((20, 5, 8), (23, 5, 14), (9, 4, 9), (7, 10, 5)):
        first, again, other = (_places(answer, images, size, updates, seed) for seed in (1, 1, 2))
        require(np.array_equal(first, again), "one seed should give one order, each time")
        require(not np.array_equal(first, other), "two seeds give the same order")
    return "each image once in each pass, and no batch is smaller"


def _places(answer, images, size, updates, seed):
    """Return the places of all batches, which must go through pass after pass, each shuffled."""
    with own_draws():
        batches = call(answer, images, size, updates, seed)
        require(np.iterable(batches), "return a list of batches")
        batches = [np.asarray(batch) for batch in batches]  # a generator draws only here
        whole = all(batch.dtype.kind in "iu" for batch in batches)
        require(whole, "places should be whole numbers, so that they can be used as an index")
        batches = [as_array(batch, "a batch").ravel() for batch in batches]
    count = f"{updates} batches were asked for, these are {len(batches)}"
    require(len(batches) == updates, count)
    sizes = {batch.size for batch in batches}
    require(sizes == {size}, f"each batch should have {size} images; these have {sorted(sizes)}")
    places = np.concatenate(batches)
    in_range = np.isin(places, range(images)).all()
    require(in_range, f"places should be whole numbers from 0 to {images - 1}")
    passes = [places[at : at + images] for at in range(0, len(places) - images + 1, images)]
    ordered = all(np.all(np.diff(batch) > 0) for batch in batches)
    as_drawn = "the images of each batch are sorted; they should come as they are drawn"
    fill = "where a pass ends inside a batch, the next pass fills it up"
    for one in passes:
        missing = images - len(np.unique(one))
        lost = f"{missing} of {images} images do not come in one pass; {fill}"
        require(not missing, as_drawn if ordered else lost)
        require(np.any(np.diff(one) < 0), "the images of a pass come in their old order")
    require(not ordered, as_drawn)
    for again in (passes[1], passes[1][::-1]):
        first = np.roll(again, -int(np.flatnonzero(again == passes[0][0])[0]))
        anew = "each pass has the same order, shifted or turned round at most; shuffle anew"
        require(not np.array_equal(first, passes[0]), anew)
    return places


@check("06")
def epsilon_prediction(answer):
    """``answer``: (prediction, losses with ε = 1e-8, losses with ε = 1e-7)."""
    return judged(answer)
