//! Values that a seed may still have to draw: fixed, one of several, between two bounds, or the swarm's own.
//!
//! A [`Domain`] says what a key accepts; a [`Spec`] is what somebody wrote, already checked. Each key draws from
//! a stream named after it, so that a key more or less changes the draws of no other.

use std::borrow::Cow;

use toml::Value;

use crate::tape::{Ratio, Stream};

/// What a key accepts.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// A whole number.
    Whole {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
        /// What `"swarm"` draws from: ranges with weights, both ends included.
        swarm: Cow<'static, [(i64, i64, u32)]>,
    },
    /// One word out of several, with the weights of the swarm.
    Word(&'static [(&'static str, u32)]),
    /// One word out of several, all alike to the swarm.
    Choice(&'static [&'static str]),
    /// Any of these words, as a list; `"swarm"` is all of them.
    Set(&'static [&'static str]),
    /// Names that the program knows, as a list; the registry says which.
    Names,
    /// Yes or no; the swarm says yes with this probability.
    Flag(Ratio),
    /// A probability. A range means: absent in `absent` of the runs, else within the range.
    Chance {
        /// How often it is absent when it is drawn.
        absent: Ratio,
        /// The rarest and the most frequent that the swarm draws.
        swarm: (Ratio, Ratio),
    },
}

/// What was written, checked against a domain.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// Always this.
    Fixed(Value),
    /// One of these, all alike.
    OneOf(Vec<Value>),
    /// Between these, both included.
    Between(Value, Value),
    /// As the domain's swarm says.
    Swarm,
}

impl Domain {
    /// What is accepted, in words.
    #[must_use]
    pub fn accepted(&self) -> String {
        match self {
            Self::Whole { min, max, swarm } => format!(
                "a whole number from {min} to {max}, a range such as \"{min}..{}\", a list of numbers{}",
                (min + 8).min(*max),
                if swarm.is_empty() { "" } else { ", or \"swarm\"" }
            ),
            Self::Word(_) | Self::Choice(_) => {
                format!("one of \"{}\", a list of those, or \"swarm\"", self.words().join("\", \""))
            }
            Self::Set(_) => format!("a list of any of \"{}\", or \"swarm\" for all", self.words().join("\", \"")),
            Self::Names => "a name or a list of names".to_string(),
            Self::Flag(_) => "true, false, or \"swarm\"".to_string(),
            Self::Chance { .. } => {
                "a probability from 0/1 to 1/1 such as \"1/1000\", a range such as \"1/10000..1/100\", a list of \
                 probabilities, or \"swarm\""
                    .to_string()
            }
        }
    }

    /// The words that are accepted, if it is words.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        match self {
            Self::Word(words) => words.iter().map(|(word, _)| *word).collect(),
            Self::Choice(words) | Self::Set(words) => words.to_vec(),
            _ => Vec::new(),
        }
    }

    /// Checks what was written.
    ///
    /// # Errors
    /// The value that does not fit, as text.
    pub fn check(&self, value: &Value) -> Result<Spec, String> {
        let refused = || value.to_string();
        if let Self::Set(_) = self {
            return self.subset(value).map(Spec::Fixed);
        }
        if let Self::Names = self {
            let names = super::model::names(value).ok_or_else(refused)?;
            return Ok(Spec::Fixed(names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().into()));
        }
        match value {
            Value::String(text) if text == "swarm" => match self {
                Self::Whole { swarm, .. } if swarm.is_empty() => Err(refused()),
                _ => Ok(Spec::Swarm),
            },
            Value::String(text) => match (self, text.split_once("..")) {
                (Self::Whole { .. } | Self::Chance { .. }, Some((low, high))) => {
                    let high = high.strip_prefix('=').unwrap_or(high);
                    self.between(low.trim(), high.trim()).ok_or_else(refused)
                }
                _ => self.one(value).map(Spec::Fixed).ok_or_else(refused),
            },
            Value::Array(items) if !items.is_empty() => {
                let one = |item: &Value| self.one(item).ok_or_else(|| item.to_string());
                items.iter().map(one).collect::<Result<_, _>>().map(Spec::OneOf)
            }
            _ => self.one(value).map(Spec::Fixed).ok_or_else(refused),
        }
    }

    /// A single value in the form in which it is used, if it lies in the domain.
    fn one(&self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Self::Whole { min, max, .. }, Value::Integer(number)) => {
                (min..=max).contains(&number).then(|| value.clone())
            }
            (Self::Word(_) | Self::Choice(_), Value::String(text)) => {
                self.words().contains(&text.as_str()).then(|| value.clone())
            }
            (Self::Flag(_), Value::Boolean(_)) => Some(value.clone()),
            (Self::Chance { .. }, Value::String(text)) => text.parse::<Ratio>().ok().map(ratio),
            (Self::Chance { .. }, Value::Integer(0)) => Some(ratio(Ratio::ZERO)),
            (Self::Chance { .. }, Value::Integer(1)) => Some(ratio(Ratio::ONE)),
            _ => None,
        }
    }

    fn subset(&self, value: &Value) -> Result<Value, String> {
        let list = match value {
            Value::String(text) if text == "swarm" => {
                return Ok(Value::Array(self.words().iter().map(|word| (*word).into()).collect()));
            }
            Value::String(_) => vec![value.clone()],
            Value::Array(items) => items.clone(),
            _ => return Err(value.to_string()),
        };
        let is_known = |item: &&Value| item.as_str().is_some_and(|word| self.words().contains(&word));
        match list.iter().find(|item| !is_known(item)) {
            Some(unknown) => Err(unknown.to_string()),
            None => Ok(Value::Array(list)),
        }
    }

    fn between(&self, low: &str, high: &str) -> Option<Spec> {
        let read = |text: &str| match self {
            Self::Whole { .. } => self.one(&Value::Integer(text.parse().ok()?)),
            _ => self.one(&Value::String(text.to_string())),
        };
        let (low, high) = (read(low)?, read(high)?);
        let ordered = match (&low, &high) {
            (Value::Integer(low), Value::Integer(high)) => low <= high,
            // A range of probabilities has no place for "never": that is what its absence in half the runs is.
            (Value::String(low), Value::String(high)) => {
                let (low, high): (Ratio, Ratio) = (low.parse().ok()?, high.parse().ok()?);
                !low.is_zero() && cross(low, high) <= cross(high, low)
            }
            _ => false,
        };
        ordered.then_some(Spec::Between(low, high))
    }

    /// Draws what is not fixed.
    #[must_use]
    pub fn draw(&self, spec: &Spec, stream: &mut Stream) -> Value {
        match (spec, self) {
            (Spec::Fixed(value), _) => value.clone(),
            (Spec::OneOf(values), _) => values[stream.below(values.len() as u64) as usize].clone(),
            (Spec::Between(Value::Integer(low), Value::Integer(high)), _) => {
                Value::Integer(doubling(*low, *high, stream))
            }
            (Spec::Between(Value::String(low), Value::String(high)), Self::Chance { absent, .. }) => {
                let read = |text: &String| text.parse().unwrap_or(Ratio::ZERO);
                chance(*absent, read(low), read(high), stream)
            }
            (Spec::Swarm, Self::Chance { absent, swarm: (low, high) }) => chance(*absent, *low, *high, stream),
            (Spec::Swarm, Self::Whole { swarm, .. }) => {
                let weights: Vec<u32> = swarm.iter().map(|(_, _, weight)| *weight).collect();
                let (low, high, _) = swarm[stream.weighted(&weights)];
                Value::Integer(doubling(low, high, stream))
            }
            (Spec::Swarm, Self::Word(words)) => {
                let weights: Vec<u32> = words.iter().map(|(_, weight)| *weight).collect();
                Value::String(words[stream.weighted(&weights)].0.to_string())
            }
            (Spec::Swarm, Self::Choice(words)) => {
                Value::String(words[stream.below(words.len() as u64) as usize].to_string())
            }
            (Spec::Swarm, Self::Flag(yes)) => Value::Boolean(stream.chance(*yes)),
            (Spec::Swarm, Self::Set(_) | Self::Names) | (Spec::Between(..), _) => {
                unreachable!("only numbers and probabilities have ranges, and the swarm of a set is the whole of it")
            }
        }
    }
}

fn ratio(ratio: Ratio) -> Value {
    Value::String(ratio.to_string())
}

/// `a` as a multiple of a common denominator with `b`.
fn cross(a: Ratio, b: Ratio) -> u64 {
    u64::from(a.numerator) * u64::from(b.denominator)
}

/// Absent, or once in so many times, every doubling of "so many" alike.
fn chance(absent: Ratio, low: Ratio, high: Ratio, stream: &mut Stream) -> Value {
    if stream.chance(absent) {
        return ratio(Ratio::ZERO);
    }
    let times = |ratio: Ratio| i64::from(ratio.denominator.div_ceil(ratio.numerator.max(1)));
    let denominator = doubling(times(high), times(low), stream);
    ratio(Ratio::new(1, u32::try_from(denominator).unwrap_or(u32::MAX)))
}

/// A number in `low..=high`: each doubling of `low` is as likely as the next, and within one all are alike.
fn doubling(low: i64, high: i64, stream: &mut Stream) -> i64 {
    if low < 1 {
        return low + stream.log_uniform(0, (high - low) as u64) as i64;
    }
    let (low, high) = (low as u64, high as u64);
    let doublings = (high / low).ilog2();
    let bottom = low << stream.below(u64::from(doublings) + 1);
    let top = (bottom * 2 - 1).min(high);
    (bottom + stream.below(top - bottom + 1)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Domain = Domain::Whole { min: 1, max: 64, swarm: Cow::Borrowed(&[(1, 1, 1), (2, 4, 10), (5, 16, 3)]) };
    const CHANCE: Domain = Domain::Chance {
        absent: Ratio { numerator: 1, denominator: 2 },
        swarm: (Ratio::new(1, 10_000), Ratio::new(1, 100)),
    };
    const WORD: Domain = Domain::Word(&[("hot", 1), ("cold", 1), ("ascending", 0)]);

    fn draws(domain: &Domain, written: &str, count: u64) -> Vec<Value> {
        let table: toml::Table = format!("v = {written}").parse().unwrap();
        let spec = domain.check(&table["v"]).unwrap();
        (0..count).map(|seed| domain.draw(&spec, &mut Stream::new(seed, "test", 0))).collect()
    }

    #[test]
    fn a_value_outside_the_domain_is_refused() {
        let check = |domain: &Domain, written: &str, expected: Option<&str>| {
            let table: toml::Table = format!("v = {written}").parse().unwrap();
            assert_eq!(domain.check(&table["v"]).err().as_deref(), expected, "{written}");
        };
        check(&WHOLE, "1", None);
        check(&WHOLE, "\"1..64\"", None);
        check(&WHOLE, "\"1..=64\"", None);
        check(&WHOLE, "[1, 64]", None);
        check(&WHOLE, "\"swarm\"", None);
        check(&WHOLE, "0", Some("0"));
        check(&WHOLE, "65", Some("65"));
        check(&WHOLE, "\"1..65\"", Some("\"1..65\""));
        check(&WHOLE, "\"9..3\"", Some("\"9..3\""));
        check(&WHOLE, "[]", Some("[]"));
        check(&WHOLE, "[1, 70]", Some("70"));
        check(&WHOLE, "1.5", Some("1.5"));
        check(&WHOLE, "true", Some("true"));
        check(&CHANCE, "\"1/1000\"", None);
        check(&CHANCE, "0", None);
        check(&CHANCE, "\"1/1000..1/10\"", None);
        check(&CHANCE, "\"3/2\"", Some("\"3/2\""));
        check(&CHANCE, "\"1/0\"", Some("\"1/0\""));
        check(&CHANCE, "\"1/10..1/1000\"", Some("\"1/10..1/1000\""));
        check(&CHANCE, "\"0/1..1/1000\"", Some("\"0/1..1/1000\""));
        check(&CHANCE, "0.001", Some("0.001"));
        check(&WORD, "\"hot\"", None);
        check(&WORD, "\"hott\"", Some("\"hott\""));
        check(&Domain::Flag(Ratio::ONE), "\"yes\"", Some("\"yes\""));
    }

    #[test]
    fn draws_stay_within_what_was_written_and_reach_its_ends() {
        let numbers = |written, count| -> Vec<i64> {
            draws(&WHOLE, written, count).into_iter().map(|value| value.as_integer().unwrap()).collect()
        };
        let range = numbers("\"3..17\"", 400);
        assert!(range.iter().all(|n| (3..=17).contains(n)) && range.contains(&3) && range.contains(&17));
        assert!(numbers("[5, 9]", 40).iter().all(|n| [5, 9].contains(n)));
        assert_eq!(numbers("7", 3), [7, 7, 7]);
        // Ten in fourteen: 400 draws have a mean of 286 and a standard deviation of 9.
        let few = numbers("\"swarm\"", 400).into_iter().filter(|n| (2..=4).contains(n)).count();
        assert!((240..330).contains(&few), "{few}");
        assert!(draws(&WORD, "\"swarm\"", 60).iter().all(|word| word.as_str() != Some("ascending")));
    }

    #[test]
    fn a_fault_given_as_a_range_is_absent_in_half_of_the_runs() {
        // 400 draws: the standard deviation is 10, so 6 of them on either side.
        for written in ["\"swarm\"", "\"1/10000..1/100\""] {
            let values = draws(&CHANCE, written, 400);
            let absent = values.iter().filter(|value| value.as_str() == Some("0/1")).count();
            assert!((140..260).contains(&absent), "{absent}");
            for value in values {
                let ratio: Ratio = value.as_str().unwrap().parse().unwrap();
                assert!(ratio.is_zero() || (100..=10_000).contains(&ratio.denominator));
            }
        }
    }

    #[test]
    fn every_doubling_is_as_likely_as_the_next() {
        let mut stream = Stream::new(1, "doubling", 0);
        let numbers: Vec<i64> = (0..4000).map(|_| doubling(100, 1599, &mut stream)).collect();
        // Four doublings of 1000 each, with a standard deviation of 27.
        let low = numbers.iter().filter(|&&n| n < 200).count();
        assert!((840..1160).contains(&low), "{low}");
        assert!(numbers.iter().all(|n| (100..=1599).contains(n)));
        assert_eq!(doubling(0, 0, &mut stream), 0);
    }
}
