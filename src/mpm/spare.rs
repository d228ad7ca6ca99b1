//! How many children to fork or retire, once a second.
//!
//! Responsible for: httpd's idle maintenance. Pure: counts in, counts and at most one note out. Not responsible for: replacing a child that
//! died, which happens at once, and not for which child is retired.
//!
//! ```text
//!   idle > spare_max   retire one child, rate = 1
//!   idle < spare_min   fork up to `rate` children, then double the rate up to 32
//!                      (not within ten rounds after a graceful restart: the new children have hardly begun to work)
//!                      all children there are: say so, once; rate = 1
//!   between            rate = 1
//! ```
//!
//! A slot counts as idle when its child is starting or the slot has no work; slots of children that drain do not count. For prefork a
//! child has one slot, so the numbers are children.
//!
//! httpd: `perform_idle_server_maintenance`.

use super::{Mpm, Settled};

/// The counts of this second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct View {
    /// Children that serve or are about to.
    pub children: u32,
    /// Their idle slots.
    pub idle: u32,
    /// Children that drain.
    pub draining: u32,
    /// Process records that are free.
    pub room: u32,
}

/// What the last rounds leave for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpawnRate {
    rate: u32,
    hold_off: u32,
    /// It was said that the limit is reached, or nearly so: neither is worth a line per second.
    reached_told: bool,
    near_told: bool,
}

impl Default for SpawnRate {
    fn default() -> Self {
        Self {
            rate: 1,
            hold_off: 0,
            reached_told: false,
            near_told: false,
        }
    }
}

impl SpawnRate {
    /// A graceful restart has happened.
    pub fn hold_off(&mut self) {
        self.rate = 1;
        self.hold_off = HOLD_OFF_ROUNDS;
    }

    /// A child could not be made, or said that the system is short of something.
    pub fn slow_down(&mut self) {
        self.rate = 1;
    }
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Actions {
    /// Children to fork.
    pub fork: u32,
    /// Children to retire.
    pub retire: u32,
    /// What to say.
    pub note: Option<Note>,
}

/// Something the operator should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// No more children are allowed, and no slot is idle: requests wait.
    Reached,
    /// No more children are allowed, and fewer slots are idle than should be.
    Near,
    /// More children are allowed, but draining ones hold all the records.
    Full,
    /// Many children at once are needed.
    Busy {
        /// How many are forked now.
        fork: u32,
        /// The counts that led to it.
        view: View,
    },
}

/// Decide.
pub fn plan(view: &View, settled: &Settled, rate: &mut SpawnRate) -> Actions {
    if view.idle > settled.spare_max {
        rate.rate = 1;
        return Actions {
            retire: 1,
            ..Actions::default()
        };
    }
    if view.idle >= settled.spare_min {
        rate.rate = 1;
        return Actions::default();
    }
    let allowed = settled.shape.children_max.saturating_sub(view.children);
    let fork = allowed.min(view.room).min(rate.rate);
    if fork == 0 {
        rate.rate = 1;
        return Actions {
            note: shortage(view, settled, allowed, rate),
            ..Actions::default()
        };
    }
    let is_busy = rate.rate >= BUSY_RATE;
    if rate.hold_off > 0 {
        rate.hold_off -= 1;
    } else {
        rate.rate = (rate.rate * 2).min(RATE_MAX);
    }
    Actions {
        fork,
        retire: 0,
        note: is_busy.then_some(Note::Busy { fork, view: *view }),
    }
}

/// Why no child may be forked, if that has not been said before.
fn shortage(view: &View, settled: &Settled, allowed: u32, rate: &mut SpawnRate) -> Option<Note> {
    let (told, note) = if allowed > 0 {
        (&mut rate.reached_told, Note::Full)
    } else if view.idle == 0 || settled.mpm == Mpm::Prefork {
        (&mut rate.reached_told, Note::Reached)
    } else {
        (&mut rate.near_told, Note::Near)
    };
    let is_news = !std::mem::replace(told, true);
    is_news.then_some(note)
}

const RATE_MAX: u32 = 32;
const BUSY_RATE: u32 = 8;
const HOLD_OFF_ROUNDS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::*;

    fn prefork() -> Settled {
        let limits = Limits {
            max_request_workers: Some(100),
            ..Limits::default()
        };
        limits.settle(Mpm::Prefork, 2).0
    }

    fn view(children: u32, idle: u32) -> View {
        View {
            children,
            idle,
            draining: 0,
            room: 200,
        }
    }

    #[test]
    fn one_round() {
        let worker = Limits::default().settle(Mpm::Worker, 2).0;
        // (fork, retire)
        let table = [
            ("enough", prefork(), view(20, 7), (0, 0)),
            ("exactly the minimum", prefork(), view(20, 5), (0, 0)),
            ("exactly the maximum", prefork(), view(20, 10), (0, 0)),
            ("too many: one at a time", prefork(), view(50, 40), (0, 1)),
            ("too few", prefork(), view(20, 4), (1, 0)),
            ("too few, and at the limit", prefork(), view(100, 0), (0, 0)),
            ("threads: enough", worker.clone(), view(5, 75), (0, 0)),
            ("threads: too few", worker.clone(), view(5, 74), (1, 0)),
            ("threads: too many", worker.clone(), view(12, 251), (0, 1)),
            ("threads: at the limit", worker, view(16, 3), (0, 0)),
        ];
        for (name, settled, view, expected) in table {
            let actions = plan(&view, &settled, &mut SpawnRate::default());
            assert_eq!((actions.fork, actions.retire), expected, "{name}");
        }
    }

    #[test]
    fn the_rate_doubles_to_32_and_falls_back() {
        let (settled, mut rate) = (prefork(), SpawnRate::default());
        let mut starved = || plan(&view(10, 0), &settled, &mut rate);
        let forks: Vec<u32> = (0..8).map(|_| starved().fork).collect();
        assert_eq!(forks, [1, 2, 4, 8, 16, 32, 32, 32]);
        plan(&view(10, 6), &settled, &mut rate);
        assert_eq!(plan(&view(10, 0), &settled, &mut rate).fork, 1);
        plan(&view(50, 40), &settled, &mut rate);
        assert_eq!(plan(&view(10, 0), &settled, &mut rate).fork, 1);
    }

    #[test]
    fn after_a_graceful_restart_the_rate_stays_for_ten_rounds() {
        let (settled, mut rate) = (prefork(), SpawnRate::default());
        rate.hold_off();
        let forks: Vec<u32> = (0..13)
            .map(|_| plan(&view(10, 0), &settled, &mut rate).fork)
            .collect();
        assert_eq!(forks, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4]);
    }

    #[test]
    fn never_more_than_allowed_or_than_there_is_room_for() {
        let settled = prefork();
        let mut rate = SpawnRate {
            rate: 32,
            ..SpawnRate::default()
        };
        assert_eq!(plan(&view(97, 0), &settled, &mut rate).fork, 3);
        let mut tight = view(10, 0);
        tight.room = 2;
        assert_eq!(plan(&tight, &settled, &mut rate).fork, 2);
    }

    #[test]
    fn reaching_the_limit_is_said_once() {
        let (settled, mut rate) = (prefork(), SpawnRate::default());
        let first = plan(&view(100, 0), &settled, &mut rate);
        assert_eq!(first.note, Some(Note::Reached));
        assert_eq!(plan(&view(100, 0), &settled, &mut rate).note, None);
        rate.hold_off();
        assert_eq!(plan(&view(100, 0), &settled, &mut rate).note, None);
    }

    #[test]
    fn threads_near_the_limit_and_at_it_are_two_notes() {
        let settled = Limits::default().settle(Mpm::Worker, 2).0;
        let mut rate = SpawnRate::default();
        let mut note = |idle| plan(&view(16, idle), &settled, &mut rate).note;
        assert_eq!(note(3), Some(Note::Near));
        assert_eq!(note(0), Some(Note::Reached));
        assert_eq!(note(3), None);
    }

    #[test]
    fn draining_children_can_hold_all_records() {
        let (settled, mut rate) = (prefork(), SpawnRate::default());
        let full = View {
            children: 50,
            idle: 0,
            draining: 100,
            room: 0,
        };
        assert_eq!(plan(&full, &settled, &mut rate).note, Some(Note::Full));
    }

    #[test]
    fn a_busy_server_is_noted_from_eight_at_a_time() {
        let (settled, mut rate) = (prefork(), SpawnRate::default());
        let notes: Vec<bool> = (0..5)
            .map(|_| plan(&view(10, 0), &settled, &mut rate).note.is_some())
            .collect();
        assert_eq!(notes, [false, false, false, true, true]);
    }
}
