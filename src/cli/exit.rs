//! How a verb ends.

use std::fmt;

/// An exit code. Where several apply, the one further up in [`Exit::worst`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit(pub(super) u8);

impl Exit {
    pub(super) const HELD: Self = Self(0);
    pub(super) const FINDING: Self = Self(1);
    pub(super) const USAGE: Self = Self(2);
    pub(super) const NONDETERMINISM: Self = Self(3);
    pub(super) const NOTHING_RAN: Self = Self(4);
    pub(super) const INCONCLUSIVE: Self = Self(5);
    pub(super) const STALE: Self = Self(6);
    pub(super) const OWN_FAILURE: Self = Self(70);
    pub(super) const INTERRUPTED: Self = Self(130);
    pub(super) const TERMINATED: Self = Self(143);

    /// The one that counts when several apply.
    pub(super) fn worst(codes: impl IntoIterator<Item = Self>) -> Self {
        let order = [
            Self::INTERRUPTED,
            Self::TERMINATED,
            Self::OWN_FAILURE,
            Self::USAGE,
            Self::NONDETERMINISM,
            Self::FINDING,
            Self::STALE,
            Self::INCONCLUSIVE,
            Self::NOTHING_RAN,
        ];
        let codes: Vec<Self> = codes.into_iter().collect();
        order.into_iter().find(|code| codes.contains(code)).unwrap_or(Self::HELD)
    }
}

/// Why a verb could not do what was asked: the user or the machine is wrong, or we are.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) error: anyhow::Error,
}

impl Failure {
    /// What was asked for makes no sense.
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::USAGE, error: error.into() }
    }

    /// It made sense and could not be done.
    pub(super) fn own(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::OWN_FAILURE, error: error.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_code_counts() {
        let check = |codes: &[Exit], expected: Exit| assert_eq!(Exit::worst(codes.iter().copied()), expected);
        check(&[], Exit::HELD);
        check(&[Exit::HELD, Exit::NOTHING_RAN], Exit::NOTHING_RAN);
        check(&[Exit::INCONCLUSIVE, Exit::FINDING], Exit::FINDING);
        check(&[Exit::FINDING, Exit::NONDETERMINISM], Exit::NONDETERMINISM);
        check(&[Exit::STALE, Exit::INCONCLUSIVE], Exit::STALE);
        check(&[Exit::FINDING, Exit::INTERRUPTED], Exit::INTERRUPTED);
    }
}
