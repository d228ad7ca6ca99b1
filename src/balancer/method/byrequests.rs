//! `lbmethod=byrequests`: requests in proportion to the load factors.
//!
//! # How it chooses
//!
//! Every member has a running number, `lbstatus`: how much of its share it is owed. In each election every candidate earns its load
//! factor; the one that is owed most wins and pays what all of them earned together:
//!
//! ```text
//! for each candidate m:   lbstatus(m) += factor(m)
//! winner = the largest lbstatus, the earliest of equals
//! lbstatus(winner) -= sum of the candidates' factors
//! ```
//!
//! What is earned is what is paid, so the sum of all `lbstatus` never moves. A winner falls behind by as much as the others gain, which
//! spreads a member's turns evenly instead of letting a heavy member take all of its turns in a row.
//!
//! # Worked example
//!
//! Members a, b, c with `loadfactor` 1, 2 and 1 – in hundredths 100, 200, 100, together 400. The numbers are after the election:
//!
//! ```text
//! election     a     b     c    winner
//!    1       100  -200   100      b
//!    2      -200     0   200      a     (a and c are owed 200 each: the earlier one)
//!    3      -100   200  -100      c     (c was owed 300)
//!    4         0     0     0      b     (b was owed 400)
//! ```
//!
//! After four elections everybody is where it began, and b has had two turns of four.
//!
//! # What a member that is away misses
//!
//! Only candidates earn. A member in error neither earns nor pays, so when it comes back it resumes where it was and is not flooded with
//! what it missed.

use super::{Candidate, LbMethod, reset_votes};
use crate::balancer::Member;

/// See the module.
#[derive(Debug)]
pub struct ByRequests;

impl LbMethod for ByRequests {
    fn name(&self) -> &'static str {
        "byrequests"
    }

    fn elect(&self, field: &[Candidate<'_>], _now_ms: u64) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (place, candidate) in field.iter().enumerate() {
            let factor = i64::from(candidate.factor());
            let owed = candidate.score().grant(factor);
            total += factor;
            if best.is_none_or(|(_, most)| owed > most) {
                best = Some((place, owed));
            }
        }
        let (winner, _) = best?;
        field.get(winner)?.score().charge(total);
        Some(winner)
    }

    fn reset(&self, members: &[Member]) {
        reset_votes(members);
    }
}

#[cfg(test)]
mod tests {
    use crate::balancer::testing::Cluster;
    use proptest::prelude::*;

    /// Winners in order, and everybody's lbstatus after each election.
    fn run(factors: &[u32], elections: usize) -> (String, Vec<Vec<i64>>) {
        let cluster = Cluster::weighted("byrequests", factors);
        let mut winners = String::new();
        let mut numbers = Vec::new();
        for _ in 0..elections {
            winners.push(cluster.elect());
            numbers.push(cluster.lbstatus());
        }
        (winners, numbers)
    }

    #[test]
    fn equal_members_take_turns_and_the_first_goes_to_minus_100() {
        let (winners, numbers) = run(&[100, 100], 4);
        assert_eq!(winners, "abab");
        assert_eq!(numbers, [[-100, 100], [0, 0], [-100, 100], [0, 0]]);
    }

    #[test]
    fn weights_1_to_2_begin_with_the_larger() {
        let (winners, _) = run(&[100, 200], 9);
        assert_eq!(winners, "babbabbab");
    }

    #[test]
    fn the_worked_example() {
        let (winners, numbers) = run(&[100, 200, 100], 8);
        assert_eq!(winners, "bacbbacb");
        let rows = [
            [100, -200, 100],
            [-200, 0, 200],
            [-100, 200, -100],
            [0, 0, 0],
        ];
        assert_eq!(numbers[..4], rows);
    }

    #[test]
    fn weights_1_2_3() {
        let (winners, _) = run(&[100, 200, 300], 6);
        assert_eq!(winners, "cbacbc");
    }

    proptest! {
        /// One round is as many elections as the factors sum up to: everybody gets exactly its factor.
        #[test]
        fn a_round_serves_everyone_exactly_its_share(
            weights in prop::collection::vec(1_u32..=12, 1..=6),
            rounds in 1_u32..=3,
        ) {
            let factors: Vec<u32> = weights.iter().map(|weight| weight * 100).collect();
            let cluster = Cluster::weighted("byrequests", &factors);
            let mut wins = vec![0; weights.len()];
            for election in 1..=rounds * weights.iter().sum::<u32>() {
                wins[cluster.elect_index() as usize] += 1;
                prop_assert_eq!(cluster.lbstatus().iter().sum::<i64>(), 0, "election {}", election);
            }
            let expected: Vec<u32> = weights.iter().map(|weight| weight * rounds).collect();
            prop_assert_eq!(wins, expected);
        }
    }

    #[test]
    fn the_sum_is_conserved_when_many_elect_at_once() {
        let cluster = Cluster::weighted("byrequests", &[100, 250, 700]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        cluster.elect();
                    }
                });
            }
        });
        assert_eq!(cluster.lbstatus().iter().sum::<i64>(), 0);
    }
}
