"""Records: running means, and updates to a fixed loss."""

import errno
import pickle

import numpy as np
import pytest
from bad_values import Exploding

from resnet_lesson.runs import Record, by_name, load_records, running_mean, save_records


def record(loss, name="net"):
    return Record(name, 0, 100, 64, 2e-3, len(loss), loss=list(loss))


def test_a_file_gives_the_same_records(tmp_path):
    generator = np.random.default_rng(0)
    whole = record(generator.normal(size=5).tolist(), "whole")
    whole.learning_rate = [(0, 2e-3), (3, 1e-3)]
    whole.epochs = [{"update": 5, "loss": 0.1}]
    whole.test_logits = generator.normal(size=(4, 10)).astype("float32")
    whole.weights = [generator.normal(size=shape) for shape in ((3, 2), ())]
    bare = record([np.nan, np.inf], "bare")
    bare.interrupted = True
    path = tmp_path / "records.npz"
    save_records(path, [whole, bare])
    read, other = load_records(path)
    assert repr((read, other)) == repr((whole, bare))
    np.testing.assert_array_equal(read.test_logits, whole.test_logits)
    for mine, theirs in zip(read.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert other.test_logits is None
    assert other.weights is None


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "records.npz"
    save_records(path, [record([1.0])])
    before = path.read_bytes()

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        save_records(path, [record([2.0])])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"PK", pickle.dumps(Exploding())])
def test_damaged_files_are_refused_and_pickles_never_opened(tmp_path, content):
    path = tmp_path / "records.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"whole file of records. Received: .*records.npz"):
        load_records(path)
    np.savez(path, records=np.array([Exploding()], dtype=object))
    with pytest.raises(ValueError, match=r"whole file of records. Received: .*records.npz"):
        load_records(path)


def test_final_loss_is_the_mean_of_the_last_updates():
    run = record([8.0, 3.0, 1.0])
    assert [run.final_loss(last) for last in (1, 2, 100)] == [1.0, 2.0, 4.0]


def test_running_mean():
    values = np.random.default_rng(0).normal(size=20)
    expected = [values[max(0, i - 4) : i + 1].mean() for i in range(20)]
    np.testing.assert_allclose(running_mean(values, 5), expected)
    np.testing.assert_allclose(running_mean(values, 1), values)


def test_running_mean_of_less_than_a_window():
    np.testing.assert_allclose(running_mean([1, 3], 5), [1, 2])
    assert running_mean([], 5).shape == (0,)


@pytest.mark.parametrize("spike", [1e17, np.inf, np.nan])
def test_a_spike_spoils_its_own_windows_alone(spike):
    values = np.random.default_rng(0).normal(size=20)
    clean = running_mean(values, 3)
    values[8] = spike
    touched = slice(8, 11)
    spoiled = running_mean(values, 3)
    np.testing.assert_array_equal(np.delete(spoiled, touched), np.delete(clean, touched))
    assert not np.any(abs(spoiled[touched]) < 1e15)


@pytest.mark.parametrize("number", [0, -1, 2.5])
def test_bad_windows(number):
    with pytest.raises((TypeError, ValueError), match=f"last must be .*Received: {number}"):
        record([1, 2]).final_loss(number)
    for call in (lambda: record([1, 2]).updates_to(1, number), lambda: running_mean([1], number)):
        with pytest.raises((TypeError, ValueError), match=f"window must be .*Received: {number}"):
            call()


def test_losses_that_were_not_measured():
    for question in (Record.final_loss, lambda run: run.updates_to(1)):
        with pytest.raises(ValueError, match="no loss of each update.*Received: net, seed 0"):
            question(record([]))
        cut_short = record([3, 2])
        cut_short.interrupted = True
        with pytest.raises(ValueError, match="interrupted before .*Received: net, seed 0, 2 of 2"):
            question(cut_short)


@pytest.mark.parametrize(
    ("loss", "updates"),
    [
        ([4, 3, 2, 1, 0], 4),  # the mean of 3, 2 and 1 is 2
        ([0, 0, 0, 5, 5], 3),  # not before the window is full
        ([4, 3, 3, 3, 3], None),
    ],
)
def test_updates_to_a_loss(loss, updates):
    assert record(loss).updates_to(2, window=3) == updates


def test_by_name_keeps_the_order():
    records = [record([1], name) for name in ("b", "a", "b")]
    groups = by_name(records)
    assert list(groups) == ["b", "a"]
    assert [len(group) for group in groups.values()] == [2, 1]
