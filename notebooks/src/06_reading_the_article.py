# %% [markdown]
# # 06 · Reading the article
#
# **Question.** What does the article's network really do?
#
# **Objectives.** After this lesson you can
#
# 1. translate a TensorFlow 1 program to Keras 3, and prove that the translation computes the same;
# 2. review a network by reading it, and say of each defect what it should cost;
# 3. explain why a softmax too many slows training, with a formula and with a gradient;
# 4. tell a repair that helps from one of which five seeds cannot say;
# 5. say which sentences of the article hold, and where this course tested each.
#
# **Prerequisites.** Lessons [02](02_residual_learning.ipynb) (branch, shortcut, why the addition
# comes before the ReLU), [03](03_bottleneck_block.ipynb) (bottleneck, projection, stride) and
# [04](04_plain_vs_residual.ipynb) (bands over seeds). Lesson [00](00_start_here.ipynb) has softmax,
# cross-entropy and Adam.
#
# **Reading time:** 45 minutes. **Computing time:** 2 minutes on two cores, without a GPU.

# %% [markdown] tags=["slide"]
# # 06 · Reading the article
#
# What does the article's network really do?
#
# *The article:* <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>
#
# <!-- notes -->
# A post on a Chinese blog platform, with a program in TensorFlow 1. Give pairs the list of its parts and
# ten minutes: what would you complain about in a review? Expected: style. The one defect that
# decides is rarely found.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import math

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from resnet_lesson import diagrams, plots
from resnet_lesson.article import FIXES, article_block, article_network, tf1
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import gradient_norms, layer_counts, weighted_layers
from resnet_lesson.models import reset_weights, with_outputs
from resnet_lesson.runs import by_name
from resnet_lesson.studies import provenance, read_study, runs_of
from resnet_lesson.sweep import sweep
from resnet_lesson.training import Trainer
from resnet_lesson.verdicts import paired, verdict, verdict_above, verdict_paired

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## 1. What the article says, and what it builds
#
# This course grew out of <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>
# ("the residual neural network Resnet, for MNIST, in TensorFlow"), a post on the Chinese blog platform
# CSDN. Our copy names neither its author nor its date nor its address, and it may be an excerpt: the
# pictures are lost, and the program imports nothing and loads no data.
#
# It has two parts. The first explains residual networks in a page: the residual $F(x) = H(x) - x$,
# the shortcut, the equation of a block, the bottleneck, and what all that is good for. You know its
# sentences from the lessons before; section 7 collects them. The second part is a program in TensorFlow 1: a residual network for MNIST.
#
# The program has two classes and a script.
#
# - `ResNet` is one block. It makes the variables of three convolutions, and runs them in one of two
#   ways: with an identity as shortcut, or with a convolution on it, where the number of channels
#   changes.
# - `Net` is the network: a convolution, a pool, five blocks, a pool, two dense layers, and a
#   softmax.
# - The script makes 100,000 updates with Adam, on batches of 128 images.
#
# We read it as a **reviewer** would. First we make it run. Then we look for what is wrong, guess
# what it costs, and measure.

# %%
stages = [(4, "bottleneck", 16, 14), (1, "bottleneck", 32, 14)]  # blocks, kind, channels, pixels
stem = [("3×3 conv\n16", 1), ("max\npool", 0)]
head = [("max\npool", 0), ("dense\n128", 1), ("dense\n10", 1), ("softmax", 0)]
plots.show(*diagrams.network(stages, stem, head, shortcut="projection"))

# %% [markdown] tags=["slide"]
# ## What the article builds
#
# <!-- output -->
#
# <!-- notes -->
# 18 weighted layers, no normalisation, a softmax at the end. Ask: which part holds most of the
# numbers? Expected: the blocks. The next slide tells.

# %% [markdown]
# The first four blocks keep 16 channels and have the widths 8, 8, 16. The fifth changes to 32
# channels, with the widths 16, 16, 32. There is no normalisation.
#
# **Predict.** Which part of the network holds most of its numbers?

# %%
written = article_network()
counts = layer_counts(written)
PARTS = {"first convolution": "stem", "four identity blocks": ("block1", "block2", "block3", "block4"),
         "changing block": "block5", "dense layer of 128": "dense1", "dense layer of 10": "logits"}
held = {part: [c for c in counts if c.name.startswith(starts)] for part, starts in PARTS.items()}
parameters = {part: sum(c.parameters for c in of_part) for part, of_part in held.items()}
work = {part: sum(c.multiply_adds for c in of_part) for part, of_part in held.items()}
total = sum(parameters.values())
plots.table(["part", "parameters", "share", "multiply-adds, thousands"], [
    [part, n, f"{n / total:.1%}", f"{work[part] / 1000:.0f}"] for part, n in parameters.items()])

# %% [markdown] tags=["slide"]
# ## The blocks hold a few per cent
#
# <!-- output -->
#
# <!-- notes -->
# One matrix of a dense layer holds more than nine tenths. Ask: what would you put in its place?
# Expected: a smaller dense layer. A global average: later we shall see that this alone makes it
# worse.

# %%
matrix = 7 * 7 * 32 * 128  # pixels, channels, units
verdict("one matrix of the dense layer holds more than nine tenths of all parameters",
        matrix > 0.9 * total == 0.9 * written.count_params(),
        f"{matrix} of {total}, in a network of {weighted_layers(written)} weighted layers")

# %% [markdown]
# So the five blocks that the article is about hold a few per cent of the network. We will come back
# to that.
#
# ## 2. Does it run?
#
# TensorFlow 1 built a **graph**: a description of the computation, without numbers in it. A
# **session** ran the graph, and a **placeholder** was a gap that each run filled. TensorFlow 2, of
# 2019, computes at once, like NumPy. It has kept the old names in a drawer, `tf.compat.v1`.
#
# **Predict.** How many of the names that the article uses are still where it looks for them?

# %%
USED = ["placeholder", "Variable", "truncated_normal", "random_normal", "zeros", "nn.conv2d", "nn.relu",
        "nn.max_pool", "add", "reshape", "matmul", "nn.softmax", "reduce_mean",
        "nn.softmax_cross_entropy_with_logits", "train.AdamOptimizer",
        "global_variables_initializer", "Session"]


def has(module, dotted):
    """Return whether a module has a name such as "nn.relu"."""
    for part in dotted.split("."):
        module = getattr(module, part, None)
    return module is not None


gone = [name for name in USED if not has(tf, name)]
drawer = [name for name in gone if has(tf.compat.v1, name)]
verdict("the program cannot run as it is: names that it needs are gone from TensorFlow",
        len(gone) > 0 and drawer == gone, f"{len(gone)} of {len(USED)} are gone, "
        f"{len(drawer)} of these are in tf.compat.v1: {', '.join(gone)}")

# %% [markdown] tags=["slide"]
# ## Does it run?
#
# <!-- output -->
#
# <!-- notes -->
# Ask: how many of 17 names are still where the program looks for them? Expected: none. Most are.
# The missing ones lie in the drawer `tf.compat.v1`.

# %% [markdown]
# ### A migration table
#
# | the article, TensorFlow 1 | today, Keras 3 on TensorFlow 2 | what changes |
# |---|---|---|
# | `tf.placeholder` | `keras.Input`, or an argument of a function | nothing is filled in later: arrays are handed over |
# | `tf.Variable` | a layer's own weights; `layer.add_weight` | a layer makes them when it first sees a shape |
# | `tf.truncated_normal`, `tf.random_normal` | `keras.initializers.TruncatedNormal`, `RandomNormal` | an initializer with a seed can be repeated |
# | `tf.zeros` for a bias | `bias_initializer="zeros"`, the default | |
# | `tf.nn.conv2d` + bias | `keras.layers.Conv2D` | one layer holds kernel and bias |
# | `strides=[1, s, s, 1]`, `padding="SAME"` | `strides=s`, `padding="same"` | write the padding: Keras's default is `"valid"` |
# | `tf.nn.max_pool` | `keras.layers.MaxPooling2D` | |
# | `tf.nn.relu` | `keras.layers.ReLU` | |
# | `tf.add` | `keras.layers.Add` | |
# | `tf.reshape` to 7·7·32 | `keras.layers.Flatten` | the size is found by itself |
# | `tf.matmul` + bias | `keras.layers.Dense` | |
# | `tf.nn.softmax` as output | none: the network ends in logits | section 5 |
# | `softmax_cross_entropy_with_logits` | `keras.losses.CategoricalCrossentropy(from_logits=True)` | with labels as numbers: `SparseCategoricalCrossentropy` |
# | `tf.reduce_mean` of the losses | part of the loss | |
# | `tf.train.AdamOptimizer` | `keras.optimizers.Adam` | its $\varepsilon$ is 1e-7, not 1e-8: section 3 |
# | `.minimize(loss)` | `tf.GradientTape`, then `optimizer.apply_gradients` | or `model.fit`, which does both |
# | `tf.global_variables_initializer` | none | weights exist as soon as they are made |
# | `tf.Session`, `sess.run`, `feed_dict` | call the model | `tf.function` makes a graph of a function, for speed |
# | `mnist.train.next_batch` | `keras.datasets.mnist`, a shuffled order, slices | the tutorial module that had it is gone |
#
# ## 3. The same network, proved
#
# `article_network` in the helper package is a translation by this table, defects included. How do
# we know that it computes the same? We write the graph once more with `tf.compat.v1`, as the
# article has it (`article.tf1`). We give both the same weights and the same images, and compare.
#
# **Predict.** How far apart may two float32 programs be that do the same?

# %%
def random_weights(model, seed=0):
    """Give a model random weights, biases too, so that a forgotten bias would be seen."""
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(0, 0.1, w.shape) for w in model.get_weights()])
    return {weight.path: weight.numpy() for weight in model.weights}


def block(widths, changing):
    x = keras.Input((14, 14, 16))
    return keras.Model(x, article_block(x, widths, changing=changing))


images = np.random.default_rng(1).normal(size=(8, 28, 28, 1)).astype("float32")
features = np.random.default_rng(2).normal(size=(8, 14, 14, 16)).astype("float32")
apart, sizes = {}, {}
for name, widths, changing in (("identity block", (8, 8, 16), False),
                               ("changing block", (16, 16, 32), True)):
    model = block(widths, changing)
    theirs = tf1.block_outputs(random_weights(model), features, changing=changing)
    apart[name] = np.abs(model(features) - theirs).max() / np.abs(theirs).max()
theirs = tf1.network_outputs(random_weights(written), images)
apart["whole network"] = np.abs(written(images) - theirs).max() / np.abs(theirs).max()
verdict("both kinds of block and the whole network agree with the TensorFlow 1 graph to rounding",
        max(apart.values()) < 1e-5, "largest difference over the largest output: "
        + ", ".join(f"{name} {one:.1e}" for name, one in apart.items()))

# %% [markdown]
# ### Three updates
#
# Does it also *train* the same? That needs the same optimiser. Adam divides each step by the root
# of a running mean of squared gradients, plus a small number $\varepsilon$ that keeps it from
# dividing by zero. TensorFlow 1 has $\varepsilon = 10^{-8}$, Keras $10^{-7}$. Both look like zero.
#
# Rounding could blur the comparison: a ReLU near zero can fall to one side in one program and to
# the other in the second. So we compute in float64.
#
# **Predict.** Does the difference in $\varepsilon$ matter after three updates of size 0.003?

# %%
def three_updates(model, batches, epsilon):
    """Return the weights after three updates by Keras's Adam; the model keeps its own."""
    start = model.get_weights()
    # TensorFlow 1 keeps Adam's constants in float32, whatever the weights are.
    rate, b1, b2, eps = (float(np.float32(c)) for c in (3e-3, 0.9, 0.999, epsilon))
    adam = keras.optimizers.Adam(rate, beta_1=b1, beta_2=b2, epsilon=eps)
    for x, labels in batches:
        with tf.GradientTape() as tape:
            losses = tf.nn.softmax_cross_entropy_with_logits(labels, model(x))
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        adam.apply_gradients(zip(gradients, model.trainable_variables))
    trained = {weight.path: weight.numpy() for weight in model.weights}
    model.set_weights(start)
    return trained


# %%
keras.config.set_dtype_policy("float64")
double = article_network()
keras.config.set_dtype_policy("float32")

random = np.random.default_rng(7)
batches = [(random.normal(size=(8, 28, 28, 1)), np.eye(10)[random.integers(0, 10, 8)])
           for _ in range(3)]
start = random_weights(double)
theirs, _ = tf1.trained(start, batches)


def farthest(some, others):
    return max(np.abs(some[path] - others[path]).max() for path in some)


apart = {epsilon: farthest(three_updates(double, batches, epsilon), theirs) for epsilon in (1e-8, 1e-7)}
moved = farthest(start, theirs)
verdict("with TensorFlow 1's ε, the weights after three updates agree, in float64",
        apart[1e-8] < 1e-5,
        f"largest difference {apart[1e-8]:.1e}, where weights moved by up to {moved:.1e}")
verdict_above("with Keras's own ε they differ by more than a tenth of the largest move",
              [apart[1e-7]], [moved], ratio=0.1)

# %% [markdown] tags=["slide"]
# ## The same network, proved
#
# <!-- output -->
#
# <!-- notes -->
# First agree: what is a proof that a translation is right? Expected: it trains as well. Better:
# same outputs to rounding, and same weights after three updates. It needs the same ε in Adam, which
# weighs 32 times as much as it seems in the first update.

# %% [markdown]
# It matters, and more than one would think. At the first update the running mean of squares is
# $(1 - 0.999)\,g^2$, and in this form of Adam $\varepsilon$ is added before that is corrected
# (Kingma and Ba 2015, Section 2, last paragraph). So a gradient $g$ gives a step of
#
# $$0.003 \cdot \frac{|g|}{|g| + \varepsilon / \sqrt{1 - 0.999}},$$
#
# in which $\varepsilon$ weighs 32 times as much as it seems.

# %%
weight, tiny = keras.Variable([0.0, 0.0]), 1e-7 / math.sqrt(1 - 0.999)
keras.optimizers.Adam(3e-3).apply_gradients([(tf.constant([1.0, tiny]), weight)])
large_step, tiny_step = -weight.numpy()
verdict("Keras's ε halves the first step of a weight whose gradient is ε over the root of 0.001",
        abs(tiny_step / large_step - 0.5) < 0.01,
        f"gradient 1: step {large_step:.5f}; gradient {tiny:.1e}: step {tiny_step:.5f}")

# %% [markdown]
# Section 5 counts how many weights of this network have such gradients. Those who translate a
# program and wonder why it trains otherwise should look at such constants first.
#
# So the translation is right. From here on we work with it.
#
# ## 4. How we measure a defect
#
# `article_network(fixes=…)` repairs one thing at a time, and leaves the rest as written:

# %%
plots.table(["repair", "what it does"], list(FIXES.items()))

# %% [markdown]
# Each network below is trained with the article's settings but for two: Adam with a rate of 0.003 and
# batches of 128, as there. The first difference is $\varepsilon$. These runs have Keras's $10^{-7}$ and
# not the article's $10^{-8}$, and section 3 has just shown that this is not nothing. So they measure what
# a defect costs in a program of today, and whether the article's own $\varepsilon$ would give the same
# figures we do not know. The second is the end: the article has no validation, and 100,000 updates. We
# stop after five passes over 55,000 images, with 5,000 set aside. The rate stays at 0.003 to the last
# update, so the last weights of a run still jump about, and its mistakes with them. All of it takes
# half an hour, so it is a **recorded study**: five seeds each.

# %%
study = read_study("06_article_repairs")
settings = study["settings"]
recorded = by_name(runs_of(study))
print(provenance(study))
print(len(recorded), "networks, seeds", settings["seeds"], "and", settings["updates"], "updates each")

# %% [markdown]
# ### Does the record fit your machine?
#
# We run a slice of it live: the first pass over the data, for the network as written and with one
# softmax, three seeds each. This cell takes most of the lesson's computing time.
#
# **Predict.** Section 5 is about a softmax too many. Will you see it after one pass?

# %%
LIVE = {name: settings["networks"][name] for name in ("as written", "one softmax")}
mnist = load_mnist(train=settings["train"], val=settings["val"], test=0)
per_epoch = settings["train"] // settings["batch_size"]
live = by_name(sweep(LIVE, [0, 1, 2], mnist, updates=per_epoch, batch_size=settings["batch_size"],
                     learning_rate=settings["learning_rate"], build=article_network))

# %%
pairs = {name: [(mine.epochs[0], theirs.epochs[0])
                for mine, theirs in zip(runs, recorded[name][:3], strict=True)]
         for name, runs in live.items()}
plots.table(["network", "validation accuracy, here", "in the record"], [
    [name, *(", ".join(f"{pair[i]['val_accuracy']:.3f}" for pair in of_name) for i in (0, 1))]
    for name, of_name in pairs.items()])
for name, floor, factor in (("as written", math.log(math.e + 9) - 1, 1.5), ("one softmax", 0, 1.2)):
    losses = [[end["loss"] - floor for end in pair] for pair in pairs[name]]
    mine, theirs = np.mean(losses, axis=0)
    verdict(f"{name}: the live runs begin as the recorded ones did: mean training loss above its "
            f"floor, within a factor of {factor}", 1 / factor < mine / theirs < factor,
            f"here {mine:.4f}, in the record {theirs:.4f} nats above {floor:.4f}")

# %% [markdown]
# (With two softmaxes the loss has a floor that is not zero: section 5. We compare what lies above
# it.)
#
# From one seed two networks get the same order of images, and the same first weights in every layer
# that they share. So we compare them seed by seed. A repair **shows** if in *each* of the five
# seeds it makes fewer mistakes on the test images than before, by a fifth at least, or in each seed
# more, by a quarter at least. Else we ask whether the *mean* over the five pairs is clear,
# corrected for the seven networks that it is done for (`paired`; we take logarithms, so that "half
# as many" and "twice as many" weigh the same). If it is not, the repair is **undecided**: five
# seeds cannot tell, which is not the same as no effect.

# %%
wrong = {name: [1 - run.test_accuracy for run in runs] for name, runs in recorded.items()}


def interval(values):
    """Write the mean, and the lowest and the highest of the seeds."""
    return f"{np.mean(values):.2%} ({min(values):.2%} to {max(values):.2%})"


def effect(repaired, before="as written"):
    """Return "fewer mistakes", "more mistakes" or "not in each seed", and the figures."""
    ratios = [a / b for a, b in zip(wrong[repaired], wrong[before], strict=True)]
    said = "fewer mistakes" if max(ratios) <= 0.8 else (
        "more mistakes" if min(ratios) >= 1.25 else "not in each seed")
    return said, (f"{before} {interval(wrong[before])}, {repaired} {interval(wrong[repaired])}; "
                  f"by seed {', '.join(f'{ratio:.2f}' for ratio in ratios)} times the mistakes")


REPAIRS = [name for name in recorded if name != "as written" and "no shortcuts" not in name]
repairs = paired({name: (np.log(wrong[name]), np.log(wrong["as written"])) for name in REPAIRS})
LOG = "in the logarithm"

# %% [markdown] tags=["slide"]
# ## When does a repair show?
#
# Five seeds. In **each** of them a fifth fewer mistakes on the test images, or in each a quarter more.
#
# Else the mean of the five pairs decides, or the repair is **undecided**.
#
# <!-- notes -->
# Ask: why seed by seed? Expected: to have more numbers. From one seed two networks share the order
# of images and the first weights. A single pair of runs proves nothing.

# %% [markdown]
# ## 5. A softmax too many
#
# **Evidence.** The network ends in `softmax`: ten probabilities $p$. They go to
# `softmax_cross_entropy_with_logits`, whose name says what it wants: *logits*. It applies softmax
# itself. So the loss is
#
# $$-\log q_y, \qquad q = \mathrm{softmax}(p), \qquad p = \mathrm{softmax}(z),$$
#
# with the logits $z$ and the right class $y$. Each $p_i$ lies between 0 and 1. So $q$ cannot get
# far from equal shares. At best $p_y = 1$ and all others are 0:
#
# $$\text{least loss} = -\log \frac{e}{e + 9} = \log(e + 9) - 1.$$
#
# **Predict.** How large is it? And what is the loss of a network that guesses?

# %%
def twice(logits, labels):
    return tf.nn.softmax_cross_entropy_with_logits(labels, tf.nn.softmax(logits))


def once(logits, labels):
    return tf.nn.softmax_cross_entropy_with_logits(labels, logits)


label = tf.constant(np.eye(10)[:1])
sure = 100.0 * label  # logits of a network that is certain and right
least = math.log(math.e + 9) - 1
verdict("applied twice, softmax leaves a loss of log(e + 9) − 1, however sure and right the network is",
        abs(float(twice(sure, label)[0]) - least) < 1e-6,
        f"{float(twice(sure, label)[0]):.4f} nats; applied once {float(once(sure, label)[0]):.4f}; "
        f"guessing {math.log(10):.4f} either way")

# %% [markdown]
# That the loss does not fall to zero is odd, but harmless: what counts is the gradient. By the
# chain rule it passes through the inner softmax:
#
# $$\frac{\partial L}{\partial z_j} = p_j \Big( g_j - \sum_i p_i g_i \Big),
# \qquad g = q - \text{one-hot}(y).$$
#
# The factor $p_j$ is the trouble. If the network is sure of a *wrong* class, then $p_y$ is near
# zero, and so is the gradient that should mend it. Applied once, it is $p - \text{one-hot}(y)$: the
# surer and the more wrong, the larger.
#
# **Predict.** The logit of a wrong class is higher than all others by a margin. Draw the size of
# the gradient against the margin, for both.

# %%
MARGINS = np.linspace(0, 15, 31)
sure_and_wrong = np.zeros((len(MARGINS), 10))
sure_and_wrong[:, 3] = MARGINS  # the right class is 0
labels = np.tile(np.eye(10)[:1], (len(MARGINS), 1))


def gradient(loss):
    z = tf.constant(sure_and_wrong)
    with tf.GradientTape() as tape:
        tape.watch(z)
        total = tf.reduce_sum(loss(z, labels))
    return tape.gradient(total, z).numpy()


norms = {name: np.linalg.norm(gradient(loss), axis=1)
         for name, loss in (("softmax once", once), ("softmax twice", twice))}
plots.show(*plots.curves(MARGINS, norms, "margin of a wrong class, in logits", "norm of the gradient",
                         title="The surer and the more wrong", log=True))

# %% [markdown] tags=["slide"]
# ## A softmax too many
#
# $p = \mathrm{softmax}(z)$ goes into a loss that applies softmax itself. Least loss: $\log(e + 9) - 1 \approx 1.46$.
#
# <!-- output: 400 -->
#
# <!-- notes -->
# Ask: the loss cannot fall to zero; is that harmful? Expected: yes. That is only odd. The gradient
# is what counts: the surer and the more wrong, the smaller it gets.

# %%
p = np.exp(sure_and_wrong) / np.exp(sure_and_wrong).sum(axis=1, keepdims=True)
q = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
g = q - labels
formula = p * (g - (p * g).sum(axis=1, keepdims=True))
verdict("the formula gives the tape's gradient", np.abs(formula - gradient(twice)).max() < 1e-12,
        f"largest difference {np.abs(formula - gradient(twice)).max():.1e}")
verdict_above("at a margin of 10, the gradient is more than a thousand times smaller with two softmaxes",
              [norms["softmax once"][20]], [norms["softmax twice"][20]], ratio=1000)

# %% [markdown]
# So images on which the network is sure and wrong are the ones it cannot learn from.
#
# Smaller gradients should also make Adam's $\varepsilon$ matter for more weights. By the formula of
# section 3, Keras's $\varepsilon$ at least halves the first step of a weight whose gradient is
# below $10^{-7} / \sqrt{1 - 0.999}$. How many are there, with two softmaxes and with one?

# %%
def halved(fixes):
    """Return the share of such gradients among those that are not zero, for each seed."""
    net, shares = article_network(fixes), []
    for seed in (0, 1, 2):
        reset_weights(net, seed)
        with tf.GradientTape() as tape:
            losses = tf.nn.softmax_cross_entropy_with_logits(
                np.eye(10)[mnist.train.labels[:200]], net(mnist.train.images[:200]))
        found = tape.gradient(losses, net.trainable_variables)
        sizes = np.concatenate([np.abs(g).ravel() for g in found]) / 200  # the mean's gradient
        shares.append(np.mean(sizes[sizes > 0] < 1e-7 / np.sqrt(1 - 0.999)))
    return shares


verdict_above("with two softmaxes, ε halves the first step of far more weights than with one", halved(()),
              halved(("one softmax",)), ratio=2, unit="of the weights with a gradient")

# %% [markdown]
# With one softmax there are still some. The constant belongs to a translation in any case.
#
# What does it look like if a network cannot learn from some images? If one digit is taken for
# another early on, with certainty, the network may be blind for it for a long time. The **recall**
# of a digit is the share of its images that are recognised. We look at the live runs, after one
# pass.
#
# **Predict.** After one pass the network as written makes more mistakes. A few more on every digit?

# %%
def recalls(name):
    """Return the share of each digit's validation images that each live run recognises."""
    trainer, shares = Trainer(article_network(**LIVE[name]), 128), []
    for run in live[name]:
        trainer.model.set_weights(run.weights)
        found = trainer.logits(mnist.val.images).argmax(axis=1)
        shares.append([np.mean(found[mnist.val.labels == digit] == digit) for digit in range(10)])
    return shares


recall = {name: recalls(name) for name in ("as written", "one softmax")}
plots.table(["recall", *map(str, range(10))],
            [[f"{name}, seed {seed}", *(f"{one:.2f}" for one in of_run)]
            for name, runs in recall.items() for seed, of_run in enumerate(runs)])
verdict("after one pass some network as written is blind for a whole digit; with one softmax none is",
        np.min(recall["as written"]) < 0.05 and np.min(recall["one softmax"]) > 0.8,
        f"lowest recall: as written {np.min(recall['as written']):.3f}, one softmax "
        f"{np.min(recall['one softmax']):.3f}")

# %% [markdown] tags=["slide"]
# ## Whole digits are missing
#
# <!-- output -->
#
# <!-- notes -->
# After one pass over the data. Ask: the network makes more mistakes; a few more on every digit?
# Expected: yes. All or nothing: it is blind for a digit that it once took for another with
# certainty.

# %% [markdown]
# All or nothing: whole digits are missing. In the figure below, look for runs that climb in steps
# of a tenth.
#
# **Repair.** Leave out the softmax of the network. To get probabilities for a reader, apply it
# outside.
#
# **Effect.** The figure shows the recorded runs, after each of five passes.

# %%
shown = [run for name in ("as written", "one softmax") for run in recorded[name]]
plots.show(*plots.learning_curves(shown, "val_accuracy", each_seed=True,
                                  title="Softmax twice and once (recorded)"))

# %% [markdown] tags=["slide"]
# ## One softmax: the repair that shows
#
# <!-- output -->
#
# <!-- notes -->
# Look for runs that climb in steps of a tenth: a digit is found. Ask: a loss stuck at 1.46 with ten
# classes; what do you look for? Expected: the learning rate. A second softmax.

# %%
said, figures = effect("one softmax")
verdict("one softmax shows: fewer mistakes in each seed", said == "fewer mistakes", figures, recorded=True)

# %% [markdown]
# ## 6. The other defects
#
# ### One kernel for two paths
#
# **Evidence.** In the block that changes from 16 to 32 channels, the shortcut needs a projection
# (lesson 03). The article convolves it with `conv_3`, the kernel of the branch's third convolution.
# So one matrix $W$ has two jobs: $\mathrm{ReLU}(W u + b)$ on the branch, with $u$ what the second
# convolution gives, and $W x$ on the shortcut.

# %%
plots.show(*diagrams.article_blocks())

# %% [markdown]
# Two things follow. First, it only fits by luck: $W$ reads as many channels as the second
# convolution gives, so $x$ must have just as many. Second, both paths pull at $W$: its gradient is
# the sum of two.
#
# **Predict.** The block gets 16 channels. With which of these widths can it run: 16, 16, 32; 16,
# 12, 32; 8, 8, 32?

# %%
def attempt(build):
    """Return the first sentence of the error that a function raises, or "it runs"."""
    try:
        build()
    except ValueError as error:
        return f"ValueError: {str(error).split(':')[0]}"
    return "it runs"


WIDTHS = ((16, 16, 32), (16, 12, 32), (8, 8, 32))
x = keras.Input((14, 14, 16))


def built(widths, *fixes, stride=1):
    return attempt(lambda: article_block(x, widths, changing=True, stride=stride, fixes=fixes))


runs = {widths: [built(widths), built(widths, "own projection")] for widths in WIDTHS}
plots.table(["widths", "as written", "with a projection of its own"],
            [[", ".join(map(str, widths)), *found] for widths, found in runs.items()])
verdict("as written, the block takes only widths whose second is the number of channels of x",
        [found[0] == "it runs" for found in runs.values()] == [w[1] == 16 for w in WIDTHS]
        and all(found[1] == "it runs" for found in runs.values()), f"{len(WIDTHS)} widths tried")

# %% [markdown]
# The sentence in the table is the helper package's. What does TensorFlow say itself, if a kernel
# that reads 12 or 8 channels gets 16?

# %%
def convolved(channels):
    kernel = np.random.default_rng(3).normal(size=(1, 1, channels, 32)).astype("float32")
    return kernel, tf.nn.conv2d(features, kernel, 1, "SAME")


try:
    refused = f"12 channels run: {convolved(12)[1].shape}"
except (ValueError, tf.errors.InvalidArgumentError) as error:
    refused = type(error).__name__
kernel, y = convolved(8)
halves = [part @ k for part, k in zip(np.split(features, 2, axis=3), np.split(kernel[0, 0], 2, axis=1))]
apart = np.abs(y - np.concatenate(halves, axis=3)).max() / np.abs(y).max()
verdict("TensorFlow refuses 12 channels, and takes 8 for two groups, each of half of the channels",
        refused.endswith("Error") and apart < 1e-5, f"12: {refused}; 8: largest difference {apart:.1e}")

# %% [markdown]
# The second is worse than an error. 8 divides 16, so the block runs, and is another block than the
# one that was written down. (With TensorFlow's oneDNN kernels, which this course turns on, it even
# trains; without them the gradient fails.)
#
# Now the second point. We take the block with a kernel of its own, $V$, and set $V = W$. It
# computes the same. But $W$ and $V$ have a gradient each.

# %%
shared, own = (keras.Model(x, article_block(x, (16, 16, 32), changing=True, fixes=fixes))
               for fixes in ((), ("own projection",)))
reset_weights(shared, seed=0)
values = {weight.path: weight.numpy() for weight in shared.weights}
for weight in own.weights:
    weight.assign(values[weight.path.replace("shortcut", "conv3")])


def gradients(net):
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(net(features) ** 2)
    found = tape.gradient(total, net.trainable_variables)
    return {weight.path: g.numpy() for weight, g in zip(net.trainable_variables, found)}


of_both = gradients(own)
added = of_both["block_conv3/kernel"] + of_both["block_shortcut/kernel"]
apart = np.abs(gradients(shared)["block_conv3/kernel"] - added).max() / np.abs(added).max()
verdict("the shared kernel's gradient is the sum of the gradients of two kernels", apart < 1e-5,
        f"largest difference {apart:.1e} of the largest value")

# %% [markdown]
# **Effect of a kernel of its own.** Predict: does it help?

# %%
print(effect("own projection")[1])
verdict_paired("with a kernel of its own for the shortcut, the network makes more mistakes",
               repairs["own projection"], LOG, recorded=True)

# %% [markdown]
# ### ReLU before the addition
#
# **Evidence.** The article's *text* has $a^{[l+2]} = \mathrm{ReLU}(z^{[l+2]} + a^{[l]})$: first the
# addition, then the ReLU. Its *code* applies a ReLU to the third convolution as well. So the branch
# gives nothing below zero, and a block can add to $x$ but never take away (lesson 02, section 2).

# %%
names = [f"block{number}_branch" for number in range(1, 6)]
digits = mnist.train.images[:200]
lowest = {}
for title, fixes in (("as written", ()), ("addition first", ("add before relu",))):
    model = article_network(fixes)
    reset_weights(model, seed=0)
    branches = with_outputs(model, names)(digits)
    lowest[title] = [float(tf.reduce_min(branches[name])) for name in names]
plots.table(["lowest number that a branch gives", *(f"block {n}" for n in range(1, 6))],
            [[title, *(f"{one:.2f}" for one in found)] for title, found in lowest.items()])
verdict("as written no branch gives a number below zero; with the addition first each does",
        min(lowest["as written"]) == 0 > max(lowest["addition first"]), f"{len(names)} branches")

# %% [markdown] tags=["slide"]
# ## A ReLU before the addition
#
# <!-- output -->
#
# The branch can only add. Does repairing that alone help? Five seeds cannot tell.
#
# <!-- notes -->
# Ask: does the order that the paper prefers help here? Expected: yes. In four seeds of five it makes
# more mistakes, and in one fewer: undecided. With two softmaxes and five blocks this network is no
# place to find out.

# %% [markdown]
# **Effect of the addition first.** Predict. (Lesson 02: in the paper, a deep network with this
# order is worse.)

# %%
print(effect("add before relu")[1])
verdict_paired("with the addition first, the network makes more mistakes", repairs["add before relu"],
               LOG, recorded=True)
print("seeds with more mistakes than as written:",
      sum(a > b for a, b in zip(wrong["add before relu"], wrong["as written"])), "of 5")

# %% [markdown]
# The order that the paper prefers makes more mistakes in most seeds, and fewer in one. Five seeds
# cannot tell whether it harms; that it helps is nowhere to be seen. With two softmaxes and five
# blocks, this network is no place to find out. Lesson 07 tries the order in deeper networks, one
# change at a time.

# %% [markdown]
# ### A stride that one path follows
#
# **Evidence.** A block can be given a stride. In the changing block the first convolution follows
# it, the shortcut does not. In an identity block nobody follows it. With a stride of 2 the two
# paths end in different shapes, and cannot be added.

# %%
one_path, both_paths = (built((16, 16, 32), *fixes, stride=2) for fixes in ((), ("stride on both paths",)))
verdict("with a stride of 2 the block cannot be built as written, and can be with both paths strided",
        one_path != "it runs" and both_paths == "it runs",
        f"as written {one_path.split(';')[0]}; repaired: {both_paths}")

# %% [markdown]
# **Effect: none.** The article always has a stride of 1, so nothing can be measured. It is a trap
# for the next reader, who writes a 2 there.
#
# ### Two biases that add up
#
# **Evidence.** The third convolution has a bias, and after the addition there is one more. As
# written, a ReLU stands between the two, so they do different things. Once the addition comes
# first, nothing stands between them, and only their sum counts: one of them is idle.
#
# **Predict.** We move 0.1 from one bias to the other. In which of the two networks does the output
# change?

# %%
changes = {}
for title, fixes in (("as written", ()), ("addition first", ("add before relu",))):
    model = article_network(("one softmax", *fixes))
    reset_weights(model, seed=0)
    before = model(digits).numpy()
    for number in range(1, 6):
        model.get_layer(f"block{number}_bias3").bias.assign_add(0.1 * tf.ones(32 if number == 5 else 16))
        model.get_layer(f"block{number}_bias_fin").bias.assign_sub(0.1 * tf.ones(32 if number == 5 else 16))
    changes[title] = np.abs(model(digits).numpy() - before).max() / np.abs(before).max()
verdict("moving a number from one bias to the other changes nothing if the addition comes first, and "
        "something as written", changes["addition first"] < 1e-4 < 1e-2 < changes["as written"],
        "largest change over the largest logit: "
        + ", ".join(f"{title} {one:.1e}" for title, one in changes.items()))

# %% [markdown]
# **Effect of one bias**, with the rest as written:

# %%
print(effect("one bias")[1])
verdict_paired("with one bias in place of two, the network makes more mistakes", repairs["one bias"], LOG,
               recorded=True)

# %% [markdown] tags=["slide"]
# ## One bias in place of two
#
# <!-- output -->
#
# With the addition first, one of the two is idle. One run stands out: why?
#
# <!-- notes -->
# Ask: does the outlier prove harm? Expected: maybe. It is one nat per blind digit: a tenth of a nat
# above the least loss, so one digit in ten. The second softmax again.

# %% [markdown]
# One run stands out. Section 5 tells why: being sure and wrong costs $\log(e + 9)$, exactly one nat
# more than being sure and right. So a network that is blind for one digit in ten ends a tenth of a
# nat above the least loss.

# %%
ends = [run.epochs[-1]["loss"] - least for run in recorded["one bias"]]
outlier = int(np.argmax(wrong["one bias"]))
others = [end for seed, end in enumerate(ends) if seed != outlier]
verdict("the run with most mistakes ends about a tenth of a nat above the least loss; no other does",
        0.08 < ends[outlier] < 0.13 and max(others) < 0.05,
        f"{ends[outlier]:.3f} nats above it; the others {min(others):.3f} to {max(others):.3f}",
        recorded=True)

# %% [markdown]
# ### A matrix that holds nearly everything
#
# **Evidence.** Section 1 counted: the matrix of $7 \cdot 7 \cdot 32 \cdot 128$ holds nearly all
# parameters. A **global average** over the pixels gives 32 numbers instead of 1,568, and needs no
# dense layer of 128 after it (Lin, Chen and Yan 2014, Section 3.2). The article names average
# pooling in a comment, and does not use it.

# %%
pooled = article_network(("average pooling",))
without = 32 * 10 + 10 - (7 * 7 * 32 * 128 + 128 + 128 * 10 + 10)  # the new head less the old one
verdict("average pooling takes away the parameters of the dense layers but for one small matrix",
        pooled.count_params() == written.count_params() + without,
        f"{written.count_params()} parameters as written, {pooled.count_params()} with average pooling")

# %% [markdown]
# **Effect of average pooling.** Predict: a network with a twentieth of the parameters, or less. Is
# it worse?

# %%
said, figures = effect("average pooling")
verdict("average pooling alone shows: more mistakes in each seed", said == "more mistakes", figures,
        recorded=True)

# %% [markdown] tags=["slide"]
# ## Good advice, and it hurts
#
# <!-- output -->
#
# <!-- notes -->
# A global average in place of the large matrix. Ask: is the advice wrong? Expected: yes. With the
# other repairs it is far less bad: an average of small numbers is a small number, and the first
# weights behind it are small.

# %% [markdown]
# Much worse. Is a good piece of advice wrong, then? We can only guess at the reason: an average of
# small numbers is a small number, and the dense layer behind it begins with small weights. In the
# network with *all* repairs, the same pool comes after normalised blocks.

# %%
said, figures = effect("all repairs", "average pooling")
verdict("with the other repairs, the network with average pooling makes far fewer mistakes",
        said == "fewer mistakes", figures, recorded=True)

# %% [markdown]
# ### Normalisation, named and not used
#
# **Evidence.** A comment names `tf.nn.batch_normalization`. No line calls it.
#
# **Effect of batch normalisation after each convolution.** Predict: more accurate, or less?

# %%
print(effect("normalisation")[1])
guessing = [share for share in wrong["normalisation"] if share > 0.85]
verdict("with normalisation alone, some networks never get better than guessing, as none does as written",
        len(guessing) > 0 and max(wrong["as written"]) < 0.1,
        f"{len(guessing)} of {len(wrong['normalisation'])} networks", recorded=True)

# %% [markdown]
# Normalisation makes the numbers in the network larger, and with them the first logits. Large
# logits mean that the network is sure from the start, and mostly wrong: the case of section 5. Is it
# surer?

# %%
def first_certainty(fixes, seed):
    """Return the mean over images of the largest probability, before training."""
    model = article_network(("one softmax", *fixes))  # its logits are those of the softmax that is left out
    reset_weights(model, seed)
    return float(tf.reduce_mean(tf.reduce_max(tf.nn.softmax(model(digits, training=True)), axis=1)))


sure = {name: [first_certainty(fixes, seed) for seed in (0, 1, 2)]
        for name, fixes in (("as written", ()), ("normalisation", ("normalisation",)))}
verdict_above("before training, the normalised network is far surer than the network as written",
              sure["normalisation"], sure["as written"], ratio=1.5, unit="largest probability")

# %% [markdown]
# The way out would be one softmax. We train the normalised network with one, for a quarter of a
# pass.
#
# **Predict.** How far does it get, beside the whole pass with two softmaxes in the record?

# %%
both = {"one softmax, normalisation": {"fixes": ("one softmax", "normalisation")}}
quarter = sweep(both, [0, 1, 2], mnist, updates=per_epoch // 4, batch_size=settings["batch_size"],
                learning_rate=settings["learning_rate"], build=article_network)
verdict_above("with one softmax, the normalised network learns far more in a quarter of a pass than with "
              "two in a whole one", [run.epochs[0]["val_accuracy"] for run in quarter],
              [run.epochs[0]["val_accuracy"] for run in recorded["normalisation"]], ratio=1.2,
              unit="right")

# %% [markdown] tags=["slide"]
# ## Defects hide each other
#
# <!-- output -->
#
# <!-- notes -->
# With normalisation alone some networks only guess: larger numbers make the network sure, and sure
# and wrong is where two softmaxes cannot learn. Ask: in which order do you repair? Expected: the
# easiest first. The one that distorts the measurement first.

# %% [markdown]
# A reviewer's lesson: defects hide each other. Repair the one that distorts the measurement first,
# and judge the others after it.

# %% [markdown]
# ### What has no measurable effect
#
# Some defects stop the program, or the reader. They have no accuracy to compare.
#
# **An accuracy that is never defined.** The loop asks the session for `net.acc`. No line of `Net`
# makes it. So the program ends before its first update, even on TensorFlow 1:

# %%
class Net:
    """As in the article: attributes are made in methods, and acc in none."""

    def forward(self):
        self.yo = "probabilities"


net = Net()
net.forward()
try:
    print(net.acc)
except AttributeError as error:
    print("AttributeError:", error)

# %% [markdown]
# **No data.** The loop takes batches from `mnist`, which no line makes: the module of the
# TensorFlow tutorials that used to load it went with TensorFlow 1.
#
# **A session outside the guard.** The network is made under `if __name__ == '__main__'`, which is
# there so that a file can be imported without running it. The session stands outside, so an import
# runs it, without what it needs. The same shape, made small:

# %%
SCRIPT = """
if __name__ == "__main__":
    init = "made"
print(init)
"""
for name in ("__main__", "imported"):
    try:
        exec(SCRIPT, {"__name__": name})
    except NameError as error:
        print(f"as {name}: NameError: {error}")

# %% [markdown]
# **A hard-coded batch.** The loop reshapes each batch to `[128, 28, 28, 1]`. The last part of
# 55,000 images is no batch of 128. `next_batch` hid that, since it goes on at the beginning. A loop
# over the test set would not:

# %%
rest = 55_000 % 128
try:
    np.zeros((rest, 784)).reshape([128, 28, 28, 1])
except ValueError as error:
    print(f"{rest} images left: ValueError: {error}")
print("with -1 in place of 128:", np.zeros((rest, 784)).reshape([-1, 28, 28, 1]).shape)

# %% [markdown]
# **100,000 updates, and no validation.** How long is that?
#
# **Predict.** How many passes over the training images?

# %%
UPDATES, BATCH = 100_000, 128
for images_, whose in ((55_000, "the tutorial's split"), (60_000, "all training images")):
    print(f"{UPDATES * BATCH / images_:.1f} passes over {images_:,} images ({whose})")
print(f"the study: {settings['updates'] * BATCH / 55_000:.1f} passes")

# %% [markdown]
# More than two hundred passes, and no look at an image that it has not trained on. Nobody would
# notice if it began to over-fit, or if it could have been stopped after five.
#
# ### All repairs in one table
#
# Images per second depend on the machine, so we measure them here, in turns, six updates of each
# network at a time. They are reported and not judged.

# %%
TIMED = [name for name in recorded if "no shortcuts" not in name]
few = load_mnist(train=1280, val=0, test=0)
trainers = {name: Trainer(article_network(**settings["networks"][name]), BATCH, 3e-3) for name in TIMED}
steps = {name: [] for name in TIMED}
for _ in range(3):
    for name, trainer in trainers.items():
        steps[name] += np.diff(trainer.run(few, updates=6).seconds).tolist()
speed = {name: BATCH / np.median(seconds) for name, seconds in steps.items()}

# %%
plots.table(["network", "parameters", "wrong on the test set, mean (lowest to highest)",
             "training loss", "wrong in training", "images per second, here"], [
    [name, trainers[name].model.count_params(), interval(wrong[name]),
     f"{np.mean([run.epochs[-1]['loss'] for run in recorded[name]]):.3f}",
     f"{np.mean([1 - run.epochs[-1]['accuracy'] for run in recorded[name]]):.2%}",
     f"{speed[name]:.0f}"] for name in TIMED])

# %% [markdown] tags=["slide"]
# ## All repairs in one table
#
# <!-- output -->
#
# <!-- notes -->
# Mind the column of losses: with two softmaxes it cannot fall below 1.46. Ask: which network is
# best? Expected: all repairs. One softmax alone is. Repaired is not the same as better on this task
# in this time.

# %% [markdown]
# Mind the column of losses. With two softmaxes the loss cannot fall below the least loss of section
# 5, so only the rows with one softmax can be compared with each other. The mistakes can be compared
# in all. The training columns are means over the last pass, while the network was still changing.

# %%
said, figures = effect("all repairs", "one softmax")
verdict("all repairs together make more mistakes than one softmax alone, after five passes",
        said == "more mistakes", figures, recorded=True)
small, large = (trainers[name].model.count_params() for name in ("all repairs", "one softmax"))
verdict_above("and do it with less than a twentieth of the parameters", [large], [small], ratio=20)
print(effect("all repairs")[1])
verdict_paired("all repairs together make more mistakes than the network as written", repairs["all repairs"],
               LOG, recorded=True)
plots.table(["repair", "times the mistakes as written, mean", "95 % interval", "corrected p", ""], [
    [name, f"{np.exp(one.mean):.2f}", f"{np.exp(one.low):.2f} to {np.exp(one.high):.2f}", f"{one.p:.2g}",
     "undecided" if one.p >= 0.05 else "more" if one.mean > 0 else "fewer"] for name, one in repairs.items()])

# %% [markdown]
# So the best of these networks on the test images has one repair, and keeps the large matrix. That
# is no argument for the matrix: the repaired network is far smaller, its normalisation makes each
# pass slower, the learning rate was chosen for neither and is never lowered. It is a warning.
# "Repaired" is not the same as "better on this task, in this time".

# %% [markdown]
# ### And the shortcuts?
#
# The article is about residual networks. What do the shortcuts do for this one? The study has two
# more networks: as written and with all repairs, each without its shortcuts.
#
# **Predict.** The network has 18 weighted layers. Lesson 04 had 8, 20 and 56.

# %%
names = [name + end for name in ("as written", "all repairs") for end in ("", ", no shortcuts")]
last = {name: [run.epochs[-1] for run in recorded[name]] for name in names}
losses = {name: [end["loss"] for end in ends] for name, ends in last.items()}
plots.table(["network", "training loss, last pass", "wrong on the test set, mean (lowest to highest)"], [
    [name, f"{min(losses[name]):.3f} to {max(losses[name]):.3f}", interval(wrong[name])] for name in names])
verdict("without its shortcuts, the network as written learns nothing: it guesses, in each seed",
        min(wrong["as written, no shortcuts"]) > 0.85, effect("as written, no shortcuts")[1], recorded=True)

# %% [markdown] tags=["slide"]
# ## And the shortcuts?
#
# <!-- output -->
#
# <!-- notes -->
# As written, without shortcuts, the network only guesses, in each seed. With all repairs it learns
# without them, a little less well in training; the test images cannot tell. Ask: how can both be
# true? Expected: chance. Small first weights: three cures save the network, and the shortcut is the
# one that the article has.

# %%
repaired, without = "all repairs", "all repairs, no shortcuts"
missed = {name: [100 * (1 - end["accuracy"]) for end in last[name]] for name in (repaired, without)}
shortcuts = paired({"loss": (losses[without], losses[repaired]), "mistakes": (missed[without], missed[repaired]),
                    "test": ([100 * w for w in wrong[without]], [100 * w for w in wrong[repaired]])})
verdict_paired("with all repairs, the network without shortcuts has a higher training loss in the last pass",
               shortcuts["loss"], "nats", recorded=True)
verdict_paired("and makes more mistakes on the training images", shortcuts["mistakes"], "points", recorded=True)
verdict_paired("and makes more mistakes on the test images", shortcuts["test"], "points", recorded=True)

# %% [markdown]
# With all repairs, the shortcuts lower the training loss, in every seed, though far less than they do
# as written. On the test images the runs cannot tell: at a rate that is never lowered, the mistakes of
# the last weights scatter too much.
#
# As written, the shortcuts decide everything. Why? The kernels of the blocks start with a standard
# deviation of about 0.09, whatever the number of inputs. With 8 or 16 inputs that is far too small
# ([primer](deeper/00_primer.ipynb), section 9): each convolution shrinks what it gets. In a row, fifteen of them leave nothing,
# neither of the image on the way up nor of the gradient on the way back.
#
# **Predict.** By which factor is the first layer's gradient smaller without the shortcuts?

# %%
first = {}
for shortcut in (True, False):
    net = article_network(("one softmax",), shortcut=shortcut)
    first[shortcut] = []
    for seed in (0, 1, 2):
        reset_weights(net, seed)
        norms = gradient_norms(net, digits, mnist.train.labels[:200])
        first[shortcut].append(norms["stem_conv"])
verdict_above("before training, the shortcuts make the first layer's gradient more than a million times larger",
              first[True], first[False], ratio=1e6)

# %% [markdown] tags=["slide"]
# ## Here is the vanishing gradient
#
# <!-- output -->
#
# <!-- notes -->
# The clearest vanishing gradient of the course. Ask: which two other cures should there be?
# Expected: more layers. Weights of the right size, and normalisation: the lesson tests both.

# %% [markdown]
# Here is the vanishing gradient that the article promises to avoid, and in its own network the
# shortcut does avoid it. If the small weights are the reason, there should be two other cures:
# kernels of the size that He initialisation gives, a variance of 2 over the number of inputs, and
# normalisation.
#
# **Predict.** Without shortcuts, does either bring the gradient back?

# %%
def resize(net):
    """Give each kernel of a block the variance 2 / inputs."""
    for weight in net.weights:
        if weight.path.startswith("block") and weight.name == "kernel":
            kernel = weight.numpy()
            weight.assign(kernel / kernel.std() * np.sqrt(2 / np.prod(kernel.shape[:-1])))


cured = {}
for cure, fixes in (("larger kernels", ()), ("normalisation", ("normalisation",))):
    net, cured[cure] = article_network(("one softmax", *fixes), shortcut=False), []
    for seed in (0, 1, 2):
        reset_weights(net, seed)
        if cure == "larger kernels":
            resize(net)
        norms = gradient_norms(net, digits, mnist.train.labels[:200])
        cured[cure].append(norms["stem_conv"])

# %%
for cure, found in cured.items():
    verdict_above("without shortcuts, the first layer's gradient is more than a million times larger with "
                  + cure, found, first[False], ratio=1e6)

# %% [markdown]
# Both do, before training. So three things save this network from its small weights, and the
# shortcut is the one that the article has. That the repaired network *learns* without shortcuts,
# the table above has shown.

# %% [markdown]
# ## 7. What the article claims
#
# Here are the article's sentences, in our words, with what this course found. "Partly" means: under
# a condition that the article does not name.
#
# | the article says | verdict | tested in |
# |---|---|---|
# | Layers that compute $y = x$, put on top of a network, do it no harm. | **holds**: such weights exist, but training does not find them in a deep plain network | [01](01_degradation.ipynb), sections 1 and 2 |
# | Residual blocks let a network grow deeper without degrading. | **holds** up to 56 layers, with batch normalisation | [04](04_plain_vs_residual.ipynb), section 1 |
# | Residual networks avoid vanishing gradients. | **holds** where branches are small, as in the article's own network. With batch normalisation there was none to avoid | [02](02_residual_learning.ipynb), section 4; [05](05_inside_the_network.ipynb), section 2; here, section 6 |
# | … and exploding gradients. | **does not hold** by itself: without normalisation it is the shortcut that makes them explode. With it, the shortcut tames the growth | [02](02_residual_learning.ipynb), section 4; [05](05_inside_the_network.ipynb), sections 2 and 7 |
# | With $F(x) = 0$ the block is the identity. | **holds** exactly where $x \ge 0$, as after a ReLU | [02](02_residual_learning.ipynb), section 2 |
# | $a^{[l]}$ is added before the ReLU. | **holds**: else a branch can only add. Its own code has one more ReLU before the addition | [02](02_residual_learning.ipynb), section 2; here, section 6 |
# | Training is faster. | **partly**: in updates, at 56 layers | [04](04_plain_vs_residual.ipynb), section 5 |
# | Training gives a better result. | **partly**: at 56 layers, in loss and accuracy | [04](04_plain_vs_residual.ipynb), sections 1 and 2 |
# | The addition costs little computation. | **holds**: a small share of the multiply-adds | [04](04_plain_vs_residual.ipynb), section 5 |
# | $a^{[l]}$ reaches the deep layers directly. | **partly**: exactly without the last ReLU; with it, much is cut off | [02](02_residual_learning.ipynb), sections 4 and 5 |
# | A block may be added in the middle or at the end without harm. | **partly**: exactly for a zero branch; false at once for the usual first weights | [inserting blocks](deeper/02_inserting_blocks.ipynb) |
# | Residual networks are more efficient. | **partly**: fewer updates to a given loss in deep networks, at equal cost an update | [04](04_plain_vs_residual.ipynb), section 5 |
# | Plain convolutions lose information. | **partly**: before training, two simple readers can read less and less. Training mends it at 18 layers | [05](05_inside_the_network.ipynb), section 6 |
# | 1×1 + 3×3 + 1×1 reduces the computation. | **holds**, by formula | [03](03_bottleneck_block.ipynb), section 3 |
# | … and keeps the accuracy. | **does not hold** here at equal width; at equal cost nothing is saved | [03](03_bottleneck_block.ipynb), section 7 |
# | Residual networks have an advantage in image recognition. | **partly**: on MNIST, for deep networks, and for the article's own. None seen at 8 layers; at 18 with all repairs in training alone. The papers report it for harder images | [the networks of 2015](deeper/03_imagenet_networks.ipynb); [04](04_plain_vs_residual.ipynb), section 1; here, section 6 |
#
# Most sentences of the article are right where a condition is added. Its program is another matter:
# what it says in words, its code does otherwise in several places.
#
# ## Summary
#
# - A translation is proved by equal outputs from equal weights, and by equal weights after updates.
#   A constant such as $\varepsilon$ can decide the second.
# - Softmax twice bounds the loss from below and takes the gradient from images that are wrong and
#   sure.
# - Here one repair of six helps by itself: one softmax. Of three, five seeds cannot tell. Average pooling
#   alone makes things worse, and normalisation alone a lottery, as long as the second softmax is there.
# - Without its shortcuts the network as written learns nothing, since its first weights are too
#   small. With all repairs it learns without them, with a somewhat higher training loss; the test images
#   cannot tell.
# - A defect that has no effect today, such as the stride, is a trap for tomorrow. It is worth a
#   line in a review, and no claim about accuracy.
# - Most of what the article says about residual networks holds under a condition.
#
# The article's block has its ReLU in an odd place, and no normalisation. Others have moved these
# parts on purpose, and built many variants. Which of these choices matter? Lesson 07 changes one at
# a time.
#
# ## Quiz
#
# Five questions. Each option says at once why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("06")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - Prove a translation: equal outputs, equal weights after updates.
# - A softmax too many hides behind a loss that stops at 1.46.
# - A repair helps if every seed says so. If they disagree, say undecided.
# - Defects hide each other: repair first what distorts the measurement.
#
# **Exercises:** lesson 06, 1 to 5; number 6 is a review.
#
# <!-- notes -->
# Ask: a colleague shows one run before and one after a repair. What do you say? Expected: well
# done. Please run both with several seeds, and show every run.

# %% [markdown]
# <!-- quiz: 06 -->
#
# ## Exercises
#
# Reading is half of it. [Exercises to lesson 06](exercises/06_reading_the_article.ipynb): six tasks, each with a check
# that answers at once and with hints that unfold.
#
# ## References
#
# - The article: a blog post in Chinese on residual networks with a TensorFlow 1 program for MNIST.
#   Its code is described here in our own words, and rebuilt.
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). Addition before the ReLU: Section 3.2,
#   Figure 2. Projections, stride on both paths: Section 3.3. Bottleneck: Figure 5.
# - K. He, X. Zhang, S. Ren, J. Sun 2016b: *Identity Mappings in Deep Residual Networks*. ECCV.
#   [arXiv:1603.05027](https://arxiv.org/abs/1603.05027), Section 4.1, Table 2: ReLU before the
#   addition.
# - D. P. Kingma, J. Ba 2015: *Adam*. ICLR. [arXiv:1412.6980](https://arxiv.org/abs/1412.6980),
#   Section 2.
# - M. Lin, Q. Chen, S. Yan 2014: *Network In Network*. ICLR.
#   [arXiv:1312.4400](https://arxiv.org/abs/1312.4400), Section 3.2: global average pooling.
# - S. Ioffe, C. Szegedy 2015: *Batch Normalization*. ICML.
#   [arXiv:1502.03167](https://arxiv.org/abs/1502.03167), Section 3.2.
# - The TensorFlow developers: *Migrate to TensorFlow 2*.
#   [tensorflow.org/guide/migrate](https://www.tensorflow.org/guide/migrate).
# - Y. LeCun, C. Cortes, C. J. C. Burges: *The MNIST database of handwritten digits*. CC BY-SA 3.0.
