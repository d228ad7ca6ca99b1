//! engine
pub mod slab;
pub mod timers;
