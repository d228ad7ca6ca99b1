//! A place to dial: what the engine must know of a member, and nothing else.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::codec::{ClientCodec, Limits};

/// One worker as the engine sees it: an address, a protocol, and the rules of its connection pool. Made once per
/// generation, before the fork.
pub struct Backend {
    /// Dense number among the generation's backends: the key of its pool.
    pub index: u32,
    /// httpd's name of the worker, for logs: `http://www1.example.com:8080/app`.
    pub label: String,
    /// Where to connect.
    pub address: Address,
    /// Makes the codec of a new connection.
    pub codec: fn(Limits) -> Box<dyn ClientCodec>,
    /// Limits on response heads.
    pub limits: Limits,
    /// Connection pool rules.
    pub pool: PoolRules,
}

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host name or address literal (IPv6 without brackets), and a port.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A unix socket.
    Unix(PathBuf),
    /// The plan of each request names it ([`super::Plan::address`]): mod_proxy's `proxy:forward` and `proxy:reverse`. It is resolved
    /// for each request, and its connections serve one exchange.
    Planned,
}

/// A host and a port that a request chose, as far as the configuration lets it. Recycled with its plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedAddress {
    /// A host name or address literal, IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A worker's pool parameters (reference: mod_proxy's min, smax, max, ttl, acquire, …).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolRules {
    /// Most connections of a child; 0 means as many as exchanges.
    pub max: u32,
    /// Idle connections above this number are closed once unused for `ttl`.
    pub smax: u32,
    /// How long an idle connection above `smax` may live; `None` for ever.
    pub ttl: Option<Duration>,
    /// How long to wait for a connection when `max` are busy; `None` waits as long as the I/O timeout.
    pub acquire: Option<Duration>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// SO_KEEPALIVE.
    pub keepalive: bool,
    /// Whether connections may be used again.
    pub reuse: bool,
}

impl Backend {
    /// Whether a connection may serve another exchange. One to a planned address never does: the next plan names another.
    #[must_use]
    pub fn may_reuse(&self) -> bool {
        self.pool.reuse && self.address != Address::Planned
    }
}

impl PlannedAddress {
    /// Names another place, keeping the allocation. `host` may have the brackets of an IPv6 literal.
    pub fn assign(&mut self, host: &str, port: u16) {
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        self.host.clear();
        self.host.push_str(bare.unwrap_or(host));
        self.port = port;
    }

    /// Names no place, keeping the allocation.
    pub fn clear(&mut self) {
        self.host.clear();
        self.port = 0;
    }
}

impl fmt::Display for PlannedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_host_port(f, &self.host, self.port)
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("label", &self.label)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write_host_port(f, host, *port),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Planned => f.write_str("as planned"),
        }
    }
}

fn write_host_port(f: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
    if host.contains(':') {
        write!(f, "[{host}]:{port}")
    } else {
        write!(f, "{host}:{port}")
    }
}
