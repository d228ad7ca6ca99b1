//! Requests that are for somebody else: what their targets mean.
//!
//! Responsible for: the host, port and URL of an absolute-form or CONNECT target, and what one server allows of forward proxying. Not
//! responsible for telling them from requests for ourselves (`request::route`), nor for plans (`handler::forward`).
//!
//! Know first: a client may spell a URL in many ways. Access rules, ProxyRemote and workers see one spelling: scheme and host in lower
//! case, no default port, no dot segments, no escapes of unreserved characters. What is sent on is the path as it came. DIVERGE: httpd
//! compares `<Proxy>` sections with the URL as it came, so that `HTTP://HOST:80/` is not what `<Proxy http://host/>` guards.
//!
//! RFC 9110 §9.3.6, RFC 9112 §3.2.2 and §3.2.3; mod_proxy's `proxy_detect` and mod_proxy_connect.

use crate::config::model::{CONNECT_PORTS, PortRange, default_port};
use crate::http::host::Authority;
use crate::http::{Form, Target, uri};
use crate::request::Backend;
use std::fmt::Write as _;

/// What one server allows of forward proxying.
#[derive(Debug)]
pub(crate) struct Forward {
    /// Takes requests for `http` URLs, and all requests for another proxy; `None` without mod_proxy_http.
    pub(crate) http: Option<&'static Backend>,
    /// Takes CONNECT; `None` without mod_proxy_connect.
    pub(crate) connect: Option<&'static Backend>,
    /// AllowCONNECT.
    pub(crate) ports: Vec<PortRange>,
}

impl Forward {
    /// Whether CONNECT may reach a port.
    pub(crate) fn allows(&self, port: u16) -> bool {
        let ports = if self.ports.is_empty() {
            &CONNECT_PORTS[..]
        } else {
            &self.ports
        };
        ports
            .iter()
            .any(|range| (range.from..=range.to).contains(&port))
    }
}

/// Where a target leads.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The scheme in lower case; empty for CONNECT.
    pub(crate) scheme: String,
    /// The host in lower case, without brackets; a final dot is kept, for it means something to resolvers.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) is_connect: bool,
    /// `host[:port]` as Host and URLs have it: no final dot, no default port. With its port in any case for CONNECT.
    pub(crate) authority: String,
}

impl Wanted {
    /// Takes a target apart; `None` when it has no usable authority, which codecs refuse before.
    pub(crate) fn of(target: &Target) -> Option<Self> {
        let is_connect = match target.form() {
            Form::Authority => true,
            Form::Absolute => false,
            Form::Origin | Form::Asterisk => return None,
        };
        let authority = target.authority();
        // FTP URLs may have user information.
        let host_port = match memchr::memrchr(b'@', authority) {
            Some(at) => authority.get(at + 1..)?,
            None => authority,
        };
        let parsed = Authority::parse(host_port).filter(|parsed| !parsed.host.is_empty())?;
        let scheme = std::str::from_utf8(target.scheme())
            .ok()?
            .to_ascii_lowercase();
        let usual = default_port(&scheme).unwrap_or(80);
        let port = match (parsed.port, is_connect) {
            (None, true) => return None,
            (port, _) => port.unwrap_or(usual),
        };
        let host = std::str::from_utf8(parsed.host).ok()?.to_ascii_lowercase();
        let name = host.strip_suffix('.').unwrap_or(&host);
        let mut authority = if parsed.is_ipv6 {
            format!("[{name}]")
        } else {
            name.to_owned()
        };
        if is_connect || port != usual {
            write!(authority, ":{port}").expect("a string takes all text");
        }
        Some(Self {
            scheme,
            host,
            port,
            is_connect,
            authority,
        })
    }

    /// The host without a final dot.
    pub(crate) fn name(&self) -> &str {
        self.host.strip_suffix('.').unwrap_or(&self.host)
    }

    /// `http://host[:port]`; `host:port` for CONNECT.
    pub(crate) fn front(&self) -> String {
        if self.is_connect {
            self.authority.clone()
        } else {
            format!("{}://{}", self.scheme, self.authority)
        }
    }

    /// Writes the URL that rules are compared with.
    pub(crate) fn write_url(&self, target: &Target, url: &mut Vec<u8>) {
        url.extend_from_slice(self.front().as_bytes());
        if self.is_connect {
            return;
        }
        let mut path = Vec::new();
        match uri::normalize_encoded(target.path(), false, &mut path) {
            Ok(()) => url.extend_from_slice(&path),
            // Such requests were refused before.
            Err(_) => url.extend_from_slice(target.path()),
        }
        if let Some(query) = target.query() {
            url.push(b'?');
            url.extend_from_slice(query);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_see_one_spelling_of_a_url() {
        // (target, is it CONNECT's, URL, host that is connected to, port)
        let table = [
            ("http://h/a?b", false, "http://h/a?b", "h", 80),
            (
                "HTTP://H.Example:80",
                false,
                "http://h.example/",
                "h.example",
                80,
            ),
            ("http://h.:8080/x", false, "http://h:8080/x", "h.", 8080),
            ("http://h:/x", false, "http://h/x", "h", 80),
            ("http://h?q", false, "http://h/?q", "h", 80),
            (
                "http://h/%70ublic/../%2e/private%2F//x",
                false,
                "http://h/private%2F//x",
                "h",
                80,
            ),
            ("http://[::1]:80/", false, "http://[::1]/", "::1", 80),
            ("https://h:443/", false, "https://h/", "h", 443),
            ("https://h:80/", false, "https://h:80/", "h", 80),
            ("ftp://u:p@h/x", false, "ftp://h/x", "h", 21),
            (
                "Host.Example.:443",
                true,
                "host.example:443",
                "host.example.",
                443,
            ),
            ("[::1]:563", true, "[::1]:563", "::1", 563),
        ];
        for (raw, is_connect, url, host, port) in table {
            let mut target = Target::default();
            target.assign(raw.as_bytes(), is_connect).unwrap();
            let wanted = Wanted::of(&target).unwrap();
            let mut written = Vec::new();
            wanted.write_url(&target, &mut written);
            assert_eq!(String::from_utf8(written).unwrap(), url, "{raw}");
            assert_eq!((wanted.host.as_str(), wanted.port), (host, port), "{raw}");
        }
    }

    #[test]
    fn connect_reaches_the_two_usual_ports_unless_others_are_allowed() {
        let mut forward = Forward {
            http: None,
            connect: None,
            ports: Vec::new(),
        };
        assert!(forward.allows(443) && forward.allows(563) && !forward.allows(80));
        forward.ports.push(PortRange { from: 80, to: 90 });
        assert!(!forward.allows(443) && forward.allows(80) && forward.allows(90));
        assert!(!forward.allows(91) && !forward.allows(79));
    }
}
