//! From the tree to the model.
//!
//! Responsible for: walking the tree, checking where a directive may stand and how many arguments it got, opening sections, and merging
//! virtual hosts over the main server at the end. Not for what single directives mean; that is `directives/`.

use super::args::{Word, is_glob, words};
use super::diagnostic::{Diagnostic, Severity, last_line};
use super::directive::{self, Action, Contexts, Directive, Policy, SectionKind};
use super::directives::{access, hosts, proxy, unsupported};
use super::judges::Judges;
use super::model::{
    Config, DirConfig, Directory, FileSection, Location, Modules, Pattern, ProxySection, Server,
};
use super::modules;
use super::scope::{Args, Complaint, Inside, Scope, Subject};
use super::source::Sources;
use super::suggest;
use super::tree::Node;
use std::collections::BTreeSet;

/// What is being built, besides the server at hand.
#[derive(Debug, Default)]
pub(crate) struct Build {
    /// The global part; servers are added at the end.
    pub(crate) config: Config,
    /// Errors and warnings.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Directives and parameters without effect that were warned about.
    pub(crate) warned: BTreeSet<String>,
    /// Who judges what only the rooms above can compile.
    pub(crate) judges: Judges,
    /// Virtual hosts as written, unmerged.
    pub(crate) vhosts: Vec<Server>,
}

/// Walks a tree.
pub(crate) struct Walk<'a> {
    pub(crate) build: Build,
    modules: &'a Modules,
    sources: &'a Sources,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Walk<'a> {
    /// A walk over texts with these modules visible, in this process environment.
    pub(crate) fn new(
        build: Build,
        modules: &'a Modules,
        sources: &'a Sources,
        environment: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            build,
            modules,
            sources,
            environment,
        }
    }

    /// Walks the whole tree; returns what was built and the main server.
    pub(crate) fn run(mut self, nodes: &[Node]) -> (Build, Server) {
        let mut main = Server::default();
        self.server(nodes, &mut main, &Inside::default());
        (self.build, main)
    }

    fn server(&mut self, nodes: &[Node], server: &mut Server, inside: &Inside) {
        // The defaults are lent out of the server, so that a directive can hold both.
        let mut defaults = std::mem::take(&mut server.location_defaults);
        self.nodes(nodes, server, &mut defaults, inside);
        access::simplify(&mut defaults.access);
        server.location_defaults = defaults;
    }

    fn nodes(&mut self, nodes: &[Node], server: &mut Server, dir: &mut DirConfig, inside: &Inside) {
        for node in nodes {
            if let Err(complaint) = self.node(node, server, dir, inside) {
                self.build
                    .diagnostics
                    .push(complaint.about(node, self.sources, Severity::Error));
            }
        }
    }

    fn node(
        &mut self,
        node: &Node,
        server: &mut Server,
        dir: &mut DirConfig,
        inside: &Inside,
    ) -> Result<(), Complaint> {
        let is_section = node.children.is_some();
        let name = if is_section {
            format!("<{}", node.name)
        } else {
            node.name.clone()
        };
        let Some(directive) = directive::find(&name) else {
            return Err(self.unknown(&name));
        };
        if !self.modules.offers(directive.module) {
            return Err(unknown_command(&name).hint(match directive.action {
                Action::Policy(..) => format!(
                    "it belongs to {}, which is not available here",
                    directive.module
                ),
                Action::Apply(_) | Action::Section(_) | Action::Read => format!(
                    "add `{}`: the modules are listed, and this one is not",
                    modules::load_line(directive.module)
                ),
            }));
        }
        check_context(directive, inside)?;
        let mut scope = Scope {
            build: &mut self.build,
            server,
            dir,
            inside,
            modules: self.modules,
            sources: self.sources,
            environment: self.environment,
            node,
        };
        if directive.module == "proxy_module" && inside.is_vhost {
            scope.server.proxy.is_own = true;
        }
        match &directive.action {
            Action::Read => Ok(()),
            Action::Policy(policy, hint) => not_here(&mut scope, directive, *policy, hint),
            Action::Apply(apply) => {
                let args = Args {
                    directive,
                    words: node.words(),
                    node,
                };
                if let Some(message) = directive::check_arity(directive, args.words.len()) {
                    return Err(Complaint::new(message));
                }
                apply(&mut scope, &args)
            }
            Action::Section(kind) => self.section(*kind, directive, node, server, dir, inside),
        }
    }

    fn unknown(&self, name: &str) -> Complaint {
        let complaint = unknown_command(name);
        let is_section = name.starts_with('<');
        let candidates = directive::all()
            .filter(|known| known.is_section() == is_section && self.modules.offers(known.module))
            .map(|known| known.name);
        match suggest::nearest(name, candidates) {
            Some(near) => complaint.hint(format!(
                "did you mean `{near}{}`?",
                if is_section { ">" } else { "" }
            )),
            None => complaint,
        }
    }

    fn section(
        &mut self,
        kind: SectionKind,
        directive: &'static Directive,
        node: &Node,
        server: &mut Server,
        dir: &mut DirConfig,
        inside: &Inside,
    ) -> Result<(), Complaint> {
        let children = node.children.as_deref().unwrap_or_default();
        let header = self.header(kind, directive, node, server, dir, inside);
        let mut inner = inside.clone();
        inner.sections.push(directive.bare_name());
        let header = match header {
            Ok(header) => header,
            Err(complaint) => {
                // The contents are walked all the same, so that their errors are told too; what they build is dropped.
                self.walk_aside(children, server, &mut inner, kind);
                return Err(complaint);
            }
        };
        match header {
            Header::Vhost(vhost) => {
                let mut vhost = *vhost;
                inner.is_vhost = true;
                self.server(children, &mut vhost, &inner);
                self.build.vhosts.push(vhost);
            }
            Header::Location(pattern) => {
                inner.subject = Subject::Location(pattern.clone());
                let dir = self.inner(children, server, &inner);
                server.locations.push(Location {
                    pattern,
                    dir,
                    place: node.place.clone(),
                });
            }
            Header::Proxy(pattern) => {
                inner.subject = Subject::Proxy(pattern.clone());
                let dir = self.inner(children, server, &inner);
                server.proxy_sections.push(ProxySection {
                    pattern,
                    dir,
                    place: node.place.clone(),
                });
            }
            Header::Directory(pattern) => {
                inner.subject = Subject::Files;
                let dir = self.inner(children, server, &inner);
                server.directories.push(Directory {
                    pattern,
                    dir,
                    place: node.place.clone(),
                });
            }
            Header::Files(pattern) => {
                inner.subject = Subject::Files;
                let section = self.inner(children, server, &inner);
                dir.files.push(FileSection {
                    pattern,
                    dir: section,
                    place: node.place.clone(),
                });
            }
            Header::Limit { methods, except } => {
                inner.limit = true;
                let outer = dir.access.require.take();
                self.nodes(children, server, dir, &inner);
                access::limited(dir, outer, methods, except);
            }
            Header::Require => {
                let outer = dir.access.require.take();
                self.nodes(children, server, dir, &inner);
                let group = dir.access.require.take();
                dir.access.require = outer;
                access::grouped(dir, group, kind, directive, inside)?;
            }
        }
        Ok(())
    }

    fn inner(&mut self, children: &[Node], server: &mut Server, inside: &Inside) -> DirConfig {
        let mut dir = DirConfig::default();
        self.nodes(children, server, &mut dir, inside);
        access::simplify(&mut dir.access);
        dir
    }

    fn walk_aside(
        &mut self,
        children: &[Node],
        server: &Server,
        inner: &mut Inside,
        kind: SectionKind,
    ) {
        inner.is_vhost |= kind == SectionKind::VirtualHost;
        // Nothing is known about what a broken Proxy section matches, so what depends on it would only complain again.
        if matches!(kind, SectionKind::Proxy | SectionKind::ProxyMatch) {
            return;
        }
        let mut aside = server.clone();
        if matches!(kind, SectionKind::Location | SectionKind::LocationMatch) {
            inner.subject = Subject::Location(Pattern::Prefix("/".to_owned()));
        }
        let ids = self.build.config.next_id22;
        self.nodes(children, &mut aside, &mut DirConfig::default(), inner);
        self.build.config.next_id22 = ids;
    }

    fn header(
        &mut self,
        kind: SectionKind,
        directive: &'static Directive,
        node: &Node,
        server: &mut Server,
        dir: &mut DirConfig,
        inside: &Inside,
    ) -> Result<Header, Complaint> {
        let name = directive.name;
        let Some(args) = node.section_args() else {
            return Err(Complaint::new(format!(
                "{name}> directive missing closing '>'"
            )));
        };
        let words = words(node.text.as_str(), args);
        let is_empty = words.is_empty();
        let needs_words = !matches!(
            kind,
            SectionKind::RequireAll
                | SectionKind::RequireAny
                | SectionKind::RequireNone
                | SectionKind::Proxy
                | SectionKind::ProxyMatch
        );
        if needs_words && is_empty {
            return Err(Complaint::new(format!(
                "{name}> directive requires additional arguments"
            )));
        }
        let mut scope = Scope {
            build: &mut self.build,
            server,
            dir,
            inside,
            modules: self.modules,
            sources: self.sources,
            environment: self.environment,
            node,
        };
        match kind {
            SectionKind::VirtualHost => {
                hosts::vhost(&scope, &words).map(|vhost| Header::Vhost(Box::new(vhost)))
            }
            SectionKind::Location => {
                single_pattern("Location", &words, false).map(Header::Location)
            }
            SectionKind::LocationMatch => {
                single_pattern("LocationMatch", &words, true).map(Header::Location)
            }
            SectionKind::Proxy => proxy::section(&mut scope, &words, false).map(Header::Proxy),
            SectionKind::ProxyMatch => proxy::section(&mut scope, &words, true).map(Header::Proxy),
            SectionKind::Directory => {
                let pattern = single_pattern("Directory", &words, false)?;
                Ok(Header::Directory(directory_pattern(&scope, pattern)))
            }
            SectionKind::DirectoryMatch => {
                single_pattern("DirectoryMatch", &words, true).map(Header::Directory)
            }
            SectionKind::Files => single_pattern("Files", &words, false).map(Header::Files),
            SectionKind::FilesMatch => {
                single_pattern("FilesMatch", &words, true).map(Header::Files)
            }
            SectionKind::Limit | SectionKind::LimitExcept => Ok(Header::Limit {
                methods: words.into_iter().map(|word| word.text).collect(),
                except: kind == SectionKind::LimitExcept,
            }),
            SectionKind::RequireAll | SectionKind::RequireAny | SectionKind::RequireNone => {
                match words.first() {
                    Some(word) => Err(Complaint::new(format!(
                        "{name}> directive doesn't take additional arguments"
                    ))
                    .on(word)),
                    None => Ok(Header::Require),
                }
            }
        }
    }
}

/// What a section's first line says.
enum Header {
    Vhost(Box<Server>),
    Location(Pattern),
    Proxy(Pattern),
    Directory(Pattern),
    Files(Pattern),
    Limit { methods: Vec<String>, except: bool },
    Require,
}

/// Reads the one argument of a section, which `~` in front makes a regular expression.
fn single_pattern(name: &str, words: &[Word], is_match: bool) -> Result<Pattern, Complaint> {
    let (is_regex, words) = match words.split_first() {
        Some((tilde, rest)) if tilde.text == "~" && !is_match => (true, rest),
        _ => (is_match, words),
    };
    match words {
        [] => Err(Complaint::new(format!(
            "<{name} ~ > block must specify a path"
        ))),
        [word] => pattern(word, is_regex),
        [_, extra, ..] => Err(Complaint::new(format!(
            "Multiple <{name}> arguments not (yet) supported."
        ))
        .on(extra)),
    }
}

/// A directory's pattern as file names are compared with it: absolute, with single slashes and none at the end.
fn directory_pattern(scope: &Scope<'_>, pattern: Pattern) -> Pattern {
    match pattern {
        Pattern::Prefix(path) => Pattern::Prefix(bare(&directory_path(scope, &path))),
        Pattern::Glob(path) => Pattern::Glob(bare(&path)),
        Pattern::Regex(regex) => Pattern::Regex(regex),
    }
}

/// A path in the file system, made absolute by ServerRoot, with runs of slashes made one. A final slash stays.
pub(crate) fn directory_path(scope: &Scope<'_>, text: &str) -> String {
    let path = scope.build.config.paths.server_root.join(text);
    let mut out = String::new();
    for c in path.to_string_lossy().chars() {
        if c != '/' || !out.ends_with('/') {
            out.push(c);
        }
    }
    out
}

fn bare(path: &str) -> String {
    path.trim_end_matches('/').to_owned()
}

/// A section's argument as a pattern. Regular expressions are tried, so that a broken one is told now.
pub(crate) fn pattern(word: &Word, is_regex: bool) -> Result<Pattern, Complaint> {
    if is_regex {
        check_regex(word, "Regex could not be compiled")?;
        return Ok(Pattern::Regex(word.text.clone()));
    }
    Ok(if is_glob(&word.text) {
        Pattern::Glob(word.text.clone())
    } else {
        Pattern::Prefix(word.text.clone())
    })
}

/// Complains when a regular expression cannot be compiled.
pub(crate) fn check_regex(word: &Word, message: &str) -> Result<(), Complaint> {
    // `fancy_regex` hands what `regex` can run to it, and runs look-around and back-references itself.
    match fancy_regex::Regex::new(&word.text) {
        Ok(_) => Ok(()),
        Err(error) => Err(Complaint::new(message)
            .on(word)
            .hint(last_line(&error.to_string()))),
    }
}

fn unknown_command(name: &str) -> Complaint {
    Complaint::new(format!(
        "Invalid command '{name}', perhaps misspelled or defined by a module not included in the server configuration"
    ))
}

/// httpd's complaint about a directive in the wrong place.
fn check_context(directive: &Directive, inside: &Inside) -> Result<(), Complaint> {
    let allowed = directive.contexts;
    let section = inside
        .sections
        .iter()
        .rev()
        .find(|name| context_of(name).is_some())
        .copied();
    let name = directive.name;
    let close = if directive.is_section() { ">" } else { "" };
    match section {
        None if allowed.meets(Contexts::SERVER) => Ok(()),
        None if allowed.meets(Contexts::VHOST) => {
            Err(Complaint::new(format!("{name} only used in <VirtualHost>")))
        }
        None => Err(Complaint::new(format!("{name} not allowed here"))),
        Some("VirtualHost") if allowed.meets(Contexts::VHOST) => Ok(()),
        Some("VirtualHost") if allowed.meets(Contexts::SERVER) => Err(Complaint::new(format!(
            "{name}{close} cannot occur within <VirtualHost> section"
        ))),
        Some("VirtualHost") => Err(Complaint::new(format!("{name} not allowed here"))),
        Some(section) => {
            let here = context_of(section).unwrap_or(Contexts::SECTIONS);
            if allowed.meets(here) {
                Ok(())
            } else if allowed.meets(Contexts::SECTIONS) {
                Err(Complaint::new(format!(
                    "{name}{close} cannot occur within <{section}> section"
                )))
            } else {
                Err(Complaint::new(format!(
                    "{name} not allowed in <{section}> context"
                )))
            }
        }
    }
}

/// The context that a section makes; none for those that only group.
fn context_of(section: &str) -> Option<Contexts> {
    match section {
        "VirtualHost" => Some(Contexts::VHOST),
        "Location" | "LocationMatch" => Some(Contexts::LOCATION),
        "Proxy" | "ProxyMatch" => Some(Contexts::PROXY),
        "Directory" | "DirectoryMatch" | "Files" | "FilesMatch" => Some(Contexts::DIRECTORY),
        "Limit" | "LimitExcept" => Some(Contexts::LIMIT),
        _ => None,
    }
}

/// What is said about a directive that httpd has and we do not.
fn not_here(
    scope: &mut Scope<'_>,
    directive: &Directive,
    policy: Policy,
    hint: &str,
) -> Result<(), Complaint> {
    let name = directive.name;
    let close = if directive.is_section() { ">" } else { "" };
    match policy {
        Policy::Ignore => Ok(()),
        // A configuration with fifty such lines has one problem, not fifty.
        Policy::Warn if !scope.build.warned.insert(name.to_owned()) => Ok(()),
        Policy::Warn => {
            let complaint = Complaint::new(format!("{name}{close} has no effect here"));
            scope.warn(if hint.is_empty() {
                complaint
            } else {
                complaint.hint(hint)
            });
            Ok(())
        }
        Policy::Refuse => {
            let complaint = Complaint::new(format!(
                "{name}{close} is not available here, and going on without it would change what is served"
            ));
            let hint = unsupported::advice(name, scope.node).unwrap_or_else(|| hint.to_owned());
            Err(if hint.is_empty() {
                complaint
            } else {
                complaint.hint(hint)
            })
        }
    }
}
