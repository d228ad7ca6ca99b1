//! tine.
pub mod buf;
pub mod codec;
pub mod http;
pub mod log;
pub mod sys;
