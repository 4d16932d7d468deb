# %% [markdown]
# # Exercises to lesson 06: reading the article
#
# They go with lesson [06](../06_reading_the_article.ipynb), which reads
# <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>, the article behind this course. Write each answer in place of the
# `...`, run the cell, then the one below it: it checks the answer at once and says what is wrong.
# The hints unfold. You can run all cells at any time; what is not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import math

import numpy as np
import tensorflow as tf

from resnet_lesson import checks

# %% [markdown]
# ## Exercise 1: the least loss
#
# **easy, 10 minutes**
#
# The article gives probabilities to a loss that takes them for logits. Suppose the network is
# certain and right: probability 1 for the right class, 0 for every other. What does the loss say?
# Predict first: does it come near 0 if there are only two classes?

# %%
def least_loss(classes):
    """Return the cross-entropy in nats of these probabilities, taken for logits."""
    # ANSWER
    right_one = math.exp(1) / (math.exp(1) + classes - 1)  # the others have exp(0) = 1
    return -math.log(right_one)
    # END


# %%
checks.least_loss(least_loss)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Softmax of the numbers 1, 0, 0, …, 0: write down its first entry. The loss is minus its logarithm.
#
# </details>

# %% [markdown]
# ## Exercise 2: how many numbers?
#
# **easy, 10 minutes**
#
# Count the trainable numbers of the article's changing block: kernels of 1×1, 3×3 and 1×1, a bias
# for each, and one more bias after the addition. As written, the shortcut uses the kernel of the
# third convolution. Repaired, it has a 1×1 kernel of its own, without a bias.

# %%
def block_parameters(channels, widths, own_projection):
    """Return the count; `widths` are three numbers, `own_projection` is True or False."""
    # ANSWER
    first, second, third = widths
    kernels = channels * first + 9 * first * second + second * third
    biases = first + second + third + third
    return kernels + biases + (channels * third if own_projection else 0)
    # END


# %%
checks.block_parameters(block_parameters)

# %% [markdown]
# <details><summary>Hint</summary>
#
# A kernel of $k \times k$ pixels from $a$ to $b$ channels has $k^2 a b$ numbers. A kernel that is
# used twice is stored once.
#
# </details>

# %% [markdown]
# ## Exercise 3: find the defect
#
# **medium, 10 minutes**
#
# This loss trains, slowly. Find what is wrong with it, and mend it. It must still work where a
# logit is 500.

# %%
def slow_loss(logits, labels):
    """The mean cross-entropy, with one mistake; logits have the shape (batch, 10), labels (batch,)."""
    probabilities = tf.nn.softmax(logits)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, probabilities)
    return tf.reduce_mean(losses)


logits = tf.constant([[500.0] + [0.0] * 9])
print("certain and right:", float(slow_loss(logits, tf.constant([0]))))

# %%
def mended_loss(logits, labels):
    """Return the mean cross-entropy."""
    # ANSWER
    # The function applies softmax itself, so it must be given the logits.
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    # END


# %%
checks.mended_loss(mended_loss)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Read the name of the loss function to its end. What does it want to be given?
#
# </details>

# %% [markdown]
# ## Exercise 4: the block as it is written
#
# **medium, 20 minutes**
#
# Write the article's identity block with today's TensorFlow, as the article has it, defects
# included. Each of the three convolutions is followed by its bias and a ReLU. Then come the
# addition of the input, one more bias, and a ReLU.

# %%
def identity_block(x, kernels, biases, last_bias):
    """Return the block's output, of the shape of x; kernels and biases are lists of three."""
    # ANSWER
    y = x
    for kernel, bias in zip(kernels, biases):
        y = tf.nn.relu(tf.nn.conv2d(y, kernel, strides=1, padding="SAME") + bias)
    return tf.nn.relu(y + x + last_bias)
    # END


# %%
checks.identity_block(identity_block)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `tf.nn.conv2d(y, kernel, strides=1, padding="SAME")` keeps height and width.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A loop over the three pairs of kernel and bias does the branch. Keep `x` for the addition.
#
# </details>

# %% [markdown] tags=["solution"]
# He and his colleagues have no ReLU after the third convolution. With it, the branch can only add
# (lesson 06): nothing that it gives is below zero.

# %% [markdown]
# ## Exercise 5: what `next_batch` did
#
# **medium, 15 minutes**
#
# The article takes its images from `mnist.train.next_batch`, which is gone. Write what replaces it:
# the batches of one pass over the images. A batch is an array of places. Each image comes at most
# once, in an order that the seed decides. What fills no batch at the end is left out.

# %%
def epoch_batches(images, batch_size, seed):
    """Return a list of arrays, each with `batch_size` of the places 0 to images − 1."""
    # ANSWER
    order = np.random.default_rng(seed).permutation(images)
    full = images // batch_size
    return list(order[: full * batch_size].reshape(full, batch_size))
    # END


# %%
checks.epoch_batches(epoch_batches)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `np.random.default_rng(seed).permutation(n)` shuffles the numbers below $n$. Cut off the rest, and
# reshape.
#
# </details>

# %% [markdown]
# ## Exercise 6: a review
#
# **hard, 30 minutes**
#
# The author of the article asks you what to change first. You may name two things, and you must be
# able to show that they matter. Write it as you would to a colleague, with evidence from lesson 06.
# There is no check: compare with a neighbour, or with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** "First take out the softmax at the end of your network: the loss applies one
# itself. With two, the loss cannot fall below 1.46, and images that are wrong with certainty give
# no gradient. In a study with five seeds, this repair alone made fewer mistakes in each seed. After
# the first pass, some of your networks were blind for a whole digit, and the repaired ones for none
# (section 3).
#
# Second, look at the first weights of your blocks. A standard deviation of 0.1 is far too small for
# 8 inputs. Your network learns only because of its shortcuts: without them it guessed, in each seed
# (section 5). Take an initializer that minds the number of inputs, and try a network with it.
#
# Do not begin with normalisation or average pooling. As long as the second softmax is there, some
# normalised networks never learn, and average pooling makes things worse. And please validate after
# each pass: none of this shows in a loop of 100,000 updates that looks at no other image."
#
# The second advice is measured before training alone: larger kernels bring the gradient back
# (section 5). Whether the network then learns as well, nobody has tried here. A good review says
# which of its sentences are measured.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("06")
