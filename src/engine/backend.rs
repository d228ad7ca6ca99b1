//! A connection to a backend, as the engine keeps it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::buf::{Input, Output};
use crate::codec::ClientCodec;
use crate::request::Backend;
use crate::transport::Transport;

use super::slab::Key;

/// One backend connection.
pub struct Upstream {
    /// Whom it leads to.
    pub backend: &'static Backend,
    /// Its byte stream.
    pub transport: Transport,
    /// What it sent and we have not decoded.
    pub input: Input,
    /// What we encoded and it has not taken.
    pub output: Output,
    /// Its protocol.
    pub codec: Box<dyn ClientCodec>,
    /// How far it is.
    pub stage: UpstreamStage,
    /// The exchange that uses it.
    pub exchange: Option<Key>,
    /// Exchanges that it has served before.
    pub served: u32,
    /// When it became idle, or began to connect, in milliseconds of the loop's clock.
    pub since_ms: u64,
    /// When it last took bytes of a request.
    pub moved_ms: u64,
    /// The address that it leads to, unless it is a unix socket.
    pub address: Option<SocketAddr>,
    /// Addresses to try when this one fails.
    pub others: VecDeque<SocketAddr>,
    /// The peer has closed its sending side, and the codec knows.
    pub is_at_eof: bool,
    /// It is one of the connections that the pool allows.
    pub is_counted: bool,
}

/// How far a backend connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamStage {
    /// The three-way handshake is under way.
    Connecting,
    /// In an exchange.
    Busy,
    /// In the pool.
    Idle,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream")
            .field("backend", &self.backend.label)
            .field("stage", &self.stage)
            .field("exchange", &self.exchange)
            .field("input", &self.input.len())
            .field("output", &self.output.len())
            .finish_non_exhaustive()
    }
}
