# %% [markdown]
# # Exercises for lesson 05: inside the network
#
# They go with lesson [05](../05_inside_the_network.ipynb). Write each answer in place of the `...`, run the cell, then
# the one below it: it checks the answer at once and says what is wrong. The hints unfold. You can run all cells at any
# time; an exercise that you have not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import numpy as np

from resnet_lesson import checks
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network, segments
from resnet_lesson.training import Trainer
from resnet_lesson.variants import fade, with_fading_shortcuts, without_shortcuts

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=6400, val=0, test=1000)

# %% [markdown]
# ## Exercise 1: several blocks out
#
# **easy, 15 minutes**
#
# `segments` cuts a network into a dictionary of parts, in the order in which they run: the stem, the blocks, the head. Each
# part is a function from the output of the one before. Leave *some* of the blocks out, so that what comes in goes on unchanged, and count
# the images that are then misread. What you are given must stay as it is.

# %%
def mistakes_without(parts, names, images, labels):
    """Return how many images are misread with the parts of these names left out.

    parts: dictionary: name → function; the last one gives logits, shape (images, 10).
    """
    # ANSWER
    x = images
    for name, part in parts.items():
        if name not in names:
            x = part(x)
    return int(np.sum(np.asarray(x).argmax(axis=1) != labels))
    # END


# %%
checks.mistakes_without(mistakes_without)

# %% [markdown]
# Try it on a residual network of 20 layers. Predict first: is the damage of two blocks together the sum of what each does alone? It
# takes about ten seconds.

# %%
if mistakes_without({"head": lambda x: x}, [], np.eye(10), np.arange(10)) is not None:
    trainer = Trainer(network(20), learning_rate=0.01)
    trainer.run(mnist, 0, updates=150)
    parts, test = segments(trainer.model), (mnist.test.images, mnist.test.labels)
    whole = mistakes_without(parts, [], *test)
    pair = ["stage1_block2", "stage2_block2"]
    alone = [mistakes_without(parts, [name], *test) - whole for name in pair]
    print(f"misread of 1,000, whole: {whole}; more, with one block out: {alone[0]} and {alone[1]};",
          f"with both out: {mistakes_without(parts, pair, *test) - whole}")

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Run the parts yourself, one after the other. What does a part do that is left out?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A network may have a `block1` and a `block10`. Do you compare names or parts of names?
#
# </details>

# %% [markdown]
# ## Exercise 2: a probe that reads noise
#
# **medium, 25 minutes**
#
# A colleague probes wide layers, with thousands of numbers for each image. She chooses the hundred that tell the digits apart
# best, takes their mean for each digit, and reads a new image as the digit whose mean is nearest. The new images take no part in these means.
# Her probe reads a good deal from every layer that she tries. It even reads this:

# %%
def spread_of_means(features, labels):
    """Return for each feature how far its means for the ten digits lie apart."""
    return np.var([features[labels == digit].mean(axis=0) for digit in range(10)], axis=0)


def nearest_mean(features, labels, new):
    """Return for each new image the digit whose mean is nearest."""
    means = np.array([features[labels == digit].mean(axis=0) for digit in range(10)])
    return ((new[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)


def suspicious_probe(features, labels, new, new_labels, keep=100):
    """Choose features, find their mean for each digit, and return the accuracy on new images."""
    everything, all_labels = np.vstack([features, new]), np.concatenate([labels, new_labels])
    best = np.argsort(spread_of_means(everything, all_labels))[-keep:]
    read = nearest_mean(features[:, best], labels, new[:, best])
    return np.mean(read == new_labels)


random = np.random.default_rng(0)
noise, drawn = random.normal(size=(200, 5000)), random.integers(0, 10, 200)
print(f"of pure noise it reads {suspicious_probe(noise[:100], drawn[:100], noise[100:], drawn[100:]):.0%}")

# %% [markdown]
# The labels were drawn at random, so nothing could be read but by luck, which is one in ten. Where does the rest come from?
# Mend the probe. It should still choose a hundred features, for in a real layer that helps.

# %%
def mended_probe(features, labels, new, new_labels, keep=100):
    """Return the accuracy on new images, a share. features, new: float64 (images, numbers)."""
    # ANSWER
    chosen = np.argsort(spread_of_means(features, labels))[-keep:]
    return np.mean(nearest_mean(features[:, chosen], labels, new[:, chosen]) == new_labels)
    # END


# %%
checks.mended_probe(mended_probe)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Follow `new_labels` through the function. Where may it be used, and where is it?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Choosing is learning. What was learnt from the test images cannot be tested on them.
#
# </details>

# %% [markdown] tags=["solution"]
# The features are chosen with the help of the new images and their labels. Among five thousand columns of noise there are always
# a hundred that happen to differ from digit to digit *in exactly these images*, and those are the ones that are found again in the
# test. The same happens, less visibly, whenever somebody picks a layer, a threshold or a learning rate by its result on the test set.

# %% [markdown]
# ## Exercise 3: a plain network that takes it
#
# **medium, 20 minutes**
#
# Whichever block you take out of a plain network, the network is lost. Now think of a network that is plain *in the
# end*: its shortcuts faded while it learnt (lesson 04, section 4). Take one block out, and count the mistakes, mean
# over the blocks. Are they fewer than in a network that was plain from the start ("lower"), more ("higher"), or do
# three seeds overlap ("no clear difference")? Neither has any shortcut, mind you. Write down your prediction and a
# reason *before* you run it. It takes about twenty seconds.

# %%
# STUB: prediction = None  # "lower", "higher" or "no clear difference"
# ANSWER
prediction = "lower"
# END

# %%
BLOCKS = ("stage1_block1", "stage1_block2", "stage2_block2")  # those that keep the shape


def mistakes_of(kind):
    """Return, for each of three seeds, the mistakes with one block out, mean over the blocks."""
    model = network(14, "none") if kind == "plain" else with_fading_shortcuts(network(14))
    trainer, found = Trainer(model, learning_rate=0.01), []
    for seed in (0, 1, 2):
        trainer.run(mnist, seed, updates=150, on_update=None if kind == "plain" else fade(model, 20, 100))
        parts = segments(model if kind == "plain" else without_shortcuts(model))
        counts = [mistakes_without(parts, [name], mnist.test.images, mnist.test.labels) for name in BLOCKS]
        found.append(np.mean(counts))
    return found


faded, plain = [], []
if prediction is None:
    print("Predict first.")
elif mistakes_without({"head": lambda x: x}, [], np.eye(10), np.arange(10)) is None:
    print("Exercise 1 comes first.")
else:
    faded, plain = mistakes_of("faded"), mistakes_of("plain")
    print("faded:", ", ".join(f"{count:.0f}" for count in faded), "of 1,000 misread with a block out")
    print("plain:", ", ".join(f"{count:.0f}" for count in plain))

# %%
checks.lesion_prediction((prediction, faded, plain))

# %% [markdown]
# A wrong prediction is no mistake. What might a block of the faded network have kept from the time when it had a shortcut? How could
# you look for it?

# %% [markdown]
# <details><summary>Hint</summary>
#
# Without block 3, block 4 is given what block 3 was given. In which of the two networks does a block's output look
# like its input?
#
# </details>

# %% [markdown] tags=["solution"]
# Lower, by a good deal: without a block, the faded network still reads a third of the digits and more, the plain one
# hardly more than by guessing. While it had shortcuts, each block learnt to change what was handed on by a little,
# and as they faded, the block itself took over the handing on. So the block after it gets something familiar even if
# it is missing. In lesson 05 that shows in the cosine between a block's input and its output. The study behind the
# course's microscope found the same in networks of 56 layers. It was not predicted there, and nobody has tested the
# explanation.

# %% [markdown]
# ## Exercise 4: size or place?
#
# **hard, 20 minutes**
#
# The blocks that a residual network misses most are the ones with the largest branches, and they are also the first ones. Lesson 05 could not tell
# which of the two is the reason. Design the run that can. Write down what you change, what you measure, and which outcome speaks
# for the size and which for the place. There is no check: discuss it, or compare with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** Break the link between size and place. For example, multiply the branch of each block by a factor of its own, fixed
# before training and kept during it, chosen so that at the start all branches are equally large compared with what they are added to; in a second
# kind of network let the sizes *grow* with the place. Train both kinds as usual, each at its best rate, with several seeds; measure again how large
# the branches have become, for training may undo what you did; then take out one block at a time. If the damage follows the size in all kinds, the
# size is the reason; if the first blocks are missed most even where their branches are small, the place is. If both hold in part, a regression of the
# damage on size and place over all blocks and networks says how much of each.
#
# **A good answer** changes the size *before* training, since shrinking a trained branch is itself a lesion; it checks that the sizes
# stayed as intended; and it names an outcome for either side.

# %% [markdown]
# ## Exercise 5: an explanation for your neighbour
#
# **medium, 15 minutes**
#
# "Residual networks work because the gradient reaches the first layers." Your neighbour has read that sentence in
# three places. Which measurements of lesson 05 speak for it, which against it? Write about six sentences. There is no
# check: discuss it, or compare with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** Without normalisation and with small weights the sentence is right: plain
# gradients vanish, and the shortcut carries them (lesson 02). With batch normalisation the gradient
# reaches the first layers of plain networks too; it is even several times larger there (section 4). So
# its *size* does not explain why deep plain networks learn badly. What does arrive is of little use: before
# training, random plain layers garble the digit, the gradients of two batches do not agree, and a step that
# follows one does not help another (section 2). A start near the identity mends all of that without any
# shortcut (section 3), so the reason is not that there is no path for the gradient, but that what it says
# is about one batch alone. How much of the end of training that explains, the lesson does not show.
#
# **A good answer** has a measurement for each side, says under which conditions the sentence holds, and keeps the size of a gradient apart from
# what it is good for.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("05")
