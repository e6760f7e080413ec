//! Small random histories of every kind of object: each judge against brute force.
//!
//! Half of the histories come from an object that worked, half of those are spoilt in one place.
//! A seed gives the same histories everywhere.

use squall::judge::{
    Bank, Counter, Function, History, Judgement, Limits, ListAppend, Model, NEVER, Object, Operation, PriorityQueue,
    Queue, Register, SetModel, Stack, Value, Verdict, Watch, linearizable,
};

use super::brute::{BALANCES, KINDS, Kind, Plain, has_order};

/// Histories of each kind.
const ROUNDS: u64 = 4_000;

/// A small generator of its own, so that no crate's version changes the histories.
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// How histories are drawn.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    pub(crate) operations_max: u64,
    /// Whether every written value occurs once.
    pub(crate) unique: bool,
}

/// A random history: intervals first, then outcomes in the order of a random point in each.
pub(crate) fn draw(shape: Shape, draws: &mut Draws) -> History {
    let mut history = History::new();
    let count = 1 + draws.below(shape.operations_max);
    let processes = 1 + draws.below(4);
    let mut clocks = vec![0i64; processes as usize];
    let mut ids = processes as u32;
    let mut process_ids: Vec<u32> = (0..ids).collect();
    let mut points = Vec::new();
    let mut fresh = 0;
    for index in 0..count {
        let process = draws.below(processes) as usize;
        let call = clocks[process] + draws.below(4) as i64;
        let ret = call + 1 + draws.below(8) as i64;
        clocks[process] = ret + 1;
        let lost = draws.one_in(6);
        let (f, value) = call_of(shape, draws, &mut history, &mut fresh);
        let ends = if lost { None } else { Some(ret) };
        history.push(process_ids[process], (call, ends), f, "", (value, Value::Null));
        if lost {
            process_ids[process] = ids;
            ids += 1;
        }
        let effect = !lost || draws.one_in(2);
        let late = if lost { 12 } else { ret - call + 1 };
        let point = call * 100 + draws.below(late as u64 * 100) as i64;
        points.push((point, index as usize, effect));
    }
    points.sort_unstable();
    let mut object = Plain::new(shape.kind);
    for (_, index, effect) in points {
        if effect {
            let op = history.operations[index];
            history.operations[index].out = object.apply(&op, &mut history.values);
        }
    }
    if draws.one_in(2) {
        spoil(shape, &mut history, draws);
    }
    history
}

fn call_of(shape: Shape, draws: &mut Draws, history: &mut History, fresh: &mut i64) -> (Function, Value) {
    let value = if shape.unique {
        *fresh += 1;
        // Not ascending, so that priorities and times differ.
        Value::Int(*fresh * 7 % 23)
    } else {
        Value::Int(draws.below(3) as i64)
    };
    let half = draws.one_in(2);
    match shape.kind {
        Kind::Register if half => (Function::Read, Value::Null),
        Kind::Register if !shape.unique && draws.one_in(2) => {
            let old = Value::Int(draws.below(3) as i64);
            (Function::Cas, history.values.list(&[old, value]))
        }
        Kind::Register => (Function::Write, value),
        Kind::Counter if half => (Function::Read, Value::Null),
        Kind::Counter => (Function::Add, Value::Int(1 + draws.below(3) as i64)),
        Kind::Set => {
            let element = Value::Int(draws.below(2) as i64);
            let all = [Function::Add, Function::Remove, Function::Contains];
            (all[draws.below(3) as usize], element)
        }
        Kind::Queue if half => (Function::Dequeue, Value::Null),
        Kind::Queue => (Function::Enqueue, value),
        Kind::Stack if half => (Function::Pop, Value::Null),
        Kind::Stack => (Function::Push, value),
        Kind::Priority if half => (Function::Poll, Value::Null),
        Kind::Priority => (Function::Insert, value),
        Kind::List if half => (Function::Read, Value::Null),
        Kind::List => (Function::Append, value),
        Kind::Bank if half => (Function::Read, Value::Null),
        Kind::Bank => {
            let from = draws.below(2) as i64;
            let items = [from.into(), (1 - from).into(), Value::Int(1 + draws.below(3) as i64)];
            (Function::Transfer, history.values.list(&items))
        }
    }
}

/// Changes one outcome to another of the same shape, or one interval.
fn spoil(shape: Shape, history: &mut History, draws: &mut Draws) {
    let mut index = draws.below(history.len() as u64) as usize;
    for _ in 0..8 {
        let op = history.operations[index];
        let blind = [Function::Write, Function::Enqueue, Function::Push, Function::Insert];
        let more = [Function::Append, Function::Transfer];
        if op.returned() && !blind.contains(&op.f) && !more.contains(&op.f) {
            break;
        }
        index = draws.below(history.len() as u64) as usize;
    }
    let op = history.operations[index];
    if draws.one_in(5) {
        // Shorter than before: still one operation at a time for its process.
        if op.ret != NEVER && op.ret > op.call {
            history.operations[index].ret -= 1;
        }
        return;
    }
    history.operations[index].out = match (shape.kind, op.f) {
        (Kind::Set, _) | (_, Function::Cas) => Value::Bool(op.out != Value::Bool(true)),
        (_, Function::Write | Function::Enqueue | Function::Push) => return,
        (_, Function::Insert | Function::Append | Function::Transfer) => return,
        _ => {
            let other = history.operations[draws.below(history.len() as u64) as usize];
            match shape.kind {
                Kind::List if draws.one_in(2) => {
                    let items = history.values.items(op.out).unwrap_or_default();
                    let turned: Vec<Value> = items.iter().rev().copied().collect();
                    history.values.list(&turned[turned.len() / 3..])
                }
                // Null would mean "does not tell" there, which brute force does not know.
                Kind::Counter | Kind::Bank | Kind::List if other.out.is_null() => op.out,
                _ if other.f == op.f => other.out,
                Kind::Bank => {
                    let items = BALANCES.map(|n| Value::Int(n - 1));
                    history.values.list(&items)
                }
                Kind::List if other.value.is_null() => op.out,
                Kind::List => history.values.list(&[other.value]),
                Kind::Counter => Value::Int(draws.below(9) as i64),
                _ if other.f == Function::Cas => Value::Int(1),
                _ => other.value,
            }
        }
    };
}

/// The judgement of the general search.
pub(crate) fn general(kind: Kind, history: &History) -> Judgement {
    let limits = Limits::default();
    match kind {
        Kind::Register => linearizable(&Register::default(), history, &limits),
        Kind::Counter => linearizable(&Counter, history, &limits),
        Kind::Set => linearizable(&SetModel, history, &limits),
        Kind::Queue => linearizable(&Queue, history, &limits),
        Kind::Stack => linearizable(&Stack, history, &limits),
        Kind::Priority => linearizable(&PriorityQueue, history, &limits),
        Kind::List => linearizable(&ListAppend, history, &limits),
        Kind::Bank => linearizable(&bank(), history, &limits),
    }
}

pub(crate) fn bank() -> Bank {
    Bank { initial: Some(BALANCES.to_vec()), no_overdraft: false }
}

/// Compares one judgement with the truth; a judgement that compared nothing may only abstain.
pub(crate) fn compare(truth: bool, judgement: &Judgement, history: &History, seed: u64) {
    let right = match &judgement.verdict {
        Verdict::Holds => truth,
        Verdict::Violated(_) => !truth,
        Verdict::Inconclusive(_) => judgement.compared == 0 && truth,
    };
    assert!(right, "seed {seed}: truth {truth}, said {judgement:#?} of {history:#?}");
}

#[test]
fn the_general_search_agrees_with_brute_force_on_every_model() {
    for kind in KINDS {
        let (mut good, mut bad) = (0, 0);
        for seed in 0..ROUNDS {
            let shape = Shape { kind, operations_max: 8, unique: seed % 2 == 0 };
            let history = draw(shape, &mut Draws::new(seed));
            let truth = has_order(kind, &history);
            *(if truth { &mut good } else { &mut bad }) += 1;
            compare(truth, &general(kind, &history), &history, seed);
        }
        assert!(good > ROUNDS / 4 && bad > ROUNDS / 50, "{kind:?}: {good} good, {bad} bad");
    }
}

#[test]
fn a_witness_without_the_rest_of_its_window_still_has_no_order() {
    for seed in 0..ROUNDS {
        let shape = Shape { kind: Kind::Register, operations_max: 8, unique: false };
        let history = draw(shape, &mut Draws::new(seed));
        let judgement = general(Kind::Register, &history);
        let Some(witness) = judgement.witness() else {
            continue;
        };
        let mut weaker = history.clone();
        let first_call = witness.operations.iter().map(|named| named.call).min();
        weaker.operations.clear();
        for (index, &op) in history.operations.iter().enumerate() {
            let named = witness.operations.iter().any(|named| named.index == index);
            let before = first_call.is_some_and(|call| op.ret < call);
            let after = op.returned() && Some(op.ret) > witness.time;
            if named || before || after {
                weaker.operations.push(op);
            } else if op.f == Function::Write || op.out == Value::Bool(true) {
                weaker.operations.push(Operation { ret: NEVER, ..op });
            }
        }
        let order = has_order(Kind::Register, &weaker);
        assert!(!order, "seed {seed}: {witness} of {:#?}", history.operations);
    }
}

/// The judgement of the fastest method the shape allows.
fn fast(kind: Kind, history: &History) -> Option<Judgement> {
    let object = match kind {
        Kind::Register => Object::Register,
        Kind::Set => Object::Set,
        Kind::Queue => Object::Queue,
        Kind::Stack => Object::Stack,
        Kind::Priority => Object::PriorityQueue,
        Kind::Counter | Kind::List | Kind::Bank => return None,
    };
    let judgement = object.judge(history, &Limits::default());
    (judgement.method != "search").then_some(judgement)
}

#[test]
fn the_fast_methods_agree_with_brute_force_on_values_written_once() {
    for kind in KINDS {
        let (mut good, mut bad) = (0, 0);
        for seed in 0..4 * ROUNDS {
            let shape = Shape { kind, operations_max: 8, unique: true };
            let history = draw(shape, &mut Draws::new(seed));
            let Some(judgement) = fast(kind, &history) else {
                continue;
            };
            let truth = has_order(kind, &history);
            *(if truth { &mut good } else { &mut bad }) += 1;
            compare(truth, &judgement, &history, seed);
            if let Some(witness) = judgement.witness().filter(|_| kind != Kind::Set) {
                let mut alone = history.clone();
                let named = witness.operations.iter();
                alone.operations = named.map(|named| history.operations[named.index]).collect();
                assert!(!has_order(kind, &alone), "seed {seed}: {witness} of {history:#?}");
            }
        }
        let applies = !matches!(kind, Kind::Counter | Kind::List | Kind::Bank);
        assert!(!applies || (good > ROUNDS && bad > ROUNDS / 20), "{kind:?}: {good} {bad}");
    }
}

#[test]
fn a_value_written_twice_is_left_to_the_search() {
    let mut history = History::new();
    for process in 0..2 {
        history.push(process, (0, Some(1)), Function::Write, "", (1.into(), Value::Null));
    }
    history.push(2, (2, Some(3)), Function::Read, "", (Value::Null, 1.into()));
    let judgement = Object::Register.judge(&history, &Limits::default());
    assert_eq!((judgement.holds(), judgement.method.as_str()), (true, "search"));
}

/// Feeds the history to a watch in the order of its times; the time of the finding.
fn watch<M: Model>(model: M, history: &History, draws: &mut Draws) -> (Judgement, Option<i64>) {
    let mut watch = Watch::new(model, Limits::default());
    watch.values = history.values.clone();
    let mut events: Vec<(i64, bool, usize)> = Vec::new();
    for (index, op) in history.operations.iter().enumerate() {
        events.push((op.call, false, index));
        // One that never returns is abandoned some time, or stays open.
        let end = if op.returned() { op.ret } else { op.call + draws.below(20) as i64 };
        if op.returned() || draws.one_in(2) {
            events.push((end, true, index));
        }
    }
    events.sort_unstable();
    let mut tickets = vec![None; history.len()];
    let mut found = None;
    for (time, is_end, index) in events {
        let op = &history.operations[index];
        match tickets[index] {
            None => {
                tickets[index] = Some(watch.begin(op.process, op.call, op.f, "", op.value));
            }
            Some(ticket) if is_end && op.returned() => {
                if watch.end(ticket, op.ret, op.out).is_some() {
                    found = Some(time);
                }
            }
            Some(ticket) => watch.abandon(ticket),
        }
    }
    (watch.judgement(), found)
}

/// The history as it was known at this time.
fn known_by(history: &History, time: i64) -> History {
    let mut known = history.clone();
    known.operations.retain(|op| op.call <= time);
    for op in &mut known.operations {
        if op.ret > time {
            op.ret = NEVER;
        }
    }
    known
}

#[test]
fn a_watch_finds_a_violation_at_the_return_that_makes_it_unavoidable() {
    for kind in KINDS {
        let mut bad = 0;
        for seed in 0..ROUNDS {
            let shape = Shape { kind, operations_max: 7, unique: seed % 2 == 0 };
            let mut draws = Draws::new(seed);
            let history = draw(shape, &mut draws);
            let (judgement, found) = match kind {
                Kind::Register => watch(Register::default(), &history, &mut draws),
                Kind::Counter => watch(Counter, &history, &mut draws),
                Kind::Set => watch(SetModel, &history, &mut draws),
                Kind::Queue => watch(Queue, &history, &mut draws),
                Kind::Stack => watch(Stack, &history, &mut draws),
                Kind::Priority => watch(PriorityQueue, &history, &mut draws),
                Kind::List => watch(ListAppend, &history, &mut draws),
                Kind::Bank => watch(bank(), &history, &mut draws),
            };
            compare(has_order(kind, &history), &judgement, &history, seed);
            if let Some(time) = found {
                bad += 1;
                let before = history.operations.iter().filter(|op| op.ret < time).map(|op| op.ret).max();
                let early = before.is_none_or(|before| has_order(kind, &known_by(&history, before)));
                let now = has_order(kind, &known_by(&history, time));
                assert!(early && !now, "{kind:?} seed {seed} at {time}: {judgement:#?} {history:#?}");
            }
        }
        assert!(bad > ROUNDS / 100, "{kind:?}: {bad} bad");
    }
}
