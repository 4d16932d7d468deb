# %% [markdown]
# # 05 · Deeper: shattered gradients
#
# The size of a gradient says how steep the ground is. It does not say whether the ground is a slope or a pile of
# rubble. On rubble the steepest direction changes with every step, so its steepness is of no use. Balduzzi and
# colleagues (2017) claim that this is what deep plain networks look like at the start: gradients at two similar
# inputs have as little to do with each other as two draws of white noise. They call such gradients **shattered**.
# Lesson 05 compared the gradients of two *batches*, with respect to the weights. This notebook does what the paper does, and
# compares those at two *inputs*.
#
# **Objectives.** After this notebook you can
#
# 1. derive how fast the correlation of two gradients decays with depth, with shortcuts and without;
# 2. measure how much a gradient resembles its neighbours, and say what white noise would give.
#
# **Prerequisites.** Lesson [05](../05_inside_the_network.ipynb), sections 2 and 3.
#
# **Reading time:** 8 minutes. **Computing time:** 30 seconds on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import matplotlib.pyplot as plt
import numpy as np

from resnet_lesson import plots
from resnet_lesson.diagnostics import autocorrelation, input_gradients, set_averages
from resnet_lesson.models import network, reset_weights
from resnet_lesson.verdicts import verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
SEEDS = (0, 1, 2)

# %% [markdown]
# ## 1. The formulas
#
# Take two inputs that have nothing in common, so that each unit is on with probability ½ for each input, independently
# of the other. Both are on in a quarter of the cases. Going back through one random layer whose weights have variance
# $2/n$, the squared length of each gradient is multiplied on average by $2 \cdot \tfrac12 = 1$, and the inner product
# of the two by $2 \cdot \tfrac14 = \tfrac12$. The correlation of the two is the product over the square, so it halves
# at every layer. With a shortcut, the factor of the square and that of the product each grow by 1, the shortcut's own
# share:
#
# $$\text{plain: } \frac{1}{2^L} \qquad \text{residual: } \Big(\frac{1 + \frac12}{1 + 1}\Big)^L = \Big(\frac34\Big)^L \qquad
# \text{residual, normalised: } \prod_{l=1}^{L} \frac{1 + \frac{1}{2l}}{1 + \frac1l} \approx \frac{1.13}{\sqrt L}.$$
#
# In the last one, the $l$-th branch is weaker by $1/\sqrt l$, as in lesson 05, section 1 (Balduzzi 2017, Section 3).
# From halving to a square root is a long way. Let's check all three with many random layers.

# %%
def correlations(kind, seed, layers=8, draws=2000, n=64):
    """Correlate the gradients at two inputs, after each of some random layers."""
    random = np.random.default_rng(seed)
    a = random.normal(size=(draws, n))
    b, found = a.copy(), []
    for layer in range(1, layers + 1):
        W = random.normal(size=(n, n)) * np.sqrt(2 / n)
        on_a, on_b = random.random((2, draws, n)) < 0.5  # which units are on
        branch_a, branch_b = on_a * (a @ W), on_b * (b @ W)
        size = 1 / np.sqrt(layer) if kind == "residual, normalised" else 1
        a, b = (branch_a, branch_b) if kind == "plain" else (a + size * branch_a, b + size * branch_b)
        found.append(np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2)))
    return found


depth = np.arange(1, 9)
THEORY = {"plain": 0.5**depth, "residual": 0.75**depth,
          "residual, normalised": np.cumprod((1 + 0.5 / depth) / (1 + 1 / depth))}
found = {kind: [correlations(kind, seed) for seed in SEEDS] for kind in THEORY}
assert max(np.abs(np.subtract(found[kind], THEORY[kind])).max() for kind in THEORY) < 0.05
plots.show(*plots.curves(depth, found, "random layers", "correlation of two gradients", log=True),
           "Correlation of the gradients at two inputs that have nothing in common. The first two lines are straight, "
           "as the formulas say, and the third flattens out.")

# %% [markdown]
# ## 2. Real networks
#
# The formulas assume inputs that are far apart. For near ones we measure. A dense network of 200 units a layer, with batch
# normalisation, gets a single number $x$. We take 256 values of $x$ from −2 to 2, and compute $\partial f / \partial x$ at each,
# before training (as in the paper's Figure 1).
#
# **Predict.** What does the derivative look like along $x$, with 4 layers and with 26, plain and residual?

# %%
grid = np.linspace(-2, 2, 256, dtype="float32").reshape(-1, 1, 1, 1)  # "images" of one pixel
KINDS = {"plain": "none", "residual": "padded"}
slopes = {}
for kind, shortcut in KINDS.items():
    for layers in (4, 10, 26):
        net = network(layers, shortcut, block="dense", widths=(200,), input_shape=(1, 1, 1), classes=1)
        slopes[kind, layers] = []
        for seed in SEEDS:
            reset_weights(net, seed)
            set_averages(net, grid)  # normalise with the statistics of the grid
            slopes[kind, layers].append(input_gradients(net, grid).ravel())

# %%
figure, axes = plt.subplots(2, 2, figsize=(9.6, 5), layout="constrained", sharex=True, sharey=True)
near, words = slice(96, 160), []  # the middle quarter of the grid
for row, kind in zip(axes, KINDS, strict=True):
    for ax, layers in zip(row, (4, 26), strict=True):
        slope = slopes[kind, layers][0][near] / slopes[kind, layers][0].std()
        ax.plot(grid.ravel()[near], slope, marker=".", linewidth=1, color="#26486e")
        ax.set(title=f"{kind}, {layers} layers")
        words.append(f"{kind}, {layers} layers: changes sign {int(np.sum(np.diff(np.sign(slope)) != 0))} times")
for ax in axes[:, 0]:
    ax.set_ylabel("df/dx, in standard deviations")
for ax in axes[1]:
    ax.set_xlabel("x")
plots.show(axes[0, 0], f"Four curves of the derivative of an untrained network along its one input. {'; '.join(words)}.",
           "The derivative along x, first seed, 64 neighbouring points. **Go from left to right:** at 4 layers it holds for a while "
           "and then jumps. At 26, what one point says hardly holds at the next. The two look alike there; the next figure tells them apart.")

# %% [markdown]
# The **autocorrelation** at lag $k$ says how much a series resembles itself, shifted by $k$ places. At lag 0 it is 1.
# For **white noise**, where each value is drawn anew, it is near 0 at every other lag: for a series of 256 values, 95
# of 100 such autocorrelations lie within $\pm 2/\sqrt{256}$.

# %%
LAGS = 10
alike = {kind: {} for kind in KINDS}
for (kind, layers), rows in slopes.items():
    alike[kind][layers] = [autocorrelation(row, LAGS)[1] for row in rows]
ax, alt = plots.dots(alike, "layers", "autocorrelation at lag 1")
ax.axhspan(-2 / 16, 2 / 16, color="black", alpha=0.1, linewidth=0)
plots.show(ax, f"{alt} Shaded: white noise.",
           "How much the derivative resembles that at the next point; shaded, where white noise lies. Both kinds shatter with depth, the "
           "plain one first.")

# %%
NOISE = 3 / np.sqrt(256)  # wider than that: 99.7 in 100
verdict("at 26 layers, a plain network's derivative cannot be told from white noise at lag 1",
        max(abs(one) for one in alike["plain"][26]) < NOISE, f"largest {max(abs(one) for one in alike['plain'][26]):.3f}, "
        f"white noise up to {NOISE:.3f}")
verdict_above("a residual network's can", alike["residual"][26], [NOISE])
verdict_above("the residual one shatters, too, but later: at 10 layers it resembles its neighbours more than a plain one",
              alike["residual"][10], alike["plain"][10])

# %% [markdown]
# Mind how far this goes. It is about the start of training, about a network with a single number as its input, and about the derivative
# with respect to it. What training follows are gradients with respect to the *weights*, and whether those of two batches agree is what lesson 05
# measures.
#
# ## Summary
#
# - With random plain layers, the correlation of the gradients at two unrelated inputs halves at each layer; with shortcuts it decays
#   more slowly.
# - Before training, the derivative of a deep plain network along its one input is like white noise. With shortcuts it shatters later.
#
# Back to lesson [05](../05_inside_the_network.ipynb).
#
# ## References
#
# - D. Balduzzi, M. Frean, L. Leary, J. P. Lewis, K. W.-D. Ma, B. McWilliams 2017: *The Shattered
#   Gradients Problem: If Resnets Are the Answer, Then What Is the Question?* ICML.
#   [arXiv:1702.08591](https://arxiv.org/abs/1702.08591), Sections 2 and 3.
