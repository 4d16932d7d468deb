# %% [markdown]
# # 01 · Deeper: gradients through depth
#
# Ask why deep networks are hard to train, and most people will say *vanishing gradients*. It is a good answer:
# there is a theory behind it, and for networks of sigmoid units it was largely true. But the networks of lesson 01 were
# built with care, and they degraded all the same. Did their gradients vanish? The question can be settled
# by looking, if one looks everywhere: at every layer, and not only at the start.
#
# **Objectives.** After this notebook you can
#
# 1. say why gradients vanish or explode with depth, and make them vanish on purpose;
# 2. measure the gradient at each layer of a network, before training and during it;
# 3. say how small a gradient must be before Adam notices.
#
# **Prerequisites.** Lesson [01](../01_degradation.ipynb), to which this notebook belongs. Gradient tape, Adam
# and He initialisation are in the [primer](00_primer.ipynb).
#
# **Reading time:** 10 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import numpy as np
import tensorflow as tf

from resnet_lesson import plots
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import gradient_norms
from resnet_lesson.models import network, reset_weights
from resnet_lesson.training import Trainer
from resnet_lesson.verdicts import verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=12800, val=1000, test=0)
images, labels = mnist.train.images[:256], mnist.train.labels[:256]
SEEDS = [10, 11, 12]
DENSE = {"shortcut": "none", "block": "dense", "widths": (71,), "normalisation": False}

# %% [markdown]
# ## 1. Why they can vanish
#
# The gradient of the loss is computed from the last layer back to the first, and on its way it is multiplied
# once for each layer. If each layer leaves a share $c$ of it, the first of $L$ layers gets $c^L$, and powers
# are merciless: a share of 0.7, which sounds generous, leaves less than a billionth after 60 layers.
# With $c$ above one it is the other way round, and the gradient **explodes**.
#
# What decides $c$ is mostly the size of the weights. In a network of ReLU layers without biases, scaling all
# hidden weights by a factor scales the signal by it at each layer, and the gradient passes through the same
# matrices on its way back. So we can make it vanish on purpose. Here is the
# measurement, in plain TensorFlow: the length of the gradient as one long vector, called its **norm**, for
# the weights of each layer.

# %%
def norms(net):
    """Return the norm of the loss gradient at each layer's weights, first layer first."""
    kernels = [layer.kernel.value for layer in net.layers if hasattr(layer, "kernel")]
    with tf.GradientTape() as tape:
        tape.watch(kernels)
        logits = net(images, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    return [float(tf.norm(gradient)) for gradient in tape.gradient(loss, kernels)]


net = network(10, **DENSE)
reset_weights(net, seed=10)
assert np.allclose(norms(net), list(gradient_norms(net, images, labels).values()), rtol=1e-4)

# %% [markdown]
# **Predict.** By what factor does 0.7 times the weights shrink the first layer's gradient in 100 layers?

# %%
def first_norm(net, seed, factor):
    reset_weights(net, seed)
    for layer in net.layers:
        if layer.name.startswith("stage"):
            layer.set_weights([factor * weight for weight in layer.get_weights()])
    return norms(net)[0]


depths = (10, 20, 50, 100)
nets = {depth: network(depth, **DENSE) for depth in depths}
at_start = {f"weights × {factor:g}": {n: [first_norm(net, seed, factor) for seed in SEEDS]
                                      for n, net in nets.items()} for factor in (1, 0.7)}
plots.show(*plots.dots(at_start, "weighted layers", "gradient norm, first layer", log=True),
           "Before training, three seeds. With the weights of He initialisation the first layer of 100 gets a "
           "gradient that is a few times smaller than that of 10. With weights 30 % smaller, next to nothing is left.")

# %%
usual, smaller = at_start.values()
verdict_above("with weights of 0.7 times the size, 100 layers leave less than a millionth of the gradient "
              "of 10", smaller[10], smaller[100], ratio=1e6)
verdict_above("with the usual weights, the first of 100 layers gets more than a hundredth of what it gets "
              "in 10", above=np.min(usual[100]) / usual[10], below=[0.01], unit="of it")

# %% [markdown]
# This is why He initialisation mattered so much (He, Zhang, Ren and Sun 2015): it holds $c$ near one. The
# networks of lesson 01 have it. At the start, at least, nothing vanishes at their first layer.
#
# ## 2. Every layer, before and during training
#
# That was one layer, before the first update, and training moves weights. So let's train the 100 layers as
# lesson 01 did, and look at all of them: at the start, after 100 updates, and after all 600.

# %%
def through_training(net, rate, stops):
    """Return, for each stop, the gradient norms of all layers, a list for each seed."""
    trainer, found = Trainer(net, learning_rate=rate), {stop: [] for stop in stops}
    for seed in SEEDS:
        for stop in stops:  # each time from the start: the same seed goes the same way
            reset_weights(net, seed)
            if stop:
                trainer.run(mnist, seed, updates=stop)
            found[stop].append(list(gradient_norms(net, images, labels).values()))
    return found


dense = through_training(nets[100], rate=3e-4, stops=[0, 100, 600])
series = {f"after {stop} updates": of_seeds for stop, of_seeds in dense.items()}
plots.show(*plots.curves(range(1, 101), series, "layer", "gradient norm", log=True),
           "All layers of the dense network of 100. The seeds differ a good deal, as the width of the bands "
           "shows, but at no stop is there a steady fall towards the first layer, at the left.")

# %% [markdown]
# How small must a gradient be before its smallness matters? Adam divides each gradient by its own typical size, plus a
# constant $\varepsilon = 10^{-7}$ in Keras. So a gradient of a thousandth moves a weight as far as one of a thousand,
# until it gets near $\varepsilon$ (in the first update, near 32 times that, as [a later
# notebook](06_tensorflow_1.ipynb) shows). We ask for a typical entry of each layer's gradient, the root of the mean
# square, and compare it with that. (Single entries can be zero, where a ReLU is shut.)

# %%
sizes = [layer.kernel.shape.num_elements() for layer in nets[100].layers if hasattr(layer, "kernel")]
typical = [np.divide(norm, np.sqrt(sizes)).min() for of_seeds in dense.values() for norm in of_seeds]
verdict_above("in no layer, at no stop, is the typical gradient down to a hundred times Adam's ε",
              above=typical, below=[1e-7], ratio=100)
weakest = [min(norm) / max(norm) for of_seeds in dense.values() for norm in of_seeds]
verdict_above("at each stop, the weakest layer's gradient is more than a thousandth of the strongest one's",
              above=weakest, below=[1e-3], unit="of the strongest")

# %% [markdown]
# So the gradients of this network do not vanish, and it degrades. They do not explode, either. If gradients are
# to blame at all, it must be for something that their size does not show: a gradient can be large and useless,
# if it points in a direction that does not help. Lesson 05 will look at directions.
#
# ## 3. With batch normalisation
#
# Batch normalisation resets the size of the signal at each layer, so one would expect it to take care of the
# gradient, too. Does it? The plain convolutional network of 56 layers from lesson 00 has one after each
# convolution. We train it at a constant rate here, 0.03.

# %%
convolutional = through_training(network(56, "none"), rate=0.03, stops=[0, 100])
series = {f"after {stop} updates": of_seeds for stop, of_seeds in convolutional.items()}
plots.show(*plots.curves(range(1, 57), series, "layer", "gradient norm", log=True),
           "The 56 convolutional layers, three seeds. Before training the gradient grows on its way back, from "
           "right to left, by orders of magnitude. After 100 updates the range is far smaller. (The zigzag has a "
           "period of three, because the three layers of a block differ in size.)")

# %%
before, later = convolutional.values()
verdict_above("before training, the first layer's gradient is many times the last layer's",
              above=[norm[0] for norm in before], below=[norm[-1] for norm in before], ratio=50)
ranges = [[max(norm) / min(norm) for norm in norms] for norms in (before, later)]
verdict_above("after 100 updates, the range from the strongest layer to the weakest has shrunk at least tenfold",
              above=ranges[0], below=ranges[1], ratio=10)

# %% [markdown]
# So at the start it is an explosion. Yang and colleagues (2019) derived it, for wide fully connected networks:
# without shortcuts, batch normalisation makes gradients grow exponentially with depth at initialisation, and
# they hold that explosion responsible for such networks being untrainable. They also saw the range shrink
# dramatically after a single step, as ours has after a hundred; and under Adam, size alone should matter
# little. He, Zhang, Ren and Sun (2016a, Section 4.1) report healthy gradients in their plain networks and call
# vanishing gradients an unlikely cause. Ours are less than healthy at the start; vanishing they are not.
#
# ## Summary
#
# - A gradient is multiplied once a layer on its way back, so a factor a little below one kills it, and one a
#   little above blows it up. He initialisation holds the factor near one.
# - In the plain dense network of 100 layers, no layer's gradient vanishes, neither before training nor after 100
#   or 600 updates. It degrades all the same.
# - With batch normalisation the gradient explodes at the start; after 100 updates its range is far smaller.
# - Adam divides the size out. If gradients are to blame, it must be for something other than being small.
#
# Back to lesson [01](../01_degradation.ipynb), or on to [02](../02_residual_learning.ipynb).
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2015: *Delving Deep into Rectifiers*. ICCV.
#   [arXiv:1502.01852](https://arxiv.org/abs/1502.01852), Section 2.2.
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385), Section 4.1: gradients of plain networks.
# - G. Yang, J. Pennington, V. Rao, J. Sohl-Dickstein, S. S. Schoenholz 2019: *A Mean Field Theory of
#   Batch Normalization*. ICLR. [arXiv:1902.08129](https://arxiv.org/abs/1902.08129).
