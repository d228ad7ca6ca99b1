//! One member: the state and numbers that all children share about one place requests may go.
//!
//! How many exchanges a member is busy with is *not* here: each child counts its own in its claim row, and
//! `Board::busy` adds the rows up, so that a dead child's share can be taken away exactly.

use core::sync::atomic::Ordering;

use crate::atomic::{AtomicI64, AtomicU32, AtomicU64};
use crate::shared::shared;
use crate::text::Text;
use crate::votes;

shared! {
    /// One member's record. What an election reads and writes lies in its first two lines.
    pub struct MemberScore, align 128 {
        /// 0 free, 1 in use, 2 no longer configured
        pub in_use: AtomicU32,
        /// Its balancer's index + 1; 0 for a plain member
        pub balancer: AtomicU32,
        /// State: `StatusBits`
        pub status: AtomicU32,
        /// Set of the balancer it belongs to; lower sets are preferred
        pub lbset: AtomicU32,
        /// Its share of the load, in hundredths
        pub lbfactor: AtomicU32,
        /// Failures in a row since it last worked
        pub retries: AtomicU32,
        /// The method's running number; the sum over a balancer stays the same
        pub lbstatus: AtomicI64,
        /// Times it was elected
        pub elected: AtomicU64,
        /// Content bytes sent to it
        pub transferred: AtomicU64,
        /// Content bytes read from it
        pub read: AtomicU64,
        /// When it last failed, unix ms
        pub error_time_ms: AtomicU64,
        /// How long it stays in error before it is tried again, ms
        pub retry_ms: AtomicU64,
        /// Hash of the whole identity, which the texts may have cut
        pub identity: AtomicU64,
        /// Hash of the parameters as the configuration gave them; tells an edit from a new configuration
        pub configured: AtomicU64,
        /// Since when the state is what it is, unix ms
        pub reason_since_ms: AtomicU64,
        /// Generation in which the member was no longer configured
        pub retired_generation: AtomicU32,
        /// Its place among its balancer's members, in the order of the configuration
        pub order: AtomicU32,

        /// Name of its balancer
        pub balancer_name: Text<12>,
        /// Its URL
        pub url: Text<32>,
        /// Route that sticky sessions name
        pub route: Text<8>,
        /// Route of the member to use instead when this one is unusable
        pub redirect: Text<8>,
        /// Why its state is what it is
        pub reason: Text<12>,
        /// For later use
        pub spare: [AtomicU64; 24],
    }
}

/// A member's state: httpd's status bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StatusBits(u32);

impl StatusBits {
    /// Set up; must be set to be usable.
    pub const INIT: Self = Self(0x1);
    /// Never put in error.
    pub const IGNORE: Self = Self(0x2);
    /// Draining: takes only sticky requests for its route.
    pub const DRAIN: Self = Self(0x4);
    /// Stands for URLs that no other member has.
    pub const GENERIC: Self = Self(0x8);
    /// Shutting down.
    pub const SHUTDOWN: Self = Self(0x10);
    /// Disabled by an operator.
    pub const DISABLED: Self = Self(0x20);
    /// Stopped by an operator: not even retried or checked.
    pub const STOPPED: Self = Self(0x40);
    /// In error until it is retried.
    pub const IN_ERROR: Self = Self(0x80);
    /// Hot standby: used when no other member is usable.
    pub const STANDBY: Self = Self(0x100);
    /// Its record is free.
    pub const FREE: Self = Self(0x200);
    /// Its health checks fail.
    pub const HC_FAIL: Self = Self(0x400);
    /// Hot spare: stands in for unusable members of its set.
    pub const SPARE: Self = Self(0x800);

    const UNUSABLE: u32 =
        Self::SHUTDOWN.0 | Self::DISABLED.0 | Self::STOPPED.0 | Self::IN_ERROR.0 | Self::HC_FAIL.0;
    const KNOWN: u32 = 0xfff;

    /// The bits in a shared word; unknown ones are dropped.
    #[must_use]
    pub const fn from_word(word: u32) -> Self {
        Self(word & Self::KNOWN)
    }

    /// The word stored for these bits.
    #[must_use]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// No bit at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self(0)
    }

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These bits and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These bits without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether requests may go there. A draining member is usable: who may use it is the balancer's business.
    #[must_use]
    pub const fn usable(self) -> bool {
        self.0 & Self::INIT.0 != 0 && self.0 & Self::UNUSABLE == 0
    }

    /// The bit that a letter of `status=` means; either case.
    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        let letter = letter.to_ascii_uppercase();
        NAMES
            .iter()
            .find(|(_, known, _)| *known == letter)
            .map(|(bits, _, _)| *bits)
    }

    /// httpd's text: the names of the bits that are set, then `Ok ` if usable; `??? ` if none is set.
    #[must_use]
    pub fn names(self) -> String {
        if self.0 == 0 {
            return "??? ".to_owned();
        }
        let mut text: String = NAMES
            .iter()
            .filter(|(bits, _, _)| self.contains(*bits))
            .map(|(_, _, name)| *name)
            .collect();
        if self.usable() {
            text.push_str("Ok ");
        }
        text
    }
}

impl MemberScore {
    /// Its state now.
    #[must_use]
    pub fn status(&self) -> StatusBits {
        StatusBits::from_word(self.status.load(Ordering::Relaxed))
    }

    /// Whether requests may go there now.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.status().usable()
    }

    /// Set `bits`; returns the state before, so that the caller knows whether it was the one to change it.
    pub fn set_status(&self, bits: StatusBits) -> StatusBits {
        StatusBits::from_word(self.status.fetch_or(bits.word(), Ordering::Relaxed))
    }

    /// Clear `bits`; returns the state before.
    pub fn clear_status(&self, bits: StatusBits) -> StatusBits {
        StatusBits::from_word(self.status.fetch_and(!bits.word(), Ordering::Relaxed))
    }

    /// Give a candidate its factor in an election; returns the lbstatus it now has.
    pub fn grant(&self, factor: i64) -> i64 {
        votes::grant(&self.lbstatus, factor)
    }

    /// Charge the winner the sum of all candidates' factors; returns the lbstatus it now has.
    pub fn charge(&self, total: i64) -> i64 {
        votes::charge(&self.lbstatus, total)
    }

    /// Say why the state is what it is. Any child may; if two do at once, one of them is heard.
    pub fn explain(&self, pid: u32, why: &[u8], now_ms: u64) {
        if self.reason.set_shared(pid, why) {
            self.reason_since_ms.store(now_ms, Ordering::Relaxed);
        }
    }

    /// The index of its balancer; `None` for a plain member.
    #[must_use]
    pub fn balancer(&self) -> Option<u32> {
        self.balancer.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Whether the record stands for a member of the present configuration.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.in_use.load(Ordering::Acquire) == super::in_use::USED
    }
}

/// Bit, letter and name, in the order in which httpd prints them.
const NAMES: [(StatusBits, char, &str); 12] = [
    (StatusBits::INIT, 'O', "Init "),
    (StatusBits::IGNORE, 'I', "Ign "),
    (StatusBits::DRAIN, 'N', "Drn "),
    (StatusBits::GENERIC, 'G', "Gen "),
    (StatusBits::SHUTDOWN, 'U', "Shut "),
    (StatusBits::DISABLED, 'D', "Dis "),
    (StatusBits::STOPPED, 'S', "Stop "),
    (StatusBits::IN_ERROR, 'E', "Err "),
    (StatusBits::STANDBY, 'H', "Stby "),
    (StatusBits::SPARE, 'R', "Spar "),
    (StatusBits::FREE, 'F', "Free "),
    (StatusBits::HC_FAIL, 'C', "HcFl "),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_text_is_httpd_s() {
        const INIT: StatusBits = StatusBits::INIT;
        for (bits, text) in [
            (StatusBits::empty(), "??? "),
            (INIT, "Init Ok "),
            (INIT.with(StatusBits::IGNORE), "Init Ign Ok "),
            (INIT.with(StatusBits::DRAIN), "Init Drn Ok "),
            (INIT.with(StatusBits::IN_ERROR), "Init Err "),
            (
                INIT.with(StatusBits::SPARE).with(StatusBits::STANDBY),
                "Init Stby Spar Ok ",
            ),
            (
                INIT.with(StatusBits::HC_FAIL).with(StatusBits::DISABLED),
                "Init Dis HcFl ",
            ),
            (StatusBits::DISABLED, "Dis "),
            (StatusBits::from_word(0x1001), "Init Ok "),
        ] {
            assert_eq!(bits.names(), text);
        }
    }

    #[test]
    fn letters_of_the_status_parameter() {
        let bits = |letters: &str| {
            letters
                .chars()
                .map(|letter| StatusBits::from_letter(letter).unwrap().word())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            bits("OINGUDSEHFCR"),
            (0..12).map(|bit| 1 << bit).collect::<Vec<_>>()
        );
        assert_eq!(bits("e"), bits("E"));
        assert_eq!(StatusBits::from_letter('x'), None);
    }
}
