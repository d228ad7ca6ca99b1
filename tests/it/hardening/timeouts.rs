//! RequestReadTimeout: how slowly a client may send. What is fast enough goes on, what is too slow is told 408.
//!
//! Know first: a drip needs a pace, and its pace is the time that is given to the server to interrupt it. Rates are far from their limits
//! on either side, so that a busy machine does not decide the outcome.

use crate::harness::client::Broken;
use crate::harness::{Client, Response};
use crate::wire::Pair;
use std::time::{Duration, Instant};

const PACE: Duration = Duration::from_millis(50);

/// Sends pieces at a pace, `count` times or until the server says something.
fn drip(client: &mut Client, piece: &str, count: usize) -> Option<Result<Response, Broken>> {
    for _ in 0..count {
        if let Err(error) = client.try_send(piece) {
            return Some(Err(Broken::Truncated(error.to_string())));
        }
        match client.try_response(false) {
            Err(Broken::Late(_)) => {}
            other => return Some(other),
        }
    }
    None
}

#[track_caller]
fn is_408(outcome: Option<Result<Response, Broken>>) {
    match outcome {
        Some(Ok(response)) => assert_eq!(response.status, 408, "{response:?}"),
        // The server may have closed while the drip went on.
        Some(Err(broken)) => assert!(!matches!(broken, Broken::Late(_)), "{broken}"),
        None => panic!("the server took it all"),
    }
}

#[test]
fn a_head_that_drips_fast_enough_outlives_its_first_deadline() {
    let pair = Pair::conf("RequestReadTimeout header=1-60,MinRate=20");
    let began = Instant::now();
    let mut client = pair.tine.client().patience(PACE);
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n");
    // Some 800 bytes in 2 s: twenty times the rate.
    while began.elapsed() < Duration::from_secs(2) {
        assert_eq!(
            drip(&mut client, "X: aaaaaaaaaaaaaaaaaa\r\n", 1).map(|_| ()),
            None
        );
    }
    client = client.patience(crate::harness::PATIENCE);
    client.send("\r\n");
    client.response().expect(200);
}

#[test]
fn a_head_that_drips_too_slowly_is_a_408() {
    let pair = Pair::conf("RequestReadTimeout header=1-60,MinRate=10000");
    let mut client = pair.tine.client().patience(PACE);
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n");
    is_408(drip(&mut client, "X: a\r\n", 90));
    assert_eq!(pair.wire.bytes(), "");
}

#[test]
fn a_head_has_a_last_deadline_however_fast_it_drips() {
    let pair = Pair::conf("LimitRequestFields 0\nRequestReadTimeout header=1-2,MinRate=1");
    let mut client = pair.tine.client().patience(PACE);
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n");
    is_408(drip(&mut client, "X: aaaaaaaaaaaaaaaaaa\r\n", 300));
}

#[test]
fn a_line_that_never_ends_is_a_408_or_a_close() {
    let pair = Pair::conf("RequestReadTimeout header=1");
    for start in ["G", "GET /a", "GET /a HTTP/1.1\r\nHos", ""] {
        let mut client = pair.tine.client();
        client.send(start);
        match client.try_response(false) {
            Ok(response) => assert_eq!(response.status, 408, "{start:?}"),
            Err(broken) => assert!(!matches!(broken, Broken::Late(_)), "{start:?}: {broken}"),
        }
    }
}

#[test]
fn content_that_drips_fast_enough_outlives_its_first_deadline() {
    let pair = Pair::conf("RequestReadTimeout body=1,MinRate=20");
    let began = Instant::now();
    let mut client = pair.tine.client().patience(PACE);
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    while began.elapsed() < Duration::from_secs(2) {
        assert_eq!(
            drip(&mut client, "14\r\naaaaaaaaaaaaaaaaaaaa\r\n", 1).map(|_| ()),
            None
        );
    }
    client = client.patience(crate::harness::PATIENCE);
    client.send("0\r\n\r\n");
    client.response().expect(200);
}

#[test]
fn content_that_drips_too_slowly_is_a_408_and_no_request() {
    let pair = Pair::conf("RequestReadTimeout body=1,MinRate=10000");
    let mut client = pair.tine.client().patience(PACE);
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
    is_408(drip(&mut client, "a", 90));
    assert!(pair.wire.requests().is_empty());
}

#[test]
fn content_without_a_limit_is_bounded_by_its_silences_alone() {
    let pair = Pair::conf("Timeout 1\nRequestReadTimeout body=0");
    let began = Instant::now();
    let mut client = pair.tine.client().patience(PACE);
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    while began.elapsed() < Duration::from_secs(2) {
        assert_eq!(drip(&mut client, "1\r\na\r\n", 1).map(|_| ()), None);
    }
    let silent = client
        .patience(crate::harness::PATIENCE)
        .try_response(false);
    match silent {
        Ok(response) => assert_eq!(response.status, 408),
        Err(broken) => assert!(!matches!(broken, Broken::Late(_)), "{broken}"),
    }
}
