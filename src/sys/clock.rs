//! The one place that reads clocks.
//!
//! Responsible for: one reading of both clocks at once. Not responsible for: deciding when to read. The engine reads once per turn, the
//! parent once per turn of its own loop, and everything below takes the value.

#![expect(
    unsafe_code,
    reason = "std does not say what an `Instant` is counted from"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One reading of the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock: for deadlines and durations.
    pub instant: Instant,
    /// The wall clock, microseconds since 1970: for logs and the scoreboard.
    pub unix_us: u64,
}

impl Now {
    /// The wall clock in milliseconds since 1970.
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        self.unix_us / 1000
    }

    /// The wall clock in seconds since 1970.
    #[must_use]
    pub fn unix_s(self) -> u64 {
        self.unix_us / 1_000_000
    }

    /// This reading moved on by `by`: what a simulation's hand-moved clock needs.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self {
            instant: self.instant + by,
            unix_us: self.unix_us.saturating_add(micros(by)),
        }
    }
}

/// Read both clocks.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is where the turn's `now` comes from"
)]
pub fn now() -> Now {
    // A wall clock set before 1970 reads as 1970; nothing but a log line is wrong then.
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Now {
        instant: Instant::now(),
        unix_us: micros(wall),
    }
}

/// Microseconds of `CLOCK_MONOTONIC`, by which systemd orders the beginning of a reload.
#[must_use]
pub fn monotonic_us() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the time is written to a local that outlives the call. This clock exists on every Linux, so the call cannot fail.
    let _always_zero = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000)
        .saturating_add(nanos / 1000)
}

/// Whole microseconds, saturating after half a million years.
fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_move_together_when_moved_by_hand() {
        let start = now();
        let later = start.after(Duration::from_millis(1500));
        assert_eq!(later.instant - start.instant, Duration::from_millis(1500));
        assert_eq!(later.unix_us - start.unix_us, 1_500_000);
        assert_eq!(later.unix_ms(), later.unix_us / 1000);
        assert_eq!(later.unix_s(), later.unix_us / 1_000_000);
    }
}
