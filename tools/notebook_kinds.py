"""The kinds of notebook that the course has, and where the source of each one lies.

Whatever walks the notebooks asks here: builder, checks, site, slides, Colab edition, margins,
benchmarks and tests. So a new kind is one entry of KINDS, and its list in docs/index.md or
docs/sheets.md.

Only the standard library is imported: some who ask run beside a lesson whose memory is limited.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Kind:
    """A kind of notebook: its folders, and what each notebook of it must have."""

    folder: str  # of the notebooks, in notebooks/
    sources: str  # of what they are built from, in notebooks/src/
    # A notebook that teaches ends with these headings, in this order. Another, such as Exercises,
    # may stand between. It also says at its top what it is for, and how long it takes.
    closing: tuple[str, ...] = ()
    minutes: int | None = None  # reading and computing together, at most
    # One that asks has checks instead, and this is how each of them must end.
    outcome: str = ""


LESSON = Kind("", "", closing=("Summary", "Quiz", "References"))
DEEPER = Kind("deeper", "deeper", closing=("Summary", "References"), minutes=15)
EXERCISE = Kind("exercises", "exercises", outcome="not attempted")
SOLUTION = Kind("solutions", "exercises", outcome="passed")
KINDS = (LESSON, DEEPER, EXERCISE, SOLUTION)


@dataclass(frozen=True)
class Notebook:
    """A notebook of the course, built or not: a source may give several, of different kinds."""

    root: Path
    kind: Kind
    stem: str  # number and topic, such as 04_plain_vs_residual

    @property
    def name(self) -> str:
        """The path in notebooks/, such as `04_plain_vs_residual` or `exercises/04_plain_…`."""
        return f"{self.kind.folder}/{self.stem}".lstrip("/")

    @property
    def number(self) -> str:
        """The number of the lesson that it is, or belongs to."""
        return self.stem[:2]

    @property
    def source(self) -> Path:
        """The text that authors edit."""
        return self.root / "notebooks" / "src" / self.kind.sources / f"{self.stem}.py"

    @property
    def path(self) -> Path:
        """The notebook that readers open."""
        return self.root / "notebooks" / f"{self.name}.ipynb"

    @property
    def figure(self) -> Path:
        """Where its figure for the README lies, if it has one."""
        return self.root / "docs" / "images" / f"{self.name.replace('/', '_')}.png"


def notebooks(root: Path = ROOT) -> list[Notebook]:
    """Return all notebooks that the sources give, lessons first."""
    return [
        Notebook(root, kind, source.stem)
        for kind in KINDS
        for source in sorted((root / "notebooks" / "src" / kind.sources).glob("*.py"))
    ]


def prose(nb) -> str:
    """Return the Markdown cells of a notebook, as nbformat has read it, one after the other."""
    return "\n\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


def title(nb) -> str:
    """Return the heading that a notebook begins with."""
    return nb.cells[0].source.partition("\n")[0].removeprefix("# ")


def short_name(name: str) -> str:
    """Return what a list calls a notebook: ``03`` the lesson, ``03: receptive fields`` another."""
    folder, _, stem = name.rpartition("/")
    return f"{stem[:2]}: {stem[3:].replace('_', ' ')}" if folder else stem[:2]
