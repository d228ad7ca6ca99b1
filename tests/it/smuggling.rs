//! Request smuggling, as a differential: what two readers may understand differently, each with a request hidden in it and a marker
//! request behind it. The backend must see exactly what a strict reader sees, or nothing.
//!
//! Responsible for: the corpus. The strict reader is `wire::read`, which shares nothing with the server; at the backend it refuses
//! whatever is ambiguous, so a message that was passed on unchanged ends the test. Not responsible for the reasons: `rfc` has them.
//!
//! Know first: `Both` means that the request and the marker reach the backend, `First` that the connection ends between them, `Nothing`
//! that neither gets there. A third reading, with the hidden request as one of its own, does not exist.

use crate::wire::{MARKER, Pair};

/// What the backend sees of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sees {
    /// The request with this content, then the marker.
    Both(&'static str),
    /// The request with this content, and no marker.
    First(&'static str),
    /// Neither.
    Nothing,
}
use Sees::{Both, First, Nothing};

/// The request that is hidden in content.
const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";

/// Name, lines between the request line and the empty line, content. `@` stands for the hidden request, `#` for its length, and the
/// lines have their own line ends.
type Row = (&'static str, &'static str, &'static str, Sees);

/// Framing fields: CL against TE in every spelling that has ever worked against some pair of servers.
const FIELDS: &[Row] = &[
    (
        "cl.te",
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n@",
        First(""),
    ),
    (
        "te.cl",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        First(""),
    ),
    (
        "cl.0",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n@",
        First(""),
    ),
    (
        "cl alone covers the hidden request",
        "Content-Length: #\r\n",
        "@",
        Both("@"),
    ),
    (
        "te alone covers the hidden request",
        "Transfer-Encoding: chunked\r\n",
        "#\r\n@\r\n0\r\n\r\n",
        Both("@"),
    ),
    (
        "te.te with a second coding",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te.te with a first coding",
        "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te.te twice",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te list with cl",
        "Transfer-Encoding: gzip, chunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te identity with cl",
        "Transfer-Encoding: identity\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te xchunked with cl",
        "Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te chunkedx with cl",
        "Transfer-Encoding: chunkedx\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te quoted",
        "Transfer-Encoding: \"chunked\"\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te with a parameter",
        "Transfer-Encoding: chunked;x=y\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te with a comma behind",
        "Transfer-Encoding: chunked,\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te with a comma before",
        "Transfer-Encoding: ,chunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te empty",
        "Transfer-Encoding:\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te in capitals",
        "TRANSFER-ENCODING: CHUNKED\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        First(""),
    ),
    (
        "te behind a tab",
        "Transfer-Encoding:\tchunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        First(""),
    ),
    (
        "te without a space",
        "Transfer-Encoding:chunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        First(""),
    ),
    (
        "te behind a vertical tab",
        "Transfer-Encoding: \x0bchunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te before a form feed",
        "Transfer-Encoding: chunked\x0c\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te behind a nul",
        "Transfer-Encoding: \0chunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te before a nul",
        "Transfer-Encoding: chunked\0\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te behind a no-break space",
        "Transfer-Encoding: \u{a0}chunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te with a space before its colon",
        "Transfer-Encoding : chunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te with a tab before its colon",
        "Transfer-Encoding\t: chunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te with a space in its name",
        "Transfer Encoding: chunked\r\nContent-Length: #\r\n",
        "@",
        Nothing,
    ),
    (
        "te with an underscore is another field",
        "Transfer_Encoding: chunked\r\nContent-Length: #\r\n",
        "@",
        Both("@"),
    ),
    (
        "te behind a space",
        " Transfer-Encoding: chunked\r\nContent-Length: #\r\n",
        "@",
        Nothing,
    ),
    (
        "te folded",
        "Transfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        First(""),
    ),
    (
        "te folded before something else",
        "Transfer-Encoding: chunked\r\n , x\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te as a continuation of another field",
        "X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: #\r\n",
        "@",
        Both("@"),
    ),
    (
        "te with a folded name",
        "Transfer-\r\n Encoding: chunked\r\nContent-Length: #\r\n",
        "@",
        Nothing,
    ),
    (
        "te behind a bare lf",
        "X: y\nTransfer-Encoding: chunked\r\nContent-Length: #\r\n",
        "@",
        Nothing,
    ),
    (
        "te behind a bare cr",
        "X: y\rTransfer-Encoding: chunked\r\nContent-Length: #\r\n",
        "@",
        Nothing,
    ),
    (
        "te before a bare cr",
        "Transfer-Encoding: chunked\r\r\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te with a bare lf",
        "Transfer-Encoding: chunked\nContent-Length: 4\r\n",
        "0\r\n\r\n@",
        Nothing,
    ),
    (
        "te named by connection",
        "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
        "#\r\n@\r\n0\r\n\r\n",
        Both("@"),
    ),
    (
        "cl named by connection",
        "Connection: Content-Length\r\nContent-Length: #\r\n",
        "@",
        Both("@"),
    ),
    (
        "cl twice, the same",
        "Content-Length: #\r\nContent-Length: #\r\n",
        "@",
        Nothing,
    ),
    (
        "cl twice, others",
        "Content-Length: 0\r\nContent-Length: #\r\n",
        "@",
        Nothing,
    ),
    ("cl list", "Content-Length: #, #\r\n", "@", Nothing),
    ("cl with a plus", "Content-Length: +#\r\n", "@", Nothing),
    ("cl with a minus", "Content-Length: -#\r\n", "@", Nothing),
    (
        "cl in hexadecimal",
        "Content-Length: 0x22\r\n",
        "@",
        Nothing,
    ),
    ("cl with zeros", "Content-Length: 000#\r\n", "@", Both("@")),
    ("cl with a dot", "Content-Length: #.0\r\n", "@", Nothing),
    (
        "cl with a space inside",
        "Content-Length: 0 #\r\n",
        "@",
        Nothing,
    ),
    (
        "cl with a vertical tab",
        "Content-Length: \x0b#\r\n",
        "@",
        Nothing,
    ),
    ("cl with a nul", "Content-Length: #\0\r\n", "@", Nothing),
    ("cl empty", "Content-Length:\r\n", "@", Nothing),
    (
        "cl too large",
        "Content-Length: 18446744073709551616\r\n",
        "@",
        Nothing,
    ),
    ("cl folded", "Content-Length: 0\r\n #\r\n", "@", Nothing),
    (
        "cl with a space before its colon",
        "Content-Length : #\r\n",
        "@",
        Nothing,
    ),
    (
        "cl with an underscore is another field",
        "Content_Length: 0\r\nContent-Length: #\r\n",
        "@",
        Both("@"),
    ),
    (
        "cl behind a bare lf",
        "X: y\nContent-Length: 0\r\n",
        "@",
        Nothing,
    ),
    (
        "a second request line among the fields",
        "GET /smuggled HTTP/1.1\r\nContent-Length: 0\r\n",
        "",
        Nothing,
    ),
    (
        "an empty line with a space",
        "Content-Length: 0\r\n \r\nX: y\r\n",
        "",
        Both(""),
    ),
    (
        "an empty line with a bare lf",
        "Content-Length: 0\r\n\nGET /smuggled HTTP/1.1\r\nHost: h\r\n",
        "",
        Nothing,
    ),
    (
        "an empty line with a bare cr",
        "Content-Length: 0\r\n\r\rGET /smuggled HTTP/1.1\r\nHost: h\r\n",
        "",
        Nothing,
    ),
    (
        "expect with nothing to wait for",
        "Expect: 100-continue\r\nContent-Length: 0\r\n",
        "",
        Both(""),
    ),
    (
        "an upgrade that nobody answers",
        "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: #\r\n",
        "@",
        Both("@"),
    ),
    (
        "a second host",
        "Host: evil\r\nContent-Length: 0\r\n",
        "",
        Nothing,
    ),
];

/// Chunks: every place where a reader may find another end.
const CHUNKS: &[Row] = &[
    ("an extension", "", "#;a=b\r\n@\r\n0\r\n\r\n", Both("@")),
    (
        "an extension with a bare lf",
        "",
        "0;a\nX\r\n\r\n@",
        Nothing,
    ),
    (
        "an extension with a bare cr",
        "",
        "0;a\rX\r\n\r\n@",
        Nothing,
    ),
    (
        "an extension with a quoted line end",
        "",
        "0;a=\"\r\n\r\n@\"\r\n\r\n",
        Nothing,
    ),
    (
        "an extension that is empty",
        "",
        "#;\r\n@\r\n0;\r\n\r\n",
        Both("@"),
    ),
    ("a size with a plus", "", "+0\r\n\r\n@", Nothing),
    ("a size with a minus", "", "-0\r\n\r\n@", Nothing),
    ("a size with a prefix", "", "0x0\r\n\r\n@", Nothing),
    ("a size behind a space", "", " 0\r\n\r\n@", Nothing),
    (
        "a size before a space",
        "",
        "# \r\n@\r\n0 \r\n\r\n",
        Both("@"),
    ),
    (
        "a size before a space and another",
        "",
        "0 #\r\n\r\n@",
        Nothing,
    ),
    ("a size before a comma", "", "0,#\r\n\r\n@", Nothing),
    ("a size with an underscore", "", "0_0\r\n\r\n@", Nothing),
    ("a size of other digits", "", "\u{b2}\r\n\r\n@", Nothing),
    (
        "a size that overflows to nothing",
        "",
        "10000000000000000\r\n@\r\n0\r\n\r\n",
        Nothing,
    ),
    (
        "a size that overflows to its length",
        "",
        "10000000000000022\r\n@\r\n0\r\n\r\n",
        Nothing,
    ),
    (
        "a size with zeros",
        "",
        "000#\r\n@\r\n000\r\n\r\n",
        Both("@"),
    ),
    ("a size line with a bare lf", "", "0\n\n@", Nothing),
    ("a size line with a bare cr", "", "0\r\r\n\r\n@", Nothing),
    ("a size line with a nul", "", "0\0\r\n\r\n@", Nothing),
    ("an empty size", "", "\r\n\r\n@", Nothing),
    ("a chunk without its end", "", "3\r\nabc0\r\n\r\n@", Nothing),
    (
        "a chunk with a bare lf",
        "",
        "3\r\nabc\n0\r\n\r\n@",
        Nothing,
    ),
    (
        "a chunk with two other bytes",
        "",
        "3\r\nabcXX0\r\n\r\n@",
        Nothing,
    ),
    (
        "a chunk longer than its size",
        "",
        "3\r\nabcdef\r\n0\r\n\r\n@",
        Nothing,
    ),
    (
        "a last chunk in trailers",
        "",
        "0\r\nX: y\r\n0\r\n\r\n@",
        Nothing,
    ),
    ("trailers", "", "#\r\n@\r\n0\r\nX: y\r\n\r\n", Both("@")),
    (
        "trailers with framing",
        "",
        "#\r\n@\r\n0\r\nContent-Length: 4\r\nTransfer-Encoding: x\r\n\r\n",
        Both("@"),
    ),
    ("trailers with a bare lf", "", "0\r\nX: y\n\n@", Nothing),
    (
        "trailers with a space before a colon",
        "",
        "0\r\nX : y\r\n\r\n@",
        Nothing,
    ),
    (
        "trailers that are a request",
        "",
        "0\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
        Nothing,
    ),
];

/// The first line, where readers differ about what is a request at all.
const LINES: &[(&str, &str, Sees)] = &[
    (
        "an absolute target with another host",
        "GET http://evil/a HTTP/1.1\r\nHost: h\r\n\r\n",
        Both(""),
    ),
    (
        "a target with an escaped line end",
        "GET /a%0d%0aHost:%20evil HTTP/1.1\r\nHost: h\r\n\r\n",
        Both(""),
    ),
    (
        "a target with a line end",
        "GET /a\r\nHost: evil HTTP/1.1\r\nHost: h\r\n\r\n",
        Nothing,
    ),
    (
        "a target with a space and a version",
        "GET /a HTTP/1.1 /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
        Nothing,
    ),
    (
        "a version of 0.9 in the middle",
        "GET /smuggled\r\nHost: h\r\n\r\n",
        Nothing,
    ),
    (
        "http/1.0 with chunks",
        "POST /a HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n@",
        Nothing,
    ),
    (
        "http/1.0 that stays",
        "POST /a HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nContent-Length: #\r\n\r\n@",
        Both("@"),
    ),
    (
        "a get with content",
        "GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: #\r\n\r\n@",
        Both("@"),
    ),
    (
        "a preface of http/2",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        Nothing,
    ),
    (
        "connect with content behind",
        "CONNECT h HTTP/1.1\r\nHost: h\r\n\r\n@",
        Nothing,
    ),
];

fn fill(text: &str, length: &str) -> Vec<u8> {
    let text = text.replace('#', length).replace('@', HIDDEN);
    // A character is a byte here.
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).expect("latin-1"))
        .collect()
}

/// Every row as bytes.
fn corpus() -> Vec<(&'static str, Vec<u8>, Sees)> {
    let decimal = HIDDEN.len().to_string();
    let hexadecimal = format!("{:x}", HIDDEN.len());
    let mut rows = Vec::new();
    for (name, fields, content, sees) in FIELDS {
        let is_chunked = content.starts_with('#');
        let head = fill(
            &format!("POST /a HTTP/1.1\r\nHost: h\r\n{fields}\r\n"),
            &decimal,
        );
        let content = fill(content, if is_chunked { &hexadecimal } else { &decimal });
        rows.push((*name, [head, content].concat(), *sees));
    }
    for (name, _, content, sees) in CHUNKS {
        let head = b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        rows.push((*name, [head, fill(content, &hexadecimal)].concat(), *sees));
    }
    for (name, bytes, sees) in LINES {
        rows.push((*name, fill(bytes, &decimal), *sees));
    }
    rows
}

/// What reached the backend: targets and contents.
fn seen(pair: &Pair) -> Vec<(String, Vec<u8>)> {
    let requests = pair.wire.requests();
    requests
        .into_iter()
        .map(|request| (request.target().to_owned(), request.content))
        .collect()
}

#[test]
fn the_backend_sees_what_a_strict_reader_sees_or_the_connection_ends() {
    let pair = Pair::new();
    let rows = corpus();
    assert!(rows.len() >= 100, "{}", rows.len());
    for (name, bytes, sees) in rows {
        let talk = pair.talk([&bytes, MARKER].concat());
        let seen = seen(&pair);
        let targets: Vec<&str> = seen.iter().map(|(target, _)| target.as_str()).collect();
        let is_marked = targets.get(1) == Some(&"/marker");
        let found = match (targets.len(), is_marked) {
            (0, _) => "nothing",
            (1, _) if targets[0] != "/marker" => "first",
            (2, true) => "both",
            _ => panic!("{name}: {targets:?}, answered {talk:?}"),
        };
        let (expected, content) = match sees {
            Both(content) => ("both", content),
            First(content) => ("first", content),
            Nothing => ("nothing", ""),
        };
        assert_eq!(found, expected, "{name}: {targets:?}, answered {talk:?}");
        if let Some((target, received)) = seen.first() {
            assert!(!target.contains("smuggled"), "{name}");
            assert_eq!(*received, fill(content, ""), "{name}");
        }
        let statuses = talk.statuses();
        let expected = match sees {
            Both(_) => statuses == [200, 200],
            First(_) => statuses == [200],
            // A broken content may be found when the exchange is under way.
            Nothing => statuses.len() <= 1 && statuses.iter().all(|status| *status >= 400),
        };
        assert!(expected, "{name}: {talk:?}");
    }
}

#[test]
fn nothing_hidden_is_seen_under_unsafe_either() {
    let pair = Pair::conf("HttpProtocolOptions Unsafe");
    // A bare LF is a line end there, so what stands behind one is a line of its own, to httpd as well.
    let has_bare_lf = |bytes: &[u8]| bytes.windows(2).any(|w| w[1] == b'\n' && w[0] != b'\r');
    for (name, bytes, _) in corpus() {
        if has_bare_lf(&bytes) {
            continue;
        }
        let talk = pair.talk([&bytes, MARKER].concat());
        for (target, _) in seen(&pair) {
            assert!(
                !target.contains("smuggled"),
                "{name}: {target}, answered {talk:?}"
            );
        }
    }
}

#[test]
fn where_the_bytes_are_cut_changes_nothing() {
    let pair = Pair::new();
    for (name, bytes, sees) in corpus() {
        let bytes = [&bytes, MARKER].concat();
        let mut client = pair.tine.client();
        // Behind the head, and in the middle of what follows: where a reader that keeps state is most likely to lose it.
        let head = bytes
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .map_or(10, |at| at + 3);
        let middle = head + (bytes.len() - head) / 2;
        for piece in [&bytes[..head], &bytes[head..middle], &bytes[middle..]] {
            if client.try_send(piece).is_err() {
                break;
            }
        }
        client.try_half_close();
        client.rest();
        let count = seen(&pair).len();
        let expected = match sees {
            Both(_) => 2,
            First(_) => 1,
            Nothing => 0,
        };
        assert_eq!(count, expected, "{name}");
    }
}
