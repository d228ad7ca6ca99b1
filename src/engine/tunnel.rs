//! Phase *Tunnel*: after a 101, or a 2xx to CONNECT, bytes go both ways and mean nothing to us.
//!
//! ```text
//!            client's end ─► the rest is written ─► the backend is told      (proxy-nohalfclose: both ends at once)
//! open both ┤                                                              ├─► Finish
//!            backend's end ─► the rest is written ─► the client is told
//! ```
//!
//! Responsible for: opening the tunnel, passing ends of streams on, and when it is over. Not responsible for moving bytes:
//! both codecs hand out and take raw content now, so the pump does what it does for every content, with the same room
//! and the same fairness. Bytes that came behind the head, on either side, are in the inputs and go first.
//!
//! Know first: where a loop has more connections than slots (event), an open tunnel gives its slot back, so that tunnels
//! never keep requests waiting; what it moved is counted at its end. A tunnel's broken connection is how tunnels end, not
//! a fault of its member. RFC 9110 §7.8 and §9.3.6; mod_proxy's `ap_proxy_tunnel_run`, reference §6.8.

use crate::buf::Blocks;
use crate::http::{FieldId, Method, ResponseHead, Status};
use crate::log::Milestone as Mark;
use crate::request::{Failure, FailureKind, Side};
use crate::transport::Transport;

use super::backend::Upstream;
use super::client::Client;
use super::core::Core;
use super::exchange::{Exchange, Half, Phase};
use super::pump::{self, Pumped};
use super::slab::Key;
use super::work::Step;

/// Which ends of a tunnel were told that nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Told {
    /// The client was.
    pub client: bool,
    /// The backend was.
    pub backend: bool,
}

/// Whether this head makes a tunnel of the exchange.
pub(super) fn opens(cell: &Exchange, head: &ResponseHead) -> bool {
    let is_connect = cell
        .head
        .as_deref()
        .is_some_and(|head| head.method == Method::Connect);
    head.status.opens_tunnel(is_connect)
}

/// A 101 must name the protocol that the request was sent on with, and no other (CVE-2019-17567).
pub(super) fn check_switch(cell: &Exchange, head: &ResponseHead) -> Result<(), Failure> {
    if head.status != Status::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    let wanted = cell.plan.head.fields.get(FieldId::Upgrade);
    let mut lines = head.fields.all(FieldId::Upgrade);
    let (given, more) = (lines.next(), lines.next());
    if let (Some(wanted), Some(given), None) = (wanted, given, more)
        && wanted.eq_ignore_ascii_case(given)
    {
        return Ok(());
    }
    let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or(b"n/a")).into_owned();
    let words = format!(
        "Unexpected Upgrade: {} (expecting {})",
        text(given),
        text(wanted)
    );
    Err(Failure::new(Side::Backend, FailureKind::Switched, words))
}

impl Core {
    /// The client was told: from now on the exchange is a tunnel.
    pub(super) fn open_tunnel(&mut self, exchange: Key) {
        let gives_slot_back = self.has_more_connections_than_slots();
        let Self {
            exchanges,
            gear,
            tally,
            ..
        } = self;
        let Some(cell) = exchanges.get_mut(exchange) else {
            return;
        };
        cell.enter(Phase::Tunnel, gear.now_ms);
        cell.is_tunnel = true;
        cell.request = Half::Open;
        cell.response = Half::Open;
        cell.has_sent_end = false;
        cell.awaits_continue = false;
        cell.count.backend_ms = gear.now_ms;
        if !gives_slot_back {
            return;
        }
        if let Some(lease) = &mut cell.plan.ticket.lease {
            lease.leave_slot();
        }
        if let Some(slot) = cell.slot.take() {
            tally.free(slot, gear.now_us);
        }
        if let Some(up) = cell.upstream {
            self.uncount_upstream(up);
        }
    }

    /// *Tunnel*: moves bytes both ways, and passes the end of either stream on.
    pub(super) fn tunnel(&mut self, key: Key, exchange: Key) -> Result<Step, Failure> {
        let Self {
            clients,
            exchanges,
            upstreams,
            gear,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        let Some(upstream) = cell.upstream.and_then(|up| upstreams.at_mut(up)) else {
            return Err(broken(Side::Backend, "the backend connection is gone"));
        };
        // The backend's last words first: what it no longer listens to matters less.
        let down = if is_dead(upstream.is_at_eof, &mut upstream.transport) {
            Err(broken(Side::Backend, "reset after its end"))
        } else {
            pump::response(cell, client, upstream, gear)
                .and_then(|pumped| pump::flush_client(client, gear).map(|()| pumped))
        };
        let moved = (cell.count.backend_out, upstream.output.len());
        let up = if is_dead(client.is_at_eof, &mut client.transport) {
            Err(broken(Side::Client, "reset after its end"))
        } else {
            pump::request(cell, client, upstream, gear)
                .and_then(|pumped| pump::flush_upstream(upstream, gear).map(|()| pumped))
        };
        let queued = moved.1 as u64 + (cell.count.backend_out - moved.0);
        if (upstream.output.len() as u64) < queued {
            cell.count.backend_ms = gear.now_ms;
        }
        let mut is_paused = false;
        let mut failures = [None, None];
        for ((result, source), failure) in [(down, Side::Backend), (up, Side::Client)]
            .into_iter()
            .zip(&mut failures)
        {
            match result {
                Ok(pumped) => is_paused |= matches!(pumped, Pumped::Paused),
                Err(error) => {
                    give_up(cell, client, upstream, &mut gear.blocks, &error, source);
                    *failure = Some(error);
                }
            }
        }
        pass_ends_on(cell, client, upstream);
        let is_over = is_over(cell, upstream);
        if is_paused && !is_over {
            self.again.push_back(key);
        }
        let is_broken = failures.iter().any(Option::is_some);
        for failure in failures.into_iter().flatten() {
            self.tell_broken(key, exchange, failure);
        }
        if is_over {
            self.close_tunnel(exchange);
        }
        // What is left of a broken connection may have come to its end just now.
        Ok(if is_over || is_broken {
            Step::Again
        } else {
            Step::Wait
        })
    }

    /// Ends a tunnel that was silent for too long. Its client can't be told, and the access log keeps the status that
    /// opened it, as in httpd.
    pub(super) fn end_tunnel(&mut self, key: Key, exchange: Key, failure: &Failure) -> Step {
        self.note(key, exchange, failure);
        self.close_tunnel(exchange);
        Step::Again
    }

    fn tell_broken(&mut self, key: Key, exchange: Key, mut failure: Failure) {
        failure.kind = FailureKind::TunnelBroken;
        self.note(key, exchange, &failure);
    }

    fn close_tunnel(&mut self, exchange: Key) {
        if let Some(cell) = self.exchanges.get_mut(exchange) {
            cell.mark(Mark::LastByte, self.gear.now_us);
            cell.enter(Phase::Finish, self.gear.now_ms);
        }
    }
}

fn broken(side: Side, words: &str) -> Failure {
    Failure::new(side, FailureKind::TunnelBroken, words)
}

/// A reset that comes after the end of a stream is found by no read.
fn is_dead(is_at_eof: bool, transport: &mut Transport) -> bool {
    if !is_at_eof || !transport.ready.closing {
        return false;
    }
    transport.ready.closing = false;
    !matches!(transport.take_error(), Ok(None))
}

/// One connection broke, while bytes of `source` were moved. A connection that takes nothing any more may still have
/// something to say; one that cannot be read is gone.
fn give_up(
    cell: &mut Exchange,
    client: &mut Client,
    upstream: &mut Upstream,
    blocks: &mut Blocks,
    failure: &Failure,
    source: Side,
) {
    let is_gone = failure.side == source;
    match failure.side {
        Side::Client => {
            cell.response = Half::Done;
            client.output.clear(blocks);
            if is_gone {
                cell.request = Half::Done;
            }
        }
        Side::Backend => {
            cell.request = Half::Done;
            upstream.output.clear(blocks);
            if is_gone {
                cell.response = Half::Done;
            }
        }
        Side::Ours => {
            cell.request = Half::Done;
            cell.response = Half::Done;
        }
    }
}

/// Tells each side that the other has ended, once it has everything that was said before.
fn pass_ends_on(cell: &mut Exchange, client: &Client, upstream: &Upstream) {
    if cell.plan.ends_at_first_eof {
        return;
    }
    if cell.request == Half::Done && upstream.output.is_empty() && !cell.told.backend {
        upstream.transport.shutdown_write();
        cell.told.backend = true;
    }
    if cell.response == Half::Done && client.output.is_empty() && !cell.told.client {
        client.transport.shutdown_write();
        cell.told.client = true;
    }
}

/// Whether nothing more is to be moved. What the client has not taken yet it gets while its connection closes.
fn is_over(cell: &Exchange, upstream: &Upstream) -> bool {
    let (request, response) = (cell.request == Half::Done, cell.response == Half::Done);
    let has_ended = if cell.plan.ends_at_first_eof {
        request || response
    } else {
        request && response
    };
    has_ended && upstream.output.is_empty()
}
