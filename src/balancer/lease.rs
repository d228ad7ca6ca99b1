//! A lease: an exchange's claim on a member, from its election to its settlement.
//!
//! Responsible for: the busy count that elections look at, and booking what an exchange moved. Not responsible for a child that dies with
//! leases: the parent settles what the dead child held when it reaps it.
//!
//! Know first: every lease is settled exactly once, on every path. Forgetting to is a bug of ours that would keep a member looking busy, so
//! in debug builds an unsettled lease panics when it is dropped; in release builds it settles itself without bytes.

use super::method::LbMethod;
use super::{Member, Trouble};
use scoreboard::{Board, LeaseKind, MemberScore};
use std::sync::atomic::Ordering::Relaxed;

/// A claim on a member.
#[derive(Debug)]
#[must_use = "a lease keeps its member busy until it is settled"]
pub struct Lease {
    board: &'static Board,
    score: &'static MemberScore,
    method: Option<&'static dyn LbMethod>,
    member: u32,
    process: u32,
    /// The slot that notes the claim; `None` once the exchange has left it.
    slot: Option<u32>,
    is_open: bool,
}

/// How an exchange with a member ended, as far as its books go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Bytes sent to the member.
    pub bytes_sent: u64,
    /// Bytes received from it.
    pub bytes_received: u64,
    /// The response's status; what went wrong; or nothing, when the exchange ended for reasons that have nothing to do with the member.
    pub result: Option<Result<u16, Trouble>>,
}

impl Outcome {
    /// Nothing moved, and the member had no part in how it ended.
    pub const NOTHING: Self = Self {
        bytes_sent: 0,
        bytes_received: 0,
        result: None,
    };
}

impl Lease {
    /// Claims a member for the exchange in a slot of a process: it is busy with one more, and was elected once more. `method` learns how
    /// it ends; a plain worker has none.
    pub fn claim(
        board: &'static Board,
        member: &Member,
        method: Option<&'static dyn LbMethod>,
        process: u32,
        slot: u32,
    ) -> Self {
        board.claim(process, slot, member.board_index, LeaseKind::Busy);
        member.score.elected.fetch_add(1, Relaxed);
        Self {
            board,
            score: member.score,
            method,
            member: member.board_index,
            process,
            slot: Some(slot),
            is_open: true,
        }
    }

    /// Gives the claim back, and books what the exchange moved.
    pub fn settle(mut self, outcome: Outcome) {
        self.close(&outcome);
    }

    /// The exchange goes on without its slot, which another may take: the claim stays.
    pub fn leave_slot(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.board.detach(self.process, slot);
        }
    }

    /// The member's record in the scoreboard.
    #[must_use]
    pub fn board_index(&self) -> u32 {
        self.member
    }

    fn close(&mut self, outcome: &Outcome) {
        self.is_open = false;
        match self.slot {
            Some(slot) => self
                .board
                .release(self.process, slot, self.member, LeaseKind::Busy),
            None => self.board.busy_dec(self.process, self.member),
        }
        self.score
            .transferred
            .fetch_add(outcome.bytes_sent, Relaxed);
        self.score.read.fetch_add(outcome.bytes_received, Relaxed);
        if let Some(method) = self.method {
            method.settled(self.score, outcome);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        self.close(&Outcome::NOTHING);
        // While unwinding, the panic that matters is the one under way.
        if cfg!(debug_assertions) && !std::thread::panicking() {
            panic!(
                "the lease on member {} was dropped and not settled: some path of the exchange forgot it",
                self.member
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balancer::testing::Cluster;

    #[test]
    fn a_lease_counts_once_and_books_its_bytes() {
        let cluster = Cluster::weighted("byrequests", &[100, 100]);
        let lease = cluster.balancer.lease(1, cluster.process, 0);
        assert_eq!(cluster.busy(), [0, 1]);
        assert_eq!(
            cluster.board.slot(cluster.process, 0).lease(),
            Some((lease.board_index(), LeaseKind::Busy))
        );
        let score = cluster.balancer.members[1].score;
        assert_eq!(score.elected.load(Relaxed), 1);
        lease.settle(Outcome {
            bytes_sent: 10,
            bytes_received: 300,
            result: Some(Ok(200)),
        });
        assert_eq!(cluster.busy(), [0, 0]);
        assert_eq!(cluster.board.slot(cluster.process, 0).lease(), None);
        assert_eq!(
            (score.transferred.load(Relaxed), score.read.load(Relaxed)),
            (10, 300)
        );
    }

    #[test]
    fn a_lease_outlives_its_slot() {
        let cluster = Cluster::weighted("byrequests", &[100, 100]);
        let mut lease = cluster.balancer.lease(1, cluster.process, 0);
        lease.leave_slot();
        let other = cluster.balancer.lease(0, cluster.process, 0);
        assert_eq!(cluster.busy(), [1, 1]);
        lease.settle(Outcome::NOTHING);
        assert_eq!(cluster.busy(), [1, 0]);
        assert_eq!(
            cluster.board.slot(cluster.process, 0).lease(),
            Some((other.board_index(), LeaseKind::Busy))
        );
        other.settle(Outcome::NOTHING);
    }

    #[test]
    #[should_panic = "was dropped and not settled"]
    fn a_forgotten_lease_is_our_bug() {
        let cluster = Cluster::weighted("byrequests", &[100]);
        drop(cluster.balancer.lease(0, cluster.process, 0));
    }

    #[test]
    fn a_lease_lost_in_a_panic_is_settled() {
        let cluster = Cluster::weighted("byrequests", &[100]);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _lease = cluster.balancer.lease(0, cluster.process, 0);
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(panicked.is_err());
        assert_eq!(cluster.busy(), [0]);
    }
}
