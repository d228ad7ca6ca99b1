//! Moves the parts of one exchange from one codec to the other.
//!
//! Pull, never push (invariant I1): a part is decoded only when the opposite output has room. Each function goes
//! on until its source is dry or its sink is full, and says what happened; deciding what that means is `work`'s.

use crate::buf::Outlet;
use crate::http::{Part, Request, ResponseHead};
use crate::request::{Failure, FailureKind, Sent, Side};
use crate::transport::Fill;

use super::backend::Upstream;
use super::client::Client;
use super::exchange::{Exchange, Half};
use super::gear::Gear;
use super::spool;

/// How a pump run ended.
#[derive(Debug)]
pub enum Pumped {
    /// The source is dry or the sink is full.
    Stuck,
    /// The direction is complete.
    Ended,
    /// The next final head is here, and somebody must look at it.
    Head(Box<ResponseHead>),
    /// An interim head is here.
    Interim(Box<ResponseHead>),
    /// The run used up its share of the turn; the exchange must be looked at again.
    Paused,
}

/// One exchange moves at most so many content bytes a turn, so that a fast peer cannot starve the others.
const BUDGET: usize = 256 * 1024;

/// Reads from the client until something could be decoded; `false` when nothing arrives now.
pub fn fill_client(client: &mut Client, gear: &mut Gear) -> Result<bool, Failure> {
    if client.is_at_eof {
        return Ok(false);
    }
    match client.transport.fill(&mut client.input, &mut gear.blocks) {
        Ok(Fill::Bytes(n)) => {
            client.received += n as u64;
            client.moved_ms = gear.now_ms;
            Ok(true)
        }
        Ok(Fill::NotNow) => Ok(false),
        Ok(Fill::Closed) => {
            client.is_at_eof = true;
            client
                .codec
                .eof()
                .map_err(|error| Failure::codec(Side::Client, error))?;
            Ok(true)
        }
        Err(error) => Err(Failure::io(Side::Client, FailureKind::Closed, &error)),
    }
}

/// Reads from the backend likewise.
#[inline]
pub fn fill_upstream(
    upstream: &mut Upstream,
    exchange: &mut Exchange,
    gear: &mut Gear,
) -> Result<bool, Failure> {
    if upstream.is_at_eof {
        return Ok(false);
    }
    match upstream
        .transport
        .fill(&mut upstream.input, &mut gear.blocks)
    {
        Ok(Fill::Bytes(n)) => {
            exchange.count.backend_in += n as u64;
            exchange.count.backend_ms = gear.now_ms;
            Ok(true)
        }
        Ok(Fill::NotNow) => Ok(false),
        Ok(Fill::Closed) => {
            upstream.is_at_eof = true;
            upstream
                .codec
                .eof()
                .map_err(|error| Failure::codec(Side::Backend, error))?;
            Ok(true)
        }
        Err(error) => Err(Failure::io(Side::Backend, FailureKind::Closed, &error)),
    }
}

/// What the next piece of a request's content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// So many bytes; [`crate::buf::Input::taken`] lends them.
    Data(usize),
    /// There is no more.
    End,
    /// More must arrive first.
    Dry,
}

/// Takes the next piece of content from the client's input.
#[inline]
pub fn draw(
    exchange: &mut Exchange,
    client: &mut Client,
    gear: &mut Gear,
    content_max: u64,
) -> Result<Drawn, Failure> {
    let waiting = client.input.len();
    let drawn = loop {
        let part = client
            .codec
            .pull(exchange.stream, &mut client.input, &mut gear.requests)
            .map_err(|error| Failure::codec(Side::Client, error))?;
        match part {
            None => break Drawn::Dry,
            Some(Part::Data(bytes)) => break Drawn::Data(bytes.len()),
            Some(Part::End) => break Drawn::End,
            // Request trailers are never forwarded, as in httpd; notes and interims don't exist here.
            Some(Part::Trailers(_) | Part::Note(_) | Part::Interim(_) | Part::Head(_)) => {}
        }
    };
    exchange.count.bytes_in += (waiting - client.input.len().min(waiting)) as u64;
    match drawn {
        Drawn::Data(n) => {
            exchange.count.content_in += n as u64;
            if exchange.count.content_in > content_max {
                return Err(too_large(content_max));
            }
        }
        Drawn::End => exchange.request = Half::Done,
        Drawn::Dry => {}
    }
    Ok(drawn)
}

/// The client announced or sent more content than is taken.
pub fn too_large(content_max: u64) -> Failure {
    Failure::new(
        Side::Client,
        FailureKind::TooLarge,
        format!("request content is larger than LimitRequestBody {content_max}"),
    )
}

/// Moves request content towards the backend: first what was read ahead, then what arrives.
pub fn request(
    exchange: &mut Exchange,
    client: &mut Client,
    upstream: &mut Upstream,
    gear: &mut Gear,
) -> Result<Pumped, Failure> {
    let mut budget = BUDGET;
    while !exchange.has_sent_end && !exchange.awaits_continue {
        if upstream
            .codec
            .room(exchange.upstream_stream, &upstream.output)
            == 0
        {
            flush_upstream(upstream, gear)?;
            if upstream
                .codec
                .room(exchange.upstream_stream, &upstream.output)
                == 0
            {
                exchange.pause_content(gear.now_ms);
                return Ok(Pumped::Stuck);
            }
        }
        if budget == 0 {
            return Ok(Pumped::Paused);
        }
        let queued = upstream.output.len();
        let moved = match spool::give(exchange, client, upstream, gear)? {
            0 if exchange.request == Half::Done => {
                end_request(exchange, client, upstream, gear)?;
                0
            }
            0 => match stream(exchange, client, upstream, gear)? {
                Some(moved) => moved,
                None => return Ok(Pumped::Stuck),
            },
            given => given,
        };
        budget = budget.saturating_sub(moved);
        exchange.count.backend_out +=
            (upstream.output.len() - queued.min(upstream.output.len())) as u64;
    }
    Ok(if exchange.has_sent_end {
        Pumped::Ended
    } else {
        Pumped::Stuck
    })
}

/// Passes on what has arrived, which is not kept; `None` when nothing has.
fn stream(
    exchange: &mut Exchange,
    client: &mut Client,
    upstream: &mut Upstream,
    gear: &mut Gear,
) -> Result<Option<usize>, Failure> {
    exchange.resume_content(gear.now_ms);
    let content_max = spool::content_max(exchange);
    match draw(exchange, client, gear, content_max)? {
        Drawn::Data(n) => {
            spool::release(exchange, client);
            exchange.sent = Sent::Content;
            let mut outlet = Outlet {
                output: &mut upstream.output,
                blocks: &mut gear.blocks,
            };
            let part = Part::Data(client.input.taken());
            push(upstream.codec.as_mut(), exchange, &part, &mut outlet)?;
            Ok(Some(n))
        }
        Drawn::End => Ok(Some(0)),
        Drawn::Dry => Ok(fill_client(client, gear)?.then_some(0)),
    }
}

/// The request is complete.
fn end_request(
    exchange: &mut Exchange,
    client: &mut Client,
    upstream: &mut Upstream,
    gear: &mut Gear,
) -> Result<(), Failure> {
    let mut outlet = Outlet {
        output: &mut upstream.output,
        blocks: &mut gear.blocks,
    };
    push(upstream.codec.as_mut(), exchange, &Part::End, &mut outlet)?;
    if exchange.plan.content.has_extra_crlf && !exchange.is_tunnel {
        outlet.write(b"\r\n");
    }
    exchange.has_sent_end = true;
    if exchange.backend_status.is_some() {
        spool::release(exchange, client);
    }
    Ok(())
}

/// Encodes one part for the backend. A message that can't be expressed is the client's or ours, not the backend's.
pub fn push(
    codec: &mut dyn crate::codec::ClientCodec,
    exchange: &Exchange,
    part: &Part<'_, Request>,
    outlet: &mut Outlet<'_>,
) -> Result<(), Failure> {
    codec
        .push(exchange.upstream_stream, part, outlet)
        .map_err(|error| {
            let mut failure = Failure::codec(Side::Client, error);
            failure.kind = FailureKind::Unsendable;
            failure
        })
}

/// Moves response parts towards the client. Heads are handed out: the caller edits them and pushes them itself.
pub fn response(
    exchange: &mut Exchange,
    client: &mut Client,
    upstream: &mut Upstream,
    gear: &mut Gear,
) -> Result<Pumped, Failure> {
    let mut budget = BUDGET;
    while exchange.response == Half::Open {
        if client.codec.room(exchange.stream, &client.output) == 0 {
            flush_client(client, gear)?;
            if client.codec.room(exchange.stream, &client.output) == 0 {
                return Ok(Pumped::Stuck);
            }
        }
        if budget == 0 {
            return Ok(Pumped::Paused);
        }
        let part = upstream
            .codec
            .pull(
                exchange.upstream_stream,
                &mut upstream.input,
                &mut gear.responses,
            )
            .map_err(|error| Failure::codec(Side::Backend, error))?;
        let mut outlet = Outlet {
            output: &mut client.output,
            blocks: &mut gear.blocks,
        };
        let queued = outlet.output.len();
        let is_dry = match part {
            None => true,
            Some(Part::Head(head)) => return Ok(Pumped::Head(head)),
            Some(Part::Interim(head)) => return Ok(Pumped::Interim(head)),
            Some(Part::Data(bytes)) => {
                budget = budget.saturating_sub(bytes.len());
                exchange.count.content_out += bytes.len() as u64;
                push_client(
                    client.codec.as_mut(),
                    exchange,
                    &Part::Data(bytes),
                    &mut outlet,
                )?;
                false
            }
            Some(Part::Trailers(fields)) => {
                push_client(
                    client.codec.as_mut(),
                    exchange,
                    &Part::Trailers(fields),
                    &mut outlet,
                )?;
                false
            }
            Some(Part::End) => {
                exchange.response = Half::Done;
                push_client(client.codec.as_mut(), exchange, &Part::End, &mut outlet)?;
                false
            }
            Some(Part::Note(_)) => false,
        };
        exchange.count.bytes_out += (client.output.len() - queued.min(client.output.len())) as u64;
        if is_dry && !fill_upstream(upstream, exchange, gear)? {
            return Ok(Pumped::Stuck);
        }
    }
    Ok(Pumped::Ended)
}

/// Encodes one part for the client. What can't be expressed came from the backend.
pub fn push_client(
    codec: &mut dyn crate::codec::ServerCodec,
    exchange: &Exchange,
    part: &Part<'_, crate::http::Response>,
    outlet: &mut Outlet<'_>,
) -> Result<(), Failure> {
    codec.push(exchange.stream, part, outlet).map_err(|error| {
        let mut failure = Failure::codec(Side::Backend, error);
        failure.kind = FailureKind::Malformed;
        failure
    })
}

/// Writes what waits for the client.
pub fn flush_client(client: &mut Client, gear: &mut Gear) -> Result<(), Failure> {
    if client.output.is_empty() {
        return Ok(());
    }
    let before = client.output.len();
    client
        .transport
        .flush(&mut client.output, &mut gear.blocks)
        .map_err(|error| Failure::io(Side::Client, FailureKind::Closed, &error))?;
    if client.output.len() < before {
        client.moved_ms = gear.now_ms;
    }
    Ok(())
}

/// Writes what waits for the backend.
pub fn flush_upstream(upstream: &mut Upstream, gear: &mut Gear) -> Result<(), Failure> {
    if upstream.output.is_empty() {
        return Ok(());
    }
    let before = upstream.output.len();
    upstream
        .transport
        .flush(&mut upstream.output, &mut gear.blocks)
        .map_err(|error| Failure::io(Side::Backend, FailureKind::Closed, &error))?;
    if upstream.output.len() < before {
        upstream.moved_ms = gear.now_ms;
    }
    Ok(())
}
