//! The records of the map, one file each. Every field says what its number means and in which unit.

mod balancer;
mod global;
mod member;
mod process;
mod slot;

pub use balancer::{BalancerFlags, BalancerScore};
pub(crate) use global::MAGIC;
pub use global::{Birth, GlobalScore, ServerState, ShapeKind};
pub use member::{MemberScore, StatusBits};
pub use process::{ProcessScore, ProcessState};
pub use slot::{LeaseKind, SlotScore, Status};

/// States of a balancer's or member's record, in its `in_use` word.
pub(crate) mod in_use {
    /// Never used, or given up: free to take.
    pub(crate) const FREE: u32 = 0;
    /// Configured or added at run time.
    pub(crate) const USED: u32 = 1;
    /// No longer configured. Children of an older generation may still use it, and a later configuration may name it
    /// again; taken for something else only when no such child is left.
    pub(crate) const RETIRED: u32 = 2;
}
