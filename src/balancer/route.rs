//! From a session's route to a member.
//!
//! Responsible for: finding the member that a route names, through redirects, and letting session requests count in later elections.
//! Not responsible for finding the route ([`find_session`](super::find_session) does), nor for what happens when there is no member.
//!
//! Know first: sets and draining do not matter here – a draining member exists for exactly these requests. Members that are not standbys
//! come first, then standbys; of several with the same route the first usable one.

use super::event::{Observer, tell};
use super::{Balancer, Event, Member};
use scoreboard::StatusBits;
use std::sync::atomic::Ordering::Relaxed;

impl Balancer {
    /// The usable member for `route`: the one that has it, or the one that its `redirect` leads to.
    pub(super) fn member_for_route<O: Observer + ?Sized>(
        &self,
        route: &[u8],
        now_ms: u64,
        tried: &[u32],
        observer: &mut O,
    ) -> Option<u32> {
        // Fewer redirects than members: a circle of them has been walked once by then.
        let mut redirects_left = self.members.len().saturating_sub(1);
        self.follow(route, &mut redirects_left, now_ms, tried, observer)
    }

    fn follow<O: Observer + ?Sized>(
        &self,
        route: &[u8],
        redirects_left: &mut usize,
        now_ms: u64,
        tried: &[u32],
        observer: &mut O,
    ) -> Option<u32> {
        for (index, member) in self.with_route(route) {
            if !tried.contains(&index) {
                if !member.usable() {
                    member.try_retry(now_ms, observer);
                }
                if member.usable() {
                    return Some(index);
                }
            }
            // The member cannot be used now. A redirect lets it be taken out of service while its sessions go on elsewhere.
            let redirect = member.score.redirect.bytes();
            if !redirect.is_empty() && *redirects_left > 0 {
                *redirects_left -= 1;
                let other = self.follow(&redirect, redirects_left, now_ms, tried, observer);
                if other.is_some() {
                    return other;
                }
            }
        }
        None
    }

    /// The members with this route, standbys last.
    fn with_route(&self, route: &[u8]) -> impl Iterator<Item = (u32, &Member)> {
        let has_route = |member: &Member| !route.is_empty() && member.score.route.is(route);
        let of_kind = move |is_standby: bool| {
            (0..).zip(&self.members).filter(move |(_, member)| {
                member.status().contains(StatusBits::STANDBY) == is_standby && has_route(member)
            })
        };
        of_kind(false).chain(of_kind(true))
    }

    /// Whether any member, usable or not, has this route.
    pub(super) fn knows_route(&self, route: &[u8]) -> bool {
        self.with_route(route).next().is_some()
    }

    /// Counts a request that its session sent to a member as if it had won an election among all usable members, whatever the method:
    /// the others are owed the turn.
    pub(super) fn count_session(&self, index: u32) {
        let mut total = 0;
        for member in self.members.iter().filter(|member| member.usable()) {
            let factor = i64::from(member.score.lbfactor.load(Relaxed));
            member.score.grant(factor);
            total += factor;
        }
        if let Some(chosen) = self.member(index) {
            chosen.score.charge(total);
        }
    }

    /// Tells whoever listens that a session goes to a member with another route than its own.
    pub(super) fn note_changed_route<O: Observer + ?Sized>(
        &self,
        route: &[u8],
        index: u32,
        observer: &mut O,
    ) -> bool {
        let Some(member) = self.member(index) else {
            return false;
        };
        let is_changed = !member.score.route.is(route);
        if is_changed {
            tell(observer, || Event::RouteChanged {
                from: route,
                to: member,
            });
        }
        is_changed
    }
}
