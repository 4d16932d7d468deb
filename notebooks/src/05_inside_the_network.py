# %% [markdown]
# # 05 · Inside the network
#
# Here is a test that few machines in your home would survive: open one up, take out a part, any part, and switch the
# machine on again. A network is a chain, and a chain with a link missing is two ends of a chain, so you would expect
# nothing good. Below, two trained networks of 26 layers go through it, one plain and one residual, with the same
# layers and the same images. From each, one block is taken out, then put back, then the next. Nothing is trained
# again.
#
# **Objectives.** After this lesson you can
#
# 1. take a block out of a trained network, and say which ones it can do without;
# 2. trace in three measurements, made before training, why a deep plain network is slow to start;
# 3. tell what these measurements show from what they only suggest;
# 4. say which published explanations you have seen confirmed at this size.
#
# **Prerequisites.** Lessons [02](02_residual_learning.ipynb) and [04](04_plain_vs_residual.ipynb), the experiment that needs
# an explanation.
#
# **Reading time:** 40 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import itertools

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers
from keras.optimizers.schedules import CosineDecay

from resnet_lesson import plots
from resnet_lesson.blocks import PaddedShortcut
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import (
    activations, branch_ratios, gradient_agreement, gradient_norms, probe_accuracy, run_parts, without_branch,
)
from resnet_lesson.models import network, reset_weights, segments
from resnet_lesson.runs import by_name
from resnet_lesson.studies import at_best_rate, provenance, read_study
from resnet_lesson.sweep import sweep
from resnet_lesson.verdicts import verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=12800, val=1000, test=0)

# %% [markdown]
# **Predict.** What accuracy is left without one of the twelve blocks: in the plain network, and in the residual one? Guessing
# gets 0.1.

# %%
my_guess = None  # accuracy of the plain network without its fourth block, for example 0.5

# %%
SEEDS, UPDATES = (10, 11, 12), 300
SHAPE = {"block": "basic", "widths": (8, 16)}  # nothing narrows inside a block
KINDS = {"plain": "none", "residual": "padded"}
runs = by_name(sweep({kind: SHAPE | {"depth": 26, "shortcut": shortcut} for kind, shortcut in KINDS.items()}, SEEDS, mnist,
                     updates=UPDATES, learning_rate=CosineDecay(0.01, UPDATES)))
nets = {kind: network(26, shortcut, **SHAPE) for kind, shortcut in KINDS.items()}
images, labels = mnist.val.images[:400], mnist.val.labels[:400]


def logits_without(net, missing=None):
    """Run a network block by block; the one that is missing hands on what it is given."""
    x = images
    for name, part in segments(net).items():  # the stem, the blocks and the head
        if name != missing:
            x = part(x, training=False)
        elif part.input_shape != part.output_shape:  # where the second stage begins
            x = PaddedShortcut(part.output_shape[-1], stride=2)(x)
    return np.asarray(x)

# %%
blocks = [name for name in segments(nets["plain"]) if name.startswith("stage")]
left = {kind: [] for kind in KINDS}  # the accuracy without each block, and first with all of them
for kind, net in nets.items():
    for run in runs[kind]:
        net.set_weights(run.weights)
        answers = [logits_without(net, missing).argmax(axis=1) for missing in (None, *blocks)]
        left[kind].append([np.mean(found == labels) for found in answers])
parts = without_branch(segments(nets["residual"]), "stage1_block3")
assert np.allclose(logits_without(nets["residual"], "stage1_block3"), run_parts(parts, images), atol=1e-3)

without = {kind: [one[1:] for one in found] for kind, found in left.items()}
ax, alt = plots.curves(range(1, 13), without, "block that is taken out", "accuracy without it")
ax.axhline(0.1, color="black", linestyle=(0, (1, 3)))
if my_guess is not None:
    ax.plot(4, my_guess, "*", color="black", markersize=12)
plots.show(ax, f"{alt} Dotted: guessing.",
           "Trained networks of 26 layers without one of their twelve blocks; three seeds, a rate of 0.01 that was searched for neither kind, "
           "dotted: guessing. With all blocks, "
           f"the plain ones are right on {np.mean([one[0] for one in left['plain']]):.0%} of these images, the residual ones on "
           f"{np.mean([one[0] for one in left['residual']]):.0%}. **Compare the right halves.**")

# %% [markdown] tags=["slide"]
# # 05 · Inside the network
#
# <!-- later -->
#
# <!-- output: 470 -->
#
# One block taken out, nothing trained again.
#
# <!-- notes -->
# Take a show of hands before: what is left of the accuracy, plain and residual? They will say: next to nothing for both, since
# the layers build on each other. Answer: for the plain network that is right. The residual one hardly notices, except for its
# first blocks and the one where the second stage begins.

# %% [markdown] tags=["slide"]
# ## Microscope: take a block out
#
# <!-- microscope: depth=56&digit=3&open=p5 -->
#
# <!-- notes -->
# Switch block 5 off in the plain network, ask what is left, then in the residual one. Ask: which block of the residual
# network would hurt most? They will say: the last, it decides. Answer: let them call numbers and switch those off; the
# first ones hurt. Then take out two that hardly hurt by themselves. After a click outside the frame, the keys move the
# slides again.

# %%
verdict_above("without one block, averaged over the blocks, residual networks keep far more accuracy than plain ones",
              above=[np.mean(one) for one in without["residual"]], below=[np.mean(one) for one in without["plain"]], ratio=1.5)
kept = [np.median(one[1:]) / one[0] for one in left["residual"]]
verdict_above("half of the residual blocks can each be taken out, and at least four fifths of the accuracy remains", kept, [0.8],
              unit="of the accuracy")

# %% [markdown]
# ## 1. A block that only adds a little
#
# The plain networks lose most of their accuracy with almost any block. (One of the three keeps more than half of its
# accuracy without its sixth block.) Presumably each of its layers has learnt to read what the one before it writes, and
# nothing else; and its normalisations use averages that were gathered with the block in place, which may do part of the
# harm. The residual network can do without half of its blocks, one at a time, for a tenth of its accuracy at most, on
# average over the runs, and without some of them for next to nothing. But it does not shrug off all: the first blocks
# of each of its two stages are missed. (Veit, Wilber and Belongie 2016, Section 4.1, did this with residual networks of
# 110 layers and more, and with a plain one of 15. There, too, hardly any residual block was missed, but for those that
# reduce the image, and any plain layer was.)
#
# What sets these blocks apart? Look at how much each of them changes its input: the size of what the branch adds,
# compared with the size of what it is added to. Before training one can work it out, at least within one stage and
# leaving aside the ReLU after the addition. Every branch ends in a normalisation, so it adds a signal of variance 1,
# whatever comes in; and the chain of shortcuts has by then accumulated the variances of all the branches before,
# about $l$ of them in front of block $l$. So, with some constant $c$,
#
# $$\frac{\lVert F_l(x_l) \rVert}{\lVert x_l \rVert} \approx \frac{c}{\sqrt{l}}\,:$$
#
# the later the block, the less it changes (De and Smith 2020, Section 2, for the start of training).
#
# **Predict.** That is before training. Does training change it much?

# %%
sizes = {"before training": [], "after training": []}
net = nets["residual"]
for run in runs["residual"]:
    reset_weights(net, run.seed)
    sizes["before training"].append(list(branch_ratios(net, images[:64]).values()))
    net.set_weights(run.weights)
    sizes["after training"].append(list(branch_ratios(net, images[:64]).values()))
ax, alt = plots.curves(range(1, 13), sizes, "block", "‖F(x)‖ over ‖shortcut(x)‖")
foretold = np.mean(sizes["before training"], axis=0)[0] / np.sqrt(range(1, 7))
ax.plot(range(1, 7), foretold, color="black", linestyle=(0, (1, 3)))
plots.show(ax, f"{alt} Dotted: what the formula foretells of the first stage, from {foretold[0]:.2f} to {foretold[-1]:.2f}.",
           "How much each residual block adds, compared with what its shortcut carries; dotted, $c / \\sqrt{l}$ for the first stage. "
           "**Find the blocks whose loss hurt most:** the first ones, and the seventh, whose shortcut drops pixels and fills up with "
           "zeros, so that it carries little.")

# %% [markdown] tags=["slide"]
# ## The later the block, the less it changes
#
# <!-- output: 400 -->
#
# $\lVert F_l(x_l) \rVert\, /\, \lVert x_l \rVert \approx c / \sqrt{l}$ before training
#
# <!-- notes -->
# Every branch adds a signal of variance 1, and the line has gathered those of all the blocks before. Ask: is the size the
# reason why late blocks can go? They will say: obviously. Answer: size and place go together here, so these runs cannot tell.

# %% [markdown] tags=["slide"]
# ## Three measurements, before training
#
# | question | measured | landmarks |
# |---|---|---|
# | Is it garbled? | what a linear probe reads after the last block | 0.1, guessing … 1 |
# | Do batches agree? | cosine of what the labels of two batches ask for | 0, nothing in common … 1 |
# | Does a step help? | share of the promised fall, for another batch | 0, useless … 1, as promised; below 0 it does harm |
#
# <!-- notes -->
# Explain each with a drawing: ten weighted sums; two arrows; a tangent and a curve. Why only the part that depends on
# the labels? All batches agree that the network must stop calling everything a 7; that shared part is left out. Ask
# what the third adds. They will say: it is the second once more. Answer: for a very short step, nearly. Ours also
# shows whether the slope lasts.

# %% [markdown]
# Before training the ratio falls as foretold, even a little faster, and training hardly changes that: it lowers the
# points a little and keeps the shape. Roughly, then, the large branches are the ones whose removal hurts most. It is
# tempting to call that the reason. But small branches and late places mostly go together, so the reason could just as
# well be the place; and size and harm do not match exactly. The seventh block's branch is no larger than the fourth's,
# yet removing that block hurts far more. One would have to shrink one early branch and look, which we have not done.
# ([Many paths](deeper/05_paths.ipynb) shuffles blocks, and takes the gradient apart along all the ways through a
# residual network.)
#
# Take one picture with you. A residual block, a late one above all, adds something to what is handed on anyway; a plain
# block has to write everything anew. Now go back to the start of training, when none of these blocks knows anything, and
# ask what that means for the signal.
#
# ## 2. Why a deep plain network is slow to start
#
# Lesson 04 left a riddle. Good deep plain networks exist, training reaches some of them by a detour through
# shortcuts, and yet from a plain start it does far worse. What is wrong with that start? Three things can be measured
# before a single update is made, each in a few lines.
#
# **Is it garbled?** The article behind this course, <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span> ([what is known
# of it](00_start_here.ipynb)), says that plain convolutions "more or less lose information". No layer can *add* any;
# but what does losing mean? We ask a reader that is as simple as possible. A **linear probe** sees the output of one
# block and nothing else, and must name the digit from ten weighted sums of it (Alain and Bengio 2016). Ours is a
# ridge regression (least squares with a penalty on large weights), fitted on 500 images and tested on 500 others.
# What it cannot read may still be there, in a form that only another reader can use.

# %%
def probe(features, labels, new, new_labels):
    """Fit ten weighted sums by ridge regression; return how often the largest one is right, on new images."""
    features, new = (part.reshape(len(part), -1).astype(float) for part in (features, new))
    mean, targets = features.mean(axis=0), np.eye(10)[labels]
    f, t = features - mean, targets - targets.mean(axis=0)
    inner = f @ f.T
    penalty = 0.01 * np.trace(inner) / len(inner) * np.eye(len(inner))
    weights = f.T @ np.linalg.solve(inner + penalty, t)
    return np.mean(((new - mean) @ weights + targets.mean(axis=0)).argmax(axis=1) == new_labels)


x, y = mnist.train.images, mnist.train.labels
assert abs(probe(x[:500], y[:500], x[500:1000], y[500:1000])
           - probe_accuracy(x[:500], y[:500], x[500:1000], y[500:1000])) < 0.005

# %% [markdown]
# **Do batches agree?** Training follows the gradient of one batch after another. If two batches that share no image
# ask for much the same change of the weights, the cosine of the angle between their gradients is near 1. If one tells
# nothing of the other, it is near 0. (That need not mean that they have nothing in common. Each gradient is a noisy estimate,
# and the fewer images a batch has, the more noise is in it. All cosines here are of batches of 256 images; larger ones agree
# more.)
#
# But agreement can be cheap. An untrained network prefers some digit, a 7 perhaps, whatever it is shown, and batches
# may agree on nothing but that this must stop. That has nothing to do with what is in their images, so measure it and
# take it away. The idea: deal a batch's labels out to its images at random. Random labels say nothing about the images,
# so whatever the gradient still asks for is the cheap part.
#
# In a formula: image $i$ has logits $z_i$ and probabilities $p_i = \mathrm{softmax}(z_i)$. With respect to $z_i$, the gradient
# of its cross-entropy is $p_i - \text{one-hot}_i$ (lesson 06 will need that once more). With labels dealt at random,
# $\text{one-hot}_i$ becomes, on average over all deals, the same row for each image, the digits' frequencies in the batch;
# so the gradient becomes $p_i - \text{frequencies}$. Subtract the second from the first. $p_i$ drops out, and what the real
# labels ask for *beyond* random ones is $-(\text{one-hot}_i - \text{frequencies})$. To get from logits to weights, take a loss
# with just this gradient, and let the tape do the rest:
#
# $$-\frac{1}{n} \sum_{i=1}^{n} \big(\text{one-hot}_i - \text{frequencies}\big) \cdot z_i .$$
#
# We call its gradient the **labels' part**. If the labels had nothing to do with the images, it would be zero on average.

# %%
def labels_part(labels, logits):
    """Return a loss whose gradient is what the cross-entropy's has beyond that of labels dealt out at random."""
    one_hot = tf.one_hot(labels, 10)
    return -tf.reduce_mean(tf.reduce_sum((one_hot - tf.reduce_mean(one_hot, axis=0)) * logits, axis=1))


def cross_entropy(labels, logits):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


@tf.function  # compiled, which is three times as fast
def loss_and_gradient(net, images, labels, loss=labels_part):
    with tf.GradientTape() as tape:
        value = loss(labels, net(images, training=True))
    return value, tape.gradient(value, net.trainable_variables)

# %%
def agreement(net, labels, loss=labels_part):
    """Return the cosine between the gradients of two batches, mean over the pairs of four batches of 256 images."""
    vectors = []
    for at in (slice(start, start + 256) for start in range(0, 1024, 256)):
        _, gradient = loss_and_gradient(net, x[at], labels[at], loss)
        vectors.append(np.concatenate([np.ravel(part) for part in gradient]))
    return np.mean([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in itertools.combinations(vectors, 2)])


net = network(18, "padded", **SHAPE)
assert abs(agreement(net, y, cross_entropy) - gradient_agreement(net, x[:1024], y[:1024], batches=4)) < 1e-3

# %% [markdown]
# **Does a step help?** A gradient is a promise: go this way, and the loss will fall by so much. Real training follows the
# whole gradient. We ask only about the part that knows the labels, so the loss is the expression above. We go along its
# gradient on one batch, just so far that this loss would fall by 0.23 if the slope stayed as it is at the start. (The
# number is our choice: in cross-entropy it would be a tenth of what guessing costs.) That is the promise. Then we look at
# how much of it has come true for *another* batch. If all of it has, the number is 1. At 0 the step was useless to that
# batch, and below 0 it did harm. For a very short step this would be the cosine once more, times the ratio of the
# gradients' lengths. Ours is not very short, so that it also shows whether the slope lasts that far.

# %%
def kept_promise(net, promised=0.23):
    """Make one step for a batch of 256 images; return which share of the promised fall it sees, and another batch."""
    own, other, start = slice(256), slice(256, 512), net.get_weights()

    def results():
        return zip(*(loss_and_gradient(net, x[at], y[at]) for at in (own, other)))

    before, (direction, _) = results()
    step = promised / sum(tf.reduce_sum(part**2) for part in direction)  # so far that the tangent falls by what is promised
    for weight, part in zip(net.trainable_variables, direction):
        weight.assign_sub(step * part)
    after, _ = results()
    shares = np.subtract(before, after) / promised
    net.set_weights(start)
    return shares

# %% [markdown]
# **Predict.** We measure all three before training, in networks of 6, 18 and 34 layers. Sketch three lines for the plain
# networks, and three for the residual ones.

# %%
shuffled = np.random.default_rng(0).permutation(y)


def at_the_start(net):
    """Return what a probe reads after the last block, agreement, falls of another and of the own batch, gradients."""
    last = [layer.name for layer in net.layers if layer.name.endswith("_out")][-1]
    seen, new = (activations(net, x[at], [last])[last] for at in (slice(500), slice(500, 1000)))
    norms = list(gradient_norms(net, x[:128], y[:128]).values())
    own, other = kept_promise(net)
    return probe_accuracy(seen, y[:500], new, y[500:1000]), agreement(net, y), other, own, norms[0] / norms[-2]


found, cheap = {kind: {} for kind in KINDS}, {kind: [] for kind in KINDS}
for kind, shortcut in KINDS.items():
    for depth in (6, 18, 34):
        net, found[kind][depth] = network(depth, shortcut, **SHAPE), []
        for seed in SEEDS:
            reset_weights(net, seed)
            found[kind][depth].append(at_the_start(net))
            if depth == 34:  # the cosine of whole gradients and of the labels' part, then with the labels shuffled
                cheap[kind].append([agreement(net, y, cross_entropy), found[kind][depth][-1][1],
                                    agreement(net, shuffled, cross_entropy), agreement(net, shuffled)])

# %%
NAMES = ("a linear probe reads", "agreement of batches", "help for another batch")


def three_panels(found, xlabel, names=NAMES):
    """Draw each measurement in a panel: found is name → x → one tuple a seed."""
    _, axes = plt.subplots(1, len(names), figsize=(3.4 * len(names), 3.2), layout="constrained")
    words = []
    for i, (ax, name) in enumerate(zip(axes, names, strict=True)):
        series = {kind: {at: [one[i] for one in group] for at, group in of_kind.items()} for kind, of_kind in found.items()}
        ax.set(ylim=(-0.1, 1))
        words.append(plots.dots(series, xlabel, name, ax=ax)[1])
        ax.set(title=name, ylabel="")
    return axes[0], " ".join(words)


plots.show(*three_panels(found, "weighted layers"),
           "Untrained networks, three seeds. **Go from left to right, in the plain networks:** the deeper, the less can be read, "
           "the less the batches agree, the less a step for one batch helps another. In the residual networks, depth costs less.")
plots.table(["share of the promised fall that the batch itself sees, mean", *(f"{depth} layers" for depth in (6, 18, 34))], [
    [kind, *(f"{np.mean([one[3] for one in group]):.2f}" for group in of_kind.values())] for kind, of_kind in found.items()])
plots.table(["34 layers: agreement, mean", "whole gradient", "labels' part", "whole, labels shuffled", "labels' part, labels shuffled"],
            [[kind, *(f"{mean:.2f}" for mean in np.mean(rows, axis=0))] for kind, rows in cheap.items()])

# %% [markdown] tags=["slide"]
# ## Garbled, so at odds, so useless?
#
# 6, 18 and 34 layers, before training. Sketch the lines.
#
# <!-- later -->
#
# <!-- output: 380 -->
#
# <!-- notes -->
# Before training, by depth. Explain one panel at a time: what a linear reader can read after the last block; whether the
# labels of two batches ask for the same; whether a step for one batch helps another. Ask: does that prove the chain?
# They will say: yes. Answer: no. It shows three things that come together. The next experiment turns a dial.

# %% [markdown] tags=["slide"]
# ## A story, to be tested
#
# 1. Random plain layers **garble** the image,
# 2. so the labels of different batches **stop agreeing**,
# 3. so a step that follows one batch **does not help** another,
# 4. so training is slow to start.
#
# A shortcut hands the image on, and less of this happens.
#
# <!-- notes -->
# Ask: which of the four can be measured before a single update is made? They will say: only the first. Answer: the first
# three. The fourth needs the training itself.

# %%
plain, residual = (np.array(found[kind][34]).T for kind in KINDS)
for i, words in enumerate(("far more can be read after the last block of a residual network than of a plain one",
                           "the labels' parts of two batches agree far more in a residual network than in a plain one",
                           "a step that follows one batch keeps far more of its promise to another in a residual network")):
    verdict_above(f"before training, at 34 layers, {words}", above=residual[i], below=np.maximum(plain[i], 0.02), ratio=2)
verdict_above("in the residual network the labels' parts agree far more than with shuffled labels", above=residual[1],
              below=np.abs(cheap["residual"])[:, 3], ratio=2)

# %% [markdown] tags=["slide"]
# ## Three things together are not a chain
#
# Something else may move all three.
#
# What would tell more: a **dial** for the first one that leaves depth and architecture alone.
#
# <!-- notes -->
# Ask for such a dial. They will say: fewer layers. Answer: then the depth changes. Lesson 02 has one: a plain convolution may start
# at the identity, or anywhere between that and its usual start.

# %% [markdown]
# That is a stark picture. At 34 layers the labels of one batch ask the plain network for something that is, as far as other
# batches are concerned, no better than a random direction. (Values below 0.02 count as 0.02 in these verdicts, so that a
# ratio can be taken.) The first table shows a second trouble: even the batch whose gradient was followed sees little of what
# it was promised, so the slope does not last. The third panel has two causes, then, disagreement and a slope that ends, and
# we cannot tell their shares apart.
#
# The second table is a warning. Measured in whole gradients, the batches of the residual network agree almost perfectly, and,
# within a hundredth or two, as well if the labels are shuffled. So hardly any of that agreement is about which image has which
# label. It is easy to fall for; we did, at first. In the labels' part the agreement is far lower, but it is real. (With shuffled
# labels that part is zero on average, by its definition, so the last column shows how much luck can do.)
#
# Look at the plain row, too. Its batches do not even agree in the cheap part, although plain networks begin with a
# favourite digit as well, and nothing has to be read in an image to see that this must stop. So garbled images cannot
# be all that sets their gradients apart. Part of the reason may be that these explode (section 4).
#
# Read as a chain, the three panels tell a story:
#
# > Random plain layers **garble** the image, → so the labels of different batches **stop agreeing** on what to change, as far
# > as 256 images can show it, → so a step that follows one batch **does not help** another, → so training is slow to start. A shortcut hands the image on,
# > and less of this happens.
#
# A story like that is easily told, and three things that come together are not a chain. (And mind that all this is the
# *first* step. The plain networks of 26 layers at the top did reach nine of ten images in the end.) To find out more, we need
# a dial that changes how much is garbled, and leaves depth and architecture alone. Then we can see whether the others
# follow.
#
# ## 3. Turning the dial
#
# Lesson 02 has the dial. A plain convolution can *start* as the identity, with a Dirac kernel, or anywhere between that and its
# usual random start: $(1 - t)\,\text{Dirac} + t\,\text{He}$. No shortcut is involved; the network stays plain throughout, with
# 34 layers. At $t = 1$ it garbles as before. As $t$ falls, less and less is garbled.
#
# **Predict.** When $t$ goes from 1 down to ¼ (a quarter He, three quarters Dirac), do agreement and usefulness come
# back? And at $t = 0$, with Dirac kernels alone?

# %%
def dirac(kernel):
    """Return the kernel of this shape that passes channel i on as channel i."""
    identity = np.zeros_like(kernel)
    identity[kernel.shape[0] // 2, kernel.shape[1] // 2] = np.eye(*kernel.shape[2:])
    return identity


net, dialled = network(34, "none", **SHAPE), {"plain, 34 layers": {}}
for t in (0.0, 0.25, 0.5, 0.75, 1.0):
    dialled["plain, 34 layers"][t] = []
    for seed in SEEDS:
        reset_weights(net, seed)
        for layer in net.layers:
            if isinstance(layer, layers.Conv2D) and layer.name != "stem_conv":
                kernel = layer.kernel.numpy()
                layer.kernel.assign((1 - t) * dirac(kernel) + t * kernel)
        dialled["plain, 34 layers"][t].append(at_the_start(net))

# %%
start_study = read_study("02_shortcut_or_start")
chosen, ended = start_study["settings"], {}
for t, arm in ((0.0, "dirac 0"), (0.25, "dirac 0.25"), (0.5, "dirac 0.5"), (0.75, "dirac 0.75"), (1.0, "plain")):
    of_arm = [run for run in start_study["results"] if run["task"].get("arm") == arm]
    ended[t] = [run["train_loss"] for run in at_best_rate(of_arm, chosen["search_seeds"], chosen["seeds"])[1]]

axes = plt.subplots(2, 2, figsize=(7.4, 5.8), layout="constrained")[1].flat[:]
words, ticks = [], {0.0: "0", 0.25: "¼", 0.5: "½", 0.75: "¾", 1.0: "1"}
for i, (ax, name) in enumerate(zip(axes, NAMES, strict=False)):
    series = {kind: {ticks[t]: [one[i] for one in group] for t, group in of_kind.items()} for kind, of_kind in dialled.items()}
    words.append(plots.dots(series, "t", name, ax=ax)[1])
    ax.set(title=name, ylabel="", ylim=(-0.1, 1))
    level = np.mean([one[i] for one in found["residual"][34]])
    ax.axhline(level, color="black", linestyle=(0, (1, 3)))
    words.append(f"The residual network is at {level:.2f}.")
recorded = {"plain, 54 layers": {ticks[t]: losses for t, losses in ended.items()}}
words.append(plots.dots(recorded, "t", "final training loss", ax=axes[3], log=True)[1])
axes[3].set(title="and in the end: training loss", ylabel="")
for ax in axes:
    for label in list(ax.texts):  # the caption says which network it is
        label.remove()
plots.show(axes[0], " ".join(words),
           "One plain network, five ways to start, three seeds. **In each panel, go from right to left.** Dotted: residual, "
           "34 layers. The last panel is recorded: wider plain networks of 54 layers, each start at its best rate, after 600 updates.")
print(provenance(start_study))

# %% [markdown] tags=["slide"]
# ## Turn the dial
#
# <!-- later -->
#
# <!-- output: 480 -->
#
# Kernels start at $(1 - t)\,\text{Dirac} + t\,\text{He}$: from passing the input on to the usual random start. Plain throughout; dotted, residual.
#
# <!-- notes -->
# Ask before: if we only garble less, with no shortcut at all, do the gradients of two batches agree again? They will
# say: no, it is still a plain network. Answer: they do, and steps help again, and training ends lower. So they do not
# merely occur together.

# %%
quarter, usual = (np.array(dialled["plain, 34 layers"][t]).T for t in (0.25, 1.0))
for i, words in enumerate(("more can be read after the last block", "the labels' parts of two batches agree more",
                           "a step that follows one batch keeps more of its promise to another")):
    verdict_above(f"started near Dirac kernels (t = ¼), {words} than from the usual start, in the same plain network",
                  above=quarter[i], below=usual[i])
verdict_above("in the recorded study, wider plain networks of 54 layers that start so end with a lower training loss than those "
              "with the usual start", above=ended[1.0], below=ended[0.25], ratio=1.5, unit="nats", recorded=True)
verdict_above("and yet from exact Dirac kernels (t = 0) they end with a higher one", above=ended[0.0], below=ended[0.25], ratio=1.3,
              unit="nats", recorded=True)
exact = np.array(dialled["plain, 34 layers"][0.0]).T
assert np.all(exact[:2].mean(axis=1) > quarter[:2].mean(axis=1))  # though more can be read, and batches agree more

# %% [markdown] tags=["slide"]
# ## What the dial shows
#
# - One change to the start moves all three, in a plain network: **shown**
# - The second and third move *through* the first: **likely**
# - The training loss follows from them: **not all the way**; at t = 0 the three are no worse than at ¼, yet the loss is higher
#
# <!-- notes -->
# Ask: what would convince you that the training loss does follow from them? They will say: more seeds. Answer: many
# networks, measured early, and a rule that tells from the early numbers which will end well.

# %% [markdown]
# Garble less, down to t = ¼, and batches agree more, and steps help more, and the network trains, without a shortcut
# anywhere. So it is more than a coincidence that the three go together: one change to the start moves them all. They come
# back in part: at t = ¼ agreement reaches some three fifths of what the residual network has, usefulness two fifths. That
# the dial moves the second and the third *through* the first is the natural reading, which this experiment cannot prove;
# the start changes other things as well, such as the size of the gradients.
#
# The last panel, measured in wider networks, does not quite go along. At t = ½ the loss has fallen a long way, with
# little change in the first three. And at t = 0 more can be read and batches agree better than at t = ¼, and even than
# in the residual network, yet training ends at twice the loss of t = ¼. So the three are not the whole story: the start
# that garbles least is not the best one. What a quarter of randomness adds, we do not know. (Can such measurements tell
# which of several networks will end well? [Does the start tell the end?](deeper/05_early_signals.ipynb) asks that of
# lesson 07's nineteen networks. Before training they tell little.)
#
# A caution. All this is about the *start*. Once a network has learnt what all batches have in common, we should
# expect those that learn well to disagree, too, because what is left to learn differs from image to image.
#
# ## 4. Vanishing, exploding, or neither?
#
# What about the explanation that everybody has heard, gradients that vanish on their way back? The article says that residual networks avoid vanishing *and* exploding gradients. We measured it along the way: how much larger the gradient is
# at the first layer's weights than at the last convolution's.

# %%
ratios = {kind: {depth: [one[4] for one in group] for depth, group in of_kind.items()} for kind, of_kind in found.items()}
ax, alt = plots.dots(ratios, "weighted layers", "gradient, first layer over last", log=True)
ax.axhline(1, color="black", linestyle=(0, (1, 3)))
plots.show(ax, f"{alt} Dotted: equal.",
           "Before training, with batch normalisation. A gradient that vanished would make its line fall from left to right. **In "
           "plain networks it climbs.** (The two layers differ in shape, so where a line starts means nothing.)")
for kind, of_kind in ratios.items():
    verdict_above(f"before training, from 6 to 34 layers the {kind} ratio does not fall", of_kind[34], of_kind[6])

# %% [markdown] tags=["slide"]
# ## Vanishing?
#
# The gradient at the first layer over that at the last: how does it go with depth?
#
# <!-- later -->
#
# <!-- output: 400 -->
#
# <!-- notes -->
# With batch normalisation, before training. Ask: which line is steepest, and does it rise or fall with depth? They will say: plain
# falls, gradients vanish. Answer: it rises. Plain gradients explode, the shortcut tames them, and neither vanishes.

# %% [markdown]
# No line falls with depth: nothing vanishes. With batch normalisation it is the *plain* gradient that explodes with depth, and
# the shortcut tames that. (In wide dense networks it grows by a constant factor at every layer: Yang and others 2019.) So of the article's two
# claims, the first is about something that does not happen here, and the second is right. Take the normalisation away, and the roles are
# reversed: then it is the *shortcut* that makes signals and gradients explode. [Without
# normalisation](deeper/05_without_normalisation.ipynb) works out by how much, and lesson 06 meets a network whose
# gradient does vanish.
#
# ## 5. Plain, but brought up residual
#
# Lesson 04 trained plain networks by way of shortcuts that fade, and ended with half the loss of those that were
# plain from the start. Both are plain in the end, with the same layers. What is different inside? If the picture of
# section 1 is right, the faded blocks should have kept something of their upbringing: each should still hand on part
# of its input, by its own weights. So compare what comes out of a block with what went in, by the cosine between the two. A
# block that passes its input on has 1. And chance? Take two unrelated lists of normal numbers and pass each through a
# ReLU: their cosine is $1/\pi \approx 0.32$.
#
# **Predict.** Where do the blocks lie in a network that was plain from the start? And in a faded one?

# %%
fade_study = read_study("04_fading_shortcut")
chosen, resembles = fade_study["settings"]["full_width"], {}
for name, arm in (("plain from the start", "plain"), ("faded", "fading")):
    of_arm = [run for run in fade_study["results"] if run["task"]["group"] == "full_width" and run["task"]["arm"] == arm]
    judged = at_best_rate(of_arm, chosen["search_seeds"], chosen["seeds"])[1]
    blocks = [number for number, block in enumerate(judged[0]["blocks"], start=1) if "cosine" in block]
    resembles[name] = [[run["blocks"][number - 1]["cosine"] for number in blocks] for run in judged]
ax, alt = plots.curves(blocks, resembles, "block", "cosine of output and input")
ax.axhline(1 / np.pi, color="black", linestyle=(0, (1, 3)))
plots.show(ax, f"{alt} Dotted: two unrelated signals of that kind.",
           "Trained plain networks of 54 full-width layers, five seeds, recorded. (The block where the shape changes is left out.) **Look where the "
           "lines run:** where the network was plain from the start, blocks resemble their inputs, place by place, hardly more than "
           "chance would have it.")
verdict_above("in networks whose shortcuts faded, the output of a block resembles its input more than in those that were plain from "
              "the start, on average over the blocks", above=[np.mean(one) for one in resembles["faded"]],
              below=[np.mean(one) for one in resembles["plain from the start"]], ratio=1.3, recorded=True)

# %% [markdown] tags=["slide"]
# ## Plain, but brought up residual
#
# <!-- output: 420 -->
#
# <!-- notes -->
# Both networks are plain. One had shortcuts that faded while it learnt. Ask: can you tell from the inside? They will
# say: no, the shortcuts are gone. Answer: yes. What its blocks return resembles what they were given. What the other
# one's blocks return does not.

# %% [markdown] tags=["slide"]
# ## Explanations, and what we saw
#
# | explanation | here |
# |---|---|
# | Gradients vanish. | not with batch normalisation |
# | Plain layers garble the image. | yes, before training |
# | Later blocks change less. | yes, within each stage |
# | Blocks can be taken out. | half of the residual ones, hardly any plain one |
# | The loss is smoother. | not decided here |
#
# <!-- notes -->
# Ask: which would you give to somebody in one sentence? They will say: all of them. Answer: each measures another thing, and
# none of them is the reason alone.

# %% [markdown]
# You can tell from the inside how a network was brought up. In the one that was plain from the start, a block's
# output resembles its input, on average, no more than two unrelated signals do. In the faded one, the blocks have learnt to do by
# their weights some of what the shortcut had done for them, and by and large the later the block, the more.
#
# ## 6. What this shows, and what it does not
#
# | explanation | here |
# |---|---|
# | Random plain layers garble the image (the article: "lose information"). | Holds before training, for a linear reader. |
# | Batches then disagree, and following what one asks for does not help another. | Holds before training: when depth is varied, with the cheap part of agreement and without it; when the dial is turned, without it. Whether the garbled image is the *cause* is open. |
# | Gradients vanish (textbooks, the article). | Not with batch normalisation, before training and up to 34 layers: plain ones explode. |
# | Later blocks change their input less (De and Smith 2020). | Holds within each stage, before training and after; the paper speaks of the start. |
# | Blocks can be taken out (Veit 2016). | Holds for half of the blocks of the residual network, each for a fifth of the accuracy at most; the plain one loses most of its accuracy. |
#
# And in the deeper notebooks:
#
# | explanation | there |
# |---|---|
# | The gradient arrives along short paths (Veit 2016). | Mostly, with 16 blocks: along paths through fewer branches than the average path has. [Many paths](deeper/05_paths.ipynb) |
# | Gradients are shattered: neighbouring inputs get unrelated ones (Balduzzi 2017). | Holds before training. [Shattered gradients](deeper/05_shattered_gradients.ipynb) |
# | What can be measured early predicts the end. | Little before training; after 50 updates the probe and the falls do, no better than the loss. [Does the start tell the end?](deeper/05_early_signals.ipynb) |
# | The loss is smoother with shortcuts (Li 2018). | Not decided: no sharp spikes around networks that have learnt, with shortcuts or without. [The ground around the weights](deeper/05_loss_landscape.ipynb) |
#
# ## Summary
#
# - A trained residual network can do without half of its blocks, one at a time, each for a fifth of its accuracy at
#   most; a plain one can spare hardly any. The blocks whose removal hurts are the first ones of each stage.
# - Before training, deep plain networks garble the image, what the labels of one batch ask for tells nothing of what those of
#   another do, and a step for one batch does not help another. In residual networks depth costs less on all three counts.
# - Most of what gradients agree on can be cheap. Shuffle the labels, and see what is left.
# - Garble less, with a start near the identity and no shortcut, and the rest follows in part. That fits the chain and
#   does not prove it; and the start that garbles least does not train best.
# - With batch normalisation no gradient vanishes, before training and up to 34 layers. Plain ones explode, and the shortcut
#   tames them.
# - A plain network whose shortcuts faded has blocks whose output resembles their input far more than chance would
#   have it.
#
# All this was measured on networks that we built to be looked at. The article has built another one: without normalisation, and
# with a ReLU in an odd place. Can you read *its* network with these eyes? That is lesson [06](06_reading_the_article.ipynb).
#
# ## Quiz
#
# Five questions. Each option says why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("05")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - Residual blocks add to what is handed on anyway. Half can be taken out, one at a time.
# - Before training: plain layers **garble**, batches **disagree**, steps **do not help**. The dial moves all three.
# - Nothing vanishes with batch normalisation. Plain gradients explode.
# - A plain network whose shortcuts faded while it learnt keeps blocks that pass on part of their input.
#
# **Exercises:** lesson 05; the last one is for a discussion.
#
# <!-- notes -->
# Ask: which link of the chain is proved? They will say: the first. Answer: strictly, none of the arrows. The dial
# moves the start, and everything follows together. How would you test the last one? Measure early in many networks,
# and see which measurement tells the end. The deeper notebook on early signals does.

# %% [markdown]
# <!-- quiz: 05 -->
#
# ## Exercises
#
# Reading is only half the work. In the [exercises for lesson 05](exercises/05_inside_the_network.ipynb) you build,
# mend, predict and run, with checks that answer at once and hints to open if you need them; one exercise is there to discuss.
#
# ## References
#
# - A. Veit, M. Wilber, S. Belongie 2016: *Residual Networks Behave Like Ensembles of Relatively
#   Shallow Networks*. NIPS. [arXiv:1605.06431](https://arxiv.org/abs/1605.06431), Section 4.
# - S. De, S. L. Smith 2020: *Batch Normalization Biases Residual Blocks Towards the Identity Function
#   in Deep Networks*. NeurIPS. [arXiv:2002.10444](https://arxiv.org/abs/2002.10444), Section 2.
# - G. Alain, Y. Bengio 2016: *Understanding Intermediate Layers Using Linear Classifier Probes*.
#   [arXiv:1610.01644](https://arxiv.org/abs/1610.01644), Section 3.
# - D. Balduzzi, M. Frean, L. Leary, J. P. Lewis, K. W.-D. Ma, B. McWilliams 2017: *The Shattered
#   Gradients Problem: If Resnets Are the Answer, Then What Is the Question?* ICML.
#   [arXiv:1702.08591](https://arxiv.org/abs/1702.08591).
# - G. Yang, J. Pennington, V. Rao, J. Sohl-Dickstein, S. S. Schoenholz 2019: *A Mean Field Theory of
#   Batch Normalization*. ICLR. [arXiv:1902.08129](https://arxiv.org/abs/1902.08129).
# - H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein 2018: *Visualizing the Loss Landscape of Neural
#   Nets*. NeurIPS. [arXiv:1712.09913](https://arxiv.org/abs/1712.09913).
