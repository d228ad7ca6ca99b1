//! The integration tests: real processes, real sockets, fake backends. One binary, so that it links once.
//!
//! `harness` has what they are made of. Each other file is about one thing an operator relies on; its tests are named by what holds.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test waits, starts threads and reads the clock; a failed test prints what the server said"
)]

mod bad_input;
mod balancer;
mod bodies;
mod config_errors;
mod demo;
mod error_documents;
mod files;
mod forward;
mod hardening;
#[expect(dead_code, reason = "the comparison with httpd uses the rest of it")]
mod harness;
mod headers;
mod heads;
mod logs;
mod packaged;
mod properties;
mod proxy_http;
mod races;
mod restart;
mod rfc;
mod service;
mod shapes;
mod slides;
mod smuggling;
mod status;
mod tinectl;
mod traces;
mod upgrade;
mod variables;
mod wire;
