//! What the client is told when a request goes nowhere, or when a backend's answer is not passed on.
//!
//! Responsible for: the answers of refusals, of elections that nobody won, and of ProxyErrorOverride; and the line that each leaves
//! in the error log. Not responsible for failures of an attempt (`fate`).

use super::super::Place;
use super::super::outgoing::Refusal;
use crate::balancer::NoMember;
use crate::http::{FieldId, ResponseHead, Status};
use crate::log::{Level, Module, Raw, Tag, Trace22};
use crate::request::{Answer, Ask, Interim};

/// A refusal on the way to a plan, as an answer.
pub(super) type Refused = Box<Answer>;

/// ProxyErrorOverride: a page of ours with the backend's status and reason phrase. A 401 keeps its challenges; httpd keeps the first.
pub(super) fn override_error(ask: &Ask<'_>, head: &ResponseHead) -> Option<Refused> {
    if !ask.dir().config.error_override.covers(head.status.as_u16()) {
        return None;
    }
    let mut answer = match std::str::from_utf8(&head.reason) {
        Ok(reason) if !reason.is_empty() => Answer::error_named(ask, head.status, reason),
        Ok(_) | Err(_) => Answer::error(ask, head.status),
    };
    // The client's connection is fine: only the page is replaced.
    answer.close = false;
    if head.status == Status::UNAUTHORIZED {
        for challenge in head.fields.all(FieldId::WwwAuthenticate) {
            answer.fields.push_id(FieldId::WwwAuthenticate, challenge);
        }
    }
    // What may be done there is the backend's to say (RFC 9110 §15.5.6).
    if let (Status::METHOD_NOT_ALLOWED, Some(methods)) =
        (head.status, head.fields.get(FieldId::Allow))
    {
        answer.fields.set(FieldId::Allow, methods);
    }
    Some(answer)
}

/// What `proxy-interim-response` says of interim responses.
pub(super) fn interim_policy(ask: &Ask<'_>) -> Interim {
    let Some(policy) = ask.var("proxy-interim-response") else {
        return Interim::Pass;
    };
    if policy.eq_ignore_ascii_case(b"RFC") {
        return Interim::PassUnasked;
    }
    if !policy.eq_ignore_ascii_case(b"Suppress") {
        ask.log_tagged(
            Module::ProxyHttp,
            Level::Warn,
            Tag::Ah(1108),
            format_args!("undefined proxy interim response policy"),
        );
    }
    Interim::Drop
}

/// Tells of lines in a backend's head that were passed over.
pub(super) fn tell_skipped(ask: &Ask<'_>, lines: u16) {
    let (path, method) = (Raw(&ask.route.path), ask.head.method.as_str());
    ask.log_tagged(
        Module::ProxyHttp,
        Level::Warn,
        Tag::Ah(1100),
        format_args!("Ignoring bogus HTTP header returned by {path} ({method}): {lines} lines"),
    );
}

/// ProxyPreserveHost, and a client that names no host.
pub(super) fn tell_hostless(ask: &Ask<'_>) {
    let (name, target) = (&ask.site().name, Raw(ask.head.target.raw()));
    ask.log_tagged(
        Module::Proxy,
        Level::Warn,
        Tag::Ah(1092),
        format_args!(
            "no HTTP 0.9 request (with no host line) on incoming request and preserve host set forcing hostname to be {name} for uri \
             {target}"
        ),
    );
}

pub(super) fn refuse(ask: &Ask<'_>, refusal: Refusal) -> Refused {
    match refusal {
        Refusal::BadMaxForwards => Answer::proxy_error(
            ask,
            Status::BAD_REQUEST,
            "Max-Forwards request header could not be parsed",
        ),
        Refusal::MaxForwardsReached => Answer::proxy_error(
            ask,
            Status::BAD_REQUEST,
            "Max-Forwards has reached zero - proxy loop?",
        ),
        Refusal::BadTarget => {
            let path = Raw(&ask.route.path);
            ask.log_tagged(
                Module::ProxyHttp,
                Level::Error,
                Tag::Ah(10415),
                format_args!("To be forwarded path contains control characters or spaces: {path}"),
            );
            Answer::error(ask, Status::FORBIDDEN)
        }
    }
}

/// What mod_proxy_wstunnel says to a request that does not ask for a switch that it may make.
pub(super) fn no_upgrade(ask: &Ask<'_>, place: &Place) -> Refused {
    let required = place.upgrades.required();
    let given = ask.head.fields.get(FieldId::Upgrade).unwrap_or(b"missing");
    ask.log_tagged(
        Module::ProxyWstunnel,
        Level::Info,
        Tag::Ah(2900),
        format_args!(
            "require upgrade for URL {} (Upgrade header is {}, expecting {})",
            Raw(&ask.route.claim.url),
            Raw(given),
            Raw(&required),
        ),
    );
    let mut answer = Answer::error(ask, Status::UPGRADE_REQUIRED);
    answer.fields.push_id(FieldId::Upgrade, &required);
    answer
}

pub(super) fn no_member(ask: &Ask<'_>, balancer: &str, nobody: &NoMember) -> Refused {
    // 2.2's words for it are in the trace; the line for operators is 2.4's.
    match nobody {
        NoMember::AllInError => ask.trace22(&Trace22::AllInError { balancer }),
        NoMember::ForRoute(route) => ask.trace22(&Trace22::AllInErrorForRoute { balancer, route }),
        NoMember::Empty => {}
    }
    let tag = match nobody {
        NoMember::AllInError => Tag::Ah(1167),
        NoMember::ForRoute(_) => Tag::Ah(1166),
        NoMember::Empty => Tag::Ah(1170),
    };
    ask.log_tagged(
        Module::ProxyBalancer,
        Level::Error,
        tag,
        format_args!("{balancer}: {nobody}; answering 503"),
    );
    Answer::error(ask, Status::SERVICE_UNAVAILABLE)
}

pub(super) fn no_handler(ask: &Ask<'_>, url: &[u8]) -> Refused {
    let scheme = url.split(|&byte| byte == b':').next().unwrap_or_default();
    ask.log_tagged(
        Module::Proxy,
        Level::Warn,
        Tag::Ah(1144),
        format_args!(
            "No protocol handler was valid for the URL {} (scheme '{}'). If you are using a DSO version of mod_proxy, make sure the \
             proxy submodules are included in the configuration using LoadModule. Hint: this build speaks to http backends only",
            Raw(&ask.route.path),
            Raw(scheme),
        ),
    );
    Answer::error(ask, Status::INTERNAL_SERVER_ERROR)
}

/// A front that names nobody who could be dialled, such as one with a variable that is not filled in.
pub(super) fn no_host(ask: &Ask<'_>, front: &[u8]) -> Refused {
    let front = Raw(front);
    ask.log_tagged(
        Module::Proxy,
        Level::Error,
        Tag::Tn(342),
        format_args!("{front} has no host that could be asked for; answering 502"),
    );
    Answer::proxy_error(ask, Status::BAD_GATEWAY, "DNS lookup failure")
}

/// The name and port of `Via`: never the client's name for us.
pub(super) fn via_name<'a>(ask: &Ask<'a>) -> (&'a str, u16) {
    (&ask.site().name, ask.server_port())
}
