//! From the configuration to a [`Proxy`]: balancers and workers with their records, their places to dial, and the rules that lead
//! there.
//!
//! Know first: httpd gives every virtual host copies of the main server's workers and balancers. Here those that were inherited
//! unchanged are the main server's; only what a virtual host changes or adds is its own.

use super::block::Blocks;
use super::forward::Forward;
use super::map::{Map, Way};
use super::remote::{Remote, Remotes};
use super::scheme::{self, Keep, Scheme};
use super::traces;
use super::upgrade::{Upgrades, Wstunnel};
use super::{Cluster, Place, Plain, Proxy, SiteProxy};
use crate::balancer::{Balancer, Member, Methods};
use crate::codec::raw::Raw;
use crate::codec::{ClientCodec, Limits};
use crate::config::Diagnostic;
use crate::config::model::{
    self, Config, Destination, DirConfig, Handler, MemberParams, PassTarget, ProxyPass, Server,
    WorkerUrl,
};
use crate::request::{Address, Backend, PoolRules};
use scoreboard::Board;
use std::path::Path;
use std::time::Duration;

/// How many balancer and member records a configuration needs, growth aside.
#[must_use]
pub fn records(config: &Config) -> (u32, u32) {
    let mut balancers = 0;
    // The two catch-all workers of httpd have a record each.
    let mut members = 2;
    for server in config.servers() {
        for balancer in &server.proxy.balancers {
            balancers += 1;
            members += balancer.members.len();
        }
        members += server.proxy.workers.len() + direct_urls(server).count();
        members += orphans(server).len();
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (count(balancers), count(members))
}

/// What tells the records of a server's own balancers from those of another: nothing for the main server, else the
/// name and the addresses, which stay the same when virtual hosts are reordered.
#[must_use]
pub fn identity(server: &Server, is_main: bool) -> String {
    if is_main {
        return String::new();
    }
    let addresses = server.addresses.iter().map(|address| address.text.as_str());
    std::iter::once(server.label().as_str())
        .chain(addresses)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Work in progress.
pub(super) struct Builder {
    board: &'static Board,
    methods: Methods,
    schemes: &'static [&'static dyn Scheme],
    proxy: Proxy,
    complaints: Vec<Diagnostic>,
}

impl Builder {
    pub(super) fn new(
        board: &'static Board,
        methods: Methods,
        schemes: &'static [&'static dyn Scheme],
    ) -> Self {
        Self {
            board,
            methods,
            schemes,
            proxy: Proxy {
                board,
                map: Map::default(),
                sites: Vec::new(),
                clusters: Vec::new(),
                workers: Vec::new(),
                backends: Vec::new(),
                decliners: decliners(&[]),
                wstunnel: Wstunnel::default(),
            },
            complaints: Vec::new(),
        }
    }

    pub(super) fn build(mut self, config: &'static Config) -> Result<Proxy, Vec<Diagnostic>> {
        for server in config.servers() {
            self.add_site(config, server);
        }
        // Without LoadModule there is no order.
        if config.modules.explicit {
            self.proxy.decliners = decliners(&config.modules.loaded);
        }
        self.proxy.wstunnel = Wstunnel::new(&config.modules);
        if let Err(error) = traces::register_catch_alls(config, self.board) {
            self.complaints.push(Diagnostic::error(error.to_string()));
        }
        if self.complaints.is_empty() {
            Ok(self.proxy)
        } else {
            Err(self.complaints)
        }
    }

    fn add_site(&mut self, config: &'static Config, server: &'static Server) {
        let mut site = SiteProxy::default();
        for worker in &server.proxy.workers {
            if let Some(index) = self.worker(config, server, worker) {
                site.workers
                    .push((worker.url.clone(), worker.is_template, index));
            }
        }
        for balancer in &server.proxy.balancers {
            if let Some(index) = self.balancer(config, server, balancer) {
                site.balancers.push((balancer.name.clone(), index));
            }
        }
        for url in direct_urls(server) {
            if let Some(index) = self.direct(config, server, url, &site) {
                site.direct.push((url.clone(), index));
            }
        }
        for url in orphans(server) {
            if let Some(index) = self.direct(config, server, &url, &site) {
                site.workers.push((url, false, index));
            }
        }
        let locations = server
            .locations
            .iter()
            .map(|location| location.dir.pass.get().map(|pass| &**pass));
        self.proxy.map.add_site(
            &server.proxy.passes,
            locations,
            |pass, front| site.way(pass, front),
            &mut self.complaints,
        );
        site.blocks = Blocks::new(&server.proxy.blocks);
        site.forward = self.forward(config, server);
        site.remotes = self.remotes(server);
        self.proxy.sites.push(site);
    }

    /// The index of a plain worker; the main server's when it is inherited.
    fn worker(&mut self, config: &Config, server: &Server, worker: &model::Worker) -> Option<u32> {
        if worker.inherited {
            let main = self.proxy.sites.first()?;
            let known = main.workers.iter().find(|(url, _, _)| *url == worker.url);
            if let Some((_, _, index)) = known {
                return Some(*index);
            }
        }
        // DIVERGE: httpd keeps no connections of a worker whose path has a `$1`, unless told to. The host is always the same.
        self.plain(config, server, worker, Keep::Pool)
    }

    fn plain(
        &mut self,
        config: &Config,
        server: &Server,
        worker: &model::Worker,
        keeps: Keep,
    ) -> Option<u32> {
        let index = u32::try_from(self.proxy.workers.len()).ok()?;
        let member = match Member::plain(worker, self.board, index) {
            Ok(member) => member,
            Err(error) => {
                self.complaints
                    .push(Diagnostic::error(error.to_string()).at(&worker.place));
                return None;
            }
        };
        let place = self.place(config, server, &worker.url, &worker.params, keeps);
        self.proxy.workers.push(Plain { member, place });
        Some(index)
    }

    /// A target without a worker, as of `SetHandler proxy:`: the worker whose URL begins it, else one of its own without kept connections.
    fn direct(
        &mut self,
        config: &Config,
        server: &Server,
        url: &WorkerUrl,
        site: &SiteProxy,
    ) -> Option<u32> {
        if let Some(index) = site.longest(&url.name, url.unix_socket.as_deref()) {
            return Some(index);
        }
        let worker = model::Worker {
            url: url.clone(),
            id22: config.next_id22,
            params: MemberParams::default(),
            is_template: false,
            inherited: false,
            place: crate::config::Place::new("proxy:reverse", 0),
        };
        self.plain(config, server, &worker, Keep::Never)
    }

    /// The index of a balancer; the main server's when a virtual host inherited it unchanged.
    fn balancer(
        &mut self,
        config: &Config,
        server: &Server,
        balancer: &model::Balancer,
    ) -> Option<u32> {
        let is_main = server.defined_at.is_none();
        if balancer.inherited
            && config
                .main
                .proxy
                .balancer(&balancer.name)
                .is_some_and(|main| main.params == balancer.params)
        {
            return self.proxy.sites.first()?.balancer(&balancer.name);
        }
        let vhost = identity(server, is_main);
        let registered = Balancer::register(balancer, &vhost, self.board, self.methods);
        let registered = match registered {
            Ok(registered) => registered,
            Err(error) => {
                self.complaints
                    .push(Diagnostic::error(error.to_string()).at(&balancer.place));
                return None;
            }
        };
        let places = balancer
            .members
            .iter()
            .map(|member| self.place(config, server, &member.url, &member.params, Keep::Pool))
            .collect();
        let index = u32::try_from(self.proxy.clusters.len()).ok()?;
        self.proxy.clusters.push(Cluster {
            balancer: registered,
            places,
        });
        Some(index)
    }

    /// What a server allows of forward proxying.
    fn forward(&mut self, config: &Config, server: &Server) -> Option<Forward> {
        if !server.proxy.requests.or(false) {
            return None;
        }
        let http = scheme::find(self.schemes, "http")
            .filter(|_| config.modules.has("proxy_http_module"))
            .map(|scheme| {
                self.place_less(server, traces::FORWARD, Address::Planned, scheme.codec())
            });
        let connect = config.modules.has("proxy_connect_module").then(|| {
            let codec = |_: Limits| Box::new(Raw::default()) as Box<dyn ClientCodec>;
            self.place_less(server, traces::FORWARD, Address::Planned, codec)
        });
        Some(Forward {
            http,
            connect,
            ports: server.proxy.connect_ports.clone(),
        })
    }

    /// The proxies behind this one.
    fn remotes(&mut self, server: &Server) -> Remotes {
        let mut remotes = Remotes {
            list: Vec::new(),
            no_proxy: server.proxy.no_proxy.clone(),
        };
        for remote in &server.proxy.remotes {
            let Some(scheme) = scheme::find(self.schemes, "http") else {
                continue;
            };
            let address = Address::Tcp {
                host: remote.host.clone(),
                port: remote.port,
            };
            let label = format!("the proxy {address}");
            let backend = self.place_less(server, &label, address, scheme.codec());
            match Remote::compile(remote, backend) {
                Ok(remote) => remotes.list.push(remote),
                Err(error) => self
                    .complaints
                    .push(Diagnostic::error(error).at(&remote.place)),
            }
        }
        remotes
    }

    /// A backend that is no worker's.
    fn place_less(
        &mut self,
        server: &Server,
        label: &str,
        address: Address,
        codec: fn(Limits) -> Box<dyn ClientCodec>,
    ) -> &'static Backend {
        let params = MemberParams::default();
        let backend: &'static Backend = Box::leak(Box::new(Backend {
            index: u32::try_from(self.proxy.backends.len()).expect("far fewer backends than 2^32"),
            label: label.to_owned(),
            address,
            codec,
            limits: limits(&params),
            pool: pool_rules(server, &params, Keep::Pool),
        }));
        self.proxy.backends.push(backend);
        backend
    }

    /// Where a worker or member is dialled.
    fn place(
        &mut self,
        config: &Config,
        server: &Server,
        url: &WorkerUrl,
        params: &MemberParams,
        keeps: Keep,
    ) -> Place {
        let scheme = scheme::find(self.schemes, &url.scheme);
        let backend = scheme.map(|scheme| {
            let backend: &'static Backend = Box::leak(Box::new(Backend {
                index: u32::try_from(self.proxy.backends.len())
                    .expect("far fewer backends than 2^32"),
                label: url.visible(),
                address: address(url, &config.paths.runtime_dir),
                codec: scheme.codec(),
                limits: limits(params),
                pool: pool_rules(server, params, stricter(keeps, scheme.keeps())),
            }));
            self.proxy.backends.push(backend);
            backend
        });
        Place {
            backend,
            scheme,
            upgrades: Upgrades::new(
                params.upgrade.get().map(String::as_str),
                scheme.and_then(Scheme::upgrade),
            ),
            scheme_name: url.scheme.clone(),
            front: format!("{}://{}", url.scheme, url.authority()),
            base: url.path.clone().into_bytes(),
            host: host_field(url).into_bytes(),
            is_filled: url.has_capture_in_authority(),
            name: url.host.clone(),
            timeout: params
                .timeout_s
                .get()
                .map(|&s| Duration::from_secs(u64::from(s))),
            ping: params
                .ping_ms
                .get()
                .map(|&ms| Duration::from_millis(u64::from(ms))),
        }
    }
}

impl SiteProxy {
    /// Who takes the requests of a mapping.
    fn way(&self, pass: &ProxyPass, front: Option<&str>) -> Way {
        let PassTarget::Url {
            to, unix_socket, ..
        } = &pass.target
        else {
            return Way::Nobody;
        };
        match to {
            Destination::Balancer(_) if front.is_none() => Way::NamedBalancer,
            Destination::Balancer(name) => self.balancer(name).map_or(Way::Nobody, Way::Balancer),
            Destination::Worker(name) => {
                let Some(own) = self.workers.iter().find(|(url, _, _)| url.name == *name) else {
                    return Way::Nobody;
                };
                // Every worker at the same place could be the one with the longest path that begins the request's.
                let mut candidates: Vec<(Vec<u8>, u32)> = self
                    .workers
                    .iter()
                    .filter(|(url, is_template, _)| {
                        !is_template
                            && url.unix_socket == *unix_socket
                            && front.is_some_and(|front| {
                                format!("{}://{}", url.scheme, url.authority()) == front
                            })
                    })
                    .map(|(url, _, index)| (url.path.clone().into_bytes(), *index))
                    .collect();
                candidates.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
                if candidates.last().is_none_or(|(_, index)| *index != own.2) {
                    candidates.push((Vec::new(), own.2));
                }
                Way::Workers(candidates)
            }
        }
    }

    /// The plain worker with the longest path that begins a request's, of those at this place.
    pub(super) fn worker_at(&self, front: &str, path: &[u8]) -> Option<u32> {
        let here = self.workers.iter().filter(|(url, is_template, _)| {
            // No request chooses a socket (CVE-2021-44224).
            !is_template
                && url.unix_socket.is_none()
                && url.userinfo.is_none()
                && path.starts_with(url.path.as_bytes())
                && front
                    .strip_prefix(&url.scheme)
                    .and_then(|rest| rest.strip_prefix("://"))
                    == Some(url.authority().as_str())
        });
        here.max_by_key(|(url, _, _)| url.path.len())
            .map(|(_, _, index)| *index)
    }

    /// The plain worker with the longest name that begins a URL.
    fn longest(&self, url: &str, socket: Option<&Path>) -> Option<u32> {
        self.workers
            .iter()
            .filter(|(worker, is_template, _)| {
                !is_template
                    && worker.unix_socket.as_deref() == socket
                    && url.starts_with(&worker.name)
            })
            .max_by_key(|(worker, _, _)| worker.name.len())
            .map(|(_, _, index)| *index)
    }
}

/// The targets of mappings that a virtual host inherited without their workers: ProxyPassInherit and BalancerInherit are off.
fn orphans(server: &Server) -> Vec<WorkerUrl> {
    let mut urls: Vec<WorkerUrl> = Vec::new();
    let sections = server
        .locations
        .iter()
        .filter_map(|location| location.dir.pass.get().map(|pass| &**pass));
    for pass in server.proxy.passes.iter().chain(sections) {
        let PassTarget::Url {
            text,
            unix_socket,
            to: Destination::Worker(name),
        } = &pass.target
        else {
            continue;
        };
        if server.proxy.worker(name).is_some() || urls.iter().any(|url| url.name == *name) {
            continue;
        }
        if let Ok(mut url) = WorkerUrl::parse(text) {
            url.unix_socket.clone_from(unix_socket);
            name.clone_into(&mut url.name);
            urls.push(url);
        }
    }
    urls
}

/// The targets of `SetHandler proxy:` in a server's sections.
fn direct_urls(server: &Server) -> impl Iterator<Item = &WorkerUrl> {
    let dirs = server.sections().map(|(dir, _)| dir);
    dirs.filter_map(|dir: &DirConfig| match dir.set_handler.get()? {
        Handler::Proxy(url) => Some(url),
        Handler::None | Handler::Named(_) => None,
    })
}

/// The scheme handlers of httpd that decline an `http:` URL before mod_proxy_http takes it, in the order in which they were loaded.
fn decliners(loaded: &[String]) -> Vec<&'static str> {
    loaded
        .iter()
        .take_while(|module| *module != "proxy_http_module")
        .filter_map(|module| match module.as_str() {
            "proxy_ajp_module" => Some("AJP"),
            "proxy_connect_module" => Some("CONNECT"),
            "proxy_ftp_module" => Some("FTP"),
            "proxy_scgi_module" => Some("SCGI"),
            _ => None,
        })
        .collect()
}

fn address(url: &WorkerUrl, runtime_dir: &Path) -> Address {
    match &url.unix_socket {
        Some(path) => Address::Unix(runtime_dir.join(path)),
        None if url.has_capture_in_authority() => Address::Planned,
        None => Address::Tcp {
            host: url.host.clone(),
            port: url.port_or_default().unwrap_or(80),
        },
    }
}

/// The backend as `Host` has it. httpd leaves out port 80 whatever the scheme.
fn host_field(url: &WorkerUrl) -> String {
    let authority = url.authority();
    match authority.strip_suffix(":80") {
        Some(host) if url.port == Some(80) => host.to_owned(),
        _ => authority,
    }
}

/// A response has at most so many field lines.
const RESPONSE_FIELDS_MAX: usize = 1000;

fn limits(params: &MemberParams) -> Limits {
    let size = match params.response_field_bytes.or(0) {
        0 => 8192,
        bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
    };
    // httpd counts no response fields: one bad backend could fill the memory.
    Limits {
        line: size,
        field_size: size,
        fields: RESPONSE_FIELDS_MAX,
    }
}

fn pool_rules(server: &Server, params: &MemberParams, keeps: Keep) -> PoolRules {
    let seconds = |s: u32| Duration::from_secs(u64::from(s));
    let max = params.max.or(0);
    let io_timeout_s = params
        .timeout_s
        .get()
        .or_else(|| server.proxy.timeout_s.get())
        .copied();
    let connect_timeout = match params.connection_timeout_ms.get() {
        Some(&ms) => Duration::from_millis(u64::from(ms)),
        None => seconds(io_timeout_s.unwrap_or_else(|| server.timeout_s.or(60))),
    };
    let is_wanted = match keeps {
        Keep::Pool => params.reuse.or(true),
        Keep::OnRequest => params.reuse.or(false),
        Keep::Never => false,
    };
    PoolRules {
        max,
        smax: params
            .smax
            .get()
            .copied()
            .unwrap_or(if max == 0 { u32::MAX } else { max }),
        ttl: params.ttl_s.get().map(|&s| seconds(s)),
        acquire: params
            .acquire_ms
            .get()
            .map(|&ms| Duration::from_millis(u64::from(ms))),
        connect_timeout,
        keepalive: params.tcp_keepalive.or(false),
        // A name that is resolved for each request cannot have connections that outlive one.
        reuse: is_wanted && params.address_ttl_s.or(-1) != 0,
    }
}

fn stricter(one: Keep, other: Keep) -> Keep {
    match (one, other) {
        (Keep::Never, _) | (_, Keep::Never) => Keep::Never,
        (Keep::OnRequest, _) | (_, Keep::OnRequest) => Keep::OnRequest,
        (Keep::Pool, Keep::Pool) => Keep::Pool,
    }
}
