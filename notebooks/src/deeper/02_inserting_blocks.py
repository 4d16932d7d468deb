# %% [markdown]
# # 02 · Deeper: inserting blocks
#
# Suppose that you have a network that works, and you would like it deeper. Do you have to start from scratch? The
# article behind this course, <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>
# ([what is known of it](../00_start_here.ipynb)), says no: a residual block may be added in the middle of a
# large network or at its end without doing harm. It sounds plausible, since such a block can be the identity. But
# *can be* and *is* are two things, and the gap between them is easy to measure.
#
# **Objectives.** After this notebook you can
#
# 1. insert a block anywhere into a trained network;
# 2. say which blocks leave a network's output untouched when they go in, and which do damage;
# 3. say how a branch of zero begins to learn.
#
# **Prerequisites.** Lesson [02](../02_residual_learning.ipynb): branch, shortcut, a branch of zero.
#
# **Reading time:** 9 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import keras
import matplotlib.pyplot as plt
import numpy as np

from resnet_lesson import plots
from resnet_lesson.blocks import BasicBlock
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network, reset_weights, segments
from resnet_lesson.training import Trainer, evaluate
from resnet_lesson.verdicts import verdict

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=6400, val=0, test=0)
images, labels = mnist.train.images[:1000], mnist.train.labels[:1000]
SEEDS, RATE = (0, 1, 2), 3e-3

# %% [markdown]
# ## 1. Four candidates
#
# We train three small residual networks with four basic blocks each, without batch normalisation. They are small
# and, after 300 updates, not yet done learning, so this tests the sentence for small, young networks only.

# %%
net = network(blocks_per_stage=(2, 2), block="basic", widths=(8, 16), normalisation=False)
trainer = Trainer(net, learning_rate=RATE)
trained = {}
for seed in SEEDS:
    trainer.run(mnist, seed, updates=300)
    trained[seed] = net.get_weights()
    print(f"seed {seed}: training accuracy {evaluate(trainer.logits(images), labels)[1]:.1%}")

# %% [markdown]
# Which block to insert? A residual one, of course, either with a branch of zero or with the usual random
# weights. To be fair, we also try two plain ones. With the usual random weights a plain block will surely do
# harm; but a plain block can be the identity, too, if somebody sets it so. A **Dirac kernel** is 1 in its
# middle, for its own channel, and 0 everywhere else, so that the convolution returns its input: it is the
# identity matrix of convolutions (after the Dirac parameterisation of Zagoruyko and Komodakis 2017). The block's
# ReLUs do no harm, because its input comes out of a ReLU.

# %%
def zero(block):
    last = block.weight_layers[-1]
    last.set_weights([0 * weight for weight in last.get_weights()])


def dirac(block):
    for layer in block.weight_layers:
        kernel, bias = layer.get_weights()
        kernel[:] = 0
        kernel[1, 1] = np.eye(kernel.shape[2])  # the middle of 3×3
        layer.set_weights([kernel, 0 * bias])


def usual(block):
    """Leave the random weights as they are."""


KINDS = {"residual, zero": ("identity", zero), "residual, usual": ("identity", usual),
         "plain, usual": ("none", usual), "plain, Dirac": ("none", dirac)}

# %% [markdown]
# `segments` cuts a network into its stem, its blocks and its head. Passing through them in order gives the
# network back, so a new block can be put wherever we like. All parts share their weights with the network.

# %%
PLACES = {f"block {i}": name for i, name in enumerate(list(segments(net))[1:-1], start=1)}


def insert(name, shortcut):
    """Return net with a new block after the named one, the block, and the block as a model."""
    parts = segments(net)
    inputs = keras.Input(parts[name].output_shape[1:])
    block = BasicBlock(inputs.shape[-1], shortcut, normalisation=False, name="new")
    new = keras.Model(inputs, block.call(inputs))
    x = net.input
    for part in parts:
        x = parts[part](x)
        x = new(x) if part == name else x
    return keras.Model(net.input, x), block, new

# %% [markdown]
# **Predict.** Which of the four change the network's output as soon as they go in? And which of them have caught up,
# after sixty more updates of all weights, with a network that was trained on without a new block? Does the place
# matter?

# %%
MORE = 60
old_logits, old_loss, control = {}, {}, {}
for seed in SEEDS:
    net.set_weights(trained[seed])
    old_logits[seed] = trainer.logits(images)
    old_loss[seed] = evaluate(old_logits[seed], labels)[0]
    trainer.run(mnist, seed, MORE, reset=False)
    control[seed] = evaluate(trainer.logits(images), labels)[0]


def try_block(longer, block, new, set_weights, seed):
    """Return the largest change of a logit, the loss at once and the loss after more updates."""
    net.set_weights(trained[seed])
    reset_weights(new, seed)
    set_weights(block)
    logits = longer.logits(images)
    longer.run(mnist, seed, MORE, reset=False)
    change = np.abs(logits - old_logits[seed]).max()
    return change, evaluate(logits, labels)[0], evaluate(longer.logits(images), labels)[0]

# %%
results = {}  # (kind, place) → an array: a row for each seed, columns as of try_block
for place, name in PLACES.items():
    for shortcut in ("identity", "none"):
        model, block, new = insert(name, shortcut)
        longer = Trainer(model, learning_rate=RATE)
        for kind, (wanted, set_weights) in KINDS.items():
            if wanted == shortcut:
                runs = [try_block(longer, block, new, set_weights, seed) for seed in SEEDS]
                results[kind, place] = np.array(runs)


def column(kind, number):
    """Return one number for each place and seed."""
    return np.concatenate([results[kind, place][:, number] for place in PLACES])

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4), sharey=True, layout="constrained")
texts = []
for ax, title, number, untouched in zip(axes, ("right after the insertion", f"after {MORE} updates"), (1, 2),
                                        (old_loss, control), strict=True):
    series = {kind: {place: results[kind, place][:, number].tolist() for place in PLACES}
              for kind in KINDS} | {"no new block": {place: list(untouched.values()) for place in PLACES}}
    texts.append(plots.dots(series, "new block after", "loss on 1,000 training images", ax, title, log=True)[1])
axes[0].get_legend().remove()
plots.show(axes[0], " ".join(texts), "Right after the insertion, two of the four lie exactly under the marks of the "
           "network without a new block. The other two do damage, and most of it late in the network. Sixty "
           "updates later only the usual plain block stands out.")

# %% [markdown]
# ## 2. Right after the insertion

# %%
for kind in ("residual, zero", "plain, Dirac"):
    verdict(f"{kind}: the block changes no logit, at any place", column(kind, 0).max() == 0,
            f"largest change {column(kind, 0).max()}, over {column(kind, 0).size} insertions")
before = np.tile([old_loss[seed] for seed in SEEDS], len(PLACES))
for kind in ("residual, usual", "plain, usual"):
    times = column(kind, 1) / before
    verdict(f"{kind}: before any training, the loss is at least one and a half times as high, at each place and "
            "seed",
            min(times) >= 1.5, f"{min(times):.2f} to {max(times):.2f} times")

# %% [markdown]
# So the article's sentence is exact for a branch of zero, and false for the usual random weights. A residual
# block *contains* the identity; it does not start there by itself. (The plain one does about twice the damage of
# the residual one.) And a plain block can be inserted without doing harm as well, provided that somebody sets its
# kernels: Chen, Goodfellow and Shlens (2016) made a method of that, and deepened trained networks with layers that
# start as the identity. Remember this one: a plain block *can* be the identity. It just never starts anywhere
# near it.
#
# ## 3. After sixty more updates

# %%
level = np.tile([control[seed] for seed in SEEDS], len(PLACES))
plots.table(["loss, as a multiple of that without a new block", "lowest", "mean", "highest"], [
    [kind, *(f"{pick(column(kind, 2) / level):.2f}" for pick in (np.min, np.mean, np.max))] for kind in KINDS
])
times = column("plain, usual", 2) / level
verdict("plain, usual: the loss is still above that of a network without a new block, at each place and seed",
        min(times) > 1, f"{min(times):.2f} to {max(times):.2f} times")

# %% [markdown]
# Only the usual plain block is clearly behind. For the other three the multiples lie on both sides of one, and three
# networks are too few to see a small difference among them.
#
# ## 4. Does a zero branch ever wake up?
#
# One thing should worry you. In a branch of zero, the gradient of the first layer passes through the weights of
# the last one, and these are zero. So the first layer's gradient is zero. Will it ever learn?
#
# **Predict.** After one update, which of the branch's two layers has moved? After two?

# %%
model, block, new = insert(PLACES["block 4"], "identity")
longer, moved = Trainer(model, learning_rate=RATE), {}
for updates in (1, 2):
    net.set_weights(trained[0])
    reset_weights(new, seed=0)
    zero(block)
    kernels = [layer.get_weights()[0] for layer in block.weight_layers]
    longer.run(mnist, seed=0, updates=updates, reset=False)
    moved[updates] = [float(np.abs(layer.get_weights()[0] - kernel).max())
                      for layer, kernel in zip(block.weight_layers, kernels, strict=True)]
plots.table(["after", "first layer moved by", "last layer moved by"], [
    [f"{n} update{'s' * (n > 1)}", f"{one:.4f}", f"{two:.4f}"] for n, (one, two) in moved.items()
])
assert moved[1][0] == 0 < min(moved[1][1], moved[2][0])

# %% [markdown]
# The last layer's own gradient depends on the signal that reaches it, which is not zero. It moves in the first
# update, and from the second on the layer before it has a gradient, too.
#
# With batch normalisation, a branch is made zero by setting its last $\gamma$ and $\beta$ to zero (Goyal and others
# 2017, Section 5.1), since zero times anything is zero. For Dirac kernels that does not work: as soon as a batch's
# own mean and variance are used, such a block rescales what it should pass on.
#
# ## Summary
#
# - A residual block with a branch of zero could be inserted after any block without changing a single logit. So
#   could a plain block with Dirac kernels, without batch normalisation.
# - With the usual random weights a residual block does damage when it goes in, and a plain one more. After sixty
#   updates the plain one is still behind.
# - A zero branch does learn: its last layer moves first.
#
# Back to lesson [02](../02_residual_learning.ipynb).
#
# ## References
#
# - T. Chen, I. Goodfellow, J. Shlens 2016: *Net2Net: Accelerating Learning via Knowledge Transfer*.
#   ICLR. [arXiv:1511.05641](https://arxiv.org/abs/1511.05641).
# - P. Goyal and others 2017: *Accurate, Large Minibatch SGD*.
#   [arXiv:1706.02677](https://arxiv.org/abs/1706.02677), Section 5.1: $\gamma = 0$ at the start.
# - S. Zagoruyko, N. Komodakis 2017: *DiracNets: Training Very Deep Neural Networks Without
#   Skip-Connections*. [arXiv:1706.00388](https://arxiv.org/abs/1706.00388).
