# %% [markdown]
# # Exercises to lesson 09: scaling out
#
# They go with lesson [09](../09_scaling_out.ipynb). Write each answer in place of the `...`, run the
# cell, then the one below it: it checks the answer at once and says what is wrong. The hints
# unfold. You can run all cells at any time; what is not attempted does no harm. No exercise starts a
# second process.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import os
from pathlib import Path

import numpy as np

from resnet_lesson import checks

# %% [markdown]
# ## Exercise 1: shares of any size
#
# **easy, 10 minutes**
#
# Each worker has computed the gradient of the mean loss of *its* images. What is the gradient of the
# mean loss of all of them together? The shares need not be equally large.

# %%
def batch_gradient(gradients, sizes):
    """Return the gradient: a list of arrays, one a worker, and the numbers of their images."""
    # ANSWER
    return sum(size * gradient for gradient, size in zip(gradients, sizes)) / sum(sizes)
    # END


# %%
checks.batch_gradient(batch_gradient)

# %% [markdown]
# <details><summary>Hint</summary>
#
# The *sum* of a worker's losses is its mean times the number of its images. Sums can be added.
#
# </details>

# %% [markdown]
# ## Exercise 2: what goes over the wire?
#
# **easy, 10 minutes**
#
# In a ring all-reduce each array of `n` numbers is cut into as many chunks as there are workers.
# There are two phases: in the first the sums are made, in the second they go around. How many numbers
# does each worker send in all? Predict first: does it double from 8 workers to 16?

# %%
def numbers_sent(n, workers):
    """Return how many numbers each worker sends; `workers` divides `n`."""
    # ANSWER
    return 2 * (workers - 1) * n / workers
    # END


# %%
checks.numbers_sent(numbers_sent)

# %% [markdown]
# <details><summary>Hint</summary>
#
# How large is a chunk? How many rounds does a chunk need to pass all other workers?
#
# </details>

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

# %% [markdown]
# ## Exercise 4: who am I?
#
# **easy, 10 minutes**
#
# Three machines are to train together. Make the `TF_CONFIG` of one of them: all workers listen at
# the same port.

# %%
def tf_config(hosts, port, index):
    """Return the TF_CONFIG of worker `index` as a dictionary; `hosts` is a list of names."""
    # ANSWER
    return {
        "cluster": {"worker": [f"{host}:{port}" for host in hosts]},
        "task": {"type": "worker", "index": index},
    }
    # END


# %%
checks.tf_config(tf_config)

# %% [markdown]
# <details><summary>Hint</summary>
#
# [Clusters](../deeper/09_clusters.ipynb), section 3, has an example. What is the same on all machines, and what is not?
#
# </details>

# %% [markdown]
# ## Exercise 5: completely or not at all
#
# **medium, 20 minutes**
#
# A checkpoint is written part by part, and the machine may fail at any time. Then the checkpoint
# before it is needed, under the same name. Write the parts into a file so that the old file is
# there, undamaged, until the new one is whole. An error must get through.

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
# ## Exercise 6: how many machines?
#
# **hard, 20 minutes**
#
# An update takes 0.8 seconds of computing on one machine. Averaging the gradients of several takes
# 0.1 seconds, however many there are. The global batch stays the same. How much faster are 2, 8 and
# 64 machines? Where would you stop, and what would you change to go further? There is no check:
# compare with a neighbour, or with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** With $k$ machines an update takes $0.8/k + 0.1$ seconds. Against the 0.8
# seconds of one machine alone, 2 machines are 1.6 times as fast, 8 are 4 times, and 64 are 7.1 times.
# However many there are, it is never more than 8 times: the averaging remains. From 8 machines on
# each further one brings little, and each costs the same. To go further, the averaging must weigh
# less: a larger global batch, with what [clusters](../deeper/09_clusters.ipynb), section 2, says about the
# learning rate; fewer bits in a gradient; or averaging the gradients of the last layers while those of the first are
# still being computed.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("09")
