"""MNIST as shipped, Fashion-MNIST as Keras has it: whole, verified, split without overlap."""

import pickle
import shutil

import keras
import numpy as np
import pytest
from bad_values import Exploding
from hypothesis import given
from hypothesis import strategies as st

from resnet_lesson import data
from resnet_lesson import mnist as published
from resnet_lesson.mnist import raw_fashion_mnist, raw_mnist

SHIPPED = published.MNIST_FILE


def as_bytes(images):
    return {image.tobytes() for image in images}


@pytest.mark.slow
def test_pixel_constants_are_those_of_the_training_set():
    pixels = raw_mnist()["x_train"] / 255
    assert data.PIXEL_MEAN == pytest.approx(pixels.mean(), rel=1e-12)
    assert data.PIXEL_STD == pytest.approx(pixels.std(), rel=1e-12)


def test_standardise_against_the_definition():
    raw = raw_mnist()["x_test"][:50]
    expected = (raw / 255 - data.PIXEL_MEAN) / data.PIXEL_STD
    images = data.standardise(raw)
    assert images.dtype == np.float32
    assert images.shape == (50, 28, 28, 1)
    np.testing.assert_allclose(images[..., 0], expected, atol=1e-6)


@pytest.fixture(scope="module")
def whole():
    return data.load_mnist()


def test_default_sets(whole):
    assert [len(part) for part in whole] == [55000, 5000, 10000]
    for part in whole:
        assert part.images.dtype == np.float32
        assert part.labels.dtype == np.int32
        assert part.images.shape == (len(part), 28, 28, 1)
    raw = raw_mnist()
    np.testing.assert_array_equal(whole.test.labels, raw["y_test"])
    np.testing.assert_array_equal(whole.test.images, data.standardise(raw["x_test"]))


def test_training_and_validation_images_come_from_the_training_set_and_do_not_overlap(whole):
    train, val, test = map(as_bytes, (part.images for part in whole))
    everything = as_bytes(data.standardise(raw_mnist()["x_train"]))
    assert len(train | val) == len(everything) == 60000  # MNIST's training set repeats no image
    assert not train & val
    assert not val & test


def test_validation_set_does_not_depend_on_the_size_of_the_training_set():
    small, large = data.load_mnist(train=100, val=500), data.load_mnist(train=20000, val=500)
    np.testing.assert_array_equal(small.val.images, large.val.images)


def test_seed_decides_everything():
    first, again, other = (data.load_mnist(train=200, val=100, test=50, seed=s) for s in (1, 1, 2))
    for part, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(part.images, same.images)
        np.testing.assert_array_equal(part.labels, same.labels)
        assert not np.array_equal(part.images, different.images)


@given(
    labels=st.lists(st.integers(0, 5), max_size=200),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_stratified_indices(labels, share, seed):
    n = int(share * len(labels))
    chosen = data.stratified_indices(labels, n, seed)
    labels = np.array(labels, dtype=int)
    assert len(chosen) == len(set(chosen)) == n
    fair, parts = np.divmod(np.bincount(labels) * n, max(1, len(labels)))
    more = np.bincount(labels[chosen], minlength=len(fair)) - fair
    assert set(more) <= {0, 1}
    # The places that remain go to those with the largest parts of a place.
    assert min(parts[more == 1], default=n) >= max(parts[more == 0], default=0)


def test_subsets_are_stratified():
    mnist = data.load_mnist(train=1000, val=500, test=1000)
    whole = np.bincount(raw_mnist()["y_train"]) / 60000
    for part in (mnist.train, mnist.val):
        np.testing.assert_allclose(np.bincount(part.labels) / len(part), whole, atol=1e-2)


def test_bad_arguments():
    for arguments, message in (
        ({"train": -1}, "train must be 0 or more. Received: -1"),
        ({"train": 55001}, "train must be between 0 and 55000. Received: 55001"),
        ({"val": 60001}, "val must be between 0 and 60000. Received: 60001"),
        ({"test": True}, "test must be a whole number. Received: True"),
    ):
        with pytest.raises((TypeError, ValueError), match=f"^{message}$"):
            data.load_mnist(**arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i, n: (i.astype("float64"), n), "images must be float32.*float64"),
        (lambda i, n: (i.astype("uint8"), n), "images must be float32.*uint8"),
        (lambda i, n: (i * np.float32("inf"), n), "images must be finite.*NaN or infinite"),
        (lambda i, n: (i.tolist(), n), "images must be a NumPy array"),
        (lambda i, n: (i, n.astype("float32")), "labels must be int32 or.*float32"),
        (lambda i, n: (i, n.astype("uint8")), "labels must be int32 or.*: uint8"),
        (lambda i, n: (i[1:], n), r"labels must be of shape .*\(20,\), images of shape \(19,"),
        (lambda i, n: (i, n[:, None]), r"labels must be .*: \(20, 1\), images"),
    ],
)
def test_examples_that_no_network_could_learn_from(change, message):
    images, labels = data.standardise(raw_mnist()["x_test"][:20]), np.arange(20) % 10
    with pytest.raises((TypeError, ValueError), match=message):
        data.Examples(*change(images, labels))


def one_bit_flipped(content):
    return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        one_bit_flipped,
        lambda content: pickle.dumps(Exploding()),
    ],
    ids=["one byte short", "half", "empty", "one bit flipped", "a pickle"],
)
def test_damaged_file(damage, tmp_path, monkeypatch):
    damaged = tmp_path / "mnist.npz"
    damaged.write_bytes(damage(SHIPPED.read_bytes()))
    monkeypatch.setattr(published, "MNIST_FILE", damaged)
    with pytest.raises(ValueError, match=r"mnist.npz is damaged.*git checkout.*Received: "):
        data.load_mnist()


def test_file_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "MNIST_FILE", tmp_path)  # a folder
    with pytest.raises(ValueError, match=r"git checkout.*Received: .*Is a directory"):
        raw_mnist()


@pytest.fixture
def without_data(tmp_path, monkeypatch):
    """The package without its data, and an empty folder of Keras's, which has no network."""

    def no_network():
        print("Downloading data from ...")
        raise Exception("URL fetch failure")

    monkeypatch.setattr(published, "MNIST_FILE", tmp_path / "mnist.npz")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(keras.datasets.mnist, "load_data", no_network)
    folder = tmp_path / "keras" / "datasets"
    folder.mkdir(parents=True)
    return folder


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize("cached", [None, b"", pickle.dumps(Exploding())])
def test_without_data_and_network_a_sentence_says_what_to_do(without_data, cached, capsys):
    if cached is not None:
        (without_data / "mnist.npz").write_bytes(cached)
    with pytest.raises(ValueError) as caught:
        raw_mnist()
    told, received = str(caught.value).split(" Received: ")
    assert told.endswith(f"in the folder {without_data}.")
    assert "connect to the network" in told
    assert ". " not in told
    assert received == "URL fetch failure"
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_without_data_the_file_in_the_folder_of_keras_serves(without_data):
    shutil.copy(SHIPPED, without_data / "mnist.npz")
    with np.load(SHIPPED) as expected:
        assert_same(raw_mnist(), dict(expected))


@pytest.mark.slow
def test_what_keras_downloads_is_verified(tmp_path, monkeypatch):
    raw = raw_mnist()
    monkeypatch.setattr(published, "MNIST_FILE", tmp_path / "none")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    sets = (raw["x_train"], raw["y_train"]), (raw["x_test"], raw["y_test"])
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: sets)
    assert_same(raw_mnist(), raw)
    for damaged in (raw["x_test"] ^ 1, raw["x_test"][:-1], raw["x_test"].astype(int)):
        sets = sets[0], (damaged, raw["y_test"])
        with pytest.raises(ValueError, match=r"Received: other images than the published ones$"):
            raw_mnist()


def test_pickled_arrays_are_refused(tmp_path, monkeypatch):
    archive = tmp_path / "mnist.npz"
    np.savez(archive, x_train=np.array([Exploding()], dtype=object))
    monkeypatch.setattr(published, "MNIST_FILE", archive)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        raw_mnist()


# -- Fashion-MNIST ---------------------------------------------------------------------------------


def fake(n_train=60000, n_test=10000):
    return tuple(
        (np.zeros((n, 28, 28), "uint8"), np.arange(n, dtype="uint8") % 10)
        for n in (n_train, n_test)
    )


def real():
    """Return the real data, or skip where this machine has none and no network."""
    try:
        return raw_fashion_mnist()
    except ValueError as error:
        pytest.skip(f"the real Fashion-MNIST was not tested: {error}")


@pytest.mark.parametrize(
    "loaded, reason",
    [
        (fake(), "other images"),
        (fake(100, 10), "other images"),
        (OSError("no route to host"), "no route to host"),
        (Exception(), "Exception"),
    ],
)
def test_what_cannot_be_had_is_told_in_a_sentence(monkeypatch, tmp_path, loaded, reason):
    def load():
        if isinstance(loaded, Exception):
            raise loaded
        return loaded

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", load)
    with pytest.raises(ValueError, match=f"dataset-fashion-mnist.*Received: .*{reason}") as caught:
        data.load_fashion_mnist()
    assert str(tmp_path / "datasets" / "fashion-mnist") in str(caught.value)


@pytest.mark.slow
def test_the_constants_are_those_of_the_training_set():
    pixels = real()["x_train"] / 255
    assert data.FASHION_MEAN == pytest.approx(pixels.mean(), rel=1e-12)
    assert data.FASHION_STD == pytest.approx(pixels.std(), rel=1e-12)


def test_sets_are_as_those_of_mnist():
    raw = real()
    fashion = data.load_fashion_mnist(train=2000, val=1000, test=500)
    assert [len(part) for part in fashion] == [2000, 1000, 500]
    for part in fashion:
        assert part.images.dtype == np.float32 and part.labels.dtype == np.int32
        assert part.images.shape[1:] == (28, 28, 1)
        counts = np.bincount(part.labels, minlength=10)
        assert counts.min() == counts.max()
    everything = {image.tobytes() for image in raw["x_train"]}
    back = fashion.train.images[..., 0] * data.FASHION_STD + data.FASHION_MEAN
    assert all(image.tobytes() in everything for image in np.rint(255 * back).astype("uint8"))


def test_one_altered_bit_is_noticed(monkeypatch):
    raw = real()
    raw["x_test"] = raw["x_test"].copy()
    raw["x_test"][5, 14, 14] ^= 1
    pairs = (raw["x_train"], raw["y_train"]), (raw["x_test"], raw["y_test"])
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", lambda: pairs)
    with pytest.raises(ValueError, match="other images"):
        raw_fashion_mnist()


def test_there_is_a_name_for_each_class():
    assert len(set(published.FASHION_CLASSES)) == 10
