//! `lbmethod=bytraffic`: bytes in proportion to the load factors.
//!
//! # How it chooses
//!
//! A member's traffic is what was sent to it and what was read from it, each divided by its load factor (in hundredths, whole numbers).
//! The candidate with the least wins, the earliest of equals:
//!
//! ```text
//! traffic(m) = transferred(m) / factor(m) + read(m) / factor(m)
//! winner = the smallest traffic, the earliest of equals
//! ```
//!
//! The election itself writes nothing: bytes are booked when an exchange is settled. Until then the same member may win again, so many
//! requests that start together go to one member, and the books set it right afterwards.
//!
//! # Worked example
//!
//! a with factor 100 and b with factor 300, every exchange moves 30,000 bytes. Traffic after each: a 300; then b 100, 200, 300; now both
//! have 300 and a, the earlier, is next. Of every 120,000 bytes b moves 90,000.

use super::{Candidate, LbMethod};
use crate::balancer::Member;
use std::sync::atomic::Ordering::Relaxed;

/// See the module.
#[derive(Debug)]
pub struct ByTraffic;

impl LbMethod for ByTraffic {
    fn name(&self) -> &'static str {
        "bytraffic"
    }

    fn elect(&self, field: &[Candidate<'_>], _now_ms: u64) -> Option<usize> {
        let traffic = |candidate: &Candidate<'_>| {
            let (score, factor) = (candidate.score(), u64::from(candidate.factor()));
            let sent = score.transferred.load(Relaxed) / factor;
            sent.saturating_add(score.read.load(Relaxed) / factor)
        };
        // `min_by_key` returns the first of equals, as httpd's comparison does.
        let (winner, _) = field
            .iter()
            .enumerate()
            .min_by_key(|(_, candidate)| traffic(candidate))?;
        Some(winner)
    }

    fn reset(&self, members: &[Member]) {
        for member in members {
            member.score.transferred.store(0, Relaxed);
            member.score.read.store(0, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::balancer::testing::Cluster;
    use proptest::prelude::*;

    #[test]
    fn the_worked_example() {
        let cluster = Cluster::weighted("bytraffic", &[100, 300]);
        let mut winners = String::new();
        for _ in 0..8 {
            let index = cluster.elect_index();
            cluster.settle(index, 10_000, 20_000);
            winners.push(Cluster::letter(index));
        }
        assert_eq!(winners, "abbbabbb");
    }

    #[test]
    fn sent_and_read_are_divided_each_by_itself() {
        let cluster = Cluster::weighted("bytraffic", &[100, 100]);
        // 99/100 + 99/100 is nothing in whole numbers, 100/100 is something.
        cluster.settle(1, 99, 99);
        cluster.settle(0, 100, 0);
        assert_eq!(
            cluster.elect_many(3),
            "bbb",
            "and an election books nothing"
        );
    }

    proptest! {
        /// Nobody is ever further ahead than the largest exchange brought it.
        #[test]
        fn traffic_follows_the_factors(
            weights in prop::collection::vec(1_u32..=20, 2..=5),
            sizes in prop::collection::vec(1_u64..=50_000, 1..=120),
        ) {
            let factors: Vec<u32> = weights.iter().map(|weight| weight * 100).collect();
            let cluster = Cluster::weighted("bytraffic", &factors);
            let mut moved = vec![0_u64; weights.len()];
            for size in &sizes {
                let index = cluster.elect_index();
                cluster.settle(index, 0, *size);
                moved[index as usize] += size;
            }
            let traffic = moved.iter().zip(&factors).map(|(bytes, &factor)| bytes / u64::from(factor));
            let (least, most) = traffic.fold((u64::MAX, 0), |(low, high), t| (low.min(t), high.max(t)));
            prop_assert!(most - least <= sizes.iter().max().unwrap() / 100 + 1, "{:?} {:?}", moved, factors);
        }
    }
}
