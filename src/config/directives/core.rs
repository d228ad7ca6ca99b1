//! httpd's core: listeners, servers, names, limits and error pages.

use crate::config::args::{Word, choice, is_glob};
use crate::config::directive::{Arity, Contexts, Directive, SectionKind};
use crate::config::model::{
    Alias, ErrorDocument, ErrorPage, Handler, Listen, Mutex, Server, ServerName, ServerTokens,
    Signature, UseCanonicalName, VhostAddr, VhostIp, WorkerUrl, strip_prefix_ignore_case,
};
use crate::config::scope::{Args, Complaint, Scope, Subject};
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
    Directive::section(
        "<Location",
        CORE,
        SERVERS,
        "what holds for a path and everything below it",
        "<Location /app>\nSetHandler server-status\n</Location>",
        SectionKind::Location,
    )
    .long(
        "`*`, `?` and `[…]` match within one path segment. `<Location ~ regex>` \
                is `<LocationMatch regex>`. Sections apply in configuration order, the \
                later one wins.",
    ),
    Directive::section(
        "<LocationMatch",
        CORE,
        SERVERS,
        "what holds for paths that a regular expression matches",
        "<LocationMatch \"^/app[0-9]+\">\n</LocationMatch>",
        SectionKind::LocationMatch,
    ),
    Directive::section(
        "<Directory",
        CORE,
        SERVERS,
        "what holds for a directory; read, but files are not served",
        "<Directory />\nRequire all denied\n</Directory>",
        SectionKind::Directory,
    ),
    Directive::section(
        "<DirectoryMatch",
        CORE,
        SERVERS,
        "what holds for directories that match; read, but files are not served",
        "<DirectoryMatch \"^/srv\">\n</DirectoryMatch>",
        SectionKind::DirectoryMatch,
    ),
    Directive::section(
        "<Files",
        CORE,
        FILES,
        "what holds for a file name; read, but files are not served",
        "<Files \".ht*\">\nRequire all denied\n</Files>",
        SectionKind::Files,
    ),
    Directive::section(
        "<FilesMatch",
        CORE,
        FILES,
        "what holds for file names that match; read, but files are not served",
        "<FilesMatch \"^\\.ht\">\nRequire all denied\n</FilesMatch>",
        SectionKind::FilesMatch,
    ),
    Directive::section(
        "<Limit",
        CORE,
        Contexts::SECTIONS,
        "access rules for these methods only",
        "<Location />\n<Limit POST>\nRequire ip 10\n</Limit>\n</Location>",
        SectionKind::Limit,
    ),
    Directive::section(
        "<LimitExcept",
        CORE,
        Contexts::SECTIONS,
        "access rules for all but these methods",
        "<Location />\n<LimitExcept GET HEAD>\nRequire all denied\n</LimitExcept>\
                \n</Location>",
        SectionKind::LimitExcept,
    ),
    Directive::new(
        "Error",
        CORE,
        Arity::Raw,
        ANYWHERE,
        "stop with a message",
        "<IfDefine NOT_THERE>\nError \"never\"\n</IfDefine>",
        error,
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
        "ServerAdmin",
        CORE,
        Arity::One,
        SERVERS,
        "the address on error pages",
        "ServerAdmin root@example.com",
        |scope, args| {
            scope.server.admin = scope.set(args.text(0).to_owned());
            Ok(())
        },
    ),
    Directive::new(
        "DocumentRoot",
        CORE,
        Arity::One,
        SERVERS,
        "the directory of static files; the proxy serves none",
        "DocumentRoot /",
        document_root,
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
    Directive::new(
        "ServerSignature",
        CORE,
        Arity::One,
        ANYWHERE,
        "the footer of pages that the server writes",
        "ServerSignature Email",
        |scope, args| {
            let choices = [
                ("off", Signature::Off),
                ("on", Signature::On),
                ("email", Signature::Email),
            ];
            let value = choice(args.text(0), &choices);
            let value = value.ok_or_else(|| {
                args.complaint(0, "ServerSignature: use one of: off | on | email")
            })?;
            if scope.is_server_wide() {
                scope.server.server_signature = scope.set(value);
            }
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "ServerTokens",
        CORE,
        Arity::Raw,
        SERVER,
        "how much the Server field says",
        "ServerTokens Prod",
        server_tokens,
    )
    .default("Full"),
    Directive::new(
        "ErrorDocument",
        CORE,
        Arity::Raw,
        ANYWHERE,
        "what to say instead of the built-in error page",
        "ErrorDocument 503 \"back soon\"",
        error_document,
    ),
    Directive::new(
        "SetHandler",
        CORE,
        Arity::Raw,
        ANYWHERE,
        "which handler answers here",
        "SetHandler server-status",
        set_handler,
    )
    .long(
        "`proxy:URL` forwards the requests of the section there. `None` forgets \
                what an outer section set.",
    ),
    Directive::new(
        "HostnameLookups",
        CORE,
        Arity::One,
        ANYWHERE,
        "accepted; clients are never looked up",
        "HostnameLookups Off",
        |scope, args| {
            let value = choice(
                args.text(0),
                &[("off", false), ("on", true), ("double", true)],
            );
            let value = value
                .ok_or_else(|| args.complaint(0, "parameter must be 'on', 'off', or 'double'"))?;
            if scope.is_server_wide() {
                scope.server.hostname_lookups = scope.set(value);
            }
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "Mutex",
        CORE,
        Arity::Raw,
        SERVER,
        "how processes exclude one another; accepted, none is needed",
        "Mutex default",
        mutex,
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
        "User",
        "unixd_module",
        Arity::One,
        SERVER,
        "who the children become: a name, or # and a number",
        "User #65534",
        |scope, args| {
            scope.build.config.user = scope.set(args.text(0).to_owned());
            Ok(())
        },
    )
    .default("#-1"),
    Directive::new(
        "Group",
        "unixd_module",
        Arity::One,
        SERVER,
        "which group the children join: a name, or # and a number",
        "Group #65534",
        |scope, args| {
            scope.build.config.group = scope.set(args.text(0).to_owned());
            Ok(())
        },
    )
    .default("#-1"),
];

/// Files may also stand inside Directory.
const FILES: Contexts = SERVERS.or(Contexts::DIRECTORY);

fn error(_: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let message = if args.words.len() == 1 {
        args.text(0)
    } else {
        args.raw()
    };
    Err(Complaint::new(message))
}

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
            args.complaint(0, format!("The port number \"{text}\" is outside the appropriate range (i.e., 1..65535)."))
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

fn document_root(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let path = scope.build.config.paths.server_root.join(args.text(0));
    if !path.is_dir() {
        let message = format!(
            "DocumentRoot '{}' is not a directory, or is not readable",
            args.text(0)
        );
        scope.warn(
            args.complaint(0, message)
                .hint("the proxy serves no files; the line may go"),
        );
    }
    scope.server.document_root = scope.set(path.display().to_string());
    Ok(())
}

fn server_tokens(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let choices = [
        ("Prod", ServerTokens::Prod),
        ("ProductOnly", ServerTokens::Prod),
        ("Major", ServerTokens::Major),
        ("Minor", ServerTokens::Minor),
        ("Min", ServerTokens::Min),
        ("Minimal", ServerTokens::Min),
        ("OS", ServerTokens::Os),
        ("Full", ServerTokens::Full),
    ];
    let value = if args.words.len() == 1 {
        choice(args.text(0), &choices)
    } else {
        None
    };
    let value = value.ok_or_else(|| {
        args.complaint(0, "ServerTokens takes 1 argument: 'Prod(uctOnly)', 'Major', 'Minor', 'Min(imal)', 'OS', or 'Full'")
    })?;
    scope.server.server_tokens = scope.set(value);
    Ok(())
}

fn error_document(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let Some((first, rest)) = args.words.split_first() else {
        return Err(Complaint::new(
            "ErrorDocument takes two arguments, a status and what to say",
        ));
    };
    let status = first
        .text
        .parse::<u16>()
        .ok()
        .filter(|status| (400..600).contains(status) || (100..400).contains(status));
    let status = status.ok_or_else(|| {
        args.complaint(0, format!("Unsupported HTTP response code {}", first.text))
    })?;
    let Some(page) = rest.first() else {
        return Err(Complaint::new(
            "ErrorDocument takes two arguments, a status and what to say",
        ));
    };
    let written = args.node.text.slice(page.range.clone());
    // An unquoted text of several words, or one that 1.3 marked with a lone quote, runs to the end of the line.
    let raw_tail = args
        .node
        .text
        .slice(page.range.start..args.node.args.end)
        .trim();
    let is_quoted = written.starts_with(['"', '\'']);
    let page_text = if is_quoted && rest.len() == 1 {
        page.text.clone()
    } else {
        raw_tail.trim_start_matches('"').to_owned()
    };
    let page = if page.text.eq_ignore_ascii_case("default") && !is_quoted {
        ErrorPage::BuiltIn
    } else if page_text.starts_with('/') {
        ErrorPage::Path(page_text)
    } else if page_text.contains("://") && !page_text.contains(char::is_whitespace) {
        if status == 401 {
            scope.warn(args.complaint(
                1,
                "AH00113: cannot use a full URL in a 401 ErrorDocument directive --- ignoring!",
            ));
            return Ok(());
        }
        ErrorPage::Redirect(page_text)
    } else {
        ErrorPage::Text(page_text)
    };
    scope
        .dir
        .error_documents
        .push(ErrorDocument { status, page });
    Ok(())
}

fn set_handler(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let [word] = args.words.as_slice() else {
        return Err(Complaint::new(format!(
            "SetHandler takes one argument, {}",
            args.directive.help
        )));
    };
    let handler = if word.text.eq_ignore_ascii_case("none") {
        Handler::None
    } else if let Some(url) = strip_prefix_ignore_case(&word.text, "proxy:") {
        let url =
            WorkerUrl::parse(url).map_err(|error| Complaint::new(error.message(url)).on(word))?;
        Handler::Proxy(url)
    } else {
        Handler::Named(word.text.to_ascii_lowercase())
    };
    if matches!(
        (&scope.inside.subject, &handler),
        (Subject::Files, Handler::Proxy(_))
    ) {
        let hint = "write a ProxyPass or ProxyPassMatch for the URL paths of these files";
        scope.warn(
            Complaint::new("SetHandler has no effect on files: the proxy serves none")
                .on(word)
                .hint(hint),
        );
    }
    scope.dir.set_handler = scope.set(handler);
    Ok(())
}

fn mutex(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    const MECHANISMS: &str = "(Mutex mechanisms are: 'none', 'default', 'flock:/path/to/file', 'fcntl:/path/to/file', \
                              'file:/path/to/file', 'pthread', 'sysvsem', 'posixsem', 'sem')";
    let Some(mechanism) = args.words.first() else {
        return Err(Complaint::new(format!(
            "Mutex requires at least a mechanism argument {MECHANISMS}"
        )));
    };
    let kind = mechanism
        .text
        .split(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let is_known = [
        "none", "no", "default", "yes", "flock", "fcntl", "file", "pthread", "sysvsem", "posixsem",
        "sem",
    ]
    .contains(&kind.as_str());
    if !is_known {
        return Err(args.complaint(
            0,
            format!("Invalid Mutex argument {} {MECHANISMS}", mechanism.text),
        ));
    }
    let mut names: Vec<String> = args
        .texts()
        .skip(1)
        .filter(|word| !word.eq_ignore_ascii_case("OmitPID"))
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        names.push("default".to_owned());
    }
    for name in names {
        scope.build.config.mutexes.push(Mutex {
            name,
            mechanism: mechanism.text.clone(),
        });
    }
    Ok(())
}
