# %% [markdown]
# # Exercises to lesson 05: inside the network
#
# They go with lesson [05](../05_inside_the_network.ipynb). Write each answer in place of the `...`, run
# the cell, then the one below it: it checks the answer at once and says what is wrong. The hints
# unfold. You can run all cells at any time; what is not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import math

import numpy as np

from resnet_lesson import checks

# %% [markdown]
# ## Exercise 1: counting paths
#
# **easy, 5 minutes**
#
# A path through a residual network takes the branch or the shortcut at each block. Its length is the
# number of branches. How many paths of a given length are there? Predict first: with 54 blocks, are
# there more paths of length 5 or of length 27?

# %%
def paths_of_length(blocks, length):
    """Return the number of paths through so many blocks that take `length` branches."""
    # ANSWER
    return math.comb(blocks, length)
    # END


# %%
checks.paths_of_length(paths_of_length)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Choose the blocks that give their branch. Python's `math` module has a function for choosing.
#
# </details>

# %% [markdown]
# ## Exercise 2: how fast does it grow?
#
# **easy, 5 minutes**
#
# The branches of a chain keep the mean square of what they get, and are uncorrelated with the line. At
# the start the mean square is 1. How large is it behind a number of residual blocks, if the branches
# get the line as it is, and if they get it normalised to 1?

# %%
def mean_square(blocks, normalised):
    """Return the expected mean square behind so many blocks; normalised is True or False."""
    # ANSWER
    return 1 + blocks if normalised else 2**blocks
    # END


# %%
checks.mean_square(mean_square)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Uncorrelated things add up their mean squares. What does one block add in each case?
#
# </details>

# %% [markdown]
# ## Exercise 3: a lesion
#
# **medium, 10 minutes**
#
# `segments` cuts a network into a dictionary of parts, in the order in which they are run: the stem,
# the blocks, the head. Each part is a function. Leave one block out: what comes in should go on to the
# next part unchanged. The dictionary that you are given must stay as it is.

# %%
def without_block(parts, name):
    """Return a new dictionary of parts without the effect of the block of that name."""
    # ANSWER
    return {key: part for key, part in parts.items() if key != name}
    # END


# %%
checks.without_block(without_block)

# %% [markdown]
# <details><summary>Hint</summary>
#
# There are two ways. Leave the part out, or put a function in its place that returns its argument.
# `del` and `pop` change the dictionary that they are applied to.
#
# </details>

# %% [markdown] tags=["solution"]
# The other way is `parts | {name: lambda x: x}`: a new dictionary with one part replaced, in the old
# place.

# %% [markdown]
# ## Exercise 4: does the gradient resemble its neighbour?
#
# **medium, 15 minutes**
#
# Write the autocorrelation that [shattered gradients](../deeper/05_shattered_gradients.ipynb) measures. With $m$ the mean of the whole series,
#
# $$r_k = \frac{\sum_t (v_t - m)(v_{t+k} - m)}{\sum_t (v_t - m)^2}.$$
#
# In the sum above, $t$ runs over all places for which there is a partner $v_{t+k}$.

# %%
def autocorrelation(series, lag):
    """Return the autocorrelation at one lag; series is an array of shape (n,)."""
    # ANSWER
    centred = series - series.mean()
    return centred[: len(series) - lag] @ centred[lag:] / (centred @ centred)
    # END


# %%
checks.autocorrelation(autocorrelation)

# %% [markdown]
# <details><summary>Hint</summary>
#
# `centred[lag:]` begins `lag` places later. Its partner is as long: cut as many places off its end. At
# lag 0, `centred[:-0]` would be empty.
#
# </details>

# %% [markdown]
# ## Exercise 5: a fair direction
#
# **hard, 20 minutes**
#
# Before two loss slices are compared, each filter of a random direction is made as long as the
# network's own filter in the same place. A filter is the part of a kernel that makes one output
# channel: the last axis counts them. Write it for kernels of any number of axes.

# %%
def filter_normalised(direction, kernel):
    """Return the direction with filters of the kernel's lengths; both arrays have one shape."""
    # ANSWER
    axes = tuple(range(kernel.ndim - 1))  # all but the output channels
    length = np.sqrt(np.sum(direction**2, axis=axes, keepdims=True))
    own = np.sqrt(np.sum(kernel**2, axis=axes, keepdims=True))
    return direction / length * own
    # END


# %%
checks.filter_normalised(filter_normalised)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The length of a filter is the root of the sum of its squares, over all axes but the last.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `np.sum(…, axis=(0, 1, 2), keepdims=True)` keeps the summed axes with length 1, so that the result can
# be divided by.
#
# </details>

# %% [markdown]
# ## Exercise 6: an explanation for your neighbour
#
# **medium, 15 minutes**
#
# "Residual networks work because the gradient reaches the first layers." Your neighbour has read that
# sentence in three places. Which measurements of lesson 05 speak for it, which against it? Write five
# sentences. There is no check: compare with a neighbour, or with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** Without normalisation and with small weights the sentence is right: plain
# gradients vanish, and the shortcut carries them (lesson 02). With batch normalisation the gradient
# reaches the first layers of plain networks too; it is even several times larger there (section 4). So
# its *size* does not explain why deep plain networks learn badly. What does arrive is of little use: before
# training, random plain layers garble the digit, the gradients of two batches do not agree, and a step that
# follows one does not help another (section 2). A start near the identity mends all of that without any
# shortcut (section 3), so the reason is not that there is no path for the gradient, but that what it says
# is about one batch alone. How much of the end of training that explains, the lesson does not show.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("05")
