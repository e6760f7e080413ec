//! Reading: bytes from anybody to rows. Nothing is trusted; no length is believed before it is checked.

use std::io::Read as _;

use flate2::read::GzDecoder;

use super::{BLOCK_MAX, Header, MAGIC, TAG_END, TAG_FACTS, TAG_HEADER, TraceFileError, VERSION};
use crate::report::rows::{ARGS, FactRow, Kind, Rows};

/// A file that was read, as far as it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceFile {
    /// What it is of.
    pub header: Header,
    /// What it holds.
    pub rows: Rows,
    /// Why its end is missing, when it is: cut off or damaged.
    pub cut: Option<String>,
}

/// Whether these bytes begin as a trace does.
#[must_use]
pub fn is_trace(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Reads a trace file; `name` is shown in errors. A tail that is cut off or damaged is left out, and said.
///
/// # Errors
/// When it is no trace, of a later version, or damaged before the first fact.
pub fn read(name: &str, bytes: &[u8]) -> Result<TraceFile, TraceFileError> {
    let name = || name.to_string();
    let rest = bytes.strip_prefix(&MAGIC).ok_or_else(|| TraceFileError::Foreign { name: name() })?;
    let damaged = |reason: String| TraceFileError::Damaged { name: name(), reason };
    let (version, mut rest) = rest.split_first_chunk().ok_or_else(|| damaged("it ends before its version".into()))?;
    let version = u16::from_le_bytes(*version);
    if version > VERSION {
        return Err(TraceFileError::Later { name: name(), version });
    }
    if version == 0 {
        return Err(damaged("it says that its version is 0".into()));
    }
    let (tag, content) = block(&mut rest).map_err(damaged)?;
    if tag != TAG_HEADER {
        return Err(damaged("its first block is no header".into()));
    }
    let header = serde_json::from_slice(&content).map_err(|error| damaged(format!("its header: {error}")))?;
    let mut rows = Rows::default();
    let cut = loop {
        match block(&mut rest) {
            Ok((TAG_FACTS, content)) => {
                if let Err(reason) = facts(&content, &mut rows) {
                    break Some(reason);
                }
            }
            Ok((TAG_END, content)) => break end(&content, &rows),
            // What a later program of the same version may add.
            Ok(_) => {}
            Err(reason) => break Some(reason),
        }
    };
    Ok(TraceFile { header, rows, cut })
}

fn end(content: &[u8], rows: &Rows) -> Option<String> {
    let said = Bytes(content).varint();
    let there = rows.facts.len() as u64;
    (said != Some(there)).then(|| format!("its end speaks of other facts than the {there} that are there"))
}

/// Takes the next block off the bytes.
fn block(rest: &mut &[u8]) -> Result<(u8, Vec<u8>), String> {
    if rest.is_empty() {
        return Err("it is cut off: its end is missing".to_string());
    }
    let cut = || "it is cut off inside a block".to_string();
    let (head, tail) = rest.split_first_chunk::<9>().ok_or_else(cut)?;
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (length, checksum) = (number(1) as usize, number(5));
    let packed = tail.get(..length).ok_or_else(cut)?;
    if super::checksum(head[0], packed) != checksum {
        return Err("a block does not have the checksum it should have".to_string());
    }
    let mut content = Vec::new();
    let unpacked = GzDecoder::new(packed).take(BLOCK_MAX + 1).read_to_end(&mut content);
    unpacked.map_err(|error| format!("a block cannot be unpacked: {error}"))?;
    if content.len() as u64 > BLOCK_MAX {
        return Err(format!("a block is longer than {BLOCK_MAX} bytes"));
    }
    *rest = &tail[length..];
    Ok((head[0], content))
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        self.varint().map(|value| (value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    fn take(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

/// Adds a block's facts to the rows; all of them or none.
fn facts(content: &[u8], rows: &mut Rows) -> Result<(), String> {
    let mut bytes = Bytes(content);
    let short = || "a block of facts is shorter than it says".to_string();
    let count = bytes.varint().ok_or_else(short)?;
    let new_words = bytes.varint().ok_or_else(short)?;
    if count > content.len() as u64 || new_words > content.len() as u64 {
        return Err(short());
    }
    let mut words = Vec::new();
    for _ in 0..new_words {
        let word = bytes.take().ok_or_else(short)?;
        words.push(String::from_utf8(word.to_vec()).map_err(|_| "a word of it is not text".to_string())?);
    }
    let mut columns: Vec<Bytes<'_>> = Vec::new();
    for _ in 0..ARGS + 4 {
        columns.push(Bytes(bytes.take().ok_or_else(short)?));
    }
    let mut turn = 0u64;
    let mut facts = Vec::new();
    for _ in 0..count {
        facts.push(fact(&mut columns, &mut turn).ok_or_else(|| "a fact of it makes no sense".to_string())?);
    }
    rows.words.extend(words);
    rows.facts.extend(facts);
    Ok(())
}

fn fact(columns: &mut [Bytes<'_>], turn: &mut u64) -> Option<FactRow> {
    let (&kind, rest) = columns[0].0.split_first()?;
    columns[0].0 = rest;
    let kind = Kind::of(kind)?;
    *turn = turn.checked_add(columns[1].varint()?)?;
    let who = u32::try_from(columns[2].varint()?).ok()?;
    let mut args = [0; ARGS];
    for (place, arg) in args.iter_mut().enumerate() {
        *arg = columns[3 + place].signed()?;
    }
    let mut others = Vec::new();
    if kind == Kind::Turn {
        let column = &mut columns[ARGS + 3];
        for _ in 0..column.varint()? {
            others.push(u32::try_from(column.varint()?).ok()?);
        }
    }
    Some(FactRow { kind, turn: *turn, who, args, others })
}
