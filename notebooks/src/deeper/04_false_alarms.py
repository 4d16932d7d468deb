# %% [markdown]
# # 04 · Deeper: how often does a verdict cry wolf?
#
# The verdicts of this course that compare two networks seed by seed compute a p-value, and speak only where it is below
# 0.05. That promises at most one false alarm in twenty (lesson 03). But the promise rests on assumptions that training
# losses need not keep: that differences scatter like a bell curve, for one. So why should you believe it? There is a way
# to find out. Compare networks between which there *is* no difference, and count how often a verdict sees one.
#
# **Objectives.** After this notebook you can
#
# 1. measure the false alarms of a test, instead of trusting its label;
# 2. say how large a difference must be for eight seeds to find it, and what *undecided* means.
#
# **Prerequisites.** Lessons [03](../03_bottleneck_block.ipynb), section 7, and [04](../04_plain_vs_residual.ipynb),
# section 1.
#
# **Reading time:** 5 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import numpy as np
from scipy.stats import ttest_rel

from resnet_lesson import plots
from resnet_lesson.studies import at_best_rate, provenance, read_study
from resnet_lesson.verdicts import paired

calibration = read_study("04_calibration")

# %% [markdown]
# ## 1. A network against itself
#
# In a recorded study, two residual networks ran against *themselves*, forty times each: both runs of a pair have the
# same seed and the same images, but in the second one every initial weight is changed by about a millionth. Training
# amplifies such differences until the two runs visibly part ways. Which of them ends lower is pure luck, so whatever
# difference a verdict finds between them is a false alarm. From the forty pairs we draw groups of five, eight and ten,
# many times, and let the verdict of the lessons, a paired t-test (Student 1908), judge each group.
#
# **Predict.** How many of a hundred groups raise an alarm? And how large would a true difference have to be, as a share of
# the loss, for eight seeds to find it four times in five?

# %%
generator, rows = np.random.default_rng(0), []
for name in calibration["settings"]["networks"]:
    pairs = np.array([[run[kind]["train_loss"] for kind in ("as it is", "perturbed")]
                      for run in calibration["results"] if run["task"]["name"] == name])
    for size in calibration["settings"]["group_sizes"]:
        groups = [part for _ in range(50) for part in np.split(generator.permutation(pairs), len(pairs) // size)]
        found = [paired({"": (part[:, 0], part[:, 1])})[""] for part in groups]
        visible = np.mean([difference.visible for difference in found]) / pairs.mean()
        rows.append([name, size, f"{np.mean([difference.p < 0.05 for difference in found]):.1%}", f"{visible:.0%}"])
plots.table(["network, against itself", "seeds in a group", "false alarms",
             "smallest difference that is found four times in five, as a share of the loss"], rows)
print(provenance(calibration))

# %% [markdown]
# About one in twenty, as promised, as far as forty pairs can tell: all groups are drawn from these pairs, and with so
# few of them, a rate of two or of eleven per cent would not have been a surprise.
#
# The last column is the price of having few seeds. A difference smaller than that may be real and go unseen, so a verdict
# of *undecided* names the difference that it would probably have seen, and means no more than that.
#
# ## 2. Where one side scatters more
#
# This was the easy case. Two runs of one network scatter alike, so that their differences lie evenly on both sides of
# zero. In lesson 04 the deep plain network scatters widely and the residual one hardly at all. Then a few differences
# are very large, the rest are small, and the bell curve is a poor picture of them. Real pairs of this kind with the
# same mean do not exist, so we simulate them: losses drawn independently, log-normal, with the scatter that the two
# networks have in the record, and with one and the same mean.

# %%
study = read_study("04_rate_map")
settings, scatters = study["settings"]["narrow"], {}
for name in ("plain 56", "residual 56"):
    runs = [run for run in study["results"] if run["task"]["name"] == name]
    judged = at_best_rate(runs, settings["search_seeds"], settings["seeds"])[1]
    scatters[name] = np.std(np.log([run["train_loss"] for run in judged]), ddof=1)
wide, tight = (generator.lognormal(-scatter**2 / 2, scatter, (20_000, 8)) for scatter in scatters.values())  # of mean 1
print(f"false alarms of eight seeds, simulated: {np.mean(ttest_rel(wide, tight, axis=1).pvalue < 0.05):.1%}")

# %% [markdown]
# A little more often than promised. Where one network scatters so much more than the other, then, a p-value just below
# 0.05 is worth somewhat less than it says. Whether a real difference hides more easily there, we have not simulated.
# That is why the large claims of lesson 04 do not lean on it: they ask that every run of one side end far above every
# run of the other.
#
# ## Summary
#
# - A test's rate of false alarms can be measured: compare a network with itself.
# - For networks that scatter alike, the verdicts raise about as many as they promise. Where one scatters much more than
#   the other, they raise a few more, in our simulation.
# - *Undecided* means: a difference larger than the one that is named would probably have been found. Smaller ones may be
#   there.
#
# Back to lesson [04](../04_plain_vs_residual.ipynb).
#
# ## References
#
# - Student (W. S. Gosset) 1908: *The Probable Error of a Mean*. Biometrika 6.
