//! What a handler is shown of a request.

use std::net::SocketAddr;

use super::{Env, Me, Route};
use crate::http::RequestHead;

/// A request in the eyes of a handler. Everything is borrowed from the exchange.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The generation's configuration, compiled.
    pub env: &'static Env,
    /// The process that serves it.
    pub me: &'a Me,
    /// The request head as received.
    pub head: &'a RequestHead,
    /// Where it belongs.
    pub route: &'a Route,
    /// Who talks to whom.
    pub peers: &'a Peers,
    /// The whole content, after a handler asked to gather it.
    pub content: Option<&'a [u8]>,
    /// The scoreboard slot of the exchange within the process.
    pub slot: u32,
    /// Requests on this client connection before this one.
    pub keepalives: u32,
    /// Unix time of this turn in microseconds.
    pub now_us: u64,
}

/// The two ends of a client connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peers {
    /// The client's address.
    pub client: SocketAddr,
    /// Our address that it connected to.
    pub local: SocketAddr,
}
