//! `http:`, the scheme that needs nothing added.

use super::Scheme;
use crate::codec::http1::Client;
use crate::codec::{ClientCodec, Limits};

/// HTTP/1.1 over TCP or a unix socket.
#[derive(Clone, Copy, Debug)]
pub struct Http;

impl Scheme for Http {
    fn names(&self) -> &'static [&'static str] {
        &["http"]
    }

    fn function(&self) -> &'static str {
        "HTTP"
    }

    fn codec(&self) -> fn(Limits) -> Box<dyn ClientCodec> {
        |limits| Box::new(Client::new(limits))
    }
}
