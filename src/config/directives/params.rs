//! Words of the form `key=value` behind a worker's or balancer's URL.
//!
//! Responsible for: applying them one by one, all complaints of a line told, with httpd's words around them.

use crate::config::args::Word;
use crate::config::model::{BalancerParams, MemberParams};
use crate::config::params::{self, BALANCER_PARAMS, Effect, MEMBER_PARAMS, Param};
use crate::config::scope::{Complaint, Scope};
use crate::config::suggest;
use std::ops::Range;

/// A key and a value, and where the word stands.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) value: String,
    /// Where both stand.
    pub(super) range: Range<usize>,
    pub(super) key_range: Range<usize>,
    pub(super) value_range: Range<usize>,
}

impl Pair {
    /// Splits a word at its first equals sign.
    pub(super) fn of(word: &Word) -> Option<Self> {
        let (key, value) = word.text.split_once('=')?;
        Some(Self {
            key: key.to_owned(),
            value: value.to_owned(),
            range: word.range.clone(),
            key_range: word.part(0..key.len()),
            value_range: word.after(key.len() + 1),
        })
    }
}

/// How a directive words a complaint about a parameter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wording<'a> {
    /// `NAME MESSAGE`.
    Plain(&'a str),
    /// `NAME MESSAGE key=value; ABOUT`.
    Full(&'a str, &'a str),
}

impl Wording<'_> {
    fn message(self, why: &str, pair: &Pair) -> String {
        match self {
            Self::Plain(name) => format!("{name} {why}"),
            Self::Full(name, about) => format!("{name} {why} {}={}; {about}", pair.key, pair.value),
        }
    }
}

/// Applies the parameters of a worker or member.
pub(super) fn member(
    scope: &mut Scope<'_>,
    target: &mut MemberParams,
    pairs: &[Pair],
    wording: Wording<'_>,
) {
    apply(
        scope,
        MEMBER_PARAMS,
        target,
        pairs,
        wording,
        "Worker",
        BALANCER_PARAMS.iter().map(|param| param.key).collect(),
    );
}

/// Applies the parameters of a balancer.
pub(super) fn balancer(
    scope: &mut Scope<'_>,
    target: &mut BalancerParams,
    pairs: &[Pair],
    wording: Wording<'_>,
) {
    apply(
        scope,
        BALANCER_PARAMS,
        target,
        pairs,
        wording,
        "Balancer",
        MEMBER_PARAMS.iter().map(|param| param.key).collect(),
    );
}

fn apply<T>(
    scope: &mut Scope<'_>,
    table: &'static [Param<T>],
    target: &mut T,
    pairs: &[Pair],
    wording: Wording<'_>,
    kind: &str,
    others: Vec<&'static str>,
) {
    for pair in pairs {
        let param = params::find(table, &pair.key)
            .filter(|param| param.module.is_empty() || scope.modules.offers(param.module));
        let Some(param) = param else {
            scope.complain(unknown(table, pair, wording, kind, &others));
            continue;
        };
        match param.set(target, &pair.value, scope.place()) {
            Ok(()) => {
                if let Effect::Later(instead) = param.effect {
                    let what = format!("{} parameter `{}`", called(kind), param.key);
                    scope.used_later(&what, instead, pair.range.clone());
                }
            }
            Err(fault) => {
                let complaint = Complaint::new(wording.message(&fault.message, pair))
                    .over(pair.value_range.clone());
                scope.complain(match fault.hint {
                    Some(hint) => complaint.hint(hint),
                    None => complaint,
                });
            }
        }
    }
}

/// Our word for what httpd calls so.
fn called(kind: &str) -> &'static str {
    if kind == "Worker" {
        "member"
    } else {
        "balancer"
    }
}

fn unknown<T>(
    table: &'static [Param<T>],
    pair: &Pair,
    wording: Wording<'_>,
    kind: &str,
    others: &[&'static str],
) -> Complaint {
    let complaint = Complaint::new(wording.message(&format!("unknown {kind} parameter"), pair))
        .over(pair.key_range.clone())
        .label(format!("unknown {} parameter `{}`", called(kind), pair.key));
    if let Some(param) = params::find(table, &pair.key) {
        return complaint.hint(format!(
            "add `{}`: the modules are listed, and this one is not",
            crate::config::modules::load_line(param.module)
        ));
    }
    if let Some(other) = others
        .iter()
        .find(|other| other.eq_ignore_ascii_case(&pair.key))
    {
        let (here, there) = if kind == "Worker" {
            ("a member", "a balancer")
        } else {
            ("a balancer", "a member")
        };
        return complaint.hint(format!(
            "`{other}` is a parameter of {there}, not of {here}"
        ));
    }
    match suggest::nearest(&pair.key, table.iter().map(|param| param.key)) {
        Some(near) => complaint.hint(format!("did you mean `{near}`?")),
        None => complaint,
    }
}
