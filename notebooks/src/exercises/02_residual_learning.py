# %% [markdown]
# # Exercises for lesson 02: residual learning
#
# They go with lesson [02](../02_residual_learning.ipynb). Write each answer in place of the `...`, run the cell, then
# the one below it: it checks the answer at once and says what is wrong. The hints unfold. You can run all cells at any
# time; an exercise that you have not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import keras
import numpy as np
from keras import layers

from resnet_lesson import checks
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network
from resnet_lesson.training import Trainer

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## Exercise 1: an addition that does not help
#
# **easy, 10 minutes**
#
# A colleague stacks twenty of these blocks. Her network has an addition in each of them, it trains without an error,
# and yet it learns no better than a plain one. What is wrong with the block? Find it by reading, and mend it.

# %%
def suspicious(units):
    """Dense, ReLU, Dense, plus x, ReLU; or so she thinks."""
    inputs = keras.Input((units,))
    x = inputs
    x = layers.Dense(units, activation="relu")(x)
    y = layers.Dense(units)(x)
    y = layers.Add()([y, x])
    return keras.Model(inputs, layers.ReLU()(y))


# %%
def mended_block(units):
    """Return the block as she meant it."""
    inputs = keras.Input((units,))
    # ANSWER
    hidden = layers.Dense(units, activation="relu")(inputs)
    branch = layers.Dense(units)(hidden)
    return keras.Model(inputs, layers.ReLU()(layers.Add()([branch, inputs])))
    # END


# %%
checks.mended_block(mended_block)

# %% [markdown]
# Does it matter? Predict, then run: a stem, twenty blocks of either kind and a last layer, all of dense layers, see each
# of 6,400 digits twice. It takes about ten seconds.

# %%
def of_blocks(block, count=20, units=32):
    """Put a network together from such blocks, branches small at the start."""
    x = inputs = keras.Input((28, 28, 1))
    x = layers.Dense(units, activation="relu", kernel_initializer="he_normal")(layers.Flatten()(x))
    for _ in range(count):
        made = block(units)
        x = made(x)
        first, second = (weight for weight in made.trainable_variables if weight.shape == (units, units))
        first.assign(keras.initializers.HeNormal()((units, units)))
        second.assign(0.1 * keras.initializers.HeNormal()((units, units)))
    return keras.Model(inputs, layers.Dense(10)(x))


mnist = load_mnist(train=6400, val=0, test=0)
for name, block in {"suspicious": suspicious, "mended": mended_block}.items():
    if mended_block(4) is None:
        continue
    keras.utils.set_random_seed(0)
    model = of_blocks(block)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = model.fit(mnist.train.images, mnist.train.labels, batch_size=64, epochs=2, verbose=0).history["loss"]
    print(f"{name}: mean loss of the second pass {losses[-1]:.2f}")

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Follow the name `x` from line to line. What does it stand for when it reaches the addition?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Draw the block: how many layers does the shortcut go around, and how many are there?
#
# </details>

# %% [markdown] tags=["solution"]
# `x` is given a new value before it is added, so the shortcut begins *after* the first layer. What went into the block
# never gets past that layer, and twenty of them in a row are a plain network of twenty layers with a little something
# beside each. Nothing fails, no shape is wrong, and no test of shapes would notice. In frameworks where a block is a
# function this is one of the most frequent mistakes.

# %% [markdown]
# ## Exercise 2: the way back
#
# **hard, 30 minutes**
#
# Be your own gradient tape. A batch of rows goes through the block
#
# $$\text{out} = \mathrm{ReLU}(z), \qquad z = \mathrm{ReLU}(x W_1)\, W_2 + x.$$
#
# On the way back you are given `flow`, the gradient of some loss with respect to every number in `out`. Compute the
# gradients with respect to $x$, $W_1$ and $W_2$. Derive them on paper first, from the end to the beginning. (No number
# in the check lies exactly at a kink.)

# %%
def relu(x):
    return np.maximum(x, 0)


def backward(x, W1, W2, flow):
    """Return dx, dW1, dW2, arrays of the shapes of x, W1 and W2.

    x and flow have the shape (batch, n), W1 has (n, m), W2 has (m, n). They stay as they are.
    """
    # ANSWER
    hidden = relu(x @ W1)
    at_sum = flow * (hidden @ W2 + x > 0)
    at_hidden = at_sum @ W2.T * (hidden > 0)
    return at_hidden @ W1.T + at_sum, x.T @ at_hidden, hidden.T @ at_sum
    # END


# %%
checks.backward(backward)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A ReLU lets the flow pass where its input was positive, and stops it elsewhere. Do that first, for the last ReLU: what
# is left is the gradient with respect to $z$.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# If $y = h W$ and $g$ is the gradient with respect to $y$, then that with respect to $h$ is $g W^\top$, and that with
# respect to $W$ is $h^\top g$. Compare the shapes: nothing else fits.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# $x$ is used twice in the block. A number that reaches the loss in two ways has a gradient with two parts.
#
# </details>

# %% [markdown]
# Now let it train something. Twenty blocks are your network, in NumPy alone, and your function does all of the
# learning; stem and head are random and stay so. At the start $W_2$ is a tenth of what He initialisation gives. What
# does the loss do? And with He initialisation itself, `first_W2=1.0`?

# %%
def loss_and_flow(logits, labels):
    """Return the mean cross-entropy of a batch and its gradient with respect to the logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    right = np.arange(len(labels)), labels
    flow = np.exp(log_p)
    flow[right] -= 1
    return -log_p[right].mean(), flow / len(labels)

# %%
def train(backward, blocks=20, updates=150, units=64, rate=0.02, first_W2=0.1):
    """Train a chain of blocks by stochastic gradient descent; return the loss of each update."""
    random = np.random.default_rng(0)
    stem, head = random.normal(0, np.sqrt(2 / 784), (784, units)), random.normal(0, 1 / 8, (units, 10))
    W1, W2 = random.normal(0, np.sqrt(2 / units), (2, blocks, units, units))
    W2 *= first_W2
    losses = []
    for _ in range(updates):
        some = random.integers(0, 6400, 64)
        states = [relu(mnist.train.images[some].reshape(64, 784) @ stem)]
        for i in range(blocks):
            states.append(relu(relu(states[i] @ W1[i]) @ W2[i] + states[i]))
        loss, flow = loss_and_flow(states[-1] @ head, mnist.train.labels[some])
        losses.append(loss)
        if not np.isfinite(loss):
            break
        flow = flow @ head.T
        for i in reversed(range(blocks)):
            flow, dW1, dW2 = map(np.asarray, backward(states[i], W1[i], W2[i], flow))
            W1[i] -= rate * dW1
            W2[i] -= rate * dW2
    return losses

# %%
if backward(*np.ones((4, 2, 2))) is not None:
    losses = train(backward)
    print("training loss of the first updates:", ", ".join(f"{loss:.3g}" for loss in losses[:5]))
    print(f"and of the last ten, to update {len(losses)}: {np.mean(losses[-10:]):.2f}")

# %% [markdown] tags=["solution"]
# A page of NumPy, and it trains forty layers. With `first_W2=1.0`, which is He initialisation for both layers of a
# branch, the loss begins in the thousands and the numbers overflow within a few updates: the explosion of lesson 02,
# section 4.

# %% [markdown]
# ## Exercise 3: a harmless start that can learn
#
# **medium, 15 minutes**
#
# Somebody wants to insert the block of exercise 2 into a trained network without changing its output, and sets all its
# weights to zero. The output is unchanged indeed, and stays so for ever: the block never learns anything. Why not? Find
# first weights with which the block is the identity for $x \ge 0$ at the start, and still learns.

# %%
def harmless_start(n, seed):
    """Return W1 and W2, arrays of shape (n, n); draw random numbers from the seed if you want."""
    # ANSWER
    random = np.random.default_rng(seed)
    return random.normal(0, np.sqrt(2 / n), (n, n)), np.zeros((n, n))
    # END


# %%
checks.harmless_start(harmless_start)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Go through exercise 2 with zeros. Which factor makes the gradient of $W_2$ zero? Which one that of $W_1$?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# For a branch that gives nothing, how many of the two matrices have to be zero?
#
# </details>

# %% [markdown] tags=["solution"]
# With $W_2 = 0$ the branch is zero whatever $W_1$ is. In the first update only $W_2$ moves, since the gradient of $W_1$
# passes $W_2$. From the second update on both move ([inserting blocks](../deeper/02_inserting_blocks.ipynb), section
# 4).

# %% [markdown]
# ## Exercise 4: the shortcut alone
#
# **medium, 15 minutes**
#
# Take 22 dense layers, all but the last of 32 units, without normalisation, and He's first weights everywhere. Put a
# shortcut around each pair of layers, and change nothing else: same weights, same images, same rate of 0.001. After
# 150 updates, is the training loss lower than without shortcuts, higher, or is there no clear difference, because the
# runs overlap? Write down your prediction and a reason *before* you run it. It takes about five seconds.

# %%
# STUB: prediction = None  # "lower", "higher" or "no clear difference"
# ANSWER
prediction = "higher"
# END

# %%
def final_losses(shortcut, **options):
    """Return the mean loss of the last 50 updates, one number a seed."""
    model = network(22, shortcut, block="dense", widths=(32,), normalisation=False, **options)
    trainer = Trainer(model, learning_rate=1e-3)
    return [trainer.run(mnist, seed, updates=150).final_loss(50) for seed in (0, 1, 2)]


with_shortcuts, without = [], []
if prediction is None:
    print("Predict first.")
else:
    with_shortcuts, without = final_losses("padded"), final_losses("none")
    print("with shortcuts:   ", ", ".join(f"{loss:.2f}" for loss in with_shortcuts))
    print("without shortcuts:", ", ".join(f"{loss:.2f}" for loss in without))

# %%
checks.shortcut_prediction((prediction, with_shortcuts, without))

# %% [markdown]
# A wrong prediction is no mistake. What does each block add to what it carries, at the start? Change one thing in the calls
# and run again: can you turn the result round?

# %% [markdown]
# <details><summary>Hint</summary>
#
# Ten blocks, and each adds a branch about as large as what it carries. How large is the sum? Exercise 3 has a remedy, and
# `network` has an option for it: look at `help(network)`.
#
# </details>

# %% [markdown] tags=["solution"]
# Higher. He initialisation keeps the length of a signal that passes a *layer*. A block adds a branch of that length to
# what it carries, so ten blocks let the signal grow by a factor of $2^{10/2} = 32$ at least, and the first logits and
# gradients are far too large. With `zero_init=True`, where each branch starts at zero, the same network comes to about
# 0.35, far below both. (At a rate of 0.003 all do better, and the first two can no longer be told apart: one rate, once
# more, is only one rate.) So the addition by itself is not the whole of the story; branches that start small, or a
# normalisation, belong to it.

# %% [markdown]
# ## Exercise 5: against the shortcut
#
# **medium, 15 minutes**
#
# For which functions $H$ is a residual block the *wrong* choice? Name one that a network for images may need, say what the
# branch has to learn for it, and plan a run that would show the harm. There is no check: discuss it, or
# compare with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** Wherever $H$ is closer to zero than to the identity, the branch must first undo the shortcut. An
# example is a layer that should switch a channel off: $H(x) = 0$ for that channel, so $F(x) = -x$, or less where a
# ReLU follows. In the first figure of lesson 02 the plain form wins near zero by as much as the residual one wins
# near the identity. For a run, let one block of either form, from the same first weights, learn $H(x) = c\,x$ for
# several $c$ between 0 and 1, with several seeds, and compare the losses after equally many steps. In a deep network
# the question is milder: the *next* block can switch off what this one has to carry.
#
# **A good answer** says what $F$ becomes, and not only that "the identity is not wanted"; its run compares both forms from
# the same first weights; and it names an outcome that would speak against it.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("02")
