//! What playbooks can't say: sizes, properties over random heads and bytes, agreement of the two parsers.

use super::*;
use crate::buf::{Blocks, Input, Outlet, Output};
use crate::codec::{ClientCodec, Codec, CodecError, Limits, Reuse, StreamId, play};
use crate::http::head::Shelf;
use crate::http::{ContentSize, Part, RequestHead, ResponseHead};

/// A codec with its buffers, as an engine would hold them.
struct Bench<C> {
    codec: C,
    input: Input,
    output: Output,
    blocks: Blocks,
}

impl<C> Bench<C> {
    fn new(codec: C) -> Self {
        Self {
            codec,
            input: Input::new(),
            output: Output::new(),
            blocks: Blocks::new(),
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.input.extend(bytes, &mut self.blocks);
    }

    fn written(&mut self) -> String {
        let text = String::from_utf8(self.output.to_vec()).unwrap();
        self.output.clear(&mut self.blocks);
        text
    }
}

impl Bench<Server> {
    fn server() -> Self {
        Self::new(Server::new(Limits::default()))
    }

    fn news(&mut self) -> Option<StreamId> {
        let mut news = Vec::new();
        self.codec.absorb(&mut self.input, &mut news).unwrap();
        news.pop()
    }

    fn head(&mut self, stream: StreamId) -> Result<Option<Box<RequestHead>>, CodecError> {
        let mut shelf = Shelf::new();
        match self.codec.pull(stream, &mut self.input, &mut shelf)? {
            Some(Part::Head(head)) => Ok(Some(head)),
            Some(other) => panic!("{other:?}"),
            None => Ok(None),
        }
    }

    fn is_end(&mut self, stream: StreamId) -> bool {
        let part = self.codec.pull(stream, &mut self.input, &mut Shelf::new());
        matches!(part, Ok(Some(Part::End)))
    }

    fn push(
        &mut self,
        stream: StreamId,
        part: Part<'_, crate::http::Response>,
    ) -> Result<(), CodecError> {
        let mut out = Outlet {
            output: &mut self.output,
            blocks: &mut self.blocks,
        };
        self.codec.push(stream, &part, &mut out)
    }
}

#[test]
fn an_idle_connection_holds_a_small_struct_and_no_buffer() {
    assert!(size_of::<Server>() <= 128, "{}", size_of::<Server>());
    assert!(size_of::<Client>() <= 128, "{}", size_of::<Client>());
}

#[test]
fn a_request_and_its_response_leave_the_connection_ready_for_the_next() {
    let mut bench = Bench::server();
    bench.feed(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    for path in [b"/a", b"/b"] {
        let stream = bench.news().unwrap();
        assert_eq!(bench.news(), None);
        let head = bench.head(stream).unwrap().unwrap();
        assert_eq!(head.target.path(), path);
        assert!(bench.is_end(stream));
        let head = ResponseHead {
            content: ContentSize::Length(2),
            ..ResponseHead::of(crate::http::Status::OK)
        };
        bench.push(stream, Part::Head(Box::new(head))).unwrap();
        bench.push(stream, Part::Data(b"ok")).unwrap();
        bench.push(stream, Part::End).unwrap();
        assert_eq!(bench.codec.reuse(), Reuse::Keep);
        assert_eq!(
            bench.written(),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        );
    }
    assert_eq!(bench.news(), None);
}

impl Bench<Client> {
    fn client() -> Self {
        Self::new(Client::new(Limits::default()))
    }

    fn send(&mut self, head: RequestHead) -> StreamId {
        let stream = self.codec.open().unwrap();
        let mut out = Outlet {
            output: &mut self.output,
            blocks: &mut self.blocks,
        };
        let head = Part::Head(Box::new(head));
        self.codec.push(stream, &head, &mut out).unwrap();
        self.codec.push(stream, &Part::End, &mut out).unwrap();
        stream
    }
}

fn get() -> RequestHead {
    let mut head = RequestHead {
        keep_alive: true,
        ..RequestHead::default()
    };
    head.target.assign(b"/", false).unwrap();
    head.fields.push(b"Host", b"h");
    head
}

#[test]
fn bytes_after_a_complete_response_poison_the_connection() {
    for extra in [
        &b""[..],
        b"H",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ] {
        let mut bench = Bench::client();
        let stream = bench.send(get());
        bench.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        bench.feed(extra);
        let mut shelf = Shelf::new();
        while bench
            .codec
            .pull(stream, &mut bench.input, &mut shelf)
            .unwrap()
            .is_some()
        {}
        let is_clean = extra.is_empty();
        assert_eq!(bench.codec.is_clean(&bench.input), is_clean);
        assert_eq!(bench.codec.open().is_some(), is_clean);
    }
}

#[test]
fn bytes_on_an_idle_backend_connection_are_an_error() {
    let mut bench = Bench::client();
    let mut news = Vec::new();
    assert_eq!(bench.codec.absorb(&mut bench.input, &mut news), Ok(()));
    assert!(bench.codec.is_clean(&bench.input));
    bench.feed(b"HTTP/1.1 408 Request Timeout\r\n\r\n");
    assert!(!bench.codec.is_clean(&bench.input));
    assert!(bench.codec.absorb(&mut bench.input, &mut news).is_err());
    assert_eq!(bench.codec.open(), None);
}

#[test]
fn heads_are_recycled_after_a_refusal_too() {
    let mut bench = Bench::server();
    let mut shelf: Shelf<RequestHead> = Shelf::new();
    let mut kept = shelf.take();
    kept.target.assign(&[b'/'; 1000], false).unwrap();
    let capacity = kept.target.raw().as_ptr();
    shelf.put(kept);
    bench.feed(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    let stream = bench.news().unwrap();
    assert!(
        bench
            .codec
            .pull(stream, &mut bench.input, &mut shelf)
            .is_err()
    );
    let back = shelf.take();
    assert!(back.fields.is_empty() && back.target.raw().is_empty());
    assert_eq!(back.target.raw().as_ptr(), capacity);
}

#[test]
fn what_unsafe_forgives_reads_the_same_whole_and_in_pieces() {
    play::run_all(
        "http1-unsafe",
        &play::Makers {
            server: |limits| Box::new(Server::new(limits).unsafe_lines()),
            client: |limits| Box::new(Client::new(limits)),
        },
    );
}

#[test]
fn every_playbook_reads_the_same_whole_and_in_pieces() {
    play::run_all(
        "http1",
        &play::Makers {
            server: |limits| Box::new(Server::new(limits)),
            client: |limits| Box::new(Client::new(limits)),
        },
    );
}

/// Everything a codec makes of bytes that arrive in these pieces, until it refuses or stops.
fn server_events(pieces: &[&[u8]]) -> Vec<String> {
    let mut bench = Bench::server();
    let mut events = Vec::new();
    let mut data = Vec::new();
    let mut stream = None;
    for piece in pieces {
        bench.feed(piece);
        loop {
            stream = bench.news().or(stream);
            let Some(stream) = stream else { break };
            let pulled = bench
                .codec
                .pull(stream, &mut bench.input, &mut Shelf::new());
            match pulled {
                Ok(None) => break,
                Ok(Some(Part::Data(bytes))) => data.extend_from_slice(bytes),
                Ok(Some(Part::End)) => {
                    events.push(format!("{data:?} end"));
                    data.clear();
                    bench
                        .push(stream, Part::Head(Box::default()))
                        .and_then(|()| bench.push(stream, Part::End))
                        .unwrap();
                }
                Ok(Some(part)) => events.push(format!("{part:?}")),
                Err(e) => {
                    events.push(format!("{data:?} {e:?}"));
                    return events;
                }
            }
        }
    }
    events.push(format!("{data:?} wait"));
    events
}

fn client_events(pieces: &[&[u8]]) -> Vec<String> {
    let mut bench = Bench::client();
    let stream = bench.send(get());
    let mut events = Vec::new();
    let mut data = Vec::new();
    for piece in pieces {
        bench.feed(piece);
        loop {
            let pulled = bench
                .codec
                .pull(stream, &mut bench.input, &mut Shelf::new());
            match pulled {
                Ok(None) => break,
                Ok(Some(Part::Data(bytes))) => data.extend_from_slice(bytes),
                Ok(Some(part)) => events.push(format!("{part:?}")),
                Err(e) => {
                    events.push(format!("{data:?} {e:?}"));
                    return events;
                }
            }
        }
    }
    events.push(format!("{data:?} wait"));
    events
}

mod properties {
    use super::*;
    use crate::http::{Fields, Method, Status};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    /// Bytes that are nearly HTTP: what attacks are made of.
    fn nearly_http(first: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
        const SCRAPS: &[&str] = &[
            "\r\n",
            "\r\n\r\n",
            "\n",
            "\r",
            " ",
            "\t",
            "\0",
            "Host: h\r\n",
            "Host: h\r\n\r\n",
            "Content-Length: 3\r\n",
            "Content-Length: 0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\n\r\n",
            "Connection: close\r\n",
            "X: y\r\n z\r\n",
            "X : y\r\n",
            "X:\u{e4}\r\n",
            ":",
            "abc",
            "3\r\nabc\r\n",
            "0\r\n\r\n",
            "0\r\nX: y\r\n\r\n",
            "a;b=c\r\n0123456789\r\n",
            "ffffffffffffffff\r\n",
            "GET / HTTP/1.1\r\n",
            "HTTP/1.1 200 OK\r\n",
        ];
        (select(first), vec(select(SCRAPS), 0..10)).prop_map(|(first, scraps)| {
            let mut bytes = first.as_bytes().to_vec();
            scraps
                .iter()
                .for_each(|scrap| bytes.extend_from_slice(scrap.as_bytes()));
            bytes
        })
    }

    const REQUESTS: &[&str] = &[
        "",
        "GET / HTTP/1.1\r\nHost: h\r\n",
        "POST /a?b HTTP/1.1\r\nhost:h\r\n",
        "POST / HTTP/1.0\r\n",
        "HEAD / HTTP/1.1\r\n",
        "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n",
    ];

    const RESPONSES: &[&str] = &[
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 204\r\n",
        "HTTP/1.0 200 \u{e4}\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\n",
    ];

    /// All pieces between the cuts.
    fn cut<'b>(bytes: &'b [u8], cuts: &[Index]) -> Vec<&'b [u8]> {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.sort_unstable();
        places.push(bytes.len());
        let mut from = 0;
        places
            .into_iter()
            .map(|to| &bytes[std::mem::replace(&mut from, to)..to])
            .collect()
    }

    fn fields() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
        let value = vec(
            select((0x21..=0xff_u8).filter(|b| *b != 0x7f).collect::<Vec<_>>()),
            0..20,
        );
        // Names under a prefix of their own, so that none has a meaning to the codec.
        vec(("x-[a-z0-9!#$%&'*+.^_`|~-]{0,12}", value), 0..150)
    }

    fn lines(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
        fields
            .iter()
            .map(|(_, name, value)| (name.to_vec(), value.to_vec()))
            .collect()
    }

    fn unlimited() -> Limits {
        Limits {
            fields: 0,
            ..Limits::default()
        }
    }

    proptest! {
        // A found case becomes a playbook, not a file of seeds.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn random_bytes_are_answered(bytes: Vec<u8>, cuts in vec(any::<Index>(), 0..4)) {
            server_events(&cut(&bytes, &cuts));
            client_events(&cut(&bytes, &cuts));
        }

        #[test]
        fn requests_read_the_same_in_any_pieces(
            bytes in nearly_http(REQUESTS),
            cuts in vec(any::<Index>(), 1..6),
        ) {
            let whole = server_events(&[&bytes]);
            prop_assert_eq!(&server_events(&cut(&bytes, &cuts)), &whole);
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&server_events(&single), &whole);
        }

        #[test]
        fn responses_read_the_same_in_any_pieces(
            bytes in nearly_http(RESPONSES),
            cuts in vec(any::<Index>(), 1..6),
        ) {
            let whole = client_events(&[&bytes]);
            prop_assert_eq!(&client_events(&cut(&bytes, &cuts)), &whole);
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&client_events(&single), &whole);
        }

        #[test]
        fn the_slow_parser_agrees_with_the_fast_one(
            request_bytes in nearly_http(REQUESTS),
            response_bytes in nearly_http(RESPONSES),
        ) {
            let mut fast = RequestHead::default();
            // Neither parser is asked about what its first byte rules out.
            let is_asked = request_bytes.first().is_some_and(u8::is_ascii_alphabetic);
            if let Some(end) = request::fast(&request_bytes, &mut fast).filter(|_| is_asked) {
                let mut slow = RequestHead::default();
                prop_assert_eq!(request::slow(&request_bytes[..end], lines::Strictness::Strict, &mut slow), Ok(()));
                prop_assert_eq!(format!("{fast:?}"), format!("{slow:?}"));
            }
            let mut fast = ResponseHead::default();
            let is_asked = response_bytes.first() == Some(&b'H');
            if let Some(end) = response::fast(&response_bytes, &mut fast).filter(|_| is_asked) {
                let mut slow = ResponseHead::default();
                prop_assert_eq!(response::slow(&response_bytes[..end], crate::codec::BadLine::Refuse, &mut slow), Ok(()));
                prop_assert_eq!(format!("{fast:?}"), format!("{slow:?}"));
            }
        }

        #[test]
        fn a_request_that_was_written_is_read_as_it_was(
            method in select(&["GET", "HEAD", "POST", "M-SEARCH", "OPTIONS"][..]),
            path in "/[!-~&&[^#]]{0,30}",
            fields in fields(),
            content in select(&[ContentSize::None, ContentSize::Length(0), ContentSize::Unknown][..]),
            keep_alive: bool,
        ) {
            let mut head = RequestHead {
                method: Method::parse(method.as_bytes()).unwrap(),
                content,
                keep_alive,
                ..RequestHead::default()
            };
            head.target.assign(path.as_bytes(), false).unwrap();
            head.fields.push(b"Host", b"example.org");
            for (name, value) in &fields {
                head.fields.push(name.as_bytes(), value);
            }
            let mut client = Bench::client();
            client.send(head.clone());
            let mut server = Bench::new(Server::new(unlimited()));
            server.feed(&client.output.to_vec());
            let stream = server.news().unwrap();
            let read = server.head(stream).unwrap().unwrap();
            prop_assert_eq!(&read.method, &head.method);
            prop_assert_eq!(read.target.raw(), head.target.raw());
            prop_assert_eq!((read.content, read.keep_alive), (content, keep_alive));
            let mut read_lines = lines(&read.fields);
            read_lines.truncate(fields.len() + 1);
            prop_assert_eq!(read_lines, lines(&head.fields));
            prop_assert!(server.is_end(stream) && server.input.is_empty());
        }

        #[test]
        fn a_response_that_was_written_is_read_as_it_was(
            code in (200_u16..1000).prop_filter("has content", |code| *code != 204 && *code != 304),
            reason in "[ -~\t]{0,20}",
            fields in fields(),
            content in select(&[ContentSize::Length(5), ContentSize::Unknown][..]),
        ) {
            let mut head = ResponseHead {
                status: Status::from_u16(code).unwrap(),
                reason: reason.clone().into_bytes(),
                content,
                ..ResponseHead::default()
            };
            for (name, value) in &fields {
                head.fields.push(name.as_bytes(), value);
            }
            let expected = lines(&head.fields);
            let mut server = Bench::server();
            server.feed(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            let stream = server.news().unwrap();
            server.head(stream).unwrap();
            server.push(stream, Part::Head(Box::new(head))).unwrap();
            server.push(stream, Part::Data(b"hello")).unwrap();
            server.push(stream, Part::End).unwrap();

            let mut client = Bench::new(Client::new(unlimited()));
            let stream = client.send(get());
            client.feed(&server.output.to_vec());
            let mut shelf = Shelf::new();
            let part = client.codec.pull(stream, &mut client.input, &mut shelf).unwrap();
            let Some(Part::Head(read)) = part else {
                panic!("{part:?}");
            };
            prop_assert_eq!((read.status.as_u16(), read.content), (code, content));
            if !reason.is_empty() {
                prop_assert_eq!(&read.reason, reason.as_bytes());
            }
            let mut read_lines = lines(&read.fields);
            read_lines.truncate(fields.len());
            prop_assert_eq!(read_lines, expected);
            prop_assert!(read.keep_alive);
        }
    }
}
