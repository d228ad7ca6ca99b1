//! RFC 9112 sections 2 and 3, and 9110 section 7: start lines, targets, Host, versions.

use crate::wire::Pair;

#[test]
fn rfc9112_2_1_messages_are_octets_and_obs_text_passes_unchanged() {
    Pair::new().forwards(
        b"GET /a HTTP/1.1\r\nHost: h\r\nX: \xe4\xff\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: @\r\nX: \u{e4}\u{ff}\r\nConnection: Keep-Alive\r\n\r\n",
    );
}

#[test]
fn rfc9112_2_2_empty_lines_before_a_request_are_ignored() {
    Pair::new().forwards(
        "\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: @\r\nConnection: Keep-Alive\r\n\r\n\
         GET /b HTTP/1.1\r\nHost: @\r\nConnection: Keep-Alive\r\n\r\n",
    );
}

#[test]
fn rfc9112_2_2_a_bare_cr_in_a_request_is_refused() {
    Pair::new().refuses_all(&[
        (b"GET /a\r HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\r\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", 400),
        (
            b"GET /a HTTP/1.1\r\nHost: h\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX\r: a\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9112_2_2_a_bare_lf_in_a_request_is_refused() {
    Pair::new().refuses_all(&[
        (b"GET /a HTTP/1.1\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\n\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\n\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: h\r\nX: a\n\tb\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9112_2_2_white_space_between_request_line_and_first_field_is_refused() {
    Pair::new().refuses_all(&[
        (b"GET /a HTTP/1.1\r\n Host: h\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\n\tX: y\r\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\n \r\nHost: h\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9112_2_2_what_is_no_request_is_answered_with_400_and_a_close() {
    Pair::new().refuses_all(&[
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"\0\0\0\0", 400),
        (b"{}\r\n\r\n", 400),
        (b"HELO\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9112_2_3_the_version_sent_is_our_own() {
    let pair = Pair::new();
    for version in ["1.0", "1.1", "1.2", "1.9"] {
        let request = format!("GET /a HTTP/{version}\r\nHost: h\r\n\r\n");
        pair.forwards(
            request,
            "GET /a HTTP/1.1\r\nHost: @\r\nConnection: Keep-Alive\r\n\r\n",
        );
    }
}

#[test]
fn rfc9112_2_3_responses_carry_our_version_whatever_the_backend_speaks() {
    let pair = Pair::saying_last("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(pair.get().version, "HTTP/1.1");
    let old = pair.talk("GET /a HTTP/1.0\r\nHost: h\r\n\r\n").only();
    assert_eq!(old.version, "HTTP/1.1");
}

#[test]
fn rfc9110_15_6_6_another_major_version_is_a_505() {
    Pair::new().refuses_all(&[
        (b"GET /a HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        (b"GET /a HTTP/3.1\r\nHost: h\r\n\r\n", 505),
        (b"GET /a HTTP/0.9\r\nHost: h\r\n\r\n", 505),
    ]);
}

#[test]
fn rfc9112_2_3_a_version_is_two_digits_in_capitals() {
    Pair::new().refuses_all(&[
        (b"GET /a http/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP/1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP/1.10\r\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP/01.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP/1.1x\r\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP /1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9112_3_single_spaces_separate_the_request_lines_three_parts() {
    Pair::new().refuses_all(&[
        (b"GET  /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a  HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP/1.1 \r\nHost: h\r\n\r\n", 400),
        (b" GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET\t/a\tHTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET\x0b/a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a HTTP/1.1 GET /b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9112_3_request_lines_of_8000_octets_are_taken_and_longer_ones_are_a_414() {
    let pair = Pair::new();
    let path = "x".repeat(8000 - "GET / HTTP/1.1".len());
    let request = pair.forwarded(format!("GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert_eq!(request.line.len(), 8000);
    pair.wire.bytes();
    pair.refuses(
        format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(9000)),
        414,
    );
}

#[test]
fn rfc9110_9_1_any_token_is_a_method_and_case_matters() {
    let pair = Pair::new();
    for method in ["GET", "get", "BREW", "M-SEARCH", "!#$%&'*+-.^_`|~09"] {
        let request = format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n");
        let expected = format!("{method} /a HTTP/1.1\r\nHost: @\r\nConnection: Keep-Alive\r\n\r\n");
        pair.forwards(request, &expected);
    }
}

#[test]
fn rfc9112_3_1_a_method_that_is_no_token_is_refused() {
    Pair::new().refuses_all(&[
        (b"G@T /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET: /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"G\xc3\x89T /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"G\0T /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"(GET) /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9112_3_2_a_request_without_host_is_a_400() {
    Pair::new().refuses_all(&[
        (b"GET /a HTTP/1.1\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nX: y\r\n\r\n", 400),
        (b"GET http://h/a HTTP/1.1\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9112_3_2_a_request_with_two_hosts_is_a_400() {
    Pair::new().refuses_all(&[
        (b"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (
            b"GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\nHOST: a\r\n\r\n",
            400,
        ),
        (b"GET /a HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9112_3_2_a_malformed_host_is_a_400() {
    Pair::new().refuses_all(&[
        (b"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: a?b\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: a#b\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost: a\xff\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9112_3_2_an_old_request_without_host_gets_one() {
    Pair::new().forwards(
        "GET /a HTTP/1.0\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: @\r\nConnection: Keep-Alive\r\n\r\n",
    );
}

#[test]
fn rfc9110_7_2_host_comes_first_and_there_is_one() {
    Pair::new().forwards(
        "GET /a HTTP/1.1\r\nA: 1\r\nB: 2\r\nHost: h\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: @\r\nA: 1\r\nB: 2\r\nConnection: Keep-Alive\r\n\r\n",
    );
}

#[test]
fn rfc9112_3_2_1_origin_form_keeps_path_and_query() {
    let pair = Pair::new();
    for target in ["/", "/a", "/a?b=c&d", "/a?", "/a?x=/../y", "/a/b;c=d/e"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(pair.forwarded(request).target(), target);
    }
}

#[test]
fn rfc9112_3_2_2_absolute_form_is_taken_and_its_authority_replaces_host() {
    let pair = Pair::conf("ProxyPreserveHost On");
    pair.forwards(
        "GET http://right.example:81/a?b HTTP/1.1\r\nHost: wrong.example\r\n\r\n",
        "GET /a?b HTTP/1.1\r\nHost: right.example:81\r\nConnection: Keep-Alive\r\n\r\n",
    );
    pair.forwards(
        "GET http://right.example/a HTTP/1.0\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: right.example\r\nConnection: Keep-Alive\r\n\r\n",
    );
}

#[test]
fn rfc9112_3_2_2_an_absolute_form_without_path_asks_for_the_root() {
    let pair = Pair::new();
    assert_eq!(
        pair.forwarded("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n")
            .target(),
        "/"
    );
    assert_eq!(
        pair.forwarded("GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n")
            .target(),
        "/?q"
    );
}

#[test]
fn rfc9112_3_2_a_target_of_no_form_is_a_400() {
    Pair::new().refuses_all(&[
        (b"GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET ?a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET @evil/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET http:/a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET http://a b/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET http://h:x/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9112_3_2_a_target_with_white_space_control_or_fragment_is_a_400() {
    Pair::new().refuses_all(&[
        (b"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /\x7f HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ]);
}

#[test]
fn rfc9112_3_white_space_never_comes_out_of_an_escape() {
    let pair = Pair::new();
    let request =
        pair.forwarded("GET /a%20b%0D%0AX:%20y%00 HTTP/1.1\r\nHost: h\r\n\r\n".replace("%00", ""));
    assert_eq!(
        request.target(),
        "/a%20b%0d%0aX:%20y".replace("%0d%0a", &request.target()[6..12])
    );
    assert!(
        request.target()[6..12].eq_ignore_ascii_case("%0d%0a"),
        "{}",
        request.line
    );
}

#[test]
fn rfc9110_4_2_4_user_information_in_a_target_is_refused() {
    Pair::new().refuses_all(&[
        (b"GET http://user@h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (
            b"GET http://user:secret@h/ HTTP/1.1\r\nHost: h\r\n\r\n",
            400,
        ),
        (
            b"GET http://good.example@evil.example/ HTTP/1.1\r\nHost: h\r\n\r\n",
            400,
        ),
    ]);
}

#[test]
fn rfc9112_3_2_3_authority_form_is_for_connect_alone_and_a_gateway_refuses_it() {
    let pair = Pair::new();
    let talk = pair.talk("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(talk.statuses(), [405]);
    pair.refuses_all(&[
        (b"CONNECT h HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"CONNECT /a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"CONNECT http://h:443/ HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ]);
    assert_eq!(pair.wire.bytes(), "");
}

#[test]
fn rfc9112_3_2_4_asterisk_form_is_for_options_alone() {
    let pair = Pair::new();
    pair.refuses_all(&[
        (b"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (
            b"POST * HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
            400,
        ),
    ]);
    for target in ["*", "http://h"] {
        let talk = pair.talk(format!("OPTIONS {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(talk.statuses(), [200], "{target}");
    }
    assert_eq!(
        pair.wire.bytes(),
        "",
        "it asks about the server that it reaches"
    );
}
