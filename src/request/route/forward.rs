//! Which requests are for somebody else, when a server is a forward proxy.
//!
//! mod_proxy's `proxy_detect`; RFC 9112 §3.2.2 and §3.2.3.

use super::{Answer, Ask, Form, Route, Site, Status, ask_at, refused, uri};

/// Whether a proxy's client means another server: CONNECT, or an absolute target that is not one of ours.
pub(super) fn is_for_somebody_else(ask: &Ask<'_>, site: &Site, route: &Route) -> bool {
    let target = &ask.head.target;
    match target.form() {
        Form::Authority => route.host_port.is_some(),
        Form::Absolute => {
            let port = route.host_port.unwrap_or(80);
            let is_ours = target.scheme().eq_ignore_ascii_case(b"http")
                && site.is_at(&route.host, port, ask.peers.local.port());
            !is_ours
        }
        Form::Origin | Form::Asterisk => false,
    }
}

/// The path of somebody else's URL is passed on as it came, but what no server could make sense of is refused, as in
/// httpd.
pub(super) fn check_path(ask: &Ask<'_>, route: &Route) -> Result<(), Box<Answer>> {
    if ask.head.target.form() != Form::Absolute {
        return Ok(());
    }
    let raw = ask.head.target.path();
    let checked = uri::normalize(raw, uri::EncodedSlashes::Keep, false, &mut Vec::new());
    match checked {
        // An encoded NUL is the other server's affair.
        Err(error) if error.status != Status::NOT_FOUND => Err(refused(&ask_at(ask, route), error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
