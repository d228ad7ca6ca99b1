//! mod_proxy's switches, and the `<Proxy>` sections.
//!
//! Know first: a `<Proxy>` line with words behind its URL makes the worker or balancer of that URL, as ProxySet inside it does.

use super::params::{Pair, Wording};
use crate::config::args::{Word, choice, is_glob, on_off, whole};
use crate::config::directive::{Arity, Contexts, Directive, SectionKind};
use crate::config::model::{BadHeader, Pattern, ProxyStatus, Via, strip_prefix_ignore_case};
use crate::config::scope::{Args, Complaint, Scope};
use crate::config::walk::pattern;

const PROXY: &str = "proxy_module";
const SERVERS: Contexts = Contexts::SERVERS;
const ANYWHERE: Contexts = Contexts::ANYWHERE;

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::section(
        "<Proxy",
        PROXY,
        SERVERS,
        "what holds for target URLs that start so, or a worker or balancer and \
                its parameters",
        "<Proxy balancer://c lbmethod=byrequests>\nBalancerMember http://a:8080\n\
                </Proxy>",
        SectionKind::Proxy,
    )
    .long(
        "With `key=value` words behind the URL, or with BalancerMember or \
                ProxySet inside, the worker or balancer of that URL is made.",
    ),
    Directive::section(
        "<ProxyMatch",
        PROXY,
        SERVERS,
        "what holds for target URLs that a regular expression matches",
        "<ProxyMatch \"^http://[^/]*\\.example/\">\n</ProxyMatch>",
        SectionKind::ProxyMatch,
    ),
    Directive::new(
        "ProxyTimeout",
        PROXY,
        Arity::One,
        SERVERS,
        "how long to wait for a backend's bytes (s)",
        "ProxyTimeout 30",
        |scope, args| {
            let seconds = args.number(
                0,
                1..=i32::MAX.unsigned_abs(),
                "Proxy Timeout must be at least 1 second.",
            )?;
            scope.server.proxy.timeout_s = scope.set(seconds);
            Ok(())
        },
    )
    .default("the value of Timeout"),
    Directive::new(
        "ProxyPreserveHost",
        PROXY,
        Arity::Flag,
        ANYWHERE,
        "send the client's Host to the backend",
        "ProxyPreserveHost On",
        |scope, args| {
            scope.dir.preserve_host = scope.set(args.flag()?);
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "ProxyAddHeaders",
        PROXY,
        Arity::Flag,
        ANYWHERE,
        "add X-Forwarded-For, -Host and -Server to requests",
        "ProxyAddHeaders Off",
        |scope, args| {
            scope.dir.add_headers = scope.set(args.flag()?);
            Ok(())
        },
    )
    .default("On"),
    Directive::new(
        "Proxy100Continue",
        PROXY,
        Arity::Flag,
        ANYWHERE,
        "pass Expect: 100-continue on to the backend",
        "Proxy100Continue Off",
        |scope, args| {
            scope.dir.forward_100_continue = scope.set(args.flag()?);
            Ok(())
        },
    )
    .default("On"),
    Directive::new(
        "ProxyWebsocketFallbackToProxyHttp",
        "proxy_wstunnel_module",
        Arity::Flag,
        ANYWHERE,
        "serve ws:// targets like http:// ones; Off asks every request for an upgrade",
        "ProxyWebsocketFallbackToProxyHttp Off",
        |scope, args| {
            scope.dir.websocket_fallback = scope.set(args.flag()?);
            Ok(())
        },
    )
    .default("On")
    .long(
        "When Off, a ProxyPass to ws:// takes only requests with an Upgrade field; others go on to \
                the next ProxyPass that fits.",
    ),
    Directive::new(
        "ProxyErrorOverride",
        PROXY,
        Arity::Raw,
        ANYWHERE,
        "replace error pages of backends: off, or on and the status codes",
        "ProxyErrorOverride On 500 503",
        error_override,
    )
    .default("Off"),
    Directive::new(
        "ProxyVia",
        PROXY,
        Arity::One,
        SERVERS,
        "what to do with the Via field: off, on, full or block",
        "ProxyVia On",
        |scope, args| {
            let choices = [
                ("off", Via::Off),
                ("on", Via::On),
                ("full", Via::Full),
                ("block", Via::Block),
            ];
            let value = choice(args.text(0), &choices);
            let value = value.ok_or_else(|| {
                args.complaint(0, "ProxyVia must be one of: off | on | full | block")
            })?;
            scope.server.proxy.via = scope.set(value);
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "ProxyBadHeader",
        PROXY,
        Arity::One,
        SERVERS,
        "what to do with a broken field line of a backend: IsError, Ignore or \
                StartBody",
        "ProxyBadHeader Ignore",
        |scope, args| {
            let choices = [
                ("IsError", BadHeader::IsError),
                ("Ignore", BadHeader::Ignore),
                ("StartBody", BadHeader::StartBody),
            ];
            let value = choice(args.text(0), &choices);
            let value = value.ok_or_else(|| {
                args.complaint(
                    0,
                    "ProxyBadHeader must be one of: IsError | Ignore | StartBody",
                )
            })?;
            scope.server.proxy.bad_header = scope.set(value);
            Ok(())
        },
    )
    .default("IsError"),
    Directive::new(
        "ProxyStatus",
        PROXY,
        Arity::One,
        SERVERS,
        "show balancers on the status page: off, on or full",
        "ProxyStatus On",
        |scope, args| {
            let choices = [
                ("off", ProxyStatus::Off),
                ("on", ProxyStatus::On),
                ("full", ProxyStatus::Full),
            ];
            let value = choice(args.text(0), &choices);
            let value = value
                .ok_or_else(|| args.complaint(0, "ProxyStatus must be one of: off | on | full"))?;
            scope.server.proxy.status = scope.set(value);
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "ProxyIOBufferSize",
        PROXY,
        Arity::One,
        SERVERS,
        "the buffer between client and backend (bytes); accepted, pieces are passed on as they arrive",
        "ProxyIOBufferSize 16384",
        |scope, args| {
            let bytes = buffer(
                args,
                "ProxyIOBufferSize must be >= 512 bytes, or 0 for system default.",
            )?;
            scope.server.proxy.io_buffer_bytes = scope.set(bytes);
            Ok(())
        },
    )
    .default("8192"),
    Directive::new(
        "ProxyReceiveBufferSize",
        PROXY,
        Arity::One,
        SERVERS,
        "the receive buffer of backend sockets (bytes), 0 for the system's",
        "ProxyReceiveBufferSize 65536",
        |scope, args| {
            let bytes = buffer(
                args,
                "ProxyReceiveBufferSize must be >= 512 bytes, or 0 for system default.",
            )?;
            if bytes > 0 {
                scope.directive_is_later("ProxyReceiveBufferSize");
            }
            scope.server.proxy.receive_buffer_bytes = scope.set(bytes);
            Ok(())
        },
    )
    .default("0"),
    Directive::new(
        "ProxyMaxForwards",
        PROXY,
        Arity::One,
        SERVERS,
        "how many proxies a request may pass, -1 for any number",
        "ProxyMaxForwards 15",
        |scope, args| {
            let value = whole(args.text(0))
                .and_then(|value| i32::try_from(value).ok())
                .filter(|value| *value >= -1);
            let value = value.ok_or_else(|| {
                args.complaint(0, "ProxyMaxForwards must be -1 or a non-negative integer")
            })?;
            scope.server.proxy.max_forwards = scope.set(value);
            Ok(())
        },
    )
    .default("-1"),
];

fn buffer(args: &Args<'_>, message: &str) -> Result<u32, Complaint> {
    match args.number(0, 0..=i32::MAX.unsigned_abs(), message)? {
        1..512 => Err(args.complaint(0, message)),
        bytes => Ok(bytes),
    }
}

/// Opens a `<Proxy>` or `<ProxyMatch>`: its pattern, and the worker or balancer that words behind it make.
pub(in crate::config) fn section(
    scope: &mut Scope<'_>,
    words: &[Word],
    is_match: bool,
) -> Result<Pattern, Complaint> {
    let name = if is_match { "<ProxyMatch" } else { "<Proxy" };
    let Some((first, rest)) = words.split_first() else {
        return Err(Complaint::new(format!(
            "{name} > block must specify a path"
        )));
    };
    let mut subject = first.clone();
    if let Some(stripped) = strip_prefix_ignore_case(&first.text, "proxy:") {
        stripped.clone_into(&mut subject.text);
    }
    let socket_url = subject.text.clone();
    if let Some(rest) = strip_prefix_ignore_case(&subject.text, "unix:") {
        let (_, url) = rest.split_once('|').ok_or_else(|| {
            Complaint::new("<Proxy/ProxyMatch > uses an invalid \"unix:\" URL").on(first)
        })?;
        url.to_owned().clone_into(&mut subject.text);
    }
    let pattern = pattern(&subject, is_match)?;
    let Some(extra) = rest.first() else {
        return Ok(pattern);
    };
    if is_match {
        return Err(
            Complaint::new("Multiple <ProxyMatch> arguments not (yet) supported.").on(extra),
        );
    }
    if is_glob(&subject.text) {
        return Err(Complaint::new(format!(
            "{name}> arguments are not supported for wildchar url."
        ))
        .on(extra));
    }
    if !subject.text.contains(':') {
        return Err(
            Complaint::new(format!("{name}> arguments are not supported for non url.")).on(extra),
        );
    }
    let mut pairs = Vec::new();
    for word in rest {
        let pair = Pair::of(word);
        pairs.push(pair.ok_or_else(|| {
            Complaint::new("Invalid Proxy parameter. Parameter must be in the form 'key=value'")
                .on(word)
        })?);
    }
    let wording = Wording::Full("<Proxy", &subject.text);
    super::balancer::configure(scope, &socket_url, first, &pairs, wording)?;
    Ok(pattern)
}

fn error_override(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let on = on_off(args.text(0)).ok_or_else(|| {
        args.complaint(
            0,
            "ProxyErrorOverride first parameter must be one of: off | on",
        )
    })?;
    let mut codes = Vec::new();
    for (index, word) in args.texts().enumerate().skip(1) {
        if !on {
            return Err(args.complaint(
                index,
                "ProxyErrorOverride: status codes must follow a value of 'on'",
            ));
        }
        let code: u16 = word.parse().map_err(|_| {
            args.complaint(
                index,
                "ProxyErrorOverride: status codes to intercept must be numeric",
            )
        })?;
        if !(400..600).contains(&code) {
            let message = "ProxyErrorOverride: status codes to intercept must be valid HTTP Status Codes >=400 && <600";
            return Err(args.complaint(index, message));
        }
        codes.push(code);
    }
    scope.dir.error_override.enabled = scope.set(on);
    scope.dir.error_override.codes.extend(codes);
    Ok(())
}
