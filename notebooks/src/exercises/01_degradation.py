# %% [markdown]
# # Exercises to lesson 01: degradation
#
# They go with lesson [01](../01_degradation.ipynb). Write each answer in place of the `...`, run the
# cell, then the one below it: it checks the answer at once and says what is wrong. The hints unfold.
# You can run all cells at any time; what is not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import keras
import numpy as np

from resnet_lesson import checks

# %% [markdown]
# ## Exercise 1: an identity layer
#
# **easy, 5 minutes**
#
# A dense layer computes $\mathrm{ReLU}(W x + b)$. Its input has passed a ReLU, so no number in $x$ is
# negative. For which $W$ and $b$, with $n$ units, does it give out $x$ unchanged?

# %%
def identity_layer(n):
    """Return W, an array of shape (n, n), and b, an array of shape (n,)."""
    # ANSWER
    return np.eye(n), np.zeros(n)
    # END


# %%
checks.identity_layer(identity_layer)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Each unit should see one number alone, its own, and multiply it by one. NumPy has a function for
# that matrix, named like the letter it is written with.
#
# </details>

# %% [markdown]
# ## Exercise 2: what is left of a gradient
#
# **easy, 5 minutes**
#
# On its way back each layer multiplies the gradient by a factor $c$. Which share of it is left behind
# a number of layers? Predict first, on paper: $c = 0.99$ and 100 layers. Is half of it left, a tenth,
# or a thousandth?

# %%
def gradient_left(c, layers):
    """Return the share of the gradient that is left, a number."""
    # ANSWER
    return c**layers
    # END


# %%
checks.gradient_left(gradient_left)

# %% [markdown]
# <details><summary>Hint</summary>
#
# After one layer it is $c$, after two it is $c \cdot c$.
#
# </details>

# %% [markdown] tags=["solution"]
# $0.99^{100} = e^{100 \ln 0.99} \approx e^{-1.005} \approx 0.37$: more than a third is left. A factor
# close to one is harmless for a long time. With $c = 0.9$ it would be $3 \cdot 10^{-5}$.

# %% [markdown]
# ## Exercise 3: which trouble is it?
#
# **medium, 10 minutes**
#
# A colleague gives you three numbers: her network's accuracy on its training images, its accuracy on
# validation images, and the *training* accuracy of a shallower network. Is it over-fitting,
# degradation, or neither? Write the rule. (Where numbers differ, they differ clearly: by more than
# 0.1 for trouble, by less than 0.06 for none.)

# %%
def diagnosis(training, validation, shallower):
    """Return "over-fitting", "degradation" or "neither" for three accuracies from 0 to 1."""
    # ANSWER
    if training - validation > 0.1:
        return "over-fitting"
    if shallower - training > 0.1:
        return "degradation"
    return "neither"
    # END


# %%
checks.diagnosis(diagnosis)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Over-fitting compares two numbers of one network. Degradation compares two networks.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A network with 60 % where its shallower twin has 58 % is weak. It is not degraded.
#
# </details>

# %% [markdown]
# ## Exercise 4: deeper, and the same
#
# **hard, 20 minutes**
#
# Lesson 01 made a 10-layer network deeper without changing what it computes. Do the same for any
# chain of dense layers. The given model must stay as it is.

# %%
def example():
    """A chain of dense layers: ReLU in all but the last one."""
    return keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(5, activation="relu"),
        keras.layers.Dense(5, activation="relu"),
        keras.layers.Dense(2),
    ])


# %%
def deepened(model, n):
    """Return a new model with n more ReLU layers that gives the same logits.

    model: a keras.Sequential like the one above, with any number of layers and units.
    """
    # ANSWER
    *hidden, last = model.layers
    units = hidden[-1].units
    added = [keras.layers.Dense(units, activation="relu") for _ in range(n)]
    deep = keras.Sequential([keras.Input(model.input_shape[1:]), *hidden, *added, last])
    for layer in added:
        layer.set_weights([np.eye(units), np.zeros(units)])
    return deep
    # END


# %%
checks.deepened(deepened)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A layer object can be part of two models. It then has the same weights in both.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Where do the new layers go? Logits may be negative, and a ReLU would cut them off.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `layer.set_weights([W, b])` works once the layer is built, that is, once it is part of a model whose
# input shape is known.
#
# </details>

# %% [markdown]
# ## Exercise 5: an experiment of your own
#
# **medium, 15 minutes**
#
# A blog claims: "Deep plain networks fail because of bad first weights. With better ones, depth never
# hurts." Plan an experiment that could refute the second sentence. Write down: what you vary, what
# you hold fixed, what you measure, how many seeds, and which outcome would convince you of the
# opposite. There is no check: compare with a neighbour, or with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** Vary the depth (10, 20, 50, 100) and the first weights (several schemes, the
# blog's among them). Hold fixed: width, data, batch size, number of updates. Search the learning rate
# for *each* pair of depth and scheme, on the training loss, and make sure that no best rate lies at
# the edge of the search. Measure the training loss, not the test loss, so that over-fitting plays no
# part. At least three seeds, and compare every run with every run. The sentence says "never", so one
# counter-example is enough: a scheme that the blog calls good, with which 100 layers end clearly above
# 20 with every seed. If no scheme degrades, the blog is not proved right: a longer training or a
# greater depth may still show it.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("01")
