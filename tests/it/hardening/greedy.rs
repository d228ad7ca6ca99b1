//! Peers without an end: what they make the server hold is bounded, and others are served meanwhile.

use crate::harness::client::Broken;
use crate::harness::{Call, Client, Gate, Origin, Setup, Shape, Tine, holds_within, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a server may occupy whatever its peers do.
const MEMORY_KIB: u64 = 48 * 1024;
/// Far more than any bound; whoever takes so much has none.
const ENOUGH: u64 = 64 * 1024 * 1024;

/// A backend that does `evil` for `/evil`, and says what was asked otherwise.
fn scene(evil: impl Fn(&mut Call<'_>) + Send + Sync + 'static) -> (Origin, Tine) {
    let origin = Origin::start("evil", move |call| {
        if call.target() == "/evil" {
            evil(call);
            call.close();
        } else {
            let text = call.target();
            call.reply(200, &[], text.as_bytes());
        }
    });
    let setup = Setup::new()
        .shape(Shape::Event)
        .sizes("StartServers 1\nServerLimit 1\nThreadsPerChild 64\nMaxRequestWorkers 64\n");
    let tine = setup.start(&format!("ProxyPass / {}/ timeout=5\n", origin.url()));
    (origin, tine)
}

/// That a backend that sends `head` and then `more` without end is stopped early, with a 502 or a broken connection.
#[track_caller]
fn is_stopped(head: &'static str, more: &'static str) {
    let taken = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&taken);
    let (origin, tine) = scene(move |call| {
        call.send(head);
        let block = more.repeat(65_536 / more.len() + 1);
        while count.load(Ordering::SeqCst) < ENOUGH && call.is_open() {
            call.send(&block);
            count.fetch_add(block.len() as u64, Ordering::SeqCst);
        }
    });
    let mut client = tine.client();
    client.send("GET /evil HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut statuses = Vec::new();
    loop {
        match client.try_response(false) {
            Ok(response) => statuses.push(response.status),
            Err(broken) => {
                assert!(!matches!(broken, Broken::Late(_)), "{head:?}: {broken}");
                break;
            }
        }
        if statuses.last().is_some_and(|status| *status >= 200) {
            break;
        }
    }
    assert!(
        statuses
            .iter()
            .all(|status| *status < 200 || *status == 502),
        "{head:?}: {statuses:?}"
    );
    until("the backend is stopped", || origin.open() == 0);
    assert!(taken.load(Ordering::SeqCst) < ENOUGH, "{head:?}");
    assert!(
        tine.child_memory_kib() < MEMORY_KIB,
        "{} KiB",
        tine.child_memory_kib()
    );
    assert_eq!(tine.get("/next").expect(200).text(), "/next");
}

#[test]
fn a_status_line_without_end_is_stopped() {
    is_stopped("HTTP/1.1 200 ", "OK");
}

#[test]
fn a_field_without_end_is_stopped() {
    is_stopped("HTTP/1.1 200 OK\r\nX: ", "abc");
}

#[test]
fn a_folded_field_without_end_is_stopped() {
    is_stopped("HTTP/1.1 200 OK\r\nX: a", "\r\n b");
}

#[test]
fn fields_without_end_are_stopped() {
    is_stopped("HTTP/1.1 200 OK\r\n", "X: y\r\n");
}

#[test]
fn interim_responses_without_end_are_stopped() {
    is_stopped("", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
}

#[test]
fn empty_lines_without_end_are_stopped() {
    is_stopped("", "\r\n");
}

#[test]
fn trailers_without_end_are_stopped() {
    is_stopped(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
        "X: y\r\n",
    );
}

#[test]
fn a_chunk_extension_without_end_is_stopped() {
    is_stopped(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;",
        "abc",
    );
}

#[test]
fn chunk_extensions_without_end_are_stopped() {
    is_stopped(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "1;abcdefghijklmnopqrstuvwxyz\r\na\r\n",
    );
}

#[test]
fn a_chunk_size_without_end_is_stopped() {
    is_stopped("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0");
}

#[test]
fn bytes_behind_an_answer_are_stopped() {
    is_stopped("HTTP/1.1 103 X\r\n\r\n", "HTTP/1.1 100 X\r\n\r\n");
}

#[test]
fn a_backend_that_answers_in_drips_is_waited_for() {
    let (_origin, tine) = scene(|call| {
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow" {
            call.send([*byte]);
            holds_within(Duration::from_millis(2), &mut || false);
        }
    });
    assert_eq!(tine.get("/evil").expect(200).text(), "slow");
}

#[test]
fn clients_that_read_nothing_cost_a_bounded_buffer_each() {
    let (origin, tine) = scene(|call| {
        call.send("HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n");
        call.send_pattern(104_857_600);
    });
    let mut clients: Vec<Client> = (0..20).map(|_| tine.client()).collect();
    for client in &mut clients {
        client.send("GET /evil HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    until("all backends are asked", || origin.count() >= 20);
    // What is held grows until every pipe is full, and no further.
    let mut last = 0;
    until("memory no longer grows", || {
        let now = tine.child_memory_kib();
        let is_steady = now == last && origin.open() >= 20;
        last = now;
        holds_within(Duration::from_millis(100), &mut || false);
        is_steady
    });
    assert!(last < MEMORY_KIB, "{last} KiB for 20 clients");
    assert_eq!(tine.get("/next").expect(200).text(), "/next");
}

#[test]
fn backends_that_read_nothing_hold_their_clients_back() {
    let gate = Gate::new();
    let held = gate.clone();
    let (origin, tine) = scene(move |call| {
        call.wait(&held);
    });
    let mut senders: Vec<_> = (0..8)
        .map(|_| tine.client().patience(Duration::from_millis(300)))
        .collect();
    for client in &mut senders {
        client.send("POST /evil HTTP/1.1\r\nHost: h\r\nContent-Length: 104857600\r\n\r\n");
        let mut sent = 0;
        while sent < 104_857_600 && client.try_send(vec![b'x'; 65_536]).is_ok() {
            sent += 65_536;
        }
        assert!(sent < 64 * 1024 * 1024, "somebody took {sent} bytes");
    }
    until("all backends are asked", || origin.count() >= 8);
    assert!(
        tine.child_memory_kib() < MEMORY_KIB,
        "{} KiB",
        tine.child_memory_kib()
    );
    assert_eq!(tine.get("/next").expect(200).text(), "/next");
    gate.open();
}

/// Two answers to one request, bytes behind an answer, bytes between requests: each client gets one answer, and it is its own.
#[test]
fn one_request_gets_one_answer_whatever_a_backend_sends() {
    const WRONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong";
    let rows: [(&str, String); 5] = [
        (
            "two answers",
            format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{WRONG}"),
        ),
        (
            "two answers to chunks",
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{WRONG}"
            ),
        ),
        (
            "half an answer behind",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Le".into(),
        ),
        (
            "an empty line behind",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n".into(),
        ),
        (
            "an interim answer behind",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 103 X\r\n\r\n".into(),
        ),
    ];
    for (name, bytes) in rows {
        let (_origin, tine) = {
            let origin = Origin::start("evil", move |call| {
                let text = call.target();
                if text == "/evil" {
                    call.send(&bytes);
                } else {
                    call.reply(200, &[], text.as_bytes());
                }
            });
            let tine = Setup::new()
                .shape(Shape::Event)
                .single_process()
                .start(&format!("ProxyPass / {}/\n", origin.url()));
            (origin, tine)
        };
        let mut client = tine.client();
        client.send("GET /evil HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(client.response().expect(200).text(), "ok", "{name}");
        for n in 0..10 {
            let target = format!("/{n}");
            assert_eq!(client.get(&target).expect(200).text(), target, "{name}");
        }
    }
}

#[test]
fn what_a_backend_says_between_requests_is_nobodys() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("talkative", move |call| {
        let text = call.target();
        call.reply(200, &[], text.as_bytes());
        if text == "/evil" {
            call.wait(&held);
            call.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong");
            call.wait_for_close();
        }
    });
    let tine = Setup::new()
        .shape(Shape::Event)
        .single_process()
        .start(&format!("ProxyPass / {}/\n", origin.url()));
    let mut client = tine.client();
    client.get("/evil").expect(200);
    until("it waits", || gate.waiting() == 1);
    gate.open();
    until("its connection is given up", || origin.open() == 0);
    for n in 0..10 {
        let target = format!("/{n}");
        assert_eq!(client.get(&target).expect(200).text(), target);
    }
}
