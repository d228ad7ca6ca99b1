//! One request with its response: the machine that everything else serves.
//!
//! ```text
//!            ┌──────────── answer (admin page, error, redirect) ────────────┐
//!            │                                                              ▼
//! Receive → Route → [Gather] → Prefetch → Dial → Await → Relay ───────────→ Finish → (gone)
//!              ▲                            │        │ │    └─ cut, closed ───▲
//!              └────────── failed ──────────┴────────┘ └─ Tunnel (101, CONNECT)
//!                 (the handler decides again: another member, or an answer)
//! Route → Serve → Finish   a file; or Serve → Answer when it is not to be had, Serve → Route for a directory's index
//! Answer → Route           for an ErrorDocument with a path of ours: the exchange goes on as a request for that path
//! ```
//!
//! The request and the response have their own half-state, so early responses and half-closed connections are
//! data, not flags. This file holds the state and what can be computed from it; `work` moves it along, `pump`
//! moves its bytes, `books` closes it.

use std::net::SocketAddr;

use crate::codec::StreamId;
use crate::http::{RequestHead, ResponseHead, Status};
use crate::log::{Milestone, Trace};
use crate::request::{Answer, Detour, Failure, Margin, Plan, Route, Sent};

use super::dial::Dialing;
use super::serve::Sending;
use super::slab::Key;
use super::spool::Held;
use super::tunnel::Told;

/// Where an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Phase {
    /// The request head is arriving.
    #[default]
    Receive,
    /// The head is there; sections, access and handler are to be found, and the handler is to decide.
    Route,
    /// A handler wants the whole content before it decides.
    Gather,
    /// Content is read ahead, before anybody is asked to take it.
    Prefetch,
    /// A connection to the backend is wanted or being made.
    Dial,
    /// The request is on its way; no final response yet.
    Await,
    /// The response is on its way to the client.
    Relay,
    /// The client has the head that makes a tunnel: bytes go both ways.
    Tunnel,
    /// An answer of ours is on its way to the client.
    Answer,
    /// A file is opened, and on its way to the client.
    Serve,
    /// Both sides are done, or one is gone.
    Finish,
}

impl Phase {
    /// Whether the drawing above has this arrow. Checked in debug builds at every change.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Receive, Self::Route | Self::Answer | Self::Finish)
                | (
                    Self::Route,
                    Self::Gather | Self::Prefetch | Self::Serve | Self::Answer | Self::Finish
                )
                | (Self::Gather, Self::Route | Self::Answer | Self::Finish)
                | (Self::Prefetch, Self::Dial | Self::Answer | Self::Finish)
                | (
                    Self::Dial,
                    Self::Await | Self::Dial | Self::Answer | Self::Finish
                )
                | (
                    Self::Await,
                    Self::Relay | Self::Tunnel | Self::Dial | Self::Answer | Self::Finish
                )
                | (Self::Relay, Self::Finish | Self::Answer)
                | (Self::Answer, Self::Route | Self::Finish)
                | (Self::Serve, Self::Route | Self::Answer | Self::Finish)
                | (Self::Tunnel, Self::Finish)
        )
    }
}

/// One direction of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Half {
    /// Parts are still to come.
    #[default]
    Open,
    /// Its `End` was seen.
    Done,
}

/// One exchange. Cells are recycled: `reset` keeps every allocation.
#[derive(Default)]
pub struct Exchange {
    /// Where it is.
    pub phase: Phase,
    /// The client connection.
    pub client: Option<Key>,
    /// Its stream there.
    pub stream: StreamId,
    /// The backend connection.
    pub upstream: Option<Key>,
    /// Its stream there.
    pub upstream_stream: StreamId,
    /// The request's direction, as far as the client has sent it.
    pub request: Half,
    /// The response's direction, as far as the client was given it.
    pub response: Half,
    /// How much of the request the present backend may have seen.
    pub sent: Sent,
    /// The backend was given the request's `End`.
    pub has_sent_end: bool,
    /// Content waits until the backend says 100, or answers (RFC 9110 §10.1.1).
    pub awaits_continue: bool,
    /// Content that was read ahead, and what became of it.
    pub held: Held,
    /// The backend's final head, when it came instead of a 100: it waits until the content is sent.
    pub early: Option<Box<ResponseHead>>,
    /// The request head, once it is there.
    pub head: Option<Box<RequestHead>>,
    /// The head as the client sent it, once another one has taken its place: that of an error document or of a
    /// directory's index.
    pub asked: Option<Box<RequestHead>>,
    /// The error whose document is being got.
    pub detour: Option<Box<Detour>>,
    /// A file of which the client has the beginning.
    pub sending: Option<Sending>,
    /// The client's content was given up unread, so the connection ends with this exchange.
    pub is_unread: bool,
    /// The final response head, as the client got it.
    pub reply: Option<Box<ResponseHead>>,
    /// Its status.
    pub status: Option<Status>,
    /// The status that the backend gave in the present attempt.
    pub backend_status: Option<Status>,
    /// Where it belongs.
    pub route: Route,
    /// Where it is forwarded.
    pub plan: Plan,
    /// The plan was handed out and is not settled.
    pub has_plan: bool,
    /// The answer to give.
    pub answer: Option<Box<Answer>>,
    /// Gathered content.
    pub content: Vec<u8>,
    /// Most content to gather, in bytes.
    pub gather_max: usize,
    /// Content follows the response's head.
    pub has_content: bool,
    /// The request line as far as it came, when no head could be made of it.
    pub bad_line: Vec<u8>,
    /// A client that waits with its content was told to go on.
    pub has_said_continue: bool,
    /// How far the search for a connection is.
    pub dialing: Dialing,
    /// The addresses of the host that the plan names, once they were found.
    pub found: Option<Vec<SocketAddr>>,
    /// Something went wrong while the exchange was not looked at.
    pub pending: Option<Failure>,
    /// Its scoreboard slot.
    pub slot: Option<u32>,
    /// The books.
    pub count: Count,
    /// What `Header` wrote beside the response: notes for the access log.
    pub margin: Margin,
    /// What happened when.
    pub trace: Trace,
    /// The client connection must go without another word.
    pub is_cut: bool,
    /// It has become a tunnel, so neither connection is used again.
    pub is_tunnel: bool,
    /// Which ends of the tunnel know of the other's end.
    pub told: Told,
}

/// What is counted for the log and the scoreboard.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Unix time when the request began to arrive, in microseconds.
    pub began_us: u64,
    /// Bytes received from the client.
    pub bytes_in: u64,
    /// Bytes queued for the client.
    pub bytes_out: u64,
    /// Content bytes of the request.
    pub content_in: u64,
    /// Content bytes of the response.
    pub content_out: u64,
    /// Bytes queued for the backend in the present attempt.
    pub backend_out: u64,
    /// Bytes received from it.
    pub backend_in: u64,
    /// When the phase began, in milliseconds of the loop's clock.
    pub phase_ms: u64,
    /// When content began to be waited for, put off by every time in which it was not waited for.
    pub content_ms: u64,
    /// When it was last begun to be waited for.
    pub waiting_ms: u64,
    /// Since when it is not waited for, because the backend is not ready for it.
    pub paused_ms: Option<u64>,
    /// When the backend last moved a byte.
    pub backend_ms: u64,
    /// Unix time of the response's first byte, in microseconds; 0 before.
    pub first_byte_us: u64,
    /// Requests on the connection before this one.
    pub keepalives: u32,
}

impl Exchange {
    /// Makes the cell ready for its next tenant. Heads were taken out before.
    pub fn reset(&mut self) {
        debug_assert!(
            self.upstream.is_none() && !self.has_plan && self.early.is_none(),
            "books were closed"
        );
        self.phase = Phase::Receive;
        self.client = None;
        self.request = Half::Open;
        self.response = Half::Open;
        self.sent = Sent::Nothing;
        self.has_sent_end = false;
        self.awaits_continue = false;
        self.held.clear();
        self.detour = None;
        self.sending = None;
        self.is_unread = false;
        self.status = None;
        self.backend_status = None;
        self.gather_max = 0;
        self.has_said_continue = false;
        self.has_content = false;
        self.bad_line.clear();
        self.route.clear();
        self.plan.clear();
        self.answer = None;
        self.content.clear();
        self.content.shrink_to(CONTENT_KEPT);
        self.dialing = Dialing::Start;
        self.found = None;
        self.pending = None;
        self.slot = None;
        self.count = Count::default();
        self.margin.notes.clear();
        self.trace = Trace::default();
        self.is_cut = false;
        self.is_tunnel = false;
        self.told = Told::default();
    }

    /// The head as the client sent it.
    pub fn first_head(&self) -> Option<&RequestHead> {
        match (&self.asked, &self.detour) {
            (Some(asked), _) => Some(asked),
            // The head is ours alone: of the client's request none could be made.
            (None, Some(_)) => None,
            (None, None) => self.head.as_deref(),
        }
    }

    /// Notes when a milestone was reached.
    pub fn mark(&mut self, milestone: Milestone, now_us: u64) {
        self.trace.mark(milestone, now_us);
    }

    /// Content is not waited for from now on: the backend is not ready for it.
    pub fn pause_content(&mut self, now_ms: u64) {
        self.count.paused_ms.get_or_insert(now_ms);
    }

    /// Content is waited for again. The time since the pause was not the client's.
    pub fn resume_content(&mut self, now_ms: u64) {
        if let Some(since) = self.count.paused_ms.take() {
            self.count.content_ms += now_ms.saturating_sub(since);
            self.count.waiting_ms = now_ms;
        }
    }

    /// Goes to another phase.
    pub fn enter(&mut self, next: Phase, now_ms: u64) {
        debug_assert!(
            self.phase.may_become(next),
            "no arrow from {:?} to {next:?}",
            self.phase
        );
        self.phase = next;
        self.count.phase_ms = now_ms;
    }
}

/// A recycled cell keeps at most so many bytes for gathered content.
const CONTENT_KEPT: usize = 4096;

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("phase", &self.phase)
            .field("request", &self.request)
            .field("response", &self.response)
            .field("sent", &self.sent)
            .field("status", &self.status)
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_can_end_and_none_goes_back_to_receive() {
        let all = [
            Phase::Receive,
            Phase::Route,
            Phase::Gather,
            Phase::Prefetch,
            Phase::Dial,
            Phase::Await,
            Phase::Relay,
            Phase::Tunnel,
            Phase::Answer,
            Phase::Serve,
        ];
        for phase in all {
            assert!(phase.may_become(Phase::Finish), "{phase:?}");
            assert!(!phase.may_become(Phase::Receive), "{phase:?}");
            assert!(!Phase::Finish.may_become(phase), "{phase:?}");
        }
    }
}
