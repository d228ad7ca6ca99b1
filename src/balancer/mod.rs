//! Who gets the next request.
//!
//! Responsible for: balancers and their members – sessions, elections, failing members and their return, and the books about who is busy
//! with what. Not responsible for connections, content or answers; it takes numbers and head fields, and gives an index. It never logs and
//! never reads a clock: events go to an [`Observer`], and `now_ms` is Unix time in milliseconds.
//!
//! Know first: all state that changes is in the scoreboard and is shared by every child; elections there take no lock. Everything else is
//! frozen with the configuration. One request goes through here like this, again for each attempt:
//!
//! ```text
//! Balancer::choose ─┬─ force_recovery     every member in error? use them all again            elect.rs
//!                   ├─ find_session       cookie or URL parameter → route                      sticky.rs
//!                   ├─ member_for_route   route → member, or the member its redirect names     route.rs
//!                   └─ elect              sets, spares, standbys → method                      elect.rs, method/
//! Balancer::lease ──▶ Lease::claim        busy and elected go up                               lease.rs
//! judge_trouble / judge_status ──▶ Member::put_in_error, and whether another may try           judge.rs, member.rs
//! Lease::settle                           busy goes down, bytes are booked                     lease.rs
//! ```
//!
//! httpd: mod_proxy_balancer and the mod_lbmethod_* modules, 2.4's behaviour; the events are those that 2.2 logs.

mod choice;
mod edit;
mod elect;
mod event;
mod judge;
pub mod lease;
mod member;
pub mod method;
mod route;
mod sticky;
#[cfg(test)]
mod testing;

pub use choice::{Choice, NoMember, Request};
pub use event::{Event, Observer, Silent};
pub use judge::{Judgement, Mark, Reason, Trouble, judge_status, judge_trouble};
pub use lease::{Lease, Outcome};
pub use member::{Member, Retry};
pub use method::{Candidate, LbMethod, METHODS, Methods};
pub use sticky::{Session, find_session};

use crate::config::model::{self, BalancerParams, Separator};
use scoreboard::{BalancerFlags, BalancerInit, BalancerScore, Board, BoardError};
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

/// A group of members with a method to choose between them.
#[derive(Debug)]
pub struct Balancer {
    /// `balancer://name`.
    pub name: String,
    /// Its parameters. Those that an operator may edit are read from the score instead.
    pub params: BalancerParams,
    /// Its members in configuration order.
    pub members: Vec<Member>,
    /// Its record's index in the scoreboard.
    pub board_index: u32,
    /// How it chooses.
    pub method: &'static dyn LbMethod,
    /// What all children share about it.
    pub score: &'static BalancerScore,
    board: &'static Board,
}

impl Balancer {
    /// Finds or makes the records of a balancer and its members. The parent does this before it forks. `vhost` tells balancers of the
    /// same name in different virtual hosts apart; those that share their members share it.
    ///
    /// # Errors
    /// The method is not one of `methods`, or the scoreboard has no room.
    pub fn register(
        config: &model::Balancer,
        vhost: &str,
        board: &'static Board,
        methods: Methods,
    ) -> Result<Self, RegisterError> {
        let name = config.url();
        let method = methods
            .find(config.params.lbmethod())
            .ok_or_else(|| RegisterError::unknown_method(config, methods))?;
        let board_index = board.register_balancer(&name, vhost)?;
        configure(board, board_index, config);
        let members = (0..)
            .zip(&config.members)
            .map(|(order, member)| Member::register(member, board, board_index, order))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name,
            params: config.params.clone(),
            members,
            board_index,
            method,
            score: board.balancer(board_index),
            board,
        })
    }

    /// Claims the member with this index for the exchange in a slot.
    ///
    /// # Panics
    /// There is no such member: indices come from [`Balancer::choose`].
    pub fn lease(&self, index: u32, process: u32, slot: u32) -> Lease {
        let member = self
            .member(index)
            .expect("members never go away while a child lives");
        Lease::claim(self.board, member, Some(self.method), process, slot)
    }

    /// The member with this index.
    #[must_use]
    pub fn member(&self, index: u32) -> Option<&Member> {
        self.members.get(index as usize)
    }

    /// How many further attempts a request may have after its first one.
    #[must_use]
    pub fn attempts_allowed(&self) -> u32 {
        self.score.max_attempts.load(Relaxed)
    }

    /// How long a request may wait for a usable member, in milliseconds; 0 does not wait.
    #[must_use]
    pub fn wait_ms(&self) -> u64 {
        self.score.timeout_ms.load(Relaxed)
    }
}

/// Tells the scoreboard what the configuration says; an operator's edits survive unless the configuration changed.
fn configure(board: &Board, index: u32, config: &model::Balancer) {
    let params = &config.params;
    let sticky = params.sticky.get().map_or_else(String::new, |sticky| {
        if sticky.cookie == sticky.url_parameter {
            sticky.cookie.clone()
        } else {
            format!("{}|{}", sticky.cookie, sticky.url_parameter)
        }
    });
    let init = BalancerInit {
        lbmethod: params.lbmethod(),
        sticky: &sticky,
        sticky_separator: match params.sticky_separator.get() {
            Some(Separator::Byte(byte)) => Some(char::from(*byte)),
            Some(Separator::Off) | None => None,
        },
        timeout_ms: u64::from(params.timeout_s.or(0)) * 1000,
        max_attempts: attempts_allowed(params, config.members.len()),
        flags: BalancerFlags::default()
            .with(BalancerFlags::STICKY_FORCE, params.no_failover.or(false))
            .with(
                BalancerFlags::SEMICOLON,
                params.semicolon_ends_value.or(false),
            )
            .with(
                BalancerFlags::FORCE_RECOVERY,
                params.force_recovery.or(true),
            )
            .with(
                BalancerFlags::FAIL_ON_TIMEOUT,
                params.fail_on_timeout.or(false),
            ),
        growth: params.growth.or(0),
    };
    board.configure_balancer(index, &init);
}

/// How many further attempts a request may have after its first one: `maxattempts`, or one for each other member.
#[must_use]
pub fn attempts_allowed(params: &BalancerParams, members: usize) -> u32 {
    let others = u32::try_from(members.saturating_sub(1)).unwrap_or(u32::MAX);
    params.max_attempts.or(others)
}

/// Why a balancer cannot be used.
#[derive(Debug)]
pub enum RegisterError {
    /// `lbmethod=` names none of the methods.
    UnknownMethod {
        /// The balancer.
        balancer: String,
        /// What it asks for.
        method: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The scoreboard has no room.
    Board(BoardError),
}

impl RegisterError {
    fn unknown_method(config: &model::Balancer, methods: Methods) -> Self {
        Self::UnknownMethod {
            balancer: config.url(),
            method: config.params.lbmethod().to_owned(),
            known: methods.0.iter().map(|method| method.name()).collect(),
        }
    }
}

impl From<BoardError> for RegisterError {
    fn from(error: BoardError) -> Self {
        Self::Board(error)
    }
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownMethod {
                balancer,
                method,
                known,
            } => write!(
                f,
                "unknown lbmethod `{method}` of {balancer}; there are {}",
                known.join(", ")
            ),
            Self::Board(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RegisterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Board(error) => Some(error),
            Self::UnknownMethod { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
