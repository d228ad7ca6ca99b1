//! `lbmethod=bybusyness`: to the member that is working on the fewest exchanges.
//!
//! # How it chooses
//!
//! The candidate with the smallest busy count wins. Among equals it is [`ByRequests`](super::ByRequests)' turn: everybody earns its load
//! factor, the one that is owed most wins and pays for all.
//!
//! ```text
//! for each candidate m:   lbstatus(m) += factor(m)
//! winner = the smallest busy; of equals the largest lbstatus; of equals the earliest
//! lbstatus(winner) -= sum of the candidates' factors
//! ```
//!
//! The load factors decide only between members that are equally busy: an idle site is shared by weight, a loaded one by how fast each
//! member finishes.
//!
//! # Worked example
//!
//! Equal members a, b, c. Nobody is busy: a, b, c take turns. Now a holds two long downloads and c holds one: b wins until it is busy
//! with one too; then b and c alternate by what they are owed, and a waits until it has finished one.
//!
//! # What makes it trustworthy
//!
//! A busy count here is the sum of what living children hold. A child that was killed takes its share with it, so no member is left
//! looking busy for ever.

use super::{Candidate, LbMethod, reset_votes};
use crate::balancer::Member;
use std::cmp::Reverse;

/// See the module.
#[derive(Debug)]
pub struct ByBusyness;

impl LbMethod for ByBusyness {
    fn name(&self) -> &'static str {
        "bybusyness"
    }

    fn elect(&self, field: &[Candidate<'_>], _now_ms: u64) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<(usize, (Reverse<u64>, i64))> = None;
        for (place, candidate) in field.iter().enumerate() {
            let factor = i64::from(candidate.factor());
            let owed = candidate.score().grant(factor);
            total += factor;
            let claim = (Reverse(candidate.busy()), owed);
            if best.is_none_or(|(_, strongest)| claim > strongest) {
                best = Some((place, claim));
            }
        }
        let (winner, _) = best?;
        field.get(winner)?.score().charge(total);
        Some(winner)
    }

    /// Busy counts are facts and stay; only the votes begin anew.
    fn reset(&self, members: &[Member]) {
        reset_votes(members);
    }
}

#[cfg(test)]
mod tests {
    use crate::balancer::testing::Cluster;
    use proptest::prelude::*;

    #[test]
    fn idle_members_are_shared_by_weight() {
        let cluster = Cluster::weighted("bybusyness", &[100, 100, 200]);
        assert_eq!(cluster.elect_many(8), "cabccabc");
    }

    #[test]
    fn the_least_busy_wins_and_equals_alternate() {
        let cluster = Cluster::weighted("bybusyness", &[100, 100, 100]);
        cluster.hold(0);
        cluster.hold(0);
        cluster.hold(2);
        assert_eq!(cluster.elect(), 'b', "nobody is less busy");
        cluster.hold(1);
        assert_eq!(cluster.elect_many(4), "cbcb", "by what they are owed");
        cluster.release(0);
        cluster.release(0);
        assert_eq!(cluster.elect(), 'a');
        assert_eq!(cluster.lbstatus().iter().sum::<i64>(), 0);
    }

    proptest! {
        /// When no exchange ends, busy counts never differ by more than one, whatever the weights.
        #[test]
        fn unending_exchanges_are_spread_evenly(
            weights in prop::collection::vec(1_u32..=100, 1..=6),
            exchanges in 1_usize..=60,
        ) {
            let factors: Vec<u32> = weights.iter().map(|weight| weight * 100).collect();
            let cluster = Cluster::weighted("bybusyness", &factors);
            for _ in 0..exchanges {
                cluster.hold(cluster.elect_index());
            }
            let busy = cluster.busy();
            prop_assert!(busy.iter().max().unwrap() - busy.iter().min().unwrap() <= 1, "{:?}", busy);
        }

        /// When every exchange ends before the next begins, it is byrequests.
        #[test]
        fn an_idle_site_is_shared_by_weight(weights in prop::collection::vec(1_u32..=12, 1..=6)) {
            let factors: Vec<u32> = weights.iter().map(|weight| weight * 100).collect();
            let cluster = Cluster::weighted("bybusyness", &factors);
            let mut wins = vec![0; weights.len()];
            for _ in 0..weights.iter().sum() {
                wins[cluster.elect_index() as usize] += 1;
            }
            prop_assert_eq!(wins, weights);
        }
    }
}
