//! How a server speaks of itself: in `Via`, `X-Forwarded-Server`, and URLs that lead back to it.
//!
//! Responsible for: name, port and scheme by ServerName, UseCanonicalName and UseCanonicalPhysicalPort. Not responsible for finding
//! the server of a request.
//!
//! Know first: with UseCanonicalName Off a URL carries the name and port that the client used; `Via` carries the server's own name all
//! the same, and the client's port (so does httpd). core's `ap_get_server_name_for_url` and `ap_get_server_port`.

use crate::config::model::{Server, UseCanonicalName, Via};
use crate::http::host::Authority;
use crate::http::{Form, RequestHead};
use std::io::Write as _;
use std::net::SocketAddr;

/// What a server knows of itself, compiled.
#[derive(Debug)]
pub(crate) struct Ourselves {
    /// ServerName's host.
    pub(crate) name: Vec<u8>,
    scheme: &'static str,
    /// ServerName's port, else that of the virtual host's address.
    port: Option<u16>,
    is_canonical: bool,
    is_port_physical: bool,
}

impl Ourselves {
    /// Reads it from the configuration; `main` lends a virtual host what it does not say.
    pub(crate) fn of(server: &Server, main: &Server) -> Self {
        let own = server.name.get();
        let lent = main.name.get();
        let is_secure = own.and_then(|name| name.scheme.as_deref()) == Some("https");
        let port = own
            .and_then(|name| name.port)
            .or_else(|| server.addresses.first().and_then(|address| address.port))
            .or_else(|| lent.and_then(|name| name.port));
        let name = match own.or(lent) {
            Some(name) => name.host.clone(),
            None => "localhost".to_owned(),
        };
        Self {
            name: name.into_bytes(),
            scheme: if is_secure { "https" } else { "http" },
            port,
            is_canonical: server.use_canonical_name.or(UseCanonicalName::Off) != UseCanonicalName::Off,
            is_port_physical: server.use_canonical_physical_port.or(false),
        }
    }

    /// Appends `scheme://host[:port]`, as a URL that leads the client back here begins.
    pub(crate) fn write_origin(&self, head: &RequestHead, local: SocketAddr, out: &mut Vec<u8>) {
        out.extend_from_slice(self.scheme.as_bytes());
        out.extend_from_slice(b"://");
        match client_authority(head).and_then(Authority::parse) {
            Some(client) if !self.is_canonical && !client.host.is_empty() => {
                write_host(client.host, client.is_ipv6, out);
            }
            _ => write_host(&self.name, self.name.contains(&b':'), out),
        }
        self.write_port(head, local, out);
    }

    /// Appends our member of `Via`: the version that the client spoke, our name and port, and with `Full` our product.
    pub(crate) fn write_via(
        &self,
        via: Via,
        head: &RequestHead,
        local: SocketAddr,
        product: &str,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(head.version.number().as_bytes());
        out.push(b' ');
        write_host(&self.name, self.name.contains(&b':'), out);
        self.write_port(head, local, out);
        if via == Via::Full {
            write!(out, " ({product})").expect("a vector takes all bytes");
        }
    }

    fn write_port(&self, head: &RequestHead, local: SocketAddr, out: &mut Vec<u8>) {
        let default = if self.scheme == "https" { 443 } else { 80 };
        let physical = self.is_port_physical.then(|| local.port());
        let port = if self.is_canonical {
            self.port.or(physical)
        } else {
            let client = client_authority(head).and_then(Authority::parse);
            client.and_then(|client| client.port).or(physical).or(self.port)
        };
        if let Some(port) = port.filter(|&port| port != default) {
            write!(out, ":{port}").expect("a vector takes all bytes");
        }
    }
}

/// The authority that the client asked: an absolute-form target replaces `Host` (RFC 9112 §3.2.2).
pub(crate) fn client_authority(head: &RequestHead) -> Option<&[u8]> {
    use crate::http::FieldId;
    if head.target.form() == Form::Absolute {
        // Credentials are no part of it: the last `@` ends them.
        return head.target.authority().rsplit(|&byte| byte == b'@').next();
    }
    head.fields.get(FieldId::Host)
}

fn write_host(host: &[u8], is_ipv6: bool, out: &mut Vec<u8>) {
    if is_ipv6 {
        out.push(b'[');
    }
    out.extend_from_slice(host);
    if is_ipv6 {
        out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{ServerName, VhostAddr, VhostIp};
    use crate::config::{Place, Setting};

    fn server(name: Option<(&str, Option<u16>)>, address_port: Option<u16>) -> Server {
        let place = Place::new("t", 1);
        let mut server = Server::default();
        if let Some((host, port)) = name {
            let scheme = None;
            server.name = Setting::new(ServerName { scheme, host: host.to_owned(), port }, &place);
        }
        if let Some(port) = address_port {
            server.addresses = vec![VhostAddr { text: "*".into(), ip: VhostIp::Any, port: Some(port) }];
        }
        server
    }

    fn origin_and_via(server: &Server, raw: &str, host: Option<&str>) -> (String, String) {
        let main = self::server(Some(("main.test", None)), None);
        let mut head = RequestHead::default();
        head.target.assign(raw.as_bytes(), false).unwrap();
        if let Some(host) = host {
            head.fields.push(b"Host", host.as_bytes());
        }
        let ours = Ourselves::of(server, &main);
        let local = "10.0.0.1:18080".parse().unwrap();
        let (mut origin, mut via) = (Vec::new(), Vec::new());
        ours.write_origin(&head, local, &mut origin);
        ours.write_via(Via::On, &head, local, "", &mut via);
        let via = String::from_utf8(via).unwrap();
        (String::from_utf8(origin).unwrap(), via.strip_prefix("1.1 ").unwrap().to_owned())
    }

    #[test]
    fn names_and_ports_follow_httpds_rules() {
        let place = Place::new("t", 1);
        let plain = server(Some(("tine.test", None)), None);
        let with_port = server(Some(("tine.test", Some(8443))), None);
        let vhost = server(Some(("v.test", None)), Some(18080));
        let nameless = server(None, Some(80));
        let mut canonical = with_port.clone();
        canonical.use_canonical_name = Setting::new(UseCanonicalName::On, &place);
        let mut physical = plain.clone();
        physical.use_canonical_physical_port = Setting::new(true, &place);
        let rows = [
            (&plain, "/", Some("h:99"), "http://h:99", "tine.test:99"),
            (&plain, "/", None, "http://tine.test", "tine.test"),
            (&plain, "/", Some("h:80"), "http://h", "tine.test"),
            (&plain, "/", Some("[::1]:8080"), "http://[::1]:8080", "tine.test:8080"),
            (&plain, "http://u@abs:7/", Some("h:99"), "http://abs:7", "tine.test:7"),
            (&with_port, "/", Some("h"), "http://h:8443", "tine.test:8443"),
            (&canonical, "/", Some("h:99"), "http://tine.test:8443", "tine.test:8443"),
            (&physical, "/", Some("h"), "http://h:18080", "tine.test:18080"),
            (&vhost, "/", Some("h"), "http://h:18080", "v.test:18080"),
            (&nameless, "/", None, "http://main.test", "main.test"),
        ];
        for (server, raw, host, origin, via) in rows {
            assert_eq!(origin_and_via(server, raw, host), (origin.to_owned(), via.to_owned()), "{host:?}");
        }
    }
}
