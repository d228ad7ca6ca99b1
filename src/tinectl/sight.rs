//! One look at a scoreboard: a snapshot, when it was taken, and what can be said of the server that made it.

use std::path::{Path, PathBuf};

use scoreboard::{Board, Liveness, MemberView, OpenError, Snapshot, Totals};
use tine::admin::units::approximate;

/// What one look at the file found.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) path: PathBuf,
    /// When the look was taken, unix ms.
    pub(crate) now_ms: u64,
    pub(crate) liveness: Liveness,
    pub(crate) snapshot: Snapshot,
    /// Work done since the look before, if there was one.
    pub(crate) rates: Option<Rates>,
}

/// What was done between two looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    pub(crate) interval_s: f64,
    pub(crate) accesses_per_s: f64,
    pub(crate) bytes_per_s: f64,
}

impl Sight {
    /// Looks at the file. It is opened anew each time, so that the next server's file is seen too.
    pub(crate) fn take(path: &Path, now_ms: u64, before: Option<&Self>) -> Result<Self, OpenError> {
        let reader = Board::open_read_only(path)?;
        let snapshot = reader.snapshot()?;
        let liveness = reader.state(now_ms)?;
        let rates = before.and_then(|before| before.rates_to(&snapshot, now_ms));
        Ok(Self {
            path: path.to_path_buf(),
            now_ms,
            liveness,
            snapshot,
            rates,
        })
    }

    fn rates_to(&self, now: &Snapshot, now_ms: u64) -> Option<Rates> {
        let is_same_server = self.snapshot.global.start_ms == now.global.start_ms;
        let interval_s = approximate(now_ms.saturating_sub(self.now_ms)) / 1000.0;
        if !is_same_server || interval_s <= 0.0 {
            return None;
        }
        let more = |of: fn(&Totals) -> u64| {
            let (new, old) = (of(&now.totals), of(&self.snapshot.totals));
            approximate(new.saturating_sub(old)) / interval_s
        };
        Some(Rates {
            interval_s,
            accesses_per_s: more(|totals| totals.accesses),
            bytes_per_s: more(|totals| totals.bytes),
        })
    }

    /// The moment that ages are counted to: now, or the last sign of life of a server that is gone.
    pub(crate) fn as_of_ms(&self) -> u64 {
        match self.liveness {
            Liveness::Live | Liveness::Hung { .. } => self.now_ms,
            Liveness::Dead => self.snapshot.global.heartbeat_ms.min(self.now_ms),
        }
    }

    /// Seconds from a moment in the scoreboard to now.
    pub(crate) fn age_s(&self, since_ms: u64) -> u64 {
        self.as_of_ms().saturating_sub(since_ms) / 1000
    }

    /// How long the server has been up, or was.
    pub(crate) fn uptime_s(&self) -> u64 {
        self.age_s(self.snapshot.global.start_ms)
    }

    pub(crate) fn member(&self, index: u32) -> Option<&MemberView> {
        self.snapshot
            .members
            .iter()
            .find(|member| member.index == index)
    }

    pub(crate) fn mpm(&self) -> &'static str {
        self.snapshot
            .global
            .shape
            .map_or("unknown", scoreboard::ShapeKind::name)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A look at a sample board, as if its server were in the given state.
    pub(crate) fn sight(board: &Board, liveness: Liveness) -> Sight {
        Sight {
            path: PathBuf::from("/run/tine/scoreboard"),
            now_ms: crate::sample::NOW_MS,
            liveness,
            snapshot: board.snapshot(),
            rates: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::sight;
    use super::*;
    use crate::sample;

    #[test]
    fn rates_are_those_between_two_looks_at_one_server() {
        let board = sample::prefork();
        let before = sight(&board, Liveness::Live);
        board.process(0).count(4_000, 10, 0);
        board.process(1).count(2_000, 10, 0);
        let rates = before.rates_to(&board.snapshot(), before.now_ms + 500);
        let expected = Rates {
            interval_s: 0.5,
            accesses_per_s: 4.0,
            bytes_per_s: 12_000.0,
        };
        assert_eq!(rates, Some(expected));
        assert_eq!(
            before.rates_to(&board.snapshot(), before.now_ms),
            None,
            "no time has passed"
        );
        let other = sample::board(1, 1);
        assert_eq!(
            before.rates_to(&other.snapshot(), before.now_ms + 500),
            None,
            "another server"
        );
    }

    #[test]
    fn ages_of_a_dead_server_end_with_it() {
        let board = sample::prefork();
        let dead = sight(&board, Liveness::Dead);
        assert_eq!(dead.as_of_ms(), sample::NOW_MS - 400);
        assert_eq!(sight(&board, Liveness::Live).uptime_s(), 93_784);
        assert_eq!(dead.age_s(sample::NOW_MS - 1_500), 1);
        assert_eq!(dead.age_s(u64::MAX), 0);
    }
}
