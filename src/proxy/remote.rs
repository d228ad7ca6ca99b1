//! Proxies behind this one: ProxyRemote, ProxyRemoteMatch and NoProxy.
//!
//! Responsible for: which of them a URL goes through, and what they are told. Not responsible for what happens when one fails
//! (`handler::detour`).
//!
//! Know first: forwarded requests and requests to backends of mappings are treated alike. What is compared is the URL that is asked for,
//! not the client's. mod_proxy's `proxy_handler`, reference §2.1 and §4.9.

use crate::config::model::{self, NoProxy, RemoteMatch};
use crate::request::{Backend, Case, Pattern};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The proxies that one server knows.
#[derive(Debug, Default)]
pub(crate) struct Remotes {
    pub(crate) list: Vec<Remote>,
    pub(crate) no_proxy: Vec<NoProxy>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Remote {
    matcher: Matcher,
    /// Its host, an IPv6 address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The value of Proxy-Authorization for it.
    pub(crate) authorization: Option<String>,
    /// Connections to it for requests to backends of mappings, which are kept.
    pub(crate) backend: &'static Backend,
}

#[derive(Debug)]
enum Matcher {
    All,
    Scheme(String),
    Prefix(String),
    Regex(Pattern),
}

/// Whether NoProxy exempts a host, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByName {
    /// No word means it.
    No,
    /// One does.
    Yes,
    /// One does if the host has the right address.
    Unknown,
}

impl Remote {
    /// Compiles one line.
    pub(crate) fn compile(
        remote: &model::Remote,
        backend: &'static Backend,
    ) -> Result<Self, String> {
        Ok(Self {
            matcher: match &remote.matches {
                RemoteMatch::All => Matcher::All,
                RemoteMatch::Scheme(scheme) => Matcher::Scheme(scheme.clone()),
                RemoteMatch::Prefix(prefix) => Matcher::Prefix(prefix.clone()),
                RemoteMatch::Regex(text) => {
                    Matcher::Regex(Pattern::compile(text, Case::Sensitive)?)
                }
            },
            host: remote.host.clone(),
            port: remote.port,
            authorization: remote
                .credentials
                .as_ref()
                .map(|credentials| format!("Basic {}", base64(credentials.0.as_bytes()))),
            backend,
        })
    }

    fn takes(&self, url: &[u8]) -> bool {
        match &self.matcher {
            Matcher::All => true,
            Matcher::Scheme(scheme) => {
                let end = memchr::memchr(b':', url).unwrap_or(url.len());
                url.get(..end)
                    .is_some_and(|own| own.eq_ignore_ascii_case(scheme.as_bytes()))
            }
            Matcher::Prefix(prefix) => url
                .get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes())),
            Matcher::Regex(pattern) => pattern.is_match(url),
        }
    }
}

impl Remotes {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Remote> {
        self.list.get(index as usize)
    }

    /// The first one at or behind `from` that takes a URL.
    pub(crate) fn find(&self, url: &[u8], from: u32) -> Option<u32> {
        let candidates = (0..).zip(&self.list).skip(from as usize);
        candidates
            .filter(|(_, remote)| remote.takes(url))
            .map(|(index, _)| index)
            .next()
    }

    /// Whether a host is reached without them, as far as its name tells.
    pub(crate) fn exempts(&self, host: &str) -> ByName {
        if self.no_proxy.iter().any(|word| word.has_name(host)) {
            return ByName::Yes;
        }
        let has_net = |word: &NoProxy| matches!(word, NoProxy::Net(..));
        match host.parse::<IpAddr>() {
            Ok(address) if self.has_address(address) => ByName::Yes,
            Err(_) if self.no_proxy.iter().any(has_net) => ByName::Unknown,
            Ok(_) | Err(_) => ByName::No,
        }
    }

    /// The same once its addresses are known.
    pub(crate) fn exempts_one_of(&self, addresses: &[SocketAddr]) -> bool {
        addresses
            .iter()
            .any(|address| self.has_address(address.ip()))
    }

    fn has_address(&self, address: IpAddr) -> bool {
        let v4: Option<Ipv4Addr> = match address.to_canonical() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        };
        v4.is_some_and(|address| self.no_proxy.iter().any(|word| word.has_address(address)))
    }
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let mut group = [0; 4];
        for (place, byte) in group.iter_mut().skip(1).zip(three) {
            *place = *byte;
        }
        let bits = u32::from_be_bytes(group);
        for digit in 0..4_usize {
            let sextet = (bits >> (18 - 6 * digit)) & 63;
            let letter = ALPHABET.get(sextet as usize).copied().unwrap_or(b'=');
            text.push(if digit <= three.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_encoded_as_rfc_4648_says() {
        let table = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("user:pw", "dXNlcjpwdw=="),
            ("\u{ff}\u{fe}?", "w7/Dvj8="),
        ];
        for (plain, encoded) in table {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
