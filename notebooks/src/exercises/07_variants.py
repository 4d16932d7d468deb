# %% [markdown]
# # Exercises to lesson 07: variants
#
# They go with lesson [07](../07_variants.ipynb). Write each answer in place of the `...`, run the
# cell, then the one below it: it checks the answer at once and says what is wrong. The hints
# unfold. You can run all cells at any time; what is not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import keras
import tensorflow as tf
from keras import layers

from resnet_lesson import checks
from resnet_lesson.data import load_mnist
from resnet_lesson.training import Trainer
from resnet_lesson.variants import VARIANTS, variant_network

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## Exercise 1: how deep on average?
#
# **easy, 10 minutes**
#
# With stochastic depth, block $l$ of $L$ takes part in an update with probability
# $p_l = 1 - \frac{l}{L}(1 - p_L)$. How many blocks take part on average? Predict first: 54 blocks,
# $p_L = 0.5$.

# %%
def expected_blocks(blocks, last):
    """Return the mean number of blocks; `last` is the probability of the last one."""
    # ANSWER
    return sum(1 - number / blocks * (1 - last) for number in range(1, blocks + 1))
    # END


# %%
checks.expected_blocks(expected_blocks)

# %% [markdown]
# <details><summary>Hint</summary>
#
# The mean number of things that happen is the sum of their probabilities. The first block has the
# number 1.
#
# </details>

# %% [markdown]
# ## Exercise 2: one number for a branch
#
# **easy, 10 minutes**
#
# SkipInit and ReZero multiply a branch by one trainable number that starts at zero. Make such a
# layer.

# %%
def learnt_scale():
    """Return a layer that multiplies what it gets by one trainable number, zero at the start."""
    # ANSWER
    class Scale(layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(name="scale", shape=(), initializer="zeros")

        def call(self, x):
            return self.scale * x

    return Scale()
    # END


# %%
checks.learnt_scale(learnt_scale)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Write a subclass of `layers.Layer` inside the function, and return one of its kind. Its `build`
# makes the number with `self.add_weight(shape=(), …)`; its `call` uses it.
#
# </details>

# %% [markdown]
# ## Exercise 3: a block in pre-activation order
#
# **medium, 20 minutes**
#
# Build a block with two 3×3 convolutions that keep the number of channels. Normalisation and ReLU
# stand before each convolution. After the addition there is nothing.

# %%
def pre_activation_block(channels):
    """Return a layer or a model: (batch, height, width, channels) to the same shape."""
    # ANSWER
    inputs = keras.Input((None, None, channels))
    y = inputs
    for _ in range(2):
        y = layers.BatchNormalization()(y)
        y = layers.ReLU()(y)
        y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
    return keras.Model(inputs, layers.Add()([y, inputs]))
    # END


# %%
checks.pre_activation_block(pre_activation_block)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The order is normalisation, ReLU, convolution, twice. The shortcut carries the input as it came
# in.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `keras.Input((None, None, channels))` begins a model for any height and width.
#
# </details>

# %% [markdown]
# ## Exercise 4: left out at random
#
# **medium, 15 minutes**
#
# Write what a block gives out with stochastic depth. In training, the branch takes part where
# `drawn`, a number from 0 to 1, is below `survival`. Where it is left out, do not compute it: that
# is how time is saved. In evaluation nothing is drawn, and the branch counts by its probability.

# %%
def random_block(x, branch, survival, training, drawn):
    """Return the block's output; `branch` is a function of x, without a ReLU after the addition."""
    # ANSWER
    if not training:
        return x + survival * branch(x)
    return x + branch(x) if drawn < survival else x
    # END


# %%
checks.random_block(random_block)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Three cases, three expressions. In two of them the branch is called.
#
# </details>

# %% [markdown]
# ## Exercise 5: predict, then run
#
# **medium, 15 minutes**
#
# Choose a variant that you find doubtful. At 20 layers and after 100 updates, is its training loss
# lower than the baseline's, higher, or is there no clear difference, because the runs of three
# seeds overlap? Write down your prediction and a reason *before* you run the experiment. It takes
# half a minute.

# %%
print(*VARIANTS, sep=", ")

# %%
# STUB: variant, prediction = "norm after addition", None  # "lower", "higher" or "no clear difference"
# ANSWER
variant, prediction = "no shortcut", "higher"
# END

# %%
def final_losses(variant):
    """Return the mean loss of the last 30 updates, one number a seed."""
    trainer = Trainer(variant_network(20, variant))
    return [trainer.run(mnist, seed, updates=100).final_loss(30) for seed in (0, 1, 2)]


changed, usual = [], []
if prediction is None:
    print("Predict first.")
else:
    mnist = load_mnist(train=6400, val=0, test=0)
    changed, usual = final_losses(variant), final_losses("baseline")
    print(f"{variant}:", ", ".join(f"{loss:.3f}" for loss in changed))
    print("baseline:", ", ".join(f"{loss:.3f}" for loss in usual))

# %%
checks.variant_prediction((prediction, changed, usual))

# %% [markdown]
# A wrong prediction is no mistake, and three seeds that overlap do not make two networks equal: they
# leave the question open. Compare with the table of lesson 07, which has more updates and
# 56 layers too. Does the order stay?

# %% [markdown]
# ## Exercise 6: which would you keep?
#
# **hard, 20 minutes**
#
# A colleague wants to train a residual network of 200 layers on a small machine, and has read
# lesson 07. She may change two things of the baseline. Which two, and what would you measure first?
# There is no check: compare with a neighbour, or with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** First, pre-activation. It costs nothing, and keeps the line of shortcuts clean
# at any depth. In lesson 07 it did not help: at 56 layers its training loss was slightly higher in each
# seed, and the test images were undecided; in the paper it was ahead at 110 layers, and further ahead
# at 164. Second, a zero last $\gamma$, so that 200 layers begin as their stem and their head. At 56
# layers its training loss could not be told from the baseline's, and it made fewer mistakes in each
# seed, too few to decide it; what it mends is the start, and the start is harder with 200 layers.
#
# What she should *not* change without a search for its rate: at 56 layers and at the lesson's one rate,
# normalisation on the line, scaled and projected shortcuts, and no normalisation at all were far worse
# than the baseline with every seed.
#
# What to measure first, in minutes: before training, the mean square along the line and the
# gradient at the first layer, for 200 layers. Then a few hundred updates of the baseline and of both
# changes, each at several rates and with the same five seeds, compared seed by seed. Stochastic depth
# would make each update cheaper, but it was behind after equally many updates; whether it pays is a
# question of hours, not of minutes.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("07")
