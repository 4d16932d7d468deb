# %% [markdown]
# # 02 · Deeper: scaled shortcuts
#
# Everybody who learns about residual networks asks sooner or later: why exactly *one* times $x$? Would 0.9 not
# do? There is a famous answer, and it fits in a line: after $L$ blocks a factor $\lambda$ on each shortcut has
# become $\lambda^L$, and powers either vanish or explode. It is right, but it is half the story, and below is a
# slider with which to break it. (Factors that the network learns for itself are in lesson
# [07](../07_variants.ipynb).)
#
# **Objectives.** After this notebook you can
#
# 1. say what a factor on each shortcut does to a gradient, and along which path;
# 2. say when the branches change that, and by how much;
# 3. choose a factor that fits the size of the branches.
#
# **Prerequisites.** Lesson [02](../02_residual_learning.ipynb), section 4: rows of blocks and their Jacobians.
#
# **Reading time:** 8 minutes. **Computing time:** 10 seconds on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import numpy as np

from resnet_lesson import diagrams, plots, widgets
from resnet_lesson.verdicts import verdict, verdict_above

WIDTH, SEEDS = 16, range(3)

# %% [markdown]
# ## 1. A factor on every shortcut
#
# Let every shortcut multiply by $\lambda$ (He, Zhang, Ren and Sun 2016b, Section 3, equation 6):
#
# $$x_{l+1} = \lambda\, x_l + F_l(x_l).$$

# %%
plots.show(*diagrams.residual_line(3, "scale"),
           "Along the straight path every block now multiplies by $\\lambda$; after $L$ blocks that is "
           "$\\lambda^L$.")

# %% [markdown]
# The Jacobian of block $l$ is $\lambda I + J_l$, and that of the row is the product of those. The path that goes
# through no branch gives $\lambda^L I$. Here is the product for random branches with He initialisation, the
# *usual* size in what follows, which `scale` makes smaller or larger. Its **gain** says how much longer a small
# change of $x_0$ has become in $x_L$, as a root mean square over all directions. Backwards it is the same number, so
# it is the gain of the gradient, too.

# %%
def row(seed, keep, scale, blocks=30):
    """Return the gain of the gradient and the growth of the signal after 0, 1, … blocks."""
    generator = np.random.default_rng(seed)
    x = x0 = np.abs(generator.normal(size=WIDTH))
    product, gains, sizes = np.eye(WIDTH), [1.0], [1.0]
    for _ in range(blocks):
        W1, W2 = generator.normal(size=(2, WIDTH, WIDTH)) * np.sqrt(2 / WIDTH)
        z = W1 @ x
        J = scale * W2 @ ((z > 0)[:, None] * W1)
        x, product = keep * x + scale * W2 @ np.maximum(z, 0), (keep * np.eye(WIDTH) + J) @ product
        gains.append(np.linalg.norm(product) / np.sqrt(WIDTH))
        sizes.append(np.linalg.norm(x) / np.linalg.norm(x0))
    return gains, sizes

# %% [markdown]
# **Predict.** With tiny branches, by what factor does a gradient change in thirty blocks if $\lambda = 0.9$? And
# if $\lambda = 1.1$?

# %%
lambdas = (0.8, 0.9, 1, 1.1)
tiny = {f"λ = {keep:g}": [row(seed, keep, 0.01)[0] for seed in SEEDS] for keep in lambdas}
plots.show(*plots.curves(range(31), tiny, "blocks", "gain of the gradient", log=True),
           "Scaled shortcuts, branches of a hundredth of the usual size. A factor of 0.9 sounds harmless, yet "
           "after thirty blocks only a few hundredths are left.")
off = [abs(run[-1] / keep**30 - 1) for keep, runs in zip(lambdas, tiny.values(), strict=True) for run in runs]
verdict("with tiny branches, the gain of thirty blocks is λ to the power of 30, to within a tenth",
        max(off) < 0.1, f"largest relative difference {max(off):.1%}, over {len(off)} rows")

# %% [markdown]
# This is the famous answer. A little below one the gradient dwindles, a little above it swells, exponentially in
# the number of blocks, and only $\lambda = 1$ does neither.
#
# ## 2. What the branches add
#
# As long as the branches are tiny, that is. Let $g$ be the gain of one branch's own Jacobian. Before training, a
# random branch favours no direction, so what it adds is at right angles to what is there, on average, and the
# lengths combine as in Pythagoras' theorem. Each block then multiplies the gain by about
#
# $$\sqrt{\lambda^2 + g^2}.$$
#
# For $\lambda^L$ to tell the whole story it is not enough that $g$ is much smaller than $\lambda$, because the excess
# adds up over the blocks: $(\lambda^2 + g^2)^{L/2} \approx \lambda^L\, e^{L g^2 / 2\lambda^2}$, so we need
# $L\,g^2 \ll 2\lambda^2$. How large is $g$? With He initialisation, each of a branch's two layers doubles the square of a length on
# average, and the ReLU between them halves it. That makes $g^2 = 2$, or $2\,\text{scale}^2$ for scaled branches.
#
# **Predict.** $\lambda = 0.5$, so that $\lambda^{30}$ is about a billionth. What is the gain with branches of the
# usual size?

# %%
def by_formula(keep, scale, blocks=30):
    return (keep**2 + 2 * scale**2) ** (blocks / 2)


scales = (1, 0.3, 0.1, 0.01)
half = {scale: [row(seed, 0.5, scale)[0][-1] for seed in SEEDS] for scale in scales}
plots.table(["size of the branches", "λ³⁰", "formula with branches", "measured, three seeds"], [
    [f"{scale:g}", f"{0.5**30:.1e}", f"{by_formula(0.5, scale):.1e}",
     ", ".join(f"{gain:.1e}" for gain in gains)] for scale, gains in half.items()
])

# %%
verdict_above("with branches of the usual size, λ³⁰ is too small by a factor of more than a billion",
              above=half[1], below=[0.5**30], ratio=1e9)
near = [gain / by_formula(0.5, scale) for scale in (0.1, 0.01) for gain in half[scale]]
verdict("with branches of a tenth of the size or less, the formula with their share is right within a factor "
        "of two", 0.5 < min(near) and max(near) < 2, f"measured over formula: {min(near):.2f} to {max(near):.2f}")

# %% [markdown]
# So the power is a statement about one path, the straight one. The gradient as a whole takes every path, and with
# branches of the usual size the others carry nearly everything. For large branches even the formula overshoots,
# because it is an average over all random weights, and such an average is dominated by a few huge products; a
# typical row lies below it.
#
# ## 3. Move it yourself
#
# The figure shows the gain of the gradient and, dashed, how many times as long as $x_0$ the signal has become.
# The sliders change $\lambda$ (`keep`) and the size of the branches (`scale`).
#
# **Predict.** Take branches of half the usual size. With $\lambda = 1$ both lines grow, the gradient by hundreds.
# Which $\lambda$ keeps them nearest to 1?

# %%
def line_and_branches(keep, scale):
    found = [row(seed, keep, scale) for seed in SEEDS]
    series = {name: [of_seed[i] for of_seed in found] for i, name in enumerate(("gradient", "signal"))}
    return plots.curves(range(31), series, "blocks", "times as large", log=True,
                        title=f"λ = {keep:g}, branches of {scale:g} times the usual size")


widgets.explore(line_and_branches, {"keep": 1, "scale": 0.5},
                keep=(0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1), scale=(0.01, 0.1, 0.3, 0.5, 0.7, 1))

# %%
ends = {keep: [[lines[-1] for lines in row(seed, keep, 0.5)] for seed in SEEDS] for keep in (1, 0.9, 0.8, 0.7, 0.6)}
plots.table(["λ", "gradient, three seeds", "signal, three seeds"], [
    [f"{keep:g}", *(", ".join(f"{end[i]:.2g}" for end in of_seeds) for i in (0, 1))]
    for keep, of_seeds in ends.items()
])
one, smaller = ([gain for gain, _ in ends[keep]] for keep in (1, 0.7))
verdict_above("with branches of half the usual size, λ = 1 lets the gradient grow more than a hundred times as "
              "much as λ = 0.7", above=one, below=smaller, ratio=100)

# %% [markdown]
# Set $\lambda^2 + 2 \cdot 0.5^2 = 1$, and the formula asks for $\lambda \approx 0.7$; since it overshoots, a little more
# is best. So in a random row a scaled shortcut is not doomed. What matters is that shortcut and branch together
# keep the size of things: small branches want a factor near one, large branches a factor well below it.
#
# Does it pay in training? Kaiming He and his colleagues scaled the shortcuts of a ResNet-110 by one half, with batch
# normalisation in the branches: training went badly, and with the branches scaled as well it ended with nearly twice the
# test error (2016b, Section 3.1, Table 1). Lesson [07](../07_variants.ipynb) finds the same on MNIST. A milder factor is in
# wide use, though: the convolutional translators of Gehring and others (2017) multiply each sum of shortcut and
# branch by $\sqrt{1/2} \approx 0.71$, so that its size stays the same, and many networks have done so since.
#
# ## Summary
#
# - A factor $\lambda$ on each shortcut is $\lambda^L$ on the path that goes through no branch.
# - The whole gradient follows it only if the branches are small, $L\,g^2 \ll 2\lambda^2$. Otherwise each block
#   multiplies by about $\sqrt{\lambda^2 + g^2}$.
# - So in a random row a scaled shortcut is not bad in itself; its scale must fit the branches.
#
# Back to lesson [02](../02_residual_learning.ipynb).
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016b: *Identity Mappings in Deep Residual Networks*. ECCV.
#   [arXiv:1603.05027](https://arxiv.org/abs/1603.05027), Section 3, equations 6 to 8, and Section 3.1.
# - J. Gehring, M. Auli, D. Grangier, D. Yarats, Y. N. Dauphin 2017: *Convolutional Sequence to Sequence Learning*. ICML.
#   [arXiv:1705.03122](https://arxiv.org/abs/1705.03122).
# - K. He, X. Zhang, S. Ren, J. Sun 2015: *Delving Deep into Rectifiers*. ICCV.
#   [arXiv:1502.01852](https://arxiv.org/abs/1502.01852), Section 2.2: the variance of the weights.
