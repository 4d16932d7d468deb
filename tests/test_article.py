"""The article's network against its TensorFlow 1 graph, and each repair against a formula."""

import itertools
import os
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import reference
import tensorflow as tf
from weights import give, normal, parameters, randomised, values

from resnet_lesson.article import (
    CHANGING_WIDTHS,
    FIXES,
    IDENTITY_WIDTHS,
    Bias,
    article_block,
    article_network,
    tf1,
)
from resnet_lesson.data import load_mnist
from resnet_lesson.models import reset_weights, with_outputs
from resnet_lesson.training import train

BLOCKS = [f"block{number}" for number in range(1, 6)]
BLOCK_FIXES = [fix for fix in FIXES if fix not in ("one softmax", "average pooling")]
IMAGES = normal(8, 28, 28, 1)
X = normal(8, 6, 6, 16)
# Measured: no difference at all; another machine may order the additions differently.
FLOAT32 = {"rtol": 1e-5, "atol": 1e-6}


def block_model(widths, changing, fixes=(), stride=1, shape=(6, 6, 16)):
    inputs = keras.Input(shape)
    y = article_block(inputs, widths, changing=changing, stride=stride, fixes=fixes)
    return keras.Model(inputs, y)


@pytest.fixture(scope="module")
def written():
    return randomised(article_network())


@pytest.fixture(scope="module")
def repaired(written):
    """Each fix → the network with that repair alone, and otherwise the weights of ``written``."""
    weights = values(written)
    return {fix: give(randomised(article_network((fix,))), weights) for fix in FIXES}


# -- Against TensorFlow 1 --------------------------------------------------------------------------


def batches(number, size=8):
    """Yield batches, as a generator does that is read once."""
    generator = np.random.default_rng(7)
    for seed in range(number):
        one_hot = np.eye(10, dtype="float32")[generator.integers(0, 10, size)]
        yield normal(size, 28, 28, 1, seed=seed), one_hot


def trained_by_keras(model, batches, **options):
    """Return the weights after one update a batch, and the losses; the model keeps its own."""
    start = values(model)
    optimizer = keras.optimizers.Adam(**options)
    optimizer.build(model.trainable_variables)
    losses = []
    for images, labels in batches:
        with tf.GradientTape() as tape:
            outputs = model(images, training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, outputs))
        variables = [variable.value for variable in model.trainable_variables]
        optimizer.apply(tape.gradient(loss, variables), model.trainable_variables)
        losses.append(float(loss))
    trained = values(model)
    give(model, start)
    return trained, losses


def largest_difference(some, others):
    assert some.keys() == others.keys()
    return max(np.abs(some[path] - others[path]).max() for path in some)


def test_the_graph_leaves_tensorflow_2_as_it_was(written):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tf1.network_outputs(values(written), IMAGES)
        tf1.trained(values(written), batches(1))
    assert tf.executing_eagerly()
    assert tf.compat.v1.get_default_session() is None
    assert tf.compat.v1.resource_variables_enabled()


@pytest.mark.slow
def test_the_graph_is_silent_where_the_package_comes_first():
    """As in a lesson: TensorFlow, imported before it, would log that it has read a graph."""
    lines = [
        "from resnet_lesson.article import article_network, tf1",
        "import numpy as np",
        "weights = {w.path: w.numpy() for w in article_network().weights}",
        "batch = np.zeros((2, 28, 28, 1), 'float32'), np.eye(10)[:2]",
        "tf1.network_outputs(weights, batch[0])",
        "tf1.trained(weights, [batch])",
    ]
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_outputs_equal_those_of_tensorflow_1(written, repaired):
    outputs = tf1.network_outputs(values(written), IMAGES)
    np.testing.assert_allclose(written(IMAGES), outputs, **FLOAT32)
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-5)
    assert outputs.std(axis=0).min() > 1e-3
    # The comparison notices each repair, but for the stride, which is 1 in the article's network.
    for fix, model in repaired.items():
        difference = np.abs(model(IMAGES) - outputs).max()
        assert difference < 1e-6 if fix == "stride on both paths" else difference > 1e-3


def test_a_block_alone_equals_that_of_tensorflow_1():
    for widths in (IDENTITY_WIDTHS, CHANGING_WIDTHS, (4, 16, 5)):
        changing = widths != IDENTITY_WIDTHS
        model = randomised(block_model(widths, changing))
        outputs = tf1.block_outputs(values(model), X, changing=changing)
        np.testing.assert_allclose(model(X), outputs, **FLOAT32)


@pytest.mark.slow
def test_one_update_equals_that_of_tensorflow_1(written):
    """Measured: 3e-7 at most, where an update moves a weight by 3e-3."""
    expected, expected_losses = tf1.trained(values(written), batches(1))
    ours, losses = trained_by_keras(written, batches(1), learning_rate=3e-3, epsilon=1e-8)
    assert largest_difference(ours, expected) < 3e-6
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-6)
    assert largest_difference(expected, values(written)) == pytest.approx(3e-3, rel=1e-2)


@pytest.mark.slow
def test_three_updates_equal_those_of_tensorflow_1():
    """In float64: in float32, rounding flips a ReLU now and then, and a weight moves elsewhere.

    Measured for 16 choices of weights and images: 2e-6 at most. With Keras's own ε of 1e-7 it was
    5e-3 at least, since the two softmaxes leave many gradients smaller than that.
    """
    keras.config.set_dtype_policy("float64")
    try:
        model = randomised(article_network())
    finally:
        keras.config.set_dtype_policy("float32")
    assert {value.dtype for value in values(model).values()} == {np.dtype("float64")}
    # TensorFlow 1 keeps Adam's constants in float32, whatever the weights are.
    rate, beta_1, beta_2, epsilon, default = (
        float(np.float32(constant)) for constant in (3e-3, 0.9, 0.999, 1e-8, 1e-7)
    )
    options = {"learning_rate": rate, "beta_1": beta_1, "beta_2": beta_2}
    expected, expected_losses = tf1.trained(values(model), batches(3))
    ours, losses = trained_by_keras(model, batches(3), epsilon=epsilon, **options)
    assert largest_difference(ours, expected) < 1e-5
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-6)
    other, _ = trained_by_keras(model, batches(3), epsilon=default, **options)
    assert largest_difference(other, expected) > 1e-3
    assert keras.optimizers.Adam().epsilon == 1e-7


@pytest.mark.slow
def test_a_graph_gives_the_same_bits_twice_beside_a_trainer(written):
    inputs = keras.Input((28, 28, 1))
    logits = keras.layers.Dense(10)(keras.layers.Flatten()(inputs))
    data = load_mnist(train=16, val=0, test=0)
    train(keras.Model(inputs, logits), data, updates=1, batch_size=16, progress=False)
    # What TensorFlow 2 makes, while the graph is there, are batches, too.
    parts = map(np.array, zip(*batches(2), strict=True))
    dataset = tf.data.Dataset.from_tensor_slices(tuple(parts))
    first, again = (tf1.trained(values(written), given) for given in (batches(2), dataset))
    assert first[1] == again[1]
    assert largest_difference(first[0], again[0]) == 0


def test_what_cannot_be_built_cannot_be_built_in_tensorflow_1():
    fixes = ("own projection", "stride on both paths")
    for widths, stride in ((CHANGING_WIDTHS, 2), ((16, 12, 32), 1)):
        weights = values(block_model(widths, True, fixes, stride))
        with pytest.raises(ValueError):
            tf1.block_outputs(weights, X, "block", True, stride)
        with pytest.raises(ValueError, match="Received: "):
            block_model(widths, True, (), stride)


def test_weights_that_do_not_fit_are_named(written):
    weights = values(written)
    doubled = {"stem_conv/bias": weights["stem_conv/bias"].astype("float64")}
    for given, error, named in (
        ({"stem_conv/kernel": weights["stem_conv/kernel"]}, KeyError, "stem_conv/bias"),
        (weights | {"logits/kernel": np.zeros((3, 10), "float32")}, ValueError, "128 and 3"),
        (weights | doubled, TypeError, "float64 that does not match type float32"),
    ):
        with pytest.raises(error, match=named):
            tf1.network_outputs(given, IMAGES)


# -- As written ------------------------------------------------------------------------------------


def test_parameters_by_hand(written):
    stem = 3 * 3 * 1 * 16 + 16
    # Three convolutions with their biases, and the bias after the addition.
    identity = (16 * 8 + 8) + (9 * 8 * 8 + 8) + (8 * 16 + 16) + 16
    changing = (16 * 16 + 16) + (9 * 16 * 16 + 16) + (16 * 32 + 32) + 32
    dense = (7 * 7 * 32 * 128 + 128) + (128 * 10 + 10)
    assert written.count_params() == stem + 4 * identity + changing + dense == 208_970
    assert np.prod(written.get_layer("dense1").kernel.shape) == 200_704


def test_every_part_is_found_by_name(written):
    names = {layer.name for layer in written.layers}
    assert {"stem_conv", "stem_out", "pool1", "pool2", "flatten", "dense1", "logits"} <= names
    parts = ("conv1", "relu1", "conv2", "relu2", "conv3", "bias3", "relu3", "branch", "add", "out")
    assert {f"{block}_{part}" for block in BLOCKS for part in parts} <= names
    assert written.get_layer("block5_out").output.shape == (None, 14, 14, 32)


def test_parts_of_the_changing_block_add_up(written):
    names = ["block4_out", "block5_branch", "block5_shortcut", "block5_add", "block5_out"]
    outputs = with_outputs(written, names)(IMAGES)
    x, branch, shortcut, added, out = (outputs[name].numpy() for name in names)
    np.testing.assert_array_equal(added, branch + shortcut)
    kernel = written.get_layer("block5_conv3").kernel.numpy()[0, 0]
    np.testing.assert_allclose(shortcut, x @ kernel, rtol=1e-4, atol=1e-6)
    bias = written.get_layer("block5_bias_fin").bias
    np.testing.assert_allclose(out, np.maximum(added + bias, 0), rtol=1e-6)


def test_first_weights():
    model = article_network()
    reset_weights(model, 0)
    first = values(model)
    for path, value in first.items():
        if path.endswith("bias"):
            assert not value.any()
        elif path.startswith("block"):
            assert np.abs(value).max() < 0.2
    # A normal distribution that is cut at two standard deviations has 0.88 of the deviation.
    assert first["block5_conv2/kernel"].std() == pytest.approx(0.088, rel=0.05)
    assert first["dense1/kernel"].std() == pytest.approx(0.1, rel=0.01)
    assert first["stem_conv/kernel"].std() == pytest.approx(0.1, rel=0.25)
    assert np.abs(first["logits/kernel"]).max() > 0.2
    reset_weights(model, 1)
    kernels = [path for path in first if path.endswith("kernel")]
    assert not any(np.array_equal(first[path], values(model)[path]) for path in kernels)


@pytest.mark.slow
@pytest.mark.parametrize("fixes", [(), ("normalisation",), tuple(FIXES)])
def test_save_and_reload(fixes, tmp_path):
    model = randomised(article_network(fixes))
    model.save(tmp_path / "article.keras")
    reloaded = keras.saving.load_model(tmp_path / "article.keras", safe_mode=True)
    np.testing.assert_array_equal(reloaded(IMAGES), model(IMAGES))
    assert [layer.name for layer in reloaded.layers] == [layer.name for layer in model.layers]
    # A shared kernel is still shared.
    assert reloaded.count_params() == model.count_params()


# -- Each repair -----------------------------------------------------------------------------------

# What goes, what comes, and how many trainable parameters that makes.
NORMS = {f"{block}_norm{i}" for block in BLOCKS for i in (1, 2, 3)}
CHANNELS = 16 + 4 * sum(IDENTITY_WIDTHS) + sum(CHANGING_WIDTHS) + 32
DENSE = (7 * 7 * 32 * 128 + 128) + (128 - 32) * 10
CHANGES = {
    "one softmax": ({"outputs"}, set(), 0),
    "own projection": (set(), set(), 16 * 32),
    "add before relu": ({f"{block}_relu3" for block in BLOCKS}, set(), 0),
    "stride on both paths": (set(), set(), 0),
    "one bias": ({f"{block}_bias_fin" for block in BLOCKS}, set(), -(4 * 16 + 32)),
    "average pooling": ({"pool2", "flatten", "dense1", "dense1_out"}, {"pool"}, -DENSE),
    "normalisation": (set(), NORMS | {"stem_norm", "block5_shortcut_norm"}, 2 * CHANNELS),
}


def test_a_fix_changes_what_it_says_and_nothing_else(written, repaired):
    for fix, (gone, new, added) in CHANGES.items():
        before, after = (
            {layer.name: layer for layer in model.layers} for model in (written, repaired[fix])
        )
        assert before.keys() - after.keys() == gone
        assert after.keys() - before.keys() == new
        assert parameters(repaired[fix]) - parameters(written) == added
        both = before.keys() & after.keys()
        changed = [name for name in both if before[name].get_config() != after[name].get_config()]
        assert changed == (["block5_shortcut"] if fix == "own projection" else [])
    assert CHANGES.keys() == FIXES.keys()


def by_formula(model, x, changing, stride, fixes):
    """Compute a block's output in NumPy, in evaluation mode."""
    weights = {path.removeprefix("block_"): value for path, value in values(model).items()}
    net = reference.Layers(weights)
    y = reference.relu(net.norm(net.weigh(x, "conv1", stride), "norm1"))
    y = reference.relu(net.norm(net.weigh(y, "conv2"), "norm2"))
    y = net.norm(net.weigh(y, "conv3") + weights["bias3/bias"], "norm3")
    if "add before relu" not in fixes:
        y = reference.relu(y)
    if changing:
        kernel = weights["shortcut/kernel" if "own projection" in fixes else "conv3/kernel"]
        step = stride if "stride on both paths" in fixes else 1
        x = net.norm(reference.conv2d(x, kernel, step), "shortcut_norm")
    return reference.relu(y + x + (0 if "one bias" in fixes else weights["bias_fin/bias"]))


# Every choice of repairs that a block can have; two are for the shortcut of a changing one.
REPAIRS = [
    (changing, fixes)
    for changing in (False, True)
    for length in range(len(BLOCK_FIXES) + 1)
    for fixes in itertools.combinations(BLOCK_FIXES, length)
    if changing or not {"own projection", "stride on both paths"} & set(fixes)
]


@pytest.mark.parametrize(("changing", "fixes"), REPAIRS)
def test_a_repaired_block_equals_numpy(changing, fixes):
    widths = CHANGING_WIDTHS if changing else IDENTITY_WIDTHS
    stride = 2 if changing and "stride on both paths" in fixes else 1
    model = randomised(block_model(widths, changing, fixes, stride, shape=(5, 4, 16)))
    x = normal(2, 5, 4, 16)
    expected = by_formula(model, x, changing, stride, fixes)
    np.testing.assert_allclose(model(x, training=False), expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 0.05
    assert ("block_norm1/gamma" in values(model)) == ("normalisation" in fixes)


@pytest.mark.parametrize("fixes", [(), tuple(FIXES)])
def test_without_shortcuts_each_block_is_its_branch(fixes, written):
    model = randomised(article_network(fixes, shortcut=False))
    parts = [f"{block}_{part}" for block in BLOCKS for part in ("branch", "out")]
    outputs = with_outputs(model, parts)(IMAGES)
    for block in BLOCKS:
        added = 0 if fixes else model.get_layer(f"{block}_bias_fin").bias
        expected = tf.nn.relu(outputs[f"{block}_branch"] + added)
        np.testing.assert_array_equal(outputs[f"{block}_out"], expected)
    assert not [layer for layer in model.layers if "add" in layer.name or "short" in layer.name]
    if not fixes:  # the shared kernel still serves the branch
        assert model.count_params() == written.count_params()


def test_one_softmax_leaves_it_to_the_loss(written, repaired):
    logits = repaired["one softmax"](IMAGES)
    np.testing.assert_allclose(tf.nn.softmax(logits), written(IMAGES), rtol=1e-5)


def test_average_pooling_is_one_dense_layer_on_the_mean_of_all_pixels():
    model = randomised(article_network(("average pooling", "one softmax")))
    outputs = with_outputs(model, ["block5_out", "logits"])(IMAGES)
    kernel, bias = model.get_layer("logits").get_weights()
    expected = outputs["block5_out"].numpy().mean(axis=(1, 2)) @ kernel + bias
    np.testing.assert_allclose(outputs["logits"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(model(IMAGES), outputs["logits"])


def test_a_shared_kernel_gets_the_gradients_of_both_its_uses(written):
    own = give(article_network(("own projection",)), values(written))
    own.get_layer("block5_shortcut").set_weights([written.get_layer("block5_conv3").kernel])
    np.testing.assert_array_equal(own(IMAGES), written(IMAGES))

    def gradients(model, names):
        kernels = [model.get_layer(name).kernel.value for name in names]
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(IMAGES) ** 2)
        return [gradient.numpy() for gradient in tape.gradient(loss, kernels)]

    (both,) = gradients(written, ["block5_conv3"])
    branch, shortcut = gradients(own, ["block5_conv3", "block5_shortcut"])
    assert min(np.abs(branch).max(), np.abs(shortcut).max()) > 1e-3
    np.testing.assert_allclose(both, branch + shortcut, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("changing", [False, True])
@pytest.mark.parametrize("before", [True, False])
def test_the_two_biases_add_up_if_no_relu_is_between_them(changing, before):
    widths = CHANGING_WIDTHS if changing else IDENTITY_WIDTHS
    fixes = ("add before relu",) if before else ()
    model = randomised(block_model(widths, changing, fixes))
    single = give(block_model(widths, changing, (*fixes, "one bias")), values(model))
    y = model(X).numpy()
    third, last = model.get_layer("block_bias3").bias, model.get_layer("block_bias_fin").bias
    single.get_layer("block_bias3").bias.assign(third + last)
    third.assign(third + last)
    last.assign(0 * last)
    np.testing.assert_array_equal(model(X), single(X))
    difference = np.abs(model(X) - y).max()
    assert difference < 1e-6 if before else difference > 1e-2


def test_biases_before_a_normalisation_do_nothing_in_training():
    model = randomised(article_network(("normalisation", "one softmax")))
    y = model(IMAGES, training=True).numpy()
    for layer in model.layers:
        if layer.name.endswith(("_conv", "_conv1", "_conv2", "_bias3")):
            layer.bias.assign(layer.bias + 0.3)
    np.testing.assert_allclose(model(IMAGES, training=True), y, rtol=1e-3, atol=1e-3)
    layer = model.get_layer("block1_bias_fin")  # this one comes after all normalisations
    layer.bias.assign(layer.bias + 0.3)
    assert np.abs(model(IMAGES, training=True) - y).max() > 1e-1


def test_the_shortcut_follows_the_stride_where_it_is_told_to():
    fixes = ("stride on both paths",)
    assert block_model(CHANGING_WIDTHS, True, fixes, 2, (7, 6, 16)).output_shape[1:] == (4, 3, 32)
    assert block_model((4, 4, 8), True, ("own projection",)).output_shape[1:] == (6, 6, 8)
    assert block_model((16, 8, 32), True, ("own projection",)).output_shape[1:] == (6, 6, 32)


# -- Errors ----------------------------------------------------------------------------------------


def test_paths_that_end_in_different_shapes():
    own = ("own projection",)
    for arguments, message in (
        ((CHANGING_WIDTHS, True, (), 2), r"stride is on the branch alone.*widths=.*, stride=2"),
        ((CHANGING_WIDTHS, True, own, 2), r"branch \(3, 3, 32\), shortcut \(6, 6, 32\)"),
        ((IDENTITY_WIDTHS, False, (*own, "stride on both paths"), 2), r"branch \(3, 3, 16\)"),
        (((8, 8, 32), False), r"identity cannot change the width.*shortcut \(6, 6, 16\)"),
        (((16, 8, 32), True), r"widths must have 16 .*\(1, 1, 8, 32\).*Received: \(16, 8, 32\)"),
    ):
        with pytest.raises(ValueError, match=message):
            block_model(*arguments)


def test_bias_by_hand():
    layer, x, bias = Bias(), normal(2, 3, 3, 4), np.array([1, 2, 3, 4], "float32")
    np.testing.assert_array_equal(layer(x), x)
    layer.set_weights([bias])
    np.testing.assert_array_equal(layer(x), x + bias)
    assert layer.trainable_variables[0].shape == (4,)
