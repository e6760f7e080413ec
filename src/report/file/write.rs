//! Writing: rows to bytes. It cannot fail; who writes the bytes to a disk is somebody else.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{BLOCK_FACTS, Header, MAGIC, TAG_END, TAG_FACTS, TAG_HEADER, VERSION, checksum};
use crate::report::rows::{ARGS, FactRow, Kind, Rows};

/// The bytes of a trace file.
#[must_use]
pub fn write(header: &Header, rows: &Rows) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    let text = serde_json::to_vec(header).expect("a header is plain text and numbers");
    block(&mut bytes, TAG_HEADER, &text);
    let mut known = 0;
    for facts in rows.facts.chunks(BLOCK_FACTS) {
        let words = words_of(facts, known).min(rows.words.len());
        let new = &rows.words[known..words.max(known)];
        known = words.max(known);
        block(&mut bytes, TAG_FACTS, &facts_block(facts, new));
    }
    let mut end = Vec::new();
    varint(&mut end, rows.facts.len() as u64);
    block(&mut bytes, TAG_END, &end);
    bytes
}

/// How many words must be known to read these facts. Words are numbered as they are first used, so each
/// block needs only words that are in it or before it.
fn words_of(facts: &[FactRow], known: usize) -> usize {
    use crate::report::rows::Kind::{
        Abort, Advance, Apply, Complete, Connected, Crash, Ended, Engine, Invoke, Job, Phase, Recovered, Return, Slow,
        State, Submit, Turn, Yield,
    };
    let used = facts.iter().flat_map(|fact| {
        let places: &[usize] = match fact.kind {
            Phase | Turn | State | Ended => &[0],
            Invoke | Return | Submit => &[2],
            Yield => &[1, 2],
            Job | Crash | Engine => &[0, 1],
            Apply => &[1],
            Complete => &[1, 4],
            Connected | Abort | Advance | Recovered | Slow => &[],
        };
        places.iter().map(|&place| fact.args[place] as usize + 1)
    });
    used.max().unwrap_or(0).max(known)
}

fn facts_block(facts: &[FactRow], words: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(&mut bytes, facts.len() as u64);
    varint(&mut bytes, words.len() as u64);
    for word in words {
        varint(&mut bytes, word.len() as u64);
        bytes.extend(word.as_bytes());
    }
    column(&mut bytes, facts, |out, fact, _| out.push(fact.kind as u8));
    column(&mut bytes, facts, |out, fact, before| {
        varint(out, fact.turn - before.map_or(0, |before| before.turn));
    });
    column(&mut bytes, facts, |out, fact, _| varint(out, u64::from(fact.who)));
    for place in 0..ARGS {
        column(&mut bytes, facts, |out, fact, _| varint(out, zigzag(fact.args[place])));
    }
    column(&mut bytes, facts, |out, fact, _| {
        if fact.kind == Kind::Turn {
            varint(out, fact.others.len() as u64);
            fact.others.iter().for_each(|&other| varint(out, u64::from(other)));
        }
    });
    bytes
}

/// A column: its length in bytes, then its bytes.
fn column(bytes: &mut Vec<u8>, facts: &[FactRow], put: impl Fn(&mut Vec<u8>, &FactRow, Option<&FactRow>)) {
    let mut column = Vec::with_capacity(facts.len());
    let mut before = None;
    for fact in facts {
        put(&mut column, fact, before);
        before = Some(fact);
    }
    varint(bytes, column.len() as u64);
    bytes.extend(column);
}

fn block(bytes: &mut Vec<u8>, tag: u8, content: &[u8]) {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(content).expect("writing to memory does not fail");
    let packed = packer.finish().expect("writing to memory does not fail");
    bytes.push(tag);
    bytes.extend((packed.len() as u32).to_le_bytes());
    bytes.extend(checksum(tag, &packed).to_le_bytes());
    bytes.extend(packed);
}

pub(super) fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}
