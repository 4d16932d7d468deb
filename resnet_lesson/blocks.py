"""Plain and residual blocks: the same block, one addition apart.

A block computes ``ReLU(F(x) + shortcut(x))``, or ``ReLU(F(x))`` where ``shortcut="none"``. F is
called the branch. Each block can be used in two ways:

* as one layer, ``y = block(x)``;
* laid out flat in a functional model, ``y = block.call(x)`` on a symbolic ``x``. Then the model
  holds the block's own layers, and ``model.get_layer("stage2_block3_conv2")`` finds each of them.

References
    He, Zhang, Ren, Sun 2016a: Deep Residual Learning for Image Recognition, CVPR
        (arXiv:1512.03385). Blocks: Section 3.2, Figures 2 and 5. Shortcut options: Section 4.1.
    He, Zhang, Ren, Sun 2015b: Delving Deep into Rectifiers, ICCV (arXiv:1502.01852), Section 2.2:
        the initialisation of the weights.
    Goyal et al. 2017: Accurate, Large Minibatch SGD (arXiv:1706.02677), Section 5.1: γ = 0 in the
        last normalisation of each block.
    Ioffe, Szegedy 2015: Batch Normalization, ICML (arXiv:1502.03167).
"""

from contextlib import contextmanager
from itertools import chain, zip_longest

import keras
from keras import layers, ops

from resnet_lesson.plumbing.constraints import WIDTH, Constraint, OneOf, checked
from resnet_lesson.plumbing.fused import FusedBatchNorm

SHORTCUTS = ("none", "identity", "padded", "projection")


@contextmanager
def channels_last():
    """Let layers that are made meanwhile take images with the channels last, as all blocks do.

    What Keras's own setting says, each layer keeps for good when it is made. Used as a decorator.
    """
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


class Widths(Constraint):
    """The width of each weight layer of a block, or that of the last alone; gives a tuple of all.

    The block's ``kernel_sizes`` say how many there are.
    """

    def check(self, name, value, given=None):
        block = given["self"]
        layers = len(block.kernel_sizes)
        if isinstance(value, (list, tuple)):
            if len(value) != layers:
                raise ValueError(f"{name} must be 1 or {layers} numbers. Received: {value!r}")
            return tuple(WIDTH.check(name, width) for width in value)
        width = WIDTH.check(name, value)
        if width % block.reduction:
            raise ValueError(
                f"{name}, given as one number, must be a multiple of {block.reduction}; give "
                f"{layers} widths for another ratio. Received: {width}"
            )
        return (width // block.reduction,) * (layers - 1) + (width,)


class _Block(layers.Layer):
    """What all blocks share. A subclass says which weight layers F has: its ``kernel_sizes``."""

    kernel_sizes = ()
    kind, ndim = "conv", 4
    stride_on = "conv1"
    reduction = 1
    """The output's width over that of the layers before it, where only the output's is given."""

    @checked(filters=Widths(), shortcut=OneOf(*SHORTCUTS))
    @channels_last()
    def __init__(
        self, filters, shortcut="identity", normalisation=True, zero_init=False, stride=1, **kwargs
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.shortcut = shortcut
        self.normalisation = normalisation
        self.zero_init = zero_init
        self.stride = stride
        self.input_spec = keras.InputSpec(ndim=self.ndim)
        self._make_branch()
        self._make_shortcut()
        self.output_relu = layers.ReLU(**self._named("out"))

    def call(self, x, training=None):
        self._check_input(x.shape)
        y = self.branch(x, training)
        if self.add is not None:
            y = self.add([y, self.carry(x, training)])
        return self.output_relu(y)

    def branch(self, x, training=None):
        """Compute F(x), before the addition.

        Args:
            x: float tensor of the block's input shape, or a symbolic tensor.
            training: whether normalisation uses the batch's own mean and variance.

        Returns:
            float tensor of the block's output shape.
        """
        return self.branch_output(_through(self._branch_layers(), x, training))

    def carry(self, x, training=None):
        """Compute what the shortcut adds to F(x): x itself, x padded, or x projected.

        Args and shapes are those of ``branch``.
        """
        return _through(self.shortcut_layers, x, training)

    def _make_branch(self):
        self.weight_layers, self.norms, self.relus = [], [], []
        for i, (width, size) in enumerate(zip(self.filters, self.kernel_sizes, strict=True), 1):
            part = f"{self.kind}{i}"
            stride = self.stride if part == self.stride_on else 1
            self.weight_layers.append(self._weights(part, width, size, stride))
            if self.normalisation:
                self.norms.append(batch_norm(**self._named(f"norm{i}")))
            if i < len(self.filters):
                self.relus.append(layers.ReLU(**self._named(f"relu{i}")))
        # A layer that changes nothing: it gives the branch's output one name in every block.
        self.branch_output = layers.Identity(**self._named("branch"))

        if self.zero_init and self.normalisation:
            self.norms[-1].gamma_initializer = keras.initializers.Zeros()
        elif self.zero_init:  # there is no γ: the weights themselves start at zero
            self.weight_layers[-1].kernel_initializer = keras.initializers.Zeros()

    def _make_shortcut(self):
        self.shortcut_layers = []
        width, stride = self.filters[-1], self.stride
        if self.shortcut == "padded":
            self.shortcut_layers = [PaddedShortcut(width, stride, **self._named("shortcut"))]
        elif self.shortcut == "projection":
            self.shortcut_layers = [self._weights("shortcut", width, 1, stride)]
            if self.normalisation:
                self.shortcut_layers.append(batch_norm(**self._named("shortcut_norm")))
        self.add = None if self.shortcut == "none" else layers.Add(**self._named("add"))

    def _weights(self, part, width, kernel_size, stride):
        # Normalisation subtracts the mean, and with it any bias, and adds a β of its own.
        options = {"use_bias": not self.normalisation, "kernel_initializer": "he_normal"}
        return self._weight_layer(width, kernel_size, stride, **options, **self._named(part))

    def _weight_layer(self, width, kernel_size, stride, **options):
        return layers.Conv2D(width, kernel_size, stride, padding="same", **options)

    def _named(self, part):
        return {"name": f"{self.name}_{part}", "dtype": self.dtype_policy.name}

    def _branch_layers(self):
        """Return the branch's layers in their order: weights, norm, ReLU, weights and so on."""
        rows = zip_longest(self.weight_layers, self.norms, self.relus)
        return [layer for layer in chain.from_iterable(rows) if layer is not None]

    def build(self, input_shape):
        self._check_input(input_shape)
        shape = input_shape
        for layer in self._branch_layers():
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        # A projection takes x; its normalisation takes what has the shape of F(x).
        for layer, taken in zip(self.shortcut_layers, (input_shape, shape), strict=False):
            layer.build(taken)

    def compute_output_shape(self, input_shape):
        for layer in self.weight_layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self):
        return super().get_config() | {
            "filters": list(self.filters),
            "shortcut": self.shortcut,
            "normalisation": self.normalisation,
            "zero_init": self.zero_init,
            "stride": self.stride,
        }

    def _check_input(self, shape):
        changed = shape[-1] != self.filters[-1] or self.stride != 1
        if self.shortcut == "identity" and changed:
            raise ValueError(
                "shortcut='identity' needs F(x) to have the shape of x; use 'padded' or "
                f"'projection' where the shape changes. Received: {shape[-1]} channels in, "
                f"{self.filters[-1]} out, stride={self.stride}"
            )


@keras.saving.register_keras_serializable(package="resnet_lesson")
class BasicBlock(_Block):
    """Two 3×3 convolutions and a shortcut (He 2016a, Figure 5, left).

    Args:
        filters: the output's width, or the widths of both convolutions, as in ``(16, 16)``.
        shortcut: ``"identity"``, ``"padded"`` (option A), ``"projection"`` (a 1×1 convolution), or
            ``"none"``, which makes the block a plain one.
        normalisation: batch normalisation after each convolution; without it, biases.
        zero_init: start with F(x) = 0: γ = 0 in the last normalisation, or, without
            normalisation, zeros in the last convolution.
        stride: step of the first convolution and of the shortcut, in pixels.

    Input shape: (batch, height, width, channels), float.
    Output shape: (batch, ⌈height / stride⌉, ⌈width / stride⌉, filters), float.

    Raises:
        TypeError, ValueError: an argument is unusable, or ``shortcut="identity"`` meets a change
            of shape.

    Example::

        block = BasicBlock(16)  # for x of shape (batch, 14, 14, 16)
        y = block(x)  # relu(block.branch(x) + x)
        plain = BasicBlock(16, "none")  # the same layers: relu(plain.branch(x))
    """

    kernel_sizes = (3, 3)


@keras.saving.register_keras_serializable(package="resnet_lesson")
class BottleneckBlock(_Block):
    """1×1, 3×3 and 1×1 convolutions and a shortcut (He 2016a, Figure 5, right).

    The first 1×1 reduces the width, the 3×3 works on the narrow tensor, the last 1×1 restores it.

    Args:
        filters: the widths of the three convolutions, as in ``(8, 8, 16)``; or the output's width
            alone: the paper's inner width is a quarter of it.
        stride_on: which convolution takes the stride: ``"conv1"`` (the first 1×1, as in
            He 2016a and ``keras.applications``) or ``"conv2"`` (the 3×3, as in torchvision).

    The other arguments, the shapes and the errors are those of ``BasicBlock``.
    """

    kernel_sizes = (1, 3, 1)
    reduction = 4

    @checked(stride_on=OneOf("conv1", "conv2"))
    def __init__(self, filters, *args, stride_on="conv1", **kwargs):
        self.stride_on = stride_on
        super().__init__(filters, *args, **kwargs)

    def get_config(self):
        return super().get_config() | {"stride_on": self.stride_on}


@keras.saving.register_keras_serializable(package="resnet_lesson")
class DenseBlock(_Block):
    """Two dense layers and a shortcut: the basic block's twin for vectors.

    Args:
        filters: the output's width in units, or the widths of both layers.

    ``shortcut``, ``normalisation`` and ``zero_init`` are those of ``BasicBlock``; a vector has no
    pixels to step over, so there is no stride.

    Input shape: (batch, units), float.
    Output shape: (batch, filters), float.
    """

    kernel_sizes = (1, 1)  # a vector is one pixel
    kind, ndim = "dense", 2

    def __init__(self, filters, shortcut="identity", normalisation=True, zero_init=False, **kwargs):
        stride = WIDTH.check("stride", kwargs.pop("stride", 1))  # a reloaded block names it
        if stride != 1:
            raise ValueError(f"stride must be 1 in a DenseBlock. Received: {stride}")
        super().__init__(filters, shortcut, normalisation, zero_init, **kwargs)

    def _weight_layer(self, width, kernel_size, stride, **options):
        return layers.Dense(width, **options)


@keras.saving.register_keras_serializable(package="resnet_lesson")
class PaddedShortcut(layers.Layer):
    """Option A of He 2016a, Section 4.1: fit ``x`` to a new shape without any parameter.

    Takes every ``stride``-th pixel and appends channels of zeros.

    Args:
        filters: number of channels of the output, at least that of the input.
        stride: step in pixels, in both directions.

    Input shape: (batch, height, width, channels) or (batch, channels).
    Output shape: (batch, ⌈height / stride⌉, ⌈width / stride⌉, filters) or (batch, filters).
    """

    @checked(filters=WIDTH)
    def __init__(self, filters, stride=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.stride = stride
        self.input_spec = keras.InputSpec(ndim=4) if stride > 1 else None

    def call(self, x):
        missing = self.filters - x.shape[-1]
        if missing < 0:
            raise ValueError(
                f"filters must be at least the {x.shape[-1]} channels of the input: a padded "
                f"shortcut adds channels and drops none. Received: filters={self.filters}"
            )
        if self.stride > 1:
            x = x[:, :: self.stride, :: self.stride, :]
        return ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, missing)]) if missing else x

    def get_config(self):
        return super().get_config() | {"filters": self.filters, "stride": self.stride}


def batch_norm(name, gamma="ones", dtype=None):
    """Make the batch normalisation that all networks of the course use (Ioffe, Szegedy 2015).

    Args:
        name: the layer's name.
        gamma: initialiser of the scale γ.
        dtype: dtype or dtype policy of the layer.
    """
    # Keras's momentum of 0.99 needs a thousand steps before the moving averages mean anything.
    options = {"momentum": 0.9, "epsilon": 1e-5, "gamma_initializer": gamma}
    return FusedBatchNorm(**options, name=name, dtype=dtype)


def _through(path, x, training):
    """Pass x through layers, one by one; normalisation alone asks whether this is training."""
    for layer in path:
        is_norm = isinstance(layer, layers.BatchNormalization)
        x = layer(x, training=training) if is_norm else layer(x)
    return x
