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

import keras
from keras import layers, ops

from resnet_lesson.arguments import MOST_WIDTH, one_of, truth_value, whole_number
from resnet_lesson.normalisation import FusedBatchNorm

SHORTCUTS = ("none", "identity", "padded", "projection")

# Keras's default of 0.99 needs a thousand steps before the moving averages mean anything.
BATCH_NORM_MOMENTUM = 0.9
BATCH_NORM_EPSILON = 1e-5


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

    def __init__(self, filters, stride=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = whole_number("filters", filters, least=1, most=MOST_WIDTH)
        self.stride = whole_number("stride", stride, least=1, most=MOST_WIDTH)

    def call(self, x):
        if len(x.shape) not in (2, 4) or (len(x.shape) == 2 and self.stride > 1):
            raise ValueError(
                "x must have the shape (batch, height, width, channels), or (batch, channels) "
                f"where stride=1. Received: {tuple(x.shape)}"
            )
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


class _Block(layers.Layer):
    """What all blocks share: the order of things, the shortcut, the addition and the last ReLU.

    A subclass makes the weight layers, and says how wide they are unless they are two of one width.
    """

    _input_shape = "(batch, height, width, channels)"

    def __init__(
        self, filters, shortcut="identity", normalisation=True, zero_init=False, stride=1, **kwargs
    ):
        super().__init__(**kwargs)
        one_of("shortcut", shortcut, SHORTCUTS)
        self.filters = self._widths(filters)
        self.shortcut = shortcut
        self.stride = whole_number("stride", stride, least=1, most=MOST_WIDTH)
        self.normalisation = truth_value("normalisation", normalisation)
        self.zero_init = truth_value("zero_init", zero_init)
        self._make_layers()

    def _widths(self, filters):
        """Return the width of each weight layer of the branch, as a tuple."""
        return _widths(filters, count=2, from_one=lambda width: (width, width))

    def _weight_layer(self, i, **options):
        """Make the i-th weight layer of the branch, counted from 0."""
        raise NotImplementedError

    def _projection(self, **options):
        """Make the weight layer of a projection shortcut."""
        raise NotImplementedError

    def _make_layers(self):
        # Without normalisation there is no γ to set to zero: the last weights are, instead.
        last_gamma = "zeros" if self.zero_init else "ones"
        last_kernel = "zeros" if self.zero_init and not self.normalisation else "he_normal"
        # Normalisation subtracts the mean, and with it any bias, and adds a β of its own.
        options = {"use_bias": not self.normalisation, "dtype": self.dtype_policy.name}
        self.weight_layers, self.norms, self.relus = [], [], []
        depth = len(self.filters)
        for i in range(depth):
            last = i == depth - 1
            options["kernel_initializer"] = last_kernel if last else "he_normal"
            self.weight_layers.append(self._weight_layer(i, **options))
            if self.normalisation:
                gamma = last_gamma if last else "ones"
                self.norms.append(self._batch_norm(f"norm{i + 1}", gamma))
            if not last:
                self.relus.append(self._simple(layers.ReLU, f"relu{i + 1}"))
        # A layer that changes nothing: it gives the branch's output one name in every block.
        self.branch_output = self._simple(layers.Identity, "branch")
        self.shortcut_layers = []
        if self.shortcut == "padded":
            padded = self._simple(PaddedShortcut, "shortcut", self.filters[-1], self.stride)
            self.shortcut_layers.append(padded)
        elif self.shortcut == "projection":
            options |= {"kernel_initializer": "he_normal", "name": self._named("shortcut")}
            self.shortcut_layers.append(self._projection(**options))
            if self.normalisation:
                self.shortcut_layers.append(self._batch_norm("shortcut_norm"))
        self.add = None if self.shortcut == "none" else self._simple(layers.Add, "add")
        self.output_relu = self._simple(layers.ReLU, "out")

    def branch(self, x, training=None):
        """Compute F(x), before the addition.

        Args:
            x: float tensor of the block's input shape, or a symbolic tensor.
            training: whether normalisation uses the batch's own mean and variance.

        Returns:
            float tensor of the block's output shape.
        """
        for i, layer in enumerate(self.weight_layers):
            x = layer(x)
            if self.normalisation:
                x = self.norms[i](x, training=training)
            if i < len(self.relus):
                x = self.relus[i](x)
        return self.branch_output(x)

    def carry(self, x, training=None):
        """Compute what the shortcut adds to F(x): x itself, x padded, or x projected.

        Args and shapes are those of ``branch``.
        """
        for layer in self.shortcut_layers:
            options = {"training": training} if _is_norm(layer) else {}
            x = layer(x, **options)
        return x

    def call(self, x, training=None):
        self._check_input(x.shape)
        y = self.branch(x, training=training)
        if self.add is not None:
            y = self.add([y, self.carry(x, training=training)])
        return self.output_relu(y)

    def build(self, input_shape):
        self._check_input(input_shape)
        shape = input_shape
        for i, layer in enumerate(self.weight_layers):
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
            if self.normalisation:
                self.norms[i].build(shape)
        for layer in self.shortcut_layers:
            layer.build(shape if _is_norm(layer) else input_shape)

    def compute_output_shape(self, input_shape):
        shape = input_shape
        for layer in self.weight_layers:
            shape = layer.compute_output_shape(shape)
        return shape

    def _check_input(self, input_shape):
        if len(input_shape) != self._input_shape.count(",") + 1:
            raise ValueError(
                f"x must have the shape {self._input_shape}. Received: {tuple(input_shape)}"
            )
        changed = input_shape[-1] != self.filters[-1] or self.stride != 1
        if self.shortcut == "identity" and changed:
            raise ValueError(
                "shortcut='identity' needs F(x) to have the shape of x; use 'padded' or "
                f"'projection' where the shape changes. Received: {input_shape[-1]} channels in, "
                f"{self.filters[-1]} out, stride={self.stride}"
            )

    def get_config(self):
        return super().get_config() | {
            "filters": list(self.filters),
            "shortcut": self.shortcut,
            "normalisation": self.normalisation,
            "zero_init": self.zero_init,
            "stride": self.stride,
        }

    def _named(self, part):
        return f"{self.name}_{part}"

    def _simple(self, kind, part, *args):
        return kind(*args, name=self._named(part), dtype=self.dtype_policy.name)

    def _batch_norm(self, part, gamma="ones"):
        return batch_norm(self._named(part), gamma, dtype=self.dtype_policy.name)


class _ConvolutionBlock(_Block):
    """What blocks of convolutions share: a projection is a 1×1 convolution."""

    def _projection(self, **options):
        return _conv(self.filters[-1], 1, self.stride, **options)


@keras.saving.register_keras_serializable(package="resnet_lesson")
class BasicBlock(_ConvolutionBlock):
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
    """

    def _weight_layer(self, i, **options):
        stride = self.stride if i == 0 else 1
        return _conv(self.filters[i], 3, stride, name=self._named(f"conv{i + 1}"), **options)


@keras.saving.register_keras_serializable(package="resnet_lesson")
class BottleneckBlock(_ConvolutionBlock):
    """1×1, 3×3 and 1×1 convolutions and a shortcut (He 2016a, Figure 5, right).

    The first 1×1 reduces the width, the 3×3 works on the narrow tensor, the last 1×1 restores it.

    Args:
        filters: the widths of the three convolutions, as in ``(8, 8, 16)``; or the output's width
            alone: the paper's inner width is a quarter of it.
        stride_on: which convolution takes the stride: ``"conv1"`` (the first 1×1, as in
            He 2016a and ``keras.applications``) or ``"conv2"`` (the 3×3, as in torchvision).

    The other arguments, the shapes and the errors are those of ``BasicBlock``.
    """

    def __init__(self, filters, *args, stride_on="conv1", **kwargs):
        self.stride_on = one_of("stride_on", stride_on, ("conv1", "conv2"))
        super().__init__(filters, *args, **kwargs)

    def _widths(self, filters):
        return _widths(filters, count=3, from_one=_bottleneck_widths)

    def _weight_layer(self, i, **options):
        kernel_size = (1, 3, 1)[i]
        name = f"conv{i + 1}"
        stride = self.stride if name == self.stride_on else 1
        return _conv(self.filters[i], kernel_size, stride, name=self._named(name), **options)

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

    _input_shape = "(batch, units)"

    def __init__(self, filters, shortcut="identity", normalisation=True, zero_init=False, **kwargs):
        if (stride := kwargs.pop("stride", 1)) != 1:  # a reloaded block names it
            raise ValueError(f"stride must be 1 in a DenseBlock. Received: {stride!r}")
        super().__init__(filters, shortcut, normalisation, zero_init, **kwargs)

    def _weight_layer(self, i, **options):
        return layers.Dense(self.filters[i], name=self._named(f"dense{i + 1}"), **options)

    def _projection(self, **options):
        return layers.Dense(self.filters[-1], **options)


def batch_norm(name, gamma="ones", dtype=None):
    """Make the batch normalisation that all networks of the course use (Ioffe, Szegedy 2015).

    Args:
        name: the layer's name.
        gamma: initialiser of the scale γ.
        dtype: dtype or dtype policy of the layer.
    """
    return FusedBatchNorm(
        momentum=BATCH_NORM_MOMENTUM,
        epsilon=BATCH_NORM_EPSILON,
        gamma_initializer=gamma,
        name=name,
        dtype=dtype,
    )


def _conv(filters, kernel_size, stride, **options):
    return layers.Conv2D(filters, kernel_size, stride, padding="same", **options)


def _is_norm(layer):
    return isinstance(layer, layers.BatchNormalization)


def _bottleneck_widths(width):
    if width % 4:
        raise ValueError(
            "filters of a bottleneck, given as one number, must be a multiple of 4; give three "
            f"widths for another ratio, as in (8, 8, 16). Received: {width}"
        )
    return (width // 4, width // 4, width)


def _widths(filters, count, from_one):
    if isinstance(filters, (list, tuple)):
        if len(filters) != count:
            raise ValueError(f"filters must be 1 or {count} numbers. Received: {filters!r}")
        return tuple(whole_number("filters", width, least=1, most=MOST_WIDTH) for width in filters)
    return from_one(whole_number("filters", filters, least=1, most=MOST_WIDTH))
