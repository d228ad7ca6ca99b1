//! Where text came from.
//!
//! Responsible for: [`Place`], the file and line that the model remembers, and [`Sources`], the texts read in a run, so that a diagnostic
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
