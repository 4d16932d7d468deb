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
// `zeroBranches` the second layer of each block starts at zero: then F(x) = 0.
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
    const z = logits.subarray(10 * n, 10 * n + 10), p = softmax(z), top = Math.max(...z);
    loss += (top + Math.log(z.reduce((sum, v) => sum + Math.exp(v - top), 0)) - z[labels[n]]) / count;
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

// Adam: each weight has a step of its own size, by the means of its gradients and their squares.
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
  unpack, halves, networkOf, digitsOf, standardised, convolve, multiplyAdd, carry, runBlock,
  forward, channelMeans, softmax, best, countRight, randomFrom, newRacer, dense, relu,
  lossAndGradients, denseBack, adam, lambdaAt, race, inSlices,
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
      if (helper === "none") { onThePage(); return; }
      helper.postMessage({ id: current, settings });
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
// What is shown and what is changed, as text: "depth=56&digit=4&fade=0.5&edits=r7_0_1&open=r7".
// In `edits`, block 7 of the residual network has a branch times 0 and a shortcut times 1: it is
// off. What is drawn stands in `ink`, four bits a pixel. `race` has depth, seed, fade and rates.

const KINDS = ["plain", "residual", "faded"];
const LARGEST_FACTOR = 2;

// As the study searched it, which a test compares.
const RACE = {
  depths: [12, 22, 42], width: 32, updates: 400, batch: 64,
  rates: [0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1],
};

function freshState() {
  return { depth: 56, digit: 0, ink: null, fade: 1, edits: {}, open: "r5", race: null };
}

function toText(state) {
  const parts = [`depth=${state.depth}`];
  parts.push(state.ink ? `ink=${inkToText(state.ink)}` : `digit=${state.digit}`);
  if (state.fade !== 1) { parts.push(`fade=${state.fade}`); }
  const edits = Object.entries(state.edits).map(([block, by]) => [block, ...by].join("_"));
  if (edits.length) { parts.push(`edits=${edits.join(",")}`); }
  parts.push(`open=${state.open}`);
  if (state.race) { parts.push(`race=${state.race.join("_")}`); }
  return parts.join("&");
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
      isBlock(block) && isFactor(branch) && isFactor(shortcut) && !more.length)
      && new Set(parts.map(([block]) => block)).size === parts.length;
    const pairs = parts.map(([block, ...by]) => [block, by.map(Number)]);
    return fine ? { edits: Object.fromEntries(pairs) } : null;
  },
  open: (text) => (isBlock(text) ? { open: text } : null),
  race(text) {
    const [depth, seed, fade, ...rates] = text.split("_");
    const fine = RACE.depths.map(String).includes(depth) && /^(0|[1-9]\d{0,3})$/.test(seed ?? "")
      && ["0", "1"].includes(fade) && rates.length === 3
      && rates.every((rate) => RACE.rates.map(String).includes(rate));
    return fine ? { race: text.split("_").map(Number) } : null;
  },
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
    const key = kind[0] + (i + 1), [branch, shortcut] = state.edits[key] ?? untouched(kind);
    if (isOff(state, key)) { return [0, 1]; }  // what came in goes on, whatever fades
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
        const r = Math.floor(startY + (row + i) * step);
        const c = Math.floor(startX + (column + j) * step);
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
.scope { --plain: #0072b2; --residual: #b84a00; --faded: #00785a; --line: #8888; --edge: #767676;
  --paper: #fff; --ink: #1a1a1a; --soft: #8882; --focus: #0055cc; color: var(--ink); font-size: 1rem;
  line-height: 1.4; container-type: inline-size; text-align: left; }
.scope[data-dark] { --plain: #6cc0f0; --residual: #ff9d5c; --faded: #3fd1a4; --edge: #8d929c;
  --paper: #16181d; --ink: #eceef2; --focus: #9cc7ff; }
.scope * { box-sizing: border-box; }
.scope h3, .scope h4, .scope p { margin: 0 0 .4em; color: inherit; }
.scope h3 { font-size: 1.2em; font-weight: 700; }
.scope h4 { font-size: 1.05em; font-weight: 700; }
.scope section, .scope details { margin: 0 0 1.1em; }
.scope [hidden] { display: none !important; }
.scope .quiet { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap; }
.scope button, .scope select, .scope input[type=number] { font: inherit; color: inherit;
  background: var(--soft); border: 1px solid var(--edge); border-radius: 5px; padding: .25em .7em;
  min-height: 32px; max-width: 100%; }
.scope select option { color: #1a1a1a; background: #fff; }
.scope button { cursor: pointer; }
.scope [aria-disabled=true] { opacity: .5; cursor: default; }
.scope button.main { border: 2px solid currentColor; font-weight: 600; }
.scope :is(button, input, select, canvas, summary):focus-visible { outline: 3px solid var(--focus);
  outline-offset: 1px; }
.scope .strip { display: flex; flex-wrap: wrap; gap: .5em .9em; align-items: center; }
.scope fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
.scope legend { float: left; margin: 0 .6em 0 0; font-size: 1em; line-height: 28px; padding: 0;
  width: auto; }
.scope label { display: inline-flex; gap: .35em; align-items: center; min-height: 28px; margin: 0; }
.scope input[type=range] { width: 9em; accent-color: var(--edge); min-height: 28px; }
.scope input:is([type=radio], [type=checkbox]) { width: 18px; height: 18px;
  accent-color: var(--focus); }
.scope output { font-variant-numeric: tabular-nums; min-width: 2.4em; display: inline-block; }
.scope canvas { display: block; image-rendering: pixelated; }
.scope .field { background: #000; border: 2px solid var(--edge); touch-action: none; width: 140px;
  height: 140px; cursor: crosshair; image-rendering: auto; }
.scope .paper { position: relative; width: 140px; margin-bottom: 4px; }
.scope .pen { position: absolute; width: 14px; height: 14px; border: 3px solid; border-radius: 50%;
  pointer-events: none; }
.scope .picks { display: grid; grid-template-columns: repeat(5, 44px); gap: 4px; }
@container (min-width: 680px) { .scope .picks { grid-template-columns: repeat(10, 44px); } }
.scope .picks button { padding: 2px; width: 44px; height: 44px; background: #000; }
.scope .picks { margin-bottom: 6px; }
.scope .picks button[aria-pressed=true] { outline: 3px solid var(--ink); outline-offset: 1px; }
.scope .picks canvas { width: 100%; height: 100%; }
.scope .digit { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start; }
.scope .digit > div:last-child { flex: 1 1 15em; }
.scope .networks { display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); }
@container (min-width: 680px) {
  .scope .networks { grid-template-columns: repeat(3, minmax(0, 1fr)); row-gap: 0; }
  .scope article { display: grid; grid-row: span 7; grid-template-rows: subgrid; } }
.scope article { border: 1px solid var(--line); border-top: 5px solid var(--own);
  border-radius: 6px;
  padding: 8px 1px 4px; min-width: 0; }
.scope article > :not(.stages), .scope .stages .small { margin-left: 7px; margin-right: 7px; }
.scope article.told { outline: 3px solid var(--focus); outline-offset: 2px; }
.scope .what, .scope .small { font-size: .86em; }
@container (min-width: 480px) and (max-width: 679.9px) {
  .scope article { display: grid; grid-template-columns: minmax(0, 4fr) minmax(0, 5fr);
    grid-auto-rows: min-content; column-gap: 16px; }
  .scope article > * { grid-column: 1; } .scope article .stages { grid-area: 1 / 2 / 8 / 3; } }
.scope .count b { font-size: 1.35em; }
.scope .tries { margin-top: .9em; }
.scope .reads b { font-size: 2em; line-height: 1; color: var(--own); margin-right: .1em; }
.scope .reads { margin: 0; min-height: 2.9em; }
.scope .bars10 { display: grid; grid-template-columns: repeat(10, 1fr); gap: 2px;
  margin: 2px 0 6px; font-size: .8em; text-align: center; }
.scope .bars10 i { display: flex; height: 44px; align-items: flex-end; background: var(--soft); }
.scope .bars10 i::before { content: ""; width: 100%; height: var(--share, 0%);
  background: var(--own); }
.scope .fading input { width: 100%; }
.scope .fading label { display: block; }
.scope .tiles { display: grid; gap: 0; grid-template-columns: repeat(var(--n), minmax(0, 44px));
  margin-bottom: 6px; }
.scope button.tile { padding: 1px; display: block; border-radius: 3px; min-width: 0;
  position: relative;
  line-height: 1.1; background: none; }
.scope .tile canvas { width: 100%; aspect-ratio: 1; }
.scope .tile .pair { display: flex; gap: 2px; height: 26px; align-items: flex-end;
  margin: 2px 1px 1px;
  border-bottom: 1px solid currentColor; }
.scope .tile .pair i { flex: 1; height: var(--size, 0%); }
.scope .tile .pair .x { border: 1px solid currentColor; border-bottom: 0;
  background: linear-gradient(to top, currentColor var(--fill, 100%), transparent 0);
  opacity: .65; }
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
.scope .block { border: 1px solid var(--line); border-left: 5px solid var(--own);
  border-radius: 6px;
  padding: 10px; }
.scope .sum { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px 14px;
  margin: .6em 0; }
@container (min-width: 680px) { .scope .sum { grid-template-columns: repeat(4, minmax(0, 1fr)); } }
.scope figure { margin: 0; min-width: 0; position: relative; }
.scope figcaption span { color: inherit; }
.scope figcaption { font-size: .86em; min-height: 2.9em; margin: 0; text-align: left;
  color: inherit; }
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
.scope .board { display: none; position: sticky; bottom: 0; z-index: 4; background: var(--paper);
  border: 1px solid var(--edge); border-radius: 6px; padding: .3em .6em; margin: 0;
  grid-template-columns: repeat(3, 1fr); gap: .5em; font-size: .86em;
  box-shadow: 0 -3px 8px #0004; }
@container (max-width: 479.9px) { .scope .board { display: grid; }
  .scope :is(.field, .paper) { width: 220px; } .scope .field { height: 220px; } }
.scope:has(.tour:not([hidden])) .board { display: none; }
.scope .board b { color: var(--own); display: block; }
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
  faded: ["Faded", "trained with shortcuts that were faded to zero; what remains is plain."],
};

// What is said about its shortcuts; of the residual network, a slider.
const FADING = {
  plain: "It has no shortcut that could fade.",
  residual: `<label>All shortcuts × <output></output>
    <input type="range" class="fader" min="0" max="1" step="0.01"></label>`,
  faded: "Its shortcuts are at 0: they faded while it learnt.",
};

const TOUR = [
  ["One digit, three networks",
    "All three have the same layers and have learnt the same images; they differ in one addition per "
    + "block, the shortcut. Each says what it reads. Pick other digits, or draw one: do they agree?",
    "depth=56&digit=0&open=r5", ".networks"],
  ["Eighteen blocks, one after the other",
    "Each tile is one block. The picture is its output, the two bars compare the sizes of its input "
    + "x and its branch F(x), and the digit is what a simple classifier would guess from that "
    + "output alone. Follow a row: how long does the 3 stay recognisable, and in which network?",
    "depth=56&digit=4&open=r5", ".networks"],
  ["Take a block out of the residual network",
    "Block 5 is off: its input now skips straight to block 6. How many of the 200 test digits does "
    + "the network still get right? Try other blocks. Which one can it least afford to lose?",
    "depth=56&digit=4&edits=r5_0_1&open=r5", "[data-kind=residual]"],
  ["Take the same block out of the plain one",
    "To switch off a plain block we have to lend it a shortcut, so that block 6 receives what block "
    + "5 was given. It was trained on what block 5 gives out, and on nothing else. Compare the two "
    + "counts.",
    "depth=56&digit=4&edits=r5_0_1,p5_0_1&open=p5", "[data-kind=plain]"],
  ["Fade the shortcuts, after training",
    "All shortcuts of the residual network are turned down by a tenth, no more, and look at its "
    + "count. Slide them back up: where does it recover? A tenth in each of eighteen blocks adds up. "
    + "At 0 you have a plain network, with weights that never trained as one.",
    "depth=56&digit=4&fade=0.9&open=r9", "[data-kind=residual]"],
  ["Fade them during training",
    "The third network has no shortcuts either, but it lost them gradually, while its weights could "
    + "still adapt. Compare its count with that of the first. Then switch off block 5 in it: what does "
    + "that cost here, and what did it cost the plain one? Now train some yourself, below.",
    "depth=56&digit=4&fade=0&open=f5", "[data-kind=faded]"],
];

const RACERS = {
  plain: { name: "plain", colour: "plain", dash: "" },
  residual: { name: "residual", colour: "residual", dash: "9 4" },
  zero: { name: "residual, branches start at zero", colour: "faded", dash: "2 4" },
};
const LAST = 50;  // updates, over whose losses a race's end is averaged

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
    <div class="paper"><canvas class="field" width="140" height="140" tabindex="0"
      role="application" aria-label="A field to draw a digit in. Arrow keys move the pen; the space
 bar puts it down and lifts it."></canvas><span class="pen" hidden></span></div>
    <button type="button" class="clear">Clear</button></div>
  <div><h3>or pick one</h3><div class="picks"></div>
    <div class="strip"><button type="button" class="more">Ten others</button>
      <span class="small given"></span></div>
    <div class="strip tries"><b>Then try, one after the other:</b>
      <button type="button" data-try="r5">Switch off block 5 of the residual network</button>
      <button type="button" data-try="p5">Switch off block 5 of the plain one</button>
      <button type="button" data-try="fade">Cut the residual network's shortcuts</button></div></div>
</section>
<section>
  <p class="small key"><b>Each tile is a block of three layers; press one to open it.</b> Picture: its
    output, averaged over channels, each tile on its own scale. Grey bar <i class="x"></i>: the size of the input x,
    filled to the extent that it is added, hollow if it is not. Coloured bar <i class="f"></i>: the
    size of the branch F(x). Digit: what a linear classifier would guess from this output, ✓ if
    right.</p>
  <p class="note noted" hidden></p>
  <div class="networks"></div>
  <p class="small source"></p>
</section>
<section class="block" aria-label="One block, opened">
  <div class="strip"><h3 class="title"></h3>
    <button type="button" class="before">← Block before</button>
    <button type="button" class="after">Block after →</button></div>
  <div class="strip">
    <label><input type="checkbox" class="on"> The block is on</label>
    <label>Branch × <input type="range" class="branch" min="0" max="2" step="0.01">
      <output></output></label>
    <label>Shortcut × <input type="range" class="shortcut" min="0" max="2" step="0.01">
      <output></output></label></div>
  <div class="sum"></div>
  <div class="strip">
    <label>Channel <input type="range" class="channel" min="1" value="1"><output></output></label>
    <label>Row <input type="range" class="at-row" min="1" value="6"><output></output></label>
    <label>Column <input type="range" class="at-column" min="1" value="8"><output></output></label>
  </div>
  <p class="equation"></p>
  <details class="in-words"><summary>All feature maps in words</summary>
    <div class="words" tabindex="0" role="region" aria-label="All feature maps in words"></div>
  </details>
</section>
<details class="race"><summary>Train it here: a race</summary>
  <p>Three dense networks learn 2,000 small digits in this page, from one seed and on the same
    images: one plain, one with additions, and one with additions whose branches start at zero. There
    is no normalisation. Who will be ahead, and by how much?</p>
  <div class="strip">
    <label>Layers <select class="race-depth">${
  RACE.depths.map((depth) => `<option>${depth}`).join("")}</select></label>
    <label>Seed <input type="number" class="race-seed" min="0" max="9999" value="1"
      style="width: 5.5em"></label>
    <label><input type="checkbox" class="race-fade"> Fade the shortcuts to nothing</label></div>
  <div class="strip rates"></div>
  <p><button type="button" class="main go">Start the race</button>
    <button type="button" class="halt" aria-disabled="true">Stop</button></p>
  <div class="chart"></div>
  <p class="report"></p>
</details>
<p class="board" aria-hidden="true"></p>
<section class="tour" aria-label="Guided tour" hidden>
  <h4></h4><p></p>
  <div class="strip"><button type="button" class="back">Back</button>
    <button type="button" class="main next">Next</button>
    <button type="button" class="leave">End the tour</button></div>
</section>`;

let shownHere = 0;  // so that radio buttons of two microscopes on a page are two groups

// What the parts below share is `scope`: where they draw, what is read, and the state. Each part
// listens to its own controls, and may give `show`, called after each change, and `end`.
function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "scope";
  root.innerHTML = `<style>${LOOK}</style>${PAGE}`;
  root.addEventListener("click", (event) => {
    if (event.target.closest("[aria-disabled=true]")) { event.stopPropagation(); }
  }, { capture: true });
  el.append(root);
  const bytes = (name) => asBytes(model.get(name));
  const file = unpack(bytes("networks")), digits = unpack(bytes("digits"));
  const networks = file.about.networks.map(({ name }) => [name, networkOf(file, name)]);
  const scope = {
    model, el, root, bytes, $: (selector) => root.querySelector(selector), about: file.about,
    networks: Object.fromEntries(networks), digits: digitsOf(digits), pixels: digits.about,
    state: freshState(), steps: {}, counts: new Map(), dark: false,
  };
  const parts = [
    speaking, dressing, keeping, settings, digitField, digitPicks, panels, counting, remarks,
    openedBlock, guide, racing,
  ].map((part) => part(scope));
  scope.show = () => {
    for (const kind of KINDS) {
      scope.steps[kind] = forward(networkIn(scope, kind), pixelsIn(scope),
        factorsOf(scope.state, kind), true);
    }
    for (const { show } of parts) { show?.(); }
  };
  scope.begin();
  root.dataset.ready = "yes";
  return () => { for (const { end } of parts) { end?.(); } };
}

function nameIn({ state }, kind) { return `${kind} ${state.depth}`; }

function networkIn(scope, kind) { return scope.networks[nameIn(scope, kind)]; }

function kindOf(key) { return KINDS.find((kind) => kind[0] === key[0]); }

function levelsIn({ state, digits }) {
  return state.ink ?? digits.levels.subarray(784 * state.digit, 784 * state.digit + 784);
}

function pixelsIn(scope) {
  return standardised(levelsIn(scope), scope.pixels.mean, scope.pixels.deviation);
}

// What the digit is; of a drawn one nobody knows.
function truthIn({ state, digits }) { return state.ink ? null : digits.labels[state.digit]; }

// A block is off where its branch is: what came in goes on along the shortcut.
function isOff(state, key) {
  const [branch, shortcut] = state.edits[key] ?? [1];
  return branch === 0 && shortcut === 1;
}

// The edits of a state with one block changed; as it was, it is none.
function edited(state, key, branch, shortcut) {
  const { [key]: _, ...others } = state.edits, usual = untouched(kindOf(key));
  const same = usual[0] === branch && usual[1] === shortcut;
  return { edits: same ? others : { ...others, [key]: [branch, shortcut] } };
}

// -- One voice for those who listen: what is said replaces what was not yet said.

function speaking(scope) {
  let waiting = 0;
  scope.say = (text, after = 0) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { scope.$("[role=status]").textContent = text; }, after);
  };
  return { end: () => clearTimeout(waiting) };
}

// -- Light or dark: whatever the place's own text is like.

function dressing(scope) {
  function dress() {
    if (!scope.el.isConnected) { return; }  // a notebook puts it into the page a little later
    const [r, g, b] = getComputedStyle(scope.el).color.match(/[\d.]+/g).map(Number);
    const dark = r + g + b > 3 * 128;
    if (dark === scope.dark) { return; }
    scope.dark = dark;
    scope.root.toggleAttribute("data-dark", dark);
    if (scope.steps.plain) { scope.show(); }
  }
  const host = new MutationObserver(dress), scheme = matchMedia("(prefers-color-scheme: dark)");
  const attributeFilter = ["class", "style", "data-theme", "data-mode", "data-jp-theme-light"];
  for (const place of [document.documentElement, document.body]) {
    host.observe(place, { attributes: true, attributeFilter });
  }
  scheme.addEventListener("change", dress);
  const arrival = new ResizeObserver(dress);
  arrival.observe(scope.root);
  dress();
  return {
    end() { host.disconnect(); arrival.disconnect(); scheme.removeEventListener("change", dress); },
  };
}

// -- The state: changed here, undone here, and told to the address or to the notebook.

function keeping(scope) {
  const { model, $ } = scope, onAddress = model.get("address") === true, past = [];
  let saved = toText(scope.state), waiting = false;

  // While a slider moves: as often as the screen is drawn.
  scope.change = (patch) => {
    Object.assign(scope.state, patch);
    if (waiting) { return; }
    waiting = true;
    requestAnimationFrame(() => { waiting = false; scope.show(); });
  };
  // When it has moved.
  scope.commit = (patch = {}) => {
    Object.assign(scope.state, patch);
    const text = toText(scope.state);
    if (text !== saved) { past.push(saved); tell(text); }
    update();
  };
  function tell(text) {
    saved = text;
    if (onAddress) {
      // Some browsers refuse a hundred changes in half a minute; the next one will stand there.
      try { history.replaceState(history.state, "", `#${text}`); } catch { /* too often */ }
      return;
    }
    model.set("state", text);
    model.save_changes();
  }
  function update() { scope.show(); scope.count(); }

  // From outside. What is odd is refused with a sentence, and changes nothing.
  function take(text) {
    const read = fromText(text), refused = !read || read.digit >= scope.digits.count;
    $(".refused").hidden = !refused;
    if (!refused) { scope.commit(read); return; }
    const where = onAddress ? "The address" : "The state";
    $(".refused").textContent = `${where} names a setting that this microscope does not know. `
      + "Nothing of it was used.";
    scope.say($(".refused").textContent);
  }
  function takeAddress() {
    let text = location.hash.slice(1);
    try { text = decodeURIComponent(text); } catch { text = "?"; }
    if (text && text !== saved && !document.getElementById(text)) { take(text); }
  }
  function takeTrait() {
    if (model.get("state") !== saved) { take(model.get("state") || toText(freshState())); }
  }
  // What the notebook or the page asked for; on the site, the address may ask for something else.
  scope.begin = () => {
    const wanted = model.get("state"), read = fromText(wanted || saved);
    if (read) { scope.state = read; saved = toText(read); } else { take(wanted); }
    update();
    if (onAddress) { takeAddress(); past.length = 0; }  // nothing that could be undone
    scope.show();
  };
  scope.hasChanged = () => past.length > 0;
  scope.undo = () => {
    if (!past.length) { return; }
    tell(past.pop());
    scope.state = fromText(saved);
    update();
  };

  $(".link").hidden = !onAddress;
  $(".link").addEventListener("click", async () => {
    tell(saved);
    try {
      await navigator.clipboard.writeText(location.href);
      $(".link").textContent = "Copied";
    } catch { $(".link").textContent = "Copy it from the address bar"; }
    scope.say($(".link").textContent);
  });
  if (onAddress) { addEventListener("hashchange", takeAddress); }
  model.on("change:state", takeTrait);
  return {
    end() {
      removeEventListener("hashchange", takeAddress);
      model.off?.("change:state", takeTrait);
    },
  };
}

// -- Depth, undo, reset, and three things to try.

function settings(scope) {
  const { $, root } = scope, radios = [...root.querySelectorAll(".depth input")];
  const tries = [...root.querySelectorAll("[data-try]")];
  shownHere += 1;
  for (const radio of radios) {
    radio.name = `depth-of-microscope-${shownHere}`;
    radio.addEventListener("change", () => {
      const depth = Number(radio.value), most = (depth - 2) / 3, { open } = scope.state;
      const there = Math.min(Number(open.slice(1)), most);
      scope.commit({ depth, edits: {}, open: open[0] + there });  // other networks, other blocks
    });
  }
  for (const button of tries) {
    const key = button.dataset.try;
    button.addEventListener("click", () => {
      scope.commit(key === "fade" ? { fade: 0 } : { ...edited(scope.state, key, 0, 1), open: key });
    });
  }
  $(".undo").addEventListener("click", () => scope.undo());
  $(".reset").addEventListener("click", () => scope.commit({ edits: {}, fade: 1 }));
  return {
    show() {
      const { state } = scope;
      for (const radio of radios) { radio.checked = Number(radio.value) === state.depth; }
      atRest($(".undo"), !scope.hasChanged());
      atRest($(".reset"), state.fade === 1 && !Object.keys(state.edits).length);
      for (const button of tries) {
        const key = button.dataset.try;
        atRest(button, key === "fade" ? state.fade === 0 : isOff(state, key));
      }
    },
  };
}

// -- The digit: a field to draw in, with a mouse, a finger or the keys.

const FIELD = 140, PEN = 11, STEP = 6;

function digitField(scope) {
  const field = scope.$(".field"), mark = scope.$(".pen");
  const pen = field.getContext("2d", { willReadFrequently: true });
  let last = null, keyPen = [FIELD / 2, FIELD / 2], down = false;
  let shown = "", clean = true;  // what the field shows; whether the next stroke begins a new digit

  function stroke(from, to) {
    if (clean) { pen.fillStyle = "#000"; pen.fillRect(0, 0, FIELD, FIELD); clean = false; }
    Object.assign(pen, { strokeStyle: "#fff", lineWidth: PEN, lineCap: "round" });
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(to[0] + 0.1, to[1]);  // a dot is seen, too
    pen.stroke();
    const { data } = pen.getImageData(0, 0, FIELD, FIELD);
    const ink = likeMnist(Uint8Array.from({ length: FIELD ** 2 }, (_, i) => data[4 * i]), FIELD);
    if (ink) { shown = inkToText(ink); scope.change({ ink }); }
  }
  function place(event) {
    const box = field.getBoundingClientRect(), scale = FIELD / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }
  field.addEventListener("pointerdown", (event) => {
    try { field.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone */ }
    last = place(event);
    stroke(last, last);
  });
  field.addEventListener("pointermove", (event) => {
    if (!last) { return; }
    const next = place(event);
    stroke(last, next);
    last = next;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    field.addEventListener(end, () => { if (last) { last = null; scope.commit(); } });
  }

  const arrows = {
    ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP],
  };
  function lift() { if (down) { down = false; scope.commit(); } }
  field.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      if (down) { lift(); } else { down = true; stroke(keyPen, keyPen); }
      scope.say(down ? "The pen is down." : "The pen is up.");
    } else if (event.key in arrows) {
      const next = keyPen.map((value, i) =>
        Math.min(Math.max(value + arrows[event.key][i], STEP), FIELD - STEP));
      if (down) { stroke(keyPen, next); }
      keyPen = next;
    } else { return; }
    event.preventDefault(); event.stopPropagation();  // else the page or the notebook takes them
    markPen();
  });
  // Where the pen of the keys is: beside the canvas, for what is on it is read.
  function markPen() {
    mark.hidden = !field.matches(":focus-visible");
    const [left, top] = keyPen.map((at) => `calc(${100 * at / FIELD}% - 5px)`);
    Object.assign(mark.style, { left, top, borderColor: down ? "#f60" : "#6cf" });
  }
  field.addEventListener("focus", markPen);
  field.addEventListener("blur", () => { lift(); markPen(); });
  scope.$(".clear").addEventListener("click", () => scope.commit({ ink: null }));
  return {
    show() {
      const { ink, digit } = scope.state, wanted = ink ? inkToText(ink) : String(digit);
      if (last || down || shown === wanted) { return; }
      shown = wanted;
      pen.imageSmoothingEnabled = false;
      pen.drawImage(pictureOf(levelsIn(scope)), 0, 0, FIELD, FIELD);
      clean = true;
    },
  };
}

// -- The digit: one of each kind out of the test digits.

function digitPicks(scope) {
  const { $, digits } = scope, ofKind = Array.from({ length: 10 }, () => []);
  digits.labels.forEach((label, i) => ofKind[label].push(i));
  let first = 0, buttons = [];
  function offer() {
    buttons = ofKind.map((at, label) => {
      const i = at[first % at.length], button = document.createElement("button");
      button.type = "button";
      button.dataset.at = i;
      button.setAttribute("aria-label", `Test digit ${i}, a ${label}`);
      button.append(pictureOf(digits.levels.subarray(784 * i, 784 * i + 784)));
      button.addEventListener("click", () => scope.commit({ digit: i, ink: null }));
      return button;
    });
    $(".picks").replaceChildren(...buttons);
  }
  function show() {
    const { ink, digit } = scope.state;
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(!ink && Number(button.dataset.at) === digit));
    }
    $(".given").textContent = ink ? "They read what you have drawn, as MNIST would have it."
      : `Test image ${digit + 1} of ${scope.digits.count}, a ${truthIn(scope)}.`;
  }
  offer();
  $(".more").addEventListener("click", () => { first += 1; offer(); show(); });
  return { show };
}

// -- The three networks, side by side.

function panels(scope) {
  const made = KINDS.map((kind) => panel(scope, kind));
  scope.$(".networks").append(...made.map(({ article }) => article));
  const fader = scope.$(".fader");
  fader.addEventListener("input", () => scope.change({ fade: Number(fader.value) }));
  fader.addEventListener("change", () => scope.commit({ fade: Number(fader.value) }));
  scope.$(".source").textContent = scope.about.source;
  return {
    show() {
      fader.value = scope.state.fade;
      fader.previousElementSibling.textContent = scope.state.fade.toFixed(2);
      for (const { show } of made) { show(); }
    },
  };
}

function panel(scope, kind) {
  const article = document.createElement("article"), [name, words] = ABOUT[kind];
  article.dataset.kind = kind;
  article.style.setProperty("--own", `var(--${kind})`);
  article.setAttribute("aria-label", `${name} network`);
  article.innerHTML = `<h3></h3><p class="what"></p><p class="reads">reads <b></b> <span></span></p>
    <div class="bars10" role="img"></div><p class="small count"></p>
    <div class="small fading">${FADING[kind]}</div><div class="stages" role="group"></div>`;
  const $ = (selector) => article.querySelector(selector);
  $("h3").textContent = name;
  $(".stages").setAttribute("aria-label",
    `Blocks of the ${kind} network; arrow keys go from one to the next`);
  const bars = Array.from({ length: 10 }, (_, digit) => {
    const bar = document.createElement("span");
    bar.append(document.createElement("i"), String(digit));
    return bar;
  });
  $(".bars10").append(...bars);
  let depth = 0, tiles = [];
  function show() {
    if (depth !== scope.state.depth) {
      depth = scope.state.depth;
      tiles = tilesOf(scope, kind, $(".stages"));
    }
    const { probabilities } = scope.steps[kind], read = best(probabilities), real = truthIn(scope);
    $(".what").textContent = `${depth} layers, ${words}`;
    $(".reads b").textContent = read;
    const judged = real === null ? "" : read === real ? ", right" : `, wrong: a ${real}`;
    $(".reads span").textContent = `${percent(probabilities[read])} sure${judged}`;
    probabilities.forEach((p, i) => {
      bars[i].firstChild.style.setProperty("--share", `${100 * p}%`);
    });
    const all = probabilities.map((p, i) => `${i}: ${percent(p)}`);
    $(".bars10").setAttribute("aria-label", `Probabilities: ${all.join(", ")}`);
    showTiles(scope, kind, tiles);
  }
  return { article, show };
}

// A row of tiles for each stage. The tab key stops at one of them; arrow keys go on from there.
function tilesOf(scope, kind, place) {
  const { blocks } = networkIn(scope, kind), perRow = blocks.length / 2;
  const rove = (chosen) => tiles.forEach((tile, i) => { tile.tabIndex = i === chosen ? 0 : -1; });
  const tiles = blocks.map((_, i) => {
    const tile = document.createElement("button");
    tile.type = "button";
    tile.className = "tile";
    tile.innerHTML = `<canvas></canvas><span class="pair"><i class="x"></i><i class="f"></i></span>
      <span class="guess"></span>`;
    tile.addEventListener("click", () => scope.commit({ open: kind[0] + (i + 1) }));
    tile.addEventListener("focus", () => rove(i));
    tile.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -perRow, ArrowDown: perRow }[event.key];
      if (!by) { return; }
      event.preventDefault(); event.stopPropagation();
      tiles[i + by]?.focus();
    });
    return tile;
  });
  rove(0);
  const rows = [0, perRow].map((from, stage) => {
    const row = document.createElement("div"), head = document.createElement("div");
    row.className = "tiles";
    row.style.setProperty("--n", perRow);
    row.append(...tiles.slice(from, from + perRow));
    head.className = "small";
    const size = ["14 × 14", "7 × 7"][stage];
    head.textContent = `Blocks ${from + 1}–${from + perRow}, maps of ${size}`;
    return [head, row];
  });
  place.replaceChildren(...rows.flat());
  return tiles;
}

// On each tile: what the block gives out, the sizes of x and F(x), and what can be read there.
function showTiles(scope, kind, tiles) {
  const { steps } = scope.steps[kind], factors = factorsOf(scope.state, kind);
  const { blocks } = networkIn(scope, kind), real = truthIn(scope);
  const sizes = steps.map(({ carried, branch }, i) =>
    [norm(carried), norm(branch) * factors[i][0]]);
  const most = Math.max(...sizes.flat()) || 1;
  steps.forEach(({ out }, i) => {
    const tile = tiles[i], key = kind[0] + (i + 1), [x, f] = sizes[i], byShortcut = factors[i][1];
    const guess = probe(out, blocks[i].probe), right = guess === real;
    const off = isOff(scope.state, key), changed = key in scope.state.edits;
    paintMap(tile.firstChild, meanMap(out), 0, scope.dark);
    const [xBar, fBar] = tile.querySelectorAll("i");
    xBar.style.setProperty("--size", `${100 * x / most}%`);
    xBar.style.setProperty("--fill", `${100 * Math.min(byShortcut, 1)}%`);
    fBar.style.setProperty("--size", `${100 * f / most}%`);
    tile.lastElementChild.textContent = guess + (right ? "✓" : "");
    tile.toggleAttribute("data-right", right);
    tile.toggleAttribute("data-changed", changed);
    tile.toggleAttribute("data-off", off);
    tile.setAttribute("aria-pressed", String(scope.state.open === key));
    tile.setAttribute("aria-label", `${ABOUT[kind][0]}, block ${i + 1}: `
      + `${off ? "off; " : changed ? "changed; " : ""}branch ${figure(f)}, input ${figure(x)}, `
      + `added ${figure(byShortcut)} times; the probe reads ${guess}`
      + `${real === null ? "" : right ? ", right" : ", wrong"}`);
  });
}

// -- How many of the test digits each reads rightly. What has been counted is kept.

function counting(scope) {
  const { bytes, counts, digits, root } = scope;
  const counter = worker(countRight, { networks: bytes("networks"), digits: bytes("digits") });
  const keyOf = (kind, factors) => `${nameIn(scope, kind)} ${JSON.stringify(factors)}`;
  const nowOf = (kind) => factorsOf(scope.state, kind);
  const usualOf = (kind) => factorsOf({ ...freshState(), depth: scope.state.depth }, kind);
  const missing = () => KINDS.some((kind) => scope.rightOf(kind) === undefined);
  let spoken = [];
  scope.rightOf = (kind) => counts.get(keyOf(kind, nowOf(kind)));

  scope.count = () => {
    // What is shown comes first; then, for comparison, the untouched networks.
    const wanted = new Map();
    for (const factorsFor of [nowOf, usualOf]) {
      for (const kind of KINDS) {
        const factors = factorsFor(kind), key = keyOf(kind, factors);
        if (!counts.has(key)) { wanted.set(key, { key, name: nameIn(scope, kind), factors }); }
      }
    }
    if (!missing()) { announce(); }
    counter.start([...wanted.values()], ({ key, right }) => {
      const waited = missing();
      counts.set(key, right);
      show();
      scope.remark();
      if (waited && !missing()) { announce(); }
    }, () => {});
  };
  function show() {
    const others = scope.state.fade < 1 || Object.keys(scope.state.edits).length > 0;
    for (const kind of KINDS) {
      const right = scope.rightOf(kind), usual = counts.get(keyOf(kind, usualOf(kind)));
      const changed = keyOf(kind, nowOf(kind)) !== keyOf(kind, usualOf(kind));
      const said = document.createElement("b");
      said.textContent = right;
      const place = root.querySelector(`[data-kind=${kind}] .count`);
      if (right === undefined) { place.replaceChildren("counting the test digits …"); continue; }
      place.replaceChildren(said, ` of ${digits.count} test digits right`,
        changed && usual !== undefined ? `; ${usual} when untouched` : "",
        !changed && others ? ", untouched" : "");
    }
    root.querySelector(".board").replaceChildren(...KINDS.map(standing));
  }
  // On a phone the networks are far below what one presses, so their counts stay on the screen.
  function standing(kind) {
    const place = document.createElement("span"), name = document.createElement("b");
    name.textContent = `${ABOUT[kind][0]}: ${best(scope.steps[kind].probabilities)}`;
    place.style.setProperty("--own", `var(--${kind})`);
    place.append(name, `${scope.rightOf(kind) ?? "…"}/${digits.count} right`);
    return place;
  }
  // Of each network, what has become of it, unless that is what was said last.
  function announce() {
    const said = KINDS.map((kind) => {
      const { probabilities } = scope.steps[kind], read = best(probabilities);
      return `${ABOUT[kind][0]} reads ${read}, ${percent(probabilities[read])}; `
        + `${scope.rightOf(kind)} of ${digits.count} right.`;
    });
    const news = said.filter((sentence, i) => sentence !== spoken[i]);
    spoken = said;
    if (news.length && scope.hasChanged()) { scope.say(news.join(" "), 400); }  // once one has asked
  }
  return { show, end: () => counter.end() };
}

// -- What is changed, in words.

function remarks(scope) {
  scope.remark = () => {
    const { state, digits, $ } = scope, said = [];
    for (const [key, [branch, shortcut]] of Object.entries(state.edits)) {
      const where = `Block ${key.slice(1)} of the ${kindOf(key)} network`;
      said.push(isOff(state, key) ? `${where} is off: what came in goes on, and nothing else.`
        : `${where}: branch × ${branch}, shortcut × ${shortcut}.`);
    }
    if (state.fade < 1) {
      const [residual, faded] = [scope.rightOf("residual"), scope.rightOf("faded")];
      said.push(`All shortcuts of the residual network are at ${state.fade.toFixed(2)}, after `
        + "training, and no weight could follow.");
      if (residual !== undefined && faded !== undefined) {
        said.push(`It reads ${residual} of ${digits.count} test digits rightly. The network that `
          + `was trained while its shortcuts faded has none left, and reads ${faded}.`);
      }
    }
    $(".noted").hidden = !said.length;
    $(".noted").textContent = said.join(" ");
  };
  return { show: scope.remark };
}

// -- One block, opened: what the branch gives, what came in, their sum, what goes on.

const VIEWS = [
  ["branch", "F(x)", "what the branch gives"],
  ["carried", "x", "what came in"],
  ["sum", "the sum", "both, added"],
  ["out", "ReLU(sum)", "what goes on"],
];

function openedBlock(scope) {
  const { $ } = scope, at = { channel: 0, row: 5, column: 7 };  // the number that is looked at
  const figures = VIEWS.map(([part, name, words]) => figureOf(part, name, words, at, look));
  $(".sum").append(...figures.map(({ made }) => made));
  const sliders = { channel: $(".channel"), row: $(".at-row"), column: $(".at-column") };
  for (const [name, slider] of Object.entries(sliders)) {
    slider.addEventListener("input", () => { at[name] = Number(slider.value) - 1; show(); });
  }
  function look(found) { Object.assign(at, found); show(); }

  for (const slider of [$(".branch"), $(".shortcut")]) {
    const patch = () => edited(scope.state, scope.state.open, Number($(".branch").value),
      Number($(".shortcut").value));
    slider.addEventListener("input", () => scope.change(patch()));
    slider.addEventListener("change", () => scope.commit(patch()));
  }
  $(".on").addEventListener("change", () => {
    const { open } = scope.state, usual = untouched(kindOf(open));
    scope.commit(edited(scope.state, open, ...($(".on").checked ? usual : [0, 1])));
  });
  for (const [name, by] of [[".before", -1], [".after", 1]]) {
    $(name).addEventListener("click", () => {
      const { open } = scope.state;
      scope.commit({ open: open[0] + (Number(open.slice(1)) + by) });
      scope.say($(".title").textContent);
    });
  }
  $(".in-words").addEventListener("toggle", () => show());

  function show() {
    const { state } = scope, kind = kindOf(state.open), number = Number(state.open.slice(1));
    const step = scope.steps[kind].steps[number - 1], { height, width, channels } = step.out;
    const [byBranch, byShortcut] = factorsOf(state, kind)[number - 1];
    const { blocks } = networkIn(scope, kind);
    $(".block").style.setProperty("--own", `var(--${kind})`);
    $(".title").textContent = `${ABOUT[kind][0]}, block ${number} of ${blocks.length}`;
    atRest($(".before"), number === 1);
    atRest($(".after"), number === blocks.length);
    $(".on").checked = !isOff(state, state.open);
    const own = state.edits[state.open] ?? untouched(kind);
    [$(".branch"), $(".shortcut")].forEach((slider, i) => {
      slider.value = own[i];
      slider.nextElementSibling.textContent = own[i].toFixed(2);
    });
    for (const [name, most] of [["channel", channels], ["row", height], ["column", width]]) {
      at[name] = Math.min(at[name], most - 1);
      sliders[name].max = most;
      sliders[name].value = at[name] + 1;
      sliders[name].nextElementSibling.textContent = at[name] + 1;
    }
    const signs = [`${figure(byBranch)} ×`, `+ ${figure(byShortcut)} ×`, "=", "→"];
    // All four on one scale, so that they can be compared.
    const most = Math.max(...[step.branch, step.carried, step.sum].map(largest));
    figures.forEach((one, i) => one.show(step, signs[i], most, scope.dark));
    $(".equation").textContent = equation(step, at, byBranch, byShortcut);
    if ($(".in-words").open) { $(".words").replaceChildren(tableOfWords(step)); }
  }
  return { show };
}

function figureOf(part, name, words, at, look) {
  const made = document.createElement("figure");
  made.innerHTML = `<figcaption><span class="sign"></span> <b></b><br><span></span></figcaption>
    <canvas class="large" role="img"></canvas><canvas class="all" role="img"></canvas>`;
  made.querySelector("b").textContent = name;
  made.querySelector("figcaption span:last-child").textContent = words;
  const [large, all] = made.querySelectorAll("canvas");
  let shape = { width: 1, height: 1, channels: 4 };
  const cell = (canvas, event, across, down) => [
    Math.min(Math.max(Math.floor(event.offsetX * across / canvas.clientWidth), 0), across - 1),
    Math.min(Math.max(Math.floor(event.offsetY * down / canvas.clientHeight), 0), down - 1)];
  large.addEventListener("click", (event) => {
    const [column, row] = cell(large, event, shape.width, shape.height);
    look({ row, column });
  });
  all.addEventListener("click", (event) => {
    const [column, row] = cell(all, event, 4, shape.channels / 4);
    look({ channel: 4 * row + column });
  });
  function show(step, sign, most, dark) {
    shape = step[part];
    const chosen = mapOf(shape, at.channel);
    made.querySelector(".sign").textContent = sign;
    paintMap(large, chosen, most, dark, at);
    paintAll(all, shape, most, dark, at.channel);
    large.setAttribute("aria-label", `${name}, channel ${at.channel + 1}: ${inWords(chosen)}`);
    all.setAttribute("aria-label",
      `${name}, all ${shape.channels} channels; a table below has them in words.`);
  }
  return { made, show };
}

// One number of the block, worked out.
function equation(step, { channel, row, column }, byBranch, byShortcut) {
  const { width, channels } = step.out, i = (row * width + column) * channels + channel;
  const [f, x, sum, out] = VIEWS.map(([part]) => step[part].values[i]);
  const cut = sum > 0 ? `The ReLU lets ${figure(out)} pass.` : "The ReLU gives 0.";
  return `Channel ${channel + 1}, row ${row + 1}, column ${column + 1}:  ${figure(byBranch)} × `
    + `${signed(f)} + ${figure(byShortcut)} × ${signed(x)} = ${figure(sum)}. ${cut}`;
}

function tableOfWords(step) {
  const table = document.createElement("table"), head = table.createTHead().insertRow();
  const heading = (row, scope, text) => {
    const cell = document.createElement("th");
    Object.assign(cell, { scope, textContent: text });
    row.append(cell);
  };
  for (const name of ["channel", ...VIEWS.map(([, name]) => name)]) { heading(head, "col", name); }
  const body = table.createTBody();
  for (let channel = 0; channel < step.out.channels; channel++) {
    const row = body.insertRow();
    heading(row, "row", channel + 1);
    for (const [part] of VIEWS) {
      row.insertCell().textContent = inWords(mapOf(step[part], channel));
    }
  }
  return table;
}

// -- The tour: each step sets the controls.

function guide(scope) {
  const { $, root } = scope;
  function goTo(stop) {
    at = stop;
    $(".tour").hidden = stop < 0;
    for (const part of root.querySelectorAll(".told")) { part.classList.remove("told"); }
    if (stop < 0) { return; }
    const [title, text, wanted, where] = TOUR[stop];
    scope.commit({ ...fromText(wanted), race: scope.state.race });
    $(".tour h4").textContent = `${stop + 1} of ${TOUR.length}: ${title}`;
    $(".tour p").textContent = text;
    atRest($(".back"), stop === 0);
    $(".next").textContent = stop === TOUR.length - 1 ? "To the race" : "Next";
    $(where).classList.toggle("told", where !== ".networks");
    $(where).scrollIntoView({ block: "start" });
    scope.say(`${title}. ${text}`);
  }
  let at = -1;
  $(".start").addEventListener("click", () => {
    goTo(0);
    $(".next").focus({ preventScroll: true });
  });
  $(".back").addEventListener("click", () => goTo(at - 1));
  $(".leave").addEventListener("click", () => { goTo(-1); $(".start").focus(); });
  $(".next").addEventListener("click", () => {
    if (at < TOUR.length - 1) { goTo(at + 1); return; }
    goTo(-1);
    $(".race").open = true;
    $(".race").scrollIntoView();
    $(".race summary").focus({ preventScroll: true });
  });
  return {};
}

// -- The race: controls, curves, and what happened, in words.

function racing(scope) {
  const { $, about, bytes, model, say } = scope, kinds = Object.keys(RACERS), rate = {};
  for (const kind of kinds) {
    const label = document.createElement("label");
    rate[kind] = document.createElement("select");
    label.append(`Rate, ${RACERS[kind].name}`, rate[kind]);
    $(".rates").append(label);
  }
  const [depth, seed, fade] = [$(".race-depth"), $(".race-seed"), $(".race-fade")];
  const bestRates = (of) => kinds.map((kind) => about.race_rates[of][kind]);
  const usual = [22, 1, 0, ...bestRates(22)];

  // The controls as the state has them: depth, seed, fade, and a rate for each racer.
  function settings() {
    const number = Math.min(Math.max(Math.floor(Number(seed.value)) || 0, 0), 9999);
    const rates = kinds.map((kind) => Number(rate[kind].value));
    return [Number(depth.value), number, Number(fade.checked), ...rates];
  }
  function put([toDepth, toSeed, toFade, ...rates]) {
    [depth.value, seed.value, fade.checked] = [toDepth, toSeed, toFade === 1];
    kinds.forEach((kind, i) => {
      rate[kind].replaceChildren(...RACE.rates.map((one) => {
        const best = one === about.race_rates[toDepth][kind];
        return new Option(best ? `${one} (best found)` : one, one, false, one === rates[i]);
      }));
    });
  }
  function keep(wanted) {
    put(wanted);
    scope.commit({ race: String(wanted) === String(usual) ? null : wanted });
  }
  put(usual);
  depth.addEventListener("change", () => {  // with another depth, its own best rates
    const [, ...others] = settings();
    keep([Number(depth.value), ...others.slice(0, 2), ...bestRates(depth.value)]);
  });
  for (const control of [seed, fade, ...Object.values(rate)]) {
    control.addEventListener("change", () => keep(settings()));
  }
  function show() {
    const wanted = scope.state.race ?? usual;
    if (String(wanted) === String(settings())) { return; }
    put(wanted);
    if (scope.state.race) { $(".race").open = true; }  // it was linked to
  }

  let curves = {}, runner = null, latest = 0;
  function draw() {
    const lines = Object.entries(curves).map(([kind, points]) => ({ kind, points }));
    $(".chart").innerHTML = raceChart(lines, RACE.updates);
  }
  function running(yes) { atRest($(".go"), yes); atRest($(".halt"), !yes); }
  async function start() {
    const [layers, from, fades, ...rates] = settings();
    const mine = latest += 1;
    const setting = {
      ...RACE, depth: layers, seed: from, fade: fades === 1,
      racers: kinds.map((kind, i) => ({ kind, rate: rates[i] })),
    };
    running(true);
    curves = {};
    $(".report").textContent = "Getting the digits …";
    const digits = await raceDigits(model, bytes);
    if (mine !== latest) { return; }  // stopped or closed meanwhile
    const began = performance.now();
    runner ??= worker(race, { race_digits: digits });
    curves = Object.fromEntries(kinds.map((kind) => [kind, []]));
    let drawn = 0;
    runner.start(setting, ({ update, losses, lambda }) => {
      for (const kind of kinds) { curves[kind].push(losses[kind]); }
      if (performance.now() - drawn < 200 && update < RACE.updates) { return; }
      drawn = performance.now();
      draw();
      const faded = setting.fade ? ` λ is ${lambda.toFixed(2)}.` : "";
      $(".report").textContent = `Update ${update} of ${RACE.updates}.${faded}`;
    }, () => {
      running(false);
      $(".report").textContent = raceReport(curves, setting, (performance.now() - began) / 1000);
      say($(".report").textContent);
    });
  }
  $(".race").addEventListener("toggle", draw);
  $(".go").addEventListener("click", start);
  $(".halt").addEventListener("click", () => {
    latest += 1;
    runner?.stop();
    running(false);
    $(".report").textContent = `Stopped after ${curves.plain?.length ?? 0} updates.`;
  });
  return { show, end: () => { latest += 1; runner?.end(); } };
}

// The digits of the race, which are asked for when they are needed.
function raceDigits(model, bytes) {
  if (bytes("race_digits")?.byteLength) { return Promise.resolve(bytes("race_digits")); }
  return new Promise((resolve) => {
    const arrived = () => {
      if (!bytes("race_digits")?.byteLength) { return; }
      model.off?.("change:race_digits", arrived);
      resolve(bytes("race_digits"));
    };
    model.on("change:race_digits", arrived);
    model.set("race_wanted", true);
    model.save_changes();
  });
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
    for (const [loss, name] of [[a, subject], [b, other]]) {
      if (!Number.isFinite(loss)) { return `In this run ${name} diverged.`; }
    }
    if (a < b / 1.1) { return `The loss of ${other} is ${times(b, a)} times that of ${subject}.`; }
    if (a > b * 1.1) { return `The loss of ${subject} is ${times(a, b)} times that of ${other}.`; }
    return `The losses of ${subject} and ${other} are within a tenth of each other.`;
  };
  return `${depth} layers, seed ${seed}, ${RACE.updates} updates in ${seconds.toFixed(0)} seconds. `
    + `Training loss, mean of the last ${LAST} updates: ${said}. `
    + compare(of.residual, of.plain, "the residual network", "the plain one")
    + ` ${compare(of.zero, of.plain, "the one whose branches start at zero", "the plain one")}`
    + (fade ? " At the end no network had a shortcut." : "")
    + " This is a single seed, so try another before you believe it.";
}

// Curves of training loss on a logarithmic scale, each with its name at its end.
function raceChart(lines, updates) {
  const [left, right, top, bottom] = [44, 540, 12, 262], floor = Math.log10(0.01), roof = 1;
  const x = (update) => left + (right - left) * update / updates;
  const y = (loss) => {
    const level = Number.isFinite(loss) ? Math.min(Math.max(Math.log10(loss), floor), roof) : roof;
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
    return `<polyline points="${path.join(" ")}" stroke="var(--${colour})"
        stroke-dasharray="${dash}"/>
      <text x="${right + 6}" y="${label}">${short}</text>`;
  });
  const words = smooth.length ? smooth.map(({ kind, means }) =>
    `${RACERS[kind].name}: ${figure(means[0][1])} at first, ${figure(means.at(-1)[1])} at last`)
    .join("; ") : "nothing yet";
  return `<svg viewBox="0 0 680 300" role="img"
      aria-label="Training loss against updates. ${words}.">
    ${rules.join("")}${ticks.join("")}${drawn.join("")}
    <text x="${(left + right) / 2}" y="${bottom + 36}" text-anchor="middle">updates</text>
    <text x="${left + 8}" y="${top + 16}">training loss</text></svg>`;
}

// -- Small things.

// A button that has nothing to do now. It is not `disabled`, for then whoever has just pressed it
// with the keyboard would be thrown back to the top of the page; `render` ignores its clicks.
function atRest(button, yes) { button.setAttribute("aria-disabled", yes); }

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

// Above zero towards the ink, below towards purple, zero the colour of the paper; blue, orange and
// green are those of the networks.
function paintMap(canvas, { values, width, height }, most, dark, mark = null) {
  const image = new ImageData(width, height), paper = dark ? [22, 24, 29] : [255, 255, 255];
  const ends = dark ? [[225, 228, 232], [235, 130, 200]] : [[25, 25, 25], [165, 40, 120]];
  const scale = most || largest({ values }) || 1;
  values.forEach((value, i) => {
    const share = Math.min(Math.abs(value) / scale, 1) ** 0.7, end = ends[value < 0 ? 1 : 0];
    for (let c = 0; c < 3; c++) { image.data[4 * i + c] = paper[c] + share * (end[c] - paper[c]); }
    image.data[4 * i + 3] = 255;
  });
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.putImageData(image, 0, 0);
  if (!mark) { return; }
  const small = document.createElement("canvas"), size = 8;
  Object.assign(small, { width, height });
  small.getContext("2d").putImageData(image, 0, 0);
  Object.assign(canvas, { width: width * size, height: height * size });
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  Object.assign(context, { lineWidth: 2, strokeStyle: dark ? "#fff" : "#000" });
  context.strokeRect(mark.column * size, mark.row * size, size, size);
}

// All channels, four in a row, with a gap between them and a frame around the chosen one.
function paintAll(canvas, x, most, dark, chosen) {
  const across = x.width + 2, down = x.height + 2;
  Object.assign(canvas, { width: 4 * across, height: x.channels / 4 * down });
  const context = canvas.getContext("2d"), one = document.createElement("canvas");
  for (let c = 0; c < x.channels; c++) {
    const left = (c % 4) * across, top = Math.floor(c / 4) * down;
    if (c === chosen) {
      context.fillStyle = dark ? "#fff" : "#000";
      context.fillRect(left, top, across, down);
    }
    paintMap(one, mapOf(x, c), most, dark);
    context.drawImage(one, left + 1, top + 1);
  }
}

// A digit as MNIST has it.
function pictureOf(levels) {
  const canvas = document.createElement("canvas"), image = new ImageData(28, 28);
  levels.forEach((level, i) => image.data.set([level, level, level, 255], 4 * i));
  Object.assign(canvas, { width: 28, height: 28 });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// What the tests compare with Keras.
export const engine = {
  unpack, networkOf, digitsOf, forward, probe, lossAndGradients, raceReport, fromText, toText,
  likeMnist, RACE,
};
export default { render };
