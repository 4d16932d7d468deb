# %% [markdown]
# # 00 · Start here
#
# Take a network that has learnt to read handwritten digits, and make it almost three times as deep. It
# ought to be able to compute more than before; it sees the same images, and it may study them just as long.
# Surely it will do at least as well? Rather than argue, let's have your own machine find out. It is about to train
# three networks: one of 20 layers, one of 56, and one of the same 56 layers with a change so small that
# you could miss it in the code.
#
# **Objectives.** After this lesson you can
#
# 1. run an experiment of this course, read its figure, and say what its verdict claims;
# 2. say what MNIST is, how it is scaled, and why it is split in three;
# 3. find the lesson that answers your question.
#
# **Prerequisites.** Python, a little calculus, how to multiply matrices, and what a convolution is. The
# [primer](deeper/00_primer.ipynb) is there for whatever you would like to see once more: padding, ReLU,
# cross-entropy, Adam, batch normalisation and the rest, each with a picture and a few lines of code.
#
# **Reading time:** 20 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
from keras.optimizers.schedules import CosineDecay

from resnet_lesson import diagrams, plots
from resnet_lesson.data import load_mnist, raw_mnist
from resnet_lesson.models import network
from resnet_lesson.runs import by_name
from resnet_lesson.sweep import sweep
from resnet_lesson.verdicts import verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=6400, val=1000, test=1000)

# %% [markdown]
# **Predict.** For one image, the **loss** is minus the logarithm of the probability that a network gives to the
# right digit. Guessing gives each digit a tenth, so it costs $\log 10 \approx 2.3$ (the unit is called *nat*), and the
# plain network of 20 layers will get well below 1. Training goes in **updates**, each on 64 images, and the
# **learning rate** sets how far an update moves the weights. Where will the *plain* network of 56 layers be after
# 150 updates? Put a number in place of `None`, and you will find it in the figure.

# %%
my_guess = None  # for example 0.2

# %%
networks = {
    "plain, 20 layers": {"depth": 20, "shortcut": "none"},
    "plain, 56 layers": {"depth": 56, "shortcut": "none"},
    "56 layers, one addition": {"depth": 56, "shortcut": "padded"},
}
learning_rates = {"plain, 20 layers": 0.02, "plain, 56 layers": 0.05, "56 layers, one addition": 0.02}

UPDATES = 150
runs = sweep(
    networks, seeds=[10, 11, 12], data=mnist, updates=UPDATES,
    # each step a little shorter than the last, down to zero
    learning_rate={name: CosineDecay(rate, UPDATES) for name, rate in learning_rates.items()},
)

# %% tags=["readme-figure"]
figure = plots.learning_curves(runs, window=10, log=True, guess=my_guess)
plots.show(*figure, "Three networks, three runs of each, smoothed over ten updates. The line is the mean of the runs, the band "
           "reaches from the lowest to the highest. The axis is logarithmic: equal distances are equal *ratios*. **Look at the right edge:** the deeper plain network "
           "is far behind the shallow one, and the one with one addition per block, just as deep, is ahead of "
           "both.")

# %% [markdown] tags=["slide"]
# # 00 · Start here
#
# Which ends lower: 20 plain layers, or 56? And what does one addition change?
#
# <!-- later -->
#
# <!-- output: 440 -->
#
# <!-- notes -->
# Run the cell while people come in: it takes half a minute. Ask before you show the figure: which of 20
# and 56 plain layers ends lower? They will say: 56, since it can compute more. Answer: 20, by a wide
# margin. Ask next what the change is. The rest of the hour answers that.

# %% [markdown]
# ## 1. What you have just seen
#
# If you guessed that 56 layers would end lower than 20, you had a good reason. More layers can usually express more, so
# a deeper network ought to fit its training images at least as well as a shallow one. Yet the plain network of 56
# layers is left behind on the very images it is trained on, and so it is not over-fitting, which would show only on
# images that a network has never seen. Others had noticed it before; He, Zhang, Ren and Sun (2016a) gave it the name
# that stuck, **degradation**. They also proposed the change that you have just watched at work, and won the ImageNet
# competition of 2015 with networks of up to 152 layers. Hardly a large network has been built without it since, and
# that includes the language model that you may have asked about this course. (Ours have had 150 updates, which is
# little: the curve is the loss on each batch just before its update, and from update 101 on every image comes for the
# second time. Lesson 04 will ask whether the deep plain network is worse or merely slow.)
#
# The change is one addition. A deep network is built from **blocks**, and the two or three layers inside a
# block are its **branch**. A plain block hands on what its branch computes. A **residual block** adds to it
# what the block was given:
#
# ```python
# y = branch(x)        # two or three convolutions
# y = y + x            # the change: only the residual network has this line
# return relu(y)
# ```
#
# The path that takes $x$ around the branch is the **shortcut**, or skip connection. It has no weights. So your
# two networks of 56 layers have the same layers; they started from the same first weights and saw the same
# images in the same order. Only that line differs, and the learning rate, to which we come in a moment. (In
# one block of the eighteen the image gets smaller, and $x$ must be made to fit: it is `"padded"`, which lesson
# 03 explains.)

# %%
plots.show(*diagrams.block("bottleneck", shortcut="identity", filters=(8, 8, 16), in_filters=16),
           "One of the eighteen blocks of the residual network. Follow $x$ along the arrow that goes "
           "around the layers. (Batch normalisation is in the primer; lesson 03 explains the sequence 1×1, 3×3, 1×1.)")

# %% [markdown] tags=["slide"]
# ## It is not over-fitting
#
# What you saw is the loss on the images that the networks were **trained** on.
#
# - Over-fitting: good on its own images, bad on new ones.
# - **Degradation** (He et al. 2016a): bad on its own images, because it is deep.
#
# <!-- notes -->
# Ask: would more data help? They will say: more data always helps. Answer: against over-fitting it would;
# a network that cannot even learn the images that it has gains nothing from more of them.

# %% [markdown] tags=["slide"]
# ## The change is one addition
#
# <!-- output -->
#
# plain: `relu(branch(x))`
#
# residual: `relu(branch(x) + x)`
#
# The **shortcut** carries $x$ around the layers. It has no weights.
#
# <!-- notes -->
# Ask: what comes out of the residual block if the layers of its branch give zero? They will say: zero. Answer: the
# input, after a ReLU, which leaves it as it is, since it came from a ReLU. Lesson 02 is about just that.

# %% [markdown] tags=["slide"]
# ## A fair race?
#
# | the two networks of 56 layers | |
# |---|---|
# | layers, and number of weights | the same |
# | first weights, order of the images | the same, seed by seed |
# | learning rate | for each the best of eight or more |
# | one addition per block | **only one has it** |
#
# <!-- notes -->
# Ask: which of these lines do comparisons most often get wrong? They will say: the first weights. Answer:
# the rate. Whoever proposes something new tunes the new thing; here a recorded study tuned both.

# %% [markdown]
# Was it a fair race? Comparisons like this one often are not: somebody looks for the learning rate that suits the new
# network, and trains the old one at that rate, too. Here each network has a learning rate of its own, the best of eight
# or more in a study that ran beforehand, longer and with other seeds, and is recorded with the course. And was it luck?
# A **seed** decides the first weights and the order of the images. Each network ran with three of them, so that you get
# an idea of how much luck can do: look at the width of its band. The last word belongs to a verdict.
#
# ## 2. How a lesson works
#
# Each experiment of the course goes as this one did. A question comes first, then your prediction, then the run and its
# figure, and in the end a **verdict**: a cell that states a claim and compares it with what was just measured on your
# machine. If the claim is false, the cell fails. (Some claims were written down before the first run, and the lessons
# say which: what one notices only afterwards may be chance that caught the eye.)

# %%
final = {name: [run.final_loss(25) for run in group] for name, group in by_name(runs).items()}
shallow, deep, residual = final.values()
verdict_above("the plain network of 56 layers ends with a higher training loss than the plain one of 20, in "
              "every pair of runs", above=deep, below=shallow, ratio=2, unit="nats")

# %% [markdown] tags=["slide"]
# ## A claim, and the cell that tests it
#
# <!-- output -->
#
# Every run of one side against every run of the other, even the luckiest against the unluckiest: nine pairs, and the
# claim is about each.
#
# <!-- notes -->
# Ask: what would make this verdict fail? They will say: nothing, it was written afterwards. Answer: one
# pair of runs below a ratio of 2, on anybody's machine. If it fails twice on yours, that is a finding.

# %%
verdict_above("at 56 layers, the plain network ends with a higher training loss than the residual one, in "
              "every pair of runs", above=deep, below=residual, ratio=3, unit="nats")
verdict_above("and the residual one with a lower loss than the plain one of 20 layers", above=shallow, below=residual, unit="nats")

# %% [markdown] tags=["slide"]
# ## One addition per block
#
# <!-- output -->
#
# <!-- notes -->
# Ask: same layers, same weights at the start, same images. What else could explain the gap? They will say:
# the learning rate. Answer: each has the best of many, in longer runs; that is as fair as it gets.

# %% [markdown] tags=["slide"]
# ## How each experiment goes
#
# 1. A question, and **your prediction**, written down
# 2. The run, on your own machine, with several seeds
# 3. The figure
# 4. A **verdict**: a claim, what was measured, and an error if the claim is false
#
# A wrong guess that you wrote down teaches more than a right answer that you read.
#
# <!-- notes -->
# Ask: why write the guess down? They will say: to be graded. Answer: a minute after you have seen a result
# you are sure that you knew it. Paper remembers.

# %% [markdown]
# Look at the numbers after *Holds*. The verdict takes the *best* run of the side that is said to lose and compares it
# with the *worst* run of the other. So the claim holds for all nine pairs of runs, not only on average. (A run's loss
# here is the mean of its last 25 updates, so the figures differ a little from the right edge of the curves.) That is a
# strict rule, and it has one great advantage: it needs no statistics. But where runs overlap it fails, however real a
# difference may be, so later lessons also compare runs seed by seed and compute an interval. Then a verdict may say
# *undecided*, which is not a failure but an honest answer.
#
# If a verdict fails on your machine, run the lesson again from the top (*Run → Run All Cells*). If it fails
# again, that is a finding: please report it with the table of section 4.
#
# **Predict before you run.** Write your guess down, in `my_guess` where there is one and on paper where
# there is none. A wrong guess that you wrote down teaches more than a right answer that you read.
#
# ## 3. The data
#
# **MNIST** is 70,000 images of handwritten digits, 28 by 28 pixels in shades of grey (LeCun, Cortes and
# Burges). It ships with the course, so nothing is downloaded. It is small and old and nearly solved, which
# is precisely what makes it useful here: a run takes seconds, so you can afford to run everything
# several times, and when a network fails on it, nobody can blame the data.

# %%
raw = raw_mnist()
first = slice(0, 24)
captions = [str(digit) for digit in raw["y_train"][first]]
plots.show(*plots.digit_grid(raw["x_train"][first], captions, title="The first training images"),
           "Each image with its **label**, the digit that the writer meant. Would you have read the fourth "
           "image of the second row as a 5?")

# %% [markdown] tags=["slide"]
# ## MNIST: 70,000 digits of 28 × 28 pixels
#
# <!-- output: 440 -->
#
# <!-- notes -->
# It ships with the course; nothing is downloaded. Ask: why a data set that is nearly solved? They will say:
# because it is easy. Answer: because a run takes seconds, so each can be made with several seeds, and a
# network that fails here cannot blame the data.

# %% [markdown]
# A network's weights are fitted to the **training set**. But you will also make choices, such as which learning rate to
# use, and a choice needs images that took no part in the fitting: the **validation set**, which is cut from MNIST's
# training images. Whatever you chose looks a little better on those images than it really is, because looking good on
# them is how it got chosen. So a third set is kept out of every choice, and looked at last: the **test set**, which is
# MNIST's own. `load_mnist` draws the sets at random, keeps the proportion of each digit, and must never put one image
# into two sets. Let's check that.

# %%
pixels = [image.tobytes() for part in mnist for image in part.images]
assert len(set(pixels)) == len(pixels)  # no image is in two sets
plots.table(["set", "images", "what it is for"], [
    ["training", len(mnist.train), "fitting the weights"],
    ["validation", len(mnist.val), "making choices"],
    ["test", len(mnist.test), "the last word"],
])

# %% [markdown] tags=["slide"]
# ## Three sets
#
# <!-- output -->
#
# <!-- notes -->
# Ask: nobody trains on the test set. Why not choose by it? They will say: that is not done. Answer: the
# best of twenty numbers looks good even if all twenty networks are equally good.

# %% [markdown]
# One more step, and you have seen everything that happens to the data. Pixels run from 0 for paper to 255
# for ink, and networks learn faster from numbers around zero. So each pixel $p$ becomes
#
# $$x = \frac{p / 255 - \mu}{\sigma},$$
#
# where $\mu$ and $\sigma$ are the mean and the standard deviation of $p / 255$ over all pixels of MNIST's 60,000
# training images. (The validation images are among them; for two numbers over so many pixels it hardly matters.)
# Every image is scaled with the same two numbers, whichever set it is in. If each set had a scale of its own, the
# same number would mean one shade of grey in training and another in the test.
#
# %% [markdown] tags=["slide"]
# ## Scaled like this, always
#
# $$x = \frac{p / 255 - \mu}{\sigma}$$
#
# Pixels $p$ from 0 (paper) to 255 (ink); one $\mu$ and one $\sigma$ for all images, from MNIST's training images.
#
# <!-- notes -->
# Ask: why not scale each test image with its own mean? They will say: it would be more exact. Answer: then the
# network would see every image on another scale, and a number would no longer mean what it meant in training.

# %% [markdown]
# ### What a network sees
#
# Losses are abstract, so let's look over the shoulder of the residual network's first run. Here are
# validation images that it gets wrong, each with what it saw. (The test images can wait.)

# %%
net = network(**networks["56 layers, one addition"])
net.set_weights(by_name(runs)["56 layers, one addition"][0].weights)
guesses = net(mnist.val.images, training=False).numpy().argmax(axis=1)
wrong = (guesses != mnist.val.labels).nonzero()[0][:16]
captions = [f"saw {guesses[i]},\nis {mnist.val.labels[i]}" for i in wrong]
plots.show(*plots.digit_grid(mnist.val.images[wrong], captions, title="Misread"),
           "Some of these you would have misread yourself. Others you would not: after 150 updates of 64 "
           "images each, there is still something to learn.")

# %% [markdown] tags=["slide"]
# ## Misread
#
# <!-- output: 480 -->
#
# <!-- notes -->
# Let the audience read a few aloud before you point at the captions. Ask: how long did this network train?
# They will say: hours. Answer: a few seconds; it has seen each training image once or twice.

# %% [markdown]
# ## 4. Your machine
#
# Whatever the table says, you are fine: no lesson needs a graphics processor, and you can work offline. If
# something goes wrong, put the table into your report.

# %%
import os
import platform

import keras
import tensorflow as tf

plots.table(["what", "found"], [
    ["Python", platform.python_version()],
    ["TensorFlow, Keras", f"{tf.__version__}, {keras.__version__}"],
    ["course package", resnet_lesson.__version__],
    ["system", f"{platform.system()}, {platform.machine()}"],
    ["processor cores", str(os.cpu_count())],
    ["graphics processors", str(len(tf.config.list_physical_devices("GPU")))],
])

# %% [markdown]
# ## 5. The map of the course
#
# Each lesson takes one question that you might well have by now.

# %%
LESSONS = [
    ("00", "Start here", "What is this about?"),
    ("01", "Degradation", "Shouldn't a deeper network be at least as good?"),
    ("02", "Residual learning", "What does adding x change?"),
    ("03", "Bottleneck block", "What do 1×1 → 3×3 → 1×1 save?"),
    ("04", "Plain against residual", "How much does the shortcut help, in a fair race?"),
    ("05", "Inside the network", "Why does it work?"),
    ("06", "Reading the article", "What does a published network really do?"),
    ("07", "Variants", "Which design choices matter?"),
    ("08", "Your turn", "Can I use it on my problem?"),
    ("09", "Scaling out", "What if one machine is not enough?"),
]
BUILDS_ON = [("00", "01"), ("01", "02"), ("02", "03"), ("03", "04"), ("04", "05"), ("04", "06"),
             ("05", "07"), ("07", "08"), ("07", "09")]
plots.show(*diagrams.course_map(LESSONS, edges=BUILDS_ON),
           "An arrow leads from a lesson to one that builds on it. With one evening to spend, read 01 to 04.")

# %% [markdown] tags=["slide"]
# ## The map of the course
#
# <!-- output: 570 -->
#
# <!-- notes -->
# Ask: which question would you like answered first? They will say: why it works. Answer: that is lesson
# 05, and it needs 01 to 04.

# %% [markdown]
# **Where the course comes from.** It grew out of a post on the Chinese blog platform CSDN,
# <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span> ("the residual neural network Resnet,
# for MNIST, in TensorFlow"), which explains residual networks in a page and then builds one in TensorFlow 1.
# Our copy names neither its author nor its date nor its address, and its pictures are lost, so we cannot
# link to it. The lessons call it *the article*. They put its claims into our words and test them, and lesson 06
# reads its code.
#
# ## Summary
#
# - After 150 updates, the plain network of 56 layers had a far higher training loss than the one of 20. That is what
#   degradation looks like.
# - With one addition per block, and not a single weight more, a network of 56 layers had a lower loss than either.
# - A claim counts once a cell has tested it, with several seeds. A cell whose claim is false fails.
# - Fit on the training set, choose on the validation set, and leave the test set for the last word.
#
# The next lesson is [01 · Degradation](01_degradation.ipynb). It takes the disappointment apart: you
# will build, in a minute, a plain network of 100 layers, without a training step, and be asked how good it can be.
#
# ## Quiz
#
# Five questions. Each option says why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("00")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - 56 plain layers end far above 20, on their own training images: **degradation**.
# - One addition per block, and not one extra weight: 56 layers end below both.
# - Several seeds, a rate of its own for each network, and a verdict that can fail.
# - Training, validation, test: choose on the second only.
#
# **Next:** lesson 01. Shouldn't a deeper network be at least as good?
#
# <!-- notes -->
# Ask for a show of hands on the last line and note the numbers: lesson 01 begins with them. They will say:
# yes, it should. Answer: in principle it should, and lesson 01 shows that principle is not the trouble.

# %% [markdown]
# <!-- quiz: 00 -->
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). Degradation: Section 1. The competition: abstract.
# - Y. LeCun, C. Cortes, C. J. C. Burges: *The MNIST database of handwritten digits*. CC BY-SA 3.0.
