# %% [markdown]
# # 04 · Deeper: the long runs
#
# Perhaps the deep plain network only needs more time. Lesson 04 gives its networks a few hundred updates; what would
# happen in ten or twenty thousand? This notebook shows a recorded study that kept going: networks of 20 and of 56
# layers, plain and residual, three seeds, until their losses had nearly stopped falling. Mind one thing from the
# start. It dates from before the search for learning rates, so all its runs share one rate, 0.002, which suits the
# residual networks better.
#
# **Objectives.** After this notebook you can
#
# 1. say what these runs settle about "slower or worse", and what they leave open;
# 2. say why a loss at a constant rate is not the end of training;
# 3. say why training loss and test mistakes can tell different stories.
#
# **Prerequisites.** Lesson [04](../04_plain_vs_residual.ipynb).
#
# **Reading time:** 8 minutes. **Computing time:** 5 seconds on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import math

import numpy as np

from resnet_lesson import plots
from resnet_lesson.runs import by_name
from resnet_lesson.studies import provenance, read_study, runs_of
from resnet_lesson.verdicts import verdict, verdict_above

study = read_study("04_long_runs")
settings = study["settings"]
print(provenance(study))

# %% [markdown]
# ## 1. To the plateau and beyond
#
# Each run kept its rate until its own training loss had nearly stopped falling, its **plateau**: the best mean of five
# epochs had fallen by less than a tenth in ten epochs. Then the rate was divided by ten, as in the paper (He, Zhang, Ren
# and Sun 2016a, Section 3.4), and ten more epochs followed. A plateau in this sense is not an end: at a constant rate,
# the noise of the updates holds the loss up, and once the rate drops, it falls again.
#
# **Predict.** Does the plain network of 56 layers catch up with the one of 20?

# %%
long_runs = runs_of(study)
recorded = by_name(long_runs)
plots.show(*plots.learning_curves(long_runs, "epoch_loss", log=True, each_seed=True),
           "One line for each run, recorded. The sharp drop near the end of each is where the rate was divided by ten.")

# %% [markdown]
# ## 2. Slower?
#
# Did every run reach its plateau, and how many updates did each need to a training loss of 0.1?

# %%
def plateau(run):
    """Return the update at which the learning rate dropped, or None if it never did."""
    return run.learning_rate[1][0] if len(run.learning_rate) > 1 else None


def mean_loss(run, update=math.inf, last=5):
    """Return the mean training loss of the last five epochs up to an update."""
    return float(np.mean([e["loss"] for e in run.epochs if e["update"] <= update][-last:]))


plateaus = {name: [plateau(run) for run in group] for name, group in recorded.items()}
at_plateau = {name: [mean_loss(run, plateau(run)) for run in group]
              for name, group in recorded.items()}
at_end = {name: [mean_loss(run) for run in group] for name, group in recorded.items()}
plots.table(["network", "updates to the plateau", "loss there", "loss at the end"], [
    [name, ", ".join(f"{one:,}" for one in plateaus[name]),
     *(", ".join(f"{one:.4f}" for one in losses[name]) for losses in (at_plateau, at_end))]
    for name in recorded
])

# %%
def updates_to(run, loss):
    """Return the end of the first epoch whose mean training loss is at a value or below."""
    return next(e["update"] for e in run.epochs if e["loss"] <= loss)


needed = {name: [updates_to(run, 0.1) for run in group] for name, group in recorded.items()}
plots.table(["network", "updates to a training loss of 0.1"], [
    [name, ", ".join(f"{one:,}" for one in group)] for name, group in needed.items()
])
verdict("every run reached its plateau", all(all(group) for group in plateaus.values()),
        f"{sum(map(len, plateaus.values()))} runs, none cut off at {settings['updates']:,} updates",
        recorded=True)
verdict_above("at this rate the 56-layer plain network needs at least twice the updates of the 20-layer "
              "one to a training loss of 0.1", needed["plain 56"], needed["plain 20"], ratio=2,
              unit="updates", recorded=True)

# %% [markdown]
# Slower, then, beyond doubt, at this rate.
#
# ## 3. Or worse?
#
# Compare the losses at the plateau and after the lower rate. The second comparison is the better one, since a loss at
# the plateau is partly the noise of the rate. Each run ends when its own plateau says so, which gave the deep plain
# network more updates than the shallow one, not fewer.

# %%
for when, losses in (("at the plateau", at_plateau), ("at the end of the runs", at_end)):
    verdict_above(f"{when}, the 56-layer plain network has a higher training loss than the "
                  "20-layer one", losses["plain 56"], losses["plain 20"], ratio=1.2, unit="nats",
                  recorded=True)
    verdict_above(f"{when}, its loss is at least twice that of the 56-layer residual network",
                  losses["plain 56"], losses["residual 56"], ratio=2, unit="nats", recorded=True)

# %% [markdown]
# Is that the end of the story? Two more figures: the mistakes in the last epoch, and by how much the loss still fell in
# the last four.

# %%
wrong = {name: [round((1 - run.epochs[-1]["accuracy"]) * settings["train"]) for run in group]
         for name, group in recorded.items()}
fall = {name: [1 - run.epochs[-1]["loss"] / run.epochs[-5]["loss"] for run in group]
        for name, group in recorded.items()}
plots.table(["network", f"wrong in the last epoch, of {settings['train']:,}",
             "fall of the loss in the last four epochs"], [
    [name, ", ".join(map(str, wrong[name])), ", ".join(f"{one:.0%}" for one in fall[name])]
    for name in recorded
])
verdict("when the runs end, the loss of the 56-layer plain network is still falling, with every seed",
        min(fall["plain 56"]) > 0.1, f"by at least {min(fall['plain 56']):.0%} in four epochs",
        recorded=True)

# %% [markdown]
# So the record answers half of the question. At this rate the deep plain network *is* slower, by far and with every
# seed. Whether it is also worse remains open: when the runs end, its loss is above that of the network with a third of
# its layers, with every seed, but nearly all losses are still falling, the shallow ones' about as fast, and in training
# mistakes the two overlap. And in the short runs of lesson 04, 0.002 was far from the deep plain network's best rate;
# which one is best over so many updates was not searched. He and his colleagues trained three times as long as usual
# and still saw degradation (2016a, Section 4.1, footnote 3).
#
# ## 4. On the test set
#
# **Predict.** With the training loss near zero everywhere, does depth still matter for accuracy?

# %%
rows = [[name, *(f"{run.test_accuracy:.2%}" for run in group)] for name, group in recorded.items()]
plots.table(["network", "seed 0", "seed 1", "seed 2"], rows)
mistakes = {name: [1 - run.test_accuracy for run in group] for name, group in recorded.items()}
verdict_above("at this rate the 56-layer plain network makes more mistakes than the 56-layer residual "
              "one", mistakes["plain 56"], mistakes["residual 56"], ratio=1.3, unit="of the images",
              recorded=True)

# %% [markdown]
# On the test images the two plain networks overlap, if barely: three seeds cannot decide it. Both have learnt nearly
# all their training images, and what remains of the training loss mostly reflects how confident they are. The deep
# residual network stays ahead of the deep plain one, at this shared rate.
#
# ## Summary
#
# - At a shared rate of 0.002, the deep plain network needs several times the updates of the shallow one.
# - When the runs end, its training loss is still higher, and nearly all losses are still falling; in mistakes the two
#   overlap.
# - So at this rate it is slower, with every seed. Whether it is worse in the end, and at its own best rate, these runs do
#   not tell.
#
# Back to lesson [04](../04_plain_vs_residual.ipynb).
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385), Section 3.4; Section 4.1, footnote 3.
