# %% [markdown]
# # 04 · Plain against residual
#
# You have watched a deep network lose to a shallow one on images that it had every chance to learn, and you have
# built a block for which doing nothing is easy. Lesson 00 gave you a glimpse of the race between the two, at rates
# that you had to take on trust. A fair race is harder to arrange than it sounds. Give both kinds the same layers, the
# same first weights and the same images, and there is still one knob that can make almost any network look bad, the
# learning rate. So here is the search itself, the same for both, with more depths, longer runs, and fresh seeds for
# the verdict.
#
# **Objectives.** After this lesson you can
#
# 1. read a map of learning rates, and say why a race at one shared rate misleads;
# 2. write a residual network in twenty lines of Keras, train it with `fit`, and take the shortcuts out;
# 3. say what a shortcut that fades away shows about plain networks.
#
# **Prerequisites.** Lessons [01](01_degradation.ipynb) to [03](03_bottleneck_block.ipynb).
#
# **Reading time:** 40 minutes. **Computing time:** 3 minutes on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import itertools

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from keras.optimizers.schedules import CosineDecay

from resnet_lesson import plots
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import layer_counts
from resnet_lesson.models import network
from resnet_lesson.runs import by_name
from resnet_lesson.studies import at_best_rate, provenance, read_study
from resnet_lesson.sweep import sweep
from resnet_lesson.training import Trainer
from resnet_lesson.variants import with_fading_shortcuts, without_shortcuts
from resnet_lesson.verdicts import paired, verdict_above, verdict_paired

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit

# %% [markdown]
# **Predict.** Each network was trained at eight learning rates, from 0.001 to 0.2. Sketch its final loss against the
# rate, for 8, 20 and 56 plain layers, then for as many residual ones. Which network has the most to lose by a wrong rate?

# %%
study = read_study("04_rate_map")
settings = study["settings"]


def runs_of(name):
    return [run for run in study["results"] if run["task"]["name"] == name]


def searched(name):
    """Return the final training losses of the search: rate → one number a seed."""
    found = {}
    for run in runs_of(name):
        if run["task"]["seed"] in settings["narrow"]["search_seeds"]:
            found.setdefault(run["task"]["rate"], []).append(run["train_loss"])
    return {rate: found[rate] for rate in sorted(found)}

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.8), sharey=True, layout="constrained")
texts = []
for ax, kind in zip(axes, ("plain", "residual"), strict=True):
    series, at = {}, {}
    for depth in (8, 20, 56):
        name = f"{kind} {depth}"
        found = searched(name)
        at[name], series[name] = list(found), np.transpose(list(found.values()))
    drawn = plots.curves(at, series, "learning rate", "training loss (nats)", ax, f"{kind} networks", log=True)
    texts.append(drawn[1])
    ax.set_xscale("log")
    ax.set_xticks([0.001, 0.01, 0.05, 0.2], ["0.001", "0.01", "0.05", "0.2"])
    ax.set_xticks([], minor=True)
axes[1].set_ylabel("")
plots.show(axes[0], " ".join(texts),
           "Each point is the mean of three networks, trained for 600 updates with a rate that starts at the value on "
           "the axis and is **annealed**, lowered step by step to zero. The loss is that of all training images after "
           "the last update; bands reach from the lowest to the highest run. Recorded. **Follow the 56 layers in both "
           "panels.** Plain, they are behind at every rate, even at 0.02 and 0.05, where they do best; residual, they are the best of all once the rate suits them.")

# %% [markdown] tags=["slide"]
# # 04 · Plain against residual
#
# <!-- output: 440 -->
#
# Each network 600 updates at each rate. Where would you hold the race, if you had to choose one rate for all?
#
# <!-- notes -->
# The map of rates, 8, 20 and 56 layers, 600 updates each. They will say: at 0.01, in the middle. Answer: nowhere. At 0.002
# the deep plain network looks far worse than it need be, and at its own best rate it is still far behind.

# %% [markdown] tags=["slide"]
# ## One knob left
#
# Why not one rate for both?
#
# <!-- later -->
#
# With one rate for both, you measure which network that rate suits.
#
# So: one **search** for both, then each at its own best rate, on fresh seeds.
#
# Layers, first weights, images and their order are the same. `+ x` is not.
#
# <!-- notes -->
# Ask: would the same rate not be fair? They will say: yes, it would. Answer: then you measure which
# network that rate suits. It is the most common flaw in comparisons of this kind.

# %% [markdown]
# ## 1. A map of learning rates
#
# The networks are those of lesson 00: a stem, two stages of $n$ bottlenecks each, an average pool and a dense layer,
# which makes $6n + 2$ weighted layers. (He, Zhang, Ren and Sun 2016a, Section 4.2, reach the same count, and the
# depths 20 and 56, with three stages of basic blocks.) With padded shortcuts, plain and residual networks have
# exactly as many weights, and from one seed they start from the same ones. Each was trained at eight rates with three
# seeds, and for each the lowest point lies inside that range. Otherwise the search would have gone on.
#
# In nats, the deep plain network has the most to lose. (As a ratio, worst over best, it is no choosier than the others:
# say which measure you mean before you look.) See what a single shared rate would have done. At 0.002, a perfectly
# ordinary choice, the deep plain network has learnt next to nothing while the residual one is well on its way, and you
# would report a gap of some two nats, most of it tuning: at another rate, the plain network's loss is several times
# lower. (The residual network's falls as well, so the *ratio* changes far less than the gap; but you could not have
# known that before the search.) A fair comparison lets each network have its own lowest point, and then asks the
# question again, with seeds that took no part in the search.
#
# A doubt is left over from lesson 03. A plain *bottleneck* cannot copy every input, so perhaps these networks fail for
# lack of room. So the study has **full-width** networks as well, made of basic blocks, in which nothing narrows. With two
# stages of $n$ blocks they have $4n + 2$ layers; 18 and 54 are as near as they come to 20 and 56. (They were searched over
# five rates, with two seeds.) Here are eight fresh seeds for each narrow network and five for each full-width one:

# %%
names = [f"{kind} {depth}" for kind in ("plain", "residual") for depth in (8, 20, 56)]
names += [f"full-width {kind} {depth}" for kind in ("plain", "residual") for depth in (18, 54)]
fresh, best, series = {}, {}, {}
for name in names:
    group = settings["full_width" if name.startswith("full") else "narrow"]
    best[name], judged = at_best_rate(runs_of(name), group["search_seeds"], group["seeds"])
    fresh[name] = [run["train_loss"] for run in judged]
    kind, depth = name.rsplit(" ", 1)
    series.setdefault(kind, {})[int(depth)] = fresh[name]
plots.table(["network", "best rate", "training loss on fresh seeds, mean", "lowest to highest"], [
    [name, f"{best[name]:g}", f"{np.mean(found):.4f}", f"{min(found):.4f} to {max(found):.4f}"]
    for name, found in fresh.items()
])
print(provenance(study))

# %%
plots.show(*plots.dots(series, "weighted layers", "training loss (nats)", log=True),
           "The figure of lesson 01 once more, now of convolutional networks, each at its best rate. **Follow each line "
           "to its right end:** the plain ones turn up, the residual ones do not.")

# %% [markdown] tags=["slide"]
# ## Where nothing narrows
#
# A plain *bottleneck* cannot copy every input. Is that why it fails?
#
# - full width, basic blocks: nothing narrows
# - **Predict:** does plain 54 end nearer to plain 18 than plain 56 did to plain 20?
#
# <!-- notes -->
# They will say: nearer, for now the deep network could copy the shallow one. Answer: the next slide shows it, in the
# full-width lines. It degrades, too, and not less. (A bottleneck is a block whose middle is narrower than its ends.)

# %% [markdown] tags=["slide"]
# ## Each at its best rate, on fresh seeds
#
# <!-- output -->
#
# After 600 updates; means of eight seeds, of five in full width.
#
# <!-- notes -->
# Ask: why fresh seeds? They will say: to have more of them. Answer: the best of many rates looks a little better
# than it is on the seeds that chose it. The full-width networks are made of basic blocks, in which nothing narrows.

# %%
for above, below in (("plain 56", "plain 20"), ("plain 56", "residual 56")):
    verdict_above(f"each at its best rate, {above} ends with a higher training loss than {below}", fresh[above],
                  fresh[below], ratio=2, unit="nats", recorded=True)
difference = paired({"": (fresh["residual 20"], fresh["residual 56"])})[""]
verdict_paired("depth does not hurt the residual network: 20 layers end with a higher training loss than 56", difference,
               unit="nats", recorded=True)
for below in ("full-width plain 18", "full-width residual 54"):
    verdict_above(f"even where no block narrows, plain 54 ends with a higher training loss than {below[11:]}",
                  fresh["full-width plain 54"], fresh[below], ratio=3, unit="nats", recorded=True)

# %% [markdown]
# So degradation survives the fair search, and so does its cure. Lack of room is not the reason: where nothing narrows,
# the plain network of 54 layers degrades, too, and not less. Up to 56 layers, depth does not hurt the residual network:
# with 56 it ends about a third *below* its shallower self. (What we had claimed before the first run was weaker: that
# the two end within 0.02 nats of each other. They do, but that was a poor test. Had depth *raised* the loss by a third,
# from 0.045 to 0.06, it would have passed as well.) And compare the plain network of 56 layers with its lowest point in
# the map: 0.40 there, 0.56 here. That rate was chosen *because* its three runs had done well, and part of that was
# probably luck. Fresh seeds do not inherit it.
#
# How far can you trust the p-value of such a comparison? A [deeper notebook](deeper/04_false_alarms.ipynb) lets
# networks run against *themselves*. About one comparison in twenty raises a false alarm, as promised; a little more
# where one side scatters widely and the other hardly, as these do, which is why the claims about plain networks here
# ask for more than a small p: every run of one side must end above every run of the other. And an *undecided* verdict
# names a difference that it would probably have seen. Smaller ones can be real and go unseen.
#
# ## 2. The race, live
#
# Records cannot fail on your machine, so let's run the part of the map that matters: 20 and 56 layers, plain and
# residual, each at the best rate of the map's 600 updates, with three seeds that took no part in the search, and half
# as many updates.
#
# **Predict.** After 600 updates the plain network of 56 layers had come down to 0.56 nats, on average. Where will it be
# after 300? (Guessing costs 2.3.)

# %%
my_guess = None  # training loss of the plain network of 56 layers, for example 1.2

# %%
mnist = load_mnist(train=12800, val=1000, test=1000)
racers = {name: {"depth": int(name.split()[1]), "shortcut": "none" if "plain" in name else "padded"}
          for name in ("plain 20", "plain 56", "residual 20", "residual 56")}
UPDATES = 300
runs = sweep(racers, seeds=[20, 21, 22], data=mnist, updates=UPDATES,
             learning_rate={name: CosineDecay(best[name], UPDATES) for name in racers})

# %%
figure = plots.learning_curves(runs, window=15, log=True, guess=my_guess)
plots.show(*figure, "Four networks, three runs of each, each network at a rate of its own; running means over 15 "
           "updates. **Compare the two pairs at the right edge:** depth costs the plain network several times its loss, "
           "and the residual one nothing.")

# %% [markdown] tags=["slide"]
# ## The race, live
#
# Plain 56: where is it after 300 updates? (Guessing costs 2.3 nats.)
#
# <!-- later -->
#
# <!-- output -->
#
# <!-- notes -->
# Let everybody write a number down, then start the cell: it takes about a minute. Ask: what is different about the two networks of 56 layers? They
# will say: the number of weights. Answer: one addition per block, and the rate at which each is best. Nothing else.

# %%
final = {name: [run.final_loss(50) for run in group] for name, group in by_name(runs).items()}
verdict_above("at 56 layers, the plain network ends with several times the training loss of the residual one, in "
              "every pair of runs", above=final["plain 56"], below=final["residual 56"], ratio=3, unit="nats")
verdict_above("the plain network of 56 layers ends with a higher training loss than the plain one of 20",
              above=final["plain 56"], below=final["plain 20"], ratio=1.5, unit="nats")

# %% [markdown]
# ## 3. Write it yourself
#
# Nothing in these networks needs the course's package. Here they are in plain Keras, to be trained as you would train
# any model, with `compile` and `fit`. Look for the line with `y + x`.

# %%
def conv_norm(x, filters, size, stride=1, relu=True):
    x = layers.Conv2D(filters, size, stride, "same", use_bias=False, kernel_initializer="he_normal")(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return layers.ReLU()(x) if relu else x


def small_resnet(n, residual=True):
    inputs = keras.Input((28, 28, 1))
    x = conv_norm(inputs, 16, 3, stride=2)
    for stage, width in enumerate((16, 32)):
        for block in range(n):
            stride = 2 if stage and not block else 1
            y = conv_norm(x, width // 2, 1, stride)
            y = conv_norm(y, width // 2, 3)
            y = conv_norm(y, width, 1, relu=False)
            if stride == 2:  # the padded shortcut: every second pixel, channels of zeros
                x = keras.ops.pad(x[:, ::2, ::2], [[0, 0], [0, 0], [0, 0], [0, width // 2]])
            y = y + x if residual else y
            x = layers.ReLU()(y)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, kernel_initializer="he_normal")(x))


assert small_resnet(3).count_params() == network(20).count_params()

# %%
curves = {}
for kind, residual, rate in (("residual", True, 0.02), ("plain", False, 0.02)):
    keras.utils.set_random_seed(0)
    model = small_resnet(5, residual)
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(mnist.train.images, mnist.train.labels, batch_size=64, epochs=2, verbose=0)
    curves[f"{kind}, 32 layers"] = history.history["loss"]
plots.table(["network", "training loss, first epoch", "second epoch"],
            [[name, *(f"{loss:.2f}" for loss in values)] for name, values in curves.items()])

# %% [markdown] tags=["slide"]
# ## The line that matters
#
# ```python
# y = conv_norm(x, width // 2, 1, stride)
# y = conv_norm(y, width // 2, 3)
# y = conv_norm(y, width, 1, relu=False)
# y = y + x if residual else y            # the line
# x = layers.ReLU()(y)
# ```
#
# <!-- output -->
#
# <!-- notes -->
# Ask: what do you delete to get the plain network? They will say: the padding. Answer: `+ x`, nothing else. Train
# it again in front of them; it takes a few seconds.

# %% [markdown]
# One seed, one rate, 32 layers: an illustration, not evidence. It is there for you to play with. Set `n` to 9 for 56
# layers, try other rates, delete `+ x`, and watch. (Both ran at 0.02, a rate that was searched for neither. Give the
# plain one 0.05, and see how much of the gap was tuning.)
#
# ## 4. The fading shortcut
#
# So deep plain networks end badly. Is that because no good ones exist, or because training does not get there? Lesson
# 01 answered for dense networks, by building a copy. Here is a bolder way, a simple form of an idea of Monti,
# Tootoonian and Cao (2018), who phased shortcuts out by a penalty. Multiply every shortcut by one number $\lambda$.
# It starts at 1, so that training begins with a residual network. Then, as training goes on, lower $\lambda$ to
# exactly 0. What is left has no shortcuts at all. It is a plain network of 56 layers, and we will take its weights
# and build it as one.
#
# **Predict.** When $\lambda$ reaches zero, does the network fall apart? Does it end better than one that was plain
# from the start, or as good as one that kept its shortcuts?

# %%
STEPS, FADE = 600, (100, 400)  # λ is 1 before the first of these updates, 0 from the second on
model = with_fading_shortcuts(network(56))
scale, done = model.get_layer("shortcut_scale").scale, itertools.count(1)


def after_update():
    """Set λ for the next update."""
    scale.assign(np.clip((FADE[1] - next(done)) / (FADE[1] - FADE[0]), 0, 1))


# Constant until λ is 0 (a "warm-up" from 0.01 to 0.01), then down to zero.
schedule = CosineDecay(0.01, STEPS - FADE[1], warmup_target=0.01, warmup_steps=FADE[1])
fading = Trainer(model, learning_rate=schedule).run(mnist, 20, STEPS, "fading", on_update=after_update)

plain = without_shortcuts(model)
some = mnist.test.images[:500]
assert float(scale) == 0 and np.array_equal(plain(some, training=False), model(some, training=False))

# %%
ax, alt = plots.learning_curves([fading], window=15, log=True)
ax.axvspan(*FADE, color="black", alpha=0.1, linewidth=0)
ax.text(np.mean(FADE), 1.2, "λ falls from 1 to 0", ha="center")
plots.show(ax, f"{alt} Shaded: λ falls from 1 to 0, between updates {FADE[0]} and {FADE[1]}.",
           "One run, live. **Look at the shaded part:** the loss goes on falling at first. It turns when the shortcuts have "
           "lost a mere fifth of their strength, rises until they have lost about two thirds, and then stays, even while "
           "the rest goes. It falls again once the rate is annealed. From update 400 on the network is plain. For comparison, the networks of section 1 that were plain from the start ended, after as many updates, between "
           f"{min(fresh['plain 56']):.2f} and {max(fresh['plain 56']):.2f} (on all training images, with another "
           "schedule).")

# %% [markdown] tags=["slide"]
# ## The fading shortcut
#
# Multiply every shortcut by $\lambda$. Train, and lower $\lambda$ from 1 to 0. What becomes of the loss?
#
# <!-- later -->
#
# <!-- output: 440 -->
#
# <!-- notes -->
# Draw λ on the board first. Ask: what happens at update 400, when the last shortcut is gone? They will say: it falls
# apart. Answer: look. Then show what happens if the shortcuts are cut after training instead.

# %% [markdown]
# One run is an anecdote. A recorded study did it properly, and in networks of full width as well: eight seeds for 56
# narrow layers, five for 54 full-width ones, 1,200 updates, the fade from update 200 to 800, and for each kind of
# network its best rate, chosen on two other seeds. (In full width on only one, so a rate may have been chosen badly
# there. The faded networks end up much the same at all the rates tried; it is the one that is plain from the start that
# could have suffered.) All kept their rate constant until update 800, and annealed it to zero after that. Three
# comparisons belong to it: a network that is plain from the start, one that stays residual to the end, and that same
# network with its shortcuts cut once training is over.

# %%
fade_study = read_study("04_fading_shortcut")


def judged(group, arm):
    """Return an arm's runs on fresh seeds, at the rate that suited it best in the search."""
    runs = [run for run in fade_study["results"] if run["task"]["group"] == group and run["task"]["arm"] == arm
            and run["task"].get("fade", [200, 800]) == [200, 800]]
    chosen = fade_study["settings"][group]
    return at_best_rate(runs, chosen["search_seeds"], chosen["seeds"])[1]


ended = {}
for group in ("narrow", "full_width"):
    ended[group] = {name: [run["train_loss"] for run in judged(group, arm)] for name, arm in (
        ("plain from the start", "plain"), ("faded", "fading"), ("shortcuts kept", "residual"))}
    ended[group]["kept, then cut off"] = [run["cut"]["train_loss"] for run in judged(group, "residual")]

figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4), sharex=True, sharey=True, layout="constrained")
texts = [plots.intervals(values, "training loss (nats)", ax=ax, title=title, log=True)[1] for ax, values, title in zip(
    axes, ended.values(), ("56 layers, narrow", "54 layers, full width"), strict=True)]
plots.show(axes[0], " ".join(texts),
           "**Compare the first two rows of each panel.** Both are plain networks in the end, yet every faded one is below "
           "every one that was plain from the start. The third row kept its shortcuts. The last is the third with its "
           "shortcuts cut off: worse than guessing, which costs 2.3.")
print(provenance(fade_study))

# %% [markdown] tags=["slide"]
# ## A better plain network exists, and can be reached
#
# 1,200 updates, the fade from 200 to 800. Which row ends where?
#
# <!-- later -->
#
# <!-- output: 350 -->
#
# - shortcuts **faded** while learning: lower, and plain in the end
# - cut off after training: worse than guessing
#
# <!-- notes -->
# Ask: what does that say about depth? They will say: that plain networks are fine after all. Answer: better ones
# exist than training finds from a plain start. And keeping the shortcuts is far better still.

# %%
pairs = {"gain": ("plain from the start", "faded"), "price": ("faded", "shortcuts kept")}
family = {f"{what} {group}": (ended[group][above], ended[group][below])
          for what, (above, below) in pairs.items() for group in ended}
differences = paired(family)
for group, words in (("narrow", "56 narrow layers"), ("full_width", "54 full-width layers")):
    verdict_above(f"with {words}, networks that are plain from the start end with a higher training loss than those whose "
                  "shortcuts faded", ended[group]["plain from the start"], ended[group]["faded"], unit="nats", recorded=True)
    assert differences[f"gain {group}"].p < 0.05  # the rule that had been fixed beforehand
    assert differences[f"price {group}"].p < 0.05 and differences[f"price {group}"].mean > 0  # keeping them is better still
    assert min(ended[group]["kept, then cut off"]) > 5 * max(ended[group]["faded"])  # and cutting them off a ruin

# %% [markdown]
# Pause over this for a moment. From a residual start, training reaches plain networks with about half the loss of
# those that it finds, in the same time, from a plain start. So better deep plain networks exist than a plain start
# leads to, and part of what a shortcut does is to show the way. How large a part remains open. The networks that kept
# their shortcuts end lower still, by a factor of six and more, either because no plain network can match them or
# because the fade does not lead to the best one.
#
# And you cannot simply take the shortcuts out afterwards. Cut them once training is over, and the loss is worse than
# that of guessing. (The cut network keeps the averages of batch normalisation that it gathered with shortcuts, so
# part of the ruin may be theirs; we have not tried fresh averages, or a few more updates.)
#
# How long does training need the shortcuts, then? The study also moved the fade about, in the narrow networks, with three
# seeds and at the rate that suited the fade above.
#
# **Predict.** What if the shortcuts are gone after 200 of the 1,200 updates? After one? And what if they stay until the
# 790th update, and then vanish within ten?

# %%
seeds = fade_study["settings"]["other_fades_seeds"]
rate = judged("narrow", "fading")[0]["task"]["rate"]
moved = {}
for run in sorted(fade_study["results"], key=lambda run: run["task"].get("fade", [])):
    task = run["task"]
    if task["group"] == "narrow" and task["arm"] == "fading" and task["rate"] == rate and task["seed"] in seeds:
        moved.setdefault("from update {} to {}".format(*task["fade"]), []).append(run["train_loss"])
plots.show(*plots.intervals(moved, "training loss (nats)", log=True),
           "When λ falls from 1 to 0, and what the plain network of 56 layers ends with. **Look for what all the good ones "
           "share:** a while with shortcuts, a slow farewell, and time afterwards. (And for the row that has all three and "
           "ends higher.)")

# %% [markdown] tags=["slide"]
# ## How long are the shortcuts needed?
#
# <!-- later -->
#
# <!-- output: 340 -->
#
# <!-- notes -->
# Three seeds each, nothing claimed beforehand. Ask before: gone after 200 updates, after one, or within ten at the very
# end: which is worst? They will say: the early one, it has had no time. Answer: 200 updates are plenty. One is too few,
# and fading within ten is too abrupt.

# %% [markdown] tags=["slide"]
# ## Microscope: fade a trained network
#
# <!-- microscope: depth=56&digit=3&open=r9 -->
#
# <!-- notes -->
# All shortcuts of the residual network go down by a tenth. Ask: how many of its 200 digits will it still read? They
# will say: nearly all. Answer: slide them to 0.9, and see the count. Slide them up again, and compare with the faded
# network beside it, which has no shortcuts at all and reads nearly everything: it learnt to do without them. After a
# click outside the frame, the keys move the slides again.

# %% [markdown]
# Nothing was claimed about these beforehand, and three seeds prove nothing; but what they show is clear enough. Two
# hundred updates with shortcuts, fading from the very first, do as well here as eight hundred. A single update is no
# help (all of these ran at the rate that suits the fade, which is not the best for a plain start), and shortcuts that
# vanish within ten updates, two thirds of the way, leave a wreck that the remaining updates, at a falling rate, do not
# repair. One row does not fit: a farewell from update 600 to 800 is as slow as others, and leaves as much time, and yet
# ends higher. A few early shortcuts can be enough, it seems. These fades cannot show why, nor what is wrong with late
# ones.
#
# ## 5. What the addition costs
#
# The article behind this course, <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>
# ([what is known of it](00_start_here.ipynb)), says that the addition brings the network little extra computation, and
# makes training much faster. Let's count it, and time it.

# %%
rows = []
for depth in (20, 56):
    work = {}
    for count in layer_counts(network(depth)):
        work[count.kind] = work.get(count.kind, 0) + count.multiply_adds
    step = {kind: np.median([run.seconds[-1] / UPDATES for run in by_name(runs)[f"{kind} {depth}"]])
            for kind in ("plain", "residual")}
    share = work["Add"] / sum(work.values())
    rows.append([depth, f"{share:.1%}", *(f"{1000 * span:.0f}" for span in step.values())])
    assert share < 1 / 50
plots.table(["layers", "additions, each counted as a multiply-add", "plain, ms an update", "residual, ms an update"], rows)
reached = {name: [run.updates_to(0.5) or UPDATES + 1 for run in group] for name, group in by_name(runs).items()}
verdict_above("at 56 layers the residual network needs fewer updates to a loss of 0.5 (a run that never got there counts "
              "as one more than it had)", above=reached["plain 56"], below=reached["residual 56"], ratio=1.5,
              unit="updates")

# %% [markdown] tags=["slide"]
# ## What the addition costs
#
# <!-- later -->
#
# <!-- output -->
#
# Next to nothing in arithmetic. In seconds it depends on the machine: these are ours.
#
# <!-- notes -->
# Ask before: what share of the work are the additions? They will say: ten per cent. Answer: less than two. In seconds it
# can be more, since an addition computes little with each number that it moves.

# %% [markdown]
# In arithmetic the addition is next to nothing. In seconds it may be a larger share, for the reason that [what it
# costs in seconds](deeper/03_cost_in_seconds.ipynb) gives. How much larger depends on the machine, so no verdict
# judges it. In a deep network, the updates that it saves are worth far more.
#
# ## 6. Slower, or worse?
#
# After 600 updates the deep plain network is behind. Perhaps it only needs more time. So here is ten times as much, in
# a recorded study: 6,000 updates, thirty passes over the images, at the best rates of the map and with three fresh
# seeds. The rate is annealed to zero once more, so that at the end nothing moves.
#
# **Predict.** Where will the plain network of 56 layers end: with the others, or above them? And how many of its
# 12,800 training images will it still misread?

# %%
long_study = read_study("04_plateau")
long_updates = long_study["settings"]["updates"]
long = {}
for run in long_study["results"]:
    if run["task"]["updates"] == long_updates:
        long.setdefault(run["task"]["name"], []).append(run)
each_50 = np.arange(50, long_updates + 1, 50)
lowest = 0.001  # what is below is drawn here
shown = {name: np.maximum([run["losses"] for run in long[name]], lowest) for name in racers}
plots.show(*plots.curves(each_50, shown, "updates", "training loss (nats)", log=True),
           "Means over 50 updates, bands from the lowest to the highest of three runs; losses below 0.001 are drawn at "
           "0.001. **Follow the top line to the right edge:** it falls all the way, but about halfway the others begin to fall faster, and it never meets them.")

# %% [markdown] tags=["slide"]
# ## Slower, or worse?
#
# <!-- later -->
#
# <!-- output -->
#
# Ten times as many updates, at the best rates for 600, annealed to zero. **Both.**
#
# <!-- notes -->
# Ask before: where does the top line end? They will say: it catches up, MNIST is easy. Answer: it comes down, but not
# to the others. In nats the gap narrows; as a ratio it widens: choose your measure before you look.

# %%
plots.table(["network", "updates to a loss of 0.5", "training loss in the end", "training images misread, of 12,800",
             "test images misread, of 10,000"], [
    [name, *(", ".join(form.format(value) for value in values) for form, values in (
        ("{}", [run["updates_to_loss"]["0.5"] for run in long[name]]),
        ("{:.2g}", [run["train_loss"] for run in long[name]]),
        ("{}", [run["train_mistakes"] for run in long[name]]),
        ("{}", [run["test_mistakes"] for run in long[name]])))]
    for name in (*racers, "full-width plain 18", "full-width plain 54")
])
verdict_above("slower: at 56 layers the plain network needs more updates to a loss of 0.5 than at 20",
              [run["updates_to_loss"]["0.5"] for run in long["plain 56"]],
              [run["updates_to_loss"]["0.5"] for run in long["plain 20"]], ratio=2, unit="updates", recorded=True)
for deep, other in (("plain 56", "residual 56"), ("plain 56", "plain 20"), ("full-width plain 54", "full-width plain 18")):
    verdict_above(f"and worse: after {long_updates:,} updates, {deep} ends with a higher training loss than {other}",
                  [run["train_loss"] for run in long[deep]], [run["train_loss"] for run in long[other]], ratio=2,
                  unit="nats", recorded=True)

# %% [markdown]
# Slower *and* worse. (Two of these three were claimed before the first run; plain 56 against plain 20 was not.) The
# deep plain networks learn nearly everything in the end, for MNIST is easy: all but 5 to 27 of their 12,800 training
# images. Measured in nats, the gap has shrunk to a hundredth of a nat. But the others misread none, and as a ratio the
# gap has *grown*. He and his colleagues report something similar for larger images: training for three times as long
# did not cure degradation (2016a, Section 4.1, footnote 3). What can still be said against these runs is that the rates
# were chosen for short ones. The [long runs](deeper/04_long_runs.ipynb) have the other networks, dense ones among them,
# and more on what to make of it.

# %% [markdown]
# | the article says | here |
# |---|---|
# | With residual blocks, depth does not degrade the network. | Holds with batch normalisation, up to 56 layers, after 600 updates, each at its best rate, and after 6,000 at the same rates. |
# | The addition costs little computation. | Holds in multiply-adds. Seconds: reported. |
# | The shortcut makes training much faster. | At 56 layers, fewer updates to the same loss. |
# | It improves the result of training. | Training loss, each at its best rate: lower at 20 and at 56 layers, after 600 updates and, at the same rates, after 6,000; at 8 layers, after 600, the runs of the two overlap. |
#
# ## Summary
#
# - How good a network looks depends on its learning rate. With each at its own best rate, on fresh seeds, after 600
#   updates, the plain network of 56 layers ends far above the plain one of 20 and further above the residual one of
#   56.
# - Ten times the training does not close the gap. The deep plain network is slower, and where it ends it is still worse,
#   though only by a hundredth of a nat.
# - Where nothing narrows, deep plain networks degrade, too.
# - After 600 updates and after 6,000, depth does not hurt the residual network: 56 layers end lower than 20.
# - Better deep plain networks exist than training finds from a plain start in 1,200 updates: train a residual one and
#   let its shortcuts fade (in three recorded runs, even within the first 200 updates). The network that keeps its
#   shortcuts stays ahead by far.
# - The addition is a tiny share of the arithmetic.
#
# You have seen *that* the shortcut helps, in a race that was as fair as we could make it. Lesson
# [05](05_inside_the_network.ipynb) opens the trained networks and asks *why*. (If you would rather see which digits they
# misread: [the mistakes of a network](deeper/04_mistakes.ipynb).)
#
# ## Quiz
#
# Five questions. Each option says why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("04")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - A race at one shared rate measures tuning. Let each network have its best.
# - Even so, after 600 updates: plain 56 far above plain 20, and further above residual 56.
# - Shortcuts that **fade** leave a better plain network than a plain start does. Cut off afterwards, they leave a ruin.
# - We have seen *that*, not *why*: lesson 05.
#
# **Exercises:** lesson 04; the last one is for a discussion.
#
# <!-- notes -->
# Ask: which limit of this experiment would you remove first? They will say: longer training. Answer: ten times as long
# changes nothing but the size of the gap. Larger and harder images would be a better choice.

# %% [markdown]
# <!-- quiz: 04 -->
#
# ## Exercises
#
# Reading is only half the work. In the [exercises for lesson 04](exercises/04_plain_vs_residual.ipynb) you build,
# mend, predict and run, with checks that answer at once and hints to open if you need them; one exercise is there to discuss.
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). Plain against residual: Section 4. Option A and the
#   bottleneck: Section 4.1. Depths 20 and 56: Section 4.2.
# - R. P. Monti, S. Tootoonian, R. Cao 2018: *Avoiding Degradation in Deep Feed-Forward Networks by Phasing Out
#   Skip-Connections*. ICANN. [doi:10.1007/978-3-030-01424-7_44](https://doi.org/10.1007/978-3-030-01424-7_44).
# - D. P. Kingma, J. Ba 2015: *Adam*. ICLR. [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
# - Y. LeCun, C. Cortes, C. J. C. Burges: *The MNIST database of handwritten digits*. CC BY-SA 3.0.
