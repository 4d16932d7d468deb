# %% [markdown]
# # 05 · Inside the network
#
# **Question.** Why does the shortcut help?
#
# **Objectives.** After this lesson you can
#
# 1. measure the gradient at every layer, and say what the shortcut does to it;
# 2. count the paths through a residual network, and say which of them carry the gradient;
# 3. take a block out of a trained network, and say beforehand whether it will be missed;
# 4. read with a linear probe what a layer's output still tells about the digit;
# 5. say which published explanations your machine confirms at this size, and which it does not.
#
# **Prerequisites.** Lessons [01](01_degradation.ipynb) (vanishing gradient),
# [02](02_residual_learning.ipynb) (branch, gradient of a block),
# [03](03_bottleneck_block.ipynb) (stage, padded shortcut) and
# [04](04_plain_vs_residual.ipynb) (the experiment that needs an explanation).
#
# **Reading time:** 50 minutes. **Computing time:** 2 minutes on two cores, without a GPU.

# %% [markdown] tags=["slide"]
# # 05 · Inside the network
#
# Why does the shortcut help?
#
# <!-- notes -->
# Lesson 04 showed that it helps. Ask: what explanations do you know? Collect them: vanishing
# gradients, ensembles, small changes, lost information, smooth landscape. Each predicts something
# that can be measured. Today we measure.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import functools
import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from resnet_lesson import diagrams, plots, widgets
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import (
    activations, autocorrelation, branch_ratios, exchangeable, filter_normalised_direction,
    gradient_norms, gradients_by_length, input_gradients, kept_averages, losses_around,
    path_gradients, probe_accuracy, reordered, response_deviations, run_parts, set_averages,
    without_branch,
)
from resnet_lesson.models import network, reset_weights, segments
from resnet_lesson.runs import by_name
from resnet_lesson.sweep import sweep
from resnet_lesson.training import evaluate
from resnet_lesson.verdicts import verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## 1. Three networks to look into
#
# Lesson 04 showed *that* the shortcut helps. It did not show *why*. Since 2015 several explanations
# have been published. Each predicts something that can be measured inside a network. We measure
# them one by one.
#
# We need a plain and a residual network of equal depth that have **both** learnt to read digits.
# Otherwise we would compare a good network with a bad one. At 18 layers that works. For what only
# shows in deeper networks we add a residual network of 34 layers.
#
# All have basic blocks: two 3×3 convolutions each. They do not narrow, so a plain block can come
# close to the identity too ([inserting blocks](deeper/02_inserting_blocks.ipynb), where Dirac kernels do it; its
# normalisation keeps it from being that exactly). Stage 1 has 8 channels and 14 × 14 pixels, stage 2 has 16 channels and 7 × 7 pixels.

# %%
SHAPE = {"block": "basic", "widths": (8, 16)}
NETWORKS = {
    "plain 18": SHAPE | {"depth": 18, "shortcut": "none"},
    "residual 18": SHAPE | {"depth": 18, "shortcut": "padded"},
    "residual 34": SHAPE | {"depth": 34, "shortcut": "padded"},  # the deep one
}
nets = {name: network(**config) for name, config in NETWORKS.items()}
plots.table(["network", "blocks", "parameters"], [
    [name, len(segments(net)) - 2, sum(math.prod(v.shape) for v in net.trainable_variables)]
    for name, net in nets.items()
])

# %% [markdown]
# We train each with three seeds. In the last third the learning rate is a quarter of what it was,
# so that the networks come to rest. This is the longest cell of the lesson.

# %%
SEEDS, UPDATES = (0, 1, 2), 300
mnist = load_mnist(train=12800, val=1000, test=0)
rates = [(0, 2e-3), (2 * UPDATES // 3, 5e-4)]
records = sweep(NETWORKS, SEEDS, mnist, updates=UPDATES, learning_rate=rates)

# %%
accuracies = {name: [run.epochs[-1]["val_accuracy"] for run in runs]
              for name, runs in by_name(records).items()}
plots.table(["network", *(f"validation accuracy, seed {seed}" for seed in SEEDS)],
            [[name, *(f"{one:.1%}" for one in group)] for name, group in accuracies.items()])
verdict_above("every network has learnt to read at least three digits in four",
              above=[one for group in accuracies.values() for one in group], below=[0.75],
              unit="right")

# %% [markdown] tags=["slide"]
# ## Three networks that have learnt
#
# <!-- output -->
#
# A good network beside a bad one would explain nothing.
#
# <!-- notes -->
# 18 layers is where plain and residual both learn. Ask: why not compare at 56? Expected: because it
# takes long. There the plain network has learnt nothing, so everything in it differs.

# %% [markdown]
# Residual is a little ahead, as in lesson 04. Both are good enough to be looked into. Two small
# helpers give us the networks as they were before or after training. Then we need a batch to look
# at.

# %%
first = {}  # (name, seed) → weights before training
for name, net in nets.items():
    for seed in SEEDS:
        reset_weights(net, seed)
        first[name, seed] = net.get_weights()
trained = {(run.name, run.seed): run.weights for run in records}


def load(name, seed, weights=trained):
    """Return the network with the weights that it had after training, or before."""
    nets[name].set_weights(weights[name, seed])
    return nets[name]


def each_seed(measure, name, weights=trained):
    """Return what measure(network) gives, one list for each seed."""
    return [measure(load(name, seed, weights)) for seed in SEEDS]


images, labels = mnist.train.images[:64], mnist.train.labels[:64]

# %% [markdown]
# ## 2. Does the gradient arrive?
#
# The article behind this course, <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>
# ([what is known of it](00_start_here.ipynb)), says that residual networks avoid vanishing *and* exploding
# gradients. Lesson 01 looked at plain networks with batch normalisation, and found gradients that
# *grow* on their way back to the first layer. What does the shortcut do to that?
#
# We measure the norm of the loss gradient at each layer's weights, before training. To see what
# depth does, we add a plain network of 34 layers. (We do not train it: it would be far behind.)
#
# **Predict.** Draw the four lines: plain and residual, 18 and 34 layers. Which is steepest?

# %%
nets["plain 34"] = network(**SHAPE, depth=34, shortcut="none")
for seed in SEEDS:
    reset_weights(nets["plain 34"], seed)
    first["plain 34", seed] = nets["plain 34"].get_weights()


def by_layer(net):
    return list(gradient_norms(net, images, labels).values())


ALL = ("plain 18", "residual 18", "plain 34", "residual 34")
at_start = {name: each_seed(by_layer, name, first) for name in ALL}
layers = {name: range(1, len(runs[0]) + 1) for name, runs in at_start.items()}
plots.show(*plots.curves(layers, at_start, "layer", "gradient at the layer's weights", log=True,
                         title="Before training"))

# %% [markdown] tags=["slide"]
# ## Does the gradient arrive?
#
# <!-- output -->
#
# <!-- notes -->
# Before training, with batch normalisation. Ask: which line is steepest? Expected: plain 34,
# falling towards the first layer. It is the steepest, and it rises: nothing vanishes, the plain
# gradient explodes, and the shortcut tames that.

# %%
first_layer = {name: np.array([run[0] for run in runs]) for name, runs in at_start.items()}
larger = {depth: first_layer[f"plain {depth}"] / first_layer[f"residual {depth}"] for depth in (18, 34)}
verdict_above("at 34 layers, before training, the plain network's first layer has a gradient several "
              "times that of the residual one, in each seed", larger[34], [4], unit="times")
verdict_above("from 18 to 34 layers, the plain network's grows at least twice as much as the "
              "residual one's, in each seed", larger[34] / larger[18], [2], unit="times as much")
ratios = [run[0] / run[-2] for runs in at_start.values() for run in runs]
verdict_above("nothing vanishes: in no network is the first layer's gradient less than half of the "
              "last convolution's", ratios, [0.5])

# %% [markdown]
# With batch normalisation there is no vanishing gradient to cure, at either depth. What explodes is
# the *plain* gradient. Without shortcuts, batch normalisation makes it grow by a factor at every
# layer (Yang 2019, abstract). The shortcut tames that growth. So one half of the article's sentence
# is confirmed, the other has nothing to act on here. Section 7 takes the normalisation away.
#
# (The last layer of the residual networks is an exception, on the far right. Its input has grown by
# all the additions, and the gradient at a weight is proportional to what comes in.)
#
# ### After training
#
# **Predict.** Which of the two has the larger gradients after training, at 18 layers?

# %%
after = {name: each_seed(by_layer, name) for name in ("plain 18", "residual 18")}
plots.show(*plots.curves(range(1, 19), after, "layer", "gradient at the layer's weights", log=True,
                         title="18 layers, after training"))

# %%
for when, found in (("before", at_start), ("after", after)):
    at_first = [run[0] for name in ("plain 18", "residual 18") for run in found[name]]
    apart = max(at_first) / min(at_first)
    verdict(f"at 18 layers, {when} training, the first layer's gradients of all six networks are "
            "within a factor of ten of each other", apart < 10, f"largest over smallest {apart:.1f}")

# %% [markdown]
# ## 3. Many paths
#
# ### Take the gradient apart
#
# Lesson 02 gave the gradient through one residual block as $I + J_l$, with $J_l = \partial F_l /
# \partial x_l$. Through $n$ blocks it is a product, and a product of sums can be multiplied out:
#
# $$(I + J_2)(I + J_1)(I + J_0) = I + J_0 + J_1 + J_2 + J_1 J_0 + J_2 J_0 + J_2 J_1 + J_2 J_1 J_0.$$
#
# Each term is a **path**: at each block it takes the branch ($J_l$) or the shortcut ($I$). The
# number of branches on it is its **length**. This is how Veit, Wilber and Belongie see a residual
# network (2016, Section 3, Figure 1).

# %%
plots.show(*diagrams.unrolled_paths(3))

# %% [markdown] tags=["slide"]
# ## The gradient is a sum over paths
#
# <!-- output: 380 -->
#
# $(I + J_2)(I + J_1)(I + J_0)$, multiplied out: $2^n$ terms.
#
# <!-- notes -->
# Veit and his colleagues (2016). Ask: 16 blocks; how many paths, and how long is the average one?
# Expected: 16 paths. 65,536, and 8 branches. For the gradient this is exact, for the forward pass
# it is a picture.

# %% [markdown]
# For the gradient this is exact: the tape computes with the slopes at one point, so all is linear.
# A ReLU after the addition multiplies both ways by 0 or 1 and changes nothing in the count. For the
# forward pass it is only a picture, since $F_1(x + F_0(x))$ is not $F_1(x) + F_1(F_0(x))$.
#
# A path of length $k$ chooses $k$ of $n$ blocks, so there are $\binom{n}{k}$ of them, and $2^n$ in
# all.
#
# **Predict.** The network of 34 layers has 16 blocks. How many paths are there? How many branches
# has the average path?

# %%
BLOCKS = 16
lengths = [sum(path) for path in itertools.product((0, 1), repeat=BLOCKS)]  # every path, one by one
counted = np.bincount(lengths)
formula = [math.comb(BLOCKS, k) for k in range(BLOCKS + 1)]
verdict("the number of paths of each length is a binomial coefficient",
        np.array_equal(counted, formula),
        f"{len(lengths)} paths, average length {np.mean(lengths):g}, {formula[8]} of length 8")

# %% [markdown]
# ### Which paths carry the gradient?
#
# All the paths have their share in the gradient. `gradients_by_length` sums it up for each length.
# It goes backwards once. At each block, what came on paths of length $k$ goes on as length $k$
# through the shortcut, and as length $k + 1$ through the branch.
#
# First a check: do the lengths add up to the gradient that the tape computes?

# %%
def whole_gradient(net):
    """Return the loss gradient at the stem's output, by the tape alone."""
    stem, *blocks_and_head = segments(net).values()
    with kept_averages(net):
        x = tf.constant(stem(images, training=True))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for part in blocks_and_head:
                y = part(y, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, y)
            loss = tf.reduce_mean(losses)
        return tape.gradient(loss, x).numpy()


# %%
flows = each_seed(lambda net: gradients_by_length(net, images, labels), "residual 34")
wholes = each_seed(whole_gradient, "residual 34")
apart = [np.abs(flow.sum(axis=0) - whole).max() / np.abs(whole).max()
         for flow, whole in zip(flows, wholes)]
verdict("the gradients of all lengths add up to the tape's gradient", max(apart) < 1e-4,
        f"largest difference {max(apart):.1e} of the largest value, over {len(apart)} seeds")

# %% [markdown]
# **Predict.** If all paths carried equal gradients in one direction, the gradient would follow the
# number of paths. Does
# it come on shorter paths than that, or on longer ones?

# %%
def shares(flow):
    """Return the norm at each length, divided by the sum of the norms."""
    norms = np.array([np.linalg.norm(one) for one in flow])
    return norms / norms.sum()


by_length = {"number of paths": np.array(formula) / 2**BLOCKS,
             "norm of the gradient": [shares(flow) for flow in flows]}
plots.show(*plots.curves(range(BLOCKS + 1), by_length, "length of the path", "share",
                         title="16 blocks, trained"))

# %% [markdown] tags=["slide"]
# ## It comes on shorter paths than the average one
#
# <!-- output -->
#
# <!-- notes -->
# With 16 blocks. Ask: and with 8 blocks? Expected: the same. There it comes on longer ones: a path
# is cheap where the branch is large, and only the later blocks have small ones.

# %%
mean_length = [float(np.arange(BLOCKS + 1) @ shares(flow)) for flow in flows]
verdict_above("with 16 blocks, the gradient comes on shorter paths than the average one",
              above=[BLOCKS / 2], below=mean_length, unit="branches")
short = each_seed(lambda net: gradients_by_length(net, images, labels), "residual 18")
print("8 blocks, average path 4 branches, the gradient's:",
      ", ".join(f"{np.arange(9) @ shares(flow):.2f}" for flow in short))

# %% [markdown]
# Look at the last line. With only 8 blocks it is the other way round: longer than average. A path is
# cheap where the branch is large, and section 4 will show that only the later blocks have small ones.
#
# Veit and his colleagues went the other way: they drew single paths and measured each one's
# gradient (2016, Section 5). We do the same, ten paths of each length.
#
# **Predict.** How does the gradient on one path depend on the length?

# %%
LENGTHS = (0, 4, 8, 12, 16)
draw = np.random.default_rng(0)
paths = [draw.permutation(BLOCKS) < k for k in LENGTHS for _ in range(10)]


def on_one_path(net):
    gradients = path_gradients(net, images, labels, paths)
    norms = [np.linalg.norm(one) for one in gradients]
    return np.reshape(norms, (len(LENGTHS), 10)).mean(axis=1)


single = each_seed(on_one_path, "residual 34")
plots.show(*plots.curves(LENGTHS, {"one path, mean of ten": single}, "length of the path",
                         "norm of the gradient", log=True, title="16 blocks, trained"))

# %%
verdict_above("the path through all 16 branches carries less than a thirtieth of what the path "
              "through all shortcuts carries", [run[0] for run in single],
              [run[-1] for run in single], ratio=30)

# %% [markdown]
# On the logarithmic axis it falls all the way: each branch costs the path a factor. There
# are many long paths and each carries little; there are few short ones and each carries much. The
# bulk of the gradient comes on those in between. In this sense a deep residual network is trained
# like a shallower one. Veit and his colleagues had 54 blocks, so the average path had 27. Nearly
# all of the gradient came on paths of 5 to 17 (2016, Section 5). They multiplied the norm on one path
# by the number of paths. We take the norm of the sum, in which paths partly cancel, so the two
# numbers cannot be compared directly.
#
# ## 4. How much does one block do?
#
# ### Responses of layers
#
# He, Zhang, Ren and Sun looked at the **response** of each 3×3 layer: its output after batch
# normalisation, before ReLU or addition. In residual networks the standard deviation of the
# responses was generally smaller than in plain ones. They took that as support for their idea that
# residuals are closer to zero (2016a, Section 4.2, Figure 7).
#
# **Predict.** What is the standard deviation before training, when each $\gamma$ is 1 and each
# $\beta$ is 0? And after 300 updates?

# %%
before = [one for name in ("plain 18", "residual 18")
          for run in each_seed(lambda net: response_deviations(net, images), name, first)
          for one in run.values()]
verdict("before training every response has a standard deviation of 1",
        np.allclose(before, 1, atol=0.01), f"{len(before)} layers, from {min(before):.4f} to {max(before):.4f}")

# %%
responses = {name: [list(run.values()) for run in
                    each_seed(lambda net: response_deviations(net, images), name)]
             for name in ("plain 18", "residual 18")}
plots.show(*plots.curves(range(1, 17), responses, "3×3 layer in the blocks",
                         "standard deviation of the response", title="18 layers, after training"))

# %% [markdown] tags=["slide"]
# ## Smaller responses: in stage 1, and not in stage 2
#
# <!-- output -->
#
# <!-- notes -->
# He and his colleagues found smaller responses in residual networks. Ask: what do you see in the
# residual line? Expected: noise. It zigzags: only the second layer of a block, the one before the
# addition, moves; below 1 in the first stage and above it in the second. A mean over all layers hides
# both.

# %%
stage1 = {name: [np.mean(run[1:8:2]) for run in runs] for name, runs in responses.items()}
stage2 = {name: [np.mean(run[9:15:2]) for run in runs] for name, runs in responses.items()}
verdict_above("in stage 1, the second layer of a residual block responds less than that of a plain one, "
              "on average over the blocks", stage1["plain 18"], stage1["residual 18"])
verdict_above("in stage 2, all blocks but the last: it responds more", stage2["residual 18"],
              stage2["plain 18"])
for name, runs in responses.items():
    print(f"{name}, mean over all layers:", ", ".join(f"{np.mean(run):.3f}" for run in runs))

# %% [markdown]
# Look at the zigzag before you average it away. The first layer of each residual block stays where
# it was. The second one, whose output is added to the shortcut, responds less in stage 1, as He and his
# colleagues found, and more in stage 2; in the very last layer the plain network responds most of all.
# The mean over all layers cancels these, and would tell us that nothing had happened.
#
# How can a response change at all? Batch normalisation fixes it: its variance is the mean of
# $\gamma^2$ plus the variance of $\beta$. So only $\gamma$ and $\beta$ can change it. Ours begin at
# 1 and 0, and 300 updates move them little. He and his colleagues trained for 64,000 updates, with a
# weight decay that pulls weights towards zero (Section 4.2). A fair test of their finding would need
# that.

# %%
def by_formula(net):
    norms = [layer for layer in net.layers if "_norm" in layer.name and "block" in layer.name]
    return [np.sqrt(np.mean(np.square(norm.gamma)) + np.var(norm.beta)) for norm in norms]


apart = max(np.abs(np.subtract(each_seed(by_formula, name), responses[name])).max()
            for name in responses)
verdict("the response follows from γ and β alone", apart < 0.01,
        f"largest difference {apart:.4f}, over {2 * 3 * 16} layers")

# %% [markdown]
# ### Branch against shortcut
#
# A better question, then: how large is $F(x)$ *compared with $x$*? Before training we can say it
# beforehand. Each normalised branch has variance 1, whatever comes in. The line has gathered the
# variances of all branches before, so after $l$ blocks it is about proportional to $l$. Then
#
# $$\frac{\lVert F_l(x_l) \rVert}{\lVert x_l \rVert} \approx \frac{c}{\sqrt{l}} :$$
#
# the later the block, the less it changes. De and Smith (2020, Section 2) derive this, and see in
# it the reason why deep residual networks can be trained at all.
#
# **Predict.** Does training change that?

# %%
sizes = {}
for when, weights in (("before training", first), ("after training", trained)):
    runs = each_seed(lambda net: branch_ratios(net, images), "residual 34", weights)
    sizes[when] = [list(run.values()) for run in runs]
plots.show(*plots.curves(range(1, BLOCKS + 1), sizes, "block", "‖F(x)‖ over ‖shortcut(x)‖",
                         title="34 layers, residual"))

# %% [markdown] tags=["slide"]
# ## The later the block, the less it changes
#
# <!-- output: 430 -->
#
# $\lVert F_l(x_l) \rVert\, /\, \lVert x_l \rVert \approx c / \sqrt{l}$
#
# <!-- notes -->
# Each normalised branch has variance 1, and the line has gathered those of all blocks before. Ask:
# does training change that? Expected: yes, a lot. Not much: that surprises most.

# %%
for when, runs in sizes.items():
    verdict_above(f"{when}, the last block changes its input less than half as much as the first "
                  "block does", [run[0] for run in runs], [run[-1] for run in runs], ratio=2)

# %% [markdown]
# The jump at block 9 is where stage 2 begins. There the shortcut drops pixels and fills up with
# zeros, so what it carries is smaller. Is $c$ a constant nevertheless? We multiply by $\sqrt l$ and
# look at what is left.

# %%
ratio = np.array(sizes["before training"])
c = ratio * np.sqrt(range(1, BLOCKS + 1))
verdict("before training the ratio is c/√l, with a c that varies by less than a factor of two over "
        "all blocks and seeds", c.max() / c.min() < 2, f"c from {c.min():.2f} to {c.max():.2f}, "
        f"the ratio itself from {ratio.min():.2f} to {ratio.max():.2f}")

# %% [markdown]
#
# The first branch is larger than what it is added to. The last ones are a fraction of it. That
# answers the question of section 3: a branch that is small compared with its shortcut passes little
# gradient. And it makes a prediction. Which blocks can a trained network do without?
#
# ## 5. What if a block is missing?
#
# Veit and his colleagues took single blocks out of a trained network and measured the error
# (2016, Section 4.1). Without its branch, a residual block gives out its input unchanged. A plain
# block that is left out hands its input on in the same way, so both kinds get the same treatment.
# Where the shape changes, the padded shortcut is left, or takes the plain block's place.
#
# **Predict.** One block of a trained plain network is gone. What is its accuracy? And a residual
# one's?

# %%
looked_at = mnist.val.images[:250], mnist.val.labels[:250]


def accuracy(parts):
    return evaluate(run_parts(parts, looked_at[0]), looked_at[1])[1]


cut = functools.cache(segments)  # each network is cut into its parts only once
TRAINED = ("plain 18", "residual 18", "residual 34")


def one_missing(net):
    """Return the accuracy of the whole network, and that without each of its blocks."""
    parts = cut(net)
    without = [accuracy(without_branch(parts, block)) for block in exchangeable(parts)]
    return accuracy(parts), without


missing = {name: each_seed(one_missing, name) for name in TRAINED}
whole = {name: [full for full, _ in runs] for name, runs in missing.items()}
deleted = {name: [without for _, without in runs] for name, runs in missing.items()}

# %% [markdown] tags=["slide"]
# ## What if a block is missing?
#
# A residual block without its branch passes on its input. A plain one is skipped in the same way.
#
# **Predict:** one block of a trained network is gone. What is left of the accuracy: plain? residual?
#
# <!-- notes -->
# Take a show of hands for both. Expected: about chance for both, since the layers build on each
# other.

# %%
blocks = {name: range(1, len(runs[0]) + 1) for name, runs in deleted.items()}
plots.show(*plots.curves(blocks, deleted, "block that is taken out", "accuracy without it",
                         title="One block missing"))

# %% [markdown] tags=["slide"]
# ## One block missing
#
# <!-- output -->
#
# <!-- notes -->
# Ask: which block is missed most? Expected: the last one. The first ones, and the one where the
# stage changes. There the branch is large; but they also come early, and these runs do not tell the
# two apart. At 18 layers the paper's finding shows only halfway, at 34 it shows.

# %%
mean = {name: [np.mean(run) for run in runs] for name, runs in deleted.items()}
verdict_above("at 18 layers, without a block, residual networks keep more accuracy than plain ones, "
              "on average over the blocks", mean["residual 18"], mean["plain 18"], ratio=1.5)
kept = [np.median(run) / full for run, full in zip(deleted["residual 34"], whole["residual 34"])]
verdict_above("at 34 layers, half of the residual blocks can each be taken out, and at least four "
              "fifths of the accuracy stay", kept, [0.8], unit="of the accuracy")

# %% [markdown]
# On average over the blocks the plain network loses most of its accuracy. Each of its layers has
# learnt to read what the layer before it writes, and nothing else. The residual network loses little
# in its later blocks, whose branches are small, and much in its first ones. At 18 layers the paper's
# finding shows only halfway. At 34 layers it shows.
#
# Veit and his colleagues found that blocks which change the shape are missed more than others. Ours
# has the largest branch of its stage, too, so its size alone may explain what you see.

# %%
CHANGE = 8  # the ninth block begins stage 2
losses = [[full - left for left in run] for run, full in
          zip(deleted["residual 34"], whole["residual 34"])]
at_change = [run[CHANGE] for run in losses]
others = [np.mean(run[CHANGE + 1:]) for run in losses]
verdict("in each seed, the block at the change of stage is missed more than the average block of its "
        "stage: one and a half times at least", all(one > 1.5 * other for one, other in zip(at_change, others)),
        "; ".join(f"{one:.3f} lost, {other:.3f} on average" for one, other in zip(at_change, others)))

# %% [markdown]
# Does the size of the branch tell which blocks are missed? We rank the blocks by branch size, and by
# the accuracy that is lost without them. The correlation of the two rankings is 1 if they are the
# same, and about 0 if they have nothing to do with each other.
#
# **Predict.** Which is it nearer to?

# %%
def ranks(values):
    return np.argsort(np.argsort(values))


agreement = [np.corrcoef(ranks(ratio), ranks(lost))[0, 1]
             for ratio, lost in zip(sizes["after training"], losses)]
verdict_above("at 34 layers, the blocks with larger branches are those whose loss costs more: the "
              "rankings agree", above=agreement, below=[0.6], unit="rank correlation")

# %% [markdown]
# They agree, and that does not yet make the size of the branch the reason. Branches get smaller from
# block to block, and so does the damage, so the mere *position* of a block would rank them in much the
# same way. To tell the two apart one would have to change the size of one branch and leave it where it
# is. We have not done that.
#
# ### Take blocks out yourself
#
# The figure shows which share of each digit's images the network of 34 layers still reads without one
# or more blocks in a row (first seed). With a running kernel, the sliders choose where the gap begins
# and how many blocks it has. One seed makes no claim: this is to play with.
#
# **Predict.** Four blocks in a row at the end of the network, or one at its beginning: which is
# worse? Does the network confuse all digits, or does it take all for the same one?

# %%
def first_network(name):
    """Return a network with the first seed's trained weights, which nothing else changes."""
    net = network(**NETWORKS[name])
    net.set_weights(trained[name, 0])
    return net


# %%
deep = cut(first_network("residual 34"))
BYPASSED = {block: without_branch(deep, block)[block] for block in exchangeable(deep)}


def share_read(parts):
    """Return the share of each digit's images that is read correctly."""
    right = run_parts(parts, looked_at[0]).argmax(axis=1) == looked_at[1]
    return [right[looked_at[1] == digit].mean() for digit in range(10)]


whole_network = share_read(deep)
_ = share_read(deep | BYPASSED)  # compiles them, so that no slider has to


def gap(begins_at, blocks):
    """Draw the share of each digit that is read with some blocks in a row taken out."""
    out = list(BYPASSED)[begins_at - 1:begins_at - 1 + blocks]
    found = {"whole": whole_network,
             "with the gap": share_read(deep | {block: BYPASSED[block] for block in out})}
    named = f"{len(out)} from block {begins_at} on" if out else "none"
    return plots.curves(range(10), found, "digit", "share read", title=f"Blocks taken out: {named}")


# %%
sliders = widgets.explore(gap, {"begins_at": 1, "blocks": 1},
                          begins_at=range(1, len(BYPASSED) + 1), blocks=range(6))

# %% [markdown]
# ### Two neighbours swapped, and a stage shuffled
#
# Blocks of one shape can also change places. Greff, Srivastava and Schmidhuber see in such
# experiments a sign that the blocks of a stage do not build new features one upon the other. They
# refine one and the same estimate step by step, and the order of the steps matters little (2017,
# Sections 2 and 3).
#
# **Predict.** Which is worse for a residual network: a block missing, or two swapped?

# %%
def swapped(net):
    """Return the accuracy for each pair of neighbours of one shape that change places."""
    parts = cut(net)
    kinds = exchangeable(parts)
    pairs = [(a, b) for a, b in itertools.pairwise(kinds) if kinds[a] == kinds[b]]
    return [accuracy(reordered(parts, [b, a])) for a, b in pairs]


swaps = {name: each_seed(swapped, name) for name in TRAINED}
medians = {"one missing": deleted, "two swapped": swaps}
medians = {what: {name: [np.median(run) for run in runs] for name, runs in found.items()}
           for what, found in medians.items()}
plots.table(["network", *(f"median accuracy, {what}" for what in medians), "whole"], [
    [name, *(", ".join(f"{one:.2f}" for one in runs[name]) for runs in (*medians.values(), whole))]
    for name in TRAINED
])

# %%
swapped_pair, one_gone = medians["two swapped"], medians["one missing"]
verdict_above("at 18 layers, swapped neighbours cost plain networks more than residual ones",
              swapped_pair["residual 18"], swapped_pair["plain 18"], ratio=2, unit="right")
kept = [median / full for median, full in zip(swapped_pair["residual 34"], whole["residual 34"])]
verdict_above("at 34 layers, half of the swaps leave at least four fifths of the accuracy", kept,
              [0.8], unit="of the accuracy")
mistakes = [(1 - swap, 1 - gone)
            for swap, gone in zip(swapped_pair["residual 34"], one_gone["residual 34"])]
verdict("at 34 layers, two blocks swapped cause fewer mistakes than one missing: by the median, in "
        "each seed", all(swap < gone for swap, gone in mistakes),
        "; ".join(f"wrong {swap:.1%} swapped, {gone:.1%} missing" for swap, gone in mistakes))

# %% [markdown]
# A swapped block still does its work, only at another place. A missing one does none.
#
# Now we shuffle more: all blocks of each stage that keep its shape, or only its first four, or only
# those after the first four. That leaves four blocks of stage 1 and three of stage 2, for the block
# that changes the shape has no other of its kind.
#
# **Predict.** Which of the three does the 34-layer residual network survive?

# %%
def shuffled(net, which, draws=4):
    """Return the mean accuracy with some blocks of each stage shuffled; `which` is a slice."""
    random, parts, results = np.random.default_rng(0), cut(net), []
    kinds = exchangeable(parts)
    for _ in range(draws):
        moved = parts
        for kind in dict.fromkeys(kinds.values()):
            stage = [block for block in kinds if kinds[block] == kind][which]
            if len(stage) > 1:
                moved = reordered(moved, list(random.permutation(stage)))
        results.append(accuracy(moved))
    return float(np.mean(results))


WHICH = {"all": slice(None), "the first four": slice(4), "the others": slice(4, None)}
mixed = {what: each_seed(functools.partial(shuffled, which=which), "residual 34")
         for what, which in WHICH.items()}
plots.table(["shuffled, of each stage", *(f"accuracy, seed {seed}" for seed in SEEDS)],
            [[what, *(f"{one:.2f}" for one in runs)] for what, runs in mixed.items()])
verdict_above("shuffling the later blocks of each stage leaves far more accuracy than shuffling "
              "its first four, or all", mixed["the others"], mixed["the first four"] + mixed["all"],
              ratio=2, unit="right")

# %% [markdown] tags=["slide"]
# ## Shuffled blocks
#
# <!-- output -->
#
# <!-- notes -->
# Which blocks may change places? Ask: all, the first four, or the others? Expected: none. The later
# ones: "the order hardly matters" holds for blocks that do little, and not for the first ones.

# %% [markdown]
# With its first blocks shuffled, the network is near chance. They change everything, and their place
# is fixed. With the later ones shuffled it still reads most digits. So "the order hardly matters"
# holds for blocks that do little, and not for the others.
#
# ## 6. Is information lost?
#
# The article says that plain convolutions "more or less lose information". No layer can *add*
# information about the digit: it sees only what the layer before it gives. But what does "lose"
# mean, and how would one measure it?
#
# We give it a meaning. A **linear probe** is a linear classifier that gets a layer's output and
# nothing else (Alain and Bengio, 2016). Its accuracy says how much about the digit can be *read* in
# the simplest way. Ours is ridge regression: it maps a layer's $n$ output vectors $f_i$ to ten
# numbers each, which should be 1 for the right digit and 0 for the others, and the largest wins:
#
# $$\min_{W, b} \sum_{i=1}^n \lVert W f_i + b - y_i \rVert^2 + \lambda \lVert W \rVert^2.$$
#
# The second term keeps $W$ small. Its strength $\lambda$ is a hundredth of the features' variances,
# added up, so that a layer with larger outputs has no advantage. The solution is one system of
# linear equations, so nothing is left to luck. It is fitted on 1,000 training images and scored on
# the 1,000 validation images.
#
# **Predict.** Before training the weights are random. How does the probe's accuracy change from
# block to block, in a plain and in a residual network? And after training?

# %%
def probes(net):
    """Return the probe's accuracy on the stem's output and on that of each block."""
    names = [layer.name for layer in net.layers if layer.name.endswith("_out")]
    fit = activations(net, mnist.train.images[:1000], names)
    test = activations(net, mnist.val.images, names)
    return [probe_accuracy(fit[name], mnist.train.labels[:1000], test[name], mnist.val.labels)
            for name in names]


pixels = probe_accuracy(mnist.train.images[:1000], mnist.train.labels[:1000],
                        mnist.val.images, mnist.val.labels)
read = {(name, when): each_seed(probes, name, weights) for name in ("plain 18", "residual 18")
        for when, weights in (("before training", first), ("after training", trained))}
print(f"accuracy of the probe on the pixels themselves: {pixels:.3f}")

# %%
lines = {f"{name}, {when}": runs for (name, when), runs in read.items()}
plots.show(*plots.curves(range(9), lines, "block (0: the stem)", "accuracy of a linear probe",
                         title="What can be read from each block's output"))

# %% [markdown] tags=["slide"]
# ## Is information lost?
#
# <!-- output -->
#
# <!-- notes -->
# A linear probe reads the digit from a layer's output. Before training, random plain layers garble
# it, block after block; the residual network keeps most of it. Ask: does "not read" mean "gone"?
# Expected: yes. Only a rank argument proves that something is gone.

# %%
last = {key: [run[-1] for run in runs] for key, runs in read.items()}
stem = {key: [run[0] for run in runs] for key, runs in read.items()}
START, END = "before training", "after training"
verdict_above("before training, far more can be read from the last residual block than from the "
              "last plain one", last["residual 18", START], last["plain 18", START], ratio=2)
verdict_above("before training, a plain network's blocks make most of what the stem offers "
              "unreadable", stem["plain 18", START], last["plain 18", START], ratio=3)

# %%
for name in ("plain 18", "residual 18"):
    misread = [[1 - share for share in place[name, END]] for place in (stem, last)]
    verdict_above(f"{name}: after training, fewer digits are misread behind the last block than "
                  "behind the stem", *misread, unit="misread")

# %% [markdown]
# So for this reader the article's sentence holds where training begins. Random plain layers garble the
# digit, block after block. The residual network loses too, but slowly: most of the line is carried
# on. (The stem beats the pixels themselves. It adds no information; it makes it easier to read, and
# that is what the probe measures.) Training teaches the plain layers not to garble, at this depth. But
# a deep plain network must first find its way out.
#
# ### Would another reader do better?
#
# "Not read by a linear probe" does not mean "gone". So we try a reader of quite another kind: it
# finds, among the 1,000 training images, the one whose block output is **nearest**, and takes over
# its label.
#
# **Predict.** Can it read what the linear probe could not?

# %%
def nearest(net):
    """Return the accuracy of taking over the label of the nearest training image."""
    fit, test = (activations(net, part.images[:1000], ["stage2_block4_out"])["stage2_block4_out"]
                 .reshape(1000, -1).astype(float) for part in (mnist.train, mnist.val))
    squares = np.sum(test**2, axis=1)[:, None] + np.sum(fit**2, axis=1) - 2 * test @ fit.T
    return float(np.mean(mnist.train.labels[squares.argmin(axis=1)] == mnist.val.labels))


by_nearest = {name: each_seed(nearest, name, first) for name in ("plain 18", "residual 18")}
verdict_above("before training, the nearest neighbour too finds far more behind the last residual "
              "block than behind the last plain one", by_nearest["residual 18"],
              by_nearest["plain 18"], ratio=2, unit="right")

# %% [markdown]
# Two readers agree. It is still no proof that all is gone: nobody has tried every reader. What is
# proved to be gone is what a rank argument shows, as with blocks that narrow (lesson 03).
#
# ## 7. Without normalisation
#
# Lesson 02 saw the gain of unnormalised residual blocks explode. How fast, exactly? Take the
# simplest chain:
#
# $$x_{l+1} = x_l + W_l\, \mathrm{ReLU}(x_l), \qquad
# W_l \text{ random with mean 0 and variance } 2/n.$$
#
# The variance $2/n$ is made so that the branch keeps the mean square of its input (He initialisation):
# half of it survives the ReLU, and the 2 makes up for that. Branch and line are uncorrelated, since
# $W_l$ is new and has mean 0. So their mean squares add up: **each block doubles it**.
#
# | chain | mean square after $L$ blocks |
# |---|---|
# | plain: branch alone | 1 |
# | residual | $2^L$ |
# | residual, branch times $1/\sqrt L$ | $(1 + 1/L)^L < e$ |
# | residual, branch normalised | $1 + L$ |
#
# See Zhang, Dauphin and Ma (2019, Section 2) and De and Smith (2020, Section 2). A zero-initialised
# branch changes nothing: 1.
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
FORMULAS = {"plain": 1.0 + 0 * steps, "residual": 2.0**steps, "scaled": (1 + 1 / LENGTH) ** steps,
            "normalised": 1.0 + steps}
chains = {kind: [mean_squares(kind, seed) for seed in SEEDS] for kind in FORMULAS}

# %%
plots.show(*plots.curves(steps, chains, "blocks", "mean square, over that at the start", log=True,
                         title="Chains before training"))

# %% [markdown] tags=["slide"]
# ## Without normalisation each block doubles the mean square
#
# <!-- output -->
#
# <!-- notes -->
# Branch and line are uncorrelated, so their mean squares add up. Ask: 20 residual blocks, by what
# factor? Expected: 20. Two to the power of 20, a million. Divide the branch by the root of L, or
# normalise it, and it stays.

# %%
for kind, within in (("plain", 3), ("residual", 3), ("scaled", 1.2), ("normalised", 1.2)):
    expected, ends = FORMULAS[kind][-1], [run[-1] for run in chains[kind]]
    off = max(max(end / expected, expected / end) for end in ends)
    verdict(f"{kind}: after {LENGTH} blocks the mean square is the formula's, within a factor of "
            f"{within}", off < within, f"formula {expected:.4g}, measured "
            + ", ".join(f"{end:.4g}" for end in ends))

# %% [markdown]
# The formulas hold on average over all random weights. One chain wanders around them, the more the
# fewer units it has. Where each block multiplies by its own chance factor, the chances multiply too,
# and the chain may wander far. Where a block adds little to the line, it stays close.
#
# Now the course's own blocks without normalisation. They have a second convolution, a ReLU after
# the addition, and zeros at the borders of the image, so we expect growth, but not exactly a
# doubling.
#
# **Predict.** How does the first layer's gradient depend on the depth? And with zero-initialised
# branches?

# %%
exploding = {"residual": {}, "residual, zero branches": {}}
for depth in (6, 18, 34):
    for name, zero_init in zip(exploding, (False, True)):
        net = network(**SHAPE, depth=depth, normalisation=False, zero_init=zero_init)
        exploding[name][depth] = []
        for seed in SEEDS:
            reset_weights(net, seed)
            exploding[name][depth].append(gradient_norms(net, images, labels)["stem_conv"])
plots.show(*plots.dots(exploding, "layers", "gradient at the first layer", log=True,
                       title="Without normalisation, before training"))

# %% [markdown] tags=["slide"]
# ## Without normalisation, the shortcut causes the explosion
#
# <!-- output -->
#
# <!-- notes -->
# The article says that residual networks avoid both. Ask: what did we find? Expected: it holds. The
# plain chain with these weights stays where it is; adding the shortcut makes it double at each block.
# Plain with normalisation explodes, too; together the two tame it. With zero branches depth makes no
# difference at all.

# %%
verdict_above("without normalisation, the residual gradient explodes with depth: 34 layers against "
              "6", exploding["residual"][34], exploding["residual"][6], ratio=5)
zero = exploding["residual, zero branches"]
verdict("with zero branches the depth makes no difference at all",
        np.allclose(zero[34], zero[6], rtol=1e-3),
        "; ".join(f"{depth} layers: {', '.join(f'{one:.4f}' for one in runs)}"
                  for depth, runs in zero.items()))

# %% [markdown]
# So it is worse than that the shortcut fails to prevent exploding gradients, as the article says it
# does. With weights of this size, and without normalisation, the plain chain keeps its mean square,
# and it is the shortcut that *causes* the explosion: it adds the line to a branch that is already as
# large. (That is shown for the chain. The figure of the course's own blocks has no plain network in
# it, so for these we have only seen that the residual ones explode.) Shortcut and normalisation
# together tame it: plain with normalisation explodes (section 2), residual without it explodes
# (here). The article's network has no normalisation, but only five blocks and small first weights.
# Lesson 06 will look.
#
# ## 8. Shattered gradients
#
# The size of a gradient is one thing. Another is whether it *says* anything about the
# neighbourhood. Balduzzi and colleagues (2017) compare the gradient at one input with that at the
# next. If they have nothing to do with each other, they argue, a step that helps one image is noise to
# a similar one.
#
# ### The formula
#
# Take two inputs that have nothing in common: each unit is on with probability ½ for either,
# independently. Both are on in a quarter of the cases. Going back through a layer with variance
# $2/n$, the square of each gradient is multiplied by $2 \cdot \tfrac12 = 1$, and their product by
# $2 \cdot \tfrac14 = \tfrac12$. The **correlation** of the two is the product over
# the square. After $L$ layers it is
#
# $$\begin{aligned}
# \text{plain:} &\quad \frac{1}{2^L} \\
# \text{residual:} &\quad \Big(\frac{1 + \frac12}{1 + 1}\Big)^L = \Big(\frac34\Big)^L \\
# \text{residual, normalised:} &\quad
# \prod_{l=1}^{L} \frac{1 + \frac{1}{2l}}{1 + \frac1l} \approx \frac{1.13}{\sqrt L}.
# \end{aligned}$$
#
# In the third, the $l$-th branch is weaker by $1/\sqrt l$, as in section 4 (Section 3 of the paper).
# We check all three, with many random layers.

# %%
def correlations(kind, seed, layers=8, runs=2000, n=64):
    """Correlate the gradients at two inputs, after each of some random layers."""
    random = np.random.default_rng(seed)
    a = random.normal(size=(runs, n))
    b, found = a.copy(), []
    for layer in range(1, layers + 1):
        W = random.normal(size=(n, n)) * np.sqrt(2 / n)
        on_a, on_b = random.random((2, runs, n)) < 0.5  # which units are on
        branch_a, branch_b = on_a * (a @ W), on_b * (b @ W)
        size = 1 / np.sqrt(layer) if kind == "normalised" else 1
        a, b = (branch_a, branch_b) if kind == "plain" else (a + size * branch_a, b + size * branch_b)
        found.append(np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2)))
    return found


# %%
depth = np.arange(1, 9)
THEORY = {"plain": 0.5**depth, "residual": 0.75**depth,
          "normalised": np.cumprod((1 + 0.5 / depth) / (1 + 1 / depth))}
found = {kind: [correlations(kind, seed) for seed in SEEDS] for kind in THEORY}
plots.table(["layers", *(f"{kind}: {what}" for kind in THEORY for what in ("formula", "measured"))], [
    [n, *(f"{value[n - 1]:.3f}" for kind in THEORY
          for value in (THEORY[kind], np.mean(found[kind], axis=0)))] for n in (1, 2, 4, 8)
])
off = max(np.abs(np.subtract(found[kind], THEORY[kind])).max() for kind in THEORY)
verdict("the three formulas hold", off < 0.05, f"largest difference {off:.3f}")

# %% [markdown]
# ### Real networks
#
# The formulas assume inputs that are far apart. For near ones we measure. A dense network of 200
# units a layer, with batch normalisation, gets one number $x$. We take 256 values of $x$ from −2 to
# 2 and compute $\partial f / \partial x$ at each, before training, as in the paper's Figure 1.
#
# **Predict.** What does the derivative look like along $x$, for 26 layers, plain and residual?

# %%
grid = np.linspace(-2, 2, 256, dtype="float32").reshape(-1, 1, 1, 1)  # "images" of one pixel


def derivatives(depth, shortcut):
    """Return the derivative at each point of the grid, one row for each seed."""
    net = network(depth, shortcut, block="dense", widths=(200,), input_shape=(1, 1, 1), classes=1)
    rows = []
    for seed in SEEDS:
        reset_weights(net, seed)
        set_averages(net, grid)  # normalise with the statistics of the grid
        rows.append(input_gradients(net, grid).ravel())
    return rows


KINDS = {"plain": "none", "residual": "padded"}
slopes = {(kind, depth): derivatives(depth, shortcut) for kind, shortcut in KINDS.items()
          for depth in (4, 10, 26)}

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.4), layout="constrained", sharey=True)
near, texts = slice(96, 160), []  # the middle quarter of the grid
for ax, kind in zip(axes, KINDS):
    slope = slopes[kind, 26][0]
    texts.append(plots.curves(grid.ravel()[near], {"first seed": slope[near] / slope.std()}, "x",
                              "df/dx, in standard deviations", ax=ax, title=f"{kind}, 26 layers")[1])
plots.show(axes[0], " ".join(texts))

# %% [markdown] tags=["slide"]
# ## Shattered gradients
#
# <!-- output -->
#
# <!-- notes -->
# The derivative of a network of 26 layers along one number x, before training. Ask: which picture
# would you rather walk downhill in? Expected: the right one. On the left the derivative at one input
# says nothing about that at its neighbour. It is a derivative by the input, in a network that has one
# input; that the gradients by the weights behave alike is the paper's argument, and not shown here.

# %% [markdown]
# The **autocorrelation** at lag $k$ says how much a series resembles itself, shifted by $k$ places.
# At lag 0 it is 1. For **white noise**, where each value is drawn anew, it is near 0 at every other
# lag. Of 256 values of white noise, 95 in 100 have an autocorrelation within $\pm 2/\sqrt{256}$.

# %%
LAGS = 10
alike = {f"{kind} {depth}": [autocorrelation(row, LAGS) for row in rows]
         for (kind, depth), rows in slopes.items()}
plots.show(*plots.curves(range(LAGS + 1), alike, "lag, in points of the grid", "autocorrelation",
                         title="How much the gradient resembles its neighbours"))

# %% [markdown] tags=["slide"]
# ## How much the gradient resembles its neighbours
#
# <!-- output -->
#
# <!-- notes -->
# White noise lies near zero at every lag but 0. Ask: can gradients be large and useless? Expected:
# no, large gradients mean fast learning. They may be: lesson 01 left that open. What is measured here
# is the derivative by one input, at the start of training only.

# %%
NOISE = 3 / np.sqrt(256)  # wider than that: 99.7 in 100
neighbour = {name: [run[1] for run in runs] for name, runs in alike.items()}
largest = max(abs(one) for one in neighbour["plain 26"])
verdict("at 26 layers, a plain network's gradient is like white noise from one point to the next",
        largest < NOISE, f"largest {largest:.3f}, white noise up to {NOISE:.3f}")
verdict_above("that of a residual network is not", neighbour["residual 26"], [NOISE])
verdict_above("it shatters with depth too, but later: at 10 layers it resembles its neighbours more "
              "than a plain one", neighbour["residual 10"], neighbour["plain 10"])
verdict_above("and more than at 26 layers", neighbour["residual 10"], neighbour["residual 26"])
verdict_above("at 4 layers neither is shattered", neighbour["plain 4"] + neighbour["residual 4"],
              [0.8])

# %% [markdown]
# This is an explanation that lesson 01 left room for: gradients that do not vanish may still be of
# little use, if they change from one image to the next. Mind how far our measurement goes. It is about
# the start of training, about a network with a single number as input, and about the derivative with
# respect to that input. What training uses are gradients with respect to the *weights*, and whether
# those of two batches agree we have not measured.
#
# ## 9. The ground around the weights
#
# Training walks downhill in a space of thousands of weights. Li and colleagues look at slices of it
# (2018). Take the weights $\theta$, draw a random **direction** $d$ of the same shape, and plot
# the loss at $\theta + \alpha d$.
#
# There is a trap. With batch normalisation, a filter (the kernel of one output channel) of twice
# the size gives the same output. So a step of a given length is small for one network and large for
# another. Their remedy is **filter normalisation** (Section 4): each filter $d_{i,j}$ of the
# direction is made as long as the network's own,
#
# $$d_{i,j} \leftarrow \frac{d_{i,j}}{\lVert d_{i,j} \rVert}\, \lVert \theta_{i,j} \rVert.$$
#
# Biases, normalisations and their moving averages stay as they are.
#
# **Predict.** Around the trained networks of 18 layers: is the plain valley narrower than the
# residual one?

# %%
ALPHAS = np.linspace(-0.5, 0.5, 11)
some = mnist.val.images[:200], mnist.val.labels[:200]


def slices(net, directions=(0, 1)):
    """Return the loss along two random directions."""
    return [losses_around(net, [filter_normalised_direction(net, seed)], ALPHAS, *some)
            for seed in directions]


valleys = {name: each_seed(slices, name) for name in ("plain 18", "residual 18")}
both = {name: [np.mean(pair, axis=0) for pair in pairs] for name, pairs in valleys.items()}
plots.show(*plots.curves(ALPHAS, both, "α", "loss, mean of two directions", log=True,
                         title="Around trained networks"))

# %% [markdown] tags=["slide"]
# ## A smoother valley: these runs cannot tell
#
# <!-- output: 440 -->
#
# Around *trained* networks of 18 layers.
#
# <!-- notes -->
# Li and colleagues: without shortcuts, 20 layers are harmless and 56 chaotic. Ask: which valley is
# narrower here? Expected: the plain one. The ranges overlap, so it cannot be told; nothing here says
# that the plain one is. At 34 layers we can look at the start only.

# %%
def rise(run):
    """Return the loss a fifth of a filter's length away, mean of both sides, less that at 0."""
    return (run[3] + run[7]) / 2 - run[5]


rises = {name: [rise(run) for pair in pairs for run in pair] for name, pairs in valleys.items()}
print("rise at α = ±0.2, six slices each:", "; ".join(
    f"{name} {min(group):.2f} to {max(group):.2f} nats" for name, group in rises.items()))

# %% [markdown]
# The two ranges overlap, so six slices cannot tell which valley is narrower, and there is no verdict.
# That is no proof that they are alike. (Mind, too, that the residual networks start from a lower
# loss.)
#
# With a running kernel you can walk on the slice: the sliders choose a network (first seed, first
# direction) and move its weights, and the loss is measured anew. $e^{-\text{loss}}$ is the
# probability that the network gives to the right digit, as a geometric mean.
#
# **Predict.** How far can you go, as a share of each filter's length, until the right digit gets
# less than a half?

# %%
walkers = {name: first_network(name) for name in valleys}
STEP = {name: filter_normalised_direction(walker, 0) for name, walker in walkers.items()}
for name in walkers:  # compiles them, so that no slider has to
    _ = losses_around(walkers[name], [STEP[name]], [0], *some)


def walk(network, alpha):
    """Draw the slice of a network, and where its weights are."""
    loss = losses_around(walkers[network], [STEP[network]], [alpha], *some)[0]
    ax, text = plots.curves(ALPHAS, {network: valleys[network][0][0]}, "α", "loss", log=True,
                            title=f"α = {alpha:g}: loss {loss:.2f}, right digit {np.exp(-loss):.0%}")
    ax.plot(alpha, loss, "o", color="black")
    return ax, f"{text} A dot marks the weights."


# %%
sliders = widgets.explore(walk, {"network": "plain 18", "alpha": 0.2},
                          network=("plain 18", "residual 18"),
                          alpha=np.round(np.linspace(-0.5, 0.5, 21), 2))

# %% [markdown]
# In the paper, too, it takes depth: without shortcuts, 20 layers are harmless and 56 are chaotic
# (Figure 5). At 34 layers our plain network does not learn in the time we have, so it has no valley
# to look at. But we can look at where it *starts*. Call a curve **rough** if its points lie far from
# the middle between their two neighbours. We take the mean of that distance over the slice and over
# three directions. The figure shows one direction around the weights of the first seed.
#
# **Predict.** Plain or residual: which start is rougher?

# %%
STEPS = np.linspace(-0.1, 0.1, 21)


def around_the_start(net):
    """Return the loss along three random directions, one row each."""
    set_averages(net, images)  # an untrained network has no averages yet
    return [losses_around(net, [filter_normalised_direction(net, seed)], STEPS, images, labels)
            for seed in (0, 1, 2)]


starts = {name: each_seed(around_the_start, name, first) for name in ("plain 34", "residual 34")}
shown = {f"{name}, seed 0": runs[0][0] - runs[0][0][10] for name, runs in starts.items()}
plots.show(*plots.curves(STEPS, shown, "α", "loss, less that at 0", title="Around the first weights"))

# %%
def roughness(rows):
    """Return the mean distance of a point from the middle between its neighbours."""
    return float(np.mean([np.abs(row[1:-1] - (row[:-2] + row[2:]) / 2) for row in rows]))


rough = {name: [roughness(rows) for rows in runs] for name, runs in starts.items()}
verdict_above("around the first weights of 34 layers, the plain loss is rougher than the residual "
              "one", rough["plain 34"], rough["residual 34"], ratio=1.2, unit="nats")

# %% [markdown]
# The plain loss is the rougher one, but look at the scale: in both networks the roughness is tiny
# beside the axis of the figure, which has something larger to show. In its slice the plain loss is
# nearly *flat*, with bumps and without a direction that leads down, while the residual loss falls
# to one side: there is a slope to follow. It is one direction around the weights of one
# seed, so take it as a picture of what might go wrong, not as a finding.
#
# ### The same in two directions
#
# A map of the loss around the first weights of the first seed, along two random directions. The number on
# a line says how far the loss there lies above its lowest value. One seed makes no claim: this is
# a picture.

# %%
SIDE, LEVELS = np.linspace(-0.05, 0.05, 9), [0.01, 0.02, 0.04, 0.08, 0.16]
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.8), layout="constrained")
texts = []
for ax, name in zip(axes, ("plain 34", "residual 34")):
    net = load(name, 0, first)
    set_averages(net, images)
    directions = [filter_normalised_direction(net, seed) for seed in (0, 100)]
    ground = losses_around(net, directions, SIDE, images, labels)
    texts.append(plots.contours(SIDE, SIDE, ground.T - ground.min(), "first direction",
                                "second direction", LEVELS, ax=ax,
                                title=f"{name}, before training")[1])
plots.show(axes[0], " ".join(texts))

# %% [markdown]
# ## 10. What this shows, and what it does not
#
# | explanation | here |
# |---|---|
# | The gradient reaches the first layer. | With normalisation it did not vanish before training. The shortcut keeps it from exploding at 34 layers; at 18 there is less than a factor of ten between them. |
# | It comes on short paths (Veit 2016). | Holds at 16 blocks, not at 8. |
# | Residual layers respond less (He 2016a). | In stage 1, the second layer of each block; in stage 2 it responds more. $\gamma$ moves little in 300 updates. |
# | Later blocks change their input less (De and Smith 2020). | Holds, before and after training. |
# | Blocks can be taken out or swapped (Veit 2016, Greff 2017). | Holds at 34 layers for the later blocks, which have the small branches. Plain networks lose most of their accuracy. |
# | Plain layers lose information (the article). | Holds before training, for a linear reader. Training mends it at 18 layers. |
# | The shortcut avoids exploding gradients (the article). | False without normalisation: in the simplest chain the shortcut causes the explosion. |
# | Gradients are shattered (Balduzzi 2017). | Holds at 26 layers, before training, for the derivative by a single input. |
# | The loss is smoother (Li 2018). | Cannot be told around trained networks of 18. Around the start of 34 layers, where Li did not look, the plain loss is rougher by very little. |
#
# Most of what shows, shows *before* training and with *depth*. Two findings fit together: after
# many plain layers the digit is garbled, and the derivative by the input is like noise. With a
# shortcut each later block only adds a little to a line that goes straight through. Which of these is the
# cause, these experiments cannot say: they show what comes together.
#
# All this was measured on networks that we built to be looked at. The article has built another
# one: without normalisation, with a ReLU in an odd place. Can you now read *its* network with these
# eyes, and say what it really does? That is lesson 06.
#
# ## Summary
#
# - With batch normalisation, plain gradients do not vanish. They explode with depth, and the shortcut
#   tames them.
# - A residual network of $n$ blocks has $2^n$ paths. The gradient is the sum over them, exactly, and
#   it comes on paths that are shorter than average if there are enough blocks.
# - Later blocks have smaller branches compared with their inputs, and removing them hurts less. Whether
#   that is due to their size or to their place, we cannot tell.
# - Without training, plain layers garble the digit for two simple readers; residual ones far less.
# - Without normalisation, each block of the simplest residual chain doubles the mean square, while the
#   plain chain keeps it: there the shortcut is what makes it explode.
# - Before training, the derivative of a deep plain network with respect to its one input is like noise.
# - Not every published finding shows at every size. Responses were smaller in one stage and larger in
#   the other, and which valley is smoother could not be told.
#
# ## Quiz
#
# Five questions. Each option says at once why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("05")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - Shows: no vanishing, but explosion; later blocks change less; blocks can be missed; derivatives by the input shatter later.
# - Half a yes: smaller responses, in stage 1 alone. Cannot be told: a smoother valley after training.
# - Shortcut *and* normalisation keep gradients in bounds. Without normalisation the shortcut makes them explode.
#
# **Exercises:** lesson 05, 1 to 5; number 6: explain it to your neighbour.
#
# <!-- notes -->
# Ask: which explanation would you give to somebody in one sentence? Expected: all of them. Each
# measures another thing; none of them is the reason alone.

# %% [markdown]
# <!-- quiz: 05 -->
#
# ## Exercises
#
# Reading is half of it. [Exercises to lesson 05](exercises/05_inside_the_network.ipynb): six tasks, each with a check
# that answers at once and with hints that unfold.
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385), Section 4.2, Figure 7: layer responses.
# - A. Veit, M. Wilber, S. Belongie 2016: *Residual Networks Behave Like Ensembles of Relatively
#   Shallow Networks*. NIPS. [arXiv:1605.06431](https://arxiv.org/abs/1605.06431). Paths: Section 3.
#   Blocks taken out and reordered: Section 4. Lengths of paths: Section 5.
# - K. Greff, R. K. Srivastava, J. Schmidhuber 2017: *Highway and Residual Networks Learn Unrolled
#   Iterative Estimation*. ICLR. [arXiv:1612.07771](https://arxiv.org/abs/1612.07771), Sections 2, 3.
# - G. Alain, Y. Bengio 2016: *Understanding Intermediate Layers Using Linear Classifier Probes*.
#   [arXiv:1610.01644](https://arxiv.org/abs/1610.01644), Section 3.
# - H. Zhang, Y. N. Dauphin, T. Ma 2019: *Fixup Initialization: Residual Learning Without
#   Normalization*. ICLR. [arXiv:1901.09321](https://arxiv.org/abs/1901.09321), Section 2.
# - S. De, S. L. Smith 2020: *Batch Normalization Biases Residual Blocks Towards the Identity Function
#   in Deep Networks*. NeurIPS. [arXiv:2002.10444](https://arxiv.org/abs/2002.10444), Section 2.
# - G. Yang, J. Pennington, V. Rao, J. Sohl-Dickstein, S. S. Schoenholz 2019: *A Mean Field Theory of
#   Batch Normalization*. ICLR. [arXiv:1902.08129](https://arxiv.org/abs/1902.08129).
# - D. Balduzzi, M. Frean, L. Leary, J. P. Lewis, K. W.-D. Ma, B. McWilliams 2017: *The Shattered
#   Gradients Problem: If Resnets Are the Answer, Then What Is the Question?* ICML.
#   [arXiv:1702.08591](https://arxiv.org/abs/1702.08591), Sections 2 and 3.
# - H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein 2018: *Visualizing the Loss Landscape of Neural
#   Nets*. NeurIPS. [arXiv:1712.09913](https://arxiv.org/abs/1712.09913), Section 4, Figure 5.
