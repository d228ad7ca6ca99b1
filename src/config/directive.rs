//! What a directive is: one entry of a table.
//!
//! Responsible for: the entry's type, the contexts, and looking entries up. The entries are in `directives/`, one file per room of httpd.
//!
//! Know first: everything that says something about directives reads this table – the walk, `-L`, the manual, "did you mean" – and a test
//! parses every entry's example. To add a directive, add an entry and a field of the model.

use super::directives::TABLES;
use super::model::Modules;
use super::scope::{Args, Complaint, Scope};

/// Where a directive may stand, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contexts(u8);

impl Contexts {
    /// Outside every section.
    pub const SERVER: Self = Self(1);
    /// In `<VirtualHost>`.
    pub const VHOST: Self = Self(2);
    /// In `<Location>` and `<LocationMatch>`.
    pub const LOCATION: Self = Self(4);
    /// In `<Proxy>` and `<ProxyMatch>`.
    pub const PROXY: Self = Self(8);
    /// In `<Directory>`, `<Files>` and their Match forms.
    pub const DIRECTORY: Self = Self(16);
    /// In `<Limit>` and `<LimitExcept>` inside one of those.
    pub const LIMIT: Self = Self(32);
    /// Main server and virtual hosts: what httpd's manual calls "server config, virtual host".
    pub const SERVERS: Self = Self::SERVER.or(Self::VHOST);
    /// Inside sections only.
    pub const SECTIONS: Self = Self::LOCATION
        .or(Self::PROXY)
        .or(Self::DIRECTORY)
        .or(Self::LIMIT);
    /// Everywhere.
    pub const ANYWHERE: Self = Self::SERVERS.or(Self::SECTIONS);

    /// The union.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True when the two share a context.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// How many arguments a directive takes, in httpd's classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// None.
    None,
    /// On or Off.
    Flag,
    /// One.
    One,
    /// Two.
    Two,
    /// One or two.
    OneOrTwo,
    /// Two or three.
    TwoOrThree,
    /// One, two or three.
    UpToThree,
    /// One or more.
    OneOrMore,
    /// Two or more.
    TwoOrMore,
    /// The directive counts for itself.
    Raw,
}

/// One entry of the table.
#[derive(Debug)]
pub struct Directive {
    /// The name as httpd writes it; of a section with `<` in front.
    pub name: &'static str,
    /// The module that owns it, by identifier.
    pub module: &'static str,
    /// How many arguments it takes.
    pub arity: Arity,
    /// Where it may stand.
    pub contexts: Contexts,
    /// What it does, in one line; part of httpd's message about a wrong number of arguments.
    pub help: &'static str,
    /// What else there is to know.
    pub long: &'static str,
    /// What holds without it; empty when that is nothing.
    pub default: &'static str,
    /// A line, or a section, that a test parses.
    pub example: &'static str,
    pub(crate) action: Action,
}

/// What the walk does with a directive.
#[derive(Debug)]
pub(crate) enum Action {
    /// Call this.
    Apply(fn(&mut Scope<'_>, &Args<'_>) -> Result<(), Complaint>),
    /// Open a section.
    Section(SectionKind),
    /// Nothing: the reader has dealt with it.
    Read,
    /// httpd has it, we do not.
    Policy(Policy, &'static str),
}

/// What becomes of a directive that httpd has and we do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// It would not change what a proxy does.
    Ignore,
    /// It would, a little: say so and go on.
    Warn,
    /// Going on without it would be wrong.
    Refuse,
}

/// The sections that the walk knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SectionKind {
    VirtualHost,
    Location,
    LocationMatch,
    Proxy,
    ProxyMatch,
    Directory,
    DirectoryMatch,
    Files,
    FilesMatch,
    Limit,
    LimitExcept,
    RequireAll,
    RequireAny,
    RequireNone,
}

impl Directive {
    /// An entry that calls a function.
    pub(crate) const fn new(
        name: &'static str,
        module: &'static str,
        arity: Arity,
        contexts: Contexts,
        help: &'static str,
        example: &'static str,
        apply: fn(&mut Scope<'_>, &Args<'_>) -> Result<(), Complaint>,
    ) -> Self {
        Self {
            name,
            module,
            arity,
            contexts,
            help,
            long: "",
            default: "",
            example,
            action: Action::Apply(apply),
        }
    }

    /// An entry for a section.
    pub(crate) const fn section(
        name: &'static str,
        module: &'static str,
        contexts: Contexts,
        help: &'static str,
        example: &'static str,
        kind: SectionKind,
    ) -> Self {
        Self {
            name,
            module,
            arity: Arity::Raw,
            contexts,
            help,
            long: "",
            default: "",
            example,
            action: Action::Section(kind),
        }
    }

    /// An entry that the reader deals with.
    pub(crate) const fn read(
        name: &'static str,
        module: &'static str,
        help: &'static str,
        example: &'static str,
    ) -> Self {
        Self {
            name,
            module,
            arity: Arity::Raw,
            contexts: Contexts::ANYWHERE,
            help,
            long: "",
            default: "",
            example,
            action: Action::Read,
        }
    }

    /// An entry for something we do not have.
    pub(crate) const fn policy(
        name: &'static str,
        module: &'static str,
        policy: Policy,
        hint: &'static str,
    ) -> Self {
        Self {
            name,
            module,
            arity: Arity::Raw,
            contexts: Contexts::ANYWHERE,
            help: "",
            long: "",
            default: "",
            example: "",
            action: Action::Policy(policy, hint),
        }
    }

    /// The same with a default.
    pub(crate) const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// The same with more to know.
    pub(crate) const fn long(mut self, long: &'static str) -> Self {
        self.long = long;
        self
    }

    /// True when we have it.
    pub fn is_supported(&self) -> bool {
        !matches!(self.action, Action::Policy(..))
    }

    /// True when it opens a section.
    pub fn is_section(&self) -> bool {
        self.name.starts_with('<')
    }

    /// The name without the bracket of a section.
    pub fn bare_name(&self) -> &'static str {
        self.name.trim_start_matches('<')
    }
}

/// Every entry, table by table.
pub fn all() -> impl Iterator<Item = &'static Directive> {
    TABLES.iter().copied().flatten()
}

/// The entry with this name (a section's with `<`), in any case.
pub fn find(name: &str) -> Option<&'static Directive> {
    all().find(|directive| directive.name.eq_ignore_ascii_case(name))
}

/// True when a directive of this name may be used with these modules.
pub(crate) fn is_known(name: &str, modules: &Modules) -> bool {
    find(name).is_some_and(|directive| modules.offers(directive.module))
}

/// httpd's message about a wrong number of arguments, if it is wrong.
pub(crate) fn check_arity(directive: &Directive, count: usize) -> Option<String> {
    let (fits, wants) = match directive.arity {
        Arity::Raw | Arity::Flag => (true, ""),
        Arity::None => (count == 0, " takes no arguments"),
        Arity::One => (count == 1, " takes one argument"),
        Arity::Two => (count == 2, " takes two arguments"),
        Arity::OneOrTwo => (matches!(count, 1..=2), " takes 1-2 arguments"),
        Arity::TwoOrThree => (matches!(count, 2..=3), " takes two or three arguments"),
        Arity::UpToThree => (matches!(count, 1..=3), " takes one, two or three arguments"),
        Arity::OneOrMore => (count >= 1, " requires at least one argument"),
        Arity::TwoOrMore => (count >= 2, " requires at least two arguments"),
    };
    if fits {
        return None;
    }
    let help = match directive.help {
        "" => String::new(),
        help => format!(", {help}"),
    };
    Some(format!("{}{wants}{help}", directive.name))
}
