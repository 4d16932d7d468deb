"""Residual blocks in a row: what is drawn, and the text alternative that says it."""

import itertools

import matplotlib.pyplot as plt
import pytest
from drawings import no_warnings
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from resnet_lesson.path_diagrams import ON_LINE, residual_line, unrolled_paths

pytestmark = no_warnings


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    plt.close("all")
    yield
    plt.close("all")


def parts(ax):
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    circles = [patch for patch in ax.patches if isinstance(patch, Circle)]
    return boxes, circles


@pytest.mark.parametrize("blocks", [1, 3, 5])
@pytest.mark.parametrize("on_line", ON_LINE)
def test_residual_line(blocks, on_line):
    ax, alt = residual_line(blocks, on_line)
    texts = [text.get_text() for text in ax.texts]
    assert texts[0] == "$x_0$"
    assert texts[-1] == f"$x_{blocks}$"
    assert [t for t in texts if t.startswith("$F")] == [f"$F_{i}$" for i in range(blocks)]
    assert texts.count("ReLU") == blocks * (on_line == "ReLU")
    assert texts.count(r"$\times\lambda$") == blocks * (on_line == "scale")
    boxes, circles = parts(ax)
    assert len(circles) == blocks
    assert {circle.center[1] for circle in circles} == {0}
    assert len(boxes) == blocks * (1 if on_line == "nothing" else 2)
    assert f"to x_{blocks}." in alt
    assert alt.endswith(ON_LINE[on_line])
    assert alt.startswith("1 residual block." if blocks == 1 else f"{blocks} residual blocks in")


@pytest.mark.parametrize("on_line", ON_LINE)
def test_nothing_covers_anything_else(on_line):
    boxes, circles = parts(residual_line(3, on_line)[0])
    spans = [box.get_window_extent() for box in boxes + circles]
    for one, other in itertools.combinations(spans, 2):
        apart = max(one.x0, other.x0) >= min(one.x1, other.x1)
        assert apart or max(one.y0, other.y0) >= min(one.y1, other.y1)


def test_the_line_is_straight_and_reaches_from_end_to_end():
    ax, _ = residual_line(3, "nothing")
    lines = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    thick = [line for line in lines if line.get_linewidth() > 2]
    points = [point for line in thick for point in line._path_original.vertices]
    assert {y for _, y in points} == {0}
    ends = sorted(
        (line._path_original.vertices[0][0], line._path_original.vertices[-1][0]) for line in thick
    )
    for (_, end), (start, _) in itertools.pairwise(ends):
        assert 0 <= start - end < 0.4  # only an addition lies between two pieces


def test_on_given_axes():
    _, ax = plt.subplots()
    assert residual_line(2, ax=ax)[0] is ax


def test_bad_arguments():
    with pytest.raises(ValueError, match="blocks must be between 1 and 9. Received: 0"):
        residual_line(0)
    with pytest.raises(TypeError, match="blocks must be a whole number. Received: 2.5"):
        residual_line(2.5)
    with pytest.raises(ValueError, match="on_line must be one of .* Received: 'tanh'"):
        residual_line(3, "tanh")


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
def test_unrolled_paths(blocks):
    ax, alt = unrolled_paths(blocks)
    rows = {}
    for text in ax.texts:
        rows.setdefault(round(text.get_position()[1], 3), []).append(text.get_text())
    drawn = [[text for text in row if text.startswith("$F")] for _, row in sorted(rows.items())]
    branches = [f"$F_{i}$" for i in range(blocks)]
    every = [list(some) for n in range(blocks + 1) for some in itertools.combinations(branches, n)]
    assert sorted(drawn) == sorted(every)  # each choice of branches, once
    for _, row in rows.items():
        assert row[-1] == f"length {sum(text.startswith('$F') for text in row)}"
    lengths = [int(row[-1].split()[-1]) for _, row in sorted(rows.items(), reverse=True)]
    assert lengths == sorted(lengths)
    boxes, _ = parts(ax)
    assert len(boxes) == blocks * 2 ** (blocks - 1)  # each branch is on half of the paths
    assert alt.startswith(f"{2**blocks} paths from x_0 to x_{blocks}, one a row.")


def test_unrolled_paths_of_three_blocks_in_words():
    _, alt = unrolled_paths(3)
    assert alt.endswith("1 of length 0, 3 of length 1, 3 of length 2, 1 of length 3.")


def test_bad_unrolled_paths():
    with pytest.raises(ValueError, match="blocks must be between 1 and 4. Received: 5"):
        unrolled_paths(5)
