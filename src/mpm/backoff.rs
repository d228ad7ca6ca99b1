//! What to do when children die at birth.
//!
//! Responsible for: not forking as fast as the machine can when every child dies at once. Pure: takes `now`. Not responsible for: the
//! children that live; they go on serving, and what they need is forked as soon as one newcomer has survived.
//!
//! Know first: after a death at birth one child at a time is tried, after 1, 2, 4 … 32 seconds. Several that were born together and die
//! together count as one failure.

use std::time::{Duration, Instant};

/// The patience of the parent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Backoff {
    failures: u32,
    last_failure: Option<Instant>,
    not_before: Option<Instant>,
}

impl Backoff {
    /// A child born at `born` ended at `now`, not because it was told to, and not in good order. Says how long to wait, if this is news.
    pub(super) fn died(&mut self, born: Instant, now: Instant) -> Option<Duration> {
        let is_at_birth = now.saturating_duration_since(born) < CHILDHOOD;
        let is_news = self.last_failure.is_none_or(|last| born > last);
        (is_at_birth && is_news).then(|| self.fail(now))
    }

    /// No child could be made at all.
    pub(super) fn fail(&mut self, now: Instant) -> Duration {
        let delay = Duration::from_secs(1 << self.failures.min(5));
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some(now);
        self.not_before = Some(now + delay);
        delay
    }

    /// A child born at `born` lives at `now`.
    pub(super) fn lives(&mut self, born: Instant, now: Instant) {
        let is_newcomer = self.last_failure.is_some_and(|last| born > last);
        if is_newcomer && now.saturating_duration_since(born) >= CHILDHOOD {
            *self = Self::default();
        }
    }

    /// How many of `wanted` children may be forked at `now`.
    pub(super) fn allow(&mut self, wanted: u32, now: Instant) -> u32 {
        if self.failures == 0 {
            return wanted;
        }
        if self.not_before.is_some_and(|at| now < at) {
            return 0;
        }
        // The one that is tried now must grow up before the next.
        self.not_before = Some(now + CHILDHOOD);
        wanted.min(1)
    }

    /// Whether children die at birth at present.
    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// When asking again makes sense.
    pub(super) fn next(&self) -> Option<Instant> {
        self.not_before
    }
}

/// A child that has lived this long was not broken from birth.
pub(super) const CHILDHOOD: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock;

    fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn each_failed_try_doubles_the_wait_up_to_32_seconds() {
        let mut now = clock::now().instant;
        let mut backoff = Backoff::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(backoff.allow(1, now), 1);
            let born = now + Duration::from_millis(1);
            now = born + Duration::from_millis(1);
            let wait = backoff.died(born, now).expect("at birth");
            assert_eq!(backoff.allow(1, now), 0);
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 32, 32]);
    }

    #[test]
    fn a_whole_brood_that_dies_is_one_failure() {
        let born = clock::now().instant;
        let mut backoff = Backoff::default();
        let now = born + Duration::from_millis(5);
        assert_eq!(backoff.died(born, now), Some(seconds(1)));
        assert_eq!(backoff.died(born, now), None);
        assert_eq!(backoff.allow(5, now), 0);
        assert_eq!(backoff.allow(5, now + seconds(1)), 1, "one is tried");
        assert_eq!(
            backoff.allow(5, now + seconds(1)),
            0,
            "and no other meanwhile"
        );
    }

    #[test]
    fn a_newcomer_that_survives_ends_it_and_an_old_child_does_not() {
        let start = clock::now().instant;
        let mut backoff = Backoff::default();
        let old = start;
        let failed = start + seconds(60);
        assert!(backoff.died(failed, failed).is_some());
        backoff.lives(old, start + seconds(100));
        assert_eq!(backoff.next(), Some(failed + seconds(1)));
        let newcomer = failed + seconds(1);
        backoff.lives(newcomer, newcomer + seconds(1));
        assert!(backoff.next().is_some(), "too young to tell");
        backoff.lives(newcomer, newcomer + CHILDHOOD);
        assert_eq!(backoff.next(), None);
        assert_eq!(backoff.allow(9, newcomer + CHILDHOOD), 9);
    }

    #[test]
    fn a_grown_child_that_crashes_is_replaced_at_once() {
        let born = clock::now().instant;
        let mut backoff = Backoff::default();
        assert_eq!(backoff.died(born, born + seconds(10)), None);
        assert_eq!(backoff.allow(1, born + seconds(10)), 1);
    }
}
