"""Build the notebooks that readers open from the text that authors edit.

    python tools/build_notebooks.py               rebuild what is out of date
    python tools/build_notebooks.py 00 deeper/03  only these
    python tools/build_notebooks.py --check       build nothing, say what is out of date

Each notebook is executed from top to bottom in a fresh kernel and replaces the old one only if
nothing is wrong with it. See notebook_checks.py for what is refused.
"""

import argparse
import base64
import getpass
import hashlib
import os
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import jupytext
import nbformat
from editions import edition, edition_problems, outcome_problems
from nbformat import NotebookNode
from notebook_checks import README_TAG, lesson_problems, problems, source_problems, tags
from notebook_kernel import Refused, execute
from notebook_kinds import EXERCISE, KINDS, ROOT, Notebook, notebooks
from quiz_text import with_quiz
from slide_cells import SOURCE_FORMAT, without_slides

CELL_TIMEOUT = 900  # seconds
PACKAGE_TEXTS = ("*.py", "*.js", "*.css")  # what of the package is code, by its files' names
MISSING, UNREADABLE, EDITED = "missing", "unreadable", "cells differ from the source"
SOURCE, PACKAGE, FIGURE = "source changed", "package changed", "README figure differs"
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {  # as the kernel reports it, without the version, which differs between machines
    "name": "python",
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "codemirror_mode": {"name": "ipython", "version": 3},
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
# Names that say nothing about anybody, and words that a lesson may print.
COMMON_NAMES = {"root", "user", "admin", "runner", "ubuntu", "jovyan", "student", "localhost"}


def status(root: Path = ROOT) -> dict[Notebook, list[str]]:
    """Return for every notebook the reasons why it is out of date; none when it is not."""
    package = package_hash(root)
    return {made: _reasons(made, package) for made in notebooks(root)}


def orphans(root: Path = ROOT) -> list[Path]:
    """Return the notebooks that have no source."""
    known = {made.path for made in notebooks(root)}
    folders = [root / "notebooks" / kind.folder for kind in KINDS]
    return sorted({path for folder in folders for path in folder.glob("*.ipynb")} - known)


def source_hash(path: Path) -> str:
    """Return the SHA-256 of a source's text, the same for every kind of line end."""
    return hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()


def notebook_hash(made: Notebook) -> str:
    """Return the SHA-256 of what a source gives its notebook: its slides are for the deck alone."""
    text = made.source.read_text(encoding="utf-8")
    return hashlib.sha256(without_slides(text).encode()).hexdigest()


def package_files(root: Path = ROOT) -> list[Path]:
    """Return the texts that the package consists of, sorted; no data files."""
    folder = root / "resnet_lesson"
    return sorted(path for pattern in PACKAGE_TEXTS for path in folder.rglob(pattern))


def package_hash(root: Path = ROOT) -> str:
    """Return the SHA-256 over names and texts of the package's code and study records."""
    folder = root / "resnet_lesson"
    digest = hashlib.sha256()
    paths = [*package_files(root), *folder.glob("records/*.json")]
    for path in sorted(paths, key=lambda path: path.as_posix()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{source_hash(path)}\0".encode())
    return digest.hexdigest()


def readme_figure(nb: NotebookNode) -> tuple[bytes, str] | None:
    """Return PNG and text alternative of the figure meant for the README, if there is one."""
    for cell in nb.cells:
        if README_TAG in tags(cell):
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    alt = output.metadata.get("image/png", {}).get("alt", "")
                    return base64.b64decode(output.data["image/png"]), alt
    return None


def from_source(made: Notebook) -> NotebookNode:
    """Return the notebook of a source, without outputs, with ids that its text decides."""
    read = _read(made)
    if made.kind.outcome:
        read = edition(read, made.kind)
    nb = nbformat.v4.new_notebook()
    nb.metadata.update(kernelspec=KERNELSPEC, language_info=LANGUAGE)
    seen: Counter[str] = Counter()
    for cell in read.cells:
        if cell.cell_type == "markdown":
            cell.source = with_quiz(cell.source, made.root)
        text = f"{made.name}\0{cell.source}\0{seen[cell.source]}"
        seen[cell.source] += 1
        cell.id = hashlib.sha256(text.encode()).hexdigest()[:12]
        for key in [key for key in cell.metadata if key.startswith("lines_to_")]:
            del cell.metadata[key]  # jupytext's notes on blank lines
        nb.cells.append(cell)
    return nb


def text_problems(made: Notebook, nb: NotebookNode) -> list[str]:
    """Return which parts a notebook that teaches lacks, or what is wrong with an exercise."""
    if made.kind is EXERCISE:
        return edition_problems(nb, _read(made))
    return lesson_problems(nb, made.kind) if made.kind.closing else []


def build(made: Notebook, timeout: float = CELL_TIMEOUT) -> None:
    """Execute one source and write its notebook, or raise Refused and write nothing."""
    # Both are taken before the run, so that a change during the run counts as a change.
    hashes = {"source_sha256": notebook_hash(made), "package_sha256": package_hash(made.root)}
    nb = from_source(made)
    private = private_texts(made.root)
    _refuse(source_problems(nb, private))
    if made.kind.outcome:
        _refuse(text_problems(made, nb))
    made.path.parent.mkdir(exist_ok=True)
    execute(nb, made.path.parent, made.root, timeout)
    _refuse(problems(nb, private))
    if made.kind.outcome:
        _refuse(outcome_problems(nb, made.kind))
    nb.metadata["resnet_lesson"] = hashes
    _write(made.path, (nbformat.writes(nb).rstrip("\n") + "\n").encode())


def write_figure(made: Notebook) -> None:
    """Write the README's figure from the notebook on disk, if it has one and it differs."""
    nb = nbformat.read(made.path, as_version=4)
    if _figure_reasons(made, nb):
        _write(made.figure, readme_figure(nb)[0])


def private_texts(root: Path = ROOT) -> list[str]:
    """Return paths and names of this machine that no notebook may show."""
    paths = [str(Path.home()), str(root.resolve()), str(Path(tempfile.gettempdir()).resolve())]
    try:
        names = [getpass.getuser(), socket.gethostname()]
    except (OSError, KeyError, ImportError):  # a user without a name, as in some containers
        names = [socket.gethostname()]
    return [path for path in paths if len(Path(path).parts) > 1] + [
        name for name in names if len(name) > 2 and name.lower() not in COMMON_NAMES
    ]


def _reasons(made: Notebook, package: str) -> list[str]:
    if not made.path.exists():
        return [MISSING]
    try:
        nb = nbformat.read(made.path, as_version=4)
        recorded = nb.metadata["resnet_lesson"]
        cells = [(cell.cell_type, cell.get("id"), cell.source) for cell in nb.cells]
        reasons = [] if recorded["source_sha256"] == notebook_hash(made) else [SOURCE]
        expected = [(cell.cell_type, cell.id, cell.source) for cell in from_source(made).cells]
        if not reasons and cells != expected:
            reasons.append(EDITED)
        if recorded["package_sha256"] != package:
            reasons.append(PACKAGE)
    except (KeyError, AttributeError, TypeError, ValueError, nbformat.ValidationError):
        return [UNREADABLE]
    return reasons + _figure_reasons(made, nb)


def _figure_reasons(made: Notebook, nb: NotebookNode) -> list[str]:
    figure = readme_figure(nb)
    if figure is None or (made.figure.exists() and made.figure.read_bytes() == figure[0]):
        return []
    return [FIGURE]


def _read(made: Notebook) -> NotebookNode:
    text = without_slides(made.source.read_text(encoding="utf-8"))
    return jupytext.reads(text, fmt=SOURCE_FORMAT)


def _refuse(found: list[str]) -> None:
    if found:
        raise Refused("\n  ".join(found))


def _write(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def run(chosen: dict[Notebook, list[str]], force: bool) -> int:
    """Build what is out of date among the chosen; return the exit code."""
    failed = []
    for made, reasons in chosen.items():
        if not reasons and not force:
            print(f"{made.name}: up to date")
            continue
        try:
            if force or set(reasons) != {FIGURE}:
                print(f"{made.name}: building ({', '.join(reasons) or 'forced'})", flush=True)
                for note in [] if made.kind.outcome else text_problems(made, from_source(made)):
                    print(f"  note: {note}")
                start = time.monotonic()
                build(made)
                seconds, size = time.monotonic() - start, made.path.stat().st_size
                print(f"{made.name}: written, {seconds:.0f} s, {size / 1000:.0f} kB", flush=True)
            write_figure(made)
        except (Refused, OSError) as error:
            failed.append(made.name)
            print(f"{made.name}: not written, the old file is unchanged\n  {error}", flush=True)
    if failed:
        print(f"{len(failed)} not written: {', '.join(failed)}")
    return 1 if failed else 0


def check(chosen: dict[Notebook, list[str]], lost: Sequence[Path], package: bool) -> int:
    """Print what is out of date and what has no source; return 1 if that is an error."""
    for made, reasons in chosen.items():
        print(f"{made.name}: {', '.join(reasons) or 'up to date'}")
    for path in lost:
        print(f"{path.stem}: has no source in notebooks/src")
    ignored = set() if package else {PACKAGE}
    return 1 if lost or any(set(reasons) - ignored for reasons in chosen.values()) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NN", help="only these, by number or name")
    parser.add_argument("--check", action="store_true", help="say what is out of date, no more")
    parser.add_argument(
        "--check-package", action="store_true", help="as --check; a changed package fails too"
    )
    parser.add_argument("--force", action="store_true", help="rebuild also what is up to date")
    parser.add_argument("--root", type=Path, default=ROOT, help="the course's folder")
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    known = [made.name for made in notebooks(root)]
    for name in options.names:
        if not any(stem.startswith(name) for stem in known):
            there = ", ".join(known) or "none"
            print(f"No notebook starts with {name!r}; there are: {there}.", file=sys.stderr)
            return 2
    wanted = tuple(options.names) or ("",)
    try:
        found = status(root)
        chosen = {made: found[made] for made in found if made.name.startswith(wanted)}
        if options.check or options.check_package:
            lost = [] if options.names else orphans(root)
            return check(chosen, lost, options.check_package)
        return run(chosen, options.force)
    except KeyboardInterrupt:
        print("\nInterrupted. The notebook in work was not written.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
