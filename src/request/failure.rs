//! Why an exchange could not go on: the single currency for everything that goes wrong while serving.
//!
//! One table here says what a client is told for each failure ([`Failure::status`]); `proxy/retry.rs` says who
//! may try again. Nothing else maps errors to statuses.

use std::fmt;
use std::io;

use crate::codec::CodecError;
use crate::http::Status;

/// Who is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Client,
    /// The backend.
    Backend,
    /// This server.
    Ours,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The host name could not be resolved.
    Resolve,
    /// The connection was refused or broke while being made.
    Connect,
    /// The connection was not made in time.
    ConnectTimeout,
    /// No connection of the pool became free in time.
    Acquire,
    /// A message was malformed, ambiguous or too large.
    Malformed,
    /// The peer closed or reset the connection before the message was complete.
    Closed,
    /// The peer was silent for too long.
    ReadTimeout,
    /// The peer took nothing for too long.
    WriteTimeout,
    /// The message to be sent is impossible.
    Unsendable,
    /// The content is larger than LimitRequestBody allows.
    TooLarge,
    /// The server is being stopped at once.
    Stopping,
}

/// How much of the request a backend may have seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Sent {
    /// Not a byte.
    #[default]
    Nothing,
    /// The head, wholly or partly, and no content.
    Head,
    /// Some content, which is gone: the request cannot be repeated.
    Content,
}

/// Something that went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Who is to blame.
    pub side: Side,
    /// What happened.
    pub kind: FailureKind,
    /// The status that a malformed request deserves, when the client is to blame.
    pub client_status: Option<Status>,
    /// The backend connection had served another exchange before, so its death may be old news.
    pub reused: bool,
    /// How much of the request may have been seen.
    pub sent: Sent,
    /// A byte of the final response had arrived.
    pub has_response: bool,
    /// The operating system's error, if it had one.
    pub os_error: Option<i32>,
    /// The details in words, for the log.
    pub cause: String,
}

impl Failure {
    /// A failure with nothing sent yet.
    #[must_use]
    pub fn new(side: Side, kind: FailureKind, cause: impl Into<String>) -> Self {
        Self {
            side,
            kind,
            client_status: None,
            reused: false,
            sent: Sent::Nothing,
            has_response: false,
            os_error: None,
            cause: cause.into(),
        }
    }

    /// A codec's complaint about the peer on `side`.
    #[must_use]
    pub fn codec(side: Side, error: CodecError) -> Self {
        let kind = match error.blame {
            crate::codec::Blame::Message => FailureKind::Unsendable,
            crate::codec::Blame::Peer if error.is_truncation => FailureKind::Closed,
            crate::codec::Blame::Peer => FailureKind::Malformed,
        };
        let mut failure = Self::new(side, kind, error.reason);
        failure.client_status = Some(error.status);
        failure
    }

    /// An error of the operating system.
    #[must_use]
    pub fn io(side: Side, kind: FailureKind, error: &io::Error) -> Self {
        let mut failure = Self::new(side, kind, error.to_string());
        failure.os_error = error.raw_os_error();
        failure
    }

    /// What the client is told, by httpd's table (`reference/httpd.md` §4.10) where it has a row.
    #[must_use]
    pub fn status(&self) -> Status {
        match (self.side, self.kind) {
            (Side::Client, FailureKind::ReadTimeout | FailureKind::WriteTimeout) => Status::REQUEST_TIMEOUT,
            (_, FailureKind::TooLarge) => Status::CONTENT_TOO_LARGE,
            (Side::Client, _) => self.client_status.unwrap_or(Status::BAD_REQUEST),
            (Side::Ours, FailureKind::Stopping) => Status::SERVICE_UNAVAILABLE,
            (Side::Ours, _) => Status::INTERNAL_SERVER_ERROR,
            (Side::Backend, FailureKind::Connect | FailureKind::ConnectTimeout | FailureKind::Acquire) => {
                Status::SERVICE_UNAVAILABLE
            }
            (Side::Backend, FailureKind::Resolve) => Status::BAD_GATEWAY,
            (Side::Backend, FailureKind::ReadTimeout | FailureKind::WriteTimeout) => Status::GATEWAY_TIMEOUT,
            (Side::Backend, FailureKind::Unsendable) => Status::INTERNAL_SERVER_ERROR,
            (Side::Backend, FailureKind::Malformed | FailureKind::Closed | FailureKind::Stopping) => {
                Status::BAD_GATEWAY
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

/// How an exchange with a backend ended, for the books.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The backend's status, when it answered.
    pub status: Option<Status>,
    /// What went wrong after the answer began, or why the client left.
    pub failure: Option<Failure>,
    /// Bytes sent to the backend, heads included.
    pub bytes_sent: u64,
    /// Bytes received from it.
    pub bytes_received: u64,
}
