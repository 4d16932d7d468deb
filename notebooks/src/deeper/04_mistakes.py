# %% [markdown]
# # 04 · Deeper: the mistakes of a network
#
# An accuracy is one number, and it hides everything that you would like to know about a network's mistakes. Which
# digits does it take for which? Where is it wrong and sure of it? And would you have read them yourself? This notebook
# trains a residual network of 20 layers for some seconds, and looks at the test images that it misreads.
#
# **Objectives.** After this notebook you can
#
# 1. read a confusion matrix;
# 2. find the images on which a network is wrong and sure of it.
#
# **Prerequisites.** Lesson [04](../04_plain_vs_residual.ipynb); cross-entropy, in the [primer](00_primer.ipynb).
#
# **Reading time:** 3 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import numpy as np
from keras.optimizers.schedules import CosineDecay

from resnet_lesson import plots
from resnet_lesson.data import load_mnist, raw_mnist
from resnet_lesson.models import network
from resnet_lesson.training import cross_entropy, train

resnet_lesson.deterministic()  # the same numbers in every run, to the last bit
mnist = load_mnist(train=12800, val=1000)
run = train(network(20), mnist, seed=20, updates=200, learning_rate=CosineDecay(0.02, 200), progress=False)
print(f"right on {run.test_accuracy:.1%} of the test images")

# %% [markdown]
# ## 1. Which digits are confused?
#
# A **confusion matrix** has a row for each digit and a column for each answer, and each cell counts the images with
# that digit and that answer. On the diagonal are the images that were read correctly; only the mistakes are shaded.
#
# **Predict.** Which pair of digits will be confused most often?

# %%
predictions = run.test_logits.argmax(axis=1)
plots.show(*plots.confusion_matrix(mnist.test.labels, predictions),
           "Look for the darkest cells, and whether the cell on the other side of the diagonal is as dark.")

# %% [markdown]
# ## 2. Wrong, and sure of it
#
# The loss of a single image is $-\log p_k$, where $p_k$ is the probability of the right digit. It is large where the
# network gave that digit almost no chance, usually because it was sure of another.
#
# **Predict.** Would you have got them right?

# %%
losses = cross_entropy(run.test_logits, mnist.test.labels)
worst = np.argsort(losses)[::-1][:16]
captions = [f"{mnist.test.labels[i]} taken\nfor {predictions[i]}" for i in worst]
plots.show(*plots.digit_grid(raw_mnist()["x_test"][worst], captions, title="The 16 worst mistakes"),
           "Some labels you may want to argue about. Others are plain mistakes.")

# %% [markdown]
# One run proves nothing about the next. Change `seed`, and see which images come back.
#
# ## Summary
#
# - A confusion matrix says which classes are taken for which.
# - The images with the highest loss are those to whose right digit the network gave the least chance.
#
# Back to lesson [04](../04_plain_vs_residual.ipynb).
#
# ## References
#
# - Y. LeCun, C. Cortes, C. J. C. Burges: *The MNIST database of handwritten digits*. CC BY-SA 3.0.
