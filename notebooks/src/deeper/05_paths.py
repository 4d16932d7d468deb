# %% [markdown]
# # 05 · Deeper: many paths
#
# Multiply out a product of sums and you get a sum of products, and sometimes that changes how you see the thing.
# Veit, Wilber and Belongie (2016) did it with a residual network, and what fell out was not one deep network but a
# crowd of paths, short ones and long ones, all at once. If that picture is right, it should make predictions: about
# which paths the gradient travels, and about what happens if you shuffle the blocks. Here we count the paths, weigh
# them, and then start moving furniture.
#
# **Objectives.** After this notebook you can
#
# 1. count the paths through a residual network, and say which of them carry the gradient;
# 2. say what shuffling blocks does to a trained network, and to which blocks it does little.
#
# **Prerequisites.** Lesson [05](../05_inside_the_network.ipynb), section 1; the gradient of a row of blocks, in lesson
# [02](../02_residual_learning.ipynb).
#
# **Reading time:** 12 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import functools
import itertools
import math

import numpy as np
from keras.optimizers.schedules import CosineDecay

from resnet_lesson import diagrams, plots, widgets
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import (
    exchangeable, gradients_by_length, path_gradients, reordered, run_parts, without_branch,
)
from resnet_lesson.models import network, segments
from resnet_lesson.sweep import sweep
from resnet_lesson.training import evaluate
from resnet_lesson.verdicts import verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## 1. A sum over paths
#
# Lesson 02 gave the gradient through one residual block as $I + J_l$, with $J_l$ the Jacobian of its branch. Through three
# blocks it is a product, and multiplied out it reads
#
# $$(I + J_2)(I + J_1)(I + J_0) = I + J_0 + J_1 + J_2 + J_1 J_0 + J_2 J_0 + J_2 J_1 + J_2 J_1 J_0.$$
#
# Each term is a **path**. At every block it takes either the branch or the shortcut, and the number of branches on it is its
# **length**. Of length $k$ there are $\binom{n}{k}$ paths through $n$ blocks, and $2^n$ in all.

# %%
plots.show(*diagrams.unrolled_paths(3),
           "Three blocks, eight paths. For the gradient the picture is exact, since the tape computes with slopes at one point. For "
           "the forward pass it is only a picture: F(x + y) is not F(x) + F(y).")

# %% [markdown]
# We train a residual network of 34 layers, which has 16 blocks, with three seeds.
#
# **Predict.** How many paths does it have, and how many branches lie on the average path?

# %%
BLOCKS, SEEDS, UPDATES = 16, (0, 1, 2), 200
SHAPE = {"block": "basic", "widths": (8, 16)}
mnist = load_mnist(train=12800, val=1000, test=0)
net = network(34, **SHAPE)
runs = sweep({"residual": {"depth": 34, **SHAPE}}, SEEDS, mnist, updates=UPDATES, learning_rate=CosineDecay(0.01, UPDATES))
images, labels = mnist.train.images[:64], mnist.train.labels[:64]


def each_seed(measure):
    """Return what measure(network) gives, one for each trained network."""
    found = []
    for run in runs:
        net.set_weights(run.weights)
        found.append(measure(net))
    return found


lengths = [sum(path) for path in itertools.product((0, 1), repeat=BLOCKS)]  # every path, one by one
assert np.array_equal(np.bincount(lengths), [math.comb(BLOCKS, k) for k in range(BLOCKS + 1)])
print(f"{len(lengths):,} paths, {np.mean(lengths):g} branches on average")

# %% [markdown]
# ## 2. Which of them carry the gradient?
#
# All of them have a share in it, if by *gradient* we mean that of the loss with respect to what enters the first block. (The
# ReLU after each addition belongs to every path alike: it cuts the same places for all.) `gradients_by_length` goes backwards once and keeps the shares of each length apart: at every
# block, what came on paths of length $k$ goes on as length $k$ through the shortcut, and as length $k + 1$ through the branch.
#
# **Predict.** If all paths carried equal gradients in one direction, the gradient would follow the number of paths. Does it come on
# shorter paths than that, or on longer ones?

# %%
def shares(flow):
    """Return the norm at each length, divided by the sum of the norms."""
    norms = np.array([np.linalg.norm(part) for part in flow])
    return norms / norms.sum()


flows = each_seed(lambda net: gradients_by_length(net, images, labels))
by_length = {"number of paths": [np.array([math.comb(BLOCKS, k) for k in range(BLOCKS + 1)]) / 2**BLOCKS],
             "norm of the gradient": [shares(flow) for flow in flows]}
plots.show(*plots.curves(range(BLOCKS + 1), by_length, "length of the path", "share"),
           "A trained network of 16 blocks, three seeds. **Compare the two humps:** the gradient's lies to the left.")
mean_length = [float(np.arange(BLOCKS + 1) @ shares(flow)) for flow in flows]
verdict_above("the gradient comes on shorter paths than the average one", above=[BLOCKS / 2], below=mean_length, unit="branches")

# %% [markdown]
# Most of the gradient arrives along paths of intermediate length, somewhat shorter than the average path. Veit and his colleagues
# looked at it from the other side: they drew single paths and measured each one's gradient (2016, Section 5).
#
# **Predict.** How does the gradient on one path depend on its length?

# %%
LENGTHS, TEN = (0, 4, 8, 12, 16), 10
draw = np.random.default_rng(0)
paths = [draw.permutation(BLOCKS) < k for k in LENGTHS for _ in range(TEN)]


def on_one_path(net):
    norms = [np.linalg.norm(part) for part in path_gradients(net, images, labels, paths)]
    return np.reshape(norms, (len(LENGTHS), TEN)).mean(axis=1)


single = each_seed(on_one_path)
plots.show(*plots.curves(LENGTHS, {"one path, mean of ten": single}, "length of the path", "norm of the gradient", log=True),
           "The gradient on a single path, on a logarithmic scale: every branch on the way about halves it.")
verdict_above("the path through all 16 branches carries less than a thousandth of what the path through all shortcuts carries",
              [one[0] for one in single], [one[-1] for one in single], ratio=1000)

# %% [markdown]
# So there are many long paths that carry little each, and few short ones that carry much, and most of the gradient comes in between.
# In that sense a deep residual network is trained like a shallower one. (Veit and his colleagues had 54 blocks, so that the
# average path had 27, and nearly all of the gradient came on paths of 5 to 17. They multiplied the norm on one path by the number
# of paths. We take the norm of the sum, in which paths cancel in part, so the two numbers cannot be compared directly.)
#
# ## 3. Shuffle them
#
# Lesson 05 took single blocks out. Blocks of one shape can also change places. Greff, Srivastava and Schmidhuber (2017, Sections 2
# and 3) take such experiments for a sign that the blocks of a stage do not build one new feature upon the other, but refine one
# and the same estimate step by step, so that the order of the steps matters little.
#
# **Predict.** Shuffle all the blocks of each stage that keep its shape; or only its first four; or only those after the first four.
# Which of the three does the network survive?

# %%
looked_at = mnist.val.images[:250], mnist.val.labels[:250]
cut = functools.cache(segments)  # each network is cut into its parts only once


def accuracy(parts):
    return evaluate(run_parts(parts, looked_at[0]), looked_at[1])[1]


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

# %%
WHICH = {"all": slice(None), "the first four": slice(4), "the others": slice(4, None)}
whole = each_seed(lambda net: accuracy(cut(net)))
mixed = {what: each_seed(functools.partial(shuffled, which=which)) for what, which in WHICH.items()}
plots.table(["shuffled, of each stage", *(f"accuracy, seed {seed}" for seed in SEEDS)],
            [[what, *(f"{one:.2f}" for one in found)] for what, found in ({"nothing": whole} | mixed).items()])
verdict_above("shuffling the later blocks of each stage leaves far more accuracy than shuffling its first four, or all",
              mixed["the others"], mixed["the first four"] + mixed["all"], ratio=1.5, unit="right")

# %% [markdown]
# With its first blocks shuffled the network is lost, or nearly; with the later ones shuffled it loses a few points. So "the
# order hardly matters" is true of the later blocks of a stage, which are also the ones that change little. Whether it is their
# size or their place that matters, this cannot say.
#
# Now you. The sliders choose where a gap begins and how many blocks in a row it has.
#
# **Predict.** Four blocks in a row at the end of the network, or one at its beginning: which is worse? Are
# all digits hit alike, or do some survive?

# %%
net.set_weights(runs[0].weights)
parts = cut(net)
BYPASSED = {block: without_branch(parts, block)[block] for block in exchangeable(parts)}


def share_read(parts):
    """Return the share of each digit's images that is read correctly."""
    right = run_parts(parts, looked_at[0]).argmax(axis=1) == looked_at[1]
    return {str(digit): [right[looked_at[1] == digit].mean()] for digit in range(10)}


whole_network = share_read(parts)


def gap(begins_at, blocks):
    """Draw the share of each digit that is read with some blocks in a row taken out."""
    out = list(BYPASSED)[begins_at - 1:begins_at - 1 + blocks]
    found = {"whole": whole_network, "with the gap": share_read(parts | {block: BYPASSED[block] for block in out})}
    named = f"{len(out)} from block {begins_at} on" if out else "none"
    return plots.dots(found, "digit", "share read", title=f"Blocks taken out: {named}")


# %%
widgets.explore(gap, {"begins_at": 1, "blocks": 1}, begins_at=range(1, len(BYPASSED) + 1), blocks=(1, 2, 4))

# %% [markdown]
# ## Summary
#
# - The gradient of a residual network of $n$ blocks is a sum over $2^n$ paths, exactly.
# - A long path carries less than a short one, and most of the gradient comes on paths somewhat shorter than the average.
# - The later blocks of a stage, which change their input little, may be shuffled; the first ones may not.
#
# Back to lesson [05](../05_inside_the_network.ipynb).
#
# ## References
#
# - A. Veit, M. Wilber, S. Belongie 2016: *Residual Networks Behave Like Ensembles of Relatively
#   Shallow Networks*. NIPS. [arXiv:1605.06431](https://arxiv.org/abs/1605.06431). Paths: Section 3.
#   Blocks taken out and reordered: Section 4. Lengths of paths: Section 5.
# - K. Greff, R. K. Srivastava, J. Schmidhuber 2017: *Highway and Residual Networks Learn Unrolled
#   Iterative Estimation*. ICLR. [arXiv:1612.07771](https://arxiv.org/abs/1612.07771), Sections 2, 3.
