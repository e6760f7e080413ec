//! A list that shares its beginning with the lists it grew from.
//!
//! Adding at the end and taking from the end cost one allocation or none, hashing one word. Two
//! chains are equal when their contents are; the cached hash only says *no* early.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Value;

/// A persistent list, used at its end.
#[derive(Debug, Clone, Default)]
pub struct Chain(Option<Arc<Link>>);

#[derive(Debug)]
struct Link {
    value: Value,
    rest: Chain,
    length: usize,
    hash: u64,
}

impl Chain {
    /// The chain with one value more.
    #[must_use]
    pub fn with(&self, value: Value) -> Self {
        let mut hasher = crate::judge::hash::Mixer::default();
        self.hash_word().hash(&mut hasher);
        value.hash(&mut hasher);
        Self(Some(Arc::new(Link { value, rest: self.clone(), length: self.len() + 1, hash: hasher.finish() })))
    }

    /// The last value and the chain without it.
    #[must_use]
    pub fn last(&self) -> Option<(Value, &Chain)> {
        self.0.as_ref().map(|link| (link.value, &link.rest))
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |link| link.length)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the values are these, in this order.
    #[must_use]
    pub fn is(&self, values: &[Value]) -> bool {
        let mut chain = self;
        if chain.len() != values.len() {
            return false;
        }
        for &expected in values.iter().rev() {
            match chain.last() {
                Some((value, rest)) if value == expected => chain = rest,
                _ => return false,
            }
        }
        true
    }

    /// The values, first to last.
    #[must_use]
    pub fn to_vec(&self) -> Vec<Value> {
        let mut values = Vec::with_capacity(self.len());
        let mut chain = self;
        while let Some((value, rest)) = chain.last() {
            values.push(value);
            chain = rest;
        }
        values.reverse();
        values
    }

    fn hash_word(&self) -> u64 {
        self.0.as_ref().map_or(0, |link| link.hash)
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() || self.hash_word() != other.hash_word() {
            return false;
        }
        let (mut left, mut right) = (self, other);
        loop {
            match (&left.0, &right.0) {
                (Some(a), Some(b)) if Arc::ptr_eq(a, b) => return true,
                (Some(a), Some(b)) if a.value == b.value => (left, right) = (&a.rest, &b.rest),
                (None, None) => return true,
                _ => return false,
            }
        }
    }
}

impl Eq for Chain {}

impl Hash for Chain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash_word().hash(state);
    }
}

impl Drop for Link {
    /// A long chain dropped link by link would overflow the stack; this takes it apart in a loop.
    fn drop(&mut self) {
        let mut next = self.rest.0.take();
        while let Some(link) = next {
            next = Arc::into_inner(link).and_then(|mut inner| inner.rest.0.take());
        }
    }
}
