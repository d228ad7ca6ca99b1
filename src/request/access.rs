//! Who may have what a section guards (mod_authz_core, mod_authz_host, mod_access_compat; reference A.1).
//!
//! Responsible for: judging a client's address and method, and the request's variables, by the rules of the merged sections. Not
//! responsible for: merging them (`config`), or the 403 (`route`).
//!
//! Know first: a child never resolves names while serving. `Require host`, `Require forward-dns` and `Allow|Deny
//! from name` therefore match nobody, and [`note`] gives the warning that the server prints when it starts.
//! A `Require` line says granted, denied or nothing; `not` turns granted into denied and denied into nothing, so a
//! negated line can never let anybody in by itself.

use std::net::IpAddr;

use super::Peers;
use crate::config::model::{Access, CompatAccess, Order, Require, Satisfy, Who};
use crate::http::Method;
use crate::log::Environment;

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
    vars: &'a Environment,
}

/// Judges a request.
///
/// # Errors
/// The client is not let in; the value names the rules.
pub fn check(
    access: &Access,
    peers: &Peers,
    method: &Method,
    vars: &Environment,
) -> Result<(), Refusal> {
    let visitor = Visitor {
        client: peers.client.ip().to_canonical(),
        local: peers.local.ip().to_canonical(),
        method,
        vars,
    };
    let by_require = access
        .require
        .as_ref()
        .filter(|rule| visitor.concerns(rule))
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
            Who::Env { name, negated } => self.vars.has(name) != *negated,
            Who::Net(net) => net.contains(self.client),
            Who::Host(_) => false,
        }
    }

    /// Whether a rule, or one within it, is there for the request's method.
    fn concerns(self, rule: &Require) -> bool {
        match rule {
            Require::AllOf(rules) | Require::AnyOf(rules) | Require::NoneOf(rules) => {
                rules.iter().any(|rule| self.concerns(rule))
            }
            Require::Not(rule) => self.concerns(rule),
            Require::Limited {
                methods,
                except,
                rule,
            } => self.has_method(methods) != *except && self.concerns(rule),
            Require::All(_)
            | Require::Ip(_)
            | Require::Local
            | Require::Host(_)
            | Require::ForwardDns(_)
            | Require::Env(_)
            | Require::Method(_) => true,
        }
    }

    fn has_method(self, methods: &[String]) -> bool {
        methods.iter().any(|method| is_method(self.method, method))
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
            Require::Env(names) => grant(names.iter().any(|name| self.vars.has(name))),
            Require::Host(_) | Require::ForwardDns(_) => Finding::Denied,
            Require::Method(methods) => grant(self.has_method(methods)),
            Require::Limited { rule: inner, .. } if self.concerns(rule) => self.judge(inner),
            Require::Limited { .. } => Finding::Nothing,
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
        Require::Not(rule) | Require::Limited { rule, .. } => names_hosts(rule),
        Require::Host(_) | Require::ForwardDns(_) => true,
        Require::All(_)
        | Require::Ip(_)
        | Require::Local
        | Require::Env(_)
        | Require::Method(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::set;
    use super::*;
    use crate::config::model::Net;

    fn net(text: &str) -> Net {
        let (base, bits) = text.split_once('/').unwrap_or((text, "32"));
        Net::with_prefix(base.parse().unwrap(), bits.parse().unwrap()).unwrap()
    }

    /// The variables of every request here: `set`, which is empty.
    fn vars() -> Environment {
        let mut vars = Environment::new();
        vars.set("set", b"");
        vars
    }

    /// Who gets in: a client from 10.0.0.9, one from 192.0.2.5, one from this machine.
    fn let_in(access: &Access) -> [bool; 3] {
        ["10.0.0.9:1", "192.0.2.5:1", "127.0.0.1:1"].map(|client| {
            let peers = Peers {
                client: client.parse().unwrap(),
                local: "192.0.2.80:80".parse().unwrap(),
            };
            check(access, &peers, &Method::Get, &vars()).is_ok()
        })
    }

    fn require(rule: Require) -> Access {
        Access {
            require: Some(rule),
            ..Access::default()
        }
    }

    fn compat(order: Order, allow: &[Who], deny: &[Who]) -> Access {
        Access {
            compat: Some(CompatAccess {
                order: set(order),
                allow: allow.to_vec(),
                deny: deny.to_vec(),
                ..CompatAccess::default()
            }),
            ..Access::default()
        }
    }

    const EVERYBODY: [bool; 3] = [true; 3];
    const NOBODY: [bool; 3] = [false; 3];
    const TEN: [bool; 3] = [true, false, false];
    const NOT_TEN: [bool; 3] = [false, true, true];

    #[test]
    fn require_rules_let_in_whom_they_name() {
        let ten = || Require::Ip(vec![net("10.0.0.0/8")]);
        let not = |rule| Require::Not(Box::new(rule));
        let all = Require::All;
        let limited = |methods: &[&str], except, rule| Require::Limited {
            methods: methods.iter().map(ToString::to_string).collect(),
            except,
            rule: Box::new(rule),
        };
        let rows = [
            ("all_granted", all(true), EVERYBODY),
            ("all_denied", all(false), NOBODY),
            ("ip", ten(), TEN),
            (
                "two_lines_are_any",
                Require::AnyOf(vec![ten(), Require::Local]),
                [true, false, true],
            ),
            ("local", Require::Local, [false, false, true]),
            ("not_alone_lets_nobody_in", not(ten()), NOBODY),
            (
                "granted_but_not",
                Require::AllOf(vec![all(true), not(ten())]),
                NOT_TEN,
            ),
            (
                "none_alone_lets_nobody_in",
                Require::NoneOf(vec![ten()]),
                NOBODY,
            ),
            (
                "granted_and_none",
                Require::AllOf(vec![all(true), Require::NoneOf(vec![ten()])]),
                NOT_TEN,
            ),
            (
                "any_with_not",
                Require::AnyOf(vec![not(ten()), Require::Local]),
                [false, false, true],
            ),
            (
                "host_matches_nobody",
                Require::Host(vec!["example.org".into()]),
                NOBODY,
            ),
            (
                "not_host",
                Require::AllOf(vec![all(true), not(Require::Host(vec!["x".into()]))]),
                EVERYBODY,
            ),
            (
                "forward_dns_matches_nobody",
                Require::ForwardDns(vec!["x".into()]),
                NOBODY,
            ),
            ("no_such_variable", Require::Env(vec!["X".into()]), NOBODY),
            (
                "one_of_two_variables",
                Require::Env(vec!["X".into(), "Set".into()]),
                EVERYBODY,
            ),
            ("method", Require::Method(vec!["GET".into()]), EVERYBODY),
            (
                "another_method",
                Require::Method(vec!["POST".into()]),
                NOBODY,
            ),
            (
                "limited_to_another_method",
                limited(&["POST"], false, all(false)),
                EVERYBODY,
            ),
            ("limited_to_this", limited(&["GET"], false, ten()), TEN),
            (
                "limited_except_this",
                limited(&["GET"], true, ten()),
                EVERYBODY,
            ),
            (
                "limited_beside_a_rule",
                Require::AnyOf(vec![ten(), limited(&["GET"], false, Require::Local)]),
                [true, false, true],
            ),
            (
                "limited_to_another_beside_a_rule",
                Require::AnyOf(vec![limited(&["POST"], false, all(true)), ten()]),
                TEN,
            ),
            (
                "limited_to_another_and_a_rule",
                Require::AllOf(vec![ten(), limited(&["POST"], false, all(false))]),
                TEN,
            ),
        ];
        for (row, rule, expected) in rows {
            assert_eq!(let_in(&require(rule)), expected, "{row}");
        }
        assert_eq!(let_in(&Access::default()), EVERYBODY, "no_rules");
    }

    #[test]
    fn order_decides_which_list_speaks_last() {
        let ten = || Who::Net(net("10.0.0.0/8"));
        let env_named = |name: &str, negated| Who::Env {
            name: name.into(),
            negated,
        };
        let env = |negated| env_named("X", negated);
        let rows = [
            (
                "deny_allow_default_is_in",
                compat(Order::DenyAllow, &[], &[]),
                EVERYBODY,
            ),
            (
                "allow_deny_default_is_out",
                compat(Order::AllowDeny, &[], &[]),
                NOBODY,
            ),
            (
                "deny_all",
                compat(Order::DenyAllow, &[], &[Who::All]),
                NOBODY,
            ),
            (
                "deny_all_allow_ten",
                compat(Order::DenyAllow, &[ten()], &[Who::All]),
                TEN,
            ),
            (
                "allow_all_deny_ten",
                compat(Order::AllowDeny, &[Who::All], &[ten()]),
                NOT_TEN,
            ),
            (
                "allow_deny_same_denies",
                compat(Order::AllowDeny, &[ten()], &[ten()]),
                NOBODY,
            ),
            (
                "deny_allow_same_allows",
                compat(Order::DenyAllow, &[ten()], &[ten()]),
                EVERYBODY,
            ),
            (
                "mutual_failure",
                compat(Order::MutualFailure, &[ten()], &[]),
                TEN,
            ),
            (
                "deny_by_name_matches_nobody",
                compat(Order::DenyAllow, &[], &[Who::Host("x".into())]),
                EVERYBODY,
            ),
            (
                "unset_variable",
                compat(Order::AllowDeny, &[env(false)], &[]),
                NOBODY,
            ),
            (
                "negated_variable",
                compat(Order::AllowDeny, &[env(true)], &[]),
                EVERYBODY,
            ),
            (
                "variable_lets_in",
                compat(Order::AllowDeny, &[env_named("set", false)], &[]),
                EVERYBODY,
            ),
            (
                "variable_keeps_out",
                compat(Order::DenyAllow, &[], &[env_named("set", false)]),
                NOBODY,
            ),
            (
                "negated_variable_that_is_set",
                compat(Order::AllowDeny, &[env_named("set", true)], &[]),
                NOBODY,
            ),
        ];
        for (row, access, expected) in rows {
            assert_eq!(let_in(&access), expected, "{row}");
        }
    }

    #[test]
    fn satisfy_says_whether_both_kinds_of_rules_must_pass() {
        let both = |satisfy, deny: &[Who], rule| {
            let mut access = compat(Order::DenyAllow, &[], deny);
            access.require = rule;
            access.compat.as_mut().unwrap().satisfy = set(satisfy);
            access
        };
        let ten = || Some(Require::Ip(vec![net("10.0.0.0/8")]));
        let rows = [
            (
                "all_needs_both",
                both(Satisfy::All, &[Who::All], ten()),
                NOBODY,
            ),
            ("any_needs_one", both(Satisfy::Any, &[Who::All], ten()), TEN),
            ("any_by_address", both(Satisfy::Any, &[], ten()), EVERYBODY),
            (
                "any_without_require",
                both(Satisfy::Any, &[Who::All], None),
                NOBODY,
            ),
            (
                "all_without_require",
                both(Satisfy::All, &[], None),
                EVERYBODY,
            ),
        ];
        for (row, access, expected) in rows {
            assert_eq!(let_in(&access), expected, "{row}");
        }
    }

    #[test]
    fn rules_by_name_are_noted_at_start() {
        assert!(
            note(&require(Require::Not(Box::new(Require::Host(vec![
                "x".into()
            ])))))
            .is_some()
        );
        assert!(note(&compat(Order::DenyAllow, &[], &[Who::Host("x".into())])).is_some());
        assert!(note(&require(Require::Local)).is_none());
    }

    #[test]
    fn head_counts_as_get() {
        let peers = super::super::testing::peers("192.0.2.1:80");
        let access = require(Require::Method(vec!["GET".into()]));
        assert_eq!(check(&access, &peers, &Method::Head, &vars()), Ok(()));
        assert_eq!(
            check(&access, &peers, &Method::Post, &vars()),
            Err(Refusal::Require)
        );
    }
}
