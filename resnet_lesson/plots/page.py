"""What goes on a notebook's page: figures with their text alternatives, and tables."""

import io
import re

import matplotlib.pyplot as plt
import PIL.Image
from IPython.display import Image, Markdown, display
from matplotlib.axes import Axes

from resnet_lesson.plumbing.constraints import TEXT, ListOf, checked, instance

# Drawn finer than shown, so that a projector or a sharp screen shows no steps.
DPI, SHOWN_DPI = 160, 88


# JupyterLab gives a picture no text alternative, so it lies folded up beside the picture.
IN_WORDS = "<details><summary>The figure in words</summary>\n\n{}\n\n</details>"


@checked(ax=instance("matplotlib Axes", Axes), alt=TEXT, caption=TEXT | None)
def show(ax, alt, caption=None):
    """Show a figure in a notebook, with caption and text alternative, and close it.

    Args:
        ax: matplotlib Axes; the whole figure that it belongs to is shown.
        alt: text alternative: what the picture shows, for those who cannot see it.
        caption: what to notice; Markdown.

    Raises:
        TypeError: ``ax`` is no Axes, or a text is none.
    """
    content = png(ax, DPI, bbox_inches="tight")
    pixels = int.from_bytes(content[16:20], "big")  # the width stands at the start of a PNG
    width = round(pixels * SHOWN_DPI / DPI)
    display(Image(content, format="png", width=width, metadata={"alt": alt}))
    words = IN_WORDS.format(alt)
    display(Markdown(f"{caption}\n\n{words}" if caption else words))


def picture(ax, dpi=SHOWN_DPI, **options):
    """Return the figure that the Axes belong to as a Pillow image, and close it."""
    content = io.BytesIO()
    ax.figure.savefig(content, dpi=dpi, facecolor="white", **options)
    plt.close(ax.figure)
    return PIL.Image.open(content).convert("RGB")


def png(ax, dpi=SHOWN_DPI, **options):
    """Return the figure that the Axes belong to as the bytes of a PNG, and close it."""
    # In 256 colours, none of them off by as much as an eye sees, it is a third as large.
    colours = {"method": PIL.Image.Quantize.MAXCOVERAGE, "dither": PIL.Image.Dither.NONE}
    content = io.BytesIO()
    picture(ax, dpi, **options).quantize(256, **colours).save(content, "PNG", optimize=True)
    return content.getvalue()


@checked(header=ListOf(), rows=ListOf(ListOf(), least=0))
def table(header, rows):
    """Show a table in a notebook.

    Args:
        header: column titles.
        rows: lists of cells. A column of numbers is aligned to the right, any other to the left.

    Raises:
        TypeError, ValueError: there is no column, or a row has more or fewer cells than columns.
    """
    lines = [[str(cell).replace("|", r"\|") for cell in line] for line in (header, *rows)]
    numeric = [
        all(re.fullmatch(r"-?[\d.]+ ?%?|—", cell) for cell in column)
        for _, *column in zip(*lines, strict=True)
    ]
    lines.insert(1, ["---:" if right else ":---" for right in numeric])
    display(Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines)))
