"""Diagrams: what is drawn, that nothing covers anything else, and the text alternatives."""

import itertools
import re

import matplotlib.pyplot as plt
import pytest
from drawings import no_warnings
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from resnet_lesson import diagrams

pytestmark = no_warnings

SHORTCUTS = ("none", "identity", "padded", "projection")
# (in_filters, stride); the blocks end at 16 channels
SHAPES = ((16, 1), (8, 1), (8, 2), (4, 3))
BLOCKS = [
    {"kind": kind, "shortcut": shortcut, "in_filters": in_filters, "stride": stride}
    | {"normalisation": normalisation}
    for kind, shortcut, (in_filters, stride), normalisation in itertools.product(
        ("basic", "bottleneck"), SHORTCUTS, SHAPES, (True, False)
    )
    if shortcut != "identity" or (in_filters, stride) == (16, 1)
]
WIDE = {"filters": (512, 512, 2048), "in_filters": 1024, "stride": 2}  # as in ResNet-50
STEM = [("3×3 conv\n16, stride 2", 1)]
HEAD = [("average\npool", 0), ("dense\n10", 1)]
NETWORKS = {
    "plain 20": ([(3, "bottleneck", 16, 14), (3, "bottleneck", 32, 7)], STEM, HEAD),
    "residual 20": ([(3, "bottleneck", 16, 14), (3, "bottleneck", 32, 7)], STEM, HEAD, "padded"),
    "residual 56": ([(9, "bottleneck", 16, 14), (9, "bottleneck", 32, 7)], STEM, HEAD, "padded"),
    "lists, not tuples": ([[5, "basic", 16, 14], [5, "basic", 32, 7]], STEM, HEAD, "projection"),
    "one stage": ([(30, "basic", 64, 28)], STEM, HEAD, "identity"),
    "one block": ([(1, "basic", 16, 14)], STEM, HEAD, "identity"),
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
    (0, "Start here", "What will I learn, does my machine work, what does the data look like?"),
    (1, "Degradation", "Should a deeper net not be at least as good?"),
    (2, "Residual learning", "What is F(x) = H(x) − x, and why is it easy to learn?"),
    (3, "Plain against residual", "Does the shortcut help at equal everything?"),
]


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    plt.close("all")
    yield
    plt.close("all")


def texts_of(ax):
    return [text.get_text() for text in ax.texts]


def lines_of(ax, colour):
    lines = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    return [line for line in lines if to_hex(line.get_edgecolor()).upper() == colour]


def overlaps(one, other):
    return (
        min(one.x1, other.x1) - max(one.x0, other.x0) > 0.5
        and min(one.y1, other.y1) - max(one.y0, other.y0) > 0.5
    )


def holds(outer, inner):
    return (
        outer.x0 <= inner.x0 <= inner.x1 <= outer.x1
        and outer.y0 <= inner.y0 <= inner.y1 <= outer.y1
    )


def without_head(arrow):
    """Return an arrow's line, in pixels."""
    path = arrow.get_path()
    heads = [i for i, code in enumerate(path.codes) if i and code in (Path.MOVETO, Path.CLOSEPOLY)]
    end = min(heads, default=len(path.codes))
    return arrow.get_transform().transform_path(Path(path.vertices[:end], path.codes[:end]))


def assert_tidy(ax, smallest=11):
    """Everything is inside the picture, and no text touches a text, a line or a box's border."""
    ax.figure.canvas.draw()
    picture = ax.get_window_extent()
    texts = [(text.get_text(), text.get_window_extent()) for text in ax.texts]
    lines = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    shapes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch | Circle)]
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


def assert_in_order(text, parts):
    at = 0
    for part in parts:
        assert part in text[at:], (part, text[at:])
        at = text.index(part, at) + len(part)


def expected_layers(kind, stride, normalisation):
    """What a block's branch holds, from He 2016a, Figure 5."""
    kernels, widths = {"basic": ("33", (16, 16)), "bottleneck": ("131", (8, 8, 16))}[kind]
    layers = []
    for i, (kernel, width) in enumerate(zip(kernels, widths, strict=True)):
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
    kind, shortcut, in_filters, stride, normalisation = arguments.values()
    layers = expected_layers(kind, stride, normalisation)
    assert f"x passes {'; '.join(layers)}. " in alt
    assert f"{in_filters} channels in, 16 out" in alt
    assert_in_order("|".join(texts_of(ax)), layers)
    boxes = sorted(ax.texts, key=lambda text: -text.get_position()[1])
    centre = [text.get_text() for text in boxes if text.get_position()[0] == 0]
    assert centre == [f"$x$: {in_filters} channels", *layers, "ReLU", "output: 16 channels"]

    if shortcut == "none":
        assert alt.startswith(f"Plain {kind} block") and alt.endswith("passes the last ReLU.")
        assert "add" not in alt and "shortcut" not in alt and "addition" not in texts_of(ax)
        assert "$H(x)$" in texts_of(ax) and "$F(x)$" not in texts_of(ax)
        assert not lines_of(ax, diagrams.VERMILION)
        return
    assert alt.startswith(f"Residual {kind} block")
    assert_in_order(alt, [*layers, f"{shortcut} shortcut", "addition", "F(x) + ", "last ReLU."])
    assert {f"{shortcut} shortcut", "addition", "$F(x)$"} <= set(texts_of(ax))
    assert len(lines_of(ax, diagrams.VERMILION)) == 1
    thickest_flow = max(line.get_linewidth() for line in lines_of(ax, diagrams.GREY))
    assert lines_of(ax, diagrams.VERMILION)[0].get_linewidth() > 1.5 * thickest_flow
    # The addition is under the branch and above the last ReLU.
    heights = {text.get_text(): text.get_position()[1] for text in boxes}  # the lowest of a name
    assert heights[layers[-1]] > heights["addition"] > heights["ReLU"]


@pytest.mark.parametrize(
    ("arguments", "steps", "total", "words"),
    [
        ({"shortcut": "identity"}, [], "$F(x)$ + $x$", "carries x unchanged"),
        (
            {"shortcut": "padded", "in_filters": 8, "stride": 2},
            ["keep 1 pixel of 2 × 2", "append 8 channels of 0"],
            "$F(x)$ + padded $x$",
            "F(x) + padded x",
        ),
        ({"shortcut": "padded"}, [], "$F(x)$ + $x$", "carries x unchanged"),
        (
            {"shortcut": "projection", "in_filters": 8, "stride": 2},
            ["1×1 conv, 16, stride 2", "batch norm"],
            r"$F(x)$ + $W_s\,x$",
            "F(x) + W_s x",
        ),
        (
            {"shortcut": "projection", "normalisation": False},
            ["1×1 conv, 16"],
            r"$F(x)$ + $W_s\,x$",
            "F(x) + W_s x",
        ),
    ],
)
def test_what_the_shortcut_carries(arguments, steps, total, words):
    ax, alt = diagrams.block(**arguments)
    boxes = [patch.get_window_extent() for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    in_a_box = {
        text.get_text()
        for text in ax.texts
        if text.get_position()[0] > 0 and any(holds(box, text.get_window_extent()) for box in boxes)
    }
    assert in_a_box == set(steps)
    assert total in texts_of(ax)
    assert words in alt
    assert not steps or f"({'; '.join(steps)})" in alt


@pytest.mark.parametrize("shortcut", SHORTCUTS[1:])
@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
@pytest.mark.parametrize("normalisation", [True, False])
def test_compare_blocks(kind, shortcut, normalisation):
    ax, alt = diagrams.compare_blocks(kind, shortcut=shortcut, normalisation=normalisation)
    assert_tidy(ax)
    assert 5 < ax.figure.get_figwidth() <= 10
    layers = [*expected_layers(kind, 1, normalisation), "ReLU"]
    by_column = {}
    for text in sorted(ax.texts, key=lambda text: -text.get_position()[1]):
        by_column.setdefault(text.get_position()[0], []).append(text)
    columns = {texts[0].get_text(): texts for texts in by_column.values()}
    plain, residual = columns["plain"], columns["residual"]
    assert [text.get_text() for text in plain][2:-1] == layers
    assert [text.get_text() for text in residual][1:] == [text.get_text() for text in plain][1:]
    assert [text.get_position()[1] for text in residual] == pytest.approx(
        [text.get_position()[1] for text in plain]
    )
    assert plain[0].get_position()[0] < residual[0].get_position()[0]
    assert texts_of(ax).count("addition") == 1
    left, right = alt.split("Right, residual: ")
    assert_in_order(left, ["Two", kind, *layers[:-1], "Left, plain", "H(x)"])
    assert "add" not in left and f"{shortcut} shortcut" in right and "addition" in right


def test_wide_blocks():
    for shortcut in SHORTCUTS[2:]:
        assert_tidy(diagrams.block("bottleneck", shortcut, **WIDE)[0])
        ax, _ = diagrams.compare_blocks("bottleneck", shortcut=shortcut, **WIDE)
        assert_tidy(ax)
        assert ax.figure.get_figwidth() < 11


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name):
    ax, alt = diagrams.network(*NETWORKS[name])
    assert_tidy(ax)
    assert ax.figure.get_figwidth() < 11
    stages, stem, head = NETWORKS[name][:3]
    arcs = len(lines_of(ax, diagrams.VERMILION)) > 0
    assert arcs == ("plain" not in name)
    assert alt.startswith("Residual" if arcs else "Plain")
    said = [f"({n} {kind} block" for n, kind, _, _ in stages]
    before, after = ([text.replace("\n", " ") for text, _ in part] for part in (stem, head))
    assert_in_order(alt, ["image", *before, *said, *after, "shortcut"])
    for count, kind, channels, pixels in stages:
        assert f"{kind} × {count}\n{channels} channels\n{pixels} × {pixels} pixels" in texts_of(ax)


@pytest.mark.parametrize(
    ("name", "terms", "depth"),
    [
        ("plain 20", "1 + 3 × 3 + 3 × 3 + 1", 20),
        ("residual 56", "1 + 9 × 3 + 9 × 3 + 1", 56),
        ("one block", "1 + 1 × 2 + 1", 4),
        ("the article's", "1 + 4 × 3 + 1 × 3 + 2", 18),
        ("ResNet-50", "1 + 3 × 3 + 4 × 3 + 6 × 3 + 3 × 3 + 1", 50),
    ],
)
def test_depth_is_counted_in_weighted_layers(name, terms, depth):
    ax, alt = diagrams.network(*NETWORKS[name])
    assert f"depth: {terms} = {depth} weighted layers" in texts_of(ax)
    assert f"network of {depth} weighted layers ({terms})" in alt


@pytest.mark.parametrize(
    ("name", "blocks", "ellipses", "dashed"),
    [
        ("plain 20", 6, 0, 0),
        ("residual 20", 6, 0, 1),
        ("residual 56", 4, 2, 1),
        ("one stage", 5, 1, 0),
        ("three stages", 3, 3, 2),
        ("the article's", 5, 0, 1),
        ("ResNet-50", 4, 4, 4),
    ],
)
def test_blocks_and_arcs_of_a_network(name, blocks, ellipses, dashed):
    ax, _ = diagrams.network(*NETWORKS[name])
    assert texts_of(ax).count("⋯") == ellipses
    bars = [p for p in ax.patches if to_hex(p.get_facecolor()).upper() == diagrams.BLUE]
    per_block = len(diagrams.KERNELS[NETWORKS[name][0][0][1]])
    assert len([p for p in bars if isinstance(p, FancyBboxPatch)]) == blocks * per_block
    arcs = [p for p in lines_of(ax, diagrams.VERMILION) if p.get_arrowstyle().fillend]
    assert len(arcs) == (0 if "plain" in name else blocks)
    assert len([arc for arc in arcs if arc.get_linestyle() not in ("-", "solid")]) == dashed


@pytest.mark.parametrize(
    ("name", "legend"),
    [
        ("plain 20", ["plain: no shortcuts"]),
        ("one block", ["identity shortcut"]),
        (
            "residual 20",
            ["padded shortcut where the shape changes", "identity shortcut elsewhere"],
        ),
        (
            "ResNet-50",
            ["projection shortcut where the shape changes", "identity shortcut elsewhere"],
        ),
    ],
)
def test_legend_of_a_network(name, legend):
    ax, _ = diagrams.network(*NETWORKS[name])
    assert [text for text in texts_of(ax) if "shortcut" in text] == legend


def test_shortcuts_of_a_network_in_words():
    said = {name: diagrams.network(*arguments)[1] for name, arguments in NETWORKS.items()}
    assert said["plain 20"].endswith(". No block has a shortcut.")
    assert "add" not in said["plain 20"]
    assert said["one stage"].endswith(
        "An identity shortcut goes around each block, to an addition right after it."
    )
    assert said["residual 20"].endswith(
        "A padded shortcut goes around the first block of stage 2, where the shape changes, to an "
        "addition right after it. Around each other block goes an identity shortcut."
    )
    assert (
        "A projection shortcut goes around the first block of stages 1, 2, 3 and 4, where"
        in (said["ResNet-50"])
    )


def test_course_map():
    ax, alt = diagrams.course_map(LESSONS)
    assert_tidy(ax)
    assert 7 <= ax.figure.get_figwidth() <= 10
    assert_in_order(alt, [f"{n:02} {title}: {question}" for n, title, question in LESSONS])
    assert alt.endswith(": 00 → 01, 01 → 02, 02 → 03.")
    drawn = " ".join(" ".join(texts_of(ax)).split())
    assert_in_order(drawn, [f"{n:02} {title} {question}" for n, title, question in LESSONS])
    assert len(lines_of(ax, diagrams.BLUE)) == 3


def test_edges_of_the_course_map():
    edges = [(0, 1), (0, 3), (1, 2), (1, 3)]
    ax, alt = diagrams.course_map(LESSONS, edges)
    assert_tidy(ax)
    assert alt.endswith(": 00 → 01, 00 → 03, 01 → 02, 01 → 03.")
    ends = [line.get_path().vertices[0] for line in lines_of(ax, diagrams.BLUE)]
    assert [x == pytest.approx(0, abs=0.01) for x, _ in ends] == [False, True, False, True]
    assert diagrams.course_map([("00", *LESSONS[0][1:])])[1].endswith(": none.")
    assert diagrams.course_map(LESSONS, [("00", 3)])[1].endswith(": 00 → 03.")


def test_on_given_axes_the_drawing_is_scaled():
    _, (left, right) = plt.subplots(1, 2, figsize=(12, 7))
    assert diagrams.block(ax=left)[0] is left
    assert diagrams.network(*NETWORKS["residual 56"], ax=right)[0] is right
    assert_tidy(left)
    assert_tidy(right, smallest=5)
    assert max(text.get_fontsize() for text in right.texts) < 12


def test_pictures_are_opaque_and_white_on_a_dark_page(tmp_path):
    with plt.style.context("dark_background"):
        ax, _ = diagrams.block()
        ax.figure.savefig(tmp_path / "block.png", facecolor="black")
    pixels = plt.imread(tmp_path / "block.png")
    assert (pixels[2, 2:-2, :3] == 1).all() and (pixels[:, :, 3:] == 1).all()
    assert {to_hex(text.get_color()) for text in ax.texts} == {"#000000"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kind": "dense"}, ValueError, "kind must be .* Received: 'dense'"),
        ({"shortcut": "long"}, ValueError, "shortcut must be .* Received: 'long'"),
        ({"filters": (8, 8, 16)}, ValueError, r"filters must be 2 .* Received: \(8, 8, 16\)"),
        ({"filters": (8, 0)}, ValueError, "filters must be between 1 and 8192. Received: 0"),
        ({"in_filters": 1.5}, TypeError, "in_filters must be .* Received: 1.5"),
        ({"stride": True}, TypeError, "stride must be .* Received: True"),
        ({"stride": 0}, ValueError, "stride must be between 1 and 8192. Received: 0"),
        ({"in_filters": 8}, ValueError, "shortcut='identity' .* Received: 8 channels in, 16 out"),
        ({"stride": 2}, ValueError, "shortcut='identity' .* Received: .*, fewer pixels out"),
        (
            {"shortcut": "padded", "in_filters": 32},
            ValueError,
            "shortcut='padded' .* Received: 32 channels in, 16 out",
        ),
    ],
)
def test_bad_blocks_are_refused(arguments, error, message):
    for draw in (diagrams.block, diagrams.compare_blocks):
        with pytest.raises(error, match=f"^{message}$"):
            draw(**{"kind": "basic"} | arguments)
    assert not plt.get_fignums()


def test_two_plain_blocks_are_not_compared():
    with pytest.raises(ValueError, match="^shortcut must be .* Received: 'none'$"):
        diagrams.compare_blocks(shortcut="none")


@pytest.mark.parametrize(
    ("stages", "options", "error", "message"),
    [
        ([], {}, ValueError, r"stages must have 1 or more entries. Received: \[\]"),
        ([(3, "basic", 16)], {}, ValueError, "stages must be .* Received: .*"),
        ([(3, "dense", 16, 14)], {}, ValueError, "kind in stages must .* Received: 'dense'"),
        ([(0, "basic", 16, 14)], {}, ValueError, "blocks in stages must .* Received: 0"),
        ([(1, "basic", "16", 14)], {}, TypeError, "channels in stages must .* Received: '16'"),
        ([(1, "basic", 16, -1)], {}, ValueError, "pixels in stages must .* Received: -1"),
        ([(1, "basic", 16, 14)], {"shortcut": "no"}, ValueError, "shortcut must .* Received: 'no'"),
        ([(1, "basic", 16, 14)], {"in_filters": 0}, ValueError, "in_filters .* Received: 0"),
        (
            [(1, "basic", 16, 14), (1, "basic", 16, 7)],
            {"shortcut": "identity"},
            ValueError,
            "shortcut='identity' needs .* Received: 16 channels in, 16 out, fewer pixels out",
        ),
    ],
)
def test_bad_networks_are_refused(stages, options, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        diagrams.network(stages, STEM, HEAD, **options)
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("lessons", "edges", "argument"),
    [
        ([], None, "lessons"),
        ([*LESSONS, LESSONS[0]], None, "lessons"),
        (LESSONS, [(0, 7)], "edges"),
        (LESSONS, [(2, 1)], "edges"),
        (LESSONS, [(1, 1)], "edges"),
    ],
)
def test_bad_maps_are_refused(lessons, edges, argument):
    with pytest.raises(ValueError, match=f"^{argument} must .*{re.escape('Received: ')}"):
        diagrams.course_map(lessons, edges)
    assert not plt.get_fignums()
