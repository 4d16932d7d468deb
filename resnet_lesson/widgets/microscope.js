// A microscope for residual networks: trained networks that run in the page, and can be broken.
//
// The file needs nothing else. Its first half is a lesson: a residual network's forward pass, and
// the training of a small one, in plain loops over arrays. The second half draws what they find.
//
//   1 Reading      bytes become networks and digits
//   2 Forward      convolution, block, network: the idea
//   3 Counting     how many of many digits are read rightly
//   4 Racing       forward, backward, Adam: training in the page
//   5 Working      the same work in a worker or, where there is none, in slices on the page
//   6 State        what is changed, as text for the address
//   7 Drawing      a drawn digit becomes one like MNIST's
//   8 Showing      everything on the screen

// -- 1 Reading ------------------------------------------------------------------------------------

// Four bytes say how long the header is; then the header, JSON; then the arrays that it names.
function unpack(data) {
  const { buffer, byteOffset } = data, view = new DataView(buffer, byteOffset, data.byteLength);
  const start = 4 + view.getUint32(0, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, byteOffset + 4, start - 4));
  const { arrays: places, ...about } = JSON.parse(header), arrays = {};
  for (const [name, [kind, length, place]] of Object.entries(places)) {
    const at = byteOffset + start + place;
    if (kind === "int8") { arrays[name] = new Int8Array(buffer, at, length); }
    if (kind === "uint8") { arrays[name] = new Uint8Array(buffer, at, length); }
    if (kind === "float16") { arrays[name] = halves(view, start + place, length); }
  }
  return { about, arrays };
}

// Numbers of 16 bits: one for the sign, five for the exponent, ten for what follows the point.
function halves(view, place, length) {
  return Float32Array.from({ length }, (_, i) => {
    const bits = view.getUint16(place + 2 * i, true);
    const exponent = (bits >> 10) & 31, fraction = (bits & 1023) / 1024;
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction;
    return bits >> 15 ? -size : size;
  });
}

// A network's layers, cut one after the other from its row of weights and its row of scales.
function networkOf(file, name) {
  const said = file.about.networks.find((one) => one.name === name);
  const rows = {};
  for (const part of ["weights", "scales", "probes"]) {
    rows[part] = { values: file.arrays[`${name} ${part}`], at: 0 };
  }
  const take = (part, length) => {
    const row = rows[part];
    row.at += length;
    return Float32Array.from(row.values.subarray(row.at - length, row.at));
  };
  const layer = (size, stride, inputs, outputs) => ({
    size, stride, inputs, outputs, weights: take("weights", size * size * inputs * outputs),
    scale: take("scales", outputs), shift: take("scales", outputs),
  });
  const [first] = said.widths, perStage = (said.depth - 2) / (3 * said.widths.length);
  const network = { ...said, stem: layer(3, 2, 1, first), blocks: [] };
  let inputs = first;
  said.widths.forEach((width, stage) => {
    for (let number = 0; number < perStage; number++) {
      const stride = stage > 0 && number === 0 ? 2 : 1, inner = width / 2;
      const narrow = layer(1, stride, inputs, inner);  // 1×1: fewer channels
      const look = layer(3, 1, inner, inner);  // 3×3: what lies around each pixel
      const wide = layer(1, 1, inner, width);  // 1×1: all channels again
      const probe = { weights: take("probes", width * 10), biases: take("probes", 10) };
      network.blocks.push({ narrow, look, wide, stride, width, probe });
      inputs = width;
    }
  });
  network.head = layer(1, 1, inputs, 10);
  return network;
}

// The digits of a file, on the scale on which the networks have learnt.
function digitsOf(file) {
  const { side, count, mean, deviation } = file.about;
  const one = (i) => standardised(
    file.arrays.images.subarray(i * side * side, (i + 1) * side * side), mean, deviation);
  return { side, count, labels: file.arrays.labels, levels: file.arrays.images, one };
}

function standardised(levels, mean, deviation) {
  return Float32Array.from(levels, (level) => (level / 255 - mean) / deviation);
}

// -- 2 Forward ------------------------------------------------------------------------------------
//
// What lies between two layers is a tensor: {height, width, channels, values}, the values row by
// row, in each row pixel by pixel, in each pixel channel by channel.

// A convolution and the batch normalisation after it. Once a network is trained, normalising is
// a fixed scale and a fixed shift of each channel, so both are one layer:
//
//   y[pixel, o] = scale[o] · Σ w[i, j, k, o] · x[pixel + (i, j), k] + shift[o]
//
// the sum being over the window's rows i, its columns j and the channels k of x.
function convolve(x, layer, relu) {
  const { size, stride, inputs, outputs, weights, scale, shift } = layer;
  const height = Math.ceil(x.height / stride), width = Math.ceil(x.width / stride);
  // Beyond the edge there are zeros. Of an odd number of them, one more is below and to the right.
  const above = Math.max((height - 1) * stride + size - x.height, 0) >> 1;
  const left = Math.max((width - 1) * stride + size - x.width, 0) >> 1;
  const values = new Float32Array(height * width * outputs), sums = new Float64Array(outputs);
  let to = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      sums.fill(0);
      for (let i = 0; i < size; i++) {
        const r = row * stride + i - above;
        if (r < 0 || r >= x.height) { continue; }
        for (let j = 0; j < size; j++) {
          const c = column * stride + j - left;
          if (c < 0 || c >= x.width) { continue; }
          multiplyAdd(x.values, (r * x.width + c) * inputs, inputs,
            weights, (i * size + j) * inputs * outputs, sums);
        }
      }
      for (let o = 0; o < outputs; o++) {
        const y = sums[o] * scale[o] + shift[o];
        values[to++] = relu && y < 0 ? 0 : y;
      }
    }
  }
  return { height, width, channels: outputs, values };
}

// Add to each sum the products of one pixel's channels with their weights. All time is spent here.
function multiplyAdd(x, from, inputs, weights, at, sums) {
  const outputs = sums.length;
  for (let k = 0; k < inputs; k++) {
    const value = x[from + k];
    if (value !== 0) {  // a ReLU leaves many zeros, and they add nothing
      const w = at + k * outputs;
      for (let o = 0; o < outputs; o++) { sums[o] += value * weights[w + o]; }
    }
  }
}

// What the shortcut carries: x itself. Where the shape changes, every second pixel of x, and
// zeros for the channels that x does not have.
function carry(x, stride, channels) {
  if (stride === 1 && channels === x.channels) { return x; }
  const height = Math.ceil(x.height / stride), width = Math.ceil(x.width / stride);
  const values = new Float32Array(height * width * channels);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = (row * stride * x.width + column * stride) * x.channels;
      values.set(x.values.subarray(from, from + x.channels), (row * width + column) * channels);
    }
  }
  return { height, width, channels, values };
}

// The block, and the whole point: out = ReLU(F(x) + x). Two numbers let a reader interfere. In a
// residual network both are 1. In a plain one the second is 0, and nothing else differs.
function runBlock(x, block, byBranch, byShortcut) {
  const carried = carry(x, block.stride, block.width);
  const narrow = convolve(x, block.narrow, true);
  const branch = convolve(convolve(narrow, block.look, true), block.wide, false);  // F(x)
  const sum = { ...branch, values: new Float32Array(branch.values.length) };
  const out = { ...branch, values: new Float32Array(branch.values.length) };
  for (let i = 0; i < sum.values.length; i++) {
    sum.values[i] = byBranch * branch.values[i] + byShortcut * carried.values[i];
    out.values[i] = Math.max(sum.values[i], 0);
  }
  return { x, carried, branch, sum, out };
}

// The network: a stem, its blocks, the mean of each channel, and ten logits.
// `factors` has for each block what its branch and what its shortcut are multiplied by.
function forward(network, pixels, factors, keep = false) {
  const side = Math.sqrt(pixels.length), steps = [];
  let x = { height: side, width: side, channels: 1, values: pixels };
  x = convolve(x, network.stem, true);
  network.blocks.forEach((block, i) => {
    const step = runBlock(x, block, ...factors[i]);
    if (keep) { steps.push(step); }
    x = step.out;
  });
  const means = { height: 1, width: 1, channels: x.channels, values: channelMeans(x) };
  const logits = convolve(means, network.head, false).values;
  return { logits, probabilities: softmax(logits), steps };
}

function channelMeans(x) {
  const means = new Float64Array(x.channels);
  x.values.forEach((value, i) => { means[i % x.channels] += value; });
  return Float32Array.from(means, (sum) => sum / (x.height * x.width));
}

function softmax(logits) {
  const largest = Math.max(...logits), powers = Array.from(logits, (z) => Math.exp(z - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

// A classifier on the channels' means, as simple as can be: what could be read here already?
function probe(x, { weights, biases }) {
  const scores = Float64Array.from(biases);
  multiplyAdd(channelMeans(x), 0, x.channels, weights, 0, scores);
  return best(scores);
}

function best(values) { return values.indexOf(Math.max(...values)); }

function norm(x) { return Math.sqrt(x.values.reduce((sum, value) => sum + value * value, 0)); }

// -- 3 Counting -----------------------------------------------------------------------------------

// Work is a generator: between two of its steps something else may happen, or it may be given up.
function* countRight(data, wanted, report) {
  const file = unpack(data.networks), digits = digitsOf(unpack(data.digits));
  for (const { key, name, factors } of wanted) {
    const network = networkOf(file, name);
    let right = 0;
    for (let i = 0; i < digits.count; i++) {
      const { logits } = forward(network, digits.one(i), factors);
      right += best(logits) === digits.labels[i];
      yield;
    }
    report({ key, right });
  }
}

// -- 4 Racing -------------------------------------------------------------------------------------
//
// Dense networks, for those train in seconds: a stem, blocks of two layers, ten logits. There is
// no normalisation. A network is a list of layers {inputs, outputs, weights, biases}.

// Random numbers from a seed, the same everywhere: xorshift for the bits, Box-Muller for the bell.
function randomFrom(seed) {
  let bits = (seed * 2654435761 + 88675123) >>> 0 || 1;
  const uniform = () => {
    bits ^= bits << 13; bits ^= bits >>> 17; bits ^= bits << 5;
    return ((bits >>> 0) + 0.5) / 4294967296;
  };
  for (let i = 0; i < 20; i++) { uniform(); }  // the first ones of two seeds are alike
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

// He's first weights: variance 2 / inputs, so that a ReLU's signal keeps its size. With
// `zeroBranches` the second layer of each block starts at zero: F(x) = 0, the block is its shortcut.
function newRacer({ inputs, width, depth, seed, zeroBranches }) {
  const random = randomFrom(seed);
  const layer = (from, to, spread) => ({
    inputs: from, outputs: to, biases: new Float32Array(to),
    weights: Float32Array.from({ length: from * to }, () => spread * random.normal()),
  });
  const layers = [layer(inputs, width, Math.sqrt(2 / inputs))];
  for (let i = 0; i < depth - 2; i++) {
    const made = layer(width, width, Math.sqrt(2 / width));
    if (zeroBranches && i % 2 === 1) { made.weights.fill(0); }
    layers.push(made);
  }
  return [...layers, layer(width, 10, Math.sqrt(2 / width))];
}

// y = x · W + b for a batch, row by row.
function dense(x, layer, count) {
  const { inputs, outputs, weights, biases } = layer;
  const y = new Float32Array(count * outputs), sums = new Float64Array(outputs);
  for (let n = 0; n < count; n++) {
    sums.set(biases);
    multiplyAdd(x, n * inputs, inputs, weights, 0, sums);
    y.set(sums, n * outputs);
  }
  return y;
}

function relu(x) { return x.map((value) => (value > 0 ? value : 0)); }

// The loss of a batch and its gradient. λ multiplies the shortcut: 1 residual, 0 plain.
function lossAndGradients(layers, images, labels, lambda) {
  const count = labels.length, last = layers.length - 1;
  // Forward, and everything that is multiplied by a weight is kept for the way back.
  const taken = [images];
  let x = relu(dense(images, layers[0], count));
  for (let i = 1; i < last; i += 2) {
    const hidden = relu(dense(x, layers[i], count));
    const out = dense(hidden, layers[i + 1], count);
    for (let j = 0; j < out.length; j++) { out[j] = Math.max(out[j] + lambda * x[j], 0); }
    taken.push(x, hidden);
    x = out;
  }
  taken.push(x);
  const logits = dense(x, layers[last], count);

  // The loss is −log p of the right digit; its gradient by the logits is p, less 1 at that digit.
  let loss = 0;
  const flow = new Float32Array(logits.length);
  for (let n = 0; n < count; n++) {
    const p = softmax(logits.subarray(10 * n, 10 * n + 10));
    loss -= Math.log(Math.max(p[labels[n]], 1e-30)) / count;
    p.forEach((value, k) => { flow[10 * n + k] = (value - (k === labels[n])) / count; });
  }

  // Backward: the same path from its end. At each addition the gradient goes both ways, through
  // the branch and, times λ, through the shortcut.
  const gradients = [];
  let back = denseBack(layers[last], taken[last], flow, count, gradients);
  for (let i = last - 2; i >= 1; i -= 2) {
    const out = taken[i + 2];
    const atSum = back.map((value, j) => (out[j] > 0 ? value : 0));
    const hidden = taken[i + 1];
    let inner = denseBack(layers[i + 1], hidden, atSum, count, gradients);
    inner = inner.map((value, j) => (hidden[j] > 0 ? value : 0));
    back = denseBack(layers[i], taken[i], inner, count, gradients);
    for (let j = 0; j < back.length; j++) { back[j] += lambda * atSum[j]; }
  }
  const first = back.map((value, j) => (taken[1][j] > 0 ? value : 0));
  denseBack(layers[0], images, first, count, gradients);
  return { loss, gradients: gradients.reverse() };
}

// From the gradient by a layer's output: by its weights, its biases, and, returned, by its input.
function denseBack({ inputs, outputs, weights: w }, x, flow, count, gradients) {
  const weights = new Float32Array(inputs * outputs), biases = new Float32Array(outputs);
  const back = new Float32Array(count * inputs);
  for (let n = 0; n < count; n++) {
    const from = n * outputs;
    for (let o = 0; o < outputs; o++) { biases[o] += flow[from + o]; }
    for (let k = 0; k < inputs; k++) {
      const value = x[n * inputs + k], row = k * outputs;
      let sum = 0;
      for (let o = 0; o < outputs; o++) {
        sum += flow[from + o] * w[row + o];
        weights[row + o] += value * flow[from + o];
      }
      back[n * inputs + k] = sum;
    }
  }
  gradients.push({ weights, biases });
  return back;
}

// Adam: each weight has a step of its own size, from the mean of its gradients and of their squares.
function adam(layers, rate) {
  const parts = layers.flatMap((layer) => [layer.weights, layer.biases]);
  const means = parts.map((part) => new Float64Array(part.length));
  const squares = parts.map((part) => new Float64Array(part.length));
  let step = 0;
  return (gradients) => {
    step += 1;
    const size = rate * Math.sqrt(1 - 0.999 ** step) / (1 - 0.9 ** step);
    gradients.flatMap(({ weights, biases }) => [weights, biases]).forEach((gradient, p) => {
      const part = parts[p], mean = means[p], square = squares[p];
      for (let i = 0; i < part.length; i++) {
        mean[i] += 0.1 * (gradient[i] - mean[i]);
        square[i] += 0.001 * (gradient[i] ** 2 - square[i]);
        part[i] -= size * mean[i] / (Math.sqrt(square[i]) + 1e-7);
      }
    });
  };
}

// λ stays 1, or is 1 for the first sixth, falls in a straight line, and is 0 from two thirds on.
function lambdaAt(update, updates, fade) {
  return fade ? Math.min(Math.max((4 - 6 * update / updates) / 3, 0), 1) : 1;
}

// All racers see the same images in the same order. Each has its own rate and its own start.
function* race(data, { racers, depth, width, seed, updates, batch, fade }, report) {
  const digits = digitsOf(unpack(data.race_digits)), inputs = digits.side ** 2;
  const images = Array.from({ length: digits.count }, (_, i) => digits.one(i));
  const entered = racers.map(({ kind, rate }) => {
    const zeroBranches = kind === "zero";
    const layers = newRacer({ inputs, width, depth, seed, zeroBranches });
    return { kind, layers, learn: adam(layers, rate) };
  });
  const random = randomFrom(seed + 1000), order = images.map((_, i) => i);
  const taken = new Float32Array(batch * inputs), labels = new Uint8Array(batch);
  let place = order.length;
  for (let update = 0; update < updates; update++) {
    if (place + batch > order.length) {  // a new order
      for (let i = order.length - 1; i > 0; i--) {
        const j = Math.floor(random.uniform() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
      }
      place = 0;
    }
    for (let n = 0; n < batch; n++, place++) {
      taken.set(images[order[place]], n * inputs);
      labels[n] = digits.labels[order[place]];
    }
    const losses = {}, lambda = lambdaAt(update, updates, fade);
    for (const { kind, layers, learn } of entered) {
      const found = lossAndGradients(layers, taken, labels, kind === "plain" ? 0 : lambda);
      losses[kind] = found.loss;
      learn(found.gradients);
      yield;
    }
    report({ update: update + 1, losses, lambda });
  }
}

// -- 5 Working ------------------------------------------------------------------------------------

// Go on with some work for so many milliseconds, then let others have their turn.
function inSlices(work, milliseconds, stopped, ended) {
  const until = performance.now() + milliseconds;
  do {
    if (stopped()) { return; }
    if (work.next().done) { ended(); return; }
  } while (performance.now() < until);
  setTimeout(() => inSlices(work, milliseconds, stopped, ended), 0);
}

// All that a worker needs. Functions write themselves down, so it is not written twice.
const WORK = [
  unpack, halves, networkOf, digitsOf, standardised, convolve, multiplyAdd, carry, runBlock, forward,
  channelMeans, softmax, best, countRight, randomFrom, newRacer, dense, relu, lossAndGradients,
  denseBack, adam, lambdaAt, race, inSlices,
];

// Does one kind of work, always the newest: a new start ends the old one. `data` is what it needs.
function worker(job, data) {
  let current = 0, told = {}, helper = null, settings = null;
  function hear(message) {
    if (message.id !== current) { return; }  // from what has been given up
    if (message.ended) { told.ended(); } else { told.report(message.found); }
  }
  function onThePage() {
    const id = current, work = job(data, settings, (found) => hear({ id, found }));
    inSlices(work, 10, () => id !== current, () => hear({ id, ended: true }));
  }
  function begin() {
    const source = `${WORK.join("\n")}
      let current = 0, data = null;
      onmessage = ({ data: said }) => {
        data = said.data ?? data;
        const id = current = said.id;
        if (!said.settings) { return; }
        const work = ${job.name}(data, said.settings, (found) => postMessage({ id, found }));
        inSlices(work, 40, () => id !== current, () => postMessage({ id, ended: true }));
      };`;
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const made = new Worker(address);
    made.onmessage = (event) => hear(event.data);
    made.onerror = () => {  // forbidden here, as some hosts do
      helper = "none";
      if (settings) { onThePage(); }
    };
    made.postMessage({ data, id: current });
    return made;
  }
  return {
    start(wanted, report, ended) {
      current += 1;
      told = { report, ended };
      settings = wanted;
      if (!helper) { try { helper = begin(); } catch { helper = "none"; } }
      if (helper === "none") { onThePage(); } else { helper.postMessage({ id: current, settings }); }
    },
    stop() {
      current += 1;
      settings = null;
      if (helper && helper !== "none") { helper.postMessage({ id: current }); }
    },
    end() { this.stop(); helper?.terminate?.(); },
  };
}

// -- 6 State --------------------------------------------------------------------------------------
//
// What is shown and what is changed, as text: "depth=56&digit=3&fade=0.5&edits=r7_0_1&open=r7".
// In `edits`, block 7 of the residual network has a branch times 0 and a shortcut times 1: it is
// off. What is drawn stands in `ink`, four bits a pixel.

const KINDS = ["plain", "residual", "faded"];
const LARGEST_FACTOR = 2;

function freshState() { return { depth: 56, digit: 0, ink: null, fade: 1, edits: {}, open: "r5" }; }

function toText(state) {
  const parts = [`depth=${state.depth}`];
  parts.push(state.ink ? `ink=${inkToText(state.ink)}` : `digit=${state.digit}`);
  if (state.fade !== 1) { parts.push(`fade=${state.fade}`); }
  const edits = Object.entries(state.edits).map(([block, by]) => [block, ...by].join("_"));
  if (edits.length) { parts.push(`edits=${edits.join(",")}`); }
  return [...parts, `open=${state.open}`].join("&");
}

// Each key with what it may be; what is anything else is refused, and nothing of it is used.
const READERS = {
  depth: (text) => (["20", "56"].includes(text) ? { depth: Number(text) } : null),
  digit: (text) => (/^(1?\d{1,2})$/.test(text) ? { digit: Number(text), ink: null } : null),
  ink: (text) => (/^[\w-]{523}$/.test(text) ? { ink: inkFromText(text) } : null),
  fade: (text) => (isFactor(text) && text <= 1 ? { fade: Number(text) } : null),
  edits(text) {
    const parts = text.split(",").map((part) => part.split("_"));
    const fine = parts.every(([block, branch, shortcut, ...more]) =>
      isBlock(block) && isFactor(branch) && isFactor(shortcut) && !more.length);
    const pairs = parts.map(([block, ...by]) => [block, by.map(Number)]);
    return fine ? { edits: Object.fromEntries(pairs) } : null;
  },
  open: (text) => (isBlock(text) ? { open: text } : null),
};

function isBlock(text) { return /^[prf]([1-9]|1[0-8])$/.test(text ?? ""); }

function isFactor(text) { return /^[012](\.\d{1,2})?$/.test(text ?? "") && text <= LARGEST_FACTOR; }

// The state that a text describes, or null.
function fromText(text) {
  const state = freshState(), seen = new Set();
  for (const part of text.split("&")) {
    const [key, value, ...more] = part.split("=");
    const known = Object.hasOwn(READERS, key) && !seen.has(key) && !more.length;
    const read = known && value !== undefined ? READERS[key](value) : null;
    if (!read) { return null; }
    seen.add(key);
    Object.assign(state, read);
  }
  const blocks = (state.depth - 2) / 3;
  const there = [state.open, ...Object.keys(state.edits)].every((b) => b.slice(1) <= blocks);
  return there || (!seen.has("open") && !seen.has("edits")) ? state : null;
}

function inkToText(ink) {
  const bytes = Array.from({ length: 392 }, (_, i) => ink[2 * i] / 17 * 16 + ink[2 * i + 1] / 17);
  return btoa(String.fromCharCode(...bytes)).replace(/=/g, "").replace(/\+/g, "-")
    .replace(/\//g, "_");
}

function inkFromText(text) {
  const bytes = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from({ length: 784 }, (_, i) => {
    const byte = bytes.charCodeAt(i >> 1);
    return 17 * (i % 2 ? byte & 15 : byte >> 4);
  });
}

// What each block's branch and shortcut are multiplied by, in one of the networks.
function factorsOf(state, kind) {
  return Array.from({ length: (state.depth - 2) / 3 }, (_, i) => {
    const [branch, shortcut] = state.edits[kind[0] + (i + 1)] ?? untouched(kind);
    return [branch, kind === "residual" ? shortcut * state.fade : shortcut];
  });
}

function untouched(kind) { return [1, kind === "residual" ? 1 : 0]; }

// -- 7 Drawing ------------------------------------------------------------------------------------

// What was drawn, as MNIST's digits are: 20 pixels high or wide, its centre of mass in the middle
// of 28 × 28 pixels. Rounded to the sixteen levels that the address can hold. Null without ink.
function likeMnist(levels, side) {
  let top = side, bottom = -1, left = side, right = -1;
  levels.forEach((level, i) => {
    if (level < 40) { return; }
    const row = Math.floor(i / side), column = i % side;
    top = Math.min(top, row); bottom = Math.max(bottom, row);
    left = Math.min(left, column); right = Math.max(right, column);
  });
  if (bottom < 0) { return null; }
  const step = Math.max(bottom - top + 1, right - left + 1, 20) / 20;  // of the drawing, in a pixel
  let mass = 0, x = 0, y = 0;
  levels.forEach((level, i) => {
    mass += level; x += level * (i % side); y += level * Math.floor(i / side);
  });
  // Where pixel (0, 0) begins, so that the centre of mass is at (14, 14).
  const startX = x / mass + 0.5 - 14 * step, startY = y / mass + 0.5 - 14 * step;
  const mean = (row, column) => {  // of the drawing inside one pixel, from 5 × 5 places in it
    let sum = 0;
    for (let i = 0.1; i < 1; i += 0.2) {
      for (let j = 0.1; j < 1; j += 0.2) {
        const r = Math.floor(startY + (row + i) * step), c = Math.floor(startX + (column + j) * step);
        if (r >= 0 && r < side && c >= 0 && c < side) { sum += levels[r * side + c]; }
      }
    }
    return sum / 25;
  };
  return Uint8Array.from({ length: 784 }, (_, i) =>
    17 * Math.round(mean(Math.floor(i / 28), i % 28) / 17));
}

// -- 8 Showing ------------------------------------------------------------------------------------

const LOOK = `
.scope { --plain: #0072b2; --residual: #b84a00; --faded: #00785a; --line: #8888; --paper: #fff;
  --ink: #1a1a1a; --soft: #8882; --focus: #0055cc; color: var(--ink); font-size: 1rem;
  line-height: 1.4; container-type: inline-size; text-align: left; }
.scope[data-dark] { --plain: #6cc0f0; --residual: #ff9d5c; --faded: #3fd1a4; --paper: #16181d;
  --ink: #eceef2; --focus: #9cc7ff; }
.scope * { box-sizing: border-box; }
.scope h3, .scope h4, .scope p { margin: 0 0 .4em; color: inherit; }
.scope h3 { font-size: 1.2em; font-weight: 700; }
.scope h4 { font-size: 1.05em; font-weight: 700; }
.scope section, .scope details { margin: 0 0 1.1em; }
.scope [hidden] { display: none !important; }
.scope .quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap; }
.scope button, .scope select, .scope input[type=number] { font: inherit; color: inherit;
  background: var(--soft); border: 1px solid var(--line); border-radius: 5px; padding: .25em .7em;
  min-height: 32px; max-width: 100%; }
.scope select option { color: #1a1a1a; background: #fff; }
.scope button { cursor: pointer; }
.scope button:disabled { opacity: .5; cursor: default; }
.scope button.main { border: 2px solid currentColor; font-weight: 600; }
.scope :is(button, input, select, canvas, summary):focus-visible { outline: 3px solid var(--focus);
  outline-offset: 1px; }
.scope .strip { display: flex; flex-wrap: wrap; gap: .5em .9em; align-items: center; }
.scope fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
.scope legend { float: left; margin-right: .6em; font-size: 1em; padding: 0; width: auto; }
.scope label { display: inline-flex; gap: .35em; align-items: center; min-height: 28px; margin: 0; }
.scope input[type=range] { width: 9em; accent-color: var(--focus); min-height: 28px; }
.scope input:is([type=radio], [type=checkbox]) { width: 18px; height: 18px; accent-color: var(--focus); }
.scope output { font-variant-numeric: tabular-nums; min-width: 2.4em; display: inline-block; }
.scope canvas { display: block; image-rendering: pixelated; }
.scope .field { background: #000; border: 2px solid var(--line); touch-action: none; width: 140px;
  height: 140px; cursor: crosshair; image-rendering: auto; }
.scope .picks { display: grid; grid-template-columns: repeat(5, 44px); gap: 4px; }
.scope .picks button { padding: 2px; width: 44px; height: 44px; background: #000; }
.scope .picks button[aria-pressed=true] { outline: 3px solid var(--residual); outline-offset: 1px; }
.scope .picks canvas { width: 100%; height: 100%; }
.scope .digit { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start; }
.scope .digit > div:last-child { flex: 1 1 15em; }
.scope .networks { display: grid; gap: 12px; grid-template-columns: minmax(0, 1fr); }
@container (min-width: 680px) {
  .scope .networks { grid-template-columns: repeat(3, minmax(0, 1fr)); row-gap: 0; }
  .scope article { display: grid; grid-row: span 7; grid-template-rows: subgrid; } }
.scope article { border: 1px solid var(--line); border-top: 5px solid var(--own); border-radius: 6px;
  padding: 8px 8px 4px; min-width: 0; }
.scope article.told { outline: 3px solid var(--focus); outline-offset: 2px; }
.scope .what, .scope .small { font-size: .86em; }
@container (min-width: 480px) and (max-width: 679.9px) {
  .scope article { display: grid; grid-template-columns: minmax(0, 4fr) minmax(0, 5fr);
    grid-auto-rows: min-content; column-gap: 16px; }
  .scope article > * { grid-column: 1; } .scope article .stages { grid-area: 1 / 2 / 8 / 3; } }
.scope .count b { font-size: 1.35em; }
.scope .tries { margin-bottom: .8em; }
.scope .reads b { font-size: 2em; line-height: 1; color: var(--own); margin-right: .1em; }
.scope .reads { margin: 0; min-height: 2.9em; }
.scope .bars10 { display: grid; grid-template-columns: repeat(10, 1fr); gap: 2px;
  margin: 2px 0 6px; font-size: .8em; text-align: center; }
.scope .bars10 i { display: flex; height: 44px; align-items: flex-end; background: var(--soft); }
.scope .bars10 i::before { content: ""; width: 100%; height: var(--share, 0%);
  background: var(--own); }
.scope .fading input { width: 100%; }
.scope .fading label { display: block; }
.scope .tiles { display: grid; gap: 1px; grid-template-columns: repeat(var(--n), minmax(0, 44px));
  margin-bottom: 6px; }
.scope button.tile { padding: 1px; display: block; border-radius: 3px; min-width: 0; position: relative;
  line-height: 1.1; background: none; }
.scope .tile canvas { width: 100%; aspect-ratio: 1; }
.scope .tile .pair { display: flex; gap: 2px; height: 26px; align-items: flex-end; margin: 2px 1px 1px;
  border-bottom: 1px solid currentColor; }
.scope .tile .pair i { flex: 1; height: var(--size, 0%); }
.scope .tile .pair .x { border: 1px solid currentColor; border-bottom: 0;
  background: linear-gradient(to top, currentColor var(--fill, 100%), transparent 0); opacity: .65; }
.scope .tile .pair .f { background: var(--own); }
.scope .tile .guess { font-size: .78em; display: block; white-space: nowrap; }
.scope .tile[data-right] .guess { font-weight: 700; }
.scope .tile[aria-pressed=true] { outline: 3px solid var(--own); outline-offset: 1px; z-index: 1; }
.scope .tile[data-changed]::after { content: "≠"; position: absolute; top: 0; right: 0; width: 13px;
  font: 700 12px/13px sans-serif; color: var(--paper); background: var(--ink); }
.scope .tile[data-off]::after { content: "off"; width: 100%; top: 8px; }
.scope .key i { display: inline-block; width: 9px; height: 14px; vertical-align: -2px;
  margin: 0 .2em 0 .5em; }
.scope .key .x { background: currentColor; opacity: .65; } .scope .key .f { border: 1px solid;
  background: linear-gradient(90deg, var(--plain) 33%, var(--residual) 0 66%, var(--faded) 0); }
.scope .note { border-left: 5px solid var(--focus); padding: .3em .8em; background: var(--soft); }
.scope .block { border: 1px solid var(--line); border-left: 5px solid var(--own); border-radius: 6px;
  padding: 10px; }
.scope .sum { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px 14px;
  margin: .6em 0; }
@container (min-width: 680px) { .scope .sum { grid-template-columns: repeat(4, minmax(0, 1fr)); } }
.scope figure { margin: 0; min-width: 0; position: relative; }
.scope figcaption span { color: inherit; }
.scope figcaption { font-size: .86em; min-height: 2.9em; margin: 0; text-align: left; color: inherit; }
.scope figcaption :is(b, .sign) { font-size: 1.2em; font-weight: 700; }
.scope figure .large { width: 100%; max-width: 170px; aspect-ratio: 1; cursor: crosshair;
  border: 1px solid var(--line); }
.scope figure .all { width: 100%; max-width: 170px; margin-top: 6px; cursor: pointer; }
.scope .equation { font-size: 1.05em; font-variant-numeric: tabular-nums; }
.scope .words { overflow-x: auto; max-height: 20em; font-size: .86em; }
.scope table { border-collapse: collapse; } .scope :is(th, td) { border: 1px solid var(--line);
  padding: .15em .5em; text-align: left; vertical-align: top; }
.scope summary { cursor: pointer; font-weight: 700; min-height: 28px; }
.scope .tour { position: sticky; bottom: 0; z-index: 5; background: var(--paper);
  border: 3px solid var(--focus); border-radius: 8px; padding: .7em 1em; max-height: 46vh;
  overflow-y: auto; }
.scope svg { width: 100%; max-width: 720px; height: auto; display: block; font-size: 13px; }
.scope svg text { fill: currentColor; }
.scope svg .grid { stroke: var(--line); }
.scope svg polyline { fill: none; stroke-width: 2.5; }
@media (forced-colors: active) { .scope .bars10 i::before, .scope .tile .pair i {
  forced-color-adjust: none; } }
`;

const ABOUT = {
  plain: ["Plain", "no additions: each block gives out ReLU(F(x))."],
  residual: ["Residual", "each block adds what came in: ReLU(F(x) + x)."],
  faded: ["Faded", "learnt with additions that faded to nothing on the way. Now it is plain."],
};

const TOUR = [
  ["One digit, three networks",
    "All three have the same layers and have learnt the same images; they differ in one addition a "
    + "block. Each says what it reads. Pick other digits, or draw one: do they agree?",
    "depth=56&digit=0&open=r5", ".networks"],
  ["Eighteen blocks, one after the other",
    "A tile is a block: what it gives out, how long its input x and its branch F(x) are, and what "
    + "a simple classifier could read there already. Follow a row: the residual network changes "
    + "its picture in small steps, and the plain one makes a new picture in each block.",
    "depth=56&digit=3&open=r5", ".networks"],
  ["Take a block out of the residual network",
    "Block 5 is off: only its shortcut is left, so what came in goes on. See how many of 200 test "
    + "digits it still reads. Try other blocks: which one does it miss most?",
    "depth=56&digit=3&edits=r5_0_1&open=r5", "[data-kind=residual]"],
  ["Take the same block out of the plain one",
    "Here, too, block 5 passes on what came in. But the next block has never seen such an input: it "
    + "has learnt to expect block 5's picture, and no other. Compare the two counts.",
    "depth=56&digit=3&edits=r5_0_1,p5_0_1&open=p5", "[data-kind=plain]"],
  ["Fade the shortcuts, after training",
    "All shortcuts of the residual network are at a third of their strength. Slide them to 0: "
    + "what is left is a plain network that never learnt to be one. It breaks.",
    "depth=56&digit=3&fade=0.33&open=r9", "[data-kind=residual]"],
  ["Fade them during training",
    "At 0 the residual network is lost. The third network has no shortcut either, but its shortcuts "
    + "went while it learnt, little by little, and its weights could follow. So good plain networks "
    + "exist; training finds them by way of the residual one. Now train some yourself, below.",
    "depth=56&digit=3&fade=0&open=f9", "[data-kind=faded]"],
];

const RACERS = {
  plain: { name: "plain", colour: "plain", dash: "" },
  residual: { name: "residual", colour: "residual", dash: "9 4" },
  zero: { name: "residual, branches start at zero", colour: "faded", dash: "2 4" },
};
// Of each, the best of several rates, found beforehand on other seeds.
const SEARCHED = {
  12: { plain: 0.002, residual: 0.002, zero: 0.002 },
  22: { plain: 0.002, residual: 0.005, zero: 0.002 },
  42: { plain: 0.001, residual: 0.005, zero: 0.001 },
};
const RATES = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02];
const UPDATES = 400, LAST = 50;

const PAGE = `
<p class="quiet" role="status" aria-live="polite"></p>
<p class="note refused" hidden></p>
<section class="strip" aria-label="Settings">
  <button type="button" class="main start">Show me around</button>
  <fieldset class="depth strip"><legend>Layers:</legend>
    <label><input type="radio" value="56"> 56</label>
    <label><input type="radio" value="20"> 20</label></fieldset>
  <button type="button" class="undo">Undo</button>
  <button type="button" class="reset">Reset</button>
  <button type="button" class="link">Copy link</button>
</section>
<section class="digit" aria-label="The digit">
  <div><h3>Draw a digit</h3>
    <canvas class="field" width="140" height="140" tabindex="0" role="application"
      aria-label="A field to draw a digit in. Arrow keys move the pen; the space bar puts it down and
 lifts it."></canvas>
    <button type="button" class="clear">Clear</button></div>
  <div><h3>or pick one</h3><div class="picks"></div>
    <p><button type="button" class="more">Ten others</button></p>
    <p class="small given"></p></div>
</section>
<section><div class="strip tries"><b>Try:</b>
    <button type="button" data-try="r5">Switch off block 5 of the residual network</button>
    <button type="button" data-try="p5">… of the plain network</button>
    <button type="button" data-try="fade">Cut all shortcuts</button></div>
  <div class="networks"></div>
  <p class="small key"><b>Each tile is a block; press one to open it.</b> Picture: what the block
    gives out, mean over its channels. Bars: the size of <i class="x"></i>x, what comes in (filled as
    far as it is added; hollow where it is not), and of <i class="f"></i>F(x), what the branch gives.
    Digit: what a linear probe could read here already, ✓ if right.</p>
  <p class="note noted" hidden></p>
</section>
<section class="block" aria-label="One block, opened">
  <div class="strip"><h3 class="title"></h3>
    <button type="button" class="before">← Block before</button>
    <button type="button" class="after">Block after →</button></div>
  <div class="strip">
    <label><input type="checkbox" class="on"> The block is on</label>
    <label>Branch × <input type="range" class="branch" min="0" max="2" step="0.05">
      <output></output></label>
    <label>Shortcut × <input type="range" class="shortcut" min="0" max="2" step="0.05">
      <output></output></label></div>
  <div class="sum"></div>
  <div class="strip">
    <label>Channel <input type="range" class="channel" min="1" value="1"><output></output></label>
    <label>Row <input type="range" class="at-row" min="1" value="6"><output></output></label>
    <label>Column <input type="range" class="at-column" min="1" value="8"><output></output></label>
  </div>
  <p class="equation"></p>
  <details class="in-words"><summary>All feature maps in words</summary>
    <div class="words" tabindex="0" role="region" aria-label="All feature maps in words"></div></details>
</section>
<details class="race"><summary>Train it here: a race</summary>
  <p>Three dense networks learn 2,000 small digits in this page, from one seed and on the same images:
    one plain, one with additions, and one with additions whose branches start at zero. There is no
    normalisation. Who will be ahead, and by how much?</p>
  <div class="strip">
    <label>Layers <select class="race-depth"><option>12<option selected>22<option>42</select></label>
    <label>Seed <input type="number" class="race-seed" min="0" max="9999" value="1"
      style="width: 5.5em"></label>
    <label><input type="checkbox" class="race-fade"> Fade the shortcuts to nothing</label></div>
  <div class="strip rates"></div>
  <p><button type="button" class="main go">Start the race</button>
    <button type="button" class="halt" disabled>Stop</button></p>
  <div class="chart"></div>
  <p class="report"></p>
</details>
<section class="tour" aria-label="Guided tour" hidden>
  <h4></h4><p></p>
  <div class="strip"><button type="button" class="back">Back</button>
    <button type="button" class="main next">Next</button>
    <button type="button" class="leave">End the tour</button></div>
</section>`;

let shownHere = 0;  // so that radio buttons of two microscopes on a page are two groups

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "scope";
  root.innerHTML = `<style>${LOOK}</style>${PAGE}`;
  el.append(root);
  const $ = (selector) => root.querySelector(selector);
  const onAddress = model.get("address") === true;
  const bytes = (name) => asBytes(model.get(name));

  const file = unpack(bytes("networks")), digits = digitsOf(unpack(bytes("digits")));
  const scale = unpack(bytes("digits")).about;
  const networks = {};
  for (const { name } of file.about.networks) { networks[name] = networkOf(file, name); }
  const counter = worker(countRight, { networks: bytes("networks"), digits: bytes("digits") });

  let state = freshState(), saved = toText(state), dark = false, first = 0, results = {};
  const past = [], counts = new Map();
  let channel = 0, atRow = 5, atColumn = 7;

  // -- Changes: `change` while a slider moves, `commit` when it has moved.

  let waiting = false;
  function change(patch) {
    Object.assign(state, patch);
    if (waiting) { return; }
    waiting = true;
    requestAnimationFrame(() => { waiting = false; show(); });
  }
  function commit(patch = {}) {
    Object.assign(state, patch);
    const text = toText(state);
    if (text !== saved) { past.push(saved); saved = text; publish(text); }
    show();
    count();
  }
  function publish(text) {
    if (onAddress) { history.replaceState(history.state, "", `#${text}`); return; }
    model.set("state", text);
    model.save_changes();
  }
  function edit(key, branch, shortcut) {
    const edits = { ...state.edits, [key]: [branch, shortcut] };
    const usual = untouched(kindOf(key));
    if (usual[0] === branch && usual[1] === shortcut) { delete edits[key]; }
    return { edits };
  }
  // Take over a state from outside. An odd one is refused with a sentence.
  function take(text) {
    const read = fromText(text);
    const refused = !read || read.digit >= digits.count;
    $(".refused").hidden = !refused;
    if (refused) {
      $(".refused").textContent = `${onAddress ? "The address" : "The state"} names a setting that `
        + "this microscope does not know. Nothing of it was used.";
      say($(".refused").textContent);
      return;
    }
    state = read;
    commit();
  }
  function takeAddress() {
    let text = location.hash.slice(1);
    try { text = decodeURIComponent(text); } catch { text = "?"; }
    if (text && text !== saved && !document.getElementById(text)) { take(text); }
  }

  // -- One voice: what is said replaces what was not yet said.

  let speaking = 0;
  function say(text, after = 0) {
    clearTimeout(speaking);
    speaking = setTimeout(() => { $("[role=status]").textContent = text; }, after);
  }

  // -- The digit.

  const field = $(".field"), pen = field.getContext("2d", { willReadFrequently: true });
  let last = null, keyPen = [70, 70], penDown = false, clean = true, inkShown = "";
  function begin() {
    if (clean) { pen.fillStyle = "#000"; pen.fillRect(0, 0, 140, 140); clean = false; }
  }
  function stroke(from, to) {
    Object.assign(pen, { strokeStyle: "#fff", lineWidth: 11, lineCap: "round", lineJoin: "round" });
    pen.beginPath(); pen.moveTo(...from); pen.lineTo(to[0] + 0.1, to[1]); pen.stroke();
    read();
  }
  function read() {
    const { data } = pen.getImageData(0, 0, 140, 140);
    const ink = likeMnist(Uint8Array.from({ length: 19600 }, (_, i) => data[4 * i]), 140);
    if (ink) { inkShown = inkToText(ink); change({ ink }); }
  }
  function place(event) {
    const box = field.getBoundingClientRect();
    return [(event.clientX - box.left) * 140 / box.width, (event.clientY - box.top) * 140 / box.height];
  }
  field.addEventListener("pointerdown", (event) => {
    try { field.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone */ }
    begin(); last = place(event); stroke(last, last);
  });
  field.addEventListener("pointermove", (event) => {
    if (!last) { return; }
    const next = place(event);
    stroke(last, next); last = next;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    field.addEventListener(end, () => { if (last) { last = null; commit(); } });
  }
  const ARROWS = { ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, -6], ArrowDown: [0, 6] };
  field.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      penDown = !penDown;
      say(penDown ? "The pen is down." : "The pen is up.");
      if (penDown) { begin(); stroke(keyPen, keyPen); } else { commit(); }
    } else if (event.key in ARROWS) {
      const [x, y] = ARROWS[event.key], limit = (value) => Math.min(Math.max(value, 6), 134);
      const next = [limit(keyPen[0] + x), limit(keyPen[1] + y)];
      if (penDown) { stroke(keyPen, next); }
      keyPen = next;
    } else { return; }
    event.preventDefault(); event.stopPropagation();  // else page or notebook take them
    paintField();
  });
  for (const event of ["focus", "blur"]) {
    field.addEventListener(event, () => {
      if (event === "blur" && penDown) { penDown = false; commit(); }
      paintField();
    });
  }
  // Around the field, where the pen of the keys is: in it, a mark would be read.
  function paintField() {
    const keys = field.matches(":focus-visible");
    const [x, y] = keyPen.map((value) => `${value - 5}px`);
    const tip = penDown ? "#f60" : "#6cf";
    field.style.backgroundColor = "#000";
    $(".pen").hidden = !keys;
    Object.assign($(".pen").style, { left: x, top: y, borderColor: tip });
  }
  const holder = document.createElement("div");
  holder.style.cssText = "position: relative; width: 140px";
  field.before(holder);
  holder.append(field);
  holder.insertAdjacentHTML("beforeend", `<span class="pen" hidden style="position: absolute;
    width: 14px; height: 14px; border: 3px solid; border-radius: 50%; pointer-events: none"></span>`);
  $(".clear").addEventListener("click", () => { commit({ ink: null }); });
  $(".more").addEventListener("click", () => { first += 1; drawPicks(); });

  function drawPicks() {
    const byDigit = Array.from({ length: 10 }, () => []);
    digits.labels.forEach((label, i) => byDigit[label].push(i));
    $(".picks").replaceChildren(...byDigit.map((at, digit) => {
      const i = at[first % at.length], button = document.createElement("button");
      button.type = "button";
      button.dataset.at = i;
      button.setAttribute("aria-label", `Test digit ${i}, a ${digit}`);
      button.setAttribute("aria-pressed", String(!state.ink && state.digit === i));
      button.append(picture(levelsOf(i), 28));
      button.addEventListener("click", () => commit({ digit: i, ink: null }));
      return button;
    }));
  }
  function levelsOf(i) { return digits.levels.subarray(784 * i, 784 * i + 784); }
  function picture(levels, side) {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: side, height: side });
    paintLevels(canvas, levels);
    return canvas;
  }

  // -- The three networks.

  const parts = {};
  for (const kind of KINDS) {
    const article = document.createElement("article");
    article.dataset.kind = kind;
    article.style.setProperty("--own", `var(--${kind})`);
    article.setAttribute("aria-label", `${ABOUT[kind][0]} network`);
    article.innerHTML = `<h3></h3><p class="what"></p><p class="reads"></p>
      <div class="bars10" role="img"></div><p class="small count"></p>
      <div class="small fading"></div><div class="stages" role="group"></div>`;
    article.querySelector(".stages").setAttribute("aria-label",
      `Blocks of the ${kind} network; arrow keys go from one to the next`);
    const bars = Array.from({ length: 10 }, (_, digit) => {
      const item = document.createElement("span");
      item.append(document.createElement("i"), String(digit));
      return item;
    });
    article.querySelector(".bars10").append(...bars);
    $(".networks").append(article);
    parts[kind] = { article, bars, tiles: [], find: (name) => article.querySelector(name) };
  }
  parts.residual.find(".fading").innerHTML = `<label>All shortcuts × <output></output>
    <input type="range" class="fader" min="0" max="1" step="0.01"></label>`;
  parts.plain.find(".fading").textContent = "It has no shortcut that could fade.";
  parts.faded.find(".fading").textContent = "Its shortcuts are at 0: they faded while it learnt.";
  const fader = $(".fader");
  fader.addEventListener("input", () => change({ fade: Number(fader.value) }));
  fader.addEventListener("change", () => commit({ fade: Number(fader.value) }));

  function kindOf(key) { return KINDS.find((kind) => kind[0] === key[0]); }
  function nameOf(kind) { return `${kind} ${state.depth}`; }
  function makeTiles() {
    for (const kind of KINDS) {
      const { blocks } = networks[nameOf(kind)], { find } = parts[kind];
      const tiles = parts[kind].tiles = blocks.map((_, i) => {
        const tile = document.createElement("button");
        tile.type = "button";
        tile.className = "tile";
        tile.innerHTML = `<canvas></canvas><span class="pair"><i class="x"></i><i class="f"></i></span>
          <span class="guess"></span>`;
        tile.addEventListener("click", () => commit({ open: kind[0] + (i + 1) }));
        tile.addEventListener("focus", () => rove(kind, i));
        tile.addEventListener("keydown", (event) => {
          const row = blocks.length / 2;
          const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row }[event.key];
          if (!by) { return; }
          event.preventDefault(); event.stopPropagation();
          parts[kind].tiles[i + by]?.focus();
        });
        return tile;
      });
      const stages = [...new Set(blocks.map((block) => block.width))].map((width, stage) => {
        const own = tiles.filter((_, i) => blocks[i].width === width);
        const row = document.createElement("div"), head = document.createElement("div");
        row.className = "tiles";
        row.style.setProperty("--n", own.length);
        row.append(...own);
        head.className = "small";
        const side = stage ? "7 × 7" : "14 × 14";
        head.textContent = `Blocks ${tiles.indexOf(own[0]) + 1}–${tiles.indexOf(own.at(-1)) + 1}, `
          + `maps of ${side}`;
        return [head, row];
      });
      find(".stages").replaceChildren(...stages.flat());
      rove(kind, 0);
    }
  }
  // The tab key stops once in each network; there, the arrow keys go from block to block.
  function rove(kind, chosen) {
    parts[kind].tiles.forEach((tile, i) => { tile.tabIndex = i === chosen ? 0 : -1; });
  }

  function pixels() { return state.ink ? standardised(state.ink, scale.mean, scale.deviation)
    : digits.one(state.digit); }
  function truth() { return state.ink ? null : digits.labels[state.digit]; }

  let depthShown = 0;
  function show() {
    const began = performance.now();
    if (depthShown !== state.depth) { depthShown = state.depth; makeTiles(); }
    for (const kind of KINDS) {
      results[kind] = forward(networks[nameOf(kind)], pixels(), factorsOf(state, kind), true);
    }
    const computed = performance.now();
    showControls();
    for (const kind of KINDS) { showNetwork(kind); }
    showBlock();
    showNote();
    root.dataset.forward = (computed - began).toFixed(1);
    root.dataset.shown = (performance.now() - began).toFixed(1);
  }

  function showControls() {
    for (const radio of root.querySelectorAll(".depth input")) {
      radio.checked = Number(radio.value) === state.depth;
    }
    fader.value = state.fade;
    parts.residual.find("output").textContent = state.fade.toFixed(2);
    $(".undo").disabled = !past.length;
    $(".reset").disabled = !isChanged();
    for (const button of root.querySelectorAll("[data-try]")) {
      const key = button.dataset.try;
      button.disabled = key === "fade" ? state.fade === 0 : isOff(key);
    }
    for (const button of root.querySelectorAll(".picks button")) {
      const chosen = !state.ink && Number(button.dataset.at) === state.digit;
      button.setAttribute("aria-pressed", String(chosen));
    }
    $(".given").textContent = state.ink ? "They read what you have drawn, as MNIST would have it."
      : `They read test digit ${state.digit}: a ${truth()}.`;
    // The field shows what is read; while a stroke is drawn, the stroke.
    const wanted = state.ink ? inkToText(state.ink) : String(state.digit);
    if (!last && !penDown && inkShown !== wanted) {
      inkShown = wanted;
      pen.imageSmoothingEnabled = false;
      pen.drawImage(picture(state.ink ?? levelsOf(state.digit), 28), 0, 0, 140, 140);
      clean = true;  // the next stroke begins on an empty field
    }
  }
  function isChanged() { return state.fade !== 1 || Object.keys(state.edits).length > 0; }

  function showNetwork(kind) {
    const { find, bars, tiles } = parts[kind], { probabilities, steps } = results[kind];
    const network = networks[nameOf(kind)], read = best(probabilities), real = truth();
    find("h3").textContent = ABOUT[kind][0];
    find(".what").textContent = `${state.depth} layers, ${ABOUT[kind][1]}`;
    const sure = percent(probabilities[read]);
    const judged = real === null ? "" : read === real ? ", right" : `, wrong: it is a ${real}`;
    find(".reads").innerHTML = "<span>reads</span> <b></b> <span></span>";
    find(".reads b").textContent = read;
    find(".reads span:last-child").textContent = `${sure} sure${judged}`;
    probabilities.forEach((p, i) => {
      bars[i].firstChild.style.setProperty("--share", `${100 * p}%`);
    });
    find(".bars10").setAttribute("aria-label", "Probabilities: "
      + probabilities.map((p, i) => `${i}: ${percent(p)}`).join(", "));
    showCount(kind);
    const lengths = steps.map(({ carried, branch }) => [norm(carried), norm(branch)]);
    const factors = factorsOf(state, kind);
    const most = Math.max(...lengths.map(([x, f], i) => Math.max(x, f * factors[i][0]))) || 1;
    steps.forEach((step, i) => {
      const tile = tiles[i], key = kind[0] + (i + 1), guess = probe(step.out, network.blocks[i].probe);
      const [byBranch, byShortcut] = factors[i], [x, f] = lengths[i];
      paintMap(tile.firstChild, meanMap(step.out), 0);
      const [xBar, fBar] = tile.querySelectorAll("i");
      xBar.style.setProperty("--size", `${100 * x / most}%`);
      xBar.style.setProperty("--fill", `${100 * Math.min(byShortcut, 1)}%`);
      fBar.style.setProperty("--size", `${100 * f * byBranch / most}%`);
      const right = guess === real;
      tile.lastElementChild.textContent = guess + (right ? "✓" : "");
      tile.toggleAttribute("data-right", right);
      const off = isOff(key);
      tile.toggleAttribute("data-changed", key in state.edits);
      tile.toggleAttribute("data-off", off);
      tile.setAttribute("aria-pressed", String(state.open === key));
      tile.setAttribute("aria-label", `${ABOUT[kind][0]}, block ${i + 1}: `
        + `${off ? "off; " : key in state.edits ? "changed; " : ""}branch ${figure(f * byBranch)}, `
        + `input ${figure(x)}, added ${figure(byShortcut)} times; the probe reads ${guess}`
        + `${real === null ? "" : right ? ", right" : ", wrong"}`);
    });
  }
  function isOff(key) {
    const [branch, shortcut] = state.edits[key] ?? [1];
    return branch === 0 && shortcut === 1;
  }

  // -- How many of the test digits each reads rightly. What has been counted is kept.

  function keyOf(kind, factors) { return `${nameOf(kind)} ${JSON.stringify(factors)}`; }
  function usualFactors(kind) { return factorsOf({ ...freshState(), depth: state.depth }, kind); }
  function count() {
    // What is shown comes first; then, for comparison, the untouched networks.
    const now = KINDS.map((kind) => [kind, factorsOf(state, kind)]);
    const wanted = new Map();
    for (const [kind, factors] of [...now, ...KINDS.map((kind) => [kind, usualFactors(kind)])]) {
      const key = keyOf(kind, factors);
      if (!counts.has(key)) { wanted.set(key, { key, name: nameOf(kind), factors }); }
    }
    const shown = now.map(([kind, factors]) => keyOf(kind, factors));
    const missing = () => shown.some((key) => !counts.has(key));
    KINDS.forEach(showCount);
    if (!missing()) { announce(); }
    counter.start([...wanted.values()], ({ key, right }) => {
      const waited = missing();
      counts.set(key, right);
      KINDS.forEach(showCount);
      showNote();
      if (waited && !missing()) { announce(); }
    }, () => {});
  }
  function showCount(kind) {
    const right = counts.get(keyOf(kind, factorsOf(state, kind)));
    const usual = counts.get(keyOf(kind, usualFactors(kind)));
    const changed = keyOf(kind, factorsOf(state, kind)) !== keyOf(kind, usualFactors(kind));
    const said = document.createElement("b");
    said.textContent = right ?? "…";
    parts[kind].find(".count").replaceChildren(said, ` of ${digits.count} test digits right`,
      changed && usual !== undefined ? `; ${usual} when untouched` : "");
  }
  function announce() {
    if (!past.length) { return; }  // nobody has asked yet
    const said = KINDS.map((kind) => {
      const { probabilities } = results[kind], read = best(probabilities);
      const right = counts.get(keyOf(kind, factorsOf(state, kind)));
      return `${ABOUT[kind][0]} reads ${read}, ${percent(probabilities[read])}; ${right} of `
        + `${digits.count} right.`;
    });
    say(said.join(" "), 400);
  }

  function showNote() {
    const said = [], right = (kind) => counts.get(keyOf(kind, factorsOf(state, kind)));
    for (const [key, [branch, shortcut]] of Object.entries(state.edits)) {
      const where = `Block ${key.slice(1)} of the ${kindOf(key)} network`;
      said.push(isOff(key) ? `${where} is off: what came in goes on, and nothing else.`
        : `${where}: branch × ${branch}, shortcut × ${shortcut}.`);
    }
    if (state.fade < 1) {
      const [residual, faded] = [right("residual"), right("faded")];
      said.push(`All shortcuts of the residual network are at ${state.fade.toFixed(2)}, after `
        + "training, and no weight could follow.");
      if (residual !== undefined && faded !== undefined) {
        said.push(`It reads ${residual} of ${digits.count} test digits rightly. The network that was `
          + `trained while its shortcuts faded has none left, and reads ${faded}.`);
      }
    }
    $(".noted").hidden = !said.length;
    $(".noted").textContent = said.join(" ");
  }

  // -- One block, opened.

  const VIEWS = [
    ["branch", "F(x)", "what the branch gives"],
    ["carried", "x", "what came in"],
    ["sum", "the sum", "both, added"],
    ["out", "ReLU(sum)", "what goes on"],
  ];
  const figures = VIEWS.map(([part, name, words]) => {
    const made = document.createElement("figure");
    made.innerHTML = `<figcaption><span class="sign"></span> <b></b><br><span></span></figcaption>
      <canvas class="large" role="img"></canvas><canvas class="all" role="img"></canvas>`;
    made.querySelector("b").textContent = name;
    made.querySelector("figcaption span:last-child").textContent = words;
    const [large, all] = made.querySelectorAll("canvas");
    const cell = (canvas, event, columns, rows) => [
      Math.floor(event.offsetX * columns / canvas.clientWidth),
      Math.floor(event.offsetY * rows / canvas.clientHeight)];
    large.addEventListener("click", (event) => {
      const { width, height } = opened().out;
      [atColumn, atRow] = cell(large, event, width, height);
      showBlock();
    });
    all.addEventListener("click", (event) => {
      const { channels } = opened().out, [column, row] = cell(all, event, 4, channels / 4);
      channel = Math.min(4 * row + column, channels - 1);
      showBlock();
    });
    $(".sum").append(made);
    return { part, made, large, all };
  });

  function opened() { return results[kindOf(state.open)].steps[Number(state.open.slice(1)) - 1]; }
  function showBlock() {
    const kind = kindOf(state.open), number = Number(state.open.slice(1)), step = opened();
    const { height, width, channels } = step.out, network = networks[nameOf(kind)];
    const [branch, shortcut] = factorsOf(state, kind)[number - 1];
    $(".block").style.setProperty("--own", `var(--${kind})`);
    $(".title").textContent = `${ABOUT[kind][0]}, block ${number} of ${network.blocks.length}`;
    $(".before").disabled = number === 1;
    $(".after").disabled = number === network.blocks.length;
    $(".on").checked = !isOff(state.open);
    const [own, carriedBy] = state.edits[state.open] ?? untouched(kind);
    for (const [slider, value] of [[$(".branch"), own], [$(".shortcut"), carriedBy]]) {
      slider.value = value;
      slider.nextElementSibling.textContent = value.toFixed(2);
    }
    channel = Math.min(channel, channels - 1);
    atRow = Math.min(atRow, height - 1);
    atColumn = Math.min(atColumn, width - 1);
    for (const [name, value, most] of [["channel", channel, channels], ["at-row", atRow, height],
      ["at-column", atColumn, width]]) {
      const slider = $(`.${name}`);
      slider.max = most;
      slider.value = value + 1;
      slider.nextElementSibling.textContent = value + 1;
    }
    const signs = { branch: `${figure(branch)} ×`, carried: `+ ${figure(shortcut)} ×`, sum: "=",
      out: "→" };
    // All four on one scale, so that they can be compared.
    const most = Math.max(...["branch", "carried", "sum"].map((part) => largest(step[part])));
    for (const { part, made, large, all } of figures) {
      made.querySelector(".sign").textContent = signs[part];
      paintMap(large, mapOf(step[part], channel), most, [atRow, atColumn]);
      paintAll(all, step[part], most, channel);
      large.setAttribute("aria-label", `Channel ${channel + 1}: ${inWords(mapOf(step[part], channel))}`);
      all.setAttribute("aria-label", `All ${channels} channels; in words, they are in a table below.`);
    }
    showEquation(step, branch, shortcut);
    if ($(".in-words").open) { showWords(step); }
  }
  function showEquation(step, branch, shortcut) {
    const { width, channels } = step.out, at = (atRow * width + atColumn) * channels + channel;
    const [f, x, sum, out] = ["branch", "carried", "sum", "out"].map((part) => step[part].values[at]);
    const cut = sum < 0 ? "The ReLU makes that 0." : `The ReLU lets ${figure(out)} pass.`;
    $(".equation").textContent = `Channel ${channel + 1}, row ${atRow + 1}, column ${atColumn + 1}:  `
      + `${figure(branch)} × ${signed(f)} + ${figure(shortcut)} × ${signed(x)} = ${figure(sum)}. ${cut}`;
  }
  function showWords(step) {
    const table = document.createElement("table"), head = table.createTHead().insertRow();
    for (const name of ["channel", ...VIEWS.map(([, name]) => name)]) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = name;
      head.append(cell);
    }
    const body = table.createTBody();
    for (let c = 0; c < step.out.channels; c++) {
      const row = body.insertRow(), name = document.createElement("th");
      name.scope = "row";
      name.textContent = c + 1;
      row.append(name);
      for (const [part] of VIEWS) { row.insertCell().textContent = inWords(mapOf(step[part], c)); }
    }
    $(".words").replaceChildren(table);
  }
  $(".in-words").addEventListener("toggle", () => { if ($(".in-words").open) { showWords(opened()); } });
  for (const [name, put] of [["channel", (v) => { channel = v; }], ["at-row", (v) => { atRow = v; }],
    ["at-column", (v) => { atColumn = v; }]]) {
    $(`.${name}`).addEventListener("input", (event) => {
      put(Number(event.target.value) - 1);
      showBlock();
    });
  }
  for (const name of [".branch", ".shortcut"]) {
    const patch = () => edit(state.open, Number($(".branch").value), Number($(".shortcut").value));
    $(name).addEventListener("input", () => change(patch()));
    $(name).addEventListener("change", () => commit(patch()));
  }
  $(".on").addEventListener("change", () => {
    const usual = untouched(kindOf(state.open));
    commit(edit(state.open, ...($(".on").checked ? usual : [0, 1])));
  });
  for (const [name, by] of [[".before", -1], [".after", 1]]) {
    $(name).addEventListener("click", () => {
      commit({ open: state.open[0] + (Number(state.open.slice(1)) + by) });
    });
  }

  // -- Depth, undo, reset, link.

  shownHere += 1;
  for (const radio of root.querySelectorAll(".depth input")) {
    radio.name = `depth-of-microscope-${shownHere}`;
    radio.addEventListener("change", () => {
      const depth = Number(radio.value), most = (depth - 2) / 3;
      const open = Number(state.open.slice(1)) > most ? state.open[0] + most : state.open;
      commit({ depth, edits: {}, open });  // block 5 of the other networks is another block
    });
  }
  for (const button of root.querySelectorAll("[data-try]")) {
    const key = button.dataset.try;
    button.addEventListener("click", () =>
      commit(key === "fade" ? { fade: 0 } : { ...edit(key, 0, 1), open: key }));
  }
  $(".undo").addEventListener("click", () => {
    if (!past.length) { return; }
    saved = past.pop();
    state = fromText(saved);
    publish(saved);
    show();
    count();
  });
  $(".reset").addEventListener("click", () => commit({ edits: {}, fade: 1 }));
  $(".link").hidden = !onAddress;
  $(".link").addEventListener("click", async () => {
    publish(saved);
    try {
      await navigator.clipboard.writeText(location.href);
      say("The link is copied.");
      $(".link").textContent = "Copied";
    } catch { $(".link").textContent = "Copy it from the address bar"; }
  });

  // -- The tour.

  let stop = -1;
  function goTo(step) {
    stop = step;
    $(".tour").hidden = stop < 0;
    for (const part of root.querySelectorAll(".told")) { part.classList.remove("told"); }
    if (stop < 0) { $(".start").focus(); return; }
    const [title, text, wanted, where] = TOUR[stop];
    state = fromText(wanted);
    commit();
    $(".tour h4").textContent = `${stop + 1} of ${TOUR.length}: ${title}`;
    $(".tour p").textContent = text;
    $(".back").disabled = stop === 0;
    $(".next").textContent = stop === TOUR.length - 1 ? "To the race" : "Next";
    $(where).classList.toggle("told", where !== ".networks");
    $(where).scrollIntoView({ block: "start" });
    say(`${title}. ${text}`);
  }
  $(".start").addEventListener("click", () => { goTo(0); $(".next").focus({ preventScroll: true }); });
  $(".back").addEventListener("click", () => goTo(stop - 1));
  $(".leave").addEventListener("click", () => goTo(-1));
  $(".next").addEventListener("click", () => {
    if (stop < TOUR.length - 1) { goTo(stop + 1); return; }
    goTo(-1);
    $(".race").open = true;
    $(".race").scrollIntoView();
    $(".race summary").focus({ preventScroll: true });
  });

  const endRace = setUpRace({ model, $, say, bytes });

  // -- Light or dark: whatever the text of the place is like.

  function dress() {
    if (!el.isConnected) { return; }  // a notebook puts it into the page a little later
    const [r, g, b] = getComputedStyle(el).color.match(/[\d.]+/g).map(Number);
    const now = r + g + b > 3 * 128;
    if (now === dark && depthShown) { return; }
    dark = now;
    root.toggleAttribute("data-dark", dark);
    if (depthShown) { show(); }
  }
  const watch = new MutationObserver(dress), scheme = matchMedia("(prefers-color-scheme: dark)");
  for (const host of [document.documentElement, document.body]) {
    watch.observe(host, { attributes: true, attributeFilter: ["class", "data-theme", "style",
      "data-jp-theme-light", "data-mode"] });
  }
  scheme.addEventListener("change", dress);
  const arrival = new ResizeObserver(dress);
  arrival.observe(root);

  function paintMap(canvas, { values, width, height }, most, mark) {
    paint(canvas, values, width, height, most || largest({ values }), dark);
    if (!mark) { return; }
    const context = canvas.getContext("2d"), size = 8;
    const small = document.createElement("canvas");
    Object.assign(small, { width, height });
    small.getContext("2d").drawImage(canvas, 0, 0);
    Object.assign(canvas, { width: width * size, height: height * size });
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    context.lineWidth = 2;
    context.strokeStyle = dark ? "#fff" : "#000";
    context.strokeRect(mark[1] * size, mark[0] * size, size, size);
  }
  // All channels, four in a row, with a gap between them and a frame around the chosen one.
  function paintAll(canvas, x, most, chosen) {
    const rows = x.channels / 4, across = x.width + 2, down = x.height + 2;
    Object.assign(canvas, { width: 4 * across, height: rows * down });
    const context = canvas.getContext("2d"), one = document.createElement("canvas");
    for (let c = 0; c < x.channels; c++) {
      const left = (c % 4) * across, top = Math.floor(c / 4) * down;
      if (c === chosen) {
        context.fillStyle = dark ? "#fff" : "#000";
        context.fillRect(left, top, across, down);
      }
      paint(one, mapOf(x, c).values, x.width, x.height, most, dark);
      context.drawImage(one, left + 1, top + 1);
    }
  }

  // -- Begin.

  drawPicks();
  dress();
  if (onAddress) {
    addEventListener("hashchange", takeAddress);
    takeAddress();
  } else {
    const follow = () => { if (model.get("state") !== saved) { take(model.get("state") || toText(freshState())); } };
    model.on("change:state", follow);
    if (model.get("state")) { follow(); }
  }
  if (!depthShown) { show(); count(); }
  root.dataset.ready = "yes";
  return () => {
    counter.end(); endRace(); watch.disconnect(); arrival.disconnect();
    scheme.removeEventListener("change", dress);
    removeEventListener("hashchange", takeAddress);
  };
}

// The race: controls, curves, and what happened, in words.
function setUpRace({ model, $, say, bytes }) {
  const select = {};
  for (const [kind, { name }] of Object.entries(RACERS)) {
    const label = document.createElement("label"), made = document.createElement("select");
    label.append(`Rate, ${name}`, made);
    $(".rates").append(label);
    select[kind] = made;
  }
  function offerRates() {
    const searched = SEARCHED[$(".race-depth").value];
    for (const kind of Object.keys(RACERS)) {
      select[kind].replaceChildren(...RATES.map((rate) => {
        const found = rate === searched[kind];
        return new Option(found ? `${rate} (best found)` : rate, rate, found, found);
      }));
    }
  }
  $(".race-depth").addEventListener("change", offerRates);
  offerRates();

  let curves = {}, runner = null, settings = null;
  function data() {
    const got = bytes("race_digits");
    if (got?.byteLength) { return Promise.resolve(got); }
    return new Promise((resolve) => {
      const arrived = () => {
        if (bytes("race_digits")?.byteLength) {
          model.off?.("change:race_digits", arrived);
          resolve(bytes("race_digits"));
        }
      };
      model.on("change:race_digits", arrived);
      model.set("race_wanted", true);
      model.save_changes();
    });
  }
  function draw() {
    const lines = Object.entries(curves).map(([kind, points]) => ({ kind, points }));
    $(".chart").innerHTML = raceChart(lines, settings?.updates ?? UPDATES);
  }
  $(".race").addEventListener("toggle", () => { if ($(".race").open) { draw(); } }, { once: true });
  $(".go").addEventListener("click", async () => {
    $(".go").disabled = true;
    $(".halt").disabled = false;
    $(".report").textContent = "Getting the digits …";
    const digits = await data();
    runner ??= worker(race, { race_digits: digits });
    const seed = Math.min(Math.max(Math.floor(Number($(".race-seed").value)) || 0, 0), 9999);
    $(".race-seed").value = seed;
    settings = {
      depth: Number($(".race-depth").value), width: 32, seed, updates: UPDATES, batch: 64,
      fade: $(".race-fade").checked,
      racers: Object.keys(RACERS).map((kind) => ({ kind, rate: Number(select[kind].value) })),
    };
    curves = Object.fromEntries(Object.keys(RACERS).map((kind) => [kind, []]));
    const began = performance.now();
    let drawn = 0;
    runner.start(settings, ({ update, losses, lambda }) => {
      for (const kind of Object.keys(losses)) { curves[kind].push(losses[kind]); }
      if (performance.now() - drawn < 200 && update < UPDATES) { return; }
      drawn = performance.now();
      draw();
      const faded = settings.fade ? ` λ is ${lambda.toFixed(2)}.` : "";
      $(".report").textContent = `Update ${update} of ${UPDATES}.${faded}`;
    }, () => {
      draw();
      finish((performance.now() - began) / 1000);
    });
  });
  function finish(seconds) {
    $(".go").disabled = false;
    $(".halt").disabled = true;
    $(".report").textContent = raceReport(curves, settings, seconds);
    say($(".report").textContent);
  }
  $(".halt").addEventListener("click", () => {
    runner?.stop();
    $(".go").disabled = false;
    $(".halt").disabled = true;
    $(".report").textContent = `Stopped after ${curves.plain?.length ?? 0} updates.`;
  });
  return () => runner?.end();
}

// What happened, and nothing else: the order and the ratios are those that were measured.
function raceReport(curves, { depth, fade, seed }, seconds) {
  const ends = Object.entries(curves).map(([kind, losses]) => {
    const last = losses.slice(-LAST);
    return { kind, loss: last.reduce((a, b) => a + b) / last.length };
  });
  const of = Object.fromEntries(ends.map(({ kind, loss }) => [kind, loss]));
  const said = ends.map(({ kind, loss }) => `${RACERS[kind].name} ${figure(loss)}`).join("; ");
  const times = (a, b) => (a / b).toFixed(a / b < 10 ? 1 : 0);
  const compare = (a, b, subject, other) => {
    if (!Number.isFinite(a)) { return `${subject} diverged.`; }
    if (a < b / 1.1) { return `${subject} ended ${times(b, a)} times lower than ${other}.`; }
    if (a > b * 1.1) { return `${subject} ended ${times(a, b)} times higher than ${other}.`; }
    return `${subject} and ${other} ended within a tenth of each other.`;
  };
  return `${depth} layers, seed ${seed}, ${UPDATES} updates in ${seconds.toFixed(0)} seconds. Training `
    + `loss, mean of the last ${LAST} updates: ${said}. `
    + compare(of.residual, of.plain, "The additions alone", "the plain network")
    + ` ${compare(of.zero, of.plain, "With branches that start at zero they", "the plain network")}`
    + (fade ? " At the end no network had a shortcut." : "")
    + " One seed is one seed: try another.";
}

// Curves of training loss on a logarithmic scale, each with its name at its end.
function raceChart(lines, updates) {
  const [left, right, top, bottom] = [44, 540, 12, 262], floor = Math.log10(0.01), roof = 1;
  const x = (update) => left + (right - left) * update / updates;
  const y = (loss) => {
    const level = Math.min(Math.max(Math.log10(loss), floor), roof);
    return top + (bottom - top) * (roof - level) / (roof - floor);
  };
  const rules = [10, 1, 0.1, 0.01].map((loss) =>
    `<line class="grid" x1="${left}" x2="${right}" y1="${y(loss)}" y2="${y(loss)}"/>
     <text x="${left - 6}" y="${y(loss) + 4}" text-anchor="end">${loss}</text>`);
  const ticks = [0, updates / 2, updates].map((update) =>
    `<text x="${x(update)}" y="${bottom + 18}" text-anchor="middle">${update}</text>`);
  const smooth = lines.filter(({ points }) => points.length).map(({ kind, points }) => {
    const means = [];
    for (let i = 0; i < points.length; i += 10) {
      const some = points.slice(i, i + 10);
      means.push([i + some.length, some.reduce((a, b) => a + b) / some.length]);
    }
    return { kind, means, end: y(means.at(-1)[1]) };
  });
  // Names that would lie on each other are moved apart.
  const placed = [...smooth].sort((a, b) => a.end - b.end);
  placed.forEach((line, i) => {
    line.label = Math.max(line.end + 4, i ? placed[i - 1].label + 15 : 0);
  });
  const drawn = smooth.map(({ kind, means, label }) => {
    const { colour, dash, name } = RACERS[kind], [words, more] = name.split(", ");
    const path = means.map(([update, loss]) => `${x(update).toFixed(1)},${y(loss).toFixed(1)}`);
    const short = more ? `${words}, from zero` : words;
    return `<polyline points="${path.join(" ")}" stroke="var(--${colour})" stroke-dasharray="${dash}"/>
      <text x="${right + 6}" y="${label}">${short}</text>`;
  });
  const words = smooth.length ? smooth.map(({ kind, means }) =>
    `${RACERS[kind].name}: ${figure(means[0][1])} at first, ${figure(means.at(-1)[1])} at last`)
    .join("; ") : "nothing yet";
  return `<svg viewBox="0 0 680 300" role="img" aria-label="Training loss against updates. ${words}.">
    ${rules.join("")}${ticks.join("")}${drawn.join("")}
    <text x="${(left + right) / 2}" y="${bottom + 36}" text-anchor="middle">updates</text>
    <text x="${left + 8}" y="${top + 16}">training loss</text></svg>`;
}

// -- Small things.

function asBytes(data) {
  if (!data) { return null; }
  if (data instanceof Uint8Array) { return data.slice(); }
  return new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength).slice();
}

function percent(p) {
  if (p > 0.9995 && p < 1) { return "over 99.9 %"; }
  return p > 0.995 && p < 1 ? `${(100 * p).toFixed(1)} %` : `${Math.round(100 * p)} %`;
}

function figure(value) {
  if (!Number.isFinite(value)) { return "no number"; }
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
}

function signed(value) { return value < 0 ? `(${figure(value)})` : figure(value); }

function mapOf(x, channel) {
  const values = new Float32Array(x.width * x.height);
  for (let i = 0; i < values.length; i++) { values[i] = x.values[i * x.channels + channel]; }
  return { values, width: x.width, height: x.height };
}

function meanMap(x) {
  const values = new Float32Array(x.width * x.height);
  x.values.forEach((value, i) => { values[Math.floor(i / x.channels)] += value / x.channels; });
  return { values, width: x.width, height: x.height };
}

function largest({ values }) {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

// A feature map in words: how strong, how empty, and where most of it is.
function inWords({ values, width, height }) {
  const most = largest({ values });
  if (!(most > 0)) { return most === 0 ? "all zero" : "no numbers"; }
  const at = values.findIndex((value) => Math.abs(value) === most);
  const third = (place, size, names) => names[Math.min(Math.floor(3 * place / size), 2)];
  const where = [third(Math.floor(at / width), height, ["top", "middle", "bottom"]),
    third(at % width, width, ["left", "centre", "right"])].join(" ");
  const zeros = values.filter((value) => value === 0).length / values.length;
  const below = values.filter((value) => value < 0).length / values.length;
  const share = [zeros > 0 && `${percent(zeros)} zero`, below > 0 && `${percent(below)} negative`];
  return [`strongest ${figure(values[at])}, ${where}`, ...share.filter(Boolean)].join("; ");
}

// Above zero towards blue, below towards orange, zero the colour of the paper.
function paint(canvas, values, width, height, most, dark) {
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  const paper = dark ? [22, 24, 29] : [255, 255, 255];
  const ends = dark ? [[150, 210, 255], [255, 150, 80]] : [[0, 45, 110], [190, 75, 0]];
  values.forEach((value, i) => {
    const share = most > 0 ? Math.min(Math.abs(value) / most, 1) ** 0.7 : 0;
    const end = ends[value < 0 ? 1 : 0];
    for (let c = 0; c < 3; c++) { image.data[4 * i + c] = paper[c] + share * (end[c] - paper[c]); }
    image.data[4 * i + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}

function paintLevels(canvas, levels) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  levels.forEach((level, i) => image.data.set([level, level, level, 255], 4 * i));
  context.putImageData(image, 0, 0);
}

// What the tests compare with Keras.
export const engine = {
  unpack, networkOf, digitsOf, forward, probe, newRacer, lossAndGradients, fromText, toText, likeMnist,
};
export default { render };
