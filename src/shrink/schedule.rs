//! Schedules with fewer context switches.
//!
//! Two ways. The one straightens what is there: segments are left out, pulled together, swapped. The other
//! begins anew: from the schedule in which one connection after the other does all it has to do, leave the calm
//! choice at one turn, then at two (Musuvathi and Qadeer, *Iterative Context Bounding for Systematic Testing of
//! Multithreaded Programs*, PLDI 2007). The second is dear and finds the least; so it is bounded, and comes last.

use std::collections::BTreeSet;

use super::passes::in_chunks;
use super::{Search, Subject, plan};
use crate::scenario::RunError;
use crate::tape::{Actor, Decisions, ENGINE, Segment};

/// Runs that one search from the calm schedule may cost.
const EXPLORED_MAX: u64 = 1_500;
/// Schedules that leave the calm choice so often are looked for.
const DEPTH_MAX: usize = 3;

/// Fewer context switches: leave segments out, or let an actor go on where it is interrupted.
pub(super) fn straighten(search: &mut Search<'_>) -> Result<bool, RunError> {
    let len = search.best().decisions.schedule.len();
    let mut kept = in_chunks(search, len, |subject, range| {
        // The schedule has become shorter since the pass began.
        let end = range.end.min(subject.decisions.schedule.len());
        if range.start < end {
            subject.decisions.schedule.drain(range.start..end);
        }
        range.start < end
    })?;
    let mut at = 0;
    while at + 1 < search.best().decisions.schedule.len() && !search.is_over() {
        let proposals = [pull_block(search.best(), at), pull_together(search.best(), at), swap(search.best(), at)];
        let mut any = false;
        for proposal in proposals.into_iter().flatten() {
            any = any || search.propose(&proposal)?;
        }
        kept |= any;
        if !any {
            at += 1;
        }
    }
    Ok(kept)
}

/// At the end of a connection's block, its next block is pulled to it: a switch less on either side.
fn pull_block(subject: &Subject, at: usize) -> Option<Subject> {
    let schedule = &subject.decisions.schedule;
    let of = |index: usize| schedule.get(index).and_then(|segment: &Segment| segment.actor.connection());
    let connection = of(at).filter(|&connection| connection != ENGINE)?;
    if of(at + 1) == Some(connection) {
        return None;
    }
    let from = (at + 1..schedule.len()).find(|&index| of(index) == Some(connection))?;
    let to = (from..schedule.len()).find(|&index| of(index) != Some(connection)).unwrap_or(schedule.len());
    let mut proposal = subject.clone();
    let block: Vec<Segment> = proposal.decisions.schedule.drain(from..to).collect();
    proposal.decisions.schedule.splice(at + 1..at + 1, block);
    merge(&mut proposal.decisions.schedule);
    Some(proposal)
}

/// `a b a` becomes `aa b`: the actor's next segment is pulled to this one.
fn pull_together(subject: &Subject, at: usize) -> Option<Subject> {
    let schedule = &subject.decisions.schedule;
    let actor = schedule[at].actor;
    let next = (at + 2..schedule.len()).find(|&later| schedule[later].actor == actor)?;
    let mut proposal = subject.clone();
    let turns = proposal.decisions.schedule.remove(next).turns;
    proposal.decisions.schedule[at].turns += turns;
    merge(&mut proposal.decisions.schedule);
    Some(proposal)
}

/// `a b c` becomes `a c b`, where that lets two segments of one actor meet.
fn swap(subject: &Subject, at: usize) -> Option<Subject> {
    let mut proposal = subject.clone();
    let schedule = &mut proposal.decisions.schedule;
    let before = schedule.len();
    schedule.swap(at, at + 1);
    merge(schedule);
    (schedule.len() < before).then_some(proposal)
}

fn merge(schedule: &mut Vec<Segment>) {
    schedule.dedup_by(|next, kept| {
        let same = next.actor == kept.actor && next.actor != Actor::Crash;
        if same {
            kept.turns = kept.turns.saturating_add(next.turns);
        }
        same
    });
}

/// From the calm schedule, leave the calm choice at ever more turns until the failure shows.
pub(super) fn from_calm(search: &mut Search<'_>) -> Result<bool, RunError> {
    let mut budget = EXPLORED_MAX.min(search.replays_left() / 2);
    let calm = Decisions { schedule: Vec::new(), draws: search.best().decisions.draws.clone() };
    let calm = Subject { plan: search.best().plan.clone(), decisions: calm };
    let Some((kept, tried)) = search.explore(&calm)? else { return Ok(false) };
    if kept || tried.fails {
        return Ok(kept);
    }
    let others = others(search.best());
    let mut seen = BTreeSet::from([tried.result.hash.0]);
    let mut frontier = vec![(tried.subject, 0)];
    for _ in 0..DEPTH_MAX.min(search.size().switches + search.size().crashes) {
        let mut next = Vec::new();
        for (subject, from) in &frontier {
            for turn in *from..subject.decisions.turns() {
                for &other in &others {
                    let Some(proposal) = leave(subject, turn, other) else { continue };
                    if budget == 0 {
                        return Ok(false);
                    }
                    budget -= 1;
                    let Some((kept, tried)) = search.explore(&proposal)? else { return Ok(false) };
                    if kept {
                        return Ok(true);
                    }
                    if seen.insert(tried.result.hash.0) {
                        next.push((tried.subject, turn + 1));
                    }
                }
            }
        }
        frontier = next;
    }
    Ok(false)
}

/// Who may go first instead.
fn others(best: &Subject) -> Vec<Actor> {
    let asks = plan::connections(&best.plan).filter(|(_, list)| !list.iter().all(plan::is_empty));
    let mut others: Vec<Actor> = asks.filter_map(|(name, _)| name.parse().ok()).collect();
    if best.decisions.schedule.iter().any(|segment| segment.actor == Actor::Crash) {
        others.push(Actor::Crash);
    }
    others
}

/// The schedule up to a turn, and then somebody else.
fn leave(subject: &Subject, turn: u64, other: Actor) -> Option<Subject> {
    let (mut schedule, next) = prefix(&subject.decisions.schedule, turn);
    // Where it would have been its turn anyhow, or the engine's own, nothing is left.
    if next.is_none_or(|next| next == other || next.connection() == Some(ENGINE)) {
        return None;
    }
    schedule.push(Segment { actor: other, turns: 1 });
    merge(&mut schedule);
    let decisions = Decisions { schedule, draws: subject.decisions.draws.clone() };
    Some(Subject { plan: subject.plan.clone(), decisions })
}

/// The first turns of a schedule, and who has the next.
pub(crate) fn prefix(schedule: &[Segment], turns: u64) -> (Vec<Segment>, Option<Actor>) {
    let mut left = turns;
    let mut kept = Vec::new();
    for segment in schedule {
        if left == 0 {
            return (kept, Some(segment.actor));
        }
        let taken = left.min(u64::from(segment.turns));
        kept.push(Segment { actor: segment.actor, turns: taken as u32 });
        left -= taken;
        if taken < u64::from(segment.turns) {
            return (kept, Some(segment.actor));
        }
    }
    (kept, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schedule: &str, change: impl Fn(&Subject) -> Option<Subject>, expected: Option<&str>) {
        let decisions = Decisions::parse(schedule, "").unwrap();
        let changed = change(&Subject { plan: toml::Table::new(), decisions });
        assert_eq!(changed.map(|subject| subject.decisions.schedule_text()).as_deref(), expected);
    }

    #[test]
    fn a_block_is_pulled_to_the_connection_s_earlier_one_with_its_io() {
        let pull = |subject: &Subject| pull_block(subject, 0);
        check("c0*2 c1 c1/op0/io0 c0 c0/op1/io0 c1", pull, Some("c0*3 c0/op1/io0 c1 c1/op0/io0 c1"));
        check("c0 c0/op0/io0 c1 c0", pull, None);
        check("c0 c1", pull, None);
        check("engine c0 engine", pull, None);
    }

    #[test]
    fn a_schedule_is_left_at_a_turn_for_somebody_else() {
        let at = |turn| move |subject: &Subject| leave(subject, turn, Actor::Connection(1));
        check("c0*3 c1*2", at(2), Some("c0*2 c1"));
        check("c0*3 c1*2", at(3), None);
        check("engine*3 c0", at(1), None);
        check("c0*3", at(3), None);
        check("c0*3 c1*2 c0", at(5), Some("c0*3 c1*3"));
    }
}
