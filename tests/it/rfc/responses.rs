//! RFC 9112 sections 4, 6, 7 and 8 as they concern responses: status lines, how long content is, what is incomplete.

use crate::harness::client::{Broken, Framing};
use crate::wire::{Pair, Reply, Request, ok};

/// A backend that says `evil` to `/a` and closes, and is fine with everything else.
fn evil(evil: impl AsRef<[u8]>) -> Pair {
    let bytes = evil.as_ref().to_vec();
    Pair::with("", move |request: &Request| match request.target() {
        "/a" => Reply::Keep(bytes.clone()),
        _ => ok(request),
    })
}

/// That `/a` gets a 502 and that what follows it gets its own answer.
#[track_caller]
fn is_a_502(response: impl AsRef<[u8]>) {
    let shown = String::from_utf8_lossy(response.as_ref()).into_owned();
    let pair = evil(response);
    let talk = pair.talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(talk.statuses().first(), Some(&502), "{shown:?}: {talk:?}");
    assert!(
        talk.texts().get(1).is_none_or(|text| text == "GET /b:"),
        "{shown:?}: {talk:?}"
    );
    assert_eq!(
        pair.talk("GET /c HTTP/1.1\r\nHost: h\r\n\r\n").texts(),
        ["GET /c:"],
        "after {shown:?}"
    );
}

#[test]
fn rfc9112_4_what_is_no_status_line_is_a_502() {
    for line in [
        "<html>",
        "SSH-2.0-OpenSSH_9.2",
        "HTTP/1.1",
        "HTTP/1.1 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 2x0 OK",
        "HTTP/2.0 200 OK",
        "HTTP/1.1\t200\tOK",
        "http/1.1 200 OK",
        "HTTP/1.1 -20 OK",
        "ICY 200 OK",
    ] {
        is_a_502(format!("{line}\r\nContent-Length: 0\r\n\r\n"));
    }
}

#[test]
fn rfc9112_4_the_reason_is_optional_and_means_nothing() {
    for (line, reason) in [
        ("HTTP/1.1 200 Fine \u{e4}\u{e4}", None),
        ("HTTP/1.1 404 OK", Some("OK")),
        ("HTTP/1.1 200 ", None),
        ("HTTP/1.1 200", None),
    ] {
        let response = Pair::saying(format!("{line}\r\nContent-Length: 0\r\n\r\n")).get();
        assert_eq!(
            response.status,
            if line.contains("404") { 404 } else { 200 }
        );
        if let Some(reason) = reason {
            assert_eq!(response.reason, reason);
        }
    }
}

#[test]
fn rfc9110_15_unknown_statuses_pass_through() {
    for status in [299, 399, 499, 599, 418, 451] {
        assert_eq!(
            Pair::saying(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))
                .get()
                .status,
            status
        );
    }
}

#[test]
fn rfc9112_2_2_white_space_before_a_responses_first_field_is_a_502() {
    is_a_502("HTTP/1.1 200 OK\r\n Content-Length: 0\r\n\r\n");
    is_a_502("HTTP/1.1 200 OK\r\n\tX: y\r\nContent-Length: 0\r\n\r\n");
}

#[test]
fn rfc9112_2_2_a_bare_cr_in_a_status_line_is_a_502() {
    is_a_502("HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n");
    is_a_502("HTTP/1.1 200 OK\r\rX: y\r\nContent-Length: 0\r\n\r\n");
}

#[test]
fn rfc9112_2_2_a_backends_bare_lf_is_taken_for_a_line_end_and_not_forwarded() {
    let mut client_side = Pair::saying("HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\nok");
    let mut client = client_side.tine.client();
    client.send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let bytes = String::from_utf8(client.rest()).expect("text");
    assert!(
        bytes.contains("\r\nX: y\r\n") && bytes.ends_with("\r\n\r\nok"),
        "{bytes:?}"
    );
    assert!(!bytes.replace("\r\n", "").contains('\n'), "{bytes:?}");
    client_side.wire.bytes();
    client_side = Pair::new();
    client_side.get();
}

#[test]
fn rfc9112_6_3_rule_1_a_response_to_head_has_no_content_whatever_its_fields_say() {
    for fields in [
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "",
    ] {
        let pair = Pair::saying(format!("HTTP/1.1 200 OK\r\n{fields}\r\n"));
        let request = "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n";
        let talk = pair.talk_about(request.repeat(2), &[true, true]);
        assert_eq!(talk.statuses(), [200, 200], "{fields:?}: {talk:?}");
        let has_length = talk.responses[0].field("content-length") == Some("5");
        assert_eq!(has_length, fields.contains('5'), "{fields:?}");
    }
}

#[test]
fn rfc9112_6_3_rule_1_content_behind_a_response_to_head_reaches_nobody() {
    let pair = evil(
        "HTTP/1.1 200 OK\r\nContent-Length: 47\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
    );
    let talk = pair.talk_about(
        "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
        &[true],
    );
    assert_eq!(talk.texts(), ["", "GET /b:"], "{talk:?}");
}

#[test]
fn rfc9112_6_3_rule_1_204_and_304_have_no_content_whatever_their_fields_say() {
    for status in ["204", "304"] {
        for fields in [
            "Content-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n",
            "",
        ] {
            let pair = evil(format!("HTTP/1.1 {status} X\r\n{fields}\r\n"));
            let talk =
                pair.talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
            assert_eq!(
                talk.texts(),
                ["", "GET /b:"],
                "{status} {fields:?}: {talk:?}"
            );
        }
    }
}

#[test]
fn rfc9112_6_1_a_204_has_no_framing_fields() {
    let response = Pair::saying("HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n").get();
    assert_eq!(
        (
            response.field("transfer-encoding"),
            response.field("content-length")
        ),
        (None, None)
    );
    let response = Pair::saying("HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n").get();
    assert_eq!(
        response.field("content-length"),
        None,
        "RFC 9110 section 8.6"
    );
}

#[test]
fn rfc9110_8_6_a_304_says_no_other_length_than_the_backend_did() {
    let response = Pair::saying("HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n").get();
    let length = response.field("content-length");
    assert!(matches!(length, None | Some("5")), "{length:?}");
}

#[test]
fn rfc9112_6_3_rule_3_a_response_with_te_and_cl_is_never_forwarded_with_both() {
    let pair = evil(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    let talk = pair.talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    // The client's reader refuses both.
    assert_eq!(talk.texts(), ["hello", "GET /b:"], "{talk:?}");
    assert_eq!(talk.responses[0].framing, Framing::Chunked);
    assert_eq!(
        pair.wire.connections(),
        2,
        "the backend's connection is not used again"
    );
}

#[test]
fn rfc9112_6_1_an_unknown_coding_of_a_response_is_a_502() {
    for coding in [
        "gzip",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "xchunked",
        "",
    ] {
        is_a_502(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n"
        ));
    }
}

#[test]
fn rfc9112_6_1_a_coding_in_an_http_1_0_response_is_a_502() {
    is_a_502("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

#[test]
fn rfc9112_6_1_a_client_of_http_1_0_gets_no_transfer_coding() {
    let pair = Pair::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    let response = pair
        .talk("GET /a HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n")
        .only();
    assert_eq!(
        (response.text().as_str(), response.framing),
        ("hello", Framing::Close)
    );
    assert_ne!(response.field("connection"), Some("keep-alive"));
}

#[test]
fn rfc9112_6_3_rule_5_an_invalid_length_of_a_response_is_a_502() {
    for length in [
        "",
        "x",
        "+3",
        "-3",
        "0x3",
        "3 3",
        "3,4",
        "3,",
        "18446744073709551616",
    ] {
        is_a_502(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nabc"
        ));
    }
    is_a_502("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd");
}

#[test]
fn rfc9112_6_3_rule_5_equal_lengths_of_a_response_become_one() {
    for lengths in [
        "Content-Length: 3, 3\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
    ] {
        let response = Pair::saying(format!("HTTP/1.1 200 OK\r\n{lengths}\r\nabc")).get();
        assert_eq!(
            (response.all("content-length"), response.text().as_str()),
            (vec!["3"], "abc")
        );
    }
}

#[test]
fn rfc9112_6_3_rule_6_bytes_behind_a_length_are_nobodys() {
    let pair = evil(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
    );
    let talk = pair.talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(talk.texts(), ["ok", "GET /b:"], "{talk:?}");
}

#[test]
fn rfc9112_6_3_rule_8_content_may_last_until_the_backend_closes() {
    let response = Pair::saying_last("HTTP/1.1 200 OK\r\n\r\nuntil the end").get();
    assert_eq!(
        (response.text().as_str(), response.framing),
        ("until the end", Framing::Chunked)
    );
}

#[test]
fn rfc9112_7_1_broken_chunks_of_a_response_are_not_taken_for_an_end() {
    for chunks in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "x\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    ] {
        let pair = evil(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
        ));
        let talk =
            pair.talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
        let is_cut = matches!(talk.broken, Some(Broken::Truncated(_))) && talk.responses.is_empty();
        assert!(is_cut || talk.statuses() == [502], "{chunks:?}: {talk:?}");
        assert_eq!(
            pair.talk("GET /c HTTP/1.1\r\nHost: h\r\n\r\n").texts(),
            ["GET /c:"]
        );
    }
}

#[test]
fn rfc9112_7_1_1_extensions_of_a_response_are_not_forwarded() {
    let pair = Pair::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0;c\r\n\r\n",
    );
    let mut client = pair.tine.client();
    client.send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let bytes = String::from_utf8(client.rest()).expect("text");
    assert!(
        bytes.ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        "{bytes:?}"
    );
}

#[test]
fn rfc9110_6_5_1_trailers_that_would_change_a_responses_meaning_are_dropped() {
    let pair = Pair::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\nTransfer-Encoding: x\r\n\
         Location: /evil\r\nConnection: close\r\nX-Sum: 1\r\n\r\n",
    );
    let response = pair.get();
    assert_eq!(response.trailer("x-sum"), Some("1"));
    for name in [
        "content-length",
        "set-cookie",
        "transfer-encoding",
        "location",
        "connection",
    ] {
        assert_eq!(
            (response.trailer(name), response.field("set-cookie")),
            (None, None),
            "{name}"
        );
    }
}

#[test]
fn rfc9112_8_an_incomplete_response_is_incomplete_for_the_client() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ] {
        let talk = Pair::saying_last(bytes).talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        let is_cut = talk.responses.is_empty() && matches!(talk.broken, Some(Broken::Truncated(_)));
        assert!(is_cut, "{bytes:?}: {talk:?}");
    }
}

#[test]
fn rfc9112_8_an_incomplete_head_of_a_response_is_a_502() {
    for bytes in [
        "",
        "H",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
    ] {
        let talk = Pair::saying_last(bytes)
            .talk("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(talk.statuses(), [502], "{bytes:?}: {talk:?}");
    }
}

#[test]
fn rfc9110_15_2_interim_responses_are_forwarded_to_clients_that_know_them() {
    let pair = Pair::saying(
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let talk = pair.talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(talk.statuses(), [103, 102, 200]);
    assert_eq!(talk.responses[0].field("link"), Some("x"));
    let old = pair.talk("GET /a HTTP/1.0\r\nHost: h\r\n\r\n");
    assert_eq!(
        old.statuses(),
        [200],
        "a client of HTTP/1.0 would take it for the response"
    );
}

#[test]
fn rfc9110_15_2_an_interim_response_has_no_framing_fields() {
    let pair = Pair::saying(
        "HTTP/1.1 103 X\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let talk = pair.talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(talk.texts(), ["", "ok"], "{talk:?}");
    for name in ["content-length", "transfer-encoding", "connection"] {
        assert_eq!(talk.responses[0].field(name), None, "{name}");
    }
}

#[test]
fn rfc9110_15_2_1_a_100_that_nobody_asked_for_is_not_forwarded() {
    let pair =
        Pair::saying("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(
        pair.talk("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").statuses(),
        [200]
    );
}

#[test]
fn rfc9110_15_2_2_a_101_that_nobody_asked_for_is_a_502() {
    is_a_502(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
    );
}
