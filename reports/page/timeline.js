// The timeline: lanes on a canvas, a minimap below. Bars that fall into one pixel are drawn once, faults and
// crashes are drawn last and never narrower than three pixels, so that none vanishes when zoomed out.
const LABEL = 108, ROW = 9, BAND = 4, RULER = 18, MAP = 40;
const IO_COLORS = { read: "--read", write: "--write", sync: "--sync", truncate: "--other-io", directory: "--other-io", "sync-directory": "--sync" };

function connectionColor(who) {
  return who >= WHO_CONNECTION ? `--c${(who - WHO_CONNECTION) % 8}` : "--wait";
}

// A band of bars, sorted by start. `ends` may not be sorted, so the longest bar bounds the search. A bar is a turn
// wide at least.
class Band {
  constructor(bars, height, colorOf) {
    const count = bars.length, palette = new Map();
    this.height = height;
    this.count = count;
    this.starts = new Float64Array(count);
    this.ends = new Float64Array(count);
    this.colors = new Uint8Array(count);
    this.longest = 0;
    // Where bars follow each other, all but one that begin in a pixel end in it too.
    this.disjoint = true;
    for (let n = 0; n < count; n++) {
      const { start } = bars[n], end = Math.max(bars[n].end, start + 1), color = colorOf(bars[n]);
      this.starts[n] = start;
      this.ends[n] = end;
      if (!palette.has(color)) palette.set(color, palette.size);
      this.colors[n] = palette.get(color);
      if (end - start > this.longest) this.longest = end - start;
      if (n && this.ends[n - 1] > start + 1) this.disjoint = false;
    }
    this.palette = [...palette.keys()];
  }
}

// Sorted by start; nearly all lists are already.
function sorted(bars) {
  for (let n = 1; n < bars.length; n++) if (bars[n].start < bars[n - 1].start) return bars.sort((one, other) => one.start - other.start);
  return bars;
}

// Bars that overlap go into bands of their own, as many as there is room for; what finds no room shares the last.
function stack(bars, most, height, colorOf) {
  const bands = [], ends = [];
  for (const bar of sorted(bars)) {
    let band = ends.findIndex((end) => end <= bar.start);
    if (band < 0) band = bands.length < most ? bands.push([]) - 1 : most - 1;
    bands[band].push(bar);
    ends[band] = Math.max(ends[band] || 0, bar.end, bar.start + 1);
  }
  return (bands.length ? bands : [[]]).map((list) => new Band(list, height, colorOf));
}

function lanesOf(run, facts, failure) {
  const lanes = [], lane = (name, bands, extra) => lanes.push({ name, bands, ...extra });
  const violated = failure ? failure.table.rows.filter((row) => row.violated).map((row) => row.turn) : [];
  const necessary = failure ? failure.table.rows.filter((row) => row.necessary).map((row) => row.turn) : [];
  lane("verdict", [new Band([], ROW, String)], { points: [...necessary.map((turn) => ({ turn, color: "--star", shape: "star" })), ...violated.map((turn) => ({ turn, color: "--bad", shape: "cross" }))] });
  if (run.turns.length) lane("scheduler", schedule(run, facts));
  const transactions = new Map(run.connections.map((who) => [who, []]));
  for (const transaction of run.transactions) transactions.get(transaction.who).push(transaction);
  for (const who of run.connections) {
    lane(whoName(who), [
      new Band(sorted(transactions.get(who)), BAND + 2, () => "--transaction"),
      new Band(run.opsOf.get(who), ROW, (op) => (op.how === 0 ? connectionColor(who) : op.how < 0 ? "--wait" : "--bad")),
      new Band(run.yieldsOf.get(who) || [], BAND, (wait) => (wait.spinning ? "--spin" : "--wait")),
    ]);
  }
  for (const [path, ios] of [...run.paths].sort((one, other) => one[0].localeCompare(other[0]))) {
    lane(path || "/", stack(ios, 4, 6, (io) => (io.lost || !io.ok ? "--lost" : IO_COLORS[io.kind] || "--other-io")));
  }
  lane("faults", [new Band([], ROW + 3, String)], { points: run.faults.map((fault) => ({ turn: fault.turn, color: "--fault", shape: "bolt", n: fault.n })) });
  lane("engine alive", [new Band(run.lives, ROW, () => "--life")], { points: run.crashes.map((crash) => ({ turn: crash.turn, color: "--crash", shape: "wall", n: crash.n })) });
  let top = 4;
  for (const each of lanes) {
    each.top = top;
    each.height = each.bands.reduce((sum, band) => sum + band.height + 1, 0);
    top += each.height + 7;
    if (each.points) each.points.sort((one, other) => one.turn - other.turn);
  }
  return { lanes, height: top };
}

// Whose turn it was, in one band for connections and one for their I/O; turns in a row of one owner are one bar.
function schedule(run, facts) {
  const own = [], io = [];
  for (const n of run.turns) {
    const who = facts.who[n], isIo = who >= OTHER_IO, owner = isIo ? (run.ios[who - OTHER_IO] || { who: 0 }).who : who;
    const list = isIo ? io : own, turn = facts.turn[n], last = list[list.length - 1];
    if (last && last.who === owner && last.end === turn) last.end = turn + 1;
    else list.push({ start: turn, end: turn + 1, who: owner });
  }
  const color = (bar) => (bar.who === WHO_CRASH ? "--crash" : bar.who === WHO_TIMER ? "--spin" : connectionColor(bar.who));
  return [new Band(own, ROW, color), new Band(io, BAND, color)];
}

// One chart of one run. What is in view is shared by all charts, so that two runs are compared turn by turn.
class Chart {
  constructor(title, trace, run, failure, view, label) {
    Object.assign(this, { trace, run, view, title });
    Object.assign(this, lanesOf(run, trace.facts, failure));
    this.box = element("div", { class: "chart" }, title ? element("p", { text: title }) : null);
    this.ruler = element("canvas", { "aria-hidden": "true" });
    this.canvas = element("canvas", { role: "img", tabindex: "0", "aria-label": label });
    this.map = element("canvas", { class: "map", "aria-hidden": "true" });
    this.box.append(this.ruler, element("div", { class: "lanes" }, this.canvas), this.map);
    this.hits = [];
    this.colors = {};
    this.listen();
  }

  color(name) {
    return this.colors[name] || (this.colors[name] = getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  }

  listen() {
    const { canvas, map, view } = this;
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => { drag = { x: event.clientX, from: view.from, to: view.to, moved: false }; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const turns = (event.clientX - drag.x) / this.plot() * (drag.to - drag.from);
      if (Math.abs(event.clientX - drag.x) > 3) drag.moved = true;
      if (drag.moved) view.show(drag.from - turns, drag.to - turns);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (drag && !drag.moved) this.click(event);
      drag = null;
    });
    canvas.addEventListener("pointercancel", () => { drag = null; });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY) && !event.altKey && !event.shiftKey) return;
      event.preventDefault();
      if (event.ctrlKey || event.metaKey || event.altKey) view.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.turnAt(event));
      else { const by = (event.deltaX || event.deltaY) / this.plot() * (view.to - view.from); view.show(view.from + by, view.to + by); }
    }, { passive: false });
    let jumping = false;
    const jump = (event) => {
      const box = map.getBoundingClientRect(), half = (view.to - view.from) / 2;
      const middle = (event.clientX - box.left - LABEL) / (box.width - LABEL) * view.last;
      view.show(middle - half, middle + half);
    };
    map.addEventListener("pointerdown", (event) => { jumping = true; map.setPointerCapture(event.pointerId); jump(event); });
    map.addEventListener("pointermove", (event) => { if (jumping) jump(event); });
    map.addEventListener("pointerup", () => { jumping = false; });
  }

  plot() { return Math.max(1, this.canvas.clientWidth - LABEL); }

  turnAt(event) {
    const x = event.clientX - this.canvas.getBoundingClientRect().left - LABEL;
    return this.view.from + x / this.plot() * (this.view.to - this.view.from);
  }

  click(event) {
    const box = this.canvas.getBoundingClientRect(), y = event.clientY - box.top, exact = this.turnAt(event);
    const near = 6 / this.plot() * (this.view.to - this.view.from);
    const lane = this.lanes.find((each) => y >= each.top - 3 && y < each.top + each.height + 4);
    let turn = Math.floor(exact);
    if (lane && lane.points) {
      const best = lane.points.reduce((best, point) => Math.abs(point.turn + .5 - exact) < Math.abs(best - exact) ? point.turn + .5 : best, Infinity);
      if (Math.abs(best - exact) <= near) turn = Math.floor(best);
    }
    this.view.select(turn, false);
  }

  fit(canvas, height) {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth || this.box.clientWidth;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = `${height}px`;
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "11px system-ui, 'Liberation Sans', sans-serif";
    return { pen, width };
  }

  draw() {
    this.drawRuler();
    const { pen, width } = this.fit(this.canvas, this.height);
    const { from, to } = this.view, scale = (width - LABEL) / (to - from);
    this.lanes.forEach((lane, n) => {
      if (n % 2) { pen.fillStyle = this.color("--raised"); pen.fillRect(0, lane.top - 3, width, lane.height + 6); }
    });
    pen.save();
    pen.beginPath();
    pen.rect(LABEL, 0, width - LABEL, this.height);
    pen.clip();
    this.drawMarks(pen, scale);
    for (const lane of this.lanes) {
      let top = lane.top;
      for (const band of lane.bands) {
        this.drawBand(pen, band, top, scale, from, to);
        top += band.height + 1;
      }
    }
    for (const lane of this.lanes) if (lane.points) this.drawPoints(pen, lane, scale, from, to);
    pen.restore();
    pen.textBaseline = "middle";
    for (const lane of this.lanes) {
      pen.fillStyle = this.color("--ink");
      pen.fillText(this.cut(pen, lane.name), 6, lane.top + lane.height / 2, LABEL - 12);
    }
    this.drawMap();
  }

  cut(pen, text) {
    if (pen.measureText(text).width <= LABEL - 12) return text;
    let low = 0, high = text.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (pen.measureText(`…${text.slice(text.length - middle)}`).width <= LABEL - 12) low = middle; else high = middle - 1;
    }
    return `…${text.slice(text.length - low)}`;
  }

  drawRuler() {
    const { pen, width } = this.fit(this.ruler, RULER), { from, to } = this.view;
    const scale = (width - LABEL) / (to - from), rough = 80 / scale, power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough) || 10 * power;
    pen.textBaseline = "middle";
    pen.fillStyle = this.color("--quiet");
    pen.fillText("turn", 6, RULER / 2);
    for (let turn = Math.ceil(from / step) * step; turn <= to; turn += step) {
      if (turn < 0) continue;
      const x = LABEL + (turn - from) * scale, text = (turn || 0).toLocaleString("en");
      pen.fillRect(Math.round(x), RULER - 4, 1, 4);
      if (x + pen.measureText(text).width + 3 < width) pen.fillText(text, x + 3, RULER / 2);
    }
  }

  drawMarks(pen, scale) {
    const { selected, from, parts } = this.view;
    if (parts !== null) {
      pen.strokeStyle = this.color("--star");
      pen.lineWidth = 1;
      pen.setLineDash([4, 3]);
      pen.beginPath();
      pen.moveTo(Math.round(LABEL + (parts - from) * scale) + .5, 0);
      pen.lineTo(Math.round(LABEL + (parts - from) * scale) + .5, this.height);
      pen.stroke();
      pen.setLineDash([]);
    }
    if (this.hits.length) {
      pen.fillStyle = this.color("--hit");
      let before = -1;
      for (const turn of this.hits) {
        const x = Math.round(LABEL + (turn - from) * scale);
        if (x !== before && x >= LABEL - 1) pen.fillRect(x, 0, Math.max(1, Math.min(scale, 3)), this.height);
        before = x;
      }
    }
    if (selected !== null) {
      pen.fillStyle = this.color("--select");
      pen.globalAlpha = .28;
      pen.fillRect(LABEL + (selected - from) * scale, 0, Math.max(2, scale), this.height);
      pen.globalAlpha = 1;
    }
  }

  drawBand(pen, band, top, scale, from, to) {
    const { starts, ends, count, height, colors, palette } = band;
    let before = -1, color = -1;
    for (let n = lowerBound(count, (at) => starts[at], from - band.longest); n < count && starts[n] <= to; n++) {
      if (ends[n] < from) continue;
      const x = LABEL + (starts[n] - from) * scale, right = LABEL + (ends[n] - from) * scale;
      // A bar narrower than a pixel in a pixel that is taken adds nothing one could see.
      if (right <= before) continue;
      const left = Math.max(x, LABEL - 1), wide = Math.max(right - left - (scale > 4 ? 1 : 0), 1);
      if (colors[n] !== color) { color = colors[n]; pen.fillStyle = this.color(palette[color]); }
      pen.fillRect(left, top, wide, height);
      if (right - x >= 1) continue;
      before = Math.max(before, Math.floor(x) + 1);
      // On to the last bar that begins in this pixel: it alone may reach beyond it.
      if (band.disjoint) n = Math.max(n, lowerBound(count, (at) => starts[at], from + (before - LABEL) / scale) - 2);
    }
  }

  drawPoints(pen, lane, scale, from, to) {
    const { points } = lane, middle = lane.top + lane.height / 2;
    let before = -10, kind = "";
    for (let n = lowerBound(points.length, (at) => points[at].turn, from - 2); n < points.length && points[n].turn <= to; n++) {
      const { turn, color, shape } = points[n], x = LABEL + (turn - from + .5) * scale;
      if (x - before < 1 && kind === shape) continue;
      before = x;
      kind = shape;
      pen.fillStyle = this.color(color);
      if (shape === "wall") pen.fillRect(x - 1.5, 0, 3, this.height);
      else if (shape === "bolt") { pen.fillRect(x - 1.5, lane.top, 3, lane.height); pen.globalAlpha = .35; pen.fillRect(x - .5, 0, 1, this.height); pen.globalAlpha = 1; }
      else if (shape === "star") { pen.beginPath(); pen.moveTo(x, middle - 5); pen.lineTo(x + 4, middle + 4); pen.lineTo(x - 4, middle + 4); pen.fill(); }
      else { pen.fillRect(x - 1.5, lane.top - 2, 3, lane.height + 4); pen.globalAlpha = .5; pen.fillRect(x - .5, 0, 1, this.height); pen.globalAlpha = 1; }
    }
  }

  // The whole run, drawn once and kept; only the frame moves.
  drawMap() {
    const { pen, width } = this.fit(this.map, MAP), scale = (width - LABEL) / Math.max(1, this.view.last + 1);
    if (!this.kept || this.kept.width !== this.map.width) this.keepMap(width, scale);
    pen.drawImage(this.kept, 0, 0, width, MAP);
    pen.textBaseline = "middle";
    pen.fillStyle = this.color("--quiet");
    pen.fillText("whole run", 6, MAP / 2);
    const left = LABEL + this.view.from * scale, wide = Math.max(3, (this.view.to - this.view.from) * scale);
    pen.strokeStyle = this.color("--select");
    pen.lineWidth = 2;
    pen.strokeRect(Math.max(LABEL + 1, left), 1, Math.min(wide, width - Math.max(LABEL + 1, left) - 1), MAP - 2);
  }

  keepMap(width, scale) {
    const ratio = window.devicePixelRatio || 1;
    this.kept = element("canvas");
    this.kept.width = Math.round(width * ratio);
    this.kept.height = Math.round(MAP * ratio);
    const pen = this.kept.getContext("2d"), columns = Math.max(1, Math.ceil(width - LABEL));
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const busy = new Uint32Array(columns), { facts } = this.trace;
    for (let n = 0; n < facts.count; n++) busy[Math.min(columns - 1, Math.floor(facts.turn[n] * scale))]++;
    const most = busy.reduce((one, other) => Math.max(one, other), 1);
    pen.fillStyle = this.color("--op");
    busy.forEach((count, x) => { if (count) pen.fillRect(LABEL + x, MAP - 3 - (MAP - 12) * count / most, 1, (MAP - 12) * count / most + 1); });
    for (const lane of this.lanes) {
      for (const point of lane.points || []) {
        if (point.shape === "star") continue;
        pen.fillStyle = this.color(point.color);
        pen.fillRect(LABEL + point.turn * scale - 1.5, 0, 3, point.shape === "bolt" ? 8 : MAP);
      }
    }
  }
}

// What is in view, and what is selected; whoever changes it, all charts follow in the next frame.
class View {
  constructor(last) {
    Object.assign(this, { from: 0, to: Math.max(10, last + 1), last: Math.max(9, last), selected: null, parts: null, charts: [], onSelect: () => {}, pending: 0, frames: [] });
  }
  show(from, to) {
    const span = Math.min(Math.max(to - from, 8), (this.last + 1) * 1.02), low = -this.last * .01 - .5, high = this.last * 1.01 + 1.5 - span;
    this.from = Math.max(low, Math.min(from, Math.max(low, high)));
    this.to = this.from + span;
    this.redraw();
  }
  zoom(by, around = this.selected === null ? (this.from + this.to) / 2 : this.selected + .5) {
    const middle = around < this.from || around > this.to ? (this.from + this.to) / 2 : around;
    this.show(middle - (middle - this.from) * by, middle + (this.to - middle) * by);
  }
  all() { this.show(0, this.last + 1); }
  select(turn, bring) {
    this.selected = Math.max(0, Math.min(turn, this.last));
    if (bring && (this.selected < this.from || this.selected + 1 > this.to)) {
      const half = (this.to - this.from) / 2;
      this.show(this.selected - half, this.selected + half);
    }
    this.redraw();
    this.onSelect(this.selected);
  }
  redraw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      const began = performance.now();
      for (const chart of this.charts) chart.draw();
      this.frames.push(performance.now() - began);
    });
  }
}
