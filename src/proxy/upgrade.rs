//! Upgrades: which protocols a request may be switched to at a worker or member, and who decides about `ws:` targets.
//!
//! Responsible for: `upgrade=`, what of a client's `Upgrade` is sent on, what of a backend's comes back, and the two ways in which httpd
//! serves `ws:`. Not responsible for the switch itself: codecs and engine make a tunnel only of a 101 that fits what was sent.
//!
//! Know first: `Upgrade` is for one hop, so what is not allowed here ends here, and the request goes on without it. DIVERGE, where
//! mod_proxy_http looks at the field alone: a field that `Connection` does not name is left over from another hop, and one in HTTP/1.0
//! means nothing (RFC 9110 §7.8); a tunnel made of it would lead through a peer that does not know of it.
//!
//! mod_proxy's `ap_proxy_worker_can_upgrade`, mod_proxy_http, mod_proxy_wstunnel; reference §3.5 and §6.8.

use crate::config::model::{DirConfig, Modules};
use crate::http::{FieldId, Fields, RequestHead, Version, hop};

/// Which protocols a worker or member may be asked to switch to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Upgrades {
    /// None: `Upgrade` is removed.
    None,
    /// Whatever the client names.
    Any,
    /// One of these, in any case.
    These(Vec<String>),
}

impl Upgrades {
    /// From `upgrade=`, or what the scheme has by default.
    pub(super) fn new(param: Option<&str>, by_scheme: Option<&str>) -> Self {
        let Some(text) = param.or(by_scheme) else {
            return Self::None;
        };
        let names: Vec<String> = text
            .split([',', ';', ' ', '\t'])
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        match names.as_slice() {
            [] => Self::None,
            [one] if one == "*" || one.eq_ignore_ascii_case("any") => Self::Any,
            [one] if one.eq_ignore_ascii_case("none") => Self::None,
            _ => Self::These(names),
        }
    }

    fn allow(&self, protocol: &[u8]) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::These(names) => names
                .iter()
                .any(|name| name.as_bytes().eq_ignore_ascii_case(protocol)),
        }
    }

    /// The protocol that a request is sent on with: the only one that its client names, if it is allowed.
    pub(super) fn wanted<'a>(&self, head: &'a RequestHead) -> Option<&'a [u8]> {
        if *self == Self::None
            || !head.fields.has(FieldId::Upgrade)
            || head.version != Version::Http11
            || !hop::has_option(&head.fields, b"upgrade")
        {
            return None;
        }
        let mut protocols = head.fields.list(FieldId::Upgrade);
        let wanted = protocols.next()?;
        (protocols.next().is_none() && self.allow(wanted)).then_some(wanted)
    }

    /// What the client learns of the protocols that a backend offers or switches to: all of them are allowed, or it learns nothing.
    pub(super) fn offered(&self, fields: &Fields) -> Option<Vec<u8>> {
        if *self == Self::None || !fields.has(FieldId::Upgrade) {
            return None;
        }
        let offered: Vec<&[u8]> = fields.list(FieldId::Upgrade).collect();
        let is_fine = !offered.is_empty() && offered.iter().all(|protocol| self.allow(protocol));
        is_fine.then(|| offered.join(&b", "[..]))
    }

    /// What a request without an upgrade is told to ask for.
    pub(super) fn required(&self) -> Vec<u8> {
        match self {
            Self::These(names) => names.join(", ").into_bytes(),
            Self::None | Self::Any => WEBSOCKET.as_bytes().to_vec(),
        }
    }
}

/// What `ws:` is for unless `upgrade=` says otherwise.
pub(super) const WEBSOCKET: &str = "WebSocket";

/// Who serves `ws:` targets: mod_proxy_http, which sends requests without an upgrade on as they are, or mod_proxy_wstunnel, which takes
/// none of those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wstunnel {
    is_loaded: bool,
    has_fallback: bool,
}

impl Wstunnel {
    /// By the modules that are loaded.
    pub(super) fn new(modules: &Modules) -> Self {
        Self {
            is_loaded: modules.has("proxy_wstunnel_module"),
            has_fallback: modules.has("proxy_http_module"),
        }
    }

    /// Whether it serves the targets of these sections by itself.
    pub(super) fn serves(self, dir: &DirConfig) -> bool {
        self.is_loaded && !(self.has_fallback && dir.websocket_fallback.or(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, parameter, fields of the request, what is sent on.
    type Row<'a> = (
        &'a str,
        Option<&'a str>,
        &'a [(&'a str, &'a str)],
        Option<&'a str>,
    );

    fn head(fields: &[(&str, &str)]) -> RequestHead {
        let mut head = RequestHead::default();
        for (name, value) in fields {
            head.fields.push(name.as_bytes(), value.as_bytes());
        }
        head
    }

    #[test]
    fn one_allowed_protocol_is_sent_on_and_anything_else_is_not() {
        const C: (&str, &str) = ("Connection", "keep-alive, Upgrade");
        let rows: [Row<'_>; 17] = [
            (
                "nothing_is_allowed",
                None,
                &[C, ("Upgrade", "websocket")],
                None,
            ),
            (
                "equal_in_any_case",
                Some("WebSocket"),
                &[C, ("Upgrade", "websocket")],
                Some("websocket"),
            ),
            (
                "another_protocol",
                Some("websocket"),
                &[C, ("Upgrade", "h2c")],
                None,
            ),
            (
                "a_list",
                Some("foo, h2c"),
                &[C, ("Upgrade", "H2C")],
                Some("H2C"),
            ),
            (
                "a_list_without_spaces",
                Some("foo,h2c"),
                &[C, ("Upgrade", "foo")],
                Some("foo"),
            ),
            (
                "a_part_of_a_token",
                Some("websocket"),
                &[C, ("Upgrade", "web")],
                None,
            ),
            (
                "a_version_is_part_of_it",
                Some("foo"),
                &[C, ("Upgrade", "foo/2")],
                None,
            ),
            ("any", Some("*"), &[C, ("Upgrade", "foo/2")], Some("foo/2")),
            (
                "any_in_letters",
                Some("Any"),
                &[C, ("Upgrade", "foo")],
                Some("foo"),
            ),
            ("none", Some("NONE"), &[C, ("Upgrade", "none")], None),
            (
                "several",
                Some("websocket"),
                &[C, ("Upgrade", "websocket, h2c")],
                None,
            ),
            (
                "several_where_any_would_do",
                Some("*"),
                &[C, ("Upgrade", "websocket, h2c")],
                None,
            ),
            (
                "several_lines",
                Some("*"),
                &[C, ("Upgrade", "a"), ("Upgrade", "b")],
                None,
            ),
            ("an_empty_field", Some("*"), &[C, ("Upgrade", "")], None),
            (
                "not_named_in_connection",
                Some("*"),
                &[("Upgrade", "websocket")],
                None,
            ),
            ("named_without_a_field", Some("*"), &[C], None),
            (
                "padded",
                Some("*"),
                &[C, ("Upgrade", " websocket ,")],
                Some("websocket"),
            ),
        ];
        for (name, param, fields, expected) in rows {
            let head = head(fields);
            let wanted = Upgrades::new(param, None).wanted(&head).map(<[u8]>::to_vec);
            assert_eq!(wanted.as_deref(), expected.map(str::as_bytes), "{name}");
        }
        let mut old = head(&[C, ("Upgrade", "websocket")]);
        old.version = Version::Http10;
        assert_eq!(Upgrades::Any.wanted(&old), None, "HTTP/1.0");
    }

    #[test]
    fn a_scheme_has_a_default_and_the_parameter_replaces_it() {
        let ws = Some(WEBSOCKET);
        assert_eq!(
            Upgrades::new(None, ws),
            Upgrades::These(vec![WEBSOCKET.to_owned()])
        );
        assert_eq!(
            Upgrades::new(Some("foo"), ws),
            Upgrades::These(vec!["foo".to_owned()])
        );
        assert_eq!(Upgrades::new(Some("NONE"), ws), Upgrades::None);
        assert_eq!(Upgrades::new(None, ws).required(), b"WebSocket");
        assert_eq!(Upgrades::new(Some("a b"), ws).required(), b"a, b");
    }

    #[test]
    fn an_offer_comes_back_when_all_of_it_is_allowed() {
        let rows = [
            ("WebSocket", &["websocket"][..], Some("websocket")),
            ("WebSocket", &["websocket, h2c"], None),
            ("*", &["TLS/1.0", "HTTP/1.1"], Some("TLS/1.0, HTTP/1.1")),
            ("*", &[], None),
            ("NONE", &["websocket"], None),
        ];
        for (param, lines, expected) in rows {
            let mut fields = Fields::new();
            for line in lines {
                fields.push(b"Upgrade", line.as_bytes());
            }
            let offered = Upgrades::new(Some(param), None).offered(&fields);
            assert_eq!(
                offered.as_deref(),
                expected.map(str::as_bytes),
                "{param} {lines:?}"
            );
        }
    }
}
