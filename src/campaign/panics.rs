//! Where an engine panicked, for its bucket: the functions on top of the stack, by name.
//!
//! Names of functions stay when lines move and folders differ, so two builds agree on them. Addresses are taken
//! where the panic happens, perhaps on a small stack of an engine; names are looked up later, on our own.

use std::backtrace::Backtrace;
use std::cell::RefCell;

/// So many functions tell one panic from another.
const FRAMES_MAX: usize = 3;

thread_local! {
    static LAST: RefCell<Option<Backtrace>> = const { RefCell::new(None) };
}

/// Watches every panic of this process from now on.
pub(super) fn watch() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        LAST.with(|last| last.replace(Some(Backtrace::force_capture())));
        // Its message is kept as the last words of a worker that does not survive.
        before(info);
    }));
}

/// The functions of the last panic, the innermost first; empty when there was none or names are not known.
pub(super) fn take_frames() -> Vec<String> {
    let trace = LAST.with(|last| last.take());
    trace.map(|trace| frames(&trace.to_string())).unwrap_or_default()
}

fn frames(trace: &str) -> Vec<String> {
    let name = |line: &str| {
        let (number, name) = line.trim_start().split_once(": ")?;
        number.parse::<u32>().ok()?;
        Some(plain_name(name.trim()).to_string())
    };
    let names: Vec<String> = trace.lines().filter_map(name).collect();
    // Whatever comes before the first panicking function is this hook at work.
    let from = names.iter().position(|name| name.contains("rust_begin_unwind")).unwrap_or(0);
    let engine = names.into_iter().skip(from).take_while(|name| !is_boundary(name)).filter(|name| !is_machinery(name));
    engine.take(FRAMES_MAX).collect()
}

/// The standard library's functions, the panic itself among them; and what has no name of its own.
fn is_machinery(name: &str) -> bool {
    const OWN: [&str; 7] = ["core::", "std::", "alloc::", "rust_begin_unwind", "__rust", "panic_unwind", "unknown>"];
    let bare = name.trim_start_matches('<');
    bare.is_empty() || bare.starts_with('{') || OWN.iter().any(|own| bare.starts_with(own))
}

/// Where the engine's code ends and the simulator's begins: who called the engine makes no other panic of it.
fn is_boundary(name: &str) -> bool {
    let caught = ["call_once", "catch_unwind", "do_call", "__rust_try"].iter().any(|part| name.ends_with(part));
    let bare = name.trim_start_matches('<');
    caught || bare.starts_with("squall::") && !bare.starts_with("squall::engines::")
}

/// A function's name without the types it is made for. Functions that were inlined have no path.
fn plain_name(name: &str) -> &str {
    let name = without_hash(name);
    match name.find('<') {
        Some(at) if at > 0 && !name.starts_with('<') => name[..at].trim_end_matches(':'),
        _ => name,
    }
}

fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((head, hash)) if hash.len() == 16 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()) => head,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_kept_and_places_are_not() {
        let trace = "   0: squall::campaign::panics::watch::{{closure}}\n             at ./src/campaign/panics.rs:24:48\n   \
                     1: std::panicking::rust_panic_with_hook\n   2: __rustc::rust_begin_unwind\n             at /rustc/1/x.rs:1\n   \
                     3: core::panicking::panic_fmt\n   4: <alloc::vec::Vec<T> as core::ops::index::Index<I>>::index\n   \
                     5: mine::pager::Pager::read::h0123456789abcdef\n             at /home/me/mine/src/pager.rs:77:5\n   \
                     6: mine::tree::descend\n   7: mine::tree::get\n   8: squall::sim::run\n";
        assert_eq!(frames(trace), ["mine::pager::Pager::read", "mine::tree::descend", "mine::tree::get"]);
        let shallow = "   0: rust_begin_unwind\n   1: core::panicking::panic_fmt\n   2: <mine::Client as squall::engine::Connection>::step\n   \
                       3: squall::sim::run::step\n   4: mine::main\n";
        assert_eq!(frames(shallow), ["<mine::Client as squall::engine::Connection>::step"]);
        let inlined = "   0: core::panicking::panic_fmt\n   1: step\n   2: {closure#2}<squall::engine::kv::Kv, mine::Engine>\n   \
                       3: call_once<squall::sim::run::{closure_env#2}<squall::engine::kv::Kv>, ()>\n   4: do_call\n";
        assert_eq!(frames(inlined), ["step"]);
        assert_eq!(frames(""), Vec::<String>::new());
        assert_eq!(frames("   0: <unknown>\n   1: <unknown>\n"), Vec::<String>::new());
    }
}
