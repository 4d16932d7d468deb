# %% [markdown]
# # 02 · Residual learning
#
# Lesson [01](01_degradation.ipynb) ended with a wish. Good deep networks exist where the extra layers do nothing, and training that
# starts there goes on improving, if its steps are small; the trouble is getting there from a random start. Must doing nothing be so hard to
# learn? For an ordinary layer it is: the identity is one particular matrix among all others, and random
# weights are nowhere near it. So change the question. Hand the input on for free, and ask the layers for
# nothing but the *difference* that they want to make. Then doing nothing means giving zero.
#
# **Objectives.** After this lesson you can
#
# 1. write a residual block in four lines of Keras, and say for which tasks it has the easier job;
# 2. derive its gradient, and check it by the tape and by differences;
# 3. say what a row of blocks does to a signal and to a gradient, and what the last ReLU makes of that.
#
# **Prerequisites.** Lessons [00](00_start_here.ipynb) and [01](01_degradation.ipynb).
#
# **Reading time:** 45 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import keras
import numpy as np
import tensorflow as tf
from keras import layers

from resnet_lesson import diagrams, plots
from resnet_lesson.blocks import DenseBlock
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network, reset_weights, with_outputs
from resnet_lesson.studies import at_best_rate, provenance, read_study
from resnet_lesson.training import Trainer
from resnet_lesson.verdicts import paired, verdict, verdict_above, verdict_equal

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
WIDTH = 16

# %% [markdown]
# Here is the whole idea, in four lines of Keras:

# %%
def block(x, residual):
    y = layers.Dense(WIDTH, "relu", kernel_initializer="he_normal", name="first")(x)
    y = layers.Dense(WIDTH, kernel_initializer="he_normal", name="second")(y)
    return y + x if residual else y

# %% [markdown]
# Does the addition make learning easier? That must depend on what there is to learn. So let's give one such
# block a task with a dial on it. Its inputs are 16 numbers, never negative, as if they came
# out of a ReLU. What it should compute is
#
# $$H(x) = c\,x + 0.1 \tanh(R\,x),$$
#
# a multiple of the input, plus a small wiggle with a random matrix $R$. At $c = 0$ the target is close to
# zero, at $c = 1$ it is close to the identity. With and without `+ x`, the block starts from the same
# weights and gets the best of five learning rates.
#
# **Predict.** Turn $c$ from 0 to 1. Which of the two has the lower loss at each end, and where do their lines
# cross?

# %%
my_guess = None  # the c at which the lines cross, for example 0.2

# %%
def toy(seed):
    """Return 512 inputs and their wiggles."""
    generator = np.random.default_rng([seed, 7])
    x = np.maximum(generator.normal(size=(512, WIDTH)), 0)
    R = generator.normal(size=(WIDTH, WIDTH)) / np.sqrt(WIDTH)
    return tf.constant(x, tf.float32), tf.constant(0.1 * np.tanh(x @ R), tf.float32)


@tf.function
def step(model, x, target, rate):
    """Make one step of gradient descent; return the loss before it."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x) - target) ** 2)
    weights = model.trainable_variables
    for weight, gradient in zip(weights, tape.gradient(loss, weights)):
        weight.assign_sub(rate * gradient)
    return loss

# %%
x = keras.Input((WIDTH,))
forms = {"plain": keras.Model(x, block(x, False)), "residual": keras.Model(x, block(x, True))}
SEEDS, RATES, CS = range(5), (0.5, 1.0, 2.0, 4.0, 8.0), (0, 0.25, 0.5, 0.75, 1)


def learn(form, c, seed, rate, updates=100):
    reset_weights(forms[form], seed)
    inputs, wiggle = toy(seed)
    losses = [step(forms[form], inputs, c * inputs + wiggle, tf.constant(rate)) for _ in range(updates)]
    return [float(loss) for loss in losses]


def best_of_rates(form, c):
    """Return the last loss of each seed, at the rate whose mean is lowest."""
    runs = [[learn(form, c, seed, rate)[-1] for seed in SEEDS] for rate in RATES]
    return min((run for run in runs if np.isfinite(run).all()), key=np.mean)


loss = {form: [best_of_rates(form, c) for c in CS] for form in forms}

# %%
series = {form: np.transpose(of_c) for form, of_c in loss.items()}
ax, alt = plots.curves(CS, series, "c: the target is near zero at 0, near the identity at 1",
                       "loss after 100 updates", log=True)
if my_guess is not None:
    ax.axvline(my_guess, color="black", linestyle=(0, (1, 3)))
plots.show(ax, alt, "The same block with and without `+ x`, five seeds. **Follow one line, then the other:** "
           "they are nearly mirror images, and they cross in the middle. Whichever block has less to learn wins.")

# %% [markdown] tags=["slide"]
# # 02 · Residual learning
#
# ```python
# def block(x, residual):
#     y = layers.Dense(16, "relu")(x)
#     y = layers.Dense(16)(y)
#     return y + x if residual else y
# ```
#
# A task with a dial: $H(x) = c\,x + 0.1 \tanh(R\,x)$, near zero for $c = 0$, near the identity for $c = 1$.
#
# **Predict:** sketch the loss of both blocks against $c$.
#
# <!-- notes -->
# Type the four lines live if you can. Ask: how many weights does the addition have? They will say: 16, or 256.
# Answer: none; with and without it, the block starts from the same weights. Let everybody sketch two lines.

# %% [markdown] tags=["slide"]
# ## The block with less to learn wins
#
# <!-- output: 470 -->
#
# $F(x) = H(x) - x$: learn the difference.
#
# <!-- notes -->
# They will have drawn the residual block below everywhere. Ask why the lines cross in the middle. Answer: the
# branch has c·x to learn in one block and (c − 1)·x in the other; at one half, both have equally far to go.

# %%
plain, residual = loss["plain"], loss["residual"]
verdict_above("near the identity, the block without the addition ends with several times the loss",
              above=plain[-1], below=residual[-1], ratio=4)
verdict_above("near zero it is the other way round", above=residual[0], below=plain[0], ratio=4)
halfway = paired({"c = ½": (np.log(residual[2]), np.log(plain[2]))})["c = ½"]
verdict_equal("halfway, neither block's loss differs from the other's by more than about a third, on average",
              halfway, margin=0.3, unit="(log of the ratio)")

# %% [markdown]
# The last verdict is of a new kind. It takes the logarithm of the ratio of the two losses, seed by seed, and computes
# an interval that holds the mean of such differences 95 times in 100. If the whole interval lies within a stated
# margin, here ±0.3, which is a factor of 1.35, the two count as equal.
#
# ## 1. The residual
#
# Now the names for what you have seen. Take a few layers that should compute some function $H(x)$. Let them
# compute another one, $F(x)$, and add $x$ to it (He, Zhang, Ren and Sun 2016a, Section 3.1):
#
# $$F(x) + x = H(x), \qquad\text{so}\qquad F(x) = H(x) - x.$$
#
# What the layers have left to learn, $H(x) - x$, is called the **residual**. The layers are the **branch**,
# the path that carries $x$ around them is the **shortcut** or **skip connection**, and the whole is a **residual block**.
# Without the shortcut it is a **plain block**.

# %%
plots.show(*diagrams.compare_blocks("basic", filters=(16, 16), in_filters=16, normalisation=False),
           "The same with convolutions: two layers of 3×3, the **basic block** of the smaller networks of Kaiming "
           "He and his colleagues (2016a, Figure 5, left). Here a last ReLU follows, which our toy did not have.")

# %% [markdown] tags=["slide"]
# ## One addition apart
#
# <!-- output -->
#
# <!-- notes -->
# Both blocks have the same layers and the same weights. Ask: which weights let the residual block pass on its
# input? They will say: an identity matrix. Answer: zeros. It is the plain block that needs something like the
# identity in each layer, and a random start is nowhere near that.

# %% [markdown]
# The crossing lines at the top show when a shortcut helps. If the best that a block can do is close to
# doing nothing, the residual block has the easier job; if it is close to giving zero, the plain one has. Halfway,
# neither has an advantage that we could measure. A shortcut is a bet, then: that in a deep network, where many blocks share
# the work, each of them has only a little to do. He and his colleagues put it as a hypothesis, that the residual is easier
# to optimise than the function itself (2016a, Section 1), and name the condition that the dial has just shown: it should be,
# if the best function is closer to the identity than to zero (Section 3.1).
#
# And for a single block without a last ReLU, like our toy, that is all there is to it. Training `branch(x) + x`
# towards $H$ is the same as training `branch(x)` towards $H - x$, update by update, because the squared error sees
# only the difference. At $c = 1$, $H - x$ is just the wiggle:

# %%
for seed in SEEDS:
    inputs, wiggle = toy(seed)
    reset_weights(forms["plain"], seed)
    on_residual = [float(step(forms["plain"], inputs, wiggle, tf.constant(1.0))) for _ in range(100)]
    assert np.allclose(learn("residual", 1, seed, rate=1.0), on_residual, rtol=1e-3)

# %% [markdown] tags=["slide"]
# ## A shortcut is a bet
#
# that what a block has to do is close to doing nothing.
#
# - near the identity, the residual block has the easier job
# - near zero, the plain block has
# - for one block alone, the shortcut only **moves the target**: train `branch(x)` towards $H - x$, and every loss is
#   the same
#
# <!-- notes -->
# Ask: then why not subtract x from the target ourselves? They will say: we could. Answer: in the toy, yes. In
# the middle of a network nobody knows H, so there is nothing to subtract x from. The shortcut does it anyway.

# %% [markdown]
# So why not simply subtract $x$ from the target ourselves? Because inside a network nobody knows a block's $H$; there
# is no target to subtract from. The shortcut has the same effect without needing one. And in a row of blocks it does
# one thing more, which is where the real story begins. First we need one block's gradient.
#
# ## 2. A branch of zero
#
# A block with $F(x) = 0$ is the identity: so says the article behind this course,
# <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span> ([what is known of it](00_start_here.ipynb)).
# But its blocks, like those of He and his colleagues, end in a ReLU, which cuts off whatever is negative. Is it
# true?
#
# $$\mathrm{ReLU}(0 + x) = \mathrm{ReLU}(x) = x \quad\text{where } x \ge 0.$$
#
# **Predict.** Put $x = (-2, 3)$ into a block whose branch gives zero. What comes out of a residual block, and
# what of a plain one?

# %%
def zero_branch(shortcut):
    """Return the package's block with its last weights set to zero."""
    made = DenseBlock(2, shortcut, normalisation=False, zero_init=True)
    made.build((None, 2))
    return made


signed, positive = np.array([[-2.0, 3.0]]), np.abs(np.random.default_rng(0).normal(size=(1000, 2)))
rows = [[kind, zero_branch(shortcut)(signed).numpy().tolist()[0]]
        for kind, shortcut in (("residual", "identity"), ("plain", "none"))]
plots.table(["block", "gives, for (−2, 3)"], rows)
same = zero_branch("identity")(positive).numpy() == positive.astype("float32")
verdict("with a branch of zero, a residual block returns 1,000 non-negative inputs unchanged, to the last bit",
        same.all(), f"{same.sum()} of {same.size} numbers are equal")

# %% [markdown] tags=["slide"]
# ## A branch of zero
#
# $$\mathrm{ReLU}(0 + x) = \mathrm{ReLU}(x) = x \quad\text{where } x \ge 0$$
#
# <!-- later -->
#
# <!-- output -->
#
# <!-- notes -->
# Ask before: x = (−2, 3), what comes out of the residual block? They will say: (−2, 3). Answer: (0, 3), because
# of the last ReLU. Inside a network, x comes out of a ReLU itself and has no negative numbers.

# %% [markdown] tags=["slide"]
# ## Why the addition comes before the ReLU
#
# $$\mathrm{ReLU}(F(x)) + x \;\ge\; x$$
#
# A block with the ReLU on its branch can only **add**. Nothing could ever get smaller on its way through the
# network.
#
# <!-- notes -->
# Ask: name a function that such a block cannot compute. They will say: a negative one. Answer: even x/2 is out
# of reach. He and his colleagues tried that order and found it worse (2016b, Section 4.1, Table 2).

# %% [markdown]
# So the article is right wherever the input comes out of a ReLU, as it does inside a network. A plain block whose
# branch is zero lets nothing through at all. (A branch can also be made to start there: such a
# **zero-initialised branch** is one of lesson 07's variants.)
#
# Notice where the addition stands: *before* the ReLU. Put the ReLU on the branch instead, and the block
# would return $\mathrm{ReLU}(F(x)) + x$, which is never less than $x$. Such a block can only add. Nothing could
# ever get smaller on its way through the network, and He and his colleagues found it worse (2016b, Section
# 4.1 and Table 2).
#
# ## 3. The gradient of one block
#
# Write $z_1$ and $z_2$ for what the two layers compute before any ReLU:
#
# $$z_1 = W_1 x + b_1, \qquad z_2 = W_2\, \mathrm{ReLU}(z_1) + b_2, \qquad
# y = \mathrm{ReLU}(z_2 + x).$$
#
# (The article counts layers and writes $a^{[l+2]} = \mathrm{ReLU}(z^{[l+2]} + a^{[l]})$ for the same.) The
# derivatives of every output with respect to every input form a matrix, the **Jacobian**. The first layer
# contributes $W_1$; the ReLU multiplies each row by 1 or 0, which gives $D_1 W_1$; the second layer makes it
# $W_2 D_1 W_1$; the shortcut adds $I$; and the last ReLU multiplies by $D_2$. So by the chain rule
#
# $$\frac{\partial y}{\partial x} = D_2\, (I + W_2 D_1 W_1),$$
#
# where $D_1$ and $D_2$ are diagonal matrices with a 1 where the ReLU lets its input through and a 0 where it
# does not. Look at the bracket. $W_2 D_1 W_1$ is the branch's own Jacobian; the $I$ is the derivative of the
# shortcut. A formula like this deserves to be checked by something that has never seen it: by TensorFlow's
# gradient tape ([primer](deeper/00_primer.ipynb), section 6), and by **central differences**, which need no
# calculus at all. They nudge one input up and down and watch.

# %%
generator = np.random.default_rng(11)
W1, W2 = generator.normal(size=(2, 3, 3))
b1, b2 = generator.normal(size=(2, 3)) / 4
x = np.abs(generator.normal(size=3))


def y_of(x):
    return tf.nn.relu(tf.linalg.matvec(W2, tf.nn.relu(tf.linalg.matvec(W1, x) + b1)) + b2 + x)


z1 = W1 @ x + b1
z2 = W2 @ np.maximum(z1, 0) + b2
by_formula = np.diag(1.0 * (z2 + x > 0)) @ (np.eye(3) + W2 @ np.diag(1.0 * (z1 > 0)) @ W1)

with tf.GradientTape(persistent=True) as tape:
    tape.watch(at := tf.constant(x))
    y = y_of(at)
by_tape = tape.jacobian(y, at, experimental_use_pfor=False).numpy()

nudges = 1e-6 * np.eye(3)
by_differences = np.transpose([(y_of(x + n) - y_of(x - n)) / 2e-6 for n in nudges])

# %%
assert np.allclose(by_formula, by_tape, rtol=0, atol=1e-12)
assert np.allclose(by_formula, by_differences, rtol=0, atol=1e-7)
package = DenseBlock(3, normalisation=False, dtype="float64")
package.build((None, 3))
for layer, W, b in zip(package.weight_layers, (W1, W2), (b1, b2)):
    layer.set_weights([W.T, b])  # Keras has x on the left: x W
assert np.allclose(package(x[None])[0], y_of(x), atol=1e-12)
print(np.round(by_formula, 4))

# %% [markdown] tags=["slide"]
# ## The gradient of one block
#
# $$\frac{\partial y}{\partial x} = D_2\, (I + W_2 D_1 W_1)$$
#
# By formula, by the tape and by central differences: equal to six decimal places and more.
#
# <!-- notes -->
# Derive it on the board. Ask: where does the I come from? They will say: from the ReLU. Answer: it is the
# derivative of the shortcut; D₁ and D₂ come from the ReLUs. And exactly at a kink? The tape says 0, differences
# say ½: there is no derivative.

# %% [markdown]
# All three agree, and the package's block computes the same $y$. (The first row is zero, since the last ReLU has
# cut off the first output. At a ReLU's kink there is no derivative, and the methods need not agree: for ReLU
# alone, the tape says 0 and central differences say one half.)
#
# ## 4. A row of blocks
#
# Now put many blocks in a row. To see the principle undisturbed, we leave out the last ReLU of each block, as
# He and his colleagues do in their second paper (2016b). Let $x_l$ be the input of block $l$:
#
# $$x_{l+1} = x_l + F_l(x_l).$$

# %%
plots.show(*diagrams.residual_line(3),
           "Nothing but additions lies on the straight line. Each branch reads from it and adds to it.")

# %% [markdown] tags=["slide"]
# ## Unrolled: nothing but additions on the line
#
# <!-- output: 280 -->
#
# $$x_L = x_0 + F_0(x_0) + F_1(x_1) + \dots + F_{L-1}(x_{L-1})$$
#
# <!-- notes -->
# He and his colleagues 2016b, equation 4, without the last ReLU. Ask: does x_0 reach the end? They will say:
# yes, directly. Answer: directly, yes; loudly, not always. The sum of the branches may drown it.

# %% [markdown]
# Put each equation into the next one, and out comes a sum:
#
# $$x_L = x_0 + F_0(x_0) + F_1(x_1) + \dots + F_{L-1}(x_{L-1}) \tag{2016b, eq. 4}$$
#
# So the article is right that $a^{[l]}$ "reaches the deep layers directly": $x_0$ is in $x_L$ as it was, plus
# what the branches have added on the way. (Directly is not loudly, though. If the branches add a lot, $x_0$
# drowns in the sum.)
#
# What about the gradient? Let $J_l$ be the Jacobian of branch $l$. In a plain row the chain rule multiplies the
# $J_l$, in a residual row it multiplies $I + J_l$. (These $J_l$ are not the plain row's: the blocks of the two rows see
# different inputs.) For two blocks, multiply it out, much as Veit, Wilber and Belongie (2016, Section 3) unrolled the
# network itself:
#
# $$\underbrace{J_1 J_0}_{\text{plain}} \qquad\text{against}\qquad
# \underbrace{(I + J_1)(I + J_0)}_{\text{residual}} = I + J_0 + J_1 + J_1 J_0.$$
#
# The plain gradient has one path back, through every layer, and if each $J$ shrinks it, a long product leaves
# nothing. The residual gradient has four paths back: through both branches, through either of them, and
# through none, which costs nothing at all. That last path is the $I$.
#
# **Predict.** Thirty blocks have random branches, made small on purpose: 0.3 times the size that He initialisation
# gives ([primer](deeper/00_primer.ipynb), section 9). By what factor does a gradient change on its way back, without
# shortcuts? And with them? (The product $P$ of the thirty Jacobians stretches some directions and shrinks others. Take
# the root mean square over all of them: the root of the sum of all squared entries of $P$, divided by $\sqrt{n}$ for
# $n$ units. We call it the **gain**; at a gain of 1 a gradient keeps its size, on average. In the code, `keep` is 1
# with the shortcut and 0 without.)

# %%
def gains(seed, keep, scale, blocks=30, last_relu=False):
    """Return how much a gradient grows in 0, 1, … blocks with Jacobians keep · I + J."""
    generator = np.random.default_rng(seed)
    x, product, found = np.abs(generator.normal(size=WIDTH)), np.eye(WIDTH), [1.0]
    for _ in range(blocks):
        W1, W2 = generator.normal(size=(2, WIDTH, WIDTH)) * np.sqrt(2 / WIDTH)
        z = W1 @ x
        J = scale * W2 @ ((z > 0)[:, None] * W1)
        x, product = keep * x + scale * W2 @ np.maximum(z, 0), (keep * np.eye(WIDTH) + J) @ product
        if last_relu:
            x, product = np.maximum(x, 0), (x > 0)[:, None] * product
        found.append(np.linalg.norm(product) / np.sqrt(WIDTH))  # root mean square over directions
    return found


small = {form: [gains(seed, keep, 0.3) for seed in range(3)]
         for form, keep in (("plain", 0), ("residual", 1))}
plots.show(*plots.curves(range(31), small, "blocks", "gain of the gradient", log=True),
           "The gain of the gradient, three seeds, on a logarithmic scale. Without shortcuts each block leaves "
           "about two fifths of it, on average. With them, it even grows.")

# %% [markdown] tags=["slide"]
# ## Many blocks: $\prod (I + J)$ against $\prod J$
#
# <!-- output: 400 -->
#
# $(I + J_1)(I + J_0) = I + J_0 + J_1 + J_1 J_0$, against $J_1 J_0$ alone
#
# <!-- notes -->
# Multiply it out on the board for two blocks. Ask: how many paths back are there through three blocks? They will
# say: six. Answer: eight, each branch is taken or not. And does the identity keep gradients from exploding? No:
# the line rises.

# %%
plain, residual = (np.array(runs)[:, -1] for runs in small.values())
verdict_above("without shortcuts, thirty blocks with small branches leave less than a billionth of the "
              "gradient", above=[1e-9], below=plain)
verdict_above("with shortcuts, the gradient is no smaller than it was", above=residual, below=[1])
usual = {keep: [gains(seed, keep, 1.0)[-1] for seed in range(3)] for keep in (0, 1)}
verdict_above("with branches of the usual size, the gradient explodes in the plain row and, far more, in the "
              "residual one", above=usual[1], below=usual[0], ratio=100)
assert min(usual[0]) > 10
with_relus = {keep: [gains(seed, keep, 1.0, last_relu=True)[-1] for seed in range(8)] for keep in (0, 1)}
verdict_above("with the last ReLUs back in their places, only the residual row explodes", above=with_relus[1],
              below=with_relus[0], ratio=100)
assert max(with_relus[0]) < 1  # the plain row does not

# %% [markdown] tags=["slide"]
# ## What a shortcut does to small branches, and to large ones
#
# Thirty blocks with random branches and no normalisation:
#
# - **small** branches: without shortcuts less than a billionth is left; with them, the gradient survives
# - branches of the **usual** size: with shortcuts it explodes, by far
#
# <!-- notes -->
# The article says that residual networks avoid both vanishing and exploding gradients. Ask: which half is true?
# They will say: both, it is well known. Answer: it depends on the network. In this toy row the first half; in
# lesson 05, with normalisation, the second.

# %% [markdown]
# In this toy row, then, the shortcut keeps a gradient alive that small branches would have killed. It does not keep it
# from exploding: where branches of the usual size have nothing to hold them in check, it is the additions that blow it
# up. (The plain row exploded as well, but only because we had taken away every second ReLU, and He initialisation
# counts on all of them. With all of them back, it does not explode.) The article says that residual networks avoid
# vanishing gradients *and* exploding ones. In this row only the first is true, and only of small branches. (Nor is
# survival a law of nature. Blocks that had all learnt $F(x) = -x/2$ would halve the gradient each.) And do real deep
# networks suffer from either? The 100 plain layers of lesson 01 did not, as its [deeper
# notebook](deeper/01_gradients_through_depth.ipynb) measures, so gradients of the wrong size do not explain what
# happened there. Networks with batch normalisation have to wait for lesson 05, and you had better not bet on the answer
# yet.
#
# What if the shortcut is scaled, $\lambda x + F(x)$? Then the path through no branch is worth $\lambda^L$ after $L$ blocks, which
# is a small number for $\lambda = 0.9$ and a large one for 1.1. When that tells the whole story, and when it
# misleads, is in a notebook of its own: [scaled shortcuts](deeper/02_scaled_shortcuts.ipynb).
#
# ## 5. What the last ReLU makes of it
#
# In the first paper each block ends in a ReLU, and that ReLU sits right on the straight line.

# %%
plots.show(*diagrams.residual_line(3, "ReLU"),
           "Each ReLU cuts off what is negative, of the shortcut's part as well as of the branch's.")

# %% [markdown]
# Since $\mathrm{ReLU}(v) = v + \mathrm{ReLU}(-v)$, the sum gets a third part, made of all that was cut off:
#
# $$x_L = x_0 + \sum_l F_l(x_l) + \sum_l \mathrm{ReLU}\big(-x_l - F_l(x_l)\big).$$
#
# A nuisance, or a change of the picture? It depends on how large that part is, so we measure it: in a small
# residual network that we train on MNIST, with basic blocks and, as in the article, without batch
# normalisation.
#
# **Predict.** Through the first two blocks, how large is what is cut off, compared with $x_2$: 1 %, 10 %, more?

# %%
mnist = load_mnist(train=6400, val=0, test=0)
images = mnist.train.images[:1000]
net = network(blocks_per_stage=(2, 2), block="basic", widths=(8, 16), normalisation=False)
parts = [f"stage1_block{i}_{part}" for i in (1, 2) for part in ("branch", "add", "out")]
inside, trainer = with_outputs(net, ["stem_out", *parts]), Trainer(net, learning_rate=3e-3)


def cut_off():
    """Return what is cut off in two blocks, relative to x_2, and check that the sum is exact with it."""
    found = {name: value.numpy() for name, value in inside(images).items()}
    x0, F0, sum0, _, F1, sum1, x2 = found.values()
    cut = np.maximum(-sum0, 0) + np.maximum(-sum1, 0)
    assert np.allclose(x2, x0 + F0 + F1 + cut, atol=1e-4)
    return np.linalg.norm(cut) / np.linalg.norm(x2)


before, after = [], []
for seed in range(3):
    reset_weights(net, seed)
    before.append(cut_off())
    trainer.run(mnist, seed, updates=200, reset=False)
    after.append(cut_off())
plots.table(["size of what is cut off, over that of x₂", *(f"seed {seed}" for seed in range(3))], [
    [name, *(f"{share:.0%}" for share in shares)] for name, shares in (
        ("before training", before), ("after 200 updates", after))])

# %%
verdict("what the last ReLUs cut off is more than half as large as the result, before training and after, with "
        "each seed", min(before + after) > 0.5, f"{min(before + after):.2f} to {max(before + after):.2f} of the size of x₂")

# %% [markdown] tags=["slide"]
# ## With the last ReLU, the sum is not exact
#
# $$x_L = x_0 + \sum_l F_l(x_l) + \sum_l \mathrm{ReLU}\big(-x_l - F_l(x_l)\big)$$
#
# <!-- output -->
#
# <!-- notes -->
# The third part is what each ReLU cuts off. Ask: how large is it in a small trained network? They will say: a
# per cent or so. Answer: larger than the result itself. In networks of 164 layers, with normalisation, He
# and his colleagues found little harm in it.

# %% [markdown]
# So here it is anything but a nuisance: what the ReLUs cut off is larger than what comes out, and the clean
# sum of section 4 is not even a good approximation. Where a number is cut off, the block's Jacobian has a row of
# zeros, the $I$ included. He and his colleagues saw the effect and moved the ReLU off the line in their second
# paper. In their own networks of 164 layers, with batch normalisation, it had done little harm: after some
# training the sums were mostly positive, so that little was cut off, while at 1,000 layers it was more (2016b,
# Section 4.2). Our small network, without normalisation and after 200 updates, is not like that.
#
# One more claim of the article can be settled exactly: that a block can be added to a trained network, in
# the middle or at the end, without doing harm. With a branch of zero it is true to the last bit. With the
# usual random weights it is not, and what sixty updates then repair is the subject of
# [inserting blocks](deeper/02_inserting_blocks.ipynb).
#
# ## 6. The shortcut, or only the start?
#
# You may have been holding back an objection since section 4. A residual block whose branch is small begins close to
# the identity. Lesson 01 found that a hundred plain dense layers do far better if ninety of them merely *begin* as
# identities. So is the addition needed at all? Perhaps all that a deep network wants is a good start, and the
# shortcut is one way of giving it.
#
# That can be tested, because a plain convolution can start as the identity, too. Its kernel only needs a 1 in the middle,
# from each channel to itself, and zeros elsewhere. Such a kernel is called a **Dirac kernel** (Zagoruyko and Komodakis
# 2017 build them into a network for good). A recorded study trained plain networks of 54 layers, of 3×3 convolutions
# with batch normalisation, whose kernels start at
#
# $$(1 - t)\,\text{Dirac} + t\,\text{He}$$
#
# for five values of $t$, from Dirac kernels at $t = 0$ to the usual random start at $t = 1$. (The very first
# convolution keeps its usual kernel. Even at $t = 0$ a layer is not quite the identity: its convolution passes $x$ on,
# but batch normalisation then takes the mean away, and the ReLU cuts off all that lay below it.) There are two more
# kinds of network, or **arms** of the study, as the field says.
#
# - *Looks linear.* Half of a plain layer's kernels are random, and each of the others is one of these with its sign
#   turned, so that where one channel gives $z$, its partner gives $-z$. The ReLU lets just one of them pass, but
#   nothing is lost: the next layer gives the two partners weights $w$ and $-w$, and
#   $w\,\mathrm{ReLU}(z) - w\,\mathrm{ReLU}(-z) = w z$, as if there were no ReLU. So the whole network is linear at the
#   start (Balduzzi and others 2017, Section 4, who use a special ReLU for it).
# - *Learnt 1×1 shortcuts.* There are shortcuts, but at every pixel each multiplies the channels by a matrix (a 1×1
#   convolution; more on these in lesson 03). It starts as the identity and may learn to be something else.
#
# The residual network is the reference. Each arm ran at its own best rate, chosen with one seed, and was judged on
# three fresh ones.
#
# **Predict.** Order them: the usual start, Dirac kernels, half and half, and the residual network. Is a good start enough?

# %%
study = read_study("02_shortcut_or_start")
settings, ended = study["settings"], {}
NAMES = {"plain": "plain, usual start (t = 1)", "dirac 0.75": "plain, t = ¾", "dirac 0.5": "plain, t = ½",
         "dirac 0.25": "plain, t = ¼", "dirac 0": "plain, Dirac kernels (t = 0)", "looks linear": "plain, looks linear",
         "identity 1x1": "learnt 1×1 shortcuts", "residual": "residual"}
for arm, name in NAMES.items():
    runs = [run for run in study["results"] if run["task"].get("arm") == arm]
    rate, judged = at_best_rate(runs, settings["search_seeds"], settings["seeds"])
    ended[name] = [run["train_loss"] for run in judged]
plots.show(*plots.intervals(ended, "training loss (nats)", log=True),
           "54 layers, 600 updates, three runs each, recorded. **Read it from top to bottom:** the first six are one and the "
           "same plain network from different first weights, each at its best rate.")
print(provenance(study))

# %% [markdown] tags=["slide"]
# ## The shortcut, or only the start?
#
# <!-- later -->
#
# <!-- output: 400 -->
#
# <!-- notes -->
# One plain network from six different starts, each at its best rate, and two with shortcuts. Ask before: is a good
# start enough? They will say: no, it is the shortcut that matters. Answer: a good start brings a plain network a long
# way, and not all the way.

# %%
usual, residual = ended["plain, usual start (t = 1)"], ended["residual"]
for name, words in (("plain, Dirac kernels (t = 0)", "starts from Dirac kernels"),
                    ("plain, looks linear", "looks linear at the start")):
    verdict_above(f"the plain network with the usual start ends above the one that {words}", above=usual,
                  below=ended[name], ratio=1.5, unit="nats", recorded=True)
verdict_above("the plain network with Dirac kernels still ends above the residual one",
              above=ended["plain, Dirac kernels (t = 0)"], below=residual, ratio=1.5, unit="nats", recorded=True)

# %% [markdown]
# A good start alone carries a plain network of 54 layers a long way. So it can get much of the benefit from its first
# weights. (Half and half is better than the usual start and worse than pure Dirac kernels. The best of these mixtures has
# a quarter of randomness in it, though nothing had been claimed about that.) It does not get all of it, at least not from any of these
# starts: the residual networks end several times lower still, and so do those whose shortcuts were free to become
# something else, though these have a few weights more. Whether the path past the layers is needed throughout, or
# whether these networks merely start better than ours, this comparison cannot say. Lesson
# [04](04_plain_vs_residual.ipynb) takes shortcuts away in mid-training to learn more, and lesson 05 looks into what a
# good start changes inside.
#
# ## 7. A hundred layers, once more
#
# Time to go back to the figure with which lesson 01 began, where a hundred dense layers ended so far above ten. Put a
# shortcut around every pair of them: what becomes of the hundred? A recorded study tried it twice, once with the usual
# first weights everywhere and once with branches of zero, each kind and depth at its best rate. (Nothing was claimed
# beforehand. The rates were lowered step by step to zero, so the losses are a little lower than in lesson 01.)
#
# **Predict.** Sketch the two in the figure of lesson 01: above the plain network of 100 layers, between it and the one
# of 10, or below? And where do ten layers of each kind go?

# %%
dense = read_study("02_dense_residual")
settings, again = dense["settings"], {}
for arm, words in {"plain": "plain", "residual": "residual, usual start", "zero branches": "residual, branches of zero"}.items():
    for depth in settings["depths"]:
        runs = [run for run in dense["results"] if (run["task"]["arm"], run["task"]["depth"]) == (arm, depth)]
        judged = at_best_rate(runs, settings["search_seeds"], settings["seeds"])[1]
        again.setdefault(words, {})[depth] = [run["train_loss"] for run in judged]
plots.show(*plots.dots(again, "weighted layers", "training loss (nats)", log=True),
           "The figure of lesson 01, redrawn: dense layers of 71 units without normalisation, 600 updates, three fresh "
           "seeds each, recorded. **Compare the three kinds at 100 layers,** and then each with ten layers of its own kind.")
print(provenance(dense))
zero = again["residual, branches of zero"]
assert max(zero[10]) < min(zero[100]) < max(zero[100]) < min(again["plain"][10])
assert min(again["residual, usual start"][100]) > max(again["plain"][100])  # with the usual first weights

# %% [markdown] tags=["slide"]
# ## A hundred layers, once more
#
# A shortcut around every pair of layers. Where will the hundred end?
#
# <!-- later -->
#
# <!-- output: 450 -->
#
# The addition is half of the idea. **A branch that starts small** is the other half.
#
# <!-- notes -->
# Ask: where do the residual ones go? They will say: down to the level of 10. Answer: with the usual first weights, they
# go up. With branches that start at zero, they go down: further than ten plain layers, though not quite as far as ten
# of their own kind. The addition is half of the idea, and a small branch at the start the other half.

# %% [markdown]
# The addition by itself makes matters *worse*. Forty-nine blocks with branches of the usual size, and nothing to hold
# them in check, blow the signal up, as section 4 said they would. Let the same branches start at zero, and a hundred
# layers end below ten plain ones. Depth still costs them something, for ten layers of their own kind end lower still, by
# about a third; but where a hundred plain layers had nine times the loss of ten, these have one and a half times. So the
# shortcut is half of the idea. The other half is a branch that is small *beside its shortcut*, and the batch normalisation of most residual networks sees to
# that in its own way, as lesson 05 will show.
#
# ## Summary
#
# - A residual block learns the difference $F(x) = H(x) - x$. On its own, that only moves the target: it
#   helps where $H$ is near the identity and hurts where $H$ is near zero.
# - With a branch of zero, a residual block passes on what comes out of a ReLU, to the last bit.
# - Its Jacobian is $D_2 (I + J)$, and that of a row, without the last ReLUs, is $\prod (I + J_l)$. Multiplied
#   out, one of its terms is $I$: a path back that goes through no layer.
# - So in a row of random blocks the gradient does not vanish when the branches are small. With branches of the
#   usual size and no normalisation, the additions make it explode.
# - A ReLU at the end of each block cuts off part of what travels along the straight line.
# - With kernels that start near the identity, a deep plain network learns far better, without any shortcut. None of
#   the starts that we tried brought it level with the residual one.
# - With shortcuts *and* branches of zero, a hundred dense layers end below ten plain ones, at one and a half times the loss of ten
#   of their own kind. With shortcuts and the usual first weights they end even above a hundred plain ones.
#
# You can now write a residual block and know what it is good for. For photographs, with hundreds of
# channels, two 3×3 convolutions are an expensive branch, and lesson [03](03_bottleneck_block.ipynb) builds the
# one that made 152 layers affordable. Lesson 04 then lets the networks race.
#
# ## Quiz
#
# Five questions. Each option says why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("02")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - $F(x) = H(x) - x$: the same branch, another target.
# - Easier near the identity, harder near zero: a bet.
# - $\prod (I + J)$ has a path back that goes through no layer. With small branches it keeps the gradient alive;
#   with large ones it does **not** keep it from exploding.
# - The last ReLU cuts off part of what travels along the line.
#
# **Exercises:** lesson 02; the last one is for a discussion.
#
# <!-- notes -->
# Ask: two 3×3 convolutions are an expensive branch. How would you make it cheaper without narrowing the line?
# They will say: smaller kernels. Answer: fewer channels inside the branch. That is lesson 03.

# %% [markdown]
# <!-- quiz: 02 -->
#
# ## Exercises
#
# Reading is only half the work. In the [exercises for lesson 02](exercises/02_residual_learning.ipynb) you build,
# mend, predict and run, with checks that answer at once and hints to open if you need them; one exercise is there to discuss.
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). The residual: Section 3.1. The block:
#   Section 3.2, Figures 2 and 5.
# - K. He, X. Zhang, S. Ren, J. Sun 2016b: *Identity Mappings in Deep Residual Networks*. ECCV.
#   [arXiv:1603.05027](https://arxiv.org/abs/1603.05027). The sum and its gradient: Section 2, equations 3 to 5.
#   ReLU before the addition: Section 4.1. The last ReLU: Section 4.2.
# - A. Veit, M. Wilber, S. Belongie 2016: *Residual Networks Behave Like Ensembles of Relatively Shallow
#   Networks*. NIPS. [arXiv:1605.06431](https://arxiv.org/abs/1605.06431), Section 3.
# - K. He, X. Zhang, S. Ren, J. Sun 2015: *Delving Deep into Rectifiers*. ICCV.
#   [arXiv:1502.01852](https://arxiv.org/abs/1502.01852), Section 2.2: the variance of the weights.
# - S. Zagoruyko, N. Komodakis 2017: *DiracNets: Training Very Deep Neural Networks Without Skip-Connections*.
#   [arXiv:1706.00388](https://arxiv.org/abs/1706.00388).
# - D. Balduzzi, M. Frean, L. Leary, J. P. Lewis, K. W.-D. Ma, B. McWilliams 2017: *The Shattered Gradients
#   Problem: If Resnets Are the Answer, Then What Is the Question?* ICML.
#   [arXiv:1702.08591](https://arxiv.org/abs/1702.08591), Section 4: the start that looks linear.
