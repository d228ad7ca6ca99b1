//! What becomes of an exchange when something goes wrong.
//!
//! A failure is the client's, a backend's or ours. A backend's goes to the handler, which may have another plan, as long
//! as the client has not been told anything; all others end the exchange, with a word to the client if it can hear one.

use std::any::Any;

use crate::balancer;
use crate::request::{Answer, Failure, FailureKind, Sent, Side, Verdict};

use super::asks::{ask, retry};
use super::core::Core;
use super::dial::Dialing;
use super::exchange::Phase;
use super::slab::Key;
use super::work::Step;

/// Of a request line that is no request, at most so many bytes go to the access log.
const BAD_LINE_MAX: usize = 8190;

impl Core {
    /// Deals with a failure: another plan, an answer, or the end of the connection.
    pub(super) fn fail(&mut self, key: Key, exchange: Key, mut failure: Failure) -> Step {
        let Some(cell) = self.exchanges.get_mut(exchange) else {
            return self.drop_client(key);
        };
        if cell.phase == Phase::Tunnel {
            return self.end_tunnel(key, exchange, &failure);
        }
        if let Some(backend) = cell.plan.backend
            && cell.dialing == Dialing::Queued
        {
            self.pool.leave(backend, key);
        }
        let upstream = cell.upstream.and_then(|up| self.upstreams.at(up));
        failure.sent = match (cell.sent, upstream) {
            // Nothing of it has left us.
            (Sent::Head, Some(up)) if up.output.len() as u64 == cell.count.backend_out => {
                Sent::Nothing
            }
            (sent, _) => sent,
        };
        failure.has_response = cell.backend_status.is_some() || cell.early.is_some();
        failure.reused = upstream.is_some_and(|up| up.served > 0);
        let has_begun = cell.reply.is_some();
        if failure.side == Side::Client || has_begun || !cell.has_plan {
            self.note(key, exchange, &failure);
            let answer = self.last_word(key, exchange, &failure, has_begun);
            self.release_plan(key, exchange, Some(failure));
            return self.end_badly(exchange, answer);
        }
        if let Some(up) = self
            .exchanges
            .get_mut(exchange)
            .and_then(|cell| cell.upstream.take())
        {
            self.drop_upstream(up);
        }
        let Self {
            clients,
            exchanges,
            gear,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Step::Gone;
        };
        cell.has_plan = false;
        let verdict = retry(cell, client, gear, &failure);
        debug_assert!(
            !matches!(verdict, Verdict::Forward) || cell.sent != Sent::Content,
            "content that is gone can't be sent again"
        );
        self.obey(exchange, verdict)
    }

    /// Writes down a failure that no handler will see, and the request line that came to nothing.
    pub(super) fn note(&mut self, key: Key, exchange: Key, failure: &Failure) {
        let (Some(client), Some(cell)) = (self.clients.at(key), self.exchanges.get_mut(exchange))
        else {
            return;
        };
        if cell.head.is_none() {
            let line = client.input.bytes();
            let end = line.iter().position(|b| b"\r\n".contains(b));
            let end = end.unwrap_or(line.len()).min(BAD_LINE_MAX);
            cell.bad_line
                .extend_from_slice(line.get(..end).unwrap_or_default());
        }
        self.books
            .log_failure(&ask(cell, client, &self.gear), cell, failure);
    }

    /// What the client is told about a failure that no handler may mend; `None` when it can't be told anything.
    fn last_word(
        &mut self,
        key: Key,
        exchange: Key,
        failure: &Failure,
        has_begun: bool,
    ) -> Option<Box<Answer>> {
        // A client that closed its sending side in the middle of a request may still listen; one whose connection
        // broke does not.
        let is_deaf = failure.side == Side::Client
            && failure.kind == FailureKind::Closed
            && failure.client_status.is_none();
        let client = self.clients.at_mut(key)?;
        client.codec.close_after_response();
        if has_begun || is_deaf || failure.kind == FailureKind::WriteTimeout {
            return None;
        }
        let cell = self.exchanges.get(exchange)?;
        let mut answer = failure.answer(&ask(cell, client, &self.gear));
        answer.close = true;
        Some(answer)
    }

    fn end_badly(&mut self, exchange: Key, answer: Option<Box<Answer>>) -> Step {
        let Some(cell) = self.exchanges.get_mut(exchange) else {
            return Step::Gone;
        };
        let now_ms = self.gear.now_ms;
        if answer.is_some() {
            cell.answer = answer;
            cell.enter(Phase::Answer, now_ms);
        } else {
            cell.is_cut = true;
            cell.enter(Phase::Finish, now_ms);
        }
        Step::Again
    }

    /// The client is gone in the middle of something.
    pub(super) fn abandon(&mut self, key: Key) {
        let words = "the client closed the connection";
        self.cut(key, Failure::new(Side::Client, FailureKind::Closed, words));
    }

    /// The server ends now, and whatever it was doing with it.
    pub(super) fn stop(&mut self, key: Key) {
        let words = "the server was told to stop at once";
        self.cut(key, Failure::new(Side::Ours, FailureKind::Stopping, words));
    }

    /// Closes the books of a client's exchange, which goes without another word, and the connection.
    fn cut(&mut self, key: Key, failure: Failure) {
        if let Some(exchange) = self.clients.at(key).and_then(|client| client.exchange) {
            if let Some(cell) = self.exchanges.get_mut(exchange) {
                if let Some(backend) = cell.plan.backend
                    && cell.dialing == Dialing::Queued
                {
                    self.pool.leave(backend, key);
                }
                cell.is_cut = true;
            }
            self.note(key, exchange, &failure);
            self.release_plan(key, exchange, Some(failure));
            if let Some(cell) = self.exchanges.get_mut(exchange) {
                cell.phase = Phase::Finish;
            }
            self.finish(key, exchange);
        }
        self.drop_client(key);
    }

    /// Takes an exchange out in whose course an assumption of ours was broken. Its handler is not asked: it may be what
    /// panicked. What was claimed is given back, both connections are closed, and the child drains, for who knows what
    /// else is wrong in it; its parent forks another.
    pub(super) fn contain(&mut self, key: Key, panic: &(dyn Any + Send)) {
        self.has_panicked = true;
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        self.books
            .log_panic(&self.gear, words.unwrap_or("no words"));
        if let Some(exchange) = self.clients.at(key).and_then(|client| client.exchange) {
            self.uproot(exchange);
        }
        if let Some(client) = self.clients.at_mut(key) {
            client.exchange = None;
        }
        self.drop_client(key);
    }

    /// Frees everything that an exchange holds, without closing its books.
    fn uproot(&mut self, exchange: Key) {
        let Some(cell) = self.exchanges.get_mut(exchange) else {
            return;
        };
        cell.has_plan = false;
        if let Some(lease) = cell.plan.ticket.lease.take() {
            lease.settle(balancer::Outcome::NOTHING);
        }
        let (upstream, slot) = (cell.upstream.take(), cell.slot.take());
        (cell.head, cell.asked) = (None, None);
        (cell.reply, cell.early) = (None, None);
        cell.sending = None;
        self.exchanges.release(exchange);
        if let Some(slot) = slot {
            self.tally.free(slot, self.gear.now_us);
        }
        if let Some(upstream) = upstream {
            self.drop_upstream(upstream);
        }
    }
}
