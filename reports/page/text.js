// What is said in words: verdict, facts, table, proof, setting. Everything goes through textContent, so that
// whatever an engine says stays text.
const byId = (id) => document.getElementById(id);

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "text") made.textContent = value;
    else if (name === "on") { if (value) made.addEventListener("click", value); }
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function svgElement(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

let saidTimer = 0;
function say(text) {
  byId("said").textContent = text;
  clearTimeout(saidTimer);
  saidTimer = setTimeout(() => { byId("said").textContent = ""; }, 2500);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch (_) {
    // A page opened from a file may not be allowed the clipboard; the old way still is.
    const area = element("textarea", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say("copied");
}

function notice(text) {
  const place = byId("notice");
  place.textContent = place.textContent ? `${place.textContent} ${text}` : text;
  place.hidden = false;
}

function showVerdict(failure) {
  const finding = failure.finding;
  byId("where").textContent = `${finding.property}: ${finding.anomaly} · ${failure.scenario} on ${failure.engine} · seed ${failure.seed} · turn ${finding.turn}`;
  byId("sentence").textContent = failure.verdict;
  const commands = failure.reproduce;
  const button = (label, text) => text ? element("button", { type: "button", title: text, on: () => copy(text), text: label }) : null;
  byId("actions").append(...[
    button("Copy replay command", commands.replay),
    button("Copy verdict", failure.verdict),
    button("Copy as Markdown", markdown(failure)),
    element("button", { type: "button", on: () => byId("help").showModal(), text: "Keys (?)" }),
  ].filter(Boolean));
}

function markdown(failure) {
  const code = failure.reproduce.replay;
  return `**${failure.finding.property}: ${failure.finding.anomaly}**\n\n${failure.verdict}\n\n${failure.proof.lines.map((line) => `- ${line}`).join("\n")}\n\n    ${code}\n`;
}

const SIZES = [["connections", "connections"], ["operations", "operations"], ["switches", "context switches"], ["faults", "faults"], ["crashes", "crashes"], ["turns", "turns"]];

function showFacts(failure) {
  const { original, shrunk } = failure;
  const head = element("tr", {}, element("td"), ...SIZES.map(([, name]) => element("th", { scope: "col", text: name })));
  const line = (name, sizes) => sizes ? element("tr", {}, element("th", { scope: "row", text: name }), ...SIZES.map(([key]) => element("td", { text: sizes[key].toLocaleString("en") }))) : null;
  byId("facts").append(element("table", {}, element("thead", {}, head), element("tbody", {}, ...[line("as found", original), line("shrunk to", shrunk)].filter(Boolean))));
  byId("facts").append(element("p", { class: "note mono", text: failure.reproduce.replay }));
}

// The rows as people see them: one that says no more than that an I/O of the row before is done stands there.
function linesOf(table) {
  const lines = [];
  for (const row of table.rows) {
    const line = lines[lines.length - 1];
    if (!row.folded || !line) { lines.push({ ...row, turns: [row.turn] }); continue; }
    const io = row.io.replace(/: done$/, "");
    line.io = line.io.replace(`${io} issued`, () => `${io}, done in turn ${row.turn}`);
    line.turns.push(row.turn);
  }
  return lines;
}

function showTable(failure, select) {
  const { columns } = failure.table, rows = linesOf(failure.table);
  const head = element("tr", {}, element("th", { scope: "col", text: "turn" }), ...columns.map((column) => element("th", { scope: "col", text: column.name })), element("th", { scope: "col", text: "I/O and faults" }));
  const body = element("tbody");
  for (const row of rows) {
    const mark = (row.necessary ? "★" : "") + (row.violated ? "✗" : "");
    const line = element("tr", { "data-turn": row.turn, "data-turns": row.turns.join(" "), class: [row.necessary && "necessary", row.violated && "violated"].filter(Boolean).join(" ") || null, on: () => select(row.turn, true) },
      element("th", { scope: "row" }, element("span", { class: "mark", text: mark }), ` ${row.turn}`),
      ...row.cells.map((cell) => element("td", { text: cell })),
      element("td", { class: row.faults.length ? "fault" : null, text: row.io }));
    body.append(line);
  }
  if (rows.length > 60) byId("table").classList.add("long");
  byId("table").append(element("table", {}, element("thead", {}, head), body));
  const notes = [];
  if (rows.some((row) => row.necessary)) notes.push("★ the failure does not happen without it");
  if (rows.some((row) => row.violated)) notes.push("✗ here it shows");
  if (failure.table.omitted) notes.push(`${failure.table.omitted} turns of opening, setting up and reading back are not shown`);
  if (failure.table.cut) notes.push(`${failure.table.cut} more rows are cut off`);
  byId("table-note").textContent = notes.join(" · ");
}

function markRow(turn) {
  for (const row of document.querySelectorAll("#table tr.selected")) row.classList.remove("selected");
  const row = document.querySelector(`#table tr[data-turns~="${turn}"]`);
  if (row) row.classList.add("selected");
  return row;
}

const DASHES = { ww: "", wr: "9 4", rw: "2 4", process: "9 3 2 3", realtime: "16 5" };
const MEANINGS = { ww: "writes after", wr: "reads what it wrote", rw: "reads before it writes", process: "same process, earlier", realtime: "ended before it began" };

function showProof(failure) {
  const { lines, nodes, edges } = failure.proof;
  const body = byId("proof-body");
  if (!lines.length) byId("proof").hidden = true;
  body.append(element("ol", { class: lines.length > 12 ? "long" : null }, ...lines.map((line) => element("li", { text: line }))));
  if (edges.length) body.append(cycle(nodes, edges));
}

function cycle(nodes, edges) {
  const size = 360, middle = size / 2, radius = nodes.length === 1 ? 0 : 115;
  const place = new Map(nodes.map((node, n) => {
    const angle = (n / nodes.length) * 2 * Math.PI - (nodes.length === 2 ? Math.PI : Math.PI / 2);
    return [node.name, [middle + radius * Math.cos(angle), middle + radius * Math.sin(angle)]];
  }));
  const words = edges.map((edge) => `${edge.from} before ${edge.to} (${edge.kind}${edge.key ? ` ${edge.key}` : ""})`).join(", ");
  const height = nodes.length === 2 ? 130 : nodes.length === 1 ? 170 : size, top = nodes.length === 1 ? 60 : (size - height) / 2;
  const svg = svgElement("svg", { viewBox: `0 ${top} ${size} ${height}`, role: "img", "aria-label": `The cycle: ${words}` });
  edges.forEach((edge, n) => {
    const from = place.get(edge.from), to = place.get(edge.to);
    if (!from || !to) return;
    const [dx, dy] = [to[0] - from[0], to[1] - from[1]], length = Math.hypot(dx, dy) || 1;
    const [ux, uy] = [dx / length, dy / length], bend = 42;
    const control = [(from[0] + to[0]) / 2 - uy * -bend, (from[1] + to[1]) / 2 - ux * bend];
    const gap = 26;
    const aim = (point, other) => { const l = Math.hypot(other[0] - point[0], other[1] - point[1]) || 1; return [point[0] + (other[0] - point[0]) / l * gap, point[1] + (other[1] - point[1]) / l * gap]; };
    const loop = edge.from === edge.to;
    const start = aim(from, control), end = aim(to, control);
    const path = loop ? `M${from[0] - 12},${from[1] - 22} C${from[0] - 60},${from[1] - 95} ${from[0] + 60},${from[1] - 95} ${from[0] + 12},${from[1] - 22}` : `M${start} Q${control} ${end}`;
    svg.append(svgElement("path", { d: path, fill: "none", class: `e-${edge.kind}`, "stroke-width": 2, "stroke-dasharray": DASHES[edge.kind] || "none" }));
    const tip = loop ? [from[0] + 12, from[1] - 22] : end, back = loop ? [from[0] + 40, from[1] - 80] : control;
    const angle = Math.atan2(tip[1] - back[1], tip[0] - back[0]);
    const corner = (turn) => [tip[0] - 11 * Math.cos(angle + turn), tip[1] - 11 * Math.sin(angle + turn)];
    svg.append(svgElement("path", { d: `M${tip} L${corner(0.42)} L${corner(-0.42)} Z`, class: `f-${edge.kind}` }));
    const label = loop ? [from[0], from[1] - 88] : [(from[0] + to[0]) / 4 + control[0] / 2 - uy * -14, (from[1] + to[1]) / 4 + control[1] / 2 - ux * 14];
    svg.append(svgElement("text", { x: label[0], y: label[1] + 4, "text-anchor": "middle" }, `${edge.kind}${edge.key ? ` ${shorten(edge.key, 12)}` : ""}`));
    void n;
  });
  for (const node of nodes) {
    const [x, y] = place.get(node.name);
    svg.append(svgElement("circle", { cx: x, cy: y, r: 22, class: "node", "stroke-width": 1.5 }));
    svg.append(svgElement("text", { x, y: y + 5, "text-anchor": "middle" }, shorten(node.name, 5)));
  }
  const kinds = [...new Set(edges.map((edge) => edge.kind))];
  const legend = element("figcaption", { class: "legend" }, ...kinds.map((kind) => {
    const line = svgElement("svg", { viewBox: "0 0 34 8", width: 34, height: 8, "aria-hidden": "true" });
    line.append(svgElement("path", { d: "M0,4 L34,4", class: `e-${kind}`, "stroke-width": 2, "stroke-dasharray": DASHES[kind] || "none" }));
    const item = element("span", {});
    item.append(line, ` ${kind}: ${MEANINGS[kind] || ""}`);
    return item;
  }));
  return element("figure", {}, svg, legend);
}

function shorten(text, most) {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

const percent = (point) => `${Math.round(point.failed / Math.max(1, point.runs) * 100)} %`;
const many = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;

// Necessity, likelihood and the nearest passing run, as far as somebody has computed them.
function showWhy(failure, select) {
  const { necessity, likelihood, nearest } = failure;
  if (!necessity) return;
  const body = byId("why-body"), left = element("div", { class: "marks" }), right = element("div", { class: "likely" });
  const { marks } = necessity, needed = marks.filter((mark) => mark.necessary).length;
  left.append(element("h3", { text: "Context switches, faults and crashes" }));
  if (marks.length) {
    left.append(element("p", { class: "note", text: `${needed} of ${many(marks.length, "decision")} ${needed === 1 ? "is" : "are"} necessary (★): flipped alone, ${needed === 1 ? "it lets" : "each of them lets"} the run pass.` }), marksTable(marks, select));
  } else if (!necessity.cut) left.append(element("p", { text: "There is none: the plan alone shows the failure." }));
  if (necessity.cut) left.append(element("p", { class: "note", text: `Not complete: ${necessity.cut}.` }));
  if (nearest) left.append(element("h3", { text: "The nearest run that passes" }), ...nearestText(nearest, select));
  const { points, no_return: edge, cut } = likelihood || { points: [] };
  if (points.length > 1) {
    right.append(element("h3", { text: "How likely the failure was after each turn" }), curve(points, edge, select));
    if (edge) right.append(element("p", { text: `Point of no return: ${percent(edge.from)} after turn ${edge.from.turn}, ${percent(edge.to)} after turn ${edge.to.turn}.` }));
    else right.append(element("p", { text: "It was never likelier than at the beginning: no turn decides it." }));
    right.append(element("p", { class: "note", text: `${many(points[0].runs, "random continuation")} from each of ${many(points.length, "turn")}; faults stay those of the run.` }));
  }
  if (cut && cut !== necessity.cut) right.append(element("p", { class: "note", text: `Not complete: ${cut}.` }));
  body.append(left, right);
  byId("why").hidden = false;
}

function marksTable(marks, select) {
  const rows = marks.map((mark) => element("tr", { class: mark.necessary ? "necessary" : null, on: mark.turn === null ? null : () => select(mark.turn, true) },
    element("td", { class: "mark", text: mark.necessary ? "★" : "" }), element("td", { class: "number" }, mark.turn === null ? "–" : element("button", { type: "button", text: String(mark.turn) })), element("td", { text: mark.kind }), element("td", { text: mark.what })));
  const head = element("tr", {}, element("td"), ...["turn", "kind", "what"].map((text) => element("th", { scope: "col", text })));
  return element("div", { class: "scroll long", tabindex: "0", role: "group", "aria-label": "Decisions" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

function nearestText(nearest, select) {
  const who = (name) => name || "nobody", same = nearest.failing === nearest.passing;
  const parts = same ? `by the fault alone` : `which ${who(nearest.failing)} has where it fails and ${who(nearest.passing)} where it passes`;
  return [
    element("p", { text: `One decision is otherwise: ${nearest.edit}.` }),
    element("p", {}, "The two part in ", element("button", { type: "button", text: `turn ${nearest.turn}`, on: () => select(nearest.turn, true) }), `, ${parts}. Both are drawn below, one above the other, turn by turn.`),
  ];
}

function curve(points, edge, select) {
  const width = 560, height = 190, left = 44, bottom = 26, last = Math.max(...points.map((point) => point.turn)) || 1;
  const x = (turn) => left + (turn / last) * (width - left - 14), y = (share) => 12 + (1 - share) * (height - 12 - bottom);
  const share = (point) => point.failed / Math.max(1, point.runs);
  const words = `Likelihood of the failure from turn 0 to ${last}: ${percent(points[0])} at first, ${percent(points[points.length - 1])} at last${edge ? `, steepest between turns ${edge.from.turn} and ${edge.to.turn}` : ""}`;
  const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words, class: "curve" });
  if (edge) svg.append(svgElement("rect", { x: x(edge.from.turn), y: 12, width: Math.max(2, x(edge.to.turn) - x(edge.from.turn)), height: height - 12 - bottom, class: "edge" }));
  for (const level of [0, .5, 1]) {
    svg.append(svgElement("path", { d: `M${left},${y(level)} L${width - 14},${y(level)}`, class: "grid" }));
    svg.append(svgElement("text", { x: left - 6, y: y(level) + 4, "text-anchor": "end" }, `${level * 100} %`));
  }
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6].find((by) => last / by <= 6) || last;
  for (let turn = 0; turn <= last; turn += step) svg.append(svgElement("text", { x: x(turn), y: height - 8, "text-anchor": "middle" }, turn.toLocaleString("en")));
  svg.append(svgElement("path", { d: points.map((point, n) => `${n ? "L" : "M"}${x(point.turn)},${y(share(point))}`).join(" "), class: "line" }));
  for (const point of points) {
    const dot = svgElement("circle", { cx: x(point.turn), cy: y(share(point)), r: 2.5, class: "dot" });
    dot.append(svgElement("title", {}, `after turn ${point.turn}: ${point.failed} of ${point.runs} fail`));
    svg.append(dot);
  }
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect(), turn = Math.round((((event.clientX - box.left) / box.width) * width - left) / (width - left - 14) * last);
    select(Math.max(1, Math.min(last, turn)), true);
  });
  return svg;
}

function showRest(failure) {
  byId("configuration").textContent = JSON.stringify(failure.configuration, null, 2);
  const { environment } = failure;
  byId("footer").textContent = `squall ${environment.squall} · program ${environment.program} · engine ${environment.engine} ${environment.engine_version} · hash ${failure.hash || "none"} · bucket ${failure.bucket}`;
}
