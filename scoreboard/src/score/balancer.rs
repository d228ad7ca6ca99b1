//! One balancer: its identity and the parameters that an operator can edit while the server runs.

use core::sync::atomic::Ordering;

use crate::atomic::{AtomicU32, AtomicU64};
use crate::shared::shared;
use crate::text::Text;

shared! {
    /// One balancer's record. Written by the parent before it forks, later under the edit lock.
    pub struct BalancerScore, align 128 {
        /// 0 free, 1 in use, 2 no longer configured
        pub in_use: AtomicU32,
        /// Raised by every edit; a child that sees a new value reads names and parameters again
        pub changed: AtomicU32,
        /// Hash of the whole identity, which the texts may have cut
        pub identity: AtomicU64,
        /// Hash of the parameters as the configuration gave them; tells an edit from a new configuration
        pub configured: AtomicU64,
        /// Editable switches: `BalancerFlags`
        pub flags: AtomicU32,
        /// Members tried at most for one request
        pub max_attempts: AtomicU32,
        /// Longest wait for a free member, ms
        pub timeout_ms: AtomicU64,
        /// 1 when the method's numbers are to be reset before the next election
        pub need_reset: AtomicU32,
        /// Generation in which the balancer was no longer configured
        pub retired_generation: AtomicU32,
        /// Separator between session and route, as a character's number; 0 for the default
        pub sticky_separator: AtomicU32,
        /// Members that may be added at run time
        pub growth: AtomicU32,
        /// `balancer://name`
        pub name: Text<12>,
        /// Identity of the virtual host
        pub vhost: Text<8>,
        /// Name of the balancing method
        pub lbmethod: Text<2>,
        /// Names of the sticky cookie and path parameter, `cookie|parameter`
        pub sticky: Text<8>,
        /// What the manager's forms must carry
        pub nonce: Text<5>,
        /// For later use
        pub spare: [AtomicU64; 8],
    }
}

/// A balancer's editable switches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BalancerFlags(u32);

impl BalancerFlags {
    /// A request whose route has no usable member fails (nofailover).
    pub const STICKY_FORCE: Self = Self(0x1);
    /// `;` also separates the path from a session parameter (scolonpathdelim).
    pub const SEMICOLON: Self = Self(0x2);
    /// Members in error are tried when all of them are (forcerecovery).
    pub const FORCE_RECOVERY: Self = Self(0x4);
    /// The balancer takes no requests.
    pub const INACTIVE: Self = Self(0x8);
    /// A member whose response times out goes into error (failontimeout).
    pub const FAIL_ON_TIMEOUT: Self = Self(0x10);

    /// The switches in a shared word; unknown ones are dropped.
    #[must_use]
    pub const fn from_word(word: u32) -> Self {
        Self(word & 0x1f)
    }

    /// The word stored for these switches.
    #[must_use]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// Whether all of `other` are on.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These switches and `other`, if `on`; without `other` if not.
    #[must_use]
    pub const fn with(self, other: Self, on: bool) -> Self {
        if on {
            Self(self.0 | other.0)
        } else {
            Self(self.0 & !other.0)
        }
    }
}

impl BalancerScore {
    /// The switches now.
    #[must_use]
    pub fn flags(&self) -> BalancerFlags {
        BalancerFlags::from_word(self.flags.load(Ordering::Relaxed))
    }

    /// Tell every child that names or parameters were edited. After the edit, under the edit lock.
    pub fn mark_changed(&self) -> u32 {
        self.changed.fetch_add(1, Ordering::Release).wrapping_add(1)
    }

    /// The generation word: compare it with the one of the last look.
    #[must_use]
    pub fn changed(&self) -> u32 {
        self.changed.load(Ordering::Acquire)
    }

    /// Whether the record stands for a balancer of the present configuration.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.in_use.load(Ordering::Acquire) == super::in_use::USED
    }
}
