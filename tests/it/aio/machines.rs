//! State machines and the answers of re-entrant functions: case 17 of the table, and the macros' errors.

use std::panic::catch_unwind;

use squall::aio::{
    Completion, CompletionError, IOCompletions, IOResult, Resource, StateMachine, StateTransition, TransitionResult,
};
use squall::{return_and_restore_if_io, return_if_io};

/// Takes `0` silent transitions, then yields once, then gives the number of transitions.
struct Countdown {
    silent: u32,
    taken: u32,
    yielded: bool,
}

impl StateTransition for Countdown {
    type Output = u32;
    type Error = CompletionError;
    type Context = Vec<u32>;

    fn transition(&mut self, seen: &mut Vec<u32>) -> Result<TransitionResult<u32>, CompletionError> {
        self.taken += 1;
        seen.push(self.taken);
        if self.taken <= self.silent {
            return Ok(TransitionResult::Continue);
        }
        if !std::mem::replace(&mut self.yielded, true) {
            return Ok(TransitionResult::Io(IOCompletions::Single(Completion::new_yield())));
        }
        Ok(TransitionResult::Done(self.taken))
    }
}

fn countdown() -> StateMachine<Countdown> {
    StateMachine::new(Countdown { silent: 3, taken: 0, yielded: false })
}

#[test]
fn a_state_machine_loops_on_continue_returns_on_io_and_goes_on_at_the_next_step() {
    let (mut machine, mut seen) = (countdown(), Vec::new());
    assert!(machine.step(&mut seen).expect("no error").is_io());
    assert_eq!((seen.as_slice(), machine.is_done()), ([1, 2, 3, 4].as_slice(), false));
    assert!(matches!(machine.step(&mut seen), Ok(IOResult::Done(5))));
    assert!(machine.is_done());
}

// Case 17.
#[test]
fn a_state_machine_stepped_after_done_panics_with_its_name() {
    let panic = catch_unwind(|| {
        let (mut machine, mut seen) = (countdown(), Vec::new());
        while machine.step(&mut seen).expect("no error").is_io() {}
        machine.step(&mut seen).map(|_| ())
    })
    .expect_err("it refuses");
    let message = panic.downcast_ref::<String>().expect("a formatted message");
    assert!(message.contains("machines::Countdown` was stepped after it was done"), "{message}");
}

#[test]
fn to_wait_answers_io_with_the_handle_itself_until_it_has_finished() {
    let write = Completion::write().touching(Resource::write("page", 7));
    let io = write.wait().expect("no error").io().expect("it waits").into_completion();
    assert_eq!((io.label().resource(), io.label().sites().count()), (Resource::write("page", 7), 2));
    write.complete(3);
    assert!(io.finished());
    assert!(matches!(write.wait(), Ok(IOResult::Done(3))));
    let failed = Completion::write();
    failed.abort();
    assert_eq!(failed.wait().map(|_| ()), Err(CompletionError::Aborted));
}

#[derive(Debug, PartialEq)]
struct OwnError(String);

impl From<CompletionError> for OwnError {
    fn from(error: CompletionError) -> Self {
        Self(error.to_string())
    }
}

#[test]
fn return_if_io_gives_the_value_passes_the_wait_and_turns_the_error_into_the_functions_own() {
    fn twice(completion: &Completion) -> Result<IOResult<usize>, OwnError> {
        let bytes = return_if_io!(completion.wait());
        Ok(IOResult::Done(2 * bytes))
    }
    let (good, bad) = (Completion::write(), Completion::write());
    assert!(twice(&good).expect("no error").is_io());
    good.complete(21);
    bad.error(CompletionError::Rejected("no"));
    assert!(matches!(twice(&good), Ok(IOResult::Done(42))));
    assert_eq!(twice(&bad).err(), Some(OwnError("no".into())));
}

#[test]
fn return_and_restore_puts_the_state_back_on_io_and_on_an_error_and_not_on_a_value() {
    fn step(field: &mut Vec<u8>, completion: &Completion) -> Result<IOResult<usize>, OwnError> {
        let saved = std::mem::take(field);
        let bytes = return_and_restore_if_io!(*field, saved, completion.wait());
        Ok(IOResult::Done(bytes + saved.len()))
    }
    let (mut field, completion) = (vec![1, 2], Completion::write());
    assert!(step(&mut field, &completion).expect("no error").is_io());
    assert_eq!(field, [1, 2]);
    let failed = Completion::write();
    failed.abort();
    assert_eq!(step(&mut field, &failed).err(), Some(OwnError("aborted".into())));
    assert_eq!(field, [1, 2]);
    completion.complete(5);
    assert!(matches!(step(&mut field, &completion), Ok(IOResult::Done(7))));
    assert!(field.is_empty());
}

#[test]
fn an_answer_is_mapped_and_asked() {
    let done: IOResult<u32> = IOResult::Done(20);
    assert!(!done.is_io());
    assert!(matches!(done.map(|value| value + 1), IOResult::Done(21)));
    let write = Completion::write();
    let io: IOResult<u32> = IOResult::IO(IOCompletions::Single(write.clone()));
    let io = io.map(|value| value + 1).io().expect("it waits");
    assert!(!io.finished());
    write.complete(1);
    assert!(io.finished() && io.into_completion().succeeded());
    assert!(IOResult::Done(1).io().is_none());
}
