# %% [markdown]
# # 02 · Residual learning
#
# **Question.** What if we give the identity to a block, and let it learn only the difference,
# F(x) = H(x) − x?
#
# **Objectives.** After this lesson you can
#
# 1. say for which functions the residual is easier to learn, and for which it is not;
# 2. write down the equation of a residual block and its gradient, and check the gradient three ways;
# 3. unroll a row of blocks into a sum, and say what the last ReLU does to that sum;
# 4. predict the gradient of scaled shortcuts, and say when the prediction fails;
# 5. insert a block into a trained network without changing its output.
#
# **Prerequisites.** Lesson [00](00_start_here.ipynb): convolution, ReLU, logit, gradient, tape, Adam,
# batch normalisation. Lesson [01](01_degradation.ipynb): depth, plain network, identity mapping,
# degradation, vanishing gradient.
#
# **Reading time:** 35 minutes. **Computing time:** 2 minutes on two cores, without a GPU.

# %% [markdown] tags=["slide"]
# # 02 · Residual learning
#
# What if we give the identity to a block, and let it learn only the difference?
#
# $$F(x) = H(x) - x$$
#
# <!-- notes -->
# Lesson 01 ended with a riddle: weights that make the extra layers harmless exist, but training, in
# the time it had, did not find them. Ask: what would you change, the training or the network?
# Expected: the training. Today it is the network.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

from resnet_lesson import diagrams, plots, widgets
from resnet_lesson.blocks import BasicBlock, DenseBlock
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import (
    layer_counts,
    median_seconds,
)
from resnet_lesson.models import network, reset_weights, segments, with_outputs
from resnet_lesson.training import Trainer, evaluate
from resnet_lesson.verdicts import (
    paired,
    verdict,
    verdict_above,
    verdict_equal,
    verdict_paired,
)

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## 1. The residual
#
# Lesson 01 ended with a riddle. The extra layers of a deep plain network would do no harm if they
# were identity mappings. Such weights exist, yet training did not find them in the time it had.
#
# The idea of He, Zhang, Ren and Sun (2016a, Section 3.1) is to give the identity to the network.
# Take a few layers in a row that should compute some function $H(x)$. Let them compute another
# function $F(x)$ instead, and add $x$ to it:
#
# $$F(x) + x = H(x), \qquad\text{so}\qquad F(x) = H(x) - x.$$
#
# - $F$ is called the **branch**: the layers that learn.
# - The way of $x$ around the branch is the **shortcut**.
# - $H(x) - x$ is the **residual**: what is left to learn when $x$ is given.
# - Branch, shortcut and addition make a **residual block**. Without the shortcut it is a **plain
#   block**.
#
# The figure shows both kinds with two 3×3 convolutions. He and his colleagues use it in their
# smaller networks (Figure 5, left). Here we call it the **basic block**.

# %%
plots.show(*diagrams.compare_blocks("basic", filters=(16, 16), in_filters=16, normalisation=False))

# %% [markdown] tags=["slide"]
# ## One addition apart
#
# <!-- output -->
#
# <!-- notes -->
# Both blocks have the same layers and the same weights. Ask: which weights make the residual block
# pass on its input? Expected: zeros in the branch. And the plain block? Something like the identity
# in each layer, which nobody starts from.

# %% [markdown]
# $H$ is what arrives before the last ReLU. The two blocks have the same layers and the same weights.
# They differ by one addition.
#
# If the best that the block can do is nothing, $H(x) = x$, then the branch only has to give zero.
#
# ## 2. Is the difference easier to learn?
#
# The paper says for which functions it should be: if the best $H$ is *closer to the identity than to
# zero*, it should be easier to learn the difference from $x$ than to learn $H$ anew. That is a
# hypothesis. We test it with one small branch, two dense layers with a ReLU between them. The input
# has 16 numbers and is never negative, as if it came out of a ReLU.
#
# The target is
#
# $$H(x) = c\,x + 0.1 \tanh(R\,x),$$
#
# with a random matrix $R$: $c$ times the input, and a small wiggle ($\tanh$ bends any number into
# the range from −1 to 1). With $c = 1$, $H$ is close to the identity. With $c = 0$, it is close to
# zero.
#
# A model with a shortcut and a model without it have **the same branch** and **the same first
# weights**.

# %%
WIDTH = 16


def toy(shortcut):
    """Return a model: a branch of two dense layers, with or without a shortcut."""
    x = keras.Input((WIDTH,))
    branch = DenseBlock(WIDTH, normalisation=False, name="toy").branch(x)
    return keras.Model(x, keras.layers.add([branch, x]) if shortcut else branch)


def toy_data(seed):
    """Return 512 inputs and their wiggles."""
    generator = np.random.default_rng([seed, 7])
    x = np.maximum(generator.normal(size=(512, WIDTH)), 0).astype("float32")
    mixing = generator.normal(size=(WIDTH, WIDTH)) / np.sqrt(WIDTH)
    return x, np.float32(0.1 * np.tanh(x @ mixing))

# %% [markdown]
# The training loop minimises the mean squared error with Adam. Each run has 100 updates on the same
# 512 inputs.

# %%
def learner(model):
    """Return a function that trains the model from a seed's first weights."""
    adam, variables = keras.optimizers.Adam(), model.trainable_variables
    adam.build(variables)
    fresh = [variable.numpy() for variable in adam.variables]

    @tf.function(autograph=False)
    def step(x, target):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - target) ** 2)
        adam.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss

    def learn(x, target, seed, rate, updates=100):
        reset_weights(model, seed)
        for variable, value in zip(adam.variables, fresh):
            variable.assign(value)
        adam.learning_rate = rate
        x, target = tf.constant(x), tf.constant(target)
        return [float(step(x, target)) for _ in range(updates)]

    return learn

# %%
learn = {"plain": learner(toy(False)), "residual": learner(toy(True))}
TOY_SEEDS, RATES = range(5), (0.003, 0.01, 0.03)


def at_best_rate(form, target):
    """Return the final loss of each seed, at the learning rate whose mean loss is lowest."""
    runs = []
    for rate in RATES:
        data = [(seed, *toy_data(seed)) for seed in TOY_SEEDS]
        losses = [learn[form](x, target(x, wiggle), seed, rate) for seed, x, wiggle in data]
        runs.append([np.mean(loss[-10:]) for loss in losses])
    return min(runs, key=np.mean)

# %% [markdown] tags=["slide"]
# ## Is the difference easier to learn?
#
# A toy: one small branch, with and without a shortcut, from the same first weights.
#
# $$H(x) = c\,x + 0.1 \tanh(R\,x)$$
#
# **Predict:** $c$ goes from 0 to 1. Where do the two lines of the final loss cross?
#
# <!-- notes -->
# c = 0 is near zero, c = 1 near the identity. Let everybody sketch both lines. Expected: the
# residual form is below everywhere, or they cross far on the left.

# %% [markdown]
# As in lesson 01, each form gets the best of several learning rates, for each target anew.
#
# **Predict.** The target moves from $c = 0$ to $c = 1$. How does the final loss of each form change?
# Where do the two lines cross?

# %%
CS = (0, 0.25, 0.5, 0.75, 1)
toy_loss = {form: [at_best_rate(form, lambda x, wiggle, c=c: c * x + wiggle) for c in CS]
            for form in learn}
series = {form: np.transpose(losses) for form, losses in toy_loss.items()}
plots.show(*plots.curves(CS, series, "c in H(x) = c x + wiggle", "loss after 100 updates", log=True,
                         title="From a target near zero to one near the identity"))

# %% [markdown] tags=["slide"]
# ## Whoever starts nearer to the target wins
#
# <!-- output -->
#
# <!-- notes -->
# They are mirror images and meet in the middle. Ask why. Expected: chance. The branch has c x to
# learn in one form and (c − 1) x in the other: at one half both have equally far to go.

# %%
plain, residual = toy_loss["plain"], toy_loss["residual"]
verdict_above("near the identity (c = 1), learning H costs a several times higher loss than "
              "learning H − x", plain[-1], residual[-1], ratio=4)
verdict_above("near zero (c = 0), it is the other way round", residual[0], plain[0], ratio=4)
halfway = paired({"c = ½": (residual[2], plain[2])})["c = ½"]
verdict_equal("halfway (c = ½), both forms end with the same loss, seed by seed", halfway, margin=0.02)

# %% [markdown]
# The two lines are mirror images of each other, and they meet in the middle. For a reason: the
# residual branch has to learn $F(x) = H(x) - x = (c - 1)\,x + \text{wiggle}$. At $c = \tfrac12$ the
# sizes of $c$ and $c - 1$ are equal. Halfway between zero and the identity, both have equally far to
# go.
#
# ### In one block on its own, nothing else happens
#
# Training one residual block on $H$ is the same as training one plain block on $H - x$.
#
# **Predict.** Train one form on $H$ and the other on $H - x$. How far apart are the 100 losses?

# %%
apart = []
for seed in TOY_SEEDS:
    x, wiggle = toy_data(seed)
    with_shortcut = learn["residual"](x, x + wiggle, seed, rate=0.01)
    on_difference = learn["plain"](x, wiggle, seed, rate=0.01)
    apart += [abs(a / b - 1) for a, b in zip(with_shortcut, on_difference)]
verdict("in one block, learning H with a shortcut matches learning H − x without one", max(apart) < 1e-3,
        f"largest relative difference {max(apart):.1e}, over {len(apart)} updates")

# %% [markdown] tags=["slide"]
# ## In one block, the shortcut only moves the target
#
# <!-- output -->
#
# No magic: inside a network nobody knows $H$, so the shortcut subtracts $x$ for us.
#
# <!-- notes -->
# Ask: then why not subtract x ourselves? Expected: we could. In the toy we can; in the middle of a
# network there is no target to subtract it from. In a row of blocks something is added: the gradient
# changes as well.

# %% [markdown]
# So in one block on its own the shortcut is no magic. It only moves the target. In the toy we could have
# subtracted $x$ ourselves. Inside a network we cannot, since nobody knows the $H$ of a block there. The
# shortcut moves the target anyway. And where many blocks stand in a row, it does something more: it
# changes the gradient that reaches the first of them, as section 5 shows.
#
# ### Far from the identity
#
# **Predict.** Now $H$ turns every sign, $H(x) = -x + \text{wiggle}$, or it turns $x$ into another
# direction by a random rotation. Is the residual form still better?

# %%
def rotated(x, wiggle):
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, WIDTH)))[0]
    return np.float32(x @ rotation) + wiggle


TARGETS = {"−x": lambda x, wiggle: wiggle - x, "x, rotated": rotated}
far = {name: {form: at_best_rate(form, target) for form in learn}
       for name, target in TARGETS.items()}
plots.table(["H near", "form", "loss with each seed"], [
    [name, form, ", ".join(f"{loss:.3f}" for loss in losses)]
    for name, forms in far.items() for form, losses in forms.items()
])

# %%
differences = paired({name: (forms["residual"], forms["plain"]) for name, forms in far.items()})
for name, difference in differences.items():
    verdict_paired(f"near {name}, the residual form ends with a higher loss than the plain one",
                   difference)

# %% [markdown] tags=["slide"]
# ## A shortcut is a bet
#
# that what a block should do is close to doing nothing.
#
# <!-- output -->
#
# <!-- notes -->
# Targets far from both: −x, and a rotation. Ask: which form is ahead? Expected: the plain one,
# since these lie nearer to zero. The verdict compares the forms seed by seed, and finds that five seeds
# do not decide it. It also says how large a difference would probably have been seen.

# %% [markdown]
# Both functions lie closer to zero than to the identity, so one would expect the plain form to be
# ahead. Five seeds do not decide it, and the verdict says how large a difference they would probably have
# shown: a smaller one may be there. A shortcut is a bet: that what a block should do is
# close to doing nothing. Where that holds, it pays. In a deep network, many blocks share the work,
# and each may have little to do. Whether the bet pays there is tested in lesson 04, on MNIST.
#
# ## 3. A branch of zero is the identity
#
# The article behind this course, <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>
# ([what is known of it](00_start_here.ipynb)), says: if $F(x) = 0$, the block is the identity mapping. Its blocks end in a ReLU, though. What is true?
#
# $$\mathrm{ReLU}(0 + x) = \mathrm{ReLU}(x) = x \quad\text{where } x \ge 0.$$
#
# The package's blocks can start with a **zero-initialised branch** (`zero_init=True`). Without batch
# normalisation, the last weights are zero. With it, the last scale $\gamma$ is zero (Goyal 2017,
# Section 5.1).
#
# **Predict.** Does batch normalisation disturb the identity, in training or afterwards? And what
# does a *plain* block give whose branch is zero?

# %%
generator = np.random.default_rng(0)
signed = generator.normal(size=(8, 14, 14, 16)).astype("float32")
rectified = np.maximum(signed, 0)  # never negative, as after a ReLU

rows, exact = [], []
for kind, shape in ((BasicBlock, (8, 14, 14, 16)), (DenseBlock, (-1, 16))):
    for shortcut in ("identity", "none"):
        for normalisation in (False, True):
            block = kind(16, shortcut, normalisation, zero_init=True)
            off = []  # the largest distance from ReLU(x), for x ≥ 0 and for any x
            for x in (rectified.reshape(shape), signed.reshape(shape)):
                relu = np.maximum(x, 0)
                both = [block(x, training=training).numpy() for training in (False, True)]
                want = relu if shortcut == "identity" else 0 * relu
                exact += [np.array_equal(y, want) for y in both]
                off.append(max(np.abs(y - relu).max() for y in both))
            norm = "batch norm" if normalisation else "none"
            rows.append([kind.__name__, shortcut, norm, *(f"{value:g}" for value in off)])

# %%
plots.table(["block", "shortcut", "normalisation", "largest |y − x|, x ≥ 0",
             "largest |y − ReLU(x)|, any x"], rows)
verdict("a zero branch makes a residual block ReLU(x), to the last bit, and a plain block 0",
        all(exact), f"{len(exact)} cases, {sum(exact)} exact")

# %% [markdown] tags=["slide"]
# ## A branch of zero is the identity: where $x \ge 0$
#
# $$\mathrm{ReLU}(0 + x) = \mathrm{ReLU}(x) = x \quad\text{where } x \ge 0$$
#
# <!-- output -->
#
# <!-- notes -->
# Ask: input (−2, 3), branch zero, a ReLU at the end. What comes out? Expected: (−2, 3). It is (0,
# 3). A plain block with a zero branch gives nothing at all.

# %% [markdown]
# So the article's sentence is exact wherever the input has passed a ReLU, as in the block that its
# text describes. For a *plain* block, zero is the worst branch there is: nothing gets through.
#
# ## 4. The equation of a block
#
# The article writes a block as
#
# $$a^{[l+2]} = \mathrm{ReLU}\big(z^{[l+2]} + a^{[l]}\big).$$
#
# $a^{[l]}$ is the output of layer $l$, after its ReLU. $z^{[l]}$ is what layer $l$ computes before
# its ReLU. The block has two layers:
#
# $$z^{[l+1]} = W^{[l+1]} a^{[l]} + b^{[l+1]},\quad a^{[l+1]} = \mathrm{ReLU}(z^{[l+1]}),\quad
# z^{[l+2]} = W^{[l+2]} a^{[l+1]} + b^{[l+2]}.$$
#
# So $z^{[l+2]}$ is the branch $F(a^{[l]})$. Here it is by hand, with three numbers in each layer,
# next to the package's block. We use `float64`: numbers of 16 digits, since we are going to
# compare small differences. (Networks usually compute with 7 digits, `float32`.)

# %%
generator = np.random.default_rng(11)
W1, W2 = generator.normal(size=(2, 3, 3))
b1, b2 = generator.normal(size=(2, 3)) / 4
a = np.abs(generator.normal(size=3))  # a[l]

z1 = W1 @ a + b1
a1 = np.maximum(z1, 0)
z2 = W2 @ a1 + b2
by_hand = np.maximum(z2 + a, 0)

three = DenseBlock(3, normalisation=False, dtype="float64")
three.build((None, 3))
for layer, W, b in zip(three.weight_layers, (W1, W2), (b1, b2)):
    layer.set_weights([W.T, b])  # Keras has x on the left: x W
by_package = three(a[None]).numpy()[0]
verdict("the package's block is ReLU(z + a)", np.allclose(by_hand, by_package, rtol=1e-12),
        f"by hand {np.round(by_hand, 4).tolist()}, package {np.round(by_package, 4).tolist()}")

# %% [markdown]
# ### Why the addition comes before the ReLU
#
# The article adds $a^{[l]}$ *before* the ReLU. What if the branch passed the ReLU first?
#
# $$a^{[l+2]} = \mathrm{ReLU}\big(z^{[l+2]}\big) + a^{[l]} \;\ge\; a^{[l]}.$$
#
# A ReLU never gives a negative number. So the branch could only add. No number could ever get
# smaller on its way through the network.
#
# **Predict.** Take random branches. Which share of the numbers gets smaller in a block, with each
# order?

# %%
smaller = {"addition, then ReLU": [], "ReLU, then addition": []}
branch = toy(False)
for seed in TOY_SEEDS:
    reset_weights(branch, seed)
    x = toy_data(seed)[0]
    z = branch(x)
    outputs = tf.nn.relu(z + x), tf.nn.relu(z) + x
    for shares, y in zip(smaller.values(), outputs):
        shares.append(np.mean(y.numpy() < x))
plots.table(["order", "share that gets smaller, each seed"], [
    [order, ", ".join(f"{share:.1%}" for share in shares)] for order, shares in smaller.items()
])
verdict("with the ReLU before the addition, no number ever gets smaller; with the addition first, "
        "some do", max(smaller["ReLU, then addition"]) == 0 < min(smaller["addition, then ReLU"]),
        f"{min(smaller['addition, then ReLU']):.1%} or more with the addition first")

# %% [markdown] tags=["slide"]
# ## Why the addition comes before the ReLU
#
# $$\mathrm{ReLU}(z) + a \ge a$$
#
# A branch behind a ReLU could only add.
#
# <!-- output -->
#
# <!-- notes -->
# Ask: what could such a network never compute? Expected: negative numbers. It could never make a
# number smaller on its way, for example x/2.

# %% [markdown]
# Does that matter for learning? Let the target be $H(x) = x/2$. With the ReLU first, the output is
# never below $x$, and $x$ is never below $x/2$. So the best possible output is $x$ itself, and the
# loss cannot fall below the mean of $(x - x/2)^2$. We call that the floor, and give each order 300
# updates.

# %%
def ordered(relu_first):
    """Return a block that applies its last ReLU before or after the addition."""
    x = keras.Input((WIDTH,))
    branch = DenseBlock(WIDTH, normalisation=False, name="toy").branch(x)
    if relu_first:
        return keras.Model(x, keras.layers.add([keras.layers.ReLU()(branch), x]))
    return keras.Model(x, keras.layers.ReLU()(keras.layers.add([branch, x])))


learners = {relu_first: learner(ordered(relu_first)) for relu_first in (False, True)}
halving = {relu_first: [] for relu_first in learners}  # final loss over the floor, each seed
for seed in TOY_SEEDS:
    x = toy_data(seed)[0]
    for relu_first, train in learners.items():
        loss = train(x, x / 2, seed, rate=0.01, updates=300)[-1]
        halving[relu_first].append(loss / np.mean((x / 2) ** 2))

# %%
verdict_above("with the ReLU before the addition, the loss for x/2 stays at the floor or above",
              halving[True], [0.999], unit="of the floor")
verdict_above("with the addition first, it falls far below that floor", [1], halving[False],
              ratio=3, unit="of the floor")

# %% [markdown]
# He and his colleagues tried the ReLU before the addition in a deep network. It made the result
# worse (2016b, Section 4.1, Figure 4(c) and Table 2). The article's *text* puts the addition
# first. Lesson 06 looks at what its code does.
#
# ### The gradient
#
# The derivatives of all outputs by all inputs form a matrix, the **Jacobian**: row $i$, column $j$
# holds $\partial y_i / \partial x_j$. For the block, the chain rule gives
#
# $$\frac{\partial a^{[l+2]}}{\partial a^{[l]}} =
# \mathrm{diag}\big(1[z^{[l+2]} + a^{[l]} > 0]\big)
# \Big(I + \frac{\partial F}{\partial a^{[l]}}\Big),
# \qquad
# \frac{\partial F}{\partial a^{[l]}} =
# W^{[l+2]}\, \mathrm{diag}\big(1[z^{[l+1]} > 0]\big)\, W^{[l+1]}.$$
#
# $1[\dots]$ is 1 where the condition holds and 0 elsewhere. The ReLU passes a slope on or cuts it
# off. $I$ comes from the shortcut: the derivative of $a^{[l]}$ by itself.
#
# We compute it three ways: by this formula; by **central differences**,
# $(y(x + h) - y(x - h)) / 2h$ with a small $h$, which need no calculus at all; and by the tape.
#
# **Predict.** To how many digits do the three agree?

# %%
def jacobian(f, x):
    """The tape's answer, in float64."""
    x = tf.constant(x, tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = f(x)
    return tape.jacobian(y, x, unconnected_gradients="zero", experimental_use_pfor=False).numpy()


def jacobian_by_differences(f, x, step=1e-6):
    """Move one input at a time, a little up and a little down, and see how far the outputs move."""
    columns = [(f(tf.constant(x + move)) - f(tf.constant(x - move))) / (2 * step)
               for move in step * np.eye(len(x))]
    return np.stack(columns, axis=1)

# %%
def function(x):
    """The package's block as a function of one vector."""
    return three(x[None])[0]


D1, D2 = np.diag(1.0 * (z1 > 0)), np.diag(1.0 * (z2 + a > 0))
by_formula = D2 @ (np.eye(3) + W2 @ D1 @ W1)
by_differences = jacobian_by_differences(function, a, step=1e-6)
by_tape = jacobian(function, a)
plots.table(["output", "input", "formula", "differences", "tape"], [
    [i + 1, j + 1, *(f"{matrix[i, j]:.9f}" for matrix in (by_formula, by_differences, by_tape))]
    for i in range(3) for j in range(3)
])

# %%
apart = {name: np.abs(matrix - by_formula).max()
         for name, matrix in (("differences", by_differences), ("tape", by_tape))}
distance = np.abs([z1, z2 + a]).min()
verdict("formula, differences and tape give the same gradient", max(apart.values()) < 1e-7,
        f"largest distance to the formula: differences {apart['differences']:.1e}, tape "
        f"{apart['tape']:.1e}; nearest kink {distance:.2f} away")

# %% [markdown] tags=["slide"]
# ## The gradient, three ways
#
# $$\frac{\partial a^{[l+2]}}{\partial a^{[l]}} = \mathrm{diag}\big(1[z^{[l+2]} + a^{[l]} > 0]\big)
# \Big(I + \frac{\partial F}{\partial a^{[l]}}\Big)$$
#
# <!-- output -->
#
# <!-- notes -->
# Derive it on the board. Ask: where does the I come from? Expected: from the ReLU. It is the
# derivative of the shortcut. What do the three say exactly at a kink? Differences say one half, the
# tape says 0: there is no derivative.

# %% [markdown]
# The first output is cut off by the last ReLU, so its row is zero. In the other rows, each number
# on the diagonal is 1 from the shortcut, plus the branch's share.
#
# The last figure of the verdict matters. A ReLU has a **kink** at zero: slope 0 on the left, 1 on the
# right. The comparison is fair only while no step crosses a kink.
#
# **Predict.** What do differences and tape say exactly *at* the kink?

# %%
at_kink = jacobian_by_differences(tf.nn.relu, [0.0])[0, 0], jacobian(tf.nn.relu, [0.0])[0, 0]
verdict("at the kink they disagree: differences give the mean of both slopes, the tape gives 0",
        np.isclose(at_kink[0], 0.5) and at_kink[1] == 0,
        f"differences {at_kink[0]:.2f}, tape {at_kink[1]:.2f}")

# %% [markdown]
# Neither is wrong: there is no derivative at a kink. The tape takes 0 by convention.
#
# ## 5. Many blocks: a straight line
#
# The article says that the information of $a^{[l]}$ reaches the deep layers directly. To see what is
# exact in that, we first leave out the last ReLU of each block. He and his colleagues do so in a
# second paper (2016b). There, $x_l$ is the input of block number $l$:
#
# $$x_{l+1} = x_l + F_l(x_l) \tag{2016b, eq. 3}$$

# %%
plots.show(*diagrams.residual_line(3))

# %% [markdown] tags=["slide"]
# ## Unrolled: nothing but additions on the line
#
# <!-- output: 300 -->
#
# $$x_L = x_0 + \sum_{i} F_i(x_i), \qquad
# \frac{\partial x_L}{\partial x_0} = I + \frac{\partial}{\partial x_0} \sum_{i} F_i(x_i)$$
#
# <!-- notes -->
# He and his colleagues 2016b, equations 4 and 5, without the last ReLU. Ask: does x_0 reach the end
# loudly? Expected: yes, directly. Exactly, but the sum of the branches may drown it.

# %% [markdown]
# Nothing but additions is on the line. Put the first equation into the second, that into the third,
# and so on:
#
# $$x_L = x_l + \sum_{i=l}^{L-1} F_i(x_i) \tag{eq. 4}$$
#
# So a deep $x_L$ is *any* earlier $x_l$, plus what the branches in between have added. Take the
# derivative:
#
# $$\frac{\partial x_L}{\partial x_l} = I + \frac{\partial}{\partial x_l} \sum_{i=l}^{L-1} F_i(x_i)
# \tag{from eq. 5}$$
#
# (Their equation 5 is this, multiplied by the gradient of the loss.) What is special about it? Any matrix
# is $I$ plus something, so look at how it comes about. Let $J_i$ be the Jacobian of branch number $i$.
# Without shortcuts, the gradient of a row of blocks is the product $\prod J_i$. With them, it is a product,
# too, of $I + J_i$. Multiply it out for two blocks:
#
# $$(I + J_2)(I + J_1) = I + J_1 + J_2 + J_2 J_1, \qquad\text{without shortcuts only}\qquad J_2 J_1.$$
#
# If each $J_i$ is small, $J_2 J_1$ is smaller still, and a long product of them vanishes. With shortcuts the
# $I$ remains, and each branch adds its share by itself. The gradient could vanish only if all that is
# added to $I$ came close to $-I$, which is unlikely to be so for a whole batch (Section 2).
#
# The chain below has dense branches without biases. `scale` makes all of them smaller or larger.

# %%
def random_branches(seed, blocks=30):
    """Return the weights of random branches, two matrices a block, with variance 2/n (He 2015)."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(blocks, 2, WIDTH, WIDTH)) * np.sqrt(2 / WIDTH)


def start(seed):
    return np.abs(np.random.default_rng([seed, 1]).normal(size=WIDTH))


def chain(x, branches, scale=1.0):
    """Return x_L and the sum of what the branches added."""
    total = tf.zeros_like(x)
    for W1, W2 in branches:
        added = scale * tf.linalg.matvec(W2, tf.nn.relu(tf.linalg.matvec(W1, x)))
        x, total = x + added, total + added
    return x, total

# %% [markdown]
# **Predict.** The chain has 10 blocks. How far is $x_{10}$ from $x_0 + \sum F_i$?

# %%
off, direct = [], []
for seed in range(3):
    x0 = start(seed)
    xL, total = (part.numpy() for part in chain(tf.constant(x0), random_branches(seed, 10)))
    off.append(np.linalg.norm(xL - x0 - total) / np.linalg.norm(xL))
    direct.append(np.linalg.norm(x0) / np.linalg.norm(xL))
verdict("without the last ReLU, x_L is x_0 plus the sum of the branches", max(off) < 1e-12,
        f"largest relative distance {max(off):.1e}, over {len(off)} seeds")
print("size of x_0 over size of x_L:", ", ".join(f"{share:.4f}" for share in direct))

# %% [markdown]
# It is exact, up to rounding. The article's sentence holds: $x_0$ is in $x_{10}$, unchanged. But
# look at the last line: *directly* does not mean *loudly*. These branches have their usual first
# weights and no normalisation, and their sum drowns $x_0$.
#
# Now the gradient: the formula as a product over the blocks, by hand; $I$ plus the gradient of the
# sum, by the tape; and differences of $x_L$. By hand we can also leave the shortcut out: `keep` is 1
# with a shortcut and 0 without.

# %%
def gradient_by_hand(x, branches, scale=1.0, keep=1.0):
    """Return the Jacobians of x_1, x_2, … x_L by x_0: products of keep · I + ∂F/∂x."""
    product, jacobians = np.eye(WIDTH), []
    for W1, W2 in branches:
        z = W1 @ x
        x = keep * x + scale * W2 @ np.maximum(z, 0)
        slope = scale * W2 @ ((z > 0)[:, None] * W1)
        product = (keep * np.eye(WIDTH) + slope) @ product
        jacobians.append(product)
    return jacobians

# %%
def three_ways(seed):
    """Return how far tape and differences are from the product by hand."""
    x0, branches = start(seed), random_branches(seed, 10)
    product = gradient_by_hand(x0, branches, scale=0.3)[-1]
    of_sum = jacobian(lambda x: chain(x, branches, 0.3)[1], x0)
    slopes = jacobian_by_differences(lambda x: chain(x, branches, 0.3)[0], x0, step=1e-7)
    return [np.abs(product - other).max() for other in (np.eye(WIDTH) + of_sum, slopes)]


apart = np.max([three_ways(seed) for seed in range(3)], axis=0)
verdict("the gradient of x_L is I plus the gradient of the sum, three ways", apart.max() < 1e-6,
        f"largest difference in {WIDTH} × {WIDTH} numbers, three seeds: tape {apart[0]:.1e}, "
        f"differences {apart[1]:.1e}")

# %% [markdown]
# ### What the I is good for
#
# How large is a gradient that is a matrix? We use its **gain**: the root of the sum of its squares,
# divided by $\sqrt n$. It says how much longer a small change of $x_0$ has become in $x_L$, on
# average over all directions. The gain of $I$ is 1. If the gain vanishes, so does the gradient of
# the loss on its way back.
#
# **Predict.** We make all branches small, 0.3 times their usual size, and go through up to 30
# blocks. What does the gain do without shortcuts? And with them?

# %%
def gains(seed, scale, keep):
    jacobians = gradient_by_hand(start(seed), random_branches(seed), scale, keep)
    return [1.0, *(np.linalg.norm(J) / np.sqrt(WIDTH) for J in jacobians)]


BLOCKS = range(31)
small = {name: [gains(seed, 0.3, keep) for seed in range(3)]
         for name, keep in (("plain", 0), ("residual", 1))}
plots.show(*plots.curves(BLOCKS, small, "blocks", "gain of the gradient", log=True,
                         title="Branches of 0.3 times the usual size"))

# %% [markdown] tags=["slide"]
# ## With random branches, the identity keeps the gradient alive
#
# <!-- output -->
#
# <!-- notes -->
# Branches of 0.3 times the usual size. Ask: and from exploding? Expected: yes, the article says
# both. It does not: the line rises, and with branches of the usual size it explodes. Normalisation
# is for lesson 05.

# %%
plain, residual = (np.array(runs)[:, -1] for runs in small.values())
verdict_above("with small branches, 30 plain blocks leave less than a billionth of the gradient",
              [1e-9], plain)
verdict_above("with shortcuts, the gradient is not smaller than at the start", residual, [1])

# %% [markdown]
# So the shortcut cures the vanishing gradient that lesson 01 *made* with small weights. The line of
# the residual chain rises, though. With branches of the usual size it rises much faster:

# %%
usual = np.array([gains(seed, 1, 1) for seed in range(3)])[:, -1]
verdict_above("with branches of the usual size and no normalisation, the gain of 30 residual "
              "blocks explodes", usual, [1e4])

# %% [markdown]
# So with random branches, $I$ keeps a gradient from *vanishing*. It does not keep it from *exploding*.
# The article claims both. (Nor is the first a law: 30 blocks that have learnt $F(x) = -x/2$ leave
# $2^{-30}$, a billionth, of the gradient.) Lesson 05 measures real networks, with normalisation and without it.
#
# ### With the last ReLU
#
# The blocks of the first paper, and the article's, end in a ReLU. Then it is on the line.

# %%
plots.show(*diagrams.residual_line(3, "ReLU"))

# %% [markdown]
# Each ReLU cuts off what is negative. Since $\mathrm{ReLU}(v) = v + \mathrm{ReLU}(-v)$, the sum gets
# a third part:
#
# $$x_L = x_0 + \sum_i F_i(x_i) +
# \underbrace{\sum_i \mathrm{ReLU}\big(-x_i - F_i(x_i)\big)}_{\text{cut off}}.$$
#
# How large is it? We look at small residual networks on MNIST, with four basic blocks. Like the
# article's they have no batch normalisation. (Its blocks are built otherwise: lesson 06.) Blocks 1 and 2 have 8 channels and 14 × 14 pixels; blocks 3 and
# 4 have 16 channels and 7 × 7 pixels. (In block 3 the shape changes, so $x$ is fitted first. Lesson
# 03 explains how.) We train three of them and need them again in section 7.

# %%
mnist = load_mnist(train=6400, val=0, test=0)
images, labels = mnist.train.images[:1000], mnist.train.labels[:1000]
SEEDS, RATE = (0, 1, 2), 3e-3
net = network(blocks_per_stage=(2, 2), block="basic", widths=(8, 16), normalisation=False)
trainer = Trainer(net, learning_rate=RATE)

first, trained = {}, {}  # weights of each seed
for seed in SEEDS:
    reset_weights(net, seed)
    first[seed] = net.get_weights()
    trainer.run(mnist, seed, updates=300)
    trained[seed] = net.get_weights()
    loss, accuracy = evaluate(trainer.logits(images), labels)
    print(f"seed {seed}: training loss {loss:.3f}, accuracy {accuracy:.1%}")

# %% [markdown]
# **Predict.** Through blocks 1 and 2, how large is the part that is cut off, compared with $x_2$? And
# which share of the sums $x + F(x)$ is negative, before and after training?

# %%
PARTS = [f"stage1_block{i}_{part}" for i in (1, 2) for part in ("branch", "add", "out")]
inside = with_outputs(net, ["stem_out", *PARTS])


def cut_off(weights):
    """Return over the size of x_2: what is cut off and what is missing; and the negative share."""
    net.set_weights(weights)
    y = {name: value.numpy() for name, value in inside(images).items()}
    x2, sums = y["stage1_block2_out"], [y[f"stage1_block{i}_add"] for i in (1, 2)]
    added = y["stage1_block1_branch"] + y["stage1_block2_branch"]
    cut = sum(np.maximum(-total, 0) for total in sums)
    sizes = [np.linalg.norm(part) / np.linalg.norm(x2)
             for part in (cut, x2 - y["stem_out"] - added - cut)]
    return *sizes, np.mean(np.array(sums) < 0)


sizes = np.array([[cut_off(weights[seed]) for seed in SEEDS] for weights in (first, trained)])
plots.table(["when", "seed", "cut off, over x_2", "negative sums"], [
    [when, seed, f"{cut:.2f}", f"{negative:.1%}"]
    for when, group in zip(("before training", "after training"), sizes)
    for seed, (cut, _, negative) in zip(SEEDS, group)
])

# %%
verdict_above("with the last ReLU, x_0 plus the branches misses x_2 by more than a tenth of its "
              "size", sizes[:, :, 0].ravel(), [0.1])
verdict("with the part that is cut off, the sum is exact", sizes[:, :, 1].max() < 1e-5,
        f"largest relative distance {sizes[:, :, 1].max():.1e}")

# %% [markdown] tags=["slide"]
# ## With the last ReLU, the sum is not exact
#
# $$x_L = x_0 + \sum_i F_i(x_i) + \sum_i \mathrm{ReLU}\big(-x_i - F_i(x_i)\big)$$
#
# <!-- output -->
#
# <!-- notes -->
# The third part is what each ReLU cuts off. Ask: how large is it in a small trained network, 1 % or
# 10 %? Expected: 1 %. More than a tenth. He and his colleagues found the effect on training small
# up to 164 layers.

# %% [markdown]
# For blocks that end in a ReLU, "directly" is *not* exact. A number that is cut off is gone, and in
# the Jacobian of section 4 its row is zero, $I$ included. He and his colleagues saw this: with
# many blocks, equation 3 and with it equation 5 are then no good approximation (2016b, Section 4.2).
# They find the effect on training small up to 164 layers.
#
# They also report that in training the sums become positive more often, so that less is cut off.
# Do your three networks show that?

# %%
shares = sizes[:, :, 2]
verdict_above("in these small networks the share of negative sums does not fall in training",
              shares[1] / shares[0], [1], unit="times the share at the start")

# %% [markdown]
# They do not. Theirs were much deeper and had batch normalisation, so this contradicts nothing. But
# what holds there need not hold here.
#
# ## 6. A scaled shortcut
#
# Is the 1 in front of $x$ special? Let the shortcut multiply by $\lambda$ (2016b, Section 3,
# equation 6; there each block may have its own):
#
# $$x_{l+1} = \lambda\, x_l + F_l(x_l).$$

# %%
plots.show(*diagrams.residual_line(3, "scale"))

# %% [markdown]
# The way along the line now gives $\lambda^L$ after $L$ blocks. So the gradient is (from equations 7
# and 8)
#
# $$\frac{\partial x_L}{\partial x_0} = \lambda^L I + \frac{\partial}{\partial x_0}
# \sum_i \lambda^{L-1-i} F_i(x_i).$$
#
# **Predict.** With zero branches, by how much does a gradient change in 30 blocks with
# $\lambda = 0.9$? With $\lambda = 1.1$?

# %%
LAMBDAS = (0.5, 0.9, 1, 1.1, 1.5)
tiny = {f"λ = {lam:g}": [gains(seed, 0.01, lam) for seed in range(3)] for lam in LAMBDAS}
plots.show(*plots.curves(BLOCKS, tiny, "blocks", "gain of the gradient", log=True,
                         title="Scaled shortcuts, tiny branches"))

# %% [markdown] tags=["slide"]
# ## A scaled shortcut: $\lambda$ to the power of the depth
#
# <!-- output -->
#
# <!-- notes -->
# Ask: 0.9 to the power of 30, roughly? Expected: a half. It is 0.04; and 1.1 to the power of 30 is
# 17. With tiny branches only λ = 1 neither vanishes nor explodes.

# %%
zero = [abs(gains(0, 0, lam)[-1] / lam**30 - 1) for lam in LAMBDAS]
verdict("with zero branches, the gain of 30 blocks is λ to the power of 30", max(zero) < 1e-10,
        f"largest relative difference {max(zero):.1e}, over {len(zero)} values of λ")
tiny_off = [abs(run[-1] / lam**30 - 1) for lam, runs in zip(LAMBDAS, tiny.values()) for run in runs]
verdict("with tiny branches it is so within a tenth", max(tiny_off) < 0.1,
        f"largest relative difference {max(tiny_off):.1%}, over {len(tiny_off)} chains")

# %% [markdown]
# In enough blocks, a factor a little below 1 makes the gradient vanish, and a little above 1 makes it
# explode. With branches this small, only $\lambda = 1$ does neither.
#
# ### When does $\lambda^L$ tell the whole story?
#
# The branches add their share. Let $g$ be the gain of one branch's own gradient. If a random branch
# favours no direction, lengths add up like the sides of a right-angled triangle. So each block
# multiplies the gain by about
#
# $$\sqrt{\lambda^2 + g^2}, \quad\text{and $L$ blocks by}\quad (\lambda^2 + g^2)^{L/2}
# = \lambda^L \Big(1 + \frac{g^2}{\lambda^2}\Big)^{L/2}
# \approx \lambda^L\, e^{L g^2 / 2 \lambda^2}.$$
#
# $\lambda^L$ alone is right as long as $L\,g^2$ is much smaller than $2 \lambda^2$. With the variance
# $2/n$ each layer doubles the square of a length on average, and the ReLU between them halves
# it. So $g^2 = 2$ on average. A factor `scale` makes that $g^2 = 2\,\text{scale}^2$.

# %%
squares = [np.linalg.norm(gradient_by_hand(start(seed), [branch], keep=0)[0]) ** 2 / WIDTH
           for seed in range(3) for branch in random_branches(seed, 100)]
verdict("a random branch has a squared gain of 2 on average", 1.8 < np.mean(squares) < 2.2,
        f"mean {np.mean(squares):.2f}, over {len(squares)} branches")

# %% [markdown]
# **Predict.** $\lambda = 0.5$, so $\lambda^{30}$ is about a billionth. What is the gain with
# branches of the usual size?

# %%
SCALES = (1, 0.3, 0.1, 0.01)
half = {f"scale {scale:g}": [gains(seed, scale, 0.5) for seed in range(3)] for scale in SCALES}
plots.show(*plots.curves(BLOCKS, half, "blocks", "gain of the gradient", log=True,
                         title="λ = 0.5, branches from usual to tiny"))

# %%
rows, found = [], {}
for scale, runs in zip(SCALES, half.values()):
    found[scale] = np.array(runs)[:, -1]
    formula = (0.5**2 + 2 * scale**2) ** 15
    rows.append([f"{scale:g}", f"{0.5**30:.1e}", f"{formula:.1e}",
                 ", ".join(f"{gain:.1e}" for gain in found[scale])])
plots.table(["scale", "λ to the 30", "with the branches' share", "measured, each seed"], rows)
verdict_above("with branches of the usual size, λ to the power of L is too small by a factor of "
              "more than a billion", found[1] / 0.5**30, [1e9])
near = [found[scale] / (0.5**2 + 2 * scale**2) ** 15 for scale in (0.1, 0.01)]
verdict("with branches of a tenth of the size or less, the formula that counts their share is "
        "right within a factor of two", 0.5 < np.min(near) <= np.max(near) < 2,
        f"measured over formula: {np.min(near):.2f} to {np.max(near):.2f}")

# %% [markdown]
# For the larger branches the formula is too large. It is a mean over all random weights, which few
# huge products carry; a single chain mostly lies below.
#
# So $\lambda^L$ is a statement about the way along the *line*. Whether the whole gradient follows it
# depends on the branches. He and his colleagues trained 110 layers with shortcuts scaled by 0.5.
# Training went badly, or, with the branches scaled as well, ended with a much higher error (2016b,
# Section 3.1, Table 1).
#
# ### Move it yourself
#
# The figure shows the gain of the gradient and, dashed, how many times as large as $x_0$ the output
# has become. With a running kernel, the sliders below it change the number of blocks, $\lambda$
# (`keep`) and the size of the branches (`scale`).
#
# **Predict.** Take branches of half the usual size. Which $\lambda$ keeps both lines nearest to 1? It
# is not 1.

# %%
def line_and_branches(blocks, keep, scale):
    """Draw, block by block, the gain of the gradient and the growth of the output."""
    found = {"gain of the gradient": [], "size of the output": []}
    for seed in range(3):
        x0 = start(seed)
        jacobians = gradient_by_hand(x0, random_branches(seed, blocks), scale, keep)
        gain, size = found.values()
        gain.append([np.linalg.norm(J) / np.sqrt(WIDTH) for J in jacobians])
        # Without biases the chain is linear between its kinks, so x_L is the Jacobian times x_0.
        size.append([np.linalg.norm(J @ x0) / np.linalg.norm(x0) for J in jacobians])
    return plots.curves(range(1, blocks + 1), found, "blocks", "times as large", log=True,
                        title=f"λ = {keep:g}, branches of {scale:g} times the usual size")

# %%
sliders = widgets.explore(line_and_branches, {"blocks": 30, "keep": 1, "scale": 0.5},
                          blocks=range(5, 65, 5),
                          keep=(0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.5),
                          scale=(0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1))

# %% [markdown] tags=["slide"]
# ## It must fit the branches
#
# <!-- output: 430 -->
#
# $\sqrt{\lambda^2 + g^2}$ for each block, $g$ the gain of a branch.
#
# <!-- notes -->
# Live: the sliders of lesson 02, section 6. Ask: branches of half the usual size; which λ keeps
# both lines nearest to 1? Expected: 1. About 0.7 by the formula, a little more in single chains.

# %%
by_lambda = {keep: [gains(seed, 0.5, keep)[-1] for seed in range(3)] for keep in (0.7, 1)}
rows = [[f"{keep:g}", f"{(keep**2 + 0.5) ** 15:.1f}", ", ".join(f"{gain:.1f}" for gain in found)]
        for keep, found in by_lambda.items()]
plots.table(["λ", "by the formula", "gain of 30 blocks, each seed"], rows)
verdict_above("with branches of half the usual size, λ = 1 lets the gradient grow more than a "
              "hundred times as much as λ = 0.7", by_lambda[1], by_lambda[0.7], ratio=100)

# %% [markdown]
# $\lambda^2 + g^2 = \lambda^2 + 2 \cdot 0.5^2 = 1$ gives $\lambda \approx 0.7$. (Single chains mostly
# lie below the formula, so a little more is best.) A scaled shortcut is not bad in itself: its
# scale must fit the size of the branches.
#
# ## 7. A new block in a trained network
#
# The article says: in a large network, a residual block may be added in the middle or at the end,
# and it does not hurt. You can check that. We take the three trained networks of section 5 (they are
# small, so this tests the sentence only for small ones). After each of the four blocks in turn we
# insert a new block:
#
# 1. residual, with a **zero** branch;
# 2. residual, with the usual random first weights;
# 3. plain, with the usual random first weights;
# 4. plain, with **Dirac** weights. A Dirac kernel is 1 in its middle for its own channel, and 0
#    elsewhere: the convolution gives out its input. It is the identity matrix of convolutions.
#
# The fourth is there to be fair. A plain block *can* be the identity, if someone sets it so.

# %%
def zero_weights(block):
    last = block.weight_layers[-1]
    last.set_weights([0 * weight for weight in last.get_weights()])


def dirac_weights(block):
    for layer in block.weight_layers:
        kernel, bias = layer.get_weights()
        kernel[:] = 0
        kernel[1, 1] = np.eye(kernel.shape[2])  # 3×3: the middle pixel
        layer.set_weights([kernel, 0 * bias])


def usual_weights(block):
    """Leave the first weights as they are."""


KINDS = {
    "residual, zero": ("identity", zero_weights),
    "residual, usual": ("identity", usual_weights),
    "plain, usual": ("none", usual_weights),
    "plain, Dirac": ("none", dirac_weights),
}

# %% [markdown]
# `segments` cuts a network into its blocks. We pass through them in order and put the new block
# where we want it. All parts share their weights with the network.

# %%
PLACES = {f"block {i}": name for i, name in enumerate(list(segments(net))[1:-1], start=1)}


def insert(name, shortcut):
    """Return net with a new block after the named one, and the new block as a model of its own."""
    parts = segments(net)
    inputs = keras.Input(parts[name].output_shape[1:])
    block = BasicBlock(inputs.shape[-1], shortcut, normalisation=False, name="new")
    new = keras.Model(inputs, block.call(inputs))
    x = net.input
    for part in parts:
        x = parts[part](x)
        x = new(x) if part == name else x
    return keras.Model(net.input, x), block, new


# %% [markdown]
# For each network we note the training loss at once, on 1,000 training images, and again after 60
# more updates of *all* weights. The same 60 updates without a new block are the control.
#
# **Predict.** Which of the four kinds changes the output at once? Which are level with the control
# after the 60 updates? Does the place matter? This takes about a minute.

# %%
MORE = 60
old_logits, old_loss, control = {}, {}, {}
for seed in SEEDS:
    net.set_weights(trained[seed])
    old_logits[seed] = trainer.logits(images)
    old_loss[seed] = evaluate(old_logits[seed], labels)[0]
    trainer.run(mnist, seed, MORE, reset=False)
    control[seed] = evaluate(trainer.logits(images), labels)[0]


def try_block(longer, block, new, set_weights, seed):
    """Return the largest change of a logit, the loss at once and the loss after more updates."""
    net.set_weights(trained[seed])
    reset_weights(new, seed)
    set_weights(block)
    logits = longer.logits(images)
    longer.run(mnist, seed, MORE, reset=False)
    change = np.abs(logits - old_logits[seed]).max()
    return change, evaluate(logits, labels)[0], evaluate(longer.logits(images), labels)[0]

# %%
results = {}  # (kind, place) → an array: a row for each seed, columns as of try_block
for place, name in PLACES.items():
    for shortcut in ("identity", "none"):
        model, block, new = insert(name, shortcut)
        longer = Trainer(model, learning_rate=RATE)
        for kind, (wanted, set_weights) in KINDS.items():
            if wanted == shortcut:
                runs = [try_block(longer, block, new, set_weights, seed) for seed in SEEDS]
                results[kind, place] = np.array(runs)

# %% [markdown]
# ### At once

# %%
plots.table(["largest change of a logit, new block after", *PLACES], [
    [kind, *(f"{results[kind, place][:, 0].max():.3g}" for place in PLACES)] for kind in KINDS
])


def column(kind, number):
    """One number for each place and seed."""
    return np.concatenate([results[kind, place][:, number] for place in PLACES])


for kind in ("residual, zero", "plain, Dirac"):
    verdict(f"{kind}: the block changes no logit, at any place", column(kind, 0).max() == 0,
            f"largest change {column(kind, 0).max()}, {column(kind, 0).size} insertions")

# %%
before = np.tile([old_loss[seed] for seed in SEEDS], len(PLACES))
for kind, factor in (("residual, usual", 1.25), ("plain, usual", 3)):
    verdict_above(f"{kind}: at once, the block makes the loss at least {factor} times as high",
                  column(kind, 1) / before, [factor], unit="times")
verdict_above("at each place and seed, plain does more harm at once than residual, from equal "
              "first weights", column("plain, usual", 1) / column("residual, usual", 1), [1])

# %% [markdown]
# ### After 60 more updates
#
# In the left half of the figure, three lines lie on one another: two kinds of block change nothing.
# The halves have axes of their own.

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.2), layout="constrained")
texts = []
for ax, title, number in zip(axes, ("at once", f"after {MORE} more updates"), (1, 2)):
    series = {kind: {place: results[kind, place][:, number].tolist() for place in PLACES}
              for kind in KINDS}
    none = old_loss if number == 1 else control
    series["no new block"] = {place: list(none.values()) for place in PLACES}
    texts.append(plots.dots(series, "new block after", "training loss", ax, title, log=True)[1])
axes[0].get_legend().remove()
plots.show(axes[0], " ".join(texts))

# %% [markdown] tags=["slide"]
# ## A new block in a trained network
#
# <!-- output: 480 -->
#
# <!-- notes -->
# The article: a block may be added in the middle or at the end without harm. Ask: which of the four
# kinds is harmless at once? Expected: both residual ones. Only the zero branch and the Dirac block
# are; the usual residual block does harm at once, and 60 updates repair most of it.

# %%
level = np.tile([control[seed] for seed in SEEDS], len(PLACES))
plots.table(["loss over the control's", "lowest", "mean", "highest"], [
    [kind, *(f"{pick(column(kind, 2) / level):.2f}" for pick in (np.min, np.mean, np.max))]
    for kind in KINDS
])
for kind in ("residual, zero", "residual, usual", "plain, Dirac"):
    verdict_above(f"{kind}: after {MORE} updates the loss is less than twice the control's, at each "
                  "place and seed", [2], column(kind, 2) / level, unit="times")

# %%
verdict_above(f"plain, usual: after {MORE} updates the loss is still above the control's, at each "
              "place and seed", column("plain, usual", 2) / level, [1], unit="times")
over = (column("plain, usual", 2) / column("residual, usual", 2)).reshape(len(PLACES), len(SEEDS))
verdict_above("and above that of the residual block with equal first weights, at each place on "
              "average over the seeds", over.mean(axis=1), [1])

# %% [markdown]
# What the article's sentence is worth, then:
#
# - With a **zero branch** it is exact, in the middle, at the end, everywhere.
# - With the **usual first weights** it is false at once. A residual block *contains* the identity,
#   but it does not *start* as the identity. After 60 updates it is close to the control.
# - A **plain** block with the usual first weights does more harm, and 60 updates do not repair it.
# - A plain block with **Dirac weights** is as harmless as a zero branch at once. After 60 updates the
#   ranges in the table overlap, so which of the two is ahead cannot be told. The identity is not out of a plain block's reach; plain blocks
#   just do not start near it. That was the riddle of lesson 01. (Chen, Goodfellow and Shlens deepen trained networks with such layers, 2016.)
#
# The sentence can also be read for networks that have the block from the beginning. Then it is a
# question of training deep networks, which is lesson 04's.
#
# ### Does a zero branch ever wake up?
#
# In a zero branch, the last weights are zero. The gradient of the layers before them passes through
# these weights, so it is zero too. The gradient of the last weights themselves is not.
#
# **Predict.** After one update, which of the two layers has moved? After two?

# %%
model, block, new = insert(PLACES["block 4"], "identity")
longer, moved = Trainer(model, learning_rate=RATE), {}
for updates in (1, 2):
    net.set_weights(trained[SEEDS[0]])
    reset_weights(new, seed=SEEDS[0])
    zero_weights(block)
    kernels = [layer.get_weights()[0] for layer in block.weight_layers]
    longer.run(mnist, seed=0, updates=updates, reset=False)
    moved[updates] = [float(np.abs(layer.get_weights()[0] - kernel).max())
                      for layer, kernel in zip(block.weight_layers, kernels)]
verdict("the last layer moves in the first update, the layer before it only in the second",
        moved[1][0] == 0 < min(moved[1][1], moved[2][0]),
        "largest change of a weight, layers 1 and 2: " + "; ".join(
            f"after {n} update{'s' * (n > 1)} {one:.4f} and {two:.4f}"
            for n, (one, two) in moved.items()))

# %% [markdown] tags=["slide"]
# ## Does a zero branch ever wake up?
#
# <!-- output -->
#
# <!-- notes -->
# Ask: all gradients pass through zero weights; are they not zero for ever? Expected: yes. The
# gradient of the last weights themselves is not zero: they move first, the layer before them in the
# second update.

# %% [markdown]
# ### Mind the normalisation
#
# Our blocks had no batch normalisation. With it, a zero branch is still exact (section 3). But a
# Dirac block is not: it normalises what it should pass on.
#
# **Predict.** Is it close, in training and afterwards?

# %%
with_norm = BasicBlock(16, "none", normalisation=True)
with_norm.build(rectified.shape)
for layer in with_norm.weight_layers:
    kernel = np.zeros(layer.kernel.shape)
    kernel[1, 1] = np.eye(16)
    layer.set_weights([kernel])
off = {training: float(np.abs(with_norm(rectified, training=training) - rectified).max())
       for training in (False, True)}
verdict("a Dirac block with batch normalisation is nearly the identity before it has seen a batch, "
        "and far from it in training", 0 < off[False] < 1e-3 and off[True] > 0.1,
        f"largest |y − x|: evaluation {off[False]:.1e}, training {off[True]:.2f}")

# %% [markdown]
# The small difference in evaluation is the $\varepsilon$ under the root, lesson 00's formula.
#
# ## 8. What the addition costs
#
# The article says that the addition is little extra computation. We count it for one block. A
# **multiply-add** is a multiplication and an addition, the step that convolutions consist of. A 3×3
# convolution from $c$ to $c$ channels needs $9 c^2$ of them for each pixel. The shortcut's addition
# needs $c$ additions. We count each as a whole multiply-add, which overstates it. The share is
#
# $$\frac{c}{2 \cdot 9 c^2 + c} = \frac{1}{18\,c + 1}.$$
#
# **Predict.** For 16 channels, is that more or less than 1 %?

# %%
def one_block(channels, shortcut):
    x = keras.Input((14, 14, channels))
    return keras.Model(x, BasicBlock(channels, shortcut, normalisation=False, name="b").call(x))


shares = {}
for channels in (8, 16, 64):
    counts = layer_counts(one_block(channels, "identity"))
    added = sum(count.multiply_adds for count in counts if count.kind == "Add")
    shares[channels] = added / sum(count.multiply_adds for count in counts)
verdict("the addition's share of a block is 1 in 18 c + 1",
        all(np.isclose(share, 1 / (18 * c + 1)) for c, share in shares.items()),
        ", ".join(f"{share:.2%} for {channels} channels" for channels, share in shares.items()))

# %% [markdown]
# And the clock? We time forward and backward pass of both blocks. Times differ from run to run, so
# we report them and claim nothing.

# %%
def both_ways(model):
    """Return a function that passes 64 inputs forward and the gradient back."""
    x = tf.random.stateless_normal((64, *model.input_shape[1:]), seed=(0, 0))

    @tf.function(autograph=False)
    def call():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    return call


seconds = median_seconds({kind: both_ways(one_block(16, shortcut)) for kind, shortcut in
                          (("plain", "none"), ("residual", "identity"))}, repeats=40)
plots.table(["block, 16 channels", "milliseconds"],
            [[kind, f"{1000 * span:.2f}"] for kind, span in seconds.items()])

# %% [markdown]
# ## 9. The article's sentences, tested
#
# | the article says | here |
# |---|---|
# | With $F(x) = 0$ the block is the identity. | Exact where $x \ge 0$; else it is $\mathrm{ReLU}(x)$. |
# | $a^{[l]}$ is added before the ReLU. | Right: a branch that passes the ReLU first could only add. |
# | $a^{[l]}$ reaches the deep layers directly. | Exact without the last ReLU. With it, much is cut off in our networks. |
# | Residual networks avoid vanishing and exploding gradients. | With random branches, the identity keeps a gradient from vanishing. It does not keep it from exploding. |
# | A block may be added in the middle or at the end without harm. | Exact for a zero branch. False at once for the usual first weights; 60 updates repair most of it. |
# | The addition costs little. | Holds in multiply-adds. |
#
# ## Summary
#
# - A residual block learns $F(x) = H(x) - x$. On its own, that is a plain block with its target moved
#   by $x$; in a row of blocks the shortcuts change the gradient as well.
# - That is easier where $H$ is near the identity, and harder where $H$ is near zero. Far from both, five
#   seeds cannot tell which form is ahead.
# - $a^{[l+2]} = \mathrm{ReLU}(z^{[l+2]} + a^{[l]})$; its gradient is
#   $\mathrm{diag}(1[z + a > 0])(I + \partial F / \partial a)$.
# - Without the last ReLU, $x_L = x_l + \sum F$. Its gradient is $\prod (I + J_i)$, in which an $I$ is left
#   when it is multiplied out, where a plain row has $\prod J_i$ alone. With the last ReLU, this is only
#   approximate.
# - A shortcut scaled by $\lambda$ has $\lambda^L$ on its line. The whole gradient follows it only if
#   the branches are small: $L\,g^2 \ll 2\lambda^2$.
# - A zero branch can be inserted anywhere without changing any logit. A plain block needs Dirac
#   weights for that, and no batch normalisation.
#
# Two 3×3 convolutions are the simplest branch, and a costly one: their multiply-adds grow with the
# square of the channels, and networks for photographs have hundreds of channels. How are such blocks
# built cheaply in real networks? That is lesson 03's question.
#
# ## Quiz
#
# Five questions. Each option says at once why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("02")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - One residual block learns $F(x) = H(x) - x$: the same branch, another target.
# - Easier near the identity, harder near zero.
# - With random branches, the identity keeps a gradient from vanishing, not from exploding.
# - A zero branch can be inserted anywhere; a plain block needs Dirac weights.
#
# **Exercises:** lesson 02, 1 to 5; number 6 for a discussion.
#
# <!-- notes -->
# Ask: two 3×3 convolutions are a costly branch. How would you make it cheaper without narrowing the
# line? Expected: fewer channels inside the branch. That is lesson 03.

# %% [markdown]
# <!-- quiz: 02 -->
#
# ## Exercises
#
# Reading is half of it. [Exercises to lesson 02](exercises/02_residual_learning.ipynb): six tasks, each with a check
# that answers at once and with hints that unfold.
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). The residual: Section 3.1. The block:
#   Section 3.2, Figures 2 and 5.
# - K. He, X. Zhang, S. Ren, J. Sun 2016b: *Identity Mappings in Deep Residual Networks*. ECCV.
#   [arXiv:1603.05027](https://arxiv.org/abs/1603.05027). The sum and its gradient: Section 2,
#   equations 3 to 5. Scaled shortcuts: Section 3, equations 6 to 8, and Section 3.1. ReLU before the
#   addition: Section 4.1. The last ReLU: Section 4.2.
# - K. He, X. Zhang, S. Ren, J. Sun 2015: *Delving Deep into Rectifiers*. ICCV.
#   [arXiv:1502.01852](https://arxiv.org/abs/1502.01852), Section 2.2: the variance of the weights.
# - P. Goyal and others 2017: *Accurate, Large Minibatch SGD*.
#   [arXiv:1706.02677](https://arxiv.org/abs/1706.02677), Section 5.1: $\gamma = 0$ at the start.
# - T. Chen, I. Goodfellow, J. Shlens 2016: *Net2Net: Accelerating Learning via Knowledge Transfer*.
#   ICLR. [arXiv:1511.05641](https://arxiv.org/abs/1511.05641).
# - S. Zagoruyko, N. Komodakis 2017: *DiracNets: Training Very Deep Neural Networks Without
#   Skip-Connections*. [arXiv:1706.00388](https://arxiv.org/abs/1706.00388): the name of the Dirac
#   weights.
