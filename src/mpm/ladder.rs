//! How a child that was told to end is made to end.
//!
//! Responsible for: the times of httpd's ladder. Pure: takes `now`. Not responsible for: sending.
//!
//! ```text
//!   0 s TERM   3 s TERM   5 s TERM   7 s TERM   9 s KILL   10 s given up
//! ```
//!
//! httpd: `ap_reclaim_child_processes`.

use std::time::{Duration, Instant};

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rung {
    /// Ask again.
    Term,
    /// Do not ask.
    Kill,
    /// Even that has not helped.
    GiveUp,
}

/// Where one child stands. The first TERM was sent when this was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ladder {
    begun: Instant,
    /// Steps taken of [`STEPS`].
    taken: usize,
}

impl Ladder {
    /// The child was told at `now`.
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            begun: now,
            taken: 0,
        }
    }

    /// The step that is due, if one is; to be called until none is.
    pub(super) fn due(&mut self, now: Instant) -> Option<Rung> {
        let (after, rung) = *STEPS.get(self.taken)?;
        if now < self.begun + after {
            return None;
        }
        self.taken += 1;
        Some(rung)
    }

    /// When the next step is due; `None` when all were taken.
    pub(super) fn next(&self) -> Option<Instant> {
        STEPS.get(self.taken).map(|(after, _)| self.begun + *after)
    }

    /// Skip what is before KILL.
    pub(super) fn hurry(&mut self, now: Instant) {
        let kill = STEPS.len() - 2;
        if self.taken <= kill
            && let Some((after, _)) = STEPS.get(kill)
        {
            self.taken = kill;
            // So that KILL is due now, and giving up a second later. A machine that has not run for nine seconds has no such moment.
            self.begun = now.checked_sub(*after).unwrap_or(self.begun);
        }
    }

    /// Whether all steps were taken in vain.
    pub(super) fn is_given_up(&self) -> bool {
        self.taken == STEPS.len()
    }
}

const STEPS: [(Duration, Rung); 5] = [
    (Duration::from_secs(3), Rung::Term),
    (Duration::from_secs(5), Rung::Term),
    (Duration::from_secs(7), Rung::Term),
    (Duration::from_secs(9), Rung::Kill),
    (Duration::from_secs(10), Rung::GiveUp),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock;

    #[test]
    fn the_steps_come_at_httpds_times() {
        let begun = clock::now().instant;
        let mut ladder = Ladder::begin(begun);
        let seen: Vec<(u64, Rung)> = (0..12)
            .filter_map(|s| Some((s, ladder.due(begun + Duration::from_secs(s))?)))
            .collect();
        assert_eq!(
            seen,
            [
                (3, Rung::Term),
                (5, Rung::Term),
                (7, Rung::Term),
                (9, Rung::Kill),
                (10, Rung::GiveUp)
            ]
        );
        assert!(ladder.is_given_up());
        assert_eq!(ladder.next(), None);
    }

    #[test]
    fn hurry_kills_now_and_gives_up_a_second_later() {
        let begun = clock::now().instant;
        let mut ladder = Ladder::begin(begun);
        let now = begun + Duration::from_secs(1);
        ladder.hurry(now);
        assert_eq!(ladder.due(now), Some(Rung::Kill));
        assert_eq!(ladder.due(now), None);
        assert_eq!(ladder.next(), Some(now + Duration::from_secs(1)));
        ladder.hurry(now);
        assert_eq!(ladder.due(now), None, "KILL is sent once");
    }
}
