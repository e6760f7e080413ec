//! What a failure needs, where it became likely and the nearest run that passes, in lines of text.

use super::failure::{Failure, Likelihood};
use crate::explain::{Mark, Nearest, Necessity, NoReturn, Point};

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The lines; none when nobody has found out.
pub(super) fn lines(failure: &Failure) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(failure.necessity.as_ref().map(needed));
    lines.extend(failure.likelihood.iter().flat_map(likely));
    lines.extend(failure.nearest.as_ref().map(nearest));
    lines
}

fn needed(necessity: &Necessity) -> String {
    let of = necessity.marks.len();
    let needed = necessity.marks.iter().filter(|mark| mark.necessary);
    let turn = |mark: &Mark| mark.turn.map_or_else(|| "?".to_string(), |turn| turn.to_string());
    let turns: Vec<String> = needed.map(turn).collect();
    let cut = necessity.cut.as_ref().map(|cut| format!(" ({cut})")).unwrap_or_default();
    match (of, turns.len()) {
        (0, _) if necessity.cut.is_some() => format!("which decisions it needs is not known{cut}"),
        (0, _) => "it needs no context switch, no fault and no crash: the plan alone shows it".to_string(),
        (_, 0) => format!("none of its {of} switches, faults and crashes is necessary by itself{cut}"),
        (_, 1) => format!("necessary (★): 1 of its {of} switches, faults and crashes, in turn {}{cut}", turns[0]),
        (_, many) => {
            let turns = turns.join(", ");
            format!("necessary (★): {many} of its {of} switches, faults and crashes, in turns {turns}{cut}")
        }
    }
}

fn percent(point: &Point) -> String {
    format!("{:.0} %", point.share() * 100.0)
}

fn likely(likelihood: &Likelihood) -> Vec<String> {
    let Likelihood { points, no_return, cut } = likelihood;
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return cut.iter().map(|cut| format!("how likely it was is not known: {cut}")).collect();
    };
    let bars = points.iter().map(|point| BARS[(point.share() * (BARS.len() - 1) as f64).round() as usize]);
    let bars: String = bars.collect();
    let mut lines = vec![format!(
        "how likely it was after turns {} to {} ({} continuations each): {} {bars} {}",
        first.turn,
        last.turn,
        first.runs,
        percent(first),
        percent(last)
    )];
    if let Some(NoReturn { from, to }) = no_return {
        lines.push(format!(
            "point of no return: {} after turn {}, {} after turn {}",
            percent(from),
            from.turn,
            percent(to),
            to.turn
        ));
    }
    lines.extend(cut.iter().map(|cut| format!("not complete: {cut}")));
    lines
}

fn nearest(nearest: &Nearest) -> String {
    let who = |actor: &Option<String>| actor.clone().unwrap_or_else(|| "nobody".to_string());
    let Nearest { edit, turn, failing, passing } = nearest;
    let parts = match failing == passing {
        true => format!("the two part in turn {turn}, by the fault alone"),
        false => {
            let (failing, passing) = (who(failing), who(passing));
            format!("the two part in turn {turn}, which {failing} has where it fails and {passing} where it passes")
        }
    };
    format!("nearest run that passes: {edit}; {parts}")
}
