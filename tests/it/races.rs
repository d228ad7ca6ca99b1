//! A kept connection that dies at the worst moment: between two requests, behind a head, in the middle of content.
//!
//! Responsible for: that no client is left without an answer, that nothing is done twice that must not be, and that the log says why.
//! Not responsible for: every interleaving; `engine::sim` has those.

use crate::harness::{Client, Origin, Setup, Shape, Tine};
use crate::wire::{Pair, Reply, Request, ok};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A backend that closes behind every answer without saying so.
fn closing() -> Pair {
    Pair::with("MaxKeepAliveRequests 0", |request| match ok(request) {
        Reply::Keep(bytes) | Reply::Close(bytes) => Reply::Close(bytes),
    })
}

/// A server in front of a backend that is fine with everything but `/dies`, where it does `evil` and closes.
fn dying(evil: impl Fn(&mut crate::harness::Call<'_>) + Send + Sync + 'static) -> (Origin, Tine) {
    let origin = Origin::start("dying", move |call| {
        let text = call.target();
        if text == "/dies" {
            evil(call);
            call.close();
        } else {
            call.content();
            call.reply(200, &[], text.as_bytes());
        }
    });
    let setup = Setup::new().shape(Shape::Event).single_process();
    let tine = setup.start(&format!("ProxyPass / {}/\n", origin.url()));
    (origin, tine)
}

/// How many times the backend was asked for `/dies`.
fn deaths(origin: &Origin) -> usize {
    let seen = origin.seen();
    seen.iter()
        .filter(|seen| seen.line().contains(" /dies "))
        .count()
}

#[test]
fn a_backend_that_closes_between_requests_costs_no_get() {
    let pair = closing();
    let mut client = pair.tine.client();
    for n in 0..200 {
        let target = format!("/{n}");
        assert_eq!(
            client.get(&target).expect(200).text(),
            format!("GET {target}:")
        );
    }
}

#[test]
fn a_backend_that_closes_between_requests_is_asked_no_post_twice() {
    let pair = closing();
    let mut client = pair.tine.client();
    let mut lost = 0;
    for n in 0..200 {
        client.send(format!(
            "POST /{n} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok"
        ));
        let response = client.response();
        match response.status {
            200 => assert_eq!(response.text(), format!("POST /{n}:ok")),
            502 => lost += 1,
            other => panic!("{other}: {}", response.text()),
        }
        if response.field("connection") == Some("close") {
            client = pair.tine.client();
        }
    }
    let mut targets: Vec<String> = pair
        .wire
        .requests()
        .iter()
        .map(|request| request.target().to_owned())
        .collect();
    let count = targets.len();
    targets.sort();
    targets.dedup();
    assert_eq!(targets.len(), count, "something was asked twice");
    assert!(count + lost >= 200);
}

#[test]
fn clients_side_by_side_get_their_own_answers_while_connections_die() {
    let count = AtomicUsize::new(0);
    let pair = Pair::with("", move |request: &Request| {
        let Reply::Keep(bytes) = ok(request) else {
            return ok(request);
        };
        match count.fetch_add(1, Ordering::SeqCst) % 3 {
            0 => Reply::Close(bytes),
            _ => Reply::Keep(bytes),
        }
    });
    let address = pair.tine.address();
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                for n in 0..50 {
                    let target = format!("/{thread}/{n}");
                    assert_eq!(
                        client.get(&target).expect(200).text(),
                        format!("GET {target}:")
                    );
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("every answer was its own");
    }
}

#[test]
fn a_get_on_a_kept_connection_that_closes_behind_its_head_is_repeated_once() {
    let (origin, tine) = dying(|_| {});
    let mut client = tine.client();
    client.get("/first").expect(200);
    // Repeated on a fresh connection, where the same happens; then it is the backend's way, and the client is told.
    client.get("/dies").expect(502);
    assert_eq!(deaths(&origin), 2);
    tine.wait_log("had closed the idle connection");
    tine.wait_log("gave no answer");
}

#[test]
fn a_post_on_a_kept_connection_that_closes_behind_its_head_is_a_502() {
    let (origin, tine) = dying(|_| {});
    let mut client = tine.client();
    client.get("/first").expect(200);
    client.send("POST /dies HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    client.response().expect(502);
    assert_eq!(deaths(&origin), 1);
    let line = tine.wait_log("had closed the idle connection");
    assert!(line.contains("answering 502"), "{line}");
}

#[test]
fn a_get_on_a_fresh_connection_that_closes_behind_its_head_is_a_502() {
    let (origin, tine) = dying(|_| {});
    tine.get("/dies").expect(502);
    assert_eq!(deaths(&origin), 1);
    let line = tine.wait_log("gave no answer");
    assert!(line.contains("answering 502"), "{line}");
}

#[test]
fn content_of_which_half_is_gone_is_not_sent_again() {
    let (origin, tine) = dying(|call| {
        call.some_bytes();
    });
    for method in ["POST", "PUT"] {
        let before = deaths(&origin);
        let mut client = tine.client();
        client.get("/first").expect(200);
        client.send(format!(
            "{method} /dies HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n"
        ));
        client.try_send(vec![b'x'; 2_000_000]).ok();
        let response = client.response().expect(502);
        assert_eq!(
            response.field("connection"),
            Some("close"),
            "{method}: the rest of the content is on its way"
        );
        assert_eq!(deaths(&origin) - before, 1, "{method}");
    }
}

#[test]
fn content_that_was_kept_is_sent_again_where_that_is_safe() {
    let is_first = AtomicUsize::new(0);
    let pair = Pair::with("", move |request: &Request| match request.target() {
        "/dies" if is_first.fetch_add(1, Ordering::SeqCst) == 0 => Reply::Close(Vec::new()),
        _ => ok(request),
    });
    let mut client = pair.tine.client();
    client.get("/first").expect(200);
    let content = "x".repeat(10_000);
    let size = content.len();
    client.send(format!(
        "PUT /dies HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n{content}"
    ));
    let text = client.response().expect(200).text();
    assert_eq!(text, format!("PUT /dies:{content}"));
    assert_eq!(pair.wire.requests().len(), 3);
}

#[test]
fn kept_content_of_a_post_is_not_sent_again_and_the_log_says_why() {
    let (origin, tine) = dying(|call| drop(call.content()));
    let mut client = tine.client();
    client.get("/first").expect(200);
    client.send("POST /dies HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
    client.response().expect(502);
    assert_eq!(deaths(&origin), 1);
    tine.wait_log("its method is not idempotent");
}

#[test]
fn an_answer_in_the_middle_of_content_counts_more_than_the_close_behind_it() {
    let (_origin, tine) = dying(|call| {
        call.some_bytes();
        call.reply(403, &["Connection: close"], b"no");
    });
    let mut client = tine.client();
    client.get("/first").expect(200);
    client.send("POST /dies HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n");
    client.try_send(vec![b'x'; 1_000_000]).ok();
    let status = client.response().status;
    assert!(matches!(status, 403 | 502), "{status}");
}

#[test]
fn half_an_answer_on_a_kept_connection_is_not_asked_for_again() {
    for (bytes, status) in [
        ("HTTP/1.1 200 O", 502),
        ("HTTP/1.1 200 OK\r\nContent-Le", 502),
    ] {
        let (origin, tine) = dying(move |call| {
            call.send(bytes);
        });
        let mut client = tine.client();
        client.get("/first").expect(200);
        client.get("/dies").expect(status);
        assert!(deaths(&origin) <= 2, "{bytes:?}");
    }
}

#[test]
fn a_request_that_follows_a_failure_finds_the_server_well() {
    let (_origin, tine) = dying(|_| {});
    for n in 0..20 {
        let mut client = tine.client();
        client.get("/first").expect(200);
        client.send("POST /dies HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        client.response().expect(502);
        let target = format!("/{n}");
        assert_eq!(tine.get(&target).expect(200).text(), target);
    }
}
