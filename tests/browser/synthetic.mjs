// A trace file of any length, written as docs/trace-format.md says and by nothing that squall itself uses, so that
// the page is held against the document.
import { crc32, gzipSync } from "node:zlib";

const BLOCK_FACTS = 65_536, ARGS = 6;

class Bytes {
  constructor() { this.room = Buffer.alloc(1 << 16); this.length = 0; }
  byte(value) {
    if (this.length === this.room.length) this.room = Buffer.concat([this.room, Buffer.alloc(this.room.length)]);
    this.room[this.length++] = value;
  }
  varint(value) {
    while (value >= 128) { this.byte((value % 128) | 128); value = Math.floor(value / 128); }
    this.byte(value);
  }
  signed(value) { this.varint(value < 0 ? -2 * value - 1 : 2 * value); }
  raw(bytes) { for (const byte of bytes) this.byte(byte); }
  done() { return this.room.subarray(0, this.length); }
}

function block(tag, content) {
  const packed = gzipSync(content), head = Buffer.alloc(9);
  head[0] = tag.charCodeAt(0);
  head.writeUInt32LE(packed.length, 1);
  head.writeUInt32LE(crc32(packed, crc32(head.subarray(0, 1))), 5);
  return Buffer.concat([head, packed]);
}

function factsBlock(facts, words) {
  const out = new Bytes();
  out.varint(facts.length);
  out.varint(words.length);
  for (const word of words) { const bytes = Buffer.from(word); out.varint(bytes.length); out.raw(bytes); }
  const column = (put) => { const bytes = new Bytes(); facts.forEach((fact, n) => put(bytes, fact, facts[n - 1])); out.varint(bytes.length); out.raw(bytes.done()); };
  column((bytes, fact) => bytes.byte(fact.kind));
  column((bytes, fact, before) => bytes.varint(fact.turn - (before ? before.turn : 0)));
  column((bytes, fact) => bytes.varint(fact.who));
  for (let place = 0; place < ARGS; place++) column((bytes, fact) => bytes.signed(fact.args[place] || 0));
  column((bytes, fact) => { if (fact.kind === 2) { bytes.varint(fact.others.length); fact.others.forEach((other) => bytes.varint(other)); } });
  return out.done();
}

export function traceFile(header, facts, words, version = 1) {
  const head = Buffer.from([0x89, 0x53, 0x51, 0x54, 0x52, 0x43, 0x0d, 0x0a, version & 255, version >> 8]);
  const parts = [head, block("H", Buffer.from(JSON.stringify(header)))];
  for (let at = 0; at < facts.length; at += BLOCK_FACTS) parts.push(block("F", factsBlock(facts.slice(at, at + BLOCK_FACTS), at === 0 ? words : [])));
  const end = new Bytes();
  end.varint(facts.length);
  parts.push(block("E", end.done()));
  return Buffer.concat(parts);
}

// A run of `count` facts: connections that write and sync, I/Os that overlap, a fault in every ten thousand turns.
export function longRun(count) {
  const words = ["", "run", "write k0001 c0.1.0", "ok", "read page 3", "src/engine/commit.rs:88 < src/engine/write.rs:41", "wal", "db", "done", "write-eio", "EIO", "process kill", "process kill; wal: 2 lost", "reads page 3"];
  const facts = [{ kind: 1, turn: 1, who: 0, args: [1] }];
  let turn = 0, op = 0, io = 0, seed = 12345;
  const draw = (below) => { seed = (seed * 1103515245 + 12345) % 2147483648; return Math.floor(seed / 65536) % below; };
  const flying = [], open = new Map();
  while (facts.length < count) {
    turn++;
    const connection = draw(8), who = 4 + connection;
    const others = [];
    for (let n = 0; n < 3; n++) others.push(4 + draw(8));
    if (flying.length > 3 && draw(2)) {
      const [number, owner] = flying.splice(draw(flying.length), 1)[0];
      facts.push({ kind: 2, turn, who: (1 << 20) + number, args: [0, 4, turn, 0], others });
      const struck = turn % 10_000 < 3;
      facts.push({ kind: 10, turn, who: owner, args: [number, struck ? 9 : 0, struck ? 0 : 1, 4096, struck ? 10 : 8] });
      continue;
    }
    facts.push({ kind: 2, turn, who, args: [draw(5) === 0 ? 13 : 0, 4, turn, 0], others });
    if (!open.has(who)) { open.set(who, op); facts.push({ kind: 4, turn, who, args: [op, Math.floor(op / 4) + 1, 2, op % 100] }); op++; }
    else if (draw(4) === 0) { facts.push({ kind: 5, turn, who, args: [open.get(who), 0, 3, 0] }); open.delete(who); continue; }
    if (draw(2)) { facts.push({ kind: 8, turn, who, args: [op, io % 5, 6 + draw(2), 4096 * draw(100), 4096, draw(3)] }); flying.push([io++, who]); }
    facts.push({ kind: 6, turn, who, args: [0, 4, 5, 1] });
  }
  return { facts, words, turns: turn };
}
