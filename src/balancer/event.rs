//! What an election tells whoever listens.
//!
//! Responsible for: the facts that 2.2's balancer wrote at level debug, as values. Not responsible for words: this room never logs;
//! `proxy`, which knows the request and the log level, turns an event into its line.

use super::Member;

/// One fact about an election, in the order in which it happens.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A member in error is looked at: `retrying the worker for (h)`.
    Retrying(&'a Member),
    /// It may be used again: `worker for (h) has been marked for retry`.
    MarkedForRetry(&'a Member),
    /// It has not rested long enough yet.
    TooSoonToRetry(&'a Member),
    /// It is stopped, and stays in error.
    WillNotRetry(&'a Member),
    /// All members are in error, so this one is used again at once: `Forcing recovery for worker (h)`.
    ForcingRecovery(&'a Member),
    /// The request has a session: `Found value v for stickysession s`.
    FoundSession {
        /// The cookie or parameter.
        name: &'a str,
        /// Its value.
        value: &'a [u8],
    },
    /// The session has a route: `Found route r`.
    FoundRoute(&'a [u8]),
    /// The route leads to a member with another one: `Route changed from f to t`.
    RouteChanged {
        /// What the client asked for.
        from: &'a [u8],
        /// The member it gets.
        to: &'a Member,
    },
    /// An election begins: `Entering m for BALANCER (b)`.
    Entering {
        /// The method's name.
        method: &'static str,
    },
    /// An election ends: `m selected worker "w" : busy b : lbstatus l`.
    Selected {
        /// The method's name.
        method: &'static str,
        /// The winner.
        member: &'a Member,
        /// Its exchanges now, without the one it is elected for.
        busy: u64,
        /// Its number after the election.
        lbstatus: i64,
    },
}

/// Somebody who may want to hear of elections.
pub trait Observer {
    /// Whether it listens. When it does not, no event is made.
    fn listens(&self) -> bool;

    /// Takes an event.
    fn saw(&mut self, event: Event<'_>);
}

/// Nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn listens(&self) -> bool {
        false
    }

    fn saw(&mut self, _event: Event<'_>) {}
}

impl<F: FnMut(Event<'_>)> Observer for F {
    fn listens(&self) -> bool {
        true
    }

    fn saw(&mut self, event: Event<'_>) {
        self(event);
    }
}

/// Makes and hands over an event if anybody listens.
pub(super) fn tell<'a, O: Observer + ?Sized>(observer: &mut O, event: impl FnOnce() -> Event<'a>) {
    if observer.listens() {
        observer.saw(event());
    }
}
