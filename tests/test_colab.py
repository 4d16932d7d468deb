"""The Colab edition: what it carries, where its links go, and that it runs from a bare upload.

The slow tests run it in the present environment, from an empty folder. With COLAB_ENV, the path of
a Python, they run more of it there: `make colab-test` names one that has Colab's own versions.
"""

import ast
import base64
import functools
import json
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
from notebook_kinds import ROOT, notebooks
from tiny_course import TINY, tiny_course

PYTHON = ROOT / os.environ.get("COLAB_ENV", sys.executable)
TAG = colab.Tag("owner/name", "v1.0")
OPENS = "https://colab.research.google.com/github/owner/name/blob/v1.0/colab/"
COURSE = {Path(colab.file_name(made)).name: made for made in notebooks()}
LARGEST = 1_000_000  # bytes; Colab takes more, but a reader has to scroll past nothing
each_notebook = pytest.mark.parametrize("name", COURSE)


@functools.cache
def edition(name, tag=None):
    return colab.colab_notebook(COURSE[name], tag)


def code(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def prose(nb):
    return "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


@functools.cache
def carried(name):
    """Return the files in the first code cell of a notebook, as Python reads them."""
    return {
        ast.literal_eval(node.targets[0].slice): ast.literal_eval(node.value)
        for node in ast.parse(code(edition(name))[0].source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript)
    }


def test_every_notebook_of_the_course_has_a_name_of_its_own():
    assert len(COURSE) == len(notebooks()) > 10
    kinds = ("", "_exercises", "_solutions")
    assert {f"02_residual_learning{kind}.ipynb" for kind in kinds} <= COURSE.keys()
    assert "03_receptive_fields_deeper.ipynb" in COURSE


def test_solutions_are_not_handed_out_by_mistake():
    folders = {name: Path(colab.file_name(made)).parent for name, made in COURSE.items()}
    solutions = {name for name, folder in folders.items() if folder == Path("solutions")}
    assert solutions == {name for name in COURSE if name.endswith("_solutions.ipynb")}


@each_notebook
def test_notebook_carries_the_package_as_it_is_and_what_it_names(name):
    files = carried(name)
    for file, text in files.items():
        if file.endswith(".base64"):
            network = (ROOT / file.removesuffix(".base64")).read_bytes()
            assert base64.b64decode(text) == network, file
        elif file.endswith(".json"):
            assert json.loads(text) == json.loads((ROOT / file).read_text(encoding="utf-8")), file
        else:
            assert text == (ROOT / file).read_text(encoding="utf-8"), file
    own = "\n".join(cell.source for cell in code(edition(name))[1:])
    records = re.findall(r'read_study\("(\w+)"\)', own)
    quizzes = re.findall(r'quizzes\.show\("(\w+)"\)', own)
    left_out = {
        path
        for pattern, word in colab.ON_DEMAND.items()
        if word not in own
        for path in ROOT.glob(f"resnet_lesson/{pattern}")
    }
    package = [
        path
        for end in ("py", "js", "css")
        for path in ROOT.glob(f"resnet_lesson/**/*.{end}")
        if path not in left_out
    ]
    assert {
        "LICENSE",
        "LICENSE-CONTENT",
        *(path.relative_to(ROOT).as_posix() for path in package),
        *(f"resnet_lesson/records/{record}.json" for record in records),
        *(f"resnet_lesson/quizzes/{quiz}.toml" for quiz in quizzes),
    } <= files.keys()
    for pattern, word in colab.ON_DEMAND.items():
        paths = [
            path.relative_to(ROOT).as_posix() for path in ROOT.glob(f"resnet_lesson/{pattern}")
        ]
        here = [path for path in paths if path in files or f"{path}.base64" in files]
        assert bool(here) == (word in own), pattern
    assert not any(file.endswith(".npz") for file in files)


@each_notebook
def test_notebook_is_valid_small_folded_and_without_outputs(name):
    nb = edition(name)
    nbformat.validate(nb)
    assert len(nbformat.v4.writes(nb).encode()) < LARGEST
    package, *own = code(nb)
    assert package.source.startswith("#@title ")
    assert 'display-mode: "form"' in package.source.split("\n", 1)[0]
    assert package.metadata.cellView == "form"
    assert package.metadata.jupyter.source_hidden
    assert all(not cell.outputs and cell.execution_count is None for cell in (package, *own))
    assert [cell.source for cell in own] == [
        cell.source for cell in code(builder.from_source(COURSE[name]))
    ]


@each_notebook
def test_nothing_is_installed_but_what_shows_the_quiz_and_the_field_to_draw_in(name):
    package, *own = (cell.source for cell in code(edition(name)))
    for text in carried(name).values():
        package = package.replace(text, "")
    (line,) = re.findall(r"in (\{.*\})\.items\(\):", package) or ["{}"]
    quiz = {"jupyterquiz": "jupyterquiz>=2.9.6"} if "quizzes.show(" in str(own) else {}
    field = {"anywidget": "anywidget>=0.9.13"} if name == "08_your_turn.ipynb" else {}
    assert ast.literal_eval(line) == quiz | field
    # pip leaves alone what is there and suffices: nothing may ask it for more.
    assert not re.search(r"--(upgrade|force-reinstall|ignore-installed)|-U\b", package)
    assert ("pip" in package) == bool(quiz | field)
    assert not re.search(r"^\s*[%!]\s*pip", package, re.MULTILINE)


def test_a_kernel_takes_the_package_cell_as_it_is():
    source = code(edition("00_start_here.ipynb"))[0].source
    assert TransformerManager().transform_cell(source) == f"{source}\n"


@each_notebook
def test_with_a_tag_every_link_points_at_it_and_without_there_is_none_to_a_neighbour(name):
    plain, nb = prose(edition(name)), edition(name, TAG)
    assert not re.search(r"\]\((?!https?://|#)", plain)
    assert not re.search(r"github\.com|colab\.research", re.sub(r"\S+pytorch\S+", "", plain))
    text = prose(nb)
    title, badge = nb.cells[0].source.split("\n\n")[:2]
    assert title.startswith("# ")
    assert badge == f"[![Open in Colab]({colab.BADGE})]({opens(name)})"
    for target in re.findall(rf"\]\({re.escape(OPENS)}([^)#]+)", text):
        assert OPENS + target == opens(Path(target).name)
    for path in re.findall(r"\]\(https://github\.com/owner/name/blob/v1\.0/([^)#]+)", text):
        assert (ROOT / path).exists()
    assert not re.search(r"\]\((?!https?://|#)", text)
    assert len(re.findall(r"\]\(https", text)) >= len(re.findall(r"\]\(https", plain)) + 1


def opens(name):
    return OPENS + colab.file_name(COURSE[name])


def test_links_between_notebooks_become_links_of_the_edition():
    for name, target in (
        ("02_residual_learning", "01_degradation"),
        ("02_residual_learning_exercises", "02_residual_learning"),
        ("03_bottleneck_block", "03_receptive_fields_deeper"),
        ("03_receptive_fields_deeper", "03_bottleneck_block"),
    ):
        assert f"]({opens(f'{target}.ipynb')})" in prose(edition(f"{name}.ipynb", TAG))
    assert "Lesson 01 ended with a wish" in prose(edition("02_residual_learning.ipynb"))


@pytest.fixture
def course(tmp_path):
    """A course of one lesson, with an old notebook in its edition."""
    text = TINY.format(1).replace("# Tiny", "# Tiny\n#\n# See [that](../docs/that.md).")
    tiny_course(tmp_path, **{"01_tiny": text})
    (tmp_path / "resnet_lesson" / "__init__.py").write_text(
        '"""One \\n line."""\n\n__version__ = "1.0"\n'
    )
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    folder = tmp_path / "build" / "colab"
    folder.mkdir(parents=True)
    (folder / "99_old.ipynb").write_text("{}")
    return tmp_path


def written(course, *arguments):
    assert colab.main(["--root", str(course), *arguments]) == 0
    (path,) = (course / "build" / "colab").rglob("*.ipynb")
    return path.name, path.read_text(encoding="utf-8")


def test_edition_is_written_anew_and_the_same_each_time(course, capsys):
    name, text = written(course)
    assert name == "01_tiny.ipynb"
    assert written(course) == (name, text)
    assert "1 notebooks in build/colab\n" in capsys.readouterr().out
    assert "See that." in text
    _, text = written(course, "--repository", "owner/name", "--tag", "v1.0")
    assert "[that](https://github.com/owner/name/blob/v1.0/docs/that.md)" in text


def test_half_an_address_is_refused(course, capsys):
    for arguments in ("--tag v1.0", "--repository owner/name", "--repository name --tag v1.0"):
        assert colab.main(["--root", str(course), *arguments.split()]) == 2
        assert "name both, as in REPOSITORY=owner/name TAG=v1.0" in capsys.readouterr().err
    assert (course / "build" / "colab" / "99_old.ipynb").exists()


@pytest.mark.parametrize("name", ["bad.py", "widgets/bad.js", "widgets/bad.css"])
def test_a_text_that_cannot_stand_in_the_cell_is_refused(course, name):
    path = course / "resnet_lesson" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x = '''text'''\n")
    with pytest.raises(ValueError, match=rf"^resnet_lesson/{name} must not hold '''"):
        colab.main(["--root", str(course)])
    assert (course / "build" / "colab" / "99_old.ipynb").exists()


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
    "03_receptive_fields_deeper.ipynb": CARRIED,
    "08_your_turn.ipynb": CARRIED,  # it loads a network that another version of Keras has saved
    "09_scaling_out.ipynb": CARRIED,  # its workers must find the package, and each other
}
HERE = ["02_residual_learning_exercises.ipynb"]  # the others take minutes


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDS if "COLAB_ENV" in os.environ else HERE)
def test_notebook_runs_in_an_empty_folder(name, bare):
    folder, _ = bare
    (folder / "keras/datasets/mnist.npz").symlink_to(ROOT / "resnet_lesson/mnist/mnist.npz")
    nb = colab.colab_notebook(COURSE[name])
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
    (folder / "cell.py").write_text(code(edition("00_start_here.ipynb"))[0].source)
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
