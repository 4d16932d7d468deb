# %% [markdown]
# # 01 · Degradation
#
# There are two ways to get a plain network of 100 layers that reads digits. You can train one. Or you can
# cheat: train one of 10 layers, which is easy, and slip 90 layers into it that do nothing. Nobody would be
# proud of the second network. Yet it is a network of 100 layers like the first, with nothing special about
# it but its weights, and training was free to choose those weights. So whatever training finds ought to be
# at least as good as the fake. In a minute you will have both, three of each. Which is better, and by how
# much?
#
# **Objectives.** After this lesson you can
#
# 1. build, from a trained network, a deeper one that computes exactly the same function;
# 2. tell degradation from over-fitting, and from a badly chosen learning rate;
# 3. say what the copy shows about deep plain networks, and what it does not.
#
# **Prerequisites.** Lesson [00](00_start_here.ipynb). Dense layers, ReLU, Adam and He initialisation are in
# its [primer](deeper/00_primer.ipynb).
#
# **Reading time:** 30 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import numpy as np

from resnet_lesson import diagrams, plots
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network, reset_weights
from resnet_lesson.runs import by_name
from resnet_lesson.studies import provenance, read_study
from resnet_lesson.sweep import sweep
from resnet_lesson.training import Trainer, evaluate
from resnet_lesson.verdicts import verdict, verdict_above

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=12800, val=1000, test=0)
images, labels = mnist.train.images, mnist.train.labels

# %% [markdown]
# To keep things simple, the networks of this lesson have neither convolutions nor normalisation. Each is a chain of
# dense layers of 71 units with a ReLU, and every layer that has weights counts.
#
# **Predict.** Guessing costs 2.3, and trained networks of 10 such layers get well below 0.3. Where do those of 100
# layers end?

# %%
my_guess = None  # for example 0.1

# %%
DENSE = {"shortcut": "none", "block": "dense", "widths": (71,), "normalisation": False}
RATES = {10: 1e-3, 20: 1e-3, 50: 3e-4, 100: 3e-4}  # for each depth the best of five: section 3

runs = sweep(
    {f"{depth} layers": {"depth": depth, **DENSE} for depth in RATES}, seeds=[10, 11, 12], data=mnist,
    updates=600, learning_rate={f"{depth} layers": rate for depth, rate in RATES.items()},
)
runs = {group[0].config["depth"]: group for group in by_name(runs).values()}

# %%
def copy(shallow, deep):
    """Let a deeper network compute what `shallow` computes: each added layer is the identity."""
    # Layers are named by their place: the first nine and `logits` exist in both networks.
    learnt = {layer.name for layer in shallow.layers}
    for layer in deep.layers:
        if layer.name in learnt:
            layer.set_weights(shallow.get_layer(layer.name).get_weights())
        elif layer.weights:
            layer.set_weights([np.eye(layer.units), np.zeros(layer.units)])

# %%
def logits_of(net):
    return net(images, training=False).numpy()


def training_loss(net):
    return evaluate(logits_of(net), labels)[0]


nets = {depth: network(depth, **DENSE) for depth in RATES}
trained, copied = {depth: [] for depth in RATES}, {100: []}
for depth, group in runs.items():
    for run in group:
        nets[depth].set_weights(run.weights)
        trained[depth].append(training_loss(nets[depth]))
for run in runs[10]:
    nets[10].set_weights(run.weights)
    copy(nets[10], nets[100])
    copied[100].append(training_loss(nets[100]))
    # 90 more layers, and not one bit of one logit has changed
    assert np.array_equal(logits_of(nets[10]), logits_of(nets[100]))

# %%
figure = plots.dots({"plain, trained": trained, "copied": copied}, "weighted layers", "training loss (nats)",
                    guess=my_guess)
plots.show(*figure, "Each mark is a network, on the 12,800 images that it was trained on, after its last "
           "update. **Compare the marks at 100 layers:** the round ones were trained, the square ones were "
           "made from the networks of 10 layers, by hand.")

# %% [markdown] tags=["slide"]
# # 01 · Degradation
#
# Shouldn't a deeper network be at least as good?
#
# <!-- later -->
#
# <!-- output: 450 -->
#
# <!-- notes -->
# Ask before you show it: where would you put a network that copies one of 10 layers?
# They will say: that is not possible with ReLU. Answer: it is, exactly, and there they are at the lower
# right.

# %% [markdown]
# ## 1. A better network was there all along
#
# The fakes win, and it is not close. Before we ask why, let's make sure that there is no trick in them.
#
# Some words first. A **weighted layer** is one that multiplies its input by weights, a convolution or a dense
# layer; the **depth** of a network is the number of weighted layers from the image to the **logits**, the ten
# numbers that the last layer gives, one for each digit;
# and a network is **plain** if it is a mere chain, where each layer takes what the layer before it hands on, and
# nothing else. A layer that returns its input unchanged is an **identity mapping**.
#
# Can a dense layer with ReLU be one? It computes $\mathrm{ReLU}(Wx + b)$. Take the identity matrix $I$ for
# $W$ and zero for $b$, and it computes $\mathrm{ReLU}(x) = \max(x, 0)$, which looks like a failure, because
# everything negative is cut off. But what arrives here has already been through a ReLU. There is nothing
# negative left to cut, and $\max(x, 0) = x$, exactly.

# %%
learnt = [("image", "other"), ("layer 1", "learnt"), ("…", "learnt"), ("layer 9", "learnt")]
added = [("identity", "identity"), ("…", "identity"), ("identity", "identity")]
plots.show(*diagrams.chains({
    "10 layers, trained": [*learnt, ("logits", "learnt")],
    "100 layers, made from it": [*learnt, *added, ("logits", "learnt")],
}), "How a fake is made: 90 identity mappings go in before the last layer. In code it is `copy`, above.")

# %% [markdown] tags=["slide"]
# ## Three words
#
# - A **weighted layer** multiplies by weights: a convolution or a dense layer.
# - The **depth** is the number of weighted layers from the image to the logits.
# - A network is **plain** if it is a mere chain: each layer takes what the layer before it hands on.
#
# An **identity mapping** returns its input unchanged.
#
# <!-- notes -->
# Ask: how deep were the best networks of 2014? They will say: hundreds of layers. Answer: 19 and 22. Ask why
# nobody simply went on to 100, and collect the reasons. Over-fitting is tested today, gradients in the deeper
# notebook, time in lesson 04.

# %% [markdown] tags=["slide"]
# ## The deeper network can copy the shallow one
#
# <!-- output: 330 -->
#
# $\mathrm{ReLU}(I x + 0) = \max(x, 0) = x$ where $x \ge 0$: an identity mapping.
#
# <!-- notes -->
# Ask: can a ReLU layer be the identity? They will say: no, it cuts off the negative half. Answer: its input
# comes from a ReLU, so there is no negative half. The argument is from He and his colleagues (2016a,
# Section 1).

# %% [markdown] tags=["slide"]
# ## In code
#
# ```python
# for layer in deep.layers:
#     if layer.name in learnt:
#         layer.set_weights(shallow.get_layer(layer.name).get_weights())
#     elif layer.weights:
#         layer.set_weights([np.eye(layer.units), np.zeros(layer.units)])
# ```
#
# **Predict:** how far apart are the logits of the two networks, after 90 more layers?
#
# <!-- notes -->
# They will say: a rounding error. Answer: nothing at all, not one bit. Multiplying by one and adding zeros
# rounds nothing. So a good network of 100 layers exists: how can training miss it?

# %%
verdict_above("networks of 100 layers that copy one of 10 have a lower training loss than those of 100 "
              "layers that were trained", above=trained[100], below=copied[100], ratio=3, unit="nats")

# %% [markdown] tags=["slide"]
# ## A better network was there all along
#
# <!-- output -->
#
# And the copy's logits equal those of the 10 layers, to the last bit.
#
# <!-- notes -->
# Ask: so what is wrong with the deep network, what it can compute or how it is trained? They will say:
# both. Answer: it can compute everything that the shallow one can. What is left is the training.

# %% [markdown]
# So among the networks of 100 layers there is one that is as good as the one of 10. He, Zhang, Ren and Sun
# (2016a, Section 1) made this argument on paper: a deeper network should have no higher training error than
# a shallower one, because it could copy it. When its training error is higher all the same, they call it *degradation*. You have now
# held the copy in your hands. The trouble cannot be what a deep network is able to compute. It must
# be that training does not find it, at least in 600 updates from where it starts.
#
# (The networks follow Srivastava, Greff and Schmidhuber (2015, Section 3.1), who compared plain networks of these
# depths on MNIST: dense layers of 71 units, without normalisation. They start from He initialisation.)
#
# ## 2. Would training stay there?
#
# Here is what a sceptic would say. Perhaps the copy is a freak: weights balanced on a knife edge, so that the
# first step of any training would topple them. Then their existence would prove little. We can test that.
# Put training *at* the copy and let it go on, with all 100 layers free to move. For comparison, the networks
# of 10 layers go on, too.
#
# **Predict.** Will another hundred updates make the copy better, leave it as it is, or ruin it? Does it matter how
# long the steps are? We try a rate of 0.001, at which the 10 layers were trained, and a tenth of it.

# %%
def go_on(depth, rate, updates=100):
    """Train the copies on, or the networks that they were copied from; return runs and losses."""
    trainer, found, ended = Trainer(nets[depth], learning_rate=rate), [], []
    for run in runs[10]:
        nets[10].set_weights(run.weights)
        copy(nets[10], nets[100])
        name = f"{depth} layers, rate {rate:g}"
        found.append(trainer.run(mnist, 100 + run.seed, updates, name, reset=False))
        ended.append(training_loss(nets[depth]))
    return found, ended


small_steps, ended_small = go_on(100, 1e-4)
long_steps, ended_long = go_on(100, 1e-3)
shallow, ended_shallow = go_on(10, 1e-3)

# %%
level = np.mean(trained[100])
ax, alt = plots.learning_curves([*long_steps, *small_steps, *shallow], window=5, log=True)
ax.axhline(level, color="black", linestyle=(0, (1, 3)))
ax.text(100, 1.05 * level, "100 layers, random start", ha="right")
plots.show(ax, f"{alt} Dotted at {level:.2f}: the networks of 100 layers trained from a random start.",
           "Copies of 100 layers, trained further, three runs each, and the networks of 10 layers. **Look at the "
           "left edge:** a rate of 0.001, at which 10 layers go on as if nothing had happened, throws 100 layers "
           "out of the copy at once. A smaller rate does not. (Five batches to a point are noisy: small steps forward "
           "do not show here. The table has the losses on all training images.)")
plots.table(["network", "rate", "training loss before", "after 100 more updates"], [
    [f"{depth} layers", f"{rate:g}", *(", ".join(f"{one:.3f}" for one in of_runs) for of_runs in (copied[100], ended))]
    for depth, rate, ended in ((10, 1e-3, ended_shallow), (100, 1e-4, ended_small), (100, 1e-3, ended_long))])

# %% [markdown] tags=["slide"]
# ## Would training stay at the copy?
#
# <!-- later -->
#
# <!-- output: 480 -->
#
# <!-- notes -->
# Ask before: better, the same, or ruined? They will say: ruined, it is a freak. Answer: with small steps it
# improves. With the rate that trained the 10 layers it is thrown out at once, and still comes back to a
# better place than training from scratch ever reached.

# %%
verdict("trained further with small steps, each copy ends below where it began",
        all(after < before for before, after in zip(copied[100], ended_small, strict=True)),
        ", ".join(f"{a:.3f} → {b:.3f}" for a, b in zip(copied[100], ended_small, strict=True)) + " nats")
verdict_above("at a rate of 0.001, ten updates are enough to throw networks of 100 layers far above those of 10",
              above=[np.mean(run.loss[:10]) for run in long_steps],
              below=[np.mean(run.loss[:10]) for run in shallow], ratio=5, unit="nats")
verdict_above("after a hundred updates, even copies trained further at 0.001 are far below networks trained from a random start",
              above=trained[100], below=ended_long, ratio=2, unit="nats")

# %% [markdown] tags=["slide"]
# ## A valley, not a knife edge
#
# - Small steps from the copy: every run **improves**
# - Long steps: thrown out within ten updates, and after a hundred most of the way down again
# - Identities around *untrained* layers: far ahead of a random start, in half the time
#
# With small steps, training does well from there. It does not *get* there.
#
# <!-- notes -->
# Ask: why does a step that 10 layers hardly feel throw out 100? They will say: the gradients explode. Answer:
# perhaps. What is certain is that all layers move at once, and a change in one reaches every layer after it.

# %% [markdown]
# So it is not a knife edge but a valley. With small steps training stays in it and goes on improving; even kicked out
# of it, it gets most of the way down again within a hundred updates. Notice the kick, too, for it is a hint at what
# makes depth hard: the same step is taken by 100 layers all at once, and what each of them changes is passed on to all
# that follow.
#
# A hundred updates are not many. In a **recorded study**, a script that ran once and whose record says where and with
# what, copies made in the same way went on for 600, from four rates, each lowered to zero along the way, and so did
# the networks of 10 layers:

# %%
start_study, longer = read_study("02_shortcut_or_start"), {}
for run in start_study["results"]:
    if "copy" in run["task"]:
        longer.setdefault(run["task"]["rate"], {}).setdefault(run["task"]["depth"], []).append(run)


def means(group):
    """Return the mean training losses before and after, and how many runs improved."""
    before, after = ([one["train_loss"] for one in part] for part in ([run["before"] for run in group], group))
    return np.mean(before), np.mean(after), sum(b < a for a, b in zip(before, after, strict=True))


plots.table(["rate", "10 layers: before → after", "100 layers: before → after", "copies that improved, of 3"], [
    [f"{rate:g}", *("{:.3f} → {:.3f}".format(*means(of_depth[depth])) for depth in (10, 100)), means(of_depth[100])[2]]
    for rate, of_depth in sorted(longer.items())])
print(provenance(start_study))

# %% [markdown]
# Up to a rate of 0.001 all the copies improve, and at the two lowest rates 100 layers end about as low as 10 do. So
# with short steps depth does no harm here. But it allows only short steps: 10 layers do best at 0.001, and there the
# 100 fall behind. The longest steps leave the copies worse than they were, even after 600 updates.
#
# But a copy has a head start that a network trained from scratch does not get: ten of its layers are trained, the
# first nine and the last. What is left of the advantage without that? Let's take untrained layers, with random weights, and slip the 90
# identities in. Now nothing has been learnt; only the start is special.
#
# **Predict.** These networks get 300 updates, half of what those with a random start had. Where will they end?

# %%
trainer, identity_start = Trainer(nets[100], learning_rate=RATES[100]), []
for seed in (10, 11, 12):
    reset_weights(nets[10], seed)
    copy(nets[10], nets[100])
    trainer.run(mnist, seed, updates=300, reset=False)
    identity_start.append(training_loss(nets[100]))
plots.table(["100 layers, of which 90 start as identities, after 300 updates", "from a random start, after 600"],
            [[f"{ours:.2f}", f"{theirs:.2f}"] for ours, theirs in zip(identity_start, trained[100])])

# %%
verdict_above("networks of 100 layers that start with 90 identities among untrained layers end, after half "
              "the updates, far below those that start at random", above=trained[100], below=identity_start, ratio=2, unit="nats")

# %% [markdown]
# Hold on to that. No trained network is needed. If a deep network only *begins* where most of its layers do nothing,
# training does much of the rest.
#
# ## 3. Was the learning rate to blame?
#
# A rate that suits 10 layers may be wrong for 100, and then we would have compared a well-tuned network with a badly
# tuned one. So for each depth five rates were tried, with three seeds, and each depth raced at the rate with the
# lowest *training* loss, since that is what the claim is about. Doing all that takes too long for a lesson, so it was
# a recorded study, too. (The race above then used other seeds than the search, so that no network profits twice from
# the same luck.)

# %%
study = read_study("01_learning_rates")
rates = sorted(study["settings"]["learning_rates"])
losses = {depth: {rate: [] for rate in rates} for depth in RATES}
for result in study["results"]:
    if result["name"].startswith("dense"):
        losses[int(result["name"].split()[1])][result["learning_rate"]].append(result["final_loss"])
print(provenance(study))

# %%
series = {f"{depth} layers": np.transpose(list(at.values())) for depth, at in losses.items()}
ax, alt = plots.curves(rates, series, "learning rate", "loss of the last 100 of 600 updates")
ax.set_xscale("log")
plots.show(ax, alt, "One line for each depth, recorded. Find the lowest point of each: the two deep networks want "
           "smaller steps than the two shallow ones. But the line for 100 layers never comes near the one for "
           "10.")
best = {depth: min(rates, key=lambda rate: np.mean(at[rate])) for depth, at in losses.items()}
assert best == RATES and all(min(rates) < rate < max(rates) for rate in best.values())

# %% [markdown] tags=["slide"]
# ## Was the learning rate to blame?
#
# <!-- output: 470 -->
#
# <!-- notes -->
# Ask: if you had to defend the deep network, which rate would you give it? They will say: a smaller one.
# Answer: right, the deep ones want smaller steps. And their lowest points lie far above the others all the same.

# %%
verdict("at each of the five rates, networks of 100 layers end with a higher loss than those of 10",
        all(min(losses[100][rate]) > max(losses[10][rate]) for rate in rates),
        "; ".join(f"{rate:g}: {min(losses[100][rate]):.2f} and more, against {max(losses[10][rate]):.2f} and less"
                  for rate in rates) + " (nats)", recorded=True)
verdict_above("each depth at its best rate, networks of 100 layers end with a higher loss than those of 20", trained[100], trained[20], ratio=2,
              unit="nats")
verdict_above("each depth at its best rate, those of 20 end with a higher loss than those of 10", trained[20], trained[10], unit="nats")

# %% [markdown] tags=["slide"]
# ## Each at its best, and still
#
# <!-- output -->
#
# <!-- notes -->
# Ask: why choose the rate on the training loss and not on validation? They will say: to cheat. Answer: the
# claim is about the training loss, so each depth gets its best chance in just that. And the race uses other
# seeds than the search.

# %% [markdown]
# (The study recorded the mean loss of the last 100 batches, on other seeds, so its numbers are not those of our first
# figure.) These two deep networks do want smaller steps, and giving them those steps helps; it does not close the
# gap. Between 10 and 20 layers the difference is modest, and Srivastava and his colleagues,
# who trained for longer and searched more settings, found both depths very good (2015, Section 3.1). Ten times our
# training, at these rates, does not close even that gap ([long runs](deeper/04_long_runs.ipynb)).
#
# ## 4. Was it over-fitting?
#
# "Too many layers, so it over-fits" is a natural first guess, and it confuses two opposite illnesses. A
# network **over-fits** when it knows its training images by heart and fails on others. You tell by comparing
# its accuracy on training images with that on **validation** images, which it was not trained on. To have
# the real thing beside ours, let's over-fit on purpose: 10 layers, and only 256 images, again and again.

# %%
few = load_mnist(train=256, val=1000, test=0)
overfit = sweep({"10 layers": {"depth": 10, **DENSE}}, [10, 11, 12], few, updates=300,
                learning_rate=RATES[10], workers=1)


def accuracies(depth, group, data):
    """Return the share that is right, on training and on validation images, a row for each run."""
    found = []
    for run in group:
        nets[depth].set_weights(run.weights)
        found.append([evaluate(nets[depth](part.images, training=False).numpy(), part.labels)[1]
                      for part in (data.train, data.val)])
    return np.array(found)


right = {"10 layers, 256 images": accuracies(10, overfit, few),
         "10 layers": accuracies(10, runs[10], mnist), "100 layers": accuracies(100, runs[100], mnist)}
plots.table(["network", "training accuracy", "validation accuracy"],
            [[name, *(f"{share:.1%}" for share in shares.mean(axis=0))] for name, shares in right.items()])

# %% [markdown] tags=["slide"]
# ## Was it over-fitting?
#
# <!-- output -->
#
# - over-fitting: high on its own images, low on others
# - degradation: **low on its own images**, where a shallower network is high
#
# <!-- notes -->
# Ask: which of the two numbers is bad for the over-fitted network, and which for 100 layers? They will say:
# the validation accuracy, for both. Answer: for 100 layers it is the training accuracy already.

# %%
own, new = 1 - right["10 layers, 256 images"].T
verdict("the over-fitted network is wrong on less than a hundredth of its own images, and on more than a "
        "tenth of the new ones", max(own) < 0.01 and min(new) > 0.1,
        f"at most {max(own):.1%} of its own, at least {min(new):.1%} of the new")
verdict_above("100 layers are wrong more often than 10, on the images that they were trained on",
              above=1 - right["100 layers"][:, 0], below=1 - right["10 layers"][:, 0], ratio=3,
              unit="of the images")

# %% [markdown] tags=["slide"]
# ## Two opposite illnesses
#
# | | training accuracy | validation accuracy | what helps |
# |---|---|---|---|
# | over-fitting | high | low | more data, regularisation |
# | degradation | **low** | low | ? |
#
# <!-- notes -->
# Ask: a network gets 70 % of its training images right and 69 % of new ones. Which illness? They will say:
# none, the two agree. Answer: it has not learnt its own images, so there is nothing yet to over-fit.

# %% [markdown]
# Over-fitting calls for more data or for stronger **regularisation**, the collective name for whatever keeps a network
# from memorising. Neither helps a network that has yet to fit the images it was given.
#
# ## 5. What this shows, and what it does not
#
# *Is it only dense layers, or the missing normalisation?* No: the networks of lesson 00 were convolutional,
# with batch normalisation after each convolution, and 56 layers ended far above 20. But one thing does
# depend on the kind of network. A plain block that narrows inside, as theirs do, loses something of its input
# and cannot copy every input exactly. For dense layers that are all equally wide the argument of section 1 is exact;
# lesson 03 comes back to it for the others.
#
# *Do the gradients vanish?* That is the usual explanation, and it deserves a notebook of its own:
# [gradients through depth](deeper/01_gradients_through_depth.ipynb) makes them vanish on purpose, and then
# measures every layer of our 100-layer network before, during and after training. In that network they do not
# vanish. The article
# behind this course, <span lang="zh">残差神经网络Resnet(MNIST数据集tensorflow实现)</span>
# ([what is known of it](00_start_here.ipynb)), says that residual networks avoid vanishing and exploding
# gradients. Keep both words in mind; lesson 05 looks at them again, with shortcuts.
#
# *Is the deep network worse, or only slower?* After 600 updates nobody can tell. Given ten times as many, with
# a rate that ends at zero, networks like these are both: [the long runs](deeper/04_long_runs.ipynb) leave those of 100
# layers far above those of 10. Lesson 04 asks the same of convolutional networks.

# %% [markdown] tags=["slide"]
# ## What we do not know yet
#
# - Worse, or only slower? Trained ten times as long, they are both: **the long runs**, after lesson 04.
# - Networks that narrow inside cannot copy every input. **Lesson 03**
# - Do gradients vanish? Not in these networks of 100 layers: **the deeper notebook**.
#
# <!-- notes -->
# Ask: which of the three would you test first? They will say: the gradients. Answer: the deeper notebook
# makes them vanish on purpose, and then looks for that in these networks, before and during training.

# %% [markdown]
# ## Summary
#
# - A deeper plain network can copy a shallower one with identity mappings. We built such copies; their logits
#   are equal to the last bit.
# - Trained for 600 updates from random first weights, 100 layers end far above such copies, at every rate that
#   was tried. That is degradation.
# - The copy is not a freak. Trained further from there with small steps, the networks of 100 layers improve.
# - With no trained layer at the start, networks that begin with 90 identities end, after half the updates, far below
#   those that begin at random.
# - It is not over-fitting: the accuracy on the training images is low already.
# - So good networks of that depth exist, and with small steps training stays at them. From a random start, in that
#   time, it does not find them.
#
# That is nearly a recipe. If deep networks do well when they begin with layers that do nothing, why not build
# them so that doing nothing is easy? Lesson [02](02_residual_learning.ipynb) does it, with one addition.
#
# ## Quiz
#
# Five questions. Each option says why it is right or wrong.

# %%
from resnet_lesson import quizzes

quizzes.show("01")

# %% [markdown] tags=["slide"]
# ## What to remember
#
# - A deeper network can copy a shallower one, exactly.
# - Trained from a random start, it ends far above such a copy, at every rate that was tried.
# - It is not over-fitting: it is bad on its own images.
# - Started at the copy, a network **improves** with small steps. Training just does not find the copy in the time it
#   has.
#
# **Next:** what if doing nothing were easy?
#
# **Exercises:** lesson 01; the last one is for a discussion.
#
# <!-- notes -->
# Ask: what would you change about the network, given all this? They will say: better first weights. Answer:
# identities are one way, and a good one. Some will say: give it the identity for good. That is lesson 02.

# %% [markdown]
# <!-- quiz: 01 -->
#
# ## Exercises
#
# Reading is only half the work. In the [exercises for lesson 01](exercises/01_degradation.ipynb) you build,
# mend, predict and run, with checks that answer at once and hints to open if you need them; one exercise is there to discuss.
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385). Degradation and the copy: Section 1.
# - R. K. Srivastava, K. Greff, J. Schmidhuber 2015: *Training Very Deep Networks*. NIPS.
#   [arXiv:1507.06228](https://arxiv.org/abs/1507.06228), Section 3.1 and Figure 1: plain networks of
#   10 to 100 layers on MNIST. They do not count the output layer; we do.
# - K. He, X. Zhang, S. Ren, J. Sun 2015: *Delving Deep into Rectifiers*. ICCV.
#   [arXiv:1502.01852](https://arxiv.org/abs/1502.01852), Section 2.2: the first weights.
# - Y. LeCun, C. Cortes, C. J. C. Burges: *The MNIST database of handwritten digits*. CC BY-SA 3.0.
