//! What a server was told about forward proxying and about proxies that stand behind it.

use crate::config::source::Place;
use std::net::Ipv4Addr;

/// `ProxyRemote` or `ProxyRemoteMatch`: requests that go through another proxy.
#[derive(Debug, Clone, PartialEq)]
pub struct Remote {
    /// Which URLs.
    pub matches: RemoteMatch,
    /// The proxy's host, in lower case; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// `user:password` for it.
    pub credentials: Option<Credentials>,
    /// Where it stands.
    pub place: Place,
}

/// Which URLs a ProxyRemote takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteMatch {
    /// `*`: all.
    All,
    /// Those with this scheme, in any case.
    Scheme(String),
    /// Those that begin so, in any case.
    Prefix(String),
    /// Those that this expression finds something in.
    Regex(String),
}

/// A user name and a password, which no dump shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(pub String);

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// One word of `NoProxy`: hosts that are reached without a ProxyRemote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoProxy {
    /// Addresses of this network.
    Net(Ipv4Addr, u8),
    /// `.example.com`: every host below it.
    Domain(String),
    /// This host.
    Host(String),
    /// Every host with this in its name.
    Part(String),
}

impl NoProxy {
    /// Whether a host name is meant. Networks mean addresses only, for which there is [`NoProxy::has_address`].
    #[must_use]
    pub fn has_name(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        match self {
            Self::Net(..) => false,
            Self::Domain(domain) => {
                let domain = domain.trim_end_matches('.');
                host.len() > domain.len()
                    && host
                        .get(host.len() - domain.len()..)
                        .is_some_and(|end| end.eq_ignore_ascii_case(domain))
            }
            Self::Host(name) => name.trim_end_matches('.').eq_ignore_ascii_case(host),
            Self::Part(part) => host
                .to_ascii_lowercase()
                .contains(&part.to_ascii_lowercase()),
        }
    }

    /// Whether an address is in the network.
    #[must_use]
    pub fn has_address(&self, address: Ipv4Addr) -> bool {
        match self {
            Self::Net(net, bits) => {
                let mask = mask(*bits);
                address.to_bits() & mask == net.to_bits() & mask
            }
            Self::Domain(_) | Self::Host(_) | Self::Part(_) => false,
        }
    }
}

/// The netmask with so many bits.
pub(crate) fn mask(bits: u8) -> u32 {
    u32::MAX
        .checked_shl(32 - u32::from(bits.min(32)))
        .unwrap_or(0)
}

/// One word of `ProxyBlock`: hosts to which no connection is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Part of the host's name, in lower case; what begins with `*` is every host.
    pub word: String,
    /// Where it stands.
    pub place: Place,
}

/// One word of `AllowCONNECT`; a range that ends before it begins has no port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first port.
    pub from: u16,
    /// The last port.
    pub to: u16,
}

/// The ports that CONNECT may reach when no AllowCONNECT says otherwise: https and snews.
pub const CONNECT_PORTS: [PortRange; 2] = [
    PortRange { from: 443, to: 443 },
    PortRange { from: 563, to: 563 },
];
