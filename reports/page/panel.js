// The side panel: what happened in the selected turn and why, who else could have had it, what it changed.

// The facts of a turn, in order.
function factsAt(trace, turn) {
  const { facts } = trace, found = [];
  for (let n = lowerBound(facts.count, (at) => facts.turn[at], turn); n < facts.count && facts.turn[n] === turn; n++) found.push(n);
  return found;
}

function factText(trace, run, n) {
  const { facts } = trace, a = facts.args, word = (place) => facts.words[a[place][n]] || "", who = whoName(facts.who[n]);
  const io = () => { const known = run.ios[a[0][n]]; return known ? `${whoName(known.who)}: ${ioName(known)}` : "an I/O"; };
  const struck = (place) => (a[place][n] ? `, struck by ${word(place)}` : "");
  switch (facts.kind[n]) {
    case K.phase: return `the run comes to: ${word(0)}`;
    case K.turn: return `turn of ${actorName(run, facts.who[n])}${word(0) ? `, which ${word(0)}` : ""}${a[3][n] ? " (waited for inside a call)" : ""}, tick ${a[2][n]}`;
    case K.connected: return `${who} connects as process ${a[0][n]}`;
    case K.invoke: return `${who} begins ${word(2)}${a[1][n] ? ` in transaction ${a[1][n] - 1}` : ""} (operation ${a[0][n]})`;
    case K.ret: { const op = run.byNumber.get(a[0][n]); return `${who} ${op ? op.text : `operation ${a[0][n]}`} → ${a[1][n] >= 3 ? ENDS[a[1][n]] : word(2)}${a[3][n] ? `, commit ${a[3][n] - 1}` : ""}`; }
    case K.yield: return `${who} ${a[3][n] & 1 ? "waits" : a[3][n] & 2 ? "retries" : "yields"}; after that: ${word(1)}${word(2) ? ` at ${word(2)}` : ""}`;
    case K.job: return `${word(0)} is over${word(1) ? `: ${word(1)}` : ""}`;
    case K.submit: return `${who} issues ${a[5][n] < 2 ? `${IO_KINDS[a[5][n]]} ${word(2)} ${a[3][n]}+${a[4][n]}` : `${IO_KINDS[a[5][n]]} ${word(2)}`}`;
    case K.apply: return `${io()} takes effect, to be reported later${struck(1)}`;
    case K.complete: return `${io()}: ${word(4)}${struck(1)}`;
    case K.abort: return `${io()}: ${a[1][n] ? "took effect, never reported" : "in flight at the crash"}`;
    case K.advance: return `the clock moves on to tick ${a[0][n]}, ${a[1][n]} timers due`;
    case K.crash: return `crash: ${word(0)}`;
    case K.recovered: return "the engine has recovered";
    case K.state: return `file ${word(0)}: ${a[4][n] ? "is gone" : `${a[1][n]} bytes, ${a[2][n]} durable, ${a[3][n]} changes not synced`}`;
    case K.engine: return `the engine's ${word(0)}: ${a[2][n] ? "is told no more" : word(1)}`;
    case K.ended: return word(0);
    case K.slow: return `${io()} is slow until tick ${a[1][n]}`;
  }
  return "";
}

// Why this turn could be given: what its owner had been waiting for.
function cause(trace, run, turn) {
  const { facts } = trace, n = factsAt(trace, turn).find((at) => facts.kind[at] === K.turn);
  if (n === undefined) return ["nothing is recorded of this turn at this level"];
  const who = facts.who[n], a = facts.args, enabled = a[1][n];
  const chosen = enabled <= 1 ? "nobody else could have had it" : `${enabled} could have had it; the schedule chose this one`;
  if (who >= OTHER_IO) {
    const io = run.ios[who - OTHER_IO];
    return io ? [io.applied !== null && io.applied < turn ? `this I/O took effect in turn ${io.applied} and is reported now` : `this I/O was issued in turn ${io.start} and takes effect now`, chosen] : [chosen];
  }
  if (who === WHO_TIMER) return ["the clock moves on to the next deadline", chosen];
  if (who === WHO_CRASH) return ["a crash was decided for this turn"];
  const own = run.yieldsOf.get(who) || [];
  const at = lowerBound(own.length, (m) => own[m].start, turn) - 1;
  const wait = at >= 0 ? own[at] : null;
  const op = run.ops.find((each) => each.who === who && each.start === turn);
  if (op) return [`it begins ${op.text}`, chosen];
  if (!wait) return [chosen];
  const place = wait.sites ? `at ${wait.sites}` : "at a place without a name";
  if (!wait.blocked) return [`it goes on from where it yielded in turn ${wait.start}, ${place}`, chosen];
  const done = run.ios.filter((io) => io.who === who && io.end > wait.start && io.end <= turn && io.start <= wait.start).pop();
  return [`it had waited since turn ${wait.start}, ${place}`, done ? `${ioName(done)} was reported in turn ${done.end}` : "what it waited for is finished", chosen];
}

// The state after all facts of the turns before `turn` (or with them): files and connections.
function stateAfter(trace, run, turn) {
  const { facts } = trace, a = facts.args, lines = new Map();
  for (const n of run.states) {
    if (facts.turn[n] > turn) break;
    const path = facts.words[a[0][n]];
    if (facts.kind[n] === K.engine) {
      if (a[2][n]) lines.delete(`engine's ${path}`);
      else lines.set(`engine's ${path}`, facts.words[a[1][n]] || "");
    } else if (a[4][n]) lines.delete(`file ${path}`);
    else lines.set(`file ${path}`, `${a[1][n]} bytes, ${a[2][n]} durable, ${a[3][n]} not synced`);
  }
  for (const who of run.connections) {
    const ops = run.opsOf.get(who), at = lowerBound(ops.length, (m) => ops[m].start, turn + 1) - 1, op = at >= 0 ? ops[at] : null;
    const waits = run.yieldsOf.get(who) || [], w = lowerBound(waits.length, (m) => waits[m].start, turn + 1) - 1, wait = w >= 0 ? waits[w] : null;
    const busy = op && (op.end > turn || op.open);
    lines.set(whoName(who), !op ? "has asked nothing" : busy ? `in ${op.text}${wait && wait.end > turn && wait.start >= op.start ? (wait.blocked ? ", waiting" : ", between two steps") : ""}` : `${op.text} → ${op.answer}`);
  }
  for (const path of run.paths.keys()) {
    const flying = (run.flying.get(path) || []).filter((io) => io.start <= turn && (io.end > turn || io.open)).length;
    if (flying) lines.set(`in flight on ${path}`, `${flying}`);
  }
  return lines;
}

function difference(before, after) {
  const changed = [];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    if (before.get(key) === after.get(key)) continue;
    if (before.has(key)) changed.push(element("div", { class: "minus", text: `− ${key}: ${before.get(key)}` }));
    if (after.has(key)) changed.push(element("div", { class: "plus", text: `+ ${key}: ${after.get(key)}` }));
  }
  return changed;
}

function index(run) {
  const by = (list) => {
    const map = new Map();
    for (const item of list) { if (!map.has(item.who)) map.set(item.who, []); map.get(item.who).push(item); }
    return map;
  };
  run.opsOf = by(run.ops);
  run.yieldsOf = by(run.yields);
  run.flying = run.paths;
}

function showPanel(trace, run, failure, turn) {
  const panel = byId("panel"), { facts } = trace, all = factsAt(trace, turn);
  const row = failure.table.rows.find((each) => each.turn === turn);
  const until = failure.reproduce.until.replace("{turn}", String(turn));
  // What the state became is said below, as a difference.
  const told = all.filter((at) => facts.kind[at] !== K.engine && facts.kind[at] !== K.state);
  const list = (items) => element("ul", {}, ...items.map((item) => element("li", { text: item })));
  const n = all.find((at) => facts.kind[at] === K.turn);
  const others = n === undefined ? [] : othersOf(facts, n);
  const parts = [element("h3", { text: `Turn ${turn.toLocaleString("en")}${row && row.necessary ? " ★" : ""}${row && row.violated ? " ✗" : ""}` })];
  parts.push(list(told.length ? told.map((at) => factText(trace, run, at)) : ["nothing is recorded of this turn"]));
  parts.push(element("h3", { text: "Why" }), list(cause(trace, run, turn)));
  if (n !== undefined) {
    const hidden = facts.args[1][n] - 1 - others.length;
    parts.push(element("h3", { text: "Who else could have had it" }), others.length || hidden > 0 ? list([...others.map((who) => actorName(run, who)), ...(hidden > 0 ? [`and ${hidden} more`] : [])]) : element("p", { text: "nobody" }));
  }
  const changed = difference(stateAfter(trace, run, turn - 1), stateAfter(trace, run, turn));
  parts.push(element("h3", { text: "What it changed" }), ...(changed.length ? changed : [element("p", { text: "nothing that is recorded" })]));
  parts.push(element("h3", { text: "Replay to here" }), element("pre", { text: until }), element("button", { type: "button", on: () => copy(until), text: "Copy" }));
  panel.replaceChildren(...parts);
}

function othersOf(facts, n) {
  const block = facts.blocks.findLast((each) => each.start <= n), column = new Bytes(block.bytes);
  column.at = facts.othersAt[n];
  return Array.from({ length: column.varint() }, () => column.varint());
}
