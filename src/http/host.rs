//! Authorities: `host[:port]` as `Host`, absolute-form targets and CONNECT carry them (RFC 9110 §7.2, RFC 3986 §3.2).
//!
//! Responsible for: splitting and checking. Not responsible for: looking a host up (`request::route`).
//!
//! Know first: what httpd's Strict mode refuses is refused here too (`HttpProtocolOptions Strict`, core's vhost
//! checks). A comma, for one, would let two Host fields joined by an upstream pass for one.

use core::net::{Ipv4Addr, Ipv6Addr};

/// A host with its optional port, borrowed from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// The host as it came; an IPv6 address without its brackets.
    pub host: &'a [u8],
    /// The port, when one is given.
    pub port: Option<u16>,
    /// The host is an IPv6 address and wants brackets when written.
    pub is_ipv6: bool,
}

impl<'a> Authority<'a> {
    /// Splits and checks `host[:port]`, or gives `None` when a byte or the form is bad. The host may be empty.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        if let Some(rest) = bytes.strip_prefix(b"[") {
            let close = memchr::memchr(b']', rest)?;
            let (host, after) = rest.split_at_checked(close)?;
            let address = std::str::from_utf8(host).ok()?;
            address.parse::<Ipv6Addr>().ok()?;
            let port = match after.split_first()? {
                (_, []) => None,
                (_, [b':', digits @ ..]) => port(digits)?,
                _ => return None,
            };
            return Some(Self {
                host,
                port,
                is_ipv6: true,
            });
        }
        let (host, port) = match memchr::memchr(b':', bytes) {
            Some(colon) => {
                let (host, rest) = bytes.split_at_checked(colon)?;
                (host, port(rest.get(1..)?)?)
            }
            None => (bytes, None),
        };
        is_host(host).then_some(Self {
            host,
            port,
            is_ipv6: false,
        })
    }
}

/// A port of 1 to 65535; nothing at all after the colon means no port (RFC 3986 §3.2.3).
#[expect(
    clippy::option_option,
    reason = "bad, absent and present are three things"
)]
fn port(digits: &[u8]) -> Option<Option<u16>> {
    if digits.is_empty() {
        return Some(None);
    }
    if digits.len() > 5 {
        return None;
    }
    let mut n = 0_u32;
    for &b in digits {
        if !b.is_ascii_digit() {
            return None;
        }
        n = n * 10 + u32::from(b - b'0');
    }
    let n = u16::try_from(n).ok()?;
    (n > 0).then_some(Some(n))
}

/// Letters, digits, `-`, `_` and single dots. What consists of digits and dots alone must be an IPv4 address, and
/// the last label of a name must not begin with a digit (RFC 1123 §2.1), so that no other program can read a name
/// as an address.
fn is_host(host: &[u8]) -> bool {
    let mut before = b'.';
    for &b in host {
        let is_good =
            b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.' && before != b'.';
        if !is_good {
            return false;
        }
        before = b;
    }
    let name = host.strip_suffix(b".").unwrap_or(host);
    let last_label = name.rsplit(|&b| b == b'.').next().unwrap_or_default();
    if !last_label.first().is_some_and(u8::is_ascii_digit) {
        return true;
    }
    if host.iter().all(|&b| b.is_ascii_digit() || b == b'.') {
        return std::str::from_utf8(host).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok());
    }
    // A single label that begins with a digit but has a letter can't be taken for an address.
    last_label.len() == name.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_split() {
        let table: [(&str, &str, Option<u16>, bool); 12] = [
            ("", "", None, false),
            ("example.org", "example.org", None, false),
            ("example.org:", "example.org", None, false),
            ("Example.ORG.:8080", "Example.ORG.", Some(8080), false),
            ("localhost:1", "localhost", Some(1), false),
            ("my_host-1", "my_host-1", None, false),
            ("3com", "3com", None, false),
            ("10.0.0.9:65535", "10.0.0.9", Some(65535), false),
            ("1.2.3.example", "1.2.3.example", None, false),
            ("[::1]", "::1", None, true),
            ("[2001:db8::a]:443", "2001:db8::a", Some(443), true),
            ("[::1]:", "::1", None, true),
        ];
        for (text, host, port, is_ipv6) in table {
            let parsed = Authority::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            let host = host.as_bytes();
            assert_eq!(
                parsed,
                Authority {
                    host,
                    port,
                    is_ipv6
                },
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_authority_is_refused() {
        for bad in [
            "a b",
            "a,b",
            "a/b",
            "user@host",
            "a..b",
            ".a",
            "a:x",
            "a:0",
            "a:65536",
            "a:1:2",
            "a:+1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "123",
            "a.1",
            "a.1b",
            "[::1",
            "[::1]x",
            "[zz]",
            "[]",
            "::1",
            "h\u{f6}st",
            "a%41",
            "[::1%25eth0]",
            "a\0",
        ] {
            assert_eq!(Authority::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
