# %% [markdown]
# # 07 · Variants
#
# **Question.** Which design choices of a residual network matter?
#
# **Objectives.** After this lesson you can
#
# 1. name the choices that a residual block leaves open, and say why somebody made each of them
#    otherwise;
# 2. say what a variant does to the line of shortcuts, and predict the signal and the gradient at the
#    start of training;
# 3. check, to the last bit, that a block starts as the identity;
# 4. compute the parameters of a variant and the expected depth under stochastic depth;
# 5. decide whether two sets of runs differ, seed by seed, and say "undecided" where the runs cannot
#    tell.
#
# **Prerequisites.** Lessons [02](02_residual_learning.ipynb) (the unrolled sum, scaled shortcuts),
# [03](03_bottleneck_block.ipynb) (bottleneck, projection, padded shortcut),
# [04](04_plain_vs_residual.ipynb) (the baseline) and [05](05_inside_the_network.ipynb) (gradients,
# and its deeper notebook on networks without normalisation).
#
# **Reading time:** 45 minutes. **Computing time:** 3 minutes on two cores, without a GPU.

# %% [markdown] tags=["slide"]
# # 07 · Variants
#
# Which design choices of a residual network matter?
#
# <!-- notes -->
# After 2015 each choice had its own paper. Ask: what would you change in a residual block? Collect:
# the order, the normalisation, the shortcut, the first weights. The lesson has fifteen variants,
# one change at a time.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import functools
import itertools
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from matplotlib.ticker import LogLocator, NullFormatter

from resnet_lesson import diagrams, plots
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import gradient_norms, layer_counts
from resnet_lesson.models import reset_weights, with_outputs
from resnet_lesson.runs import by_name
from resnet_lesson.studies import provenance, read_study, runs_of
from resnet_lesson.sweep import sweep
from resnet_lesson.training import Trainer
from resnet_lesson.variants import GATE_BIAS, VARIANTS, expected_depth, variant_network
from resnet_lesson.verdicts import paired, verdict, verdict_above, verdict_paired

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## 1. One change at a time
#
# A residual block computes $\mathrm{ReLU}(F(x) + x)$. That leaves much open. Is normalisation
# needed, and where does it go? Must a ReLU stand behind the addition? What if the shortcut is
# scaled, or learnt? How should a branch start? After 2015, each of these questions had its own
# paper.
#
# We take the residual network of lesson 04 as the **baseline**. A **variant** changes one thing in
# it and leaves the rest.

# %%
plots.table(["variant", "what is changed"], list(VARIANTS.items()))

# %% [markdown] tags=["slide"]
# ## One change at a time
#
# - order: where normalisation and ReLU stand
# - normalisation: none, or a scale on each branch
# - start: the last γ zero
# - shortcut: none, halved, projected, gated
# - training: stochastic depth; the head
#
# Everything else is equal, kernel by kernel, from one seed.
#
# <!-- notes -->
# Ask: how do you check that everything else is equal? Expected: by reading the code. The lesson
# compares the first kernels of all variants with the baseline's, array by array.

# %% [markdown]
# Are the rest really equal? From one seed, a variant should start with the baseline's weights
# wherever it has the same layer. We check that first.

# %%
SEEDS = (0, 1, 2)
nets = {variant: variant_network(20, variant) for variant in VARIANTS}
for net in nets.values():
    reset_weights(net, seed=0)
first = {weight.path: weight.numpy() for weight in nets["baseline"].weights}
equal = {variant: [np.array_equal(weight, first[weight.path]) for weight in net.weights
                   if weight.path.endswith("kernel") and weight.path in first
                   and (variant, weight.path) != ("dense head", "logits/kernel")]  # another shape
         for variant, net in nets.items()}
verdict("from one seed, every variant starts with the baseline's kernels", all(map(all, equal.values())),
        f"{len(equal)} networks, {min(map(len, equal.values()))} or more kernels in each")

# %% [markdown]
# ### What a variant costs
#
# **Predict.** Which variants have more parameters than the baseline, and which have fewer?
#
# A bottleneck from $a$ to $c$ channels, with $b$ in the middle, has $ab + 9b^2 + bc$ weights in its
# kernels. Each channel of a convolution has a $\gamma$ and a $\beta$, or a bias.

# %%
def parameters(variant, depth):
    """Return the number of parameters, by formula."""
    n = (depth - 2) // 6
    blocks = n * [(16, 8, 16)] + [(16, 16, 32)] + (n - 1) * [(32, 16, 32)]  # a, b, c
    kernels = 9 * 16 + sum(a * b + 9 * b * b + b * c for a, b, c in blocks)
    channels = 16 + sum(2 * b + c for _, b, c in blocks)
    head = 32 * 10 + 10
    if variant in ("no normalisation", "branch scale"):  # a bias in place of γ and β
        return kernels + channels + head + (variant == "branch scale") * len(blocks)
    gates = sum(a * c + c for a, _, c in blocks)
    more = {"projected shortcuts": sum(a * c + 2 * c for a, _, c in blocks),
            "exclusive gate": gates, "shortcut-only gate": gates,
            "dense head": 7 * 7 * 32 * 128 + 128 + 128 * 10 + 10 - head}
    return kernels + 2 * channels + head + more.get(variant, 0)

# %%
def counted(net):
    return sum(weight.numpy().size for weight in net.trainable_variables)


sizes = {variant: counted(net) for variant, net in nets.items()}
verdict("the formula gives the parameters of every variant at 20 layers",
        all(size == parameters(variant, 20) for variant, size in sizes.items()), f"{len(sizes)} networks")
plots.table(["variant", "parameters, 20 layers", "more than the baseline", "56 layers, by formula"], [
    [variant, size, size - sizes["baseline"], parameters(variant, 56)]
    for variant, size in sizes.items() if size != sizes["baseline"] or variant == "baseline"])

# %% [markdown]
# All others have the baseline's parameters: they move something, or multiply by a fixed number.
#
# ## 2. When do two variants differ?
#
# The comparison is a **recorded study**: each variant at 20 and at 56 layers, five seeds each, with
# the images, batches and number of updates of lesson 04. One thing is new: for the last quarter of
# the updates the learning rate is a tenth of what it was. That takes the noise out of the last
# losses.

# %%
study = read_study("07_variants")
settings = study["settings"]
recorded = by_name(runs_of(study))
print(provenance(study))
print(len(recorded), "networks, seeds", settings["seeds"], "and", settings["updates"], "updates each")
print("learning rate, from update:", settings["learning_rate"])

# %% [markdown]
# Two measures: the mean **training loss** of the last 100 updates, and the share of the 10,000
# **test** images that the network gets wrong in the end.
#
# From one seed, a variant and the baseline start with the same kernels and see the same images in
# the same order. So we compare them in pairs, seed by seed: a pair's *difference* scatters less than
# the runs themselves, and five differences can be clear where the two groups of runs overlap. Is it
# enough that all five have one sign?
#
# **Predict.** Suppose that a change does nothing at all. Then each difference is above or below zero
# as a coin falls. In how many of all cases do five of them have one sign?

# %%
signs = list(itertools.product((-1, 1), repeat=5))  # of the five differences
fooled = [five for five in signs if len(set(five)) == 1]
verdict("luck gives five differences one sign in 2 of 32 cases", (len(fooled), len(signs)) == (2, 32),
        f"{len(fooled)} of {len(signs)}")
comparisons = 2 * 2 * (len(VARIANTS) - 1)  # two measures, two depths
print(f"false alarms to expect in {comparisons} comparisons: {comparisons * 2 / 32:.1f}")

# %% [markdown] tags=["slide"]
# ## When do two variants differ?
#
# Five seeds, so five differences. Is it enough that all of them have one sign?
#
# <!-- output -->
#
# So: how large is the mean difference beside its scatter, and how many comparisons does the table make?
#
# <!-- notes -->
# Ask: can luck fool the rule of signs? Expected: hardly. In 2 of 32 cases, so among sixty
# comparisons a few false alarms are to be expected. What the corrected rule leaves open is
# undecided, and that is not the same as equal.

# %% [markdown]
# Too often, with so many comparisons. So we ask how large the mean difference is beside the scatter
# of the five (a paired t-test, as `paired` computes it), and correct for the number of comparisons
# that a table makes (Holm 1979). What is left open is **undecided**: five seeds do not show a *small*
# difference, and "undecided" is not "equal". The more comparisons a table makes, the more each of
# them has to show. So the large tables of section 11 leave something open that a section's own small
# table decides.
#
# All variants share one learning rate. It is the one that the course uses for the baseline, and it
# was searched for none of the networks here. So each ranking in this lesson is a ranking *at this
# rate and in this time*. Another rate may change it, and for the plain network of 56 layers it does:
# a recorded search found that its best rate is far higher, and that it learns much more with it.

# %%
final_loss, wrong = {}, {}
for run in study["results"]:
    final_loss.setdefault(run["name"], []).append(run["final_loss"])
    wrong.setdefault(run["name"], []).append(100 * (1 - run["test_accuracy"]))
MEASURES = {"training loss, last 100 updates": final_loss, "wrong on the test set, %": wrong}

# %%
def word(difference):
    """Say in a word what a paired difference decides."""
    return "undecided" if difference.p >= 0.05 else "higher" if difference.mean > 0 else "lower"


def turned(difference):
    """Return second minus first."""
    low, high = -difference.high, -difference.low
    return replace(difference, mean=-difference.mean, low=low, high=high)


def against_baseline(*variants):
    """Show the differences from the baseline as one family, and return them by name."""
    found = paired({f"{variant} {depth}: {what}": (measure[f"{variant} {depth}"],
                                                  measure[f"baseline {depth}"])
                    for variant in variants for depth in (20, 56)
                    for what, measure in (("loss", final_loss), ("wrong, %", wrong))})
    plots.table(["less the baseline, seed by seed", "mean", "95 % interval", "corrected p", ""], [
        [name, f"{one.mean:.3f}", f"{one.low:.3f} to {one.high:.3f}", f"{one.p:.2g}", word(one)]
        for name, one in found.items()])
    return found

# %%
def interval(values, digits=3):
    """Return mean and range as text."""
    mean, low, high = (f"{value:.{digits}f}" for value in (np.mean(values), min(values), max(values)))
    return f"{mean} ({low} to {high})"

# %%
def show_group(*variants):
    """Draw the variants of a group below the baseline: both measures, both depths."""
    _, axes = plt.subplots(2, 2, figsize=(10, 2.4 + 0.6 * len(variants)), layout="constrained",
                           sharey=True, sharex="row")
    texts = []
    for row, (what, measure) in zip(axes, MEASURES.items()):
        for ax, depth in zip(row, (20, 56)):
            values = {variant: measure[f"{variant} {depth}"] for variant in ("baseline", *variants)}
            texts.append(plots.intervals(values, what, "baseline", ax, f"{depth} layers", log=True)[1])
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_formatter(NullFormatter())
    plots.show(axes[0, 0], " ".join(texts))

# %% [markdown]
# ## 3. Without normalisation
#
# Batch normalisation has a price. It takes time, it needs a batch, and it mixes the images of a
# batch. So it was asked early whether a residual network needs it. [Lesson 05's deeper notebook](deeper/05_without_normalisation.ipynb)
# gave a reason: without it, each block adds as much as is there already.
#
# We call the row of shortcuts from the stem to the head the **line**, and look at what is on it
# before training: the mean square after each block, at 56 layers.
#
# **Predict.** The branch of a normalised block has a mean square of about 1. How does the line
# grow, from block to block? And without normalisation?

# %%
mnist = load_mnist(train=settings["train"], val=settings["val"], test=0)
images, labels = mnist.train.images[:64], mnist.train.labels[:64]
deep = {variant: variant_network(56, variant) for variant in VARIANTS}
BLOCKS = [f"stage{stage}_block{number}" for stage in (1, 2) for number in range(1, 10)]


def line(variant, seed):
    """Return what is on the line before training: the stem's output and that of each block."""
    reset_weights(deep[variant], seed)
    outputs = with_outputs(deep[variant], ["stem_out", *(f"{block}_out" for block in BLOCKS)])
    return [value.numpy() for value in outputs(images, training=True).values()]


# %%
def show_line(*variants):
    """Draw the mean square along the line, and return it: variant → one list a seed."""
    squares = {variant: [[np.mean(x**2) for x in line(variant, seed)] for seed in SEEDS]
               for variant in variants}
    plots.show(*plots.curves(range(19), squares, "blocks passed", "mean square on the line", log=True,
                             title="56 layers, before training"))
    return squares

# %%
squares = show_line("baseline", "no normalisation", "branch scale")

# %% [markdown] tags=["slide"]
# ## What is on the line, before training
#
# <!-- output -->
#
# <!-- notes -->
# With normalisation the line grows by about the same amount at each block, without it by a factor.
# Ask: twenty blocks of doubling? Expected: forty. A million.

# %%
growth = {variant: [run[-1] / run[0] for run in runs] for variant, runs in squares.items()}
verdict_above("without normalisation the line grows more than a thousand times as much as with it",
              growth["no normalisation"], growth["baseline"], ratio=1000, unit="times")

# %% [markdown]
# With normalisation the line grows by about the same amount at each block; without it, by a factor.
# (In the middle the stage changes: the padded shortcut drops pixels and adds channels of zeros.)
# The third line is a variant that section 5 explains.
#
# **Predict.** Which hurts more: to leave out the shortcuts, or the normalisation? At 20 layers, and
# at 56?

# %%
show_group("no shortcut", "no normalisation")

# %% [markdown] tags=["slide"]
# ## Shortcut or normalisation: which hurts more to leave out?
#
# <!-- output -->
#
# <!-- notes -->
# Take a show of hands. Expected: the shortcut, at both depths. At 20 layers five seeds cannot tell
# the two apart; at 56, and at this rate, the plain network has learnt next to nothing, and the other
# only lags behind. With the higher rate of a recorded search the plain network comes close to the other.

# %%
for depth in (20, 56):
    for variant in ("no shortcut", "no normalisation"):
        verdict_above(f"at {depth} layers, {variant} ends with a higher training loss than the baseline",
                      final_loss[f"{variant} {depth}"], final_loss[f"baseline {depth}"], unit="nats",
                      recorded=True)
both = paired({str(depth): (final_loss[f"no shortcut {depth}"], final_loss[f"no normalisation {depth}"])
               for depth in (20, 56)})
for depth, difference in both.items():
    verdict_paired(f"at {depth} layers, and at this one rate, it is worse to leave out the shortcuts",
                   difference, "nats", recorded=True)

# %% [markdown]
# Without either, training is worse, at both depths. Which of the two hurts more, the runs of 20
# layers cannot tell. At 56 layers and at this rate the plain network has learnt next to nothing in
# these updates, while the network without normalisation learns and lags behind. That order belongs
# to the rate: in a recorded search the plain network of 56 layers, at its best rate, comes
# down to where the network without normalisation is here.
#
# ## 4. Orders
#
# Lesson 02 unrolled a row of blocks: $x_L = x_l + \sum_i F_i(x_i)$, and the gradient is $I$ plus
# the gradient of the sum (He 2016b, equations 4 and 5). What is at one end of the line reaches the
# other end unchanged, forwards and backwards. He, Zhang, Ren and Sun name two conditions for that
# (2016b, Section 2): the shortcut is the identity, and *nothing follows the addition*. Then the
# line is **clean**. Their first blocks meet only the first condition, since a ReLU follows. Section
# 6 breaks the first condition. Here we mend the second.
#
# A ReLU has to be somewhere, and so has the normalisation. They tried five orders (2016b, Section
# 4.1, Figure 4).

# %%
plots.show(*diagrams.block_orders())

# %% [markdown] tags=["slide"]
# ## Five orders
#
# <!-- output -->
#
# <!-- notes -->
# Follow the line of additions with the finger. Ask: in which of the five does something stand on
# the line? Expected: after some looking, the first two. Pre-activation clears it.

# %% [markdown]
# - **Norm after addition** goes the wrong way, on purpose: a normalisation on the line rescales all
#   that the blocks before it have added up.
# - **ReLU before addition** clears the line. But now the branch can only add (lesson 02, section
#   2).
# - **Pre-activation** lets normalisation and ReLU act on the branch alone, *before* its
#   convolutions. The line is clean, and the branch gives both signs. In the **ReLU-only** form,
#   only the ReLUs move.
#
# The stem's normalisation and ReLU serve as the first block's own, and after the last addition
# stand those that are missing; the paper does the same (appendix). Where the stage changes, our
# shortcut carries the sum itself; the paper's bottleneck networks project the pre-activated input
# there.
#
# **Predict.** In which of the five is $x_L = x_0 + \sum_i F_i(x_i)$ exact, through the first stage?

# %%
ORDERS = ("baseline", "norm after addition", "relu before addition", "relu-only pre-activation",
          "pre-activation")


def off(variant, seed, blocks=9):
    """Return how far the stem's output plus all branches is from the end of stage 1."""
    reset_weights(deep[variant], seed)
    names = ["stem_out", *(f"{block}_branch" for block in BLOCKS[:9]), f"{BLOCKS[8]}_out"]
    *added, end = with_outputs(deep[variant], names)(images, training=True).values()
    return np.abs(sum(added) - end).max() / np.abs(end).max()


# %%
rest = {variant: [off(variant, seed) for seed in SEEDS] for variant in ORDERS}
clean = ORDERS[2:]
verdict("the sum is exact where nothing follows the addition, and nowhere else",
        all(max(rest[v]) < 1e-5 if v in clean else min(rest[v]) > 1e-2 for v in ORDERS),
        "largest difference, over the largest output: "
        + "; ".join(f"{variant} {max(values):.1e}" for variant, values in rest.items()))

# %% [markdown] tags=["slide"]
# ## The sum is exact where nothing follows the addition
#
# <!-- output -->
#
# <!-- notes -->
# Lesson 02's unrolled sum, measured. Ask: and which order can only add? Expected: pre-activation.
# The ReLU before the addition: no number on the line ever gets smaller.

# %% [markdown]
# And a branch that can only add? **Predict.** In which of the five does a number on the line never
# get smaller?

# %%
falls = {variant: np.mean([after < before for before, after in
                           itertools.pairwise(line(variant, seed=0)[:10])]) for variant in ORDERS}
verdict("with the ReLU before the addition no number on the line ever gets smaller; in the other orders "
        "some do", falls["relu before addition"] == 0 < min(
            share for variant, share in falls.items() if variant != "relu before addition"),
        "share that gets smaller in a block: " + ", ".join(f"{v} {s:.1%}" for v, s in falls.items()))

# %% [markdown]
# The paper's errors on CIFAR-10, the median of five runs each (2016b, Table 2):
#
# | order | ResNet-110 | ResNet-164, bottlenecks |
# |---|---:|---:|
# | baseline | 6.61 % | 5.93 % |
# | norm after addition | 8.17 % | 6.50 % |
# | ReLU before addition | 7.84 % | 6.14 % |
# | ReLU-only pre-activation | 6.71 % | 5.91 % |
# | pre-activation | 6.37 % | 5.46 % |
#
# **Predict.** Do 20 layers suffice to see an order? Do 56?

# %%
show_group(*ORDERS[1:])

# %% [markdown] tags=["slide"]
# ## Orders: one of them fails at 56 layers
#
# <!-- output -->
#
# <!-- notes -->
# A normalisation on the line fails at 56 layers, as in the paper. Pre-activation ends with a slightly
# higher training loss at 56 layers, in each seed; its test errors cannot be told from the baseline's.
# The paper's large gain is at 1001 layers. Ask: so is the paper wrong? Expected: perhaps. No: one
# rate, two passes, 56 layers. It says itself that the ReLU is not severe with fewer layers.

# %%
others = [order for order in ORDERS if order != "norm after addition"]
verdict_above("at 56 layers and at this rate, norm after addition is the worst of the five orders, and "
              "far behind", final_loss["norm after addition 56"],
              [loss for order in others for loss in final_loss[f"{order} 56"]], ratio=3, unit="nats",
              recorded=True)
orders = against_baseline(*ORDERS[1:])
verdict_paired("at 56 layers and at this rate, pre-activation ends with a higher training loss than the "
               "baseline", orders["pre-activation 56: loss"], "nats", recorded=True)
verdict_paired("at 56 layers, the baseline makes more mistakes on the test images than pre-activation",
               turned(orders["pre-activation 56: wrong, %"]), "points", recorded=True)
verdict_paired("at 56 layers, the baseline makes more mistakes on the test images than the ReLU-only form",
               turned(orders["relu-only pre-activation 56: wrong, %"]), "points", recorded=True)

# %% [markdown]
# The one order that puts *more* on the line fails at 56 layers. It is the worst in both columns of
# the paper as well. Pre-activation ends with a slightly *higher* training loss at 56 layers, in every
# pair of runs, and on the test images it cannot be told from the baseline. The ReLU-only form makes
# fewer mistakes than the baseline in every pair, but too few fewer to count among so many
# comparisons: undecided. So is the ReLU before the addition, whose harm is clear in the paper. And
# all of this is at one rate, chosen for none of these orders. The paper expects little at this depth:
# the ReLU after the addition is "not severe" with fewer layers, such as 164 (Section 4.2). Their
# large gain is at 1001 layers: 7.61 % against 4.92 % (Table 3).
#
# ## 5. Starting as the identity
#
# Lesson 02 put a new block into a trained network without harm: its branch was zero. Why not start
# a whole network like that? Each block begins as its shortcut, and grows a branch as training needs
# one.
#
# - **Zero last γ.** The last normalisation of each branch starts with $\gamma = 0$ (Goyal and
#   others 2017, Section 5.1).
# - **Branch scale.** One learnt number $\alpha$ a block, 0 at the start, multiplies the branch:
#   $x + \alpha F(x)$. There is no normalisation. De and Smith (2020) call it **SkipInit**, Bachlechner
#   and others (2021) **ReZero**. De and Smith argue that this is what normalisation does for a
#   residual network: it keeps the branches small beside the line (lesson 05, section 1). If so,
#   $\alpha$ can take its place.
#
# **Predict.** Before the first update: how do the logits of 56 layers differ from those of 8
# layers, with a zero $\gamma$ in both?

# %%
def first_logits(variant, depth, seed):
    net = deep[variant] if depth == 56 else variant_network(depth, variant)
    reset_weights(net, seed)
    return net(images, training=True).numpy()


START = ("zero last gamma", "branch scale")
same = {variant: [np.array_equal(first_logits(variant, 8, seed), first_logits(variant, 56, seed))
                  for seed in SEEDS] for variant in ("baseline", *START)}
verdict("with zero branches, 56 layers give the logits of 8 layers, to the last bit; the baseline does not",
        all(one for variant in START for one in same[variant]) and not any(same["baseline"]),
        f"{len(SEEDS)} seeds, {len(images)} images")

# %% [markdown]
# So at the start depth costs nothing: these networks *are* shallow networks, until they learn. Each
# block gives its shortcut's output exactly:

# %%
passed = [np.array_equal(before, after) for variant in START for seed in SEEDS
          for before, after in itertools.pairwise(line(variant, seed)[:10])]
verdict("each block of the first stage hands on what it gets, to the last bit",
        all(passed), f"{len(passed)} blocks")

# %% [markdown] tags=["slide"]
# ## Starting as the identity
#
# <!-- output -->
#
# With a zero last γ, 56 layers give the logits of 8 layers, to the last bit.
#
# <!-- notes -->
# Ask: if every branch gives zero, why do the blocks learn at all? Expected: rounding. The gradient
# of γ itself is not zero.

# %% [markdown]
# (Nothing is lost by it: the branch's last factor gets a gradient at once, and the layers before it
# as soon as that factor is no longer zero. Lesson 02, section 7, watched it.)
#
# **Predict.** Does $\alpha$ bring the network without normalisation back to the baseline? And is a
# zero $\gamma$ better than a $\gamma$ of 1?

# %%
show_group("zero last gamma", "no normalisation", "branch scale")

# %% [markdown] tags=["slide"]
# ## One number a branch, instead of normalisation
#
# <!-- output -->
#
# <!-- notes -->
# De and Smith's idea holds halfway, at this rate and in this time: at 56 layers one number repairs
# much of what the missing normalisation costs. Ask: does a zero γ help? Expected: yes, everybody uses
# it. At 56 layers it makes fewer mistakes in each seed, at 20 it costs training loss: one more reason
# not to trust a mean.

# %%
verdict_above("at 56 layers, α makes the network without normalisation better", final_loss["no normalisation 56"],
              final_loss["branch scale 56"], ratio=1.3, unit="nats", recorded=True)
for depth in (20, 56):
    verdict_above(f"at {depth} layers and at this rate it stays behind the baseline",
                  final_loss[f"branch scale {depth}"], final_loss[f"baseline {depth}"], unit="nats",
                  recorded=True)
starts = against_baseline("zero last gamma", "no normalisation", "branch scale")
verdict_paired("a zero γ costs training loss at 20 layers", starts["zero last gamma 20: loss"], "nats",
               recorded=True)
verdict_paired("a zero γ costs training loss at 56 layers", starts["zero last gamma 56: loss"], "nats",
               recorded=True)
verdict_paired("at 56 layers, the baseline makes more mistakes on the test images than with a zero γ",
               turned(starts["zero last gamma 56: wrong, %"]), "points", recorded=True)
print("seeds in which it does:", sum(
    a > b for a, b in zip(wrong["baseline 56"], wrong["zero last gamma 56"])), "of 5")

# %% [markdown]
# So De and Smith's idea holds halfway here: at 56 layers, one number a block repairs much of what
# the missing normalisation costs. At this rate and in this time it does not bring the network to the
# baseline. A zero $\gamma$ costs training loss at 20 layers. At 56 layers it makes fewer mistakes on
# the test images in every pair of runs, though after the correction for twelve comparisons that just
# misses being decided; its training loss cannot be told from the baseline's.
#
# Mind how little time these branches had. An update of Adam moves a weight by about the learning rate
# at most, and the rates of all updates add up to $300 \cdot 0.002 + 100 \cdot 0.0002 = 0.62$. So an
# $\alpha$ or a $\gamma$ that starts at 0 *cannot* reach 1 in this study. What looks like a weakness of
# the variant may be a branch that is still on its way.
#
# ### Is the learning rate to blame?
#
# A network without normalisation may need a smaller rate. The study has three variants once more,
# with a quarter of the rate.
#
# **Predict.** Which of the three gains?

# %%
LOW, UNNORMALISED = ", low rate", ("baseline", "no normalisation", "branch scale")
plots.table(["network", "training loss: mean (range)", "with a quarter of the rate"], [
    [name, interval(final_loss[name]), interval(final_loss[name + LOW])]
    for name in (f"{variant} {depth}" for variant in UNNORMALISED for depth in (20, 56))])
for variant in UNNORMALISED:
    for depth in (20, 56):
        verdict_above(f"{variant} {depth}: a quarter of the rate makes it worse in this time",
                      final_loss[f"{variant} {depth}{LOW}"], final_loss[f"{variant} {depth}"], unit="nats",
                      recorded=True)

# %% [markdown]
# None gains in the time that they have, and that tells less than it seems to: with a quarter of the
# rate a weight can move by about 0.16 in all, so they do not get far, whichever rate would have been
# best in the long run. The question that matters is whether a *higher* rate helps the variants whose
# branches start at zero, and this study did not ask it.
#
# ## 6. A shortcut that is not the identity
#
# A shortcut that can learn can learn to be the identity. So it should be at least as good? He and
# his colleagues tried (2016b, Section 3.1, Table 1), and none of their other shortcuts was. In our
# variants, with $F$ for the branch and a **gate** $g(x)$ between 0 and 1:

# %%
SUMS = {
    "baseline": lambda x, F, g: F + x,
    "shortcut times 0.5": lambda x, F, g: F + 0.5 * x,
    "both times 0.5": lambda x, F, g: 0.5 * F + 0.5 * x,
    "exclusive gate": lambda x, F, g: g * F + (1 - g) * x,
    "shortcut-only gate": lambda x, F, g: F + (1 - g) * x,
}
off = {}
for variant, addition in SUMS.items():
    gate = ["stage1_block2_gate"] if "gate" in variant else []
    names = ["stage1_block1_out", "stage1_block2_norm3", *gate, "stage1_block2_out"]
    x, F, *g, out = with_outputs(nets[variant], names)(images, training=True).values()
    off[variant] = np.abs(np.maximum(addition(x, F, *(g or [0])), 0) - out).max()
verdict("the package's blocks give the ReLU of these sums", max(off.values()) < 1e-5,
        f"largest difference {max(off.values()):.1e}, {len(off)} variants")

# %% [markdown]
# - **Scaled.** *Both times 0.5* keeps the sum as large as its parts.
# - **Gated.** The gate is learnt, $g(x) = \sigma(W_g x + b_g)$ with $\sigma(v) = 1 / (1 + e^{-v})$,
#   one number for each number of $x$, from a 1×1 convolution. Highway networks work with the
#   exclusive gate (Srivastava and others 2015). It closes one way as far as it opens the other. The
#   *shortcut-only* gate leaves the branch alone.
# - **Projected.** A 1×1 convolution with normalisation stands on *every* shortcut. It is option C
#   of lesson 03.
#
# ### What is left of the signal
#
# Their argument is lesson 02's (2016b, Section 3, equations 6 to 8): what multiplies one shortcut
# multiplies the line of *all* blocks. Behind $L$ blocks, $\lambda^L$ of the signal is left, and the
# same of the gradient that comes back along the line.
#
# **Predict.** Halved shortcuts, nine blocks whose branches give zero. What is left?

# %%
@tf.function(autograph=False)
def through_stage(stage, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = stage(x, training=False)
    return y, tape.gradient(y, x)


# %%
left = {}
for variant in ("baseline", "shortcut times 0.5", "both times 0.5"):
    net = deep[variant]
    reset_weights(net, seed=0)
    for block in BLOCKS[:9]:
        net.get_layer(f"{block}_norm3").gamma.assign(tf.zeros(16))  # the branch gives zero
    stem_out, end = (net.get_layer(name).output for name in ("stem_out", f"{BLOCKS[8]}_out"))
    x = tf.random.stateless_uniform((8, 14, 14, 16), seed=(0, 0), minval=0.1)
    left[variant] = through_stage(tf.keras.Model(stem_out, end), x)

# %%
factors = {"baseline": 1.0, "shortcut times 0.5": 0.5**9, "both times 0.5": 0.5**9}
exact = [np.array_equal(y, factors[variant] * x) and np.all(gradient == factors[variant])
         for variant, (y, gradient) in left.items()]
verdict("nine halved shortcuts with zero branches leave 1/512 of signal and gradient, exactly; identity "
        "shortcuts leave all", all(exact), f"{x.shape.num_elements()} numbers, {len(left)} variants")

# %% [markdown]
# Real branches are not zero. They put something new on the line, with a mean square of about 1
# (above), so the line does not run dry. What runs dry is the *memory*. Before training, we
# correlate the stem's output with that of each block of stage 1, channel by channel: 1 means that
# nothing has changed.
#
# **Predict.** After nine blocks, how much of the stem's output can still be made out, with the
# identity and with halved shortcuts?

# %%
def memory(variant, seed):
    """Return the mean correlation of the stem's output with that of the first blocks."""
    stem_out, *outputs = (x.reshape(-1, 16) for x in line(variant, seed)[:10])
    return [1.0, *(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(stem_out.T, out.T)
                            if np.std(a) and np.std(b)]) for out in outputs)]


KEPT = ("baseline", "both times 0.5", "shortcut times 0.5", "projected shortcuts", "no shortcut")
memories = {variant: [memory(variant, seed) for seed in SEEDS] for variant in KEPT}
plots.show(*plots.curves(range(10), memories, "blocks passed", "correlation with the stem's output",
                         title="56 layers, before training"))

# %%
verdict_above("after nine blocks the identity has kept more of the stem's output than any shortcut that "
              "is halved, projected or missing", [run[9] for run in memories["baseline"]],
              [run[9] for variant in KEPT[1:] for run in memories[variant]])
last = {variant: [np.mean(line(variant, seed)[-1] ** 2) for seed in SEEDS] for variant in KEPT[:3]}
halved = last["both times 0.5"] + last["shortcut times 0.5"]
verdict_above("behind 18 halved shortcuts the line has not run dry: its mean square is above a tenth",
              halved, [0.1])
verdict_above("but it stays small: the baseline's is several times as large", last["baseline"], halved,
              ratio=3)

# %% [markdown]
# ### And the gradient?
#
# **Predict.** Eighteen halved shortcuts leave $2^{-18}$ of the gradient along the line. How large
# is the whole gradient at the first layers, compared with the baseline's?

# %%
@functools.cache  # section 10 asks again for some
def branch_gradients(variant, depth, seed):
    """Return the gradient's norm at each convolution of the stem and the branches."""
    net = deep[variant] if depth == 56 else nets[variant]
    reset_weights(net, seed)
    norms = gradient_norms(net, images, labels)
    return [norm for name, norm in norms.items() if "_conv" in name]


SCALED = ("no shortcut", "shortcut times 0.5", "both times 0.5", "baseline")
at_start = {variant: [branch_gradients(variant, 56, seed) for seed in SEEDS] for variant in SCALED}
plots.show(*plots.curves(range(1, 56), at_start, "convolution", "gradient at its weights", log=True,
                         title="56 layers, before training"))

# %%
first_layer = {variant: [run[0] for run in runs] for variant, runs in at_start.items()}
verdict_above("with halved shortcuts the gradient does not vanish: at the first layer it is larger than the "
              "baseline's", first_layer["shortcut times 0.5"] + first_layer["both times 0.5"],
              first_layer["baseline"], ratio=3)

# %% [markdown] tags=["slide"]
# ## A halved shortcut: the gradient does not vanish
#
# <!-- output -->
#
# <!-- notes -->
# Ask first: 2 to the power of −18 of the gradient remain along the line; how large is the whole
# one? Expected: as small. It explodes, through the branches, like that of a plain network. λ to the
# power of L is about the line alone.

# %% [markdown]
# It *explodes*, like that of a plain network, only less. Lesson 02 has the reason: $\lambda^L$ is
# about the line alone. Each block multiplies the whole gradient by about $\sqrt{\lambda^2 + g^2}$,
# where $g$ is the gain of the branch. A normalised branch divides by the size of what comes in.
# With identity shortcuts the line grows, so $g$ falls from block to block (lesson 05, section 1).
# With halved shortcuts the line stays small, so $g$ stays large. The gradient goes through the
# branches, as in a plain network. That is how He and his colleagues put it, too: the halved line
# "forces it to flow through the weight layers" (Section 3).
#
# ### How far should a gate be open?
#
# The first bias decides. By the bias alone, a gate lets $1 - \sigma(b_g)$ of the shortcut through,
# and a row of $L$ of them that to the power of $L$. He and his colleagues searched $b_g$ from 0 to
# −10, and took −6 for the exclusive gate. Ours start there.
#
# **Predict.** In their network of 54 blocks, how much of the line is open at $b_g = 0$, $-3$, $-6$?

# %%
def opened(bias, blocks):
    return (1 - 1 / (1 + np.exp(-bias))) ** blocks


plots.table(["first bias", *(f"open, blocks: {n}" for n in (1, 6, 18, 54))], [
    [bias, *(f"{opened(bias, n):.3g}" for n in (1, 6, 18, 54))] for bias in (0, -1, -3, -5, -6, -7)])
verdict("at a bias of 0 a row of gates is a row of halved shortcuts; at −6 most of the line is open after "
        "54 blocks", opened(0, 54) == 0.5**54 and opened(GATE_BIAS, 54) > 0.5,
        f"{opened(0, 54):.1e} and {opened(GATE_BIAS, 54):.2f}")

# %% [markdown]
# The paper's errors for 110 layers on CIFAR-10, the median of five runs each (2016b, Table 1).
# "Fail" means an error above 20 %.
#
# | shortcut | error |
# |---|---:|
# | identity | 6.61 % |
# | none (a plain network) | fail |
# | times 0.5 | fail |
# | times 0.5, and the branch as well | 12.35 % |
# | exclusive gate, first bias 0 to −5 | fail |
# | exclusive gate, first bias −6 | 8.70 % |
# | exclusive gate, first bias −7 | 9.81 % |
# | shortcut-only gate, first bias 0 | 12.86 % |
# | shortcut-only gate, first bias −6 | 6.91 % |
# | 1×1 convolution | 12.22 % |
#
# (A seventh, dropout on the shortcut, failed as well.)
#
# **Predict.** Which of ours is worst at 56 layers? Is one better than the baseline?

# %%
show_group("shortcut times 0.5", "both times 0.5", "projected shortcuts", "exclusive gate",
           "shortcut-only gate")

# %% [markdown] tags=["slide"]
# ## Something on every shortcut, at one learning rate
#
# <!-- output -->
#
# <!-- notes -->
# At 56 layers the halved and the projected shortcuts are far behind; the gates are not. At 20 layers
# the exclusive gate is clearly behind, too. A learnt shortcut could become the identity. Ask: so why
# is it not at least as good? Expected: over-fitting. It is behind in training; at this rate and in
# this time training does not find it: lesson 01's riddle again.

# %%
BROKEN = ("shortcut times 0.5", "both times 0.5", "projected shortcuts")
for variant in BROKEN:
    verdict_above(f"at 56 layers and at this rate, {variant}: a training loss several times the baseline's",
                  final_loss[f"{variant} 56"], final_loss["baseline 56"], ratio=3, unit="nats", recorded=True)
gated = final_loss["exclusive gate 56"] + final_loss["shortcut-only gate 56"]
broken = [loss for variant in BROKEN for loss in final_loss[f"{variant} 56"]]
verdict_above("gates that start nearly open are far below those three", broken, gated, ratio=1.5,
              unit="nats", recorded=True)

# %%
shortcuts = against_baseline(*BROKEN, "exclusive gate", "shortcut-only gate")
for depth in (20, 56):
    for variant in ("exclusive gate", "shortcut-only gate"):
        verdict_paired(f"at {depth} layers and at this rate, the {variant} ends with a higher training loss",
                       shortcuts[f"{variant} {depth}: loss"], "nats", recorded=True)
for variant in BROKEN:
    verdict_paired(f"at 20 layers, {variant}: more mistakes on the test images",
                   shortcuts[f"{variant} 20: wrong, %"], "points", recorded=True)

# %% [markdown]
# At 56 layers and at this rate, the halved and the projected shortcuts are far behind the baseline,
# which is the paper's finding at half its depth. But it is not true that what is on a shortcut is
# harmless in 6 blocks and fatal in 18: at 20 layers the exclusive gate is clearly behind the
# baseline, and at 56 layers neither gate comes near the three that fail. For most of the others, 20
# layers are undecided. The gates' biases had little room, by the way: what starts at −6 and moves by
# 0.62 at most is still near −6 in the end, so that a gate could leave its start through $W_g$ alone.
#
# Do not read the projected shortcut as "a 1×1 convolution does harm". It changes three things at
# once: there is a 1×1 convolution on each shortcut, a normalisation beside it, and both start at
# random and not as the identity. Which of the three costs so much, this study cannot say. The paper
# finds option C good in 34 layers (2016a) and poor in 110. A learnt shortcut *could* be the identity,
# so that it ends with a higher *training* loss is no lack of room: training did not find it, here at
# one rate and in two passes. It is lesson 01's riddle again, and the paper draws that conclusion, too
# (2016b, Section 3.2).
#
# ## 7. Fewer blocks in training: stochastic depth
#
# Huang and his colleagues leave out blocks at random while they train, and use all of them
# afterwards (2016, Section 3). Where a block is left out, its shortcut hands the input on. They had
# two reasons. An update through fewer blocks is cheaper. And no block can rely on the one before
# it: lesson 05 took blocks out of a trained network, this *trains* for it.
#
# Block $l$ of $L$ takes part with probability $p_l = 1 - \frac{l}{L}(1 - p_L)$, and
# $p_L = \tfrac12$. Afterwards each branch counts by its $p_l$. The code of a block, without the details:
#
# ```python
# if training:
#     y = relu(x + F(x)) if random() < p else x
# else:
#     y = relu(x + p * F(x))
# ```
#
# The mean number of blocks that take part is the sum of the probabilities:
#
# $$\sum_{l=1}^{L} p_l = L - (1 - p_L)\,\frac{L + 1}{2}.$$
#
# **Predict.** How many of 56 layers does an update train, on average? (The stem and the last layer
# always take part, and a block has three layers.)

# %%
survivals = [deep["stochastic depth"].get_layer(f"{block}_survival") for block in BLOCKS]
reset_weights(deep["stochastic depth"], seed=0)
draw = tf.function(lambda: tf.stack([layer.drawn() for layer in survivals]), autograph=False)
depths = np.array([2 + 3 * np.sum(draw()) for _ in range(2000)])
error = depths.std() / np.sqrt(len(depths))
verdict("the package draws the depth that the formula expects, within four standard errors",
        abs(depths.mean() - expected_depth(56)) < 4 * error,
        f"formula {expected_depth(56):.2f}, mean of {len(depths)} draws {depths.mean():.2f} ± {error:.2f}, "
        f"from {depths.min()} to {depths.max()}")

# %% [markdown]
# And the work? We count the multiply-adds of each block, and weigh them by $p_l$.

# %%
work = dict.fromkeys(["always", *BLOCKS], 0)
for count in layer_counts(deep["baseline"]):
    block = count.name.rpartition("_")[0]
    work[block if block in work else "always"] += count.multiply_adds
trained = work["always"] + sum(layer.probability * work[block]
                               for block, layer in zip(BLOCKS, survivals))
share = trained / sum(work.values())
verdict("at 56 layers an update with stochastic depth costs about three quarters of the multiply-adds",
        0.7 < share < 0.8, f"{share:.1%}")

# %% [markdown]
# Does the clock agree? Both networks of 20 layers, in turns. Times are reported and not judged.

# %%
few = load_mnist(train=1280, val=0, test=0)
trainers = {variant: Trainer(nets[variant]) for variant in ("baseline", "stochastic depth")}
steps = {variant: [] for variant in trainers}
for seed in SEEDS:
    for variant, trainer in trainers.items():
        steps[variant] += np.diff(trainer.run(few, seed, updates=20).seconds).tolist()
plots.table(["network", "layers trained, on average", "milliseconds an update, median"], [
    [variant, f"{depth:.1f}", f"{1000 * np.median(steps[variant]):.1f}"]
    for variant, depth in (("baseline", 20), ("stochastic depth", expected_depth(20)))])

# %% [markdown]
# On CIFAR-10, with 110 layers and 500 passes over the data, stochastic depth lowered the error from
# 6.41 % to 5.25 % (2016, Table 1). We have two passes. Its training loss comes from the shortened
# networks, so it is not comparable: look at the test images.
#
# **Predict.** Better, worse, or undecided?

# %%
show_group("stochastic depth")

# %% [markdown] tags=["slide"]
# ## Stochastic depth: worse, after two passes
#
# <!-- output -->
#
# <!-- notes -->
# In the paper it wins, after 500 passes. Ask: does this contradict it? Expected: yes. No: a network
# that has seen its images twice is far from over-fitting, so what fights over-fitting has nothing
# to win.

# %%
for depth in (20, 56):
    verdict_above(f"at {depth} layers, after two passes, stochastic depth makes more mistakes on the test "
                  "images", wrong[f"stochastic depth {depth}"], wrong[f"baseline {depth}"], unit="%",
                  recorded=True)

# %% [markdown]
# Worse, and not by a little. It contradicts nothing. A network that has seen its images twice is
# far from over-fitting, so what fights over-fitting has nothing to win. It pays with blocks that
# were trained less. Whether it gains in hundreds of passes, this study does not say.
#
# ## 8. The head: an average, or a dense layer?
#
# The baseline takes the average over all pixels, then one dense layer. The older way, and that
# of the article behind this course, <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>
# ([what is known of it](00_start_here.ipynb)), is to keep all pixels and give them to a dense layer of many units, here 128. Lin, Chen
# and Yan (2014, Section 3.2) proposed the average: it has no parameters, so it can hardly over-fit.
#
# **Predict.** How many parameters has the dense head, compared with all the rest of the network?
# (Section 1 has counted.)

# %%
head = 7 * 7 * 32 * 128 + 128 + 128 * 10 + 10
rest = {depth: parameters("dense head", depth) - head for depth in (20, 56)}
verdict("the dense head has several times the parameters of all the layers before it, at 20 and at 56 "
        "layers", head > 3 * max(rest.values()), f"{head} in the head, {rest[20]} and {rest[56]} before it")

# %% [markdown]
# **Predict.** The last pictures have 7 × 7 pixels. A dense head can tell *where* something is; an
# average cannot. Which one wins, on the training images and on the test images?

# %%
show_group("dense head")

# %% [markdown] tags=["slide"]
# ## The head: an average, or a dense layer?
#
# <!-- output -->
#
# <!-- notes -->
# Ask: which wins on the test images, with several times the parameters? Expected: the average,
# since the other over-fits. At 20 layers the dense head is better, on the test images, too; at 56 it
# is worse in each seed. Why, these runs do not tell.

# %%
for what, measure in MEASURES.items():
    verdict_above(f"at 20 layers each run with the dense head is better than each of the baseline: {what}",
                  measure["baseline 20"], measure["dense head 20"], recorded=True)
heads = against_baseline("dense head")
for what, unit in (("loss", "nats"), ("wrong, %", "points")):
    verdict_paired(f"at 56 layers the dense head is worse: {what}", heads[f"dense head 56: {what}"], unit,
                   recorded=True)

# %% [markdown]
# At 20 layers each run with the dense head is better than each of the baseline's, on the test images as
# well (there by so different amounts that their mean is undecided): no sign of over-fitting in two
# passes. At 56 layers the dense head is worse than the average in every pair of runs and in both
# measures, but by so different amounts that the mean is undecided. Digits stand in the middle of
# their pictures, so *where* a stroke is may tell much. On photographs, where things stand anywhere,
# an average may lose less. We did not test that.
#
# ## 9. One row live
#
# One row of the study runs here, with its first three seeds, at 20 layers: the baseline,
# pre-activation, and the exclusive gate. It takes about a minute. The numbers are close to those of
# the record, but not equal: on another machine, or with other versions, rounding differs, and the
# difference grows from update to update.
#
# **Predict.** In the record, one of the two ends clearly above the baseline, and for the other it is
# undecided. Which is which?

# %%
ROW = ("baseline 20", "pre-activation 20", "exclusive gate 20")
live = by_name(sweep({name: settings["networks"][name] for name in ROW}, SEEDS, mnist,
                     updates=settings["updates"], batch_size=settings["batch_size"],
                     learning_rate=settings["learning_rate"], build=variant_network))

# %%
pairs = [(mine.epochs[0]["loss"], theirs.epochs[0]["loss"])
         for name in ROW for mine, theirs in zip(live[name], recorded[name])]
apart = max(abs(mine / theirs - 1) for mine, theirs in pairs)
verdict("the live runs begin as the recorded ones did: the first epoch's loss, within a tenth",
        apart < 0.1, f"{len(pairs)} pairs of runs, at most {apart:.2%} apart")
here = {name: [run.final_loss(100) for run in runs] for name, runs in live.items()}
plots.table(["network", "training loss of the last 100 updates, here", "in the record"], [
    [name, ", ".join(f"{loss:.3f}" for loss in here[name]),
     ", ".join(f"{loss:.3f}" for loss in final_loss[name][:len(SEEDS)])] for name in ROW])

# %%
verdict_above("the exclusive gate is worse than the baseline, here and in the record",
              here["exclusive gate 20"] + final_loss["exclusive gate 20"],
              here["baseline 20"] + final_loss["baseline 20"], ratio=1.2, unit="nats")
for where, losses in (("here", here), ("in the record", final_loss)):
    pairs = zip(losses["pre-activation 20"], losses["baseline 20"])
    print(f"pre-activation less the baseline, {where}:", ", ".join(f"{a - b:+.3f}" for a, b in pairs))

# %% [markdown]
# Do the signs in the last two lines agree? Three differences have one sign by luck in 2 of 8 cases.
# So there is no verdict on those lines, and the record's five seeds leave the question undecided at
# 20 layers, as section 4 has shown.
#
# ## 10. Does the start tell the end?
#
# Sections 3 to 6 looked at variants *before* training. Could one have known the result?
#
# **Predict.** We rank the variants by the gradient at the first layer before training, and by their
# final training loss. Do the rankings agree, at 20 layers, and at 56? (1 means equal rankings, 0
# means that they have nothing to do with each other. Stochastic depth is left out: it draws.)

# %%
def first_gradient(variant, depth):
    """Return the gradient's norm at the first layer, the geometric mean over the seeds."""
    logarithms = [np.log(branch_gradients(variant, depth, seed)[0]) for seed in SEEDS]
    return float(np.exp(np.mean(logarithms)))


def ranks(values):
    return np.argsort(np.argsort(values))


# %%
RANKED = [variant for variant in VARIANTS if variant != "stochastic depth"]
gradients = {depth: [first_gradient(variant, depth) for variant in RANKED] for depth in (20, 56)}
ends = {depth: [np.mean(final_loss[f"{variant} {depth}"]) for variant in RANKED] for depth in (20, 56)}
agreement = {depth: np.corrcoef(ranks(gradients[depth]), ranks(ends[depth]))[0, 1] for depth in (20, 56)}

# %%
order = np.argsort(gradients[56])
plots.table(["variant, 56 layers", "first gradient", "final loss, mean"], [
    [RANKED[i], f"{gradients[56][i]:.3g}", f"{ends[56][i]:.3f}"] for i in order])
verdict_above("at 56 layers the two rankings agree", above=[agreement[56]], below=[0.5],
              unit="rank correlation")
print(f"rank correlation at 20 layers: {agreement[20]:.2f}")

# %% [markdown] tags=["slide"]
# ## Does the start tell the end?
#
# Variants ranked by their first gradient, and by their final loss.
#
# - at 56 layers and at this rate the rankings agree: most that failed had an exploding start
# - at 20 layers they do not
#
# A look costs a second, training costs minutes. So look first.
#
# <!-- notes -->
# Ask: is it a law? Expected: yes, at 56. Norm after addition starts calmly and ends badly, and the
# calmest starts do not end best. The threshold was chosen on these very runs, and a network whose
# gradient explodes may only want another rate.

# %%
base = RANKED.index("baseline")
exploding = [i for i in range(len(RANKED)) if gradients[56][i] > 15 * gradients[56][base]]
verdict("every variant whose first gradient is more than fifteen times the baseline's ends far behind it",
        len(exploding) >= 3 and all(
            min(final_loss[f"{RANKED[i]} 56"]) > 2 * max(final_loss["baseline 56"]) for i in exploding),
        ", ".join(RANKED[i] for i in exploding))

# %% [markdown]
# At 56 layers a look at the start would have warned us of most that failed at this rate. At 20 layers
# the two rankings do not agree. It is no law at 56 either: norm after addition starts without much of
# an alarm and ends badly, and the calmest starts do not end best. And the two thresholds, a half and
# fifteen times, were chosen with these very losses in view, so the verdicts describe the record and
# predict nothing. Whether the rule holds for other seeds, another depth or a searched rate is still
# to be tested. A look costs a second, and training costs minutes. So look first.
#
# ## 11. All in one table
#
# First the training loss, with a question that runs through the whole course: is the deeper network
# better, or does it **degrade**?

# %%
def family(measure):
    """Return the pairs to compare with the baseline: name → runs and the baseline's runs."""
    return {f"{variant} {depth}": (measure[f"{variant} {depth}"], measure[f"baseline {depth}"])
            for variant in VARIANTS if variant != "baseline" for depth in (20, 56)}


deeper = {f"{variant}, deeper": (final_loss[f"{variant} 56"], final_loss[f"{variant} 20"])
          for variant in VARIANTS}
by_loss, by_errors = paired(family(final_loss) | deeper), paired(family(wrong))
DEPTH = {"lower": "gains", "higher": "degrades", "undecided": "undecided"}
rows = []
for variant in VARIANTS:
    row = [variant]
    for name in (f"{variant} 20", f"{variant} 56"):
        row += [interval(final_loss[name]), word(by_loss[name]) if name in by_loss else ""]
    rows.append([*row, DEPTH[word(by_loss[f"{variant}, deeper"])]])
plots.table(["variant", "20 layers: training loss", "against baseline", "56 layers: training loss",
             "against baseline", "from 20 to 56 layers"], rows)

# %%
for variant in ("no shortcut", "norm after addition", *BROKEN):
    verdict_paired(f"{variant}, at this rate: 56 layers end with a higher training loss than 20",
                   by_loss[f"{variant}, deeper"], "nats", recorded=True)
print("undecided:", ", ".join(row[0] for row in rows if row[-1] == "undecided"))

# %% [markdown]
# The five that put something on the line in every block, or leave it out, degrade with depth at this
# rate. For those that are undecided, five seeds do not tell whether depth helps or harms. The network
# without normalisation is one of them, though it ends higher at 56 layers in every pair.
#
# Now the test images, and beside them the paper's test error on CIFAR-10 with 110 layers (He 2016b,
# Tables 1 and 2; for stochastic depth Huang 2016, Table 1, where the baseline has 6.41 %). The
# sizes cannot be compared: other images, another depth, more than a hundred passes over the data
# instead of two. The *side* can. Does a variant stand on the same side of the baseline? The paper
# gives a median of five runs and no spread, so we read no side into less than half a point ("too
# close"). "Undecided" means that the paper has a side and our pairs of runs do not decide.

# %%
PAPER = {  # test error in per cent, and how that is beside the paper's baseline
    "baseline": ("6.61", ""), "no shortcut": ("fail", "higher"),
    "pre-activation": ("6.37", "too close"), "relu-only pre-activation": ("6.71", "too close"),
    "relu before addition": ("7.84", "higher"), "norm after addition": ("8.17", "higher"),
    "shortcut times 0.5": ("fail", "higher"), "both times 0.5": ("12.35", "higher"),
    "projected shortcuts": ("12.22", "higher"), "exclusive gate": ("8.70", "higher"),
    "shortcut-only gate": ("6.91", "too close"), "stochastic depth": ("5.25", "lower"),
}


def same_side(variant):
    """Compare our side of the baseline, on the test images at 56 layers, with the paper's."""
    if variant == "baseline" or variant not in PAPER:
        return "—"
    theirs, ours = PAPER[variant][1], word(by_errors[f"{variant} 56"])
    if theirs == "too close":
        return theirs
    return ours if ours == "undecided" else "yes" if ours == theirs else "no"

# %%
rows = []
for variant in VARIANTS:
    row = [variant]
    for depth in (20, 56):
        name = f"{variant} {depth}"
        row += [interval(wrong[name], 2), word(by_errors[name]) if name in by_errors else ""]
    rows.append([*row, PAPER.get(variant, ("—",))[0], same_side(variant)])
plots.table(["variant", "20 layers: wrong, %", "against baseline", "56 layers: wrong, %",
             "against baseline", "paper: error, %", "same side at 56?"], rows)

# %%
answers = {variant: same_side(variant) for variant in PAPER if variant != "baseline"}
verdict("at 56 layers, wherever our runs decide and the paper's difference is not too close, both stand on "
        "the same side of the baseline", "no" not in answers.values() and "yes" in answers.values(),
        ", ".join(f"{list(answers.values()).count(answer)} {answer}"
                  for answer in ("yes", "undecided", "too close", "no")), recorded=True)

# %% [markdown]
# One of the undecided ones is stochastic depth, for which the paper has a lower error. In section 7
# each of our runs with it made more mistakes than each run of the baseline; among thirty comparisons
# five pairs do not decide it.

# %% [markdown] tags=["slide"]
# ## Beside the paper
#
# <!-- output -->
#
# <!-- notes -->
# Other images, half the depth, two passes instead of a hundred, one rate: only the side of the
# baseline can be compared. Ask: what does undecided mean? Expected: equal. Five pairs of runs do not
# tell, where the paper has a difference.

# %% [markdown]
# ## 12. What this shows, and what it does not
#
# - **Depth matters.** At 20 layers most of the differences are small or undecided. At 56, and at this
#   rate, some stand out by factors.
# - **Leave the line alone**, at least at this rate: without shortcuts, with a factor of a half, with
#   a normalisation on the line, or with a 1×1 convolution and a normalisation that start at random,
#   56 layers end far behind the baseline. That a ReLU on the line does harm, these runs do not show.
# - **Normalisation matters**, and one learnt number a block replaces part of it at 56 layers.
# - **Some famous improvements are not seen here**: pre-activation, whose training loss is a little
#   higher at 56 layers, and stochastic depth. A zero $\gamma$ is undecided at 56 layers. Their papers
#   trained longer, on harder images, or with far deeper networks, so this is a finding about this
#   size, and not a verdict on them.
#
# The limits: one learning rate, searched for none of the networks, and a lower one for three of them.
# So no ranking here is a property of a variant: it may be one of the rate. Two passes over the data: a
# variant that starts slowly had no time to catch up, and a $\gamma$ or $\alpha$ of zero could not even
# reach 1. Five seeds, so small differences stay undecided. Digits, which are easy and stand in the
# middle. Narrow bottlenecks; the paper's Table 1 has wider blocks of two 3×3 convolutions.
#
# You have now seen which choices made a difference in one experiment, and how far such an experiment
# can tell. Can you build one yourself, for your own images, and say honestly how good it is? That is
# lesson 08, "your turn".
#
# ## Summary
#
# - Change one thing at a time, with several seeds, compare seed by seed, and say beforehand what counts
#   as a difference. A ranking at one learning rate is a ranking at that rate.
# - A clean line needs two things: an identity shortcut, and nothing after the addition. Then
#   $x_L = x_l + \sum_i F_i(x_i)$ exactly, and the gradient is $I$ plus the gradient of the sum.
# - A factor $\lambda$ on each shortcut leaves $\lambda^L$ of the signal on the line. The memory of
#   the first layers is lost, and the gradient goes through the branches, where it explodes as in a
#   plain network.
# - With a zero $\gamma$ or a zero $\alpha$, a network of 56 layers starts as one of 8, to the last
#   bit.
# - With $p_L = \tfrac12$, stochastic depth trains about three quarters of the blocks.
# - What the runs cannot tell is undecided, and undecided is not equal.
#
# ## Quiz
#
# Five questions. Each option says at once why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("07")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - Leave the line alone: at one rate and 56 layers, most of what stands on it costs a lot.
# - Without shortcut or normalisation, training is worse, at both depths.
# - Some famous improvements are not seen at this size; one rate, two passes.
# - Compare seed by seed. What the pairs do not decide is undecided, not equal.
#
# **Exercises:** lesson 07; the last one is for a discussion.
#
# <!-- notes -->
# Ask: which variant would you use tomorrow? Expected: the newest. The baseline, with a look at the
# gradients before training.

# %% [markdown]
# <!-- quiz: 07 -->
#
# ## Exercises
#
# Reading is only half the work. [Exercises to lesson 07](exercises/07_variants.ipynb): to build, to mend, to
# predict and run, with checks that answer at once and hints that unfold, and one to discuss.
#
# ## References
#
# - S. Holm 1979: *A Simple Sequentially Rejective Multiple Test Procedure*. Scandinavian Journal of
#   Statistics 6(2).
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). The baseline's block: Section 3. Option C:
#   Section 4.1.
# - K. He, X. Zhang, S. Ren, J. Sun 2016b: *Identity Mappings in Deep Residual Networks*. ECCV.
#   [arXiv:1603.05027](https://arxiv.org/abs/1603.05027). The clean line: Section 2, equations 3 to
#   5. Scaled, gated and projected shortcuts: Section 3, Figure 2, Table 1. Orders: Section 4,
#   Figure 4, Tables 2 and 3. First and last block: appendix.
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
