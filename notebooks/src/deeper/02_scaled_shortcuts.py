# %% [markdown]
# # 02 · Deeper: scaled shortcuts
#
# Everybody who learns about residual networks asks sooner or later: why exactly *one* times $x$? Would
# 0.9 not do, or a number that the network learns for itself? There is a famous answer, and it fits in a
# line: after $L$ blocks a factor $\lambda$ on each shortcut has become $\lambda^L$, and powers either vanish or
# explode. The answer is right, and it is only half of the story. You can move a slider below until it fails.
#
# **Objectives.** After this notebook you can
#
# 1. say what a factor on each shortcut does to a gradient, and on which way;
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
# ## 1. The line and its powers
#
# Let every shortcut multiply by $\lambda$ (He, Zhang, Ren and Sun 2016b, Section 3, equation 6):
#
# $$x_{l+1} = \lambda\, x_l + F_l(x_l).$$

# %%
plots.show(*diagrams.residual_line(3, "scale"),
           "The way along the straight line now passes a factor in each block, $\\lambda^L$ in all.")

# %% [markdown]
# The Jacobian of block $l$ is $\lambda I + J_l$, and that of the row is the product of those. The way that goes
# through no branch gives $\lambda^L I$. Here is the product for random branches, which `scale` makes smaller or
# larger, and its **gain**: how much longer a small change of $x_0$ has become in $x_L$, on average over
# all directions.

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
           "Scaled shortcuts, branches of a hundredth of the usual size. A factor of 0.9 sounds harmless, and "
           "after thirty blocks a few hundredths are left.")
off = [abs(run[-1] / keep**30 - 1) for keep, runs in zip(lambdas, tiny.values(), strict=True) for run in runs]
verdict("with tiny branches, the gain of thirty blocks is λ to the power of 30, to within a tenth",
        max(off) < 0.1, f"largest relative difference {max(off):.1%}, over {len(off)} rows")

# %% [markdown]
# This is the famous answer. A little below one the gradient vanishes, a little above it explodes, and only
# $\lambda = 1$ does neither.
#
# ## 2. What the branches add
#
# As long as the branches are tiny, that is. Let $g$ be the gain of one branch's own Jacobian. If a random
# branch favours no direction, what it adds is at right angles to what is there, on average, and the lengths
# combine as in Pythagoras' theorem. Each block then multiplies the gain by about
#
# $$\sqrt{\lambda^2 + g^2}.$$
#
# So $\lambda^L$ tells the whole story as long as $g$ is much smaller than $\lambda$; more precisely, as
# long as $L\,g^2 \ll 2\lambda^2$, because $(\lambda^2 + g^2)^{L/2} \approx \lambda^L\, e^{L g^2 / 2\lambda^2}$. How
# large is $g$? With He initialisation, each of a branch's two layers doubles the square of a length on
# average, and the ReLU between them halves it. That makes $g^2 = 2$, or $2\,\text{scale}^2$ for scaled branches.
#
# **Predict.** $\lambda = 0.5$, so that $\lambda^{30}$ is about a billionth. What is the gain with branches of the
# usual size?

# %%
def by_formula(keep, scale, blocks=30):
    return (keep**2 + 2 * scale**2) ** (blocks / 2)


scales = (1, 0.3, 0.1, 0.01)
half = {scale: [row(seed, 0.5, scale)[0][-1] for seed in SEEDS] for scale in scales}
plots.table(["size of the branches", "λ to the 30", "with the branches' share", "measured, each seed"], [
    [f"{scale:g}", f"{0.5**30:.1e}", f"{by_formula(0.5, scale):.1e}",
     ", ".join(f"{gain:.1e}" for gain in gains)] for scale, gains in half.items()
])

# %%
verdict_above("with branches of the usual size, λ to the power of L is too small by more than a billion times",
              above=half[1], below=[0.5**30], ratio=1e9)
near = [gain / by_formula(0.5, scale) for scale in (0.1, 0.01) for gain in half[scale]]
verdict("with branches of a tenth of the size or less, the formula with their share is right within a factor "
        "of two", 0.5 < min(near) and max(near) < 2, f"measured over formula: {min(near):.2f} to {max(near):.2f}")

# %% [markdown]
# So the power is a statement about one way, the straight line. The gradient as a whole takes all ways, and with
# branches of the usual size the others carry nearly everything. (For large branches the formula itself comes
# out too high. It is an average over all random weights, and such an average is dominated by a few huge
# products; a typical row lies below it.)
#
# ## 3. Move it yourself
#
# The figure shows the gain of the gradient and, dashed, how many times as long as $x_0$ the signal has become.
# Where the notebook is live, sliders change $\lambda$ (`keep`), the size of the branches (`scale`) and the
# number of blocks.
#
# **Predict.** Take branches of half the usual size. Which $\lambda$ keeps both lines nearest to 1? It is not 1.

# %%
def line_and_branches(blocks, keep, scale):
    found = [row(seed, keep, scale, blocks) for seed in SEEDS]
    series = {name: [of_seed[i] for of_seed in found] for i, name in enumerate(("gradient", "signal"))}
    return plots.curves(range(blocks + 1), series, "blocks", "times as large", log=True,
                        title=f"λ = {keep:g}, branches of {scale:g} times the usual size")


sliders = widgets.explore(line_and_branches, {"blocks": 30, "keep": 1, "scale": 0.5},
                          blocks=range(5, 65, 5), keep=(0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.5),
                          scale=(0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1))

# %%
one, smaller = ([row(seed, keep, 0.5)[0][-1] for seed in SEEDS] for keep in (1, 0.7))
verdict_above("with branches of half the usual size, λ = 1 lets the gradient grow more than a hundred times as "
              "much as λ = 0.7", above=one, below=smaller, ratio=100)

# %% [markdown]
# Set $\lambda^2 + 2 \cdot 0.5^2 = 1$, and you get $\lambda \approx 0.7$. So there is nothing wrong with scaling a
# shortcut. What matters is that shortcut and branch together keep the size of things: a smaller branch wants a
# factor near one, a larger branch a smaller one. Networks get there in different ways, by normalising each
# branch, by starting it at zero, or by scaling both sides.
#
# He and his colleagues tried it in training. With 110 layers and shortcuts scaled by one half, training went
# badly, and with the branches scaled as well it ended with a much higher error (2016b, Section 3.1, Table 1).
# Lesson [07](../07_variants.ipynb) repeats that on MNIST.
#
# ## Summary
#
# - A factor $\lambda$ on each shortcut is $\lambda^L$ on the way that goes through no branch.
# - The whole gradient follows it only if the branches are small, $L\,g^2 \ll 2\lambda^2$. Otherwise each block
#   multiplies by about $\sqrt{\lambda^2 + g^2}$.
# - So a scaled shortcut is not bad in itself; its scale must fit the branches.
#
# Back to lesson [02](../02_residual_learning.ipynb).
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016b: *Identity Mappings in Deep Residual Networks*. ECCV.
#   [arXiv:1603.05027](https://arxiv.org/abs/1603.05027), Section 3, equations 6 to 8, and Section 3.1.
# - K. He, X. Zhang, S. Ren, J. Sun 2015: *Delving Deep into Rectifiers*. ICCV.
#   [arXiv:1502.01852](https://arxiv.org/abs/1502.01852), Section 2.2: the variance of the weights.
