//! `ws:`, HTTP/1.1 whose requests may switch to WebSocket.
//!
//! Which requests may, and what happens to those that do not, is in `proxy::upgrade`. RFC 6455; mod_proxy_http and mod_proxy_wstunnel.

use super::Scheme;
use crate::codec::http1::Client;
use crate::codec::{ClientCodec, Limits};
use crate::proxy::upgrade::WEBSOCKET;

/// WebSocket by way of HTTP/1.1 over TCP or a unix socket.
#[derive(Clone, Copy, Debug)]
pub struct Ws;

impl Scheme for Ws {
    fn names(&self) -> &'static [&'static str] {
        &["ws"]
    }

    fn function(&self) -> &'static str {
        "WS"
    }

    fn codec(&self) -> fn(Limits) -> Box<dyn ClientCodec> {
        |limits| Box::new(Client::new(limits))
    }

    fn upgrade(&self) -> Option<&'static str> {
        Some(WEBSOCKET)
    }
}
