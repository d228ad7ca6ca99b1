//! The variables of a request: SetEnvIf and its kin, SetEnv and its kin (mod_setenvif, mod_env; reference A.2).
//!
//! Responsible for: compiling the rules of a server and its sections, and applying them to a request. Not responsible for what variables
//! mean: whoever reads one asks for it by name ([`super::Ask::var`]), and logs show them.
//!
//! Know first, when which rule is asked:
//!
//! ```text
//! server found ─► SetEnvIf of the server ─► mapping (no-proxy) ─► SetEnvIf of the sections ─► access ─► SetEnv
//! ```
//!
//! The server's rules see the path as the client sent it, those of sections see it decoded. A server without rules pays one comparison
//! for each of the three steps.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use super::route::without_leading_slashes;
use super::{Answer, Ask, Case, Dir, Pattern, Route, Template};
use crate::config::Diagnostic;
use crate::config::model::{self, Attribute, Server};
use crate::http::Status;
use crate::http::target::Form;
use crate::log::{Environment, Level, Module, Tag};

/// The rules of a server and of its sections.
#[derive(Debug, Default)]
pub struct SiteRules {
    server: Rules,
    /// By the position of the section.
    locations: Vec<Rules>,
    proxies: Vec<Rules>,
    directories: Vec<Rules>,
    has_sections: bool,
}

/// The rules of one section, in order.
#[derive(Debug, Default)]
struct Rules(Vec<Rule>);

/// One SetEnvIf.
#[derive(Debug)]
struct Rule {
    what: What,
    repeats: bool,
    pattern: Pattern,
    changes: Vec<Change>,
}

/// What a rule looks at.
#[derive(Debug)]
enum What {
    Plain(Attribute),
    /// The fields whose names match.
    Fields(Pattern),
}

#[derive(Debug)]
enum Change {
    Unset(String),
    Set(String, Vec<u8>),
    Fill(String, Template),
}

/// A value became longer than a variable may be; httpd answers 500.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The variable.
    pub name: String,
}

/// The longest value that a rule may write, as in httpd.
const VALUE_MAX: usize = 64 * 1024;

impl SiteRules {
    /// Compiles the rules of a server.
    ///
    /// # Errors
    /// The expressions that cannot be used, with their places.
    pub fn compile(server: &Server) -> Result<Self, Vec<Diagnostic>> {
        let mut errors = Vec::new();
        let mut rules = |entries| Rules::compile(entries, &mut errors);
        let compiled = Self {
            server: rules(&server.set_env_if),
            locations: server
                .locations
                .iter()
                .map(|section| rules(&section.dir.set_env_if))
                .collect(),
            proxies: server
                .proxy_sections
                .iter()
                .map(|section| rules(&section.dir.set_env_if))
                .collect(),
            directories: server
                .directories
                .iter()
                .map(|section| rules(&section.dir.set_env_if))
                .collect(),
            has_sections: false,
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let sections = compiled.locations.iter().chain(&compiled.proxies);
        let mut sections = sections.chain(&compiled.directories);
        let has_sections = sections.any(|rules| !rules.0.is_empty());
        Ok(Self {
            has_sections,
            ..compiled
        })
    }

    /// Whether the server has rules outside sections.
    #[must_use]
    pub fn has_server(&self) -> bool {
        !self.server.0.is_empty()
    }

    /// Whether a section has rules.
    #[must_use]
    pub fn has_sections(&self) -> bool {
        self.has_sections
    }

    /// Applies the server's rules: before the path is decoded and mapped.
    ///
    /// # Errors
    /// A value is too long.
    pub fn apply(&self, ask: &Ask<'_>, vars: &mut Environment) -> Result<(), TooLong> {
        let target = &ask.head.target;
        let path = match target.form() {
            _ if ask.route.is_forward => target.raw(),
            Form::Authority | Form::Asterisk => target.raw(),
            Form::Origin | Form::Absolute => without_leading_slashes(target.path()),
        };
        self.server.apply(&Looker { ask, path }, vars)
    }

    /// Applies the rules of the sections that match, in the order in which the sections apply.
    ///
    /// # Errors
    /// A value is too long.
    pub fn apply_sections(
        &self,
        dir: &Dir,
        ask: &Ask<'_>,
        vars: &mut Environment,
    ) -> Result<(), TooLong> {
        let path = ask.route.path.as_slice();
        let of_proxies = dir
            .proxies
            .iter()
            .filter_map(|&at| self.proxies.get(usize::from(at)));
        let of_locations = dir
            .locations
            .iter()
            .filter_map(|&at| self.locations.get(usize::from(at)));
        let of_directories = dir
            .directories
            .iter()
            .filter_map(|&at| self.directories.get(usize::from(at)));
        for rules in of_proxies.chain(of_directories).chain(of_locations) {
            rules.apply(&Looker { ask, path }, vars)?;
        }
        Ok(())
    }
}

/// Lets rules change a request's variables.
///
/// # Errors
/// The answer, when a value gets too long.
pub(super) fn set(
    ask: &Ask<'_>,
    route: &mut Route,
    apply: impl FnOnce(&Ask<'_>, &mut Environment) -> Result<(), TooLong>,
) -> Result<(), Box<Answer>> {
    let mut vars = std::mem::take(&mut route.vars);
    let at = Ask { route, ..*ask };
    let applied = apply(&at, &mut vars).map_err(|TooLong { name }| {
        at.log_tagged(
            Module::Setenvif,
            Level::Crit,
            Tag::Ah(1505),
            format_args!("Regular expression replacement failed for '{name}', value too long?"),
        );
        Answer::error(&at, Status::INTERNAL_SERVER_ERROR)
    });
    route.vars = vars;
    applied
}

/// Applies SetEnv and PassEnv, which only whoever handles and logs the request sees. What is set already stays, as in httpd.
pub(super) fn set_late(ask: &Ask<'_>, route: &mut Route) {
    let mut vars = std::mem::take(&mut route.vars);
    route.early_vars = vars.len();
    for (name, value) in &(Ask { route, ..*ask }).dir().config.late_vars.set {
        if !vars.has(name) {
            vars.set(name, value.as_bytes());
        }
    }
    route.vars = vars;
}

impl Rules {
    fn compile(entries: &[model::SetEnvIf], errors: &mut Vec<Diagnostic>) -> Self {
        let mut rules = Vec::with_capacity(entries.len());
        for entry in entries {
            match Rule::compile(entry) {
                Ok(rule) => rules.push(rule),
                Err((text, why)) => errors.push(
                    Diagnostic::error(format!("`{text}`: {why}"))
                        .at(&entry.place)
                        .under(&text),
                ),
            }
        }
        Self(rules)
    }

    fn apply(&self, looker: &Looker<'_>, vars: &mut Environment) -> Result<(), TooLong> {
        let mut value = Cow::Borrowed(&b""[..]);
        for rule in &self.0 {
            if !rule.repeats {
                value = looker.look(&rule.what, vars);
            }
            rule.apply(&value, vars)?;
        }
        Ok(())
    }
}

impl Rule {
    fn compile(entry: &model::SetEnvIf) -> Result<Self, (String, String)> {
        let case = if entry.ignores_case {
            Case::Insensitive
        } else {
            Case::Sensitive
        };
        let pattern =
            |text: &str| Pattern::compile(text, case).map_err(|why| (text.to_owned(), why));
        let is_plain = is_plain_text(&entry.pattern);
        let changes = entry.changes.iter().map(|change| {
            let name = change.name.clone();
            match &change.value {
                None => Change::Unset(name),
                // httpd searches for text without a regular expression, and then knows no groups.
                Some(value) if is_plain => Change::Set(name, value.clone().into_bytes()),
                Some(value) => match Template::parse(value) {
                    template if template.is_literal() => {
                        Change::Set(name, value.clone().into_bytes())
                    }
                    template => Change::Fill(name, template),
                },
            }
        });
        Ok(Self {
            what: if let Attribute::Fields(names) = &entry.attribute {
                What::Fields(pattern(names)?)
            } else {
                What::Plain(entry.attribute.clone())
            },
            repeats: entry.repeats,
            changes: changes.collect(),
            pattern: pattern(&entry.pattern)?,
        })
    }

    fn apply(&self, value: &[u8], vars: &mut Environment) -> Result<(), TooLong> {
        let fills = self
            .changes
            .iter()
            .any(|change| matches!(change, Change::Fill(..)));
        let groups = if fills {
            match self.pattern.captures(value) {
                Some(groups) => Some(groups),
                None => return Ok(()),
            }
        } else if self.pattern.is_match(value) {
            None
        } else {
            return Ok(());
        };
        for change in &self.changes {
            match (change, &groups) {
                (Change::Unset(name), _) => {
                    vars.unset(name);
                }
                (Change::Set(name, value), _) => vars.set(name, value),
                (Change::Fill(name, template), Some(groups)) => {
                    let mut filled = Vec::new();
                    template.fill(groups, &mut filled);
                    if filled.len() > VALUE_MAX {
                        return Err(TooLong { name: name.clone() });
                    }
                    vars.set(name, &filled);
                }
                (Change::Fill(..), None) => {}
            }
        }
        Ok(())
    }
}

/// Whether httpd would search for the text itself: it has no special character that is not escaped, and no other escape.
fn is_plain_text(pattern: &str) -> bool {
    let mut is_escaped = false;
    for byte in pattern.bytes() {
        let is_special = b"^.$|()[]*+?{}".contains(&byte);
        match (is_escaped, byte) {
            (false, b'\\') => is_escaped = true,
            (false, _) if is_special => return false,
            (false, _) => {}
            (true, b'\\') => is_escaped = false,
            (true, _) if is_special => is_escaped = false,
            (true, _) => return false,
        }
    }
    true
}

/// A request, as rules look at it.
struct Looker<'a> {
    ask: &'a Ask<'a>,
    path: &'a [u8],
}

impl<'a> Looker<'a> {
    /// The value of an attribute; what is not there is empty, so that `^$` matches.
    fn look(&self, what: &What, vars: &Environment) -> Cow<'a, [u8]> {
        let ask = self.ask;
        match what {
            What::Plain(Attribute::RemoteAddr | Attribute::RemoteHost) => address(ask.peers.client),
            What::Plain(Attribute::ServerAddr) => address(ask.peers.local),
            What::Plain(Attribute::RequestUri) => Cow::Borrowed(self.path),
            What::Plain(Attribute::RequestMethod) => {
                Cow::Borrowed(ask.head.method.as_str().as_bytes())
            }
            What::Plain(Attribute::RequestProtocol) => {
                Cow::Borrowed(ask.head.version.as_str().as_bytes())
            }
            What::Plain(Attribute::Named(name) | Attribute::Fields(name)) => self
                .field(|known| known.eq_ignore_ascii_case(name.as_bytes()))
                .or_else(|| vars.value(name).map(|value| Cow::Owned(value.to_vec())))
                .unwrap_or_default(),
            What::Fields(names) => {
                // Several names may match; the last field counts, with all its lines.
                let fields = || ask.head.fields.iter();
                let last = fields().filter(|(_, name, _)| names.is_match(name)).last();
                last.and_then(|(_, last, _)| self.field(|known| known.eq_ignore_ascii_case(last)))
                    .unwrap_or_default()
            }
        }
    }

    /// The value of a field; several lines are one list. An absolute target speaks for `Host` (RFC 9112 §3.2.2), in
    /// lower case as in httpd.
    fn field(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Option<Cow<'a, [u8]>> {
        let head = self.ask.head;
        let mut lines = head
            .fields
            .iter()
            .filter(|(_, name, _)| is_wanted(name))
            .map(|(_, _, value)| value);
        let first = lines.next()?;
        if head.target.form() == Form::Absolute && is_wanted(b"host") {
            return Some(Cow::Owned(head.target.authority().to_ascii_lowercase()));
        }
        let mut value = Cow::Borrowed(first);
        for more in lines {
            let joined = value.to_mut();
            joined.extend_from_slice(b", ");
            joined.extend_from_slice(more);
        }
        Some(value)
    }
}

fn address(peer: SocketAddr) -> Cow<'static, [u8]> {
    let ip: IpAddr = peer.ip().to_canonical();
    Cow::Owned(ip.to_string().into_bytes())
}

#[cfg(test)]
mod tests;
