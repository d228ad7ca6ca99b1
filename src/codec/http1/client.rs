//! The side that faces backends: requests out, responses in.
//!
//! ```text
//! sending:  Head ──► Length | Chunked ──► Done           (Raw once the connection is a tunnel)
//! reading:  Idle ──► Head ──► Content ──► Done           the stream is over when both are Done
//!                    ▲  └ interim ┐  └──► Failed
//!                    └────────────┘
//! ```
//!
//! The connection may be used again only after both sides ended as their framing said, with nothing left over:
//! any doubt would hand one client's response to another (CVE-2010-2068, CVE-2012-3502).

use super::content::{Content, Step};
use super::lines::Strictness;
use super::response;
use super::scan::Scan;
use super::write::{self, Announce, Sending};
use crate::buf::{Input, Outlet};
use crate::codec::{BadLine, ClientCodec, Codec, CodecError, Limits, Reuse, StreamId};
use crate::http::framing::{self, Body};
use crate::http::head::Shelf;
use crate::http::{
    ContentSize, FieldId, Method, Part, Request, RequestHead, Response, ResponseHead, Version,
};

/// A backend that has sent so many interim responses is answered with 502 for its client, as in httpd.
const INTERIM_MAX: u8 = 10;

/// An HTTP/1 client connection.
#[derive(Debug)]
pub struct Client {
    limits: Limits,
    scan: Scan,
    reading: Reading,
    sending: Sending,
    stream: u32,
    /// Interim responses to the present request.
    interims: u8,
    /// The one empty line that may stand before a status line was seen.
    had_empty_line: bool,
    /// The present request is a HEAD, so its response has no content.
    is_head: bool,
    /// The present request is a CONNECT.
    is_connect: bool,
    /// The present request asked for another protocol.
    asked_upgrade: bool,
    /// The connection must not be used again.
    closes: bool,
    /// The backend will send nothing more.
    is_eof: bool,
    /// What a line without a colon means.
    bad_lines: BadLine,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Idle,
    Head,
    Content(Content),
    Done,
    Failed,
}

impl Client {
    /// A codec for a new connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            scan: Scan::default(),
            reading: Reading::Idle,
            sending: Sending::Done,
            stream: 0,
            interims: 0,
            had_empty_line: false,
            is_head: false,
            is_connect: false,
            asked_upgrade: false,
            closes: false,
            is_eof: false,
            bad_lines: BadLine::Refuse,
        }
    }

    /// Whether the connection may go to a pool: nothing is under way, nothing forbids it, and nothing waits in its
    /// input that no request asked for.
    #[must_use]
    pub fn is_clean(&self, input: &Input) -> bool {
        self.reuse() == Reuse::Keep && self.is_between() && input.is_empty() && !self.is_eof
    }

    fn is_between(&self) -> bool {
        self.sending == Sending::Done && matches!(self.reading, Reading::Idle | Reading::Done)
    }

    fn push_head(&mut self, head: &RequestHead, out: &mut Outlet<'_>) -> Result<(), CodecError> {
        if self.sending != Sending::Head {
            return Err(CodecError::unsendable("a second head"));
        }
        let (announce, sending) = match head.content {
            ContentSize::None => (Announce::Nothing, Sending::Length(0)),
            ContentSize::Length(n) => (Announce::Length(n), Sending::Length(n)),
            ContentSize::Unknown => (Announce::Chunked, Sending::Chunked),
        };
        let has_upgrade = head.fields.has(FieldId::Upgrade);
        if head.version == Version::Http10 && announce == Announce::Chunked {
            return Err(CodecError::unsendable("chunks in an HTTP/1.0 request"));
        }
        let persistence = match (head.version, has_upgrade, head.keep_alive) {
            // An old server knows no other way than to close.
            (Version::Http10, _, _) => None,
            (Version::Http11, true, _) => Some(&b"Upgrade"[..]),
            (Version::Http11, false, true) => Some(&b"Keep-Alive"[..]),
            (Version::Http11, false, false) => Some(&b"close"[..]),
        };
        write::request(head, announce, persistence, out)?;
        self.is_head = head.method == Method::Head;
        self.is_connect = head.method == Method::Connect;
        self.asked_upgrade = has_upgrade;
        self.closes |= !head.keep_alive || head.version == Version::Http10;
        self.sending = sending;
        Ok(())
    }

    /// Skips the one empty line that may stand before a status line; false while it is incomplete.
    fn skip_empty_line(&mut self, input: &mut Input) -> bool {
        if self.had_empty_line {
            return true;
        }
        let n = match input.bytes() {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            [b'\r'] => return false,
            _ => 0,
        };
        self.had_empty_line = n > 0;
        input.consume(n);
        true
    }

    fn pull_head(
        &mut self,
        input: &mut Input,
        shelf: &mut Shelf<ResponseHead>,
    ) -> Result<Option<Box<ResponseHead>>, CodecError> {
        if self.interims >= INTERIM_MAX {
            return Err(CodecError::malformed("too many interim responses"));
        }
        if !self.skip_empty_line(input) || input.is_empty() {
            return self.no_head(input);
        }
        let Some((mut head, size)) = response::decode(
            input.bytes(),
            &mut self.scan,
            &self.limits,
            self.bad_lines,
            shelf,
        )?
        else {
            return self.no_head(input);
        };
        input.consume(size);
        self.scan = Scan::default();
        self.had_empty_line = false;
        // What a line that makes no sense was meant to be is not known, so neither is where its message ends.
        self.closes |= head.skipped_lines > 0;
        match self.interpret(&mut head) {
            Ok(()) => Ok(Some(head)),
            Err(e) => {
                shelf.put(head);
                Err(e)
            }
        }
    }

    fn no_head(&self, input: &Input) -> Result<Option<Box<ResponseHead>>, CodecError> {
        match (self.is_eof, input.is_empty()) {
            (false, _) => Ok(None),
            (true, true) => Err(CodecError::truncated("connection closed before any answer")),
            (true, false) => Err(CodecError::truncated(
                "connection closed in the middle of an answer's head",
            )),
        }
    }

    /// What status and fields mean for what follows.
    fn interpret(&mut self, head: &mut ResponseHead) -> Result<(), CodecError> {
        if head.status.is_interim() && head.status.as_u16() != 101 {
            self.interims += 1;
            return Ok(());
        }
        let framing = framing::response(
            head.version,
            head.status,
            self.is_head,
            self.is_connect,
            &head.fields,
        )?;
        if framing.body == Body::Tunnel && !self.is_asked() {
            // Handed out, so that it can be named, and nothing after it: whatever follows is nobody's.
            self.closes = true;
            self.reading = Reading::Failed;
            return Ok(());
        }
        if framing.body == Body::Tunnel {
            self.switch(head)?;
        }
        // httpd doesn't reuse connections of HTTP/1.0 backends, whatever they say.
        head.keep_alive = head.version == Version::Http11
            && head.skipped_lines == 0
            && !framing.closes
            && framing::keeps_alive(head.version, &head.fields);
        head.content = framing.content;
        if framing.body == Body::Chunked {
            head.fields.remove(FieldId::ContentLength);
        }
        self.closes |= !head.keep_alive;
        self.reading = Reading::Content(Content::new(framing.body, Strictness::Strict));
        Ok(())
    }

    /// Whether the request asked for a tunnel or another protocol.
    const fn is_asked(&self) -> bool {
        self.is_connect || self.asked_upgrade
    }

    /// The connection becomes a tunnel, which is what the request asked for (CVE-2019-17567).
    fn switch(&mut self, head: &ResponseHead) -> Result<(), CodecError> {
        if !self.is_connect && head.version == Version::Http10 {
            return Err(CodecError::malformed("protocol switch in HTTP/1.0"));
        }
        if !matches!(self.sending, Sending::Done | Sending::Length(0)) {
            return Err(CodecError::malformed(
                "protocol switch before the request was complete",
            ));
        }
        self.sending = Sending::Raw;
        Ok(())
    }
}

impl Codec<Response, Request> for Client {
    fn absorb(&mut self, input: &mut Input, _news: &mut Vec<StreamId>) -> Result<(), CodecError> {
        if self.is_between() && !input.is_empty() {
            self.closes = true;
            return Err(CodecError::malformed("bytes that no request asked for"));
        }
        Ok(())
    }

    fn pull<'a>(
        &'a mut self,
        stream: StreamId,
        input: &'a mut Input,
        shelf: &mut Shelf<ResponseHead>,
    ) -> Result<Option<Part<'a, Response>>, CodecError> {
        debug_assert_eq!(stream.0, self.stream, "HTTP/1 has one stream at a time");
        let pulled = match &mut self.reading {
            Reading::Head => self.pull_head(input, shelf).map(Pulled::Head),
            Reading::Content(content) => content
                .step(input, &mut self.scan, &self.limits, self.is_eof)
                .map(Pulled::Step),
            Reading::Idle | Reading::Done | Reading::Failed => return Ok(None),
        };
        match pulled {
            Ok(Pulled::Head(None)) | Ok(Pulled::Step(Step::Wait)) => Ok(None),
            Ok(Pulled::Head(Some(head))) if self.reading == Reading::Head => {
                Ok(Some(Part::Interim(head)))
            }
            Ok(Pulled::Head(Some(head))) => Ok(Some(Part::Head(head))),
            Ok(Pulled::Step(Step::Data(n))) => Ok(Some(Part::Data(input.take(n)))),
            Ok(Pulled::Step(Step::Trailers(fields))) => Ok(Some(Part::Trailers(fields))),
            Ok(Pulled::Step(Step::End)) => {
                self.reading = Reading::Done;
                // What follows a complete response answers no request; it may be meant for the next one's client.
                self.closes |= !input.is_empty();
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
        part: &Part<'_, Request>,
        out: &mut Outlet<'_>,
    ) -> Result<(), CodecError> {
        debug_assert_eq!(stream.0, self.stream, "HTTP/1 has one stream at a time");
        let pushed = match part {
            Part::Interim(_) => Err(CodecError::unsendable("interim head in a request")),
            Part::Head(head) => self.push_head(head, out),
            Part::Data(bytes) => self.sending.data(bytes, out),
            Part::Trailers(fields) => self.sending.trailers(fields, out),
            Part::End => self.sending.end(out),
            Part::Note(_) => Ok(()),
        };
        self.closes |= pushed.is_err();
        pushed
    }

    fn eof(&mut self) -> Result<(), CodecError> {
        // Bytes that arrived before may still wait in the input, so only `pull` can tell what the close means.
        self.is_eof = true;
        self.closes = true;
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
        if self.is_between() && !self.closes {
            Reuse::Keep
        } else {
            Reuse::Close
        }
    }
}

impl ClientCodec for Client {
    fn open(&mut self) -> Option<StreamId> {
        if !self.is_between() || self.closes {
            return None;
        }
        self.stream = self.stream.wrapping_add(1);
        self.scan = Scan::default();
        self.reading = Reading::Head;
        self.sending = Sending::Head;
        self.interims = 0;
        self.had_empty_line = false;
        self.is_head = false;
        self.is_connect = false;
        self.asked_upgrade = false;
        self.bad_lines = BadLine::Refuse;
        Some(StreamId(self.stream))
    }

    fn judge(&mut self, lines: BadLine) {
        self.bad_lines = lines;
    }
}

/// What was pulled, before any of it is lent.
enum Pulled {
    Head(Option<Box<ResponseHead>>),
    Step(Step),
}
