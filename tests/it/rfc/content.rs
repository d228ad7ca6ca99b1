//! RFC 9112 sections 6, 7 and 8 as they concern requests: how long content is, chunks, what is incomplete.

use crate::wire::{MARKER, Pair};

/// A POST with these framing fields and this content.
fn post(framing: &str, content: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: h\r\n{framing}\r\n{content}")
}

fn chunked(content: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", content)
}

/// That a request with this content in chunks is refused, and that nobody takes it for a whole one.
#[track_caller]
fn refuses_chunks(pair: &Pair, content: &str) {
    let bytes = [chunked(content).as_bytes(), MARKER].concat();
    let talk = pair.talk(bytes);
    let statuses = talk.statuses();
    assert!(
        statuses == [400] || statuses.is_empty(),
        "{content:?}: {talk:?}"
    );
    assert!(
        pair.wire.requests().is_empty(),
        "{content:?} was forwarded as a whole"
    );
    assert!(!pair.wire.bytes().contains("/marker"), "{content:?}");
}

#[test]
fn rfc9112_6_1_an_unknown_transfer_coding_is_a_501() {
    let pair = Pair::new();
    for coding in [
        "gzip",
        "gzip, chunked",
        "identity",
        "xchunked",
        "\"chunked\"",
        "chunked;q=1",
        "chun ked",
    ] {
        pair.refuses(
            post(&format!("Transfer-Encoding: {coding}\r\n"), "0\r\n\r\n"),
            501,
        );
    }
}

#[test]
fn rfc9112_6_1_chunked_more_than_once_is_refused() {
    let pair = Pair::new();
    pair.refuses(
        post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
        400,
    );
    pair.refuses(
        post(
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        400,
    );
    pair.refuses(
        post(
            "Transfer-Encoding: chunked\r\nX: y\r\ntransfer-encoding: Chunked\r\n",
            "0\r\n\r\n",
        ),
        400,
    );
}

#[test]
fn rfc9112_6_3_rule_4_a_request_whose_last_coding_is_not_chunked_is_a_400() {
    let pair = Pair::new();
    pair.refuses(
        post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
        400,
    );
    pair.refuses(
        post(
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "0\r\n\r\n",
        ),
        400,
    );
    pair.refuses(post("Transfer-Encoding:\r\n", "0\r\n\r\n"), 400);
    pair.refuses(post("Transfer-Encoding: ,\r\n", "0\r\n\r\n"), 400);
}

#[test]
fn rfc9112_6_1_a_transfer_coding_in_http_1_0_is_faulty_framing() {
    let pair = Pair::new();
    pair.refuses(
        "POST /a HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    );
    pair.refuses("POST /a HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400);
}

#[test]
fn rfc9112_7_coding_names_have_no_case() {
    let pair = Pair::new();
    for coding in ["chunked", "CHUNKED", "cHuNkEd"] {
        let request = pair.forwarded(post(
            &format!("transfer-ENCODING:\t{coding} \r\n"),
            "3\r\nabc\r\n0\r\n\r\n",
        ));
        assert_eq!(request.content, b"abc", "{coding}");
    }
}

#[test]
fn rfc9112_6_3_rule_3_te_and_cl_is_never_forwarded_with_both() {
    let pair = Pair::new();
    let rows = [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: banana\r\n",
    ];
    for framing in rows {
        // The backend's reader would refuse both.
        let request = pair.forwarded(post(framing, "3\r\nabc\r\n0\r\n\r\n"));
        assert_eq!(request.content, b"abc", "{framing:?}");
    }
}

#[test]
fn rfc9112_6_3_rule_3_the_connection_ends_after_te_and_cl() {
    let pair = Pair::new();
    let bytes = post(
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n",
    );
    let talk = pair.talk([bytes.as_bytes(), MARKER].concat());
    assert_eq!(talk.statuses(), [200], "{talk:?}");
    assert_eq!(talk.responses[0].field("connection"), Some("close"));
    assert!(!pair.wire.bytes().contains("/marker"));
}

#[test]
fn rfc9112_6_3_rule_3_the_backends_connection_ends_after_te_and_cl() {
    let pair = Pair::new();
    pair.forwarded(post(
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n",
    ));
    assert!(pair.wire.bytes().contains("Connection: close\r\n"));
    pair.get();
    assert_eq!(pair.wire.connections(), 2);
}

#[test]
fn rfc9112_6_3_rule_5_an_invalid_length_is_a_400_and_the_connection_ends() {
    let pair = Pair::new();
    for length in [
        "",
        "x",
        "+3",
        "-3",
        "-0",
        "0x3",
        "3x",
        "3 3",
        "3.0",
        "3e0",
        "'3'",
        "\u{663}",
        "18446744073709551616",
        "99999999999999999999",
    ] {
        let bytes = post(&format!("Content-Length: {length}\r\n"), "abc");
        pair.refuses(bytes, 400);
    }
}

#[test]
fn rfc9112_6_3_rule_5_a_list_of_lengths_in_a_request_is_refused() {
    let pair = Pair::new();
    for lengths in [
        "Content-Length: 3, 3\r\n",
        "Content-Length: 3,4\r\n",
        "Content-Length: 3,\r\n",
        "Content-Length: ,3\r\n",
    ] {
        pair.refuses(post(lengths, "abcd"), 400);
    }
}

#[test]
fn rfc9112_6_3_rule_5_two_lengths_in_a_request_are_refused() {
    let pair = Pair::new();
    for lengths in [
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 0\r\nX: y\r\ncontent-length: 3\r\n",
    ] {
        pair.refuses(post(lengths, "abcd"), 400);
    }
}

#[test]
fn rfc9110_8_6_a_length_is_forwarded_as_it_was_counted() {
    let pair = Pair::new();
    for (length, content) in [("3", "abc"), ("003", "abc"), ("0", "")] {
        let request = pair.forwarded(post(&format!("Content-Length: {length}\r\n"), content));
        assert_eq!(request.content, content.as_bytes());
        assert_eq!(request.all("content-length"), [content.len().to_string()]);
    }
}

#[test]
fn rfc9112_6_3_rule_6_what_follows_the_content_is_the_next_request() {
    let pair = Pair::new();
    let bytes = post(
        "Content-Length: 3\r\n",
        "abcGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert_eq!(pair.talk(bytes).texts(), ["POST /a:abc", "GET /b:"]);
}

#[test]
fn rfc9112_6_3_rule_7_a_request_without_framing_has_no_content() {
    let pair = Pair::new();
    for method in ["GET", "POST", "DELETE", "BREW"] {
        let request = pair.forwarded(format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(request.content.is_empty());
        assert!(request.field("transfer-encoding").is_none());
    }
}

#[test]
fn rfc9112_6_3_content_does_not_depend_on_the_method() {
    let pair = Pair::new();
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "BREW"] {
        let bytes = format!(
            "{method} /a HTTP/1.1\r\nHost: h\r\nContent-Length: 37\r\n\r\nGET /evil HTTP/1.1\r\nHost: h\r\n\r\n12345"
        );
        let bytes = bytes.replace(
            "37",
            &"GET /evil HTTP/1.1\r\nHost: h\r\n\r\n12345"
                .len()
                .to_string(),
        );
        let mut client = pair.tine.client();
        client.send(&bytes);
        client.half_close();
        client.rest();
        let requests = pair.wire.requests();
        assert_eq!(requests.len(), 1, "{method}: {requests:?}");
        assert!(requests[0].content.ends_with(b"12345"), "{method}");
    }
}

#[test]
fn rfc9112_7_1_sizes_are_hexadecimal_in_any_case() {
    let pair = Pair::new();
    let thirty = "x".repeat(30);
    for size in ["1e", "1E", "001e"] {
        let request = pair.forwarded(chunked(&format!("{size}\r\n{thirty}\r\n0\r\n\r\n")));
        assert_eq!(request.content, thirty.as_bytes(), "{size}");
    }
}

#[test]
fn rfc9112_7_1_a_size_that_is_none_is_refused() {
    let pair = Pair::new();
    for size in [
        "", "x", "-3", "+3", "0x3", " 3", "3 3", "3\t3", "3x", "3,3", "3.", "\u{b}3",
    ] {
        refuses_chunks(&pair, &format!("{size}\r\nabc\r\n0\r\n\r\n"));
    }
}

#[test]
fn rfc9112_7_1_a_size_must_not_overflow() {
    let pair = Pair::new();
    for size in [
        "10000000000000003",
        "fffffffffffffffff",
        "100000000000000000000003",
    ] {
        refuses_chunks(&pair, &format!("{size}\r\nabc\r\n0\r\n\r\n"));
    }
}

#[test]
fn rfc9112_7_1_chunk_lines_end_with_crlf() {
    let pair = Pair::new();
    for content in [
        "3\nabc\r\n0\r\n\r\n",
        "3\rabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\r\nabc\r0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\n\r\n",
        "3\r\nabc\r\n0\r\nX: y\n\r\n",
        "3\r\nabc\r\n0\r\n\n",
    ] {
        refuses_chunks(&pair, content);
    }
}

#[test]
fn rfc9112_7_1_1_extensions_are_ignored_and_not_forwarded() {
    let pair = Pair::new();
    let talk = pair.talk(chunked(
        "3;a=b;c=\"d;e\"\r\nabc\r\n1 ;x\r\nd\r\n0;last\r\n\r\n",
    ));
    assert_eq!(talk.texts(), ["POST /a:abcd"]);
    let bytes = pair.wire.bytes();
    assert!(!bytes.contains("a=b") && !bytes.contains("last"), "{bytes}");
}

#[test]
fn rfc9112_7_1_1_extensions_have_a_limit() {
    let pair = Pair::new();
    refuses_chunks(
        &pair,
        &format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(20_000)),
    );
    let many = "1;xxxxxxxxxxxxxxxx\r\na\r\n".repeat(2_000);
    refuses_chunks(&pair, &format!("{many}0\r\n\r\n"));
}

#[test]
fn rfc9112_7_1_1_control_characters_in_an_extension_are_refused() {
    let pair = Pair::new();
    for extension in [
        ";\0",
        ";a=\u{1}",
        ";a\n0\r\n\r\nGET /evil HTTP/1.1",
        ";a\rb",
    ] {
        refuses_chunks(&pair, &format!("3{extension}\r\nabc\r\n0\r\n\r\n"));
    }
}

#[test]
fn rfc9112_7_1_2_trailers_of_a_request_never_become_fields() {
    let pair = Pair::new();
    let request = pair.forwarded(chunked(
        "3\r\nabc\r\n0\r\nHost: evil\r\nContent-Length: 99\r\nTransfer-Encoding: x\r\nX-Forwarded-For: 1.2.3.4\r\nX: y\r\n\r\n",
    ));
    assert_eq!(request.content, b"abc");
    assert_eq!(
        (request.field("x"), request.field("x-forwarded-for")),
        (None, None)
    );
    assert!(!pair.wire.bytes().contains("evil"));
}

#[test]
fn rfc9112_7_1_2_malformed_trailers_are_refused() {
    let pair = Pair::new();
    for trailers in [
        "X : y\r\n",
        "nonsense\r\n",
        ": y\r\n",
        " X: y\r\n",
        "X: \0\r\n",
    ] {
        refuses_chunks(&pair, &format!("3\r\nabc\r\n0\r\n{trailers}\r\n"));
    }
}

#[test]
fn rfc9112_8_an_incomplete_request_is_not_forwarded_as_a_whole() {
    let pair = Pair::new();
    for bytes in [
        "GET /a HTTP/1.1\r\nHost: h\r\n".to_owned(),
        "GET /a HTTP/1.1\r\nHost: h".to_owned(),
        post("Content-Length: 4\r\n", "abc"),
        chunked(""),
        chunked("3\r\nab"),
        chunked("3\r\nabc\r\n"),
        chunked("3\r\nabc\r\n0\r\n"),
    ] {
        let talk = pair.talk(&bytes);
        let statuses = talk.statuses();
        assert!(
            statuses.is_empty() || statuses == [400],
            "{bytes:?}: {talk:?}"
        );
        assert!(pair.wire.requests().is_empty(), "{bytes:?}");
    }
}

#[test]
fn rfc9112_8_an_incomplete_request_ends_the_backends_connection() {
    let pair = Pair::new();
    pair.get();
    pair.talk(post("Content-Length: 4\r\n", "abc"));
    assert!(
        pair.talk("GET /next HTTP/1.1\r\nHost: h\r\n\r\n")
            .only()
            .text()
            == "GET /next:"
    );
    let requests = pair.wire.requests();
    let targets: Vec<&str> = requests.iter().map(|request| request.target()).collect();
    assert_eq!(
        targets,
        ["/a", "/next"],
        "the half request is followed by nothing on its connection"
    );
}
