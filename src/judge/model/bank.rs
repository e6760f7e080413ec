//! A bank: transfers between accounts and reads of all balances.
//!
//! A bank is one object, because a read sees all accounts. The cheap check that the total never
//! changes is [`crate::judge::total`]; this model also wants the reads in real-time order.

use std::sync::Arc;

use super::{Call, Function, Model, Values, is_flag_or_null, no_such, outcome_is};

/// Most accounts a bank may have; more is taken for a mistake in the history.
const ACCOUNTS_MAX: i64 = 65_536;

/// A bank. `transfer` of `[from, to, amount]` answers true or null when done, false when refused
/// (which is always allowed and changes nothing); `read` gives the balances of accounts 0, 1, ….
#[derive(Debug, Clone, Default)]
pub struct Bank {
    /// The balances at the start; `None` when they are not known, then the first read tells them.
    pub initial: Option<Vec<i64>>,
    /// Whether a transfer that would leave less than nothing is a violation.
    pub no_overdraft: bool,
}

/// Balances, or, while those at the start are unknown, what was added to them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Balances {
    /// Whether these are balances rather than changes.
    pub known: bool,
    /// One number an account; accounts after the last were never touched.
    pub accounts: Arc<[i64]>,
}

impl Model for Bank {
    type State = Balances;

    fn name(&self) -> &'static str {
        "bank"
    }

    fn initial(&self) -> Balances {
        Balances { known: self.initial.is_some(), accounts: self.initial.clone().unwrap_or_default().into() }
    }

    fn accepts(&self, call: &Call<'_>) -> Result<(), String> {
        match call.f() {
            Function::Transfer => {
                transfer(call).ok_or_else(|| {
                    format!("the value of transfer is [from, to, amount], not {}", call.values.show(call.value()))
                })?;
                outcome_is(call, "true, false or null", is_flag_or_null)
            }
            Function::Read => outcome_is(call, "a list of balances", |out| {
                let items = call.values.items(out);
                items.is_some_and(|items| items.iter().all(|item| item.int().is_some()))
            }),
            _ => Err(no_such(self.name(), call, "transfer, read")),
        }
    }

    fn step(&self, state: &Balances, call: &Call<'_>) -> Option<Balances> {
        if call.f() == Function::Read {
            return self.read(state, call);
        }
        if call.out() == Some(false.into()) {
            return Some(state.clone());
        }
        let (from, to, amount) = transfer(call)?;
        let mut accounts = state.accounts.to_vec();
        if !state.known && accounts.len() <= from.max(to) {
            accounts.resize(from.max(to) + 1, 0);
        }
        let source = accounts.get_mut(from)?;
        *source = source.wrapping_sub(amount);
        if self.no_overdraft && state.known && *source < 0 {
            return call.out().is_none().then(|| state.clone());
        }
        let target = accounts.get_mut(to)?;
        *target = target.wrapping_add(amount);
        Some(Balances { known: state.known, accounts: accounts.into() })
    }

    fn reads_only(&self, call: &Call<'_>) -> bool {
        let refused = call.f() == Function::Transfer && call.out() == Some(false.into());
        refused || (call.f() == Function::Read && self.initial.is_some())
    }

    fn blind(&self, call: &Call<'_>) -> bool {
        call.f() == Function::Transfer && !self.no_overdraft
    }

    fn state_bytes(&self, state: &Balances) -> usize {
        48 + size_of_val(&*state.accounts)
    }

    fn show(&self, state: &Balances, _values: &Values) -> String {
        let kind = if state.known { "" } else { "unknown balances plus " };
        format!("{kind}{:?}", state.accounts)
    }
}

impl Bank {
    /// A read of known balances must give them; the first read of unknown ones makes them known.
    fn read(&self, state: &Balances, call: &Call<'_>) -> Option<Balances> {
        let Some(items) = call.out().and_then(|out| call.values.items(out)) else {
            return Some(state.clone());
        };
        let read: Vec<i64> = items.iter().filter_map(|item| item.int()).collect();
        if state.known {
            return (*read == *state.accounts).then(|| state.clone());
        }
        // An account that was touched but is not among the balances read does not exist.
        (read.len() >= state.accounts.len()).then(|| Balances { known: true, accounts: read.into() })
    }
}

/// The parts of a transfer's value.
fn transfer(call: &Call<'_>) -> Option<(usize, usize, i64)> {
    let items = call.values.items(call.value())?;
    let &[from, to, amount] = items else {
        return None;
    };
    let account = |value: super::Value| {
        let n = value.int()?;
        (0..ACCOUNTS_MAX).contains(&n).then_some(n as usize)
    };
    Some((account(from)?, account(to)?, amount.int()?))
}
