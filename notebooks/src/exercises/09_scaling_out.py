# %% [markdown]
# # Exercises for lesson 09: scaling out
#
# They go with lesson [09](../09_scaling_out.ipynb). Write each answer in place of the `...`, run the cell, then the one
# below it: it checks the answer at once and says what is wrong. The hints unfold. You can run all cells at any time; an
# exercise that you have not attempted does no harm. No exercise starts a second process.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from resnet_lesson import checks
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network, reset_weights

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=6400, val=0, test=0)

# %% [markdown]
# ## Exercise 1: a batch that does not fit
#
# **medium, 25 minutes**
#
# You want batches of 64, and your machine holds 16 images at a time. The gradient of a mean can be put together from parts:
# that is what workers do for each other, and what one machine can do one part after the other (*gradient accumulation*). Write
# it for any model that gives logits, with the mean cross-entropy as its loss, in training. The parts need not be equally large.

# %%
def accumulated(model, parts):
    """Return a list of gradients, one for each of model.trainable_variables.

    parts: list of (images, labels): a batch in parts, each of which goes through the model by itself.
        The gradients are those of the mean loss of all images of the batch.
    """
    # ANSWER
    total, count = None, sum(len(labels) for _, labels in parts)
    for images, labels in parts:
        with tf.GradientTape() as tape:
            losses = keras.losses.sparse_categorical_crossentropy(labels, model(images, training=True), from_logits=True)
            loss = tf.reduce_sum(losses) / count
        gradients = tape.gradient(loss, [weight.value for weight in model.trainable_variables])
        total = gradients if total is None else [a + b for a, b in zip(total, gradients)]
    return total
    # END


# %%
checks.accumulated(accumulated)

# %% [markdown]
# Is it the same for any network? Predict: one of 8 layers without normalisation, and one with it, in training. How far from the
# gradient of the whole batch is the one that was put together from four parts?

# %%
images, labels = mnist.train.images[:64], mnist.train.labels[:64]
for normalisation in (False, True):
    model = network(8, normalisation=normalisation)
    reset_weights(model, 0)
    whole = accumulated(model, [(images, labels)])
    if whole is None:
        continue
    quarters = accumulated(model, list(zip(np.split(images, 4), np.split(labels, 4))))
    apart = sum(np.sum((a - b) ** 2) for a, b in zip(whole, quarters)) / sum(np.sum(np.square(a)) for a in whole)
    print("with" if normalisation else "without", f"normalisation: {np.sqrt(apart):.1e} of its length apart")

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The *sum* of a part's losses is its mean times the number of its images. Sums can be added.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# In TensorFlow, `tape.gradient(loss, [weight.value for weight in model.trainable_variables])` gives the gradients of a Keras
# model's weights.
#
# </details>

# %% [markdown]
# ## Exercise 2: is it only a detail?
#
# **medium, 15 minutes**
#
# Batch normalisation sees a part, and not the batch: its means and variances are those of 16 images in place of 64.
# So the gradients differ, as you have just seen. Does training notice? A network of 8 layers is trained for 100
# updates on batches of 64, whole or in four parts whose gradients are averaged. Is the training loss with *parts*
# lower, higher, or is there no clear difference, because the runs of three seeds overlap? Write down your prediction
# and a reason *before* you run it. It takes about fifteen seconds.

# %%
# STUB: prediction = None  # "lower", "higher" or "no clear difference"
# ANSWER
prediction = "no clear difference"  # a wrong guess, and a common one
# END

# %%
def train(parts, seed):
    """Train with each batch in so many parts; return the mean loss of the last 25 updates."""
    model, optimizer = network(8), keras.optimizers.Adam(0.01)
    reset_weights(model, seed)
    optimizer.build(model.trainable_variables)
    weights = [weight.value for weight in model.trainable_variables]

    @tf.function
    def update(images, labels):
        mean, gradients = 0.0, [tf.zeros_like(weight) for weight in weights]
        for x, y in zip(tf.split(images, parts), tf.split(labels, parts)):
            with tf.GradientTape() as watched:
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x, training=True)))
            gradients = [a + b / parts for a, b in zip(gradients, watched.gradient(loss, weights))]
            mean += loss / parts
        optimizer.apply(gradients, model.trainable_variables)
        return mean

    random = np.random.default_rng(seed)
    some = [random.integers(0, 6400, 64) for _ in range(100)]
    return np.mean([float(update(mnist.train.images[at], mnist.train.labels[at])) for at in some][-25:])

# %%
in_parts, whole = [], []
if prediction is None:
    print("Predict first.")
else:
    in_parts, whole = [train(4, seed) for seed in (0, 1, 2)], [train(1, seed) for seed in (0, 1, 2)]
    print("four parts of 16:", ", ".join(f"{loss:.2f}" for loss in in_parts))
    print("whole batches:   ", ", ".join(f"{loss:.2f}" for loss in whole))

# %%
checks.batch_prediction((prediction, in_parts, whole))

# %% [markdown]
# A wrong prediction is no mistake. What about sixteen parts of 4? And what would you do about it on a cluster, where each worker has a
# small share of the batch?

# %% [markdown] tags=["solution"]
# A little higher, with every seed: means and variances of 16 images are noisier than those of 64, and each image's output depends on them. With
# parts of 4 it is far higher. On a cluster one exchanges the statistics as well as the gradients (*synchronised* batch
# normalisation), or takes a normalisation that looks at one image alone.

# %% [markdown]
# ## Exercise 3: one round of the ring
#
# **medium, 20 minutes**
#
# `chunks[worker][place]` is an array. In round `step` of the first phase, each worker sends its chunk
# at place (worker − step) mod workers to its right neighbour, worker + 1, and the last worker sends
# to worker 0. The receiver adds what it gets to its own chunk at the same place.

# %%
def ring_round(chunks, step):
    """Return the chunks of all workers after the round."""
    # ANSWER
    workers = len(chunks)
    for worker in range(workers):
        place, right = (worker - step) % workers, (worker + 1) % workers
        chunks[right][place] = chunks[right][place] + chunks[worker][place]
    return chunks
    # END


# %%
checks.ring_round(ring_round)

# %% [markdown]
# <details><summary>Hint</summary>
#
# In Python, `(worker - step) % workers` is never negative. In one round no worker sends the chunk
# that it is about to receive, so a loop over the workers is enough.
#
# </details>

# %% [markdown]
# When you have it, try it: after `workers` − 1 rounds, which worker holds which complete chunk?

# %% [markdown] tags=["solution"]
# Worker $w$ holds the complete chunk at place $(w + 1) \bmod \text{workers}$. In the second phase these go around.

# %% [markdown]
# ## Exercise 4: completely or not at all
#
# **medium, 20 minutes**
#
# A checkpoint is written part by part, and the machine may fail at any time. The previous checkpoint must then still
# be there, under the same name. Write the parts into a file so that the old file is there, undamaged, until the new
# one is whole. An error must reach the caller.

# %%
def save_whole(path, parts):
    """Write the parts, each of type bytes, to the file `path`, a pathlib.Path; return the path."""
    # ANSWER
    partial = Path(f"{path}.partial")
    with open(partial, "wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())  # on the disk, before it gets its name
    os.replace(partial, path)
    return path
    # END


# %%
checks.save_whole(save_whole)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `open(path, "wb")` empties the file at once. So the old one is lost as soon as writing begins.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `os.replace(a, b)` gives the file `a` the name `b`, in one step that is done completely or not at
# all. Both must be in one folder, or at least on one disk.
#
# </details>

# %% [markdown]
# ## Exercise 5: how many machines?
#
# **hard, 20 minutes**
#
# An update takes 0.8 seconds of computing on one machine. Averaging the gradients of several takes
# 0.1 seconds, however many there are. The global batch stays the same. How much faster are 2, 8 and
# 64 machines? Where would you stop, and what would you change to go further? There is no check:
# discuss it, or compare with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** With $k$ machines an update takes $0.8/k + 0.1$ seconds. Against the 0.8
# seconds of one machine alone, 2 machines are 1.6 times as fast, 8 are 4 times, and 64 are 7.1 times.
# However many there are, it is never more than 8 times: the averaging remains. From 8 machines on
# each further one brings little, and each costs the same. To go further, the averaging must weigh
# less: a larger global batch, with what [clusters](../deeper/09_clusters.ipynb), section 2, says about the
# learning rate; fewer bits in a gradient; or averaging the gradients of the last layers while those of the first are
# still being computed.
#
# **A good answer** has a formula and its limit, names what each further machine costs and brings, and changes the part of the
# time that does not shrink.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("09")
