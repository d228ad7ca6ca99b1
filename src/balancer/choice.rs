//! One attempt's choice of a member, from the request's head to an index.
//!
//! Responsible for: the order of the steps – recovery, session, election – and what the request learns from them (`BALANCER_*`). Not
//! responsible for the steps themselves.

use super::Balancer;
use super::event::{Event, Observer, tell};
use super::sticky::{Session, find_session};
use crate::http::Fields;
use scoreboard::BalancerFlags;
use std::fmt;

/// What a choice depends on.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The path and query that go to the backend.
    pub path_and_query: &'a [u8],
    /// The request's fields.
    pub fields: &'a Fields,
    /// Indices of the members that failed this request before.
    pub tried: &'a [u32],
    /// Unix time of this turn in milliseconds.
    pub now_ms: u64,
}

/// A chosen member. Claim it with [`Balancer::lease`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// Its place among the members.
    pub index: u32,
    /// The session that was found, if any.
    pub session: Option<Session<'a>>,
    /// The session's route led there; no election was held.
    pub is_sticky: bool,
    /// A sticky balancer sends the request elsewhere than its session asked, or it had none.
    pub route_changed: bool,
}

/// Why nobody was chosen. Shown as httpd words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoMember {
    /// `nofailover`: the session's member cannot be used, and no other may.
    ForRoute(Vec<u8>),
    /// No member can be used.
    AllInError,
    /// There are no members.
    Empty,
}

impl Balancer {
    /// Chooses a member for a request.
    ///
    /// # Errors
    /// Nobody can be used, or nobody but the session's member may be. The client gets a 503.
    pub fn choose<'a, O: Observer + ?Sized>(
        &'a self,
        request: &Request<'a>,
        observer: &mut O,
    ) -> Result<Choice<'a>, NoMember> {
        let Request {
            path_and_query,
            fields,
            tried,
            now_ms,
        } = *request;
        self.reset_if_due();
        self.force_recovery(now_ms, observer);
        let session = find_session(&self.params, path_and_query, fields);
        if let Some(Session { name, value, .. }) = session {
            tell(observer, || Event::FoundSession { name, value });
        }
        if let Some(route) = session.and_then(|session| session.route) {
            tell(observer, || Event::FoundRoute(route));
            if let Some(index) = self.member_for_route(route, now_ms, tried, observer) {
                let route_changed = self.note_changed_route(route, index, observer);
                self.count_session(index);
                return Ok(Choice {
                    index,
                    session,
                    is_sticky: true,
                    route_changed,
                });
            }
            let is_forced = self.score.flags().contains(BalancerFlags::STICKY_FORCE);
            if is_forced && self.knows_route(route) {
                return Err(NoMember::ForRoute(route.to_vec()));
            }
        }
        match self.elect(now_ms, tried, observer) {
            Some(index) => Ok(Choice {
                index,
                session,
                is_sticky: false,
                route_changed: self.params.sticky.is_set(),
            }),
            None if self.members.is_empty() => Err(NoMember::Empty),
            None => Err(NoMember::AllInError),
        }
    }
}

impl Choice<'_> {
    /// The variables that the request's environment gets.
    #[must_use]
    pub fn variables(&self, balancer: &Balancer) -> Vec<(&'static str, Vec<u8>)> {
        let mut variables = vec![("BALANCER_NAME", balancer.name.clone().into_bytes())];
        if let Some(member) = balancer.member(self.index) {
            variables.push(("BALANCER_WORKER_NAME", member.name().as_bytes().to_vec()));
            variables.push(("BALANCER_WORKER_ROUTE", member.score.route.bytes()));
        }
        if let Some(Session {
            name,
            route: Some(route),
            ..
        }) = self.session
        {
            variables.push(("BALANCER_SESSION_STICKY", name.as_bytes().to_vec()));
            variables.push(("BALANCER_SESSION_ROUTE", route.to_vec()));
        }
        if self.route_changed {
            variables.push(("BALANCER_ROUTE_CHANGED", b"1".to_vec()));
        }
        variables
    }
}

impl fmt::Display for NoMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForRoute(route) => write!(
                f,
                "All workers are in error state for route ({})",
                scoreboard::escape(route)
            ),
            Self::AllInError => f.write_str("All workers are in error state"),
            Self::Empty => f.write_str("No workers in balancer"),
        }
    }
}
