# %% [markdown]
# # 00 · Start here
#
# **Question.** What will I learn, does my machine work, and what does the data look like?
#
# **Objectives.** After this lesson you can
#
# 1. run a lesson, read a verdict, and know what to do when one fails;
# 2. describe MNIST: what is in it, how it is split, how it is scaled;
# 3. say in one sentence each what a convolution, ReLU, a logit, cross-entropy, Adam, batch
#    normalisation and a gradient tape do;
# 4. train a residual network and read its loss curve.
#
# **Prerequisites.** Python, a little calculus, and what a convolution is.
#
# **Reading time:** 20 minutes. **Computing time:** 1 minute on two cores, without a GPU.
#
# ## 1. How a lesson works
#
# A lesson asks a question and lets your machine answer it. Each experiment goes the same way:
#
# *question → your prediction → idea → maths → code → figure → verdict*
#
# **Predict before you run.** Write your guess down. A wrong guess that you wrote down teaches more
# than a right answer that you read.
#
# A **verdict** is a cell that states a claim, prints what was measured, and fails if the claim is
# false. To run a cell, click it and press Shift + Enter. You can run any cell twice, and start
# again from the top at any time (*Run → Run All Cells*).
#
# **Where the course comes from.** It grew out of a post on the Chinese blog platform CSDN,
# <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span> ("the residual neural
# network Resnet, for MNIST, in TensorFlow"). The post explains residual networks in a page and then builds
# one, in TensorFlow 1. Our copy names neither its author nor its date nor its address, and its pictures
# are lost, so we cannot link to it. The lessons call it *the article*: they put its sentences into our
# words and test each of them, and lesson 06 reads its code.
#
# ## 2. Does my machine work?
#
# The first cell of every lesson imports what it needs.

# %% [markdown] tags=["slide"]
# # 00 · Start here
#
# What will we learn, does my machine work, and what does the data look like?
#
# <!-- notes -->
# Welcome. Ask: who has trained a network of more than ten layers? Expected: a few. And who knows
# why it worked? Silence. That is what the course is for.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import os
import platform

import keras
import numpy as np
import tensorflow as tf

from resnet_lesson import diagrams, plots
from resnet_lesson.data import PIXEL_MEAN, PIXEL_STD, load_mnist, raw_mnist
from resnet_lesson.diagnostics import weighted_layers
from resnet_lesson.models import network
from resnet_lesson.sweep import sweep
from resnet_lesson.verdicts import verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %%
plots.table(["what", "found"], [
    ["Python", platform.python_version()],
    ["TensorFlow", tf.__version__],
    ["Keras", f"{keras.__version__}, on {keras.backend.backend()}"],
    ["NumPy", np.__version__],
    ["course package", resnet_lesson.__version__],
    ["system", f"{platform.system()}, {platform.machine()}"],
    ["processor cores", str(os.cpu_count())],
    ["graphics processors", str(len(tf.config.list_physical_devices("GPU")))],
])

# %% [markdown]
# No graphics processor is needed. This is your first verdict: TensorFlow multiplies two matrices,
# and NumPy does it again.

# %%
a, b = np.random.default_rng(0).normal(size=(2, 200, 200))
difference = np.abs(tf.matmul(a, b).numpy() - a @ b).max()
verdict("TensorFlow and NumPy agree on a matrix product", difference < 1e-9, f"largest difference to NumPy {difference:.1e}")

# %% [markdown] tags=["slide"]
# ## A claim, and the cell that tests it
#
# <!-- output -->
#
# Every claim of the course is followed by such a verdict. It fails if the claim is false.
#
# <!-- notes -->
# Ask: what would make this verdict fail? Expected: nothing. A broken installation would. If a
# verdict fails on somebody's machine twice, that is a finding.

# %% [markdown]
# If a verdict fails on your machine, the cell stops with `DOES NOT HOLD` and the measured figures.
# Run the lesson again from the top. If it fails again, that is a finding: please report it with the
# table above.
#
# ## 3. The data
#
# **MNIST** has 70,000 images of handwritten digits, 28 × 28 pixels in shades of grey (LeCun, Cortes
# and Burges). It ships with the course: nothing is downloaded. 0 is paper and 255 is ink; the
# figures show ink black.

# %%
raw = raw_mnist()
first = slice(0, 24)
captions = [str(digit) for digit in raw["y_train"][first]]
plots.show(*plots.digit_grid(raw["x_train"][first], captions, title="The first training images"))

# %% [markdown] tags=["slide"]
# ## MNIST: 70,000 digits of 28 × 28 pixels
#
# <!-- output: 440 -->
#
# <!-- notes -->
# It ships with the course, nothing is downloaded. Ask: does each digit appear equally often?
# Expected: yes. Nearly; the next question is who cares, and whoever compares accuracies should.

# %% [markdown]
# **Predict.** Does each digit appear equally often?

# %%
counts = np.bincount(raw["y_train"])
plots.table(["digit", "training images"], [[digit, int(n)] for digit, n in enumerate(counts)])
verdict_above("the digits are not quite equally frequent", [counts.max()], [counts.min()],
              ratio=1.1, unit="images")

# %% [markdown]
# ### Three sets
#
# - The **training set** is what the weights are fitted to.
# - The **validation set** is cut from MNIST's training images. Choices are made on it.
# - The **test set** is MNIST's own. It takes no part in any choice, so its last word is honest.
#
# `load_mnist` draws the sets with a seed. Each digit keeps its share. Can an image be in two sets?

# %%
mnist = load_mnist(train=6400, val=1000)
every = [image.tobytes() for part in mnist for image in part.images]
verdict("no image is in two sets", len(set(every)) == len(every),
        f"{len(set(every))} different among {len(every)} images")

# %% [markdown] tags=["slide"]
# ## Three sets
#
# - **training**: the weights are fitted to it
# - **validation**: choices are made on it
# - **test**: it takes no part in any choice
#
# <!-- output -->
#
# <!-- notes -->
# Ask: why not choose by the test set, if nobody trains on it? Expected: it is not done. The best of
# twenty numbers is too good, even if all networks are equally good.

# %% [markdown]
# ### Scaling
#
# Pixels run from 0 to 255. Networks train better on numbers near zero, so each pixel $p$ becomes
#
# $$x = \frac{p / 255 - \mu}{\sigma},$$
#
# with the mean $\mu$ and the standard deviation $\sigma$ of all training pixels.

# %%
pixels = raw["x_train"] / np.float32(255)
verdict(
    "the scaling uses the mean and the standard deviation of the training pixels",
    np.allclose([PIXEL_MEAN, PIXEL_STD], [pixels.mean(), pixels.std()]),
    f"mean {pixels.mean():.4f}, standard deviation {pixels.std():.4f}; "
    f"after scaling {mnist.train.images.mean():.2f} and {mnist.train.images.std():.2f}",
)

# %% [markdown]
# ## 4. A primer in seven steps
#
# The lessons assume these seven ideas. If one is new to you, take your time here. Each has a formula
# and a cell that checks it.
#
# ### Convolution
#
# A **convolution** slides a small window of weights, the **kernel**, over the image and takes the
# sum of products at each place: $y_{r,s} = \sum_{i,j} w_{i,j}\, x_{r+i,\,s+j}$. The same few
# weights serve every place. (Mathematics flips the kernel; deep learning does not.)

# %%
image = raw["x_train"][0].astype("float32")
kernel = np.array([[1, 1, 1], [0, 0, 0], [-1, -1, -1]], dtype="float32")  # large above, small below
edges = np.array([[np.sum(kernel * image[r:r + 3, s:s + 3]) for s in range(26)]
                  for r in range(26)])
library = keras.ops.conv(image[None, :, :, None], kernel[:, :, None, None], padding="valid")
verdict("a convolution is a sliding sum of products", np.allclose(edges, library[0, :, :, 0]),
        f"{edges.shape[0]} × {edges.shape[1]} places, all equal")

# %% [markdown] tags=["slide"]
# ## Convolution: a sliding sum of products
#
# $$y_{r,s} = \sum_{i,j} w_{i,j}\, x_{r+i,\,s+j}$$
#
# The same few weights serve every place.
#
# <!-- notes -->
# Ask: how many weights has a 3×3 convolution from 16 to 32 channels? Expected: 9. It is 9 · 16 ·
# 32: a kernel spans all channels of its input, and each output channel has its own.

# %%
plots.show(*plots.digit_grid(
    [image, np.pad(np.abs(edges), 1)], ["a handwritten 5", "its upper and\nlower edges"], columns=2,
    title="Image and edges",
))

# %% [markdown] tags=["slide"]
# ## What one kernel sees
#
# <!-- output: 420 -->
#
# <!-- notes -->
# One kernel by hand: upper and lower edges. Ask: what does the network do that we did here?
# Expected: it finds the kernel by itself, from the gradient of the loss.

# %% [markdown]
# In a network, the kernel spans all **channels** $c$ of its input, and each channel $k$ of the output
# has a kernel of its own:
# $y_{r,s,k} = \sum_{i,j,c} w_{i,j,c,k}\, x_{r+i,\,s+j,\,c}$. A 1×1 convolution mixes the channels of
# one pixel. With **stride** 2 the window moves two pixels at a time, and the image halves. A
# **dense layer** is a matrix product: each output is a weighted sum of all inputs.
#
# ### ReLU
#
# **ReLU** keeps what is positive and sets the rest to zero: $\mathrm{ReLU}(z) = \max(z, 0)$.
# Without a bend like this, a stack of convolutions would be one convolution.

# %%
z = np.linspace(-3, 3, 7)
verdict("ReLU is max(z, 0)", np.array_equal(keras.ops.relu(z), np.maximum(z, 0)),
        f"{z.tolist()} → {np.maximum(z, 0).tolist()}")

# %% [markdown]
# ### Logits and softmax
#
# The last layer gives one number per digit, a **logit**: any real number, larger is likelier.
# **Softmax** turns logits into probabilities: $p_k = e^{z_k} / \sum_j e^{z_j}$.

# %%
logits = np.array([2.0, 0.0, -1.0])
probabilities = np.exp(logits) / np.exp(logits).sum()
verdict("softmax is exp, divided by the sum", np.allclose(keras.ops.softmax(logits), probabilities),
        f"{logits.tolist()} → {np.round(probabilities, 3).tolist()}, sum {probabilities.sum():.3f}")

# %% [markdown] tags=["slide"]
# ## From logits to probabilities
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}$$
#
# <!-- output -->
#
# <!-- notes -->
# Ask: what happens to the probabilities if all logits grow by 5? Expected: they grow. Nothing: only
# differences count. And if softmax is applied twice? Keep that for lesson 06.

# %% [markdown]
# ### Cross-entropy
#
# The **cross-entropy** is the loss that we train on: $-\log p_k$ for the right digit $k$, averaged
# over images. Its unit is the **nat**, that of the natural logarithm. It is 0 if the network is sure
# and right, and grows without bound if it is sure and wrong.
#
# **Predict.** What is the loss of a network that gives each of ten digits the same probability?

# %%
label, guess = [3], np.zeros((1, 10))  # ten equal logits
loss = float(tf.nn.sparse_softmax_cross_entropy_with_logits(label, guess)[0])
verdict("guessing among ten digits costs log 10", np.isclose(loss, np.log(10)), f"{loss:.4f} nats")

# %% [markdown] tags=["slide"]
# ## Cross-entropy: what guessing costs
#
# $$-\log p_k$$ for the right digit $k$
#
# <!-- output -->
#
# <!-- notes -->
# Ask: what is the loss of a network that gives each digit the same probability? Expected: 0.1 or 1.
# It is log 10, about 2.3. Remember the number: a curve that stays there has learnt nothing.

# %% [markdown]
# ### Gradient tape
#
# Training needs the **gradient**: how the loss changes with each weight. A `GradientTape` writes
# down what is computed and then applies the chain rule backwards. Here $f(x) = x^3$, so
# $f'(x) = 3x^2$.

# %%
x = tf.Variable(2.0)
with tf.GradientTape() as tape:
    f = x**3
gradient = float(tape.gradient(f, x))
verdict("the tape finds the derivative of x³ at 2", np.isclose(gradient, 3 * 2**2), f"{gradient}")

# %% [markdown] tags=["slide"]
# ## A tape for the gradient
#
# <!-- output -->
#
# It writes down what is computed and applies the chain rule backwards.
#
# <!-- notes -->
# Ask: f(x) = x³, its slope at 2? Expected: 12, after a moment. The tape finds it without knowing
# any formula for f.

# %% [markdown]
# ### Adam
#
# **Adam** (Kingma and Ba, 2015, Algorithm 1) moves each weight $w$ against its gradient $g$. It
# keeps a running mean $m$ of the gradients and a running mean $v$ of their squares, and divides one
# by the root of the other. So a weight with small gradients takes steps as large as one with large
# gradients:
#
# $$w \leftarrow w - \eta\, \frac{\hat m}{\sqrt{\hat v} + \varepsilon}.$$
#
# The hats correct both means for having started at zero. $\eta$ is the **learning rate**.
#
# **Predict.** The learning rate is 0.1. Two weights have the gradients 100 and −0.1. How far does
# each move in the first step?

# %%
w = keras.Variable([1.0, 1.0])
adam = keras.optimizers.Adam(learning_rate=0.1)
adam.apply([tf.constant([100.0, -0.1])], [w])
moved = w.numpy() - 1
verdict("Adam's first step is the learning rate, against the gradient's sign",
        np.allclose(moved, [-0.1, 0.1], rtol=1e-3), f"moved by {moved.tolist()}")

# %% [markdown] tags=["slide"]
# ## Adam's first step is the learning rate
#
# <!-- output -->
#
# Whatever the size of the gradient: a mean of gradients over the root of a mean of squares.
#
# <!-- notes -->
# Ask: a weight has a gradient of 100, another one of 0.01. Which moves further in the first step?
# Expected: the first. Both move by the learning rate.

# %% [markdown]
# In the first step $\hat m = g$ and $\hat v = g^2$. So each weight moves by the learning rate,
# whatever the size of its gradient.
#
# ### Batch normalisation
#
# A **batch** is the set of images that one **update** of the weights uses. **Batch normalisation**
# (Ioffe and Szegedy, 2015, Algorithm 1) gives each channel the mean 0 and the variance 1 over the
# batch, then scales by $\gamma$ and shifts by $\beta$, which are learnt. In a convolutional network
# the mean is over the batch and all pixels (Section 3.2).
#
# $$y = \gamma\, \frac{x - \text{mean}}{\sqrt{\text{variance} + \varepsilon}} + \beta.$$
#
# While training it uses the batch's own mean and variance (`training=True`). Afterwards it uses
# running averages, so that an image's result does not depend on its neighbours.

# %%
batch = np.random.default_rng(0).normal(5, 3, size=(64, 4)).astype("float32")
norm = keras.layers.BatchNormalization(epsilon=1e-5)
normalised = (batch - batch.mean(axis=0)) / np.sqrt(batch.var(axis=0) + 1e-5)
verdict("batch normalisation subtracts the mean and divides by the deviation",
        np.allclose(norm(batch, training=True), normalised, atol=1e-4),
        f"mean {batch.mean():.2f} → {abs(normalised.mean()):.2f}, "
        f"deviation {batch.std():.2f} → {normalised.std():.2f}")

# %% [markdown] tags=["slide"]
# ## Batch normalisation
#
# Each channel gets mean 0 and variance 1 over the batch, then a learnt scale γ and shift β.
#
# <!-- output -->
#
# <!-- notes -->
# Ask: what does a single image's output depend on, in training? Expected: on that image. On all
# images of its batch: lesson 09 will stumble over that.

# %% [markdown]
# ## 5. Your first residual network
#
# A **residual block** computes $\mathrm{ReLU}(F(x) + x)$: some layers $F$, called the branch, and a
# **shortcut** that carries $x$ around them. The addition is what this course is about.

# %%
plots.show(*diagrams.block("bottleneck", shortcut="identity", filters=(8, 8, 16), in_filters=16))

# %% [markdown] tags=["slide"]
# ## A residual block
#
# <!-- output -->
#
# <!-- notes -->
# The addition is what this course is about. Ask: what comes out if the layers on the left give
# zero? Expected: zero. The input, after a ReLU.

# %% [markdown]
# We stack such blocks and train the network on 6,400 images, with three seeds. A **seed** decides
# the first weights and the order of the images. Three seeds show how much of a result is luck.
#
# **Predict.** Untrained, the network gets about one digit in ten right. After three passes over 6,400 images, what share of
# the test images does it get right?

# %%
net = {"residual 14": {"depth": 14, "shortcut": "padded"}}  # lesson 03 explains "padded"
print(weighted_layers(network(**net["residual 14"])), "layers with weights")
records = sweep(net, seeds=[0, 1, 2], data=mnist, updates=300)

# %% [markdown]
# The figure shows the training loss after each update. The line is the mean of the three seeds, the
# band runs from the lowest to the highest. Each point is the mean of the last 25 updates.

# %%
plots.show(*plots.learning_curves(records, title="Your first residual network"))

# %% [markdown] tags=["slide"]
# ## Your first residual network
#
# <!-- output -->
#
# <!-- notes -->
# Live, if there is time: it takes seconds. Three seeds: the line is the mean, the band runs from
# the lowest to the highest. Ask: what is luck here? Expected: the wiggles. The width of the band
# is.

# %%
verdict_above(
    "the training loss falls to a third of guessing or less, with every seed",
    above=[np.log(10)], below=[record.final_loss(50) for record in records], ratio=3, unit="nats",
)
verdict_above(
    "with every seed, at least seven times as many test images are right as by guessing",
    above=[record.test_accuracy for record in records], below=[0.1], ratio=7,
    unit="right",
)

# %% [markdown]
# ### What does it see?
#
# The first test images, with the digit that the first seed's network sees in each.

# %%
predictions = records[0].test_logits.argmax(axis=1)
captions = [f"seen: {digit}" for digit in predictions[:16]]
plots.show(*plots.digit_grid(raw["x_test"][:16], captions, title="What the network sees"))

# %% [markdown]
# ## 6. The map of the course
#
# The lessons build on each other as the arrows show.

# %%
LESSONS = [
    ("00", "Start here", "Does my machine work?"),
    ("01", "Degradation", "Should a deeper net not be at least as good?"),
    ("02", "Residual learning", "What is F(x) = H(x) − x?"),
    ("03", "Bottleneck block", "What do 1×1 → 3×3 → 1×1 save?"),
    ("04", "Plain vs residual", "Does the shortcut help?"),
    ("05", "Inside the network", "Why does it work?"),
    ("06", "Reading the article", "What does its network really do?"),
    ("07", "Variants", "Which design choices matter?"),
    ("08", "Your turn", "Can I use it on my problem?"),
    ("09", "Scaling out", "What if one machine is not enough?"),
]
BUILDS_ON = [("00", "01"), ("01", "02"), ("02", "03"), ("03", "04"), ("04", "05"), ("04", "06"),
             ("05", "07"), ("07", "08"), ("07", "09")]
plots.show(*diagrams.course_map(LESSONS, edges=BUILDS_ON))

# %% [markdown] tags=["slide"]
# ## The map of the course
#
# <!-- output: 570 -->
#
# <!-- notes -->
# Ask: which question interests you most? Expected: why it works, lesson 05. It needs 01 to 04.

# %% [markdown]
# The next lesson is [01 · Degradation](01_degradation.ipynb). It asks the question behind the whole
# course: should a deeper network not be at least as good?
#
# ## Summary
#
# - A claim counts when a cell has tested it, with several seeds.
# - MNIST has 60,000 training and 10,000 test images; the validation set is cut from the former.
# - Convolution, ReLU, logits, cross-entropy, the tape, Adam and batch normalisation: each is a line
#   of arithmetic that you have checked.
# - A small residual network learns to read digits in a few passes over the images.
#
# ## Quiz
#
# Five questions. Each option says at once why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("00")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - A verdict can fail; if it does, that is a finding.
# - Guessing costs log 10, about 2.3 nats.
# - Training, validation, test: choices on the second only.
# - Seeds show how much of a result is luck.
#
# **Next:** lesson 01. Should a deeper network not be at least as good?
#
# <!-- notes -->
# Ask for a show of hands on the last line, and note the numbers: lesson 01 begins with them.
# Expected: a majority for yes.

# %% [markdown]
# <!-- quiz: 00 -->
#
# ## References
#
# - Y. LeCun, C. Cortes, C. J. C. Burges: *The MNIST database of handwritten digits*. CC BY-SA 3.0.
# - D. P. Kingma, J. Ba: *Adam: A Method for Stochastic Optimization*. ICLR 2015.
#   [arXiv:1412.6980](https://arxiv.org/abs/1412.6980), Algorithm 1.
# - S. Ioffe, C. Szegedy: *Batch Normalization*. ICML 2015.
#   [arXiv:1502.03167](https://arxiv.org/abs/1502.03167), Algorithm 1.
# - K. He, X. Zhang, S. Ren, J. Sun: *Deep Residual Learning for Image Recognition*. CVPR 2016.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385).
