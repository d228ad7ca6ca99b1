//! How handlers see an exchange, and the calls to them.
//!
//! A handler gets an [`Ask`], which borrows the exchange, and its plan, which it may change: the two are parts of one
//! cell, so they are borrowed apart here and nowhere else.

use std::net::SocketAddr;

use crate::http::{ResponseHead, hop};
use crate::log::Milestone as Mark;
use crate::request::{
    Answer, Ask, Facts, Failure, Handler, HeaderRules, Interim, Milestone, Moment, Outcome, Plan,
    Reply, Spoilt, Verdict, route,
};
use crate::sys::cpu;

use super::client::Client;
use super::core::Core;
use super::exchange::{Exchange, Half};
use super::gear::Gear;
use super::slab::Key;

/// The exchange as handlers and pages see it.
pub(super) fn ask<'a>(cell: &'a Exchange, client: &'a Client, gear: &'a Gear) -> Ask<'a> {
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

pub(super) fn locate(
    cell: &mut Exchange,
    client: &Client,
    gear: &mut Gear,
) -> Result<(), Box<Answer>> {
    cell.mark(Mark::Head, gear.now_us);
    let Gear {
        env,
        me,
        cache,
        blank,
        now_us,
        ..
    } = gear;
    let moment = moment(cell, *now_us);
    let head = cell.head.as_deref_mut().unwrap_or(blank);
    let found = route::locate(env, me, cache, &client.peers, head, moment, &mut cell.route);
    cell.mark(Mark::Routed, gear.now_us);
    found
}

pub(super) fn start(cell: &mut Exchange, client: &Client, gear: &Gear) -> Verdict {
    let verdict = with_plan(cell, client, gear, |handler, ask, plan| {
        handler.start(ask, plan)
    });
    cell.mark(Mark::Elected, gear.now_us);
    // Without a handler there is a file, or nothing.
    let otherwise = if cell.route.place.file.is_empty() {
        Verdict::Decline
    } else {
        Verdict::File
    };
    verdict.unwrap_or(otherwise)
}

pub(super) fn retry(
    cell: &mut Exchange,
    client: &Client,
    gear: &Gear,
    failure: &Failure,
) -> Verdict {
    with_plan(cell, client, gear, |handler, ask, plan| {
        handler.failed(ask, plan, failure)
    })
    .unwrap_or(Verdict::Decline)
}

pub(super) fn found(
    cell: &mut Exchange,
    client: &Client,
    gear: &Gear,
    addresses: &[SocketAddr],
) -> Option<Verdict> {
    with_plan(cell, client, gear, |handler, ask, plan| {
        handler.found(ask, plan, addresses)
    })
    .flatten()
}

pub(super) fn rewrite(
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

pub(super) fn rewrite_interim(
    cell: &mut Exchange,
    client: &Client,
    gear: &Gear,
    reply: &mut ResponseHead,
) -> Interim {
    with_plan(cell, client, gear, |handler, ask, plan| {
        handler.rewrite_interim(ask, plan, reply)
    })
    .unwrap_or(Interim::Pass)
}

pub(super) fn settle(cell: &mut Exchange, client: &Client, gear: &Gear, outcome: &Outcome) {
    with_plan(cell, client, gear, |handler, ask, plan| {
        handler.finish(ask, plan, outcome)
    });
}

pub(super) fn moment(cell: &Exchange, now_us: u64) -> Moment {
    Moment {
        now_us,
        began_us: cell.count.began_us,
        load: cpu::load_average,
    }
}

/// Edits the final head of a response as `Header` says.
///
/// # Errors
/// An edit that cannot be made; the others are.
pub(super) fn edit_reply(
    cell: &mut Exchange,
    client: &Client,
    gear: &Gear,
    rules: HeaderRules,
    head: &mut ResponseHead,
) -> Result<(), Spoilt> {
    let is_wanted = {
        let headers = ask(cell, client, gear).dir().headers.as_deref();
        headers.is_some_and(|headers| headers.edits_response(rules))
    };
    if !is_wanted {
        return Ok(());
    }
    let mut edited = Ok(());
    let mut margin = std::mem::take(&mut cell.margin);
    let at = ask(cell, client, gear);
    if let Some(headers) = at.dir().headers.as_deref() {
        let reply = Reply {
            rules,
            is_backends: cell.has_plan,
            is_proxied: cell.has_plan || cell.route.is_claimed,
            has_arrived: cell.route.has_arrived,
        };
        let facts = Facts {
            vars: &cell.route.vars,
            attempt: &cell.plan.vars,
            request: Some(&at.head.fields),
            moment: moment(cell, gear.now_us),
            board: gear.env.board,
        };
        edited = headers.edit_response(reply, &mut head.fields, &facts, &mut margin);
        // Only a close is taken from what is said about the connection.
        head.keep_alive &= !hop::has_option(&head.fields, b"close");
    }
    cell.margin = margin;
    edited
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
