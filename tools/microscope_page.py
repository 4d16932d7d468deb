"""The microscope as a piece of a page that needs no kernel, no network and no other file."""

import base64
from html import escape
from pathlib import Path

from resnet_lesson.widgets import microscope

START = Path(__file__).with_name("microscope_page.js")
# Chromium refuses modules of their own files where a page is opened from a disk, so all is inline.
PIECE = """\
<div id="microscope" data-state="{state}">
<noscript>
<p>Here is a microscope for residual networks, which needs JavaScript: three networks read a digit
in the page, and you can take out blocks, fade shortcuts, and see what each still reads. This is how
many of 10,000 test digits they misread, untouched:</p>
<table><thead><tr><th scope="col">network</th><th scope="col">layers</th>
<th scope="col">misread</th></tr></thead><tbody>{rows}</tbody></table>
</noscript>
</div>
{blocks}
<script type="module">
{script}
</script>
"""
ROW = "<tr><td>{kind}</td><td>{depth}</td><td>{test_mistakes}</td></tr>"
BLOCK = '<script type="text/plain" data-microscope="{name}">{data}</script>'


def piece(state: str = "") -> str:
    """Return the HTML of the microscope, to be put into a page once.

    Args:
        state: what it shows where the address names nothing, as in ``"depth=56&digit=3&open=r5"``.
    """
    data = microscope.page_data()
    about, _ = microscope.from_bytes(data["networks"])
    blocks = [
        BLOCK.format(name=name, data=base64.b64encode(part).decode()) for name, part in data.items()
    ]
    script = microscope.SCRIPT.read_text("utf-8") + START.read_text("utf-8")
    assert "</script" not in script.lower(), "it would end there"
    rows = [
        ROW.format(**{name: escape(str(value)) for name, value in said.items()})
        for said in about["networks"]
    ]
    parts = {"rows": "".join(rows), "blocks": "\n".join(blocks), "script": script}
    return PIECE.format(state=escape(state), **parts)


def bare_page() -> str:
    """Return a page that has the microscope and nothing else, for tests and for a talk."""
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,"><title>A microscope for residual networks</title>'
        "<style>:root { color-scheme: light dark; background: Canvas; color: CanvasText } "
        "body { background: Canvas; font-family: sans-serif; "
        "max-width: 1000px; margin: 1em auto; padding: 0 12px }</style></head><body><main>"
        "<h1>A microscope for residual networks</h1><h2>Three networks</h2>"
    )
    return f"{head}{piece()}</main></body></html>"
