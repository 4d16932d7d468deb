# %% [markdown]
# # Exercises for lesson 04: plain against residual
#
# They go with lesson [04](../04_plain_vs_residual.ipynb). Write each answer in place of the `...`, run the cell, then
# the one below it: it checks the answer at once and says what is wrong. The hints unfold. You can run all cells at any
# time; an exercise that you have not attempted does no harm.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page

import keras
import numpy as np

from resnet_lesson import checks
from resnet_lesson.data import load_mnist
from resnet_lesson.models import network
from resnet_lesson.training import Trainer
from resnet_lesson.variants import with_fading_shortcuts, without_shortcuts

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=6400, val=0, test=2000)

# %% [markdown]
# ## Exercise 1: the fade, with `fit`
#
# **medium, 20 minutes**
#
# Lesson 04 lowered $\lambda$ in the course's own training loop. Elsewhere you will train with `fit`, and what happens
# between two updates is the work of a *callback*. Write one that fades: $\lambda$ is 1 until `start` updates are
# done, falls in a straight line, and is 0 once `end` updates are done, however many epochs that takes.

# %%
def fading_callback(scale, start, end):
    """Return a keras.callbacks.Callback that lowers `scale`, a variable with `assign`; it is 1 at first.

    After each update, scale has the value for the next one.
    """
    # ANSWER
    class Fade(keras.callbacks.Callback):
        done = 0

        def on_train_batch_end(self, batch, logs=None):
            self.done += 1
            scale.assign(np.clip((end - self.done) / (end - start), 0, 1))

    return Fade()
    # END


# %%
checks.fading_callback(fading_callback)

# %% [markdown]
# Now fade a network of 20 layers, and take its shortcuts out for good. Predict first: how far will the accuracy of
# the exported network be from that of the faded one? And what of the same network, trained with shortcuts that are
# cut off at the end? It takes about twenty seconds.

# %%
def trained_with(callbacks):
    """Train a network whose shortcuts can fade, two passes; return it and itself without shortcuts."""
    keras.utils.set_random_seed(0)
    model = with_fading_shortcuts(network(20))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(mnist.train.images, mnist.train.labels, batch_size=64, epochs=2, verbose=0,
              callbacks=callbacks(model.get_layer("shortcut_scale").scale))
    return model, without_shortcuts(model)


def accuracy(model):
    return np.mean(model(mnist.test.images, training=False).numpy().argmax(axis=1) == mnist.test.labels)


if fading_callback(keras.Variable(1.0), 0, 1) is not None:
    for name, callbacks in {"faded": lambda scale: [fading_callback(scale, 50, 150)], "kept": lambda scale: []}.items():
        model, plain = trained_with(callbacks)
        print(f"shortcuts {name}: accuracy {accuracy(model):.1%}, and without any shortcut {accuracy(plain):.1%}")

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A callback is a subclass of `keras.callbacks.Callback`. Its method `on_train_batch_end(self, batch, logs=None)` is called
# after each update.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# What is `batch` in the first update of the second epoch? Print it.
#
# </details>

# %% [markdown]
# ## Exercise 2: a fair race
#
# **hard, 30 minutes**
#
# Write down the rules of this lesson as a program, so that nobody can bend them. Each kind of network is tried at every rate, with every
# seed of the search. Its best rate is that with the lowest *mean* loss over these seeds; if a run has diverged, which gives
# NaN, its rate is out. Then each kind runs at its own best rate with the fresh seeds, and by these alone it is judged. A run
# costs minutes, so make none twice.

# %%
def fair_race(train, kinds, rates, search_seeds, seeds):
    """Return a dictionary: kind → list of losses, one for each of `seeds`, in their order.

    train(kind, rate, seed) trains one network and returns its loss.
    """
    # ANSWER
    found = {}
    for kind in kinds:
        means = {rate: np.mean([train(kind, rate, seed) for seed in search_seeds]) for rate in rates}
        best = min(rates, key=lambda rate: np.inf if np.isnan(means[rate]) else means[rate])
        found[kind] = [train(kind, best, seed) for seed in seeds]
    return found
    # END


# %%
checks.fair_race(fair_race)

# %% [markdown]
# Let it run. Predict first: does a shortcut already help networks of 14 layers? It takes about twenty seconds.

# %%
def train(kind, rate, seed):
    """Train a network of 14 layers for 100 updates; return the mean loss of the last 25."""
    trainer = Trainer(network(14, "none" if kind == "plain" else "padded"), learning_rate=rate)
    return trainer.run(mnist, seed, updates=100).final_loss(25)


race = fair_race(train, ["plain", "residual"], [0.003, 0.01, 0.03], [0], [1, 2, 3])
for kind, losses in (race or {}).items():
    print(f"{kind}:", ", ".join(f"{loss:.2f}" for loss in losses))

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Two loops, one after the other, inside a third. Which of them may decide, and which may only report?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A mean with NaN in it is NaN, and every `<` or `>` with NaN is False. What does `min` make of that?
#
# </details>

# %% [markdown] tags=["solution"]
# At 14 layers every residual run ends below every plain one already, by a fifth or so. Three seeds show no more than that there
# is a gap, and 100 updates say little about the end of a training. Deep networks are where the shortcut matters most; try
# 38 layers if you have five minutes.

# %% [markdown]
# ## Exercise 3: branches that start at zero
#
# **medium, 15 minutes**
#
# With `zero_init=True` the last $\gamma$ of each block starts at zero, so each residual block starts as
# the identity. Take 8 layers, three seeds, 120 updates, and one rate of 0.01 for both. Is the final training loss
# with zero branches lower than without, higher, or is there no clear difference, because the runs overlap? Write down
# your prediction and a reason *before* you run the experiment. It takes about ten seconds.

# %%
# STUB: prediction = None  # "lower", "higher" or "no clear difference"
# ANSWER
prediction = "higher"
# END

# %%
RATE = 0.01


def final_losses(zero_init):
    """Return the mean loss of the last 30 updates, one number a seed."""
    trainer = Trainer(network(8, zero_init=zero_init), learning_rate=RATE)
    return [trainer.run(mnist, seed, updates=120).final_loss(30) for seed in (0, 1, 2)]


zero, usual = [], []
if prediction is None:
    print("Predict first.")
else:
    zero, usual = final_losses(True), final_losses(False)
    print("zero branches:", ", ".join(f"{loss:.3f}" for loss in zero))
    print("usual weights:", ", ".join(f"{loss:.3f}" for loss in usual))

# %%
checks.zero_prediction((prediction, zero, usual))

# %% [markdown]
# A wrong prediction is no mistake. In the exercises for lesson 02, branches that start at zero were a great help. What is
# different here? And was the race fair? Set `RATE` to 0.05, at which 8 layers did best in the lesson's map, predict again,
# and run both cells once more.

# %% [markdown]
# <details><summary>Hint</summary>
#
# What holds the branches of *these* networks in check at the start, whatever their weights? And which of a branch's weights
# get a gradient while its last $\gamma$ is zero?
#
# </details>

# %% [markdown] tags=["solution"]
# Higher. There was no normalisation in lesson 02's exercise, and untamed branches blew the signal up. Here each branch
# is normalised, so the usual start does no harm; and as long as $\gamma = 0$, nothing in a branch but this $\gamma$ and
# its $\beta$ has a gradient, so the branches get going late. In so short a race that costs more than it saves. A remedy
# helps only where there is the disease that it was made for.
#
# And much of the gap was tuning. At 0.05, with longer steps, the branches get going soon enough, and the runs of the two
# kinds overlap: no clear difference. One shared rate had favoured the usual start.

# %% [markdown]
# ## Exercise 4: a claim in a paper
#
# **medium, 15 minutes**
#
# A paper shows one curve for a plain and one for a residual network, and concludes: "The shortcut
# doubles the speed of training." List what you would ask its authors for, and what each answer could
# change. There is no check: discuss it, or compare with the model answer in the solutions.

# %% [markdown] tags=["solution"]
# **A model answer.**
#
# - *How many seeds?* One curve each may be luck. Ask for bands, or for every run.
# - *Are the networks equal otherwise?* Parameters, first weights, normalisation, data order. If the
#   shortcut has projections, the residual network has more parameters.
# - *Was the learning rate searched for each?* A rate that suits only one of them makes the other slow.
# - *What is "speed"?* Updates or seconds, and to which loss? At a loss that the plain network never
#   reaches, the factor is infinite; near guessing, it may be 1.
# - *Training or test loss?* The claim is about training.
# - *At which depth?* In lesson 04, each network at its best learning rate, eight seeds show hardly any gain at 8
#   layers and a large one at 56.
#
# **A good answer** says for each question how its answer could turn the conclusion round, and names at least one thing that
# would make the shortcut look *worse* than it is.

# %% [markdown]
# ## Where you stand

# %%
checks.summary("04")
