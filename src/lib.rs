//! tine.
pub mod mpm;
pub mod sys;
