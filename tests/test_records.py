"""Records: running means, and updates to a fixed loss."""

import numpy as np
import pytest

from resnet_lesson.records import Record, by_name, running_mean


def record(loss, name="net"):
    return Record(name, 0, 100, 64, 2e-3, len(loss), loss=list(loss))


def test_running_mean():
    values = np.random.default_rng(0).normal(size=20)
    expected = [values[max(0, i - 4) : i + 1].mean() for i in range(20)]
    np.testing.assert_allclose(running_mean(values, 5), expected)
    np.testing.assert_allclose(running_mean(values, 1), values)


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
