//! Which requests are ours, and where they lead: ProxyPass and ProxyPassMatch.
//!
//! Responsible for: matching a path against the rules of its location and its server, and writing the target URL. Not responsible for
//! who serves the target: [`To::way`] names the balancer or the workers, the handler asks them.
//!
//! Know first: a target is two things that never meet in a parser. Its front (`http://host:port`, `balancer://name`) is configuration;
//! behind it stands a path made from the request, which always begins with `/`. httpd joins strings and parses the result, so that
//! `ProxyPass / http://host` sends `/x` to `hostx` (CVE-2011-3368 and its kin). DIVERGE: here the slash that the rule matched is kept.
//!
//! Rules for encoded paths (`mapping=`) are asked before all others, wherever they stand: httpd asks them before it decodes the path.
//!
//! mod_proxy's `ap_proxy_trans_match`, reference §3.1 to §3.5.

mod encoded;
#[cfg(test)]
mod tests;

use crate::config::Diagnostic;
use crate::config::model::{Mapping, PassPath, PassTarget, ProxyPass, WorkerUrl};
use crate::http::Target;
use crate::request::{Case, Groups, Pattern, Template};
use std::ops::Range;

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
    is_nocanon: bool,
    mapping: Option<Mapping>,
}

#[derive(Debug)]
enum Matcher {
    Prefix(Vec<u8>),
    Regex(Pattern),
}

/// Where a rule leads.
#[derive(Debug)]
pub(crate) struct To {
    /// What stands before the path: `http://host:port` or `balancer://name`.
    pub(crate) front: Vec<u8>,
    path: Template,
    /// Who takes the request there.
    pub(crate) way: Way,
    is_websocket: bool,
}

/// Who takes the requests of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A balancer, by its index.
    Balancer(u32),
    /// One of these plain workers, by path and index, the longest path first: the first whose path begins the request's takes it.
    /// When none does, the last one.
    Workers(Vec<(Vec<u8>, u32)>),
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
    /// `nocanon` could not be obeyed: the path as sent does not match the same way.
    pub(crate) is_nocanon_unsafe: bool,
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
        mut way: impl FnMut(&'c ProxyPass, &str) -> Way,
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
        way: &mut impl FnMut(&'c ProxyPass, &str) -> Way,
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
        if !question.takes_websocket && rule.to.as_ref().is_some_and(|to| to.is_websocket) {
            return Tried::NoMatch;
        }
        let tried = rule.apply(question, out);
        match tried {
            Some(_) if rule.to.is_none() => Tried::Excluded,
            Some((form, is_nocanon_unsafe)) => Tried::Found(Match {
                rule: index << 2 | form as u32,
                is_nocanon_unsafe,
            }),
            None => Tried::NoMatch,
        }
    }

    /// The rule with the number of a [`Match`], and the form of its path.
    pub(crate) fn rule(&self, number: u32) -> Option<(&To, PathForm)> {
        let rule = self.rules.get((number >> 2) as usize)?;
        let form = match number & 3 {
            0 => PathForm::Decoded,
            1 => PathForm::Encoded,
            _ => PathForm::Verbatim,
        };
        Some((rule.to.as_ref()?, form))
    }
}

enum Tried {
    Found(Match),
    Excluded,
    NoMatch,
}

impl Rule {
    fn compile<'c>(
        pass: &'c ProxyPass,
        way: &mut impl FnMut(&'c ProxyPass, &str) -> Way,
    ) -> Result<Self, String> {
        let matcher = match &pass.path {
            PassPath::Prefix(prefix) => Matcher::Prefix(prefix.clone().into_bytes()),
            PassPath::Regex(text) => Matcher::Regex(
                Pattern::compile(text, Case::Sensitive)
                    .map_err(|why| format!("regular expression `{text}` cannot be used: {why}"))?,
            ),
        };
        let to = match &pass.target {
            PassTarget::Exclude => None,
            PassTarget::Url {
                text, unix_socket, ..
            } => {
                let is_regex = matches!(matcher, Matcher::Regex(_));
                let (front, path) = split_target(text, unix_socket.is_some(), is_regex)?;
                let way = way(pass, &front);
                let path = if is_regex {
                    Template::parse(&path)
                } else {
                    Template::literal(&path)
                };
                Some(To {
                    is_websocket: front.starts_with("ws:") || front.starts_with("wss:"),
                    front: front.into_bytes(),
                    path,
                    way,
                })
            }
        };
        Ok(Self {
            matcher,
            to,
            is_nocanon: pass.nocanon,
            mapping: pass.mapping,
        })
    }

    /// Writes the URL if the rule matches. The flag tells that `nocanon` could not be obeyed.
    fn apply(&self, question: &Question<'_>, out: &mut Written<'_>) -> Option<(PathForm, bool)> {
        let url = &mut *out.url;
        let encoded;
        let path = match self.mapping {
            None => question.path,
            Some(mapping) => {
                encoded = encoded::normalize(question.target.path())?;
                if mapping == Mapping::Servlet {
                    return self.apply_servlet(&encoded, out);
                }
                &encoded
            }
        };
        let decoded = self.matches(path)?;
        if self.is_nocanon && self.mapping.is_none() {
            let raw = raw_of(question.target);
            return match self.matches(raw) {
                Some(sent) if sent.is_same_as(&decoded) => {
                    self.write(raw, &sent, url);
                    Some((PathForm::Verbatim, false))
                }
                _ => {
                    self.write(path, &decoded, url);
                    Some((PathForm::Decoded, true))
                }
            };
        }
        self.write(path, &decoded, url);
        let form = if self.mapping.is_some() {
            PathForm::Encoded
        } else {
            PathForm::Decoded
        };
        Some((form, false))
    }

    /// `mapping=servlet`: parameters of path segments take no part in the comparison and are forwarded. Sections are compared without
    /// them as well, or `/secret;x` would get past what guards `/secret`.
    fn apply_servlet(&self, raw: &[u8], out: &mut Written<'_>) -> Option<(PathForm, bool)> {
        let servlet = encoded::Servlet::read(raw)?;
        let found = self.matches(&servlet.path)?;
        match found {
            Found::Prefix(length) => {
                let rest = raw.get(servlet.origin(length)..).unwrap_or_default();
                self.write_joined(rest, out.url);
            }
            Found::Regex(_) => self.write(&servlet.path, &found, out.url),
        }
        if servlet.path != raw {
            out.path.clear();
            out.path.extend_from_slice(&servlet.path);
        }
        Some((PathForm::Encoded, false))
    }

    fn matches<'p>(&self, path: &'p [u8]) -> Option<Found<'p>> {
        match &self.matcher {
            Matcher::Prefix(alias) => prefix_length(path, alias).map(Found::Prefix),
            Matcher::Regex(pattern) => match &self.to {
                Some(to) if !to.path.is_literal() => pattern
                    .captures(path)
                    .map(|groups| Found::Regex(Some(groups))),
                Some(_) | None => pattern.is_match(path).then_some(Found::Regex(None)),
            },
        }
    }

    fn write(&self, path: &[u8], found: &Found<'_>, url: &mut Vec<u8>) {
        match found {
            Found::Prefix(length) => {
                let rest = path.get(*length..).unwrap_or_default();
                self.write_joined(rest, url);
            }
            // Nothing to fill in: httpd appends the whole path.
            Found::Regex(None) => self.write_joined(path, url),
            Found::Regex(Some(groups)) => {
                let Some(to) = &self.to else { return };
                url.extend_from_slice(&to.front);
                let start = url.len();
                to.path.fill(groups, url);
                if url.get(start).is_some_and(|&first| first != b'/') {
                    url.insert(start, b'/');
                }
            }
        }
    }

    /// The front, the rule's own path, and the rest of the request's. The slash before `rest` stands in for a missing one.
    fn write_joined(&self, rest: &[u8], url: &mut Vec<u8>) {
        let Some(to) = &self.to else { return };
        url.extend_from_slice(&to.front);
        let start = url.len();
        to.path.append(url);
        if url.len() == start && rest.first().is_some_and(|&first| first != b'/') {
            url.push(b'/');
        }
        url.extend_from_slice(rest);
    }
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

/// Splits a target into its front and its path. The path of a template may begin with `$n` right behind the authority.
fn split_target(text: &str, has_socket: bool, is_regex: bool) -> Result<(String, String), String> {
    let (scheme, rest) = match text.split_once("://") {
        Some(split) => split,
        None if has_socket => (text.trim_end_matches(':'), ""),
        None => return Err(format!("`{text}` is no absolute URL")),
    };
    let end = rest
        .find(|c| matches!(c, '/' | '?' | '#') || is_regex && c == '$')
        .unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if !is_path_start(path) || authority.is_empty() && path.starts_with('$') {
        return Err(format!(
            "`{text}` lets the request choose the host, which is not supported; give each host a ProxyPassMatch of its own"
        ));
    }
    let front = match (scheme.to_ascii_lowercase().as_str(), authority) {
        ("balancer", name) => format!("balancer://{}", name.to_ascii_lowercase()),
        (scheme, "") if has_socket => format!("{scheme}://localhost"),
        (scheme, authority) => {
            let url = WorkerUrl::parse(&format!("{scheme}://{authority}"))
                .map_err(|_| format!("`{text}` has no usable host and port"))?;
            format!("{}://{}", url.scheme, url.authority())
        }
    };
    let path = if path.is_empty() || path.starts_with(['/', '$']) {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    Ok((front, path))
}

/// `$1` may follow the authority only when it is a whole path: `http://host$1`, not `http://app$1.example.com/`.
fn is_path_start(path: &str) -> bool {
    let Some(group) = path.strip_prefix('$') else {
        return true;
    };
    let mut rest = group.chars();
    rest.next().is_some_and(|c| c.is_ascii_digit())
        && matches!(rest.next(), None | Some('/' | '?' | '$' | '#'))
}
