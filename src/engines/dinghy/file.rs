//! Reads, writes and syncs that hold out against short transfers and interruptions.
//!
//! Each is a machine: `poll` it until it is done. None of them knows what the bytes mean. A write that is
//! dropped while it is in flight is remembered by its file, and no later write is submitted before it has
//! landed: otherwise the old bytes could land on top of the new ones.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::bugs::Bugs;
use crate::aio::{Buffer, Completion, CompletionError, CompletionGroup, ErrorKind, IOCompletions, IOResult};
use crate::disk::File;
use crate::{io_yield_one, return_if_io};

/// How often one transfer is tried again before its error is believed.
const RETRIES_MAX: u32 = 100;

/// A file, and the writes to it that nobody waits for any more.
pub(super) struct DataFile {
    file: Arc<dyn File>,
    bugs: Bugs,
    orphans: RefCell<Vec<Completion>>,
    /// Syncs that nobody waits for. One that fails may have cost what an earlier owner had written.
    orphan_syncs: RefCell<Vec<Completion>>,
}

impl DataFile {
    pub(super) fn new(file: Arc<dyn File>, bugs: Bugs) -> Rc<Self> {
        Rc::new(Self { file, bugs, orphans: RefCell::default(), orphan_syncs: RefCell::default() })
    }

    pub(super) fn size(&self) -> Result<u64, CompletionError> {
        self.file.size()
    }

    /// Waits until no abandoned write can land any more.
    pub(super) fn settle(&self) -> IOResult<()> {
        let mut orphans = self.orphans.borrow_mut();
        orphans.retain(|orphan| !orphan.finished());
        all_of(orphans.iter())
    }
}

impl DataFile {
    /// Waits for the syncs that were abandoned, and fails like the first that failed.
    fn settle_syncs(&self) -> Result<IOResult<()>, CompletionError> {
        return_if_io!(Ok::<_, CompletionError>(all_of(
            self.orphan_syncs.borrow().iter().filter(|sync| !sync.finished())
        )));
        let over = std::mem::take(&mut *self.orphan_syncs.borrow_mut());
        let without_effect = |error: &CompletionError| error.io_kind() == Some(ErrorKind::Interrupted);
        match over.iter().filter_map(Completion::get_error).find(|error| !without_effect(error)) {
            Some(error) => Err(error),
            None => Ok(IOResult::Done(())),
        }
    }
}

/// Waits for all of `pending`, as one group when they are many.
pub(super) fn all_of<'a>(pending: impl Iterator<Item = &'a Completion>) -> IOResult<()> {
    let mut pending = pending.peekable();
    let Some(first) = pending.next() else { return IOResult::Done(()) };
    if pending.peek().is_none() {
        return IOResult::IO(IOCompletions::Single(first.clone()));
    }
    let mut group = CompletionGroup::new(|outcome| outcome);
    group.add(first);
    pending.for_each(|completion| group.add(completion));
    IOResult::IO(IOCompletions::Single(group.build()))
}

/// Whether an error means that the same call may succeed when it is made again.
fn is_passing(error: &CompletionError, tries: &mut u32) -> bool {
    *tries += 1;
    error.io_kind() == Some(ErrorKind::Interrupted) && *tries <= RETRIES_MAX
}

/// Reads a run of bytes; fewer come back only at the end of the file.
pub(super) struct ReadExact {
    file: Rc<DataFile>,
    offset: u64,
    wanted: usize,
    collected: Vec<u8>,
    tries: u32,
    flight: Option<Completion>,
}

impl ReadExact {
    pub(super) fn new(file: &Rc<DataFile>, offset: u64, wanted: usize) -> Self {
        Self { file: Rc::clone(file), offset, wanted, collected: Vec::new(), tries: 0, flight: None }
    }

    pub(super) fn poll(&mut self) -> Result<IOResult<Vec<u8>>, CompletionError> {
        loop {
            let flight = self.flight.get_or_insert_with(|| {
                let got = self.collected.len();
                let rest = Completion::read(Buffer::zeroed(self.wanted - got));
                self.file.file.pread(self.offset + got as u64, rest)
            });
            let Some(outcome) = flight.result() else { io_yield_one!(flight.clone()) };
            match outcome {
                Ok(bytes) => {
                    let ended = bytes == 0 || self.wanted == 0;
                    self.collect(bytes);
                    // BUG short-read-taken-for-zeros: the rest is made up.
                    if self.file.bugs.short_read {
                        self.collected.resize(self.wanted, 0);
                    }
                    if ended || self.collected.len() == self.wanted {
                        return Ok(IOResult::Done(std::mem::take(&mut self.collected)));
                    }
                }
                Err(error) if is_passing(&error, &mut self.tries) => self.flight = None,
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the bytes that have come; without a copy when all came at once, which is nearly always.
    fn collect(&mut self, bytes: usize) {
        let flight = self.flight.take().expect("it has just finished");
        let mut part = flight.buffer().expect("a read has a buffer").lock();
        if self.collected.is_empty() {
            self.collected = std::mem::take(&mut *part).into_vec();
            self.collected.truncate(bytes);
        } else {
            self.collected.extend_from_slice(&part[..bytes]);
        }
    }
}

/// Writes some runs of bytes, all in flight at once, each until its last byte is written.
pub(super) struct WriteBatch {
    file: Rc<DataFile>,
    pieces: Vec<Piece>,
    failure: Option<CompletionError>,
}

struct Piece {
    offset: u64,
    buffer: Buffer,
    tries: u32,
    state: PieceState,
}

enum PieceState {
    Waiting,
    InFlight(Completion),
    Finished,
}

impl WriteBatch {
    pub(super) fn new(file: &Rc<DataFile>, runs: impl IntoIterator<Item = (u64, Buffer)>) -> Self {
        let piece = |(offset, buffer)| Piece { offset, buffer, tries: 0, state: PieceState::Waiting };
        Self { file: Rc::clone(file), pieces: runs.into_iter().map(piece).collect(), failure: None }
    }

    /// Done when all is written. Fails, with the first error, when nothing is in flight any more.
    pub(super) fn poll(&mut self) -> Result<IOResult<()>, CompletionError> {
        if self.pieces.iter().any(|piece| matches!(piece.state, PieceState::Waiting)) {
            return_if_io!(Ok::<_, CompletionError>(self.file.settle()));
        }
        for piece in &mut self.pieces {
            if let Err(error) = piece.advance(&self.file) {
                self.failure.get_or_insert(error);
            }
        }
        return_if_io!(Ok::<_, CompletionError>(all_of(self.pieces.iter().filter_map(Piece::flight))));
        self.failure.take().map_or(Ok(IOResult::Done(())), Err)
    }
}

impl Piece {
    /// Goes on until it is in flight or finished.
    fn advance(&mut self, file: &DataFile) -> Result<(), CompletionError> {
        loop {
            match &self.state {
                PieceState::Finished => return Ok(()),
                PieceState::Waiting => {
                    let completion = file.file.pwrite(self.offset, self.buffer.clone(), Completion::write());
                    self.state = PieceState::InFlight(completion);
                }
                PieceState::InFlight(flight) => match flight.result() {
                    None => return Ok(()),
                    Some(Ok(bytes)) if bytes == self.buffer.len() => self.state = PieceState::Finished,
                    // BUG short-write-not-retried: some bytes are as good as all.
                    Some(Ok(_)) if file.bugs.short_write => self.state = PieceState::Finished,
                    Some(Ok(bytes)) => self.go_on_after(bytes),
                    Some(Err(error)) if is_passing(&error, &mut self.tries) => self.state = PieceState::Waiting,
                    Some(Err(error)) => {
                        self.state = PieceState::Finished;
                        return Err(error);
                    }
                },
            }
        }
    }

    /// The write was short: what is left becomes the piece.
    fn go_on_after(&mut self, bytes: usize) {
        self.offset += bytes as u64;
        let rest = Buffer::from(&self.buffer.lock()[bytes..]);
        self.buffer = rest;
        self.state = PieceState::Waiting;
    }

    const fn flight(&self) -> Option<&Completion> {
        match &self.state {
            PieceState::InFlight(flight) => Some(flight),
            PieceState::Waiting | PieceState::Finished => None,
        }
    }
}

impl Drop for WriteBatch {
    /// What is in flight may still land; the file remembers it.
    fn drop(&mut self) {
        let in_flight = self.pieces.iter().filter_map(Piece::flight).filter(|flight| !flight.finished());
        self.file.orphans.borrow_mut().extend(in_flight.cloned());
    }
}

/// Makes a file durable.
pub(super) struct Sync {
    file: Rc<DataFile>,
    left: u32,
    tries: u32,
    flight: Option<Completion>,
}

impl Sync {
    /// One sync: enough where the next step does not destroy the only other copy.
    pub(super) fn once(file: &Rc<DataFile>) -> Self {
        Self { file: Rc::clone(file), left: 1, tries: 0, flight: None }
    }

    /// Two syncs in a row. Some systems report a failure of writing back one sync late; where an older copy
    /// is about to be given up, the second answer is the one that counts.
    pub(super) fn twice(file: &Rc<DataFile>) -> Self {
        Self { file: Rc::clone(file), left: 2, tries: 0, flight: None }
    }

    pub(super) fn poll(&mut self) -> Result<IOResult<()>, CompletionError> {
        if self.flight.is_none() {
            return_if_io!(self.file.settle_syncs());
        }
        while self.left > 0 {
            let flight = self.flight.get_or_insert_with(|| self.file.file.sync(Completion::sync()));
            let Some(outcome) = flight.result() else { io_yield_one!(flight.clone()) };
            self.flight = None;
            match outcome {
                Ok(_) => self.left -= 1,
                Err(error) if is_passing(&error, &mut self.tries) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(IOResult::Done(()))
    }
}

impl Drop for Sync {
    /// Whether it succeeds still matters; the file remembers it.
    fn drop(&mut self) {
        self.file.orphan_syncs.borrow_mut().extend(self.flight.take());
    }
}

/// Sets a file's size, in bytes.
pub(super) struct Truncate {
    file: Rc<DataFile>,
    len: u64,
    tries: u32,
    flight: Option<Completion>,
}

impl Truncate {
    pub(super) fn new(file: &Rc<DataFile>, len: u64) -> Self {
        Self { file: Rc::clone(file), len, tries: 0, flight: None }
    }

    pub(super) fn poll(&mut self) -> Result<IOResult<()>, CompletionError> {
        loop {
            return_if_io!(Ok::<_, CompletionError>(self.file.settle()));
            let flight = self.flight.get_or_insert_with(|| self.file.file.truncate(self.len, Completion::truncate()));
            let Some(outcome) = flight.result() else { io_yield_one!(flight.clone()) };
            self.flight = None;
            match outcome {
                Ok(_) => return Ok(IOResult::Done(())),
                Err(error) if is_passing(&error, &mut self.tries) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Truncate {
    fn drop(&mut self) {
        self.file.orphans.borrow_mut().extend(self.flight.take().filter(|flight| !flight.finished()));
    }
}
