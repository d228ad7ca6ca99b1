//! Moves exchanges along: from whatever state a client connection is in, as far as it goes without waiting.
//!
//! [`Core::work`] is the only entry. It steps until a step says `Wait`, then writes what is to be written and files
//! the connection's deadline. Steps return failures as values; `Core::fail` is the one place that deals with them.

use crate::buf::Outlet;
use crate::http::{ContentSize, Part, ResponseHead, Status};
use crate::log::Milestone as Mark;
use crate::request::{
    Answer, Ask, Failure, FailureKind, Handler, Milestone, Outcome, Plan, Sent, Side, Verdict,
    errordoc, route,
};

use super::client::{Client, Stage};
use super::core::Core;
use super::dial::Dialing;
use super::exchange::{Exchange, Half, Phase};
use super::gear::Gear;
use super::pump::{self, Pumped};
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
    /// Does everything that can be done for a client now.
    pub(super) fn work(&mut self, key: Key) {
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
                // Closed, or broken, between requests: that is how connections end.
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

    /// One step of an exchange.
    fn drive(&mut self, key: Key, exchange: Key) -> Step {
        let Some(cell) = self.exchanges.get_mut(exchange) else {
            return self.drop_client(key);
        };
        let result = match cell.pending.take() {
            Some(failure) => Err(failure),
            None => match cell.phase {
                Phase::Receive => self.receive(key, exchange),
                Phase::Route => self.decide(key, exchange),
                Phase::Gather => self.gather(key, exchange),
                Phase::Dial => self.dial(key, exchange),
                Phase::Await | Phase::Relay => self.relay(key, exchange),
                Phase::Answer => self.answer(key, exchange),
                Phase::Finish => Ok(self.finish(key, exchange)),
            },
        };
        result.unwrap_or_else(|failure| self.fail(key, exchange, failure))
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
                if let (Some(slot), Some(head)) = (cell.slot, cell.head.as_deref()) {
                    let protocol = head.version.as_str().as_bytes();
                    let (line, vhost) = books.scoreboard_texts(head, cell.route.site);
                    tally.working(slot, line, vhost, protocol, gear.now_us);
                }
                start(cell, client, gear)
            }
            Err(answer) => Verdict::Answer(answer),
        };
        let keeps = cell.route.site.is_none_or(|site| {
            site.keep_alive
                && (site.max_keep_alive_requests == 0
                    || client.served <= site.max_keep_alive_requests)
        });
        if !keeps || gear.is_draining {
            client.codec.close_after_response();
        }
        Ok(self.obey(exchange, verdict))
    }

    /// Goes where a verdict points.
    fn obey(&mut self, exchange: Key, verdict: Verdict) -> Step {
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
                cell.enter(Phase::Dial, now_ms);
            }
            Verdict::Answer(answer) => {
                cell.answer = Some(answer);
                cell.enter(Phase::Answer, now_ms);
            }
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

    /// *Await* and *Relay*: moves parts both ways.
    fn relay(&mut self, key: Key, exchange: Key) -> Result<Step, Failure> {
        let Self {
            clients,
            exchanges,
            upstreams,
            gear,
            again,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        let Some(upstream) = cell.upstream.and_then(|up| upstreams.at_mut(up)) else {
            return Err(Failure::new(
                Side::Backend,
                FailureKind::Closed,
                "the backend connection is gone",
            ));
        };
        let content_max = cell
            .route
            .dir()
            .map_or(u64::MAX, |dir| dir.limit_body_bytes);
        let uploaded = pump::request(cell, client, upstream, gear, content_max)
            .and_then(|pumped| pump::flush_upstream(upstream, gear).map(|()| pumped));
        // A backend may answer early and close: what it said counts more than that it did not listen.
        let uploaded = match uploaded {
            Err(failure) if failure.side != Side::Backend => return Err(failure),
            other => other,
        };
        match pump::response(cell, client, upstream, gear) {
            Ok(Pumped::Head(head)) => self.head_arrived(key, exchange, head),
            Ok(Pumped::Interim(head)) => self.interim_arrived(key, exchange, head),
            Ok(Pumped::Ended) => {
                cell.mark(Mark::LastByte, gear.now_us);
                cell.enter(Phase::Finish, gear.now_ms);
                Ok(Step::Again)
            }
            Ok(Pumped::Paused) => {
                again.push_back(key);
                Ok(Step::Wait)
            }
            Ok(Pumped::Stuck) => match uploaded {
                Ok(Pumped::Paused) => {
                    again.push_back(key);
                    Ok(Step::Wait)
                }
                Ok(_) => Ok(Step::Wait),
                Err(failure) => Err(failure),
            },
            Err(failure) => Err(failure),
        }
    }

    /// The backend's final head: edited by the handler, then the client's.
    fn head_arrived(
        &mut self,
        key: Key,
        exchange: Key,
        mut head: Box<ResponseHead>,
    ) -> Result<Step, Failure> {
        let Self {
            clients,
            exchanges,
            gear,
            books,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        if head.status == Status::SWITCHING_PROTOCOLS {
            return Err(Failure::new(
                Side::Backend,
                FailureKind::Malformed,
                "the backend switched protocols though nobody asked it to",
            ));
        }
        cell.backend_status = Some(head.status);
        cell.count.first_byte_us = gear.now_us;
        cell.mark(Mark::FirstByte, gear.now_us);
        if let Some(answer) = rewrite(cell, client, gear, &mut head) {
            gear.responses.put(head);
            self.release_plan(key, exchange, None);
            return Ok(self.obey(exchange, Verdict::Answer(answer)));
        }
        cell.status = Some(head.status);
        books.stamp(&mut head, cell.route.site, gear.now_us);
        let part = Part::Head(head);
        let mut outlet = Outlet {
            output: &mut client.output,
            blocks: &mut gear.blocks,
        };
        let queued = outlet.output.len();
        pump::push_client(client.codec.as_mut(), cell, &part, &mut outlet)?;
        cell.count.bytes_out += (client.output.len() - queued) as u64;
        if let Part::Head(head) = part {
            cell.reply = Some(head);
        }
        cell.mark(Mark::HeadOut, gear.now_us);
        cell.enter(Phase::Relay, gear.now_ms);
        Ok(Step::Again)
    }

    /// An interim head: opens the way for content that waited for it, and is passed on.
    fn interim_arrived(
        &mut self,
        key: Key,
        exchange: Key,
        head: Box<ResponseHead>,
    ) -> Result<Step, Failure> {
        let Self {
            clients,
            exchanges,
            gear,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        if head.status == Status::CONTINUE {
            cell.awaits_continue = false;
        }
        let part = Part::Interim(head);
        let mut outlet = Outlet {
            output: &mut client.output,
            blocks: &mut gear.blocks,
        };
        pump::push_client(client.codec.as_mut(), cell, &part, &mut outlet)?;
        if let Part::Interim(head) = part {
            gear.responses.put(head);
        }
        Ok(Step::Again)
    }

    /// *Answer*: says what a handler or a failure decided.
    fn answer(&mut self, key: Key, exchange: Key) -> Result<Step, Failure> {
        let Self {
            clients,
            exchanges,
            gear,
            books,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        let Some(answer) = cell.answer.take() else {
            return Ok(Step::Wait);
        };
        let answer = errordoc::apply(&ask(cell, client, gear), answer);
        // What of the content is here already is taken, so that the connection can stay open; the rest is not
        // waited for.
        drain_arrived(cell, client, gear);
        if answer.close {
            client.codec.close_after_response();
        }
        let mut head = gear.responses.take();
        head.status = answer.status;
        head.reason.extend_from_slice(answer.reason.as_bytes());
        answer
            .fields
            .iter()
            .for_each(|(_, name, value)| head.fields.push(name, value));
        books.stamp(&mut head, Some(ask(cell, client, gear).site()), gear.now_us);
        head.content = ContentSize::Length(answer.body.len() as u64);
        cell.status = Some(answer.status);
        if cell.count.first_byte_us == 0 {
            cell.count.first_byte_us = gear.now_us;
        }
        let is_head = cell
            .head
            .as_deref()
            .is_some_and(|head| head.method == crate::http::Method::Head);
        let has_content = !is_head && !answer.status.forbids_content() && !answer.body.is_empty();
        let mut outlet = Outlet {
            output: &mut client.output,
            blocks: &mut gear.blocks,
        };
        let queued = outlet.output.len();
        let part = Part::Head(head);
        let mut pushed = pump::push_client(client.codec.as_mut(), cell, &part, &mut outlet);
        if has_content && pushed.is_ok() {
            cell.count.content_out = answer.body.len() as u64;
            pushed = pump::push_client(
                client.codec.as_mut(),
                cell,
                &Part::Data(&answer.body),
                &mut outlet,
            );
        }
        if pushed.is_ok() {
            pushed = pump::push_client(client.codec.as_mut(), cell, &Part::End, &mut outlet);
        }
        cell.count.bytes_out += (client.output.len() - queued) as u64;
        if let Part::Head(head) = part {
            cell.reply = Some(head);
        }
        cell.is_cut |= pushed.is_err();
        cell.response = Half::Done;
        cell.enter(Phase::Finish, gear.now_ms);
        Ok(Step::Again)
    }

    /// Deals with a failure: another plan, an answer, or the end of the connection.
    fn fail(&mut self, key: Key, exchange: Key, mut failure: Failure) -> Step {
        let Some(cell) = self.exchanges.get_mut(exchange) else {
            return self.drop_client(key);
        };
        if let Some(backend) = cell.plan.backend
            && cell.dialing == Dialing::Queued
        {
            self.pool.leave(backend, key);
        }
        failure.sent = cell.sent;
        failure.has_response = cell.backend_status.is_some();
        failure.reused = cell
            .upstream
            .and_then(|up| self.upstreams.at(up))
            .is_some_and(|up| up.served > 0);
        if let Some(client) = self.clients.at(key) {
            self.books
                .log_failure(&ask(cell, client, &self.gear), cell, &failure);
        }
        let has_begun = cell.reply.is_some();
        if failure.side == Side::Client || has_begun || !cell.has_plan {
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

    /// What the client is told about a failure that no handler may mend; `None` when it can't be told anything.
    fn last_word(
        &mut self,
        key: Key,
        exchange: Key,
        failure: &Failure,
        has_begun: bool,
    ) -> Option<Box<Answer>> {
        let is_deaf = failure.side == Side::Client && failure.kind == FailureKind::Closed;
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

    /// Closes the plan's books and lets its connection go: back to the pool when both directions ended well.
    pub(super) fn release_plan(&mut self, key: Key, exchange: Key, failure: Option<Failure>) {
        let Self {
            clients,
            exchanges,
            upstreams,
            gear,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at(key), exchanges.get_mut(exchange)) else {
            return;
        };
        let outcome = Outcome {
            status: cell.backend_status,
            failure,
            bytes_sent: cell.count.backend_out,
            bytes_received: cell.count.backend_in,
        };
        if cell.has_plan {
            cell.has_plan = false;
            settle(cell, client, gear, &outcome);
        }
        let Some(up) = cell.upstream.take() else {
            return;
        };
        let is_whole = outcome.failure.is_none()
            && cell.response == Half::Done
            && cell.has_sent_end
            && upstreams.at(up).is_some_and(|up| {
                up.codec.reuse() == crate::codec::Reuse::Keep
                    && up.input.is_empty()
                    && up.output.is_empty()
                    && !up.is_at_eof
                    && !up.transport.ready.closing
                    && up.backend.pool.reuse
            });
        if is_whole && !cell.plan.is_fresh_only {
            self.keep_upstream(up);
        } else {
            self.drop_upstream(up);
        }
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

    /// The client is gone in the middle of something.
    pub(super) fn abandon(&mut self, key: Key) {
        let Some(exchange) = self.clients.at(key).and_then(|client| client.exchange) else {
            self.drop_client(key);
            return;
        };
        let failure = Failure::new(
            Side::Client,
            FailureKind::Closed,
            "the client closed the connection",
        );
        let mut step = self.fail(key, exchange, failure);
        while step == Step::Again {
            let Some(exchange) = self.clients.at(key).and_then(|client| client.exchange) else {
                break;
            };
            step = self.drive(key, exchange);
        }
        self.drop_client(key);
    }
}

/// The exchange as handlers and pages see it.
fn ask<'a>(cell: &'a Exchange, client: &'a Client, gear: &'a Gear) -> Ask<'a> {
    Ask {
        env: gear.env,
        me: &gear.me,
        head: cell.head.as_deref().unwrap_or(&gear.blank),
        route: &cell.route,
        peers: &client.peers,
        content: (cell.request == Half::Done).then_some(cell.content.as_slice()),
        slot: cell.slot.unwrap_or_default(),
        keepalives: cell.count.keepalives,
        now_us: gear.now_us,
    }
}

/// Calls the handler with the exchange and its plan; the plan is taken out meanwhile, because the ask borrows the rest.
fn with_plan<T>(
    cell: &mut Exchange,
    client: &Client,
    gear: &Gear,
    call: impl FnOnce(&dyn Handler, &Ask<'_>, &mut Plan) -> T,
) -> Option<T> {
    let handler = cell.route.handler?;
    let Exchange {
        head,
        route,
        plan,
        content,
        request,
        slot,
        count,
        ..
    } = cell;
    let ask = Ask {
        env: gear.env,
        me: &gear.me,
        head: head.as_deref().unwrap_or(&gear.blank),
        route,
        peers: &client.peers,
        content: (*request == Half::Done).then_some(content.as_slice()),
        slot: slot.unwrap_or_default(),
        keepalives: count.keepalives,
        now_us: gear.now_us,
    };
    Some(call(handler, &ask, plan))
}

fn locate(cell: &mut Exchange, client: &Client, gear: &mut Gear) -> Result<(), Box<Answer>> {
    cell.mark(Mark::Head, gear.now_us);
    let Gear {
        env,
        me,
        cache,
        blank,
        now_us,
        ..
    } = gear;
    let head = cell.head.as_deref().unwrap_or(blank);
    let found = route::locate(
        env,
        me,
        cache,
        &client.peers,
        head,
        *now_us,
        &mut cell.route,
    );
    cell.mark(Mark::Routed, gear.now_us);
    found
}

fn start(cell: &mut Exchange, client: &Client, gear: &Gear) -> Verdict {
    let verdict = with_plan(cell, client, gear, |handler, ask, plan| {
        handler.start(ask, plan)
    });
    cell.mark(Mark::Elected, gear.now_us);
    verdict.unwrap_or(Verdict::Decline)
}

fn retry(cell: &mut Exchange, client: &Client, gear: &Gear, failure: &Failure) -> Verdict {
    with_plan(cell, client, gear, |handler, ask, plan| {
        handler.failed(ask, plan, failure)
    })
    .unwrap_or(Verdict::Decline)
}

fn rewrite(
    cell: &mut Exchange,
    client: &Client,
    gear: &Gear,
    reply: &mut ResponseHead,
) -> Option<Box<Answer>> {
    with_plan(cell, client, gear, |handler, ask, plan| {
        handler.rewrite(ask, plan, reply)
    })
    .flatten()
}

fn settle(cell: &mut Exchange, client: &Client, gear: &Gear, outcome: &Outcome) {
    with_plan(cell, client, gear, |handler, ask, plan| {
        handler.finish(ask, plan, outcome)
    });
}

/// Tells a client that waits with its content to go on.
fn say_continue(cell: &Exchange, client: &mut Client, gear: &mut Gear) -> Result<(), Failure> {
    let mut head = gear.responses.take();
    head.status = Status::CONTINUE;
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

/// Takes the content that has arrived, without reading more.
fn drain_arrived(cell: &mut Exchange, client: &mut Client, gear: &mut Gear) {
    if cell.head.is_none() {
        return;
    }
    while cell.request == Half::Open {
        match client
            .codec
            .pull(cell.stream, &mut client.input, &mut gear.requests)
        {
            Ok(Some(Part::End)) => cell.request = Half::Done,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

impl Core {
    /// Tells the handler how far its plan is, for the traces that it prints.
    pub(super) fn milestone(&self, exchange: Key, milestone: Milestone) {
        let Some(cell) = self.exchanges.get(exchange) else {
            return;
        };
        let client = cell.client.and_then(|key| self.clients.at(key));
        if let (Some(client), Some(handler)) = (client, cell.route.handler) {
            handler.milestone(&ask(cell, client, &self.gear), &cell.plan, milestone);
        }
    }
}
