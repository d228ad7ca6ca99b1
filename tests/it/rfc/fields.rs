//! RFC 9112 section 5, RFC 9110 sections 5 and 7.6: field lines, connection options, Via, Max-Forwards, TE, Upgrade.

use crate::wire::{Pair, Reply};

#[test]
fn rfc9112_5_a_line_without_a_colon_or_a_name_is_refused() {
    Pair::new().refuses_all(&[
        (b"GET /a HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\n: y\r\n\r\n", 400),
        (
            b"GET /a HTTP/1.1\r\nHost: h\r\nGET /b HTTP/1.1\r\n\r\n",
            400,
        ),
    ]);
}

#[test]
fn rfc9112_5_1_white_space_before_a_colon_is_a_400_in_a_request() {
    Pair::new().refuses_all(&[
        (b"GET /a HTTP/1.1\r\nHost : h\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX\t: y\r\n\r\n", 400),
        (
            b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc",
            400,
        ),
        (
            b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
    ]);
}

#[test]
fn rfc9112_5_1_white_space_before_a_colon_is_removed_from_a_response() {
    let response =
        Pair::saying("HTTP/1.1 200 OK\r\nX-A \t: b\r\nContent-Length: 2\r\n\r\nok").get();
    assert_eq!(
        (response.field("x-a"), response.text().as_str()),
        (Some("b"), "ok")
    );
}

#[test]
fn rfc9110_5_1_a_name_is_a_token() {
    Pair::new().refuses_all(&[
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX(A): y\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX A: y\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX\xff: y\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX\0: y\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\n\"X\": y\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9110_5_1_unknown_fields_are_forwarded() {
    Pair::new().forwards(
        "GET /a HTTP/1.1\r\nHost: h\r\nNever-Heard-Of: it\r\n!#$%&'*+-.^_`|~1: odd\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: @\r\nNever-Heard-Of: it\r\n!#$%&'*+-.^_`|~1: odd\r\nConnection: Keep-Alive\r\n\r\n",
    );
    let pair = Pair::saying("HTTP/1.1 200 OK\r\nNever-Heard-Of: it\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(pair.get().field("never-heard-of"), Some("it"));
}

#[test]
fn rfc9110_5_3_lines_of_one_name_keep_their_order() {
    Pair::new().forwards(
        "GET /a HTTP/1.1\r\nHost: h\r\nX: 1\r\nY: 2\r\nx: 3\r\nX: 1\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: @\r\nX: 1\r\nY: 2\r\nx: 3\r\nX: 1\r\nConnection: Keep-Alive\r\n\r\n",
    );
    let pair = Pair::saying(
        "HTTP/1.1 200 OK\r\nX: 1\r\nSet-Cookie: a\r\nX: 2\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
    );
    let response = pair.get();
    assert_eq!(
        (response.all("x"), response.all("set-cookie")),
        (vec!["1", "2"], vec!["a", "b"])
    );
}

#[test]
fn rfc9110_5_5_nul_cr_and_lf_in_a_value_are_refused() {
    Pair::new().refuses_all(&[
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX: a\nb: c\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX: \x0b\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9110_5_5_nul_and_cr_in_a_responses_value_are_a_502() {
    for line in ["X: a\0b", "X: a\rY: c", "X: a\r\r", "X: \u{1}"] {
        let pair = Pair::saying(format!(
            "HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 0\r\n\r\n"
        ));
        let response = pair.get();
        assert_eq!(
            (response.status, response.field("y")),
            (502, None),
            "{line:?}"
        );
    }
}

#[test]
fn rfc9110_5_5_white_space_around_a_value_is_no_part_of_it() {
    let request = Pair::new()
        .forwarded("GET /a HTTP/1.1\r\nHost: \t h \t\r\nX:\r\nContent-Length: \t0 \r\n\r\n");
    assert_eq!(request.field("x"), Some(""));
    assert_eq!(
        request.field("host").map(|host| host.contains(' ')),
        Some(false)
    );
}

#[test]
fn rfc9112_5_2_an_obs_fold_is_replaced_before_a_request_is_forwarded() {
    Pair::new().forwards(
        "GET /a HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\tc\r\nY: d\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: @\r\nX: a b c\r\nY: d\r\nConnection: Keep-Alive\r\n\r\n",
    );
}

#[test]
fn rfc9112_5_2_an_obs_fold_hides_no_field() {
    let pair = Pair::new();
    let request = pair.forwarded("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\nabc");
    assert_eq!(request.content, b"abc");
    assert_eq!(request.field("x"), Some("y Transfer-Encoding: chunked"));
    pair.wire.bytes();
    pair.refuses_all(&[
        (
            b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n 0\r\n\r\n0123456789",
            400,
        ),
        (
            b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n x\r\n\r\n0\r\n\r\n",
            501,
        ),
        (
            b"POST /a HTTP/1.1\r\nHost: a\r\n b\r\nContent-Length: 0\r\n\r\n",
            400,
        ),
    ]);
}

#[test]
fn rfc9112_5_2_an_obs_fold_is_replaced_before_a_response_is_forwarded() {
    let response =
        Pair::saying("HTTP/1.1 200 OK\r\nX: a\r\n \t b\r\nContent-Length: 0\r\n\r\n").get();
    assert_eq!(response.field("x"), Some("a b"));
}

#[test]
fn rfc9110_7_6_1_fields_named_in_connection_are_removed_from_a_request() {
    Pair::new().forwards(
        "GET /a HTTP/1.1\r\nHost: h\r\nConnection: x-one ,X-Two\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\nConnection: X-Four\r\nX-Four: 4\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: @\r\nX-Three: 3\r\nConnection: Keep-Alive\r\n\r\n",
    );
}

#[test]
fn rfc9110_7_6_1_fields_named_in_connection_are_removed_from_a_response() {
    let response = Pair::saying(
        "HTTP/1.1 200 OK\r\nConnection: X-One\r\nX-One: 1\r\nX-Two: 2\r\nContent-Length: 0\r\n\r\n",
    )
    .get();
    assert_eq!(
        (response.field("x-one"), response.field("x-two")),
        (None, Some("2"))
    );
}

#[test]
fn rfc9110_7_6_1_connection_specific_fields_are_removed_though_nobody_names_them() {
    Pair::new().forwards(
        "GET /a HTTP/1.1\r\nHost: h\r\nProxy-Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\nX: y\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: @\r\nX: y\r\nConnection: Keep-Alive\r\n\r\n",
    );
    let pair = Pair::saying(
        "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nTE: x\r\nContent-Length: 0\r\n\r\n",
    );
    let response = pair.get();
    for name in ["keep-alive", "upgrade", "te", "connection"] {
        assert_eq!(response.field(name), None, "{name}");
    }
}

#[test]
fn rfc9110_7_6_1_connection_never_removes_what_is_for_all_recipients() {
    let request = Pair::new().forwarded(
        "POST /a HTTP/1.1\r\nHost: h\r\nConnection: Host, Content-Length, Cache-Control, Cookie, Authorization\r\nCache-Control: no-store\r\n\
         Cookie: a=b\r\nAuthorization: x\r\nContent-Length: 3\r\n\r\nabc",
    );
    for name in ["host", "cache-control", "cookie", "authorization"] {
        assert!(request.field(name).is_some(), "{name}: {request:?}");
    }
    assert_eq!(request.content, b"abc");
}

#[test]
fn rfc9110_7_6_1_connection_never_changes_the_framing() {
    let request = Pair::new().forwarded(
        "POST /a HTTP/1.1\r\nHost: h\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    assert_eq!(request.content, b"abc");
}

#[test]
fn rfc9110_7_6_2_max_forwards_of_zero_is_not_forwarded() {
    let pair = Pair::new();
    for method in ["OPTIONS", "TRACE"] {
        let talk = pair.talk(format!(
            "{method} /a HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n"
        ));
        assert_eq!(talk.statuses().len(), 1, "{method}");
    }
    assert_eq!(pair.wire.bytes(), "");
}

#[test]
fn rfc9110_7_6_2_max_forwards_is_counted_down() {
    let pair = Pair::new();
    for (came, goes) in [("1", "0"), ("10", "9"), ("007", "6")] {
        let request = pair.forwarded(format!(
            "OPTIONS /a HTTP/1.1\r\nHost: h\r\nMax-Forwards: {came}\r\n\r\n"
        ));
        assert_eq!(request.all("max-forwards"), [goes]);
    }
}

#[test]
fn rfc9110_7_6_2_a_max_forwards_that_is_no_number_is_refused() {
    let pair = Pair::new();
    for value in ["-1", "x", "1, 2", "+1"] {
        let talk = pair.talk(format!(
            "TRACE /a HTTP/1.1\r\nHost: h\r\nMax-Forwards: {value}\r\n\r\n"
        ));
        assert_eq!(talk.statuses(), [400], "{value}");
    }
    assert_eq!(pair.wire.bytes(), "");
}

#[test]
fn rfc9110_7_6_3_via_names_the_version_received_and_goes_behind_the_others() {
    let pair = Pair::conf("ProxyVia On\nUseCanonicalName On\nServerName proxy.example:80");
    let request =
        pair.forwarded("GET /a HTTP/1.1\r\nHost: h\r\nVia: 1.0 first\r\nVia: 1.1 second\r\n\r\n");
    assert_eq!(
        request.all("via").join(", "),
        "1.0 first, 1.1 second, 1.1 proxy.example"
    );
    let request = pair.forwarded("GET /a HTTP/1.0\r\nHost: h\r\n\r\n");
    assert_eq!(request.all("via"), ["1.0 proxy.example"]);
}

#[test]
fn rfc9110_7_6_3_via_of_a_response_goes_behind_the_others() {
    let pair = Pair::with(
        "ProxyVia On\nUseCanonicalName On\nServerName proxy.example:80",
        |_| {
            Reply::Close(
                b"HTTP/1.0 200 OK\r\nVia: 1.1 origin\r\nContent-Length: 0\r\n\r\n".to_vec(),
            )
        },
    );
    // As in httpd, the version is that of the request.
    assert_eq!(
        pair.get().all("via").join(", "),
        "1.1 origin, 1.1 proxy.example"
    );
}

#[test]
fn rfc9110_7_7_path_and_query_are_not_transformed() {
    let pair = Pair::new();
    for target in ["/a%20b", "/~a", "/a?x=%zz&y=<>", "/a?b?c", "/a;b=c,d"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(pair.forwarded(request).target(), target);
    }
}

#[test]
fn rfc9110_7_8_upgrade_is_for_one_hop() {
    Pair::new().forwards(
        "GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: @\r\nConnection: Keep-Alive\r\n\r\n",
    );
}

#[test]
fn rfc9110_7_8_an_upgrade_in_http_1_0_is_ignored() {
    let talk = Pair::new()
        .talk("GET /a HTTP/1.0\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(talk.statuses(), [200]);
}

#[test]
fn rfc9110_10_1_4_te_is_for_one_hop() {
    let request = Pair::new()
        .forwarded("GET /a HTTP/1.1\r\nHost: h\r\nConnection: TE\r\nTE: trailers, deflate\r\n\r\n");
    assert_eq!(request.field("te"), None);
}

#[test]
fn rfc9110_11_7_1_a_challenge_for_the_proxy_is_relayed() {
    let response = Pair::saying(
        "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
    )
    .get();
    assert_eq!(
        (response.status, response.field("proxy-authenticate")),
        (407, Some("Basic realm=\"x\""))
    );
}

#[test]
fn rfc9110_6_6_1_date_is_added_where_there_is_none_and_kept_where_there_is() {
    let without = Pair::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").get();
    assert_eq!(without.all("date").len(), 1);
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let with = Pair::saying(format!(
        "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n"
    ))
    .get();
    assert_eq!(with.all("date"), [date]);
}
