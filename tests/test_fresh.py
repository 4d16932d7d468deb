"""A fresh copy, set up as a dev container and Binder do it, in which a reader can do everything.

There is neither a container nor Binder here: what they do around these commands is not tested.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request

import nbformat
import pytest
from commands import ROOT, environment, jupyterlab
from test_repository import dev_container

pytestmark = pytest.mark.slow
# Of pip, and of uv.
NO_NETWORK = "ConnectionError|connection broken|error sending request"
# What needs JupyterLab's own parts: a slider, the field to draw in, a quiz.
CELL = """
import numpy as np
from resnet_lesson import plots, quizzes, widgets

widgets.explore(lambda a: plots.curves([0, 1], {"a": [0, a]}, "x", "y"), {"a": 1}, a=range(1, 3))
widgets.draw_digit(lambda image: np.eye(10)[7])
quizzes.show("03")
"""


class Copy:
    """A copy of the course without what is built, and its own .venv."""

    def __init__(self, folder):
        self.root = folder / "course"
        built = [line.strip("/") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()]
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns(".git", *built))
        outer = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
        path = f"{self.root / '.venv/bin'}{os.pathsep}{outer['PATH']}"
        self.environment = outer | {"PYTHON": sys.executable, "PATH": path}

    def run(self, command, folder="."):
        """Run a line of shell in the copy, its .venv first on the path; return what it printed."""
        where = {"cwd": self.root / folder, "env": self.environment}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(command, shell=True, check=False, **where, **pipes)
        if done.returncode and re.search(NO_NETWORK, done.stdout):
            pytest.skip("no package index can be reached, and a fresh copy needs one")
        assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}"
        return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The copy, after the dev container's command."""
    copy = Copy(tmp_path_factory.mktemp("fresh"))
    assert not (copy.root / ".venv").exists()
    copy.run(dev_container()["postCreateCommand"])
    return copy


def test_the_dev_container_has_its_interpreter_and_no_tools(copy):
    settings = dev_container()["customizations"]["vscode"]["settings"]
    python = settings["python.defaultInterpreterPath"]
    python = python.replace("${containerWorkspaceFolder}", str(copy.root))
    names = ["ipykernel", "resnet_lesson", "playwright", "ruff", "sphinx", "uv"]
    code = f"import importlib.util as util; print(*filter(util.find_spec, {names}))"
    assert copy.run(shlex.join([python, "-c", code])).split() == names[:2]


def test_binder_installs_the_package_itself(copy):
    """The commands of repo2docker's build pack for Python, in its order."""
    copy.run("python -m ensurepip --default-pip && pip uninstall --yes resnet-lesson")
    copy.run('pip install --no-cache-dir -r "binder/requirements.txt"')
    copy.run("chmod +x binder/postBuild && ./binder/postBuild")
    where = copy.run("python -c 'import resnet_lesson; print(resnet_lesson.__file__)'", "docs")
    assert where.splitlines()[-1] == str(copy.root / "resnet_lesson/__init__.py")


def test_widgets_quizzes_and_the_grader_run(copy):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    nbformat.write(notebook, copy.root / "notebooks/moving.ipynb")
    copy.run("jupyter execute --inplace notebooks/moving.ipynb")
    (cell,) = nbformat.read(copy.root / "notebooks/moving.ipynb", as_version=4).cells
    widget = "application/vnd.jupyter.widget-view+json"
    assert [output for output in cell.outputs if widget in output.get("data", {})]
    assert "explore-lambda" in str(cell.outputs)
    assert not [output for output in cell.outputs if output.output_type == "error"]
    copy.run("mkdir handed-in && cp notebooks/solutions/03*.ipynb handed-in")
    assert "4 of 4" in copy.run("python -m resnet_lesson.grading handed-in --csv grades.csv")


def test_jupyterlab_answers(copy):
    command = ["make", "lab", "LAB_ARGS=--allow-root --no-browser --port=0"]
    where = {"cwd": copy.root, "env": copy.environment}
    with jupyterlab(command, copy.root / "log", **where) as (address, token):
        path = "api/contents/notebooks/00_start_here.ipynb"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{address}/{path}?content=0&token={token}", timeout=60) as answer:
            assert answer.status == 200
