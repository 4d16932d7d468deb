# %% [markdown]
# # Exercises to lesson 02: residual learning
#
# They go with lesson [02](../02_residual_learning.ipynb). Write each answer in place of the `...`, run
# the cell, then the one below it: it checks the answer at once and says what is wrong. The hints
# unfold. You can run all cells at any time; what is not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import numpy as np

from resnet_lesson import checks

# %% [markdown]
# ## Exercise 1: what must the branch learn?
#
# **easy, 5 minutes**
#
# A block should compute $H(x)$. Its shortcut adds $x$. So which function is left for the branch?

# %%
def residual_of(H):
    """Return the function F that the branch must learn, for any function H of an array."""
    # ANSWER
    return lambda x: H(x) - x
    # END


# %%
checks.residual_of(residual_of)

# %% [markdown]
# <details><summary>Hint</summary>
#
# $F(x) + x = H(x)$. The answer is a function: use `lambda x: …`, or `def` inside the function.
#
# </details>

# %% [markdown]
# ## Exercise 2: a block by hand
#
# **easy, 10 minutes**
#
# A residual block with two dense layers, no biases: the branch is $F(x) = W_2\,\mathrm{ReLU}(W_1 x)$,
# and the last ReLU comes after the addition. Write it with NumPy.

# %%
def relu(x):
    return np.maximum(x, 0)


def residual_block(x, W1, W2):
    """Return the block's output for one vector x, an array of its shape."""
    # ANSWER
    return relu(W2 @ relu(W1 @ x) + x)
    # END


# %%
checks.residual_block(residual_block)

# %% [markdown]
# ## Exercise 3: its gradient by hand
#
# **hard, 25 minutes**
#
# Write the Jacobian of the block above: the matrix whose row $i$ holds the slopes of output $i$. Derive
# it on paper first, with the chain rule, from the outside to the inside. (No number in the check is
# exactly at a kink.)

# %%
def block_gradient(x, W1, W2):
    """Return the Jacobian of the block at x, an array of shape (len(x), len(x))."""
    # ANSWER
    inner_on = (W1 @ x > 0).astype(float)
    outer_on = (W2 @ relu(W1 @ x) + x > 0).astype(float)
    branch = W2 @ np.diag(inner_on) @ W1
    return np.diag(outer_on) @ (np.eye(len(x)) + branch)
    # END


# %%
checks.block_gradient(block_gradient)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A ReLU has slope 1 where its input is positive, else 0. For a vector that is a diagonal matrix of
# ones and zeros.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Lesson 02, section 3: $\mathrm{diag}(1[z + a > 0])\,(I + \partial F / \partial a)$. Here
# $\partial F / \partial a$ is a product of three matrices.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# If the check says that an output that is cut off has a slope: is the diagonal matrix on the left?
# On the left it zeroes rows, on the right it zeroes columns.
#
# </details>

# %% [markdown]
# ## Exercise 4: a scaled shortcut
#
# **medium, 10 minutes**
#
# Each block multiplies its shortcut by $\lambda$. Its branch has the gain $g$ and favours no
# direction. By which factor do $L$ blocks change the size of a gradient, about? Predict first: with
# $\lambda = 1$ and $g = 0.3$, is the gradient of 30 blocks nearer to 1, to 4 or to 2000?

# %%
def gain(lam, g, blocks):
    """Return the factor for so many blocks, a number."""
    # ANSWER
    return (lam**2 + g**2) ** (blocks / 2)
    # END


# %%
checks.gain(gain)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Two vectors at a right angle: the *squares* of their lengths add up (Pythagoras).
#
# </details>

# %% [markdown] tags=["solution"]
# $(1 + 0.09)^{15} \approx 3.6$: nearer to 4. Adding up the lengths would give $1.3^{30} \approx 2600$.

# %% [markdown]
# ## Exercise 5: a harmless start that can learn
#
# **medium, 15 minutes**
#
# A colleague wants to insert the block of exercise 2 into a trained network without changing its
# output. She sets all weights to zero. The output is unchanged indeed, and stays so for ever: the
# block never learns anything. Try it:

# %%
def after_one_update(W1, W2, x, target, rate=0.1):
    """Make one step of gradient descent on the squared error; return the new W1 and W2."""
    hidden = relu(W1 @ x)
    z = W2 @ hidden + x
    slope = (relu(z) - target) * (z > 0)
    return (W1 - rate * np.outer((W2.T @ slope) * (hidden > 0), x),
            W2 - rate * np.outer(slope, hidden))


zeros = np.zeros((3, 3))
for W in after_one_update(zeros, zeros, np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])):
    print("largest weight after one update:", np.abs(W).max())

# %% [markdown]
# Find first weights with which the block is the identity for $x \ge 0$ at the start, and still learns.

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
# <details><summary>Hint</summary>
#
# Look at the two lines that `after_one_update` returns. Which factor makes the change of $W_2$ zero?
# Which one that of $W_1$? Only one of the two matrices has to be zero for $F(x) = 0$.
#
# </details>

# %% [markdown] tags=["solution"]
# With $W_2 = 0$ the branch is zero whatever $W_1$ is. In the first update only $W_2$ moves, since the
# gradient of $W_1$ passes $W_2$. From the second update on both move ([inserting blocks](../deeper/02_inserting_blocks.ipynb), section 4).

# %% [markdown]
# ## Exercise 6: against the shortcut
#
# **medium, 10 minutes**
#
# For which functions $H$ is a residual block the *wrong* choice? Name one that a network for images
# may need, say what the branch has to learn for it, and how one would notice in an experiment. There
# is no check: compare with a neighbour, or with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** Wherever $H$ is closer to zero than to the identity, the branch must first undo
# the shortcut. An example is a layer that should switch a channel off: $H(x) = 0$ for that channel, so
# $F(x) = -x$. In the first figure of lesson 02 the plain form wins near zero by as much as the residual one
# wins near the identity. One would notice it in a comparison of both forms from the same first
# weights, with several seeds, as there. In a deep network the question is milder: the *next* block can
# switch off what this one has to carry.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("02")
