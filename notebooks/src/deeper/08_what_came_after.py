# %% [markdown]
# # 08 · Deeper: what came after
#
# Most networks of 2015 are history. The residual block is not: it moved into other networks and took over. In each of
# its descendants one thing about it was changed, and it is worth knowing which. This notebook builds that one thing for three of them, in a few lines
# each, and then checks what you can no longer see in the finished networks: that they are closer to $x + F(x)$ than they
# look.
#
# **Objectives.** After this notebook you can
#
# 1. show that a sum of many thin branches is one bottleneck with a grouped convolution;
# 2. say what it means to append instead of adding;
# 3. find the residual stream of a Transformer, and say what destroys it.
#
# **Prerequisites.** Lessons [02](../02_residual_learning.ipynb) (the unrolled sum),
# [03](../03_bottleneck_block.ipynb) (bottleneck) and [07](../07_variants.ipynb) (pre-activation).
#
# **Reading time:** 12 minutes. **Computing time:** 20 seconds on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import keras
import numpy as np
import tensorflow as tf
from keras import layers

from resnet_lesson import plots
from resnet_lesson.verdicts import verdict

SEEDS = (0, 1, 2)

# %% [markdown]
# ## 1. ResNeXt: many thin branches
#
# A residual block adds one branch to $x$. Why only one? ResNeXt (Xie, Girshick, Dollár, Tu and He 2017) adds the sum of
# $C$ branches, all built alike and each very thin:
#
# $$y = x + \sum_{i=1}^{C} T_i(x).$$
#
# With $C = 32$, each $T_i$ is a bottleneck with an inner width of 4. That sounds like 32 times the code and a very slow
# network. But put the thin kernels side by side, and all of the branches together are a single bottleneck. Only its 3×3
# convolution is unusual: it is a **grouped convolution**, in which the channels are cut into 32 groups, and each group
# of the output sees one group of the input and no other.
#
# **Predict.** Does the sum of 32 branches equal the grouped bottleneck exactly, but for rounding, or only roughly? (We
# leave out normalisation. The ReLUs stay.)

# %%
C, THIN, WIDE = 32, 4, 256
options = {"use_bias": False, "padding": "same", "activation": "relu"}
grouped = keras.Sequential([layers.Conv2D(C * THIN, 1, **options),
                            layers.Conv2D(C * THIN, 3, groups=C, **options),
                            layers.Conv2D(WIDE, 1, use_bias=False)])
grouped.build((None, 7, 7, WIDE))


def sum_of_branches(x):
    """Compute each thin branch by itself, with its part of the three kernels."""
    first, second, third = grouped.get_weights()
    total = 0
    for i in range(0, C * THIN, THIN):
        y = tf.nn.relu(tf.nn.conv2d(x, first[..., i:i + THIN], 1, "SAME"))
        y = tf.nn.relu(tf.nn.conv2d(y, second[..., i:i + THIN], 1, "SAME"))
        total += tf.nn.conv2d(y, third[:, :, i:i + THIN], 1, "SAME")
    return total


# %%
apart = []
for seed in SEEDS:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(2, 7, 7, WIDE)).astype("float32")
    grouped.set_weights([generator.normal(0, 0.1, w.shape) for w in grouped.get_weights()])
    both = grouped(x).numpy(), sum_of_branches(x).numpy()
    apart.append(np.abs(both[0] - both[1]).max() / np.abs(both[0]).max())
verdict("32 thin branches and one grouped bottleneck compute the same, but for rounding", max(apart) < 1e-4,
        f"largest relative difference {max(apart):.1e}")
resnet = WIDE * 64 + 9 * 64 * 64 + 64 * WIDE
resnext = C * (WIDE * THIN + 9 * THIN * THIN + THIN * WIDE)
assert resnext == grouped.count_params()
plots.table(["block, 256 channels outside", "parameters", "channels of the 3×3"],
            [["ResNet's bottleneck", f"{resnet:,}", 64], ["ResNeXt, 32 × 4", f"{resnext:,}", C * THIN]])

# %% [markdown]
# Exactly. A ReLU works on every channel by itself, so it does not care whether the channels of the other branches stand
# beside its own; and the groups keep the branches apart until the last 1×1 adds them up. For nearly the same number of
# parameters, the 3×3 now works on twice as many channels. That is what ResNeXt buys.
#
# ## 2. DenseNet: append instead of add
#
# DenseNet (Huang, Liu, van der Maaten and Weinberger 2017) also carries $x$ past the branch. But instead of adding the
# branch's output, it **appends** it, as new channels:
#
# $$y = [x,\; F(x)].$$
#
# Nothing is ever added to $x$, so at the end of a dense block its first channels still *are* its input. (A DenseNet is several
# such blocks, with a 1×1 convolution and pooling between them.) Each layer
# contributes $k$ channels, the **growth rate**; after $l$ layers there are $k_0 + l\,k$.
#
# How is that related to a sum? Think of whatever reads $y$ next. It is a convolution, with a kernel for every
# channel. Let its kernels for $x$ and for $F(x)$ be the same, $W$. Then it computes $W * x + W * F(x) = W * (x +
# F(x))$, so it reads the residual sum. For a convolution that reads $y$ directly, appending can do whatever adding
# does, and more; it pays in channels. (DenseNet's own layers put a ReLU before the convolution, and then the two
# differ.)
#
# **Predict.** With $k_0 = 16$ and $k = 12$, how many channels are there after 10 layers? How many parameters do the ten
# 3×3 convolutions have, compared with ten that keep 16 channels?

# %%
K0, K, LAYERS = 16, 12, 10
inputs = y = keras.Input((14, 14, K0))
for _ in range(LAYERS):
    branch = layers.Conv2D(K, 3, use_bias=False, padding="same", activation="relu")(y)
    y = layers.Concatenate()([y, branch])
dense = keras.Model(inputs, y)

assert dense.count_params() == sum(9 * (K0 + i * K) * K for i in range(LAYERS))
plots.table(["ten 3×3 convolutions", "channels in the end", "parameters"],
            [["append 12 each", dense.output_shape[-1], f"{dense.count_params():,}"],
             ["keep 16", K0, f"{LAYERS * 9 * K0 * K0:,}"]])

# %%
x = np.random.default_rng(0).normal(size=(2, 14, 14, K0)).astype("float32")
same = dense(x).numpy()[..., :K0] == x
verdict("after 10 layers the input still stands in the first channels, to the last bit", bool(same.all()),
        f"{same.sum():,} of {same.size:,} numbers are equal")

generator = np.random.default_rng(1)
x, branch = generator.normal(size=(2, 2, 7, 7, 16))
kernel = generator.normal(size=(3, 3, 16, 8))
appended = tf.nn.conv2d(np.concatenate([x, branch], axis=-1), np.concatenate([kernel, kernel], axis=2), 1, "SAME")
assert np.allclose(appended, tf.nn.conv2d(x + branch, kernel, 1, "SAME"))  # equal kernels read the sum

# %% [markdown]
# ## 3. The Transformer's residual stream
#
# A Transformer (Vaswani and others 2017) reads a sequence of vectors, one per **token**, which is a word or a piece of one. Its layers take turns. In *attention*,
# each position looks at the others; then a small dense network works on each position by itself. Both are branches, and
# $x$ goes past each of them. In the form that is usual today, normalisation (here of each vector by itself, *layer
# normalisation*, LN) stands *inside* the branch (Xiong and others 2020, "pre-LN"):
#
# $$x \leftarrow x + \mathrm{Attention}(\mathrm{LN}(x)), \qquad
#   x \leftarrow x + \mathrm{Dense}(\mathrm{LN}(x)).$$
#
# You know that arrangement from lesson 07, where it was called pre-activation: nothing interrupts the chain of
# shortcuts. So the sum of lesson 02 holds,
#
# $$x_L = x_0 + \sum_{i} F_i(x_i),$$
#
# and people speak of a **residual stream**, which all layers read from and write to. The original Transformer normalised
# *after* each addition ("post-LN"): $x \leftarrow \mathrm{LN}(x + F(x))$.
#
# **Predict.** In which of the two forms is $x_L$ equal to $x_0$ plus everything that the branches wrote?

# %%
def transformer(blocks=4, width=32, after=False):
    """Build a small Transformer that returns its output and the outputs of all branches."""
    inputs = x = keras.Input((10, width))
    branches = []
    for _ in range(blocks):
        for kind in ("attention", "dense"):
            y = x if after else layers.LayerNormalization()(x)
            if kind == "attention":
                y = layers.MultiHeadAttention(num_heads=4, key_dim=width // 4)(y, y)
            else:
                y = layers.Dense(width)(layers.Dense(4 * width, activation="relu")(y))
            branches.append(y)
            x = layers.Add()([x, y])
            x = layers.LayerNormalization()(x) if after else x
    return keras.Model(inputs, [x, *branches])


# %%
apart = {"inside the branch": [], "after the addition": []}
for seed in SEEDS:
    keras.utils.set_random_seed(seed)
    x = np.random.default_rng(seed).normal(size=(8, 10, 32)).astype("float32")
    for where, found in apart.items():
        end, *branches = transformer(after=where.startswith("after"))(x)
        total = x + sum(branch.numpy() for branch in branches)
        found.append(float(np.linalg.norm(end - total) / np.linalg.norm(end)))
verdict("with normalisation inside the branches, the end is the start plus all that the branches wrote",
        max(apart["inside the branch"]) < 1e-5, f"off by at most {max(apart['inside the branch']):.1e} of the end")
verdict("with normalisation after each addition it is not", min(apart["after the addition"]) > 0.05,
        f"off by at least {min(apart['after the addition']):.2f} of the end")

# %% [markdown]
# So a Transformer with pre-LN is a residual network in the strict sense of lesson 02, stricter than ResNet itself,
# whose ReLU after each addition cuts off part of what the shortcuts carry. Most of today's large language models are built like that: a long
# row of $x + F(x)$, which you could unroll on a blackboard.
#
# ## Summary
#
# - ResNeXt sums many thin branches, and computes them as one bottleneck with a grouped convolution.
# - DenseNet appends instead of adding. It can read the sum, and pays in channels.
# - A Transformer that normalises inside its branches leaves the shortcuts untouched, so its output is its input plus
#   all that the branches wrote.
#
# Back to lesson [08](../08_your_turn.ipynb).
#
# ## References
#
# - S. Xie, R. Girshick, P. Dollár, Z. Tu, K. He 2017: *Aggregated Residual Transformations for Deep
#   Neural Networks*. CVPR. [arXiv:1611.05431](https://arxiv.org/abs/1611.05431), Equations 2 and 4.
# - G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger 2017: *Densely Connected Convolutional
#   Networks*. CVPR. [arXiv:1608.06993](https://arxiv.org/abs/1608.06993), Section 3.
# - A. Vaswani et al. 2017: *Attention Is All You Need*. NIPS.
#   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), Section 3.1.
# - R. Xiong et al. 2020: *On Layer Normalization in the Transformer Architecture*. ICML.
#   [arXiv:2002.04745](https://arxiv.org/abs/2002.04745).
