//! The model on the disks: cases 15, 16 and 18 of the table.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use squall::aio::{Buffer, Completion, CompletionError, CompletionGroup, ErrorKind};
use squall::disk::sim::{DiskConfig, SimDisk};
use squall::disk::{File, Io, OpenMode, block_on};
use squall::history::CrashKind;
use squall::tape::{Ratio, Tape};

type Heard = Arc<Mutex<Vec<Result<usize, CompletionError>>>>;

fn hears(heard: &Heard) -> Completion {
    let heard = Arc::clone(heard);
    Completion::new_write(move |outcome| {
        heard.lock().push(outcome.clone());
        outcome
    })
}

fn sim() -> (SimDisk, Arc<dyn Io>, Arc<dyn File>) {
    let disk = SimDisk::new(DiskConfig::default(), 1);
    let io = disk.io();
    let file = io.open("a", OpenMode::Create).expect("opens");
    (disk, io, file)
}

/// A test for both disks.
fn on_both(test: impl Fn(&Arc<dyn Io>)) {
    test(&SimDisk::new(DiskConfig::default(), 1).io());
    #[cfg(unix)]
    {
        let directory = tempfile::tempdir().expect("room for a directory");
        test(&squall::disk::real::RealIo::new(directory.path()));
    }
}

// Case 15; the real disk's part is beside `write_parts` in `src/disk/real/file.rs`.
#[test]
fn a_vectored_write_that_the_disk_fails_fails_and_says_how_many_bytes_were_written_before() {
    let mut seen = Vec::new();
    for seed in 0..64 {
        let config = DiskConfig { write_eio: Ratio::new(1, 1), ..DiskConfig::default() };
        let disk = SimDisk::new(config, seed);
        let file = disk.io().open("a", OpenMode::Create).expect("opens");
        disk.set_faults(true);
        let parts = [b'x', b'y', b'z'].map(|byte| Buffer::from(vec![byte; 512]));
        let write = file.pwritev(0, parts.to_vec(), Completion::write());
        let (mut tape, mut submitted) = (Tape::seeded(seed), Vec::new());
        disk.take_submitted(&mut tape, &mut submitted);
        match disk.turn(submitted[0].id, &mut tape) {
            squall::disk::sim::IoTurn::Finished(finish) => finish.run(),
            squall::disk::sim::IoTurn::Applied => panic!("no split was asked for"),
        }
        let Some(Err(CompletionError::Io(error))) = write.result() else { panic!("it fails: {write:?}") };
        assert_eq!((error.kind, error.len), (ErrorKind::Io, 1536));
        assert_eq!(file.size(), Ok(error.done), "what is reported is what was written");
        seen.push(error.done);
    }
    // Each of the four answers has odds of one in four; 64 draws miss one with odds of 4 in 10^8.
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [0, 512, 1024, 1536]);
}

// Case 16.
#[test]
fn what_a_crash_drops_fails_with_aborted_and_its_callback_has_run_exactly_once() {
    let (disk, io, file) = sim();
    let (heard, heard_by_group) = (Heard::default(), Heard::default());
    let write = file.pwrite(0, b"lost".as_slice().into(), hears(&heard));
    let done = file.pwrite(9, b"x".as_slice().into(), Completion::write());
    let log = Arc::clone(&heard_by_group);
    let mut group = CompletionGroup::new(move |outcome| {
        log.lock().push(outcome.clone());
        outcome
    });
    group.add(&write);
    group.add(&done);
    let group = group.build();
    let caught = disk.freeze();
    assert_eq!(caught.len(), 2);
    assert!(heard.lock().is_empty(), "to abort them is the caller's part");
    caught.iter().for_each(Completion::abort);
    disk.crash(CrashKind::Power, &mut Tape::seeded(1));
    write.complete(4);
    drop((caught, write, done, file, io));
    assert_eq!(*heard.lock(), [Err(CompletionError::Aborted)]);
    assert_eq!(*heard_by_group.lock(), [Err(CompletionError::Aborted)]);
    assert_eq!(group.result(), Some(Err(CompletionError::Aborted)));
}

#[test]
fn a_callback_that_submits_while_its_disk_dies_is_refused_with_aborted_and_without_effect() {
    let (disk, _io, file) = sim();
    let (again, answer) = (Arc::clone(&file), Heard::default());
    let log = Arc::clone(&answer);
    let write = file.pwrite(
        0,
        b"first".as_slice().into(),
        Completion::new_write(move |outcome| {
            let second = again.pwrite(0, b"second".as_slice().into(), Completion::write());
            log.lock().extend(second.result());
            outcome
        }),
    );
    disk.freeze().iter().for_each(Completion::abort);
    disk.crash(CrashKind::Kill, &mut Tape::seeded(1));
    assert!(write.failed());
    assert_eq!(*answer.lock(), [Err(CompletionError::Aborted)]);
    // The first was in flight when the process was killed, so it may have taken effect; the second may not.
    let content = disk.content();
    assert!(content.iter().all(|(_, bytes)| bytes.is_empty() || bytes == b"first"), "{content:?}");
}

// Case 18.
#[test]
fn an_engine_that_steps_io_from_inside_a_call_makes_progress_for_everybody() {
    on_both(|io| {
        let file = io.open("a", OpenMode::Create).expect("opens");
        let others = file.pwrite(0, b"others".as_slice().into(), Completion::write());
        // Somebody opens, and blocks until its own read has come.
        let read = file.pread(0, Completion::read(Buffer::zeroed(9)));
        while !read.finished() {
            io.step().expect("something is in flight");
        }
        assert!(others.succeeded());
        assert_eq!(read.result(), Some(Ok(6)));
    });
}

#[test]
fn io_is_stepped_from_inside_a_callback_without_a_deadlock() {
    on_both(|io| {
        let file = io.open("a", OpenMode::Create).expect("opens");
        let (inner, handle, ran) = (Arc::clone(io), Arc::clone(&file), Arc::new(AtomicBool::new(false)));
        let flag = Arc::clone(&ran);
        let outer = file.pwrite(
            0,
            b"outer".as_slice().into(),
            Completion::new_write(move |outcome| {
                let sync = handle.sync(Completion::sync());
                while !sync.finished() {
                    inner.step().expect("the sync is in flight");
                }
                flag.store(true, Ordering::Relaxed);
                outcome
            }),
        );
        let bytes = block_on(&**io, || outer.wait());
        assert_eq!(bytes, Ok(5));
        assert!(ran.load(Ordering::Relaxed));
    });
}

#[test]
fn to_step_with_nothing_in_flight_is_an_error_and_no_endless_wait() {
    on_both(|io| assert_eq!(io.step(), Err(CompletionError::Rejected("nothing is in flight"))));
}
