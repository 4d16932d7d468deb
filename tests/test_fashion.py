"""Fashion-MNIST: through Keras, verified, and a sentence where it cannot be had."""

import keras
import numpy as np
import pytest

from resnet_lesson import data, fashion_source


def fake(n_train=60000, n_test=10000):
    return tuple(
        (np.zeros((n, 28, 28), "uint8"), np.arange(n, dtype="uint8") % 10)
        for n in (n_train, n_test)
    )


def real():
    """Return the real data, or skip where this machine has none and no network."""
    try:
        return fashion_source.raw_fashion_mnist()
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
        fashion_source.raw_fashion_mnist()


def test_there_is_a_name_for_each_class():
    assert len(set(fashion_source.FASHION_CLASSES)) == 10
