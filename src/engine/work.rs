//! Moves exchanges along: from whatever state a client connection is in, as far as it goes without waiting.
//!
//! `Core::work` is the only entry. It steps until a step says `Wait`, then writes what is to be written and files
//! the connection's deadline. Steps return failures as values; `Core::fail` is the one place that deals with them.
//! The phases after *Dial* are in `relay`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::buf::Outlet;
use crate::codec::Offer;
use crate::http::{FieldId, Part, RequestHead, Status};
use crate::log::Milestone as Mark;
use crate::request::{Answer, Failure, FailureKind, Sent, Side, Verdict};

use super::asks::{ask, locate, start};
use super::client::{Client, Stage};
use super::core::Core;
use super::dial::Dialing;
use super::exchange::{Exchange, Half, Phase};
use super::gear::Gear;
use super::pump;
use super::slab::Key;

/// What a step says about the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something changed: look again.
    Again,
    /// Nothing more can be done now; an event, an answer or a deadline will tell.
    Wait,
    /// The connection is gone.
    Gone,
}

impl Core {
    /// Does everything that can be done for a client now. A panic, which is a broken assumption of ours, costs the
    /// exchange that met it and nobody else's.
    pub(super) fn work(&mut self, key: Key) {
        let worked = catch_unwind(AssertUnwindSafe(|| self.work_on(key)));
        if let Err(panic) = worked {
            self.contain(key, panic.as_ref());
        }
    }

    fn work_on(&mut self, key: Key) {
        loop {
            let Some(client) = self.clients.at(key) else {
                return;
            };
            let step = match (client.stage, client.exchange) {
                (Stage::Closing | Stage::Lingering, _) => self.close(key),
                (Stage::Fresh | Stage::Idle | Stage::Busy, Some(exchange)) => {
                    self.drive(key, exchange)
                }
                (Stage::Fresh | Stage::Idle | Stage::Busy, None) => self.await_request(key),
            };
            match step {
                Step::Again => {}
                Step::Wait => break,
                Step::Gone => return,
            }
        }
        self.flush(key);
        self.file_client(key);
    }

    /// Looks for the beginning of a request on a connection without exchange.
    fn await_request(&mut self, key: Key) -> Step {
        loop {
            let Self { clients, gear, .. } = self;
            let Some(client) = clients.at_mut(key) else {
                return Step::Gone;
            };
            if let Some(stream) = client.announced.take() {
                return self.begin(key, stream);
            }
            if client.has_input() {
                gear.news.clear();
                if client
                    .codec
                    .absorb(&mut client.input, &mut gear.news)
                    .is_err()
                {
                    return self.drop_client(key);
                }
                if let Some(stream) = gear.news.pop() {
                    return self.begin(key, stream);
                }
            }
            match pump::fill_client(client, gear) {
                Ok(true) if !client.is_at_eof => {}
                Ok(false) if !client.is_at_eof => {
                    client.input.rest(&mut gear.blocks);
                    return Step::Wait;
                }
                // Closed between requests: that is how connections end. The last response may still be on its way.
                Ok(_) if !client.output.is_empty() => {
                    client.must_linger = false;
                    client.enter(Stage::Closing, gear.now_ms);
                    return Step::Again;
                }
                Ok(_) | Err(_) => return self.drop_client(key),
            }
        }
    }

    /// Opens the books of a new exchange, when there is a slot for it.
    fn begin(&mut self, key: Key, stream: crate::codec::StreamId) -> Step {
        let Self {
            clients,
            exchanges,
            tally,
            gear,
            starved,
            books,
            ..
        } = self;
        let Some(client) = clients.at_mut(key) else {
            return Step::Gone;
        };
        let Some(slot) = tally.begin(
            books.client_text(&client.peers),
            client.served == 0,
            gear.now_us,
        ) else {
            client.announced = Some(stream);
            if !starved.contains(&key) {
                starved.push_back(key);
            }
            return Step::Wait;
        };
        let (exchange, cell) = exchanges.acquire(Exchange::default);
        cell.reset();
        cell.client = Some(key);
        cell.stream = stream;
        cell.slot = Some(slot);
        cell.count.began_us = gear.now_us;
        cell.count.phase_ms = gear.now_ms;
        cell.count.keepalives = client.served;
        cell.mark(Mark::Accepted, gear.now_us);
        let received = client.input.len() as u64;
        client.exchange = Some(exchange);
        client.served = client.served.saturating_add(1);
        client.enter(Stage::Busy, gear.now_ms);
        client.received = received;
        Step::Again
    }

    /// The steps of an exchange, as far as it goes without waiting. It ends with its *Finish*.
    pub(super) fn drive(&mut self, key: Key, exchange: Key) -> Step {
        loop {
            let Some(cell) = self.exchanges.get_mut(exchange) else {
                return self.drop_client(key);
            };
            let result = match cell.pending.take() {
                Some(failure) => Err(failure),
                None => match cell.phase {
                    Phase::Receive => self.receive(key, exchange),
                    Phase::Route => self.decide(key, exchange),
                    Phase::Gather => self.gather(key, exchange),
                    Phase::Prefetch => self.prefetch(key, exchange),
                    Phase::Dial => self.dial(key, exchange),
                    Phase::Await | Phase::Relay => self.relay(key, exchange),
                    Phase::Tunnel => self.tunnel(key, exchange),
                    Phase::Answer => self.answer(key, exchange),
                    Phase::Serve => self.serve(key, exchange),
                    Phase::Finish => return self.finish(key, exchange),
                },
            };
            let step = result.unwrap_or_else(|failure| self.fail(key, exchange, failure));
            if step != Step::Again {
                return step;
            }
        }
    }

    /// *Receive*: until the head is complete.
    fn receive(&mut self, key: Key, exchange: Key) -> Result<Step, Failure> {
        let Self {
            clients,
            exchanges,
            gear,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        loop {
            let waiting = client.input.len();
            let part = client
                .codec
                .pull(cell.stream, &mut client.input, &mut gear.requests)
                .map_err(|error| Failure::codec(Side::Client, error))?;
            if let Some(Part::Head(head)) = part {
                cell.count.bytes_in += (waiting - client.input.len()) as u64;
                cell.head = Some(head);
                cell.enter(Phase::Route, gear.now_ms);
                return Ok(Step::Again);
            }
            if !pump::fill_client(client, gear)? {
                return Ok(Step::Wait);
            }
        }
    }

    /// *Route*: where the request belongs, and what the handler decides.
    fn decide(&mut self, key: Key, exchange: Key) -> Result<Step, Failure> {
        let Self {
            clients,
            exchanges,
            gear,
            tally,
            books,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        let verdict = match locate(cell, client, gear) {
            Ok(()) => {
                if let (Some(slot), Some(head)) = (cell.slot, cell.first_head()) {
                    let protocol = head.version.as_str().as_bytes();
                    let (line, vhost) = books.scoreboard_texts(head, cell.route.site);
                    tally.working(slot, line, vhost, protocol, gear.now_us);
                }
                start(cell, client, gear)
            }
            Err(answer) => Verdict::Answer(answer),
        };
        let keeps = match cell.route.site {
            Some(site) => {
                let left = site
                    .max_keep_alive_requests
                    .checked_sub(client.served.saturating_sub(1));
                let is_unlimited = site.max_keep_alive_requests == 0;
                client.codec.offer(Offer {
                    timeout_s: site.keep_alive_timeout_ms / 1000,
                    left: left.filter(|_| !is_unlimited),
                });
                site.keep_alive
                    && !is_unkept(cell)
                    && site.keep_alive_timeout_ms > 0
                    && (is_unlimited || left.is_some_and(|left| left > 0))
            }
            None => true,
        };
        if !keeps || gear.is_draining || is_told_to_close(cell) {
            client.codec.close_after_response();
        }
        Ok(self.obey(exchange, verdict))
    }

    /// Goes where a verdict points.
    pub(super) fn obey(&mut self, exchange: Key, verdict: Verdict) -> Step {
        let Some(cell) = self.exchanges.get_mut(exchange) else {
            return Step::Gone;
        };
        let now_ms = self.gear.now_ms;
        match verdict {
            Verdict::Forward => {
                cell.has_plan = true;
                cell.sent = Sent::Nothing;
                cell.has_sent_end = false;
                cell.dialing = Dialing::Start;
                cell.found = None;
                cell.held.rewind();
                if cell.held.size().is_some() {
                    cell.enter(Phase::Dial, now_ms);
                } else {
                    (cell.count.content_ms, cell.count.waiting_ms) = (now_ms, now_ms);
                    cell.enter(Phase::Prefetch, now_ms);
                }
            }
            Verdict::Answer(answer) => {
                cell.answer = Some(answer);
                cell.enter(Phase::Answer, now_ms);
            }
            Verdict::File => cell.enter(Phase::Serve, now_ms),
            Verdict::Gather { limit } => {
                cell.gather_max = limit;
                cell.enter(Phase::Gather, now_ms);
            }
            Verdict::Decline => {
                cell.answer = cell
                    .client
                    .and_then(|key| self.clients.at(key))
                    .map(|client| Answer::error(&ask(cell, client, &self.gear), Status::NOT_FOUND));
                cell.enter(Phase::Answer, now_ms);
            }
        }
        Step::Again
    }

    /// *Gather*: holds the whole content, up to the handler's limit, then asks the handler again.
    fn gather(&mut self, key: Key, exchange: Key) -> Result<Step, Failure> {
        let Self {
            clients,
            exchanges,
            gear,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        if cell
            .head
            .as_deref()
            .is_some_and(|head| head.expects_continue)
            && !cell.has_said_continue
        {
            cell.has_said_continue = true;
            say_continue(cell, client, gear)?;
        }
        while cell.request == Half::Open {
            let part = client
                .codec
                .pull(cell.stream, &mut client.input, &mut gear.requests)
                .map_err(|error| Failure::codec(Side::Client, error))?;
            match part {
                Some(Part::Data(bytes)) => {
                    if cell.content.len() + bytes.len() > cell.gather_max {
                        return Err(Failure::new(
                            Side::Client,
                            FailureKind::TooLarge,
                            "the form is too large",
                        ));
                    }
                    cell.content.extend_from_slice(bytes);
                }
                Some(Part::End) => cell.request = Half::Done,
                Some(Part::Trailers(_) | Part::Note(_) | Part::Interim(_) | Part::Head(_)) => {}
                None => {
                    if !pump::fill_client(client, gear)? {
                        return Ok(Step::Wait);
                    }
                }
            }
        }
        cell.enter(Phase::Route, gear.now_ms);
        let verdict = start(cell, client, gear);
        Ok(self.obey(exchange, verdict))
    }

    /// Writes what waits on both sides of a client's exchange.
    fn flush(&mut self, key: Key) {
        let Self {
            clients,
            exchanges,
            upstreams,
            gear,
            ..
        } = self;
        let Some(client) = clients.at_mut(key) else {
            return;
        };
        let failed = pump::flush_client(client, gear).is_err();
        client.input.rest(&mut gear.blocks);
        let exchange = client.exchange;
        if let Some(up) = exchange
            .and_then(|exchange| exchanges.get(exchange))
            .and_then(|cell| cell.upstream)
            .and_then(|up| upstreams.at_mut(up))
        {
            if pump::flush_upstream(up, gear).is_err() {
                // The next read tells what the backend had to say, or that it is gone.
                up.transport.ready.closing = true;
            }
            up.input.rest(&mut gear.blocks);
        }
        if failed {
            self.abandon(key);
        }
    }
}

/// Whether RequestHeader has made the request one that ends its connection.
fn is_told_to_close(cell: &Exchange) -> bool {
    let headers = cell.route.dir().and_then(|dir| dir.headers.as_deref());
    let fields = cell.head.as_deref().map(|head| &head.fields);
    headers
        .zip(fields)
        .is_some_and(|(headers, fields)| headers.closes_client(fields))
}

/// Whether a variable asks for the end of the connection. What comes through a proxy is not the client that it was set for.
fn is_unkept(cell: &Exchange) -> bool {
    let has_via = |head: &RequestHead| head.fields.has(FieldId::Via);
    cell.route.vars.has("nokeepalive") && !cell.head.as_deref().is_some_and(has_via)
}

/// Tells a client that waits with its content to go on.
pub(super) fn say_continue(
    cell: &Exchange,
    client: &mut Client,
    gear: &mut Gear,
) -> Result<(), Failure> {
    let mut head = gear.responses.take();
    head.set_status(Status::CONTINUE);
    let part = Part::Interim(head);
    let mut outlet = Outlet {
        output: &mut client.output,
        blocks: &mut gear.blocks,
    };
    pump::push_client(client.codec.as_mut(), cell, &part, &mut outlet)?;
    if let Part::Interim(head) = part {
        gear.responses.put(head);
    }
    pump::flush_client(client, gear)
}
