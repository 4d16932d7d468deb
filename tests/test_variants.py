"""Variants against a network in NumPy, formulas, and what each of them promises of its start."""

import functools

import keras
import numpy as np
import pytest
import reference
import tensorflow as tf

from resnet_lesson.data import Examples, Mnist
from resnet_lesson.models import network, reset_weights, segments, with_outputs
from resnet_lesson.sweep import sweep
from resnet_lesson.training import Trainer
from resnet_lesson.variants import (
    GATE_BIAS,
    VARIANTS,
    SkippingModel,
    Survival,
    expected_depth,
    variant_network,
)
from resnet_lesson.workers import check_workers_find

BLOCKS = [f"stage{stage}_block{number}" for stage in (1, 2) for number in (1, 2)]
GATED = ["exclusive gate", "shortcut-only gate"]

# Depth 14 has a block of each kind: the first, one that changes the shape, and others. Models are
# kept, for building them takes time; each test sets the weights that it needs.
built = functools.cache(lambda variant, depth=14: variant_network(depth, variant))


def image_batch(n=3, seed=1):
    return np.random.default_rng(seed).normal(size=(n, 28, 28, 1)).astype("float32")


def randomised(model, seed=0):
    """Give every weight a random value, so that a forgotten bias is seen."""
    reset_weights(model, seed)
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.name != "kernel":
            value = generator.normal(0, 0.3, variable.shape)
            variable.assign(np.abs(value) + 0.5 if variable.name == "moving_variance" else value)
    return model


def values(model):
    return {variable.path: variable.numpy() for variable in model.weights}


def small_data(n=16):
    labels = np.random.default_rng(0).integers(0, 10, n).astype("int32")
    nothing = Examples(image_batch(0), labels[:0])
    return Mnist(Examples(image_batch(n), labels), nothing, nothing)


@pytest.fixture
def float64():
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def stochastic():
    """The network with stochastic depth; its probabilities are put back."""
    model = built("stochastic depth")
    before = [survival(model, name).probability for name in BLOCKS]
    yield model
    choose(model, before)


def survival(model, name):
    return model.get_layer(f"{name}_survival")


def choose(model, probabilities, blocks=BLOCKS):
    for name, probability in zip(blocks, probabilities, strict=True):
        survival(model, name).probability = probability


# -- The baseline ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "options"),
    [
        ("baseline", {}),
        ("no shortcut", {"shortcut": "none"}),
        ("no normalisation", {"normalisation": False}),
        ("zero last gamma", {"zero_init": True}),
    ],
)
def test_variants_that_network_builds(variant, options):
    ours, theirs = built(variant), network(14, **options)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    for model in (ours, theirs):
        reset_weights(model, 5)
    assert values(ours).keys() == values(theirs).keys()
    np.testing.assert_array_equal(ours(image_batch()), theirs(image_batch()))


def test_the_baseline_is_the_default():
    reset_weights(built("baseline"), 5)
    reset_weights(default := variant_network(14, name="default"), 5)
    np.testing.assert_array_equal(default(image_batch()), built("baseline")(image_batch()))
    assert default.name == "default"


# -- The forward pass, once more in NumPy ----------------------------------------------------------


def numpy_logits(weights, variant, x, training, kept=None):
    """Compute the logits of a variant of depth 14 from the values of its weights.

    ``kept``: with stochastic depth in training, the blocks that take part.
    """
    relu = reference.relu

    def conv(x, name, stride=1):
        return reference.conv2d(x, weights[f"{name}/kernel"], stride, weights.get(f"{name}/bias"))

    def norm(x, name):
        if training:
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        else:
            mean, variance = (weights[f"{name}/moving_{part}"] for part in ("mean", "variance"))
        gamma, beta = weights[f"{name}/gamma"], weights[f"{name}/beta"]
        return reference.batch_norm(x, gamma, beta, mean, variance, epsilon=1e-5)

    def block(x, name, stride, probability):
        weigh = {i: functools.partial(conv, name=f"{name}_conv{i}") for i in (1, 2, 3)}
        weigh[1] = functools.partial(weigh[1], stride=stride)
        normed = {i: functools.partial(norm, name=f"{name}_norm{i}") for i in (1, 2, 3)}
        carried = reference.pad_shortcut(x, 32, 2) if stride == 2 else x
        first = name == "stage1_block1"

        if variant in ("no normalisation", "branch scale"):
            f = weigh[3](relu(weigh[2](relu(weigh[1](x)))))
        elif variant == "pre-activation":
            f = x if first else relu(normed[1](x))
            f = relu(normed[2](weigh[1](f)))
            f = relu(normed[3](weigh[2](f)))
            return carried + weigh[3](f)
        elif variant == "relu-only pre-activation":
            f = normed[1](weigh[1](relu(x)))
            f = normed[2](weigh[2](relu(f)))
            return carried + normed[3](weigh[3](relu(f)))
        else:
            f = relu(normed[1](weigh[1](x)))
            f = weigh[3](relu(normed[2](weigh[2](f))))
            if variant == "norm after addition":
                return relu(normed[3](f + carried))
            f = normed[3](f)

        if variant == "no shortcut":
            return relu(f)
        if variant == "relu before addition":
            return relu(f) + carried
        if variant == "branch scale":
            f = weights[f"{name}_scale/scale"] * f
        if variant == "shortcut times 0.5":
            carried = carried / 2
        if variant == "both times 0.5":
            f, carried = f / 2, carried / 2
        if variant == "projected shortcuts":
            carried = norm(conv(x, f"{name}_shortcut", stride), f"{name}_shortcut_norm")
        if variant in GATED:
            gate = 1 / (1 + np.exp(-conv(x, f"{name}_gate", stride)))
            carried = (1 - gate) * carried
            f = gate * f if variant == "exclusive gate" else f
        if variant == "stochastic depth":
            f = f * ((name in kept) if training else probability)
        return relu(f + carried)

    unnormalised = variant in ("no normalisation", "branch scale")
    x = conv(x.astype("float64"), "stem_conv", 2)
    x = relu(x if unnormalised else norm(x, "stem_norm"))
    x = block(x, "stage1_block1", 1, 0.875)
    x = block(x, "stage1_block2", 1, 0.75)
    x = block(x, "stage2_block1", 2, 0.625)
    x = block(x, "stage2_block2", 1, 0.5)
    if variant == "pre-activation":
        x = relu(norm(x, "head_norm"))
    if variant == "relu-only pre-activation":
        x = relu(x)
    if variant == "dense head":
        x = x.reshape(len(x), -1) @ weights["dense1/kernel"] + weights["dense1/bias"]
        x = relu(x)
    else:
        x = x.mean((1, 2))
    return x @ weights["logits/kernel"] + weights["logits/bias"]


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "stochastic depth"])
def test_forward_equals_numpy(variant, float64):
    model, x = randomised(variant_network(14, variant)), image_batch()
    weights = values(model)
    for training in (False, True):
        expected = numpy_logits(weights, variant, x, training)
        np.testing.assert_allclose(model(x, training=training), expected, rtol=1e-9, atol=1e-9)


def test_stochastic_depth_equals_numpy(float64):
    model, x = randomised(variant_network(14, "stochastic depth")), image_batch()
    weights = values(model)
    logits = model(x, training=False)
    np.testing.assert_array_equal(model(x), logits)
    expected = numpy_logits(weights, "stochastic depth", x, training=False)
    np.testing.assert_allclose(logits, expected, rtol=1e-9, atol=1e-9)
    for kept in ([], BLOCKS, ["stage1_block2"], ["stage1_block1", "stage2_block1"]):
        choose(model, [float(name in kept) for name in BLOCKS])
        expected = numpy_logits(weights, "stochastic depth", x, training=True, kept=kept)
        np.testing.assert_allclose(model(x, training=True), expected, rtol=1e-9, atol=1e-9)


# -- Every variant ---------------------------------------------------------------------------------


def parameters(depth, variant):
    """Count the trainable parameters of a variant, as in a paper's appendix."""
    n = (depth - 2) // 6
    # (input width, inner width, output width) of each block.
    blocks = n * [(16, 8, 16)] + [(16, 16, 32)] + (n - 1) * [(32, 16, 32)]
    kernels = 9 * 16 + sum(a * b + 9 * b * b + b * c for a, b, c in blocks)
    channels = 16 + sum(2 * b + c for _, b, c in blocks)
    head = 32 * 10 + 10
    if variant == "dense head":
        head = 7 * 7 * 32 * 128 + 128 + 128 * 10 + 10
    if variant in ("no normalisation", "branch scale"):  # a bias in place of γ and β
        return kernels + channels + head + (2 * n if variant == "branch scale" else 0)
    extra = 0
    if variant in GATED:
        extra = sum(a * c + c for a, _, c in blocks)
    if variant == "projected shortcuts":
        extra = sum(a * c + 2 * c for a, _, c in blocks)
    # Pre-activation moves normalisations to other widths, and their sum stays.
    return kernels + 2 * channels + head + extra


def counted(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@pytest.mark.parametrize("variant", VARIANTS)
def test_shape_parameters_and_names(variant):
    model = built(variant)
    assert model.output_shape == (None, 10)
    assert model.output.dtype == "float32"
    assert counted(model) == parameters(14, variant)
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)
    wanted = {"image", "stem_conv", "stem_out", "logits"}
    wanted |= {f"{name}_{part}" for name in BLOCKS for part in ("conv1", "conv2", "conv3")}
    wanted |= {f"{name}_{part}" for name in BLOCKS for part in ("relu2", "branch", "out")}
    if variant != "no shortcut":
        wanted |= {f"{name}_add" for name in BLOCKS}
    if variant not in ("no normalisation", "branch scale"):
        wanted |= {"stem_norm"} | {f"{name}_norm{i}" for name in BLOCKS for i in (2, 3)}
    wanted |= {"dense1", "dense1_out"} if variant == "dense head" else {"pool"}
    part = {"branch scale": "scale", "stochastic depth": "survival"}.get(variant)
    part = "gate" if variant in GATED else part
    wanted |= {f"{name}_{part}" for name in BLOCKS if part}
    assert wanted <= set(names)
    assert list(segments(model)) == ["stem", *BLOCKS, "head"]


@pytest.mark.parametrize(
    ("variant", "depth"), [("pre-activation", 8), ("projected shortcuts", 20), ("baseline", 20)]
)
def test_parameters_of_other_depths(variant, depth):
    assert counted(variant_network(depth, variant)) == parameters(depth, variant)


@functools.cache
def first_weights(variant):
    reset_weights(built(variant, depth=8), 7)
    return values(built(variant, depth=8))


@pytest.mark.parametrize("variant", VARIANTS)
def test_first_weights_are_those_of_the_baseline(variant):
    ours = first_weights(variant)
    for path, value in first_weights("baseline").items():
        if path.endswith("kernel") and (variant, path) != ("dense head", "logits/kernel"):
            np.testing.assert_array_equal(ours[path], value)
    model = built(variant, depth=8)
    for variable in model.weights:
        variable.assign(variable + 1)
    reset_weights(model, 7)
    for path, value in values(model).items():
        np.testing.assert_array_equal(value, ours[path])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_addition_is_found_by_name(variant):
    if variant == "no shortcut":
        return
    parts = ["stage1_block1_out", "stage1_block2_branch", "stage1_block2_add", "stage1_block2_out"]
    model = with_outputs(randomised(built(variant)), parts)
    x, branch, added, out = (value.numpy() for value in model(image_batch()).values())
    if variant in ("shortcut times 0.5", "both times 0.5"):
        x = x / 2
    if variant not in (*GATED, "projected shortcuts"):
        np.testing.assert_allclose(added, branch + x, rtol=1e-5, atol=1e-5)
    if variant in ("pre-activation", "relu-only pre-activation", "relu before addition"):
        np.testing.assert_array_equal(out, added)
    elif variant != "norm after addition":
        np.testing.assert_array_equal(out, np.maximum(added, 0))


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_save_and_reload(variant, tmp_path):
    model, x = randomised(built(variant, depth=8)), image_batch()
    model.save(tmp_path / "net.keras")
    reloaded = keras.saving.load_model(tmp_path / "net.keras", safe_mode=True)
    assert type(reloaded) is type(model)
    assert [layer.name for layer in reloaded.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(reloaded(x), model(x))
    if variant == "stochastic depth":
        for each in (model, reloaded):
            reset_weights(each, 1)
        np.testing.assert_array_equal(reloaded(x, training=True), model(x, training=True))


def has_no_gradient_at_first(variant, path):
    """Tell which weights get none at the start, since the branch is multiplied by 0."""
    inside = "block" in path
    if variant == "zero last gamma":
        return inside and "norm3" not in path
    return variant == "branch scale" and inside and "scale" not in path


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_gradient_reaches_all_weights_that_it_should(variant):
    model = variant_network(8, variant)
    if variant == "stochastic depth":
        choose(model, [1.0, 1.0], ["stage1_block1", "stage2_block1"])
    reset_weights(model, 2)
    examples = small_data().train
    with tf.GradientTape() as tape:
        logits = model(examples.images, training=True)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(examples.labels, logits)
    for variable, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_weights), strict=True
    ):
        reached = gradient is not None and np.any(gradient)
        assert reached != has_no_gradient_at_first(variant, variable.path), variable.path


@pytest.mark.slow
def test_sweeps_take_variants():
    check_workers_find("build", variant_network)
    config = {"depth": 8, "variant": "shortcut-only gate"}
    (record,) = sweep(
        {"gate": config}, [0], small_data(), updates=2, batch_size=8, workers=1, progress=False,
        build=variant_network,
    )  # fmt: skip
    assert record.name == "gate"
    assert record.parameters == parameters(**config)


# -- How some of them start ------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["branch scale", "zero last gamma"])
@pytest.mark.parametrize("training", [False, True])
def test_blocks_that_start_as_the_identity(variant, training):
    reset_weights(built(variant), 0)
    outputs = with_outputs(built(variant), ["stem_out", *(f"{name}_out" for name in BLOCKS)])
    x, *rest = (value.numpy() for value in outputs(image_batch(), training=training).values())
    assert np.any(x > 0)
    for name, y in zip(BLOCKS, rest, strict=True):
        x = reference.pad_shortcut(x, 32, 2) if name == "stage2_block1" else x
        np.testing.assert_array_equal(y, np.maximum(x, 0))
        x = y


@pytest.mark.parametrize("variant", GATED)
def test_gates_start_nearly_open(variant):
    model = built(variant)
    reset_weights(model, 0)
    for name in BLOCKS:
        np.testing.assert_array_equal(model.get_layer(f"{name}_gate").bias, GATE_BIAS)
    assert 1 / (1 + np.exp(-GATE_BIAS)) < 0.003
    gates = with_outputs(model, [f"{name}_gate" for name in BLOCKS])(image_batch(8), training=True)
    for gate in gates.values():
        assert 0 < np.mean(gate) < 0.1
        assert np.median(gate) < 0.01


# -- Stochastic depth ------------------------------------------------------------------------------


def test_survival_falls_in_equal_steps(stochastic):
    assert [survival(stochastic, name).probability for name in BLOCKS] == [0.875, 0.75, 0.625, 0.5]


@pytest.mark.slow
def test_blocks_are_left_out_as_often_as_they_should(stochastic):
    reset_weights(stochastic, 0)
    step = tf.function(lambda images: stochastic(images, training=True))
    images, updates = tf.constant(image_batch(2)), 600
    norms = [stochastic.get_layer(f"{name}_norm1") for name in BLOCKS]
    means, kept = [norm.moving_mean.numpy() for norm in norms], []
    for _ in range(updates):
        step(images)
        now = [norm.moving_mean.numpy() for norm in norms]
        # A block that took part has moved its averages; at worst they stand still after a while,
        # so they are put back.
        kept.append([not np.array_equal(a, b) for a, b in zip(means, now, strict=True)])
        for norm, mean in zip(norms, means, strict=True):
            norm.moving_mean.assign(mean)
    kept = np.array(kept)
    probability = np.array([0.875, 0.75, 0.625, 0.5])
    deviation = np.sqrt(probability * (1 - probability) / updates)
    assert np.all(np.abs(kept.mean(0) - probability) < 4 * deviation)
    assert np.all(np.abs(np.corrcoef(kept.T) - np.eye(4)) < 4 / np.sqrt(updates))
    # Each draw is a new one.
    assert np.all(np.abs(np.mean(kept[1:] * kept[:-1], 0) - probability**2) < 0.1)
    depth_error = 3 * np.sqrt(np.sum(probability * (1 - probability)) / updates)
    assert abs(2 + 3 * kept.sum(1).mean() - expected_depth(14)) < 4 * depth_error


@pytest.mark.slow
def test_a_block_left_out_is_not_computed(stochastic):
    reset_weights(stochastic, 0)
    choose(stochastic, [1.0, 0.0, 1.0, 0.0])
    weights = stochastic.trainable_variables

    @tf.function(autograph=False)
    def gradients(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(stochastic(images, training=True) ** 2)
        return tape.gradient(loss, weights)

    before = values(stochastic)
    for weight, gradient in zip(weights, gradients(image_batch()), strict=True):
        left_out = "block2" in weight.path
        assert np.any(gradient) != left_out, weight.path
    after = values(stochastic)
    moved = {path for path in before if not np.array_equal(before[path], after[path])}
    assert moved == {path for path in before if "moving" in path and "block2" not in path}
    # Convolutions stand inside the conditions: outside there is only that of the stem.
    graph = gradients.get_concrete_function(image_batch()).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("Conv2D") == 1
    assert kinds.count("If") + kinds.count("StatelessIf") == 2 * len(BLOCKS)


@pytest.mark.slow
def test_a_seed_decides_which_blocks_are_left_out():
    trainer = Trainer(variant_network(8, "stochastic depth"), batch_size=8)
    first, again, other = (trainer.run(small_data(), seed, updates=8) for seed in (1, 1, 2))
    assert first.loss == again.loss
    for weights, same in zip(first.weights, again.weights, strict=True):
        np.testing.assert_array_equal(weights, same)
    assert first.loss[1:] != other.loss[1:]


def test_its_segments_leave_out_nothing_in_training(stochastic):
    reset_weights(stochastic, 0)
    x = image_batch()
    for part in segments(stochastic).values():
        x = part(x, training=True)
    choose(stochastic, [1.0] * 4)
    np.testing.assert_allclose(x, stochastic(image_batch(), training=True), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("depth", [8, 14, 56])
def test_expected_depth_equals_a_sum_over_blocks(depth):
    count = (depth - 2) // 3
    probabilities = [1 - 0.5 * number / count for number in range(1, count + 1)]
    assert expected_depth(depth) == pytest.approx(2 + 3 * sum(probabilities))
    assert expected_depth(depth) == pytest.approx(2 + 3 * (3 * count - 1) / 4)


# -- Mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: variant_network(8, "postactivation"), "variant .*gate.* Received: 'postactiv"),
        (lambda: variant_network(8, ["baseline"]), r"variant must be .* Received: \['baseline'\]"),
        (lambda: variant_network(9, "dense head"), r"depth must be 6n \+ 2 .*Received: 9"),
        (lambda: variant_network(9), r"depth must be 6n \+ 2 .*Received: 9"),
        (lambda: expected_depth(9), r"depth must be 6n \+ 2 .*Received: 9"),
        (lambda: Survival(1.5), "probability must be a .* from 0 to 1. Received: 1.5"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_every_variant_has_one_sentence():
    assert all(text.endswith(".") and text.count(". ") == 0 for text in VARIANTS.values())
    assert isinstance(built("stochastic depth"), SkippingModel)
