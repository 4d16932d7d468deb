# %% [markdown]
# # 04 · Plain against residual
#
# **Question.** Does the shortcut help when everything else is equal?
#
# **Objectives.** After this lesson you can
#
# 1. check that two networks differ in nothing but one addition in each block;
# 2. read loss curves with bands over seeds, and state a claim that a cell can refute;
# 3. say what the shortcut changes at 8, 20 and 56 layers, and what it does not;
# 4. give the cost of the additions in multiply-adds;
# 5. say what a long run can tell about "is the deep plain network only slower?", and what it cannot.
#
# **Prerequisites.** Lessons [01](01_degradation.ipynb) (degradation),
# [02](02_residual_learning.ipynb) (the residual block) and [03](03_bottleneck_block.ipynb) (the
# bottleneck, padded shortcuts, multiply-adds).
#
# **Reading time:** 30 minutes. **Computing time:** 3 minutes on two cores, without a GPU.

# %% [markdown] tags=["slide"]
# # 04 · Plain against residual
#
# Does the shortcut help, at equal everything?
#
# <!-- notes -->
# Lesson 01: deep plain networks degrade. Lesson 02: a residual block passes x on if its branch is
# zero. Now both on MNIST. Start section 4 live before you go on. Ask: what would convince you that
# the shortcut helps? Expected: a better accuracy. Better: equal conditions, several seeds, and a
# claim that can fail.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import math

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from resnet_lesson import diagrams, plots
from resnet_lesson.data import load_mnist, raw_mnist
from resnet_lesson.diagnostics import layer_counts, weighted_layers
from resnet_lesson.models import network, reset_weights
from resnet_lesson.runs import by_name
from resnet_lesson.studies import provenance, read_study, runs_of
from resnet_lesson.sweep import sweep
from resnet_lesson.training import cross_entropy, train
from resnet_lesson.verdicts import verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## 1. The question
#
# The three lessons before this one have prepared one experiment.
#
# - A deep plain network can end with a higher *training* loss than a shallow one: degradation
#   (lesson 01). A recorded search found a rate for each depth at which the gap was far smaller for
#   convolutional networks, and in the 600 updates that they had it did not close.
# - A residual block computes $\mathrm{ReLU}(F(x) + x)$. To pass $x \ge 0$ on, its branch $F$ must
#   only be zero (lesson 02).
# - A bottleneck makes such blocks cheap, and a padded shortcut fits $x$ to a new shape without a
#   single parameter (lesson 03).
#
# He, Zhang, Ren and Sun put these together on CIFAR-10 and ImageNet (2016a, Section 4). Their deep
# residual networks did not degrade. Does the same happen on MNIST, in three minutes, on your
# machine? We train three depths of each kind and look.
#
# ## 2. One block, one addition apart
#
# A **plain block** gives $\mathrm{ReLU}(F(x))$, a **residual block** $\mathrm{ReLU}(F(x) + x)$.
# $F$ is the same bottleneck in both. In a plain block the branch is all there is, so the figure
# writes $H(x)$ for it.

# %%
plots.show(*diagrams.compare_blocks("bottleneck", filters=(8, 8, 16), in_filters=16))

# %% [markdown] tags=["slide"]
# ## One block, one addition apart
#
# <!-- output -->
#
# <!-- notes -->
# The same bottleneck in both. Ask: how many parameters has the shortcut? Expected: those of one
# layer. None: it carries x and, where the shape changes, zeros.

# %% [markdown]
# *A caution.* The 1×1 keeps half of the channels. So a plain bottleneck cannot pass *every* $x$ on,
# whatever its weights (lesson 03); the shortcut can. He and his colleagues saw degradation with
# blocks that narrow and with blocks that do not (2016a, Section 4.1, footnote 4). Section 4 repeats
# the start of the experiment without narrowing.
#
# ### The networks
#
# A 3×3 convolution, two stages of $n$ bottlenecks, an average over all pixels, one dense layer. That
# makes $1 + 2 \cdot 3n + 1 = 6n + 2$ weighted layers: 8, 20 and 56 for $n$ = 1, 3 and 9. Where the
# second stage begins, the shortcut is padded (option A). He and his colleagues have depths 20 and 56
# too, from other blocks (Section 4.2): three stages of two 3×3 convolutions a block. Their
# bottlenecks narrow to a quarter, ours to a half.

# %%
stages = [(9, "bottleneck", 16, 14), (9, "bottleneck", 32, 7)]  # blocks, kind, channels, pixels
stem, head = [("3×3 conv\n16, stride 2", 1)], [("average\npool", 0), ("dense\n10", 1)]
plots.show(*diagrams.network(stages, stem, head, shortcut="padded"))

# %% [markdown] tags=["slide"]
# ## Depths 8, 20 and 56
#
# <!-- output -->
#
# <!-- notes -->
# A stem, two stages of n bottlenecks, an average, a dense layer: 6n + 2 weighted layers. Ask: n = 9
# gives? Expected: 56. The paper has depths 20 and 56 too, from other blocks.

# %%
DEPTHS = (8, 20, 56)
networks = {f"plain {depth}": {"depth": depth, "shortcut": "none"} for depth in DEPTHS}
networks |= {f"residual {depth}": {"depth": depth, "shortcut": "padded"} for depth in DEPTHS}
built = {name: network(**config) for name, config in networks.items()}

for name, model in built.items():
    print(f"{name:12} {weighted_layers(model):3} layers with weights")

# %% [markdown]
# ### Are they really equal?
#
# A comparison is fair if one thing differs, and if what is shared suits both sides alike. Before we
# train, we check the first half: the number of parameters and every single first weight must be
# equal. The second half is a matter of the learning rate, and section 4 comes back to it.
#
# **Predict.** Does the shortcut add parameters?

# %%
equal, sizes = [], []
for depth in DEPTHS:
    plain, residual = built[f"plain {depth}"], built[f"residual {depth}"]
    for net in (plain, residual):
        reset_weights(net, seed=0)
    pairs = list(zip(plain.get_weights(), residual.get_weights(), strict=True))
    equal += [np.array_equal(a, b) for a, b in pairs]
    sizes.append(f"{plain.count_params()} = {residual.count_params()} numbers at {depth} layers")
verdict("plain and residual start from the same weights at each depth", all(equal),
        f"{len(equal)} pairs of arrays; {', '.join(sizes)}")

# %% [markdown] tags=["slide"]
# ## Are they really equal?
#
# <!-- output -->
#
# <!-- notes -->
# A comparison is fair if one thing differs, and if what is shared (here the learning rate: two slides
# on) suits both sides alike. Ask: which two things must be checked? Expected: the
# number of parameters. And every single first weight: from one seed both networks start at the same
# point.

# %% [markdown]
# The shortcut has no parameters: it carries $x$, and fills up with zeros.
#
# ### What does the addition cost?
#
# We count multiply-adds for one image, as in lesson 03. The shortcut's addition takes one operation
# for each number of the block's output. We count it as a full multiply-add, which is too much.
#
# **Predict.** What share of a network's work are the shortcut's additions: 30 %, 10 %, 2 %?

# %%
rows, totals, norms, additions = [], [], [], []
for depth in DEPTHS:
    counts = layer_counts(built[f"residual {depth}"])
    work = [sum(count.multiply_adds for count in counts if count.kind == kind)
            for kind in ("Conv2D", "BatchNormalization", "Add")]
    totals.append(sum(work))
    norms.append(work[1])
    additions.append(work[-1])
    rows.append([depth, *(f"{n / 1e6:.3f}" for n in work), f"{additions[-1] / totals[-1]:.2%}"])
plots.table(["layers", "convolutions", "normalisation", "additions", "share of additions"], rows)

# %%
share = [added / total for added, total in zip(additions, totals, strict=True)]
apiece = [norm / added for norm, added in zip(norms, additions, strict=True)]
verdict("at each depth the additions are at most a fiftieth of the work, and the normalisation is at "
        "least twice as much", max(share) <= 1 / 50 and min(apiece) >= 2,
        f"largest share {max(share):.2%}; normalisation at least {min(apiece):.2f} times the additions")

# %% [markdown] tags=["slide"]
# ## What does the addition cost?
#
# **Predict:** what share of the work are the additions: 30 %, 10 %, 2 %?
#
# <!-- output -->
#
# <!-- notes -->
# Take a show of hands before you show the line. Expected: 10 %. In arithmetic it is little. In seconds
# it may well be a larger share, since an addition computes little with each number that it moves. The
# lesson reports the seconds and does not judge them: they depend on the machine.

# %% [markdown]
# The table is in millions of multiply-adds. The article behind this course,
# <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>
# ([what is known of it](00_start_here.ipynb)), says that the simple addition brings the network little extra computation. In
# arithmetic that holds: the normalisation, which plain networks have too, costs more than twice as
# much. In seconds the addition's share may well be larger, since it computes little with each number
# that it moves ([what it costs in seconds](deeper/03_cost_in_seconds.ipynb)). Section 5 reports it.
#
# ## 3. The training loop
#
# One **update** takes a batch of images, computes the loss, follows it back to every weight, and
# lets Adam move the weights. This is all of it:

# %%
mnist = load_mnist(train=12800, val=1000)
small = built["residual 8"]


def train_step(optimizer, images, labels):
    with tf.GradientTape() as tape:
        logits = small(images, training=True)  # training=True: batch statistics
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, small.trainable_variables)
    optimizer.apply_gradients(zip(gradients, small.trainable_variables))
    return loss


# %% [markdown]
# The helper package has the same loop in `train`, with seeds, a record and a progress bar. Is it
# the same? We run five updates by hand and five with `train`, from one seed.

# %%
reset_weights(small, seed=0)
adam = tf.keras.optimizers.Adam(2e-3)
order = np.random.default_rng([0, 1]).permutation(len(mnist.train))  # as `train` draws it
batches = [(mnist.train.images[at], mnist.train.labels[at]) for at in order[:320].reshape(5, 64)]
by_hand = [float(train_step(adam, *batch)) for batch in batches]

by_package = train(small, mnist, seed=0, updates=5).loss
print("by hand ", " ".join(f"{loss:.5f}" for loss in by_hand))
print("package ", " ".join(f"{loss:.5f}" for loss in by_package))
verdict("the package trains as the loop above does", np.allclose(by_hand, by_package, rtol=1e-3),
        f"largest difference {np.abs(np.subtract(by_hand, by_package)).max():.1e} nats")

# %% [markdown] tags=["slide"]
# ## The experiment
#
# - six networks: plain and residual, 8, 20 and 56 layers
# - three seeds each: first weights and the order of the images
# - 12,800 images, batches of 64, 400 updates
# - Adam at one shared rate, 0.002; batch normalisation; equal first weights
#
# **Predict:** rank the six by training loss. Write it down.
#
# <!-- notes -->
# Give two minutes, on paper. Ask afterwards for the ranks of plain 56 and residual 56. Expected:
# half of the room has plain 56 in the middle. He and his colleagues needed tens of thousands of
# updates on harder images: will 400 do?

# %% [markdown]
# ## 4. The experiment
#
# Six networks, three **seeds** each. A seed decides the first weights and the order of the images.
# One run could be luck; three runs show how much luck there is. All runs have
#
# - the same 12,800 training images, in batches of 64, for 400 updates: two passes over the data;
# - Adam with one shared learning rate, 0.002;
# - batch normalisation after each convolution;
# - random first weights, those of He initialisation.
#
# The shared rate is not neutral: it suits the residual networks better. A recorded search has the
# plain network of 56 layers much lower at its own best rate, which is a higher one. So what follows
# shows what one addition changes *at this rate*. Part of the gap at 56 layers is tuning, and since
# nobody has searched the residual networks' best rate here, we cannot say how large a part.
#
# **Predict.** He and his colleagues saw degradation after tens of thousands of updates on harder
# images. Write down, before you run the cell:
#
# 1. does it show on MNIST, within 400 updates?
# 2. rank the six networks by training loss;
# 3. how far apart are the two kinds at 56 layers?
#
# The cell takes about two minutes. Two worker processes share the runs. If you interrupt it, it
# returns what it has measured so far.

# %%
UPDATES = 400
records = sweep(networks, seeds=[0, 1, 2], data=mnist, updates=UPDATES)
runs = by_name(records)

# %% [markdown]
# ### Training loss
#
# Each line is the mean of three seeds. Its band runs from the lowest seed to the highest. The loss
# is that of the training batches, averaged over 25 updates. A network that guesses has a loss of
# $\log 10 \approx 2.3$. The axis is logarithmic: equal distances are equal ratios.

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4), sharey=True, layout="constrained")
texts = []
for ax, kind, shortcut in zip(axes, ("plain", "residual"), ("none", "padded"), strict=True):
    of_kind = [record for record in records if record.config["shortcut"] == shortcut]
    _, text = plots.learning_curves(of_kind, ax=ax, title=f"{kind} networks", log=True)
    texts.append(text)
axes[1].set_ylabel("")
plots.show(axes[0], " ".join(texts))

# %% [markdown] tags=["slide"]
# ## In 400 updates at this rate, plain 56 hardly learns
#
# <!-- output: 430 -->
#
# The shared rate suits the residual networks better.
#
# <!-- notes -->
# Each line is the mean of three seeds, the band runs from the lowest to the highest. Ask: why do
# some curves begin above log 10? Expected: a mistake. An untrained network can be sure and wrong;
# each addition makes the first logits larger.

# %% [markdown]
# **Before you read on:** which of your predictions held?
#
# Some curves start above $\log 10$: an untrained network can be sure and wrong. With shortcuts, each
# addition makes the numbers larger, and with them the first logits.
#
# ### Loss against depth
#
# The same runs, seen from their end: the mean training loss of the last 100 updates.

# %%
final = {name: [record.final_loss(100) for record in group] for name, group in runs.items()}
series = {
    kind: {depth: final[f"{kind} {depth}"] for depth in DEPTHS} for kind in ("plain", "residual")
}
plots.show(*plots.dots(series, "layers", f"training loss after {UPDATES} updates", log=True))

# %% [markdown] tags=["slide"]
# ## The same runs, seen from their end
#
# <!-- output -->
#
# <!-- notes -->
# Ask: in which direction do the two rows go? Expected: plain rises, residual falls. Every dot is a
# run; the two groups at 56 layers do not come near each other.

# %% [markdown]
# ### Verdicts
#
# Each verdict compares *every* run on one side with *every* run on the other. If one seed
# disagrees, the cell fails.

# %%
verdict_above(
    f"after {UPDATES} updates at one shared rate, the 56-layer plain network has a higher training "
    "loss than the 20-layer plain network: degradation",
    above=final["plain 56"], below=final["plain 20"], ratio=2, unit="nats",
)

# %% [markdown] tags=["slide"]
# ## Degradation, in every seed
#
# <!-- output -->
#
# A verdict compares every run of one side with every run of the other. At one shared rate the gap is
# wide; at each depth's best rate it is far smaller (recorded).
#
# <!-- notes -->
# Ask: why not the means? Expected: means are more exact. A mean can hide a seed that contradicts
# the claim.

# %%
verdict_above(
    f"after {UPDATES} updates the 56-layer residual network is not above the 20-layer one by more "
    "than a tenth",
    above=final["residual 20"], below=final["residual 56"], ratio=0.91, unit="nats",
)

# %%
verdict_above(
    f"after {UPDATES} updates at one shared rate, which suits the residual network better, plain has "
    "a loss many times that of residual at 56 layers",
    above=final["plain 56"], below=final["residual 56"], ratio=5, unit="nats",
)

# %% [markdown] tags=["slide"]
# ## At 56 layers, at this rate: many times the loss
#
# <!-- output -->
#
# At its own best rate the plain network is much lower (recorded).
#
# <!-- notes -->
# Same layers, same parameters, same first weights. Ask: what else could explain it? Collect: a bad
# learning rate, over-fitting, it is only slower, the narrow middle. The learning rate is a part of it:
# the lesson prints how much lower plain 56 gets at its own best one. The others have their slides.

# %% [markdown]
# How much of this is the rate? A recorded search has the same plain network, with the same images and
# seeds, at its own best rate. We compare the second pass over the data, the last one that the runs
# here had.

# %%
best = [run["epochs"][1]["loss"] for run in read_study("01_higher_rates")["results"]
        if run["name"] == "convolutional 56" and run["learning_rate"] == 0.03]
second = {f"{name}, here": [run.epochs[-1]["loss"] for run in runs[name]]
          for name in ("plain 56", "residual 56")}
plots.table(["network", "mean training loss of the second pass, each seed"], [
    [name, ", ".join(f"{loss:.2f}" for loss in losses)]
    for name, losses in (second | {"plain 56, at its best rate (recorded)": best}).items()
])
verdict_above("at its own best rate, found in a recorded search, the 56-layer plain network is much lower "
              "than here", second["plain 56, here"], best, ratio=1.5, unit="nats")

# %% [markdown]
# So tuning takes a large bite out of the gap. Its size with the best rate on *both* sides is not known
# from this lesson, for the residual networks have not had their search.

# %%
verdict_above(
    f"after {UPDATES} updates the 20-layer residual network has a lower training loss than the "
    "8-layer one",
    above=final["residual 8"], below=final["residual 20"], ratio=1.5, unit="nats",
)

# %% [markdown]
# ### Is it only the narrow middle?
#
# Section 2 had a caution: a plain bottleneck cannot pass every $x$ on, since it keeps half of the
# channels. So we repeat the start of the plain runs, 150 updates at the same rate, with `reduction=1`:
# all three convolutions have the block's full width, and nothing is narrowed. This takes half a
# minute.
#
# **Predict.** Does the gap between 20 and 56 layers go away?

# %%
wide = {f"plain {depth}, not narrowed": {"depth": depth, "shortcut": "none", "reduction": 1}
        for depth in (20, 56)}
training_only = load_mnist(train=12800, val=0, test=0)  # the training loss is all we ask for
control = by_name(sweep(wide, seeds=[0, 1, 2], data=training_only, updates=150))
shallow, deep = ([record.final_loss(50) for record in group] for group in control.values())
verdict_above("without narrowing, too, 56 layers are behind 20 after 150 updates at this rate", deep,
              shallow, ratio=2, unit="nats")

# %% [markdown] tags=["slide"]
# ## Is it only the narrow middle?
#
# A plain bottleneck keeps half of the channels: it cannot pass every $x$ on.
#
# The control has `reduction=1`: nothing is narrowed.
#
# <!-- output -->
#
# <!-- notes -->
# Ask: does the gap go away? Expected: yes, for those who have listened to lesson 03. In the first 150
# updates it does not. What more training at each one's best rate would do, this control cannot tell.

# %% [markdown]
# So the narrow middle is not what keeps the deep network back at the start. Whether networks of full
# width still degrade after more training, each at its best rate, is a question that 150 updates at
# one rate cannot answer.
#
# ### Is it over-fitting?
#
# Lesson 01 told the two apart by two numbers. Here they are for all six networks. The training
# columns are means over the last epoch, while the network was still changing; the validation columns
# are measured after it. So validation can look better.

# %%
rows = []
for name, group in runs.items():
    ends = [record.epochs[-1] for record in group]
    columns = ("loss", "val_loss", "accuracy", "val_accuracy")
    rows.append([name, *(f"{np.mean([end[column] for end in ends]):.3f}" for column in columns)])
plots.table(["network", "training loss", "validation loss", "training accuracy",
             "validation accuracy"], rows)

# %%
ends = {name: [record.epochs[-1] for record in group] for name, group in runs.items()}
verdict_above(
    "the 56-layer plain network is worse than the 20-layer one on the images that it was trained "
    "on, so it is not over-fitting",
    above=[1 - end["accuracy"] for end in ends["plain 56"]],
    below=[1 - end["accuracy"] for end in ends["plain 20"]],
    ratio=2, unit="wrong",
)

# %% [markdown] tags=["slide"]
# ## Is it over-fitting?
#
# **Ask the training loss.** Over-fitting is: low in training, high on new images.
#
# <!-- output -->
#
# <!-- notes -->
# Ask: the deep plain network gets few test images right; does it over-fit? Expected: yes, since it
# has more layers. It is bad on the images that it was trained on.

# %% [markdown]
# ## 5. Does the shortcut make training faster?
#
# The article says that the shortcut makes training much faster. Speed has two parts: how many
# updates a network needs, and how long an update takes. A network has **reached** the target when
# the mean loss of its last 25 batches is at or below it.
#
# **Predict.** For 20 layers: does the shortcut save updates? Does it save seconds?

# %%
TARGET = 0.7  # nats
rows = []
for name, group in runs.items():
    reached = [record for record in group if record.updates_to(TARGET)]
    updates = [record.updates_to(TARGET) for record in reached]
    seconds = [record.seconds[n - 1] for record, n in zip(reached, updates, strict=True)]
    medians = [f"{np.median(updates):.0f}", f"{np.median(seconds):.1f}"] if reached else ["—", "—"]
    step = np.median([record.seconds[-1] / len(record.seconds) for record in group])
    rows.append([name, f"{len(reached)} of {len(group)}", *medians, f"{1000 * step:.1f}"])
plots.table(["network", f"seeds that reached {TARGET}", "updates (median of those)",
             "seconds (median of those)", "milliseconds an update"], rows)

# %%
def updates_needed(name):
    # A run that never got there needed more than it was given.
    return [record.updates_to(TARGET) or UPDATES + 1 for record in runs[name]]


for depth, ratio in ((20, 1), (56, 2)):
    verdict_above(
        f"at {depth} layers, at this rate, the residual network needs fewer updates to a loss of "
        f"{TARGET} (a run that never got there counts as one more than it had)",
        above=updates_needed(f"plain {depth}"), below=updates_needed(f"residual {depth}"),
        ratio=ratio, unit="updates",
    )
print("at 8 layers: plain", updates_needed("plain 8"), "residual", updates_needed("residual 8"))

# %% [markdown] tags=["slide"]
# ## Does the shortcut make training faster?
#
# Speed has two parts: how many updates, and how long an update takes.
#
# <!-- output -->
#
# <!-- notes -->
# The article says much faster. At this rate the residual networks of 20 and 56 layers need fewer
# updates; how much of that is the rate, which suits them better, is not measured. At 8 layers three
# seeds cannot tell. Ask: why is there no verdict on seconds? Expected: they depend on the machine.

# %% [markdown]
# There is no verdict for 8 layers. Read the last line: do the two lists overlap? Then three seeds
# cannot tell which kind is faster.
#
# Seconds depend on the machine and on what else it does, so no verdict compares them. The last
# column is rough: two runs share the machine. But look at it beside section 2. An update of a residual
# network should take longer, since it does the same work and one addition a block more. Where it takes
# longer by a larger share than the additions have of the multiply-adds, you see lesson 03's point: an
# addition computes little, yet it fetches two numbers and writes one for each that it gives.
#
# ## 6. The test set
#
# The test images took no part in training, nor in any choice above.

# %%
rows = [
    [name, *(f"{record.test_accuracy:.2%}" for record in group)] for name, group in runs.items()
]
plots.table(["network", "seed 0", "seed 1", "seed 2"], rows)
verdict_above(
    f"after {UPDATES} updates at this rate, at 56 layers, plain makes several times the mistakes of "
    "residual on the test images",
    above=[1 - record.test_accuracy for record in runs["plain 56"]],
    below=[1 - record.test_accuracy for record in runs["residual 56"]],
    ratio=3, unit="wrong",
)

# %% [markdown]
# ### Which digits are confused?
#
# A **confusion matrix** counts, for each digit (row), what the network said (column). This is the
# 56-layer residual network, first seed. Only the mistakes are shaded.

# %%
shown = runs["residual 56"][0]
predictions = shown.test_logits.argmax(axis=1)
plots.show(*plots.confusion_matrix(mnist.test.labels, predictions, title="56 layers, residual"))

# %% [markdown] tags=["slide"]
# ## Which digits are confused?
#
# <!-- output -->
#
# <!-- notes -->
# The residual network of 56 layers, first seed, test images. Ask which pair will be the worst.
# Expected: 4 and 9, or 7 and 2. One seed makes no claim; it is to look at.

# %% [markdown]
# ### The worst mistakes
#
# These are the test images with the highest loss, that is, those where the network was most sure
# of something else. **Predict:** would you have got them right?

# %%
losses = cross_entropy(shown.test_logits, mnist.test.labels)
worst = np.argsort(losses)[::-1][:16]
captions = [f"{mnist.test.labels[i]} taken\nfor {predictions[i]}" for i in worst]
title = "The 16 worst mistakes of the 56-layer residual network"
plots.show(*plots.digit_grid(raw_mnist()["x_test"][worst], captions, title=title))

# %% [markdown]
# ## 7. Is the plain network only slower?
#
# After 400 updates the deep plain network is far behind. Perhaps it only needs more time. Minutes
# cannot tell, so this part shows a **recorded study**: networks of 20 and 56 layers, with the same
# images, seeds and learning rate as above, so that the rate still suits the residual ones better. Each
# run kept this rate until its own training loss had nearly stopped falling: its **plateau**. Then the
# rate was divided by ten, as He 2016a does (Section 3.4), which takes much of the noise out of the
# loss. Ten more epochs followed.
#
# When has a loss nearly stopped falling? The study takes the mean of five epochs at a time. The plateau
# is reached when the best such mean has fallen by less than a tenth in ten epochs. A plateau in this
# sense is not an end: at a constant rate the noise of the updates holds the loss up, and once the rate
# drops, it falls again.
#
# **Predict.** Does the 56-layer plain network catch up with the 20-layer one?

# %%
study = read_study("04_long_runs")
settings = study["settings"]
print(provenance(study))
print("seeds:", settings["seeds"], " at most", settings["updates"], "updates")
print("learning rate:", settings["learning_rate"], "until the plateau, then",
      settings["learning_rate_at_plateau"], "for", settings["epochs_after_plateau"], "epochs")

# %%
long_runs = runs_of(study)
title = "20 and 56 layers, to the plateau and beyond (recorded)"
plots.show(*plots.learning_curves(long_runs, "epoch_loss", log=True, title=title, each_seed=True))

# %% [markdown] tags=["slide"]
# ## Is the plain network only slower?
#
# <!-- output -->
#
# <!-- notes -->
# A recorded study: each run kept its rate until its own training loss stopped falling, then got a
# tenth of it. Ask before: does plain 56 catch up? Expected: many think so. At this rate it is slower
# by far. When the runs end it is still above plain 20, and still falling.

# %% [markdown]
# ### Does the record fit your machine?
#
# The study begins as the live runs of section 4 do, with the same networks, seeds and settings. So
# the first pass over the data must agree, up to rounding, which differs from machine to machine.

# %%
recorded = by_name(long_runs)
pairs = [(mine.epochs[0]["loss"], theirs.epochs[0]["loss"])
         for name in recorded for mine, theirs in zip(runs[name], recorded[name], strict=True)]
apart = max(abs(mine / theirs - 1) for mine, theirs in pairs)
verdict("the live runs begin as the recorded ones did", apart < 0.1,
        f"mean loss of the first epoch, {len(pairs)} pairs of runs, at most {apart:.2%} apart")

# %%
same = all(settings["networks"][name] == networks[name] for name in recorded)
same &= settings["train"] == len(mnist.train) and settings["learning_rate"] == 2e-3
verdict("the study has the live runs' networks, images and first learning rate", same,
        f"{len(recorded)} networks, {settings['train']} images")

# %% [markdown]
# ### Slower?
#
# First: did every run reach its plateau? And how many updates did each need to a training loss of 0.1?

# %%
def plateau(run):
    """Return the update at which the learning rate dropped, or None if it never did."""
    return run.learning_rate[1][0] if len(run.learning_rate) > 1 else None


def mean_loss(run, update=math.inf, last=5):
    """Return the mean training loss of the last five epochs up to an update."""
    return float(np.mean([e["loss"] for e in run.epochs if e["update"] <= update][-last:]))


plateaus = {name: [plateau(run) for run in group] for name, group in recorded.items()}
at_plateau = {name: [mean_loss(run, plateau(run)) for run in group]
              for name, group in recorded.items()}
at_end = {name: [mean_loss(run) for run in group] for name, group in recorded.items()}
plots.table(["network", "updates to the plateau", "loss there", "loss at the end"], [
    [name, ", ".join(f"{one:,}" for one in plateaus[name]),
     *(", ".join(f"{one:.4f}" for one in losses[name]) for losses in (at_plateau, at_end))]
    for name in recorded
])

# %%
def updates_to(run, loss):
    """Return the end of the first epoch whose mean training loss is at a value or below."""
    return next(e["update"] for e in run.epochs if e["loss"] <= loss)


needed = {name: [updates_to(run, 0.1) for run in group] for name, group in recorded.items()}
plots.table(["network", "updates to a training loss of 0.1"], [
    [name, ", ".join(f"{one:,}" for one in group)] for name, group in needed.items()
])
verdict("every run reached its plateau", all(all(group) for group in plateaus.values()),
        f"{sum(map(len, plateaus.values()))} runs, none cut off at {settings['updates']} updates",
        recorded=True)
verdict_above("at this rate the 56-layer plain network needs at least twice the updates of the 20-layer "
              "one to a training loss of 0.1", needed["plain 56"], needed["plain 20"], ratio=2,
              unit="updates", recorded=True)

# %% [markdown]
# ### Or worse?
#
# Compare the losses, at the plateau and after the lower rate. The second comparison is the better
# one, since a loss at the plateau is partly the noise of the rate.

# %%
for when, losses in (("at the plateau", at_plateau), ("at the end of the runs", at_end)):
    verdict_above(f"{when}, the 56-layer plain network has the higher training loss than the "
                  "20-layer one", losses["plain 56"], losses["plain 20"], ratio=1.2, unit="nats",
                  recorded=True)
    verdict_above(f"{when}, it has a several times higher loss than the 56-layer residual network",
                  losses["plain 56"], losses["residual 56"], ratio=2, unit="nats", recorded=True)

# %% [markdown]
# Is that the end of the story? Two more figures: the mistakes in the last epoch, and by how much the
# loss still fell in the last four.

# %%
wrong = {name: [round((1 - run.epochs[-1]["accuracy"]) * settings["train"]) for run in group]
         for name, group in recorded.items()}
fall = {name: [1 - run.epochs[-1]["loss"] / run.epochs[-5]["loss"] for run in group]
        for name, group in recorded.items()}
plots.table(["network", f"wrong in the last epoch, of {settings['train']:,}",
             "fall of the loss in the last four epochs"], [
    [name, ", ".join(map(str, wrong[name])), ", ".join(f"{one:.0%}" for one in fall[name])]
    for name in recorded
])
verdict("when the runs end, the loss of the 56-layer plain network is still falling, with every seed",
        min(fall["plain 56"]) > 0.1, f"by at least {min(fall['plain 56']):.0%} in four epochs",
        recorded=True)

# %% [markdown] tags=["slide"]
# ## Slower, and not level when the runs end
#
# All at one shared rate, which suits the residual networks better:
#
# - plain 56 needs several times the updates of plain 20 to a training loss of 0.1
# - when the runs end, its training loss is still higher, and still falling
# - in training mistakes the two overlap
# - the losses of residual 20 and 56 overlap: three seeds cannot tell them apart
#
# <!-- notes -->
# Ask: could another learning rate change that? Expected: yes, and rightly so. Lesson 01 searched the
# rates: at its best one the deep plain network does far better, and in 600 updates it still degrades.

# %% [markdown]
# And the residual networks? In the table, the runs of 20 and of 56 layers overlap, at the plateau and at
# the end, so three seeds cannot tell which depth is lower.
#
# For the plain network, the record answers half of the question. At this rate it *is* slower, by far and
# with every seed. Whether it is also worse remains open: when the runs end, its loss is above that of
# the network with a third of its layers, with every seed, but it is still falling, and in training
# mistakes the two overlap. The plateau belongs to one rule for "stopped falling" and to one learning
# rate, far from the deep plain network's best. Nor does lesson 01's proof, that a deep network can copy a
# shallow one, cover these networks, since their blocks narrow. He and his colleagues trained three times as long as
# usual and still saw degradation; they suspect very low convergence rates (2016a, Section 4.1,
# footnote 3).
#
# ### On the test set
#
# **Predict.** With the training loss near zero everywhere, does depth still matter for accuracy?

# %%
rows = [[name, *(f"{run.test_accuracy:.2%}" for run in group)] for name, group in recorded.items()]
plots.table(["network", "seed 0", "seed 1", "seed 2"], rows)
mistakes = {name: [1 - run.test_accuracy for run in group] for name, group in recorded.items()}
verdict_above("at this rate the 56-layer plain network makes more mistakes than the 56-layer residual "
              "one", mistakes["plain 56"], mistakes["residual 56"], ratio=1.3, unit="wrong",
              recorded=True)

# %% [markdown] tags=["slide"]
# ## On the test set, at the end
#
# - plain 20 and plain 56 overlap in mistakes: three seeds cannot tell them apart
# - residual 56 stays ahead of plain 56, at this shared rate
#
# <!-- notes -->
# What cannot be told is reported as such. Ask: how can the loss differ and the
# mistakes not? Expected: no idea. Both have learnt nearly all their images; the loss still tells
# how sure they are.

# %% [markdown]
# On the training images, the deep plain network still has the higher loss when the runs end. On the test
# images the two plain networks overlap, and three seeds cannot tell them apart: both have learnt nearly
# all their images. At this shared rate, the deep residual network stays ahead of the deep plain one on
# both.
#
# ## 8. What this shows, and what it does not
#
# | the article says | here |
# |---|---|
# | With residual blocks, depth does not degrade the network. | Holds up to 56 layers, on MNIST, after 400 updates at this rate. In the long runs 20 and 56 layers overlap. |
# | The addition costs little computation. | Holds in multiply-adds. In seconds it may be a larger share: reported, not judged. |
# | The shortcut makes training much faster. | At this rate, fewer updates to the target loss at 20 and at 56 layers. At 8, three seeds cannot tell. |
# | It improves the result of training. | Holds at 56 layers, at a rate that suits the shortcut better, for training loss and test accuracy, after 400 updates and in the long runs. |
#
# Three limits. All runs share one learning rate, and it suits the residual networks better. Lesson 01
# searched for better ones: at its best rate, a higher one, the 56-layer plain network does far better
# than here, and still degrades. The rate of the residual networks was never searched, so how large the
# gap is when each has its best rate is not shown here. The networks are narrow and the images small.
# And we have seen *that* the shortcut helps, not *why*.
#
# **Try it.** Change one thing in the dictionary `networks`, predict, run that cell, skip the check of
# equal weights and section 7, and run section 4 cell by cell. A verdict that fails there is a
# finding.
#
# - `"shortcut": "projection"` for the residual networks: a learnt shortcut where the shape changes;
# - `"zero_init": True` for the residual networks: each block starts with $F(x) = 0$;
# - `"normalisation": False` for all: which networks still train?
#
# ## Summary
#
# - A plain and a residual block differ by one addition. With padded shortcuts, networks of one
#   depth have the same parameters and the same first weights.
# - The deep plain network has the higher *training* loss. That is degradation, not over-fitting. How
#   *much* higher depends on the learning rate, and the one that all networks share here suits the
#   residual ones better.
# - After 400 updates at this rate, the deep residual network is no worse than the shallow one.
# - At this rate the deep plain network is slower by far. When the long runs end, its training loss is
#   still above that of the shallow one, and still falling.
# - The addition is a small share of the arithmetic.
# - A comparison needs equal conditions that suit both sides, several seeds, and a claim that a cell can
#   refute.
#
# The shortcut helps. But why? The two kinds start from the same weights and have the same layers.
# Lesson 05 opens the trained networks and measures what goes on inside.
#
# ## Quiz
#
# Five questions. Each option says at once why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("04")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - One addition apart; the rest is equal, the learning rate too, and it suits residual better.
# - The deep plain network is worse in *training*: not over-fitting.
# - After 400 updates, the deep residual network is no worse than the shallow one.
# - At this rate plain 56 is slower by far, and still higher and falling when the runs end.
# - We have seen *that*, not *why*: lesson 05.
#
# **Exercises:** lesson 04, 1 to 4; number 5 for a discussion.
#
# <!-- notes -->
# Ask: which limit of this experiment would you remove first? Expected: larger images. The rate of
# the residual networks was never searched: that is the first one.

# %% [markdown]
# <!-- quiz: 04 -->
#
# ## Exercises
#
# Reading is half of it. [Exercises to lesson 04](exercises/04_plain_vs_residual.ipynb): five tasks, each with a check
# that answers at once and with hints that unfold.
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). Plain against residual: Section 4.
#   Learning rate: Section 3.4. Option A, the bottleneck, footnotes 3 and 4: Section 4.1. Depths 20
#   and 56: Section 4.2.
# - S. Ioffe, C. Szegedy 2015: *Batch Normalization*. ICML.
#   [arXiv:1502.03167](https://arxiv.org/abs/1502.03167).
# - D. P. Kingma, J. Ba 2015: *Adam*. ICLR. [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
# - Y. LeCun, C. Cortes, C. J. C. Burges: *The MNIST database of handwritten digits*. CC BY-SA 3.0.
