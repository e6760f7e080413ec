// Reads a trace: the bytes of a trace file, as docs/trace-format.md describes them, into columns.
const MAGIC = [0x89, 0x53, 0x51, 0x54, 0x52, 0x43, 0x0d, 0x0a];
const VERSION = 1;
const K = { phase: 1, turn: 2, connected: 3, invoke: 4, ret: 5, yield: 6, job: 7, submit: 8, apply: 9, complete: 10, abort: 11, advance: 12, crash: 13, recovered: 14, state: 15, ended: 16, slow: 17, engine: 18 };
const ENDS = ["ok", "refused", "unknown", "abandoned", "cut off"];
const IO_KINDS = ["read", "write", "sync", "truncate", "directory", "sync-directory"];
const WHO_TIMER = 1, WHO_CRASH = 2, WHO_ENGINE = 3, WHO_CONNECTION = 4, OTHER_IO = 1 << 20, ARGS = 6;

const CRC = new Uint32Array(256).map((_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

function checksum(tag, bytes) {
  let sum = CRC[(0xffffffff ^ tag) & 0xff] ^ 0x00ffffff;
  for (let i = 0; i < bytes.length; i++) sum = CRC[(sum ^ bytes[i]) & 0xff] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

async function unpack(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

// A reader of numbers; past its end it throws, which is taken for damage.
class Bytes {
  constructor(bytes) { this.bytes = bytes; this.at = 0; }
  byte() {
    if (this.at >= this.bytes.length) throw new Error("a block of facts is shorter than it says");
    return this.bytes[this.at++];
  }
  varint() {
    const first = this.bytes[this.at];
    if (first < 0x80) { this.at++; return first; }
    let value = 0, scale = 1;
    for (let n = 0; n < 10; n++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new Error("a number is too long");
  }
  signed() {
    const value = this.varint();
    return value % 2 ? -(value + 1) / 2 : value / 2;
  }
  take() {
    const length = this.varint();
    if (length > this.bytes.length - this.at) throw new Error("a block of facts is shorter than it says");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

// All facts as columns that grow by blocks.
class Columns {
  constructor() { this.count = 0; this.words = []; this.grow(1 << 12); }
  grow(room) {
    const wider = (type, old) => { const next = new type(room); if (old) next.set(old); return next; };
    this.room = room;
    this.kind = wider(Uint8Array, this.kind);
    this.turn = wider(Float64Array, this.turn);
    this.who = wider(Uint32Array, this.who);
    this.args = Array.from({ length: ARGS }, (_, n) => wider(Float64Array, this.args && this.args[n]));
    this.blocks = this.blocks || [];
    this.othersAt = wider(Int32Array, this.othersAt);
  }
  block(content) {
    const bytes = new Bytes(content), text = new TextDecoder("utf-8", { fatal: true });
    const count = bytes.varint(), newWords = bytes.varint();
    if (count > content.length || newWords > content.length) throw new Error("a block of facts is shorter than it says");
    const words = [];
    for (let n = 0; n < newWords; n++) words.push(text.decode(bytes.take()));
    const columns = Array.from({ length: ARGS + 4 }, () => new Bytes(bytes.take()));
    const room = this.count + count;
    if (room > this.room) this.grow(Math.max(room, this.room * 2));
    let turn = 0;
    // Column by column, which is several times as fast as fact by fact.
    for (let at = this.count; at < room; at++) {
      const kind = this.kind[at] = columns[0].byte();
      if (kind < 1 || kind > K.engine) throw new Error("a fact of a kind that this page does not know");
    }
    for (let at = this.count; at < room; at++) this.turn[at] = turn += columns[1].varint();
    for (let at = this.count; at < room; at++) this.who[at] = columns[2].varint();
    for (let place = 0; place < ARGS; place++) {
      const into = this.args[place], column = columns[3 + place];
      for (let at = this.count; at < room; at++) into[at] = column.signed();
    }
    // Who else could have had a turn is read when somebody asks.
    const column = columns[ARGS + 3];
    this.blocks.push({ start: this.count, bytes: column.bytes });
    for (let at = this.count; at < room; at++) {
      if (this.kind[at] !== K.turn) continue;
      this.othersAt[at] = column.at;
      for (let left = column.varint(); left > 0; left--) column.varint();
    }
    for (const word of words) this.words.push(word);
    this.count = room;
  }
}

// The trace in these bytes; what cannot be read is said in `cut`, and throws only when nothing can be read.
async function readTrace(bytes) {
  if (bytes.length < 10 || MAGIC.some((byte, n) => bytes[n] !== byte)) throw new Error("The trace in this page is no trace: expected what squall has written.");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = view.getUint16(8, true);
  if (version > VERSION) throw new Error(`The trace is of version ${version}, and this page reads versions up to ${VERSION}: a later squall has written it.`);
  const facts = new Columns();
  let at = 10, header = null, cut = null, ended = false;
  try {
    while (at < bytes.length && !ended) {
      if (at + 9 > bytes.length) throw new Error("it is cut off inside a block");
      const tag = bytes[at], length = view.getUint32(at + 1, true), sum = view.getUint32(at + 5, true);
      const packed = bytes.subarray(at + 9, at + 9 + length);
      if (packed.length < length) throw new Error("it is cut off inside a block");
      if (checksum(tag, packed) !== sum) throw new Error("a block does not have the checksum it should have");
      const content = await unpack(packed);
      at += 9 + length;
      if (tag === 0x48) header = JSON.parse(new TextDecoder().decode(content));
      else if (tag === 0x46) facts.block(content);
      else if (tag === 0x45) ended = true;
    }
    if (!ended) cut = "it is cut off: its end is missing";
  } catch (error) {
    cut = error.message;
  }
  if (!header) throw new Error(`The trace is damaged: ${cut}.`);
  return { header, facts, cut };
}

// What every part of the page asks of a trace: operations, I/Os, turns, lives; each as columns, oldest first.
function digest(trace) {
  const { facts } = trace, a = facts.args;
  const ops = new Map(), ios = [], faults = [], crashes = [], switches = [], turns = [], connections = new Set(), paths = new Map();
  const yields = [], lives = [], states = [], phases = [], transactions = new Map();
  const waiting = [];
  let lastWho = -1, born = null;
  const endYield = (who, turn) => {
    const open = waiting[who];
    if (open) { open.end = turn; waiting[who] = null; }
  };
  let n = 0;
  const word = (place) => facts.words[a[place][n]] || "";
  for (; n < facts.count; n++) {
    const turn = facts.turn[n], who = facts.who[n];
    switch (facts.kind[n]) {
      case K.turn: {
        turns.push(n);
        const owner = who >= OTHER_IO ? (ios[who - OTHER_IO] ? ios[who - OTHER_IO].who : 0) : who;
        if (owner >= WHO_CONNECTION) {
          if (lastWho >= 0 && owner !== lastWho) switches.push(turn);
          lastWho = owner;
        }
        if (who < OTHER_IO) endYield(who, turn);
        break;
      }
      case K.connected: if (born === null) born = turn; break;
      case K.invoke: {
        connections.add(who);
        const op = { n, op: a[0][n], who, start: turn, end: Infinity, text: word(2), answer: "", how: -1 };
        ops.set(op.op, op);
        const number = a[1][n];
        if (number > 0) {
          const known = transactions.get(number);
          if (known) known.ops.push(op); else transactions.set(number, { number: number - 1, who, ops: [op], start: turn });
        }
        break;
      }
      case K.ret: {
        const op = ops.get(a[0][n]);
        if (op) { op.end = turn; op.how = a[1][n]; op.answer = a[1][n] >= 3 ? ENDS[a[1][n]] : word(2); }
        break;
      }
      case K.yield: {
        endYield(who, turn);
        const wait = { n, who, start: turn, end: Infinity, after: word(1), sites: word(2), blocked: a[3][n] & 1, spinning: a[3][n] & 2 };
        yields.push(wait);
        waiting[who] = wait;
        break;
      }
      case K.submit: {
        const io = { n, number: ios.length, who, op: a[0][n], nth: a[1][n], path: word(2), offset: a[3][n], length: a[4][n], kind: IO_KINDS[a[5][n]] || "?", start: turn, applied: null, end: Infinity, outcome: "", ok: true, fault: "", lost: false };
        ios.push(io);
        if (!paths.has(io.path)) paths.set(io.path, []);
        paths.get(io.path).push(io);
        break;
      }
      case K.apply: {
        const io = ios[a[0][n]];
        if (io) { io.applied = turn; io.fault = word(1); }
        if (a[1][n]) faults.push({ n, turn, text: word(1) });
        break;
      }
      case K.complete: {
        const io = ios[a[0][n]];
        if (io) { io.end = turn; io.ok = a[2][n] === 1; io.outcome = word(4); io.fault = word(1) || io.fault; }
        if (a[1][n] && !(io && io.applied !== null)) faults.push({ n, turn, text: word(1) });
        break;
      }
      case K.abort: { const io = ios[a[0][n]]; if (io) { io.end = turn; io.lost = true; io.outcome = a[1][n] ? "took effect, never reported" : "in flight at the crash"; } break; }
      case K.slow: faults.push({ n, turn, text: `slow until tick ${a[1][n]}` }); break;
      case K.crash:
        crashes.push({ n, turn, text: word(0), kind: word(1) });
        faults.push({ n, turn, text: word(1) });
        lives.push({ start: born === null ? 0 : born, end: turn });
        born = null;
        for (const open of waiting) if (open) open.end = turn;
        waiting.length = 0;
        break;
      case K.state: case K.engine: states.push(n); break;
      case K.phase: phases.push({ turn, name: word(0) }); break;
    }
  }
  const last = facts.count ? facts.turn[facts.count - 1] : 0;
  if (born !== null) lives.push({ start: born, end: last });
  const close = (list) => list.forEach((item) => { if (item.end === Infinity) { item.end = last; item.open = true; } });
  const all = [...ops.values()];
  close(all); close(ios); close(yields);
  for (const transaction of transactions.values()) transaction.end = Math.max(...transaction.ops.map((op) => op.end));
  return { ops: all, byNumber: ops, ios, faults, crashes, switches, turns, yields, lives, states, phases, last, paths, connections: [...connections].sort((x, y) => x - y), transactions: [...transactions.values()] };
}

function whoName(who) {
  if (who === WHO_TIMER) return "timer";
  if (who === WHO_CRASH) return "crash";
  if (who === WHO_ENGINE) return "engine";
  return who >= WHO_CONNECTION ? `c${who - WHO_CONNECTION}` : "";
}

function ioName(io) {
  return io.kind === "read" || io.kind === "write" ? `${io.kind} ${io.path} ${io.offset}+${io.length}` : io.kind === "truncate" ? `truncate ${io.path} to ${io.offset}` : `${io.kind} ${io.path}`;
}

function actorName(run, who) {
  if (who < OTHER_IO) return whoName(who);
  const io = run.ios[who - OTHER_IO];
  return io ? `${whoName(io.who)}'s ${ioName(io)}` : "an I/O";
}

// The first place in a sorted list whose key is not below `value`.
function lowerBound(length, key, value) {
  let low = 0, high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(middle) < value) low = middle + 1; else high = middle;
  }
  return low;
}
