//! What mod_headers was told: edits of field lines, in the order of the configuration.

use crate::config::source::Place;

/// One `Header` or `RequestHeader` line.
#[derive(Debug, Clone, PartialEq)]
pub struct HeaderEdit {
    /// What is edited.
    pub table: HeaderTable,
    /// Which fields; for `echo` an expression over names of the request's fields.
    pub name: String,
    /// What is done.
    pub action: HeaderAction,
    /// When.
    pub condition: EditCondition,
    /// Where it stands.
    pub place: Place,
}

/// Which fields an edit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderTable {
    /// `RequestHeader`: those of the request.
    Request,
    /// `Header` and `Header onsuccess`: those that a backend or a handler gave the response.
    OnSuccess,
    /// `Header always`: those that the server adds to every response, error pages included. They are sent before the others.
    Always,
}

/// What an edit does.
#[derive(Debug, Clone, PartialEq)]
pub enum HeaderAction {
    /// One line with this value, whatever there was.
    Set(HeaderValue),
    /// The same, if there is no line.
    SetIfEmpty(HeaderValue),
    /// One more line.
    Add(HeaderValue),
    /// The value at the end of the list in the first line.
    Append(HeaderValue),
    /// The same, if the list does not have it.
    Merge(HeaderValue),
    /// No line.
    Unset,
    /// Every line: what the expression matches is replaced.
    Edit {
        /// The expression.
        pattern: String,
        /// What replaces a match; `$1` is a group.
        with: HeaderValue,
        /// Every match (`edit*`), not only the first.
        every: bool,
    },
    /// The lines of the request whose names match.
    Echo,
    /// The first line's value, as a note of this name for the access log.
    Note(HeaderValue),
}

/// A value: pieces in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderValue(pub Vec<HeaderPiece>);

/// A piece of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderPiece {
    /// This text.
    Text(String),
    /// `%D`: how long the request has taken, as `D=` and microseconds.
    Duration,
    /// `%t`: when it began, as `t=` and microseconds since 1970.
    Began,
    /// `%l`: the machine's load averages, as `l=1/2/3`.
    Load,
    /// `%i`: the share of idle slots, as `i=` and a percentage.
    Idle,
    /// `%b`: the share of busy slots, as `b=` and a percentage.
    Busy,
    /// `%{NAME}e`: a variable.
    Var(String),
    /// `%{NAME}s`: what TLS knows.
    Tls(String),
}

/// When an edit is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditCondition {
    /// For every request.
    Always,
    /// `early`: as soon as the head has arrived. Only the server's own lines count.
    Early,
    /// `env=NAME`.
    Set(String),
    /// `env=!NAME`.
    Unset(String),
}
