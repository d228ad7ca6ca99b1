//! Which requests are ours, and where they lead: ProxyPass and ProxyPassMatch.
//!
//! Responsible for: matching a path against the rules of its location and its server, and writing the target URL. Not responsible for
//! who serves the target: [`To::way`] names the balancer or the workers, the handler asks them.
//!
//! Know first: a target is two things that never meet in a parser. Its front (`http://host:port`, `balancer://name`) is configuration,
//! where that asks for it with hosts and ports from the request (`target`); behind it stands a path made from the request, which always
//! begins with `/`. httpd joins strings and parses the result, so that `ProxyPass / http://host` sends `/x` to `hostx` (CVE-2011-3368
//! and its kin). DIVERGE: here the slash that the rule matched is kept.
//!
//! Rules for encoded paths (`mapping=`) are asked before all others, wherever they stand: httpd asks them before it decodes the path.
//!
//! mod_proxy's `ap_proxy_trans_match`, reference §3.1 to §3.5.

mod encoded;
mod target;
#[cfg(test)]
mod tests;

use crate::config::Diagnostic;
use crate::config::model::{Mapping, PassPath, PassTarget, ProxyPass};
use crate::http::Target;
use crate::log::Environment;
use crate::request::{Case, Groups, Pattern, Template};
use std::borrow::Cow;
use std::ops::Range;
use target::{Filling, Reading};
pub(crate) use target::{To, Unfit};

/// All rules of a generation, and which of them each server has.
#[derive(Debug, Default)]
pub(crate) struct Map {
    rules: Vec<Rule>,
    sites: Vec<SiteRules>,
}

/// The rules of one server.
#[derive(Debug, Default)]
struct SiteRules {
    /// Those outside sections, in the order in which they are tried.
    passes: Range<u32>,
    /// That of each Location, by its place among them.
    locations: Vec<Option<u32>>,
    /// One of them is for encoded paths.
    has_encoded: bool,
}

/// One ProxyPass.
#[derive(Debug)]
struct Rule {
    matcher: Matcher,
    to: Option<To>,
    /// What holds instead where `ProxyPassInterpolateEnv` is on; `None` when that makes no difference.
    interpolated: Option<Box<Interpolated>>,
    is_nocanon: bool,
    mapping: Option<Mapping>,
}

/// A rule with variables.
#[derive(Debug)]
struct Interpolated {
    /// The prefix, if there is one. A regular expression stays as it is.
    prefix: Option<Template>,
    to: Option<To>,
}

#[derive(Debug)]
enum Matcher {
    Prefix(Vec<u8>),
    Regex(Pattern),
}

/// Who takes the requests of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A balancer, by its index.
    Balancer(u32),
    /// One of these plain workers, by path and index, the longest path first: the first whose path begins the request's takes it.
    /// When none does, the last one.
    Workers(Vec<(Vec<u8>, u32)>),
    /// The balancer that the request names.
    NamedBalancer,
    /// The configuration names nobody who could: 500.
    Nobody,
}

/// In which form the path stands in the target URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathForm {
    /// Decoded: to be encoded; the query is to be appended.
    Decoded = 0,
    /// As the client sent it (`mapping=`): the query is to be appended.
    Encoded = 1,
    /// As the client sent it with its query (`nocanon`).
    Verbatim = 2,
}

/// A rule that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    /// The rule's number and the path's form, as one number to keep.
    pub(crate) rule: u32,
    /// How long the front of the URL is.
    pub(crate) front: usize,
    /// What is to be said about it.
    pub(crate) trouble: Option<Trouble>,
}

/// What is wrong with a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// `nocanon` could not be obeyed: the path as sent does not match the same way.
    UnsafeNocanon,
    /// There is no URL: the request cannot go there.
    Unfit(Unfit),
}

/// A path to be mapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// The server's index.
    pub(crate) site: u32,
    /// The Locations that match, in order.
    pub(crate) locations: &'a [u16],
    /// The decoded, normalised path.
    pub(crate) path: &'a [u8],
    /// The target as sent.
    pub(crate) target: &'a Target,
    /// Rules that lead to `ws:` or `wss:` may match. Otherwise the next rule is asked, so that `http:` and `ws:` can have the same path.
    pub(crate) takes_websocket: bool,
    /// The path could be decoded. If not, only rules for encoded paths may match.
    pub(crate) is_decodable: bool,
    /// Runs of slashes are one slash.
    pub(crate) merges_slashes: bool,
    /// `ProxyPassInterpolateEnv` is on.
    pub(crate) interpolates: bool,
    /// The variables of the request.
    pub(crate) vars: &'a Environment,
}

/// What a rule that matched writes.
#[derive(Debug)]
pub(crate) struct Written<'a> {
    /// The target URL.
    pub(crate) url: &'a mut Vec<u8>,
    /// The path that sections are to be compared with instead of the request's, still encoded; left empty by most rules.
    pub(crate) path: &'a mut Vec<u8>,
}

impl Map {
    /// Adds a server, whose index is the number of those added before. `way` finds out who takes the requests of a mapping.
    pub(crate) fn add_site<'c>(
        &mut self,
        passes: &'c [ProxyPass],
        locations: impl Iterator<Item = Option<&'c ProxyPass>>,
        mut way: impl FnMut(&'c ProxyPass, Option<&str>) -> Way,
        complaints: &mut Vec<Diagnostic>,
    ) {
        let from = self.rules_len();
        for pass in passes {
            self.add_rule(pass, &mut way, complaints);
        }
        let passes = from..self.rules_len();
        let locations = locations
            .map(|pass| pass.and_then(|pass| self.add_rule(pass, &mut way, complaints)))
            .collect();
        let has_encoded = (from..self.rules_len()).any(|rule| self.is_encoded(rule));
        self.sites.push(SiteRules {
            passes,
            locations,
            has_encoded,
        });
    }

    fn add_rule<'c>(
        &mut self,
        pass: &'c ProxyPass,
        way: &mut impl FnMut(&'c ProxyPass, Option<&str>) -> Way,
        complaints: &mut Vec<Diagnostic>,
    ) -> Option<u32> {
        match Rule::compile(pass, way) {
            Ok(rule) => {
                self.rules.push(rule);
                Some(self.rules_len() - 1)
            }
            Err(complaint) => {
                complaints.push(Diagnostic::error(complaint).at(&pass.place));
                None
            }
        }
    }

    fn rules_len(&self) -> u32 {
        u32::try_from(self.rules.len()).expect("a configuration has far fewer than 2^30 rules")
    }

    fn is_encoded(&self, rule: u32) -> bool {
        let rule = self.rules.get(rule as usize);
        rule.is_some_and(|rule| rule.mapping.is_some())
    }

    /// Finds the rule for a path and writes the target URL: the Location's first, then the server's in order.
    pub(crate) fn find(&self, question: &Question<'_>, out: &mut Written<'_>) -> Option<Match> {
        // `*` and CONNECT targets are not mapped.
        if question.path.first() != Some(&b'/') {
            return None;
        }
        let site = self.sites.get(question.site as usize)?;
        // The merged value of a directory setting: the last Location that has one.
        let own = question
            .locations
            .iter()
            .rev()
            .find_map(|&location| site.locations.get(usize::from(location)).copied().flatten());
        let rules = || own.into_iter().chain(site.passes.clone());
        if site.has_encoded {
            let encoded = rules().filter(|&rule| self.is_encoded(rule));
            if let found @ Some(_) = self.first(encoded, question, out) {
                return found;
            }
        }
        if !question.is_decodable {
            return None;
        }
        let others = rules().filter(|&rule| !(site.has_encoded && self.is_encoded(rule)));
        self.first(others, question, out)
    }

    /// The first rule that matches; none if that is an exclusion, which keeps the request here whatever other rules say.
    fn first(
        &self,
        rules: impl Iterator<Item = u32>,
        question: &Question<'_>,
        out: &mut Written<'_>,
    ) -> Option<Match> {
        for rule in rules {
            match self.try_rule(rule, question, out) {
                Tried::Found(found) => return Some(found),
                Tried::Excluded => return None,
                Tried::NoMatch => {}
            }
        }
        None
    }

    fn try_rule(&self, index: u32, question: &Question<'_>, out: &mut Written<'_>) -> Tried {
        let Some(rule) = self.rules.get(index as usize) else {
            return Tried::NoMatch;
        };
        out.url.clear();
        if !question.takes_websocket && rule.to.as_ref().is_some_and(To::is_websocket) {
            return Tried::NoMatch;
        }
        let tried = rule.apply(question, out);
        match tried {
            Some(_) if rule.to.is_none() => Tried::Excluded,
            Some(applied) => Tried::Found(Match {
                rule: index << 3 | u32::from(question.interpolates) << 2 | applied.form as u32,
                front: applied.front,
                trouble: applied.trouble,
            }),
            None => Tried::NoMatch,
        }
    }

    /// The rule with the number of a [`Match`], and the form of its path.
    pub(crate) fn rule(&self, number: u32) -> Option<(&To, PathForm)> {
        let rule = self.rules.get((number >> 3) as usize)?;
        let form = match number & 3 {
            0 => PathForm::Decoded,
            1 => PathForm::Encoded,
            _ => PathForm::Verbatim,
        };
        Some((rule.to(number & 4 != 0)?, form))
    }
}

enum Tried {
    Found(Match),
    Excluded,
    NoMatch,
}

/// How a rule that matched was written.
struct Applied {
    form: PathForm,
    front: usize,
    trouble: Option<Trouble>,
}

impl Rule {
    fn compile<'c>(
        pass: &'c ProxyPass,
        way: &mut impl FnMut(&'c ProxyPass, Option<&str>) -> Way,
    ) -> Result<Self, String> {
        let matcher = match &pass.path {
            PassPath::Prefix(prefix) => Matcher::Prefix(prefix.clone().into_bytes()),
            PassPath::Regex(text) => Matcher::Regex(
                Pattern::compile(text, Case::Sensitive)
                    .map_err(|why| format!("regular expression `{text}` cannot be used: {why}"))?,
            ),
        };
        let is_regex = matches!(matcher, Matcher::Regex(_));
        let mut to = |has_variables| match &pass.target {
            PassTarget::Exclude => Ok(None),
            PassTarget::Url {
                text, unix_socket, ..
            } => {
                let reading = Reading {
                    is_regex,
                    has_variables,
                    has_socket: unix_socket.is_some(),
                };
                To::compile(text, reading, |front| way(pass, front)).map(Some)
            }
        };
        Ok(Self {
            to: to(false)?,
            interpolated: if is_interpolated(pass) {
                Some(Box::new(Interpolated {
                    prefix: match &pass.path {
                        PassPath::Prefix(prefix) => Some(Template::with_variables(prefix, false)),
                        PassPath::Regex(_) => None,
                    },
                    to: to(true)?,
                }))
            } else {
                None
            },
            matcher,
            is_nocanon: pass.nocanon,
            mapping: pass.mapping,
        })
    }

    /// Where it leads, with or without variables filled in.
    fn to(&self, interpolates: bool) -> Option<&To> {
        match &self.interpolated {
            Some(interpolated) if interpolates => interpolated.to.as_ref(),
            Some(_) | None => self.to.as_ref(),
        }
    }

    /// Writes the URL if the rule matches.
    fn apply(&self, question: &Question<'_>, out: &mut Written<'_>) -> Option<Applied> {
        let alias = self.alias(question);
        let is_prefix = matches!(self.matcher, Matcher::Prefix(_));
        let encoded;
        let path = match self.mapping {
            None => question.path,
            Some(mapping) => {
                encoded = encoded::normalize(question.target.path(), question.merges_slashes)?;
                // For a regular expression, `servlet` says no more than `encoded`.
                if mapping == Mapping::Servlet && is_prefix {
                    return self.apply_servlet(&alias, &encoded, question, out);
                }
                &encoded
            }
        };
        let found = self.matches(&alias, path, question)?;
        let form = if self.mapping.is_some() {
            PathForm::Encoded
        } else {
            PathForm::Decoded
        };
        if !self.is_nocanon {
            return Some(self.write(path, &found, form, question, out.url));
        }
        let raw = raw_of(question.target);
        match self.matches(&alias, raw, question) {
            Some(sent) if sent.is_same_as(&found) => {
                Some(self.write(raw, &sent, PathForm::Verbatim, question, out.url))
            }
            _ => {
                let applied = self.write(path, &found, form, question, out.url);
                Some(Applied {
                    trouble: applied.trouble.or(Some(Trouble::UnsafeNocanon)),
                    ..applied
                })
            }
        }
    }

    /// The prefix that paths are compared with; nothing for a regular expression.
    fn alias(&self, question: &Question<'_>) -> Cow<'_, [u8]> {
        let interpolated = self
            .interpolated
            .as_ref()
            .filter(|_| question.interpolates)
            .and_then(|interpolated| interpolated.prefix.as_ref());
        match (interpolated, &self.matcher) {
            (Some(template), _) => {
                let mut prefix = Vec::new();
                template.fill_in(None, question.vars, &mut prefix);
                Cow::Owned(prefix)
            }
            (None, Matcher::Prefix(prefix)) => Cow::Borrowed(prefix),
            (None, Matcher::Regex(_)) => Cow::Borrowed(&[]),
        }
    }

    /// `mapping=servlet`: parameters of path segments take no part in the comparison and are forwarded. Sections are compared without
    /// them as well, or `/secret;x` would get past what guards `/secret`.
    fn apply_servlet(
        &self,
        alias: &[u8],
        raw: &[u8],
        question: &Question<'_>,
        out: &mut Written<'_>,
    ) -> Option<Applied> {
        let servlet = encoded::Servlet::read(raw)?;
        let length = prefix_length(&servlet.path, alias)?;
        let applied = match self.to(question.interpolates) {
            Some(to) => {
                let rest = servlet.rest(raw, length);
                let written = to.join(rest, question.filling(None), out.url);
                Applied::of(PathForm::Encoded, written)
            }
            None => Applied::of(PathForm::Encoded, Ok(0)),
        };
        if servlet.path != raw {
            out.path.clear();
            out.path.extend_from_slice(&servlet.path);
        }
        Some(applied)
    }

    fn matches<'p>(
        &self,
        alias: &[u8],
        path: &'p [u8],
        question: &Question<'_>,
    ) -> Option<Found<'p>> {
        match &self.matcher {
            Matcher::Prefix(_) => prefix_length(path, alias).map(Found::Prefix),
            Matcher::Regex(pattern) => match self.to(question.interpolates) {
                Some(to) if to.has_groups => pattern
                    .captures(path)
                    .map(|groups| Found::Regex(Some(groups))),
                Some(_) | None => pattern.is_match(path).then_some(Found::Regex(None)),
            },
        }
    }

    fn write(
        &self,
        path: &[u8],
        found: &Found<'_>,
        form: PathForm,
        question: &Question<'_>,
        url: &mut Vec<u8>,
    ) -> Applied {
        let Some(to) = self.to(question.interpolates) else {
            return Applied::of(form, Ok(0));
        };
        let written = match found {
            Found::Prefix(length) => {
                let rest = path.get(*length..).unwrap_or_default();
                to.join(rest, question.filling(None), url)
            }
            // Nothing to fill in: httpd appends the whole path.
            Found::Regex(None) => to.join(path, question.filling(None), url),
            Found::Regex(Some(groups)) => to.fill(question.filling(Some(groups)), url),
        };
        Applied::of(form, written)
    }
}

impl Applied {
    fn of(form: PathForm, written: Result<usize, Unfit>) -> Self {
        Self {
            form,
            front: written.unwrap_or(0),
            trouble: written.err().map(Trouble::Unfit),
        }
    }
}

impl<'a> Question<'a> {
    fn filling(&self, groups: Option<&'a Groups<'a>>) -> Filling<'a> {
        Filling {
            groups,
            vars: self.vars,
        }
    }
}

/// Whether variables are to be filled in anywhere.
fn is_interpolated(pass: &ProxyPass) -> bool {
    let in_path = match &pass.path {
        PassPath::Prefix(prefix) => prefix.contains("${"),
        PassPath::Regex(_) => false,
    };
    let in_target = match &pass.target {
        PassTarget::Exclude => false,
        PassTarget::Url { text, .. } => text.contains("${"),
    };
    pass.interpolate && (in_path || in_target)
}

/// How a rule matched.
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack for one comparison"
)]
enum Found<'p> {
    /// So many bytes of the path.
    Prefix(usize),
    /// A regular expression, with its groups if the target needs them.
    Regex(Option<Groups<'p>>),
}

impl Found<'_> {
    /// `nocanon` is safe only when the path as sent matches like the decoded one; for a regular expression any match will do, as in
    /// httpd.
    fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Prefix(one), Self::Prefix(two)) => one == two,
            (Self::Regex(_), Self::Regex(_)) => true,
            (Self::Prefix(_), Self::Regex(_)) | (Self::Regex(_), Self::Prefix(_)) => false,
        }
    }
}

/// Path and query as sent.
fn raw_of(target: &Target) -> &[u8] {
    let front = match target.authority() {
        [] => 0,
        authority => target.scheme().len() + 3 + authority.len(),
    };
    match target.raw().get(front..) {
        Some(raw) if raw.first() == Some(&b'/') => raw,
        _ => target.path(),
    }
}

/// How many bytes of `path` a prefix covers. A run of slashes matches any run; the prefix ends at a segment's end.
fn prefix_length(path: &[u8], prefix: &[u8]) -> Option<usize> {
    let slashes = |bytes: &[u8], at: usize| {
        bytes
            .get(at..)
            .unwrap_or_default()
            .iter()
            .take_while(|&&byte| byte == b'/')
            .count()
    };
    let (mut at, mut n) = (0, 0);
    while let Some(&byte) = prefix.get(n) {
        if path.get(at) != Some(&byte) {
            return None;
        }
        if byte == b'/' {
            n += slashes(prefix, n);
            at += slashes(path, at);
        } else {
            n += 1;
            at += 1;
        }
    }
    let ends_segment = prefix.last() == Some(&b'/') || matches!(path.get(at), None | Some(b'/'));
    (at > 0 && ends_segment).then_some(at)
}
