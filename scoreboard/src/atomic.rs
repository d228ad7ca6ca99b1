//! The atomics this crate is written with: the standard ones, or loom's when the models in `tests/loom.rs` run.
//!
//! Nothing here has behaviour of its own. Loom's atomics are not all-zero valid, so under `cfg(loom)` only the parts
//! that need no map exist: text, the edit lock and votes.

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
