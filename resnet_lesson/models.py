"""Plain and residual networks, built flat from blocks so that every part can be found by name.

Layer names follow the place in the network: ``stem_conv``, ``stage2_block3_conv1``,
``stage2_block3_branch`` (the output of F), ``stage2_block3_add``, ``stage2_block3_out``, ``pool``,
``logits``.

References
    He, Zhang, Ren, Sun 2016a: Deep Residual Learning for Image Recognition, CVPR
        (arXiv:1512.03385). Networks by depth: Section 4.2, where two 3×3 convolutions a block and
        three stages give 6n + 2 layers. Here it is two stages: 6n + 2 with bottlenecks, 4n + 2 with
        basic blocks.
    Srivastava, Greff, Schmidhuber 2015: Training Very Deep Networks, NIPS (arXiv:1507.06228),
        Section 3.1: dense networks for MNIST, 71 units in each layer of the plain ones.
"""

import re
import zlib
from functools import partial

import keras
import numpy as np
from keras import layers

from resnet_lesson.blocks import BasicBlock, BottleneckBlock, DenseBlock, batch_norm, channels_last
from resnet_lesson.plumbing.constraints import TEXT, WIDTH, ListOf, NamesIn, OneOf, Whole, checked

BLOCKS = {"basic": BasicBlock, "bottleneck": BottleneckBlock, "dense": DenseBlock}
DEPTH = Whole(3, 10_000)


@checked(
    depth=DEPTH | None,
    shortcut=OneOf("none", "padded", "projection"),  # shapes change: no identity
    block=OneOf(*BLOCKS),
    blocks_per_stage=ListOf(WIDTH) | None,
    widths=ListOf(WIDTH),
    reduction=Whole(1),
    input_shape=ListOf(WIDTH | None),
    classes=WIDTH,
    name=TEXT | None,
)
@channels_last()
def network(
    depth=None,
    shortcut="padded",
    *,
    block="bottleneck",
    blocks_per_stage=None,
    widths=(16, 32),
    reduction=2,
    normalisation=True,
    zero_init=False,
    input_shape=(28, 28, 1),
    classes=10,
    name=None,
):
    """Build a plain or residual network for small images.

    The stem is a 3×3 convolution with stride 2. Each stage is a row of blocks of one width; from
    the second stage on, the first block halves the image. A global average pool and one dense
    layer give the logits. With dense blocks, the stem is a dense layer on all pixels and there is
    no pool. All else equal, ``shortcut`` decides: with ``"none"`` and ``"padded"`` the networks
    have the same layers, the same parameters and, from one seed, the same weights.

    Args:
        depth: number of weighted layers on the longest path: stem + blocks + dense. With two
            stages of n bottlenecks it is 6n + 2 (8, 20, 56), of n basic blocks 4n + 2; with one
            stage of n dense blocks 2n + 2.
        shortcut: ``"none"`` (plain), ``"padded"`` (He 2016a's option A) or ``"projection"``
            (option B: projections where the shape changes, the identity elsewhere).
        block: ``"bottleneck"``, ``"basic"`` or ``"dense"``.
        blocks_per_stage: whole numbers, one a stage, as in ``(3, 4)``, instead of ``depth``.
        widths: output width of the blocks, in channels or units, one a stage. The stem has the
            first.
        reduction: a bottleneck's output width over its inner width: 4 in the paper, 2 here.
        normalisation, zero_init: as in ``BasicBlock``.
        input_shape: (height, width, channels) of an image; height and width may be None where the
            blocks are not dense.
        classes: number of logits.
        name: the model's name.

    Returns:
        keras.Model: float32 (batch, \\*input_shape) → logits, float32 (batch, classes).

    Raises:
        TypeError, ValueError: no such network; the message ends with what was received.

    Example::

        residual = network(20)  # 20 layers, two stages of three bottlenecks
        plain = network(20, "none")  # the same layers without the additions
        small = network(blocks_per_stage=(1, 2), widths=(8, 16), block="basic")
    """
    _check_together(depth, blocks_per_stage, widths, shortcut, block, reduction, input_shape)
    if blocks_per_stage is None:
        blocks_per_stage = [blocks_for_depth(depth, block, len(widths))] * len(widths)
    make = partial(BLOCKS[block], normalisation=normalisation, zero_init=zero_init)

    inputs = keras.Input(input_shape, name="image")  # (B, H, W, C)
    x = stem(inputs, block, widths[0], normalisation)  # (B, ⌈H/2⌉, ⌈W/2⌉, widths[0])
    for stage, (blocks, width) in enumerate(zip(blocks_per_stage, widths, strict=True), start=1):
        inner = width // reduction
        filters = (inner, inner, width) if block == "bottleneck" else width
        for number in range(1, blocks + 1):
            stride = 2 if stage > 1 and number == 1 and block != "dense" else 1
            same_shape = stride == 1 and x.shape[-1] == width
            kind = "identity" if same_shape and shortcut != "none" else shortcut
            made = make(filters, kind, stride=stride, name=f"stage{stage}_block{number}")
            x = made.call(x)  # lays the block's layers into this model, one by one

    if block != "dense":
        x = layers.GlobalAveragePooling2D(name="pool")(x)  # (B, widths[-1])
    logits = layers.Dense(classes, kernel_initializer="he_normal", name="logits")(x)
    return keras.Model(inputs, logits, name=name)


def stem(inputs, block, width, normalisation):
    """Lay the layers before the first block into a functional model.

    Args:
        inputs: symbolic float tensor, the images.
        block: ``"bottleneck"``, ``"basic"`` or ``"dense"``: which blocks follow.
        width: channels or units of the output.
        normalisation: batch normalisation after the layer; without it, biases.

    Returns:
        symbolic float tensor.
    """
    options = {"use_bias": not normalisation, "kernel_initializer": "he_normal"}
    if block == "dense":
        x = layers.Flatten(name="pixels")(inputs)
        x = layers.Dense(width, name="stem_dense", **options)(x)
    else:
        x = layers.Conv2D(width, 3, 2, padding="same", name="stem_conv", **options)(inputs)
    if normalisation:
        x = batch_norm("stem_norm")(x)
    return layers.ReLU(name="stem_out")(x)


@checked(depth=DEPTH, block=OneOf(*BLOCKS), stages=Whole(1))
def blocks_for_depth(depth, block="bottleneck", stages=2):
    """Return n, the blocks in each stage of a network of ``depth`` weighted layers.

    Args:
        depth: weighted layers: stem + ``stages`` · n blocks of 2 (basic, dense) or 3 (bottleneck)
            + dense.
        block: ``"bottleneck"``, ``"basic"`` or ``"dense"``.
        stages: number of stages.

    Returns:
        int, 1 or more.

    Raises:
        TypeError, ValueError: no n gives that depth.
    """
    step = len(BLOCKS[block].kernel_sizes) * stages
    if (depth - 2) % step:
        raise ValueError(
            f"depth must be {step}n + 2 for {stages} stages of n {block} blocks: {step + 2}, "
            f"{2 * step + 2}, {3 * step + 2} and so on. Received: {depth}"
        )
    return (depth - 2) // step


@checked
def reset_weights(model, seed):
    """Give a model the initial weights of ``seed``, in place.

    Each variable's random numbers depend on the seed and on its layer's name alone. So a plain and
    a residual network of one depth start from the same weights, whatever else they contain. What
    layers such as Dropout will draw is set too. Frozen layers, whose ``trainable`` is False, stay
    as they are.

    Args:
        model: keras.Model built from layers with unique names.
        seed: integer, 0 or more.

    Raises:
        TypeError, ValueError: the seed is not a whole number of 0 or more, or ``model`` is no model
            whose layers know how their weights begin.
    """
    for layer in model.layers:
        for variable in layer.variables if layer.trainable else ():
            place = zlib.crc32(f"{layer.name}/{variable.name}".encode())
            drawn = int(np.random.SeedSequence([seed, place]).generate_state(1)[0])
            if variable.name == "seed_generator_state":  # of keras.random.SeedGenerator
                variable.assign([drawn, 0])
            else:
                start = _initializer(layer, variable.name, drawn)
                variable.assign(start(variable.shape, dtype=variable.dtype))


def _initializer(layer, variable, seed):
    """Return how a layer's variable begins; if by chance, then by that of the seed."""
    initializer = getattr(layer, f"{variable}_initializer", None)
    if initializer is None:
        raise ValueError(
            "model must have layers that know how their weights begin, as in "
            f"`{variable}_initializer`. Received: {layer.name}, a {type(layer).__name__}"
        )
    config = initializer.get_config()
    if "seed" not in config:
        return initializer
    return type(initializer).from_config(config | {"seed": seed})


@checked(names=ListOf(TEXT))
def with_outputs(model, names):
    """Return a model that reads the named layers of ``model``, sharing its weights.

    Args:
        model: a network of this module.
        names: list of layer names, as in ``["stage1_block1_add", "logits"]``.

    Returns:
        keras.Model whose output is a dictionary: layer name → that layer's output.

    Raises:
        ValueError: a name is not a layer's.
    """
    names = NamesIn(*(layer.name for layer in model.layers)).check("names", names)
    return keras.Model(model.input, {name: model.get_layer(name).output for name in names})


@checked
def segments(model):
    """Cut a network into its stem, its blocks and its head, which can be run in another order.

    Each segment takes what the one before it gives: passed through all of them in order, an image
    gives the model's logits. So a block is deleted by leaving it out, and a layer is inserted by
    calling it between two segments.

    Args:
        model: a network of this module.

    Returns:
        dictionary in the model's order: ``"stem"``, ``"stage1_block1"``, …, ``"head"`` →
        keras.Model that shares the model's layers and weights.

    Raises:
        ValueError: the model has no blocks.
    """
    named = {layer.name: layer for layer in model.layers}
    blocks = [name for name in named if re.fullmatch(r"stage\d+_block\d+_out", name)]
    if not blocks or "stem_out" not in named:
        raise ValueError(f"model must be a network with blocks. Received: {model.name}")
    ends = ["stem_out", *blocks]
    names = [*(name.removesuffix("_out") for name in ends), "head"]
    places = [model.input, *(named[name].output for name in ends), model.output]
    cuts = zip(names, places[:-1], places[1:], strict=True)
    return {name: keras.Model(start, end, name=name) for name, start, end in cuts}


def _check_together(depth, blocks_per_stage, widths, shortcut, block, reduction, input_shape):
    """Check the arguments of ``network`` that must fit each other."""
    if (depth is None) == (blocks_per_stage is None):
        raise ValueError(
            "give either depth or blocks_per_stage. "
            f"Received: depth={depth!r}, blocks_per_stage={blocks_per_stage!r}"
        )
    if blocks_per_stage is not None and len(blocks_per_stage) != len(widths):
        raise ValueError(
            "blocks_per_stage and widths must be of one length. "
            f"Received: {blocks_per_stage} and {widths}"
        )
    if block == "bottleneck" and any(width % reduction for width in widths):
        raise ValueError(f"widths must be multiples of reduction={reduction}. Received: {widths}")
    known = input_shape if block == "dense" else input_shape[2:]  # the others may be None
    if len(input_shape) not in ((1, 3) if block == "dense" else (3,)) or None in known:
        raise ValueError(f"input_shape must be (height, width, channels). Received: {input_shape}")
