# %% [markdown]
# # Exercises to lesson 08: your turn
#
# They go with lesson [08](../08_your_turn.ipynb). Write each answer in place of the `...`, run the
# cell, then the one below it: it checks the answer at once and says what is wrong. The hints
# unfold. You can run all cells at any time; what is not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import numpy as np

from resnet_lesson import checks, plots
from resnet_lesson.data import standardise
from resnet_lesson.handwriting import like_mnist, read_photo
from resnet_lesson.recipe import trained_network

# %% [markdown]
# ## Exercise 1: where is the ink?
#
# **easy, 10 minutes**
#
# MNIST's digits stand with their centre of mass in the middle. For ink $w_{ij}$ in row $i$ and
# column $j$ it is at $\left(\sum i\,w_{ij} / \sum w_{ij},\; \sum j\,w_{ij} / \sum w_{ij}\right)$.

# %%
def centre_of_mass(ink):
    """Return (row, column) for uint8 of shape (height, width); the first row is row 0."""
    # ANSWER
    ink = ink.astype(float)
    rows, columns = np.indices(ink.shape)
    return (rows * ink).sum() / ink.sum(), (columns * ink).sum() / ink.sum()
    # END


# %%
checks.centre_of_mass(centre_of_mass)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `np.indices(ink.shape)` gives two arrays: the row of each pixel, and its column.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The numbers of a `uint8` go from 0 to 255, and a product that is larger starts again at 0. Change
# the ink to `float` first.
#
# </details>

# %% [markdown]
# ## Exercise 2: into the field
#
# **medium, 15 minutes**
#
# Put a digit that fits into 20 × 20 pixels into an empty field of 28 × 28. Move it by whole pixels,
# so that its centre of mass comes as near to the middle as it can. All of the digit stays on the field.

# %%
def into_field(boxed):
    """Return the field, shape (28, 28), for a digit of 20 pixels at most on each side."""
    # ANSWER
    row, column = centre_of_mass(boxed)
    height, width = boxed.shape
    top = min(max(round(13.5 - row), 0), 28 - height)  # no row may be cut off
    left = min(max(round(13.5 - column), 0), 28 - width)
    field = np.zeros((28, 28), np.uint8)
    field[top : top + height, left : left + width] = boxed
    return field
    # END


# %%
checks.into_field(into_field)

# %% [markdown]
# <details><summary>Hint</summary>
#
# With rows from 0 to 27 the middle is at 13.5. If the centre of mass of the digit is in its row 6.2,
# the digit's first row belongs into row 13.5 − 6.2 of the field, rounded. A tall digit with nearly all
# its ink at the top would begin too low to fit: then it goes as far as the edge of the field.
#
# </details>

# %% [markdown]
# ## Exercise 3: one cycle
#
# **easy, 10 minutes**
#
# In the first quarter of the updates the learning rate rises in a straight line from 0 to its peak.
# After that it falls in a straight line, so that it would be 0 at update number `updates`.

# %%
def cycle_rate(update, updates, peak):
    """Return the learning rate of an update; the first one has the number 0."""
    # ANSWER
    top = updates / 4
    if update < top:
        return peak * update / top
    return peak * (updates - update) / (updates - top)
    # END


# %%
checks.cycle_rate(cycle_rate)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Two cases. In the first, the share of the way up is `update / top`. In the second, the share that is
# left of the way down is `(updates - update) / (updates - top)`.
#
# </details>

# %% [markdown]
# ## Exercise 4: averaged weights
#
# **easy, 10 minutes**
#
# The moving average starts at the first weights. Each following array of weights changes it to
# `keep` parts of what it was, and 1 − `keep` parts of the new weights.

# %%
def average_of(weights, keep):
    """Return the average after the last of a list of arrays."""
    # ANSWER
    average = weights[0]
    for new in weights[1:]:
        average = keep * average + (1 - keep) * new
    return average
    # END


# %%
checks.average_of(average_of)

# %% [markdown]
# <details><summary>Hint</summary>
#
# A loop over all weights but the first, with one line in it.
#
# </details>

# %% [markdown]
# ## Exercise 5: what a ResNeXt block weighs
#
# **medium, 15 minutes**
#
# A ResNeXt block has `branches` branches. Each is a 1×1 convolution from `width` channels to `thin`,
# a 3×3 that keeps `thin` channels, and a 1×1 back to `width`. How many weights does it have, without
# biases and normalisation? Predict first: how many times as many does an ordinary bottleneck have,
# with `branches` × `thin` inner channels, for 32 branches of 4 and a width of 256?

# %%
def resnext_parameters(width, branches, thin):
    """Return the number of weights."""
    # ANSWER
    return branches * (width * thin + 3 * 3 * thin * thin + thin * width)
    # END


# %%
checks.resnext_parameters(resnext_parameters)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Count one branch: a k×k convolution from $a$ to $b$ channels has $k^2 a b$ weights.
#
# </details>

# %% [markdown]
# ## Exercise 6: choose and report
#
# **medium, 15 minutes**
#
# You have trained some candidates with several seeds each. Choose one, and report its accuracy.
# Both arguments are dictionaries: name → accuracies of the seeds, on the validation images and on
# the test images. Return the name of your choice and the one number that you may publish.

# %%
def honest_choice(val, test):
    """Return (name, accuracy)."""
    # ANSWER
    name = max(val, key=lambda one: np.mean(val[one]))
    return name, np.mean(test[name])
    # END


# %%
checks.honest_choice(honest_choice)

# %% [markdown]
# <details><summary>Hint</summary>
#
# Which of the two dictionaries may decide, and which number has not been used for anything yet?
#
# </details>

# %% [markdown]
# ## Exercise 7: your own ten digits
#
# **hard, 30 minutes**
#
# Write the digits from 0 to 9 on ten sheets, or on one and cut the photo. Put the paths in the list.
# Predict how many will be read correctly, then run the cell. For each one that fails, look at the
# picture: which step went wrong? There is no check: your handwriting is your own.

# %%
PHOTOS = []  # as in ["zero.jpg", "one.jpg"]

classifier = trained_network()
fields = [like_mnist(read_photo(path)).centred for path in PHOTOS]
if fields:
    logits = classifier.predict(standardise(np.array(fields)), verbose=0)
    captions = [f"{path}\nread {digit}" for path, digit in zip(PHOTOS, logits.argmax(axis=1))]
    plots.show(*plots.digit_grid(fields, captions, columns=5))
else:
    print("No photo yet.")

# %% [markdown] tags=["solution"]
# **What to look for.** Three failures are frequent. *Something else is on the page*: printed letters,
# the rim of the table, a fold with its own shadow. Then `like_mnist` refuses the photo or, worse, the
# crop is too large and the digit too small in its box; lesson 08 measured how much that harms. *The strokes are thin*: a ball-point
# pen on a large page leaves lines that are nearly gone after scaling to 20 pixels; write larger
# strokes, or use a felt pen. *The digit is written otherwise*: MNIST comes from the United States,
# where a one is a single stroke and a seven has no bar. No preparation mends the last one. Images of
# such digits among the training images would.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("08")
