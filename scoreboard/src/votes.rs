//! The arithmetic of `lbstatus`: what an election adds and what it takes away.
//!
//! httpd's elections give every candidate its factor and charge the winner the sum of all of them, so the sum over a
//! balancer never moves. httpd does this with plain reads and writes, which lose updates when two children elect at
//! once. These two calls are single `fetch_add`s: whatever interleaves, the sum is conserved, and when one child elects
//! at a time the visible sequence is httpd's.

use crate::atomic::{AtomicI64, Ordering};

/// Give a candidate its factor; returns the value the candidate now stands at.
pub fn grant(lbstatus: &AtomicI64, factor: i64) -> i64 {
    lbstatus
        .fetch_add(factor, Ordering::Relaxed)
        .wrapping_add(factor)
}

/// Charge the winner what all candidates were given; returns the value it now stands at.
pub fn charge(lbstatus: &AtomicI64, total: i64) -> i64 {
    lbstatus
        .fetch_sub(total, Ordering::Relaxed)
        .wrapping_sub(total)
}
