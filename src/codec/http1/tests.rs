//! What playbooks can't say: sizes, properties over random heads and bytes, agreement of the two parsers.

use super::*;
use crate::buf::{Blocks, Input, Outlet, Output};
use crate::codec::{Codec, CodecError, Limits, Reuse, StreamId, play};
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
            ..ResponseHead::default()
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
