// Puts the page together: what is said at once, the timeline as soon as the trace has been read.
const HELP = [
  ["← →", "the turn before, the turn after"], ["[ ]", "previous, next context switch"], ["f F", "next, previous fault or crash"],
  ["v", "where the violation shows"], ["r R", "next, previous row of the interleaving"], ["+ −", "zoom in, out"], ["Shift ← →", "move the view"], ["0", "the whole run"],
  ["Home End", "first, last turn"], ["/", "search"], ["n N", "next, previous hit"], ["g", "go to a turn: type turn:N and press Enter"], ["c", "copy the command that replays to here"], ["?", "this help"], ["Esc", "leave the search, close the help"],
];
const QUERIES = [["conn:2", "of connection 2"], ["kind:io", "also op, turn, yield, crash, fault, state, timer"], ["io:write", "I/O of this kind"], ["file:wal", "I/O on files named so"], ["res:EIO", "with this result"], ["fault:eio", "struck by this fault"], ["op:3 txn:1", "operation, transaction by number"], ["turn:400..450", "in these turns"], ["word", "anything that says this"]];

function definitions(pairs, keys) {
  return element("dl", {}, ...pairs.flatMap(([term, text]) => [element("dt", {}, ...term.split(" ").map((each) => element(keys ? "kbd" : "code", { text: each })).flatMap((each) => [each, " "])), element("dd", { text })]));
}

function turnOfHash() {
  const found = /^#t=(\d+)$/.exec(location.hash);
  return found ? Number(found[1]) : null;
}

async function begin() {
  const failure = JSON.parse(byId("data-failure").textContent);
  if (failure.v !== 1) {
    notice(`This report is of version ${failure.v}, and this page reads version 1: a later squall has written it.`);
    return;
  }
  const page = { failure, hits: [], hit: -1, view: null };
  window.squall = page;
  const select = (turn, bring) => choose(page, turn, bring);
  showVerdict(failure);
  showFacts(failure);
  showTable(failure, select);
  showProof(failure);
  showWhy(failure, select);
  showRest(failure);
  byId("help-body").append(definitions(HELP, true), element("h3", { text: "Search" }), definitions(QUERIES, false));
  byId("help-close").addEventListener("click", () => byId("help").close());
  document.addEventListener("keydown", (event) => key(page, event));
  byId("search").addEventListener("submit", (event) => { event.preventDefault(); find(page); });
  byId("query").addEventListener("input", () => { page.searched = null; });
  window.addEventListener("hashchange", () => { const turn = turnOfHash(); if (turn !== null && page.view && turn !== page.view.selected) select(turn, true); });
  await new Promise((done) => setTimeout(done, 0));
  await showRun(page);
}

async function load(id) {
  const text = byId(id).textContent.trim();
  if (!text) return null;
  let bytes;
  try { bytes = fromBase64(text); } catch (_) { throw new Error("The trace in this page is damaged: it is not what squall has written."); }
  performance.mark(`squall-${id}-bytes`);
  const trace = await readTrace(bytes);
  performance.mark(`squall-${id}-read`);
  if (trace.cut) notice(`The trace is not whole: ${trace.cut}. What comes before is shown.`);
  trace.run = digest(trace);
  index(trace.run);
  performance.mark(`squall-${id}-digested`);
  return trace;
}

async function showRun(page) {
  const charts = byId("charts"), { failure } = page;
  try {
    page.trace = await load("data-trace");
    page.passing = await load("data-passing");
  } catch (error) {
    notice(error.message);
    byId("loading").textContent = "There is no timeline.";
    return;
  }
  if (!page.trace) { byId("loading").textContent = "This report has no trace."; return; }
  byId("loading").remove();
  const last = Math.max(page.trace.run.last, page.passing ? page.passing.run.last : 0);
  const view = page.view = new View(last);
  const label = (run) => `Timeline of ${run.last} turns, ${run.ops.length} operations, ${run.ios.length} I/Os, ${run.faults.length} faults. The interleaving above says the decisive part in words.`;
  const both = Boolean(page.passing);
  view.charts.push(new Chart(both ? "The failing run" : "", page.trace, page.trace.run, failure, view, label(page.trace.run)));
  if (both) {
    const parts = view.parts = page.parts = failure.nearest ? failure.nearest.turn : firstDifference(page.trace, page.passing);
    view.charts.push(new Chart(`The nearest passing run${parts === null ? "" : `; the two part in turn ${parts}`}`, page.passing, page.passing.run, null, view, label(page.passing.run)));
  }
  performance.mark("squall-lanes");
  charts.append(...view.charts.map((chart) => chart.box), colours(page.trace.run, both));
  tools(page);
  view.onSelect = (turn) => {
    showPanel(page.trace, page.trace.run, failure, turn);
    markRow(turn);
    history.replaceState(null, "", `#t=${turn}`);
  };
  const resize = new ResizeObserver(() => view.redraw());
  resize.observe(charts);
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", () => { for (const chart of view.charts) { chart.colors = {}; chart.kept = null; } view.redraw(); });
  const turn = turnOfHash();
  if (turn !== null) select(page, turn);
  else view.redraw();
  requestAnimationFrame(() => requestAnimationFrame(() => { document.documentElement.dataset.ready = "true"; performance.mark("squall-ready"); }));
  function select(_, at) { focusOn(page, at); }
}

const COLOURS = [["transaction", "transaction"], ["op", "operation, in its connection's colour"], ["wait", "waiting"], ["spin", "retrying, clock"], ["read", "read"], ["write", "write"], ["sync", "sync"], ["other", "other I/O"], ["lost", "failed, refused or lost"], ["fault", "fault"], ["crash", "crash"], ["life", "engine alive"], ["star", "★ necessary"]];

// What the colours of the lanes mean.
function colours(run, both) {
  const item = ([kind, text]) => {
    const swatch = svgElement("svg", { viewBox: "0 0 12 10", "aria-hidden": "true" }), span = element("span", {});
    swatch.append(svgElement("rect", { x: 0, y: 0, width: 12, height: 10, class: `k-${kind}` }));
    span.append(swatch, text);
    return span;
  };
  return element("p", { class: "legend", id: "colours" }, ...COLOURS.map(item), both ? element("span", { text: "┆ the two runs part here" }) : null);
}

function firstDifference(one, other) {
  const name = (trace, n) => actorName(trace.run, trace.facts.who[n]);
  const [a, b] = [one.run.turns, other.run.turns];
  for (let n = 0; n < Math.min(a.length, b.length); n++) if (name(one, a[n]) !== name(other, b[n])) return one.facts.turn[a[n]];
  return a.length === b.length ? null : one.facts.turn[a[Math.min(a.length, b.length) - 1]];
}

function tools(page) {
  const { view } = page, button = (label, title, act) => element("button", { type: "button", title, on: act, text: label });
  byId("tools").append(
    button("‹ switch", "previous context switch ([)", () => step(page, page.trace.run.switches, -1)), button("switch ›", "next context switch (])", () => step(page, page.trace.run.switches, 1)),
    button("violation", "where it shows (v)", () => violation(page)), button("zoom in", "zoom in (+)", () => view.zoom(.5)), button("zoom out", "zoom out (−)", () => view.zoom(2)), button("all", "the whole run (0)", () => view.all()));
}

function choose(page, turn, bring) {
  if (page.view) page.view.select(turn, bring);
  else history.replaceState(null, "", `#t=${turn}`);
}

// Selects a turn and shows it from near.
function focusOn(page, turn) {
  const { view } = page;
  if (view.to - view.from > 400) view.show(turn - 60, turn + 60);
  view.select(turn, true);
}

function step(page, turns, by) {
  const now = page.view.selected === null ? -1 : page.view.selected;
  const at = by > 0 ? lowerBound(turns.length, (n) => turns[n], now + 1) : lowerBound(turns.length, (n) => turns[n], now) - 1;
  if (at >= 0 && at < turns.length) page.view.select(turns[at], true); else say(by > 0 ? "that was the last" : "that was the first");
}

function violation(page) {
  const row = page.failure.table.rows.filter((each) => each.violated).pop();
  focusOn(page, row ? row.turn : page.failure.finding.turn);
}

function find(page) {
  const text = byId("query").value, hits = byId("hits");
  if (!page.trace) return;
  if (page.searched === text && page.hits.length) { nextHit(page, 1); return; }
  const { terms, wrong } = parseQuery(text);
  page.searched = text;
  page.hits = !wrong && terms.length ? search(page.trace, page.trace.run, terms) : [];
  page.hit = -1;
  page.view.charts[0].hits = page.hits;
  hits.textContent = wrong || (terms.length ? (page.hits.length ? "" : "no hit") : "");
  page.view.redraw();
  if (page.hits.length) nextHit(page, 1);
}

function nextHit(page, by) {
  const { hits } = page;
  if (!hits.length) return;
  page.hit = page.hit < 0 ? 0 : (page.hit + by + hits.length) % hits.length;
  byId("hits").textContent = `${(page.hit + 1).toLocaleString("en")} of ${hits.length.toLocaleString("en")}`;
  focusOn(page, hits[page.hit]);
}

function key(page, event) {
  const typing = event.target instanceof HTMLInputElement;
  if (event.key === "Escape" && typing) { event.target.blur(); return; }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const act = action(page, event);
  if (act) { event.preventDefault(); act(); }
}

function action(page, event) {
  const { view, trace } = page;
  if (event.key === "?") return () => byId("help").showModal();
  if (!view) return null;
  const { run } = trace, move = (by) => () => view.select((view.selected === null ? 0 : view.selected) + by, true);
  const pan = (by) => () => { const span = (view.to - view.from) * by; view.show(view.from + span, view.to + span); };
  const rows = linesOf(page.failure.table).map((row) => row.turn), faults = run.faults.map((fault) => fault.turn);
  const row = (by) => () => { step(page, rows, by); const line = markRow(view.selected); if (line) line.scrollIntoView({ block: "nearest" }); };
  switch (event.key) {
    case "ArrowRight": return event.shiftKey ? pan(.25) : move(1);
    case "ArrowLeft": return event.shiftKey ? pan(-.25) : move(-1);
    case "]": return () => step(page, run.switches, 1);
    case "[": return () => step(page, run.switches, -1);
    case "f": return () => step(page, faults, 1);
    case "F": return () => step(page, faults, -1);
    case "r": return row(1);
    case "R": return row(-1);
    case "v": return () => violation(page);
    case "+": case "=": return () => view.zoom(.5);
    case "-": case "−": return () => view.zoom(2);
    case "0": return () => view.all();
    case "Home": return () => focusOn(page, 1);
    case "End": return () => focusOn(page, run.last);
    case "/": return () => byId("query").focus();
    case "g": return () => { byId("query").value = "turn:"; byId("query").focus(); };
    case "n": return () => nextHit(page, 1);
    case "N": return () => nextHit(page, -1);
    case "c": return () => copy(page.failure.reproduce.until.replace("{turn}", String(view.selected === null ? page.failure.finding.turn : view.selected)));
  }
  return null;
}

begin();
