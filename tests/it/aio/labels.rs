//! Labels: where a yield stands, by which way it came, and what comes after it.

use squall::aio::{Completion, CompletionError, IOResult, Label, Resource, SITES_MAX};
use squall::{io_yield_one, return_and_restore_if_io, return_if_io};

type Answer = Result<IOResult<()>, CompletionError>;

fn lines(label: &Label) -> Vec<u32> {
    assert!(label.sites().all(|site| site.file().ends_with("labels.rs")), "{label:?}");
    label.sites().map(|site| site.line()).collect()
}

fn label_of(answer: Answer) -> Label {
    *answer.expect("no error").io().expect("it waits").completion().label()
}

/// The line of the macro's call, one above the function's end, by a name the reader can follow.
const BASE: u32 = line!();
fn read_page(page: &Completion) -> Answer {
    io_yield_one!(page.clone());
}
fn find_leaf(page: &Completion) -> Answer {
    return_if_io!(read_page(page));
    Ok(IOResult::Done(()))
}
fn get(page: &Completion) -> Answer {
    let (mut field, saved) = ((), ());
    return_and_restore_if_io!(field, saved, find_leaf(page));
    Ok(IOResult::Done(field))
}
fn scan(page: &Completion) -> Answer {
    return_if_io!(find_leaf(page));
    Ok(IOResult::Done(()))
}

#[test]
fn each_macro_on_the_way_up_adds_its_own_place() {
    let page = Completion::write();
    let made = line!() - 1;
    let label = label_of(get(&page));
    assert_eq!(lines(&label), [made, BASE + 2, BASE + 5, BASE + 10]);
}

#[test]
fn two_waiters_on_one_completion_have_labels_of_their_own() {
    let page = Completion::write();
    let (by_get, by_scan) = (label_of(get(&page)), label_of(scan(&page)));
    assert_eq!(lines(&by_get).last(), Some(&(BASE + 10)));
    assert_eq!(lines(&by_scan).last(), Some(&(BASE + 14)));
    assert_eq!(lines(page.label()).len(), 1, "the shared operation knows nothing of its waiters");
}

#[test]
fn the_resource_belongs_to_the_handle_too() {
    let read = Completion::write();
    let touched = read.clone().touching(Resource::write("page", 7));
    assert_eq!(touched.label().resource(), Resource::write("page", 7));
    assert_eq!(read.label().resource(), Resource::Unknown);
    let answer = label_of((|| io_yield_one!(touched))());
    assert_eq!(answer.resource(), Resource::write("page", 7), "the way up keeps it");
}

#[test]
fn a_label_keeps_the_eight_places_nearest_to_the_yield() {
    let first = Completion::write();
    #[rustfmt::skip]
    let last = first
        .seen_here().seen_here().seen_here()
        .seen_here().seen_here().seen_here()
        .seen_here().seen_here().seen_here();
    let kept: Vec<_> = last.label().sites().collect();
    assert_eq!(kept.len(), SITES_MAX);
    assert_eq!(kept[0].line(), line!() - 8);
    let lines_after: Vec<u32> = kept[1..].iter().map(|site| kept[7].line() - site.line()).collect();
    assert_eq!(lines_after, [2, 2, 2, 1, 1, 1, 0], "the seven innermost of nine");
}

#[test]
fn the_same_place_is_kept_once_so_that_a_handle_yielded_again_keeps_its_label() {
    let mut handle = Completion::write();
    for _ in 0..3 {
        handle = handle.seen_here();
    }
    assert_eq!(handle.label().sites().count(), 2);
}

#[test]
fn a_group_is_labelled_where_it_is_built() {
    let group = squall::aio::CompletionGroup::new(|outcome| outcome);
    let built = group.build();
    assert_eq!(lines(built.label()), [line!() - 1]);
}

/// That this constant compiles is the proof: nothing can be allocated before the program runs.
const YIELD: Completion = Completion::new_yield();
const SPIN: Completion = Completion::new_spin();

#[test]
fn a_yield_allocates_nothing() {
    assert!(YIELD.is_explicit_yield() && !YIELD.is_spin() && YIELD.succeeded());
    assert!(SPIN.is_explicit_yield() && SPIN.is_spin() && SPIN.succeeded());
}

#[test]
fn completions_cross_threads() {
    const fn check<T: Send + Sync + Clone + 'static>() {}
    const { check::<Completion>() };
}
