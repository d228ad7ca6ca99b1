//! Real processes on one board: counting together, and being killed at any instruction.

#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "tests of shared memory have to fork")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use scoreboard::{Board, Capacity, LeaseKind, MemberInit, PLAIN, SlotRange, Status};

/// Run `work` in a child that never comes back into the test.
fn spawn(work: impl FnOnce()) -> Pid {
    // SAFETY: the child runs only `work`, which uses the board and its own memory, and then ends without returning.
    let forked = unsafe { fork() }.unwrap();
    match forked {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let code = i32::from(catch_unwind(AssertUnwindSafe(work)).is_err());
            // SAFETY: ends the process; nothing of the test harness is to be unwound here.
            unsafe { libc::_exit(code) }
        }
    }
}

fn reap(pid: Pid) -> WaitStatus {
    waitpid(pid, None).unwrap()
}

fn number(pid: Pid) -> u32 {
    pid.as_raw().unsigned_abs()
}

fn board(processes: u32) -> Board {
    let board = Board::anonymous(&Capacity {
        processes,
        slots_per_process: 4,
        balancers: 1,
        members: 5,
    })
    .unwrap();
    for member in 0..5 {
        let url = format!("http://10.0.0.{member}/");
        board
            .register_member(PLAIN, &url, &MemberInit::default())
            .unwrap();
    }
    board
}

#[test]
fn eight_children_count_and_nothing_is_lost() {
    const EACH: u64 = 10_000;
    let board = board(8);
    let children: Vec<(u32, Pid)> = (0..8)
        .map(|_| {
            let process = board.claim_process(0, 1, 0).unwrap();
            let child = spawn(|| {
                for round in 0..EACH {
                    let member = board.member(u32::try_from(round % 5).unwrap());
                    for candidate in board.members() {
                        candidate.grant(100);
                    }
                    member.charge(500);
                    member.elected.fetch_add(1, Ordering::Relaxed);
                    board.busy_inc(process, 0);
                    board.process(process).count(10, 1, 0);
                    board.slot(process, 0).count(10, 1, 0);
                    board.busy_dec(process, 0);
                }
                board.busy_inc(process, 1);
            });
            (process, child)
        })
        .collect();
    for &(_, child) in &children {
        assert_eq!(reap(child), WaitStatus::Exited(child, 0));
    }
    let snapshot = board.snapshot();
    assert_eq!(snapshot.totals.accesses, 8 * EACH);
    assert_eq!(snapshot.totals.bytes, 80 * EACH);
    assert_eq!(
        snapshot.members.iter().map(|m| m.elected).sum::<u64>(),
        8 * EACH
    );
    assert_eq!(snapshot.members.iter().map(|m| m.lbstatus).sum::<i64>(), 0);
    assert_eq!(board.busy(0), 0);
    assert_eq!(board.busy(1), 8);
    for (process, _) in children {
        board.free_process(process);
    }
    assert_eq!(board.busy(1), 0);
    assert_eq!(board.totals().accesses, 8 * EACH);
}

#[test]
fn children_killed_in_mid_work_leave_every_busy_count_at_zero() {
    const CHILDREN: u32 = 4;
    const ROUNDS: u64 = 60;
    let board = board(CHILDREN);
    let mut accesses = 0;
    for round in 0..ROUNDS {
        let children: Vec<(u32, Pid)> = (0..CHILDREN)
            .map(|_| {
                let process = board.claim_process(0, 1, 0).unwrap();
                let child = spawn(|| work_for_ever(&board, process));
                let score = board.process(process);
                score.pid.store(number(child), Ordering::Relaxed);
                (process, child)
            })
            .collect();
        for &(process, child) in &children {
            wait_until_it_works(&board, process, 20 + round % 7);
            kill(child, Signal::SIGKILL).unwrap();
        }
        for &(process, child) in &children {
            assert!(matches!(
                reap(child),
                WaitStatus::Signaled(_, Signal::SIGKILL, _)
            ));
            board.free_process(process);
        }
        for (member, score) in (0..).zip(board.members()) {
            for &kind in LeaseKind::ALL {
                assert_eq!(
                    board.held(member, kind),
                    0,
                    "round {round}, member {member}"
                );
            }
            assert!(score.reason.set_shared(1, b"fine"), "a text stayed open");
        }
        assert!(board.edit_lock().try_lock(1).is_some());
        let snapshot = board.snapshot();
        assert!(snapshot.processes.is_empty());
        assert!(
            snapshot
                .slots
                .iter()
                .all(|slot| slot.letter == '.' && slot.lease.is_none())
        );
        assert!(snapshot.totals.accesses > accesses);
        accesses = snapshot.totals.accesses;
    }
}

#[test]
fn one_child_killed_takes_nothing_from_the_others() {
    let board = board(3);
    let steady = board.claim_process(1, 1, 0).unwrap();
    board.claim(steady, 0, 2, LeaseKind::Busy);
    for round in 0..20 {
        let process = board.claim_process(0, 1, 0).unwrap();
        let child = spawn(|| work_for_ever(&board, process));
        board
            .process(process)
            .pid
            .store(number(child), Ordering::Relaxed);
        wait_until_it_works(&board, process, 5 + round % 3);
        kill(child, Signal::SIGKILL).unwrap();
        reap(child);
        board.free_process(process);
        let mut busy = [0; 5];
        board.busy_into(0, &mut busy);
        assert_eq!(busy, [0, 0, 1, 0, 0], "round {round}");
    }
}

/// What a child does all day, as fast as it can, until it is killed.
fn work_for_ever(board: &Board, process: u32) {
    let pid = std::process::id();
    let mut slots = SlotRange::new(0, 4);
    let kinds = LeaseKind::ALL.iter().copied().cycle();
    for (round, kind) in (0_u64..).zip(kinds) {
        let member = u32::try_from(round % 5).unwrap();
        let slot = slots.take().unwrap();
        let score = board.slot(process, slot);
        score.set_status(Status::Write, round);
        score
            .request
            .set(b"GET /a/rather/long/path?with=a&query=string HTTP/1.1");
        board.claim(process, slot, member, kind);
        if let Some(_guard) = board.edit_lock().try_lock(pid) {
            board
                .member(member)
                .explain(pid, b"connection refused by the test", round);
        }
        board.process(process).count(1, 1, round);
        score.count(1, 1, round);
        board.release(process, slot, member, kind);
        score.set_status(Status::Ready, round);
        slots.give(slot);
    }
}

fn wait_until_it_works(board: &Board, process: u32, requests: u64) {
    let score = board.process(process);
    let before = score.accesses_before.load(Ordering::Relaxed);
    while score.accesses.load(Ordering::Relaxed) - before < requests {
        std::thread::yield_now();
    }
}
