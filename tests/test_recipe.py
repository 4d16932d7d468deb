"""The recipe for MNIST: its network, its distortions, its command, and the shipped model."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from resnet_lesson import recipe
from resnet_lesson.data import load_mnist
from resnet_lesson.diagnostics import layer_counts
from resnet_lesson.recipe import __main__ as command
from resnet_lesson.studies import read_study
from resnet_lesson.training import evaluate

STILL = {"turn": 0, "scale": 0, "shear": 0, "shift": 0}


def ink(images):
    """Return each image's weight of ink and its centre, (n,), (n, 2)."""
    weight = np.asarray(images)[..., 0] - recipe.BACKGROUND
    total = weight.sum(axis=(1, 2))
    y, x = np.mgrid[:28, :28]
    return total, np.stack([(weight * x).sum((1, 2)), (weight * y).sum((1, 2))], 1) / total[:, None]


@pytest.fixture(scope="module")
def images():
    return load_mnist(train=64, val=0, test=0).train.images


def test_network_has_the_parameters_that_a_count_by_hand_gives():
    net = recipe.small_network()
    convolutions = 25 * 16 + 2 * (9 * 16 * 16) + 9 * 16 * 32 + 3 * (9 * 32 * 32) + 16 * 32
    norms, dense = 2 * (3 * 16 + 4 * 32), 32 * 10 + 10
    trainable = sum(int(np.prod(v.shape)) for v in net.trainable_variables)
    assert trainable == convolutions + norms + dense <= 40_000
    assert sum(row.parameters for row in layer_counts(net)) == trainable
    assert net.output_shape == (None, 10)


def test_blocks_start_as_their_shortcuts():
    net = recipe.small_network()
    parts = ("block1_branch", "stem_pool", "block1_out")
    model = tf.keras.Model(net.input, [net.get_layer(part).output for part in parts])
    branch, before, after = model(np.random.default_rng(0).normal(size=(4, 28, 28, 1)))
    assert np.all(branch == 0)
    np.testing.assert_array_equal(before, after)


def test_without_distortion_an_image_stays(images):
    np.testing.assert_allclose(recipe.distort(images, [0, 0], **STILL), images, atol=1e-5)


def test_a_shift_moves_the_ink_and_keeps_it(images):
    moved = recipe.distort(images, [0, 0], **(STILL | {"shift": 2}))
    (before, was), (after, now) = ink(images), ink(moved)
    np.testing.assert_allclose(after, before, rtol=0.05)
    steps = now - was
    assert np.abs(steps).max() <= 2.05 and np.ptp(steps[:, 0]) > 2 and np.ptp(steps[:, 1]) > 2


def test_turns_and_scales_are_about_the_middle():
    cross = np.full((64, 28, 28, 1), recipe.BACKGROUND, "float32")
    cross[:, 13:15, 6:22] = cross[:, 6:22, 13:15] = 2.8
    for options in ({"turn": 20}, {"scale": 0.2}, {"shear": 0.3}):
        _, centre = ink(recipe.distort(cross, [1, 2], **(STILL | options)))
        np.testing.assert_allclose(centre, 13.5, atol=0.05)


def test_the_largest_angle_is_as_asked_for():
    """The direction of a bar's ink, by its moments, turns by so much and no more."""
    bar = np.full((256, 28, 28, 1), recipe.BACKGROUND, "float32")
    bar[:, 13:15, 4:24] = 2.8
    y, x = np.mgrid[:28, :28] - 13.5
    for turn in (0, 10, 20):
        turned = np.asarray(recipe.distort(bar, [0, 0], **(STILL | {"turn": turn})))
        weight = turned[..., 0] - recipe.BACKGROUND
        xx, yy, xy = ((weight * product).sum((1, 2)) for product in (x * x, y * y, x * y))
        angle = np.degrees(0.5 * np.arctan2(2 * xy, xx - yy))
        assert np.abs(angle).max() <= turn + 0.5
        assert np.ptp(angle) >= 1.8 * turn - 0.5


def test_distortions_depend_on_the_seed_and_differ_between_images(images):
    same = np.repeat(images[:1], 8, axis=0)
    first, again, other = (recipe.distort(same, [0, s]).numpy() for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert all(not np.allclose(first[0], one) for one in first[1:])


def test_the_recipe_is_the_study_s():
    record = read_study("08_small_network")
    settings, results = record["settings"], record["results"]
    assert {name: settings[name] for name in recipe.RECIPE} == recipe.RECIPE
    chosen = settings["candidates"][results["chosen"]]
    assert chosen["distortion"] == recipe.DISTORTION
    blocks = tuple(tuple(block) for block in chosen["blocks"])
    assert recipe.small_network(blocks).count_params() == recipe.small_network().count_params()
    assert not set(settings["seeds"]) & set(settings["candidate_seeds"])
    assert [run["seed"] for run in results["final"]] == settings["seeds"]


@pytest.mark.slow
def test_the_shipped_model_is_the_record_s_first():
    net = recipe.trained_network()
    test = load_mnist(train=0, val=0).test
    _, accuracy = evaluate(net.predict(test.images, batch_size=500, verbose=0), test.labels)
    recorded = read_study("08_small_network")["results"]["final"][0]["test_accuracy"]
    assert abs(accuracy - recorded) <= 5 / 10_000  # rounding on another machine


def test_a_distortion_that_there_is_not_is_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'twist'"):
        recipe.train_recipe(load_mnist(128, 0, 0), distortion={"twist": 1}, progress=False)


@pytest.mark.slow
def test_the_command_trains_and_saves(tmp_path):
    saved = tmp_path / "net.keras"
    found = subprocess.run(
        [sys.executable, "-m", "resnet_lesson.recipe", "--epochs", "1", "--save", saved],
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0 and "parameters" in found.stdout, found.stderr
    accuracy = float(found.stdout.split("training: ")[1].split("%")[0])
    assert accuracy > 97 and saved.is_file()


@pytest.mark.parametrize(
    "option, value",
    [("--save", "net.h5"), ("--save", "no/folder/net.keras"), ("--epochs", "0"), ("--seed", "-1")],
)
def test_the_command_refuses_in_a_sentence(option, value, monkeypatch):
    monkeypatch.setattr(command, "one_thread_an_operation", lambda: None)
    monkeypatch.setattr(sys, "argv", ["recipe", option, value])
    with pytest.raises(SystemExit, match=f"{option.strip('-')} must .*Received: "):
        command.main()
