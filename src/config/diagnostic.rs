//! What is wrong with a configuration, and how it is told.
//!
//! Responsible for: [`Diagnostic`] and its rendering. httpd's own words come first, unchanged, because people and tools search for them;
//! then the line with a caret under the offending word; then what to do. No colour, no terminal knowledge.

use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The server will not start.
    Error,
    /// The server starts, someone should look.
    Warning,
}

/// One complaint or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// httpd's words.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
