//! Charts as inline SVG. Sizes are in the units of their own view box; the page scales them.

use super::escape;

/// Width of every chart.
const WIDTH: f64 = 400.0;
/// Height of a row of bars.
const ROW: f64 = 24.0;
/// Space for the names before bars.
const NAMES: f64 = 122.0;
/// Space for the numbers behind bars.
const NUMBERS: f64 = 150.0;
/// Letters of a name that fit.
const NAME_MAX: usize = 18;

/// A row of bars.
pub(super) struct Bar {
    /// Its name.
    pub(super) name: String,
    /// How long it is.
    pub(super) value: f64,
    /// What stands behind it.
    pub(super) text: String,
}

/// Bars, one a line. A small value stays visible.
pub(super) fn bars(title: &str, rows: &[Bar]) -> String {
    let most = rows.iter().map(|row| row.value).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let height = ROW * rows.len() as f64;
    let mut svg = open(title, height);
    for (index, row) in rows.iter().enumerate() {
        let y = ROW * index as f64;
        let length = if row.value > 0.0 { (row.value / most * (WIDTH - NAMES - NUMBERS)).max(2.0) } else { 0.0 };
        svg += &format!(
            "<text x=\"0\" y=\"{:.0}\">{}<title>{}</title></text>",
            y + 16.0,
            escape(&short(&row.name)),
            escape(&row.name)
        );
        svg += &format!(
            "<rect class=\"bar\" x=\"{NAMES}\" y=\"{:.0}\" width=\"{length:.1}\" height=\"14\" rx=\"2\"/>",
            y + 5.0
        );
        svg += &format!(
            "<text class=\"faint\" x=\"{:.1}\" y=\"{:.0}\">{}</text>",
            NAMES + length + 8.0,
            y + 16.0,
            escape(&row.text)
        );
    }
    svg + "</svg>"
}

/// A curve over time.
pub(super) struct Curve<'a> {
    /// What it shows.
    pub(super) name: &'a str,
    /// Seconds, and values.
    pub(super) points: Vec<(f64, f64)>,
}

/// One or two curves over time, each on a scale of its own: the first on the left, the second, dashed, on the right. Marks are
/// moments at which something was found.
pub(super) fn curves(title: &str, curves: &[Curve<'_>], marks: &[f64]) -> String {
    const HEIGHT: f64 = 200.0;
    const LEFT: f64 = 44.0;
    const TOP: f64 = 26.0;
    const BOTTOM: f64 = 26.0;
    let right = if curves.len() > 1 { 44.0 } else { 12.0 };
    let end = curves.iter().flat_map(|curve| &curve.points).map(|point| point.0).fold(0.001, f64::max);
    let x = |seconds: f64| LEFT + seconds / end * (WIDTH - LEFT - right);
    let floor = HEIGHT - BOTTOM;
    let mut svg = open(title, HEIGHT);
    for mark in marks {
        svg += &format!("<path class=\"mark\" d=\"M{0:.1} {TOP}V{floor}\"/>", x(*mark));
    }
    for (index, curve) in curves.iter().enumerate() {
        let top = nice(curve.points.iter().map(|point| point.1).fold(1.0, f64::max));
        let y = |value: f64| floor - value / top * (floor - TOP);
        let (anchor, at, class) =
            if index == 0 { ("end", LEFT - 6.0, "line") } else { ("start", WIDTH - right + 6.0, "line2") };
        for part in [0.0, 0.5, 1.0] {
            let height = y(top * part);
            if index == 0 {
                svg += &format!("<path class=\"rule\" d=\"M{LEFT} {height:.1}H{:.1}\"/>", WIDTH - right);
            }
            svg += &format!(
                "<text class=\"faint\" text-anchor=\"{anchor}\" x=\"{at}\" y=\"{:.1}\">{}</text>",
                height + 4.0,
                tick(top * part)
            );
        }
        let path: Vec<String> =
            curve.points.iter().map(|point| format!("{:.1} {:.1}", x(point.0), y(point.1))).collect();
        svg += &format!("<path class=\"{class}\" d=\"M{}\"/>", path.join("L"));
        let (anchor, at) = if index == 0 { ("start", 0.0) } else { ("end", WIDTH) };
        svg += &format!(
            "<text text-anchor=\"{anchor}\" x=\"{at}\" y=\"12\">{}{}</text>",
            escape(curve.name),
            if index == 0 { "" } else { " (dashed)" }
        );
    }
    svg += &format!("<path class=\"axis\" d=\"M{LEFT} {floor}H{:.1}\"/>", WIDTH - right);
    for (part, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
        svg += &format!(
            "<text class=\"faint\" text-anchor=\"{anchor}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x(end * part),
            HEIGHT - 8.0,
            time(end * part)
        );
    }
    svg + "</svg>"
}

fn open(title: &str, height: f64) -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">", escape(title))
}

fn short(name: &str) -> String {
    if name.chars().count() <= NAME_MAX {
        return name.to_string();
    }
    name.chars().take(NAME_MAX - 1).chain(['…']).collect()
}

/// The next round number.
fn nice(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 4.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

fn tick(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e4 => format!("{}k", value / 1e3),
        value => format!("{value}"),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_string(),
        seconds if seconds < 10.0 => format!("{seconds:.1} s"),
        seconds if seconds < 180.0 => format!("{seconds:.0} s"),
        seconds if seconds < 10_800.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!([1.0, 3.0, 7.0, 12.0, 410.0, 1_000.0].map(nice), [1.0, 4.0, 10.0, 20.0, 500.0, 1_000.0]);
        assert_eq!((tick(2_500_000.0), tick(20_000.0), tick(500.0)), ("2.5M".into(), "20k".into(), "500".into()));
        assert_eq!((time(4.25), time(90.0), time(600.0)), ("4.2 s".into(), "90 s".into(), "10 min".into()));
    }

    #[test]
    fn names_are_text_and_a_small_value_stays_visible() {
        let row = |name: &str, value| Bar { name: name.into(), value, text: "<n>".into() };
        let svg = bars("t", &[row("<script>", 1e9), row("b", 1.0), row("c", 0.0)]);
        assert!(svg.contains("&lt;script&gt;") && !svg.contains("<script>") && svg.contains("&lt;n&gt;"));
        assert!(svg.contains("width=\"2.0\"") && svg.contains("width=\"0.0\""));
    }
}
