"""Variants of one network, each with one change, to ask which design choices matter.

The baseline is ``models.network(depth, "padded")``. A variant keeps the layer names of the
baseline where it keeps the layer, and from one seed it keeps that layer's first weights too.
``stage2_block3_branch`` is always what the addition takes from the branch, after any scale or gate,
and ``stage2_block3_out`` is always what the block gives out, even where nothing follows the
addition. New layers are named like this: ``stage2_block3_relu3``, ``stage2_block3_scale``,
``stage2_block3_gate``, ``stage2_block3_survival``, ``head_norm``, ``head_relu``, ``dense1``.

References
    He, Zhang, Ren, Sun 2016a: Deep Residual Learning for Image Recognition, CVPR
        (arXiv:1512.03385). The baseline: Figure 5, right. Projections on all shortcuts: Section
        4.1, option C.
    He, Zhang, Ren, Sun 2016b: Identity Mappings in Deep Residual Networks, ECCV
        (arXiv:1603.05027). Scaled, gated and convolved shortcuts: Section 3.1, Figure 2, Table 1.
        Orders of normalisation, ReLU and addition: Section 4.1, Figure 4, Table 2.
    Goyal et al. 2017: Accurate, Large Minibatch SGD (arXiv:1706.02677), Section 5.1: γ = 0.
    De, Smith 2020: Batch Normalization Biases Residual Blocks Towards the Identity Function in
        Deep Networks, NeurIPS (arXiv:2002.10444): SkipInit, a learnt scale in place of
        normalisation.
    Bachlechner et al. 2021: ReZero is All You Need, UAI (arXiv:2003.04887): such a scale, zero at
        the start.
    Huang et al. 2016: Deep Networks with Stochastic Depth, ECCV (arXiv:1603.09382), Section 3.
    Lin, Chen, Yan 2014: Network In Network, ICLR (arXiv:1312.4400), Section 3.2: global average
        pooling instead of dense layers.
"""

import itertools
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from resnet_lesson.blocks import BottleneckBlock, batch_norm, channels_last
from resnet_lesson.models import DEPTH, blocks_for_depth, network, segments, stem
from resnet_lesson.plumbing.constraints import TEXT, OneOf, Real, Whole, checked

VARIANTS = {
    "baseline": "Nothing is changed.",
    "no shortcut": "Each block gives out ReLU(F(x)): there is no addition.",
    "no normalisation": "Convolutions have biases, and no normalisation follows them.",
    "zero last gamma": "The last γ of each branch starts at 0, so that F(x) does too.",
    "pre-activation": "Normalisation and ReLU stand before each convolution, none after the sum.",
    "relu-only pre-activation": "ReLU stands before each convolution, none after the sum.",
    "relu before addition": "The last ReLU of each block stands before the sum instead of after.",
    "norm after addition": "The last normalisation of each block stands after the sum.",
    "branch scale": "A learnt number, 0 at the start, multiplies F(x) in place of normalisation.",
    "shortcut times 0.5": "What each shortcut carries is halved.",
    "both times 0.5": "What each shortcut carries is halved, and so is F(x).",
    "projected shortcuts": "A 1×1 convolution and a normalisation stand on every shortcut.",
    "exclusive gate": "A learnt gate g(x) multiplies F(x), and 1 − g(x) the shortcut.",
    "shortcut-only gate": "With a learnt gate g(x), 1 − g(x) multiplies the shortcut.",
    "stochastic depth": "In training, blocks are left out at random, later ones more often.",
    "dense head": "All pixels and a dense layer of 128 units replace the global average.",
}

# For the exclusive gate, He 2016b tried first biases from 0 to −10 in steps of 1 and took −6. By
# the bias alone, g starts at 0.0025.
GATE_BIAS = -6.0
# The probability that the last block takes part in an update; that of the first is close to 1.
LAST_SURVIVAL = 0.5

# The defaults of `network`.
WIDTHS = (16, 32)
REDUCTION = 2

# Variants that `network` can build.
OPTIONS = {
    "baseline": {},
    "no shortcut": {"shortcut": "none"},
    "no normalisation": {"normalisation": False},
    "zero last gamma": {"zero_init": True},
}
# The parts of a block in the order in which they are run; those before "add" are the branch's.
ORDERS = {
    "baseline": "conv1 norm1 relu1 conv2 norm2 relu2 conv3 norm3 add out",
    "pre-activation": "norm1 relu1 conv1 norm2 relu2 conv2 norm3 relu3 conv3 add",
    "relu-only pre-activation": "relu1 conv1 norm1 relu2 conv2 norm2 relu3 conv3 norm3 add",
    "relu before addition": "conv1 norm1 relu1 conv2 norm2 relu2 conv3 norm3 relu3 add",
    "norm after addition": "conv1 norm1 relu1 conv2 norm2 relu2 conv3 add norm3 out",
    "branch scale": "conv1 relu1 conv2 relu2 conv3 add out",
}


@checked(depth=DEPTH, variant=OneOf(*VARIANTS), name=TEXT | None)
@channels_last()
def variant_network(depth, variant="baseline", name=None):
    """Build the baseline with one change.

    Some choices that the sentences in ``VARIANTS`` leave open:

    * In both kinds of pre-activation the stem ends in normalisation and ReLU, as in the baseline.
      They serve as the first block's own, for its branch and its shortcut; after the last block
      stand those that its sum lacks. So the paper does it (appendix). Every shortcut carries the
      sum itself, also where the shape changes; the paper projects the pre-activated one there.
    * A gate is one number for each element: the sigmoid of a 1×1 convolution of the block's input,
      with the block's stride. Its bias starts at ``GATE_BIAS``.
    * The branch scale goes with a network without normalisation: its twin is
      ``"no normalisation"``.
    * With stochastic depth every block may be left out; a padded shortcut then does the change of
      shape alone. See ``SkippingModel``.

    Args:
        depth: number of weighted layers on the longest path, 6n + 2: 8, 20, 56 and so on. Gates
            and shortcuts do not count; the dense head has one layer more.
        variant: a name out of ``VARIANTS``.
        name: the model's name.

    Returns:
        keras.Model: float32 (batch, 28, 28, 1) → logits, float32 (batch, 10).

    Raises:
        TypeError, ValueError: there is no such variant, or no such depth; the message ends with
            what was received.

    Example::

        gated = variant_network(20, "exclusive gate")
    """
    if variant in OPTIONS:
        return network(depth, name=name, **OPTIONS[variant])

    n = blocks_for_depth(depth)
    normalisation = variant != "branch scale"
    inputs = keras.Input((28, 28, 1), name="image")  # (B, 28, 28, 1)
    x = stem(inputs, "bottleneck", WIDTHS[0], normalisation)  # (B, 14, 14, 16)
    for stage, width in enumerate(WIDTHS, start=1):
        filters = (width // REDUCTION, width // REDUCTION, width)
        for number in range(1, n + 1):
            stride = 2 if stage > 1 and number == 1 else 1
            shortcut = "identity" if stride == 1 else "padded"
            if variant == "projected shortcuts":
                shortcut = "projection"
            options = {"stride": stride, "name": f"stage{stage}_block{number}"}
            block = BottleneckBlock(filters, shortcut, normalisation, **options)
            place = ((stage - 1) * n + number) / (len(WIDTHS) * n)
            x = _lay(variant, block, x, place)
    x = _lay_head(variant, x)
    logits = layers.Dense(10, kernel_initializer="he_normal", name="logits")(x)
    kind = SkippingModel if variant == "stochastic depth" else keras.Model
    return kind(inputs, logits, name=name)


def _lay(variant, block, x, place):
    """Lay a block into a functional model: its parts in the variant's order, with its change.

    Args:
        place: the block's number over the number of blocks.
    """
    order = ORDERS.get(variant, ORDERS["baseline"])
    if block.name == "stage1_block1":
        # The stem's normalisation and ReLU stand before the first convolution already.
        order = order[order.index("conv1") :]
    before, after = (parts.split() for parts in order.split("add"))

    branch = x
    for part in before:
        branch = _layer(block, part)(branch)
    branch, carried = _changed(variant, block, x, branch, block.carry(x), place)
    x = block.add([block.branch_output(branch), carried])
    for part in after:
        x = _layer(block, part)(x)
    return x if "out" in after else layers.Identity(name=f"{block.name}_out")(x)


def _changed(variant, block, x, branch, carried, place):
    """Return what the addition of a block takes from its branch and from its shortcut."""
    match variant:
        case "branch scale":
            branch = Scale(name=f"{block.name}_scale")(branch)
        case "stochastic depth":
            probability = 1 - (1 - LAST_SURVIVAL) * place
            branch = Survival(probability, name=f"{block.name}_survival")(branch)
        case "shortcut times 0.5":
            carried = 0.5 * carried
        case "both times 0.5":
            branch, carried = 0.5 * branch, 0.5 * carried
        case "exclusive gate":
            gate = _gate(block, x)
            carried, branch = (1 - gate) * carried, gate * branch
        case "shortcut-only gate":
            carried = (1 - _gate(block, x)) * carried
    return branch, carried


def _gate(block, x):
    """Compute g(x): for each element of the block's output a number between 0 and 1."""
    bias = keras.initializers.Constant(GATE_BIAS)
    options = {"activation": "sigmoid", "kernel_initializer": "he_normal", "bias_initializer": bias}
    gate = layers.Conv2D(block.filters[-1], 1, block.stride, name=f"{block.name}_gate", **options)
    return gate(x)


def _layer(block, part):
    """Find or make the layer of a block that an order names, such as ``"conv1"``."""
    if part == "out":
        return block.output_relu
    kind, i = part[:-1], int(part[-1]) - 1
    if kind == "relu":
        return layers.ReLU(name=f"{block.name}_{part}")
    return (block.weight_layers if kind == "conv" else block.norms)[i]


def _lay_head(variant, x):
    """Lay what stands between the last block and the logits."""
    match variant:
        case "pre-activation":
            x = layers.ReLU(name="head_relu")(batch_norm("head_norm")(x))
        case "relu-only pre-activation":
            x = layers.ReLU(name="head_relu")(x)
        case "dense head":
            x = layers.Flatten(name="flatten")(x)
            x = layers.Dense(128, kernel_initializer="he_normal", name="dense1")(x)
            return layers.ReLU(name="dense1_out")(x)
    return layers.GlobalAveragePooling2D(name="pool")(x)  # (B, 32)


def expected_depth(depth):
    """Compute how many weighted layers take part in an update with stochastic depth, on average.

    Block l of L takes part with probability p = 1 − (1 − ``LAST_SURVIVAL``) · l / L (Huang 2016,
    Section 3), so the expected number of blocks is L − (1 − ``LAST_SURVIVAL``) · (L + 1) / 2.

    Args:
        depth: as in ``variant_network``.

    Returns:
        float: stem + 3 for each expected block + dense.

    Raises:
        TypeError, ValueError: there is no such depth.
    """
    blocks = len(WIDTHS) * blocks_for_depth(depth)
    expected_blocks = blocks - (1 - LAST_SURVIVAL) * (blocks + 1) / 2
    return 2 + 3 * expected_blocks


@checked
def with_fading_shortcuts(model):
    """Return a residual network anew, with one number λ that multiplies all its shortcuts.

    λ is 1 at the start and is never learnt: whoever trains the network lowers it, by
    ``model.get_layer("shortcut_scale").scale.assign(…)``. At 0 the network is plain.

    Args:
        model: a residual network, as from ``models.network``. It stays as it is.

    Returns:
        keras.Model with fresh weights; from one seed it gets the first weights of ``model``.
    """
    scale = ShortcutScale(name="shortcut_scale")

    def call(layer, *args, **options):
        if isinstance(layer, layers.Add):
            branch, carried = args[0]
            return layer([branch, scale(carried)])
        return layer(*args, **options)

    return keras.models.clone_model(model, call_function=call)


@checked(start=Whole(), end=Whole(1))
def fade(model, start, end):
    """Return a function that lowers λ in the course of one training.

    Args:
        model: keras.Model, from ``with_fading_shortcuts``.
        start, end: numbers of updates: λ is 1 up to the first, falls in a straight line, and is 0
            from the second on.

    Returns:
        function without arguments, to be called after each update, as ``on_update`` of
        ``Trainer.run`` is.
    """
    if start >= end:
        raise ValueError(f"start must come before end. Received: {start} and {end}")
    scale, done = model.get_layer("shortcut_scale").scale, itertools.count(1)
    return lambda: scale.assign(np.clip((end - next(done)) / (end - start), 0, 1))


@checked
def without_shortcuts(model):
    """Return the plain network with a residual network's weights: ReLU(F(x)) in each block.

    Args:
        model: a residual network, as from ``models.network`` or ``with_fading_shortcuts``.

    Returns:
        keras.Model without additions. Where λ was 0, it computes what ``model`` does.
    """

    def call(layer, *args, **options):
        return args[0][0] if isinstance(layer, layers.Add) else layer(*args, **options)

    plain = keras.models.clone_model(model, call_function=call)
    for layer in plain.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return plain


@keras.saving.register_keras_serializable(package="resnet_lesson")
class ShortcutScale(layers.Layer):
    """Multiply by a number λ that is not learnt, one at the start.

    Input and output shape: any, float.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale_initializer = keras.initializers.Ones()

    def build(self, input_shape):
        start = {"initializer": self.scale_initializer, "trainable": False}
        self.scale = self.add_weight(name="scale", shape=(), **start)

    def call(self, x):
        return ops.multiply(self.scale, x)


@keras.saving.register_keras_serializable(package="resnet_lesson")
class Scale(layers.Layer):
    """Multiply by one learnt number, zero at the start.

    Input and output shape: any, float.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale_initializer = keras.initializers.Zeros()

    def build(self, input_shape):
        self.scale = self.add_weight(name="scale", shape=(), initializer=self.scale_initializer)

    def call(self, x):
        return ops.multiply(self.scale, x)


@keras.saving.register_keras_serializable(package="resnet_lesson")
class Survival(layers.Layer):
    """Multiply a branch by the probability that it takes part in training; in training, do nothing.

    Whether it takes part is not decided here but by ``SkippingModel``, which asks ``drawn``.

    Args:
        probability: from 0 to 1.

    Input and output shape: any, float.

    Raises:
        ValueError: the probability is not from 0 to 1.
    """

    @checked(probability=Real(0, 1))
    def __init__(self, probability, **kwargs):
        super().__init__(**kwargs)
        self.probability = probability
        self.seed_generator = keras.random.SeedGenerator()

    def drawn(self):
        """Draw whether the branch takes part: a scalar tensor of booleans."""
        return keras.random.uniform((), seed=self.seed_generator) < self.probability

    def call(self, x, training=None):
        return x if training else self.probability * x

    def get_config(self):
        return super().get_config() | {"probability": self.probability}


@keras.saving.register_keras_serializable(package="resnet_lesson")
class SkippingModel(keras.Model):
    """A network that leaves out blocks at random in training (Huang 2016, Section 3).

    Called with ``training=True``, it draws once for each block. Where a block is left out, its
    branch is not computed: its normalisations keep their moving averages, and its weights get a
    gradient of zero. (An optimiser with momentum, such as Adam, may still move them.) Otherwise it
    is a functional model like any other, in which each branch counts by its probability. So are
    the models that ``segments`` and ``with_outputs`` cut from it; in training they leave out none.

    Args:
        inputs, outputs: those of a network whose blocks have a ``Survival`` layer each.
    """

    # Kept, for a call that is not compiled would cut the model again.
    _parts = cached_property(segments)

    def call(self, images, training=None, mask=None):
        if not training:
            return super().call(images, training=training, mask=mask)
        x = images
        for name, part in self._parts.items():
            x = part(x, training=True) if name in ("stem", "head") else _run(part, x)
        return x


def _run(block, x):
    """Run one block in training, or its shortcut alone."""
    of = {layer.name.removeprefix(f"{block.name}_"): layer for layer in block.layers}

    def shortcut_alone():
        # The block's last ReLU would change nothing: x comes from a ReLU.
        return of["shortcut"](x) if "shortcut" in of else x

    return tf.cond(of["survival"].drawn(), lambda: block(x, training=True), shortcut_alone)
