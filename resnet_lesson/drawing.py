"""A field to draw a digit in, with a mouse, a finger or the keys, and what a network reads there.

It is a widget of the library anywidget, which works in JupyterLab, VS Code and Colab without any
file from outside. Without that library, or without a running kernel, a photo does the same service.
"""

import numpy as np
from IPython.display import display
from PIL import Image, ImageDraw

from resnet_lesson.arguments import array, function, sequence
from resnet_lesson.handwriting import FIELD, like_mnist

try:
    import anywidget
    import traitlets
except ImportError:  # then `show` says so
    anywidget = None

SIDE, PEN = 280, 22
INK, PAPER = 30, 255

_SCRIPT = """
function render({ model, el }) {
  const side = model.get("side"), pen = model.get("pen"), field = model.get("field");
  el.innerHTML = `<div class="resnet-pad">
    <style>
      .resnet-pad { display: flex; flex-wrap: wrap; gap: 1em; }
      .resnet-pad canvas { border: 2px solid #777; background: white; max-width: 100%; }
      .resnet-pad .field { touch-action: none; cursor: crosshair; }
      .resnet-pad .seen { background: black; image-rendering: pixelated; width: ${5 * field}px; }
    </style>
    <div><canvas class="field" tabindex="0" role="img" width="${side}" height="${side}" aria-label=
      "A field to draw one digit in. Arrow keys move the pen, the space bar puts it down and lifts
      it."></canvas><br><button type="button">Clear</button></div>
    <div><canvas class="seen" role="img" width="${field}" height="${field}" aria-label=
      "What the network sees: the digit, cropped, scaled and centred."></canvas>
      <p role="status"></p></div></div>`;
  const [canvas, seen] = el.querySelectorAll("canvas"), context = canvas.getContext("2d");
  let strokes = model.get("strokes").slice(), stroke = null, down = false;
  let x = side / 2, y = side / 2;
  function draw() {
    context.clearRect(0, 0, side, side);
    Object.assign(context, { lineWidth: pen, lineCap: "round", lineJoin: "round" });
    context.strokeStyle = "#1e1e1e";
    for (const points of stroke ? [...strokes, stroke] : strokes) {
      context.beginPath();
      context.moveTo(...points[0]);
      points.forEach((point) => context.lineTo(...point));
      context.lineTo(points.at(-1)[0] + 0.1, points.at(-1)[1]);  // a dot is seen, too
      context.stroke();
    }
    if (document.activeElement === canvas) {  // where the pen of the keys is
      Object.assign(context, { lineWidth: 2, strokeStyle: down ? "#c00" : "#06c" });
      context.strokeRect(x - pen / 2, y - pen / 2, pen, pen);
    }
  }
  function send() { model.set("strokes", strokes.slice()); model.save_changes(); draw(); }
  function lift() { if (stroke) { strokes.push(stroke); stroke = null; send(); } }
  function at(event) {
    const box = canvas.getBoundingClientRect(), scale = side / canvas.clientWidth;
    x = (event.clientX - box.left - canvas.clientLeft) * scale;
    y = (event.clientY - box.top - canvas.clientTop) * scale;
    return [x, y];
  }
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    lift(); down = false; stroke = [at(event)]; draw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (stroke && event.buttons) { stroke.push(at(event)); draw(); }
  });
  for (const end of ["pointerup", "pointercancel"]) { canvas.addEventListener(end, lift); }
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      down = !down;
      if (down) { stroke = [[x, y]]; } else { lift(); }
    } else if (event.key in steps) {
      const [right, below] = steps[event.key];
      x = Math.min(Math.max(x + 10 * right, 0), side);
      y = Math.min(Math.max(y + 10 * below, 0), side);
      if (down) { stroke.push([x, y]); }
    } else { return; }
    event.preventDefault(); event.stopPropagation();  // else the notebook takes them
    draw();
  });
  for (const change of ["focus", "blur"]) { canvas.addEventListener(change, draw); }
  el.querySelector("button").addEventListener("click", () => {
    strokes = []; stroke = null; down = false; send();
  });
  function answer() {
    el.querySelector("p").textContent = model.get("answer");
    const image = new ImageData(field, field);
    model.get("seen").forEach((level, i) => image.data.set([level, level, level, 255], 4 * i));
    seen.getContext("2d").putImageData(image, 0, 0);
  }
  model.on("change:answer", answer); model.on("change:seen", answer);
  draw(); answer();
}
export default { render };
"""


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
    for stroke in sequence("strokes", strokes, least=0):
        points = [tuple(point) for point in array("strokes", stroke, (None, 2)).tolist()]
        pen.line(points, fill=INK, width=PEN, joint="curve")
        for x, y in (points[0], points[-1]):  # round ends
            pen.ellipse([x - PEN / 2, y - PEN / 2, x + PEN / 2, y + PEN / 2], fill=INK)
    return np.asarray(page)


def show(read):
    """Show a field to draw in, and beside it what the network sees and reads.

    Args:
        read: function: uint8 (28, 28), as ``like_mnist`` makes it → the ten probabilities.

    Returns:
        ``DrawingPad``, or None if the library anywidget is not installed.

    Raises:
        TypeError: ``read`` is no function.
    """
    function("read", read)
    if anywidget is None:
        print("The package anywidget is not installed, so there is no field to draw in.")
        return None
    print("Below is a field to draw in, as long as a kernel runs.")
    pad = DrawingPad(read)
    display(pad)
    return pad


if anywidget is not None:

    class DrawingPad(anywidget.AnyWidget):
        """The field. Its strokes come from the browser; the answer goes there."""

        _esm = _SCRIPT
        side, pen, field = (traitlets.Int(size).tag(sync=True) for size in (SIDE, PEN, FIELD))
        strokes = traitlets.List().tag(sync=True)
        answer = traitlets.Unicode().tag(sync=True)
        seen = traitlets.List().tag(sync=True)

        def __init__(self, read):
            """Make an empty field; ``read`` as in ``show``."""
            super().__init__()
            self._read = read
            self._look()

        def image(self):
            """Return the drawing: uint8 (280, 280), dark on white, as ``like_mnist`` takes it."""
            return rasterise(self.strokes)

        @traitlets.observe("strokes")
        def _look(self, _=None):
            if not self.strokes:
                self.seen, self.answer = [0] * FIELD**2, "Draw a digit."
                return
            image = like_mnist(self.image()).centred
            probabilities = np.asarray(self._read(image))
            best = probabilities.argsort()[::-1][:3]
            self.seen = image.ravel().tolist()
            self.answer = "Read: " + ", ".join(f"{d} ({probabilities[d]:.1%})" for d in best)
