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
# He, Zhang, Ren and Sun found the opposite on CIFAR-10 and ImageNet (2016a, Section 1, Figures 1
# and 4). With a plain stack of layers, the deeper network ended with the *higher* training
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
stages = [(9, "bottleneck", 16, 14), (9, "bottleneck", 32, 7)]  # blocks, kind, channels, pixels
stem, head = [("3×3 conv\n16, stride 2", 1)], [("average\npool", 0), ("dense\n10", 1)]
plots.show(*diagrams.network(stages, stem, head, shortcut="padded"))

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
# $\log 10 \approx 2.3$. The axis is logarithmic: equal distances are equal ratios.

# %% tags=["readme-figure"]
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4), sharey=True, layout="constrained")
texts = []
for ax, kind in zip(axes, ("plain", "residual"), strict=True):
    chosen = [record for record in records if record.name.startswith(kind)]
    _, text = plots.learning_curves(chosen, ax=ax, title=f"{kind} networks", log=True)
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
    reached = [record for record in group if record.updates_to(TARGET)]
    updates = [record.updates_to(TARGET) for record in reached]
    seconds = [record.seconds[n - 1] for record, n in zip(reached, updates, strict=True)]
    medians = [f"{np.median(updates):.0f}", f"{np.median(seconds):.1f}"] if reached else ["—", "—"]
    step = np.median([record.seconds[-1] / len(record.seconds) for record in group])
    rows.append([name, f"{len(reached)} of {len(group)}", *medians, f"{1000 * step:.1f}"])
plots.table(["network", f"seeds that reached {TARGET}", "updates (median)", "seconds (median)",
             "milliseconds an update"], rows)

# %%
def updates_needed(name):
    # A run that never got there needed more than it was given.
    return [record.updates_to(TARGET) or UPDATES + 1 for record in runs[name]]


for depth, ratio in ((20, 1), (56, 2)):
    verdict_above(
        f"at {depth} layers the residual network needs fewer updates to a loss of {TARGET}",
        above=updates_needed(f"plain {depth}"), below=updates_needed(f"residual {depth}"),
        ratio=ratio, unit="updates",
    )
print("at 8 layers: plain", updates_needed("plain 8"), "residual", updates_needed("residual 8"))

# %% [markdown]
# There is no verdict for 8 layers. Compare its last line: a network that shallow gains nothing from
# the shortcut that three seeds could show.
#
# Seconds depend on the machine and on what else it does, so no verdict compares them. The last
# column shows what the addition costs on yours: compare plain and residual of one depth. It need
# not equal the share of the arithmetic, since adding two tensors moves memory for little work.
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
# minutes cannot tell, so this part shows a **recorded study**: networks of 20 and 56 layers, with
# the same images and seeds as above, and twenty times as many updates.
#
# **Predict.** Does the 56-layer plain network catch up with the 20-layer one?

# %%
study = read_record("04_long_runs")
settings, machine = study["settings"], study["machine"]
print("recorded on", study["date"], "with TensorFlow", study["versions"]["tensorflow"])
print("machine:", machine["cores"], "cores,", machine["processor"])
print("updates:", settings["updates"], " seeds:", settings["seeds"])
print("learning rate, from update:", settings["learning_rate"])

# %% [markdown]
# At update 9,000 the learning rate is divided by ten, as in He 2016a (Section 3.4), where it is done
# when the error stops falling. A constant rate keeps the weights in motion and the loss on a noisy level; a lower
# rate shows how far down the network can get. The axis is logarithmic.

# %%
long_runs = runs_of(study)
title = "20 and 56 layers, 12,000 updates (recorded)"
plots.show(*plots.learning_curves(long_runs, "epoch_loss", log=True, title=title))

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

# %% [markdown]
# ### Slower, or worse?
#
# Both. First, it does learn: much of the early gap was a slow start.

# %%
def recorded_loss(name, update, last=5):
    """Mean training loss of the five epochs up to an update, for each seed."""
    ends = [[e["loss"] for e in run.epochs if e["update"] <= update] for run in recorded[name]]
    return [float(np.mean(losses[-last:])) for losses in ends]


END = settings["updates"]
verdict_above(
    "in the end the 56-layer plain network has learnt: its loss is a fiftieth of guessing or less",
    above=[np.log(10)], below=recorded_loss("plain 56", END), ratio=50, unit="nats",
)

# %% [markdown]
# Second, it does not catch up with the network that has a third of its layers.

# %%
verdict_above(
    f"after {END} updates the 56-layer plain network still has a higher training loss",
    above=recorded_loss("plain 56", END), below=recorded_loss("plain 20", END), ratio=2,
    unit="nats",
)

# %% [markdown]
# With the shortcut, depth does the opposite.

# %%
verdict_above(
    f"after {END} updates the 56-layer residual network has the lower training loss",
    above=recorded_loss("residual 20", END), below=recorded_loss("residual 56", END), unit="nats",
)

# %% [markdown]
# ### Would still more updates close the gap?
#
# The table shows the mean losses along the way, and the 56-layer loss over the 20-layer one. A
# ratio above 1 is degradation.

# %%
rows = []
for update in (1000, 3000, 6000, 9000, END):
    loss = {name: np.mean(recorded_loss(name, update)) for name in recorded}
    ratios = [loss[f"{kind} 56"] / loss[f"{kind} 20"] for kind in ("plain", "residual")]
    rows.append([update, *(f"{value:.4f}" for value in loss.values()),
                 *(f"{ratio:.1f}" for ratio in ratios)])
plots.table(["update", *recorded, "plain 56 / 20", "residual 56 / 20"], rows)

# %% [markdown]
# Read the last two columns downwards. If the plain ratio went to 1, the deep plain network would
# only be slower. Look also at the losses: no curve is quite flat at the end. All training images
# can be fitted, and then the cross-entropy has no lowest value: it creeps on towards zero. So this
# study says what holds after 12,000 updates. It cannot say what holds after a million.
#
# ### On the test set
#
# **Predict.** With the training loss near zero everywhere, does depth still matter for accuracy?

# %%
rows = [[name, *(f"{run.test_accuracy:.2%}" for run in group)] for name, group in recorded.items()]
plots.table(["network", "seed 0", "seed 1", "seed 2"], rows)
mistakes = {name: [1 - run.test_accuracy for run in group] for name, group in recorded.items()}
verdict_above("the 56-layer plain network makes more mistakes than the 20-layer one",
              mistakes["plain 56"], mistakes["plain 20"], unit="of the test images wrong")
verdict_above("and more than the 56-layer residual network", mistakes["plain 56"],
              mistakes["residual 56"], ratio=1.5, unit="of the test images wrong")

# %% [markdown]
# ## 8. What this shows, and what it does not
#
# | the article says | here |
# |---|---|
# | With residual blocks, depth does not degrade the network. | Holds up to 56 layers, on MNIST, after 600 updates and after 12,000. |
# | The addition costs little computation. | Holds in multiply-adds. Its seconds are reported, not judged. |
# | The shortcut makes training much faster. | Holds in updates, at 20 and at 56 layers. Does not show at 8. |
# | It improves the result of training. | Holds at 56 layers, for training loss and test accuracy, after 600 updates and after 12,000. |
#
# Three limits. All runs share one learning rate: a plain network might like another one better.
# The networks are narrow and the images small. And we have seen *that* the shortcut helps, not
# *why*.
#
# **Try it.** Change one thing in the dictionary `networks`, predict, and run all cells again. A
# verdict that then fails is a finding, not an accident.
#
# - `"shortcut": "projection"` for the residual networks: a learnt shortcut where the shape changes;
# - `"zero_init": True` for the residual networks: each block starts with $F(x) = 0$;
# - `"normalisation": False` for all: which networks still train?
#
# ## Summary
#
# - A plain and a residual block differ by one addition. With padded shortcuts, networks of one
#   depth have the same parameters and the same first weights.
# - The deep plain network has the higher *training* loss. That is degradation, not over-fitting.
# - The deep residual network is no worse than the shallow one.
# - The deep plain network is slower *and* worse: twenty times the updates do not close the gap.
# - The addition is a small share of the arithmetic.
# - A comparison needs equal conditions, several seeds, and a claim that a cell can refute.
#
# ## Quiz
#
# **1.** A 56-layer network has a training loss of 2.2 and a test loss of 2.2. Is it over-fitting?
#
# <details><summary>Answer</summary>
#
# No. Over-fitting means a low loss on the training images and a high one on others. Here both are
# near $\log 10$, the loss of guessing: the network has hardly learnt anything.
#
# </details>
#
# **2.** Does the shortcut win because it adds parameters?
#
# <details><summary>Answer</summary>
#
# No. Section 2 checks that both kinds have the same parameters, and even the same first weights.
# An identity shortcut has none, and the padded one fills up with zeros.
#
# </details>
#
# **3.** The best function for a block is $H(x) = x$, and $x$ is positive. What must the branch
# learn in a residual block, and what in a plain one?
#
# <details><summary>Answer</summary>
#
# In a residual block $F(x) = H(x) - x = 0$: zero weights in the last layer are enough. In a plain
# block $F(x) = x$: three convolutions with normalisations between them must undo one another.
#
# </details>
#
# **4.** Why does each curve have a band, and why is a verdict not made from the means?
#
# <details><summary>Answer</summary>
#
# Each seed gives other first weights and another order of images. The band shows how far apart the
# results are. A mean hides a seed that contradicts the claim. So a verdict compares every run with
# every run.
#
# </details>
#
# **5.** Why is the count of multiply-adds judged, and the time only reported?
#
# <details><summary>Answer</summary>
#
# The count is the same on every machine. The time depends on the processor, the library and what
# else runs at the moment. A verdict on it would fail for reasons that say nothing about residual
# networks.
#
# </details>
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). Degradation: Section 1, Figure 1. The
#   residual: Section 3.1. Option A and the bottleneck: Section 4.1, Figure 5.
# - K. He, X. Zhang, S. Ren, J. Sun 2015: *Delving Deep into Rectifiers*. ICCV.
#   [arXiv:1502.01852](https://arxiv.org/abs/1502.01852), Section 2.2: the first weights.
# - S. Ioffe, C. Szegedy 2015: *Batch Normalization*. ICML.
#   [arXiv:1502.03167](https://arxiv.org/abs/1502.03167).
# - D. P. Kingma, J. Ba 2015: *Adam*. ICLR. [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
# - Y. LeCun, C. Cortes, C. J. C. Burges: *The MNIST database of handwritten digits*. CC BY-SA 3.0.
