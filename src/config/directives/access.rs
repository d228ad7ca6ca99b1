//! Who may use a location: `Require` and its containers, and `Order`, `Allow`, `Deny`, `Satisfy` of 2.2.
//!
//! Know first: several `Require` lines side by side mean *any of them*. While a section is walked its lines collect in an `AnyOf`;
//! [`simplify`] unwraps it at the end when there is one only.

use crate::config::args::choice;
use crate::config::directive::{Arity, Contexts, Directive, SectionKind};
use crate::config::model::{
    Access, AuthMerging, CompatAccess, DirConfig, Net, Order, Require, Satisfy, Who,
};
use crate::config::scope::{Args, Complaint, Scope};
use crate::http::Method;
use std::net::{IpAddr, Ipv4Addr};

const CORE: &str = "authz_core_module";
const COMPAT: &str = "access_compat_module";
const SECTIONS: Contexts = Contexts::SECTIONS;

/// The entries.
pub(super) static TABLE: &[Directive] = &[
    Directive::section(
        "<RequireAll",
        CORE,
        SECTIONS,
        "every rule inside must hold",
        "<Location />\n<RequireAll>\nRequire ip 10\nRequire not ip 10.1\n</RequireAll>\n</Location>",
        SectionKind::RequireAll,
    ),
    Directive::section(
        "<RequireAny",
        CORE,
        SECTIONS,
        "one rule inside must hold",
        "<Location />\n<RequireAny>\nRequire ip 10\nRequire local\n</RequireAny>\n</Location>",
        SectionKind::RequireAny,
    ),
    Directive::section(
        "<RequireNone",
        CORE,
        SECTIONS,
        "no rule inside may hold",
        "<Location />\n<RequireAll>\nRequire all granted\n<RequireNone>\nRequire ip 10\n</RequireNone>\n</RequireAll>\n</Location>",
        SectionKind::RequireNone,
    ),
    Directive::new(
        "Require",
        CORE,
        Arity::Raw,
        SECTIONS,
        "a rule: all, ip, host, forward-dns, local, env or method",
        "Require ip 10.0.0.0/8 192.168",
        require,
    ),
    Directive::new(
        "AuthMerging",
        CORE,
        Arity::One,
        SECTIONS,
        "how a section's rules go together with those of outer ones",
        "AuthMerging And",
        |scope, args| {
            let choices = [
                ("off", AuthMerging::Off),
                ("and", AuthMerging::And),
                ("or", AuthMerging::Or),
            ];
            let value = choice(args.text(0), &choices);
            let value = value
                .ok_or_else(|| args.complaint(0, "AuthMerging must be one of: Off | And | Or"))?;
            scope.dir.access.merging = scope.set(value);
            Ok(())
        },
    )
    .default("Off"),
    Directive::new(
        "order",
        COMPAT,
        Arity::One,
        SECTIONS,
        "which list speaks first: deny,allow or allow,deny",
        "Order deny,allow",
        |scope, args| {
            let choices = [
                ("allow,deny", Order::AllowDeny),
                ("deny,allow", Order::DenyAllow),
                ("mutual-failure", Order::MutualFailure),
            ];
            let value =
                choice(args.text(0), &choices).ok_or_else(|| args.complaint(0, "unknown order"))?;
            let value = scope.set(value);
            compat(scope)?.order = value;
            Ok(())
        },
    )
    .default("deny,allow"),
    Directive::new(
        "allow",
        COMPAT,
        Arity::TwoOrMore,
        SECTIONS,
        "from, and who may: all, addresses, names or env=NAME",
        "Allow from 10.0.0.0/8 .example.com env=ok",
        |scope, args| {
            let who = who(args)?;
            compat(scope)?.allow.extend(who);
            Ok(())
        },
    ),
    Directive::new(
        "deny",
        COMPAT,
        Arity::TwoOrMore,
        SECTIONS,
        "from, and who may not: all, addresses, names or env=NAME",
        "Deny from all",
        |scope, args| {
            let who = who(args)?;
            compat(scope)?.deny.extend(who);
            Ok(())
        },
    ),
    Directive::new(
        "Satisfy",
        COMPAT,
        Arity::One,
        SECTIONS,
        "whether both kinds of rules must hold: all or any",
        "Satisfy Any",
        |scope, args| {
            let choices = [("all", Satisfy::All), ("any", Satisfy::Any)];
            let value = choice(args.text(0), &choices)
                .ok_or_else(|| args.complaint(0, "Satisfy either 'any' or 'all'."))?;
            let value = scope.set(value);
            compat(scope)?.satisfy = value;
            Ok(())
        },
    )
    .default("All"),
];

fn compat<'s>(scope: &'s mut Scope<'_>) -> Result<&'s mut CompatAccess, Complaint> {
    if scope.inside.limit {
        let hint = "use `Require` inside Limit and LimitExcept";
        return Err(Complaint::new(
            "Order, Allow, Deny and Satisfy are not available per method here",
        )
        .hint(hint));
    }
    Ok(scope.dir.access.compat.get_or_insert_default())
}

fn who(args: &Args<'_>) -> Result<Vec<Who>, Complaint> {
    if !args.text(0).eq_ignore_ascii_case("from") {
        return Err(args.complaint(0, "allow and deny must be followed by 'from'"));
    }
    args.texts()
        .enumerate()
        .skip(1)
        .map(|(index, word)| one(word).map_err(|message| args.complaint(index, message)))
        .collect()
}

fn one(word: &str) -> Result<Who, String> {
    if word.eq_ignore_ascii_case("all") {
        return Ok(Who::All);
    }
    if word
        .get(..4)
        .is_some_and(|head| head.eq_ignore_ascii_case("env="))
    {
        let name = word.get(4..).unwrap_or_default();
        return Ok(match name.strip_prefix('!') {
            Some(name) => Who::Env {
                name: name.to_owned(),
                negated: true,
            },
            None => Who::Env {
                name: name.to_owned(),
                negated: false,
            },
        });
    }
    match net(word) {
        Ok(net) => Ok(Who::Net(net)),
        Err(NetError::NotAnAddress) if !word.contains('/') => {
            Ok(Who::Host(word.to_ascii_lowercase()))
        }
        Err(NetError::NotAnAddress) => Err("An IP address was expected".to_owned()),
        Err(NetError::BadMask) => Err("The specified network mask is invalid.".to_owned()),
    }
}

enum NetError {
    NotAnAddress,
    BadMask,
}

/// Reads an address, a partial IPv4 address, `address/bits` or `address/mask`.
fn net(text: &str) -> Result<Net, NetError> {
    let (address, mask) = match text.split_once('/') {
        Some((address, mask)) => (address, Some(mask)),
        None => (text, None),
    };
    let Ok(ip) = address.parse::<IpAddr>() else {
        return partial(address, mask);
    };
    let net = match mask {
        None => Net::with_prefix(ip, if ip.is_ipv4() { 32 } else { 128 }),
        Some(mask) => match mask.parse::<u32>() {
            Ok(bits) => Net::with_prefix(ip, bits),
            Err(_) => mask
                .parse::<IpAddr>()
                .ok()
                .and_then(|mask| Net::new(ip, mask)),
        },
    };
    net.ok_or(NetError::BadMask)
}

/// Reads `10`, `10.1` or `10.1.2`, with or without a final dot.
fn partial(text: &str, mask: Option<&str>) -> Result<Net, NetError> {
    let mut octets = [0_u8; 4];
    let mut count = 0_u32;
    for part in text.strip_suffix('.').unwrap_or(text).split('.') {
        let is_number =
            !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
        let slot = usize::try_from(count)
            .ok()
            .and_then(|index| octets.get_mut(index))
            .filter(|_| is_number);
        let slot = slot.ok_or(NetError::NotAnAddress)?;
        *slot = part.parse().map_err(|_| NetError::NotAnAddress)?;
        count += 1;
    }
    let bits = match mask {
        None => count * 8,
        Some(mask) => mask.parse().map_err(|_| NetError::BadMask)?,
    };
    Net::with_prefix(IpAddr::V4(Ipv4Addr::from_octets(octets)), bits).ok_or(NetError::BadMask)
}

fn require(scope: &mut Scope<'_>, args: &Args<'_>) -> Result<(), Complaint> {
    let is_negated = args.text(0).eq_ignore_ascii_case("not");
    let start = usize::from(is_negated);
    let rule = rule(args, start)?;
    if is_negated && scope.inside.sections.last() != Some(&"RequireAll") {
        let container = match scope.inside.sections.last() {
            Some(&"RequireNone") => "RequireNone",
            _ => "RequireAny",
        };
        let message =
            format!("negative Require directive has no effect in <{container}> directive");
        return Err(args
            .complaint(0, message)
            .hint("put it into `<RequireAll>`, beside a rule that grants"));
    }
    let rule = if is_negated {
        Require::Not(Box::new(rule))
    } else {
        rule
    };
    push(&mut scope.dir.access, rule);
    Ok(())
}

fn rule(args: &Args<'_>, start: usize) -> Result<Require, Complaint> {
    let provider = args.text(start).to_ascii_lowercase();
    let values: Vec<String> = args.texts().skip(start + 1).map(str::to_owned).collect();
    let needs_values = |what: &str| {
        if values.is_empty() {
            Err(args.complaint(start, format!("'require {what}' requires an argument")))
        } else {
            Ok(())
        }
    };
    match provider.as_str() {
        "all" => match values
            .first()
            .map(|value| value.to_ascii_lowercase())
            .as_deref()
        {
            Some("granted") => Ok(Require::All(true)),
            Some("denied") => Ok(Require::All(false)),
            _ => Err(args.complaint(
                start + 1,
                "Argument for 'Require all' must be 'granted' or 'denied'",
            )),
        },
        "local" => Ok(Require::Local),
        "ip" => {
            needs_values("ip")?;
            let nets = values.iter().enumerate().map(|(index, value)| {
                net(value).map_err(|_| {
                    args.complaint(
                        start + 1 + index,
                        format!("ip address '{value}' appears to be invalid"),
                    )
                })
            });
            Ok(Require::Ip(nets.collect::<Result<_, _>>()?))
        }
        "host" => {
            needs_values("host")?;
            Ok(Require::Host(
                values
                    .iter()
                    .map(|value| value.to_ascii_lowercase())
                    .collect(),
            ))
        }
        "forward-dns" => {
            needs_values("forward-dns")?;
            Ok(Require::ForwardDns(
                values
                    .iter()
                    .map(|value| value.to_ascii_lowercase())
                    .collect(),
            ))
        }
        "env" => {
            needs_values("env")?;
            Ok(Require::Env(values))
        }
        "method" => methods(values)
            .map(Require::Method)
            .map_err(|bad| args.complaint(start + 1, format!("Invalid Method '{bad}'"))),
        "user" | "valid-user" | "group" | "expr" => Err(args
            .complaint(start, format!("Unknown Authz provider: {provider}"))
            .label("not available here")
            .hint(
                "clients are known by address only: all, ip, host, forward-dns, local, env, method",
            )),
        _ => Err(args.complaint(
            start,
            format!("Unknown Authz provider: {}", args.text(start)),
        )),
    }
}

/// Method names that httpd knows, as it spells them; the first that is none is the error.
fn methods(values: Vec<String>) -> Result<Vec<String>, String> {
    match values
        .iter()
        .find(|value| !Method::parse(value.as_bytes()).is_some_and(|method| method.is_registered()))
    {
        Some(bad) => Err(bad.clone()),
        None => Ok(values),
    }
}

/// Adds a rule to those of the section.
fn push(access: &mut Access, rule: Require) {
    match &mut access.require {
        Some(Require::AnyOf(rules)) => rules.push(rule),
        Some(_) | None => {
            let mut rules: Vec<Require> = access.require.take().into_iter().collect();
            rules.push(rule);
            access.require = Some(Require::AnyOf(rules));
        }
    }
}

/// Ends a Require container: what was collected inside becomes one rule outside.
pub(in crate::config) fn grouped(
    dir: &mut DirConfig,
    group: Option<Require>,
    kind: SectionKind,
    directive: &Directive,
    outside: &crate::config::scope::Inside,
) -> Result<(), Complaint> {
    let name = directive.name;
    let Some(Require::AnyOf(rules)) = group else {
        return Err(Complaint::new(format!(
            "{name}> directive contains no authorization directives"
        )));
    };
    let rule = match kind {
        SectionKind::RequireNone => {
            if outside.sections.last() != Some(&"RequireAll") {
                let message = format!("{name}> directive has no effect in <RequireAny> directive");
                return Err(Complaint::new(message)
                    .hint("put it into `<RequireAll>`, beside a rule that grants"));
            }
            Require::NoneOf(rules)
        }
        SectionKind::RequireAll => {
            let grants = rules
                .iter()
                .any(|rule| !matches!(rule, Require::Not(_) | Require::NoneOf(_)));
            if !grants {
                let message =
                    format!("{name}> directive contains only negative authorization directives");
                return Err(Complaint::new(message)
                    .hint("add a rule that grants, such as `Require all granted`"));
            }
            Require::AllOf(rules)
        }
        SectionKind::RequireAny
        | SectionKind::VirtualHost
        | SectionKind::Location
        | SectionKind::LocationMatch
        | SectionKind::Proxy
        | SectionKind::ProxyMatch
        | SectionKind::Directory
        | SectionKind::DirectoryMatch
        | SectionKind::Files
        | SectionKind::FilesMatch
        | SectionKind::Limit
        | SectionKind::LimitExcept => Require::AnyOf(rules),
    };
    push(&mut dir.access, rule);
    Ok(())
}

/// Ends a Limit or LimitExcept: its rules stand beside those around it, for some methods only.
pub(in crate::config) fn limited(
    dir: &mut DirConfig,
    outer: Option<Require>,
    methods: Vec<String>,
    except: bool,
) {
    let rules = std::mem::replace(&mut dir.access.require, outer);
    if let Some(rules) = rules {
        let rule = Require::Limited {
            methods,
            except,
            rule: Box::new(unwrapped(rules)),
        };
        push(&mut dir.access, rule);
    }
}

/// Unwraps a section's rules when there is only one.
pub(in crate::config) fn simplify(access: &mut Access) {
    access.require = access.require.take().map(unwrapped);
}

fn unwrapped(rule: Require) -> Require {
    if let Require::AnyOf(rules) = &rule
        && let [only] = rules.as_slice()
    {
        return only.clone();
    }
    rule
}
