//! Lines through a buffer into files.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::log::record::Environment;
use crate::log::sample::Sample;

fn log_in(directory: &Path, format: &str, condition: Condition) -> (AccessLog, PathBuf) {
    let path = directory.join("access_log");
    let sink = Arc::new(Sink::file(&path).unwrap());
    let format = Format::compile(format).unwrap();
    (AccessLog::new(format, sink, condition), path)
}

#[test]
fn nothing_is_written_before_the_turn_ends() {
    let directory = tempfile::tempdir().unwrap();
    let (log, path) = log_in(directory.path(), "%>s", Condition::Always);
    let sample = Sample::new();
    let mut buffer = LogBuffer::new(Zone::utc());
    log.append(&sample.record(), &mut buffer);
    log.append(&sample.record(), &mut buffer);
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    buffer.flush();
    assert!(buffer.is_empty());
    assert_eq!(fs::read_to_string(&path).unwrap(), "200\n200\n");
}

#[test]
fn a_buffer_that_goes_away_writes_what_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let (log, path) = log_in(directory.path(), "%>s", Condition::Always);
    let mut buffer = LogBuffer::new(Zone::utc());
    log.append(&Sample::new().record(), &mut buffer);
    drop(buffer);
    assert_eq!(fs::read_to_string(&path).unwrap(), "200\n");
}

#[test]
fn a_full_buffer_is_written_at_a_line_end() {
    let directory = tempfile::tempdir().unwrap();
    let (log, path) = log_in(directory.path(), "%r", Condition::Always);
    let mut sample = Sample::new();
    let mut buffer = LogBuffer::new(Zone::utc());
    sample.line = vec![b'x'; 10_000];
    for _ in 0..7 {
        log.append(&sample.record(), &mut buffer);
        let written = fs::read(&path).unwrap();
        assert!(written.last().is_none_or(|&b| b == b'\n'));
    }
    assert_eq!(fs::read(&path).unwrap().len(), 6 * 10_001);
    sample.line = vec![b'y'; BUFFER_MAX];
    log.append(&sample.record(), &mut buffer);
    assert_eq!(fs::read(&path).unwrap().len(), 7 * 10_001 + BUFFER_MAX + 1);
    assert!(buffer.is_empty());
}

#[test]
fn two_logs_of_one_sink_keep_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let (first, path) = log_in(directory.path(), "first", Condition::Always);
    let second = AccessLog::new(
        Format::compile("second").unwrap(),
        Arc::clone(first.sink()),
        Condition::Always,
    );
    let mut buffer = LogBuffer::new(Zone::utc());
    for log in [&first, &second, &first] {
        log.append(&Sample::new().record(), &mut buffer);
    }
    buffer.flush();
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\nsecond\nfirst\n");
}

#[test]
fn a_condition_asks_whether_a_variable_is_set_even_to_nothing() {
    let (mut attempt, mut request) = (Environment::new(), Environment::new());
    request.set("dontlog", b"");
    attempt.set("BALANCER_NAME", b"balancer://c");
    let env = Variables {
        attempt: &attempt,
        request: &request,
    };
    for (clause, holds) in [
        ("env=dontlog", true),
        ("ENV=DONTLOG", true),
        ("env=!dontlog", false),
        ("env=balancer_name", true),
        ("env=other", false),
        ("env=!other", true),
    ] {
        assert_eq!(
            Condition::parse(clause).unwrap().holds(env),
            holds,
            "{clause}"
        );
    }
}

#[test]
fn a_broken_condition_is_refused_in_httpds_words() {
    for (clause, words) in [
        ("env=", "missing environment variable name"),
        ("env=!", "missing environment variable name"),
        ("foo", "error in condition clause"),
        ("éñv=x", "error in condition clause"),
    ] {
        assert_eq!(Condition::parse(clause).unwrap_err(), words, "{clause}");
    }
}
