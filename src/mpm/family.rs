//! The children that the parent has.
//!
//! Responsible for: who they are, what each was told last, and telling them. Not responsible for: making them or deciding what they are
//! told, see `parent`.
//!
//! Know first: only children of the generation in force are [`Stage::Serving`]; a restart moves all others on: to [`Stage::Holding`] first,
//! and further when a new child has shown that it can serve.

use super::backoff::CHILDHOOD;
use super::ladder::{Ladder, Rung};
use super::{Mpm, Role, Settled};
use crate::sys::control::{Order, Tether};
use crate::sys::process::Pid;
use crate::sys::signals::Signal;
use scoreboard::{Board, ProcessState};
use std::cmp::Reverse;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// One child.
#[derive(Debug)]
pub(super) struct Kid {
    pub(super) pid: Pid,
    pub(super) role: Role,
    pub(super) generation: u32,
    pub(super) born: Instant,
    /// Its record, on the board of its generation.
    pub(super) index: u32,
    pub(super) board: &'static Board,
    pub(super) tether: Tether,
    pub(super) stage: Stage,
}

/// What a child was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing.
    Serving,
    /// Nothing yet: it serves on until a child of the new generation does.
    Holding,
    /// To finish what it has.
    Draining,
    /// To end now.
    Quitting(Ladder),
}

impl Kid {
    /// Whether it accepts connections, as far as the parent has told it.
    pub(super) fn is_serving(&self) -> bool {
        self.role == Role::Serve && self.stage == Stage::Serving
    }

    /// How the child itself says that it is doing.
    pub(super) fn state(&self) -> Option<ProcessState> {
        self.board.process(self.index).state()
    }

    /// Whether it has shown that it can serve: it says so, or it has lived for a while.
    pub(super) fn is_proven(&self, now: Instant) -> bool {
        self.state() == Some(ProcessState::Ready)
            || now.saturating_duration_since(self.born) >= CHILDHOOD
    }

    /// Slots without work, of `settled.shape.slots`.
    fn idle(&self, settled: &Settled) -> u32 {
        match self.state() {
            Some(ProcessState::Starting) => settled.shape.slots,
            Some(ProcessState::Ready) => settled.shape.slots.saturating_sub(self.busy(settled)),
            // Written by the child, so any word may be there: what is not known to be idle is not.
            Some(ProcessState::Quiescing | ProcessState::Dead | ProcessState::Free) | None => 0,
        }
    }

    /// Slots that cannot take a new request now.
    fn busy(&self, settled: &Settled) -> u32 {
        let record = self.board.process(self.index);
        let slots = record.slots_taken.load(Ordering::Relaxed);
        match settled.mpm {
            // A child whose connections are used up, by tunnels for instance, has no use for its free slots.
            Mpm::Event => {
                let shape = &settled.shape;
                let connections = record.connections.load(Ordering::Relaxed);
                let free = shape
                    .threads
                    .saturating_mul(shape.connections)
                    .saturating_sub(connections);
                slots.max(shape.slots.saturating_sub(free))
            }
            // One connection per loop: one that is kept alive without a request occupies the loop as well.
            Mpm::Prefork | Mpm::Worker => slots.max(record.connections.load(Ordering::Relaxed)),
        }
    }

    fn drain(&mut self) {
        self.stage = Stage::Draining;
        // A wire that cannot be written to belongs to a child that has ended, or to one that needs the signal.
        if self.tether.tell(Order::Drain).is_err() {
            self.signal(Signal::Graceful);
        }
    }

    fn quit(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Quitting(_)) {
            self.stage = Stage::Quitting(Ladder::begin(now));
            self.signal(Signal::Terminate);
        }
    }

    fn signal(&self, signal: Signal) {
        // It was not reaped yet, so the pid is still its own; a zombie takes signals without effect.
        self.pid.signal(signal).unwrap_or_default();
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Family {
    kids: Vec<Kid>,
}

impl Family {
    pub(super) fn add(&mut self, kid: Kid) {
        self.kids.push(kid);
    }

    /// Forget a child that was reaped.
    pub(super) fn remove(&mut self, pid: Pid) -> Option<Kid> {
        let at = self.kids.iter().position(|kid| kid.pid == pid)?;
        Some(self.kids.swap_remove(at))
    }

    /// Let go of all, as a newborn does with its siblings.
    pub(super) fn forget(&mut self) {
        self.kids.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kids.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Kid> {
        self.kids.iter()
    }

    pub(super) fn serving(&self) -> impl Iterator<Item = &Kid> {
        self.kids.iter().filter(|kid| kid.is_serving())
    }

    pub(super) fn has_probe(&self) -> bool {
        let is_probe = |kid: &Kid| kid.role == Role::Probe && kid.stage == Stage::Serving;
        self.kids.iter().any(is_probe)
    }

    /// Idle slots of those that serve.
    pub(super) fn idle(&self, settled: &Settled) -> u32 {
        let idle = self.serving().map(|kid| kid.idle(settled));
        idle.fold(0, u32::saturating_add)
    }

    /// Children that have begun to drain by themselves are draining; says how many were found.
    pub(super) fn note_drained(&mut self) -> u32 {
        let mut found = 0;
        for kid in &mut self.kids {
            if kid.is_serving() && kid.state() == Some(ProcessState::Quiescing) {
                kid.stage = Stage::Draining;
                found += 1;
            }
        }
        found
    }

    /// Drain the child that loses least by it: the one with the least work, the youngest among equals.
    pub(super) fn retire_one(&mut self, settled: &Settled) -> Option<Pid> {
        let serving = self.kids.iter_mut().filter(|kid| kid.is_serving());
        let kid = serving.min_by_key(|kid| (kid.busy(settled), Reverse(kid.born)))?;
        kid.drain();
        Some(kid.pid)
    }

    /// All that are not of `generation` serve on until they are relieved.
    pub(super) fn hold_others(&mut self, generation: u32) {
        for kid in &mut self.kids {
            if kid.stage == Stage::Serving && kid.generation != generation {
                kid.stage = Stage::Holding;
            }
        }
    }

    /// Drain those that hold on.
    pub(super) fn relieve(&mut self) {
        for kid in &mut self.kids {
            if kid.stage == Stage::Holding {
                kid.drain();
            }
        }
    }

    /// Drain all that serve.
    pub(super) fn drain_all(&mut self) {
        for kid in &mut self.kids {
            if matches!(kid.stage, Stage::Serving | Stage::Holding) {
                kid.drain();
            }
        }
    }

    /// End all that are not of `generation`.
    pub(super) fn quit_others(&mut self, generation: u32, now: Instant) {
        for kid in &mut self.kids {
            if kid.generation != generation {
                kid.quit(now);
            }
        }
    }

    /// End all.
    pub(super) fn quit_all(&mut self, now: Instant) {
        for kid in &mut self.kids {
            kid.quit(now);
        }
    }

    /// No more patience with those that were told to end.
    pub(super) fn hurry(&mut self, now: Instant) {
        for kid in &mut self.kids {
            if let Stage::Quitting(ladder) = &mut kid.stage {
                ladder.hurry(now);
            }
        }
    }

    /// Take the steps that are due with those that were told to end; says which were taken.
    pub(super) fn climb(&mut self, now: Instant) -> Vec<(Pid, Rung)> {
        let mut taken = Vec::new();
        for kid in &mut self.kids {
            while let Stage::Quitting(ladder) = &mut kid.stage
                && let Some(rung) = ladder.due(now)
            {
                match rung {
                    Rung::Term => kid.signal(Signal::Terminate),
                    Rung::Kill => kid.signal(Signal::Kill),
                    Rung::GiveUp => {}
                }
                taken.push((kid.pid, rung));
            }
        }
        taken
    }

    /// When the next such step is due.
    pub(super) fn next_rung(&self) -> Option<Instant> {
        let ladders = self.kids.iter().filter_map(|kid| match &kid.stage {
            Stage::Quitting(ladder) => ladder.next(),
            Stage::Serving | Stage::Holding | Stage::Draining => None,
        });
        ladders.min()
    }

    /// Whether there is nobody left to wait for.
    pub(super) fn is_hopeless(&self) -> bool {
        self.kids.iter().all(|kid| match &kid.stage {
            Stage::Quitting(ladder) => ladder.is_given_up(),
            Stage::Serving | Stage::Holding | Stage::Draining => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::*;
    use crate::sys::{clock, control};
    use scoreboard::Capacity;
    use std::process::{Child, Command};

    /// Stand-ins for children: processes that only sleep.
    struct Nursery {
        board: &'static Board,
        sleepers: Vec<Child>,
        family: Family,
    }

    impl Nursery {
        fn new(count: u32, generation: u32) -> Self {
            let capacity = Capacity {
                processes: 8,
                slots_per_process: 4,
                balancers: 1,
                members: 1,
            };
            let board = Box::leak(Box::new(Board::heap(&capacity).expect("a board")));
            let mut nursery = Self {
                board,
                sleepers: Vec::new(),
                family: Family::default(),
            };
            (0..count).for_each(|_| nursery.bear(generation));
            nursery
        }

        fn bear(&mut self, generation: u32) {
            let sleeper = Command::new("sleep").arg("600").spawn().expect("sleep");
            let pid = Pid::from_number(sleeper.id()).expect("a pid");
            let index = self.board.claim_process(pid.number(), generation, 0);
            self.sleepers.push(sleeper);
            self.family.add(Kid {
                pid,
                role: Role::Serve,
                generation,
                born: clock::now().instant,
                index: index.expect("room"),
                board: self.board,
                tether: control::pair().expect("a socketpair").0,
                stage: Stage::Serving,
            });
        }
    }

    impl Drop for Nursery {
        fn drop(&mut self) {
            for sleeper in &mut self.sleepers {
                // It may have ended already.
                drop(sleeper.kill());
                sleeper.wait().expect("collected");
            }
        }
    }

    fn worker() -> Settled {
        let limits = Limits {
            threads_per_child: Some(4),
            ..Limits::default()
        };
        limits.settle(Mpm::Worker, 2).0
    }

    #[test]
    fn idle_slots_follow_what_the_children_say() {
        let nursery = Nursery::new(2, 0);
        let settled = worker();
        assert_eq!(nursery.family.idle(&settled), 8, "starting counts as idle");
        let record = nursery.board.process(0);
        record.set_state(ProcessState::Ready);
        record.slots_taken.store(1, Ordering::Relaxed);
        record.connections.store(3, Ordering::Relaxed);
        assert_eq!(
            nursery.family.idle(&settled),
            5,
            "a kept-alive connection occupies a loop"
        );
        record.slots_taken.store(u32::MAX, Ordering::Relaxed);
        assert_eq!(nursery.family.idle(&settled), 4, "nonsense is not idle");
        record.set_state(ProcessState::Quiescing);
        assert_eq!(nursery.family.idle(&settled), 4);
    }

    #[test]
    fn a_child_full_of_tunnels_has_no_idle_slots() {
        let nursery = Nursery::new(1, 0);
        let limits = Limits {
            threads_per_child: Some(4),
            ..Limits::default()
        };
        let settled = limits.settle(Mpm::Event, 2).0;
        let most = settled.shape.threads * settled.shape.connections;
        let record = nursery.board.process(0);
        record.set_state(ProcessState::Ready);
        for (connections, idle) in [
            (0, 4),
            (most / 2, 4),
            (most - 3, 3),
            (most, 0),
            (u32::MAX, 0),
        ] {
            record.connections.store(connections, Ordering::Relaxed);
            assert_eq!(nursery.family.idle(&settled), idle, "{connections}");
        }
    }

    #[test]
    fn a_child_that_drains_by_itself_is_found_once() {
        let mut nursery = Nursery::new(2, 0);
        nursery.board.process(1).set_state(ProcessState::Quiescing);
        assert_eq!(nursery.family.note_drained(), 1);
        assert_eq!(nursery.family.note_drained(), 0);
        assert_eq!(nursery.family.serving().count(), 1);
    }

    #[test]
    fn the_least_busy_child_is_retired() {
        let mut nursery = Nursery::new(3, 0);
        for (index, taken) in [(0, 2), (1, 0), (2, 1)] {
            let record = nursery.board.process(index);
            record.set_state(ProcessState::Ready);
            record.slots_taken.store(taken, Ordering::Relaxed);
        }
        let idlest = nursery.family.kids[1].pid;
        assert_eq!(nursery.family.retire_one(&worker()), Some(idlest));
        assert_eq!(nursery.family.serving().count(), 2);
    }

    #[test]
    fn a_restart_moves_the_old_generation_on_and_leaves_the_new_one() {
        let mut nursery = Nursery::new(2, 0);
        nursery.bear(1);
        nursery.family.hold_others(1);
        assert_eq!(nursery.family.serving().count(), 1);
        nursery.family.relieve();
        let old = nursery.family.iter().filter(|kid| kid.generation == 0);
        assert!(old.into_iter().all(|kid| kid.stage == Stage::Draining));
        let now = clock::now().instant;
        nursery.family.quit_others(1, now);
        let quitting = nursery.family.iter().filter(|kid| kid.generation == 0);
        assert!(
            quitting
                .into_iter()
                .all(|kid| matches!(kid.stage, Stage::Quitting(_)))
        );
        assert_eq!(nursery.family.serving().count(), 1);
    }

    #[test]
    fn ends_by_and_by() {
        use std::time::Duration;
        let mut nursery = Nursery::new(1, 0);
        let now = clock::now().instant;
        assert!(!nursery.family.is_hopeless());
        nursery.family.quit_all(now);
        assert_eq!(
            nursery.family.next_rung(),
            Some(now + Duration::from_secs(3))
        );
        let pid = nursery.family.kids[0].pid;
        let late = now + Duration::from_secs(60);
        let taken: Vec<Rung> = nursery
            .family
            .climb(late)
            .into_iter()
            .map(|t| t.1)
            .collect();
        assert_eq!(
            taken,
            [Rung::Term, Rung::Term, Rung::Term, Rung::Kill, Rung::GiveUp]
        );
        assert!(nursery.family.is_hopeless());
        assert!(nursery.family.remove(pid).is_some());
        assert!(nursery.family.is_empty());
    }
}
