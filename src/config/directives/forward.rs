//! mod_proxy's forward proxy, mod_proxy_connect, and proxies behind this one.
//!
//! Know first: who may use a forward proxy is said by access rules in `<Proxy>` sections, and nowhere else. That a server without any is
//! open to everybody is told when sections are compiled (`request::site`), because only there they are merged.

use super::workers::next_id22;
use crate::config::args::Word;
use crate::config::directive::{Arity, Contexts, Directive};
use crate::config::model::{
    Block, Credentials, NoProxy, PortRange, Remote, RemoteMatch, default_port, mask,
};
use crate::config::scope::{Args, Complaint, Scope};
use crate::config::walk::check_regex;
use std::net::{IpAddr, Ipv4Addr};

const PROXY: &str = "proxy_module";
const SERVERS: Contexts = Contexts::SERVERS;

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::new(
        "ProxyRequests",
        PROXY,
        Arity::Flag,
        SERVERS,
        "be a forward proxy; Off does not touch mappings",
        "ProxyRequests Off",
        |scope, args| {
            let on = args.flag()?;
            if on && scope.server.proxy.forward_id22.is_none() {
                scope.server.proxy.forward_id22 = Some(next_id22(scope));
            }
            scope.server.proxy.requests = scope.set(on);
            Ok(())
        },
    )
    .long(
        "Say who may use it with access rules in `<Proxy \"*\">`: without any, everybody may, from this server's address.",
    )
    .default("Off"),
    Directive::new(
        "AllowCONNECT",
        "proxy_connect_module",
        Arity::OneOrMore,
        SERVERS,
        "A list of ports or port ranges which CONNECT may connect to",
        "AllowCONNECT 443 8443 9000-9010",
        |scope, args| {
            for word in &args.words {
                let range = port_range(scope, word)?;
                scope.server.proxy.connect_ports.push(range);
            }
            Ok(())
        },
    )
    .long("Those of the main server hold in virtual hosts as well.")
    .default("443 563"),
    Directive::new(
        "ProxyRemote",
        PROXY,
        Arity::TwoOrThree,
        SERVERS,
        "a scheme, partial URL or '*' and a proxy server",
        "ProxyRemote * http://proxy.example.com:3128",
        |scope, args| {
            let word = args.text(0);
            let matches = if word == "*" {
                RemoteMatch::All
            } else if word.contains(':') {
                RemoteMatch::Prefix(word.to_owned())
            } else {
                RemoteMatch::Scheme(word.to_owned())
            };
            remote(scope, args, matches)
        },
    )
    .long(
        "Requests for such URLs go through that proxy, with `user:password` as third word if it wants them. The lines are tried in \
                order; NoProxy exempts hosts.",
    ),
    Directive::new(
        "ProxyRemoteMatch",
        PROXY,
        Arity::TwoOrThree,
        SERVERS,
        "a regex pattern and a proxy server",
        "ProxyRemoteMatch \"^http://[^/]*\\.example/\" http://proxy.example.com:3128",
        |scope, args| {
            if let Some(word) = args.words.first() {
                let message = "Regular expression for ProxyRemoteMatch could not be compiled.";
                check_regex(word, message)?;
            }
            remote(scope, args, RemoteMatch::Regex(args.text(0).to_owned()))
        },
    ),
    Directive::new(
        "NoProxy",
        PROXY,
        Arity::OneOrMore,
        SERVERS,
        "A list of domains, hosts, or subnets to which the proxy will connect directly",
        "NoProxy .example.com 10.0.0.0/8",
        |scope, args| {
            for word in &args.words {
                let entry = no_proxy(scope, word);
                if !scope.server.proxy.no_proxy.contains(&entry) {
                    scope.server.proxy.no_proxy.push(entry);
                }
            }
            Ok(())
        },
    )
    .long("A network holds for hosts that have an address in it."),
    Directive::new(
        "ProxyBlock",
        PROXY,
        Arity::OneOrMore,
        SERVERS,
        "A list of names, hosts or domains to which the proxy will not connect",
        "ProxyBlock ads.example.com 192.0.2.7",
        |scope, args| {
            for word in args.texts() {
                let word = word.to_ascii_lowercase();
                let place = scope.place().clone();
                let blocks = &mut scope.server.proxy.blocks;
                if !blocks.iter().any(|block| block.word == word) {
                    blocks.push(Block { word, place });
                }
            }
            Ok(())
        },
    )
    .long(
        "A host is meant when the word is part of its name, when it has an address of the host that the word names, or when the word is \
                `*`. Backends of mappings are meant too.",
    ),
    Directive::new(
        "ProxyDomain",
        PROXY,
        Arity::One,
        SERVERS,
        "The default intranet domain name (in absence of a domain in the URL)",
        "ProxyDomain .example.com",
        |scope, args| {
            let domain = args.text(0);
            if !domain.starts_with('.') {
                let complaint = args.complaint(0, "ProxyDomain: domain name must start with a dot.");
                return Err(complaint.hint(format!("write `.{domain}`")));
            }
            let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            if !domain.bytes().all(is_name) {
                return Err(args.complaint(0, "ProxyDomain: a domain name has letters, digits, `-`, `_` and dots"));
            }
            scope.server.proxy.domain = scope.set(domain.to_owned());
            Ok(())
        },
    ),
    Directive::new(
        "ProxySourceAddress",
        PROXY,
        Arity::One,
        SERVERS,
        "Configure local source IP used for request forward",
        "ProxySourceAddress 127.0.0.1",
        |scope, args| {
            let address: IpAddr = args.text(0).parse().map_err(|_| {
                let complaint = args.complaint(0, "ProxySourceAddress invalid value");
                complaint.hint("write an IP address of this machine, without port or brackets")
            })?;
            scope.server.proxy.source_address = scope.set(address);
            Ok(())
        },
    )
    .default("what the system chooses"),
];

/// One word of AllowCONNECT. One that allows no port counts too: `AllowCONNECT 0` is how CONNECT is turned off.
fn port_range(scope: &mut Scope<'_>, word: &Word) -> Result<PortRange, Complaint> {
    let text = word.text.as_str();
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(Complaint::new("AllowCONNECT: port numbers must be numeric").on(word));
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        is_number
            .then(|| digits.parse::<u32>().unwrap_or(u32::MAX))
            .ok_or_else(|| {
                Complaint::new(format!("Cannot parse '{digits}' as port number")).on(word)
            })
    };
    let (from, to) = (number(from)?, number(to)?);
    let last = u32::from(u16::MAX);
    if from > to || from > last {
        let message = format!("AllowCONNECT: `{text}` is no port that could be connected to");
        scope.warn(
            Complaint::new(message)
                .on(word)
                .hint("ports are 1 to 65535; a range begins with the lower one"),
        );
        return Ok(PortRange { from: 1, to: 0 });
    }
    let port = |number: u32| u16::try_from(number.min(last)).unwrap_or(u16::MAX);
    Ok(PortRange {
        from: port(from),
        to: port(to),
    })
}

/// A ProxyRemote or ProxyRemoteMatch.
fn remote(scope: &mut Scope<'_>, args: &Args<'_>, matches: RemoteMatch) -> Result<(), Complaint> {
    let name = args.directive.name;
    let bad = |what: &str| {
        args.complaint(
            1,
            format!("{name}: Bad syntax for a remote proxy server{what}"),
        )
    };
    let url = args.text(1);
    let (scheme, rest) = url
        .split_once("://")
        .filter(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty())
        .ok_or_else(|| bad("").hint("write `http://host:port`"))?;
    let scheme = scheme.to_ascii_lowercase();
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = split_port(authority).ok_or_else(|| bad(""))?;
    let port = match port {
        None => default_port(&scheme).unwrap_or(80),
        Some(digits) => digits
            .parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| {
                let complaint = bad(" (bad port number)");
                if authority.contains('@') {
                    complaint.hint("the user and password for it are the third word")
                } else {
                    complaint
                }
            })?,
    };
    match scheme.as_str() {
        "http" => {}
        "https" => {
            return Err(args
                .complaint(
                    1,
                    format!("{name}: a proxy that is spoken to by TLS is not available yet"),
                )
                .hint("reach it by `http://`, or put a TLS client in between"));
        }
        _ => {
            let message = format!(
                "{name}: there are no `{scheme}:` proxies; the line has no effect, as in httpd"
            );
            scope.warn(args.complaint(1, message).hint("write `http://host:port`"));
            return Ok(());
        }
    }
    let credentials = args.words.get(2);
    let remote = Remote {
        matches,
        host: host.to_ascii_lowercase(),
        port,
        credentials: credentials.map(|word| Credentials(word.text.clone())),
        place: scope.place().clone(),
    };
    scope.server.proxy.remotes.push(remote);
    Ok(())
}

/// Splits `host[:port]`, taking the brackets off an IPv6 address; `None` when there can be no such host.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        return match after.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => after.is_empty().then_some((host, None)),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b"-_.@".contains(&b);
    (!host.is_empty() && host.bytes().all(is_host)).then_some((host, port))
}

/// One word of NoProxy: a network, a domain, a host, or part of a name, in this order.
fn no_proxy(scope: &mut Scope<'_>, word: &Word) -> NoProxy {
    let text = word.text.as_str();
    if let Some(net) = network(scope, word) {
        return net;
    }
    let is_name = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
    };
    match text.strip_prefix('.') {
        Some(rest) if !rest.is_empty() && is_name(rest) => NoProxy::Domain(text.to_owned()),
        None if is_name(text) && text.contains('.') => NoProxy::Host(text.to_owned()),
        _ => NoProxy::Part(text.to_owned()),
    }
}

/// `192.168.0.0/16`, `192.168.`, `192.168.1.7`: up to four numbers, and how many bits of them count.
fn network(scope: &mut Scope<'_>, word: &Word) -> Option<NoProxy> {
    let text = word.text.as_str();
    let (quads, bits) = match text.split_once('/') {
        Some((quads, bits)) => (quads, Some(bits)),
        None => (text, None),
    };
    let dotted = quads.strip_suffix('.').unwrap_or(quads);
    let numbers: Option<Vec<u8>> = dotted.split('.').map(c_number).collect();
    let numbers = numbers.filter(|numbers| numbers.len() <= 4)?;
    let mut octets = [0; 4];
    for (octet, number) in octets.iter_mut().zip(&numbers) {
        *octet = *number;
    }
    let address = Ipv4Addr::from(octets);
    let digits = bits.filter(|bits| bits.starts_with(|first: char| first.is_ascii_digit()));
    let Some(digits) = digits else {
        let bits = guessed_bits(octets);
        if bits < 32 && !address.is_unspecified() {
            scope.warn(
                Complaint::new(format!(
                    "NetMask not supplied with IP-Addr; guessing: {address}/{bits}"
                ))
                .on(word)
                .hint(format!("write `{address}/{bits}` if that is meant")),
            );
        }
        return Some(NoProxy::Net(address, bits));
    };
    let bits: u8 = digits.parse().ok().filter(|bits| *bits <= 32)?;
    let masked = Ipv4Addr::from_bits(address.to_bits() & mask(bits));
    if masked != address {
        scope.warn(
            Complaint::new(format!("NetMask and IP-Addr disagree in {text}"))
                .on(word)
                .hint(format!("it is taken for {masked}/{bits}")),
        );
    }
    Some(NoProxy::Net(masked, bits))
}

/// How many bits count when none are given: what ends in zeros is a network.
fn guessed_bits(octets: [u8; 4]) -> u8 {
    let zeros = octets.iter().rev().take_while(|octet| **octet == 0).count();
    [32, 24, 16, 8, 0].get(zeros).copied().unwrap_or(32)
}

/// A number as C reads it: `0x` is hexadecimal, a leading `0` octal.
fn c_number(text: &str) -> Option<u8> {
    let lower = text.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        return u8::from_str_radix(hex, 16).ok();
    }
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.strip_prefix('0') {
        _ if !is_number => None,
        Some(octal) if !octal.is_empty() => u8::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        let table = [
            ("10", Some(10)),
            ("010", Some(8)),
            ("0x1F", Some(31)),
            ("0", Some(0)),
            ("255", Some(255)),
            ("256", None),
            ("", None),
            ("09", None),
            ("1a", None),
            ("-1", None),
        ];
        for (text, expected) in table {
            assert_eq!(c_number(text), expected, "{text}");
        }
    }

    #[test]
    fn networks_are_guessed_from_trailing_zeros() {
        let table = [
            ([10, 0, 0, 0], 8),
            ([192, 168, 0, 0], 16),
            ([192, 168, 1, 0], 24),
            ([192, 168, 1, 7], 32),
            ([0, 0, 0, 0], 0),
        ];
        for (octets, bits) in table {
            assert_eq!(guessed_bits(octets), bits);
        }
    }

    #[test]
    fn exempted_hosts_are_networks_domains_hosts_and_parts() {
        let domain = NoProxy::Domain(".Example.com".to_owned());
        assert!(domain.has_name("www.example.com") && domain.has_name("www.example.com."));
        assert!(!domain.has_name("example.com") && !domain.has_name("www.example.org"));
        let host = NoProxy::Host("www.example.com".to_owned());
        assert!(host.has_name("WWW.example.com.") && !host.has_name("a.www.example.com"));
        let part = NoProxy::Part("intra".to_owned());
        assert!(part.has_name("my-INTRA-net") && !part.has_name("net"));
        let net = NoProxy::Net(Ipv4Addr::new(10, 0, 0, 0), 8);
        assert!(net.has_address(Ipv4Addr::new(10, 9, 8, 7)));
        assert!(!net.has_address(Ipv4Addr::new(11, 0, 0, 0)) && !net.has_name("10.0.0.0"));
        assert!(NoProxy::Net(Ipv4Addr::UNSPECIFIED, 0).has_address(Ipv4Addr::BROADCAST));
    }
}
