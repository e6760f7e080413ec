// Search: words and `field:value` pairs, all of which must fit one fact.
const FIELDS = ["conn", "kind", "io", "file", "res", "turn", "fault", "op", "txn"];
const GROUPS = {
  io: [K.submit, K.apply, K.complete, K.abort, K.slow], op: [K.invoke, K.ret], turn: [K.turn], yield: [K.yield], crash: [K.crash],
  fault: [K.apply, K.complete, K.slow, K.crash], recovered: [K.recovered], state: [K.state, K.engine], timer: [K.advance], end: [K.ended], phase: [K.phase],
};

// The terms of a query, or a sentence about what is wrong with it.
function parseQuery(text) {
  const terms = [];
  for (const part of text.trim().split(/\s+/).filter(Boolean)) {
    const cut = part.indexOf(":"), field = cut > 0 ? part.slice(0, cut) : "";
    if (!FIELDS.includes(field)) {
      if (/^[a-z]+:/.test(part)) return { wrong: `no field ${field}: expected one of ${FIELDS.join(", ")}` };
      terms.push({ field: "", value: part.toLowerCase() });
      continue;
    }
    const value = part.slice(cut + 1);
    if (field === "turn") {
      const range = /^(\d+)(?:\.\.(\d+))?$/.exec(value);
      if (!range) return { wrong: "expected turn:400 or turn:400..450" };
      terms.push({ field, from: Number(range[1]), to: range[2] === undefined ? Number(range[1]) : Number(range[2]) });
    } else if (field === "kind" && !(value in GROUPS)) {
      return { wrong: `no kind ${value}: expected one of ${Object.keys(GROUPS).join(", ")}` };
    } else {
      terms.push({ field, value: value.toLowerCase() });
    }
  }
  return { terms };
}

function ioOf(facts, run, n) {
  const kind = facts.kind[n];
  if (kind === K.submit) return run.submitted.get(n);
  if (kind === K.apply || kind === K.complete || kind === K.abort || kind === K.slow) return run.ios[facts.args[0][n]];
  return undefined;
}

function fits(trace, run, n, term) {
  const { facts } = trace, kind = facts.kind[n], a = facts.args;
  const has = (text) => text !== undefined && text.toLowerCase().includes(term.value);
  switch (term.field) {
    case "turn": return facts.turn[n] >= term.from && facts.turn[n] <= term.to;
    case "conn": return facts.who[n] < OTHER_IO && (whoName(facts.who[n]) === term.value || whoName(facts.who[n]) === `c${term.value}`);
    case "kind": return GROUPS[term.value].includes(kind) && (term.value !== "fault" || kind === K.slow || kind === K.crash || a[1][n] > 0);
    case "io": { const io = ioOf(facts, run, n); return io !== undefined && io.kind.startsWith(term.value); }
    case "file": { const io = ioOf(facts, run, n); return io !== undefined ? has(io.path) : kind === K.state && has(facts.words[a[0][n]]); }
    case "fault": return (kind === K.apply || kind === K.complete) ? a[1][n] > 0 && has(facts.words[a[1][n]]) : kind === K.crash && has(facts.words[a[1][n]]);
    case "res": return kind === K.complete ? has(facts.words[a[4][n]]) : kind === K.ret ? has(a[1][n] >= 3 ? ENDS[a[1][n]] : `${ENDS[a[1][n]]} ${facts.words[a[2][n]]}`) : kind === K.turn ? has(facts.words[a[0][n]]) : kind === K.yield && has(facts.words[a[1][n]]);
    case "op": return (kind === K.invoke || kind === K.ret) && String(a[0][n]) === term.value;
    case "txn": return kind === K.invoke && a[1][n] > 0 && String(a[1][n] - 1) === term.value;
    default: return factText(trace, run, n).toLowerCase().includes(term.value);
  }
}

// The turns that have a fact which fits all terms, in order.
function search(trace, run, terms) {
  const { facts } = trace, turns = [];
  if (!run.submitted) run.submitted = new Map(run.ios.map((io) => [io.n, io]));
  const range = terms.find((term) => term.field === "turn");
  // Cheap terms first; words are put together only for facts that fit those.
  const order = [...terms].sort((one, other) => (one.field === "") - (other.field === ""));
  const first = range ? lowerBound(facts.count, (at) => facts.turn[at], range.from) : 0;
  for (let n = first; n < facts.count; n++) {
    const turn = facts.turn[n];
    if (range && turn > range.to) break;
    if (turns.length && turns[turns.length - 1] === turn) continue;
    if (order.every((term) => fits(trace, run, n, term))) turns.push(turn);
  }
  return turns;
}
