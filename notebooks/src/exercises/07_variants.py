# %% [markdown]
# # Exercises for lesson 07: variants
#
# They go with lesson [07](../07_variants.ipynb). Write each answer in place of the `...`, run the cell, then the one
# below it: it checks the answer at once and says what is wrong. The hints unfold. You can run all cells at any time; an
# exercise that you have not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import keras
import tensorflow as tf
from keras import layers
from keras.optimizers.schedules import CosineDecay

from resnet_lesson import checks
from resnet_lesson.data import load_mnist
from resnet_lesson.training import Trainer
from resnet_lesson.variants import VARIANTS, variant_network

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## Exercise 1: a variant that the lesson does not have
#
# **medium, 25 minutes**
#
# *Squeeze-and-excitation* (Hu, Shen and Sun 2018, Section 3) won ImageNet's last competition. At the end of a branch it *squeezes* each channel
# into one number, its mean over all pixels. From these numbers two dense layers make one weight for each channel: the first
# has `channels // reduction` units and a ReLU, the second has `channels` and a sigmoid. Then each channel of the
# branch is multiplied by its weight. Write that layer; a 1×1 convolution will do for a dense one.

# %%
def squeeze_and_excite(channels, reduction):
    """Return a layer or a model: (batch, height, width, channels) to the same shape."""
    inputs = keras.Input((None, None, channels))  # for a model of layers
    # ANSWER
    weights = layers.GlobalAveragePooling2D(keepdims=True)(inputs)
    weights = layers.Dense(channels // reduction, activation="relu")(weights)
    weights = layers.Dense(channels, activation="sigmoid")(weights)
    return keras.Model(inputs, layers.Multiply()([inputs, weights]))
    # END


# %%
checks.squeeze_and_excite(squeeze_and_excite)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Keras has a layer for the mean over all pixels, and that layer can keep height and width as 1.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Arrays of the shapes (batch, height, width, channels) and (batch, 1, 1, channels) can be multiplied.
#
# </details>

# %% [markdown]
# ## Exercise 2: which of many?
#
# **medium, 20 minutes**
#
# Compare eighteen variants that do nothing at all, and one of them will probably have a p-value below 0.05. Holm's method guards against
# that. Take the p-values from the smallest to the largest. The smallest of $n$ is decided if it is at most $0.05 / n$, the next if it is
# at most $0.05 / (n - 1)$, and so on; the first that fails, and all after it, stay undecided. Write it.

# %%
def holm(p_values):
    """Return a list of True (decided) and False (undecided), in the order of the p-values."""
    # ANSWER
    decided = [False] * len(p_values)
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        if p_values[place] > 0.05 / (len(p_values) - rank):
            break
        decided[place] = True
    return decided
    # END


# %%
checks.holm(holm)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Sort *places*, not values: you need to know where each p-value came from.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# What must happen to a p-value of 0.04 if one of 0.03 has failed before it?
#
# </details>

# %% [markdown]
# ## Exercise 3: left out at random
#
# **medium, 15 minutes**
#
# Write what a block gives out with stochastic depth. In training, the branch takes part where
# `drawn`, a number from 0 to 1, is below `survival`. Where it is left out, do not compute it: that
# is how time is saved. In evaluation nothing is drawn, and the branch counts by its probability.

# %%
def random_block(x, branch, survival, training, drawn):
    """Return the block's output, with no ReLU after the addition; `branch` is a function of x."""
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
# ## Exercise 4: place your bet
#
# **medium, 15 minutes**
#
# Choose a variant about which the lesson's chart left you in doubt. With 20 layers and 120 updates at a rate annealed
# from 0.03, is its training loss lower than the baseline's, is it higher, or is there no clear difference, because the
# runs of three seeds overlap? Write down your prediction and a reason *before* you run it. It takes about twenty
# seconds.

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
    trainer = Trainer(variant_network(20, variant), learning_rate=CosineDecay(0.03, 120))
    return [trainer.run(mnist, seed, updates=120).final_loss(30) for seed in (0, 1, 2)]


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
# A wrong prediction is no mistake, and three seeds that overlap do not make two networks equal: they leave the question open. Is the
# order that of the lesson's table, which has more updates and a rate for each?

# %% [markdown]
# ## Exercise 5: two changes for two hundred layers
#
# **hard, 20 minutes**
#
# A colleague wants to train a residual network of 200 layers on a small machine, and has read lesson 07. She may change two things of
# the baseline. Which two would you propose, what would you measure first, and which result would make you take a proposal back? There is no check:
# discuss it, or compare with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** First, pre-activation. It costs nothing and keeps the line of shortcuts clean at any depth. In 56
# layers it could not be told from the baseline, but the paper has it ahead at 110 layers, further ahead at 164, and far
# ahead at 1001; so if it pays, it pays for her. Second, branches that start at zero, so that 200 layers begin as their
# stem and their head. (With pre-activation the last *kernel* has to be zero: a $\gamma$ of zero in front of a ReLU
# would never get a gradient.) In lesson 07 a zero last $\gamma$ brought nothing that could be decided, but what it
# mends is the start, and the start is harder with 200 layers. Keep the normalisation and the identity on the shortcuts:
# where one of the two was missing, depth made things several times worse.
#
# What to measure first, in minutes: the mean square along the line and the gradient at the first layer, before training, for 200 layers. Then a few
# hundred annealed updates of the baseline, of each change and of both, each at several rates, with the same fresh seeds, in pairs. I
# would take a proposal back if its pairs are clearly above the baseline's at its own best rate, and say "undecided" if they are neither above nor below.
#
# **A good answer** argues from what changes with *depth*, for 200 layers are not 56; it gives each candidate a rate of its own; and it says
# beforehand what would count against it.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("07")
