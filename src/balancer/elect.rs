//! The election: which member gets a request that no session binds to one.
//!
//! Responsible for: the field – who may stand at all, set by set – and for recovery when every member is in error. Not responsible for
//! the choice within the field: that is the [`LbMethod`](super::LbMethod)'s.
//!
//! Know first: mod_proxy_balancer's `ap_proxy_balancer_get_best_worker` asks the method "is this one better?" in the middle of its
//! loop. Every question it asks in a set where nobody stands has no effect, so here the loop first collects the field and then asks once:
//!
//! ```text
//! for each lbset, lowest first, until somebody stands:
//!     the field     every usable member that is neither standby, spare nor draining
//!     + spares      as many usable spares (R), in order, as members of the set cannot be used
//!     or standbys   the usable standbys (H) of the set, if the field is still empty
//! ```
//!
//! A draining member (N) takes only requests whose session names it, so here it counts as one that cannot be used. Standbys stand per
//! set: those of set 0 go before the regular members of set 1.
//!
//! DIVERGE: members already tried for this request are left out while anybody else can be had. httpd relies on the error bit for this,
//! which `retry=0` clears at once, so that a member that refuses every connection may be elected for all attempts of a request.

use super::event::{Event, Observer, tell};
use super::method::Candidate;
use super::{Balancer, Member};
use scoreboard::{BalancerFlags, StatusBits};
use std::sync::atomic::Ordering::{Acquire, Relaxed};

/// The members that stand. As long as they are few, they stand on the stack: elections are held for every request.
struct Field<'a> {
    few: [Candidate<'a>; FEW],
    count: usize,
    /// All of them, when they are more.
    many: Vec<Candidate<'a>>,
}

/// How many members stand without an allocation.
const FEW: usize = 16;

impl<'a> Field<'a> {
    /// Nobody yet; `anybody` fills the places that are free.
    fn new(anybody: Candidate<'a>) -> Self {
        Self {
            few: [anybody; FEW],
            count: 0,
            many: Vec::new(),
        }
    }

    fn push(&mut self, candidate: Candidate<'a>) {
        match self.few.get_mut(self.count) {
            Some(place) => *place = candidate,
            None if self.many.is_empty() => {
                self.many.extend(self.few);
                self.many.push(candidate);
            }
            None => self.many.push(candidate),
        }
        self.count += 1;
    }

    fn standing(&self) -> &[Candidate<'a>] {
        self.few.get(..self.count).unwrap_or(&self.many)
    }
}

impl Balancer {
    /// Elects a member, or nobody when none can be used. `tried` are indices of members that failed this request before.
    pub fn elect<O: Observer + ?Sized>(
        &self,
        now_ms: u64,
        tried: &[u32],
        observer: &mut O,
    ) -> Option<u32> {
        let method = self.method.name();
        tell(observer, || Event::Entering { method });
        let elected = self.elect_without(now_ms, tried, observer);
        let index = match elected {
            None if !tried.is_empty() => self.elect_without(now_ms, &[], observer),
            one_or_none => one_or_none,
        }?;
        let member = self.member(index)?;
        tell(observer, || Event::Selected {
            method,
            member,
            busy: self.board.busy(member.board_index),
            lbstatus: member.score.lbstatus.load(Relaxed),
        });
        Some(index)
    }

    /// The loop over the sets.
    fn elect_without<O: Observer + ?Sized>(
        &self,
        now_ms: u64,
        tried: &[u32],
        observer: &mut O,
    ) -> Option<u32> {
        let mut field = Field::new(self.candidate(0, self.members.first()?));
        let mut set = self.lbsets().min();
        while let Some(lbset) = set {
            self.collect(lbset, now_ms, tried, &mut field, observer);
            let field = field.standing();
            if !field.is_empty() {
                let winner = self.method.elect(field, now_ms)?;
                return field.get(winner).map(|candidate| candidate.index);
            }
            // Sets come from shared memory: walk those that exist instead of counting up.
            set = self.lbsets().filter(|&other| other > lbset).min();
        }
        None
    }

    fn lbsets(&self) -> impl Iterator<Item = u32> {
        self.members
            .iter()
            .map(|member| member.score.lbset.load(Relaxed))
    }

    /// Fills the field with the members of one set that stand.
    fn collect<'a, O: Observer + ?Sized>(
        &'a self,
        lbset: u32,
        now_ms: u64,
        tried: &[u32],
        field: &mut Field<'a>,
        observer: &mut O,
    ) {
        const RESERVE: StatusBits = StatusBits::STANDBY.with(StatusBits::SPARE);
        let mut unusable = 0;
        for (index, member) in self.of_set(lbset) {
            let can_stand = !member.status().contains(StatusBits::DRAIN) && !tried.contains(&index);
            if can_stand && !member.usable() {
                member.try_retry(now_ms, observer);
            }
            let status = member.status();
            if status.intersects(RESERVE) {
                continue;
            }
            if can_stand && status.usable() {
                field.push(self.candidate(index, member));
            } else {
                unusable += 1;
            }
        }
        let reserve = |kind: fn(StatusBits) -> bool| {
            self.of_set(lbset).filter(move |(index, member)| {
                let status = member.status();
                kind(status)
                    && status.usable()
                    && !status.contains(StatusBits::DRAIN)
                    && !tried.contains(index)
            })
        };
        let stand = |(index, member)| self.candidate(index, member);
        // A member that is both is a spare.
        if unusable > 0 {
            let spares = reserve(|status| status.contains(StatusBits::SPARE));
            spares
                .take(unusable)
                .map(stand)
                .for_each(|one| field.push(one));
        }
        if field.standing().is_empty() {
            let standbys = reserve(|status| {
                status.contains(StatusBits::STANDBY) && !status.contains(StatusBits::SPARE)
            });
            standbys.map(stand).for_each(|one| field.push(one));
        }
    }

    fn candidate<'a>(&'a self, index: u32, member: &'a Member) -> Candidate<'a> {
        Candidate {
            board: self.board,
            member,
            index,
        }
    }

    fn of_set(&self, lbset: u32) -> impl Iterator<Item = (u32, &Member)> {
        (0..)
            .zip(&self.members)
            .filter(move |(_, member)| member.score.lbset.load(Relaxed) == lbset)
    }

    /// Takes every member out of error if all of them are in it and `forcerecovery` is on. Before each attempt.
    ///
    /// Members are given their chance to be retried on the way, up to the first one that is not in error; a member that is disabled
    /// rather than in error counts as one that is not.
    pub fn force_recovery<O: Observer + ?Sized>(&self, now_ms: u64, observer: &mut O) {
        for member in &self.members {
            member.try_retry(now_ms, observer);
            if !member.status().contains(StatusBits::IN_ERROR) {
                return;
            }
        }
        if self.score.flags().contains(BalancerFlags::FORCE_RECOVERY) {
            for member in &self.members {
                member.recover();
                tell(observer, || Event::ForcingRecovery(member));
            }
        }
    }

    /// Begins the method's numbers anew if an edit asked for it.
    pub(super) fn reset_if_due(&self) {
        if self.score.need_reset.load(Relaxed) != 0 && self.score.need_reset.swap(0, Acquire) != 0 {
            self.method.reset(&self.members);
        }
    }
}
