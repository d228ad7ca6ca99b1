//! What a directive's function gets and gives.
//!
//! Responsible for: [`Scope`] (what it may change), [`Args`] (what it was given) and [`Complaint`] (what it says when that is wrong).

use super::args::{Word, on_off, whole};
use super::diagnostic::{Diagnostic, Phase, Severity};
use super::directive::Directive;
use super::model::{DirConfig, Modules, Pattern, Server};
use super::params::DIRECTIVE_EFFECTS;
use super::setting::Setting;
use super::source::{Place, Sources};
use super::tree::Node;
use super::walk::Build;
use std::ops::Range;

/// What a directive may change, and where it stands.
pub(crate) struct Scope<'a> {
    /// What is global.
    pub(crate) build: &'a mut Build,
    /// The server it stands in.
    pub(crate) server: &'a mut Server,
    /// The section it stands in, or the server's defaults.
    pub(crate) dir: &'a mut DirConfig,
    /// What encloses it.
    pub(crate) inside: &'a Inside,
    /// Which modules are visible.
    pub(crate) modules: &'a Modules,
    /// The texts, for quoting.
    pub(crate) sources: &'a Sources,
    /// The process environment.
    pub(crate) environment: &'a dyn Fn(&str) -> Option<String>,
    /// The line.
    pub(crate) node: &'a Node,
}

/// The sections that enclose a directive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inside {
    /// Their names without brackets, outermost first.
    pub(crate) sections: Vec<&'static str>,
    /// What the innermost Location or Proxy section matches.
    pub(crate) subject: Subject,
    /// True below a `<VirtualHost>`.
    pub(crate) is_vhost: bool,
    /// Methods of the innermost Limit or LimitExcept.
    pub(crate) limit: bool,
}

/// What a section's contents are about.
#[derive(Debug, Clone, Default)]
pub(crate) enum Subject {
    /// The server.
    #[default]
    Server,
    /// A path.
    Location(Pattern),
    /// A target URL.
    Proxy(Pattern),
    /// Directories and files.
    Files,
}

/// What is wrong with a directive.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) message: String,
    pub(crate) range: Option<Range<usize>>,
    pub(crate) label: Option<String>,
    pub(crate) hints: Vec<String>,
}

impl Complaint {
    /// A complaint about the whole directive.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            range: None,
            label: None,
            hints: Vec::new(),
        }
    }

    /// The same about one word.
    pub(crate) fn on(self, word: &Word) -> Self {
        self.over(word.range.clone())
    }

    /// The same about a part of one word, or about what stands at its end when the part is empty.
    pub(crate) fn on_part(self, word: &Word, part: Range<usize>) -> Self {
        self.over(word.part(part))
    }

    /// The same about a range of the line.
    pub(crate) fn over(self, range: Range<usize>) -> Self {
        Self {
            range: Some(range),
            ..self
        }
    }

    /// The same with words behind the caret.
    pub(crate) fn label(self, label: impl Into<String>) -> Self {
        Self {
            label: Some(label.into()),
            ..self
        }
    }

    /// The same with a hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// As a diagnostic about a node.
    pub(crate) fn about(self, node: &Node, sources: &Sources, severity: Severity) -> Diagnostic {
        let range = self.range.unwrap_or_else(|| node.name_range.clone());
        let mut diagnostic = node.diagnostic(sources, severity, Phase::Walk, Some(range));
        diagnostic.message = self.message;
        diagnostic.hints = self.hints;
        if let Some(snippet) = &mut diagnostic.snippet {
            snippet.label = self.label;
        }
        diagnostic
    }
}

impl<'a> Scope<'a> {
    /// Where the directive stands.
    pub(crate) fn place(&self) -> &'a Place {
        &self.node.place
    }

    /// True outside sections. Inside one, notes that the directive counts for a whole server only.
    pub(crate) fn is_server_wide(&mut self) -> bool {
        if matches!(self.inside.subject, Subject::Server) {
            return true;
        }
        let name = self.node.name.clone();
        let message = format!("{name} has no effect in a section: it holds for a whole server");
        self.warn(Complaint::new(message).hint("move it out of the section"));
        false
    }

    /// A set setting.
    pub(crate) fn set<T>(&self, value: T) -> Setting<T> {
        Setting::new(value, self.place())
    }

    /// Tells, once for each thing, that it has no effect yet.
    pub(crate) fn used_later(&mut self, what: &str, instead: &str, range: Range<usize>) {
        if !self.build.warned.insert(what.to_owned()) {
            return;
        }
        let message = format!("{what} is understood, but has no effect yet");
        self.warn(Complaint::new(message).over(range).hint(instead));
    }

    /// The same of this directive, by its entry in [`DIRECTIVE_EFFECTS`].
    pub(crate) fn directive_is_later(&mut self, name: &str) {
        let (name, instead) = DIRECTIVE_EFFECTS
            .iter()
            .find(|(known, _)| *known == name)
            .expect("a name in the table");
        let node = self.node;
        let range = node.name_range.start..node.name_range.start + node.text.as_str().len();
        self.used_later(&format!("`{name}`"), instead, range);
    }

    /// Notes an error besides the one that the function returns.
    pub(crate) fn complain(&mut self, complaint: Complaint) {
        let diagnostic = complaint.about(self.node, self.sources, Severity::Error);
        self.build.diagnostics.push(diagnostic);
    }

    /// Notes what became of the line, for the log.
    pub(crate) fn inform(&mut self, complaint: Complaint) {
        let diagnostic = complaint.about(self.node, self.sources, Severity::Info);
        self.build.diagnostics.push(diagnostic);
    }

    /// Notes a warning.
    pub(crate) fn warn(&mut self, complaint: Complaint) {
        let diagnostic = complaint.about(self.node, self.sources, Severity::Warning);
        self.build.diagnostics.push(diagnostic);
    }
}

/// What a directive was given.
#[derive(Debug)]
pub(crate) struct Args<'a> {
    /// Its entry.
    pub(crate) directive: &'static Directive,
    /// The words.
    pub(crate) words: Vec<Word>,
    /// The line, for the raw text.
    pub(crate) node: &'a Node,
}

impl Args<'_> {
    /// A word's text; empty when there is none.
    pub(crate) fn text(&self, index: usize) -> &str {
        self.words.get(index).map_or("", |word| word.text.as_str())
    }

    /// All words' texts.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(|word| word.text.as_str())
    }

    /// The argument string as written.
    pub(crate) fn raw(&self) -> &str {
        self.node.text.slice(self.node.args.clone()).trim()
    }

    /// A complaint about one word, or about the directive when there is no such word.
    pub(crate) fn complaint(&self, index: usize, message: impl Into<String>) -> Complaint {
        let complaint = Complaint::new(message);
        match self.words.get(index) {
            Some(word) => complaint.on(word),
            None => complaint,
        }
    }

    /// A complaint about what follows the first `from` bytes of a word.
    pub(crate) fn complaint_from(
        &self,
        index: usize,
        from: usize,
        message: impl Into<String>,
    ) -> Complaint {
        let complaint = Complaint::new(message);
        match self.words.get(index) {
            Some(word) => complaint.over(word.after(from)),
            None => complaint,
        }
    }

    /// The one argument of a Flag directive.
    pub(crate) fn flag(&self) -> Result<bool, Complaint> {
        let value = if self.words.len() == 1 {
            on_off(self.text(0))
        } else {
            None
        };
        value.ok_or_else(|| self.complaint(0, format!("{} must be On or Off", self.directive.name)))
    }

    /// A word as a number within bounds. `message` is httpd's, or ours where httpd takes anything.
    pub(crate) fn number(
        &self,
        index: usize,
        bounds: std::ops::RangeInclusive<u32>,
        message: &str,
    ) -> Result<u32, Complaint> {
        let value = whole(self.text(index)).and_then(|value| u32::try_from(value).ok());
        value
            .filter(|value| bounds.contains(value))
            .ok_or_else(|| self.complaint(index, message))
    }
}
