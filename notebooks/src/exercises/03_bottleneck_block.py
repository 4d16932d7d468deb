# %% [markdown]
# # Exercises for lesson 03: the bottleneck block
#
# They go with lesson [03](../03_bottleneck_block.ipynb). Write each answer in place of the `...`, run the cell, then
# the one below it: it checks the answer at once and says what is wrong. The hints unfold. You can run all cells at any
# time; an exercise that you have not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import keras
from keras import layers

from resnet_lesson import checks
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network
from resnet_lesson.training import Trainer

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=6400, val=0, test=2000)

# %% [markdown]
# ## Exercise 1: find the mistake
#
# **medium, 20 minutes**
#
# The networks of a colleague learn their training images well. As soon as they are evaluated, they are nearly as bad as
# guessing. Here is her block. One thing in it is wrong. Find it by reading, or by counting, before you ask the check.

# %%
def broken(channels):
    """A basic block, two 3×3 convolutions, with one mistake."""
    inputs = keras.Input((None, None, channels))
    norm = layers.BatchNormalization(momentum=0.9)
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(inputs)
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(layers.ReLU()(norm(x)))
    added = layers.Add()([norm(x), inputs])
    return keras.Model(inputs, layers.ReLU()(added))


block = broken(6)
print("trainable numbers:", sum(int(keras.ops.size(w)) for w in block.trainable_variables))

# %%
def repaired(channels):
    """Return the block without its mistake."""
    inputs = keras.Input((None, None, channels))
    # ANSWER
    first, second = (layers.BatchNormalization(momentum=0.9) for _ in range(2))
    y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(inputs)
    y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(layers.ReLU()(first(y)))
    y = layers.Add()([second(y), inputs])
    return keras.Model(inputs, layers.ReLU()(y))
    # END


# %%
checks.repaired_block(repaired)

# %% [markdown]
# Four blocks of either kind, trained for two passes over 6,400 digits; it takes about fifteen seconds.

# %%
def of_blocks(block, channels=8):
    """Put a small network together from such blocks."""
    inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(channels, 3, 2, padding="same", activation="relu")(inputs)
    for _ in range(4):
        x = block(channels)(x)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


for name, block in {"broken": broken, "repaired": repaired}.items():
    if repaired(6) is None:
        continue
    keras.utils.set_random_seed(0)
    model = of_blocks(block)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    learnt = model.fit(mnist.train.images, mnist.train.labels, batch_size=64, epochs=2, verbose=0).history
    _, tested = model.evaluate(mnist.test.images, mnist.test.labels, batch_size=500, verbose=0)
    print(f"{name}: accuracy in training {learnt['accuracy'][-1]:.0%}, in evaluation {tested:.0%}")

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The two kernels have $2 \cdot 9 \cdot 6 \cdot 6 = 648$ weights. How many numbers are left for the normalisations? How many
# should it be, with a $\gamma$ and a $\beta$ for each channel?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# What does a normalisation do differently in evaluation from what it does in training?
#
# </details>

# %% [markdown] tags=["solution"]
# One normalisation serves two convolutions. In training each call uses its own batch's mean and variance, so each is
# normalised correctly. But $\gamma$ and $\beta$ are shared, and the moving averages mix the statistics of two layers.
# Evaluation uses them, and they fit neither.

# %% [markdown]
# ## Exercise 2: where the shape changes
#
# **medium, 20 minutes**
#
# Build the bottleneck that opens a stage: the number of channels changes, and the image may shrink. The shortcut is a
# projection with a normalisation. The stride sits in the first 1×1 or in the 3×3, as you like; the padding is "same". Any style will do: a model
# of Keras layers, a subclass, or a `tf.Module` with `trainable_variables`. What you return is called as `block(x,
# training=…)`.

# %%
def changing_block(channels, filters, stride):
    """Return the block from `channels` to `filters[2]` channels, with a projection as shortcut.

    filters: the widths of the three convolutions.
    """
    inputs = keras.Input((None, None, channels))  # for a model of layers
    # ANSWER

    def conv_norm(x, width, size, step=1):
        x = layers.Conv2D(width, size, step, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    x = layers.ReLU()(conv_norm(inputs, filters[0], 1, stride))
    x = layers.ReLU()(conv_norm(x, filters[1], 3))
    x = conv_norm(x, filters[2], 1)
    projected = conv_norm(inputs, filters[2], 1, stride)
    return keras.Model(inputs, layers.ReLU()(layers.Add()([x, projected])))
    # END


# %%
checks.changing_block(changing_block)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The article behind this course (lesson [06](../06_reading_the_article.ipynb) reads it) once took the third convolution for
# the shortcut as well. A layer object that is used twice has one set of weights.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The addition wants two arrays of one shape. Which two things does the branch change, and who has to follow?
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The check says that nothing is normalised in training? A subclass whose `call` hands `training=False` to its
# normalisations does not tell the two modes apart.
#
# </details>

# %% [markdown]
# ## Exercise 3: the other way round
#
# **medium, 20 minutes**
#
# Two years after the bottleneck's paper was published came a block that turns it inside out. It is *narrow* at both
# ends and *wide* in the middle (Sandler and others 2018, MobileNetV2). A 1×1 expands $c$ channels to $c \cdot t$; a 3×3
# works on each of these channels by itself (a *depthwise* convolution); a 1×1 leads back to $c$; then comes the
# addition. Each convolution is followed by a normalisation, and the first two by a ReLU as well. The narrow ends keep
# all of their numbers: there is no ReLU there, not even after the addition. Build it.

# %%
def expanding_block(channels, expansion):
    """Return the block for inputs of shape (batch, height, width, channels)."""
    inputs = keras.Input((None, None, channels))
    # ANSWER
    wide = channels * expansion
    x = layers.Conv2D(wide, 1, use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.Conv2D(channels, 1, use_bias=False)(x))
    return keras.Model(inputs, layers.Add()([x, inputs]))
    # END


# %%
checks.expanding_block(expanding_block)

# %% [markdown]
# Predict, then count: with 32 channels at the ends and $t = 4$, does it have more weights than a basic block of 32
# channels, or fewer? And than a bottleneck from 128 channels through 32 back to 128?

# %%
if expanding_block(32, 4) is not None:
    kernels = [w for w in expanding_block(32, 4).trainable_variables if len(w.shape) == 4]
    print("expanding block:", sum(int(keras.ops.size(w)) for w in kernels), "weights in its kernels")
    print("basic block, 32 channels:", 2 * 9 * 32 * 32)
    print("bottleneck, 128 to 32 to 128 channels:", 128 * 32 + 9 * 32 * 32 + 32 * 128)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Keras has a layer for convolutions that treat each channel by itself. Look for it in `keras.layers`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A convolution that treats each of $n$ channels by itself has a kernel of $3 \times 3 \times n$ numbers. What shapes do your
# kernels have?
#
# </details>

# %% [markdown] tags=["solution"]
# About half of either. The expensive part of the others is a 3×3 that mixes all channels with all; here the 1×1s do the
# mixing, and the 3×3 has nine weights for each channel.

# %% [markdown]
# ## Exercise 4: few wide blocks or many narrow ones?
#
# **medium, 15 minutes**
#
# Two networks cost nearly the same, about a million multiply-adds for an image. One has 2 bottlenecks that do not narrow at all
# ($r = 1$, 8 layers), the other has 6 that narrow by half ($r = 2$, 20 layers). Both get 150 updates at a rate of 0.02. Is the
# training loss of the *few wide* ones lower than that of the *many narrow* ones, higher, or is there no clear difference, because
# the runs overlap? Write down your prediction and a reason *before* you run it. It takes about fifteen seconds.

# %%
# STUB: prediction = None  # "lower", "higher" or "no clear difference"
# ANSWER
prediction = "higher"  # a wrong guess, and a common one
# END

# %%
def final_losses(depth, reduction):
    """Return the mean loss of the last 50 updates, one number a seed."""
    trainer = Trainer(network(depth, reduction=reduction), learning_rate=0.02)
    return [trainer.run(mnist, seed, updates=150).final_loss(50) for seed in (0, 1, 2)]


wide, narrow = [], []
if prediction is None:
    print("Predict first.")
else:
    wide, narrow = final_losses(8, reduction=1), final_losses(20, reduction=2)
    print("few wide blocks:   ", ", ".join(f"{loss:.2f}" for loss in wide))
    print("many narrow blocks:", ", ".join(f"{loss:.2f}" for loss in narrow))

# %%
checks.waist_prediction((prediction, wide, narrow))

# %% [markdown]
# A wrong prediction is no mistake. Is a difference that three seeds do not show a difference that is not there? What would
# you do to find out, and would you vary the rate?

# %% [markdown] tags=["solution"]
# The runs overlap. Three seeds show only large differences, so this is *undecided*, and not *equal*. To find out,
# search the rate for each, as section 7 does, and take more seeds; at a lower rate, the deeper one learns faster
# here. All that you can say yet is that, at this rate, neither is far behind.

# %% [markdown]
# ## Exercise 5: which block for a phone?
#
# **medium, 15 minutes**
#
# You choose a block for a network that must run on a phone, fast, at a given accuracy. A colleague says:
# "Bottlenecks, they have the fewest multiply-adds." Which two things would you measure before you
# agree, and what would you hold fixed? There is no check: discuss it, or compare with the model
# answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.** First the time of one image on *that* phone: multiply-adds are a hint only, since
# 1×1 convolutions do little with each number that they move, and each layer has a fixed cost
# ([what it costs in seconds](../deeper/03_cost_in_seconds.ipynb)). Second the accuracy, at equal *time*, not at
# equal width: at equal width the bottleneck is cheaper, and in section 7 it was less accurate. Hold fixed: data,
# number of updates, the effort spent on the learning rate of each network; use several seeds. Memory may count as well: the outer
# tensors of a bottleneck are wide.
#
# **A good answer** measures time where the network will run, and not only its arithmetic; it says at equal *what* the
# blocks are compared; and it gives each the same search for its rate.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("03")
