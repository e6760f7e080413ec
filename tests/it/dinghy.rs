//! dinghy from outside: one script of operations, the same answers on the simulated disk and on real files.

use std::sync::Arc;

use squall::aio::IOResult;
use squall::disk::real::RealIo;
use squall::disk::sim::{DiskConfig, SimDisk};
use squall::disk::{Io, block_on};
use squall::engine::kv::{KvOp, KvValue, Value};
use squall::engine::{Connection, Engine, EngineError, Env, OptionValue, Options, Reply};
use squall::engines::dinghy::Dinghy;
use squall::history::{Class, ValueId};
use squall::tape::Stream;

fn options(given: &[(&str, i64)]) -> Options {
    let info = Dinghy::info();
    let given = given.iter().map(|(key, value)| (key.to_string(), OptionValue::Int(*value))).collect();
    Options::resolve(info.options, info.bugs, &given, &[]).expect("the engine has these options")
}

fn open(io: &Arc<dyn Io>, options: &Options) -> Result<Dinghy, EngineError> {
    let mut engine = Dinghy::new(&Env { io: Arc::clone(io), options: options.clone() })?;
    block_on(&**io, || engine.open())?;
    Ok(engine)
}

fn ask(io: &Arc<dyn Io>, engine: &mut Dinghy, ops: &[KvOp]) -> Vec<Reply<KvValue>> {
    let mut connection = engine.connect().expect("it is open");
    let one = |op| {
        connection.start(op);
        block_on(&**io, || connection.step()).expect("it answers")
    };
    ops.iter().map(one).collect()
}

/// Some hundred operations of all kinds, with transactions, checkpoints and vacuums among them.
fn script(seed: u64) -> Vec<KvOp> {
    let mut random = Stream::new(seed, "script", 0);
    let mut op = |nth| {
        let value = Value { id: ValueId { connection: 0, transaction: nth, op: 0 }, len: random.below(900) as u32 };
        let key = format!("key{:02}", random.below(40));
        match random.below(14) {
            0..5 => KvOp::Put(key.into(), value),
            5..7 => KvOp::Delete(key.into()),
            7 => KvOp::Append("list".into(), value),
            8 => KvOp::Pop("list".into()),
            9 => KvOp::Add("number".into(), 3),
            10 => KvOp::Scan("key10".into(), "key30".into()),
            11 => KvOp::Checkpoint,
            12 => KvOp::Vacuum,
            _ => KvOp::Cas { key: key.into(), expected: None, new: value },
        }
    };
    let mut ops: Vec<_> = (0..400).map(&mut op).collect();
    for (nth, bracket) in [(50, KvOp::Begin), (60, KvOp::Commit), (90, KvOp::Begin), (99, KvOp::Rollback)] {
        ops.insert(nth, bracket);
    }
    ops.push(KvOp::Scan("".into(), "~".into()));
    ops
}

/// Answers of the script, and of a scan after the engine has been opened again.
fn answers(io: &Arc<dyn Io>, seed: u64) -> Vec<Reply<KvValue>> {
    let options = options(&[("cache_pages", 5), ("checkpoint_frames", 40)]);
    let mut engine = open(io, &options).expect("an empty disk");
    let mut replies = ask(io, &mut engine, &script(seed));
    drop(engine);
    let mut engine = open(io, &options).expect("a closed database");
    replies.extend(ask(io, &mut engine, &[KvOp::Scan("".into(), "~".into())]));
    let problems = block_on(&**io, || engine.check()).expect("it can be checked");
    assert_eq!(problems, Vec::<String>::new());
    replies
}

#[test]
fn a_script_has_the_same_answers_on_both_disks() {
    for seed in 0..2 {
        let simulated = answers(&SimDisk::new(DiskConfig::default(), seed).io(), seed);
        let directory = tempfile::tempdir().expect("room for a directory");
        assert_eq!(answers(&RealIo::new(directory.path()), seed), simulated, "script {seed}");
    }
}

#[test]
fn one_poll_after_another_never_sees_more_than_one_answer() {
    let io = SimDisk::new(DiskConfig::default(), 0).io();
    let mut engine = open(&io, &options(&[])).expect("an empty disk");
    let mut connection = engine.connect().expect("it is open");
    connection.start(&KvOp::Get("nothing".into()));
    // A step before the wait is over, as a spurious wake-up makes it, changes nothing.
    let mut steps = 0;
    loop {
        steps += 1;
        match connection.step().expect("it answers") {
            IOResult::Done(reply) => break assert_eq!(reply, Reply::Ok(KvValue::Bytes(None))),
            IOResult::IO(io_wait) if io_wait.finished() || steps % 3 > 0 => {}
            IOResult::IO(_) => io.step().expect("something is in flight"),
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused_without_effect() {
    let io = SimDisk::new(DiskConfig::default(), 0).io();
    let mut engine = open(&io, &options(&[])).expect("an empty disk");
    let value = Value { id: ValueId { connection: 0, transaction: 0, op: 0 }, len: 0 };
    let replies = ask(
        &io,
        &mut engine,
        &[
            KvOp::Commit,
            KvOp::Begin,
            KvOp::Begin,
            KvOp::Put("k".repeat(500).into(), value),
            KvOp::Put("word".into(), value),
            KvOp::Add("word".into(), 1),
            KvOp::Rollback,
            KvOp::Get("word".into()),
        ],
    );
    let expected = [
        Reply::Refused(Class::Other),
        Reply::Ok(KvValue::Unit),
        Reply::Refused(Class::Other),
        Reply::Refused(Class::Constraint),
        Reply::Ok(KvValue::Unit),
        Reply::Refused(Class::Constraint),
        Reply::Ok(KvValue::Unit),
        Reply::Ok(KvValue::Bytes(None)),
    ];
    assert_eq!(replies, expected);
}

#[test]
fn a_page_size_that_is_no_power_of_two_is_refused() {
    let io = SimDisk::new(DiskConfig::default(), 0).io();
    let error = open(&io, &options(&[("page_size", 1000)])).err().expect("1000 is none");
    assert_eq!(error.class, Class::Other);
}
