//! The side that faces clients: requests in, responses out, one at a time and in order.
//!
//! ```text
//! reading:  Idle ──► Head ──► Content ──► Done      a stream is over when both are Done
//!                      └────────┴──► Failed         (malformed: only an answer and the close may follow)
//! sending:  Head ──► Length | Chunked | Raw | Dropped ──► Done
//! ```
//!
//! A pipelined request waits in the input until both directions of the one before it are done.

use super::content::{Content, Step};
use super::lines::Strictness;
use super::request;
use super::scan::Scan;
use super::write::{self, Announce, Sending};
use crate::buf::{Input, Outlet};
use crate::codec::{Codec, CodecError, Limits, Offer, Reuse, ServerCodec, StreamId};
use crate::http::framing::Body;
use crate::http::head::Shelf;
use crate::http::hop;
use crate::http::{
    ContentSize, FieldId, Method, Part, Request, RequestHead, Response, ResponseHead, Status,
    Version,
};

/// Empty lines tolerated before a request line (RFC 9112 §2.2 asks for one at least).
const EMPTY_LINES_MAX: u8 = 10;

/// An HTTP/1 server connection.
#[derive(Debug)]
pub struct Server {
    limits: Limits,
    /// How requests are read.
    lines: Strictness,
    scan: Scan,
    reading: Reading,
    sending: Sending,
    stream: u32,
    /// Empty lines skipped before the present request.
    empty_lines: u8,
    /// The version that the present request came in.
    version: Version,
    /// The present request is a HEAD, so its response has no content.
    is_head: bool,
    /// The present request is a CONNECT.
    is_connect: bool,
    /// The present client lets the connection persist.
    keeps_alive: bool,
    /// The client asks for that by name.
    asks_to_keep: bool,
    /// What it is told of it then.
    offer: Option<Offer>,
    /// The client waits for a 100 before it sends content.
    expects_continue: bool,
    /// The connection ends with the present response, whatever the client wants.
    closes: bool,
    /// The next response that begins is the last one. Until then a request is still answered: it may have been on its
    /// way when that was decided.
    is_last: bool,
    /// The client will send nothing more.
    is_eof: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Idle,
    Head,
    Content(Content),
    Done,
    Failed,
}

impl Server {
    /// A codec for a new connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            lines: Strictness::Strict,
            scan: Scan::default(),
            reading: Reading::Idle,
            sending: Sending::Done,
            stream: 0,
            empty_lines: 0,
            version: Version::Http11,
            is_head: false,
            is_connect: false,
            keeps_alive: false,
            asks_to_keep: false,
            offer: None,
            expects_continue: false,
            closes: false,
            is_last: false,
            is_eof: false,
        }
    }

    /// Reads requests as `HttpProtocolOptions Unsafe` has it: what old clients get wrong is forgiven where the message
    /// still has one meaning (bare LF, several spaces and a fragment in the request line, control characters in the
    /// values of fields that nobody on the way reads). What is forwarded is put right.
    #[must_use]
    pub fn unsafe_lines(mut self) -> Self {
        self.lines = Strictness::Unsafe;
        self
    }

    fn is_between(&self) -> bool {
        self.sending == Sending::Done && matches!(self.reading, Reading::Idle | Reading::Done)
    }

    fn begin(&mut self) -> StreamId {
        self.stream = self.stream.wrapping_add(1);
        self.scan = Scan::default();
        self.reading = Reading::Head;
        self.sending = Sending::Head;
        self.empty_lines = 0;
        self.version = Version::Http11;
        self.is_head = false;
        self.is_connect = false;
        self.keeps_alive = false;
        self.asks_to_keep = false;
        self.offer = None;
        self.expects_continue = false;
        StreamId(self.stream)
    }

    fn pull_head(
        &mut self,
        input: &mut Input,
        shelf: &mut Shelf<RequestHead>,
    ) -> Result<Option<Box<RequestHead>>, CodecError> {
        let decoded = request::decode(
            input.bytes(),
            &mut self.scan,
            &self.limits,
            self.lines,
            shelf,
            &mut self.is_head,
        )?;
        let Some((head, size, framing)) = decoded else {
            return match self.is_eof {
                true => Err(CodecError::truncated(
                    "connection closed in the middle of a request head",
                )),
                false => Ok(None),
            };
        };
        input.consume(size);
        self.version = head.version;
        self.is_connect = head.method == Method::Connect;
        self.keeps_alive = head.keep_alive;
        self.asks_to_keep = head.keep_alive
            && head.fields.has(FieldId::Connection)
            && hop::has_option(&head.fields, b"keep-alive");
        self.expects_continue = head.expects_continue;
        self.reading = Reading::Content(Content::new(framing.body, self.lines));
        Ok(Some(head))
    }

    fn push_interim(
        &mut self,
        head: &ResponseHead,
        out: &mut Outlet<'_>,
    ) -> Result<(), CodecError> {
        if self.sending != Sending::Head {
            return Err(CodecError::unsendable(
                "interim response after the final head",
            ));
        }
        // RFC 9110 §15.2: an HTTP/1.0 client would take it for the final response.
        if self.version == Version::Http10 {
            return Ok(());
        }
        if head.status == Status::CONTINUE {
            self.expects_continue = false;
        }
        write::interim(head, out)
    }

    fn push_head(&mut self, head: &ResponseHead, out: &mut Outlet<'_>) -> Result<(), CodecError> {
        if self.sending != Sending::Head {
            return Err(CodecError::unsendable("a second head"));
        }
        if head.status.opens_tunnel(self.is_connect) {
            return self.push_switch(head, out);
        }
        if head.status.is_interim() {
            return Err(CodecError::unsendable("interim status in a final head"));
        }
        let (announce, sending) = self.framing(head);
        // A client that was never told to continue may send its content now or not at all: nobody could tell its
        // first bytes from the next request.
        let is_in_doubt = self.expects_continue && self.reading != Reading::Done;
        self.closes |= self.is_last
            || !self.keeps_alive
            || !head.keep_alive
            || is_in_doubt
            || sending == Sending::Raw;
        let offer = self.offer.filter(|_| self.asks_to_keep && !self.closes);
        write::response(head, announce, self.persistence(head), offer, out)?;
        self.sending = sending;
        Ok(())
    }

    /// How the response's content is sent and announced (RFC 9112 §6).
    fn framing(&self, head: &ResponseHead) -> (Announce, Sending) {
        let announce = match head.content {
            ContentSize::Length(n) => Announce::Length(n),
            ContentSize::None | ContentSize::Unknown => Announce::Nothing,
        };
        // httpd says nothing of no content to a HEAD: whoever answered may not have looked.
        if self.is_head && head.content == ContentSize::Length(0) {
            return (Announce::Nothing, Sending::Dropped);
        }
        if self.is_head || head.status == Status::NOT_MODIFIED {
            return (announce, Sending::Dropped);
        }
        if head.status.forbids_content() {
            return (Announce::Nothing, Sending::Dropped);
        }
        match (head.content, self.version) {
            (ContentSize::Length(n), _) => (announce, Sending::Length(n)),
            (ContentSize::None, _) => (Announce::Length(0), Sending::Length(0)),
            (ContentSize::Unknown, Version::Http11) => (Announce::Chunked, Sending::Chunked),
            (ContentSize::Unknown, Version::Http10) => (Announce::Nothing, Sending::Raw),
        }
    }

    fn persistence(&self, head: &ResponseHead) -> write::Persistence {
        let has_upgrade = head.fields.has(FieldId::Upgrade);
        // An HTTP/1.0 connection that persists does so because its client has asked.
        let says_keep = self.asks_to_keep || self.version == Version::Http10;
        match (self.closes, has_upgrade, says_keep) {
            (true, true, _) => Some(b"Upgrade, close"),
            (true, false, _) => Some(b"close"),
            (false, true, true) => Some(b"Upgrade, Keep-Alive"),
            (false, true, false) => Some(b"Upgrade"),
            (false, false, true) => Some(b"Keep-Alive"),
            (false, false, false) => None,
        }
    }

    /// Writes the last HTTP head of a connection that becomes a tunnel.
    fn push_switch(&mut self, head: &ResponseHead, out: &mut Outlet<'_>) -> Result<(), CodecError> {
        match self.reading {
            Reading::Done | Reading::Content(Content::Length(0)) => {}
            Reading::Idle | Reading::Head | Reading::Content(_) | Reading::Failed => {
                return Err(CodecError::unsendable(
                    "protocol switch before the request is complete",
                ));
            }
        }
        let persistence = head.fields.has(FieldId::Upgrade).then_some(&b"Upgrade"[..]);
        write::response(head, Announce::Nothing, persistence, None, out)?;
        self.closes = true;
        self.reading = Reading::Content(Content::new(Body::Tunnel, self.lines));
        self.sending = Sending::Raw;
        Ok(())
    }
}

impl Codec<Request, Response> for Server {
    fn absorb(&mut self, input: &mut Input, news: &mut Vec<StreamId>) -> Result<(), CodecError> {
        if !self.is_between() || self.closes {
            return Ok(());
        }
        // RFC 9112 §2.2: a client may send an empty line too much after a request.
        while self.empty_lines < EMPTY_LINES_MAX {
            match input.bytes() {
                [b'\r', b'\n', ..] => input.consume(2),
                [b'\n', ..] if self.lines == Strictness::Unsafe => input.consume(1),
                _ => break,
            }
            self.empty_lines += 1;
        }
        if input.is_empty() || input.bytes() == b"\r" {
            return Ok(());
        }
        news.push(self.begin());
        Ok(())
    }

    fn pull<'a>(
        &'a mut self,
        stream: StreamId,
        input: &'a mut Input,
        shelf: &mut Shelf<RequestHead>,
    ) -> Result<Option<Part<'a, Request>>, CodecError> {
        debug_assert_eq!(stream.0, self.stream, "HTTP/1 has one stream at a time");
        let pulled = match &mut self.reading {
            Reading::Head => self.pull_head(input, shelf).map(Pulled::Head),
            Reading::Content(content) => content
                .step(input, &mut self.scan, &self.limits, self.is_eof)
                .map(Pulled::Step),
            Reading::Idle | Reading::Done | Reading::Failed => return Ok(None),
        };
        match pulled {
            Ok(Pulled::Head(head)) => Ok(head.map(Part::Head)),
            Ok(Pulled::Step(Step::Wait)) => Ok(None),
            Ok(Pulled::Step(Step::Data(n))) => Ok(Some(Part::Data(input.take(n)))),
            Ok(Pulled::Step(Step::Trailers(fields))) => Ok(Some(Part::Trailers(fields))),
            Ok(Pulled::Step(Step::End)) => {
                self.reading = Reading::Done;
                Ok(Some(Part::End))
            }
            Err(e) => {
                self.reading = Reading::Failed;
                self.closes = true;
                Err(e)
            }
        }
    }

    fn push(
        &mut self,
        stream: StreamId,
        part: &Part<'_, Response>,
        out: &mut Outlet<'_>,
    ) -> Result<(), CodecError> {
        debug_assert_eq!(stream.0, self.stream, "HTTP/1 has one stream at a time");
        match part {
            Part::Interim(head) => self.push_interim(head, out),
            Part::Head(head) => self.push_head(head, out),
            Part::Data(bytes) => self.sending.data(bytes, out),
            Part::Trailers(fields) => self.sending.trailers(fields, out),
            Part::End => self.sending.end(out),
            Part::Note(_) => Ok(()),
        }
    }

    fn eof(&mut self) -> Result<(), CodecError> {
        // Bytes that arrived before may still wait in the input, so only `pull` can tell what the close means.
        self.is_eof = true;
        Ok(())
    }

    fn reset(&mut self, _stream: StreamId) {
        if !self.is_between() {
            self.reading = Reading::Failed;
            self.sending = Sending::Done;
            self.closes = true;
        }
    }

    fn reuse(&self) -> Reuse {
        // A request that was not read to its end would be read as the next one (CVE-2022-22720).
        let is_unread = self.sending == Sending::Done && !self.is_between();
        if self.closes || is_unread {
            Reuse::Close
        } else {
            Reuse::Keep
        }
    }
}

impl ServerCodec for Server {
    fn close_after_response(&mut self) {
        self.is_last = true;
    }

    fn offer(&mut self, offer: Offer) {
        self.offer = Some(offer);
    }
}

/// What was pulled, before any of it is lent.
enum Pulled {
    Head(Option<Box<RequestHead>>),
    Step(Step),
}
