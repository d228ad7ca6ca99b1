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
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
