//! What the simulated disk costs: an operation's life, with and without faults, and a crash image.
//!
//! An operation's life is to be submitted, taken, given its turn and finished; 64 are in flight at a time.
//! A crash image is a snapshot of a disk with a database of 64 pages, a log of 64 frames of which half are
//! not synced, and 4 writes in flight; restored on the side, crashed, and read.
//!
//! `cargo bench --bench disk`

#![allow(clippy::print_stdout, missing_docs)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use squall::aio::{Buffer, Completion};
use squall::disk::sim::{DiskConfig, IoTurn, MediaFault, SimDisk, Submitted};
use squall::disk::{File, OpenMode};
use squall::history::CrashKind;
use squall::tape::{Ratio, Tape};

const REPEATS: usize = 40;
const OPS: u32 = 12_800;
const IN_FLIGHT: u32 = 64;
const PAGE: usize = 4096;
/// A log's frame: a header and a page, so that no frame is aligned.
const FRAME: usize = PAGE + 24;
const IMAGES: u32 = 100;

fn main() {
    let calm = DiskConfig::default();
    let rare = Ratio::new(1, 10_000);
    let faulty = DiskConfig {
        read_eio: rare,
        write_eio: rare,
        sync_eio: rare,
        read_short: rare,
        write_short: rare,
        interrupted: rare,
        no_space: rare,
        slow: rare,
        split: rare,
        clock_jump: rare,
        media: vec![MediaFault::BitFlip],
        media_rate: rare,
        ..DiskConfig::default()
    };
    for (name, config) in [("calm", calm), ("every fault at 1/10000", faulty)] {
        let per_op = |submit: fn(&Arc<dyn File>, &Buffer, u32)| best(|| lives(&config, submit)) / f64::from(OPS);
        println!("{name}, ns an operation:");
        println!(
            "  read 4 KiB    {:6.0}",
            per_op(|file, buffer, n| {
                file.pread(page(n), Completion::read(buffer.clone()));
            })
        );
        println!(
            "  write 4 KiB   {:6.0}",
            per_op(|file, buffer, n| {
                match n % IN_FLIGHT {
                    0 => file.sync(Completion::sync()),
                    _ => file.pwrite(page(n), buffer.clone(), Completion::write()),
                };
            })
        );
        println!(
            "  write, sync   {:6.0}",
            per_op(|file, buffer, n| {
                match n % 2 {
                    0 => file.pwrite(page(n), buffer.clone(), Completion::write()),
                    _ => file.sync(Completion::sync()),
                };
            })
        );
    }
    let seconds = best(images) / 1e9;
    println!("crash images    {:6.0} a second", f64::from(IMAGES) / seconds);
}

const fn page(n: u32) -> u64 {
    (n % 256) as u64 * PAGE as u64
}

/// The least of several times, in ns: the rest is other people's work.
fn best(mut run: impl FnMut() -> f64) -> f64 {
    (0..REPEATS).map(|_| run()).fold(f64::INFINITY, f64::min)
}

fn lives(config: &DiskConfig, submit: fn(&Arc<dyn File>, &Buffer, u32)) -> f64 {
    let disk = SimDisk::new(config.clone(), 1);
    let file = disk.io().open("a", OpenMode::Create).expect("the disk is empty");
    let buffer = Buffer::zeroed(PAGE);
    let mut tape = Tape::seeded(1);
    let mut taken = Vec::new();
    let begin = Instant::now();
    for op in 0..OPS / IN_FLIGHT {
        disk.set_issuer(0, op);
        (0..IN_FLIGHT).for_each(|n| submit(&file, &buffer, op * IN_FLIGHT + n));
        disk.take_submitted(&mut tape, &mut taken);
        taken.drain(..).for_each(|submitted| land(&disk, submitted, &mut tape));
    }
    begin.elapsed().as_nanos() as f64
}

fn land(disk: &SimDisk, submitted: Submitted, tape: &mut Tape) {
    loop {
        if let IoTurn::Finished(finish) = disk.turn(submitted.id, tape) {
            return finish.run();
        }
    }
}

fn images() -> f64 {
    let disk = SimDisk::new(DiskConfig::default(), 1);
    let io = disk.io();
    let [database, log] = ["database", "log"].map(|path| io.open(path, OpenMode::Create).expect("the disk is empty"));
    let mut tape = Tape::seeded(1);
    let mut taken = Vec::new();
    let mut all = |disk: &SimDisk, tape: &mut Tape| {
        disk.take_submitted(tape, &mut taken);
        taken.drain(..).for_each(|submitted| land(disk, submitted, tape));
    };
    (0..64).for_each(|n| drop(database.pwrite(n * PAGE as u64, Buffer::zeroed(PAGE), Completion::write())));
    let frame = |n: u64| drop(log.pwrite(n * FRAME as u64, Buffer::zeroed(FRAME), Completion::write()));
    (0..32).for_each(frame);
    all(&disk, &mut tape);
    database.sync(Completion::sync());
    log.sync(Completion::sync());
    io.sync_directory("", Completion::sync());
    (32..64).for_each(frame);
    all(&disk, &mut tape);
    (64..68).for_each(frame);
    let begin = Instant::now();
    for image in 0..IMAGES {
        let side = SimDisk::new(DiskConfig::default(), u64::from(image));
        side.restore(&disk.snapshot());
        let mut tape = Tape::seeded(u64::from(image));
        black_box(side.crash(CrashKind::Os, &mut tape));
        black_box(side.content());
    }
    begin.elapsed().as_nanos() as f64
}
