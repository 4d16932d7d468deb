"""Build all that a release publishes: ``make release REPOSITORY=owner/name TAG=v0.2.0``.

Into build/release come the site with its book, the decks with their PDFs and the Colab edition, a
zip each, the package as a wheel, and the changelog's section as notes. The workflow `release` does
it on a tag, publishes the site, and commits the Colab edition on top of the tag, to the branch that
its badges and links point at. A tag that is not the version's, or that the changelog does not know,
is refused before anything is built.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import book
import chromium
import colab
import slides
from notebook_kinds import ROOT

FOLDER = "build/release"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tools/release.py")
    parser.add_argument("--repository", default="", help="owner/name on GitHub")
    parser.add_argument("--tag", default="", help="such as v0.2.0")
    options = parser.parse_args(arguments)
    wrong = refusal(options.repository, options.tag)
    if wrong:
        print(wrong, file=sys.stderr)
        return 1
    target = ROOT / FOLDER
    shutil.rmtree(target, ignore_errors=True)
    steps = (
        lambda: book.main(["--pdf", "--repository", options.repository]),
        lambda: slides.main(["--pdf"]),
        lambda: colab.main(["--repository", options.repository, "--tag", branch(options.tag)]),
        lambda: wheel(target),
    )
    if any(step() for step in steps):  # a step that fails has said why, and is the last one
        return 1
    built = {"site": book.SITE, "slides": slides.DECKS, "colab": colab.EDITION}
    for name, folder in built.items():
        shutil.make_archive(str(target / name), "zip", ROOT / folder)
    (target / "notes.md").write_text(notes(options.tag), encoding="utf-8")
    print(f"The release is in {FOLDER}.")
    return 0


def refusal(repository: str, tag: str) -> str | None:
    """Return why there can be no such release, or None."""
    version = colab.version()
    if not colab.REPOSITORY.fullmatch(repository):
        return f"REPOSITORY must be owner/name. Received: REPOSITORY={repository}"
    if tag != f"v{version}":
        return f"TAG must be v{version}, since {version} is the package's version. Received: {tag}"
    if not notes(tag):
        return f"CHANGELOG.md must have a section ## [{version}] that says what is new."
    return None if chromium.found() else chromium.MISSING


def branch(tag: str) -> str:
    """Return the branch that has the Colab edition of a tag."""
    return f"colab-{tag}"


def notes(tag: str) -> str:
    """Return what the changelog says of a version, empty if it says nothing."""
    heading = rf"^## \[{re.escape(tag.removeprefix('v'))}\].*?$(.*?)(?=^## |\Z)"
    found = re.search(heading, (ROOT / "CHANGELOG.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return found[1].strip() + "\n" if found and found[1].strip() else ""


def wheel(target: Path) -> int:
    """Pack the package into the folder; return the exit status."""
    command = [sys.executable, "-m", "flit_core.wheel", "--outdir", str(target)]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
