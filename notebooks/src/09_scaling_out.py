# %% [markdown]
# # 09 · Scaling out
#
# **Question.** What if one machine is not enough?
#
# **Objectives.** After this lesson you can
#
# 1. say why two workers with half a batch each can make the same update as one with all of it;
# 2. build an all-reduce from messages between neighbours, and count what it sends;
# 3. train with two processes, and check that they do what one does;
# 4. say what batch normalisation changes, and what it takes to undo that;
# 5. end a run in which a worker died, and go on from its last checkpoint.
#
# **Prerequisites.** Lessons [00](00_start_here.ipynb) (batch, gradient, Adam),
# [02](02_residual_learning.ipynb) (residual block) and
# [07](07_variants.ipynb) (networks without normalisation).
#
# **Reading time:** 45 minutes. **Computing time:** 2 minutes on two cores, without a GPU.
#
# This lesson needs no second machine. Two processes of one machine talk to each other in the same
# way as two machines do. The last section says how to start the same program on a real cluster.

# %% [markdown] tags=["slide"]
# # 09 · Scaling out
#
# What if one machine is not enough?
#
# Two processes of one machine talk to each other as two machines would.
#
# <!-- notes -->
# So far everything ran in one process. Ask: your training takes a week, and you get four machines:
# what do you give to each? Expected: a quarter of the layers, or a quarter of the images. Both
# exist. Today it is the images.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # we report lost connections ourselves
import resnet_lesson  # keeps TensorFlow's start-up messages off the page
from resnet_lesson.distributed.replicas import average, mirrored, on_replicas, shares

strategy = mirrored(2)  # must come before TensorFlow's first operation: see section 3
resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
print("replicas:", strategy.num_replicas_in_sync)

# %% [markdown]
# Without `deterministic()` some operations add up in an order that differs from run to run, and this
# lesson compares runs digit by digit; the worker processes of section 5 call it themselves.

# %%
import shutil
import tempfile
import textwrap
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from resnet_lesson import diagrams, plots
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import median_seconds
from resnet_lesson.distributed.checkpoints import Checkpoints
from resnet_lesson.distributed.launch import WorkerError, Workers
from resnet_lesson.distributed.trainer import DistributedTrainer
from resnet_lesson.distributed.worker import build
from resnet_lesson.models import network, reset_weights
from resnet_lesson.training import Trainer
from resnet_lesson.verdicts import verdict, verdict_above

SEEDS = (0, 1, 2)
mnist = load_mnist(train=1280, val=0, test=0)

# %% [markdown]
# ## 1. Cut the batch, not the model
#
# Training is slow because each update needs a gradient over a batch of images. There are two ways
# to divide that work. **Model parallelism** gives each machine a part of the network: it is needed
# when the network does not fit into one. **Data parallelism** gives each machine all of the network
# and a part of the batch. This lesson is about the second.
#
# Some words first. A **replica** is one copy of the model on one device. A **worker** is a process;
# it may hold several replicas. The **global batch** is all the images of one update. A **share** is
# what one replica gets of it.

# %%
plots.show(*diagrams.data_parallel(2))

# %% [markdown] tags=["slide"]
# ## Cut the batch, not the model
#
# <!-- output -->
#
# <!-- notes -->
# Model parallelism cuts the network, data parallelism cuts the batch. Each worker has all weights
# and a share of the images. Ask: what must the workers tell each other after each update? Expected:
# their gradients, and nothing else. The usual wrong answer: their weights.

# %% [markdown] tags=["slide"]
# ## The mean of the gradients is the gradient of the mean
#
# $$\nabla \frac{1}{B}\sum_{i=1}^{B} \ell_i
#   = \frac{1}{k}\sum_{r=1}^{k} \Big(\nabla \frac{k}{B}\sum_{i\in S_r} \ell_i\Big)$$
#
# The bracket is what replica $r$ computes: the gradient of its own mean loss.
#
# Two conditions: equal shares, and an image's loss depends on that image alone.
#
# <!-- notes -->
# Ask: which of the two conditions does a usual network break? Expected: the second one, by batch
# normalisation; hardly anybody sees it at once, so leave the question open until its slide. By how
# much will the two sides differ on a computer? Expected: by rounding.

# %% [markdown]
# Why is that right? The loss of a batch is the mean of the images' losses $\ell_i$. Cut a batch of
# $B$ images into $k$ shares $S_1, \dots, S_k$ of $B/k$ images each. The gradient of a mean is the
# mean of the gradients, so
#
# $$\nabla \frac{1}{B}\sum_{i=1}^{B} \ell_i
#   = \frac{1}{k}\sum_{r=1}^{k} \Big(\nabla \frac{k}{B}\sum_{i\in S_r} \ell_i\Big).$$
#
# The bracket is what replica $r$ computes: the gradient of its own mean loss. So the mean of the
# replicas' gradients *is* the gradient of the global batch, with two conditions. The shares must be
# equally large, and an image's loss must depend on that image alone.
#
# **Predict.** By how much will the two sides differ on a computer?
#
# We compute in double precision (`float64`), so that nothing hides behind rounding. `build` makes
# the small residual network of this lesson: 8 layers, bottleneck blocks, without normalisation.

# %%
images, labels = mnist.train.images[:64].astype("float64"), mnist.train.labels[:64]


def build64(normalisation, strategy=None):
    """Build the network with numbers of double precision."""
    keras.config.set_dtype_policy("float64")
    try:
        return build(8, normalisation, strategy)
    finally:
        keras.config.set_dtype_policy("float32")


# %%
def gradient(net, images, labels):
    """Return the gradient of the mean loss at all weights."""
    with tf.GradientTape() as tape:
        logits = net(images, training=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_mean(losses)
    return tape.gradient(loss, net.trainable_variables)


def distance(gradients, reference):
    """Return the norm of the difference, divided by the norm of the reference."""
    flat = [np.concatenate([np.ravel(one) for one in all]) for all in (gradients, reference)]
    return float(np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[1]))


# %%
net = build64("none")
equal, unequal = [], []
for seed in SEEDS:
    reset_weights(net, seed)
    whole = gradient(net, images, labels)
    for cut, found in ((32, equal), (16, unequal)):
        first = gradient(net, images[:cut], labels[:cut])
        second = gradient(net, images[cut:], labels[cut:])
        found.append(distance([(a + b) / 2 for a, b in zip(first, second)], whole))
verdict("the mean of the gradients of two equal shares is the gradient of the batch",
        max(equal) < 1e-9, f"largest relative difference over {len(SEEDS)} seeds {max(equal):.1e}")
verdict("with shares of 16 and 48 images, the plain mean is another gradient",
        min(unequal) > 1e-3, f"smallest relative difference {min(unequal):.2f}")

# %% [markdown] tags=["slide"]
# ## It is exact, with equal shares
#
# <!-- output -->
#
# <!-- notes -->
# Double precision, so that nothing hides behind rounding. Ask: shares of 16 and 48 images; what
# would be right? Expected: a weighted mean, a quarter and three quarters. The plain mean is another
# gradient.

# %% [markdown]
# Unequal shares need a weighted mean. It is easier to make them equal: the course's code refuses a
# batch that does not divide by the number of replicas.
#
# ## 2. All-reduce
#
# Each worker has a gradient, an array of $n$ numbers. Each needs the mean of all of them. Such an
# operation, from an array on each worker to their sum on each worker, is called an **all-reduce**.
# (The mean is the sum divided by $k$.)
#
# The simplest way: one worker receives all arrays, adds them, and sends the sum to everybody. With
# $k$ workers, $(k-1)n$ numbers go into that one machine and $(k-1)n$ leave it. Its network
# connection becomes the bottleneck.
#
# The **ring all-reduce** shares that work out (Patarasuk and Yuan 2009). The workers stand in a
# circle, and each sends only to its right neighbour. Cut each array into $k$ chunks.
#
# 1. *Reduce-scatter.* In $k-1$ rounds, each worker passes one chunk on, and the receiver adds its
#    own numbers to it. Then each worker holds one chunk of the complete sum.
# 2. *All-gather.* In another $k-1$ rounds the complete chunks go once around.
#
# **Predict.** How many numbers does each worker send, for $n$ numbers and $k$ workers? What happens
# to that with a hundred workers?

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


# %% [markdown] tags=["slide"]
# ## Everybody needs the sum: all-reduce
#
# - One collects, adds, sends out: $(k-1)n$ numbers into one machine.
# - The ring: cut each array into $k$ chunks, send only to the right neighbour.
# - First $k-1$ rounds add, then $k-1$ rounds pass the complete chunks on.
#
# **Predict:** how many numbers does each worker send, with a hundred workers?
#
# <!-- notes -->
# Play it: four people in a circle, four numbers each. Expected answer: a hundred times as many.
# Right: 2(k − 1)/k times n, less than 2n whatever k is. What grows is the number of rounds.

# %% [markdown] tags=["slide"]
# ## The ring in code
#
# <!-- code: 5-13 -->
#
# <!-- notes -->
# Ask: which line tells adding from passing on? Expected: the one with `adding`. Ask: what happens
# if one worker is slow? Expected: every round waits for it.

# %%
WORKERS = (2, 3, 4, 8, 16)
wrong, counted = [], {}
for k in WORKERS:
    arrays = np.random.default_rng(k).normal(size=(k, 240))
    sums, sent = ring_all_reduce(arrays)
    wrong += [np.abs(one - arrays.sum(axis=0)).max() for one in sums]
    counted[k] = max(sent)
verdict("after the ring, every worker has the sum", max(wrong) < 1e-9,
        f"largest difference {max(wrong):.1e}, with {WORKERS} workers")
verdict("each worker has sent 2(k − 1)/k · n numbers",
        all(counted[k] * k == 2 * (k - 1) * 240 for k in WORKERS), f"sent, for n = 240: {counted}")

# %% [markdown] tags=["slide"]
# ## Less than twice the gradient, however many workers
#
# <!-- output -->
#
# <!-- notes -->
# Counted, not timed. Ask: so why is a run with a thousand workers not a thousand times as fast?
# Expected: more rounds, each waiting for the slowest; and shares that become too small.

# %% [markdown]
# So each worker sends less than $2n$ numbers, however many workers there are. That is why data
# parallelism scales. What does grow is the number of rounds, $2(k-1)$, and each of them waits for
# the slowest connection.
#
# ## 3. Two devices in one process
#
# TensorFlow calls a way of spreading the work a *strategy* (`tf.distribute.Strategy`). The simplest
# is `MirroredStrategy`, for several devices of one machine, such as four GPUs. We have none, so the
# first cell has cut the processor into two **logical devices**. They share the cores, so nothing
# gets faster. But the code is that of a machine with two GPUs.
#
# TensorFlow fixes its devices at its first operation. So the cut must come first in the kernel.
# Variables made inside `strategy.scope()` are *mirrored*: one copy on each device. Then Keras's
# `fit` does the rest.
#
# **Predict.** Will the losses be equal to the last digit?

# %%
def fit_losses(scope):
    """Train with fit from each seed's weights, and return the mean loss of each epoch."""
    net = build(8, "none", scope)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with scope.scope():
        net.compile(keras.optimizers.Adam(2e-3), loss, jit_compile=False)
        net.optimizer.build(net.trainable_variables)
    fresh = [variable.numpy() for variable in net.optimizer.variables]
    options = {"batch_size": 64, "epochs": 2, "shuffle": False, "verbose": 0}
    losses = []
    for seed in SEEDS:
        reset_weights(net, seed)
        for variable, value in zip(net.optimizer.variables, fresh):  # Adam's moments, too
            variable.assign(value)
        fit = net.fit(mnist.train.images, mnist.train.labels, **options)
        losses.append(fit.history["loss"])
    return losses


one_device = tf.distribute.get_strategy()  # what TensorFlow uses where nobody asks for another
apart = np.abs(np.subtract(fit_losses(one_device), fit_losses(strategy))).max()
verdict("fit on two devices has the losses of fit on one, to rounding", apart < 1e-3,
        f"largest difference {apart:.1e}, over {len(SEEDS)} seeds")

# %% [markdown] tags=["slide"]
# ## Two devices in one process
#
# TensorFlow's `MirroredStrategy`; the processor is cut into two logical devices.
#
# <!-- output -->
#
# <!-- notes -->
# The code is that of a machine with two GPUs. Ask: will the losses be equal to the last digit?
# Expected: yes. They are not: sums are added in another order.

# %% [markdown]
# They need not be equal in the last digit: the sums are added in another order.
#
# In `fit` the averaging is out of sight. The course's own loop, `Trainer`, knows nothing of
# strategies, and three changes let it use one: give each replica its share (`shares`), call the step
# on all of them (`on_replicas`) and average the gradients (`average`, an all-reduce).
# `DistributedTrainer` is a `Trainer` that makes these changes. To use it, give it a `strategy`.

# %%
alone = Trainer(build(8, "none"))
spread = DistributedTrainer(build(8, "none", strategy), strategy=strategy)
apart = []
for seed in SEEDS:
    first, second = alone.run(mnist, seed, updates=20), spread.run(mnist, seed, updates=20)
    apart.append(np.abs(np.subtract(first.loss, second.loss)).max())
verdict("the course's own loop on two devices has the losses of one, to rounding",
        max(apart) < 1e-3, f"largest difference {max(apart):.1e}, over {len(SEEDS)} seeds")

# %% [markdown]
# ## 4. What batch normalisation does to it
#
# Section 1 had a second condition: an image's loss must depend on that image alone. Batch
# normalisation breaks it. It subtracts the mean of the *batch*, so all images of a batch have to do
# with each other. A replica sees its share only and takes the mean of that. This is how Goyal
# and his colleagues trained, too (2017, Section 2.3): they kept the share of each worker at 32
# images, so that the statistics stay comparable whatever the number of workers.
#
# The cure is to average the statistics, too, at each layer, forwards and backwards: *synchronised*
# batch normalisation (in Keras `BatchNormalization(synchronized=True)`). The price is many more
# messages.
#
# **Predict.** How far from the gradient of the batch is the mean of two replicas' gradients:
# without normalisation, with that of each share, and with that of all shares together?

# %%
def distances(normalisation):
    """Return how far two replicas are from one, for each seed."""
    alone, spread = build64(normalisation), build64(normalisation, strategy)
    step = on_replicas(strategy, lambda images, labels: average(gradient(spread, images, labels)))
    batch = shares(strategy, images), shares(strategy, labels)
    on_two = tf.function(step, autograph=False).get_concrete_function(*batch)
    found = []
    for seed in SEEDS:
        reset_weights(alone, seed)
        reset_weights(spread, seed)
        found.append(distance(on_two(*batch), gradient(alone, images, labels)))
    return found


differences = {"no normalisation": distances("none"), "of each share": distances("each"),
               "of all shares": distances("all")}
plots.show(*plots.intervals(differences, "relative difference of the gradients", log=True))

# %% [markdown] tags=["slide"]
# ## Batch normalisation by shares is another computation
#
# <!-- output: 420 -->
#
# Each replica normalises by the statistics of its own share.
#
# <!-- notes -->
# Here is the second condition again. Ask: is the other gradient a wrong one? Expected: yes. It is
# not wrong: it is as if the batch were smaller where the statistics are concerned. Synchronised
# normalisation repairs it, for many more messages.

# %%
exact = differences["no normalisation"] + differences["of all shares"]
verdict("without normalisation, and with that of all shares, two replicas have the gradient of one",
        max(exact) < 1e-9, f"largest relative difference {max(exact):.1e}")
verdict_above("with the normalisation of each share, they have another one",
              differences["of each share"], [1e-3], unit="relative difference")

# %% [markdown]
# Another gradient is not a wrong one. Training by shares works, as if the batch were smaller where
# the statistics are concerned. It only is not the same as training with one device. To compare two
# machines with one, number by number, use networks without normalisation. That is what we do now.
#
# (In `float32`, synchronised normalisation is further off. Sums in another order shift an
# activation by a rounding error, and a ReLU close to zero flips. That changes a gradient by a whole
# term.)
#
# ## 5. Two processes
#
# A second machine is another process with a memory of its own. `MultiWorkerMirroredStrategy` joins
# processes. Each runs the *same program* and learns from the environment variable `TF_CONFIG` who
# it is:
#
# ```json
# {"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}
# ```
#
# The list is the same everywhere. Only the index differs. Worker 0 is the *chief*: it also writes
# the files.
#
# `fit` does not work with this strategy in the Keras of this course (issue 20585 of Keras), but a
# loop of one's own does. The program is `resnet_lesson/distributed/worker.py`. A notebook's kernel
# cannot be a worker: it has used TensorFlow already. So `Workers` starts two new processes here, each
# with a `TF_CONFIG`.
#
# **Predict.** Two workers train for many updates with three seeds. Do rounding errors stay small,
# or do they grow?

# %%
UPDATES = 100
OPTIONS = {"images": 1280, "updates": UPDATES, "batch_size": 64, "checkpoint_every": 10}
start = time.perf_counter()
with Workers(2, OPTIONS | {"seeds": SEEDS}) as started:
    print("processes:", len(started.processes))
    two = started.records()
    print("\n".join(started.lines[0]))
print(f"{time.perf_counter() - start:.0f} s in all, most of them to start TensorFlow twice")

# %%
net = build(8, "none")
trainer = Trainer(net)
one = [trainer.run(mnist, seed, UPDATES, name="one process") for seed in SEEDS]
for record in two:
    record.name = "two workers"
plots.show(*plots.learning_curves([*one, *two], title="The same global batch"))

# %% [markdown] tags=["slide"]
# ## Two processes train like one
#
# <!-- output -->
#
# <!-- notes -->
# Two lines on top of each other. Ask: rounding errors begin in the last digit; do they stay there?
# Expected: yes. They grow with the updates. So equality is a claim for a limited number of updates.

# %%
def largest(first, second):
    """Return the largest difference of the losses, and that of the weights."""
    losses = np.abs(np.subtract(first.loss, second.loss)).max()
    weights = [np.abs(a - b).max() for a, b in zip(first.weights, second.weights)]
    return losses, max(weights)


FIRST = 20
apart = [np.abs(np.subtract(alone.loss, together.loss)) for alone, together in zip(one, two)]
verdict(f"in the first {FIRST} updates the losses of two workers are those of one process, to rounding",
        max(losses[:FIRST].max() for losses in apart) < 1e-5,
        f"{max(losses[:FIRST].max() for losses in apart):.1e} nats apart at most, over {len(SEEDS)} seeds")

# %% [markdown]
# Rounding differences grow. How far have they come after all updates? We measure them against what
# training has changed: the range of the losses, and the distance of the weights from where they
# started.

# %%
def distance(first, second):
    """Return the Euclidean distance of two lists of weights."""
    return np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(first, second)))


shares_of = []  # a row for each seed: the difference's share of what training changed
for alone, together, losses in zip(one, two, apart):
    reset_weights(net, alone.seed)
    travelled = distance(alone.weights, net.get_weights())
    shares_of.append((losses.max() / np.ptp(alone.loss),
                      distance(alone.weights, together.weights) / travelled))
verdict("after all updates losses and weights are apart by less than a tenth of what training changed",
        np.max(shares_of) < 0.1,
        f"losses {max(loss for loss, _ in shares_of):.2%}, weights "
        f"{max(weights for _, weights in shares_of):.2%}, after {UPDATES} updates")

# %% [markdown] tags=["slide"]
# ## If they differ in the second update, it is a mistake
#
# - a sum instead of a mean: the gradient is $k$ times too large
# - shares that overlap
# - other first weights on each worker
# - batch normalisation
#
# <!-- notes -->
# Ask: your two workers agree in the first loss and differ in the second. Which of the four is it?
# Expected answers: the first weights are out, since the first losses agree. A sum, or the
# normalisation, show exactly there.

# %% [markdown]
# The two lines in the figure lie on top of each other. The differences start at the last digit of a
# `float32` and grow with the updates. So "equal" is a claim for a limited number of updates. If
# your two workers differ from one process in the *second* update, it is a mistake, not rounding.
#
# Common mistakes are: a sum instead of a mean (the gradient is $k$ times too large), shares that
# overlap, other initial weights on each worker, and batch normalisation.
#
# ## 6. More workers, larger batches
#
# Here the global batch stayed the same, and the shares got smaller. With many workers the shares
# become too small to keep a machine busy. So people keep the *share* and let the global batch grow
# with $k$. Then an epoch has $k$ times fewer updates, and each should do more.
#
# Goyal and his colleagues' **linear scaling rule**: "When the minibatch size is multiplied by $k$,
# multiply the learning rate by $k$" (2017, Section 2.1). The argument is for SGD without momentum.
# Two updates with batches $B_1$ and $B_2$ and rate $\eta$ are
#
# $$w_2 = w_0 - \eta\,(\nabla L_{B_1}(w_0) + \nabla L_{B_2}(w_1)).$$
#
# If $\nabla L_{B_2}(w_1)$ is close to $\nabla L_{B_2}(w_0)$, this is one update with both batches
# and rate $2\eta$. At the start of training it is not close, so they let the rate grow over the
# first epochs (*warm-up*, Section 2.2). With that they trained ImageNet with batches of 8192 images
# as well as with 256.
#
# **Predict.** Which single update with both batches comes closer to $w_2$: the one with $\eta$, or
# the one with $2\eta$? By how much of the way from $w_0$ to $w_2$ does each of them miss it?

# %%
def after(net, seed, rate, batches):
    """Return the weights after one SGD update with each batch."""
    reset_weights(net, seed)
    for batch in batches:
        found = gradient(net, mnist.train.images[batch], mnist.train.labels[batch])
        for weight, slope in zip(net.trainable_variables, found):
            weight.assign_sub(rate * slope)
    return [weight.numpy() for weight in net.trainable_variables]


# %%
ETA, HALVES, BOTH = 0.002, [slice(0, 64), slice(64, 128)], [slice(0, 128)]
same_rate, twice_rate = [], []
for seed in SEEDS:
    start_at, target = after(net, seed, 0, BOTH), after(net, seed, ETA, HALVES)
    for rate, found in ((ETA, same_rate), (2 * ETA, twice_rate)):
        off = distance(after(net, seed, rate, BOTH), target)
        found.append(off / distance(target, start_at))
verdict_above("one update with both batches misses the end of two updates by less if its rate is doubled",
              above=same_rate, below=twice_rate, ratio=1.2, unit="of the way")

# %% [markdown] tags=["slide"]
# ## Twice the batch: twice the rate?
#
# $$w_2 = w_0 - \eta\,(\nabla L_{B_1}(w_0) + \nabla L_{B_2}(w_1))$$
#
# If the two gradients hardly change in between, this is one update with both batches and rate $2\eta$
# (Goyal 2017, Section 2.1). For SGD; for Adam $\sqrt{k}$ has been argued for.
#
# <!-- notes -->
# Ask: when is the assumption worst? Expected: at the start of training, so they warm up. The cell
# compares one update at η and at 2η with two updates: 2η comes closer. It is a first guess, not a
# law.

# %% [markdown]
# An update with the old rate goes about half of the way, as one would expect of one step in place of
# two. With twice the rate it comes much nearer, though not there.
#
# The rule is for SGD. This course trains with Adam, which divides each gradient by its usual size.
# There the square root of $k$ has been argued for (Malladi 2022). With either, look at the learning
# curves: the rule is a first guess, not a law.
#
# ## 7. Does it get faster?
#
# Now we measure. On your machine all workers share the same cores. So the fair comparison is one
# process with two threads against two processes with one thread each. One process with one thread
# shows what a second core brings at all. Times depend on the machine, so there is no verdict here.
#
# **Predict.** Order the three.

# %%
SETUPS = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2),
          "2 processes, 1 thread each": (2, 1)}
speeds = {}
for name, (workers, threads) in SETUPS.items():
    options = {"updates": 25, "images": 1280, "batch_size": 128, "depth": 20, "threads": threads,
               "seeds": SEEDS}
    with Workers(workers, options) as started:
        seconds = [np.diff(record.seconds)[5:] for record in started.records()]  # without warm-up
    speeds[name] = [128 / np.median(one) for one in seconds]
plots.show(*plots.intervals(speeds, "images per second, median of 19 updates"))

# %% [markdown] tags=["slide"]
# ## Does it get faster?
#
# <!-- output: 440 -->
#
# <!-- notes -->
# All share the same two cores. Ask for the order before you show it. Expected: two threads and two
# processes are the same. Look at the ranges: where they overlap, it cannot be told which is faster. Two
# processes cut one large piece of work, the batch, and pay for the all-reduce. No verdict: times depend
# on the machine, and on what else it does.

# %% [markdown]
# Look at the two ways of using a second core, and at their ranges before their means: where the ranges
# overlap, three runs cannot tell which is faster, and on our own machine one build of this page had them
# apart and another had not. What can be said is what each way has to pay. A second thread has to cut up
# each operation, and the operations of a small network are short. Two processes cut the *batch*, which
# is one large piece of work. Against that stands the all-reduce.
# It costs the same for each update, whatever the batch. So it pays with many images for each
# worker. On a real cluster a network connection takes the place of memory, and the same question
# decides: how long does a worker compute, compared with the time to send its gradient?
#
# ## 8. A worker dies
#
# With many machines, one of them fails every now and then. What should happen to the others?
# They cannot go on, since the mean needs all gradients. The danger is that they **wait for ever**:
# nobody notices, and the machines are paid for. Three things are needed.
#
# 1. *A clear end.* A worker that loses another one says so and ends with an exit status that is not
#    zero. If the connection breaks, TensorFlow tells at once. If the other machine only falls
#    silent, it does not: a watchdog ends the process when no update has happened for a while.
# 2. *Checkpoints.* Every few updates the chief writes all that is needed to go on: the weights,
#    Adam's two averages and the number of updates. The shuffled order of the images follows from
#    the seed and that number.
# 3. *Whole files.* A process can be killed while it writes. So it writes under another name and
#    then renames the file, which is done completely or not at all.
#
# **Predict.** We kill worker 1 in mid-run, so that it can tell nobody (by the signal `SIGKILL`). What will worker
# 0 say? How long will it take?

# %%
folder = tempfile.TemporaryDirectory()
RUN = OPTIONS | {"folder": folder.name, "seeds": [0]}
checkpoints = Checkpoints(Path(folder.name) / "none_0")
with Workers(2, RUN) as started:
    while checkpoints.latest() < 30 and started.processes[0].poll() is None:
        time.sleep(0.01)
    started.processes[1].kill()
    killed = time.perf_counter()
    try:
        started.records()
    except WorkerError as error:
        took = time.perf_counter() - killed
        print(*(textwrap.fill(line, 88) for line in str(error).splitlines()), sep="\n")
statuses = [process.returncode for process in started.processes]

# %% [markdown] tags=["slide"]
# ## A worker dies
#
# Three things are needed:
#
# 1. a clear end: a sentence, and an exit status that is not zero
# 2. checkpoints: weights, Adam's averages, the number of updates
# 3. whole files: written under another name, then renamed
#
# **Predict:** we kill one of two workers. What will the other do?
#
# <!-- notes -->
# The danger is that the other waits for ever, and somebody pays. Ask who has seen a hanging job.
# Expected: most of them. If the connection breaks, TensorFlow tells at once; if the other machine
# falls silent, only a watchdog helps.

# %% [markdown] tags=["slide"]
# ## It says so, at once
#
# <!-- output -->
#
# <!-- notes -->
# This is what the worker that stayed alive printed. Ask: why must its exit status not be zero?
# Expected: the scheduler would take the run for finished.

# %%
verdict("both workers have ended within a minute, and neither says that all went well",
        took < 60 and 0 not in statuses, f"{took:.1f} s, exit statuses {statuses}")

# %% [markdown]
# A negative status is the number of the signal that killed a process. Now we start both again with
# the same command. The uninterrupted run is that of section 5, with seed 0.
#
# **Predict.** Will the end be the same, or only similar?

# %%
begun = checkpoints.latest()
with tempfile.TemporaryDirectory() as copy:  # so that this cell can be run twice
    shutil.copytree(folder.name, copy, dirs_exist_ok=True)
    with Workers(2, RUN | {"folder": copy}) as started:
        (again,) = started.records()
        print("\n".join(started.lines[0]))
losses, weights = largest(again, two[0])
verdict("the run that was killed and went on ends like the run that was never killed",
        0 < begun < UPDATES and max(losses, weights) < 1e-6,
        f"went on after update {begun} of {UPDATES}; losses {losses:.1e}, weights {weights:.1e} "
        "apart")

# %% [markdown] tags=["slide"]
# ## The restart ends with the same bits
#
# <!-- output -->
#
# <!-- notes -->
# Ask: what would differ if the checkpoint held the weights alone? Expected: nothing. Adam would
# begin as if it had never seen a gradient: the next slide.

# %% [markdown]
# ### What if the optimiser is forgotten?
#
# Many programs save the weights alone. They can go on from there, and no error tells that something
# is missing.
#
# **Predict.** What differs after such a restart?

# %%
class WeightsOnly(Checkpoints):
    """Checkpoints that leave out the optimiser, whose variables come last."""

    def save(self, record, variables):
        super().save(record, variables[:len(net.variables)])

    def restore(self, record, variables):
        return super().restore(record, variables[:len(net.variables)])


# %%
apart = []
for seed in SEEDS:
    with tempfile.TemporaryDirectory() as half_way:
        forgetful = WeightsOnly(half_way, every=UPDATES // 2)
        trainer = DistributedTrainer(net, checkpoints=forgetful)
        trainer.run(mnist, seed, UPDATES // 2)
        again = trainer.run(mnist, seed, UPDATES)
    apart.append(largest(again, one[seed])[0])
verdict("without Adam's averages a restart ends elsewhere", min(apart) > 1e-3,
        f"losses at least {min(apart):.3f} apart, over {len(SEEDS)} seeds")

# %% [markdown] tags=["slide"]
# ## A checkpoint must hold the optimiser, too
#
# <!-- output -->
#
# It trains on, and no error tells that something is missing.
#
# <!-- notes -->
# Ask: how would you notice it in your own program? Expected: compare the loss of a restarted run
# with that of an uninterrupted one, for a few updates. That is the test in this cell.

# %% [markdown]
# It trains on, but it is another run: Adam begins as if it had never seen a gradient.
#
# ## 9. Fewer bits, and a compiler
#
# Before you buy a second machine, there may be something to gain on the first one. Two things are
# often recommended.
#
# **Mixed precision** (Micikevicius 2018): compute in 16 bits, but keep the weights in 32. There are
# two formats. `float16` has more digits, `bfloat16` has the range of `float32`. The range matters:
# gradients can be tiny.
#
# **Predict.** A gradient of $10^{-8}$: what is left of it in `float16`, and what in `bfloat16`?

# %%
tiny = {name: float(tf.cast(tf.constant(1e-8), name)) for name in ("float16", "bfloat16")}
verdict("a gradient of 1e-8 becomes zero in float16, and does not in bfloat16",
        tiny["float16"] == 0 and abs(tiny["bfloat16"] / 1e-8 - 1) < 0.01, str(tiny))

# %% [markdown]
# That is why training in `float16` multiplies the loss by a large number and divides the gradients
# by it again (*loss scaling*). `bfloat16` does without.
#
# **XLA** is a compiler that fuses many small operations into few large ones (`jit_compile=True`).
# It needs time to compile first.
#
# Both were made for GPUs and TPUs. What do they do on your processor? We time one training step of
# a deep dense network and of a convolutional one, in all six combinations.

# %%
batch = [tf.constant(part[:128]) for part in (mnist.train.images, mnist.train.labels)]


def training_step(config, precision, xla):
    """Return a function that makes one update, and the seconds that its first call took."""
    keras.config.set_dtype_policy(precision)
    net = network(**config)
    keras.config.set_dtype_policy("float32")

    @tf.function(jit_compile=xla, autograph=False)
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = tf.cast(net(images, training=True), tf.float32)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        for slope, weight in zip(tape.gradient(loss, net.trainable_variables),
                                 net.trainable_variables):
            weight.assign_sub(1e-4 * slope)
        return loss

    start = time.perf_counter()
    step = step.get_concrete_function(*batch)
    step(*batch)
    return step, time.perf_counter() - start


# %%
KINDS = {"dense": {"depth": 12, "block": "dense", "widths": (256,), "normalisation": False},
         "convolutional": {"depth": 8}}
CASES = [(precision, xla) for precision in ("float32", "mixed_bfloat16", "mixed_float16")
         for xla in (False, True)]
rows = []
for kind, config in KINDS.items():
    made = {case: training_step(config, *case) for case in CASES}
    seconds = median_seconds({case: (lambda step=step: step(*batch).numpy())
                              for case, (step, _) in made.items()}, repeats=7)
    base = seconds["float32", False]
    rows += [[kind, precision, "yes" if xla else "no", f"{1000 * seconds[precision, xla]:.1f}",
              f"{seconds[precision, xla] / base:.2f}", f"{made[precision, xla][1]:.1f}"]
             for precision, xla in CASES]
plots.table(["network", "precision", "XLA", "ms a step", "times plain float32",
             "seconds until the first update"], rows)

# %% [markdown] tags=["slide"]
# ## Fewer bits and a compiler: measure
#
# <!-- output -->
#
# <!-- notes -->
# Read the fifth column: above 1 it hurts. Ask before: who has heard that 16 bits are twice as fast?
# On a processor that must convert all the time they are not. What helps on one machine hurts on the
# next.

# %% [markdown]
# Read the fifth column: above 1 it hurts. (All rows have TensorFlow's deterministic operations, as
# all training here.) Three things pull in different directions:
#
# - A processor without instructions for 16 bits must convert all the time. It gains only where
#   reading the weights from memory takes longer than computing with them.
# - XLA fuses the small operations between the layers. That helps where there are many of them.
# - XLA mostly does without the tuned kernels that TensorFlow has for matrices and convolutions
#   (oneDNN), and it takes time to compile, which the last column shows.
#
# What helps on one machine hurts on the next. So measure with your own network, on the machine that
# you mean to use. The course's `Trainer` uses neither.
#
# ## 10. On real machines
#
# The program that `Workers` started is a command. This starts two workers on one machine:
#
# ```bash
# python -m resnet_lesson.distributed --workers 2 --updates 1000 --folder checkpoints
# ```
#
# **By hand.** On each machine install the course, choose a port that the firewall leaves open, and
# set `TF_CONFIG`. On the second machine the index is 1; all else is the same.
#
# ```bash
# export TF_CONFIG='{"cluster": {"worker": ["host1:12345", "host2:12345"]},
#                    "task": {"type": "worker", "index": 0}}'
# python -m resnet_lesson.distributed --updates 1000 --folder /shared/checkpoints
# ```
#
# While they run, TensorFlow's workers listen on every network of their machine and ask for no password.
# Inside a cluster that is usual; on a shared network let the firewall admit the other machines alone.
#
# The folder must be one that all machines see. If they find different checkpoints, they refuse to
# train. A worker whose peers do not come gives up after `--timeout` seconds and names them.
#
# **With Slurm**, the scheduler of many clusters. The option `--slurm` makes the `TF_CONFIG` from
# the variables that `srun` sets. Save this as `train.sbatch`, and submit it with `sbatch
# train.sbatch`:
#
# ```bash
# #!/bin/bash
# #SBATCH --nodes=2
# #SBATCH --ntasks-per-node=1
# #SBATCH --cpus-per-task=4
# #SBATCH --time=00:30:00
# #SBATCH --requeue
# srun --kill-on-bad-exit=1 python -m resnet_lesson.distributed --slurm --threads 4 \
#     --updates 10000 --folder "$SLURM_SUBMIT_DIR/checkpoints" --checkpoint-every 500
# ```
#
# `--kill-on-bad-exit` ends all tasks when one fails. After a failure submit it again: it goes on
# from the last checkpoint. We had no cluster at hand, so this script is the one thing in the course
# that no cell has run; the reading of Slurm's variables is tested with made-up ones.
#
# ## Summary
#
# - The mean of the gradients of equal shares is the gradient of the batch, if each image's loss
#   depends on that image alone.
# - A ring all-reduce sends less than twice the gradient from each worker, however many there are.
# - Two workers then train like one process, to rounding. Rounding grows with the updates.
# - Batch normalisation by shares is another computation. Synchronised, it is the same again, for
#   more messages.
# - With SGD, twice the batch asks for about twice the rate.
# - A lost worker must end the run with a sentence, and a checkpoint must hold the optimiser, too.
# - Fewer bits and compilers help or hurt: measure.
#
# ## Quiz
#
# Five questions. Each option says at once why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("09")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - The mean of the gradients of equal shares is the gradient of the batch.
# - A ring sends less than twice the gradient from each worker.
# - Batch normalisation by shares is another computation.
# - A lost worker must end the run with a sentence.
# - A checkpoint holds the optimiser, too.
#
# **Exercises:** lesson 09, 1 to 5; exercise 6 for a discussion.
#
# <!-- notes -->
# Ask: which of these would you check first in a program that somebody hands to you? Expected: the
# checkpoint. It costs one restart to test it.

# %% [markdown]
# <!-- quiz: 09 -->
#
# ## Exercises
#
# Reading is half of it. [Exercises to lesson 09](exercises/09_scaling_out.ipynb): six tasks, each with a check
# that answers at once and with hints that unfold.
#
# ## References
#
# - J. Dean, G. S. Corrado, R. Monga et al. 2012: *Large Scale Distributed Deep Networks*. NIPS.
#   Model parallelism and data parallelism.
# - P. Patarasuk, X. Yuan 2009: *Bandwidth Optimal All-reduce Algorithms for Clusters of
#   Workstations*. Journal of Parallel and Distributed Computing 69(2).
# - P. Goyal, P. Dollár, R. Girshick, P. Noordhuis, L. Wesolowski, A. Kyrola, A. Tulloch, Y. Jia,
#   K. He 2017: *Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour*.
#   [arXiv:1706.02677](https://arxiv.org/abs/1706.02677). Linear scaling rule: Section 2.1. Warm-up:
#   Section 2.2. Batch normalisation: Section 2.3.
# - S. Malladi, K. Lyu, A. Panigrahi, S. Arora 2022: *On the SDEs and Scaling Rules for Adaptive
#   Gradient Algorithms*. NeurIPS. [arXiv:2205.10287](https://arxiv.org/abs/2205.10287).
# - P. Micikevicius, S. Narang, J. Alben et al. 2018: *Mixed Precision Training*. ICLR.
#   [arXiv:1710.03740](https://arxiv.org/abs/1710.03740), Section 3.2: loss scaling.
