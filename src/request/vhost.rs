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
                let ips = match &address.ip {
                    ip if is_any(ip) => {
                        let names = this.any(address.port);
                        names.add_first(index, vhost, &name, &address.text);
                        continue;
                    }
                    VhostIp::Any => Vec::new(),
                    VhostIp::Ip(ip) => vec![*ip],
                    VhostIp::Name(host) => resolve(host),
                };
                for ip in ips {
                    let names = this.by_ip.entry((ip.to_canonical(), address.port));
                    let names = names.or_default();
                    names.add_first(index, vhost, &name, &address.text);
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
            (Some(exact), None) => Some(exact),
            (None, wild) => wild.map(|&(_, at)| at),
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

/// Every address of the machine: `*`, or an unspecified address, which httpd takes for the same.
fn is_any(ip: &VhostIp) -> bool {
    match ip {
        VhostIp::Any => true,
        VhostIp::Ip(ip) => ip.is_unspecified(),
        VhostIp::Name(_) => false,
    }
}

/// The host part of an address as written in a `<VirtualHost>` line.
pub(super) fn without_port(text: &str) -> &str {
    match text.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => text.split(':').next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{config, named, set, vhost};
    use super::*;
    use crate::config::model::ServerName;

    /// The virtual hosts of most rows, by their position from 1.
    fn hosts() -> Vec<Server> {
        let mut aliased = vhost("*:80", "aliased");
        aliased.aliases = vec![
            Alias::Exact("also".into()),
            Alias::Wild("*.wild.example".into()),
        ];
        vec![
            vhost("*:80", "first"),                    // 1
            aliased,                                   // 2
            vhost("*:80", "www.wild.example"),         // 3
            vhost("192.0.2.1:80", "exact"),            // 4
            vhost("192.0.2.1:80", "exact2"),           // 5
            vhost("192.0.2.1", "anyport"),             // 6
            vhost("*:*", "everywhere"),                // 7
            vhost("[2001:db8::1]:80", "six"),          // 8
            vhost("www.example.com:80", ""),           // 9
            vhost("192.0.2.2:80 192.0.2.3:80", "two"), // 10
            vhost("192.0.2.3:80", "three"),            // 11
        ]
    }

    #[test]
    fn servers_are_chosen_by_address_then_name() {
        let main = Server {
            name: named("main"),
            ..Server::default()
        };
        let config = config(main, hosts());
        let vhosts = Vhosts::compile(&config, &mut |_| vec![IpAddr::from([192, 0, 2, 80])]);
        let rows = [
            ("exact_address_beats_wildcards", "192.0.2.1:80", "first", 4),
            ("name_among_the_address", "192.0.2.1:80", "exact2", 5),
            (
                "ip_with_any_port_when_the_port_differs",
                "192.0.2.1:81",
                "exact2",
                6,
            ),
            ("any_address_on_the_port", "192.0.2.9:80", "nobody", 1),
            ("an_alias", "192.0.2.9:80", "also", 2),
            (
                "a_wildcard_alias_stands_before_a_later_name",
                "192.0.2.9:80",
                "www.wild.example",
                2,
            ),
            ("no_host", "192.0.2.9:80", "", 1),
            ("another_port", "192.0.2.9:8080", "first", 7),
            ("ipv6", "[2001:db8::1]:80", "first", 8),
            ("mapped_ipv4_is_ipv4", "[::ffff:192.0.2.1]:80", "exact", 4),
            ("a_resolved_name", "192.0.2.80:80", "www.example.com", 9),
            (
                "first_of_two_on_the_second_address",
                "192.0.2.3:80",
                "three",
                11,
            ),
            ("default_of_the_second_address", "192.0.2.3:80", "x", 10),
            ("default_of_the_first_address", "192.0.2.2:80", "three", 10),
        ];
        for (row, local, host, site) in rows {
            let names = vhosts
                .at(local.parse().unwrap())
                .unwrap_or_else(|| panic!("{row}"));
            assert_eq!(names.choose(host.as_bytes()).site, site, "{row}");
        }
    }

    #[test]
    fn without_an_address_the_main_server_is_taken() {
        let config = config(Server::default(), vec![vhost("192.0.2.1:80", "a")]);
        let vhosts = Vhosts::compile(&config, &mut |_| Vec::new());
        assert!(vhosts.at("192.0.2.2:80".parse().unwrap()).is_none());
        assert!(vhosts.at("192.0.2.1:81".parse().unwrap()).is_none());
    }

    #[test]
    fn between_any_address_with_and_without_port_the_first_in_the_file_wins() {
        for (first, second) in [("*:80", "*:*"), ("*:*", "*:80")] {
            let config = config(
                Server::default(),
                vec![vhost(first, "a"), vhost(second, "b")],
            );
            let vhosts = Vhosts::compile(&config, &mut |_| Vec::new());
            let names = vhosts.at("192.0.2.2:80".parse().unwrap()).unwrap();
            assert_eq!(names.default_site(), 1, "{first} {second}");
        }
    }

    #[test]
    fn a_server_without_a_name_answers_to_the_main_servers() {
        let main = Server {
            name: set(ServerName {
                scheme: None,
                host: "main".into(),
                port: None,
            }),
            ..Server::default()
        };
        let config = config(main, vec![vhost("*:80", "a"), vhost("*:80", "")]);
        let vhosts = Vhosts::compile(&config, &mut |_| Vec::new());
        let names = vhosts.at("192.0.2.2:80".parse().unwrap()).unwrap();
        assert_eq!(
            names.choose(b"main"),
            Choice {
                site: 2,
                is_known: true
            }
        );
        assert_eq!(
            names.choose(b"other"),
            Choice {
                site: 1,
                is_known: false
            }
        );
    }
}
