//! tine.
pub mod balancer;
pub mod buf;
pub mod codec;
pub mod config;
pub mod http;
pub mod log;
pub mod request;
pub mod sys;
pub mod transport;
