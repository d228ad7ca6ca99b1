//! Backend schemes: what is different about `http:`, `ajp:` and their kin when a request is forwarded.
//!
//! Responsible for: which codec speaks a scheme, what must be added to a request for it, and whether its connections are kept. Not
//! responsible for bytes (`codec`) or for choosing a backend.
//!
//! Know first: a scheme that nobody here speaks is no configuration error. Its balancers and workers load, and a request for them gets
//! 500, as in httpd without the scheme's module.

mod http;
mod ws;

pub use http::Http;
pub use ws::Ws;

use crate::codec::{ClientCodec, Limits};
use crate::http::RequestHead;
use crate::request::Ask;
use std::fmt;

/// A way to talk to backends: mod_proxy's scheme handler, without the IO.
pub trait Scheme: fmt::Debug + Sync {
    /// The schemes of the URLs that it takes, in lower case.
    fn names(&self) -> &'static [&'static str];

    /// The name that mod_proxy's traces give its handler: `HTTP`.
    fn function(&self) -> &'static str;

    /// Makes the codec of a new connection.
    fn codec(&self) -> fn(Limits) -> Box<dyn ClientCodec>;

    /// What becomes of connections that may be used again.
    fn keeps(&self) -> Keep {
        Keep::Pool
    }

    /// The protocol that requests may be switched to when `upgrade=` does not say.
    fn upgrade(&self) -> Option<&'static str> {
        None
    }

    /// Adds what the protocol needs beside HTTP's own fields.
    fn prepare(&self, _ask: &Ask<'_>, _head: &mut RequestHead) {}
}

/// What becomes of a scheme's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// They are kept unless the worker's parameters say otherwise.
    Pool,
    /// They are kept only when `enablereuse=on` says so.
    OnRequest,
    /// One exchange each.
    Never,
}

/// The schemes of this build, by name.
pub static SCHEMES: &[&dyn Scheme] = &[&Http, &Ws];

/// The scheme that takes URLs with this one.
#[must_use]
pub fn find(schemes: &[&'static dyn Scheme], name: &str) -> Option<&'static dyn Scheme> {
    schemes
        .iter()
        .find(|scheme| scheme.names().contains(&name))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_found_by_name_and_sorted() {
        assert_eq!(find(SCHEMES, "http").unwrap().function(), "HTTP");
        assert!(find(SCHEMES, "gopher").is_none());
        assert!(SCHEMES.is_sorted_by_key(|scheme| scheme.names()));
    }
}
