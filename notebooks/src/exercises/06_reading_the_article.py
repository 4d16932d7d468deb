# %% [markdown]
# # Exercises for lesson 06: reading the article
#
# They go with lesson [06](../06_reading_the_article.ipynb), which reads <span
# lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>, the article behind this course. Write each answer in place of the
# `...`, run the cell, then the one below it: it checks the answer at once and says what is wrong. The hints unfold. You
# can run all cells at any time; an exercise that you have not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from resnet_lesson import checks
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=6400, val=0, test=2000)

# %% [markdown]
# ## Exercise 1: your turn to review
#
# **medium, 25 minutes**
#
# Somebody hands you this network, written last week and not in 2017. It trains without a warning. Three things in it are
# wrong nevertheless. Find them before you run anything, then mend them and nothing else.

# %%
def network_to_review():
    """Two residual blocks, ready for fit."""
    inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, 2, padding="same", activation="relu")(inputs)
    for _ in range(2):
        conv = layers.Conv2D(16, 3, padding="same", activation="relu")
        x = layers.ReLU()(conv(conv(x)) + x)
    outputs = layers.Dense(10, activation="relu")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


# %%
def reviewed_network():
    """Return the network, compiled, without its three mistakes."""
    # ANSWER
    start = keras.Input((28, 28, 1))
    y = layers.Conv2D(16, 3, 2, padding="same", activation="relu")(start)
    for _ in (1, 2):
        hidden = layers.Conv2D(16, 3, padding="same", activation="relu")(y)
        branch = layers.Conv2D(16, 3, padding="same")(hidden)
        y = layers.ReLU()(branch + y)
    mended = keras.Model(start, layers.Dense(10)(layers.GlobalAveragePooling2D()(y)))
    mended.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return mended
    # END


# %%
checks.reviewed_network(reviewed_network)

# %% [markdown]
# What are they worth? Two passes over 6,400 digits for each of the two; it takes about fifteen seconds.

# %%
for name, build in {"as it was": network_to_review, "reviewed": reviewed_network}.items():
    if reviewed_network() is None:
        continue
    keras.utils.set_random_seed(0)
    model = build()
    model.fit(mnist.train.images, mnist.train.labels, batch_size=64, epochs=2, verbose=0)
    read = model(mnist.test.images, training=False).numpy().argmax(axis=1)
    print(f"{name}: {np.mean(read == mnist.test.labels):.1%} of the test digits read correctly")

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two of the three come from the line that makes `conv`, and you have met both in the article's blocks. How many
# layers does that line make?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# What may a branch give out, and what may a logit be?
#
# </details>

# %% [markdown] tags=["solution"]
# One convolution is used twice, so each block has one kernel where two are meant. That kernel's layer has a ReLU, so
# the branch ends in one and can only add. And the last layer has a ReLU, too, which turns every negative logit into
# zero: where the right digit's logit is among them, its weights get no gradient at all. Three defects that raise no
# error, in a dozen lines.

# %% [markdown]
# ## Exercise 2: the block as it is written
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
# ## Exercise 3: what `next_batch` did
#
# **medium, 20 minutes**
#
# The article takes its images from `mnist.train.next_batch`, which is gone. It went through all images in a random order, then through all of
# them again in another; and where a pass ended in the middle of a batch, the next pass filled it up. Write what replaces it. A batch
# is an array of places, and the seed decides everything.

# %%
def wrapped_batches(images, batch_size, updates, seed):
    """Return a list of `updates` arrays, each with `batch_size` of the places 0 to images − 1.

    batch_size may be larger than images. Draw from np.random.default_rng(seed).
    """
    # ANSWER
    random = np.random.default_rng(seed)
    passes = [random.permutation(images) for _ in range(updates * batch_size // images + 1)]
    places = np.concatenate(passes)[: updates * batch_size]
    return list(places.reshape(updates, batch_size))
    # END


# %%
checks.wrapped_batches(wrapped_batches)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Forget the batches at first. What is the endless row of places that `next_batch` cuts its batches from?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `np.random.default_rng(seed).permutation(n)` shuffles the numbers below $n$. How many passes do you need for so many updates?
#
# </details>

# %% [markdown]
# ## Exercise 4: a default that has changed
#
# **easy, 10 minutes**
#
# Whoever ports the article's program to Keras changes a number without noticing. In TensorFlow 1, Adam divides by
# $\sqrt{v} + \varepsilon$ with $\varepsilon = 10^{-8}$; Keras has $10^{-7}$. Ten times as much! A network of 8 layers
# is trained with each of the two, with three seeds, for two passes over 6,400 digits. Is the training loss with
# $10^{-8}$ lower than with $10^{-7}$, higher, or is there no clear difference? Write down your prediction and a reason
# *before* you run it. It takes about fifteen seconds.

# %%
# STUB: prediction = None  # "lower", "higher" or "no clear difference"
# ANSWER
prediction = "no clear difference"
# END

# %%
def final_losses(epsilon):
    """Return the mean loss of the second pass, one number a seed."""
    found = []
    for seed in (0, 1, 2):
        keras.utils.set_random_seed(seed)
        model = network(8)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.003, epsilon=epsilon), loss)
        learnt = model.fit(mnist.train.images, mnist.train.labels, batch_size=64, epochs=2, verbose=0)
        found.append(learnt.history["loss"][-1])
    return found


old, new = [], []
if prediction is None:
    print("Predict first.")
else:
    old, new = final_losses(1e-8), final_losses(1e-7)
    print("ε = 1e-8:", ", ".join(f"{loss:.3f}" for loss in old))
    print("ε = 1e-7:", ", ".join(f"{loss:.3f}" for loss in new))

# %%
checks.epsilon_prediction((prediction, old, new))

# %% [markdown]
# A wrong prediction is no mistake. From which $\varepsilon$ on does it matter? Try $10^{-3}$.

# %% [markdown]
# <details><summary>Hint</summary>
#
# What is $\sqrt{v}$? About as large as a gradient. How large are gradients here, compared with $10^{-7}$?
#
# </details>

# %% [markdown] tags=["solution"]
# The runs overlap: nearly every gradient is far larger than either number, so neither is felt. At $10^{-3}$ it is, and the network learns
# more slowly. That a default does not matter here is something that you know now, and could not have known before you looked.

# %% [markdown]
# ## Exercise 5: a letter to the author
#
# **hard, 30 minutes**
#
# The author of the article asks you what to change first. You may name two things, and you must be
# able to show that they matter. Write it as you would to a colleague, with evidence from lesson 06.
# There is no check: discuss it, or compare with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** "First take out the softmax at the end of your network: the loss applies one itself. With two, the
# loss cannot fall below 1.46, and images that are wrong with certainty give no gradient. In a study with six seeds, no
# run with this repair alone made as many mistakes as any run with two. After the first pass, some of your networks were
# blind to a whole digit, and none of the repaired ones was (section 3).
#
# Second, look at the first weights of your blocks. A standard deviation of 0.1 is far too small for
# 8 inputs. Your network learns only because of its shortcuts: without them it guessed, in each seed
# (section 5). Take an initializer that minds the number of inputs, and try a network with it.
#
# Do not begin with normalisation or a global average. As long as the second softmax is there, most networks
# with either lose whole digits for good (section 4). And please validate after
# each pass: none of this shows in a loop of 100,000 updates that looks at no other image."
#
# The second advice is measured before training alone: larger kernels bring the gradient back
# (section 5). Whether the network then learns as well, nobody has tried here.
#
# **A good answer** names two things and no more, in an order that it can justify; it says which of its sentences are
# measured, and where; and it tells the author what to look at instead of a hundred thousand updates.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("06")
