//! Who is busy: the letters of the scoreboard and the counts that httpd derives from them.
//!
//! Responsible for: one pass over a snapshot's slots. Not responsible for: what a letter means to an exchange; the engine writes them.
//!
//! Know first: as in httpd, slots beyond what the configuration allows are not shown, and a child that is finishing counts for nothing
//! but its unfinished requests, which are *graceful*, not busy.

use scoreboard::{ProcessState, ProcessView, SlotView, Snapshot, Status};

/// What the slots are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Slots with a request, or a connection that waits for one.
    pub busy: u32,
    /// Slots whose child takes no more requests and finishes these.
    pub graceful: u32,
    /// Slots ready for a request.
    pub idle: u32,
    /// Slots that no child has.
    pub open: u32,
}

impl Counts {
    /// Counts the slots of all children.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut all = Self::default();
        for process in &snapshot.processes {
            let one = Self::of_process(snapshot, process);
            all.busy += one.busy;
            all.graceful += one.graceful;
            all.idle += one.idle;
        }
        let shown = shown_slots(snapshot)
            .filter(|slot| slot.status == Some(Status::Dead))
            .count();
        all.open = u32::try_from(shown).unwrap_or(u32::MAX);
        all
    }

    /// Counts the slots of one child.
    #[must_use]
    pub fn of_process(snapshot: &Snapshot, process: &ProcessView) -> Self {
        let mut counts = Self::default();
        let is_leaving = is_leaving(process);
        for slot in slots_of(snapshot, process.index) {
            match slot.status {
                Some(Status::Ready) if is_leaving => {}
                Some(Status::Ready) => counts.idle += 1,
                Some(Status::Dead | Status::Starting | Status::IdleKill) | None => {}
                Some(Status::Graceful) => counts.graceful += 1,
                Some(
                    Status::Read
                    | Status::Write
                    | Status::KeepAlive
                    | Status::Log
                    | Status::Dns
                    | Status::Closing,
                ) if is_leaving => counts.graceful += 1,
                Some(_) => counts.busy += 1,
            }
        }
        counts
    }
}

/// Whether a child takes nothing new.
#[must_use]
pub fn is_leaving(process: &ProcessView) -> bool {
    process.state == Some(ProcessState::Quiescing)
}

/// The slots of one child.
pub fn slots_of(snapshot: &Snapshot, process: u32) -> impl Iterator<Item = &SlotView> {
    let each = snapshot.global.capacity.slots_per_process as usize;
    let start = process as usize * each;
    snapshot
        .slots
        .get(start..start + each)
        .unwrap_or_default()
        .iter()
}

/// The slots that are shown: those that the configuration allows, and any beyond that are in use all the same.
pub fn shown_slots(snapshot: &Snapshot) -> impl Iterator<Item = &SlotView> {
    let limit = snapshot.global.processes_limit;
    snapshot
        .slots
        .iter()
        .filter(move |slot| slot.process < limit || slot.status != Some(Status::Dead))
}

/// The letters of all shown slots.
#[must_use]
pub fn letters(snapshot: &Snapshot) -> String {
    shown_slots(snapshot).map(|slot| slot.letter).collect()
}

/// Letters in rows of httpd's width.
pub fn rows(letters: &str) -> impl Iterator<Item = &str> {
    // Letters are ASCII, so bytes are characters; anything else would end the rows early, not panic.
    (0..letters.len())
        .step_by(ROW)
        .map_while(|start| letters.get(start..(start + ROW).min(letters.len())))
}

/// Letters in a row.
pub const ROW: usize = 64;

/// What the letters mean, in httpd's words and order.
pub const KEY: [(char, &str); 11] = [
    ('_', "Waiting for Connection"),
    ('S', "Starting up"),
    ('R', "Reading Request"),
    ('W', "Sending Reply"),
    ('K', "Keepalive (read)"),
    ('D', "DNS Lookup"),
    ('C', "Closing connection"),
    ('L', "Logging"),
    ('G', "Gracefully finishing"),
    ('I', "Idle cleanup of worker"),
    ('.', "Open slot with no current process"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::sample;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn a_child_that_finishes_is_not_busy_but_graceful() {
        let board = sample::board(3, 4);
        for (index, state) in [(0, ProcessState::Ready), (1, ProcessState::Quiescing)] {
            let process = board.claim_process(100 + index, 1, 0).unwrap();
            board.process(process).set_state(state);
            let statuses = [
                Status::Ready,
                Status::Write,
                Status::KeepAlive,
                Status::Graceful,
            ];
            for (slot, status) in board.slots(process).iter().zip(statuses) {
                slot.set_status(status, 0);
            }
        }
        let snapshot = board.snapshot();
        assert_eq!(letters(&snapshot), "_WKG_WKG....");
        assert_eq!(
            Counts::of(&snapshot),
            Counts {
                busy: 2,
                graceful: 4,
                idle: 1,
                open: 4
            }
        );
    }

    #[test]
    fn slots_beyond_the_configuration_are_hidden_unless_in_use() {
        let board = sample::board(3, 1);
        board.global().processes_limit.store(1, Relaxed);
        for pid in 1..=3 {
            let process = board.claim_process(pid, 1, 0).unwrap();
            board.slot(process, 0).set_status(Status::Ready, 0);
        }
        assert_eq!(letters(&board.snapshot()), "___");
        board.free_process(2);
        assert_eq!(letters(&board.snapshot()), "__");
    }

    #[test]
    fn rows_are_64_wide() {
        let widths = |count: usize| rows(&"_".repeat(count)).map(str::len).collect::<Vec<_>>();
        assert_eq!(widths(0), []);
        assert_eq!(widths(64), [64]);
        assert_eq!(widths(130), [64, 64, 2]);
        assert_eq!(rows("ä?").count(), 1);
    }
}
