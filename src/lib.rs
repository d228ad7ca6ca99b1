//! tine.
pub mod sys;
