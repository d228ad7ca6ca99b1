//! No protocol at all: the client side of a CONNECT that leads straight to its target (RFC 9110 §9.3.6).
//!
//! ```text
//! Head ──► (nothing is written; the answer is a 200 of our own) ──► bytes both ways ──► End, each side for itself
//! ```
//!
//! Know first: the response's head is made here, because nobody else gives one: the connection itself is the good news. mod_proxy_connect's
//! words for it are kept.

use super::{ClientCodec, Codec, CodecError, Reuse, StreamId};
use crate::buf::{Input, Outlet};
use crate::http::head::Shelf;
use crate::http::{ContentSize, Part, Request, Response, ResponseHead, Status, Version};

/// A connection that carries bytes.
#[derive(Debug, Default)]
pub struct Raw {
    phase: Phase,
    /// The client ended its side of the tunnel.
    is_told_all: bool,
    /// The target will send nothing more.
    is_eof: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// No stream yet.
    #[default]
    Fresh,
    /// The request is awaited.
    Request,
    /// The head of the answer is to be given.
    Answer,
    /// Bytes are carried.
    Tunnel,
    /// The target has said all.
    Done,
}

impl Codec<Response, Request> for Raw {
    fn absorb(&mut self, _input: &mut Input, _news: &mut Vec<StreamId>) -> Result<(), CodecError> {
        Ok(())
    }

    fn pull<'a>(
        &'a mut self,
        _stream: StreamId,
        input: &'a mut Input,
        shelf: &mut Shelf<ResponseHead>,
    ) -> Result<Option<Part<'a, Response>>, CodecError> {
        match self.phase {
            Phase::Fresh | Phase::Request | Phase::Done => Ok(None),
            Phase::Answer => {
                self.phase = Phase::Tunnel;
                let mut head = shelf.take();
                head.status = Status::OK;
                head.version = Version::Http11;
                head.reason.extend_from_slice(b"Connection Established");
                head.content = ContentSize::None;
                head.keep_alive = false;
                Ok(Some(Part::Head(head)))
            }
            Phase::Tunnel if !input.is_empty() => {
                let all = input.len();
                Ok(Some(Part::Data(input.take(all))))
            }
            Phase::Tunnel if self.is_eof => {
                self.phase = Phase::Done;
                Ok(Some(Part::End))
            }
            Phase::Tunnel => Ok(None),
        }
    }

    fn push(
        &mut self,
        _stream: StreamId,
        part: &Part<'_, Request>,
        out: &mut Outlet<'_>,
    ) -> Result<(), CodecError> {
        match (part, self.phase) {
            (Part::Head(_), Phase::Request) => self.phase = Phase::Answer,
            // The end of the request, which has no content.
            (Part::End, Phase::Answer) => {}
            (Part::Data(bytes), Phase::Tunnel | Phase::Done) if !self.is_told_all => {
                out.write(bytes);
            }
            (Part::End, Phase::Tunnel | Phase::Done) => self.is_told_all = true,
            (Part::Data([]) | Part::Note(_), _) => {}
            (
                Part::Head(_) | Part::Data(_) | Part::End | Part::Interim(_) | Part::Trailers(_),
                _,
            ) => {
                return Err(CodecError::unsendable("a message into a tunnel"));
            }
        }
        Ok(())
    }

    fn eof(&mut self) -> Result<(), CodecError> {
        self.is_eof = true;
        Ok(())
    }

    fn reset(&mut self, _stream: StreamId) {
        self.phase = Phase::Done;
        self.is_told_all = true;
    }

    fn reuse(&self) -> Reuse {
        Reuse::Close
    }
}

impl ClientCodec for Raw {
    fn open(&mut self) -> Option<StreamId> {
        (self.phase == Phase::Fresh).then(|| {
            self.phase = Phase::Request;
            StreamId(1)
        })
    }
}
