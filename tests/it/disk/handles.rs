//! The face of the disk: identities, turns, epochs, time, snapshots, and what misuse answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use squall::aio::{Buffer, Completion, CompletionError};
use squall::disk::sim::{DiskConfig, DiskConfigError, FaultClasses, IoTurn, Pump, SimDisk, Submitted};
use squall::disk::{File, Io, OpenMode};
use squall::history::CrashKind;
use squall::tape::{Decisions, Draws, ENGINE, Odometer, Ratio, Tape};

fn calm() -> Tape {
    Tape::recorded(1, Decisions::default())
}

fn disk() -> (SimDisk, Arc<dyn Io>, Arc<dyn File>) {
    with(DiskConfig::default())
}

fn with(config: DiskConfig) -> (SimDisk, Arc<dyn Io>, Arc<dyn File>) {
    let disk = SimDisk::new(config, 1);
    let io = disk.io();
    let file = io.open("a", OpenMode::Create).unwrap();
    (disk, io, file)
}

fn submitted(disk: &SimDisk) -> Vec<Submitted> {
    let mut all = vec![];
    disk.take_submitted(&mut calm(), &mut all);
    all
}

/// Gives everything in flight its turns, in order.
fn land(disk: &SimDisk) {
    for submitted in submitted(disk) {
        if let IoTurn::Finished(finish) = disk.turn(submitted.id, &mut calm()) {
            finish.run();
        }
    }
}

fn write(file: &Arc<dyn File>, text: &str) -> Completion {
    file.pwrite(0, Buffer::from(text.as_bytes()), Completion::write())
}

fn text(disk: &SimDisk) -> String {
    let files = disk.content().into_iter();
    files
        .map(|(path, bytes)| format!("{path}={} ", String::from_utf8(bytes).unwrap()))
        .collect::<String>()
        .trim_end()
        .into()
}

#[test]
fn a_submission_says_who_and_what() {
    let (disk, io, file) = disk();
    let seen = |disk: &SimDisk| -> Vec<String> {
        submitted(disk).iter().map(|s| format!("{}: {} ({})", s.actor, s.resource, s.kind)).collect()
    };
    assert!(!disk.has_submitted());
    disk.set_issuer(2, 7);
    file.pread(5, Completion::read(Buffer::zeroed(10)));
    assert!(disk.has_submitted());
    disk.set_issuer(ENGINE, 0);
    file.sync(Completion::sync());
    // A callback may submit for an operation that is over; its count goes on.
    disk.set_issuer(2, 8);
    write(&file, "x");
    disk.set_issuer(2, 7);
    io.rename("a", "d/b", Completion::truncate());
    io.sync_directory("d", Completion::sync());
    assert_eq!((disk.in_flight(), disk.changes_in_flight()), (5, 4));
    let seen = seen(&disk);
    assert_eq!(
        seen[..3],
        [
            "c2/op7/io0: read file 0 5..15 (read)",
            "engine/op0/io0: sync file 0 from 0 (sync)",
            "c2/op8/io0: write file 0 0..1 (write)"
        ]
    );
    assert!(seen[3].starts_with("c2/op7/io1: write directory "), "{}", seen[3]);
    assert!(seen[4].starts_with("c2/op7/io2: write directory "), "{}", seen[4]);
    assert!(!disk.has_submitted());
}

#[test]
fn the_bytes_are_taken_when_the_write_is_applied() {
    let (disk, _io, file) = disk();
    let buffer = Buffer::from(&b"old"[..]);
    file.pwrite(0, buffer.clone(), Completion::write());
    buffer.lock().copy_from_slice(b"new");
    land(&disk);
    assert_eq!(text(&disk), "a=new");
}

#[test]
fn the_parts_of_a_vectored_write_lie_one_after_the_other() {
    let (disk, _io, file) = disk();
    let parts = ["one", "", "two"].map(|part| Buffer::from(part.as_bytes()));
    let completion = file.pwritev(1, parts.to_vec(), Completion::write());
    land(&disk);
    assert_eq!((text(&disk).as_str(), completion.result()), ("a=\0onetwo", Some(Ok(6))));
}

#[test]
fn a_callback_may_use_the_disk() {
    let (disk, io, file) = disk();
    let again = Arc::clone(&file);
    file.sync(Completion::new_sync(move |outcome| {
        let _ = io.open("b", OpenMode::Create).unwrap();
        write(&again, "from a callback");
        outcome
    }));
    land(&disk);
    land(&disk);
    assert_eq!(text(&disk), "a=from a callback b=");
}

#[test]
fn a_split_operation_has_its_effect_before_it_reports() {
    let (disk, _io, file) = with(DiskConfig { split: Ratio::ONE, ..DiskConfig::default() });
    let completion = write(&file, "x");
    let id = submitted(&disk)[0].id;
    let mut tape = Tape::seeded(1);
    assert!(matches!(disk.turn(id, &mut tape), IoTurn::Applied));
    assert_eq!((text(&disk).as_str(), completion.finished(), disk.in_flight()), ("a=x", false, 1));
    let IoTurn::Finished(finish) = disk.turn(id, &mut tape) else { panic!("it is to be reported now") };
    finish.run();
    assert_eq!((completion.result(), disk.in_flight(), disk.changes_in_flight()), (Some(Ok(1)), 0, 0));
}

#[test]
fn what_was_in_flight_is_returned_oldest_first_and_later_submissions_are_refused() {
    let (disk, io, file) = disk();
    let order: Arc<Mutex<Vec<u32>>> = Arc::default();
    let noting = |n| {
        let order = Arc::clone(&order);
        Completion::new_sync(move |outcome| {
            order.lock().push(n);
            assert_eq!(outcome, Err(CompletionError::Aborted));
            outcome
        })
    };
    let timer = io.timer(5);
    let waiting: Vec<Completion> = (0..3).map(|n| file.sync(noting(n))).collect();
    write(&file, "x");
    assert_eq!((disk.in_flight(), disk.changes_in_flight()), (4, 4));
    disk.freeze().iter().for_each(Completion::abort);
    assert_eq!(*order.lock(), [0, 1, 2]);
    assert!(timer.failed() && waiting.iter().all(Completion::failed));
    assert!(!disk.has_submitted() && disk.next_deadline().is_none());
    assert_eq!((disk.in_flight(), disk.changes_in_flight()), (0, 0));
    let dead = |io: &Arc<dyn Io>, file: &Arc<dyn File>| {
        assert_eq!(write(file, "x").get_error(), Some(CompletionError::Aborted));
        assert_eq!(io.timer(1).get_error(), Some(CompletionError::Aborted));
        assert_eq!(io.exists("a"), Err(CompletionError::Aborted));
        assert_eq!(io.list(""), Err(CompletionError::Aborted));
        assert_eq!(io.step(), Err(CompletionError::Aborted));
        assert_eq!(io.open("b", OpenMode::Create).err(), Some(CompletionError::Aborted));
        assert_eq!(file.size(), Err(CompletionError::Aborted));
    };
    dead(&io, &file);
    disk.crash(CrashKind::Kill, &mut calm());
    dead(&io, &file);
    assert_eq!(disk.io().list("").unwrap(), ["a"]);
    assert_eq!(text(&disk), "a=");
}

#[test]
fn a_process_that_ends_has_had_each_of_its_changes_or_not_and_leaves_those_of_others() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let (disk, _, file) = disk();
        disk.set_issuer(3, 0);
        let own = [write(&file, "a"), file.pwrite(1, Buffer::from(&b"b"[..]), Completion::write())];
        let read = file.pread(0, Completion::read(Buffer::zeroed(1)));
        disk.set_issuer(4, 0);
        let other = file.pwrite(2, Buffer::from(&b"c"[..]), Completion::write());
        let submitted = submitted(&disk);
        let ended = disk.end_process(3, &mut Tape::seeded(seed));
        let actors: Vec<_> = ended.iter().map(|(actor, _)| *actor).collect();
        assert_eq!(actors, submitted[..3].iter().map(|io| io.actor).collect::<Vec<_>>());
        assert!(own.iter().chain([&read, &other]).all(|completion| !completion.finished()), "the caller aborts them");
        assert_eq!((disk.in_flight(), disk.changes_in_flight()), (1, 1));
        seen.insert(text(&disk));
        if let IoTurn::Finished(finish) = disk.turn(submitted[3].id, &mut calm()) {
            finish.run();
        }
        assert_eq!(other.result(), Some(Ok(1)));
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn misuse_is_an_error_that_says_what_and_where() {
    let (disk, io, file) = disk();
    let error = |completion: Completion| {
        land(&disk);
        completion.get_error().unwrap().to_string()
    };
    let open = |path, mode| io.open(path, mode).err().unwrap().to_string();
    assert_eq!(open("b", OpenMode::Existing), "directory entry b: ENOENT");
    assert_eq!(open("a", OpenMode::CreateNew), "directory entry a: EEXIST");
    assert_eq!(
        open("../a", OpenMode::Create),
        "directory entry ../a: a path is relative, without empty, `.` and `..` parts"
    );
    assert_eq!(open("", OpenMode::Create), "directory entry : a path is relative, without empty, `.` and `..` parts");
    assert_eq!(error(io.remove("b", Completion::truncate())), "directory entry b: ENOENT");
    assert_eq!(error(io.rename("b", "c", Completion::truncate())), "directory entry b: ENOENT");
    assert_eq!(error(file.pread(0, Completion::write())), "read of a at 0, 0 bytes: EOTHER");
    assert_eq!(
        error(file.truncate(u64::MAX, Completion::truncate())),
        format!("truncate of a to {} bytes: EOTHER", u64::MAX)
    );
    let far = file.pwrite(u64::MAX, Buffer::zeroed(1), Completion::write());
    assert_eq!(error(far), format!("write of a at {}, 1 bytes: EOTHER", u64::MAX));
    let beyond = file.pread(7, Completion::read(Buffer::zeroed(3)));
    land(&disk);
    assert_eq!(beyond.result(), Some(Ok(0)));
}

#[test]
fn names_are_listed_by_directory() {
    let (_disk, io, _file) = disk();
    for path in ["d/b", "d/a", "d/e/c", "dd"] {
        io.open(path, OpenMode::Create).unwrap();
    }
    assert_eq!(io.list("").unwrap(), ["a", "dd"]);
    assert_eq!(io.list("d").unwrap(), ["a", "b"]);
    assert_eq!(io.list("d/e").unwrap(), ["c"]);
    assert_eq!(io.list("x").unwrap(), [""; 0]);
    assert!(io.exists("d/e/c").unwrap() && !io.exists("d/e").unwrap());
}

#[test]
fn timers_come_due_in_order_and_a_slow_operation_has_a_deadline() {
    let (disk, io, file) = with(DiskConfig { slow: Ratio::ONE, ..DiskConfig::default() });
    let (late, soon) = (io.timer(20), io.timer(10));
    assert_eq!(disk.next_deadline(), Some(10));
    disk.tick(15);
    assert_eq!((disk.now(), disk.next_deadline()), (15, Some(15)));
    let due = disk.take_due();
    due.iter().for_each(|timer| timer.complete(0));
    assert_eq!((due.len(), soon.finished(), late.finished()), (1, true, false));
    file.sync(Completion::sync());
    let mut all = vec![];
    disk.take_submitted(&mut Tape::seeded(1), &mut all);
    assert_eq!((all[0].ready_at, disk.next_deadline()), (115, Some(20)));
    disk.tick(5);
    assert_eq!(disk.take_due().len(), 1);
    assert_eq!(disk.next_deadline(), Some(115));
    disk.tick(95);
    assert_eq!(disk.next_deadline(), None);
}

#[test]
fn a_clock_that_jumps_moves_no_deadline() {
    let config = DiskConfig { clock_jump: Ratio::ONE, clock_jump_ticks_max: 2, ..DiskConfig::default() };
    let mut seen = vec![];
    let mut odometer = Odometer::new(None);
    loop {
        let (disk, io, file) = with(config.clone());
        disk.tick(10);
        let _timer = io.timer(5);
        file.sync(Completion::sync());
        let mut tape = Tape::exhaustive(1, odometer);
        let mut all = vec![];
        disk.take_submitted(&mut tape, &mut all);
        let IoTurn::Finished(finish) = disk.turn(all[0].id, &mut tape) else { panic!("it is not split") };
        finish.run();
        assert_eq!((disk.now(), disk.next_deadline()), (10, Some(15)));
        seen.push(io.now());
        odometer = tape.into_odometer().unwrap();
        if !odometer.advance() {
            break;
        }
    }
    assert_eq!(seen, [10, 11, 9, 12, 8]);
}

#[test]
fn without_a_simulation_the_disk_serves_itself_in_order() {
    let (disk, io, file) = with(DiskConfig { read_eio: Ratio::ONE, ..DiskConfig::default() });
    let first = write(&file, "first");
    let second = write(&file, "2nd");
    let read = file.pread(0, Completion::read(Buffer::zeroed(5)));
    let timer = io.timer(100);
    io.step().unwrap();
    assert_eq!((first.finished(), second.finished()), (true, false));
    (0..3).for_each(|_| io.step().unwrap());
    assert!(read.succeeded() && timer.succeeded());
    assert_eq!((io.now(), text(&disk).as_str()), (100, "a=2ndst"));
    assert_eq!(io.step(), Err(CompletionError::Rejected("nothing is in flight")));
    assert!(!disk.has_submitted());
}

struct Counting(AtomicU32);

impl Pump for Counting {
    fn pump(&self) -> Result<(), CompletionError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn a_step_asks_the_pump() {
    let (disk, io, file) = disk();
    let pump = Arc::new(Counting(AtomicU32::new(0)));
    disk.set_pump(Some(Arc::clone(&pump) as Arc<dyn Pump>));
    let waiting = file.sync(Completion::sync());
    io.step().unwrap();
    io.step().unwrap();
    assert_eq!((pump.0.load(Ordering::Relaxed), waiting.finished()), (2, false));
    disk.set_pump(None);
    io.step().unwrap();
    assert!(waiting.finished());
}

#[test]
fn a_snapshot_is_a_crash_image_that_leaves_the_disk_alone() {
    let (main, io, file) = disk();
    write(&file, "synced");
    file.sync(Completion::sync());
    io.sync_directory("", Completion::sync());
    land(&main);
    let buffer = Buffer::from(&b"flying"[..]);
    let flying = file.pwrite(0, buffer.clone(), Completion::write());
    let snapshot = main.snapshot();
    buffer.lock().copy_from_slice(b"change");
    let mut images = std::collections::BTreeSet::new();
    let mut odometer = Odometer::new(None);
    loop {
        let side = SimDisk::new(DiskConfig::default(), 1);
        side.restore(&snapshot);
        let mut tape = Tape::exhaustive(1, odometer);
        side.crash(CrashKind::Kill, &mut tape);
        images.insert(text(&side));
        odometer = tape.into_odometer().unwrap();
        if !odometer.advance() {
            break;
        }
    }
    assert_eq!(images.into_iter().collect::<Vec<_>>(), ["a=flying", "a=synced"]);
    assert!(!flying.finished());
    land(&main);
    assert_eq!((flying.result(), text(&main).as_str()), (Some(Ok(6)), "a=change"));
    // Restored in place, the handles given out before are dead, and what flew at the snapshot is forgotten.
    main.restore(&snapshot);
    assert_eq!(text(&main), "a=synced");
    assert_eq!(file.size(), Err(CompletionError::Aborted));
    let file = main.io().open("a", OpenMode::Existing).unwrap();
    file.sync(Completion::sync());
    land(&main);
    main.crash(CrashKind::Kill, &mut Tape::seeded(4));
    assert_eq!(text(&main), "a=synced");
}

#[test]
fn a_page_in_memory_that_is_used_again_shows_nothing_of_its_past() {
    let (disk, _io, file) = disk();
    let mut snapshots = vec![];
    for round in 0..20u8 {
        for page in 0..3 {
            file.pwrite(page * 4096, Buffer::from(vec![round; 4096]), Completion::write());
        }
        file.sync(Completion::sync());
        land(&disk);
        snapshots.extend((round % 5 == 0).then(|| (round, disk.snapshot())));
        assert_eq!(disk.content()[0].1, vec![round; 3 * 4096]);
    }
    for (round, snapshot) in snapshots {
        disk.restore(&snapshot);
        disk.crash(CrashKind::Power, &mut calm());
        disk.restore(&snapshot);
        assert_eq!(disk.content()[0].1, vec![round; 3 * 4096]);
    }
}

#[test]
fn a_file_without_a_name_lives_as_long_as_it_is_open() {
    let (disk, io, file) = disk();
    write(&file, "x");
    io.remove("a", Completion::truncate());
    let read = file.pread(0, Completion::read(Buffer::zeroed(1)));
    land(&disk);
    io.sync_directory("", Completion::sync());
    land(&disk);
    assert_eq!((read.result(), file.size(), text(&disk).as_str()), (Some(Ok(1)), Ok(1), ""));
    // The name can be used again, by another file.
    let other = io.open("a", OpenMode::CreateNew).unwrap();
    assert_eq!((other.size(), other.id() == file.id()), (Ok(0), false));
}

#[test]
fn old_writes_become_durable_by_themselves() {
    let (disk, io, file) = with(DiskConfig { unsynced_writes_max: 4, ..DiskConfig::default() });
    io.sync_directory("", Completion::sync());
    for place in 0..5 {
        file.pwrite(place, Buffer::from(&b"x"[..]), Completion::write());
    }
    land(&disk);
    disk.crash(CrashKind::Os, &mut calm());
    assert_eq!(text(&disk), "a=xxx");
}

#[test]
fn old_changes_of_names_become_durable_by_themselves() {
    let (disk, io, _file) = disk();
    for n in 0..256 {
        io.open(&format!("{n:03}"), OpenMode::CreateNew).unwrap();
    }
    disk.crash(CrashKind::Os, &mut calm());
    let names = disk.io().list("").unwrap();
    assert_eq!((names.len(), names[0].as_str(), names[127].as_str()), (128, "000", "a"));
}

#[test]
fn random_numbers_depend_on_the_seed_and_the_place_alone() {
    let drawn = |seed, places: &[(u16, u32)]| -> Vec<u64> {
        let disk = SimDisk::new(DiskConfig::default(), seed);
        let io = disk.io();
        let draw = |&(connection, op)| {
            disk.set_issuer(connection, op);
            io.random()
        };
        places.iter().map(draw).collect()
    };
    let first = drawn(1, &[(0, 0), (0, 0), (1, 0)]);
    assert_eq!(drawn(1, &[(1, 0), (0, 0), (0, 0)]), [first[2], first[0], first[1]]);
    assert_ne!(drawn(2, &[(0, 0)])[0], first[0]);
    assert_ne!(first[0], first[1]);
}

#[test]
fn the_disk_counts_what_it_does() {
    let (disk, _io, file) = disk();
    file.pwrite(0, Buffer::zeroed(5000), Completion::write());
    file.pread(4000, Completion::read(Buffer::zeroed(4000)));
    file.sync(Completion::sync());
    land(&disk);
    let stats = disk.stats();
    assert_eq!((stats.writes, stats.reads, stats.syncs), (1, 1, 1));
    assert_eq!((stats.bytes_written, stats.bytes_read, stats.pages_touched), (5000, 1000, 2));
    assert!(stats.faults.is_empty());
    assert_eq!(disk.file_name(file.id()).as_deref(), Some("a"));
}

#[test]
fn a_fault_model_that_contradicts_itself_is_refused_by_key() {
    let check = |config: DiskConfig, key: Option<&'static str>| {
        assert_eq!(config.check().map_err(|DiskConfigError { key, .. }| key).err(), key);
    };
    let calm = DiskConfig::default;
    check(calm(), None);
    check(DiskConfig { capacity_bytes: Some(4095), ..calm() }, Some("capacity-bytes"));
    check(DiskConfig { slow: Ratio::ONE, slow_ticks: 0, ..calm() }, Some("slow-ticks"));
    check(DiskConfig { media_rate: Ratio::ONE, ..calm() }, Some("media"));
    check(DiskConfig { media: squall::disk::sim::MediaFault::ALL.to_vec(), ..calm() }, Some("media-rate"));
    check(DiskConfig { clock_jump: Ratio::ONE, clock_jump_ticks_max: 0, ..calm() }, Some("clock-jump-ticks-max"));
    let text = toml::from_str::<DiskConfig>("read-oie = \"1/2\"").unwrap_err().to_string();
    assert!(text.contains("unknown field `read-oie`"), "{text}");
    let parsed: DiskConfig =
        toml::from_str("read-eio = \"1/2\"\nmedia = [\"bit-flip\"]\nmedia-rate = \"1/9\"").unwrap();
    assert_eq!(parsed.read_eio, Ratio::new(1, 2));
}

#[test]
fn a_drawn_fault_model_is_sound_and_keeps_to_its_classes() {
    let drawn = |classes, seed| DiskConfig::drawn(&classes, &mut Draws::new(seed, "faults", 0, 0));
    let all = FaultClasses {
        latency: true,
        partial: true,
        errors: true,
        failed_sync: true,
        no_space: true,
        media: true,
        lying_device: true,
        clock: true,
    };
    // Of 1000 runs half have no EIO on reads: the standard deviation is 15.8, so 6 of them on either side.
    let with_eio = (0..1000).filter(|&seed| !drawn(all, seed).read_eio.is_zero()).count();
    assert!((405..595).contains(&with_eio), "{with_eio}");
    for seed in 0..1000 {
        assert_eq!(drawn(all, seed).check(), Ok(()));
        let none = drawn(FaultClasses::default(), seed);
        assert_eq!(none, DiskConfig { powersafe_overwrite: none.powersafe_overwrite, ..DiskConfig::default() });
        let some = drawn(FaultClasses { errors: true, ..FaultClasses::default() }, seed);
        assert_eq!(some.read_eio, drawn(all, seed).read_eio);
        assert!(some.sync_eio.is_zero());
    }
}
