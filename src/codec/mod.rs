//! Protocols: bytes in, parts out, and back. Sans-IO, silent, clockless.
//!
//! Responsible for: everything that RFC 9112 (and each backend protocol's own text) says about bytes. Not
//! responsible for: sockets, time, logs, or what a message means. A codec never reads a file, never waits, never
//! prints; it returns parts and [`CodecError`]s, and the engine, which knows client and time, does the rest.
//!
//! # The contract
//!
//! - `pull` may lend bytes of `input`; an incomplete message is `Ok(None)`, never an error.
//! - After an `Err`, only `reset` and dropping the codec are legal; a server codec still takes the response that
//!   tells the client what was wrong.
//! - Feeding byte by byte gives the same parts as feeding everything at once (`Data` may be cut differently).
//! - Nothing is allocated in proportion to a length that the peer merely *declared*.
//! - `push` only reads the part: the caller keeps the head, for its log.
//! - A stream ends in a direction with `Part::End`; when both directions have ended the codec is ready for the
//!   next stream, or says by [`Codec::reuse`] that there must be none.

mod error;
pub mod limits;

pub mod http1;
pub mod raw;

#[cfg(test)]
mod play;

pub use error::{Blame, CodecError};
pub use limits::Limits;

use crate::buf::{Input, Outlet, Output};
use crate::http::head::Shelf;
use crate::http::{Message, Part, Request, Response};

/// Names an exchange on its connection. HTTP/1 counts them up from 1; multiplexed protocols use their own ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct StreamId(pub u32);

/// What may become of a connection when the present exchanges are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Another exchange may follow.
    Keep,
    /// The connection must be closed: a side asked for it, or the framing leaves no other way.
    Close,
}

/// One end of a protocol: decodes `In` messages, encodes `Out` messages.
pub trait Codec<In: Message, Out: Message>: Send {
    /// Looks at new input and names the streams on which a message begins (server side).
    ///
    /// # Errors
    /// The peer broke the protocol in a way that concerns the whole connection.
    fn absorb(&mut self, input: &mut Input, news: &mut Vec<StreamId>) -> Result<(), CodecError>;

    /// The next part of the incoming message on this stream; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The message is malformed, ambiguous, too large, or was cut short.
    fn pull<'a>(
        &'a mut self,
        stream: StreamId,
        input: &'a mut Input,
        shelf: &mut Shelf<In::Head>,
    ) -> Result<Option<Part<'a, In>>, CodecError>;

    /// Encodes one part of the outgoing message.
    ///
    /// # Errors
    /// The part can't be expressed: more or less content than announced, or a field that could split the message.
    fn push(
        &mut self,
        stream: StreamId,
        part: &Part<'_, Out>,
        out: &mut Outlet<'_>,
    ) -> Result<(), CodecError>;

    /// How many bytes of content the stream takes now. Flow control of the protocol, if it has any, counts too.
    fn room(&self, _stream: StreamId, output: &Output) -> usize {
        output.room()
    }

    /// The peer closed its side. The next `pull` gives `End` if that is how the message ends, or an error.
    ///
    /// # Errors
    /// The close cuts a message short.
    fn eof(&mut self) -> Result<(), CodecError>;

    /// Whether greetings are over and streams may be opened.
    fn is_ready(&self) -> bool {
        true
    }

    /// Gives the stream up, whatever state it is in. HTTP/1 connections can't be reused after that unless both
    /// directions had ended.
    fn reset(&mut self, stream: StreamId);

    /// What may become of the connection when the present exchange is over.
    fn reuse(&self) -> Reuse;
}

/// The side that faces clients.
pub trait ServerCodec: Codec<Request, Response> {
    /// The next response that begins says that the connection will close, and is the last one (a draining child, a
    /// keep-alive limit). Between requests one more request is still taken.
    fn close_after_response(&mut self);

    /// What a client that asks for a persistent connection by name is told of it, if its connection persists.
    fn offer(&mut self, _offer: Offer) {}
}

/// How long a connection stays, as `Keep-Alive` tells old clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// How many seconds it may be idle.
    pub timeout_s: u64,
    /// How many more requests are taken, this one included; `None` is any number.
    pub left: Option<u32>,
}

/// What becomes of a response in whose head stands a line that is no field line (ProxyBadHeader).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadLine {
    /// It is refused.
    #[default]
    Refuse,
    /// The line is passed over.
    Skip,
    /// The head ends with the line.
    EndHead,
}

/// The side that faces backends.
pub trait ClientCodec: Codec<Response, Request> {
    /// Opens a stream for a request, or `None` when none is free now.
    fn open(&mut self) -> Option<StreamId>;

    /// Says how the response on the stream just opened is judged.
    fn judge(&mut self, _lines: BadLine) {}
}
