//! What rooms above this one say of texts that they compile.
//!
//! Responsible for: asking, while a directive is read, whether a log format can be compiled, so that all errors of a file are told at once and
//! with a caret under the part that is wrong. The answers are given by whoever loads the configuration, because this room knows no logs.

use std::fmt;
use std::ops::Range;

/// The judges of one reading.
#[derive(Clone, Copy)]
pub struct Judges {
    /// Of what stands in `LogFormat` and `CustomLog`.
    pub log_format: fn(&str) -> Result<(), Flaw>,
    /// Of what stands in `ErrorLogFormat`.
    pub error_log_format: fn(&str) -> Result<(), Flaw>,
}

impl Judges {
    /// Everything is fine: for readers who do not want to run the server.
    pub const LENIENT: Self = Self {
        log_format: |_| Ok(()),
        error_log_format: |_| Ok(()),
    };
}

impl Default for Judges {
    fn default() -> Self {
        Self::LENIENT
    }
}

impl fmt::Debug for Judges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judges").finish_non_exhaustive()
    }
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// httpd's words.
    pub message: String,
    /// Which bytes of the text.
    pub range: Range<usize>,
    /// What to do about it.
    pub hint: String,
}
