//! Which server a request is for (httpd's vhost.c).
//!
//! Responsible for: the tables from local address and Host name to a site, made once per generation. Not
//! responsible for: reading the Host field (`http::host`), or resolving names (`server` does, before the fork).
//!
//! Know first: the address is looked at first. An exact `ip:port` beats `ip:*`, which beats `*:port` and `*:*`;
//! between the last two the one that stands first in the configuration wins. Among the servers of the address that
//! won, the first in configuration order whose ServerName or ServerAlias fits the Host name is taken; else the
//! first whose `<VirtualHost name>` is that name; else the first one. Without an address the main server is taken.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};

use super::glob::{self, Slash};
use crate::config::model::{Alias, Config, Server, VhostIp};

/// The tables of one generation. Sites are named by their position in [`super::Env::sites`].
#[derive(Debug, Default)]
pub struct Vhosts {
    /// Servers of an address literal; `None` is every port.
    by_ip: HashMap<(IpAddr, Option<u16>), Names>,
    /// Servers of every address, in the order in which they are tried.
    by_any: Vec<(Option<u16>, Names)>,
}

/// The servers that share an address.
#[derive(Debug, Default)]
pub struct Names {
    /// In configuration order; never empty.
    sites: Vec<u32>,
    /// The first server with this name, as a position in `sites`.
    exact: HashMap<Box<[u8]>, usize>,
    /// Aliases with wildcards in configuration order.
    wild: Vec<(Box<[u8]>, usize)>,
    /// What the `<VirtualHost>` lines call the address, which counts only when no name fits.
    addresses: HashMap<Box<[u8]>, usize>,
}

/// The site for a Host name, and whether the name is one that the site knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Position in [`super::Env::sites`].
    pub site: u32,
    /// False when the site is only the address's default.
    pub is_known: bool,
}

impl Vhosts {
    /// Makes the tables. `resolve` gives the addresses of a host name in a `<VirtualHost>` line; one that gives
    /// none leaves that server unreachable by this address, and the caller has said so.
    pub fn compile(config: &Config, resolve: &mut dyn FnMut(&str) -> Vec<IpAddr>) -> Self {
        let mut this = Self::default();
        let main_name = server_name(&config.main, "");
        // httpd walks its servers backwards and puts each in front, which is what decides between `*:80` and
        // `*:*`: the one whose *last* server stands first.
        for (at, vhost) in config.vhosts.iter().enumerate().rev() {
            let index =
                u32::try_from(at + 1).expect("a configuration of 4G servers does not fit memory");
            let name = server_name(vhost, &main_name);
            for address in &vhost.addresses {
                match &address.ip {
                    VhostIp::Any => {
                        this.any(address.port)
                            .add_first(index, vhost, &name, &address.text)
                    }
                    VhostIp::Ip(ip) if ip.is_unspecified() => {
                        this.any(address.port)
                            .add_first(index, vhost, &name, &address.text);
                    }
                    VhostIp::Ip(ip) => {
                        let key = (ip.to_canonical(), address.port);
                        this.by_ip.entry(key).or_default().add_first(
                            index,
                            vhost,
                            &name,
                            &address.text,
                        );
                    }
                    VhostIp::Name(host) => {
                        for ip in resolve(host) {
                            let key = (ip.to_canonical(), address.port);
                            this.by_ip.entry(key).or_default().add_first(
                                index,
                                vhost,
                                &name,
                                &address.text,
                            );
                        }
                    }
                }
            }
        }
        this.by_ip.values_mut().for_each(Names::finish);
        this.by_any.iter_mut().for_each(|(_, names)| names.finish());
        this
    }

    /// The servers of a local address; `None` means the main server alone.
    #[must_use]
    pub fn at(&self, local: SocketAddr) -> Option<&Names> {
        let (ip, port) = (local.ip().to_canonical(), local.port());
        let by_ip = if self.by_ip.is_empty() {
            None
        } else {
            self.by_ip
                .get(&(ip, Some(port)))
                .or_else(|| self.by_ip.get(&(ip, None)))
        };
        by_ip.or_else(|| {
            let mut any = self.by_any.iter();
            any.find(|(wanted, _)| wanted.is_none_or(|wanted| wanted == port))
                .map(|(_, names)| names)
        })
    }

    fn any(&mut self, port: Option<u16>) -> &mut Names {
        let at = self
            .by_any
            .iter()
            .position(|(known, _)| *known == port)
            .unwrap_or_else(|| {
                self.by_any.insert(0, (port, Names::default()));
                0
            });
        let (_, names) = self
            .by_any
            .get_mut(at)
            .expect("the entry was found or inserted at this position");
        names
    }
}

impl Names {
    /// The server for requests that name no host, or an unknown one.
    #[must_use]
    pub fn default_site(&self) -> u32 {
        self.sites.first().copied().unwrap_or(0)
    }

    /// The server for a host name in lower case, without port and final dot.
    #[must_use]
    pub fn choose(&self, host: &[u8]) -> Choice {
        let exact = self.exact.get(host).copied();
        let wild = self
            .wild
            .iter()
            .find(|(pattern, _)| glob::is_match(pattern, host, Slash::Passes));
        let named = match (exact, wild) {
            (Some(exact), Some(&(_, wild))) => Some(exact.min(wild)),
            (exact, wild) => exact.or(wild.map(|&(_, at)| at)),
        };
        let found = named.or_else(|| self.addresses.get(host).copied());
        Choice {
            site: found
                .and_then(|at| self.sites.get(at).copied())
                .unwrap_or_else(|| self.default_site()),
            is_known: found.is_some(),
        }
    }

    /// Puts a server in front of the others. Positions count from the end until [`Self::finish`].
    fn add_first(&mut self, index: u32, server: &Server, name: &str, address: &str) {
        if self.sites.last() != Some(&index) {
            self.sites.push(index);
        }
        let at = self.sites.len() - 1;
        self.exact.insert(name.as_bytes().into(), at);
        for alias in &server.aliases {
            match alias {
                Alias::Exact(alias) => {
                    self.exact.insert(alias.as_bytes().into(), at);
                }
                Alias::Wild(pattern) => self.wild.push((pattern.as_bytes().into(), at)),
            }
        }
        let host = without_port(address).to_ascii_lowercase();
        match self.addresses.entry(host.into_bytes().into()) {
            Entry::Occupied(mut known) => *known.get_mut() = at,
            Entry::Vacant(free) => {
                free.insert(at);
            }
        }
    }

    /// Turns everything round: until now the last server of the configuration was at position 0.
    fn finish(&mut self) {
        let last = self.sites.len().saturating_sub(1);
        self.sites.reverse();
        self.exact
            .values_mut()
            .chain(self.addresses.values_mut())
            .for_each(|at| *at = last - *at);
        self.wild.iter_mut().for_each(|(_, at)| *at = last - *at);
        self.wild.sort_by_key(|&(_, at)| at);
    }
}

/// The name that a server answers to in lower case: its own; for a virtual host of every address the main
/// server's; else what its `<VirtualHost>` line says, because reverse lookups are not made.
#[must_use]
pub fn server_name(server: &Server, main_name: &str) -> String {
    if let Some(name) = server.name.get() {
        return name.host.clone();
    }
    match server.addresses.first() {
        Some(address)
            if !server
                .addresses
                .iter()
                .any(|address| address.ip == VhostIp::Any) =>
        {
            without_port(&address.text).to_ascii_lowercase()
        }
        _ => main_name.to_owned(),
    }
}

/// The host part of an address as written in a `<VirtualHost>` line.
pub(super) fn without_port(text: &str) -> &str {
    match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => text.split(':').next().unwrap_or_default(),
    }
}
