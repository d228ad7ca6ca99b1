//! What is wrong with a configuration, and how it is told.
//!
//! Responsible for: [`Diagnostic`] and its rendering. httpd's own words come first, unchanged, because people and tools search for them;
//! then the line with a caret under the offending word; then what to do about it. No colour, no terminal knowledge.
//!
//! Know first: httpd words an error differently by the phase that found it. While *reading* (sections, Include, LoadModule) it is one line,
//! with the enclosing files in front; while *walking* the finished tree (every other directive) it is two lines.

use super::source::{Place, Sources};
use std::collections::HashMap;
use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The server will not start.
    Error,
    /// The server starts, someone should look.
    Warning,
    /// The server starts as it was told to; for whoever asks the log what became of a line.
    Info,
}

/// Who found it, which decides the first line's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Reading the files.
    Read,
    /// Applying a directive.
    Walk,
    /// Looking at the whole once everything is read.
    Check,
}

/// One error or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Who found it.
    pub phase: Phase,
    /// httpd's words, where it has any.
    pub message: String,
    /// The file and line, unless it is about the whole.
    pub place: Option<Place>,
    /// The `Include` lines that led there, outermost first.
    pub chain: Vec<Place>,
    /// The line itself.
    pub snippet: Option<Snippet>,
    /// What to do about it.
    pub hints: Vec<String>,
    /// The part of the line that is meant, for a caret once the line is at hand.
    pub mark: Option<String>,
}

/// A physical line and a stretch of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// Its number.
    pub line: u32,
    /// What it says.
    pub text: String,
    /// Bytes before the stretch.
    pub column: usize,
    /// Bytes of the stretch.
    pub width: usize,
    /// What is wrong with it, behind the caret.
    pub label: Option<String>,
}

impl Diagnostic {
    /// An error about the whole configuration.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            phase: Phase::Check,
            message: message.into(),
            place: None,
            chain: Vec::new(),
            snippet: None,
            hints: Vec::new(),
            mark: None,
        }
    }

    /// A warning about the whole configuration.
    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    /// The same, about this place.
    #[must_use]
    pub fn at(self, place: &Place) -> Self {
        Self {
            place: Some(place.clone()),
            ..self
        }
    }

    /// The same, with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// What two diagnostics about the same mistake have in common; none without a line.
    fn key(&self) -> Option<(Severity, String, Vec<String>, String)> {
        let snippet = self.snippet.as_ref()?;
        let marked = snippet.column..snippet.column.saturating_add(snippet.width);
        let marked = snippet.text.get(marked)?.to_owned();
        Some((
            self.severity,
            self.message.clone(),
            self.hints.clone(),
            marked,
        ))
    }

    /// The same about this part of its line.
    #[must_use]
    pub fn under(self, part: impl Into<String>) -> Self {
        Self {
            mark: Some(part.into()).filter(|part: &String| !part.is_empty()),
            ..self
        }
    }

    /// Shows the line, with the caret under what is meant or else under all of it.
    pub(crate) fn quote(&mut self, sources: &Sources) {
        let Some(place) = self.place.as_ref().filter(|_| self.snippet.is_none()) else {
            return;
        };
        let marked = self
            .mark
            .as_deref()
            .and_then(|part| Some((sources.find(place, part)?, part.len())));
        let found = marked.or_else(|| {
            let text = sources.quote(place)?;
            let column = text.len() - text.trim_start().len();
            Some(((place.line, text, column), text.trim().len()))
        });
        self.snippet = found.map(|((line, text, column), width)| Snippet {
            line,
            text: text.to_owned(),
            column,
            width,
            label: None,
        });
    }

    /// On one line, for a log: place, message, hints.
    pub fn brief(&self) -> String {
        let place = self.place.iter().map(|place| format!("{place}: "));
        let hints = self.hints.iter().map(|hint| format!("; {hint}"));
        place
            .chain([self.message.replace('\n', " ")])
            .chain(hints)
            .collect()
    }

    fn first_lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = &self.message;
        match (self.severity, self.phase, &self.place) {
            (Severity::Error, Phase::Read, Some(place)) => {
                f.write_str("tine: ")?;
                for outer in self.chain.iter().chain([place]) {
                    write!(f, "Syntax error on line {} of {}: ", outer.line, outer.file)?;
                }
                writeln!(f, "{message}")
            }
            (Severity::Error, Phase::Walk | Phase::Check, Some(place)) => {
                writeln!(
                    f,
                    "AH00526: Syntax error on line {} of {}:\n{message}",
                    place.line, place.file
                )
            }
            (Severity::Error, _, None) => writeln!(f, "tine: {message}"),
            (Severity::Warning, _, Some(place)) => {
                writeln!(
                    f,
                    "tine: warning on line {} of {}: {message}",
                    place.line, place.file
                )
            }
            (Severity::Warning, _, None) => writeln!(f, "tine: warning: {message}"),
            (Severity::Info, _, Some(place)) => writeln!(f, "tine: note on {place}: {message}"),
            (Severity::Info, _, None) => writeln!(f, "tine: note: {message}"),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first_lines(f)?;
        if let Some(snippet) = &self.snippet {
            snippet.fmt(f)?;
        }
        if !(self.phase == Phase::Read && self.severity == Severity::Error) {
            for outer in self.chain.iter().rev() {
                writeln!(
                    f,
                    "      included from line {} of {}",
                    outer.line, outer.file
                )?;
            }
        }
        for hint in &self.hints {
            writeln!(f, "hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Control bytes would move the caret or the terminal; a tab keeps its width of one.
        let clean: String = self
            .text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let before = self
            .text
            .get(..self.column)
            .unwrap_or(&self.text)
            .chars()
            .count();
        let marked = self
            .text
            .get(self.column..self.column.saturating_add(self.width));
        let width = marked.map_or(1, |marked| marked.chars().count()).max(1);
        writeln!(f, "{:>5} | {}", self.line, clean.trim_end())?;
        write!(f, "{:>5} | {}{}", "", " ".repeat(before), "^".repeat(width))?;
        match &self.label {
            Some(label) => writeln!(f, " {label}"),
            None => writeln!(f),
        }
    }
}

/// Tells what is wrong in the same way in many lines once, with the other lines in a hint: a file with fifty rewrite rules has one problem.
pub(crate) fn folded(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut places: HashMap<_, Vec<Place>> = HashMap::new();
    for diagnostic in &diagnostics {
        if let (Some(key), Some(place)) = (diagnostic.key(), &diagnostic.place) {
            places.entry(key).or_default().push(place.clone());
        }
    }
    let mut kept = Vec::new();
    for diagnostic in diagnostics {
        let same = diagnostic.key().and_then(|key| places.get_mut(&key));
        match same {
            Some(same) if same.is_empty() => {}
            Some(same) if same.len() >= MANY => {
                // Emptied, so that the next ones are passed over.
                let hint = also(&std::mem::take(same));
                kept.push(diagnostic.hint(hint));
            }
            Some(_) | None => kept.push(diagnostic),
        }
    }
    kept
}

/// From how many lines on the same complaint is told once.
const MANY: usize = 3;

/// `the same on line 4, 7, line 3 of b.conf`, of all places but the first.
fn also(places: &[Place]) -> String {
    let mut text = String::from("the same on ");
    for (index, pair) in places.windows(2).enumerate() {
        let [before, place] = pair else { continue };
        let comma = if index == 0 { "" } else { ", " };
        let line = if index == 0 || before.file != place.file {
            "line "
        } else {
            ""
        };
        let file = if before.file == place.file {
            String::new()
        } else {
            format!(" of {}", place.file)
        };
        text.push_str(&format!("{comma}{line}{}{file}", place.line));
    }
    text
}

/// Renders several diagnostics, one after the other.
pub fn render(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect()
}

/// The part of a regular expression error that says what is wrong.
pub(crate) fn last_line(text: &str) -> String {
    text.lines()
        .last()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippet() -> Snippet {
        Snippet {
            line: 7,
            text: "\tListen éé x".to_owned(),
            column: 8,
            width: 4,
            label: Some("no port".to_owned()),
        }
    }

    #[test]
    fn a_walk_error_has_two_lines_and_a_caret() {
        let diagnostic = Diagnostic {
            phase: Phase::Walk,
            place: Some(Place::new("a.conf", 7)),
            snippet: Some(snippet()),
            ..Diagnostic::error("Port must be specified").hint("write `Listen 80`")
        };
        let expected = "AH00526: Syntax error on line 7 of a.conf:\n\
                        Port must be specified\n\
                        \x20   7 |  Listen éé x\n\
                        \x20     |         ^^ no port\n\
                        hint: write `Listen 80`\n";
        assert_eq!(diagnostic.to_string(), expected);
    }

    #[test]
    fn the_same_mistake_in_many_lines_is_told_once() {
        let wrong = |file: &str, line: u32, word: &str| Diagnostic {
            place: Some(Place::new(file, line)),
            snippet: Some(Snippet {
                line,
                text: word.to_owned(),
                column: 0,
                width: word.len(),
                label: None,
            }),
            ..Diagnostic::error("no").hint("yes")
        };
        let folded = folded(vec![
            wrong("a", 1, "x"),
            wrong("a", 2, "y"),
            wrong("a", 3, "x"),
            wrong("a", 5, "x"),
            wrong("b", 2, "x"),
            Diagnostic::error("whole"),
        ]);
        let hints: Vec<_> = folded.iter().map(|one| one.hints.join("; ")).collect();
        assert_eq!(
            hints,
            ["yes; the same on line 3, 5, line 2 of b", "yes", ""]
        );
    }

    #[test]
    fn a_read_error_chains_the_files_on_one_line() {
        let diagnostic = Diagnostic {
            phase: Phase::Read,
            place: Some(Place::new("inner", 7)),
            chain: vec![Place::new("outer", 2)],
            ..Diagnostic::error("stop")
        };
        assert_eq!(
            diagnostic.to_string(),
            "tine: Syntax error on line 2 of outer: Syntax error on line 7 of inner: stop\n"
        );
    }
}
