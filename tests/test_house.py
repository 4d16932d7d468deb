"""The package's plan: rooms that import downwards only, and nothing in them too long to be read."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "resnet_lesson"
# A module imports from its own room and from those named before it, never from one below.
FLOORS = [
    *("mnist", "plumbing", "data", "blocks", "models", "variants", "article"),
    *("runs", "training", "sweep", "studies", "verdicts", "handwriting", "examples", "diagnostics"),
    *("plots", "diagrams", "widgets", "quizzes", "recipe", "distributed", "checks", "grading"),
]
MOST_LINES = 60  # of code in a function: more is not read in one look
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    """Return the first part of a module's name, as in ``"plots"``."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path):
    """Return the rooms that a module imports, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "resnet_lesson":
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= set(re.findall(r"^resnet_lesson\.(\w+)", node.module))
        elif isinstance(node, ast.Import):
            found |= {name for one in node.names for name in _room(one.name)}
    return found & set(FLOORS)


def _room(name):
    return re.findall(r"^resnet_lesson\.(\w+)", name)


def test_every_room_has_its_floor():
    assert {room_of(path) for path in MODULES} - {"__init__"} == set(FLOORS)


@pytest.mark.parametrize("room", FLOORS)
def test_a_room_imports_downwards_only(room):
    below = set(FLOORS[: FLOORS.index(room) + 1])
    for path in MODULES:
        if room_of(path) == room:
            assert imported_rooms(path) <= below, path.name


def test_the_ground_floor_is_seen_in_one_look():
    assert len(list(PACKAGE.glob("*.py"))) <= 14


def code_lines(function):
    """Return how many lines a function's body has, without docstring, comments and blank lines."""
    body = function.body[ast.get_docstring(function) is not None :]
    nodes = [node for part in body for node in ast.walk(part) if hasattr(node, "lineno")]
    return len({line for node in nodes for line in (node.lineno, node.end_lineno)})


def test_no_function_is_too_long():
    long = [
        f"{path.name}: {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and code_lines(node) > MOST_LINES
    ]
    assert long == []


def test_importing_the_package_loads_nothing_that_tensorflow_and_keras_do_not():
    """So it costs little more than they do: figures and widgets are loaded where they are used."""

    code = (
        "import sys, tensorflow, keras; before = {*sys.modules}; import resnet_lesson;"
        "print(*{name.partition('.')[0] for name in sys.modules.keys() - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - sys.stdlib_module_names == {"resnet_lesson"}
