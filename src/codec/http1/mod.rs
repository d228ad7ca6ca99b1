//! HTTP/1.1 and HTTP/1.0 (RFC 9112), both sides.
//!
//! Responsible for: where a head ends, what its lines say, where content ends, and writing the same. Not
//! responsible for: what may be forwarded (`http::hop`, `proxy`), when to time out, or when to give a connection
//! up: [`Codec::reuse`](super::Codec::reuse) only says whether that may be avoided.
//!
//! Know first:
//! - A head is decoded by `httparse` when it has arrived whole and is unremarkable, which is nearly always. When
//!   that parser refuses it, our own slow parser (`lines`) decides with httpd's rules and names the reason.
//!   The two agree on everything that both accept; the fast one is never the only judge of what is refused.
//! - An incomplete head is scanned once (`scan`), so a head that comes byte by byte costs no more than its
//!   length, and a line beyond its limit is refused before it has arrived.
//! - Both codecs are small and own no buffers: an idle connection holds the struct and nothing else.
//! - After a request was refused, the server codec still takes the response that says so, and then closes.
//!
//! Reading order: `server`, `client`, `request`, `response`, `content`, `write`, `lines`, `scan`.

mod client;
mod content;
mod lines;
mod request;
mod response;
mod scan;
mod server;
mod write;

#[cfg(test)]
mod tests;

pub use client::Client;
pub use server::Server;

use super::CodecError;
use crate::http::framing::BadFraming;

/// Field lines that the fast path has slots for; a head with more goes the slow way.
const SLOTS: usize = 128;

impl From<BadFraming> for CodecError {
    fn from(bad: BadFraming) -> Self {
        Self::with_status(bad.status, bad.reason)
    }
}
