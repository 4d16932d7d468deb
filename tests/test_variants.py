"""Variants against a network in NumPy, formulas, and what each of them promises of its start."""

import functools

import keras
import numpy as np
import pytest
import reference
import tensorflow as tf
from reference import relu
from weights import normal, parameters, randomised, values

from resnet_lesson.data import Dataset, Examples
from resnet_lesson.models import network, reset_weights, segments, with_outputs
from resnet_lesson.sweep import sweep
from resnet_lesson.training import Trainer
from resnet_lesson.variants import (
    GATE_BIAS,
    VARIANTS,
    SkippingModel,
    expected_depth,
    fade,
    variant_network,
    with_fading_shortcuts,
    without_shortcuts,
)

BLOCKS = [f"stage{stage}_block{number}" for stage in (1, 2) for number in (1, 2)]
SURVIVAL = [0.875, 0.75, 0.625, 0.5]  # falls in equal steps to LAST_SURVIVAL
GATED = ["exclusive gate", "shortcut-only gate"]
UNNORMALISED = ["no normalisation", "branch scale"]
IMAGES = normal(3, 28, 28, 1)

# Depth 14 has a block of each kind: the first, one that changes the shape, and others. Models are
# kept, for building them takes time; each test sets the weights that it needs.
built = functools.cache(lambda variant, depth=14: variant_network(depth, variant))


def small_data(n=16):
    labels = np.random.default_rng(0).integers(0, 10, n).astype("int32")
    nothing = Examples(normal(0, 28, 28, 1), labels[:0])
    return Dataset(Examples(normal(n, 28, 28, 1), labels), nothing, nothing)


@pytest.fixture
def float64():
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def stochastic():
    """The network with stochastic depth; its probabilities are put back."""
    yield built("stochastic depth")
    choose(built("stochastic depth"), SURVIVAL)


def choose(model, probabilities):
    for name, probability in zip(BLOCKS, probabilities, strict=True):
        model.get_layer(f"{name}_survival").probability = probability


def test_the_baseline_is_the_network_of_the_other_lessons():
    networks = built("baseline"), variant_network(14, name="default"), network(14)
    for model in networks:
        reset_weights(model, 5)
        np.testing.assert_array_equal(model(IMAGES), networks[0](IMAGES))
    assert networks[1].name == "default"


# -- The forward pass, once more in NumPy ----------------------------------------------------------


def numpy_logits(weights, variant, x, training, kept=()):
    """Compute the logits of a variant of depth 14 from the values of its weights.

    ``kept``: with stochastic depth in training, the blocks that take part.
    """
    net = reference.Layers(weights, training)

    def branch(x, name, stride):
        """Return F(x), without what comes after the addition."""

        def conv(i, f):
            return net.weigh(f, f"{name}_conv{i}", stride if i == 1 else 1)

        def norm(i, f):
            return net.norm(f, f"{name}_norm{i}")

        if variant == "pre-activation":  # the first block has no norm1: the stem has it
            f = conv(1, relu(norm(1, x)))
            f = conv(2, relu(norm(2, f)))
            return conv(3, relu(norm(3, f)))
        if variant == "relu-only pre-activation":
            f = norm(1, conv(1, relu(x)))
            f = norm(2, conv(2, relu(f)))
            return norm(3, conv(3, relu(f)))
        f = relu(norm(1, conv(1, x)))
        f = relu(norm(2, conv(2, f)))
        f = conv(3, f) if variant == "norm after addition" else norm(3, conv(3, f))
        return relu(f) if variant == "relu before addition" else f

    def block(x, name, stride, probability):
        f = branch(x, name, stride)
        carried = reference.pad_shortcut(x, 32, 2) if stride == 2 else x
        if variant == "no shortcut":
            carried = 0
        if variant == "branch scale":
            f = weights[f"{name}_scale/scale"] * f
        if variant in ("shortcut times 0.5", "both times 0.5"):
            carried = carried / 2
            f = f / 2 if variant == "both times 0.5" else f
        if variant == "projected shortcuts":
            carried = net.norm(net.weigh(x, f"{name}_shortcut", stride), f"{name}_shortcut_norm")
        if variant in GATED:
            gate = 1 / (1 + np.exp(-net.weigh(x, f"{name}_gate", stride)))
            carried = (1 - gate) * carried
            f = gate * f if variant == "exclusive gate" else f
        if variant == "stochastic depth":
            f = f * ((name in kept) if training else probability)
        y = f + carried
        if variant == "norm after addition":
            y = net.norm(y, f"{name}_norm3")
        nothing_after = ("pre-activation", "relu-only pre-activation", "relu before addition")
        return y if variant in nothing_after else relu(y)

    x = relu(net.norm(net.weigh(x.astype("float64"), "stem_conv", 2), "stem_norm"))
    for name, stride, probability in zip(BLOCKS, (1, 1, 2, 1), SURVIVAL, strict=True):
        x = block(x, name, stride, probability)
    if variant in ("pre-activation", "relu-only pre-activation"):
        x = relu(net.norm(x, "head_norm"))
    if variant == "dense head":
        x = relu(net.weigh(x.reshape(len(x), -1), "dense1"))
    else:
        x = x.mean((1, 2))
    return net.weigh(x, "logits")


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "stochastic depth"])
def test_forward_equals_numpy(variant):
    model = randomised(built(variant))
    weights = values(model)
    for training in (False, True):
        expected = numpy_logits(weights, variant, IMAGES, training)
        np.testing.assert_allclose(model(IMAGES, training=training), expected, rtol=1e-4, atol=1e-4)


def test_stochastic_depth_equals_numpy(float64):
    model = randomised(variant_network(14, "stochastic depth"))
    weights = values(model)
    logits = model(IMAGES, training=False)
    np.testing.assert_array_equal(model(IMAGES), logits)
    expected = numpy_logits(weights, "stochastic depth", IMAGES, training=False)
    np.testing.assert_allclose(logits, expected, rtol=1e-9, atol=1e-9)
    for kept in ([], BLOCKS, ["stage1_block2"], ["stage1_block1", "stage2_block1"]):
        choose(model, [float(name in kept) for name in BLOCKS])
        expected = numpy_logits(weights, "stochastic depth", IMAGES, training=True, kept=kept)
        np.testing.assert_allclose(model(IMAGES, training=True), expected, rtol=1e-9, atol=1e-9)


# -- Every variant ---------------------------------------------------------------------------------


def formula(depth, variant):
    """Count the trainable parameters of a variant, as in a paper's appendix."""
    n = (depth - 2) // 6
    # (input width, inner width, output width) of each block.
    blocks = n * [(16, 8, 16)] + [(16, 16, 32)] + (n - 1) * [(32, 16, 32)]
    kernels = 9 * 16 + sum(a * b + 9 * b * b + b * c for a, b, c in blocks)
    channels = 16 + sum(2 * b + c for _, b, c in blocks)
    head = 32 * 10 + 10
    if variant == "dense head":
        head = 7 * 7 * 32 * 128 + 128 + 128 * 10 + 10
    extra = 2 * n if variant == "branch scale" else 0
    if variant in GATED:
        extra = sum(a * c + c for a, _, c in blocks)
    if variant == "projected shortcuts":
        extra = sum(a * c + 2 * c for a, _, c in blocks)
    # Pre-activation moves normalisations to other widths, and their sum stays.
    per_channel = 1 if variant in UNNORMALISED else 2  # a bias, or γ and β
    return kernels + per_channel * channels + head + extra


@pytest.mark.parametrize("variant", VARIANTS)
def test_shape_parameters_and_names(variant):
    model = built(variant)
    assert model.output_shape == (None, 10)
    assert model.output.dtype == "float32"
    assert parameters(model) == formula(14, variant)
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)
    parts = ["conv1", "conv2", "conv3", "relu2", "branch", "out"]
    parts += ["add"] if variant != "no shortcut" else []
    parts += ["norm2", "norm3"] if variant not in UNNORMALISED else []
    parts += {"branch scale": ["scale"], "stochastic depth": ["survival"]}.get(variant, [])
    parts += ["gate"] if variant in GATED else []
    wanted = {"image", "stem_conv", "stem_out", "logits"}
    wanted |= {f"{name}_{part}" for name in BLOCKS for part in parts}
    wanted |= {"stem_norm"} if variant not in UNNORMALISED else set()
    wanted |= {"dense1", "dense1_out"} if variant == "dense head" else {"pool"}
    assert wanted <= set(names)
    assert list(segments(model)) == ["stem", *BLOCKS, "head"]


def test_parameters_of_other_depths():
    for variant, depth in (("pre-activation", 8), ("projected shortcuts", 20)):
        assert parameters(built(variant, depth)) == formula(depth, variant)


@functools.cache
def first_weights(variant):
    reset_weights(built(variant), 7)
    return values(built(variant))


@pytest.mark.parametrize("variant", VARIANTS)
def test_first_weights_are_those_of_the_baseline(variant):
    ours = first_weights(variant)
    for path, value in first_weights("baseline").items():
        if path.endswith("kernel") and (variant, path) != ("dense head", "logits/kernel"):
            np.testing.assert_array_equal(ours[path], value)
    model = built(variant)
    for variable in model.weights:
        variable.assign(variable + 1)
    reset_weights(model, 7)
    for path, value in values(model).items():
        np.testing.assert_array_equal(value, ours[path])


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "no shortcut"])
def test_the_addition_is_found_by_name(variant):
    parts = ["stage1_block1_out", *(f"stage1_block2_{end}" for end in ("branch", "add", "out"))]
    outputs = with_outputs(randomised(built(variant)), parts)(IMAGES)
    x, branch, added, out = (value.numpy() for value in outputs.values())
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
    model, x = randomised(built(variant, depth=8)), IMAGES
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
    model = built(variant)
    reset_weights(model, 2)
    if variant == "stochastic depth":
        choose(model, [1.0] * 4)
    examples = small_data().train
    with tf.GradientTape() as tape:
        logits = model(examples.images, training=True)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(examples.labels, logits)
    gradients = tape.gradient(loss, model.trainable_weights)
    for variable, gradient in zip(model.trainable_weights, gradients, strict=True):
        reached = gradient is not None and np.any(gradient)
        assert reached != has_no_gradient_at_first(variant, variable.path), variable.path
    if variant == "stochastic depth":
        choose(model, SURVIVAL)


@pytest.mark.slow
def test_sweeps_take_variants():
    config = {"depth": 8, "variant": "shortcut-only gate"}
    options = {"updates": 2, "batch_size": 8, "progress": False, "build": variant_network}
    (record,) = sweep({"gate": config}, [0], small_data(), workers=1, **options)
    assert record.name == "gate"
    assert record.parameters == formula(**config)


# -- How some of them start ------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["branch scale", "zero last gamma"])
@pytest.mark.parametrize("training", [False, True])
def test_blocks_that_start_as_the_identity(variant, training):
    reset_weights(built(variant), 0)
    outputs = with_outputs(built(variant), ["stem_out", *(f"{name}_out" for name in BLOCKS)])
    x, *rest = (value.numpy() for value in outputs(IMAGES, training=training).values())
    assert np.any(x > 0)
    for name, y in zip(BLOCKS, rest, strict=True):
        x = reference.pad_shortcut(x, 32, 2) if name == "stage2_block1" else x
        np.testing.assert_array_equal(y, np.maximum(x, 0))
        x = y


@pytest.mark.parametrize("variant", GATED)
def test_gates_start_nearly_open(variant):
    model = built(variant)
    reset_weights(model, 0)
    assert 1 / (1 + np.exp(-GATE_BIAS)) < 0.003
    names = [f"{name}_gate" for name in BLOCKS]
    for name, gate in with_outputs(model, names)(IMAGES, training=True).items():
        np.testing.assert_array_equal(model.get_layer(name).bias, GATE_BIAS)
        assert 0 < np.mean(gate) < 0.1
        assert np.median(gate) < 0.01


# -- Stochastic depth ------------------------------------------------------------------------------


def test_survival_falls_in_equal_steps(stochastic):
    found = [stochastic.get_layer(f"{name}_survival").probability for name in BLOCKS]
    assert found == SURVIVAL


@pytest.mark.slow
def test_blocks_are_left_out_as_often_as_they_should(stochastic):
    reset_weights(stochastic, 0)
    step = tf.function(lambda images: stochastic(images, training=True))
    images, updates = tf.constant(IMAGES[:2]), 600
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
    probability = np.array(SURVIVAL)
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
    for weight, gradient in zip(weights, gradients(IMAGES), strict=True):
        left_out = "block2" in weight.path
        assert np.any(gradient) != left_out, weight.path
    after = values(stochastic)
    moved = {path for path in before if not np.array_equal(before[path], after[path])}
    assert moved == {path for path in before if "moving" in path and "block2" not in path}
    # Convolutions stand inside the conditions: outside there is only that of the stem.
    graph = gradients.get_concrete_function(IMAGES).graph
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
    x = IMAGES
    for part in segments(stochastic).values():
        x = part(x, training=True)
    choose(stochastic, [1.0] * 4)
    np.testing.assert_allclose(x, stochastic(IMAGES, training=True), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("depth", [8, 14, 56])
def test_expected_depth_equals_a_sum_over_blocks(depth):
    count = (depth - 2) // 3
    probabilities = [1 - 0.5 * number / count for number in range(1, count + 1)]
    assert expected_depth(depth) == pytest.approx(2 + 3 * sum(probabilities))
    assert expected_depth(depth) == pytest.approx(2 + 3 * (3 * count - 1) / 4)


def test_every_variant_has_one_sentence():
    assert all(text.endswith(".") and text.count(". ") == 0 for text in VARIANTS.values())
    assert isinstance(built("stochastic depth"), SkippingModel)


def test_no_such_depth():
    for make in (variant_network, expected_depth):
        with pytest.raises(ValueError, match=r"depth must be 6n \+ 2 .*Received: 9"):
            make(9)


# -- Shortcuts that fade ---------------------------------------------------------------------------


@pytest.mark.parametrize("block", ["bottleneck", "basic"])
def test_shortcuts_fade_from_residual_to_plain(block):
    config = {"block": block, "depth": {"bottleneck": 14, "basic": 10}[block]}
    residual, plain = network(**config), network(shortcut="none", **config)
    fading = with_fading_shortcuts(residual)
    for model in (residual, plain, fading):
        reset_weights(model, 3)
    scale = fading.get_layer("shortcut_scale").scale
    assert scale.numpy() == 1 and not scale.trainable
    np.testing.assert_array_equal(fading(IMAGES), residual(IMAGES))
    scale.assign(0)
    exported = without_shortcuts(fading)
    for training in (False, True):
        expected = plain(IMAGES, training=training)
        np.testing.assert_array_equal(fading(IMAGES, training=training), expected)
        np.testing.assert_array_equal(exported(IMAGES, training=training), expected)
    assert not any(isinstance(layer, keras.layers.Add) for layer in exported.layers)
    scale.assign(0.5)
    assert np.any(fading(IMAGES) != plain(IMAGES)) and np.any(fading(IMAGES) != residual(IMAGES))


def test_a_network_whose_shortcuts_fade_can_be_trained():
    data = small_data(32)
    fading = with_fading_shortcuts(network(8))
    scale, found = fading.get_layer("shortcut_scale").scale, []
    trainer, lower = Trainer(fading, 16), fade(fading, 1, 3)
    run = trainer.run(data, 0, 4, on_update=lambda: found.append((lower(), float(scale))[1]))
    assert found == [1, 0.5, 0, 0] and np.isfinite(run.loss).all()
    np.testing.assert_array_equal(without_shortcuts(fading)(IMAGES), fading(IMAGES, training=False))
    with pytest.raises(ValueError, match=r"start must come before end. Received: 3 and 3"):
        fade(fading, 3, 3)
    again = trainer.run(data, 0, 4)  # λ starts at 1 again, and stays there
    assert scale.numpy() == 1 and again.loss[0] == run.loss[0] and again.loss[2] != run.loss[2]
