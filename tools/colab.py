"""Write the Colab edition: single notebooks that carry the package with them.

    python tools/colab.py                                       into build/colab
    python tools/colab.py --repository owner/name --tag v1.0    with badges and links

Each runs from a bare upload. Its first code cell holds the package as readable text, folded under a
form title, and writes it to a folder. Nothing is installed over what Colab has; MNIST comes from
``keras.datasets``. The notebooks are made from the sources, so they have no outputs.

The links point at the tag, where the edition is expected in the folder ``colab``. Without a tag a
link between notebooks becomes plain text, for an uploaded notebook has no neighbours.
"""

import argparse
import base64
import json
import posixpath
import re
import shutil
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from build_notebooks import from_source, package_files
from nbformat import NotebookNode
from notebook_kinds import ROOT, Notebook, notebooks

FOLDER = "colab"  # of the edition, in the tag
EDITION = "build/colab"  # and here
LESSONS = "lessons"  # their folder in it; the other kinds are in folders of their own names
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
QUOTES = "'''"
NOTE = (
    "**Colab edition.** This notebook stands alone: the next cell holds the course's package. "
    "Run it first, and again after each restart. It installs nothing over what Colab has, and "
    "takes MNIST from `keras.datasets`."
)
HEAD = """\
#@title The course's package: run this cell first, unfold it to read {{ display-mode: "form" }}
# resnet-lesson {version}. The code is under the MIT licence: see LICENSE below.
import base64
import sys
import textwrap
from pathlib import Path

_files = {{}}
"""
TAIL = """
# Write the package to a folder, and import it from there.
_folder = Path("resnet_lesson_package").resolve()
for _name, _text in _files.items():
    _path = _folder / _name
    _path.parent.mkdir(parents=True, exist_ok=True)
    if _path.suffix == ".base64":
        _path.with_suffix("").write_bytes(base64.b64decode(_text))
    else:
        _path.write_text(_text, encoding="utf-8")
if str(_folder) not in sys.path:
    sys.path.insert(0, str(_folder))
{libraries}
from resnet_lesson.mnist import raw_mnist

try:
    print("The package and MNIST are ready:", len(raw_mnist()["x_train"]), "training images.")
except ValueError as _error:
    print(textwrap.fill(str(_error).split(" Received: ")[0], 88))
"""
LIBRARIES = """
# Colab lacks {names}. Without, a quiz stands there as text, and there is no field to draw in.
import importlib.util
import subprocess

for _name, _wanted in {wanted!r}.items():
    if importlib.util.find_spec(_name) is None:
        _pip = [sys.executable, "-m", "pip", "install", "--quiet", "--retries", "1"]
        subprocess.run([*_pip, _wanted], capture_output=True, check=False)
        importlib.invalidate_caches()
"""
# What a notebook shows only if a library is there: the library, and the code that needs it.
OPTIONAL = {
    "jupyterquiz": r"quizzes\.show\(",
    "anywidget": r"widgets\.(draw_digit|open_microscope)\(",
}
# What of the package is carried only where a notebook's code holds a word. No other room imports
# these rooms.
ON_DEMAND = {
    **{f"{room}/*": room for room in ("checks", "diagrams", "grading", "distributed")},
    "widgets/microscope.js": "open_microscope(",
    "trained/*_microscope.bin": "open_microscope(",
    "trained/*.keras": "trained_network",
    "examples/*.jpg": "examples.photos",
    "examples/*.xz": "examples.shapes",
}
BINARY = (".bin", ".keras", ".jpg", ".xz")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?![a-z]+:|#)([^)\s]+)\)")


@dataclass(frozen=True)
class Tag:
    """A repository on GitHub and a tag of it, where the edition can be found."""

    repository: str
    tag: str

    def in_colab(self, name: str) -> str:
        """Return the address that opens a notebook of the edition in Colab."""
        where = f"{self.repository}/blob/{self.tag}/{FOLDER}/{name}"
        return f"https://colab.research.google.com/github/{where}"

    def file(self, path: str) -> str:
        """Return the address of a file of the repository."""
        return f"https://github.com/{self.repository}/blob/{self.tag}/{path}"


def file_name(made: Notebook) -> str:
    """Return the path of a notebook in the edition, which has one folder for each kind."""
    name = f"{made.stem}_{made.kind.folder}".rstrip("_") + ".ipynb"
    return f"{made.kind.folder or LESSONS}/{name}"


def carried_files(root: Path, text: str) -> dict[str, str]:
    """Return what a notebook carries, as names and texts.

    That is the package's code, and those of its records and quizzes that the notebook names, but
    for what it does not need of ``ON_DEMAND``. Networks and pictures are no text, so they are
    written in base64.
    """
    package = root / "resnet_lesson"
    named = [
        *(path for path in package.glob("records/*.json") if f'"{path.stem}"' in text),
        *(
            path
            for path in package.glob("quizzes/*.toml")
            if f'quizzes.show("{path.stem}")' in text
        ),
    ]
    wanted, unwanted = set(), set()
    for pattern, word in ON_DEMAND.items():
        (wanted if word in text else unwanted).update(package.glob(pattern))
    paths = {*package_files(root), *package.glob("mnist/*.txt"), *named} - unwanted
    paths |= {path for path in (root / "LICENSE", root / "LICENSE-CONTENT") if path.exists()}
    names = {path.relative_to(root).as_posix(): path for path in paths}
    files = {name: path.read_text(encoding="utf-8") for name, path in names.items()}
    # Records are read by the package and not by people: they go without their indents.
    files |= {n: json.dumps(json.loads(t)) for n, t in files.items() if n.endswith(".json")}
    for path in (path for path in wanted if path.suffix in BINARY):
        name = f"{path.relative_to(root).as_posix()}.base64"
        files[name] = re.sub(".{1000}", r"\g<0>\n", base64.b64encode(path.read_bytes()).decode())
    return dict(sorted(files.items()))


def version(root: Path = ROOT) -> str:
    """Return the package's version, from the one place where it stands."""
    text = (root / "resnet_lesson" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)[1]


def package_cell(files: dict[str, str], root: Path, text: str) -> NotebookNode:
    """Return the folded code cell that writes the files and looks for MNIST.

    ``text`` is the notebook's source: it tells which optional libraries it needs.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lab = project["optional-dependencies"]["lab"]
    wanted = {
        name: line
        for name, needed in OPTIONAL.items()
        for line in lab
        if re.search(needed, text) and line.startswith(name)
    }
    parts = [HEAD.format(version=version(root))]
    for name, content in files.items():
        if QUOTES in content or content.endswith("\\"):
            raise ValueError(f"{name} must not hold {QUOTES} or end in a backslash")
        parts.append(f"# {'-' * 20} {name}\n_files[{name!r}] = r{QUOTES}{content}{QUOTES}\n")
    names = " and ".join(wanted)
    libraries = LIBRARIES.format(names=names, wanted=wanted) if wanted else ""
    parts.append(TAIL.format(libraries=libraries))
    cell = nbformat.v4.new_code_cell("\n".join(parts).rstrip("\n"), id="colab-package")
    cell.metadata.update(cellView="form", jupyter={"source_hidden": True})
    return cell


def colab_notebook(made: Notebook, tag: Tag | None = None) -> NotebookNode:
    """Return the notebook of a source that runs on its own."""
    nb, root = from_source(made), made.root
    here = made.path.parent.relative_to(root).as_posix()
    edition = {one.path.relative_to(root).as_posix(): file_name(one) for one in notebooks(root)}

    def link(match: re.Match) -> str:
        path, _, anchor = match[2].partition("#")
        path = posixpath.normpath(posixpath.join(here, path))
        if tag is None:
            return match[1]
        address = tag.in_colab(edition[path]) if path in edition else tag.file(path)
        return f"[{match[1]}]({address}{f'#{anchor}' if anchor else ''})"

    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(link, cell.source)
    if tag:
        badge = f"[![Open in Colab]({BADGE})]({tag.in_colab(file_name(made))})"
        title, rest = nb.cells[0].source.split("\n", 1)
        nb.cells[0].source = f"{title}\n\n{badge}\n{rest}"
    text = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "code")
    first = next(i for i, cell in enumerate(nb.cells) if cell.cell_type == "code")
    nb.cells[first:first] = [
        nbformat.v4.new_markdown_cell(NOTE, id="colab-note"),
        package_cell(carried_files(root, text), root, text),
    ]
    nb.metadata["colab"] = {"provenance": [], "toc_visible": True}
    return nb


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repository", default="", help="owner/name on GitHub, for the links")
    parser.add_argument("--tag", default="", help="the tag that the links point at")
    parser.add_argument("--root", type=Path, default=ROOT, help="the course's folder")
    options = parser.parse_args(arguments)
    wanted = options.repository, options.tag
    if any(wanted) and not (
        REPOSITORY.fullmatch(wanted[0]) and re.fullmatch(r"[\w./-]+", wanted[1])
    ):
        print(
            "For links, name both, as in REPOSITORY=owner/name TAG=v1.0. "
            f"Received: REPOSITORY={wanted[0]} TAG={wanted[1]}",
            file=sys.stderr,
        )
        return 2
    root = options.root.resolve()
    folder, written = root / EDITION, {}
    for made in notebooks(root):
        nb = colab_notebook(made, Tag(*wanted) if all(wanted) else None)
        nbformat.validate(nb)
        written[folder / file_name(made)] = nbformat.writes(nb).rstrip("\n") + "\n"
    shutil.rmtree(folder, ignore_errors=True)
    for target, text in written.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    print(f"{len(written)} notebooks in {folder.relative_to(root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
