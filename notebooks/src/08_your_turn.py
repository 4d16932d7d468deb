# %% [markdown]
# # 08 · Your turn
#
# For eight lessons the digits were other people's. They were written in America a generation ago, cleaned, centred,
# and handed to you as tidy squares. Nobody will ever do that with *your* pictures. So let's begin with the kind of
# thing that people really have, photos of paper, and see whether a network that has never met one can make sense of
# it. Then we will do what you may have been waiting for: take a folder of pictures that has nothing to do with this
# course, and train a residual network on it from start to finish.
#
# **Objectives.** After this lesson you can
#
# 1. prepare a photo of your own handwriting so that a network trained on MNIST can read it;
# 2. train, choose, ablate and test a network on a folder of your own images, without fooling yourself;
# 3. name the parts of a recipe that makes a small residual network a good one.
#
# **Prerequisites.** Lessons [04](04_plain_vs_residual.ipynb) (each network at its best rate) and
# [07](07_variants.ipynb) (zero-initialised γ).
#
# **Reading time:** 40 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers
from keras.optimizers.schedules import CosineDecay

from resnet_lesson import examples, plots, widgets
from resnet_lesson.data import Dataset, Examples, load_mnist, standardise
from resnet_lesson.handwriting import like_mnist, read_photo
from resnet_lesson.models import network
from resnet_lesson.recipe import DISTORTION, RECIPE, distort, small_network, train_recipe, trained_network
from resnet_lesson.runs import by_name
from resnet_lesson.studies import provenance, read_study
from resnet_lesson.sweep import sweep
from resnet_lesson.training import evaluate
from resnet_lesson.verdicts import paired, verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# **Predict.** Below are ten photos, or rather, pages made up to look like photos: digits from MNIST's test images,
# enlarged and put on paper with noise, shadows, ruled lines or a faint pencil. (So the handwriting is still MNIST's,
# and only the paper is new.) The network that will read them was trained on MNIST's training images and nothing else.
# How many of the ten will it get right, if each photo is first made to look like an image of MNIST? And how many if
# it is merely shrunk to 28 × 28?

# %%
my_guess = None  # how many of the ten, for example 4

# %%
classifier = trained_network()


def read(images):
    """Return the probability of each digit, for images like MNIST's."""
    return tf.nn.softmax(classifier(standardise(np.asarray(images)), training=False)).numpy()


photos = [read_photo(path) for path in examples.photos()]
prepared = np.array([like_mnist(photo).centred for photo in photos])
shrunk = np.array([tf.image.resize(photo[..., None], (28, 28), "area")[..., 0] for photo in photos]).astype("uint8")
answers = {"prepared": read(prepared).argmax(axis=1), "merely shrunk": read(shrunk).argmax(axis=1)}

# %%
figure, axes = plt.subplots(3, 10, figsize=(10, 2.9), layout="constrained")
for digit in range(10):
    for row, picture in enumerate((photos[digit], shrunk[digit], prepared[digit])):
        axes[row, digit].imshow(picture, cmap="gray", vmin=0, vmax=255)
        axes[row, digit].set(xticks=[], yticks=[])
    axes[1, digit].set_xlabel(f"read: {answers['merely shrunk'][digit]}")
    axes[2, digit].set_xlabel(f"read: {answers['prepared'][digit]}")
right = {way: int(np.sum(found == np.arange(10))) for way, found in answers.items()}
for row, name in enumerate(("photo", "shrunk", "prepared")):
    axes[row, 0].set_ylabel(name)
plots.show(axes[0, 0], "Ten photos of the digits from 0 to 9, the same shrunk to 28 by 28 pixels, and prepared. Of the "
           f"shrunk ones, correctly read: {right['merely shrunk']}; of the prepared ones: {right['prepared']}. Answers, shrunk: "
           f"{', '.join(map(str, answers['merely shrunk']))}; prepared: {', '.join(map(str, answers['prepared']))}.",
           f"The same network reads the second row and the third. It gets {right['merely shrunk']} of ten right in the "
           f"second, and {right['prepared']} in the third" + (f"; you said {my_guess}. " if my_guess is not None else ". ")
           + f"**Look at what it answers in the second:** {len(set(answers['merely shrunk']))} different digits in all.")

# %% [markdown] tags=["slide"]
# # 08 · Your turn
#
# <!-- output: 300 -->
#
# One network, the same ten photos. What was done to them in between?
#
# <!-- notes -->
# Ask: what does the network need, more training or more data? They will say: more data, with photos in it. Answer:
# more data with photos in it would do, but it is not needed. It is enough that the input looks like what the network
# was trained on. The second row and the third go into the same weights.

# %% [markdown]
# ## 1. A network reads what looks like its training images
#
# Not one weight differs between the two rows. A network is not good at "digits". It is good at images *like those that
# it was trained on*, and a shrunk photo is nothing of the kind: dark ink on grey paper, a small digit somewhere on a
# large page. To such pictures it gives nearly always the same answer, so that the one that it gets right is luck. MNIST's digits
# are light on black, scaled to fit a box of 20 × 20 pixels, and placed so that their centre of
# mass lies in the middle of a field of 28 × 28 (LeCun, Bottou, Bengio and Haffner 1998, Section III.A).
#
# So `like_mnist` does four things. It finds the **ink**, by asking how light the bare paper would be at each place
# and what is darker than that; lines that run across the page and specks are dropped. It **crops** the ink. It scales
# the crop to the **box**. And it puts the **centre of mass** in the middle. If it finds no digit on the page, or more
# than one, it raises an error instead of guessing.
#
# Now yours. Write a digit, take a photo, and put its path between the quotation marks. (In Colab, upload it with the
# folder symbol on the left. A photo in Apple's HEIC format must be exported as JPEG first.) Until you do, the cell uses
# one of the ten pages.

# %%
PHOTO = ""

steps = like_mnist(read_photo(PHOTO or examples.photos()[7]))
names = {"photo": steps.grey, "ink": steps.ink, "cropped": steps.cropped, "in the box": steps.boxed,
         "centred": steps.centred}
figure, axes = plt.subplots(1, 5, figsize=(10, 2.2), layout="constrained")
for ax, (name, picture) in zip(axes, names.items(), strict=True):
    ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
    ax.set(xticks=[], yticks=[], xlabel=name)
probabilities = read([steps.centred])[0]
best = probabilities.argsort()[::-1][:3]
plots.show(axes[0], f"A photo and its digit after each step: {', '.join(names)}.",
           "Step by step. Read as " + ", ".join(f"{digit} ({probabilities[digit]:.1%})" for digit in best) + ".")

# %% [markdown] tags=["slide"]
# ## From a photo to an image like MNIST's
#
# <!-- output: 260 -->
#
# Ink light on black, in a box of 20 × 20, centre of mass in the middle of 28 × 28.
#
# <!-- notes -->
# Ask: why the centre of mass and not the middle of the box? They will say: it makes no difference. Answer: a long thin
# stroke moves the box, but hardly moves the centre of mass. And because MNIST did it that way.

# %% [markdown]
# No pen and paper at hand? Run the next cell and draw here, with the mouse, a finger, or the arrow keys and the space
# bar. The small field shows what the network sees at the end of each stroke.

# %%
pad = widgets.draw_digit(lambda image: read([image])[0])

# %% [markdown] tags=["slide"]
# ## Draw one
#
# Live: the field to draw in, lesson 08, section 1.
#
# - a small digit in a corner: does it matter?
# - a 1 that lies on its side: what does it become?
#
# <!-- notes -->
# Let somebody from the audience draw. Ask before each digit: will it be read? They will say: yes. Answer: look at the
# small field. It shows what the network sees, and that is mostly where a failure can be seen.

# %% [markdown]
# (It is rarely more than 97 % sure, because it was trained not to be: section 3.) Which of the steps matters most, and what becomes
# of hundreds of photos rather than ten? That is in a notebook of its own: [handwriting, step by
# step](deeper/08_handwriting.ipynb).
#
# ## 2. A folder of your own
#
# Now for pictures that are not digits at all. All that this section needs is a folder with a sub-folder for each
# class, named after it, with the pictures inside. They must be .jpg, .png, .bmp or .gif files, since all others are
# skipped, and photos from a phone have to be turned the right way up. To have something to run, the course brings such a folder: 240 drawings of six shapes,
# in a shaky hand. Replace the path by yours, thirty pictures of each class at least, and read on. The tables will then be
# about your pictures. The two verdicts of this section, and the text after them, are about the shapes; on yours a verdict
# may fail, and that is a finding.

# %%
FOLDER = examples.shapes()  # the path of your own folder goes here
SIZE, CHANNELS = 28, 1      # pixels a side, after shrinking (at 96 all takes ten times as long); 3 channels for colour

files = keras.utils.image_dataset_from_directory(
    FOLDER, image_size=(SIZE, SIZE), color_mode="grayscale" if CHANNELS == 1 else "rgb",
    crop_to_aspect_ratio=True, batch_size=None, shuffle=False, verbose=False,  # cropped to a square, not squashed
)
classes = files.class_names
pixels, labels = (np.array(part) for part in zip(*files.as_numpy_iterator(), strict=True))

# %% [markdown]
# First, lay the **test images** aside, before you have looked at a single one. They will be looked at once, at the very end.
# A second part, the **validation images**, is for choosing. The rest is for training. If several of your pictures
# show the same thing, say frames of one film or the same cup from two sides, keep them together in one part. Otherwise
# the network is tested on what it has learnt by heart.

# %%
order = np.random.default_rng(0).permutation(len(labels))
train, val, test = np.split(order, [int(0.6 * len(order)), int(0.8 * len(order))])
mean, deviation = pixels[train].mean(), pixels[train].std()  # of the training images alone


def part(at):
    return Examples(((pixels[at] - mean) / deviation).astype("float32"), labels[at].astype("int64"))


mine = Dataset(part(train), part(val), part(test))
print(*(f"{name}: {len(images)} images" for name, images in mine._asdict().items()), sep=", ")

# %%
def gallery(at, captions):
    """Draw some of the pictures; return Axes of the figure."""
    _, axes = plt.subplots(-(-len(at) // 10), 10, figsize=(10, 1.2 * -(-len(at) // 10)), layout="constrained", squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, i, caption in zip(axes.flat, at, captions):
        ax.imshow(pixels[i].squeeze().astype("uint8"), cmap="gray", vmin=0, vmax=255)
        ax.set_title(caption, fontsize=8)
    return axes[0, 0]


fifty = train[:50]
plots.show(gallery(fifty, [classes[labels[i]] for i in fifty]), f"Fifty training images, with their classes: {', '.join(classes)}.",
           "Look at fifty before you train anything. **Is the label right? Could *you* tell the classes apart at this size?**")

# %% [markdown] tags=["slide"]
# ## A folder of your own
#
# <!-- output: 400 -->
#
# One sub-folder for each class. That is all.
#
# <!-- notes -->
# Ask: what is the first thing that you would do with such a folder? They will say: train. Answer: look at fifty of the
# pictures, and lay some aside as test images before you have seen what a network makes of them.

# %% [markdown] tags=["slide"]
# ## Look, lay aside, choose, test once
#
# 1. **Look** at fifty pictures.
# 2. Lay the **test** images aside, before any choice.
# 3. Choose by **validation** images.
# 4. Look at the test images **once**.
#
# <!-- notes -->
# Ask: twenty recipes, and you report the best test accuracy. What is wrong? They will say: nothing, none was trained on them. Answer:
# you chose by them; the best of twenty owes part of its place to luck.

# %% [markdown]
# That is very little. A network can learn 144 pictures by heart without having understood what a triangle is. The
# oldest remedy is to show it each picture in several versions: turned (here by up to 22 degrees), moved, scaled a little. We make seven
# distorted copies of each training image. (Choose distortions that leave the class as it is. A mirrored 3 is no
# digit, and a 6 upside down is a 9.)

# %%
distorted = keras.Sequential([layers.RandomRotation(0.06, "nearest", seed=0),
                              layers.RandomTranslation(0.1, 0.1, "nearest", seed=1),
                              layers.RandomZoom(0.15, fill_mode="nearest", seed=2)])
copies = [distorted(mine.train.images, training=True).numpy() for _ in range(7)]
enlarged = mine._replace(train=Examples(np.concatenate([mine.train.images, *copies]), np.tile(mine.train.labels, 8)))

# %% [markdown]
# Now the search. You know the rules from lesson 04: the same rates for each kind of network, and the choice is made on
# something that the final verdict does not use. There it was the training loss, because the question was what training
# can reach. Here we want to know what the network will do with *new* pictures, so we choose by validation loss. (The
# optimiser is Adam, as everywhere in the course. If the best of your rates is the first or the last of the list, lengthen the
# list at that end.)
#
# **Predict.** Twenty layers, with and without shortcuts, on a hundred-odd drawings: does the shortcut still matter?

# %%
DEPTH, UPDATES, RATES = 20, 300, (0.01, 0.03, 0.1)
SHAPE = {"depth": DEPTH, "input_shape": (SIZE, SIZE, CHANNELS), "classes": len(classes)}
KINDS = {"plain": SHAPE | {"shortcut": "none"}, "residual": SHAPE | {"shortcut": "padded"}}


def trained(networks, rates, seeds, data):
    """Train each network with each seed, without a look at the test images; return name → runs."""
    unseen = data._replace(test=Examples(data.test.images[:0], data.test.labels[:0]))
    schedules = {name: CosineDecay(rate, UPDATES) for name, rate in rates.items()}
    return by_name(sweep(networks, seeds, unseen, updates=UPDATES, batch_size=32, learning_rate=schedules))


tried = trained({f"{kind}, {rate}": config for kind, config in KINDS.items() for rate in RATES},
                {f"{kind}, {rate}": rate for kind in KINDS for rate in RATES}, [0], enlarged)
val_loss = {name: runs[0].epochs[-1]["val_loss"] for name, runs in tried.items()}
rates = {kind: min(RATES, key=lambda rate: val_loss[f"{kind}, {rate}"]) for kind in KINDS}
plots.table(["rate", *KINDS], [[rate, *(f"{val_loss[f'{kind}, {rate}']:.2f}" for kind in KINDS)] for rate in RATES])
print("validation loss; chosen:", rates)

# %% [markdown] tags=["slide"]
# ## Search first, by validation loss
#
# <!-- output -->
#
# <!-- notes -->
# Ask: lesson 04 chose by training loss; why not here? They will say: it was a mistake there. Answer: there the question
# was what training can reach. Here it is what the network does with new pictures.

# %% [markdown]
# With the rates chosen, three fresh seeds for each kind. And one more network, since every ingredient should earn its
# place: the residual one *without* the distorted copies. Leaving one thing out and training again is called an
# **ablation**. (It keeps the rate that was chosen with copies, so it has a small handicap.)

# %%
networks = KINDS | {"residual, no copies": KINDS["residual"]}
rates["residual, no copies"] = rates["residual"]
final = trained(KINDS, {kind: rates[kind] for kind in KINDS}, [20, 21, 22], enlarged)
final |= trained({"residual, no copies": KINDS["residual"]}, {"residual, no copies": rates["residual"]}, [20, 21, 22], mine)


def mistakes(name):
    """Return how many test images each run of a network gets wrong."""
    net, found = network(**networks[name]), []
    for run in final[name]:
        net.set_weights(run.weights)
        answers = net(mine.test.images, training=False).numpy().argmax(axis=1)
        found.append(int(np.sum(answers != mine.test.labels)))
    return found


wrong = {name: mistakes(name) for name in networks}  # the one look at the test images
plots.table(["network", "training loss, last 20 updates", f"wrong, of {len(mine.test)} test images"], [
    [name, ", ".join(f"{run.final_loss(20):.3f}" for run in final[name]), ", ".join(map(str, found))]
    for name, found in wrong.items()
])
share = (np.mean(wrong["residual"]) + 1) / (len(mine.test) + 2)  # so that no mistakes do not look like certainty
luck = np.sqrt(share * (1 - share) * len(mine.test))
print(f"luck of the {len(mine.test)} images: about {luck:.1f} mistakes, one standard error")

# %% [markdown] tags=["slide"]
# ## Leave one thing out, and test once
#
# <!-- output -->
#
# <!-- notes -->
# Ask: which of the three networks has learnt its own images best? They will say: the one that makes the fewest mistakes.
# Answer: the one without copies. That is over-fitting, as in lesson 01. And before you believe in any other difference
# in the last column, read the line below the table.

# %%
verdict_above("without the distorted copies, the residual network ends with a lower loss on its training images",
              above=[run.final_loss(20) for run in final["residual"]],
              below=[run.final_loss(20) for run in final["residual, no copies"]], ratio=2, unit="nats")
without, with_copies = sum(wrong["residual, no copies"]), sum(wrong["residual"])
verdict("without the distorted copies, three runs together get at least twice as many test images wrong as with them",
        without >= 2 * with_copies, f"{without} against {with_copies}, in three runs over the same {len(mine.test)} images")

# %% [markdown]
# You have met this before, in lesson 01: without the copies, the network ends with the lower loss on what it was shown,
# and gets more new pictures wrong. That is over-fitting. (The pictures that it was shown were easier, so learning by
# heart is not all that lowers that loss.)
#
# And does the shortcut matter? In the training loss it does: every residual run ends below every plain one. For new
# pictures we cannot tell. On the validation images the plain network was ahead at two of the three rates; on the test
# images the two are a few mistakes apart, and the line below the table says how many are luck. The copies make a
# difference that probably shows even on a few dozen images. A difference of a few mistakes does not, and more seeds
# would not help, since every seed is tested on the same pictures; more pictures would.
#
# Which pictures does one of the networks get wrong? And how do you ask it about a new one?

# %%
net = network(**KINDS["residual"])
net.set_weights(final["residual"][0].weights)


def named(picture):
    """Return the class of a picture: numbers from 0 to 255, shape (SIZE, SIZE, CHANNELS), as the loader gives them."""
    x = ((picture - mean) / deviation)[None].astype("float32")
    return classes[int(np.argmax(net(x, training=False)))]


said = {i: named(pixels[i]) for i in test}
missed = [i for i in test if said[i] != classes[labels[i]]] or list(test[:10])
plots.show(gallery(missed, [f"{classes[labels[i]]}: {said[i]}" for i in missed]),
           f"Test images with what they are and what the network says: "
           f"{', '.join(f'{classes[labels[i]]}, {said[i]}' for i in missed)}.",
           "What each is, and what the network says. **Would you have known?**")
# net.save("my_network.keras")  # keeps it; keras.models.load_model reads it. Keep mean, deviation and classes beside it.

# %% [markdown]
# This is your template. Change the folder, the size, the depth, the rates. Two habits matter more than any of them.
# Look at the test images once, and if you then change something and look again, you are choosing by them. And report
# what you tried, not only what you kept: a search over six settings is part of the result. (With few pictures of real things, people
# rarely start from random weights at all; they take a network that was trained on ImageNet, such as those of
# `keras.applications`, and train its last layers. The habits are the same.)
#
# ## 3. A recipe
#
# The other way to use this course is to want a *good* network, and a small one. How good can a network of at most
# 40,000 parameters be at MNIST? The paper on Highway Networks offers a yardstick (Srivastava, Greff and Schmidhuber
# 2015, Table 1): test accuracies of 99.40 ± 0.03 % with 39,000 parameters and of 99.54 ± 0.02 % with 151,000. (It is
# a yardstick, not an opponent. The paper's experiment on MNIST is a pilot, of 2015, with another kind of network and another
# training, and the same table has older networks of a few hundred thousand parameters that are as good or better:
# Maxout with 99.55 %, Deeply-Supervised Nets with 99.61 %.) The course's recipe takes a small residual network, three
# basic blocks whose last γ starts at zero (lesson 07), and adds four ingredients.
#
# 1. **Distorted images**, anew each time an image is used, so that the network never sees the same one twice.
# 2. **One cycle of the learning rate.** It rises during the first quarter of the training, and then falls to zero (Smith
#    and Topin 2019).
# 3. **Averaged weights.** The last weights of a run jump about. Their moving average over many updates lies in the
#    middle, and is kept (the idea is Polyak and Juditsky's, 1992, who take the plain mean).
# 4. **Label smoothing.** The network is asked to be nearly sure, not quite: a small share of each label is spread
#    over all digits (Szegedy and others 2016, Section 7).

# %%
print("distortion:", DISTORTION)
print("training:", RECIPE)
digits = load_mnist(train=0, val=0).test
shown = np.concatenate([digits.images[:8], *(distort(digits.images[:8], [0, i]) for i in (1, 2))])
captions = [str(label) + again for again in ("", ", again", ", again") for label in digits.labels[:8]]
plots.show(*plots.digit_grid(shown, captions), "Eight digits, and below each of them two distorted versions. (They are printed "
           "dark on light here; the network gets them light on black.)")

# %% [markdown] tags=["slide"]
# ## Never the same image twice
#
# <!-- output: 420 -->
#
# <!-- notes -->
# Each image is turned, scaled, sheared and shifted a little, anew each time. Ask: which change would be wrong for
# digits? They will say: too much of it. Answer: mirroring, or turning by 180 degrees: a 6 would become a 9.

# %% [markdown] tags=["slide"]
# ## The recipe
#
# 1. a small residual network, last γ zero
# 2. distorted images
# 3. one cycle of the learning rate: up once, down once
# 4. averaged weights
# 5. smoothed labels
#
# <!-- notes -->
# Ask: which of these would you leave out first? They will disagree. Answer: the slide after the next two has left each out in
# turn.

# %% [markdown]
# Choosing was done as above. A recorded study compared four candidates, which differ in their blocks and in the
# strength of the distortion, on 5,000 validation images. It trained the best of them on all 60,000 training images with
# five new seeds, and tested each once. (The rest of the recipe, such as the peak of the rate and the amount of
# averaging, was set before that, and there is no record of how.)
#
# **Predict.** What is the mean test accuracy of the five? Where does it lie beside the two numbers of the paper?

# %%
study = read_study("08_small_network")
results = study["results"]
accuracies = [100 * run["test_accuracy"] for run in results["final"]]
size = results["final"][0]["parameters"]
plots.table(["network", "parameters", "mean", "lowest to highest"],
            [[f"{results['chosen']}, {len(accuracies)} seeds", f"{size:,}", f"{np.mean(accuracies):.3f} %",
              f"{min(accuracies):.2f} to {max(accuracies):.2f} %"],
             ["Highway Networks (paper)", "39 K", "99.40 %", "best 99.43 %"],
             ["Highway Networks (paper)", "151 K", "99.54 %", "best 99.55 %"]])
for parameters, theirs in (("39 K", 99.40), ("151 K", 99.54)):
    lead = np.mean(accuracies) - theirs
    luck = 10 * np.sqrt((200 - np.mean(accuracies) - theirs) / len(digits))  # √(100 (e₁ + e₂) / n) points, of error rates e in per cent
    print(f"lead over {parameters}: {lead:.2f} points, {lead / luck:.1f} standard errors, by the luck of the {len(digits):,} test images")
print(provenance(study))
verdict("with at most 40,000 parameters, every run is better than the paper's mean with 151,000",
        size <= 40_000 and min(accuracies) > 99.54, f"lowest of {len(accuracies)} runs {min(accuracies):.2f} %",
        recorded=True)

# %% [markdown] tags=["slide"]
# ## How good can 40,000 parameters be?
#
# <!-- output -->
#
# <!-- notes -->
# Ask: may we say that residual networks are better than highway networks? They will say: yes. Answer: no. The recipe
# differs in everything, distorted images among it, and ten years lie between. We may say that this recipe, as a whole,
# reaches more with fewer parameters.

# %% [markdown]
# Mind the two lines of luck. The lead over the larger network, a tenth of a point or eleven images, is little more than
# one standard error of such a difference, so the test images may simply have been kind; over the smaller one it is more
# convincing. (Both suppose that the two networks misread unrelated images. As far as they misread the same ones, luck
# counts for less.) And whatever the lead is, it belongs to the recipe as a whole. The next section asks which part
# deserves the credit.
#
# The first of the five networks comes with the package; it is the one that has read your handwriting. Here is what it still
# gets wrong. Then run the recipe yourself. Two passes over a tenth of the
# images are no match for forty over all of them, but they take seconds, and you can change each part. (The whole recipe is
# one command, `python -m resnet_lesson.recipe --save my_network.keras`, and takes some minutes.)

# %%
logits = classifier.predict(digits.images, batch_size=500, verbose=0)
wrong_at = np.flatnonzero(logits.argmax(axis=1) != digits.labels)
assert abs(evaluate(logits, digits.labels)[1] - results["final"][0]["test_accuracy"]) < 5 / 10_000
plots.show(*plots.digit_grid(digits.images[wrong_at[:16]],
                             [f"{digits.labels[i]}, read {logits[i].argmax()}" for i in wrong_at[:16]]),
           f"Sixteen of the {len(wrong_at)} digits, of {len(digits):,}, that it still gets wrong. Which of them would you have read as the label says?")

# %% [markdown] tags=["slide"]
# ## What it still gets wrong
#
# <!-- output: 420 -->
#
# <!-- notes -->
# Ask for each in the first row: what would you have read? They will disagree. Answer: so do the people who wrote the
# labels; some are debatable, so 100 % is not the aim.

# %%
small, record = train_recipe(load_mnist(train=6000, val=0, test=1000), seed=0, epochs=2, model=small_network(),
                             distortion=DISTORTION, progress=False)
size = sum(weight.shape.num_elements() for weight in small.trainable_variables)
print(f"{size:,} parameters, right on {record.test_accuracy:.1%} of 1,000 test images "
      f"after {record.updates} updates")

# %% [markdown]
# ## 4. What is each part worth?
#
# Every ingredient should earn its place. So a recorded study left one thing out at a time and trained anew, with six
# seeds on all 60,000 images, but for ten passes instead of forty, and counted mistakes on the 10,000 test images. No
# arm had a search of its own: all keep the peak rate of the recipe. (Sixty looks at the test images, after all that
# section 2 preached? Nothing is *chosen* by these counts; they are the result. But if you change the recipe because of
# them, these images can no longer test it.)
#
# | arm | what is different |
# |---|---|
# | *no distortion*; *no averaging*; *no smoothing* | of each, one ingredient is missing |
# | *constant rate* | instead of the one cycle, the rate stays at 0.003 |
# | *global average* | the network ends with the mean of each channel instead of its largest value |
# | *branches not zero* | the last $\gamma$ of each branch starts at one, as usual |
# | *no shortcuts* | the same, and no `+ x` (a branch that starts at zero would hand on nothing), so it is compared with *branches not zero* |
# | *no distortion, no shortcuts* | both at once |
# | *like for like* | neither distortion nor averaging nor smoothing, which the published networks above did without or do not report |
#
# **Predict.** Which one does the network miss most? Before the first run we claimed two: more images are misread
# without distortion, and more without shortcuts.

# %%
ablation = read_study("08_recipe")
wrong = {arm: [] for arm in ablation["settings"]["arms"]}
for run in sorted(ablation["results"], key=lambda run: run["task"]["seed"]):
    wrong[run["task"]["name"]].append(run["test_mistakes"])
BESIDE = {arm: "branches not zero" if arm == "no shortcuts" else "recipe" for arm in wrong if arm != "recipe"}
ax, text = plots.intervals({arm: np.subtract(wrong[arm], wrong[other]) for arm, other in BESIDE.items()},
                           "more test images misread, of 10,000")
ax.axvline(0, color="black", linewidth=1)
plots.show(ax, text, "What was left out, and what it cost, compared with the whole recipe (*no shortcuts*: with *branches not zero*). Each dot is a pair of runs of one seed. **To the right of the line, leaving it out cost something.**")
differences = paired({arm: (wrong[arm], wrong[other]) for arm, other in BESIDE.items()})
plots.table(["left out", "misread of 10,000, mean", "more than what it is compared with", "95 % interval", "corrected p"],
            [["nothing", f"{np.mean(wrong['recipe']):.1f}", "", "", ""],
             *([arm, f"{np.mean(wrong[arm]):.1f}", f"{one.mean:+.1f}", f"{one.low:+.1f} to {one.high:+.1f}", f"{one.p:.2g}"]
               for arm, one in differences.items())])
print(provenance(ablation))

# %% [markdown] tags=["slide"]
# ## What is each part worth?
#
# <!-- later -->
#
# <!-- output: 430 -->
#
# <!-- notes -->
# Ask before you show it: which part does the network miss most? They will say: the distorted images, or the shortcuts.
# Answer: six seeds do not show that any single one is missed. Three left out together are missed. It looks as if the
# parts covered for one another.

# %%
decided = [arm for arm, one in differences.items() if one.p < 0.05]
verdict("no single part is missed so much that six seeds could tell; distortion, averaging and smoothing together are",
        decided == ["like for like"] and differences["like for like"].mean > 0,
        f"{differences['like for like'].mean:.0f} more misread without the three, "
        f"{differences['like for like'].low:.0f} to {differences['like for like'].high:.0f}", recorded=True)
three = [np.subtract(wrong[arm], wrong["recipe"]) for arm in ("no distortion", "no averaging", "no smoothing")]
beyond = paired({"": (np.subtract(wrong["like for like"], wrong["recipe"]), np.sum(three, axis=0))})[""]
print(f"one by one they cost {np.sum(three) / 6:.1f} images; together {beyond.mean:.1f} more, {beyond.low:.1f} to {beyond.high:.1f}")

# %% [markdown]
# Neither of our two claims can be upheld. Distortion, the ingredient that we would have sworn by, is worth three images
# or so, perhaps. (After ten passes. It is there so that one can train for long, and what it is worth after forty was
# not measured.) And without its shortcuts this network of eight weighted layers is, if anything, ahead. Leave out three
# ingredients at once, though, and twelve more images are misread on average, and some with every seed. (That covers the
# luck of the seeds. All runs share these 10,000 test images, and by the measure of section 3, which ignores that the
# same images are hard for all, twelve is hardly more than one standard error of *their* luck.) One by one, the same
# three cost less than five in all. So it looks as if they stood in for one another; the difference of the two, seven or
# eight images, has an interval from 1 to 14, but we computed it after the fact. As we read it, all three keep the
# network from being too sure of what it has seen, and where two of them do, the third is hardly missed. That is the
# trap of leaving out one thing at a time: it measures what a part adds *to all the others*. And an ablation that leaves
# every single part undecided has not found that the parts are worth nothing, one by one or together.
#
# And the paper's networks? Like for like, and after ten passes, our network of 40,000 parameters reads 99.46 % of the
# test images correctly. That is between the paper's two (99.40 and 99.54 %), and so close to either that the luck of
# these test images could account for the difference.
#
# ## 5. Where to go from here
#
# Does degradation show on pictures that are harder than digits? [Clothes instead of digits](deeper/08_clothes.ipynb)
# repeats the race of lesson 04 on Fashion-MNIST, which has the same sizes and is downloaded once.
#
# And what has become of the residual block since 2015? It has outlived the network that it was made for. [What came
# after](deeper/08_what_came_after.ipynb) builds the one new idea of ResNeXt, of DenseNet and of the Transformer, in a few
# lines each, and checks what they share with ours. The large language models of today are $x + F(x)$, many
# times over.
#
# ## Summary
#
# - A network reads what looks like its training images. On pages made from MNIST's digits the preparation alone made the
#   difference; with your own handwriting, look there first.
# - Look at the pictures, lay test images aside, choose by validation images, test once.
# - With few pictures, distorted copies keep a network from learning them by heart; and a few dozen test images can only
#   show large differences.
# - A recipe of distorted images, one cycle of the learning rate, averaged weights and smoothed labels made a small
#   residual network a good one. For no single part could six seeds tell whether it is missed; for three together they could.
#
# One machine was enough for all of it. If yours is not, lesson [09](09_scaling_out.ipynb) shares the work between
# several.
#
# ## Quiz
#
# Five questions. Each option says why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("08")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - A network reads what looks like its training images.
# - Look first; lay test images aside; choose by validation; test **once**.
# - Few pictures: distorted copies help, and small differences stay open.
# - Leave one thing out, and train again: an **ablation**.
#
# **Exercises:** lesson 08; the last one is your own ten digits.
#
# <!-- notes -->
# Ask: what would you sort with a small network, if you had to collect the pictures yourself? Collect answers: the last
# exercise asks for such an experiment. They will say: faces, plants. Answer: how many pictures of each can you get?

# %% [markdown]
# <!-- quiz: 08 -->
#
# ## Exercises
#
# Reading is only half the work. In the [exercises for lesson 08](exercises/08_your_turn.ipynb) you build,
# mend, predict and run, with checks that answer at once and hints to open if you need them; one exercise is there to discuss.
#
# ## References
#
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner 1998: *Gradient-Based Learning Applied to Document
#   Recognition*. Proceedings of the IEEE 86(11), Section III.A.
# - R. K. Srivastava, K. Greff, J. Schmidhuber 2015: *Training Very Deep Networks*. NIPS.
#   [arXiv:1507.06228](https://arxiv.org/abs/1507.06228), Table 1.
# - L. N. Smith, N. Topin 2019: *Super-Convergence: Very Fast Training of Neural Networks Using
#   Large Learning Rates*. [arXiv:1708.07120](https://arxiv.org/abs/1708.07120).
# - B. T. Polyak, A. B. Juditsky 1992: *Acceleration of Stochastic Approximation by Averaging*.
#   SIAM Journal on Control and Optimization 30(4).
# - C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna 2016: *Rethinking the Inception
#   Architecture for Computer Vision*. CVPR. [arXiv:1512.00567](https://arxiv.org/abs/1512.00567),
#   Section 7.
