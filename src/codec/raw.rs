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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buf::{Blocks, Output};
    use crate::http::RequestHead;

    /// What is pulled, in words.
    fn pulled(raw: &mut Raw, input: &mut Input) -> Option<String> {
        let mut shelf = Shelf::default();
        let part = raw.pull(StreamId(1), input, &mut shelf).unwrap()?;
        Some(match part {
            Part::Head(head) => {
                let reason = String::from_utf8_lossy(&head.reason).into_owned();
                format!("{} {reason}", head.status.as_u16())
            }
            Part::Data(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Part::End => "end".to_owned(),
            Part::Interim(_) | Part::Trailers(_) | Part::Note(_) => "other".to_owned(),
        })
    }

    #[test]
    fn it_answers_itself_and_then_carries_bytes_until_both_sides_end() {
        let (mut blocks, mut output) = (Blocks::new(), Output::new());
        let mut raw = Raw::default();
        let mut input = Input::new();
        assert_eq!(raw.open(), Some(StreamId(1)));
        assert_eq!(raw.open(), None, "one tunnel each");
        let mut push = |raw: &mut Raw, part: &Part<'_, Request>| {
            let mut outlet = Outlet {
                output: &mut output,
                blocks: &mut blocks,
            };
            let pushed = raw.push(StreamId(1), part, &mut outlet);
            pushed.map(|()| output.len())
        };
        assert!(
            push(&mut raw, &Part::Data(b"x")).is_err(),
            "nothing before the head"
        );
        let head = Box::new(RequestHead::default());
        assert_eq!(
            push(&mut raw, &Part::Head(head)),
            Ok(0),
            "nothing is written for it"
        );
        assert_eq!(push(&mut raw, &Part::End), Ok(0), "nor for its end");
        assert_eq!(
            pulled(&mut raw, &mut input).as_deref(),
            Some("200 Connection Established")
        );
        assert_eq!(pulled(&mut raw, &mut input), None);
        assert_eq!(push(&mut raw, &Part::Data(b"to")), Ok(2));
        let mut more = Blocks::new();
        input.extend(b"from", &mut more);
        assert_eq!(pulled(&mut raw, &mut input).as_deref(), Some("from"));
        input.extend(b"last", &mut more);
        raw.eof().unwrap();
        assert_eq!(pulled(&mut raw, &mut input).as_deref(), Some("last"));
        assert_eq!(pulled(&mut raw, &mut input).as_deref(), Some("end"));
        assert_eq!(
            push(&mut raw, &Part::Data(b"more")),
            Ok(6),
            "the other way lives on"
        );
        assert_eq!(push(&mut raw, &Part::End), Ok(6));
        assert!(
            push(&mut raw, &Part::Data(b"x")).is_err(),
            "nothing after the end"
        );
        assert_eq!(raw.reuse(), Reuse::Close);
    }
}
