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
# 2. say what such slices show at 18 layers, and what they leave open.
#
# **Prerequisites.** Lesson [05](../05_inside_the_network.ipynb).
#
# **Reading time:** 7 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import numpy as np
from keras.optimizers.schedules import CosineDecay

from resnet_lesson import plots, widgets
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import filter_normalised_direction, losses_around
from resnet_lesson.models import network
from resnet_lesson.runs import by_name
from resnet_lesson.sweep import sweep

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## 1. A fair ruler
#
# Take the weights $\theta$ of a trained network, draw a random **direction** $d$ of the same shape, and plot the loss at $\theta +
# \alpha d$. There is a trap in that. With batch normalisation, a filter (the kernel of one output channel) of twice the size gives
# the very same output. So a step of a given length is small for a network with large filters and large for one with small
# filters, and you can make any valley look as wide as you like. The remedy is **filter normalisation** (Li 2018, Section 4): each
# filter of the direction is made as long as the network's own,
#
# $$d_{i,j} \leftarrow \frac{d_{i,j}}{\lVert d_{i,j} \rVert}\, \lVert \theta_{i,j} \rVert.$$
#
# Then $\alpha = 0.5$ means: half of each filter's length, in every network.

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
           "The loss along random directions, each line the mean of two; three networks of each kind. **Compare the widths at one "
           "height, not the depths.**")

# %%
rises = {name: [(run[3] + run[7]) / 2 - run[5] for pair in pairs for run in pair] for name, pairs in valleys.items()}
plots.table(["network", "rise of the loss at α = ±0.2, lowest to highest of six slices"],
            [[name, f"{min(group):.2f} to {max(group):.2f} nats"] for name, group in rises.items()])

# %% [markdown]
# The two ranges overlap, so three networks in two directions do not settle which valley is narrower, and there is no
# verdict here, for either side. In the paper, too, it takes depth: without shortcuts, 20 layers are harmless and 56
# are chaotic (Figure 5). A plain network of 56 layers that has not learnt anything has no valley to draw, and a fair
# picture of one that has would need a finer grid than this notebook has time for.
#
# ## 3. Walk on it
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
#
# Back to lesson [05](../05_inside_the_network.ipynb).
#
# ## References
#
# - H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein 2018: *Visualizing the Loss Landscape of Neural
#   Nets*. NeurIPS. [arXiv:1712.09913](https://arxiv.org/abs/1712.09913), Section 4, Figure 5.
