//! The edit lock: one word that holds the pid of the process that is editing balancers or members.
//!
//! Elections never take it. It is held for microseconds by the manager page, by the operator's tool or by the parent,
//! and it never waits: whoever finds it taken says so and tries again. The parent forfeits it for a process that died
//! with it.

use crate::atomic::{AtomicU32, Ordering};

/// A lock whose value is its owner's pid; 0 is free.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct EditLock {
    owner: AtomicU32,
}

// SAFETY: `repr(transparent)` over an atomic; any bits are valid.
#[cfg(not(loom))]
unsafe impl crate::shared::Shared for EditLock {}

impl EditLock {
    /// A free lock in private memory, for models and tests.
    #[must_use]
    pub fn new() -> Self {
        Self {
            owner: AtomicU32::new(0),
        }
    }

    /// Take the lock for `pid`, or `None` if anyone has it, this process included.
    pub fn try_lock(&self, pid: u32) -> Option<EditGuard<'_>> {
        assert_ne!(pid, 0, "0 means that the lock is free");
        self.owner
            .compare_exchange(0, pid, Ordering::Acquire, Ordering::Relaxed)
            .ok()
            .map(|_| EditGuard { lock: self, pid })
    }

    /// The pid that holds the lock, if any does.
    #[must_use]
    pub fn owner(&self) -> Option<u32> {
        Some(self.owner.load(Ordering::Relaxed)).filter(|&pid| pid != 0)
    }

    /// Free the lock if `pid` holds it. For a process that is known to be dead, and for the guard.
    pub fn forfeit(&self, pid: u32) -> bool {
        pid != 0
            && self
                .owner
                .compare_exchange(pid, 0, Ordering::Release, Ordering::Relaxed)
                .is_ok()
    }
}

/// The lock held; dropping it frees the lock.
#[derive(Debug)]
#[must_use = "the lock is freed as soon as the guard is dropped"]
pub struct EditGuard<'a> {
    lock: &'a EditLock,
    pid: u32,
}

impl Drop for EditGuard<'_> {
    fn drop(&mut self) {
        self.lock.forfeit(self.pid);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_editor_at_a_time_and_the_dead_forfeit() {
        let lock = EditLock::new();
        let guard = lock.try_lock(7).unwrap();
        assert_eq!(lock.owner(), Some(7));
        assert!(lock.try_lock(8).is_none());
        assert!(
            lock.try_lock(7).is_none(),
            "not even the same process twice"
        );
        drop(guard);
        assert_eq!(lock.owner(), None);

        core::mem::forget(lock.try_lock(8).unwrap());
        assert!(!lock.forfeit(7), "another's lock stays");
        assert!(lock.forfeit(8));
        assert!(lock.try_lock(7).is_some());
    }
}
