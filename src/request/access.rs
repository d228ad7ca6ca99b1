//! Who may have what a section guards (mod_authz_core, mod_authz_host, mod_access_compat; reference A.1).
//!
//! Responsible for: judging a client's address and method by the rules of the merged sections. Not responsible
//! for: merging them (`config`), or the 403 (`route`).
//!
//! Know first: a child never resolves names while serving. `Require host`, `Require forward-dns` and `Allow|Deny
//! from name` therefore match nobody, and [`note`] gives the warning that the server prints when it starts.
//! A `Require` line says granted, denied or nothing; `not` turns granted into denied and denied into nothing, so a
//! negated line can never let anybody in by itself.

use std::net::IpAddr;

use super::Peers;
use crate::config::model::{Access, CompatAccess, Order, Require, Satisfy, Who};
use crate::http::Method;

/// Which rules refused a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `Order`, `Allow` and `Deny`.
    Compat,
    /// `Require`.
    Require,
}

/// What one rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    Granted,
    Denied,
    Nothing,
}

/// What the rules look at.
#[derive(Clone, Copy)]
struct Visitor<'a> {
    client: IpAddr,
    local: IpAddr,
    method: &'a Method,
}

/// Judges a request.
///
/// # Errors
/// The client is not let in; the value names the rules.
pub fn check(access: &Access, peers: &Peers, method: &Method) -> Result<(), Refusal> {
    let visitor = Visitor {
        client: peers.client.ip().to_canonical(),
        local: peers.local.ip().to_canonical(),
        method,
    };
    let by_require = access
        .require
        .as_ref()
        .map(|rule| visitor.judge(rule) == Finding::Granted);
    let Some(compat) = &access.compat else {
        return if by_require == Some(false) {
            Err(Refusal::Require)
        } else {
            Ok(())
        };
    };
    let by_compat = visitor.is_let_in(compat);
    match (compat.satisfy.or(Satisfy::All), by_compat, by_require) {
        (Satisfy::Any, true, _) | (Satisfy::Any, _, Some(true)) | (_, true, None | Some(true)) => {
            Ok(())
        }
        (Satisfy::Any, false, Some(false)) | (Satisfy::All, true, Some(false)) => {
            Err(Refusal::Require)
        }
        (_, false, _) => Err(Refusal::Compat),
    }
}

impl Visitor<'_> {
    fn is_let_in(self, compat: &CompatAccess) -> bool {
        let is_allowed = compat.allow.iter().any(|who| self.is(who));
        let is_denied = compat.deny.iter().any(|who| self.is(who));
        match compat.order.or(Order::DenyAllow) {
            Order::DenyAllow => is_allowed || !is_denied,
            Order::AllowDeny | Order::MutualFailure => is_allowed && !is_denied,
        }
    }

    fn is(self, who: &Who) -> bool {
        match who {
            Who::All => true,
            // No directive that sets variables of a request is there yet, so none is ever set.
            Who::Env { negated, .. } => *negated,
            Who::Net(net) => net.contains(self.client),
            Who::Host(_) => false,
        }
    }

    fn judge(self, rule: &Require) -> Finding {
        match rule {
            Require::AllOf(rules) => self.all_of(rules),
            Require::AnyOf(rules) => self.any_of(rules),
            Require::NoneOf(rules) => negate(self.any_of(rules)),
            Require::Not(rule) => negate(self.judge(rule)),
            Require::All(is_granted) => grant(*is_granted),
            Require::Ip(nets) => grant(nets.iter().any(|net| net.contains(self.client))),
            Require::Local => grant(self.client.is_loopback() || self.client == self.local),
            Require::Host(_) | Require::ForwardDns(_) | Require::Env(_) => Finding::Denied,
            Require::Method(methods) => {
                grant(methods.iter().any(|method| is_method(self.method, method)))
            }
        }
    }

    fn all_of(self, rules: &[Require]) -> Finding {
        let mut finding = Finding::Nothing;
        for rule in rules {
            match self.judge(rule) {
                Finding::Denied => return Finding::Denied,
                Finding::Granted => finding = Finding::Granted,
                Finding::Nothing => {}
            }
        }
        finding
    }

    fn any_of(self, rules: &[Require]) -> Finding {
        let mut finding = Finding::Nothing;
        for rule in rules {
            match self.judge(rule) {
                Finding::Granted => return Finding::Granted,
                Finding::Denied => finding = Finding::Denied,
                Finding::Nothing => {}
            }
        }
        finding
    }
}

const fn grant(is_granted: bool) -> Finding {
    if is_granted {
        Finding::Granted
    } else {
        Finding::Denied
    }
}

const fn negate(finding: Finding) -> Finding {
    match finding {
        Finding::Granted => Finding::Denied,
        Finding::Denied | Finding::Nothing => Finding::Nothing,
    }
}

/// httpd counts HEAD as GET.
fn is_method(method: &Method, wanted: &str) -> bool {
    method.as_str() == wanted || (*method == Method::Head && wanted == "GET")
}

/// The warning that these rules deserve at start, if any: they name hosts, which match nobody.
#[must_use]
pub fn note(access: &Access) -> Option<&'static str> {
    let in_compat = access.compat.as_ref().is_some_and(|compat| {
        compat
            .allow
            .iter()
            .chain(&compat.deny)
            .any(|who| matches!(who, Who::Host(_)))
    });
    (in_compat || access.require.as_ref().is_some_and(names_hosts)).then_some(
        "access rules that name hosts match nobody, because clients are never resolved; name addresses instead",
    )
}

fn names_hosts(rule: &Require) -> bool {
    match rule {
        Require::AllOf(rules) | Require::AnyOf(rules) | Require::NoneOf(rules) => {
            rules.iter().any(names_hosts)
        }
        Require::Not(rule) => names_hosts(rule),
        Require::Host(_) | Require::ForwardDns(_) => true,
        Require::All(_)
        | Require::Ip(_)
        | Require::Local
        | Require::Env(_)
        | Require::Method(_) => false,
    }
}
