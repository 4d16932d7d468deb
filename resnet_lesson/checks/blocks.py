"""What the checks of blocks share: the reader's block run, its kernels found, and a reference.

A reference is the order of a block's parts, as in ``"conv norm relu conv norm shortcut add relu"``,
and so is each mistake: the reader's block is compared with what these orders compute.
"""

import keras
import numpy as np
import tensorflow as tf

from resnet_lesson.checks.answers import NotYet, as_array, call, require
from resnet_lesson.checks.core import close, drawn

EPSILONS = (1e-3, 1e-5)  # of a normalisation: Keras's default, and that of others


def computed(order, x, kernels, strides=None, biases=(), epsilon=EPSILONS[0]):
    """Compute what a block gives out in training, with γ = 1 and β = 0.

    Args:
        order: names of parts. ``conv`` and ``depthwise`` take the next kernel, ``bias`` the next
            bias, ``last_bias`` the last one. With ``shortcut`` the branch ends: what follows is
            done to x, until ``add`` adds the two. ``zero``, ``negate`` and ``half`` multiply by 0,
            −1 and 1/2.
        x: float32 (batch, height, width, channels).
        kernels: arrays (height, width, channels, filters), in the order of their use.
        strides: of the convolutions, 1 if not given.
        biases: arrays (filters,).
        epsilon: of the normalisations.

    Returns:
        float32 (batch, height, width, filters).
    """
    strides = iter(strides or [1] * len(kernels))
    kernels, next_bias = iter(kernels), iter(biases)
    steps = {
        "conv": lambda y: tf.nn.conv2d(y, next(kernels), next(strides), "SAME").numpy(),
        "depthwise": lambda y: tf.nn.depthwise_conv2d(y, next(kernels), (1,) * 4, "SAME").numpy(),
        "norm": lambda y: (y - y.mean(axis=(0, 1, 2))) / np.sqrt(y.var(axis=(0, 1, 2)) + epsilon),
        "bias": lambda y: y + next(next_bias),
        "last_bias": lambda y: y + biases[-1],
        "relu": lambda y: np.maximum(y, 0),
        "zero": lambda y: 0 * y,
        "negate": lambda y: -y,
        "half": lambda y: y / 2,
        "add": lambda y: branch + y,
    }
    y = x
    for part in order.split():
        if part == "shortcut":
            branch, y = y, x
        else:
            y = steps[part](y)
    return y


ORDINALS = ("first", "second", "third")


def usual_mistakes(right):
    """Return what may go wrong with a block, message → order of the parts, from its right order."""
    branch, shortcut = right.split(" shortcut ")
    shortcut, last = f"shortcut {shortcut}".removesuffix(" relu"), right.endswith("relu")
    end = " relu" if last else ""
    found = {
        "the shortcut is missing": branch + end,
        "nothing is normalised in training: is there a normalisation, and is it told `training`?": (
            right.replace("norm ", "")
        ),
        "the branch has no normalisation": f"{branch.replace(' norm', '')} {shortcut}{end}",
        "all the ReLUs are missing": right.replace(" relu", ""),
        "the branch has no ReLU": f"{branch.replace(' relu', '')} {shortcut}{end}",
        "the normalisations belong before the ReLUs": (
            f"{branch.replace('norm relu', 'relu norm')} {shortcut}{end}"
        ),
        "the last normalisation belongs before the addition": (
            f"{branch.removesuffix(' norm')} {shortcut} norm{end}"
        ),
        "x is subtracted": right.replace("add", "negate add"),
        "this is half of the sum: add, do not average": right.replace("add", "add half"),
        "the branch gives nothing: it starts at zero": f"{branch} zero {shortcut}{end}",
    }
    if last:
        found |= {
            "the last ReLU is missing": right.removesuffix(" relu"),
            "the last ReLU belongs after the addition, not before": f"{branch} relu {shortcut}",
            "the ReLU before the addition does not belong there": f"{branch} relu {shortcut} relu",
        }
    else:
        found |= {
            "a ReLU follows the addition; none belongs there": f"{right} relu",
            "a ReLU stands before the addition; none belongs there": f"{branch} relu {shortcut}",
            "a ReLU stands before the addition and one after it; none belongs there": (
                f"{branch} relu {shortcut} relu"
            ),
        }
    parts = branch.split()
    for kind, name in (("norm", "normalisation"), ("relu", "ReLU")):
        places = [i for i, part in enumerate(parts) if part == kind]
        for which, i in zip(ORDINALS, places, strict=False):
            rest = " ".join(parts[:i] + parts[i + 1 :])
            found[f"the {which} {name} of the branch is missing"] = f"{rest} {shortcut}{end}"
    if shortcut == "shortcut add":
        found |= {
            "the shortcut is normalised; it should be x as it is": right.replace(
                " add", " norm add"
            ),
            "the shortcut has a ReLU; it should be x as it is": right.replace(" add", " relu add"),
        }
    else:
        found["the projection should be normalised, too"] = right.replace("norm add", "add")
        found["the projection has a ReLU; none belongs there"] = right.replace("add", "relu add")
    return found


def examine(block, seed, shapes, right, mistakes=None, stride=1):
    """Raise NotYet unless the reader's block computes what it should, in training and evaluation.

    Args:
        block: the reader's, with the weights of its start.
        seed: of the input.
        shapes: of the kernels, in the order of their use, without that of a projection.
        right: the right order of the parts.
        mistakes: dictionary: message → the order that this mistake makes; the usual ones if none
            are given.
        stride: of the block. It may be on the first convolution, or on the second as in v1.5; a
            projection has it, too.
    """
    channels, filters = shapes[0][2], shapes[-1][3]
    x = drawn(seed, (4, 6, 6, channels))[0].astype("float32")
    called(block, tf.constant(x), training=False)
    for variable in variables(block):  # a branch may start at zero
        if getattr(variable, "name", "") == "gamma":
            variable.assign(np.ones(variable.shape))
    given_out = [called(block, tf.constant(x), training=training) for training in (False, True)]
    evaluated, trained = (as_array(y, "the block's output") for y in given_out)
    side = 6 // stride
    size = f"the output should be {side} × {side}, not {trained.shape[1:3]}"
    require(trained.shape[:3] == (4, side, side), f"{size}; mind padding and strides")
    width = f"the output should have {filters} channels, this has {trained.shape[3]}"
    require(trained.shape[3] == filters, width)
    kernels = kernels_of(block, shapes, "shortcut conv" in right)

    def fits(order):
        return any(
            close(trained, computed(order, x, kernels, strides, epsilon=epsilon), 2e-3)
            for strides in {(stride, 1, 1, stride), (1, stride, 1, stride)}
            for epsilon in EPSILONS
        )

    if not fits(right):
        for message, order in (mistakes or usual_mistakes(right)).items():
            require(not fits(order), message)
        raise NotYet("the kernels have the right shapes, but the output is another one")
    same = "training=True and training=False give one output: hand `training` on to each part"
    require(not close(evaluated, trained, 1e-3), same)
    # Before training the numbers γ are 1, and all others are 0, but for a moving variance that a
    # tf.Module left trainable.
    arrays = map(np.asarray, variables(block))
    found = sum(array.size for array in arrays if array.ndim == 1 and np.all(array == 1))
    wanted = sum(kernel.shape[-1] for kernel in kernels)
    own = "does each convolution have a normalisation of its own?"
    require(found >= wanted, f"{wanted} trainable numbers γ are expected, this has {found}: {own}")


HINTS = {  # what an error says → what to look for
    "shapes": "what is joined must fit: mind padding, strides, channels and kept dimensions",
    "argument 'training'": "a block should take `training`, as every layer does",
    "expected axis": "a layer that is used twice has one set of weights, made for its first input",
    "`set_weights(weights)`": "a layer has weights only once it is part of a model that is built",
    "core dimension": "mind the order of the product, and whether one side wants a transpose",
}


def called(function, *args, **options):
    """Call; where shapes do not fit, or `training` is not taken, say what to look for."""
    try:
        return call(function, *args, **options)
    except NotYet as wrong:
        hints = [hint for sign, hint in HINTS.items() if sign in str(wrong.__cause__)]
        raise NotYet("; ".join([str(wrong), *hints])) from wrong


def block_of(answer, *args):
    """Return the block that the reader's function makes."""
    block = called(answer, *args)
    wrapped = "this is a tensor; return the block, as in keras.Model(inputs, outputs)"
    require(not isinstance(block, keras.KerasTensor), wrapped)
    require(not isinstance(block, type), "this is a class; return one of its objects")
    others = {id(weight) for weight in getattr(called(answer, *args), "variables", ())}
    shared = others & {id(weight) for weight in getattr(block, "variables", ())}
    require(not shared, "two blocks, made one after the other, share weights")
    return block


def kernel_shapes(sizes, channels, filters):
    """Return the shapes of the kernels of convolutions one after the other."""
    ends = zip(sizes, (channels, *filters), filters, strict=False)
    return [(size, size, before, after) for size, before, after in ends]


def kernels_of(block, shapes, projects):
    """Find the kernels by their shapes; a dense layer at each pixel counts as a 1×1.

    The projection's comes last. Of two kernels of one shape, the one that was made first is first.
    """
    arrays = [value for value in map(np.asarray, variables(block)) if value.ndim in (2, 4)]
    found = [value.reshape((1, 1, *value.shape)[-4:]) for value in arrays]
    # A convolution of as many groups as channels is a depthwise one.
    grouped = [(*shape[:2], shape[3], shape[2]) for shape in shapes if shape[3] == 1 < shape[2]]
    found = [v.transpose(0, 1, 3, 2) if v.shape in grouped else v for v in found]
    have = sorted(value.shape for value in found)
    with_projection = [*shapes, (1, 1, shapes[0][2], shapes[-1][3])]
    wanted = with_projection if projects else shapes
    if have == sorted(wanted):
        return [found.pop([value.shape for value in found].index(shape)) for shape in wanted]
    require(have != sorted(shapes), "where the shape changes, the shortcut needs its own kernel")
    require(have != sorted(with_projection), "where the shape stays, the shortcut is x itself")
    thin = sorted((1, 1, *shape[2:]) for shape in wanted)
    require(have != thin, "all kernels are 1×1; the middle one should be 3×3")
    raise NotYet(f"the kernels have the shapes {have}; expected are {sorted(wanted)}")


def variables(layer):
    """Return what can be trained in a reader's layer, once it has been called."""
    own = getattr(layer, "trainable_variables", None)
    require(own is not None, "return a Keras layer or a tf.Module, so that its weights are found")
    require(own, "nothing in it can be trained; its weights should be trainable")
    return own
