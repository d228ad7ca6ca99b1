//! What RFC 9112 and RFC 9110 require of an intermediary, one test for each requirement, named by its section.
//!
//! Responsible for: MUST and MUST NOT, and the SHOULD that tine follows. Each test looks at the bytes that reached the backend, or the client,
//! or at their absence. Not responsible for: what httpd's directives change about it (`proxy_http`, `hardening`).
//!
//! Know first: a proxy is a server to its client and a client to its backend, so both halves of a section are here. Every backend is a
//! `wire::Wire`, which ends the test if anything reaches it that a strict reader would refuse.

mod content;
mod fields;
mod persistence;
mod requests;
mod responses;
mod semantics;
