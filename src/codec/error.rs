//! Why a message could not be decoded or encoded.

use std::fmt;

use crate::http::Status;

/// Who broke the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The peer on the other end of the connection.
    Peer,
    /// The message we were asked to send (ours, or the opposite peer's).
    Message,
}

/// A broken rule: who broke it, what a client should be answered when it is to blame, and the rule in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecError {
    /// Who broke the rule.
    pub blame: Blame,
    /// The status that a client gets when its request is to blame. A backend's fault is 502 whatever this says.
    pub status: Status,
    /// The peer closed before the message was complete: not a broken rule, a broken connection.
    pub is_truncation: bool,
    /// What was wrong, for the log: lower case, no full stop.
    pub reason: &'static str,
}

impl CodecError {
    /// The peer sent something malformed.
    #[must_use]
    pub const fn malformed(reason: &'static str) -> Self {
        Self {
            blame: Blame::Peer,
            status: Status::BAD_REQUEST,
            is_truncation: false,
            reason,
        }
    }

    /// The peer sent something that deserves another status than 400.
    #[must_use]
    pub const fn with_status(status: Status, reason: &'static str) -> Self {
        Self {
            blame: Blame::Peer,
            status,
            is_truncation: false,
            reason,
        }
    }

    /// The peer closed in the middle of a message.
    #[must_use]
    pub const fn truncated(reason: &'static str) -> Self {
        Self {
            blame: Blame::Peer,
            status: Status::BAD_REQUEST,
            is_truncation: true,
            reason,
        }
    }

    /// The message to be sent is impossible.
    #[must_use]
    pub const fn unsendable(reason: &'static str) -> Self {
        Self {
            blame: Blame::Message,
            status: Status::INTERNAL_SERVER_ERROR,
            is_truncation: false,
            reason,
        }
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for CodecError {}
