// What is said in words: verdict, facts, table, proof, setting. Everything goes through textContent, so that
// whatever an engine says stays text.
const byId = (id) => document.getElementById(id);

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "text") made.textContent = value;
    else if (name === "on") made.addEventListener("click", value);
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

function showTable(failure, select) {
  const { columns, rows } = failure.table;
  const head = element("tr", {}, element("th", { scope: "col", text: "turn" }), ...columns.map((column) => element("th", { scope: "col", text: column.name })), element("th", { scope: "col", text: "I/O and faults" }));
  const body = element("tbody");
  for (const row of rows) {
    const mark = (row.necessary ? "★" : "") + (row.violated ? "✗" : "");
    const line = element("tr", { "data-turn": row.turn, class: [row.necessary && "necessary", row.violated && "violated"].filter(Boolean).join(" ") || null, on: () => select(row.turn, true) },
      element("th", { scope: "row" }, element("span", { class: "mark", text: mark }), ` ${row.turn}`),
      ...row.cells.map((cell) => element("td", { text: cell })),
      element("td", { class: row.faults.length ? "fault" : null, text: row.io }));
    body.append(line);
  }
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
  const row = document.querySelector(`#table tr[data-turn="${turn}"]`);
  if (row) row.classList.add("selected");
  return row;
}

const DASHES = { ww: "", wr: "9 4", rw: "2 4", process: "9 3 2 3", realtime: "16 5" };
const MEANINGS = { ww: "writes after", wr: "reads what it wrote", rw: "reads before it writes", process: "same process, earlier", realtime: "ended before it began" };

function showProof(failure) {
  const { lines, nodes, edges } = failure.proof;
  const body = byId("proof-body");
  if (!lines.length) byId("proof").hidden = true;
  body.append(element("ol", {}, ...lines.map((line) => element("li", { text: line }))));
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

// Necessity, likelihood and the nearest passing run, as far as somebody has computed them.
function showWhy(failure, select) {
  const body = byId("why-body"), { necessity, likelihood } = failure;
  const items = necessity && Array.isArray(necessity.items) ? necessity.items : [];
  if (items.length) {
    const rows = items.map((item) => element("tr", {}, element("td", { text: item.necessary ? "★" : "" }), element("td", { text: item.what }), element("td", { text: item.reason || "" })));
    body.append(element("table", {}, element("thead", {}, element("tr", {}, element("th", { scope: "col", text: "necessary" }), element("th", { scope: "col", text: "what" }), element("th", { scope: "col", text: "without it" }))), element("tbody", {}, ...rows)));
  }
  const points = likelihood && Array.isArray(likelihood.points) ? likelihood.points : [];
  if (points.length > 1) body.append(element("h3", { text: "How likely the failure was after each turn" }), curve(points, select));
  if (body.childNodes.length) byId("why").hidden = false;
}

function curve(points, select) {
  const width = 640, height = 120, last = Math.max(...points.map((point) => point.turn)) || 1;
  const x = (turn) => 30 + (turn / last) * (width - 40), y = (likelihood) => 10 + (1 - likelihood) * (height - 30);
  const svg = svgElement("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Likelihood of the failure from turn 0 to ${last}`, width, height });
  svg.append(svgElement("path", { d: points.map((point, n) => `${n ? "L" : "M"}${x(point.turn)},${y(point.likelihood)}`).join(" "), fill: "none", class: "e-ww", "stroke-width": 2 }));
  svg.append(svgElement("text", { x: 0, y: y(1) + 4, class: "mono" }, "1"), svgElement("text", { x: 0, y: y(0) + 4 }, "0"), svgElement("text", { x: width - 10, y: height - 2, "text-anchor": "end" }, `turn ${last}`));
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    select(Math.round((((event.clientX - box.left) / box.width) * width - 30) / (width - 40) * last), true);
  });
  return svg;
}

function showRest(failure) {
  byId("configuration").textContent = JSON.stringify(failure.configuration, null, 2);
  const { environment } = failure;
  byId("footer").textContent = `squall ${environment.squall} · program ${environment.program} · engine ${environment.engine} ${environment.engine_version} · hash ${failure.hash || "none"} · bucket ${failure.bucket}`;
}
