# %% [markdown]
# # 09 · Scaling out
#
# Your training takes a week, and somebody lends you a second computer. What do you do with it? The two machines have
# no memory in common, only a cable between them. You could give each of them half of every batch and let them tell
# each other what they found. But then neither ever sees all the images of an update, so you would expect to pay for
# the speed with a somewhat worse network. Let's find out how much worse. Your computer is about to start two
# processes that share nothing but messages, just as two machines would. They train one network together, and then a
# single process trains it once more, with every batch to itself.
#
# **Objectives.** After this lesson you can
#
# 1. say what two workers with half a batch each compute together, and on which two conditions;
# 2. turn a custom training loop into one for several devices, and test it for the usual mistakes;
# 3. say what batch normalisation does to the equality, and what it takes to restore it;
# 4. stop cleanly when a worker dies, and resume the run as if nothing had happened.
#
# **Prerequisites.** Lesson [00](00_start_here.ipynb); Adam and batch normalisation are in its
# [primer](deeper/00_primer.ipynb). Nothing here depends on shortcuts. They are merely what made networks deep enough
# to want a second machine.
#
# **Reading time:** 40 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import numpy as np

from resnet_lesson import diagrams, plots
from resnet_lesson.data import load_mnist
from resnet_lesson.distributed.launch import Workers
from resnet_lesson.distributed.replicas import mirrored
from resnet_lesson.models import network, reset_weights
from resnet_lesson.training import Trainer
from resnet_lesson.verdicts import verdict, verdict_above

strategy = mirrored(2)  # for section 4; it must be made before TensorFlow computes anything
resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
SEEDS, UPDATES = (0, 1, 2), 200

# %% [markdown]
# **Predict.** Both start from the same weights and use the same batches, 64 images at a time. After 200 updates, how
# far will the loss of the two workers be from that of the one process, in nats?

# %%
my_guess = None  # for example 0.05

# %%
OPTIONS = {"depth": 8, "images": 6400, "batch_size": 64, "updates": UPDATES}
with Workers(2, OPTIONS | {"seeds": SEEDS}) as workers:  # two new processes, which train together
    two = workers.records()

mnist = load_mnist(train=6400, val=0, test=0)
alone = Trainer(network(8, normalisation=False, zero_init=True), batch_size=64)
one = [alone.run(mnist, seed, UPDATES) for seed in SEEDS]

# %%
TENS = range(10, UPDATES + 1, 10)


def apart(first, second):
    """Return by how much the losses of two runs differ: the largest difference in each ten updates."""
    differences = np.abs(np.subtract(first.loss, second.loss)).reshape(-1, 10).max(axis=1)
    return np.maximum(differences, 1e-7)  # a logarithmic axis has no place for zero


figure = plots.curves(TENS, {
    "loss of two workers": [np.reshape(run.loss, (-1, 10)).mean(axis=1) for run in two],
    "difference from one": [apart(a, b) for a, b in zip(one, two)],
}, "updates", "nats, on a logarithmic scale", log=True, guess=my_guess)
plots.show(*figure, "Above, the loss of the two workers; below, how far it is from that of one process (three seeds, the "
           "largest difference in each ten updates). **Look at the left end of the lower line:** up to about update 60 the two differ in the "
           "last digit that a `float32` number has. Later the difference grows, but stays far below the loss.")

# %% [markdown] tags=["slide"]
# # 09 · Scaling out
#
# <!-- later -->
#
# <!-- output: 450 -->
#
# Two workers, each with half of every batch, against one process.
#
# <!-- notes -->
# Ask before you show it: your training takes a week, and you get a second machine; neither sees a whole batch. How
# much worse will the network be? They will say: a few per cent. Answer: read the lower line. At first the two agree
# to the last digit of a float32; later they drift apart, and section 3 finds out whose fault that is.

# %%
early = max(np.abs(np.subtract(a.loss, b.loss)[:20]).max() for a, b in zip(one, two))
verdict("in the first 20 updates, the losses of two workers equal those of one process, up to rounding", early < 1e-5,
        f"at most {early:.1e} nats apart, over {len(SEEDS)} seeds")
late = max(apart(a, b).max() / np.ptp(a.loss) for a, b in zip(one, two))
verdict("over all 200 updates, the difference stays below a tenth of the change that training makes", late < 0.1,
        f"at most {late:.1%} of it")

# %% [markdown]
# ## 1. Cut the batch, not the model
#
# Not worse, then, but the same: to the last digit at first, and to within a small fraction of the loss after 200
# updates. Before we see why, some words.
#
# What you have just watched is **data parallelism**: each machine has the whole network and a part of each batch.
# (The alternative, **model parallelism**, cuts the network itself, which is what you need when it does not fit into
# one machine. Dean and his colleagues (2012) used both, but let their workers update without waiting for one another,
# so that theirs would not pass our test.) A **worker** is a process. It holds one **replica** or several, each a copy
# of the model on a device of its own. The images of one update are the **global batch**, and what one replica gets of
# them is its **share**.

# %%
plots.show(*diagrams.data_parallel(2),
           "One update, from top to bottom. The two columns touch in one place only, the **all-reduce**, which leaves "
           "each worker with the mean of both gradients. Notice what is never sent: the images, and the weights.")

# %% [markdown] tags=["slide"]
# ## Cut the batch, not the model
#
# <!-- output -->
#
# <!-- notes -->
# Model parallelism cuts the network, data parallelism cuts the batch. Ask: what must the workers tell each other in
# each update? They will say: their weights. Answer: their gradients, and nothing else. The weights start equal, and
# equal gradients keep them so.

# %% [markdown]
# Nobody needs to send the weights because all copies start from the same ones and then make the same updates. (A
# notebook's kernel cannot become a worker, since it has used TensorFlow already. So `Workers` started two processes
# of the package's own program, `resnet_lesson/distributed/worker.py`. How a process learns who it is, here and on a
# real cluster, is in a notebook of its own: [clusters](deeper/09_clusters.ipynb).)
#
# ## 2. Why it is right
#
# The loss of a batch is the mean of its images' losses $\ell_i$. Cut a batch of $B$ images into $k$ shares $S_1,
# \dots, S_k$ of equal size. Then the mean over the batch is the mean of the shares' means, and since the gradient of
# a mean is the mean of the gradients,
#
# $$\nabla \frac{1}{B}\sum_{i=1}^{B} \ell_i
#   = \frac{1}{k}\sum_{r=1}^{k} \Big(\nabla \frac{k}{B}\sum_{i\in S_r} \ell_i\Big).$$
#
# The bracket is what replica $r$ can compute alone: the gradient of its own mean loss. So the mean of the replicas'
# gradients does not approximate the gradient of the global batch. It *is* that gradient, on two conditions: the
# shares are equally large, and an image's loss depends on that image alone. Here is the first of them, in double
# precision (`float64`), so that nothing can hide behind rounding.

# %%
import keras
import tensorflow as tf

from resnet_lesson.distributed.worker import build

keras.config.set_dtype_policy("float64")
nets = {normalisation: build(8, normalisation) for normalisation in ("none", "each")}  # "each": section 6
synchronised = build(8, "all", strategy)  # section 6, too
keras.config.set_dtype_policy("float32")
images, labels = mnist.train.images[:64].astype("float64"), mnist.train.labels[:64]

# %%
def gradient(net, images, labels):
    """Return the gradient of a batch's mean loss, as one long array."""
    with tf.GradientTape() as tape:
        logits = net(images, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    return tf.concat([tf.reshape(part, [-1]) for part in tape.gradient(loss, net.trainable_variables)], 0)


def distance(found, wanted):
    """Return how far a gradient is from another one, relative to that one's length."""
    return float(tf.norm(found - wanted) / tf.norm(wanted))


# %%
net, plain_mean = nets["none"], []
for seed in SEEDS:
    reset_weights(net, seed)
    whole = gradient(net, images, labels)
    halves = [gradient(net, images[at], labels[at]) for at in (slice(0, 32), slice(32, 64))]
    assert distance((halves[0] + halves[1]) / 2, whole) < 1e-12
    few, many = (gradient(net, images[at], labels[at]) for at in (slice(0, 16), slice(16, 64)))
    assert distance((16 * few + 48 * many) / 64, whole) < 1e-12
    plain_mean.append(distance((few + many) / 2, whole))
verdict("with shares of 16 and 48 images, the plain mean of the two gradients is not the gradient of the batch",
        min(plain_mean) > 0.01, f"off by at least {min(plain_mean):.0%} of its length, over {len(SEEDS)} seeds")

# %% [markdown] tags=["slide"]
# ## The mean of the gradients is the gradient of the mean
#
# $$\nabla \frac{1}{B}\sum_{i=1}^{B} \ell_i
#   = \frac{1}{k}\sum_{r=1}^{k} \Big(\nabla \frac{k}{B}\sum_{i\in S_r} \ell_i\Big)$$
#
# The bracket: what replica $r$ computes alone, from its share $S_r$.
#
# Two conditions: equal shares, and an image's loss depends on that image alone.
#
# <!-- notes -->
# Ask: which of the two conditions does a usual network break? They will say: neither. Answer: the second one, by
# batch normalisation. Leave it open until its slide. Shares of 16 and 48 need a weighted mean, a quarter and three
# quarters.

# %% [markdown]
# With shares of 16 and 48 images you need a weighted mean, a quarter of one gradient and three quarters of the other.
# It is simpler to keep the shares equal, and the package refuses a batch that it cannot cut evenly. The second
# condition looks so harmless that you may have read past it. It will be back in section 6.
#
# ## 3. Equal, for how long?
#
# If the two sides are the same number, why does the first figure show any difference at all? Because a computer
# rounds after every addition, and the sum over a batch is not rounded in the same places as the sum of two half sums.
# That accounts for the last digit, and for the flat beginning of the lower line. But then the differences grow by
# orders of magnitude. Is that the second worker's fault?
#
# Here is an experiment without a second worker. Take one process, change *one* of its weights by the smallest step
# that a `float32` can make, train again, and compare the two runs.

# %%
nudged = []
for seed in SEEDS:
    reset_weights(alone.model, seed)
    weights = alone.model.get_weights()
    weights[0].flat[0] = np.nextafter(weights[0].flat[0], np.float32(np.inf))
    alone.model.set_weights(weights)
    nudged.append(alone.run(mnist, seed, UPDATES, reset=False))

# %%
drift = {"two workers and one": [apart(a, b) for a, b in zip(one, two)],
         "one and itself, nudged": [apart(a, b) for a, b in zip(one, nudged)]}
plots.show(*plots.curves(TENS, drift, "updates", "difference of the losses (nats)", log=True),
           "How far two runs are apart, three pairs each. **The dashed line needs no second worker:** one process is "
           "compared with itself, one weight changed in its last digit, and it takes off in much the same way.")

# %% [markdown] tags=["slide"]
# ## Whose fault is the drift?
#
# <!-- output: 440 -->
#
# Dashed: one process against itself, one weight changed in its last digit.
#
# <!-- notes -->
# Ask: why do rounding errors not stay small? They will say: the network connection adds noise. Answer: no second worker
# is needed. Training itself magnifies any difference that it is given. So "equal to one process" holds for some number
# of updates only; at the second update it is a sharp test.

# %%
growth = [run[-5:].max() / run[:2].max() for run in drift["one and itself, nudged"]]
verdict("one process drifts away from itself: in the last fifty updates at least a hundred times as far as in the first "
        "twenty", min(growth) >= 100, f"{min(growth):,.0f} to {max(growth):,.0f} times as far, over {len(SEEDS)} seeds")

# %% [markdown]
# So it is training itself that magnifies whatever small difference it is given, and a second worker is merely one way
# of giving it one. (Lesson [04](04_plain_vs_residual.ipynb) used the same effect to find out how often its verdicts
# cry wolf.) It follows that "the same as one process" is a claim about a limited number of updates. For the first few
# it is exacting, though, and that makes it a test worth having: if your workers and one process differ in the
# *second* update by more than the last digits, it is not rounding. Either there is a mistake, or some layer looks at
# the whole batch (section 6).
#
# ## 4. Three more lines
#
# In TensorFlow, a **strategy** knows the replicas and how they talk to each other. If you train with `fit` on one machine, it
# is all that you need: build and compile the model inside `strategy.scope()`, and `fit` does the rest. (Across several machines
# `fit` fails in the Keras that this course was built with: [clusters](deeper/09_clusters.ipynb), section 3.) A custom training
# loop needs the strategy's scope, a loss that is averaged over the replicas for printing, and three lines that change what is
# computed. Here is one, in plain TensorFlow and Keras apart from the network itself. To give this notebook two replicas, its
# first cell cut your processor into two logical devices. They share its cores, so nothing gets faster; on a machine with two
# GPUs, write `strategy = tf.distribute.MirroredStrategy()`, and the code stays as it is.

# %%
def train(strategy, batches, new_optimizer=lambda: keras.optimizers.Adam(2e-3), replicas=None):
    """Train from the first weights of seed 0; return the loss of each batch."""
    replicas = replicas or strategy.num_replicas_in_sync
    with strategy.scope():  # each replica gets a copy of what is made here
        net = network(8, normalisation=False, zero_init=True)
        optimizer = new_optimizer()
        optimizer.build(net.trainable_variables)
    reset_weights(net, seed=0)

    def update(images, labels):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, net(images, training=True))
            loss = tf.reduce_mean(losses)
            part = loss / replicas                               # 3: gradients will be added up
        optimizer.apply(tape.gradient(part, net.trainable_variables))
        return loss

    @tf.function(autograph=False)
    def step(*share):
        losses = strategy.run(update, share)                     # 2: all replicas, each with its share
        return strategy.reduce("MEAN", losses, axis=None)

    shares = strategy.experimental_distribute_dataset(batches)   # 1: each batch is dealt out
    return [float(step(*share)) for share in shares]

# %%
from resnet_lesson.distributed.trainer import DistributedTrainer

one_device = tf.distribute.OneDeviceStrategy("CPU:0")  # the same interface, with a single replica
order = np.random.default_rng([0, 1]).permutation(6400)[:20 * 64].reshape(20, 64)  # the package's, for seed 0


def in_order(order):
    """Return a dataset with a batch for each row of image numbers."""
    data = mnist.train.images[order.ravel()], mnist.train.labels[order.ravel()]
    return tf.data.Dataset.from_tensor_slices(data).batch(64)


batches = in_order(order)
package = DistributedTrainer(build(8, "none", strategy), batch_size=64, strategy=strategy)
found = {"above, one device": train(one_device, batches), "above, two devices": train(strategy, batches),
         "the package, two devices": package.run(mnist, seed=0, updates=20).loss}
assert np.ptp(list(found.values()), axis=0).max() < 1e-5
plots.table(["loop", *(f"loss of batch {n}" for n in (1, 2, 20))],
            [[name, *(f"{losses[n - 1]:.6f}" for n in (1, 2, 20))] for name, losses in found.items()])

# %% [markdown] tags=["slide"]
# ## Three more lines
#
# ```python
# with strategy.scope():
#     net, optimizer = ...
#
# shares = strategy.experimental_distribute_dataset(batches)   # 1
#
# losses = strategy.run(update, share)                         # 2
#
# part = loss / replicas                                       # 3
# ```
#
# Line 3 divides, because Keras's optimisers **add up** the replicas' gradients.
#
# <!-- notes -->
# Walk through the cell. Ask: where is the all-reduce? They will say: in strategy.run. Answer: inside the optimiser's
# apply, which adds up the gradients of all replicas, and that is why line 3 must divide.

# %% [markdown]
# Where is the all-reduce? It hides in `optimizer.apply`. Keras's optimisers *add up* the gradients of all replicas,
# and since what we want is their mean, line 3 divides. (The package asks for the mean itself, and updates each copy
# with it.) With `fit` all this is out of sight:

# %%
def fit(scope):
    with scope.scope():
        net = network(8, normalisation=False, zero_init=True)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        net.compile(keras.optimizers.Adam(2e-3), loss, jit_compile=False)  # as in the loop above
    reset_weights(net, seed=0)
    history = net.fit(mnist.train.images[:1280], mnist.train.labels[:1280], batch_size=64, shuffle=False, verbose=0)
    return history.history["loss"][0]


on_one, on_two = fit(one_device), fit(strategy)
assert abs(on_one - on_two) < 1e-5
print(f"mean loss of an epoch with fit: {on_one:.6f} on one device, {on_two:.6f} on two")

# %% [markdown]
# **Predict.** Line 3 is the one that gets forgotten. Without it, each gradient is twice as large as it should be.
# What will that do to the losses, with plain gradient descent (SGD), and with Adam?

# %%
def sgd():
    return keras.optimizers.SGD(0.05)


halved = in_order(np.tile(order[:, :32], 2))
right, with_sgd = found["above, one device"], train(one_device, batches, sgd)
mistakes = {
    "none": np.subtract(found["above, two devices"], right),
    "line 3 forgotten, SGD": np.subtract(train(strategy, batches, sgd, replicas=1), with_sgd),
    "line 3 forgotten, Adam": np.subtract(train(strategy, batches, replicas=1), right),
    "both replicas get the same half": np.subtract(train(strategy, halved), right),
}
plots.table(["mistake", *(f"difference of the losses, batch {n}" for n in (1, 2, 20))], [
    [name, *(f"{abs(off[n - 1]):.7f}" for n in (1, 2, 20))] for name, off in mistakes.items()
])

# %% [markdown] tags=["slide"]
# ## The line that gets forgotten
#
# <!-- later -->
#
# <!-- output -->
#
# - SGD takes a step twice as long as it should be, and the second loss shows it.
# - Adam divides each gradient by its usual size: the factor of two **cancels**.
#
# <!-- notes -->
# Ask: without the division each gradient is twice too large. What happens with SGD, what with Adam? They will say:
# both blow up. Answer: SGD shows it in the second loss. Adam divides each gradient by its usual size, so that a
# factor cancels: the mistake all but disappears. Test a loop with SGD.

# %%
verdict_above("without line 3 the second loss is off, and at least a hundred times further with SGD than with Adam",
              above=[abs(mistakes["line 3 forgotten, SGD"][1])], below=[abs(mistakes["line 3 forgotten, Adam"][1])],
              ratio=100, unit="nats")

# %% [markdown]
# With SGD the mistake shows in the second loss, to anybody who compares. With Adam it all but disappears, because
# Adam divides each gradient by its usual size, and a factor of two cancels; what is left probably comes from the small
# ε in the denominator. There the mistake lies in wait until somebody changes the optimiser, or clips the gradients. So
# test your loop with SGD. The last row is treacherous in another way: nothing crashes and training goes on, while
# half of every batch is never used, and only the comparison with one process tells.
#
# ## 5. All-reduce
#
# Each worker has a gradient, an array of $n$ numbers, and each needs the sum of all $k$ of them. (The mean is one
# division away.) The obvious way is to appoint a collector, who takes in $k-1$ arrays, adds them up and sends $k-1$
# copies out again. The more workers you hire, the longer they queue at that one machine's door.
#
# The **ring all-reduce** spreads that work evenly (Patarasuk and Yuan 2009). The workers stand in a circle, each cuts
# its array into $k$ chunks, and each sends to its right-hand neighbour only. In the first $k-1$ rounds everybody
# passes a chunk on and adds what arrives to its own, after which each holds one chunk of the finished sum. In another
# $k-1$ rounds the finished chunks travel once around.
#
# Take three workers, 0, 1 and 2, and chunks a, b and c. Round 1: worker 0 sends its a to 1, worker 1 its b to 2, worker 2
# its c to 0, and each adds what arrives. Round 2: each sends on the chunk that it has just added to, so that worker 2 then
# holds the finished a, worker 0 the finished b, worker 1 the finished c. Rounds 3 and 4 only hand these around.
#
# **Predict.** How many numbers does each worker send, compared with the $n$ that it has? With two workers, and with a
# hundred?

# %%
def ring_all_reduce(arrays):
    """Return every worker's sum of all arrays, and how many numbers each worker has sent."""
    k = len(arrays)
    chunks = [np.array_split(array.copy(), k) for array in arrays]  # chunks[worker][place]
    sent = [0] * k
    for step in range(2 * (k - 1)):
        adding = step < k - 1
        moving = [(worker, (worker - step) % k) for worker in range(k)]
        messages = [chunks[worker][place].copy() for worker, place in moving]
        for (worker, place), message in zip(moving, messages):
            right = (worker + 1) % k
            chunks[right][place] = chunks[right][place] + message if adding else message
            sent[worker] += message.size
    return [np.concatenate(parts) for parts in chunks], sent


# %%
rows, n = [], 1200
for k in (2, 4, 8, 100):
    arrays = np.random.default_rng(k).normal(size=(k, n))
    sums, sent = ring_all_reduce(arrays)
    assert np.allclose(sums, arrays.sum(axis=0)) and set(sent) == {2 * (k - 1) * n // k}
    rows.append([k, f"{k - 1} n", f"{sent[0] / n:.2f} n", 2 * (k - 1)])
plots.table(["workers", "a collector sends", "in the ring, each sends", "rounds"], rows)

# %% [markdown] tags=["slide"]
# ## Everybody needs the sum: all-reduce
#
# - A collector: $k-1$ arrays in, $k-1$ arrays out, all through one door.
# - The **ring**: cut each array into $k$ chunks, send only to the right.
# - First $k-1$ rounds add up, then $k-1$ rounds pass the finished chunks on.
#
# **Predict:** how much does each worker send, with a hundred workers?
#
# <!-- notes -->
# Play it: four people in a circle, four numbers each. They will say: a hundred times as much. Answer: on the next
# slide. Ask as well: what happens if one of the four is slow?

# %% [markdown] tags=["slide"]
# ## Less than twice the gradient, however many workers
#
# <!-- output -->
#
# $$\text{each sends}\quad 2\,\frac{k-1}{k}\,n < 2n$$
#
# What does grow is the number of rounds, and each waits for the slowest connection.
#
# <!-- notes -->
# Counted, not timed. Ask: so why is a thousand workers not a thousand times as fast? They will say: because more is
# sent. Answer: each sends less than 2n. But there are more rounds, each waits for the slowest, and the shares get
# small.

# %% [markdown]
# Each worker sends $2\frac{k-1}{k}n$ numbers, which never reaches $2n$, which is one reason why data parallelism
# scales as far as it does. The number of rounds does grow, and each of them waits for the slowest connection. Whether
# two processes are faster than one on *your* machine, and what becomes of the learning rate when the batch grows with
# the workers, are questions for [the deeper notebook](deeper/09_clusters.ipynb), sections 1 and 2.
#
# ## 6. What batch normalisation sees
#
# Now for the second condition, that an image's loss depends on that image alone. Batch normalisation breaks it by
# design. It subtracts the mean of the *batch*, so each image's output depends on all the others, and to a replica
# "the batch" is its own share. How much does that change? We cut 64 images into more and more shares, let each be
# normalised by itself, and compare the mean of the gradients with the gradient of the uncut batch.

# %%
COUNTS = (2, 4, 8, 16)
off = {"own statistics": {k: [] for k in COUNTS}, "no normalisation": {k: [] for k in COUNTS}}
for found, kind in zip(off.values(), ("each", "none")):
    for seed in SEEDS:
        reset_weights(nets[kind], seed)
        whole = gradient(nets[kind], images, labels)
        for k in COUNTS:
            cut = zip(np.split(images, k), np.split(labels, k))
            found[k].append(distance(np.mean([gradient(nets[kind], *share) for share in cut], axis=0), whole))

# %%
plots.show(*plots.dots(off, "replicas that share 64 images", "distance from the batch's gradient"),
           "How far the mean of the replicas' gradients is from the gradient of the batch, relative to its length, "
           "with the first weights of three seeds. Without normalisation the distance is zero but for rounding. "
           "**With it, each replica normalises its own share,** and the gradient is another one, even with two replicas.")

# %% [markdown] tags=["slide"]
# ## Each replica normalises its own share
#
# <!-- output: 440 -->
#
# Each image's output depends on the batch, and to a replica "the batch" is its share.
#
# <!-- notes -->
# Here is the second condition again. Ask: is the other gradient a wrong one? They will say: yes. Answer: no, it is
# the gradient of a slightly different computation, with smaller batches as far as the statistics go. Goyal and his
# colleagues trained like that, and kept 32 images a worker.

# %% [markdown]
# Could the replicas tell each other their statistics? Yes, but not just any. The mean of the shares' means is the
# mean of the batch. The mean of their *variances* is too small, because it knows nothing of how the shares' means
# differ, and the fewer images there are in each, the more they differ. What may be averaged instead is the mean of
# the squares, from which the variance follows:

# %%
x = keras.Model(nets["each"].input, nets["each"].get_layer("stem_conv").output)(images)  # of the first convolution
mean, variance = tf.nn.moments(x, [0, 1, 2])  # what a single device uses, for each channel
rows = []
for k in (2, 32):
    means, variances = zip(*(tf.nn.moments(share, [0, 1, 2]) for share in tf.split(x, k)))
    squares = [v + m**2 for m, v in zip(means, variances)]
    assert np.allclose(np.mean(means, axis=0), mean)
    assert np.allclose(np.mean(squares, axis=0) - np.mean(means, axis=0)**2, variance)
    rows.append([k, 64 // k, f"{np.max(1 - np.mean(variances, axis=0) / variance):.3%}"])
plots.table(["shares", "images in each", "the mean of the variances is too small by up to"], rows)

# %% [markdown]
# The error is tiny here, because even two images bring hundreds of positions each; it is an error all the same. (The figure before is
# another matter. There nobody averaged the statistics: each share used its own, and these can be far from the batch's even where
# their average is nearly right.) Averaging the squares instead is
# **synchronised** batch normalisation, `BatchNormalization(synchronized=True)` in Keras. Each such layer exchanges
# two numbers a channel, forwards and, for the gradient, backwards. Here it is on our two devices:

# %%
from resnet_lesson.distributed.replicas import shares


@tf.function(autograph=False)
def mean_gradient(*share):
    each = strategy.run(lambda images, labels: gradient(synchronised, images, labels), share)
    return strategy.reduce("MEAN", each, axis=None)


restored, share = [], (shares(strategy, images), shares(strategy, labels))
for seed in SEEDS:
    reset_weights(synchronised, seed)
    reset_weights(nets["each"], seed)
    restored.append(distance(mean_gradient(*share), gradient(nets["each"], images, labels)))
own = min(off["own statistics"][2])
verdict("two replicas that normalise by their own shares do not get the gradient of the batch", own > 0.01,
        f"off by at least {own:.0%} of its length, over {len(SEEDS)} seeds")
verdict("with synchronised normalisation, two devices get the gradient of the batch, up to rounding", max(restored) < 1e-9,
        f"off by at most {max(restored):.0e} of its length, over {len(SEEDS)} seeds")

# %% [markdown] tags=["slide"]
# ## Synchronised: which statistics may be averaged?
#
# - the mean of the means: **yes**
# - the mean of the variances: **no**, too small: it misses how the shares' means differ
# - the mean of the squares: **yes**, and the variance follows
#
# `BatchNormalization(synchronized=True)`: equal to one device again, at the price of messages in every such layer.
#
# <!-- notes -->
# Ask: two halves, each with its mean and variance. How do you get those of the whole? They will say: average both.
# Answer: two shares that are constant, at 0 and at 1, each have variance zero; together they have not.

# %% [markdown]
# Normalising by shares is not wrong. It is another computation, in which the batch is smaller as far as the
# statistics go. Goyal and his colleagues (2017, Section 2.3) trained that way and kept 32 images a worker, so that
# the statistics meant the same however many workers there were. What would be wrong is to expect the same numbers,
# which is why the runs in this lesson do without normalisation.
#
# ## 7. A worker dies
#
# With enough machines, one of them is always about to fail. When it does, the others cannot simply go on, because the
# mean needs everybody's gradient. The real danger is that they *wait*, silently, for as long as somebody pays for
# them. A run that is meant to survive needs three things:
#
# 1. **A clear end.** A worker that loses another one says so and stops, with an exit status that is not zero. If the
#    other machine merely falls silent, no connection breaks, so a watchdog ends a process that has made no update for
#    a while.
# 2. **Checkpoints.** Every few updates the first worker, the *chief*, writes down all that is needed to go on: the
#    weights, Adam's running averages, and the number of updates. (The order of the images follows from the seed.)
# 3. **Whole files.** A process may die while it writes. So it writes under another name and then renames the file,
#    which happens completely or not at all.
#
# **Predict.** We start the two workers once more and kill one of them in mid-run, with a signal that leaves it no
# time for last words. What will the other one do, and how soon?

# %%
import tempfile
import time
from pathlib import Path

from resnet_lesson.distributed.checkpoints import Checkpoints
from resnet_lesson.distributed.launch import WorkerError

folder = tempfile.TemporaryDirectory()  # the checkpoints must outlive the workers
RUN = OPTIONS | {"seeds": [0], "checkpoint_every": 10, "folder": folder.name}
checkpoints = Checkpoints(Path(folder.name, "none_0"))

with Workers(2, RUN) as workers:
    while checkpoints.latest() < 50 and workers.processes[1].poll() is None:
        time.sleep(0.01)
    workers.processes[1].kill()
    killed = time.perf_counter()
    try:
        workers.records()
    except WorkerError as error:
        waited, reports = time.perf_counter() - killed, str(error).splitlines()
reached, statuses = checkpoints.latest(), [process.returncode for process in workers.processes]
plots.table(["what became of the two workers"], [[report] for report in reports])

# %% [markdown] tags=["slide"]
# ## A worker dies
#
# 1. **A clear end**: a message, and a non-zero exit status
# 2. **Checkpoints**: weights, Adam's averages, the number of updates
# 3. **Whole files**: written under another name, then renamed
#
# **Predict:** we kill one of two workers. What does the other do?
#
# <!-- notes -->
# Take the predictions. Ask: what can it do without the other's gradient? They will say: the other worker carries on
# alone. Answer: it cannot, the mean needs both gradients. If the connection breaks, TensorFlow notices; if the machine
# falls silent, only a watchdog does. Who has seen a job that hangs, and who paid for it?

# %% [markdown] tags=["slide"]
# ## The other one says so, and stops
#
# <!-- output -->
#
# Neither reports success, so whoever started them, a scheduler for example, knows that the run is not finished.
#
# **Start both again, with the very same command:** where will they end?
#
# <!-- notes -->
# Ask: why must its exit status not be zero? They will say: it is a convention. Answer: because it is what schedulers
# and scripts look at. With zero they take the run for finished, and nobody starts it again.

# %%
verdict("both workers have ended within a minute, and neither reports success", waited < 60 and 0 not in statuses,
        f"{waited:.1f} seconds, exit statuses {statuses[0]} and {statuses[1]}")

# %% [markdown]
# (A negative status is the number of the signal that killed the process.) Now start both again, with the very same
# command. They find the last checkpoint and go on from there. Will they end where the run of the first figure ended,
# which nobody interrupted, or only somewhere near it?

# %%
with Workers(2, RUN) as workers:
    (resumed,) = workers.records()
losses = np.abs(np.subtract(resumed.loss, two[0].loss)).max()
weights = max(np.abs(a - b).max() for a, b in zip(resumed.weights, two[0].weights))
verdict("a run that was killed and went on has the losses and the weights of the run that was never killed",
        0 < reached < UPDATES and max(losses, weights) < 1e-6,
        f"it went on after update {reached}; largest difference of a loss {losses:g}, of a weight {weights:g}")

# %% [markdown] tags=["slide"]
# ## The restart ends where it would have ended
#
# <!-- output -->
#
# It found the last checkpoint: weights, Adam's averages, the number of updates. The seed says which images come next.
#
# <!-- notes -->
# Ask: what would change if the checkpoint held the weights alone? They will say: nothing, the weights are the
# network. Answer: Adam would start as if it had never seen a gradient. The next slide shows what that costs.

# %% [markdown]
# Not near it: exactly there. Training magnifies every difference, as section 3 showed, but here there is none to magnify:
# the same two workers add the same shares in the same order, and the checkpoint keeps every bit. And if the checkpoint held the weights alone, as those of many programs do? Nothing would
# warn you. We let one process save only the weights at update 100, and go on from them.

# %%
class WeightsOnly(Checkpoints):
    """Checkpoints that leave out the optimiser, whose variables come last."""

    def save(self, record, variables):
        super().save(record, variables[:len(alone.model.variables)])

    def restore(self, record, variables):
        return super().restore(record, variables[:len(alone.model.variables)])


behind = []
for seed, whole in zip(SEEDS, one):
    with tempfile.TemporaryDirectory() as half_way:
        trainer = DistributedTrainer(alone.model, checkpoints=WeightsOnly(Path(half_way), every=UPDATES // 2))
        trainer.run(mnist, seed, UPDATES // 2)
        again = trainer.run(mnist, seed, UPDATES)
    behind.append(np.subtract(again.loss, whole.loss))

# %%
plots.show(*plots.curves(TENS, {"restarted": np.reshape(behind, (len(SEEDS), -1, 10)).mean(axis=2)}, "updates",
                         "loss above the uninterrupted run (nats)"),
           "The loss of a run that was restarted at update 100 without Adam's averages, minus that of the run that was "
           "never interrupted, in means of ten updates; three seeds. **Zero until the restart,** and on average above zero from then on.")
cost = [run[UPDATES // 2:].mean() for run in behind]
verdict("restarted without Adam's averages, the next hundred updates have a higher mean loss, with each seed",
        min(cost) > 0.01, f"by {min(cost):.3f} to {max(cost):.3f} nats")

# %% [markdown] tags=["slide"]
# ## A checkpoint must hold the optimiser, too
#
# <!-- output: 420 -->
#
# Training goes on without complaint. Only the comparison shows it.
#
# <!-- notes -->
# Ask: how would you notice it in your own program? They will say: there would be an error. Answer: there is none.
# Restart a short run, and compare its losses with those of one that was not interrupted.

# %% [markdown]
# It goes on training, but as a different run, and a hundred updates later it is still falling behind; we did not wait
# to see whether it would catch up. (Adam's own count of updates was lost as well.) So the test for a checkpoint is the
# test for a second worker: compare the next few losses with those of a run that never stopped.
#
# ## Summary
#
# - The mean of the gradients of equal shares *is* the gradient of the batch, if each image's loss depends on that image
#   alone. Two workers then train like one process, up to rounding.
# - Rounding differences grow with the updates, with a second worker or without. A difference in the second update, by
#   more than the last digits, is not rounding.
# - A custom loop needs a scope and three more lines: deal out the batch, run the update on all replicas, divide by
#   their number. Forget the last one, and Adam hides it.
# - In a ring all-reduce each worker sends less than twice its gradient, however many workers there are.
# - With batch normalisation by shares the gradient is another one. Synchronised normalisation restores it, at the
#   price of messages in every such layer.
# - A lost worker must end the run with a clear message, and a checkpoint must hold the optimiser, too.
#
# This is the last lesson. You began with a riddle: a network that *could* copy a shallower one, and did not. Since then you
# have built the block that makes copying free, raced it fairly, taken it apart, and found the digits that a blog post's
# network never reads; and you have seen some of our own claims fail. Take the habit with you, more than the block: guess
# first, measure with several seeds, and write *undecided* when it is. If you have machines to spare,
# [clusters](deeper/09_clusters.ipynb) takes this lesson's program to them; if you have a problem of your own, lesson
# [08](08_your_turn.ipynb) is where to start.
#
# ## Quiz
#
# Five questions. Each option says why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("09")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - The mean of the gradients of equal shares **is** the gradient of the batch.
# - A difference in the second update is not rounding. Test with SGD.
# - Batch normalisation by shares is another computation.
# - A lost worker must end the run with a clear message.
# - A checkpoint holds the optimiser, too.
#
# **Exercises:** lesson 09; the last one is for a discussion.
#
# <!-- notes -->
# Ask: somebody hands you a distributed program. What do you check first? They will say: how fast it is. Answer: two
# updates against one process, and one restart against no restart. Both take a minute.

# %% [markdown]
# <!-- quiz: 09 -->
#
# ## Exercises
#
# Reading is only half the work. In the [exercises for lesson 09](exercises/09_scaling_out.ipynb) you build,
# mend, predict and run, with checks that answer at once and hints to open if you need them; one exercise is there to discuss.
#
# ## References
#
# - J. Dean, G. S. Corrado, R. Monga et al. 2012: *Large Scale Distributed Deep Networks*. NIPS. Model parallelism and
#   data parallelism.
# - P. Patarasuk, X. Yuan 2009: *Bandwidth Optimal All-reduce Algorithms for Clusters of Workstations*. Journal of
#   Parallel and Distributed Computing 69(2).
# - P. Goyal, P. Dollár, R. Girshick, P. Noordhuis, L. Wesolowski, A. Kyrola, A. Tulloch, Y. Jia, K. He 2017:
#   *Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour*.
#   [arXiv:1706.02677](https://arxiv.org/abs/1706.02677), Section 2.3: batch normalisation.
