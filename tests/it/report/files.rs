//! The trace file: read back as it was written, as far as it goes.

use squall::report::Rows;
use squall::report::file::{Header, TraceFileError, read, write};

use super::{Failed, failure};

fn written() -> (Header, Rows, Vec<u8>) {
    let (_, seed, result, trace, _) = cached();
    let rows = Rows::new(trace);
    let header = Header { seed: seed.to_string(), turns: result.turns, ..Header::default() };
    // More than one block, so that there is a whole one to keep.
    let mut many = rows.clone();
    while many.facts.len() < 150_000 {
        let offset = many.facts.last().unwrap().turn;
        many.facts.extend(rows.facts.iter().cloned().map(|mut fact| {
            fact.turn += offset;
            fact
        }));
    }
    let bytes = write(&header, &many);
    (header, many, bytes)
}

#[test]
fn a_trace_file_is_read_back_as_it_was_written() {
    let (header, rows, bytes) = written();
    let file = read("a.trace", &bytes).unwrap();
    assert_eq!(file.header, header);
    assert!(file.rows == rows, "the rows differ");
    assert_eq!(file.cut, None);
    assert!(bytes.len() < rows.facts.len() * 8, "{} bytes for {} facts", bytes.len(), rows.facts.len());
}

#[test]
fn what_comes_before_a_cut_is_readable_and_the_cut_is_said() {
    let (_, rows, bytes) = written();
    for (length, reason) in [(bytes.len() * 9 / 10, "cut off"), (bytes.len() - 1, "cut off")] {
        let file = read("a.trace", &bytes[..length]).unwrap();
        assert!(file.cut.as_deref().unwrap().contains(reason), "{:?}", file.cut);
        assert!(file.rows.facts.len() >= 65_536 && rows.facts.starts_with(&file.rows.facts));
    }
    let mut damaged = bytes.clone();
    let place = damaged.len() - 1_000;
    damaged[place] ^= 1;
    let file = read("a.trace", &damaged).unwrap();
    assert!(file.cut.unwrap().contains("checksum"));
    assert!(rows.facts.starts_with(&file.rows.facts) && !file.rows.facts.is_empty());
}

#[test]
fn what_is_no_trace_or_of_a_later_version_is_refused_with_what_was_expected() {
    let (_, _, bytes) = written();
    assert!(read("a", b"# A failure").unwrap_err().to_string().contains("a: not a trace: expected"));
    let mut later = bytes.clone();
    later[8] = 7;
    assert_eq!(read("a", &later).unwrap_err(), TraceFileError::Later { name: "a".into(), version: 7 });
    let mut headless = bytes.clone();
    headless[24] ^= 1;
    assert!(matches!(read("a", &headless).unwrap_err(), TraceFileError::Damaged { .. }));
    for length in 0..40 {
        assert!(read("a", &bytes[..length]).is_err());
    }
}

#[test]
fn no_change_of_a_byte_makes_the_reader_panic_or_invent_facts() {
    arbtest::arbtest(|noise| {
        let (_, _, _, trace, _) = cached();
        let rows = Rows::new(trace);
        let mut bytes = write(&Header::default(), &rows);
        for _ in 0..noise.int_in_range(1..=4)? {
            let place = noise.choose_index(bytes.len())?;
            bytes[place] = noise.arbitrary()?;
        }
        if let Ok(file) = read("a", &bytes) {
            assert!(rows.facts.starts_with(&file.rows.facts) && rows.words.starts_with(&file.rows.words));
        }
        Ok(())
    })
    .budget_ms(300);
}

fn cached() -> &'static Failed {
    static FAILED: std::sync::OnceLock<Failed> = std::sync::OnceLock::new();
    FAILED.get_or_init(|| failure("planted/lost-update"))
}
