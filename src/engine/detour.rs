//! *Answer → Route*: a request that is answered with an error goes on as the request for its ErrorDocument.
//!
//! Responsible for: putting the exchange in order in between. What the first attempt claimed was settled before; its
//! content is given up, so that no byte of it can become the document's. Not responsible for: which document, and what
//! becomes of it (`request::errordoc`).
//!
//! Know first: to the client, the log and the scoreboard it stays one exchange, with the request line that came.

use crate::http::{Part, RequestHead, Status};
use crate::request::errordoc::{self, Doc};
use crate::request::{Again, Answer, Detour, Failure, Sent};

use super::asks::ask;
use super::client::Client;
use super::core::Core;
use super::exchange::{Exchange, Half, Phase};
use super::gear::Gear;
use super::slab::Key;
use super::work::Step;

impl Core {
    /// *Answer*: says what a handler or a failure decided, or leaves for the document that is to be said instead.
    pub(super) fn answer(&mut self, key: Key, exchange: Key) -> Result<Step, Failure> {
        let Self {
            clients,
            exchanges,
            gear,
            ..
        } = self;
        let (Some(client), Some(cell)) = (clients.at_mut(key), exchanges.get_mut(exchange)) else {
            return Ok(Step::Gone);
        };
        let Some(answer) = cell.answer.take() else {
            return Ok(Step::Wait);
        };
        // What of the content is here already is taken, so that the connection can stay open; the rest is not waited
        // for.
        drain_arrived(cell, client, gear);
        let mut detour = cell.detour.take();
        let doc = errordoc::choose(&ask(cell, client, gear), answer, detour.as_deref_mut());
        match doc {
            Doc::Say(answer) => {
                cell.detour = detour;
                Ok(self.say(key, exchange, &answer))
            }
            Doc::Internal(path, answer) => {
                let path = path.to_owned();
                Ok(leave(cell, client, gear, (&path, detour), answer))
            }
        }
    }
}

/// Turns the exchange into a request for the document at `to.0`; `to.1` is where it comes from.
fn leave(
    cell: &mut Exchange,
    client: &mut Client,
    gear: &mut Gear,
    to: (&str, Option<Box<Detour>>),
    answer: Box<Answer>,
) -> Step {
    debug_assert!(
        !cell.has_plan && cell.upstream.is_none(),
        "an answer is decided after its attempt was settled"
    );
    if answer.close {
        client.codec.close_after_response();
    }
    let mut head = gear.requests.take();
    let asking = ask(cell, client, gear);
    let made = errordoc::request(&asking, to.0, &mut head);
    let vars = errordoc::variables(&asking, &cell.plan.vars, answer.status);
    let again = Again::of(&cell.route, asking.site(), vars);
    let detour = Detour::of(&asking, to.1, answer);
    cell.detour = Some(detour);
    if made.is_err() {
        gear.requests.put(head);
        cell.answer = Some(Answer::error(&ask(cell, client, gear), Status::BAD_REQUEST));
        return Step::Again;
    }
    cell.route.again = Some(again);
    cell.is_unread |= cell.request == Half::Open;
    cell.request = Half::Done;
    cell.content.clear();
    client.input.release();
    cell.replace_head(head, gear);
    cell.forget_attempt();
    cell.enter(Phase::Route, gear.now_ms);
    Step::Again
}

/// Takes the content that has arrived, without reading more: if there is more, the connection ends with the response.
pub(super) fn drain_arrived(cell: &mut Exchange, client: &mut Client, gear: &mut Gear) {
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
            Ok(None) | Err(_) => {
                client.codec.close_after_response();
                return;
            }
        }
    }
}

impl Exchange {
    /// Goes on as another request of ours; the head that the client sent is kept.
    pub(super) fn replace_head(&mut self, head: Box<RequestHead>, gear: &mut Gear) {
        let last = self.head.replace(head);
        match (&self.asked, last) {
            (None, last) => self.asked = last,
            (Some(_), Some(last)) => gear.requests.put(last),
            (Some(_), None) => {}
        }
    }

    /// Forgets what belongs to an attempt that is settled, before another request takes its place.
    fn forget_attempt(&mut self) {
        self.plan.clear();
        self.sent = Sent::Nothing;
        self.has_sent_end = false;
        self.awaits_continue = false;
        self.held.clear();
        self.early = None;
        self.backend_status = None;
        self.margin.notes.clear();
    }
}
