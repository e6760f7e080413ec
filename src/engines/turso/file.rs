//! A file as Turso sees it. Each of its completions is finished when ours finishes.
//!
//! A write is carried to its end as Turso's own Unix layer does it: what a short write left over is written by
//! another one, and an interrupted write is tried again. Reads are reported as they come. What dies with the process
//! is never reported: a process that is dead runs no callback.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use turso_core::io::FileSyncType;
use turso_core::{Completion as TheirCompletion, CompletionError as TheirError, LimboError};

use super::errors::{refusal, theirs};
use crate::aio::{Buffer, Completion, CompletionError, ErrorKind};
use crate::disk::{File, Io};

pub(super) struct SimulatedFile {
    file: Arc<dyn File>,
    /// Where the file's name is made durable with its first sync; none when nobody does.
    directory: Option<Arc<dyn Io>>,
    named: Arc<AtomicBool>,
}

impl SimulatedFile {
    pub(super) fn new(file: Arc<dyn File>, directory: Option<Arc<dyn Io>>) -> Self {
        Self { file, directory, named: Arc::new(AtomicBool::new(false)) }
    }
}

/// Passes our answer on to Turso.
fn report(to: &TheirCompletion, what: &'static str, result: &Result<usize, CompletionError>) {
    match result {
        Ok(bytes) => to.complete(i32::try_from(*bytes).unwrap_or(i32::MAX)),
        Err(error) => {
            if let Some(error) = theirs(error, what) {
                to.error(error);
            }
        }
    }
}

impl turso_core::File for SimulatedFile {
    fn lock_file(&self, _exclusive: bool) -> Result<(), LimboError> {
        Ok(())
    }

    fn unlock_file(&self) -> Result<(), LimboError> {
        Ok(())
    }

    fn pread(&self, pos: u64, c: TheirCompletion) -> Result<TheirCompletion, LimboError> {
        let len = c.as_read().buf().len();
        if len == 0 {
            c.complete(0);
            return Ok(c);
        }
        let buffer = Buffer::zeroed(len);
        let (to, bytes) = (c.clone(), buffer.clone());
        let read = Completion::new_read(buffer, move |result| {
            if let Ok(read) = result {
                to.as_read().buf().as_mut_slice()[..read].copy_from_slice(&bytes.lock()[..read]);
            }
            report(&to, "pread", &result);
            result
        });
        let _in_flight = self.file.pread(pos, read);
        Ok(c)
    }

    fn pwrite(
        &self,
        pos: u64,
        buffer: Arc<turso_core::Buffer>,
        c: TheirCompletion,
    ) -> Result<TheirCompletion, LimboError> {
        self.pwritev(pos, vec![buffer], c)
    }

    fn pwritev(
        &self,
        pos: u64,
        buffers: Vec<Arc<turso_core::Buffer>>,
        c: TheirCompletion,
    ) -> Result<TheirCompletion, LimboError> {
        let buffers: Vec<Buffer> = buffers.iter().map(|buffer| Buffer::from(buffer.as_slice())).collect();
        let total = buffers.iter().map(Buffer::len).sum();
        if total == 0 {
            c.complete(0);
        } else {
            write(Write { file: Arc::clone(&self.file), pos, buffers, before: 0, total, to: c.clone() });
        }
        Ok(c)
    }

    fn sync(&self, c: TheirCompletion, _sync_type: FileSyncType) -> Result<TheirCompletion, LimboError> {
        let (to, named) = (c.clone(), Arc::clone(&self.named));
        let directory = self.directory.clone().filter(|_| !named.load(Ordering::Relaxed));
        let _in_flight = self.file.sync(Completion::new_sync(move |result| {
            match (&result, directory) {
                (Ok(_), Some(io)) => sync_name(&*io, named, to),
                _ => report(&to, "sync", &result),
            }
            result
        }));
        Ok(c)
    }

    fn size(&self) -> Result<u64, LimboError> {
        self.file.size().map_err(|error| refusal(&error, "metadata"))
    }

    fn truncate(&self, len: u64, c: TheirCompletion) -> Result<TheirCompletion, LimboError> {
        let to = c.clone();
        let _in_flight = self.file.truncate(
            len,
            Completion::new_truncate(move |result| {
                report(&to, "truncate", &result);
                result
            }),
        );
        Ok(c)
    }
}

/// The second half of a file's first sync in a process's life.
fn sync_name(io: &dyn Io, named: Arc<AtomicBool>, to: TheirCompletion) {
    let _in_flight = io.sync_directory(
        "",
        Completion::new_sync(move |result| {
            named.fetch_or(result.is_ok(), Ordering::Relaxed);
            report(&to, "sync", &result);
            result
        }),
    );
}

/// A write on its way, or what is left of it.
struct Write {
    file: Arc<dyn File>,
    pos: u64,
    buffers: Vec<Buffer>,
    /// Bytes written by the parts before this.
    before: usize,
    total: usize,
    to: TheirCompletion,
}

fn write(write: Write) {
    let (file, pos, buffers) = (Arc::clone(&write.file), write.pos, write.buffers.clone());
    let completion = Completion::new_write(move |result| {
        written(write, &result);
        result
    });
    let _in_flight = match <[Buffer; 1]>::try_from(buffers) {
        Ok([buffer]) => file.pwrite(pos, buffer, completion),
        Err(buffers) => file.pwritev(pos, buffers, completion),
    };
}

fn written(done: Write, result: &Result<usize, CompletionError>) {
    match result {
        Ok(0) => done.to.error(TheirError::IOError(std::io::ErrorKind::UnexpectedEof, "pwrite")),
        Ok(bytes) if done.before + bytes < done.total => write(done.rest(*bytes)),
        Ok(_) => report(&done.to, "pwrite", &Ok(done.total)),
        Err(error) if error.io_kind() == Some(ErrorKind::Interrupted) => write(done),
        Err(_) => report(&done.to, "pwrite", result),
    }
}

impl Write {
    /// What remains after `bytes` more have been written.
    fn rest(self, bytes: usize) -> Self {
        let all: Vec<u8> = self.buffers.iter().flat_map(Buffer::to_vec).collect();
        let buffers = vec![Buffer::from(&all[bytes..])];
        Self { pos: self.pos + bytes as u64, before: self.before + bytes, buffers, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use turso_core::File as _;

    use super::*;
    use crate::disk::OpenMode;
    use crate::disk::sim::{DiskConfig, IoTurn, SimDisk, Submitted};
    use crate::history::CrashKind;
    use crate::tape::{Ratio, Tape};

    /// A disk, and a file on it as Turso sees it.
    struct Scene {
        disk: SimDisk,
        tape: Tape,
        io: Arc<dyn Io>,
        file: SimulatedFile,
    }

    type Told = Arc<Mutex<Vec<Result<i32, TheirError>>>>;

    impl Scene {
        fn new(config: DiskConfig, names_durable: bool) -> Self {
            let disk = SimDisk::new(config, 1);
            let io = disk.io();
            let file = io.open("file", OpenMode::Create).expect("a new file");
            disk.set_faults(true);
            let file = SimulatedFile::new(file, names_durable.then(|| Arc::clone(&io)));
            Self { disk, tape: Tape::seeded(1), io, file }
        }

        /// Gives turns until nothing is in flight; answers how many operations it took.
        fn settle(&mut self) -> usize {
            let (mut flying, mut finished): (Vec<Submitted>, usize) = (Vec::new(), 0);
            loop {
                self.disk.take_submitted(&mut self.tape, &mut flying);
                let Some(next) = flying.first() else { return finished };
                if let IoTurn::Finished(finish) = self.disk.turn(next.id, &mut self.tape) {
                    flying.remove(0);
                    finished += 1;
                    finish.run();
                }
            }
        }

        fn write(&self, pos: u64, parts: &[&[u8]]) -> Told {
            let (c, told) = told(TheirCompletion::new_write);
            let buffers = parts.iter().map(|part| Arc::new(turso_core::Buffer::new(part.to_vec()))).collect();
            let _c = self.file.pwritev(pos, buffers, c).expect("submitted");
            told
        }

        fn sync(&self) -> Told {
            let (c, told) = told(TheirCompletion::new_sync);
            let _c = self.file.sync(c, FileSyncType::Fsync).expect("submitted");
            told
        }

        fn read(&mut self, pos: u64, len: usize) -> Vec<u8> {
            let buffer = Arc::new(turso_core::Buffer::new(vec![0; len]));
            let c = TheirCompletion::new_read(Arc::clone(&buffer), |_| None);
            let _c = self.file.pread(pos, c).expect("submitted");
            self.settle();
            buffer.as_slice().to_vec()
        }
    }

    type Callback = Box<dyn Fn(Result<i32, TheirError>) + Send + Sync>;

    fn told(make: fn(Callback) -> TheirCompletion) -> (TheirCompletion, Told) {
        let told = Told::default();
        let to = Arc::clone(&told);
        (make(Box::new(move |result| to.lock().unwrap().push(result))), told)
    }

    #[track_caller]
    fn check(told: &Told, expected: &[Result<i32, TheirError>]) {
        assert_eq!(*told.lock().unwrap(), expected);
    }

    #[test]
    fn a_write_of_several_parts_is_carried_to_its_end_and_reported_once() {
        let half = Ratio::new(1, 2);
        let rough = DiskConfig { write_short: half, interrupted: half, ..DiskConfig::default() };
        let mut scene = Scene::new(rough, false);
        let (one, two) = (vec![1; 700], vec![2; 900]);
        let told = scene.write(100, &[&one, &two]);
        assert!(scene.settle() > 1, "the disk was to take less than all of it");
        check(&told, &[Ok(1600)]);
        scene.disk.set_faults(false);
        assert_eq!(scene.read(100, 1600), [one, two].concat());
    }

    #[test]
    fn a_write_that_fails_is_reported_once_with_the_systems_kind_of_error() {
        let full = DiskConfig { no_space: Ratio::new(1, 1), ..DiskConfig::default() };
        let mut scene = Scene::new(full, false);
        let told = scene.write(0, &[&[1; 10], &[2; 10]]);
        scene.settle();
        check(&told, &[Err(TheirError::IOError(std::io::ErrorKind::StorageFull, "pwrite"))]);
    }

    #[test]
    fn the_first_sync_makes_the_name_durable_only_when_asked_to() {
        for (names_durable, operations) in [(true, 2), (false, 1)] {
            let mut scene = Scene::new(DiskConfig::default(), names_durable);
            let first = scene.sync();
            assert_eq!(scene.settle(), operations);
            check(&first, &[Ok(0)]);
            scene.sync();
            assert_eq!(scene.settle(), 1, "the name is durable already, or nobody cares");
        }
    }

    #[test]
    fn what_dies_with_the_process_is_not_reported() {
        let mut scene = Scene::new(DiskConfig::default(), false);
        let told = scene.write(0, &[&[1; 10]]);
        scene.disk.freeze().iter().for_each(Completion::abort);
        scene.disk.crash(CrashKind::Kill, &mut scene.tape);
        check(&told, &[]);
        assert!(scene.io.exists("file").is_err(), "the disk of a dead process answers nothing");
    }
}
