# %% [markdown]
# # 01 · Degradation
#
# **Question.** Should a deeper network not be at least as good as a shallow one?
#
# **Objectives.** After this lesson you can
#
# 1. build, from a trained network, a deeper one that computes exactly the same;
# 2. choose learning rates so that networks of different depth are compared fairly;
# 3. tell degradation from over-fitting by looking at two numbers;
# 4. say what a vanishing gradient is, and check whether a network has it.
#
# **Prerequisites.** Lesson [00](00_start_here.ipynb): dense layer, convolution, ReLU,
# cross-entropy, gradient, Adam, batch normalisation.
#
# **Reading time:** 25 minutes. **Computing time:** 2 minutes on two cores, without a GPU.

# %% [markdown] tags=["slide"]
# # 01 · Degradation
#
# Should a deeper network not be at least as good?
#
# <!-- notes -->
# From 2012 to 2014 the leading networks grew from 8 layers to 22. Ask: why not 100? Collect the
# reasons on the board. Expected: over-fitting, vanishing gradients, time. Each of them is tested
# today.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import numpy as np

from resnet_lesson import diagrams, plots
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import gradient_norms, weighted_layers
from resnet_lesson.models import network, reset_weights
from resnet_lesson.runs import by_name
from resnet_lesson.studies import provenance, read_study
from resnet_lesson.sweep import sweep
from resnet_lesson.training import Trainer, evaluate
from resnet_lesson.verdicts import verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=12800, val=1000, test=0)

# %% [markdown]
# ## 1. Deeper is better, until it is not
#
# A **weighted layer** is a layer with weights that are multiplied: a convolution or a dense layer.
# The **depth** of a network is the number of weighted layers on the way from the image to the
# logits. A **plain** network is a chain: each layer takes what the layer before it gives, and
# nothing else.
#
# From 2012 to 2014 the leading networks for recognising images grew from 8 layers to 19 and 22
# (Krizhevsky 2012; Simonyan and Zisserman 2015; Szegedy 2015). So why not 100? Take a network that
# works, add layers, train it again. This lesson does that.
#
# **Predict.** You have a plain network of 10 layers and one of 100, and train both for the same
# time on the same images. Which one has the lower *training* loss? Write down your guess and a
# reason.
#
# ## 2. An argument: the deeper network can copy the shallow one
#
# A layer that gives out its input unchanged is an **identity mapping**. Take a trained network of
# 10 layers. Put 90 identity mappings before its last layer. The result has 100 layers and computes
# the same.

# %% [markdown] tags=["slide"]
# ## 10 layers against 100
#
# Same images, same time. Plain networks: a chain of layers.
#
# **Predict:** which one has the lower *training* loss? Write down a reason.
#
# <!-- notes -->
# Insist on the word training. Ask for a show of hands. Expected: two thirds for 100 layers, since
# it has more parameters.

# %%
trained = [("image", "other"), ("layer 1", "learnt"), ("…", "learnt"), ("layer 9", "learnt")]
added = [("identity", "identity"), ("…", "identity"), ("identity", "identity")]
plots.show(*diagrams.chains({
    "10 layers, trained": [*trained, ("logits", "learnt")],
    "100 layers, made from it": [*trained, *added, ("logits", "learnt")],
}))

# %% [markdown] tags=["slide"]
# ## The deeper network can copy the shallow one
#
# <!-- output: 330 -->
#
# $\mathrm{ReLU}(I x + 0) = \max(x, 0) = x$ where $x \ge 0$: an identity mapping.
#
# <!-- notes -->
# Ask: can a ReLU layer be the identity? Expected: no, it cuts off the negative half. Its input
# comes from a ReLU, so there is no negative half. The argument is from He and his colleagues
# (2016a, Section 1).

# %% [markdown]
# Can a dense layer with ReLU be the identity? It computes $\mathrm{ReLU}(Wx + b)$. Let $W$ be the
# identity matrix $I$ and $b = 0$. Then
#
# $$\mathrm{ReLU}(I x + 0) = \max(x, 0) = x \quad\text{where } x \ge 0.$$
#
# The input comes from a ReLU, so it is never negative. The layer is an identity mapping, exactly.
#
# So among all networks of 100 layers there is one that is as good as the one of 10. If training
# finds the best, or even a good one, the deeper network's training loss should be **no higher**.
# This argument is from He, Zhang, Ren and Sun (2016a, Section 1).
#
# We test it. The networks follow Srivastava, Greff and Schmidhuber (2015, Section 3.1), who asked
# this question of MNIST: dense layers of 71 units, no normalisation. (They searched over ReLU and tanh;
# we take ReLU.) First, three networks of 10 layers, one for each seed.

# %%
DENSE = {"shortcut": "none", "block": "dense", "widths": (71,), "normalisation": False}
SEEDS, UPDATES = (0, 1, 2), 600

shallow = network(10, **DENSE)
print(weighted_layers(shallow), "weighted layers")
trainer = Trainer(shallow, learning_rate=1e-3)
learnt = []  # the weights, one list a seed
for seed in SEEDS:
    trainer.run(mnist, seed, UPDATES)  # from the seed's own first weights
    learnt.append(shallow.get_weights())

# %% [markdown]
# Now the deeper network. Layers of the same name get the trained weights, every other layer becomes
# an identity mapping.
#
# **Predict.** How large is the largest difference between the logits of the two networks: zero, a
# rounding error, or more? Each number passes 90 more layers.

# %%
def copy(shallow, deep):
    """Let a deeper network compute what `shallow` computes."""
    names = {layer.name for layer in shallow.layers}
    for layer in deep.layers:
        if layer.name in names:
            layer.set_weights(shallow.get_layer(layer.name).get_weights())
        elif layer.weights:
            layer.set_weights([np.eye(71), np.zeros(71)])


deep = network(100, **DENSE)
copy(shallow, deep)
images, labels = mnist.train.images, mnist.train.labels
apart = np.abs(deep.predict(images, verbose=0) - shallow.predict(images, verbose=0)).max()
verdict("a 100-layer network can compute exactly what a 10-layer network computes", apart == 0,
        f"{weighted_layers(deep)} layers, {len(images)} images, largest difference {apart}")

# %% [markdown] tags=["slide"]
# ## Exactly, to the last bit
#
# <!-- output -->
#
# <!-- notes -->
# Ask before: zero, a rounding error, or more, after 90 further layers? Expected: a rounding error.
# Multiplying by one and adding zeros rounds nothing. So a good network of 100 layers exists.

# %% [markdown]
# Multiplying by one and adding zeros rounds nothing. We note the training loss of each copy, for
# later.

# %%
copied = []
for weights in learnt:
    shallow.set_weights(weights)
    copy(shallow, deep)
    copied.append(evaluate(deep.predict(images, verbose=0), labels)[0])
print("training loss of the 100-layer copies:", ", ".join(f"{loss:.3f}" for loss in copied), "nats")

# %% [markdown]
# ## 3. The experiment: trained, not copied
#
# Now we *train* plain networks of 10, 20, 50 and 100 layers, from random first weights. In a dense
# layer of $n$ inputs the weights are drawn with variance $2/n$, so that ReLU layers keep the size of
# their signals at any depth (He 2015, Section 2.2).
#
# ### A fair learning rate for each depth
#
# A rate that suits 10 layers may be wrong for 100. Then we would compare a well-tuned network with
# a badly tuned one. So each depth gets **its own best rate**, the one with the lowest training
# loss. We look at the training loss because the question is about it.
#
# Five rates for seven networks with three seeds are 105 runs, too many for three minutes. This
# search is a **recorded study**: a script that was run once. Its record says with what.

# %%
study = read_study("01_learning_rates")
settings = study["settings"]
print(provenance(study))
print("networks:", ", ".join(settings["networks"]))
print("learning rates:", settings["learning_rates"], " seeds:", settings["seeds"])
print("updates:", settings["updates"], "of", settings["batch_size"], "images each")

# %% [markdown] tags=["slide"]
# ## Now train it: a fair learning rate for each depth
#
# A rate that suits 10 layers may be wrong for 100.
#
# So each depth gets **its own best rate**, the one with the lowest training loss: a recorded study.
#
# **Predict:** does a deeper network want a larger or a smaller rate? Does that close the gap?
#
# <!-- notes -->
# Ask: why choose on the training loss and not on validation? Expected: that would be cheating. The
# question is about the training loss; choosing on it favours every depth alike.

# %% [markdown]
# **Predict.** Does a deeper network want a larger or a smaller learning rate? And will the best rate
# close the gap between the depths?

# %%
RATES = sorted(settings["learning_rates"])


def recorded(name, rate, results=study["results"]):
    """Training loss of the last 100 updates, one number a seed."""
    return [run["final_loss"] for run in results
            if run["name"] == name and run["learning_rate"] == rate]


dense = [name for name, net in settings["networks"].items() if net.get("block") == "dense"]
series = {name: np.transpose([recorded(name, rate) for rate in RATES]) for name in dense}
ax, alt = plots.curves(RATES, series, "learning rate", "training loss after 600 updates",
                       title="Dense plain networks (recorded)")
ax.set_xscale("log")
plots.show(ax, alt)

# %% [markdown] tags=["slide"]
# ## The best rate falls with depth
#
# <!-- output -->
#
# <!-- notes -->
# Each line has its own lowest point. Ask: what if the lowest point were at the edge? Expected: then
# a better rate may lie outside, and the comparison would be unfair. The lesson tests that it is
# not.

# %% [markdown]
# Guessing costs $\log 10 \approx 2.3$. The best rate of a depth is where its line is lowest, by the
# mean of the seeds. If it were the first or the last that we tried, a better one might lie outside.

# %%
best = {name: min(RATES, key=lambda rate: np.mean(recorded(name, rate))) for name in dense}
plots.table(["network", "best rate", "training loss, three seeds"], [
    [name, f"{best[name]:g}", ", ".join(f"{loss:.2f}" for loss in recorded(name, best[name]))]
    for name in dense
])
verdict("no dense network's best rate is at the edge of those tried",
        all(min(RATES) < best[name] < max(RATES) for name in dense),
        f"best {sorted({best[name] for name in dense})} among {RATES}")

# %% [markdown]
# The table answers the first question for these networks: the deeper ones want a smaller rate.
#
# ### Live: each depth at its best rate
#
# We run this slice of the study again, on your machine: four depths, three seeds, each with its best
# rate. It takes about a minute. An **epoch** is one pass over the training images, here 200 updates.

# %%
chosen = {name: settings["networks"][name] for name in dense}
rates = {name: best[name] for name in dense}
runs = by_name(sweep(chosen, SEEDS, mnist, updates=UPDATES, learning_rate=rates))

# %%
title = "Dense plain networks, each at its best learning rate"
plots.show(*plots.learning_curves([run for group in runs.values() for run in group], title=title))

# %% [markdown] tags=["slide"]
# ## Each depth at its best rate
#
# <!-- output -->
#
# <!-- notes -->
# These runs are live in the notebook. Ask: which line would you expect at the bottom, and what do
# you see? Expected: the 100 layers. It is the other way round.

# %% [markdown]
# Do the live runs agree with the record? Rounding differs from machine to machine, and training
# makes small differences larger. So we compare the mean loss of the first epoch, over the seeds.

# %%
apart = []
for name in dense:
    theirs = [run["epochs"][0]["loss"] for run in study["results"]
              if run["name"] == name and run["learning_rate"] == best[name]]
    mine = [run.epochs[0]["loss"] for run in runs[name]]
    apart.append(abs(np.mean(mine) / np.mean(theirs) - 1))
verdict("the live runs begin as the recorded ones did", max(apart) < 0.1,
        f"mean loss of the first epoch, {len(dense)} networks, at most {max(apart):.2%} apart")

# %% [markdown]
# ### Verdicts
#
# Each verdict compares *every* run on one side with *every* run on the other.

# %%
final = {name: [run.final_loss() for run in group] for name, group in runs.items()}
depth = {name: settings["networks"][name]["depth"] for name in dense}
plots.show(*plots.dots({"plain": {depth[name]: final[name] for name in dense}},
                       "weighted layers", f"training loss after {UPDATES} updates"))

# %% [markdown] tags=["slide"]
# ## Degradation: deeper ends higher
#
# <!-- output -->
#
# <!-- notes -->
# Every dot is a run. From 10 to 20 to 50 the groups do not overlap. From 50 to 100 there is no
# claim: the seeds overlap. Ask: is this a test loss? Expected: yes. It is the training loss.

# %%
verdict_above("20 layers end with a higher training loss than 10", final["dense 20"],
              final["dense 10"], ratio=1.1, unit="nats")
verdict_above("50 layers end with a higher training loss than 20", final["dense 50"],
              final["dense 20"], ratio=1.5, unit="nats")
verdict_above("100 layers end with a higher training loss than 20", final["dense 100"],
              final["dense 20"], ratio=2, unit="nats")

# %% [markdown]
# The training loss grows with depth, although each depth has its own best rate. Srivastava and his
# colleagues found it too, but only beyond 20 layers, with longer training, another optimiser and a
# random search over its settings (2015, Section 3.1, Figure 1). So what we see between 10 and 20 layers
# is likely a matter of speed: with more time, both get there. He, Zhang, Ren and Sun call it **degradation**.
#
# From 50 to 100 layers we make no claim: look at the dots, the seeds overlap.
#
# ### The better network was there
#
# Section 2 built networks of 100 layers without training one of 100. Compare them with those that
# were trained, on the same images, with their weights after the last update.

# %%
reached = []
for run in runs["dense 100"]:
    deep.set_weights(run.weights)
    reached.append(evaluate(deep.predict(images, verbose=0), labels)[0])
verdict_above("the 100-layer networks that copy a 10-layer one have a lower training loss than "
              "those that were trained", above=reached, below=copied, ratio=3, unit="nats")

# %% [markdown] tags=["slide"]
# ## The better network was there
#
# <!-- output -->
#
# A good solution exists. In the time it has, training does not find it.
#
# <!-- notes -->
# Ask: so what is wrong with the deep network: what it can compute, or how it is trained? Expected:
# after these slides, the second. Depth makes the plain network hard to optimise in that time.

# %% [markdown]
# So the trouble is not what a deep network *can* compute. A good solution exists. Training, from
# where it starts and in the time it has, does not find it. Depth makes the plain network hard to
# **optimise**.
#
# ## 4. Why this is not over-fitting
#
# A network **over-fits** when it is good on its training images and much worse on others: it has
# learnt them by heart. Many people's first guess for "too many layers" is over-fitting. Two numbers
# tell: the accuracy on training images and the accuracy on **validation** images, which were not
# trained on. A third one, the training accuracy of a shallower network, tells degradation from a
# network that is simply too weak.
#
# Here is real over-fitting, made on purpose: 10 layers, only 256 images, again and again.

# %%
few = load_mnist(train=256, val=1000, test=0)
overfit = sweep({"dense 10, 256 images": settings["networks"]["dense 10"]}, SEEDS, few,
                updates=300, learning_rate=best["dense 10"], workers=1)

# %% [markdown]
# **Predict.** Which of the two numbers is bad for the over-fitted network? Which for the 100-layer
# network?
#
# (The training accuracy is a mean over the last epoch, while the network was still changing; the
# validation accuracy is measured after it. So validation can look a little better.)

# %%
ends = {name: [run.epochs[-1] for run in group]
        for name, group in (by_name(overfit) | runs).items()}
plots.table(["network", "training accuracy", "validation accuracy"], [
    [name, *(f"{np.mean([end[key] for end in group]):.1%}" for key in ("accuracy", "val_accuracy"))]
    for name, group in ends.items()
])

# %% [markdown] tags=["slide"]
# ## This is not over-fitting
#
# <!-- output -->
#
# <!-- notes -->
# One network was over-fitted on purpose, with 256 images. Ask: which of the two numbers is bad for
# it, and which for 100 layers? Expected: the validation accuracy for both. For 100 layers the
# training accuracy is.

# %%
own, new = ([1 - end[key] for end in ends["dense 10, 256 images"]]
            for key in ("accuracy", "val_accuracy"))
verdict("the over-fitted network is wrong on less than a hundredth of its own images and on more "
        "than a tenth of the new ones, with every seed", max(own) < 0.01 and min(new) > 0.1,
        f"at most {max(own):.1%} of its own, at least {min(new):.1%} of the new")
verdict_above("the 100-layer network makes more mistakes than the 10-layer one on the images that "
              "it was trained on: this is degradation",
              [1 - end["accuracy"] for end in ends["dense 100"]],
              [1 - end["accuracy"] for end in ends["dense 10"]], ratio=3, unit="wrong")

# %% [markdown]
# | | training accuracy | validation accuracy | training accuracy of a shallower network |
# |---|---|---|---|
# | over-fitting | high | low | |
# | degradation | **low** | low | **higher** |
#
# More data or stronger regularisation is the remedy for the first. It is not aimed at the second.
#
# ## 5. Convolutional networks
#
# Is this a quirk of dense layers, or of missing normalisation? The study also has convolutional
# networks of 8, 20 and 56 layers with batch normalisation after each convolution. They are those
# of lesson 04, which draws them. Here the best of the five rates was the highest, so a better one
# might lie beyond. A second study went on with two higher ones.
#
# **Predict.** Batch normalisation was made to ease the training of deep networks. Does the
# degradation go away?

# %%
more = read_study("01_higher_rates")
results = study["results"] + more["results"]
ALL_RATES = sorted(RATES + more["settings"]["learning_rates"])
convolutional = list(more["settings"]["networks"])
series = {name: np.transpose([recorded(name, rate, results) for rate in ALL_RATES])
          for name in convolutional}
ax, alt = plots.curves(ALL_RATES, series, "learning rate", "training loss after 600 updates",
                       title="Convolutional plain networks (recorded)", log=True)
ax.set_xscale("log")
plots.show(ax, alt)

# %% [markdown] tags=["slide"]
# ## Convolutions with batch normalisation degrade, too
#
# <!-- output -->
#
# <!-- notes -->
# Ask before: does batch normalisation cure it? Expected: yes, that is what it was made for. Look at
# 56 layers: at low rates it hardly learns, at its best rate the gap is far smaller, and still
# there. Whoever tries one rate only may take a badly tuned network for a bad one.

# %%
for name in convolutional:
    best[name] = min(ALL_RATES, key=lambda rate: np.mean(recorded(name, rate, results)))
at_best = {name: recorded(name, best[name], results) for name in convolutional}
plots.table(["network", "best rate", "training loss, three seeds"], [
    [name, f"{best[name]:g}", ", ".join(f"{loss:.2f}" for loss in losses)]
    for name, losses in at_best.items()
])
verdict("no convolutional network's best rate is at the edge of those tried",
        all(min(ALL_RATES) < best[name] < max(ALL_RATES) for name in convolutional),
        f"best {sorted({best[name] for name in convolutional})} among {ALL_RATES}")
verdict_above("at its best rate, the 56-layer network ends with a higher training loss than the "
              "20-layer one (recorded)", at_best["convolutional 56"], at_best["convolutional 20"],
              ratio=2, unit="nats")

# %% [markdown]
# Look at the 56 layers in the figure once more. At the lower rates, the network has hardly learnt
# anything; at its best rate the gap to 20 layers is far smaller. Whoever tries one rate only may take
# a badly tuned network for a bad one. But even at its best, the deep network does not catch up in these
# 600 updates. (With
# batch normalisation, the deeper networks do not want smaller rates than the shallow ones.)
#
# Depth is not bad in itself: compare 8 layers with 20 in the table. Degradation sets in *beyond
# some depth*, here between 20 and 56.

# %%
verdict_above("20 convolutional layers end lower than 8 (recorded)", at_best["convolutional 8"],
              at_best["convolutional 20"], unit="nats")

# %% [markdown] tags=["slide"]
# ## Depth is not bad in itself
#
# <!-- output -->
#
# Degradation sets in beyond some depth, here between 20 and 56.
#
# <!-- notes -->
# Ask: so where would you stop to add layers? Expected: at the best validation accuracy. That is
# what people did before 2015; the question of this course is why they had to.

# %% [markdown]
# ## 6. Do the gradients vanish?
#
# The best-known trouble of deep networks is the **vanishing gradient**. The gradient of the loss is
# computed from the last layer back to the first. On its way it is multiplied once for each layer. If
# each layer makes it smaller, by a factor $c < 1$, the first layers get $c^L$ of it after $L$
# layers. With $c = 0.7$ and $L = 100$ that is $10^{-15}$. Not even Adam, which divides by the
# gradient's size, helps then: it divides by the size plus $10^{-7}$.
#
# We can make it happen. In a network with ReLU and no biases yet (they start at zero), making the
# weights of all hidden layers smaller by the factor $c$ makes the signal smaller by $c$ in each layer.
# The gradient passes the same matrices on its way back, so it shrinks likewise.
#
# **Predict.** How does the first layer's gradient depend on the depth: with the usual first
# weights, and with weights of 0.7 times their size?

# %%
def first_gradient(net, seed, factor):
    """Norm of the loss gradient at the first layer's weights, before training."""
    reset_weights(net, seed)
    for layer in net.layers:
        if layer.name.startswith("stage"):
            layer.set_weights([factor * weight for weight in layer.get_weights()])
    return gradient_norms(net, images[:256], labels[:256])["stem_dense"]


DEPTHS = (10, 20, 50, 100)
nets = [network(depth, **DENSE) for depth in DEPTHS]
first = {f"weights × {factor:g}": [[first_gradient(net, seed, factor) for net in nets]
                                   for seed in SEEDS] for factor in (1, 0.7)}
plots.show(*plots.curves(DEPTHS, first, "weighted layers", "gradient at the first layer", log=True,
                         title="Dense networks before training"))

# %% [markdown] tags=["slide"]
# ## Do the gradients vanish?
#
# <!-- output -->
#
# <!-- notes -->
# With weights of 0.7 times the size they do, on purpose. With the usual first weights they do not.
# Ask: 0.7 to the power of 50, without a computer? Expected: a few hundredths. 0.7² is ½, so about 3
# · 10⁻⁸.

# %% [markdown]
# Both axes matter: the vertical one is logarithmic. Weights of the right size keep the gradient
# alive at any depth. Weights a little too small kill it.

# %%
usual, smaller = (np.array(first[name]) for name in first)
verdict_above("with weights of 0.7 times the size, 100 layers leave less than a millionth of the "
              "gradient of 10", smaller[:, 0], smaller[:, -1], ratio=1e6)
verdict_above("with the usual weights, the first layer's gradient at 100 layers is at least a "
              "thousandth of that at 10: it does not vanish", 1000 * usual[:, -1], usual[:, 0])

# %% [markdown]
# So in section 3 the first layer's gradient did not vanish at the start, and yet the deep networks
# degraded. (We have not measured these dense networks during training.)
#
# What about convolutions with batch normalisation? We look at every layer's gradient in the 56-layer
# network, before training and after 100 updates, when its loss is still bad.

# %%
NAME = "convolutional 56"
chosen = {NAME: settings["networks"][NAME]}
net = network(**chosen[NAME])
norms = {"before training": [], "after 100 updates": []}
for run in sweep(chosen, SEEDS, mnist, updates=100, learning_rate=best[NAME]):
    reset_weights(net, run.seed)
    norms["before training"].append(gradient_norms(net, images[:256], labels[:256]))
    net.set_weights(run.weights)
    norms["after 100 updates"].append(gradient_norms(net, images[:256], labels[:256]))

# %%
by_layer = {when: [list(one.values()) for one in group] for when, group in norms.items()}
plots.show(*plots.curves(range(1, 57), by_layer, "layer", "gradient at the layer's weights",
                         log=True, title="56 convolutional layers, plain"))

# %% [markdown] tags=["slide"]
# ## With batch normalisation they grow
#
# <!-- output -->
#
# <!-- notes -->
# Ask: in which direction does the gradient shrink? Expected: towards the first layer. Before
# training it grows on its way back; after 100 updates it is level. So where we looked no gradient
# vanishes. What happens later in training we have not measured. Yang and colleagues (2019) explain
# the growth.

# %% [markdown]
# **Before you read on:** in which direction does the gradient shrink?

# %%
first_to_last = {when: [one[0] / one[-1] for one in group] for when, group in by_layer.items()}
verdict_above("before training, the first layer's gradient is several times the last layer's",
              first_to_last["before training"], [1], ratio=5, unit="times")
verdict_above("after 100 updates, it is at least a tenth of the last layer's: it does not vanish",
              first_to_last["after 100 updates"], [0.1], unit="times")

# %% [markdown]
# At the first layer nothing vanishes. Before training it is the other way round: the gradient *grows* on its way back
# to the first layer. Yang
# and colleagues explain why: batch normalisation without shortcuts makes gradients grow exponentially
# with depth at the start. They hold this explosion for the reason why such networks cannot be trained
# (2019, abstract; for dense layers). Adam divides by the size of the gradient, so with Adam size alone
# should not decide. He, Zhang, Ren and Sun report healthy gradients in their plain networks, and call
# vanishing gradients an unlikely cause (2016a, Section 4.1). Ours are less than healthy; where we looked,
# they do not vanish. That makes vanishing gradients an unlikely cause here, too. It does not rule them out:
# our verdicts judge the first layer alone, before training and, for the convolutional network, after 100
# updates.
#
# The article behind this course, <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>
# ([what is known of it](00_start_here.ipynb)), says that residual networks avoid vanishing and exploding
# gradients. Keep both words in mind. Lesson 05 will look at the gradients again, with shortcuts.
#
# ## 7. What this shows, and what it does not
#
# - It holds for these networks, on MNIST, after 600 updates. A deep network may be only slower:
#   lesson 04 trains for much longer and looks.
# - Each depth had its own learning rate. Other settings, such as Adam's, were shared.
# - A plain network that *narrows* cannot copy every input, since it loses some of it. The
#   convolutional networks here narrow inside each block. The argument of section 2 is exact for the
#   dense ones. Lesson 03 comes back to this.
#
# ## Summary
#
# - A deeper network can copy a shallow one, with identity mappings. We built such a copy; its logits
#   are equal to the last bit.
# - Trained from random first weights for 600 updates, the deeper plain network ends with the *higher*
#   training loss, even when each depth has its own best learning rate. That is degradation.
# - It is not over-fitting: the accuracy on the training images is low as well.
# - Where we looked, no gradient vanishes: at the first layer, before training, and in the convolutional
#   network after 100 updates as well. That makes vanishing gradients an unlikely cause; it does not
#   rule them out.
# - A good solution exists, and training, from where it starts and in the time it has, does not find it.
#
# An identity mapping would do no harm, yet training does not find it in that time. What if we *gave* the
# identity to the network, and let the layers learn only what to add to it? That is
# the idea of lesson 02.
#
# ## Quiz
#
# Five questions. Each option says at once why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("01")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - A deeper network can copy a shallow one, exactly.
# - Trained for 600 updates, it ends with the *higher* training loss, at its own best rate.
# - It is not over-fitting. Where we looked, no gradient vanishes: at the first layer, at the start.
# - A good solution exists, and in the time it has, training does not find it.
#
# **Exercises:** lesson 01, 1 to 4; number 5 is an experiment of one's own.
#
# <!-- notes -->
# Ask: an identity would do no harm, and training does not find it in time. What would you change? Expected:
# better first weights, other optimisers. Some will say: give it the identity. That is lesson 02.

# %% [markdown]
# <!-- quiz: 01 -->
#
# ## Exercises
#
# Reading is half of it. [Exercises to lesson 01](exercises/01_degradation.ipynb): five tasks, each with a check
# that answers at once and with hints that unfold.
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). Degradation and the copy: Section 1.
#   Gradients of plain networks: Section 4.1.
# - R. K. Srivastava, K. Greff, J. Schmidhuber 2015: *Training Very Deep Networks*. NIPS.
#   [arXiv:1507.06228](https://arxiv.org/abs/1507.06228), Section 3.1 and Figure 1: plain networks of
#   10 to 100 layers on MNIST. There the last layer is not counted as we do.
# - K. He, X. Zhang, S. Ren, J. Sun 2015: *Delving Deep into Rectifiers*. ICCV.
#   [arXiv:1502.01852](https://arxiv.org/abs/1502.01852), Section 2.2: the first weights.
# - G. Yang, J. Pennington, V. Rao, J. Sohl-Dickstein, S. S. Schoenholz 2019: *A Mean Field Theory of
#   Batch Normalization*. ICLR. [arXiv:1902.08129](https://arxiv.org/abs/1902.08129).
# - A. Krizhevsky, I. Sutskever, G. E. Hinton 2012: *ImageNet Classification with Deep Convolutional
#   Neural Networks*. NIPS. Eight layers.
# - K. Simonyan, A. Zisserman 2015: *Very Deep Convolutional Networks for Large-Scale Image
#   Recognition*. ICLR. [arXiv:1409.1556](https://arxiv.org/abs/1409.1556). Nineteen layers.
# - C. Szegedy and others 2015: *Going Deeper with Convolutions*. CVPR.
#   [arXiv:1409.4842](https://arxiv.org/abs/1409.4842). Twenty-two layers.
# - Y. LeCun, C. Cortes, C. J. C. Burges: *The MNIST database of handwritten digits*. CC BY-SA 3.0.
