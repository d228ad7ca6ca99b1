//! RFC 9112 section 9: what persists, what closes, and in which order.

use crate::harness::{Gate, Origin, Setup, Shape, until};
use crate::wire::{MARKER, Pair, Reply, Request, ok};
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn rfc9112_9_2_responses_come_in_the_order_of_requests() {
    let pair = Pair::new();
    let requests: String = (0..50)
        .map(|n| match n % 3 {
            0 => format!("GET /{n} HTTP/1.1\r\nHost: h\r\n\r\n"),
            1 => format!("POST /{n} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{n:02}"),
            _ => format!("POST /{n} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{n:02}\r\n0\r\n\r\n"),
        })
        .collect();
    let expected: Vec<String> = (0..50)
        .map(|n| match n % 3 {
            0 => format!("GET /{n}:"),
            _ => format!("POST /{n}:{n:02}"),
        })
        .collect();
    assert_eq!(pair.talk(requests).texts(), expected);
}

#[test]
fn rfc9112_9_3_a_connection_persists_unless_somebody_says_close() {
    let pair = Pair::new();
    let mut client = pair.tine.client();
    for _ in 0..3 {
        assert_eq!(client.get("/a").expect(200).field("connection"), None);
    }
    client.send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: foo, CLOSE\r\n\r\n");
    assert_eq!(
        client.response().expect(200).field("connection"),
        Some("close")
    );
    assert!(client.is_closed());
}

#[test]
fn rfc9112_9_3_an_http_1_0_connection_ends_unless_it_was_asked_to_stay() {
    let pair = Pair::new();
    for (fields, stays) in [
        ("", false),
        ("Connection: close\r\n", false),
        ("Connection: x\r\n", false),
        ("Proxy-Connection: keep-alive\r\n", false),
        ("Keep-Alive: 5\r\n", false),
        ("Connection: Keep-Alive\r\n", true),
        ("Connection: keep-alive, close\r\n", false),
    ] {
        let mut client = pair.tine.client();
        client.send(format!("GET /a HTTP/1.0\r\nHost: h\r\n{fields}\r\n"));
        client.response().expect(200);
        if stays {
            client.get("/b").expect(200);
        } else {
            assert!(client.is_closed(), "{fields:?}");
        }
    }
}

#[test]
fn rfc9112_9_3_what_the_backend_says_of_its_connection_is_not_said_of_the_clients() {
    let pair =
        Pair::saying_last("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    let talk = pair.talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(3));
    assert_eq!(talk.texts(), ["ok", "ok", "ok"]);
    assert!(
        talk.responses
            .iter()
            .all(|response| response.field("connection").is_none())
    );
    assert_eq!(pair.wire.connections(), 3);
}

#[test]
fn rfc9112_9_3_what_the_client_says_of_its_connection_is_not_said_of_the_backends() {
    let pair = Pair::new();
    for _ in 0..3 {
        pair.forwards(
            "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: @\r\nConnection: Keep-Alive\r\n\r\n",
        );
    }
    assert_eq!(pair.wire.connections(), 1);
}

#[test]
fn rfc9112_9_3_an_http_1_0_backend_is_not_used_again() {
    let pair =
        Pair::saying("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(
        pair.talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(2))
            .texts(),
        ["ok", "ok"]
    );
    assert_eq!(pair.wire.connections(), 2);
}

#[test]
fn rfc9112_9_3_content_is_read_to_its_end_before_the_next_request() {
    let pair = Pair::conf("<Location /no>\nRequire all denied\n</Location>");
    let evil = "GET /evil HTTP/1.1\r\nHost: h\r\n\r\n";
    let bytes = format!(
        "POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{evil}",
        evil.len()
    );
    let talk = pair.talk([bytes.as_bytes(), MARKER].concat());
    assert_eq!(talk.statuses().first(), Some(&403));
    let bytes = pair.wire.bytes();
    assert!(
        !bytes.contains("/evil"),
        "content is not a request: {bytes}"
    );
}

#[test]
fn rfc9112_9_3_1_what_is_not_idempotent_is_not_repeated() {
    let count = AtomicUsize::new(0);
    let pair = Pair::with("", move |request: &Request| match request.target() {
        "/a" => Reply::Close(Vec::new()),
        _ => {
            count.fetch_add(1, Ordering::SeqCst);
            ok(request)
        }
    });
    for method in ["POST", "PATCH", "BREW"] {
        pair.talk("GET /first HTTP/1.1\r\nHost: h\r\n\r\n");
        pair.wire.requests();
        let talk = pair.talk(format!(
            "{method} /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
        ));
        assert_eq!(talk.statuses(), [502], "{method}");
        assert_eq!(pair.wire.requests().len(), 1, "{method}");
    }
}

#[test]
fn rfc9112_9_3_1_what_is_idempotent_is_repeated_once_on_a_connection_of_its_own() {
    let count = AtomicUsize::new(0);
    let pair = Pair::with("", move |request: &Request| {
        match count.fetch_add(1, Ordering::SeqCst) {
            1 => Reply::Close(Vec::new()),
            _ => ok(request),
        }
    });
    pair.talk("GET /first HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(
        pair.talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").texts(),
        ["GET /a:"]
    );
    assert_eq!(pair.wire.requests().len(), 3);
    assert_eq!(pair.wire.connections(), 2);
}

#[test]
fn rfc9112_9_3_2_a_backend_gets_one_request_at_a_time() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = Origin::start("slow", move |call| {
        call.wait(&held);
        let text = call.target();
        call.reply(200, &[], text.as_bytes());
    });
    let setup = Setup::new().shape(Shape::Event).single_process();
    let tine = setup.start(&format!("ProxyPass / {}/\n", origin.url()));
    let mut client = tine.client();
    client.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    until("the first waits", || gate.waiting() == 1);
    assert_eq!(origin.count(), 1);
    gate.open();
    assert_eq!(
        [client.response().text(), client.response().text()],
        ["/1", "/2"]
    );
}

#[test]
fn rfc9112_9_6_nothing_is_processed_behind_a_close_of_the_client() {
    let pair = Pair::new();
    let talk = pair.talk(
        [
            b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            MARKER,
        ]
        .concat(),
    );
    assert_eq!(talk.texts(), ["GET /a:"]);
    assert!(!pair.wire.bytes().contains("/marker"));
}

#[test]
fn rfc9112_9_6_nothing_is_processed_behind_a_close_of_ours() {
    let pair = Pair::conf("MaxKeepAliveRequests 1");
    let request = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    let talk = pair.talk([request.repeat(2).as_bytes(), MARKER].concat());
    let last = talk.responses.last().expect("a response");
    assert_eq!(last.field("connection"), Some("close"));
    assert!(!pair.wire.bytes().contains("/marker"));
}

#[test]
fn rfc9112_9_6_an_error_of_framing_is_the_connections_last_response() {
    let pair = Pair::new();
    let good = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    let bad = "GET /b HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n";
    let talk = pair.talk([good.as_bytes(), bad.as_bytes(), MARKER].concat());
    assert_eq!(talk.statuses(), [200, 400]);
    assert!(!pair.wire.bytes().contains("/marker"));
}

#[test]
fn rfc9112_9_6_what_a_client_still_sends_does_not_destroy_its_last_response() {
    let pair = Pair::conf("LimitRequestBody 10");
    let mut client = pair.tine.client();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
    for _ in 0..100 {
        if client.try_send([b'x'; 10_000]).is_err() {
            break;
        }
    }
    let response = client.response().expect(413);
    assert_eq!(response.field("connection"), Some("close"));
    assert_eq!(pair.wire.bytes(), "");
}

#[test]
fn rfc9112_9_3_a_response_is_never_another_requests() {
    let pair = Pair::new();
    let threads: Vec<_> = (0..8)
        .map(|client| {
            let address = pair.tine.address();
            std::thread::spawn(move || {
                let mut connection = crate::harness::Client::connect(address);
                for n in 0..50 {
                    let response = connection.get(&format!("/{client}/{n}"));
                    assert_eq!(response.text(), format!("GET /{client}/{n}:"));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("every answer was its own");
    }
}
