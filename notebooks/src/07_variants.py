# %% [markdown]
# # 07 · Variants
#
# Residual networks had hardly been published when people set out to improve them. Move the ReLU. Leave out the
# normalisation. Put a gate on the shortcut, or a convolution. Start every branch at zero. Leave blocks out at
# random. Most of these ideas came with a paper, an argument and a table of their own, and from the tables alone nobody
# could say which of them mattered. Here are eighteen changes to one and the same network: one at a time, each with a
# learning rate of its own, eight seeds each. Before you look at the figure, meet the runners and place your bet.
#
# **Objectives.** After this lesson you can
#
# 1. write the block of each of these variants in one line;
# 2. read a chart of paired comparisons, and say why "undecided" is not "equal";
# 3. say which choices made a difference here, and why that need not settle it elsewhere.
#
# **Prerequisites.** Lessons [03](03_bottleneck_block.ipynb), [04](04_plain_vs_residual.ipynb) and
# [05](05_inside_the_network.ipynb).
#
# **Reading time:** 35 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras.optimizers.schedules import CosineDecay

from resnet_lesson import diagrams, plots
from resnet_lesson.data import load_mnist
from resnet_lesson.models import reset_weights, with_outputs
from resnet_lesson.studies import at_best_rate, provenance, read_study
from resnet_lesson.training import Trainer
from resnet_lesson.variants import GATE_BIAS, VARIANTS, variant_network
from resnet_lesson.verdicts import paired, verdict

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
relu = keras.ops.relu

# %% [markdown]
# As it stands, a block returns $\mathrm{relu}(F(x) + x)$, and its branch $F$ is a convolution and a normalisation,
# three times over, with a ReLU after the first pair and the second. The variants change that:
#
# | variant | what a block returns |
# |---|---|
# | *no shortcut* | $\mathrm{relu}(F(x))$ |
# | *no normalisation* | $\mathrm{relu}(F(x) + x)$, and $F$ is convolutions and ReLUs alone |
# | *branch scale* | the same, but $\mathrm{relu}(\alpha\,F(x) + x)$ with one learnt number $\alpha$, which starts at zero |
# | *zero last gamma* | $\mathrm{relu}(F(x) + x)$, and the last normalisation's factor $\gamma$ starts at zero, so $F(x)$ does too |
# | *shortcut times 0.5* | $\mathrm{relu}(F(x) + x/2)$ |
# | *both times 0.5* | $\mathrm{relu}(F(x)/2 + x/2)$ |
# | *exclusive gate* | $\mathrm{relu}(g\,F(x) + (1 - g)\,x)$, where $g$, learnt from $x$, is a number between 0 and 1 for each element |
# | *shortcut-only gate* | $\mathrm{relu}(F(x) + (1 - g)\,x)$ |
# | *projected shortcuts* | $\mathrm{relu}(F(x) + \mathrm{norm}(Wx))$ with a 1×1 convolution $W$ |
# | *1x1 shortcuts* | $\mathrm{relu}(F(x) + Wx)$ |
# | *identity 1x1 shortcuts* | the same, and $W$ starts as the identity |
# | *norm on shortcuts* | $\mathrm{relu}(F(x) + \mathrm{norm}(x))$ |
# | *norm after addition* | $\mathrm{relu}(\mathrm{norm}(F(x) + x))$, and $F$ ends in its last convolution |
# | *relu before addition* | $\mathrm{relu}(F(x)) + x$ |
# | *pre-activation* | $F(x) + x$, and in $F$ a normalisation and a ReLU stand *before* each convolution |
# | *relu-only pre-activation* | $F(x) + x$, and in $F$ a ReLU stands before each convolution, a normalisation after it |
# | *stochastic depth* | $\mathrm{relu}(F(x) + x)$, or, at random while the network learns, $x$ alone |
# | *dense head* | $\mathrm{relu}(F(x) + x)$; after the last block, a dense layer reads every pixel instead of their average |
#
# **Predict.** Which three end worst at 56 layers? And does any end *better* than the residual block of the earlier
# lessons, clearly?

# %%
study = read_study("07_searched_variants")
settings = study["settings"]
best, loss, wrong = {}, {}, {}
for depth in settings["depths"]:
    for name in settings["variants"]:
        runs = [run for run in study["results"] if (run["task"]["name"], run["task"]["depth"]) == (name, depth)]
        best[name, depth], judged = at_best_rate(runs, settings["search_seeds"], settings["seeds"])
        loss[name, depth] = np.array([run["train_loss"] for run in judged])
        wrong[name, depth] = np.array([run["test_mistakes"] for run in judged], float)

order = sorted(settings["variants"][1:], key=lambda name: -np.mean(np.log(loss[name, 56])))
figure, axes = plt.subplots(1, 2, figsize=(8.2, 5.4), sharex=True, sharey=True, layout="constrained")
texts = []
for ax, depth in zip(axes, settings["depths"], strict=True):
    ratios = {name: loss[name, depth] / loss["baseline", depth] for name in order}
    texts.append(plots.intervals(ratios, "training loss, times the baseline's", ax=ax, title=f"{depth} layers",
                                 log=True)[1])
    ax.axvline(1, color="black", linewidth=1)
plots.show(axes[0], " ".join(texts),
           "Each row is a variant, each dot one of eight seeds: its final training loss, divided by that of the unchanged "
           "network with the same seed. Recorded. **Look for rows that lie wholly to the right of the line at 1, and then for "
           "rows wholly to the left.**")
print(provenance(study))

# %% [markdown] tags=["slide"]
# # 07 · Variants
#
# Eighteen changes, and the loss against the unchanged network. Which hurts most?
#
# <!-- later -->
#
# <!-- output: 440 -->
#
# <!-- notes -->
# Take bets before you show it: which variant is the worst, which the best? Ask afterwards: how many clear winners are there?
# They will say: some must be better, or nobody would use them. Answer: read the right panel from the bottom upwards.

# %% [markdown]
# ## 1. Eighteen changes, thirty-six comparisons
#
# The unchanged network, the **baseline**, is the residual one of lesson 04: bottlenecks that narrow by half, padded
# shortcuts, a ReLU after each addition. A **variant** changes one idea and leaves the rest; from one seed it sees the
# images in the same order, and the same first weights in every layer that it shares with the baseline. Each variant was
# given its own best rate at each depth, out of 0.002, 0.01, 0.03 and beyond where the best was at an edge, chosen on two
# seeds. Then it ran with eight fresh ones, for 300 updates during which the rate falls to zero. What is compared is the
# training loss of the final weights, in evaluation mode, over all 12,800 training images; so stochastic depth, for one, is
# judged with all its blocks in place.
#
# So the runs can be compared in **pairs**, seed by seed. What a seed gives to both, a lucky order of images for
# instance, drops out of a pair's difference. (Here that helps little, since over the seeds a variant and the baseline
# are hardly correlated; but it costs little, too.) With so many comparisons some will look clear by luck, which is why
# their p-values are corrected for all the comparisons made at one depth (by Holm's method, as in lesson 03). *Higher*
# and *lower* mean that the corrected p-value is below 0.05. What eight pairs do not decide is **undecided**, and that
# is not the same as equal.

# %%
WORDS = {-1: "lower", 0: "undecided", 1: "higher"}


def against_baseline(measure):
    """Compare all variants with the baseline, each depth a family of its own: (name, depth) → Difference."""
    found = {}
    for depth in settings["depths"]:
        family = {name: (measure[name, depth], measure["baseline", depth]) for name in order}
        found |= {(name, depth): one for name, one in paired(family).items()}
    return found


def word(difference):
    return WORDS[int(difference.p < 0.05) * int(np.sign(difference.mean))]


# %%
by_loss, by_mistakes = against_baseline(loss), against_baseline(wrong)
deeper = paired({name: (loss[name, 56], loss[name, 20]) for name in settings["variants"]})
DEPTH = {"lower": "better", "higher": "worse", "undecided": "undecided"}
plots.table(["variant", "20 layers: best rate", "loss, mean", "against the baseline", "56 layers: best rate", "loss, mean",
             "against the baseline", "56 against 20 layers"], [
    [name, *(cell for depth in settings["depths"] for cell in (
        f"{best[name, depth]:g}", f"{loss[name, depth].mean():.3f}",
        word(by_loss[name, depth]) if name in order else "")), DEPTH[word(deeper[name])]]
    for name in ("baseline", *order)])
words = [word(by_loss[name, 56]) for name in order]
assert "lower" not in words and words.count("higher") == 13

# %% [markdown] tags=["slide"]
# ## One network, one change at a time
#
# - each variant at its **own best rate**, at each depth
# - eight fresh seeds, compared in **pairs** with the baseline
# - thirty-six comparisons: p-values are corrected for all of a depth
#
# **Undecided** is not equal.
#
# <!-- notes -->
# Ask: why not one rate for all? They will say: it is simpler. Answer: a first version of this lesson had one rate, and its
# order of the variants was partly an order of how well that rate suited them.

# %% [markdown]
# Did you bet on a winner? None was found. At 56 layers thirteen of the eighteen changes end higher than the baseline,
# five are undecided, and none is lower, at either depth. And depth sorts them. Projected shortcuts cost 20 layers
# nothing measurable, and 56 layers a factor of three. Halved shortcuts cost 20 layers a third, and 56 a factor of
# seven. So their last column says *worse*: their 56 layers end above their own 20, where for the baseline depth is a
# gain.
#
# (Two rows of the chart lie wholly to the right of the line and are undecided all the same. What is tested are differences
# in nats, and in each of the two one seed lies far from the others. In ratios, which the chart shows, *both times 0.5* at
# 20 layers would just count as higher; the counts at 56 layers would be the same.)
#
# ## 2. Every block in a line
#
# Does the package build what the table at the top says? Here are its lines as code. Write $F$ for what the branch gives,
# $x$ for what comes in, and $p$ for the layers of the block by their names. Then each block is two things: the order of the
# branch's layers, and one line that puts $F$ and $x$ together.

# %%
USUAL = "conv1 norm1 relu1 conv2 norm2 relu2 conv3 norm3"
BARE = "conv1 relu1 conv2 relu2 conv3"
BLOCKS = {
    "baseline": (USUAL, lambda F, x, p: relu(F + x)),
    "no shortcut": (USUAL, lambda F, x, p: relu(F)),
    "no normalisation": (BARE, lambda F, x, p: relu(F + x)),
    "branch scale": (BARE, lambda F, x, p: relu(p["scale"](F) + x)),  # a learnt number, 0 at the start
    "zero last gamma": (USUAL, lambda F, x, p: relu(F + x)),  # the γ of norm3 is 0 at the start
    "relu before addition": (USUAL + " relu3", lambda F, x, p: F + x),
    "norm after addition": (USUAL.removesuffix(" norm3"), lambda F, x, p: relu(p["norm3"](F + x, training=True))),
    "pre-activation": ("norm1 relu1 conv1 norm2 relu2 conv2 norm3 relu3 conv3", lambda F, x, p: F + x),
    "relu-only pre-activation": ("relu1 conv1 norm1 relu2 conv2 norm2 relu3 conv3 norm3", lambda F, x, p: F + x),
    "shortcut times 0.5": (USUAL, lambda F, x, p: relu(F + 0.5 * x)),
    "both times 0.5": (USUAL, lambda F, x, p: relu(0.5 * F + 0.5 * x)),
    "exclusive gate": (USUAL, lambda F, x, p: relu(p["gate"](x) * F + (1 - p["gate"](x)) * x)),
    "shortcut-only gate": (USUAL, lambda F, x, p: relu(F + (1 - p["gate"](x)) * x)),
    "projected shortcuts": (
        USUAL, lambda F, x, p: relu(F + p["shortcut_norm"](p["shortcut"](x), training=True))),
}

# %%
images = np.random.default_rng(0).normal(size=(16, 28, 28, 1)).astype("float32")
for name, (layers_in_order, together) in BLOCKS.items():
    net = variant_network(20, name)
    reset_weights(net, seed=0)
    x, out = with_outputs(net, ["stage1_block1_out", "stage1_block2_out"])(images, training=True).values()
    p = {layer.name.removeprefix("stage1_block2_"): layer for layer in net.layers}
    F = x
    for layer in layers_in_order.split():
        F = p[layer](F, training=True)
    assert np.allclose(together(F, x, p), out, atol=1e-4), name
print(f"{len(BLOCKS)} blocks, each equal to the package's, up to rounding")

# %% [markdown] tags=["slide"]
# ## Every block in a line
#
# ```python
# relu(F + x)                      # baseline
# relu(F)                          # no shortcut
# F + x                            # pre-activation: norm, relu, conv, three times
# relu(norm(F + x))                # norm after addition
# relu(scale * F + x)              # branch scale, 0 at the start
# relu(0.5 * F + 0.5 * x)          # both times 0.5
# relu(g(x) * F + (1 - g(x)) * x)  # exclusive gate
# relu(F + norm(conv(x)))          # projected shortcuts
# ```
#
# <!-- notes -->
# Go through them, and let the audience say for each what the shortcut still carries. Ask: which of these lets x through as it
# is? They will say: all that have a plus x. Answer: in the first, a ReLU follows; only where nothing follows is the way clean.

# %% [markdown] tags=["slide"]
# ## Neither does it alone
#
# At 56 layers, more than ten times the loss
#
# - **without shortcuts**, normalisation kept
# - **without normalisation**, shortcuts kept
#
# One learnt number per branch, $\alpha = 0$ at the start, replaces a good part of the normalisation.
#
# <!-- notes -->
# Ask: which of the two is worse at 20 layers? They will say: no shortcuts. Answer: no normalisation, by far; go back to the
# chart. The shortcut's share grows with depth. So "the shortcut makes deep networks trainable" is half of a sentence.

# %% [markdown]
# Three more variants take the last line of that list apart: *norm on shortcuts* has its normalisation alone, *1x1
# shortcuts* its convolution alone, and *identity 1x1 shortcuts* has that convolution, but starts it as the identity.
# And two leave the block as it is: *stochastic depth* drops each block with a probability of its own while it trains,
# up to a half for the last one, and the *dense head* replaces the average over all pixels by a dense layer that sees
# each of them.
#
# ## 3. What must be there
#
# Take the shortcuts away, and 56 layers end, on average, at more than ten times the loss. Take the *normalisation* away and keep
# the shortcuts: about as bad. At 20 layers the missing normalisation even costs far more than the missing shortcuts. So "the
# shortcut is what makes deep networks trainable" is half a sentence. In this network, neither does it alone.
#
# What does normalisation do for a residual block? De and Smith (2020) have an answer that can be tested: it keeps each
# branch small beside what the shortcut carries (lesson 05, section 1). If that is all, then one number per block should
# do as well, a factor $\alpha$ on the branch that starts at zero and is learnt. They call it *SkipInit*, and
# Bachlechner and others (2021) *ReZero*. In the chart it is *branch scale*. Compare it with *no normalisation*, from
# which it differs by nothing but that number: at 56 layers the loss falls from sixteen times the baseline's to less
# than three times, at 20 from more than five times to three. So one number a block repairs a good part of the damage,
# but not all of it, at either depth.
#
# A relative of that idea keeps the normalisation and starts its last $\gamma$ at zero, so that every block begins as its
# shortcut (Goyal and others 2017, Section 5.1). Some libraries do it by default. Here it costs a fifth at 20 layers, and at
# 56 eight pairs do not decide it.
#
# **Predict.** Normally a $\gamma$ starts at 1. From zero, how far will 300 updates have taken it? And an $\alpha$?

# %%
def kept(name, key):
    """Return what the record keeps of a variant of 56 layers: one list a seed, one number a block."""
    return [np.abs(run[key]) for run in study["results"] if run["task"]["name"] == name and key in run
            and run["task"]["depth"] == 56 and run["task"]["rate"] == best[name, 56]]


numbers = {"last γ, from 0": kept("zero last gamma", "gammas"), "α, from 0": kept("branch scale", "scales")}
ax, alt = plots.curves(range(1, 19), numbers, "block", "size after training")
ax.axhline(1, color="black", linestyle=(0, (1, 3)))
ax.set_ylim(0)
plots.show(ax, f"{alt} Dotted: 1, where γ usually starts.",
           "What training made of the numbers that start at zero, at 56 layers: their absolute values (of γ, the mean over "
           "its channels), mean and range over eight seeds. Dotted: 1, where γ usually starts.")

# %% [markdown] tags=["slide"]
# ## Branches that stay small
#
# <!-- output: 430 -->
#
# <!-- notes -->
# Ask: where will a γ end that starts at 0, and would otherwise start at 1? They will say: near 1. Answer: near 0.3. And α, which
# has no normalisation to help it, near 0.15. The sum needs only a little from each of eighteen blocks.

# %% [markdown]
# They stay small. A $\gamma$ ends near 0.3 and an $\alpha$ near 0.15, which fits De and Smith's account: with eighteen
# blocks on one line, a little from each will do. It is not a proof, since 300 updates from zero may just not have
# carried them further.
#
# ## 4. Where the ReLU and the normalisation stand
#
# In the first residual networks a ReLU follows each addition, so the line of shortcuts is not clean: whatever is negative
# is cut off on its way. In their second paper He and his colleagues cleared it (2016b, Section 4.1). They moved
# everything onto the branch, before its convolutions, and called it *pre-activation*; and they tried three more orders.

# %%
plots.show(*diagrams.block_orders(), "Five orders. **Follow the orange shortcut around the branch, through the ⊕, and down to the arrow:** in which "
           "of them does nothing stand on it?")

# %% [markdown] tags=["slide"]
# ## Five orders
#
# <!-- output: 420 -->
#
# <!-- notes -->
# Ask: which two put something on the line? They will say: only the second. Answer: the baseline puts a ReLU there, and
# "norm after addition" a normalisation and a ReLU. Then go back to the chart: which of them can be told from the
# baseline at 56 layers?

# %% [markdown] tags=["slide"]
# ## One order fails
#
# - **norm after the addition**: 56 layers, more than twice the loss
# - pre-activation, ReLU-only, ReLU before the addition: **undecided**
#
# In the paper pre-activation gains little at 110 layers, and much at 1001.
#
# <!-- notes -->
# Ask: does that contradict the paper? They will say: yes, pre-activation is better there. Answer: no. At our depth the paper would
# expect a difference too small for eight pairs. What eight pairs do not decide is undecided.

# %% [markdown]
# One order fails. With the *norm after the addition*, 56 layers end at more than twice the baseline's loss, and it is the
# worst in the paper as well. The other three cannot be told from the baseline. One of them is the ReLU *before* the
# addition, under which a block can only ever add (lesson 02), and which lesson 06 lists among the article's defects: eight
# pairs cannot see what it costs here. Another is pre-activation, which many call *the*
# residual block. That contradicts nothing: the paper itself finds little even at 110 layers. In its tables the gain is small for
# 110 layers (6.61 % against 6.37 % error) and large for 1001 (7.61 % against 4.92 %; 2016b, Tables 2 and 3).
#
# ## 5. What stands on the shortcut
#
# A shortcut that can *learn* can learn to be the identity, so it should be at least as good as the identity. Is it? He and
# his colleagues put several things on the shortcut, some of which can learn (2016b, Section 3.1), and each was worse. Their argument is short. Whatever
# multiplies one shortcut multiplies the line of *all* blocks: eighteen halved shortcuts leave $2^{-18}$ of what the stem
# put on it, and as little of the gradient that comes back along it.
#
# A constant factor is the worst of them. Shortcuts times one half end, at 56 layers, at more than six times the
# baseline's loss, with the branch halved or not. The *gates* fare better. A gate $g(x)$ is a number between 0 and 1 for
# each pixel and channel, the sigmoid of a 1×1 convolution, and what multiplies the shortcut is $1 - g(x)$. The gate starts near
# zero, so at first nearly all of the shortcut passes. Two kinds were tried: the *exclusive* one, which also multiplies the branch
# by $g(x)$, as highway networks do (Srivastava, Greff and Schmidhuber 2015), and the *shortcut-only* one. What has training made of
# them?

# %%
gates = {name: np.array(kept(name, "gates")).mean(axis=0) for name in ("exclusive gate", "shortcut-only gate")}
start = 1 - 1 / (1 + np.exp(-GATE_BIAS))  # by the initial bias alone
plots.table(["shortcuts", "one keeps, on average", "18 in a row keep", "final loss, times the baseline's, mean"], [
    [name, f"{np.mean(left):.3f}", f"{np.prod(left):.2g}", f"{np.mean(loss[of, 56] / loss['baseline', 56]):.2f}" if of else ""]
    for name, left, of in (
        ("baseline", np.ones(18), "baseline"), ("gates, at the start", np.full(18, start), None),
        *((name, 1 - gate, name) for name, gate in gates.items()),
        *((name, np.full(18, 0.5), name) for name in ("both times 0.5", "shortcut times 0.5")))])

# %% [markdown] tags=["slide"]
# ## A factor on one is a factor on all
#
# Eighteen blocks, each shortcut times $\tfrac12$: $2^{-18}$ of the stem is left.
#
# <!-- output -->
#
# <!-- notes -->
# Ask: a gate can learn to be anything between 0 and 1. What will it learn? They will say: what is best for the block. Answer:
# to take a little. Each lets nine tenths of its shortcut pass, and eighteen in a row an eighth. That is no $2^{-18}$.

# %% [markdown] tags=["slide"]
# ## A 1×1 convolution on each shortcut, taken apart
#
# 56 layers, against nothing on the shortcut:
#
# - normalisation alone: **higher**
# - convolution alone, random start: **higher**, by far more
# - convolution alone, started as the **identity**: **higher**, at twice the loss
#
# <!-- notes -->
# Ask: the last one begins as the baseline, to the last bit. How can it end worse? They will say: it can't, it can always stay
# where it is. Answer: it could, but training does not know that it should. It is the riddle of lesson 01 once more.

# %% [markdown]
# The gates begin almost out of the way, and training moves them into it: in the end a shortcut lets nine tenths pass, on average
# over the blocks (early ones more, the last ones near eight tenths), and eighteen in a row about an eighth. Beside the $2^{-18}$ of the halves that is much, and so they cost little: the
# exclusive gate comes out higher at 20 layers and undecided at 56, the shortcut-only one the other way about. No gain from
# their freedom was seen.
#
# And what exactly does a projected shortcut do wrong? It changes three things at once: a normalisation, a convolution, and
# the random start of that convolution. Three of our variants take it apart.
#
# **Predict,** without looking back at the table. The one whose convolution starts as the identity began as the baseline did, and
# all that it gained was freedom. How much of a projection's cost is left at 56 layers: next to none, half, or all of it?

# %%
PARTS = ("norm on shortcuts", "1x1 shortcuts", "identity 1x1 shortcuts", "projected shortcuts")
plots.table(["on the shortcuts", *(f"{depth} layers: final loss, times the baseline's, mean" for depth in settings["depths"])], [
    [name, *(f"{np.mean(loss[name, depth] / loss['baseline', depth]):.2f}, {word(by_loss[name, depth])}"
             for depth in settings["depths"])] for name in PARTS])

# %% [markdown]
# At 56 layers each part comes out higher than the baseline. The normalisation alone raises the loss by two thirds. The
# convolution alone costs more than a factor of two and a half, nearly as much as all three together. Start it at the
# identity, and the network begins as the baseline; yet it ends at twice the baseline's loss. So it is not only the random
# start: a shortcut that *can* be the identity, and begins as one, still ends worse. At 20 layers the convolutions cost a
# quarter to a half, the normalisation nothing measurable, and, to our surprise, the convolution *with* the normalisation nothing
# measurable either. It seems to hold in check what the convolution does to the size of the signal, as long as there are only six
# in a row; that is a guess.
#
# ([Before the first update](deeper/07_before_training.ipynb) shows what several of these shortcuts do to the signal and to the
# gradient.)
#
# ## 6. How it is trained, and what reads it in the end
#
# *Stochastic depth* (Huang and others 2016) leaves blocks out at random while the
# network trains, later ones more often, and so saves a quarter of the work. Its authors propose it against vanishing gradients,
# a weakened signal and slow training in very deep networks, and find that it generalises better as well. Here it ends at two
# and a half times the training loss at either depth, and misreads about twice as many test images. So it helped neither the
# learning nor what was learnt. Why? We guess that 300 updates are too few for noise to pay:
# none of these networks knows its images by heart yet. That says little about networks that are trained for hundreds of
# epochs, as theirs were.
#
# The *dense head* is near to the article's: instead of an average over the image, a dense layer sees every pixel of every
# channel. It costs 20 layers a factor of two and 56 layers more than five, and its best rate, 0.002, is the lowest of all.
# (An average in place of dense layers was proposed against over-fitting: Lin, Chen and Yan 2014. Here the average already
# helps to learn.) In lesson 06 it was the other way round: there the average ended at three to four times the loss, even
# with all repairs. Head, depth, normalisation's place and length of training differ (five passes there, 300 updates here),
# and we have not found out which of them turns the tables. So do not carry either result over to a third network.
#
# ## 7. Beside the paper's table
#
# He and his colleagues report test errors of nine of these changes, for 110 layers on CIFAR-10 (2016b, Tables 1 and 2). Their
# images, depth and training time are not ours, so sizes cannot be compared. *Sides* can: does a change make it better or
# worse? That is a mild test, since only pre-activation is on the better side in the paper; but it could have failed nine times.

# %%
theirs = settings["he_2016b"]  # test error in per cent; None: it failed to converge
HE_BASELINE = 6.61
rows, agree = [], []
for name, error in sorted(theirs.items(), key=lambda item: item[1] or 100, reverse=True):
    side = "higher" if error is None or error > HE_BASELINE else "lower"
    ours = word(by_mistakes[name, 56])
    agree.append("undecided" if ours == "undecided" else "agrees" if ours == side else "disagrees")
    rows.append([name, "more than 20" if error is None else f"{error:.2f}", f"{wrong[name, 56].mean() / 100:.2f}", ours, agree[-1]])
plots.table(["variant", f"He 2016b, error in % (baseline {HE_BASELINE})",
             f"here, error in % (baseline {wrong['baseline', 56].mean() / 100:.2f})", "than our baseline's", ""], rows)
verdict("wherever our runs of 56 layers decide, they are on the paper's side of the baseline",
        agree.count("agrees") > 0 and "disagrees" not in agree,
        f"{agree.count('agrees')} agree, {agree.count('disagrees')} disagree, {agree.count('undecided')} are undecided",
        recorded=True)

# %% [markdown] tags=["slide"]
# ## Beside the paper's table
#
# <!-- output -->
#
# <!-- notes -->
# Other images, half the depth, seconds instead of days: all that can be compared is on which side of the baseline a
# variant falls. Ask: what does undecided mean? They will say: equal. Answer: eight pairs do not tell. A difference may
# be there, and it is small.

# %% [markdown]
# ## 8. Try one yourself
#
# Change any of the five values and run the cell. Every name of the first table will do, but for the three that take the
# projected shortcuts apart. The cell trains the variant and the baseline with one seed, which is enough to see a factor of
# two and far too little to see a tenth.

# %%
VARIANT, DEPTH, RATE, SEED, UPDATES = "exclusive gate", 20, 0.03, 20, 150

mnist = load_mnist(train=6400, val=0, test=0)
runs = [Trainer(variant_network(DEPTH, name), learning_rate=CosineDecay(RATE, UPDATES)).run(mnist, SEED, UPDATES, name)
        for name in dict.fromkeys(("baseline", VARIANT))]
plots.show(*plots.learning_curves(runs, window=10, log=True),
           f"{DEPTH} layers, rate {RATE:g}, seed {SEED}: " + "; ".join(
               f"{run.name} ends at {run.final_loss(25):.3f}" for run in runs) + ". One run each, live: an anecdote.")

# %% [markdown] tags=["slide"]
# ## Try one yourself
#
# <!-- output: 400 -->
#
# Variant, depth, rate, seed: change one, and wait for half a minute.
#
# <!-- notes -->
# Let the room choose a variant and a rate, and run the cell. Ask before: may we write down which is better? They will
# say: if the curves are far apart. Answer: one seed can show a factor of two, but not a difference of a tenth.

# %% [markdown]
# ## What this does not show
#
# One network, one family of images, and 300 updates. Digits are easy; a change that pays where a network over-fits, or
# after hundreds of passes, had no chance to do so here. The networks are narrow bottlenecks, and the paper's comparison
# of shortcuts used basic blocks of two 3×3 convolutions. The rates come from a coarse grid and two seeds, which may
# have been lucky ones. Eight pairs leave differences of a tenth open. So take the large effects with you, and treat the
# rest as what the word says: undecided.
#
# ## Summary
#
# - Without shortcuts, or without normalisation, 56 layers end, on average, at more than ten times the loss. One learnt number per
#   branch, zero at the start, replaces a good part of the normalisation, but not all.
# - Of eighteen changes none came out lower than the baseline, thirteen came out higher at 56 layers.
# - The best thing that stood on a shortcut here was nothing. A constant one half ruins 56 layers, a 1×1 convolution
#   doubles the loss even if it starts as the identity, and gates do little harm: trained, they still let nine tenths of
#   a shortcut pass, on average.
# - Whether it matters where ReLU and normalisation stand is undecided here, except for a normalisation *after* the
#   addition, which costs the network of 56 layers a factor of more than two.
# - Depth sorts the variants: a handicap that costs 20 layers a third or less can cost 56 a factor of three to seven.
# - Many comparisons need a correction, and undecided is not equal.
#
# You have now seen what can be changed in the block and what had better be left alone. In lesson [08](08_your_turn.ipynb) you take a
# residual network to pictures of your own.
#
# ## Quiz
#
# Five questions. Each option says why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("07")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - Shortcut **and** normalisation: with one of the two missing, 56 layers end ten times as high.
# - On the shortcut: **nothing**. A factor on one is a factor on all.
# - Most famous changes: **undecided** at this size, which is not equal.
# - Each at its own best rate, in pairs, corrected for many comparisons.
#
# **Exercises:** lesson 07; the last one is for a discussion.
#
# <!-- notes -->
# Ask: which variant would you use tomorrow? They will say: the newest. Answer: the plain baseline, unless you have runs of your own
# that say otherwise, at your size and with a rate for each.

# %% [markdown]
# <!-- quiz: 07 -->
#
# ## Exercises
#
# Reading is only half the work. In the [exercises for lesson 07](exercises/07_variants.ipynb) you build,
# mend, predict and run, with checks that answer at once and hints to open if you need them; one exercise is there to discuss.
#
# ## References
#
# - S. Holm 1979: *A Simple Sequentially Rejective Multiple Test Procedure*. Scandinavian Journal of
#   Statistics 6(2).
# - K. He, X. Zhang, S. Ren, J. Sun 2016b: *Identity Mappings in Deep Residual Networks*. ECCV.
#   [arXiv:1603.05027](https://arxiv.org/abs/1603.05027). Scaled, gated and convolved shortcuts: Section 3, Figure 2,
#   Table 1. Orders: Section 4, Figure 4, Tables 2 and 3.
# - R. K. Srivastava, K. Greff, J. Schmidhuber 2015: *Training Very Deep Networks*. NIPS.
#   [arXiv:1507.06228](https://arxiv.org/abs/1507.06228), Section 2: gates of highway networks.
# - P. Goyal and others 2017: *Accurate, Large Minibatch SGD*.
#   [arXiv:1706.02677](https://arxiv.org/abs/1706.02677), Section 5.1: $\gamma = 0$ at the start.
# - S. De, S. L. Smith 2020: *Batch Normalization Biases Residual Blocks Towards the Identity
#   Function in Deep Networks*. NeurIPS. [arXiv:2002.10444](https://arxiv.org/abs/2002.10444):
#   SkipInit.
# - T. Bachlechner, B. P. Majumder, H. H. Mao, G. W. Cottrell, J. McAuley 2021: *ReZero is All You
#   Need: Fast Convergence at Large Depth*. UAI.
#   [arXiv:2003.04887](https://arxiv.org/abs/2003.04887).
# - G. Huang, Y. Sun, Z. Liu, D. Sedra, K. Q. Weinberger 2016: *Deep Networks with Stochastic
#   Depth*. ECCV. [arXiv:1603.09382](https://arxiv.org/abs/1603.09382), Section 3 and Table 1.
# - M. Lin, Q. Chen, S. Yan 2014: *Network In Network*. ICLR.
#   [arXiv:1312.4400](https://arxiv.org/abs/1312.4400), Section 3.2: global average pooling.
