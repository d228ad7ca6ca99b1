//! What the targets share: codecs with their buffers, and everything they make of some bytes.
//!
//! The first byte of an input says where the rest is cut in two; the two runs, whole and cut, must agree.

use tine::buf::{Blocks, Input, Outlet, Output};
use tine::codec::http1::{Client, Server};
use tine::codec::{ClientCodec, Codec, Limits, StreamId};
use tine::http::head::Shelf;
use tine::http::{Part, RequestHead, ResponseHead};

/// Parts, as text, with heads beside them.
#[derive(Debug, Default)]
pub struct Seen<H> {
    pub events: Vec<String>,
    pub data: Vec<u8>,
    pub heads: Vec<H>,
}

/// Splits the input into the bytes and the place of their cut.
pub fn cut(input: &[u8]) -> Option<(&[u8], usize)> {
    let (&at, bytes) = input.split_first()?;
    Some((bytes, usize::from(at) * bytes.len() / 255))
}

/// Limits small enough to be reached.
pub fn limits() -> Limits {
    Limits {
        line: 200,
        field_size: 100,
        fields: 10,
    }
}

/// Reads requests from pieces, answering each, until one is refused.
pub fn requests(pieces: &[&[u8]]) -> Seen<RequestHead> {
    let mut codec = Server::new(limits());
    let (mut input, mut output, mut blocks) = (Input::new(), Output::new(), Blocks::new());
    let mut seen = Seen::default();
    let mut stream = StreamId::default();
    let mut is_open = false;
    for piece in pieces {
        input.extend(piece, &mut blocks);
        loop {
            let mut news = Vec::new();
            codec.absorb(&mut input, &mut news).expect("servers absorb");
            if let Some(new) = news.pop() {
                stream = new;
                is_open = true;
            }
            if !is_open {
                break;
            }
            match codec.pull(stream, &mut input, &mut Shelf::new()) {
                Ok(None) => break,
                Ok(Some(Part::Head(head))) => {
                    seen.events.push(format!("{head:?}"));
                    seen.heads.push(*head);
                }
                Ok(Some(Part::Data(bytes))) => seen.data.extend_from_slice(bytes),
                Ok(Some(Part::End)) => {
                    seen.events.push(format!("end after {}", seen.data.len()));
                    let mut out = Outlet {
                        output: &mut output,
                        blocks: &mut blocks,
                    };
                    for part in [Part::Head(Box::default()), Part::End] {
                        codec.push(stream, &part, &mut out).expect("an empty answer");
                    }
                    output.clear(&mut blocks);
                }
                Ok(Some(part)) => seen.events.push(format!("{part:?}")),
                Err(e) => {
                    seen.events.push(format!("{e:?}"));
                    return seen;
                }
            }
            assert!(input.len() < 64 * 1024, "input piles up");
        }
    }
    seen
}

/// What a client codec wrote for these heads.
pub fn write_request(head: &RequestHead) -> Vec<u8> {
    let mut codec = Client::new(limits());
    let (mut output, mut blocks) = (Output::new(), Blocks::new());
    let stream = codec.open().expect("a new connection is free");
    let mut out = Outlet {
        output: &mut output,
        blocks: &mut blocks,
    };
    let part = Part::Head(Box::new(head.clone()));
    codec
        .push(stream, &part, &mut out)
        .expect("what was read can be written");
    output.to_vec()
}

/// Reads the responses to one GET from pieces, until one is refused.
pub fn responses(pieces: &[&[u8]]) -> Seen<ResponseHead> {
    let mut codec = Client::new(limits());
    let (mut input, mut output, mut blocks) = (Input::new(), Output::new(), Blocks::new());
    let mut seen = Seen::default();
    let stream = codec.open().expect("a new connection is free");
    let mut head = RequestHead::default();
    head.target.assign(b"/", false).expect("a slash is a target");
    let mut out = Outlet {
        output: &mut output,
        blocks: &mut blocks,
    };
    for part in [Part::Head(Box::new(head)), Part::End] {
        codec.push(stream, &part, &mut out).expect("a plain GET");
    }
    for piece in pieces {
        input.extend(piece, &mut blocks);
        loop {
            match codec.pull(stream, &mut input, &mut Shelf::new()) {
                Ok(None) => break,
                Ok(Some(Part::Head(head) | Part::Interim(head))) => {
                    seen.events.push(format!("{head:?}"));
                    seen.heads.push(*head);
                }
                Ok(Some(Part::Data(bytes))) => seen.data.extend_from_slice(bytes),
                Ok(Some(part)) => seen.events.push(format!("{part:?}")),
                Err(e) => {
                    seen.events.push(format!("{e:?}"));
                    return seen;
                }
            }
        }
    }
    seen
}

/// What a server codec wrote for this final head.
pub fn write_response(head: &ResponseHead) -> Vec<u8> {
    let mut codec = Server::new(limits());
    let (mut input, mut output, mut blocks) = (Input::new(), Output::new(), Blocks::new());
    input.extend(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", &mut blocks);
    let mut news = Vec::new();
    codec.absorb(&mut input, &mut news).expect("servers absorb");
    let stream = news.pop().expect("a request begins");
    codec
        .pull(stream, &mut input, &mut Shelf::new())
        .expect("a plain GET is read");
    let mut out = Outlet {
        output: &mut output,
        blocks: &mut blocks,
    };
    let part = Part::Head(Box::new(head.clone()));
    codec
        .push(stream, &part, &mut out)
        .expect("what was read can be written");
    output.to_vec()
}
