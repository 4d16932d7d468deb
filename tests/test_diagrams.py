"""Diagrams: what is drawn, that nothing covers anything else, and the text alternatives."""

import itertools
from functools import partial

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from resnet_lesson import diagrams
from resnet_lesson.diagrams.canvas import BLUE, GREY, VERMILION
from resnet_lesson.diagrams.paths import ON_LINE
from resnet_lesson.diagrams.variants import APART, SHOWN
from resnet_lesson.variants import ORDERS

# Matplotlib 3.8 to 3.10 use names that the newest pyparsing has renamed: "'oneOf' deprecated …".
pytestmark = pytest.mark.filterwarnings(
    "error", r"ignore:'\w+' (argument is )?deprecated:DeprecationWarning"
)

SHORTCUTS = ("identity", "padded", "projection")
FILTERS = {"basic": (16, 16), "bottleneck": (8, 8, 16)}
BLOCKS = [
    {"kind": kind, "shortcut": shortcut, "filters": FILTERS[kind], "in_filters": in_filters}
    | {"stride": stride, "normalisation": normalisation}
    for kind, shortcut, (in_filters, stride), normalisation in itertools.product(
        FILTERS, SHORTCUTS, ((16, 1), (8, 1), (4, 3)), (True, False)
    )
    if shortcut != "identity" or (in_filters, stride) == (16, 1)
]
COMPARED = [
    {"kind": kind, "filters": FILTERS[kind], "in_filters": 16, "normalisation": normalisation}
    for kind, normalisation in itertools.product(FILTERS, (True, False))
]
WIDE = {"kind": "bottleneck", "filters": (512, 512, 2048), "in_filters": 1024, "stride": 2}
STEM = [("3×3 conv\n16, stride 2", 1)]
HEAD = [("average\npool", 0), ("dense\n10", 1)]
NETWORKS = {
    "residual 20": ([(3, "bottleneck", 16, 14), (3, "bottleneck", 32, 7)], STEM, HEAD, "padded"),
    "residual 56": ([(9, "bottleneck", 16, 14), (9, "bottleneck", 32, 7)], STEM, HEAD, "padded"),
    "one stage": ([(30, "basic", 64, 28)], STEM, HEAD, "padded", 16),
    "one block": ([(1, "basic", 16, 14)], STEM, HEAD, "projection", 8),
    "single blocks": ([(1, "basic", 1024, 112), (1, "basic", 2048, 56)] * 2, [], [], "projection"),
    "three stages": ([(9, "basic", 16 * 2**i, 32 // 2**i) for i in range(3)], [], [], "padded"),
    "the article's": (
        [(4, "bottleneck", 16, 14), (1, "bottleneck", 32, 14)],
        [("3×3 conv\n16", 1), ("max\npool", 0)],
        [("max\npool", 0), ("dense\n128", 1), ("dense\n10", 1)],
        "projection",
    ),
    "ResNet-50": (
        [(n, "bottleneck", 256 * 2**i, 56 // 2**i) for i, n in enumerate((3, 4, 6, 3))],
        [("7×7 conv\n64\nstride 2", 1), ("max\npool", 0)],
        [("average\npool", 0), ("dense\n1000", 1)],
        "projection",
        64,
    ),
}
LESSONS = [
    ("00", "Start here", "What will I learn, does my machine work, what does the data look like?"),
    ("01", "Degradation", "Should a deeper net not be at least as good?"),
    ("02", "Residual learning", "What is F(x) = H(x) − x, and why is it easy to learn?"),
    ("03", "Plain against residual", "Does the shortcut help at equal everything?"),
]
EDGES = [("00", "01"), ("00", "03"), ("01", "02"), ("01", "03")]
ROWS = {
    "shallow": [("image", "other"), ("layer 1", "learnt"), ("logits", "learnt")],
    "deep": [("image", "other"), ("layer 1", "learnt"), ("identity", "identity")],
}
DRAWINGS = {
    "wide, padded": partial(diagrams.block, shortcut="padded", **WIDE),
    "wide, projected": partial(diagrams.block, shortcut="projection", **WIDE),
    "map": partial(diagrams.course_map, LESSONS, EDGES),
    **{f"line, {name}": partial(diagrams.residual_line, 3, name) for name in ON_LINE},
    "paths": diagrams.unrolled_paths,
    "orders": diagrams.block_orders,
    "article": diagrams.article_blocks,
    "two workers": diagrams.data_parallel,
    "four workers": partial(diagrams.data_parallel, 4),
    "rows": partial(diagrams.chains, ROWS),
}


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    plt.close("all")
    yield
    plt.close("all")


def texts_of(ax):
    return [text.get_text() for text in ax.texts]


def columns_of(ax):
    """Return the texts at each x, as a dictionary, from top to bottom."""
    columns = {}
    for text in sorted(ax.texts, key=lambda text: -text.get_position()[1]):
        columns.setdefault(round(text.get_position()[0], 3), []).append(text.get_text())
    return columns


def boxes_of(ax):
    return [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]


def circles_of(ax):
    return [patch for patch in ax.patches if isinstance(patch, Circle)]


def lines_of(ax, colour):
    lines = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    return [line for line in lines if to_hex(line.get_edgecolor()).upper() == colour]


def assert_in_order(text, parts):
    at = 0
    for part in parts:
        assert part in text[at:], (part, text[at:])
        at = text.index(part, at) + len(part)


# -- Nothing covers anything else ------------------------------------------------------------------


def overlaps(one, other):
    """By more than half a pixel."""
    return one.padded(-0.25).fully_overlaps(other.padded(-0.25))


def holds(outer, inner):
    return outer.contains(*inner.min) and outer.contains(*inner.max)


def without_head(arrow):
    """Return an arrow's line, in pixels."""
    path = arrow.get_path()
    heads = [i for i, code in enumerate(path.codes) if i and code in (Path.MOVETO, Path.CLOSEPOLY)]
    end = min(heads, default=len(path.codes))
    return arrow.get_transform().transform_path(Path(path.vertices[:end], path.codes[:end]))


def assert_tidy(ax, smallest=11):
    """Everything is inside the picture, and no text touches a text, a line or a box's border."""
    ax.figure.canvas.draw()
    assert ax.figure.get_figwidth() <= 12
    picture = ax.get_window_extent()
    texts = [(text.get_text(), text.get_window_extent()) for text in ax.texts]
    lines = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    shapes = boxes_of(ax) + circles_of(ax)
    borders = [shape.get_window_extent() for shape in shapes]
    assert len(lines) + len(shapes) == len(ax.patches)
    for (name, one), (other_name, other) in itertools.combinations(texts, 2):
        assert not overlaps(one, other), (name, other_name)
    for one, other in itertools.combinations(borders, 2):
        assert holds(one, other) or holds(other, one) or not overlaps(one, other)
    for extent in [*borders, *(line.get_window_extent() for line in lines)]:
        assert holds(picture, extent), extent
    paths = [(without_head(line), line.zorder) for line in lines]
    for text, (name, extent) in zip(ax.texts, texts, strict=True):
        assert holds(picture, extent), name
        assert text.get_fontsize() >= smallest, name
        front = 0  # a box that holds the text hides the lines behind it
        for shape, border in zip(shapes, borders, strict=True):
            if isinstance(shape, FancyBboxPatch) and holds(border, extent):
                front = shape.zorder
            else:
                assert not overlaps(border, extent), name
        for path, zorder in paths:
            touched = path.intersects_bbox(extent.padded(1), filled=False)
            assert zorder < front or not touched, name


@pytest.mark.parametrize("name", DRAWINGS)
def test_nothing_covers_anything_else(name):
    assert_tidy(DRAWINGS[name]()[0])


def test_on_given_axes_the_drawing_is_scaled():
    _, (left, right) = plt.subplots(1, 2, figsize=(12, 7))
    assert diagrams.block(**BLOCKS[0], ax=left)[0] is left
    assert diagrams.network(*NETWORKS["residual 56"], ax=right)[0] is right
    assert_tidy(left)
    assert_tidy(right, smallest=5)
    assert max(text.get_fontsize() for text in right.texts) < 12
    for name in ("map", "line, scale", "paths", "orders", "article", "two workers", "rows"):
        _, ax = plt.subplots()
        assert DRAWINGS[name](ax=ax)[0] is ax


def test_pictures_are_opaque_and_white_on_a_dark_page(tmp_path):
    with plt.style.context("dark_background"):
        ax, _ = diagrams.block(**BLOCKS[0])
        ax.figure.savefig(tmp_path / "block.png", facecolor="black")
    pixels = plt.imread(tmp_path / "block.png")
    assert (pixels[2, 2:-2, :3] == 1).all() and (pixels[:, :, 3:] == 1).all()
    assert {to_hex(text.get_color()) for text in ax.texts} == {"#000000"}


# -- Blocks ----------------------------------------------------------------------------------------


def expected_layers(kind, stride, normalisation):
    """What a block's branch holds, from He 2016a, Figure 5."""
    kernels = {"basic": "33", "bottleneck": "131"}[kind]
    layers = []
    for i, (kernel, width) in enumerate(zip(kernels, FILTERS[kind], strict=True)):
        step = f", stride {stride}" if i == 0 and stride > 1 else ""
        layers.append(f"{kernel}×{kernel} conv, {width}{step}")
        if normalisation:
            layers.append("batch norm")
        if i < len(kernels) - 1:
            layers.append("ReLU")
    return layers


@pytest.mark.parametrize("arguments", BLOCKS, ids=str)
def test_block(arguments):
    ax, alt = diagrams.block(**arguments)
    assert_tidy(ax)
    kind, shortcut, _, in_filters, stride, normalisation = arguments.values()
    layers = expected_layers(kind, stride, normalisation)
    assert f"{in_filters} channels in, 16 out" in alt
    assert f"x passes {'; '.join(layers)}. " in alt
    ends = f"$x$: {in_filters} channels", "output: 16 channels"
    assert columns_of(ax)[0] == [ends[0], *layers, "ReLU", ends[1]]
    assert alt.startswith(f"Residual {kind} block")
    assert_in_order(alt, [*layers, f"{shortcut} shortcut", "addition", "F(x) + ", "last ReLU."])
    assert {f"{shortcut} shortcut", "addition", "$F(x)$"} <= set(texts_of(ax))
    (drawn,) = lines_of(ax, VERMILION)
    assert drawn.get_linewidth() > 1.5 * max(line.get_linewidth() for line in lines_of(ax, GREY))
    # The addition is under the branch and above the last ReLU.
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}  # the last of a name
    last = min(text.get_position()[1] for text in ax.texts if text.get_text() == "ReLU")
    assert heights[layers[-1]] > heights["addition"] > last


def test_what_the_shortcut_carries():
    pixel, zeros, conv = "keep 1 pixel of 2 × 2", "append 8 channels of 0", "1×1 conv, 16"
    for shortcut, in_filters, stride, normalisation, steps, drawn, words in (
        ("identity", 16, 1, True, [], "$x$", "x"),
        ("padded", 16, 1, True, [], "$x$", "x"),
        ("padded", 8, 2, True, [pixel, zeros], "padded $x$", "padded x"),
        ("projection", 8, 2, True, [f"{conv}, stride 2", "batch norm"], r"$W_s\,x$", "W_s x"),
        ("projection", 16, 1, False, [conv], r"$W_s\,x$", "W_s x"),
    ):
        ax, alt = diagrams.block("basic", shortcut, (16, 16), in_filters, stride, normalisation)
        assert not steps or steps in columns_of(ax).values()
        assert len([box for box in boxes_of(ax) if box.get_x() > 0]) == len(steps)
        assert f"$F(x)$ + {drawn}" in texts_of(ax)
        assert f"gives F(x) + {words}, which" in alt
        assert (f"({'; '.join(steps)})" if steps else "carries x unchanged") in alt


@pytest.mark.parametrize("arguments", COMPARED, ids=str)
def test_compared_blocks_stand_at_the_same_height(arguments):
    ax, alt = diagrams.compare_blocks(**arguments)
    assert_tidy(ax)
    layers = [*expected_layers(arguments["kind"], 1, arguments["normalisation"]), "ReLU"]
    plain, residual = (c for c in columns_of(ax).values() if c[0] in ("plain", "residual"))
    assert plain == ["plain", "$x$: 16 channels", *layers, "output: 16 channels"]
    assert residual == ["residual", *plain[1:]]
    heights = [t.get_position()[1] for t in ax.texts if t.get_text() in plain[1:]]
    half = len(heights) // 2
    assert heights[:half] == pytest.approx(heights[half:])
    assert texts_of(ax).count("addition") == 1
    left, right = alt.split("Right, residual: ")
    assert_in_order(left, ["Two", arguments["kind"], *layers[:-1], "Left, plain", "H(x)"])
    assert "add" not in left and "identity shortcut" in right and "addition" in right


# -- Networks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name):
    ax, alt = diagrams.network(*NETWORKS[name])
    assert_tidy(ax)
    stages, stem, head = NETWORKS[name][:3]
    assert alt.startswith("Residual network")
    said = [f"({n} {kind} block" for n, kind, _, _ in stages]
    before, after = ([text.replace("\n", " ") for text, _ in part] for part in (stem, head))
    assert_in_order(alt, ["image", *before, *said, *after, "shortcut"])
    for count, kind, channels, pixels in stages:
        assert f"{kind} × {count}\n{channels} channels\n{pixels} × {pixels} pixels" in texts_of(ax)


PADDED, PROJECTED = (
    [f"{kind} shortcut where the shape changes", "identity shortcut elsewhere"]
    for kind in ("padded", "projection")
)


@pytest.mark.parametrize(
    ("name", "blocks", "ellipses", "dashed", "terms", "legend"),
    [
        ("residual 20", 6, 0, 1, "1 + 3 × 3 + 3 × 3 + 1 = 20", PADDED),
        ("residual 56", 4, 2, 1, "1 + 9 × 3 + 9 × 3 + 1 = 56", PADDED),
        ("one stage", 2, 1, 1, "1 + 30 × 2 + 1 = 62", PADDED),
        ("three stages", 3, 3, 2, "0 + 9 × 2 + 9 × 2 + 9 × 2 + 0 = 54", PADDED),
        ("the article's", 5, 0, 1, "1 + 4 × 3 + 1 × 3 + 2 = 18", PROJECTED),
        ("ResNet-50", 4, 4, 4, "1 + 3 × 3 + 4 × 3 + 6 × 3 + 3 × 3 + 1 = 50", PROJECTED),
    ],
)
def test_blocks_arcs_depth_and_legend_of_a_network(name, blocks, ellipses, dashed, terms, legend):
    ax, alt = diagrams.network(*NETWORKS[name])
    assert texts_of(ax).count("⋯") == ellipses
    bars = [box for box in boxes_of(ax) if to_hex(box.get_facecolor()).upper() == BLUE]
    assert len(bars) == blocks * len(FILTERS[NETWORKS[name][0][0][1]])
    arcs = [line for line in lines_of(ax, VERMILION) if line.get_arrowstyle().fillend]
    assert len(arcs) == blocks
    assert len([arc for arc in arcs if arc.get_linestyle() not in ("-", "solid")]) == dashed
    assert f"depth: {terms} weighted layers" in texts_of(ax)
    total, depth = terms.split(" = ")
    assert f"network of {depth} weighted layers ({total})" in alt
    assert [text for text in texts_of(ax) if "shortcut" in text] == legend
    assert alt.endswith(f". Around the blocks: {', '.join(legend)}.")
    assert alt.count(", the shape changes)") == dashed


# -- The course ------------------------------------------------------------------------------------


def test_course_map():
    ax, alt = diagrams.course_map(LESSONS, EDGES)
    assert_in_order(alt, [f"{n} {title}: {question}" for n, title, question in LESSONS])
    assert alt.endswith(": 00 → 01, 00 → 03, 01 → 02, 01 → 03.")
    drawn = " ".join(texts_of(ax))
    assert_in_order(drawn, [f"{n} {title} {question}" for n, title, question in LESSONS])
    ends = [line.get_path().vertices[0] for line in lines_of(ax, BLUE)]
    assert [x == pytest.approx(0, abs=0.01) for x, _ in ends] == [False, True, False, True]


# -- Blocks in a row, and rows of layers -----------------------------------------------------------


@pytest.mark.parametrize("blocks", [2, 3, 5])
@pytest.mark.parametrize("on_line", ON_LINE)
def test_residual_line(blocks, on_line):
    ax, alt = diagrams.residual_line(blocks, on_line)
    texts = texts_of(ax)
    assert (texts[0], texts[-1]) == ("$x_0$", f"$x_{blocks}$")
    assert [t for t in texts if t.startswith("$F")] == [f"$F_{i}$" for i in range(blocks)]
    assert texts.count("ReLU") == blocks * (on_line == "ReLU")
    assert texts.count(r"$\times\lambda$") == blocks * (on_line == "scale")
    assert [circle.center[1] for circle in circles_of(ax)] == [0] * blocks
    assert len(boxes_of(ax)) == blocks * (1 if on_line == "nothing" else 2)
    assert alt.startswith(f"{blocks} residual blocks in a row.")
    assert f"to x_{blocks}." in alt and alt.endswith(ON_LINE[on_line])


def test_the_line_is_straight_and_reaches_from_end_to_end():
    ax, _ = diagrams.residual_line(3, "nothing")
    lines = [line._path_original.vertices for line in lines_of(ax, VERMILION)]
    assert {y for line in lines for _, y in line} == {0}
    ends = sorted((line[0][0], line[-1][0]) for line in lines)
    for (_, end), (start, _) in itertools.pairwise(ends):
        assert 0 <= start - end < 0.4  # only an addition lies between two pieces


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
def test_unrolled_paths(blocks):
    ax, alt = diagrams.unrolled_paths(blocks)
    rows = {}
    for text in ax.texts:
        rows.setdefault(-round(text.get_position()[1], 3), []).append(text.get_text())
    drawn = [[text for text in rows[y] if text.startswith("$F")] for y in sorted(rows)]
    branches = [f"$F_{i}$" for i in range(blocks)]
    every = [list(some) for n in range(blocks + 1) for some in itertools.combinations(branches, n)]
    assert sorted(drawn) == sorted(every)  # each choice of branches, once
    lengths = list(map(len, drawn))
    assert lengths == sorted(lengths)
    assert [rows[y][-1] for y in sorted(rows)] == [f"length {length}" for length in lengths]
    assert len(boxes_of(ax)) == blocks * 2 ** (blocks - 1)  # each branch is on half of the paths
    assert alt.startswith(f"{2**blocks} paths from x_0 to x_{blocks}, one a row.")
    if blocks == 3:
        assert alt.endswith("1 of length 0, 3 of length 1, 3 of length 2, 1 of length 3.")


def test_chains():
    ax, alt = diagrams.chains(ROWS)
    boxes = boxes_of(ax)
    assert (len(boxes), len(lines_of(ax, GREY))) == (6, 4)
    assert [box.get_linestyle() for box in boxes] == ["solid"] * 5 + ["--"]
    lefts = [box.get_x() for box in boxes[:3]]
    assert lefts == sorted(lefts)
    assert boxes[0].get_y() > boxes[3].get_y()
    assert alt == (
        "Layers from left to right. shallow: image, layer 1, logits. "
        "deep: image, layer 1, identity."
    )


# -- The article's block, variants, data-parallel training -----------------------------------------


def test_the_article_s_blocks_and_what_differs_between_them():
    ax, alt = diagrams.article_blocks()
    assert len(boxes_of(ax) + circles_of(ax)) == (8 + 1 + 1) + (6 + 1 + 1)
    middle = sum(ax.get_xlim()) / 2
    left, right = (
        [text.get_text() for text in ax.texts if (text.get_position()[0] > middle) == is_right]
        for is_right in (False, True)
    )
    assert (left[0], right[0]) == ("as written", "repaired")
    assert (left.count("ReLU"), right.count("ReLU")) == (4, 3)
    assert [text for text in left if "conv, 32" in text] == [
        "1×1 conv, 32: kernel W",
        "1×1 conv, 32: W again",
    ]
    assert [text for text in right if "conv, 32" in text] == [
        "1×1 conv, 32: kernel W",
        "1×1 conv, 32: kernel V",
    ]
    assert "+ a second bias" in left and "+ a second bias" not in right
    assert_in_order(
        alt, ["as written: a ReLU", "same kernel W", "a kernel V of the shortcut's own"]
    )


def test_each_order_has_its_parts_from_top_to_bottom():
    ax, alt = diagrams.block_orders()
    columns = columns_of(ax)
    for i, variant in enumerate(SHOWN):
        parts = ORDERS[variant].replace(" add", "").replace("out", "relu").split()
        names = [part.rstrip("123").replace("relu", "ReLU") for part in parts]
        assert columns[round(i * APART, 3)] == ["$x$", *names]
    parts = [part for variant in SHOWN for part in ORDERS[variant].split()]
    assert len(boxes_of(ax) + circles_of(ax)) == len(parts)
    assert "norm after addition: conv, norm, ReLU, conv, norm, ReLU, conv; after the" in alt
    assert alt.endswith("norm, ReLU, conv; after the addition nothing.")


@pytest.mark.parametrize("workers", [2, 4])
def test_every_worker_has_its_share_its_copy_and_its_gradient(workers):
    ax, alt = diagrams.data_parallel(workers)
    texts = texts_of(ax)
    for part in ("share", "model, copy", "gradient"):
        numbered = [f"{part} {i}" for i in range(1, workers + 1)]
        assert [text for text in texts if text.startswith(part)] == numbered
    assert texts.count("same update") == workers
    assert texts.count("all-reduce: mean of the gradients") == 1
    assert len(boxes_of(ax)) == 4 * workers + 2
    assert alt.startswith(f"One update with {workers} workers")


# -- What cannot be drawn --------------------------------------------------------------------------


def test_a_block_has_a_width_for_each_of_its_convolutions():
    with pytest.raises(ValueError, match="argument 2 is longer"):
        diagrams.block("basic", "padded", (8, 8, 16), 8)
