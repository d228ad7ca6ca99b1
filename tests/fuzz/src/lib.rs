//! What the targets hold codecs to, as functions of some bytes; `tests/it/properties.rs` calls the same functions with seeded bytes.
//!
//! - Bytes that arrive in pieces mean what they mean as a whole.
//! - What waits in an input is bounded, whatever was sent.
//! - A message that was read, whole, and written for the next hop reads there as the same message, and as one: method, target or status,
//!   content. Never are there two framings, and no line ends but ours.
//! - Chunks mean what a reader of our own says, who shares nothing with the codec.
//!
//! The first byte of an input says where the rest is cut in two, the second which mode is tried.

use tine::buf::{Blocks, Input, Outlet, Output};
use tine::codec::http1::{Client, Server};
use tine::codec::{ClientCodec, Codec, Limits, StreamId};
use tine::http::head::Shelf;
use tine::http::{ContentSize, FieldId, Method, Part, RequestHead, ResponseHead, Status, hop};

/// One message with its content.
#[derive(Clone, Debug)]
pub struct Message<H> {
    pub head: H,
    pub data: Vec<u8>,
    /// Its end was seen.
    pub is_whole: bool,
}

/// Everything that was read.
#[derive(Debug)]
pub struct Seen<H> {
    /// Parts, as text.
    pub events: Vec<String>,
    /// Final messages in order.
    pub messages: Vec<Message<H>>,
    /// The bytes were refused.
    pub is_refused: bool,
}

impl<H> Default for Seen<H> {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            messages: Vec::new(),
            is_refused: false,
        }
    }
}

impl<H> Seen<H> {
    fn data(&mut self, bytes: &[u8]) {
        if let Some(message) = self.messages.last_mut() {
            message.data.extend_from_slice(bytes);
        }
    }

    fn end(&mut self) {
        if let Some(message) = self.messages.last_mut() {
            message.is_whole = true;
            self.events
                .push(format!("end after {}", message.data.len()));
        }
    }

    fn contents(&self) -> Vec<&[u8]> {
        self.messages
            .iter()
            .map(|message| message.data.as_slice())
            .collect()
    }
}

/// Splits an input into its mode, the bytes, and the place of their cut.
fn unpack(input: &[u8]) -> Option<(u8, &[u8], usize)> {
    let [at, mode, bytes @ ..] = input else {
        return None;
    };
    Some((*mode, bytes, usize::from(*at) * bytes.len() / 255))
}

/// The ways in which the same bytes may arrive.
fn ways(bytes: &[u8], at: usize) -> [Vec<&[u8]>; 3] {
    [
        vec![bytes],
        vec![&bytes[..at], &bytes[at..]],
        bytes.chunks(1).collect(),
    ]
}

/// Limits small enough to be reached.
fn limits() -> Limits {
    Limits {
        line: 200,
        field_size: 100,
        fields: 10,
    }
}

/// More than a head of these limits can have: each field's bytes may stand on lines of their own.
const WAITING_MAX: usize = 200 + 2 + 10 * (3 * 100 + 2) + 2;

/// Reads requests from pieces, answering each, until one is refused.
fn requests(pieces: &[&[u8]], is_unsafe: bool, limits: Limits) -> Seen<RequestHead> {
    let mut codec = Server::new(limits);
    if is_unsafe {
        codec = codec.unsafe_lines();
    }
    let (mut input, mut output, mut blocks) = (Input::new(), Output::new(), Blocks::new());
    let mut seen = Seen::default();
    let mut stream = StreamId::default();
    for piece in pieces {
        input.extend(piece, &mut blocks);
        loop {
            let mut news = Vec::new();
            codec.absorb(&mut input, &mut news).expect("servers absorb");
            if let Some(new) = news.pop() {
                stream = new;
            }
            if stream == StreamId::default() {
                break;
            }
            match codec.pull(stream, &mut input, &mut Shelf::new()) {
                Ok(None) => break,
                Ok(Some(Part::Head(head))) => {
                    seen.events.push(format!("{head:?}"));
                    seen.messages.push(Message {
                        head: *head,
                        data: Vec::new(),
                        is_whole: false,
                    });
                }
                Ok(Some(Part::Data(bytes))) => seen.data(bytes),
                Ok(Some(Part::End)) => {
                    seen.end();
                    let mut out = Outlet {
                        output: &mut output,
                        blocks: &mut blocks,
                    };
                    // Not 200: that would make a tunnel of a CONNECT.
                    let answer = ResponseHead {
                        status: Status::NOT_FOUND,
                        ..ResponseHead::default()
                    };
                    for part in [Part::Head(Box::new(answer)), Part::End] {
                        codec
                            .push(stream, &part, &mut out)
                            .expect("an empty answer");
                    }
                    output.clear(&mut blocks);
                }
                Ok(Some(part)) => seen.events.push(format!("{part:?}")),
                Err(e) => {
                    seen.events.push(format!("{e:?}"));
                    seen.is_refused = true;
                    return seen;
                }
            }
        }
        let may_wait = seen
            .messages
            .last()
            .is_none_or(|message| !message.is_whole || message.head.keep_alive);
        assert!(
            !may_wait || input.len() <= WAITING_MAX.max(limits.line * 2),
            "{} bytes wait",
            input.len()
        );
    }
    seen
}

/// Reads the responses to one request of this method from pieces, until one is refused; then the backend closes.
fn responses(pieces: &[&[u8]], method: &Method, limits: Limits) -> Seen<ResponseHead> {
    let mut codec = Client::new(limits);
    let (mut input, mut blocks) = (Input::new(), Blocks::new());
    let mut seen = Seen::default();
    let stream = ask(&mut codec, method, &mut blocks);
    for is_over in [false, true] {
        let pieces = if is_over { &[][..] } else { pieces };
        if is_over {
            codec.eof().expect("a close is no error by itself");
        }
        for piece in pieces.iter().copied().chain(is_over.then_some(&[][..])) {
            input.extend(piece, &mut blocks);
            loop {
                match codec.pull(stream, &mut input, &mut Shelf::new()) {
                    Ok(None) => break,
                    Ok(Some(Part::Head(head))) => {
                        seen.events.push(format!("{head:?}"));
                        seen.messages.push(Message {
                            head: *head,
                            data: Vec::new(),
                            is_whole: false,
                        });
                    }
                    Ok(Some(Part::Data(bytes))) => seen.data(bytes),
                    Ok(Some(Part::End)) => seen.end(),
                    Ok(Some(part)) => seen.events.push(format!("{part:?}")),
                    Err(e) => {
                        seen.events.push(format!("{e:?}"));
                        seen.is_refused = true;
                        return seen;
                    }
                }
            }
            let is_done = seen.messages.last().is_some_and(|message| message.is_whole);
            assert!(
                is_done || input.len() <= WAITING_MAX.max(limits.line * 2),
                "{} bytes wait",
                input.len()
            );
        }
    }
    seen
}

/// Sends a request without content.
fn ask(codec: &mut Client, method: &Method, blocks: &mut Blocks) -> StreamId {
    let mut output = Output::new();
    let stream = codec.open().expect("a new connection is free");
    let mut head = RequestHead {
        method: method.clone(),
        keep_alive: true,
        ..RequestHead::default()
    };
    head.target
        .assign(b"/", false)
        .expect("a slash is a target");
    head.fields.push_id(FieldId::Host, b"h");
    let mut out = Outlet {
        output: &mut output,
        blocks,
    };
    for part in [Part::Head(Box::new(head)), Part::End] {
        codec
            .push(stream, &part, &mut out)
            .expect("a plain request");
    }
    output.clear(blocks);
    stream
}

/// Any bytes as requests. Bit 0 of the mode is `HttpProtocolOptions Unsafe`.
pub fn check_requests(input: &[u8]) {
    let Some((mode, bytes, at)) = unpack(input) else {
        return;
    };
    check_requests_of(bytes, at, mode & 1 == 1, limits());
}

fn check_requests_of(bytes: &[u8], at: usize, is_unsafe: bool, limits: Limits) {
    let [whole, cut, single] = ways(bytes, at).map(|pieces| requests(&pieces, is_unsafe, limits));
    assert_eq!(
        (&whole.events, whole.contents()),
        (&cut.events, cut.contents())
    );
    assert_eq!(
        (&whole.events, whole.contents()),
        (&single.events, single.contents())
    );
    for message in whole.messages.iter().filter(|message| message.is_whole) {
        check_forwarded(message);
    }
}

/// A request that was read is written for a backend, and read there by the strict server codec.
fn check_forwarded(message: &Message<RequestHead>) {
    let mut head = message.head.clone();
    hop::strip_request(&mut head.fields, |_| false);
    if head.fields.get(FieldId::Host).is_none() {
        head.fields.push_id(FieldId::Host, b"h");
    }
    let written = write_request(head, &message.data);
    check_wire(&written);
    let room = Limits {
        line: 4096,
        field_size: 4096,
        fields: 100,
    };
    let again = requests(&[&written], false, room);
    let [read] = again.messages.as_slice() else {
        panic!("one request was written, and read: {:?}", again.events);
    };
    assert!(read.is_whole && !again.is_refused, "{:?}", again.events);
    assert_eq!(read.head.method, message.head.method);
    assert_eq!(read.head.target.raw(), message.head.target.raw());
    assert_eq!(read.data, message.data);
    assert_eq!(read.head.content, message.head.content);
}

fn write_request(head: RequestHead, data: &[u8]) -> Vec<u8> {
    let mut codec = Client::new(limits());
    let (mut output, mut blocks) = (Output::new(), Blocks::new());
    let stream = codec.open().expect("a new connection is free");
    let mut out = Outlet {
        output: &mut output,
        blocks: &mut blocks,
    };
    let half = data.len() / 2;
    let parts = [
        Part::Head(Box::new(head)),
        Part::Data(&data[..half]),
        Part::Data(&data[half..]),
        Part::End,
    ];
    for part in parts {
        codec
            .push(stream, &part, &mut out)
            .expect("what was read can be written");
    }
    output.to_vec()
}

/// Any bytes as a backend's answer. Bit 0 of the mode is HEAD, bit 1 a client of HTTP/1.0.
pub fn check_responses(input: &[u8]) {
    let Some((mode, bytes, at)) = unpack(input) else {
        return;
    };
    check_responses_of(bytes, at, mode, limits());
}

fn check_responses_of(bytes: &[u8], at: usize, mode: u8, limits: Limits) {
    let method = if mode & 1 == 1 {
        Method::Head
    } else {
        Method::Get
    };
    let [whole, cut, single] = ways(bytes, at).map(|pieces| responses(&pieces, &method, limits));
    assert_eq!(
        (&whole.events, whole.contents()),
        (&cut.events, cut.contents())
    );
    assert_eq!(
        (&whole.events, whole.contents()),
        (&single.events, single.contents())
    );
    assert!(whole.messages.len() <= 1, "two answers to one request");
    for message in whole.messages.iter().filter(|message| message.is_whole) {
        check_answered(message, &method, mode & 2 == 2);
    }
}

/// A response that was read is written for a client, and read there by the client codec.
fn check_answered(message: &Message<ResponseHead>, method: &Method, is_old: bool) {
    let mut head = message.head.clone();
    hop::strip_response(&mut head.fields);
    let written = write_response(head, &message.data, method, is_old);
    check_wire(&written);
    let room = Limits {
        line: 4096,
        field_size: 4096,
        fields: 100,
    };
    let again = responses(&[&written], method, room);
    let [read] = again.messages.as_slice() else {
        panic!("one response was written, and read: {:?}", again.events);
    };
    assert!(read.is_whole && !again.is_refused, "{:?}", again.events);
    assert_eq!(read.head.status, message.head.status);
    assert_eq!(read.data, message.data);
}

fn write_response(head: ResponseHead, data: &[u8], method: &Method, is_old: bool) -> Vec<u8> {
    let mut codec = Server::new(limits());
    let (mut input, mut output, mut blocks) = (Input::new(), Output::new(), Blocks::new());
    let version = if is_old { "1.0" } else { "1.1" };
    let asked = format!("{method} / HTTP/{version}\r\nHost: h\r\nConnection: keep-alive\r\n\r\n");
    input.extend(asked.as_bytes(), &mut blocks);
    let mut news = Vec::new();
    codec.absorb(&mut input, &mut news).expect("servers absorb");
    let stream = news.pop().expect("a request begins");
    while codec
        .pull(stream, &mut input, &mut Shelf::new())
        .expect("a plain request is read")
        .is_some()
    {}
    let mut out = Outlet {
        output: &mut output,
        blocks: &mut blocks,
    };
    for part in [Part::Head(Box::new(head)), Part::Data(data), Part::End] {
        codec
            .push(stream, &part, &mut out)
            .expect("what was read can be written");
    }
    output.to_vec()
}

/// What every head on the wire has: our line ends and no others, no NUL, one framing at most.
fn check_wire(written: &[u8]) {
    let end = written
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("a head ends");
    let head = &written[..end + 2];
    let mut framings = Vec::new();
    for line in head.split(|&b| b == b'\n') {
        let Some(line) = line.strip_suffix(b"\r") else {
            assert!(line.is_empty(), "a bare line feed in {head:?}");
            continue;
        };
        assert!(!line.contains(&b'\r') && !line.contains(&0), "{head:?}");
        assert!(
            !line.first().is_some_and(|&b| b == b' ' || b == b'\t'),
            "a folded line in {head:?}"
        );
        let name = line
            .split(|&b| b == b':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        if name == b"content-length" || name == b"transfer-encoding" {
            framings.push(name);
        }
    }
    assert!(framings.len() <= 1, "two framings: {head:?}");
}

/// Any bytes as content in chunks, both ways, against a reader of our own. Bit 0 of the mode is the response's direction.
pub fn check_chunks(input: &[u8]) {
    let Some((mode, bytes, at)) = unpack(input) else {
        return;
    };
    let roomy = Limits {
        line: 4096,
        field_size: 4096,
        fields: 100,
    };
    let start: &[u8] = if mode & 1 == 1 {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    } else {
        b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    };
    let message = [start, bytes].concat();
    let at = start.len() + at;
    let (data, is_whole, is_refused) = if mode & 1 == 1 {
        check_responses_of(&message, at, 0, limits());
        first(responses(&[&message], &Method::Get, roomy))
    } else {
        check_requests_of(&message, at, false, limits());
        first(requests(&[&message], false, roomy))
    };
    match chunks(bytes) {
        Chunks::Whole(expected) => {
            assert!(is_whole, "the codec did not find the end");
            assert_eq!(data, expected);
        }
        Chunks::Part(expected) => {
            assert!(!is_whole, "the codec found an end");
            assert!(
                is_refused || data == expected || mode & 1 == 1,
                "{data:?} {expected:?}"
            );
        }
        Chunks::Bad => assert!(!is_whole, "the codec took what is malformed"),
        Chunks::Limit => {}
    }
}

fn first<H>(seen: Seen<H>) -> (Vec<u8>, bool, bool) {
    let is_refused = seen.is_refused;
    let message = seen.messages.into_iter().next().expect("the head is ours");
    (message.data, message.is_whole, is_refused)
}

/// What a reader by RFC 9112 §7.1 finds.
enum Chunks {
    Whole(Vec<u8>),
    Part(Vec<u8>),
    Bad,
    /// It would be legal, but passes a limit of the codec's.
    Limit,
}

fn chunks(bytes: &[u8]) -> Chunks {
    let (mut at, mut data) = (0, Vec::new());
    let mut extensions = 0;
    loop {
        let rest = &bytes[at..];
        let digits = rest.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let (size, tail) = rest.split_at(digits);
        if digits == 0 {
            return if rest.is_empty() {
                Chunks::Part(data)
            } else {
                Chunks::Bad
            };
        }
        let padding = tail
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count();
        let mut used = digits + padding;
        match (tail.get(padding), tail.get(padding + 1)) {
            (None, _) | (Some(b'\r'), None) => return partial(digits, padding, data),
            (Some(b'\r'), Some(b'\n')) => used += 2,
            (Some(b';'), _) => match extension(&tail[padding + 1..]) {
                Extension::Ends(length) => {
                    extensions += length;
                    used += 1 + length;
                }
                Extension::Open => return Chunks::Limit,
                Extension::Bad => return Chunks::Bad,
            },
            _ => return Chunks::Bad,
        }
        if digits > 16 || padding > 10 || extensions > 8 * 1024 {
            return Chunks::Limit;
        }
        let size = std::str::from_utf8(size).expect("digits are text");
        let Ok(size) = usize::from_str_radix(size, 16) else {
            return Chunks::Bad;
        };
        at += used;
        if size == 0 {
            return match trailers(&bytes[at..]) {
                Some(true) => Chunks::Whole(data),
                Some(false) => Chunks::Bad,
                None => Chunks::Limit,
            };
        }
        let left = &bytes[at..];
        data.extend_from_slice(&left[..size.min(left.len())]);
        let Some(end) = left.get(size..) else {
            return Chunks::Part(data);
        };
        match end {
            [] | [b'\r'] => return Chunks::Part(data),
            [b'\r', b'\n', ..] => at += size + 2,
            _ => return Chunks::Bad,
        }
    }
}

fn partial(digits: usize, padding: usize, data: Vec<u8>) -> Chunks {
    if digits > 16 || padding > 10 {
        Chunks::Limit
    } else {
        Chunks::Part(data)
    }
}

/// How an extension ends.
enum Extension {
    /// With a line end, behind so many bytes, the line end included.
    Ends(usize),
    Open,
    Bad,
}

fn extension(bytes: &[u8]) -> Extension {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, &b) in bytes.iter().enumerate() {
        match b {
            b'\r' if is_quoted => return Extension::Bad,
            b'\r' => {
                return match bytes.get(at + 1) {
                    Some(b'\n') => Extension::Ends(at + 2),
                    Some(_) => Extension::Bad,
                    None => Extension::Open,
                };
            }
            0x7f | 0..=8 | 10..=31 => return Extension::Bad,
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ => {}
        }
    }
    Extension::Open
}

/// Whether a trailer section is there; `None` where that depends on limits, on fields, or on what is still to come.
fn trailers(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [b'\r', b'\n', ..] => Some(true),
        [b'\n' | b' ' | b'\t', ..] => bytes
            .windows(2)
            .any(|w| w == b"\r\n")
            .then_some(false)
            .filter(|_| bytes[0] != b'\n'),
        _ => None,
    }
}

/// Any bytes as a path.
pub fn check_path(input: &[u8]) {
    use tine::http::uri::{
        EncodedSlashes, decode_component, encode_component, encode_path, normalize,
    };
    let Some((&flags, raw)) = input.split_first() else {
        return;
    };
    // A request target has no NUL, so neither has its path.
    if raw.contains(&0) {
        return;
    }
    let merges = flags & 1 == 1;
    for slashes in [
        EncodedSlashes::Refuse,
        EncodedSlashes::Decode,
        EncodedSlashes::Keep,
    ] {
        let mut once = Vec::new();
        if normalize(raw, slashes, merges, &mut once).is_err() {
            continue;
        }
        assert_eq!(once.first(), Some(&b'/'));
        assert!(!once.split(|&b| b == b'/').any(|s| s == b"." || s == b".."));
        assert!(!merges || !once.windows(2).any(|w| w == b"//"), "{once:?}");
        let mut encoded = Vec::new();
        encode_path(&once, slashes, &mut encoded);
        // Whatever was decoded, what goes out has no byte that could end a target or a line.
        assert!(
            !encoded
                .iter()
                .any(|&b| b <= b' ' || b == 0x7f || b == b'#' || b == b'?'),
            "{encoded:?}"
        );
        let mut head = RequestHead::default();
        head.target
            .assign(&encoded, false)
            .expect("an encoded path is a target");
        assert_eq!(
            (head.target.path(), head.target.query()),
            (encoded.as_slice(), None)
        );
        let written = write_request(
            RequestHead {
                content: ContentSize::None,
                ..head
            },
            b"",
        );
        assert_eq!(
            written.iter().filter(|&&b| b == b' ').count(),
            4,
            "three in the head's other lines"
        );
        if slashes != EncodedSlashes::Keep {
            let mut twice = Vec::new();
            normalize(&encoded, slashes, merges, &mut twice).expect("a decoded path was encoded");
            assert_eq!(once, twice);
        }
    }
    let (mut encoded, mut decoded) = (Vec::new(), Vec::new());
    encode_component(raw, &mut encoded);
    decode_component(&encoded, true, &mut decoded);
    assert_eq!(raw, decoded);
}
