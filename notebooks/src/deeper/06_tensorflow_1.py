# %% [markdown]
# # 06 · Deeper: from TensorFlow 1 to Keras 3
#
# Sooner or later you will want to run a program that was written for TensorFlow 1. It may be the only implementation of
# a paper that you need, or the code of a colleague who has left. It will not start, and once you have mended that, a
# worse question is waiting: does your translation still compute the same thing? "It trains" is no answer, since almost
# anything trains. This notebook translates the program of the article behind this course,
# <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>, and then tests the translation, output by output and weight by weight. On the way it trips over a constant that looks like zero and is not.
#
# **Objectives.** After this notebook you can
#
# 1. say what a graph, a session and a placeholder were, and what has become of them;
# 2. prove that a translated network computes the same, and trains the same;
# 3. say why a translation must carry over the ε of an optimiser.
#
# **Prerequisites.** Lesson [06](../06_reading_the_article.ipynb); Adam, in the [primer](00_primer.ipynb).
#
# **Reading time:** 10 minutes. **Computing time:** 20 seconds on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import math

import keras
import numpy as np
import tensorflow as tf

from resnet_lesson import plots
from resnet_lesson.article import article_block, article_network, tf1
from resnet_lesson.verdicts import verdict, verdict_above

# %% [markdown]
# ## 1. A program for a machine that is gone
#
# In TensorFlow 1 a program had two halves. The first drew up a **graph**, a description of the computation with no
# numbers in it. What would be fed in later was a gap, a **placeholder**. The second half opened a **session**, filled
# the gaps, and ran the graph, or the part of it that somebody had asked for. TensorFlow 2, of 2019, computes at once,
# as NumPy does. Many names are where they were; others have moved or are gone.
#
# **Predict.** Of eleven names that the article's program uses, how many does `tf` still have?

# %%
USED = ["placeholder", "Variable", "truncated_normal", "random_normal", "zeros", "add", "reshape", "matmul",
        "reduce_mean", "global_variables_initializer", "Session"]
plots.table(["name", "in tf", "in tf.compat.v1"],
            [[f"`{name}`", *("yes" if hasattr(where, name) else "no" for where in (tf, tf.compat.v1))] for name in USED])
assert not hasattr(tf, "Session") and not hasattr(tf.train, "AdamOptimizer")

# %% [markdown]
# So nothing is lost: what is missing is still there under `tf.compat.v1`, and with it you can run old code nearly
# unchanged, which is just what we need for a comparison. To *read* it, and to go on with it, you translate.
#
# | the article, TensorFlow 1 | today, Keras 3 on TensorFlow 2 | what changes |
# |---|---|---|
# | `tf.placeholder` | `keras.Input`, or an argument of a function | nothing is filled in later: arrays are handed over |
# | `tf.Variable` | a layer's own weights; `layer.add_weight` | a layer makes them when it first sees a shape |
# | `tf.truncated_normal`, `tf.random_normal` | `keras.initializers.TruncatedNormal`, `RandomNormal` | an initializer with a seed can be repeated |
# | `tf.nn.conv2d` + bias | `keras.layers.Conv2D` | one layer holds kernel and bias |
# | `strides=[1, s, s, 1]`, `padding="SAME"` | `strides=s`, `padding="same"` | write the padding: Keras's default is `"valid"` |
# | `tf.nn.max_pool`, `tf.nn.relu`, `tf.add` | `keras.layers.MaxPooling2D`, `ReLU`, `Add` | |
# | `tf.reshape` to 7·7·32 | `keras.layers.Flatten` | the size is found by itself |
# | `tf.matmul` + bias | `keras.layers.Dense` | |
# | `tf.nn.softmax` as output | none: the network ends in logits | lesson 06 says why |
# | `softmax_cross_entropy_with_logits` | `keras.losses.CategoricalCrossentropy(from_logits=True)` | with labels as numbers: `SparseCategoricalCrossentropy` |
# | `tf.train.AdamOptimizer` | `keras.optimizers.Adam` | its $\varepsilon$ is 1e-7, not 1e-8: section 3 |
# | `.minimize(loss)` | `tf.GradientTape`, then `optimizer.apply_gradients` | or `model.fit`, which does both |
# | `tf.global_variables_initializer` | none | weights exist as soon as they are made |
# | `tf.Session`, `sess.run`, `feed_dict` | call the model | `tf.function` makes a graph of a function, for speed |
# | `mnist.train.next_batch` | `keras.datasets.mnist`, a shuffled order, slices | the tutorial module that had it is gone |
#
# Two kinds of first weights in it deserve a word. A **truncated normal distribution** draws again whatever lies more than
# two standard deviations out, so that no weight begins with a freak value; the article's blocks start with it, at a
# deviation of 0.1, which the cutting reduces to about 0.09. Its first convolution and its dense layers have a plain
# normal one.
#
# ## 2. The same network, tested
#
# `article_network` in the course's package is a translation by this table, defects included. In `article.tf1` the graph is
# written down once more with the old names. Give both the same weights and the same images, and whatever comes out must
# agree. Random weights will do, biases included, so that a forgotten bias cannot hide behind a zero.
#
# **Predict.** Two programs in float32 that do the same: will they agree to the last bit, to about seven digits, or to
# about three?

# %%
def random_weights(model, seed=0):
    """Give a model random weights, and return them by name."""
    generator = np.random.default_rng(seed)
    model.set_weights([generator.normal(0, 0.1, w.shape) for w in model.get_weights()])
    return {weight.path: weight.numpy() for weight in model.weights}


def relative(ours, theirs):
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())

# %%
generator = np.random.default_rng(1)
images = generator.normal(size=(8, 28, 28, 1)).astype("float32")
features = generator.normal(size=(8, 14, 14, 16)).astype("float32")
apart = {}
for name, widths, changing in (("identity block", (8, 8, 16), False), ("changing block", (16, 16, 32), True)):
    x = keras.Input((14, 14, 16))
    model = keras.Model(x, article_block(x, widths, changing=changing))
    theirs = tf1.block_outputs(random_weights(model), features, changing=changing)
    apart[name] = relative(model(features), theirs)
whole = article_network()
theirs = tf1.network_outputs(random_weights(whole), images)
apart["whole network"] = relative(whole(images), theirs)
verdict("both kinds of block and the whole network agree with the TensorFlow 1 graph, but for rounding",
        max(apart.values()) < 1e-5, "largest difference over the largest output: "
        + ", ".join(f"{name} {one:.1e}" for name, one in apart.items()))

# %% [markdown]
# ## 3. Does it train the same?
#
# Equal outputs are half of the proof. The other half is three updates of training, after which all weights must agree
# again. That takes the same optimiser. Adam divides each step by the root of a running mean of squared gradients, plus
# a small number $\varepsilon$ that keeps it from dividing by zero. In TensorFlow 1 it is $10^{-8}$, in Keras
# $10^{-7}$. Both look like nothing. (Rounding could blur the comparison, since a ReLU near zero may fall to one side in
# one program and to the other in the next, so we compute in float64.)
#
# **Predict.** After three updates of size 0.003, does it matter which of the two you take?

# %%
def three_updates(model, batches, epsilon):
    """Return the weights after three updates by Keras's Adam; the model keeps its own."""
    start = model.get_weights()
    # TensorFlow 1 keeps Adam's constants in float32, whatever the weights are.
    rate, b1, b2, eps = (float(np.float32(c)) for c in (3e-3, 0.9, 0.999, epsilon))
    adam = keras.optimizers.Adam(rate, beta_1=b1, beta_2=b2, epsilon=eps)
    for x, labels in batches:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, model(x)))
        gradients = tape.gradient(loss, model.trainable_variables)
        adam.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    trained = {weight.path: weight.numpy() for weight in model.weights}
    model.set_weights(start)
    return trained

# %%
keras.config.set_dtype_policy("float64")
double = article_network()
keras.config.set_dtype_policy("float32")

generator = np.random.default_rng(7)
batches = [(generator.normal(size=(8, 28, 28, 1)), np.eye(10)[generator.integers(0, 10, 8)]) for _ in range(3)]
start = random_weights(double)
theirs, _ = tf1.trained(start, batches)


def farthest(some, others):
    return max(np.abs(some[path] - others[path]).max() for path in some)


apart = {epsilon: farthest(three_updates(double, batches, epsilon), theirs) for epsilon in (1e-8, 1e-7)}
moved = farthest(start, theirs)
verdict("with TensorFlow 1's ε, the weights after three updates agree", apart[1e-8] < 1e-5,
        f"largest difference {apart[1e-8]:.1e}, where weights moved by up to {moved:.1e}")
verdict_above("with Keras's own ε they differ by more than a tenth of the largest move", [apart[1e-7]], [moved], ratio=0.1)

# %% [markdown]
# It matters a great deal, and there is a reason. At the very first update the running mean of squares is
# $(1 - 0.999)\,g^2$. In this form of Adam, $\varepsilon$ is added to the root before that mean has been corrected for
# its start at zero (Kingma and Ba 2015, end of Section 2). So a weight with gradient $g$ makes a step of
#
# $$0.003 \cdot \frac{|g|}{|g| + \varepsilon / \sqrt{1 - 0.999}},$$
#
# and $\varepsilon$ weighs 32 times as much as it seems. At a gradient of three millionths, the first step is halved
# by Keras's $\varepsilon$:

# %%
weight, tiny = keras.Variable([0.0, 0.0]), 1e-7 / math.sqrt(1 - 0.999)
keras.optimizers.Adam(3e-3).apply_gradients([(tf.constant([1.0, tiny]), weight)])
large_step, tiny_step = -weight.numpy()
assert abs(tiny_step / large_step - 0.5) < 0.01
plots.table(["gradient", "first step"], [["1", f"{large_step:.5f}"], [f"{tiny:.1e}", f"{tiny_step:.5f}"]])

# %% [markdown]
# In this test at least some weights must have gradients as small as that, or ε could not make so large a difference;
# the second softmax, which shrinks gradients (lesson 06), may be why. If you translate a program and it trains
# differently, look at such constants first. They never appear in the text of a paper, and no error message will point
# at them.
#
# ## Summary
#
# - A graph was a description, a session ran it, and a placeholder was a gap. Session and placeholder are gone from `tf`
#   and kept in `tf.compat.v1`; graphs are now made by `tf.function`.
# - A translation is proved by equal outputs from equal weights, and by equal weights after a few updates.
# - A translation must carry over the constants, too. Adam's ε weighs 32 times as much at the first update as it seems
#   to.
#
# Back to lesson [06](../06_reading_the_article.ipynb).
#
# ## References
#
# - D. P. Kingma, J. Ba 2015: *Adam*. ICLR. [arXiv:1412.6980](https://arxiv.org/abs/1412.6980),
#   Section 2.
# - The TensorFlow developers: *Migrate to TensorFlow 2*.
#   [tensorflow.org/guide/migrate](https://www.tensorflow.org/guide/migrate).
