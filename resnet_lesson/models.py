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

import keras
import numpy as np
from keras import layers

from resnet_lesson.arguments import (
    MOST_WIDTH,
    built_model,
    names_in,
    one_of,
    received,
    symbolic,
    text_value,
    truth_value,
    whole_number,
)
from resnet_lesson.blocks import BasicBlock, BottleneckBlock, DenseBlock, batch_norm

LAYERS_PER_BLOCK = {"basic": 2, "bottleneck": 3, "dense": 2}
MOST_LAYERS = 10_000


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
    """
    one_of("block", block, LAYERS_PER_BLOCK)
    one_of("shortcut", shortcut, ("none", "padded", "projection"))  # shapes change: no identity
    truth_value("normalisation", normalisation)
    truth_value("zero_init", zero_init)
    if name is not None:
        text_value("name", name)
    if (depth is None) == (blocks_per_stage is None):
        raise ValueError(
            "give either depth or blocks_per_stage. "
            f"Received: depth={depth!r}, blocks_per_stage={blocks_per_stage!r}"
        )
    widths = _whole_numbers("widths", widths)
    if shortcut == "padded" and list(widths) != sorted(widths):
        raise ValueError(
            "widths must not fall where shortcut='padded', which drops no channel. "
            f"Received: {widths!r}"
        )
    whole_number("reduction", reduction, least=1)
    whole_number("classes", classes, least=1, most=MOST_WIDTH)
    _check_input_shape(input_shape, block)
    if blocks_per_stage is None:
        blocks_per_stage = (blocks_for_depth(depth, block, len(widths)),) * len(widths)
    blocks_per_stage = _whole_numbers("blocks_per_stage", blocks_per_stage)
    if len(blocks_per_stage) != len(widths):
        raise ValueError(
            "blocks_per_stage and widths must be of one length. "
            f"Received: {blocks_per_stage!r} and {widths!r}"
        )

    inputs = keras.Input(input_shape, name="image")
    x = stem(inputs, block, widths[0], normalisation)
    for stage, (blocks, width) in enumerate(zip(blocks_per_stage, widths, strict=True), start=1):
        for number in range(1, blocks + 1):
            stride = 2 if stage > 1 and number == 1 and block != "dense" else 1
            same_shape = stride == 1 and x.shape[-1] == width
            options = {
                "shortcut": "identity" if same_shape and shortcut != "none" else shortcut,
                "normalisation": normalisation,
                "zero_init": zero_init,
                "stride": stride,
                "name": f"stage{stage}_block{number}",
            }
            if block == "bottleneck":
                inner = _inner_width(width, reduction)
                made = BottleneckBlock((inner, inner, width), **options)
            else:
                made = (BasicBlock if block == "basic" else DenseBlock)(width, **options)
            x = made.call(x)  # lays the block's layers into this model, one by one

    if block != "dense":
        x = layers.GlobalAveragePooling2D(name="pool")(x)
    logits = layers.Dense(classes, kernel_initializer="he_normal", name="logits")(x)
    return keras.Model(inputs, logits, name=name)


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
        ValueError: no n gives that depth.
    """
    one_of("block", block, LAYERS_PER_BLOCK)
    step = LAYERS_PER_BLOCK[block] * whole_number("stages", stages, least=1, most=MOST_LAYERS)
    whole = isinstance(depth, (int, np.integer)) and not isinstance(depth, bool)
    if not whole or not 2 < depth <= MOST_LAYERS or (depth - 2) % step:
        raise ValueError(
            f"depth must be {step}n + 2 for {stages} stages of n {block} blocks: {step + 2}, "
            f"{2 * step + 2}, {3 * step + 2} and so on, up to {MOST_LAYERS:,}. "
            f"Received: {received(depth)}"
        )
    return int(depth - 2) // step


def reset_weights(model, seed):
    """Give a model the initial weights of ``seed``, in place.

    Each variable's random numbers depend on the seed and on its layer's name alone. So a plain and
    a residual network of one depth start from the same weights, whatever else they contain. What
    layers such as Dropout will draw is set too.

    Args:
        model: keras.Model built from layers with unique names.
        seed: integer, 0 or more.

    Raises:
        TypeError, ValueError: the seed is not a whole number of 0 or more, or ``model`` is no model
            whose layers know how their weights begin.
    """
    seed = whole_number("seed", seed)
    for layer in built_model("model", model).layers:
        for variable in layer.variables:
            place = zlib.crc32(f"{layer.name}/{variable.name}".encode())
            drawn = int(np.random.SeedSequence([seed, place]).generate_state(1)[0])
            if variable.name == "seed_generator_state":  # of keras.random.SeedGenerator
                variable.assign([drawn, 0])
                continue
            initializer = getattr(layer, f"{variable.name}_initializer", None)
            if initializer is None:
                raise ValueError(
                    "model must have layers that know how their weights begin, as in "
                    f"`{variable.name}_initializer`. Received: {layer.name}, a "
                    f"{type(layer).__name__}"
                )
            config = initializer.get_config()
            if "seed" in config:
                config["seed"] = drawn
                initializer = type(initializer).from_config(config)
            variable.assign(initializer(variable.shape, dtype=variable.dtype))


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
    known = [layer.name for layer in built_model("model", model).layers]
    names = names_in("names", names, known)
    if not names:
        raise ValueError("names must hold a layer's name at least. Received: none")
    return keras.Model(model.input, {name: model.get_layer(name).output for name in names})


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
    layers = {layer.name: layer for layer in built_model("model", model).layers}
    ends = [layer for name, layer in layers.items() if re.fullmatch(r"stage\d+_block\d+_out", name)]
    if not ends or "stem_out" not in layers:
        raise ValueError(f"model must be a network with blocks. Received: {model.name}")
    names = ["stem", *(layer.name.removesuffix("_out") for layer in ends), "head"]
    places = [model.input, layers["stem_out"].output]
    places += [*(layer.output for layer in ends), model.output]
    cuts = zip(names, places[:-1], places[1:], strict=True)
    return {name: keras.Model(start, end, name=name) for name, start, end in cuts}


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
    symbolic("inputs", inputs)
    one_of("block", block, LAYERS_PER_BLOCK)
    whole_number("width", width, least=1, most=MOST_WIDTH)
    truth_value("normalisation", normalisation)
    options = {"use_bias": not normalisation, "kernel_initializer": "he_normal"}
    if block == "dense":
        x = layers.Flatten(name="pixels")(inputs)
        x = layers.Dense(width, name="stem_dense", **options)(x)
    else:
        x = layers.Conv2D(width, 3, 2, padding="same", name="stem_conv", **options)(inputs)
    if normalisation:
        x = batch_norm("stem_norm")(x)
    return layers.ReLU(name="stem_out")(x)


def _whole_numbers(name, values):
    if not isinstance(values, (list, tuple)) or not values:
        raise ValueError(f"{name} must be a tuple, one number a stage. Received: {values!r}")
    return tuple(whole_number(name, value, least=1, most=MOST_WIDTH) for value in values)


def _check_input_shape(shape, block):
    lengths = (1, 3) if block == "dense" else (3,)
    if not isinstance(shape, (list, tuple)) or len(shape) not in lengths:
        raise ValueError(f"input_shape must be (height, width, channels). Received: {shape!r}")
    for size in shape:
        if size is not None or block == "dense":  # convolutions take any height and width
            whole_number("input_shape", size, least=1, most=MOST_WIDTH)


def _inner_width(width, reduction):
    if width % reduction:
        raise ValueError(
            f"widths must be multiples of reduction={reduction}. Received: a width of {width}"
        )
    return width // reduction
