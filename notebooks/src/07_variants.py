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
# 5. decide whether two sets of runs differ, and say "no difference at this size" where that is the
#    finding.
#
# **Prerequisites.** Lessons [02](02_residual_learning.ipynb) (the unrolled sum, scaled shortcuts),
# [03](03_bottleneck_block.ipynb) (bottleneck, projection, padded shortcut),
# [04](04_plain_vs_residual.ipynb) (the baseline) and [05](05_inside_the_network.ipynb) (gradients
# by layer, networks without normalisation).
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
from resnet_lesson.verdicts import verdict, verdict_above

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
# Two networks **differ** here if every run of one is beyond every run of the other. If some runs
# overlap, we say "no clear difference". That is a strict rule. Can luck fool it?
#
# **Predict.** Suppose that a change does nothing at all. Ten runs, five with it and five without,
# then stand in a random order. In how many of all orders does the rule see a difference?

# %%
ten = set(range(10))  # the runs, from best to worst
groups = list(itertools.combinations(ten, 5))  # where the five runs of the variant stand
fooled = [five for five in groups
          if max(five) < min(ten - set(five)) or min(five) > max(ten - set(five))]
verdict("luck fools the rule in 2 of 252 cases", (len(fooled), len(groups)) == (2, 252),
        f"{len(fooled)} of {len(groups)}")
comparisons = 2 * (len(VARIANTS) - 1)
print(f"false alarms to expect in {comparisons} comparisons: {comparisons * 2 / 252:.2f}")

# %% [markdown] tags=["slide"]
# ## When do two variants differ?
#
# Five runs each. They differ if **every** run of one is beyond **every** run of the other.
#
# <!-- output -->
#
# <!-- notes -->
# Ask: can luck fool this rule? Expected: no. In 2 of 252 orders. With thirty comparisons one false
# alarm would be no surprise; and five seeds do not show a small difference: no clear difference is
# not equal.

# %% [markdown]
# So the rule is seldom wrong, but with many comparisons one false alarm would be no surprise. Mind
# the other side, too: five seeds do not show a *small* difference. "No clear difference" is not
# "equal".
#
# All variants share one learning rate. It is the one that the course uses for the baseline, and it
# was never searched for any of them. A variant may do better with another. Section 5 asks that
# where it matters most: without normalisation.

# %%
final_loss, wrong = {}, {}
for run in study["results"]:
    final_loss.setdefault(run["name"], []).append(run["final_loss"])
    wrong.setdefault(run["name"], []).append(100 * (1 - run["test_accuracy"]))
MEASURES = {"training loss, last 100 updates": final_loss, "wrong on the test set, %": wrong}

# %%
def against(measure, name, other):
    """Say how the runs of one network lie to those of another."""
    if max(measure[name]) < min(measure[other]):
        return "better"
    return "worse" if min(measure[name]) > max(measure[other]) else "no clear difference"


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
# batch. So it was asked early whether a residual network needs it. Lesson 05 gave a reason: without
# it, each block adds as much as is there already.
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
# Take a show of hands. Expected: the shortcut, at both depths. At 20 layers both hurt alike; at 56
# the plain network has learnt next to nothing, and the other only lags behind.

# %%
for depth in (20, 56):
    for variant in ("no shortcut", "no normalisation"):
        verdict_above(f"at {depth} layers, {variant} ends with a higher training loss than the baseline",
                      final_loss[f"{variant} {depth}"], final_loss[f"baseline {depth}"], unit="nats")
verdict("at 20 layers there is no clear difference between the two",
        against(final_loss, "no shortcut 20", "no normalisation 20") == "no clear difference",
        f"means {np.mean(final_loss['no shortcut 20']):.2f} and "
        f"{np.mean(final_loss['no normalisation 20']):.2f} nats")
verdict_above("at 56 layers it is worse to leave out the shortcuts", final_loss["no shortcut 56"],
              final_loss["no normalisation 56"], ratio=1.5, unit="nats")

# %% [markdown]
# Both are needed, and depth tells them apart. At 56 layers the plain network has learnt next to
# nothing in these updates. The network without normalisation learns, and lags behind.
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
#   4).
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
# ## Orders: only one of them matters here
#
# <!-- output -->
#
# <!-- notes -->
# A normalisation on the line fails at 56 layers, as in the paper. That pre-activation helps does
# not show at this depth; the paper's large gain is at 1001 layers. Ask: so is the paper wrong?
# Expected: perhaps. It says itself that the ReLU is not severe with fewer layers.

# %%
others = [order for order in ORDERS if order != "norm after addition"]
verdict_above("at 56 layers, norm after addition is the worst of the five orders, and far behind",
              final_loss["norm after addition 56"],
              [loss for order in others for loss in final_loss[f"{order} 56"]], ratio=3, unit="nats")
near = [against(measure, f"{order} {depth}", f"baseline {depth}")
        for order in ORDERS[2:] for depth in (20, 56) for measure in MEASURES.values()]
verdict("no clear difference at this size: the three orders with a clean line, against the baseline, in "
        "either measure and at either depth", set(near) == {"no clear difference"},
        f"{len(near)} comparisons")

# %% [markdown]
# The one order that puts *more* on the line fails at 56 layers. It is the worst in both columns of
# the paper as well. That the *baseline's* ReLU does harm does not show here, nor that
# pre-activation helps. The paper expects as much: the ReLU after the addition is "not severe" with
# fewer layers, such as 164 (Section 4.2). Their large gain is at 1001 layers: 7.61 % against 4.92 %
# (Table 3). The harm of a ReLU before the addition, clear in the paper, does not show here either.
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
#   residual network: it keeps the branches small beside the line (lesson 05, section 4). If so,
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
# De and Smith's idea holds halfway: at 56 layers one number repairs much of what the missing
# normalisation costs, at 20 layers it does not help. Ask: does a zero γ help? Expected: yes,
# everybody uses it. In two passes over the data it does not show.

# %%
verdict_above("at 56 layers, α makes the network without normalisation better", final_loss["no normalisation 56"],
              final_loss["branch scale 56"], ratio=1.3, unit="nats")
for depth in (20, 56):
    verdict_above(f"at {depth} layers it stays behind the baseline", final_loss[f"branch scale {depth}"],
                  final_loss[f"baseline {depth}"], unit="nats")
verdict_above("a zero γ costs training loss at 20 layers", final_loss["zero last gamma 20"],
              final_loss["baseline 20"], unit="nats")
found = [against(measure, "zero last gamma 56", "baseline 56") for measure in MEASURES.values()]
verdict("at 56 layers there is no clear difference between a γ of 0 and of 1",
        set(found) == {"no clear difference"}, f"{len(found)} measures")

# %% [markdown]
# So De and Smith's idea holds halfway here: at 56 layers, one number a block repairs much of what
# the missing normalisation costs. It does not bring the network to the baseline, and at 20 layers
# it does not help. Starting as a shallow network is not free either: in two passes over the data,
# the branches have to grow first.
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
                      final_loss[f"{variant} {depth}{LOW}"], final_loss[f"{variant} {depth}"], unit="nats")

# %% [markdown]
# None gains, in the time that they have: with small steps they do not get far. So the rate was not
# too high for them. A higher one was not tried.
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
# With identity shortcuts the line grows, so $g$ falls from block to block (lesson 05, section 4).
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
# ## What is on every shortcut ruins deep networks
#
# <!-- output -->
#
# <!-- notes -->
# For 6 blocks it hardly matters, for 18 it does: halved, projected. A learnt shortcut could become
# the identity. Ask: so why is it not at least as good? Expected: over-fitting. Training does not
# find it: lesson 01's riddle again.

# %%
BROKEN = ("shortcut times 0.5", "both times 0.5", "projected shortcuts")
for variant in BROKEN:
    verdict_above(f"at 56 layers, {variant}: a training loss several times the baseline's",
                  final_loss[f"{variant} 56"], final_loss["baseline 56"], ratio=3, unit="nats")
gated = final_loss["exclusive gate 56"] + final_loss["shortcut-only gate 56"]
verdict_above("gates that start nearly open come between: above the baseline", gated,
              final_loss["baseline 56"], unit="nats")
broken = [loss for variant in BROKEN for loss in final_loss[f"{variant} 56"]]
verdict_above("and far below those three", broken, gated, ratio=1.5, unit="nats")
found = [against(wrong, f"{variant} 20", "baseline 20") for variant in (*BROKEN, "shortcut-only gate")]
verdict("at 20 layers, on the test images, none of these shortcuts clearly differs from the baseline: "
        "halved (both ways), projected, shortcut-only gate", set(found) == {"no clear difference"},
        f"{len(found)} comparisons")

# %% [markdown]
# That is the paper's finding, at half its depth. What is on every shortcut hardly matters for 6
# blocks, and ruins 18. The paper says the same of option C: good in 34 layers (2016a), poor in 110.
# And a learnt shortcut *could* be the identity. That it ends worse is no lack of room: training
# does not find it. It is lesson 01's riddle again, and the paper draws that conclusion, too (2016b,
# Section 3.2).
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
# **Predict.** Better, worse, or no clear difference?

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
                  "images", wrong[f"stochastic depth {depth}"], wrong[f"baseline {depth}"], unit="%")

# %% [markdown]
# Worse, and not by a little. It contradicts nothing. A network that has seen its images twice is
# far from over-fitting, so what fights over-fitting has nothing to win. It pays with blocks that
# were trained less. Whether it gains in hundreds of passes, this study does not say.
#
# ## 8. The head: an average, or a dense layer?
#
# The baseline takes the average over all pixels, then one dense layer. The older way, and the
# article's, is to keep all pixels and give them to a dense layer of many units, here 128. Lin, Chen
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
# since the other over-fits. At 20 layers the dense head is better, on the test images, too. Digits
# stand in the middle, so where a stroke is tells much.

# %%
for what, measure in MEASURES.items():
    verdict_above(f"at 20 layers the dense head is better: {what}", measure["baseline 20"],
                  measure["dense head 20"])
found = [against(measure, "dense head 56", "baseline 56") for measure in MEASURES.values()]
verdict("at 56 layers there is no clear difference", set(found) == {"no clear difference"},
        f"{len(found)} measures")

# %% [markdown]
# At 20 layers the many parameters help, on the test images as well: no sign of over-fitting in two
# passes. At 56 layers the runs overlap, and those of the dense head lie further apart. Digits stand
# in the middle of their pictures, so *where* a stroke is may tell much. On photographs, where things
# stand anywhere, an average may lose less. We did not test that.
#
# ## 9. One row live
#
# One row of the study runs here, with its first three seeds, at 20 layers: the baseline,
# pre-activation, and the exclusive gate. It takes about a minute. The numbers are close to those of
# the record, but not equal: on another machine, or with other versions, rounding differs, and the
# difference grows from update to update.
#
# **Predict.** The record says of the two: no clear difference for one, worse for the other. Which
# is which?

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
print("pre-activation, here:", against(here, "pre-activation 20", "baseline 20"),
      "(three seeds); in the record:", against(final_loss, "pre-activation 20", "baseline 20"))

# %% [markdown]
# Do the two answers in the last line agree? With three seeds the rule is easier to fool: in 2 of 20
# cases instead of 2 of 252. So there is no verdict on that line, and the record's five seeds count.
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
# - at 56 layers the rankings agree: most that failed had an exploding start
# - at 20 layers the start tells nothing
#
# A look costs a second, training costs minutes. So look first.
#
# <!-- notes -->
# Ask: is it a law? Expected: yes, at 56. Norm after addition starts calmly and ends badly, and the
# calmest starts do not end best.

# %%
base = RANKED.index("baseline")
exploding = [i for i in range(len(RANKED)) if gradients[56][i] > 15 * gradients[56][base]]
verdict("every variant whose first gradient is more than fifteen times the baseline's ends far behind it",
        len(exploding) >= 3 and all(
            min(final_loss[f"{RANKED[i]} 56"]) > 2 * max(final_loss["baseline 56"]) for i in exploding),
        ", ".join(RANKED[i] for i in exploding))

# %% [markdown]
# At 56 layers a look at the start would have warned us of most that failed. At 20 layers it tells
# nothing. It is no law at 56 either: norm after addition starts without much of an alarm and ends
# badly, and the calmest starts do not end best. A look costs a second, and training costs minutes.
# So look first.
#
# ## 11. All in one table
#
# First the training loss, with a question that runs through the whole course: is the deeper network
# better, or does it **degrade**?

# %%
DEPTH = {"better": "gains", "worse": "degrades", "no clear difference": "no clear difference"}
rows = []
for variant in VARIANTS:
    names = [f"{variant} {depth}" for depth in (20, 56)]
    row = [variant]
    for name, base in zip(names, ("baseline 20", "baseline 56")):
        row += [interval(final_loss[name]), "" if name == base else against(final_loss, name, base)]
    rows.append([*row, DEPTH[against(final_loss, names[1], names[0])]])
plots.table(["variant", "20 layers: training loss", "against baseline", "56 layers: training loss",
             "against baseline", "from 20 to 56 layers"], rows)

# %%
degrades = {row[0] for row in rows if row[-1] == "degrades"}
breakers = {"no shortcut", "norm after addition", *BROKEN}
verdict("the five that break the line in every block degrade from 20 to 56 layers; of the others, none "
        "but the dense head and the network without normalisation may", breakers <= degrades
        and degrades <= breakers | {"dense head", "no normalisation"}, ", ".join(sorted(degrades)))

# %% [markdown]
# Now the test images, and beside them the paper's test error on CIFAR-10 with 110 layers (He 2016b,
# Tables 1 and 2; for stochastic depth Huang 2016, Table 1, where the baseline has 6.41 %). The
# sizes cannot be compared: other images, another depth, more than a hundred passes over the data
# instead of two. The *order* can. Does a variant stand on the same side of the baseline? "Open" means that our
# runs overlap where the paper has a difference.

# %%
PAPER = {  # test error in per cent, and how that is beside the paper's baseline
    "baseline": ("6.61", ""), "no shortcut": ("fail", "worse"),
    "pre-activation": ("6.37", "better"), "relu-only pre-activation": ("6.71", "no clear difference"),
    "relu before addition": ("7.84", "worse"), "norm after addition": ("8.17", "worse"),
    "shortcut times 0.5": ("fail", "worse"), "both times 0.5": ("12.35", "worse"),
    "projected shortcuts": ("12.22", "worse"), "exclusive gate": ("8.70", "worse"),
    "shortcut-only gate": ("6.91", "worse"), "stochastic depth": ("5.25", "better"),
}


def same_side(variant):
    """Compare our side of the baseline, on the test images at 56 layers, with the paper's."""
    if variant == "baseline" or variant not in PAPER:
        return "—"
    ours = against(wrong, f"{variant} 56", "baseline 56")
    return "yes" if ours == PAPER[variant][1] else "open" if ours == "no clear difference" else "no"

# %%
rows = []
for variant in VARIANTS:
    row = [variant]
    for depth in (20, 56):
        name, base = f"{variant} {depth}", f"baseline {depth}"
        row += [interval(wrong[name], 2), "" if name == base else against(wrong, name, base)]
    rows.append([*row, PAPER.get(variant, ("—",))[0], same_side(variant)])
plots.table(["variant", "20 layers: wrong, %", "against baseline", "56 layers: wrong, %",
             "against baseline", "paper: error, %", "same side at 56?"], rows)

# %%
answers = {variant: same_side(variant) for variant in PAPER if variant != "baseline"}
verdict("at 56 layers the paper and we stand on opposite sides for stochastic depth alone",
        [variant for variant, answer in answers.items() if answer == "no"] == ["stochastic depth"],
        ", ".join(f"{list(answers.values()).count(answer)} {answer}" for answer in ("yes", "open", "no")))

# %% [markdown] tags=["slide"]
# ## Beside the paper
#
# <!-- output -->
#
# <!-- notes -->
# Other images, half the depth, two passes instead of a hundred: only the side of the baseline can
# be compared. Ask: what does open mean? Expected: equal. Our runs overlap where the paper has a
# difference.

# %% [markdown]
# ## 12. What this shows, and what it does not
#
# - **Depth decides.** At 20 layers many choices hardly matter. At 56 the ones that matter stand out
#   by factors.
# - **Leave the line alone.** Nothing, a factor of a half, a 1×1 convolution, a normalisation on the
#   line in every block: each of these ruins 56 layers. A ReLU on it does no harm that shows at this
#   size.
# - **Normalisation matters**, and one learnt number a block replaces part of it at 56 layers.
# - **Some famous improvements do not show**: pre-activation, a zero $\gamma$, stochastic depth.
#   Their papers trained longer, on harder images, or with far deeper networks. "No clear
#   difference" is a finding about this size, and not a verdict on them.
#
# The limits: one learning rate, never searched for any variant, and a lower one for three of them.
# Two passes over the data: a variant that starts slowly had no time to catch up. Five seeds, so
# small differences do not show. Digits, which are easy and stand in the middle. Narrow bottlenecks;
# the paper's Table 1 has wider blocks of two 3×3 convolutions.
#
# You have now seen which choices carry a residual network and which do not. Can you build one
# yourself, for your own images, and say honestly how good it is? That is lesson 08, "your turn".
#
# ## Summary
#
# - Change one thing at a time, with several seeds, and say beforehand what counts as a difference.
# - A clean line needs two things: an identity shortcut, and nothing after the addition. Then
#   $x_L = x_l + \sum_i F_i(x_i)$ exactly, and the gradient is $I$ plus the gradient of the sum.
# - A factor $\lambda$ on each shortcut leaves $\lambda^L$ of the signal on the line. The memory of
#   the first layers is lost, and the gradient goes through the branches, where it explodes as in a
#   plain network.
# - With a zero $\gamma$ or a zero $\alpha$, a network of 56 layers starts as one of 8, to the last
#   bit.
# - With $p_L = \tfrac12$, stochastic depth trains about three quarters of the blocks.
# - What does not show at this size is said so.
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
# - Leave the line alone: what stands on it matters little for 6 blocks, and much for 18.
# - Shortcut and normalisation: both are needed at depth.
# - Some famous improvements do not show at this size, and one shows the other way round.
# - Every run beyond every run, or: no clear difference at this size.
#
# **Exercises:** lesson 07, 1 to 5; number 6 for a discussion.
#
# <!-- notes -->
# Ask: which variant would you use tomorrow? Expected: the newest. The baseline, with a look at the
# gradients before training.

# %% [markdown]
# <!-- quiz: 07 -->
#
# ## Exercises
#
# Reading is half of it. [Exercises to lesson 07](exercises/07_variants.ipynb): six tasks, each with a check
# that answers at once and with hints that unfold.
#
# ## References
#
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
