"""The diagram of data-parallel training: what is drawn, and the text alternative that says it."""

import matplotlib.pyplot as plt
import pytest
from drawings import no_warnings, shapes_apart

from resnet_lesson.distribution_diagram import data_parallel

pytestmark = no_warnings


@pytest.fixture(autouse=True)
def closed():
    plt.close("all")
    yield
    plt.close("all")


@pytest.mark.parametrize("workers", [2, 4])
def test_every_worker_has_its_share_its_copy_and_its_gradient(workers):
    ax, alt = data_parallel(workers)
    texts = [text.get_text() for text in ax.texts]
    for part in ("share", "model, copy", "gradient"):
        assert [text for text in texts if text.startswith(part)] == [
            f"{part} {i}" for i in range(1, workers + 1)
        ]
    assert texts.count("same update") == workers
    assert texts.count("all-reduce: mean of the gradients") == 1
    assert alt.startswith(f"One update with {workers} workers")
    shapes_apart(ax, 4 * workers + 2)


def test_on_given_axes():
    given = plt.subplots()[1]
    assert data_parallel(2, given)[0] is given


@pytest.mark.parametrize("workers", [1, 5])
def test_a_number_that_cannot_be_drawn(workers):
    with pytest.raises(ValueError, match=f"workers must be between 2 and 4. Received: {workers}"):
        data_parallel(workers)
