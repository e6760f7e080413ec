//! The page: one file that needs no network, with all of its data inside.
//!
//! The parts are in `reports/page/`. Data go in as JSON without a `<`, and as base64: nothing in them can end the
//! element that holds them. The policy allows this page's own script and style, by their hashes, and no request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::failure::Failure;
use super::words::markup;

const SKELETON: &str = include_str!("../../reports/page/page.html");
const STYLE: &str = include_str!("../../reports/page/style.css");
const SCRIPTS: [&str; 6] = [
    include_str!("../../reports/page/trace.js"),
    include_str!("../../reports/page/text.js"),
    include_str!("../../reports/page/timeline.js"),
    include_str!("../../reports/page/panel.js"),
    include_str!("../../reports/page/search.js"),
    include_str!("../../reports/page/main.js"),
];

/// The page of a failure, with the bytes of its trace file and of the nearest passing run's.
#[must_use]
pub fn page(failure: &Failure, trace: &[u8], passing: Option<&[u8]>) -> String {
    // The wrapping keeps the page's own names out of the window.
    let script = format!("(() => {{\n\"use strict\";\n{}}})();\n", SCRIPTS.concat());
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(&script),
        hash(STYLE)
    );
    let title = format!("{}: {}, {}", failure.finding.property, failure.finding.anomaly, failure.scenario);
    let json = serde_json::to_string(failure).expect("a failure is plain text and numbers");
    let parts = [
        ("{{policy}}", policy),
        ("{{title}}", markup(&title)),
        ("{{style}}", STYLE.to_string()),
        ("{{failure}}", json.replace('<', "\\u003c")),
        ("{{trace}}", STANDARD.encode(trace)),
        ("{{passing}}", passing.map(|bytes| STANDARD.encode(bytes)).unwrap_or_default()),
        ("{{script}}", script),
    ];
    // Each part is put in once, from the front: what is put in is never looked at again.
    let (mut page, mut rest) = (String::new(), SKELETON);
    for (place, content) in &parts {
        let (before, after) = rest.split_once(place).expect("the skeleton has a place for every part, in this order");
        page += before;
        page += content;
        rest = after;
    }
    page + rest
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
