//! Phases *Await* and *Relay*, and the end of *Answer*: what the client gets, from a backend or from us.

use crate::buf::Outlet;
use crate::http::{ContentSize, Method, Part, ResponseHead, Status};
use crate::log::Milestone as Mark;
use crate::request::{
    Answer, Failure, FailureKind, HeaderRules, Interim, Milestone, Outcome, Side, Verdict,
};

use super::asks::{ask, edit_reply, rewrite, rewrite_interim, settle};
use super::backend::Upstream;
use super::books::Books;
use super::client::Client;
use super::core::Core;
use super::exchange::{Exchange, Half, Phase};
use super::gear::Gear;
use super::pump::{self, Pumped};
use super::slab::Key;
use super::spool::{self, invite};
use super::tunnel;
use super::work::Step;

impl Core {
    /// *Await* and *Relay*: moves parts both ways.
    pub(super) fn relay(&mut self, key: Key, exchange: Key) -> Result<Step, Failure> {
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
        let uploaded = pump::request(cell, client, upstream, gear)
            .and_then(|pumped| pump::flush_upstream(upstream, gear).map(|()| pumped));
        // A backend may answer early and close: what it said counts more than that it did not listen.
        let uploaded = match uploaded {
            Err(failure) if failure.side != Side::Backend => return Err(failure),
            other => other,
        };
        if cell.early.is_some() {
            return self.hold_response(key, exchange, &uploaded);
        }
        match pump::response(cell, client, upstream, gear) {
            Ok(Pumped::Head(head)) => self.head_arrived(key, exchange, head),
            Ok(Pumped::Interim(head)) => self.interim_arrived(key, exchange, head),
            Ok(Pumped::Ended) => {
                cell.mark(Mark::LastByte, gear.now_us);
                cell.enter(Phase::Finish, gear.now_ms);
                if cell.has_content {
                    self.milestone(exchange, Milestone::BodySent);
                }
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

    /// A response that came instead of a 100 waits until the backend has what it was promised: one that keeps its
    /// connection reads that in any case. If it can't be sent, the response is passed on as it is.
    fn hold_response(
        &mut self,
        key: Key,
        exchange: Key,
        uploaded: &Result<Pumped, Failure>,
    ) -> Result<Step, Failure> {
        match uploaded {
            Ok(Pumped::Paused) => {
                self.again.push_back(key);
                Ok(Step::Wait)
            }
            Ok(Pumped::Stuck | Pumped::Head(_) | Pumped::Interim(_)) => Ok(Step::Wait),
            Ok(Pumped::Ended) | Err(_) => {
                let cell = self.exchanges.get_mut(exchange);
                match cell.and_then(|cell| cell.early.take()) {
                    Some(head) => self.head_arrived(key, exchange, head),
                    None => Ok(Step::Gone),
                }
            }
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
            upstreams,
            gear,
            books,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        if let Err(failure) = tunnel::check_switch(cell, &head) {
            gear.responses.put(head);
            return Err(failure);
        }
        let is_tunnel = tunnel::opens(cell, &head);
        if cell.awaits_continue && head.keep_alive && head.status.as_u16() < 400 {
            cell.awaits_continue = false;
            cell.early = Some(head);
            invite(cell, client, gear)?;
            return Ok(Step::Again);
        }
        if cell.has_sent_end {
            spool::release(cell, client);
        }
        cell.backend_status = Some(head.status);
        cell.count.first_byte_us = gear.now_us;
        cell.mark(Mark::FirstByte, gear.now_us);
        let answer = rewrite(cell, client, gear, &mut head)
            .or_else(|| dress(cell, client, gear, is_tunnel, &mut head));
        if let Some(answer) = answer {
            gear.responses.put(head);
            if let Some(up) = cell.upstream.and_then(|up| upstreams.at_mut(up)) {
                discard(cell, up, gear);
            }
            if let Some(detour) = &mut cell.detour {
                detour.start_over();
            }
            self.release_plan(key, exchange, None);
            return Ok(self.obey(exchange, Verdict::Answer(answer)));
        }
        cell.status = Some(head.status);
        if !is_tunnel {
            books.stamp(&mut head, cell.route.site, gear.now_us);
        }
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
        if is_tunnel {
            self.open_tunnel(exchange);
            self.milestone(exchange, Milestone::HeadSent(false));
            return Ok(Step::Again);
        }
        cell.enter(Phase::Relay, gear.now_ms);
        cell.has_content = has_content(cell);
        let has_content = cell.has_content;
        self.milestone(exchange, Milestone::HeadSent(has_content));
        Ok(Step::Again)
    }

    /// An interim head: opens the way for content that waited for it, and is passed on.
    fn interim_arrived(
        &mut self,
        key: Key,
        exchange: Key,
        mut head: Box<ResponseHead>,
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
        let is_continue = head.status == Status::CONTINUE;
        cell.awaits_continue &= !is_continue;
        // RFC 9110 §15.2.1: meant for who asked. A client that did not ask may take it for its response.
        let was_asked = cell
            .head
            .as_deref()
            .is_some_and(|head| head.expects_continue)
            && !cell.has_said_continue;
        let passes = match rewrite_interim(cell, client, gear, &mut head) {
            Interim::Pass => !is_continue || was_asked,
            Interim::PassUnasked => true,
            Interim::Drop => false,
        };
        if !passes {
            gear.responses.put(head);
            return Ok(Step::Again);
        }
        if is_continue {
            cell.has_said_continue = true;
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

    /// Says an answer of ours.
    pub(super) fn say(&mut self, key: Key, exchange: Key, answer: &Answer) -> Step {
        let Self {
            clients,
            exchanges,
            gear,
            books,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Step::Gone;
        };
        // The rest of a request's content is not waited for, so the connection ends, and its client is told.
        if answer.close || cell.request == Half::Open {
            client.codec.close_after_response();
        }
        let mut head = gear.responses.take();
        head.set_status(answer.status);
        if !answer.reason.is_empty() {
            head.reason.clear();
            head.reason.extend_from_slice(answer.reason.as_bytes());
        }
        answer
            .fields
            .iter()
            .for_each(|(_, name, value)| head.fields.push(name, value));
        if !answer.status.forbids_content() {
            head.content = ContentSize::Length(answer.body.len() as u64);
        }
        let rules = answer.header_rules;
        let mut pushed = push_own_head(cell, client, gear, books, rules, head);
        let queued = client.output.len();
        let mut outlet = Outlet {
            output: &mut client.output,
            blocks: &mut gear.blocks,
        };
        if !answer.body.is_empty() && has_content(cell) && pushed.is_ok() {
            cell.count.content_out = answer.body.len() as u64;
            let part = Part::Data(&answer.body);
            pushed = pump::push_client(client.codec.as_mut(), cell, &part, &mut outlet);
        }
        if pushed.is_ok() {
            pushed = pump::push_client(client.codec.as_mut(), cell, &Part::End, &mut outlet);
        }
        cell.count.bytes_out += (client.output.len() - queued) as u64;
        cell.is_cut |= pushed.is_err();
        cell.response = Half::Done;
        cell.enter(Phase::Finish, gear.now_ms);
        Step::Again
    }

    /// Closes the plan's books and lets its connection go: back to the pool when both directions ended well.
    pub(super) fn release_plan(&mut self, key: Key, exchange: Key, failure: Option<Failure>) {
        if self
            .exchanges
            .get(exchange)
            .is_some_and(|cell| cell.has_plan)
        {
            self.milestone(exchange, Milestone::Released);
        }
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
            && cell.has_sent_end
            && !cell.is_tunnel
            && upstreams.at(up).is_some_and(|up| {
                up.codec.reuse() == crate::codec::Reuse::Keep
                    && up.input.is_empty()
                    && up.output.is_empty()
                    && !up.is_at_eof
                    && !up.transport.ready.closing
                    && up.backend.may_reuse()
            });
        if is_whole {
            self.keep_upstream(up);
        } else {
            self.drop_upstream(up);
        }
    }
}

/// Makes a backend's head that of this server's response. What opens a tunnel is the backend's own word, as interim responses are.
fn dress(
    cell: &mut Exchange,
    client: &Client,
    gear: &Gear,
    is_tunnel: bool,
    head: &mut ResponseHead,
) -> Option<Box<Answer>> {
    if let Some(detour) = cell.detour.as_deref() {
        detour.dress_backends(&ask(cell, client, gear), head);
    }
    // Whether the backend keeps its connection says nothing about the client's. A refusal in the middle of an upload
    // ends it, because the rest of the content is not waited for.
    head.keep_alive =
        cell.request == Half::Done || head.status.as_u16() < 400 && !cell.awaits_continue;
    if is_tunnel {
        return None;
    }
    let spoilt = edit_reply(cell, client, gear, HeaderRules::All, head).err()?;
    Some(spoilt.answer(&ask(cell, client, gear)))
}

/// Whether content follows the final head that the client got (RFC 9112 §6.3 rule 1).
fn has_content(cell: &Exchange) -> bool {
    let is_head = cell
        .head
        .as_deref()
        .is_some_and(|head| head.method == Method::Head);
    !is_head && cell.status.is_some_and(|status| !status.forbids_content())
}

/// Queues the final head of a response that is ours, and notes what the client is told by it.
pub(super) fn push_own_head(
    cell: &mut Exchange,
    client: &mut Client,
    gear: &mut Gear,
    books: &mut Books,
    rules: HeaderRules,
    mut head: Box<ResponseHead>,
) -> Result<(), Failure> {
    if let Err(spoilt) = edit_reply(cell, client, gear, rules, &mut head) {
        spoilt.log(&ask(cell, client, gear));
    }
    books.stamp(&mut head, Some(ask(cell, client, gear).site()), gear.now_us);
    cell.status = Some(head.status);
    if cell.count.first_byte_us == 0 {
        cell.count.first_byte_us = gear.now_us;
    }
    let queued = client.output.len();
    let mut outlet = Outlet {
        output: &mut client.output,
        blocks: &mut gear.blocks,
    };
    let part = Part::Head(head);
    let pushed = pump::push_client(client.codec.as_mut(), cell, &part, &mut outlet);
    cell.count.bytes_out += (client.output.len() - queued) as u64;
    if let Part::Head(head) = part {
        cell.reply = Some(head);
    }
    pushed
}

/// Takes what is here of a content that nobody gets. If that is all of it, the connection may serve again; it is not waited for.
fn discard(cell: &mut Exchange, up: &mut Upstream, gear: &mut Gear) {
    let mut left = DISCARD_MAX;
    loop {
        let part = up
            .codec
            .pull(cell.upstream_stream, &mut up.input, &mut gear.responses);
        let is_dry = match part {
            Ok(Some(Part::Data(bytes))) if bytes.len() <= left => {
                left -= bytes.len();
                false
            }
            Ok(Some(Part::Trailers(_) | Part::Note(_))) => false,
            Ok(None) => true,
            Ok(Some(_)) | Err(_) => return,
        };
        if is_dry && !matches!(pump::fill_upstream(up, cell, gear), Ok(true)) {
            return;
        }
    }
}

/// Of a content that nobody gets at most so many bytes are read: then a new connection is cheaper.
const DISCARD_MAX: usize = 64 * 1024;
