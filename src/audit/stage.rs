//! An engine and its connections, driven by hand: who goes on when is decided by the trial.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::hub::Hub;
use crate::aio::{Completion, IOResult, Label};
use crate::engine::{Connection, Engine, EngineError, Env, Family, Options, Reply, Role};
use crate::history::{Call, Outcome};
use crate::workload::Workload;

/// Steps after which an operation is taken never to end.
const STEPS_MAX: u32 = 50_000;
/// Polls in a row after which a waiting connection is left alone until another has moved.
const SPINS_MAX: u32 = 64;

/// What came of an operation, or of looking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Answer(Outcome),
    /// What the engine's own check complains about.
    Problems(Vec<String>),
    /// It waits for what nobody will do.
    Stuck(String),
    /// It goes on for ever.
    Endless,
    Panic(String),
    /// The engine does not open.
    Closed(String),
}

impl Said {
    pub(super) const fn is_ok(&self) -> bool {
        matches!(self, Self::Answer(Outcome::Ok(_)) | Self::Problems(_))
    }

    /// Nothing that comes after it means anything.
    pub(super) const fn is_the_end(&self) -> bool {
        matches!(self, Self::Stuck(_) | Self::Endless | Self::Panic(_) | Self::Closed(_))
    }
}

/// Which part of a trial something was seen in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Earlier operations of the same transaction.
    Before,
    Target,
    /// Later operations of the same transaction.
    Rest,
    /// What another connection asked meanwhile.
    Meanwhile,
    ReadBack,
    Follow(usize),
    ReadAgain,
    Check,
    Reopened,
    CheckReopened,
    ReadReopened,
}

impl Part {
    pub(super) const fn is_after_restart(self) -> bool {
        matches!(self, Self::Reopened | Self::CheckReopened | Self::ReadReopened)
    }
}

/// Something seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) part: Part,
    pub(super) call: Option<Call>,
    pub(super) said: Said,
}

/// What a trial needs to know of the world.
pub(super) struct Setting<'a, F: Family> {
    pub(super) workload: &'a dyn Workload<F>,
    pub(super) options: &'a Options,
}

/// Why a connection has stopped for now.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    /// It asked others to go first; `true` where it polls.
    Polite(Label, bool),
    /// It waits for something that is not finished.
    Blocked(Label),
    /// It has been answered.
    Answered,
    /// It has nothing to ask.
    Idle,
}

/// A connection and what it will ask.
pub(super) struct Player<F: Family, C> {
    connection: C,
    id: u16,
    ordinal: u32,
    waiting: Option<Completion>,
    running: Option<(Part, F::Op)>,
    queue: VecDeque<(Part, F::Op)>,
    open: bool,
    rolling_back: bool,
}

/// An open engine.
pub(super) struct Stage<'a, F: Family, E: Engine<F>> {
    pub(super) hub: Arc<Hub>,
    setting: &'a Setting<'a, F>,
    engine: Option<E>,
    players: u16,
    pub(super) seen: Vec<Seen>,
}

impl<'a, F: Family, E: Engine<F>> Stage<'a, F, E> {
    pub(super) const fn new(setting: &'a Setting<'a, F>, hub: Arc<Hub>) -> Self {
        Self { hub, setting, engine: None, players: 0, seen: Vec::new() }
    }

    /// Whether nothing that follows can mean anything.
    pub(super) fn is_over(&self) -> bool {
        self.seen.last().is_some_and(|seen| seen.said.is_the_end())
    }

    pub(super) fn note(&mut self, part: Part, call: Option<Call>, said: Said) {
        self.seen.push(Seen { part, call, said });
    }

    /// Builds the engine; nothing has been opened yet.
    pub(super) fn build(&mut self) -> Result<(), Said> {
        let env = Env { io: self.hub.io(), options: self.setting.options.clone() };
        self.engine = Some(caught(|| E::new(&env))?.map_err(|error| Said::Closed(error.to_string()))?);
        Ok(())
    }

    /// Goes on with opening: done, or where it waits.
    pub(super) fn open_step(&mut self) -> Result<Option<Completion>, Said> {
        self.hub.set_issuer(crate::tape::ENGINE, 0);
        let engine = self.engine.as_mut().expect("it has been built");
        match caught(|| engine.open())? {
            Ok(IOResult::Done(())) => Ok(None),
            Ok(IOResult::IO(io)) => Ok(Some(io.into_completion())),
            Err(error) => Err(Said::Closed(error.to_string())),
        }
    }

    /// Opens it without looking. False when it does not open, which has then been noted.
    pub(super) fn open(&mut self, part: Part) -> bool {
        let outcome = self.build().and_then(|()| {
            for _ in 0..STEPS_MAX {
                match self.open_step()? {
                    None => return Ok(()),
                    Some(completion) => self.wait_for(&completion)?,
                }
            }
            Err(Said::Endless)
        });
        match outcome {
            Ok(()) => true,
            Err(said) => {
                self.note(part, None, said);
                false
            }
        }
    }

    /// What is waited for, brought about.
    pub(super) fn wait_for(&self, completion: &Completion) -> Result<(), Said> {
        self.hub.tick();
        if completion.finished() || self.hub.release(None) || self.hub.advance() {
            return Ok(());
        }
        Err(Said::Stuck(format!("{:?}", completion.label())))
    }

    /// A new connection.
    pub(super) fn connect(&mut self) -> Result<Player<F, E::Connection>, Said> {
        let id = self.players;
        self.players += 1;
        let engine = self.engine.as_mut().expect("it is open");
        let connection = caught(|| engine.connect())?.map_err(|error| Said::Closed(error.to_string()))?;
        let (running, queue) = (None, VecDeque::new());
        Ok(Player { connection, id, ordinal: 0, waiting: None, running, queue, open: false, rolling_back: false })
    }

    /// Lets a player go on until it waits, has been answered, or has nothing to ask.
    pub(super) fn turn(&mut self, player: &mut Player<F, E::Connection>) -> Turn {
        if let Some(waiting) = &player.waiting
            && !waiting.finished()
        {
            return Turn::Blocked(*waiting.label());
        }
        player.waiting = None;
        self.hub.tick();
        let Player { connection, running, queue, .. } = player;
        let step = if running.is_none() {
            let Some(next) = queue.pop_front() else { return Turn::Idle };
            player.ordinal += 1;
            self.hub.set_issuer(player.id, player.ordinal);
            let op = &running.insert(next).1;
            caught(|| {
                connection.start(op);
                connection.step()
            })
        } else {
            self.hub.set_issuer(player.id, player.ordinal);
            caught(|| connection.step())
        };
        let said = match step {
            Ok(Ok(IOResult::IO(io))) => {
                let completion = io.into_completion();
                let label = *completion.label();
                if completion.finished() {
                    return Turn::Polite(label, completion.is_spin());
                }
                player.waiting = Some(completion);
                return Turn::Blocked(label);
            }
            Ok(Ok(IOResult::Done(reply))) => Said::Answer(self.outcome(&player.running, reply)),
            Ok(Err(EngineError { class, .. })) => Said::Answer(Outcome::Unknown(class)),
            Err(panic) => panic,
        };
        self.answered(player, said);
        Turn::Answered
    }

    fn outcome(&self, running: &Option<(Part, F::Op)>, reply: Reply<F::Value>) -> Outcome {
        let (_, op) = running.as_ref().expect("an operation is under way");
        match reply {
            Reply::Ok(value) | Reply::Committed(value, _) => Outcome::Ok(self.setting.workload.output(op, &value)),
            Reply::Refused(class) => Outcome::Refused(class),
            Reply::Unknown(class) => Outcome::Unknown(class),
        }
    }

    fn answered(&mut self, player: &mut Player<F, E::Connection>, said: Said) {
        let (part, op) = player.running.take().expect("an operation is under way");
        let ok = said.is_ok();
        match F::role(&op) {
            Role::Begin => player.open = ok,
            Role::Commit | Role::Rollback => player.open = false,
            Role::Member | Role::Maintenance => {}
        }
        if !player.rolling_back || said.is_the_end() {
            self.note(part, Some(self.setting.workload.call(&op)), said);
        }
        player.rolling_back = false;
        if !ok {
            player.queue.clear();
            if player.open
                && let Some(rollback) = F::rollback()
            {
                player.rolling_back = true;
                player.queue.push_back((part, rollback));
            }
        }
    }

    /// The client gives up the operation under way.
    pub(super) fn abandon(&mut self, player: &mut Player<F, E::Connection>) {
        let connection = &mut player.connection;
        let given_up = caught(|| connection.abandon());
        let (part, op) = player.running.take().expect("an operation is under way");
        player.waiting = None;
        player.queue.clear();
        player.open = false;
        let said = given_up.err().unwrap_or(Said::Answer(Outcome::Unknown(crate::history::Class::Interrupted)));
        self.note(part, Some(self.setting.workload.call(&op)), said);
    }

    /// Lets a player go on to the end of what it has to ask; others stand still.
    pub(super) fn finish(&mut self, player: &mut Player<F, E::Connection>) {
        self.finish_both(player, None);
    }

    /// Lets both go on, the first whenever it can.
    pub(super) fn finish_both(
        &mut self,
        first: &mut Player<F, E::Connection>,
        mut second: Option<&mut Player<F, E::Connection>>,
    ) {
        let mut spins = 0;
        for _ in 0..STEPS_MAX {
            if self.is_over() {
                return;
            }
            let label = match self.turn(first) {
                Turn::Answered | Turn::Polite(_, false) => continue,
                Turn::Polite(label, true) => {
                    spins += 1;
                    if spins < SPINS_MAX {
                        continue;
                    }
                    label
                }
                Turn::Blocked(label) => label,
                Turn::Idle => match second.take() {
                    None => return,
                    Some(other) => {
                        self.finish_both(other, None);
                        return;
                    }
                },
            };
            let moved = match second.as_deref_mut() {
                Some(other) => !matches!(self.turn(other), Turn::Blocked(_) | Turn::Idle),
                None => false,
            };
            if moved || self.hub.release(None) || self.hub.advance() || spins > 0 {
                // Who polls goes on when somebody has moved, or time has passed.
                spins = 0;
                continue;
            }
            let said = Said::Stuck(format!("{label:?}"));
            self.answered(first, said);
            return;
        }
        if first.running.is_some() {
            self.answered(first, Said::Endless);
        }
    }

    /// Asks one thing after the other, to the end.
    pub(super) fn ask(&mut self, player: &mut Player<F, E::Connection>, part: Part, ops: &[F::Op]) {
        player.push(part, ops);
        self.finish(player);
    }

    /// The engine's own check.
    pub(super) fn check(&mut self, part: Part) {
        self.hub.set_issuer(crate::tape::ENGINE, 1);
        for _ in 0..STEPS_MAX {
            let engine = self.engine.as_mut().expect("it is open");
            let said = match caught(|| engine.check()) {
                Ok(Ok(IOResult::IO(io))) => match self.wait_for(io.completion()) {
                    Ok(()) => continue,
                    Err(stuck) => stuck,
                },
                Ok(Ok(IOResult::Done(problems))) => Said::Problems(problems),
                Ok(Err(error)) => Said::Problems(vec![format!("the check could not be made: {error}")]),
                Err(panic) => panic,
            };
            return self.note(part, None, said);
        }
        self.note(part, None, Said::Endless);
    }

    /// The process is killed.
    pub(super) fn kill(&mut self, players: Vec<Player<F, E::Connection>>) {
        self.hub.freeze();
        for player in players {
            let _ = caught(|| player.connection.crash());
        }
        if let Some(engine) = self.engine.take() {
            let _ = caught(|| engine.crash());
        }
        self.hub.kill();
    }
}

impl<F: Family, C> Player<F, C> {
    pub(super) fn push(&mut self, part: Part, ops: &[F::Op]) {
        self.queue.extend(ops.iter().map(|op| (part, op.clone())));
    }

    /// Whether an operation is under way.
    pub(super) const fn is_running(&self) -> bool {
        self.running.is_some()
    }
}

/// The engine's panics are what it says, not ours.
fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Said> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        Said::Panic(text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into()))
    })
}
