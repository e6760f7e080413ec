//! The objects that have names, and the fastest method for each.
//!
//! Invariant: a method is chosen by the shape of the history alone, so a history is always judged
//! in the same way.

use super::fast;
use super::general::linearizable;
use super::history::History;
use super::limits::Limits;
use super::model::{Bank, Counter, ListAppend, PriorityQueue, Queue, Register, SetModel, Stack};
use super::total::total;
use super::value::Value;
use super::verdict::Judgement;

/// An object whose model is known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// A register per key, with compare-and-set.
    Register,
    /// A key-value store: the same.
    KeyValue,
    /// A counter per key.
    Counter,
    /// A set per key.
    Set,
    /// A queue per key.
    Queue,
    /// A stack per key.
    Stack,
    /// A priority queue per key.
    PriorityQueue,
    /// A list per key, by single operations.
    ListAppend,
    /// A bank whose initial balances are not known.
    Bank,
}

/// All objects with their names.
pub const OBJECTS: [(&str, Object); 9] = [
    ("register", Object::Register),
    ("kv", Object::KeyValue),
    ("counter", Object::Counter),
    ("set", Object::Set),
    ("queue", Object::Queue),
    ("stack", Object::Stack),
    ("priority-queue", Object::PriorityQueue),
    ("list-append", Object::ListAppend),
    ("bank", Object::Bank),
];

impl Object {
    /// The object with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        OBJECTS.iter().find(|object| object.0 == name).map(|object| object.1)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        OBJECTS.iter().find(|object| object.1 == self).expect("every object is in the table").0
    }

    /// Judges a history of this object by the fastest method its shape allows.
    #[must_use]
    pub fn judge(self, history: &History, limits: &Limits) -> Judgement {
        let fast = match self {
            Object::Register | Object::KeyValue => fast::zones(self.name(), history, Value::Null),
            Object::Set => fast::set(history),
            Object::Queue => fast::queue(history),
            Object::Stack => fast::stack(history),
            Object::PriorityQueue => fast::priority_queue(history),
            Object::Bank => Some(total(history, None)).filter(|judged| judged.witness().is_some()),
            Object::Counter | Object::ListAppend => None,
        };
        let mut judgement = fast.unwrap_or_else(|| self.search(history, limits));
        judgement.model = self.name().into();
        judgement
    }

    /// Judges by the general search, whatever the shape.
    #[must_use]
    pub fn search(self, history: &History, limits: &Limits) -> Judgement {
        match self {
            Object::Register | Object::KeyValue => linearizable(&Register::default(), history, limits),
            Object::Counter => linearizable(&Counter, history, limits),
            Object::Set => linearizable(&SetModel, history, limits),
            Object::Queue => linearizable(&Queue, history, limits),
            Object::Stack => linearizable(&Stack, history, limits),
            Object::PriorityQueue => linearizable(&PriorityQueue, history, limits),
            Object::ListAppend => linearizable(&ListAppend, history, limits),
            Object::Bank => linearizable(&Bank::default(), history, limits),
        }
    }
}
