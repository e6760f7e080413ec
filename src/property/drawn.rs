//! Histories drawn as text, for tests: a line per process, time from left to right, a column a turn.
//!
//! ```text
//! c0: |-- w x 1 --|    |- [r x 1, w y 2] -|@7     |- r y -!    |- w y 3 -?     |- a l 4 ->
//!  *:                                                                                    CRASH  RECOVERED  CHECK(bad; worse)
//! c1:                                                                                                                       |- r x 1 -|
//! ```
//!
//! A span ends with `|` (done), `!` (refused), `?` (in doubt) or `>` (never answered); `@7` is the engine's
//! order. Brackets are a transaction that begins and ends with its span; its last member may be `rollback`,
//! or `cut` when nobody ever asked for the commit. A plain number is a unique value, `#5` the number five,
//! `'t'` text, `[1 2]` a list, `{x:1 y:2}` rows. Operations are `r`, `w`, `del`, `cas`, `add`, `a`, `enq`,
//! `deq`, `scan`, `remove`, `contains`, `checkpoint`; an answer that is not obvious follows `=`.

use std::sync::Arc;

use expect_test::Expect;

use super::{Finding, Judgement, Property, RunRecord, Verdict};
use crate::engine::{Durability, Isolation, Promises};
use crate::history::{Call, Class, CrashKind, Datum, Fact, History, OpId, Outcome, ValueId};

/// Judges a drawn history; the engine promises everything.
pub(crate) fn check(property: &mut dyn Property, text: &str, expected: Expect) {
    check_with(property, text, |_| {}, expected);
}

/// Judges a drawn history under other circumstances.
pub(crate) fn check_with(
    property: &mut dyn Property,
    text: &str,
    tune: impl FnOnce(&mut RunRecord<'_>),
    expected: Expect,
) {
    let history = drawn(text);
    expected.assert_eq(&told(&judge_with(property, &history, tune)));
}

/// Judges a history under these circumstances.
pub(crate) fn judge_with(
    property: &mut dyn Property,
    history: &History,
    tune: impl FnOnce(&mut RunRecord<'_>),
) -> Judgement {
    let promises = Promises { isolation: Isolation::StrictSerializable, durability: Durability::EveryCommit };
    let mut run = RunRecord { history, promises, facts: &[], media_faults: 0, betrayed: false };
    tune(&mut run);
    property.judge(&run)
}

/// A fault of the media has struck.
pub(crate) fn media() -> impl FnOnce(&mut RunRecord<'_>) {
    |run| run.media_faults = 1
}

/// The engine promises this.
pub(crate) fn promises(isolation: Isolation, durability: Durability) -> impl FnOnce(&mut RunRecord<'_>) {
    move |run| run.promises = Promises { isolation, durability }
}

/// The workload says this of itself.
pub(crate) fn with_facts(facts: &'static [(&'static str, Datum)]) -> impl FnOnce(&mut RunRecord<'_>) {
    move |run| run.facts = facts
}

/// A judgement in words.
pub(crate) fn told(judgement: &Judgement) -> String {
    match &judgement.verdict {
        Verdict::Holds => format!("holds, {} compared", judgement.compared),
        Verdict::Inconclusive(reason) => format!("inconclusive: {reason}"),
        Verdict::Violated(finding) => told_finding(finding),
    }
}

fn told_finding(finding: &Finding) -> String {
    let Finding { anomaly, turn, resources, ops, sentence, proof, .. } = finding;
    let at = if resources.is_empty() { String::new() } else { format!(" at {}", resources.join(", ")) };
    let by: Vec<String> = ops.iter().map(|op| op.0.to_string()).collect();
    let by = if by.is_empty() { String::new() } else { format!(" by [{}]", by.join(", ")) };
    let proof: String = proof.iter().map(|line| format!("\n  {line}")).collect();
    format!("{anomaly} in turn {turn}{at}{by}: {sentence}{proof}")
}

/// Something that happens, with its place in time: the column, and a rank within it.
type Moment = (usize, usize, usize, Happening);

enum Happening {
    Invoke { slot: usize, transaction: Option<u32>, call: Call },
    Return { slot: usize, outcome: Outcome, order: Option<u64> },
    World(Fact),
}

/// Reads a drawing.
pub(crate) fn drawn(text: &str) -> History {
    let mut moments: Vec<Moment> = Vec::new();
    let (mut slots, mut transactions) = (0, 0);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (label, _) = line.split_once(':').unwrap_or_else(|| panic!("no label: {line}"));
        let start = label.chars().count() + 1;
        let chars: Vec<char> = line.chars().collect();
        if label.trim() == "*" {
            world(&chars, start, &mut moments);
            continue;
        }
        let process: usize = label.trim().trim_start_matches('c').parse().expect("a process is called c0, c1, …");
        let mut at = start;
        while let Some(open) = (at..chars.len()).find(|&at| chars[at] == '|') {
            let span = span(&chars, open);
            at = span.next;
            let mut writer = Writer { process, slots: &mut slots, moments: &mut moments };
            writer.span(&span, &mut transactions);
        }
    }
    moments.sort_by_key(|moment| (moment.0, moment.1));
    build(moments, slots)
}

fn build(moments: Vec<Moment>, slots: usize) -> History {
    let mut history = History::new();
    let mut ids = vec![OpId(u32::MAX); slots];
    for (column, _, process, happening) in moments {
        let (turn, process) = (column as u64, process as u32);
        match happening {
            Happening::Invoke { slot, transaction, call } => {
                ids[slot] = history.invoke(turn, process, transaction, call)
            }
            Happening::Return { slot, outcome, order } => {
                history.push(turn, process, Fact::Return { op: ids[slot], outcome, order });
            }
            Happening::World(fact) => history.push(turn, process, fact),
        }
    }
    history
}

struct Span {
    body: String,
    from: usize,
    to: usize,
    end: char,
    order: Option<u64>,
    next: usize,
}

/// The span that opens at this column.
fn span(chars: &[char], open: usize) -> Span {
    let mut close = open + 1;
    let to = loop {
        assert!(close < chars.len(), "a span does not end: {}", chars[open..].iter().collect::<String>());
        let after = (close..chars.len()).find(|&at| chars[at] != '-').unwrap_or(chars.len());
        if after > close && matches!(chars.get(after), Some('|' | '!' | '?' | '>')) {
            break after;
        }
        close = after.max(close + 1);
    };
    let body: String = chars[open + 1..close].iter().collect();
    let digits: String = match chars.get(to + 1) {
        Some('@') => chars[to + 2..].iter().take_while(|char| char.is_ascii_digit()).collect(),
        _ => String::new(),
    };
    let body = body.trim_start_matches('-').trim().to_string();
    Span { body, from: open, to, end: chars[to], order: digits.parse().ok(), next: to + 1 }
}

fn world(chars: &[char], start: usize, moments: &mut Vec<Moment>) {
    let mut at = start;
    while at < chars.len() {
        let rest: String = chars[at..].iter().collect();
        let (fact, length) = if rest.starts_with("CRASH") {
            (Fact::Crash { kind: CrashKind::Power }, 5)
        } else if rest.starts_with("RECOVERED") {
            (Fact::Recovered, 9)
        } else if let Some(rest) = rest.strip_prefix("CHECK(") {
            let (inside, _) = rest.split_once(')').expect("a check is closed");
            let problems = inside.split(';').map(|problem| problem.trim().to_string());
            let problems = problems.filter(|problem| !problem.is_empty()).collect();
            (Fact::Checked { problems }, 7 + inside.chars().count())
        } else {
            at += 1;
            continue;
        };
        moments.push((at, 50, 99, Happening::World(fact)));
        at += length;
    }
}

/// Writes the events of one process.
struct Writer<'a> {
    process: usize,
    slots: &'a mut usize,
    moments: &'a mut Vec<Moment>,
}

impl Writer<'_> {
    fn span(&mut self, span: &Span, transactions: &mut u32) {
        let outcome = |answer| match span.end {
            '|' => Some(Outcome::Ok(answer)),
            '!' => Some(Outcome::Refused(Class::Conflict)),
            '?' => Some(Outcome::Unknown(Class::Other)),
            _ => None,
        };
        let (from, to) = ((span.from, 0), (span.to, 100));
        let Some(members) = span.body.strip_prefix('[') else {
            let (call, answer) = operation(&span.body);
            return self.op(from, to, None, call, outcome(answer), span.order);
        };
        let members = members.strip_suffix(']').unwrap_or_else(|| panic!("a transaction ends with ]: {members}"));
        let transaction = Some(*transactions);
        *transactions += 1;
        let done = |answer| Some(Outcome::Ok(answer));
        self.op(from, (span.from, 1), transaction, plain("begin"), done(Datum::Null), None);
        let mut rank = 2;
        for member in members.split(',').map(str::trim) {
            let at = ((span.from, rank), (span.from, rank + 1));
            rank += 2;
            if member == "cut" {
                return;
            }
            let (call, answer) = operation(member);
            if call.f == "rollback" {
                return self.op(at.0, to, transaction, call, outcome(answer), None);
            }
            self.op(at.0, at.1, transaction, call, done(answer), None);
        }
        self.op((span.from, rank), to, transaction, plain("commit"), outcome(Datum::Null), span.order);
    }

    fn op(
        &mut self,
        from: (usize, usize),
        to: (usize, usize),
        transaction: Option<u32>,
        call: Call,
        outcome: Option<Outcome>,
        order: Option<u64>,
    ) {
        let slot = *self.slots;
        *self.slots += 1;
        self.moments.push((from.0, from.1, self.process, Happening::Invoke { slot, transaction, call }));
        if let Some(outcome) = outcome {
            self.moments.push((to.0, to.1, self.process, Happening::Return { slot, outcome, order }));
        }
    }
}

fn plain(f: &'static str) -> Call {
    Call { f, key: None, arg: Datum::Null }
}

/// An operation and its answer.
fn operation(text: &str) -> (Call, Datum) {
    let (asked, answer) = text.split_once(" = ").map_or((text, None), |(asked, answer)| (asked, Some(value(answer))));
    let words = words(asked);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let call = |f, key: &str, arg| Call { f, key: Some(Arc::from(key)), arg };
    let yes = || answer.clone().unwrap_or(Datum::Bool(true));
    match words[..] {
        ["r", key] => (call("read", key, Datum::Null), Datum::Null),
        ["r", key, seen] => (call("read", key, Datum::Null), value(seen)),
        ["w", key, new] => (call("write", key, value(new)), Datum::Null),
        ["del", key] => (call("delete", key, Datum::Null), yes()),
        ["cas", key, old, new] => (call("cas", key, Datum::List(vec![value(old), value(new)])), yes()),
        ["add", key, what] => (call("add", key, value(what)), yes()),
        ["remove", key, what] => (call("remove", key, value(what)), yes()),
        ["contains", key, what] => (call("contains", key, value(what)), yes()),
        ["a", key, new] => (call("append", key, value(new)), Datum::Null),
        ["enq", key, new] => (call("enqueue", key, value(new)), Datum::Null),
        ["deq", key] => (call("dequeue", key, Datum::Null), Datum::Null),
        ["deq", key, got] => (call("dequeue", key, Datum::Null), value(got)),
        ["scan", from, to, seen] => {
            let range = Datum::List(vec![Datum::Text(from.into()), Datum::Text(to.into())]);
            (Call { f: "scan", key: None, arg: range }, value(seen))
        }
        ["checkpoint"] => (plain("checkpoint"), Datum::Null),
        ["rollback"] => (plain("rollback"), Datum::Null),
        _ => panic!("no operation: {text}"),
    }
}

/// Splits at spaces outside of brackets and quotes.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut depth, mut quoted) = (vec![String::new()], 0, false);
    for char in text.trim().chars() {
        match char {
            '\'' => quoted = !quoted,
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        if char == ' ' && depth == 0 && !quoted {
            words.push(String::new());
        } else {
            words.last_mut().expect("there is always a word").push(char);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A value.
fn value(text: &str) -> Datum {
    let text = text.trim();
    let inside = |open, close| text.strip_prefix(open).and_then(|text| text.strip_suffix(close));
    if let Some(items) = inside('[', ']') {
        return Datum::List(words(items).iter().map(|item| value(item)).collect());
    }
    if let Some(rows) = inside('{', '}') {
        let row = |row: &String| {
            let (key, seen) = row.split_once(':').expect("a row is key:value");
            (Arc::from(key), value(seen))
        };
        return Datum::Rows(words(rows).iter().map(row).collect());
    }
    if let Some(text) = inside('\'', '\'') {
        return Datum::Text(text.into());
    }
    match text {
        "nil" => Datum::Null,
        "yes" => Datum::Bool(true),
        "no" => Datum::Bool(false),
        _ => match text.strip_prefix('#') {
            Some(number) => Datum::Int(number.parse().expect("a number follows #")),
            None => Datum::Value(number(text).unwrap_or_else(|| text.parse().expect("a value names its writer"))),
        },
    }
}

fn number(text: &str) -> Option<ValueId> {
    Some(ValueId { connection: 0, transaction: text.parse().ok()?, op: 0 })
}

#[test]
fn a_drawing_becomes_events_in_the_order_of_its_columns() {
    let history = drawn(
        "
        c0: |- w x 1 -|     |- [r x nil, a l 2] -|@7   |- deq q -!
        c1:    |- r x 1 ->
         *:                                           CHECK(a; b)  CRASH",
    );
    let lines: Vec<String> =
        history.events.iter().map(|event| format!("{} {} {:?}", event.turn, event.process, event.fact)).collect();
    assert!(
        lines[0].starts_with("12 0 Invoke { op: OpId(0), transaction: None, call: Call { f: \"write\""),
        "{}",
        lines[0]
    );
    assert!(lines[1].starts_with("15 1 Invoke { op: OpId(1)"), "{}", lines[1]);
    assert!(lines[2].starts_with("22 0 Return { op: OpId(0), outcome: Ok(Null)"), "{}", lines[2]);
    assert!(lines[3].contains("transaction: Some(0), call: Call { f: \"begin\""), "{}", lines[3]);
    let commit = lines.iter().position(|line| line.contains("order: Some(7)")).unwrap();
    assert!(lines[commit + 1].contains("Checked { problems: [\"a\", \"b\"]"), "{}", lines[commit + 1]);
    assert!(lines.last().unwrap().contains("Crash"));
    assert_eq!((history.events.len(), history.ops()), (15, 7));
}
