"""Figures with sliders, which move with a kernel and without one: in a notebook and on a page.

All pictures are drawn beforehand, so a slider answers at once, and a reader who only opens a page
has it too. Where no script runs, in print or on a site that shows notebooks, the first picture is
there and complete.
"""

import base64
import io
import itertools
import json
from html import escape
from pathlib import Path

from IPython.display import display

from resnet_lesson import plots
from resnet_lesson.plots.page import SHOWN_DPI, picture
from resnet_lesson.plumbing.constraints import FUNCTION, Dictionary, checked

SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
# A picture takes some 8 kB so; a notebook holds dozens of them.
DPI, COLOURS = 120, 32
WORDS = "Sliders appear here when this cell is run. The picture above is the first of them."
SLIDER = """\
<label style="display: block">{name} <input type="range" min="0" max="{last}" value="{at}"
 aria-valuetext="{value}" data-values="{values}" style="width: min(20em, 60%)">
<output aria-hidden="true">{value}</output></label>
"""
PAGE = """\
<div id="explore-{name}" hidden>
<script type="application/json">{frames}</script>
{sliders}</div>
<script>
{script}</script>
"""


@checked(draw=FUNCTION, start=Dictionary())
def explore(draw, start, **choices):
    """Show a figure, and sliders that change it.

    Args:
        draw: function of the named values → (Axes, text alternative), as those of ``plots``. It
            draws each combination of the choices once; its name must be unique in its notebook.
        start: dictionary: name → value of the first picture.
        choices: name → list of the values that its slider can take, in order. 60 combinations are
            half a megabyte.

    Raises:
        TypeError, ValueError: ``draw`` is no function, or ``start`` no dictionary of its arguments.

    Example::

        def power(n):
            return plots.curves([1, 2], {"x": [1, 2**n]}, "x", f"x to the {n}")

        widgets.explore(power, {"n": 2}, n=[1, 2, 3])
    """
    plots.show(*draw(**start))
    choices = {name: list(values) for name, values in choices.items()}
    frames = []
    for values in itertools.product(*choices.values()):
        ax, alt = draw(**dict(zip(choices, values, strict=True)))
        width = round(ax.figure.get_figwidth() * SHOWN_DPI)
        frames.append([_small(ax), alt])
    name = getattr(draw, "__name__", "figure").strip("<>")  # of a lambda, too
    parts = {
        "name": name,
        "frames": json.dumps(frames, ensure_ascii=False).replace("</", "<\\/"),
        "sliders": "".join(_slider(name, start[name], choices[name]) for name in choices),
        "script": SCRIPT.replace("/* name */", name).replace("/* width */", str(width)),
    }
    display({"text/html": PAGE.format(**parts), "text/plain": WORDS}, raw=True)


def _small(ax):
    """Return the figure that the Axes belong to as a small WebP, in base64, and close it."""
    content = io.BytesIO()
    picture(ax, DPI).quantize(COLOURS).convert("RGB").save(content, "WEBP", lossless=True)
    return base64.b64encode(content.getvalue()).decode()


def _slider(name, value, values):
    texts = [f"{one:g}" if isinstance(one, float) else str(one) for one in values]
    return SLIDER.format(
        name=name.replace("_", " "),
        last=len(values) - 1,
        at=values.index(value),
        value=escape(texts[values.index(value)]),
        values=escape(json.dumps(texts, ensure_ascii=False)),
    )
