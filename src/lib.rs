//! tine.
pub mod config;
pub mod sys;
