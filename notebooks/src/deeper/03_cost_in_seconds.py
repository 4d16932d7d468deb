# %% [markdown]
# # 03 · Deeper: what it costs in seconds
#
# Lesson 03 counted a bottleneck with $r = 4$ to be seventeen times cheaper than a basic block of the same width. You
# believe the count, replace every block of a network, and time it. The result will disappoint you, so it is good to
# know why before you blame your code. A count of multiply-adds is a fact about
# arithmetic, but arithmetic is not the only thing that a computer does.
#
# **Objectives.** After this notebook you can
#
# 1. time two blocks side by side, and say what may be concluded from it;
# 2. count the work that does not shrink with the convolutions;
# 3. say how much a layer does with each number that it moves, and why that matters.
#
# **Prerequisites.** Lesson [03](../03_bottleneck_block.ipynb), sections 1 to 3.
#
# **Reading time:** 6 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import keras
import numpy as np
import tensorflow as tf
from keras import layers

from resnet_lesson import plots
from resnet_lesson.blocks import BasicBlock, BottleneckBlock, batch_norm
from resnet_lesson.diagnostics import layer_counts, median_seconds
from resnet_lesson.verdicts import verdict

keras.utils.set_random_seed(0)  # each run from the top draws the same first weights
generator = np.random.default_rng(0)


def as_model(block, channels, pixels=14):
    inputs = keras.Input((pixels, pixels, channels))
    return keras.Model(inputs, block.call(inputs))


def multiply_adds(model, kinds=("Conv2D",)):
    return sum(count.multiply_adds for count in layer_counts(model) if count.kind in kinds)

# %% [markdown]
# ## 1. The clock
#
# A training step runs forwards and backwards. We time one block of each kind on eight images, taking turns, and report
# the median. The times depend on your machine, so no verdict judges them.
#
# **Predict.** The multiply-adds fall to a seventeenth. To what does the time fall, with 16 channels and with 256?

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


rows = []
for C in (16, 64, 256):
    batch = tf.constant(generator.normal(size=(8, 14, 14, C)), tf.float32)
    models = {"basic": as_model(BasicBlock(C), C), "bottleneck": as_model(BottleneckBlock(C), C)}  # r = 4
    seconds = median_seconds({name: training_step(model, batch) for name, model in models.items()})
    basic, bottleneck = (1000 * span for span in seconds.values())
    work = [multiply_adds(model) for model in models.values()]
    rows.append([C, f"{basic:.1f}", f"{bottleneck:.1f}", f"{work[0] / work[1]:.1f}", f"{basic / bottleneck:.1f}"])
plots.table(["channels C", "basic, ms a step", "bottleneck, ms a step", "ratio of multiply-adds",
             "speed-up"], rows)

# %% [markdown]
# Compare the last two columns. On the machine that built this page, even 256 channels stayed far below the promised
# speed-up, and with 16 the bottleneck gained little or nothing. Where does the rest go? There are three likely answers.
# Two can be counted, and the third must be guessed from the times.
#
# ## 2. What does not shrink
#
# Normalisation and addition touch every number of a tensor, however cheap the convolutions are, and the block's
# outer tensor is as wide as before. (ReLUs, which multiply nothing, are left out of the count.)
#
# **Predict.** By what factor does this element-wise work fall, from the basic block to the bottleneck?

# %%
two, three = models["basic"], models["bottleneck"]  # the last ones, C = 256
rest = [multiply_adds(model, ("BatchNormalization", "Add")) for model in (two, three)]
# By hand, a pixel: two norms and an addition on C; or norms on C/4, C/4 and C, and an addition on C.
assert rest == [14 * 14 * 3 * C, 14 * 14 * (C // 4 + C // 4 + C + C)]
convolutions = multiply_adds(two) / multiply_adds(three)
verdict("the work of the convolutions falls by a factor of more than ten, that of normalisation and addition by "
        "less than one and a half",
        convolutions > 10 and rest[0] / rest[1] < 1.5,
        f"{convolutions:.1f} times and {rest[0] / rest[1]:.2f} times")

# %% [markdown]
# ## 3. How much is done with each number
#
# In multiply-adds, normalisation and addition are next to nothing. But each of their numbers must be fetched and
# written back, and fetching is slow. With the same channels in and out, a 3×3 uses each input up to nine times as
# often as a 1×1. A layer that does little with each number is limited by memory, one that does a lot by arithmetic;
# where one becomes the other depends on the machine. This is the **roofline model** (Williams, Waterman and Patterson
# 2009). So we count, layer by layer, the multiply-adds and the numbers moved, each once: input, output and weights.

# %%
PARTS = {"3×3, 64 → 64": (64, layers.Conv2D(64, 3, padding="same", use_bias=False)),
         "1×1, 64 → 16": (64, layers.Conv2D(16, 1, use_bias=False)),
         "3×3, 16 → 16": (16, layers.Conv2D(16, 3, padding="same", use_bias=False)),
         "1×1, 16 → 64": (16, layers.Conv2D(64, 1, use_bias=False)),
         "batch norm, 64": (64, batch_norm(None))}


def forward_pass(model, images):
    """Return a function that runs the model forwards once."""
    run = tf.function(lambda: model(images, training=True), autograph=False).get_concrete_function()
    return lambda: run().numpy()


calls, work, use = {}, {}, {}
for name, (channels, layer) in PARTS.items():
    images = tf.constant(generator.normal(size=(32, 14, 14, channels)), tf.float32)
    model = keras.Sequential([keras.Input(images.shape[1:]), layer])
    calls[name] = forward_pass(model, images)
    (count,) = layer_counts(model)
    work[name] = 32 * count.multiply_adds
    use[name] = work[name] / (count.parameters + np.size(images) + 32 * np.prod(count.output_shape))

# %%
seconds = median_seconds(calls, repeats=15)
plots.table(["layer", "multiply-adds, millions", "per number moved", "ms", "billions a second"], [
    [name, f"{work[name] / 1e6:.1f}", f"{use[name]:.1f}", f"{1000 * seconds[name]:.2f}",
     f"{work[name] / seconds[name] / 1e9:.2f}"] for name in PARTS
])
basic, bottleneck = use["3×3, 64 → 64"], [use["1×1, 64 → 16"], use["1×1, 16 → 64"]]
verdict("the basic block's 3×3 does at least ten times as much with each number as the bottleneck's 1×1s",
        basic >= 10 * max(bottleneck), f"{basic:.0f} multiply-adds a number, against at most {max(bottleneck):.0f}")

# %% [markdown]
# Compare the third column with the last: the less a layer does with each number it moves, the fewer multiply-adds it
# gets through in a second. Ma and colleagues turned such observations into rules for fast networks (2018, Section 2).
#
# The third answer is the plainest one, and this table cannot tell it from memory: starting a layer takes a fixed time,
# however little it computes. Look at the milliseconds of the small layers, which are alike although their work is
# not. A bottleneck has more layers than a basic block, and with few channels that may well be most of the bill.
#
# ## Summary
#
# - Multiply-adds are a fair measure of arithmetic and only a rough guide to seconds.
# - Normalisation and addition hardly shrink, a 1×1 does little with each number it fetches, and every layer has a
#   fixed cost.
# - So "a tenth of the computation" and "a tenth of the time" are two different claims. Ask which one is meant.
#
# Back to lesson [03](../03_bottleneck_block.ipynb).
#
# ## References
#
# - S. Williams, A. Waterman, D. Patterson 2009: *Roofline: An Insightful Visual Performance Model for Multicore
#   Architectures*. Communications of the ACM 52(4).
#   [doi:10.1145/1498765.1498785](https://doi.org/10.1145/1498765.1498785).
# - N. Ma, X. Zhang, H.-T. Zheng, J. Sun 2018: *ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture
#   Design*. ECCV. [arXiv:1807.11164](https://arxiv.org/abs/1807.11164), Section 2.
