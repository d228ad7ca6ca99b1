//! Limits that directives set, at their boundaries. The values were compared with httpd 2.4.71, whose buffers take one byte more than its
//! manual says.

use crate::wire::Pair;

const LIMITS: &str = "LimitRequestLine 100\nLimitRequestFieldSize 50\nLimitRequestFields 5";

/// A request whose first line has this length.
fn line_of(length: usize) -> String {
    let path = "a".repeat(length - "GET / HTTP/1.1".len());
    format!("GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

/// A request with a field line of this length.
fn field_of(length: usize) -> String {
    format!(
        "GET /a HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n",
        "a".repeat(length - 3)
    )
}

fn fields_of(count: usize) -> String {
    format!(
        "GET /a HTTP/1.1\r\nHost: h\r\n{}\r\n",
        "X: a\r\n".repeat(count - 1)
    )
}

#[test]
fn limitrequestline_is_a_414() {
    let pair = Pair::conf(LIMITS);
    for length in [20, 99, 100, 101] {
        assert_eq!(pair.talk(line_of(length)).statuses(), [200], "{length}");
    }
    pair.wire.bytes();
    for length in [102, 103, 9000] {
        pair.refuses(line_of(length), 414);
    }
}

#[test]
fn limitrequestfieldsize_is_a_400_for_folded_lines_together() {
    let pair = Pair::conf(LIMITS);
    for length in [10, 49, 50, 51] {
        assert_eq!(pair.talk(field_of(length)).statuses(), [200], "{length}");
    }
    pair.wire.bytes();
    for length in [52, 53, 9000] {
        pair.refuses(field_of(length), 400);
    }
    let folded = format!(
        "GET /a HTTP/1.1\r\nHost: h\r\nX: {0}\r\n {0}\r\n {0}\r\n\r\n",
        "a".repeat(20)
    );
    pair.refuses(folded, 400);
}

#[test]
fn limitrequestfields_is_a_400_and_folds_do_not_count() {
    let pair = Pair::conf(LIMITS);
    for count in [1, 4, 5] {
        assert_eq!(pair.talk(fields_of(count)).statuses(), [200], "{count}");
    }
    let folded = fields_of(5).replace("X: a\r\n", "X: a\r\n b\r\n c\r\n");
    assert_eq!(pair.talk(folded).statuses(), [200]);
    pair.wire.bytes();
    for count in [6, 7, 1000] {
        pair.refuses(fields_of(count), 400);
    }
}

#[test]
fn limitrequestfields_0_still_bounds_the_head() {
    let pair = Pair::conf("LimitRequestFields 0");
    assert_eq!(pair.talk(fields_of(1000)).statuses(), [200]);
    pair.wire.bytes();
    let mut client = pair.tine.client();
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n");
    for _ in 0..300 {
        if client.try_send("X: a\r\n".repeat(1000)).is_err() {
            break;
        }
    }
    assert!(!matches!(client.try_response(false), Ok(response) if response.status != 400));
    assert_eq!(pair.wire.bytes(), "");
}

#[test]
fn the_limits_hold_for_trailers_too() {
    let pair = Pair::conf(LIMITS);
    let with = |trailers: &str| {
        format!(
            "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{trailers}\r\n"
        )
    };
    assert_eq!(pair.talk(with(&"X: a\r\n".repeat(5))).statuses(), [200]);
    pair.wire.requests();
    for trailers in ["X: a\r\n".repeat(6), format!("X: {}\r\n", "a".repeat(60))] {
        let talk = pair.talk(with(&trailers));
        assert!(
            talk.statuses().iter().all(|status| *status == 400),
            "{talk:?}"
        );
        assert!(pair.wire.requests().is_empty());
    }
}

#[test]
fn the_limits_are_those_of_the_first_server_of_the_address() {
    let pair = Pair::conf(
        "<VirtualHost *>\nServerName first\nLimitRequestLine 100\n</VirtualHost>\n<VirtualHost *>\nServerName h\nLimitRequestLine 8000\n</VirtualHost>",
    );
    pair.refuses(line_of(200), 414);
}

#[test]
fn limitrequestbody_is_a_413_however_long_content_says_it_is() {
    let pair = Pair::conf(
        "LimitRequestBody 10\n<Location /large>\nLimitRequestBody 20\n</Location>\n<Location /any>\nLimitRequestBody 0\n</Location>",
    );
    let post = |target: &str, size: usize, is_chunked: bool| {
        let content = "x".repeat(size);
        if is_chunked {
            format!(
                "POST {target} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{content}\r\n0\r\n\r\n"
            )
        } else {
            format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n{content}")
        }
    };
    for (target, most) in [("/a", 10), ("/large", 20), ("/any", 100_000)] {
        for is_chunked in [false, true] {
            assert_eq!(
                pair.talk(post(target, most, is_chunked)).statuses(),
                [200],
                "{target} {is_chunked}"
            );
            pair.wire.requests();
            if most < 100 {
                let talk = pair.talk(post(target, most + 1, is_chunked));
                assert_eq!(talk.statuses(), [413], "{target} {is_chunked}");
                assert!(pair.wire.requests().is_empty(), "{target} {is_chunked}");
            }
        }
    }
}

#[test]
fn registeredmethods_is_a_501_for_others() {
    let pair = Pair::conf("HttpProtocolOptions RegisteredMethods\nRegisterHttpMethod BREW WHEN");
    for method in [
        "GET",
        "PATCH",
        "PROPFIND",
        "VERSION-CONTROL",
        "BREW",
        "WHEN",
    ] {
        let bytes = format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(pair.talk(bytes).statuses(), [200], "{method}");
    }
    pair.wire.bytes();
    for method in ["get", "brew", "M-SEARCH", "GETX"] {
        pair.refuses(format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n"), 501);
    }
}

#[test]
fn unsafe_forgives_what_has_one_meaning_and_forwards_it_put_right() {
    let pair = Pair::conf("HttpProtocolOptions Unsafe");
    let sent = "GET /a?b HTTP/1.1\r\nHost: @\r\nX: y z\r\nConnection: Keep-Alive\r\n\r\n";
    for bytes in [
        "GET /a?b HTTP/1.1\nHost: h\nX: y z\n\n",
        "\n\nGET /a?b HTTP/1.1\r\nHost: h\nX: y z\r\n\n",
        "GET   /a?b   HTTP/1.1  \r\nHost: h\r\nX: y z\r\n\r\n",
        "GET /a?b http/1.1\r\nHost: h\r\nX: y z\r\n\r\n",
        "GET /a?b#fragment HTTP/1.1\r\nHost: h\r\nX: y z\r\n\r\n",
        "GET /a?b HTTP/1.1\r\nHost: h\r\nX: y\u{1}z\r\n\r\n",
        "GET /a?b HTTP/1.1\r\nHost: h\r\nX: y\n z\r\n\r\n",
    ] {
        pair.forwards(bytes, sent);
    }
    pair.wire.requests();
    let chunks = "POST /a HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\n";
    assert_eq!(pair.forwarded(chunks).content, b"abc");
}

#[test]
fn unsafe_refuses_what_two_readers_may_differ_about() {
    let pair = Pair::conf("HttpProtocolOptions Unsafe");
    pair.refuses_all(&[
        (b"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"G@T /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX(: y\r\n\r\n", 400),
        (
            b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc",
            400,
        ),
        (
            b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\x01\r\n\r\nabc",
            400,
        ),
        (
            b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\nabc",
            400,
        ),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400),
        (b"GET /a\r\n\r\n", 400),
    ]);
}

#[test]
fn allow09_does_not_bring_http_0_9_back() {
    let pair = Pair::conf("HttpProtocolOptions Allow0.9");
    pair.refuses("GET /a\r\n\r\n", 400);
    assert!(pair.tine.control(&["-t"]).status.success());
}
