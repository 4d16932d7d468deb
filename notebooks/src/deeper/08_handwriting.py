# %% [markdown]
# # 08 · Deeper: handwriting, step by step
#
# Ten photos are an anecdote. In lesson 08 they were read after being prepared and mostly not before, and that was
# pleasant to see, but it does not tell you which part of the preparation did it, or what happens on worse paper. Here
# are six hundred photos in place of ten, and we can see what each part of the preparation is worth.
#
# **Objectives.** After this notebook you can
#
# 1. say which steps a network that was trained on MNIST cannot do without, and why;
# 2. find out why your own photo fails.
#
# **Prerequisites.** Lesson [08](../08_your_turn.ipynb), section 1.
#
# **Reading time:** 8 minutes. **Computing time:** 30 seconds on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from resnet_lesson import plots
from resnet_lesson.data import standardise
from resnet_lesson.handwriting import centre_by_mass, like_mnist
from resnet_lesson.mnist import raw_mnist
from resnet_lesson.recipe import trained_network
from resnet_lesson.studies import provenance, read_study
from resnet_lesson.verdicts import verdict, verdict_above

classifier = trained_network()

# %% [markdown]
# ## 1. Six hundred photos
#
# To judge a reader of photos we must know what is written on them. So we make them: a test digit of MNIST, enlarged
# by some factor, somewhere on a grey page with uneven light and a little noise. Then `like_mnist` has to find it and
# bring it back to 28 × 28. MNIST's own image of the same digit is what it should come near to.

# %%
def photo_of(digit, generator):
    """Make a photo of an MNIST digit: uint8 (28, 28) → uint8 (300, 400)."""
    side = int(28 * generator.uniform(3, 8))
    ink, page = Image.fromarray(digit).resize((side, side)), np.zeros((300, 400))
    top, left = generator.integers(0, 301 - side), generator.integers(0, 401 - side)
    page[top:top + side, left:left + side] = ink
    y, x = np.mgrid[:300, :400]
    slope_x, slope_y = generator.uniform(-60, 60, 2)
    light = 210 + slope_x * (x / 400 - 0.5) + slope_y * (y / 300 - 0.5)
    light += generator.normal(0, 3, page.shape)
    return np.clip(light * (1 - 0.8 * page / 255), 0, 255).astype(np.uint8)


raw, SEEDS = raw_mnist(), (0, 1, 2)
prepared, originals, labels = {}, {}, {}
for seed in SEEDS:
    generator = np.random.default_rng(seed)
    at = generator.choice(10_000, 200, replace=False)
    originals[seed], labels[seed] = raw["x_test"][at], raw["y_test"][at]
    prepared[seed] = [like_mnist(photo_of(digit, generator)) for digit in originals[seed]]

# %%
figure, axes = plt.subplots(3, 8, figsize=(9, 3.2), layout="constrained")
for i in range(8):
    steps = prepared[0][i]
    for row, picture in enumerate((steps.grey, steps.centred, originals[0][i])):
        axes[row, i].imshow(picture, cmap="gray", vmin=0, vmax=255)
        axes[row, i].set(xticks=[], yticks=[])
for row, name in enumerate(("photo", "prepared", "MNIST's")):
    axes[row, 0].set_ylabel(name)
plots.show(axes[0, 0], f"Eight photos of the digits {', '.join(map(str, labels[0][:8]))}, what the preparation made of "
           "them, and MNIST's own images of the same digits.",
           "**Compare the second row with the third.** They are the same digits, and the network knows only the third.")

# %% [markdown]
# ## 2. Do one thing wrong
#
# Five ways of preparing a photo badly. The ink may stay dark on light paper. The ink may be shrunk along with the whole
# page, without being cropped first (the grey of the paper has been removed by then, unlike in lesson 08). The digit may
# end up half as large as MNIST's. It may stand in a corner of the field instead of the middle. Or it may be stretched
# to fill the field.
#
# **Predict.** Order the five by the harm that they do.

# %%
def resized(image, height, width):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))


def in_the_corner(steps):
    field = np.zeros((28, 28), np.uint8)
    field[:steps.boxed.shape[0], :steps.boxed.shape[1]] = steps.boxed
    return field


def half_as_large(steps):
    return centre_by_mass(resized(steps.boxed, *(-(-side // 2) for side in steps.boxed.shape)))


WAYS = {"all steps": lambda steps: steps.centred,
        "dark ink on light": lambda steps: 255 - steps.centred,
        "not cropped": lambda steps: resized(steps.ink, 28, 28),
        "half as large": half_as_large,
        "in a corner": in_the_corner,
        "stretched": lambda steps: resized(steps.cropped, 28, 28)}

# %%
def share_read(images, seed):
    answers = classifier.predict(standardise(np.asarray(images)), batch_size=200, verbose=0).argmax(axis=1)
    return float(np.mean(answers == labels[seed]))


right = {"MNIST itself": [share_read(originals[seed], seed) for seed in SEEDS]}
right |= {name: [share_read([way(steps) for steps in prepared[seed]], seed) for seed in SEEDS]
          for name, way in WAYS.items()}
plots.show(*plots.intervals(right, "share of 200 photos that are read correctly"),
           "One thing done wrong at a time, three times two hundred photos. **Compare the lowest dot of the last two rows "
           "with the highest of the three above them:** they do not overlap. A corner, here a shift of some four pixels along the longer "
           "side and of more along the other, costs almost nothing; stretching costs a little.")

# %%
lost = [a - b for a, b in zip(right["MNIST itself"], right["all steps"], strict=True)]
verdict("with all steps, photos are read nearly as well as the images that they were made from", max(lost) < 0.03,
        f"at most {100 * max(lost):.1f} points less, with each of {len(SEEDS)} seeds")
ruinous = ("dark ink on light", "not cropped", "half as large")
for name in ("in a corner", "stretched"):
    verdict_above(f"{name}: more photos are read than with the ink left dark, not cropped, or half as large",
                  above=right[name], below=[share for other in ruinous for share in right[other]], unit="of the photos")
verdict_above("with all steps, at least a tenth more are read than with any of these three", above=right["all steps"],
              below=[share for other in ruinous for share in right[other]], ratio=1.1, unit="of the photos")

# %% [markdown]
# The network never met a digit of half the size, or one in dark ink. At half size it still reads five of six; with light and
# dark exchanged, hardly any. Why do a shift and a stretch do so little harm? There are two possible reasons, and this notebook does not tell
# them apart. The training images were shifted and stretched a little. And the network ends in a global maximum over
# all places, which asks *whether* something is there and not where. A network trained on images that were never shifted
# would tell; it is a good experiment for an afternoon.
#
# ## 3. Worse paper
#
# Those pages were kind ones. Real paper is ruled or squared, phones darken the corners and add noise, and your own shadow
# lies across the sheet. A recorded study has made such pages, each with one of eight troubles, and also pages with no
# digit and with two, which should be refused. The claims were written down before anyone looked at the test digits.

# %%
study = read_study("08_photos")
single = {name: study["results"][name] for name in ("clean", *study["settings"]["conditions"])}
print(provenance(study))
plots.table(["page", "read", "no digit: refused", "two digits: refused"],
            [[name, f"{found['read']} of {found['pages']}",
              *(f"{found[reason]} of {found['to_refuse']}" for reason in ("none", "several"))]
             for name, found in single.items()])
least = min(found["read"] / found["pages"] for found in single.values())
verdict("whichever single trouble the page has, nine of ten digits and more are read",
        least >= study["settings"]["claims"]["single"], f"the least is {least:.1%}", recorded=True)

# %% [markdown]
# When your own photo fails, draw its steps, as lesson 08 does, and go through them. Is all the ink there, and nothing
# else? The edge of the table or printed letters can spoil the crop. Are the strokes about as thick as MNIST's? And do you
# write your ones and sevens as in the United States, where MNIST comes from?
#
# ## Summary
#
# - Light ink on dark and cropping matter most to this network, then size. A shift by several pixels hardly matters to
#   it, and wrong proportions do somewhat.
# - A page with no digit or with two should be refused, and in the study each of them was.
#
# Back to lesson [08](../08_your_turn.ipynb).
#
# ## References
#
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner 1998: *Gradient-Based Learning Applied to Document
#   Recognition*. Proceedings of the IEEE 86(11), Section III.A.
# - Y. LeCun, C. Cortes, C. J. C. Burges: *The MNIST database of handwritten digits*. CC BY-SA 3.0.
