"""The microscope as a piece of a page that needs no kernel, no network and no other file."""

import base64
import functools
from html import escape
from pathlib import Path

from resnet_lesson import plots
from resnet_lesson.plots.page import png
from resnet_lesson.studies import read_study
from resnet_lesson.widgets import microscope

START = Path(__file__).with_name("microscope_page.js")
# Chromium refuses modules of their own files where a page is opened from a disk, so all is inline.
PIECE = """\
<div id="microscope" data-state="{state}">
<noscript>
<p>Here is a microscope for residual networks, which needs JavaScript: three networks read a digit
in the page, and you can take out blocks, fade shortcuts, and see what each still reads. Taking out
one block at a time, this is what its study found:</p>
{figure}
</noscript>
</div>
{blocks}
<script type="module">
{script}
</script>
"""
FIGURE = """\
<figure><img alt="{alt}" src="data:image/png;base64,{image}" style="max-width: 100%">
<figcaption>Of 2,000 test digits, how many are misread with one block taken out: three networks of
each kind, of 56 layers. (Block 10 changes the shape and cannot go.)</figcaption></figure>
"""
BLOCK = '<script type="text/plain" data-microscope="{name}">{data}</script>'


def piece(state: str = "") -> str:
    """Return the HTML of the microscope, to be put into a page once.

    Args:
        state: what it shows where the address names nothing, as in ``"depth=56&digit=3&open=r5"``.
    """
    data = microscope.page_data()
    blocks = [
        BLOCK.format(name=name, data=base64.b64encode(part).decode()) for name, part in data.items()
    ]
    script = microscope.SCRIPT.read_text("utf-8") + START.read_text("utf-8")
    assert "</script" not in script.lower(), "it would end there"
    parts = {"figure": study_figure(), "blocks": "\n".join(blocks), "script": script}
    return PIECE.format(state=escape(state), **parts)


@functools.cache  # it stands on several pages
def study_figure() -> str:
    """Return, as HTML, what taking out a block costs in the networks of the microscope's study."""
    found: dict[str, list[list[int]]] = {}
    for result in read_study("04_microscope")["results"]:
        if result["task"].get("depth") == 56 and "block_off" in result:
            mistakes = list(result["block_off"].values())
            found.setdefault(result["task"]["kind"], []).append(mistakes)
    places = [*range(1, 10), *range(11, 19)]
    ax, alt = plots.curves(places, found, "block taken out", "misread, of 2,000 test digits")
    image = base64.b64encode(png(ax)).decode()
    return FIGURE.format(alt=escape(alt), image=image)


def bare_page() -> str:
    """Return a page that has the microscope and nothing else, for tests and for a talk."""
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,"><title>A microscope for residual networks</title>'
        "<style>:root { color-scheme: light dark; background: Canvas; color: CanvasText } "
        "body { background: Canvas; font-family: sans-serif; "
        "max-width: 1000px; margin: 1em auto; padding: 0 12px } "
        # The frame of a slide is low: what is switched comes first, what is explained is left out.
        ".framed body { max-width: none; margin-top: 4px } "
        ".framed :is(h1, h2) { position: absolute; clip-path: inset(50%) } "
        ".framed .scope { display: flex; flex-direction: column; font-size: 1.1rem } "
        ".framed .scope > .block { order: -1; padding: 4px 10px; margin-bottom: 6px } "
        ".framed .scope > :is(.strip, .digit, .race) { order: 1 } "
        ".framed .scope .block > :nth-child(n + 3) { display: none } "
        ".framed .scope :is(.what, .key, .source, .noted, .stages .small) { display: none } "
        # And what the last row has to read is large.
        ".framed .scope :is(.reads, .fading label) { font-size: 1.2em } "
        ".framed .scope .reads b { font-size: 2.2em } .framed .scope .count { font-size: 1.3em } "
        ".framed .scope .count b { font-size: 1.7em } .framed .scope .bars10 i { height: 26px } "
        ".framed .scope .tile .guess { font-size: .95em } "
        ".framed .scope > .strip { margin-top: 3em }</style>"
        '<script>if (self !== top) document.documentElement.className = "framed"</script>'
        "</head><body><main>"
        "<h1>A microscope for residual networks</h1><h2>Three networks</h2>"
    )
    return f"{head}{piece()}</main></body></html>"
