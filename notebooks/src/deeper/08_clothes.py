# %% [markdown]
# # 08 · Deeper: clothes instead of digits
#
# Everything that this course has found, it has found on digits. That should make you suspicious. Digits are thin strokes
# on an empty field, and nearly any network can read them; perhaps degradation is an illness of this one little world.
# Fashion-MNIST (Xiao, Rasul and Vollgraf 2017) was made for such doubts. Its images have the sizes of MNIST's and show
# clothes, which are harder. Here is the race of lesson 04 once more, on clothes.
#
# **Objectives.** After this notebook you can
#
# 1. repeat an experiment on other data, with the same search for both sides;
# 2. say what carries over from digits to clothes, and what a short experiment leaves open.
#
# **Prerequisites.** Lesson [04](../04_plain_vs_residual.ipynb).
#
# **Reading time:** 5 minutes. **Computing time:** 2 minutes on two cores, without a GPU; none offline.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import numpy as np
from keras.optimizers.schedules import CosineDecay

from resnet_lesson import plots
from resnet_lesson.data import load_fashion_mnist
from resnet_lesson.mnist import FASHION_CLASSES
from resnet_lesson.runs import by_name
from resnet_lesson.sweep import sweep
from resnet_lesson.verdicts import verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# ## 1. Look first
#
# Fashion-MNIST is not in the package: `keras.datasets` downloads it once. If you are offline, the cell says so, and
# the rest of this notebook has nothing to do.

# %%
try:
    fashion = load_fashion_mnist(train=12800, val=1000, test=0)
    plots.show(*plots.digit_grid(fashion.train.images[:16],
                                 [FASHION_CLASSES[label] for label in fashion.train.labels[:16]]),
               "Sixteen images of Fashion-MNIST. Could you tell all the shirts from the pullovers?")
except ValueError as error:
    fashion = None
    print(error)

# %% [markdown]
# ## 2. The same race
#
# The networks are those of lesson 04, plain and residual, of 20 and of 56 layers. A short search comes first, for both
# kinds alike: three rates, one seed, and the choice by training loss. Then the race, at each network's best rate, with
# three other seeds.
#
# **Predict.** Will 56 plain layers fall behind 20 on clothes as well? And where will the residual ones be?

# %%
UPDATES, RATES = 150, (0.01, 0.03, 0.1)
networks = {f"{kind} {depth}": {"depth": depth, "shortcut": shortcut}
            for depth in (20, 56) for kind, shortcut in (("plain", "none"), ("residual", "padded"))}


def trained(networks, rates, seeds):
    schedules = {name: CosineDecay(rate, UPDATES) for name, rate in rates.items()}
    return sweep(networks, seeds, fashion, updates=UPDATES, learning_rate=schedules)


best = {}
if fashion:
    tried = trained({f"{name}, {rate}": config for name, config in networks.items() for rate in RATES},
                    {f"{name}, {rate}": rate for name in networks for rate in RATES}, [0])
    loss = {run.name: run.final_loss(30) for run in tried}
    best = {name: min(RATES, key=lambda rate: loss[f"{name}, {rate}"]) for name in networks}
    plots.table(["network", *RATES, "best"], [
        [name, *(f"{loss[f'{name}, {rate}']:.3f}" for rate in RATES), best[name]] for name in networks])

# %%
if fashion:
    runs = trained(networks, best, [10, 11, 12])
    plots.show(*plots.learning_curves(runs, window=10, log=True),
               "Fashion-MNIST, each network at its best rate of three, three runs each. **Compare the two deep networks,** "
               "then each with its shallow twin.")

# %%
def judge(runs):
    """Say what holds on clothes, and fail where it does not."""
    loss = {name: [run.final_loss(30) for run in group] for name, group in by_name(runs).items()}
    verdict_above("on clothes, too, the plain network of 56 layers ends above the residual one, in every pair of runs",
                  loss["plain 56"], loss["residual 56"], ratio=1.2, unit="nats")
    verdict_above("and above the plain network of 20 layers", loss["plain 56"], loss["plain 20"], unit="nats")


judge(runs) if fashion else print("not run: Fashion-MNIST is not here")

# %% [markdown]
# Where it was run, then: the illness is not one of digits alone, and neither is the cure. (The residual network of 56
# layers did best at the lowest rate that was tried, so it might do better still.) How large the difference would be
# in longer runs, with a finer search, or with pictures that are harder still, this short experiment cannot say; the
# papers report larger gains on larger tasks.
#
# ## Summary
#
# - A finding on one data set is a guess about the next. It costs little to repeat it.
# - On clothes, in a short race, the deep plain network falls behind its shallow twin and behind the residual one.
#
# Back to lesson [08](../08_your_turn.ipynb).
#
# ## References
#
# - H. Xiao, K. Rasul, R. Vollgraf 2017: *Fashion-MNIST: a Novel Image Dataset for Benchmarking
#   Machine Learning Algorithms*. [arXiv:1708.07747](https://arxiv.org/abs/1708.07747). Data: MIT
#   licence.
