//! Deadlines of cells, filed lazily.
//!
//! Deadlines are a function of state (invariant I3): nothing arms or cancels a timer. After a cell was touched the
//! loop computes its deadline and calls [`Timers::file`]; only a deadline *earlier* than the cell's present entry
//! costs anything. An entry that fires asks the cell again, and is filed anew when the cell's real deadline lies
//! ahead. So a busy connection touches this table about once per timeout, not once per request.
//!
//! Entries belong to cells, not tenants: a recycled cell inherits the entry of the one before, which at worst
//! fires once too often.

use std::collections::BTreeSet;

/// Which slab a cell is in. An exchange has no entry of its own: its deadline is its client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A client connection.
    Client,
    /// A backend connection.
    Backend,
}

/// All entries of one loop. Times are milliseconds since the loop began.
#[derive(Debug, Default)]
pub struct Timers {
    entries: BTreeSet<(u64, Kind, u32)>,
}

impl Timers {
    /// No entries.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entries: BTreeSet::new(),
        }
    }

    /// Makes sure that the cell is looked at by `at`. `filed` is the cell's own memory of its entry.
    pub fn file(&mut self, kind: Kind, index: u32, at: u64, filed: &mut Option<u64>) {
        if let Some(present) = *filed {
            if present <= at {
                return;
            }
            self.entries.remove(&(present, kind, index));
        }
        self.entries.insert((at, kind, index));
        *filed = Some(at);
    }

    /// Takes one entry that is due. The caller clears the cell's memory of it.
    pub fn due(&mut self, now: u64) -> Option<(Kind, u32)> {
        let &(at, kind, index) = self.entries.first()?;
        if at > now {
            return None;
        }
        self.entries.pop_first();
        Some((kind, index))
    }

    /// When the next entry fires.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.entries.first().map(|&(at, _, _)| at)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_later_deadline_costs_nothing_and_an_earlier_one_replaces() {
        let (mut timers, mut filed) = (Timers::new(), None);
        timers.file(Kind::Client, 7, 100, &mut filed);
        timers.file(Kind::Client, 7, 500, &mut filed);
        assert_eq!((timers.next(), timers.len()), (Some(100), 1));
        timers.file(Kind::Client, 7, 50, &mut filed);
        assert_eq!((timers.next(), timers.len()), (Some(50), 1));
        assert_eq!(timers.due(49), None);
        assert_eq!(timers.due(50), Some((Kind::Client, 7)));
        assert_eq!(timers.due(u64::MAX), None);
    }

    proptest! {
        // The model: every cell has the deadline filed last; the table may look at a cell early, never late, and
        // re-files on an early look, as the loop does.
        #[test]
        fn no_cell_is_looked_at_after_its_deadline(filings in prop::collection::vec((0u32..8, 1u64..100), 1..60)) {
            let mut timers = Timers::new();
            let mut filed = [None; 8];
            let mut deadline = [None; 8];
            for (now, &(index, ahead)) in (0u64..).zip(&filings) {
                deadline[index as usize] = Some(now + ahead);
                timers.file(Kind::Backend, index, now + ahead, &mut filed[index as usize]);
                while let Some((_, fired)) = timers.due(now) {
                    filed[fired as usize] = None;
                    match deadline[fired as usize] {
                        Some(at) if at > now => timers.file(Kind::Backend, fired, at, &mut filed[fired as usize]),
                        _ => deadline[fired as usize] = None,
                    }
                }
                for at in deadline.iter().flatten() {
                    prop_assert!(*at > now, "a deadline passed unseen");
                    prop_assert!(timers.next().is_some_and(|next| next <= *at));
                }
            }
        }
    }
}
