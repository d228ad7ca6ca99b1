//! Why an exchange could not go on: the single currency for everything that goes wrong while serving.
//!
//! One table here says what a client is told for each failure ([`Failure::status`]), another what the log is told
//! ([`Failure::log_line`]); `proxy/retry.rs` says who may try again. Nothing else maps errors to statuses or words.

use std::fmt;
use std::io;

use super::{Answer, Ask, Plan};
use crate::codec::CodecError;
use crate::http::Status;
use crate::log::{Cause, Level, Line, Module, Tag};

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
    /// A protocol switch that was not what the request had asked for.
    Switched,
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
    /// The backend did not say in time whether it wants the content.
    ContinueTimeout,
    /// Content can't be kept until it is sent.
    Spool,
    /// Nothing moved in a tunnel for too long.
    TunnelIdle,
    /// A connection of a tunnel broke.
    TunnelBroken,
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

    /// What the log is told: `member` names the backend, `next` says what we do about it, and may be empty.
    ///
    /// Where the operating system has a number for the cause, the line shows it in front, as httpd does; then the
    /// words do not repeat it.
    #[must_use]
    pub fn log_line(&self, member: Option<&str>, next: &str) -> LogLine {
        let (level, tag, what) = self.entry();
        let mut text = what.replace(
            "{member}",
            &member.map_or_else(
                || "the backend".to_owned(),
                |member| format!("member {member}"),
            ),
        );
        if self.os_error.is_none() && !self.cause.is_empty() {
            text.push_str(": ");
            text.push_str(&self.cause);
        }
        if !next.is_empty() {
            text.push_str("; ");
            text.push_str(next);
        }
        LogLine {
            level,
            tag,
            cause: self.os_error.map(Cause::Errno),
            text,
        }
    }

    /// Writes the failure to the error log of the request's server.
    pub fn log(&self, ask: &Ask<'_>, plan: &Plan) {
        self.log_next(ask, plan, "");
    }

    /// The same with what we do about it: `trying the next one (1 of 3)`.
    pub fn log_next(&self, ask: &Ask<'_>, plan: &Plan, next: &str) {
        let module = match self.side {
            Side::Client => Module::Http,
            Side::Backend => Module::Proxy,
            Side::Ours => Module::Core,
        };
        let (level, ..) = self.entry();
        if ask.log_enabled(module, level) {
            let told = self.log_line(plan.label().as_deref(), next);
            let text = format_args!("{}", told.text);
            let line = Line::new(module, level, told.tag, &text);
            let line = told.cause.map_or(line, |cause| line.cause(cause));
            ask.log_attempt(&line, &plan.vars);
        }
    }

    /// What the client is told when no handler has anything better.
    #[must_use]
    pub fn answer(&self, ask: &Ask<'_>) -> Box<Answer> {
        let status = self.status();
        match (self.side, self.kind) {
            (Side::Backend, FailureKind::Resolve) => {
                Answer::proxy_error(ask, status, "DNS lookup failure for the backend")
            }
            (Side::Backend, FailureKind::ContinueTimeout) => {
                Answer::proxy_error(ask, status, "Timeout on 100-Continue")
            }
            (Side::Backend, FailureKind::Closed | FailureKind::ReadTimeout) => {
                Answer::proxy_error(ask, status, "Error reading from remote server")
            }
            (Side::Backend, FailureKind::Switched) => Answer::proxy_error(ask, status, &self.cause),
            _ => Answer::error(ask, status),
        }
    }

    /// Level, tag and words of a failure. A client's faults are its own affair, so they are quiet; the rest needs
    /// somebody to look.
    fn entry(&self) -> (Level, Tag, &'static str) {
        match (self.side, self.kind) {
            (Side::Backend, FailureKind::Resolve) => (
                Level::Error,
                Tag::Tn(301),
                "the host name of {member} has no address",
            ),
            (Side::Backend, FailureKind::Connect) => (
                Level::Error,
                Tag::Tn(302),
                "{member} refused the connection",
            ),
            (Side::Backend, FailureKind::ConnectTimeout) => (
                Level::Error,
                Tag::Tn(303),
                "{member} did not take the connection in time",
            ),
            (Side::Backend, FailureKind::Acquire) => (
                Level::Error,
                Tag::Tn(304),
                "no connection to {member} became free in time",
            ),
            (Side::Backend, FailureKind::Malformed | FailureKind::TooLarge) => (
                Level::Error,
                Tag::Tn(305),
                "{member} sent no proper response",
            ),
            (Side::Backend, FailureKind::Switched) => (
                Level::Error,
                Tag::Tn(314),
                "{member} switched to a protocol that it was not asked for",
            ),
            (_, FailureKind::TunnelIdle) => (
                Level::Info,
                Tag::Tn(315),
                "the tunnel to {member} was silent for too long",
            ),
            (Side::Client, FailureKind::TunnelBroken) => {
                (Level::Info, Tag::Tn(316), "the client broke its tunnel off")
            }
            (_, FailureKind::TunnelBroken) => {
                (Level::Info, Tag::Tn(317), "{member} broke its tunnel off")
            }
            // A connection that idled may die at any time; that the pool finds out is nothing to act on.
            (Side::Backend, FailureKind::Closed) if self.reused && !self.has_response => (
                Level::Info,
                Tag::Tn(306),
                "{member} had closed the idle connection",
            ),
            (Side::Backend, FailureKind::Closed) if !self.has_response => {
                (Level::Error, Tag::Tn(312), "{member} gave no answer")
            }
            (Side::Backend, FailureKind::Closed) => (
                Level::Error,
                Tag::Tn(307),
                "{member} broke its response off",
            ),
            (Side::Backend, FailureKind::ReadTimeout) if !self.has_response => (
                Level::Error,
                Tag::Tn(308),
                "{member} gave no answer in time",
            ),
            (Side::Backend, FailureKind::ReadTimeout) => (
                Level::Error,
                Tag::Tn(313),
                "{member} fell silent in the middle of its response",
            ),
            (Side::Backend, FailureKind::ContinueTimeout) => (
                Level::Error,
                Tag::Tn(318),
                "{member} did not say whether it wants the request's content",
            ),
            (Side::Backend, FailureKind::WriteTimeout) => (
                Level::Error,
                Tag::Tn(309),
                "{member} took nothing of the request for too long",
            ),
            (Side::Backend | Side::Ours, FailureKind::Spool) => (
                Level::Error,
                Tag::Tn(334),
                "the request's content cannot be kept",
            ),
            (Side::Backend, FailureKind::Unsendable) => (
                Level::Error,
                Tag::Tn(310),
                "the request cannot be sent to {member}",
            ),
            (Side::Backend | Side::Ours | Side::Client, FailureKind::Stopping) => (
                Level::Info,
                Tag::Tn(311),
                "the exchange ends because the server stops",
            ),
            (Side::Client, FailureKind::ReadTimeout) => (
                Level::Info,
                Tag::Tn(321),
                "the client was silent for too long",
            ),
            (Side::Client, FailureKind::WriteTimeout) => (
                Level::Info,
                Tag::Tn(322),
                "the client took nothing for too long",
            ),
            (Side::Client, FailureKind::Closed) => (
                Level::Info,
                Tag::Tn(323),
                "the client closed the connection",
            ),
            (Side::Client, FailureKind::TooLarge) => (
                Level::Info,
                Tag::Tn(324),
                "the request's content is too large",
            ),
            (Side::Client, _) => (Level::Info, Tag::Tn(325), "the request is refused"),
            (Side::Ours, FailureKind::TooLarge) => {
                (Level::Info, Tag::Tn(331), "the message is too large")
            }
            (Side::Ours, FailureKind::Unsendable) => {
                (Level::Error, Tag::Tn(332), "the response cannot be sent")
            }
            (Side::Ours, _) => (Level::Error, Tag::Tn(333), "this server failed"),
        }
    }

    /// What the client is told, by httpd's table (`reference/httpd.md` §4.10) where it has a row.
    #[must_use]
    pub fn status(&self) -> Status {
        match (self.side, self.kind) {
            (Side::Client, FailureKind::ReadTimeout | FailureKind::WriteTimeout) => {
                Status::REQUEST_TIMEOUT
            }
            (_, FailureKind::TooLarge) => Status::CONTENT_TOO_LARGE,
            (_, FailureKind::TunnelIdle) => Status::GATEWAY_TIMEOUT,
            (Side::Client, _) => self.client_status.unwrap_or(Status::BAD_REQUEST),
            (Side::Ours, FailureKind::Stopping) => Status::SERVICE_UNAVAILABLE,
            (Side::Ours, _) => Status::INTERNAL_SERVER_ERROR,
            (
                Side::Backend,
                FailureKind::Connect
                | FailureKind::ConnectTimeout
                | FailureKind::Acquire
                | FailureKind::ContinueTimeout,
            ) => Status::SERVICE_UNAVAILABLE,
            (Side::Backend, FailureKind::Spool) => Status::INTERNAL_SERVER_ERROR,
            (Side::Backend, FailureKind::Resolve) => Status::BAD_GATEWAY,
            (Side::Backend, FailureKind::WriteTimeout) => Status::GATEWAY_TIMEOUT,
            // httpd says 502 when the wait for a response ran out, and so do we.
            (Side::Backend, FailureKind::ReadTimeout) => Status::BAD_GATEWAY,
            (Side::Backend, FailureKind::Unsendable) => Status::INTERNAL_SERVER_ERROR,
            (
                Side::Backend,
                FailureKind::Malformed
                | FailureKind::Switched
                | FailureKind::Closed
                | FailureKind::TunnelBroken
                | FailureKind::Stopping,
            ) => Status::BAD_GATEWAY,
        }
    }
}

/// What the log is told of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How important it is.
    pub level: Level,
    /// What it is found by.
    pub tag: Tag,
    /// What the operating system said.
    pub cause: Option<Cause>,
    /// The words.
    pub text: String,
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

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [FailureKind; 16] = [
        FailureKind::Resolve,
        FailureKind::Connect,
        FailureKind::ConnectTimeout,
        FailureKind::Acquire,
        FailureKind::Malformed,
        FailureKind::Closed,
        FailureKind::ReadTimeout,
        FailureKind::WriteTimeout,
        FailureKind::Unsendable,
        FailureKind::TooLarge,
        FailureKind::ContinueTimeout,
        FailureKind::Spool,
        FailureKind::Switched,
        FailureKind::TunnelIdle,
        FailureKind::TunnelBroken,
        FailureKind::Stopping,
    ];

    #[test]
    fn clients_are_told_what_httpd_tells_them() {
        let rows = [
            (
                "pool_acquire_timeout",
                Side::Backend,
                FailureKind::Acquire,
                503,
            ),
            ("dns_failure", Side::Backend, FailureKind::Resolve, 502),
            (
                "connection_refused",
                Side::Backend,
                FailureKind::Connect,
                503,
            ),
            (
                "connection_timeout",
                Side::Backend,
                FailureKind::ConnectTimeout,
                503,
            ),
            (
                "closed_before_the_status_line",
                Side::Backend,
                FailureKind::Closed,
                502,
            ),
            (
                "bad_status_line",
                Side::Backend,
                FailureKind::Malformed,
                502,
            ),
            (
                "silent_backend",
                Side::Backend,
                FailureKind::ReadTimeout,
                502,
            ),
            (
                "backend_takes_nothing",
                Side::Backend,
                FailureKind::WriteTimeout,
                504,
            ),
            (
                "request_that_cannot_be_expressed",
                Side::Backend,
                FailureKind::Unsendable,
                500,
            ),
            (
                "client_sends_no_content",
                Side::Client,
                FailureKind::ReadTimeout,
                408,
            ),
            (
                "client_sends_bad_content",
                Side::Client,
                FailureKind::Malformed,
                400,
            ),
            (
                "client_sends_too_much",
                Side::Client,
                FailureKind::TooLarge,
                413,
            ),
            (
                "ping_expired",
                Side::Backend,
                FailureKind::ContinueTimeout,
                503,
            ),
            ("no_room_for_content", Side::Ours, FailureKind::Spool, 500),
            ("stopped", Side::Ours, FailureKind::Stopping, 503),
            ("our_fault", Side::Ours, FailureKind::Closed, 500),
        ];
        for (row, side, kind, status) in rows {
            assert_eq!(
                Failure::new(side, kind, "").status().as_u16(),
                status,
                "{row}"
            );
        }
    }

    #[test]
    fn a_bad_request_keeps_the_status_that_the_codec_gave_it() {
        let error = CodecError::with_status(Status::URI_TOO_LONG, "the request line is too long");
        assert_eq!(
            Failure::codec(Side::Client, error).status(),
            Status::URI_TOO_LONG
        );
        assert_eq!(
            Failure::codec(Side::Backend, error).status(),
            Status::BAD_GATEWAY
        );
    }

    #[test]
    fn log_lines_name_the_member_the_cause_and_what_is_next() {
        let refused = Failure::io(
            Side::Backend,
            FailureKind::Connect,
            &io::Error::from_raw_os_error(111),
        );
        let line = refused.log_line(Some("http://10.1.0.4:8080"), "trying the next one (1 of 3)");
        assert_eq!(line.level, Level::Error);
        assert_eq!(line.cause, Some(Cause::Errno(111)));
        assert_eq!(
            format!("{}{}", line.tag, line.text),
            "TN0302: member http://10.1.0.4:8080 refused the connection; trying the next one (1 of 3)"
        );
        let garbled = Failure::new(
            Side::Backend,
            FailureKind::Malformed,
            "the status line is malformed",
        );
        assert_eq!(
            garbled.log_line(None, "").text,
            "the backend sent no proper response: the status line is malformed"
        );
    }

    #[test]
    fn only_what_somebody_must_act_on_is_an_error() {
        let mut idle = Failure::new(Side::Backend, FailureKind::Closed, "");
        assert_eq!(idle.log_line(None, "").level, Level::Error);
        idle.reused = true;
        assert_eq!(idle.log_line(None, "").level, Level::Info);
        idle.has_response = true;
        assert_eq!(idle.log_line(None, "").level, Level::Error);
        for kind in ALL {
            let line = Failure::new(Side::Client, kind, "").log_line(None, "");
            assert!(
                line.level >= Level::Info,
                "{kind:?} is an error of the client"
            );
        }
    }

    #[test]
    fn every_failure_has_words_of_its_own() {
        let mut seen = std::collections::HashMap::new();
        for side in [Side::Client, Side::Backend, Side::Ours] {
            for kind in ALL {
                let line = Failure::new(side, kind, "").log_line(None, "");
                let words = seen
                    .entry(line.tag.to_string())
                    .or_insert_with(|| line.text.clone());
                assert_eq!(*words, line.text, "one tag, two messages");
            }
        }
    }
}
