# %% [markdown]
# # Exercises for lesson 08: your turn
#
# They go with lesson [08](../08_your_turn.ipynb). Write each answer in place of the `...`, run the cell, then the one
# below it: it checks the answer at once and says what is wrong. The hints unfold. You can run all cells at any time; an
# exercise that you have not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import keras
import numpy as np

from resnet_lesson import checks, plots
from resnet_lesson.data import load_mnist, standardise
from resnet_lesson.handwriting import like_mnist, read_photo
from resnet_lesson.models import network
from resnet_lesson.recipe import trained_network

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## Exercise 1: who has seen whom?
#
# **hard, 30 minutes**
#
# You have pictures of people, several of each. Split at random, and nearly every person of the test has been seen in
# training. Then the test measures how well the network remembers faces, and not how well it reads new ones. Write the
# split that keeps every person, or every film, or every cup, in one part: about 60 % of the pictures for training, 20
# % for validation, 20 % for the test, as near as the groups allow, give or take the largest of them.

# %%
def split_by_group(groups, seed):
    """Return three lists of places: training, validation, test. Each picture is in one of them.

    groups: list: the group of each picture. The seed decides which groups go where.
    """
    # ANSWER
    random = np.random.default_rng(seed)
    names = np.array(groups)
    parts, ends, done = ([], [], []), (0.6 * len(names), 0.8 * len(names), len(names)), 0
    for group in random.permutation(sorted(set(groups))):
        places = np.flatnonzero(names == group)
        part = next(i for i, end in enumerate(ends) if done < end)
        parts[part].extend(places)
        done += len(places)
    return parts
    # END


# %%
checks.split_by_group(split_by_group)

# %% [markdown]
# Does it matter? Take 200 digits, and twelve copies of each, moved by a pixel and with a little noise: a group is a digit with its copies.
# A small network is trained on a random split and on yours. Predict: which of the two tests promises too much, compared with two thousand
# digits that are really new? It takes about fifteen seconds.

# %%
def promise_and_truth(train, test):
    """Train on some pictures; return the accuracy on the test pictures, and on new digits."""
    keras.utils.set_random_seed(0)
    train = train[: len(train) // 64 * 64]  # full batches
    rate = keras.optimizers.schedules.CosineDecay(0.01, 10 * len(train) // 64)
    model = network(8)
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(pictures[train], labels[train], batch_size=64, epochs=10, verbose=0)
    sets = (pictures[test], labels[test]), (few.test.images, few.test.labels)
    return [np.mean(model(x, training=False).numpy().argmax(axis=1) == y) for x, y in sets]


few, random = load_mnist(train=200, val=0, test=2000), np.random.default_rng(0)
moves = random.integers(-1, 2, (12, 2))
pictures = np.concatenate([np.roll(few.train.images, move, (1, 2)) for move in moves])
pictures += random.normal(0, 0.1, pictures.shape).astype("float32")
labels, groups = np.tile(few.train.labels, 12), np.tile(np.arange(200), 12).tolist()
if split_by_group(groups, 0) is not None:
    order = random.permutation(len(groups))
    train, val, test = map(list, split_by_group(groups, 0))
    for name, split in {"at random": (order[:1440], order[1440:]), "by group": (train, val + test)}.items():
        promise, truth = promise_and_truth(*map(np.array, split))
        print(f"split {name}: the test promises {promise:.0%}, new digits give {truth:.0%}")

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# What has to be shuffled, the pictures or something else?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Groups differ in size. When is a part full: after so many groups, or after so many pictures?
#
# </details>

# %% [markdown] tags=["solution"]
# The random split promises far more than it keeps, since nearly all pictures of its test have twins in training. The
# other test is right to within its own noise, for it has no more than eighty different digits. Nothing about the
# network was better or worse; only the measurement was. In practice the groups are patients, speakers, cameras, days,
# or frames of one film.

# %% [markdown]
# ## Exercise 2: choose and report
#
# **easy, 10 minutes**
#
# You have trained some candidates, each with several seeds. Choose one, and report its accuracy. Both arguments are
# dictionaries: name → accuracies of the seeds, on the validation images and on the test images. Return the name of your
# choice and the one number that you may publish.

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
# Write down for each of the two dictionaries what it may be used for, and what it is then no longer fit for. And what
# is fair if not all candidates have equally many seeds?
#
# </details>

# %% [markdown]
# ## Exercise 3: more pictures for nothing
#
# **medium, 15 minutes**
#
# Distorted copies help: a digit that is moved by a pixel is still that digit. A mirror image is a distortion, too, and doubles the
# pictures at no cost. A network of 8 layers learns 3,200 digits in four passes; in each pass, half of them are mirrored at random.
# Does it make fewer mistakes on 2,000 test digits than without ("lower"), more ("higher"), or is there no clear difference with three
# seeds? Write down your prediction and a reason *before* you run it. It takes about fifteen seconds.

# %%
# STUB: prediction = None  # "lower", "higher" or "no clear difference"
# ANSWER
prediction = "higher"
# END

# %%
def mistakes(change):
    """Train with digits that `change` alters before each pass; return the mistakes, one number a seed."""
    found = []
    for seed in (0, 1, 2):
        keras.utils.set_random_seed(seed)
        rate, random = keras.optimizers.schedules.CosineDecay(0.01, 200), np.random.default_rng(seed)
        model = network(8)
        model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        for _ in range(4):
            model.fit(change(mnist.train.images, random), mnist.train.labels, batch_size=64, verbose=0)
        read = model(mnist.test.images, training=False).numpy().argmax(axis=1)
        found.append(int(np.sum(read != mnist.test.labels)))
    return found


def mirrored(images, random):
    chosen = random.random(len(images)) < 0.5
    return np.where(chosen[:, None, None, None], images[:, :, ::-1], images)


# %%
with_mirror, without = [], []
if prediction is None:
    print("Predict first.")
else:
    mnist = load_mnist(train=3200, val=0, test=2000)
    with_mirror, without = mistakes(mirrored), mistakes(lambda images, random: images)
    print("with mirror images:", with_mirror, "mistakes of 2,000")
    print("without:           ", without)

# %%
checks.mirror_prediction((prediction, with_mirror, without))

# %% [markdown]
# A wrong prediction is no mistake. Which digits suffer most? And for which kinds of pictures would a mirror be a gift?

# %% [markdown] tags=["solution"]
# More mistakes, by far. A mirrored 3 is no digit that anybody writes, and a mirrored 2 looks much like an S or a 5;
# so much of the training goes into shapes that never come, some of which resemble other digits. For cats, cars and
# landscapes a mirror image is as likely as the picture itself, and there it does help. A distortion is a claim about
# the world: that the class does not change.

# %% [markdown]
# ## Exercise 4: into the field
#
# **medium, 15 minutes**
#
# Put a digit that fits into 20 × 20 pixels into an empty field of 28 × 28. Move it by whole pixels, so that its
# centre of mass comes as near to the middle, (13.5, 13.5), as it can. All of `boxed` stays on the field.

# %%
def centre_of_mass(ink):
    """Return (row, column) for an array of shape (height, width); the first row is row 0."""
    places = np.indices(ink.shape)
    return tuple((places * ink.astype(float)).sum(axis=(1, 2)) / ink.sum(dtype=float))


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
# ## Exercise 5: your own ten digits
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
