//! A member: what the configuration says of it, and its record in the scoreboard.
//!
//! Responsible for: what happens to one member – whether it is usable, going into error, coming back. Not responsible for choosing
//! among members, nor for connections.
//!
//! Know first: everything that changes is in the shared [`MemberScore`], so that a failure seen by one child is known to all. Everything
//! else is a copy of the configuration. A plain worker – `ProxyPass /x http://…` without a balancer – is a member too, one that
//! ignores errors: it is retried at once, because there is nobody to use in its place.
//!
//! ```text
//!           failure (never with I)                     retry elapsed, or I, or all others fail too
//!  usable ──────────────────────────▶ in error (E) ───────────────────────────────────────────────▶ usable
//!                                     error_time = now                                              retries += 1
//!                                                      a connection succeeds: error_time = 0, retries = 0
//! ```

use super::event::{Event, Observer, tell};
use crate::config::model::{self, MemberParams, StatusEdit, WorkerUrl};
use scoreboard::{Board, BoardError, MemberInit, MemberScore, PLAIN, StatusBits};
use std::sync::atomic::Ordering::Relaxed;

/// A place requests may go.
#[derive(Debug)]
pub struct Member {
    /// Where it is. The name in it is the one in traces and pages.
    pub url: WorkerUrl,
    /// Its parameters. Those that an operator may edit are read from the score instead.
    pub params: MemberParams,
    /// What all children share about it.
    pub score: &'static MemberScore,
    /// Its record's index in the scoreboard.
    pub board_index: u32,
    /// The id that 2.2 gave it, printed in traces.
    pub id22: u32,
}

/// What came of trying to take a member out of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It was not in error.
    NotInError,
    /// It was, and may be used again.
    Marked,
    /// It has not rested long enough.
    TooSoon,
    /// It is stopped.
    Stopped,
}

impl Member {
    /// Finds or makes the record of a balancer's member. `order` is its place among the members.
    ///
    /// # Errors
    /// The scoreboard has no room for another member.
    pub(super) fn register(
        config: &model::Member,
        board: &'static Board,
        balancer: u32,
        order: u32,
    ) -> Result<Self, BoardError> {
        let status = StatusBits::empty();
        let (url, params) = (&config.url, &config.params);
        Self::new(url, params, config.id22, board, balancer, order, status)
    }

    /// Finds or makes the record of a plain worker. `order` is its place among the plain workers.
    ///
    /// # Errors
    /// The scoreboard has no room for another member.
    pub fn plain(
        config: &model::Worker,
        board: &'static Board,
        order: u32,
    ) -> Result<Self, BoardError> {
        let status = StatusBits::IGNORE;
        let (url, params) = (&config.url, &config.params);
        Self::new(url, params, config.id22, board, PLAIN, order, status)
    }

    fn new(
        url: &WorkerUrl,
        params: &MemberParams,
        id22: u32,
        board: &'static Board,
        balancer: u32,
        order: u32,
        status: StatusBits,
    ) -> Result<Self, BoardError> {
        let edit = params.status.get().copied().unwrap_or_default();
        let init = MemberInit {
            status: edited(status, edit),
            lbset: params.lbset.or(0),
            lbfactor: params.load_factor_percent.or(100),
            lbstatus: 0,
            retry_ms: u64::from(params.retry_s.or(60)) * 1000,
            route: params.route.get().map_or("", String::as_str),
            redirect: params.redirect.get().map_or("", String::as_str),
            order,
        };
        let (board_index, _) = board.register_member(balancer, &url.name, &init)?;
        Ok(Self {
            url: url.clone(),
            params: params.clone(),
            score: board.member(board_index),
            board_index,
            id22,
        })
    }

    /// Puts the member in error because of `reason`, unless it ignores errors. Returns whether it is in error now because of this.
    pub fn put_in_error(&self, now_ms: u64, reason: &str) -> bool {
        if self.status().contains(StatusBits::IGNORE) {
            return false;
        }
        // The time first: whoever sees the bit must not measure the rest from an older failure.
        self.score.error_time_ms.store(now_ms, Relaxed);
        self.score.set_status(StatusBits::IN_ERROR);
        self.score
            .explain(std::process::id(), reason.as_bytes(), now_ms);
        true
    }

    /// Notes that a connection to the member was made: its failures are history.
    pub fn succeeded(&self) {
        // Nearly always there is nothing to note; then the line stays shared between the processors.
        if self.score.error_time_ms.load(Relaxed) != 0 {
            self.score.error_time_ms.store(0, Relaxed);
        }
        if self.score.retries.load(Relaxed) != 0 {
            self.score.retries.store(0, Relaxed);
        }
    }

    /// Takes the member out of error if it has rested for `retry`, or ignores errors.
    pub fn try_retry<O: Observer + ?Sized>(&self, now_ms: u64, observer: &mut O) -> Retry {
        let status = self.status();
        if !status.contains(StatusBits::IN_ERROR) {
            return Retry::NotInError;
        }
        tell(observer, || Event::Retrying(self));
        if status.contains(StatusBits::STOPPED) {
            tell(observer, || Event::WillNotRetry(self));
            return Retry::Stopped;
        }
        let score = self.score;
        let rested_ms = score
            .error_time_ms
            .load(Relaxed)
            .saturating_add(score.retry_ms.load(Relaxed));
        if !status.contains(StatusBits::IGNORE) && now_ms <= rested_ms {
            tell(observer, || Event::TooSoonToRetry(self));
            return Retry::TooSoon;
        }
        self.recover();
        tell(observer, || Event::MarkedForRetry(self));
        Retry::Marked
    }

    /// Clears the error and counts the retry, once however many children do it at the same time.
    pub(super) fn recover(&self) {
        let before = self.score.clear_status(StatusBits::IN_ERROR);
        if before.contains(StatusBits::IN_ERROR) {
            self.score.retries.fetch_add(1, Relaxed);
        }
    }

    /// Its name: the URL as httpd writes it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.url.name
    }

    /// Its state now.
    #[must_use]
    pub fn status(&self) -> StatusBits {
        self.score.status()
    }

    /// Whether requests may go there now.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.score.usable()
    }

    /// httpd's text for its state, `Init Ok `.
    #[must_use]
    pub fn status_text(&self) -> String {
        self.status().names()
    }
}

/// The bits after an edit with `status=` letters.
pub(super) fn edited(status: StatusBits, edit: StatusEdit) -> StatusBits {
    status
        .with(StatusBits::from_word(edit.set.into()))
        .without(StatusBits::from_word(edit.clear.into()))
}
