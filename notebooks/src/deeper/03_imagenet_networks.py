# %% [markdown]
# # 03 · Deeper: the networks of 2015
#
# ResNet-18, 34, 50, 101, 152: you meet these names everywhere. What do the numbers count? One table of the paper is
# nearly enough to rebuild the networks, and since Keras ships some of them, you can check your count to the last
# parameter.
#
# **Objectives.** After this notebook you can
#
# 1. say what is in a ResNet-50, and what its number counts;
# 2. rebuild four of the five networks of the paper's Table 1 from the blocks of lesson 03;
# 3. say what the bottleneck bought, and what residual networks won in 2015.
#
# **Prerequisites.** Lesson [03](../03_bottleneck_block.ipynb): basic block, bottleneck, projection, stride.
#
# **Reading time:** 6 minutes. **Computing time:** 1 minute on two cores, without a GPU.

# %%
import resnet_lesson  # comes first: it keeps TensorFlow's start-up messages off the page
import gc

import keras
from keras import layers

from resnet_lesson import diagrams, plots
from resnet_lesson.blocks import BasicBlock, BottleneckBlock, batch_norm
from resnet_lesson.diagnostics import layer_counts, weighted_layers
from resnet_lesson.verdicts import verdict

# %% [markdown]
# ## 1. One plan for all
#
# All five networks follow one plan (He, Zhang, Ren and Sun 2016a, Table 1). A stem shrinks the photograph of
# 224 × 224 pixels to a quarter of its width and height, four stages of blocks work on it, and an average pool and a
# dense layer give a logit for each of 1,000 classes. ResNet-18 and 34 have basic blocks of 64, 128, 256 and 512
# channels. ResNet-50, 101 and 152 have bottlenecks that are four times as wide outside.

# %%
stages = [(3, "bottleneck", 256, 56), (4, "bottleneck", 512, 28), (6, "bottleneck", 1024, 14),
          (3, "bottleneck", 2048, 7)]  # blocks, kind, channels, pixels
stem, head = [("7×7 conv\n64", 1), ("max\npool", 0)], [("average\npool", 0), ("dense\n1000", 1)]
plots.show(*diagrams.network(stages, stem, head, shortcut="projection", in_filters=64),
           "ResNet-50. Each stage is a row of bottlenecks with the same output shape; the first of each has a "
           "projection. (In the first stage only the channels change, so there it has stride 1.)")

# %% [markdown]
# **Predict.** ResNet-50 has exactly as many blocks as ResNet-34. Where do its sixteen extra layers come from, and
# what do they cost? (The paper's table calls multiply-adds FLOPs, and counts each as one.)

# %%
def imagenet_net(block, blocks, **options):
    """Build a network of He 2016a, Table 1, with shortcuts of option B."""
    x = inputs = keras.Input((224, 224, 3))
    x = layers.Conv2D(64, 7, 2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(batch_norm(None)(x))
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, (n, width) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True), start=1):
        width *= 4 if block is BottleneckBlock else 1
        for number in range(1, n + 1):
            stride = 2 if stage > 1 and number == 1 else 1
            same = stride == 1 and x.shape[-1] == width
            made = block(width, "identity" if same else "projection", stride=stride,
                         name=f"stage{stage}_block{number}", **options)
            x = made.call(x)
    return keras.Model(inputs, layers.Dense(1000)(layers.GlobalAveragePooling2D()(x)))

# %%
TABLE_1 = {  # depth: block, blocks in each stage, billions of multiply-adds in the paper
    18: (BasicBlock, (2, 2, 2, 2), 1.8),
    34: (BasicBlock, (3, 4, 6, 3), 3.6),
    50: (BottleneckBlock, (3, 4, 6, 3), 3.8),
    101: (BottleneckBlock, (3, 4, 23, 3), 7.6),
}


def counted(net):
    """Return weighted layers, parameters, and multiply-adds of convolutions and dense layers."""
    counts = layer_counts(net)
    work = sum(count.multiply_adds for count in counts if count.kind in ("Conv2D", "Dense"))
    return weighted_layers(net), sum(count.parameters for count in counts), work


found = {}
for depth, (block, blocks, _) in TABLE_1.items():
    found[depth] = counted(imagenet_net(block, blocks))
    gc.collect()  # a hundred million weights need not stay in memory
plots.table(
    ["ResNet", "blocks in each stage", "weighted layers", "parameters, millions", "multiply-adds, billions",
     "in the paper"],
    [[depth, str(TABLE_1[depth][1]), n, f"{parameters / 1e6:.2f}", f"{work / 1e9:.2f}", TABLE_1[depth][2]]
     for depth, (n, parameters, work) in found.items()])

# %%
apart = {depth: abs(found[depth][2] / 1e9 - TABLE_1[depth][2]) for depth in TABLE_1}
verdict("the name is the depth, and the multiply-adds are those of the paper's Table 1 within a tenth of a billion",
        all(depth == found[depth][0] for depth in TABLE_1) and max(apart.values()) < 0.1,
        f"at most {max(apart.values()):.3f} billion apart")

# %% [markdown]
# Each two-layer block of ResNet-34 has become a three-layer bottleneck: one more layer in each of sixteen blocks, for
# about five per cent more arithmetic. The number counts the weighted layers on the longest path; projections lie
# beside that path and are left out. (Ours differ from the printed figures by up to 0.06 billion; the paper says
# neither how it rounded nor which shortcuts it counted.)
#
# ## 2. To the last parameter
#
# Does `keras.applications` have as many trainable parameters as ours? Its convolutions have biases, and ours have
# none, because the normalisation after each would cancel them. All else should be equal.
#
# **Predict.** Without those biases: equal to the last parameter, or roughly?

# %%
for depth, build in ((50, keras.applications.ResNet50), (101, keras.applications.ResNet101)):
    theirs = build(weights=None)
    total = sum(count.parameters for count in layer_counts(theirs))
    biases = sum(layer.bias.shape[0] for layer in theirs.layers if isinstance(layer, layers.Conv2D))
    print(f"ResNet-{depth}: keras.applications has {total:,} trainable, {biases:,} of them biases; here {found[depth][1]:,}")
    assert total - biases == found[depth][1]
    del theirs
    gc.collect()

# %% [markdown]
# Equal, to the last of tens of millions. That is a check of blocks and widths, and not of strides or padding, which have
# no parameters. Keras has no ResNet-18 or 34, so those we count by hand: a stem, two 3×3 with their normalisations in
# each block, a projection where the channels change, and the dense layer.

# %%
def by_hand(blocks):
    total, before = 7 * 7 * 3 * 64 + 2 * 64, 64
    for n, width in zip(blocks, (64, 128, 256, 512), strict=True):
        total += 9 * before * width + 9 * width**2 + 2 * 2 * width  # first block
        total += before * width + 2 * width if before != width else 0  # its projection
        total += (n - 1) * (18 * width**2 + 2 * 2 * width)  # further blocks
        before = width
    return total + 512 * 1000 + 1000


assert all(by_hand(TABLE_1[depth][1]) == found[depth][1] for depth in (18, 34))

# %% [markdown]
# ## 3. What the bottleneck bought
#
# What did the sixteen layers cost? And what does it cost to move the stride to the 3×3, as in v1.5?

# %%
work = {depth: numbers[2] for depth, numbers in found.items()}
v15 = counted(imagenet_net(BottleneckBlock, TABLE_1[50][1], stride_on="conv2"))[2]
gc.collect()
verdict("ResNet-50 costs at most a tenth more than ResNet-34, with four times the width between its blocks",
        1 < work[50] / work[34] < 1.1, f"{work[50] / work[34] - 1:.1%} more")
verdict("v1.5 costs at most a tenth more than the variant with the stride on the first 1×1", 1 < v15 / work[50] < 1.1,
        f"{v15 / 1e9:.2f} billion multiply-adds, {v15 / work[50] - 1:.1%} more")

# %% [markdown]
# On ImageNet the few extra per cent of ResNet-50 were well spent: it had a lower error than ResNet-34 (whether by its
# depth, its width or its block, the table does not say), and 101 and 152 layers a lower one still (2016a, Section
# 4.1, Table 3). The authors chose the bottleneck to keep training affordable; deep networks of basic blocks gain from
# depth, too, but are less economical (Section 4.1, footnote 4). ResNet-152 is eight times as deep as VGG-19, a
# leading network of 2014, and needs fewer multiply-adds: 11.3 against 19.6 billion (Section 4.1).
#
# **The competition of 2015.** ImageNet's challenge of that year had photographs of 1,000 classes. The authors combined
# six residual networks of different depths, two of them with 152 layers, and reached a top-5 error of 3.57 % on the
# test set: for fewer than four photographs in a hundred the right class was not among their five best guesses. That
# took first place in classification. Residual networks also won the detection and localisation tasks (2016a,
# abstract, Section 4.1, Table 5).
#
# ## Summary
#
# - A ResNet's number counts the weighted layers on its longest path: stem, blocks, dense layer.
# - Rebuilt from lesson 03's blocks, ResNet-50 and 101 have exactly the parameters of `keras.applications`, its biases
#   left out.
# - From 34 to 50 layers, the bottleneck bought sixteen layers and, between the blocks, four times the width, for about
#   five per cent more arithmetic.
#
# Back to lesson [03](../03_bottleneck_block.ipynb).
#
# ## References
#
# - K. He, X. Zhang, S. Ren, J. Sun 2016a: *Deep Residual Learning for Image Recognition*. CVPR.
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385), Table 1, Section 4.1, Tables 3 and 5.
