# %% [markdown]
# # 00 · Deeper: a primer
#
# The lessons take nine ideas for granted. You have probably met most of them, and you may have met some
# only by name. Here is each of them once more, with the formula, a picture or a few lines of code that
# let you check it, and the reason why a course on residual networks needs it. Read what you are unsure of
# and skip the rest: few sections need the one before.
#
# **Objectives.** After this notebook you can
#
# 1. work out by hand what a convolution with padding and stride does to a small image;
# 2. follow an image from pixels through logits to a loss, and say what guessing costs;
# 3. say what Adam, batch normalisation and He initialisation do, and check each of them in NumPy.
#
# **Prerequisites.** Python and a little calculus. This notebook belongs to lesson
# [00](../00_start_here.ipynb).
#
# **Reading time:** 12 minutes. **Computing time:** 10 seconds on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import keras
import numpy as np
import tensorflow as tf

from resnet_lesson import plots, widgets

# %% [markdown]
# ## 1. Convolution
#
# A **convolution** slides a small window over the image. At each place it multiplies what it sees by a
# **kernel** of weights, number by number, and writes down the sum:
#
# $$y_{r,s} = \sum_{i,j} w_{i,j}\, x_{r+i,\,s+j}.$$
#
# The same few weights serve every place. That is why a convolution has so few of them, and why it finds an
# edge in a corner once it has learnt to find one in the middle. (Mathematics flips the kernel first; deep
# learning does not bother, since the weights are learnt anyway.)

# %%
image = np.array([[0, 0, 1, 1, 0], [0, 1, 3, 1, 0], [0, 2, 4, 2, 0], [1, 3, 2, 1, 0], [1, 1, 0, 0, 0]])
kernel = np.array([[0, 1, 0], [1, 2, 1], [0, 1, 0]])


def convolve(x, w, stride=1):
    """Slide w over x, one or more pixels at a time."""
    places = range(0, len(x) - len(w) + 1, stride)
    return np.array([[np.sum(w * x[r:r + len(w), s:s + len(w)]) for s in places] for r in places])


def sliding(row, column):
    captions = ["image", "kernel", "result"]
    windows = [(row - 1, column - 1, 3, 3), None, (row - 1, column - 1, 1, 1)]
    return plots.number_grids([image, kernel, convolve(image, kernel)], captions, windows=windows)


widgets.explore(sliding, {"row": 1, "column": 2}, row=[1, 2, 3], column=[1, 2, 3])

# %% [markdown]
# Multiply the outlined window by the kernel, number by number, and add up: that gives the outlined result.
# Move the window with the sliders, and check one more place in your head. Keras
# agrees with our little function (`"valid"` means no padding, which comes next):

# %%
with_keras = keras.ops.conv(image[None, :, :, None].astype("float32"),
                            kernel[:, :, None, None].astype("float32"), padding="valid")
assert np.array_equal(with_keras[0, :, :, 0], convolve(image, kernel))

# %% [markdown]
# **Padding.** The result is smaller than the image, because the window cannot reach over the edge. Lay
# a frame of zeros around the image first, and it comes out as large as it was. Keras calls that
# `padding="same"`, and nearly every convolution of this course uses it.
#
# **Stride.** With a stride of 2, the window moves two pixels at a time, and the result has half the
# height and half the width, rounded up.

# %%
padded = np.pad(image, 1)
results = [convolve(padded, kernel), convolve(padded, kernel, stride=2)]
plots.show(*plots.number_grids([padded, *results], ["padded image", "stride 1", "stride 2"],
                               windows=[(0, 2, 3, 3), (0, 2, 1, 1), (0, 1, 1, 1)]),
           "With padding, the result of stride 1 is as large as the image was, 5 × 5. Stride 2 keeps every "
           "other number of it, in both directions.")

# %% [markdown]
# **Channels.** A colour image has three numbers at each pixel, and inside a network there are 16 or 256 of
# them. A kernel spans all the channels $c$ of its input, and each channel $k$ of the output has a kernel of
# its own: $y_{r,s,k} = \sum_{i,j,c} w_{i,j,c,k}\, x_{r+i,\,s+j,\,c}$. So a 3×3 convolution from 16 to 32
# channels has 3 · 3 · 16 · 32 weights. A **1×1 convolution** sees one pixel and mixes its channels. A
# **dense layer** sees everything: each output is a weighted sum of all inputs, plus a number of its own,
# the **bias**.

# %%
layer = keras.layers.Conv2D(32, 3, use_bias=False)
layer.build((None, 28, 28, 16))
assert layer.count_params() == 3 * 3 * 16 * 32

# %% [markdown]
# ## 2. Pooling
#
# **Pooling** slides a window, too, but has no weights: it takes the largest number of each window, or their
# average. A **global average pool** takes the average of a whole channel, which turns 32 channels into 32
# numbers, whatever the size of the image. Nearly every residual network has one, just before its last dense layer.

# %%
grid = np.array([[1, 3, 0, 2], [5, 3, 2, 4], [0, 0, 6, 2], [4, 0, 4, 8]])
quarters = grid.reshape(2, 2, 2, 2)  # (row of windows, row, column of windows, column)
pooled = [quarters.max(axis=(1, 3)), quarters.mean(axis=(1, 3)), [[grid.mean()]]]
captions = ["image", "largest", "average", "global\naverage"]
plots.show(*plots.number_grids([grid, *map(np.array, pooled)], captions,
                               windows=[(0, 0, 2, 2), (0, 0, 1, 1), (0, 0, 1, 1), None]),
           "Pooling over windows of 2 × 2 pixels. Each window leaves one number; a global pool leaves one "
           "for the whole image.")

# %% [markdown]
# ## 3. ReLU
#
# The **rectified linear unit** keeps what is positive and turns the rest into zero: $\mathrm{ReLU}(z) =
# \max(z, 0)$. It looks too simple to matter, and everything depends on it: without a bend between them, ten
# convolutions in a row are, borders aside, one larger convolution, for a linear function of a linear function is linear. Keep its
# other side in mind, for the course will return to it more than once: of an input that is not negative,
# ReLU changes nothing at all.

# %%
z = np.linspace(-2, 2, 9)
assert np.array_equal(keras.ops.relu(z), np.maximum(z, 0))
assert np.array_equal(keras.ops.relu(abs(z)), abs(z))

# %% [markdown]
# ## 4. Logits and softmax
#
# The last layer gives one number for each digit, a **logit**: any real number, larger for what is likelier.
# **Softmax** turns logits into probabilities, which are positive and add up to one:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}.$$
#
# Add 5 to all logits, and nothing changes: only their differences count.

# %%
logits = np.array([2.0, 0.0, -1.0])
probabilities = np.exp(logits) / np.exp(logits).sum()
assert np.allclose(keras.ops.softmax(logits), probabilities)
assert np.allclose(keras.ops.softmax(logits + 5), probabilities)
print(np.round(probabilities, 3))

# %% [markdown]
# ## 5. Cross-entropy
#
# The **cross-entropy** is the loss that we train on: $-\log p_k$ for the right digit $k$, averaged over
# images. Its unit is the **nat**, that of the natural logarithm. Being sure and right costs nearly nothing;
# being sure and wrong has no upper limit.
#
# **Predict.** What is the loss of a network that gives each of ten digits the same probability?

# %%
chance = np.linspace(0.01, 1, 100)
plots.show(*plots.curves(chance, {"loss": -np.log(chance)}, "probability of the right digit",
                         "cross-entropy (nats)"),
           "The loss of one image. At a probability of one in ten, which is guessing, it is $\\log 10$: "
           "a network whose loss stays at 2.3 has learnt nothing.")
ten_equal_logits = np.zeros((1, 10))
loss = tf.nn.sparse_softmax_cross_entropy_with_logits([3], ten_equal_logits)
assert np.isclose(loss[0], np.log(10))  # ten equal logits cost exactly that

# %% [markdown]
# ## 6. The gradient tape
#
# To learn, a network needs the **gradient** of the loss: how fast the loss changes as each weight does. A
# `GradientTape` writes down what is computed, and then applies the chain rule from the end to the
# beginning, without ever writing down a formula for the whole. Let's try it on $f(x) = x^3$, whose slope is $3x^2$.

# %%
x = tf.Variable(2.0)
with tf.GradientTape() as tape:
    f = x**3
assert tape.gradient(f, x) == 3 * 2.0**2

# %% [markdown]
# From the end to the beginning: in a deep network, the gradient of the first layer has passed through all
# the others. Much of this course is about what happens to it on the way.
#
# ## 7. Adam
#
# **Adam** (Kingma and Ba 2015, Algorithm 1) moves each weight $w$ against its gradient $g$. It keeps a
# running mean $m$ of the gradients and a running mean $v$ of their squares, and divides one by the root of
# the other:
#
# $$w \leftarrow w - \eta\, \frac{\hat m}{\sqrt{\hat v} + \varepsilon},$$
#
# where the hats correct both means for having started at zero, and $\eta$ is the **learning rate**. So the
# size of the gradient cancels, and a weight with tiny gradients takes steps as long as one with huge ones, if both
# keep their direction as steadily. (Where gradients change sign from step to step, $m$ is small beside
# $\sqrt v$, and the steps are shorter.)
#
# **Predict.** The learning rate is 0.1, and two weights have the gradients 100 and −0.01. How far does each
# of them move in the first step?

# %%
w = keras.Variable([1.0, 1.0])
g = np.array([100.0, -0.01])
keras.optimizers.Adam(learning_rate=0.1).apply([tf.constant(g, tf.float32)], [w])
moved = w.numpy() - 1
print(f"moved by {moved[0]:.3f} and {moved[1]:.3f}")
assert np.allclose(moved, -0.1 * g / (np.sqrt(g**2) + 1e-7), rtol=1e-3)  # the formula, for the first step

# %% [markdown]
# Both move by the learning rate, since in the first step $\hat m = g$ and $\hat v = g^2$. This is why a
# small gradient alone is no explanation for slow learning in this course, as long as it is far above
# $\varepsilon$, which is $10^{-7}$ in Keras. One **update** moves all weights
# once, and uses a **batch** of images, here mostly 64; a pass over all training images is an **epoch**.
#
# ## 8. Batch normalisation
#
# **Batch normalisation** (Ioffe and Szegedy 2015, Algorithm 1) gives each channel the mean 0 and the
# variance 1, measured over the batch and all its pixels, then stretches it by $\gamma$ and shifts it by
# $\beta$, which are learnt:
#
# $$y = \gamma\, \frac{x - \text{mean}}{\sqrt{\text{variance} + \varepsilon}} + \beta.$$
#
# In training, then, what a network says of an image depends on the other images of its batch. That is no good once
# training is over, so the layer keeps running averages of mean and variance and uses those when it is
# called with `training=False`. The flag is easily forgotten, and nothing will warn you.

# %%
batch = np.random.default_rng(0).normal(5, 3, size=(64, 4)).astype("float32")
norm = keras.layers.BatchNormalization(epsilon=1e-5)
by_hand = (batch - batch.mean(axis=0)) / np.sqrt(batch.var(axis=0) + 1e-5)
assert np.allclose(norm(batch, training=True), by_hand, atol=1e-4)
assert not np.allclose(norm(batch, training=False), by_hand, atol=1)  # one batch hardly moves them

# %% [markdown]
# ## 9. He initialisation
#
# Where do weights begin? At random, and the size matters. A ReLU layer with $n$ inputs keeps the size of
# its signals, on average, if its weights are drawn with variance $2/n$ (He, Zhang, Ren and Sun 2015,
# Section 2.2). This is **He initialisation**, `he_normal` in Keras. A little less at each layer, and
# after fifty layers next to nothing is left; a little more, and the signal explodes.

# %%
def size_after(layers, factor, width=256):
    """Return the root mean square of a signal after some ReLU layers with random weights."""
    random = np.random.default_rng(0)
    x = random.normal(size=width)
    for _ in range(layers):
        x = np.maximum(random.normal(0, factor * np.sqrt(2 / width), (width, width)) @ x, 0)
    return np.sqrt(np.mean(x**2))


depths = range(51)
sizes = {f"{factor} × He": [size_after(n, factor) for n in depths] for factor in (0.8, 1, 1.2)}
plots.show(*plots.curves(depths, sizes, "ReLU layers", "size of the signal", log=True),
           "The same random layers, their weights scaled by a fifth up or down. Only with the "
           "size that He initialisation gives does a signal stay about as large as it was.")

# %% [markdown]
# ## Summary
#
# - A convolution slides one small kernel over the image; padding keeps the size, stride 2 halves it, a 1×1
#   convolution mixes channels.
# - Logits become probabilities by softmax and a loss by cross-entropy; guessing among ten costs $\log 10$.
# - The tape computes gradients backwards; Adam divides their size out.
# - Batch normalisation standardises each channel, using the batch during training and running averages
#   afterwards.
# - He initialisation keeps the size of signals through many ReLU layers.
#
# Back to lesson [00](../00_start_here.ipynb), or on to [01](../01_degradation.ipynb).
#
# ## References
#
# - D. P. Kingma, J. Ba 2015: *Adam: A Method for Stochastic Optimization*. ICLR.
#   [arXiv:1412.6980](https://arxiv.org/abs/1412.6980), Algorithm 1.
# - S. Ioffe, C. Szegedy 2015: *Batch Normalization: Accelerating Deep Network Training by Reducing Internal
#   Covariate Shift*. ICML. [arXiv:1502.03167](https://arxiv.org/abs/1502.03167), Algorithm 1, Section 3.2.
# - K. He, X. Zhang, S. Ren, J. Sun 2015: *Delving Deep into Rectifiers*. ICCV.
#   [arXiv:1502.01852](https://arxiv.org/abs/1502.01852), Section 2.2.
