# %% [markdown]
# # Exercises to lesson 04: plain against residual
#
# They go with lesson [04](../04_plain_vs_residual.ipynb). Write each answer in place of the `...`, run
# the cell, then the one below it: it checks the answer at once and says what is wrong. The hints
# unfold. You can run all cells at any time; what is not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import numpy as np

from resnet_lesson import checks
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network
from resnet_lesson.training import Trainer

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## Exercise 1: how many blocks?
#
# **easy, 5 minutes**
#
# The networks of lesson 04 have a stem, two stages of equally many blocks, and a dense layer. The depth
# counts all weighted layers. Given a depth, how many blocks are in *each* stage?

# %%
def blocks_in_a_stage(depth, layers_per_block):
    """Return the number of blocks in one stage; layers_per_block is 3 for a bottleneck."""
    # ANSWER
    return (depth - 2) // (2 * layers_per_block)
    # END


# %%
checks.blocks_in_a_stage(blocks_in_a_stage)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Take off what is not in a block. The rest is shared by two stages.
#
# </details>

# %% [markdown]
# ## Exercise 2: updates to a loss
#
# **medium, 15 minutes**
#
# "Faster" needs a definition. Lesson 04 counts the updates until the running mean of the training loss
# has fallen to a target. The mean goes over the last `window` losses, and counts only once the window
# is full. Write the count.

# %%
def updates_to(losses, target, window):
    """Return after how many updates the mean of the last losses is at the target or below.

    losses: list, one loss for each update. Return 0 if the mean never gets there.
    """
    # ANSWER
    for updates in range(window, len(losses) + 1):
        if np.mean(losses[updates - window : updates]) <= target:
            return updates
    return 0
    # END


# %%
checks.updates_to(updates_to)

# %% [markdown]
# <details><summary>Hint</summary>
#
# After `u` updates the last losses are `losses[u - window : u]`. What is the smallest `u` for which the
# window is full?
#
# </details>

# %% [markdown]
# ## Exercise 3: when does a claim hold?
#
# **medium, 10 minutes**
#
# The claim: the runs of one network have at least `ratio` times the loss of the runs of another. Write
# the test that a verdict cell makes. Mind a run that has failed: its loss is NaN, "not a number", and
# every comparison with NaN is False.

# %%
def claim_holds(above, below, ratio):
    """Return True or False; above and below are lists of losses, one a seed."""
    # ANSWER
    return all(high >= ratio * low for high in above for low in below)
    # END


# %%
checks.claim_holds(claim_holds)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A mean hides a run that contradicts the claim.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# In this course, runs of one seed share their first weights and the order of the images. The claim here
# asks for more than an order within each pair: every run is compared with every run.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# "No pair contradicts" and "all pairs agree" differ where a loss is NaN.
#
# </details>

# %% [markdown]
# ## Exercise 4: predict, then run
#
# **medium, 15 minutes**
#
# With `zero_init=True` the last $\gamma$ of each block starts at zero, so each residual block starts as
# the identity. Take 8 layers, three seeds, 120 updates. Is the final training loss with zero branches
# lower than without, higher, or is there no clear difference, because the runs overlap? Write down
# your prediction and a reason *before* you run the experiment. It takes half a minute.

# %%
# STUB: prediction = None  # "lower", "higher" or "no clear difference"
# ANSWER
prediction = "no clear difference"
# END

# %%
def final_losses(zero_init):
    """Return the mean loss of the last 30 updates, one number a seed."""
    trainer = Trainer(network(8, zero_init=zero_init))
    return [trainer.run(mnist, seed, updates=120).final_loss(30) for seed in (0, 1, 2)]


zero, usual = [], []
if prediction is None:
    print("Predict first.")
else:
    mnist = load_mnist(train=6400, val=0, test=0)
    zero, usual = final_losses(True), final_losses(False)
    print("zero branches:", ", ".join(f"{loss:.3f}" for loss in zero))
    print("usual weights:", ", ".join(f"{loss:.3f}" for loss in usual))

# %%
checks.prediction((prediction, zero, usual))

# %% [markdown]
# A wrong prediction is no mistake. What would you have to change to see a difference: the depth, the
# number of updates, the learning rate? Try one.

# %% [markdown]
# ## Exercise 5: a claim in a paper
#
# **medium, 15 minutes**
#
# A paper shows one curve for a plain and one for a residual network, and concludes: "The shortcut
# doubles the speed of training." List what you would ask its authors for, and what each answer could
# change. There is no check: compare with a neighbour, or with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.**
#
# - *How many seeds?* One curve each may be luck. Ask for bands, or for every run.
# - *Are the networks equal otherwise?* Parameters, first weights, normalisation, data order. If the
#   shortcut has projections, the residual network has more parameters.
# - *Was the learning rate searched for each?* A rate that suits only one of them makes the other slow.
# - *What is "speed"?* Updates or seconds, and to which loss? At a loss that the plain network never
#   reaches, the factor is infinite; near guessing, it may be 1.
# - *Training or test loss?* The claim is about training.
# - *At which depth?* In lesson 04, each network at its best learning rate, eight seeds show hardly any gain at 8
#   layers and a large one at 56.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("04")
