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
