# %% [markdown]
# # 07 · Deeper: variants before the first update
#
# Lesson 07 trains eighteen variants of one network and looks at where they end. This notebook does not train any of them.
# It takes them as they are before the first update, and asks what some of the changes do to the two things that travel
# through a residual network: the signal on its way forwards, and the gradient on its way back. Much of what the papers
# argue can be seen here in seconds. Whether it matters in the end is another question, and lesson 07's.
#
# **Objectives.** After this notebook you can
#
# 1. say what a variant does to the row of shortcuts, and check it;
# 2. say why a halved shortcut makes the gradient explode, and not vanish;
# 3. compute the expected depth of a network with stochastic depth.
#
# **Prerequisites.** Lesson [07](../07_variants.ipynb), and lesson 02's row of blocks.
#
# **Reading time:** 14 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import itertools

import numpy as np
import tensorflow as tf

from resnet_lesson import plots
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import gradient_norms, layer_counts
from resnet_lesson.models import reset_weights, with_outputs
from resnet_lesson.variants import GATE_BIAS, VARIANTS, expected_depth, variant_network
from resnet_lesson.verdicts import verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
SEEDS = (0, 1, 2)
mnist = load_mnist(train=64, val=0, test=0)
images, labels = mnist.train.images, mnist.train.labels
deep = {variant: variant_network(56, variant) for variant in VARIANTS}
BLOCKS = [f"stage{stage}_block{number}" for stage in (1, 2) for number in range(1, 10)]

# %% [markdown]
# ## 1. How the line grows
#
# Call the row of shortcuts from the stem to the head the **line**, and look at what is on it after each block of a network
# of 56 layers: the mean square of all its numbers. The branch of a normalised block gives a mean square of about 1,
# whatever comes in. Without normalisation, a branch gives about as much as it gets.
#
# **Predict.** Twice as much after each block, or one more? Which is which?

# %%
def line(variant, seed):
    """Return what is on the line before training: the stem's output and that of each block."""
    reset_weights(deep[variant], seed)
    outputs = with_outputs(deep[variant], ["stem_out", *(f"{block}_out" for block in BLOCKS)])
    return [value.numpy() for value in outputs(images, training=True).values()]


squares = {variant: [[np.mean(x**2) for x in line(variant, seed)] for seed in SEEDS]
           for variant in ("baseline", "no normalisation", "branch scale")}
plots.show(*plots.curves(range(19), squares, "blocks passed", "mean square on the line", log=True),
           "What is on the line before training, three seeds. **Compare the shapes:** on this logarithmic axis a factor per block "
           "is a straight line. (In the middle the stage changes: the padded shortcut drops pixels and adds channels of zeros.)")

# %%
growth = {variant: [run[-1] / run[0] for run in runs] for variant, runs in squares.items()}
verdict_above("without normalisation the line grows more than a thousand times as much as with it",
              growth["no normalisation"], growth["baseline"], ratio=1000, unit="times")

# %% [markdown]
# With normalisation the line grows by about the same amount at each block, and so each block weighs less than the one
# before it. Without it, the line grows by a factor at each. The third line is flat but for the change of stage, because its
# branches are multiplied by an $\alpha$ of zero.
#
# ## 2. Is the line clean?
#
# If the shortcut is the identity and nothing follows the addition, then $x_L = x_0 + \sum_i F_i(x_i)$, exactly (He and
# others 2016b, equation 4). The blocks of their first paper have a ReLU after the addition. In which of lesson 07's
# five orders of ReLU, normalisation and addition does this sum hold?

# %%
ORDERS = ("baseline", "norm after addition", "relu before addition", "relu-only pre-activation", "pre-activation")


def off(variant, seed):
    """Return how far the stem's output plus all branches is from the end of stage 1, relative to its largest number."""
    reset_weights(deep[variant], seed)
    names = ["stem_out", *(f"{block}_branch" for block in BLOCKS[:9]), f"{BLOCKS[8]}_out"]
    *added, end = with_outputs(deep[variant], names)(images, training=True).values()
    return np.abs(sum(added) - end).max() / np.abs(end).max()


falls = {variant: np.mean([after < before for before, after in itertools.pairwise(line(variant, seed=0)[:10])])
         for variant in ORDERS}
rest = {variant: [off(variant, seed) for seed in SEEDS] for variant in ORDERS}
plots.table(["order", "the sum is off by, at most", "numbers on the line that get smaller in a block"], [
    [variant, f"{max(rest[variant]):.1e}", f"{falls[variant]:.0%}"] for variant in ORDERS])
for variant in ORDERS:
    assert max(rest[variant]) < 1e-5 if variant in ORDERS[2:] else min(rest[variant]) > 1e-2
assert falls["relu before addition"] == 0

# %% [markdown]
# It is exact where nothing follows the addition, and nowhere else. The last column shows the price of one of the clean
# orders: with the ReLU *before* the addition, a branch can only add. No number on the line ever gets smaller.
#
# ## 3. Starting as the identity
#
# **Predict.** With a last $\gamma$ of zero in each branch, how do the logits of 56 layers differ from those of 8, before
# the first update?

# %%
def first_logits(variant, depth, seed):
    net = deep[variant] if depth == 56 else variant_network(depth, variant)
    reset_weights(net, seed)
    return net(images, training=True).numpy()


START = ("zero last gamma", "branch scale")
same = {variant: [np.array_equal(first_logits(variant, 8, seed), first_logits(variant, 56, seed)) for seed in SEEDS]
        for variant in ("baseline", *START)}
verdict("with branches of zero, 56 layers give the logits of 8 layers, to the last bit; the baseline does not",
        all(one for variant in START for one in same[variant]) and not any(same["baseline"]),
        f"{len(SEEDS)} seeds, {len(images)} images")

# %% [markdown]
# At the start these networks *are* shallow networks, and become deep as they learn. The blocks are not stuck there: the factor
# itself, $\gamma$ or $\alpha$, gets a gradient at once, and the layers before it as soon as it has moved.
#
# ## 4. Something on every shortcut
#
# What multiplies one shortcut multiplies the line of *all* blocks (He 2016b, equations 6 to 8). After $L$ blocks $\lambda^L$ of
# the signal is left, and as much of the gradient that comes back along the line. For once, make all branches of the first
# stage give zero, and nine halved shortcuts must leave exactly $2^{-9}$.

# %%
@tf.function(autograph=False)
def through_stage(stage, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = stage(x, training=False)
    return y, tape.gradient(y, x)


for variant, factor in {"baseline": 1.0, "shortcut times 0.5": 0.5**9, "both times 0.5": 0.5**9}.items():
    net = deep[variant]
    reset_weights(net, seed=0)
    for block in BLOCKS[:9]:
        net.get_layer(f"{block}_norm3").gamma.assign(tf.zeros(16))  # the branch gives zero
    stem_out, end = (net.get_layer(name).output for name in ("stem_out", f"{BLOCKS[8]}_out"))
    x = tf.random.stateless_uniform((8, 14, 14, 16), seed=(0, 0), minval=0.1)
    y, gradient = through_stage(tf.keras.Model(stem_out, end), x)
    assert np.array_equal(y, factor * x) and np.all(gradient == factor)

# %% [markdown]
# Real branches are not zero. They put something new on the line, so it does not run dry. What runs dry is the *memory*:
# correlate the stem's output with that of each block, channel by channel. At 1, nothing has changed.
#
# **Predict.** After nine blocks, how much of the stem's output can still be made out, with identity shortcuts and with halved ones?

# %%
def memory(variant, seed):
    """Return the mean correlation of the stem's output with that of the first blocks."""
    stem_out, *outputs = (x.reshape(-1, 16) for x in line(variant, seed)[:10])
    return [1.0, *(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(stem_out.T, out.T, strict=True)
                            if np.std(a) and np.std(b)]) for out in outputs)]


KEPT = ("baseline", "both times 0.5", "shortcut times 0.5", "projected shortcuts", "no shortcut")
memories = {variant: [memory(variant, seed) for seed in SEEDS] for variant in KEPT}
plots.show(*plots.curves(range(10), memories, "blocks passed", "correlation with the stem's output"),
           "How well the stem's output can still be made out, before training. **No line stays up; one stays above the rest.**")
verdict_above("after nine blocks the identity has kept more of the stem's output than any shortcut that is halved, "
              "projected or missing", [run[9] for run in memories["baseline"]],
              [run[9] for variant in KEPT[1:] for run in memories[variant]])

# %% [markdown]
# The identity keeps some memory of the stem, whatever the branches add. Halved shortcuts have lost it after a few blocks.
#
# ### And the gradient?
#
# **Predict.** Eighteen halved shortcuts leave $2^{-18}$, four millionths, of the gradient along the line. How large is the
# *whole* gradient at the first layers, compared with the baseline's?

# %%
SCALED = ("no shortcut", "shortcut times 0.5", "both times 0.5", "baseline")
at_start = {variant: [] for variant in SCALED}
for variant in SCALED:
    for seed in SEEDS:
        reset_weights(deep[variant], seed)
        norms = gradient_norms(deep[variant], images, labels)
        at_start[variant].append([norm for name, norm in norms.items() if "_conv" in name])
plots.show(*plots.curves(range(1, 56), at_start, "convolution", "gradient at its weights", log=True),
           "The gradient's norm at each convolution, before training; each tooth is a block, with its three convolutions. **Look "
           "at the left end,** where it arrives last.")
first_layer = {variant: [run[0] for run in runs] for variant, runs in at_start.items()}
verdict_above("with halved shortcuts the gradient at the first layer is larger than the baseline's",
              first_layer["shortcut times 0.5"] + first_layer["both times 0.5"], first_layer["baseline"], ratio=3)

# %% [markdown]
# It *explodes*, like that of a plain network, only less. $\lambda^L$ is about the line alone; each block multiplies the
# whole gradient by about $\sqrt{\lambda^2 + g^2}$, where $g$ is the gain of its branch. A normalised branch divides by the
# size of what comes in. With identity shortcuts the line grows, so $g$ falls from block to block; with halved ones the
# line stays small, and $g$ stays large. The gradient is pushed through the branches, as He and his colleagues say
# (2016b, Section 3), and fares there as in a plain network.
#
# ### How far should a gate be open?
#
# A learnt gate multiplies the shortcut by $1 - \sigma(W_g x + b_g)$. With its initial bias alone, it lets $1 - \sigma(b_g)$ through, and
# a row of $L$ gates that to the power of $L$.

# %%
def opened(bias, blocks):
    return (1 - 1 / (1 + np.exp(-bias))) ** blocks


plots.table(["initial bias", *(f"open, blocks: {n}" for n in (1, 6, 18, 54))], [
    [bias, *(f"{opened(bias, n):.3g}" for n in (1, 6, 18, 54))] for bias in (0, -1, -3, -5, -6, -7)])
assert opened(0, 54) == 0.5**54 and opened(GATE_BIAS, 54) > 0.5

# %% [markdown]
# An initial bias of 0 is a row of halved shortcuts. He and his colleagues tried biases from 0 to −10 and took −6 for the exclusive
# gate, which leaves most of the line open after the 54 blocks of their networks. The gates of lesson 07 start there.
#
# ## 5. Fewer blocks in training: stochastic depth
#
# Huang and others (2016, Section 3) leave blocks out at random while they train, and use all of them afterwards. Block $l$ of
# $L$ takes part with probability $p_l = 1 - \frac{l}{L}(1 - p_L)$, with $p_L = \frac12$; afterwards each branch is multiplied by its $p_l$:
#
# ```python
# if training:
#     y = relu(x + F(x)) if random() < p else x
# else:
#     y = relu(x + p * F(x))
# ```
#
# The mean number of blocks that take part is the sum of the probabilities, $L - (1 - p_L)\frac{L + 1}{2}$.
#
# **Predict.** How many of 56 layers does an update train, on average? And what share of the arithmetic is left?

# %%
survivals = [deep["stochastic depth"].get_layer(f"{block}_survival") for block in BLOCKS]
reset_weights(deep["stochastic depth"], seed=0)
draw = tf.function(lambda: tf.stack([layer.drawn() for layer in survivals]), autograph=False)
depths = np.array([2 + 3 * np.sum(draw()) for _ in range(2000)])
assert abs(depths.mean() - expected_depth(56)) < 4 * depths.std() / np.sqrt(len(depths))

work = dict.fromkeys(["always", *BLOCKS], 0)
for count in layer_counts(deep["baseline"]):
    block = count.name.rpartition("_")[0]
    work[block if block in work else "always"] += count.multiply_adds
trained = work["always"] + sum(layer.probability * work[block] for block, layer in zip(BLOCKS, survivals, strict=True))
print(f"layers trained in an update: {expected_depth(56):.1f} by the formula, {depths.mean():.1f} in {len(depths)} draws, "
      f"from {depths.min()} to {depths.max()}; multiply-adds: {trained / sum(work.values()):.0%}")

# %% [markdown]
# About three quarters of both. On CIFAR-10, in 110 layers and 500 passes over the data, stochastic depth lowered the error from
# 6.41 % to 5.25 % (2016, Table 1).
#
# ## Summary
#
# - With normalisation the line grows by about 1 per block, without it by a factor.
# - $x_L = x_0 + \sum_i F_i(x_i)$ holds exactly where nothing follows the addition, and nowhere else.
# - With branches of zero, 56 layers begin as 8, to the last bit.
# - With normalised branches, before training, halved shortcuts wipe out the memory of the first layers. The gradient
#   does not vanish there: it goes through the branches, and explodes.
# - Stochastic depth trains about three quarters of the blocks in an update.
#
# Back to lesson [07](../07_variants.ipynb).
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016b: *Identity Mappings in Deep Residual Networks*. ECCV.
#   [arXiv:1603.05027](https://arxiv.org/abs/1603.05027). The clean line: Section 2; what is on the shortcut: Section 3.
# - G. Huang, Y. Sun, Z. Liu, D. Sedra, K. Q. Weinberger 2016: *Deep Networks with Stochastic Depth*. ECCV.
#   [arXiv:1603.09382](https://arxiv.org/abs/1603.09382), Section 3 and Table 1.
