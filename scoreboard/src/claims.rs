//! Processes and leases: who has which record, and what each child holds at which member.
//!
//! # Why busy is a sum
//!
//! httpd keeps one `busy` word per member. A child killed between an election and the end of its request leaves it one
//! too high for ever, and bybusyness then starves that member. Noting the lease somewhere and repairing the word later is
//! never exact either: between the note and the increment lies an instruction at which SIGKILL can strike, and afterwards
//! nobody can tell on which side of it.
//!
//! So nobody counts together. Each process has a row of cells, one per member and kind of lease, which only that process
//! writes. A member's busy count is the sum of its cells over all processes; settling a dead process is zeroing its row.
//! Whatever instruction it died at, the row was its own, and nothing else ever contained its share. The hot path
//! increments a word on a line that no other process writes.
//!
//! ```text
//!               member 0   member 1   member 2
//! process 0        1          0          0
//! process 1        2          0          1      ← killed here: the row is zeroed, and busy is exact again
//! process 2        0          1          0
//!               ────────   ────────   ────────
//! busy             3          1          1
//! ```
//!
//! The sum runs to the highest process in use, which is kept low by handing out the lowest free record. The slot also
//! notes what its exchange has leased, before it counts, so that a page can show which requests keep a member busy.

use crate::atomic::{AtomicU32, Ordering};
use crate::board::Board;
use crate::reader::is_running;
use crate::score::{LeaseKind, ProcessScore, ProcessState};

/// What a dead process held when it was settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// For each member and kind that it held something of: member, kind, how much.
    pub leases: Vec<(u32, LeaseKind, u32)>,
    /// Its slots that were in use.
    pub slots: u32,
    /// Whether it held the edit lock.
    pub had_edit_lock: bool,
}

impl Board {
    /// Take the lowest free process record for a child about to be forked. `pid` may be 0 until the fork has told it.
    ///
    /// Only the parent calls this.
    pub fn claim_process(&self, pid: u32, generation: u32, now_ms: u64) -> Option<u32> {
        let is_free = |process: &ProcessScore| process.state() == Some(ProcessState::Free);
        let index = self.processes().iter().position(is_free)?;
        let index = u32::try_from(index).expect("the capacity is a u32");
        self.clear_process(index);
        self.process(index).claim(pid, generation, now_ms);
        for slot in self.slots(index) {
            slot.generation.store(generation, Ordering::Relaxed);
        }
        // Raised before the child can claim anything, so that no sum misses it.
        self.global()
            .processes_high
            .fetch_max(index + 1, Ordering::Release);
        Some(index)
    }

    /// Settle and free the record of a child that is gone, or that was never forked.
    ///
    /// Only the parent calls this, after reaping.
    pub fn free_process(&self, process: u32) -> Settled {
        let score = self.process(process);
        score.set_state(ProcessState::Dead);
        let settled = self.settle_dead(process);
        score.settle();
        score.pid.store(0, Ordering::Relaxed);
        score.set_state(ProcessState::Free);
        let in_use = |process: &ProcessScore| process.state() != Some(ProcessState::Free);
        let high = self.processes().iter().rposition(in_use);
        let high = high.map_or(0, |last| u32::try_from(last + 1).expect("a u32 capacity"));
        self.global().processes_high.store(high, Ordering::Release);
        settled
    }

    /// Take back everything a dead process held: its leases, its slots, its locks. Exact whatever it was doing when it
    /// died, and harmless when repeated.
    ///
    /// Only the parent calls this, after reaping: a process that still runs would go on counting.
    pub fn settle_dead(&self, process: u32) -> Settled {
        let pid = self.process(process).pid.load(Ordering::Relaxed);
        let mut settled = self.clear_process(process);
        if pid != 0 {
            settled.had_edit_lock = self.forfeit(pid);
        }
        settled
    }

    /// Free every lock that a dead process held: the edit lock, and texts it was writing. Returns whether it held the
    /// edit lock.
    pub fn forfeit(&self, pid: u32) -> bool {
        for member in self.members() {
            member.reason.forfeit(pid);
        }
        self.edit_lock().forfeit(pid)
    }

    /// Free the edit lock if whoever holds it is gone. Once a second: the operator's tool is nobody's child, so nobody
    /// reaps it. Returns the pid that held it.
    pub fn recover_edit_lock(&self) -> Option<u32> {
        let gone = self
            .edit_lock()
            .owner()
            .filter(|&pid| !is_running(pid, 0))?;
        self.forfeit(gone).then_some(gone)
    }

    fn clear_process(&self, process: u32) -> Settled {
        let mut settled = Settled::default();
        for &kind in LeaseKind::ALL {
            for (member, cell) in (0..).zip(self.claim_row(process, kind)) {
                let held = cell.swap(0, Ordering::Relaxed);
                if held > 0 {
                    settled.leases.push((member, kind, held));
                }
            }
        }
        for slot in self.slots(process) {
            settled.slots += u32::from(slot.status.load(Ordering::Relaxed) != 0);
            slot.settle();
        }
        settled
    }

    /// Claim a member for the exchange in a slot: note it in the slot, then count it in the process's row.
    ///
    /// # Panics
    ///
    /// There is no such process, slot or member.
    pub fn claim(&self, process: u32, slot: u32, member: u32, kind: LeaseKind) {
        let score = self.slot(process, slot);
        score.lease_kind.store(kind.word(), Ordering::Relaxed);
        score.lease_member.store(member + 1, Ordering::Relaxed);
        score.member.store(member + 1, Ordering::Relaxed);
        self.add(process, member, kind);
    }

    /// Give back what [`Board::claim`] claimed for the exchange in a slot.
    ///
    /// # Panics
    ///
    /// There is no such process, slot or member.
    pub fn release(&self, process: u32, slot: u32, member: u32, kind: LeaseKind) {
        self.remove(process, member, kind);
        self.detach(process, slot);
    }

    /// Forget in a slot what its exchange has leased, because the exchange goes on without the slot. The count stays until
    /// [`Board::busy_dec`].
    ///
    /// # Panics
    ///
    /// There is no such process or slot.
    pub fn detach(&self, process: u32, slot: u32) {
        let score = self.slot(process, slot);
        score.lease_member.store(0, Ordering::Relaxed);
        score.lease_kind.store(0, Ordering::Relaxed);
    }

    /// Count one more exchange of this process at a member: for an exchange without a slot.
    ///
    /// # Panics
    ///
    /// There is no such process or member.
    pub fn busy_inc(&self, process: u32, member: u32) {
        self.add(process, member, LeaseKind::Busy);
    }

    /// Count one exchange of this process at a member less. Below zero it stays at zero.
    ///
    /// # Panics
    ///
    /// There is no such process or member.
    pub fn busy_dec(&self, process: u32, member: u32) {
        self.remove(process, member, LeaseKind::Busy);
    }

    /// Exchanges at a member now, over all processes.
    #[must_use]
    pub fn busy(&self, member: u32) -> u64 {
        self.held(member, LeaseKind::Busy)
    }

    /// What all processes together hold of one kind at a member.
    #[must_use]
    pub fn held(&self, member: u32, kind: LeaseKind) -> u64 {
        self.rows(kind)
            .filter_map(|row| row.get(member as usize))
            .map(|cell| u64::from(cell.load(Ordering::Relaxed)))
            .sum()
    }

    /// Busy counts of many members in one pass over the rows: `busy[i]` becomes that of member `first + i`.
    pub fn busy_into(&self, first: u32, busy: &mut [u64]) {
        busy.fill(0);
        for row in self.rows(LeaseKind::Busy) {
            let cells = row.get(first as usize..).unwrap_or_default();
            for (sum, cell) in busy.iter_mut().zip(cells) {
                *sum += u64::from(cell.load(Ordering::Relaxed));
            }
        }
    }

    /// The rows of one kind, of every process that may hold anything.
    fn rows(&self, kind: LeaseKind) -> impl Iterator<Item = &[AtomicU32]> {
        let high = self.global().processes_high.load(Ordering::Acquire);
        let high = high.min(self.capacity().processes);
        (0..high).map(move |process| self.claim_row(process, kind))
    }

    fn add(&self, process: u32, member: u32, kind: LeaseKind) {
        self.cell(process, member, kind)
            .fetch_add(1, Ordering::Relaxed);
    }

    fn remove(&self, process: u32, member: u32, kind: LeaseKind) {
        let one_less = |held: u32| held.checked_sub(1);
        let before = self.cell(process, member, kind).fetch_update(
            Ordering::Relaxed,
            Ordering::Relaxed,
            one_less,
        );
        debug_assert!(before.is_ok(), "a lease was given back twice");
    }

    fn cell(&self, process: u32, member: u32, kind: LeaseKind) -> &AtomicU32 {
        self.claim_row(process, kind)
            .get(member as usize)
            .expect("member indices are handed out by the board")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Capacity;
    use crate::score::Status;

    fn board() -> Board {
        Board::heap(&Capacity {
            processes: 3,
            slots_per_process: 2,
            balancers: 1,
            members: 40,
        })
        .unwrap()
    }

    #[test]
    fn busy_is_the_sum_over_processes_and_a_dead_one_takes_its_share_with_it() {
        let board = board();
        let (a, b) = (
            board.claim_process(10, 1, 0).unwrap(),
            board.claim_process(11, 1, 0).unwrap(),
        );
        board.claim(a, 0, 7, LeaseKind::Busy);
        board.claim(b, 0, 7, LeaseKind::Busy);
        board.claim(b, 1, 39, LeaseKind::Queue);
        board.busy_inc(b, 7);
        assert_eq!(board.busy(7), 3);
        assert_eq!(board.held(39, LeaseKind::Queue), 1);
        assert_eq!(board.slot(b, 1).lease(), Some((39, LeaseKind::Queue)));
        let mut busy = [9; 3];
        board.busy_into(6, &mut busy);
        assert_eq!(busy, [0, 3, 0]);

        let settled = board.free_process(b);
        assert_eq!(
            settled.leases,
            [(7, LeaseKind::Busy, 2), (39, LeaseKind::Queue, 1)]
        );
        assert_eq!(board.busy(7), 1, "the living child's lease stays");
        assert_eq!(board.slot(b, 1).lease(), None);
        board.release(a, 0, 7, LeaseKind::Busy);
        assert_eq!(board.busy(7), 0);
        assert_eq!(
            board.settle_dead(b),
            Settled::default(),
            "twice is harmless"
        );
    }

    #[test]
    fn an_exchange_that_left_its_slot_still_counts() {
        let board = board();
        let a = board.claim_process(10, 1, 0).unwrap();
        board.claim(a, 0, 7, LeaseKind::Busy);
        board.detach(a, 0);
        assert_eq!(board.slot(a, 0).lease(), None);
        board.claim(a, 0, 8, LeaseKind::Busy);
        assert_eq!((board.busy(7), board.busy(8)), (1, 1));
        board.busy_dec(a, 7);
        assert_eq!(
            board.slot(a, 0).lease(),
            Some((8, LeaseKind::Busy)),
            "the slot is another exchange's by now"
        );
        assert_eq!((board.busy(7), board.busy(8)), (0, 1));
    }

    #[test]
    fn the_lowest_free_record_goes_first_and_the_sum_stays_short() {
        let board = board();
        let high = || board.global().processes_high.load(Ordering::Relaxed);
        for (pid, index) in [(10, 0), (11, 1), (12, 2)] {
            assert_eq!(board.claim_process(pid, 1, 0), Some(index));
        }
        assert_eq!(board.claim_process(13, 1, 0), None);
        board.free_process(1);
        assert_eq!(high(), 3);
        board.free_process(2);
        assert_eq!(high(), 1);
        assert_eq!(board.claim_process(14, 2, 0), Some(1));
        assert_eq!(high(), 2);
    }

    #[test]
    fn totals_never_go_backwards_while_children_come_and_go() {
        let board = board();
        let mut last = 0;
        for pid in 1..20 {
            let process = board.claim_process(pid, 1, 0).unwrap();
            board.process(process).count(100, 5, 0);
            board.slot(process, 0).count(100, 5, 0);
            let snapshot = board.snapshot();
            assert_eq!(snapshot.processes[0].accesses, 1, "this child's own");
            assert_eq!(snapshot.slots[0].child_accesses, 1);
            assert_eq!(snapshot.slots[0].accesses, u64::from(pid));
            assert_eq!(snapshot.totals.accesses, last + 1);
            board.free_process(process);
            last = board.totals().accesses;
            assert_eq!(board.totals().bytes, last * 100);
        }
        assert_eq!(last, 19);
    }

    #[test]
    fn reaping_a_child_frees_its_slots_and_locks() {
        let board = board();
        let process = board.claim_process(10, 1, 0).unwrap();
        board.slot(process, 1).set_status(Status::Write, 5);
        core::mem::forget(board.edit_lock().try_lock(10).unwrap());
        let settled = board.free_process(process);
        assert_eq!(settled.slots, 1);
        assert!(settled.had_edit_lock);
        assert_eq!(board.slot(process, 1).status(), Some(Status::Dead));
        assert!(board.edit_lock().try_lock(11).is_some());
    }

    #[test]
    fn an_editor_that_is_nobody_s_child_does_not_lock_for_ever() {
        let board = board();
        let own = std::process::id();
        let guard = board.edit_lock().try_lock(own).unwrap();
        assert_eq!(board.recover_edit_lock(), None, "the holder runs");
        drop(guard);
        // No process has this pid: it is above what any kernel hands out.
        let gone = i32::MAX.unsigned_abs();
        core::mem::forget(board.edit_lock().try_lock(gone).unwrap());
        assert_eq!(board.recover_edit_lock(), Some(gone));
    }
}
