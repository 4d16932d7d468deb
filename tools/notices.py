"""The licences of what others wrote and the site and the slides carry along.

docs/licences.md names all of them; their texts come from the packages that are installed.
"""

from importlib.metadata import files
from pathlib import Path

SITE = (
    "accessible-pygments",
    "jupyterquiz",
    "myst-nb",
    "pydata-sphinx-theme",
    "snowballstemmer",
    "sphinx",
    "sphinx-book-theme",
)
SLIDES = ("jupyterlab", "nbconvert")


def write(packages: tuple[str, ...], folder: Path) -> None:
    """Write the licence of each package into a folder."""
    folder.mkdir(parents=True)
    for package in packages:
        path = next(f for f in files(package) if f.stem.upper() in ("LICENSE", "COPYING"))
        (folder / f"{package}.txt").write_text(path.read_text("utf-8"), encoding="utf-8")
