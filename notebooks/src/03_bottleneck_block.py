# %% [markdown]
# # 03 · The bottleneck block
#
# **Question.** How is 1×1 → 3×3 → 1×1 built, and what does it save?
#
# **Objectives.** After this lesson you can
#
# 1. build a bottleneck block from plain Keras layers, and check it against the package's;
# 2. give the parameters and multiply-adds of a block by formula, and say why seconds do not follow;
# 3. choose a shortcut where the shape changes (options A, B, C) and say what each one carries;
# 4. work out which pixels a block with stride 2 looks at, and why the place of the stride matters;
# 5. rebuild the table of ResNet-18, 34, 50 and 101, and test the claim "costs less, as accurate".
#
# **Prerequisites.** Lesson [00](00_start_here.ipynb): convolution, stride, dense layer, ReLU, batch
# normalisation. Lesson [01](01_degradation.ipynb): depth, identity mapping. Lesson
# [02](02_residual_learning.ipynb): branch, shortcut, residual block.
#
# **Reading time:** 35 minutes. **Computing time:** 2 minutes on two cores, without a GPU.

# %% [markdown] tags=["slide"]
# # 03 · The bottleneck block
#
# How is 1×1 → 3×3 → 1×1 built, and what does it save?
#
# <!-- notes -->
# Lesson 02 built blocks from two 3×3 convolutions. Ask: you double the channels of such a block;
# how many times more multiply-adds? Expected: twice. Four times: the cost grows with the square of
# the width.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import gc

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

from resnet_lesson import diagrams, plots
from resnet_lesson.blocks import BasicBlock, BottleneckBlock, PaddedShortcut, batch_norm
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import layer_counts, median_seconds, weighted_layers
from resnet_lesson.models import network
from resnet_lesson.runs import by_name
from resnet_lesson.sweep import sweep
from resnet_lesson.verdicts import verdict, verdict_above

keras.utils.set_random_seed(0)  # each run from the top draws the same first weights

# %% [markdown]
# ## 1. What a basic block costs
#
# Lesson 02 built residual blocks from two 3×3 convolutions and a shortcut: **basic blocks**. Now we
# want many of them, and wide ones, with many channels. Can we pay for that?
#
# We count in multiply-adds: one multiplication with one addition. A convolution computes
# $h \cdot w \cdot c'$ numbers, $c'$ channels on $h \times w$ pixels. With a $k \times k$ kernel on
# $c$ channels, each of them is a sum of $k^2 c$ products. So it costs
#
# $$h\,w\,k^2\,c\,c' \ \text{multiply-adds, and has}\ k^2\,c\,c'\ \text{parameters.}$$
#
# We leave normalisation out for now: it comes back in section 4.
#
# **Predict.** A basic block has $C$ channels in and out. You double $C$. How many times more
# multiply-adds does the block need?

# %%
def as_model(block, pixels, channels):
    """Lay a block out as a model, so that its layers can be counted."""
    inputs = keras.Input((pixels, pixels, channels))
    return keras.Model(inputs, block.call(inputs))


def cost(model):
    """Count parameters and multiply-adds of the convolutions and dense layers."""
    weighted = [count for count in layer_counts(model) if count.kind in ("Conv2D", "Dense")]
    return np.sum([(count.parameters, count.multiply_adds) for count in weighted], axis=0)


WIDTHS = (16, 32, 64, 128, 256)
basic = {C: cost(as_model(BasicBlock(C), 14, C)) for C in WIDTHS}
plots.table(["channels C", "parameters", "multiply-adds on 14 × 14 pixels"],
            [[C, int(parameters), int(work)] for C, (parameters, work) in basic.items()])

# %%
ratios = {f"{C} → {2 * C}": float(basic[2 * C][1] / basic[C][1]) for C in WIDTHS[:-1]}
verdict("twice the channels cost four times the multiply-adds", set(ratios.values()) == {4},
        ", ".join(f"{step}: {ratio:g} times" for step, ratio in ratios.items()))

# %% [markdown] tags=["slide"]
# ## A basic block costs $18\,C^2$ a pixel
#
# <!-- output -->
#
# The idea: let the 3×3 work on few channels.
#
# <!-- notes -->
# Two convolutions of 9 C² each. Ask: how do you get from many channels to few and back, cheaply?
# Expected: by pooling. Pooling shrinks the image, not the channels: a 1×1 convolution does it.

# %% [markdown]
# The block has two convolutions of $9 C^2$ parameters, $18 C^2$ in all. The cost grows with the
# square of the width. The idea of the bottleneck is to let the 3×3 work on few channels. For that it
# needs a cheap way from many channels to few and back.
#
# ## 2. A 1×1 convolution is a dense layer at every pixel
#
# A 1×1 kernel has no neighbours to look at. From the $c$ numbers of one pixel it makes $c'$ numbers,
# by one $c \times c'$ matrix, the same for all pixels. That is a dense layer, applied to each pixel
# on its own. Lin, Chen and Yan introduced it (2014, Section 3.1); GoogLeNet used it to reduce
# channels before costly convolutions (Szegedy 2015, Section 4).
#
# **Predict.** We take the kernel of a 1×1 convolution as a matrix and multiply each pixel by it. Is
# the result the same, or the same up to the borders of the image?

# %%
generator = np.random.default_rng(0)
x = generator.normal(size=(2, 14, 14, 64)).astype("float32")
conv = layers.Conv2D(16, 1, use_bias=False)
y = conv(x)

matrix = conv.kernel.numpy()[0, 0]  # (64, 16)
by_pixel = (x.reshape(-1, 64) @ matrix).reshape(2, 14, 14, 16)
apart = np.abs(by_pixel - y.numpy()).max()
verdict("a 1×1 convolution multiplies each pixel's channels by one matrix", apart < 1e-5,
        f"kernel {conv.kernel.shape}, largest difference {apart:.1e}, rounding")

# %% [markdown] tags=["slide"]
# ## A 1×1 convolution is a dense layer at every pixel
#
# One $c \times c'$ matrix, the same for all pixels. A ninth of the cost of a 3×3.
#
# <!-- output -->
#
# <!-- notes -->
# Ask: is it the same up to the borders? Expected: except at the borders. There is no border, since
# no neighbour is needed.

# %% [markdown]
# The same everywhere: there is no border, since no neighbour is needed. And it costs
# $h\,w\,c\,c'$ multiply-adds, a ninth of a 3×3.
#
# ## 3. Build the block
#
# The **bottleneck block** has three convolutions in its branch (He 2016a, Section 4.1, Figure 5):
#
# 1. a 1×1 that **reduces** the channels, here from 64 to 16;
# 2. a 3×3 that **works** on the few;
# 3. a 1×1 that **restores** their number.
#
# In the paper the inner width is a quarter of the outer width.

# %%
plots.show(*diagrams.block("bottleneck", "identity", filters=(16, 16, 64), in_filters=64))

# %% [markdown] tags=["slide"]
# ## Reduce, work, restore
#
# <!-- output -->
#
# <!-- notes -->
# The bottleneck of He 2016a, Figure 5. Ask: why has no convolution a bias? Expected: somebody
# forgot it. The normalisation after each subtracts the mean and would remove it.

# %% [markdown]
# Read the drawing from top to bottom and write it down, line by line. The convolutions have no bias:
# the normalisation after each subtracts the mean, which would remove any bias. The last ReLU comes after the
# addition, as in lesson 02.

# %%
def bottleneck(x, inner, outer):
    y = layers.Conv2D(inner, 1, use_bias=False, name="conv1")(x)  # reduce
    y = layers.ReLU()(batch_norm("norm1")(y))

    y = layers.Conv2D(inner, 3, padding="same", use_bias=False, name="conv2")(y)  # work
    y = layers.ReLU()(batch_norm("norm2")(y))

    y = layers.Conv2D(outer, 1, use_bias=False, name="conv3")(y)  # restore
    y = batch_norm("norm3")(y)

    return layers.ReLU()(layers.Add()([y, x]))


inputs = keras.Input((14, 14, 64))
mine = keras.Model(inputs, bottleneck(inputs, inner=16, outer=64))

# %% [markdown]
# Is it the package's block? We give both the same random weights, averages of the normalisation
# included, and the same images. The package's layers have our names, with the block's name in front.
#
# **Predict.** How large is the largest difference between the two outputs?

# %%
def difference(mine, package, images):
    """Give both the same random weights; return how far apart they are, of the largest output."""
    values = np.random.default_rng(1)
    for layer in mine.layers:
        weights = [values.normal(0, 0.1, w.shape) if w.ndim > 1 else values.uniform(0.5, 1.5, w.shape)
                   for w in layer.get_weights()]
        if weights:
            layer.set_weights(weights)
            package.get_layer(f"block_{layer.name}").set_weights(weights)
    pairs = [(mine(images, training=t), package(images, training=t)) for t in (False, True)]
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs)


package = as_model(BottleneckBlock((16, 16, 64), name="block"), 14, 64)
apart = difference(mine, package, x)
verdict("the block of plain Keras layers and the package's give the same output", apart < 1e-5,
        f"largest difference {apart:.1e} of the largest output")

# %% [markdown]
# A test is worth something if it can fail. A common mistake is a ReLU before the addition, where the
# branch can only add to $x$ (lesson 02, section 4).
#
# **Predict.** Does this test notice it?

# %%
branch = mine.get_layer("norm3").output
wrong = keras.Model(inputs, layers.Add()([layers.ReLU()(branch), inputs]))
apart = difference(wrong, package, x)
verdict("with the last ReLU before the addition the outputs differ", apart > 0.01,
        f"largest difference {apart:.2f} of the largest output")

# %% [markdown] tags=["slide"]
# ## Build it, and test it so that the test can fail
#
# <!-- output -->
#
# <!-- notes -->
# The lesson writes the block in plain Keras layers and compares it with the package's. Then it
# plants a mistake: a ReLU before the addition. Ask: what is a test worth that has never failed?
# Expected: silence. Little.

# %% [markdown]
# ### Where the shape changes
#
# Between two **stages**, rows of blocks of one shape, the image halves and the channels double. Then
# $x$ and $F(x)$ cannot be added. One way out is a **projection**: a 1×1 convolution with the same
# stride on the shortcut, written $W_s x$ (He 2016a, Equation 2).

# %%
plots.show(*diagrams.block(
    "bottleneck", "projection", filters=(32, 32, 128), in_filters=64, stride=2,
))

# %% [markdown]
# **Predict.** Which lines of the function above must change?

# %%
def projected(x, inner, outer, stride):
    y = layers.Conv2D(inner, 1, stride, use_bias=False, name="conv1")(x)  # reduce, halve the image
    y = layers.ReLU()(batch_norm("norm1")(y))

    y = layers.Conv2D(inner, 3, padding="same", use_bias=False, name="conv2")(y)
    y = layers.ReLU()(batch_norm("norm2")(y))

    y = layers.Conv2D(outer, 1, use_bias=False, name="conv3")(y)
    y = batch_norm("norm3")(y)

    carried = layers.Conv2D(outer, 1, stride, use_bias=False, name="shortcut")(x)  # project
    carried = batch_norm("shortcut_norm")(carried)
    return layers.ReLU()(layers.Add()([y, carried]))


mine = keras.Model(inputs, projected(inputs, inner=32, outer=128, stride=2))
package = as_model(BottleneckBlock((32, 32, 128), "projection", stride=2, name="block"), 14, 64)
apart = difference(mine, package, x)
verdict("with a projection, too, both give the same output", apart < 1e-5,
        f"{tuple(mine.output.shape[1:])} out, largest difference {apart:.1e} of the largest output")

# %% [markdown]
# ## 4. What it saves
#
# Let the outer width be $C$ and the inner width $C / r$. The three convolutions have
#
# $$C \cdot \frac{C}{r} + 9 \left(\frac{C}{r}\right)^2 + \frac{C}{r} \cdot C
#   = \left(\frac{2}{r} + \frac{9}{r^2}\right) C^2$$
#
# parameters, and as many multiply-adds a pixel. The basic block has $18\,C^2$.
#
# **Predict.** How many times cheaper is the bottleneck for $r = 4$, as in the paper, and for
# $r = 2$, as in the networks of this course?

# %%
rows, exact = [], []
for C in WIDTHS:
    row = [C, f"{basic[C][1] / 1e6:.2f}"]
    exact.append(basic[C][0] == 18 * C**2)
    for r in (2, 4):
        parameters, work = cost(as_model(BottleneckBlock((C // r, C // r, C)), 14, C))
        formula = 2 * C**2 // r + 9 * (C // r) ** 2
        exact += [parameters == formula, work == formula * 14 * 14]
        row += [f"{work / 1e6:.2f}", f"{basic[C][1] / work:.1f}"]
    rows.append(row)
plots.table(["channels C", "basic, millions", "bottleneck r = 2, millions", "times cheaper",
             "bottleneck r = 4, millions", "times cheaper"], rows)
verdict("formula and count agree at every width", all(exact), f"{len(exact)} comparisons, all equal")

# %% [markdown] tags=["slide"]
# ## What it saves
#
# $$\left(\frac{2}{r} + \frac{9}{r^2}\right) C^2 \quad\text{instead of}\quad 18\,C^2$$
#
# <!-- output -->
#
# <!-- notes -->
# Ask for r = 4, in the head: 2/4 + 9/16 is about 1.06, so about 17 times cheaper, whatever C.
# Expected: four times. And for r = 2, as in this course? Five and a half times.

# %% [markdown]
# The factor is $18 / (2/r + 9/r^2)$, whatever $C$ is.
#
# ### The same money, four times the width
#
# One can spend the saving instead of keeping it. Figure 5 of He 2016a puts a basic block of 64
# channels beside a bottleneck of 256, and says that both cost about the same.

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 7.2), layout="constrained")
_, left = diagrams.block("basic", "identity", (64, 64), in_filters=64, ax=axes[0])
_, right = diagrams.block("bottleneck", "identity", (64, 64, 256), in_filters=256, ax=axes[1])
plots.show(axes[0], f"Left: {left} Right: {right}")

# %% [markdown] tags=["slide"]
# ## The same money, four times the width
#
# <!-- output -->
#
# <!-- notes -->
# In units of 64² a pixel: 9 + 9 against 4 + 9 + 4. Ask: what do you get for the price? Expected:
# nothing. Four times the channels between blocks, and one more layer in each.

# %% [markdown]
# **Predict.** In units of $64^2$ multiply-adds a pixel the basic block costs $9 + 9$. What does a
# bottleneck from 256 over 64 to 256 channels cost?

# %%
narrow = cost(as_model(BasicBlock(64), 56, 64))
wide = cost(as_model(BottleneckBlock((64, 64, 256)), 56, 256))
print("in units of 64², a pixel:", narrow[0] / 64**2, "and", wide[0] / 64**2)
verdict("a bottleneck four times as wide costs between nine tenths of the basic block and all of it",
        0.9 <= wide[1] / narrow[1] <= 1,
        f"{narrow[1] / 1e6:.1f} and {wide[1] / 1e6:.1f} million multiply-adds on 56 × 56 pixels")

# %% [markdown]
# $4 + 9 + 4 = 17$ against 18. That is what the bottleneck buys: four times the channels between
# blocks, and one more layer in each, at the same price.
#
# ### Do seconds follow?
#
# A training step runs forwards and backwards. We time one block of each kind, on 8 images. Your
# machine gives your numbers: they are reported, and nothing is claimed.
#
# **Predict.** With $r = 4$ the multiply-adds fall by the factor in the table. Does the time?

# %%
def training_step(model, batch):
    """Return a function that runs the model forwards and backwards once."""
    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            tape.watch(batch)
            total = tf.reduce_sum(model(batch, training=True))
        return tape.gradient(total, [batch, *model.trainable_variables])

    run = step.get_concrete_function()  # traced here, before the clock starts
    return lambda: run()[0].numpy()

# %%
rows = []
for C in (16, 64, 256):
    batch = tf.constant(generator.normal(size=(8, 14, 14, C)), tf.float32)
    blocks = {"basic": BasicBlock(C), "bottleneck": BottleneckBlock(C)}  # r = 4
    models = {name: as_model(block, 14, C) for name, block in blocks.items()}
    work = [cost(model)[1] for model in models.values()]
    seconds = median_seconds({n: training_step(model, batch) for n, model in models.items()})
    milliseconds = [1000 * s for s in seconds.values()]
    rows.append([C, *(f"{t:.1f}" for t in milliseconds), f"{work[0] / work[1]:.1f}",
                 f"{milliseconds[0] / milliseconds[1]:.1f}"])
plots.table(["channels C", "basic, ms a step", "bottleneck, ms a step",
             "times fewer multiply-adds", "times less time"], rows)

# %% [markdown] tags=["slide"]
# ## Do seconds follow?
#
# <!-- output -->
#
# Reported, not claimed: the numbers are this machine's.
#
# <!-- notes -->
# Ask before: a tenth of the arithmetic, how much of the time? Expected: a tenth. Compare the last
# two columns: the saving in time is the smaller one, most of all at few channels.

# %% [markdown]
# Compare the last two columns. The saving in time should be the smaller one, most of all at few
# channels. There are three likely reasons; the first two can be counted.
#
# - **Some work hardly shrinks.** Normalisation and addition touch every number of a tensor, however
#   cheap the convolutions are. The block's outer tensor is as wide as before.
# - **A 1×1 does little with each number that it fetches.** The first one reads $C$ numbers a pixel
#   and uses each $C / r$ times. A 3×3 uses each nine times as often or more. Where little is computed
#   with each number, memory sets the pace (Williams 2009: the roofline model).
# - **Each layer has a fixed cost,** however little it computes, and the bottleneck has three
#   convolutions where the basic block has two.
#
# We count the first one.
#
# **Predict.** By what factor does the element-wise work fall, with $r = 4$?

# %%
def elementwise(model):
    """Count what normalisation and addition do: one multiply-add for each number."""
    kinds = ("BatchNormalization", "Add")
    return sum(count.multiply_adds for count in layer_counts(model) if count.kind in kinds)


two, three = models["basic"], models["bottleneck"]  # the last ones, C = 256
convolutions, rest = cost(two)[1] / cost(three)[1], elementwise(two) / elementwise(three)
# By hand, for each pixel: two norms and an addition on C; or norms on C/4, C/4 and C, and an addition.
expected = [14 * 14 * 3 * C, 14 * 14 * (C // 4 + C // 4 + C + C)]
verdict("convolutions shrink more than ten times; element-wise work, counted by hand too, less than one "
        "and a half times",
        convolutions > 10 and rest < 1.5 and expected == [elementwise(two), elementwise(three)],
        f"convolutions {convolutions:.1f} times, normalisation and additions {rest:.2f} times")

# %% [markdown]
# For the second reason we count, layer by layer, the multiply-adds and the numbers that go in or out
# (input, output and weights). Ma and colleagues give rules for fast networks on this ground (2018,
# Section 2). The last two columns are times, reported only.

# %%
def forward_pass(model, images):
    """Return a function that runs the model forwards once."""
    run = tf.function(lambda: model(images, training=True), autograph=False)
    run = run.get_concrete_function()
    return lambda: run().numpy()


parts = {
    "3×3, 64 → 64": (64, layers.Conv2D(64, 3, padding="same", use_bias=False)),
    "1×1, 64 → 16": (64, layers.Conv2D(16, 1, use_bias=False)),
    "3×3, 16 → 16": (16, layers.Conv2D(16, 3, padding="same", use_bias=False)),
    "1×1, 16 → 64": (16, layers.Conv2D(64, 1, use_bias=False)),
    "batch norm, 64": (64, batch_norm(None)),
}

# %%
batch = 32
calls, work, moved = {}, {}, {}
for name, (channels, layer) in parts.items():
    images = tf.constant(generator.normal(size=(batch, 14, 14, channels)), tf.float32)
    model = keras.Sequential([keras.Input(images.shape[1:]), layer])
    calls[name] = forward_pass(model, images)
    (count,) = layer_counts(model)
    work[name] = batch * count.multiply_adds
    moved[name] = count.parameters + np.size(images) + batch * np.prod(count.output_shape)
seconds = median_seconds(calls, repeats=15)

# %%
use = {name: work[name] / moved[name] for name in parts}
plots.table(["layer", "multiply-adds, millions", "per number moved", "ms", "billions a second"], [
    [name, f"{work[name] / 1e6:.1f}", f"{use[name]:.1f}", f"{1000 * seconds[name]:.2f}",
     f"{work[name] / seconds[name] / 1e9:.2f}"] for name in parts
])
verdict_above("a 3×3 at full width does ten times as much with each number as a 1×1, or more",
              [use["3×3, 64 → 64"]], [use["1×1, 64 → 16"], use["1×1, 16 → 64"]], ratio=10,
              unit="multiply-adds a number")

# %% [markdown] tags=["slide"]
# ## A 1×1 does little with each number that it fetches
#
# <!-- output -->
#
# <!-- notes -->
# Look at the third column: multiply-adds per number moved. Ask: what sets the pace where little is
# computed with each number? Expected: the clock. Memory does (the roofline model). Normalisation
# and addition hardly shrink.

# %% [markdown]
# Read the last column from top to bottom. On most machines fewer multiply-adds a second are done where
# fewer fall on each number that is moved. So multiply-adds are a fair measure of arithmetic, and only a hint
# for time.
#
# ## 5. What a narrow branch cannot do
#
# The first 1×1 maps $C$ numbers to $C / r$, at every pixel. Such a matrix has a **null space**: there
# are vectors $v \neq 0$ that it maps to zero. So $F(x + v) = F(x)$: the branch cannot tell $x$ from
# $x + v$, and no later layer can bring the difference back.
#
# An identity must tell them apart. So a *plain* bottleneck can never be the identity for every input,
# whatever its weights. A *residual* one can: its shortcut carries $v$ past the branch.
#
# **Predict.** We add such a $v$ to every pixel. By how much does the output of each block change?

# %%
pair = {shortcut: BottleneckBlock((16, 16, 64), shortcut) for shortcut in ("none", "identity")}
positive = np.abs(x) + 3  # as after a ReLU; v stays small enough to keep it positive
changes = {}
for shortcut, block in pair.items():
    before = block(positive)
    null = np.linalg.svd(block.weight_layers[0].kernel.numpy()[0, 0].T)[2][-1]  # (64,)
    change = np.abs(block(positive + null) - before)
    changes[shortcut] = float(tf.reduce_max(change))
verdict("v is invisible to the plain bottleneck, and not to the residual one",
        changes["none"] < 1e-4 and changes["identity"] > 0.1,
        f"outputs change by at most {changes['none']:.1e} (plain, rounding) and "
        f"{changes['identity']:.2f} (residual); largest entry of v {np.abs(null).max():.2f}")

# %% [markdown] tags=["slide"]
# ## What a narrow branch cannot do
#
# The first 1×1 has a null space: some $v \neq 0$ with $F(x + v) = F(x)$.
#
# <!-- output -->
#
# <!-- notes -->
# So a plain bottleneck can never be the identity for every input. Ask: can it be trained long enough to
# become that? Expected: yes. No later layer can bring back what is gone; the
# shortcut carries it past the branch.

# %% [markdown]
# This limits the argument of lesson 01, that a deeper network can copy a shallow one. A plain block
# that narrows cannot be the identity for *every* input, so the proof does not go through. (It might
# still be the identity on the inputs that occur.) For residual blocks with an identity shortcut the
# proof holds, however narrow the branch: $F(x) = 0$ is enough.
#
# ## 6. Three ways to fit the shortcut
#
# Where the shape changes, $x$ must be fitted to it. He 2016a (Section 4.1) compares three options:
#
# | option | where the shape changes | elsewhere |
# |---|---|---|
# | **A** | **padded**: every second pixel, missing channels filled with zeros | identity |
# | **B** | projection | identity |
# | **C** | projection | projection |
#
# ### What a padded shortcut carries

# %%
plots.show(*diagrams.block("bottleneck", "padded", (16, 16, 32), in_filters=16, stride=2))

# %% [markdown] tags=["slide"]
# ## Where the shape changes: three options
#
# - **A**, padded: every second pixel, channels of zeros
# - **B**: a projection where the shape changes
# - **C**: a projection everywhere
#
# <!-- output: 330 -->
#
# <!-- notes -->
# Ask: what does a padded shortcut throw away? Expected: nothing, it has no parameters. Three of
# four pixels. On ImageNet C was slightly better than B, and B than A; the authors call that small
# (2016a, Table 3).

# %% [markdown]
# **Predict.** A padded shortcut takes 16 channels on 14 × 14 pixels to 32 channels on 7 × 7. What
# share of its output is zero, and what share of its input gets through?

# %%
x = generator.normal(size=(1, 14, 14, 16)).astype("float32")
y = PaddedShortcut(32, stride=2)(x).numpy()
exact = np.array_equal(y[..., :16], x[:, ::2, ::2]) and not y[..., 16:].any()
verdict("padded: every second pixel in each direction, unchanged, and zeros", exact,
        f"{np.mean(y == 0):.0%} of the output is zero, {np.isin(x, y).mean():.0%} of the input "
        "arrives")

# %% [markdown]
# ### What they cost
#
# We build the 20-layer network of this course with each option: a **stem** (one 3×3 convolution with
# stride 2, before all blocks), two stages of three bottlenecks (16 and 32 channels, $r = 2$), a dense layer. `network` knows options A and B; C we
# make here, from blocks.
#
# **Predict.** How many shortcuts have weights, with A, B and C?

# %%
def course_net(option):
    inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, 2, padding="same", use_bias=False, name="stem_conv")(inputs)
    x = layers.ReLU()(batch_norm("stem_norm")(x))
    for stage, width in ((1, 16), (2, 32)):
        for number in (1, 2, 3):
            changes = stage == 2 and number == 1
            where_same = "projection" if option == "C" else "identity"
            where_changed = "padded" if option == "A" else "projection"
            block = BottleneckBlock(
                (width // 2, width // 2, width), where_changed if changes else where_same,
                stride=2 if changes else 1, name=f"stage{stage}_block{number}",
            )
            x = block.call(x)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


nets = {option: course_net(option) for option in "ABC"}

# %%
totals, rows = {}, []
for option, net in nets.items():
    counts = layer_counts(net)
    totals[option] = sum(count.parameters for count in counts)
    projections = [c for c in counts if c.name.endswith("_shortcut") and c.parameters]
    share = sum(c.multiply_adds for c in projections) / cost(net)[1]
    rows.append([option, len(projections), totals[option], f"{share:.0%}"])
plots.table(["option", "projections", "parameters of the network",
             "projections' share of multiply-adds"], rows)

# %%
by_package = [sum(c.parameters for c in layer_counts(network(20, shortcut)))
              for shortcut in ("none", "padded", "projection")]
verdict("A adds no parameter to the plain network, B a few, C more",
        [totals["A"], totals["A"], totals["B"]] == by_package and totals["B"] < totals["C"],
        f"plain {by_package[0]}, A {totals['A']}, B {totals['B']}, C {totals['C']}")

# %% [markdown]
# For bottlenecks with $r = 4$ option C is dear: the shortcut joins the two *wide* ends. He 2016a
# (Section 4.1) says that it would double the block.

# %%
identity, projection = (cost(as_model(BottleneckBlock((64, 64, 256), s), 56, 256))
                        for s in ("identity", "projection"))
verdict("a projection nearly doubles a bottleneck with r = 4",
        1.9 < projection[0] / identity[0] < 2 and 1.9 < projection[1] / identity[1] < 2,
        f"{projection[0] / identity[0]:.3f} times the parameters, "
        f"{projection[1] / identity[1]:.3f} times the multiply-adds")

# %% [markdown]
# ### What they do to the signal
#
# With the identity, and no ReLU on the line, what enters a row of blocks is still there behind it,
# plus what the branches added (lesson 02). With option C it passes one matrix after the other: $W_n \cdots W_2 W_1 x$. A
# matrix stretches some directions more than others. We measure the **spread**: the longest stretch
# over the shortest, over all directions. The identity has a spread of 1.
#
# **Predict.** One random 16 × 16 matrix has some spread. What do nine in a row have: nine times as
# much, or more?

# %%
def spread(n, seed):
    """Stretch of n random projections in a row, before training: longest over shortest."""
    draw = keras.initializers.HeNormal(seed=seed)
    matrices = np.split(np.asarray(draw((1, 1, 16, 16 * n)))[0, 0].astype("float64"), n, axis=1)
    stretches = np.linalg.svd(np.linalg.multi_dot([np.eye(16), *matrices]), compute_uv=False)
    return stretches[0] / stretches[-1]


spreads = {n: [spread(n, seed) for seed in range(5)] for n in (1, 3, 9)}
plots.table(["projections in a row", *(f"seed {seed}" for seed in range(5))],
            [[n, *(f"{value:.2g}" for value in values)] for n, values in spreads.items()])
verdict_above("nine random projections spread a thousand times more than one, or further",
              [many / one for many, one in zip(spreads[9], spreads[1], strict=True)], [1],
              ratio=1000, unit="times")

# %% [markdown]
# So before training a few directions of $x$ dominate, and some are nearly lost. (ReLU and
# normalisation are left out here.) Training can change the matrices, so this alone does not settle
# which option is best. On ImageNet, photographs of 1,000 classes, with 34 layers C was slightly better
# than B, and B than A; the authors call the differences small, put C's lead down to its parameters,
# and use B in their deep networks (He 2016a, Section 4.1, Table 3). With 54 projections in a row, on
# CIFAR-10 (small photographs of ten classes) with 110 layers, C was clearly *worse* than the identity (He 2016b, Section 3.1, Table 1).
# Lesson 07 compares them here.
#
# ## 7. Which convolution takes the stride?
#
# Where the image halves, one convolution of the branch has stride 2. The paper does not say which one
# (Table 1 names only the block). In `keras.applications` it is the first 1×1, as in the first networks
# of 2015. In torchvision it is the 3×3; that variant is called **v1.5**. Both give the same shapes,
# from the same number of parameters.
#
# **Predict.** A 1×1 with stride 2 on 8 × 8 pixels: how many of the 64 does it look at?
#
# We count **paths**. All weights are 1, there is one channel and no normalisation. Then the gradient
# of the summed output with respect to a pixel is the number of ways from that pixel to the output.

# %%
def paths(block, size):
    """Count the ways from each input pixel through the branch to the outputs."""
    x = tf.ones((1, size, size, 1))
    block(x)  # builds the weights
    for layer in block.weight_layers:
        layer.kernel.assign(tf.ones_like(layer.kernel))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(block.branch(x))
    return tape.gradient(total, x).numpy()[0, :, :, 0]


PLACES = {"conv1": "on the first 1×1 (2015)", "conv2": "on the 3×3 (v1.5)"}
grids = [paths(BottleneckBlock((1, 1, 1), "padded", False, stride=2, stride_on=place), 8)
         for place in PLACES]
title = "Paths from each input pixel to the output, by the place of the stride"
plots.show(*plots.number_grids(grids, list(PLACES.values()), title=title))

# %% [markdown] tags=["slide"]
# ## Which convolution takes the stride?
#
# <!-- output: 430 -->
#
# <!-- notes -->
# In the block of 2015 it is the first 1×1: it looks at a quarter of the positions, and so does the
# projection. Ask: so does the network ignore three quarters of the image? Expected: yes. Of that
# block's input; a 3×3 before it has mixed neighbours.

# %%
shares = [np.mean(grid > 0) for grid in grids]
verdict("with the stride on the 1×1 the branch looks at a quarter of its input's pixels, "
        "otherwise at all of them",
        shares == [0.25, 1.0], f"{shares[0]:.0%} and {shares[1]:.0%}")

# %% [markdown]
# The projection on the shortcut is a 1×1 with stride 2, too: it looks at the same quarter. So in the
# 2015 block nothing sees the other three quarters. Is that exact? We replace those pixels by noise.
#
# **Predict.** By how much does the output change, at each place of the stride?

# %%
x = generator.normal(size=(16, 8, 8, 16)).astype("float32")
skipped = np.ones((8, 8, 1), dtype=bool)
skipped[::2, ::2] = False
noisy = np.where(skipped, 100 * generator.normal(size=x.shape), x).astype("float32")
changed = {}
for place in PLACES:
    block = BottleneckBlock((8, 8, 32), "projection", stride=2, stride_on=place)
    changed[place] = float(tf.reduce_max(tf.abs(block(noisy) - block(x))))
verdict("three quarters of its input's pixels may be anything: the 2015 block's output stays the same",
        changed["conv1"] == 0 and changed["conv2"] > 0,
        f"largest change {changed['conv1']} with the stride on the 1×1, "
        f"{changed['conv2']:.1f} with the stride on the 3×3")

# %% [markdown]
# Those pixels are not lost altogether: a 3×3 in an earlier block has mixed neighbours. But whatever the
# block before computed for those positions alone is wasted. T. He and colleagues study the move for this reason, and give the
# shortcut an average over the four pixels as well (2019, Section 4.2).
#
# v1.5 has its price. The first 1×1 now works on four times the pixels.
#
# **Predict.** By what share does the strided block of 256 → 512 channels get dearer?

# %%
strided = {place: cost(as_model(
    BottleneckBlock((128, 128, 512), "projection", stride=2, stride_on=place), 56, 256))
    for place in PLACES}
for place, where in PLACES.items():
    print(f"{where}: {strided[place][0]} parameters, {strided[place][1] / 1e6:.0f} million "
          "multiply-adds")
verdict("v1.5 has as many parameters, and its first 1×1 costs four times as much",
        strided["conv1"][0] == strided["conv2"][0]
        and strided["conv2"][1] - strided["conv1"][1] == 3 * 28 * 28 * 256 * 128,
        f"{strided['conv2'][1] / strided['conv1'][1] - 1:.0%} more for the block")

# %% [markdown]
# ## 8. How far a block sees
#
# The **receptive field** of an output is the region of the image that it can depend on. Only kernels
# wider than one pixel make it grow, so a bottleneck sees 3 × 3 pixels of its input where a basic block
# sees 5 × 5: that is the other price of a cheap block, and no count of multiply-adds shows it. Whether
# a deep network of bottlenecks still sees a whole digit is worked out in the notebook
# [How far a block sees](deeper/03_receptive_fields.ipynb).

# %% [markdown] tags=["slide"]
# ## How far a block sees
#
# - A basic block: 5 × 5 pixels
# - A bottleneck: 3 × 3, for a 1×1 sees nothing new
#
# $$r = 1 + \sum_i (k_i - 1) \prod_{j<i} s_j$$
#
# <!-- notes -->
# Ask: how many pixels does a bottleneck see? Expected: 5 × 5, like the basic block. 3 × 3: a 1×1
# sees nothing new. That is the bottleneck's other price. The notebook on receptive fields, in
# notebooks/deeper, counts the paths and asks whether a whole digit is seen.

# %% [markdown]
# ## 9. The ResNets of 2015
#
# Table 1 of He 2016a has five networks. Each is a stem (7×7, stride 2, and a 3×3 max pool, stride 2),
# four stages of blocks, an average pool and a dense layer with 1,000 logits. ResNet-18 and 34 have
# basic blocks of 64, 128, 256 and 512 channels. ResNet-50 and 101 have bottlenecks four times as
# wide, with $r = 4$: the pair of section 4.

# %%
stages = [(3, "bottleneck", 256, 56), (4, "bottleneck", 512, 28), (6, "bottleneck", 1024, 14),
          (3, "bottleneck", 2048, 7)]  # blocks, kind, channels, pixels
stem, head = [("7×7 conv\n64", 1), ("max\npool", 0)], [("average\npool", 0), ("dense\n1000", 1)]
plots.show(*diagrams.network(stages, stem, head, shortcut="projection", in_filters=64))

# %% [markdown] tags=["slide"]
# ## The ResNet-50 of 2015
#
# <!-- output -->
#
# <!-- notes -->
# Ask: ResNet-50 has as many blocks as ResNet-34. Where do the 16 layers come from? Expected: from a
# fifth stage. Each block has one layer more.

# %% [markdown]
# **Predict.** ResNet-50 has as many blocks as ResNet-34. Where do the 16 extra layers come from, and
# what do they cost?

# %%
def imagenet_net(block, blocks, **options):
    """Build a network of He 2016a, Table 1, with shortcuts of option B."""
    x = inputs = keras.Input((224, 224, 3))
    x = layers.Conv2D(64, 7, 2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(batch_norm(None)(x))
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, (n, width) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True), start=1):
        width *= 4 if block is BottleneckBlock else 1
        for number in range(1, n + 1):
            stride = 2 if stage > 1 and number == 1 else 1
            same = stride == 1 and x.shape[-1] == width
            made = block(width, "identity" if same else "projection", stride=stride,
                         name=f"stage{stage}_block{number}", **options)
            x = made.call(x)
    return keras.Model(inputs, layers.Dense(1000)(layers.GlobalAveragePooling2D()(x)))

# %%
TABLE_1 = {  # depth: block, blocks in each stage, billions of multiply-adds in the paper
    18: (BasicBlock, (2, 2, 2, 2), 1.8),
    34: (BasicBlock, (3, 4, 6, 3), 3.6),
    50: (BottleneckBlock, (3, 4, 6, 3), 3.8),
    101: (BottleneckBlock, (3, 4, 23, 3), 7.6),
}
found = {}
for depth, (block, blocks, _) in TABLE_1.items():
    net = imagenet_net(block, blocks)
    parameters = sum(count.parameters for count in layer_counts(net))
    found[depth] = (weighted_layers(net), parameters, cost(net)[1])
    del net
    gc.collect()  # a hundred million weights need not stay in memory

# %%
plots.table(
    ["ResNet", "blocks in each stage", "weighted layers", "parameters, millions",
     "multiply-adds, billions", "in the paper"],
    [[depth, str(TABLE_1[depth][1]), counted, f"{parameters / 1e6:.2f}", f"{work / 1e9:.2f}",
      TABLE_1[depth][2]] for depth, (counted, parameters, work) in found.items()])

# %%
depths = {depth: 1 + (2 if block is BasicBlock else 3) * sum(blocks) + 1
          for depth, (block, blocks, _) in TABLE_1.items()}
verdict("the name is the depth: stem + layers in blocks + dense layer",
        all(depth == depths[depth] == found[depth][0] for depth in TABLE_1), f"{list(depths)}")
apart = {depth: abs(found[depth][2] / 1e9 - TABLE_1[depth][2]) for depth in TABLE_1}
verdict("multiply-adds are those of the paper's Table 1, within a tenth of a billion",
        max(apart.values()) < 0.1, f"at most {max(apart.values()):.3f} billion apart")

# %% [markdown] tags=["slide"]
# ## Table 1, counted again
#
# <!-- output -->
#
# <!-- notes -->
# Parameters equal those of Keras's own ResNet-50, exactly, less its biases. Ask: which of the four
# is the cheapest for its depth? Expected: 18. Compare 34 and 50: nearly the same cost, four times
# the width between blocks.

# %% [markdown]
# Projections do not count as depth: they lie beside the longest path. The last digit
# differs by less than one in places; the paper does not say how it rounded, nor which shortcuts it
# counted.
#
# **Parameters.** `keras.applications` has ResNet-50 and ResNet-101. Its convolutions have biases; ours
# have none, since the normalisation after each would cancel them. All else should be equal,
# projections included: the first block of the first stage has one too, since it goes from 64 to 256
# channels.
#
# **Predict.** After subtracting the biases: equal to the last parameter, or roughly?

# %%
differences = []
for depth, build in ((50, keras.applications.ResNet50), (101, keras.applications.ResNet101)):
    theirs = build(weights=None)
    total = sum(count.parameters for count in layer_counts(theirs))
    biases = sum(layer.bias.shape[0] for layer in theirs.layers if isinstance(layer, layers.Conv2D))
    differences.append(total - biases - found[depth][1])
    print(f"ResNet-{depth}: keras.applications {total}, of them {biases} biases; "
          f"here {found[depth][1]}")
    del theirs
    gc.collect()
verdict("without biases, keras.applications has exactly our parameters", differences == [0, 0],
        f"differences {differences}")

# %% [markdown]
# It has no ResNet-18 or 34. There we count by hand: a stem, then in each stage two 3×3 in each
# block with their normalisations, a projection where the channels change, and the dense layer.

# %%
def by_hand(blocks):
    total, before = 7 * 7 * 3 * 64 + 2 * 64, 64
    for n, width in zip(blocks, (64, 128, 256, 512), strict=True):
        total += 9 * before * width + 9 * width**2 + 2 * 2 * width  # first block
        total += before * width + 2 * width if before != width else 0  # its projection
        total += (n - 1) * (18 * width**2 + 2 * 2 * width)  # further blocks
        before = width
    return total + 512 * 1000 + 1000


sums = {depth: by_hand(TABLE_1[depth][1]) for depth in (18, 34)}
verdict("ResNet-18 and 34 have the parameters that we count by hand",
        all(total == found[depth][1] for depth, total in sums.items()), f"{sums}")

# %% [markdown]
# Now the question from above. Each two-layer block of ResNet-34 became a three-layer bottleneck:
# one more layer in each of 16 blocks. And v1.5?

# %%
work = {depth: counted[2] for depth, counted in found.items()}
v15 = cost(imagenet_net(BottleneckBlock, TABLE_1[50][1], stride_on="conv2"))[1]
gc.collect()
verdict("ResNet-50 costs at most a tenth more than ResNet-34, with four times the width",
        1 < work[50] / work[34] < 1.1, f"{work[50] / work[34] - 1:.1%} more")
verdict("v1.5 costs less than a tenth more than the ResNet-50 of 2015", 1 < v15 / work[50] < 1.1,
        f"{v15 / 1e9:.2f} billion multiply-adds, {v15 / work[50] - 1:.1%} more")

# %% [markdown]
# On ImageNet that was money well spent: ResNet-50 had a lower error than ResNet-34, and 101 and 152
# layers a lower one still (He 2016a, Section 4.1, Table 3). The authors took the bottleneck for the
# training time that they could afford. Deep networks of basic blocks gain from depth, too, but are
# less economical (Section 4.1, footnote 4). ResNet-152 has eight times the depth of VGG-19 and fewer
# multiply-adds.
#
# **ILSVRC 2015.** The ImageNet challenge of that year had photographs of 1,000 classes. The authors
# combined six residual networks of different depths, two of them with 152 layers. Its top-5 error on
# the test set was 3.57 %: for fewer than four images in a hundred the right class was not among the
# five best guesses. That won the first place in classification. Residual networks also won the
# challenge's detection and localisation tasks (He 2016a, abstract, Section 4.1, Table 5).
#
# ## 10. As accurate, and cheaper?
#
# The article behind this course, <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>
# ([what is known of it](00_start_here.ipynb)), says that replacing two 3×3 by 1×1 + 3×3 + 1×1 keeps the
# accuracy and reduces the computation. It also says that residual networks improve efficiency. Neither sentence
# says what is held fixed. The second is about shortcuts, and lesson 04 tests it: here all networks are
# residual. There are two ways to read the first:
#
# - **equal width**: same channels, same number of blocks; the bottleneck is far cheaper. Is it as
#   accurate?
# - **equal cost**: same multiply-adds; the bottleneck is four times as wide and one layer a block
#   deeper. Is it more accurate?
#
# We train residual networks with two blocks in each of two stages, $r = 4$ as in the paper, three
# seeds each. All runs see 12,800 images once, in batches of 32. All have the same learning rates: we
# have not searched the best for each, as lesson 01 did. So this compares the start of training, at one
# rate, while the small networks still make many mistakes. It cannot tell how accurate each of them would
# be in the end.

# %%
NETS = {
    "basic, 4/8 channels": {"block": "basic", "widths": (4, 8)},
    "bottleneck, 16/32": {"widths": (16, 32), "reduction": 4},
    "basic, 16/32": {"block": "basic", "widths": (16, 32)},
    "bottleneck, 64/128": {"widths": (64, 128), "reduction": 4},
}
NETS = {name: {**net, "blocks_per_stage": (2, 2), "shortcut": "padded"}
        for name, net in NETS.items()}
small_basic, small_bottleneck, large_basic, large_bottleneck = NETS

millions, rows = {}, []
for name, config in NETS.items():
    net = network(**config)
    parameters, work = cost(net)
    millions[name] = work / 1e6
    rows.append([name, weighted_layers(net), int(parameters), f"{millions[name]:.2f}"])
plots.table(["network", "weighted layers", "parameters", "multiply-adds, millions"], rows)

# %% [markdown]
# The four networks make two comparisons of equal cost, rows 1 and 2 and rows 3 and 4, and one of equal
# width, rows 2 and 3. First we check that they are what we say.

# %%
pairs = [(small_basic, small_bottleneck), (large_basic, large_bottleneck)]
ratios = [millions[b] / millions[a] for a, b in pairs]
verdict("in both pairs the multiply-adds are equal within a tenth", max(ratios) < 1.1 and min(ratios) > 0.9,
        f"bottleneck over basic: {ratios[0]:.3f} and {ratios[1]:.3f}")
verdict("at equal width the bottleneck network needs at most a tenth",
        millions[small_bottleneck] < 0.1 * millions[large_basic],
        f"{millions[large_basic] / millions[small_bottleneck]:.1f} times fewer multiply-adds")

# %% [markdown]
# **Predict.** Rank the four by training loss. Then: at equal cost, which kind is ahead?
#
# The cell takes about a minute.

# %%
mnist = load_mnist(train=12800, val=1000)
UPDATES = 400
runs = by_name(sweep(NETS, seeds=[0, 1, 2], data=mnist, updates=UPDATES, batch_size=32,
                     learning_rate=[(0, 2e-3), (300, 2e-4)]))  # the drop takes the noise out
loss = {name: [record.final_loss(100) for record in group] for name, group in runs.items()}
wrong = {name: [1 - record.test_accuracy for record in group] for name, group in runs.items()}

# %%
costs = {pair: f"about {np.mean([millions[name] for name in pair]):.2g} million" for pair in pairs}
series = {kind: {costs[pair]: loss[pair[i]] for pair in pairs}
          for i, kind in enumerate(("basic", "bottleneck, four times as wide"))}
plots.show(*plots.dots(series, "multiply-adds for one image", f"training loss after {UPDATES} updates",
                       title="Two kinds of block at equal cost", log=True))

# %% [markdown] tags=["slide"]
# ## As accurate, and cheaper?
#
# <!-- output -->
#
# <!-- notes -->
# Rows of equal cost, and one pair of equal width. Ask: at equal cost, which kind is ahead?
# Expected: the bottleneck. After one pass at one unsearched rate, no gain of the bottleneck at equal
# cost can be seen; in the larger pair the basic block is a little ahead.

# %%
def listed(values, form):
    return ", ".join(format(value, form) for value in values)


plots.table(["network", "multiply-adds, millions", "training loss", "wrong on the test set",
             "ms an update"], [
    [name, f"{millions[name]:.2f}", listed(loss[name], ".3f"), listed(wrong[name], ".1%"),
     f"{1000 * np.median([record.seconds[-1] / UPDATES for record in group]):.0f}"]
    for name, group in runs.items()
])

# %% [markdown]
# ### Equal width
#
# The rows in the middle have the same channels and the same number of blocks.

# %%
verdict_above("after one pass at this rate, at equal width, the bottleneck network has several times the "
              "training loss",
              loss[small_bottleneck], loss[large_basic], ratio=3, unit="nats")
verdict_above("and makes several times the mistakes on the test set", wrong[small_bottleneck],
              wrong[large_basic], ratio=3, unit="wrong")

# %% [markdown]
# ### Equal cost
#
# We compare every run of one kind with every run of the other, in loss and in mistakes.

# %%
larger = [(a, b) for a in loss[large_basic] for b in loss[large_bottleneck]]
ratios = [b / a for a, b in larger]
verdict("at equal cost, in the larger pair, the losses differ by less than a factor of one and a half",
        max(ratios) < 1.5 and min(ratios) > 1 / 1.5,
        f"loss of bottleneck over basic, {len(ratios)} pairs of runs: {min(ratios):.2f} to "
        f"{max(ratios):.2f}")
for what, found in (("loss", loss), ("mistakes", wrong)):
    for pair, (basic, bottleneck) in zip(("smaller", "larger"), pairs, strict=True):
        all_pairs = [b / a for a in found[basic] for b in found[bottleneck]]
        print(f"{what}, {pair} pair, bottleneck over basic: {min(all_pairs):.2f} to "
              f"{max(all_pairs):.2f}")

# %% [markdown]
# Read the last four lines. Where all ratios lie on one side of 1, one kind is ahead in every pair of
# runs. In the larger pair that is the basic block, by less than half. In the smaller pair the runs
# overlap, so three seeds cannot tell. A bottleneck that gains at equal cost has not been seen here, after
# one pass at one rate.

# %%
for dear, cheap in ((large_basic, small_basic), (large_bottleneck, small_bottleneck)):
    verdict_above(f"the loss of the network '{dear}' is less than half that of '{cheap}'",
                  loss[cheap], loss[dear], ratio=2, unit="nats")

# %% [markdown]
# So here the loss goes with the cost far more than with the kind of block:
#
# | the article says | here |
# |---|---|
# | 1×1 + 3×3 + 1×1 reduces the computation. | Holds, exactly, at equal width: $18 / (2/r + 9/r^2)$ times in multiply-adds. Seconds: see section 4. |
# | It keeps the accuracy. | Not shown, for one pass at one unsearched rate cannot tell. By then, at equal width, the cheaper network is far behind. At equal cost the basic one is slightly ahead in the larger pair, and nothing is saved. |
#
# That does not contradict the paper: it is another experiment. On ImageNet, with 1,000 classes and up
# to 600,000 updates (He 2016a, Section 3.4), ResNet-50 did better than ResNet-34 at nearly equal cost
# (section 9). What the bottleneck offers is a trade: more channels between the blocks and more depth,
# for the same arithmetic. Whether that pays depends on the task. Our networks are small, and they
# are far from the end of their training: after more updates, or with other learning rates, the order may change.
#
# This course uses bottlenecks in what follows, since they make *deep* networks affordable: 56 layers in
# minutes. Its networks have few channels, so they take $r = 2$, which narrows less than the paper's
# $r = 4$.
#
# ## Summary
#
# - A 1×1 convolution is a dense layer at every pixel. It changes the number of channels at a ninth
#   of the cost of a 3×3.
# - A bottleneck reduces, works and restores. It has $(2/r + 9/r^2)\,C^2$ parameters, a basic block
#   $18\,C^2$; with $r = 4$ it is four times as wide at the same cost.
# - Seconds need not follow multiply-adds: element-wise work, memory and the fixed cost of a layer remain.
# - A branch that narrows cannot be the identity for *every* input. The shortcut can.
# - Option A (padded) has no parameters, B projects where the shape changes, C everywhere, which
#   nearly doubles a bottleneck with $r = 4$.
# - With the stride on the first 1×1, three quarters of the pixels of *that block's input* are never
#   looked at; v1.5 moves it to the 3×3. A bottleneck sees 3 × 3 pixels of its input, a basic block 5 × 5.
# - "As accurate, and cheaper" has to say what is held fixed. After one pass at one unsearched rate, the
#   cheaper network of equal width is far behind. At equal cost the losses are close, the basic block's
#   slightly lower in the larger pair. What longer training brings, these runs cannot tell.
#
# Everything is in place now: the residual block, a form that is affordable, and a shortcut that fits
# everywhere. But all networks that we trained here had shortcuts. Does the shortcut itself help, when
# everything else is equal? That is the question of lesson [04](04_plain_vs_residual.ipynb).
#
# ## Quiz
#
# Five questions. Each option says at once why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("03")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - Reduce, work, restore: about 17 times cheaper with $r = 4$.
# - Multiply-adds are a measure of arithmetic, and only a hint for time.
# - A plain bottleneck cannot be the identity for every input; a residual one can.
# - After one pass at one rate: at equal *width* it is far cheaper and behind, at equal *cost* close.
#
# **Exercises:** lesson 03, 1 to 5; number 6 for a discussion.
#
# <!-- notes -->
# Ask: a report says, as accurate with a tenth of the computation. What do you ask first? Expected:
# on which machine. Better: what was held fixed, and is a usual network of that cost worse at all?

# %% [markdown]
# <!-- quiz: 03 -->
#
# ## Exercises
#
# Reading is half of it. [Exercises to lesson 03](exercises/03_bottleneck_block.ipynb): six tasks, each with a check
# that answers at once and with hints that unfold.
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). Projection: Section 3.2, Equation 2. Training:
#   Section 3.4. Networks: Table 1. Options A, B, C and the bottleneck: Section 4.1, Table 3, Figure 5,
#   footnote 4. Results of ILSVRC 2015: abstract, Section 4.1, Table 5.
# - K. He, X. Zhang, S. Ren, J. Sun 2016b: *Identity Mappings in Deep Residual Networks*. ECCV.
#   [arXiv:1603.05027](https://arxiv.org/abs/1603.05027), Section 3.1, Table 1: a projection on each
#   shortcut.
# - M. Lin, Q. Chen, S. Yan 2014: *Network In Network*. ICLR.
#   [arXiv:1312.4400](https://arxiv.org/abs/1312.4400), Section 3.1: 1×1 convolutions.
# - C. Szegedy and others 2015: *Going Deeper with Convolutions*. CVPR.
#   [arXiv:1409.4842](https://arxiv.org/abs/1409.4842), Section 4: 1×1 convolutions that reduce.
# - T. He, Z. Zhang, H. Zhang, Z. Zhang, J. Xie, M. Li 2019: *Bag of Tricks for Image Classification
#   with Convolutional Neural Networks*. CVPR.
#   [arXiv:1812.01187](https://arxiv.org/abs/1812.01187), Section 4.2: the place of the stride.
# - N. Ma, X. Zhang, H.-T. Zheng, J. Sun 2018: *ShuffleNet V2: Practical Guidelines for Efficient CNN
#   Architecture Design*. ECCV. [arXiv:1807.11164](https://arxiv.org/abs/1807.11164), Section 2.
# - S. Williams, A. Waterman, D. Patterson 2009: *Roofline: An Insightful Visual Performance Model for
#   Multicore Architectures*. Communications of the ACM 52 (4).
# - torchvision's [ResNet](https://docs.pytorch.org/vision/stable/models/resnet.html), on v1.5.
# - Y. LeCun, C. Cortes, C. J. C. Burges: *The MNIST database of handwritten digits*. CC BY-SA 3.0.
