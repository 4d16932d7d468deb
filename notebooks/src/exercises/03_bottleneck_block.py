# %% [markdown]
# # Exercises to lesson 03: the bottleneck block
#
# They go with lesson [03](../03_bottleneck_block.ipynb). Write each answer in place of the `...`, run
# the cell, then the one below it: it checks the answer at once and says what is wrong. The hints
# unfold. You can run all cells at any time; what is not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import keras
from keras import layers

from resnet_lesson import checks

# %% [markdown]
# ## Exercise 1: weights by formula
#
# **easy, 5 minutes**
#
# A bottleneck reduces $c$ channels to $c / r$, works on them with a 3×3, and restores $c$. How many
# weights have its three convolutions? (No biases: a normalisation follows each of them.) Predict
# first: with $r = 4$, are most of them in the 3×3 or in the two 1×1?

# %%
def bottleneck_parameters(c, r):
    """Return the number of weights; c is a multiple of r."""
    # ANSWER
    inner = c // r
    return c * inner + 9 * inner * inner + inner * c
    # END


# %%
checks.bottleneck_parameters(bottleneck_parameters)

# %% [markdown]
# <details><summary>Hint</summary>
#
# A $k \times k$ convolution from $a$ to $b$ channels has $k^2\,a\,b$ weights.
#
# </details>

# %% [markdown] tags=["solution"]
# With $m = c / r$ the 3×3 has $9 m^2$ and the two 1×1 have $2 r m^2$. For $r = 4$ that is 9 against 8:
# nearly half each.

# %% [markdown]
# ## Exercise 2: the depth in the name
#
# **easy, 5 minutes**
#
# ResNet-50 has stages of 3, 4, 6 and 3 bottlenecks. Where does the 50 come from? Write the rule, and
# predict what ResNet-152 has in its third stage, if its stages are 3, 8, ?, 3.

# %%
def depth_of(blocks):
    """Return the number of weighted layers; blocks: bottlenecks in each stage, as in (3, 4, 6, 3)."""
    # ANSWER
    return 1 + 3 * sum(blocks) + 1
    # END


# %%
checks.depth_of(depth_of)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Besides the blocks there is a convolution at the beginning and a dense layer at the end. Projections
# on the shortcut do not count.
#
# </details>

# %% [markdown] tags=["solution"]
# $(152 - 2) / 3 = 50$ blocks in all, so $50 - 3 - 8 - 3 = 36$ in the third stage.

# %% [markdown]
# ## Exercise 3: build the block
#
# **medium, 20 minutes**
#
# Write a bottleneck with an identity shortcut: three convolutions, a normalisation after each, a ReLU
# after the first two normalisations, the addition, a last ReLU. Any style will do: a model of Keras
# layers, a subclass, or a `tf.Module` with `trainable_variables`. What you return is called as
# `block(x, training=…)`.

# %%
def bottleneck(channels, filters):
    """Return the block for inputs of shape (batch, height, width, channels).

    filters: the widths of the three convolutions; the last one equals channels.
    """
    inputs = keras.Input((None, None, channels))  # for a model of layers
    # ANSWER
    x = inputs
    for i, (width, size) in enumerate(zip(filters, (1, 3, 1))):
        x = layers.Conv2D(width, size, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        if i < 2:
            x = layers.ReLU()(x)
    x = layers.Add()([x, inputs])
    return keras.Model(inputs, layers.ReLU()(x))
    # END


# %%
checks.bottleneck(bottleneck)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Each layer is made and called at once, as in `x = layers.Conv2D(…)(x)`. At the end stands a
# `keras.Model` from the inputs to the output.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# If shapes do not fit: `padding="same"` keeps height and width in the 3×3.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The check says that both modes give the same output? In a subclass, `call(self, x, training=None)`
# must hand `training` on to each normalisation.
#
# </details>

# %% [markdown]
# ## Exercise 4: where the shape changes
#
# **medium, 20 minutes**
#
# Now the number of channels may change, and the image may shrink. The first 1×1 takes the stride. The
# shortcut becomes a 1×1 convolution with the same stride, and a normalisation. What else has to
# change?

# %%
def changing_block(channels, filters, stride):
    """Return the block from `channels` to `filters[2]` channels, with a projection as shortcut."""
    inputs = keras.Input((None, None, channels))
    # ANSWER

    def conv_norm(x, width, size, step=1):
        x = layers.Conv2D(width, size, step, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    x = layers.ReLU()(conv_norm(inputs, filters[0], 1, stride))
    x = layers.ReLU()(conv_norm(x, filters[1], 3))
    x = conv_norm(x, filters[2], 1)
    projected = conv_norm(inputs, filters[2], 1, stride)
    return keras.Model(inputs, layers.ReLU()(layers.Add()([x, projected])))
    # END


# %%
checks.changing_block(changing_block)

# %% [markdown]
# <details><summary>Hint</summary>
#
# The article behind this course (lesson [06](../06_reading_the_article.ipynb) reads it) once took the third convolution for the shortcut as well. A layer object
# that is used twice has one set of weights. Make a new one.
#
# </details>

# %% [markdown] tags=["solution"]
# Nothing else has to change: branch and last ReLU are those of exercise 3.

# %% [markdown]
# ## Exercise 5: find the mistake
#
# **medium, 15 minutes**
#
# This block trains, and its output in training is right. In evaluation it is not. One thing is wrong.
# Find it by reading, or by counting weights, before you ask the check.

# %%
def broken(channels):
    """A basic block, two 3×3 convolutions, with one mistake."""
    inputs = keras.Input((None, None, channels))
    norm = layers.BatchNormalization()
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(inputs)
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(layers.ReLU()(norm(x)))
    added = layers.Add()([norm(x), inputs])
    return keras.Model(inputs, layers.ReLU()(added))


block = broken(6)
print("trainable numbers:", sum(int(keras.ops.size(w)) for w in block.trainable_variables))

# %%
def repaired(channels):
    """Return the block without its mistake."""
    inputs = keras.Input((None, None, channels))
    # ANSWER
    first, second = layers.BatchNormalization(), layers.BatchNormalization()
    y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(inputs)
    y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(layers.ReLU()(first(y)))
    y = layers.Add()([second(y), inputs])
    return keras.Model(inputs, layers.ReLU()(y))
    # END


# %%
checks.repaired_block(repaired)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The two kernels have $2 \cdot 9 \cdot 6 \cdot 6 = 648$ weights. How many numbers are left for the normalisations? How many
# should it be, with a $\gamma$ and a $\beta$ for each channel?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A layer object that is called twice has one set of weights, and one set of moving averages, for two
# different things.
#
# </details>

# %% [markdown] tags=["solution"]
# One normalisation serves two convolutions. In training each call uses its own batch's mean and
# variance, so the output is right. But $\gamma$ and $\beta$ are shared, and the moving averages mix the
# statistics of two layers. Evaluation uses them, and they fit neither.

# %% [markdown]
# ## Exercise 6: which block for a phone?
#
# **medium, 15 minutes**
#
# You choose a block for a network that must run on a phone, fast, at a given accuracy. A colleague says:
# "Bottlenecks, they have the fewest multiply-adds." Which two things would you measure before you
# agree, and what would you hold fixed? There is no check: compare with a neighbour, or with the model
# answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** First the time of one image on *that* phone: multiply-adds are a hint only, since
# 1×1 convolutions do little with each number that they move, and each layer has a fixed cost
# ([what it costs in seconds](../deeper/03_cost_in_seconds.ipynb)). Second the accuracy, at equal *time*, not at
# equal width: at equal width the bottleneck is cheaper, and in section 7 it was less accurate. Hold fixed: data,
# number of updates, the effort spent on the learning rate of each network; use several seeds. Memory may count as well: the outer
# tensors of a bottleneck are wide.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("03")
