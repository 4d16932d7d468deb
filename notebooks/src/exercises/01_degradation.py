# %% [markdown]
# # Exercises for lesson 01: degradation
#
# They go with lesson [01](../01_degradation.ipynb). Write each answer in place of the `...`, run the cell, then the one
# below it: it checks the answer at once and says what is wrong. The hints unfold. You can run all cells at any time; an
# exercise that you have not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import keras
import numpy as np

from resnet_lesson import checks
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network, reset_weights
from resnet_lesson.training import Trainer

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## Exercise 1: a copy of negative numbers
#
# **easy, 10 minutes**
#
# In lesson 01 a single ReLU layer could hand everything on, because whatever reached it had passed a ReLU before and
# was never negative. Suppose it had not. Can *two* dense layers, with a ReLU after the first of them only, reproduce
# any numbers whatever? Find their weights:
#
# $$\mathrm{ReLU}(x W_1 + b_1)\, W_2 + b_2 = x \quad \text{for every } x.$$

# %%
def identity_pair(n):
    """Return W1, b1, W2, b2 for rows x of n numbers; how wide the middle is, is up to you."""
    # ANSWER
    eye = np.eye(n)
    return np.hstack([eye, -eye]), np.zeros(2 * n), np.vstack([eye, -eye]), np.zeros(n)
    # END


# %%
checks.identity_pair(identity_pair)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# One ReLU keeps the positive half of a number. What would you have to give a ReLU so that it keeps the negative half?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Give the middle two units for each number. Then put the halves together again, each with its sign.
#
# </details>

# %% [markdown] tags=["solution"]
# $x = \mathrm{ReLU}(x) - \mathrm{ReLU}(-x)$. A start that treats both halves of a number alike in this manner is called
# *looks linear*. You will meet it again in lesson 02.

# %% [markdown]
# ## Exercise 2: deeper, and the same
#
# **medium, 20 minutes**
#
# A colleague's network has hidden layers with tanh, of different widths, and it is trained. She does not believe that
# it could be made deeper without changing its output. Show her: put `n` pairs of layers like those of exercise 1 into
# it, wherever you like. Her own model must stay as it is, even when yours is trained further.

# %%
def example():
    """A chain of dense layers like hers."""
    return keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(7, activation="tanh"),
        keras.layers.Dense(5, activation="tanh"),
        keras.layers.Dense(2),
    ])


# %%
def deepened(model, n):
    """Return a new model with 2n more dense layers that gives the same logits.

    model: a keras.Sequential like the one above, with one hidden layer or more, of any width.
    """
    # ANSWER
    copy = keras.models.clone_model(model)  # has weights of its own
    copy.set_weights(model.get_weights())
    *hidden, last = copy.layers
    units = hidden[-1].units
    pairs = [(keras.layers.Dense(2 * units, activation="relu"), keras.layers.Dense(units)) for _ in range(n)]
    added = [layer for pair in pairs for layer in pair]
    deep = keras.Sequential([keras.Input(model.input_shape[1:]), *hidden, *added, last])
    W1, b1, W2, b2 = identity_pair(units)
    for first, second in pairs:
        first.set_weights([W1, b1])
        second.set_weights([W2, b2])
    return deep
    # END


# %%
checks.deepened(deepened)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A layer object can be part of two models. It then has the same weights in both, and training one changes the other.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `layer.set_weights([W, b])` works once the layer is built, that is, once it is part of a model whose input shape is
# known.
#
# </details>

# %% [markdown]
# ## Exercise 3: where does depth begin to hurt?
#
# **medium, 20 minutes**
#
# You have trained networks of several depths, each with several seeds. At which depth does the harm begin? Agree on a
# rule before you look: depth *hurts* at the smallest depth at which **every** run ends above **every** run of *some*
# shallower network. A run that has diverged has the loss NaN, "not a number", and is worse than any other. Write the
# rule.

# %%
def where_depth_hurts(losses):
    """Return the smallest depth at which depth hurts, or 0 if there is none.

    losses: dictionary: depth → list of final training losses, one a seed, some of them NaN.
        The depths come in any order, and may have different numbers of seeds. Leave it as it is.
    """
    # ANSWER
    def bad(run):
        return np.inf if np.isnan(run) else run

    for depth in sorted(losses):
        lowest = min(map(bad, losses[depth]))
        if any(lowest > max(map(bad, losses[other])) for other in losses if other < depth):
            return depth
    return 0
    # END


# %%
checks.where_depth_hurts(where_depth_hurts)

# %% [markdown]
# Now use it. Predict first: dense networks of 6, 12, 24 and 48 layers get 200 updates each, with three seeds, at a
# rate of 0.001. Where does depth begin to hurt? It takes about ten seconds.

# %%
# STUB: my_guess = None  # a depth, or 0
# ANSWER
my_guess = 24
# END

DENSE = {"shortcut": "none", "block": "dense", "widths": (71,), "normalisation": False}
mnist = load_mnist(train=6400, val=0, test=0)
if my_guess is None:
    print("Predict first.")
else:
    losses = {}
    for depth in (6, 12, 24, 48):
        trainer = Trainer(network(depth, **DENSE), learning_rate=1e-3)
        losses[depth] = [trainer.run(mnist, seed, updates=200).final_loss(50) for seed in (0, 1, 2)]
        print(f"{depth} layers:", ", ".join(f"{loss:.2f}" for loss in losses[depth]))
    print("your rule says:", where_depth_hurts(losses), "- and your guess was", my_guess)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# For every run to be above every run of another depth, which of the first must be above which of the second?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Every `<` or `>` with NaN is False, and `min` and `max` give one thing or another, depending on where in the list it
# stands. Which number could stand for it, in a list of your own?
#
# </details>

# %% [markdown] tags=["solution"]
# At one shared rate even 12 layers may hurt in so short a time: they are merely slower. Whether that is degradation you
# could only say with the best rate for each depth, as section 3 of the lesson has it.

# %% [markdown]
# ## Exercise 4: how much like nothing must it be?
#
# **medium, 15 minutes**
#
# In section 2 the deep network began with identities, and did far better than from a random start. Real layers are
# never exact identities. So add noise: each of the 40 layers that are slipped in gets $W = I + N$, where the numbers in
# $N$ are drawn with a standard deviation of 0.1. (He initialisation for 71 units, which has no $I$, has a standard
# deviation of 0.17.) Is the training loss after 200 updates lower than from He initialisation, higher, or is there no
# clear difference, because the runs overlap? Write down your prediction and a reason *before* you run it. It takes
# about ten seconds.

# %%
# STUB: prediction = None  # "lower", "higher" or "no clear difference"
# ANSWER
prediction = "lower"  # a wrong guess, and a common one
# END

# %%
NOISE = 0.1
noisy, usual = [], []
if prediction is None:
    print("Predict first.")
else:
    first_layers = {layer.name for layer in network(10, **DENSE).layers}
    deep = network(50, **DENSE)
    trainer = Trainer(deep, learning_rate=1e-3)
    for seed in (0, 1, 2):
        usual.append(trainer.run(mnist, seed, updates=200).final_loss(50))
        reset_weights(deep, seed)
        random = np.random.default_rng(seed)
        for layer in deep.layers:
            if layer.weights and layer.name not in first_layers:
                layer.set_weights([np.eye(71) + random.normal(0, NOISE, (71, 71)), np.zeros(71)])
        noisy.append(trainer.run(mnist, seed, updates=200, reset=False).final_loss(50))
    print("identities with noise:", ", ".join(f"{loss:.2f}" for loss in noisy))
    print("He initialisation:    ", ", ".join(f"{loss:.2f}" for loss in usual))

# %%
checks.start_prediction((prediction, noisy, usual))

# %% [markdown]
# A wrong prediction is no mistake. Why does it come out like this? Try other values of `NOISE`.

# %% [markdown]
# <details><summary>Hint</summary>
#
# Look at sizes. The identity keeps the length of what it gets, and $N$ adds to it. Each layer does that to what the one
# before has made.
#
# </details>

# %% [markdown] tags=["solution"]
# It comes out higher. What $N$ adds to a signal of 71 numbers is about $0.1 \sqrt{71} \approx 0.84$ times as long as
# the signal, and about at right angles to it, so each layer lengthens the signal by a factor of up to
# $\sqrt{1 + 0.71} \approx 1.3$, and forty of them by many thousands. He initialisation is made to keep the length. With
# a noise of 0.03 the factor is 1.03 a layer, and the loss is about half that of He initialisation. "Near the identity"
# has to be near enough for all the layers together: the more of them, the nearer. Remember it when lesson 02 asks how a
# branch should start.

# %% [markdown]
# ## Exercise 5: an experiment of your own
#
# **medium, 15 minutes**
#
# A blog claims: "Deep plain networks fail because of bad first weights. With better ones, depth never hurts." Plan an
# experiment that could refute the second sentence. Write down what you vary, what you hold fixed, what you measure, how
# many seeds you take, and which outcome would convince you of the opposite. There is no check: discuss
# it, or compare with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** Vary the depth (10, 20, 50, 100) and the first weights (several schemes, the blog's among them).
# Hold fixed: width, data, batch size, number of updates. Search the learning rate for *each* pair of depth and scheme,
# on the training loss, and make sure that no best rate lies at the edge of the search. Measure the training loss, not
# the test loss, so that over-fitting plays no part. Take seeds that had no part in the search, at least three, and
# compare every run with every run. The sentence says "never", so one counter-example is enough: a scheme that the blog
# calls good, with which 100 layers end clearly above 20 with every seed. If no scheme degrades, the blog is not proved
# right: a longer training or a greater depth may still show it.
#
# **A good answer** names the outcome that would refute the sentence *before* the experiment; it tunes each arm with
# the same effort; it measures the training loss; and it does not ask one run to decide.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("01")
