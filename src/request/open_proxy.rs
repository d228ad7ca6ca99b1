//! The warning about a forward proxy that serves everybody.
//!
//! Know first: a rule is judged by what it does, not by its being there: `Require all granted` in `<Proxy "*">` is no limit. So a stranger
//! is made up, who asks for places that no section names.

use super::dir::{Dir, Matching, Section};
use super::{Handler, Peers, SiteHeaders, access};
use crate::config::Diagnostic;
use crate::config::model::Server;
use crate::http::Method;
use crate::log::Environment;
use std::net::{Ipv4Addr, SocketAddr};

/// The warning, if the server is a forward proxy that lets strangers in. `proxies` are its `<Proxy>` sections.
pub(super) fn warning(
    server: &Server,
    proxies: &[Section],
    handlers: &[&'static dyn Handler],
) -> Option<Diagnostic> {
    let requests = &server.proxy.requests;
    if !requests.or(false) {
        return None;
    }
    let peers = Peers {
        client: SocketAddr::from((STRANGER, 0)),
        local: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    };
    let lets_in = |url: &[u8], method: &Method| {
        let matching: Vec<u16> = (0..)
            .zip(proxies)
            .filter(|(_, section)| section.is_match(url, url))
            .map(|(at, _)| at)
            .collect();
        let matching = Matching {
            proxies: &matching,
            ..Matching::default()
        };
        let dir = Dir::compile(server, &SiteHeaders::default(), &matching, handlers);
        access::check(&dir.config.access, &peers, method, &Environment::new()).is_ok()
    };
    if !lets_in(b"http://host.example/", &Method::Get)
        && !lets_in(b"host.example:443", &Method::Connect)
    {
        return None;
    }
    let message = "this is an open proxy: whoever reaches it can reach everything that this machine can, in its name";
    let note = Diagnostic::warning(message).hint(
        "say who may use it in a section `<Proxy \"*\">`, for instance `Require ip 192.0.2.0/24` with the network of your clients",
    );
    Some(match requests.place() {
        Some(place) => note.at(place),
        None => note,
    })
}

/// An address that nobody has (RFC 5737).
const STRANGER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);
