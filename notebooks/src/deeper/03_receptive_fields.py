# %% [markdown]
# # 03 · Deeper: how far a block sees
#
# Lesson 03 made a block about seventeen times cheaper. Its one 3×3 works on few channels, and the two convolutions
# that take it there and back look at a single pixel each. We counted what that saves. What we did not count is what
# those two layers no longer see. An output of a convolutional network knows nothing of the image beyond a window of
# it, and only a kernel wider than one pixel makes the window grow; so of a bottleneck's three layers, one looks
# around and two do not. Now, a 7 is a 1 with a bar on top, and to tell the two apart something in the network has to
# see the bar and the stroke together. Does anything? We do not have to guess: we can count.
#
# **Objectives.** After this notebook you can
#
# 1. count the paths that lead from each pixel to one output, and say what the counts mean;
# 2. work out the receptive field of a row of layers from their kernels and strides;
# 3. test the formula on a whole network, and say at which depth an output sees a whole digit.
#
# **Prerequisites.** Lesson [03](../03_bottleneck_block.ipynb), sections 1 to 6: basic block, bottleneck,
# stride. This notebook belongs to its section 4, and no later lesson needs it.
#
# **Reading time:** 8 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import keras
import numpy as np
import tensorflow as tf

from resnet_lesson import plots
from resnet_lesson.blocks import BasicBlock, BottleneckBlock
from resnet_lesson.models import network
from resnet_lesson.verdicts import verdict

# %% [markdown]
# ## 1. Count the paths
#
# Let's make a block so simple that its gradient can be read like a map. It has one channel and no
# normalisation, and all its weights are 1. Then one output is a plain sum: each path from a pixel through
# the kernels to that output adds the pixel's value once, and the ReLUs let everything pass, because
# nothing is negative. So the gradient of the output with respect to a pixel is the number of paths that
# start there. Where it is zero, that pixel may hold anything and the output will never know.
#
# **Predict.** How many pixels does one output of a basic block see, and how many one of a bottleneck?

# %%
def paths(block, size, at):
    """Count the ways from each input pixel through the branch to the output pixel (at, at)."""
    x = tf.ones((1, size, size, 1))
    block(x)  # builds the weights
    for layer in block.weight_layers:
        layer.kernel.assign(tf.ones_like(layer.kernel))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = block.branch(x)[0, at, at, 0]
    return tape.gradient(y, x).numpy()[0, :, :, 0]


kinds = {"basic": BasicBlock((1, 1), "identity", False),
         "bottleneck": BottleneckBlock((1, 1, 1), "identity", False)}
grids = [paths(block, 7, at=3) for block in kinds.values()]
title = "Paths from each input pixel to the output pixel in the middle"
plots.show(*plots.number_grids(grids, list(kinds), title=title),
           "**Look where the numbers end:** 5 × 5 pixels for the basic block, 3 × 3 for the bottleneck, which has a layer "
           "more.")

# %% [markdown]
# Look first at where the numbers end. In the basic block nine pixels look at nine pixels each, and since
# their windows overlap, together they cover 5 × 5. The bottleneck stops at 3 × 3: its two 1×1 convolutions
# pass on what they are given, pixel by pixel, and reach no new one. Same shortcut, one layer more, and
# it sees less.
#
# Then look at the numbers themselves, for they say more than the border does. In the basic block nine
# paths start in the middle and only one in each corner. With more layers the counts pile up in the middle
# like a bell curve: the **receptive field**, the region that an output *can* depend on, is a good deal
# larger than the region that has much say in it (Luo 2016).
#
# ## 2. The formula
#
# Nobody wants to draw such a map for 56 layers, and nobody has to. A $k \times k$ convolution widens the
# field by $k - 1$ **steps**, where a step is the distance, in pixels of the image, between neighbours in
# the convolution's input: the product of all earlier strides. So layers with kernels $k_i$ and strides
# $s_i$ see
#
# $$n = 1 + \sum_i (k_i - 1) \prod_{j < i} s_j$$
#
# pixels in height and in width (Araujo 2019). For our two blocks, whose strides are 1, that is a sum that
# fits in one line.

# %%
formula = [1 + 2 + 2, 1 + 0 + 2 + 0]
seen = [int(np.any(grid > 0, axis=1).sum()) for grid in grids]
verdict("a basic block sees 5 × 5 pixels, a bottleneck 3 × 3", seen == formula == [5, 3],
        f"rows with a path: {seen}, by formula: {formula}")

# %% [markdown]
# So one bottleneck widens the field half as much as one basic block does. What wins that back? Depth,
# because the formula adds, and strides, because it multiplies. In the networks of this course the stem
# halves the image, and so every 3×3 of the first stage widens the field by four pixels of the image rather
# than two. The second stage halves it again, and there each 3×3 is worth eight.
#
# ## 3. Does the network see a whole digit?
#
# For a whole network we walk along its convolutions and let each one widen the field. This time we also
# keep track of where the field lies: zeros are padded around the image, half of them above it, and so the
# first row that an output sees moves up by half of what the field grows.
#
# **Predict.** MNIST's images have 28 rows. The last block has 7 rows of outputs. How many of them see the
# whole image, in the networks with 8, 20 and 56 layers?

# %%
def field_of(net):
    """Return first row, last row and step of what the first output of the last block can see."""
    first, last, step = 0, 0, 1
    for layer in net.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel, stride = layer.kernel_size[0], layer.strides[0]
            rows_in, rows_out = layer.input.shape[1], layer.output.shape[1]
            above = max((rows_out - 1) * stride + kernel - rows_in, 0) // 2  # rows of padding
            first, last = first - above * step, last + (kernel - 1 - above) * step
            step *= stride
    return first, last, step

# %% [markdown]
# A formula that nobody has tested is a rumour, though, and a residual network is no simple row of layers:
# it has shortcuts, which we have just ignored, because what passes a shortcut has seen no more than what
# passes the branch. So we also ask the network itself. We make all its weights positive, so that nothing
# cancels, and look for the rows of the image that have a gradient. The images that we use for this are
# large enough to hold the whole field, which leaves out the 56-layer network: its field is far larger than
# any digit.

# %%
def rows_seen(net, name):
    """Count the image rows that one output row of a layer depends on, by its gradient."""
    for variable in net.trainable_variables:
        variable.assign(tf.fill(variable.shape, 0.1))
    part = keras.Model(net.input, net.get_layer(name).output)
    image = tf.ones((1, *net.input_shape[1:]))
    with tf.GradientTape() as tape:
        tape.watch(image)
        y = part(image)
        total = tf.reduce_sum(y[:, y.shape[1] // 2])
    return int(np.any(tape.gradient(total, image).numpy() != 0, axis=(0, 2, 3)).sum())

# %%
rows, agree = [], []
for depth, large in ((8, 40), (20, 80), (56, 0)):  # images large enough for the field
    last = f"stage2_block{(depth - 2) // 6}_out"
    first, end, step = field_of(network(depth))
    size = end - first + 1
    found = rows_seen(network(depth, input_shape=(large, large, 1)), last) if large else "—"
    agree += [size == found] if large else []
    ends = [(first + step * i, end + step * i) for i in range(7)]
    rows.append([depth, size, found, sum(a <= 0 and b >= 27 for a, b in ends)])
plots.table(["layers", "rows seen, by formula", "rows seen, by gradient",
             "output rows, of 7, that see all 28"], rows)
verdict("formula and gradient agree", all(agree), f"{len(agree)} networks")

# %% [markdown]
# Read the last column from top to bottom. In the 8-layer network no output of the last block has the whole image in
# reach, and still such a network learns to read digits (lesson 04 trains one): the average over all outputs, just
# before the dense layer, brings them together. Averaging and then multiplying by a matrix is the same as multiplying
# and then averaging, so its answer is the mean of 49 opinions, each about one part of the image. With 20 layers the
# outputs in the middle see everything, and with 56 layers every one does. Whatever it is that goes wrong when a plain
# network gets that deep, it is not that it sees too little.
#
# ## Summary
#
# - An output of a convolutional network can depend on its receptive field alone. With all weights at 1 the
#   gradient counts the paths to it: where there is no path, there is no influence.
# - A $k \times k$ convolution adds $k - 1$ steps, and a step is the product of all earlier strides. A 1×1
#   adds nothing, so a bottleneck widens the field half as much as a basic block does.
# - Strides multiply and depth adds: in this course's networks no output of the last block sees a
#   whole digit at 8 layers, some do at 20, and all do at 56. The average behind it sees everything at any
#   depth.
# - The field says what *can* matter. What does matter lies mostly near its middle.
#
# Back to lesson [03](../03_bottleneck_block.ipynb), or on to [the networks of 2015](03_imagenet_networks.ipynb).
#
# ## References
#
# - A. Araujo, W. Norris, J. Sim 2019: *Computing Receptive Fields of Convolutional Neural Networks*.
#   Distill. [doi:10.23915/distill.00021](https://doi.org/10.23915/distill.00021).
# - W. Luo, Y. Li, R. Urtasun, R. Zemel 2016: *Understanding the Effective Receptive Field in Deep
#   Convolutional Neural Networks*. NeurIPS. [arXiv:1701.04128](https://arxiv.org/abs/1701.04128).
