//! How exchanges and connections end, and by when they must.

use std::time::Duration;

use crate::codec::Reuse;
use crate::request::{Failure, FailureKind, Side, Site};
use crate::transport::Flush;

use super::client::{Client, LINGER_MS, Stage};
use super::core::Core;
use super::dial::Dialing;
use super::exchange::{Exchange, Half, Phase};
use super::slab::Key;
use super::timers::Kind;
use super::work::Step;

impl Core {
    /// *Finish*: settles the plan, writes the log line, frees slot and cell, and sends the connection on.
    pub(super) fn finish(&mut self, key: Key, exchange: Key) -> Step {
        self.release_plan(key, exchange, None);
        let Self {
            clients,
            exchanges,
            gear,
            tally,
            books,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return self.drop_client(key);
        };
        cell.mark(crate::log::Milestone::Done, gear.now_us);
        let keeps = !cell.is_cut
            && !cell.is_tunnel
            && client.codec.reuse() == Reuse::Keep
            && !client.is_at_eof;
        books.close(cell, client, gear, keeps);
        let bytes = cell.count.content_out;
        let duration_us = gear.now_us.saturating_sub(cell.count.began_us);
        match (cell.slot.take(), cell.first_head()) {
            (Some(slot), Some(_)) => tally.end(slot, bytes, duration_us, gear.now_us),
            (Some(slot), None) => tally.free(slot, gear.now_us),
            // A tunnel that had given it back.
            (None, _) => tally.count(bytes, duration_us, gear.now_us),
        }
        if let Some(head) = cell.head.take() {
            gear.requests.put(head);
        }
        if let Some(head) = cell.asked.take() {
            gear.requests.put(head);
        }
        if let Some(head) = cell.reply.take() {
            gear.responses.put(head);
        }
        if let Some(head) = cell.early.take() {
            gear.responses.put(head);
        }
        cell.sending = None;
        client.input.release();
        client.codec.reset(cell.stream);
        client.exchange = None;
        let must_linger = cell.request == Half::Open
            || cell.is_unread
            // Its client may be in the middle of a word when the backend leaves.
            || cell.is_tunnel && !client.is_at_eof;
        exchanges.release(exchange);
        if keeps {
            client.enter(Stage::Idle, gear.now_ms);
            // The client's end may have been announced meanwhile, with no event to follow.
            return if client.has_input() || client.transport.may_fill() {
                Step::Again
            } else {
                Step::Wait
            };
        }
        client.must_linger = must_linger;
        client.enter(Stage::Closing, gear.now_ms);
        Step::Again
    }

    /// *Closing* and *Lingering*: until everything is written, then until the client has seen it.
    pub(super) fn close(&mut self, key: Key) -> Step {
        let Self { clients, gear, .. } = self;
        let Some(client) = clients.at_mut(key) else {
            return Step::Gone;
        };
        if client.stage == Stage::Closing {
            match client.transport.flush(&mut client.output, &mut gear.blocks) {
                Ok(Flush::Done) => {}
                Ok(Flush::NotNow) => return Step::Wait,
                Err(_) => return self.drop_client(key),
            }
            if client.is_at_eof || !(client.must_linger || client.has_input()) {
                return self.drop_client(key);
            }
            client.transport.shutdown_write();
            client.input.clear(&mut gear.blocks);
            client.enter(Stage::Lingering, gear.now_ms);
        }
        if client.transport.discard() {
            self.drop_client(key)
        } else {
            Step::Wait
        }
    }

    /// Forgets a client connection at once. Whatever exchange it had must have been finished before.
    pub(super) fn drop_client(&mut self, key: Key) -> Step {
        if let Some(mut client) = self.clients.take(key) {
            debug_assert!(client.exchange.is_none(), "an exchange outlives its client");
            client.input.clear(&mut self.gear.blocks);
            client.output.clear(&mut self.gear.blocks);
        }
        Step::Gone
    }

    /// Makes sure that the client is looked at when its state says so.
    pub(super) fn file_client(&mut self, key: Key) {
        let Some(at) = self.client_deadline(key) else {
            return;
        };
        if let Some(filed) = self.clients.filed_mut(key.index) {
            self.timers.file(Kind::Client, key.index, at, filed);
        }
    }

    /// By when something must have happened on a client connection, in milliseconds of the loop's clock.
    fn client_deadline(&self, key: Key) -> Option<u64> {
        let client = self.clients.at(key)?;
        let cell = client
            .exchange
            .and_then(|exchange| self.exchanges.get(exchange));
        let site = cell.and_then(|cell| cell.route.site).unwrap_or(client.site);
        Some(match (client.stage, cell) {
            // The request is there; it is we who are not ready.
            (Stage::Fresh | Stage::Idle, _) if client.announced.is_some() => {
                client.moved_ms + site.timeout_ms
            }
            (Stage::Fresh, _) => head_deadline(client, site),
            (Stage::Idle, _) => client.since_ms + site.keep_alive_timeout_ms,
            (Stage::Lingering, _) => client.since_ms + LINGER_MS,
            (Stage::Busy, Some(cell)) => self.exchange_deadline(client, cell, site).0,
            (Stage::Closing | Stage::Busy, _) => client.moved_ms + site.timeout_ms,
        })
    }

    /// By when an exchange must have moved, and whose fault it is if it has not.
    fn exchange_deadline(
        &self,
        client: &Client,
        cell: &Exchange,
        site: &Site,
    ) -> (u64, Side, FailureKind) {
        let patience_ms = site.timeout_ms;
        let slow_client = (
            client.moved_ms + patience_ms,
            Side::Client,
            FailureKind::WriteTimeout,
        );
        match cell.phase {
            Phase::Receive => (
                head_deadline(client, site),
                Side::Client,
                FailureKind::ReadTimeout,
            ),
            Phase::Gather => (
                client.moved_ms + patience_ms,
                Side::Client,
                FailureKind::ReadTimeout,
            ),
            Phase::Prefetch => content_deadline(client, cell, site),
            Phase::Dial => self.dial_deadline(cell, site),
            Phase::Await | Phase::Relay if !client.output.is_empty() => slow_client,
            Phase::Await | Phase::Relay if self.waits_for_content(cell) => {
                content_deadline(client, cell, site)
            }
            Phase::Await | Phase::Relay => self.backend_deadline(cell),
            Phase::Tunnel => {
                let moved_ms = client.moved_ms.max(cell.count.backend_ms);
                let patience_ms = patience_ms.max(millis(cell.plan.io_timeout));
                (
                    moved_ms + patience_ms,
                    Side::Backend,
                    FailureKind::TunnelIdle,
                )
            }
            Phase::Route | Phase::Answer | Phase::Serve | Phase::Finish => slow_client,
        }
    }

    /// By when the backend must have said something, or taken something of what it is sent.
    fn backend_deadline(&self, cell: &Exchange) -> (u64, Side, FailureKind) {
        let upstream = cell.upstream.and_then(|up| self.upstreams.at(up));
        let moved_ms = upstream.map_or(0, |up| up.moved_ms);
        let takes_nothing = upstream.is_some_and(|up| !up.output.is_empty());
        let io_timeout = cell.plan.io_timeout;
        let (patience, kind) = if cell.awaits_continue {
            let patience = cell.plan.content.continue_timeout.unwrap_or(io_timeout);
            (patience, FailureKind::ContinueTimeout)
        } else if takes_nothing {
            (io_timeout, FailureKind::WriteTimeout)
        } else {
            (io_timeout, FailureKind::ReadTimeout)
        };
        let at = cell.count.backend_ms.max(moved_ms) + millis(patience).max(1);
        (at, Side::Backend, kind)
    }

    fn dial_deadline(&self, cell: &Exchange, site: &Site) -> (u64, Side, FailureKind) {
        let rules = cell.plan.backend.map(|backend| backend.pool);
        let (patience, kind) = match cell.dialing {
            Dialing::Queued => (rules.and_then(|rules| rules.acquire), FailureKind::Acquire),
            Dialing::Resolving(_) => (
                rules.map(|rules| rules.connect_timeout),
                FailureKind::Resolve,
            ),
            Dialing::Start | Dialing::Connecting | Dialing::Backlogged(_) => (
                rules.map(|rules| rules.connect_timeout),
                FailureKind::ConnectTimeout,
            ),
        };
        let at = cell.count.phase_ms + patience.map_or(site.timeout_ms, millis);
        match cell.dialing {
            Dialing::Backlogged(again) => (again.min(at), Side::Backend, kind),
            Dialing::Start | Dialing::Queued | Dialing::Resolving(_) | Dialing::Connecting => {
                (at, Side::Backend, kind)
            }
        }
    }

    /// Whether everything that the client has sent is with the backend, and more must come from the client.
    fn waits_for_content(&self, cell: &Exchange) -> bool {
        cell.request == Half::Open
            && !cell.awaits_continue
            && cell
                .upstream
                .and_then(|up| self.upstreams.at(up))
                .is_some_and(|up| up.output.is_empty())
    }

    /// The timer of a client connection fired.
    pub(super) fn client_due(&mut self, key: Key) {
        let Some(at) = self.client_deadline(key) else {
            return;
        };
        if at > self.gear.now_ms {
            self.file_client(key);
            return;
        }
        let Some(client) = self.clients.at(key) else {
            return;
        };
        let exchange = client.exchange;
        match (client.stage, exchange) {
            (Stage::Busy, Some(exchange)) => self.exchange_due(key, exchange),
            // A connection on which nothing was asked, or nothing more: it simply ends.
            (Stage::Fresh | Stage::Idle | Stage::Busy | Stage::Closing | Stage::Lingering, _) => {
                self.drop_client(key);
            }
        }
    }

    fn exchange_due(&mut self, key: Key, exchange: Key) {
        let (Some(client), Some(cell)) = (self.clients.at(key), self.exchanges.get(exchange))
        else {
            return;
        };
        let site = cell.route.site.unwrap_or(client.site);
        let (at, side, kind) = self.exchange_deadline(client, cell, site);
        if cell.phase == Phase::Dial && cell.dialing == Dialing::Backlogged(at) {
            if let Some(cell) = self.exchanges.get_mut(exchange) {
                cell.dialing = Dialing::Start;
            }
            self.work(key);
            return;
        }
        let words = match (side, kind) {
            (Side::Client, FailureKind::WriteTimeout) => "the client took nothing for too long",
            (Side::Client, _) => "the client sent nothing, or too little, for too long",
            (_, FailureKind::ContinueTimeout) => "Timeout on 100-Continue (ping, timeout)",
            (_, FailureKind::WriteTimeout) => "the backend took nothing for too long (timeout)",
            (_, FailureKind::TunnelIdle) => "nothing moved in either direction",
            (_, FailureKind::Acquire) => "no connection became free in time (acquire)",
            (_, FailureKind::Resolve) => "the name was not resolved in time (connectiontimeout)",
            (_, FailureKind::ConnectTimeout) => {
                "the connection was not made in time (connectiontimeout)"
            }
            (_, _) => "the backend was silent for too long (timeout)",
        };
        let failure = Failure::new(side, kind, words);
        if let Some(cell) = self.exchanges.get_mut(exchange) {
            cell.pending = Some(failure);
        }
        self.work(key);
    }
}

/// By when more of a request's head must have come: RequestReadTimeout bounds the whole, Timeout each silence in it.
fn head_deadline(client: &Client, site: &Site) -> u64 {
    let silence = client.moved_ms + site.timeout_ms;
    let allowed = site.read_header.allowed_ms(client.received);
    allowed.map_or(silence, |ms| silence.min(client.since_ms + ms))
}

/// By when more of a request's content must have come: RequestReadTimeout bounds the time in which it was waited for,
/// Timeout each silence in it.
fn content_deadline(client: &Client, cell: &Exchange, site: &Site) -> (u64, Side, FailureKind) {
    let silence = client.moved_ms.max(cell.count.waiting_ms) + site.timeout_ms;
    let allowed = site.read_body.allowed_ms(cell.count.content_in);
    let at = allowed.map_or(silence, |ms| silence.min(cell.count.content_ms + ms));
    (at, Side::Client, FailureKind::ReadTimeout)
}

/// Whole milliseconds of a timeout.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 4)
}
