# %% [markdown]
# # 09 · Deeper: clusters
#
# Lesson 09 had two workers on one machine and took care that they compute what one process computes. It left out what
# people usually ask first. Is it faster? What happens to the learning rate? And how does one get it to run on the
# real thing, a room full of machines behind a scheduler? This notebook answers as much of that as can be tried on
# your desk, and ends with two tools that are often recommended for getting more out of the machine that you have.
#
# **Objectives.** After this notebook you can
#
# 1. say what decides whether a second worker makes training faster, and time it;
# 2. explain the argument for "twice the batch, twice the rate";
# 3. start workers on several machines, by hand and with Slurm;
# 4. say what fewer bits and a compiler do to one training step on your processor.
#
# **Prerequisites.** Lesson [09](../09_scaling_out.ipynb), sections 1 and 2: worker, share, global batch.
#
# **Reading time:** 11 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import json
import os
import time

import keras
import numpy as np
import tensorflow as tf

from resnet_lesson import plots
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import median_seconds
from resnet_lesson.distributed.cluster import read_tf_config, slurm_tf_config
from resnet_lesson.distributed.launch import Workers
from resnet_lesson.models import network, reset_weights
from resnet_lesson.verdicts import verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=1280, val=0, test=0)
SEEDS = (0, 1, 2)

# %% [markdown]
# ## 1. Does it get faster?
#
# A worker with half a batch has half the work. Then it waits for the all-reduce, which takes as long for a small
# share as for a large one. So everything depends on one ratio: how long a worker computes, against how long it takes
# to send its gradient. On your machine, sending means copying memory, which is quick, but the workers also share its
# cores. The fair comparison is therefore between two ways of using a second core: one process with two threads, or
# two processes with one thread each.
#
# **Predict.** Order the three: one process with one thread, one with two, and two with one each.

# %%
SETUPS = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes, 1 thread each": (2, 1)}
speeds = {}
for name, (count, threads) in SETUPS.items():
    options = {"depth": 20, "images": 1280, "batch_size": 128, "updates": 25, "threads": threads, "seeds": SEEDS}
    with Workers(count, options) as workers:
        steps = [np.diff(run.seconds)[5:] for run in workers.records()]  # without the first ones, which warm up
    speeds[name] = [128 / np.median(seconds) for seconds in steps]
ax, alt = plots.intervals(speeds, "images per second")
ax.set_xlim(left=0)
plots.show(ax, alt,
           "Three runs of each kind, each the median of 19 updates. **Compare the ranges of the last two rows before their "
           "means:** where they overlap, three runs cannot tell which of the two is faster.")

# %% [markdown]
# Times depend on the machine and on whatever else it is doing, so no verdict judges them, and your figure need not
# look like ours. If yours has the first row in front, do not be surprised: where a network is as small as this one, cutting up the
# work can cost more than the second core gains. What can be said is what each way has to pay. Threads must cut up every single operation, and the
# operations of a small network are short. Processes cut the batch once, which is one large piece of work, and pay for
# an all-reduce in each update. So a second process pays off where there are many images for each worker, and on a
# real cluster, where a cable takes the place of memory, there must be many more. Once the shares are so small that
# sending takes as long as computing, adding machines hardly makes a run faster.
#
# ## 2. Larger batches
#
# The usual way out is to keep the *share* and let the global batch grow with the number of workers $k$. Then an epoch
# has $k$ times fewer updates, and each ought to do more. Goyal and his colleagues (2017, Section 2.1) have a rule for
# that, the **linear scaling rule**: "When the minibatch size is multiplied by $k$, multiply the learning rate by
# $k$." Their argument is for SGD. Two updates from $w_0$, with batches $B_1$ and $B_2$ and rate $\eta$, lead by way
# of $w_1 = w_0 - \eta\,\nabla L_{B_1}(w_0)$ to
#
# $$w_2 = w_0 - \eta\,(\nabla L_{B_1}(w_0) + \nabla L_{B_2}(w_1)).$$
#
# If $\nabla L_{B_2}$ were the same at $w_1$ as at $w_0$, that would be exactly one update with both batches and rate
# $2\eta$. How nearly the same it is depends on how long the steps are and how fast the gradient changes. Early in
# training it changes fast, which is why they let the rate grow over the first epochs (**warm-up**, Section 2.2). Let's see
# how near one update comes to two, from the first weights.
#
# **Predict.** For three rates, from very short steps to long ones: what share of the way do we miss with one update at the
# same rate? And at twice the rate?

# %%
net = network(8, normalisation=False)


def after(seed, rate, batches):
    """Return all weights, as one long array, after one SGD update with each batch."""
    reset_weights(net, seed)
    for at in batches:
        with tf.GradientTape() as tape:
            logits = net(mnist.train.images[at], training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(mnist.train.labels[at], logits))
        for weight, slope in zip(net.trainable_variables, tape.gradient(loss, net.trainable_variables)):
            weight.assign_sub(rate * slope)
    return np.concatenate([np.ravel(weight.numpy()) for weight in net.trainable_variables])


# %%
ETAS, BOTH, TWO = (0.0002, 0.002, 0.01), [slice(0, 128)], [slice(0, 64), slice(64, 128)]
missed = {eta: {1: [], 2: []} for eta in ETAS}
for eta, of_eta in missed.items():
    for seed in SEEDS:
        start, target = after(seed, 0, BOTH), after(seed, eta, TWO)
        for times, found in of_eta.items():
            off = np.linalg.norm(after(seed, times * eta, BOTH) - target)
            found.append(off / np.linalg.norm(target - start))
plots.table(["rate η", "missed by one update at η", "at 2η"], [
    [f"{eta:g}", *(f"{min(found):.1%} to {max(found):.1%}" for found in of_eta.values())] for eta, of_eta in missed.items()])
verdict_above("the longer the steps, the more is missed by one update with both batches at twice the rate",
              above=missed[0.01][2], below=missed[0.0002][2], ratio=5, unit="of the way missed")

# %% [markdown]
# At the old rate a single update covers about half of the way, as you would expect of one step in place of two. Twice the
# rate makes up for that as long as the steps are so short that the gradient stays what it was; with long steps it no longer
# does. So the rule is a first guess and not a law. It is also a rule for SGD. For Adam, which divides each gradient by its usual size, Malladi and her colleagues (2022)
# argue for the square root of $k$, with Adam's other settings changed to match. With either, look at the learning
# curves; with their rule, warm-up and all, Goyal and his colleagues trained ImageNet with batches of 8192 images to
# about the same error as with 256.
#
# ## 3. Who am I?
#
# Workers all run *the same program*, so something from outside must tell each of them which one it is. In TensorFlow
# that is the environment variable `TF_CONFIG`. The list of addresses is the same for everybody, and only the index
# differs; worker 0 is the chief, who also writes the files.

# %%
cluster = {"worker": ["host1:12345", "host2:12345"]}
for index in range(2):
    tf_config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
    assert read_tf_config(tf_config) == (cluster["worker"], index)
    print(tf_config)

# %% [markdown]
# On each machine, install the same versions of the course, whose package brings MNIST along; see that each can reach the other
# by the name that you write into the variable (`ping host2`); choose a port that the firewall leaves open, set the variable, and
# start the program. On the second machine the index is 1 and all else is the same:
#
# ```bash
# export TF_CONFIG='{"cluster": {"worker": ["host1:12345", "host2:12345"]},
#                    "task": {"type": "worker", "index": 0}}'
# python -m resnet_lesson.distributed --updates 1000 --folder /shared/checkpoints
# ```
#
# (To try it on one machine, `python -m resnet_lesson.distributed --workers 2 --updates 100` starts both.) The folder
# may be left out, and then there are no checkpoints. If there is one, it must be one that all machines see; if they find different checkpoints in it, they refuse to train. A worker whose
# peers do not come gives up after `--timeout` seconds and names those that are missing. And mind that TensorFlow's
# workers listen on every network of their machine without asking for a password. Inside a cluster that is usual;
# elsewhere, let the firewall admit nobody but the other machines.
#
# In a program of your own, the strategy for several processes is `tf.distribute.MultiWorkerMirroredStrategy()`, and
# it must be made before TensorFlow computes anything. In the Keras that this course was built with, `fit` fails under
# it (issue 20585 of Keras), and a custom loop works: take `train` of lesson 09, section 4, give it that strategy, and
# start the file on each machine as above. `batch(64)` then means the global batch, and only worker 0 should save.
#
# ## 4. Slurm
#
# On most clusters nobody types that by hand. A scheduler such as **Slurm** picks the machines, starts the program on
# each, and describes the job in environment variables. TensorFlow can read them: `SlurmClusterResolver`. We have no
# cluster at hand, but variables can be made up. Here a job of two tasks runs on the machines n9 and n10, and we are
# the task on n9, which is Slurm's task number 0.

# %%
os.environ |= {"SLURM_STEP_NODELIST": "n[9-10]", "SLURM_STEP_TASKS_PER_NODE": "1(x2)", "SLURM_STEP_NUM_TASKS": "2",
               "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURMD_NODENAME": "n9"}
resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
    port_base=12345, gpus_per_node=1, gpus_per_task=1, auto_set_gpu=False)  # leave the GPUs to Slurm
addresses = resolver.cluster_spec().as_dict()["worker"]
print("all workers:", addresses)
print("I am on n9. The resolver says that I am", addresses[resolver.task_id])

# %% [markdown]
# Did you see it? The resolver sorts the machines by name, as text, and "n10" comes before "n9". Slurm counts its
# tasks in another order, so each of our two workers would be given the other one's address. Whether that happens to
# you depends on nothing but the names of your machines. So the course takes the resolver's list and finds its place
# in it by the machine that it runs on:

# %%
addresses, index = read_tf_config(slurm_tf_config(port=12345))
print("I am on n9. The course says that I am", addresses[index])
assert addresses[index] == "n9:12345"
for name in [name for name in os.environ if name.startswith("SLURM")]:
    del os.environ[name]  # the job that we made up is over

# %% [markdown]
# That is what the option `--slurm` does. Save this as `train.sbatch`, and submit it with `sbatch train.sbatch`:
#
# ```bash
# #!/bin/bash
# #SBATCH --nodes=2
# #SBATCH --ntasks-per-node=1
# #SBATCH --cpus-per-task=4
# #SBATCH --time=00:30:00
# #SBATCH --requeue
# srun --cpus-per-task=4 --kill-on-bad-exit=1 python -m resnet_lesson.distributed --slurm --threads 4 \
#     --updates 10000 --folder "$SLURM_SUBMIT_DIR/checkpoints" --checkpoint-every 500
# ```
#
# With `--kill-on-bad-exit`, all tasks end when one fails; with `--requeue`, Slurm may put the job into the queue again,
# and then it goes on from the last checkpoint. (Since Slurm 22.05, `srun` no longer takes the number of cores from the
# job, so it must be given again.) This script and the start on two machines above are the only commands in the course
# that have never been run: they need a cluster.
#
# ## 5. Fewer bits, and a compiler
#
# Is there something to gain on the first machine? **Mixed precision** (Micikevicius
# and others 2018) computes in 16 bits and keeps the weights in 32. There are two formats of 16 bits. `float16` has
# more digits, `bfloat16` has the range of `float32`, and range matters, since gradients can be tiny.
#
# **Predict.** What becomes of a gradient of $10^{-8}$ in `float16`, and in `bfloat16`?

# %%
half, scaled = float(np.float16(1e-8)), float(np.float16(1e-8 * 2**15)) / 2**15
brain = float(tf.cast(1e-8, tf.bfloat16))
verdict("a gradient of 1e-8 is lost in float16, unless it is scaled up beforehand; bfloat16 keeps it",
        half == 0 and all(abs(kept / 1e-8 - 1) < 0.01 for kept in (scaled, brain)),
        f"float16 makes it {half:g}, float16 with scaling {scaled:.3g}, bfloat16 {brain:.3g}")

# %% [markdown]
# So training in `float16` multiplies the loss by a large number and divides the gradients by it again, which is
# called **loss scaling** (Section 3.2 of that paper). `bfloat16` can do without.
#
# **XLA** is a compiler that fuses many small operations into a few large ones (`jit_compile=True`). Both tools were
# made for GPUs and TPUs. What do they do on your processor? We time one training step of a dense network of 12 layers
# and of a convolutional one of 8.

# %%
batch = [tf.constant(part[:128]) for part in (mnist.train.images, mnist.train.labels)]


def training_step(config, precision, xla):
    """Return a function that makes one update, and how many seconds its first call took."""
    keras.config.set_dtype_policy(precision)
    net = network(**config)
    keras.config.set_dtype_policy("float32")

    @tf.function(jit_compile=xla, autograph=False)
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = tf.cast(net(images, training=True), tf.float32)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        for weight, slope in zip(net.trainable_variables, tape.gradient(loss, net.trainable_variables)):
            weight.assign_sub(1e-4 * slope)
        return loss

    begun = time.perf_counter()
    step = step.get_concrete_function(*batch)
    step(*batch)
    return (lambda: step(*batch).numpy()), time.perf_counter() - begun


# %%
KINDS = {"dense": {"depth": 12, "block": "dense", "widths": (256,), "normalisation": False},
         "convolutional": {"depth": 8}}
CASES = [(precision, xla) for precision in ("float32", "mixed_bfloat16") for xla in (False, True)]
rows = []
for kind, config in KINDS.items():
    made = {case: training_step(config, *case) for case in CASES}
    seconds = median_seconds({case: call for case, (call, _) in made.items()}, repeats=7)
    rows += [[kind, precision, "yes" if xla else "no", f"{1000 * seconds[precision, xla]:.1f}",
              f"{seconds[precision, xla] / seconds['float32', False]:.2f}", f"{made[precision, xla][1]:.1f}"]
             for precision, xla in CASES]
plots.table(["network", "precision", "XLA", "ms a step", "relative to plain float32", "seconds until the first update"], rows)

# %% [markdown]
# Read the fifth column: above 1 it hurts, and on the machine that made this page most rows are above 1. (On a GPU it would be
# another table.) Several things pull in different directions. A processor without
# instructions for 16 bits has to convert all the time, and gains only where fetching the weights takes longer than
# computing with them. XLA saves the small operations between the layers, but it mostly does without the tuned kernels
# that TensorFlow has for matrices and convolutions (oneDNN), and it takes time to compile, which is the last column.
# What helps on one machine hurts on the next, so measure with your own network, on the machine that you mean to use.
# The course's own training loop uses neither. (All rows use TensorFlow's deterministic operations, like all training
# here.)
#
# ## Summary
#
# - Whether a second worker helps depends on how long it computes, compared with how long it takes to send its
#   gradient.
# - Where the batch grows with the workers, "twice the batch, twice the rate" is a first guess for SGD. It rests on a
#   gradient that hardly changes from one update to the next.
# - A worker learns from `TF_CONFIG` who it is. With Slurm, TensorFlow can make the list of workers, but do not trust
#   the index that it gives to each of them.
# - Fewer bits and compilers may help or hurt on a processor: measure. In `float16`, small gradients need loss
#   scaling.
#
# Back to lesson [09](../09_scaling_out.ipynb).
#
# ## References
#
# - P. Goyal, P. Dollár, R. Girshick, P. Noordhuis, L. Wesolowski, A. Kyrola, A. Tulloch, Y. Jia, K. He 2017:
#   *Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour*.
#   [arXiv:1706.02677](https://arxiv.org/abs/1706.02677). Linear scaling rule: Section 2.1. Warm-up: Section 2.2.
# - S. Malladi, K. Lyu, A. Panigrahi, S. Arora 2022: *On the SDEs and Scaling Rules for Adaptive Gradient Algorithms*.
#   NeurIPS. [arXiv:2205.10287](https://arxiv.org/abs/2205.10287).
# - P. Micikevicius, S. Narang, J. Alben et al. 2018: *Mixed Precision Training*. ICLR.
#   [arXiv:1710.03740](https://arxiv.org/abs/1710.03740), Section 3.2: loss scaling.
