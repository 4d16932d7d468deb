"""The Colab edition: what it carries, where its links go, and that it runs from a bare upload.

The slow tests run it in the present environment, from an empty folder. With COLAB_ENV, the path of
a Python, they run more of it there: `make colab-test` names one that has Colab's own versions.
"""

import ast
import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import build_notebooks as builder
import colab
import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).resolve().parents[1]
PYTHON = Path(os.environ.get("COLAB_ENV", sys.executable))
PYTHON = PYTHON if PYTHON.is_absolute() else ROOT / PYTHON
TAG = colab.Tag("owner/name", "v1.0")
PAIRS = {colab.file_name(pair): pair for pair in builder.pairs()}
LARGEST = 1_000_000  # bytes; Colab takes more, but a reader has to scroll past nothing
each_notebook = pytest.mark.parametrize("name", PAIRS)


def edition(name, tag=None):
    return colab.colab_notebook(PAIRS[name], ROOT, tag)


def first_code(nb):
    return next(cell for cell in nb.cells if cell.cell_type == "code")


def carried(nb):
    """Return the files in the first code cell, as Python reads them."""
    return {
        ast.literal_eval(node.targets[0].slice): ast.literal_eval(node.value)
        for node in ast.parse(first_code(nb).source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)
    }


def prose(nb):
    return "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


def test_every_notebook_of_the_course_has_a_name_of_its_own():
    assert len(PAIRS) == len(builder.pairs()) > 10
    assert {"02_residual_learning.ipynb", "02_residual_learning_exercises.ipynb"} <= PAIRS.keys()


@each_notebook
def test_notebook_carries_the_package_as_it_is(name):
    nb = edition(name)
    files = carried(nb)
    assert {f"resnet_lesson/{part}" for part in ("__init__.py", "checks/core.py")} <= files.keys()
    package = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("resnet_lesson/**/*.py")}
    assert package <= files.keys()
    for file, text in files.items():
        if file.endswith(".base64"):
            network = (ROOT / file.removesuffix(".base64")).read_bytes()
            assert base64.b64decode(text) == network, file
        else:
            assert text == (ROOT / file).read_text(encoding="utf-8"), file
    code = "\n".join(cell.source for cell in nb.cells[3:] if cell.cell_type == "code")
    records = set(re.findall(r'read_record\("(\w+)"\)', code))
    assert {f"resnet_lesson/records/{record}.json" for record in records} <= files.keys()
    quizzes = set(re.findall(r'quizzes\.show\("(\w+)"\)', code))
    assert {f"resnet_lesson/quizzes/{quiz}.toml" for quiz in quizzes} <= files.keys()
    has_network = any(file.endswith(".keras.base64") for file in files)
    assert has_network == ("trained_network" in code)
    assert not any(file.endswith(".npz") for file in files)
    assert {"LICENSE", "LICENSE-CONTENT"} <= files.keys()


@each_notebook
def test_notebook_is_valid_small_folded_and_without_outputs(name):
    nb = edition(name)
    nbformat.validate(nb)
    assert len(nbformat.writes(nb).encode()) < LARGEST
    cell = first_code(nb)
    assert cell.source.startswith("#@title ")
    assert 'display-mode: "form"' in cell.source.split("\n", 1)[0]
    assert cell.metadata.cellView == "form"
    assert cell.metadata.jupyter.source_hidden
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    original = [cell.source for cell in builder.from_source(PAIRS[name]).cells]
    assert [one.source for one in code[1:]] == [
        s for s in original if s in {c.source for c in code}
    ]


@each_notebook
def test_nothing_is_installed_but_what_shows_the_quiz_and_the_field_to_draw_in(name):
    nb = edition(name)
    source = first_code(nb).source
    for text in carried(nb).values():
        source = source.replace(text, "")
    (line,) = re.findall(r"in (\{.*\})\.items\(\):", source) or ["{}"]
    rest = str(nb.cells[3:])
    expected = {}
    if "quizzes.show(" in rest:
        expected["jupyterquiz"] = "jupyterquiz>=2.9.6"
    if "drawing.show(" in rest:
        expected["anywidget"] = "anywidget>=0.9.13"
    assert ast.literal_eval(line) == expected
    # pip leaves alone what is there and suffices: nothing may ask it for more.
    assert not re.search(r"--(upgrade|force-reinstall|ignore-installed)|-U\b", source)
    assert ("pip" in source) == bool(expected)
    assert not re.search(r"^\s*[%!]\s*pip", source, re.MULTILINE)


def test_a_kernel_takes_the_package_cell_as_it_is():
    source = first_code(edition("00_start_here.ipynb")).source
    assert TransformerManager().transform_cell(source) == f"{source}\n"


@each_notebook
def test_without_a_tag_there_is_no_address_of_the_course_and_no_link_to_a_neighbour(name):
    text = prose(edition(name))
    assert not re.search(r"\]\((?!https?://|#)", text)
    assert not re.search(r"github\.com|colab\.research", re.sub(r"\S+pytorch\S+", "", text))


@each_notebook
def test_with_a_tag_every_link_points_at_it(name):
    nb = edition(name, TAG)
    text = prose(nb)
    opens = "https://colab.research.google.com/github/owner/name/blob/v1.0/colab/"
    title, badge = nb.cells[0].source.split("\n\n")[:2]
    assert title.startswith("# ")
    assert badge == f"[![Open in Colab]({colab.BADGE})]({opens}{name})"
    for target in re.findall(rf"\]\({re.escape(opens)}([^)#]+)", text):
        assert target in PAIRS
    for path in re.findall(r"\]\(https://github\.com/owner/name/blob/v1\.0/([^)#]+)", text):
        assert (ROOT / path).exists()
    assert not re.search(r"\]\((?!https?://|#)", text)
    without = prose(edition(name))
    assert len(re.findall(r"\]\(https", text)) >= len(re.findall(r"\]\(https", without)) + 1


def test_links_between_lessons_become_links_of_the_edition():
    link = "[01](https://colab.research.google.com/github/owner/name/blob/v1.0/colab/{}.ipynb)"
    assert link.format("01_degradation") in prose(edition("02_residual_learning.ipynb", TAG))
    assert "Lesson 01: depth" in prose(edition("02_residual_learning.ipynb"))
    exercise = prose(edition("02_residual_learning_exercises.ipynb", TAG))
    assert "/colab/02_residual_learning.ipynb)" in exercise


@pytest.fixture
def course(tmp_path):
    """A course of one lesson, with an old notebook in its edition."""
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    (tmp_path / "resnet_lesson").mkdir()
    (tmp_path / "resnet_lesson" / "__init__.py").write_text('"""One \\n line."""\n')
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    lesson = "# %% [markdown]\n# # Tiny\n#\n# See [that](../docs/that.md).\n\n# %%\nprint(1)\n"
    (tmp_path / "notebooks" / "src" / "01_tiny.py").write_text(lesson)
    folder = tmp_path / "build" / "colab"
    folder.mkdir(parents=True)
    (folder / "99_old.ipynb").write_text("{}")
    return tmp_path


def written(course, *arguments):
    assert colab.main(["--root", str(course), *arguments]) == 0
    (path,) = (course / "build" / "colab").iterdir()
    return path.name, path.read_text(encoding="utf-8")


def test_edition_is_written_anew_and_the_same_each_time(course, capsys):
    name, text = written(course)
    assert name == "01_tiny.ipynb"
    assert written(course) == (name, text)
    assert "1 notebooks in build/colab\n" in capsys.readouterr().out
    assert "See that." in text
    _, text = written(course, "--repository", "owner/name", "--tag", "v1.0")
    assert "[that](https://github.com/owner/name/blob/v1.0/docs/that.md)" in text


@pytest.mark.parametrize(
    "arguments",
    [["--tag", "v1.0"], ["--repository", "owner/name"], ["--repository", "name", "--tag", "v1.0"]],
)
def test_half_an_address_is_refused(course, capsys, arguments):
    assert colab.main(["--root", str(course), *arguments]) == 2
    assert "name both, as in REPOSITORY=owner/name TAG=v1.0" in capsys.readouterr().err
    assert (course / "build" / "colab" / "99_old.ipynb").exists()


def test_a_text_that_cannot_stand_in_the_cell_is_refused(course):
    (course / "resnet_lesson" / "bad.py").write_text("x = '''text'''\n")
    with pytest.raises(ValueError, match=r"^resnet_lesson/bad.py must not hold '''"):
        colab.main(["--root", str(course)])


# -- Runs from a bare upload -----------------------------------------------------------------------


@pytest.fixture
def bare(tmp_path):
    """An empty folder, and an environment without network that has Keras's folder elsewhere."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    nowhere = "http://127.0.0.1:9"  # the port that discards everything
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    env |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere)
    env |= {"KERAS_HOME": str(tmp_path / "keras"), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    return tmp_path, env


def run(command, bare):
    folder, env = bare
    return subprocess.run(
        [PYTHON, *command],
        cwd=folder / "empty",
        env=env,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )


# What a notebook must have said in the end, asked in a cell of its own.
CARRIED = "assert 'resnet_lesson_package' in resnet_lesson.__file__, resnet_lesson.__file__"
OUTCOME = "assert {{result.status for result in checks.summary('02')}} == {{'{}'}}"
ENDS = {
    "00_start_here.ipynb": CARRIED,
    "02_residual_learning.ipynb": CARRIED,
    "02_residual_learning_exercises.ipynb": OUTCOME.format("not attempted"),
    "02_residual_learning_solutions.ipynb": OUTCOME.format("passed"),
    "08_your_turn.ipynb": CARRIED,  # it loads a network that another version of Keras has saved
    "09_scaling_out.ipynb": CARRIED,  # its workers must find the package, and each other
}
HERE = ["02_residual_learning_exercises.ipynb"]  # the others take minutes


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDS if "COLAB_ENV" in os.environ else HERE)
def test_notebook_runs_in_an_empty_folder(name, bare):
    folder, _ = bare
    (folder / "keras/datasets/mnist.npz").symlink_to(ROOT / "resnet_lesson/mnist/mnist.npz")
    nb = edition(name)
    nb.cells.append(nbformat.v4.new_code_cell(f"import resnet_lesson\n\n{ENDS[name]}", id="end"))
    nbformat.write(nb, folder / "empty" / name)
    command = (
        "-m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=900 -p no:cacheprovider"
    )
    done = run([*command.split(), name], bare)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in (folder / "empty").iterdir()} == {name, "resnet_lesson_package"}


@pytest.mark.slow
def test_without_network_and_file_the_first_cell_says_in_a_sentence_what_to_do(bare):
    folder, _ = bare
    (folder / "cell.py").write_text(first_code(edition("00_start_here.ipynb")).source)
    done = run([folder / "cell.py"], bare)
    assert done.returncode == 0, done.stderr
    sentence = " ".join(done.stdout.split())
    assert "connect to the network" in sentence
    assert sentence.endswith(f"{folder / 'keras' / 'datasets'}.")
    assert ". " not in sentence


@pytest.mark.skipif("COLAB_ENV" not in os.environ, reason="only in Colab's environment")
@pytest.mark.slow
def test_versions_are_those_of_colab(bare):
    names = ["tensorflow", "keras", "numpy", "matplotlib", "ipython", "ipykernel"]
    code = f"import platform as p, importlib.metadata as m; print(*map(m.version, {names}))"
    found = run(["-c", f"{code}; print(p.python_version())"], bare).stdout.split()
    assert found.pop().startswith("3.13.")
    pins = (ROOT / "tools/colab-versions.txt").read_text()
    for name, version in zip(names, found, strict=True):
        (pin,) = re.findall(rf"^{name}==(\S+)\.\*$", pins, re.MULTILINE)
        assert version.startswith(f"{pin}."), (name, version)
