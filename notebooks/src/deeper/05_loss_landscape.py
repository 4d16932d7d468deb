# %% [markdown]
# # 05 · Deeper: the ground around the weights
#
# You have probably seen the picture: on the left a mountain range of needles, on the right a smooth bowl, and a
# caption that says "with skip connections". It is from Li and colleagues (2018), and it has become the best known
# argument for residual networks. It is also easy to misread. What is drawn is a slice through a space of many
# thousand dimensions, and how rough a slice looks depends on how far you walk. Here we walk ourselves, with their
# ruler, and see how much of it a small network shows.
#
# **Objectives.** After this notebook you can
#
# 1. draw a slice of the loss around a network's weights, with filter normalisation, and say why it is needed;
# 2. say what such slices and maps show at 18 and at 56 layers, and what they leave open.
#
# **Prerequisites.** Lesson [05](../05_inside_the_network.ipynb).
#
# **Reading time:** 10 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import matplotlib.pyplot as plt
import numpy as np
from keras.optimizers.schedules import CosineDecay

from resnet_lesson import plots, widgets
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import filter_normalised_direction, losses_around
from resnet_lesson.models import network
from resnet_lesson.runs import by_name
from resnet_lesson.studies import provenance, read_study
from resnet_lesson.sweep import sweep

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## 1. A fair ruler
#
# Take the weights $\theta$ of a trained network, draw a random **direction** $d$ of the same shape, and plot the loss
# at $\theta + \alpha d$. There is a trap in that. With batch normalisation, a filter (the kernel of one output channel)
# of twice the size gives the very same output, once the mean and variance of the normalisation have been measured anew.
# So a step of a given length is small for a network with large filters and large for one with small filters, and you
# can make any valley look as wide as you like. The remedy is **filter normalisation** (Li 2018, Section 4): each filter
# of the direction is made as long as the network's own,
#
# $$d_{i,j} \leftarrow \frac{d_{i,j}}{\lVert d_{i,j} \rVert}\, \lVert \theta_{i,j} \rVert.$$
#
# Then $\alpha = 0.5$ means: half of each filter's length, in every network. Biases and normalisations stay as they are on our
# walks, statistics included.

# %%
SEEDS, UPDATES = (0, 1, 2), 300
NETWORKS = {f"{kind} 18": {"depth": 18, "shortcut": shortcut, "block": "basic", "widths": (8, 16)}
            for kind, shortcut in (("plain", "none"), ("residual", "padded"))}
mnist = load_mnist(train=12800, val=1000, test=0)
runs = by_name(sweep(NETWORKS, SEEDS, mnist, updates=UPDATES, learning_rate=CosineDecay(0.01, UPDATES)))
some, nets = (mnist.val.images[:200], mnist.val.labels[:200]), {name: network(**config) for name, config in NETWORKS.items()}
net = nets["plain 18"]
net.set_weights(runs["plain 18"][0].weights)
direction = filter_normalised_direction(net, 0)
kernel, step = net.trainable_variables[0].numpy(), np.asarray(direction[0])  # the first convolution's
assert np.allclose(*(np.sum(np.square(filters), axis=(0, 1, 2)) for filters in (step, kernel)), rtol=1e-4)

# %% [markdown]
# ## 2. Two valleys
#
# **Predict.** Around the trained networks of 18 layers: is the plain valley narrower than the residual one?

# %%
ALPHAS = np.linspace(-0.5, 0.5, 11)
valleys = {name: [] for name in NETWORKS}
for name, net in nets.items():
    for run in runs[name]:
        net.set_weights(run.weights)
        valleys[name].append([losses_around(net, [filter_normalised_direction(net, d)], ALPHAS, *some) for d in (0, 1)])
both = {name: [np.mean(pair, axis=0) for pair in pairs] for name, pairs in valleys.items()}
plots.show(*plots.curves(ALPHAS, both, "α, as a share of each filter's length", "loss", log=True),
           "The loss along random directions, each line the mean of two; three networks of each kind. **Compare how fast they "
           "rise, not how deep they lie.**")

# %%
rises = {name: [(run[3] + run[7]) / 2 - run[5] for pair in pairs for run in pair] for name, pairs in valleys.items()}
plots.table(["network", "rise of the loss at α = ±0.2, lowest to highest of six slices"],
            [[name, f"{min(group):.2f} to {max(group):.2f} nats"] for name, group in rises.items()])

# %% [markdown]
# The two ranges overlap, so three networks in two directions do not settle which valley is narrower, and there is no
# verdict here, for either side. In the paper it takes depth to see a difference: without shortcuts, 20 layers are harmless and 56
# are chaotic (Figure 5).
#
# ## 3. Fifty-six layers, on a map
#
# So let's go to 56 layers, and take two directions at once, which gives a map in place of a slice. That is more than a
# notebook has time for, and was recorded. The study trains three kinds of network: the plain one, the residual one, and
# the *faded* one of lesson 04, which had shortcuts for a while and has none in the end. Each has its own best rate
# (0.02 for the plain one, 0.01 for the faded, 0.005 for the residual), annealed, and 1,200 updates. Their blocks,
# widths and images differ from those above, so compare the kinds of network and not the depths. Then the loss on 500
# training images is measured at 51 × 51 places, up to a whole length of each filter to every side.
#
# **Predict.** In the paper, the map of 56 plain layers is a chaos of needles. Will the map of our plain network look
# like that, too?

# %%
study = read_study("05_loss_landscape")
settings, maps = study["settings"], {}
steps = np.linspace(-settings["reach"], settings["reach"], settings["points"])
for run in study["results"]:
    task = run["task"]
    maps.setdefault((task["name"], task["seed"]), np.zeros(2 * [len(steps)]))[task["rows"]] = run["losses"]
names, seeds = ("plain", "faded", "residual"), settings["seeds"]
figure, axes = plt.subplots(len(seeds), 3, figsize=(10, 10), sharex=True, sharey=True, layout="constrained")
words = [plots.contours(steps, steps, maps[name, seed], "β", "α", [0.1, 0.3, 1, 3, 10, 100, 1000], ax=ax,
                        title=f"{name}, seed {seed}")[1]
         for row, seed in zip(axes, seeds, strict=True) for ax, name in zip(row, names, strict=True)]
for ax in axes.flat:
    ax.label_outer()
plots.show(axes[0, 0], " ".join(words), "The loss of nine networks of 56 layers, along two random directions; the cross marks the "
           "lowest place. **Look at the shape of the lines**: are there many hollows, or one?")

# %%
def hilltops(surface):
    """Return the heights of the places that lie higher than all of their eight neighbours."""
    middle = surface[1:-1, 1:-1]
    around = [np.roll(surface, (i, j), (0, 1))[1:-1, 1:-1] for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    return middle[middle > np.max(around, axis=0)]


def row(name, of, form):
    found = [of(maps[name, seed]) for seed in seeds]
    return ", ".join(form.format(one) for one in found)


plots.table(["network, three seeds each", "loss in the middle", "share of the map with a loss below 1", "hilltops", "hollows"],
            [[name, row(name, lambda s: s[25, 25], "{:.3f}"), row(name, lambda s: np.mean(s < 1), "{:.1%}"),
              row(name, lambda s: len(hilltops(s)), "{}"), row(name, lambda s: len(hilltops(-s)), "{}")] for name in names])
for seed in seeds:
    assert len(hilltops(maps["residual", seed])) <= 1 < 4 <= min(len(hilltops(maps[name, seed])) for name in names[:2])
    assert all(np.sort(-hilltops(-maps[name, seed]))[1:].min(initial=9) > 2.6 for name in names)
    widths = {height: [np.mean(maps[name, seed] < height) for name in names] for height in (0.1, 1)}
    assert np.argmax(widths[1]) == 1 and np.argmin(widths[1]) == 0 and np.argmax(widths[0.1]) == 2
print(provenance(study))

# %% [markdown]
# No needles. Each of the nine maps has one bowl, with the trained weights at its bottom or right beside it, and towards the
# corners the loss climbs to a thousand and more. (The count of hollows includes the bowl.) Still, you can tell the residual
# maps from the other six. Their lines are rings, one inside the other. On the others the lines run in and out, and outside of
# the bowl there are hills and hollows. Most of these are ripples, though, and all hollows but the bowl lie above 2.6, where the
# network does worse than one that guesses, whose loss is $\ln 10 \approx 2.3$.
#
# So the shortcuts smooth the ground, and they make the bowl wide? On these nine maps the residual ground is the
# smoother one, whatever the reason. The second is not. At a height of 1, the widest bowls belong to the faded networks,
# which have no shortcuts, and the smallest to the plain ones; at a height of 0.1 the residual bowls are the widest,
# since they lie deepest. Smooth, wide and deep are three things, and a width means little until you say at which
# height.
#
# And mind what all this is worth. Nothing was claimed before the study ran, there are three networks of each kind, their learning
# rates differ, and two random directions show little of a space of many thousand. It is a question for a larger study, and
# no finding. Nor does it refute the paper. There, too, the plain network of 56 layers had learnt, at a lower rate than the others,
# if less well. Pictures, widths, blocks and training all differ from ours at once, so that we cannot say
# why ours shows no needles.
#
# ## 4. Walk on it
#
# The sliders choose a network (first seed, first direction) and move its weights; at each place the loss was measured
# anew. $e^{-\text{loss}}$ is the probability that the network gives to the right digit, as a geometric mean.
#
# **Predict.** How far can you go, as a share of each filter's length, until the right digit gets less than a half?

# %%
for name, net in nets.items():
    net.set_weights(runs[name][0].weights)
STEP = {name: filter_normalised_direction(net, 0) for name, net in nets.items()}


def walk(network, alpha):
    """Draw the slice of a network, and where its weights are."""
    loss = losses_around(nets[network], [STEP[network]], [alpha], *some)[0]
    ax, text = plots.curves(ALPHAS, {network: valleys[network][0][0]}, "α", "loss", log=True,
                            title=f"α = {alpha:g}: loss {loss:.2f}, right digit {np.exp(-loss):.0%}")
    ax.plot(alpha, loss, "o", color="black")
    return ax, f"{text} A dot marks the weights."


widgets.explore(walk, {"network": "plain 18", "alpha": 0.2}, network=tuple(nets),
                alpha=np.round(np.linspace(-0.5, 0.5, 11), 1))

# %% [markdown]
# ## Summary
#
# - A slice of the loss is only worth looking at with a ruler that fits each network: filter normalisation.
# - Around trained networks of 18 layers, this experiment does not show that shortcuts make the valley wider or smoother. Nor does it show
#   that they do not.
# - Around 56 layers, each kind at its own best rate, nine maps have one bowl each and no needles. With shortcuts they look smoother.
#   Which bowl is the widest depends on the height: at 1, those of networks that have lost their shortcuts. Three networks of each kind
#   make that a question, and no finding.
#
# Back to lesson [05](../05_inside_the_network.ipynb).
#
# ## References
#
# - H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein 2018: *Visualizing the Loss Landscape of Neural
#   Nets*. NeurIPS. [arXiv:1712.09913](https://arxiv.org/abs/1712.09913), Section 4, Figure 5.
