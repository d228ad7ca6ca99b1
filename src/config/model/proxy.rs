//! mod_proxy's share of a server.
//!
//! Responsible for: mappings, workers, balancers and the switches that are per server. What mod_proxy keeps per directory
//! (ProxyPassReverse, cookie maps, ProxyPreserveHost, ProxyAddHeaders, ProxyErrorOverride, a Location's own ProxyPass) is in
//! [`DirConfig`](super::DirConfig) even when written outside any section: then it is in
//! [`Server::location_defaults`](super::Server::location_defaults).

use super::balancer::{merge_balancers, merge_workers};
use super::{Balancer, Block, Mapping, NoProxy, PortRange, Remote, Worker};
use crate::config::setting::{Setting, append, merged};
use crate::config::source::Place;
use std::net::IpAddr;
use std::path::PathBuf;

merged! {
    /// What mod_proxy was told for one server.
    pub struct ProxyServer {
        /// True when the server has at least one mod_proxy directive of its own. Without any, a virtual host *is* the main server as far
        /// as mod_proxy is concerned; 2.2's child initialisation traces show the difference.
        pub is_own: bool => own,
        /// `ProxyRequests`, default off.
        pub requests: Setting<bool> => over,
        /// `ProxyRemote` and `ProxyRemoteMatch` in order; inherited unless ProxyPassInherit is off.
        pub remotes: Vec<Remote> => own,
        /// `NoProxy`.
        pub no_proxy: Vec<NoProxy> => append,
        /// `ProxyBlock`.
        pub blocks: Vec<Block> => append,
        /// `ProxyDomain`, with its dot.
        pub domain: Setting<String> => over,
        /// `ProxySourceAddress`.
        pub source_address: Setting<IpAddr> => over,
        /// `AllowCONNECT`; [`super::CONNECT_PORTS`] when empty.
        pub connect_ports: Vec<PortRange> => append,
        /// `ProxyPass` and `ProxyPassMatch` outside sections: main's first, first match wins.
        pub passes: Vec<ProxyPass> => append,
        /// `ProxyTimeout`; unset is Timeout.
        pub timeout_s: Setting<u32> => over,
        /// `ProxyVia`, default off.
        pub via: Setting<Via> => over,
        /// `ProxyBadHeader`, default IsError.
        pub bad_header: Setting<BadHeader> => over,
        /// `ProxyIOBufferSize`, default 8192.
        pub io_buffer_bytes: Setting<u32> => over,
        /// `ProxyReceiveBufferSize`; 0 or unset is the system's.
        pub receive_buffer_bytes: Setting<u32> => over,
        /// `ProxyMaxForwards`; -1 or unset adds no field.
        pub max_forwards: Setting<i32> => over,
        /// `ProxyStatus`, default off.
        pub status: Setting<ProxyStatus> => over,
        /// `ProxyPassInherit`, default on.
        pub pass_inherit: Setting<bool> => over,
        /// `BalancerInherit`, default on.
        pub balancer_inherit: Setting<bool> => over,
        /// `BalancerGrowth`, default 5.
        pub growth: Setting<u32> => over,
        /// `BalancerPersist`, default off; not inherited by a virtual host with mod_proxy directives of its own.
        pub persist: Setting<bool> => own,
        /// The plain workers in configuration order; in a virtual host the inherited ones first.
        pub workers: Vec<Worker> => own,
        /// The balancers in configuration order; in a virtual host the inherited ones first.
        pub balancers: Vec<Balancer> => own,
        /// 2.2's list of plain workers, which also holds one entry for each URL first seen in a BalancerMember. Only traces need it.
        pub slots22: Vec<Slot22> => own,
        /// The id that 2.2 gave `proxy:forward`, if this server has ProxyRequests On.
        pub forward_id22: Option<u32> => own,
    }
}

impl ProxyServer {
    /// The balancer with this name, in any case.
    pub fn balancer(&self, name: &str) -> Option<&Balancer> {
        self.balancers
            .iter()
            .find(|balancer| balancer.name.eq_ignore_ascii_case(name))
    }

    /// The plain worker with this name.
    pub fn worker(&self, name: &str) -> Option<&Worker> {
        self.workers.iter().find(|worker| worker.url.name == name)
    }

    /// Takes over the main server's workers and balancers, unless both inheritance switches are off.
    pub(crate) fn inherit(&mut self, main: &Self) {
        if !self.is_own {
            self.persist = main.persist.clone();
            self.forward_id22 = main.forward_id22;
        }
        if self.pass_inherit.or(true) {
            self.remotes = append(&main.remotes, &self.remotes);
        }
        if !self.pass_inherit.or(true) && !self.balancer_inherit.or(true) {
            return;
        }
        self.workers = merge_workers(&main.workers, &self.workers);
        self.balancers = merge_balancers(&main.balancers, &self.balancers);
        let inherited: Vec<Slot22> = main
            .slots22
            .iter()
            .map(|slot| Slot22 {
                inherited: true,
                ..slot.clone()
            })
            .collect();
        self.slots22 = append(&inherited, &self.slots22);
    }
}

/// One `ProxyPass` or `ProxyPassMatch`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyPass {
    /// Which paths.
    pub path: PassPath,
    /// Where to.
    pub target: PassTarget,
    /// `nocanon`: forward the path as sent.
    pub nocanon: bool,
    /// `interpolate`: fill in `${VAR}` from the request's environment.
    pub interpolate: bool,
    /// `noquery`: keep the query out of SCRIPT_FILENAME.
    pub noquery: bool,
    /// `mapping=`.
    pub mapping: Option<Mapping>,
    /// True when it stands in a section, whose argument is the path.
    pub from_location: bool,
    /// Where it stands.
    pub place: Place,
}

/// Which paths a ProxyPass maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassPath {
    /// This path and what is below it.
    Prefix(String),
    /// Paths that this expression matches.
    Regex(String),
}

/// Where a ProxyPass leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassTarget {
    /// `!`: nowhere, the request is served here.
    Exclude,
    /// To a URL.
    Url {
        /// The URL as written, without a `unix:…|` in front.
        text: String,
        /// The socket in front, if any.
        unix_socket: Option<PathBuf>,
        /// Who takes the request there.
        to: Destination,
    },
}

/// Who takes requests of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The balancer with this name, which holds `$n` when a ProxyPassMatch takes it from the request.
    Balancer(String),
    /// The plain worker with this name: the mapping's own, or the one that it shares.
    Worker(String),
}

/// `ProxyPassReverse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyPassReverse {
    /// Our side: the path.
    pub path: String,
    /// The backend's side: a URL, a path, or `balancer://name[/part]`.
    pub url: String,
    /// `interpolate`.
    pub interpolate: bool,
    /// Where it stands.
    pub place: Place,
}

/// `ProxyPassReverseCookieDomain` or `ProxyPassReverseCookiePath`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieMap {
    /// What the backend says.
    pub internal: String,
    /// What the client gets.
    pub public: String,
    /// `interpolate`.
    pub interpolate: bool,
}

/// `ProxyVia`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Leave the field alone.
    Off,
    /// Add ourselves.
    On,
    /// Add ourselves with our version.
    Full,
    /// Remove the field.
    Block,
}

/// `ProxyBadHeader`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadHeader {
    /// 502.
    IsError,
    /// Drop the line.
    Ignore,
    /// The head ends there.
    StartBody,
}

/// `ProxyStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyStatus {
    /// No balancer section on the status page.
    Off,
    /// One.
    On,
    /// One with more columns.
    Full,
}

/// One worker id of 2.2's plain list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot22 {
    /// The id.
    pub id: u32,
    /// The worker's name.
    pub name: String,
    /// The worker's host, as traces print it.
    pub host: String,
    /// True in a virtual host that got it from the main server.
    pub inherited: bool,
}
