//! A connection from a client, as the engine keeps it.
//!
//! While nothing happens it is this struct and a socket: no buffers, no slot, no timer activity.

use crate::buf::{Input, Output};
use crate::codec::{ServerCodec, StreamId};
use crate::request::{Peers, Site};
use crate::transport::Transport;

use super::slab::Key;

/// One client connection.
pub struct Client {
    /// Its byte stream.
    pub transport: Transport,
    /// What it sent and we have not decoded.
    pub input: Input,
    /// What we encoded and it has not taken.
    pub output: Output,
    /// Its protocol.
    pub codec: Box<dyn ServerCodec>,
    /// Who talks to whom.
    pub peers: Peers,
    /// The server whose rules hold until a request names one: the default server of our address, as in httpd.
    pub site: &'static Site,
    /// What it is doing.
    pub stage: Stage,
    /// The exchange in progress.
    pub exchange: Option<Key>,
    /// A request that has begun to arrive and waits for a slot.
    pub announced: Option<StreamId>,
    /// Exchanges that were begun on this connection, this one included.
    pub served: u32,
    /// When the stage began, in milliseconds of the loop's clock.
    pub since_ms: u64,
    /// When bytes last moved.
    pub moved_ms: u64,
    /// Bytes received since the stage began, for minimum rates.
    pub received: u64,
    /// The peer has closed its sending side, and the codec knows.
    pub is_at_eof: bool,
    /// The client may still be sending when we close: a reset could destroy what we said last.
    pub must_linger: bool,
}

/// What a client connection is doing.
///
/// ```text
/// Fresh ──┐
///         ├→ Busy → Idle → Busy → …
/// Idle  ──┘    └→ Closing → Lingering → (gone)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Connected; its first request has not begun.
    Fresh,
    /// Between exchanges.
    Idle,
    /// In an exchange.
    Busy,
    /// The last response is being written.
    Closing,
    /// We have closed our side and wait for the client's, so that a reset cannot destroy what we sent
    /// (RFC 9112 §9.6).
    Lingering,
}

/// How long a lingering close may last in all (httpd's 30 s would hold a cell for nothing).
pub const LINGER_MS: u64 = 2_000;

impl Client {
    /// Begins a stage.
    pub fn enter(&mut self, stage: Stage, now_ms: u64) {
        self.stage = stage;
        self.since_ms = now_ms;
        self.moved_ms = now_ms;
        self.received = 0;
    }

    /// Whether bytes wait that may be the beginning of a request.
    pub fn has_input(&self) -> bool {
        !self.input.is_empty()
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("peers", &self.peers)
            .field("stage", &self.stage)
            .field("exchange", &self.exchange)
            .field("input", &self.input.len())
            .field("output", &self.output.len())
            .finish_non_exhaustive()
    }
}
