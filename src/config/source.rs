//! Where text came from.
//!
//! Responsible for: [`Place`], the file and line that the model remembers, and `Sources`, the texts read in a run, so that a diagnostic
//! can show the offending line again. Not responsible for meaning: a line here is a physical line.

use std::fmt;
use std::sync::Arc;

/// A file and a line in it. Cheap to clone; every setting carries one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file as it was named, or `-C/-c directives` for the command line.
    pub file: Arc<str>,
    /// The line, counted from 1; of several joined lines the last one, as httpd counts.
    pub line: u32,
}

impl Place {
    /// The place in `file` at `line`.
    pub fn new(file: impl Into<Arc<str>>, line: u32) -> Self {
        Self {
            file: file.into(),
            line,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that was read in this run.
#[derive(Debug, Clone)]
struct Source {
    name: Arc<str>,
    lines: Vec<String>,
}

/// Every text read in this run, so that diagnostics can quote them.
#[derive(Clone, Default)]
pub(crate) struct Sources(Vec<Source>);

/// Two configurations may say the same in other words, so how they are written does not count.
impl PartialEq for Sources {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// As a setting that nobody set: a dump of what was understood does not repeat how it was written.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("-")
    }
}

/// Names one text of [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourceId(usize);

impl Sources {
    /// Adds a text. Lines end at LF or CRLF; the last one need not end.
    pub(crate) fn add(&mut self, name: &str, text: &str) -> SourceId {
        self.0.push(Source {
            name: name.into(),
            lines: text.lines().map(str::to_owned).collect(),
        });
        SourceId(self.0.len() - 1)
    }

    /// The physical line at a place, from the text that was read last under its name.
    pub(crate) fn quote(&self, place: &Place) -> Option<&str> {
        self.line(SourceId(self.index(place)?), place.line)
    }

    fn index(&self, place: &Place) -> Option<usize> {
        self.0.iter().rposition(|source| source.name == place.file)
    }

    /// Where a part of the logical line that ends at a place stands: line, text, bytes before it.
    pub(crate) fn find(&self, place: &Place, part: &str) -> Option<(u32, &str, usize)> {
        let index = self.index(place)?;
        let mut line = place.line;
        loop {
            let text = self.line(SourceId(index), line)?;
            if let Some(column) = text.find(part) {
                return Some((line, text, column));
            }
            line = line.checked_sub(1)?;
            if !self.line(SourceId(index), line)?.ends_with('\\') {
                return None;
            }
        }
    }

    /// The text's name.
    pub(crate) fn name(&self, id: SourceId) -> Arc<str> {
        self.0
            .get(id.0)
            .map_or_else(|| Arc::from(""), |source| source.name.clone())
    }

    /// A physical line, counted from 1, without its end.
    pub(crate) fn line(&self, id: SourceId, line: u32) -> Option<&str> {
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        self.0.get(id.0)?.lines.get(index).map(String::as_str)
    }
}
