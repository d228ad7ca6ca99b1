//! The request that we send to a backend.
//!
//! Responsible for: method, target, fields and persistence of the outgoing head, by the client's head and the configuration. Not
//! responsible for framing, which codecs write from `content`, nor for choosing the backend.
//!
//! Know first: this runs for every forwarded request. The client's fields are copied in one piece and then edited where they must
//! differ; everything of ours that does not depend on the request was written down when the configuration was compiled.
//!
//! RFC 9110 §7.6; mod_proxy's `ap_proxy_create_hdrbrgd` and mod_proxy_http, reference §6.1 to §6.3.

#[cfg(test)]
mod tests;

use super::canonical::encode_path;
use super::map::PathForm;
use super::wishes::Wishes;
use crate::config::model::{DirConfig, ProxyServer, Via};
use crate::http::{ContentSize, FieldId, RequestHead, Version, hop};
use crate::request::{Headers, max_forwards};
use std::fmt::{self, Write as _};
use std::net::SocketAddr;

/// Everything that an outgoing head depends on.
#[derive(Debug)]
pub(crate) struct Sender<'a> {
    /// The request as it came.
    pub(crate) client: &'a RequestHead,
    /// The client's address.
    pub(crate) from: SocketAddr,
    /// Our name and port as `Via` has them: ServerName, and the port by UseCanonicalName.
    pub(crate) ours: (&'a str, u16),
    /// What mod_proxy was told for that server.
    pub(crate) proxy: &'a ProxyServer,
    /// What the sections say.
    pub(crate) dir: &'a DirConfig,
    /// How they edit fields.
    pub(crate) headers: Option<&'a Headers>,
    /// Our product and version, for `Via`.
    pub(crate) product: &'a str,
    /// The backend as `Host` has it.
    pub(crate) host: &'a [u8],
    /// Whether the connection may serve another exchange.
    pub(crate) may_reuse: bool,
    /// The request is for somebody else: nothing is said of who asked us.
    pub(crate) is_forward: bool,
    /// What the request's variables ask for.
    pub(crate) wishes: Wishes,
    /// Whether the member is asked if it is there before it gets content (`ping=`).
    pub(crate) probes: bool,
    /// The protocol that the request may be switched to.
    pub(crate) upgrade: Option<&'a [u8]>,
}

/// Why a request is not forwarded, each with its own answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 400: Max-Forwards is no number.
    BadMaxForwards,
    /// 400: the request has passed enough proxies.
    MaxForwardsReached,
    /// 403: the path or the query could split the request.
    BadTarget,
}

impl Sender<'_> {
    /// Fills the outgoing head, all but its target. The head is recycled: buffers are kept.
    pub(crate) fn prepare(&self, head: &mut RequestHead) -> Result<(), Refusal> {
        let max_forwards = self.max_forwards()?;
        head.method.clone_from(&self.client.method);
        head.version = if self.wishes.is_http10 {
            Version::Http10
        } else {
            Version::Http11
        };
        head.fields.clone_from(&self.client.fields);
        head.content = self.client.content;
        hop::strip_request(&mut head.fields, |name| {
            self.headers.is_some_and(|headers| headers.writes(name))
        });
        if let Some(left) = max_forwards {
            head.fields
                .set(FieldId::MaxForwards, Short::of(left).as_bytes());
        }
        self.set_expectation(head);
        if let Some(protocol) = self.upgrade {
            head.fields.push_id(FieldId::Upgrade, protocol);
        }
        self.set_host(head);
        self.set_via(head);
        if !self.is_forward && self.dir.add_headers.or(true) {
            self.add_forwarded(head);
        }
        // Whoever sends both lengths may mean to confuse one of us; the connection is not used again.
        head.keep_alive = self.may_reuse && !self.client.is_dubious && !self.wishes.is_alone;
        Ok(())
    }

    /// Whether the backend is asked before it gets content: because the client asks, or because a member is probed that
    /// way. It is not asked in HTTP/1.0, which has no 100 (RFC 9110 §10.1.1).
    fn set_expectation(&self, head: &mut RequestHead) {
        let is_forwarded = self.client.expects_continue && self.dir.forward_100_continue.or(true);
        let is_probe = self.probes && has_content(self.client);
        head.expects_continue = !self.wishes.is_http10 && (is_forwarded || is_probe);
        if !head.expects_continue {
            head.fields.remove(FieldId::Expect);
        } else if !head.fields.has(FieldId::Expect) {
            // Asked for here, or taken away by RequestHeader, which decides about fields and not about who waits for whom; httpd puts it
            // back too.
            head.fields.push_id(FieldId::Expect, b"100-Continue");
        }
    }

    /// What Max-Forwards becomes; `None` leaves it out (RFC 9110 §7.6.2).
    fn max_forwards(&self) -> Result<Option<u64>, Refusal> {
        match max_forwards(self.client) {
            Ok(None) => Ok(u64::try_from(self.proxy.max_forwards.or(-1)).ok()),
            Ok(Some(hops)) => hops
                .checked_sub(1)
                .map(Some)
                .ok_or(Refusal::MaxForwardsReached),
            Err(_) => Err(Refusal::BadMaxForwards),
        }
    }

    fn set_host(&self, head: &mut RequestHead) {
        if self.is_forward || !self.dir.preserve_host.or(false) {
            head.fields.set(FieldId::Host, self.host);
            return;
        }
        match client_authority(self.client) {
            Some(host) if self.client.fields.get(FieldId::Host) == Some(host) => {}
            Some(host) => head.fields.set(FieldId::Host, host),
            // An HTTP/1.0 request without one.
            None => head.fields.set(FieldId::Host, self.ours.0.as_bytes()),
        }
    }

    fn set_via(&self, head: &mut RequestHead) {
        match self.proxy.via.or(Via::Off) {
            Via::Off => {}
            Via::Block => {
                head.fields.remove(FieldId::Via);
            }
            via @ (Via::On | Via::Full) => {
                let value = via_member(via, self.client.version, self.ours, self.product);
                head.fields.append_member(FieldId::Via, value.as_bytes());
            }
        }
    }

    /// The three fields that tell a backend whom it serves. Never `X-Forwarded-Proto`: httpd does not either.
    fn add_forwarded(&self, head: &mut RequestHead) {
        // An IPv4 client of an IPv6 socket is shown as what it is.
        let address = Short::of(self.from.ip().to_canonical());
        head.fields
            .append_member(FieldId::XForwardedFor, address.as_bytes());
        if let Some(host) = client_authority(self.client) {
            head.fields.append_member(FieldId::XForwardedHost, host);
        }
        head.fields
            .append_member(FieldId::XForwardedServer, self.ours.0.as_bytes());
    }
}

/// Our member of `Via`: the version that the client spoke, our name, the port unless it is the usual one, and with `Full` our product.
pub(crate) fn via_member(
    via: Via,
    version: Version,
    ours: (&str, u16),
    product: &str,
) -> Short<512> {
    let (name, port) = ours;
    let (open, close) = if name.contains(':') {
        ("[", "]")
    } else {
        ("", "")
    };
    let mut member = Short::default();
    member.add(format_args!("{} {open}{name}{close}", version.number()));
    if port != 80 {
        member.add(format_args!(":{port}"));
    }
    if via == Via::Full {
        member.add(format_args!(" ({product})"));
    }
    member
}

/// Whether content follows a head, as far as the head says.
fn has_content(head: &RequestHead) -> bool {
    !matches!(head.content, ContentSize::None | ContentSize::Length(0))
}

/// The authority that the client asked. That of an absolute-form target has replaced `Host` when the request was located, and RequestHeader
/// may have replaced either.
pub(crate) fn client_authority(head: &RequestHead) -> Option<&[u8]> {
    head.fields.get(FieldId::Host)
}

/// Writes the target: `path` in the form that the rule left it in, behind `base`, the path of a member's own URL.
pub(crate) fn write_target(
    head: &mut RequestHead,
    base: &[u8],
    path: &[u8],
    form: PathForm,
    query: Option<&[u8]>,
    keeps_encoded_slashes: bool,
) -> Result<(), Refusal> {
    // A front alone has the path `/`, also behind a member's own path.
    let path = if path.is_empty() { b"/" } else { path };
    let composed = head.target.compose(|raw| {
        match form {
            PathForm::Decoded => {
                encode_path(base, keeps_encoded_slashes, raw);
                encode_path(path, keeps_encoded_slashes, raw);
            }
            PathForm::Encoded | PathForm::Verbatim => {
                raw.extend_from_slice(base);
                raw.extend_from_slice(path);
            }
        }
        if let (Some(query), PathForm::Decoded | PathForm::Encoded) = (query, form) {
            raw.push(b'?');
            raw.extend_from_slice(query);
        }
    });
    composed.map_err(|_| Refusal::BadTarget)
}

/// A short text on the stack. What does not fit is left out, a whole piece at a time.
pub(crate) struct Short<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl Short<48> {
    /// The text of an address or a number; the longest IPv6 address has 39 bytes.
    fn of(value: impl fmt::Display) -> Self {
        let mut short = Self::default();
        short.add(format_args!("{value}"));
        short
    }
}

impl<const N: usize> Short<N> {
    fn add(&mut self, text: fmt::Arguments<'_>) {
        // An error says that there is no more room, and the rest is left out.
        self.write_fmt(text).ok();
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }
}

impl<const N: usize> fmt::Write for Short<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes
            .get_mut(self.len..end)
            .ok_or(fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
