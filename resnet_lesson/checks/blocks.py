"""What the checks of blocks share: the reader's block run, its kernels found, and a reference.

A reference is the order of a block's parts, as in ``"conv norm relu conv norm shortcut add relu"``,
and so is each mistake: the reader's block is compared with what these orders compute.
"""

import itertools
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from resnet_lesson.checks.answers import NotYet, as_array, call, require
from resnet_lesson.checks.core import close, drawn

EPSILONS = (1e-3, 1e-5)  # of a normalisation: Keras's default, and that of others
FACTORS = {
    "zero": ("is multiplied by 0", 0),
    "negate": ("has the wrong sign", -1),
    "half": ("is halved", 1 / 2),
    "double": ("is doubled", 2),
    "tenth": ("is multiplied by 0.1", 1 / 10),
}
NO_RELU = {
    "tanh": ("a tanh", np.tanh),
    "sigmoid": ("a sigmoid", lambda y: tf.sigmoid(y).numpy()),
    "swish": ("a swish", lambda y: tf.nn.silu(y).numpy()),
    "relu6": ("cut off at 6", lambda y: np.clip(y, 0, 6)),
    **{
        f"leaky{slope:g}": ("leaky", partial(lambda slope, y: np.maximum(y, slope * y), slope))
        for slope in (0.3, 0.2, 0.1, 0.01)
    },
}
NORMS = {
    "norm": ("over the batch", (0, 1, 2)),
    "layer_norm": ("over the channels of each pixel", 3),
    "sample_norm": ("over all of each image", (1, 2, 3)),
    "instance_norm": ("over the pixels of each image", (1, 2)),
}


def _normalised(axes, epsilon, y):
    mean, variance = (of(y, axis=axes, keepdims=True) for of in (np.mean, np.var))
    return (y - mean) / np.sqrt(variance + epsilon)


def computed(order, x, kernels, strides=None, biases=(), epsilon=EPSILONS[0]):
    """Compute what a block gives out in training, with γ = 1 and β = 0.

    Args:
        order: names of parts. ``conv`` and ``depthwise`` take the next kernel, ``bias`` the bias of
            the kernel before it, ``last_bias`` the last one. With ``shortcut`` the branch ends:
            what follows is done to x, until ``add`` adds the two. Parts of ``FACTORS`` multiply,
            those of ``NO_RELU`` stand where a ReLU should, other ``NORMS`` where that of the batch
            should. With ``here`` the shortcut begins.
        x: float32 (batch, height, width, channels).
        kernels: arrays (height, width, channels, filters), in the order of their use.
        strides: of the convolutions, 1 if not given.
        biases: arrays (filters,), one for each kernel, and the last one.
        epsilon: of the normalisations.

    Returns:
        float32 (batch, height, width, filters).
    """
    strides = iter(strides or [1] * len(kernels))
    used, left = [], list(kernels)

    def kernel():
        used.append(left.pop(0))
        return used[-1]

    steps = {
        "conv": lambda y: tf.nn.conv2d(y, kernel(), next(strides), "SAME").numpy(),
        "depthwise": lambda y: tf.nn.depthwise_conv2d(y, kernel(), (1,) * 4, "SAME").numpy(),
        **{name: partial(_normalised, axes, epsilon) for name, (_, axes) in NORMS.items()},
        "bias": lambda y: y + biases[len(used) - 1],
        "last_bias": lambda y: y + biases[-1],
        "relu": lambda y: np.maximum(y, 0),
        "add": lambda y: branch + y,
        "times": lambda y: branch * y,
        "itself": lambda y: branch + branch,
        **{name: partial(np.multiply, factor) for name, (_, factor) in FACTORS.items()},
        **{name: function for name, (_, function) in NO_RELU.items()},
    }
    y = start = x
    for part in order.split():
        if part == "here":
            start = y
        elif part == "shortcut":
            branch, y = y, start
        else:
            y = steps[part](y)
    return y


TWO_LAYERS = "conv relu conv shortcut add relu"  # the order of a block without normalisation
ORDINALS = ("first", "second", "third", "fourth", "fifth")
WORDS = {"conv": "convolution", "norm": "normalisation", "relu": "ReLU"}
WORDS |= {"last_bias": "last bias", "add": "addition"}
AFTER_THE_BRANCH = {
    "conv": "the projection",
    "norm": "the projection's normalisation",
    "relu": "the last ReLU",
}


def one_change(right):
    """Yield what one wrong part makes of an order: message, the order that it makes.

    One part is missing, has another in its place, stands behind its neighbour, or is too many.
    """
    parts = right.split()
    names, at = _names(parts), parts.index("shortcut")

    def changed(i, *new, drop=0):
        return " ".join([*parts[:i], *new, *parts[i + drop :]])

    # Behind a ReLU, one more changes nothing: so what is missing comes before what is too many.
    for i, part in enumerate(parts):
        if part in ("norm", "relu", "bias", "last_bias"):
            untold = ", or not told `training`" * (part == "norm")
            yield f"{names[i]} is missing{untold}", changed(i, drop=1)
    for i, part in enumerate(parts):
        if part == "relu":
            for other, (words, _) in NO_RELU.items():
                yield f"{names[i]} is {words} here", changed(i, other, drop=1)
        if part == "add":
            yield "the branch is multiplied by x; add them", changed(i, "times", drop=1)
            yield "the branch is added to itself; add x to it", changed(i, "itself", drop=1)
        if parts[i : i + 2] == ["norm", "relu"]:
            yield f"{names[i]} and {names[i + 1]} are missing", changed(i, drop=2)
        pair = parts[i : i + 2]
        if len(pair) == 2 and "shortcut" not in pair and set(pair) != {"conv", "bias"}:
            yield f"{names[i]} should come before {names[i + 1]}", changed(i, *pair[::-1], drop=2)
    for other, (words, _) in NO_RELU.items():
        yield f"the ReLUs are {words} here", right.replace("relu", other)
    for other, (words, _) in list(NORMS.items())[1:]:
        yield f"normalise over the batch; here it is {words}", right.replace("norm", other)
    last = "after the addition" if parts[-1] == "add" else "at the end"
    between = [f"between {before} and {after}" for before, after in itertools.pairwise(names)]
    places = ["at the beginning of the branch", *between, last]
    places[at : at + 2] = ["before the addition, on the branch", "on the shortcut"]
    for i, place in enumerate(places):
        for part in ("relu", "norm"):
            yield f"a {WORDS[part]} stands {place}; none belongs there", changed(i, part)
    ends = {at: "the branch", at + 1: "the shortcut", parts.index("add") + 1: "the sum"}
    for i, end in ends.items():
        for name, (words, _) in FACTORS.items():
            yield f"{end} {words}", changed(i, name)


def other_starts(right):
    """Yield what becomes of an order whose shortcut does not begin with x: message, order.

    Only where all convolutions have one width can the two be added.
    """
    branch, rest = right.split(" shortcut ")
    parts, names = branch.split(), _names(right.split())
    for i in range(1, len(parts)):
        where = f"between {names[i - 1]} and {names[i]}"
        order = " ".join([*parts[:i], "here", *parts[i:], "shortcut", rest])
        yield f"the shortcut begins {where}; it should begin with x", order


def _names(parts):
    """Return what to call each part of an order in a message, as in "the second ReLU"."""
    at, names = parts.index("shortcut"), []
    for i, part in enumerate(parts):
        alike = [j for j, other in enumerate(parts) if other == part and (j < at) == (i < at)]
        which = ORDINALS[alike.index(i)] if len(alike) > 1 else ""
        name = " ".join(filter(None, ("the", which, WORDS.get(part, part))))
        names.append(AFTER_THE_BRANCH.get(part, name) if i > at else name)
    return names


def usual_mistakes(right):
    """Return what may go wrong with a block in several places, message → order of the parts."""
    branch, shortcut = right.split(" shortcut ")
    last = right.endswith("relu")
    shortcut, end = f"shortcut {shortcut}".removesuffix(" relu"), " relu" * last
    plain = branch.removesuffix(" norm")
    before_each = "norm relu conv " if "norm" in right else "relu conv "
    first = before_each * branch.count("conv") + shortcut
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
        "the last normalisation belongs before the addition": f"{plain} {shortcut} norm{end}",
        "a ReLU stands before each convolution, and none at the end: this is pre-activation": first,
    }
    if last:
        both = "a ReLU stands before each convolution, as in pre-activation, and one at the end"
        found[both] = first + end
        late = "the last ReLU belongs after the addition, not before"
        found[late] = f"{branch} relu {shortcut}"
    else:
        both = "a ReLU stands before the addition and one after it; none belongs there"
        found[both] = f"{branch} relu {shortcut} relu"
    if shortcut == "shortcut add":
        elsewhere = "the last normalisation belongs on the branch, not on the shortcut"
        found[elsewhere] = f"{plain} shortcut norm add{end}"
    else:
        each = "normalise each of the two before the addition, and not their sum"
        found[each] = f"{plain} {shortcut.removesuffix(' norm add')} add norm{end}"
    return found


def all_mistakes(right):
    """Yield all that is known to go wrong with a block of one width: message, order."""
    yield from usual_mistakes(right).items()
    yield from one_change(right)
    yield from other_starts(right)


def examine(block, seed, shapes, right, stride=1):
    """Raise NotYet unless the reader's block computes what it should, in training and evaluation.

    Args:
        block: the reader's, with the weights of its start.
        seed: of the input.
        shapes: of the kernels, in the order of their use, without that of a projection.
        right: the right order of the parts.
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

    def fits(order, strides=((stride, 1, 1, stride), (1, stride, 1, stride))):
        try:
            return any(
                close(trained, computed(order, x, kernels, steps, epsilon=epsilon), 2e-3)
                for steps in set(strides)
                for epsilon in EPSILONS
            )
        except (ValueError, tf.errors.InvalidArgumentError):  # two shapes that cannot be added
            return False

    if not fits(right):
        late = "the stride belongs on the first 1×1 or on the 3×3, not on the last 1×1"
        require(not fits(right, [(1, 1, stride, stride)]), late)
        for message, order in all_mistakes(right):
            require(not fits(order), message)
        raise NotYet("the kernels have the right shapes, but the output is another one")
    same = "training=True and training=False give one output: hand `training` on to each part"
    require(not close(evaluated, trained, 1e-3), same)
    again = as_array(called(block, tf.constant(x), training=False), "the block's output")
    moved = "after training, evaluation is what it was before: are the moving averages updated?"
    require(not close(again, evaluated, 1e-6), moved)
    # Before training the numbers γ are 1, and all others are 0, but for a moving variance that a
    # tf.Module left trainable.
    arrays = map(np.asarray, variables(block))
    found = sum(array.size for array in arrays if array.ndim == 1 and np.all(array == 1))
    # The one kernel of a depthwise convolution has as many filters as channels.
    wanted = sum(max(k.shape[2:]) if k.shape[3] == 1 else k.shape[3] for k in kernels)
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
    found = [value.reshape((1, 1, *value.shape)[-4:]).astype("float32") for value in arrays]
    # A convolution of as many groups as channels is a depthwise one.
    grouped = [(*shape[:2], shape[3], shape[2]) for shape in shapes if shape[3] == 1 < shape[2]]
    found = [v.transpose(0, 1, 3, 2) if v.shape in grouped else v for v in found]
    found = _one_depthwise(found, shapes)
    have = sorted(value.shape for value in found)
    with_projection = [*shapes, (1, 1, shapes[0][2], shapes[-1][3])]
    wanted = with_projection if projects else shapes
    if have == sorted(wanted):
        return [found.pop([value.shape for value in found].index(shape)) for shape in wanted]
    require(
        have != sorted(shapes),
        "where the shape changes, the shortcut needs its own trainable kernel",
    )
    require(have != sorted(with_projection), "where the shape stays, the shortcut is x itself")
    thin = sorted((1, 1, *shape[2:]) for shape in wanted)
    require(have != thin, "all kernels are 1×1; the middle one should be 3×3")
    raise NotYet(f"the kernels have the shapes {have}; expected are {sorted(wanted)}")


def _one_depthwise(found, shapes):
    """Join the kernels of convolutions of one channel each, where a depthwise one is wanted."""
    wide = next((shape for shape in shapes if shape[3] == 1 < shape[2]), None)
    single = [value for value in found if wide and value.shape == (*wide[:2], 1, 1)]
    if not wide or len(single) != wide[2]:
        return found
    return [
        *(value for value in found if value.shape != single[0].shape),
        np.concatenate(single, 2),
    ]


def variables(layer):
    """Return what can be trained in a reader's layer, once it has been called."""
    own = getattr(layer, "trainable_variables", None)
    require(own is not None, "return a Keras layer or a tf.Module, so that its weights are found")
    require(own, "nothing in it can be trained; its weights should be trainable")
    still = [weight.name for weight in getattr(layer, "non_trainable_variables", ())]
    frozen = {"kernel", "bias", "gamma", "beta"}.intersection(still)
    require(
        not frozen, f"a layer is frozen: its {' and '.join(sorted(frozen))} should be trainable"
    )
    return own
