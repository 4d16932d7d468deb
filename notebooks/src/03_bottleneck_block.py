# %% [markdown]
# # 03 · The bottleneck block
#
# The drawing below the next two cells shows two residual blocks. The one on the left puts out 64 channels; the one on
# the right puts out 256, four times as many, and has an extra layer besides. Which of them is more expensive? Anyone
# who has paid for computing time will point to the right, without hesitation. Count the multiplications in their
# convolutions, and it turns out to be the cheaper of the two. It was this block that made it affordable for He and his
# colleagues to go from 34 layers to 152 on ImageNet, and in the next half hour you will build it, count it, and find
# out what it gives up.
#
# **Objectives.** After this lesson you can
#
# 1. build a bottleneck block from plain Keras layers, and count what it costs;
# 2. say what a branch that narrows can never do, and how the shortcut gets around it;
# 3. fit a shortcut where the shape changes, and say what each way of doing it throws away;
# 4. read the claim "as accurate, but cheaper" with the right question in mind.
#
# **Prerequisites.** Lessons [01](01_degradation.ipynb) and [02](02_residual_learning.ipynb). Convolution, stride and
# padding are in the [primer](deeper/00_primer.ipynb).
#
# **Reading time:** 35 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers

from resnet_lesson import diagrams, plots
from resnet_lesson.blocks import BasicBlock, BottleneckBlock, PaddedShortcut, batch_norm
from resnet_lesson.diagnostics import layer_counts, weighted_layers
from resnet_lesson.models import network
from resnet_lesson.studies import at_best_rate, provenance, read_study
from resnet_lesson.verdicts import paired, verdict, verdict_above, verdict_paired

keras.utils.set_random_seed(0)  # each run from the top draws the same first weights

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 7.2), layout="constrained")
_, left = diagrams.block("basic", "identity", (64, 64), in_filters=64, ax=axes[0])
_, right = diagrams.block("bottleneck", "identity", (64, 64, 256), in_filters=256, ax=axes[1])
plots.show(axes[0], f"Left: {left} Right: {right}",
           "Figure 5 of He, Zhang, Ren and Sun (2016a), redrawn. **Compare the 3×3 convolutions:** on the right there "
           "is only one, and it works on 64 channels, although 256 arrive and 256 leave.")

# %% [markdown] tags=["slide"]
# # 03 · The bottleneck block
#
# <!-- output: 530 -->
#
# <!-- notes -->
# Ask: which of the two is more expensive? They will say: the right one, by far; it has four times the channels.
# Answer: in units of 64² multiply-adds per pixel, 9 + 9 = 18 at the left and 4 + 9 + 4 = 17 at the right.

# %% [markdown] tags=["slide"]
# ## What a block costs
#
# A $k \times k$ convolution from $c$ to $c'$ channels: $k^2\,c\,c'$ **multiply-adds** a pixel, and as many weights.
#
# A basic block on $C$ channels: $18\,C^2$. Twice the channels, four times the price.
#
# **The idea:** let the expensive 3×3 work on few channels.
#
# <!-- notes -->
# Ask: how do you get from many channels to few, and back, cheaply? They will say: by pooling. Answer: pooling
# shrinks the image, not the channels. A 1×1 convolution does it.

# %% [markdown]
# ## 1. What a block costs
#
# The currency of convolutional networks is the **multiply-add**, one multiplication and one addition (often
# counted as two **FLOPs**). A $k \times k$ convolution from $c$ to $c'$ channels computes $c'$ numbers at each
# pixel, and each is a sum of $k^2 c$ products. So it needs
#
# $$k^2\,c\,c' \ \text{multiply-adds per pixel, and has as many weights.}$$
#
# Lesson 02's basic block, with two 3×3 convolutions on $C$ channels, costs $18\,C^2$ per pixel: double the channels,
# and you quadruple the price. The way out is to let the expensive 3×3 work on few channels. For that you need a cheap
# way from many channels to few, and back.
#
# A **1×1 convolution** does exactly that. Its kernel looks at no neighbours; at every pixel it multiplies the $c$
# channels by the same $c \times c'$ matrix, so it is a dense layer applied to each pixel by itself, and costs a ninth
# of a 3×3. Lin, Chen and Yan introduced it (2014, Section 3.1), and GoogLeNet used it to save computation (Szegedy
# 2015, Section 4).

# %%
x = np.random.default_rng(0).normal(size=(2, 14, 14, 64)).astype("float32")
conv = layers.Conv2D(16, 1, use_bias=False)
y = conv(x)
matrix = conv.kernel.numpy()[0, 0]  # (64, 16)
assert np.allclose(x @ matrix, y, atol=1e-5)

# %% [markdown] tags=["slide"]
# ## A 1×1 convolution is a dense layer at every pixel
#
# One $c \times c'$ matrix, the same at all pixels: `x @ matrix`
#
# | convolution, from $c$ to $c'$ channels | multiply-adds per pixel |
# |---|---|
# | 3×3 | $9\,c\,c'$ |
# | 1×1 | $c\,c'$ |
#
# <!-- notes -->
# Ask: is it the same at the borders of the image, too? They will say: no, there is the padding. Answer: yes; no
# neighbour is needed, so there is no border.

# %% [markdown]
# ## 2. Build it
#
# The **bottleneck block** has three convolutions in its branch: a 1×1 that *reduces* the channels, a 3×3 that
# *works* on the few, and a 1×1 that *restores* them. Here it is, line by line, as in the drawing at the top. The
# convolutions need no bias, for the batch normalisation after each would subtract it again.

# %%
def bottleneck(x, inner, outer):
    y = layers.Conv2D(inner, 1, use_bias=False, name="conv1")(x)  # reduce
    y = layers.ReLU()(batch_norm("norm1")(y))

    y = layers.Conv2D(inner, 3, padding="same", use_bias=False, name="conv2")(y)  # work
    y = layers.ReLU()(batch_norm("norm2")(y))

    y = layers.Conv2D(outer, 1, use_bias=False, name="conv3")(y)  # restore
    y = batch_norm("norm3")(y)

    return layers.ReLU()(y + x)


inputs = keras.Input((14, 14, 64))
mine = keras.Model(inputs, bottleneck(inputs, inner=16, outer=64))

# %% [markdown]
# Is it right? Give the same weights to this block and to the one from the course's package, show both the same
# images, and compare. And since a test is worth something only if it can fail, do it once more with a common mistake,
# the last ReLU before the addition. (The cell is bookkeeping, and you may skip it: `as_model` lays out a block of the
# package as a Keras model, and `difference` copies random weights into both and shows both section 1's `x`.)

# %%
def as_model(block, pixels, channels):
    """Lay a block of the package out as a model."""
    inputs = keras.Input((pixels, pixels, channels))
    return keras.Model(inputs, block.call(inputs))


def difference(mine, package):
    """Give both the same random weights; return their largest difference over the largest output."""
    values = np.random.default_rng(1)
    for layer in mine.layers:
        weights = [values.normal(0, 0.1, w.shape) if w.ndim > 1 else values.uniform(0.5, 1.5, w.shape)
                   for w in layer.get_weights()]
        if weights:
            layer.set_weights(weights)
            package.get_layer(f"block_{layer.name}").set_weights(weights)
    outputs = [(mine(x, training=t), package(x, training=t)) for t in (False, True)]
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in outputs)


package = as_model(BottleneckBlock((16, 16, 64), name="block"), 14, 64)
assert difference(mine, package) < 1e-5
wrong = keras.Model(inputs, layers.ReLU()(mine.get_layer("norm3").output) + inputs)
assert difference(wrong, package) > 0.01  # the mistake is noticed

# %% [markdown] tags=["slide"]
# ## Reduce, work, restore
#
# ```python
# y = Conv2D(inner, 1, use_bias=False)(x)                  # reduce
# y = ReLU()(BatchNormalization()(y))
# y = Conv2D(inner, 3, padding="same", use_bias=False)(y)  # work
# y = ReLU()(BatchNormalization()(y))
# y = Conv2D(outer, 1, use_bias=False)(y)                  # restore
# y = BatchNormalization()(y)
# return ReLU()(y + x)
# ```
#
# <!-- notes -->
# Ask: why does no convolution have a bias? They will say: somebody forgot it. Answer: the normalisation subtracts the
# mean, and any bias with it. The lesson tests the block against the package's, and plants a mistake to see the test
# fail.

# %% [markdown]
# ## 3. What it saves
#
# Let the block be $C$ channels wide outside and $C / r$ inside. Its three convolutions cost
#
# $$C \cdot \frac{C}{r} + 9 \left(\frac{C}{r}\right)^2 + \frac{C}{r} \cdot C
#   = \left(\frac{2}{r} + \frac{9}{r^2}\right) C^2$$
#
# multiply-adds per pixel, against $18\,C^2$ for the basic block of the same width.
#
# **Predict.** With $r = 4$, as in the paper, how many times cheaper is that? Try it in your head.

# %%
def multiply_adds(model):
    """Count what the convolutions and dense layers of a model need for one image."""
    counts = layer_counts(model)
    return sum(count.multiply_adds for count in counts if count.kind in ("Conv2D", "Dense"))


rows = []
for C in (16, 64, 256):
    basic = multiply_adds(as_model(BasicBlock(C), 14, C))
    assert basic == 18 * C**2 * 14 * 14
    row = [C, f"{basic / 1e6:.2f}"]
    for r in (2, 4):
        found = multiply_adds(as_model(BottleneckBlock((C // r, C // r, C)), 14, C))
        assert found == (2 / r + 9 / r**2) * C**2 * 14 * 14
        row += [f"{found / 1e6:.2f}", f"{basic / found:.1f}"]
    rows.append(row)
print("Millions of multiply-adds on 14 × 14 pixels")
plots.table(["channels C", "basic", "bottleneck, r = 2", "times cheaper", "bottleneck, r = 4",
             "times cheaper"], rows)

# %% [markdown] tags=["slide"]
# ## What it saves
#
# $$\left(\frac{2}{r} + \frac{9}{r^2}\right) C^2 \quad\text{instead of}\quad 18\,C^2$$
#
# <!-- output -->
#
# <!-- notes -->
# Ask for r = 4, without paper. They will say: four times. Answer: 2/4 + 9/16 is about 1.06, so about 17 times cheaper,
# whatever C. And for r = 2, which this course uses? About five and a half times.

# %% [markdown]
# The factor does not depend on $C$: about 17 for $r = 4$ and 5.5 for $r = 2$. You can keep that saving, or spend it
# on width, as the drawing at the top does. In units of $64^2$ multiply-adds per pixel, the left block costs
# $9 + 9 = 18$ and the one on the right $4 + 9 + 4 = 17$: four times the channels, for slightly less.
#
# Do not expect your clock to agree, though. At equal width, normalisation and addition hardly become cheaper, and in
# the wider block of the drawing they cost more than three times as much. A 1×1 does little with each number that it
# fetches from memory, and every extra layer has a fixed cost of its own. [What it costs in
# seconds](deeper/03_cost_in_seconds.ipynb) times both blocks and tracks down where the time goes.
#
# ## 4. What a narrow branch cannot do
#
# Squeezing 64 channels through 16 must lose something. What? As in section 1, the first 1×1 multiplies the channels
# of a pixel by a 64 × 16 matrix $W$. Sixteen equations with 64 unknowns have solutions other than zero, so there are
# directions $v \neq 0$ with $vW = 0$. They form the **null space** of the map from $x$ to $xW$.
#
# **Predict.** Add such a $v$, of length 1, to every pixel. How much does the output of a plain bottleneck change? And
# that of a residual one?

# %%
positive = np.abs(x) + 3  # as after a ReLU; v is small enough to keep it positive
changes = {}
for kind, shortcut in (("plain", "none"), ("residual", "identity")):
    block = BottleneckBlock((16, 16, 64), shortcut)
    before = block(positive)
    reduce = block.weight_layers[0].kernel.numpy()[0, 0]  # (64, 16)
    # The singular value decomposition sorts directions by how much the matrix leaves of them.
    _, _, directions = np.linalg.svd(reduce.T)
    changes[kind] = float(np.abs(block(positive + directions[-1]) - before).max())
    print(f"{kind}: the output changes by at most {changes[kind]:.1e}")

# %%
verdict("what the first 1×1 maps to zero is invisible to the plain bottleneck, not to the residual one",
        changes["plain"] < 1e-4 and changes["residual"] > 0.1,
        f"outputs change by at most {changes['plain']:.1e} (plain, rounding) and "
        f"{changes['residual']:.2f} (residual)")

# %% [markdown] tags=["slide"]
# ## What a narrow branch cannot do
#
# The first 1×1 has a null space: some $v \neq 0$ with $F(x + v) = F(x)$.
#
# <!-- output -->
#
# <!-- notes -->
# So a plain bottleneck can never be the identity for every non-negative input. Ask: can it be trained long enough to
# become that? They will say: yes. Answer: no, there are no such weights. The shortcut carries v around the branch.

# %% [markdown] tags=["slide"]
# ## How far a block sees
#
# - A basic block: 5 × 5 pixels of its input
#
# <!-- later -->
#
# - A bottleneck: 3 × 3, for a 1×1 sees nothing new
#
# With kernels $k_i$ and strides $s_i$, a row of layers sees $1 + \sum_i (k_i - 1) \prod_{j<i} s_j$ pixels.
#
# <!-- notes -->
# Ask: how many pixels does a bottleneck see? They will say: 5 × 5, like the basic block. Answer: 3 × 3. The notebook
# on receptive fields, in notebooks/deeper, counts the paths and asks whether a whole digit is seen.

# %% [markdown]
# For such a $v$, $F(x + v) = F(x)$. The branch cannot tell $x$ from $x + v$, and no later layer can bring the
# difference back. That limits an argument of lesson 01. There, a deep plain network could copy a shallow one because
# its extra layers could be identities. A plain *bottleneck* can never be the identity, not even on non-negative inputs
# alone, whatever its weights, since the identity would have to tell $x$ from $x + v$. A residual one can, wherever $x
# \ge 0$: set its branch to zero, and the shortcut carries everything, $v$ included.
#
# A caveat: the argument is about *every* non-negative input. If the inputs that occur do not use all directions, a
# plain bottleneck may still be the identity on those.
#
# There is a second thing that a bottleneck gives up. Only its 3×3 looks at neighbours, so one output sees 3 × 3
# pixels of the block's input, where a basic block sees 5 × 5. Does a deep network of bottlenecks still see a whole
# digit? [How far a block sees](deeper/03_receptive_fields.ipynb) works it out.
#
# ## 5. Where the shape changes
#
# Networks are built in **stages**, each a run of blocks whose outputs all have the same shape. From one stage to the
# next, height and width are halved and the number of channels doubles, and there $x$ and $F(x)$ do not fit together.
# He and his colleagues compare three ways to make them fit (2016a, Section 4.1):
#
# | option | where the shape changes | elsewhere | weights |
# |---|---|---|---|
# | **A** | **padded**: one pixel of each 2 × 2, missing channels filled with zeros | identity | none |
# | **B** | **projection**: a 1×1 convolution, with stride 2 where the image halves | identity | a few |
# | **C** | projection | projection | many |
#
# Elsewhere, A and B have the **identity shortcut** of lesson 02. Option A looks crude: it keeps one pixel in four and
# fills half of the channels with zeros. But it has no weights, and that will be useful.

# %%
plots.show(*diagrams.block("bottleneck", "padded", (16, 16, 32), in_filters=16, stride=2),
           "A bottleneck that halves the image and doubles the channels. **Look at the two boxes on the shortcut:** "
           "neither has a weight. (The first 1×1 leaves 16 channels at 16, half of the 32 that leave the block.)")
narrow = np.random.default_rng(1).normal(size=(1, 14, 14, 16)).astype("float32")
carried = PaddedShortcut(32, stride=2)(narrow).numpy()
assert np.array_equal(carried[..., :16], narrow[:, ::2, ::2]) and not carried[..., 16:].any()

# %% [markdown] tags=["slide"]
# ## Where the shape changes: three options
#
# - **A**, padded: one pixel of each 2 × 2, channels of zeros. No weights.
# - **B**: a projection where the shape changes
# - **C**: a projection everywhere
#
# <!-- output: 330 -->
#
# <!-- notes -->
# Ask: what does a padded shortcut throw away? They will say: nothing, it has no parameters. Answer: three of four
# pixels. On ImageNet C was slightly better than B, and B than A; the authors call that small (2016a, Table 3).

# %% [markdown]
# What do they cost? We build the 20-layer network of this course with each option: a **stem** (the one convolution
# before all the blocks), two stages of three bottlenecks, and a dense layer.

# %%
def course_net(option):
    inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, 2, padding="same", use_bias=False, name="stem_conv")(inputs)
    x = layers.ReLU()(batch_norm("stem_norm")(x))
    for stage, width in ((1, 16), (2, 32)):
        for number in (1, 2, 3):
            changes = stage == 2 and number == 1
            shortcut = ("padded" if option == "A" else "projection") if changes else (
                "projection" if option == "C" else "identity")
            block = BottleneckBlock((width // 2, width // 2, width), shortcut,
                                    stride=2 if changes else 1, name=f"stage{stage}_block{number}")
            x = block.call(x)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


nets = {option: course_net(option) for option in "ABC"}
parameters = {option: sum(count.parameters for count in layer_counts(net)) for option, net in nets.items()}
plots.table(["option", "parameters", "multiply-adds, millions"], [
    [option, parameters[option], f"{multiply_adds(net) / 1e6:.2f}"] for option, net in nets.items()
])
for shortcut, option in (("none", "A"), ("padded", "A"), ("projection", "B")):
    assert sum(count.parameters for count in layer_counts(network(20, shortcut))) == parameters[option]

# %% [markdown]
# Option A has exactly the parameters of the plain network, which is why this course uses it: plain against
# residual is then a comparison of one addition and nothing else. Option C is expensive, because the shortcut
# joins the two *wide* ends of the block; for $r = 4$ it nearly doubles the whole block (He 2016a, Section 4.1).

# %%
wide = [multiply_adds(as_model(BottleneckBlock((64, 64, 256), shortcut), 56, 256))
        for shortcut in ("identity", "projection")]
assert 1.9 < wide[1] / wide[0] < 2

# %% [markdown]
# And which is best? On ImageNet, with 34 layers, C was slightly better than B, and B than A; the authors call the
# differences small and use B in their deep networks (2016a, Section 4.1, Table 3). With 54 projections in a row, in
# 110 layers on CIFAR-10, C was clearly *worse* than the identity (2016b, Section 3.1, Table 1). Lesson 07 tries C
# against A on MNIST.
#
# ## 6. Which convolution takes the stride?
#
# Where the image halves, one convolution of the branch must have stride 2. The paper does not say which; in the
# first implementations it was the first 1×1, and `keras.applications` does it to this day. In torchvision it is the
# 3×3, a variant known as **v1.5**. Same shapes, same number of weights. Does it matter? Let all weights be 1, so that
# the gradient of the summed outputs with respect to a pixel counts the paths that start there.
#
# **Predict.** Of 8 × 8 pixels, how many does a 1×1 with stride 2 look at?

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


PLACES = {"conv1": "stride on the first 1×1", "conv2": "stride on the 3×3 (v1.5)"}
grids = [paths(BottleneckBlock((1, 1, 1), "padded", normalisation=False, stride=2, stride_on=place), 8)
         for place in PLACES]
plots.show(*plots.number_grids(grids, list(PLACES.values())),
           "How many paths lead through the branch from each pixel of a block's input to its outputs. On the left, "
           "three quarters of the pixels have none; on the right, every pixel has at least one.")

# %% [markdown] tags=["slide"]
# ## Which convolution takes the stride?
#
# <!-- output: 430 -->
#
# <!-- notes -->
# In the first implementations it is the first 1×1, and it looks at a quarter of the positions, and so does the
# projection. Ask: so does the network ignore three quarters of the image? They will say: yes. Answer: of that block's
# input; a 3×3 before it has mixed neighbours.

# %% [markdown]
# The projection on the shortcut is a 1×1 with stride 2, too, and looks at the same quarter. So whatever stands in the
# other pixels, the block's output must be the same. There is a brutal test: replace them by noise.

# %%
images = np.random.default_rng(2).normal(size=(16, 8, 8, 16)).astype("float32")
noisy = 100 * np.random.default_rng(3).normal(size=images.shape).astype("float32")
noisy[:, ::2, ::2] = images[:, ::2, ::2]  # a quarter of the pixels stay as they were
changed = {}
for place in PLACES:
    block = BottleneckBlock((8, 8, 32), "projection", stride=2, stride_on=place)
    changed[place] = float(np.abs(block(noisy) - block(images)).max())
verdict("with the stride on the first 1×1, noise in three quarters of the block's input changes nothing; "
        "with the stride on the 3×3, it changes the output", changed["conv1"] == 0 < changed["conv2"],
        f"largest change {changed['conv1']} and {changed['conv2']:.1f}")

# %% [markdown]
# The image is not lost: 3×3 convolutions in earlier blocks have mixed each pixel with its neighbours. But whatever
# the previous block computed at those positions is thrown away. T. He and his colleagues study the move to the 3×3
# for this reason, and average over the four pixels on the shortcut as well (2019, Section 4.2). The move costs a
# little, since the first 1×1 now works on four times the pixels.
#
# ## 7. As accurate, but cheaper?
#
# The article behind this course, <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>
# ([what is known of it](00_start_here.ipynb)), says that 1×1 + 3×3 + 1×1 keeps the accuracy and reduces the
# computation. You will read sentences of this kind again and again, so get used to asking: *what was held fixed?*
#
# - At equal **width** the bottleneck is far cheaper. Is it as accurate?
# - At equal **cost** it is four times as wide. Is it more accurate?
#
# Four small residual networks let us make both comparisons. What is held fixed is the number of blocks, two in each
# of two stages, and the images and their order, seed by seed. What is not is the depth, since a bottleneck has three
# layers to the basic block's two; so the first weights differ as well. A name like 16/32 gives the widths of the two
# stages. The bottlenecks narrow by $r = 4$, as in the paper.

# %%
study = read_study("03_equal_cost")
settings = study["settings"]
cost, rows = {}, []
for name, config in settings["networks"].items():
    net = network(**config)
    cost[name] = multiply_adds(net)
    rows.append([name, weighted_layers(net), f"{cost[name] / 1e6:.2f}"])
plots.table(["network", "weighted layers", "multiply-adds, millions"], rows)
print(provenance(study))

# %% [markdown]
# (Block for block the bottleneck is a little cheaper. But the bottleneck networks have a stem four times as wide, which
# makes the smaller one a few per cent more expensive than its partner.) A recorded study tried a grid of learning rates
# on each network, with two seeds, and kept the one with the lowest training loss. Then it trained each network anew
# with eight fresh seeds. Every run had 600 updates on 12,800 images, and its rate was *annealed*, that is, lowered step
# by step to zero. The training loss here is that of the final weights, on all of those images.
#
# Besides the interval that you know from lesson 02, a verdict that compares runs seed by seed computes a **p-value**:
# how often a mean difference at least this large would turn up if there were nothing to find. A verdict such as "ends
# higher" speaks only where p is below 0.05, so it promises to cry wolf in at most one case of twenty. Each further
# comparison is another chance to be fooled. Where several are made at once, p is therefore *corrected*, that is raised,
# by a rule of Holm's (1979): of four, the smallest is multiplied by 4, the next by 3 and so on, and none may end up
# below a smaller one, so that several can come out equal. A verdict of *undecided* names the difference that it would
# probably have seen, so that you know how much can still hide.
#
# **Predict.** Rank the four networks by training loss, and by mistakes on the test images.

# %%
best, judged = {}, {}
for name in cost:
    runs = [run for run in study["results"] if run["task"]["name"] == name]
    best[name], judged[name] = at_best_rate(runs, settings["search_seeds"], settings["seeds"])
loss = {name: [run["train_loss"] for run in runs] for name, runs in judged.items()}
mistakes = {name: [run["test_mistakes"] for run in runs] for name, runs in judged.items()}
rows = {f"{name}, {cost[name] / 1e6:.2f} million": values for name, values in loss.items()}
plots.show(*plots.intervals(rows, "training loss (nats)", log=True),
           "A dot for each of eight recorded runs, a line from the lowest to the highest, and a bar at the mean. "
           "**Compare the two upper rows, then the two lower ones,** which cost nearly the same. Then compare the two "
           "in the middle, which are equally wide.")
plots.table(["network", "best rate", "training loss, mean", "test mistakes of 10,000, mean"],
            [[name, f"{best[name]:g}", f"{np.mean(loss[name]):.3f}",
              f"{np.mean(mistakes[name]):.0f}"] for name in judged])

# %% [markdown] tags=["slide"]
# ## As accurate, but cheaper?
#
# <!-- output: 470 -->
#
# <!-- notes -->
# Two pairs have equal cost, and one pair equal width. Ask: which is ahead at equal cost? They will say: the bottleneck,
# that is what it was made for. Answer: eight seeds cannot tell the training losses apart.

# %%
narrow, wide = "bottleneck 16/32", "basic 16/32"
assert cost[narrow] < cost[wide] / 10
for what, values, unit in (("has a higher training loss", loss, "nats"),
                           ("misreads more test images", mistakes, "images")):
    verdict_above(f"at equal width, and at less than a tenth of the cost, the bottleneck network {what}, in "
                  "every pair of runs", above=values[narrow], below=values[wide], ratio=1.5, unit=unit,
                  recorded=True)
family = {(what, basic): (values[bottleneck], values[basic])
          for what, values in (("training loss", loss), ("test mistakes", mistakes))
          for basic, bottleneck in settings["compared"]}
differences = paired({f"{what} {basic}": pair for (what, basic), pair in family.items()})
plots.table(["at equal cost, bottleneck minus basic", "mean of 8 pairs", "95 % interval", "corrected p"], [
    [f"{what}, {'smaller' if basic == 'basic 4/8' else 'larger'} pair", f"{found.mean:.3g}",
     f"{found.low:.3g} to {found.high:.3g}", f"{found.p:.2g}"]
    for (what, basic), found in zip(family, differences.values(), strict=True)
])
for what, unit, claim in (("test mistakes", "images", "the bottleneck network misreads more test images"),
                          ("training loss", "nats", "the bottleneck network ends with a higher training loss")):
    verdict_paired(f"at equal cost, in the larger pair, {claim}", differences[f"{what} basic 16/32"], unit,
                   recorded=True)

# %% [markdown] tags=["slide"]
# ## What was held fixed?
#
# - equal **width**: less than a tenth of the cost, several times the training loss, and at least half as many
#   mistakes again
# - equal **cost**: training losses that eight seeds cannot tell apart; a few more test mistakes for the bottleneck, in
#   the larger pair
#
# On ImageNet, ResNet-50 beat ResNet-34 at nearly equal cost.
#
# <!-- notes -->
# Ask: does that contradict the paper? They will say: yes. Answer: no, it is another experiment: another task, much
# smaller networks, other training. What the bottleneck offers is a trade; whether it pays depends on the task.

# %% [markdown]
# So at equal width the bottleneck makes do with less than a tenth of the arithmetic, and it pays for that in accuracy.
# Equal width is what the article must have in mind, because at equal cost there is nothing to save. In our experiment,
# then, its sentence is wrong: the computation fell, and the accuracy fell with it. At equal cost we found no gain
# either: the training losses differ by less than eight seeds can resolve, and in the larger pair the bottleneck
# misreads a few more test images (in the smaller pair that is undecided). That is so over the seeds; all runs share the
# same 10,000 test images, and other images might have been kinder to it.
#
# That does not contradict the paper, because it is another experiment. On ImageNet, with 1,000 classes and up to
# 600,000 updates, ResNet-50 beat ResNet-34 at nearly the same cost (2016a, errors in Table 3, cost in Table 1), with
# sixteen more layers. [The networks of 2015](deeper/03_imagenet_networks.ipynb) does the counting. What the bottleneck
# offers is a trade, more channels and more depth for the same arithmetic, and whether that pays depends on the task.
# This course uses it because ResNet-50 and its deeper relatives do. Its networks have few channels, so they narrow by
# $r = 2$; only the comparison above took the paper's $r = 4$.
#
# ## Summary
#
# - A 1×1 convolution is a dense layer at every pixel, and changes the number of channels at a ninth of the cost of
#   a 3×3.
# - A bottleneck reduces, works and restores: $(2/r + 9/r^2)\,C^2$ multiply-adds per pixel against $18\,C^2$. With
#   $r = 4$ it is four times as wide at the same cost.
# - A plain bottleneck cannot be the identity for *every* non-negative input. In a residual one, the shortcut carries
#   around what the branch cannot see.
# - Option A (padded) has no weights, B projects where the shape changes, C everywhere.
# - With the stride on the first 1×1, three quarters of the pixels of *that block's input* are never looked at.
# - "As accurate, but cheaper" must say what is held fixed. Here, at equal width the cheaper network is far behind. At
#   equal cost the larger bottleneck network misreads slightly more test images, and which of the two ends with the
#   lower training loss stays open.
#
# Everything is in place now: a residual block, a form of it that is affordable, and a shortcut that fits
# everywhere. Only the race is missing, and lesson [04](04_plain_vs_residual.ipynb) runs it.
#
# ## Quiz
#
# Five questions. Each option says why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("03")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - Reduce, work, restore: about 17 times cheaper with $r = 4$, or four times as wide at the same cost.
# - Multiply-adds are a measure of arithmetic, and only a rough guide to seconds.
# - A plain bottleneck cannot be the identity for every non-negative input; a residual one can.
# - "As accurate, but cheaper": **what was held fixed?**
#
# **Exercises:** lesson 03; the last one is for a discussion.
#
# <!-- notes -->
# Ask: a report says, as accurate with a tenth of the computation. What do you ask first? They will say: on which
# machine. Answer: what was held fixed, and is a usual network of that cost any worse?

# %% [markdown]
# <!-- quiz: 03 -->
#
# ## Exercises
#
# Reading is only half the work. In the [exercises for lesson 03](exercises/03_bottleneck_block.ipynb) you build,
# mend, predict and run, with checks that answer at once and hints to open if you need them; one exercise is there to discuss.
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). Projection: Section 3.2, Equation 2. Training:
#   Section 3.4. Networks: Table 1. Options A, B, C and the bottleneck: Section 4.1, Table 3, Figure 5.
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
# - S. Holm 1979: *A Simple Sequentially Rejective Multiple Test Procedure*. Scandinavian Journal of
#   Statistics 6(2).
# - torchvision's [ResNet](https://docs.pytorch.org/vision/stable/models/resnet.html), on v1.5.
# - Y. LeCun, C. Cortes, C. J. C. Burges: *The MNIST database of handwritten digits*. CC BY-SA 3.0.
