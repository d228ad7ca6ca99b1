//! mod_proxy's mind: which requests are proxied, where they go, what is said there, and what becomes of the response's head.
//!
//! Responsible for: ProxyPass and its kin, forward proxying, workers and balancers as places to dial, outgoing heads, ProxyPassReverse,
//! retries, and the traces of all that. Not responsible for: electing members and keeping their books (`balancer`), connections (`engine`), or bytes
//! (`codec`).
//!
//! Know first: one [`Proxy`] holds everything about proxying that a generation's configuration says. It is made before the fork and
//! never changes; what changes is in the scoreboard. A request goes through here like this:
//!
//! ```text
//! claims   map.rs        path → rule → target URL: a front from the configuration, a path from the request
//!          forward.rs    a target that is for somebody else → its URL in normal form
//! start    handler.rs    balancer::choose, or the worker with the longest path
//!          outgoing.rs   the head that the backend gets, canonical.rs its path, upgrade.rs its Upgrade
//!          remote.rs     through which other proxy, if any; block.rs which hosts are not connected to
//! failed   retry.rs      the same member, another one, or nobody; another proxy, or a direct connection
//! rewrite  reverse.rs    what the backend's head says of itself is said of us
//! finish   handler.rs    the lease is settled, failonstatus looks at the status
//! ```
//!
//! httpd: mod_proxy, mod_proxy_http, mod_proxy_connect, and the request side of mod_proxy_balancer; the traces are 2.2's (`traces.rs`).
//! What a client or a backend can tell from httpd 2.4, on purpose and beside what `DIVERGE` says in the files:
//!
//! - A client's connection survives a 400, 500 or 503 that a backend gave. httpd closes it, because it treats them like its own.
//! - Field lines of the same name stay separate lines. httpd joins them by commas, cookies as well.
//! - `Range` is the backend's business. httpd cuts the range out of a whole response itself.
//! - Trailers of a response are passed on, and so is `Proxy-Authenticate` of a 407.
//! - Lengths that contradict each other, lists of transfer codings, field names with other than token characters and answers that are not
//!   HTTP/1 are a 502. httpd relays some of them as it understands them.
//! - A switch of protocols needs an `Upgrade` that is meant for us, and a tunnel a 101 that fits it (`upgrade.rs`).

mod block;
mod canonical;
mod compile;
mod forward;
mod handler;
mod map;
mod outgoing;
mod remote;
mod retry;
pub mod reverse;
pub mod scheme;
mod traces;
mod upgrade;
mod wishes;

pub use compile::{identity, records};
pub use scheme::{SCHEMES, Scheme};

use crate::balancer::{Balancer, Member, Methods};
use crate::config::Diagnostic;
use crate::config::model::{Config, WorkerUrl};
use crate::request::Backend;
use block::Blocks;
use forward::Forward;
use map::Map;
use remote::Remotes;
use scoreboard::Board;
use std::net::IpAddr;
use std::time::Duration;
use upgrade::{Upgrades, Wstunnel};

/// Everything about proxying that a configuration says, compiled. It is the handler `proxy-server`.
#[derive(Debug)]
pub struct Proxy {
    board: &'static Board,
    map: Map,
    /// By site index.
    sites: Vec<SiteProxy>,
    clusters: Vec<Cluster>,
    workers: Vec<Plain>,
    backends: Vec<&'static Backend>,
    decliners: Vec<&'static str>,
    wstunnel: Wstunnel,
}

/// A balancer with the places of its members.
#[derive(Debug)]
struct Cluster {
    balancer: Balancer,
    /// By member index.
    places: Vec<Place>,
}

/// A plain worker.
#[derive(Debug)]
struct Plain {
    member: Member,
    place: Place,
}

/// Where a worker or member is, and what does not change from one request to it to the next.
#[derive(Debug)]
struct Place {
    /// Where to dial; `None` when nobody here speaks the scheme.
    backend: Option<&'static Backend>,
    scheme: Option<&'static dyn Scheme>,
    scheme_name: String,
    /// `scheme://host[:port]`.
    front: String,
    /// The path of its URL.
    base: Vec<u8>,
    /// What `Host` says.
    host: Vec<u8>,
    /// Host and port are those of the mapping's front, which the request fills in.
    is_filled: bool,
    /// The host's name, an IPv6 address without brackets.
    name: String,
    /// `timeout=`.
    timeout: Option<Duration>,
    /// `ping=`.
    ping: Option<Duration>,
    /// `upgrade=`.
    upgrades: Upgrades,
}

/// What one server knows of workers and balancers, by name.
#[derive(Debug, Default)]
struct SiteProxy {
    balancers: Vec<(String, u32)>,
    /// URL, whether it is a template, and index.
    workers: Vec<(WorkerUrl, bool, u32)>,
    /// Targets of `SetHandler proxy:`.
    direct: Vec<(WorkerUrl, u32)>,
    /// What it allows of forward proxying; `None` when ProxyRequests is off.
    forward: Option<Forward>,
    blocks: Blocks,
    remotes: Remotes,
}

impl Proxy {
    /// Compiles a configuration and finds or makes the records of its balancers, members and workers. The parent does this before it
    /// forks.
    ///
    /// # Errors
    /// Everything that cannot be used, with the place where it stands.
    pub fn compile(
        config: &'static Config,
        board: &'static Board,
        methods: Methods,
        schemes: &'static [&'static dyn Scheme],
    ) -> Result<Self, Vec<Diagnostic>> {
        compile::Builder::new(board, methods, schemes).build(config)
    }

    /// Every place to dial; a backend's `index` is its position.
    #[must_use]
    pub fn backends(&self) -> &[&'static Backend] {
        &self.backends
    }

    /// All balancers, the main server's first; each once, however many virtual hosts share it.
    pub fn balancers(&self) -> impl Iterator<Item = &Balancer> {
        self.clusters.iter().map(|cluster| &cluster.balancer)
    }

    /// The balancers that a server knows, in configuration order.
    pub fn site_balancers(&self, site: u32) -> impl Iterator<Item = &Balancer> {
        let known = self
            .sites
            .get(site as usize)
            .map_or(&[][..], |site| &site.balancers);
        known
            .iter()
            .filter_map(|(_, index)| self.clusters.get(*index as usize))
            .map(|cluster| &cluster.balancer)
    }

    /// The plain workers.
    pub fn workers(&self) -> impl Iterator<Item = &Member> {
        self.workers.iter().map(|worker| &worker.member)
    }

    /// Finds the addresses of hosts that ProxyBlock names, so that other names of the same hosts are blocked too. `look_up` gives those
    /// of several hosts at once. Returns the names that have none.
    pub fn find_blocked(
        &mut self,
        look_up: &mut dyn FnMut(&[&str]) -> Vec<Vec<IpAddr>>,
    ) -> Vec<String> {
        let mut unknown = Vec::new();
        for site in &mut self.sites {
            let (names, places): (Vec<_>, Vec<_>) = site.blocks.unresolved().unzip();
            if names.is_empty() {
                continue;
            }
            let found = look_up(&names);
            for ((name, place), addresses) in names.into_iter().zip(places).zip(found) {
                if addresses.is_empty() {
                    unknown.push(name.to_owned());
                }
                *place = addresses;
            }
        }
        unknown
    }

    fn site(&self, index: u32) -> Option<&SiteProxy> {
        self.sites.get(index as usize)
    }
}

impl SiteProxy {
    /// The index of a balancer by its name, in any case.
    fn balancer(&self, name: &str) -> Option<u32> {
        self.balancers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, index)| *index)
    }
}
