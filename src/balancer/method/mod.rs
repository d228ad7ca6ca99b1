//! Methods of election: how one of several usable members is chosen.
//!
//! Responsible for: the [`LbMethod`] trait, the methods that come with the server, and finding one by the name in `lbmethod=`. Not
//! responsible for who stands: sets, spares, standbys and members in error are settled before a method is asked.
//!
//! Know first: a method sees numbers, never sockets, requests or clocks. All its memory is the members' shared records, because every
//! child holds elections at the same time as the others. A method that writes there uses single atomic additions; with those, the sum of
//! `lbstatus` over a balancer stays the same whatever interleaves.
//!
//! Another crate adds a method by implementing the trait and passing [`Methods`] with a longer slice; `examples/own_method.rs` does.

mod bybusyness;
mod byrequests;
mod bytraffic;

pub use bybusyness::ByBusyness;
pub use byrequests::ByRequests;
pub use bytraffic::ByTraffic;

use super::Member;
use super::lease::Outcome;
use scoreboard::{Board, MemberScore};
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

/// A way to choose among members.
pub trait LbMethod: fmt::Debug + Sync {
    /// The word in `lbmethod=`.
    fn name(&self) -> &'static str;

    /// Chooses one of the field, which is never empty, by its position; charges it for being chosen. `None` chooses nobody, and the
    /// request fails.
    fn elect(&self, field: &[Candidate<'_>], now_ms: u64) -> Option<usize>;

    /// Learns how an exchange that the member was elected for ended. Its bytes are in the record already.
    fn settled(&self, _member: &MemberScore, _outcome: &Outcome) {}

    /// Begins its numbers anew, after an edit that makes the old ones unfair.
    fn reset(&self, members: &[Member]);
}

/// A member that stands for election.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What it is.
    pub member: &'a Member,
    /// Its place among the balancer's members.
    pub index: u32,
    pub(super) board: &'a Board,
}

impl<'a> Candidate<'a> {
    /// What all children share about it.
    #[must_use]
    pub fn score(&self) -> &'a MemberScore {
        self.member.score
    }

    /// Exchanges it is working on now, over all children.
    #[must_use]
    pub fn busy(&self) -> u64 {
        self.board.busy(self.member.board_index)
    }

    /// Its share of the load, in hundredths, at least 1.
    #[must_use]
    pub fn factor(&self) -> u32 {
        // A record that was tampered with must not divide by zero.
        self.member.score.lbfactor.load(Relaxed).max(1)
    }
}

/// The methods that a configuration may name.
#[derive(Clone, Copy, Debug)]
pub struct Methods(pub &'static [&'static dyn LbMethod]);

/// The methods that come with the server, by name.
pub static METHODS: &[&dyn LbMethod] = &[&ByBusyness, &ByRequests, &ByTraffic];

impl Methods {
    /// The method with this name.
    #[must_use]
    pub fn find(self, name: &str) -> Option<&'static dyn LbMethod> {
        self.0.iter().copied().find(|method| method.name() == name)
    }
}

impl Default for Methods {
    fn default() -> Self {
        Self(METHODS)
    }
}

/// Sets every `lbstatus` to 0. An election under way at this moment may still charge its winner for votes that are gone; that shifts one
/// member by one round, once.
fn reset_votes(members: &[Member]) {
    for member in members {
        member.score.lbstatus.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slice_is_alphabetical_and_found_by_name() {
        assert!(METHODS.is_sorted_by_key(|method| method.name()));
        for method in METHODS {
            let found = Methods::default().find(method.name()).unwrap();
            assert_eq!(found.name(), method.name());
        }
        assert!(Methods::default().find("byluck").is_none());
    }
}
