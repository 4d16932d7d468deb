"""A field to draw a digit in, with a mouse, a finger or the keys, and what a network reads there.

It is a widget of the library anywidget, which works in JupyterLab, VS Code and Colab without any
file from outside. Without that library, or without a running kernel, a photo does the same service.
"""

from pathlib import Path

import numpy as np
from IPython.display import display
from PIL import Image, ImageDraw

from resnet_lesson.handwriting import FIELD, like_mnist
from resnet_lesson.plumbing.constraints import FUNCTION, ListOf, Numbers, checked

SIDE, PEN = 280, 22
INK, PAPER = 30, 255


@checked(read=FUNCTION)
def draw_digit(read):
    """Show a field to draw in, and beside it what the network sees and reads.

    Args:
        read: function: uint8 (28, 28), as ``like_mnist`` makes it → the ten probabilities.

    Returns:
        the field, an ``anywidget.AnyWidget``; None if that library is not installed.

    Raises:
        TypeError: ``read`` is no function.
    """
    try:
        import anywidget
        import traitlets
    except ImportError:
        print("The package anywidget is not installed, so there is no field to draw in.")
        return None

    class Pad(anywidget.AnyWidget):
        """The field. Its strokes come from the browser; what is seen and the answer go there."""

        _esm = Path(__file__).with_name("pad.js").read_text(encoding="utf-8")
        side, pen, field = (traitlets.Int(size).tag(sync=True) for size in (SIDE, PEN, FIELD))
        strokes = traitlets.List().tag(sync=True)
        seen = traitlets.List().tag(sync=True)
        answer = traitlets.Unicode().tag(sync=True)

    pad = Pad()

    def look(_):
        """Answer to what the browser has drawn."""
        if not pad.strokes:
            pad.seen, pad.answer = [0] * FIELD**2, "Draw a digit."
            return
        try:
            image = like_mnist(rasterise(pad.strokes)).centred
        except ValueError:  # strokes that lie far apart
            pad.seen, pad.answer = [0] * FIELD**2, "These look like several digits. Draw one."
            return
        probabilities = np.asarray(read(image))
        best = probabilities.argsort()[::-1][:3]
        pad.seen = image.ravel().tolist()
        pad.answer = "Read: " + ", ".join(f"{d} ({probabilities[d]:.1%})" for d in best)

    look(None)
    pad.observe(look, "strokes")
    print("Below is a field to draw in, as long as a kernel runs.")
    display(pad)
    return pad


@checked(strokes=ListOf(Numbers((None, 2)), least=0))
def rasterise(strokes):
    """Draw strokes as with a thick pen.

    Args:
        strokes: list of strokes, each a list of points (x, y) in pixels from the upper left corner
            of a field of 280 × 280.

    Returns:
        uint8 array, shape (280, 280): dark ink on white paper.

    Raises:
        TypeError, ValueError: there are no such strokes.
    """
    page = Image.new("L", (SIDE, SIDE), PAPER)
    pen = ImageDraw.Draw(page)
    for stroke in strokes:
        pen.line(stroke.ravel().tolist(), fill=INK, width=PEN, joint="curve")
        for x, y in (stroke[0], stroke[-1]):  # round ends
            pen.ellipse([x - PEN / 2, y - PEN / 2, x + PEN / 2, y + PEN / 2], fill=INK)
    return np.asarray(page)
