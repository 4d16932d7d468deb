# %% [markdown]
# # 05 · Deeper: without normalisation
#
# The article behind this course, <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>, says that residual networks
# avoid exploding gradients. Lesson 05 found that true for networks with batch normalisation, whose plain twins explode. Take
# the normalisation away, and everything turns round: the plain signal keeps its size, and it is the *shortcut* that blows it
# up. You can see why with a pencil, and once you have, you also see the three ways out that people have found.
#
# **Objectives.** After this notebook you can
#
# 1. work out what a row of random blocks does to the size of a signal, with and without shortcuts;
# 2. say what scaling, normalising, or zeroing the branches does about it;
# 3. check the formulas on chains, and their direction on real networks.
#
# **Prerequisites.** Lesson [05](../05_inside_the_network.ipynb), section 4; He initialisation, in the [primer](00_primer.ipynb).
#
# **Reading time:** 8 minutes. **Computing time:** 20 seconds on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import numpy as np

from resnet_lesson import plots
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import gradient_norms
from resnet_lesson.models import network, reset_weights
from resnet_lesson.verdicts import verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
SEEDS = (0, 1, 2)

# %% [markdown]
# ## 1. With a pencil
#
# Take the simplest residual chain there is:
#
# $$x_{l+1} = x_l + W_l\, \mathrm{ReLU}(x_l), \qquad W_l \text{ random, with mean 0 and variance } 2/n.$$
#
# The variance $2/n$ is that of He initialisation, and it is made so that the branch keeps the mean square of its input:
# half of it survives the ReLU, and the 2 makes up for that. So a *plain* chain of such layers holds still. In the
# residual chain, branch and shortcut are uncorrelated, because $W_l$ is new and has mean 0. Mean squares of
# uncorrelated things add up. So each block adds as much again as its shortcut carries already, and **doubles the mean
# square**.
#
# | chain | mean square after $L$ blocks |
# |---|---|
# | plain: the branch alone | 1 |
# | residual | $2^L$ |
# | residual, branch times $1/\sqrt L$ | $(1 + 1/L)^L < e$ |
# | residual, branch normalised | $1 + L$ |
# | residual, branch zero at the start | 1 |
#
# The last three rows are the ways out (Zhang, Dauphin and Ma 2019, Section 2; De and Smith 2020, Section 2): make the branches small,
# keep each at a fixed size so that the growth is a sum and not a power, or let them begin at nothing.
#
# **Predict.** How large is the second row for 20 blocks?

# %%
LENGTH, WIDTH = 20, 512


def mean_squares(kind, seed):
    """Return the mean square of the chain after each block, over that at the start."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(64, WIDTH))
    squares = [np.mean(x**2)]
    for _ in range(LENGTH):
        W = random.normal(size=(WIDTH, WIDTH)) * np.sqrt(2 / WIDTH)
        into = (x - x.mean(axis=0)) / x.std(axis=0) if kind == "normalised" else x
        branch = np.maximum(into, 0) @ W
        factor = 1 / np.sqrt(LENGTH) if kind == "scaled" else 1
        x = branch if kind == "plain" else x + factor * branch
        squares.append(np.mean(x**2))
    return np.array(squares) / squares[0]


steps = np.arange(LENGTH + 1)
FORMULAS = {"plain": 1.0 + 0 * steps, "residual": 2.0**steps, "scaled": (1 + 1 / LENGTH) ** steps, "normalised": 1.0 + steps}
chains = {kind: [mean_squares(kind, seed) for seed in SEEDS] for kind in FORMULAS}
plots.show(*plots.curves(steps, chains, "blocks", "mean square, over that at the start", log=True),
           "Four chains of random blocks, three seeds, on a logarithmic scale. **The steep straight line is the residual chain;** "
           "nothing was done to it but adding.")

# %%
for kind, within in (("plain", 3), ("residual", 3), ("scaled", 1.2), ("normalised", 1.2)):
    expected, ends = FORMULAS[kind][-1], [run[-1] for run in chains[kind]]
    assert max(max(end / expected, expected / end) for end in ends) < within
verdict_above("after 20 blocks the residual chain has more than a hundred thousand times the mean square of the plain one",
              [run[-1] for run in chains["residual"]], [run[-1] for run in chains["plain"]], ratio=1e5)

# %% [markdown]
# The formulas hold on average over all random weights, and a single chain wanders around them, the more the fewer units
# it has. Where each block multiplies by a random factor of its own, these factors multiply up, and the chain may stray
# far from the formula. Where a block adds little to the line, it stays close.
#
# ## 2. Real networks
#
# The course's own blocks are not that simple. They have a second convolution, a ReLU after the addition, and zeros around the
# image. So we expect the direction of the formulas, not their numbers.
#
# **Predict.** How does the first layer's gradient depend on the depth: plain, residual, and residual with branches that are zero at
# the start?

# %%
batch = load_mnist(train=64, val=0, test=0).train
KINDS = {"plain": {"shortcut": "none"}, "residual": {}, "residual, zero branches": {"zero_init": True}}
gradients = {kind: {} for kind in KINDS}
for kind, options in KINDS.items():
    for depth in (6, 18, 34):
        net = network(depth, block="basic", widths=(8, 16), normalisation=False, **options)
        gradients[kind][depth] = []
        for seed in SEEDS:
            reset_weights(net, seed)
            gradients[kind][depth].append(gradient_norms(net, batch.images, batch.labels)["stem_conv"])
plots.show(*plots.dots(gradients, "weighted layers", "gradient at the first layer", log=True),
           "Networks of basic blocks without normalisation, before training, three seeds. **Compare the slopes.**")

# %%
verdict_above("without normalisation, the residual gradient explodes with depth: 34 layers against 6", gradients["residual"][34],
              gradients["residual"][6], ratio=5)
verdict_above("and at 34 layers it is far above the plain one", gradients["residual"][34], gradients["plain"][34], ratio=5)
zero = gradients["residual, zero branches"]
verdict("with zero branches, the depth makes no difference at all", np.allclose(zero[34], zero[6], rtol=1e-3),
        "; ".join(f"{depth} layers: {', '.join(f'{one:.4f}' for one in found)}" for depth, found in zero.items()))

# %% [markdown]
# The plain gradient shrinks, to a tenth: a mild vanishing. (Zeros around the image may be the reason; we have not
# tested it.) The residual one explodes. The article says that the shortcut prevents explosions; without normalisation
# it not only fails to, it *causes* them. With the usual first weights, shortcut or batch normalisation alone makes the
# gradient explode (for the latter see lesson 05); both together, or neither, do not. A residual network that must do
# without normalisation starts with small branches, or with none.
#
# ## Summary
#
# - A random branch with He initialisation is as large as its input. Added to the shortcut, it doubles the mean square,
#   block after block.
# - Scaled, normalised, or zero at the start: each of the three stops that.
# - Without normalisation and with the usual first weights, it is the shortcut that makes gradients explode.
#
# Back to lesson [05](../05_inside_the_network.ipynb).
#
# ## References
#
# - H. Zhang, Y. N. Dauphin, T. Ma 2019: *Fixup Initialization: Residual Learning Without
#   Normalization*. ICLR. [arXiv:1901.09321](https://arxiv.org/abs/1901.09321), Section 2.
# - S. De, S. L. Smith 2020: *Batch Normalization Biases Residual Blocks Towards the Identity Function
#   in Deep Networks*. NeurIPS. [arXiv:2002.10444](https://arxiv.org/abs/2002.10444), Section 2.
