//! The real disk: what it does with a directory, and what it refuses.

use std::fs;
use std::sync::Arc;

use parking_lot::Mutex;
use squall::aio::{Buffer, Completion, CompletionError, ErrorKind, IOResult, IoError, IoKind};
use squall::disk::real::RealIo;
use squall::disk::{Io, OpenMode, block_on};
use squall::io_yield_one;
use tempfile::TempDir;

fn disk() -> (TempDir, Arc<dyn Io>) {
    let directory = tempfile::tempdir().expect("room for a directory");
    let io = RealIo::new(directory.path());
    (directory, io)
}

fn wait(io: &dyn Io, completion: &Completion) -> Result<usize, CompletionError> {
    block_on(io, || completion.wait())
}

fn bytes(text: &str) -> Buffer {
    Buffer::from(text.as_bytes())
}

#[track_caller]
fn io_error(error: CompletionError) -> IoError {
    match error {
        CompletionError::Io(error) => error,
        other => panic!("an error of the disk, not {other:?}"),
    }
}

#[test]
fn operations_take_effect_at_a_step_each_in_the_order_of_submission() {
    let (directory, io) = disk();
    let file = io.open("a", OpenMode::Create).expect("opens");
    let content = || fs::read_to_string(directory.path().join("a")).expect("text");
    let all = [
        file.pwrite(0, bytes("hello"), Completion::write()),
        file.pwritev(3, vec![bytes("p!"), bytes(" me")], Completion::write()),
        file.truncate(4, Completion::truncate()),
        file.sync(Completion::sync()),
    ];
    assert_eq!(content(), "");
    for (n, after) in ["hello", "help! me", "help", "help"].into_iter().enumerate() {
        assert!(!all[n].finished());
        io.step().expect("there is work");
        assert!(all[n].succeeded());
        assert_eq!(content(), after);
    }
}

#[test]
fn a_read_at_the_end_of_the_file_is_short() {
    let (_directory, io) = disk();
    let file = io.open("a", OpenMode::Create).expect("opens");
    wait(&*io, &file.pwrite(0, bytes("hello"), Completion::write())).expect("writes");
    let read = file.pread(3, Completion::read(Buffer::zeroed(4)));
    assert_eq!(wait(&*io, &read), Ok(2));
    assert_eq!(read.buffer().map(Buffer::to_vec), Some(b"lo\0\0".to_vec()));
    assert_eq!(wait(&*io, &file.pread(9, Completion::read(Buffer::zeroed(4)))), Ok(0));
}

#[test]
fn no_path_leads_out_of_the_directory() {
    let (outer, _) = disk();
    fs::write(outer.path().join("secret"), "s").expect("writes");
    let io = RealIo::new(outer.path().join("disk"));
    let absolute = outer.path().join("secret");
    for path in ["../secret", "a/../../secret", "a//b", "./a", "a/.", "", absolute.to_str().expect("text"), "a\0b"] {
        let refused = |error| {
            let error = io_error(error);
            assert_eq!((error.kind, &*error.path, error.os), (ErrorKind::BadPath, path, None));
        };
        for mode in [OpenMode::Existing, OpenMode::Create, OpenMode::CreateNew] {
            refused(io.open(path, mode).map(|_| ()).expect_err(path));
        }
        refused(io.exists(path).expect_err(path));
        refused(io.remove(path, Completion::truncate()).get_error().expect(path));
        refused(io.rename(path, "b", Completion::truncate()).get_error().expect(path));
        let to = io_error(io.rename("b", path, Completion::truncate()).get_error().expect(path));
        assert_eq!(to.kind, ErrorKind::BadPath);
        if !path.is_empty() {
            refused(io.list(path).expect_err(path));
            refused(io.sync_directory(path, Completion::sync()).get_error().expect(path));
        }
    }
    assert_eq!(fs::read_dir(outer.path()).expect("is there").count(), 1, "nothing was made");
    let error = io.open("../secret", OpenMode::Create).map(|_| ()).expect_err("refused");
    assert_eq!(error.to_string(), "directory entry ../secret: a path is relative, without empty, `.` and `..` parts");
}

#[test]
fn the_way_a_file_is_opened_decides_whether_it_must_be_there() {
    let (_directory, io) = disk();
    let kind = |mode| io.open("d/a", mode).map(|_| ()).map_err(|error| io_error(error).kind);
    assert_eq!(kind(OpenMode::Existing), Err(ErrorKind::NotFound));
    assert_eq!(kind(OpenMode::CreateNew), Ok(()));
    assert_eq!(kind(OpenMode::CreateNew), Err(ErrorKind::AlreadyExists));
    assert_eq!(kind(OpenMode::Create), Ok(()));
    assert_eq!(kind(OpenMode::Existing), Ok(()));
    wait(&*io, &io.open("d/a", OpenMode::Existing).expect("opens").pwrite(0, bytes("kept"), Completion::write()))
        .expect("writes");
    for mode in [OpenMode::Existing, OpenMode::Create] {
        assert_eq!(io.open("d/a", mode).expect("opens").size(), Ok(4), "opening changes nothing");
    }
    let missing = io_error(io.open("x", OpenMode::Existing).map(|_| ()).expect_err("not there"));
    assert_eq!((missing.operation, &*missing.path, missing.os), (IoKind::Directory, "x", Some(2)));
}

#[test]
fn a_rename_replaces_at_once_and_open_handles_go_on_working() {
    let (directory, io) = disk();
    let (a, b) = (io.open("a", OpenMode::Create).expect("opens"), io.open("d/b", OpenMode::Create).expect("opens"));
    wait(&*io, &a.pwrite(0, bytes("from a"), Completion::write())).expect("writes");
    wait(&*io, &b.pwrite(0, bytes("from b"), Completion::write())).expect("writes");
    wait(&*io, &io.rename("a", "d/b", Completion::truncate())).expect("renames");
    wait(&*io, &io.sync_directory("d", Completion::sync())).expect("syncs");
    assert_eq!(fs::read_to_string(directory.path().join("d/b")).expect("text"), "from a");
    assert_eq!((io.exists("a"), io.list(""), io.list("d")), (Ok(false), Ok(vec![]), Ok(vec!["b".into()])));
    assert_eq!(b.size(), Ok(6));
    wait(&*io, &io.remove("d/b", Completion::truncate())).expect("removes");
    assert_eq!(wait(&*io, &a.pwrite(6, bytes("!"), Completion::write())), Ok(1));
    let again = io.open("d/b", OpenMode::Create).expect("opens");
    assert_eq!(again.size(), Ok(0));
    assert!(again.id() != a.id() && again.id() != b.id(), "a new file has a number of its own");
    wait(&*io, &io.rename("d/b", "new/c", Completion::truncate())).expect("makes the directory");
    assert_eq!(io.open("new/c", OpenMode::Existing).expect("opens").id(), again.id(), "by whatever name");
}

#[test]
fn a_file_that_is_not_there_is_neither_renamed_nor_removed_and_a_directory_is_no_file() {
    let (_directory, io) = disk();
    drop(io.open("d/a", OpenMode::Create).expect("opens"));
    for path in ["x", "d"] {
        let removed = wait(&*io, &io.remove(path, Completion::truncate())).map_err(|error| io_error(error).kind);
        assert_eq!(removed, Err(ErrorKind::NotFound));
        let renamed = wait(&*io, &io.rename(path, "y", Completion::truncate())).map_err(|error| io_error(error).kind);
        assert_eq!(renamed, Err(ErrorKind::NotFound));
        assert_eq!(io.exists(path), Ok(false));
    }
    assert_eq!((io.list("d"), io.list("nowhere")), (Ok(vec!["a".into()]), Ok(vec![])));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_says_so_with_path_offset_length_and_the_systems_code() {
    let (directory, io) = disk();
    std::os::unix::fs::symlink("/dev/full", directory.path().join("full")).expect("links");
    let file = io.open("full", OpenMode::Existing).expect("opens");
    let write = file.pwritev(512, vec![bytes("ab"), bytes("cde")], Completion::write());
    let error = io_error(wait(&*io, &write).expect_err("no room"));
    let expected = IoError {
        operation: IoKind::Write,
        path: "full".into(),
        offset: 512,
        len: 5,
        done: 0,
        kind: ErrorKind::NoSpace,
        os: Some(28),
    };
    assert_eq!(error, expected);
}

#[test]
fn a_read_without_a_buffer_is_refused() {
    let (_directory, io) = disk();
    let file = io.open("a", OpenMode::Create).expect("opens");
    let read = file.pread(7, Completion::write());
    assert_eq!(io_error(read.get_error().expect("refused")).offset, 7);
}

#[test]
fn a_step_with_nothing_in_flight_is_an_error_also_inside_a_callback() {
    let (_directory, io) = disk();
    let nothing = Err(CompletionError::Rejected("nothing is in flight"));
    assert_eq!(io.step(), nothing);
    let (inner, seen) = (Arc::clone(&io), Arc::new(Mutex::new(None)));
    let slot = Arc::clone(&seen);
    let file = io.open("a", OpenMode::Create).expect("opens");
    let sync = file.sync(Completion::new_sync(move |outcome| {
        *slot.lock() = Some(inner.step());
        outcome
    }));
    assert_eq!(wait(&*io, &sync), Ok(0));
    assert_eq!(*seen.lock(), Some(nothing));
}

#[test]
fn what_is_queued_when_the_disk_is_dropped_fails_with_aborted() {
    let (directory, io) = disk();
    let file = io.open("a", OpenMode::Create).expect("opens");
    let write = file.pwrite(0, bytes("x"), Completion::write());
    let group = {
        let mut group = squall::aio::CompletionGroup::new(|outcome| outcome);
        group.add(&write);
        group.build()
    };
    drop((io, file, write));
    assert_eq!(group.result(), Some(Err(CompletionError::Aborted)));
    assert_eq!(fs::read(directory.path().join("a")).expect("is there"), b"");
}

#[test]
fn timers_finish_in_the_order_of_their_deadlines_and_not_early() {
    let (_directory, io) = disk();
    let start = io.now();
    let (late, soon) = (io.timer(2000), io.timer(1));
    assert_eq!(wait(&*io, &late), Ok(0));
    assert!(soon.finished(), "the earlier one has gone before");
    assert!(io.now() >= start + 2000);
}

#[test]
fn random_numbers_differ() {
    let (_directory, io) = disk();
    // Two equal ones have odds of one to two to the power of 64.
    assert_ne!(io.random(), io.random());
}

#[test]
fn several_threads_drive_one_disk() {
    let (_directory, io) = disk();
    let file = io.open("a", OpenMode::Create).expect("opens");
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (io, file) = (&*io, &file);
            scope.spawn(move || {
                for n in 0..100 {
                    let place = (n * 4 + thread) * 2;
                    let write = file.pwrite(place, bytes("ok"), Completion::write());
                    assert_eq!(wait(io, &write), Ok(2));
                }
            });
        }
    });
    assert_eq!(file.size(), Ok(800));
}

#[test]
fn a_step_knows_that_another_threads_work_is_over() {
    let (_directory, io) = disk();
    let file = io.open("a", OpenMode::Create).expect("opens");
    std::thread::scope(|scope| {
        scope.spawn(|| wait(&*io, &file.pwrite(0, bytes("x"), Completion::write())));
    });
    assert_eq!(io.step(), Err(CompletionError::Rejected("nothing is in flight")));
}

#[test]
fn block_on_ends_with_an_error_when_nothing_in_flight_can_finish_what_it_waits_for() {
    let (_directory, io) = disk();
    let nobodys = Completion::write();
    assert_eq!(wait(&*io, &nobodys), Err(CompletionError::Rejected("nothing is in flight")));
}

#[test]
fn block_on_lets_the_disk_work_when_a_function_only_yields() {
    let (_directory, io) = disk();
    let file = io.open("a", OpenMode::Create).expect("opens");
    let write = file.pwrite(0, bytes("x"), Completion::write());
    let bytes = block_on(&*io, || -> Result<IOResult<usize>, CompletionError> {
        match write.result() {
            None => io_yield_one!(Completion::new_yield()),
            Some(outcome) => Ok(IOResult::Done(outcome?)),
        }
    });
    assert_eq!(bytes, Ok(1));
}
