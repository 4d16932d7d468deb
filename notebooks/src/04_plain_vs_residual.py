# %% [markdown]
# # 04 · Plain against residual
#
# **Question.** Does the shortcut help when everything else is equal?
#
# **Objectives.** After this lesson you can
#
# 1. say what a plain and a residual block have in common, and what one addition changes;
# 2. check that two networks are equal in parameters, first weights and data;
# 3. read loss curves with bands over seeds, and tell degradation from over-fitting;
# 4. give the cost of the addition in multiply-adds;
# 5. answer "is the deep plain network only slower?" with a measurement.
#
# **Prerequisites.** Lesson 00: convolution, ReLU, batch normalisation, cross-entropy, Adam.
#
# **Reading time:** 25 minutes. **Computing time:** 3 minutes on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from resnet_lesson import diagrams, plots
from resnet_lesson.data import load_mnist, raw_mnist
from resnet_lesson.diagnostics import layer_counts, weighted_layers
from resnet_lesson.models import network, reset_weights
from resnet_lesson.records import by_name
from resnet_lesson.studies import read_record, runs_of
from resnet_lesson.sweep import sweep
from resnet_lesson.training import cross_entropy, train
from resnet_lesson.verdicts import verdict, verdict_above

# %% [markdown]
# ## 1. The question
#
# Take a network that works. Add layers to it. The longer network can do all that the shorter one
# can: its extra layers only have to pass their input on unchanged. So its **training loss** should
# be no higher.
#
# He, Zhang, Ren and Sun found the opposite on CIFAR-10 and ImageNet (2016a, Section 1 and
# Figure 1). With a plain stack of layers, the deeper network ended with the *higher* training
# error. They called it **degradation**. It is not over-fitting: an over-fitted network has a *low*
# training loss and a high test loss.
#
# Their remedy is the **residual block**. Does the same happen on MNIST, in three minutes, on your
# machine? We train three depths of each kind and look.
#
# ## 2. One block, one addition apart
#
# A few layers in a row compute some function of their input $x$. Call it the **branch**, $F(x)$.
#
# - A **plain block** gives $\mathrm{ReLU}(F(x))$.
# - A **residual block** gives $\mathrm{ReLU}(F(x) + x)$. The way around the branch is the
#   **shortcut**.
#
# Suppose that the best thing for these layers to compute is $H(x)$. The plain branch has to learn
# $F(x) = H(x)$. The residual branch has to learn $F(x) = H(x) - x$, the **residual**. To pass its
# input on, the plain branch must learn the identity, weight by weight. The residual branch must
# only learn zero (He 2016a, Section 3.1).
#
# Our branch is the **bottleneck**: a 1×1 convolution narrows the tensor, a 3×3 works on it, a 1×1
# widens it again (He 2016a, Section 4.1, Figure 5).

# %%
plots.show(*diagrams.compare_blocks("bottleneck", filters=(8, 8, 16), in_filters=16))

# %% [markdown]
# Where the width grows from 16 to 32 channels and the image shrinks, $x$ and $F(x)$ have different
# shapes and cannot be added. There the shortcut takes every second pixel and fills the missing
# channels with zeros (He 2016a, Section 4.1, option A). It has no parameters. So the two kinds of
# network have exactly the same weights.
#
# ### The networks
#
# A 3×3 convolution, two stages of $n$ bottlenecks, an average over all pixels, one dense layer.
# That makes $1 + 2 \cdot 3n + 1 = 6n + 2$ layers with weights: 8, 20 and 56 for $n$ = 1, 3 and 9.

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
# A comparison is fair if one thing differs. Before we train, we check that the rest is equal: the
# number of parameters, and every single first weight.
#
# **Predict.** Does the shortcut add parameters?

# %%
for depth in DEPTHS:
    plain, residual = built[f"plain {depth}"], built[f"residual {depth}"]
    for model in (plain, residual):
        reset_weights(model, seed=0)
    pairs = list(zip(plain.get_weights(), residual.get_weights(), strict=True))
    verdict(
        f"at {depth} layers, plain and residual start from the same weights",
        all(np.array_equal(a, b) for a, b in pairs),
        f"{plain.count_params()} and {residual.count_params()} numbers, in {len(pairs)} arrays",
    )

# %% [markdown]
# ### What does the addition cost?
#
# We count **multiply-adds**: multiplications, each with an addition, for one image. A $k \times k$
# convolution from $c$ to $c'$ channels on $h \times w$ pixels takes $h\,w\,k^2\,c\,c'$ of them. The
# shortcut's addition takes one operation for each number in the tensor. We count it as a full
# multiply-add, which is too much, and still expect little.
#
# **Predict.** What share of a network's work are the shortcut's additions: 30 %, 10 %, 2 %?

# %%
rows = []
for depth in DEPTHS:
    counts = layer_counts(built[f"residual {depth}"])
    work = {kind: sum(c.multiply_adds for c in counts if c.kind == kind)
            for kind in ("Conv2D", "BatchNormalization", "Add")}
    share = work["Add"] / sum(work.values())
    rows.append([depth, *(f"{work[kind] / 1e6:.3f}" for kind in work), f"{share:.2%}"])
    verdict_above(f"at {depth} layers the additions are at most a fiftieth of the work",
                  [sum(work.values())], [work["Add"]], ratio=50)
plots.table(["layers", "convolutions", "normalisation", "additions", "share of additions"], rows)

# %% [markdown]
# The table is in millions of multiply-adds. The article behind this course says that "this simple
# addition does not bring much extra computation". In arithmetic that holds. What it costs in
# seconds we report below.
#
# ## 3. The training loop
#
# One **update** takes a batch of images, computes the loss, follows it back to every weight, and
# lets Adam move the weights. This is all of it:

# %%
mnist = load_mnist(train=12800, val=1000)
model = built["residual 8"]
optimizer = tf.keras.optimizers.Adam(2e-3)


@tf.function
def update(images, labels):
    with tf.GradientTape() as tape:
        logits = model(images, training=True)  # training=True: batch statistics
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss


# %% [markdown]
# The helper package has the same loop in `train`, with seeds, a record and a progress bar. Is it
# the same? We run five updates by hand and five with `train`, from one seed.

# %%
reset_weights(model, seed=0)
order = np.random.default_rng([0, 1]).permutation(len(mnist.train))
batches = order[: 5 * 64].reshape(5, 64)
by_hand = [float(update(mnist.train.images[at], mnist.train.labels[at])) for at in batches]

record = train(model, mnist, seed=0, updates=5)
print("by hand ", " ".join(f"{loss:.5f}" for loss in by_hand))
print("package ", " ".join(f"{loss:.5f}" for loss in record.loss))
verdict("the package trains as the loop above does", np.allclose(by_hand, record.loss, rtol=1e-3),
        f"largest difference {np.abs(np.subtract(by_hand, record.loss)).max():.1e} nats")

# %% [markdown]
# ## 4. The experiment
#
# Six networks, three **seeds** each. A seed decides the first weights and the order of the images.
# One run could be luck; three runs show how much luck there is. All runs have
#
# - the same 12,800 training images, in batches of 64, for 600 updates: three passes over the data;
# - Adam with a step size of 0.002;
# - He's initialisation, and batch normalisation after each convolution.
#
# **Predict.** Write down, before you run the cell: after 600 updates,
#
# 1. which plain network has the lowest training loss, the one with 8, 20 or 56 layers?
# 2. which residual network?
# 3. how far apart are the two kinds at 56 layers?
#
# The cell takes about two minutes. Two worker processes share the runs. If you interrupt it, it
# returns what it has measured so far.

# %%
UPDATES = 600
records = sweep(networks, seeds=[0, 1, 2], data=mnist, updates=UPDATES)
runs = by_name(records)

# %% [markdown]
# ### Training loss
#
# Each line is the mean of three seeds. Its band runs from the lowest seed to the highest. The loss
# is that of the training batches, averaged over 25 updates. A network that guesses has a loss of
# $\log 10 \approx 2.3$.

# %% tags=["readme-figure"]
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4), sharey=True, layout="constrained")
texts = []
for ax, kind in zip(axes, ("plain", "residual"), strict=True):
    chosen = [record for record in records if record.name.startswith(kind)]
    _, text = plots.learning_curves(chosen, ax=ax, title=f"{kind} networks")
    texts.append(text)
axes[1].set_ylabel("")
plots.show(axes[0], " ".join(texts))

# %% [markdown]
# **Before you read on:** which of your predictions held?
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

# %% [markdown]
# ### Verdicts
#
# Each verdict compares *every* run on one side with *every* run on the other. If one seed
# disagrees, the cell fails.

# %%
verdict_above(
    f"after {UPDATES} updates the 56-layer plain network has a higher training loss than the "
    "20-layer plain network: degradation",
    above=final["plain 56"], below=final["plain 20"], ratio=2, unit="nats",
)

# %%
verdict_above(
    f"after {UPDATES} updates the 56-layer residual network is not above the 20-layer one",
    above=final["residual 20"], below=final["residual 56"], unit="nats",
)

# %%
verdict_above(
    f"after {UPDATES} updates, at 56 layers, plain has a loss many times that of residual",
    above=final["plain 56"], below=final["residual 56"], ratio=5, unit="nats",
)

# %% [markdown]
# ### Is it over-fitting?
#
# An over-fitted network is good on its training images and bad on others. So we look at both. The
# **validation** images are not among the training images.

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
    ratio=2, unit="of the training images wrong",
)

# %% [markdown]
# ## 5. Does the shortcut make training faster?
#
# The article says that the shortcut "greatly increases the speed of training". Speed has two parts:
# how many updates a network needs, and how long an update takes.
#
# **Predict.** For 20 layers: does the shortcut save updates? Does it save seconds?

# %%
TARGET = 0.5  # nats
rows = []
for name, group in runs.items():
    updates = [record.updates_to(TARGET) for record in group]
    reached = [i for i, n in enumerate(updates) if n is not None]
    seconds = [group[i].seconds[updates[i] - 1] for i in reached]
    step = np.median([record.seconds[-1] / len(record.seconds) for record in group])
    middle = [f"{np.median([updates[i] for i in reached]):.0f}", f"{np.median(seconds):.1f}"]
    rows.append([name, f"{len(reached)} of {len(group)}", *(middle if reached else ["—", "—"]),
                 f"{1000 * step:.1f}"])
plots.table(["network", f"seeds that reached {TARGET}", "updates (median)", "seconds (median)",
             "milliseconds an update"], rows)

# %%
def updates_needed(name):
    # A run that never got there needed more than it was given.
    return [record.updates_to(TARGET) or UPDATES + 1 for record in runs[name]]


for depth in (20, 56):
    verdict_above(
        f"at {depth} layers the residual network needs fewer updates to a loss of {TARGET}",
        above=updates_needed(f"plain {depth}"), below=updates_needed(f"residual {depth}"),
        ratio=1.1, unit="updates",
    )

# %% [markdown]
# Seconds depend on the machine and on what else it does, so no verdict compares them. The last
# column shows what the addition costs on yours: compare plain and residual of one depth. It is
# more than the share of the arithmetic, since adding two tensors moves much memory for little work.
#
# ## 6. The test set
#
# The test images took no part in training, nor in any choice above. The loss tells degradation
# better than accuracy does: on MNIST, most networks that train at all get most digits right.

# %%
rows = [
    [name, *(f"{record.test_accuracy:.2%}" for record in group)] for name, group in runs.items()
]
plots.table(["network", "seed 0", "seed 1", "seed 2"], rows)
verdict_above(
    "at 56 layers, plain makes several times the mistakes of residual on the test images",
    above=[1 - record.test_accuracy for record in runs["plain 56"]],
    below=[1 - record.test_accuracy for record in runs["residual 56"]],
    ratio=3, unit="of the test images wrong",
)

# %% [markdown]
# ### Which digits are confused?
#
# A **confusion matrix** counts, for each digit (row), what the network said (column). This is the
# 56-layer residual network, first seed. Only the mistakes are shaded.

# %%
chosen = runs["residual 56"][0]
predictions = chosen.test_logits.argmax(axis=1)
plots.show(*plots.confusion_matrix(mnist.test.labels, predictions, title="56 layers, residual"))

# %% [markdown]
# ### The worst mistakes
#
# These are the test images with the highest loss, that is, those where the network was most sure
# of something else. **Predict:** would you have got them right?

# %%
losses = cross_entropy(chosen.test_logits, mnist.test.labels)
worst = np.argsort(losses)[::-1][:16]
captions = [f"{mnist.test.labels[i]} taken\nfor {predictions[i]}" for i in worst]
title = "The 16 worst mistakes of the 56-layer residual network"
plots.show(*plots.digit_grid(raw_mnist()["x_test"][worst], captions, title=title))

# %% [markdown]
# ## 7. Is the plain network only slower?
#
# After 600 updates the deep plain network is far behind. Perhaps it only needs more time. Three
# minutes cannot tell, so this part shows a **recorded study**: networks of 20 and 56 layers,
# trained until the loss stops falling, with the same images and seeds as above.
#
# **Predict.** Twenty times as many updates: does the 56-layer plain network catch up?

# %%
study = read_record("04_long_runs")
settings, machine = study["settings"], study["machine"]
print("recorded on", study["date"], "with TensorFlow", study["versions"]["tensorflow"])
print("machine:", machine["cores"], "cores,", machine["processor"])
print("updates:", settings["updates"], " seeds:", settings["seeds"])
print("learning rate, from update:", settings["learning_rate"])

# %% [markdown]
# At update 9,000 the learning rate is divided by ten. A constant rate keeps the weights in motion
# and the loss on a noisy level; a lower rate shows how far down the network can get.

# %%
long_runs = runs_of(study)
title = "20 and 56 layers, to the plateau (recorded)"
plots.show(*plots.learning_curves(long_runs, "epoch_loss", log=True, title=title))

# %% [markdown]
# First: does the record fit what your machine has just measured? The study begins as our live runs
# do, with the same networks, seeds and settings. So the first pass over the data must agree, up to
# rounding, which differs from machine to machine.

# %%
recorded = by_name(long_runs)
pairs = [(mine.epochs[0]["loss"], theirs.epochs[0]["loss"])
         for name in recorded for mine, theirs in zip(runs[name], recorded[name], strict=True)]
apart = max(abs(mine / theirs - 1) for mine, theirs in pairs)
verdict("the live runs begin as the recorded ones did", apart < 0.1,
        f"mean loss of the first epoch, {len(pairs)} pairs of runs, at most {apart:.2%} apart")
