//! From a configuration to an environment: everything that children borrow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use scoreboard::Board;

use crate::admin;
use crate::config::{self, Config, Diagnostic};
use crate::mpm::{ListenOptions, Settled};
use crate::proxy::{self, Proxy};
use crate::request::{Env, Handler, Site, Vhosts};
use crate::sys::privileges::{self, Identity};
use crate::sys::{cpu, resolver, socket};

use super::logs::{self, SiteLogs};
use super::{Extensions, PRODUCT};

/// Reads the configuration.
///
/// # Errors
/// Everything that is wrong with it, rendered.
pub(super) fn load(options: &config::Options<'_>) -> Result<Config, String> {
    config::load_judged(options, logs::JUDGES).map_err(|errors| config::render(&errors))
}

/// Compiles a configuration. Members are registered in the scoreboard last, when nothing else can fail any more.
///
/// # Errors
/// An expression that can't be compiled, or a scoreboard that is full.
pub(super) fn environment(
    config: Config,
    board: &'static Board,
    generation: u32,
    extensions: Extensions,
    logs: Option<Vec<SiteLogs>>,
) -> Result<(Env, &'static Proxy), Vec<Diagnostic>> {
    let config: &'static Config = Box::leak(Box::new(config));
    let mut proxy = Proxy::compile(config, board, extensions.methods, extensions.schemes)?;
    let unknown = proxy.find_blocked(&mut look_up);
    let proxy: &'static Proxy = Box::leak(Box::new(proxy));
    let mut handlers: Vec<&'static dyn Handler> = vec![proxy];
    handlers.extend(ADMIN);
    let main_name = host_name();
    let mut sites = Vec::new();
    let mut errors = Vec::new();
    for (index, server) in (0..).zip(config.servers()) {
        match Site::compile(index, server, &main_name, &handlers) {
            Ok(site) => sites.push(site),
            Err(others) => errors.extend(others),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    if let Some(main) = sites.first_mut() {
        main.notes.extend(unfound(config, &unknown));
    }
    if let Some(logs) = logs {
        logs::attach(&mut sites, logs);
    }
    let env = Env {
        config,
        board,
        sites,
        vhosts: Vhosts::compile(config, &mut resolve),
        handlers,
        backends: proxy.backends().to_vec(),
        generation,
        product: PRODUCT.to_owned(),
    };
    Ok((env, proxy))
}

/// The admin pages.
static ADMIN: [&dyn Handler; 2] = [
    &admin::BalancerManager {
        identity: site_identity,
    },
    &admin::Status {
        load: cpu::load_average,
        identity: site_identity,
    },
];

fn site_identity(site: &Site) -> String {
    proxy::identity(&site.server, site.index == 0)
}

/// What the operator should be told about a configuration that is right. Virtual hosts inherit sections, but each is told of once.
pub(super) fn notes(env: &Env) -> Vec<Diagnostic> {
    let of_config = env.config.notes.iter().cloned();
    let of_logs = logs::notes(env.config);
    let of_sites = env.sites.iter().flat_map(|site| site.notes.iter().cloned());
    let mut notes: Vec<Diagnostic> = Vec::new();
    for note in of_config.chain(of_logs).chain(of_sites) {
        let note = env.config.quote(note);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// Errors with the lines that they are about, as text for the operator.
pub(super) fn rendered(config: &Config, errors: Vec<Diagnostic>) -> String {
    let quoted = errors.into_iter().map(|error| config.quote(error));
    config::render(&quoted.collect::<Vec<_>>())
}

/// Who the children become.
///
/// # Errors
/// The user or group does not exist.
pub(super) fn identity(config: &Config) -> Result<Option<Identity>, String> {
    let Some(user) = config.user.get().filter(|_| privileges::are_root()) else {
        return Ok(None);
    };
    Identity::resolve(user, config.group.get().map(String::as_str))
        .map(Some)
        .map_err(|error| error.to_string())
}

/// The addresses to listen on. A port alone is every address: one IPv6 socket takes IPv4 too where there is IPv6.
pub(super) fn listens(config: &Config) -> Vec<SocketAddr> {
    let any = if socket::has_ipv6() {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    };
    config
        .listens
        .iter()
        .map(|listen| SocketAddr::new(listen.ip.unwrap_or(any), listen.port))
        .collect()
}

/// The socket options of the listeners.
pub(super) fn listen_options(config: &Config, settled: &Settled) -> ListenOptions {
    ListenOptions {
        backlog: settled.listen_backlog,
        send_buffer_bytes: config.mpm.send_buffer_bytes.or(0),
        receive_buffer_bytes: config.mpm.receive_buffer_bytes.or(0),
    }
}

/// The names that virtual hosts are given by, asked of the system once, at start.
fn resolve(host: &str) -> Vec<IpAddr> {
    use std::net::ToSocketAddrs as _;
    #[expect(
        clippy::disallowed_methods,
        reason = "before the first fork nothing else is kept waiting"
    )]
    let found = (host, 0).to_socket_addrs();
    found.map_or_else(
        |_| Vec::new(),
        |addresses| addresses.map(|address| address.ip()).collect(),
    )
}

/// Warnings about words of ProxyBlock that look like hosts and have no address.
fn unfound(config: &Config, names: &[String]) -> Vec<Diagnostic> {
    let blocks = config.servers().flat_map(|server| &server.proxy.blocks);
    blocks
        .filter(|block| names.contains(&block.word))
        .map(|block| {
            let word = &block.word;
            Diagnostic::warning(format!(
                "ProxyBlock: no address of `{word}` was found; names that contain it are blocked, other names of the host are not"
            ))
            .at(&block.place)
            .under(word)
        })
        .collect()
}

/// The addresses of hosts that ProxyBlock names. A start is not held up by names that nobody knows.
fn look_up(hosts: &[&str]) -> Vec<Vec<IpAddr>> {
    let found = resolver::look_up_aside(hosts, LOOK_UP_PATIENCE);
    found.unwrap_or_else(|_| vec![Vec::new(); hosts.len()])
}

/// How long a start waits for the addresses of blocked hosts.
const LOOK_UP_PATIENCE: Duration = Duration::from_secs(5);

fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "localhost".to_owned())
}
