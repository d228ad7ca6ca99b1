//! RFC 9110 sections 9, 10 and 15: methods that concern a proxy, Expect, and statuses that it gives itself.

use crate::harness::{Origin, Setup, Shape};
use crate::wire::{MARKER, Pair};

#[test]
fn rfc9110_9_3_2_a_head_is_forwarded_as_a_head() {
    let pair = Pair::new();
    let mut client = pair.tine.client();
    client.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
    let response = client.head_response().expect(200);
    assert_eq!(response.field("content-length"), Some("8"));
    assert_eq!(
        pair.wire.bytes(),
        "HEAD /a HTTP/1.1\r\nHost: @\r\nConnection: Keep-Alive\r\n\r\n"
    );
    assert_eq!(client.get("/b").text(), "GET /b:");
}

#[test]
fn rfc9110_9_3_2_an_error_to_a_head_has_no_content() {
    let pair = Pair::conf("<Location /no>\nRequire all denied\n</Location>");
    let head = "HEAD /no HTTP/1.1\r\nHost: h\r\n\r\n";
    let talk = pair.talk_about([head.as_bytes(), MARKER].concat(), &[true]);
    assert_eq!(talk.texts(), ["", "GET /marker:"], "{talk:?}");
    let broken = pair.talk_about("HEAD /a HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n", &[true]);
    assert_eq!(broken.statuses(), [400]);
}

#[test]
fn rfc9110_9_3_7_options_for_a_resource_is_forwarded() {
    let request = Pair::new().forwarded("OPTIONS /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(request.line, "OPTIONS /a HTTP/1.1");
}

#[test]
fn rfc9110_9_3_8_a_trace_that_ends_here_shows_no_secrets() {
    let pair = Pair::new();
    let talk = pair.talk("TRACE /a HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\nCookie: secret\r\nAuthorization: secret\r\nX: shown\r\n\r\n");
    let text = talk.texts().join("");
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(pair.wire.bytes(), "");
}

#[test]
fn rfc9110_10_1_1_an_expectation_of_100_is_forwarded_and_content_waits() {
    let origin = Origin::start("asked", |call| {
        call.send("HTTP/1.1 100 Continue\r\n\r\n");
        let content = call.content();
        call.reply(200, &[], &content);
    });
    let setup = Setup::new().shape(Shape::Event).single_process();
    let tine = setup.start(&format!("ProxyPass / {}/\n", origin.url()));
    let mut client = tine.client();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n");
    client.response().expect(100);
    assert!(
        origin
            .last()
            .field("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    );
    client.send("body");
    assert_eq!(client.response().expect(200).text(), "body");
    // This backend says 100 to everything; whoever did not ask is not told.
    client.get("/b").expect(200);
}

#[test]
fn rfc9110_10_1_1_a_final_answer_instead_of_a_100_ends_the_connection() {
    let origin = Origin::start("refusing", |call| {
        call.reply(403, &["Connection: close"], b"no");
        call.close();
    });
    let setup = Setup::new().shape(Shape::Event).single_process();
    let tine = setup.start(&format!("ProxyPass / {}/\n", origin.url()));
    let mut client = tine.client();
    client
        .send("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 31\r\n\r\n");
    let response = client.response().expect(403);
    assert_eq!(
        response.field("connection"),
        Some("close"),
        "nobody could tell content from the next request"
    );
    assert!(client.is_closed());
}

#[test]
fn rfc9110_10_1_1_an_expectation_in_http_1_0_is_ignored() {
    let pair = Pair::new();
    let mut client = pair.tine.client();
    client.send("POST /a HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    client.send("body");
    assert_eq!(client.response().expect(200).text(), "POST /a:body");
}

#[test]
fn rfc9110_10_1_1_an_unknown_expectation_is_a_417() {
    let pair = Pair::new();
    for value in ["x", "100-continue, x", "200-ok"] {
        let bytes = format!(
            "POST /a HTTP/1.1\r\nHost: h\r\nExpect: {value}\r\nContent-Length: 4\r\n\r\nbody"
        );
        let talk = pair.talk([bytes.as_bytes(), MARKER].concat());
        assert_eq!(talk.statuses(), [417], "{value}: {talk:?}");
        assert_eq!(pair.wire.bytes(), "", "{value}");
    }
}

#[test]
fn rfc9110_10_1_1_without_content_there_is_nothing_to_wait_for() {
    let pair = Pair::new();
    let talk = pair.talk("GET /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(talk.statuses(), [200]);
}

#[test]
fn rfc9110_15_5_14_content_that_is_too_large_is_a_413_and_the_connection_ends() {
    let pair = Pair::conf("LimitRequestBody 10");
    pair.refuses(
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world",
        413,
    );
    pair.refuses(
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n",
        413,
    );
    pair.refuses(
        "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n",
        413,
    );
    assert_eq!(
        pair.forwarded("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello worl")
            .content
            .len(),
        10
    );
}

#[test]
fn rfc9110_15_6_3_a_backend_that_says_nothing_proper_is_a_502() {
    let talk = Pair::saying_last("nonsense\r\n\r\n").talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(talk.statuses(), [502]);
}

#[test]
fn rfc9110_15_6_4_a_backend_that_cannot_be_reached_is_a_503() {
    let dead = crate::harness::DeadPort::new();
    let setup = Setup::new().shape(Shape::Event).single_process();
    let tine = setup.start(&format!("ProxyPass / {}/\n", dead.url()));
    tine.get("/a").expect(503);
}
