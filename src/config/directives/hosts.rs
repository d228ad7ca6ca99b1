//! Which server a request is for: listeners, virtual hosts and their names.
//!
//! Know first: an address is read the same way in `Listen` and in a `<VirtualHost>` line, but only the latter may hold a name, which is
//! resolved when the server starts.

use crate::config::args::{Word, choice, is_glob};
use crate::config::directive::{Arity, Contexts, Directive, SectionKind};
use crate::config::model::{
    Alias, Listen, Server, ServerName, UseCanonicalName, VhostAddr, VhostIp,
};
use crate::config::scope::{Args, Complaint, Scope};
use std::net::IpAddr;

const CORE: &str = "core_module";
const SERVER: Contexts = Contexts::SERVER;
const SERVERS: Contexts = Contexts::SERVERS;
const ANYWHERE: Contexts = Contexts::ANYWHERE;

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::section(
        "<VirtualHost",
        CORE,
        SERVER,
        "a server of its own for some addresses or names",
        "<VirtualHost *:80>\nServerName a\n</VirtualHost>",
        SectionKind::VirtualHost,
    ),
    Directive::new(
        "Listen",
        "mpm_common",
        Arity::Raw,
        SERVER,
        "a port, or an address and a port, and optionally the protocol there",
        "Listen 127.0.0.1:8080 http",
        listen,
    ),
    Directive::new(
        "ServerName",
        CORE,
        Arity::One,
        SERVERS,
        "the server's own name and port",
        "ServerName http://www.example.com:80",
        server_name,
    ),
    Directive::new(
        "ServerAlias",
        CORE,
        Arity::Raw,
        Contexts::VHOST,
        "other names of the virtual host, with wildcards",
        "<VirtualHost *>\nServerAlias a *.b\n</VirtualHost>",
        server_alias,
    ),
    Directive::new(
        "NameVirtualHost",
        CORE,
        Arity::One,
        SERVER,
        "no longer needed: virtual hosts share addresses by themselves",
        "NameVirtualHost *:80",
        |scope, _| {
            let place = scope.place().clone();
            let message = format!(
                "AH00548: NameVirtualHost has no effect and will be removed in the next \
                release {place}"
            );
            scope.warn(
                Complaint::new(message)
                    .hint("remove the line: virtual hosts share addresses by themselves"),
            );
            Ok(())
        },
    ),
    Directive::new(
        "UseCanonicalName",
        CORE,
        Arity::One,
        ANYWHERE,
        "which name self-referring URLs carry",
        "UseCanonicalName On",
        |scope, args| {
            let choices = [
                ("off", UseCanonicalName::Off),
                ("on", UseCanonicalName::On),
                ("dns", UseCanonicalName::Dns),
            ];
            let value = choice(args.text(0), &choices);
            let value = value
                .ok_or_else(|| args.complaint(0, "parameter must be 'on', 'off', or 'dns'"))?;
            if scope.is_server_wide() {
                if value == UseCanonicalName::Dns {
                    scope.directive_is_later("UseCanonicalName Dns");
                }
                scope.server.use_canonical_name = scope.set(value);
            }
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "UseCanonicalPhysicalPort",
        CORE,
        Arity::Flag,
        ANYWHERE,
        "self-referring URLs carry the port that was connected to",
        "UseCanonicalPhysicalPort On",
        |scope, args| {
            if scope.is_server_wide() {
                scope.server.use_canonical_physical_port = scope.set(args.flag()?);
            }
            Ok(())
        },
    )
    .default("Off"),
];

fn listen(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    if !matches!(args.words.len(), 1..=2) {
        return Err(Complaint::new("Listen requires 1 or 2 arguments."));
    }
    let text = args.text(0);
    let (ip, port) = address(text).map_err(|message| {
        args.complaint(0, message)
            .hint("write `PORT`, `ADDRESS:PORT` or `[ADDRESS]:PORT`")
    })?;
    let port = port
        .filter(|port| *port != 0)
        .ok_or_else(|| args.complaint(0, "Port must be specified"))?;
    let ip = match ip {
        VhostIp::Any => None,
        VhostIp::Ip(ip) => Some(ip),
        VhostIp::Name(_) => {
            return Err(args
                .complaint(0, "Invalid address or port")
                .hint("listen on a numeric address"));
        }
    };
    if scope
        .build
        .config
        .listens
        .iter()
        .any(|known| known.ip == ip && known.port == port)
    {
        return Err(args.complaint(0, "Cannot define multiple Listeners on the same IP:port"));
    }
    scope.build.config.listens.push(Listen {
        text: text.to_owned(),
        ip,
        port,
        protocol: args.words.get(1).map(|word| word.text.to_ascii_lowercase()),
        place: scope.place().clone(),
    });
    Ok(())
}

/// Reads `PORT`, `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT`, `*:PORT`; fails with httpd's words.
fn address(text: &str) -> Result<(VhostIp, Option<u16>), &'static str> {
    const INVALID: &str = "Invalid address or port";
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok((VhostIp::Any, Some(text.parse().map_err(|_| INVALID)?)));
    }
    let (host, port) = if text.starts_with('[') {
        let (host, rest) = text.split_at(text.find(']').ok_or(INVALID)? + 1);
        match rest {
            "" => (host, None),
            _ => (host, Some(rest.strip_prefix(':').ok_or(INVALID)?)),
        }
    } else {
        text.rsplit_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let port = match port {
        None | Some("*") => None,
        Some(port) => Some(port.parse().map_err(|_| INVALID)?),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let ip = match bare.parse::<IpAddr>() {
        Ok(ip) => VhostIp::Ip(ip),
        Err(_) if host.starts_with('[') || host.is_empty() => return Err(INVALID),
        Err(_) if bare == "*" || bare.eq_ignore_ascii_case("_default_") => VhostIp::Any,
        Err(_) => VhostIp::Name(bare.to_ascii_lowercase()),
    };
    Ok((ip, port))
}

/// Reads the words of a `<VirtualHost>` line into a server without contents.
pub(in crate::config) fn vhost(scope: &Scope<'_>, words: &[Word]) -> Result<Server, Complaint> {
    let mut addresses = Vec::new();
    for word in words {
        let (ip, port) = address(&word.text)
            .map_err(|_| Complaint::new("The address or port is invalid").on(word))?;
        addresses.push(VhostAddr {
            text: word.text.clone(),
            ip,
            port,
        });
    }
    Ok(Server {
        addresses,
        defined_at: Some(scope.place().clone()),
        ..Server::default()
    })
}

fn server_name(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let text = args.text(0);
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, text),
    };
    let is_bare_ipv6 = rest.parse::<std::net::Ipv6Addr>().is_ok();
    let bracketed_end = rest.find(']');
    let (host, port) = match rest.find(':') {
        _ if is_bare_ipv6 => (rest, None),
        Some(colon) if bracketed_end.is_none_or(|end| end < colon) => {
            rest.split_at(colon).into_port()
        }
        Some(_) => bracketed_end.map_or((rest, None), |end| rest.split_at(end + 1).into_port()),
        None => (rest, None),
    };
    let port = match port {
        None => None,
        Some(port) => Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| {
            args.complaint_from(0, text.len() - port.len(), format!("The port number \"{text}\" is outside the appropriate range (i.e., 1..65535)."))
        })?),
    };
    if host.is_empty() || host.contains(['/', '?', '#', '@']) {
        return Err(args.complaint(
            0,
            format!("Invalid ServerName \"{text}\" use ServerAlias to set multiple server names."),
        ));
    }
    scope.server.name = scope.set(ServerName {
        scheme,
        host: host.to_ascii_lowercase(),
        port,
    });
    Ok(())
}

/// Turns `("host", ":port")` into host and port.
trait IntoPort<'a> {
    fn into_port(self) -> (&'a str, Option<&'a str>);
}

impl<'a> IntoPort<'a> for (&'a str, &'a str) {
    fn into_port(self) -> (&'a str, Option<&'a str>) {
        (self.0, self.1.strip_prefix(':'))
    }
}

fn server_alias(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    for name in args.texts() {
        let name = name.to_ascii_lowercase();
        scope.server.aliases.push(if is_glob(&name) {
            Alias::Wild(name)
        } else {
            Alias::Exact(name)
        });
    }
    Ok(())
}
